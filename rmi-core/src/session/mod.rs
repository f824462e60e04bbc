//! Sessions: the one channel between two nodes (PROTOCOL 2 to 9), without sockets, clocks, locks or tasks.
//!
//! What it is for: a [`Handshake`] opens a [`Session`]; the session numbers frames, keeps what is not acknowledged, renews
//! the lease, counts calls, cuts large messages into fragments and keeps the collection's tables. Time and frames go in; frames,
//! events and what is to be dropped come out as data.
//!
//! May use: `id`, `wire`, `gc`.
//!
//! How to drive a session, in this order:
//! 1. Feed it: [`Session::handle`] with each frame that arrived, [`Session::handle_timeout`] when
//!    [`Session::next_timeout`] has passed, and the calls of this side ([`Session::call`], [`Session::reply`], ..).
//! 2. Drain it: [`Session::poll_output`] until it returns `None`, after every feeding.
//! 3. [`Session::take_garbage`] after every feeding and draining, and drop it *after* unlocking: user code runs there.
//!
//! Invariants:
//! * Numbering a frame, listing what it refers to and queueing it are one step (7.1). A numbered frame leaves.
//! * The reader never waits: [`Session::handle`] needs no room and no answer.
//! * Peer input is either handled or a [`SessionError`]; nothing of it panics or reaches another session.

mod assembly;
mod bounds;
mod bulk;
mod calls;
mod cancel;
mod collection;
mod handshake;
mod incoming;
mod lease;
mod life;
mod locality;
mod look;
mod message;
mod outgoing;
mod output;
mod plain;
mod queue;
mod resume;
mod sequence;
mod state;
mod strands;
#[cfg(test)]
mod testing;
mod time;
mod tunnels;

pub use crate::rope::Rope;
pub use assembly::{Assembly, FragmentError};
pub use calls::LostCall;
pub use handshake::{Handshake, HandshakeError, Introduction, MIN_LEASE_MS, Opened, Peer, Role};
pub use incoming::{Arrived, Event, Head, References, Third, Verdict};
pub use life::BYE_UNUSED;
pub use locality::{Locality, is_localhost};
pub use message::{Chunk, Failure, Message, OutReference, Output, Outward, Segments, Unsent};
pub use resume::Ticket;
pub use state::{Counters, Garbage, Handles, Lost, Phase, Session, SessionError, Timeout};
pub use strands::Strand;
pub use time::Time;
pub use tunnels::{NoTunnel, TUNNEL_WINDOW, Tunneled};
