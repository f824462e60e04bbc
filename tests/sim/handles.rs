//! What the sessions of a simulated node keep. It mirrors `node/live.rs` and `node/import.rs` of the real one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::rc::{Rc, Weak};

use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::Handles;
use rmi_core::{NodeId, ObjectId};

/// See [`Handles`].
#[derive(Debug)]
pub struct Sim;

impl Handles for Sim {
    type Object = Rc<Object>;
    type Import = Rc<Import>;
    type Pin = Pin;
    type Weak = Weak<Import>;
    type Caller = Rc<Caller>;

    fn share(weak: &Weak<Import>) -> Option<Rc<Import>> {
        weak.upgrade()
    }

    fn is_alive(weak: &Weak<Import>) -> bool {
        weak.strong_count() > 0
    }

    fn is_waiting(caller: &Rc<Caller>) -> bool {
        caller.waiting.get()
    }
}

/// The objects whose drop was observed.
pub type Collected = Rc<RefCell<BTreeSet<[u8; 16]>>>;

/// An owner's object; its drop is what collection is about.
pub struct Object {
    pub id: ObjectId,
    /// Which object it really is, whatever its id says.
    pub serial: u64,
    pub collected: Collected,
}

impl Drop for Object {
    fn drop(&mut self) {
        self.collected.borrow_mut().insert(self.id.to_bytes());
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "o{}", self.serial)
    }
}

/// How an object is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Link(SessionKey),
    Lost,
    Gone,
}

/// Handles that were dropped: `Drop` only queues, the writer sends.
pub type Notices = Rc<RefCell<Vec<(SessionKey, ObjectId)>>>;

/// The handle of an import entry, shared by proxies and pins.
pub struct Import {
    /// The node that holds it.
    pub node: usize,
    pub owner: NodeId,
    pub object: ObjectId,
    /// Where the owner can be dialed.
    pub addresses: Rc<[String]>,
    pub way: Cell<Way>,
    /// How many references to it were passed on and are not confirmed.
    pub pins: Cell<u32>,
    pub notices: Notices,
}

impl Drop for Import {
    fn drop(&mut self) {
        if let Way::Link(link) = self.way.get() {
            self.notices.borrow_mut().push((link, self.object));
        }
    }
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Import({} at n{}, {:?})", self.object, self.node, self.way.get())
    }
}

/// A reference that was passed on.
#[derive(Debug)]
pub struct Pin(pub Rc<Pinned>);

/// What a pin keeps; a planted bug may take it away.
#[derive(Debug)]
pub struct Pinned {
    keeps: RefCell<Option<Rc<Import>>>,
    pub import: Weak<Import>,
}

impl Pin {
    pub fn new(import: &Rc<Import>) -> Self {
        import.pins.set(import.pins.get() + 1);
        Self(Rc::new(Pinned { keeps: RefCell::new(Some(import.clone())), import: Rc::downgrade(import) }))
    }
}

impl Pinned {
    /// What the end of the pin does.
    pub fn release(&self) {
        let kept = self.keeps.borrow_mut().take();
        if let Some(import) = kept {
            import.pins.set(import.pins.get() - 1);
        }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Who waits for the answer to a call.
pub struct Caller {
    /// The number of the call in the world's book.
    pub call: u64,
    pub waiting: Cell<bool>,
    /// The proxy is borrowed as long as somebody waits.
    pub proxy: RefCell<Option<Rc<Import>>>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}", self.call)
    }
}

/// What an application holds.
#[derive(Debug, Clone)]
pub enum Proxy {
    Own(Rc<Object>),
    Remote(Rc<Import>),
}

impl Proxy {
    pub fn object(&self) -> ObjectId {
        match self {
            Self::Own(object) => object.id,
            Self::Remote(import) => import.object,
        }
    }
}
