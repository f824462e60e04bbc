//! Distributed garbage collection: reference listing on sessions (PROTOCOL 7).
//!
//! What it is for: each session has, at its owner's end, a [`Listing`] of the objects its peer has references to,
//! and [`Pins`] for references it passed on; at its holder's end [`Imports`], the objects of the peer that are
//! held here. One file a table. After Birrell, Evers, Nelson, Owicki, Wobber, *Distributed Garbage Collection for
//! Network Objects* (SRC 116, 1993).
//!
//! May use: `id`, `map`. No clock, no lock, no task: handles of objects and imports are type parameters, and what is
//! to be dropped is returned, so that whoever holds the lock can drop it after unlocking.
//!
//! Invariants: a listing is never lowered; at most one Dirty per import entry is under way and the entry is
//! unconfirmed as long; a debt is paid once, and only when confirmed, Gone, or nobody holds the entry.

use std::hash::{Hash, Hasher};

use crate::id::ObjectId;
use crate::map::Map;

mod imports;
mod listing;
mod pins;

pub use imports::{Arrival, Debt, Imports, LostImport, Settled};
pub use listing::Listing;
pub use pins::Pins;

/// Which session of a node, within that node. Never reused.
pub type SessionKey = u64;

/// Hashes what a map holds, whatever its order.
fn hash_by_id<V: Hash, H: Hasher>(map: &Map<ObjectId, V>, state: &mut H) {
    let mut entries: Vec<_> = map.iter().map(|(id, value)| (id.to_bytes(), value)).collect();
    entries.sort_unstable_by_key(|(id, _)| *id);
    entries.hash(state);
}
