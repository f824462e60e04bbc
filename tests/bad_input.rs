//! Peers that are broken or hostile: whatever arrives at the port, the node goes on serving others.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rmi::{Limits, Node, NodeId, ObjectId};
use rmi_core::id::MethodId;
use rmi_core::internal::wire::{Call, Frame, PREFACE, RefusedCode, Reply, ReplyKind, Table, Target};
use support::raw::{Raw, encoded, frame_of, hello};
use support::shelf::{Shelf, ShelfProxy, Site};
use support::{Random, eventually, silent, start, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A site, and somebody who calls it all the while.
struct Served {
    site: Site,
    client: Node,
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn start(builder: rmi::Builder) -> Self {
        let socket = format!("unix://{}/rmi-{}.sock", std::env::temp_dir().display(), uuid::Uuid::new_v4());
        let site = Site::at(start(builder.listen("tcp://127.0.0.1:0").listen(socket)).await);
        let client = silent().await;
        let shelf: ShelfProxy = client.root(&site.address(), "shelf").await.unwrap();
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let task = tokio::spawn({
            let (stop, calls) = (stop.clone(), calls.clone());
            async move {
                while !stop.load(Ordering::SeqCst) {
                    let item = within(shelf.make()).await.unwrap();
                    assert_eq!(within(shelf.ping_this(&item, 1)).await.unwrap(), 2);
                    calls.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
        Self { site, client, stop, calls, task }
    }

    fn tcp(&self) -> String {
        self.site.node.addresses()[0].clone()
    }

    fn unix(&self) -> String {
        self.site.node.addresses()[1].clone()
    }

    /// The node is as it should be: it serves the client, and nobody else.
    async fn end(self) {
        let before = self.calls.load(Ordering::SeqCst);
        eventually("it goes on", || self.calls.load(Ordering::SeqCst) > before + 3).await;
        self.stop.store(true, Ordering::SeqCst);
        within(self.task).await.unwrap();
        eventually("only the client's session is left", || self.site.node.stats().sessions.len() == 1).await;
        eventually("nothing is held", || self.site.alive() == 0).await;
        let stats = self.site.node.stats();
        assert_eq!((stats.imports, stats.pins), (0, 0));
        within(self.client.shutdown()).await;
        within(self.site.node.shutdown()).await;
    }
}

fn short() -> rmi::Builder {
    Node::builder().handshake_timeout(Duration::from_millis(300)).lease(Duration::from_secs(2))
}

#[tokio::test]
async fn what_is_no_handshake_is_closed() {
    let served = Served::start(short()).await;
    let truncated = encoded(&Frame::Hello(hello()));
    let inputs: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        vec![0; 100],
        vec![0xff; 100_000],
        b"RMI\x02".to_vec(),
        b"RMX".to_vec(),
        PREFACE.to_vec(),
        [&PREFACE[..], &truncated[..truncated.len() / 2]].concat(),
        [&PREFACE[..], &[0xff; 4]].concat(),
        [&PREFACE[..], &[0; 4]].concat(),
        [&PREFACE[..], &70_000_u32.to_be_bytes()].concat(),
        [&PREFACE[..], &frame_of(1, b"")].concat(),
        [&PREFACE[..], &frame_of(1, &[0; 300])].concat(),
        [&PREFACE[..], &frame_of(200, b"what")].concat(),
        [&PREFACE[..], &encoded(&Frame::Ping { stamp: 1 })].concat(),
        [&PREFACE[..], &encoded(&Frame::Dirty { object: ObjectId::random() })].concat(),
        Vec::new(),
    ];
    for input in inputs {
        for hangs_up in [false, true] {
            let mut raw = Raw::connect(&served.tcp()).await;
            // The node may have closed the connection before all of it was sent.
            let _ = raw.stream.write_all(&input).await;
            if hangs_up {
                let _ = raw.stream.shutdown().await;
            }
            let mut answer = Vec::new();
            let _ = within(raw.stream.read_to_end(&mut answer)).await;
            assert!(answer.len() < 1_200, "closed, with a word at the most");
            if !input.starts_with(&PREFACE) && !PREFACE.starts_with(&input) {
                assert!(answer.is_empty() || answer == PREFACE, "{answer:?}");
            }
        }
    }
    served.end().await;
}

#[tokio::test]
async fn refusals_say_why() {
    let served = Served::start(short()).await;
    for (versions, understood) in [((2, 9), false), ((0, 0), false), ((1, 7), true), ((0, 1), true)] {
        let (_raw, frame) = Raw::greet(&served.tcp(), rmi_hello(|h| h.versions = versions)).await;
        match frame {
            Some(Frame::Welcome(welcome)) if understood => assert_eq!(welcome.version, 1),
            Some(Frame::Refused(refused)) if !understood => {
                assert_eq!(refused.code, RefusedCode::NoCommonVersion);
                assert!(refused.text.contains('1') && refused.text.contains(&versions.0.to_string()));
            }
            other => panic!("{versions:?}: {other:?}"),
        }
    }
    let me = served.site.node.id();
    for (hello, code) in [
        (rmi_hello(|h| h.expect = Some(NodeId::random())), RefusedCode::OtherNode),
        (rmi_hello(|h| h.node = me), RefusedCode::SameNode),
    ] {
        let (mut raw, frame) = Raw::greet(&served.tcp(), hello).await;
        let Some(Frame::Refused(refused)) = frame else { panic!("{frame:?}") };
        assert_eq!(refused.code, code);
        assert!(raw.receive().await.is_none(), "the connection is closed after it");
    }
    let (mut raw, frame) = (Raw::connect(&served.tcp()).await, frame_of(1, &[1, 2, 3]));
    raw.send_bytes(&[&PREFACE[..], &frame].concat()).await;
    let Some(Frame::Refused(refused)) = raw.receive().await else { panic!() };
    assert_eq!(refused.code, RefusedCode::Malformed);
    served.end().await;
}

fn rmi_hello(change: impl FnOnce(&mut rmi_core::internal::wire::Hello)) -> rmi_core::internal::wire::Hello {
    let mut hello = hello();
    change(&mut hello);
    hello
}

/// Whoever breaks the protocol is told what it did, and its session ends; no other does.
#[tokio::test]
async fn a_broken_rule_ends_its_session_alone() {
    let served = Served::start(short()).await;
    let object = ObjectId::random();
    let root = || Frame::Root { call: 7, name: "shelf".into(), unsupported: None };
    let more = |first| Frame::More { first, chunk: vec![1; 10].into() };
    let reply =
        Reply { call: 99, status: ReplyKind::Ok, table: Table::default(), size: 1, chunk: vec![0xc0].into() };
    let breaches: Vec<(&str, Vec<bytes::BytesMut>)> = vec![
        ("an oversized frame", vec![bytes::BytesMut::from(&[0x7f, 0, 0, 0, 17][..])]),
        ("an empty frame", vec![bytes::BytesMut::from(&[0, 0, 0, 0][..])]),
        ("a second Hello", vec![encoded(&Frame::Hello(hello()))]),
        ("a malformed kind", vec![frame_of(130, b"")]),
        ("a malformed body", vec![frame_of(17, b"nonsense")]),
        ("a Reply to no call", vec![encoded(&Frame::Reply(reply))]),
        ("a More of nothing", vec![encoded(&more(1))]),
        ("an Abort of nothing", vec![encoded(&Frame::Abort { first: 1 })]),
        ("a Held that was not asked for", vec![encoded(&Frame::Held { object })]),
        ("a Gone that was not asked for", vec![encoded(&Frame::Gone { object })]),
        ("an unknown Unpin", vec![encoded(&Frame::Unpin { transfer: 1 })]),
        ("a Clean of the future", vec![encoded(&Frame::Clean { object, upto: 1_000_000 })]),
        ("an Ack of the future", vec![encoded(&Frame::Ack { frame: 1_000_000 })]),
        ("a Pong without a Ping", vec![encoded(&Frame::Pong { stamp: u64::MAX })]),
    ];
    for (what, frames) in breaches {
        let mut raw = Raw::open(&served.tcp()).await;
        for frame in frames {
            raw.send_bytes(&frame).await;
        }
        let last = raw.last().await;
        assert!(
            matches!(&last, Some(Frame::Bye { code: 1, text, .. }) if !text.is_empty()),
            "{what}: {last:?}"
        );
    }
    // What is merely unknown is answered, and the session goes on.
    let mut raw = Raw::open(&served.tcp()).await;
    raw.send_bytes(&frame_of(90, b"from the future")).await;
    raw.send(&Frame::Dirty { object }).await;
    raw.send(&call(1, object, "rmi.Shelf", "count")).await;
    raw.send(&root()).await;
    let mut seen = Vec::new();
    while seen.len() < 4 {
        match raw.receive().await.expect("the session goes on") {
            Frame::Unsupported { frame, .. } => seen.push(format!("unsupported {frame}")),
            Frame::Gone { object: gone } if gone == object => seen.push("gone".into()),
            Frame::Reply(reply) => seen.push(format!("{:?} to {}", reply.status, reply.call)),
            Frame::Ack { .. } | Frame::Ping { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, ["unsupported 1", "gone", "Fault to 1", "Ok to 7"]);
    raw.send(&Frame::Bye { code: 0, text: String::new(), received: 0 }).await;
    served.end().await;
}

fn call(call: u64, object: ObjectId, interface: &str, method: &str) -> Frame {
    Frame::Call(Call {
        call,
        target: Target::Object(object),
        method: MethodId::of(interface, method),
        left_ms: None,
        unsupported: None,
        table: Table::default(),
        size: 1,
        chunk: vec![0x90].into(),
    })
}

/// Thousands of random byte strings after a valid handshake.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_random_strings() {
    // Those that ask for the root hold it when they vanish, until their leases end.
    let served = Served::start(short().max_sessions(20_000)).await;
    let (unix, mut random) = (served.unix(), Random::new("ten_thousand_random_strings"));
    let senders: Vec<_> = (0..10)
        .map(|_| {
            let (unix, random) = (unix.clone(), Random::from_seed(random.next()));
            tokio::spawn(send_random(unix, random))
        })
        .collect();
    for sender in senders {
        tokio::time::timeout(Duration::from_secs(60), sender).await.unwrap().unwrap();
    }
    served.end().await;
}

async fn send_random(unix: String, mut random: Random) {
    let object = ObjectId::random();
    for n in 0..1_000 {
        let mut raw = Raw::open(&unix).await;
        let len = random.below(300);
        let mut bytes = match n % 4 {
            0 => random.bytes(len),
            1 => frame_of(random.below(140) as u8, &random.bytes(len)).to_vec(),
            2 => {
                let kinds = [17, 18, 19, 21, 22, 23, 25, 26];
                frame_of(kinds[random.below(kinds.len())], &random.bytes(len)).to_vec()
            }
            _ => {
                let mut valid = encoded(&call(1, object, "rmi.Shelf", "count")).to_vec();
                valid.extend(encoded(&Frame::Root { call: 2, name: "shelf".into(), unsupported: None }));
                for _ in 0..random.below(4) {
                    let at = random.below(valid.len());
                    valid[at] = random.next() as u8;
                }
                valid
            }
        };
        bytes.truncate(bytes.len() - random.below(bytes.len().min(3) + 1));
        let _ = raw.stream.write_all(&bytes).await;
        let _ = raw.stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = within(raw.stream.read_to_end(&mut answer)).await;
    }
}

#[tokio::test]
async fn too_many_sessions_are_refused() {
    let served = Served::start(short().max_sessions(10)).await;
    let (mut welcome, mut refused, mut closed) = (Vec::new(), 0, 0);
    for _ in 0..100 {
        let (raw, frame) = Raw::greet(&served.tcp(), hello()).await;
        match frame {
            Some(Frame::Welcome(_)) => welcome.push(raw),
            Some(Frame::Refused(no)) => {
                assert_eq!(no.code, RefusedCode::TooManySessions);
                refused += 1;
            }
            None => closed += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((welcome.len(), refused + closed), (9, 91), "one is the client's");
    assert!(refused > 0);
    // Those that only connect are bounded, too, and are gone after the handshake's time.
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(Raw::connect(&served.tcp()).await);
    }
    assert!(served.site.node.stats().sessions.len() <= 21);
    for mut raw in welcome {
        raw.send(&Frame::Bye { code: 0, text: "enough".into(), received: 0 }).await;
    }
    for mut raw in idle {
        assert!(raw.receive().await.is_none());
    }
    let (_raw, frame) = Raw::greet(&served.tcp(), hello()).await;
    assert!(matches!(frame, Some(Frame::Welcome(_))), "there is room again: {frame:?}");
    served.end().await;
}

/// Clients that vanish without a word, and held nothing, take no room that others need while they might come back.
#[tokio::test]
async fn sessions_that_broke_and_hold_nothing_take_no_room() {
    let served = Served::start(short().max_sessions(10).lease(Duration::from_secs(3600))).await;
    for _ in 0..50 {
        let welcome = async {
            // The node may not have noticed yet that the others are gone.
            while !matches!(Raw::greet(&served.tcp(), hello()).await.1, Some(Frame::Welcome(_))) {}
        };
        within(welcome).await;
    }
    eventually("no more than there may be", || served.site.node.stats().sessions.len() <= 10).await;
    served.end().await;
}

/// It asks and never reads the answers.
#[tokio::test]
async fn a_peer_that_never_reads() {
    let served = Served::start(short()).await;
    let mut raw = Raw::open(&served.tcp()).await;
    let sending = async {
        for n in 1_u64.. {
            let root = Frame::Root { call: n, name: "shelf".repeat(100), unsupported: None };
            if raw.stream.write_all(&encoded(&root)).await.is_err() {
                return;
            }
        }
    };
    // The node reads all the time; it gives the peer up when its answers are over their bound, or not acknowledged
    // for the time of the lease.
    within(sending).await;
    let sent = served.site.node.stats().bytes_sent;
    assert!(sent < 1 << 30, "{sent} bytes were kept for it");
    served.end().await;
}

/// A message that is announced and never comes, of each of many peers.
#[tokio::test]
async fn announced_and_never_sent() {
    let served = Served::start(short().limits(Limits { partial: 1 << 20, ..Limits::default() })).await;
    let mut peers = Vec::new();
    for _ in 0..50 {
        let mut raw = Raw::open(&served.tcp()).await;
        let Frame::Call(call) = call(1, ObjectId::random(), "rmi.Shelf", "count") else { unreachable!() };
        raw.send(&Frame::Call(Call { size: 64 << 20, ..call })).await;
        peers.push(raw);
    }
    // One more in the same session is over the limit that was announced.
    let Frame::Call(call) = call(2, ObjectId::random(), "rmi.Shelf", "count") else { unreachable!() };
    peers[0].send(&Frame::Call(Call { size: 64 << 20, ..call })).await;
    let last = peers[0].last().await;
    assert!(matches!(last, Some(Frame::Bye { code: 1, .. })), "{last:?}");
    drop(peers);
    served.end().await;
}
