//! Finds out whether an element is a byte.

use std::fmt;

use serde::Serialize;
use serde::ser::{Impossible, Serializer};

use super::narrow;

/// The byte that `element` is, if it is a `u8`. What is none is serialized once more, by the encoder.
#[inline]
pub(super) fn byte<T: Serialize + ?Sized>(element: &T) -> Option<u8> {
    element.serialize(Probe).ok()
}

/// Takes a `u8` and nothing else.
struct Probe;

/// It is something else.
#[derive(Debug)]
struct Other;

impl Serializer for Probe {
    type Ok = u8;
    type Error = Other;
    type SerializeTuple = Impossible<u8, Other>;

    #[inline]
    fn serialize_u8(self, byte: u8) -> Result<u8, Other> {
        Ok(byte)
    }

    narrow::refuse! { u8, Other, serialize_i8(i8) serialize_bytes(&[u8]) }
    narrow::refuse! { Impossible<u8, Other>, Other, serialize_tuple(usize) }
    narrow::refuse_others! { u8, Other }
}

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is no byte")
    }
}

impl std::error::Error for Other {}

impl serde::ser::Error for Other {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}
