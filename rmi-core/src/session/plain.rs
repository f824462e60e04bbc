//! Messages that are whole in one frame and carry no references, as nearly all are: the same rules, without what these do not need.

use crate::id::{MethodId, ObjectId};
use crate::session::incoming::Verdict;
use crate::session::message::Chunk;
use crate::session::state::{Handles, Phase, Session, SessionError, violation};
use crate::session::time::Time;
use crate::wire::{MessageHead, ReplyKind};

impl<H: Handles> Session<H> {
    /// [`call`](Self::call) of a call that can leave at once. If it cannot, the caller is given back, for that.
    pub fn call_plain(
        &mut self,
        now: Time,
        caller: H::Caller,
        (object, method): (ObjectId, MethodId),
        deadline: Option<Time>,
        payload: Chunk<'_>,
    ) -> Result<u64, H::Caller> {
        self.now = self.now.max(now);
        let at_once = self.phase == Phase::Open
            && self.is_usable(now)
            && self.outgoing.calls.is_empty()
            && self.has_room_for_calls()
            && self.is_plain(payload)
            && !self.outgoing.under_way.iter().any(|message| message.part.is_to(object));
        if !at_once {
            return Err(caller);
        }
        let call = self.calls.next();
        let left_ms = deadline.map(|deadline| deadline.millis_since(self.now));
        let head = MessageHead::Call(call, object, method, left_ms);
        let frame = self.ring.push_message(head, None, payload.len() as u64, payload);
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
        }
        at_once
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

    /// [`handle`](Self::handle) of a frame of `len` bytes that is the whole answer to a call. Returns who waits for it.
    pub fn handle_answer(&mut self, now: Time, len: usize, call: u64) -> Result<H::Caller, SessionError> {
        self.arrived_frame(now, len)?;
        self.received.count(len, now);
        match self.calls.finish(call) {
            Some(caller) => {
                self.pump();
                Ok(caller)
            }
            None => violation(format!("it answered call {call}, which does not wait")),
        }
    }
}

#[cfg(test)]
mod tests;
