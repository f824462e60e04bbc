//! Nodes: the only place where sockets, time, tasks and locks live.
//!
//! What it is for: [`Node`] is what users hold; `core` is the node itself; a `link` is a session with its lock and its tasks, `links` are all of them;
//! `connection/` gets it connections and keeps it going over as many as it takes; `dispatch` carries out what a session's events ask for; `import` is an object of
//! another node as proxies hold it; `lost` is what happens when a link ends; `relay` leads streams through nodes between, `tunnel` is one end of such a stream;
//! `pulse` has nodes look for servants that keep their thread. May use: everything below.
//!
//! Invariants:
//! * One lock a session, never held across an await, and no user code runs under it: what is to be dropped is
//!   taken out and dropped after unlocking (`Link::with`).
//! * Lock order: an import's way, then the table of links, then one session. Never two sessions.
//! * Every task belongs to the node or to a link, and ends with it.
//! * Clocks are read in `clock` alone.

mod background;
mod builder;
mod clock;
mod connection;
mod core;
mod discard;
mod dispatch;
mod execution;
mod exports;
mod handle;
mod import;
mod link;
mod links;
mod live;
mod lost;
mod outward;
mod peer;
mod pulse;
mod relay;
mod running;
mod sending;
mod serving;
mod stats;
mod tunnel;

#[doc(hidden)]
pub use background::Background;
pub use builder::Builder;
pub use connection::policy::DialRequest;
pub use handle::Node;
pub use peer::Peer;
pub use stats::{NodeStats, SessionStats};
