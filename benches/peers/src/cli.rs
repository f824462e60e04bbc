//! The command line.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, Subcommand};

use crate::driver::Options;
use crate::peers::Peer;
use crate::process::Life;
use crate::runtime::Mode;
use crate::workload::{Amount, Workload};

#[derive(Parser, Debug)]
#[command(
    about = "rmi beside raw TCP and its Rust peers, over loopback",
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: Options,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// The server of one peer, for a client or a profiler by hand. Says READY, its process id and where it listens
    Server {
        /// NAME, NAME:ct or NAME:mt
        peer: Peer,
        /// 127.0.0.1:PORT; port 0 takes a free one
        address: Loopback,
        #[arg(long, hide = true)]
        advertise: Option<String>,
        #[command(flatten)]
        life: Life,
    },
    /// The client of one peer: prints the figures of a workload as a line of JSON
    Client {
        peer: Peer,
        address: Loopback,
        workload: Workload,
        /// The server's process id, for its CPU and memory
        #[arg(long, env = "SERVER_PID", default_value_t = 0)]
        server: u32,
        #[command(flatten)]
        amount: Amount,
        #[command(flatten)]
        life: Life,
    },
    /// The table of runs that were written before
    Table { files: Vec<PathBuf> },
    #[command(hide = true)]
    Visitor { mode: Mode, owner: Loopback },
    #[command(hide = true)]
    Crowd { mode: Mode, server: Loopback, count: usize },
}

/// An address of this machine that nobody else reaches.
#[derive(Clone, Copy, Debug)]
pub struct Loopback(SocketAddr);

impl Loopback {
    pub const FREE: Self = Self(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)));
}

impl FromStr for Loopback {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address: SocketAddr = text.parse().map_err(|error| format!("{error}"))?;
        if !address.ip().is_loopback() {
            return Err("loopback only".into());
        }
        Ok(Self(address))
    }
}

impl From<Loopback> for SocketAddr {
    fn from(address: Loopback) -> Self {
        address.0
    }
}
