//! An exported or exportable local object: identity and skeleton in one allocation.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use crate::error::RemoteError;
use crate::id::{MethodId, NodeId, ObjectId};
use crate::invoke::interface::Descriptor;
use crate::invoke::marshal::Incoming;
use crate::invoke::remote::ExportTable;
use crate::invoke::result::Running;

/// The server side of an interface: decodes, calls the servant, encodes. `#[remote] trait X` generates
/// `XSkeleton<T>`.
pub trait Skeleton: Send + Sync + 'static {
    /// The interface under which the object was made.
    fn descriptor(&self) -> &'static Descriptor;
    /// Starts `method`: decodes the arguments and returns the call as a future that owns the servant.
    /// `None`: the interface has no such method.
    fn dispatch(&self, method: MethodId, call: &mut Incoming<'_>) -> Option<Result<Running, RemoteError>>;
    /// See [`Implements::facet`](crate::invoke::Implements::facet).
    fn facet(&self, local: TypeId) -> Option<Box<dyn Any + Send>>;
}

/// A local object. All its local proxies share one, and so do the nodes that export it.
///
/// While it is listed for a peer or a local proxy lives, somebody holds the `Arc`; the table of a node holds a
/// weak handle. When the last `Arc` goes, the tables forget it and the servant is dropped.
pub struct Object<S: ?Sized = dyn Skeleton> {
    id: OnceLock<ObjectId>,
    /// The nodes that export the object: none before its first travel, usually one.
    homes: Mutex<Vec<Weak<dyn ExportTable>>>,
    skeleton: S,
}

impl<S: Skeleton> Object<S> {
    /// A new object: nobody knows it yet.
    pub fn new(skeleton: S) -> Self {
        Self { id: OnceLock::new(), homes: Mutex::new(Vec::new()), skeleton }
    }
}

impl Object {
    /// The object's identity, made when it is first asked for.
    pub fn id(&self) -> ObjectId {
        *self.id.get_or_init(ObjectId::random)
    }

    /// The skeleton.
    pub fn skeleton(&self) -> &dyn Skeleton {
        &self.skeleton
    }

    /// The servant as an interface that it was made with, or an ancestor of that.
    pub(crate) fn facet<L: ?Sized + 'static>(&self) -> Option<Arc<L>> {
        let facet = self.skeleton.facet(TypeId::of::<L>())?;
        facet.downcast::<Arc<L>>().ok().map(|arc| *arc)
    }

    /// Remembers that `table` exports the object. False: it did already.
    pub(crate) fn export_at(&self, table: &Arc<dyn ExportTable>) -> bool {
        let mut homes = self.homes.lock();
        let known = homes.iter().any(|home| std::ptr::addr_eq(home.as_ptr(), Arc::as_ptr(table)));
        if !known {
            homes.reserve_exact(1);
            homes.push(Arc::downgrade(table));
        }
        !known
    }

    /// The first node that exports the object.
    pub(crate) fn home(&self) -> Option<NodeId> {
        self.homes.lock().iter().find_map(|home| home.upgrade()).map(|home| home.node())
    }

    /// Whether this is the object that others know as `object` of `owner`.
    pub(crate) fn is_known_as(&self, owner: NodeId, object: ObjectId) -> bool {
        self.id.get() == Some(&object)
            && self.homes.lock().iter().filter_map(Weak::upgrade).any(|home| home.node() == owner)
    }
}

impl<S: ?Sized> Drop for Object<S> {
    fn drop(&mut self) {
        if let Some(id) = self.id.get() {
            for home in self.homes.get_mut().drain(..) {
                if let Some(home) = home.upgrade() {
                    home.forget(*id);
                }
            }
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({}", self.skeleton.descriptor().name)?;
        if let Some(id) = self.id.get() {
            write!(f, " #{id}")?;
        }
        f.write_str(")")
    }
}
