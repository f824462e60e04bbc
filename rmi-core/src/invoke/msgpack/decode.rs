//! Bytes to values.

use serde::de::value::SeqDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::error::{Error, Reason};
use super::head::{self, Head};
use super::variant::{UnitVariant, Variant};
use super::{EXTENSION, MAX_DEPTH, byte_vec, extension};

/// Decodes values one after the other.
#[derive(Debug)]
pub(in crate::invoke) struct Decoder<'de> {
    rest: &'de [u8],
    /// How many more arrays and maps may be open at a time.
    levels: usize,
    /// How many more options may be, around them and within: they take no bytes.
    options: usize,
}

impl<'de> Decoder<'de> {
    /// For the values in `bytes`.
    pub(in crate::invoke) fn new(bytes: &'de [u8]) -> Self {
        Self { rest: bytes, levels: MAX_DEPTH, options: MAX_DEPTH }
    }

    /// Enters an array, which its owner leaves unfinished if it likes: how many elements it has.
    pub(in crate::invoke) fn enter_array(&mut self) -> Option<u32> {
        match Head::read(&mut self.rest) {
            Ok(Head::Array(len)) => {
                self.levels -= 1;
                Some(len)
            }
            _ => None,
        }
    }

    /// The next value, if it is bin of that many bytes at least; otherwise it is still there.
    pub(in crate::invoke) fn bin_of(&mut self, at_least: usize) -> Option<&'de [u8]> {
        let mut rest = self.rest;
        match Head::read(&mut rest) {
            Ok(Head::Bin(bytes)) if bytes.len() >= at_least => {
                self.rest = rest;
                Some(bytes)
            }
            _ => None,
        }
    }

    /// Reads what is inside of an array, a map or a variant.
    #[inline]
    fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        self.levels = self.levels.checked_sub(1).ok_or(Reason::Depth)?;
        let value = read(self);
        self.levels += 1;
        value
    }

    /// Reads an array or map of `len` elements or entries, all of them.
    #[inline]
    fn elements<T>(
        &mut self,
        len: u32,
        read: impl FnOnce(&mut Elements<'_, 'de>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let all = |decoder: &mut Self| {
            let mut elements = Elements { decoder, left: len };
            let value = read(&mut elements)?;
            match elements.left {
                0 => Ok(value),
                left => Err(Reason::Elements { whole: len, read: len - left }.into()),
            }
        };
        // What is empty is not entered.
        if len == 0 { all(self) } else { self.within(all) }
    }

    /// The value that begins with `head`, as what it is.
    fn value<V: Visitor<'de>>(&mut self, head: Head<'de>, visitor: V) -> Result<V::Value, Error> {
        match head {
            Head::Nil => visitor.visit_unit(),
            Head::Bool(value) => visitor.visit_bool(value),
            Head::Unsigned(value) => visitor.visit_u64(value),
            Head::Signed(value) => visitor.visit_i64(value),
            Head::F32(value) => visitor.visit_f32(value),
            Head::F64(value) => visitor.visit_f64(value),
            Head::Text(bytes) => text(bytes, visitor),
            Head::Bin(bytes) => visitor.visit_borrowed_bytes(bytes),
            Head::Extension(tag, bytes) => extension::decode(tag, bytes, visitor),
            Head::Array(len) => self.elements(len, |elements| visitor.visit_seq(elements)),
            Head::Map(len) => self.elements(len, |entries| visitor.visit_map(entries)),
        }
    }

    /// A sequence, which may be bin, or the fields of a struct.
    pub(super) fn sequence<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        match Head::read(&mut self.rest)? {
            Head::Bin(bytes) => byte_vec::collect(visitor, bytes).or_else(|visitor| {
                let mut elements = SeqDeserializer::<_, Error>::new(bytes.iter().copied());
                let value = visitor.visit_seq(&mut elements)?;
                elements.end()?;
                Ok(value)
            }),
            head => self.value(head, visitor),
        }
    }

    /// What a variant without fields has in the place of them.
    pub(super) fn nil(&mut self) -> Result<(), Error> {
        match Head::read(&mut self.rest)? {
            Head::Nil => Ok(()),
            other => Err(other.mismatch(&"nil for a variant without fields")),
        }
    }

    /// A number, or another value without length, which the visitor may take for one.
    fn scalar<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        if let Some(value) = head::unsigned(&mut self.rest) {
            return visitor.visit_u64(value);
        }
        match Head::read(&mut self.rest)? {
            Head::Unsigned(value) => visitor.visit_u64(value),
            Head::Signed(value) => visitor.visit_i64(value),
            Head::F64(value) => visitor.visit_f64(value),
            Head::F32(value) => visitor.visit_f32(value),
            Head::Bool(value) => visitor.visit_bool(value),
            Head::Nil => visitor.visit_unit(),
            other => Err(other.mismatch(&visitor)),
        }
    }
}

fn text<'de, V: Visitor<'de>>(bytes: &'de [u8], visitor: V) -> Result<V::Value, Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => visitor.visit_borrowed_str(text),
        // There are peers that have bytes in texts.
        Err(_) => visitor.visit_borrowed_bytes(bytes).map_err(|_: Error| Reason::Text.into()),
    }
}

macro_rules! scalars {
    ($($method:ident)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
                self.scalar(visitor)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = Error;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let head = Head::read(&mut self.rest)?;
        self.value(head, visitor)
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit map identifier ignored_any
    }

    scalars! {
        deserialize_bool
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match Head::read(&mut self.rest)? {
            Head::Bin(bytes) if let Ok(bytes) = bytes.try_into() => {
                visitor.visit_i128(i128::from_be_bytes(bytes))
            }
            head => self.value(head, visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match Head::read(&mut self.rest)? {
            Head::Bin(bytes) if let Ok(bytes) = bytes.try_into() => {
                visitor.visit_u128(u128::from_be_bytes(bytes))
            }
            head => self.value(head, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let [0xc0, rest @ ..] = self.rest {
            self.rest = rest;
            return visitor.visit_none();
        }
        // A type that is nothing but an option of itself would go on for ever with the same value.
        self.options = self.options.checked_sub(1).ok_or(Reason::Depth)?;
        let value = visitor.visit_some(&mut *self);
        self.options += 1;
        value
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &str, visitor: V) -> Result<V::Value, Error> {
        match self.rest {
            [0xc0 | 0x90, rest @ ..] => {
                self.rest = rest;
                visitor.visit_unit()
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value, Error> {
        if name != EXTENSION {
            return visitor.visit_newtype_struct(self);
        }
        match Head::read(&mut self.rest)? {
            Head::Extension(tag, bytes) => extension::decode(tag, bytes, visitor),
            other => Err(other.mismatch(&visitor)),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.sequence(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.sequence(visitor)
    }

    fn deserialize_tuple_struct<V>(self, _: &str, _: usize, visitor: V) -> Result<V::Value, Error>
    where
        V: Visitor<'de>,
    {
        self.sequence(visitor)
    }

    fn deserialize_struct<V>(self, _: &str, _: &[&str], visitor: V) -> Result<V::Value, Error>
    where
        V: Visitor<'de>,
    {
        self.sequence(visitor)
    }

    fn deserialize_enum<V>(self, _: &str, _: &[&str], visitor: V) -> Result<V::Value, Error>
    where
        V: Visitor<'de>,
    {
        let mut rest = self.rest;
        match Head::read(&mut rest)? {
            Head::Map(1) => {
                self.rest = rest;
                self.within(|decoder| visitor.visit_enum(Variant { decoder }))
            }
            Head::Map(entries) => Err(Reason::Variant(entries).into()),
            // Its name alone.
            _ => visitor.visit_enum(UnitVariant { decoder: self }),
        }
    }
}

/// The elements of an array, or the entries of a map, that were not decoded yet.
struct Elements<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: u32,
}

impl Elements<'_, '_> {
    /// How many there will be. Each takes a byte at least, whatever a peer says.
    fn hint(&self) -> usize {
        self.decoder.rest.len().min(self.left as usize)
    }
}

impl<'de> SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}

impl<'de> MapAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(&mut *self.decoder)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}
