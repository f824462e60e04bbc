//! Frames: what is between two lengths on a connection (PROTOCOL 2.2, 3, 6).

use bytes::{BufMut, Bytes, BytesMut};

use super::codec::{Reader, TEXT_MAX, WireError, put_bytes, put_no_options, put_text, put_varint};
use super::framing::framed;
use super::handshake::{Hello, Refused, Resume, Resumed, Welcome};
use super::limits::Limits;
use super::message::{Call, Reply, chunk};
use super::relay::Relay;
use crate::id::{NodeId, ObjectId};

/// The most bytes of the name of a published object. Whoever sends a Root checks it.
pub const ROOT_NAME_MAX: usize = 1024;

/// The first numbered kind, and the last that is not malformed.
const NUMBERED_MIN: u8 = 16;
const NUMBERED_MAX: u8 = 127;

/// PROTOCOL 2, 3, 8.
pub(super) mod kind {
    pub(in crate::wire) const HELLO: u8 = 1;
    pub(in crate::wire) const WELCOME: u8 = 2;
    pub(in crate::wire) const REFUSED: u8 = 3;
    pub(in crate::wire) const RESUME: u8 = 4;
    pub(in crate::wire) const RESUMED: u8 = 5;
    pub(in crate::wire) const EXPIRED: u8 = 6;
    pub(in crate::wire) const ACK: u8 = 8;
    pub(in crate::wire) const PING: u8 = 9;
    pub(in crate::wire) const PONG: u8 = 10;
    pub(in crate::wire) const ROOT: u8 = 16;
    pub(in crate::wire) const CALL: u8 = 17;
    pub(in crate::wire) const REPLY: u8 = 18;
    pub(in crate::wire) const DIRTY: u8 = 19;
    pub(in crate::wire) const HELD: u8 = 20;
    pub(in crate::wire) const GONE: u8 = 21;
    pub(in crate::wire) const CLEAN: u8 = 22;
    pub(in crate::wire) const UNPIN: u8 = 23;
    pub(in crate::wire) const BYE: u8 = 24;
    pub(in crate::wire) const MORE: u8 = 25;
    pub(in crate::wire) const ABORT: u8 = 26;
    pub(in crate::wire) const UNSUPPORTED: u8 = 27;
    pub(in crate::wire) const CANCEL: u8 = 32;
    pub(in crate::wire) const RELAY: u8 = 36;
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The dialer's first word.
    Hello(Hello),
    /// The acceptor's answer: the session is on.
    Welcome(Welcome),
    /// The acceptor's answer: there will be no session. The connection is closed after it.
    Refused(Refused),
    /// Asks for a session that lost its connection.
    Resume(Resume),
    /// The session goes on.
    Resumed(Resumed),
    /// The session to be resumed is not there any more.
    Expired {
        /// Who says so.
        node: NodeId,
    },
    /// Frames up to a number have arrived.
    Ack {
        /// The number.
        frame: u64,
    },
    /// Asks for a sign of life.
    Ping {
        /// Comes back in the Pong.
        stamp: u64,
    },
    /// Answers a Ping.
    Pong {
        /// That of the Ping.
        stamp: u64,
    },
    /// Asks for the object that is published under a name. Answered by a Reply.
    Root {
        /// The caller's number for this.
        call: u64,
        /// The name, at most 1,024 bytes.
        name: String,
        /// An option that must be understood and is not (PROTOCOL 3.4). Set by decoding; not encoded.
        unsupported: Option<u64>,
    },
    /// Calls a method, or begins to.
    Call(Call),
    /// Answers a Root or a Call, or begins to.
    Reply(Reply),
    /// Asks the owner to list the sender as a holder.
    Dirty {
        /// The object.
        object: ObjectId,
    },
    /// Answers Dirty: it is listed.
    Held {
        /// The object.
        object: ObjectId,
    },
    /// Answers Dirty: there is no such object any more.
    Gone {
        /// The object.
        object: ObjectId,
    },
    /// The sender holds the object no more.
    Clean {
        /// The object.
        object: ObjectId,
        /// The number of the last frame that the sender has received from the owner.
        upto: u64,
    },
    /// The reference of a transfer has an entry of its own now.
    Unpin {
        /// The transfer's number.
        transfer: u64,
    },
    /// The sender sends nothing more.
    Bye {
        /// 0 shutting down, 1 protocol error, 2 the node was dropped, 3 another node was meant.
        code: u8,
        /// Why, for a person. The encoder cuts it at 1,024 bytes.
        text: String,
        /// The number of the last numbered frame that the sender had handled: no Call or Root behind it is carried out.
        received: u64,
    },
    /// Continues a Call or a Reply.
    More {
        /// The number of its first frame.
        first: u64,
        /// The payload's next bytes.
        chunk: Bytes,
    },
    /// The rest of a Call or Reply will not come.
    Abort {
        /// The number of its first frame.
        first: u64,
    },
    /// Answers a frame of a kind that is not known.
    Unsupported {
        /// The frame's number.
        frame: u64,
        /// What was not known, for a person. The encoder cuts it at 1,024 bytes.
        text: String,
    },
    /// The sender waits for the answer to a call no longer. The answer comes all the same.
    Cancel {
        /// The caller's number for it.
        call: u64,
    },
    /// Something about a tunnel.
    Relay(Relay),
    /// A numbered frame of a kind that this version does not know; its body is dropped (PROTOCOL 3.4).
    Unknown {
        /// The kind, 16 to 127.
        kind: u8,
    },
}

impl Frame {
    /// The frame's kind byte.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => kind::HELLO,
            Self::Welcome(_) => kind::WELCOME,
            Self::Refused(_) => kind::REFUSED,
            Self::Resume(_) => kind::RESUME,
            Self::Resumed(_) => kind::RESUMED,
            Self::Expired { .. } => kind::EXPIRED,
            Self::Ack { .. } => kind::ACK,
            Self::Ping { .. } => kind::PING,
            Self::Pong { .. } => kind::PONG,
            Self::Root { .. } => kind::ROOT,
            Self::Call(_) => kind::CALL,
            Self::Reply(_) => kind::REPLY,
            Self::Dirty { .. } => kind::DIRTY,
            Self::Held { .. } => kind::HELD,
            Self::Gone { .. } => kind::GONE,
            Self::Clean { .. } => kind::CLEAN,
            Self::Unpin { .. } => kind::UNPIN,
            Self::Bye { .. } => kind::BYE,
            Self::More { .. } => kind::MORE,
            Self::Abort { .. } => kind::ABORT,
            Self::Unsupported { .. } => kind::UNSUPPORTED,
            Self::Cancel { .. } => kind::CANCEL,
            Self::Relay(_) => kind::RELAY,
            Self::Unknown { kind } => *kind,
        }
    }

    /// Whether the frame has a number (PROTOCOL 3.1).
    pub fn is_numbered(&self) -> bool {
        self.kind() >= NUMBERED_MIN
    }

    /// Appends the frame to `out`: length, kind, body.
    ///
    /// Texts are cut and addresses left out where they are over their bounds; everything else (the receiver's limits,
    /// the length of a root's name or an interface's) is for the caller to keep.
    pub fn encode(&self, out: &mut BytesMut) {
        let chunk = self.encode_head(out);
        out.put_slice(chunk);
    }

    /// Appends the frame to `out` but for the payload in it, which must follow: it is returned, so that it need not be copied.
    pub fn encode_head(&self, out: &mut BytesMut) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        let chunk = match self {
            Self::Call(Call { chunk, .. }) | Self::Reply(Reply { chunk, .. }) | Self::More { chunk, .. } => {
                chunk
            }
            _ => &NONE,
        };
        framed(out, self.kind(), chunk.len(), |out| self.encode_fields(out));
        chunk
    }

    fn encode_fields(&self, out: &mut BytesMut) {
        match self {
            Self::Hello(hello) => hello.encode(out),
            Self::Welcome(welcome) => welcome.encode(out),
            Self::Refused(refused) => refused.encode(out),
            Self::Resume(resume) => resume.encode(out),
            Self::Resumed(resumed) => resumed.encode(out),
            Self::Expired { node } => out.put_slice(&node.to_bytes()),
            Self::Relay(relay) => relay.encode(out),
            Self::Unknown { .. } => {}
            Self::Ack { frame } => put_varint(out, *frame),
            Self::Ping { stamp } | Self::Pong { stamp } => put_varint(out, *stamp),
            Self::Root { call, name, .. } => {
                put_varint(out, *call);
                put_bytes(out, name.as_bytes());
                put_no_options(out);
            }
            Self::Call(call) => call.encode_head(out),
            Self::Reply(reply) => reply.encode_head(out),
            Self::Dirty { object } | Self::Held { object } | Self::Gone { object } => {
                out.put_slice(&object.to_bytes());
            }
            Self::Clean { object, upto } => {
                out.put_slice(&object.to_bytes());
                put_varint(out, *upto);
            }
            Self::Unpin { transfer } => put_varint(out, *transfer),
            Self::Bye { code, text, received } => {
                out.put_u8(*code);
                put_text(out, text);
                put_varint(out, *received);
            }
            Self::More { first, .. } => put_varint(out, *first),
            Self::Abort { first } => put_varint(out, *first),
            Self::Unsupported { frame, text } => {
                put_varint(out, *frame);
                put_text(out, text);
            }
            Self::Cancel { call } => put_varint(out, *call),
        }
    }

    /// The frame of `body`: the kind byte and what follows it, as [`split`](super::split) gives it. `limits` are those of this side.
    ///
    /// Payloads share the memory of `body`. What the protocol says to skip (options, further limits, bodies of unknown
    /// kinds, values of unknown targets) is dropped, and limits that are missing are filled in; all else encodes to the
    /// same bytes again.
    pub fn decode(body: Bytes, limits: &Limits) -> Result<Self, WireError> {
        let mut body = Reader::new(body);
        let reader = &mut body;
        let frame = match reader.u8()? {
            kind::HELLO => Self::Hello(Hello::decode(reader)?),
            kind::WELCOME => Self::Welcome(Welcome::decode(reader)?),
            kind::REFUSED => Self::Refused(Refused::decode(reader)?),
            kind::RESUME => Self::Resume(Resume::decode(reader)?),
            kind::RESUMED => Self::Resumed(Resumed::decode(reader)?),
            kind::EXPIRED => Self::Expired { node: NodeId::from_bytes(reader.id()?) },
            kind::ACK => Self::Ack { frame: reader.varint()? },
            kind::PING => Self::Ping { stamp: reader.varint()? },
            kind::PONG => Self::Pong { stamp: reader.varint()? },
            kind::ROOT => Self::Root {
                call: reader.varint()?,
                name: reader.string("a name", ROOT_NAME_MAX)?,
                unsupported: reader.options()?,
            },
            kind::CALL => Self::Call(Call::decode(reader, limits)?),
            kind::REPLY => Self::Reply(Reply::decode(reader, limits)?),
            kind::DIRTY => Self::Dirty { object: object(reader)? },
            kind::HELD => Self::Held { object: object(reader)? },
            kind::GONE => Self::Gone { object: object(reader)? },
            kind::CLEAN => Self::Clean { object: object(reader)?, upto: reader.varint()? },
            kind::UNPIN => Self::Unpin { transfer: reader.varint()? },
            kind::BYE => Self::Bye {
                code: reader.u8()?,
                text: reader.string("a text", TEXT_MAX)?,
                received: reader.varint()?,
            },
            kind::MORE => Self::More { first: reader.varint()?, chunk: chunk(reader, limits)? },
            kind::ABORT => Self::Abort { first: reader.varint()? },
            kind::UNSUPPORTED => {
                Self::Unsupported { frame: reader.varint()?, text: reader.string("a text", TEXT_MAX)? }
            }
            kind::CANCEL => Self::Cancel { call: reader.varint()? },
            kind::RELAY => Self::Relay(Relay::decode(reader, limits)?),
            kind @ NUMBERED_MIN..=NUMBERED_MAX => {
                reader.rest();
                Self::Unknown { kind }
            }
            kind => return Err(WireError::BadKind(kind)),
        };
        reader.end()?;
        Ok(frame)
    }
}

pub(super) fn object(reader: &mut Reader) -> Result<ObjectId, WireError> {
    reader.id().map(ObjectId::from_bytes)
}
