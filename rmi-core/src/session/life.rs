//! The session's time and its ends (PROTOCOL 7.6).

use crate::session::lease::Lease;
use crate::session::resume::Ticket;
use crate::session::state::{Handles, Lost, Phase, Session, Timeout};
use crate::session::time::Time;
use crate::session::tunnels::Tunnels;
use crate::wire::Frame;

/// The code of the Bye of a side that ends a session because nothing uses it (PROTOCOL 3.6).
pub const BYE_UNUSED: u8 = 4;

impl<H: Handles> Session<H> {
    /// When [`handle_timeout`](Self::handle_timeout) must be called, unless a frame arrives or leaves before.
    pub fn next_timeout(&self) -> Option<Time> {
        match (self.phase, &self.lease) {
            (Phase::Open, Some(lease)) => {
                let mut next = self.end_of(lease).min(lease.next_ping());
                if let Some(since) = self.stalled {
                    next = next.min(since + self.patience);
                }
                Some(self.received.due().map_or(next, |due| due.min(next)))
            }
            (Phase::Detached(since), Some(lease)) => Some(lease.holder_end().min(since + self.patience)),
            (Phase::Lapsed(until), _) => Some(until),
            _ => None,
        }
    }

    /// When the connection must be given up, unless something arrives before.
    pub fn connection_end(&self) -> Option<Time> {
        self.lease.as_ref().map(|lease| self.end_of(lease))
    }

    /// A silent connection is given up early only where there can be another.
    fn end_of(&self, lease: &Lease) -> Time {
        match self.ticket {
            Ticket::None => lease.holder_end(),
            _ => lease.connection_end(),
        }
    }

    /// Time passed. Pings and Acks that are due come out of [`poll_output`](Self::poll_output).
    pub fn handle_timeout(&mut self, now: Time) -> Timeout {
        match (self.phase, &self.lease) {
            (Phase::Open | Phase::Detached(_), Some(lease)) if now >= lease.holder_end() => {
                Timeout::HolderEnd
            }
            (Phase::Detached(since), _) if now >= since + self.patience => Timeout::HolderEnd,
            (Phase::Open, Some(lease)) if now >= self.end_of(lease) => Timeout::Silent,
            (Phase::Lapsed(until), _) if now >= until => Timeout::OwnerEnd,
            _ => Timeout::Nothing,
        }
    }

    /// Both ends at once: a Bye, a protocol error, a refused handshake, or the owner's end.
    pub fn end(&mut self) -> Lost<H> {
        self.phase = Phase::Ended;
        let lost = self.lose();
        self.garbage.objects.extend(self.listing.end());
        self.garbage.pins.extend(self.pins.end());
        lost
    }

    pub(super) fn lose(&mut self) -> Lost<H> {
        // What was still under way when the peer said Bye is not carried out (3.6).
        let taken = self.heard.unwrap_or(self.ring.taken());
        let under_way = &self.outgoing.under_way;
        let is_whole = |call| !under_way.iter().any(|message| message.part.is_call(call));
        let calls = self.calls.end(|call, last| last <= taken && is_whole(call));
        self.outgoing.end(&mut self.garbage);
        self.tunnels = Tunnels::default();
        self.dropped.clear();
        Lost { imports: self.imports.end(), calls }
    }

    /// The connection broke before the handshake was over: what rode along is to be sent again.
    pub fn restart(&mut self) {
        if self.phase == Phase::Opening {
            self.ring.rewind();
        }
    }

    /// Says Bye. Nothing leaves after it, and no call that arrives after it is executed; the caller then ends the session.
    pub fn bye(&mut self, code: u8, text: String) {
        if self.phase == Phase::Open && !self.parting {
            self.ring.push(&Frame::Bye { code, text, received: self.received.frames() });
            self.parting = true;
        }
    }

    /// Says Bye if this side ends what nothing uses, and nothing does. False: the session goes on.
    pub(super) fn retire(&mut self) -> bool {
        if self.transient && self.is_on() && !self.parting && self.is_unused() {
            self.bye(BYE_UNUSED, "nothing uses the session".into());
            self.retired = self.parting;
        }
        self.retired
    }

    /// Whether this side has said Bye because nothing used the session.
    pub fn has_retired(&self) -> bool {
        self.retired
    }

    /// Whether Bye was said and handed to the connection.
    pub fn has_parted(&self) -> bool {
        self.parting && self.ring.waiting() == 0
    }
}

#[cfg(test)]
pub(super) mod tests;
