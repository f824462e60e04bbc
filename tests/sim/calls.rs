//! Calls as they are made, and how they end. It mirrors `node/import.rs`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rmi_core::ObjectId;
use rmi_core::id::MethodId;
use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::{Message, OutReference, Outward, Phase, Rope};

use crate::bug::Bug;
use crate::handles::{Caller, Import, Proxy, Way};
use crate::invariant::Invariant;
use crate::sending::Who;
use crate::serve::{Behaviour, CallRecord, OK, Outcome, payload};
use crate::world::World;

const MAX_TRIES: usize = 4;

impl World {
    fn new_call(&mut self, node: usize, object: Option<ObjectId>, proxy: Option<Rc<Import>>) -> Rc<Caller> {
        let call = self.fresh();
        let caller = Rc::new(Caller { call, waiting: Cell::new(true), proxy: RefCell::new(proxy) });
        let record = CallRecord {
            node,
            caller: Rc::downgrade(&caller),
            object,
            size: 9,
            arguments: Vec::new(),
            behaviour: None,
            given: None,
            sent: None,
            executed: 0,
            left: false,
            never: false,
            answers: Vec::new(),
            outcomes: 0,
            outcome: None,
        };
        self.calls.insert(call, record);
        self.nodes[node].callers.push(caller.clone());
        caller
    }

    /// Asks for what the node at an address has published.
    pub fn ask_root(&mut self, node: usize, address: &str) -> Option<u64> {
        let key = self.link_at(node, address)?;
        let caller = self.new_call(node, None, None);
        let call = caller.call;
        self.note(|| format!("n{node} asks for the root at {address}: call {call}"));
        let outward = Outward::Root(call.to_string());
        let message = Message { outward, payload: Rope::default(), references: Vec::new(), deadline: None };
        let now = self.local(node);
        match self.with_quietly(key, |session| session.call(now, caller, message)) {
            Some(Err(unsent)) => self.outcome(&unsent.0, Outcome::Failed("too late".into()), Vec::new()),
            Some(Ok(sent)) => self.sent(call, key, sent),
            None => {}
        }
        self.send_as(key, Who::OneOfMany);
        Some(call)
    }

    /// Calls an object of another node.
    pub fn call(
        &mut self,
        import: &Rc<Import>,
        arguments: &[Proxy],
        size: usize,
        behaviour: Option<Behaviour>,
    ) -> u64 {
        let node = import.node;
        let caller = self.new_call(node, Some(import.object), Some(import.clone()));
        let call = caller.call;
        self.note(|| {
            format!("n{node} calls {}: call {call} with {arguments:?}, {size} bytes", import.object)
        });
        let references: Option<Vec<_>> = arguments.iter().map(|proxy| self.outward(node, proxy)).collect();
        let sequence = self.fresh();
        let Some(record) = self.calls.get_mut(&call) else { return call };
        record.arguments = arguments.iter().map(Proxy::object).collect();
        (record.size, record.behaviour) = (size, behaviour);
        if self.config.bug == Some(Bug::CancelDropsPins) {
            for reference in references.iter().flatten() {
                if let OutReference::Held { pin, .. } = reference {
                    self.call_pins.push((call, Rc::downgrade(&pin.0)));
                }
            }
        }
        let Some(references) = references else {
            self.outcome(&caller, Outcome::Failed("an argument is gone".into()), Vec::new());
            return call;
        };
        let outward = Outward::Call { object: import.object, method: MethodId(1), strand: self.strand(call) };
        let payload = payload(call, OK, size);
        let caller = match references.is_empty() {
            true => self.call_plain(caller, import, &payload, sequence),
            false => Err(caller),
        };
        let Err(caller) = caller else { return call };
        let message = Message { outward, payload: payload.into(), references, deadline: None };
        let mut unsent = (caller, message);
        for _ in 0..MAX_TRIES {
            let key = match self.link_of(import) {
                Ok(key) => key,
                Err(outcome) => {
                    self.outcome(&unsent.0, outcome, Vec::new());
                    return call;
                }
            };
            if let Some(record) = self.calls.get_mut(&call) {
                record.given = Some((key, sequence));
            }
            let now = self.local(node);
            match self.with_quietly(key, |session| session.call(now, unsent.0, unsent.1)) {
                Some(Err(back)) => unsent = *back,
                Some(Ok(sent)) => {
                    self.sent(call, key, sent);
                    self.send_as(key, Who::OneOfMany);
                    return call;
                }
                None => return call,
            }
        }
        self.outcome(&unsent.0, Outcome::Failed("its sessions end as they are made".into()), Vec::new());
        call
    }

    pub fn sent(&mut self, call: u64, key: SessionKey, number: u64) {
        if let Some(record) = self.calls.get_mut(&call) {
            record.sent = Some((key, number));
        }
    }

    /// The session that leads to an object. If it ended, asks again in another (7.7).
    pub fn link_of(&mut self, import: &Rc<Import>) -> Result<SessionKey, Outcome> {
        match import.way.get() {
            Way::Gone => return Err(Outcome::NoSuchObject),
            Way::Link(key) if self.is_usable(key) => return Ok(key),
            Way::Link(_) | Way::Lost => {}
        }
        self.ask_again(import, Vec::new()).map_err(|_| Outcome::Failed("unreachable".into()))
    }

    /// A call ended.
    pub fn outcome(&mut self, caller: &Caller, outcome: Outcome, references: Vec<Proxy>) {
        let call = caller.call;
        self.note(|| format!("call {call}: {outcome:?}"));
        let Some(record) = self.calls.get_mut(&call) else { return };
        record.outcomes += 1;
        let node = record.node;
        if record.outcomes > 1 {
            self.violate(Invariant::L4, || format!("call {call} ended twice, now with {outcome:?}"));
        }
        if let Some(record) = self.calls.get_mut(&call) {
            record.outcome = Some(outcome);
        }
        let heard = caller.waiting.replace(false);
        let proxy = caller.proxy.take();
        let node = &mut self.nodes[node];
        node.callers.retain(|other| other.call != call);
        if heard && node.alive {
            node.held.extend(references);
        }
        drop(proxy);
    }

    /// A caller does not wait any longer.
    pub fn give_up(&mut self, caller: &Rc<Caller>) {
        self.note(|| format!("call {} is given up", caller.call));
        caller.waiting.set(false);
        for pinned in self.call_pins.iter().filter(|(call, _)| *call == caller.call) {
            if let Some(pinned) = pinned.1.upgrade() {
                pinned.release();
                self.planted += 1;
            }
        }
        let proxy = caller.proxy.take();
        let mut sent = None;
        if let Some(record) = self.calls.get(&caller.call) {
            sent = record.sent;
            self.nodes[record.node].callers.retain(|other| other.call != caller.call);
        }
        if let Some((key, number)) = sent
            && let Some(link) = self.links.get_mut(&key)
        {
            link.given_up.push(number);
            match link.session.phase() {
                // There is no writer yet.
                Phase::Opening => {
                    self.collect_dropped(key);
                    self.with(key, |_| ());
                }
                _ => self.wake(key),
            }
        }
        drop(proxy);
    }
}
