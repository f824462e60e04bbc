//! A state: nodes with their handles, sessions with both their ends and what is between them. The tables of the
//! collection are the real ones.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rmi_core::ObjectId;
use rmi_core::internal::gc::{Imports, Listing, Pins};

use crate::config::{Budget, NodeAt};

/// A session, by its place in [`State::sessions`]; also its key, as [`Debt`](rmi_core::internal::gc::Debt)s name it.
pub type SessionAt = u8;

/// The sides of a session.
pub const DIALER: usize = 0;
pub const ACCEPTOR: usize = 1;

/// One end of a session.
pub type EndAt = (SessionAt, usize);

pub fn id(object: u8) -> ObjectId {
    ObjectId::from_bytes([object; 16])
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub nodes: Vec<Arc<Node>>,
    pub sessions: Vec<Arc<Session>>,
    /// By object.
    pub collected: Vec<bool>,
    pub left: Budget,
    /// What a step itself found wrong.
    pub flaw: Option<Flaw>,
    /// Nothing is left to be done but what nobody must do: see `property`.
    pub settled: bool,
}

/// What a step can find wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// A call on a proxy, or a reference that came home, did not find its object.
    S1,
    /// An object is gone for a holder whom the rules protect.
    S2,
    /// A frame arrived that is not the next one.
    S4,
    /// A Resume was refused by a side that has not given up.
    Refused,
    /// An honest node did what the protocol calls an error.
    Protocol,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Node {
    pub down: bool,
    /// Own objects that the application holds.
    pub roots: Vec<bool>,
    /// What proxies and pins of import entries share; as `node/import.rs` has it.
    pub handles: BTreeMap<u8, Handle>,
    /// Handles that were dropped, by session and object; the writer has not seen them yet.
    pub notices: Vec<(SessionAt, u8)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle {
    pub object: u8,
    pub way: Way,
    /// The application has proxies.
    pub held: bool,
    /// Calls under way, and messages that are not complete.
    pub borrowed: u8,
    pub pins: u8,
    /// A reference whose introducer was registered itself, and may rely on it, made or joined the entry; it was not confirmed since.
    pub introduced: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    Session(SessionAt),
    Lost,
    Gone,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Session {
    /// The nodes, by side.
    pub nodes: [NodeAt; 2],
    pub ends: [End; 2],
    pub wire: Wire,
    /// What is under way to each side.
    pub flight: [VecDeque<Packet>; 2],
    /// What the acceptor could still read from connections before this one.
    pub stale: VecDeque<Packet>,
    /// Resumes on connections that the dialer gave up while it waited for the answer; the acceptor may come to them at any time.
    pub late: Vec<Packet>,
    /// The token that the dialer has.
    pub token: u8,
    /// The token that the acceptor gave last, and the one before as long as the dialer may not have received that.
    pub issued: (u8, Option<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wire {
    Up,
    /// The dialer has noticed nothing yet, or is about to dial again. What is in flight may arrive or not.
    Broken,
    /// The dialer sent Resume and has no answer.
    Resuming,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct End {
    pub life: Life,
    /// Frames that are numbered are written to the connection, too.
    pub attached: bool,
    /// The number of the last frame sent.
    pub last: u64,
    /// Frames that the other side has not received. Acks are not modelled: what they take away is never replayed.
    pub ring: VecDeque<(u64, Frame)>,
    /// How many frames were received.
    pub received: u64,
    /// How many frames of this side the other said it had when the session was last resumed.
    pub reported: u64,
    pub listing: Listing<()>,
    pub imports: Imports<u8>,
    pub pins: Pins<u8>,
    /// Calls of this side that wait, and the handle they were made on.
    pub calls: BTreeMap<u8, Option<u8>>,
    pub next_call: u8,
    /// Calls of the other side that are not answered, and the argument that they hold.
    pub serving: BTreeMap<u8, Option<Held>>,
    /// Messages of the other side that are not complete.
    pub inbox: BTreeMap<u64, Begun>,
    /// Messages of this side that are not complete: first frame and call.
    pub unfinished: Vec<(u64, u8)>,
    /// It was told Expired. Only a mutant lives on with that.
    pub expired: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Life {
    /// Holder and owner.
    Open,
    /// This side has given up as a holder, and keeps listings and pins.
    Detached,
    Over,
}

/// A message that is not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Begun {
    pub call: Call,
    pub held: Option<Held>,
}

/// A reference that a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Held {
    Own(u8),
    Import(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Packet {
    Frame(u64, Frame),
    Resume { received: u64, token: u8 },
    Resumed { received: u64, token: u8 },
    Expired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Frame {
    Call(Call),
    Reply { call: u8, reference: Option<Ref> },
    More { first: u64 },
    Abort { first: u64 },
    Dirty(u8),
    Held(u8),
    Gone(u8),
    Clean { object: u8, upto: u64 },
    Unpin(u64),
    Bye,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Call {
    pub call: u8,
    /// The object; `None`: one of the callee's that is always there.
    pub target: Option<u8>,
    pub reference: Option<Ref>,
    /// More and Abort are to come.
    pub more: bool,
}

/// A reference in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ref {
    pub object: u8,
    /// 0: the sender is the owner.
    pub transfer: u64,
    /// The sender's entry was confirmed when it was sent. No part of the frame: only properties look at it.
    pub solid: bool,
}

impl Frame {
    pub fn reference(&self) -> Option<&Ref> {
        match self {
            Self::Call(Call { reference, .. }) | Self::Reply { reference, .. } => reference.as_ref(),
            _ => None,
        }
    }
}

impl Default for End {
    fn default() -> Self {
        Self {
            life: Life::Open,
            attached: true,
            last: 0,
            ring: VecDeque::new(),
            received: 0,
            reported: 0,
            listing: Listing::default(),
            imports: Imports::default(),
            pins: Pins::default(),
            calls: BTreeMap::new(),
            next_call: 0,
            serving: BTreeMap::new(),
            inbox: BTreeMap::new(),
            unfinished: Vec::new(),
            expired: false,
        }
    }
}

impl End {
    pub fn is_open(&self) -> bool {
        self.life == Life::Open
    }

    /// It is over: nothing of it is left.
    pub fn over() -> Self {
        Self { life: Life::Over, attached: false, ..Self::default() }
    }
}

impl Session {
    pub fn new(dialer: NodeAt, acceptor: NodeAt) -> Self {
        Self {
            nodes: [dialer, acceptor],
            ends: [End::default(), End::default()],
            wire: Wire::Up,
            flight: [VecDeque::new(), VecDeque::new()],
            stale: VecDeque::new(),
            late: Vec::new(),
            token: 0,
            issued: (0, None),
        }
    }

    /// It is over at both ends: nothing of it is left.
    pub fn over([dialer, acceptor]: [NodeAt; 2]) -> Self {
        Self { ends: [End::over(), End::over()], ..Self::new(dialer, acceptor) }
    }

    pub fn side_of(&self, node: NodeAt) -> Option<usize> {
        self.nodes.iter().position(|it| *it == node)
    }

    /// Whether a Resume with this token is admitted.
    pub fn admits(&self, token: u8) -> bool {
        self.issued.0 == token || self.issued.1 == Some(token)
    }

    /// Whether a fault has ended either end.
    pub fn has_ended(&self) -> bool {
        self.ends.iter().any(|end| !end.is_open())
    }
}

impl State {
    pub fn node(&self, at: NodeAt) -> &Node {
        &self.nodes[usize::from(at)]
    }

    pub fn session(&self, at: SessionAt) -> &Session {
        &self.sessions[usize::from(at)]
    }

    pub fn end(&self, (session, side): EndAt) -> &End {
        &self.session(session).ends[side]
    }

    /// Every end, with its node.
    pub fn ends(&self) -> impl Iterator<Item = (EndAt, NodeAt, &End)> {
        self.sessions.iter().zip(0..).flat_map(|(session, at)| {
            (0..2).map(move |side| ((at, side), session.nodes[side], &session.ends[side]))
        })
    }

    /// Whether no session has ended and no node is down: what breaks and resumes is no fault.
    pub fn is_faultless(&self) -> bool {
        !self.sessions.iter().any(|session| session.has_ended()) && !self.nodes.iter().any(|node| node.down)
    }
}
