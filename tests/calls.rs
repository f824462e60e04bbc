//! Calls between nodes: values, errors, ancestors, time limits, local objects.
#![expect(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rmi::{AnyProxy, Node, Proxy, RemoteError, remote};
use serde::{Deserialize, Serialize};
use support::shelf::{Shelf, Site, close_down};
use support::{Result, address, eventually, listening, now, served, silent, within};

#[remote]
pub trait Counter {
    async fn add(&self, n: u64, memo: &str) -> Result<u64>;
    async fn share(&self, other: CounterProxy) -> Result<CounterProxy>;
    async fn call_other(&self, other: &CounterProxy, n: u64) -> Result<u64>;
}

#[derive(Default)]
struct Plain(AtomicU64);

impl Counter for Plain {
    async fn add(&self, n: u64, memo: &str) -> Result<u64> {
        assert_eq!(memo, "hello");
        Ok(self.0.fetch_add(n, Ordering::SeqCst) + n)
    }
    async fn share(&self, other: CounterProxy) -> Result<CounterProxy> {
        Ok(other)
    }
    async fn call_other(&self, other: &CounterProxy, n: u64) -> Result<u64> {
        other.add(n, "hello").await
    }
}

#[tokio::test]
async fn a_call_and_a_callback_over_tcp() {
    let server = Node::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
    server.publish("counter", &CounterProxy::new(Plain::default()));
    let client = Node::builder().start().await.unwrap();
    let counter: CounterProxy = client.root(&server.addresses()[0], "counter").await.unwrap();
    assert!(!Proxy::is_local(&counter));
    assert_eq!(counter.add(2, "hello").await.unwrap(), 2);
    let own = CounterProxy::new(Plain::default());
    let back = counter.share(own.clone()).await.unwrap();
    assert!(Proxy::is_local(&back));
    assert_eq!(back, own);
    assert_eq!(counter.call_other(&own, 7).await.unwrap(), 7);
    assert_eq!(own.add(1, "hello").await.unwrap(), 8);
    client.shutdown().await;
    server.shutdown().await;
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    x: i64,
    y: Option<f64>,
    #[serde(default)]
    label: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    Empty,
    Dot(Point),
    Line(Point, Point),
    Poly { points: Vec<Point>, holes: Option<Vec<Shape>> },
}

#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum ShapeError {
    #[error("no such shape: {0}")]
    Missing(String),
    #[error("{have} of {want}")]
    Short { have: u8, want: u8 },
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

type Numbers = ((u8, u16, u32, u64, u128), (i8, i16, i32, i64, i128), (f32, f64, bool, char));
type Maps = (HashMap<String, Vec<u8>>, BTreeMap<(u8, i32), Option<String>>, BTreeMap<Key, ()>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Key {
    Number(u64),
    Name(String),
}

#[remote]
pub trait Values {
    async fn nothing(&self) -> Result<()>;
    async fn numbers(&self, numbers: Numbers) -> Result<Numbers>;
    async fn borrowed(&self, s: &str, points: &[Point], shape: &Shape, n: &u128) -> Result<String>;
    async fn bytes(&self, bytes: Vec<u8>) -> Result<Vec<u8>>;
    async fn borrowed_bytes(&self, bytes: &[u8], nested: &[Vec<u8>]) -> Result<Vec<Vec<u8>>>;
    async fn shape(&self, shape: Shape) -> Result<Shape>;
    async fn maps(&self, maps: Maps) -> Result<Maps>;
    async fn options(
        &self,
        a: Option<Option<u8>>,
        b: Option<()>,
        c: Option<String>,
    ) -> Result<Option<String>>;
    async fn results(&self, r: std::result::Result<u8, String>) -> Result<std::result::Result<u8, String>>;
    #[allow(clippy::too_many_arguments, reason = "that is the test")]
    async fn twenty(
        &self,
        a: u8,
        b: u8,
        c: u8,
        d: u8,
        e: &str,
        f: u8,
        g: u8,
        h: u8,
        i: u8,
        j: Vec<u8>,
        k: u8,
        l: u8,
        m: u8,
        n: u8,
        o: &[u8],
        p: u8,
        q: u8,
        r: u8,
        s: u8,
        t: String,
    ) -> Result<String>;
    async fn fail(&self, how: u8) -> std::result::Result<u8, ShapeError>;
    /// Runs at the owner, with the owner's own methods.
    async fn whole(&self, parts: Vec<Shape>) -> Result<(u64, bool)> {
        let mut count = 0;
        for part in parts {
            self.shape(part).await?;
            count += 1;
        }
        Ok((count, self.is_at_home().await?))
    }
    async fn is_at_home(&self) -> Result<bool>;
}

struct Echo;

impl Values for Echo {
    async fn nothing(&self) -> Result<()> {
        Ok(())
    }
    async fn numbers(&self, numbers: Numbers) -> Result<Numbers> {
        Ok(numbers)
    }
    async fn borrowed(&self, s: &str, points: &[Point], shape: &Shape, n: &u128) -> Result<String> {
        Ok(format!("{s} {points:?} {shape:?} {n}"))
    }
    async fn bytes(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        Ok(bytes)
    }
    async fn borrowed_bytes(&self, bytes: &[u8], nested: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
        Ok([bytes.to_vec()].into_iter().chain(nested.iter().cloned()).collect())
    }
    async fn shape(&self, shape: Shape) -> Result<Shape> {
        Ok(shape)
    }
    async fn maps(&self, maps: Maps) -> Result<Maps> {
        Ok(maps)
    }
    async fn options(
        &self,
        a: Option<Option<u8>>,
        b: Option<()>,
        c: Option<String>,
    ) -> Result<Option<String>> {
        Ok(c.map(|c| format!("{a:?} {b:?} {c}")))
    }
    async fn results(&self, r: std::result::Result<u8, String>) -> Result<std::result::Result<u8, String>> {
        Ok(r)
    }
    async fn twenty(
        &self,
        a: u8,
        b: u8,
        c: u8,
        d: u8,
        e: &str,
        f: u8,
        g: u8,
        h: u8,
        i: u8,
        j: Vec<u8>,
        k: u8,
        l: u8,
        m: u8,
        n: u8,
        o: &[u8],
        p: u8,
        q: u8,
        r: u8,
        s: u8,
        t: String,
    ) -> Result<String> {
        Ok(format!("{:?}", (&[a, b, c, d, f, g, h, i, k, l, m, n, p, q, r, s], e, j, o, t)))
    }
    async fn fail(&self, how: u8) -> std::result::Result<u8, ShapeError> {
        match how {
            0 => Err(ShapeError::Missing("circle".into())),
            1 => Err(ShapeError::Short { have: 1, want: 2 }),
            n => Ok(n),
        }
    }
    async fn is_at_home(&self) -> Result<bool> {
        Ok(true)
    }
}

#[tokio::test]
async fn every_shape_of_value() {
    let (_server, _client, remote) = served(ValuesProxy::new(Echo)).await;
    remote.nothing().await.unwrap();
    let most = (u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX);
    let least = (i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN);
    for numbers in [
        (most, least, (f32::MAX, f64::MIN, true, '\u{10ffff}')),
        ((0, 0, 0, 0, 0), (0, 0, 0, 0, 0), (0.0, -0.0, false, '\0')),
    ] {
        assert_eq!(remote.numbers(numbers).await.unwrap(), numbers);
    }
    let point = |x| Point { x, y: (x > 0).then_some(0.5), label: "π".repeat(x.unsigned_abs() as usize) };
    let shapes = [
        Shape::Empty,
        Shape::Dot(point(-1)),
        Shape::Line(point(0), point(300)),
        Shape::Poly { points: vec![], holes: None },
        Shape::Poly { points: vec![point(1); 20], holes: Some(vec![Shape::Empty, Shape::Dot(point(2))]) },
    ];
    for shape in &shapes {
        assert_eq!(remote.shape(shape.clone()).await.unwrap(), *shape);
    }
    for (s, points) in [("", vec![]), ("naïve \0 \u{1f600}", vec![point(1), point(-5)])] {
        let expected = format!("{s} {points:?} {:?} {}", shapes[4], u128::MAX);
        assert_eq!(remote.borrowed(s, &points, &shapes[4], &u128::MAX).await.unwrap(), expected);
    }
    for size in [0, 1, 31, 255, 256, 65_535, 65_536, 200_000] {
        let bytes: Vec<u8> = (0..size).map(|i| i as u8).collect();
        assert_eq!(remote.bytes(bytes.clone()).await.unwrap(), bytes);
        let nested = vec![vec![], bytes.clone()];
        assert_eq!(remote.borrowed_bytes(&bytes, &nested).await.unwrap(), [bytes.clone(), vec![], bytes]);
    }
    let maps: Maps = (
        HashMap::from([(String::new(), vec![]), ("k".into(), vec![1, 2])]),
        BTreeMap::from([((1, -1), None), ((2, i32::MAX), Some("v".into()))]),
        BTreeMap::from([(Key::Number(7), ()), (Key::Name("n".into()), ())]),
    );
    assert_eq!(remote.maps(maps.clone()).await.unwrap(), maps);
    assert_eq!(remote.options(None, None, None).await.unwrap(), None);
    let some = remote.options(Some(Some(1)), None, Some("c".into())).await.unwrap();
    assert_eq!(some.unwrap(), "Some(Some(1)) None c");
    for r in [Ok(3), Err("e".into())] {
        assert_eq!(remote.results(r.clone()).await.unwrap(), r);
    }
    let j = vec![10; 3];
    let twenty = |v: ValuesProxy, j: Vec<u8>| async move {
        v.twenty(1, 2, 3, 4, "five", 6, 7, 8, 9, j, 11, 12, 13, 14, &[15; 2], 16, 17, 18, 19, "t".into())
            .await
    };
    let local = twenty(ValuesProxy::new(Echo), j.clone()).await.unwrap();
    assert_eq!(twenty(remote.clone(), j).await.unwrap(), local);
}

/// `Vec<u8>` and `&[u8]` are `bin` on the wire, in both directions: a byte takes a byte.
#[tokio::test]
async fn bytes_travel_as_bytes() {
    let (server, client, remote) = served(ValuesProxy::new(Echo)).await;
    let before = (client.stats().bytes_sent, client.stats().bytes_received);
    let bytes = vec![0xff; 1_000_000];
    assert_eq!(remote.bytes(bytes.clone()).await.unwrap(), bytes);
    assert_eq!(remote.borrowed_bytes(&bytes, &[]).await.unwrap(), [bytes]);
    let (sent, received) = (client.stats().bytes_sent - before.0, client.stats().bytes_received - before.1);
    assert!((2_000_000..2_010_000).contains(&sent) && (2_000_000..2_010_000).contains(&received));
    drop(server);
}

#[tokio::test]
async fn the_users_own_errors() {
    let (server, client, remote) = served(ValuesProxy::new(Echo)).await;
    assert_eq!(remote.fail(0).await, Err(ShapeError::Missing("circle".into())));
    assert_eq!(remote.fail(1).await, Err(ShapeError::Short { have: 1, want: 2 }));
    assert_eq!(remote.fail(7).await, Ok(7));
    server.shutdown().await;
    let error = within(remote.fail(7)).await.unwrap_err();
    assert!(matches!(&error, ShapeError::Remote(RemoteError::Unreachable { .. })), "{error}");
    drop(client);
}

#[tokio::test]
async fn a_default_method_runs_at_the_owner() {
    let (server, client, remote) = served(ValuesProxy::new(Echo)).await;
    assert_eq!(remote.whole(vec![Shape::Empty; 5]).await.unwrap(), (5, true));
    assert_eq!(server.stats().calls_served[&client.id()], 1, "one call, not six");
}

#[remote]
pub trait Named {
    async fn name(&self) -> Result<String>;
}

#[remote]
pub trait Owned: Named {
    async fn owner(&self) -> Result<String> {
        Ok(format!("the owner of {}", self.name().await?))
    }
}

#[remote]
pub trait Boat: Owned + Named {
    async fn length(&self) -> Result<u32>;
}

struct Canoe;

impl Named for Canoe {
    async fn name(&self) -> Result<String> {
        Ok("canoe".into())
    }
}
impl Owned for Canoe {}
impl Boat for Canoe {
    async fn length(&self) -> Result<u32> {
        Ok(5)
    }
}

async fn name_of(named: &impl Named) -> String {
    named.name().await.unwrap()
}

#[tokio::test]
async fn ancestors() {
    let (server, client, remote) = served(BoatProxy::new(Canoe)).await;
    assert_eq!((name_of(&remote).await, name_of(&Canoe).await), ("canoe".into(), "canoe".into()));
    assert_eq!(remote.owner().await.unwrap(), "the owner of canoe");
    assert_eq!(remote.length().await.unwrap(), 5);
    let up: NamedProxy = Proxy::upcast(&remote);
    assert_eq!(up.name().await.unwrap(), "canoe");
    assert_eq!(AnyProxy::from(&up), AnyProxy::from(&remote), "one object");
    // A root may be fetched as an ancestor; down again the owner is asked.
    let named: NamedProxy = client.root(&address(&server), "it").await.unwrap();
    assert_eq!(named, up);
    let boat: BoatProxy = Proxy::cast(&named).await.unwrap();
    assert_eq!((boat.length().await.unwrap(), &boat), (5, &remote));
    let owned: OwnedProxy = Proxy::cast(&boat).await.unwrap();
    assert_eq!(owned.name().await.unwrap(), "canoe");
    for error in [
        Proxy::cast::<support::shelf::ItemInterface>(&named).await.unwrap_err(),
        AnyProxy::from(&named).cast::<support::shelf::ItemInterface>().await.unwrap_err(),
    ] {
        let RemoteError::WrongInterface { expected, found } = &error else { panic!("{error}") };
        assert_eq!((&**expected, &**found), ("rmi.Item", "rmi.Boat"), "both names");
    }
    let described = AnyProxy::from(&named).describe().await.unwrap();
    assert_eq!(described.name, "rmi.Boat");
    assert_eq!(described.ancestors, ["rmi.Owned", "rmi.Named"]);
    // At home, without asking.
    let local = BoatProxy::new(Canoe);
    let up: NamedProxy = Proxy::upcast(&local);
    assert!(Proxy::is_local(&Proxy::cast::<BoatInterface>(&up).await.unwrap()));
    assert!(Proxy::cast::<support::shelf::ItemInterface>(&up).await.is_err());
}

#[tokio::test]
async fn a_time_limit() {
    let (a, b) = (Site::new().await, Site::new().await);
    let at_b = a.sees(&b).await;
    let hurried = Proxy::with_timeout(&at_b, Duration::from_millis(50));
    let start = now();
    let item = b.keeper.population.item();
    b.shelf.put(item.clone()).await.unwrap();
    let of_b = at_b.take().await.unwrap().unwrap();
    drop(item);
    let error = within(hurried.echo_later(of_b, 600_000)).await.unwrap_err();
    let RemoteError::TimedOut { call, after_ms: 50 } = &error else { panic!("{error}") };
    assert_eq!(call, "rmi.Shelf/echo_later");
    assert!(error.may_have_executed() && start.elapsed() >= Duration::from_millis(50));
    // It goes on working, and the object is that of the proxy without a limit.
    assert_eq!((hurried.count().await.unwrap(), &hurried), (0, &at_b));
    eventually("the call is cancelled, and what it held is released", || b.alive() == 0).await;
    // Local servants as well.
    let local = Proxy::with_timeout(&b.shelf, Duration::from_millis(20));
    let error = within(local.stall(None)).await.unwrap_err();
    assert!(matches!(&error, RemoteError::TimedOut { after_ms: 20, .. }), "{error}");
    assert_eq!(local.count().await.unwrap(), 0);
    drop((at_b, hurried, local));
    close_down(vec![a, b]).await;
}

/// Cannot be serialized at all.
#[derive(Debug)]
pub struct Untouched(Arc<()>);

impl Serialize for Untouched {
    fn serialize<S: serde::Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
        panic!("serialized")
    }
}

impl<'de> Deserialize<'de> for Untouched {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
        panic!("deserialized")
    }
}

#[remote]
pub trait ShortCut {
    async fn pass(&self, it: Untouched) -> Result<Untouched>;
    async fn task(&self) -> Result<bool>;
}

struct Home(tokio::task::Id);

impl ShortCut for Home {
    async fn pass(&self, it: Untouched) -> Result<Untouched> {
        Ok(it)
    }
    async fn task(&self) -> Result<bool> {
        Ok(tokio::task::try_id() == Some(self.0))
    }
}

#[tokio::test]
async fn a_local_call_serializes_nothing_and_spawns_nothing() {
    let (server, client) = (listening().await, silent().await);
    let done = tokio::spawn(async move {
        let home = ShortCutProxy::new(Home(tokio::task::id()));
        server.publish("home", &home);
        let remote: ShortCutProxy = client.root(&address(&server), "home").await.unwrap();
        // Also of a proxy that has been abroad.
        let back: ShortCutProxy = server.root(&address(&server), "home").await.unwrap();
        for proxy in [&home, &back] {
            let it = Arc::new(());
            let passed = proxy.pass(Untouched(it.clone())).await.unwrap();
            assert!(Arc::ptr_eq(&passed.0, &it) && proxy.task().await.unwrap());
        }
        assert!(!remote.task().await.unwrap());
    });
    within(done).await.unwrap();
}
