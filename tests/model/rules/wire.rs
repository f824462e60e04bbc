//! Connections that break, and resumption (PROTOCOL 8).

use crate::mutant::Mutant;
use crate::rules::{Mark, Turn};
use crate::state::{ACCEPTOR, DIALER, Flaw, Frame, Life, Packet, SessionAt, Wire};

impl Turn<'_> {
    /// What was in flight may arrive until the other side notices. A Resume may be seen late.
    pub fn break_connection(&mut self, at: SessionAt) {
        self.state.left.breaks -= 1;
        let session = self.session(at);
        if session.wire == Wire::Resuming {
            let unseen = std::mem::take(&mut session.flight[ACCEPTOR]);
            session.late.extend(unseen);
        }
        self.detach(at);
        if self.config.is(Mutant::EndsWithConnection) {
            for side in [DIALER, ACCEPTOR] {
                self.release_owner_side((at, side));
            }
        }
    }

    fn detach(&mut self, at: SessionAt) {
        let session = self.session(at);
        session.wire = Wire::Broken;
        for end in &mut session.ends {
            end.attached = false;
        }
    }

    /// The dialer stops its reader and dials again. The acceptor can still read what was in flight.
    pub fn redial(&mut self, at: SessionAt) {
        let reads_on = self.config.is(Mutant::ReadsOn);
        let session = self.session(at);
        // Only a mutant gets here otherwise.
        session.ends[DIALER].life = Life::Open;
        let left_behind = std::mem::take(&mut session.flight[ACCEPTOR]);
        session.stale.extend(left_behind);
        if !reads_on {
            session.flight[DIALER].clear();
        }
        let (received, token) = (session.ends[DIALER].received, session.token);
        session.flight[ACCEPTOR].push_back(Packet::Resume { received, token });
        session.wire = Wire::Resuming;
    }

    /// The acceptor: check the token, fence, then report `received`, then replay.
    pub fn resume(&mut self, at: SessionAt, received: u64, token: u8) {
        if !self.admit(at, token) {
            if self.session(at).ends[ACCEPTOR].is_open() {
                self.flaw(Flaw::Refused);
            }
            self.session(at).flight[DIALER].push_back(Packet::Expired);
            return;
        }
        if !self.config.is(Mutant::NoFence) && !self.session(at).stale.is_empty() {
            self.marks.set(Mark::Fenced);
            self.session(at).stale.clear();
        }
        self.reported(at, ACCEPTOR, received);
        let session = self.session(at);
        let answer = Packet::Resumed { received: session.ends[ACCEPTOR].received, token: session.issued.0 };
        session.flight[DIALER].push_back(answer);
        self.replay(at, ACCEPTOR, received);
    }

    /// The acceptor comes to a Resume whose connection the dialer has given up. It cannot know that: the present connection is fenced.
    pub fn resume_late(&mut self, at: SessionAt, which: usize) {
        let Packet::Resume { received, token } = self.session(at).late.remove(which) else { return };
        if !self.admit(at, token) {
            return;
        }
        self.marks.set(Mark::Late);
        self.reported(at, ACCEPTOR, received);
        let session = self.session(at);
        session.stale.clear();
        if session.wire == Wire::Up || session.ends[ACCEPTOR].attached {
            session.flight[ACCEPTOR].clear();
            self.detach(at);
        }
    }

    /// Whether the token is admitted; the next one is issued. Who comes with the one before has not received the last, and gets it
    /// again: were there another one, a dialer that did receive the last could not come back.
    fn admit(&mut self, at: SessionAt, token: u8) -> bool {
        let (at_once, reissues) = (Mutant::TokenReplacedAtOnce, Mutant::TokenReissued);
        let (at_once, reissues) = (self.config.is(at_once), self.config.is(reissues));
        let session = self.session(at);
        if !session.ends[ACCEPTOR].is_open() || !session.admits(token) {
            return false;
        }
        if session.issued.0 == token || reissues {
            session.issued = (session.issued.0 + 1, Some(token).filter(|_| !at_once));
        }
        true
    }

    fn reported(&mut self, at: SessionAt, side: usize, received: u64) {
        let end = &mut self.session(at).ends[side];
        let impossible = received < end.reported || received > end.last;
        end.reported = received;
        self.misbehaved(!impossible);
    }

    /// The dialer was answered; the connection may be broken again already.
    pub fn resumed(&mut self, at: SessionAt, received: u64, token: u8) {
        self.session(at).token = token;
        self.reported(at, DIALER, received);
        if self.session(at).wire == Wire::Resuming {
            self.session(at).wire = Wire::Up;
            self.replay(at, DIALER, received);
        }
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
