//! Identities: nodes, objects, methods, interfaces.
//!
//! Invariants: a [`NodeId`] is new at every start of a node, an [`ObjectId`] is never used for another object,
//! and knowing an `ObjectId` is the right to call it, so nothing prints one.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The identity of a running node: a random UUID, new at every start.
///
/// A restarted process is another node, so nothing of the old one is inherited by accident.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(Uuid);

impl NodeId {
    /// A new, random identity.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The identity as it stands on the wire.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// The identity that stands on the wire as `bytes`.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.0)
    }
}

/// The identity of a remote object: a random UUID, never used for another object.
///
/// Whoever knows it may call the object. It is therefore a secret between those who were given a reference:
/// `Debug` and `Display` show a short digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectId(Uuid);

impl ObjectId {
    /// A new, random identity from the operating system's generator.
    pub fn random() -> Self {
        let unused = UNUSED.with_borrow_mut(Unused::take);
        Self(unused.map_or_else(Uuid::new_v4, |bytes| uuid::Builder::from_random_bytes(bytes).into_uuid()))
    }

    /// The identity as it stands on the wire: the capability itself.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// The identity that stands on the wire as `bytes`.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// 32 bits that tell objects apart in logs and cannot be turned back into the identity.
    pub fn digest(self) -> u32 {
        let hash = fnv1a(FNV_OFFSET, self.0.as_bytes());
        (hash ^ (hash >> 32)) as u32
    }
}

/// How many identities of objects the system is asked for at a time: asking costs more than they do.
const AT_ONCE: usize = 64;

/// Random bytes of the system for the next objects of a thread. What was used is not kept.
///
/// (A process that forks has them twice; so would a generator in it. The nodes that own the objects still differ.)
struct Unused {
    ids: [[u8; 16]; AT_ONCE],
    left: usize,
}

thread_local! {
    static UNUSED: RefCell<Unused> = const { RefCell::new(Unused { ids: [[0; 16]; AT_ONCE], left: 0 }) };
}

impl Unused {
    /// `None`: the system gives nothing.
    fn take(&mut self) -> Option<[u8; 16]> {
        if self.left == 0 {
            getrandom::fill(self.ids.as_flattened_mut()).ok()?;
            self.left = AT_ONCE;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.ids[self.left]))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.digest())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId(#{:08x})", self.digest())
    }
}

/// A method on the wire: 64-bit FNV-1a of `interface/method`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MethodId(pub u64);

impl MethodId {
    /// The identity of `method` of the interface that is named `interface`.
    pub const fn of(interface: &str, method: &str) -> Self {
        let hash = fnv1a(FNV_OFFSET, interface.as_bytes());
        let hash = fnv1a(hash, b"/");
        Self(fnv1a(hash, method.as_bytes()))
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a (Fowler, Noll, Vo; draft-eastlake-fnv), at compile time too.
pub(crate) const fn fnv1a(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(FNV_PRIME);
        i += 1;
    }
    hash
}

/// The name of an interface: static where this program knows the type, shared where a peer sent it.
#[derive(Clone)]
pub enum InterfaceName {
    /// From a descriptor of this program.
    Static(&'static str),
    /// From a peer.
    Shared(Arc<str>),
}

impl InterfaceName {
    /// The name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Static(name) => name,
            Self::Shared(name) => name,
        }
    }
}

impl From<&str> for InterfaceName {
    fn from(name: &str) -> Self {
        Self::Shared(name.into())
    }
}

impl PartialEq for InterfaceName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for InterfaceName {}

impl Hash for InterfaceName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for InterfaceName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_ids_are_fnv1a_64_of_interface_slash_method() {
        // Reference values of the FNV authors for the empty string, "a" and "foobar".
        assert_eq!(fnv1a(FNV_OFFSET, b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(FNV_OFFSET, b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(FNV_OFFSET, b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(MethodId::of("foo", "bar").0, fnv1a(FNV_OFFSET, b"foo/bar"));
    }

    #[test]
    fn identities_of_objects_are_all_different_and_random() {
        let ids: Vec<_> = (0..10 * AT_ONCE).map(|_| ObjectId::random().to_bytes()).collect();
        let elsewhere = std::thread::spawn(|| ObjectId::random().to_bytes()).join().unwrap();
        let different: std::collections::HashSet<_> = ids.iter().chain([&elsewhere]).collect();
        assert_eq!(different.len(), ids.len() + 1);
        assert!(ids.iter().all(|id| Uuid::from_bytes(*id).get_version_num() == 4));
        // Each of the 122 free bits is now this, now that.
        let (all, any) = ids.iter().fold((!0, 0), |(all, any), id| {
            let id = u128::from_be_bytes(*id);
            (all & id, any | id)
        });
        assert_eq!((all ^ any).count_ones(), 122);
    }

    #[test]
    fn nothing_prints_an_object_id() {
        let id = ObjectId::random();
        let whole = Uuid::from_bytes(id.to_bytes());
        for shown in [format!("{id}"), format!("{id:?}")] {
            assert!(!shown.contains(&whole.simple().to_string()[..12]), "{shown}");
            assert!(!shown.contains(&whole.to_string()), "{shown}");
        }
    }
}
