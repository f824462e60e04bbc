//! Who keeps a name, and until when.

use std::time::Duration;

use super::*;
use support::child::Process;
use support::relay::Relay;
use support::shelf::Population;

/// A registry with a lease of two seconds, which asks owners nothing within the time of a test.
async fn short_lease() -> (Node, String) {
    let node = start(Node::builder().listen("tcp://127.0.0.1:0").lease(Duration::from_secs(2))).await;
    Registry::server().patience(Duration::from_secs(600)).serve(&node);
    let at = address(&node);
    (node, at)
}

#[tokio::test]
async fn a_binding_keeps_name_and_object_and_dropping_it_ends_both() {
    let (server, at) = registry().await;
    let registry = binder(&at).await;
    let population = Population::default();
    let object = counted_bank("counted", &population);
    let binding = registry.bind("bank", &object).await.unwrap();
    drop(object);
    let other = connect(&at).await;
    let found: BankProxy = other.lookup("bank").await.unwrap();
    assert_eq!(found.balance().await.unwrap(), 7);
    assert_eq!(population.alive(), 1, "the registry holds it");
    drop(found);
    drop(binding);
    gone(&other, "bank").await;
    eventually("the object is collected", || population.alive() == 0).await;
    eventually("the registry's object of the binding is collected", || server.stats().exports == 1).await;
    assert_eq!(server.stats().imports, 0);
}

#[tokio::test]
async fn an_unbound_object_is_collected_although_its_binding_is_held() {
    let (_server, at) = registry().await;
    let registry = connect(&at).await;
    let population = Population::default();
    let binding = registry.bind("bank", &counted_bank("counted", &population)).await.unwrap();
    registry.unbind("bank").await.unwrap();
    eventually("the object is collected", || population.alive() == 0).await;
    let replaced = registry.bind("bank", &counted_bank("counted", &population)).await.unwrap();
    let _newer = registry.rebind("bank", &bank("newer")).await.unwrap();
    eventually("the replaced object is collected", || population.alive() == 0).await;
    drop((binding, replaced));
}

#[tokio::test]
async fn a_refused_object_is_released() {
    let (_server, at) = registry().await;
    let registry = connect(&at).await;
    let population = Population::default();
    let _binding = registry.bind("bank", &bank("x")).await.unwrap();
    registry.bind("bank", &counted_bank("counted", &population)).await.unwrap_err();
    registry.bind("/", &counted_bank("counted", &population)).await.unwrap_err();
    eventually("the objects are collected", || population.alive() == 0).await;
}

#[tokio::test]
async fn a_bind_that_is_given_up_leaves_nothing_behind() {
    let (server, at) = registry().await;
    let registry = connect(&at).await;
    let object = bank("x");
    let mut asked = std::pin::pin!(registry.bind("bank", &object).into_future());
    // Sent, and dropped before the answer.
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(asked.as_mut().poll(cx))).await.is_pending());
    let calls = || server.stats().sessions.iter().map(|session| session.calls_served).sum::<u64>();
    let before = calls();
    asked.set(Box::pin(std::future::pending()));
    eventually("the call arrives", || calls() > before).await;
    gone(&registry, "bank").await;
    eventually("the binding is collected", || server.stats().exports == 1).await;
}

#[tokio::test]
async fn a_binder_that_shuts_down_takes_its_names_along_at_once() {
    let (_server, at) = registry().await;
    let mut child = Process::start("listens", &at);
    assert_eq!(child.hear().await, "bound");
    let registry = connect(&at).await;
    assert!(is_bound(&registry, "child").await);
    // The lease is 30 s: this is the goodbye.
    child.tell("shut down").await;
    gone(&registry, "child").await;
    child.kill().await;
}

#[tokio::test]
async fn a_name_whose_binder_is_killed_goes_with_the_lease_and_not_before_half_of_it() {
    let (_server, at) = short_lease().await;
    let mut child = Process::start("listens", &at);
    assert_eq!(child.hear().await, "bound");
    let registry = connect(&at).await;
    child.kill().await;
    let killed = now();
    assert!(is_bound(&registry, "child").await);
    gone(&registry, "child").await;
    let after = killed.elapsed();
    assert!(after >= Duration::from_secs(1), "gone after {after:?}");
    assert!(after <= Duration::from_secs(6), "gone after {after:?}");
}

#[tokio::test]
async fn a_binder_that_lives_keeps_its_name_over_many_leases() {
    let node = start(Node::builder().listen("tcp://127.0.0.1:0").lease(Duration::from_millis(600))).await;
    Registry::server().patience(Duration::from_millis(600)).serve(&node);
    let mut child = Process::start("silent", &address(&node));
    assert_eq!(child.hear().await, "bound");
    let registry = connect(&address(&node)).await;
    let start = now();
    while start.elapsed() < Duration::from_secs(3) {
        assert!(is_bound(&registry, "child").await, "gone after {:?}", start.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(child.ask("drop").await, "drop");
    gone(&registry, "child").await;
}

#[tokio::test]
async fn a_binding_keeps_its_name_when_its_connection_breaks() {
    let lease = Duration::from_millis(1_500);
    let relay = Relay::new().await;
    let server = start(relay.builder().lease(lease)).await;
    let near = Registry::server().patience(lease).serve(&server);
    let registry = binder(&relay.address).await;
    let used = registry.bind("used", &bank("x")).await.unwrap();
    let unused = registry.bind("unused", &bank("x")).await.unwrap();
    relay.cut();
    let broken = now();
    // The first use may meet the connection while it breaks.
    while used.entry().await.is_err() {
        assert!(broken.elapsed() < lease / 2, "it cannot be used any more");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    while broken.elapsed() < lease * 2 {
        for name in ["used", "unused"] {
            assert!(is_bound(&near, name).await, "{name} is unbound after {:?}", broken.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop((used, unused));
    gone(&near, "used").await;
    gone(&near, "unused").await;
}

#[tokio::test]
async fn a_registry_leaves_nothing_behind_when_its_node_ends() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for graceful in [true, false] {
        let before = tasks();
        let node = listening().await;
        // Its next look at owners would be in minutes.
        let local = Registry::server().patience(Duration::from_secs(600)).serve(&node);
        let population = Population::default();
        let binding = local.bind("bank", &counted_bank("counted", &population)).await.unwrap();
        let theirs = connect(&address(&node)).await;
        let far = theirs.bind("far", &bank("far")).await.unwrap();
        if graceful {
            node.shutdown().await;
        }
        drop((node, local, theirs, far));
        eventually("all tasks end", || tasks() == before).await;
        drop(binding);
        eventually("the object goes", || population.alive() == 0).await;
    }
}
