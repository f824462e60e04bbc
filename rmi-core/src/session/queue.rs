//! Application messages that wait for room, and those under way in fragments.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::id::ObjectId;
use crate::session::message::Message;
use crate::session::state::{Garbage, Handles};
use crate::wire::Limits;

#[derive(Debug)]
pub(super) struct Outgoing<H: Handles> {
    pub(super) replies: VecDeque<Message<H>>,
    pub(super) calls: VecDeque<(u64, Message<H>)>,
    pub(super) under_way: VecDeque<UnderWay>,
    /// At how many waiting calls those are taken back that nobody waits for.
    pub(super) sweep_at: usize,
}

/// A message whose first frame has left.
#[derive(Debug)]
pub(super) struct UnderWay {
    /// The number of its first frame.
    pub(super) first: u64,
    pub(super) rest: Bytes,
    pub(super) size: u64,
    pub(super) part: Part,
}

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A call. Others to the object wait until it is through (4.6).
    Call(u64, ObjectId),
    /// The answer to a call.
    Reply(u64),
}

impl Part {
    pub(super) fn is_to(self, object: ObjectId) -> bool {
        matches!(self, Self::Call(_, to) if to == object)
    }
}

impl<H: Handles> Default for Outgoing<H> {
    fn default() -> Self {
        Self { replies: VecDeque::new(), calls: VecDeque::new(), under_way: VecDeque::new(), sweep_at: 0 }
    }
}

impl<H: Handles> Outgoing<H> {
    pub(super) fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.calls.is_empty() && self.under_way.is_empty()
    }

    pub(super) fn end(&mut self, garbage: &mut Garbage<H>) {
        let calls = self.calls.drain(..).map(|(_, message)| message);
        for message in self.replies.drain(..).chain(calls) {
            message.discard(garbage);
        }
        self.under_way.clear();
    }

    /// Takes a call back that has not begun.
    pub(super) fn withdraw(&mut self, call: u64) -> Option<Message<H>> {
        // They are numbered as they are queued.
        let at = self.calls.binary_search_by_key(&call, |(number, _)| *number).ok()?;
        self.calls.remove(at).map(|(_, message)| message)
    }

    /// Leaves the rest of a message out. Returns the number of its first frame.
    pub(super) fn stop(&mut self, is: impl Fn(Part) -> bool) -> Option<u64> {
        let at = self.under_way.iter().position(|message| is(message.part))?;
        self.under_way.remove(at).map(|message| message.first)
    }

    /// Whether a message of `size` bytes may begin beside those under way (6.3).
    pub(super) fn has_partial_room(&self, size: usize, limits: &Limits) -> bool {
        size <= limits.frame as usize
            || self.under_way.is_empty()
            || self.under_way.iter().map(|m| m.size).sum::<u64>() + size as u64 <= limits.partial
    }
}
