//! Incoming messages in several frames (PROTOCOL 6).

use std::collections::HashMap;

use bytes::Bytes;

use crate::pool;

/// What a message that is not complete takes at least, in bytes, and each of its references.
const ENTRY: u64 = 1024;
const REFERENCE: u64 = 256;

/// How much of that there may be: far more than honest peers, who have few such messages, come to.
const MAX_BESIDE: u64 = 64 * 1024 * 1024;

/// How much room is made for a message before it is there, in bytes.
const MAX_ROOM: u64 = 2 * 1024 * 1024;

/// How many times as much room is made when more is needed.
const GROWTH: u64 = 8;

/// Messages that have begun and are not complete, by the number of their first frame. `M` is what the first frame said, its
/// references among it.
///
/// Memory is taken as payload arrives, and by what a peer claims up to a bound.
#[derive(Debug)]
pub struct Assembly<M> {
    partial: HashMap<u64, Partial<M>>,
    /// The sizes of all of them.
    claimed: u64,
    /// What they take beside.
    beside: u64,
    max_claimed: u64,
}

#[derive(Debug)]
struct Partial<M> {
    message: M,
    size: u64,
    beside: u64,
    payload: Vec<u8>,
}

/// How a peer broke the rules of fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FragmentError {
    /// More for a message that has not begun.
    NotBegun,
    /// More payload than was announced.
    TooMuch,
    /// Over the `partial` limit.
    OverPartial,
}

impl<M> Assembly<M> {
    /// With the `partial` limit that was announced.
    pub fn new(max_claimed: u64) -> Self {
        Self { partial: HashMap::new(), claimed: 0, beside: 0, max_claimed }
    }

    /// The first frame of a message, numbered `first`. Returns the message if it is whole.
    pub fn first(
        &mut self,
        first: u64,
        message: M,
        references: usize,
        size: u64,
        chunk: Bytes,
    ) -> Result<Option<(M, Bytes)>, FragmentError> {
        if chunk.len() as u64 == size {
            return Ok(Some((message, chunk)));
        }
        let beside = ENTRY + REFERENCE.saturating_mul(references as u64);
        let over = self.claimed.saturating_add(size) > self.max_claimed || self.beside + beside > MAX_BESIDE;
        if !self.partial.is_empty() && over {
            return Err(FragmentError::OverPartial);
        }
        self.claimed = self.claimed.saturating_add(size);
        self.beside += beside;
        // What is announced is not there yet: memory that is not written to costs no more than its address, and this much at most.
        let room = usize::try_from(size.min(MAX_ROOM)).unwrap_or(0).max(chunk.len());
        let mut payload = pool::take(room);
        payload.extend_from_slice(&chunk);
        self.partial.insert(first, Partial { message, size, beside, payload });
        Ok(None)
    }

    /// A further frame. Returns the message if it is whole now.
    pub fn more(&mut self, first: u64, chunk: &[u8]) -> Result<Option<(M, Bytes)>, FragmentError> {
        let payload = self.room(first, chunk.len())?;
        payload.extend_from_slice(chunk);
        Ok(self.whole(first))
    }

    /// Where the payload of a further frame goes, so many bytes: behind what is there, not yet more than them.
    pub fn room(&mut self, first: u64, bytes: usize) -> Result<&mut Vec<u8>, FragmentError> {
        let partial = self.partial.get_mut(&first).ok_or(FragmentError::NotBegun)?;
        let all = partial.payload.len() + bytes;
        if all as u64 > partial.size {
            return Err(FragmentError::TooMuch);
        }
        if all > partial.payload.capacity() {
            // By what is there already: a peer that announces much must send much.
            let room = usize::try_from((all as u64 * GROWTH).min(partial.size)).unwrap_or(all);
            match pool::take_kept(room) {
                Some(mut larger) => {
                    larger.extend_from_slice(&partial.payload);
                    drop(pool::share(std::mem::replace(&mut partial.payload, larger)));
                }
                None => partial.payload.reserve_exact(room - partial.payload.len()),
            }
        }
        Ok(&mut partial.payload)
    }

    /// The message, if it is whole: all that [`room`](Self::room) was made for is there.
    pub fn whole(&mut self, first: u64) -> Option<(M, Bytes)> {
        let partial = self.partial.get(&first)?;
        if (partial.payload.len() as u64) < partial.size {
            return None;
        }
        self.remove(first).map(|partial| (partial.message, pool::share(partial.payload)))
    }

    /// The rest will not come. Returns what the first frame said.
    pub fn abort(&mut self, first: u64) -> Result<M, FragmentError> {
        self.remove(first).map(|partial| partial.message).ok_or(FragmentError::NotBegun)
    }

    fn remove(&mut self, first: u64) -> Option<Partial<M>> {
        let partial = self.partial.remove(&first)?;
        self.claimed = self.claimed.saturating_sub(partial.size);
        self.beside -= partial.beside;
        Some(partial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_interleave_and_are_bounded() {
        let mut assembly = Assembly::new(10);
        assert_eq!(
            assembly.first(1, 'a', 0, 20, Bytes::from_static(b"0123456789")),
            Ok(None),
            "one may always begin"
        );
        assert_eq!(assembly.first(2, 'b', 0, 1, Bytes::new()), Err(FragmentError::OverPartial));
        assert_eq!(assembly.first(3, 'c', 0, 3, Bytes::from_static(b"abc")), Ok(Some(('c', "abc".into()))));
        assert_eq!(assembly.more(9, b""), Err(FragmentError::NotBegun));
        assert_eq!(assembly.more(1, &[b'x'; 11]), Err(FragmentError::TooMuch));
        assert_eq!(assembly.more(1, b"abcde"), Ok(None));
        let (message, payload) = assembly.more(1, b"fghij").unwrap().unwrap();
        assert_eq!((message, &payload[..]), ('a', &b"0123456789abcdefghij"[..]));
        assert_eq!(assembly.first(4, 'd', 0, 5, Bytes::new()), Ok(None));
        assert_eq!(assembly.abort(4), Ok('d'));
        assert_eq!(assembly.abort(4), Err(FragmentError::NotBegun));
    }
}
