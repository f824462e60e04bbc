//! Traffic: many calls, their order, large ones beside small ones, recursion, runtimes.
#![expect(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rmi::{RemoteError, remote};
use support::shelf::{Item, ItemProxy, Keeper, Shelf, ShelfProxy, Site, close_down};
use support::{Result, address, eventually, listening, served, silent, within};

/// Writes down which calls started, in which order.
#[remote]
pub trait Log {
    async fn write(&self, n: u64, ballast: &[u8], ms: u64) -> Result<u64>;
    async fn read(&self) -> Result<Vec<u64>>;
    async fn fetch(&self, size: u64) -> Result<Vec<u8>>;
}

#[derive(Default)]
struct Pages(Mutex<Vec<u64>>);

impl Log for Pages {
    async fn write(&self, n: u64, ballast: &[u8], ms: u64) -> Result<u64> {
        self.0.lock().push(n);
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        Ok(ballast.len() as u64)
    }
    async fn read(&self) -> Result<Vec<u64>> {
        Ok(self.0.lock().clone())
    }
    async fn fetch(&self, size: u64) -> Result<Vec<u8>> {
        Ok(vec![7; size as usize])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thousands_of_calls_over_one_proxy() {
    let (_server, client, remote) = served(LogProxy::new(Pages::default())).await;
    let calls: Vec<_> = (0..10_000_u64)
        .map(|n| {
            let remote = remote.clone();
            tokio::spawn(async move {
                let size = n % 400;
                assert_eq!(remote.write(n, &vec![1; size as usize], 0).await.unwrap(), size);
                assert_eq!(remote.fetch(size).await.unwrap().len() as u64, size);
            })
        })
        .collect();
    for call in calls {
        within(call).await.unwrap();
    }
    assert_eq!(client.stats().calls_waiting, 0);
}

/// Calls start in the order in which they were made, whatever their size and duration.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_of_one_caller_to_one_object_start_in_order() {
    let (_server, _client, remote) = served(LogProxy::new(Pages::default())).await;
    let mut expected = Vec::new();
    let mut calls = Vec::new();
    for n in 0..300_u64 {
        let size = match n % 50 {
            0 => 1_000_000,
            7 => 70_000,
            _ => (n % 3) as usize * 40,
        };
        // A call leaves when it is first polled.
        let call = futures_poll(remote.clone(), n, size).await;
        calls.push(call);
        expected.push(n);
    }
    for call in calls {
        within(call).await.unwrap();
    }
    assert_eq!(remote.read().await.unwrap(), expected);
}

/// Makes a call, and returns when it has been polled once.
async fn futures_poll(remote: LogProxy, n: u64, size: usize) -> tokio::task::JoinHandle<()> {
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let call = tokio::spawn(tokio::task::unconstrained(async move {
        let ballast = vec![0; size];
        let mut call = std::pin::pin!(remote.write(n, &ballast, n % 4));
        let mut begun = Some(begun);
        let written = std::future::poll_fn(|context| {
            let polled = call.as_mut().poll(context);
            begun.take().map(|begun| begun.send(()));
            polled
        });
        assert_eq!(written.await.unwrap(), size as u64);
    }));
    has_begun.await.unwrap();
    call
}

#[tokio::test]
async fn twenty_mebibytes_both_ways() {
    let (_server, _client, remote) = served(LogProxy::new(Pages::default())).await;
    let size = 20 << 20;
    assert_eq!(within(remote.write(1, &vec![3; size], 0)).await.unwrap(), size as u64);
    let fetched = within(remote.fetch(size as u64)).await.unwrap();
    assert!(fetched.len() == size && fetched.iter().all(|byte| *byte == 7));
    // Several at once share the session.
    let ballast = vec![1; size / 4];
    let (a, b, c) = within(async {
        tokio::join!(
            remote.write(2, &ballast, 0),
            remote.fetch(size as u64 / 4),
            remote.write(3, &ballast, 0)
        )
    })
    .await;
    assert_eq!((a.unwrap(), b.unwrap().len() as u64, c.unwrap()), (5 << 20, 5 << 20, 5 << 20));
}

/// A task that has been calling does not wait for a large call of another task to the same object. One that may have begun because of it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_calls_pass_large_ones_of_other_tasks() {
    const LARGE: usize = 60 << 20;
    let (_server, client, remote) = served(LogProxy::new(Pages::default())).await;
    // Since there is a large one, it is remembered who calls.
    within(remote.write(0, &vec![3; 1 << 20], 0)).await.unwrap();
    let mut passed = false;
    // On a busy machine the small call may come too late for an honest race.
    for n in (10..210).step_by(10) {
        within(remote.write(n, &[], 0)).await.unwrap();
        let before = client.stats().bytes_sent;
        let other = remote.clone();
        let large = tokio::spawn(async move { other.write(n + 1, &vec![3; LARGE], 0).await.unwrap() });
        eventually("the large one is under way", || client.stats().bytes_sent > before + (1 << 20)).await;
        within(remote.write(n + 2, &[], 0)).await.unwrap();
        let other = remote.clone();
        let new = tokio::spawn(async move { other.write(n + 3, &[], 0).await.unwrap() });
        within(large).await.unwrap();
        within(new).await.unwrap();
        let log = within(remote.read()).await.unwrap();
        let at = |n| log.iter().position(|started| *started == n);
        assert!(at(n + 1) < at(n + 3), "{log:?}");
        if at(n + 2) < at(n + 1) {
            passed = true;
            break;
        }
    }
    assert!(passed, "a small call waits for a large one of another task");
}

/// Small calls to other objects, and those of several frames, pass a large one that is under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_calls_do_not_wait_behind_large_ones() {
    const LARGE: usize = 60 << 20;
    let (server, client, remote) = served(LogProxy::new(Pages::default())).await;
    server.publish("small", &LogProxy::new(Pages::default()));
    let small: LogProxy = client.root(&address(&server), "small").await.unwrap();
    for arguments in [true, false] {
        let mut passed = false;
        // On a busy machine the small calls may come too late for an honest race.
        for _ in 0..20 {
            let moved = || client.stats().bytes_sent + client.stats().bytes_received;
            let before = moved();
            let large = tokio::spawn({
                let remote = remote.clone();
                async move {
                    match arguments {
                        true => assert_eq!(remote.write(1, &vec![3; LARGE], 0).await.unwrap(), LARGE as u64),
                        false => assert_eq!(remote.fetch(LARGE as u64).await.unwrap().len(), LARGE),
                    }
                }
            });
            eventually("the large one is under way", || moved() > before + (1 << 20)).await;
            assert_eq!(within(small.write(2, &[], 0)).await.unwrap(), 0);
            assert_eq!(within(small.write(3, &[1; 100_000], 0)).await.unwrap(), 100_000);
            assert_eq!(within(small.fetch(100_000)).await.unwrap().len(), 100_000);
            let still = moved() < before + LARGE as u64;
            within(large).await.unwrap();
            if still {
                passed = true;
                break;
            }
        }
        assert!(passed, "the large call came first, each time (arguments: {arguments})");
    }
}

/// Calls back while it is being polled for the first time, in the reader of its session, and again and again.
#[remote]
pub trait Ball {
    async fn throw(&self, to: &BallProxy, back: &BallProxy, times: u32) -> Result<u32>;
}

struct Player(AtomicUsize);

impl Ball for Player {
    async fn throw(&self, to: &BallProxy, back: &BallProxy, times: u32) -> Result<u32> {
        self.0.fetch_add(1, Ordering::SeqCst);
        match times {
            0 => Ok(0),
            _ => Ok(1 + to.throw(back, to, times - 1).await?),
        }
    }
}

async fn recursion() {
    let (a, b) = (listening().await, listening().await);
    let players = [Arc::new(Player(0.into())), Arc::new(Player(0.into()))];
    a.publish("player", &BallProxy::from_arc(players[0].clone()));
    b.publish("player", &BallProxy::from_arc(players[1].clone()));
    let a_at_b: BallProxy = b.root(&address(&a), "player").await.unwrap();
    let b_at_a: BallProxy = a.root(&address(&b), "player").await.unwrap();
    let own: BallProxy = a.root(&address(&a), "player").await.unwrap();
    assert_eq!(within(b_at_a.throw(&own, &b_at_a, 100)).await.unwrap(), 100);
    let thrown = players.each_ref().map(|player| player.0.load(Ordering::SeqCst));
    assert_eq!(thrown, [50, 51]);
    drop((a_at_b, b_at_a, own));
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test]
async fn recursion_between_two_nodes_on_one_thread() {
    recursion().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn recursion_between_two_nodes_on_several_threads() {
    recursion().await;
}

/// A servant that uses all of its first poll, and one that blocks its thread, on both runtimes.
#[test]
fn two_nodes_on_two_runtimes() {
    let multi = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let current = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let site = multi.block_on(Site::new());
    let shelf: ShelfProxy = current.block_on(async {
        let client = silent().await;
        let shelf: ShelfProxy = client.root(&site.address(), "shelf").await.unwrap();
        shelf.put(ItemProxy::new(Slow)).await.unwrap();
        assert_eq!(within(shelf.ping_top(1)).await.unwrap(), 1);
        // A proxy is no part of a runtime: it can be called from another one.
        let elsewhere = shelf.clone();
        let called = multi.spawn(async move { elsewhere.count().await });
        assert_eq!(within(called).await.unwrap().unwrap(), 1);
        within(client.shutdown()).await;
        shelf
    });
    let error = multi.block_on(within(shelf.count())).unwrap_err();
    assert!(matches!(&error, RemoteError::ShuttingDown { .. }), "{error}");
    drop(shelf);
    drop(current);
    multi.block_on(close_down(vec![site]));
}

struct Slow;

impl Item for Slow {
    async fn ping(&self, n: u64) -> Result<u64> {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        std::thread::sleep(Duration::from_millis(10));
        Ok(n)
    }
}

/// Nobody is left to run a runtime that was dropped: callers elsewhere are told.
#[test]
fn a_runtime_that_is_dropped_takes_its_node_along() {
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let site = runtime.block_on(async { Site::new().await });
    let keeper: std::sync::Weak<Keeper> = Arc::downgrade(&site.keeper);
    let (address, client) = (site.address(), runtime.block_on(silent()));
    let held: ShelfProxy = runtime.block_on(client.root(&address, "shelf")).unwrap();
    let in_flight = other.spawn({
        let held = held.clone();
        async move { held.stall(None).await }
    });
    let mine: ShelfProxy = {
        let _entered = other.enter();
        let serving = std::thread::spawn(move || {
            runtime.block_on(async { tokio::time::sleep(Duration::from_millis(200)).await });
            runtime
        });
        let node = other.block_on(silent());
        let shelf: ShelfProxy = other.block_on(within(node.root(&address, "shelf"))).unwrap();
        drop(serving.join().unwrap());
        let error = other.block_on(within(shelf.count())).unwrap_err();
        let definite = matches!(error, RemoteError::OutcomeUnknown { .. } | RemoteError::Unreachable { .. });
        assert!(definite, "{error}");
        shelf
    };
    // The nodes of the runtime that is gone can be asked, and dropped.
    for _ in 0..2 {
        assert!(other.block_on(within(client.root::<ShelfProxy>(&address, "shelf"))).is_err());
        assert!(other.block_on(within(held.count())).is_err());
    }
    assert!(other.block_on(within(in_flight)).unwrap().is_err());
    drop((site, client, mine, held));
    drop(other);
    assert!(keeper.upgrade().is_none());
}

#[tokio::test]
async fn a_reply_after_its_caller_gave_up() {
    let (a, b) = (Site::new().await, Site::new().await);
    let at_b = a.sees(&b).await;
    for n in 0..100 {
        let mut call = Box::pin(at_b.echo_later(a.keeper.population.item(), n % 3));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending());
        if n % 2 == 0 {
            tokio::task::yield_now().await;
        }
        drop(call);
    }
    assert_eq!(at_b.count().await.unwrap(), 0, "the proxy goes on working");
    eventually("the arguments come home and go", || a.alive() == 0).await;
    assert_eq!(a.node.stats().calls_waiting, 0);
    drop(at_b);
    close_down(vec![a, b]).await;
}
