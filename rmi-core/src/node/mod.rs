//! Nodes: the only place where sockets, time, tasks and locks live.
//!
//! What it is for: [`Node`] is what users hold; `core` is the node itself; a `link` is a session with its lock and its tasks;
//! `driver` keeps a link going over as many connections as it takes: `handshake`, `pump`, `resume`; `dispatch` carries out what a session's events ask for; `import` is an object of
//! another node as proxies hold it; `relay` leads streams through nodes between, `tunnel` is one end of such a stream. May use: everything below.
//!
//! Invariants:
//! * One lock a session, never held across an await, and no user code runs under it: what is to be dropped is
//!   taken out and dropped after unlocking (`Link::with`).
//! * Lock order: an import's way, then the table of links, then one session. Never two sessions.
//! * Every task belongs to the node or to a link, and ends with it.
//! * Clocks are read in `clock` alone.
//! * What a peer named is dialed by `dial::to_owner` alone, as `policy` permits; the addresses say who named them (`introducer`).

mod background;
mod backoff;
mod builder;
mod clock;
mod core;
mod dial;
mod discard;
mod dispatch;
mod driver;
mod execution;
mod exports;
mod handle;
mod handshake;
mod import;
mod introducer;
mod link;
mod listen;
mod live;
mod lost;
mod outward;
mod peer;
mod policy;
mod pump;
mod reached;
mod relay;
mod resume;
mod running;
mod stats;
mod tunnel;

#[doc(hidden)]
pub use background::Background;
pub use builder::Builder;
pub use handle::Node;
pub use peer::Peer;
pub use policy::DialRequest;
pub use stats::{NodeStats, SessionStats};
