//! What can go wrong at a registry.

use rmi_core::{NodeId, RemoteError};
use serde::{Deserialize, Serialize};

use crate::clock;

/// Why a registry did not do what it was asked to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RegistryError {
    /// Somebody else has the name. [`rebind`](crate::Registry::rebind) takes it.
    #[error(
        "the name `{name}` is bound already, to an object of node {owner}, since {}", clock::utc(*since)
    )]
    AlreadyBound {
        /// The name.
        name: String,
        /// The node whose object has the name.
        owner: NodeId,
        /// Since when, in milliseconds since 1970 in UTC.
        since: u64,
    },
    /// Nothing is bound to the name; or, for a [`Binding`](crate::Binding), not by it any more.
    #[error("no object is bound to the name `{name}` at {at}")]
    NotBound {
        /// The name.
        name: String,
        /// The registry that was asked.
        at: String,
    },
    /// The text cannot be a name.
    #[error("`{name}` cannot be a name: {reason}")]
    BadName {
        /// The text, cut if it is long.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The registry has as many names as it accepts. Try again later.
    #[error("the registry at node {at} is full: it keeps at most {limit} names")]
    Full {
        /// The registry's node.
        at: NodeId,
        /// How many names it keeps.
        limit: u64,
    },
    /// As many wait at the registry for names as may. Try again later.
    #[error("at most {limit} wait for names at the registry of node {at}")]
    TooManyWaiters {
        /// The registry's node.
        at: NodeId,
        /// How many may wait.
        limit: u64,
    },
    /// The registry could not be asked.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl From<RegistryError> for RemoteError {
    /// For functions that look names up and bind them, and return one error. The refusals of a name become
    /// [`RemoteError::BadArgument`], a full registry and too many waiters become [`RemoteError::Overloaded`].
    fn from(error: RegistryError) -> Self {
        let text = error.to_string();
        match error {
            RegistryError::Remote(error) => error,
            RegistryError::NotBound { name, at } => Self::NotBound { name, at },
            RegistryError::Full { at, limit } => {
                Self::Overloaded { node: at, what: format!("its registry keeps at most {limit} names") }
            }
            RegistryError::TooManyWaiters { at, limit } => {
                Self::Overloaded { node: at, what: format!("at most {limit} wait for names at its registry") }
            }
            RegistryError::AlreadyBound { .. } | RegistryError::BadName { .. } => {
                Self::BadArgument { call: "the registry".into(), argument: "name".into(), reason: text }
            }
        }
    }
}
