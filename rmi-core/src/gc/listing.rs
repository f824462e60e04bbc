//! The owner's side of a session: which own objects the peer has references to.

use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};

use crate::gc::hash_by_id;
use crate::id::ObjectId;
use crate::map::Map;

/// `listed[object]` of one session, with a handle `O` that keeps the object alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<O> {
    listed: Map<ObjectId, Listed<O>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Listed<O> {
    /// The last frame that carried a reference to the peer; 0 if only the peer's Dirty listed it.
    frame: u64,
    object: O,
}

// A handle is two words wide.
const _: () = assert!(size_of::<(ObjectId, Listed<[usize; 2]>)>() <= 40);

impl<O> Default for Listing<O> {
    fn default() -> Self {
        Self { listed: Map::default() }
    }
}

impl<O> Listing<O> {
    /// How many objects are listed.
    pub fn len(&self) -> usize {
        self.listed.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// A reference leaves in frame `frame` (7.1). Returns the handle that is not needed, if any.
    pub fn sent(&mut self, id: ObjectId, object: O, frame: u64) -> Option<O> {
        match self.listed.entry(id) {
            Entry::Vacant(vacant) => {
                vacant.insert(Listed { frame, object });
                None
            }
            Entry::Occupied(mut occupied) => {
                occupied.get_mut().frame = frame;
                Some(object)
            }
        }
    }

    /// The peer asked for a live object (7.4.1): listed at 0 unless it is listed already.
    pub fn dirty(&mut self, id: ObjectId, object: O) -> Option<O> {
        match self.listed.entry(id) {
            Entry::Vacant(vacant) => {
                vacant.insert(Listed { frame: 0, object });
                None
            }
            Entry::Occupied(_) => Some(object),
        }
    }

    /// The peer dropped its last reference, having received our frames up to `upto` (7.5). A reference that
    /// left later survives.
    pub fn clean(&mut self, id: ObjectId, upto: u64) -> Option<O> {
        self.listed.get(&id).filter(|listed| listed.frame <= upto)?;
        self.listed.remove(&id).map(|listed| listed.object)
    }

    /// The session is over for the peer as a holder.
    pub fn end(&mut self) -> Vec<O> {
        std::mem::take(&mut self.listed).into_iter().map(|(_, listed)| listed.object).collect()
    }

    /// The frame under which an object is listed.
    pub fn frame(&self, id: ObjectId) -> Option<u64> {
        self.listed.get(&id).map(|listed| listed.frame)
    }

    /// The objects listed, in no order.
    pub fn objects(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.listed.keys().copied()
    }
}

impl<O: Hash> Hash for Listing<O> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_by_id(&self.listed, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_sends_again_while_a_clean_is_in_flight() {
        let (mut listing, id) = (Listing::default(), ObjectId::random());
        assert_eq!(listing.sent(id, 'a', 3), None);
        assert_eq!(listing.sent(id, 'b', 5), Some('b'));
        assert_eq!(listing.clean(id, 4), None, "frame 5 was under way when the peer cleaned");
        assert_eq!(listing.clean(id, 5), Some('a'));
        assert!(listing.is_empty());
    }

    #[test]
    fn a_dirty_never_lowers() {
        let (mut listing, id) = (Listing::default(), ObjectId::random());
        listing.sent(id, 'a', 7);
        assert_eq!(listing.dirty(id, 'b'), Some('b'));
        assert_eq!(listing.clean(id, 6), None);
        assert_eq!(listing.end(), vec!['a']);
    }
}
