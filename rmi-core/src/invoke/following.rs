//! A reference that looks for another object when its own is gone.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};

use crate::error::RemoteError;
use crate::id::{NodeId, ObjectId};
use crate::invoke::any::{AnyProxy, Target};
use crate::invoke::remote::{Closed, Pending, RemoteObject, Renewal, Request};

/// Finds the object that is to be called now: what a name leads to.
pub type Resolver =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<AnyProxy, RemoteError>> + Send>> + Send + Sync>;

/// The object that a name led to when it was last looked up. It stands for that object in everything but its renewal: it
/// is serialized, compared and hashed as that.
struct Following {
    present: Mutex<Arc<dyn RemoteObject>>,
    resolve: Resolver,
    /// How often the name was looked up. Grows under `turn`.
    looks: AtomicU64,
    /// Held by the call that looks the name up for all that failed; how that went the last time. A call that is dropped meanwhile
    /// leaves its turn to the next.
    turn: tokio::sync::Mutex<Result<(), RemoteError>>,
}

impl AnyProxy {
    /// The same reference, but that `resolve` is asked for another object when a call finds this one gone or out of reach. A
    /// local object is never gone: it stays as it is.
    #[must_use = "the proxy that follows is the one that is returned"]
    pub fn following(self, resolve: Resolver) -> Self {
        let target = match self.target {
            Target::Own(object) => Target::Own(object),
            Target::Remote(remote) => Target::Remote(Arc::new(Following {
                present: Mutex::new(remote),
                resolve,
                looks: AtomicU64::new(0),
                turn: tokio::sync::Mutex::new(Ok(())),
            })),
        };
        Self { target, ..self }
    }

    /// The reference to the object that is called now, without following.
    #[must_use = "the reference is the one that is returned"]
    pub fn present(mut self) -> Self {
        if let Target::Remote(remote) = &self.target
            && let Some(present) = remote.present()
        {
            self.target = Target::Remote(present);
        }
        self
    }
}

impl Following {
    fn now(&self) -> Arc<dyn RemoteObject> {
        self.present.lock().clone()
    }

    async fn look(self: Arc<Self>, failed: (NodeId, ObjectId)) -> Result<(), RemoteError> {
        let before = self.looks.load(Ordering::Acquire);
        let mut last = self.turn.lock().await;
        let now = self.now();
        if (now.owner(), now.object()) != failed {
            return Ok(());
        }
        if self.looks.load(Ordering::Acquire) != before {
            // Another call looked while this one waited for its turn.
            return last.clone();
        }
        let found = (self.resolve)().await.and_then(|found| match found.target {
            Target::Remote(remote) => Ok(remote),
            Target::Own(object) => Err(came_home(&object.home())),
        });
        self.looks.fetch_add(1, Ordering::Release);
        *last = match found {
            Err(error) => Err(not_executed(error)),
            Ok(found) => {
                let old = std::mem::replace(&mut *self.present.lock(), found);
                drop(old);
                Ok(())
            }
        };
        last.clone()
    }
}

/// The call itself was certainly not executed, whatever became of the look-up.
fn not_executed(error: RemoteError) -> RemoteError {
    match error.may_have_executed() {
        true => RemoteError::Unreachable {
            target: "what the name leads to".into(),
            reason: format!("it could not be looked up again: {error}"),
        },
        false => error,
    }
}

/// The calls of a following proxy have been encoded for another node when it turns out where they go.
fn came_home(home: &Option<NodeId>) -> RemoteError {
    RemoteError::Unreachable {
        target: home
            .map_or_else(|| "a local object".into(), |node| format!("an object of this node, {node},")),
        reason:
            "a proxy that follows a name leads to other nodes only; look the name up to call the object here"
                .into(),
    }
}

impl RemoteObject for Following {
    fn owner(&self) -> NodeId {
        self.now().owner()
    }

    fn object(&self) -> ObjectId {
        self.now().object()
    }

    fn addresses(&self) -> Vec<String> {
        self.now().addresses()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        self.now().sleep_until(deadline)
    }

    fn call_timeout(&self) -> Option<Duration> {
        self.now().call_timeout()
    }

    fn reconnect_window(&self) -> Duration {
        self.now().reconnect_window()
    }

    fn closed(&self) -> Closed<'_> {
        let now = self.now();
        Box::pin(async move { now.closed().await })
    }

    fn start(self: Arc<Self>, request: Request) -> Pending<'static> {
        self.now().start(request)
    }

    fn present(&self) -> Option<Arc<dyn RemoteObject>> {
        Some(self.now())
    }

    fn renew(self: Arc<Self>, failed: &dyn RemoteObject) -> Option<Renewal> {
        Some(Box::pin(self.look((failed.owner(), failed.object()))))
    }
}

impl fmt::Debug for Following {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.now();
        write!(f, "Following(now #{} at node {})", now.object(), now.owner())
    }
}
