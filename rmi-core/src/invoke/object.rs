//! An exported or exportable local object: identity and skeleton in one allocation.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, Weak};

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
pub type Object = dyn LocalObject;

/// What an [`Object`] can do, whatever its skeleton is.
///
/// A trait rather than a struct with an unsized field, so that lints for keys of maps do not look into it: a proxy's
/// hash and equality never change.
pub trait LocalObject: Send + Sync {
    /// The object's identity, made when it is first asked for.
    fn id(&self) -> ObjectId;
    /// The skeleton.
    fn skeleton(&self) -> &dyn Skeleton;
    /// What all objects have.
    #[doc(hidden)]
    fn identity(&self) -> &Identity;
}

/// The identity of a local object, and who knows it.
#[derive(Default)]
pub struct Identity(Mutex<Known>);

/// Every object has one: it is kept small.
#[derive(Default)]
struct Known {
    /// Zero until it is asked for: no random id is.
    id: [u8; 16],
    homes: Homes,
}

// Beside it an object has its skeleton, mostly one word, and two words for its `Arc`.
const _: () = assert!(size_of::<Identity>() <= 48);

/// The nodes that export an object.
#[derive(Default)]
enum Homes {
    /// It has not travelled yet.
    #[default]
    None,
    /// As usual.
    One(Weak<dyn ExportTable>),
    Several(Vec<Weak<dyn ExportTable>>),
}

impl Known {
    fn id(&mut self) -> ObjectId {
        if self.id == [0; 16] {
            self.id = ObjectId::random().to_bytes();
        }
        ObjectId::from_bytes(self.id)
    }
}

impl Homes {
    fn as_slice(&self) -> &[Weak<dyn ExportTable>] {
        match self {
            Self::None => &[],
            Self::One(home) => std::slice::from_ref(home),
            Self::Several(homes) => homes,
        }
    }

    fn push(&mut self, table: &Arc<dyn ExportTable>) {
        let home = Arc::downgrade(table);
        *self = match std::mem::take(self) {
            Self::None => Self::One(home),
            Self::One(first) => Self::Several(vec![first, home]),
            Self::Several(mut homes) => {
                homes.push(home);
                Self::Several(homes)
            }
        };
    }
}

struct Skeletal<S> {
    // First: the tables forget the object before its servant is dropped.
    identity: Identity,
    skeleton: S,
}

impl<S: Skeleton> LocalObject for Skeletal<S> {
    fn id(&self) -> ObjectId {
        self.identity.0.lock().id()
    }

    fn skeleton(&self) -> &dyn Skeleton {
        &self.skeleton
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl dyn LocalObject {
    /// A new object: nobody knows it yet.
    pub(crate) fn new(skeleton: impl Skeleton) -> Arc<Self> {
        Arc::new(Skeletal { identity: Identity::default(), skeleton })
    }

    /// The servant as an interface that it was made with, or an ancestor of that.
    pub(crate) fn facet<L: ?Sized + 'static>(&self) -> Option<Arc<L>> {
        let facet = self.skeleton().facet(TypeId::of::<L>())?;
        facet.downcast::<Arc<L>>().ok().map(|arc| *arc)
    }

    /// Remembers that `table` exports the object; `insert` puts it there, once, before anybody else can send it. Returns its id.
    pub(crate) fn export_at(&self, table: &Arc<dyn ExportTable>, insert: impl FnOnce(ObjectId)) -> ObjectId {
        let mut known = self.identity().0.lock();
        let id = known.id();
        let is_it = |home: &Weak<dyn ExportTable>| std::ptr::addr_eq(home.as_ptr(), Arc::as_ptr(table));
        if !known.homes.as_slice().iter().any(is_it) {
            known.homes.push(table);
            insert(id);
        }
        id
    }

    /// The first node that exports the object.
    pub(crate) fn home(&self) -> Option<NodeId> {
        self.identity().0.lock().homes.as_slice().iter().find_map(Weak::upgrade).map(|home| home.node())
    }

    /// Whether this is the object that others know as `object` of `owner`.
    pub(crate) fn is_known_as(&self, owner: NodeId, object: ObjectId) -> bool {
        let known = self.identity().0.lock();
        known.id == object.to_bytes()
            && known.homes.as_slice().iter().filter_map(Weak::upgrade).any(|home| home.node() == owner)
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        let Known { id, homes } = self.0.get_mut();
        for home in homes.as_slice().iter().filter_map(Weak::upgrade) {
            home.forget(ObjectId::from_bytes(*id));
        }
    }
}

impl fmt::Debug for dyn LocalObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({}", self.skeleton().descriptor().name)?;
        let id = self.identity().0.lock().id;
        if id != [0; 16] {
            write!(f, " #{}", ObjectId::from_bytes(id))?;
        }
        f.write_str(")")
    }
}
