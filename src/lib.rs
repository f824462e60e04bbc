//! Remote method invocation for Rust.
pub use rmi_core::*;
pub use rmi_macros::remote;
pub use rmi_registry::{Bind, Binding, BindingId, Entry, Registry, RegistryError, RegistryServer, lookup};
