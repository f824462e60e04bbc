//! The calls of a peer that have a task, and how to end it.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::task::AbortHandle;

/// Calls of a peer that did not finish at once, by number. The futures are dropped by the runtime, never by whoever aborts.
#[derive(Debug, Default)]
pub(crate) struct Running {
    calls: Mutex<HashMap<u64, Option<AbortHandle>>>,
}

impl Running {
    /// A call is about to be spawned.
    pub(crate) fn begin(&self, call: u64) {
        self.calls.lock().insert(call, None);
    }

    /// It was. False: it is over already, or everything was aborted meanwhile.
    pub(crate) fn spawned(&self, call: u64, handle: &AbortHandle) -> bool {
        let mut calls = self.calls.lock();
        calls.get_mut(&call).map(|running| *running = Some(handle.clone())).is_some()
    }

    /// The call is over.
    pub(crate) fn end(&self, call: u64) {
        let ended = self.calls.lock().remove(&call);
        drop(ended);
    }

    /// The peer waits for the call no longer.
    pub(crate) fn abort(&self, call: u64) {
        let handle = self.calls.lock().get(&call).cloned().flatten();
        if let Some(handle) = handle {
            handle.abort();
        }
    }

    /// The session with the peer is over.
    pub(crate) fn abort_all(&self) {
        let calls = std::mem::take(&mut *self.calls.lock());
        calls.into_values().flatten().for_each(|handle| handle.abort());
    }
}
