//! Reference tables: which references a message carries (PROTOCOL 5).

use std::cell::RefCell;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use smallvec::SmallVec;

use super::codec::{
    Reader, WireError, bytes_len, put_addresses, put_bytes, put_varint, sendable, varint_len,
};
use super::limits::Limits;
use crate::id::{InterfaceName, NodeId, ObjectId};

/// The most addresses of one node in a table.
pub const NODE_ADDRESSES_MAX: usize = 8;

/// The most bytes of the name of an interface.
pub const INTERFACE_MAX: usize = 256;

/// The smallest encodings: an id and a count; a length; an owner, an id, an index and a transfer.
const NODE_MIN: usize = 17;
const INTERFACE_MIN: usize = 1;
const REFERENCE_MIN: usize = 19;

/// The references of a message, with the nodes and interfaces that they name by index.
///
/// Most tables have one reference: it is kept in place.
///
/// What decoding does not know and the session checks: no node is the sender or the receiver, no transfer number comes twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Owners that are neither the sender nor the receiver. At most as many as references.
    pub nodes: Vec<TableNode>,
    /// Names of interfaces, each at most 256 bytes. At most as many as references.
    pub interfaces: SmallVec<[InterfaceName; 1]>,
    /// What the payload names by index.
    pub references: SmallVec<[TableReference; 1]>,
}

/// An owner that is neither the sender nor the receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableNode {
    /// Who it is.
    pub node: NodeId,
    /// Where it was known to be. The encoder leaves out those over 256 bytes and all after the 8th.
    pub addresses: Vec<String>,
}

/// A reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableReference {
    /// Where the object lives.
    pub owner: Owner,
    /// The object.
    pub object: ObjectId,
    /// The interface under which the sender held it: an index of [`Table::interfaces`].
    pub interface: u32,
    /// The sender's pin on its import entry; 0 if and only if the sender is the owner.
    pub transfer: u64,
}

/// Where an object lives, as the sender of a message says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// At the sender of the message.
    Sender,
    /// At its receiver.
    Receiver,
    /// At a third node: an index of [`Table::nodes`].
    Node(u32),
}

impl Table {
    /// No references.
    pub const EMPTY: Self =
        Self { nodes: Vec::new(), interfaces: SmallVec::new_const(), references: SmallVec::new_const() };

    /// Whether there are no references.
    pub fn is_empty(&self) -> bool {
        self.references.is_empty()
    }

    /// How many bytes this is on the wire. The sender keeps it within the receiver's `table` limit.
    pub fn encoded_len(&self) -> usize {
        let count = |n: usize| varint_len(n as u64);
        if self.is_empty() {
            return count(0);
        }
        let node = |node: &TableNode| {
            let addresses = sendable(&node.addresses, NODE_ADDRESSES_MAX);
            16 + count(addresses.clone().count()) + addresses.map(|a| bytes_len(a.len())).sum::<usize>()
        };
        let reference = |r: &TableReference| {
            varint_len(r.owner.code()) + 16 + varint_len(r.interface.into()) + varint_len(r.transfer)
        };
        count(self.references.len())
            + count(self.nodes.len())
            + self.nodes.iter().map(node).sum::<usize>()
            + count(self.interfaces.len())
            + self.interfaces.iter().map(|name| bytes_len(name.as_str().len())).sum::<usize>()
            + self.references.iter().map(reference).sum::<usize>()
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        put_varint(out, self.references.len() as u64);
        if self.is_empty() {
            return;
        }
        put_varint(out, self.nodes.len() as u64);
        for node in &self.nodes {
            out.put_slice(&node.node.to_bytes());
            put_addresses(out, &node.addresses, NODE_ADDRESSES_MAX);
        }
        put_varint(out, self.interfaces.len() as u64);
        for name in &self.interfaces {
            put_bytes(out, name.as_str().as_bytes());
        }
        for reference in &self.references {
            put_varint(out, reference.owner.code());
            out.put_slice(&reference.object.to_bytes());
            put_varint(out, reference.interface.into());
            put_varint(out, reference.transfer);
        }
    }

    pub(super) fn decode(reader: &mut Reader, limits: &Limits) -> Result<Self, WireError> {
        let start = reader.remaining();
        let k = reader.length("a table, in references,", limits.references as usize)?;
        if k == 0 {
            return Ok(Self::EMPTY);
        }
        let count = reader.length("a table, in nodes,", k)?;
        let nodes = reader.repeat(count, NODE_MIN, TableNode::decode)?;
        let count = reader.length("a table, in interfaces,", k)?;
        reader.can_hold(count, INTERFACE_MIN)?;
        let mut interfaces = SmallVec::with_capacity(count);
        for _ in 0..count {
            interfaces.push(reader.borrow("the name of an interface", INTERFACE_MAX, interface)?);
        }
        reader.can_hold(k, REFERENCE_MIN)?;
        let mut references = SmallVec::with_capacity(k);
        for _ in 0..k {
            references.push(TableReference::decode(reader, nodes.len(), interfaces.len())?);
        }
        let size = (start - reader.remaining()) as u64;
        if size > limits.table.into() {
            return Err(WireError::TooLong { what: "a table", size, limit: limits.table.into() });
        }
        Ok(Self { nodes, interfaces, references })
    }
}

impl TableNode {
    fn decode(reader: &mut Reader) -> Result<Self, WireError> {
        let node = NodeId::from_bytes(reader.id()?);
        Ok(Self { node, addresses: reader.addresses(NODE_ADDRESSES_MAX)? })
    }
}

impl TableReference {
    fn decode(reader: &mut Reader, nodes: usize, interfaces: usize) -> Result<Self, WireError> {
        let owner = match reader.varint()? {
            0 => Owner::Sender,
            1 => Owner::Receiver,
            other => Owner::Node(index("a node", other - 2, nodes)?),
        };
        let object = ObjectId::from_bytes(reader.id()?);
        let interface = index("an interface", reader.varint()?, interfaces)?;
        let transfer = reader.varint()?;
        if (owner == Owner::Sender) != (transfer == 0) {
            return Err(WireError::BadValue("a transfer number"));
        }
        Ok(Self { owner, object, interface, transfer })
    }
}

/// How many names of interfaces a thread remembers.
const NAMES: usize = 16;

thread_local! {
    /// The names that came last: the same ones come again and again, and need not be made again.
    static LAST: RefCell<Vec<Arc<str>>> = const { RefCell::new(Vec::new()) };
}

fn interface(bytes: &[u8]) -> Result<InterfaceName, WireError> {
    LAST.with_borrow_mut(|names| {
        if let Some(known) = names.iter().find(|name| name.as_bytes() == bytes) {
            return Ok(InterfaceName::Shared(known.clone()));
        }
        let name: Arc<str> = std::str::from_utf8(bytes).map_err(|_| WireError::BadUtf8)?.into();
        if names.len() == NAMES {
            names.remove(0);
        }
        names.push(name.clone());
        Ok(InterfaceName::Shared(name))
    })
}

fn index(what: &'static str, value: u64, length: usize) -> Result<u32, WireError> {
    u32::try_from(value).ok().filter(|i| (*i as usize) < length).ok_or(WireError::BadIndex(what))
}

impl Owner {
    fn code(self) -> u64 {
        match self {
            Self::Sender => 0,
            Self::Receiver => 1,
            Self::Node(index) => 2 + u64::from(index),
        }
    }
}
