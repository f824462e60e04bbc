//! Dropping what may be the last handle of a user's object: its `Drop` may panic, and then it is not the node that failed.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops each, whatever happens to the others.
pub(crate) fn discard<T>(things: impl IntoIterator<Item = T>) {
    for thing in things {
        if catch_unwind(AssertUnwindSafe(|| drop(thing))).is_err() {
            tracing::error!("the drop of a servant, or of what it was doing, panicked");
        }
    }
}
