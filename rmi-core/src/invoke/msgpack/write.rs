//! The heads of values, each in its shortest form.

use super::error::{Error, Reason};
use crate::pool;

pub(super) fn unsigned(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => marked(out, 0xcd, (value as u16).to_be_bytes()),
        0x1_0000..=0xffff_ffff => marked(out, 0xce, (value as u32).to_be_bytes()),
        _ => marked(out, 0xcf, value.to_be_bytes()),
    }
}

pub(super) fn signed(out: &mut Vec<u8>, value: i64) {
    match value {
        0.. => unsigned(out, value as u64),
        -0x20..=-1 => out.push(value as u8),
        -0x80..=-0x21 => out.extend_from_slice(&[0xd0, value as u8]),
        -0x8000..=-0x81 => marked(out, 0xd1, (value as i16).to_be_bytes()),
        -0x8000_0000..=-0x8001 => marked(out, 0xd2, (value as i32).to_be_bytes()),
        _ => marked(out, 0xd3, value.to_be_bytes()),
    }
}

/// A marker and the bytes that follow it, in one step.
#[inline]
pub(super) fn marked<const N: usize>(out: &mut Vec<u8>, marker: u8, bytes: [u8; N]) {
    let mut item = [0; 9];
    if let Some((head, rest)) = item.split_first_mut()
        && let Some(rest) = rest.first_chunk_mut()
    {
        *head = marker;
        *rest = bytes;
    }
    out.extend_from_slice(item.get(..=N).unwrap_or_default());
}

/// A text. Short ones, as names of fields are, are the common ones.
pub(super) fn text(out: &mut Vec<u8>, text: &str) -> Result<(), Error> {
    make_room(out, text.len() + 5);
    match size(text.len())? {
        len @ 0..=0x1f => out.push(0xa0 | len as u8),
        len @ 0x20..=0xff => out.extend_from_slice(&[0xd9, len as u8]),
        len @ 0x100..=0xffff => marked(out, 0xda, (len as u16).to_be_bytes()),
        len => marked(out, 0xdb, len.to_be_bytes()),
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Room for more bytes. A large buffer is one that was used before.
fn make_room(out: &mut Vec<u8>, more: usize) {
    if more < pool::WORTH || out.capacity() - out.len() >= more {
        return out.reserve(more);
    }
    let mut larger = pool::take(out.len() + more);
    larger.extend_from_slice(out);
    *out = larger;
}

pub(super) fn bin(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Error> {
    make_room(out, bytes.len() + 5);
    bin_len(out, bytes.len())?;
    out.extend_from_slice(bytes);
    Ok(())
}

pub(in crate::invoke) fn bin_len(out: &mut Vec<u8>, len: usize) -> Result<(), Error> {
    match size(len)? {
        len @ 0..=0xff => out.extend_from_slice(&[0xc4, len as u8]),
        len @ 0x100..=0xffff => marked(out, 0xc5, (len as u16).to_be_bytes()),
        len => marked(out, 0xc6, len.to_be_bytes()),
    }
    Ok(())
}

/// The head of an array.
pub(in crate::invoke) fn array_len(out: &mut Vec<u8>, len: u32) {
    match len {
        0..=0xf => out.push(0x90 | len as u8),
        0x10..=0xffff => marked(out, 0xdc, (len as u16).to_be_bytes()),
        _ => marked(out, 0xdd, len.to_be_bytes()),
    }
}

/// The head of a map, by the number of its entries.
pub(super) fn map_len(out: &mut Vec<u8>, len: u32) {
    match len {
        0..=0xf => out.push(0x80 | len as u8),
        0x10..=0xffff => marked(out, 0xde, (len as u16).to_be_bytes()),
        _ => marked(out, 0xdf, len.to_be_bytes()),
    }
}

pub(super) fn extension(out: &mut Vec<u8>, tag: i8, bytes: &[u8]) -> Result<(), Error> {
    out.reserve(bytes.len() + 6);
    match size(bytes.len())? {
        1 => out.push(0xd4),
        2 => out.push(0xd5),
        4 => out.push(0xd6),
        8 => out.push(0xd7),
        16 => out.push(0xd8),
        len @ 0..=0xff => out.extend_from_slice(&[0xc7, len as u8]),
        len @ 0x100..=0xffff => marked(out, 0xc8, (len as u16).to_be_bytes()),
        len => marked(out, 0xc9, len.to_be_bytes()),
    }
    out.push(tag as u8);
    out.extend_from_slice(bytes);
    Ok(())
}

pub(super) fn size(len: usize) -> Result<u32, Error> {
    u32::try_from(len).map_err(|_| Reason::TooLong(len).into())
}
