//! Owners without a listener are reached through the node that gave the reference (PROTOCOL 11).
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::time::Duration;

use parking_lot::Mutex;
use rmi::{Builder, Node, Proxy, RemoteError, remote};
use support::child::{self, Process};
use support::relay::Relay;
use support::shelf::{Item, ItemProxy, Population, Shelf, ShelfProxy, Site, close_down};
use support::{LIMIT, Random, Result, eventually, now, silent, start, within};

/// What goes through a relay.
#[remote]
pub(crate) trait Depot {
    async fn put(&self, depot: DepotProxy) -> Result<()>;
    async fn take(&self) -> Result<DepotProxy>;
    async fn echo(&self, bytes: Vec<u8>) -> Result<Vec<u8>>;
    /// Calls each, and returns them; whether any of them is local here.
    async fn visit(&self, items: Vec<ItemProxy>) -> Result<(Vec<ItemProxy>, bool)>;
}

#[derive(Default)]
struct Store(Mutex<Vec<DepotProxy>>);

impl Depot for Store {
    async fn put(&self, depot: DepotProxy) -> Result<()> {
        self.0.lock().push(depot);
        Ok(())
    }
    async fn take(&self) -> Result<DepotProxy> {
        let missing = RemoteError::NotBound { name: "a depot".into(), at: "an empty one".into() };
        self.0.lock().pop().ok_or(missing)
    }
    async fn echo(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        Ok(bytes)
    }
    async fn visit(&self, items: Vec<ItemProxy>) -> Result<(Vec<ItemProxy>, bool)> {
        for item in &items {
            item.ping(1).await?;
        }
        let local = items.iter().any(Proxy::is_local);
        Ok((items, local))
    }
}

/// The sessions of `of` with `peer` that are open: whether each is relayed.
fn relayed(of: &Node, peer: &Node) -> Vec<bool> {
    let sessions = of.stats().sessions;
    sessions.iter().filter(|s| s.peer == Some(peer.id()) && s.open).map(|s| s.relayed).collect()
}

/// How many tunnels there are in all sessions of a node.
fn tunnels(node: &Node) -> usize {
    node.stats().sessions.iter().map(|session| session.tunnels).sum()
}

fn resumed(node: &Node) -> u64 {
    node.stats().sessions.iter().map(|session| session.resumed).sum()
}

/// A node that gives up soon.
fn hasty() -> Builder {
    Node::builder().lease(Duration::from_secs(3)).reconnect_window(Duration::from_secs(1))
}

/// A node that is reached at `address`, and one without a listener that has put an item of its own on its shelf.
async fn introduced(x: Node, address: &str) -> (Site, Site) {
    let (x, b) = (Site::at(x), Site::at(silent().await));
    let shelf: ShelfProxy = within(b.node.root(address, "shelf")).await.unwrap();
    within(shelf.put(b.keeper.population.item())).await.unwrap();
    (x, b)
}

async fn served() -> (Site, Site) {
    let x = support::listening().await;
    let address = support::address(&x);
    introduced(x, &address).await
}

fn memory() -> String {
    format!("mem://{}", uuid::Uuid::new_v4())
}

#[tokio::test]
async fn an_owner_without_a_listener_is_reached_through_the_introducer() {
    let (x, b) = served().await;
    let y = Site::at(silent().await);
    let shelf = y.sees(&x).await;
    let item = within(shelf.top()).await.unwrap();
    assert_eq!(within(item.ping(1)).await.unwrap(), 2);
    assert_eq!((b.served(&y.node), x.served(&b.node)), (1, 1), "the call was the owner's to serve");
    assert_eq!((relayed(&y.node, &b.node), relayed(&b.node, &y.node)), (vec![true], vec![true]));
    assert_eq!((relayed(&y.node, &x.node), relayed(&b.node, &x.node)), (vec![false], vec![false]));
    assert_eq!((tunnels(&y.node), tunnels(&x.node), tunnels(&b.node)), (1, 2, 1));

    // Back at the node between it is the reference that that node had; back at home, the object.
    assert_eq!(within(shelf.echo(item.clone())).await.unwrap(), item);
    let home = b.sees(&x).await;
    assert!(Proxy::is_local(&within(home.top()).await.unwrap()));

    // The node between holds nothing any more, and goes on to relay.
    within(shelf.clear()).await.unwrap();
    eventually("its pins and proxies go", || {
        let stats = x.node.stats();
        (stats.pins, stats.imports) == (0, 0)
    })
    .await;
    assert_eq!(b.alive(), 1);
    assert_eq!(within(item.ping(2)).await.unwrap(), 3);
    drop(item);
    eventually("the object is collected", || b.alive() == 0).await;
    drop((shelf, home));
    let nodes = [x.node.clone(), b.node.clone(), y.node.clone()];
    close_down(vec![y, b, x]).await;
    assert!(nodes.iter().all(|node| tunnels(node) == 0));
}

#[tokio::test]
async fn a_relayed_session_ends_when_nothing_uses_it() {
    let (x, b) = served().await;
    let y = Site::at(start(Node::builder().lease(Duration::from_millis(900))).await);
    let shelf = y.sees(&x).await;
    for _ in 0..2 {
        let item = within(shelf.top()).await.unwrap();
        assert_eq!(within(item.ping(1)).await.unwrap(), 2);
        assert_eq!(relayed(&y.node, &b.node), [true]);
        drop(item);
        eventually("the session and its tunnels end", || {
            let left = [&x.node, &y.node, &b.node].map(tunnels);
            (left, relayed(&y.node, &b.node), relayed(&b.node, &y.node)) == ([0; 3], vec![], vec![])
        })
        .await;
    }
    assert_eq!((relayed(&y.node, &x.node), relayed(&b.node, &x.node)), (vec![false], vec![false]));
    within(shelf.clear()).await.unwrap();
    drop(shelf);
    close_down(vec![y, b, x]).await;
}

/// The introducer is the one that dialed, and has no listener either.
#[tokio::test]
async fn a_server_reaches_an_owner_through_its_client() {
    let (x, b) = introduced(
        start(Node::builder().listen("mem://a-client-of-others")).await,
        "mem://a-client-of-others",
    )
    .await;
    let y = Site::new().await;
    let there = x.sees(&y).await;
    within(there.put(x.keeper.first())).await.unwrap();
    assert_eq!(within(there.ping_top(1)).await.unwrap(), 2);
    assert_eq!(b.served(&y.node), 1);
    x.keeper.items.lock().clear();
    assert_eq!(within(there.ping_top(1)).await.unwrap(), 2);
    within(there.clear()).await.unwrap();
    drop(there);
    close_down(vec![x, b, y]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payloads_and_references_pass_unchanged() {
    let (x, b, y) = (support::listening().await, silent().await, silent().await);
    x.publish("depot", &DepotProxy::new(Store::default()));
    let at = support::address(&x);
    let (from_b, from_y): (DepotProxy, DepotProxy) =
        (b.root(&at, "depot").await.unwrap(), y.root(&at, "depot").await.unwrap());
    from_b.put(DepotProxy::new(Store::default())).await.unwrap();
    let depot = from_y.take().await.unwrap();
    let mut random = Random::new("payloads_and_references_pass_unchanged");
    let bytes = random.bytes(1 << 20);
    assert!(within(depot.echo(bytes.clone())).await.unwrap() == bytes);

    let calls: Vec<_> = (0..64)
        .map(|n| {
            let (depot, bytes) = (depot.clone(), bytes[n..n * 4_000 + 1].to_vec());
            tokio::spawn(async move { (depot.echo(bytes.clone()).await.unwrap() == bytes, n) })
        })
        .collect();
    for call in calls {
        let (same, n) = within(call).await.unwrap();
        assert!(same, "call {n}");
    }

    // Objects of the caller and of the node between, called back.
    let population = Population::default();
    let of_x = ItemProxy::new(support::shelf::Counted::new(&population));
    x.publish("item", &of_x);
    let items = vec![population.item(), y.root(&at, "item").await.unwrap()];
    let (back, local) = within(depot.visit(items.clone())).await.unwrap();
    assert_eq!((&back, local), (&items, false));
    assert!(Proxy::is_local(&back[0]) && !Proxy::is_local(&back[1]));
    x.unpublish("item");
    x.unpublish("depot");
    drop((items, back, of_x, depot, from_b, from_y));
    support::all_zero(&[&x, &b, &y]).await;
    assert_eq!(population.alive(), 0);
}

/// Calls while a leg breaks again and again are executed once each, and the relayed session does not notice.
async fn survives(cut_owner: bool) {
    let (relay, direct) = (Relay::new().await, memory());
    let node = start(relay.builder().listen(&direct)).await;
    let (owners, callers) = if cut_owner { (&relay.address, &direct) } else { (&direct, &relay.address) };
    let (x, b) = introduced(node, owners).await;
    let y = Site::at(silent().await);
    let shelf: ShelfProxy = y.node.root(callers, "shelf").await.unwrap();
    let item = within(shelf.top()).await.unwrap();
    within(item.ping(0)).await.unwrap();
    for round in 1..=5 {
        let calls: Vec<_> = (0..50)
            .map(|n| {
                let item = item.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_micros(200 * n)).await;
                    item.ping(n).await
                })
            })
            .collect();
        eventually("some are executed", || b.served(&y.node) > 51 * (round - 1) + 10).await;
        relay.cut();
        for call in calls {
            within(call).await.unwrap().unwrap();
        }
        within(item.ping(0)).await.unwrap();
        assert_eq!(b.served(&y.node), 51 * round + 1);
        let cut = if cut_owner { &b.node } else { &y.node };
        assert_eq!(resumed(cut), round, "the leg went on");
    }
    assert_eq!(relayed(&y.node, &b.node), [true]);
    drop((item, shelf));
    within(x.shelf.clear()).await.unwrap();
    close_down(vec![y, b, x]).await;
}

#[tokio::test]
async fn the_leg_to_the_owner_breaks() {
    survives(true).await;
}

#[tokio::test]
async fn the_leg_to_the_caller_breaks() {
    survives(false).await;
}

/// The error of a call to an owner that was reached through `x`, which is gone.
fn says_so(error: &RemoteError, x: rmi::NodeId, b: rmi::NodeId) {
    let text = error.to_string();
    for part in ["accepts no connections itself", &format!("reached through node {x}"), &b.to_string()] {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[tokio::test]
async fn the_introducer_shuts_down() {
    let (x, b) = served().await;
    let (x_id, b_id) = (x.node.id(), b.node.id());
    let y = Site::at(start(hasty()).await);
    let shelf = y.sees(&x).await;
    let item = within(shelf.top()).await.unwrap();
    within(item.ping(1)).await.unwrap();
    within(shelf.clear()).await.unwrap();
    drop(shelf);
    within(x.node.shutdown()).await;
    let began = now();
    // At most one that was made before this node noticed.
    let error = within(item.ping(2)).await.unwrap_err();
    says_so(&error, x_id, b_id);
    assert!(error.to_string().contains("shutting down"), "{error}");
    for _ in 0..3 {
        let error = within(item.ping(2)).await.unwrap_err();
        assert!(matches!(error, RemoteError::Unreachable { .. }), "{error:?}");
        says_so(&error, x_id, b_id);
        assert!(error.to_string().contains("shutting down"), "{error}");
    }
    assert!(began.elapsed() < LIMIT / 2, "{:?}", began.elapsed());
    drop(item);
    eventually("the owner collects", || b.alive() == 0).await;
    within(b.node.shutdown()).await;
    within(y.node.shutdown()).await;
}

/// A node in a process of its own: one that listens, or one without a listener that puts an item onto the shelf at an address.
#[tokio::test]
#[ignore = "other tests run it in a process of its own"]
async fn child() {
    let Some((role, address)) = child::role() else { return };
    let site = match &*role {
        "introducer" => Site::at(start(hasty().listen("tcp://127.0.0.1:0")).await),
        _ => Site::at(start(hasty()).await),
    };
    if role == "introducer" {
        child::say(&site.address());
    } else {
        let shelf: ShelfProxy = site.node.root(&address, "shelf").await.unwrap();
        shelf.put(site.keeper.population.item()).await.unwrap();
    }
    child::say(&site.node.id().to_string());
    let _ = child::hear(&mut child::ears()).await;
}

#[tokio::test]
async fn the_introducer_is_killed() {
    let mut x = Process::start("introducer", "");
    let (address, id) = (x.hear().await, x.hear().await);
    let b = Site::at(start(hasty()).await);
    let y = Site::at(start(hasty()).await);
    let shelf: ShelfProxy = within(b.node.root(&address, "shelf")).await.unwrap();
    within(shelf.put(b.keeper.population.item())).await.unwrap();
    let seen: ShelfProxy = within(y.node.root(&address, "shelf")).await.unwrap();
    let item = within(seen.top()).await.unwrap();
    within(item.ping(1)).await.unwrap();
    x.kill().await;
    let began = now();
    for _ in 0..3 {
        let error = within(item.ping(2)).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("accepts no connections itself"), "{text}");
        assert!(
            text.contains(&format!("through node {id}")) && text.contains(&b.node.id().to_string()),
            "{text}"
        );
    }
    assert!(began.elapsed() < LIMIT / 2, "{:?}", began.elapsed());
    drop((item, shelf, seen));
    eventually("the owner collects", || b.alive() == 0).await;
    within(b.node.shutdown()).await;
    within(y.node.shutdown()).await;
}

#[tokio::test]
async fn the_owner_is_killed() {
    let x = Site::at(start(hasty().listen("tcp://127.0.0.1:0")).await);
    let mut b = Process::start("owner", &x.address());
    let b_id = b.hear().await;
    let y = Site::at(start(hasty()).await);
    let shelf = y.sees(&x).await;
    let item = within(shelf.top()).await.unwrap();
    within(item.ping(1)).await.unwrap();
    b.kill().await;
    let began = now();
    for _ in 0..3 {
        let error = within(item.ping(2)).await.unwrap_err();
        assert!(error.to_string().contains(&b_id), "{error}");
    }
    let error = within(item.ping(2)).await.unwrap_err().to_string();
    let why = format!("node {} has no session with node {b_id}", x.node.id());
    assert!(error.contains(&why), "{error}");
    assert!(began.elapsed() < LIMIT / 2, "{:?}", began.elapsed());
    within(x.shelf.clear()).await.unwrap();
    drop((item, shelf));
    close_down(vec![y, x]).await;
}

/// What a relayed node passes on leads through the first introducer, not through itself.
#[tokio::test]
async fn there_are_no_chains() {
    let (x, b) = served().await;
    let (y, z) = (Site::new().await, Site::at(silent().await));
    let (at_x, at_y) = (y.sees(&x).await, z.sees(&y).await);
    let top = within(at_x.top()).await.unwrap();
    y.keeper.items.lock().push(top);
    within(at_x.clear()).await.unwrap();
    let item = within(at_y.top()).await.unwrap();
    assert_eq!(within(item.ping(1)).await.unwrap(), 2);
    assert_eq!(b.served(&z.node), 1);
    assert_eq!((relayed(&z.node, &b.node), relayed(&z.node, &x.node)), (vec![true], vec![false]));
    assert_eq!((tunnels(&y.node), tunnels(&b.node)), (1, 2), "it does not go through the second one");
    drop((item, at_x, at_y));
    y.keeper.items.lock().clear();
    close_down(vec![z, y, b, x]).await;
}

/// What an owner gives in the relayed session can be passed on like what the introducer gave.
#[tokio::test]
async fn what_the_owner_gave_itself_is_passed_on() {
    let (x, b) = (support::listening().await, silent().await);
    let (y, z) = (support::listening().await, silent().await);
    x.publish("depot", &DepotProxy::new(Store::default()));
    let at_x: DepotProxy = b.root(&support::address(&x), "depot").await.unwrap();
    let outer = DepotProxy::new(Store(Mutex::new(vec![DepotProxy::new(Store::default())])));
    at_x.put(outer).await.unwrap();
    let from_y: DepotProxy = y.root(&support::address(&x), "depot").await.unwrap();
    let outer = from_y.take().await.unwrap();
    let inner = within(outer.take()).await.unwrap();
    assert_eq!(relayed(&y, &b), [true]);
    y.publish("inner", &inner);
    let at_z: DepotProxy = within(z.root(&support::address(&y), "inner")).await.unwrap();
    assert_eq!(within(at_z.echo(vec![7])).await.unwrap(), [7]);
    assert_eq!((relayed(&z, &b), relayed(&z, &x)), (vec![true], vec![false]));
    y.unpublish("inner");
    x.unpublish("depot");
    drop((outer, inner, at_x, at_z, from_y));
    support::all_zero(&[&x, &b, &y, &z]).await;
}

#[tokio::test]
async fn behind_an_introducer_that_cannot_be_dialed_there_is_an_error() {
    let (x, b) = (Site::at(silent().await), Site::at(silent().await));
    let (y, z) = (Site::new().await, Site::at(silent().await));
    let (near, far) = tokio::io::duplex(65_536);
    let (_, peer) = tokio::try_join!(b.node.attach(near), x.node.attach(far)).unwrap();
    let shelf: ShelfProxy = within(peer.root("shelf")).await.unwrap();
    let item = within(shelf.make()).await.unwrap();
    x.keeper.items.lock().push(item);
    drop(shelf);
    let there = x.sees(&y).await;
    within(there.put(x.keeper.first())).await.unwrap();
    assert_eq!(within(there.ping_top(1)).await.unwrap(), 2);
    let item = within(z.sees(&y).await.top()).await.unwrap();
    let error = within(item.ping(1)).await.unwrap_err();
    assert!(matches!(error, RemoteError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("it accepts no connections"), "{error}");
    within(there.clear()).await.unwrap();
    x.keeper.items.lock().clear();
    drop((there, item));
    close_down(vec![z, y, b, x]).await;
}

#[tokio::test]
async fn a_node_that_does_not_relay() {
    let x = start(Node::builder().listen("tcp://127.0.0.1:0").relay(false)).await;
    let address = support::address(&x);
    let (x, b) = introduced(x, &address).await;
    let y = Site::at(silent().await);
    let shelf = y.sees(&x).await;
    let item = within(shelf.top()).await.unwrap();
    let error = within(item.ping(1)).await.unwrap_err();
    assert!(matches!(error, RemoteError::Unreachable { .. }), "{error:?}");
    within(shelf.clear()).await.unwrap();
    drop((shelf, item));
    close_down(vec![y, b, x]).await;
}
