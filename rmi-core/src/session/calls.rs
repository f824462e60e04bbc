//! The calls of a session: those this side made and awaits, and those of the peer that this side executes.

use crate::map::Map;

/// Room for so many calls is kept: they come and go in bursts.
const ROOM: usize = 8192;

/// Calls this side made, by number. `C` is whoever waits.
#[derive(Debug)]
pub(super) struct Calls<C> {
    next: u64,
    waiting: Map<u64, Waiting<C>, ROOM>,
    /// How many have left.
    begun: u32,
}

#[derive(Debug)]
struct Waiting<C> {
    caller: C,
    /// The number of its last frame so far, if it has begun.
    begun: Option<u64>,
    /// Its answer has begun.
    answering: bool,
    /// Nobody waits any more.
    given_up: bool,
}

/// A call that ends with its session.
#[derive(Debug)]
pub struct LostCall<C> {
    /// Who waits.
    pub caller: C,
    /// Whether the peer may have all of it, so that its outcome is unknown.
    pub begun: bool,
}

impl<C> Default for Calls<C> {
    fn default() -> Self {
        Self { next: 0, waiting: Map::default(), begun: 0 }
    }
}

impl<C> Calls<C> {
    /// A new call. It has not left yet.
    pub(super) fn add(&mut self, caller: C) -> u64 {
        self.next += 1;
        self.waiting.insert(self.next, Waiting { caller, begun: None, answering: false, given_up: false });
        self.next
    }

    /// The number of the call that is added next.
    pub(super) fn next(&self) -> u64 {
        self.next + 1
    }

    /// A new call that has left, with this frame or one more.
    pub(super) fn add_begun(&mut self, caller: C, frame: u64) {
        self.next += 1;
        self.begun += 1;
        let waiting = Waiting { caller, begun: Some(frame), answering: false, given_up: false };
        self.waiting.insert(self.next, waiting);
    }

    /// A whole answer to this call arrived. `None`: it may not.
    pub(super) fn finish(&mut self, call: u64) -> Option<C> {
        let waiting = self.waiting.remove(&call)?;
        if waiting.begun.is_none() || waiting.answering {
            self.waiting.insert(call, waiting);
            return None;
        }
        self.begun -= 1;
        Some(waiting.caller)
    }

    /// How many calls have left and are not answered.
    pub(super) fn begun(&self) -> u32 {
        self.begun
    }

    /// How many calls wait for an answer or to leave.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The call leaves, with this frame or one more.
    pub(super) fn leaves(&mut self, call: u64, frame: u64) {
        if let Some(waiting) = self.waiting.get_mut(&call) {
            self.begun += u32::from(waiting.begun.replace(frame).is_none());
        }
    }

    /// Who waits for the call.
    pub(super) fn caller(&self, call: u64) -> Option<&C> {
        self.waiting.get(&call).map(|waiting| &waiting.caller)
    }

    /// An answer to this call begins. False: it may not, the call was not made or is being answered.
    pub(super) fn answer(&mut self, call: u64) -> bool {
        let waiting =
            self.waiting.get_mut(&call).filter(|waiting| waiting.begun.is_some() && !waiting.answering);
        waiting.map(|waiting| waiting.answering = true).is_some()
    }

    /// Nobody waits for the call any more. Whether it has left; `None`: there is nothing to be done, as it is over, or this
    /// was known.
    pub(super) fn give_up(&mut self, call: u64) -> Option<bool> {
        let waiting = self.waiting.get_mut(&call)?;
        let known = std::mem::replace(&mut waiting.given_up, true);
        (!known).then_some(waiting.begun.is_some())
    }

    /// The call is answered, or withdrawn before it left.
    pub(super) fn remove(&mut self, call: u64) -> Option<C> {
        let waiting = self.waiting.remove(&call)?;
        self.begun -= u32::from(waiting.begun.is_some());
        Some(waiting.caller)
    }

    /// The session is over. `has_left`: whether all frames of a call, the last of which has this number, may have left.
    pub(super) fn end(&mut self, has_left: impl Fn(u64, u64) -> bool) -> Vec<LostCall<C>> {
        self.begun = 0;
        let lost = std::mem::take(&mut self.waiting).into_iter();
        lost.map(|(call, Waiting { caller, begun, .. })| {
            let begun = begun.is_some_and(|last| has_left(call, last));
            LostCall { caller, begun }
        })
        .collect()
    }
}

/// Calls of the peer whose answer has not left, with the size of their arguments.
#[derive(Debug, Default)]
pub(super) struct Serving {
    calls: Map<u64, Served, ROOM>,
    bytes: u64,
}

#[derive(Debug)]
struct Served {
    size: u64,
    /// The answer waits to leave.
    answered: bool,
    /// The peer waits for it no longer.
    cancelled: bool,
}

/// Why a call of the peer is not served.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotServed {
    /// The number is in use: a protocol error.
    Duplicate,
    /// Far over what the peer was told: a protocol error.
    TooMany,
    /// One of the limits; it is counted and must be answered.
    Overloaded(&'static str),
}

impl Serving {
    /// How many calls are served.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// A call with `size` bytes of arguments arrived.
    pub(super) fn add(
        &mut self,
        call: u64,
        size: u64,
        max_calls: u32,
        max_bytes: u64,
    ) -> Result<(), NotServed> {
        if self.calls.contains_key(&call) {
            return Err(NotServed::Duplicate);
        }
        // An honest peer stays below the limit; one that does not is refused, but not without end.
        if self.calls.len() / 2 >= max_calls as usize {
            return Err(NotServed::TooMany);
        }
        let outcome = if self.calls.len() >= max_calls as usize {
            Err(NotServed::Overloaded("too many calls are being served for this peer"))
        } else if self.bytes.saturating_add(size) > max_bytes && self.bytes > 0 {
            Err(NotServed::Overloaded("the arguments of the calls being served take too much memory"))
        } else {
            Ok(())
        };
        self.calls.insert(call, Served { size, answered: false, cancelled: false });
        self.bytes = self.bytes.saturating_add(size);
        outcome
    }

    /// There is an answer. False: the call was not being served, or has one.
    pub(super) fn answer(&mut self, call: u64) -> bool {
        let served = self.calls.get_mut(&call).filter(|served| !served.answered);
        served.map(|served| served.answered = true).is_some()
    }

    /// The answer leaves as soon as there is one. False: the call was not being served, or has one.
    pub(super) fn finish(&mut self, call: u64) -> bool {
        let finished = self.answer(call);
        if finished {
            self.remove(call);
        }
        finished
    }

    /// The peer waits for this call no longer. False: there is nothing to be done, as there is an answer, or this was known.
    pub(super) fn cancel(&mut self, call: u64) -> bool {
        let served = self.calls.get_mut(&call).filter(|served| !served.answered && !served.cancelled);
        served.map(|served| served.cancelled = true).is_some()
    }

    /// Whether the peer waits for the call no longer.
    pub(super) fn is_cancelled(&self, call: u64) -> bool {
        self.calls.get(&call).is_some_and(|served| served.cancelled)
    }

    /// The answer leaves, or there will be none.
    pub(super) fn remove(&mut self, call: u64) {
        if let Some(served) = self.calls.remove(&call) {
            self.bytes = self.bytes.saturating_sub(served.size);
        }
    }
}
