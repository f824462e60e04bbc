//! Import entries, debts, drops (7.2, 7.4, 7.5, 7.7), as `node/{lost,dispatch,import}.rs` have them, on the real tables.

use rmi_core::internal::gc::{Arrival, Debt, LostImport};

use crate::config::NodeAt;
use crate::mutant::Mutant;
use crate::rules::{Mark, Turn};
use crate::state::{EndAt, Flaw, Frame, Ref, Session, SessionAt, Way, id};

impl Turn<'_> {
    // ---- arrival ----

    pub fn arrive_from_owner(&mut self, at: EndAt, object: u8) -> u8 {
        let (node, fresh) = (self.node_of(at), self.fresh(self.node_of(at)));
        let known = self.state.nodes[usize::from(node)].clone();
        let share = |handle: &u8| known.handles.contains_key(handle).then_some(*handle);
        let handle = self.end(at).imports.arrive_from_owner(id(object), share, || (fresh, fresh));
        self.borrow(node, handle, object, Way::Session(at.0), false);
        self.note_entries(node, object);
        if self.config.is(Mutant::OwnerConfirms) {
            self.confirm(at, object);
        }
        handle
    }

    pub fn arrive_from_third(&mut self, at: EndAt, reference: Ref) -> u8 {
        let Ref { object, transfer, solid } = reference;
        let (node, owner) = (self.node_of(at), self.config.owner(object));
        let debt = Debt { session: at.0.into(), transfer };
        let fresh = self.fresh(node);
        let Some(way) = self.session_holding(node, object).or_else(|| self.session_to(node, owner)) else {
            self.pay(node, [debt]);
            self.borrow(node, fresh, object, Way::Lost, false);
            return fresh;
        };
        let known = self.state.nodes[usize::from(node)].clone();
        let share = |handle: &u8| known.handles.contains_key(handle).then_some(*handle);
        let imports = &mut self.end(way).imports;
        let (handle, arrival) = imports.arrive_from_third(id(object), debt, share, || (fresh, fresh));
        let waits = !matches!(arrival, Arrival::Pay(_));
        self.borrow(node, handle, object, Way::Session(way.0), waits && solid);
        self.note_entries(node, object);
        if self.config.is(Mutant::NoDirty) && arrival == Arrival::SendDirty {
            self.confirm(way, object);
            return handle;
        }
        if self.config.is(Mutant::TwoDirtys) && arrival == Arrival::Waits {
            self.push(way, Frame::Dirty(object));
        }
        if self.config.is(Mutant::EarlyUnpin) && waits {
            self.pay(node, [debt]);
        }
        self.arrived(node, way, object, arrival);
        handle
    }

    fn arrived(&mut self, node: NodeAt, way: EndAt, object: u8, arrival: Arrival) {
        match arrival {
            Arrival::SendDirty => {
                self.push(way, Frame::Dirty(object));
            }
            Arrival::Waits => {}
            Arrival::Pay(debts) => self.pay(node, debts),
        }
    }

    /// An open session with the owner in which there is an entry: one that this node dialed, or that the owner gave it in.
    fn session_holding(&self, node: NodeAt, object: u8) -> Option<EndAt> {
        let owner = self.config.owner(object);
        let open = self.state.ends().filter(|(_, at, end)| *at == node && end.is_open());
        let mut to =
            open.filter(|((session, side), _, _)| self.state.session(*session).nodes[1 - side] == owner);
        to.find(|(_, _, end)| end.imports.confirmed(id(object)).is_some()).map(|(at, _, _)| at)
    }

    /// The session that this node dialed, dialing if there is none. `None`: the owner is out of reach.
    fn session_to(&mut self, node: NodeAt, owner: NodeAt) -> Option<EndAt> {
        let dialed = |session: &Session| session.nodes == [node, owner] && session.ends[0].is_open();
        if let Some(known) = self.state.sessions.iter().position(|session| dialed(session)) {
            return Some((known as SessionAt, 0));
        }
        if self.state.node(owner).down {
            self.marks.set(Mark::Unreachable);
            return None;
        }
        self.state.sessions.push(Session::new(node, owner).into());
        Some((self.state.sessions.len() as SessionAt - 1, 0))
    }

    fn note_entries(&self, node: NodeAt, object: u8) {
        let here = self.state.ends().filter(|(_, at, _)| *at == node);
        if here.filter(|(_, _, end)| end.imports.confirmed(id(object)).is_some()).count() > 1 {
            self.marks.set(Mark::TwoEntries);
        }
    }

    // ---- debts ----

    /// Sends Unpins. A session that is over has nothing to pay: its peer's pins end by themselves.
    pub fn pay(&mut self, node: NodeAt, debts: impl IntoIterator<Item = Debt>) {
        for Debt { session, transfer } in debts {
            // What the mutant paid before.
            if self.config.is(Mutant::EarlyUnpin) && !self.is_pinned(node, session as SessionAt, transfer) {
                continue;
            }
            let Some(side) = self.state.session(session as SessionAt).side_of(node) else { continue };
            self.push((session as SessionAt, side), Frame::Unpin(transfer));
        }
    }

    fn is_pinned(&self, node: NodeAt, session: SessionAt, transfer: u64) -> bool {
        let it = self.state.session(session);
        let side = it.side_of(node).unwrap_or_default();
        let paid = it.ends[side].ring.iter().any(|(_, frame)| *frame == Frame::Unpin(transfer));
        !paid && it.ends[1 - side].pins.iter().any(|(pinned, _)| pinned == transfer)
    }

    // ---- the owner's answers ----

    pub fn dirty(&mut self, at: EndAt, object: u8) {
        if !self.is_alive(object) {
            self.push(at, Frame::Gone(object));
            return;
        }
        self.end(at).listing.dirty(id(object), ());
        self.push(at, Frame::Held(object));
    }

    pub fn held(&mut self, at: EndAt, object: u8) {
        self.marks.set(Mark::Confirmed);
        if !self.confirm(at, object) {
            let unasked =
                [Mutant::NoDirty, Mutant::TwoDirtys, Mutant::OwnerConfirms, Mutant::CleanUnconfirmed];
            self.misbehaved(self.config.mutant.is_some_and(|mutant| unasked.contains(&mutant)));
        }
    }

    /// False: nobody asked.
    fn confirm(&mut self, at: EndAt, object: u8) -> bool {
        let node = self.node_of(at);
        let Some(settled) = self.end(at).imports.held(id(object)) else { return false };
        for handle in self.node(node).handles.values_mut() {
            handle.introduced &= handle.way != Way::Session(at.0) || handle.object != object;
        }
        self.pay(node, settled.pay);
        if settled.clean {
            self.clean(at, object);
        }
        true
    }

    pub fn gone(&mut self, at: EndAt, object: u8) {
        self.marks.set(Mark::Gone);
        let node = self.node_of(at);
        let Some(settled) = self.end(at).imports.gone(id(object)) else {
            return self
                .misbehaved(self.config.is(Mutant::TwoDirtys) || self.config.is(Mutant::OwnerConfirms));
        };
        let lawful = self.may_be_gone(node, self.config.owner(object));
        for handle in settled.gone {
            let Some(it) = self.node(node).handles.get_mut(&handle) else { continue };
            it.way = Way::Gone;
            let protected = it.introduced;
            if self.state.is_faultless() || (protected && !lawful) {
                self.flaw(Flaw::S2);
            }
        }
        self.pay(node, settled.pay);
    }

    /// S2 with faults: whether a session of an introducer ended, to `node` or to the owner.
    fn may_be_gone(&self, node: NodeAt, owner: NodeAt) -> bool {
        let others = self.state.sessions.iter().filter(|session| {
            !(session.side_of(node).is_some() && session.side_of(owner).is_some()) && session.has_ended()
        });
        others.count() > 0 || self.state.nodes.iter().any(|node| node.down)
    }

    // ---- drops ----

    pub fn notice(&mut self, node: NodeAt, session: SessionAt, object: u8) {
        let Some(side) = self.state.session(session).side_of(node) else { return };
        let at = (session, side);
        let clean = self.end(at).imports.dropped(id(object));
        if clean {
            self.clean(at, object);
        } else if self.config.is(Mutant::CleanUnconfirmed) {
            self.confirm(at, object);
        }
    }

    fn clean(&mut self, at: EndAt, object: u8) {
        let upto = self.end(at).received;
        self.push(at, Frame::Clean { object, upto });
    }

    // ---- entries of sessions that ended ----

    pub fn lost_import(&mut self, node: NodeAt, session: SessionAt, lost: LostImport<u8>) {
        let LostImport { object, handles, mut owed } = lost;
        if self.config.is(Mutant::PaidBecauseBroken) {
            self.pay(node, std::mem::take(&mut owed));
        }
        for handle in handles {
            let Some(it) = self.node(node).handles.get_mut(&handle) else { continue };
            let only_pins = !it.held && it.borrowed == 0;
            match it.way {
                Way::Session(current) if current == session => it.way = Way::Lost,
                Way::Session(current) => {
                    let debts = std::mem::take(&mut owed);
                    let side = self.state.session(current).side_of(node).unwrap_or_default();
                    let pay = self.end((current, side)).imports.owe(object, debts);
                    self.pay(node, pay);
                    continue;
                }
                Way::Lost | Way::Gone => continue,
            }
            if self.config.is(Mutant::PinsDoNotAsk) && only_pins {
                return;
            }
            if let Err(back) = self.ask_again(node, handle, std::mem::take(&mut owed)) {
                owed = back;
            }
        }
        if !self.config.is(Mutant::NeverPaid) {
            self.pay(node, owed);
        }
    }

    /// Moves a handle to an entry in another session. Gives the debts back if the owner is out of reach.
    pub fn ask_again(&mut self, node: NodeAt, handle: u8, debts: Vec<Debt>) -> Result<SessionAt, Vec<Debt>> {
        let Some(it) = self.handle(node, handle) else { return Err(debts) };
        let Some(way) = self.session_to(node, self.config.owner(it.object)) else { return Err(debts) };
        self.marks.set(Mark::AskedAgain);
        let known = self.node(node).handles.clone();
        let is_alive = |handle: &u8| known.contains_key(handle);
        let arrival = self.end(way).imports.ask_again(id(it.object), handle, debts, is_alive);
        self.change(node, handle, |handle| handle.way = Way::Session(way.0));
        self.arrived(node, way, it.object, arrival);
        Ok(way.0)
    }
}
