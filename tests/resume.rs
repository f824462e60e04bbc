//! Sessions that outlive their connections: broken at every byte, or by peers that mean harm.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rmi::{Limits, Node, NodeId, remote};
use rmi_core::id::MethodId;
use rmi_core::internal::wire::{Call, Frame, Hello, PREFACE, Resume, Resumed, Table, Target, Welcome};
use support::raw::{Raw, encoded, hello};
use support::relay::Relay;
use support::shelf::{ItemProxy, Population, Shelf, ShelfProxy, Site, close_down};
use support::{Result, address, all_zero, eventually, now, silent, start, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is called across connections that break.
#[remote]
pub(crate) trait Bench {
    /// Notes that it was executed, and answers.
    async fn note(&self, id: u64, bytes: Vec<u8>) -> Result<Vec<u8>>;
    /// Notes that it was executed, and never answers.
    async fn stall(&self, id: u64) -> Result<()>;
    /// Calls back, and returns what it got.
    async fn echo(&self, item: ItemProxy, n: u64) -> Result<(ItemProxy, u64)>;
    /// Computes without a pause: the task that reads the connection does nothing else meanwhile.
    async fn compute(&self, ms: u64) -> Result<()>;
}

#[derive(Clone, Default)]
struct Counted(Arc<Mutex<HashMap<u64, u32>>>);

impl Counted {
    fn executed(&self, id: u64) -> u32 {
        self.0.lock().get(&id).copied().unwrap_or(0)
    }
}

impl Bench for Counted {
    async fn note(&self, id: u64, bytes: Vec<u8>) -> Result<Vec<u8>> {
        *self.0.lock().entry(id).or_default() += 1;
        Ok(bytes)
    }
    async fn stall(&self, id: u64) -> Result<()> {
        *self.0.lock().entry(id).or_default() += 1;
        std::future::pending().await
    }
    async fn echo(&self, item: ItemProxy, n: u64) -> Result<(ItemProxy, u64)> {
        use support::shelf::Item;
        let n = item.ping(n).await?;
        Ok((item, n))
    }
    async fn compute(&self, ms: u64) -> Result<()> {
        std::thread::sleep(Duration::from_millis(ms));
        Ok(())
    }
}

/// No end to what may pass.
const ALL: i64 = i64::MAX;

/// A proxy that cuts the connection after so many bytes of one direction.
struct Cutter {
    address: String,
    /// How many bytes may still pass, from the dialer and to it; and in the connection after that.
    left: Arc<[AtomicI64; 2]>,
    next: Arc<[AtomicI64; 2]>,
    task: JoinHandle<()>,
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Cutter {
    async fn before(target: &str) -> Self {
        let target = target.strip_prefix("tcp://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let unlimited = || Arc::new([AtomicI64::new(ALL), AtomicI64::new(ALL)]);
        let (left, next) = (unlimited(), unlimited());
        let shared = (left.clone(), next.clone());
        let task = tokio::spawn(async move {
            // One connection at a time: there is one dialer, which dials again when the last one broke.
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(&target).await else { continue };
                near.set_nodelay(true).unwrap();
                far.set_nodelay(true).unwrap();
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::select! {
                    () = pass(near_in, far_out, &shared.0[0]) => {}
                    () = pass(far_in, near_out, &shared.0[1]) => {}
                }
                for (left, next) in shared.0.iter().zip(&*shared.1) {
                    left.store(next.swap(ALL, Ordering::SeqCst), Ordering::SeqCst);
                }
            }
        });
        Self { address, left, next, task }
    }
}

async fn pass(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, left: &AtomicI64) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(n @ 1..) = from.read(&mut buffer).await else { return };
        let may = left.load(Ordering::SeqCst);
        let passes = may.min(n as i64);
        if to.write_all(&buffer[..passes as usize]).await.is_err() || may <= n as i64 {
            return;
        }
        // Unless the test says something else meanwhile.
        let rest = if may == ALL { ALL } else { may - passes };
        let _ = left.compare_exchange(may, rest, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// A server, a client that reaches it through a cutter, and what the client does all the time.
struct Story {
    server: Node,
    client: Node,
    cutter: Cutter,
    bench: BenchProxy,
    counted: Counted,
    population: Population,
    rounds: u64,
}

impl Story {
    async fn begin() -> Self {
        Self::with(Limits { frame: 1024, ..Limits::default() }).await
    }

    async fn with(limits: Limits) -> Self {
        let server = start(Node::builder().listen("tcp://127.0.0.1:0").limits(limits)).await;
        let counted = Counted::default();
        server.publish("bench", &BenchProxy::new(counted.clone()));
        let cutter = Cutter::before(&address(&server)).await;
        let client = start(Node::builder().limits(limits)).await;
        let bench = within(client.root(&cutter.address, "bench")).await.unwrap();
        Self { server, client, cutter, bench, counted, population: Population::default(), rounds: 0 }
    }

    /// Both noticed that the connection broke, so many times at least.
    async fn broke(&self, times: u64) {
        for node in [&self.client, &self.server] {
            eventually("it was resumed", || node.stats().sessions[0].resumed >= times).await;
        }
    }

    /// Calls, messages in several frames, references and cancels, at the same time. Each is executed once.
    async fn round(&mut self) {
        self.rounds += 10;
        let (id, bench) = (self.rounds, &self.bench);
        let (small, large) = (vec![1; 10], vec![2; 1100]);
        let mut stalls = Box::pin(bench.stall(id));
        let given_up = tokio::time::timeout(Duration::ZERO, &mut stalls).await;
        assert!(given_up.is_err(), "{given_up:?}");
        let item = self.population.item();
        let (one, two, three) = within(async {
            let echo = async {
                let (back, n) = bench.echo(item.clone(), id).await.unwrap();
                assert!(back == item, "another object came back");
                n
            };
            let both = async {
                let notes = (bench.note(id + 1, small.clone()), bench.note(id + 2, large.clone()));
                tokio::join!(notes.0, notes.1)
            };
            let ((one, two), three) = tokio::join!(both, echo);
            (one, two, three)
        })
        .await;
        assert_eq!((one.unwrap(), two.unwrap(), three), (small, large, id + 1));
        drop(stalls);
        for id in id..=id + 2 {
            assert_eq!(self.counted.executed(id), 1, "call {id}");
        }
    }

    async fn end(self) {
        let Self { server, client, bench, population, counted, rounds, .. } = self;
        eventually("all calls have ended", || client.stats().calls_waiting == 0).await;
        server.unpublish("bench");
        drop(bench);
        all_zero(&[&server, &client]).await;
        assert_eq!(population.alive(), 0, "what travelled is dropped");
        let counts = counted.0.lock();
        assert!(counts.values().all(|executed| *executed == 1));
        assert_eq!(counts.len() as u64, rounds / 10 * 3);
    }
}

/// The connection breaks after each number of bytes, in each direction, until a round is through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_break_at_every_byte() {
    for direction in [0, 1] {
        let mut story = Story::begin().await;
        for bytes in 1..1400 {
            story.cutter.left[direction].store(bytes, Ordering::SeqCst);
            story.round().await;
            // What is said after the last answer may be more or less.
            story.cutter.left[direction].store(ALL, Ordering::SeqCst);
        }
        story.broke(1200).await;
        story.end().await;
    }
}

/// The connection on which a session is resumed breaks, too, after each number of bytes: in Resume and its answer, and in what
/// is sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_break_at_every_byte_of_a_resumption() {
    for direction in [0, 1] {
        let mut story = Story::begin().await;
        for bytes in 1..200 {
            story.cutter.next[direction].store(bytes, Ordering::SeqCst);
            // Somewhere in a message of several frames.
            story.cutter.left[direction].store(600, Ordering::SeqCst);
            story.round().await;
        }
        story.broke(200).await;
        story.end().await;
    }
}

/// The same at some places of messages in several large frames, two at a time in each direction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn breaks_within_large_frames() {
    let story = Story::with(Limits { frame: 40_000, ..Limits::default() }).await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n / 7) as u8).collect();
    let mut id = 0;
    for place in (0..600_000).step_by(4_999) {
        for direction in [0, 1] {
            story.cutter.left[direction].store(place, Ordering::SeqCst);
            let notes =
                (story.bench.note(id, bytes.clone()), story.bench.note(id + 1, bytes[..250_000].to_vec()));
            let (one, two) = within(async { tokio::join!(notes.0, notes.1) }).await;
            assert!(one.unwrap() == bytes && two.unwrap() == bytes[..250_000], "cut after {place}");
            assert_eq!((story.counted.executed(id), story.counted.executed(id + 1)), (1, 1));
            story.cutter.left[direction].store(ALL, Ordering::SeqCst);
            id += 2;
        }
    }
    story.broke(200).await;
    within(story.client.shutdown()).await;
    within(story.server.shutdown()).await;
}

/// An acceptor that takes every Resume and hangs up: it is dialed no more often than one that never answers.
#[tokio::test]
async fn an_acceptor_that_resumes_and_hangs_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = silent().await;
    let id = NodeId::random();
    let dialer = node.clone();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let connecting = tokio::spawn(async move { dialer.connect(&address).await });
    let (mut resumed, mut began) = (0, now());
    while resumed < 9 {
        let (stream, _) = within(listener.accept()).await.unwrap();
        let mut raw = Raw::of(stream);
        raw.send_bytes(&PREFACE).await;
        match raw.receive().await {
            Some(Frame::Hello(_)) => raw.send(&welcome(id)).await,
            Some(Frame::Resume(_)) => {
                if resumed == 0 {
                    began = now();
                }
                resumed += 1;
                raw.send(&Frame::Resumed(Resumed { received: 0, token: vec![resumed; 16] })).await;
            }
            other => panic!("{other:?}"),
        }
    }
    // The pauses add up to at least half of 10 + 20 + .. + 1000 ms.
    assert!(
        began.elapsed() > Duration::from_millis(500),
        "it was dialed {resumed} times in {:?}",
        began.elapsed()
    );
    within(connecting).await.unwrap().unwrap();
    within(node.shutdown()).await;
}

fn welcome(node: NodeId) -> Frame {
    Frame::Welcome(Welcome {
        version: 1,
        node,
        session: [7; 16],
        token: vec![0; 16],
        lease_ms: 30_000,
        limits: Limits::default(),
        host: 1,
        process: 1,
        addresses: Vec::new(),
    })
}

/// A peer comes back twice while its session is busy: it is answered at once, and the second connection takes the place of the
/// first, and stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_resumptions_while_the_session_is_busy() {
    let server = start(Node::builder().listen("tcp://127.0.0.1:0")).await;
    server.publish("bench", &BenchProxy::new(Counted::default()));
    let at = address(&server);
    let (mut raw, opened) = Raw::greet(&at, hello()).await;
    let Some(Frame::Welcome(opened)) = opened else { panic!("{opened:?}") };
    raw.send(&Frame::Root { call: 1, name: "bench".into(), unsupported: None }).await;
    let Some(Frame::Reply(root)) = raw.receive().await else { panic!("a root") };
    // Another thread looks after sockets and timers.
    let awake = tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    // The node reads nothing meanwhile.
    raw.send(&Frame::Call(Call {
        call: 2,
        target: Target::Object(root.table.references[0].object),
        method: MethodId::of("rmi.Bench", "compute"),
        left_ms: None,
        unsupported: None,
        table: Table::default(),
        size: 4,
        chunk: vec![0x91, 0xcd, 0x03, 0xe8].into(),
    }))
    .await;
    eventually("it computes", || server.stats().calls_running == 1).await;
    let mut first = Raw::connect(&at).await;
    let resume = Frame::Resume(Resume { session: opened.session, token: opened.token, received: 1 });
    let resume = [&PREFACE[..], &encoded(&resume)].concat();
    first.send_bytes(&resume).await;
    let frame = first.receive().await;
    assert!(matches!(frame, Some(Frame::Resumed(Resumed { received: 2, .. }))), "{frame:?}");
    let mut second = Raw::connect(&at).await;
    second.send_bytes(&resume).await;
    while let Some(frame) = first.receive().await {
        assert!(matches!(frame, Frame::Ping { .. }), "until it is replaced: {frame:?}");
    }
    let frame = second.receive().await;
    assert!(matches!(frame, Some(Frame::Resumed(Resumed { received: 2, .. }))), "{frame:?}");
    // It answers the call, and stays for what is asked after that.
    let (mut replied, mut ponged) = (false, false);
    while !ponged {
        match second.receive().await {
            Some(Frame::Reply(reply)) => {
                assert_eq!(reply.call, 2);
                replied = true;
                second.send(&Frame::Ping { stamp: 7 }).await;
            }
            Some(Frame::Pong { stamp: 7 }) => ponged = replied,
            Some(_) => {}
            None => panic!("the connection broke"),
        }
    }
    awake.abort();
    within(server.shutdown()).await;
}

/// What is given up and dropped while the connection is away is let go of at once, and its peer hears of it later.
#[tokio::test]
async fn what_is_given_up_and_dropped_while_the_peer_is_away() {
    let away = |builder: rmi::Builder| {
        builder.lease(Duration::from_secs(120)).reconnect_window(Duration::from_secs(120))
    };
    let relay = Relay::new().await;
    let site = Site::at(start(away(relay.builder())).await);
    let client = start(away(Node::builder())).await;
    let shelf: ShelfProxy = client.root(&relay.address, "shelf").await.unwrap();
    let theirs = within(shelf.make()).await.unwrap();
    relay.refuse();
    eventually("it is away", || !client.stats().sessions[0].open).await;
    let ours = Population::default();
    for _ in 0..100 {
        let mut call = Box::pin(shelf.put(ours.item()));
        assert!(tokio::time::timeout(Duration::ZERO, &mut call).await.is_err());
    }
    drop(theirs);
    eventually("the arguments are dropped", || ours.alive() == 0).await;
    eventually("no call waits", || client.stats().calls_waiting == 0).await;
    assert_eq!(site.alive(), 1);
    relay.flow();
    eventually("the object is collected", || site.alive() == 0).await;
    assert_eq!(within(shelf.count()).await.unwrap(), 0, "nothing was put there");
    drop(shelf);
    within(client.shutdown()).await;
    close_down(vec![site]).await;
}

/// A session that a raw peer has opened: what it takes to resume it.
struct Held {
    at: String,
    session: [u8; 16],
    token: Vec<u8>,
}

impl Held {
    async fn open(at: &str, hello: Hello) -> (Raw, Self) {
        let (raw, opened) = Raw::greet(at, hello).await;
        let Some(Frame::Welcome(Welcome { session, token, .. })) = opened else { panic!("{opened:?}") };
        (raw, Self { at: at.to_owned(), session, token })
    }

    /// Says Resume on a new connection; the answer.
    async fn resume(&self, session: [u8; 16], token: &[u8], received: u64) -> (Raw, Option<Frame>) {
        let mut raw = Raw::connect(&self.at).await;
        let resume = Frame::Resume(Resume { session, token: token.to_vec(), received });
        raw.send_bytes(&[&PREFACE[..], &encoded(&resume)].concat()).await;
        let answer = raw.receive().await;
        (raw, answer)
    }

    async fn is_refused(&self, session: [u8; 16], token: &[u8], received: u64) {
        let (mut raw, answer) = self.resume(session, token, received).await;
        let malformed = !(16..=64).contains(&token.len());
        let refused = match answer {
            Some(Frame::Expired { .. }) => !malformed,
            Some(Frame::Refused(_)) => malformed,
            _ => false,
        };
        assert!(refused, "a token of {} bytes: {answer:?}", token.len());
        assert_eq!(raw.receive().await, None, "it is closed");
    }
}

/// The node reads this connection, and answers on it.
async fn is_alive(raw: &mut Raw, stamp: u64) {
    raw.send(&Frame::Ping { stamp }).await;
    loop {
        match raw.receive().await {
            Some(Frame::Pong { stamp: answered }) if answered == stamp => return,
            Some(_) => {}
            None => panic!("the connection broke"),
        }
    }
}

/// Whoever has no token of a session, or an old one, changes nothing of it.
#[tokio::test]
async fn takeovers() {
    let server = start(Node::builder().listen("tcp://127.0.0.1:0")).await;
    server.publish("bench", &BenchProxy::new(Counted::default()));
    let resumed = || server.stats().sessions.iter().map(|session| session.resumed).sum::<u64>();
    let (mut raw, held) = Held::open(&address(&server), hello()).await;
    raw.send(&Frame::Root { call: 1, name: "bench".into(), unsupported: None }).await;
    let root = raw.receive().await;
    assert!(matches!(root, Some(Frame::Reply(_))), "{root:?}");
    let token = &held.token[..];
    let longer = [token, &[0]].concat();
    let mut other = token.to_vec();
    other[token.len() - 1] ^= 1;
    for n in 0..50 {
        for wrong in [&[][..], &token[..15], &token[..16], &[0; 32], &[0; 64], &[0; 65], &longer, &other] {
            held.is_refused(held.session, wrong, n).await;
        }
        held.is_refused([7; 16], token, n).await;
        is_alive(&mut raw, n).await;
    }
    assert_eq!(resumed(), 0);

    // The right one. As long as nothing is heard on its connection it may have to be said again, and is answered the same.
    let (mut first, answer) = held.resume(held.session, token, 1).await;
    let Some(Frame::Resumed(answer)) = answer else { panic!("{answer:?}") };
    assert_eq!(raw.last().await, None, "the old connection is closed");
    let (mut second, again) = held.resume(held.session, token, 1).await;
    assert_eq!(again, Some(Frame::Resumed(answer.clone())));
    while first.receive().await.is_some() {}
    is_alive(&mut second, 1).await;
    held.is_refused(held.session, token, 1).await;
    is_alive(&mut second, 2).await;
    assert_eq!(resumed(), 2);

    // Nobody can have received what was never sent.
    let (mut third, none) = held.resume(held.session, &answer.token, 2).await;
    assert!(!matches!(none, Some(Frame::Resumed(_))), "{none:?}");
    while third.receive().await.is_some() {}
    eventually("it is over", || server.stats().sessions.is_empty()).await;
    held.is_refused(held.session, &answer.token, 1).await;

    // Where nobody dialed nobody resumes, and nothing is kept.
    let (raw, held) = Held::open(&address(&server), Hello { symmetric: true, ..hello() }).await;
    held.is_refused(held.session, &held.token, 0).await;
    drop(raw);
    eventually("it is over", || server.stats().sessions.is_empty()).await;
    within(server.shutdown()).await;
}
