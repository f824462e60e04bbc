//! What planted bugs do to frames, tokens and times.

use bytes::Bytes;
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::{Phase, Time};
use rmi_core::internal::wire::{Frame, Resume};

use crate::bug::Bug;
use crate::driver::encoded;
use crate::log::Numbered;
use crate::net::Flying;
use crate::serve::{CallRecord, Outcome};
use crate::world::World;

impl World {
    /// Alters frames on their way.
    pub fn tamper(&mut self, flying: &mut Flying, conn: usize, from: usize) {
        let Frame::Clean { object, upto } = flying.frame else { return };
        let Some(log) = self.conns[conn].log else { return };
        let owners = &self.logs[log].sides[1 - from];
        let fresh = match self.config.bug {
            Some(Bug::NoUpto) => owners.sent.len() as u64,
            Some(Bug::ReencodedClean) => owners.delivered as u64,
            _ => return,
        };
        if fresh != upto {
            self.planted += 1;
            flying.frame = Frame::Clean { object, upto: fresh };
            flying.bytes = encoded(&flying.frame);
        }
    }

    /// The time by which a lease is looked at, and whether the lease is over all the same.
    pub fn lenient_local(&mut self, key: SessionKey) -> (Time, bool) {
        let Some(link) = self.links.get(&key) else { return Default::default() };
        let local = self.local(link.node);
        let expired = !link.is_usable(local);
        match link.session.phase() {
            Phase::Detached(since) if self.config.bug == Some(Bug::ResumeAfterExpiry) && expired => {
                self.planted += 1;
                (since, true)
            }
            _ => (local, expired),
        }
    }

    pub fn turns_away(&mut self, key: SessionKey, resume: &Resume) -> bool {
        let turned =
            self.config.bug == Some(Bug::LatestTokenOnly) && resume.token != self.links[&key].back.latest;
        self.planted += u32::from(turned);
        turned
    }

    pub fn misreport(&mut self, resume: &mut Frame) {
        let Frame::Resume(resume) = resume else { return };
        match self.config.bug {
            Some(Bug::ReceivedNotReported) if resume.received > 0 => resume.received = 0,
            Some(Bug::ReceivedTooHigh) => resume.received += 1,
            _ => return,
        }
        self.planted += 1;
    }

    pub fn fail_calls_at_detach(&mut self, key: SessionKey) {
        if self.config.bug != Some(Bug::FailCallsAtDetach) {
            return;
        }
        let open =
            |record: &CallRecord| record.outcomes == 0 && record.given.is_some_and(|(link, _)| link == key);
        let callers: Vec<_> =
            self.calls.values().filter(|r| open(r)).filter_map(|record| record.caller.upgrade()).collect();
        for caller in callers {
            self.planted += 1;
            self.outcome(&caller, Outcome::Unknown("detached".into()), Vec::new());
        }
    }

    /// What really goes over a connection in place of one numbered frame.
    pub fn replayed(&mut self, conn: usize, end: usize, numbered: Numbered, bytes: &Bytes) -> Vec<Bytes> {
        let honest = vec![bytes.clone()];
        let Numbered { number, again } = numbered;
        let key = self.conns[conn].ends[end].link;
        let Some(link) = self.links.get(&key) else { return honest };
        let (Some(from), Some((log, side))) = (link.back.replay_from, link.log) else { return honest };
        // The first frame behind what the peer said it has.
        let first = number == from + 1;
        let sent = &self.logs[log].sides[side];
        let planted = match self.config.bug {
            Some(Bug::ReplayLosesLast) if again && number >= sent.last_batch => Vec::new(),
            Some(Bug::ReplayTooLate) if again && first => Vec::new(),
            Some(Bug::ReplayTooEarly) if first && from > 0 => {
                vec![sent.sent[from as usize - 1].clone(), bytes.clone()]
            }
            Some(Bug::CleanReencodedAtReplay) if again => {
                let Ok(Frame::Clean { object, upto }) = Frame::decode(bytes.slice(4..), &self.limits) else {
                    return honest;
                };
                let fresh = link.session.frames().1;
                if fresh == upto {
                    return honest;
                }
                vec![encoded(&Frame::Clean { object, upto: fresh })]
            }
            _ => return honest,
        };
        self.planted += 1;
        planted
    }
}
