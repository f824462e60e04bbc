//! Bytes in one copy.

use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::super::byte_vec::collect;
use super::*;

/// What a type reads its bytes with: whether that is passed over.
struct Ask;

impl<'de> Deserializer<'de> for Ask {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        collect(visitor, &[1, 2, 3]).map_err(|_| serde::de::Error::custom("one by one"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[test]
fn a_vec_is_one_copy() {
    assert_eq!(Vec::<u8>::deserialize(Ask).unwrap(), [1, 2, 3]);
    assert_eq!(*Box::<[u8]>::deserialize(Ask).unwrap(), [1, 2, 3]);
}

#[test]
fn other_types_are_not_taken_for_it() {
    assert!(Vec::<i8>::deserialize(Ask).is_err());
    assert!(Vec::<Vec<u8>>::deserialize(Ask).is_err());
    assert!(<[u8; 3]>::deserialize(Ask).is_err());
    assert!(std::collections::VecDeque::<u8>::deserialize(Ask).is_err());
    assert!(Backwards::deserialize(Ask).is_err());
}

/// Bytes that are read by a visitor of their own, which also makes a `Vec<u8>`.
#[derive(Debug, PartialEq)]
struct Backwards(Vec<u8>);

impl<'de> Deserialize<'de> for Backwards {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BackwardsVisitor;
        impl<'de> Visitor<'de> for BackwardsVisitor {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    bytes.insert(0, byte);
                }
                Ok(bytes)
            }
        }
        deserializer.deserialize_seq(BackwardsVisitor).map(Backwards)
    }
}

#[test]
fn a_users_visitor_is_asked() {
    assert_eq!(decode::<Backwards>(&[0xc4, 3, 1, 2, 3]).unwrap(), Backwards(vec![3, 2, 1]));
    assert_eq!(decode::<Backwards>(&[0x93, 1, 2, 3]).unwrap(), Backwards(vec![3, 2, 1]));
}

#[test]
fn bytes_deep_in_a_value_come_back() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Deep {
        some: Option<Vec<u8>>,
        many: Vec<(u8, Box<[u8]>)>,
        shared: bytes::Bytes,
    }
    let large: Vec<u8> = (0..70_000_u32).map(|i| i as u8).collect();
    let deep = Deep {
        some: Some(large.clone()),
        many: vec![(1, large.clone().into()), (2, Box::new([]))],
        shared: large.into(),
    };
    same(deep);
}
