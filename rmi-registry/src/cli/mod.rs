//! The command line.

mod ask;
mod failure;
mod output;
mod serve;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use failure::Failure;
use tracing_subscriber::EnvFilter;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the name is not bound
  2  the command line is wrong
  3  the registry cannot be reached
  4  anything else: the address is in use, the name is not valid, ...

Logs go to stderr, by RUST_LOG (for example RUST_LOG=info, or RUST_LOG=rmi_registry=debug); by default warnings.";

/// The registry of rmi: names for remote objects.
#[derive(Debug, Parser)]
#[command(name = "rmi-registry", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// The registry that is asked: rmi://HOST[:PORT], or any address of its node (not for `serve`)
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "RMI_REGISTRY",
        default_value = "rmi://127.0.0.1:1099"
    )]
    registry: String,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    /// How long an answer may take, in seconds (not for `serve`)
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10.0, value_parser = seconds)]
    timeout: f64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a registry until Ctrl-C or SIGTERM
    Serve(serve::Options),
    /// List the names that begin with PREFIX, or all
    List {
        /// How the names begin
        #[arg(default_value = "")]
        prefix: String,
    },
    /// Tell what is bound to NAME, and where it is
    Lookup {
        /// The name
        name: String,
        /// Wait until it is bound, as long as --timeout permits
        #[arg(long)]
        wait: bool,
    },
    /// Free NAME, whoever bound it
    Unbind {
        /// The name
        name: String,
    },
}

/// A time in seconds, more than 0.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if seconds > 0.0 && seconds <= 86_400.0 { Ok(seconds) } else { Err("not between 0 and 86,400".into()) }
}

/// Does what was asked for.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::WARN.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let Arguments { global, command } = arguments;
    let work = async {
        match command {
            Command::Serve(options) => serve::run(options, global.json).await,
            Command::List { prefix } => ask::list(&global, &prefix).await,
            Command::Lookup { name, wait } => ask::lookup(&global, &name, wait).await,
            Command::Unbind { name } => ask::unbind(&global, &name).await,
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(work)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
