//! The lease of a session and its two ends in time (PROTOCOL 7.6).

use std::time::Duration;

use crate::session::time::Time;

/// When this side must have given up as a holder, and how long it keeps what it owes as an owner.
///
/// The holder's end is counted from the *sending* of a frame that the peer is known to have received, the owner's
/// from a *receipt*, so a holder always gives up before its owner does, however long frames are under way.
#[derive(Debug)]
pub(super) struct Lease {
    term: Duration,
    /// Less what is left for clocks that run differently.
    holder_term: Duration,
    /// The sending time of the last frame that the peer acknowledged, by Ack, Pong or Welcome.
    confirmed: Time,
    received: Time,
    /// When the last Ping left.
    pinged: Time,
    /// The first Ping since anything arrived.
    asked: Option<Time>,
    /// A new connection is to be tried out.
    ping_now: bool,
}

impl Lease {
    /// A lease of `term`, opened by a handshake frame that left at `sent` and one that arrived at `now`.
    pub(super) fn new(term: Duration, sent: Time, now: Time) -> Self {
        // A thirty-second of T.
        let holder_term = term - term / 32;
        Self { term, holder_term, confirmed: sent, received: now, pinged: sent, asked: None, ping_now: false }
    }

    /// A frame arrived.
    pub(super) fn received(&mut self, now: Time) {
        self.received = self.received.max(now);
        self.asked = None;
    }

    /// The peer has received what left at `sent`.
    pub(super) fn confirmed(&mut self, sent: Time) {
        self.confirmed = self.confirmed.max(sent);
    }

    /// A Ping leaves.
    pub(super) fn pinged(&mut self, now: Time) {
        self.pinged = now;
        self.asked.get_or_insert(now);
        self.ping_now = false;
    }

    /// When the last Ping left.
    pub(super) fn last_ping(&self) -> Time {
        self.pinged
    }

    /// Imports and calls end here.
    pub(super) fn holder_end(&self) -> Time {
        self.confirmed + self.holder_term
    }

    /// The session goes on over another connection. Pings on the old one are not answered any more.
    pub(super) fn resumed(&mut self, now: Time) {
        self.received(now);
        self.ping_now = true;
    }

    /// The connection is given up here, if nothing arrives before: a Ping had no answer for a third of the term, or this side
    /// gives up as a holder.
    pub(super) fn connection_end(&self) -> Time {
        let silent = self.asked.map(|asked| asked + self.term / 3);
        silent.map_or(self.holder_end(), |silent| silent.min(self.holder_end()))
    }

    /// Listings and pins end here.
    pub(super) fn owner_end(&self) -> Time {
        self.received + self.term
    }

    /// When to ping next, unless something is confirmed before.
    pub(super) fn next_ping(&self) -> Time {
        if self.ping_now { self.received } else { self.confirmed.max(self.pinged) + self.term / 3 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_gives_up_first() {
        let term = Duration::from_secs(3);
        let second = |n: u64| Time(n * 1_000_000);
        // The holder sends at 10 and the owner receives it at 12, whatever is confirmed of it later.
        let mut holder = Lease::new(term, second(0), second(0));
        let mut owner = Lease::new(term, second(0), second(0));
        owner.received(second(12));
        holder.confirmed(second(10));
        assert!(holder.holder_end() < owner.owner_end());
        holder.confirmed(second(5));
        assert_eq!(
            holder.holder_end(),
            second(10) + (term - term / 32),
            "an old confirmation changes nothing"
        );
        assert_eq!(holder.next_ping(), second(11));
        holder.pinged(second(11));
        assert_eq!(holder.next_ping(), second(12));
    }
}
