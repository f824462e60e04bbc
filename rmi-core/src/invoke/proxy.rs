//! The typed proxy.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::RemoteError;
use crate::id::NodeId;
use crate::invoke::any::{AnyProxy, Target};
use crate::invoke::interface::{Extends, Implements, Interface};
use crate::invoke::object::Object;
use crate::invoke::references;
use crate::invoke::remote::RemoteObject;

/// A reference to an object of the interface `I`, here or at another node. `#[remote] trait Account` generates the
/// alias `AccountProxy = Proxy<AccountInterface>`, which implements `Account`.
///
/// A proxy is a value: clone it, compare it, put it into a struct, a `Vec` or a map, pass it to a method, return it
/// from one. A call on a proxy whose object is local goes straight to the servant. The object lives as long as
/// any proxy to it lives on any node.
///
/// Equality and hash are those of the object: `(owner, object)`. [`new`](Self::new) and
/// [`from_arc`](Self::from_arc) make a new identity each time, also for one `Arc` twice; clones, upcasts and casts
/// keep it.
///
/// Its own operations are associated functions, as with `Arc`, so that they never hide a method of the interface.
pub struct Proxy<I: Interface> {
    inner: Inner<I>,
    pub(crate) timeout: Option<Duration>,
}

pub(crate) enum Inner<I: Interface> {
    Local { object: Arc<Object>, servant: Arc<I::Local> },
    Remote(Arc<dyn RemoteObject>),
}

impl<I: Interface> Proxy<I> {
    /// Makes `servant` a remote object. It is exported when the proxy first travels.
    pub fn new<T>(servant: T) -> Self
    where
        I: Implements<T>,
    {
        Self::from_arc(Arc::new(servant))
    }

    /// Makes a servant that the program also uses itself a remote object, with an identity of its own.
    pub fn from_arc<T>(servant: Arc<T>) -> Self
    where
        I: Implements<T>,
    {
        let object = Object::new(I::skeleton(servant.clone()));
        Self { inner: Inner::Local { object, servant: I::erase(servant) }, timeout: None }
    }

    /// Whether the object lives in this process and is called directly.
    pub fn is_local(this: &Self) -> bool {
        matches!(this.inner, Inner::Local { .. })
    }

    /// The node that owns the object; `None` for a local object that has not travelled yet.
    pub fn owner(this: &Self) -> Option<NodeId> {
        AnyProxy::from(this).owner()
    }

    /// The same reference as a proxy of an ancestor of `I`.
    pub fn upcast<S: Interface>(this: &Self) -> Proxy<S>
    where
        I: Extends<S>,
    {
        let inner = match &this.inner {
            Inner::Remote(remote) => Some(Inner::Remote(remote.clone())),
            Inner::Local { object, .. } => {
                object.facet::<S::Local>().map(|servant| Inner::Local { object: object.clone(), servant })
            }
        };
        match inner {
            Some(inner) => Proxy { inner, timeout: this.timeout },
            // `I: Extends<S>` and the facets of an object come from one list in the expansion.
            None => unreachable!("an interface has a facet for each of its ancestors"),
        }
    }

    /// The same reference as a proxy of any interface that the object has; asks the owner where this is not known
    /// here. See [`AnyProxy::cast`].
    ///
    /// # Errors
    /// [`RemoteError::WrongInterface`] names both interfaces; any other error is the failure to ask.
    pub async fn cast<J: Interface>(this: &Self) -> Result<Proxy<J>, RemoteError> {
        AnyProxy::from(this).cast().await
    }

    /// The same reference, whose calls take no longer than `limit`: then they are cancelled and return
    /// [`RemoteError::TimedOut`]. What is left of the limit holds for whatever the servant calls in turn; in a
    /// [scope](crate::with_timeout) that has less left, that counts. The limit belongs to this proxy: a reference that is
    /// passed on has none. For a local object it needs a tokio runtime.
    #[must_use = "the limit is that of the proxy that is returned"]
    pub fn with_timeout(this: &Self, limit: Duration) -> Self {
        Self { timeout: Some(limit), ..this.clone() }
    }

    /// Resolves when the object is gone or its owner is lost, with what a call would say now:
    ///
    /// * [`RemoteError::NoSuchObject`]: the owner has it no more, or was restarted;
    /// * [`RemoteError::Unreachable`]: the session with the owner ended and could not be made again, or the owner said
    ///   goodbye, which is noticed at once;
    /// * [`RemoteError::ShuttingDown`]: the node that holds this proxy was stopped.
    ///
    /// An owner that crashed is given up when it does not come back within the
    /// [reconnect window](crate::Builder::reconnect_window); a connection that breaks and is made again resolves nothing. An
    /// owner that is out of reach may come back, and then the proxy works again at its next use: whoever wants to go on
    /// waiting calls the object, then this. If the proxy is in that state already, this resolves at once.
    ///
    /// Never resolves for a local object, which its proxy keeps. The future borrows the proxy, and so keeps the object like any
    /// proxy does; dropping it leaves nothing behind. It uses nothing of the session and has no limit.
    ///
    /// ```
    /// # use rmi_core::{Interface, Proxy};
    /// # fn keep<Watcher: Interface>(watcher: Proxy<Watcher>) {
    /// tokio::spawn(async move {
    ///     let why = Proxy::closed(&watcher).await;
    ///     println!("a watcher is gone: {why}");
    /// });
    /// # }
    /// ```
    pub async fn closed(this: &Self) -> RemoteError {
        match &this.inner {
            Inner::Local { .. } => std::future::pending().await,
            Inner::Remote(remote) => remote.closed().await,
        }
    }

    pub(crate) fn from_target(target: Target, timeout: Option<Duration>) -> Option<Self> {
        let inner = match target {
            Target::Remote(remote) => Inner::Remote(remote),
            Target::Own(object) => {
                let servant = object.facet::<I::Local>()?;
                Inner::Local { object, servant }
            }
        };
        Some(Self { inner, timeout })
    }

    pub(crate) fn target(&self) -> Target {
        match &self.inner {
            Inner::Local { object, .. } => Target::Own(object.clone()),
            Inner::Remote(remote) => Target::Remote(remote.clone()),
        }
    }

    pub(crate) fn inner(&self) -> &Inner<I> {
        &self.inner
    }
}

impl<I: Interface> Clone for Proxy<I> {
    fn clone(&self) -> Self {
        let inner = match &self.inner {
            Inner::Remote(remote) => Inner::Remote(remote.clone()),
            Inner::Local { object, servant } => {
                Inner::Local { object: object.clone(), servant: servant.clone() }
            }
        };
        Self { inner, timeout: self.timeout }
    }
}

impl<I: Interface> fmt::Debug for Proxy<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target().describe_to(f, I::DESCRIPTOR.name)
    }
}

impl<I: Interface> PartialEq for Proxy<I> {
    fn eq(&self, other: &Self) -> bool {
        self.target() == other.target()
    }
}

impl<I: Interface> Eq for Proxy<I> {}

impl<I: Interface> Hash for Proxy<I> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.target().object_id().hash(state);
    }
}

impl<I: Interface> Serialize for Proxy<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        references::serialize_reference(self.into(), serializer)
    }
}

impl<'de, I: Interface> Deserialize<'de> for Proxy<I> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let any = references::deserialize_reference(deserializer)?;
        any.downcast().ok_or_else(|| {
            serde::de::Error::custom(format_args!(
                "the reference is to a `{}`, not to a `{}`",
                any.interface(),
                I::DESCRIPTOR.name
            ))
        })
    }
}
