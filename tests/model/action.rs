//! The steps, and which are possible. *Progress* is what happens by itself in the end: frames arrive, nodes dial again, leases
//! end, servants answer, applications drop what they hold. The others are choices of applications, and faults.

use crate::config::{Config, NodeAt};
use crate::mutant::Mutant;
use crate::state::{ACCEPTOR, DIALER, EndAt, Handle, Held, Life, SessionAt, State, Way, Wire};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// An end calls the other side's root object with a reference, whole or in two frames.
    Pass {
        from: EndAt,
        what: Held,
        cut: bool,
    },
    /// A call on a proxy.
    Use {
        node: NodeAt,
        handle: u8,
    },
    /// Nobody waits for the call any more.
    Cancel {
        end: EndAt,
        call: u8,
    },
    Answer {
        end: EndAt,
        call: u8,
        result: Option<Held>,
    },
    Finish {
        end: EndAt,
        first: u64,
    },
    Abort {
        end: EndAt,
        first: u64,
        call: u8,
    },
    DropRoot {
        node: NodeAt,
        object: u8,
    },
    DropProxies {
        node: NodeAt,
        handle: u8,
    },
    /// The writer sees that a handle was dropped.
    Notice {
        node: NodeAt,
        at: usize,
    },
    Deliver {
        to: EndAt,
    },
    DeliverStale {
        session: SessionAt,
    },
    /// The acceptor comes to a Resume on a connection that was given up.
    ResumeLate {
        session: SessionAt,
        which: usize,
    },
    Break {
        session: SessionAt,
    },
    /// The dialer dials again and sends Resume.
    Redial {
        session: SessionAt,
    },
    /// A side gives up as a holder.
    HolderEnd {
        end: EndAt,
    },
    OwnerEnd {
        end: EndAt,
    },
    Crash {
        node: NodeAt,
    },
    /// A node says Bye wherever it can and is gone.
    Leave {
        node: NodeAt,
    },
}

/// Who decides that a step happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Progress,
    Choice,
}

/// Calls `yield_` with every step that is possible.
pub fn each(config: &Config, state: &State, yield_: &mut impl FnMut(Action, Kind)) {
    for (at, session) in (0..).zip(&state.sessions) {
        if session.wire == Wire::Broken && may_redial(config, state, at) {
            yield_(Action::Redial { session: at }, Kind::Progress);
        }
        if !session.stale.is_empty() {
            yield_(Action::DeliverStale { session: at }, Kind::Progress);
        }
        for which in 0..session.late.len() {
            yield_(Action::ResumeLate { session: at, which }, Kind::Choice);
        }
        let alive = session.nodes.iter().all(|node| !state.node(*node).down);
        let intact = alive && !session.has_ended() && config.is_fragile(session.nodes[0], session.nodes[1]);
        if intact && session.wire != Wire::Broken && state.left.breaks > 0 {
            yield_(Action::Break { session: at }, Kind::Choice);
        }
        for side in [DIALER, ACCEPTOR] {
            if !state.node(session.nodes[side]).down {
                of_end(config, state, (at, side), yield_);
            }
        }
    }
    for (at, node) in (0..).zip(&state.nodes) {
        if !node.down {
            of_node(config, state, at, yield_);
        }
    }
}

fn may_redial(config: &Config, state: &State, at: SessionAt) -> bool {
    let session = state.session(at);
    let holder = match session.ends[DIALER].life {
        Life::Open => !session.ends[DIALER].expired,
        Life::Detached => config.is(Mutant::ResumesAfterEnd) && session.ends[ACCEPTOR].is_open(),
        Life::Over => false,
    };
    holder && session.nodes.iter().all(|node| !state.node(*node).down)
}

fn of_end(config: &Config, state: &State, at: EndAt, yield_: &mut impl FnMut(Action, Kind)) {
    let (session, side) = (state.session(at.0), at.1);
    let (end, other) = (&session.ends[side], &session.ends[1 - side]);
    let peer_down = state.node(session.nodes[1 - side]).down;
    if !session.flight[side].is_empty() {
        yield_(Action::Deliver { to: at }, Kind::Progress);
    }
    if end.life == Life::Open {
        for (&call, held) in &end.serving {
            yield_(Action::Answer { end: at, call, result: None }, Kind::Progress);
            if config.results && state.left.references > 0 {
                let own = held.iter().copied();
                let more = what_to_pass(config, state, at).filter(|what| Some(*what) != *held);
                for what in own.chain(more) {
                    yield_(Action::Answer { end: at, call, result: Some(what) }, Kind::Choice);
                }
            }
        }
        for &(first, call) in &end.unfinished {
            yield_(Action::Finish { end: at, first }, Kind::Progress);
            yield_(Action::Abort { end: at, first, call }, Kind::Choice);
        }
        if state.left.cancels > 0 {
            for &call in end.calls.keys() {
                yield_(Action::Cancel { end: at, call }, Kind::Choice);
            }
        }
        if state.left.references > 0 {
            for what in what_to_pass(config, state, at) {
                yield_(Action::Pass { from: at, what, cut: false }, Kind::Choice);
                if state.left.fragments > 0 {
                    yield_(Action::Pass { from: at, what, cut: true }, Kind::Choice);
                }
            }
        }
        // The other side will never be heard of again; or it is well, and nothing gets through in time.
        let alone = peer_down || !other.is_open();
        let cut_off = session.wire != Wire::Up && state.left.ends > 0;
        if alone || (cut_off && config.is_fragile(session.nodes[0], session.nodes[1])) {
            yield_(Action::HolderEnd { end: at }, if alone { Kind::Progress } else { Kind::Choice });
        }
    }
    // The lease: an owner's end lies after the holder's.
    let holder_is_over = peer_down || !other.is_open() || other.expired;
    let first = config.is(Mutant::OwnerEndsFirst);
    let never = config.is(Mutant::NoOwnerEnd);
    if end.life == Life::Detached && (holder_is_over || first) && !never {
        yield_(Action::OwnerEnd { end: at }, Kind::Progress);
    }
}

/// What the node at `from` has and passes to the other side.
fn what_to_pass<'a>(config: &'a Config, state: &'a State, from: EndAt) -> impl Iterator<Item = Held> + 'a {
    let session = state.session(from.0);
    let route = (session.nodes[from.1], session.nodes[1 - from.1]);
    let node = state.node(route.0);
    let open = config.routes.contains(&route);
    let own = (0..).zip(&node.roots).filter(|(_, held)| **held).map(|(object, _)| Held::Own(object));
    let passable = |(_, handle): &(&u8, &Handle)| handle.held && handle.way != Way::Gone;
    let imports = node.handles.iter().filter(passable).map(|(handle, _)| Held::Import(*handle));
    own.chain(imports).filter(move |_| open)
}

fn of_node(config: &Config, state: &State, at: NodeAt, yield_: &mut impl FnMut(Action, Kind)) {
    let node = state.node(at);
    for (object, held) in (0..).zip(&node.roots) {
        if *held {
            yield_(Action::DropRoot { node: at, object }, Kind::Progress);
        }
    }
    for (&handle, it) in &node.handles {
        if it.held {
            yield_(Action::DropProxies { node: at, handle }, Kind::Progress);
            if state.left.uses > 0 && it.way != Way::Gone {
                yield_(Action::Use { node: at, handle }, Kind::Choice);
            }
        }
    }
    for (n, notice) in node.notices.iter().enumerate() {
        // Those of one session come in order.
        if !node.notices[..n].iter().any(|earlier| earlier.0 == notice.0) {
            yield_(Action::Notice { node: at, at: n }, Kind::Progress);
        }
    }
    if config.mortal.contains(&at) {
        if state.left.crashes > 0 {
            yield_(Action::Crash { node: at }, Kind::Choice);
        }
        if state.left.leaves > 0 {
            yield_(Action::Leave { node: at }, Kind::Choice);
        }
    }
}
