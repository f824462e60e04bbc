//! A `Vec<u8>` in one copy.
//!
//! To serde it is a sequence like any other, and is built by one push a byte; so are `Box<[u8]>`, `Arc<[u8]>` and whatever else becomes one from
//! it. Who reads is told by the type of the visitor: only serde's own for `Vec<u8>` is passed over, never one of a user, which
//! may do more than to collect.

use std::any::TypeId;
use std::fmt;

use castaway::cast;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// What `visitor` would make of a sequence of these bytes, if it is the one that collects a `Vec<u8>`.
#[inline]
pub(super) fn collect<'de, V: Visitor<'de>>(visitor: V, bytes: &[u8]) -> Result<V::Value, V> {
    if typeid::of::<V>() != collector() {
        return Err(visitor);
    }
    let mut collected: Option<V::Value> = None;
    if let Ok(slot) = cast!(&mut collected, &mut Option<Vec<u8>>) {
        *slot = Some(bytes.to_vec());
    }
    collected.ok_or(visitor)
}

/// The type of serde's visitor for `Vec<u8>`. It has no public name; it shows itself to whom a `Vec<u8>` is read from. The compiler knows
/// the answer.
#[inline]
fn collector() -> TypeId {
    match Vec::<u8>::deserialize(Witness) {
        Err(Seen(visitor)) => visitor,
        Ok(_) => TypeId::of::<Witness>(),
    }
}

/// Sees by what it is read.
struct Witness;

/// The visitor's type; that of the witness if it was not read as a sequence.
#[derive(Debug)]
struct Seen(TypeId);

impl<'de> Deserializer<'de> for Witness {
    type Error = Seen;

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Seen> {
        Err(Seen(typeid::of::<V>()))
    }

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Seen> {
        Err(Seen(TypeId::of::<Self>()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing is decoded here")
    }
}

impl std::error::Error for Seen {}

impl serde::de::Error for Seen {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(TypeId::of::<Witness>())
    }
}
