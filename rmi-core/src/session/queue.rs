//! Application messages that wait for room, and those under way in fragments.

use std::collections::VecDeque;

use crate::rope::Rope;
use crate::session::message::Message;
use crate::session::state::{Garbage, Handles};
use crate::session::strands::Place;
use crate::wire::Limits;

#[derive(Debug)]
pub(super) struct Outgoing<H: Handles> {
    /// By the call they answer, as they were given.
    pub(super) replies: Waiting<H>,
    /// By number, ascending.
    pub(super) calls: Waiting<H>,
    pub(super) under_way: VecDeque<UnderWay>,
    /// At how many waiting calls those are taken back that nobody waits for.
    pub(super) sweep_at: usize,
}

/// Messages that wait for room.
#[derive(Debug)]
pub(super) struct Waiting<H: Handles> {
    messages: VecDeque<(u64, Message<H>)>,
    /// Of their payloads.
    bytes: u64,
}

impl<H: Handles> Default for Waiting<H> {
    fn default() -> Self {
        Self { messages: VecDeque::new(), bytes: 0 }
    }
}

impl<H: Handles> Waiting<H> {
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(u64, Message<H>)> {
        self.messages.iter()
    }

    /// The size of the first one.
    pub(super) fn next_size(&self) -> Option<usize> {
        self.messages.front().map(|(_, message)| message.payload.len())
    }

    pub(super) fn push(&mut self, call: u64, message: Message<H>) {
        self.bytes += message.payload.len() as u64;
        self.messages.push_back((call, message));
    }

    pub(super) fn remove(&mut self, at: usize) -> Option<(u64, Message<H>)> {
        let removed = self.messages.remove(at)?;
        self.bytes -= removed.1.payload.len() as u64;
        Some(removed)
    }

    pub(super) fn take(&mut self) -> VecDeque<(u64, Message<H>)> {
        self.bytes = 0;
        std::mem::take(&mut self.messages)
    }

    /// Whether one more of `size` bytes may wait where `limit` bytes may. One may always.
    pub(super) fn has_room(&self, size: usize, limit: u64) -> bool {
        self.is_empty() || self.bytes.saturating_add(size as u64) <= limit
    }
}

/// A message whose first frame has left.
#[derive(Debug)]
pub(super) struct UnderWay {
    /// The number of its first frame.
    pub(super) first: u64,
    pub(super) rest: Rope,
    pub(super) size: u64,
    pub(super) part: Part,
}

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A call. Others wait until it is through (4.6).
    Call(Place),
    /// The answer to a call.
    Reply(u64),
}

impl Part {
    /// Whether it is this call.
    pub(super) fn is_call(self, call: u64) -> bool {
        matches!(self, Self::Call(place) if place.call == call)
    }

    /// The call, if it is one.
    pub(super) fn place(self) -> Option<Place> {
        match self {
            Self::Call(place) => Some(place),
            Self::Reply(_) => None,
        }
    }
}

impl<H: Handles> Default for Outgoing<H> {
    fn default() -> Self {
        Self {
            replies: Waiting::default(),
            calls: Waiting::default(),
            under_way: VecDeque::new(),
            sweep_at: 0,
        }
    }
}

impl<H: Handles> Outgoing<H> {
    pub(super) fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.calls.is_empty() && self.under_way.is_empty()
    }

    pub(super) fn end(&mut self, garbage: &mut Garbage<H>) {
        for (_, message) in self.replies.take().into_iter().chain(self.calls.take()) {
            message.discard(garbage);
        }
        self.under_way.clear();
    }

    /// Takes a call back that has not begun.
    pub(super) fn withdraw(&mut self, call: u64) -> Option<Message<H>> {
        // They are numbered as they are queued.
        let at = self.calls.messages.binary_search_by_key(&call, |(number, _)| *number).ok()?;
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
