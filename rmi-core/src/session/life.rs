//! The session's time and its ends (PROTOCOL 7.6).

use crate::session::lease::Lease;
use crate::session::queue::Part;
use crate::session::state::{Handles, Lost, Phase, Session, Timeout};
use crate::session::time::Time;
use crate::wire::Frame;

impl<H: Handles> Session<H> {
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
        let taken = self.ring.taken();
        let under_way = &self.outgoing.under_way;
        let is_whole = |call| {
            !under_way.iter().any(|message| matches!(message.part, Part::Call(part, _) if part == call))
        };
        let calls = self.calls.end(|call, last| last <= taken && is_whole(call));
        self.outgoing.end(&mut self.garbage);
        Lost { imports: self.imports.end(), calls }
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
