//! What the nodes do. One step is one call of [`step`]; what a step of a node causes in its other sessions is part of it,
//! as it is in `node/dispatch.rs` but for the locks.

mod collection;
mod ends;
mod handles;
mod receive;
mod send;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::action::{Action, Kind, each};
use crate::config::{Config, NodeAt};
use crate::mutant::Mutant;
use crate::state::{
    ACCEPTOR, DIALER, End, EndAt, Flaw, Handle, Life, Node, Packet, Session, SessionAt, State,
};

/// What a configuration must reach to be worth anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Mark {
    /// A hand-off was confirmed by the owner.
    Confirmed,
    /// The owner had let go.
    Gone,
    /// A Clean was ignored because a reference crossed it.
    Crossed,
    /// A reference came home.
    Home,
    /// A resume replayed frames in both directions, or in one.
    Replayed,
    /// The new connection left frames of the old one behind.
    Fenced,
    Expired,
    /// A Resume was taken whose connection was given up.
    Late,
    /// An entry asked again in a new session.
    AskedAgain,
    /// An owner's end let listings go.
    OwnerEnd,
    Bye,
    /// One node had two entries for one object.
    TwoEntries,
    /// A message was aborted that carried a reference.
    Aborted,
    /// A result carried a reference.
    Result,
    /// An argument's caller gave up before the owner confirmed.
    Cancelled,
    /// An owner that is down was asked again.
    Unreachable,
}

/// Which marks were reached. Beside the states, so that it does not multiply them.
#[derive(Debug, Default)]
pub struct Marks(AtomicU32);

impl Marks {
    pub fn set(&self, mark: Mark) {
        self.0.fetch_or(1 << mark as u32, Ordering::Relaxed);
    }

    pub fn has(&self, mark: Mark) -> bool {
        self.0.load(Ordering::Relaxed) & (1 << mark as u32) != 0
    }
}

/// The state after a step.
pub fn step(config: &Config, marks: &Marks, state: &State, action: Action) -> State {
    let mut turn = Turn { config, marks, state: state.clone() };
    turn.perform(action);
    turn.tidy();
    turn.state
}

/// A step under way.
pub struct Turn<'a> {
    pub config: &'a Config,
    pub marks: &'a Marks,
    pub state: State,
}

impl Turn<'_> {
    fn perform(&mut self, action: Action) {
        match action {
            Action::Pass { from, what, cut } => self.pass(from, what, cut),
            Action::Use { node, handle } => self.call_on(node, handle),
            Action::Cancel { end, call } => self.cancel(end, call),
            Action::Answer { end, call, result } => self.answer(end, call, result),
            Action::Finish { end, first } => self.finish(end, first),
            Action::Abort { end, first, call } => self.abort(end, first, call),
            Action::DropRoot { node, object } => {
                self.node(node).roots[usize::from(object)] = false;
            }
            Action::DropProxies { node, handle } => self.change(node, handle, |handle| handle.held = false),
            Action::Notice { node, at } => {
                let (session, object) = self.node(node).notices.remove(at);
                self.notice(node, session, object);
            }
            Action::Deliver { to } => self.deliver(to),
            Action::DeliverStale { session } => self.deliver_stale(session),
            Action::ResumeLate { session, which } => self.resume_late(session, which),
            Action::Break { session } => self.break_connection(session),
            Action::Redial { session } => self.redial(session),
            Action::HolderEnd { end } => self.give_up(end),
            Action::OwnerEnd { end } => {
                self.marks.set(Mark::OwnerEnd);
                self.owner_end(end);
            }
            Action::Crash { node } => {
                self.state.left.crashes -= 1;
                self.go_down(node);
            }
            Action::Leave { node } => self.leave(node),
        }
    }

    /// What follows from a step at once, and forms of one state that make no difference.
    fn tidy(&mut self) {
        for object in 0..self.state.collected.len() {
            let alive = self.is_alive(object as u8);
            self.state.collected[object] |= !alive;
        }
        for at in 0..self.state.sessions.len() {
            self.tidy_session(at as SessionAt);
        }
        let mut settled = true;
        each(self.config, &self.state, &mut |_, kind| settled &= kind != Kind::Progress);
        self.state.settled = settled;
    }

    fn tidy_session(&mut self, at: SessionAt) {
        let keep = self.config.is(Mutant::ReplaysAll);
        for side in [DIALER, ACCEPTOR] {
            let (end, other) = (&self.state.session(at).ends[side], &self.state.session(at).ends[1 - side]);
            let (open, received) = (end.is_open() && other.is_open(), if keep { 0 } else { other.received });
            if end.ring.iter().any(|(number, _)| !open || *number <= received) {
                self.end((at, side)).ring.retain(|(number, _)| open && *number > received);
            }
            // Nothing is handled any more but Resume, which is answered by Expired.
            let handled = |packet: &Packet| side == ACCEPTOR && matches!(packet, Packet::Resume { .. });
            let closed = !self.state.end((at, side)).is_open();
            if closed && self.state.session(at).flight[side].iter().any(|packet| !handled(packet)) {
                self.session(at).flight[side].retain(handled);
            }
        }
        let session = self.state.session(at);
        if !session.ends[ACCEPTOR].is_open() && !session.stale.is_empty() {
            self.session(at).stale.clear();
        }
        // A Resume that nobody comes to is as good as one that is not admitted.
        let session = self.state.sessions[usize::from(at)].clone();
        let hopeful = |packet: &Packet| match packet {
            Packet::Resume { token, .. } => !session.has_ended() && session.admits(*token),
            _ => false,
        };
        if !session.late.iter().all(hopeful) {
            self.session(at).late.retain(hopeful);
        }
        let over = |end: &End| end.life == Life::Over && end.calls.is_empty();
        let nothing = Session::over(session.nodes);
        if session.ends.iter().all(over) && *session != nothing {
            *self.session(at) = nothing;
        }
    }

    /// Whether an own object is held by its application or by a listing (7.8).
    pub fn is_alive(&self, object: u8) -> bool {
        let owner = self.config.owner(object);
        let node = self.state.node(owner);
        let listed = |end: &End| end.listing.frame(crate::state::id(object)).is_some();
        node.roots[usize::from(object)] || self.state.ends().any(|(_, at, end)| at == owner && listed(end))
    }

    pub fn node(&mut self, at: NodeAt) -> &mut Node {
        Arc::make_mut(&mut self.state.nodes[usize::from(at)])
    }

    pub fn session(&mut self, at: SessionAt) -> &mut Session {
        Arc::make_mut(&mut self.state.sessions[usize::from(at)])
    }

    pub fn end(&mut self, (session, side): EndAt) -> &mut End {
        &mut self.session(session).ends[side]
    }

    pub fn node_of(&self, (session, side): EndAt) -> NodeAt {
        self.state.session(session).nodes[side]
    }

    pub fn peer_of(&self, (session, side): EndAt) -> NodeAt {
        self.state.session(session).nodes[1 - side]
    }

    pub fn handle(&self, node: NodeAt, handle: u8) -> Option<Handle> {
        self.state.node(node).handles.get(&handle).copied()
    }

    pub fn flaw(&mut self, flaw: Flaw) {
        self.state.flaw.get_or_insert(flaw);
    }

    /// A flaw unless the mutant brings it about as a matter of course.
    pub fn misbehaved(&mut self, excused: bool) {
        if !excused {
            self.flaw(Flaw::Protocol);
        }
    }
}
