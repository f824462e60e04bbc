//! Failures, and the exit codes that scripts see.

use std::io::{self, Write};
use std::process::ExitCode;

use rmi_core::{RemoteError, StartError};
use rmi_registry::RegistryError;

use crate::cli::output::printable;

/// Why the program could not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no registry: {0}")]
    NoRegistry(RemoteError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("the registry at {registry} did not answer within {seconds} s")]
    TooSlow { registry: String, seconds: f64 },
    #[error("no object was bound to the name `{name}` within {seconds} s")]
    NotYet { name: String, seconds: f64 },
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Registry(RegistryError::NotBound { .. }) | Self::NotYet { .. } => 1,
            Self::NoRegistry(RemoteError::BadAddress { .. }) => 2,
            Self::Start(StartError::BadAddress { .. } | StartError::BadSetting { .. }) => 2,
            Self::NoRegistry(_) | Self::TooSlow { .. } => 3,
            Self::Registry(RegistryError::Remote(error)) if is_lost(error) => 3,
            Self::Registry(_) | Self::Start(_) | Self::Io(_) => 4,
        }
    }

    /// One line on stderr, and the exit code.
    pub(crate) fn report(self) -> ExitCode {
        // What a peer said may be in it.
        let text = printable(&self.to_string());
        // Where nobody reads, there is the exit code.
        let _ = writeln!(io::stderr(), "rmi-registry: {text}");
        ExitCode::from(self.code())
    }
}

/// Whether the registry went away in the middle.
fn is_lost(error: &RemoteError) -> bool {
    matches!(
        error,
        RemoteError::Unreachable { .. }
            | RemoteError::OutcomeUnknown { .. }
            | RemoteError::Refused { .. }
            | RemoteError::ShuttingDown { .. }
            | RemoteError::NoSuchObject { .. }
    )
}
