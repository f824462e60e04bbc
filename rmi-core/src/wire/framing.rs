//! Where a frame begins and ends in a stream of bytes (PROTOCOL 2.2).

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::codec::WireError;

/// Appends the length, which is known at the end, the kind and what `body` writes. `more` bytes are to follow.
pub(super) fn framed(out: &mut BytesMut, kind: u8, more: usize, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_slice(&[0, 0, 0, 0, kind]);
    body(out);
    let length = (out.len() - start - 4 + more) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// How long the frame is, kind byte and body, that begins here and is not all here, after [`split`] found nothing wrong with it.
pub fn announced(buffer: &BytesMut) -> Option<usize> {
    buffer.first_chunk().map(|length| u32::from_be_bytes(*length) as usize)
}

/// Takes the next frame's kind byte and body from what was read, if all of it is there. `max` bounds its length
/// ([`Limits::max_frame_len`](super::Limits::max_frame_len), or [`HANDSHAKE_FRAME_MAX`](super::HANDSHAKE_FRAME_MAX) before that).
///
/// A length that is 0 or over `max` is an error before the bytes arrive. No memory is taken here.
pub fn split(buffer: &mut BytesMut, max: usize) -> Result<Option<Bytes>, WireError> {
    let Some(length) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length);
    if length == 0 {
        return Err(WireError::BadValue("the length of a frame"));
    }
    if length as usize > max {
        return Err(WireError::TooLong { what: "a frame", size: length.into(), limit: max as u64 });
    }
    if buffer.len() - 4 < length as usize {
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(length as usize).freeze()))
}

/// The next frame's kind byte and body, as [`split`] would take it. `None`: it is not all there, or [`split`] will have something to say about it.
pub fn peek(buffer: &BytesMut, max: usize) -> Option<&[u8]> {
    let length = announced(buffer).filter(|length| (1..=max).contains(length))?;
    buffer.get(4..4 + length)
}
