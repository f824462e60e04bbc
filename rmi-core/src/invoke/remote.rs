//! What invocation needs of the layers above it: a way to an object elsewhere, and a table that exports.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::error::RemoteError;
use crate::id::{MethodId, NodeId, ObjectId};
use crate::invoke::any::AnyProxy;

/// An object of another node, as a proxy holds it. `node` implements it; dropping the last handle lets the
/// collection begin.
pub trait RemoteObject: Any + Send + Sync {
    /// The node that owns the object.
    fn owner(&self) -> NodeId;
    /// The object.
    fn object(&self) -> ObjectId;
    /// Where the owner can be dialed.
    fn addresses(&self) -> &[String];
    /// A timer, of the runtime of the node that holds the object.
    fn sleep(&self, limit: Duration) -> tokio::time::Sleep;
    /// Sends a call. Never blocks; the request waits in a bounded queue until it may leave.
    fn start(self: Arc<Self>, request: Request) -> Pending;
}

/// A table of exported objects. `node` implements it.
pub trait ExportTable: Send + Sync {
    /// The node whose table it is.
    fn node(&self) -> NodeId;
    /// The object is being dropped.
    fn forget(&self, object: ObjectId);
}

/// A call on its way to the owner.
#[derive(Debug)]
pub struct Request {
    /// Which method.
    pub method: MethodId,
    /// `interface/method`, for errors.
    pub path: &'static str,
    /// The encoded arguments.
    pub payload: Bytes,
    /// The references that the payload names by index.
    pub references: Vec<AnyProxy>,
}

/// The answer to come. Dropping it gives the answer up: its references are released when it arrives.
pub type Pending = oneshot::Receiver<Result<Reply, RemoteError>>;

/// The answer to a call.
#[derive(Debug)]
pub struct Reply {
    /// Who answered.
    pub from: NodeId,
    /// Which side of `Result` the payload is.
    pub status: ReplyStatus,
    /// The encoded value.
    pub payload: Bytes,
    /// The references that the payload names by index.
    pub references: Vec<AnyProxy>,
}

/// Which side of the method's `Result` a reply carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyStatus {
    /// `Ok(T)`.
    Ok,
    /// `Err(E)` of the method itself.
    Err,
}
