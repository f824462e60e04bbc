//! The codec beside rmp-serde, whose bytes it keeps, and before bytes that nobody would send.

mod any_value;
mod hostile;
mod one_copy;
mod values;

use std::fmt;

use rmp_serde::config::BytesMode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Decoder, Encoder, Error};

fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    value.serialize(Encoder::new(&mut out))?;
    Ok(out)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    T::deserialize(&mut Decoder::new(bytes))
}

/// As payloads were encoded before there was this codec, and as they are on the wire.
fn oracle<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer =
        rmp_serde::Serializer::new(&mut out).with_bytes(BytesMode::ForceAll).with_struct_map();
    value.serialize(&mut serializer).unwrap();
    out
}

/// The bytes are those of the oracle, and both ways back lead to the same value.
#[track_caller]
fn same<T: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(value: T) {
    let bytes = encode(&value).unwrap();
    assert_eq!(bytes, oracle(&value), "{value:?}");
    let back: Result<T, _> = decode(&bytes);
    match rmp_serde::from_slice::<T>(&bytes) {
        Ok(theirs) => assert_eq!(back.unwrap(), theirs),
        // What serde cannot bring back from this format, such as `Some(None)`, or numbers in texts of untagged enums.
        Err(error) => assert!(back.is_err(), "{back:?}, and rmp-serde says {error}"),
    }
}
