//! Application messages as the node hands them over, and what becomes of them.

use std::fmt;
use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use crate::id::{InterfaceName, MethodId, NodeId, ObjectId};
use crate::rope::Rope;
use crate::session::sequence::skip;
use crate::session::state::{Garbage, Handles};
use crate::session::strands::Strand;
use crate::session::time::Time;
use crate::wire::ReplyKind;

/// In how many pieces bytes are handed to the system at a time.
const MAX_SLICES: usize = 64;

/// A reference in a message that is to be sent.
#[derive(Debug)]
pub enum OutReference<H: Handles> {
    /// To an own object.
    Own {
        /// The object.
        id: ObjectId,
        /// The interface under which it is given.
        interface: InterfaceName,
        /// Keeps it alive.
        object: H::Object,
    },
    /// To an own object that is gone: calls of the receiver will say so.
    Dead {
        /// The object.
        id: ObjectId,
        /// The interface under which it is given.
        interface: InterfaceName,
    },
    /// To an object of another node, maybe of the receiver.
    Held {
        /// The node that owns it.
        owner: NodeId,
        /// The object.
        id: ObjectId,
        /// The interface under which it is given.
        interface: InterfaceName,
        /// Where the owner can be dialed.
        addresses: Arc<[String]>,
        /// Where it is found through this node.
        relays: Arc<[String]>,
        /// Keeps the import entry alive.
        pin: H::Pin,
    },
}

impl<H: Handles> OutReference<H> {
    /// The interface under which it is given.
    pub(super) fn interface(&self) -> &InterfaceName {
        match self {
            Self::Own { interface, .. } | Self::Dead { interface, .. } | Self::Held { interface, .. } => {
                interface
            }
        }
    }

    /// At least as many bytes as it takes in a table, however that is encoded.
    pub(super) fn longest(&self) -> usize {
        /// Four numbers and an id; the length of each text.
        const REFERENCE: usize = 56;
        const NODE: usize = 26;
        let addresses = match self {
            Self::Held { addresses, relays, .. } => {
                let all = addresses.iter().chain(&**relays);
                NODE + all.map(|address| address.len() + 10).sum::<usize>()
            }
            Self::Own { .. } | Self::Dead { .. } => 0,
        };
        REFERENCE + 10 + self.interface().as_str().len() + addresses
    }
}

/// What an application message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outward {
    /// Asks for a published object.
    Root(String),
    /// A call.
    Call {
        /// The object.
        object: ObjectId,
        /// The method.
        method: MethodId,
        /// Whose call it is.
        strand: Strand,
    },
    /// An answer.
    Reply {
        /// The call.
        call: u64,
        /// Which kind.
        status: ReplyKind,
    },
}

/// An application message to be sent.
#[derive(Debug)]
pub struct Message<H: Handles> {
    /// What it is.
    pub outward: Outward,
    /// Its payload.
    pub payload: Rope,
    /// The references that the payload names.
    pub references: Vec<OutReference<H>>,
    /// Until when the caller waits, if this is a call and there is such a limit.
    pub deadline: Option<Time>,
}

/// A call that came too late for its session, and who waits for it.
pub type Unsent<H> = Box<(<H as Handles>::Caller, Message<H>)>;

/// Why a message cannot leave, ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Over a limit of the peer.
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Over a limit of this side.
    Overloaded(&'static str),
    /// The peer has as many calls as it accepts, and answered none for a long time.
    Stalled,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { what, size, limit } => {
                write!(f, "{what} of {size} is over the limit of {limit}")
            }
            Self::Overloaded(what) => f.write_str(what),
            Self::Stalled => {
                f.write_str("it has as many calls of this node as it accepts at a time, and answers none")
            }
        }
    }
}

/// The payload of a message that is whole in one frame.
#[derive(Debug, Clone, Copy)]
pub enum Chunk<'a> {
    /// To be copied.
    Copied(&'a [u8]),
    /// To be shared, as far as it is large.
    Shared(&'a Rope),
}

impl Chunk<'_> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Copied(bytes) => bytes.len(),
            Self::Shared(rope) => rope.len(),
        }
    }
}

/// Bytes in several places, in this order.
pub type Segments = SmallVec<[Bytes; 2]>;

/// What is to be written to the connection: unnumbered frames, then numbered ones.
#[derive(Debug, Default)]
pub struct Output {
    /// Both, in the order in which they are to be written. None is empty.
    pub segments: Segments,
}

impl Output {
    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.segments.iter().map(Bytes::len).sum()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// So many bytes were written.
    pub fn advance(&mut self, bytes: usize) {
        skip(&mut self.segments, bytes);
    }

    /// The first of it, for one write.
    pub fn slices(&self) -> SmallVec<[IoSlice<'_>; 8]> {
        self.segments.iter().take(MAX_SLICES).map(|segment| IoSlice::new(segment)).collect()
    }

    /// All of it in one piece.
    pub fn concat(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.len());
        self.segments.iter().for_each(|segment| bytes.extend_from_slice(segment));
        bytes.freeze()
    }
}

impl<H: Handles> Message<H> {
    pub(super) fn discard(self, garbage: &mut Garbage<H>) {
        for reference in self.references {
            match reference {
                OutReference::Own { object, .. } => garbage.objects.push(object),
                OutReference::Held { pin, .. } => garbage.pins.push(pin),
                OutReference::Dead { .. } => {}
            }
        }
    }
}
