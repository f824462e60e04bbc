//! Distributed collection with counted servants, over TCP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rmi::{Limits, Node, Proxy, RemoteError, remote};
use support::shelf::{Counted, Item, ItemProxy, Keeper, Population, Shelf, ShelfProxy, Site, close_down};
use support::{Random, Result, address, all_zero, eventually, listening, silent, start, within};

async fn pair() -> (Site, Site, ShelfProxy) {
    let (a, b) = (Site::new().await, Site::new().await);
    let at_b = a.sees(&b).await;
    (a, b, at_b)
}

#[tokio::test]
async fn two_nodes_drop_everything() {
    let (a, b, at_b) = pair().await;
    let made = at_b.make_many(3).await.unwrap();
    let one = at_b.make().await.unwrap();
    assert_eq!(b.alive(), 4);
    at_b.put(a.keeper.population.item()).await.unwrap();
    at_b.put(one.clone()).await.unwrap();
    assert_eq!((a.alive(), b.keeper.items.lock().len()), (1, 2));
    drop(made);
    eventually("three of four are collected", || b.alive() == 1).await;
    drop(one);
    at_b.clear().await.unwrap();
    eventually("the last ones are collected", || b.alive() == 0 && a.alive() == 0).await;
    drop(at_b);
    close_down(vec![a, b]).await;
}

#[tokio::test]
async fn a_clone_keeps_the_object() {
    let (a, b, at_b) = pair().await;
    let one = at_b.make().await.unwrap();
    let (clone, upcast) = (one.clone(), rmi::AnyProxy::from(&one));
    drop(one);
    at_b.count().await.unwrap();
    assert_eq!(clone.ping(1).await.unwrap(), 2);
    drop(clone);
    at_b.count().await.unwrap();
    assert_eq!(b.alive(), 1, "the untyped proxy holds it");
    drop(upcast);
    eventually("it is collected", || b.alive() == 0).await;
    drop(at_b);
    close_down(vec![a, b]).await;
}

#[tokio::test]
async fn held_by_a_third_node_alone() {
    let (a, b, c) = (Site::new().await, Site::new().await, Site::new().await);
    let (b_at_a, c_at_a) = (a.sees(&b).await, a.sees(&c).await);
    // As an argument.
    let item = b_at_a.make().await.unwrap();
    c_at_a.put(item).await.unwrap();
    // As a result: what `b` got from `a` it gives to `c`.
    let b_at_c = c.sees(&b).await;
    b_at_a.put(a.keeper.population.item()).await.unwrap();
    let of_a = b_at_c.take().await.unwrap().unwrap();
    assert_eq!(of_a.ping(3).await.unwrap(), 4);

    eventually("the introducers hold nothing", || a.node.stats().pins + b.node.stats().pins == 0).await;
    for _ in 0..20 {
        assert_eq!(c.shelf.ping_top(1).await.unwrap(), 2);
        assert_eq!((a.alive(), b.alive()), (1, 1));
    }
    drop((of_a, b_at_a, b_at_c, c_at_a));
    c.shelf.clear().await.unwrap();
    eventually("both are collected", || a.alive() + b.alive() == 0).await;
    close_down(vec![a, b, c]).await;
}

#[tokio::test]
async fn held_by_a_third_node_after_the_introducer_left() {
    let (a, b, c) = (Site::new().await, Site::new().await, Site::new().await);
    let (b_at_a, c_at_a) = (a.sees(&b).await, a.sees(&c).await);
    c_at_a.put(b_at_a.make().await.unwrap()).await.unwrap();
    drop((b_at_a, c_at_a));
    a.node.shutdown().await;
    drop(a);
    for n in 0..20 {
        assert_eq!(c.shelf.ping_top(n).await.unwrap(), n + 1);
    }
    assert_eq!(b.alive(), 1);
    c.shelf.clear().await.unwrap();
    eventually("it is collected", || b.alive() == 0).await;
    close_down(vec![b, c]).await;
}

#[tokio::test]
async fn four_nodes_pass_it_on() {
    let sites = [Site::new().await, Site::new().await, Site::new().await, Site::new().await];
    let [a, b, c, d] = &sites;
    let path = vec![a.sees(c).await, a.sees(d).await];
    let at_b = a.sees(b).await;
    at_b.forward(a.keeper.population.item(), path.clone()).await.unwrap();
    assert_eq!(d.keeper.items.lock().len(), 1);
    assert_eq!(d.shelf.ping_top(1).await.unwrap(), 2);
    assert_eq!(a.alive(), 1);
    drop((path, at_b));
    d.shelf.clear().await.unwrap();
    eventually("it is collected", || a.alive() == 0).await;
    close_down(sites.into()).await;
}

/// The sender's last proxy goes while the reference is under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_sender_drops_at_once() {
    let (a, b, c) = (Site::new().await, Site::new().await, Site::new().await);
    let (b_at_a, c_at_a, c_at_b) = (a.sees(&b).await, a.sees(&c).await, b.sees(&c).await);
    for round in 0..300 {
        // The proxy is moved into the call, and dropped when its argument has been encoded.
        c_at_a.put(b_at_a.make().await.unwrap()).await.unwrap();
        c_at_b.put(b.keeper.population.item()).await.unwrap();
        if round % 10 == 0 {
            // `c` introduces `b`'s object to `a` and forgets it at once.
            let back = c_at_a.take().await.unwrap().unwrap();
            assert_eq!(back.ping(round).await.unwrap(), round + 1);
        }
    }
    let (kept, alive) = (c.keeper.items.lock().len(), b.alive());
    assert_eq!(kept, 570);
    assert!(alive >= kept, "{alive} of {kept} are alive");
    for _ in 0..kept {
        c.shelf.ping_top(1).await.unwrap();
        c.shelf.take().await.unwrap();
    }
    eventually("all are collected", || b.alive() == 0).await;
    drop((b_at_a, c_at_a, c_at_b));
    close_down(vec![a, b, c]).await;
}

/// The owner sends a reference again while the client's Clean is on its way (rule 6). The reference that crosses is the
/// last one: nothing else keeps the object.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reference_crosses_a_clean() {
    let callers: Vec<_> = (0..4).map(|_| tokio::spawn(cross_a_clean())).collect();
    for caller in callers {
        within(caller).await.unwrap();
    }
}

async fn cross_a_clean() {
    let (a, b, at_b) = pair().await;
    for n in 0..1000 {
        let item = at_b.make().await.unwrap();
        at_b.put(item.clone()).await.unwrap();
        // The shelf is asked for what it keeps, then the proxy is dropped: its Clean follows the question.
        let mut again = Box::pin(tokio::task::unconstrained(at_b.take()));
        let asked = again.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
        drop(item);
        let item = match asked {
            std::task::Poll::Ready(item) => item,
            std::task::Poll::Pending => within(again).await,
        };
        assert_eq!(within(item.unwrap().unwrap().ping(n)).await.unwrap(), n + 1);
    }
    eventually("all are collected", || b.alive() == 0).await;
    drop(at_b);
    close_down(vec![a, b]).await;
}

/// The owner's only handle is the reference in flight, and the caller gives up at once.
#[tokio::test]
async fn a_caller_drops_its_proxy_while_the_argument_is_in_flight() {
    let (a, b, at_b) = pair().await;
    let c = Site::new().await;
    let c_at_a = a.sees(&c).await;
    let mut answers = Vec::new();
    for _ in 0..50 {
        let (own, foreign) = (a.keeper.population.item(), at_b.make().await.unwrap());
        let c_at_a = c_at_a.clone();
        answers.push(tokio::spawn(async move {
            (c_at_a.echo_later(own, 20).await, c_at_a.echo_later(foreign, 20).await)
        }));
    }
    for answer in answers {
        let (own, foreign) = within(answer).await.unwrap();
        let (own, foreign) = (own.unwrap(), foreign.unwrap());
        assert!(Proxy::is_local(&own) && !Proxy::is_local(&foreign));
        assert_eq!((own.ping(1).await.unwrap(), foreign.ping(2).await.unwrap()), (2, 3));
    }
    drop((at_b, c_at_a));
    close_down(vec![a, b, c]).await;
}

mod old {
    use super::*;

    #[remote(name = "test.Versioned")]
    pub(crate) trait Versioned {
        async fn changed(&self, item: ItemProxy, count: u64) -> Result<u64>;
        async fn kept(&self, item: ItemProxy, size: Vec<u8>, ms: u64) -> Result<u64>;
        async fn panics(&self, item: ItemProxy) -> Result<u64>;
        async fn removed(&self, item: ItemProxy) -> Result<u64>;
    }
}

#[remote(name = "test.Versioned")]
pub(crate) trait Versioned {
    async fn changed(&self, item: ItemProxy, name: String) -> Result<u64>;
    async fn kept(&self, item: ItemProxy, size: Vec<u8>, ms: u64) -> Result<u64>;
    async fn panics(&self, item: ItemProxy) -> Result<u64>;
}

#[derive(Default)]
struct Newer(AtomicUsize);

impl Versioned for Newer {
    async fn changed(&self, _item: ItemProxy, _name: String) -> Result<u64> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(0)
    }
    async fn kept(&self, _item: ItemProxy, _size: Vec<u8>, ms: u64) -> Result<u64> {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(0)
    }
    async fn panics(&self, _item: ItemProxy) -> Result<u64> {
        panic!("as it is meant to")
    }
}

/// References inside the arguments of calls that fail, in every way in which they can, are released.
#[tokio::test]
async fn failed_calls_release_their_references() {
    use old::Versioned as _;
    let (a, b) = (Site::new().await, Site::new().await);
    let limits = Limits { partial: 4_096, frame: 1_024, message: 1 << 20, ..Limits::default() };
    let server = start(Node::builder().listen("tcp://127.0.0.1:0").limits(limits)).await;
    let servant = Arc::new(Newer::default());
    server.publish("newer", &VersionedProxy::from_arc(servant.clone()));
    let remote: old::VersionedProxy = a.node.root(&address(&server), "newer").await.unwrap();
    let at_b = a.sees(&b).await;

    for _ in 0..20 {
        for item in [a.keeper.population.item(), at_b.make().await.unwrap()] {
            let error = remote.removed(item.clone()).await.unwrap_err();
            assert!(matches!(&error, RemoteError::NoSuchMethod { .. }), "{error}");
            let error = remote.changed(item.clone(), 7).await.unwrap_err();
            assert!(
                matches!(&error, RemoteError::BadArgument { argument, .. } if argument == "name"),
                "{error}"
            );
            let error = remote.panics(item.clone()).await.unwrap_err();
            assert!(matches!(&error, RemoteError::Panicked { .. }), "{error}");
            let error = remote.kept(item.clone(), vec![0; 2_000_000], 0).await.unwrap_err();
            assert!(matches!(&error, RemoteError::TooLarge { .. }), "{error}");
        }
    }
    assert_eq!(servant.0.load(Ordering::SeqCst), 0, "the servant was not called");

    // While 3,000 bytes of arguments are being served, 2,000 more are over the limit.
    let slow = tokio::spawn({
        let (remote, item) = (remote.clone(), a.keeper.population.item());
        async move { remote.kept(item, vec![0; 3_000], 200).await }
    });
    eventually("the slow call runs", || server.stats().calls_running == 1).await;
    let error = remote.kept(at_b.make().await.unwrap(), vec![0; 2_000], 0).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Overloaded { .. }) && error.is_retryable(), "{error}");
    within(slow).await.unwrap().unwrap();

    drop((remote, at_b));
    eventually("all are collected", || a.alive() + b.alive() == 0).await;
    server.unpublish("newer");
    all_zero(&[&server]).await;
    close_down(vec![a, b]).await;
}

#[tokio::test]
async fn a_reply_nobody_waits_for_releases_its_references() {
    let (a, b, at_b) = pair().await;
    let c = Site::new().await;
    let c_at_b = b.sees(&c).await;
    for n in 0..50 {
        // An object of the one who answers, and one of a third node.
        let item = if n % 2 == 0 { b.keeper.population.item() } else { c_at_b.make().await.unwrap() };
        b.shelf.put(item).await.unwrap();
        let gives_up = Duration::from_millis(n % 3);
        let late = async {
            let item = at_b.take().await.unwrap().unwrap();
            at_b.echo_later(item, 2).await
        };
        let _ = tokio::time::timeout(gives_up, late).await;
    }
    b.shelf.clear().await.unwrap();
    drop((at_b, c_at_b));
    eventually("all are collected", || b.alive() + c.alive() == 0).await;
    close_down(vec![a, b, c]).await;
}

#[tokio::test]
async fn a_local_proxy_keeps_the_object_and_its_identity() {
    let (a, b, at_b) = pair().await;
    let own = a.keeper.population.item();
    at_b.put(own.clone()).await.unwrap();
    let first = b.keeper.first();
    at_b.clear().await.unwrap();
    let digest = rmi::AnyProxy::from(&first).digest();
    drop(first);
    eventually("only the shelf is held", || a.node.stats().sessions.iter().all(|s| s.exports == 0)).await;
    assert_eq!(a.alive(), 1);
    at_b.put(own.clone()).await.unwrap();
    assert_eq!(rmi::AnyProxy::from(&b.keeper.first()).digest(), digest, "the same object again");
    drop(own);
    assert_eq!(b.shelf.ping_top(1).await.unwrap(), 2);
    at_b.clear().await.unwrap();
    eventually("it is collected", || a.alive() == 0).await;
    drop(at_b);
    close_down(vec![a, b]).await;
}

/// Its `Drop` uses the node in every way.
struct Busy {
    node: Node,
    shelf: ShelfProxy,
    other: Option<ItemProxy>,
    population: Population,
    dropped: Arc<AtomicUsize>,
    _counted: Counted,
}

impl Item for Busy {
    async fn ping(&self, n: u64) -> Result<u64> {
        Ok(n)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        drop(self.other.take());
        self.node.publish("grave", &self.population.item());
        let _ = self.node.stats();
        let shelf = self.shelf.clone();
        let item = self.population.item();
        let dropped = self.dropped.clone();
        tokio::spawn(async move {
            shelf.put(item).await.unwrap();
            shelf.clear().await.unwrap();
            dropped.fetch_add(1, Ordering::SeqCst);
        });
        self.node.unpublish("grave");
    }
}

#[tokio::test]
async fn a_servants_drop_may_use_the_node() {
    let (a, b, at_b) = pair().await;
    let dropped = Arc::new(AtomicUsize::new(0));
    let population = a.keeper.population.clone();
    for n in 0..100 {
        let busy = Busy {
            node: a.node.clone(),
            shelf: at_b.clone(),
            other: Some(at_b.make().await.unwrap()),
            population: population.clone(),
            dropped: dropped.clone(),
            _counted: Counted::new(&population),
        };
        let busy = ItemProxy::new(busy);
        match n % 3 {
            // Dropped by a Clean, by a replaced publication, by a failed call.
            0 => at_b.put(busy).await.unwrap(),
            1 => {
                a.node.publish("busy", &busy);
                drop(busy);
                a.node.publish("busy", &population.item());
            }
            _ => {
                let waits = Proxy::with_timeout(&at_b, Duration::from_millis(1));
                waits.echo_later(busy, 10).await.unwrap_err();
            }
        }
    }
    at_b.clear().await.unwrap();
    a.node.unpublish("busy");
    eventually("every drop has run", || dropped.load(Ordering::SeqCst) == 100).await;
    drop(at_b);
    close_down(vec![a, b]).await;
}

/// The end of a session drops servants, too.
#[tokio::test]
async fn a_servants_drop_may_use_the_node_when_a_session_ends() {
    let (a, b, at_b) = pair().await;
    let c = Site::new().await;
    let dropped = Arc::new(AtomicUsize::new(0));
    let c_at_a = a.sees(&c).await;
    for _ in 0..10 {
        let busy = Busy {
            node: a.node.clone(),
            shelf: c_at_a.clone(),
            other: Some(at_b.make().await.unwrap()),
            population: a.keeper.population.clone(),
            dropped: dropped.clone(),
            _counted: Counted::new(&a.keeper.population),
        };
        at_b.put(ItemProxy::new(busy)).await.unwrap();
    }
    b.node.shutdown().await;
    eventually("every drop has run", || dropped.load(Ordering::SeqCst) == 10).await;
    drop((at_b, b, c_at_a));
    close_down(vec![a, c]).await;
}

/// References wander over five nodes at random; in the end everything is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_random_graph_over_five_nodes_ends_empty() {
    const NODES: usize = 5;
    let mut sites = Vec::new();
    for _ in 0..NODES {
        sites.push(Site::new().await);
    }
    // at[x][y]: the shelf of y, as x sees it.
    let mut at = Vec::new();
    for x in &sites {
        let mut row = Vec::new();
        for y in &sites {
            row.push(x.sees(y).await);
        }
        at.push(row);
    }
    let mut random = Random::new("a_random_graph_over_five_nodes_ends_empty");
    let seeds: Vec<u64> = (0..8).map(|_| random.next()).collect();
    let walkers: Vec<_> = seeds
        .into_iter()
        .map(|seed| {
            let at = at.clone();
            tokio::spawn(walk(Random::from_seed(seed), at))
        })
        .collect();
    for walker in walkers {
        within(walker).await.unwrap();
    }
    // Whoever is held can be called, by each holder.
    for site in &sites {
        let held = std::mem::take(&mut *site.keeper.items.lock());
        for item in held {
            assert_eq!(within(item.ping(7)).await.unwrap(), 8);
        }
    }
    drop(at);
    close_down(sites).await;
}

async fn walk(mut random: Random, at: Vec<Vec<ShelfProxy>>) {
    let nodes = at.len();
    let mut held: Vec<ItemProxy> = Vec::new();
    for step in 0..400 {
        let (x, y, z) = (random.below(nodes), random.below(nodes), random.below(nodes));
        let shelf = &at[x][y];
        match random.below(10) {
            0 | 1 => held.push(shelf.make().await.unwrap()),
            2 if !held.is_empty() => {
                let item = held.swap_remove(random.below(held.len()));
                shelf.put(item).await.unwrap();
            }
            3 if !held.is_empty() => {
                let item = held[random.below(held.len())].clone();
                shelf.put(item).await.unwrap();
            }
            4 => held.extend(shelf.take_at(random.next()).await.unwrap()),
            5 => drop(shelf.take_at(random.next()).await.unwrap()),
            6 => match shelf.pass_top(&at[y][z]).await {
                Ok(item) => held.push(item),
                Err(error) => assert!(error.to_string().contains("the top"), "step {step}: {error}"),
            },
            7 => match shelf.ping_top(1).await {
                Ok(answer) => assert_eq!(answer, 2),
                Err(error) => assert!(error.to_string().contains("the top"), "step {step}: {error}"),
            },
            8 if !held.is_empty() => {
                let item = held[random.below(held.len())].clone();
                assert_eq!(shelf.echo(item.clone()).await.unwrap(), item);
                assert_eq!(item.ping(4).await.unwrap(), 5);
            }
            _ => {
                let path = vec![at[y][z].clone(), at[y][x].clone()];
                if let Some(item) = held.pop() {
                    shelf.forward(item, path).await.unwrap();
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_objects_come_and_go() {
    let (a, b, at_b) = pair().await;
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let at_b = at_b.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    let items = at_b.make_many(1000).await.unwrap();
                    assert_eq!(items.len(), 1000);
                    assert_eq!(items[999].ping(1).await.unwrap(), 2);
                }
            })
        })
        .collect();
    for caller in callers {
        within(caller).await.unwrap();
    }
    eventually("all are collected", || b.alive() == 0).await;
    assert!(b.node.stats().calls_served[&a.node.id()] >= 200);
    drop(at_b);
    close_down(vec![a, b]).await;
}

#[tokio::test]
async fn many_objects_under_different_sessions_of_one_pair() {
    // Crossed dials: two sessions between two nodes, each with its own tables.
    let (a, b) = (Site::new().await, Site::new().await);
    let (b_at_a, a_at_b) = (a.sees(&b).await, b.sees(&a).await);
    let item = b.keeper.population.item();
    // It arrives in the session that `a` dialed, and in the one that `b` dialed.
    b.shelf.put(item.clone()).await.unwrap();
    let first = b_at_a.top().await.unwrap();
    a_at_b.put(item.clone()).await.unwrap();
    let second = a.keeper.first();
    assert_eq!(first, second);
    drop(item);
    b.shelf.clear().await.unwrap();
    drop(first);
    b_at_a.count().await.unwrap();
    assert_eq!(second.ping(1).await.unwrap(), 2);
    a.shelf.clear().await.unwrap();
    drop(second);
    eventually("it is collected", || b.alive() == 0).await;
    drop((b_at_a, a_at_b));
    close_down(vec![a, b]).await;
}

#[tokio::test]
async fn a_node_that_leaves_takes_its_references_along() {
    let b = Site::new().await;
    let client = silent().await;
    let at_b: ShelfProxy = client.root(&b.address(), "shelf").await.unwrap();
    let items = at_b.make_many(5).await.unwrap();
    assert_eq!(b.alive(), 5);
    within(client.shutdown()).await;
    eventually("they are collected long before the lease of 30 s ends", || b.alive() == 0).await;
    let error = items[0].ping(1).await.unwrap_err();
    assert!(matches!(&error, RemoteError::ShuttingDown { node } if *node == client.id()), "{error}");

    let client = listening().await;
    let at_b: ShelfProxy = client.root(&b.address(), "shelf").await.unwrap();
    let items = at_b.make_many(5).await.unwrap();
    drop(client);
    eventually("a dropped node says Bye, too", || b.alive() == 0).await;
    drop((items, at_b));
    let keeper = Arc::downgrade(&b.keeper);
    close_down(vec![b]).await;
    assert!(keeper.upgrade().is_none_or(|k: Arc<Keeper>| k.items.lock().is_empty()));
}
