//! Marshalling: values to and from MessagePack, references into and out of the table beside the payload.
//!
//! A proxy in a value serializes as the MessagePack extension 1 whose four bytes, big-endian, are its index in the
//! message's reference table (PROTOCOL 6). Which table that is, serde cannot be told; it is kept for the thread
//! while one value is being encoded or decoded, and nested scopes restore the outer one.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::fmt;

use bytes::Bytes;
use rmp_serde::config::BytesMode;
use rmp_serde::decode::ReadRefReader;
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::RemoteError;
use crate::id::NodeId;
use crate::invoke::any::AnyProxy;
use crate::invoke::depth;

/// The MessagePack extension type of a reference.
const REFERENCE: i8 = 1;

/// How an argument `&T` travels: encoded from the borrow, decoded into its owned twin.
#[diagnostic::on_unimplemented(
    message = "`&{Self}` cannot be an argument of a remote method",
    label = "not an argument type of a remote method",
    note = "`{Self}` must be `Serialize` and have an owned form (`ToOwned`) that is `DeserializeOwned + Send`"
)]
pub trait RefArg: Serialize {
    /// What the servant's side decodes and lends to the servant.
    type Owned: DeserializeOwned + Borrow<Self> + Send;
}

impl<T: ?Sized + Serialize + ToOwned> RefArg for T
where
    T::Owned: DeserializeOwned + Send,
{
    type Owned = T::Owned;
}

thread_local! {
    static ENCODING: RefCell<Option<Vec<AnyProxy>>> = const { RefCell::new(None) };
    static DECODING: RefCell<Option<Vec<AnyProxy>>> = const { RefCell::new(None) };
}

/// Puts a value into a thread-local slot for as long as it lives.
struct Scope {
    slot: &'static std::thread::LocalKey<RefCell<Option<Vec<AnyProxy>>>>,
    /// What comes back into the slot; taken when it has.
    outer: Option<Option<Vec<AnyProxy>>>,
}

impl Scope {
    fn enter(
        slot: &'static std::thread::LocalKey<RefCell<Option<Vec<AnyProxy>>>>,
        table: Vec<AnyProxy>,
    ) -> Self {
        Self { slot, outer: Some(slot.replace(Some(table))) }
    }

    fn leave(mut self) -> Vec<AnyProxy> {
        self.restore().unwrap_or_default()
    }

    fn restore(&mut self) -> Option<Vec<AnyProxy>> {
        self.outer.take().and_then(|outer| self.slot.replace(outer))
    }
}

/// Left by an error, or by a panic in user code.
impl Drop for Scope {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Serializes a proxy inside a message: its handle goes into the table, its index into the payload.
pub(crate) fn serialize_reference<S: Serializer>(proxy: AnyProxy, serializer: S) -> Result<S::Ok, S::Error> {
    let index = ENCODING.with_borrow_mut(|table| {
        let table = table.as_mut()?;
        table.push(proxy);
        u32::try_from(table.len() - 1).ok()
    });
    match index {
        Some(index) => {
            let written = serializer.serialize_newtype_struct("_ExtStruct", &(REFERENCE, Index(index)));
            if written.is_err() {
                // rmp-serde tries the first element of each sequence, to find out whether it is bytes.
                let unused = ENCODING.with_borrow_mut(|table| table.as_mut().and_then(Vec::pop));
                drop(unused);
            }
            written
        }
        None => Err(serde::ser::Error::custom(
            "a proxy can be serialized only as an argument or result of a remote call: \
             outside of one nobody would keep its object alive",
        )),
    }
}

/// Deserializes a proxy inside a message.
pub(crate) fn deserialize_reference<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<AnyProxy, D::Error> {
    struct ReferenceVisitor;
    impl<'de> Visitor<'de> for ReferenceVisitor {
        type Value = u32;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a remote reference")
        }
        fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<u32, D::Error> {
            let (tag, Index(index)) = <(i8, Index)>::deserialize(deserializer)?;
            if tag != REFERENCE {
                return Err(serde::de::Error::custom(format_args!(
                    "extension {tag} is not a remote reference"
                )));
            }
            Ok(index)
        }
    }
    let index = deserializer.deserialize_newtype_struct("_ExtStruct", ReferenceVisitor)?;
    DECODING.with_borrow(|table| match table {
        None => Err(serde::de::Error::custom(
            "a proxy can be deserialized only as an argument or result of a remote call",
        )),
        Some(table) => table.get(index as usize).cloned().ok_or_else(|| {
            serde::de::Error::custom(format_args!("reference {index} is not in the table of {}", table.len()))
        }),
    })
}

/// An index into the reference table: four bytes, big-endian.
struct Index(u32);

impl Serialize for Index {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0.to_be_bytes())
    }
}

impl<'de> Deserialize<'de> for Index {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;
        impl Visitor<'_> for BytesVisitor {
            type Value = Index;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the four bytes of a reference's index")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Index, E> {
                let bytes = bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))?;
                Ok(Index(u32::from_be_bytes(bytes)))
            }
        }
        deserializer.deserialize_bytes(BytesVisitor)
    }
}

fn write<T: Serialize + ?Sized>(buffer: &mut Vec<u8>, value: &T) -> Result<(), String> {
    let mut serializer = rmp_serde::Serializer::new(buffer).with_bytes(BytesMode::ForceAll).with_struct_map();
    value.serialize(&mut serializer).map_err(|error| error.to_string())
}

/// Encodes one value and collects its references.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<(Bytes, Vec<AnyProxy>), String> {
    let scope = Scope::enter(&ENCODING, Vec::new());
    let mut buffer = Vec::new();
    write(&mut buffer, value)?;
    Ok((buffer.into(), scope.leave()))
}

/// Decodes one value; its references are among `references`.
pub(crate) fn decode<T: DeserializeOwned>(payload: &[u8], references: Vec<AnyProxy>) -> Result<T, String> {
    let scope = Scope::enter(&DECODING, references);
    depth::check(payload)?;
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(payload);
    deserializer.set_max_depth(depth::MAX_DEPTH + 1);
    let value = T::deserialize(&mut deserializer).map_err(|error| error.to_string());
    drop(scope);
    value
}

/// Decodes a fault.
pub(crate) fn decode_fault(payload: &[u8]) -> Result<RemoteError, String> {
    depth::check(payload)?;
    rmp_serde::from_slice(payload).map_err(|error| error.to_string())
}

/// The arguments of a call, being encoded: a MessagePack array of `count` values.
#[derive(Debug)]
pub struct Arguments {
    payload: Vec<u8>,
    references: Vec<AnyProxy>,
    /// The first argument that could not be encoded, and why.
    failed: Option<(&'static str, String)>,
}

impl Arguments {
    /// For `count` arguments; each must be pushed.
    pub fn new(count: u32) -> Self {
        let mut payload = Vec::with_capacity(32);
        match count {
            0..=15 => payload.push(0x90 | count as u8),
            16..=0xffff => {
                payload.push(0xdc);
                payload.extend_from_slice(&(count as u16).to_be_bytes());
            }
            _ => {
                payload.push(0xdd);
                payload.extend_from_slice(&count.to_be_bytes());
            }
        }
        Self { payload, references: Vec::new(), failed: None }
    }

    /// Encodes the next argument.
    pub fn push<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        if self.failed.is_some() {
            return;
        }
        let scope = Scope::enter(&ENCODING, std::mem::take(&mut self.references));
        let written = write(&mut self.payload, value);
        self.references = scope.leave();
        if let Err(reason) = written {
            self.failed = Some((name, reason));
        }
    }

    /// What goes to the owner.
    pub(crate) fn finish(self, path: &'static str) -> Result<(Bytes, Vec<AnyProxy>), RemoteError> {
        match self.failed {
            None => Ok((self.payload.into(), self.references)),
            Some((argument, reason)) => {
                Err(RemoteError::BadArgument { call: path.to_owned(), argument: argument.to_owned(), reason })
            }
        }
    }
}

/// A call that has arrived: its arguments are decoded one after the other, by name.
pub struct Incoming<'a> {
    owner: NodeId,
    references: Vec<AnyProxy>,
    /// Arguments that are left in the payload.
    left: u32,
    deserializer: rmp_serde::Deserializer<ReadRefReader<'a, [u8]>>,
    /// Why none of them can be decoded.
    malformed: Option<String>,
}

impl<'a> Incoming<'a> {
    /// A call that arrived at `owner`.
    pub(crate) fn new(owner: NodeId, payload: &'a [u8], references: Vec<AnyProxy>) -> Self {
        let header = match *payload {
            [first @ 0x90..=0x9f, ..] => Some((1, u32::from(first & 0x0f))),
            [0xdc, a, b, ..] => Some((3, u32::from(u16::from_be_bytes([a, b])))),
            [0xdd, a, b, c, d, ..] => Some((5, u32::from_be_bytes([a, b, c, d]))),
            _ => None,
        };
        let (skip, left) = header.unwrap_or((0, 0));
        let rest = payload.get(skip..).unwrap_or_default();
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(rest);
        deserializer.set_max_depth(depth::MAX_DEPTH + 1);
        let malformed = match header {
            None => Some("the arguments are not an array".into()),
            Some(_) => depth::check(payload).err(),
        };
        Self { owner, references, left, deserializer, malformed }
    }

    /// The node at which the call arrived.
    pub fn owner(&self) -> NodeId {
        self.owner
    }

    /// Decodes the next argument of the method `path`.
    pub fn next<T: DeserializeOwned>(&mut self, path: &str, argument: &str) -> Result<T, RemoteError> {
        let bad = |reason: String| RemoteError::BadArgument {
            call: path.to_owned(),
            argument: argument.to_owned(),
            reason,
        };
        if let Some(reason) = &self.malformed {
            return Err(bad(reason.clone()));
        }
        self.left = self.left.checked_sub(1).ok_or_else(|| bad("it is missing".into()))?;
        let scope = Scope::enter(&DECODING, std::mem::take(&mut self.references));
        let value = T::deserialize(&mut self.deserializer).map_err(|error| bad(error.to_string()));
        self.references = scope.leave();
        value
    }
}
