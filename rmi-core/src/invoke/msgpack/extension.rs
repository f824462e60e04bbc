//! Extensions, which serde's model knows as pairs of their type and their bytes.

use std::fmt;

use serde::Serialize;
use serde::de::value::SeqDeserializer;
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde::ser::{Impossible, SerializeTuple, Serializer};

use super::error::{Error, Reason};
use super::{narrow, write};

/// Encodes the pair `value` as an extension.
pub(super) fn encode<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), Error> {
    let mut extension = Extension { out, tag: None, done: false };
    value.serialize(&mut extension)?;
    if extension.done { Ok(()) } else { Err(Reason::Extension.into()) }
}

/// Hands the extension to `visitor` as a pair.
pub(super) fn decode<'de, V: Visitor<'de>>(tag: i8, bytes: &'de [u8], visitor: V) -> Result<V::Value, Error> {
    let pair = [Part::Tag(tag), Part::Bytes(bytes)];
    visitor.visit_newtype_struct(SeqDeserializer::new(pair.into_iter()))
}

/// Takes the pair, and each of its parts.
struct Extension<'a> {
    out: &'a mut Vec<u8>,
    tag: Option<i8>,
    done: bool,
}

impl Serializer for &mut Extension<'_> {
    type Ok = ();
    type Error = Error;
    type SerializeTuple = Self;

    fn serialize_tuple(self, _: usize) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_i8(self, tag: i8) -> Result<(), Error> {
        self.tag = Some(tag);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        match self.tag {
            Some(tag) if !self.done => {
                self.done = true;
                write::extension(self.out, tag, bytes)
            }
            _ => Err(Reason::Extension.into()),
        }
    }

    narrow::refuse! { (), Reason::Extension.into(), serialize_u8(u8) }
    narrow::refuse_others! { (), Reason::Extension.into() }
}

impl SerializeTuple for &mut Extension<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, part: &T) -> Result<(), Error> {
        part.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

/// One part of the pair, to be decoded.
enum Part<'de> {
    Tag(i8),
    Bytes(&'de [u8]),
}

impl<'de> IntoDeserializer<'de, Error> for Part<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Part<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Tag(tag) => visitor.visit_i8(tag),
            Self::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
