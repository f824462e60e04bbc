//! What is said before the first call: Hello, Welcome, Refused; Resume, Resumed (PROTOCOL 2, 8).

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::codec::{
    Reader, TEXT_MAX, WireError, put_addresses, put_bytes, put_no_options, put_text, put_varint,
};
use super::limits::Limits;
use crate::id::NodeId;

/// The most addresses in a Hello or Welcome.
pub const ADDRESSES_MAX: usize = 16;

/// A token has at least 16 random bytes, and at most 64.
const TOKEN_MIN: usize = 16;
const TOKEN_MAX: usize = 64;

/// The dialer's first word (PROTOCOL 2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The lowest and the highest version that the sender speaks.
    pub versions: (u16, u16),
    /// Who sends this.
    pub node: NodeId,
    /// Who is meant, if it must be a certain node.
    pub expect: Option<NodeId>,
    /// Neither side dialed: both send Hello.
    pub symmetric: bool,
    /// The lease that the sender wants, in milliseconds.
    pub lease_ms: u64,
    /// What the sender accepts.
    pub limits: Limits,
    /// Equal for two nodes that share their loopback interface and files.
    pub host: u64,
    /// Equal for two nodes in one process.
    pub process: u64,
    /// Where the sender accepts connections from this peer. The encoder leaves out those over 256 bytes and all after the 16th.
    pub addresses: Vec<String>,
}

/// The acceptor's answer, if the session is on (PROTOCOL 2.3).
#[derive(Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The version chosen.
    pub version: u16,
    /// Who sends this.
    pub node: NodeId,
    /// The session's name, for resuming.
    pub session: [u8; 16],
    /// What proves that the session is one's own, for resuming: 16 to 64 random bytes. Never printed.
    pub token: Vec<u8>,
    /// The lease that the sender wants, in milliseconds.
    pub lease_ms: u64,
    /// What the sender accepts.
    pub limits: Limits,
    /// As in [`Hello::host`].
    pub host: u64,
    /// As in [`Hello::process`].
    pub process: u64,
    /// As in [`Hello::addresses`].
    pub addresses: Vec<String>,
}

/// The acceptor's answer, if there will be no session (PROTOCOL 2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub code: RefusedCode,
    /// Why, for a person. The encoder cuts it at 1,024 bytes.
    pub text: String,
}

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedCode {
    /// 1: no version is spoken by both.
    NoCommonVersion,
    /// 2: the dialer meant another node.
    OtherNode,
    /// 3: the dialer is this very node.
    SameNode,
    /// 4: the acceptor has as many sessions as it wants.
    TooManySessions,
    /// 5: an option of Hello must be understood and is not.
    UnsupportedOption,
    /// 6: the acceptor is shutting down.
    ShuttingDown,
    /// 7: what the dialer said is malformed.
    Malformed,
    /// A code that this version does not know.
    Unknown(u8),
}

/// Asks for a session that lost its connection (PROTOCOL 8).
#[derive(Clone, PartialEq, Eq)]
pub struct Resume {
    /// The session's name.
    pub session: [u8; 16],
    /// The session's token, 16 to 64 bytes. Never printed.
    pub token: Vec<u8>,
    /// The number of the last frame that the sender received.
    pub received: u64,
}

/// The session goes on (PROTOCOL 8).
#[derive(Clone, PartialEq, Eq)]
pub struct Resumed {
    /// The number of the last frame that the sender received.
    pub received: u64,
    /// The session's next token, 16 to 64 bytes. Never printed.
    pub token: Vec<u8>,
}

impl Hello {
    pub(super) fn encode(&self, out: &mut BytesMut) {
        out.put_u16(self.versions.0);
        out.put_u16(self.versions.1);
        out.put_slice(&self.node.to_bytes());
        out.put_slice(&self.expect.map_or([0; 16], NodeId::to_bytes));
        out.put_u8(self.symmetric.into());
        put_varint(out, self.lease_ms);
        self.limits.encode(out);
        out.put_u64(self.host);
        out.put_u64(self.process);
        put_addresses(out, &self.addresses, ADDRESSES_MAX);
        put_no_options(out);
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<Self, WireError> {
        let hello = Self {
            versions: (reader.u16()?, reader.u16()?),
            node: NodeId::from_bytes(reader.id()?),
            expect: Some(reader.id()?).filter(|id| *id != [0; 16]).map(NodeId::from_bytes),
            symmetric: match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(WireError::BadValue("flags")),
            },
            lease_ms: reader.varint()?,
            limits: Limits::decode(reader)?,
            host: reader.u64()?,
            process: reader.u64()?,
            addresses: reader.addresses(ADDRESSES_MAX)?,
        };
        reader.options_understood()?;
        Ok(hello)
    }
}

impl Welcome {
    pub(super) fn encode(&self, out: &mut BytesMut) {
        out.put_u16(self.version);
        out.put_slice(&self.node.to_bytes());
        out.put_slice(&self.session);
        put_bytes(out, &self.token);
        put_varint(out, self.lease_ms);
        self.limits.encode(out);
        out.put_u64(self.host);
        out.put_u64(self.process);
        put_addresses(out, &self.addresses, ADDRESSES_MAX);
        put_no_options(out);
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<Self, WireError> {
        let welcome = Self {
            version: reader.u16()?,
            node: NodeId::from_bytes(reader.id()?),
            session: reader.id()?,
            token: token(reader)?,
            lease_ms: reader.varint()?,
            limits: Limits::decode(reader)?,
            host: reader.u64()?,
            process: reader.u64()?,
            addresses: reader.addresses(ADDRESSES_MAX)?,
        };
        reader.options_understood()?;
        Ok(welcome)
    }
}

impl Refused {
    pub(super) fn encode(&self, out: &mut BytesMut) {
        out.put_u8(self.code.into());
        put_text(out, &self.text);
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<Self, WireError> {
        Ok(Self { code: reader.u8()?.into(), text: reader.string("a text", TEXT_MAX)? })
    }
}

impl Resume {
    pub(super) fn encode(&self, out: &mut BytesMut) {
        out.put_slice(&self.session);
        put_bytes(out, &self.token);
        put_varint(out, self.received);
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<Self, WireError> {
        Ok(Self { session: reader.id()?, token: token(reader)?, received: reader.varint()? })
    }
}

impl Resumed {
    pub(super) fn encode(&self, out: &mut BytesMut) {
        put_varint(out, self.received);
        put_bytes(out, &self.token);
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<Self, WireError> {
        Ok(Self { received: reader.varint()?, token: token(reader)? })
    }
}

fn token(reader: &mut Reader) -> Result<Vec<u8>, WireError> {
    let token = reader.bytes("a token", TOKEN_MAX)?;
    if token.len() < TOKEN_MIN { Err(WireError::BadValue("a token")) } else { Ok(token.to_vec()) }
}

impl From<u8> for RefusedCode {
    fn from(code: u8) -> Self {
        match code {
            1 => Self::NoCommonVersion,
            2 => Self::OtherNode,
            3 => Self::SameNode,
            4 => Self::TooManySessions,
            5 => Self::UnsupportedOption,
            6 => Self::ShuttingDown,
            7 => Self::Malformed,
            other => Self::Unknown(other),
        }
    }
}

impl From<RefusedCode> for u8 {
    fn from(code: RefusedCode) -> Self {
        match code {
            RefusedCode::NoCommonVersion => 1,
            RefusedCode::OtherNode => 2,
            RefusedCode::SameNode => 3,
            RefusedCode::TooManySessions => 4,
            RefusedCode::UnsupportedOption => 5,
            RefusedCode::ShuttingDown => 6,
            RefusedCode::Malformed => 7,
            RefusedCode::Unknown(other) => other,
        }
    }
}

impl fmt::Debug for Welcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Welcome")
            .field("version", &self.version)
            .field("node", &self.node)
            .field("lease_ms", &self.lease_ms)
            .field("limits", &self.limits)
            .field("host", &self.host)
            .field("process", &self.process)
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resume").field("received", &self.received).finish_non_exhaustive()
    }
}

impl fmt::Debug for Resumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resumed").field("received", &self.received).finish_non_exhaustive()
    }
}
