//! Notices that the owner of a bound object is gone.
//!
//! While the session with an owner lives, its lease keeps the object; but a session that broke takes the registry's
//! reference along, and the object would be collected one lease later unless the reference is used again (PROTOCOL 7.7). So
//! each object is asked for its description three times in the patience: that renews the reference where the owner is
//! there, and finds out where it is not.

use std::sync::{Arc, Weak};
use std::time::Duration;

use rmi_core::{AnyProxy, RemoteError};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::entry::BindingId;
use crate::store::Store;

/// How many times each owner is asked within the patience.
const CHECKS: u32 = 3;

/// How many are asked at a time.
const AT_A_TIME: usize = 64;

/// Checks all names again and again. To be ended from outside.
pub(crate) async fn watch(store: Weak<Store>, patience: Duration) {
    let period = patience / CHECKS;
    let mut ticks = interval(period);
    // Never two checks in a shorter time: they are counted.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(store) = store.upgrade() else { return };
        let names = store.remote();
        let mut checks = JoinSet::new();
        for (name, id) in names {
            if checks.len() >= AT_A_TIME {
                checks.join_next().await;
            }
            checks.spawn(check(store.clone(), name, id, period));
        }
        while checks.join_next().await.is_some() {}
    }
}

/// What one question told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Alive,
    /// It did not answer this time.
    Missed,
    Gone,
}

async fn check(store: Arc<Store>, name: String, id: BindingId, limit: Duration) {
    let Some(object) = store.object_of(&name, id) else { return };
    let sign = ask(&object, limit).await;
    drop(object);
    let missed = store.heard(&name, id, sign == Sign::Alive);
    // The first miss begins the patience, and as many periods later it is over.
    if (sign == Sign::Gone || missed > CHECKS) && store.release(&name, id, false).is_some() {
        tracing::info!(%name, %id, "unbound: the owner of its object is gone");
    }
}

async fn ask(object: &AnyProxy, limit: Duration) -> Sign {
    match timeout(limit, object.describe()).await {
        Err(_) => Sign::Missed,
        Ok(Ok(_)) => Sign::Alive,
        Ok(Err(error)) => match error {
            RemoteError::NoSuchObject { .. } => Sign::Gone,
            RemoteError::Unreachable { .. }
            | RemoteError::OutcomeUnknown { .. }
            | RemoteError::TimedOut { .. }
            | RemoteError::Refused { .. }
            | RemoteError::PeerMisbehaved { .. }
            | RemoteError::ShuttingDown { .. } => Sign::Missed,
            // Whatever it says, it is there, or this node is too busy to ask.
            _ => Sign::Alive,
        },
    }
}
