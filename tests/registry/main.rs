//! The registry, over real connections: names, lookups, and who keeps a name alive.
#![expect(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod follow;
mod life;
mod lookup;
mod names;
mod owners;
mod renewal;
#[path = "../support/mod.rs"]
mod support;
mod wait;

use rmi::{Entry, Node, Registry, RegistryError, RemoteError, remote};
use support::{address, eventually, listening, now, silent, start};

/// A registry at a node of its own, and its address.
async fn registry() -> (Node, String) {
    let node = listening().await;
    Registry::serve(&node);
    let at = address(&node);
    (node, at)
}

/// A place that no other test can take while nobody listens there, as it could a port.
fn place() -> String {
    let file = format!("rmi-{}.sock", uuid::Uuid::new_v4().simple());
    format!("unix://{}", std::env::temp_dir().join(file).display())
}

/// A handle of the registry at `at`, in a node of its own.
async fn connect(at: &str) -> Registry {
    Registry::connect(&silent().await, at).await.unwrap()
}

/// The same, in a node that others can dial: for those who bind what others call.
async fn binder(at: &str) -> Registry {
    Registry::connect(&listening().await, at).await.unwrap()
}

async fn is_bound(registry: &Registry, name: &str) -> bool {
    match registry.entry(name).await {
        Ok(_) => true,
        Err(RegistryError::NotBound { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Waits until nothing is bound to `name`.
#[track_caller]
fn gone(registry: &Registry, name: &str) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let start = now();
        while is_bound(registry, name).await {
            assert!(start.elapsed() < support::LIMIT, "{place}: `{name}` is still bound");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
}

fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.name.as_str()).collect()
}

#[remote]
pub trait Named {
    async fn name(&self) -> Result<String, RemoteError>;
}

/// Has [`Named`] as its ancestor.
#[remote]
pub trait Bank: Named {
    async fn balance(&self) -> Result<u64, RemoteError>;
}

/// Is no relation of the others.
#[remote]
pub trait Clock {
    async fn tick(&self) -> Result<(), RemoteError>;
}

/// Answers, and is counted.
struct Servant {
    name: &'static str,
    _counted: support::shelf::Counted,
}

impl Named for Servant {
    async fn name(&self) -> Result<String, RemoteError> {
        Ok(self.name.into())
    }
}

impl Bank for Servant {
    async fn balance(&self) -> Result<u64, RemoteError> {
        Ok(7)
    }
}

fn bank(name: &'static str) -> BankProxy {
    counted_bank(name, &support::shelf::Population::default())
}

fn counted_bank(name: &'static str, population: &support::shelf::Population) -> BankProxy {
    BankProxy::new(Servant { name, _counted: support::shelf::Counted::new(population) })
}

/// A registry in a process of its own, at an address that is kept when it is killed and started again.
async fn registry_process(at: &str) -> (support::child::Process, String) {
    let mut process = support::child::Process::start("registry", at);
    let at = process.hear().await;
    (process, at)
}

async fn child_registry(at: &str) {
    let node = start(Node::builder().listen(at)).await;
    Registry::serve(&node);
    support::child::say(&address(&node));
    let _ = support::child::hear(&mut support::child::ears()).await;
}

/// A handle of the registry at `at`, in a node that does not wait long for what is lost.
async fn hasty(at: &str) -> Registry {
    let window = std::time::Duration::from_millis(400);
    let node = start(Node::builder().listen("tcp://127.0.0.1:0").reconnect_window(window)).await;
    Registry::connect(&node, at).await.unwrap()
}

/// The part of a child process: it binds an object of its own and obeys.
#[tokio::test]
#[ignore = "the other half of tests that need a process"]
async fn child() {
    let Some((role, at)) = support::child::role() else { return };
    if role == "registry" {
        return child_registry(&at).await;
    }
    let node = match role.as_str() {
        "listens" | "rebinds" => start(Node::builder().listen("tcp://127.0.0.1:0")).await,
        _ => silent().await,
    };
    let registry = Registry::connect(&node, &at).await.unwrap();
    let bound = match role.as_str() {
        "rebinds" => registry.rebind("child", &bank("child")).await,
        _ => registry.bind("child", &bank("child")).await,
    };
    let mut binding = Some(bound.unwrap());
    support::child::say("bound");
    let mut ears = support::child::ears();
    while let Some(told) = support::child::hear(&mut ears).await {
        match told.as_str() {
            "keep" => binding.as_ref().unwrap().keep().await.unwrap(),
            "drop" => drop(binding.take()),
            "shut down" => node.shutdown().await,
            other => panic!("{other}"),
        }
        support::child::say(&told);
    }
}
