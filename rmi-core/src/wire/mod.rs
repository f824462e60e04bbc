//! The wire: bytes to frames and back, within limits.
//!
//! What it is for: everything that PROTOCOL.md says about bytes (sections 1 to 3, 5, 6). May use: `id`.
//!
//! Invariants: no input makes it panic or allocate more than a small multiple of the input's own size; what it decodes, encodes
//! to the same bytes; it knows nothing of sessions, time or sockets.

mod codec;
mod frame;
mod handshake;
mod limits;
mod table;

pub use codec::WireError;
pub use frame::{Call, Frame, Head, Reply, ReplyKind, Target};
pub use handshake::{Hello, Refused, RefusedCode, Welcome};
pub use limits::Limits;
pub use table::{Owner, Table, TableNode, TableReference};

/// What each side sends first on a connection (PROTOCOL 2.1).
pub const PREFACE: [u8; 4] = *b"RMI\x01";

/// The protocol version that this implementation speaks.
pub const VERSION: u16 = 1;
