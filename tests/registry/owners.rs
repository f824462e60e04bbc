//! Names that are to be kept, and owners that are gone.

use std::time::Duration;

use super::*;
use support::child::Process;
use support::relay::Relay;
use support::shelf::Population;

const LEASE: Duration = Duration::from_millis(1_500);

/// A registry that finds out within seconds whether an owner is gone.
async fn impatient() -> (Node, String) {
    let node = start(Node::builder().listen("tcp://127.0.0.1:0").lease(LEASE)).await;
    Registry::server().patience(LEASE).serve(&node);
    let at = address(&node);
    (node, at)
}

#[tokio::test]
async fn a_kept_name_stays_when_its_binding_is_dropped_until_it_is_unbound() {
    let (server, at) = registry().await;
    let registry = binder(&at).await;
    let population = Population::default();
    let binding = registry.bind("bank", &counted_bank("kept", &population)).await.unwrap();
    binding.keep().await.unwrap();
    assert!(binding.entry().await.unwrap().kept);
    drop(binding);
    eventually("the binding is collected", || server.stats().exports == 1).await;
    let other = connect(&at).await;
    let found: BankProxy = other.lookup("bank").await.unwrap();
    assert_eq!(found.name().await.unwrap(), "kept");
    drop(found);
    other.unbind("bank").await.unwrap();
    eventually("the object is collected", || population.alive() == 0).await;
}

/// From bind to kill; with an owner that can be dialed, or one that cannot.
async fn kept_until_killed(role: &str) {
    let (server, at) = impatient().await;
    let mut child = Process::start(role, &at);
    assert_eq!(child.hear().await, "bound");
    assert_eq!(child.ask("keep").await, "keep");
    assert_eq!(child.ask("drop").await, "drop");
    let registry = connect(&at).await;
    eventually("the binding is collected", || server.stats().exports == 1).await;
    let start = now();
    while start.elapsed() < LEASE * 2 {
        assert!(is_bound(&registry, "child").await, "it is kept");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child.kill().await;
    let killed = now();
    gone(&registry, "child").await;
    assert!(killed.elapsed() >= LEASE / 2, "gone after {:?}", killed.elapsed());
    assert!(killed.elapsed() <= LEASE * 6, "gone after {:?}", killed.elapsed());
}

#[tokio::test]
async fn a_kept_name_goes_when_the_owner_of_its_object_was_killed() {
    kept_until_killed("listens").await;
}

#[tokio::test]
async fn a_kept_name_goes_when_the_owner_that_cannot_be_dialed_was_killed() {
    kept_until_killed("silent").await;
}

#[tokio::test]
async fn a_kept_name_goes_before_the_patience_is_over_when_another_node_has_the_place_of_its_owner() {
    let server = listening().await;
    let patience = Duration::from_secs(9);
    let near = Registry::server().patience(patience).serve(&server);
    let place = place();
    let owner = start(Node::builder().listen(&place)).await;
    let registry = Registry::connect(&owner, &address(&server)).await.unwrap();
    registry.bind("bank", &bank("x")).await.unwrap().keep().await.unwrap();
    drop(registry);
    owner.shutdown().await;
    let _other = start(Node::builder().listen(&place)).await;
    let restarted = now();
    gone(&near, "bank").await;
    // The next check or the one after it.
    assert!(restarted.elapsed() < patience * 2 / 3, "gone after {:?}", restarted.elapsed());
}

#[tokio::test]
async fn a_name_goes_with_the_owner_of_its_object_although_the_binder_lives() {
    let (_server, at) = impatient().await;
    let mut child = Process::start("listens", &at);
    assert_eq!(child.hear().await, "bound");
    let registry = connect(&at).await;
    let theirs: BankProxy = registry.lookup("child").await.unwrap();
    let mine = registry.bind("by another", &theirs).await.unwrap();
    let entry = mine.entry().await.unwrap();
    assert_eq!(Some(entry.owner), rmi::Proxy::owner(&theirs));
    child.kill().await;
    gone(&registry, "by another").await;
    assert!(matches!(mine.keep().await, Err(RegistryError::NotBound { .. })));
}

#[tokio::test]
async fn a_kept_name_and_its_object_survive_a_broken_connection() {
    let relay = Relay::new().await;
    let server = start(relay.builder().lease(LEASE)).await;
    let near = Registry::server().patience(LEASE).serve(&server);
    let owner = start(Node::builder().listen("tcp://127.0.0.1:0").lease(LEASE)).await;
    let registry = Registry::connect(&owner, &relay.address).await.unwrap();
    let population = Population::default();
    let binding = registry.bind("bank", &counted_bank("kept", &population)).await.unwrap();
    binding.keep().await.unwrap();
    drop(binding);
    relay.cut();
    // The old session and all that it listed are over after the lease. The registry has asked again meanwhile.
    let start = now();
    while start.elapsed() < LEASE * 3 {
        assert!(is_bound(&near, "bank").await, "unbound after {:?}", start.elapsed());
        assert_eq!(population.alive(), 1, "collected after {:?}", start.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let found: BankProxy = near.lookup("bank").await.unwrap();
    assert_eq!(found.balance().await.unwrap(), 7);
}

#[tokio::test]
async fn an_owner_that_is_silent_for_less_than_the_patience_is_not_gone_however_often() {
    let relay = Relay::new().await;
    // The leases are long: what is silent here is the owner, not the session.
    let server = start(relay.builder()).await;
    let patience = Duration::from_millis(1_600);
    let near = Registry::server().patience(patience).serve(&server);
    let owner = listening().await;
    let registry = Registry::connect(&owner, &relay.address).await.unwrap();
    registry.bind("bank", &bank("x")).await.unwrap().keep().await.unwrap();
    // Each silence misses a check or two, and each pause has an answer.
    for round in 0..4 {
        for (silent, time) in [(true, patience * 5 / 8), (false, patience * 5 / 8)] {
            if silent {
                relay.hold()
            } else {
                relay.flow()
            }
            let start = now();
            while start.elapsed() < time {
                assert!(is_bound(&near, "bank").await, "unbound in round {round}, silent: {silent}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    relay.hold();
    gone(&near, "bank").await;
}
