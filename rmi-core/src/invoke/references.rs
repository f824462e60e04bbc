//! References inside of values: into and out of the table beside the payload.
//!
//! A proxy in a value serializes as the MessagePack extension 1 whose four bytes, big-endian, are its index in the
//! message's reference table (PROTOCOL 5). Which table that is, serde cannot be told: it is kept for the thread
//! while one value is being encoded or decoded, and nested scopes restore the outer one. Most messages have no
//! references; for those a scope is a flag.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::invoke::any::AnyProxy;
use crate::invoke::msgpack::EXTENSION;

/// The MessagePack extension type of a reference.
const REFERENCE: i8 = 1;

thread_local! {
    /// How many references the message has so far that is being encoded.
    static ENCODING: Cell<Option<u32>> = const { Cell::new(None) };
    /// References of messages that are being encoded; those of one within another come behind.
    static COLLECTED: RefCell<Vec<AnyProxy>> = const { RefCell::new(Vec::new()) };
    /// What there is of the message that is being decoded.
    static DECODING: Cell<Table> = const { Cell::new(Table::None) };
    /// The tables of messages that are being decoded; that of one within another comes behind.
    static TABLES: RefCell<Vec<Vec<AnyProxy>>> = const { RefCell::new(Vec::new()) };
}

#[derive(Clone, Copy)]
enum Table {
    /// There is no message.
    None,
    /// It has no references.
    Empty,
    /// It is the last one.
    Last,
}

/// Runs `encode` and adds the references of what it serializes to `references`, where they have their indices.
#[inline]
pub(super) fn collecting<T>(references: &mut Vec<AnyProxy>, encode: impl FnOnce() -> T) -> T {
    // More than can be counted is refused where one more is serialized.
    let before = u32::try_from(references.len()).unwrap_or(u32::MAX);
    let scope = Collecting { outer: ENCODING.replace(Some(before)), before };
    let encoded = encode();
    let count = scope.leave();
    if count > 0 {
        COLLECTED.with_borrow_mut(|all| references.extend(all.drain(all.len().saturating_sub(count)..)));
    }
    encoded
}

struct Collecting {
    outer: Option<u32>,
    before: u32,
}

impl Collecting {
    /// How many were collected.
    #[inline]
    fn leave(self) -> usize {
        let count = self.restore();
        std::mem::forget(self);
        count
    }

    #[inline]
    fn restore(&self) -> usize {
        let count = ENCODING.replace(self.outer).unwrap_or(self.before);
        (count - self.before) as usize
    }
}

/// Left by a panic in user code.
impl Drop for Collecting {
    #[cold]
    fn drop(&mut self) {
        let count = self.restore();
        let dropped = COLLECTED.with_borrow_mut(|all| all.split_off(all.len().saturating_sub(count)));
        drop(dropped);
    }
}

/// Runs `decode`; the references in what it deserializes are among `references`.
#[inline]
pub(super) fn resolving<T>(references: &mut Vec<AnyProxy>, decode: impl FnOnce() -> T) -> T {
    let table = match references.is_empty() {
        true => Table::Empty,
        false => {
            TABLES.with_borrow_mut(|tables| tables.push(std::mem::take(references)));
            Table::Last
        }
    };
    let scope = Resolving { outer: DECODING.replace(table), table };
    let decoded = decode();
    if let Some(table) = scope.leave() {
        *references = table;
    }
    decoded
}

struct Resolving {
    outer: Table,
    table: Table,
}

impl Resolving {
    /// The table, if there was one.
    #[inline]
    fn leave(self) -> Option<Vec<AnyProxy>> {
        let table = self.restore();
        std::mem::forget(self);
        table
    }

    #[inline]
    fn restore(&self) -> Option<Vec<AnyProxy>> {
        DECODING.set(self.outer);
        match self.table {
            Table::Last => TABLES.with_borrow_mut(Vec::pop),
            _ => None,
        }
    }
}

/// Left by a panic in user code.
impl Drop for Resolving {
    #[cold]
    fn drop(&mut self) {
        self.restore();
    }
}

/// Serializes a proxy inside a message: its handle goes into the table, its index into the payload.
pub(super) fn serialize_reference<S: Serializer>(proxy: AnyProxy, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(index) = ENCODING.get() else {
        return Err(serde::ser::Error::custom(
            "a proxy can be serialized only as an argument or result of a remote call: \
             outside of one nobody would keep its object alive",
        ));
    };
    let Some(count) = index.checked_add(1) else {
        return Err(serde::ser::Error::custom("there are more references than can be counted"));
    };
    let written = serializer.serialize_newtype_struct(EXTENSION, &(REFERENCE, Index(index)))?;
    // Not before it is written: elements of sequences are tried as bytes first.
    COLLECTED.with_borrow_mut(|all| all.push(proxy));
    ENCODING.set(Some(count));
    Ok(written)
}

/// Deserializes a proxy inside a message.
pub(super) fn deserialize_reference<'de, D: Deserializer<'de>>(
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
    let index = deserializer.deserialize_newtype_struct(EXTENSION, ReferenceVisitor)?;
    let found = match DECODING.get() {
        Table::None => {
            return Err(serde::de::Error::custom(
                "a proxy can be deserialized only as an argument or result of a remote call",
            ));
        }
        Table::Empty => Err(0),
        Table::Last => TABLES.with_borrow(|tables| {
            let table = tables.last().map(Vec::as_slice).unwrap_or_default();
            table.get(index as usize).cloned().ok_or(table.len())
        }),
    };
    found.map_err(|len| {
        serde::de::Error::custom(format_args!("reference {index} is not in the table of {len}"))
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
