//! References and the sessions they belong to. It mirrors `node/core.rs`, `node/import.rs` and `node/lost.rs`.

use std::cell::Cell;
use std::rc::{Rc, Weak};

use rmi_core::id::InterfaceName;
use rmi_core::internal::gc::{Debt, LostImport, SessionKey};
use rmi_core::internal::session::{Arrived, OutReference, Third};
use rmi_core::{NodeId, ObjectId};

use crate::bug::Bug;
use crate::handles::{Import, Pin, Proxy, Sim, Way};
use crate::invariant::Invariant;
use crate::node::{Link, slot_of};
use crate::world::World;

/// How often entries of an owner that does not answer ask again before what they owe is paid all the same.
const MAX_ASKED_AGAIN: u32 = 8;

/// There is no way to the owner.
#[derive(Debug)]
pub struct NoWay;

impl World {
    pub fn is_usable(&self, key: SessionKey) -> bool {
        self.links.get(&key).is_some_and(|link| link.is_usable(self.local(link.node)))
    }

    /// The session of `node` with `owner` for references that third nodes gave.
    pub fn link_to(
        &mut self,
        node: usize,
        owner: NodeId,
        addresses: &Rc<[String]>,
    ) -> Result<SessionKey, NoWay> {
        if !self.nodes[node].alive {
            return Err(NoWay);
        }
        if let Some(key) = self.nodes[node].to_node.get(&owner).copied().filter(|key| self.is_usable(*key)) {
            return Ok(key);
        }
        if addresses.is_empty() {
            return Err(NoWay);
        }
        let key = self.new_link(node, false, false);
        self.nodes[node].to_node.insert(owner, key);
        if let Some(link) = self.links.get_mut(&key) {
            link.tried = Some(addresses.clone());
            link.session.set_transient();
        }
        let attempt = self.nodes[node].asked_again.get(&owner).copied().unwrap_or(0);
        let pause = if attempt > 0 { 50_000 << (attempt.min(8) - 1) } else { 0 };
        self.dial_later(key, Some(owner), addresses.iter().cloned(), pause);
        Ok(key)
    }

    /// The session in which `object` was received from its owner, if there is one, whoever dialed.
    fn link_holding(&self, node: usize, owner: NodeId, object: ObjectId) -> Option<SessionKey> {
        let holds = |link: &Link| {
            link.node == node
                && link.peer.as_ref().is_some_and(|(peer, _)| *peer == owner)
                && link.is_usable(self.local(node))
                && link.session.holds(object)
        };
        self.links.iter().find(|(_, link)| holds(link)).map(|(key, _)| *key)
    }

    /// The session with whoever listens at an address.
    pub fn link_at(&mut self, node: usize, address: &str) -> Option<SessionKey> {
        let slot = slot_of(address)?;
        if let Some(key) = self.nodes[node].to_slot.get(&slot).copied().filter(|key| self.is_usable(*key)) {
            return Some(key);
        }
        // Now and then the two have a pipe, and nobody can dial again.
        let pipe = !self.config.scripted && !self.config.breaks && self.rng.chance(5);
        let key = self.new_link(node, pipe, !pipe);
        if let Some(link) = self.links.get_mut(&key) {
            link.dialing.pipe = pipe;
        }
        self.nodes[node].to_slot.insert(slot, key);
        self.dial_later(key, None, [address.to_owned()], 0);
        Some(key)
    }

    pub fn forget_way(&mut self, key: SessionKey) {
        let Some(node) = self.links.get(&key).map(|link| link.node) else { return };
        self.nodes[node].to_node.retain(|_, other| *other != key);
        self.nodes[node].to_slot.retain(|_, other| *other != key);
    }

    /// Sends Unpins.
    pub fn pay(&mut self, debts: Vec<Debt>) {
        for debt in debts {
            self.amend(debt.session, |session| session.unpin(debt.transfer));
        }
    }

    pub fn live_imports(&self) -> Vec<Rc<Import>> {
        let mut imports = self.imports.borrow_mut();
        imports.retain(|import| import.strong_count() > 0);
        imports.iter().filter_map(Weak::upgrade).collect()
    }

    /// The maker of handles of new entries in a link.
    pub fn maker(
        &self,
        node: usize,
        owner: NodeId,
        addresses: Rc<[String]>,
        way: Way,
    ) -> impl Fn(ObjectId) -> (Rc<Import>, Weak<Import>) + use<> {
        let notices = self.nodes[node].notices.clone();
        move |object| {
            let (addresses, notices) = (addresses.clone(), notices.clone());
            let import =
                Import { node, owner, object, addresses, way: Cell::new(way), pins: Cell::new(0), notices };
            let import = Rc::new(import);
            let weak = Rc::downgrade(&import);
            (import, weak)
        }
    }

    fn new_import(
        &self,
        node: usize,
        owner: NodeId,
        addresses: Rc<[String]>,
        way: Way,
        object: ObjectId,
    ) -> Rc<Import> {
        let import = self.maker(node, owner, addresses, way)(object).0;
        self.register(&import);
        import
    }

    pub fn register(&self, import: &Rc<Import>) {
        let mut imports = self.imports.borrow_mut();
        if !imports.iter().any(|known| std::ptr::eq(known.as_ptr(), Rc::as_ptr(import))) {
            imports.push(Rc::downgrade(import));
        }
    }

    // ---- references of messages ----

    /// A reference that leaves `node`.
    pub fn outward(&mut self, node: usize, proxy: &Proxy) -> Option<OutReference<Sim>> {
        let interface = InterfaceName::Static("sim.Object");
        match proxy {
            Proxy::Own(object) => {
                let id = object.id;
                self.nodes[node].exports.insert(id.to_bytes(), Rc::downgrade(object));
                Some(OutReference::Own { id, interface, object: object.clone() })
            }
            Proxy::Remote(import) if import.owner == self.nodes[node].id => None,
            Proxy::Remote(import) => {
                let pin = Pin::new(import);
                if self.config.bug == Some(Bug::WeakPins) {
                    pin.0.release();
                    self.planted += 1;
                }
                let addresses = import.addresses.to_vec().into();
                let relays = [].into();
                let (owner, id) = (import.owner, import.object);
                Some(OutReference::Held { owner, id, interface, addresses, relays, pin })
            }
        }
    }

    /// A reference that arrived on a link; its accounting in other sessions is done here.
    pub fn resolve(&mut self, node: usize, arrived: Arrived<Sim>) -> Proxy {
        match arrived {
            Arrived::Import { import, .. } => {
                self.register(&import);
                Proxy::Remote(import)
            }
            Arrived::Home { object, debt, .. } => {
                let home = match self.nodes[node].find(object) {
                    Some(own) => Proxy::Own(own),
                    None => {
                        if self.is_strict(object) {
                            self.violate(Invariant::S1, || {
                                format!("{object} came home to n{node} and is gone")
                            });
                        }
                        let me = self.nodes[node].id;
                        Proxy::Remote(self.new_import(node, me, [].into(), Way::Gone, object))
                    }
                };
                self.pay(vec![debt]);
                home
            }
            Arrived::Third(third) => {
                let Third { owner, addresses, object, debt, .. } = *third;
                Proxy::Remote(self.import_from_third(node, owner, object, addresses, debt))
            }
        }
    }

    /// The object that a third node's reference leads to, in the session with its owner (7.4).
    fn import_from_third(
        &mut self,
        node: usize,
        owner: NodeId,
        object: ObjectId,
        addresses: Vec<String>,
        mut debt: Debt,
    ) -> Rc<Import> {
        let addresses: Rc<[String]> = addresses.into();
        let mut holding = self.link_holding(node, owner, object);
        while let Some(key) = holding.take().or_else(|| self.link_to(node, owner, &addresses).ok()) {
            match self.config.bug {
                Some(Bug::NoDirty) => {
                    self.planted += 1;
                    self.pay(vec![debt]);
                    return self.new_import(node, owner, addresses, Way::Link(key), object);
                }
                Some(Bug::EarlyUnpin) => {
                    self.planted += 1;
                    self.pay(vec![debt]);
                    debt.session = SessionKey::MAX;
                }
                _ => {}
            }
            let make = self.maker(node, owner, addresses.clone(), Way::Link(key));
            let done = self.amend(key, |session| session.import_from_third(object, debt, || make(object)));
            if let Some((import, pay)) = done.flatten() {
                self.register(&import);
                self.pay(pay);
                return import;
            }
        }
        // The owner is definitely unreachable; calls say so, and what is passed on from here is nobody's promise.
        self.taint_object(object);
        self.pay(vec![debt]);
        self.new_import(node, owner, addresses, Way::Lost, object)
    }

    /// Moves a handle, with what it owes, to an entry in a session with the owner. Gives the debts back if there is
    /// no way.
    pub fn ask_again(&mut self, import: &Rc<Import>, mut debts: Vec<Debt>) -> Result<SessionKey, Vec<Debt>> {
        loop {
            let Ok(key) = self.link_to(import.node, import.owner, &import.addresses) else {
                return Err(debts);
            };
            let weak = Rc::downgrade(import);
            let back = debts.clone();
            match self.amend(key, |session| session.ask_again(import.object, weak, debts)) {
                Some(Ok(pay)) => {
                    import.way.set(Way::Link(key));
                    self.reach("an entry that asks again");
                    self.note(|| format!("n{} asks again for {} in link {key}", import.node, import.object));
                    self.pay(pay);
                    return Ok(key);
                }
                Some(Err(back)) => debts = back,
                None => debts = back,
            }
        }
    }

    /// An entry of a link that ended. `definite`: its owner cannot be reached.
    pub fn lost_import(
        &mut self,
        link: SessionKey,
        lost: LostImport<Weak<Import>>,
        definite: bool,
        tried: Option<&Rc<[String]>>,
        may_ask: &mut Option<bool>,
    ) {
        let LostImport { object, handles, mut owed } = lost;
        for import in handles.iter().filter_map(Weak::upgrade) {
            match import.way.get() {
                Way::Link(current) if current == link => {}
                Way::Link(current) => {
                    // A call was faster and asked in another session.
                    let debts = std::mem::take(&mut owed);
                    let back = debts.clone();
                    match self.amend(current, |session| session.owe(object, debts)) {
                        Some(Ok(pay)) => {
                            self.pay(pay);
                            continue;
                        }
                        // Which ended this moment, too.
                        Some(Err(back)) => owed = back,
                        None => owed = back,
                    }
                }
                Way::Lost | Way::Gone => continue,
            }
            import.way.set(Way::Lost);
            if self.config.bug == Some(Bug::KeepOwed) && !owed.is_empty() {
                self.planted += 1;
                return;
            }
            // Another introducer may have named better addresses than those that were tried for all.
            let definite = definite && tried.is_none_or(|tried| *tried == import.addresses);
            if definite || !*may_ask.get_or_insert_with(|| self.may_ask_again(import.node, import.owner)) {
                continue;
            }
            if let Err(back) = self.ask_again(&import, std::mem::take(&mut owed)) {
                owed = back;
            }
        }
        // Nobody holds it, or its owner is out of reach.
        self.pay(owed);
    }

    /// Whether entries of `owner` may ask again by themselves; asked once for all entries of a link.
    fn may_ask_again(&mut self, node: usize, owner: NodeId) -> bool {
        let times = self.nodes[node].asked_again.entry(owner).or_insert(0);
        *times += 1;
        *times <= MAX_ASKED_AGAIN
    }

    /// Debts are due, and handles are gone for good: the owner answered.
    pub fn settle(&mut self, key: SessionKey, pay: Vec<Debt>, gone: Vec<Weak<Import>>) {
        if let Some((node, (owner, _))) =
            self.links.get(&key).and_then(|link| Some((link.node, link.peer.clone()?)))
        {
            self.nodes[node].asked_again.remove(&owner);
        }
        for import in gone.iter().filter_map(Weak::upgrade) {
            import.way.set(Way::Gone);
            let (node, object) = (import.node, import.object);
            self.note(|| format!("n{node} hears that {object} is gone"));
            if self.is_strict(object) {
                self.violate(Invariant::S2, || format!("{object} is gone for n{node}, which holds it"));
            }
        }
        self.pay(pay);
    }
}
