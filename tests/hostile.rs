//! Peers that keep to the letter of the protocol and mean no good, slow peers that mean no harm, and honest peers beside them.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use rmi::{Limits, Node, ObjectId, RemoteError, remote};
use rmi_core::id::MethodId;
use rmi_core::internal::wire::{
    Call, Frame, Hello, Owner, PREFACE, Refused, RefusedCode, Reply, Table, TableNode, TableReference, Target,
};
use serde::{Deserialize, Serialize};
use support::raw::{Raw, encoded, hello};
use support::relay::Relay;
use support::shelf::{Item, ItemProxy, Population, Shelf, ShelfProxy, Site, close_down};
use support::{Result, address, all_zero, eventually, now, silent, start, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// As deep as a peer likes.
#[derive(Serialize, Deserialize)]
pub(crate) enum Nest {
    Nil,
    Cons(Box<Nest>),
}

/// What a peer may abuse.
#[remote]
pub(crate) trait Yard {
    async fn put(&self, item: ItemProxy) -> Result<()>;
    async fn all(&self) -> Result<Vec<ItemProxy>>;
    async fn size(&self, data: Vec<u8>) -> Result<u64>;
    async fn fill(&self, size: u64) -> Result<Vec<u8>>;
    async fn panics(&self, size: u64) -> Result<()>;
    async fn nest(&self, nest: Nest) -> Result<()>;
    async fn stall(&self) -> Result<()>;
}

#[derive(Default)]
struct Open(Mutex<Vec<ItemProxy>>);

impl Yard for Open {
    async fn put(&self, item: ItemProxy) -> Result<()> {
        self.0.lock().push(item);
        Ok(())
    }
    async fn all(&self) -> Result<Vec<ItemProxy>> {
        Ok(self.0.lock().clone())
    }
    async fn size(&self, data: Vec<u8>) -> Result<u64> {
        Ok(data.len() as u64)
    }
    async fn fill(&self, size: u64) -> Result<Vec<u8>> {
        Ok(vec![7; size as usize])
    }
    async fn panics(&self, size: u64) -> Result<()> {
        panic!("{}", "x".repeat(size as usize))
    }
    async fn nest(&self, nest: Nest) -> Result<()> {
        // Its drop would recurse, too.
        std::mem::forget(nest);
        Ok(())
    }
    async fn stall(&self) -> Result<()> {
        std::future::pending().await
    }
}

async fn yard(builder: rmi::Builder) -> (Node, String) {
    let node = start(builder.listen("tcp://127.0.0.1:0")).await;
    node.publish("yard", &YardProxy::new(Open::default()));
    let address = address(&node);
    (node, address)
}

async fn enters(client: &Node, address: &str) -> YardProxy {
    within(client.root(address, "yard")).await.unwrap()
}

fn ring(ring: u64) -> Limits {
    Limits { ring, ..Limits::default() }
}

/// Megabytes that this process, with all of its tests, has in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4 / 1024
}

/// The object that is published under `name`.
async fn root(raw: &mut Raw, name: &str) -> ObjectId {
    raw.send(&Frame::Root { call: 1, name: name.into(), unsupported: None }).await;
    reply(raw).await.table.references[0].object
}

async fn reply(raw: &mut Raw) -> Reply {
    loop {
        if let Frame::Reply(reply) = raw.receive().await.expect("the session goes on") {
            return reply;
        }
    }
}

fn call(call: u64, object: ObjectId, method: MethodId, table: Table, payload: impl Into<Bytes>) -> Frame {
    let (target, chunk) = (Target::Object(object), payload.into());
    Frame::Call(Call {
        call,
        target,
        method,
        left_ms: None,
        unsupported: None,
        table,
        size: chunk.len() as u64,
        chunk,
    })
}

/// Sends what `next` makes, reads and forgets what comes, until the node ends the session; it must do so before long, before much has
/// been kept for this peer, and others notice nothing.
async fn is_given_up(hello: Hello, what: &str, per_write: u64, next: impl Fn(u64, ObjectId) -> Frame) {
    let (node, at) = yard(Node::builder()).await;
    let client = silent().await;
    let honest = enters(&client, &at).await;
    let (mut raw, _welcome) = Raw::greet(&at, hello).await;
    let object = root(&mut raw, "yard").await;
    let (mut reader, mut writer) = tokio::io::split(raw.stream);
    let drain = tokio::spawn(async move {
        let (mut buffer, mut tail) = (vec![0; 1 << 16], Vec::new());
        while let Ok(n @ 1..) = reader.read(&mut buffer).await {
            tail.extend_from_slice(&buffer[..n]);
            tail.drain(..tail.len().saturating_sub(200));
        }
        tail
    });
    let (began, before, mut number) = (now(), resident(), 2);
    loop {
        let mut bytes = BytesMut::new();
        for _ in 0..per_write {
            next(number, object).encode(&mut bytes);
            number += 1;
        }
        // A node that reads no more is as good as one that ends the session, as long as it keeps little.
        match tokio::time::timeout(Duration::from_secs(1), writer.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            _ => break,
        }
        let grown = resident().saturating_sub(before);
        assert!(grown < 800, "{what}: {grown} MB after {number} frames");
        assert!(began.elapsed() < Duration::from_secs(15), "{what}: it takes {number} frames, and more");
    }
    assert_eq!(within(honest.size(vec![1; 10])).await.unwrap(), 10, "{what}");
    drop(writer);
    within(drain).await.unwrap();
    eventually("only the client's session is left", || node.stats().sessions.len() == 1).await;
    drop(honest);
    all_zero(&[&client]).await;
    within(client.shutdown()).await;
    within(node.shutdown()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_that_are_never_acknowledged() {
    let small = || Hello { limits: ring(65_536), ..hello() };
    let fill = |number, object| {
        call(number, object, MethodId::of("rmi.Yard", "fill"), Table::EMPTY, &[0x91, 0xcd, 0xff, 0xff][..])
    };
    is_given_up(small(), "large replies", 200, fill).await;
    let describe = |number, object| {
        call(number, object, MethodId::of("rmi.Object", "describe"), Table::EMPTY, &[0x90][..])
    };
    is_given_up(small(), "many replies", 200, describe).await;
}

/// One byte is announced, and never comes.
fn unfinished(number: u64, object: ObjectId, table: Table) -> Frame {
    let Frame::Call(call) = call(number, object, MethodId(1), table, Bytes::new()) else { unreachable!() };
    Frame::Call(Call { size: 1, ..call })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_begun_and_never_finished() {
    is_given_up(hello(), "small ones", 500, |number, object| unfinished(number, object, Table::EMPTY)).await;
    let references = |number, object| {
        let reference = |_| TableReference {
            owner: Owner::Sender,
            object: ObjectId::random(),
            interface: 0,
            transfer: 0,
        };
        let references = (0..4_000).map(reference).collect();
        unfinished(number, object, Table { nodes: Vec::new(), interfaces: ["".into()].into(), references })
    };
    is_given_up(hello(), "with references", 1, references).await;
}

/// An object that is gone, or never was, comes home and is kept in a collection; others get that collection.
#[tokio::test]
async fn a_stale_reference_spoils_no_collection() {
    let (node, at) = yard(Node::builder()).await;
    let client = silent().await;
    let honest = enters(&client, &at).await;
    let population = Population::default();
    within(honest.put(population.item())).await.unwrap();

    let mut raw = Raw::open(&at).await;
    let object = root(&mut raw, "yard").await;
    let stale =
        TableReference { owner: Owner::Receiver, object: ObjectId::random(), interface: 0, transfer: 1 };
    let table =
        Table { nodes: Vec::new(), interfaces: ["rmi.Item".into()].into(), references: [stale].into() };
    let reference = &[0x91, 0xd6, 1, 0, 0, 0, 0][..];
    raw.send(&call(2, object, MethodId::of("rmi.Yard", "put"), table, reference)).await;
    reply(&mut raw).await;

    let all = within(honest.all()).await.unwrap();
    assert_eq!(within(all[0].ping(1)).await.unwrap(), 2);
    for stale in &all[1..] {
        let error = within(stale.ping(1)).await.unwrap_err();
        assert!(matches!(error, RemoteError::NoSuchObject { .. }), "{error:?}");
    }
    // Nor does the next one that is put there fall to it.
    within(honest.put(population.item())).await.unwrap();
    assert_eq!(within(honest.all()).await.unwrap().len(), all.len() + 1);
    within(client.shutdown()).await;
    within(node.shutdown()).await;
}

/// What is said of a failure is too long for the caller.
#[tokio::test]
async fn a_fault_over_the_limit_of_a_message() {
    let (node, at) = yard(Node::builder()).await;
    let client = start(Node::builder().limits(Limits { message: 1_024, ..Limits::default() })).await;
    let yard = enters(&client, &at).await;
    let waiting = tokio::spawn({
        let yard = yard.clone();
        async move { yard.stall().await }
    });
    eventually("it waits", || node.stats().calls_running == 1).await;
    for size in [10, 500, 1_000, 1_024, 5_000, 100_000] {
        let error = within(yard.panics(size)).await.unwrap_err();
        let told = matches!(error, RemoteError::Panicked { .. });
        let short = matches!(error, RemoteError::Panicked { .. } | RemoteError::BadReply { .. });
        assert!(told || size > 500 && short, "{size}: {error:?}");
        assert!(error.may_have_executed(), "{size}: {error:?}");
    }
    within(client.root::<YardProxy>(&at, &"n".repeat(1_020))).await.map(drop).unwrap_err();
    assert!(matches!(within(yard.fill(2_000)).await, Err(RemoteError::BadReply { .. })));
    assert_eq!(within(yard.size(vec![0; 100])).await.unwrap(), 100);
    assert!(!waiting.is_finished(), "its session goes on");
    assert_eq!(node.stats().calls_running, 1);
    waiting.abort();
    within(client.shutdown()).await;
    within(node.shutdown()).await;
}

/// What an honest peer has to say at once is no flood, however small the ring.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eighty_thousand_references_are_dropped_at_once() {
    let site = Site::at(start(Node::builder().listen("tcp://127.0.0.1:0").limits(ring(65_536))).await);
    let client = silent().await;
    let shelf: ShelfProxy = client.root(&site.address(), "shelf").await.unwrap();
    let mut items = Vec::new();
    for _ in 0..20 {
        items.extend(within(shelf.make_many(4_000)).await.unwrap());
    }
    assert_eq!(site.alive(), 80_000);
    let waiting = tokio::spawn({
        let shelf = shelf.clone();
        async move { shelf.stall(None).await }
    });
    eventually("it waits", || site.node.stats().calls_running == 1).await;
    drop(items);
    assert_eq!(within(shelf.count()).await.unwrap(), 0);
    eventually("all are collected", || site.alive() == 0).await;
    assert!(!waiting.is_finished(), "its session goes on");
    assert_eq!(site.node.stats().sessions.len(), 1);
    waiting.abort();
    drop(shelf);
    within(client.shutdown()).await;
    close_down(vec![site]).await;
}

/// Calls that are never answered take the room of others; those get an answer nonetheless.
#[tokio::test]
async fn calls_that_are_not_answered_take_all_the_room() {
    let (node, at) = yard(Node::builder().limits(Limits { calls: 16, ..Limits::default() })).await;
    let client = start(Node::builder().reconnect_window(Duration::from_secs(1))).await;
    let yard = enters(&client, &at).await;
    let mut stalled = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let yard = yard.clone();
        stalled.spawn(async move { yard.stall().await });
    }
    eventually("they are being served", || node.stats().calls_running == 16).await;
    let began = now();
    for _ in 0..2 {
        let error = within(yard.size(vec![1])).await.unwrap_err();
        assert!(matches!(error, RemoteError::Overloaded { .. }), "{error:?}");
        assert!(!error.may_have_executed());
    }
    let error = within(client.root::<YardProxy>(&at, "yard")).await.map(drop).unwrap_err();
    assert!(matches!(error, RemoteError::Overloaded { .. }), "{error:?}");
    // Three windows, and not until the next Ping is due, which is after ten seconds.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let other = silent().await;
    assert_eq!(within(enters(&other, &at).await.size(vec![1])).await.unwrap(), 1, "others have their own");
    // Given up, they make room.
    stalled.shutdown().await;
    assert_eq!(within(yard.size(vec![1])).await.unwrap(), 1);
    for node in [client, other, node] {
        within(node.shutdown()).await;
    }
}

/// A stack that overflows ends the process, this one included.
#[tokio::test]
async fn an_argument_that_nests_a_hundred_thousand_deep() {
    let (node, at) = yard(Node::builder().limits(Limits { frame: 1 << 20, ..Limits::default() })).await;
    let mut raw = Raw::open(&at).await;
    let object = root(&mut raw, "yard").await;
    let nest = |depth| [&[0x91][..], &b"\x81\xa4Cons".repeat(depth), b"\xa3Nil"].concat();
    let method = MethodId::of("rmi.Yard", "nest");
    for (number, depth) in [(2, 20), (3, 100_000)] {
        raw.send(&call(number, object, method, Table::EMPTY, nest(depth))).await;
        let reply = reply(&mut raw).await;
        assert_eq!(reply.call, number);
        let fault = rmp_serde::from_slice::<RemoteError>(&reply.chunk);
        match depth {
            20 => assert_eq!(&reply.chunk[..], [0xc0]),
            _ => assert!(matches!(fault, Ok(RemoteError::BadArgument { .. })), "{fault:?}"),
        }
    }
    within(node.shutdown()).await;
}

/// Joins two streams that pass on so many bytes a second in each direction, and keep few.
async fn slow(one: DuplexStream, other: DuplexStream, rate: u64) {
    async fn pass(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, rate: u64) {
        let (mut buffer, mut free) = (vec![0; 8_192], now());
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            if to.write_all(&buffer[..n]).await.is_err() {
                return;
            }
            free = free.max(now()) + Duration::from_micros(n as u64 * 1_000_000 / rate);
            // A timer is late by a millisecond or so: what is due in less is not waited for.
            tokio::time::sleep(free.saturating_duration_since(now() + Duration::from_millis(4))).await;
        }
    }
    let ((one_in, one_out), (other_in, other_out)) = (tokio::io::split(one), tokio::io::split(other));
    tokio::join!(pass(one_in, other_out, rate), pass(other_in, one_out, rate));
}

/// Several leases pass before what was queued has left, and no side takes the other for dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_stream_with_much_to_carry() {
    let lease = Duration::from_secs(2);
    let (server, client) =
        (start(Node::builder().lease(lease)).await, start(Node::builder().lease(lease)).await);
    server.publish("yard", &YardProxy::new(Open::default()));
    let ((near, near_end), (far, far_end)) = (tokio::io::duplex(8_192), tokio::io::duplex(8_192));
    let stream = tokio::spawn(slow(near_end, far_end, 1_000_000));
    let (_, peer) = tokio::try_join!(server.attach(near), client.attach(far)).unwrap();
    let yard: YardProxy = within(peer.root("yard")).await.unwrap();
    let began = now();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let yard = yard.clone();
            tokio::spawn(async move { yard.size(vec![1; 60 << 10]).await })
        })
        .collect();
    for call in calls {
        // All of it is six seconds' worth.
        let size = tokio::time::timeout(Duration::from_secs(60), call).await.expect("it hangs").unwrap();
        assert_eq!(size.unwrap(), 60 << 10);
    }
    assert!(began.elapsed() > 2 * lease, "it was not slow");
    drop(yard);
    within(client.shutdown()).await;
    within(server.shutdown()).await;
    stream.abort();
}

/// The ring of one side is smaller than what the other side leaves unacknowledged of its own accord: a quarter of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_rings_do_not_wait_for_the_delay_of_acknowledgments() {
    for (of_server, of_client) in [(65_536, 16_777_216), (16_777_216, 65_536), (65_536, 65_536)] {
        let (node, at) = yard(Node::builder().limits(ring(of_server))).await;
        let client = start(Node::builder().limits(ring(of_client))).await;
        let yard = enters(&client, &at).await;
        let mut best = [Duration::MAX; 2];
        for _ in 0..3 {
            let began = now();
            assert_eq!(within(yard.fill(2 << 20)).await.unwrap().len(), 2 << 20);
            best[0] = best[0].min(began.elapsed());
            let began = now();
            assert_eq!(within(yard.size(vec![7; 2 << 20])).await.unwrap(), 2 << 20);
            best[1] = best[1].min(began.elapsed());
        }
        // With 100 ms for each 64 KiB it would be over three seconds.
        assert!(best.iter().all(|time| *time < Duration::from_millis(1_500)), "{best:?}");
        within(client.shutdown()).await;
        within(node.shutdown()).await;
    }
}

/// What a hostile introducer says of where the owner is.
#[derive(Debug, Clone, Copy)]
enum Lie {
    /// Somebody who accepts and is silent.
    Hole,
    /// Another node.
    Other,
    /// Somebody who says, late, that another node was meant.
    Late,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lie_about_an_owner_harms_no_reference_of_others() {
    for lie in [Lie::Hole, Lie::Other, Lie::Late] {
        let (owner, friend, victim) = (Site::new().await, Site::new().await, Site::new().await);
        let item = friend.sees(&owner).await.make().await.unwrap();
        let told = match lie {
            Lie::Other => friend.address(),
            Lie::Hole | Lie::Late => impostor(lie).await,
        };
        let (_probe, welcome) = Raw::greet(&victim.address(), hello()).await;
        let Some(Frame::Welcome(welcome)) = welcome else { panic!("{welcome:?}") };
        // Of the same host: else it could not name an address of loopback.
        let (mut raw, frame) = Raw::greet(&victim.address(), Hello { host: welcome.host, ..hello() }).await;
        assert!(matches!(frame, Some(Frame::Welcome(_))));
        let shelf = root(&mut raw, "shelf").await;
        let node = TableNode { node: owner.node.id(), addresses: vec![told] };
        let reference =
            TableReference { owner: Owner::Node(0), object: ObjectId::random(), interface: 0, transfer: 1 };
        let table = Table {
            nodes: vec![node],
            interfaces: ["rmi.Item".into()].into(),
            references: [reference].into(),
        };
        // The victim keeps it, and dials.
        let reference = &[0x91, 0xd6, 1, 0, 0, 0, 0][..];
        raw.send(&call(2, shelf, MethodId::of("rmi.Shelf", "put"), table, reference)).await;
        reply(&mut raw).await;

        let there = friend.sees(&victim).await;
        within(there.put(item.clone())).await.unwrap();
        for _ in 0..2 {
            assert_eq!(within(there.ping_top(1)).await.unwrap(), 2, "{lie:?}");
        }
        drop((raw, item, there));
        victim.keeper.items.lock().clear();
        for site in [victim, friend, owner] {
            within(site.node.shutdown()).await;
        }
    }
}

/// Who listens where the owner is said to be.
async fn impostor(lie: Lie) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                if matches!(lie, Lie::Late) {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    let refused = Refused { code: RefusedCode::OtherNode, text: "somebody".into() };
                    let answer = [&PREFACE[..], &encoded(&Frame::Refused(refused))].concat();
                    let _ = stream.write_all(&answer).await;
                }
                let mut ignored = Vec::new();
                let _ = stream.read_to_end(&mut ignored).await;
            });
        }
    });
    address
}

/// The holder has no reason to send anything, and the connection breaks: it asks again before the owner forgets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_reference_survives_a_cut() {
    let lease = Duration::from_millis(500);
    let relay = Relay::new().await;
    let site = Site::at(start(relay.builder().lease(lease)).await);
    let holder = start(Node::builder().lease(lease)).await;
    let shelf: ShelfProxy = holder.root(&relay.address, "shelf").await.unwrap();
    let item = within(shelf.make()).await.unwrap();
    drop(shelf);
    relay.cut();
    let cut = now();
    while cut.elapsed() < 4 * lease {
        assert_eq!(site.alive(), 1, "collected {:?} after the cut", cut.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(within(item.ping(1)).await.unwrap(), 2);
    drop(item);
    eventually("it is collected", || site.alive() == 0).await;
    within(holder.shutdown()).await;
    close_down(vec![site]).await;
}
