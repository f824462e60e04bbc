//! The life of a node: where it listens, what it is attached to, what it publishes, and that nothing of it is left over.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rmi::{Node, Peer, Proxy, RemoteError, StartError};
use support::child;
use support::relay::Relay;
use support::shelf::{Item, ItemInterface, ItemProxy, Population, Shelf, ShelfProxy, Site, close_down};
use support::{address, all_zero, eventually, listening, now, silent, start, within};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

fn socket_path() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("rmi-{}.sock", uuid::Uuid::new_v4().simple()))
}

fn memory_address() -> String {
    format!("mem://{}", uuid::Uuid::new_v4())
}

#[tokio::test]
async fn several_addresses_at_once() {
    let (path, memory) = (socket_path(), memory_address());
    let unix = format!("unix://{}", path.display());
    let builder = Node::builder().listen("tcp://127.0.0.1:0").listen(&unix).listen(&memory);
    let site = Site::at(start(builder.listen("tcp://[::1]:0")).await);
    let addresses = site.node.addresses();
    assert_eq!(addresses.len(), 4);
    assert!(addresses[0].starts_with("tcp://127.0.0.1:") && !addresses[0].ends_with(":0"));
    assert!(addresses[3].starts_with("tcp://[::1]:") && !addresses[3].ends_with(":0"));
    assert_eq!(addresses[1..3], [unix, memory.clone()]);
    let client = silent().await;
    let mut shelves: Vec<ShelfProxy> = Vec::new();
    for address in &addresses {
        let shelf: ShelfProxy = within(client.root(address, "shelf")).await.unwrap();
        assert_eq!(shelf.make().await.unwrap().ping(1).await.unwrap(), 2);
        shelves.push(shelf);
    }
    assert!(shelves.iter().all(|shelf| *shelf == shelves[0]));
    drop(shelves);
    site.node.unpublish("shelf");
    drop(site.shelf);
    within(site.node.shutdown()).await;
    assert!(!path.exists(), "the socket's file is removed");
    assert!(Node::builder().listen(memory).start().await.is_ok(), "the name is free again");
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let path = socket_path();
    let unix = format!("unix://{}", path.display());
    // As a killed process leaves it.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let site = Site::at(start(Node::builder().listen(&unix)).await);
    let error = Node::builder().listen(&unix).start().await.unwrap_err();
    assert!(matches!(&error, StartError::AddressInUse { address } if *address == unix), "{error}");
    let client = silent().await;
    let shelf: ShelfProxy = client.root(&unix, "shelf").await.unwrap();
    assert_eq!(shelf.count().await.unwrap(), 0, "the live one goes on");
    within(site.node.shutdown()).await;
    // What is no socket is not touched.
    std::fs::write(&path, "precious").unwrap();
    let error = Node::builder().listen(&unix).start().await.unwrap_err();
    assert!(matches!(&error, StartError::AddressInUse { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(&path).unwrap();
}

/// Both ends call each other over whatever the stream is.
async fn both_ways(a: &Node, b: &Node, at_a: Peer, at_b: Peer) {
    assert_eq!((at_a.node(), at_b.node()), (b.id(), a.id()));
    let population = Population::default();
    a.publish("item", &population.item());
    b.publish("item", &population.item());
    let (of_b, of_a): (ItemProxy, ItemProxy) =
        (at_a.root("item").await.unwrap(), at_b.root("item").await.unwrap());
    assert_eq!((Proxy::owner(&of_a), Proxy::owner(&of_b)), (Some(a.id()), Some(b.id())));
    for n in 0..100 {
        let (one, other) = tokio::join!(of_a.ping(n), of_b.ping(n));
        assert_eq!((one.unwrap(), other.unwrap()), (n + 1, n + 1));
    }
    drop((of_a, of_b));
    a.unpublish("item");
    b.unpublish("item");
    eventually("both are collected", || population.alive() == 0).await;
    all_zero(&[a, b]).await;
    within(b.shutdown()).await;
    let reason = within(at_a.closed()).await;
    assert!(reason.contains("shutting down"), "{reason}");
}

#[tokio::test]
async fn attached_to_a_stream_in_memory() {
    for _ in 0..20 {
        // The side with the smaller id accepts: both happen.
        let (a, b) = (silent().await, silent().await);
        // Less than a Hello, less than a frame.
        let (near, far) = tokio::io::duplex(if a.id() < b.id() { 7 } else { 100 });
        let (at_a, at_b) = within(async { tokio::join!(a.attach(near), b.attach(far)) }).await;
        both_ways(&a, &b, at_a.unwrap(), at_b.unwrap()).await;
    }
}

#[tokio::test]
async fn attached_to_a_pair_of_sockets() {
    let (a, b) = (silent().await, silent().await);
    let (near, far) = tokio::net::UnixStream::pair().unwrap();
    let (at_a, at_b) = within(async { tokio::join!(a.attach(near), b.attach(far)) }).await;
    both_ways(&a, &b, at_a.unwrap(), at_b.unwrap()).await;
}

#[tokio::test]
async fn attached_to_a_node_that_listens() {
    let (site, client) = (Site::new().await, silent().await);
    let stream = tokio::net::TcpStream::connect(site.address().trim_start_matches("tcp://")).await.unwrap();
    let peer = within(client.attach(stream)).await.unwrap();
    assert_eq!(peer.node(), site.node.id());
    let shelf: ShelfProxy = peer.root("shelf").await.unwrap();
    shelf.put(Population::default().item()).await.unwrap();
    assert_eq!(shelf.ping_top(1).await.unwrap(), 2);
}

/// A stream is the way to what arrived on it, whoever gives it once more.
#[tokio::test]
async fn an_attached_stream_is_the_way_to_what_arrived_on_it() {
    let (a, b, c) = (Site::at(silent().await), Site::at(silent().await), Site::new().await);
    let (near, far) = tokio::io::duplex(100);
    let (at_a, at_b) = within(async { tokio::join!(a.node.attach(near), b.node.attach(far)) }).await;
    let (at_a, _at_b) = (at_a.unwrap(), at_b.unwrap());
    // `b` gives its object to `a` by the stream and to `c`, and `c` gives it to `a`.
    let (c_at_b, c_at_a) = (b.sees(&c).await, a.sees(&c).await);
    let b_at_a: ShelfProxy = at_a.root("shelf").await.unwrap();
    b.shelf.put(b.keeper.population.item()).await.unwrap();
    let by_stream = b_at_a.top().await.unwrap();
    c_at_b.put(b.shelf.take().await.unwrap().unwrap()).await.unwrap();
    let by_c = c_at_a.take().await.unwrap().unwrap();
    assert_eq!(by_c, by_stream);
    drop(by_stream);
    assert_eq!(within(by_c.ping(1)).await.unwrap(), 2);
    assert_eq!((b.served(&a.node), at_a.node()), (2, b.node.id()));
    drop((by_c, c_at_b, c_at_a, b_at_a));
    close_down(vec![a, b, c]).await;
}

#[tokio::test]
async fn what_is_attached_and_is_no_node() {
    let node = start(Node::builder().handshake_timeout(Duration::from_millis(200))).await;
    let (near, far) = tokio::io::duplex(100);
    let error = within(node.attach(near)).await.unwrap_err();
    assert!(error.to_string().contains("handshake"), "silent: {error}");
    drop(far);
    let (near, mut far) = tokio::io::duplex(1_000);
    far.write_all(b"login: ").await.unwrap();
    let error = within(node.attach(near)).await.unwrap_err();
    assert!(error.to_string().contains("not an rmi node"), "{error}");
    let (near, far) = tokio::io::duplex(100);
    drop(far);
    assert!(within(node.attach(near)).await.is_err());
    let (near, far) = tokio::io::duplex(100);
    let (one, other) = within(async { tokio::join!(node.attach(near), node.attach(far)) }).await;
    assert!(one.is_err() && other.is_err(), "a node cannot be attached to itself");
    eventually("nothing is left", || node.stats().sessions.is_empty()).await;
}

/// In the child: a node at stdin and stdout.
#[tokio::test]
#[ignore = "other tests run it in a process of its own"]
async fn child() {
    if child::role().is_none() {
        return;
    }
    let site = Site::at(silent().await);
    child::say("ready");
    let peer = site.node.attach(tokio::io::join(tokio::io::stdin(), tokio::io::stdout())).await.unwrap();
    let theirs: ItemProxy = peer.root("theirs").await.unwrap();
    site.shelf.put(theirs).await.unwrap();
    site.node.publish("ready", &site.shelf);
    peer.closed().await;
    std::process::exit(0);
}

#[tokio::test]
async fn attached_to_a_childs_stdin_and_stdout() {
    let node = silent().await;
    let population = Population::default();
    node.publish("theirs", &population.item());
    let mut child = child::command("attached", "").spawn().unwrap();
    let (stdin, mut stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    // What the test harness prints comes first.
    let mut line = String::new();
    while !line.ends_with("ready\n") {
        line.clear();
        assert!(within(stdout.read_line(&mut line)).await.unwrap() > 0, "the child ended");
    }
    let peer = within(node.attach(tokio::io::join(stdout, stdin))).await.unwrap();
    let mut shelf = peer.root::<ShelfProxy>("ready").await;
    while let Err(RemoteError::NotBound { .. }) = shelf {
        shelf = within(peer.root("ready")).await;
    }
    let shelf = shelf.unwrap();
    assert_eq!(within(shelf.ping_top(1)).await.unwrap(), 2, "called back from the child");
    assert_eq!(shelf.make().await.unwrap().ping(4).await.unwrap(), 5);
    within(node.shutdown()).await;
    let status = within(child.wait()).await.unwrap();
    assert!(status.success(), "{status}");
    node.unpublish("theirs");
    assert_eq!(population.alive(), 0);
}

#[tokio::test]
async fn publishing() {
    let (server, client) = (listening().await, silent().await);
    let (at, population) = (address(&server), Population::default());
    let (first, second) = (population.item(), population.item());
    server.publish("item", &first);
    assert_eq!(client.root::<ItemProxy>(&at, "item").await.unwrap(), first);
    server.publish("item", &second);
    assert_eq!(client.root::<ItemProxy>(&at, "item").await.unwrap(), second);
    drop((first, second));
    eventually("what was replaced is collected", || population.alive() == 1).await;
    // The own address needs no connection; neither does an untyped proxy.
    assert!(Proxy::is_local(&server.root::<ItemProxy>(&at, "item").await.unwrap()));
    let any: rmi::AnyProxy = client.root(&at, "item").await.unwrap();
    server.publish("again", &any.cast::<ItemInterface>().await.unwrap());
    assert!(server.unpublish("item") && !server.unpublish("item"));
    let error = client.root::<ItemProxy>(&at, "item").await.unwrap_err();
    assert!(matches!(error, RemoteError::NotBound { .. }), "{error}");
    // What another node owns can be published, too.
    let again: ItemProxy = client.root(&at, "again").await.unwrap();
    let relay = listening().await;
    relay.publish("relayed", &again);
    let relayed: ItemProxy = client.root(&address(&relay), "relayed").await.unwrap();
    assert_eq!((&relayed, Proxy::owner(&relayed)), (&again, Some(server.id())));
    assert_eq!(relayed.ping(1).await.unwrap(), 2);
    drop((any, again, relayed));
    server.unpublish("again");
    relay.unpublish("relayed");
    eventually("it is collected", || population.alive() == 0).await;
    all_zero(&[&server, &client, &relay]).await;
}

#[tokio::test]
async fn one_session_for_many_roots() {
    let (site, client) = (Site::new().await, silent().await);
    let mut asked = Vec::new();
    for _ in 0..50 {
        let (client, address) = (client.clone(), site.address());
        asked.push(tokio::spawn(async move { client.root::<ShelfProxy>(&address, "shelf").await }));
    }
    for root in asked {
        within(root).await.unwrap().unwrap();
    }
    let peer = client.connect(&site.address()).await.unwrap();
    assert_eq!(peer.node(), site.node.id());
    assert_eq!((client.stats().sessions.len(), site.node.stats().sessions.len()), (1, 1));
}

#[tokio::test]
async fn what_others_are_told_to_dial() {
    let wildcard = start(Node::builder().listen("tcp://0.0.0.0:0")).await;
    assert!(!wildcard.addresses().is_empty());
    for address in wildcard.addresses() {
        assert!(!address.contains("0.0.0.0") && !address.ends_with(":0"), "{address}");
    }
    assert!(wildcard.addresses().last().unwrap().contains("127.0.0.1"), "loopback comes last");
    let site = Site::at(wildcard);
    // Whichever of them a third node is told, it works.
    let (a, c) = (Site::new().await, Site::new().await);
    let last = site.node.addresses().last().unwrap().clone();
    let shelf: ShelfProxy = a.node.root(&last, "shelf").await.unwrap();
    let c_at_a = a.sees(&c).await;
    c_at_a.put(shelf.make().await.unwrap()).await.unwrap();
    assert_eq!(within(c.shelf.ping_top(1)).await.unwrap(), 2);

    let named = start(Node::builder().listen("tcp://localhost:0")).await;
    assert!(address(&named).starts_with("tcp://localhost:"), "a name stays a name");
    let advertised = Node::builder().listen("tcp://127.0.0.1:0").advertise("tcp://bank.example:7001");
    assert_eq!(start(advertised).await.addresses(), ["tcp://bank.example:7001"]);
}

#[tokio::test]
async fn shutdown_lets_a_running_call_finish_and_says_bye() {
    let site = Site::new().await;
    let client = silent().await;
    let peer = client.connect(&site.address()).await.unwrap();
    let shelf: ShelfProxy = peer.root("shelf").await.unwrap();
    let running = tokio::spawn({
        let (shelf, item) = (shelf.clone(), Population::default().item());
        async move { shelf.echo_later(item, 300).await }
    });
    eventually("the call runs", || site.node.stats().calls_running == 1).await;
    let shutting_down = tokio::spawn({
        let node = site.node.clone();
        async move { node.shutdown().await }
    });
    // New calls are refused while it drains, as not executed.
    let mut refused = within(shelf.count()).await;
    while refused.is_ok() {
        refused = within(shelf.count()).await;
    }
    let error = refused.unwrap_err();
    assert!(matches!(&error, RemoteError::ShuttingDown { node } if *node == site.node.id()), "{error}");
    assert!(error.is_retryable());
    let error = within(silent().await.root::<ShelfProxy>(&site.address(), "shelf")).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("shutting down"), "{error}");

    assert!(Proxy::is_local(&within(running).await.unwrap().unwrap()), "the running call completes");
    let reason = within(peer.closed()).await;
    assert!(reason.contains("shutting down"), "{reason}");
    within(shutting_down).await.unwrap();
    within(site.node.shutdown()).await;
    within(site.node.shutdown()).await;
    let error = within(shelf.count()).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Unreachable { .. }), "{error}");
    let error = within(site.node.connect(&address(&listening().await))).await.unwrap_err();
    assert!(matches!(&error, RemoteError::ShuttingDown { .. }), "{error}");
}

/// Counts how often it is called.
#[derive(Default)]
struct Tally(AtomicU64);

impl Item for Tally {
    async fn ping(&self, n: u64) -> Result<u64, RemoteError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(n + 1)
    }
}

/// Calls that cross the Bye were not executed, and their callers know: what was executed is what was answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_leaves_no_outcome_unknown() {
    for _ in 0..20 {
        let (server, client, tally) = (listening().await, silent().await, Arc::new(Tally::default()));
        server.publish("tally", &ItemProxy::from_arc(tally.clone()));
        let item: ItemProxy = within(client.root(&address(&server), "tally")).await.unwrap();
        let answered = Arc::new(AtomicU64::new(0));
        let callers: Vec<_> = (0..16)
            .map(|_| {
                let (item, answered) = (item.clone(), answered.clone());
                tokio::spawn(async move {
                    loop {
                        match item.ping(1).await {
                            Ok(_) => answered.fetch_add(1, Ordering::SeqCst),
                            // Refused, or behind the Bye; then there is no way any more.
                            Err(RemoteError::ShuttingDown { .. }) => continue,
                            Err(error) => return error,
                        };
                    }
                })
            })
            .collect();
        eventually("they call", || answered.load(Ordering::SeqCst) > 100).await;
        within(server.shutdown()).await;
        for caller in callers {
            let error = within(caller).await.unwrap();
            assert!(matches!(error, RemoteError::Unreachable { .. }), "{error}");
        }
        assert_eq!(tally.0.load(Ordering::SeqCst), answered.load(Ordering::SeqCst));
    }
}

/// A peer whose connection is broken at that moment comes back, and hears that there is nothing to come back to.
#[tokio::test]
async fn shutdown_is_heard_by_those_whose_connection_broke() {
    for _ in 0..10 {
        let relay = Relay::new().await;
        let server = start(relay.builder()).await;
        let client = silent().await;
        let peer = within(client.connect(&relay.address)).await.unwrap();
        relay.cut();
        let began = now();
        within(server.shutdown()).await;
        let reason = within(peer.closed()).await;
        let certain = reason.contains("shutting down") || reason.contains("given the session up");
        assert!(certain, "{reason}");
        assert!(began.elapsed() < Duration::from_secs(5), "nobody waits for the window");
    }
}

/// What does not finish is cut off after the drain's time, and its caller is told.
#[tokio::test]
async fn shutdown_is_bounded() {
    let builder = Node::builder().listen("tcp://127.0.0.1:0").drain_timeout(Duration::from_millis(200));
    let (site, client) = (Site::at(start(builder).await), silent().await);
    let shelf: ShelfProxy = client.root(&site.address(), "shelf").await.unwrap();
    let population = Population::default();
    let stalled = tokio::spawn({
        let (shelf, item) = (shelf.clone(), population.item());
        async move { shelf.stall(Some(item)).await }
    });
    eventually("the call runs", || site.node.stats().calls_running == 1).await;
    let start = now();
    within(site.node.shutdown()).await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let error = within(stalled).await.unwrap().unwrap_err();
    assert!(matches!(&error, RemoteError::OutcomeUnknown { .. }), "{error}");
    eventually("its argument is released", || population.alive() == 0).await;
}

#[tokio::test]
async fn a_node_that_is_dropped_stops() {
    let client = silent().await;
    let site = Site::new().await;
    let at = site.address();
    let peer = client.connect(&at).await.unwrap();
    let shelf: ShelfProxy = peer.root("shelf").await.unwrap();
    let (clone, population) = (site.node.clone(), Population::default());
    shelf.put(population.item()).await.unwrap();
    drop(site);
    assert_eq!(within(shelf.ping_top(1)).await.unwrap(), 2, "a clone is the node, too");
    drop(clone);
    let reason = within(peer.closed()).await;
    assert!(reason.contains("dropped"), "{reason}");
    let error = within(shelf.count()).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Unreachable { .. }), "{error}");
    eventually("what it held is collected", || population.alive() == 0).await;
    let mut again = Node::builder().listen(&at).start().await;
    while matches!(again, Err(StartError::AddressInUse { .. })) {
        again = within(Node::builder().listen(&at).start()).await;
    }
    // The port leads to another node now.
    let _again = again.unwrap();
    let error = within(shelf.count()).await.unwrap_err();
    assert!(matches!(&error, RemoteError::NoSuchObject { .. }), "{error}");
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Runs alone, in a process of its own: other tests' descriptors would be counted.
#[test]
#[cfg(target_os = "linux")]
fn nothing_is_left_over() {
    const ROLE: &str = "RMI_TEST_ALONE";
    if std::env::var(ROLE).is_err() {
        let alone = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "nothing_is_left_over", "--nocapture"])
            .env(ROLE, "1")
            .output()
            .unwrap();
        assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stderr));
        return;
    }
    for kind in ["multi", "current"] {
        let runtime = match kind {
            "multi" => tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build(),
            _ => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        };
        let runtime = runtime.unwrap();
        // What the first use of anything opens for good.
        runtime.block_on(a_busy_life(true));
        let metrics = runtime.metrics();
        let (open, alive) = (descriptors(), metrics.num_alive_tasks());
        for round in 0..6 {
            runtime.block_on(a_busy_life(round % 2 == 0));
            runtime.block_on(async {
                eventually("all tasks end and all descriptors are closed", || {
                    descriptors() <= open && metrics.num_alive_tasks() <= alive
                })
                .await;
            });
        }
    }
}

/// Nodes that listen, call, are called, pass references on, fail to dial, and end: by shutdown, or dropped.
async fn a_busy_life(by_shutdown: bool) {
    let (path, memory) = (socket_path(), memory_address());
    let builder = Node::builder().listen("tcp://127.0.0.1:0").listen(format!("unix://{}", path.display()));
    let (a, b, c) = (Site::at(start(builder.listen(&memory)).await), Site::new().await, Site::new().await);
    let (b_at_a, c_at_a) = (a.sees(&b).await, a.sees(&c).await);
    let _unix: ShelfProxy = c.node.root(&a.node.addresses()[1], "shelf").await.unwrap();
    let _memory: ShelfProxy = b.node.root(&memory, "shelf").await.unwrap();
    c_at_a.put(b_at_a.make().await.unwrap()).await.unwrap();
    assert_eq!(c_at_a.ping_top(1).await.unwrap(), 2);
    assert!(a.node.connect("tcp://127.0.0.1:1").await.is_err());
    let (near, far) = tokio::io::duplex(64);
    let (one, other) = tokio::join!(a.node.attach(near), b.node.attach(far));
    let peers = (one.unwrap(), other.unwrap());
    let stalled = tokio::spawn({
        let shelf = b_at_a.clone();
        async move { shelf.stall(None).await }
    });
    eventually("the call runs", || b.node.stats().calls_running == 1).await;
    stalled.abort();
    let idle = tokio::net::TcpStream::connect(a.address().trim_start_matches("tcp://")).await.unwrap();
    let nodes = [a.node.clone(), b.node.clone(), c.node.clone()];
    if by_shutdown {
        drop((b_at_a, c_at_a, peers));
        drop((a, c));
        // `b` is still executing a call that nobody waits for.
        tokio::join!(nodes[0].shutdown(), nodes[2].shutdown());
        within(nodes[1].shutdown()).await;
        drop((nodes, b));
    } else {
        drop((nodes, a, b, c, b_at_a, c_at_a, peers));
    }
    drop(idle);
}

#[tokio::test]
async fn statistics() {
    let (a, b, c) = (Site::new().await, Site::new().await, Site::new().await);
    let (b_at_a, c_at_a) = (a.sees(&b).await, a.sees(&c).await);
    let items = b_at_a.make_many(3).await.unwrap();
    c_at_a.put(items[0].clone()).await.unwrap();
    let stats = b.node.stats();
    assert_eq!(stats.exports, 4, "the shelf and three items");
    assert_eq!(stats.calls_served[&a.node.id()], 1);
    let to_a = stats.sessions.iter().find(|session| session.peer == Some(a.node.id())).unwrap();
    assert!(to_a.inbound && to_a.open);
    assert_eq!((to_a.exports, to_a.imports, to_a.calls_served), (4, 0, 1));
    assert!(to_a.bytes_received > 0 && to_a.bytes_sent > to_a.bytes_received);
    let stats = a.node.stats();
    assert_eq!((stats.imports, stats.sessions.len()), (5, 2));
    assert!(stats.sessions.iter().all(|session| !session.inbound));
    let done = Arc::new(AtomicBool::new(false));
    let running = tokio::spawn({
        let (shelf, done, item) = (b_at_a.clone(), done.clone(), a.keeper.population.item());
        async move {
            shelf.echo_later(item, 100).await.unwrap();
            done.store(true, Ordering::SeqCst);
        }
    });
    eventually("it runs at B and is waited for at A", || {
        b.node.stats().calls_running == 1 && a.node.stats().calls_waiting == 1
    })
    .await;
    within(running).await.unwrap();
    assert!(done.load(Ordering::SeqCst));
    // What a session has counted is not lost with it.
    drop((items, b_at_a));
    a.node.shutdown().await;
    eventually("A has left", || b.node.stats().sessions.iter().all(|s| s.peer != Some(a.node.id()))).await;
    assert_eq!(b.served(&a.node), 2);
    drop((a, c_at_a));
    c.shelf.clear().await.unwrap();
    close_down(vec![b, c]).await;
}
