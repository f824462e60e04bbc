//! What the sessions of a real node keep: handles of objects, imports, pins and callers.

use std::sync::{Arc, Weak};

use tokio::sync::oneshot;

use crate::error::RemoteError;
use crate::id::{NodeId, ObjectId};
use crate::invoke::{Object, Payload, Reply};
use crate::node::import::Import;
use crate::session::{Chunk, Handles};

/// See [`Handles`].
#[derive(Debug)]
pub(crate) struct Live;

impl Handles for Live {
    type Object = Arc<Object>;
    type Import = Arc<Import>;
    type Pin = Arc<Import>;
    type Weak = Weak<Import>;
    type Caller = Caller;

    fn share(weak: &Weak<Import>) -> Option<Arc<Import>> {
        weak.upgrade()
    }

    fn is_alive(weak: &Weak<Import>) -> bool {
        weak.strong_count() > 0
    }

    fn is_waiting(caller: &Caller) -> bool {
        !caller.answer.is_closed()
    }
}

/// A payload as a session takes it.
pub(crate) fn chunk(payload: &Payload) -> Chunk<'_> {
    match payload.form() {
        Ok(bytes) => Chunk::Copied(bytes),
        Err(rope) => Chunk::Shared(rope),
    }
}

/// Who waits for the answer to a call.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) answer: oneshot::Sender<Result<Reply, RemoteError>>,
    /// `interface/method`, or the name of a root.
    pub(crate) path: Path,
    /// The object that is called.
    pub(crate) object: Option<(NodeId, ObjectId)>,
}

/// What is called, for errors.
#[derive(Debug, Clone)]
pub(crate) enum Path {
    /// A method.
    Method(&'static str),
    /// A published object.
    Root(String),
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Method(path) => f.write_str(path),
            Self::Root(name) => write!(f, "the root `{name}`"),
        }
    }
}

impl Caller {
    /// The call has failed.
    pub(crate) fn fail(self, error: RemoteError) {
        // Nobody may be waiting any more.
        let _ = self.answer.send(Err(error));
    }
}
