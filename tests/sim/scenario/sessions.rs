//! Two nodes: crossed dials, full rings, order.

use super::{A, B, answer, import, keep, script, script_with};
use crate::bug::Bug;
use crate::handles::Proxy;
use crate::invariant::Invariant;
use crate::node::address;
use crate::serve::{Behaviour, Outcome};
use crate::world::World;

#[test]
fn crossed_dials_make_two_entries() {
    let mut world = script();
    world.ask_root(A, &address(B));
    world.ask_root(B, &address(A));
    world.run_for(50);
    assert_eq!(world.sessions(A, B), 2);
    let (b_at_a, a_at_b) = (world.take_one(A), world.take_one(B));
    let object = world.create(B);
    let id = object.object();
    // One arrives in the session that A dialed, one in that which B dialed.
    world.call(import(&b_at_a), &[], 9, answer(vec![object.clone()], 0));
    world.run_for(20);
    let first = world.take_one(A);
    world.call(import(&a_at_b), &[object], 9, keep());
    world.run_for(20);
    let second = world.take_one(A);
    assert!(!std::rc::Rc::ptr_eq(import(&first), import(&second)));
    drop(first);
    world.run_for(50);
    assert!(!world.is_collected(id), "the other entry keeps it");
    assert_eq!(world.try_call(&second), Some(Outcome::Answered));
    drop(second);
    world.run_for(50);
    assert!(world.is_collected(id));
    world.finish_well((b_at_a, a_at_b));
}

/// More calls of A than fit into the ring, and what they carry. Nothing of them arrives.
fn fill_the_ring(world: &mut World, held: &Proxy) -> (Vec<u64>, Proxy) {
    world.pause(A, B);
    let own = world.create(A);
    let silent = || Some(Behaviour { size: 9, ..Behaviour::default() });
    let calls =
        (0..12).map(|_| world.call(import(held), std::slice::from_ref(&own), 20_000, silent())).collect();
    world.run_for(100);
    let waiting = world.links.values().filter(|link| link.node == A).any(|link| !link.session.is_flushed());
    assert!(waiting, "not all fit into the ring");
    world.cut_between(A, B);
    (calls, own)
}

#[test]
fn a_ring_full_while_detached() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let (calls, own) = fill_the_ring(&mut world, &held);
    world.run_for(50);
    assert!(calls.iter().all(|call| world.outcome_of(*call).is_none()), "they wait");
    world.resume(A, B);
    world.run_for(2_000);
    for call in &calls {
        assert_eq!((world.outcome_of(*call), world.calls[call].executed), (Some(Outcome::Answered), 1));
    }
    let own_id = own.object();
    drop((own, held));
    world.run_for(50);
    assert!(world.is_collected(own_id) && world.is_collected(id));
    world.finish_well(());
}

#[test]
fn a_ring_full_when_the_session_is_lost() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let (calls, own) = fill_the_ring(&mut world, &held);
    world.part_for(A, B, 1_100);
    for call in &calls {
        let record = &world.calls[call];
        match record.outcome {
            Some(Outcome::Unknown(_)) => assert!(record.left),
            Some(Outcome::Failed(ref text)) => assert!(!record.left, "{text}"),
            ref other => panic!("call {call}: {other:?}"),
        }
    }
    let own_id = own.object();
    drop(own);
    world.resume(A, B);
    world.run_for(3_000);
    assert!(world.is_collected(own_id), "what waited is released at once, what was listed after the lease");
    assert!(!world.is_collected(id), "asked for again");
    drop(held);
    world.finish_well(());
}

#[test]
fn calls_to_one_object_start_in_order_whatever_their_size() {
    let mut world = script();
    let (held, _) = world.object_of_b(A);
    let (other, _) = world.object_of_b(A);
    // The first takes the room that the second waits for; the third would fit.
    for (proxy, size) in [(&other, 5_000), (&held, 5_500), (&held, 9), (&other, 9)] {
        world.call(import(proxy), &[], size, answer(Vec::new(), 0));
    }
    world.run_for(100);
    world.finish_well((held, other));
}

/// A calls an object, gives up, and drops its proxy: the call and the Clean are under way together.
fn call_and_clean(planted: Option<(Bug, Invariant)>) -> World {
    let mut world = script_with(planted);
    let (held, id) = world.object_of_b(A);
    world.pause(A, B);
    let call = world.call(import(&held), &[], 9, answer(Vec::new(), 0));
    if let Some(caller) = world.calls[&call].caller.upgrade() {
        // It is not told to the servant's node: this is about the Clean.
        caller.waiting.set(false);
        drop(caller.proxy.take());
    }
    drop(held);
    world.run_for(50);
    world.resume(A, B);
    world.run_for(50);
    if world.config.bug.is_none() {
        assert_eq!((world.calls[&call].executed, world.is_collected(id)), (1, true), "in this order");
    }
    world
}

#[test]
fn a_clean_overtakes_a_call_because_decoding_was_spawned() {
    call_and_clean(None).finish_well(());
    for invariant in [Invariant::S1, Invariant::S4] {
        let world = call_and_clean(Some((Bug::SpawnedClean, invariant)));
        assert_eq!(world.violation.map(|violation| violation.invariant), Some(invariant));
    }
}

#[test]
fn a_large_message_keeps_its_references_from_its_first_frame_on() {
    let mut world = script();
    let b_at_a = world.root(A, B);
    let object = world.create(A);
    let id = object.object();
    let Proxy::Own(own) = &object else { panic!("a local object") };
    assert_eq!(std::rc::Rc::strong_count(own), 1);
    world.call(import(&b_at_a), &[object], 60_000, keep());
    world.run_for(100);
    let got = world.take_one(B);
    assert_eq!(world.try_call(&got), Some(Outcome::Answered));
    drop(got);
    world.run_for(50);
    assert!(world.is_collected(id));
    world.finish_well(b_at_a);
}
