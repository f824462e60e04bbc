//! Calls of one caller through one proxy start in the order in which they were made, whatever they carry and whatever happens to their connection.
#![expect(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use parking_lot::Mutex;
use rmi::{Node, remote};
use support::relay::Relay;
use support::{Result, address, eventually, listening, silent, start, within};

/// Writes down which calls started, in which order.
#[remote]
pub trait Log {
    async fn small(&self, n: u64) -> Result<()>;
    async fn large(&self, n: u64, ballast: &[u8]) -> Result<()>;
    /// Calls the object, which may be the caller's, or a third node's that is to be dialed.
    async fn reference(&self, n: u64, item: LogProxy) -> Result<()>;
    /// Is not done at once.
    async fn waits(&self, n: u64) -> Result<()>;
    async fn read(&self) -> Result<Vec<u64>>;
}

#[derive(Default)]
struct Pages(Mutex<Vec<u64>>);

impl Pages {
    fn write(&self, n: u64) {
        self.0.lock().push(n);
    }
}

impl Log for Pages {
    async fn small(&self, n: u64) -> Result<()> {
        self.write(n);
        Ok(())
    }
    async fn large(&self, n: u64, _ballast: &[u8]) -> Result<()> {
        self.write(n);
        Ok(())
    }
    async fn reference(&self, n: u64, item: LogProxy) -> Result<()> {
        self.write(n);
        item.small(n).await
    }
    async fn waits(&self, n: u64) -> Result<()> {
        self.write(n);
        tokio::task::yield_now().await;
        Ok(())
    }
    async fn read(&self) -> Result<Vec<u64>> {
        Ok(self.0.lock().clone())
    }
}

type Call<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// How many calls are made before the first is awaited.
const CALLS: u64 = 300;

/// Who makes calls.
struct Caller {
    log: LogProxy,
    /// Its own object, and one of a third node.
    own: LogProxy,
    third: LogProxy,
    /// In several frames, in one, and in one with others.
    ballast: [Vec<u8>; 3],
    server: Node,
    client: Node,
    _third: Node,
}

impl Caller {
    async fn new(server: Node, at: &str) -> Self {
        server.publish("log", &LogProxy::new(Pages::default()));
        let (client, third) = (silent().await, listening().await);
        third.publish("log", &LogProxy::new(Pages::default()));
        Self {
            log: client.root(at, "log").await.unwrap(),
            own: LogProxy::new(Pages::default()),
            third: client.root(&address(&third), "log").await.unwrap(),
            ballast: [1_000_000, 70_000, 500].map(|size| vec![7; size]),
            server,
            client,
            _third: third,
        }
    }

    fn call(&self, n: u64) -> Call<'_> {
        match n {
            n if n % 50 == 0 => Box::pin(self.log.large(n, &self.ballast[0])),
            n if n % 17 == 0 => Box::pin(self.log.large(n, &self.ballast[1])),
            n if n % 5 == 0 => Box::pin(self.log.large(n, &self.ballast[2])),
            n if n % 7 == 0 => Box::pin(self.log.reference(n, self.own.clone())),
            n if n % 11 == 0 => Box::pin(self.log.reference(n, self.third.clone())),
            n if n % 3 == 0 => Box::pin(self.log.waits(n)),
            n => Box::pin(self.log.small(n)),
        }
    }

    /// Makes all calls from one task, then awaits them. `between` is awaited after each was made.
    async fn call_all(&self, mut between: impl AsyncFnMut(u64)) {
        let mut calls = Vec::new();
        for n in 0..CALLS {
            let mut call = self.call(n);
            // A call is made when it is polled.
            match poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await {
                Poll::Ready(done) => done.unwrap(),
                Poll::Pending => calls.push(call),
            }
            between(n).await;
        }
        for call in calls {
            within(call).await.unwrap();
        }
        let started = within(self.log.read()).await.unwrap();
        assert_eq!(started, (0..CALLS).collect::<Vec<_>>());
    }
}

async fn calls_at_once() {
    let server = listening().await;
    let at = address(&server);
    Caller::new(server, &at).await.call_all(async |_| {}).await;
}

/// Something arrives between them: batches are of any size.
async fn calls_with_pauses() {
    let server = listening().await;
    let at = address(&server);
    let caller = Caller::new(server, &at).await;
    let pause = async |n| {
        for _ in 0..n % 4 {
            tokio::task::yield_now().await;
        }
    };
    caller.call_all(pause).await;
}

#[tokio::test]
async fn whatever_they_carry_on_one_thread() {
    calls_at_once().await;
    calls_with_pauses().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_they_carry_on_several_threads() {
    calls_at_once().await;
    calls_with_pauses().await;
}

/// Calls are under way, in several frames also, and others are made before there is another connection.
async fn connections_that_break() {
    const CUTS: u64 = 10;
    let relay = Relay::new().await;
    let caller = Caller::new(start(relay.builder()).await, &relay.address).await;
    let resumed = || {
        let sessions = caller.client.stats().sessions;
        sessions.iter().map(|session| session.resumed).max().unwrap_or(0)
    };
    let mut cuts = 0;
    let cut = async |n| {
        if n % (CALLS / CUTS) == 0 {
            eventually("the last one is healed", || resumed() == cuts).await;
            relay.cut();
            cuts += 1;
        } else if n % 2 == 0 {
            tokio::task::yield_now().await;
        }
    };
    caller.call_all(cut).await;
    assert_eq!(resumed(), CUTS);
    assert!(caller.server.stats().sessions.iter().any(|session| session.resumed == CUTS));
}

#[tokio::test]
async fn over_connections_that_break_on_one_thread() {
    connections_that_break().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn over_connections_that_break_on_several_threads() {
    connections_that_break().await;
}
