//! The session's part in the collection: entries that ask, debts, drops, Dirty (PROTOCOL 7).

use std::collections::VecDeque;

use crate::gc::{Arrival, Debt};
use crate::id::ObjectId;
use crate::session::state::{Handles, Session};
use crate::wire::Frame;

/// How many bytes of Cleans are prepared for one write.
const CLEANS: usize = 16 * 1024;

impl<H: Handles> Session<H> {
    /// A reference to an object of the peer, pinned by a third node under `debt`, arrived in another session (7.4).
    /// Returns the handle and debts to be paid at once; `None` if the session is over, or Bye was said.
    pub fn import_from_third(
        &mut self,
        object: ObjectId,
        debt: Debt,
        make: impl FnOnce() -> (H::Import, H::Weak),
    ) -> Option<(H::Import, Vec<Debt>)> {
        if self.is_over() || self.parting {
            return None;
        }
        let (import, arrival) = self.imports.arrive_from_third(object, debt, H::share, make);
        Some((import, self.arrived(object, arrival)))
    }

    /// A handle whose session ended asks again here (7.7). Returns debts to be paid at once; gives the debts back if
    /// this session is over or Bye was said, too.
    pub fn ask_again(
        &mut self,
        object: ObjectId,
        handle: H::Weak,
        debts: Vec<Debt>,
    ) -> Result<Vec<Debt>, Vec<Debt>> {
        if self.is_over() || self.parting {
            return Err(debts);
        }
        let arrival = self.imports.ask_again(object, handle, debts, H::is_alive);
        Ok(self.arrived(object, arrival))
    }

    /// More is owed for an entry that has its handle already. Returns what is to be paid at once.
    /// Gives the debts back if the session is over.
    pub fn owe(&mut self, object: ObjectId, debts: Vec<Debt>) -> Result<Vec<Debt>, Vec<Debt>> {
        if self.is_over() {
            return Err(debts);
        }
        Ok(self.imports.owe(object, debts))
    }

    fn arrived(&mut self, object: ObjectId, arrival: Arrival) -> Vec<Debt> {
        match arrival {
            Arrival::SendDirty => {
                self.ring.push(&Frame::Dirty { object });
                Vec::new()
            }
            Arrival::Waits => Vec::new(),
            Arrival::Pay(debts) => debts,
        }
    }

    /// Pays a debt to the peer. A session that is over has nothing to pay: its peer's pins end by themselves.
    pub fn unpin(&mut self, transfer: u64) {
        if self.is_on() {
            self.owed = self.owed.saturating_sub(1);
            self.push_provoked(&Frame::Unpin { transfer });
        }
    }

    /// The last clones of the handles of these objects were dropped (7.5). What is to be cleaned leaves with what is sent next, some of
    /// it at a time.
    pub fn dropped(&mut self, objects: Vec<ObjectId>) {
        if self.is_over() {
            return;
        }
        match self.dropped.is_empty() {
            true => self.dropped = objects.into(),
            false => self.dropped.extend(objects),
        }
    }

    /// Cleans for the next batch: not so many that others wait long behind them, and some however much else there is.
    pub(super) fn clean_some(&mut self) {
        let until = self.ring.waiting() + CLEANS;
        while self.ring.waiting() < until && !self.parting {
            let Some(object) = self.dropped.pop_front() else {
                // It may have been a million.
                self.dropped = VecDeque::new();
                return;
            };
            if self.imports.dropped(object) {
                self.clean(object);
            }
        }
    }

    pub(super) fn clean(&mut self, object: ObjectId) {
        let upto = self.received.frames();
        self.ring.push(&Frame::Clean { object, upto });
    }

    /// Answers a Dirty with the object that was found, if it is alive (7.4.1).
    pub fn answer_dirty(&mut self, object: ObjectId, alive: Option<H::Object>) {
        if !self.is_on() {
            self.garbage.objects.extend(alive);
            return;
        }
        let answer = match alive {
            Some(handle) => {
                self.garbage.objects.extend(self.listing.dirty(object, handle));
                Frame::Held { object }
            }
            None => Frame::Gone { object },
        };
        self.push_provoked(&answer);
    }
}

#[cfg(test)]
mod tests;
