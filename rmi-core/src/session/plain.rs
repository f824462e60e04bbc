//! Messages that are whole in one frame and carry no references, as nearly all are: the same rules, without what these do not need.

use crate::id::{MethodId, ObjectId};
use crate::session::incoming::Verdict;
use crate::session::message::Chunk;
use crate::session::state::{Handles, Phase, Session, SessionError, violation};
use crate::session::strands::Strand;
use crate::session::time::Time;
use crate::wire::{MessageHead, ReplyKind};

impl<H: Handles> Session<H> {
    /// [`call`](Self::call) of a call that can leave at once. If it cannot, the caller is given back, for that. `strand` is asked only where it matters.
    pub fn call_plain(
        &mut self,
        now: Time,
        caller: H::Caller,
        (object, method): (ObjectId, MethodId),
        strand: impl FnOnce() -> Strand,
        deadline: Option<Time>,
        payload: Chunk<'_>,
    ) -> Result<u64, H::Caller> {
        self.now = self.now.max(now);
        let at_once = self.phase == Phase::Open
            && self.is_usable(now)
            && self.outgoing.calls.is_empty()
            && self.has_room_for_calls()
            && self.is_plain(payload)
            && self.is_next(object, strand);
        if !at_once {
            return Err(caller);
        }
        let call = self.calls.next();
        let left_ms = deadline.map(|deadline| deadline.millis_since(self.now));
        let head = MessageHead::Call(call, object, method, left_ms);
        let frame = self.ring.push_message(head, None, payload.len() as u64, payload);
        self.leaves_whole();
        self.calls.add_begun(caller, frame);
        Ok(call)
    }

    /// [`reply`](Self::reply) with an answer that can leave at once. False: it cannot.
    pub fn reply_plain(&mut self, call: u64, status: ReplyKind, payload: Chunk<'_>) -> bool {
        let at_once = self.phase == Phase::Open
            && self.outgoing.replies.is_empty()
            && self.has_room_for_replies()
            && self.is_plain(payload);
        if at_once && self.serving.finish(call) {
            self.ring.push_message(MessageHead::Reply(call, status), None, payload.len() as u64, payload);
            self.leaves_whole();
        }
        at_once
    }

    /// Whether the next call waits for none that is under way. If so, it is made.
    fn is_next(&mut self, object: ObjectId, strand: impl FnOnce() -> Strand) -> bool {
        if !self.strands.matter(self.now) && self.outgoing.under_way.is_empty() {
            return true;
        }
        let strand = strand();
        let is_next = !self.waits(object, strand);
        if is_next {
            self.strands.made(self.calls.next(), strand);
        }
        is_next
    }

    fn is_plain(&self, payload: Chunk<'_>) -> bool {
        payload.len() <= self.allowed.frame as usize && payload.len() as u64 <= self.allowed.message
    }

    /// [`handle`](Self::handle) of a frame of `len` bytes that is a whole call with `size` bytes of arguments.
    pub fn handle_call(
        &mut self,
        now: Time,
        len: usize,
        call: u64,
        size: u64,
    ) -> Result<Verdict, SessionError> {
        self.arrived_frame(now, len)?;
        self.received.count(len, now);
        self.counters.calls_served += 1;
        self.serve(call, size)
    }

    /// [`handle`](Self::handle) of a frame of `len` bytes that continues a message.
    pub fn handle_more(&mut self, now: Time, len: usize) -> Result<(), SessionError> {
        self.arrived_frame(now, len)?;
        self.received.count(len, now);
        Ok(())
    }

    /// [`handle`](Self::handle) of frames that are whole answers to calls, by their lengths and the numbers of the calls. Those who wait for them are
    /// appended to `callers`, up to the first that breaks a rule.
    pub fn handle_answers(
        &mut self,
        now: Time,
        answers: impl IntoIterator<Item = (usize, u64)>,
        callers: &mut impl Extend<H::Caller>,
    ) -> Result<(), SessionError> {
        for (len, call) in answers {
            self.arrived_frame(now, len)?;
            self.received.count(len, now);
            let Some(caller) = self.calls.finish(call) else {
                return violation(format!("it answered call {call}, which does not wait"));
            };
            callers.extend([caller]);
        }
        self.pump();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
