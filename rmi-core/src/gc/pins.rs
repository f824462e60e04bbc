//! The introducer's side of a session: references to objects of others that were passed on to the peer.

use std::hash::{Hash, Hasher};

use crate::map::Map;

/// The pins of one session, by transfer number; each keeps an import handle `I` alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pins<I> {
    next: u64,
    pinned: Map<u64, I>,
}

impl<I> Default for Pins<I> {
    fn default() -> Self {
        Self { next: 1, pinned: Map::default() }
    }
}

impl<I> Pins<I> {
    /// How many references are pinned.
    pub fn len(&self) -> usize {
        self.pinned.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.pinned.is_empty()
    }

    /// What is pinned, by transfer number, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &I)> + '_ {
        self.pinned.iter().map(|(transfer, import)| (*transfer, import))
    }

    /// The number that the next pin gets; the ones after it ascend.
    pub fn next_transfer(&self) -> u64 {
        self.next
    }

    /// A reference to an object of another node leaves (7.3).
    pub fn pin(&mut self, import: I) -> u64 {
        let transfer = self.next;
        self.next += 1;
        self.pinned.insert(transfer, import);
        transfer
    }

    /// The peer is registered with the owner, or does not need the reference any more. `None`: no such transfer.
    pub fn unpin(&mut self, transfer: u64) -> Option<I> {
        self.pinned.remove(&transfer)
    }

    /// The session is over for this side as an owner.
    pub fn end(&mut self) -> Vec<I> {
        std::mem::take(&mut self.pinned).into_iter().map(|(_, import)| import).collect()
    }
}

impl<I: Hash> Hash for Pins<I> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut pinned: Vec<_> = self.pinned.iter().collect();
        pinned.sort_unstable_by_key(|(transfer, _)| **transfer);
        (self.next, pinned).hash(state);
    }
}
