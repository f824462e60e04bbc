//! The wire: bytes to frames and back, within limits.
//!
//! What it is for: everything that PROTOCOL.md says about bytes (sections 1 to 3, 5, 6). May use: `id`.
//!
//! Invariants: no input makes it panic or allocate more than a small multiple of the input's own size; what it decodes,
//! encodes to the same bytes, but for what the protocol says to skip; it knows nothing of sessions, time or sockets.

mod codec;
mod frame;
mod framing;
mod handshake;
mod limits;
mod message;
mod plain;
mod relay;
mod table;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

pub use codec::{ADDRESS_MAX, TEXT_MAX, WireError};
pub use frame::{Frame, ROOT_NAME_MAX};
pub use framing::{announced, peek, split};
pub use handshake::{ADDRESSES_MAX, Hello, Refused, RefusedCode, Resume, Resumed, Welcome};
pub use limits::{HANDSHAKE_FRAME_MAX, Limits};
pub use message::{Call, MessageHead, Reply, ReplyKind, Target, encode_message};
pub use plain::{Plain, continued, plain};
pub use relay::{Relay, RelayOp};
pub use table::{INTERFACE_MAX, NODE_ADDRESSES_MAX, Owner, Table, TableNode, TableReference};

/// What each side sends first on a connection (PROTOCOL 2.1).
pub const PREFACE: [u8; 4] = *b"RMI\x01";

/// The protocol version that this implementation speaks.
pub const VERSION: u16 = 1;
