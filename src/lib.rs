//! Remote method invocation for Rust.
pub use rmi_core::*;
pub use rmi_macros::remote;
