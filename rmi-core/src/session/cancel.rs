//! Calls that are given up: withdrawn, aborted or cancelled (PROTOCOL 4.12).

use crate::session::incoming::{Event, Verdict};
use crate::session::outgoing::MIN_SWEEP;
use crate::session::queue::Part;
use crate::session::state::{Handles, Session};
use crate::wire::Frame;

impl<H: Handles> Session<H> {
    /// Nobody waits for the answer to a call of this side any more.
    ///
    /// Before it has begun, nothing of it leaves. If it is under way in fragments, it is aborted and over on both sides.
    /// Otherwise the peer is told, once; its answer still comes, and the references in it are to be dropped like any
    /// others.
    pub fn cancel(&mut self, call: u64) {
        match self.calls.give_up(call) {
            Some(false) => {
                if let Some(message) = self.outgoing.withdraw(call) {
                    message.discard(&mut self.garbage);
                }
                self.forget(call);
            }
            // What leaves before Welcome is a Root, which is answered at once (2.4).
            Some(true) if self.is_on() && !self.parting => {
                match self.outgoing.stop(|part| part.is_call(call)) {
                    Some(first) => {
                        self.ring.push(&Frame::Abort { first });
                        self.forget(call);
                    }
                    None => {
                        self.ring.push(&Frame::Cancel { call });
                    }
                }
            }
            _ => {}
        }
    }

    /// The same for many calls, as when all are dropped at once: what has not begun is taken back in one pass.
    pub fn cancel_all(&mut self, calls: Vec<u64>) {
        if calls.len() > MIN_SWEEP {
            self.sweep();
        }
        for call in calls {
            self.cancel(call);
        }
    }

    /// What waited for its room begins when the time is known: with the output that follows.
    fn forget(&mut self, call: u64) {
        self.garbage.callers.extend(self.calls.remove(call));
    }

    /// Whether to execute a call of the peer that began with this verdict, now that all of it is here.
    pub fn reconsider(&self, call: u64, verdict: Verdict) -> Verdict {
        match verdict {
            _ if self.parting => Verdict::Parted,
            _ if self.serving.is_cancelled(call) => Verdict::Cancelled,
            verdict => verdict,
        }
    }

    /// Whether the peer waits no longer for the answer to a call that is being executed.
    pub fn is_cancelled(&self, call: u64) -> bool {
        self.serving.is_cancelled(call)
    }

    /// The peer waits for the answer to its call no longer. An answer that is under way is aborted, and has been given; one
    /// that waits to leave just leaves.
    pub(super) fn cancelled(&mut self, call: u64) -> Event<H> {
        if !self.parting
            && let Some(first) = self.outgoing.stop(|part| part == Part::Reply(call))
        {
            self.ring.push(&Frame::Abort { first });
            self.pump();
            return Event::Nothing;
        }
        match self.serving.cancel(call) {
            true => Event::Cancel { call },
            // It is over, or never was: they cross.
            false => Event::Nothing,
        }
    }
}

#[cfg(test)]
mod tests;
