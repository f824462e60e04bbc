//! `rmi-registry serve`.

use std::time::Duration;

use clap::Args;
use rmi_core::Node;
use rmi_registry::Registry;

use crate::cli::failure::Failure;
use crate::cli::{output, seconds};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where it accepts connections: tcp://HOST:PORT (port 0 takes a free one), unix:///PATH. May be given several times
    #[arg(long, value_name = "URL", default_value = "tcp://127.0.0.1:1099")]
    listen: Vec<String>,
    /// Where others are told to dial it, if that is not where it listens. May be given several times
    #[arg(long, value_name = "URL")]
    advertise: Vec<String>,
    /// How long a node that is not heard of keeps its names, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = seconds)]
    lease: f64,
    /// How many names it keeps
    #[arg(long, value_name = "NAMES", default_value_t = 10_000)]
    max_entries: usize,
}

/// Serves until a signal comes. One line on stdout for each address says that it can be dialed now.
pub(crate) async fn run(options: Options, json: bool) -> Result<(), Failure> {
    let Options { listen, advertise, lease, max_entries } = options;
    let lease = Duration::from_secs_f64(lease);
    let mut stop = Stop::new()?;
    let mut builder = Node::builder().lease(lease);
    for address in listen {
        builder = builder.listen(address);
    }
    for address in advertise {
        builder = builder.advertise(address);
    }
    let node = builder.start().await?;
    Registry::server().max_entries(max_entries).patience(lease).serve(&node);
    match json {
        true => output::print_json(&serde_json::json!({ "node": node.id(), "listening": node.addresses() }))?,
        false => {
            let lines = node.addresses().into_iter().map(|address| format!("listening at {address}\n"));
            output::print(&lines.collect::<String>())?;
        }
    }
    let signal = stop.requested().await;
    tracing::info!(signal, "stopping");
    node.shutdown().await;
    Ok(())
}

/// The signals that ask a program to stop. They are caught from the beginning, so that none is lost.
struct Stop {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stop {
    fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn requested(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(not(unix))]
impl Stop {
    fn new() -> Result<Self, Failure> {
        Ok(Self {})
    }

    async fn requested(&mut self) -> &'static str {
        // An error means that there is no way to be asked.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}
