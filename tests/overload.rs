//! More than there is room for: callers wait, or hear that they must come back; nobody else notices, and nothing hangs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::time::Duration;

use rmi::{Limits, Node, RemoteError, remote};
use support::relay::Relay;
use support::shelf::{Shelf, Site, close_down};
use support::{Result, address, all_zero, eventually, start, within};

#[remote]
pub(crate) trait Echo {
    async fn echo(&self, bytes: Vec<u8>) -> Result<Vec<u8>>;
    async fn make(&self, size: usize) -> Result<Vec<u8>>;
    /// Makes it after a while, so that it is executed while others wait.
    async fn make_later(&self, size: usize) -> Result<Vec<u8>>;
}

struct Parrot;

impl Echo for Parrot {
    async fn echo(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        Ok(bytes)
    }
    async fn make(&self, size: usize) -> Result<Vec<u8>> {
        Ok(vec![7; size])
    }
    async fn make_later(&self, size: usize) -> Result<Vec<u8>> {
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.make(size).await
    }
}

const PIECE: usize = 100 * 1024;

/// What waits for a peer that does not read is bounded in bytes; what was accepted arrives when it reads again.
#[tokio::test]
async fn calls_to_a_peer_that_does_not_read() {
    let relay = Relay::new().await;
    let server = start(relay.builder()).await;
    server.publish("echo", &EchoProxy::new(Parrot));
    let client = start(Node::builder().max_unsent(4 << 20)).await;
    let echo: EchoProxy = client.root(&relay.address, "echo").await.unwrap();
    relay.hold();
    let calls: Vec<_> = (0..400)
        .map(|_| {
            let echo = echo.clone();
            tokio::spawn(async move { echo.echo(vec![1; PIECE]).await })
        })
        .collect();
    eventually("some are refused", || calls.iter().any(tokio::task::JoinHandle::is_finished)).await;
    relay.flow();
    let (mut answered, mut refused) = (0, 0);
    for call in calls {
        match within(call).await.unwrap() {
            Ok(bytes) => answered += usize::from(bytes.len() == PIECE),
            Err(error) => {
                assert!(matches!(error, RemoteError::Overloaded { .. }) && error.is_retryable(), "{error}");
                refused += 1;
            }
        }
    }
    assert!(answered >= 40 && refused > 0, "{answered} answered, {refused} refused");
    server.unpublish("echo");
    drop(echo);
    all_zero(&[&server, &client]).await;
}

/// A caller that does not take its answers: its further calls are refused, those of others are not.
#[tokio::test]
async fn answers_to_a_peer_that_does_not_read() {
    let relay = Relay::new().await;
    let server = start(relay.builder().listen("tcp://127.0.0.1:0").max_unsent(4 << 20)).await;
    server.publish("echo", &EchoProxy::new(Parrot));
    let (client, other) = (start(Node::builder()).await, start(Node::builder()).await);
    let echo: EchoProxy = client.root(&relay.address, "echo").await.unwrap();
    let direct = format!("unix://{}", relay.socket().display());
    let neighbour: EchoProxy = other.root(&direct, "echo").await.unwrap();
    relay.hold_back();
    let call = |later: bool| {
        let echo = echo.clone();
        tokio::spawn(async move { if later { echo.make_later(PIECE).await } else { echo.make(PIECE).await } })
    };
    // Enough to fill the ring, and what may wait behind it.
    let mut calls: Vec<_> = (0..1000).map(|n| call(n % 2 == 0)).collect();
    eventually("they are executed or refused", || {
        server.stats().sessions.iter().map(|session| session.calls_served).sum::<u64>() >= 1000
    })
    .await;
    assert_eq!(within(neighbour.make(PIECE)).await.unwrap().len(), PIECE, "another peer notices nothing");
    calls.push(call(false));
    relay.flow();
    let (mut answered, mut refused, mut lost) = (0, 0, 0);
    for call in calls {
        match within(call).await.unwrap() {
            Ok(bytes) => answered += usize::from(bytes.len() == PIECE),
            Err(RemoteError::Overloaded { .. }) => refused += 1,
            // It was executed, and there was no room for its answer.
            Err(RemoteError::BadReply { reason, .. }) => {
                assert!(reason.contains("too much memory"), "{reason}");
                lost += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(answered >= 40 && refused > 0, "{answered} answered, {refused} refused, {lost} lost");
    server.unpublish("echo");
    drop((echo, neighbour));
    all_zero(&[&server, &client, &other]).await;
}

/// Two nodes that call each other with rings and places all full.
#[tokio::test]
async fn both_sides_full() {
    let small = Limits { calls: 4, ring: 65_536, frame: 4096, ..Limits::default() };
    let node = || async { start(Node::builder().listen("tcp://127.0.0.1:0").limits(small)).await };
    let (a, b) = (node().await, node().await);
    a.publish("echo", &EchoProxy::new(Parrot));
    b.publish("echo", &EchoProxy::new(Parrot));
    let at_b: EchoProxy = a.root(&address(&b), "echo").await.unwrap();
    let at_a: EchoProxy = b.root(&address(&a), "echo").await.unwrap();
    let calls: Vec<_> = (0..600)
        .map(|n| {
            let echo = if n % 2 == 0 { at_a.clone() } else { at_b.clone() };
            tokio::spawn(async move { echo.echo(vec![3; PIECE]).await })
        })
        .collect();
    for call in calls {
        assert_eq!(within(call).await.unwrap().unwrap().len(), PIECE);
    }
    a.unpublish("echo");
    b.unpublish("echo");
    drop((at_a, at_b));
    all_zero(&[&a, &b]).await;
}

/// References that wait for an owner that does not answer are accounted for up to a bound; beyond it their introducer keeps no pins,
/// and they are asked for when they are used.
#[tokio::test]
async fn references_that_wait_for_their_owner() {
    let relay = Relay::new().await;
    let b = Site::at(start(relay.builder()).await);
    let a = Site::new().await;
    let few = Limits { objects: 8, ..Limits::default() };
    let c = Site::at(start(Node::builder().listen("tcp://127.0.0.1:0").limits(few)).await);
    let (b_at_a, c_at_a) = (a.sees(&b).await, a.sees(&c).await);
    let items = within(b_at_a.make_many(50)).await.unwrap();
    relay.hold();
    for item in &items {
        within(c_at_a.put(item.clone())).await.unwrap();
    }
    eventually("the others are unpinned", || a.node.stats().pins <= 9).await;
    assert!(a.node.stats().pins >= 8, "those within the bound wait");
    relay.flow();
    eventually("all are settled", || a.node.stats().pins == 0).await;
    // `a` holds them still: the last one is found at its first use.
    assert_eq!(within(c.shelf.ping_top(1)).await.unwrap(), 2);
    drop((items, b_at_a, c_at_a));
    within(c.shelf.clear()).await.unwrap();
    close_down(vec![a, b, c]).await;
}
