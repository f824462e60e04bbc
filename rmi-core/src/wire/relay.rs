//! Relay: a byte stream inside a session (PROTOCOL 11).

use bytes::{BufMut, Bytes, BytesMut};

use super::codec::{Reader, TEXT_MAX, WireError, put_text, put_varint};
use super::limits::Limits;
use super::message::chunk;
use crate::id::{NodeId, ObjectId};

/// Something about one tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Which: 2n if the sender of this frame opened it, 2n + 1 if its receiver did.
    pub tunnel: u64,
    /// What.
    pub op: RelayOp,
}

/// What happens to a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayOp {
    /// The sender opens it.
    Open {
        /// The node that it is to lead to.
        target: NodeId,
        /// The object for whose sake; zero: none in particular.
        object: ObjectId,
    },
    /// The next bytes of the stream, not empty, at most the receiver's `frame` limit.
    Data(Bytes),
    /// So many bytes more may come, not zero.
    Credit(u64),
    /// It is over, in both directions. Why, for a person; empty if there is nothing to say. The encoder cuts it at 1,024 bytes.
    Close(String),
}

impl Relay {
    pub(super) fn encode(&self, out: &mut BytesMut) {
        put_varint(out, self.tunnel);
        match &self.op {
            RelayOp::Open { target, object } => {
                out.put_u8(0);
                out.put_slice(&target.to_bytes());
                out.put_slice(&object.to_bytes());
            }
            RelayOp::Data(data) => {
                out.put_u8(1);
                out.put_slice(data);
            }
            RelayOp::Credit(bytes) => {
                out.put_u8(2);
                put_varint(out, *bytes);
            }
            RelayOp::Close(reason) => {
                out.put_u8(3);
                put_text(out, reason);
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader, limits: &Limits) -> Result<Self, WireError> {
        let tunnel = reader.varint()?;
        let op = match reader.u8()? {
            0 => RelayOp::Open {
                target: NodeId::from_bytes(reader.id()?),
                object: ObjectId::from_bytes(reader.id()?),
            },
            1 => match chunk(reader, limits)? {
                data if data.is_empty() => return Err(WireError::BadValue("the data of a tunnel")),
                data => RelayOp::Data(data),
            },
            2 => match reader.varint()? {
                0 => return Err(WireError::BadValue("the credit of a tunnel")),
                bytes => RelayOp::Credit(bytes),
            },
            3 => RelayOp::Close(reader.string("a text", TEXT_MAX)?),
            // To leave it out would garble the stream.
            _ => return Err(WireError::BadValue("the operation of a tunnel")),
        };
        Ok(Self { tunnel, op })
    }
}
