//! rmi beside raw TCP and its Rust peers, over loopback. `docs/PERFORMANCE.md` says what is measured, and how.

mod allocations;
#[cfg(feature = "others")]
#[rustfmt::skip]
#[allow(warnings, clippy::all, reason = "generated")]
#[path = "generated/bench_capnp.rs"]
mod bench_capnp;
#[cfg(feature = "others")]
#[rustfmt::skip]
#[allow(warnings, clippy::all, reason = "generated")]
#[path = "generated/bench_tonic.rs"]
mod bench_tonic;
mod child;
mod cli;
mod driver;
mod machine;
mod measure;
mod peers;
mod process;
mod report;
mod runtime;
mod workload;

use anyhow::Result;
use clap::Parser;

use cli::{Cli, Command};
use workload::Job;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn main() -> Result<()> {
    let cli = Cli::parse();
    machine::raise_file_limit();
    match cli.command {
        None => driver::run(cli.run),
        Some(Command::Server { peer, address, advertise, life }) => {
            life.watch();
            peers::serve(peer, address.into(), advertise)
        }
        Some(Command::Client { peer, address, workload, server, amount, life }) => {
            life.watch();
            anyhow::ensure!(peer.has(workload), "{peer} has no {}", workload.name());
            let mut figures = peers::measure(peer, address.into(), Job { workload, amount, server })?;
            figures["peer"] = peer.to_string().into();
            figures["workload"] = workload.name().into();
            process::say(&figures.to_string());
            // Whatever still runs is of no interest.
            std::process::exit(0)
        }
        Some(Command::Table { files }) => {
            print!("{}", report::markdown(&report::Runs::read(&files)?));
            Ok(())
        }
        Some(Command::Visitor { mode, owner }) => {
            process::Life::helper(true).watch();
            runtime::run(mode, peers::rmi::visitor::run(owner.into()))
        }
        Some(Command::Crowd { mode, server, count }) => {
            process::Life::helper(false).watch();
            runtime::run(mode, peers::rmi::crowd::run(server.into(), count))
        }
    }
}
