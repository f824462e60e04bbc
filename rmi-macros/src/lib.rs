//! The `#[remote]` attribute.
