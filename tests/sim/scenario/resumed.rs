//! Sessions that go on over another connection.

use super::{A, B, C, answer, import, keep, script, script_with};
use crate::bug::Bug;
use crate::event::Event;
use crate::handles::Proxy;
use crate::invariant::Invariant;
use crate::serve::Outcome;
use crate::world::World;

/// A drops its proxy while what it says does not arrive; B sends the object again, which A receives; the connection breaks.
fn replay_a_clean(planted: Option<(Bug, Invariant)>) -> World {
    let mut world = script_with(planted);
    let (held, id) = world.object_of_b(A);
    let root = world.root(A, B);
    let Some(own) = world.nodes[B].find(id) else { panic!("collected") };
    world.call(import(&root), &[], 9, answer(vec![Proxy::Own(own)], 50_000));
    world.run_for(10);
    world.pause(A, B);
    drop(held);
    world.run_for(60);
    let again = world.take_one(A);
    // The Clean left before this reference arrived, and leaves again after.
    world.resume_after_break(A, B);
    if world.violation.is_none() {
        assert!(!world.is_collected(id), "the Clean was older than the reference");
        assert_eq!(world.try_call(&again), Some(Outcome::Answered));
    }
    drop((again, root));
    world
}

#[test]
fn a_replayed_clean_re_encoded_with_a_fresh_upto() {
    replay_a_clean(None).finish_well(());
    for invariant in [Invariant::S2, Invariant::S3, Invariant::S4] {
        let world = replay_a_clean(Some((Bug::CleanReencodedAtReplay, invariant)));
        assert_eq!(world.violation.map(|violation| violation.invariant), Some(invariant));
    }
}

/// The old connection of A and B is held up; the session goes on over another, and then the old one delivers.
fn deliver_late(planted: Option<(Bug, Invariant)>) -> (World, u64) {
    let mut world = script_with(planted);
    let (held, _) = world.object_of_b(A);
    let Some((conn, _)) = world.links.values().find(|link| link.node == A).and_then(|link| link.conn) else {
        panic!("no connection")
    };
    world.conns[conn].pipes[0].held_until = world.now + 200_000;
    let call = world.call(import(&held), &[], 9, answer(Vec::new(), 0));
    world.run_for(10);
    // A is told that the connection broke, B is not.
    let key = world.conns[conn].ends[0].link;
    world.lose_connection(key);
    world.run_for(100);
    (world, call)
}

#[test]
fn an_old_connection_delivers_after_a_resume() {
    let (mut world, call) = deliver_late(None);
    assert_eq!(world.outcome_of(call), Some(Outcome::Answered), "over the new connection");
    world.run_for(300);
    assert_eq!(world.calls[&call].executed, 1);
    assert!(world.reached.contains_key("a frame of an old connection"));
    world.finish_well(());
    let (mut world, call) = deliver_late(Some((Bug::NoFence, Invariant::S4)));
    assert_eq!(world.outcome_of(call), Some(Outcome::Answered));
    world.run_for(300);
    assert_eq!(world.violation.map(|violation| violation.invariant), Some(Invariant::S4));
}

#[test]
fn a_resume_arrives_after_a_later_one() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let old = world.conns.len();
    world.cut(old - 1, [Some(0), Some(0)]);
    // The first Resume is held up until A has given it up, and another has been answered.
    while world.conns.len() == old {
        world.step(u64::MAX);
    }
    world.conns[old].pipes[0].held_until = world.now + 5_000_000;
    while !world.reached.contains_key("a session that goes on") {
        world.step(u64::MAX);
    }
    // A has, or will have, the answer; nothing that it says on the new connection has arrived when the first Resume does.
    assert_eq!(world.conns.len(), old + 2);
    world.conns[old + 1].pipes[0].held_until = world.now + 100_000;
    world.conns[old].pipes[0].held_until = 0;
    world.at(world.now + 10_000, Event::Deliver { conn: old, from: 0 });
    world.run_for(1_000);
    assert!(world.reached.contains_key("a connection that is fenced"));
    assert!(!world.reached.contains_key("a session that is forgotten"));
    assert_eq!((world.sessions(A, B), world.try_call(&held)), (1, Some(Outcome::Answered)));
    drop(held);
    world.run_for(50);
    assert!(world.is_collected(id));
    world.finish_well(());
}

#[test]
fn a_resumed_that_is_lost() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    for _ in 0..5 {
        world.pause(B, A);
        world.cut_between(A, B);
        // The answer waits on its way when that connection breaks, too: A comes with the token from before.
        world.run_for(20);
        world.cut_between(A, B);
        world.resume(B, A);
        world.run_for(200);
        assert_eq!(world.sessions(A, B), 1);
    }
    assert_eq!(world.try_call(&held), Some(Outcome::Answered));
    drop(held);
    world.run_for(50);
    assert!(world.is_collected(id));
    world.finish_well(());
}

#[test]
fn renewal_after_expiry_succeeds() {
    let stopped = |planted| {
        let mut world = script_with(planted);
        let (held, id) = world.object_of_b(A);
        // The connection breaks, and both are stopped for longer than the lease.
        world.part_for(A, B, 20);
        world.stop(A, 3_000_000);
        world.stop(B, 3_000_000);
        world.run_for(4_500);
        (world, held, id)
    };
    let (mut world, held, id) = stopped(None);
    assert!(!world.reached.contains_key("a session that goes on"));
    assert!(world.is_collected(id), "nobody who could renew it held it");
    assert_eq!(world.try_call(&held), Some(Outcome::NoSuchObject));
    world.finish_well(held);
    let (world, _held, _) = stopped(Some((Bug::ResumeAfterExpiry, Invariant::L2)));
    assert_eq!(world.violation.map(|violation| violation.invariant), Some(Invariant::L2));
}

#[test]
fn a_node_that_is_stopped_for_less_than_the_lease_loses_nothing() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    for node in [A, B] {
        world.stop(node, 1_200_000);
        let call = world.call(import(&held), &[], 9, answer(Vec::new(), 0));
        world.run_for(1_500);
        assert_eq!((world.outcome_of(call), world.calls[&call].executed), (Some(Outcome::Answered), 1));
    }
    assert!(!world.is_collected(id));
    drop(held);
    world.run_for(50);
    assert!(world.is_collected(id));
    world.finish_well(());
}

#[test]
fn a_hand_off_over_broken_connections() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let (c_at_a, root) = (world.root(A, C), world.root(C, B));
    world.pause(C, B);
    let call = world.give(&c_at_a, &[held]);
    world.run_for(20);
    // The Dirty, the Held, the Unpin: each is cut off once.
    world.resume_after_break(C, B);
    world.pause(B, C);
    world.run_for(20);
    world.resume_after_break(B, C);
    world.resume_after_break(C, A);
    world.run_for(200);
    assert_eq!((world.pins_of(A), world.is_collected(id)), (0, false));
    assert_eq!(world.outcome_of(call), Some(Outcome::Answered));
    let got = world.take_one(C);
    assert_eq!(world.try_call(&got), Some(Outcome::Answered));
    drop(got);
    world.run_for(50);
    assert!(world.is_collected(id));
    world.finish_well((c_at_a, root));
}

#[test]
fn a_large_message_goes_on_where_it_was() {
    let mut world = script();
    let b_at_a = world.root(A, B);
    let object = world.create(A);
    let id = object.object();
    let call = world.call(import(&b_at_a), &[object], 60_000, keep());
    for _ in 0..8 {
        world.run_for(1);
        world.cut_between(A, B);
    }
    world.run_for(500);
    assert_eq!((world.outcome_of(call), world.calls[&call].executed), (Some(Outcome::Answered), 1));
    let got = world.take_one(B);
    assert_eq!(world.try_call(&got), Some(Outcome::Answered));
    drop(got);
    world.run_for(50);
    assert!(world.is_collected(id));
    world.finish_well(b_at_a);
}

#[test]
fn another_node_at_the_address_of_a_session() {
    let mut world = script();
    let (held, _) = world.object_of_b(A);
    world.pause(A, B);
    let call = world.call(import(&held), &[], 9, answer(Vec::new(), 0));
    world.run_for(10);
    world.crash(B);
    world.start(B);
    world.cut_between(A, B);
    world.run_for(1_500);
    world.resume(A, B);
    world.run_for(1_500);
    assert!(
        matches!(world.outcome_of(call), Some(Outcome::Unknown(_))),
        "it had left, and B may have had it"
    );
    assert_eq!(world.calls[&call].executed, 0);
    assert!(matches!(world.try_call(&held), Some(Outcome::Failed(_))), "another node answers there");
    world.finish_well(held);
}
