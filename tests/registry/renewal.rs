//! Bindings renew themselves when the registry was lost.

use std::time::Duration;

use super::*;
use support::child::Process;
use support::relay::Relay;
use support::shelf::Population;
use support::within;

async fn lost_and_regained(binding: &rmi::Binding, meanwhile: impl AsyncFnOnce()) {
    assert!(binding.is_bound());
    let before = binding.id();
    meanwhile().await;
    eventually("it is renewed", || binding.is_bound() && binding.id() != before).await;
}

#[tokio::test]
async fn a_registry_that_was_killed_gets_its_names_back_from_those_who_bound_them() {
    let (mut process, at) = registry_process("tcp://127.0.0.1:0").await;
    let mut child = Process::start("listens", &at);
    assert_eq!(child.hear().await, "bound");
    let registry = hasty(&at).await;
    let binding = registry.bind("bank", &bank("healed")).version(3).await.unwrap();
    // Nobody but the binding holds the object, and it was to be kept.
    let kept = registry.bind("kept", &bank("kept")).await.unwrap();
    kept.keep().await.unwrap();
    lost_and_regained(&binding, async || {
        process.kill().await;
        eventually("the loss is noticed", || !binding.is_bound() && !kept.is_bound()).await;
        process = registry_process(&at).await.0;
    })
    .await;
    let other = connect(&at).await;
    for name in ["bank", "kept", "child"] {
        // Three holders, each at its own pace.
        let found: BankProxy = within(other.lookup_wait(name)).await.unwrap();
        assert_eq!(within(found.balance()).await.unwrap(), 7);
    }
    let entry = other.entry("bank").await.unwrap();
    assert_eq!((entry.version, entry.id), (3, binding.id()));
    // It is a binding like the first.
    eventually("it is renewed", || kept.is_bound()).await;
    assert!(kept.entry().await.unwrap().kept);
    drop((binding, kept));
    gone(&other, "bank").await;
    assert!(is_bound(&other, "kept").await);
    assert_eq!(child.ask("drop").await, "drop");
    gone(&other, "child").await;
}

#[tokio::test]
async fn a_name_that_somebody_else_took_meanwhile_is_not_stolen() {
    for replace in [false, true] {
        let at = place();
        let server = start(Node::builder().listen(&at)).await;
        Registry::serve(&server);
        let registry = hasty(&at).await;
        let object = bank("first");
        let ask = if replace { registry.rebind("bank", &object) } else { registry.bind("bank", &object) };
        let binding = ask.await.unwrap();
        server.shutdown().await;
        eventually("the loss is noticed", || !binding.is_bound()).await;

        let server = start(Node::builder().listen(&at)).await;
        let (near, theirs) = taken(&server).await;
        let id = theirs.id();
        let tries = || server.stats().calls_served.values().sum::<u64>();
        eventually("it has tried a few times", || tries() >= 4).await;
        assert!(!binding.is_bound());
        assert_eq!(near.entry("bank").await.unwrap().id, id);
        drop(theirs);
        eventually("it is renewed", || binding.is_bound()).await;
        assert_eq!(near.entry("bank").await.unwrap().id, binding.id());
    }
}

/// A registry at `node`, and a binding of `bank` there that nobody can have come before.
async fn taken(node: &Node) -> (Registry, rmi::Binding) {
    let local = Registry::serve(node);
    let binding = local.rebind("bank", &bank("second")).await.unwrap();
    (local, binding)
}

#[tokio::test]
async fn a_binding_that_was_given_up_while_its_registry_was_away_is_not_renewed() {
    let at = place();
    let server = start(Node::builder().listen(&at)).await;
    Registry::serve(&server);
    let registry = hasty(&at).await;
    let population = Population::default();
    let dropped = registry.bind("dropped", &counted_bank("x", &population)).await.unwrap();
    let unbound = registry.bind("unbound", &counted_bank("x", &population)).await.unwrap();
    let held = registry.bind("held", &bank("held")).await.unwrap();
    server.shutdown().await;
    eventually("the loss is noticed", || ![&dropped, &unbound, &held].iter().any(|b| b.is_bound())).await;
    drop(dropped);
    within(unbound.unbind()).await.unwrap_err();
    eventually("the objects are collected", || population.alive() == 0).await;

    let server = start(Node::builder().listen(&at)).await;
    let local = Registry::serve(&server);
    eventually("what is held is renewed", || held.is_bound()).await;
    assert_eq!(names(&local.list("").await.unwrap()), ["held"]);
}

#[tokio::test]
async fn unbinding_in_the_middle_of_a_renewal_leaves_nothing_bound() {
    let relay = Relay::new().await;
    let server = start(relay.builder().lease(Duration::from_secs(2))).await;
    let near = Registry::serve(&server);
    for unbind in [true, false] {
        let registry = hasty(&relay.address).await;
        let binding = registry.bind("bank", &bank("x")).await.unwrap();
        relay.refuse();
        eventually("the loss is noticed", || !binding.is_bound()).await;
        // Questions are on their way, and no answer comes.
        relay.hold();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let done = tokio::spawn(async move {
            match unbind {
                true => drop(binding.unbind().await),
                false => drop(binding),
            }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        relay.flow();
        within(done).await.unwrap();
        gone(&near, "bank").await;
        // Another one has the same way, and all of it comes after what was under way.
        let _other = within(registry.bind("other", &bank("x")).into_future()).await.unwrap();
        assert!(!is_bound(&near, "bank").await);
    }
}

#[tokio::test]
async fn a_binding_is_renewed_after_a_long_partition() {
    let relay = Relay::new().await;
    let lease = Duration::from_millis(800);
    let server = start(relay.builder().lease(lease)).await;
    let near = Registry::server().patience(lease).serve(&server);
    let registry = hasty(&relay.address).await;
    let binding = registry.bind("bank", &bank("x")).await.unwrap();
    lost_and_regained(&binding, async || {
        relay.refuse();
        gone(&near, "bank").await;
        relay.flow();
    })
    .await;
    assert_eq!(near.entry("bank").await.unwrap().id, binding.id());
    // A shorter one, after which the registry has the name still: nothing changes.
    relay.refuse();
    eventually("the loss is noticed", || !binding.is_bound()).await;
    relay.flow();
    eventually("it is bound", || binding.is_bound()).await;
    let entry = near.entry("bank").await.unwrap();
    assert_eq!(entry.id, binding.id());
}

#[tokio::test]
async fn renewals_end_with_their_node() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for graceful in [true, false] {
        let at = place();
        let server = start(Node::builder().listen(&at)).await;
        Registry::serve(&server);
        let node = start(Node::builder().reconnect_window(Duration::from_millis(400))).await;
        let registry = Registry::connect(&node, &at).await.unwrap();
        let population = Population::default();
        let binding = registry.bind("bank", &counted_bank("x", &population)).await.unwrap();
        server.shutdown().await;
        drop(server);
        eventually("the loss is noticed", || !binding.is_bound()).await;
        let before = tasks();
        assert!(before > 0, "it is being renewed");
        if graceful {
            within(node.shutdown()).await;
        }
        drop((registry, node));
        // The binding is held, and holds nothing.
        eventually("all tasks end", || tasks() == 0).await;
        eventually("the object goes", || population.alive() == 0).await;
        drop(binding);
    }
}
