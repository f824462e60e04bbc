//! What invocation needs of the layers above it: a way to an object elsewhere, and a table that exports.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

use crate::error::RemoteError;
use crate::id::{MethodId, NodeId, ObjectId};
use crate::invoke::any::AnyProxy;
use crate::invoke::payload::{Contents, Payload};

/// An object of another node, as a proxy holds it. `node` implements it; dropping the last handle lets the
/// collection begin.
pub trait RemoteObject: Any + Send + Sync {
    /// The node that owns the object.
    fn owner(&self) -> NodeId;
    /// The object.
    fn object(&self) -> ObjectId;
    /// Where the owner can be dialed.
    fn addresses(&self) -> Vec<String>;
    /// A timer, of the runtime of the node that holds the object.
    fn sleep_until(&self, deadline: Instant) -> Sleep;
    /// How long a call may take for which nothing else is said.
    fn call_timeout(&self) -> Option<Duration>;
    /// For how long it makes sense to try again what nobody said a limit for.
    fn reconnect_window(&self) -> Duration;
    /// Resolves with what calls would now say, when the object is gone or its owner is lost.
    fn closed(&self) -> Closed<'_>;
    /// Sends a call. Never blocks; the request waits in a bounded queue until it may leave.
    fn start(self: Arc<Self>, request: Request) -> Pending<'static>;
    /// Sends a call that can leave at once, for somebody who keeps this object meanwhile. `None`: it cannot, and is one for
    /// [`start`](Self::start).
    fn start_at_once(&self, _request: &Request) -> Option<Pending<'_>> {
        None
    }
    /// Nobody waits any more for the answer to the call with this number, which [`start_at_once`](Self::start_at_once) made in this session.
    /// Called where futures are dropped, so it only takes a note.
    fn give_up(&self, _session: u64, _call: u64) {}
    /// The object that this one stands for at present, where that can [change](Self::renew).
    fn present(&self) -> Option<Arc<dyn RemoteObject>> {
        None
    }
    /// Looks for an object in the place of one that this one stood for, after a call failed that was certainly not executed or
    /// may be executed twice. What was found is [`present`](Self::present) then.
    fn renew(self: Arc<Self>, _failed: &dyn RemoteObject) -> Option<Renewal> {
        None
    }
}

/// What [`RemoteObject::closed`] does.
pub type Closed<'a> = Pin<Box<dyn Future<Output = RemoteError> + Send + 'a>>;

/// What [`RemoteObject::renew`] does.
pub type Renewal = Pin<Box<dyn Future<Output = Result<(), RemoteError>> + Send>>;

/// Where a call was sent. `node` implements it.
pub trait GiveUp: Send + Sync {
    /// Nobody waits for the answer to the call with this number any more. Called where futures are dropped, so it only takes
    /// a note.
    fn give_up(self: Arc<Self>, call: u64);
}

/// A table of exported objects. `node` implements it.
pub trait ExportTable: Send + Sync {
    /// The node whose table it is.
    fn node(&self) -> NodeId;
    /// The object is being dropped.
    fn forget(&self, object: ObjectId);
}

/// A call on its way to the owner.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which method.
    pub method: MethodId,
    /// `interface/method`, for errors.
    pub path: &'static str,
    /// The encoded arguments.
    pub payload: Payload,
    /// The references that the payload names by index.
    pub references: Vec<AnyProxy>,
    /// Until when the caller waits.
    pub deadline: Option<Instant>,
}

/// The answer to come; `None` if the node of the caller is gone. Dropping it cancels the call: see [`GiveUp`].
pub struct Pending<'a> {
    answer: oneshot::Receiver<Result<Reply, RemoteError>>,
    /// Until there is an answer.
    sent: Option<SentBy<'a>>,
}

/// Where a call was sent, and its number there.
pub enum SentBy<'a> {
    /// In a session.
    Session(Arc<dyn GiveUp>, u64),
    /// By this object, in the session of this key. The calls of many callers leave no mark at what they share.
    Object(&'a dyn RemoteObject, u64, u64),
}

impl<'a> Pending<'a> {
    /// What comes out of `answer`. `sent`: `None` if it failed before that.
    pub fn new(answer: oneshot::Receiver<Result<Reply, RemoteError>>, sent: Option<SentBy<'a>>) -> Self {
        Self { answer, sent }
    }
}

impl Future for Pending<'_> {
    type Output = Option<Result<Reply, RemoteError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(cx));
        self.sent = None;
        Poll::Ready(answer.ok())
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let Some(sent) = self.sent.take() else { return };
        // From here on the caller is known not to wait.
        self.answer.close();
        if self.answer.try_recv().is_err() {
            match sent {
                SentBy::Session(way, call) => way.give_up(call),
                SentBy::Object(object, session, call) => object.give_up(session, call),
            }
        }
    }
}

impl fmt::Debug for Pending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (SentBy::Session(_, call) | SentBy::Object(_, _, call)) = match &self.sent {
            Some(sent) => sent,
            None => return f.write_str("Pending"),
        };
        write!(f, "Pending({call})")
    }
}

/// The answer to a call.
#[derive(Debug)]
pub struct Reply {
    /// Who answered.
    pub from: NodeId,
    /// Which side of `Result` the payload is.
    pub status: ReplyStatus,
    /// The encoded value.
    pub payload: Contents,
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
