//! The core of `rmi`. Use the facade crate `rmi`; this one is its inside.

pub mod error;
pub mod id;
pub mod invoke;
#[doc(hidden)]
pub mod private;

pub use error::{RemoteError, StartError};
pub use id::{NodeId, ObjectId};
pub use invoke::{AnyProxy, Interface, InterfaceDescription, Proxy, Reference};
