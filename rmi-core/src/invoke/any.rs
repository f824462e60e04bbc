//! A proxy without a type, and what all proxies have in common.

use std::any::{Any, TypeId};
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::RemoteError;
use crate::id::{InterfaceName, NodeId, ObjectId};
use crate::invoke::call;
use crate::invoke::interface::{Interface, InterfaceDescription};
use crate::invoke::object::Object;
use crate::invoke::proxy::Proxy;
use crate::invoke::references;
use crate::invoke::remote::RemoteObject;

/// Where the object of a proxy is.
#[derive(Clone)]
pub(crate) enum Target {
    /// Here.
    Own(Arc<Object>),
    /// At another node.
    Remote(Arc<dyn RemoteObject>),
}

impl Target {
    pub(crate) fn object_id(&self) -> ObjectId {
        match self {
            Self::Own(object) => object.id(),
            Self::Remote(remote) => remote.object(),
        }
    }

    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    pub(crate) fn describe_to(&self, f: &mut fmt::Formatter<'_>, interface: &str) -> fmt::Result {
        match self {
            Self::Own(object) => match object.home() {
                Some(node) => write!(f, "Proxy({interface} #{} at node {node}, local)", object.id()),
                None => write!(f, "Proxy({interface} #{}, local)", object.id()),
            },
            Self::Remote(remote) => {
                write!(f, "Proxy({interface} #{} at node {})", remote.object(), remote.owner())
            }
        }
    }
}

/// Identity: the same object of the same owner.
impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Own(a), Self::Own(b)) => Arc::ptr_eq(a, b),
            (Self::Remote(a), Self::Remote(b)) => a.object() == b.object() && a.owner() == b.owner(),
            (Self::Own(own), Self::Remote(remote)) | (Self::Remote(remote), Self::Own(own)) => {
                own.is_known_as(remote.owner(), remote.object())
            }
        }
    }
}

/// A reference to an object of any interface: what a registry or a container of mixed objects holds.
///
/// It travels like a [`Proxy`]; [`cast`](Self::cast) turns it into one. Equality and hash are those of the object.
#[derive(Clone)]
pub struct AnyProxy {
    pub(crate) target: Target,
    pub(crate) interface: InterfaceName,
    pub(crate) timeout: Option<Duration>,
}

impl AnyProxy {
    pub(crate) fn new(target: Target, interface: InterfaceName) -> Self {
        Self { target, interface, timeout: None }
    }

    /// The name of the interface under which the reference was given. The object may have more: its ancestors,
    /// and those below it if it was upcast on its way.
    pub fn interface(&self) -> &str {
        self.interface.as_str()
    }

    /// Whether the object lives in this process and is called directly.
    pub fn is_local(&self) -> bool {
        self.target.is_local()
    }

    /// The node that owns the object; `None` for a local object that has not travelled yet.
    pub fn owner(&self) -> Option<NodeId> {
        match &self.target {
            Target::Own(object) => object.home(),
            Target::Remote(remote) => Some(remote.owner()),
        }
    }

    /// Where its owner can be dialed, as far as this node knows; empty for a local object.
    pub fn addresses(&self) -> Vec<String> {
        match &self.target {
            Target::Own(_) => Vec::new(),
            Target::Remote(remote) => remote.addresses(),
        }
    }

    /// A short digest of the object's identity, for logs and listings. Not the identity, which is the right to
    /// call the object.
    pub fn digest(&self) -> String {
        self.target.object_id().to_string()
    }

    /// The same reference as a proxy of the interface `J`.
    ///
    /// A local object, and a reference that was given as a `J`, are checked at once; otherwise the owner is asked
    /// which interfaces the object has.
    ///
    /// # Errors
    /// [`RemoteError::WrongInterface`] names both interfaces; any other error is the failure to ask. Dropping the
    /// future gives the question up.
    pub async fn cast<J: Interface>(&self) -> Result<Proxy<J>, RemoteError> {
        match self.downcast() {
            Some(proxy) => Ok(proxy),
            None => {
                let description = self.describe().await?;
                let wanted = J::DESCRIPTOR.name;
                if description.name == wanted || description.ancestors.iter().any(|name| name == wanted) {
                    let other_parameters =
                        format!("{wanted}` with other type parameters than this `{wanted}");
                    Proxy::from_target(self.target.clone(), self.timeout)
                        .ok_or_else(|| self.wrong_interface::<J>(&other_parameters))
                } else {
                    Err(self.wrong_interface::<J>(&description.name))
                }
            }
        }
    }

    /// Resolves when the object is gone or its owner is lost. See [`Proxy::closed`].
    pub async fn closed(&self) -> RemoteError {
        match &self.target {
            Target::Own(_) => std::future::pending().await,
            Target::Remote(remote) => remote.closed().await,
        }
    }

    /// Asks the object which interface it has, with documentation, methods and ancestors.
    ///
    /// # Errors
    /// As for any call; dropping the future gives the question up.
    pub async fn describe(&self) -> Result<InterfaceDescription, RemoteError> {
        match &self.target {
            Target::Own(object) => Ok(object.skeleton().descriptor().describe()),
            Target::Remote(remote) => call::describe(remote.clone(), self.timeout).await,
        }
    }

    /// The proxy, if it is known without asking anybody that the object is a `J`.
    pub(crate) fn downcast<J: Interface>(&self) -> Option<Proxy<J>> {
        let known = self.is_local() || self.interface.as_str() == J::DESCRIPTOR.name;
        if known { Proxy::from_target(self.target.clone(), self.timeout) } else { None }
    }

    fn wrong_interface<J: Interface>(&self, found: &dyn fmt::Display) -> RemoteError {
        RemoteError::WrongInterface { expected: J::DESCRIPTOR.name.to_owned(), found: found.to_string() }
    }
}

impl fmt::Debug for AnyProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.describe_to(f, self.interface.as_str())
    }
}

impl PartialEq for AnyProxy {
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target
    }
}

impl Eq for AnyProxy {}

impl Hash for AnyProxy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.target.object_id().hash(state);
    }
}

impl Serialize for AnyProxy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        references::serialize_reference(self.clone(), serializer)
    }
}

impl<'de> Deserialize<'de> for AnyProxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        references::deserialize_reference(deserializer)
    }
}

impl<I: Interface> From<Proxy<I>> for AnyProxy {
    fn from(proxy: Proxy<I>) -> Self {
        Self::from(&proxy)
    }
}

impl<I: Interface> From<&Proxy<I>> for AnyProxy {
    fn from(proxy: &Proxy<I>) -> Self {
        Self {
            target: proxy.target(),
            interface: InterfaceName::Static(I::DESCRIPTOR.name),
            timeout: proxy.timeout,
        }
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::AnyProxy {}
    impl<I: super::Interface> Sealed for super::Proxy<I> {}
}

/// What can be published, bound and looked up: a [`Proxy`] of any interface, or an [`AnyProxy`].
pub trait Reference: sealed::Sealed + Clone + Send + Sync + 'static {
    /// The reference without its type.
    fn to_any(&self) -> AnyProxy;
    /// The reference with its type; see [`AnyProxy::cast`].
    fn from_any(any: AnyProxy) -> impl Future<Output = Result<Self, RemoteError>> + Send;
}

impl Reference for AnyProxy {
    fn to_any(&self) -> AnyProxy {
        self.clone()
    }

    async fn from_any(any: AnyProxy) -> Result<Self, RemoteError> {
        Ok(any)
    }
}

impl<I: Interface> Reference for Proxy<I> {
    fn to_any(&self) -> AnyProxy {
        self.into()
    }

    async fn from_any(any: AnyProxy) -> Result<Self, RemoteError> {
        any.cast().await
    }
}

// A facet is an `Arc<Local>` in a box; this is what `Object::facet` relies upon.
const _: fn(&Object, TypeId) -> Option<Box<dyn Any + Send>> = |object, id| object.skeleton().facet(id);
