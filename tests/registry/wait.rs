//! Waiting for names.

use std::time::Duration;

use super::*;
use support::within;

fn url(at: &str, name: &str) -> String {
    format!("rmi{}/{name}", at.trim_start_matches("tcp"))
}

#[tokio::test]
async fn who_waits_for_a_name_gets_it_when_it_is_bound() {
    let (_server, at) = registry().await;
    let registry = binder(&at).await;
    let waiting = [(); 5].map(|()| {
        let at = at.clone();
        tokio::spawn(async move {
            let node = silent().await;
            let found: BankProxy = rmi::lookup_wait(&node, &url(&at, "bank")).await.unwrap();
            found.name().await.unwrap()
        })
    });
    let local = tokio::spawn({
        let registry = registry.clone();
        async move { registry.lookup_wait::<NamedProxy>("bank").await.unwrap().name().await.unwrap() }
    });
    let other = registry.bind("other", &bank("other")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(waiting.iter().chain([&local]).all(|waiting| !waiting.is_finished()));
    let _binding = registry.bind("bank", &bank("at last")).await.unwrap();
    for waiting in waiting.into_iter().chain([local]) {
        assert_eq!(within(waiting).await.unwrap(), "at last");
    }
    // What is bound is found at once.
    let found: BankProxy = within(registry.lookup_wait("other")).await.unwrap();
    assert_eq!(found.name().await.unwrap(), "other");
    drop(other);
}

#[tokio::test]
async fn a_limit_ends_the_waiting() {
    let (server, at) = registry().await;
    let (near, far) = (Registry::serve(&server), connect(&at).await);
    let nowhere = place();
    let node = silent().await;
    let limit = Duration::from_millis(200);
    for registry in [near, far] {
        let asked = rmi::with_timeout(limit, registry.lookup_wait::<BankProxy>("bank"));
        let error = within(asked).await.unwrap_err();
        assert!(matches!(error, RemoteError::TimedOut { .. }), "{error}");
        let error = within(registry.lookup_wait::<BankProxy>("/")).await.unwrap_err();
        assert!(matches!(error, RemoteError::BadArgument { .. }), "{error}");
    }
    // There is no registry at all, which is waited for as well.
    let gone = Registry::connect(&node, &at).await.unwrap();
    server.shutdown().await;
    let error = within(rmi::with_timeout(limit, gone.lookup_wait::<BankProxy>("bank"))).await.unwrap_err();
    assert!(matches!(error, RemoteError::TimedOut { .. }), "{error}");
    let error = within(rmi::lookup_wait::<BankProxy>(&node, &nowhere)).await.unwrap_err();
    assert!(matches!(error, RemoteError::BadAddress { .. }), "{error}");
}

#[tokio::test]
async fn waiters_are_bounded_and_leave_when_they_give_up() {
    let server = listening().await;
    Registry::server().max_waiters(2).serve(&server);
    let registry = connect(&address(&server)).await;
    for _ in 0..3 {
        let waiting = ["a", "b"].map(|name| {
            let registry = registry.clone();
            tokio::spawn(async move { registry.lookup_wait::<BankProxy>(name).await })
        });
        eventually("both wait", || server.stats().calls_running == 2).await;
        let error = within(registry.lookup_wait::<BankProxy>("c")).await.unwrap_err();
        assert!(matches!(error, RemoteError::Overloaded { .. }), "{error}");
        waiting.iter().for_each(|waiting| waiting.abort());
        eventually("nobody waits", || server.stats().calls_running == 0).await;
    }
    // Its node ends.
    let ends = connect(&address(&server)).await;
    let waiting = tokio::spawn(async move { ends.lookup_wait::<BankProxy>("a").await });
    eventually("it waits", || server.stats().calls_running == 1).await;
    waiting.abort();
    eventually("nobody waits", || server.stats().calls_running == 0).await;
}

#[tokio::test]
async fn waiting_outlives_the_registry() {
    let (mut process, at) = registry_process("tcp://127.0.0.1:0").await;
    let registry = hasty(&at).await;
    let waiting =
        tokio::spawn(async move { registry.lookup_wait::<BankProxy>("bank").await.unwrap().name().await });
    // From the beginning, and by one who comes while there is none.
    tokio::time::sleep(Duration::from_millis(100)).await;
    process.kill().await;
    let late = tokio::spawn({
        let at = at.clone();
        async move {
            let node = silent().await;
            let found: BankProxy = rmi::lookup_wait(&node, &url(&at, "bank")).await.unwrap();
            found.name().await
        }
    });
    tokio::time::sleep(Duration::from_millis(600)).await;
    let (_process, _) = registry_process(&at).await;
    let binder = binder(&at).await;
    let _binding = binder.bind("bank", &bank("late")).await.unwrap();
    for waiting in [waiting, late] {
        assert_eq!(within(waiting).await.unwrap().unwrap(), "late");
    }
}

#[tokio::test]
async fn a_registry_that_shuts_down_does_not_wait_for_those_who_wait() {
    let at = place();
    let builder = || Node::builder().listen(&at).drain_timeout(support::LIMIT * 10);
    let server = start(builder()).await;
    Registry::serve(&server);
    let registry = hasty(&at).await;
    let waiting = tokio::spawn({
        let registry = registry.clone();
        async move { registry.lookup_wait::<BankProxy>("bank").await }
    });
    eventually("it waits", || server.stats().calls_running == 1).await;
    within(server.shutdown()).await;
    let server = start(builder()).await;
    let near = Registry::serve(&server);
    let _binding = near.bind("bank", &bank("again")).await.unwrap();
    within(waiting).await.unwrap().unwrap();
    // The own node's end is an end.
    let node = silent().await;
    let registry = Registry::connect(&node, &at).await.unwrap();
    let waiting = tokio::spawn(async move { registry.lookup_wait::<BankProxy>("never").await });
    eventually("it waits", || server.stats().calls_running == 1).await;
    node.shutdown().await;
    let error = within(waiting).await.unwrap().unwrap_err();
    assert_eq!(error, RemoteError::ShuttingDown { node: node.id() });
}
