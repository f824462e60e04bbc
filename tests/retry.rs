//! How often a method is executed for one call: never twice, unless it is `#[idempotent]`; then until it succeeds, or its limit
//! is over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rmi::{Node, Proxy, RemoteError, remote};
use support::child::{self, Process};
use support::relay::Relay;
use support::shelf::{Item, ItemProxy, Population};
use support::{LIMIT, Result, address, all_zero, eventually, now, silent, start, within};
use tokio::sync::Notify;

#[remote]
pub(crate) trait Till {
    /// Counts, then waits to be let go on.
    #[idempotent]
    async fn read(&self) -> Result<u64>;
    /// The same, but not to be done twice.
    async fn pay(&self) -> Result<u64>;
    /// Calls the item.
    #[idempotent]
    async fn look_at(&self, item: ItemProxy) -> Result<u64>;
}

/// Counts in memory.
#[derive(Default)]
struct InMemory {
    executed: AtomicUsize,
    go_on: Notify,
}

impl InMemory {
    fn executed(&self) -> usize {
        self.executed.load(Ordering::SeqCst)
    }
}

struct Counter(Arc<InMemory>);

impl Till for Counter {
    async fn read(&self) -> Result<u64> {
        self.0.executed.fetch_add(1, Ordering::SeqCst);
        self.0.go_on.notified().await;
        Ok(self.0.executed() as u64)
    }
    async fn pay(&self) -> Result<u64> {
        self.read().await
    }
    async fn look_at(&self, item: ItemProxy) -> Result<u64> {
        self.read().await?;
        item.ping(1).await
    }
}

/// Counts in a file, which outlives its process.
struct OnDisk(PathBuf);

impl OnDisk {
    async fn execute(&self, what: &str) -> Result<u64> {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&self.0).unwrap();
        writeln!(file, "{what}").unwrap();
        std::future::pending().await
    }
}

fn executed(file: &Path, what: &str) -> usize {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter(|line| *line == what).count()
}

impl Till for OnDisk {
    async fn read(&self) -> Result<u64> {
        self.execute("read").await
    }
    async fn pay(&self) -> Result<u64> {
        self.execute("pay").await
    }
    async fn look_at(&self, _: ItemProxy) -> Result<u64> {
        self.execute("look_at").await
    }
}

/// A node with a till, in a process of its own. Its role is the file.
#[tokio::test]
#[ignore = "other tests run it in a process of its own"]
async fn child() {
    let Some((file, address)) = child::role() else { return };
    let node = start(Node::builder().listen(address)).await;
    node.publish("till", &TillProxy::new(OnDisk(file.into())));
    child::say(&support::address(&node));
    let _ = child::hear(&mut child::ears()).await;
}

/// A client that gives sessions up soon.
async fn impatient() -> Node {
    start(Node::builder().lease(Duration::from_secs(2)).reconnect_window(Duration::from_millis(200))).await
}

/// Keeps the client away until its sessions are over, those that could be resumed included.
async fn lose_sessions(relay: &Relay, client: &Node) {
    relay.refuse();
    let over = || client.stats().sessions.iter().all(|session| session.peer.is_none());
    eventually("its sessions are over", over).await;
    relay.flow();
}

/// A till behind a relay, as a client sees it.
async fn relayed(client: &Node) -> (Relay, Node, Arc<InMemory>, TillProxy) {
    let relay = Relay::new().await;
    let server = start(relay.builder().lease(Duration::from_secs(2))).await;
    let counts = Arc::<InMemory>::default();
    server.publish("till", &TillProxy::new(Counter(counts.clone())));
    let till = within(client.root(&relay.address, "till")).await.unwrap();
    (relay, server, counts, till)
}

#[tokio::test]
async fn an_idempotent_call_outlives_its_session() {
    let client = impatient().await;
    let (relay, server, counts, till) = relayed(&client).await;
    let call = tokio::spawn({
        let till = Proxy::with_timeout(&till, LIMIT);
        async move { till.read().await }
    });
    for times in 1..4 {
        eventually("it is executed", || counts.executed() == times).await;
        lose_sessions(&relay, &client).await;
    }
    eventually("it is executed again", || counts.executed() == 4).await;
    counts.go_on.notify_waiters();
    assert_eq!(within(call).await.unwrap().unwrap(), 4);
    server.unpublish("till");
    drop(till);
    all_zero(&[&server, &client]).await;
}

#[tokio::test]
async fn references_among_the_arguments_go_along_each_time() {
    let client = impatient().await;
    let (relay, server, counts, till) = relayed(&client).await;
    let items = Population::default();
    let call = tokio::spawn({
        let (till, item) = (Proxy::with_timeout(&till, LIMIT), items.item());
        async move { till.look_at(item).await }
    });
    for times in 1..3 {
        eventually("it is executed", || counts.executed() == times).await;
        assert_eq!(items.alive(), 1);
        lose_sessions(&relay, &client).await;
    }
    eventually("it is executed again", || counts.executed() == 3).await;
    counts.go_on.notify_waiters();
    assert_eq!(within(call).await.unwrap().unwrap(), 2);
    server.unpublish("till");
    drop(till);
    all_zero(&[&server, &client]).await;
    assert_eq!(items.alive(), 0);
}

#[tokio::test]
async fn without_the_attribute_a_call_is_executed_once() {
    let client = impatient().await;
    let (relay, server, counts, till) = relayed(&client).await;
    for times in 1..4 {
        let call = tokio::spawn({
            let till = till.clone();
            async move { till.pay().await }
        });
        eventually("it is executed", || counts.executed() == times).await;
        lose_sessions(&relay, &client).await;
        let error = within(call).await.unwrap().unwrap_err();
        assert!(matches!(error, RemoteError::OutcomeUnknown { .. }) && error.may_have_executed(), "{error}");
        // What comes after it in the new session finds it executed once.
        within(client.root::<TillProxy>(&relay.address, "till")).await.unwrap();
        assert_eq!(counts.executed(), times);
    }
    server.unpublish("till");
    drop(till);
    all_zero(&[&server, &client]).await;
}

#[tokio::test]
async fn an_idempotent_call_waits_for_an_owner_that_is_out_of_reach() {
    let client = silent().await;
    let (relay, server, counts, till) = relayed(&client).await;
    relay.refuse();
    relay.cut();
    eventually("it is cut", || client.stats().sessions.iter().all(|session| !session.open)).await;
    // Within its limit ..
    let hurried = Proxy::with_timeout(&till, Duration::from_millis(300));
    let error = within(hurried.read()).await.unwrap_err();
    assert!(matches!(error, RemoteError::TimedOut { after_ms: 300, .. }), "{error}");
    // .. which a scope can set as well.
    let error = within(rmi::with_timeout(Duration::from_millis(100), till.read())).await.unwrap_err();
    assert!(matches!(error, RemoteError::TimedOut { after_ms: 1..=100, .. }), "{error}");
    // The other one does not.
    assert!(matches!(within(till.pay()).await, Err(RemoteError::Unreachable { .. })));
    assert_eq!(counts.executed(), 0);
    let call = tokio::spawn({
        let till = till.clone();
        async move { till.read().await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    relay.flow();
    eventually("it is executed", || counts.executed() == 1).await;
    counts.go_on.notify_waiters();
    assert_eq!(within(call).await.unwrap().unwrap(), 1);
    server.unpublish("till");
    drop((till, hurried));
    all_zero(&[&server, &client]).await;
}

#[tokio::test]
async fn without_a_limit_the_reconnect_window_is_one() {
    let client = start(Node::builder().reconnect_window(Duration::from_millis(400))).await;
    let (relay, _server, counts, till) = relayed(&client).await;
    let call = tokio::spawn({
        let till = till.clone();
        async move { till.read().await }
    });
    eventually("it is executed", || counts.executed() == 1).await;
    relay.refuse();
    relay.cut();
    let error = within(call).await.unwrap().unwrap_err();
    let RemoteError::OutcomeUnknown { reason, .. } = &error else { panic!("{error}") };
    assert!(reason.contains("tried again"), "it says both: {reason}");
    // What never left is known not to have been executed.
    let began = now();
    let error = within(till.read()).await.unwrap_err();
    assert!(matches!(error, RemoteError::Unreachable { .. }) && !error.may_have_executed(), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(counts.executed(), 1);
}

#[tokio::test]
async fn the_server_is_killed_during_an_idempotent_call_and_restarted() {
    let file = std::env::temp_dir().join(format!("rmi-till-{}", uuid::Uuid::new_v4().simple()));
    let role = file.to_str().unwrap();
    let mut server = Process::start(role, "tcp://127.0.0.1:0");
    let target = server.hear().await;
    let client = silent().await;
    let till: TillProxy = within(client.root(&target, "till")).await.unwrap();
    let (read, pay) = (till.clone(), till.clone());
    let (read, pay) =
        (tokio::spawn(async move { read.read().await }), tokio::spawn(async move { pay.pay().await }));
    eventually("both are executed", || executed(&file, "read") + executed(&file, "pay") == 2).await;
    server.kill().await;
    let error = within(pay).await.unwrap().unwrap_err();
    assert!(matches!(error, RemoteError::OutcomeUnknown { .. }), "{error}");

    let mut restarted = Process::start(role, &target);
    assert_eq!(restarted.hear().await, target);
    // The object is gone with its process, for good; and the first attempt may have been executed.
    let error = within(read).await.unwrap().unwrap_err();
    let RemoteError::OutcomeUnknown { reason, .. } = &error else { panic!("{error}") };
    assert!(reason.contains("tried again") && reason.contains("has no object"), "{reason}");
    // A call of an object that is gone is not tried again.
    let began = now();
    let error = within(till.read()).await.unwrap_err();
    assert!(matches!(error, RemoteError::NoSuchObject { .. }) && !error.may_have_executed(), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
    // Another object is not called in its place.
    assert_eq!((executed(&file, "read"), executed(&file, "pay")), (1, 1));
    restarted.kill().await;
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test]
async fn a_description_says_what_may_be_made_twice() {
    let (server, client) = (support::listening().await, silent().await);
    server.publish("till", &TillProxy::new(Counter(Arc::default())));
    let till: rmi::AnyProxy = within(client.root(&address(&server), "till")).await.unwrap();
    let description = within(till.describe()).await.unwrap();
    let flags = |m: &rmi_core::invoke::MethodDescription| (m.name.clone(), m.idempotent, m.no_cancel);
    let flags: Vec<_> = description.methods.iter().map(flags).collect();
    let expected = [("read", true), ("pay", false), ("look_at", true)];
    assert_eq!(flags, expected.map(|(name, idempotent)| (name.to_owned(), idempotent, false)));
}
