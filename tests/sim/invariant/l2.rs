//! L2: a crashed holder's listings go within T of its last frame, and one check.

use std::time::Duration;

use rmi_core::internal::gc::SessionKey;

use crate::invariant::Invariant;
use crate::world::World;

/// How long a check may take: a busy writer.
const CHECK: Duration = Duration::from_millis(60);

pub fn check(world: &mut World) {
    if !world.config.checks(Invariant::L2) {
        return;
    }
    let late = |(key, link): (&SessionKey, &crate::node::Link)| {
        let end = link.received + link.lease + CHECK;
        let late = world.local(link.node) > end && !world.was_stopped(link.node, CHECK);
        (link.keeps() && late).then_some((*key, link.node))
    };
    if let Some((key, node)) = world.links.iter().find_map(late) {
        world.violate(Invariant::L2, || {
            format!("n{node} keeps listings of link {key}, and has heard nothing for longer than the lease")
        });
    }
}

#[cfg(test)]
mod planted {
    use crate::bug::Bug;
    use crate::invariant::Invariant;
    use crate::run::{catches, stormy};

    #[test]
    fn listings_without_a_lease_are_caught() {
        catches(stormy(3), Bug::NoLease, Invariant::L2);
    }

    #[test]
    fn a_session_that_is_resumed_after_its_lease_is_caught() {
        catches(stormy(3), Bug::ResumeAfterExpiry, Invariant::L2);
    }
}
