//! Which calls to one object start in order, and which need not wait for others (PROTOCOL 4.6).
//!
//! A large call is under way for long, and whoever is told nothing of it should not wait for it. But what was called because of it must not start before it. So a
//! call waits for an earlier one to its object if both belong to one strand (a task, a servant's call), or if its strand may have begun because of the
//! earlier one: if it had made no call before.

use std::time::Duration;

use crate::id::ObjectId;
use crate::map::Map;
use crate::session::time::Time;

/// Calls that belong together, as those of one task do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Strand(pub u64);

/// A call as others see it that wait for it, or do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) call: u64,
    pub(super) object: ObjectId,
    pub(super) strand: Strand,
}

/// For so long after a large call strands are remembered.
const MEMORY: Duration = Duration::from_secs(1);

/// How many.
const MAX: usize = 1024;

/// The strands that have made calls since there are large ones.
#[derive(Debug, Default)]
pub(super) struct Strands {
    /// The first call of each.
    known: Map<Strand, u64, MAX>,
    /// They are remembered until then.
    until: Time,
}

impl Strands {
    /// A large call was made.
    pub(super) fn large(&mut self, now: Time) {
        self.forget(now);
        self.until = now + MEMORY;
    }

    /// Gives back the memory of what does not matter any more.
    pub(super) fn forget(&mut self, now: Time) {
        if !self.matter(now) {
            self.known = Map::default();
        }
    }

    /// Whether anybody is remembered at this time.
    pub(super) fn matter(&self, now: Time) -> bool {
        now < self.until
    }

    /// A call is made. What is forgotten for want of room waits once more.
    pub(super) fn made(&mut self, call: u64, strand: Strand) {
        if self.known.len() < MAX {
            self.known.entry(strand).or_insert(call);
        }
    }

    /// Whether a call of this strand to this object waits for an earlier one.
    pub(super) fn waits(&self, object: ObjectId, strand: Strand, earlier: Place) -> bool {
        let knows = || self.known.get(&strand).is_some_and(|first| *first < earlier.call);
        earlier.object == object && (earlier.strand == strand || !knows())
    }
}
