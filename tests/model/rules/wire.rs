//! Connections that break, and resumption (PROTOCOL 8).

use std::collections::VecDeque;

use crate::mutant::Mutant;
use crate::rules::{Mark, Turn};
use crate::state::{ACCEPTOR, DIALER, Frame, Life, Packet, SessionAt, Wire};

impl Turn<'_> {
    /// What was in flight may arrive until the other side notices; what a handshake had sent is lost.
    pub fn break_connection(&mut self, at: SessionAt) {
        self.state.left.breaks -= 1;
        let ends = self.config.is(Mutant::EndsWithConnection);
        let session = self.session(at);
        if session.wire == Wire::Resuming {
            session.flight = [VecDeque::new(), VecDeque::new()];
        }
        session.wire = Wire::Broken;
        for end in &mut session.ends {
            end.attached = false;
        }
        if ends {
            for side in [DIALER, ACCEPTOR] {
                self.release_owner_side((at, side));
            }
        }
    }

    /// The dialer stops its reader and dials again. The acceptor can still read what was in flight.
    pub fn redial(&mut self, at: SessionAt) {
        // Only a mutant gets here otherwise.
        let session = self.session(at);
        session.ends[DIALER].life = Life::Open;
        let left_behind = std::mem::take(&mut session.flight[ACCEPTOR]);
        session.stale.extend(left_behind);
        session.flight[DIALER].clear();
        let received = session.ends[DIALER].received;
        session.flight[ACCEPTOR].push_back(Packet::Resume { received });
        session.wire = Wire::Resuming;
    }

    /// The acceptor: fence, then report `received`, then replay.
    pub fn resume(&mut self, at: SessionAt, received: u64) {
        if !self.session(at).ends[ACCEPTOR].is_open() {
            self.session(at).flight[DIALER].push_back(Packet::Expired);
            return;
        }
        if !self.config.is(Mutant::NoFence) && !self.session(at).stale.is_empty() {
            self.marks.set(Mark::Fenced);
            self.session(at).stale.clear();
        }
        let reported = self.session(at).ends[ACCEPTOR].received;
        self.session(at).flight[DIALER].push_back(Packet::Resumed { received: reported });
        self.replay(at, ACCEPTOR, received);
    }

    /// The dialer was answered.
    pub fn resumed(&mut self, at: SessionAt, received: u64) {
        self.session(at).wire = Wire::Up;
        self.replay(at, DIALER, received);
    }

    fn replay(&mut self, at: SessionAt, side: usize, received: u64) {
        let (all, anew) = (self.config.is(Mutant::ReplaysAll), self.config.is(Mutant::CleanReencoded));
        let session = self.session(at);
        let end = &mut session.ends[side];
        end.attached = true;
        for (_, frame) in end.ring.iter_mut().filter(|_| anew) {
            if let Frame::Clean { upto, .. } = frame {
                *upto = end.received;
            }
        }
        if !all {
            end.ring.retain(|(number, _)| *number > received);
        }
        let packets = end.ring.iter().map(|(number, frame)| Packet::Frame(*number, *frame));
        session.flight[1 - side].extend(packets);
        if !self.state.session(at).ends[side].ring.is_empty() {
            self.marks.set(Mark::Replayed);
        }
    }

    /// The acceptor gave up as a holder: the session is over for the dialer in both parts.
    pub fn expired(&mut self, at: SessionAt) {
        self.marks.set(Mark::Expired);
        if self.config.is(Mutant::ExpiredIgnored) {
            let session = self.session(at);
            session.ends[DIALER].expired = true;
            session.wire = Wire::Broken;
            return;
        }
        self.end_both((at, DIALER));
    }
}
