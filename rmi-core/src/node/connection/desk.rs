//! Where a reader leaves what it reads with while a servant has its thread, so that another can go on if that takes long.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::node::connection::reading::Reading;
use crate::node::link::Reason;

/// By then a servant has begun whose call was read last: what is read next, on another connection, does not start before it (PROTOCOL 4.6).
const BEGINS: Duration = Duration::from_millis(100);

/// Of one connection.
pub(super) struct Desk {
    state: Mutex<State>,
    /// For who waits for the reader to end.
    ended: Notify,
}

#[derive(Default)]
struct State {
    /// What is read with, while no reader has it.
    reading: Option<Box<Reading>>,
    /// Which reader it is whose turn it is.
    reader: u64,
    /// What that one's thread does meanwhile: the method of a servant.
    serving: Option<&'static str>,
    /// How many times it was left here for that.
    served: u64,
    /// Why the reader ended.
    reason: Option<Reason>,
    /// The task of the reader whose turn it is.
    task: Option<AbortHandle>,
    stopping: bool,
}

/// What a reader has from its desk. It is back there when this is dropped, however that comes about.
pub(super) struct Seat {
    desk: Arc<Desk>,
    reader: u64,
    /// `None`: it is on the desk.
    reading: Option<Box<Reading>>,
    reason: Option<Reason>,
}

/// How often a reader that is stuck has left its things, and what it is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stuck {
    served: u64,
    pub(super) serving: Option<&'static str>,
}

impl Desk {
    pub(super) fn new(reading: Box<Reading>) -> Arc<Self> {
        let state = Mutex::new(State { reading: Some(reading), ..State::default() });
        Arc::new(Self { state, ended: Notify::new() })
    }

    /// The place of a new reader, if there is anything to read with.
    pub(super) fn sit_down(self: &Arc<Self>) -> Option<Seat> {
        let mut state = self.state.lock();
        let reading = state.reading.take()?;
        state.reader += 1;
        state.serving = None;
        Some(Seat { desk: self.clone(), reader: state.reader, reading: Some(reading), reason: None })
    }

    /// This task reads now.
    pub(super) fn started(&self, task: AbortHandle) {
        let mut state = self.state.lock();
        if state.stopping {
            task.abort();
        }
        state.task = Some(task);
    }

    /// What the reader's thread is doing, if that is executing a servant.
    pub(super) fn stuck(&self) -> Stuck {
        let state = self.state.lock();
        Stuck { served: state.served, serving: state.serving }
    }

    /// Why the reader ended by itself.
    pub(super) async fn ended(&self) -> Reason {
        loop {
            if let Some(reason) = self.state.lock().reason.clone() {
                return reason;
            }
            self.ended.notified().await;
        }
    }

    /// Ends the reader. What it read with is returned: nothing reads any more. One that executes a servant is waited for no longer than [`BEGINS`].
    pub(super) async fn clear(&self) -> Box<Reading> {
        let mut is_patient = true;
        loop {
            {
                let mut state = self.state.lock();
                state.stopping = true;
                if (state.serving.is_none() || !is_patient)
                    && let Some(reading) = state.reading.take()
                {
                    // Whoever comes back to it finds that it is not its turn.
                    state.reader += 1;
                    return reading;
                }
                // Where it waits: what it reads with is put back as the task is dropped.
                if let Some(task) = &state.task {
                    task.abort();
                }
            }
            match is_patient {
                true => is_patient = timeout(BEGINS, self.ended.notified()).await.is_ok(),
                false => self.ended.notified().await,
            }
        }
    }
}

impl Seat {
    /// What is read with.
    pub(super) fn reading(&mut self) -> Option<&mut Reading> {
        self.reading.as_deref_mut()
    }

    /// Leaves what it reads with while `work`, a call of the method `path`, has the thread. False: it is not there any more afterwards;
    /// another reader goes on with it, or none.
    pub(super) fn leave_for(&mut self, path: &'static str, work: impl FnOnce()) -> bool {
        {
            let mut state = self.desk.state.lock();
            state.reading = self.reading.take();
            state.serving = Some(path);
            state.served += 1;
        }
        work();
        let mut state = self.desk.state.lock();
        if state.reader != self.reader {
            return false;
        }
        state.serving = None;
        if !state.stopping {
            self.reading = state.reading.take();
        }
        self.reading.is_some()
    }

    /// Ends, for this reason.
    pub(super) fn end(mut self, reason: Reason) {
        self.reason = Some(reason);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.desk.state.lock();
        if state.reader != self.reader {
            return;
        }
        if let Some(reading) = self.reading.take() {
            state.reading = Some(reading);
        }
        let lost = || Reason::Broken("the task that reads ended".into());
        state.reason = Some(self.reason.take().unwrap_or_else(lost));
        self.desk.ended.notify_one();
    }
}
