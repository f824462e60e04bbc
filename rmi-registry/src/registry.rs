//! The handle of a registry.

use std::fmt;
use std::sync::Arc;

use rmi_core::companion::Background;
use rmi_core::{Node, Reference, RemoteError};

use crate::binding::Bind;
use crate::entry::Entry;
use crate::error::RegistryError;
use crate::place::Place;
use crate::server::RegistryServer;
use crate::service::{RegistryService, RegistryServiceProxy};
use crate::{lookup, url};

/// A registry, from the point of view of one node. Clones are handles of the same one. A handle keeps its node alive.
///
/// A registry that was restarted at its address is found again by the next call; the names it had are gone, until their
/// [bindings](crate::Binding) have renewed themselves.
#[derive(Clone)]
pub struct Registry {
    node: Node,
    place: Arc<Place>,
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
        let place = Place::at(Background::of(node), address);
        place.find().await?;
        Ok(Self { node: node.clone(), place: Arc::new(place) })
    }

    pub(crate) fn local(node: &Node, service: RegistryServiceProxy) -> Self {
        let place = Place::here(Background::of(node), service);
        Self { node: node.clone(), place: Arc::new(place) }
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
        self.place.ask(|service| async move { service.unbind(name).await }).await
    }

    /// The object that is bound to `name`, as any interface that it has. Where that is not the one under which it was bound, its
    /// owner is asked.
    ///
    /// # Errors
    /// [`RemoteError::NotBound`] names the name and the registry, [`RemoteError::WrongInterface`] both interfaces; any other
    /// error is the failure to ask the registry or the owner.
    pub async fn lookup<P: Reference>(&self, name: &str) -> Result<P, RemoteError> {
        P::from_any(self.place.lookup(name).await?).await
    }

    /// The same, but waits until the name is bound; also over a registry that is lost meanwhile and comes back. It waits for ever,
    /// unless there is a limit ([`with_timeout`](rmi_core::with_timeout), or that of all calls of the node), or the future is
    /// dropped. Many may wait for one name.
    ///
    /// # Errors
    /// [`RemoteError::BadArgument`] if the text cannot be a name; [`RemoteError::Overloaded`] if as many wait at the
    /// registry as may ([`RegistryServer::max_waiters`]); [`RemoteError::TimedOut`]; [`RemoteError::WrongInterface`].
    pub async fn lookup_wait<P: Reference>(&self, name: &str) -> Result<P, RemoteError> {
        P::from_any(self.place.lookup_wait(name).await?).await
    }

    /// The object that is bound to `name`, as a proxy that looks the name up again, at this registry or one that is in its
    /// place by then, when a call finds the object gone or its owner out of reach. The call then goes to the object that was
    /// found. So one proxy serves over restarts of a server that binds its object under the same name each time.
    ///
    /// A call is made again once, and only if it was certainly not executed; one that was lost on its way fails with
    /// [`RemoteError::OutcomeUnknown`], unless its method is `#[idempotent]`: those are made again until their limit, whatever
    /// happened. The limit of a call holds for all of that together. Calls that fail together look the name up once. If no
    /// other object is found, the error says why: [`RemoteError::NotBound`], for example.
    ///
    /// In all else the proxy is one of the object that it leads to at present: that is what is sent when it is passed on (the
    /// receiver gets an ordinary reference), whose end [`closed`](rmi_core::Proxy::closed) waits for, and what it equals. So it is no
    /// key for a map. Clones and casts follow together. It does not keep its node.
    ///
    /// A name of an object in this very process gives that object's local proxy, which is never gone. A proxy that follows
    /// does not become local: if the name is bound to an object here later on, calls say [`RemoteError::Unreachable`], and why.
    ///
    /// # Errors
    /// As for [`lookup`](Self::lookup).
    pub async fn follow<P: Reference>(&self, name: &str) -> Result<P, RemoteError> {
        lookup::following(&self.place, name).await
    }

    /// The description of what is bound to `name`, without the reference itself.
    ///
    /// # Errors
    /// [`RegistryError::NotBound`], or the failure to ask.
    pub async fn entry(&self, name: &str) -> Result<Entry, RegistryError> {
        self.place.ask(|service| async move { service.entry(name).await }).await
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
            let page = self.place.ask(|service| {
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
        &self.node
    }

    pub(crate) fn place(&self) -> &Arc<Place> {
        &self.place
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}
