//! The invariants of DESIGN 6, one file each, checked after every step; with the bugs that prove that each can fail.

mod l1;
mod l2;
mod l3;
mod l4;
mod progress;
mod s1;
mod s2;
mod s3;
mod s4;
mod s5;

use std::fmt;

use rmi_core::ObjectId;
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::wire::{Frame, Owner, Table, TableReference};

use crate::world::World;

pub use progress::closed;
pub use s4::delivered;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invariant {
    S1,
    S2,
    S3,
    S4,
    S5,
    L1,
    L2,
    L3,
    L4,
    /// No honest node ever breaks the protocol.
    Protocol,
    /// What is due is done, and the run ends.
    Progress,
}

/// An invariant that does not hold.
#[derive(Debug, Clone)]
pub struct Violation {
    pub invariant: Invariant,
    pub text: String,
    /// When, in microseconds of the world.
    pub at: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} after {} us: {}", self.invariant, self.at, self.text)
    }
}

impl World {
    /// Checks what must hold after every step.
    pub fn check(&mut self) {
        self.taint_expired();
        s2::check(self);
        s3::check(self);
        s5::check(self);
        l2::check(self);
        progress::check(self);
    }

    /// Checks what must hold when nothing is held any more and time has passed. True: it does.
    pub fn is_at_rest(&self) -> bool {
        l1::check(self).is_none() && l3::check(self).is_none() && l4::check(self).is_none()
    }

    /// Reports what does not hold at the end.
    pub fn check_end(&mut self) {
        for (invariant, left) in [
            (Invariant::L1, l1::check(self)),
            (Invariant::L3, l3::check(self)),
            (Invariant::L4, l4::check(self)),
        ] {
            if let Some(left) = left {
                self.violate(invariant, || left);
            }
        }
    }

    /// A link whose end as a holder has come, though its timer has not.
    fn taint_expired(&mut self) {
        let expired: Vec<SessionKey> = self
            .links
            .iter()
            .filter(|(_, link)| {
                link.closed.is_none() && link.keeps() && !link.is_usable(self.local(link.node))
            })
            .map(|(key, _)| *key)
            .collect();
        for key in expired {
            self.taint(key);
        }
    }

    /// A fault touches a session: what it has to do with is not under S3 any more.
    pub fn taint(&mut self, key: SessionKey) {
        let mut keys = vec![key];
        let mut objects: Vec<ObjectId> = Vec::new();
        if let Some((at, _)) = self.links.get(&key).and_then(|link| link.log) {
            let log = &self.logs[at];
            let of_it = |key: &SessionKey| {
                self.links.get(key).and_then(|link| link.log).is_some_and(|(log, _)| log == at)
            };
            keys = log.links.into_iter().filter(of_it).collect();
            let frames = log.sides.iter().flat_map(|side| &side.under_way);
            for sent in frames {
                objects.extend(table(&sent.frame).iter().flat_map(|t| &t.references).map(|r| r.object));
            }
        }
        for import in self.live_imports() {
            if keys.iter().any(|key| import.way.get() == crate::handles::Way::Link(*key)) {
                objects.push(import.object);
            }
        }
        for link in keys.iter().filter_map(|key| self.links.get(key)) {
            objects.extend(link.session.listed_objects());
            objects.extend(link.session.pins().filter_map(|(_, pin)| Some(pin.0.import.upgrade()?.object)));
        }
        for object in objects {
            self.taint_object(object);
        }
    }

    pub fn taint_object(&mut self, object: ObjectId) {
        if let Some(record) = self.objects.get_mut(&object.to_bytes()) {
            record.tainted = true;
        }
    }

    /// Whether S3 and the strict S2 hold for an object: its owner runs, and no fault has touched it.
    pub fn is_strict(&self, object: ObjectId) -> bool {
        let record = self.record(object);
        !record.tainted && self.nodes[record.owner].alive
    }
}

/// The references of a frame.
pub fn table(frame: &Frame) -> Option<&Table> {
    match frame {
        Frame::Call(call) => Some(&call.table),
        Frame::Reply(reply) => Some(&reply.table),
        _ => None,
    }
}

/// Whether the sender of a reference is its owner.
pub fn is_owners(reference: &TableReference) -> bool {
    reference.owner == Owner::Sender
}
