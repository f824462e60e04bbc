//! The handle of a registry.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use rmi_core::{Node, Reference, RemoteError};

use crate::binding::Bind;
use crate::entry::Entry;
use crate::error::RegistryError;
use crate::server::RegistryServer;
use crate::service::{RegistryService, RegistryServiceProxy};
use crate::{ROOT, url};

/// A registry, from the point of view of one node. Clones are handles of the same one. A handle keeps its node alive.
///
/// A registry that was restarted at its address is found again by the next call; the names it had are gone, and those who
/// bound them bind them again.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    node: Node,
    /// Where it is; `None`: in this node.
    address: Option<String>,
    service: Mutex<RegistryServiceProxy>,
}

impl Registry {
    /// Makes `node` a registry, too, with default settings: see [`RegistryServer::serve`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn serve(node: &Node) -> Self {
        Self::server().serve(node)
    }

    /// Settings for a registry in a node of this process.
    pub fn server() -> RegistryServer {
        RegistryServer::new()
    }

    /// The registry at `address`: `rmi://HOST:PORT`, or any address of a node. Uses the session with that node, or dials.
    /// Dropping the future gives it up.
    ///
    /// # Errors
    /// [`RemoteError::BadAddress`]; [`RemoteError::Unreachable`]; [`RemoteError::NotBound`] if the node there is no registry.
    pub async fn connect(node: &Node, address: &str) -> Result<Self, RemoteError> {
        let address = url::address(address)?;
        let service = node.root(&address, ROOT).await?;
        let inner = Inner { node: node.clone(), address: Some(address), service: Mutex::new(service) };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) fn local(node: &Node, service: RegistryServiceProxy) -> Self {
        let inner = Inner { node: node.clone(), address: None, service: Mutex::new(service) };
        Self { inner: Arc::new(inner) }
    }

    /// Binds a free name to an object: await what this returns. The name is 1 to 255 bytes of UTF-8 without control
    /// characters, and neither begins nor ends with a slash; slashes make hierarchies.
    ///
    /// The name stays bound, and the object alive, as long as the [`Binding`](crate::Binding) is held.
    ///
    /// # Errors
    /// [`RegistryError::AlreadyBound`], [`RegistryError::BadName`], [`RegistryError::Full`], or the failure to ask. Dropping
    /// the future before it is ready leaves the name unbound, at once or after a moment.
    pub fn bind(&self, name: impl Into<String>, object: &impl Reference) -> Bind {
        Bind::new(self, name.into(), object.to_any(), false)
    }

    /// Binds a name to an object, taking it from whoever has it. The older binding then has no effect any more.
    ///
    /// # Errors
    /// As for [`bind`](Self::bind), but for `AlreadyBound`.
    pub fn rebind(&self, name: impl Into<String>, object: &impl Reference) -> Bind {
        Bind::new(self, name.into(), object.to_any(), true)
    }

    /// Frees a name, whoever bound it, and returns what it was bound to.
    ///
    /// # Errors
    /// [`RegistryError::NotBound`], or the failure to ask.
    pub async fn unbind(&self, name: &str) -> Result<Entry, RegistryError> {
        self.ask(|service| async move { service.unbind(name).await }).await
    }

    /// The object that is bound to `name`, as any interface that it has. Where that is not the one under which it was bound, its
    /// owner is asked.
    ///
    /// # Errors
    /// [`RemoteError::NotBound`] names the name and the registry, [`RemoteError::WrongInterface`] both interfaces; any other
    /// error is the failure to ask the registry or the owner.
    pub async fn lookup<P: Reference>(&self, name: &str) -> Result<P, RemoteError> {
        let found = self.ask(|service| async move { service.lookup(name).await }).await?;
        P::from_any(found).await
    }

    /// The description of what is bound to `name`, without the reference itself.
    ///
    /// # Errors
    /// [`RegistryError::NotBound`], or the failure to ask.
    pub async fn entry(&self, name: &str) -> Result<Entry, RegistryError> {
        self.ask(|service| async move { service.entry(name).await }).await
    }

    /// The descriptions of all names that begin with `prefix`, in the order of their bytes; the empty prefix stands for all. Names
    /// that are bound or unbound meanwhile may be in it or not.
    ///
    /// # Errors
    /// The failure to ask.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Entry>, RegistryError> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let after = entries.last().map(|entry| entry.name.clone());
            let page = self.ask(|service| {
                let after = after.clone();
                async move { service.list(prefix, after).await }
            });
            let page = page.await?;
            let more = page.more && !page.entries.is_empty();
            entries.extend(page.entries);
            if !more {
                return Ok(entries);
            }
        }
    }

    pub(crate) fn node(&self) -> &Node {
        &self.inner.node
    }

    /// Asks the registry. If it is not there any more and did certainly not do it, asks the one that is now at its address.
    pub(crate) async fn ask<T, A>(
        &self,
        question: impl Fn(RegistryServiceProxy) -> A,
    ) -> Result<T, RegistryError>
    where
        A: Future<Output = Result<T, RegistryError>>,
    {
        let service = self.inner.service.lock().clone();
        let answer = match (question(service.clone()).await, &self.inner.address) {
            (Err(RegistryError::Remote(error)), Some(address)) if is_gone(&error) => {
                tracing::debug!(%address, %error, "the registry is gone: looking for another at its address");
                let found = self.inner.node.root(address, ROOT).await?;
                let old = std::mem::replace(&mut *self.inner.service.lock(), found);
                drop(old);
                let service = self.inner.service.lock().clone();
                question(service).await
            }
            (answer, _) => answer,
        };
        answer.map_err(|error| match (error, &self.inner.address) {
            (RegistryError::NotBound { name, at }, Some(address)) => {
                RegistryError::NotBound { name, at: format!("{address} ({at})") }
            }
            (error, _) => error,
        })
    }
}

/// Whether the registry's own object cannot be reached; an error that it passed on is another matter.
fn is_gone(error: &RemoteError) -> bool {
    matches!(error, RemoteError::NoSuchObject { .. } | RemoteError::Unreachable { .. })
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.address {
            Some(address) => write!(f, "Registry(at {address})"),
            None => write!(f, "Registry(in node {})", self.inner.node.id()),
        }
    }
}

/// Looks up an object by the URL `rmi://HOST:PORT/NAME`. The port may be left out: 1099. The name is what follows the slash, as
/// it is, without any escaping.
///
/// # Errors
/// As for [`Registry::connect`] and [`Registry::lookup`].
pub async fn lookup<P: Reference>(node: &Node, url: &str) -> Result<P, RemoteError> {
    let (address, name) = url::split(url)?;
    Registry::connect(node, &address).await?.lookup(name).await
}
