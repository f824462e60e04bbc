//! What a call inherits from what it is made in: a value that is set while a servant's future, or a scope, is polled.
//!
//! It does not reach tasks that are spawned there: those outlive the call.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::hash::BuildHasher;
use std::pin::pin;
use std::sync::LazyLock;
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::time::{Instant, Sleep, timeout_at};

use crate::error::RemoteError;

/// What calls inherit that are made here.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Context {
    /// Until when they must be over.
    pub(crate) deadline: Option<Instant>,
    /// Which servant's call makes them, if one does: a servant's future begins in one task, and may go on in another.
    pub(crate) servant: Option<u64>,
}

thread_local! {
    static CURRENT: Cell<Context> = const { Cell::new(Context { deadline: None, servant: None }) };
}

/// Stands for whoever makes calls here: the call that a servant executes, or the task, or the thread. Others' numbers are the same by
/// a rare chance.
pub(crate) fn caller() -> u64 {
    static HASH: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    let servant = Context::current().servant;
    match (servant, tokio::task::try_id()) {
        (Some(servant), _) => HASH.hash_one((0, servant)),
        (None, Some(task)) => HASH.hash_one((1, task)),
        (None, None) => HASH.hash_one((2, std::thread::current().id())),
    }
}

impl Context {
    /// That of whatever is being polled on this thread.
    pub(crate) fn current() -> Self {
        CURRENT.get()
    }

    /// Runs `work`, a poll, in this context and in no other.
    pub(crate) fn enter<R>(self, work: impl FnOnce() -> R) -> R {
        struct Leave(Context);
        impl Drop for Leave {
            fn drop(&mut self) {
                CURRENT.set(self.0);
            }
        }
        let _leave = Leave(CURRENT.replace(self));
        work()
    }

    /// Awaits `future`, which is polled in this context alone.
    pub(crate) async fn scope<F: Future>(self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| self.enter(|| future.as_mut().poll(cx))).await
    }
}

/// The time that deadlines of calls are measured with; their only clock.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) deadline: Instant,
    /// What that was when the call was made.
    after: Duration,
}

impl Limit {
    /// The smaller of a call's own limit and what its context has left; `default` if there is neither.
    pub(crate) fn of_call(own: Option<Duration>, default: Option<Duration>) -> Option<Self> {
        let scope = Context::current().deadline;
        let own = own.or_else(|| if scope.is_none() { default } else { None });
        if own.is_none() && scope.is_none() {
            return None;
        }
        let now = now();
        // What is over the range of the clock is no limit.
        let own = own.and_then(|after| Some(Self { deadline: now.checked_add(after)?, after }));
        let scope = scope.map(|deadline| Self { deadline, after: deadline.saturating_duration_since(now) });
        own.into_iter().chain(scope).min_by_key(|limit| limit.deadline)
    }

    /// That of a call of a peer, by what is left of it. `None`: it is over the range of the clock, and so none.
    pub(crate) fn left(after: Duration) -> Option<Self> {
        Some(Self { deadline: now().checked_add(after)?, after })
    }

    /// Nothing was left when the call was made: it is not made at all.
    pub(crate) fn is_over(&self) -> bool {
        self.after.is_zero()
    }

    pub(crate) fn timed_out(&self, call: &str) -> RemoteError {
        RemoteError::timed_out(call.to_owned(), self.after)
    }

    /// Awaits a call at another node under this limit, which `timer` measures.
    pub(crate) async fn bound<T>(
        self,
        timer: Sleep,
        call: &str,
        future: impl Future<Output = Result<T, RemoteError>>,
    ) -> Result<T, RemoteError> {
        tokio::select! {
            biased;
            // The owner gives up at about the same time, and knows only what was left.
            outcome = future => match outcome {
                Err(RemoteError::TimedOut { .. }) => Err(self.timed_out(call)),
                outcome => outcome,
            },
            () = timer => Err(self.timed_out(call)),
        }
    }

    /// Awaits a call of a local servant under this limit, and what it calls, too.
    pub(crate) async fn bound_local<R>(
        self,
        call: &str,
        future: impl Future<Output = R>,
    ) -> Result<R, RemoteError> {
        if self.is_over() {
            return Err(self.timed_out(call));
        }
        let context = Context { deadline: Some(self.deadline), ..Context::current() };
        timeout_at(self.deadline, context.scope(future)).await.map_err(|_| self.timed_out(call))
    }
}

/// Awaits `future` under the limit of the scope in which it is polled first; `what` names it in the error. For work of several
/// calls and pauses. Needs a tokio runtime.
pub async fn limited<T>(
    what: &str,
    future: impl Future<Output = Result<T, RemoteError>>,
) -> Result<T, RemoteError> {
    match Limit::of_call(None, None) {
        None => future.await,
        Some(limit) => limit.bound_local(what, future).await?,
    }
}

/// Limits all calls that are made in `block`: none takes longer than what is left of `limit` since the block was first
/// polled, and what is left travels with them, so that it also holds for the calls which they lead to.
///
/// A call that is not over by then fails with [`RemoteError::TimedOut`] and is cancelled; one that is made later is not sent.
/// The block itself goes on, and its output is returned: what it awaits beside calls is not limited. In nested scopes, and
/// for a proxy with a limit of its own, the smaller one counts. Tasks that are spawned in the block do not inherit the
/// limit. Needs a tokio runtime.
///
/// ```
/// # use std::time::Duration;
/// # use rmi_core::{self as rmi, RemoteError};
/// # struct ClockProxy;
/// # impl ClockProxy {
/// #     async fn now(&self) -> Result<u64, RemoteError> { Ok(1) }
/// #     async fn set(&self, _: u64) -> Result<(), RemoteError> { Ok(()) }
/// # }
/// # async fn turn(clock: ClockProxy) -> Result<(), RemoteError> {
/// // Both calls together, and all that they lead to on other nodes, take no longer than a second.
/// rmi::with_timeout(Duration::from_secs(1), async {
///     let now = clock.now().await?;
///     clock.set(now + 1).await
/// })
/// .await
/// # }
/// ```
pub async fn with_timeout<F: Future>(limit: Duration, block: F) -> F::Output {
    let own = now().checked_add(limit);
    let deadline = own.into_iter().chain(Context::current().deadline).min();
    Context { deadline, ..Context::current() }.scope(block).await
}
