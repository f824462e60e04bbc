//! How sessions and nodes end (7.6, 7.7).

use std::collections::VecDeque;

use crate::config::NodeAt;
use crate::mutant::Mutant;
use crate::rules::Turn;
use crate::state::{ACCEPTOR, End, EndAt, Frame, Life, Node, SessionAt, Wire};

impl Turn<'_> {
    /// A side gives up as a holder. It may be the first of the two.
    pub fn give_up(&mut self, at: EndAt) {
        let peer = self.peer_of(at);
        let alone = self.state.node(peer).down || !self.state.end((at.0, 1 - at.1)).is_open();
        self.state.left.ends -= u8::from(!alone);
        self.holder_end(at);
    }

    /// Imports and calls are lost; listings and pins stay.
    fn holder_end(&mut self, at: EndAt) {
        if !self.end(at).is_open() {
            return;
        }
        let node = self.node_of(at);
        self.see_drops(at);
        let keeps_calls = self.config.is(Mutant::CallsForgotten);
        let end = self.end(at);
        end.life = Life::Detached;
        end.attached = false;
        end.ring.clear();
        end.unfinished.clear();
        let mut lost = end.imports.end();
        let calls = if keeps_calls { Default::default() } else { std::mem::take(&mut end.calls) };
        let serving = std::mem::take(&mut end.serving);
        let inbox = std::mem::take(&mut end.inbox);
        lost.sort_by_key(|lost| lost.object.to_bytes());
        for lost in lost {
            self.lost_import(node, at.0, lost);
        }
        for handle in calls.into_values().flatten() {
            self.change(node, handle, |handle| handle.borrowed -= 1);
        }
        for held in serving.into_values().chain(inbox.into_values().map(|begun| begun.held)) {
            self.discard(node, held);
        }
    }

    /// Notices of the session that its writer has not seen yet.
    fn see_drops(&mut self, at: EndAt) {
        let node = self.node_of(at);
        let notices = std::mem::take(&mut self.node(node).notices);
        let (these, others) = notices.into_iter().partition(|(session, _)| *session == at.0);
        self.node(node).notices = others;
        let these: Vec<_> = these;
        for (session, object) in these {
            self.notice(node, session, object);
        }
    }

    pub fn owner_end(&mut self, at: EndAt) {
        self.release_owner_side(at);
        self.end(at).life = Life::Over;
    }

    pub fn release_owner_side(&mut self, at: EndAt) {
        let node = self.node_of(at);
        self.end(at).listing.end();
        let mut pins = self.end(at).pins.end();
        pins.sort_unstable();
        for handle in pins {
            self.change(node, handle, |handle| handle.pins = handle.pins.saturating_sub(1));
        }
    }

    /// A Bye, or Expired: both parts at once.
    pub fn end_both(&mut self, at: EndAt) {
        self.holder_end(at);
        self.owner_end(at);
    }

    /// Bye is said in the sessions whose connection stands. What was sent before it, and it, may still arrive.
    pub fn leave(&mut self, node: NodeAt) {
        self.state.left.leaves -= 1;
        for at in 0..self.state.sessions.len() as SessionAt {
            if let Some(side) = self.state.session(at).side_of(node) {
                self.push((at, side), Frame::Bye);
            }
        }
        self.go_down(node);
    }

    /// What was sent to others may still arrive, or its tail is lost when they give up.
    pub fn go_down(&mut self, node: NodeAt) {
        let roots = vec![false; self.state.collected.len()];
        *self.node(node) = Node { down: true, roots, ..Node::default() };
        for at in 0..self.state.sessions.len() as SessionAt {
            let session = self.session(at);
            let Some(side) = session.side_of(node) else { continue };
            session.ends[side] = End::over();
            session.ends[1 - side].attached = false;
            session.wire = Wire::Broken;
            session.flight[side] = VecDeque::new();
            if side == ACCEPTOR {
                session.stale.clear();
            }
        }
    }
}
