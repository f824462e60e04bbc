//! The state of a session, its ends in time, and what remains of it.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::Duration;

use crate::gc::{Imports, Listing, LostImport, Pins, SessionKey};
use crate::id::{NodeId, ObjectId};
use crate::session::bounds::allowed;
use crate::session::bulk::Bulk;
use crate::session::calls::{Calls, LostCall, Serving};
use crate::session::handshake::Peer;
use crate::session::lease::Lease;
use crate::session::locality::Locality;
use crate::session::message::Failure;
use crate::session::queue::Outgoing;
use crate::session::resume::Ticket;
use crate::session::sequence::{Received, Ring};
use crate::session::strands::Strands;
use crate::session::time::Time;
use crate::session::tunnels::Tunnels;
use crate::wire::Limits;

/// What a session keeps and never looks into.
pub trait Handles: Sized + Debug {
    /// Keeps an own object alive.
    type Object: Debug;
    /// Keeps an import entry alive: what proxies share.
    type Import: Debug;
    /// Keeps an import entry alive for a reference that was passed on.
    type Pin: Debug;
    /// What the import entry itself keeps.
    type Weak: Debug;
    /// Who waits for the answer to a call.
    type Caller: Debug;
    /// The handle again, if it is still alive.
    fn share(weak: &Self::Weak) -> Option<Self::Import>;
    /// Whether the handle is still alive.
    fn is_alive(weak: &Self::Weak) -> bool;
    /// Whether anybody still waits. A call that nobody waits for is withdrawn if it has not left.
    fn is_waiting(caller: &Self::Caller) -> bool;
}

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The handshake is not over. What is to be sent waits.
    Opening,
    /// Frames flow.
    Open,
    /// The connection broke at this time. The session waits for another.
    Detached(Time),
    /// This side has given up as a holder; listings and pins stay until this time.
    Lapsed(Time),
    /// Over.
    Ended,
}

/// Why a frame could not be handled. The session must end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The peer broke the protocol.
    #[error("{0}")]
    Violation(String),
    /// The lease was over before the frame came.
    #[error("the lease is over")]
    Expired,
}

pub(super) fn violation<T>(text: impl Into<String>) -> Result<T, SessionError> {
    Err(SessionError::Violation(text.into()))
}

/// What [`Session::handle_timeout`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeout {
    /// There may be output.
    Nothing,
    /// The connection is silent: it must be given up, as if it had broken.
    Silent,
    /// This side must give up as a holder: [`Session::lapse`].
    HolderEnd,
    /// Listings and pins are over, too: [`Session::end`].
    OwnerEnd,
}

/// What is to be dropped outside of the lock.
#[derive(Debug)]
pub struct Garbage<H: Handles> {
    /// Handles of own objects.
    pub objects: Vec<H::Object>,
    /// Pins.
    pub pins: Vec<H::Pin>,
    /// Callers that do not wait any more.
    pub callers: Vec<H::Caller>,
}

impl<H: Handles> Default for Garbage<H> {
    fn default() -> Self {
        Self { objects: Vec::new(), pins: Vec::new(), callers: Vec::new() }
    }
}

/// What a side loses when it gives up as a holder.
#[derive(Debug)]
pub struct Lost<H: Handles> {
    /// Import entries.
    pub imports: Vec<LostImport<H::Weak>>,
    /// Calls.
    pub calls: Vec<LostCall<H::Caller>>,
}

/// What a session has moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes of frames received.
    pub bytes_received: u64,
    /// Bytes of frames handed to a connection.
    pub bytes_sent: u64,
    /// Calls of the peer that reached a servant, or would have.
    pub calls_served: u64,
    /// How often it went on over another connection.
    pub resumed: u64,
}

/// One side of a session. See the module for how to drive it.
#[derive(Debug)]
pub struct Session<H: Handles> {
    pub(super) key: SessionKey,
    pub(super) me: NodeId,
    pub(super) phase: Phase,
    /// What this side accepts.
    pub(super) limits: Limits,
    /// What this side may send.
    pub(super) allowed: Limits,
    pub(super) here: Locality,
    /// What is known of the peer; `None` while opening.
    pub(super) peer: Option<Peer>,
    /// Whether Root frames may leave before Welcome (2.4).
    pub(super) eager: bool,
    pub(super) lease: Option<Lease>,
    /// The latest time that was given to it.
    pub(super) now: Time,
    pub(super) ring: Ring,
    pub(super) bulk: Bulk,
    pub(super) strands: Strands,
    pub(super) received: Received,
    pub(super) outgoing: Outgoing<H>,
    pub(super) calls: Calls<H::Caller>,
    pub(super) serving: Serving,
    pub(super) listing: Listing<H::Object>,
    pub(super) pins: Pins<H::Pin>,
    pub(super) imports: Imports<H::Weak>,
    /// Objects of the peer whose handles were dropped; their entries count those still.
    pub(super) dropped: VecDeque<ObjectId>,
    pub(super) tunnels: Tunnels,
    /// The highest transfer number the peer has used.
    pub(super) last_transfer: u64,
    /// Stamps of Pings to be answered.
    pub(super) pongs: Vec<u64>,
    /// Calls that could not leave, and why.
    pub(super) failures: Vec<(H::Caller, Failure)>,
    pub(super) garbage: Garbage<H>,
    pub(super) counters: Counters,
    /// Until when the writer sleeps.
    scheduled: Option<Time>,
    /// Since when calls wait and none could leave.
    pub(super) stalled: Option<Time>,
    /// How long they may, and how long a broken connection may take to come back.
    pub(super) patience: Duration,
    /// How many bytes of calls, and of answers, may wait to be sent.
    pub(super) max_unsent: u64,
    /// What it takes to resume.
    pub(super) ticket: Ticket,
    /// When the last Resume of this side left.
    pub(super) resuming: Time,
    /// Bytes of answers that never wait and are not acknowledged, at most.
    pub(super) provoked: u64,
    /// Bye was said: nothing follows it.
    pub(super) parting: bool,
    /// The last frame of this side that the peer had handled when it said Bye.
    pub(super) heard: Option<u64>,
    /// This side ends it when nothing uses it: see [`set_transient`](Self::set_transient).
    pub(super) transient: bool,
    /// It did.
    pub(super) retired: bool,
    /// How many pins of the peer wait for an Unpin of this side.
    pub(super) owed: u64,
}

impl<H: Handles> Session<H> {
    /// A session whose handshake is still to be made. `eager`: a person or program named the address, so Roots may
    /// leave behind the Hello.
    pub fn new(key: SessionKey, me: NodeId, limits: Limits, here: Locality, eager: bool) -> Self {
        Self {
            key,
            me,
            phase: Phase::Opening,
            limits,
            allowed: allowed(Limits::default(), &limits),
            here,
            peer: None,
            eager,
            lease: None,
            now: Time::default(),
            ring: Ring::default(),
            bulk: Bulk::default(),
            strands: Strands::default(),
            received: Received::default(),
            outgoing: Outgoing::default(),
            calls: Calls::default(),
            serving: Serving::default(),
            listing: Listing::default(),
            pins: Pins::default(),
            imports: Imports::default(),
            dropped: VecDeque::new(),
            tunnels: Tunnels::default(),
            last_transfer: 0,
            pongs: Vec::new(),
            failures: Vec::new(),
            garbage: Garbage::default(),
            counters: Counters::default(),
            scheduled: None,
            stalled: None,
            patience: Duration::from_secs(10),
            max_unsent: 256 * 1024 * 1024,
            ticket: Ticket::None,
            resuming: Time(0),
            provoked: 0,
            parting: false,
            heard: None,
            transient: false,
            retired: false,
            owed: 0,
        }
    }

    /// How long calls may wait: for room when none can leave, and for a broken connection to come back; 10 s if nothing is said.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// This side dialed for the sake of an owner, and ends the session once nothing has used it for a third of the lease
    /// (PROTOCOL 7.6).
    pub fn set_transient(&mut self) {
        self.transient = true;
    }

    /// The handshake is over. False: the session was ended meanwhile, or the handshake took longer than the lease.
    pub fn open(&mut self, now: Time, peer: Peer, ticket: Ticket) -> bool {
        if self.phase != Phase::Opening {
            return false;
        }
        let lease = Lease::new(peer.lease, peer.sent, now);
        if now >= lease.holder_end() {
            return false;
        }
        self.lease = Some(lease);
        self.allowed = allowed(peer.limits, &self.limits);
        self.peer = Some(peer);
        self.ticket = ticket;
        self.phase = Phase::Open;
        true
    }

    /// Which session of this node.
    pub fn key(&self) -> SessionKey {
        self.key
    }

    /// Where in its life the session is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Lapsed(_) | Phase::Ended)
    }

    /// Whether the handshake is over and the session is not, connected or detached.
    pub fn is_on(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Detached(_))
    }

    /// Whether the writer has something to do, or to do earlier than it was told by [`schedule`](Self::schedule).
    pub fn is_due(&self) -> bool {
        let is_earlier = || match (self.next_timeout(), self.scheduled) {
            (Some(next), Some(scheduled)) => next < scheduled,
            (next, None) => next.is_some(),
            (None, Some(_)) => false,
        };
        self.has_output() || self.begins_to_stall() || is_earlier()
    }

    /// [`next_timeout`](Self::next_timeout), for a writer that sleeps until then unless it is woken.
    pub fn schedule(&mut self) -> Option<Time> {
        self.scheduled = self.next_timeout();
        self.scheduled
    }

    /// Whether frames flow.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether a call may be given to it: it is opening, or its lease is not over.
    pub fn is_usable(&self, now: Time) -> bool {
        match self.phase {
            _ if self.parting => false,
            Phase::Opening => true,
            Phase::Open | Phase::Detached(_) => {
                self.lease.as_ref().is_some_and(|lease| now < lease.holder_end())
            }
            Phase::Lapsed(_) | Phase::Ended => false,
        }
    }

    /// Whether [`take_garbage`](Self::take_garbage) or [`take_failures`](Self::take_failures) would return anything.
    pub fn leaves_something(&self) -> bool {
        let Garbage { objects, pins, callers } = &self.garbage;
        !(objects.is_empty() && pins.is_empty() && callers.is_empty() && self.failures.is_empty())
    }

    /// What is to be dropped outside of the lock.
    pub fn take_garbage(&mut self) -> Garbage<H> {
        std::mem::take(&mut self.garbage)
    }

    /// Calls that could not leave, and why.
    pub fn take_failures(&mut self) -> Vec<(H::Caller, Failure)> {
        std::mem::take(&mut self.failures)
    }
}
