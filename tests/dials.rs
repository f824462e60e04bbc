//! Where a node connects to because a peer said so, and how often.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use rmi::{Builder, Node, NodeId, ObjectId, RemoteError};
use rmi_core::id::MethodId;
use rmi_core::internal::wire::{
    Call, Frame, Hello, Limits, Owner, PREFACE, Reply, Table, TableNode, TableReference, Target, Welcome,
    split,
};
use support::child::{self, Process};
use support::raw::{Raw, hello};
use support::relay::Relay;
use support::shelf::{Item, ItemProxy, Population, Shelf, ShelfProxy, Site};
use support::{LIMIT, eventually, listening, now, silent, start, within};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

async fn site(builder: Builder) -> Site {
    Site::at(start(builder.listen("tcp://127.0.0.1:0")).await)
}

/// A hostile peer of a node, and what it needs to call the shelf there.
struct Hostile {
    raw: Raw,
    shelf: ObjectId,
    calls: u64,
    transfers: u64,
}

impl Hostile {
    /// One that is on the host of the node, and says so.
    async fn neighbour(at: &str) -> Self {
        let (_probe, welcome) = Raw::greet(at, hello()).await;
        let Some(Frame::Welcome(welcome)) = welcome else { panic!("{welcome:?}") };
        Self::greet(at, Hello { host: welcome.host, ..hello() }).await
    }

    /// One that says it is elsewhere. Its connection comes over loopback: that alone permits nothing.
    async fn stranger(at: &str) -> Self {
        Self::greet(at, hello()).await
    }

    async fn greet(at: &str, hello: Hello) -> Self {
        let (mut raw, welcome) = Raw::greet(at, hello).await;
        assert!(matches!(welcome, Some(Frame::Welcome(_))), "{welcome:?}");
        raw.send(&Frame::Root { call: 1, name: "shelf".into(), unsupported: None }).await;
        let shelf = reply(&mut raw).await.table.references[0].object;
        Self { raw, shelf, calls: 1, transfers: 0 }
    }

    async fn call(&mut self, method: &str, table: Table, payload: &'static [u8]) -> Reply {
        self.calls += 1;
        let (target, chunk) = (Target::Object(self.shelf), Bytes::from_static(payload));
        let method = MethodId::of("rmi.Shelf", method);
        let (call, size) = (self.calls, chunk.len() as u64);
        self.raw
            .send(&Frame::Call(Call {
                call,
                target,
                method,
                unsupported: None,
                left_ms: None,
                table,
                size,
                chunk,
            }))
            .await;
        reply(&mut self.raw).await
    }

    /// References to objects of others, all of them at `address`.
    fn names(&mut self, owned: impl IntoIterator<Item = (NodeId, ObjectId)>, address: &str) -> Table {
        let (mut nodes, mut references) = (Vec::new(), Vec::new());
        for (node, object) in owned {
            self.transfers += 1;
            let owner = Owner::Node(nodes.len() as u32);
            references.push(TableReference { owner, object, interface: 0, transfer: self.transfers });
            nodes.push(TableNode { node, addresses: vec![address.into()] });
        }
        Table { nodes, interfaces: ["rmi.Item".into()].into(), references: references.into() }
    }

    /// Has the node call an object whose owner is said to be at `address`; what came of that.
    async fn has_called(&mut self, owner: NodeId, address: &str) -> RemoteError {
        let table = self.names([(owner, ObjectId::random())], address);
        let reply = self.call("ping_this", table, ITEM_AND_NUMBER).await;
        rmp_serde::from_slice(&reply.chunk).unwrap()
    }
}

const ITEM: &[u8] = &[0x91, 0xd6, 1, 0, 0, 0, 0];
const ITEM_AND_NUMBER: &[u8] = &[0x92, 0xd6, 1, 0, 0, 0, 0, 1];

async fn reply(raw: &mut Raw) -> Reply {
    loop {
        if let Frame::Reply(reply) = raw.receive().await.expect("the session goes on") {
            return reply;
        }
    }
}

/// What a servant met, as its caller sees it, or as the error stands in the reply.
fn is_unreachable(error: &RemoteError) -> bool {
    match error {
        RemoteError::Forwarded { error, .. } => is_unreachable(error),
        error => matches!(error, RemoteError::Unreachable { .. }),
    }
}

/// The owner was not dialed, and the error says why.
#[track_caller]
fn is_not_permitted(error: &RemoteError) {
    assert!(is_unreachable(error) && error.to_string().contains("policy"), "{error:?}");
}

/// Nobody has connected: asked when the dial, if there was one, is over.
fn nobody_connected(listener: &std::net::TcpListener) {
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// A policy's answers are counted.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    address: String,
    owner: NodeId,
    introducer: NodeId,
    near: bool,
}

#[tokio::test]
async fn the_policy_of_the_program_is_asked_and_obeyed() {
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let log = asked.clone();
    let victim = site(Node::builder().dial_policy(move |request| {
        // The friend would relay, too.
        if request.scheme() == "relay" {
            return false;
        }
        let (address, near) = (request.address().to_owned(), request.is_from_this_host());
        assert!(request.is_permitted_by_default() && request.scheme() == "tcp", "{request:?}");
        assert_eq!(request.ip(), Some([127, 0, 0, 1].into()));
        log.lock().push(Asked { address, owner: request.owner(), introducer: request.introducer(), near });
        false
    }))
    .await;
    let (owner, friend) = (Site::new().await, Site::new().await);
    let item = friend.sees(&owner).await.make().await.unwrap();
    let there = friend.sees(&victim).await;
    within(there.put(item.clone())).await.unwrap();
    is_not_permitted(&within(there.ping_top(1)).await.unwrap_err());

    let expected =
        Asked { address: owner.address(), owner: owner.node.id(), introducer: friend.node.id(), near: true };
    // When it arrived, and when it was used, unless these were one.
    let times = asked.lock().len();
    assert!(matches!(times, 1 | 2), "{times}");
    assert!(asked.lock().iter().all(|asked| *asked == expected), "{asked:?}");

    // What the program names is its own affair, and leads to the owner from then on.
    let _seen = victim.sees(&owner).await;
    assert_eq!(within(there.ping_top(1)).await.unwrap(), 2);
    assert_eq!(asked.lock().len(), times);
    for site in [victim, friend, owner] {
        within(site.node.shutdown()).await;
    }
}

#[tokio::test]
async fn names_that_resolve_to_loopback() {
    let victim = site(Node::builder().handshake_timeout(Duration::from_millis(300))).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut stranger = Hostile::stranger(&victim.address()).await;
    // These look like names, and the system's resolver reads them as 127.0.0.1.
    for host in ["127.1", "2130706433", "0x7f000001", "0177.0.0.1"] {
        let error = stranger.has_called(NodeId::random(), &format!("tcp://{host}:{port}")).await;
        is_not_permitted(&error);
    }
    nobody_connected(&listener);
    // Who may name loopback may call it what it likes.
    let mut neighbour = Hostile::neighbour(&victim.address()).await;
    let error = neighbour.has_called(NodeId::random(), &format!("tcp://127.1:{port}")).await;
    assert!(!error.to_string().contains("policy"), "{error:?}");
    assert!(listener.accept().is_ok());
    within(victim.node.shutdown()).await;
}

/// A peer's own addresses are its words, too. They are dialed when its connection is lost.
#[tokio::test]
async fn the_addresses_that_a_peer_says_are_its_own() {
    let (victim, friend) = (Site::new().await, Site::new().await);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let own = format!("tcp://127.1:{}", listener.local_addr().unwrap().port());
    let mut stranger = Hostile::greet(&victim.address(), Hello { addresses: vec![own], ..hello() }).await;
    let reference =
        TableReference { owner: Owner::Sender, object: ObjectId::random(), interface: 0, transfer: 0 };
    let table =
        Table { nodes: vec![], interfaces: ["rmi.Item".into()].into(), references: [reference].into() };
    stranger.call("put", table, ITEM).await;
    drop(stranger);
    eventually("its session is lost", || victim.node.stats().imports == 0).await;
    is_not_permitted(&within(friend.sees(&victim).await.ping_top(1)).await.unwrap_err());
    nobody_connected(&listener);
    for site in [victim, friend] {
        within(site.node.shutdown()).await;
    }
}

/// Whoever names an address chooses not one byte of what is sent there.
#[tokio::test]
async fn nothing_but_a_fixed_hello_is_sent_to_whoever_does_not_answer() {
    let victim = site(Node::builder().handshake_timeout(Duration::from_millis(300))).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        heard
    });
    // What a line-based server would take for a command.
    let owner = NodeId::from_bytes(*b"\r\nFLUSHALL\r\n\r\n\r\n");
    let error = Hostile::neighbour(&victim.address()).await.has_called(owner, &address).await;
    assert!(is_unreachable(&error), "{error:?}");

    let heard = within(heard).await.unwrap();
    assert!(!heard.windows(4).any(|bytes| bytes == b"\r\nFL"), "{heard:?}");
    let mut rest = heard.strip_prefix(&PREFACE[..]).expect("the preface").into();
    let first = split(&mut rest, 1 << 16).unwrap().expect("a frame");
    let Frame::Hello(hello) = Frame::decode(first, &Limits::default()).unwrap() else { panic!("{heard:?}") };
    assert_eq!((hello.node, hello.expect), (victim.node.id(), None));
    assert!(rest.is_empty(), "{rest:?}");
    within(victim.node.shutdown()).await;
}

/// Where another node answers, there is a session for that node; it is told that it is over.
#[tokio::test]
async fn another_node_than_the_one_that_was_named() {
    let victim = Site::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let answers = tokio::spawn(async move {
        let mut raw = Raw::of(listener.accept().await.unwrap().0);
        let first = raw.receive().await;
        assert!(matches!(first, Some(Frame::Hello(_))), "{first:?}");
        let Hello { lease_ms, limits, host, process, addresses, .. } = hello();
        let (version, node, session, token) = (1, NodeId::random(), [1; 16], vec![1; 16]);
        let welcome = Welcome { version, node, session, token, lease_ms, limits, host, process, addresses };
        raw.send_bytes(&PREFACE).await;
        raw.send(&Frame::Welcome(welcome)).await;
        raw.receive().await
    });
    let mut hostile = Hostile::neighbour(&victim.address()).await;
    let error = hostile.has_called(NodeId::random(), &address).await;
    assert!(matches!(error, RemoteError::NoSuchObject { .. }), "{error:?}");
    let last = within(answers).await.unwrap();
    assert!(matches!(last, Some(Frame::Bye { code: 3, .. })), "{last:?}");
    within(victim.node.shutdown()).await;
}

/// Accepts connections, and counts them.
#[derive(Clone, Default)]
struct Crowd {
    all: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    peak: Arc<AtomicUsize>,
}

impl Crowd {
    /// Accepts and says nothing; or hangs up at once.
    async fn listen(&self, hangs_up: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let Self { all, open, peak } = self.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                all.fetch_add(1, Ordering::SeqCst);
                if hangs_up {
                    continue;
                }
                peak.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let open = open.clone();
                tokio::spawn(async move {
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        address
    }
}

/// Names so many owners, all at `address`.
async fn name_many(hostile: &mut Hostile, count: usize, address: &str) {
    for _ in 0..count / 1_000 {
        let owned = (0..1_000).map(|_| (NodeId::random(), ObjectId::random()));
        let table = hostile.names(owned, address);
        hostile.call("count", table, &[0x90]).await;
    }
}

/// An item of `owner` is registered with it for the sake of `victim`, before anybody uses it there.
async fn hands_over(friend: &Site, owner: &Site, victim: &Site) {
    let item: ItemProxy = friend.sees(owner).await.make().await.unwrap();
    let there = friend.sees(victim).await;
    let listed = || -> usize {
        let sessions = owner.node.stats().sessions;
        sessions.iter().filter(|session| session.peer == Some(victim.node.id())).map(|s| s.exports).sum()
    };
    let before = listed();
    within(there.put(item)).await.unwrap();
    eventually("it is registered", || listed() > before).await;
    assert_eq!(within(there.ping_top(1)).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_owners_where_nobody_answers() {
    let (owner, friend, victim) = (Site::new().await, Site::new().await, Site::new().await);
    let crowd = Crowd::default();
    let address = crowd.listen(false).await;
    let mut hostile = Hostile::neighbour(&victim.address()).await;
    name_many(&mut hostile, 10_000, &address).await;
    eventually("the first are dialed", || crowd.open.load(Ordering::SeqCst) == 16).await;
    hands_over(&friend, &owner, &victim).await;
    assert_eq!(crowd.peak.load(Ordering::SeqCst), 16, "at a time");
    drop(hostile);
    for site in [victim, friend, owner] {
        within(site.node.shutdown()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_owners_where_everybody_hangs_up() {
    let (owner, friend, victim) = (Site::new().await, Site::new().await, Site::new().await);
    let crowd = Crowd::default();
    let address = crowd.listen(true).await;
    let mut hostile = Hostile::neighbour(&victim.address()).await;
    let began = now();
    // These are kept, so that the node asks again by itself; the others are dropped as they arrive.
    for _ in 0..200 {
        let table = hostile.names([(NodeId::random(), ObjectId::random())], &address);
        hostile.call("put", table, ITEM).await;
    }
    name_many(&mut hostile, 10_000, &address).await;
    hands_over(&friend, &owner, &victim).await;
    while began.elapsed() < Duration::from_secs(1) {
        name_many(&mut hostile, 1_000, &address).await;
    }
    eventually("a burst is dialed, and some more", || crowd.all.load(Ordering::SeqCst) > 64).await;
    let dialed = crowd.all.load(Ordering::SeqCst);
    let allowed = 64 + (began.elapsed().as_millis() as usize).div_ceil(125);
    assert!(dialed <= allowed, "{dialed} were dialed, of {allowed}");
    drop(hostile);
    for site in [victim, friend, owner] {
        within(site.node.shutdown()).await;
    }
}

/// A node between is dialed like an owner: as the policy says of its address.
#[tokio::test]
async fn a_node_between_is_dialed_as_the_policy_says() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let (between, owner) = (NodeId::random(), NodeId::random());
    let inner = format!("tcp://{}", listener.local_addr().unwrap());
    let named = format!("relay://{between}/{inner}");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    let victim = site(Node::builder().dial_policy(move |request| {
        log.lock().push((request.address().to_owned(), request.owner(), request.is_permitted_by_default()));
        request.scheme() == "relay"
    }))
    .await;
    let mut hostile = Hostile::neighbour(&victim.address()).await;
    is_not_permitted(&hostile.has_called(owner, &named).await);
    assert_eq!(*asked.lock(), [(named.clone(), owner, true), (inner.clone(), between, true)]);
    // From one that is elsewhere it makes no sense.
    let mut hostile = Hostile::stranger(&victim.address()).await;
    assert!(is_unreachable(&hostile.has_called(owner, &named).await));
    assert_eq!(asked.lock().len(), 2);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    within(victim.node.shutdown()).await;
}

/// A lie that is told while the owner is connected, about an object that the liar knows.
#[tokio::test]
async fn a_lie_does_not_replace_the_address_that_worked() {
    let relay = Relay::new().await;
    let (owner, victim, friend) =
        (Site::at(start(relay.builder()).await), Site::new().await, Site::new().await);
    let seen = within(victim.node.root::<ShelfProxy>(&relay.address, "shelf")).await.unwrap();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("tcp://{}", listener.local_addr().unwrap())
    };
    // It has a reference itself, and knows what it may call there.
    let mut accomplice = Hostile::greet(&relay.address, hello()).await;
    let item = accomplice.call("make", Table::EMPTY, &[0x90]).await.table.references[0].object;
    let mut hostile = Hostile::neighbour(&victim.address()).await;
    let table = hostile.names([(owner.node.id(), item)], &closed);
    hostile.call("put", table, ITEM).await;
    let there = friend.sees(&victim).await;
    assert_eq!(within(there.ping_top(1)).await.unwrap(), 2);

    drop(seen);
    relay.cut();
    // Calls fail until the node has noticed, and no longer.
    let cut = now();
    while let Err(error) = within(there.ping_top(1)).await {
        assert!(cut.elapsed() < LIMIT, "{error:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop((hostile, accomplice));
    for site in [victim, friend, owner] {
        within(site.node.shutdown()).await;
    }
}

/// While a made-up address is being dialed, the owner is reached in another way: that session is the way to it from then on.
#[tokio::test]
async fn a_dial_that_hangs_stands_in_nobodys_way() {
    let (owner, friend, victim) = (Site::new().await, Site::new().await, Site::new().await);
    let crowd = Crowd::default();
    let address = crowd.listen(false).await;
    let mut hostile = Hostile::neighbour(&victim.address()).await;
    let table = hostile.names([(owner.node.id(), ObjectId::random())], &address);
    hostile.call("put", table, ITEM).await;
    eventually("it is dialed", || crowd.open.load(Ordering::SeqCst) == 1).await;
    let _seen = victim.sees(&owner).await;
    hands_over(&friend, &owner, &victim).await;
    let sessions = owner.node.stats().sessions;
    let of_victim = sessions.iter().filter(|session| session.peer == Some(victim.node.id())).count();
    assert_eq!(of_victim, 1, "{sessions:#?}");
    drop(hostile);
    for site in [victim, friend, owner] {
        within(site.node.shutdown()).await;
    }
}

/// Two hosts, as far as the network can tell: namespaces with a cable between them. The peer repeats the `host` value that it was told.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_peer_that_is_elsewhere_and_says_it_is_here() {
    for options in [&[][..], &["--map-root-user"][..]] {
        let mut able = tokio::process::Command::new("unshare");
        able.args(options).args(["--net", "ip", "link", "add"]);
        let able = able.args(["outer", "type", "veth", "peer", "name", "inner"]).output().await;
        if able.is_ok_and(|able| able.status.success()) {
            let pair = child::without_network(options, "elsewhere", "").spawn().unwrap();
            let output = within(pair.wait_with_output()).await.unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            return assert!(output.status.success() && said.contains("all is well"), "{said}");
        }
    }
    eprintln!("skipped: no network namespaces can be made here");
}

#[tokio::test]
#[ignore = "other tests run it in a process of its own"]
async fn child() {
    match child::role() {
        Some((role, _)) if role == "elsewhere" => elsewhere().await,
        Some((role, _)) if role == "victim" => victim().await,
        _ => {}
    }
}

/// Runs commands; `;` separates them.
async fn sh(commands: &str) {
    let ran = tokio::process::Command::new("sh").args(["-ec", commands]).status().await.unwrap();
    assert!(ran.success(), "{commands}");
}

async fn elsewhere() {
    sh("ip link add outer type veth peer name inner").await;
    let mut victim = Process::alone("victim", "");
    assert_eq!(victim.hear().await, "here");
    let pid = victim.child.id().unwrap();
    sh(&format!("ip link set inner netns {pid}")).await;
    sh("ip addr add 10.9.0.1/24 dev outer; ip addr add 169.254.9.1/16 dev outer; ip link set outer up").await;
    let ports = victim.ask("inner").await;
    let [port, loopback, link_local]: [&str; 3] = ports.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let loopback = format!("127.0.0.1:{loopback}");
    let link_local = format!("169.254.9.2:{link_local}");

    let mut routed = Hostile::neighbour(&format!("tcp://10.9.0.2:{port}")).await;
    for address in [&loopback, &link_local] {
        is_not_permitted(&routed.has_called(NodeId::random(), &format!("tcp://{address}")).await);
    }
    assert_eq!(victim.ask("connections").await, "false false");
    let mut near = Hostile::neighbour(&format!("tcp://169.254.9.2:{port}")).await;
    is_not_permitted(&near.has_called(NodeId::random(), &format!("tcp://127.1:{}", &loopback[10..])).await);
    let error = near.has_called(NodeId::random(), &format!("tcp://{link_local}")).await;
    assert!(!error.to_string().contains("policy"), "{error:?}");
    assert_eq!(victim.ask("connections").await, "false true");
    child::say("all is well");
}

/// A node, and others that listen on its host.
async fn victim() {
    let mut ears = child::ears();
    child::say("here");
    child::hear(&mut ears).await.unwrap();
    sh("ip link set lo up; ip addr add 10.9.0.2/24 dev inner; ip addr add 169.254.9.2/16 dev inner; ip link set inner up").await;
    let builder = Node::builder().handshake_timeout(Duration::from_millis(300));
    let site = Site::at(start(builder.listen("tcp://0.0.0.0:0")).await);
    let listener = |ip: &str| {
        let listener = std::net::TcpListener::bind((ip, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    };
    let ((loopback, at_loopback), (link_local, at_link_local)) =
        (listener("127.0.0.1"), listener("169.254.9.2"));
    let address = site.address();
    let (_, port) = address.rsplit_once(':').unwrap();
    child::say(&format!("{port} {at_loopback} {at_link_local}"));
    while child::hear(&mut ears).await.is_some() {
        let connected = [&loopback, &link_local].map(|listener| listener.accept().is_ok());
        child::say(&format!("{} {}", connected[0], connected[1]));
    }
}

/// More owners at once than are dialed at once: their objects live all the same, and are reached when they are used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_owners_at_once() {
    let (hub, holder) = (Site::new().await, Site::at(silent().await));
    let population = Population::default();
    let mut owners = Vec::new();
    for _ in 0..100 {
        let owner = listening().await;
        let shelf: ShelfProxy = owner.root(&hub.address(), "shelf").await.unwrap();
        within(shelf.put(population.item())).await.unwrap();
        owners.push(owner);
    }
    let shelf: ShelfProxy = holder.node.root(&hub.address(), "shelf").await.unwrap();
    let mut items = Vec::new();
    while let Some(item) = within(shelf.take()).await.unwrap() {
        items.push(item);
    }
    assert_eq!((items.len(), population.alive()), (100, 100));
    for item in &items {
        assert_eq!(within(item.ping(1)).await.unwrap(), 2);
    }
    assert_eq!(population.alive(), 100);
    drop(items);
    eventually("all are collected", || population.alive() == 0).await;
}
