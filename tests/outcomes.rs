//! The table of failures, a row a test, on real processes: what the caller sees, and how often the method was executed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rmi::{Builder, Node, RemoteError, remote};
use support::child::{self, Process};
use support::relay::Relay;
use support::{Result, all_zero, eventually, now, start, within};

const LEASE: Duration = Duration::from_secs(3);
const WINDOW: Duration = Duration::from_secs(1);

#[remote]
pub(crate) trait Ledger {
    /// Notes `entry`, then answers.
    async fn note(&self, entry: u64) -> Result<u64>;
    /// Notes `entry`, and never answers.
    async fn stall(&self, entry: u64) -> Result<u64>;
    /// Another object of the server.
    async fn page(&self) -> Result<LedgerProxy>;
}

/// Notes in a file, which outlives its process.
#[derive(Clone)]
struct OnDisk(PathBuf);

impl Ledger for OnDisk {
    async fn note(&self, entry: u64) -> Result<u64> {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&self.0).unwrap();
        writeln!(file, "{entry}").unwrap();
        Ok(entry)
    }
    async fn stall(&self, entry: u64) -> Result<u64> {
        self.note(entry).await?;
        std::future::pending().await
    }
    async fn page(&self) -> Result<LedgerProxy> {
        Ok(LedgerProxy::new(self.clone()))
    }
}

fn settings(builder: Builder) -> Builder {
    builder.lease(LEASE).reconnect_window(WINDOW)
}

/// A node with a ledger, in a process of its own: its role is the file, its address where it listens and what it tells others.
#[tokio::test]
#[ignore = "other tests run it in a process of its own"]
async fn child() {
    let Some((file, addresses)) = child::role() else { return };
    if file == "client" {
        return client(&addresses).await;
    }
    let (listen, advertise) = addresses.split_once(' ').unwrap_or((&addresses, &addresses));
    let mut builder = settings(Node::builder().listen(listen));
    if advertise != listen {
        builder = builder.advertise(advertise);
    }
    let node = start(builder).await;
    node.publish("ledger", &LedgerProxy::new(OnDisk(file.into())));
    child::say(&support::address(&node));
    let mut ears = child::ears();
    while let Some(order) = child::hear(&mut ears).await {
        if order == "shut down" {
            node.shutdown().await;
            child::say("it is shut down");
        }
    }
}

/// A client that holds a page and waits for an answer that does not come.
async fn client(server: &str) {
    let node = start(settings(Node::builder())).await;
    let ledger: LedgerProxy = node.root(server, "ledger").await.unwrap();
    let _page = ledger.page().await.unwrap();
    let _ = ledger.stall(1).await;
}

/// A server in a process of its own, its client here, and the file of its ledger.
struct Story {
    file: PathBuf,
    server: Process,
    target: String,
    relay: Option<Relay>,
    client: Node,
    ledger: LedgerProxy,
}

impl Story {
    async fn direct() -> Self {
        Self::begin(None).await
    }

    /// The client reaches the server through a relay alone.
    async fn relayed() -> Self {
        Self::begin(Some(Relay::new().await)).await
    }

    async fn begin(relay: Option<Relay>) -> Self {
        let file = std::env::temp_dir().join(format!("rmi-ledger-{}", uuid::Uuid::new_v4().simple()));
        let addresses = match &relay {
            Some(relay) => format!("unix://{} {}", relay.socket().display(), relay.address),
            None => "tcp://127.0.0.1:0".into(),
        };
        let mut server = Process::start(file.to_str().unwrap(), &addresses);
        let target = server.hear().await;
        let client = start(settings(Node::builder())).await;
        let ledger: LedgerProxy = within(client.root(&target, "ledger")).await.unwrap();
        assert_eq!(within(ledger.note(0)).await.unwrap(), 0);
        Self { file, server, target, relay, client, ledger }
    }

    fn call(&self, entry: u64) -> tokio::task::JoinHandle<Result<u64>> {
        let ledger = self.ledger.clone();
        tokio::spawn(async move { ledger.note(entry).await })
    }

    fn call_that_stalls(&self, entry: u64) -> tokio::task::JoinHandle<Result<u64>> {
        let ledger = self.ledger.clone();
        tokio::spawn(async move { ledger.stall(entry).await })
    }

    async fn under_way(&self, calls: usize) {
        eventually("the calls are under way", || self.client.stats().calls_waiting == calls).await;
    }

    async fn executed(&self, entry: u64) {
        eventually("it is executed", || executions(&self.file, entry) == 1).await;
    }

    fn resumed(&self) -> u64 {
        self.client.stats().sessions.iter().map(|session| session.resumed).sum()
    }

    fn relay(&self) -> &Relay {
        self.relay.as_ref().unwrap()
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn executions(file: &Path, entry: u64) -> usize {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter(|line| *line == entry.to_string()).count()
}

fn is_unknown(error: &RemoteError) -> bool {
    matches!(error, RemoteError::OutcomeUnknown { .. }) && error.may_have_executed() && !error.is_retryable()
}

fn is_unreachable(error: &RemoteError) -> bool {
    matches!(error, RemoteError::Unreachable { .. }) && !error.may_have_executed() && error.is_retryable()
}

/// The call lies unread at the server.
#[tokio::test]
async fn killed_before_execution() {
    let mut story = Story::direct().await;
    story.server.signal("STOP").await;
    let call = story.call(1);
    story.under_way(1).await;
    story.server.kill().await;
    let error = within(call).await.unwrap().unwrap_err();
    assert!(is_unknown(&error), "{error}");
    assert_eq!(executions(&story.file, 1), 0);
    let error = within(story.ledger.note(2)).await.unwrap_err();
    assert!(is_unreachable(&error) && error.to_string().contains(&story.target), "{error}");
}

#[tokio::test]
async fn killed_during_execution() {
    let mut story = Story::direct().await;
    let call = story.call_that_stalls(1);
    story.executed(1).await;
    story.server.kill().await;
    let error = within(call).await.unwrap().unwrap_err();
    assert!(is_unknown(&error), "{error}");
    let error = within(story.ledger.note(2)).await.unwrap_err();
    assert!(is_unreachable(&error), "{error}");
    assert_eq!(executions(&story.file, 1), 1);
}

/// It was executed, and the answer does not arrive.
#[tokio::test]
async fn killed_after_execution() {
    let mut story = Story::relayed().await;
    story.relay().hold_back();
    let call = story.call(1);
    story.executed(1).await;
    story.server.kill().await;
    let error = within(call).await.unwrap().unwrap_err();
    assert!(is_unknown(&error), "{error}");
    assert_eq!(executions(&story.file, 1), 1);
}

/// What is called while it is not known yet that the server is gone was certainly not executed.
#[tokio::test]
async fn called_after_the_kill() {
    let mut story = Story::direct().await;
    story.server.kill().await;
    eventually("it is noticed", || story.client.stats().sessions.iter().all(|session| !session.open)).await;
    let error = within(story.ledger.note(1)).await.unwrap_err();
    assert!(is_unreachable(&error), "{error}");
}

/// Another process at the same port is another node: that is certain at once, nobody waits for the window.
#[tokio::test]
async fn restarted_on_the_same_port() {
    let mut story = Story::direct().await;
    let page = within(story.ledger.page()).await.unwrap();
    let call = story.call_that_stalls(1);
    story.executed(1).await;
    story.server.kill().await;
    let mut restarted = Process::start(story.file.to_str().unwrap(), &story.target);
    assert_eq!(restarted.hear().await, story.target);
    let error = within(call).await.unwrap().unwrap_err();
    assert!(is_unknown(&error), "{error}");
    for proxy in [&page, &story.ledger] {
        let error = within(proxy.note(2)).await.unwrap_err();
        assert!(matches!(error, RemoteError::NoSuchObject { .. }) && !error.may_have_executed(), "{error}");
    }
    let ledger: LedgerProxy = within(story.client.root(&story.target, "ledger")).await.unwrap();
    assert_eq!(within(ledger.note(3)).await.unwrap(), 3);
    assert_eq!((executions(&story.file, 1), executions(&story.file, 2)), (1, 0));
    restarted.kill().await;
}

#[tokio::test]
async fn stopped_for_less_than_the_lease() {
    let story = Story::direct().await;
    let page = within(story.ledger.page()).await.unwrap();
    story.server.signal("STOP").await;
    let calls: Vec<_> = (1..50).map(|entry| story.call(entry)).collect();
    tokio::time::sleep(LEASE / 3).await;
    story.server.signal("CONT").await;
    for (call, entry) in calls.into_iter().zip(1..) {
        assert_eq!(within(call).await.unwrap().unwrap(), entry);
        assert_eq!(executions(&story.file, entry), 1);
    }
    assert_eq!(within(page.note(50)).await.unwrap(), 50);
}

#[tokio::test]
async fn stopped_for_longer_than_the_lease() {
    let story = Story::direct().await;
    let page = within(story.ledger.page()).await.unwrap();
    story.server.signal("STOP").await;
    let began = now();
    let error = within(story.call(1)).await.unwrap().unwrap_err();
    assert!(is_unknown(&error), "{error}");
    assert!(began.elapsed() < LEASE + WINDOW + Duration::from_secs(2), "{:?}", began.elapsed());
    // Longer than the server keeps anything for this client.
    tokio::time::sleep(LEASE).await;
    story.server.signal("CONT").await;
    // What the ledger's name keeps alive is found again; what only the client held is gone, or was asked for in time.
    let healed = async { while story.ledger.note(2).await.is_err() {} };
    within(healed).await;
    match within(page.note(3)).await {
        Ok(entry) => assert_eq!(entry, 3),
        Err(error) => assert!(matches!(error, RemoteError::NoSuchObject { .. }), "{error}"),
    }
    assert!(executions(&story.file, 1) <= 1);
}

/// The connection is open and dead; others can be made. Nobody waits for the lease.
#[tokio::test]
async fn a_half_open_connection() {
    let story = Story::relayed().await;
    let page = within(story.ledger.page()).await.unwrap();
    story.relay().strand();
    let calls: Vec<_> = (1..50).map(|entry| story.call(entry)).collect();
    for (call, entry) in calls.into_iter().zip(1..) {
        assert_eq!(within(call).await.unwrap().unwrap(), entry);
        assert_eq!(executions(&story.file, entry), 1);
    }
    assert!(story.resumed() >= 1, "over another connection");
    assert_eq!(within(page.note(50)).await.unwrap(), 50);
}

/// What one side says does not arrive, for less time than anybody gives up.
#[tokio::test]
async fn a_short_one_way_partition() {
    let story = Story::relayed().await;
    for (there, first) in [(true, 1), (false, 100)] {
        match there {
            true => story.relay().hold_there(),
            false => story.relay().hold_back(),
        }
        let calls: Vec<_> = (first..first + 20).map(|entry| story.call(entry)).collect();
        tokio::time::sleep(LEASE / 4).await;
        story.relay().flow();
        for (call, entry) in calls.into_iter().zip(first..) {
            assert_eq!(within(call).await.unwrap().unwrap(), entry);
            assert_eq!(executions(&story.file, entry), 1);
        }
    }
}

/// The same for longer than the lease.
#[tokio::test]
async fn a_long_one_way_partition() {
    for (there, entry) in [(true, 1), (false, 2)] {
        let story = Story::relayed().await;
        match there {
            true => story.relay().hold_there(),
            false => story.relay().hold_back(),
        }
        let began = now();
        let error = within(story.call(entry)).await.unwrap().unwrap_err();
        assert!(is_unknown(&error), "{error}");
        assert!(began.elapsed() < LEASE + WINDOW + Duration::from_secs(2), "{:?}", began.elapsed());
        story.relay().flow();
        let healed = async { while story.ledger.note(10).await.is_err() {} };
        within(healed).await;
        assert!(executions(&story.file, entry) <= 1);
        assert_eq!(executions(&story.file, entry) == 1, !there, "the call left, or it did not");
    }
}

#[tokio::test]
async fn resets_under_load() {
    let story = Story::relayed().await;
    let cutting = async {
        loop {
            tokio::time::sleep(Duration::from_millis(15)).await;
            story.relay().cut();
        }
    };
    // As long as it takes: a few thousand calls may be answered before the first cut.
    let calling = async {
        let mut round = 0;
        while round < 20 || story.resumed() < 3 {
            let calls: Vec<_> = (1..100).map(|n| story.call(round * 100 + n)).collect();
            for (call, n) in calls.into_iter().zip(1..) {
                assert_eq!(call.await.unwrap().unwrap(), round * 100 + n);
            }
            round += 1;
        }
        round
    };
    let rounds = tokio::select! {
        rounds = within(calling) => rounds as usize,
        () = cutting => unreachable!(),
    };
    let text = std::fs::read_to_string(&story.file).unwrap();
    let mut noted: Vec<&str> = text.lines().collect();
    noted.sort_unstable();
    noted.dedup();
    assert_eq!((noted.len(), text.lines().count()), (rounds * 99 + 1, rounds * 99 + 1), "each of them once");
}

/// A name is asked of whoever listens at the address, also while a session with the one before waits for its connection.
#[tokio::test]
async fn restarted_and_asked_for_a_name_at_once() {
    let mut story = Story::direct().await;
    story.server.signal("STOP").await;
    let asking = tokio::spawn({
        let (client, target) = (story.client.clone(), story.target.clone());
        async move { client.root::<LedgerProxy>(&target, "ledger").await }
    });
    story.under_way(1).await;
    story.server.kill().await;
    let mut restarted = Process::start(story.file.to_str().unwrap(), &story.target);
    assert_eq!(restarted.hear().await, story.target);
    let ledger = within(asking).await.unwrap().unwrap();
    assert_eq!(within(ledger.note(1)).await.unwrap(), 1);
    restarted.kill().await;
}

/// A Bye is definite: nobody waits for anything.
#[tokio::test]
async fn the_server_shuts_down() {
    let mut story = Story::direct().await;
    let call = story.call_that_stalls(1);
    story.executed(1).await;
    let began = now();
    story.server.tell("shut down").await;
    let error = within(call).await.unwrap().unwrap_err();
    assert!(is_unknown(&error) && error.to_string().contains("shutting down"), "{error}");
    // The drain's time, and no more.
    assert!(began.elapsed() < Duration::from_secs(5) + WINDOW, "{:?}", began.elapsed());
    let error = within(story.ledger.note(2)).await.unwrap_err();
    assert!(is_unreachable(&error), "{error}");
    assert_eq!(story.server.hear().await, "it is shut down");
}

struct Watched(Arc<AtomicUsize>);

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Ledger for Watched {
    async fn note(&self, entry: u64) -> Result<u64> {
        Ok(entry)
    }
    async fn stall(&self, _: u64) -> Result<u64> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let _running = Running(self.0.clone());
        std::future::pending().await
    }
    async fn page(&self) -> Result<LedgerProxy> {
        Ok(LedgerProxy::new(Self(self.0.clone())))
    }
}

/// Its calls in flight are cancelled, and what it held is collected, when its lease ends.
#[tokio::test]
async fn the_client_crashes() {
    let running = Arc::new(AtomicUsize::new(0));
    let server = start(settings(Node::builder().listen("tcp://127.0.0.1:0"))).await;
    let ledger = LedgerProxy::new(Watched(running.clone()));
    server.publish("ledger", &ledger);
    let mut client = Process::start("client", &support::address(&server));
    eventually("its call is executed", || running.load(Ordering::SeqCst) == 1).await;
    assert_eq!(server.stats().exports, 2);
    client.kill().await;
    assert_eq!(running.load(Ordering::SeqCst), 1, "it may come back");
    eventually("the call is cancelled", || running.load(Ordering::SeqCst) == 0).await;
    server.unpublish("ledger");
    drop(ledger);
    all_zero(&[&server]).await;
    assert!(server.stats().sessions.is_empty());
}
