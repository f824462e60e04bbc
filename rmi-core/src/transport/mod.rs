//! Transports: addresses, and how they become a stream of bytes.
//!
//! What it is for: [`Address`] names a place, [`dial`] gets a [`Stream`] to it, [`Listener`] accepts streams. May use: `id`, `error`.
//! It knows neither frames nor sessions; a session runs over any stream.
//!
//! Invariants: what a listener says of itself can be dialed; a wildcard never leaves this layer. How far a stream leads is told by its sockets,
//! never by the peer.

mod address;
mod distance;
mod listener;
mod memory;
mod outlet;
mod stream;

pub(crate) use address::{Address, RELAY_SCHEME};
pub(crate) use distance::{Distance, is_link_local};
pub(crate) use listener::Listener;
pub(crate) use outlet::{Outlet, Writer};
pub(crate) use stream::{Reader, Stream, dial, not_permitted};
