//! How much may leave, and how much may wait.

use crate::id::InterfaceName;
use crate::session::message::{Failure, Message, OutReference};
use crate::session::outgoing::BATCH;
use crate::session::state::{Handles, Session};
use crate::wire::{Frame, INTERFACE_MAX, Limits};

/// How many calls may wait for room before further ones are refused.
const MAX_QUEUED_CALLS: usize = 65_536;

/// Answers of so many bytes may always wait: those that say that another one may not.
const ALWAYS: usize = 4096;

/// How many times the ring's limit answers and other frames that never wait may take, before the peer, which must be
/// making them without ever acknowledging, is given up.
const MAX_RINGS: u64 = 16;

/// How many bytes a peer may leave unacknowledged in any case.
const MAX_UNACKNOWLEDGED: u64 = 256 * 1024 * 1024;

/// What a side that accepts `own` sends to one that accepts `of_peer`.
pub(super) fn allowed(mut of_peer: Limits, own: &Limits) -> Limits {
    // Whatever it accepts, a frame is not so large that others wait long behind it.
    of_peer.frame = of_peer.frame.min(BATCH as u32);
    // Nor does this side keep more for it than it would let a peer keep for itself.
    of_peer.ring = of_peer.ring.min(own.ring);
    of_peer
}

impl<H: Handles> Session<H> {
    /// How many bytes of calls, and as many of answers, may wait to be sent; 256 MiB if nothing is said.
    pub fn set_max_unsent(&mut self, bytes: u64) {
        self.max_unsent = bytes;
    }

    /// What may be sent, by what the peer accepts: the defaults until it says so.
    pub(super) fn peer_limits(&self) -> Limits {
        self.allowed
    }

    /// Whether one more call may wait.
    pub(super) fn may_wait(&self, message: &Message<H>) -> Result<(), Failure> {
        if self.outgoing.calls.len() >= MAX_QUEUED_CALLS {
            return Err(Failure::Overloaded("too many calls are waiting to be sent to this peer"));
        }
        if !self.outgoing.calls.has_room(message.payload.len(), self.max_unsent) {
            return Err(Failure::Overloaded(
                "the calls that wait to be sent to this peer take too much memory",
            ));
        }
        Ok(())
    }

    /// Whether the peer takes its answers, so that it makes sense to execute more of its calls.
    pub(super) fn takes_answers(&self) -> bool {
        self.outgoing.replies.has_room(0, self.max_unsent / 2)
    }

    /// Why the answer cannot be sent, if it cannot: then another one must be.
    pub fn check_reply(&self, payload: usize, references: &[OutReference<H>]) -> Result<(), Failure> {
        if payload > ALWAYS && !self.outgoing.replies.has_room(payload, self.max_unsent) {
            return Err(Failure::Overloaded(
                "the answers that wait to be sent to this peer take too much memory",
            ));
        }
        self.check(payload, references)
    }

    pub(super) fn check(&self, size: usize, references: &[OutReference<H>]) -> Result<(), Failure> {
        let limits = self.peer_limits();
        let too_large = |what, size: u64, limit| Err(Failure::TooLarge { what, size, limit });
        if size as u64 > limits.message {
            return too_large("a message", size as u64, limits.message);
        }
        if references.len() > limits.references as usize {
            return too_large("references in one message", references.len() as u64, limits.references.into());
        }
        if references.is_empty() {
            return Ok(());
        }
        let objects = self.limits.objects as usize;
        let is_new = |r: &&OutReference<H>| matches!(r, OutReference::Own { id, .. } if self.listing.frame(*id).is_none());
        let new = || references.iter().filter(is_new).count();
        if self.listing.len() + references.len() > objects && self.listing.len() + new() > objects {
            return Err(Failure::Overloaded("this peer holds too many objects of this node"));
        }
        // Nearly always.
        let names = references.iter().map(|reference| reference.interface().as_str().len());
        if names.clone().all(|len| len <= INTERFACE_MAX)
            && references.iter().map(OutReference::longest).sum::<usize>() <= limits.table as usize
        {
            return Ok(());
        }
        let table = self.table(references);
        if let Some(name) =
            table.interfaces.iter().map(InterfaceName::as_str).find(|name| name.len() > INTERFACE_MAX)
        {
            return too_large("an interface's name", name.len() as u64, INTERFACE_MAX as u64);
        }
        let table = table.encoded_len() as u64;
        if table > limits.table.into() {
            return too_large("a reference table", table, limits.table.into());
        }
        Ok(())
    }

    /// Numbers a frame that never waits and that the peer provoked.
    pub(super) fn push_provoked(&mut self, frame: &Frame) {
        let before = self.ring.waiting();
        self.ring.push(frame);
        self.provoked += self.ring.waiting().saturating_sub(before) as u64;
    }

    /// The peer acknowledged something: of what it provoked, no more is left than of all.
    pub(super) fn provoked_acknowledged(&mut self) {
        self.provoked = self.provoked.min(self.ring.unacknowledged() as u64);
    }

    /// Whether the peer lets more pile up here than any honest one would: of what it provoked itself, or, as others may provoke what
    /// this side asks it for and cleans, of everything.
    pub(super) fn is_flooded(&self) -> bool {
        let most = self.peer_limits().ring.saturating_mul(MAX_RINGS);
        self.provoked > most || self.ring.unacknowledged() as u64 > most.max(MAX_UNACKNOWLEDGED)
    }
}
