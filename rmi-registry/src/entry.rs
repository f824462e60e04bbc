//! What a registry tells about a name.

use std::fmt;

use rmi_core::NodeId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock;

/// The identity of one binding of a name: random, new each time that a name is bound or rebound. It says nothing of
/// the object and gives no right to anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BindingId(Uuid);

impl BindingId {
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for BindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for BindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BindingId({})", self.0)
    }
}

/// A bound name, described: everything but the reference itself, which only a lookup hands out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// The name.
    pub name: String,
    /// What the binder said with [`version`](crate::Bind::version); 0 if it said nothing.
    pub version: u32,
    /// This binding of the name.
    pub id: BindingId,
    /// The interface under which the object was bound. Looking it up as an ancestor works, too.
    pub interface: String,
    /// The node at which the object lives.
    pub owner: NodeId,
    /// Where the owner accepts connections, as far as the registry was told: a node that bound an object of a third
    /// node says nothing of it. Empty, too, for an owner that does not listen.
    pub addresses: Vec<String>,
    /// When the name was bound, in milliseconds since 1970 in UTC, by the registry's clock.
    pub since: u64,
    /// Whether the name stays when its binding is dropped: see [`Binding::keep`](crate::Binding::keep).
    pub kept: bool,
}

impl Entry {
    /// [`since`](Self::since) for people: `2026-11-21T06:30:33Z`.
    pub fn since_utc(&self) -> String {
        clock::utc(self.since)
    }
}
