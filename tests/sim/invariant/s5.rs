//! S5: a pin goes only by Unpin or the end of its session for this side as an owner.

use std::collections::BTreeSet;

use rmi_core::internal::gc::SessionKey;

use crate::invariant::Invariant;
use crate::world::World;

pub fn check(world: &mut World) {
    let pinned = |link: &crate::node::Link| link.session.pinned() > 0 || !link.pins.is_empty();
    let keys: Vec<SessionKey> = world.links.iter().filter(|(_, l)| pinned(l)).map(|(key, _)| *key).collect();
    for key in keys {
        world.check_pins(key);
    }
}

impl World {
    /// Looks which pins of a link have gone, and why.
    pub fn check_pins(&mut self, key: SessionKey) {
        let Some(link) = self.links.get(&key) else { return };
        let node = link.node;
        let pins: BTreeSet<u64> = link.session.pins().map(|(transfer, _)| transfer).collect();
        let parted = self.log_of(key).is_some_and(|log| log.parted);
        // Who forgot the session has given up as a holder.
        let forgotten = link.closed == Some(crate::node::Reason::Forgotten);
        let over =
            parted || forgotten || self.local(node) >= link.received + link.lease || !self.nodes[node].alive;
        let gone = link.pins.difference(&pins).find(|transfer| !link.unpinned.contains(transfer)).copied();
        let hollow = link.session.pins().find(|(_, pin)| pin.0.import.strong_count() == 0).map(|(t, _)| t);
        if let Some(transfer) = gone.filter(|_| !over).or(hollow) {
            self.violate(Invariant::S5, || format!("pin {transfer} of n{node} in link {key} is gone"));
        }
        if let Some(link) = self.links.get_mut(&key) {
            link.pins = pins;
        }
    }
}

#[cfg(test)]
mod planted {
    use crate::bug::Bug;
    use crate::invariant::Invariant;
    use crate::run::{calm, catches, stormy};

    #[test]
    fn pins_that_keep_nothing_are_caught() {
        catches(calm(3), Bug::WeakPins, Invariant::S5);
    }

    #[test]
    fn pins_dropped_by_a_broken_connection_are_caught() {
        catches(stormy(3), Bug::OwnerFirst, Invariant::S5);
    }
}
