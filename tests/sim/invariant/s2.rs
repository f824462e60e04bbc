//! S2: without faults, collected(o) implies no usable proxy, pin or reference in flight to o. With faults: a confirmed
//! entry in a live session is never collected.
//!
//! Here "without faults" is asked per object: no session that had to do with it has ended.

use rmi_core::internal::wire::Frame;

use crate::handles::Way;
use crate::invariant::{Invariant, table};
use crate::log::UnderWay;
use crate::world::World;

pub fn check(world: &mut World) {
    if !world.config.checks(Invariant::S2) {
        return;
    }
    if let Some(text) = entries(world).or_else(|| in_flight(world)) {
        world.violate(Invariant::S2, || text);
    }
}

fn entries(world: &World) -> Option<String> {
    for import in world.live_imports() {
        let Way::Link(key) = import.way.get() else { continue };
        let Some(link) = world.links.get(&key) else { continue };
        if !world.is_usable(key) {
            continue;
        }
        let (node, object) = (import.node, import.object);
        if world.is_collected(object) && world.is_strict(object) {
            return Some(format!("{object} is collected, and n{node} holds it"));
        }
        // A confirmed entry is listed, whatever happened elsewhere.
        if link.session.is_confirmed(object) != Some(true) || !world.nodes[world.record(object).owner].alive {
            continue;
        }
        if world.log_of(key).is_none_or(|log| log.parted) {
            continue;
        }
        let owners = world.peer_of(key).and_then(|peer| world.links.get(&peer));
        let Some(listed) = owners.and_then(|link| link.session.listed_at(object)) else {
            return Some(format!("{object} is confirmed for n{node} in link {key}, and not listed"));
        };
        let cleaned = |sent: &UnderWay| matches!(sent.frame, Frame::Clean { object: o, upto } if o == object && upto >= listed);
        if world.under_way(key, true).any(cleaned) {
            return Some(format!("{object} is confirmed for n{node} in link {key}, and being cleaned"));
        }
    }
    None
}

fn in_flight(world: &World) -> Option<String> {
    let sides = world.logs.iter().filter(|log| !log.parted && !log.over).flat_map(|log| &log.sides);
    for UnderWay { frame, .. } in sides.flat_map(|side| &side.under_way) {
        for reference in table(frame).iter().flat_map(|table| &table.references) {
            if world.is_collected(reference.object) && world.is_strict(reference.object) {
                return Some(format!("{} is collected, and under way in a frame", reference.object));
            }
        }
    }
    None
}

#[cfg(test)]
mod planted {
    use crate::bug::Bug;
    use crate::invariant::Invariant;
    use crate::run::{calm, catches, shaky, stormy};

    #[test]
    fn rule_3_left_out_is_caught() {
        catches(calm(3), Bug::WeakPins, Invariant::S2);
    }

    #[test]
    fn rule_4_left_out_is_caught() {
        catches(calm(3), Bug::NoDirty, Invariant::S2);
    }

    #[test]
    fn an_early_unpin_is_caught() {
        catches(calm(3), Bug::EarlyUnpin, Invariant::S2);
    }

    #[test]
    fn upto_left_out_is_caught() {
        catches(calm(3), Bug::NoUpto, Invariant::S2);
    }

    #[test]
    fn a_clean_that_is_encoded_anew_is_caught() {
        catches(calm(3), Bug::ReencodedClean, Invariant::S2);
    }

    #[test]
    fn pins_dropped_by_a_cancelled_call_are_caught() {
        catches(calm(3), Bug::CancelDropsPins, Invariant::S2);
    }

    #[test]
    fn an_owner_that_gives_up_first_is_caught() {
        catches(stormy(3), Bug::OwnerFirst, Invariant::S2);
    }

    #[test]
    fn an_owner_that_gives_up_listings_at_detach_is_caught() {
        catches(shaky(3), Bug::OwnerForgetsAtDetach, Invariant::S2);
    }
}
