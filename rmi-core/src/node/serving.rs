//! Tasks that are woken on a thread that a servant may keep.
//!
//! A worker of tokio's runtime keeps the task that it has woken last for itself, to run it next; no other worker takes that one. Were a session's writer woken there, and
//! a servant then to keep the thread, the session would stand still with it. A further task takes that place, and the other is free.

use std::cell::Cell;

use crate::node::core::Core;

thread_local! {
    static SERVING: Cell<bool> = const { Cell::new(false) };
}

/// Runs a servant's code.
pub(crate) fn serve<R>(servant: impl FnOnce() -> R) -> R {
    let before = SERVING.replace(true);
    let done = servant();
    SERVING.set(before);
    done
}

/// Whether this thread is running a servant's code.
pub(crate) fn is_serving() -> bool {
    SERVING.get()
}

/// Others may run what this thread has woken last.
pub(crate) fn give_away(core: &Core) {
    if core.has_threads() {
        core.runtime.spawn(async {});
    }
}
