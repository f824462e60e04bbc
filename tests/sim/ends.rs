//! How links end. It mirrors `node/lost.rs`.

use std::rc::Rc;

use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::{Lost, Phase, Session};

use crate::bug::Bug;
use crate::dial::Failed;
use crate::event::Event;
use crate::handles::Sim;
use crate::invariant::{Invariant, closed};
use crate::node::Reason;
use crate::serve::Outcome;
use crate::world::World;

impl World {
    /// An end of a connection notices that it is gone.
    pub fn broken(&mut self, conn: usize, end: usize) {
        self.conns[conn].gone[end] = true;
        let key = self.conns[conn].ends[end].link;
        let Some(link) = self.links.get(&key) else { return };
        if end == 0 && link.back.attempt == Some(conn) {
            return self.resume_failed(key, conn, Failed::Halfway);
        }
        if link.conn != Some((conn, end)) || link.closed.is_some() {
            return;
        }
        match link.session.phase() {
            Phase::Opening => self.attempt_failed(key, Failed::Halfway),
            _ => self.lose_connection(key),
        }
    }

    /// The connection of a link is gone or must go. Only the first reason counts.
    pub fn close(&mut self, key: SessionKey, reason: Reason) {
        match self.links.get_mut(&key) {
            Some(link) if link.closed.is_none() => link.closed = Some(reason),
            _ => return,
        }
        let (node, tried) = (self.links[&key].node, self.links[&key].tried.clone());
        self.note(|| format!("n{node} closes link {key}: {reason:?}"));
        closed(self, key, reason);
        // What ends because nothing uses it is no fault: nothing may be missed.
        if reason != Reason::Unused {
            self.taint(key);
        }
        self.forget_way(key);
        self.collect_dropped(key);
        self.hang_up(key);
        if let Some((log, _)) = self.links[&key].log {
            self.close_log(key, log);
        }
        let mut keeps_owner_side = matches!(reason, Reason::Broken | Reason::Expired | Reason::Replaced);
        if keeps_owner_side && self.config.bug == Some(Bug::OwnerFirst) {
            self.planted += 1;
            keeps_owner_side = false;
        } else if !keeps_owner_side && reason != Reason::Forgotten {
            self.parted(key);
        }
        let ended = self.with(key, |s| if keeps_owner_side && !s.is_idle() { s.lapse() } else { s.end() });
        match self.links[&key].session.phase() {
            Phase::Lapsed(until) => {
                let time = self.nodes[node].clock.world(until);
                if let Some(link) = self.links.get_mut(&key) {
                    link.write_at = None;
                }
                self.write_by(key, time);
            }
            _ => self.over(key),
        }
        self.reach(match reason {
            Reason::Unreachable => "an owner out of reach",
            Reason::Replaced => "another node at the address",
            Reason::Broken => "a connection that is not made again",
            Reason::Forgotten => "a session that is forgotten",
            Reason::Expired => "a lease that ends",
            Reason::Bye => "a Bye",
            Reason::Violation => "a refusal",
            Reason::Unused => "a session that nothing uses",
            Reason::Stopped => "a node that stops",
        });
        if let Some(lost) = ended {
            self.lost(key, lost, reason, tried);
        }
    }

    /// The other end sees the end of the stream, behind what is under way.
    pub fn hang_up(&mut self, key: SessionKey) {
        if let Some((conn, end)) = self.links.get(&key).and_then(|link| link.conn) {
            self.hang_up_on(conn, end);
        }
    }

    /// The same for a connection that is not, or no longer, that of a link.
    pub fn hang_up_on(&mut self, conn: usize, end: usize) {
        let delay = if self.config.scripted { 1000 } else { 50 + self.rng.below(self.max_delay) };
        let pipe = &mut self.conns[conn].pipes[end];
        if !pipe.cut {
            pipe.cut = true;
            let time = pipe.last_arrival.max(pipe.held_until).max(self.now) + delay;
            self.at(time, Event::Broken { conn, end: 1 - end });
        }
    }

    /// Ends both sides.
    pub fn finish(&mut self, key: SessionKey) {
        let lost = self.with(key, Session::end);
        self.over(key);
        if let Some(lost) = lost {
            self.lost(key, lost, Reason::Expired, None);
        }
    }

    fn over(&mut self, key: SessionKey) {
        self.check_pins(key);
        if let Some(link) = self.links.remove(&key) {
            let left = link.session.pinned() + link.session.listed() + link.session.imported();
            if left > 0 {
                self.violate(Invariant::L3, || format!("link {key} is over and keeps {left} things"));
            }
            self.note(|| format!("n{} forgets link {key}", link.node));
        }
        self.running.retain(|_, running| running.link != key);
    }

    fn lost(&mut self, key: SessionKey, lost: Lost<Sim>, reason: Reason, tried: Option<Rc<[String]>>) {
        let Lost { mut imports, mut calls } = lost;
        calls.sort_by_key(|call| call.caller.call);
        for call in calls {
            if self.config.bug == Some(Bug::ForgetCalls) {
                self.planted += 1;
                continue;
            }
            let text = format!("{reason:?}");
            let planted = self.config.bug == Some(Bug::SayNotBegun) && call.begun;
            self.planted += u32::from(planted);
            let begun = call.begun && !planted;
            self.check_lost_call(call.caller.call, begun, reason == Reason::Bye);
            let outcome = if begun { Outcome::Unknown(text) } else { Outcome::Failed(text) };
            self.outcome(&call.caller, outcome, Vec::new());
        }
        let definite = matches!(reason, Reason::Unreachable | Reason::Replaced | Reason::Stopped);
        imports.sort_by_key(|import| import.object.to_bytes());
        // However many entries a link carries, they count as one: all of them ask in the same new link.
        let mut may_ask = None;
        for import in imports {
            self.lost_import(key, import, definite, tried.as_ref(), &mut may_ask);
        }
    }
}
