//! Binding a name, and holding it.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use rmi_core::AnyProxy;

use crate::entry::{BindingId, Entry};
use crate::error::RegistryError;
use crate::registry::Registry;
use crate::service::{BindOptions, BindingService, BindingServiceProxy, RegistryService};

/// A name that is going to be bound: say more, then await it. Made by [`Registry::bind`] and [`Registry::rebind`].
#[derive(Debug, Clone)]
#[must_use = "nothing is bound until this is awaited"]
pub struct Bind {
    registry: Registry,
    name: String,
    object: AnyProxy,
    options: BindOptions,
    replace: bool,
}

impl Bind {
    pub(crate) fn new(registry: &Registry, name: String, object: AnyProxy, replace: bool) -> Self {
        if object.is_local() && registry.node().addresses().is_empty() {
            tracing::warn!(
                %name,
                "the object is bound, but its node listens nowhere: only the registry's own node can call it"
            );
        }
        Self { registry: registry.clone(), name, object, options: BindOptions::default(), replace }
    }

    /// The version of what is bound, for people and programs that list names; 0 if nothing is said.
    pub fn version(mut self, version: u32) -> Self {
        self.options.version = version;
        self
    }

    async fn send(self) -> Result<Binding, RegistryError> {
        let Self { registry, name, object, options, replace } = self;
        let name = name.as_str();
        let asked = registry.ask(|service| {
            let (object, options) = (object.clone(), options.clone());
            async move {
                match replace {
                    false => service.bind(name, object, options).await,
                    true => service.rebind(name, object, options).await,
                }
            }
        });
        let bound = asked.await?;
        Ok(Binding { name: bound.entry.name, id: bound.entry.id, entry: bound.binding })
    }
}

impl IntoFuture for Bind {
    type Output = Result<Binding, RegistryError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// A name that is bound, and the object that it is bound to, for as long as this is held.
///
/// It is a reference to an object of the registry's, so what ends a reference ends it: when it is dropped the name is
/// unbound, after a moment and without waiting for the registry; when its process dies the name goes with the lease; when its
/// node is shut down, at once. [`keep`](Self::keep) changes that. If the name was unbound or taken over by others, dropping
/// it does nothing.
///
/// A connection to the registry that breaks takes the reference along when the lease ends, unless it was used meanwhile:
/// [`entry`](Self::entry) is such a use, and tells whether the name is still bound.
#[must_use = "the name is unbound when its binding is dropped"]
pub struct Binding {
    name: String,
    id: BindingId,
    entry: BindingServiceProxy,
}

impl Binding {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The identity of this binding.
    pub fn id(&self) -> BindingId {
        self.id
    }

    /// The description of the name, as the registry has it now.
    ///
    /// # Errors
    /// [`RegistryError::NotBound`] if the name is not this binding's any more, or the failure to ask.
    pub async fn entry(&self) -> Result<Entry, RegistryError> {
        self.entry.entry().await
    }

    /// Leaves the name bound when this is dropped, until it is unbound or the owner of its object is gone: it has another life, or
    /// has been out of reach for the registry's patience, 30 s by default.
    ///
    /// # Errors
    /// [`RegistryError::NotBound`] if the name is not this binding's any more, or the failure to ask.
    pub async fn keep(&self) -> Result<(), RegistryError> {
        self.entry.keep().await
    }

    /// Unbinds the name, and waits until that is done.
    ///
    /// # Errors
    /// [`RegistryError::NotBound`] if the name is not this binding's any more, or the failure to ask.
    pub async fn unbind(self) -> Result<(), RegistryError> {
        self.entry.unbind().await.map(drop)
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding").field("name", &self.name).field("id", &self.id).finish()
    }
}
