//! What callers see when something fails (DESIGN 7): one definite error each, and nobody hangs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use rmi::{Limits, Node, Proxy, RemoteError, StartError, remote};
use support::child::{self, Process};
use support::relay::Relay;
use support::shelf::{Item, ItemProxy, Shelf, ShelfProxy, Site, close_down};
use support::{Result, address, all_zero, eventually, listening, now, silent, start, within};
use tokio::net::TcpListener;

/// A port at which nobody listens.
async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// A node with a shelf, in a process of its own.
#[tokio::test]
#[ignore = "other tests run it in a process of its own"]
async fn child() {
    let Some((_role, address)) = child::role() else { return };
    let site = Site::at(start(Node::builder().listen(address)).await);
    child::say(&site.address());
    let _ = child::hear(&mut child::ears()).await;
}

#[tokio::test]
async fn nobody_listens() {
    let node = silent().await;
    let port = free_port().await;
    for target in [
        format!("tcp://127.0.0.1:{port}"),
        format!("unix://{}/nobody-{port}.sock", std::env::temp_dir().display()),
        format!("mem://nobody-{port}"),
    ] {
        let start = now();
        let error = within(node.root::<ShelfProxy>(&target, "shelf")).await.unwrap_err();
        assert!(
            matches!(&error, RemoteError::Unreachable { target: named, .. } if *named == target),
            "{error}"
        );
        assert!(error.is_retryable() && !error.may_have_executed());
        let error = within(node.connect(&target)).await.unwrap_err();
        assert!(matches!(&error, RemoteError::Unreachable { .. }) && error.to_string().contains(&target));
        assert!(start.elapsed() < Duration::from_secs(5), "at once, not after {:?}", start.elapsed());
    }
    for bad in ["", "127.0.0.1:1", "tcp://127.0.0.1", "udp://127.0.0.1:1", "unix://relative"] {
        let error = node.root::<ShelfProxy>(bad, "shelf").await.unwrap_err();
        assert!(matches!(&error, RemoteError::BadAddress { address, .. } if address == bad), "{error}");
    }
    eventually("no session is left", || node.stats().sessions.is_empty()).await;
}

#[tokio::test]
async fn a_name_that_is_not_bound() {
    let (server, client) = (Site::new().await, silent().await);
    let error = within(client.root::<ShelfProxy>(&server.address(), "shelves")).await.unwrap_err();
    let RemoteError::NotBound { name, at } = &error else { panic!("{error}") };
    assert_eq!(name, "shelves");
    assert!(at.contains(&server.address()) && at.contains(&server.node.id().to_string()), "{at}");
    let error = server.node.root::<ShelfProxy>(&server.address(), "shelves").await.unwrap_err();
    assert!(matches!(&error, RemoteError::NotBound { name, .. } if name == "shelves"), "{error}");
    let peer = client.connect(&server.address()).await.unwrap();
    assert!(matches!(peer.root::<ShelfProxy>("").await, Err(RemoteError::NotBound { .. })));
    assert!(peer.root::<ShelfProxy>("shelf").await.is_ok());
}

#[tokio::test]
async fn the_server_is_killed_and_restarted() {
    let target = format!("tcp://127.0.0.1:{}", free_port().await);
    let mut server = Process::start("server", &target);
    assert_eq!(server.hear().await, target);
    let client = silent().await;
    let shelf: ShelfProxy = client.root(&target, "shelf").await.unwrap();
    let item = shelf.make().await.unwrap();
    let node = Proxy::owner(&shelf).unwrap();
    let in_flight = tokio::spawn({
        let shelf = shelf.clone();
        async move { shelf.stall(None).await }
    });
    item.ping(1).await.unwrap();
    eventually("the call is under way", || client.stats().calls_waiting == 1).await;
    server.kill().await;

    let error = within(in_flight).await.unwrap().unwrap_err();
    let RemoteError::OutcomeUnknown { node: named, call, .. } = &error else { panic!("{error}") };
    assert_eq!((*named, &**call), (node, "rmi.Shelf/stall"));
    assert!(error.may_have_executed() && !error.is_retryable());
    for _ in 0..3 {
        let error = within(item.ping(1)).await.unwrap_err();
        assert!(matches!(&error, RemoteError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains(&target) && error.is_retryable(), "{error}");
    }

    let mut restarted = Process::start("server", &target);
    assert_eq!(restarted.hear().await, target);
    for _ in 0..3 {
        let error = within(item.ping(1)).await.unwrap_err();
        assert!(matches!(&error, RemoteError::NoSuchObject { node: named, .. } if *named == node), "{error}");
        assert!(!error.may_have_executed());
    }
    let shelf: ShelfProxy = within(client.root(&target, "shelf")).await.unwrap();
    assert_ne!(Proxy::owner(&shelf), Some(node));
    assert_eq!(shelf.make().await.unwrap().ping(1).await.unwrap(), 2);
    drop((shelf, item));
    restarted.kill().await;
}

/// Another node answers at the first of the owner's addresses: the next one is tried.
#[tokio::test]
async fn another_node_at_one_of_the_addresses() {
    let (a, c, other) = (Site::new().await, Site::new().await, listening().await);
    let socket = format!("unix://{}/rmi-{}.sock", std::env::temp_dir().display(), uuid::Uuid::new_v4());
    let nobody = format!("tcp://127.0.0.1:{}", free_port().await);
    let b = Node::builder().listen(&socket).advertise(address(&other)).advertise(nobody).advertise(&socket);
    let b = Site::at(start(b).await);
    let b_at_a: ShelfProxy = a.node.root(&socket, "shelf").await.unwrap();
    let c_at_a = a.sees(&c).await;
    c_at_a.put(b_at_a.make().await.unwrap()).await.unwrap();
    assert_eq!(within(c.shelf.ping_top(1)).await.unwrap(), 2);
    drop((b_at_a, c_at_a));
    c.shelf.clear().await.unwrap();
    close_down(vec![a, b, c]).await;
}

/// Calls in flight when the connection breaks do not notice: each is executed once.
#[tokio::test]
async fn a_broken_connection() {
    let relay = Relay::new().await;
    let executed = Arc::new(AtomicU64::new(0));
    let server = start(relay.builder().lease(Duration::from_secs(2))).await;
    server.publish("fragile", &FragileProxy::new(Glass(executed.clone())));
    let client = silent().await;
    let fragile: FragileProxy = client.root(&relay.address, "fragile").await.unwrap();
    let mut done = 0;
    for _ in 0..5 {
        let calls: Vec<_> = (0..50)
            .map(|n| {
                let fragile = fragile.clone();
                tokio::spawn(async move { fragile.slow(n).await })
            })
            .collect();
        let before = executed.load(Ordering::SeqCst);
        eventually("some have begun", || executed.load(Ordering::SeqCst) > before + 10).await;
        relay.cut();
        for call in calls {
            within(call).await.unwrap().unwrap();
            done += 1;
        }
        assert_eq!(within(fragile.slow(1)).await.unwrap(), 1);
        done += 1;
    }
    assert_eq!(executed.load(Ordering::SeqCst), done);
    let resumed: u64 = client.stats().sessions.iter().map(|session| session.resumed).sum();
    assert_eq!(resumed, 5, "one session, resumed after each cut");
    drop(fragile);
    server.unpublish("fragile");
    all_zero(&[&server, &client]).await;
}

#[remote]
pub(crate) trait Fragile {
    async fn slow(&self, n: u64) -> Result<u64>;
    async fn panic_at_once(&self, text: &str) -> Result<()>;
    async fn panic_later(&self, text: &str) -> Result<()>;
    async fn panic_strangely(&self) -> Result<()>;
    async fn bytes(&self, bytes: Vec<u8>) -> Result<u64>;
    async fn give_bytes(&self, size: u64) -> Result<Vec<u8>>;
    async fn items(&self, items: Vec<ItemProxy>) -> Result<u64>;
    async fn poison(&self, n: Poison) -> Result<Poison>;
}

struct Glass(Arc<AtomicU64>);

/// Panics when it is decoded at 1, and when it is encoded at 2.
#[derive(Debug, PartialEq)]
pub(crate) struct Poison(u8);

impl serde::Serialize for Poison {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        assert_ne!(self.0, 2, "not to be encoded");
        serializer.serialize_u8(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Poison {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let n = u8::deserialize(deserializer)?;
        assert_ne!(n, 1, "not to be decoded");
        Ok(Self(n))
    }
}

impl Fragile for Glass {
    async fn slow(&self, n: u64) -> Result<u64> {
        self.0.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(n % 7)).await;
        Ok(n)
    }
    async fn panic_at_once(&self, text: &str) -> Result<()> {
        panic!("{text}")
    }
    async fn panic_later(&self, text: &str) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        panic!("{text}")
    }
    async fn panic_strangely(&self) -> Result<()> {
        std::panic::panic_any(7_u8)
    }
    async fn bytes(&self, bytes: Vec<u8>) -> Result<u64> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(bytes.len() as u64)
    }
    async fn give_bytes(&self, size: u64) -> Result<Vec<u8>> {
        Ok(vec![7; size as usize])
    }
    async fn items(&self, items: Vec<ItemProxy>) -> Result<u64> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(items.len() as u64)
    }
    async fn poison(&self, n: Poison) -> Result<Poison> {
        Ok(match n.0 {
            3 => Poison(2),
            n => Poison(n),
        })
    }
}

async fn glass(builder: rmi::Builder) -> (Node, Node, FragileProxy, Arc<AtomicU64>) {
    let executed = Arc::new(AtomicU64::new(0));
    let server = start(builder.listen("tcp://127.0.0.1:0")).await;
    server.publish("fragile", &FragileProxy::new(Glass(executed.clone())));
    let client = silent().await;
    let fragile = client.root(&address(&server), "fragile").await.unwrap();
    (server, client, fragile, executed)
}

#[tokio::test]
async fn a_servant_panics() {
    let (server, _client, fragile, _) = glass(Node::builder()).await;
    for (answer, expected) in [
        (within(fragile.panic_at_once("ouch")).await, "ouch"),
        (within(fragile.panic_later("ow")).await, "ow"),
        (within(fragile.panic_strangely()).await, "no text"),
        (within(fragile.poison(Poison(1))).await.map(drop), "not to be decoded"),
        (within(fragile.poison(Poison(3))).await.map(drop), "not to be encoded"),
    ] {
        let error = answer.unwrap_err();
        let RemoteError::Panicked { node, call, message } = &error else { panic!("{error}") };
        assert_eq!(*node, server.id());
        assert!(call.starts_with("rmi.Fragile/p") && message.contains(expected), "{error}");
        assert!(error.may_have_executed() && !error.is_retryable());
        assert_eq!(within(fragile.slow(3)).await.unwrap(), 3, "the node goes on");
    }
    assert_eq!(server.stats().calls_running, 0);
}

/// A panic in `Drop` is the servant's own affair, too.
struct Bomb(Arc<AtomicUsize>);

impl Item for Bomb {
    async fn ping(&self, n: u64) -> Result<u64> {
        if n > 100 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(n)
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("a panic in Drop, as it is meant to be");
    }
}

#[tokio::test]
async fn a_servants_drop_panics() {
    let (a, b) = (Site::new().await, Site::new().await);
    let (at_b, dropped) = (a.sees(&b).await, Arc::new(AtomicUsize::new(0)));
    for n in 1..=3 {
        // Its last reference goes by a Clean, and while a call of it is being executed.
        at_b.put(ItemProxy::new(Bomb(dropped.clone()))).await.unwrap();
        at_b.put(ItemProxy::new(Bomb(dropped.clone()))).await.unwrap();
        let slow = tokio::spawn({
            let item = b.keeper.first();
            async move { item.ping(101).await }
        });
        eventually("the call runs", || a.node.stats().calls_running == 1).await;
        at_b.clear().await.unwrap();
        assert_eq!(within(slow).await.unwrap().unwrap(), 101);
        eventually("both are dropped", || dropped.load(Ordering::SeqCst) == 2 * n).await;
        assert_eq!(within(at_b.count()).await.unwrap(), 0, "the session goes on");
        at_b.put(a.keeper.population.item()).await.unwrap();
        assert_eq!(within(b.shelf.ping_top(1)).await.unwrap(), 2);
        at_b.clear().await.unwrap();
    }
    drop(at_b);
    close_down(vec![a, b]).await;
}

#[tokio::test]
async fn too_large() {
    let (server, client, fragile, executed) = glass(Node::builder()).await;
    let error = within(fragile.bytes(vec![0; (64 << 20) + 1])).await.unwrap_err();
    let RemoteError::TooLarge { what, size, limit } = &error else { panic!("{error}") };
    assert!(what.contains("rmi.Fragile/bytes") && *size > 64 << 20 && *limit == 64 << 20, "{error}");
    assert!(!error.may_have_executed());

    let population = support::shelf::Population::default();
    let items = (0..4097).map(|_| population.item()).collect();
    let error = within(fragile.items(items)).await.unwrap_err();
    let RemoteError::TooLarge { what, size: 4097, limit: 4096 } = &error else { panic!("{error}") };
    assert!(what.contains("references"), "{error}");
    assert_eq!((population.alive(), executed.load(Ordering::SeqCst)), (0, 0), "nothing was executed or kept");

    let error = within(fragile.give_bytes((64 << 20) + 1)).await.unwrap_err();
    assert!(matches!(&error, RemoteError::BadReply { .. }) && error.may_have_executed(), "{error}");
    assert!(error.to_string().contains("67108864"), "{error}");
    assert_eq!(within(fragile.bytes(vec![0; 1 << 20])).await.unwrap(), 1 << 20);
    drop(fragile);
    server.unpublish("fragile");
    all_zero(&[&server, &client]).await;
}

/// Small limits slow callers down, and that is all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_limits_slow_callers_down() {
    let limits = Limits { calls: 2, frame: 1_024, ring: 65_536, ..Limits::default() };
    let (server, client, fragile, executed) = glass(Node::builder().limits(limits)).await;
    let calls: Vec<_> = (0..400)
        .map(|n| {
            let fragile = fragile.clone();
            tokio::spawn(async move {
                assert_eq!(fragile.slow(n).await.unwrap(), n);
                assert_eq!(fragile.bytes(vec![1; 20 * n as usize]).await.unwrap(), 20 * n);
                assert_eq!(fragile.give_bytes(20 * n).await.unwrap().len() as u64, 20 * n);
            })
        })
        .collect();
    let mut most = 0;
    for call in calls {
        most = most.max(server.stats().calls_running);
        within(call).await.unwrap();
    }
    assert!(most <= 2, "{most} calls at a time");
    assert_eq!(executed.load(Ordering::SeqCst), 800);
    assert_eq!(client.stats().calls_waiting, 0);
}

/// More than this many calls that wait for room would be an unbounded queue.
#[tokio::test]
async fn a_queue_that_is_full() {
    let server =
        start(Node::builder().listen("tcp://127.0.0.1:0").limits(Limits { calls: 1, ..Limits::default() }))
            .await;
    let site = Site::at(server);
    let client = silent().await;
    let shelf: ShelfProxy = client.root(&site.address(), "shelf").await.unwrap();
    let mut stalled = Box::pin(shelf.stall(None));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(stalled.as_mut().poll(&mut context).is_pending());
    let (mut waiting, mut refused) = (Vec::new(), 0);
    for _ in 0..70_000 {
        // Without tokio's budget, for which the first poll of a task that has done much is always pending.
        let mut call = Box::pin(tokio::task::unconstrained(shelf.count()));
        match call.as_mut().poll(&mut context) {
            std::task::Poll::Pending => waiting.push(call),
            std::task::Poll::Ready(Err(RemoteError::Overloaded { node, .. })) => {
                assert_eq!(node, client.id(), "it is this side that refused");
                refused += 1;
            }
            std::task::Poll::Ready(other) => panic!("{other:?}"),
        }
    }
    assert!(refused > 1_000 && waiting.len() > 60_000, "{refused} of 70,000");
    drop((stalled, waiting));
    site.node.shutdown().await;
    client.shutdown().await;
}

#[remote(name = "test.Ledger")]
pub(crate) trait Ledger {
    async fn enter(&self, account: String, amount: u64, tags: Vec<String>) -> Result<u64>;
}

mod others {
    use super::*;

    #[remote(name = "test.Ledger")]
    pub(crate) trait Ledger {
        async fn enter(&self, account: String, amount: String, tags: Vec<String>) -> Result<u64>;
    }

    #[remote(name = "test.Ledger")]
    pub(crate) trait ShortLedger {
        async fn enter(&self, account: String, amount: u64) -> Result<u64>;
    }

    #[remote(name = "test.Ledger")]
    pub(crate) trait DeepLedger {
        async fn enter(&self, account: String, amount: u64, tags: Vec<u64>) -> Result<u64>;
    }

    #[remote(name = "test.Ledger")]
    pub(crate) trait GrownLedger {
        async fn enter(&self, account: String, amount: u64, tags: Vec<String>, more: u8) -> Result<u64>;
        async fn audit(&self) -> Result<u64>;
    }

    #[remote(name = "test.Ledger")]
    pub(crate) trait WrongLedger {
        async fn enter(&self, account: String, amount: u64, tags: Vec<String>) -> Result<String>;
    }
}

struct Book(Arc<AtomicU64>);

impl Ledger for Book {
    async fn enter(&self, _account: String, amount: u64, _tags: Vec<String>) -> Result<u64> {
        Ok(self.0.fetch_add(1, Ordering::SeqCst) + amount)
    }
}

#[tokio::test]
async fn arguments_and_results_that_do_not_decode() {
    use others::{DeepLedger as _, GrownLedger as _, Ledger as _, ShortLedger as _, WrongLedger as _};
    let (server, client) = (listening().await, silent().await);
    let called = Arc::new(AtomicU64::new(0));
    server.publish("ledger", &LedgerProxy::new(Book(called.clone())));
    let at = address(&server);
    let name = || "a".to_owned();

    let other: others::LedgerProxy = client.root(&at, "ledger").await.unwrap();
    let short: others::ShortLedgerProxy = client.root(&at, "ledger").await.unwrap();
    let deep: others::DeepLedgerProxy = client.root(&at, "ledger").await.unwrap();
    for (answer, expected, why) in [
        (other.enter(name(), "seven".into(), vec![]).await, "amount", "a text, expected u64"),
        (short.enter(name(), 7).await, "tags", "missing"),
        (deep.enter(name(), 7, vec![1]).await, "tags", "string"),
    ] {
        let error = answer.unwrap_err();
        let RemoteError::BadArgument { call, argument, reason } = &error else { panic!("{error}") };
        assert_eq!((&**call, &**argument), ("test.Ledger/enter", expected));
        assert!(reason.contains(why), "{reason}");
        assert!(!error.may_have_executed());
    }
    assert_eq!(called.load(Ordering::SeqCst), 0, "the servant was not called");

    // Further arguments are ignored; a method that is not there names both sides.
    let grown: others::GrownLedgerProxy = client.root(&at, "ledger").await.unwrap();
    assert_eq!(grown.enter(name(), 7, vec![], 1).await.unwrap(), 7);
    let error = grown.audit().await.unwrap_err();
    let RemoteError::NoSuchMethod { node, call, interface } = &error else { panic!("{error}") };
    assert_eq!((*node, &**call, &**interface), (server.id(), "test.Ledger/audit", "test.Ledger"));

    let wrong: others::WrongLedgerProxy = client.root(&at, "ledger").await.unwrap();
    let error = wrong.enter(name(), 7, vec![]).await.unwrap_err();
    assert!(matches!(&error, RemoteError::BadReply { .. }) && error.may_have_executed(), "{error}");
    assert_eq!(called.load(Ordering::SeqCst), 2);

    let error = client.root::<ShelfProxy>(&at, "ledger").await.unwrap_err();
    let RemoteError::WrongInterface { expected, found } = &error else { panic!("{error}") };
    assert_eq!((&**expected, &**found), ("rmi.Shelf", "test.Ledger"));
    assert_eq!(grown.enter(name(), 1, vec![], 1).await.unwrap(), 3);
}

#[tokio::test]
async fn an_error_of_another_node_says_where_it_comes_from() {
    let (a, b, c) = (Site::new().await, Site::new().await, Site::new().await);
    let b_at_a = a.sees(&b).await;
    b.shelf.put(b.sees(&c).await.make().await.unwrap()).await.unwrap();
    c.node.shutdown().await;
    let error = within(b_at_a.ping_top(1)).await.unwrap_err();
    assert_eq!(error.origin(), Some(b.node.id()), "{error}");
    assert!(matches!(error.root_cause(), RemoteError::Unreachable { .. }), "{error}");
    assert!(error.may_have_executed(), "this call did run");
}

#[tokio::test]
async fn a_node_that_cannot_start() {
    let taken = listening().await;
    let memory = format!("mem://{}", uuid::Uuid::new_v4());
    let _memory = start(Node::builder().listen(&memory)).await;
    for address in [address(&taken), memory] {
        match Node::builder().listen(&address).start().await.unwrap_err() {
            StartError::AddressInUse { address: named } => assert_eq!(named, address),
            other => panic!("{other}"),
        }
    }
    for bad in ["nonsense", "tcp://127.0.0.1", "http://127.0.0.1:80"] {
        let error = Node::builder().listen(bad).start().await.unwrap_err();
        assert!(matches!(&error, StartError::BadAddress { address, .. } if address == bad), "{error}");
        let error = Node::builder().advertise(bad).start().await.unwrap_err();
        assert!(matches!(&error, StartError::BadAddress { .. }), "{error}");
    }
    let error = Node::builder().listen("tcp://192.0.2.1:1").start().await.unwrap_err();
    assert!(matches!(&error, StartError::Listen { .. }), "{error}");
    for builder in [
        Node::builder().lease(Duration::from_millis(1)),
        Node::builder().handshake_timeout(Duration::ZERO),
        Node::builder().max_sessions(0),
        Node::builder().limits(Limits { frame: 1, ..Limits::default() }),
    ] {
        let error = builder.start().await.unwrap_err();
        assert!(matches!(&error, StartError::BadSetting { .. }), "{error}");
    }
    let outside = std::thread::spawn(|| {
        let mut start = Box::pin(Node::builder().start());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        start.as_mut().poll(&mut context)
    });
    let std::task::Poll::Ready(Err(error)) = outside.join().unwrap() else { panic!() };
    assert!(matches!(error, StartError::NoRuntime), "{error}");
    drop(taken);
}
