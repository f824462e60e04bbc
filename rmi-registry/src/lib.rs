//! The registry: names for remote objects.
//!
//! A registry is itself a remote object, the root named `registry` of its node; its interface is
//! [`RegistryService`]. [`Registry`] is the handle that users hold:
//!
//! ```no_run
//! # use rmi_core::{AnyProxy, Node, RemoteError};
//! # use rmi_registry::Registry;
//! # async fn example(node: Node, bank: AnyProxy) -> Result<(), RemoteError> {
//! let registry = Registry::connect(&node, "tcp://127.0.0.1:1099").await?;
//! let binding = registry.bind("bank", &bank).version(2).await?; // drop it to unbind
//! # drop(binding);
//! // and elsewhere
//! let bank: AnyProxy = rmi_registry::lookup(&node, "rmi://127.0.0.1:1099/bank").await?;
//! # Ok(())
//! # }
//! ```
//!
//! A name is held by its [`Binding`], which is a reference to an object of the registry's: when nobody holds it any
//! more, because it was dropped or because its holder is gone and the lease has ended, the collection drops that
//! object, and with it goes the name. There is no other lease. When the registry itself was lost, the binding renews itself.
//!
//! Any node can be a registry ([`Registry::serve`]); the program `rmi-registry` is a node that is nothing else.

mod binding;
mod clock;
mod entry;
mod error;
mod hold;
mod liveness;
mod lookup;
mod name;
mod place;
mod registry;
mod server;
mod service;
mod store;
mod url;
mod waiters;

pub use binding::{Bind, Binding};
pub use entry::{BindingId, Entry};
pub use error::RegistryError;
pub use lookup::{follow, lookup, lookup_wait};
pub use registry::Registry;
pub use server::RegistryServer;
pub use service::{BindOptions, BindingService, BindingServiceInterface, BindingServiceProxy, Bound, Page};
pub use service::{RegistryService, RegistryServiceInterface, RegistryServiceProxy};

/// The port of a registry where an address does not name one.
pub const DEFAULT_PORT: u16 = 1099;

/// The name under which a node publishes its registry.
pub const ROOT: &str = "registry";
