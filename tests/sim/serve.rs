//! Calls as they are served and answered. It mirrors `node/dispatch.rs`; the book of all calls knows what must come out.

use std::rc::{Rc, Weak};

use bytes::Bytes;
use rmi_core::ObjectId;
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::{FragmentError, Head, Verdict};
use rmi_core::internal::wire::ReplyKind;

use crate::bug::Bug;
use crate::event::Event;
use crate::handles::{Caller, Object, Proxy};
use crate::invariant::Invariant;
use crate::sending::Who;
use crate::world::World;

/// What the world knows of a call.
pub struct CallRecord {
    pub node: usize,
    pub caller: Weak<Caller>,
    /// The object that is meant; `None`: a root.
    pub object: Option<ObjectId>,
    pub size: usize,
    /// The references in the arguments, in order.
    pub arguments: Vec<ObjectId>,
    /// What a script wants the servant to do.
    pub behaviour: Option<Behaviour>,
    /// The link that it was given to, and its place among the calls of that link.
    pub given: Option<(SessionKey, u64)>,
    /// The session that it was given to, and its number there.
    pub sent: Option<(SessionKey, u64)>,
    pub executed: u32,
    /// All of its frames were handed to connections.
    pub left: bool,
    /// It is certain that it is not executed.
    pub never: bool,
    /// What the answer was. A root that rode along with a handshake that failed is asked for again, and may be answered twice, each time
    /// with what is published then.
    pub answers: Vec<(usize, Vec<ObjectId>)>,
    pub outcomes: u32,
    pub outcome: Option<Outcome>,
}

/// What a servant does.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// The application at the servant's node keeps the arguments.
    pub keep: bool,
    /// What it answers with.
    pub answer: Vec<Proxy>,
    /// It also answers with its arguments.
    pub echo: bool,
    /// Bytes of the answer.
    pub size: usize,
    /// How long it takes, in microseconds.
    pub takes: u64,
}

/// A call that is being executed.
pub struct Running {
    pub node: usize,
    pub link: SessionKey,
    pub call: u64,
    pub number: u64,
    /// Kept until the call has been answered.
    pub object: Rc<Object>,
    pub arguments: Vec<Proxy>,
    pub behaviour: Behaviour,
}

/// A message with its references and its payload.
type Whole = ((Head, Vec<Proxy>), Bytes);

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Answered,
    NoSuchObject,
    Refused,
    /// It was not executed.
    Failed(String),
    /// It may have been executed.
    Unknown(String),
}

pub const OK: u8 = 0;
const NO_SUCH_OBJECT: u8 = 1;
const REFUSED: u8 = 2;
const CANCELLED: u8 = 3;

/// The number of the call, a code, and bytes that only this call has.
pub fn payload(number: u64, code: u8, size: usize) -> Bytes {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.push(code);
    bytes.extend((bytes.len()..size).map(|at| (number as usize).wrapping_mul(31).wrapping_add(at) as u8));
    bytes.into()
}

/// The number of the call that a payload belongs to, and its code.
pub fn number_of(payload: &[u8]) -> Option<(u64, u8)> {
    let (number, rest) = payload.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*number), *rest.first()?))
}

impl World {
    pub fn message(&mut self, key: SessionKey, whole: Result<Option<Whole>, FragmentError>) {
        let whole = match whole {
            Ok(Some(whole)) => whole,
            Ok(None) => return,
            Err(error) => return self.violated(key, &format!("{error:?}")),
        };
        let ((head, references), payload) = whole;
        match head {
            Head::Call { call, object, verdict: Verdict::Serve, .. } => {
                self.serve(key, call, object, &payload, references);
            }
            Head::Call { call, verdict, .. } => self.refuse(key, call, &payload, verdict),
            Head::Reply { call, status } => {
                if let Some(Some(caller)) = self.with_quietly(key, |session| session.answered(call)) {
                    self.answered(&caller, status, &payload, references);
                }
            }
        }
    }

    /// Answers a call that is not executed.
    pub fn refuse(&mut self, key: SessionKey, call: u64, bytes: &Bytes, verdict: Verdict) {
        let number = number_of(bytes).map_or(0, |(number, _)| number);
        let code = if verdict == Verdict::Cancelled { CANCELLED } else { REFUSED };
        self.send_fault(key, call, number, code);
    }

    pub fn serve(&mut self, key: SessionKey, call: u64, id: ObjectId, bytes: &Bytes, arguments: Vec<Proxy>) {
        let node = self.links[&key].node;
        let number = number_of(bytes).map_or(0, |(number, _)| number);
        if self.nodes[node].draining {
            return self.send_fault(key, call, number, REFUSED);
        }
        let found = self.nodes[node].find(id);
        Invariant::served(self, number, id, found.as_deref(), bytes, &arguments);
        let Some(object) = found else { return self.send_fault(key, call, number, NO_SUCH_OBJECT) };
        let scripted = self.calls.get_mut(&number).and_then(|record| record.behaviour.take());
        let behaviour = scripted.unwrap_or_else(|| self.chance_behaviour(node, &arguments));
        let takes = behaviour.takes;
        let running = Running { node, link: key, call, number, object, arguments, behaviour };
        let id = self.fresh();
        self.running.insert(id, running);
        match takes {
            0 => self.finish_call(id),
            takes => self.at(self.now + takes, Event::Finish { running: id }),
        }
    }

    /// A servant that had a task of its own is done.
    pub fn finish_late(&mut self, running: u64) {
        let Some(key) = self.running.get(&running).map(|running| running.link) else { return };
        self.finish_call(running);
        self.send_as(key, Who::OneOfMany);
    }

    /// The servant is done.
    fn finish_call(&mut self, running: u64) {
        let Some(running) = self.running.remove(&running) else { return };
        let Running { node, link, call, number, object, arguments, behaviour } = running;
        let mut answer = behaviour.answer;
        if behaviour.echo {
            answer.extend(arguments.iter().cloned());
        }
        if behaviour.keep {
            self.nodes[node].held.extend(arguments);
        } else {
            drop(arguments);
        }
        self.reply(link, node, call, number, &answer, behaviour.size);
        drop(object);
    }

    /// The peer waits for the answer to a call no longer.
    pub fn cancel(&mut self, key: SessionKey, call: u64) {
        let running = self.running.iter().find(|(_, running)| (running.link, running.call) == (key, call));
        let Some(running) = running.map(|(id, _)| *id).and_then(|id| self.running.remove(&id)) else {
            return;
        };
        self.reach("a Cancel of a call that runs");
        let Running { call, number, object, arguments, behaviour, .. } = running;
        drop((arguments, behaviour));
        if self.config.bug == Some(Bug::SilentCancel) {
            self.planted += 1;
            return;
        }
        self.send_fault(key, call, number, CANCELLED);
        self.send_as(key, Who::OneOfMany);
        drop(object);
    }

    fn reply(&mut self, key: SessionKey, node: usize, call: u64, number: u64, answer: &[Proxy], size: usize) {
        let references: Option<Vec<_>> = answer.iter().map(|proxy| self.outward(node, proxy)).collect();
        let Some(references) = references else { return self.send_fault(key, call, number, REFUSED) };
        let bytes = payload(number, OK, size);
        if let Some(record) = self.calls.get_mut(&number) {
            record.answers.push((size, answer.iter().map(Proxy::object).collect()));
        }
        if references.is_empty() && self.reply_plain(key, call, &bytes) {
            return;
        }
        let sent = self.with_quietly(key, |session| match session.check_reply(bytes.len(), &references) {
            Ok(()) => {
                session.reply(call, ReplyKind::Ok, bytes.into(), references);
                None
            }
            Err(_) => Some(references),
        });
        if let Some(Some(references)) = sent {
            drop(references);
            self.send_fault(key, call, number, REFUSED);
        }
    }

    fn send_fault(&mut self, key: SessionKey, call: u64, number: u64, code: u8) {
        let bytes = payload(number, code, 9);
        self.with_quietly(key, |session| session.reply(call, ReplyKind::Fault, bytes.into(), Vec::new()));
    }

    pub fn serve_root(&mut self, key: SessionKey, call: u64, name: &str, verdict: Verdict) {
        let node = self.links[&key].node;
        let number = name.parse().unwrap_or(0);
        match self.nodes[node].root.clone().filter(|_| verdict == Verdict::Serve) {
            Some(root) => self.reply(key, node, call, number, &[root], 9),
            None => self.send_fault(key, call, number, REFUSED),
        }
    }
}

impl World {
    /// The answer to a call is complete.
    pub fn answered(&mut self, caller: &Caller, status: ReplyKind, bytes: &Bytes, references: Vec<Proxy>) {
        let (number, code) = number_of(bytes).unwrap_or((0, 0));
        if number != caller.call {
            self.violate(Invariant::S1, || format!("call {} has the answer to call {number}", caller.call));
        }
        if code == CANCELLED && caller.waiting.get() {
            self.violate(Invariant::S1, || {
                format!("call {} is cancelled, and its caller waits", caller.call)
            });
        }
        let outcome = match (status, code) {
            (ReplyKind::Fault, NO_SUCH_OBJECT) => Outcome::NoSuchObject,
            (ReplyKind::Fault, _) => Outcome::Refused,
            _ => Outcome::Answered,
        };
        if outcome == Outcome::Answered {
            Invariant::came_back(self, number, bytes, &references);
        }
        self.outcome(caller, outcome, references);
    }

    /// The answer to a call was begun, and will not come.
    pub fn unanswered(&mut self, key: SessionKey, call: u64) {
        let Some(Some(caller)) = self.with_quietly(key, |session| session.answered(call)) else { return };
        if caller.waiting.get() {
            self.violate(Invariant::S4, || format!("the answer to call {} is aborted", caller.call));
        }
        self.outcome(&caller, Outcome::Failed("aborted".into()), Vec::new());
    }
}

/// Whether a payload is what was sent under a number.
pub fn is_whole(number: u64, bytes: &Bytes, size: usize) -> bool {
    *bytes == payload(number, OK, size)
}
