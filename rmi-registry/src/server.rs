//! The registry's side: its servants, and how a node becomes a registry.

use std::sync::{Arc, Weak};
use std::time::Duration;

use rmi_core::companion::Background;
use rmi_core::{AnyProxy, Node, RemoteError};
use tokio::task::AbortHandle;

use crate::ROOT;
use crate::entry::{BindingId, Entry};
use crate::error::RegistryError;
use crate::liveness;
use crate::registry::Registry;
use crate::service::{
    BindOptions, BindingService, BindingServiceProxy, Bound, Page, RegistryService, RegistryServiceProxy,
};
use crate::store::Store;

/// Settings of a registry. Made by [`Registry::server`]; every setting has a default.
#[derive(Debug, Clone)]
#[must_use = "settings do nothing until `serve` is called"]
pub struct RegistryServer {
    max_entries: usize,
    max_waiters: usize,
    patience: Duration,
}

/// Shorter checks would only measure how busy the machine is.
const MIN_PATIENCE: Duration = Duration::from_millis(100);

impl RegistryServer {
    pub(crate) fn new() -> Self {
        Self { max_entries: 10_000, max_waiters: 10_000, patience: Duration::from_secs(30) }
    }

    /// How many names it keeps, 10,000 by default. More are refused with [`RegistryError::Full`].
    pub fn max_entries(mut self, entries: usize) -> Self {
        self.max_entries = entries;
        self
    }

    /// How many may [wait](Registry::lookup_wait) for names that are not bound, 10,000 by default. More are refused with
    /// [`RegistryError::TooManyWaiters`].
    pub fn max_waiters(mut self, waiters: usize) -> Self {
        self.max_waiters = waiters;
        self
    }

    /// How long the owner of an object may be out of reach before its name is unbound, 30 s by default, at least 100 ms. The
    /// node's lease is a good choice.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience.max(MIN_PATIENCE);
        self
    }

    /// Makes `node` a registry: publishes it there under the name `registry`. The registry ends with the node, or when
    /// the name is unpublished; the names are kept in memory and go with it. The handle that is returned works in place,
    /// without a connection.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn serve(self, node: &Node) -> Registry {
        let store = Arc::new(Store::new(node.id(), node.addresses(), self.max_entries, self.max_waiters));
        let watch = tokio::spawn(liveness::watch(Arc::downgrade(&store), self.patience)).abort_handle();
        // The task ends with what is published; the handle has a servant of its own, so that it does not outlive the node.
        let published =
            Service { store: store.clone(), node: Background::of(node), _watch: Some(AbortOnDrop(watch)) };
        node.publish(ROOT, &RegistryServiceProxy::new(published));
        let local = Service { store, node: Background::of(node), _watch: None };
        Registry::local(node, RegistryServiceProxy::new(local))
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The servant.
struct Service {
    store: Arc<Store>,
    node: Background,
    _watch: Option<AbortOnDrop>,
}

impl Service {
    fn bind_as(
        &self,
        name: &str,
        object: AnyProxy,
        options: BindOptions,
        replace: bool,
    ) -> Result<Bound, RegistryError> {
        let entry = self.store.bind(name, object, options, replace)?;
        tracing::info!(%name, id = %entry.id, owner = %entry.owner, interface = entry.interface, replace, "bound");
        let held = Held { store: Arc::downgrade(&self.store), name: name.to_owned(), id: entry.id };
        Ok(Bound::new(entry, BindingServiceProxy::new(held)))
    }
}

impl RegistryService for Service {
    async fn bind(&self, name: &str, object: AnyProxy, options: BindOptions) -> Result<Bound, RegistryError> {
        self.bind_as(name, object, options, false)
    }

    async fn rebind(
        &self,
        name: &str,
        object: AnyProxy,
        options: BindOptions,
    ) -> Result<Bound, RegistryError> {
        self.bind_as(name, object, options, true)
    }

    async fn unbind(&self, name: &str) -> Result<Entry, RegistryError> {
        let entry = self.store.unbind(name)?;
        tracing::info!(%name, id = %entry.id, "unbound on request");
        Ok(entry)
    }

    async fn lookup(&self, name: &str) -> Result<AnyProxy, RegistryError> {
        self.store.object(name)
    }

    async fn lookup_wait(&self, name: &str) -> Result<AnyProxy, RegistryError> {
        tokio::select! {
            found = self.store.wait(name) => found,
            // A node that shuts down waits for its calls.
            () = self.node.draining() => Err(RemoteError::ShuttingDown { node: self.node.id() }.into()),
        }
    }

    async fn entry(&self, name: &str) -> Result<Entry, RegistryError> {
        self.store.entry(name)
    }

    async fn list(&self, prefix: &str, after: Option<String>) -> Result<Page, RegistryError> {
        Ok(self.store.list(prefix, after.as_deref()))
    }
}

/// The servant of one binding. The registry itself does not hold it: when no [`Binding`](crate::Binding) does any more, it is
/// collected, and its name goes with it.
struct Held {
    store: Weak<Store>,
    name: String,
    id: BindingId,
}

impl Held {
    /// The store; none if the registry is over.
    fn store(&self) -> Result<Arc<Store>, RegistryError> {
        let over =
            || RegistryError::NotBound { name: self.name.clone(), at: "a registry that has ended".into() };
        self.store.upgrade().ok_or_else(over)
    }
}

impl BindingService for Held {
    async fn keep(&self) -> Result<(), RegistryError> {
        self.store()?.keep(&self.name, self.id)?;
        tracing::info!(name = self.name, id = %self.id, "to be kept");
        Ok(())
    }

    async fn unbind(&self) -> Result<Entry, RegistryError> {
        let store = self.store()?;
        let entry = store.release(&self.name, self.id, false).ok_or_else(|| store.not_bound(&self.name))?;
        tracing::info!(name = self.name, id = %self.id, "unbound by its binder");
        Ok(entry)
    }

    async fn entry(&self) -> Result<Entry, RegistryError> {
        let store = self.store()?;
        let entry = store.entry(&self.name)?;
        if entry.id == self.id { Ok(entry) } else { Err(store.not_bound(&self.name)) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(store) = self.store.upgrade() else { return };
        if store.release(&self.name, self.id, true).is_some() {
            tracing::info!(name = self.name, id = %self.id, "unbound: nobody holds the binding");
        }
    }
}
