//! Progress: no writer sleeps past what is due; without faults no session ends.

use std::time::Duration;

use rmi_core::internal::gc::SessionKey;

use crate::invariant::Invariant;
use crate::node::{Link, Reason};
use crate::world::World;

/// How late a busy writer may be.
const LATE: Duration = Duration::from_millis(60);

pub fn check(world: &mut World) {
    if !world.config.checks(Invariant::Progress) {
        return;
    }
    let overdue = |(key, link): (&SessionKey, &Link)| {
        // A Welcome may come when the lease that it answers is over.
        let due = link.session.next_timeout()?.max(link.received);
        (world.local(link.node) > due + LATE).then_some((*key, link.node))
    };
    if let Some((key, node)) = world.links.iter().find_map(overdue) {
        world.violate(Invariant::Progress, || format!("the writer of link {key} of n{node} sleeps"));
    }
}

/// A link is being closed.
pub fn closed(world: &mut World, key: SessionKey, reason: Reason) {
    let calm = !world.config.faults && !world.config.scripted;
    if calm && matches!(reason, Reason::Broken | Reason::Expired) {
        world.violate(Invariant::Progress, || format!("link {key} ends, {reason:?}, and nothing went wrong"));
    }
}

#[cfg(test)]
mod planted {
    use crate::bug::Bug;
    use crate::invariant::Invariant;
    use crate::run::{calm, catches};

    #[test]
    fn a_wake_that_is_lost_is_caught() {
        catches(calm(2), Bug::LoseWake, Invariant::Progress);
    }
}
