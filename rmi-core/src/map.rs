//! The hash map of tables that live as long as a session or a node, and hold what its peers hold.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::{Deref, DerefMut};

use foldhash::fast::RandomState;

/// A hash map that is quick with ids and numbers, and that gives memory back once most of what it held is gone and it has room for more
/// than `ROOM` entries.
///
/// Its hash is keyed, anew for each map. Peers choose some keys (the ids of what they give, the numbers of their calls): to choose such as
/// collide, a peer would have to know the hash's key, and it sees neither hashes nor the order of a map: what leaves a node in the
/// order of a map is sorted first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Map<K: Eq + Hash, V, const ROOM: usize = 128>(HashMap<K, V, RandomState>);

impl<K: Eq + Hash, V, const ROOM: usize> Default for Map<K, V, ROOM> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Eq + Hash, V, const ROOM: usize> Map<K, V, ROOM> {
    /// Takes an entry out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let removed = self.0.remove(key);
        // What is left, and as much again, fits into a quarter: so each entry is moved a bounded number of times, however many come and go.
        if self.0.capacity() > ROOM && self.0.len() < self.0.capacity() / 8 {
            self.0.shrink_to(2 * self.0.len());
        }
        removed
    }
}

impl<K: Eq + Hash, V, const ROOM: usize> Deref for Map<K, V, ROOM> {
    type Target = HashMap<K, V, RandomState>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// Entries are taken out by [`Map::remove`] alone.
impl<K: Eq + Hash, V, const ROOM: usize> DerefMut for Map<K, V, ROOM> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<K: Eq + Hash, V, const ROOM: usize> IntoIterator for Map<K, V, ROOM> {
    type Item = (K, V);
    type IntoIter = std::collections::hash_map::IntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_memory_back_and_moves_entries_seldom() {
        let mut map: Map<u64, u64> = Map::default();
        for key in 0..100_000 {
            map.insert(key, key);
        }
        let (mut moved, mut room) = (0, map.capacity());
        for key in 0..99_900 {
            assert_eq!(map.remove(&key), Some(key));
            // Places that were used count as taken until the map is made anew: that is no move.
            moved += usize::from(map.capacity() * 3 / 2 < room);
            room = map.capacity();
        }
        assert!(room <= 896, "room for {room} entries is left");
        assert!((1..10).contains(&moved), "moved {moved} times");
        assert!((99_900..100_000).all(|key| map.get(&key) == Some(&key)));
        assert_eq!(map.remove(&7), None);
    }

    #[test]
    fn is_keyed_anew() {
        let order = || {
            let mut map: Map<u64, ()> = Map::default();
            map.extend((0..64).map(|key| (key, ())));
            map.keys().copied().collect::<Vec<_>>()
        };
        let first = order();
        assert!((0..8).any(|_| order() != first), "each map has the order of the first");
    }
}
