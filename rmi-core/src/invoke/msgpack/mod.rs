//! MessagePack: serde's model to bytes and back (PROTOCOL 4.10).
//!
//! The bytes are those of rmp-serde with named fields and byte sequences as bin, and the tests hold both side by side. It is not
//! used itself because it takes bytes one at a time, a `Vec<u8>` being a sequence to serde, and because it does not count enum variants
//! when it bounds how deep a value nests. Here a sequence of bytes is copied at once, wherever in a value it stands,
//! and whatever a peer sends, decoding it recurses at most [`MAX_DEPTH`] deep.

mod byte_vec;
mod compound;
mod decode;
mod encode;
mod error;
mod extension;
mod head;
mod narrow;
mod probe;
#[cfg(test)]
mod tests;
mod variant;
mod write;

pub(super) use decode::Decoder;
pub(super) use encode::Encoder;
pub(super) use error::Error;
pub(super) use write::{array_len, bin_len};

/// The deepest nesting of arrays and maps in a payload; a variant with fields is a map.
pub(super) const MAX_DEPTH: usize = 128;

/// The newtype struct by which serde's model names an extension: a pair of its type, `i8`, and its bytes. rmp-serde's convention, for
/// which users' types may have been written.
pub(super) const EXTENSION: &str = "_ExtStruct";
