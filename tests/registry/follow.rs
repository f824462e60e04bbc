//! Proxies that follow a name.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rmi::{AnyProxy, Binding, Proxy};

use super::*;
use support::child::Process;
use support::relay::Relay;
use support::within;
use tokio::sync::Notify;

#[remote]
pub(crate) trait Till {
    /// Counts, then waits to be let go on.
    async fn pay(&self) -> Result<String, RemoteError>;
    /// The same, and may be done twice.
    #[idempotent]
    async fn read(&self) -> Result<String, RemoteError>;
    /// Returns what it got.
    async fn echo(&self, till: TillProxy) -> Result<TillProxy, RemoteError>;
}

struct Counter {
    name: &'static str,
    executed: AtomicUsize,
    go_on: Notify,
}

impl Counter {
    fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, executed: AtomicUsize::new(0), go_on: Notify::new() })
    }

    fn executed(&self) -> usize {
        self.executed.load(Ordering::SeqCst)
    }
}

impl Till for Counter {
    async fn pay(&self) -> Result<String, RemoteError> {
        self.executed.fetch_add(1, Ordering::SeqCst);
        self.go_on.notified().await;
        Ok(self.name.into())
    }
    async fn read(&self) -> Result<String, RemoteError> {
        self.pay().await
    }
    async fn echo(&self, till: TillProxy) -> Result<TillProxy, RemoteError> {
        Ok(till)
    }
}

/// A server with a till that lets calls go on at once if it is `open`, bound to `till`.
struct Server {
    node: Node,
    till: Arc<Counter>,
    binding: Binding,
}

async fn server(name: &'static str, registry: &str, open: bool) -> Server {
    let node = listening().await;
    let till = Counter::new(name);
    let registry = Registry::connect(&node, registry).await.unwrap();
    let binding = registry.rebind("till", &TillProxy::from_arc(till.clone())).await.unwrap();
    if open {
        till.go_on.notify_one();
    }
    Server { node, till, binding }
}

#[tokio::test]
async fn a_follower_goes_to_the_server_that_was_restarted() {
    let (server, at) = registry().await;
    let mut child = Process::start("rebinds", &at);
    assert_eq!(child.hear().await, "bound");
    let client = hasty(&at).await;
    let followed: BankProxy = client.follow("child").await.unwrap();
    let plain: BankProxy = client.lookup("child").await.unwrap();
    assert!(followed == plain && !Proxy::is_local(&followed));
    assert_eq!(followed.name().await.unwrap(), "child");
    for _ in 0..2 {
        let first = Proxy::owner(&followed);
        child.kill().await;
        child = Process::start("rebinds", &at);
        assert_eq!(child.hear().await, "bound");
        within(Proxy::closed(&followed)).await;
        // The first call, of a method that is not to be done twice.
        assert_eq!(within(followed.name()).await.unwrap(), "child");
        assert_ne!(Proxy::owner(&followed), first);
        assert!(followed != plain);
        within(plain.name()).await.unwrap_err();
    }
    // As an ancestor, and by URL.
    let url = format!("rmi{}/child", at.trim_start_matches("tcp"));
    let node = silent().await;
    let by_url: NamedProxy = rmi::follow(&node, &url).await.unwrap();
    assert_eq!(by_url.name().await.unwrap(), "child");
    let untyped: AnyProxy = client.follow("child").await.unwrap();
    let cast: NamedProxy = untyped.cast().await.unwrap();
    child.kill().await;
    let error = within(rmi::with_timeout(Duration::from_secs(1), followed.name())).await.unwrap_err();
    assert!(!matches!(error, RemoteError::NotBound { .. }), "the name is still there: {error}");
    child = Process::start("rebinds", &at);
    assert_eq!(child.hear().await, "bound");
    within(untyped.closed()).await;
    assert_eq!(within(cast.name()).await.unwrap(), "child", "casts follow");
    within(untyped.describe()).await.unwrap();
    child.kill().await;
    drop(server);
}

#[tokio::test]
async fn a_follower_outlives_registry_and_server_together() {
    let (mut process, at) = registry_process("tcp://127.0.0.1:0").await;
    let mut child = Process::start("rebinds", &at);
    assert_eq!(child.hear().await, "bound");
    let client = hasty(&at).await;
    let followed: BankProxy = client.follow("child").await.unwrap();
    process.kill().await;
    child.kill().await;
    within(Proxy::closed(&followed)).await;
    // Nobody is there: the call says so and was not executed.
    let error = within(followed.name()).await.unwrap_err();
    assert!(matches!(error, RemoteError::Unreachable { .. }) && !error.may_have_executed(), "{error}");
    let (_process, _) = registry_process(&at).await;
    // The registry is, and the server is not.
    let error = within(followed.name()).await.unwrap_err();
    assert!(matches!(error, RemoteError::NotBound { .. }), "{error}");
    let mut child = Process::start("rebinds", &at);
    assert_eq!(child.hear().await, "bound");
    assert_eq!(within(followed.name()).await.unwrap(), "child");
    child.kill().await;
}

#[tokio::test]
async fn a_call_that_may_have_been_executed_is_not_made_again() {
    let (_registry, at) = registry().await;
    let first = server("first", &at, false).await;
    let client = hasty(&at).await;
    let followed: TillProxy = client.follow("till").await.unwrap();
    let (pay, read) = (followed.clone(), followed.clone());
    let pay = tokio::spawn(async move { pay.pay().await });
    let read = tokio::spawn(async move { read.read().await });
    eventually("both are executed", || first.till.executed() == 2).await;
    let second = server("second", &at, true).await;
    // Its end is abrupt: nothing is waited for.
    drop(first.node);
    let error = within(pay).await.unwrap().unwrap_err();
    assert!(matches!(error, RemoteError::OutcomeUnknown { .. }), "{error}");
    // The other one may be executed twice.
    assert_eq!(within(read).await.unwrap().unwrap(), "second");
    assert_eq!((first.till.executed(), second.till.executed()), (2, 1));
    second.till.go_on.notify_one();
    assert_eq!(within(followed.pay()).await.unwrap(), "second");
    assert_eq!((first.till.executed(), second.till.executed()), (2, 2));
}

#[tokio::test]
async fn calls_that_fail_together_look_the_name_up_once() {
    let (registry, at) = registry().await;
    let first = server("first", &at, true).await;
    let client = hasty(&at).await;
    let asker = silent().await;
    let followed: TillProxy = Registry::connect(&asker, &at).await.unwrap().follow("till").await.unwrap();
    let second = server("second", &at, false).await;
    let node = first.node.clone();
    drop((first, client));
    within(node.shutdown()).await;
    within(Proxy::closed(&followed)).await;
    let asked = || registry.stats().calls_served.get(&asker.id()).copied().unwrap_or_default();
    assert_eq!(asked(), 1);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let followed = followed.clone();
            tokio::spawn(async move { followed.pay().await })
        })
        .collect();
    eventually("all are executed", || second.till.executed() == 20).await;
    second.till.go_on.notify_waiters();
    for call in calls {
        assert_eq!(within(call).await.unwrap().unwrap(), "second");
    }
    assert_eq!(asked(), 2);
    assert!(second.binding.is_bound());
}

#[tokio::test]
async fn what_is_passed_on_is_the_object_of_the_moment() {
    let (_registry, at) = registry().await;
    let first = server("first", &at, true).await;
    let client = hasty(&at).await;
    let followed: TillProxy = client.follow("till").await.unwrap();
    let back = within(followed.echo(followed.clone())).await.unwrap();
    assert_eq!(back, followed);
    // Bound under another name, it is no more than that either.
    let alias = client.bind("alias", &followed).await.unwrap();
    assert_eq!(client.lookup::<TillProxy>("alias").await.unwrap(), back);
    drop(first);
    let second = server("second", &at, true).await;
    within(Proxy::closed(&back)).await;
    assert_eq!(within(followed.pay()).await.unwrap(), "second");
    assert_ne!(back, followed);
    within(back.pay()).await.unwrap_err();
    drop((alias, second));
}

#[tokio::test]
async fn the_limit_of_a_call_bounds_the_looking_up() {
    let relay = Relay::new().await;
    let host = start(relay.builder()).await;
    let near = Registry::serve(&host);
    let first = server("first", &address(&host), true).await;
    let client = silent().await;
    let followed: TillProxy =
        Registry::connect(&client, &relay.address).await.unwrap().follow("till").await.unwrap();
    first.node.shutdown().await;
    within(Proxy::closed(&followed)).await;
    relay.hold();
    let hurried = Proxy::with_timeout(&followed, Duration::from_millis(200));
    let error = within(hurried.pay()).await.unwrap_err();
    assert!(matches!(error, RemoteError::TimedOut { after_ms: 200, .. }), "{error}");
    let error = within(rmi::with_timeout(Duration::from_millis(200), followed.pay())).await.unwrap_err();
    assert!(matches!(error, RemoteError::TimedOut { .. }), "{error}");
    // Those who gave up leave their turn to others.
    relay.flow();
    let second = server("second", &address(&host), true).await;
    assert_eq!(within(followed.pay()).await.unwrap(), "second");
    drop((near, second));
}

#[tokio::test]
async fn a_name_that_leads_home() {
    let (_registry, at) = registry().await;
    let node = listening().await;
    let registry = Registry::connect(&node, &at).await.unwrap();
    let mine = bank("mine");
    let binding = registry.bind("bank", &mine).await.unwrap();
    let followed: BankProxy = registry.follow("bank").await.unwrap();
    assert!(Proxy::is_local(&followed) && followed == mine);
    drop(binding);
    gone(&registry, "bank").await;

    let theirs = binder(&at).await;
    let binding = theirs.bind("bank", &bank("theirs")).await.unwrap();
    let followed: BankProxy = registry.follow("bank").await.unwrap();
    assert_eq!(followed.name().await.unwrap(), "theirs");
    drop((binding, theirs));
    within(Proxy::closed(&followed)).await;
    let _binding = registry.rebind("bank", &mine).await.unwrap();
    let error = within(followed.name()).await.unwrap_err();
    assert!(error.to_string().contains("look the name up"), "{error}");
    assert!(!error.may_have_executed());
}

#[tokio::test]
async fn a_follower_does_not_keep_its_node() {
    let (_registry, at) = registry().await;
    let theirs = binder(&at).await;
    let _binding = theirs.bind("bank", &bank("theirs")).await.unwrap();
    let node = silent().await;
    let id = node.id();
    let followed: BankProxy = Registry::connect(&node, &at).await.unwrap().follow("bank").await.unwrap();
    drop(node);
    assert_eq!(within(Proxy::closed(&followed)).await, RemoteError::ShuttingDown { node: id });
    assert_eq!(within(followed.name()).await.unwrap_err(), RemoteError::ShuttingDown { node: id });
}
