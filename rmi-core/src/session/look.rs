//! What a session tells about itself.

use std::ops::RangeInclusive;

use crate::id::ObjectId;
use crate::session::handshake::Peer;
use crate::session::state::{Counters, Handles, Session};
use crate::session::time::Time;

/// How many bytes of frames are worth a write of their own, at least and at most, and what each call under way adds to that: more than half of what
/// a small one takes.
const ENOUGH: RangeInclusive<usize> = 1024..=16 * 1024;
const SHARE: usize = 32;

impl<H: Handles> Session<H> {
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

    /// How many frames of this side are known to have arrived, and how many of the peer's have: what connections were good for.
    pub fn delivered(&self) -> (u64, u64) {
        (self.ring.acked(), self.received.frames())
    }

    /// How many calls of the peer are unanswered.
    pub fn serving(&self) -> usize {
        self.serving.len()
    }

    /// How many calls of this side are unanswered.
    pub fn waiting(&self) -> usize {
        self.calls.len()
    }

    /// Whether so few calls are unanswered, of both sides, that nobody else is about to send anything: what is to be sent now need
    /// not wait for more.
    pub fn is_quiet(&self) -> bool {
        self.serving.len() + self.calls.begun() as usize <= 2
    }

    /// Whether frames wait to be written.
    pub fn has_unwritten(&self) -> bool {
        self.ring.waiting() > 0
    }

    /// The latest time that was given to it.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Whether so much waits to be written that it is worth a write of its own although more is about to come: the peer works on it
    /// meanwhile. With few calls under way that is what a few of them take, or both sides would only ever work in turn.
    pub fn has_enough(&self) -> bool {
        let share = self.calls.begun() as usize * SHARE;
        self.ring.waiting() >= share.clamp(*ENOUGH.start(), *ENOUGH.end())
    }

    /// Whether the peer holds nothing here and nothing runs for it.
    pub fn is_idle(&self) -> bool {
        self.listing.is_empty() && self.pins.is_empty() && self.serving.len() == 0
    }

    /// Whether nothing would be missed if the session ended: neither side holds anything here, no call and no tunnel is in it, the
    /// peer has received everything, and none of its pins waits for this side: it may be all that keeps a third node's object.
    pub fn is_unused(&self) -> bool {
        self.is_idle()
            && self.imports.is_empty()
            && self.calls.len() == 0
            && self.tunnels() == 0
            && self.owed == 0
            && self.ring.unacknowledged() == 0
            && self.outgoing.is_empty()
    }

    /// Whether everything that was numbered or queued has been handed to a connection.
    pub fn is_flushed(&self) -> bool {
        self.ring.waiting() == 0 && self.outgoing.is_empty()
    }
}
