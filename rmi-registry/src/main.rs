//! The program `rmi-registry`: a node that is a registry and nothing else, and the questions one asks of it from a shell.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cli::run(cli::Arguments::parse())
}
