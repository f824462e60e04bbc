//! Servants that keep their thread without yielding: who is held up by that, and who is not.
#![expect(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rmi::{Builder, Node, RemoteError, remote};
use support::relay::Relay;
use support::{LIMIT, Result, address, eventually, now, start, within};
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Short, but not so short that a busy machine ends it.
const LEASE: Duration = Duration::from_secs(2);

/// Longer than that by far: without somebody who keeps it alive the session is over.
const LONG: Duration = Duration::from_secs(3);

#[remote]
pub trait Mill {
    /// Keeps its thread until it is let go.
    async fn grind(&self, n: u64) -> Result<u64>;
    /// The same after it has waited.
    async fn grind_later(&self, n: u64) -> Result<u64>;
    /// The same, and then it waits for ever.
    async fn grind_and_wait(&self) -> Result<()>;
    /// The same when it has let go of a reference, which its node has to tell.
    async fn grind_without(&self, n: u64, reference: MillProxy) -> Result<u64>;
    async fn ping(&self, n: u64) -> Result<u64>;
}

#[derive(Default)]
struct Stones {
    open: Mutex<bool>,
    opened: Condvar,
    /// How many began, and how many are at it.
    begun: AtomicUsize,
    busy: AtomicUsize,
    /// How many wait for ever.
    waiting: AtomicUsize,
}

impl Stones {
    fn turn(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.busy.fetch_add(1, Ordering::SeqCst);
        let mut open = self.open.lock();
        while !*open {
            assert!(!self.opened.wait_for(&mut open, LIMIT * 2).timed_out(), "nobody let it go");
        }
        self.busy.fetch_sub(1, Ordering::SeqCst);
    }

    fn let_go(&self) {
        *self.open.lock() = true;
        self.opened.notify_all();
    }

    fn busy(&self) -> usize {
        self.busy.load(Ordering::SeqCst)
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

/// Counted while it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Mill for Stones {
    async fn grind(&self, n: u64) -> Result<u64> {
        self.turn();
        Ok(n)
    }
    async fn grind_later(&self, n: u64) -> Result<u64> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.turn();
        Ok(n)
    }
    async fn grind_and_wait(&self) -> Result<()> {
        self.turn();
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.waiting);
        std::future::pending().await
    }
    async fn grind_without(&self, n: u64, reference: MillProxy) -> Result<u64> {
        drop(reference);
        self.turn();
        Ok(n)
    }
    async fn ping(&self, n: u64) -> Result<u64> {
        Ok(n)
    }
}

/// A node on a runtime of its own that has nothing else to do, and one that calls it from this runtime.
struct Site {
    runtime: Handle,
    /// Ends the runtime when it is dropped.
    _end: oneshot::Sender<()>,
    server: Node,
    client: Node,
    stones: Arc<Stones>,
    mill: MillProxy,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stones.let_go();
    }
}

fn threads(workers: usize) -> runtime::Builder {
    let mut threads = runtime::Builder::new_multi_thread();
    threads.worker_threads(workers);
    threads
}

impl Site {
    /// `workers`: how many threads the server's runtime has.
    async fn new(workers: usize) -> Self {
        let builder = Node::builder().listen("tcp://127.0.0.1:0");
        Self::at(threads(workers), builder.drain_timeout(Duration::from_millis(300)), None).await
    }

    /// Behind a relay.
    async fn behind(relay: &Relay, workers: usize) -> Self {
        Self::at(threads(workers), relay.builder(), Some(&relay.address)).await
    }

    async fn on_one_thread() -> Self {
        Self::at(runtime::Builder::new_current_thread(), Node::builder().listen("tcp://127.0.0.1:0"), None)
            .await
    }

    async fn at(mut threads: runtime::Builder, builder: Builder, relay: Option<&str>) -> Self {
        listen_to_logs();
        let runtime = threads.enable_all().build().unwrap();
        let (handle, (end, ended)) = (runtime.handle().clone(), oneshot::channel::<()>());
        std::thread::spawn(move || {
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        });
        let server = handle.spawn(start(builder.lease(LEASE))).await.unwrap();
        let stones = Arc::new(Stones::default());
        server.publish("mill", &MillProxy::from_arc(stones.clone()));
        let client = start(Node::builder().lease(LEASE)).await;
        let at = relay.map_or_else(|| address(&server), str::to_owned);
        let mill = within(client.root(&at, "mill")).await.unwrap();
        Self { runtime: handle, _end: end, server, client, stones, mill }
    }

    /// Makes a call of which it returns when a servant keeps its thread for it.
    async fn grind(&self, n: u64) -> JoinHandle<Result<u64>> {
        let (mill, busy) = (self.mill.clone(), self.stones.busy());
        let call = tokio::spawn(async move { mill.grind(n).await });
        eventually("the servant is at it", || self.stones.busy() == busy + 1).await;
        call
    }

    /// The same; its servant leaves something to be sent, for which it has woken the writer.
    async fn grind_without(&self, n: u64) -> JoinHandle<Result<u64>> {
        let (mill, busy) = (self.mill.clone(), self.stones.busy());
        let call =
            tokio::spawn(async move { mill.grind_without(n, MillProxy::new(Stones::default())).await });
        eventually("the servant is at it", || self.stones.busy() == busy + 1).await;
        call
    }

    /// Both nodes have one session, whose connection has broken so many times.
    #[track_caller]
    fn assert_alive(&self, resumed: u64) {
        for node in [&self.client, &self.server] {
            let sessions = node.stats().sessions;
            assert!(sessions.len() == 1 && sessions[0].open, "{sessions:#?}");
            assert_eq!(sessions[0].resumed, resumed);
        }
    }

    /// Other calls are served, for longer than the lease, and the connection stays.
    async fn serves_others(&self, resumed: u64) {
        let (began, mut n) = (now(), 0);
        while began.elapsed() < LONG {
            assert_eq!(within(self.mill.ping(n)).await.unwrap(), n);
            self.assert_alive(resumed);
            n += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What began ends, and all of it was executed once.
    async fn finishes(&self, calls: Vec<JoinHandle<Result<u64>>>) {
        let count = calls.len();
        assert_eq!((self.stones.busy(), self.stones.begun()), (count, count));
        self.stones.let_go();
        for (n, call) in calls.into_iter().enumerate() {
            assert_eq!(within(call).await.unwrap().unwrap(), n as u64);
        }
        assert_eq!(self.stones.begun(), count);
        assert_eq!(within(self.mill.ping(7)).await.unwrap(), 7);
        eventually("nothing runs", || self.server.stats().calls_running == 0).await;
        assert_eq!(self.client.stats().calls_waiting, 0);
    }

    /// How many lines of its log have both.
    fn has_logged(&self, text: &str, and: &str) -> usize {
        let node = self.server.id().to_string();
        let log = String::from_utf8(LOG.lock().clone()).unwrap();
        log.lines().filter(|line| [&node, text, and].iter().all(|part| line.contains(part))).count()
    }
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Pen;

impl io::Write for Pen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What all nodes log in this process is kept.
fn listen_to_logs() {
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(|| Pen);
    // Another test was faster.
    let _ = subscriber.with_max_level(tracing_subscriber::filter::LevelFilter::WARN).try_init();
}

const READ_ON: &str = "others read on";
const TOOK: &str = "belongs into spawn_blocking";

/// Two threads: with fewer nobody is left.
#[tokio::test]
async fn other_calls_of_the_peer_are_served() {
    let site = Site::new(2).await;
    let call = site.grind(0).await;
    site.serves_others(0).await;
    assert!(site.has_logged(READ_ON, "Mill/grind") == 1 && site.has_logged(TOOK, "") == 0);
    site.finishes(vec![call]).await;
    eventually("it is named", || site.has_logged(TOOK, "Mill/grind") == 1).await;
}

/// The node has nothing else to do: nobody wakes a thread but for the session.
#[tokio::test]
async fn a_session_without_other_calls_is_kept_alive() {
    let site = Site::new(4).await;
    let call = site.grind(0).await;
    let began = now();
    while began.elapsed() < LONG {
        tokio::time::sleep(Duration::from_millis(20)).await;
        site.assert_alive(0);
    }
    site.finishes(vec![call]).await;
}

#[tokio::test]
async fn two_at_once() {
    let site = Site::new(4).await;
    let calls = vec![site.grind(0).await, site.grind(1).await];
    site.serves_others(0).await;
    assert_eq!(site.has_logged(READ_ON, ""), 2);
    site.finishes(calls).await;
}

/// Not in its first poll, but in one of the task that it has since.
#[tokio::test]
async fn a_servant_that_waited_before() {
    let site = Site::new(4).await;
    let mill = site.mill.clone();
    let call = tokio::spawn(async move { mill.grind_later(0).await });
    eventually("the servant is at it", || site.stones.busy() == 1).await;
    site.serves_others(0).await;
    site.finishes(vec![call]).await;
    assert!(site.has_logged(TOOK, "Mill/grind_later") == 1 && site.has_logged(READ_ON, "") == 0);
}

/// The task that writes was woken by the servant, on its thread.
#[tokio::test]
async fn a_servant_that_left_something_to_be_sent() {
    let site = Site::new(4).await;
    let call = site.grind_without(0).await;
    site.serves_others(0).await;
    site.finishes(vec![call]).await;
}

#[tokio::test]
async fn a_connection_that_breaks_meanwhile() {
    let relay = Relay::new().await;
    let site = Site::behind(&relay, 4).await;
    let call = site.grind_without(0).await;
    relay.cut();
    let resumed = || site.client.stats().sessions.iter().any(|session| session.open && session.resumed == 1);
    eventually("the session goes on", resumed).await;
    assert_eq!(within(site.mill.ping(2)).await.unwrap(), 2);
    site.finishes(vec![call]).await;
}

/// It breaks when others read in its place already.
#[tokio::test]
async fn a_connection_that_breaks_after_others_have_read_on() {
    let relay = Relay::new().await;
    let site = Site::behind(&relay, 4).await;
    let call = site.grind(0).await;
    assert_eq!(within(site.mill.ping(1)).await.unwrap(), 1);
    relay.cut();
    let resumed = || site.client.stats().sessions.iter().any(|session| session.open && session.resumed == 1);
    eventually("the session goes on", resumed).await;
    assert_eq!(within(site.mill.ping(2)).await.unwrap(), 2);
    site.finishes(vec![call]).await;
}

#[tokio::test]
async fn a_caller_that_gives_up() {
    let site = Site::new(4).await;
    let call = site.grind(0).await;
    call.abort();
    assert_eq!(within(site.mill.ping(1)).await.unwrap(), 1);
    assert_eq!((site.stones.busy(), site.server.stats().calls_running), (1, 1), "nobody can stop it");
    site.stones.let_go();
    eventually("nothing runs", || site.server.stats().calls_running == 0).await;
    assert_eq!(site.stones.begun(), 1);
    all_zero_but_the_mill(&site).await;
}

/// Its servant learns of it as soon as it waits for anything.
#[tokio::test]
async fn a_caller_that_gives_up_a_servant_that_waits_afterwards() {
    let site = Site::new(4).await;
    let mill = site.mill.clone();
    let call = tokio::spawn(async move { mill.grind_and_wait().await });
    eventually("the servant is at it", || site.stones.busy() == 1).await;
    // Others read by now: the cancel is heard.
    assert_eq!(within(site.mill.ping(1)).await.unwrap(), 1);
    call.abort();
    let _ = call.await;
    let waits = || site.client.stats().calls_waiting;
    assert_eq!(within(site.mill.ping(2)).await.unwrap(), 2);
    assert_eq!(waits(), 1, "its answer is still to come");
    site.stones.let_go();
    eventually("it is stopped", || site.server.stats().calls_running == 0 && waits() == 0).await;
    assert_eq!((site.stones.begun(), site.stones.waiting.load(Ordering::SeqCst)), (1, 0));
}

#[tokio::test]
async fn a_node_that_is_shut_down() {
    let site = Site::new(4).await;
    let call = site.grind(0).await;
    let server = site.server.clone();
    let ended = site.runtime.spawn(async move { server.shutdown().await });
    let error = within(call).await.unwrap().unwrap_err();
    assert!(matches!(error, RemoteError::OutcomeUnknown { .. }), "{error}");
    assert_eq!(site.stones.busy(), 1);
    let later = within(site.mill.ping(1)).await.unwrap_err();
    assert!(!later.may_have_executed(), "{later}");
    site.stones.let_go();
    within(ended).await.unwrap();
    assert_eq!((site.stones.busy(), site.stones.begun()), (0, 1));
}

#[tokio::test]
async fn a_caller_that_is_shut_down() {
    let site = Site::new(4).await;
    let call = site.grind_without(0).await;
    within(site.client.shutdown()).await;
    let error = within(call).await.unwrap().unwrap_err();
    assert!(error.may_have_executed(), "{error}");
    eventually("its session is over", || site.server.stats().sessions.is_empty()).await;
    assert_eq!(site.stones.busy(), 1);
    // Others can call it meanwhile.
    let client = support::silent().await;
    let mill: MillProxy = client.root(&address(&site.server), "mill").await.unwrap();
    assert_eq!(within(mill.ping(3)).await.unwrap(), 3);
    site.stones.let_go();
    eventually("it returned", || site.stones.busy() == 0).await;
}

/// Nobody is there who could keep the session alive, or say what is the matter, until the servant lets go. The node goes on then.
#[tokio::test]
async fn a_runtime_with_one_thread_stands_still() {
    let site = Site::on_one_thread().await;
    let call = site.grind(0).await;
    let error = within(call).await.unwrap().unwrap_err();
    assert!(matches!(error, RemoteError::OutcomeUnknown { .. }), "{error}");
    assert!(site.stones.busy() == 1 && site.has_logged("", "Mill/grind") == 0);
    site.stones.let_go();
    eventually("it is named", || site.has_logged(TOOK, "Mill/grind") == 1).await;
    let mill: MillProxy = within(site.client.root(&address(&site.server), "mill")).await.unwrap();
    assert_eq!(within(mill.ping(2)).await.unwrap(), 2);
    eventually("nothing runs", || site.server.stats().calls_running == 0).await;
    assert_eq!(site.stones.begun(), 1);
}

async fn all_zero_but_the_mill(site: &Site) {
    let site_mill = site.mill.clone();
    assert_eq!(within(site_mill.ping(1)).await.unwrap(), 1);
    let (client, server) = (site.client.stats(), site.server.stats());
    assert_eq!((client.calls_waiting, client.imports), (0, 1), "{client:#?}");
    assert_eq!((server.calls_running, server.exports), (0, 1), "{server:#?}");
}
