//! The basic encoding (PROTOCOL 1): fixed integers, varints, bytes, strings, ids, options.
//!
//! Invariant: the reader never allocates by a length or a count that the bytes at hand cannot hold.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The most bytes of a text that explains something (Refused, Bye, Unsupported).
pub const TEXT_MAX: usize = 1024;

/// The most bytes of an address.
pub const ADDRESS_MAX: usize = 256;

/// Why bytes are not a frame: a protocol error (PROTOCOL 1.6, 9.1), but for an option of Hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The frame ends inside a field.
    #[error("the frame ends inside a field")]
    Truncated,
    /// The frame goes on after its last field.
    #[error("the frame goes on after its last field")]
    TrailingBytes,
    /// A varint is not in its shortest form, or has more than 64 bits (PROTOCOL 1.2).
    #[error("a varint is not in its shortest form or has more than 64 bits")]
    Overlong,
    /// A string is not UTF-8.
    #[error("a string is not UTF-8")]
    BadUtf8,
    /// The kind is none that a peer may send (PROTOCOL 3.1).
    #[error("frame kind {0} is not allowed")]
    BadKind(u8),
    /// Something is over a limit of this side.
    #[error("{what} of {size} is over the limit of {limit}")]
    TooLong {
        /// What is too long, large or many.
        what: &'static str,
        /// How long it claims to be.
        size: u64,
        /// How long it may be.
        limit: u64,
    },
    /// An index of a reference table is out of its range.
    #[error("the index of {0} is out of its range")]
    BadIndex(&'static str),
    /// A field has a value that it must not have.
    #[error("{0} has a value that is not allowed")]
    BadValue(&'static str),
    /// An option that must be understood is not known: in a Hello, to be refused with code 5, in a Welcome or a Reply a
    /// protocol error (PROTOCOL 1.5).
    #[error("option {0} is not understood")]
    UnsupportedOption(u64),
}

/// Takes fields from the front of a frame's bytes.
pub(super) struct Reader {
    bytes: Bytes,
    /// How many of them were taken.
    at: usize,
}

impl Reader {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `N` bytes.
    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let array =
            self.bytes.get(self.at..).and_then(|rest| rest.first_chunk()).ok_or(WireError::Truncated)?;
        self.at += N;
        Ok(*array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, WireError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn varint(&mut self) -> Result<u64, WireError> {
        let first = self.u8()?;
        if first < 0x80 { Ok(first.into()) } else { self.long_varint(first) }
    }

    fn long_varint(&mut self, first: u8) -> Result<u64, WireError> {
        let mut value = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.u8()?;
            let group = u64::from(byte & 0x7f);
            // The tenth byte has room for the 64th bit alone; a last group of zeros says nothing.
            if (shift == 63 && byte > 1) || byte == 0 {
                return Err(WireError::Overlong);
            }
            value |= group << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::Overlong)
    }

    /// A varint that counts or measures something, at most `max`.
    pub(super) fn length(&mut self, what: &'static str, max: usize) -> Result<usize, WireError> {
        let size = self.varint()?;
        match usize::try_from(size) {
            Ok(length) if length <= max => Ok(length),
            _ => Err(WireError::TooLong { what, size, limit: max as u64 }),
        }
    }

    /// The next `length` bytes, which share the frame's memory.
    pub(super) fn take(&mut self, length: usize) -> Result<Bytes, WireError> {
        if length > self.remaining() {
            return Err(WireError::Truncated);
        }
        self.at += length;
        Ok(self.bytes.slice(self.at - length..self.at))
    }

    pub(super) fn id(&mut self) -> Result<[u8; 16], WireError> {
        self.array()
    }

    pub(super) fn bytes(&mut self, what: &'static str, max: usize) -> Result<Bytes, WireError> {
        let length = self.length(what, max)?;
        self.take(length)
    }

    /// A string of at most `max` bytes, made from the borrowed text: `String` or `Arc<str>`.
    pub(super) fn string<T>(&mut self, what: &'static str, max: usize) -> Result<T, WireError>
    where
        T: for<'a> From<&'a str>,
    {
        self.borrow(what, max, |bytes| {
            std::str::from_utf8(bytes).map(T::from).map_err(|_| WireError::BadUtf8)
        })
    }

    /// At most `max` bytes, looked at where they are.
    pub(super) fn borrow<T>(
        &mut self,
        what: &'static str,
        max: usize,
        look: impl FnOnce(&[u8]) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let length = self.length(what, max)?;
        let seen = look(self.bytes.get(self.at..self.at + length).ok_or(WireError::Truncated)?);
        self.at += length;
        seen
    }

    /// At most `max` addresses (PROTOCOL 1.7).
    pub(super) fn addresses(&mut self, max: usize) -> Result<Vec<String>, WireError> {
        let count = self.length("a list of addresses", max)?;
        self.repeat(count, 1, |reader| reader.string("an address", ADDRESS_MAX))
    }

    /// `count` elements of at least `minimum` bytes each. Memory is taken only if the bytes are there.
    pub(super) fn repeat<T>(
        &mut self,
        count: usize,
        minimum: usize,
        element: impl Fn(&mut Self) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        self.can_hold(count, minimum)?;
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    /// Whether `count` elements of at least `minimum` bytes each can be there: only then memory is taken for them.
    pub(super) fn can_hold(&self, count: usize, minimum: usize) -> Result<(), WireError> {
        if count > self.remaining() / minimum { Err(WireError::Truncated) } else { Ok(()) }
    }

    /// Skips the options of a message that has none in version 1. Returns the first that must be understood (PROTOCOL 1.5).
    pub(super) fn options(&mut self) -> Result<Option<u64>, WireError> {
        self.options_but(|_, _| Ok(false))
    }

    /// Skips the options but those that `known` takes, all of it. Returns the first that must be understood (PROTOCOL 1.5).
    pub(super) fn options_but(
        &mut self,
        mut known: impl FnMut(u64, &mut Self) -> Result<bool, WireError>,
    ) -> Result<Option<u64>, WireError> {
        let length = self.length("options", usize::MAX)?;
        if length == 0 {
            return Ok(None);
        }
        let mut entries = Self::new(self.take(length)?);
        let mut last = None;
        let mut unsupported = None;
        while entries.remaining() > 0 {
            let tag = entries.varint()?;
            if last.is_some_and(|last| tag <= last) {
                return Err(WireError::BadValue("the order of options"));
            }
            last = Some(tag);
            let mut value = Self::new(entries.bytes("an option", usize::MAX)?);
            if known(tag, &mut value)? {
                value.end()?;
            } else if tag % 2 == 1 {
                unsupported = unsupported.or(last);
            }
        }
        Ok(unsupported)
    }

    /// Options of a message that has no answer of its own for what is not understood.
    pub(super) fn options_understood(&mut self) -> Result<(), WireError> {
        self.options()?.map_or(Ok(()), |tag| Err(WireError::UnsupportedOption(tag)))
    }

    /// Whatever is left: the payload.
    pub(super) fn rest(&mut self) -> Bytes {
        let mut rest = std::mem::take(&mut self.bytes);
        rest.advance(std::mem::take(&mut self.at));
        rest
    }

    /// Nothing may be left (PROTOCOL 1.6).
    pub(super) fn end(&self) -> Result<(), WireError> {
        if self.remaining() == 0 { Ok(()) } else { Err(WireError::TrailingBytes) }
    }
}

pub(super) fn put_varint(out: &mut BytesMut, mut value: u64) {
    let mut bytes = [0; 10];
    let mut length = 0;
    while value >= 0x80 {
        bytes[length] = value as u8 | 0x80;
        value >>= 7;
        length += 1;
    }
    bytes[length] = value as u8;
    out.put_slice(&bytes[..=length]);
}

/// How many bytes [`put_varint`] writes.
pub(super) fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

pub(super) fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.put_slice(bytes);
}

/// How many bytes [`put_bytes`] writes for `length` of them.
pub(super) fn bytes_len(length: usize) -> usize {
    varint_len(length as u64) + length
}

/// A text that explains something: what is over [`TEXT_MAX`] is cut off, between two characters.
pub(super) fn put_text(out: &mut BytesMut, text: &str) {
    put_bytes(out, &text.as_bytes()[..text.floor_char_boundary(TEXT_MAX)]);
}

/// The addresses that may be sent: the first `max` of those that are not too long. The others are left out: an
/// address is a hint, and one that nobody can use must not end a session.
pub(super) fn sendable(addresses: &[String], max: usize) -> impl Iterator<Item = &str> + Clone {
    addresses.iter().map(String::as_str).filter(|address| address.len() <= ADDRESS_MAX).take(max)
}

pub(super) fn put_addresses(out: &mut BytesMut, addresses: &[String], max: usize) {
    let addresses = sendable(addresses, max);
    put_varint(out, addresses.clone().count() as u64);
    addresses.for_each(|address| put_bytes(out, address.as_bytes()));
}

/// No options.
pub(super) fn put_no_options(out: &mut BytesMut) {
    out.put_u8(0);
}

/// One option whose value is a varint.
pub(super) fn put_option(out: &mut BytesMut, tag: u64, value: u64) {
    let length = varint_len(value);
    put_varint(out, (varint_len(tag) + bytes_len(length)) as u64);
    put_varint(out, tag);
    put_varint(out, length as u64);
    put_varint(out, value);
}
