//! The tokio runtime of both sides of a peer.

use std::future::Future;

use anyhow::Result;
use clap::ValueEnum;
use tokio::runtime::{Builder, Runtime};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Mode {
    /// Current-thread.
    #[default]
    Ct,
    /// Multi-thread, a worker for each core that the process may use.
    Mt,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ct => "ct",
            Self::Mt => "mt",
        }
    }

    fn runtime(self) -> Result<Runtime> {
        let mut builder = match self {
            Self::Ct => Builder::new_current_thread(),
            Self::Mt => Builder::new_multi_thread(),
        };
        Ok(builder.enable_all().build()?)
    }
}

/// Runs the future as a task: on the multi-thread runtime it would otherwise run beside the workers.
pub fn run<T: Send + 'static>(
    mode: Mode,
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let runtime = mode.runtime()?;
    let done = runtime.block_on(async move { tokio::spawn(future).await });
    runtime.shutdown_background();
    done?
}

/// Runs a future that stays on its thread.
#[cfg(feature = "others")]
pub fn run_local<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::task::LocalSet::new().block_on(&Mode::Ct.runtime()?, future)
}
