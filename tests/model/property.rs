//! The invariants of DESIGN 6, one function each.
//!
//! **Liveness** is checked in *settled* states: those in which no step is left but choices of applications (to send, to call, to
//! give up) and faults. Everything that applications hold, they drop in the end, so that a settled state holds nothing. This is sound because
//! every run is finite: each step uses a bounded number up, or is one of the finitely many consequences of steps that did (a test
//! searches for circles). A run that is fair to what happens by itself therefore ends in a settled state, and whatever should
//! happen "eventually" has happened there or never will. Stateright's own `eventually` is not used: it forgets obligations where two paths join.

use std::collections::BTreeSet;

use rmi_core::internal::gc::Debt;

use crate::config::NodeAt;
use crate::model::Collection;
use crate::state::{End, EndAt, Flaw, Frame, Handle, Life, Ref, State, Way, id};

pub type Condition = fn(&Collection, &State) -> bool;

pub const S1: &str = "S1: a call reaches its object";
pub const S2: &str = "S2: what is held is not collected";
pub const S3: &str = "S3: what is held is listed or pinned";
pub const S4: &str = "S4: an exact prefix is delivered";
pub const S5: &str = "S5: pins go by Unpin or the session's end";
pub const L1: &str = "L1: what nobody holds is collected";
pub const L2: &str = "L2: listings of the dead go";
pub const L3: &str = "L3: pins and entries go";
pub const L4: &str = "L4: calls end";
pub const RESUMED: &str = "a resume is refused only by who gave up";
pub const HONEST: &str = "nobody honest breaks the protocol";

/// All of them, with their names.
pub const ALWAYS: [(&str, Condition); 11] = [
    (S1, s1),
    (S2, s2),
    (S3, s3),
    (S4, s4),
    (S5, s5),
    (L1, l1),
    (L2, l2),
    (L3, l3),
    (L4, l4),
    (RESUMED, resumed),
    (HONEST, honest),
];

/// Without faults a call on a proxy, and a reference that comes home, find the object. (Ids are never reused by construction;
/// that a node answers for the right one is the tables' part, and is seen with two objects.)
pub fn s1(_: &Collection, state: &State) -> bool {
    state.flaw != Some(Flaw::S1)
}

/// Without faults: collected means no handle, no reference under way. With faults: a confirmed entry in a live
/// session is not collected; and a reference whose introducer was registered and stays so is not lost (see `Turn::gone`).
pub fn s2(model: &Collection, state: &State) -> bool {
    let gone = |object: u8| state.collected[usize::from(object)] && !is_owner_down(model, state, object);
    let confirmed = |end: &End, object: u8| end.is_open() && end.imports.confirmed(id(object)) == Some(true);
    let lost =
        state.ends().any(|(_, _, end)| objects(state).any(|object| gone(object) && confirmed(end, object)));
    let held = || handles(state).any(|(_, _, it)| gone(it.object));
    let under_way = || in_flight(state).any(|(_, reference)| gone(reference.object));
    state.flaw != Some(Flaw::S2) && !lost && (!state.is_faultless() || !(held() || under_way()))
}

/// Without faults: every handle and every reference under way is listed, with no Clean on its way that will be obeyed, or is
/// pinned by a holder of which the same is true.
pub fn s3(_: &Collection, state: &State) -> bool {
    if !state.is_faultless() {
        return true;
    }
    let safe = safe(state);
    let mut handles = handles(state);
    let arrives = |(from, reference): (EndAt, Ref)| match reference.transfer {
        0 => is_listed(state, (from.0, 1 - from.1), reference.object),
        transfer => is_pinned_by(state, from, transfer, &safe),
    };
    handles.all(|(node, name, _)| safe.contains(&(node, name))) && in_flight(state).all(arrives)
}

/// The handles that are listed, those whose debts are pinned by them, and so on.
fn safe(state: &State) -> BTreeSet<(NodeAt, u8)> {
    let listed = |it: &Handle, node| entry(state, node, it).is_some_and(|at| is_listed(state, at, it.object));
    let mut safe: BTreeSet<_> = handles(state)
        .filter(|(node, _, it)| listed(it, *node))
        .map(|(node, name, _)| (node, name))
        .collect();
    loop {
        let before = safe.len();
        for (node, name, it) in handles(state) {
            let Some(at) = entry(state, node, it) else { continue };
            let pinned = state.end(at).imports.owed(id(it.object)).iter().any(|debt| {
                let introducer = introducer(state, node, debt);
                introducer.is_some_and(|from| is_pinned_by(state, from, debt.transfer, &safe))
            });
            if pinned {
                safe.insert((node, name));
            }
        }
        if safe.len() == before {
            return safe;
        }
    }
}

/// Each frame that is delivered is the next one.
pub fn s4(_: &Collection, state: &State) -> bool {
    state.flaw != Some(Flaw::S4)
}

/// What is under way, or owed, is pinned until its sender's end of the session is over as an owner.
pub fn s5(_: &Collection, state: &State) -> bool {
    let pinned = |from: EndAt, transfer: u64| {
        let end = state.end(from);
        end.life == Life::Over || end.pins.iter().any(|(pinned, _)| pinned == transfer)
    };
    let under_way = in_flight(state).all(|(from, it)| it.transfer == 0 || pinned(from, it.transfer));
    let owed = state.ends().all(|(_, node, end)| {
        let mut debts = objects(state).flat_map(|object| end.imports.owed(id(object)));
        debts.all(|debt| {
            let Some(from) = introducer(state, node, debt) else { return false };
            !state.end((from.0, 1 - from.1)).is_open() || pinned(from, debt.transfer)
        })
    });
    under_way && owed
}

/// Nothing held anywhere: collected.
pub fn l1(model: &Collection, state: &State) -> bool {
    let done = |object: u8| state.collected[usize::from(object)] || is_owner_down(model, state, object);
    !state.settled || objects(state).all(done)
}

/// What a node that is down had listed and pinned is let go of.
pub fn l2(_: &Collection, state: &State) -> bool {
    let dead = |at: EndAt| state.node(state.session(at.0).nodes[1 - at.1]).down;
    !state.settled
        || state.ends().all(|(at, _, end)| !dead(at) || (end.listing.is_empty() && end.pins.is_empty()))
}

/// No pin and no import entry stays; so nothing is owed, either.
pub fn l3(_: &Collection, state: &State) -> bool {
    !state.settled || state.ends().all(|(_, _, end)| end.pins.is_empty() && end.imports.is_empty())
}

/// Calls are answered, given up, or fail with their session.
pub fn l4(_: &Collection, state: &State) -> bool {
    !state.settled || state.ends().all(|(_, _, end)| end.calls.is_empty())
}

/// While neither side has given up, the dialer can come back, whatever was lost of earlier attempts.
pub fn resumed(_: &Collection, state: &State) -> bool {
    state.flaw != Some(Flaw::Refused)
}

pub fn honest(_: &Collection, state: &State) -> bool {
    state.flaw != Some(Flaw::Protocol)
}

fn is_owner_down(model: &Collection, state: &State, object: u8) -> bool {
    state.node(model.config.owner(object)).down
}

/// References that were sent and have not arrived, in sessions that live.
fn in_flight(state: &State) -> impl Iterator<Item = (EndAt, Ref)> {
    state.ends().flat_map(|(at, _, end)| {
        let received = state.end((at.0, 1 - at.1)).received;
        let waiting = end.ring.iter().filter(move |(number, _)| *number > received);
        waiting.filter_map(move |(_, frame)| frame.reference().map(|reference| (at, *reference)))
    })
}

fn objects(state: &State) -> impl Iterator<Item = u8> {
    0..state.collected.len() as u8
}

/// Every handle, with its node and name.
fn handles(state: &State) -> impl Iterator<Item = (NodeAt, u8, &Handle)> {
    let nodes = (0..).zip(&state.nodes);
    nodes.flat_map(|(at, node)| node.handles.iter().map(move |(name, handle)| (at, *name, handle)))
}

/// The end in which a handle has its entry.
fn entry(state: &State, node: NodeAt, handle: &Handle) -> Option<EndAt> {
    let Way::Session(session) = handle.way else { return None };
    state.session(session).side_of(node).map(|side| (session, side))
}

/// The end that passed on what `node` owes for.
fn introducer(state: &State, node: NodeAt, debt: &Debt) -> Option<EndAt> {
    let session = debt.session as u8;
    state.session(session).side_of(node).map(|side| (session, 1 - side))
}

/// Listed for the holder at this end, and no Clean is on its way that the owner will obey.
fn is_listed(state: &State, (session, side): EndAt, object: u8) -> bool {
    let Some(listed) = state.end((session, 1 - side)).listing.frame(id(object)) else { return false };
    let cleans = |frame: &Frame| matches!(frame, Frame::Clean { object: it, upto } if *it == object && listed <= *upto);
    !state.end((session, side)).ring.iter().any(|(_, frame)| cleans(frame))
}

fn is_pinned_by(state: &State, from: EndAt, transfer: u64, safe: &BTreeSet<(NodeAt, u8)>) -> bool {
    let node = state.session(from.0).nodes[from.1];
    let mut pins = state.end(from).pins.iter();
    pins.any(|(pinned, handle)| pinned == transfer && safe.contains(&(node, *handle)))
}
