//! The next value of a payload, as far as it can be told without serde.

use serde::de::{Expected, Unexpected};

use super::error::{Error, Reason};

/// A value that is all here, or how many values one contains that follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Head<'de> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    F32(f32),
    F64(f64),
    Text(&'de [u8]),
    Bin(&'de [u8]),
    Extension(i8, &'de [u8]),
    Array(u32),
    /// Its entries.
    Map(u32),
}

impl<'de> Head<'de> {
    /// Takes one off `bytes`. No length is believed before what it counts is there.
    #[inline]
    pub(super) fn read(bytes: &mut &'de [u8]) -> Result<Self, Error> {
        // Small numbers and short texts, the names of fields among them, are most of what there is.
        match **bytes {
            [number @ 0x00..=0x7f, ref rest @ ..] => {
                *bytes = rest;
                Ok(Self::Unsigned(number.into()))
            }
            [marker @ 0xa0..=0xbf, ref rest @ ..]
                if let Some((text, rest)) = rest.split_at_checked((marker & 0x1f).into()) =>
            {
                *bytes = rest;
                Ok(Self::Text(text))
            }
            _ => Self::read_any(bytes),
        }
    }

    #[inline(never)]
    fn read_any(bytes: &mut &'de [u8]) -> Result<Self, Error> {
        let [marker] = take(bytes)?;
        Ok(match marker {
            0x00..=0x7f => Self::Unsigned(marker.into()),
            0x80..=0x8f => Self::Map((marker & 0x0f).into()),
            0x90..=0x9f => Self::Array((marker & 0x0f).into()),
            0xa0..=0xbf => Self::Text(slice(bytes, (marker & 0x1f).into())?),
            0xc0 => Self::Nil,
            0xc1 => return Err(Reason::Reserved(marker).into()),
            0xc2 | 0xc3 => Self::Bool(marker == 0xc3),
            0xc4 => Self::Bin(sized::<1>(bytes)?),
            0xc5 => Self::Bin(sized::<2>(bytes)?),
            0xc6 => Self::Bin(sized::<4>(bytes)?),
            0xc7 => extension::<1>(bytes)?,
            0xc8 => extension::<2>(bytes)?,
            0xc9 => extension::<4>(bytes)?,
            0xca => Self::F32(f32::from_be_bytes(take(bytes)?)),
            0xcb => Self::F64(f64::from_be_bytes(take(bytes)?)),
            0xcc => Self::Unsigned(number::<1>(bytes)?.into()),
            0xcd => Self::Unsigned(number::<2>(bytes)?.into()),
            0xce => Self::Unsigned(number::<4>(bytes)?.into()),
            0xcf => Self::Unsigned(u64::from_be_bytes(take(bytes)?)),
            0xd0 => Self::Signed(i8::from_be_bytes(take(bytes)?).into()),
            0xd1 => Self::Signed(i16::from_be_bytes(take(bytes)?).into()),
            0xd2 => Self::Signed(i32::from_be_bytes(take(bytes)?).into()),
            0xd3 => Self::Signed(i64::from_be_bytes(take(bytes)?)),
            0xd4..=0xd8 => extended(bytes, 1 << (marker - 0xd4))?,
            0xd9 => Self::Text(sized::<1>(bytes)?),
            0xda => Self::Text(sized::<2>(bytes)?),
            0xdb => Self::Text(sized::<4>(bytes)?),
            0xdc => Self::Array(number::<2>(bytes)?),
            0xdd => Self::Array(number::<4>(bytes)?),
            0xde => Self::Map(number::<2>(bytes)?),
            0xdf => Self::Map(number::<4>(bytes)?),
            0xe0..=0xff => Self::Signed((marker as i8).into()),
        })
    }

    /// That this is not what the reader wants.
    #[cold]
    pub(super) fn mismatch(self, expected: &dyn Expected) -> Error {
        let found = match self {
            Self::Nil => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(value),
            Self::Unsigned(value) => Unexpected::Unsigned(value),
            Self::Signed(value) => Unexpected::Signed(value),
            Self::F32(value) => Unexpected::Float(value.into()),
            Self::F64(value) => Unexpected::Float(value),
            Self::Text(_) => Unexpected::Other("a text"),
            Self::Bin(_) => Unexpected::Other("bytes"),
            Self::Extension(..) => Unexpected::Other("an extension"),
            Self::Array(_) => Unexpected::Seq,
            Self::Map(_) => Unexpected::Map,
        };
        serde::de::Error::invalid_type(found, expected)
    }
}

/// Takes a number that is not negative off `bytes`, if that is what comes: the most common of all, in registers.
#[inline(never)]
pub(super) fn unsigned(bytes: &mut &[u8]) -> Option<u64> {
    let (value, rest) = match **bytes {
        [value @ 0x00..=0x7f, ref rest @ ..] => (value.into(), rest),
        [0xcc, value, ref rest @ ..] => (value.into(), rest),
        [0xcd, a, b, ref rest @ ..] => (u16::from_be_bytes([a, b]).into(), rest),
        [0xce, a, b, c, d, ref rest @ ..] => (u32::from_be_bytes([a, b, c, d]).into(), rest),
        [0xcf, ref rest @ ..] => {
            let (value, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*value), rest)
        }
        _ => return None,
    };
    *bytes = rest;
    Some(value)
}

#[inline(always)]
fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Error> {
    let (head, rest) = bytes.split_first_chunk().ok_or(Reason::End)?;
    *bytes = rest;
    Ok(*head)
}

#[inline(always)]
fn slice<'de>(bytes: &mut &'de [u8], len: u32) -> Result<&'de [u8], Error> {
    let (head, rest) = bytes.split_at_checked(len as usize).ok_or(Reason::End)?;
    *bytes = rest;
    Ok(head)
}

#[inline(always)]
fn number<const N: usize>(bytes: &mut &[u8]) -> Result<u32, Error> {
    let digits: [u8; N] = take(bytes)?;
    Ok(digits.iter().fold(0, |number, digit| number << 8 | u32::from(*digit)))
}

#[inline(always)]
fn sized<'de, const N: usize>(bytes: &mut &'de [u8]) -> Result<&'de [u8], Error> {
    let len = number::<N>(bytes)?;
    slice(bytes, len)
}

fn extension<'de, const N: usize>(bytes: &mut &'de [u8]) -> Result<Head<'de>, Error> {
    let len = number::<N>(bytes)?;
    extended(bytes, len)
}

fn extended<'de>(bytes: &mut &'de [u8], len: u32) -> Result<Head<'de>, Error> {
    let tag = i8::from_be_bytes(take(bytes)?);
    Ok(Head::Extension(tag, slice(bytes, len)?))
}
