//! How sessions outlive their connections. It mirrors `node/connection/resume.rs`: the side that dialed dials again, the other waits.

use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::{Phase, SessionError, Ticket, Timeout};
use rmi_core::internal::wire::{Frame, Resume};

use crate::bug::Bug;
use crate::dial::{Dialing, Failed};
use crate::driver::encoded;
use crate::event::Event;
use crate::invariant::Invariant;
use crate::node::Reason;
use crate::world::World;

/// The first pause between rounds, and the longest, in microseconds.
const FIRST_PAUSE: u64 = 10_000;
const LONGEST_PAUSE: u64 = 1_000_000;

/// How a broken connection of a link comes back.
#[derive(Debug, Default)]
pub struct Back {
    /// Where this side dials, the address that answered first; empty if it waits.
    route: Vec<String>,
    /// Which address is next, and how many led to another node in this round.
    at: usize,
    others: usize,
    pause: u64,
    /// Counts what makes earlier plans to dial void.
    plan: u64,
    /// The connection on which a Resume waits for its answer.
    pub attempt: Option<usize>,
    /// What the dialer calls the session.
    name: Option<[u8; 16]>,
    /// A connection on which the dialer came back.
    handover: Option<(Resume, usize)>,
    /// The token that was given last, for a planted bug.
    pub latest: Vec<u8>,
    /// The frames that arrived before the latest connection was made, for planted bugs.
    pub replay_from: Option<u64>,
}

impl Back {
    /// The handshake is over.
    pub fn opened(&mut self, ticket: &Ticket, dialing: &Dialing) {
        self.name = ticket.issued();
        if matches!(ticket, Ticket::Held { .. }) {
            self.route = dialing.addresses.clone();
            self.route[..dialing.at].rotate_right(1);
        }
    }
}

impl World {
    /// The connection of an open session is of no more use.
    pub fn lose_connection(&mut self, key: SessionKey) {
        let Some(link) = self.links.get(&key) else { return };
        let (node, old, dials) = (link.node, link.conn, !link.back.route.is_empty());
        let local = self.local(node);
        if self.config.bug == Some(Bug::OwnerForgetsAtDetach) && !dials {
            self.planted += 1;
            return self.close(key, Reason::Forgotten);
        }
        if self.with_quietly(key, |session| session.detach(local)) != Some(true) {
            return self.close(key, Reason::Broken);
        }
        self.note(|| format!("n{node} link {key} is detached"));
        self.reach("a connection that is lost");
        self.fail_calls_at_detach(key);
        if let Some((conn, end)) = old {
            self.hang_up_on(conn, end);
        }
        let Some(link) = self.links.get_mut(&key) else { return };
        link.conn = None;
        (link.back.at, link.back.others, link.back.pause) = (0, 0, FIRST_PAUSE);
        link.back.plan += 1;
        let (plan, next) = (link.back.plan, link.session.schedule());
        if let Some(next) = next {
            let time = self.nodes[node].clock.world(next);
            self.write_by(key, time);
        }
        if dials {
            let time = self.now + self.latency();
            self.at(time, Event::Redial { link: key, plan });
        }
    }

    // ---- the side that dialed ----

    /// Tries the next address.
    pub fn redial(&mut self, key: SessionKey, plan: u64) {
        let Some(link) = self.links.get_mut(&key) else { return };
        if !matches!(link.session.phase(), Phase::Detached(_)) || link.back.plan != plan {
            return;
        }
        let (node, at) = (link.node, link.back.at);
        let Some(address) = link.back.route.get(at).cloned() else { return self.redial_later(key) };
        link.back.at += 1;
        let there = match self.reach_node(node, &address) {
            Ok(there) => there,
            Err(_) => {
                let time = self.now + self.latency();
                return self.at(time, Event::Redial { link: key, plan });
            }
        };
        let (local, _) = self.lenient_local(key);
        let Some(Some(mut resume)) = self.with_quietly(key, |session| session.resume(local)) else {
            return self.close(key, Reason::Expired);
        };
        self.misreport(&mut resume);
        let conn = self.connect(key, there);
        let acceptor = self.conns[conn].ends[1].link;
        self.shake(acceptor, conn, 1, rmi_core::internal::session::Role::Accept);
        if let Some(link) = self.links.get_mut(&key) {
            link.back.attempt = Some(conn);
        }
        if self.config.faults && self.rng.chance(5) {
            // It is held up, and may arrive after a later one.
            self.conns[conn].pipes[0].held_until =
                self.now + self.rng.below(self.lease.as_micros() as u64 / 2);
            self.reach("a Resume that is held up");
        }
        self.send_on(conn, 0, &encoded(&resume));
        self.at(self.now + self.attempt_limit, Event::ResumeOver { link: key, conn });
    }

    /// All addresses were tried: again, after a pause.
    fn redial_later(&mut self, key: SessionKey) {
        let jitter = self.rng.below(500);
        let Some(link) = self.links.get_mut(&key) else { return };
        let back = &mut link.back;
        if back.others == back.route.len() {
            return self.close(key, Reason::Replaced);
        }
        let pause = back.pause * (1000 - jitter) / 1000;
        (back.at, back.others, back.pause) = (0, 0, (back.pause * 2).min(LONGEST_PAUSE));
        let plan = back.plan;
        self.at(self.now + pause, Event::Redial { link: key, plan });
    }

    /// An attempt to resume led to nothing.
    pub fn resume_failed(&mut self, key: SessionKey, conn: usize, failed: Failed) {
        let Some(link) = self.links.get_mut(&key).filter(|link| link.back.attempt == Some(conn)) else {
            return;
        };
        link.back.attempt = None;
        link.back.others += usize::from(failed == Failed::OtherNode);
        let plan = link.back.plan;
        self.hang_up_on(conn, 0);
        let time = self.now + self.latency();
        self.at(time, Event::Redial { link: key, plan });
    }

    /// The answer to a Resume arrived.
    pub fn resume_answered(&mut self, key: SessionKey, conn: usize, frame: Frame) {
        let Some(link) = self.links.get(&key).filter(|link| link.closed.is_none()) else { return };
        let (node, peer) = (link.node, link.peer.as_ref().map(|peer| peer.0));
        match frame {
            Frame::Resumed(resumed) => {
                let received = resumed.received;
                let (local, expired) = self.lenient_local(key);
                match self.with_quietly(key, |session| session.resumed(local, resumed)) {
                    Some(Ok(())) => self.goes_on(key, conn, 0, received, expired),
                    Some(Err(SessionError::Violation(text))) => self.violated(key, &text),
                    _ => self.close(key, Reason::Expired),
                }
            }
            Frame::Expired { node: by } if Some(by) == peer => {
                self.check_turned_away(key);
                self.close(key, Reason::Forgotten);
            }
            Frame::Expired { .. } => {
                self.note(|| format!("n{node} link {key} finds another node"));
                self.resume_failed(key, conn, Failed::OtherNode);
            }
            _ => self.resume_failed(key, conn, Failed::Halfway),
        }
    }

    // ---- the side that accepted ----

    /// A new connection is for a session that there is, or was.
    pub fn hand_over(&mut self, fresh: SessionKey, resume: Resume) {
        let Some(link) = self.links.remove(&fresh) else { return };
        let (node, Some((conn, end))) = (link.node, link.conn) else { return };
        let local = self.local(node);
        let named = |(_, link): &(&SessionKey, &crate::node::Link)| {
            link.node == node && link.back.name == Some(resume.session)
        };
        let named = self.links.iter().find(named).map(|(key, _)| *key);
        let admitted = named.filter(|key| self.links[key].session.may_resume(local, &resume.token));
        let key = match admitted {
            Some(key) if !self.turns_away(key, &resume) => key,
            _ => {
                self.reach("a Resume that is refused");
                let expired = Frame::Expired { node: self.nodes[node].id };
                self.send_on(conn, end, &encoded(&expired));
                return self.hang_up_on(conn, end);
            }
        };
        self.conns[conn].ends[end].link = key;
        let replaced = self.links.get_mut(&key).and_then(|link| link.back.handover.replace((resume, conn)));
        if let Some((_, replaced)) = replaced {
            self.hang_up_on(replaced, end);
        }
        let time = self.now + self.latency();
        self.at(time, Event::TakeOver { link: key });
    }

    /// The dialer's new connection takes the place of the old one, of which nothing is handled from here on.
    pub fn take_over(&mut self, key: SessionKey) {
        let Some(link) = self.links.get_mut(&key).filter(|link| link.closed.is_none()) else { return };
        let node = link.node;
        let Some((resume, conn)) = link.back.handover.take() else { return };
        if link.session.is_open() {
            self.reach("a connection that is fenced");
            self.lose_connection(key);
        }
        let (local, expired) = self.lenient_local(key);
        if self.with_quietly(key, |session| session.handle_timeout(local)) != Some(Timeout::Nothing) {
            self.hang_up_on(conn, 1);
            return self.close(key, Reason::Broken);
        }
        let next = self.rng.id().to_vec();
        match self.with_quietly(key, |session| session.accept(local, &resume, next)) {
            Some(Ok(Frame::Resumed(resumed))) => {
                if let Some(link) = self.links.get_mut(&key) {
                    link.back.latest = resumed.token.clone();
                }
                self.note(|| format!("n{node} link {key} goes on over connection {conn}"));
                self.goes_on(key, conn, 1, resume.received, expired);
                self.send(key, &encoded(&Frame::Resumed(resumed)));
                if self.config.faults && self.actions > 0 && self.rng.chance(8) {
                    self.reach("a Resumed that is lost");
                    self.conns[conn].pipes[1].flying.clear();
                    self.cut(conn, [Some(10_000), Some(20_000)]);
                } else if self.conns[conn].gone[1] {
                    self.at(self.now + 1, Event::Broken { conn, end: 1 });
                }
            }
            Some(Err(SessionError::Violation(text))) => self.violated(key, &text),
            // A token that was replaced in the meantime.
            _ => self.hang_up_on(conn, 1),
        }
    }

    /// Frames flow on a new connection; the first is the one behind `received`.
    fn goes_on(&mut self, key: SessionKey, conn: usize, end: usize, received: u64, expired: bool) {
        let Some(link) = self.links.get_mut(&key) else { return };
        link.conn = Some((conn, end));
        link.back.attempt = None;
        link.back.plan += 1;
        link.back.replay_from = Some(received);
        link.received = self.nodes[link.node].clock.local(self.now);
        let node = link.node;
        self.conns[conn].log = link.log.map(|(log, _)| log);
        self.conns[conn].pipes[end].numbered = received;
        self.reach("a session that goes on");
        if expired {
            self.violate(Invariant::L2, || format!("link {key} of n{node} is revived by a new connection"));
        }
        self.wake(key);
    }

    /// The dialer heard that there is nothing to resume. Was that so?
    fn check_turned_away(&mut self, key: SessionKey) {
        let Some(peer) = self.peer_of(key) else { return };
        let on = |link: &crate::node::Link| {
            link.closed.is_none() && matches!(link.session.phase(), Phase::Open | Phase::Detached(_))
        };
        if self.links.get(&peer).is_some_and(on) && self.is_usable(peer) {
            let node = self.links[&key].node;
            self.violate(Invariant::Progress, || {
                format!("n{node} is turned away by link {peer}, which still waits for link {key}")
            });
        }
    }
}
