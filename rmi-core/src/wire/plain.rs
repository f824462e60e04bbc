//! Messages that are whole in one frame, and have neither references nor options: nearly all of them.
//!
//! The same bytes as [`Frame::decode`](super::Frame::decode) reads, looked at where they are.

use super::frame::kind;
use super::limits::Limits;
use super::message::ReplyKind;
use crate::id::{MethodId, ObjectId};

/// What such a frame says before its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// A call.
    Call {
        /// The caller's number for it.
        call: u64,
        /// What is called.
        object: ObjectId,
        /// Which method of it.
        method: MethodId,
    },
    /// The answer to a call.
    Reply {
        /// The call's number.
        call: u64,
        /// What the payload is.
        status: ReplyKind,
    },
}

/// Looks at a frame's kind byte and body, as [`split`](super::split) gives them. Returns where the payload begins; `None`: it is another
/// frame, or one that [`Frame::decode`](super::Frame::decode) has something to say about.
pub fn plain(body: &[u8], limits: &Limits) -> Option<(Plain, usize)> {
    let mut rest = body;
    let head = match take(&mut rest)? {
        [kind::CALL] => {
            let call = varint(&mut rest)?;
            let [0] = take(&mut rest)? else { return None };
            let object = ObjectId::from_bytes(take(&mut rest)?);
            let method = MethodId(u64::from_be_bytes(take(&mut rest)?));
            Plain::Call { call, object, method }
        }
        [kind::REPLY] => {
            let call = varint(&mut rest)?;
            let status = match take(&mut rest)? {
                [0] => ReplyKind::Ok,
                [1] => ReplyKind::Err,
                [2] => ReplyKind::Fault,
                _ => return None,
            };
            Plain::Reply { call, status }
        }
        _ => return None,
    };
    // No options, no table.
    let [0, 0] = take(&mut rest)? else { return None };
    let size = varint(&mut rest)?;
    let fits = size == rest.len() as u64 && size <= u64::from(limits.frame) && size <= limits.message;
    fits.then_some((head, body.len() - rest.len()))
}

/// Looks at the beginning of a frame of `length` bytes, kind byte and body, that is not all here. If it continues a message, returns the number
/// of that message's first frame, and where the payload begins. `None`: it does not, or [`Frame::decode`](super::Frame::decode) will have
/// something to say about it.
pub fn continued(body: &[u8], length: usize, limits: &Limits) -> Option<(u64, usize)> {
    let mut rest = body;
    let [kind::MORE] = take(&mut rest)? else { return None };
    let first = varint(&mut rest)?;
    let at = body.len() - rest.len();
    (at <= length && length - at <= limits.frame as usize).then_some((first, at))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*first)
}

/// Of up to nine bytes in its shortest form.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let [byte] = take(rest)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return (byte > 0 || shift == 0).then_some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests;
