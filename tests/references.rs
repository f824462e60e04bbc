//! References in messages: every place in a value, every path between nodes.
#![expect(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rmi::{AnyProxy, Node, Proxy, RemoteError, remote};
use serde::{Deserialize, Serialize};
use support::relay::Relay;
use support::shelf::{Counted, Item, ItemProxy, Shelf, ShelfProxy, Site, close_down};
use support::{address, eventually, listening, now, silent, start, within};

type Result<T> = std::result::Result<T, Full>;

/// An error that carries a reference.
#[derive(Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum Full {
    #[error("the place is taken by {by:?}")]
    TakenBy { by: NoteProxy, others: Vec<NoteProxy> },
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

#[remote]
pub trait Note {
    async fn text(&self) -> Result<String>;
}

struct Text(&'static str);

impl Note for Text {
    async fn text(&self) -> Result<String> {
        Ok(self.0.to_owned())
    }
}

fn note(text: &'static str) -> NoteProxy {
    NoteProxy::new(Text(text))
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Nothing,
    One(NoteProxy),
    Pair(NoteProxy, NoteProxy),
    Named { note: NoteProxy, name: String },
}

/// A reference at every place of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    plain: NoteProxy,
    boxed: Box<NoteProxy>,
    list: Vec<NoteProxy>,
    array: [NoteProxy; 2],
    tuple: (u8, NoteProxy, String),
    maybe: Option<NoteProxy>,
    nothing: Option<NoteProxy>,
    by_name: HashMap<String, NoteProxy>,
    by_note: HashMap<NoteProxy, u32>,
    set: HashSet<NoteProxy>,
    kinds: Vec<Kind>,
    any: AnyProxy,
    deep: BTreeMap<u32, Vec<Option<(NoteProxy, Kind)>>>,
    #[serde(flatten)]
    flat: Flat,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flat {
    flattened: NoteProxy,
}

impl Load {
    fn new() -> Self {
        let twice = note("twice");
        Self {
            plain: note("plain"),
            boxed: Box::new(note("boxed")),
            list: vec![note("list 0"), twice.clone(), note("list 2")],
            array: [note("array 0"), note("array 1")],
            tuple: (7, note("tuple"), "seven".into()),
            maybe: Some(note("maybe")),
            nothing: None,
            by_name: HashMap::from([("a".into(), note("a")), ("b".into(), note("b"))]),
            by_note: HashMap::from([(note("key"), 1), (twice.clone(), 2)]),
            set: HashSet::from([note("in a set"), twice.clone()]),
            kinds: vec![
                Kind::Nothing,
                Kind::One(note("one")),
                Kind::Pair(note("pair 0"), twice.clone()),
                Kind::Named { note: note("named"), name: "name".into() },
            ],
            any: (&twice).into(),
            deep: BTreeMap::from([(1, vec![None, Some((note("deep"), Kind::One(note("deeper"))))])]),
            flat: Flat { flattened: note("flattened") },
        }
    }

    async fn texts(&self) -> Vec<String> {
        let mut notes = vec![&self.plain, &self.boxed, &self.tuple.1, &self.flat.flattened];
        notes.extend(self.list.iter().chain(&self.array).chain(&self.maybe).chain(&self.nothing));
        notes.extend(self.by_name.values().chain(self.by_note.keys()).chain(&self.set));
        for kind in &self.kinds {
            match kind {
                Kind::Nothing => {}
                Kind::One(note) | Kind::Named { note, .. } => notes.push(note),
                Kind::Pair(one, other) => notes.extend([one, other]),
            }
        }
        let any: NoteProxy = self.any.cast().await.unwrap();
        notes.push(&any);
        for (note, kind) in self.deep.values().flatten().flatten() {
            notes.push(note);
            if let Kind::One(note) = kind {
                notes.push(note);
            }
        }
        let mut texts = Vec::new();
        for note in notes {
            texts.push(within(note.text()).await.unwrap());
        }
        texts.sort();
        texts
    }
}

#[remote]
pub trait Post {
    async fn keep(&self, load: Load) -> Result<Vec<String>>;
    async fn lend(&self, load: &Load) -> Result<Vec<String>>;
    async fn give(&self) -> Result<Load>;
    async fn echo(&self, load: Load) -> Result<Load>;
    async fn fail(&self, by: NoteProxy) -> Result<()>;
    async fn any(&self, any: AnyProxy) -> Result<AnyProxy>;
}

#[derive(Default)]
struct Office(Mutex<Option<Load>>);

impl Post for Office {
    async fn keep(&self, load: Load) -> Result<Vec<String>> {
        let texts = load.texts().await;
        *self.0.lock() = Some(load);
        Ok(texts)
    }
    async fn lend(&self, load: &Load) -> Result<Vec<String>> {
        Ok(load.texts().await)
    }
    async fn give(&self) -> Result<Load> {
        let kept = self.0.lock().clone();
        Ok(kept.unwrap_or_else(Load::new))
    }
    async fn echo(&self, load: Load) -> Result<Load> {
        Ok(load)
    }
    async fn fail(&self, by: NoteProxy) -> Result<()> {
        Err(Full::TakenBy { others: vec![note("here"), by.clone()], by })
    }
    async fn any(&self, any: AnyProxy) -> Result<AnyProxy> {
        Ok(any)
    }
}

async fn office() -> (Node, Arc<Office>) {
    let (node, office) = (listening().await, Arc::new(Office::default()));
    node.publish("post", &PostProxy::from_arc(office.clone()));
    (node, office)
}

async fn post(from: &Node, at: &Node) -> PostProxy {
    from.root(&address(at), "post").await.unwrap()
}

#[tokio::test]
async fn every_place_in_a_value() {
    let (server, _office) = office().await;
    let client = silent().await;
    let remote = post(&client, &server).await;
    let load = Load::new();
    let texts = load.texts().await;
    assert_eq!(texts.len(), 23);
    assert_eq!(texts.iter().filter(|text| *text == "twice").count(), 5);

    assert_eq!(remote.lend(&load).await.unwrap(), texts);
    assert_eq!(remote.keep(load.clone()).await.unwrap(), texts);
    // Home again: the same local objects.
    let home = remote.echo(load.clone()).await.unwrap();
    assert_eq!(home, load);
    assert!(Proxy::is_local(&home.plain) && home.any.is_local() && home.set.iter().all(Proxy::is_local));
    assert_eq!(remote.give().await.unwrap(), load);

    // A second client gets them from the one that holds them, and calls the first client's objects.
    let third = listening().await;
    let (lender, _kept) = office().await;
    let far = post(&third, &lender).await;
    let given = far.give().await.unwrap();
    assert!(!Proxy::is_local(&given.plain));
    assert_eq!(given.list[1], given.by_note.keys().find(|key| **key == given.list[1]).unwrap().clone());
    assert_eq!(given.texts().await, texts);
    assert_eq!(far.lend(&given).await.unwrap(), texts);
}

#[tokio::test]
async fn one_object_twice_is_one_import() {
    let b = Site::new().await;
    let a = silent().await;
    let at_b: ShelfProxy = a.root(&b.address(), "shelf").await.unwrap();
    b.shelf.put(b.keeper.population.item()).await.unwrap();
    let copies = [at_b.top().await.unwrap(), at_b.top().await.unwrap()];
    assert_eq!(a.stats().imports, 2, "the shelf and the item");
    let [one, other] = copies;
    drop(one);
    at_b.clear().await.unwrap();
    at_b.count().await.unwrap();
    assert_eq!(other.ping(1).await.unwrap(), 2, "the other copy holds it");
}

#[tokio::test]
async fn many_in_one_message() {
    let (a, b) = (Site::new().await, Site::new().await);
    let at_b = a.sees(&b).await;
    // As many as the limits allow: the table has no entry that is not used.
    let items = at_b.make_many(4096).await.unwrap();
    assert_eq!(items.iter().collect::<HashSet<_>>().len(), 4096);
    let error = at_b.make_many(4097).await.unwrap_err();
    assert!(matches!(&error, RemoteError::BadReply { .. }) && error.to_string().contains("4096"), "{error}");
    assert_eq!(items[4095].ping(1).await.unwrap(), 2);
    drop((items, at_b));
    close_down(vec![a, b]).await;
}

#[tokio::test]
async fn an_error_carries_references() {
    let (server, _office) = office().await;
    let client = silent().await;
    let remote = post(&client, &server).await;
    let mine = note("mine");
    let Err(Full::TakenBy { by, others }) = remote.fail(mine.clone()).await else { panic!() };
    assert_eq!(by, mine);
    assert!(Proxy::is_local(&by) && Proxy::is_local(&others[1]) && !Proxy::is_local(&others[0]));
    assert_eq!(others[0].text().await.unwrap(), "here");
}

/// A gives C a reference to B's object; C talks to B itself, as B's own statistics say.
#[tokio::test]
async fn three_nodes_by_argument_and_by_result() {
    let (a, b, c) = (Site::new().await, Site::new().await, Site::new().await);
    let (b_at_a, c_at_a) = (a.sees(&b).await, a.sees(&c).await);
    let item = b_at_a.make().await.unwrap();
    let calls_of_a = b.served(&a.node);
    assert_eq!(calls_of_a, 1);
    c_at_a.put(item.clone()).await.unwrap();
    for n in 0..10 {
        assert_eq!(c_at_a.ping_top(n).await.unwrap(), n + 1);
    }
    assert_eq!((b.served(&c.node), b.served(&a.node)), (10, calls_of_a), "C calls B directly");

    // Back at A, from C: the same object, in A's own session with B.
    let back = c_at_a.top().await.unwrap();
    assert_eq!(back, item);
    assert_eq!(back.ping(1).await.unwrap(), 2);
    assert_eq!((b.served(&c.node), b.served(&a.node)), (10, calls_of_a + 1));

    // A's caller gets B's object as a result.
    a.shelf.put(item.clone()).await.unwrap();
    let a_at_c = c.sees(&a).await;
    let result = a_at_c.top().await.unwrap();
    assert_eq!(result, c.keeper.first());
    result.ping(1).await.unwrap();
    assert_eq!((b.served(&c.node), b.served(&a.node)), (11, calls_of_a + 1));

    // Home at B it is the local object.
    b_at_a.put(item.clone()).await.unwrap();
    assert!(Proxy::is_local(&b.keeper.first()));
    assert_eq!(Proxy::owner(&item), Some(b.node.id()));
    drop((item, back, result, b_at_a, c_at_a, a_at_c));
    for site in [&a, &b, &c] {
        site.shelf.clear().await.unwrap();
    }
    close_down(vec![a, b, c]).await;
}

#[tokio::test]
async fn four_nodes_in_a_chain() {
    let sites = [Site::new().await, Site::new().await, Site::new().await, Site::new().await];
    let [a, b, c, d] = &sites;
    // D's object goes D -> C -> B -> A as results, and home by way of A -> D.
    d.shelf.put(d.keeper.population.item()).await.unwrap();
    let d_at_c = c.sees(d).await;
    c.shelf.put(d_at_c.take().await.unwrap().unwrap()).await.unwrap();
    let c_at_b = b.sees(c).await;
    b.shelf.put(c_at_b.take().await.unwrap().unwrap()).await.unwrap();
    let b_at_a = a.sees(b).await;
    let item = b_at_a.take().await.unwrap().unwrap();
    assert_eq!(Proxy::owner(&item), Some(d.node.id()));
    assert_eq!(item.ping(1).await.unwrap(), 2);
    assert_eq!(d.served(&a.node), 1);
    let d_at_a = a.sees(d).await;
    let home = d_at_a.echo(item.clone()).await.unwrap();
    assert_eq!(home, item);
    d_at_a.put(item).await.unwrap();
    assert!(Proxy::is_local(&d.keeper.first()));
    drop((home, d_at_c, c_at_b, b_at_a, d_at_a));
    d.shelf.clear().await.unwrap();
    close_down(sites.into()).await;
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[tokio::test]
async fn equal_and_hashed_alike_on_every_path() {
    let (a, b, c) = (Site::new().await, Site::new().await, Site::new().await);
    let (b_at_a, a_at_b, c_at_a) = (a.sees(&b).await, b.sees(&a).await, a.sees(&c).await);
    let own = b.keeper.population.item();
    b.shelf.put(own.clone()).await.unwrap();
    // In the session that A dialed, in the one that B dialed, and from C.
    let first = b_at_a.top().await.unwrap();
    a_at_b.put(own.clone()).await.unwrap();
    let second = a.keeper.first();
    c_at_a.put(first.clone()).await.unwrap();
    let third = c_at_a.top().await.unwrap();
    let other = b_at_a.make().await.unwrap();
    assert_eq!(a.node.stats().sessions.iter().filter(|s| s.peer == Some(b.node.id())).count(), 2);
    for proxy in [&second, &third, &own] {
        assert_eq!(*proxy, first);
        assert_eq!(AnyProxy::from(proxy), AnyProxy::from(&first));
        assert_eq!((hash_of(proxy), hash_of(&AnyProxy::from(proxy))), (hash_of(&first), hash_of(&first)));
        assert_ne!(*proxy, other);
    }
    assert_ne!(own, b.keeper.population.item());
    let set = HashSet::from([first.clone(), second.clone(), third.clone(), own.clone(), other.clone()]);
    assert_eq!(set.len(), 2);
    let shown = format!("{first:?}");
    assert!(shown.contains(&b.node.id().to_string()) && shown.contains("Item"), "{shown}");
}

#[tokio::test]
async fn an_untyped_proxy_travels_and_is_cast() {
    let (server, _office) = office().await;
    let client = silent().await;
    let remote = post(&client, &server).await;
    let mine = note("mine");
    let any = remote.any((&mine).into()).await.unwrap();
    assert!(any.is_local());
    assert_eq!(any.cast::<NoteInterface>().await.unwrap(), mine);
    let theirs = remote.any((&remote).into()).await.unwrap();
    assert_eq!(theirs.interface(), "rmi.Post");
    assert_eq!(theirs, AnyProxy::from(&remote));
    let error = theirs.cast::<NoteInterface>().await.unwrap_err();
    let RemoteError::WrongInterface { expected, found } = &error else { panic!("{error}") };
    assert_eq!((&**expected, &**found), ("rmi.Note", "rmi.Post"));
}

/// The reference is passed on while its owner is still being dialed.
#[tokio::test]
async fn passed_on_while_its_owner_is_being_dialed() {
    let relay = Relay::new().await;
    let b = Site::at(start(relay.builder()).await);
    let (a, c, d) = (Site::new().await, Site::new().await, Site::new().await);
    let (b_at_a, c_at_a, d_at_c) = (a.sees(&b).await, a.sees(&c).await, c.sees(&d).await);
    let item = b_at_a.make().await.unwrap();
    relay.hold_new();
    c_at_a.put(item.clone()).await.unwrap();
    c_at_a.put(item).await.unwrap();
    drop(b_at_a);
    let of_c = c.shelf.take().await.unwrap().unwrap();
    let waiting = tokio::spawn({
        let of_c = of_c.clone();
        async move { of_c.ping(1).await }
    });
    d_at_c.put(of_c.clone()).await.unwrap();
    drop(of_c);
    assert_eq!((a.node.stats().pins, c.node.stats().pins), (2, 1), "nothing is paid before B confirms");
    assert_eq!(b.alive(), 1);
    c.shelf.clear().await.unwrap();
    relay.flow();
    relay.release();
    assert_eq!(within(waiting).await.unwrap().unwrap(), 2);
    assert_eq!(within(d.shelf.ping_top(2)).await.unwrap(), 3);
    eventually("the pins go", || a.node.stats().pins + c.node.stats().pins == 0).await;
    d.shelf.clear().await.unwrap();
    eventually("it is collected", || b.alive() == 0).await;
    drop((c_at_a, d_at_c));
    close_down(vec![a, b, c, d]).await;
}

#[tokio::test]
async fn a_proxy_outside_of_a_call_cannot_be_serialized() {
    let server = Site::new().await;
    let client = silent().await;
    let remote: ShelfProxy = client.root(&server.address(), "shelf").await.unwrap();
    for error in [
        serde_json::to_string(&remote).unwrap_err().to_string(),
        serde_json::to_string(&vec![AnyProxy::from(&remote)]).unwrap_err().to_string(),
        rmp_serde::to_vec(&note("mine")).unwrap_err().to_string(),
    ] {
        assert!(error.contains("only as an argument or result of a remote call"), "{error}");
    }
    let forged = rmp_serde::from_slice::<ShelfProxy>(&[0xd6, 1, 0, 0, 0, 0]).unwrap_err().to_string();
    assert!(forged.contains("only as an argument or result of a remote call"), "{forged}");
    assert!(serde_json::from_str::<ShelfProxy>("0").is_err());
    remote.count().await.unwrap();
}

/// Serialization inside a call that makes another call does not mix the two up.
#[remote]
pub trait Nested {
    async fn take(&self, first: Calls, item: NoteProxy) -> Result<String>;
}

struct Taker;

impl Nested for Taker {
    async fn take(&self, first: Calls, item: NoteProxy) -> Result<String> {
        Ok(format!("{}, {}", first.inner.text().await?, item.text().await?))
    }
}

/// Calls somebody while it is being serialized.
#[derive(Debug, Deserialize)]
pub struct Calls {
    inner: NoteProxy,
    #[serde(skip)]
    other: Option<PostProxy>,
}

impl Serialize for Calls {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Plain<'a> {
            inner: &'a NoteProxy,
        }
        if let Some(other) = &self.other {
            let mut call = Box::pin(other.any((&note("other")).into()));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let _ = call.as_mut().poll(&mut context);
        }
        Plain { inner: &self.inner }.serialize(serializer)
    }
}

#[tokio::test]
async fn a_call_while_another_is_being_encoded() {
    let (server, _office) = office().await;
    server.publish("nested", &NestedProxy::new(Taker));
    let client = silent().await;
    let other = Some(post(&client, &server).await);
    let nested: NestedProxy = client.root(&address(&server), "nested").await.unwrap();
    let first = Calls { inner: note("inner"), other };
    let taken = within(nested.take(first, note("item"))).await;
    assert_eq!(taken.unwrap(), "inner, item");
}

#[tokio::test]
async fn a_node_without_a_listener_is_called_back() {
    let b = Site::at(start(Node::builder().listen("tcp://127.0.0.1:0").relay(false)).await);
    let c = Site::new().await;
    let a = Site::at(silent().await);
    let (b_at_a, c_at_a) = (a.sees(&b).await, a.sees(&c).await);
    let own = a.keeper.population.item();
    b_at_a.put(own.clone()).await.unwrap();
    assert_eq!(b_at_a.ping_top(1).await.unwrap(), 2);
    assert_eq!(a.served(&b.node), 1);
    assert!(a.node.addresses().is_empty());

    // By what B knows, C cannot reach A but through B (see `relay.rs`), and B does not relay: C says so at once, and keeps B from nothing.
    let c_at_b = b.sees(&c).await;
    c_at_b.put(b.keeper.first()).await.unwrap();
    let error = within(c.shelf.ping_top(1)).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&a.node.id().to_string()) && text.contains("accepts no connections"), "{text}");
    eventually("the introducer's pin goes", || b.node.stats().pins == 0).await;

    // What A itself gives C can be called.
    c_at_a.put(own.clone()).await.unwrap();
    assert_eq!(c.shelf.ping_top(1).await.unwrap(), 2);
    let unreachable = c.keeper.first();
    assert_eq!(unreachable, c.keeper.items.lock()[1], "one object, of which one path is a dead end");
    assert_eq!(b_at_a.ping_top(1).await.unwrap(), 2);
    drop((own, unreachable, b_at_a, c_at_a, c_at_b));
    b.shelf.clear().await.unwrap();
    c.shelf.clear().await.unwrap();
    close_down(vec![a, b, c]).await;
}

/// The owner is gone when the reference arrives: definite, and the pin goes.
#[tokio::test]
async fn passed_on_after_its_owner_died() {
    let relay = Relay::new().await;
    let b = Site::at(start(relay.builder()).await);
    let (a, c) = (Site::new().await, Site::new().await);
    let (b_at_a, c_at_a) = (a.sees(&b).await, a.sees(&c).await);
    let item = b_at_a.make().await.unwrap();
    relay.refuse();
    c_at_a.put(item).await.unwrap();
    let start_of_call = now();
    let error = within(c.shelf.ping_top(1)).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&relay.address), "{error}");
    assert!(start_of_call.elapsed() < Duration::from_secs(5), "the caller is told at once");
    eventually("the pin goes", || a.node.stats().pins == 0).await;
    drop((b_at_a, c_at_a));
    c.shelf.clear().await.unwrap();
    b.node.shutdown().await;
    drop(b);
    close_down(vec![a, c]).await;
}

/// Proxies of one node of this process as arguments of calls of another one.
#[tokio::test]
async fn nodes_of_one_process_mix_their_proxies() {
    let (a, b, c) = (Site::new().await, Site::new().await, Site::new().await);
    let (b_at_a, c_at_b) = (a.sees(&b).await, b.sees(&c).await);
    // A's proxy of B's object in a call that B makes, to C and to B itself.
    let item = b_at_a.make().await.unwrap();
    c_at_b.put(item.clone()).await.unwrap();
    assert_eq!(c.shelf.ping_top(1).await.unwrap(), 2);
    assert_eq!(b.served(&c.node), 1);
    b_at_a.put(item).await.unwrap();
    // A local object that two nodes export.
    let own = c.keeper.population.item();
    b_at_a.put(own.clone()).await.unwrap();
    c_at_b.put(own.clone()).await.unwrap();
    assert_eq!(b.shelf.ping_top(1).await.unwrap(), 2);
    let (from_a, from_b) = (b.shelf.top().await.unwrap(), c.shelf.top().await.unwrap());
    assert!(from_a == own && from_b == own);
    drop((own, from_a, from_b, b_at_a, c_at_b));
    for site in [&b, &c] {
        site.shelf.clear().await.unwrap();
    }
    close_down(vec![a, b, c]).await;
}

#[tokio::test]
async fn one_servant_under_two_identities() {
    let (a, b) = (Site::new().await, Site::new().await);
    let at_b = a.sees(&b).await;
    let servant = Arc::new(Counted::new(&a.keeper.population));
    let (one, other) = (ItemProxy::from_arc(servant.clone()), ItemProxy::from_arc(servant.clone()));
    assert_ne!(one, other);
    assert_ne!(at_b.echo(one.clone()).await.unwrap(), at_b.echo(other).await.unwrap());
    at_b.put(one).await.unwrap();
    drop(servant);
    assert_eq!(a.alive(), 1);
    at_b.clear().await.unwrap();
    eventually("it is collected", || a.alive() == 0).await;
    drop(at_b);
    close_down(vec![a, b]).await;
}
