//! What becomes of references when processes are killed or stopped, and when connections break.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::time::Duration;

use rmi::{Node, Proxy, RemoteError};
use support::child::{self, Process};
use support::relay::Relay;
use support::shelf::{Item, ItemProxy, Shelf, ShelfProxy, Site, close_down};
use support::{eventually, now, silent, start, within};

const LEASE: Duration = Duration::from_secs(2);

async fn server(lease: Duration) -> Site {
    Site::at(start(Node::builder().listen("tcp://127.0.0.1:0").lease(lease)).await)
}

/// A process that holds objects of the node at the address, and does as it is told.
#[tokio::test]
#[ignore = "other tests run it in a process of its own"]
async fn child() {
    let Some((role, address)) = child::role() else { return };
    assert_eq!(role, "holder");
    let (mut node, mut ears) = (Some(silent().await), child::ears());
    let own = node.clone().unwrap();
    let shelf: ShelfProxy = own.root(&address, "shelf").await.unwrap();
    let items = shelf.make_many(3).await.unwrap();
    drop(own);
    child::say("holding");
    while let Some(command) = child::hear(&mut ears).await {
        match command.as_str() {
            "call" => match within(items[0].ping(1)).await {
                Ok(answer) => child::say(&answer.to_string()),
                Err(RemoteError::NoSuchObject { .. }) => child::say("NoSuchObject"),
                Err(RemoteError::OutcomeUnknown { .. }) => child::say("OutcomeUnknown"),
                Err(error) => child::say(&format!("{error:?}")),
            },
            "make" => match within(shelf.make()).await {
                Ok(item) => child::say(&item.ping(2).await.unwrap().to_string()),
                Err(error) => child::say(&format!("{error:?}")),
            },
            // Gives the object on top of one shelf to another, and is gone before it can do anything else.
            "pass" => {
                let other = child::hear(&mut ears).await.unwrap();
                let other: ShelfProxy = node.as_ref().unwrap().root(&other, "shelf").await.unwrap();
                other.put(items[0].clone()).await.unwrap();
                child::say("passed");
                std::process::abort();
            }
            "shutdown" => node.take().unwrap().shutdown().await,
            "drop" => drop(node.take()),
            "exit" => std::process::exit(0),
            _ => panic!("{command}"),
        }
    }
}

async fn holder(site: &Site) -> Process {
    let mut child = Process::start("holder", &site.address());
    assert_eq!(child.hear().await, "holding");
    assert_eq!(site.alive(), 3);
    assert_eq!(child.ask("call").await, "2");
    child
}

/// Waits until everything is collected: not before half of the lease.
async fn collected_after_the_lease(site: &Site) {
    let start = now();
    while start.elapsed() < LEASE / 2 {
        assert_eq!(site.alive(), 3, "collected after {:?}", start.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eventually("the objects are collected", || site.alive() == 0).await;
}

#[tokio::test]
async fn a_killed_holder() {
    let site = server(LEASE).await;
    let mut child = holder(&site).await;
    // It lives on its Pings.
    tokio::time::sleep(LEASE + LEASE / 4).await;
    assert_eq!(site.alive(), 3);
    child.kill().await;
    collected_after_the_lease(&site).await;
    close_down(vec![site]).await;
}

#[tokio::test]
async fn a_holder_that_exits_without_a_word() {
    let site = server(LEASE).await;
    let mut child = holder(&site).await;
    child.tell("exit").await;
    child.ended().await;
    collected_after_the_lease(&site).await;
    close_down(vec![site]).await;
}

#[tokio::test]
async fn a_stopped_holder() {
    let site = server(LEASE).await;
    let mut child = holder(&site).await;
    child.signal("STOP").await;
    collected_after_the_lease(&site).await;
    child.signal("CONT").await;
    // The first call may find the old session, and that its lease is over.
    let mut said = child.ask("call").await;
    if said == "OutcomeUnknown" {
        said = child.ask("call").await;
    }
    assert_eq!(said, "NoSuchObject");
    assert_eq!(child.ask("call").await, "NoSuchObject");
    // The published object is still there: it is asked for again.
    assert_eq!(child.ask("make").await, "3");
    child.tell("shutdown").await;
    close_down(vec![site]).await;
}

#[tokio::test]
async fn a_holder_stopped_for_less_than_its_lease() {
    let site = server(LEASE * 3).await;
    let mut child = holder(&site).await;
    for _ in 0..3 {
        child.signal("STOP").await;
        tokio::time::sleep(LEASE / 2).await;
        child.signal("CONT").await;
        assert_eq!(child.ask("call").await, "2");
    }
    assert_eq!(site.alive(), 3);
    child.tell("shutdown").await;
    close_down(vec![site]).await;
}

#[tokio::test]
async fn a_holder_that_shuts_down_releases_at_once() {
    for how in ["shutdown", "drop"] {
        let site = server(Duration::from_secs(3600)).await;
        let mut child = holder(&site).await;
        child.tell(how).await;
        eventually("its objects are collected", || site.alive() == 0).await;
        assert_eq!(site.node.stats().sessions.len(), 0);
        drop(child);
        close_down(vec![site]).await;
    }
}

/// The receiver has asked the owner by then: the reference does not depend on its introducer any more.
#[tokio::test]
async fn an_introducer_that_is_killed_at_once() {
    let (b, c) = (server(LEASE).await, server(LEASE).await);
    let mut child = holder(&b).await;
    child.tell("pass").await;
    assert_eq!(child.ask(&c.address()).await, "passed");
    child.ended().await;
    eventually("the other two are collected", || b.alive() == 1).await;
    tokio::time::sleep(LEASE / 2).await;
    assert_eq!(c.shelf.ping_top(1).await.unwrap(), 2);
    c.shelf.clear().await.unwrap();
    eventually("the last one is collected", || b.alive() == 0).await;
    close_down(vec![b, c]).await;
}

#[tokio::test]
async fn a_broken_connection_costs_nothing_while_the_lease_lasts() {
    let relay = Relay::new().await;
    let b = Site::at(start(relay.builder().lease(LEASE * 2)).await);
    let a = Site::new().await;
    let at_b = a.sees(&b).await;
    let item = at_b.make().await.unwrap();
    at_b.put(a.keeper.population.item()).await.unwrap();
    for n in 0..5 {
        relay.cut();
        // The call may have left before the cut was noticed; the next one finds a new session.
        if let Err(error) = within(item.ping(n)).await {
            assert!(matches!(error, RemoteError::OutcomeUnknown { .. }), "{error}");
            assert_eq!(within(item.ping(n)).await.unwrap(), n + 1);
        }
        assert_eq!((b.alive(), a.alive()), (1, 1));
    }
    // `a` listens: its object is reached through a connection that `b` makes.
    assert_eq!(b.shelf.ping_top(1).await.unwrap(), 2);
    drop((item, at_b));
    b.shelf.clear().await.unwrap();
    eventually("old sessions end with their leases", || a.alive() + b.alive() == 0).await;
    close_down(vec![a, b]).await;
}

/// An entry with pins asks again at once, however many there are: its receivers depend on it (rule 8).
#[tokio::test]
async fn references_that_were_passed_on_survive_a_broken_connection() {
    const MANY: usize = 50;
    let relay = Relay::new().await;
    let b = Site::at(start(relay.builder().lease(LEASE)).await);
    let a = Site::new().await;
    let patient = Node::builder().listen("tcp://127.0.0.1:0").handshake_timeout(LEASE * 10);
    let c = Site::at(start(patient).await);
    let (b_at_a, c_at_a) = (a.sees(&b).await, a.sees(&c).await);
    let items = b_at_a.make_many(MANY as u32).await.unwrap();

    // `c` cannot reach `b`: only the pins at `a` keep the objects.
    relay.hold_new();
    for item in items {
        c_at_a.put(item).await.unwrap();
    }
    assert_eq!(a.node.stats().pins, MANY);
    relay.flow();
    relay.cut();
    // Longer than what `b` keeps for the session that broke.
    tokio::time::sleep(LEASE * 3 / 2).await;
    assert_eq!(b.alive(), MANY, "`a` asked again for what it had passed on");
    assert_eq!(a.node.stats().pins, MANY);
    relay.release();
    eventually("`c` has asked for them itself", || a.node.stats().pins == 0).await;
    let held = c.keeper.items.lock().clone();
    for item in held {
        assert_eq!(within(item.ping(1)).await.unwrap(), 2);
    }
    drop((b_at_a, c_at_a));
    c.shelf.clear().await.unwrap();
    eventually("all are collected", || b.alive() == 0).await;
    close_down(vec![a, b, c]).await;
}

/// The owner is frozen, not gone: the holder gives up before the owner does, and says so.
#[tokio::test]
async fn a_silent_peer_is_given_up_after_its_lease() {
    let relay = Relay::new().await;
    let lease = Duration::from_millis(600);
    let b = Site::at(start(relay.builder().lease(lease)).await);
    let a = Site::new().await;
    let at_b = a.sees(&b).await;
    let item: ItemProxy = at_b.make().await.unwrap();
    relay.hold();
    let start = now();
    let error = within(at_b.stall(None)).await.unwrap_err();
    assert!(matches!(error, RemoteError::OutcomeUnknown { .. }), "{error}");
    assert!(start.elapsed() >= lease / 2, "given up after {:?}", start.elapsed());
    eventually("the owner gives up, too", || b.alive() == 0).await;
    relay.flow();
    relay.cut();
    let error = within(item.ping(1)).await.unwrap_err();
    assert!(matches!(error, RemoteError::NoSuchObject { .. }), "{error}");
    assert!(!Proxy::is_local(&item));
    drop((item, at_b));
    close_down(vec![a, b]).await;
}

/// How many sessions a node has with another, open or not.
fn sessions(of: &Site, with: &Site) -> usize {
    of.node.stats().sessions.iter().filter(|session| session.peer == Some(with.node.id())).count()
}

/// Three nodes, the first of which has published a shelf of the second.
async fn introduced(lease: Duration) -> (Site, Site, Site) {
    let (a, b, c) = (Site::new().await, server(lease).await, Site::new().await);
    a.node.publish("the shelf of another", &a.sees(&b).await);
    (a, b, c)
}

async fn through(a: &Site, c: &Site) -> ShelfProxy {
    within(c.node.root(&a.address(), "the shelf of another")).await.unwrap()
}

#[tokio::test]
async fn a_session_with_an_owner_ends_when_nothing_uses_it() {
    let (a, b, c) = introduced(Duration::from_millis(600)).await;
    for round in 0..3 {
        let shelf = through(&a, &c).await;
        assert_eq!(within(shelf.count()).await.unwrap(), 0, "round {round}");
        assert_eq!((sessions(&c, &b), sessions(&b, &c)), (1, 1));
        drop(shelf);
        eventually("both sides have forgotten the session", || sessions(&c, &b) + sessions(&b, &c) == 0)
            .await;
    }
    assert_eq!((sessions(&a, &b), sessions(&c, &a)), (1, 1), "what a program asked for stays");
    // What the owner gave itself is used like what the introducer gave.
    let item = within(through(&a, &c).await.make()).await.unwrap();
    eventually("the shelf is let go", || c.node.stats().imports == 1).await;
    assert_eq!(within(item.ping(1)).await.unwrap(), 2);
    drop(item);
    eventually("the session ends again", || sessions(&c, &b) + sessions(&b, &c) == 0).await;
    assert_eq!(b.alive(), 0);
    a.node.unpublish("the shelf of another");
    close_down(vec![a, b, c]).await;
}

#[tokio::test]
async fn a_session_that_is_used_does_not_end() {
    let lease = Duration::from_millis(600);
    let (a, b, c) = introduced(lease).await;
    let shelf = through(&a, &c).await;
    assert_eq!(within(shelf.count()).await.unwrap(), 0);
    let mut before = 0;
    let mut stays = async |what: &str| {
        let start = now();
        while start.elapsed() < lease * 3 {
            let stats = c.node.stats().sessions;
            let session = stats.iter().find(|session| session.peer == Some(b.node.id())).expect(what);
            assert!(session.bytes_sent >= before, "{what}: it is another session");
            before = session.bytes_sent;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    stays("a proxy that is held").await;
    let call = tokio::spawn(async move { shelf.stall(None).await });
    stays("a call").await;
    assert!(!call.is_finished());
    call.abort();
    eventually("nothing uses it any more", || sessions(&c, &b) + sessions(&b, &c) == 0).await;
    a.node.unpublish("the shelf of another");
    close_down(vec![a, b, c]).await;
}

/// The sessions end while proxies come and go: no call notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_are_made_as_the_session_ends() {
    let lease = Duration::from_millis(120);
    let (a, b, c) = introduced(lease).await;
    let mut ended = 0;
    for round in 0..120u64 {
        let shelf = through(&a, &c).await;
        assert_eq!(within(shelf.count()).await.unwrap(), 0, "round {round}");
        drop(shelf);
        // Around the time at which the Bye is due.
        tokio::time::sleep(lease / 3 + Duration::from_micros(100 * (round % 60))).await;
        ended += usize::from(sessions(&c, &b) == 0);
    }
    println!("{ended} sessions had ended");
    a.node.unpublish("the shelf of another");
    close_down(vec![a, b, c]).await;
}
