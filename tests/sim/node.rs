//! A simulated node and its links: the state that `node/core.rs` and `node/link.rs` have in the real one.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::{Assembly, Handshake, Head, Introduction, Locality, Phase, Session, Time};
use rmi_core::internal::wire::Limits;
use rmi_core::{NodeId, ObjectId};

use crate::dial::Dialing;
use crate::handles::{Caller, Notices, Object, Proxy, Sim};
use crate::resume::Back;

/// The address of a place where nodes run, one after the other.
pub fn address(slot: usize) -> String {
    format!("tcp://10.0.0.{slot}:1")
}

/// The place that [`address`] names.
pub fn slot_of(address: &str) -> Option<usize> {
    address.strip_prefix("tcp://10.0.0.")?.strip_suffix(":1")?.parse().ok()
}

/// Everybody is on one host: addresses are network addresses, which always travel.
pub const HERE: Locality = Locality { host: 1, process: 1 };

/// A clock of its own: another start, and a rate that is off by up to 1 %.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    pub offset: u64,
    /// Microseconds per 1,000 microseconds of the world.
    pub rate: u64,
}

impl Clock {
    pub fn local(self, now: u64) -> Time {
        Time(self.offset + now * self.rate / 1000)
    }

    /// The first moment of the world at which `local` has come.
    pub fn world(self, local: Time) -> u64 {
        (local.0.saturating_sub(self.offset) * 1000).div_ceil(self.rate)
    }
}

pub struct Node {
    pub id: NodeId,
    pub slot: usize,
    pub listens: bool,
    pub given: Vec<String>,
    pub alive: bool,
    pub draining: bool,
    pub clock: Clock,
    pub limits: Limits,
    pub lease: Duration,
    /// Weak handles of what was given away.
    pub exports: BTreeMap<[u8; 16], Weak<Object>>,
    /// What is published.
    pub root: Option<Proxy>,
    pub to_node: BTreeMap<NodeId, SessionKey>,
    pub to_slot: BTreeMap<usize, SessionKey>,
    pub asked_again: BTreeMap<NodeId, u32>,
    pub notices: Notices,
    /// What the application holds.
    pub held: Vec<Proxy>,
    /// The calls whose answers the application awaits.
    pub callers: Vec<Rc<Caller>>,
}

impl Node {
    pub fn introduction(&self) -> Introduction {
        Introduction {
            node: self.id,
            lease: self.lease,
            limits: self.limits,
            locality: HERE,
            addresses: self.given.clone(),
        }
    }

    pub fn find(&self, object: ObjectId) -> Option<Rc<Object>> {
        self.exports.get(&object.to_bytes())?.upgrade()
    }
}

/// Why a link was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Unreachable,
    Replaced,
    Broken,
    Expired,
    Bye,
    Forgotten,
    Violation,
    Unused,
    Stopped,
}

pub struct Link {
    pub node: usize,
    pub inbound: bool,
    /// It was dialed for the sake of an owner, at these addresses.
    pub tried: Option<Rc<[String]>>,
    pub session: Session<Sim>,
    pub peer: Option<(NodeId, Rc<[String]>)>,
    pub closed: Option<Reason>,
    /// The connection, and which of its ends this is.
    pub conn: Option<(usize, usize)>,
    /// The session over all its connections, and which of its sides this is.
    pub log: Option<(usize, usize)>,
    pub back: Back,
    pub shake: Option<Handshake>,
    pub buffer: BytesMut,
    pub assembly: Assembly<(Head, Vec<Proxy>)>,
    pub dialing: Dialing,
    /// Handles that were dropped.
    pub dropped: Vec<ObjectId>,
    /// Calls that were given up.
    pub given_up: Vec<u64>,
    /// Output that a connection had no room for: for the writer.
    pub rest: Option<(usize, Bytes)>,
    /// For when the writer is scheduled.
    pub write_at: Option<u64>,
    /// When the last frame arrived, by this node's clock.
    pub received: Time,
    /// The lease that was agreed on.
    pub lease: Duration,
    /// Transfers that are known to be pinned, and those for which an Unpin arrived.
    pub pins: BTreeSet<u64>,
    pub unpinned: BTreeSet<u64>,
}

impl Link {
    pub fn is_usable(&self, now: Time) -> bool {
        self.session.is_usable(now)
    }

    /// Listings and pins are still kept.
    pub fn keeps(&self) -> bool {
        matches!(self.session.phase(), Phase::Open | Phase::Detached(_) | Phase::Lapsed(_))
    }
}
