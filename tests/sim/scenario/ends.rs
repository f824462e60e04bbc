//! Sessions and nodes that end at the wrong moment.

use super::{A, B, C, answer, import, script};
use crate::serve::Outcome;

/// Longer than the lease.
const LONG: u64 = 3_000;

#[test]
fn the_introducer_crashes_before_the_dirty_arrives_and_within_the_lease() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let (c_at_a, root) = (world.root(A, C), world.root(C, B));
    world.pause(C, B);
    world.give(&c_at_a, &[held]);
    world.run_for(20);
    drop(c_at_a);
    world.crash(A);
    world.run_for(500);
    world.resume(C, B);
    let got = world.take_one(C);
    assert_eq!(world.try_call(&got), Some(Outcome::Answered));
    world.run_for(LONG);
    assert!(!world.is_collected(id), "C holds it by itself");
    world.finish_well((root, got));
}

#[test]
fn the_introducers_lease_ends_before_the_hand_off_lands() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let c_at_a = world.root(A, C);
    world.nodes[B].listens = false;
    world.give(&c_at_a, &[held]);
    world.run_for(50);
    drop(c_at_a);
    world.crash(A);
    world.run_for(LONG);
    assert!(world.is_collected(id), "nobody who reached the owner held it");
    world.nodes[B].listens = true;
    let got = world.take_one(C);
    assert_eq!(world.try_call(&got), Some(Outcome::NoSuchObject));
    world.finish_well(got);
}

#[test]
fn gone_after_the_proxy_was_dropped() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let (c_at_a, root) = (world.root(A, C), world.root(C, B));
    world.nodes[B].listens = false;
    world.part_for(C, B, 1_100);
    world.give(&c_at_a, &[held]);
    world.run_for(50);
    drop(c_at_a);
    world.crash(A);
    world.run_for(LONG);
    assert!(world.is_collected(id));
    world.nodes[B].listens = true;
    // The call asks again, the proxy goes while the Dirty is under way.
    let got = world.take_one(C);
    world.pause(C, B);
    let call = world.call(import(&got), &[], 9, answer(Vec::new(), 0));
    world.run_for(50);
    if let Some(caller) = world.calls[&call].caller.upgrade() {
        world.give_up(&caller);
    }
    drop((got, root));
    world.run_for(50);
    world.resume(C, B);
    world.run_for(50);
    assert_eq!(world.sessions(C, B), 1);
    assert!(world.links.values().all(|link| link.session.imported() == 0));
    world.finish_well(());
}

#[test]
fn a_dirty_to_a_restarted_owner() {
    let mut world = script();
    let (held, _) = world.object_of_b(A);
    let c_at_a = world.root(A, C);
    world.crash(B);
    world.start(B);
    world.give(&c_at_a, &[held]);
    world.run_for(100);
    let got = world.take_one(C);
    assert!(matches!(world.try_call(&got), Some(Outcome::Failed(_))), "another node answers there");
    assert_eq!(world.pins_of(A), 0, "definitely unreachable");
    world.finish_well((c_at_a, got));
}

#[test]
fn a_dial_fails_in_mid_hand_off() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let c_at_a = world.root(A, C);
    world.nodes[B].listens = false;
    world.give(&c_at_a, std::slice::from_ref(&held));
    world.run_for(100);
    assert_eq!(world.pins_of(A), 0, "the owner is definitely unreachable for C");
    let got = world.take_one(C);
    assert!(matches!(world.try_call(&got), Some(Outcome::Failed(_))));
    world.nodes[B].listens = true;
    assert_eq!(world.try_call(&got), Some(Outcome::Answered), "A still holds it, and C asks again");
    drop(held);
    world.run_for(100);
    assert!(!world.is_collected(id));
    world.finish_well((c_at_a, got));
}

#[test]
fn the_receivers_session_with_the_owner_is_lost_in_mid_hand_off() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let (c_at_a, root) = (world.root(A, C), world.root(C, B));
    world.pause(C, B);
    world.give(&c_at_a, &[held]);
    world.run_for(20);
    world.part_for(C, B, 1_100);
    assert_eq!((world.sessions(C, B), world.pins_of(A), world.is_collected(id)), (0, 1, false));
    world.run_for(100);
    assert_eq!((world.pins_of(A), world.is_collected(id)), (1, false), "asked again, not answered");
    world.resume(C, B);
    world.run_for(200);
    assert_eq!(world.pins_of(A), 0);
    let got = world.take_one(C);
    assert_eq!(world.try_call(&got), Some(Outcome::Answered));
    drop(root);
    world.finish_well((c_at_a, got));
}

#[test]
fn nothing_revives_an_expired_session() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    world.pause(A, B);
    world.pause(B, A);
    world.run_for(LONG + 2_000);
    assert!(world.is_collected(id), "the owner has heard nothing for T");
    world.resume(A, B);
    world.resume(B, A);
    world.run_for(2_000);
    assert_eq!(world.try_call(&held), Some(Outcome::NoSuchObject));
    world.finish_well(held);
}

#[test]
fn a_session_that_is_lost_keeps_what_its_holder_asks_for_again() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    world.part_for(A, B, 1_100);
    assert_eq!(world.sessions(A, B), 0, "it did not come back in time");
    assert!(!world.is_collected(id), "the owner waits for the lease");
    world.run_for(200);
    assert_eq!(world.try_call(&held), Some(Outcome::Answered));
    world.run_for(LONG);
    assert!(!world.is_collected(id), "listed in the new session");
    drop(held);
    world.run_for(50);
    assert!(world.is_collected(id));
    world.finish_well(());
}

#[test]
fn a_crashed_holder_is_forgotten_after_its_lease() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    world.crash(A);
    drop(held);
    world.run_for(1_000);
    assert!(!world.is_collected(id), "not before T");
    world.run_for(1_500);
    assert!(world.is_collected(id));
    world.finish_well(());
}

#[test]
fn bye_ends_at_once() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    drop(held.clone());
    world.shut_down(A);
    drop(held);
    world.run_for(300);
    assert!(world.is_collected(id), "no lease to wait for");
    world.finish_well(());
}
