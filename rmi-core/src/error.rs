//! What can go wrong, sorted by who is to blame.

use std::cell::Cell;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::NodeId;

/// Why a remote call failed, or why its outcome is not known.
///
/// Each variant names the call, object or node it is about. Three questions have a direct answer:
/// [`may_have_executed`](Self::may_have_executed), [`is_retryable`](Self::is_retryable) and
/// [`origin`](Self::origin).
///
/// An error that a servant received from a call of its own, and passed on to its caller, arrives there as
/// [`Forwarded`](Self::Forwarded): it was not this call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "kind")]
#[non_exhaustive]
pub enum RemoteError {
    // ---- it just failed ----
    /// Nobody answers at the address, or no way leads to the owner. The call was not executed.
    #[error("{target} cannot be reached: {reason}")]
    Unreachable {
        /// The address, or the node with its addresses.
        target: String,
        /// What was tried, and what happened.
        reason: String,
    },
    /// The connection or the peer went away while the call was under way: it may have been executed, or not.
    #[error("the outcome of {call} at node {node} is unknown: {reason}")]
    OutcomeUnknown {
        /// The node that was called.
        node: NodeId,
        /// Interface and method.
        call: String,
        /// How the session ended.
        reason: String,
    },
    /// The time limit of the call passed first: the caller's own, or what was left of that of a call on whose behalf it was
    /// made. The call is cancelled, and may have been executed wholly or in part.
    #[error("{call} did not return within {after_ms} ms")]
    TimedOut {
        /// Interface and method.
        call: String,
        /// The limit, in milliseconds.
        after_ms: u64,
    },
    /// The call was given up by its caller, or by the node that served it, which ended. It may have been executed in part.
    #[error("{call} at node {node} was cancelled")]
    Cancelled {
        /// The node that served it.
        node: NodeId,
        /// Interface and method.
        call: String,
    },
    /// The peer has as much to do as it accepts. The call was not executed; try again later.
    #[error("node {node} is overloaded: {what}; try again later")]
    Overloaded {
        /// The node that refused.
        node: NodeId,
        /// Which limit was reached.
        what: String,
    },
    /// The node is shutting down and accepts no new calls. The call was not executed.
    #[error("node {node} is shutting down")]
    ShuttingDown {
        /// The node that refused.
        node: NodeId,
    },

    // ---- what was meant is not there ----
    /// No object is published or bound under this name.
    #[error("no object is bound to the name `{name}` at {at}")]
    NotBound {
        /// The name.
        name: String,
        /// The node or registry that was asked.
        at: String,
    },
    /// The object is gone: collected, or its node was restarted. The call was not executed.
    #[error("node {node} has no object #{object}: it was collected, or its node was restarted")]
    NoSuchObject {
        /// The owner.
        node: NodeId,
        /// The digest of the object's identity.
        object: String,
    },
    /// The object is of another interface.
    #[error("the object is a `{found}`, not a `{expected}`")]
    WrongInterface {
        /// The interface that was asked for.
        expected: String,
        /// The interface of the object.
        found: String,
    },
    /// The object's interface has no such method there. The call was not executed.
    #[error("node {node}: the interface `{interface}` of the object has no method {call}")]
    NoSuchMethod {
        /// The owner.
        node: NodeId,
        /// Interface and method, as the caller knows them.
        call: String,
        /// The interface of the object, as the owner knows it.
        interface: String,
    },
    /// The peer does not know this kind of message or target. The call was not executed.
    #[error("node {node} does not support {what}")]
    Unsupported {
        /// The peer.
        node: NodeId,
        /// What it does not know.
        what: String,
    },

    // ---- the caller is to blame ----
    /// An argument could not be encoded here or decoded there. The servant was not called.
    #[error("argument `{argument}` of {call}: {reason}")]
    BadArgument {
        /// Interface and method.
        call: String,
        /// The argument's name.
        argument: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something is larger than the limit that was agreed upon. The call was not executed.
    #[error("{what} of {size} is over the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// An address that cannot be understood.
    #[error("the address `{address}` is not valid: {reason}")]
    BadAddress {
        /// The address as given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },

    // ---- the other side is to blame ----
    /// The servant panicked. Its node goes on.
    #[error("{call} panicked at node {node}: {message}")]
    Panicked {
        /// The owner.
        node: NodeId,
        /// Interface and method.
        call: String,
        /// The panic's message.
        message: String,
    },
    /// The call was executed and its result could not be encoded there or decoded here.
    #[error("the result of {call} from node {node} is not usable: {reason}")]
    BadReply {
        /// The owner.
        node: NodeId,
        /// Interface and method.
        call: String,
        /// What is wrong with the result.
        reason: String,
    },
    /// The peer refused the connection.
    #[error("{target} refused the connection: {reason}")]
    Refused {
        /// The address that was dialed.
        target: String,
        /// Why.
        reason: String,
    },
    /// The peer broke the protocol; the session with it has ended.
    #[error("{peer} broke the protocol: {reason}")]
    PeerMisbehaved {
        /// The peer, by node or address.
        peer: String,
        /// What it did.
        reason: String,
    },

    // ---- passed on ----
    /// This call was executed; an error that the servant met in a call of its own came back as its result.
    #[error("{error} (as seen by node {by})")]
    Forwarded {
        /// The node that saw the error.
        by: NodeId,
        /// The error it saw.
        error: Box<RemoteError>,
    },
    /// A newer node sent an error that this version does not know.
    #[error("an error that this version of rmi does not know")]
    #[serde(other)]
    Unknown,
}

impl RemoteError {
    /// Whether the method may have been executed, wholly or in part.
    pub fn may_have_executed(&self) -> bool {
        matches!(
            self,
            Self::OutcomeUnknown { .. }
                | Self::TimedOut { .. }
                | Self::Cancelled { .. }
                | Self::Panicked { .. }
                | Self::BadReply { .. }
                | Self::PeerMisbehaved { .. }
                | Self::Forwarded { .. }
                | Self::Unknown
        )
    }

    /// Whether the same call may succeed later and was certainly not executed this time.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Overloaded { .. } | Self::ShuttingDown { .. })
    }

    /// The node that saw the failure, where that was not the caller of this call: the error came inside a reply.
    pub fn origin(&self) -> Option<NodeId> {
        match self {
            Self::Forwarded { by, .. } => Some(*by),
            _ => None,
        }
    }

    /// The error below a [`Forwarded`](Self::Forwarded), or the error itself.
    pub fn root_cause(&self) -> &RemoteError {
        match self {
            Self::Forwarded { error, .. } => error.root_cause(),
            other => other,
        }
    }

    pub(crate) fn timed_out(call: String, after: Duration) -> Self {
        Self::TimedOut { call, after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX) }
    }

    /// Cuts the texts of a fault, so that it fits into the smallest message a peer may ask for.
    pub(crate) fn shorten(&mut self) {
        const MAX: usize = 256;
        let texts: [Option<&mut String>; 3] = match self {
            Self::TimedOut { call, .. } | Self::Cancelled { call, .. } => [Some(call), None, None],
            Self::NoSuchMethod { call, interface, .. } => [Some(call), Some(interface), None],
            Self::BadArgument { call, argument, reason } => [Some(call), Some(argument), Some(reason)],
            Self::Overloaded { what, .. } | Self::Unsupported { what, .. } => [Some(what), None, None],
            Self::NotBound { name, at } => [Some(name), Some(at), None],
            Self::Panicked { call, message, .. } => [Some(call), Some(message), None],
            Self::BadReply { call, reason, .. } => [Some(call), Some(reason), None],
            _ => [None, None, None],
        };
        for text in texts.into_iter().flatten() {
            text.truncate(text.floor_char_boundary(MAX));
        }
    }

    /// Runs `decode`; every error that is decoded in it was seen by `node`.
    pub(crate) fn seen_by<T>(node: NodeId, decode: impl FnOnce() -> T) -> T {
        struct Restore(Option<NodeId>);
        impl Drop for Restore {
            fn drop(&mut self) {
                REPLY_FROM.set(self.0);
            }
        }
        let _restore = Restore(REPLY_FROM.replace(Some(node)));
        decode()
    }
}

thread_local! {
    /// The node whose reply is being decoded on this thread.
    static REPLY_FROM: Cell<Option<NodeId>> = const { Cell::new(None) };
}

impl Serialize for RemoteError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RemoteError::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for RemoteError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A boxed error inside `Forwarded` is not wrapped once more.
        let from = REPLY_FROM.replace(None);
        let error = RemoteError::deserialize(deserializer);
        REPLY_FROM.set(from);
        Ok(match (from, error?) {
            (Some(by), error) if error.origin().is_none() => Self::Forwarded { by, error: Box::new(error) },
            (_, error) => error,
        })
    }
}

/// Why a node could not start, listen or attach.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is taken by another process or socket.
    #[error("cannot listen at {address}: the address is in use")]
    AddressInUse {
        /// The address as given.
        address: String,
    },
    /// The operating system refused.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// The address as given.
        address: String,
        /// Its reason.
        source: std::io::Error,
    },
    /// An address that cannot be understood.
    #[error("the address `{address}` is not valid: {reason}")]
    BadAddress {
        /// The address as given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting is out of its range.
    #[error("{what}")]
    BadSetting {
        /// Which, and what it may be.
        what: String,
    },
    /// There is no tokio runtime here, or it has no I/O or time driver.
    #[error("a node needs a tokio runtime: call `start` inside one")]
    NoRuntime,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(error: &RemoteError) -> RemoteError {
        let bytes = rmp_serde::to_vec_named(error).unwrap();
        rmp_serde::from_slice(&bytes).unwrap()
    }

    #[test]
    fn an_error_inside_a_reply_knows_who_saw_it() {
        let (seer, other) = (NodeId::random(), NodeId::random());
        let error = RemoteError::Overloaded { node: other, what: "calls".into() };
        assert_eq!(round_trip(&error), error);
        assert!(error.is_retryable() && !error.may_have_executed() && error.origin().is_none());

        let forwarded = RemoteError::seen_by(seer, || round_trip(&error));
        assert_eq!(forwarded.origin(), Some(seer));
        assert_eq!(forwarded.root_cause(), &error);
        assert!(forwarded.may_have_executed() && !forwarded.is_retryable());

        let further = RemoteError::seen_by(other, || round_trip(&forwarded));
        assert_eq!(further, forwarded, "passed on once more, it still says who saw it first");
    }

    #[test]
    fn an_error_of_a_newer_version_is_an_error() {
        let mut map = std::collections::BTreeMap::new();
        map.insert("kind", "Quarantined");
        map.insert("why", "the future");
        let bytes = rmp_serde::to_vec_named(&map).unwrap();
        assert_eq!(rmp_serde::from_slice::<RemoteError>(&bytes).unwrap(), RemoteError::Unknown);
    }
}
