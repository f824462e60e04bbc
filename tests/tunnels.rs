//! Tunnels of peers that mean no good (PROTOCOL 11), frame by frame, and honest ones beside them.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rmi::{Limits, Node, NodeId, ObjectId};
use rmi_core::id::MethodId;
use rmi_core::internal::wire::{
    Call, Frame, Hello, PREFACE, Relay, RelayOp, Table, TableNode, Target, split,
};
use support::raw::{Raw, encoded, hello};
use support::shelf::{Item, Shelf, ShelfProxy, Site, close_down};
use support::{eventually, now, silent, start, within};

const WINDOW: usize = 256 * 1024;

fn relay(tunnel: u64, op: RelayOp) -> Frame {
    Frame::Relay(Relay { tunnel, op })
}

fn open(target: NodeId) -> RelayOp {
    RelayOp::Open { target, object: ObjectId::from_bytes([0; 16]) }
}

fn data(bytes: &[u8]) -> RelayOp {
    RelayOp::Data(Bytes::copy_from_slice(bytes))
}

/// A node that relays, and an owner without a listener whose item is on its shelf.
async fn served() -> (Site, Site) {
    let (x, b) = (Site::new().await, Site::at(silent().await));
    within(b.sees(&x).await.put(b.keeper.population.item())).await.unwrap();
    (x, b)
}

/// An honest node that is served through the same one.
async fn is_well(x: &Site) {
    let y = Site::at(silent().await);
    let item = within(y.sees(x).await.top()).await.unwrap();
    assert_eq!(within(item.ping(1)).await.unwrap(), 2);
    drop(item);
    within(y.node.shutdown()).await;
}

/// The next frame about a tunnel.
async fn tunneled(raw: &mut Raw) -> Relay {
    loop {
        if let Frame::Relay(relay) = raw.receive().await.expect("the session goes on") {
            return relay;
        }
    }
}

async fn closed(raw: &mut Raw) -> (u64, String) {
    loop {
        let Relay { tunnel, op } = tunneled(raw).await;
        if let RelayOp::Close(reason) = op {
            return (tunnel, reason);
        }
    }
}

#[tokio::test]
async fn a_tunnel_to_whom_the_node_has_no_session_with() {
    let (x, b) = served().await;
    let mut raw = Raw::open(&x.address()).await;
    let stranger = NodeId::random();
    raw.send(&relay(0, open(stranger))).await;
    // What was sent before the refusal arrived is dropped.
    raw.send(&relay(0, data(&PREFACE))).await;
    let (tunnel, reason) = closed(&mut raw).await;
    assert_eq!(tunnel, 1);
    assert!(reason.contains(&x.node.id().to_string()) && reason.contains(&stranger.to_string()), "{reason}");
    raw.send(&relay(0, data(&[7; 1000]))).await;
    // Nor is it led back to itself.
    let me = hello();
    let (mut raw, _) = Raw::greet(&x.address(), me.clone()).await;
    raw.send(&relay(0, open(me.node))).await;
    assert!(closed(&mut raw).await.1.contains("no session"));
    is_well(&x).await;
    drop(raw);
    x.shelf.clear().await.unwrap();
    close_down(vec![b, x]).await;
}

/// What ends the session of whoever says it, and of nobody else.
#[tokio::test]
async fn broken_rules() {
    let (x, b) = served().await;
    let target = b.node.id();
    let much = || relay(0, data(&[0x52; 60_000]));
    let cases: Vec<(&str, Vec<Frame>)> = vec![
        ("a number twice", vec![relay(0, open(target)), relay(0, open(target))]),
        ("a number of the other side", vec![relay(1, open(target))]),
        ("a number ahead", vec![relay(2, open(target))]),
        ("data of no tunnel", vec![relay(0, data(b"x"))]),
        ("credit for no tunnel", vec![relay(1, RelayOp::Credit(1))]),
        ("credit for what was not sent", vec![relay(0, open(target)), relay(0, RelayOp::Credit(1 << 40))]),
        // To a target that does not answer, so that nothing is consumed; and to one that was refused.
        ("data over the credit", {
            let mut frames = vec![relay(0, open(NodeId::random()))];
            frames.extend((0..6).map(|_| much()));
            frames
        }),
    ];
    for (what, frames) in cases {
        let mut raw = Raw::open(&x.address()).await;
        for frame in frames {
            raw.send(&frame).await;
        }
        let last = raw.last().await;
        let Some(Frame::Bye { code: 1, text, .. }) = &last else { panic!("{what}: {last:?}") };
        assert!(text.contains("tunnel"), "{what}: {text}");
    }
    is_well(&x).await;
    x.shelf.clear().await.unwrap();
    close_down(vec![b, x]).await;
}

/// Every place that one peer has is taken by tunnels in which nothing is said: the others have theirs.
#[tokio::test]
async fn a_flood_of_tunnels() {
    let x = Site::at(start(Node::builder().listen("tcp://127.0.0.1:0")).await);
    let b = start(Node::builder().handshake_timeout(Duration::from_secs(1)).max_sessions(300)).await;
    let b = Site::at(b);
    within(b.sees(&x).await.put(b.keeper.population.item())).await.unwrap();
    let mut raw = Raw::open(&x.address()).await;
    let mut bytes = Vec::new();
    for n in 0..2_000 {
        bytes.extend_from_slice(&encoded(&relay(2 * n, open(b.node.id()))));
    }
    raw.send_bytes(&bytes).await;
    // As many as there may be are carried, until the owner has waited long enough; the others are refused.
    let mut refused = 0;
    while refused < 2_000 {
        let (_, reason) = closed(&mut raw).await;
        refused += 1;
        assert!(b.node.stats().sessions.len() <= 2 + 256, "{reason}");
        assert!(x.node.stats().sessions.iter().all(|session| session.tunnels <= 256));
    }
    eventually("nothing is left of them", || {
        x.node.stats().sessions.iter().all(|session| session.tunnels == 0)
    })
    .await;
    is_well(&x).await;
    drop(raw);
    x.shelf.clear().await.unwrap();
    close_down(vec![b, x]).await;
}

/// The places at the owner are taken: who is refused is not told that the owner is out of reach, which would be definite.
#[tokio::test]
async fn no_place_at_the_moment() {
    let (x, b) = served().await;
    let (mut first, mut second) = (Raw::open(&x.address()).await, Raw::open(&x.address()).await);
    for n in 0..256 {
        first.send(&relay(2 * n, open(b.node.id()))).await;
    }
    eventually("all are led on", || {
        x.node.stats().sessions.iter().any(|s| s.peer == Some(b.node.id()) && s.tunnels == 256)
    })
    .await;
    second.send(&relay(0, open(b.node.id()))).await;
    assert_eq!(closed(&mut second).await, (1, String::new()));
    first.send(&Frame::Bye { code: 0, text: String::new(), received: 0 }).await;
    first.last().await;
    is_well(&x).await;
    drop(second);
    x.shelf.clear().await.unwrap();
    close_down(vec![b, x]).await;
}

/// Whoever reads nothing keeps no more of others' memory than its credit, and holds up nobody else.
#[tokio::test]
async fn a_tunnel_that_is_not_read() {
    let (x, b) = served().await;
    // The far end claims to be a node; it is reached by a second one of the same kind.
    let far_hello = hello();
    let (mut far, _) = Raw::greet(&x.address(), far_hello.clone()).await;
    let mut near = Raw::open(&x.address()).await;
    near.send(&relay(0, open(far_hello.node))).await;
    let Relay { tunnel: 0, op: RelayOp::Open { target, .. } } = tunneled(&mut far).await else {
        panic!("it is not led on")
    };
    assert_eq!(target, far_hello.node);
    for _ in 0..WINDOW / 32_768 {
        near.send(&relay(0, data(&[7; 32_768]))).await;
    }
    // The node between passes on what there is credit for, and gives credit for what it passed on.
    let (mut arrived, mut given) = (0, 0);
    while arrived < WINDOW {
        match tunneled(&mut far).await {
            Relay { tunnel: 0, op: RelayOp::Data(data) } => arrived += data.len(),
            other => panic!("{other:?}"),
        }
    }
    while given < WINDOW {
        match tunneled(&mut near).await {
            Relay { tunnel: 1, op: RelayOp::Credit(credit) } => given += credit as usize,
            other => panic!("{other:?}"),
        }
    }
    // A second window stays at the node between: it is not passed on, so no more credit is given.
    for _ in 0..WINDOW / 32_768 {
        near.send(&relay(0, data(&[7; 32_768]))).await;
    }
    is_well(&x).await;
    near.send(&Frame::Ping { stamp: 5 }).await;
    let mut given = 0;
    loop {
        match near.receive().await {
            Some(Frame::Pong { stamp: 5 }) => break,
            Some(Frame::Relay(Relay { op: RelayOp::Credit(credit), .. })) => given += credit as usize,
            _ => {}
        }
    }
    // What the copying task holds in its hand is consumed.
    assert!(given <= 2 * 65_536, "credit for {given} bytes that nobody took");
    // It goes on where it was given credit, and the end is told with its reason.
    far.send(&relay(1, RelayOp::Credit(WINDOW as u64))).await;
    near.send(&relay(0, RelayOp::Close("enough".into()))).await;
    let mut arrived = 0;
    let reason = loop {
        match tunneled(&mut far).await.op {
            RelayOp::Data(data) => arrived += data.len(),
            RelayOp::Close(reason) => break reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((arrived, &*reason), (WINDOW, "enough"));
    drop((near, far));
    x.shelf.clear().await.unwrap();
    close_down(vec![b, x]).await;
}

/// The relayed session itself carries no tunnels.
#[tokio::test]
async fn a_tunnel_in_a_tunnel() {
    let (x, b) = served().await;
    let mut raw = Raw::open(&x.address()).await;
    raw.send(&relay(0, open(b.node.id()))).await;
    let hello = encoded(&Frame::Hello(hello()));
    raw.send(&relay(0, data(&[&PREFACE[..], &hello].concat()))).await;
    let (mut arrived, mut asked) = (BytesMut::new(), false);
    let reason = 'closed: loop {
        let RelayOp::Data(more) = tunneled(&mut raw).await.op else { panic!("it was closed") };
        arrived.extend_from_slice(&more);
        if arrived.starts_with(&PREFACE) {
            let _ = arrived.split_to(PREFACE.len());
        }
        while let Some(frame) = split(&mut arrived, 1 << 20).unwrap() {
            match Frame::decode(frame, &Limits::default()).unwrap() {
                Frame::Welcome(_) => {
                    // The owner has a session with the node between.
                    raw.send(&relay(0, data(&encoded(&relay(0, open(x.node.id())))))).await;
                    asked = true;
                }
                Frame::Relay(Relay { tunnel: 1, op: RelayOp::Close(reason) }) => break 'closed reason,
                _ => {}
            }
        }
    };
    assert!(asked && reason.contains("through another node"), "{reason}");
    assert!(reason.contains(&b.node.id().to_string()), "{reason}");
    raw.send(&Frame::Bye { code: 0, text: String::new(), received: 0 }).await;
    raw.last().await;
    is_well(&x).await;
    x.shelf.clear().await.unwrap();
    close_down(vec![b, x]).await;
}

/// Where a node says that an owner without a listener is, to a peer that is elsewhere, and to one on its host.
#[tokio::test]
async fn what_others_are_told() {
    let mem = format!("mem://{}", uuid::Uuid::new_v4());
    let x = Node::builder()
        .listen("tcp://127.0.0.1:0")
        .listen(&mem)
        .advertise("tcp://x.example:1")
        .advertise("tcp://127.0.0.1:2")
        .advertise(&mem);
    let (x, b) = (Site::at(start(x).await), Site::at(silent().await));
    let there: ShelfProxy = within(b.node.root(&mem, "shelf")).await.unwrap();
    within(there.put(b.keeper.population.item())).await.unwrap();
    let mut raw = neighbour(&x.node).await;
    let via = format!("relay://{}", x.node.id());
    let network = format!("{via}/tcp://x.example:1");
    let host = format!("{via}/tcp://127.0.0.1:2");
    assert_eq!(told(&mut raw).await, [&*via, &*network, &*host]);

    // A node that is reached through the first one says neither that it relays, nor that its peers have a session with that.
    let y = Site::new().await;
    let there_from_y: ShelfProxy = within(y.node.root(&mem, "shelf")).await.unwrap();
    let item = within(there_from_y.top()).await.unwrap();
    within(item.ping(1)).await.unwrap();
    y.keeper.items.lock().push(item);
    let mut second = neighbour(&y.node).await;
    assert_eq!(told(&mut second).await, [&*network, &*host]);
    second.send(&Frame::Bye { code: 0, text: String::new(), received: 0 }).await;
    second.last().await;
    y.keeper.items.lock().clear();
    drop(there_from_y);
    close_down(vec![y]).await;
    drop(there);
    within(b.node.shutdown()).await;
    // Nothing is said of an owner that the node does not reach itself.
    assert_eq!(told(&mut raw).await, [""; 0]);
    raw.send(&Frame::Bye { code: 0, text: String::new(), received: 0 }).await;
    raw.last().await;
    x.shelf.clear().await.unwrap();
    close_down(vec![x]).await;
}

/// A peer in another process of the same host.
async fn neighbour(node: &Node) -> Raw {
    let (near, far) = tokio::io::duplex(65_536);
    let attached = node.clone();
    let accepting = tokio::spawn(async move { attached.attach(far).await });
    let mut raw = Raw::of(near);
    raw.send_bytes(&PREFACE).await;
    let Some(Frame::Hello(theirs)) = raw.receive().await else { panic!("no Hello") };
    let (host, process) = (theirs.host, theirs.process ^ 1);
    // The smaller one accepts.
    let node = NodeId::from_bytes([0xff; 16]);
    raw.send(&Frame::Hello(Hello { node, host, process, symmetric: true, ..hello() })).await;
    assert!(matches!(raw.receive().await, Some(Frame::Welcome(_))));
    within(accepting).await.unwrap().unwrap();
    raw
}

/// The addresses in the table with what is on top of the shelf.
async fn told(raw: &mut Raw) -> Vec<String> {
    raw.send(&Frame::Root { call: 100, name: "shelf".into(), unsupported: None }).await;
    let shelf = answer(raw).await.references[0].object;
    let target = Target::Object(shelf);
    let method = MethodId::of("rmi.Shelf", "top");
    let (table, chunk) = (Table::EMPTY, Bytes::from_static(&[0x90]));
    let call = Call { call: 101, target, method, left_ms: None, unsupported: None, table, size: 1, chunk };
    raw.send(&Frame::Call(call)).await;
    let [TableNode { addresses, .. }] = &answer(raw).await.nodes[..] else { panic!("no third node") };
    addresses.clone()
}

async fn answer(raw: &mut Raw) -> Table {
    loop {
        if let Frame::Reply(reply) = raw.receive().await.expect("the session goes on") {
            return reply.table;
        }
    }
}

/// A call through a relay costs no more than a few times a direct one: nothing in between waits for a timer.
#[tokio::test]
async fn calls_through_a_relay_are_not_held_up() {
    let (x, b) = served().await;
    let y = Site::at(silent().await);
    let shelf = y.sees(&x).await;
    let item = within(shelf.top()).await.unwrap();
    within(item.ping(0)).await.unwrap();
    let began = now();
    for n in 0..200 {
        within(item.ping(n)).await.unwrap();
    }
    // With a delay of an Ack each it would be twenty seconds.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop((shelf, item));
    x.shelf.clear().await.unwrap();
    close_down(vec![y, b, x]).await;
}
