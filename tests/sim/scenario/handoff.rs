//! References on their way between three nodes.

use super::{A, B, C, answer, import, keep, script};
use crate::handles::Proxy;
use crate::serve::Outcome;

#[test]
fn the_owner_re_sends_while_a_clean_is_in_flight() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let a_at_b = world.root(B, A);
    let Some(own) = world.nodes[B].find(id) else { panic!("collected") };
    // Through the same session: B answers a call of A that came before the Clean.
    let root = world.root(A, B);
    world.call(import(&root), &[], 9, answer(vec![Proxy::Own(own)], 50_000));
    world.run_for(10);
    world.pause(A, B);
    drop(held);
    world.run_for(60);
    let again = world.take_one(A);
    world.resume(A, B);
    world.run_for(20);
    assert!(!world.is_collected(id), "the Clean was older than the reference");
    assert_eq!(world.try_call(&again), Some(Outcome::Answered));
    drop((again, a_at_b, root));
    world.run_for(20);
    assert!(world.is_collected(id));
    world.finish_well(());
}

#[test]
fn clean_or_unpin_before_the_dirty_is_confirmed() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let (c_at_a, root) = (world.root(A, C), world.root(C, B));
    world.pause(C, B);
    world.give(&c_at_a, &[held]);
    world.run_for(20);
    drop(world.take(C));
    world.run_for(100);
    assert!(!world.is_collected(id), "A has it pinned");
    assert_eq!(world.pins_of(A), 1);
    world.resume(C, B);
    world.run_for(20);
    assert!(world.is_collected(id), "Held, and then Clean and Unpin at once");
    assert_eq!(world.pins_of(A), 0);
    world.finish_well((c_at_a, root));
}

#[test]
fn a_result_unpinned_before_confirmation() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let (a_at_c, root) = (world.root(C, A), world.root(C, B));
    world.pause(C, B);
    world.call(import(&a_at_c), &[], 9, answer(vec![held], 0));
    world.run_for(20);
    let got = world.take_one(C);
    world.run_for(300);
    assert_eq!(world.pins_of(A), 1);
    assert!(!world.is_collected(id));
    world.resume(C, B);
    assert_eq!(world.try_call(&got), Some(Outcome::Answered));
    assert_eq!(world.pins_of(A), 0);
    world.finish_well((a_at_c, root, got));
}

#[test]
fn the_caller_drops_its_proxy_while_the_argument_is_in_flight() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let c_at_a = world.root(A, C);
    world.pause(A, C);
    world.give(&c_at_a, &[held]);
    world.run_for(300);
    assert!(!world.is_collected(id), "the pin keeps the entry of A");
    world.resume(A, C);
    world.run_for(50);
    let got = world.take_one(C);
    assert_eq!(world.try_call(&got), Some(Outcome::Answered));
    world.finish_well((c_at_a, got));
}

#[test]
fn cancel_drops_pins() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let c_at_a = world.root(A, C);
    world.pause(A, C);
    let call = world.give(&c_at_a, &[held]);
    if let Some(caller) = world.calls[&call].caller.upgrade() {
        world.give_up(&caller);
    }
    world.run_for(100);
    assert_eq!((world.pins_of(A), world.is_collected(id)), (1, false));
    world.resume(A, C);
    world.run_for(50);
    let got = world.take_one(C);
    assert_eq!(world.try_call(&got), Some(Outcome::Answered));
    world.finish_well((c_at_a, got));
}

#[test]
fn one_object_sent_twice_and_one_proxy_dropped() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let c_at_a = world.root(A, C);
    world.give(&c_at_a, &[held.clone(), held]);
    world.run_for(50);
    let mut got = world.take(C);
    assert_eq!((got.len(), world.pins_of(A)), (2, 0));
    drop(got.pop());
    world.run_for(50);
    assert!(!world.is_collected(id));
    drop(got);
    world.run_for(50);
    assert!(world.is_collected(id));
    world.finish_well(c_at_a);
}

#[test]
fn references_inside_the_arguments_of_a_failed_call() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let c_at_a = world.root(A, C);
    world.nodes[C].draining = true;
    let call = world.give(&c_at_a, &[held]);
    world.run_for(100);
    assert_eq!(world.outcome_of(call), Some(Outcome::Refused));
    assert_eq!((world.pins_of(A), world.is_collected(id)), (0, true));
    world.finish_well(c_at_a);
}

#[test]
fn a_reply_with_references_to_a_dropped_future() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let a_at_c = world.root(C, A);
    let call = world.call(import(&a_at_c), &[], 9, answer(vec![held], 50_000));
    world.run_for(10);
    // The Cancel crosses the answer.
    world.pause(C, A);
    if let Some(caller) = world.calls[&call].caller.upgrade() {
        world.give_up(&caller);
    }
    world.run_for(60);
    assert_eq!((world.take(C).len(), world.pins_of(A), world.is_collected(id)), (0, 1, false));
    world.resume(C, A);
    world.run_for(60);
    assert_eq!((world.take(C).len(), world.pins_of(A), world.is_collected(id)), (0, 0, true));
    world.finish_well(a_at_c);
}

#[test]
fn a_cancelled_call_releases_what_it_was_given_and_what_it_would_have_answered() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let (given, other) = world.object_of_b(C);
    let a_at_c = world.root(C, A);
    let call = world.call(import(&a_at_c), &[given], 9, answer(vec![held], 50_000));
    world.run_for(20);
    assert_eq!((world.running.len(), world.is_collected(id), world.is_collected(other)), (1, false, false));
    if let Some(caller) = world.calls[&call].caller.upgrade() {
        world.give_up(&caller);
    }
    world.run_for(20);
    assert_eq!((world.running.len(), world.is_collected(id), world.is_collected(other)), (0, true, true));
    world.finish_well(a_at_c);
}

#[test]
fn the_last_proxy_is_dropped_while_a_copy_is_being_decoded() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let root = world.root(A, B);
    let Some(own) = world.nodes[B].find(id) else { panic!("collected") };
    world.pause(B, A);
    world.call(import(&root), &[], 9, answer(vec![Proxy::Own(own)], 0));
    world.run_for(20);
    world.resume(B, A);
    // Its notice is not there yet when the frame is decoded.
    drop(held);
    world.run_for(50);
    let again = world.take_one(A);
    assert_eq!(world.try_call(&again), Some(Outcome::Answered));
    drop(again);
    world.run_for(50);
    assert!(world.is_collected(id));
    world.finish_well(root);
}

#[test]
fn the_owners_own_reference_does_not_confirm_while_a_dirty_is_out() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let (c_at_a, root) = (world.root(A, C), world.root(C, B));
    let Some(own) = world.nodes[B].find(id) else { panic!("collected") };
    world.call(import(&root), &[], 9, answer(vec![Proxy::Own(own)], 50_000));
    world.run_for(10);
    world.pause(C, B);
    world.give(&c_at_a, &[held]);
    world.run_for(100);
    assert_eq!(world.take(C).len(), 2, "one from A, one from B");
    assert_eq!(world.pins_of(A), 1, "a Held is still to come");
    world.run_for(100);
    assert!(!world.is_collected(id));
    world.resume(C, B);
    world.run_for(50);
    assert_eq!((world.pins_of(A), world.is_collected(id)), (0, true));
    world.finish_well((c_at_a, root));
}

#[test]
fn home_again_it_is_the_local_object() {
    let mut world = script();
    let (held, id) = world.object_of_b(A);
    let b_at_a = world.root(A, B);
    world.call(import(&b_at_a), &[held], 9, keep());
    world.run_for(50);
    let home = world.take_one(B);
    assert!(matches!(&home, Proxy::Own(object) if object.id == id));
    assert_eq!((world.pins_of(A), world.is_collected(id)), (0, false));
    drop(home);
    world.run_for(50);
    assert!(world.is_collected(id));
    world.finish_well(b_at_a);
}
