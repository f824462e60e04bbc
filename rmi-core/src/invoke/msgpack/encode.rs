//! Values to bytes.

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::compound::{Elements, Fields, Tuple, unpack};
use super::error::Error;
use super::probe::byte;
use super::{EXTENSION, extension, write};

/// Appends one value to a buffer. After an error the buffer holds a part of it.
pub(in crate::invoke) struct Encoder<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Encoder<'a> {
    pub(in crate::invoke) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    fn array(self, len: usize) -> Result<Fields<'a>, Error> {
        write::array_len(self.out, write::size(len)?);
        Ok(Fields::begin(self.out))
    }

    /// The head of a variant with fields: they follow as one value.
    fn variant(self, name: &'static str) -> Result<Self, Error> {
        write::map_len(self.out, 1);
        write::text(self.out, name)?;
        Ok(self)
    }

    /// A sequence that looks as if its elements were bytes. It is bin if they are.
    fn maybe_bytes<I: Iterator<Item: Serialize>>(self, len: usize, mut items: I) -> Result<(), Error> {
        let Some(first) = items.next() else {
            write::array_len(self.out, 0);
            return Ok(());
        };
        let Some(first_byte) = byte(&first) else {
            write::array_len(self.out, write::size(len)?);
            first.serialize(Encoder::new(self.out))?;
            return items.try_for_each(|item| item.serialize(Encoder::new(self.out)));
        };
        let start = self.out.len();
        self.out.reserve(len + 5);
        write::bin_len(self.out, len)?;
        let body = self.out.len();
        self.out.push(first_byte);
        // For the slice of a `Vec<u8>` the compiler sees that nothing is ever other than a byte, and makes one copy of this.
        let mut others = Vec::new();
        self.out.extend(items.map(|item| match byte(&item) {
            Some(byte) if others.is_empty() => byte,
            _ => {
                others.push(item);
                0
            }
        }));
        if others.is_empty() {
            return Ok(());
        }
        // One that began with bytes, as a sequence of an untagged enum may.
        self.out.truncate(self.out.len() - others.len());
        unpack(self.out, start, body, len)?;
        others.iter().try_for_each(|item| item.serialize(Encoder::new(self.out)))
    }
}

impl<'a> Serializer for Encoder<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Elements<'a>;
    type SerializeMap = Elements<'a>;
    type SerializeTuple = Tuple<'a>;
    type SerializeTupleStruct = Fields<'a>;
    type SerializeTupleVariant = Fields<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.out.push(if value { 0xc3 } else { 0xc2 });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        write::signed(self.out, value);
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        self.serialize_bytes(&value.to_be_bytes())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        write::unsigned(self.out, value);
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<(), Error> {
        self.serialize_bytes(&value.to_be_bytes())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        write::marked(self.out, 0xca, value.to_be_bytes());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        write::marked(self.out, 0xcb, value.to_be_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        write::text(self.out, value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        write::text(self.out, value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        write::bin(self.out, value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.push(0xc0);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        write::array_len(self.out, 0);
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        write::text(self.out, variant)
    }

    fn serialize_newtype_struct<T>(self, name: &'static str, value: &T) -> Result<(), Error>
    where
        T: ?Sized + Serialize,
    {
        if name != EXTENSION {
            return value.serialize(self);
        }
        extension::encode(self.out, value)
    }

    fn serialize_newtype_variant<T>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error>
    where
        T: ?Sized + Serialize,
    {
        value.serialize(self.variant(variant)?)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Elements<'a>, Error> {
        Elements::begin(self.out, len, write::array_len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Tuple<'a>, Error> {
        Ok(Tuple::begin(self.out, len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Fields<'a>, Error> {
        self.array(len)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Fields<'a>, Error> {
        self.variant(variant)?.array(len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Elements<'a>, Error> {
        Elements::begin(self.out, len, write::map_len)
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Fields<'a>, Error> {
        write::map_len(self.out, write::size(len)?);
        Ok(Fields::begin(self.out))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Fields<'a>, Error> {
        self.variant(variant)?.serialize_struct(name, len)
    }

    fn collect_seq<I>(self, items: I) -> Result<(), Error>
    where
        I: IntoIterator<Item: Serialize>,
    {
        let items = items.into_iter();
        let len = match items.size_hint() {
            (low, Some(high)) if low == high => Some(low),
            _ => None,
        };
        match len {
            // Sets and rings of bytes, whose iterators are larger, do not take bin when they are decoded.
            Some(len) if is_like_slice(&items) => self.maybe_bytes(len, items),
            _ => {
                let mut elements = self.serialize_seq(len)?;
                for item in items {
                    elements.serialize_element(&item)?;
                }
                SerializeSeq::end(elements)
            }
        }
    }
}

/// Whether this may be the iterator over a slice of bytes, by its size and that of its elements.
fn is_like_slice<I: Iterator>(_: &I) -> bool {
    let item = size_of::<I::Item>();
    (item == 1 || item == size_of::<&u8>()) && size_of::<I>() <= size_of::<std::slice::Iter<'_, u8>>()
}
