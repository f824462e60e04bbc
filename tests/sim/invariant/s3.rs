//! S3: every proxy or in-flight reference is listed at the owner, or it is pinned by a holder of which the same is true
//! (its own Dirty is under way ahead of it); no circles.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rmi_core::ObjectId;
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::wire::Frame;

use crate::handles::{Import, Way};
use crate::invariant::{Invariant, is_owners, table};
use crate::log::UnderWay;
use crate::world::World;

/// A pin: what keeps it, and what it covers.
struct Cover {
    import: *const Import,
    /// The node that was given the reference.
    node: usize,
    object: ObjectId,
}

pub fn check(world: &mut World) {
    if !world.config.checks(Invariant::S3) {
        return;
    }
    if let Some(text) = uncovered(world) {
        world.violate(Invariant::S3, || text);
    }
}

fn uncovered(world: &World) -> Option<String> {
    let imports = world.live_imports();
    let entries: Vec<&Rc<Import>> = imports.iter().filter(|import| is_entry(world, import)).collect();
    let pins = pins(world);
    // Grown from what is listed, so that no circle of pins holds itself.
    let mut good: BTreeSet<*const Import> = BTreeSet::new();
    let mut covered: BTreeSet<(usize, [u8; 16])> = BTreeSet::new();
    let mut front: Vec<*const Import> = Vec::new();
    for import in &entries {
        if is_listed(world, import) {
            front.push(Rc::as_ptr(import));
        }
    }
    while let Some(import) = front.pop() {
        if !good.insert(import) {
            continue;
        }
        for cover in pins.values().filter(|cover| cover.import == import) {
            if covered.insert((cover.node, cover.object.to_bytes())) {
                let of_it = |e: &&&Rc<Import>| e.node == cover.node && e.object == cover.object;
                front.extend(entries.iter().filter(of_it).map(|e| Rc::as_ptr(e)));
            }
        }
    }
    for import in &entries {
        if !good.contains(&Rc::as_ptr(import)) {
            return Some(format!("n{} holds {}, neither listed nor pinned", import.node, import.object));
        }
    }
    in_flight(world, &pins, &good)
}

fn is_entry(world: &World, import: &Import) -> bool {
    matches!(import.way.get(), Way::Link(key) if world.is_usable(key)) && world.is_strict(import.object)
}

/// Listed at the owner, and no Clean under way that ends it.
fn is_listed(world: &World, import: &Import) -> bool {
    let Way::Link(key) = import.way.get() else { return false };
    let owners = world.peer_of(key).and_then(|peer| world.links.get(&peer));
    let Some(listed) = owners.and_then(|link| link.session.listed_at(import.object)) else { return false };
    let ends = |sent: &UnderWay| matches!(sent.frame, Frame::Clean { object, upto } if object == import.object && upto >= listed);
    !world.under_way(key, true).any(ends)
}

/// All pins for which no Unpin is under way, by session and transfer.
fn pins(world: &World) -> BTreeMap<(SessionKey, u64), Cover> {
    let mut pins = BTreeMap::new();
    for (key, link) in &world.links {
        let Some(to) = link.peer.as_ref().and_then(|(id, _)| world.nodes.iter().position(|n| n.id == *id))
        else {
            continue;
        };
        for (transfer, pin) in link.session.pins() {
            let Some(import) = pin.0.import.upgrade() else { continue };
            let ends = |sent: &UnderWay| matches!(sent.frame, Frame::Unpin { transfer: t } if t == transfer);
            if !world.under_way(*key, false).any(ends) {
                let cover = Cover { import: Rc::as_ptr(&import), node: to, object: import.object };
                pins.insert((*key, transfer), cover);
            }
        }
    }
    pins
}

fn in_flight(
    world: &World,
    pins: &BTreeMap<(SessionKey, u64), Cover>,
    good: &BTreeSet<*const Import>,
) -> Option<String> {
    for log in world.logs.iter().filter(|log| !log.over) {
        for (sender, side) in log.links.iter().zip(&log.sides) {
            for UnderWay { number, frame, .. } in &side.under_way {
                for reference in table(frame).iter().flat_map(|table| &table.references) {
                    let object = reference.object;
                    if !world.is_strict(object) {
                        continue;
                    }
                    let safe = if is_owners(reference) {
                        let listed = world.links.get(sender).and_then(|l| l.session.listed_at(object));
                        listed.is_some_and(|listed| listed >= *number)
                    } else {
                        let pin = pins.get(&(*sender, reference.transfer));
                        pin.is_some_and(|cover| good.contains(&cover.import))
                    };
                    if !safe {
                        return Some(format!("{object}, from link {sender} in frame {number}, is not kept"));
                    }
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod planted {
    use crate::bug::Bug;
    use crate::invariant::Invariant;
    use crate::run::{calm, catches};

    #[test]
    fn rule_3_left_out_is_caught() {
        catches(calm(3), Bug::WeakPins, Invariant::S3);
    }

    #[test]
    fn rule_4_left_out_is_caught() {
        catches(calm(3), Bug::NoDirty, Invariant::S3);
    }

    #[test]
    fn an_early_unpin_is_caught() {
        catches(calm(3), Bug::EarlyUnpin, Invariant::S3);
    }

    #[test]
    fn upto_left_out_is_caught() {
        catches(calm(3), Bug::NoUpto, Invariant::S3);
    }

    #[test]
    fn pins_dropped_by_a_cancelled_call_are_caught() {
        catches(calm(3), Bug::CancelDropsPins, Invariant::S3);
    }
}
