//! An encoded message on its way to the session.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

use crate::pool;

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
    Large(Bytes),
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

    /// The bytes as they can be shared, if they are many.
    pub(crate) fn shared(&self) -> Option<&Bytes> {
        match &self.0 {
            Form::Small(_) => None,
            Form::Large(bytes) => Some(bytes),
        }
    }
}

/// What was encoded.
impl From<Vec<u8>> for Payload {
    fn from(encoded: Vec<u8>) -> Self {
        Self(match encoded.len() {
            0..=SMALL => Form::Small(Small(encoded)),
            _ => Form::Large(pool::share(encoded)),
        })
    }
}

/// Shares a large payload, and copies a small one.
impl From<Payload> for Bytes {
    fn from(Payload(form): Payload) -> Self {
        match form {
            Form::Small(small) => Self::copy_from_slice(&small.0),
            Form::Large(bytes) => bytes,
        }
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Form::Small(Small(bytes)) => bytes,
            Form::Large(bytes) => bytes,
        }
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
        let small = Bytes::from(Payload::from(first));
        assert_eq!(small, "small");
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
        let shared = Bytes::from(Payload::from(large));
        assert_eq!((shared.as_ptr(), shared.len()), (at, SMALL + 1));
        let next = Payload::buffer();
        assert_ne!(next.as_ptr(), at);
    }
}
