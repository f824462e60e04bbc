//! The attempts of one call: usually one. It is made again only where that cannot execute it twice, or may.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::error::RemoteError;
use crate::id::NodeId;
use crate::invoke::context::{self, Limit};
use crate::invoke::remote::{Pending, RemoteObject, Reply, Request};

/// The pauses before a call is made again.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));

/// Sends now, in the calling task.
pub(super) fn send<'a>(
    remote: &'a Arc<dyn RemoteObject>,
    request: Result<Request, RemoteError>,
    own: Option<Duration>,
    idempotent: bool,
    path: &'static str,
) -> Sent<'a> {
    let mut request = match request {
        Ok(request) => request,
        Err(error) => return Sent::Failed(Some(error)),
    };
    let limit = Limit::of_call(own, remote.call_timeout());
    if limit.is_none()
        && !idempotent
        && let Some(pending) = remote.start_at_once(&request)
    {
        return Sent::Once { pending, remote: &**remote, path };
    }
    if let Some(limit) = limit.filter(Limit::is_over) {
        return Sent::Failed(Some(limit.timed_out(path)));
    }
    request.deadline = limit.map(|limit| limit.deadline);
    let (called, follows) = match remote.present() {
        None => (remote.clone(), None),
        Some(present) => (present, Some(remote.clone())),
    };
    let again = (idempotent || follows.is_some()).then(|| Again {
        called: called.clone(),
        follows,
        request: request.clone(),
        idempotent,
    });
    let node = called.owner();
    let timer = limit.map(|limit| (limit, called.sleep_until(limit.deadline)));
    let pending = called.start(request);
    if timer.is_none() && again.is_none() {
        return Sent::Once { pending, remote: &**remote, path };
    }
    let first = answer(pending, node, path);
    Sent::WithCare(Box::pin(async move {
        let outcome = pin!(async move {
            match (first.await, again) {
                (Err(failure), Some(again)) => Box::pin(again.after(failure)).await,
                (outcome, _) => outcome,
            }
        });
        match timer {
            None => outcome.await,
            Some((limit, timer)) => limit.bound(timer, path, outcome).await,
        }
    }))
}

/// A call that was sent. Small, as it is moved into the future of whoever awaits it: what most calls do not need is elsewhere.
pub enum Sent<'a> {
    /// It was not sent at all.
    Failed(Option<RemoteError>),
    /// It has no limit, and is not made again.
    Once {
        /// Its answer.
        pending: Pending<'a>,
        /// What was called.
        remote: &'a dyn RemoteObject,
        /// The method.
        path: &'static str,
    },
    /// It has a limit, or may be made again.
    WithCare(Pin<Box<dyn Future<Output = Result<Reply, RemoteError>> + Send>>),
}

impl Future for Sent<'_> {
    type Output = Result<Reply, RemoteError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Once { pending, remote, path } => Pin::new(pending)
                .poll(cx)
                .map(|answer| answer.unwrap_or_else(|| Err(gone(remote.owner(), path)))),
            Self::WithCare(call) => call.as_mut().poll(cx),
            // As any future that is done, it is not polled again.
            Self::Failed(error) => error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
        }
    }
}

/// The node that made the call is gone.
fn gone(node: NodeId, path: &str) -> RemoteError {
    RemoteError::OutcomeUnknown { node, call: path.to_owned(), reason: "this node was shut down".into() }
}

async fn answer(pending: Pending<'_>, node: NodeId, path: &'static str) -> Result<Reply, RemoteError> {
    pending.await.unwrap_or_else(|| Err(gone(node, path)))
}

/// A call that may be made again. The references among its arguments are kept, and encoded anew each time (PROTOCOL 4.14).
struct Again {
    called: Arc<dyn RemoteObject>,
    /// What stands for the object that is called, and can look for another one.
    follows: Option<Arc<dyn RemoteObject>>,
    request: Request,
    idempotent: bool,
}

impl Again {
    /// Makes the call again, as long as that is right and there is time.
    async fn after(mut self, mut failure: RemoteError) -> Result<Reply, RemoteError> {
        let mut pauses = Pauses::new(&*self.called, self.request.deadline);
        let mut unknown = None;
        let mut renewed = false;
        // Why no other object was found the last time.
        let mut in_vain = None;
        loop {
            if matches!(failure, RemoteError::OutcomeUnknown { .. }) {
                unknown.get_or_insert_with(|| failure.clone());
            }
            if !self.may_repeat(&failure) {
                return Err(conclude(unknown, failure));
            }
            // What can be found anew is tried once at once, what may be executed twice again and again.
            let at_once = self.follows.is_some() && !renewed;
            let goes_on = at_once || self.idempotent && pauses.pause(&*self.called).await;
            if !goes_on {
                return Err(conclude(unknown, in_vain.unwrap_or(failure)));
            }
            renewed = true;
            in_vain = self.renew().await.err();
            if in_vain.is_some() {
                continue;
            }
            let pending = self.called.clone().start(self.request.clone());
            match answer(pending, self.called.owner(), self.request.path).await {
                Ok(reply) => return Ok(reply),
                Err(next) => failure = next,
            }
        }
    }

    /// Looks for another object, if that can be.
    async fn renew(&mut self) -> Result<(), RemoteError> {
        let Some(follows) = &self.follows else { return Ok(()) };
        if let Some(renewing) = follows.clone().renew(&*self.called) {
            renewing.await?;
        }
        self.called = follows.present().unwrap_or_else(|| follows.clone());
        Ok(())
    }

    /// Whether the call may be made again after this: it was certainly not executed, or may be executed twice.
    fn may_repeat(&self, failure: &RemoteError) -> bool {
        match failure {
            RemoteError::OutcomeUnknown { .. } => self.idempotent,
            RemoteError::Unreachable { .. } => self.idempotent || self.follows.is_some(),
            // For good, unless another object can be found in its place.
            RemoteError::NoSuchObject { .. } | RemoteError::Refused { .. } => self.follows.is_some(),
            RemoteError::ShuttingDown { node } => self.follows.is_some() && *node == self.called.owner(),
            _ => false,
        }
    }
}

/// What the caller gets in the end. If an earlier attempt may have been executed, so may the call.
fn conclude(unknown: Option<RemoteError>, failure: RemoteError) -> RemoteError {
    match unknown {
        Some(RemoteError::OutcomeUnknown { node, call, reason }) if !failure.may_have_executed() => {
            RemoteError::OutcomeUnknown {
                node,
                call,
                reason: format!("{reason}; then, tried again: {failure}"),
            }
        }
        _ => failure,
    }
}

/// The pauses between attempts.
struct Pauses {
    backoff: Backoff,
    /// There are none after this. A call with a deadline is ended by that.
    until: Option<Instant>,
}

impl Pauses {
    fn new(remote: &dyn RemoteObject, deadline: Option<Instant>) -> Self {
        let window = || context::now().checked_add(remote.reconnect_window());
        Self { backoff: PAUSES, until: if deadline.is_none() { window() } else { None } }
    }

    /// Waits. False: there is no time for that.
    async fn pause(&mut self, remote: &dyn RemoteObject) -> bool {
        let end = context::now() + self.backoff.pause();
        if self.until.is_some_and(|until| end > until) {
            return false;
        }
        remote.sleep_until(end).await;
        true
    }
}

#[cfg(test)]
mod tests;
