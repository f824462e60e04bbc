//! The peers. To add one: a module with `server` and `client`, a row in [`KINDS`] and a line in each match below.

#[cfg(feature = "others")]
pub mod capnp;
pub mod mini;
pub mod raw;
#[cfg(feature = "others")]
pub mod remoc;
pub mod rmi;
#[cfg(feature = "others")]
pub mod tarpc;
#[cfg(feature = "others")]
pub mod tonic;

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use anyhow::{Result, bail};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

#[cfg(feature = "others")]
use crate::runtime::run_local;
use crate::runtime::{Mode, run};
use crate::workload::{Job, Workload};

/// A peer and the runtime of both its sides: `rmi:mt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    pub kind: &'static Kind,
    pub mode: Option<Mode>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    pub name: &'static str,
    pub role: Role,
    modes: &'static [Mode],
    workloads: &'static [Workload],
}

/// What a peer's figures are compared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// What nothing can be faster than.
    Raw,
    /// What a call by hand costs: for orientation.
    Ceiling,
    Us,
    Rust,
    Foreign,
}

use Workload::{
    Blob, GrowthObjects, GrowthSessions, Handoff, Lat, Lat1, Local, Mb, Memobj, Mixed, Tput64, Tput512,
};

const BOTH: &[Mode] = &[Mode::Ct, Mode::Mt];
const FRAMES: &[Workload] = &[Lat, Lat1, Tput64, Tput512, Blob, Mb];
const CALLS: &[Workload] = &[Lat, Lat1, Tput64, Tput512, Blob, Mb, Mixed];
const OBJECTS: &[Workload] = &[Lat, Lat1, Tput64, Tput512, Blob, Mb, Mixed, Memobj];
const ALL: &[Workload] =
    &[Lat, Lat1, Tput64, Tput512, Blob, Mb, Mixed, Memobj, Local, Handoff, GrowthObjects, GrowthSessions];

const fn kind(
    name: &'static str,
    role: Role,
    modes: &'static [Mode],
    workloads: &'static [Workload],
) -> Kind {
    Kind { name, role, modes, workloads }
}

/// In the order of the table's columns. `rmi-vec` echoes `Vec<u8>` in place of `Bytes`.
pub static KINDS: &[Kind] = &[
    kind("rmi", Role::Us, BOTH, ALL),
    kind("rmi-vec", Role::Us, BOTH, &[Blob, Mb, Mixed]),
    kind("raw-tokio", Role::Raw, BOTH, FRAMES),
    kind("raw-std", Role::Ceiling, &[], &[Lat, Lat1]),
    kind("mini-inline", Role::Ceiling, BOTH, CALLS),
    kind("mini", Role::Ceiling, BOTH, CALLS),
    kind("tarpc-bincode", Role::Rust, BOTH, CALLS),
    kind("tarpc-msgpack", Role::Rust, BOTH, CALLS),
    kind("remoc", Role::Rust, BOTH, OBJECTS),
    kind("remoc-slim", Role::Rust, BOTH, CALLS),
    kind("remoc-bincode", Role::Rust, BOTH, CALLS),
    kind("remoc-postcard", Role::Rust, BOTH, CALLS),
    kind("remoc-msgpack", Role::Rust, BOTH, CALLS),
    kind("capnp", Role::Rust, &[Mode::Ct], OBJECTS),
    kind("tonic", Role::Rust, BOTH, CALLS),
    kind("java-rmi", Role::Foreign, &[], &[Lat, Lat1, Tput64, Tput512, Blob, Mb, Memobj]),
];

/// Who takes part when nobody is named.
pub const DEFAULT: &[&str] =
    &["rmi", "raw-tokio", "mini-inline", "mini", "tarpc-bincode", "remoc", "capnp", "tonic", "java-rmi"];

impl Kind {
    pub fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// Where it stands in the table.
    pub fn position(&self) -> usize {
        KINDS.iter().position(|kind| kind.name == self.name).unwrap_or(KINDS.len())
    }

    /// Of a peer that runs one way, how.
    pub fn only_mode(&self) -> Option<Option<Mode>> {
        (self.modes.len() < 2).then(|| self.modes.first().copied())
    }

    pub fn is_java(&self) -> bool {
        self.role == Role::Foreign
    }

    /// Whether this build has it.
    pub fn is_built(&self) -> bool {
        self.role != Role::Rust || cfg!(feature = "others")
    }
}

impl Peer {
    /// `rmi` is `rmi:ct` and `rmi:mt`.
    pub fn all_of(name: &str) -> Result<Vec<Self>, String> {
        match Kind::named(name) {
            Some(kind) if !kind.modes.is_empty() => {
                Ok(kind.modes.iter().map(|mode| Self { kind, mode: Some(*mode) }).collect())
            }
            _ => name.parse().map(|peer| vec![peer]),
        }
    }

    pub fn has(&self, workload: Workload) -> bool {
        self.kind.workloads.contains(&workload)
    }
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, mode) = text.split_once(':').map_or((text, None), |(name, mode)| (name, Some(mode)));
        let kind = Kind::named(name).ok_or_else(|| {
            let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
            format!("no peer {name}; there are {}", names.join(", "))
        })?;
        let mode = match mode {
            None => kind.modes.first().copied(),
            Some(wanted) => {
                let mode = kind.modes.iter().find(|mode| mode.name() == wanted);
                Some(*mode.ok_or_else(|| format!("{name} does not run as {wanted}"))?)
            }
        };
        Ok(Self { kind, mode })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mode {
            Some(mode) => write!(f, "{}:{}", self.kind.name, mode.name()),
            None => f.write_str(self.kind.name),
        }
    }
}

/// Runs the server of a peer, for as long as this process lives.
pub fn serve(peer: Peer, address: SocketAddr, advertise: Option<String>) -> Result<()> {
    let mode = peer.mode.unwrap_or_default();
    match peer.kind.name {
        "rmi" | "rmi-vec" => run(mode, rmi::server(address, advertise)),
        "raw-tokio" => run(mode, raw::server(address)),
        "raw-std" => raw::server_std(address),
        "mini" => run(mode, mini::server(address, false)),
        "mini-inline" => run(mode, mini::server(address, true)),
        #[cfg(feature = "others")]
        "tarpc-bincode" => run(mode, tarpc::server::<tarpc::Bincode>(address)),
        #[cfg(feature = "others")]
        "tarpc-msgpack" => run(mode, tarpc::server::<tarpc::MsgPack>(address)),
        #[cfg(feature = "others")]
        "remoc" => run(mode, remoc::server::<::remoc::codec::Default>(address)),
        #[cfg(feature = "others")]
        "remoc-slim" => run(mode, remoc::server::<::remoc::codec::PostbagSlim>(address)),
        #[cfg(feature = "others")]
        "remoc-bincode" => run(mode, remoc::server::<::remoc::codec::Bincode>(address)),
        #[cfg(feature = "others")]
        "remoc-postcard" => run(mode, remoc::server::<::remoc::codec::Postcard>(address)),
        #[cfg(feature = "others")]
        "remoc-msgpack" => run(mode, remoc::server::<::remoc::codec::MessagePack>(address)),
        #[cfg(feature = "others")]
        "capnp" => run_local(capnp::server(address)),
        #[cfg(feature = "others")]
        "tonic" => run(mode, tonic::server(address)),
        name => bail!("{name} is not in this build"),
    }
}

/// Runs a workload against a server and returns its figures.
pub fn measure(peer: Peer, address: SocketAddr, job: Job) -> Result<Value> {
    let mode = peer.mode.unwrap_or_default();
    match peer.kind.name {
        "rmi" => run(mode, rmi::client(mode, address, job, rmi::Echo::Bytes)),
        "rmi-vec" => run(mode, rmi::client(mode, address, job, rmi::Echo::Vec)),
        "raw-tokio" => run(mode, raw::client(address, job)),
        "raw-std" => run(mode, raw::client_std(address, job)),
        "mini" | "mini-inline" => run(mode, mini::client(address, job)),
        #[cfg(feature = "others")]
        "tarpc-bincode" => run(mode, tarpc::client::<tarpc::Bincode>(address, job)),
        #[cfg(feature = "others")]
        "tarpc-msgpack" => run(mode, tarpc::client::<tarpc::MsgPack>(address, job)),
        #[cfg(feature = "others")]
        "remoc" => run(mode, remoc::client::<::remoc::codec::Default>(address, job)),
        #[cfg(feature = "others")]
        "remoc-slim" => run(mode, remoc::client::<::remoc::codec::PostbagSlim>(address, job)),
        #[cfg(feature = "others")]
        "remoc-bincode" => run(mode, remoc::client::<::remoc::codec::Bincode>(address, job)),
        #[cfg(feature = "others")]
        "remoc-postcard" => run(mode, remoc::client::<::remoc::codec::Postcard>(address, job)),
        #[cfg(feature = "others")]
        "remoc-msgpack" => run(mode, remoc::client::<::remoc::codec::MessagePack>(address, job)),
        #[cfg(feature = "others")]
        "capnp" => run_local(capnp::client(address, job)),
        #[cfg(feature = "others")]
        "tonic" => run(mode, tonic::client(address, job)),
        name => bail!("{name} is not in this build"),
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn accept(listener: &TcpListener) -> Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
