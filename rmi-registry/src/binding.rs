//! Binding a name, and holding it.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rmi_core::{AnyProxy, Proxy};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::entry::{BindingId, Entry};
use crate::error::RegistryError;
use crate::hold::{State, Want, hold};
use crate::registry::Registry;
use crate::service::{BindOptions, BindingService, BindingServiceProxy, Bound, RegistryService};

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
        // A registry has no use for what follows a name.
        let object = object.present();
        Self { registry: registry.clone(), name, object, options: BindOptions::default(), replace }
    }

    /// The version of what is bound, for people and programs that list names; 0 if nothing is said.
    pub fn version(mut self, version: u32) -> Self {
        self.options.version = version;
        self
    }

    async fn send(self) -> Result<Binding, RegistryError> {
        let Self { registry, name, object, options, replace } = self;
        let asked = registry.place().ask(|service| {
            let (name, object, options) = (name.as_str(), object.clone(), options.clone());
            async move {
                match replace {
                    false => service.bind(name, object, options).await,
                    true => service.rebind(name, object, options).await,
                }
            }
        });
        let bound = asked.await?;
        Ok(Binding::new(
            Want { place: registry.place().clone(), name, object, options, kept: Arc::default() },
            bound,
        ))
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
/// node is shut down, at once. [`keep`](Self::keep) changes that.
///
/// **It renews itself.** When the registry was lost, because it was restarted, crashed, or was out of reach for longer than
/// the lease, the name is bound again to the same object with the same version, as soon as the registry answers at its address:
/// this is tried after 50 ms, and then in growing pauses of up to 5 s, as long as the binding is held and its node runs.
/// Meanwhile [`is_bound`](Self::is_bound) says no. A renewal never takes the name from somebody else who has bound it
/// meanwhile, not even for a binding made by [`rebind`](crate::Registry::rebind): it warns once in the log, and goes on
/// trying. It is over when others unbind or take the name at a registry that lives: this is noticed within ten
/// seconds, and then neither is the object held by it any longer, nor does dropping it do anything.
#[must_use = "the name is unbound when its binding is dropped"]
pub struct Binding {
    name: String,
    state: watch::Receiver<State>,
    kept: Arc<AtomicBool>,
    /// Binds again; none for a registry in this very node, which is never lost.
    task: Option<AbortHandle>,
}

impl Binding {
    fn new(want: Want, bound: Bound) -> Self {
        let here = Proxy::is_local(&bound.binding);
        let (name, kept, node) = (want.name.clone(), want.kept.clone(), want.place.node().clone());
        let (sender, state) = watch::channel(State::new(bound));
        let task = if here { None } else { node.spawn(hold(want, sender)) };
        Self { name, state, kept, task }
    }

    /// The registry's object.
    fn remote(&self) -> BindingServiceProxy {
        self.state.borrow().entry.clone()
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The identity of this binding; another one each time that it was renewed.
    pub fn id(&self) -> BindingId {
        self.state.borrow().id
    }

    /// Whether the name is bound by this, as far as is known: not while the registry is lost, and not after others unbound or
    /// took the name, which is noticed within ten seconds. [`entry`](Self::entry) asks.
    pub fn is_bound(&self) -> bool {
        self.state.borrow().bound
    }

    /// The description of the name, as the registry has it now.
    ///
    /// # Errors
    /// [`RegistryError::NotBound`] if the name is not this binding's any more, or the failure to ask.
    pub async fn entry(&self) -> Result<Entry, RegistryError> {
        self.remote().entry().await
    }

    /// Leaves the name bound when this is dropped, until it is unbound or the owner of its object is gone: it has another life, or
    /// has been out of reach for the registry's patience, 30 s by default. As long as this is held, a renewal keeps the name, too;
    /// after that nobody binds it again.
    ///
    /// # Errors
    /// [`RegistryError::NotBound`] if the name is not this binding's any more, or the failure to ask.
    pub async fn keep(&self) -> Result<(), RegistryError> {
        self.remote().keep().await?;
        self.kept.store(true, Ordering::Release);
        Ok(())
    }

    /// Unbinds the name, and waits until that is done. A renewal under way is given up, and leaves nothing bound.
    ///
    /// # Errors
    /// [`RegistryError::NotBound`] if the name is not this binding's any more, or the failure to ask; then what a registry out
    /// of reach still has goes with the lease.
    pub async fn unbind(mut self) -> Result<(), RegistryError> {
        if let Some(task) = self.task.take() {
            task.abort();
            // Until it is gone, and the sender with it.
            while self.state.changed().await.is_ok() {}
        }
        self.remote().unbind().await.map(drop)
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binding")
            .field("name", &self.name)
            .field("id", &self.id())
            .field("bound", &self.is_bound())
            .finish()
    }
}
