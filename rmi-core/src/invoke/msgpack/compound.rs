//! Values with parts: what serde asks an encoder for them one after the other.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::encode::Encoder;
use super::error::Error;
use super::probe::byte;
use super::write;

/// The elements of a sequence, or the keys and values of a map.
pub(in crate::invoke) struct Elements<'a> {
    out: &'a mut Vec<u8>,
    /// Where the head goes, and how many there are, if that is not known before the end.
    open: Option<(usize, usize)>,
}

impl<'a> Elements<'a> {
    pub(super) fn begin(
        out: &'a mut Vec<u8>,
        len: Option<usize>,
        head: fn(&mut Vec<u8>, u32),
    ) -> Result<Self, Error> {
        let open = match len {
            Some(len) => {
                head(out, write::size(len)?);
                None
            }
            None => Some((out.len(), 0)),
        };
        Ok(Self { out, open })
    }

    fn next<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        if let Some((_, count)) = &mut self.open {
            *count += 1;
        }
        value.serialize(Encoder::new(self.out))
    }

    fn finish(self, per_entry: usize, head: fn(&mut Vec<u8>, u32)) -> Result<(), Error> {
        if let Some((start, count)) = self.open {
            let elements = self.out.split_off(start);
            head(self.out, write::size(count / per_entry)?);
            self.out.extend_from_slice(&elements);
        }
        Ok(())
    }
}

impl SerializeSeq for Elements<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.next(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish(1, write::array_len)
    }
}

impl SerializeMap for Elements<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Error> {
        self.next(key)
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.next(value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish(2, write::map_len)
    }
}

/// The elements of a tuple, which is what arrays of a fixed size are to serde: bin, if all are bytes and it is not shorter as an array.
pub(in crate::invoke) struct Tuple<'a> {
    out: &'a mut Vec<u8>,
    len: usize,
    so_far: SoFar,
}

/// What the elements of a tuple were.
#[derive(Clone, Copy)]
enum SoFar {
    Nothing,
    /// Written as bin: where that begins, and the first byte.
    Bytes {
        start: usize,
        body: usize,
    },
    /// Written as an array.
    Others,
}

impl<'a> Tuple<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>, len: usize) -> Self {
        Self { out, len, so_far: SoFar::Nothing }
    }
}

impl SerializeTuple for Tuple<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        let byte = match self.so_far {
            SoFar::Others => None,
            _ => byte(value),
        };
        match (self.so_far, byte) {
            (SoFar::Nothing, Some(_)) => {
                let start = self.out.len();
                write::bin_len(self.out, self.len)?;
                self.so_far = SoFar::Bytes { start, body: self.out.len() };
            }
            (SoFar::Nothing, None) => write::array_len(self.out, write::size(self.len)?),
            (SoFar::Bytes { start, body }, None) => unpack(self.out, start, body, self.len)?,
            _ => {}
        }
        match byte {
            Some(byte) => {
                self.out.push(byte);
                Ok(())
            }
            None => {
                self.so_far = SoFar::Others;
                value.serialize(Encoder::new(self.out))
            }
        }
    }

    fn end(self) -> Result<(), Error> {
        match self.so_far {
            SoFar::Nothing => write::array_len(self.out, write::size(self.len)?),
            SoFar::Bytes { start, body }
                if self.len < 16 && self.out.iter().skip(body).all(|byte| *byte < 0x80) =>
            {
                // Each byte is an element as it stands.
                self.out.drain(start + 1..body);
                if let Some(head) = self.out.get_mut(start) {
                    *head = 0x90 | self.len as u8;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Turns what was begun at `start` as bin, with its bytes from `body` on, into an array of `len` elements that begins with them.
pub(super) fn unpack(out: &mut Vec<u8>, start: usize, body: usize, len: usize) -> Result<(), Error> {
    // Behind it, then in its place: without another buffer.
    let end = out.len();
    write::array_len(out, write::size(len)?);
    for at in body..end {
        if let Some(byte) = out.get(at).copied() {
            write::unsigned(out, byte.into());
        }
    }
    out.drain(start..end);
    Ok(())
}

/// The fields of a struct, by name or not.
pub(in crate::invoke) struct Fields<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Fields<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    fn named<T: ?Sized + Serialize>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        write::text(self.out, name)?;
        value.serialize(Encoder::new(self.out))
    }
}

impl SerializeTupleStruct for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(Encoder::new(self.out))
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

impl SerializeTupleVariant for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(Encoder::new(self.out))
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.named(name, value)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

impl SerializeStructVariant for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.named(name, value)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}
