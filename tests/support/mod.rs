//! What the integration tests share: nodes, conditions to wait for, and counted servants.
#![allow(dead_code, missing_docs, reason = "each test uses a part of it")]

pub(crate) mod child;
pub(crate) mod raw;
pub(crate) mod relay;
pub(crate) mod shelf;

use std::time::{Duration, Instant};

use rmi::{Builder, Node, NodeStats, RemoteError};

pub(crate) type Result<T> = std::result::Result<T, RemoteError>;

/// Nothing that a test waits for takes so long, however busy the machine is.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "a test measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A node that listens at a free port.
pub(crate) async fn listening() -> Node {
    start(Node::builder().listen("tcp://127.0.0.1:0")).await
}

/// A node that does not listen.
pub(crate) async fn silent() -> Node {
    start(Node::builder()).await
}

pub(crate) async fn start(builder: Builder) -> Node {
    builder.start().await.unwrap()
}

/// Where a node listens.
pub(crate) fn address(node: &Node) -> String {
    node.addresses()[0].clone()
}

/// Two nodes, and the proxy at the second one of an object that the first one has published.
pub(crate) async fn served<I: rmi::Interface>(proxy: rmi::Proxy<I>) -> (Node, Node, rmi::Proxy<I>) {
    let (server, client) = (listening().await, silent().await);
    server.publish("it", &proxy);
    let remote = client.root(&address(&server), "it").await.unwrap();
    (server, client, remote)
}

/// Awaits something that must not hang.
#[track_caller]
pub(crate) fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let place = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(LIMIT, future).await {
            Ok(output) => output,
            Err(_) => panic!("{place}: it hangs"),
        }
    }
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let start = now();
        while !condition() {
            assert!(start.elapsed() < LIMIT, "{place}: not within {LIMIT:?}: {what}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Waits until nobody holds anything of these nodes, nothing is passed on and nothing runs.
#[track_caller]
pub(crate) fn all_zero(nodes: &[&Node]) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let start = now();
        loop {
            let stats: Vec<NodeStats> = nodes.iter().map(|node| node.stats()).collect();
            let zero = |s: &NodeStats| {
                let listed: usize = s.sessions.iter().map(|session| session.exports).sum();
                (listed, s.exports, s.imports, s.pins, s.calls_running, s.calls_waiting) == (0, 0, 0, 0, 0, 0)
            };
            if stats.iter().all(zero) {
                return;
            }
            assert!(start.elapsed() < LIMIT, "{place}: something is left over: {stats:#?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// A small generator, so that a seed replays a test.
pub(crate) struct Random(u64);

impl Random {
    /// Seeded by `RMI_TEST_SEED`, or anew; prints the seed.
    pub(crate) fn new(test: &str) -> Self {
        let seed = match std::env::var("RMI_TEST_SEED") {
            Ok(seed) => seed.parse().expect("RMI_TEST_SEED is a number"),
            Err(_) => uuid::Uuid::new_v4().as_u64_pair().0,
        };
        println!("{test}: replay with RMI_TEST_SEED={seed}");
        Self(seed | 1)
    }

    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 32) as usize) % end
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 40) as u8).collect()
    }
}
