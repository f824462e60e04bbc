//! Calls that are given up, and limits that travel: nothing is executed for nobody, and nothing is left behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rmi::{Limits, Node, ObjectId, Proxy, RemoteError, remote};
use rmi_core::id::MethodId;
use rmi_core::internal::wire::{Call, Frame, Owner, Reply, ReplyKind, Table, TableReference, Target};
use support::raw::Raw;
use support::relay::Relay;
use support::shelf::{Item, ItemProxy, Population, Shelf, ShelfProxy, Site, close_down};
use support::{Random, Result, address, all_zero, eventually, listening, now, silent, start, within};
use tokio::sync::Notify;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

/// What is being done, and was.
#[derive(Default)]
struct Book {
    /// Calls that wait, and those that were begun and finished.
    waiting: AtomicUsize,
    begun: AtomicUsize,
    finished: AtomicUsize,
    /// Lets one call go on.
    go_on: Notify,
    items: parking_lot::Mutex<Vec<ItemProxy>>,
    next: parking_lot::Mutex<Option<LabProxy>>,
}

impl Book {
    fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
    fn finished(&self) -> usize {
        self.finished.load(Ordering::SeqCst)
    }

    /// Waits to be let go on, and is counted meanwhile.
    async fn wait(&self) {
        struct Waits<'a>(&'a AtomicUsize);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waits = Waits(&self.waiting);
        self.go_on.notified().await;
        self.finished.fetch_add(1, Ordering::SeqCst);
    }
}

#[remote]
pub(crate) trait Lab {
    async fn nothing(&self) -> Result<()>;
    async fn wait(&self) -> Result<()>;
    async fn wait_with(&self, item: ItemProxy, padding: Vec<u8>) -> Result<()>;
    /// Keeps the item, then waits.
    async fn keep_and_wait(&self, item: ItemProxy) -> Result<()>;
    /// Waits, then returns a new object.
    async fn make_later(&self) -> Result<ItemProxy>;
    async fn bytes_later(&self, size: u64) -> Result<Vec<u8>>;
    /// Has another wait.
    async fn wait_there(&self, there: &LabProxy) -> Result<()>;
    /// Keeps a lab for `wait_next`.
    async fn next(&self, next: LabProxy) -> Result<()>;
    /// Has that one wait, after some time.
    async fn wait_next(&self, after_ms: u64) -> Result<()>;
    #[no_cancel]
    async fn wait_to_the_end(&self) -> Result<()>;
    #[no_cancel]
    async fn wait_there_to_the_end(&self, there: &LabProxy) -> Result<()>;
    async fn panic_with(&self, item: ItemProxy) -> Result<()>;
}

struct Bench(Arc<Book>, Population);

impl Lab for Bench {
    async fn nothing(&self) -> Result<()> {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    async fn wait(&self) -> Result<()> {
        self.0.wait().await;
        Ok(())
    }
    async fn wait_with(&self, item: ItemProxy, _padding: Vec<u8>) -> Result<()> {
        self.0.wait().await;
        drop(item);
        Ok(())
    }
    async fn keep_and_wait(&self, item: ItemProxy) -> Result<()> {
        self.0.items.lock().push(item);
        self.wait().await
    }
    async fn make_later(&self) -> Result<ItemProxy> {
        self.0.wait().await;
        Ok(self.1.item())
    }
    async fn bytes_later(&self, size: u64) -> Result<Vec<u8>> {
        self.0.wait().await;
        Ok(vec![7; size as usize])
    }
    async fn wait_there(&self, there: &LabProxy) -> Result<()> {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        there.wait().await
    }
    async fn next(&self, next: LabProxy) -> Result<()> {
        let replaced = self.0.next.lock().replace(next);
        drop(replaced);
        Ok(())
    }
    async fn wait_next(&self, after_ms: u64) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        let next = self.0.next.lock().clone().unwrap();
        next.wait().await
    }
    async fn wait_to_the_end(&self) -> Result<()> {
        self.wait().await
    }
    async fn wait_there_to_the_end(&self, there: &LabProxy) -> Result<()> {
        there.wait().await?;
        self.0.finished.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    async fn panic_with(&self, item: ItemProxy) -> Result<()> {
        tokio::task::yield_now().await;
        drop(item);
        panic!("as it was told")
    }
}

/// A node with a lab.
struct Place {
    node: Node,
    book: Arc<Book>,
    made: Population,
    lab: LabProxy,
}

impl Place {
    async fn new() -> Self {
        Self::at(listening().await)
    }

    fn at(node: Node) -> Self {
        let (book, made) = (Arc::<Book>::default(), Population::default());
        let lab = LabProxy::new(Bench(book.clone(), made.clone()));
        node.publish("lab", &lab);
        Self { node, book, made, lab }
    }

    async fn seen_by(&self, node: &Node) -> LabProxy {
        within(node.root(&address(&self.node), "lab")).await.unwrap()
    }
}

/// Nothing is left at these nodes, and the sessions among them go on.
async fn at_rest(places: Vec<Place>, others: &[&Node]) {
    for place in &places {
        place.node.unpublish("lab");
        let next = place.book.next.lock().take();
        drop(next);
        let items = std::mem::take(&mut *place.book.items.lock());
        drop(items);
    }
    let nodes: Vec<Node> = places.iter().map(|place| place.node.clone()).collect();
    drop(places);
    let all: Vec<&Node> = nodes.iter().chain(others.iter().copied()).collect();
    all_zero(&all).await;
    for node in all {
        within(node.shutdown()).await;
    }
}

fn spawned<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::spawn(call)
}

#[tokio::test]
async fn dropping_a_call_drops_the_servants_future_and_frees_its_place() {
    let place = Place::at(
        start(Node::builder().listen("tcp://127.0.0.1:0").limits(Limits { calls: 1, ..Limits::default() }))
            .await,
    );
    let client = silent().await;
    let lab = place.seen_by(&client).await;
    for round in 1..20 {
        let mut call = Box::pin(lab.wait());
        tokio::select! {
            biased;
            _ = &mut call => panic!("nobody lets it go on"),
            () = eventually("it waits", || place.book.waiting() == 1) => {}
        }
        assert_eq!((place.node.stats().calls_running, client.stats().calls_waiting), (1, 1));
        drop(call);
        // The only place is free again.
        within(lab.nothing()).await.unwrap();
        assert_eq!((place.book.waiting(), place.book.begun()), (0, 2 * round));
    }
    assert_eq!((place.book.finished(), place.node.stats().sessions.len()), (0, 1));
    drop(lab);
    at_rest(vec![place], &[&client]).await;
}

#[tokio::test]
async fn a_cancel_goes_on_across_three_nodes() {
    let (b, c, a) = (Place::new().await, Place::new().await, silent().await);
    let (b_at_a, c_at_a) = (b.seen_by(&a).await, c.seen_by(&a).await);
    let call = spawned({
        let (b, c) = (b_at_a.clone(), c_at_a.clone());
        async move { b.wait_there(&c).await }
    });
    eventually("the third node waits", || c.book.waiting() == 1).await;
    assert_eq!(c.node.stats().calls_served.get(&b.node.id()), Some(&1), "called by the second");
    call.abort();
    eventually("nobody waits", || c.book.waiting() == 0).await;
    eventually("nothing runs", || b.node.stats().calls_running + c.node.stats().calls_running == 0).await;
    assert_eq!(c.book.finished(), 0);
    drop((b_at_a, c_at_a));
    at_rest(vec![b, c], &[&a]).await;
}

#[tokio::test]
async fn calls_of_a_caller_that_is_gone_are_cancelled() {
    let (place, client) = (Place::new().await, silent().await);
    let lab = place.seen_by(&client).await;
    let call = spawned(async move { lab.wait().await });
    eventually("it waits", || place.book.waiting() == 1).await;
    within(client.shutdown()).await;
    assert!(within(call).await.unwrap().unwrap_err().may_have_executed());
    eventually("it is cancelled", || place.book.waiting() == 0).await;
    at_rest(vec![place], &[]).await;
}

#[tokio::test]
async fn calls_of_a_caller_whose_lease_ended_are_cancelled() {
    let relay = Relay::new().await;
    let place = Place::at(start(relay.builder().lease(Duration::from_millis(300))).await);
    let client = silent().await;
    let lab: LabProxy = within(client.root(&relay.address, "lab")).await.unwrap();
    let calls = [
        spawned({
            let lab = lab.clone();
            async move { lab.wait().await }
        }),
        spawned(async move { lab.wait_to_the_end().await }),
    ];
    eventually("they wait", || place.book.waiting() == 2).await;
    relay.hold();
    eventually("one is cancelled", || place.book.waiting() == 1).await;
    for call in calls {
        assert!(within(call).await.unwrap().unwrap_err().may_have_executed());
    }
    // The one that runs to its end does.
    place.book.go_on.notify_one();
    eventually("the other one ends", || place.book.finished() == 1).await;
    relay.flow();
    at_rest(vec![place], &[&client]).await;
}

#[tokio::test]
async fn what_must_not_be_cancelled_runs_to_its_end() {
    let (place, other, client) = (Place::new().await, Place::new().await, silent().await);
    let (lab, there) = (place.seen_by(&client).await, other.seen_by(&client).await);
    let call = spawned({
        let lab = lab.clone();
        async move { lab.wait_to_the_end().await }
    });
    eventually("it waits", || place.book.waiting() == 1).await;
    call.abort();
    // The caller's limit counts for what it calls neither.
    let hurried = Proxy::with_timeout(&lab, Duration::from_millis(30));
    let error = within(hurried.wait_there_to_the_end(&there)).await.unwrap_err();
    assert!(matches!(error, RemoteError::TimedOut { after_ms: 30, .. }), "{error}");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!((place.book.waiting(), other.book.waiting()), (1, 1));
    place.book.go_on.notify_one();
    other.book.go_on.notify_one();
    eventually("both ended", || place.book.finished() == 2).await;
    // Only the end of the node ends it.
    drop((lab, hurried, there));
    let lab = place.seen_by(&client).await;
    let call = spawned(async move { lab.wait_to_the_end().await });
    eventually("it waits", || place.book.waiting() == 1).await;
    within(client.shutdown()).await;
    assert!(within(call).await.unwrap().is_err());
    eventually("its session is over", || {
        place.node.stats().sessions.iter().all(|s| s.peer != Some(client.id()))
    })
    .await;
    assert_eq!(place.book.waiting(), 1);
    within(place.node.shutdown()).await;
    assert_eq!((place.book.waiting(), place.book.finished()), (0, 2), "nothing outlives its node");
    drop(place);
    at_rest(vec![other], &[]).await;
}

#[tokio::test]
async fn a_call_that_waits_for_room_is_withdrawn() {
    let place = Place::at(
        start(Node::builder().listen("tcp://127.0.0.1:0").limits(Limits { calls: 1, ..Limits::default() }))
            .await,
    );
    let (client, items) = (silent().await, Population::default());
    let lab = place.seen_by(&client).await;
    let first = spawned({
        let lab = lab.clone();
        async move { lab.wait().await }
    });
    eventually("it waits", || place.book.waiting() == 1).await;
    let second = spawned({
        let (lab, item) = (lab.clone(), items.item());
        async move { lab.wait_with(item, Vec::new()).await }
    });
    eventually("it waits for room", || client.stats().calls_waiting == 2).await;
    second.abort();
    eventually("its argument is released", || items.alive() == 0).await;
    assert_eq!(client.stats().calls_waiting, 1);
    place.book.go_on.notify_one();
    within(first).await.unwrap().unwrap();
    within(lab.nothing()).await.unwrap();
    assert_eq!(place.book.begun(), 2, "it was never executed");
    drop(lab);
    at_rest(vec![place], &[&client]).await;
}

#[tokio::test]
async fn a_call_that_waits_for_a_connection_is_withdrawn() {
    let relay = Relay::new().await;
    let place = Place::at(start(relay.builder().lease(Duration::from_secs(2))).await);
    // It waits longer than this test.
    let patient = Node::builder().handshake_timeout(LONG).reconnect_window(LONG);
    let (client, items) = (start(patient).await, Population::default());
    let lab: LabProxy = within(client.root(&relay.address, "lab")).await.unwrap();
    relay.hold_new();
    relay.cut();
    eventually("it is cut", || client.stats().sessions.iter().all(|session| !session.open)).await;
    let call = spawned({
        let (lab, item) = (lab.clone(), items.item());
        async move { lab.wait_with(item, Vec::new()).await }
    });
    eventually("it waits", || client.stats().calls_waiting == 1).await;
    call.abort();
    // There is no writer that could be told: the connection does not come.
    eventually("its argument is released", || items.alive() == 0).await;
    assert_eq!(client.stats().calls_waiting, 0);
    relay.flow();
    relay.release();
    within(lab.nothing()).await.unwrap();
    assert_eq!(place.book.begun(), 1, "it was never executed");
    drop(lab);
    at_rest(vec![place], &[&client]).await;
}

/// A cancel drops the pins of a call's arguments: not before those are registered.
#[tokio::test]
async fn cancel_drops_pins() {
    let (owner, receiver, client) = (Site::new().await, Place::new().await, silent().await);
    let shelf: ShelfProxy = client.root(&owner.address(), "shelf").await.unwrap();
    let lab = receiver.seen_by(&client).await;
    for round in 0..30 {
        let item = shelf.make().await.unwrap();
        let call = spawned({
            let lab = lab.clone();
            async move { lab.keep_and_wait(item).await }
        });
        eventually("it arrived", || receiver.book.items.lock().len() == 1).await;
        call.abort();
        eventually("it is cancelled", || receiver.book.waiting() == 0).await;
        let kept = receiver.book.items.lock().pop().unwrap();
        assert_eq!(within(kept.ping(round)).await.unwrap(), round + 1);
        assert_eq!(owner.alive(), 1);
        drop(kept);
        eventually("it is collected", || owner.alive() == 0).await;
    }
    drop((shelf, lab));
    at_rest(vec![receiver], &[&client]).await;
    close_down(vec![owner]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reply_with_references_to_a_dropped_future() {
    let mut random = Random::new("reply_with_references_to_a_dropped_future");
    let (place, client) = (Place::new().await, silent().await);
    let lab = place.seen_by(&client).await;
    for _ in 0..200 {
        let call = spawned({
            let lab = lab.clone();
            async move { lab.make_later().await }
        });
        eventually("it waits", || place.book.waiting() == 1).await;
        // The answer, the cancel and the drop come in any order.
        place.book.go_on.notify_one();
        for _ in 0..random.below(40) {
            tokio::task::yield_now().await;
        }
        call.abort();
        let _ = call.await;
        eventually("it is over", || place.book.waiting() == 0).await;
        // Cancelled before it was let go on, it leaves that to nobody.
        let _ = tokio::time::timeout(Duration::ZERO, place.book.go_on.notified()).await;
    }
    eventually("all are collected", || place.made.alive() == 0).await;
    drop(lab);
    at_rest(vec![place], &[&client]).await;
}

#[tokio::test]
async fn references_inside_the_arguments_of_a_failed_call() {
    let (owner, place, client) = (Site::new().await, Place::new().await, silent().await);
    let shelf: ShelfProxy = client.root(&owner.address(), "shelf").await.unwrap();
    let (lab, own) = (place.seen_by(&client).await, Population::default());
    let hurried = Proxy::with_timeout(&lab, Duration::from_millis(5));
    for foreign in [false, true] {
        for round in 0..10 {
            let mut items = Vec::new();
            for _ in 0..5 {
                items.push(if foreign { shelf.make().await.unwrap() } else { own.item() });
            }
            let mut item = || items.pop().unwrap();
            assert!(matches!(within(lab.panic_with(item())).await, Err(RemoteError::Panicked { .. })));
            let late = within(hurried.wait_with(item(), Vec::new())).await;
            assert!(matches!(late, Err(RemoteError::TimedOut { .. })));
            if round == 0 {
                let large = within(lab.wait_with(item(), vec![0; 65 << 20])).await;
                assert!(matches!(large, Err(RemoteError::TooLarge { .. })));
            }
            // Given up while it is under way in fragments, and as soon as it was sent.
            for padding in [1 << 20, 0] {
                let call = lab.wait_with(item(), vec![0; padding]);
                let _ = tokio::time::timeout(Duration::ZERO, call).await;
            }
        }
    }
    eventually("all are collected", || own.alive() + owner.alive() == 0).await;
    eventually("all are cancelled", || place.book.waiting() == 0).await;
    assert_eq!(client.stats().sessions.len(), 2, "their sessions go on");
    drop((shelf, lab, hurried));
    at_rest(vec![place], &[&client]).await;
    close_down(vec![owner]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_are_given_up_halfway() {
    let (place, client) = (Place::new().await, silent().await);
    let (lab, items) = (place.seen_by(&client).await, Population::default());
    for size in [1_usize << 20, 8 << 20] {
        for round in 0..10 {
            let call = spawned({
                let (lab, item) = (lab.clone(), items.item());
                async move { lab.wait_with(item, vec![0; size]).await }
            });
            tokio::time::sleep(Duration::from_millis(round)).await;
            call.abort();
            let call = spawned({
                let lab = lab.clone();
                async move { lab.bytes_later(size as u64).await }
            });
            eventually("it waits", || place.book.waiting() > 0).await;
            place.book.go_on.notify_waiters();
            tokio::time::sleep(Duration::from_millis(round)).await;
            call.abort();
            within(lab.nothing()).await.unwrap();
            eventually("all is over", || {
                (place.node.stats().calls_running, client.stats().calls_waiting) == (0, 0)
            })
            .await;
        }
    }
    assert_eq!(client.stats().sessions.len(), 1, "the session goes on");
    eventually("all are collected", || items.alive() == 0).await;
    drop(lab);
    at_rest(vec![place], &[&client]).await;
}

// ---- limits ----

#[tokio::test]
async fn a_scope_limits_all_calls_in_it() {
    let (place, client) = (Place::new().await, silent().await);
    let lab = place.seen_by(&client).await;
    let began = now();
    let output = within(rmi::with_timeout(Duration::from_millis(60), async {
        lab.nothing().await.unwrap();
        let first = lab.wait().await.unwrap_err();
        let begun = place.book.begun();
        // Nothing is left: it is not sent.
        let second = lab.nothing().await.unwrap_err();
        (first, second, place.book.begun() - begun, "what the block returns")
    }))
    .await;
    let (RemoteError::TimedOut { call, after_ms }, RemoteError::TimedOut { after_ms: 0, .. }, 0, _) = output
    else {
        panic!("{output:?}")
    };
    assert!(call == "rmi.Lab/wait" && (1..=60).contains(&after_ms), "{after_ms}");
    assert!(began.elapsed() >= Duration::from_millis(60));
    eventually("it is cancelled", || place.book.waiting() == 0).await;
    // The scope is over.
    within(lab.nothing()).await.unwrap();

    // The smaller limit counts, whichever is the inner one.
    for (outer, inner, own) in [(50, 600_000, 600_000), (600_000, 50, 600_000), (600_000, 600_000, 50)] {
        let ms = Duration::from_millis;
        let own = Proxy::with_timeout(&lab, ms(own));
        let error = within(rmi::with_timeout(ms(outer), rmi::with_timeout(ms(inner), own.wait()))).await;
        assert!(matches!(error, Err(RemoteError::TimedOut { after_ms: 1..=50, .. })), "{error:?}");
    }
    // What is looked up, too.
    let at = address(&place.node);
    let none = rmi::with_timeout(Duration::ZERO, client.root::<LabProxy>(&at, "lab"));
    assert!(matches!(within(none).await, Err(RemoteError::TimedOut { .. })));
    // A task of its own does not inherit it.
    let other = lab.clone();
    let task = rmi::with_timeout(Duration::ZERO, async {
        let task = spawned(async move { other.nothing().await });
        within(task).await.unwrap()
    });
    within(task).await.unwrap();
    drop(lab);
    at_rest(vec![place], &[&client]).await;
}

#[tokio::test]
async fn a_node_has_a_limit_for_what_has_none() {
    let place = Place::new().await;
    let client = start(Node::builder().call_timeout(Duration::from_millis(50))).await;
    let lab = place.seen_by(&client).await;
    let error = within(lab.wait()).await.unwrap_err();
    assert!(matches!(error, RemoteError::TimedOut { after_ms: 50, .. }), "{error}");
    eventually("it is cancelled", || place.book.waiting() == 0).await;
    // A limit of its own, and a scope, are in its place, also if they are larger.
    for scoped in [false, true] {
        let lab = lab.clone();
        let call = spawned(async move {
            match scoped {
                false => Proxy::with_timeout(&lab, LONG).wait().await,
                true => rmi::with_timeout(LONG, lab.wait()).await,
            }
        });
        eventually("it waits", || place.book.waiting() == 1).await;
        tokio::time::sleep(Duration::from_millis(80)).await;
        place.book.go_on.notify_one();
        within(call).await.unwrap().unwrap();
    }
    drop(lab);
    at_rest(vec![place], &[&client]).await;
}

#[tokio::test]
async fn a_limit_counts_for_local_servants_and_what_they_call() {
    let (place, here) = (Place::new().await, Place::new().await);
    let there = place.seen_by(&here.node).await;
    let error = within(rmi::with_timeout(Duration::from_millis(40), here.lab.wait())).await.unwrap_err();
    assert!(matches!(error, RemoteError::TimedOut { after_ms: 1..=40, .. }), "{error}");
    assert_eq!((here.book.waiting(), here.book.finished()), (0, 0), "dropped");
    let begun = here.book.begun();
    let none = within(rmi::with_timeout(Duration::ZERO, here.lab.nothing())).await.unwrap_err();
    assert!(
        matches!(none, RemoteError::TimedOut { after_ms: 0, .. }) && here.book.begun() == begun,
        "{none}"
    );
    // What the local servant calls knows its limit: it is over there, too.
    let hurried = Proxy::with_timeout(&here.lab, Duration::from_millis(40));
    let error = within(hurried.wait_there(&there)).await.unwrap_err();
    assert!(matches!(error, RemoteError::TimedOut { .. }), "{error}");
    eventually("it is cancelled", || place.book.waiting() == 0).await;
    assert_eq!(place.book.begun(), 1);
    drop((there, hurried));
    at_rest(vec![place, here], &[]).await;
}

/// A peer that tells what frames say.
struct Told(Raw);

impl Told {
    async fn new(place: &Place) -> (Self, ObjectId) {
        let mut raw = Raw::open(&address(&place.node)).await;
        raw.send(&Frame::Root { call: 1, name: "lab".into(), unsupported: None }).await;
        let mut told = Self(raw);
        let Frame::Reply(reply) = told.next().await else { panic!("no reply") };
        let object = reply.table.references[0].object;
        (told, object)
    }

    /// The next frame that is of interest.
    async fn next(&mut self) -> Frame {
        loop {
            let frame = self.0.receive().await.expect("the node closed the connection");
            if matches!(frame, Frame::Reply(_) | Frame::Call(_) | Frame::Cancel { .. }) {
                return frame;
            }
        }
    }

    async fn call(&mut self, call: u64, object: ObjectId, method: &str, left_ms: Option<u64>) {
        self.call_with(call, object, method, left_ms, Table::default(), &[0x90]).await;
    }

    async fn call_with(
        &mut self,
        call: u64,
        object: ObjectId,
        method: &str,
        left_ms: Option<u64>,
        table: Table,
        payload: &[u8],
    ) {
        let (target, method) = (Target::Object(object), MethodId::of("rmi.Lab", method));
        let (size, chunk) = (payload.len() as u64, payload.to_vec().into());
        self.0
            .send(&Frame::Call(Call { call, target, method, left_ms, unsupported: None, table, size, chunk }))
            .await;
    }

    async fn fault(&mut self, call: u64) -> RemoteError {
        match self.next().await {
            Frame::Reply(Reply { call: answered, status: ReplyKind::Fault, chunk, .. }) => {
                assert_eq!(answered, call);
                rmp_serde::from_slice(&chunk).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_owner_keeps_to_the_limit_by_itself() {
    let place = Place::new().await;
    let (mut told, object) = Told::new(&place).await;
    told.call(2, object, "wait", Some(40)).await;
    let error = told.fault(2).await;
    assert!(matches!(&error, RemoteError::TimedOut { call, .. } if call == "rmi.Lab/wait"), "{error}");
    assert_eq!((place.book.waiting(), place.book.begun()), (0, 1));
    told.call(3, object, "nothing", Some(0)).await;
    assert!(matches!(told.fault(3).await, RemoteError::TimedOut { .. }));
    assert_eq!(place.book.begun(), 1, "not executed");
    // A limit over the range of any clock is none.
    told.call(4, object, "wait", Some(u64::MAX)).await;
    eventually("it waits", || place.book.waiting() == 1).await;
    told.0.send(&Frame::Cancel { call: 4 }).await;
    let error = told.fault(4).await;
    let RemoteError::Cancelled { node, call } = &error else { panic!("{error}") };
    assert_eq!((*node, &**call, error.may_have_executed()), (place.node.id(), "rmi.Lab/wait", true));
    // Once more, and of what never was: they cross.
    for call in [4, 4, 99] {
        told.0.send(&Frame::Cancel { call }).await;
    }
    // It is not cancelled, so it is not answered before the next one.
    told.call(5, object, "wait_to_the_end", Some(1)).await;
    told.0.send(&Frame::Cancel { call: 5 }).await;
    told.call(6, object, "nothing", None).await;
    let Frame::Reply(reply) = told.next().await else { panic!("no reply") };
    assert_eq!((reply.call, reply.status), (6, ReplyKind::Ok));
    place.book.go_on.notify_one();
    let Frame::Reply(reply) = told.next().await else { panic!("no reply") };
    assert_eq!((reply.call, reply.status), (5, ReplyKind::Ok));
}

#[tokio::test]
async fn what_is_left_travels_over_two_hops_and_shrinks() {
    let (place, client) = (Place::new().await, silent().await);
    let (mut told, object) = Told::new(&place).await;
    // The second hop leads to the peer.
    let reference =
        TableReference { owner: Owner::Sender, object: ObjectId::random(), interface: 0, transfer: 0 };
    let table =
        Table { nodes: Vec::new(), interfaces: ["rmi.Lab".into()].into(), references: [reference].into() };
    told.call_with(2, object, "next", None, table, &[0x91, 0xd6, 1, 0, 0, 0, 0]).await;
    assert!(matches!(told.next().await, Frame::Reply(Reply { status: ReplyKind::Ok, .. })));
    let lab = place.seen_by(&client).await;

    let call = spawned({
        let lab = lab.clone();
        async move { rmi::with_timeout(LONG, lab.wait_next(30)).await }
    });
    let Frame::Call(nested) = told.next().await else { panic!("no call") };
    let left = nested.left_ms.expect("it has a limit");
    let most = LONG.as_millis() as u64 - 29;
    assert!((most - 20_000..=most).contains(&left), "{left}");
    // And a cancel follows it.
    call.abort();
    let Frame::Cancel { call } = told.next().await else { panic!("no cancel") };
    assert_eq!(call, nested.call);

    let call = spawned(async move { lab.wait_next(0).await });
    let Frame::Call(nested) = told.next().await else { panic!("no call") };
    assert_eq!(nested.left_ms, None);
    call.abort();
    assert!(matches!(told.next().await, Frame::Cancel { call } if call == nested.call));
}

/// Answers that are begun and not finished: the callee may leave the rest out once the caller does not wait.
#[tokio::test]
async fn an_answer_is_left_unfinished() {
    let place = Place::new().await;
    let (mut told, object) = Told::new(&place).await;
    let reference =
        TableReference { owner: Owner::Sender, object: ObjectId::random(), interface: 0, transfer: 0 };
    let table =
        Table { nodes: Vec::new(), interfaces: ["rmi.Lab".into()].into(), references: [reference].into() };
    told.call_with(2, object, "next", None, table, &[0x91, 0xd6, 1, 0, 0, 0, 0]).await;
    assert!(matches!(told.next().await, Frame::Reply(Reply { status: ReplyKind::Ok, .. })));
    // The node calls the peer, whose answer is its fourth frame.
    told.call_with(3, object, "wait_next", None, Table::default(), &[0x91, 0]).await;
    let Frame::Call(nested) = told.next().await else { panic!("no call") };
    assert_eq!(place.node.stats().calls_waiting, 1);
    let (call, status, chunk) = (nested.call, ReplyKind::Ok, vec![0xc0].into());
    told.0.send(&Frame::Reply(Reply { call, status, table: Table::default(), size: 100, chunk })).await;
    told.0.send(&Frame::Abort { first: 4 }).await;
    let Frame::Reply(reply) = told.next().await else { panic!("no reply") };
    assert_eq!((reply.call, reply.status, place.node.stats().calls_waiting), (3, ReplyKind::Err, 0));
    let error: RemoteError = rmp_serde::from_slice(&reply.chunk).unwrap();
    assert!(matches!(error, RemoteError::BadReply { .. }), "{error}");

    // The peer calls the node and takes no more than a part of its answer.
    let payload = rmp_serde::to_vec(&(32_u64 << 20,)).unwrap();
    told.call_with(4, object, "bytes_later", None, Table::default(), &payload[..]).await;
    eventually("it waits", || place.book.waiting() == 1).await;
    place.book.go_on.notify_one();
    let Frame::Reply(reply) = told.next().await else { panic!("no reply") };
    assert!(reply.call == 4 && reply.size > 32 << 20 && reply.chunk.len() < 1 << 20);
    told.0.send(&Frame::Cancel { call: 4 }).await;
    loop {
        match told.0.receive().await.expect("the session goes on") {
            Frame::Abort { .. } => break,
            other => assert!(matches!(other, Frame::More { .. } | Frame::Ack { .. }), "{other:?}"),
        }
    }
    told.call(5, object, "nothing", None).await;
    let Frame::Reply(reply) = told.next().await else { panic!("no reply") };
    assert_eq!((reply.call, reply.status), (5, ReplyKind::Ok));
    eventually("nothing of it is left", || place.node.stats().calls_running == 0).await;
}
