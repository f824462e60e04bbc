//! The state of a session, its ends in time, and what remains of it.

use std::fmt::Debug;
use std::time::Duration;

use crate::gc::{Arrival, Debt, Imports, Listing, LostImport, Pins, SessionKey};
use crate::id::{NodeId, ObjectId};
use crate::session::calls::{Calls, LostCall, Serving};
use crate::session::handshake::Peer;
use crate::session::lease::Lease;
use crate::session::locality::Locality;
use crate::session::outgoing::{Failure, Outgoing};
use crate::session::sequence::{Received, Ring};
use crate::session::time::Time;
use crate::wire::{Frame, Limits};

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
    /// This side has given up as a holder; listings and pins stay until this time.
    Detached(Time),
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
    /// This side must give up as a holder: [`Session::detach`].
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
}

impl<H: Handles> Default for Garbage<H> {
    fn default() -> Self {
        Self { objects: Vec::new(), pins: Vec::new() }
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
}

/// One side of a session. See the module for how to drive it.
#[derive(Debug)]
pub struct Session<H: Handles> {
    pub(super) key: SessionKey,
    pub(super) me: NodeId,
    pub(super) phase: Phase,
    /// What this side accepts.
    pub(super) limits: Limits,
    pub(super) here: Locality,
    /// What is known of the peer; `None` while opening.
    pub(super) peer: Option<Peer>,
    /// Whether Root frames may leave before Welcome (2.4).
    pub(super) eager: bool,
    pub(super) lease: Option<Lease>,
    pub(super) ring: Ring,
    pub(super) received: Received,
    pub(super) outgoing: Outgoing<H>,
    pub(super) calls: Calls<H::Caller>,
    pub(super) serving: Serving,
    pub(super) listing: Listing<H::Object>,
    pub(super) pins: Pins<H::Pin>,
    pub(super) imports: Imports<H::Weak>,
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
    /// How long they may.
    pub(super) patience: Duration,
    /// Bytes of answers that never wait and are not acknowledged, at most.
    pub(super) provoked: u64,
    /// Bye was said: nothing follows it.
    pub(super) parting: bool,
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
            here,
            peer: None,
            eager,
            lease: None,
            ring: Ring::default(),
            received: Received::default(),
            outgoing: Outgoing::default(),
            calls: Calls::default(),
            serving: Serving::default(),
            listing: Listing::default(),
            pins: Pins::default(),
            imports: Imports::default(),
            last_transfer: 0,
            pongs: Vec::new(),
            failures: Vec::new(),
            garbage: Garbage::default(),
            counters: Counters::default(),
            scheduled: None,
            stalled: None,
            patience: Duration::from_secs(10),
            provoked: 0,
            parting: false,
        }
    }

    /// How long calls may wait for room when none can leave; 10 s if nothing is said.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// The handshake is over. False: the session was ended meanwhile, or the handshake took longer than the lease.
    pub fn open(&mut self, now: Time, peer: Peer) -> bool {
        if self.phase != Phase::Opening {
            return false;
        }
        let lease = Lease::new(peer.lease, peer.sent, now);
        if now >= lease.holder_end() {
            return false;
        }
        self.lease = Some(lease);
        self.peer = Some(peer);
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

    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Detached(_) | Phase::Ended)
    }

    /// Whether the writer has something to do, or to do earlier than it was told by [`schedule`](Self::schedule).
    pub fn is_due(&self) -> bool {
        let earlier = match (self.next_timeout(), self.scheduled) {
            (Some(next), Some(scheduled)) => next < scheduled,
            (next, None) => next.is_some(),
            (None, Some(_)) => false,
        };
        earlier || self.has_output()
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

    /// Whether a call may be given to it: it is opening, or open and its lease is not over.
    pub fn is_usable(&self, now: Time) -> bool {
        match self.phase {
            _ if self.parting => false,
            Phase::Opening => true,
            Phase::Open => self.lease.as_ref().is_some_and(|lease| now < lease.holder_end()),
            Phase::Detached(_) | Phase::Ended => false,
        }
    }

    /// The peer, once the handshake is over.
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// What was moved.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How many own objects are listed for the peer.
    pub fn listed(&self) -> usize {
        self.listing.len()
    }

    /// The own objects that are listed for the peer.
    pub fn listed_objects(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.listing.objects()
    }

    /// How many objects of the peer are held.
    pub fn imported(&self) -> usize {
        self.imports.len()
    }

    /// Whether there is an import entry for the object.
    pub fn holds(&self, object: ObjectId) -> bool {
        self.imports.confirmed(object).is_some()
    }

    /// How many references to objects of third nodes are pinned for the peer.
    pub fn pinned(&self) -> usize {
        self.pins.len()
    }

    /// References to objects of third nodes that are pinned for the peer, by transfer number, in no order.
    pub fn pins(&self) -> impl Iterator<Item = (u64, &H::Pin)> + '_ {
        self.pins.iter()
    }

    /// The last frame that carried a reference to an own object to the peer; 0 if only the peer's Dirty listed
    /// it, `None` if it is not listed.
    pub fn listed_at(&self, object: ObjectId) -> Option<u64> {
        self.listing.frame(object)
    }

    /// Whether the owner has confirmed the import entry of an object; `None` if there is no entry.
    pub fn is_confirmed(&self, object: ObjectId) -> Option<bool> {
        self.imports.confirmed(object)
    }

    /// How many frames were numbered, and how many numbered frames have arrived.
    pub fn frames(&self) -> (u64, u64) {
        (self.ring.last(), self.received.frames())
    }

    /// How many calls of the peer are unanswered.
    pub fn serving(&self) -> usize {
        self.serving.len()
    }

    /// How many calls of this side are unanswered.
    pub fn waiting(&self) -> usize {
        self.calls.len()
    }

    /// Whether the peer holds nothing here and nothing runs for it.
    pub fn is_idle(&self) -> bool {
        self.listing.is_empty() && self.pins.is_empty() && self.serving.len() == 0
    }

    /// Whether everything that was numbered or queued has been handed to a connection.
    pub fn is_flushed(&self) -> bool {
        self.ring.waiting() == 0 && self.outgoing.is_empty()
    }

    /// What is to be dropped outside of the lock.
    pub fn take_garbage(&mut self) -> Garbage<H> {
        std::mem::take(&mut self.garbage)
    }

    /// Calls that could not leave, and why.
    pub fn take_failures(&mut self) -> Vec<(H::Caller, Failure)> {
        std::mem::take(&mut self.failures)
    }

    // ---- collection ----

    /// A reference to an object of the peer, pinned by a third node under `debt`, arrived in another session (7.4).
    /// Returns the handle and debts to be paid at once; `None` if the session is over.
    pub fn import_from_third(
        &mut self,
        object: ObjectId,
        debt: Debt,
        make: impl FnOnce() -> (H::Import, H::Weak),
    ) -> Option<(H::Import, Vec<Debt>)> {
        if self.is_over() {
            return None;
        }
        let (import, arrival) = self.imports.arrive_from_third(object, debt, H::share, make);
        Some((import, self.arrived(object, arrival)))
    }

    /// A handle whose session ended asks again here (7.7). Returns debts to be paid at once; gives the debts back if
    /// this session is over, too.
    pub fn ask_again(
        &mut self,
        object: ObjectId,
        handle: H::Weak,
        debts: Vec<Debt>,
    ) -> Result<Vec<Debt>, Vec<Debt>> {
        if self.is_over() {
            return Err(debts);
        }
        let arrival = self.imports.ask_again(object, handle, debts);
        Ok(self.arrived(object, arrival))
    }

    /// More is owed for an entry that has its handle already. Returns what is to be paid at once.
    /// Gives the debts back if the session is over.
    pub fn owe(&mut self, object: ObjectId, debts: Vec<Debt>) -> Result<Vec<Debt>, Vec<Debt>> {
        if self.is_over() {
            return Err(debts);
        }
        Ok(self.imports.owe(object, debts))
    }

    fn arrived(&mut self, object: ObjectId, arrival: Arrival) -> Vec<Debt> {
        match arrival {
            Arrival::SendDirty => {
                self.ring.push(&Frame::Dirty { object });
                Vec::new()
            }
            Arrival::Waits => Vec::new(),
            Arrival::Pay(debts) => debts,
        }
    }

    /// Pays a debt to the peer. A session that is over has nothing to pay: its peer's pins end by themselves.
    pub fn unpin(&mut self, transfer: u64) {
        if matches!(self.phase, Phase::Open) {
            self.ring.push(&Frame::Unpin { transfer });
        }
    }

    /// The last clone of a handle was dropped (7.5).
    pub fn dropped(&mut self, object: ObjectId) {
        if self.imports.dropped(object) {
            self.clean(object);
        }
    }

    pub(super) fn clean(&mut self, object: ObjectId) {
        let upto = self.received.frames();
        self.ring.push(&Frame::Clean { object, upto });
    }

    /// Answers a Dirty with the object that was found, if it is alive (7.4.1).
    pub fn answer_dirty(&mut self, object: ObjectId, alive: Option<H::Object>) {
        if !matches!(self.phase, Phase::Open) {
            self.garbage.objects.extend(alive);
            return;
        }
        let answer = match alive {
            Some(handle) => {
                self.garbage.objects.extend(self.listing.dirty(object, handle));
                Frame::Held { object }
            }
            None => Frame::Gone { object },
        };
        self.push_provoked(&answer);
    }

    // ---- time ----

    /// When [`handle_timeout`](Self::handle_timeout) must be called, unless a frame arrives or leaves before.
    pub fn next_timeout(&self) -> Option<Time> {
        match (self.phase, &self.lease) {
            (Phase::Open, Some(lease)) => {
                let mut next = lease.holder_end().min(lease.next_ping());
                if let Some(since) = self.stalled {
                    next = next.min(since + self.patience);
                }
                Some(self.received.due().map_or(next, |due| due.min(next)))
            }
            (Phase::Detached(until), _) => Some(until),
            _ => None,
        }
    }

    /// When this side must have given up as a holder.
    pub fn holder_end(&self) -> Option<Time> {
        self.lease.as_ref().map(Lease::holder_end)
    }

    /// Time passed. Pings and Acks that are due come out of [`poll_output`](Self::poll_output).
    pub fn handle_timeout(&mut self, now: Time) -> Timeout {
        match (self.phase, &self.lease) {
            (Phase::Open, Some(lease)) if now >= lease.holder_end() => Timeout::HolderEnd,
            (Phase::Detached(until), _) if now >= until => Timeout::OwnerEnd,
            _ => Timeout::Nothing,
        }
    }

    // ---- ends ----

    /// The connection broke, or the lease is over for this side as a holder: imports and calls are lost. Listings and pins
    /// stay until the owner's end.
    pub fn detach(&mut self) -> Lost<H> {
        let until = match (self.phase, &self.lease) {
            (Phase::Open, Some(lease)) => Phase::Detached(lease.owner_end()),
            (Phase::Detached(until), _) => Phase::Detached(until),
            _ => Phase::Ended,
        };
        self.phase = until;
        self.lose()
    }

    /// Both ends at once: a Bye, a protocol error, a refused handshake, or the owner's end.
    pub fn end(&mut self) -> Lost<H> {
        self.phase = Phase::Ended;
        let lost = self.lose();
        self.garbage.objects.extend(self.listing.end());
        self.garbage.pins.extend(self.pins.end());
        lost
    }

    fn lose(&mut self) -> Lost<H> {
        self.outgoing.end(&mut self.garbage);
        Lost { imports: self.imports.end(), calls: self.calls.end() }
    }

    /// Says Bye. Nothing may be sent after it but what is queued; the caller then ends the session.
    pub fn bye(&mut self, code: u8, text: String) {
        if matches!(self.phase, Phase::Open) {
            self.ring.push(&Frame::Bye { code, text });
            self.parting = true;
        }
    }

    /// Whether Bye was said and handed to the connection.
    pub fn has_parted(&self) -> bool {
        self.parting && self.ring.waiting() == 0
    }
}
