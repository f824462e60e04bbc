//! Connections: how a link gets one, what flows over it, and how it gets another when it breaks.
//!
//! What it is for: `listen` accepts and `dial` connects, where `policy` permits what an `introducer` named; `handshake` opens a session
//! on a new connection; `driver` keeps a link going over as many connections as it takes, with `pump` for one of them and `resume` for the
//! next; `watch` looks whether a servant keeps one from reading. May use: `transport`, `session`, and of `node` the link, its core, `dispatch` and `clock`.
//!
//! Invariants:
//! * One task drives a link and writes; another reads, and is replaced while a servant keeps its thread. Nothing reads a connection
//!   any more before another is answered on (PROTOCOL 8.3).
//! * What a peer named is dialed by `dial::to_owner` alone, as `policy` permits; the addresses say who named them (`introducer`).
//! * Every wait has a bound: the handshake's time, the reconnect window, or the lease.

mod desk;
pub(super) mod dial;
pub(super) mod driver;
mod handshake;
pub(super) mod introducer;
pub(super) mod listen;
pub(super) mod policy;
mod pump;
pub(super) mod reached;
mod reading;
pub(super) mod resume;
pub(super) mod watch;
