//! Whole messages without references, on their short way through a session. It mirrors `node/import.rs` and `handle_call` and `handle_answers` in
//! `node/dispatch.rs`; what cannot go this way goes the general one.

use std::rc::Rc;

use bytes::Bytes;
use rmi_core::id::MethodId;
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::{Chunk, Rope, SessionError, Strand, Verdict};
use rmi_core::internal::wire::{Frame, Plain, Reply, ReplyKind, Table};

use crate::bug::Bug;
use crate::driver::encoded;
use crate::handles::{Caller, Import};
use crate::sending::Who;
use crate::serve::number_of;
use crate::world::World;

/// Messages up to this size are copied, larger ones shared.
const SMALL: usize = 4096;

/// A payload as a session takes it.
fn chunk(payload: &Rope) -> Chunk<'_> {
    match payload.iter().next() {
        Some(bytes) if payload.len() <= SMALL => Chunk::Copied(bytes),
        _ => Chunk::Shared(payload),
    }
}

impl World {
    /// Whose call it is: with which others it must start in order.
    pub fn strand(&self, call: u64) -> Strand {
        Strand(if self.config.scripted { 0 } else { call % 3 })
    }

    /// Makes a call that has no references, if it can leave at once; otherwise its caller is given back. `sequence`: its place among
    /// all calls.
    pub fn call_plain(
        &mut self,
        caller: Rc<Caller>,
        import: &Rc<Import>,
        payload: &Bytes,
        sequence: u64,
    ) -> Result<(), Rc<Caller>> {
        let Ok(key) = self.link_of(import) else { return Err(caller) };
        let (call, now) = (caller.call, self.local(import.node));
        let called = (import.object, MethodId(1));
        let (strand, rope) = (self.strand(call), Rope::from(payload.clone()));
        let made = self.with_quietly(key, |session| {
            session.call_plain(now, caller, called, || strand, None, chunk(&rope))
        });
        match made {
            None => {}
            Some(Ok(number)) => {
                self.reach(if payload.len() > SMALL { "a large plain call" } else { "a plain call" });
                if let Some(record) = self.calls.get_mut(&call) {
                    record.given = Some((key, sequence));
                }
                self.sent(call, key, number);
                self.send_as(key, Who::OneOfMany);
            }
            Some(Err(back)) => {
                self.reach("a call that cannot leave at once");
                return Err(back);
            }
        }
        Ok(())
    }

    /// Answers without references, if the answer can leave at once.
    pub fn reply_plain(&mut self, key: SessionKey, call: u64, payload: &Bytes) -> bool {
        if self.config.bug == Some(Bug::PlainPastRing) && payload.len() <= SMALL {
            self.planted += 1;
            let (status, size) = (ReplyKind::Ok, payload.len() as u64);
            let reply = Reply { call, status, table: Table::default(), size, chunk: payload.clone() };
            self.send(key, &encoded(&Frame::Reply(reply)));
            self.check_numbers(key);
            return true;
        }
        let left = self.with_quietly(key, |session| {
            session.reply_plain(call, ReplyKind::Ok, chunk(&payload.clone().into()))
        });
        let left = left.unwrap_or(false);
        self.reach(if left { "a plain answer" } else { "an answer that cannot leave at once" });
        left
    }

    /// A frame of `len` bytes arrived that is a whole message without references.
    pub fn receive_plain(
        &mut self,
        key: SessionKey,
        plain: Plain,
        payload: &Bytes,
        len: usize,
        expired: bool,
    ) {
        let Some(now) = self.links.get(&key).map(|link| self.local(link.node)) else { return };
        match plain {
            Plain::Call { call, object, .. } => {
                let size = payload.len() as u64;
                let said = self.with_quietly(key, |session| session.handle_call(now, len, call, size));
                match self.accepted(key, expired, said) {
                    None => {}
                    Some(Verdict::Serve) => self.serve(key, call, object, payload, Vec::new()),
                    Some(verdict) => self.refuse(key, call, payload, verdict),
                }
            }
            Plain::Reply { status, .. } if self.config.bug == Some(Bug::PlainUncounted) => {
                let waiting = number_of(payload).and_then(|(number, _)| self.calls.get(&number));
                if let Some(caller) = waiting.and_then(|record| record.caller.upgrade()) {
                    self.planted += 1;
                    self.answered(&caller, status, payload, Vec::new());
                }
            }
            Plain::Reply { call, status } => {
                let said = self.with_quietly(key, |session| {
                    let mut callers = Vec::new();
                    session.handle_answers(now, [(len, call)], &mut callers)?;
                    callers.pop().ok_or(SessionError::Expired)
                });
                if let Some(caller) = self.accepted(key, expired, said) {
                    self.answered(&caller, status, payload, Vec::new());
                }
            }
        }
    }
}
