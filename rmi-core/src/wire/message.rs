//! The frames that carry payloads: Call, Reply, More (PROTOCOL 3, 6).

use bytes::{BufMut, Bytes, BytesMut};

use super::codec::{Reader, WireError, put_bytes, put_no_options, put_option, put_varint};
use super::frame::{kind, object};
use super::framing::framed;
use super::limits::Limits;
use super::table::Table;
use crate::id::{MethodId, ObjectId};

/// The option of a Call that says how many milliseconds are left (PROTOCOL 4.11).
const LEFT: u64 = 2;

/// A call, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The caller's number for it.
    pub call: u64,
    /// What is called.
    pub target: Target,
    /// Which method of it.
    pub method: MethodId,
    /// How many milliseconds the caller still waited when this was encoded, if it does not wait for ever (PROTOCOL 4.11).
    pub left_ms: Option<u64>,
    /// An option that must be understood and is not (PROTOCOL 3.4). Set by decoding; not encoded.
    pub unsupported: Option<u64>,
    /// The references in the payload. Applied also if the call cannot be executed (PROTOCOL 5.3).
    pub table: Table,
    /// Bytes of the whole payload.
    pub size: u64,
    /// The payload's first bytes, at most `size`; the rest comes in More frames.
    pub chunk: Bytes,
}

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// An object of the receiver.
    Object(ObjectId),
    /// A target tag other than 0. Its value is dropped; the call is answered as unsupported (PROTOCOL 3.4).
    Unknown(u8),
}

/// The answer to a Root or a Call, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The number of the Root or Call.
    pub call: u64,
    /// What the payload is.
    pub status: ReplyKind,
    /// The references in the payload.
    pub table: Table,
    /// Bytes of the whole payload.
    pub size: u64,
    /// The payload's first bytes, at most `size`; the rest comes in More frames.
    pub chunk: Bytes,
}

/// What the payload of a Reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// The method's `Ok` value.
    Ok = 0,
    /// The method's `Err` value.
    Err = 1,
    /// The call failed outside of the method.
    Fault = 2,
}

impl Call {
    /// All but the chunk.
    pub(super) fn encode_head(&self, out: &mut BytesMut) {
        call_head(out, self.call, self.target, self.method, self.left_ms, Some(&self.table), self.size);
    }

    pub(super) fn decode(reader: &mut Reader, limits: &Limits) -> Result<Self, WireError> {
        let call = reader.varint()?;
        let target = match reader.u8()? {
            0 => Target::Object(object(reader)?),
            tag => {
                reader.bytes("a target", usize::MAX)?;
                Target::Unknown(tag)
            }
        };
        let method = MethodId(reader.u64()?);
        let mut left_ms = None;
        let unsupported = reader.options_but(|tag, value| {
            if tag == LEFT {
                left_ms = Some(value.varint()?);
            }
            Ok(tag == LEFT)
        })?;
        let table = Table::decode(reader, limits)?;
        let (size, chunk) = payload(reader, limits)?;
        Ok(Self { call, target, method, left_ms, unsupported, table, size, chunk })
    }
}

impl Reply {
    /// All but the chunk.
    pub(super) fn encode_head(&self, out: &mut BytesMut) {
        reply_head(out, self.call, self.status, Some(&self.table), self.size);
    }

    pub(super) fn decode(reader: &mut Reader, limits: &Limits) -> Result<Self, WireError> {
        let call = reader.varint()?;
        let status = match reader.u8()? {
            0 => ReplyKind::Ok,
            1 => ReplyKind::Err,
            2 => ReplyKind::Fault,
            _ => return Err(WireError::BadValue("the status of a reply")),
        };
        reader.options_understood()?;
        let table = Table::decode(reader, limits)?;
        let (size, chunk) = payload(reader, limits)?;
        Ok(Self { call, status, table, size, chunk })
    }
}

fn payload(reader: &mut Reader, limits: &Limits) -> Result<(u64, Bytes), WireError> {
    let size = reader.varint()?;
    if size > limits.message {
        return Err(WireError::TooLong { what: "a message", size, limit: limits.message });
    }
    let chunk = chunk(reader, limits)?;
    // PROTOCOL 6.1
    if chunk.len() as u64 > size {
        Err(WireError::BadValue("the size of a message"))
    } else {
        Ok((size, chunk))
    }
}

pub(super) fn chunk(reader: &mut Reader, limits: &Limits) -> Result<Bytes, WireError> {
    let chunk = reader.rest();
    let (size, limit) = (chunk.len() as u64, u64::from(limits.frame));
    if size > limit {
        Err(WireError::TooLong { what: "the payload of a frame", size, limit })
    } else {
        Ok(chunk)
    }
}

fn call_head(
    out: &mut BytesMut,
    call: u64,
    target: Target,
    method: MethodId,
    left_ms: Option<u64>,
    table: Option<&Table>,
    size: u64,
) {
    put_varint(out, call);
    match target {
        Target::Object(object) => {
            let mut fields = [0; 25];
            fields[1..17].copy_from_slice(&object.to_bytes());
            fields[17..].copy_from_slice(&method.0.to_be_bytes());
            out.put_slice(&fields);
        }
        Target::Unknown(tag) => {
            out.put_u8(tag);
            put_bytes(out, &[]);
            out.put_u64(method.0);
        }
    }
    match left_ms {
        Some(left) => put_option(out, LEFT, left),
        None => put_no_options(out),
    }
    match table {
        Some(table) => table.encode(out),
        None => out.put_u8(0),
    }
    put_varint(out, size);
}

fn reply_head(out: &mut BytesMut, call: u64, status: ReplyKind, table: Option<&Table>, size: u64) {
    put_varint(out, call);
    out.put_u8(status as u8);
    put_no_options(out);
    match table {
        Some(table) => table.encode(out),
        None => out.put_u8(0),
    }
    put_varint(out, size);
}

/// What a message is, for [`encode_message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageHead {
    /// A call of an object, with how many milliseconds its caller still waits.
    Call(u64, ObjectId, MethodId, Option<u64>),
    /// The answer to a call.
    Reply(u64, ReplyKind),
    /// More of the message whose first frame has this number.
    More(u64),
}

/// Appends a frame of a message, with these references or none, as a [`Call`] or a [`Reply`] would, but for its `chunk` bytes of payload, which must follow.
pub fn encode_message(out: &mut BytesMut, head: MessageHead, table: Option<&Table>, size: u64, chunk: usize) {
    match head {
        MessageHead::Call(call, object, method, left_ms) => framed(out, kind::CALL, chunk, |out| {
            call_head(out, call, Target::Object(object), method, left_ms, table, size);
        }),
        MessageHead::Reply(call, status) => {
            framed(out, kind::REPLY, chunk, |out| reply_head(out, call, status, table, size));
        }
        MessageHead::More(first) => framed(out, kind::MORE, chunk, |out| put_varint(out, first)),
    }
}
