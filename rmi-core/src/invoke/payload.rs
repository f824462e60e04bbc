//! An encoded message on its way to the session.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

use crate::pool;
use crate::rope::Rope;

/// How many bytes a message has at most for which a buffer is used again, rather than handed on.
const SMALL: usize = 4096;

/// How many bytes a new buffer has room for.
const ROOM: usize = 256;

thread_local! {
    /// The buffer of the last small message that was encoded on this thread.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The arguments or the result of a call, encoded.
///
/// A small one is to be copied to where it goes; its buffer serves the next message of the thread that drops it. A large one can be shared.
#[derive(Clone)]
pub struct Payload(Form);

#[derive(Clone)]
enum Form {
    Small(Small),
    Large(Rope),
}

/// A buffer, given back when it is dropped.
#[derive(Clone)]
struct Small(Vec<u8>);

impl Payload {
    /// An empty buffer to encode into.
    pub(super) fn buffer() -> Vec<u8> {
        let mut buffer = SPARE.try_with(Cell::take).unwrap_or_default();
        if buffer.capacity() == 0 {
            buffer.reserve(ROOM);
        }
        buffer
    }

    /// What was encoded, but for `apart`, whose parts stand before the bytes with these indices.
    pub(super) fn with(encoded: Vec<u8>, apart: Vec<(usize, Bytes)>) -> Self {
        if apart.is_empty() {
            return encoded.into();
        }
        let (mut rope, mut rest, mut at) = (Rope::default(), Bytes::from(encoded), 0);
        for (before, bytes) in apart {
            rope.push(rest.split_to(before - at));
            rope.push(bytes);
            at = before;
        }
        rope.push(rest);
        Self(Form::Large(rope))
    }

    /// As it can be copied, if it is small, or shared.
    pub(crate) fn form(&self) -> Result<&[u8], &Rope> {
        match &self.0 {
            Form::Small(Small(bytes)) => Ok(bytes),
            Form::Large(rope) => Err(rope),
        }
    }

    fn len(&self) -> usize {
        self.form().map_or_else(Rope::len, <[u8]>::len)
    }
}

/// The encoded answer to a call, on its way to who waits for it. A few bytes are copied: whoever waits may be on another thread, and shares
/// nothing with the reader's then.
#[derive(Debug)]
pub struct Contents(Held);

#[derive(Debug)]
enum Held {
    Few { len: u8, bytes: [u8; FEW] },
    Many(Bytes),
}

/// How many bytes are a few: as many as find room in what it takes to share more, 23 on most machines.
const FEW: usize = size_of::<Bytes>() - 9;

const _: () = assert!(size_of::<Contents>() <= size_of::<Bytes>());

impl Contents {
    /// A copy, if these are few bytes.
    pub(crate) fn few(all: &[u8]) -> Option<Self> {
        let mut bytes = [0; FEW];
        bytes.get_mut(..all.len())?.copy_from_slice(all);
        Some(Self(Held::Few { len: all.len() as u8, bytes }))
    }

    /// The bytes as they can be shared, if they are many.
    pub(super) fn shared(&self) -> Option<&Bytes> {
        match &self.0 {
            Held::Few { .. } => None,
            Held::Many(bytes) => Some(bytes),
        }
    }
}

impl From<Bytes> for Contents {
    fn from(bytes: Bytes) -> Self {
        Self::few(&bytes).unwrap_or(Self(Held::Many(bytes)))
    }
}

impl Deref for Contents {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Held::Few { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Held::Many(bytes) => bytes,
        }
    }
}

/// What was encoded.
impl From<Vec<u8>> for Payload {
    fn from(encoded: Vec<u8>) -> Self {
        Self(match encoded.len() {
            0..=SMALL => Form::Small(Small(encoded)),
            _ => Form::Large(pool::share(encoded).into()),
        })
    }
}

/// Shares a large payload, and copies a small one.
impl From<Payload> for Rope {
    fn from(Payload(form): Payload) -> Self {
        match form {
            Form::Small(small) => Bytes::copy_from_slice(&small.0).into(),
            Form::Large(rope) => rope,
        }
    }
}

/// In one piece.
impl From<Payload> for Bytes {
    fn from(payload: Payload) -> Self {
        Rope::from(payload).concat()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        if buffer.capacity() <= 2 * SMALL {
            buffer.clear();
            // Without effect where the thread ends.
            let _ = SPARE.try_with(|spare| spare.set(buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_serves_again() {
        let mut first = Payload::buffer();
        first.extend_from_slice(b"small");
        let at = first.as_ptr();
        let small = Rope::from(Payload::from(first));
        assert_eq!(small.iter().collect::<Vec<_>>(), ["small"]);
        let second = Payload::buffer();
        assert_eq!((second.as_ptr(), second.len()), (at, 0));
        let third = Payload::buffer();
        assert_ne!(third.as_ptr(), at, "it is in use");
    }

    #[test]
    fn a_large_one_is_handed_on() {
        let mut large = Payload::buffer();
        large.resize(SMALL + 1, 7);
        let at = large.as_ptr();
        let shared = Rope::from(Payload::from(large));
        assert_eq!((shared.iter().next().unwrap().as_ptr(), shared.len()), (at, SMALL + 1));
        let next = Payload::buffer();
        assert_ne!(next.as_ptr(), at);
    }
}
