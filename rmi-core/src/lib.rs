//! The core of `rmi`. Use the facade crate `rmi`; this one is its inside.

mod backoff;
pub mod error;
#[doc(hidden)]
pub mod gc;
pub mod id;
pub mod invoke;
mod map;
pub mod node;
mod pool;
#[doc(hidden)]
pub mod private;
mod rope;
#[doc(hidden)]
pub mod session;
mod transport;
#[doc(hidden)]
pub mod wire;

pub use error::{RemoteError, StartError};
pub use id::{NodeId, ObjectId};
pub use invoke::{AnyProxy, Interface, InterfaceDescription, Proxy, Reference, with_timeout};
pub use node::{Builder, DialRequest, Node, NodeStats, Peer, SessionStats};
pub use wire::Limits;

/// What the registry's library uses of the core, beside what users do. Not for users; it changes without notice.
#[doc(hidden)]
pub mod companion {
    pub use crate::backoff::{Backoff, shortened};
    pub use crate::invoke::{Resolver, limited};
    pub use crate::node::Background;
}

/// The sans-io layers, for simulations and model checkers. Not for users; it changes without notice.
#[doc(hidden)]
pub mod internal {
    pub use crate::{gc, session, wire};
}
