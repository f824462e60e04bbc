//! A servant's future from its first poll to the answer: in the reader if it is ready at once, else in a task of its own.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::RemoteError;
use crate::invoke::{Answer, Context, Limit, Object, Running};
use crate::node::clock;
use crate::node::discard::discard;
use crate::node::dispatch::{fault, panicked, reply};
use crate::node::link::Link;
use crate::node::live::Live;
use crate::node::serving::serve;
use crate::session::{Phase, Session, Time};

/// A servant that keeps its thread for so long is named in the log.
const LONG: Duration = Duration::from_secs(1);

/// What a servant's future came to: its answer, or the panic.
type Outcome = std::thread::Result<Result<Answer, String>>;

/// A call that has a task. However it ends, it is answered once: its `Drop` says that it was cancelled.
pub(crate) struct Execution {
    link: Arc<Link>,
    call: u64,
    path: &'static str,
    /// Kept until the call has been answered.
    object: Option<Arc<Object>>,
    running: Option<Running>,
    fate: Fate,
}

/// What may end a call before it is done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    /// Its caller, who may have a limit.
    EndsWithItsCaller(Option<Limit>),
    /// The end of the node alone. What it calls is not limited by its caller either: it would end halfway.
    RunsToItsEnd,
}

impl Fate {
    fn deadline(self) -> Option<Instant> {
        match self {
            Self::EndsWithItsCaller(limit) => limit.map(|limit| limit.deadline),
            Self::RunsToItsEnd => None,
        }
    }
}

/// Polls a call once, here, in the order of arrival; spawns what is pending, which is polled again there.
pub(crate) fn start(
    link: &Arc<Link>,
    call: u64,
    path: &'static str,
    object: Arc<Object>,
    mut running: Running,
    fate: Fate,
) {
    match poll(link, call, &mut running, fate, &mut TaskContext::from_waker(Waker::noop())) {
        // The reader sends the answer, with all others that it leads to.
        Poll::Ready(outcome) => {
            discard([running]);
            answer(link, call, path, outcome);
            discard([object]);
        }
        Poll::Pending => {
            let link = link.clone();
            Execution { link, call, path, object: Some(object), running: Some(running), fate }.spawn();
        }
    }
}

fn poll(
    link: &Link,
    call: u64,
    running: &mut Running,
    fate: Fate,
    cx: &mut TaskContext<'_>,
) -> Poll<Outcome> {
    // Sessions have few calls in common: their numbers, moved apart, tell them apart.
    let servant = link.key.rotate_left(48) ^ call;
    let context = Context { deadline: fate.deadline(), servant: Some(servant) };
    let poll = AssertUnwindSafe(|| context.enter(|| running.as_mut().poll(cx)));
    match serve(|| catch_unwind(poll)) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    }
}

/// Logs that a servant has kept its thread since `began`, if that was long. While it lasts nobody may be there who could say so.
pub(crate) fn note_long(link: &Link, path: &str, began: Time, now: Time) {
    let took = now.since(began);
    if took >= LONG {
        tracing::warn!(
            node = %link.core.id, peer = %link.target, method = path, ?took,
            "a servant kept its thread busy without yielding; what takes long belongs into spawn_blocking"
        );
    }
}

fn answer(link: &Arc<Link>, call: u64, path: &str, outcome: Outcome) {
    match outcome {
        Ok(answer) => reply(link, call, path, answer),
        Err(panic) => panicked(link, call, path, panic),
    }
}

impl Execution {
    fn spawn(self) {
        match self.fate {
            Fate::EndsWithItsCaller(limit) => self.spawn_with_its_caller(limit),
            Fate::RunsToItsEnd => self.spawn_to_its_end(),
        }
    }

    fn spawn_with_its_caller(mut self, limit: Option<Limit>) {
        let (link, call) = (self.link.clone(), self.call);
        link.running.begin(call);
        let task = link.core.calls.spawn_on(
            async move {
                let done = poll_fn(|cx| self.poll(cx));
                let outcome = match limit {
                    None => Ok(done.await),
                    Some(limit) => timeout_at(limit.deadline, done).await.map_err(|_| limit),
                };
                match outcome {
                    Ok(outcome) => self.finish(outcome),
                    Err(limit) => self.time_out(limit),
                }
            },
            &link.core.runtime,
        );
        let task = task.abort_handle();
        // The link may have ended, or the peer given up, while the call was being started.
        let is_late = |session: &Session<Live>| session.phase() == Phase::Ended || session.is_cancelled(call);
        if !link.running.spawned(call, &task) || link.look(is_late) {
            task.abort();
        }
    }

    fn spawn_to_its_end(mut self) {
        let core = self.link.core.clone();
        let mut stop = core.stop.subscribe();
        core.calls.spawn_on(
            async move {
                tokio::select! {
                    biased;
                    outcome = poll_fn(|cx| self.poll(cx)) => self.finish(outcome),
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            },
            &core.runtime,
        );
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Outcome> {
        let Some(running) = &mut self.running else { return Poll::Pending };
        let began = clock::now();
        let poll = poll(&self.link, self.call, running, self.fate, cx);
        note_long(&self.link, self.path, began, clock::now());
        poll
    }

    fn finish(mut self, outcome: Outcome) {
        self.settle();
        answer(&self.link, self.call, self.path, outcome);
        self.link.send(clock::now());
    }

    fn time_out(mut self, limit: Limit) {
        self.settle();
        fault(&self.link, self.call, limit.timed_out(self.path));
        self.link.send(clock::now());
    }

    /// The servant's future goes before the answer does, as it would in a local call. False: that was done.
    fn settle(&mut self) -> bool {
        let Some(running) = self.running.take() else { return false };
        discard([running]);
        self.link.running.end(self.call);
        true
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        if self.settle() {
            let (node, call) = (self.link.core.id, self.path.to_owned());
            fault(&self.link, self.call, RemoteError::Cancelled { node, call });
            self.link.send(clock::now());
        }
        discard(self.object.take());
    }
}
