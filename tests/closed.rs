//! Who holds a proxy hears when its object is gone or its owner lost, and not before.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use rmi::{AnyProxy, Node, Proxy, RemoteError};
use support::child::{self, Process};
use support::relay::Relay;
use support::shelf::{Item, ItemProxy, Population, Shelf, ShelfProxy, Site};
use support::{address, all_zero, eventually, listening, silent, start, within};

/// Nodes give up what does not come back within this.
const WINDOW: Duration = Duration::from_millis(400);

async fn client() -> Node {
    start(Node::builder().reconnect_window(WINDOW)).await
}

/// A node with an item, in a process of its own.
#[tokio::test]
#[ignore = "other tests run it in a process of its own"]
async fn child() {
    let Some((role, address)) = child::role() else { return };
    if role == "silent" {
        let node = silent().await;
        let shelf: ShelfProxy = node.root(&address, "shelf").await.unwrap();
        shelf.put(Population::default().item()).await.unwrap();
        child::say("put");
        return std::future::pending().await;
    }
    let node = start(Node::builder().listen(address)).await;
    node.publish("item", &Population::default().item());
    child::say(&support::address(&node));
    let mut ears = child::ears();
    while let Some(told) = child::hear(&mut ears).await {
        assert_eq!(told, "shut down");
        node.shutdown().await;
    }
}

async fn item_of_child(client: &Node) -> (Process, String, ItemProxy) {
    let mut owner = Process::start("owner", "tcp://127.0.0.1:0");
    let at = owner.hear().await;
    let item = within(client.root(&at, "item")).await.unwrap();
    (owner, at, item)
}

/// Whether the future waits.
async fn waits<T>(future: impl Future<Output = T>) -> bool {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

#[tokio::test]
async fn an_owner_that_is_killed_is_lost() {
    let client = client().await;
    let (mut owner, _, item) = item_of_child(&client).await;
    let any = AnyProxy::from(&item);
    let watchers = [0, 1].map(|_| {
        let item = item.clone();
        tokio::spawn(async move { Proxy::closed(&item).await })
    });
    let untyped = tokio::spawn(async move { any.closed().await });
    assert!(waits(Proxy::closed(&item)).await);
    owner.kill().await;
    for watcher in watchers.into_iter().chain([untyped]) {
        let error = within(watcher).await.unwrap();
        assert!(matches!(error, RemoteError::Unreachable { .. }), "{error}");
    }
    // And at once for those who ask later, as calls say.
    let error = within(Proxy::closed(&item)).await;
    assert!(matches!(error, RemoteError::Unreachable { .. }), "{error}");
    assert!(matches!(within(item.ping(1)).await, Err(RemoteError::Unreachable { .. })));
}

#[tokio::test]
async fn an_owner_that_cannot_be_dialed_is_lost_too() {
    let server = Site::at(start(Node::builder().listen("tcp://127.0.0.1:0").reconnect_window(WINDOW)).await);
    let mut owner = Process::start("silent", &server.address());
    assert_eq!(owner.hear().await, "put");
    let item = server.keeper.first();
    let mut closed = pin!(Proxy::closed(&item));
    assert!(waits(closed.as_mut()).await);
    owner.kill().await;
    let error = within(closed).await;
    assert!(matches!(error, RemoteError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_goodbye_is_heard_at_once_with_its_text() {
    // The window is ten seconds, and nothing waits for it.
    let client = silent().await;
    let (mut owner, _, item) = item_of_child(&client).await;
    let closed = pin!(Proxy::closed(&item));
    owner.tell("shut down").await;
    let error = within(closed).await;
    let RemoteError::Unreachable { reason, .. } = &error else { panic!("{error}") };
    assert!(reason.contains("goodbye") && reason.contains("is shutting down"), "{reason}");
    owner.kill().await;
}

#[tokio::test]
async fn an_owner_that_was_restarted_has_no_such_object() {
    let client = silent().await;
    let (mut owner, at, item) = item_of_child(&client).await;
    let closed = tokio::spawn({
        let item = item.clone();
        async move { Proxy::closed(&item).await }
    });
    owner.kill().await;
    let mut again = Process::start("owner", &at);
    assert_eq!(again.hear().await, at);
    let error = within(closed).await.unwrap();
    assert!(matches!(error, RemoteError::NoSuchObject { .. }), "{error}");
    again.kill().await;
}

#[tokio::test]
async fn the_end_of_the_own_node_is_one_for_all_its_proxies() {
    let (owner, client) = (listening().await, silent().await);
    owner.publish("item", &Population::default().item());
    let item: ItemProxy = within(client.root(&address(&owner), "item")).await.unwrap();
    let mut closed = pin!(Proxy::closed(&item));
    assert!(waits(closed.as_mut()).await);
    client.shutdown().await;
    assert_eq!(within(closed).await, RemoteError::ShuttingDown { node: client.id() });
}

#[tokio::test]
async fn a_connection_that_comes_back_is_no_end_and_an_end_may_be_followed_by_another_life() {
    let relay = Relay::new().await;
    let (owner, client) = (start(relay.builder()).await, client().await);
    let items = Population::default();
    owner.publish("item", &items.item());
    let item: ItemProxy = within(client.root(&relay.address, "item")).await.unwrap();
    let mut closed = pin!(Proxy::closed(&item));
    for _ in 0..3 {
        relay.cut();
        within(item.ping(1)).await.unwrap();
        assert!(waits(closed.as_mut()).await);
    }
    relay.refuse();
    let error = within(closed).await;
    assert!(matches!(error, RemoteError::Unreachable { .. }), "{error}");
    relay.flow();
    // The object lives, so the next use brings the proxy back.
    assert_eq!(within(item.ping(1)).await.unwrap(), 2);
    let mut closed = pin!(Proxy::closed(&item));
    assert!(waits(closed.as_mut()).await);
    // Another session, and another end.
    owner.shutdown().await;
    let error = within(closed).await;
    assert!(error.to_string().contains("goodbye"), "{error}");
}

#[tokio::test]
async fn an_object_that_its_owner_gave_up_meanwhile_is_gone() {
    let relay = Relay::new().await;
    let lease = Duration::from_millis(800);
    let owner = start(relay.builder().lease(lease).reconnect_window(WINDOW)).await;
    let client = client().await;
    let items = Population::default();
    owner.publish("item", &items.item());
    let item: ItemProxy = within(client.root(&relay.address, "item")).await.unwrap();
    relay.refuse();
    within(Proxy::closed(&item)).await;
    owner.unpublish("item");
    eventually("the owner's side of the session ends", || items.alive() == 0).await;
    relay.flow();
    let error = within(item.ping(1)).await.unwrap_err();
    assert_eq!(within(Proxy::closed(&item)).await, error);
    assert!(matches!(error, RemoteError::NoSuchObject { .. }), "{error}");
}

#[tokio::test]
async fn waiting_for_an_end_leaves_nothing_behind() {
    let (owner, client) = (listening().await, silent().await);
    let items = Population::default();
    owner.publish("item", &items.item());
    let item: ItemProxy = within(client.root(&address(&owner), "item")).await.unwrap();
    for _ in 0..100 {
        assert!(waits(Proxy::closed(&item)).await);
    }
    owner.unpublish("item");
    let watching = tokio::spawn(async move { Proxy::closed(&item).await });
    tokio::task::yield_now().await;
    assert_eq!(items.alive(), 1, "the future keeps the proxy");
    watching.abort();
    all_zero(&[&owner, &client]).await;
    assert_eq!(items.alive(), 0);
    // A local object is kept by its proxy.
    assert!(waits(Proxy::closed(&items.item())).await);
}
