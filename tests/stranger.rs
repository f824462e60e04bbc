//! A node that was written after PROTOCOL.md alone, in Python, against nodes of this crate: `tests/stranger/`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::time::Duration;

use rmi::{Builder, Limits, Node, RemoteError, remote};
use serde::{Deserialize, Serialize};
use support::shelf::{Item as _, ItemProxy, Shelf as _, Site, close_down};
use support::{Result, address, eventually, now, start, within};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The stranger, doing one of its scenarios; killed when dropped.
struct Stranger {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    checks: usize,
}

impl Stranger {
    /// `None`, and says so: there is no python3 here.
    fn start(scenario: &str, nodes: &[&Node]) -> Option<Self> {
        Self::run(scenario, &nodes.iter().map(|node| address(node)).collect::<Vec<_>>())
    }

    fn run(scenario: &str, addresses: &[String]) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stranger/checks.py");
        let mut command = Command::new("python3");
        command.args(["-B", "-u", script, scenario]).args(addresses);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        match command.spawn() {
            Ok(mut child) => {
                let stdin = child.stdin.take().unwrap();
                let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
                Some(Self { child, stdin, stdout, checks: 0 })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                println!("SKIPPED: {scenario}: there is no python3 here");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn line(&mut self) -> Option<String> {
        let line = within(self.stdout.next_line()).await.unwrap();
        if let Some(line) = &line {
            println!("{line}");
            self.checks += usize::from(line.starts_with("ok "));
        }
        line
    }

    /// Waits until the stranger waits at this point.
    #[track_caller]
    fn at(&mut self, point: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            loop {
                let line = self.line().await.unwrap_or_else(|| panic!("{place}: the stranger failed"));
                match line.strip_prefix("at ") {
                    Some(reached) if reached == point => return,
                    Some(other) => panic!("{place}: the stranger is at {other}, not at {point}"),
                    None => {}
                }
            }
        }
    }

    /// Lets it go on.
    async fn go(&mut self) {
        self.stdin.write_all(b"go\n").await.unwrap();
    }

    /// Waits until it has done all its checks; `least`: so many there are.
    async fn done(mut self, least: usize) {
        while let Some(line) = self.line().await {
            assert!(!line.starts_with("at "), "it waits: {line}");
        }
        assert!(within(self.child.wait()).await.unwrap().success(), "a check of the stranger failed");
        assert!(self.checks >= least, "{} checks, not {least}", self.checks);
    }
}

#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum DeskError {
    #[error("closed")]
    Closed,
    #[error("{missing} are missing")]
    Short { missing: u32 },
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Payment {
    Cash,
    Card(u64),
    Split(u32, u32),
    Cheque { bank: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    lines: Vec<(String, i32)>,
    note: Option<String>,
    payment: Payment,
    prices: HashMap<String, f64>,
}

/// A desk.
#[remote]
pub(crate) trait Desk {
    /// Adds.
    async fn add(&self, a: u64, b: u64) -> Result<u64>;
    async fn greet(&self, name: &str) -> Result<String>;
    async fn reverse(&self, data: Vec<u8>) -> Result<Vec<u8>>;
    async fn sort(&self, words: Vec<String>) -> Result<Vec<String>>;
    async fn count(&self, words: Vec<String>) -> Result<BTreeMap<String, u64>>;
    async fn order(&self, order: Order) -> Result<Order>;
    async fn fail(&self, how: u32) -> std::result::Result<(), DeskError>;
    async fn fault(&self, item: &ItemProxy) -> std::result::Result<(), DeskError>;
    async fn panic(&self) -> Result<()>;
    /// Calls an item twice at a time.
    async fn ping_twice(&self, item: ItemProxy) -> Result<(u64, u64)>;
    /// Never returns.
    async fn stall(&self) -> Result<()>;
}

struct Clerk;

impl Desk for Clerk {
    async fn add(&self, a: u64, b: u64) -> Result<u64> {
        Ok(a.wrapping_add(b))
    }
    async fn greet(&self, name: &str) -> Result<String> {
        Ok(format!("hello, {name}"))
    }
    async fn reverse(&self, mut data: Vec<u8>) -> Result<Vec<u8>> {
        data.reverse();
        Ok(data)
    }
    async fn sort(&self, mut words: Vec<String>) -> Result<Vec<String>> {
        words.sort();
        Ok(words)
    }
    async fn count(&self, words: Vec<String>) -> Result<BTreeMap<String, u64>> {
        let mut counts = BTreeMap::new();
        for word in words {
            *counts.entry(word).or_default() += 1;
        }
        Ok(counts)
    }
    async fn order(&self, order: Order) -> Result<Order> {
        assert_eq!(order.prices.len(), order.lines.len(), "a price for every line");
        Ok(order)
    }
    async fn fail(&self, how: u32) -> std::result::Result<(), DeskError> {
        match how {
            0 => Err(DeskError::Closed),
            missing => Err(DeskError::Short { missing }),
        }
    }
    async fn fault(&self, item: &ItemProxy) -> std::result::Result<(), DeskError> {
        item.ping(0).await?;
        Ok(())
    }
    #[expect(clippy::panic, reason = "it is what is tested")]
    async fn panic(&self) -> Result<()> {
        panic!("as it was told to");
    }
    async fn ping_twice(&self, item: ItemProxy) -> Result<(u64, u64)> {
        tokio::try_join!(item.ping(1), item.ping(2))
    }
    async fn stall(&self) -> Result<()> {
        std::future::pending().await
    }
}

/// A node with a shelf and a desk.
async fn site(builder: Builder) -> Site {
    let node = start(builder.listen("tcp://127.0.0.1:0")).await;
    node.publish("desk", &DeskProxy::new(Clerk));
    Site::at(node)
}

/// Everything that the stranger held or lent is gone; the desk and the shelf are there.
async fn is_empty(sites: &[&Site]) {
    for site in sites {
        eventually("the stranger's listings, imports, pins and calls are gone", || {
            let stats = site.node.stats();
            let listed: usize = stats.sessions.iter().map(|session| session.exports).sum();
            (listed, stats.imports, stats.pins, stats.calls_running, stats.calls_waiting) == (0, 0, 0, 0, 0)
        })
        .await;
        eventually("its objects are collected", || site.alive() == 0).await;
    }
}

/// Nothing at all is left when nothing is published any more.
async fn close(sites: Vec<Site>) {
    is_empty(&sites.iter().collect::<Vec<_>>()).await;
    for site in &sites {
        site.node.unpublish("desk");
    }
    close_down(sites).await;
}

fn narrow() -> Limits {
    Limits {
        frame: 1_024,
        table: 4_096,
        message: 100_000,
        references: 3,
        calls: 2,
        ring: 65_536,
        objects: 2,
        partial: 1_024,
    }
}

#[tokio::test]
async fn it_calls_and_understands_what_it_is_told() {
    let site = site(Node::builder()).await;
    let Some(stranger) = Stranger::start("values", &[&site.node]) else { return };
    stranger.done(40).await;
    close(vec![site]).await;
}

#[tokio::test]
async fn it_holds_and_lends_objects() {
    let site = site(Node::builder()).await;
    let Some(mut stranger) = Stranger::start("references", &[&site.node]) else { return };
    stranger.at("holds").await;
    assert_eq!(site.alive(), 1);
    assert_eq!(site.node.stats().sessions[0].exports, 2, "the shelf and the item");
    stranger.go().await;
    stranger.at("cleaned").await;
    eventually("only the shelf is listed", || site.node.stats().sessions[0].exports == 1).await;
    assert_eq!(site.alive(), 1, "it is on the shelf");
    stranger.go().await;
    stranger.at("cleared").await;
    eventually("the item is collected", || site.alive() == 0).await;
    stranger.go().await;
    stranger.at("lent").await;
    assert_eq!(site.node.stats().imports, 1);
    assert_eq!(within(site.shelf.ping_top(4)).await, Ok(40), "a call to it, while it waits");
    stranger.go().await;
    stranger.at("full").await;
    assert_eq!((site.alive(), site.node.stats().imports), (10, 1));
    stranger.go().await;
    stranger.done(15).await;
    // Its lease is longer than any test waits: this is the Bye.
    eventually("all is collected", || site.alive() == 0).await;
    assert!(within(site.shelf.ping_top(1)).await.is_err(), "what it lent is broken");
    within(site.shelf.clear()).await.unwrap();
    close(vec![site]).await;
}

#[tokio::test]
async fn it_is_the_third_of_three() {
    let (one, two) = (site(Node::builder()).await, site(Node::builder()).await);
    let Some(mut stranger) = Stranger::start("third", &[&one.node, &two.node]) else { return };
    stranger.at("passed").await;
    let between = |from: &Site, to: &Site| {
        let stats = from.node.stats();
        let session = stats.sessions.iter().find(|session| session.peer == Some(to.node.id()));
        session.map(|session| session.exports)
    };
    assert_eq!((one.alive(), between(&one, &two)), (1, Some(1)), "the second node holds it by itself");
    stranger.go().await;
    stranger.at("pinned").await;
    assert_eq!(two.node.stats().pins, 1, "it has not heard of the stranger's Held");
    assert_eq!((one.alive(), between(&one, &two)), (1, Some(1)), "a pin keeps what nobody else holds");
    stranger.go().await;
    stranger.at("unpinned").await;
    eventually("the pin is gone", || two.node.stats().pins == 0).await;
    eventually("and cleaned", || between(&one, &two) == Some(0)).await;
    assert_eq!(one.alive(), 1, "the stranger holds it");
    stranger.go().await;
    stranger.at("dropped").await;
    eventually("it is collected", || one.alive() == 0).await;
    stranger.go().await;
    stranger.at("bye").await;
    is_empty(&[&one, &two]).await;
    stranger.go().await;
    stranger.done(12).await;
    close(vec![one, two]).await;
}

#[tokio::test]
async fn it_is_at_the_other_end_of_a_pipe() {
    let site = site(Node::builder()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let Some(mut stranger) = Stranger::run("attached", &[address.clone(), address.clone(), address]) else {
        return;
    };
    for _ in 0..3 {
        let (stream, _) = within(listener.accept()).await.unwrap();
        let peer = within(site.node.attach(stream)).await.unwrap();
        stranger.at("attached").await;
        assert_eq!(site.alive(), 1);
        let item: ItemProxy = within(peer.root("mine")).await.unwrap();
        assert_eq!(within(item.ping(1)).await, Ok(2));
        let more: ItemProxy = within(peer.root("more")).await.unwrap();
        assert_eq!(within(more.ping(1)).await, Ok(3), "it has said which interfaces it has");
        let other = within(peer.root::<ItemProxy>("other")).await;
        assert!(
            matches!(&other, Err(RemoteError::WrongInterface { found, .. }) if found == "rmi.Other"),
            "{other:?}"
        );
        assert!(matches!(within(peer.root::<ItemProxy>("nothing")).await, Err(RemoteError::NotBound { .. })));
        stranger.go().await;
        within(peer.closed()).await;
        eventually("it is collected", || site.alive() == 0).await;
    }
    stranger.done(6).await;
    close(vec![site]).await;
}

#[tokio::test]
async fn messages_are_in_frames() {
    let site = site(Node::builder()).await;
    let Some(stranger) = Stranger::start("sizes", &[&site.node]) else { return };
    stranger.done(8).await;
    close(vec![site]).await;
}

#[tokio::test]
async fn both_keep_to_the_limits_of_the_other() {
    let (wide, narrow) = (site(Node::builder()).await, site(Node::builder().limits(narrow())).await);
    let Some(stranger) = Stranger::start("bounds", &[&wide.node, &narrow.node]) else { return };
    stranger.done(14).await;
    close(vec![wide, narrow]).await;
}

#[tokio::test]
async fn one_who_dies_loses_what_it_held_after_its_lease() {
    let lease = Duration::from_millis(1_500);
    let site = site(Node::builder().lease(lease)).await;
    let Some(mut stranger) = Stranger::start("dies", &[&site.node]) else { return };
    stranger.at("holds").await;
    assert_eq!((site.alive(), site.node.stats().imports), (1, 1));
    let died = now();
    stranger.child.kill().await.unwrap();
    eventually("the connection is seen to be broken", || !site.node.stats().sessions[0].open).await;
    assert!(within(site.shelf.ping_top(1)).await.is_err(), "what it lent is broken at once");
    assert_eq!(site.node.stats().sessions[0].exports, 2, "it still holds the shelf and the item");
    eventually("the item is collected", || site.alive() == 0).await;
    // Its last Ping or Ack came up to a third of the lease before.
    assert!(died.elapsed() > lease / 2, "{:?}", died.elapsed());
    within(site.shelf.clear()).await.unwrap();
    close(vec![site]).await;
}

#[tokio::test]
async fn one_who_falls_silent_loses_its_session() {
    let site = site(Node::builder().lease(Duration::from_millis(900))).await;
    let Some(mut stranger) = Stranger::start("falls_silent", &[&site.node]) else { return };
    stranger.at("idle").await;
    assert_eq!((site.alive(), site.node.stats().imports), (1, 1));
    stranger.go().await;
    stranger.at("silent").await;
    eventually("the item is collected", || site.alive() == 0).await;
    assert!(within(site.shelf.ping_top(1)).await.is_err(), "what it lent is broken");
    within(site.shelf.clear()).await.unwrap();
    stranger.go().await;
    stranger.done(5).await;
    close(vec![site]).await;
}

#[tokio::test]
async fn one_who_breaks_the_protocol_is_shown_the_door() {
    let site = site(Node::builder()).await;
    let Some(mut stranger) = Stranger::start("breaches", &[&site.node]) else { return };
    stranger.at("breached").await;
    // Long before a lease of theirs is over, only the witness is left, with the desk and the shelf.
    eventually("nothing of the others is left", || {
        let stats = site.node.stats();
        stats.sessions.len() == 1 && stats.exports == 2 && stats.imports == 0 && stats.calls_running == 0
    })
    .await;
    eventually("what they held is collected", || site.alive() == 0).await;
    within(site.shelf.clear()).await.unwrap();
    stranger.go().await;
    stranger.done(100).await;
    close(vec![site]).await;
}

#[tokio::test]
async fn a_handshake_may_be_refused() {
    let drain = Duration::from_secs(1);
    let hasty = Node::builder().handshake_timeout(Duration::from_millis(500)).drain_timeout(drain);
    let (hasty, full) = (site(hasty).await, site(Node::builder().max_sessions(2)).await);
    let Some(mut stranger) = Stranger::start("refusals", &[&hasty.node, &full.node]) else { return };
    stranger.at("draining").await;
    let node = hasty.node.clone();
    let shutdown = tokio::spawn(async move { node.shutdown().await });
    stranger.go().await;
    stranger.done(30).await;
    within(shutdown).await.unwrap();
    is_empty(&[&hasty]).await;
    close(vec![full]).await;
}
