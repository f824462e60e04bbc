//! What proxies and pins of an entry share, as `node/import.rs` has it. The name of a handle stands for its weak pointer in the
//! real tables.

use crate::config::NodeAt;
use crate::mutant::Mutant;
use crate::rules::Turn;
use crate::state::{Handle, Held, Way};

impl Turn<'_> {
    /// Changes a handle; the last drop queues a notice.
    pub fn change(&mut self, node: NodeAt, handle: u8, change: impl FnOnce(&mut Handle)) {
        let pins_keep = !self.config.is(Mutant::CleanPinned);
        let node = self.node(node);
        let Some(it) = node.handles.get_mut(&handle) else { return };
        change(it);
        if !(it.held || it.borrowed > 0 || (it.pins > 0 && pins_keep)) {
            if let Way::Session(session) = it.way {
                node.notices.push((session, it.object));
            }
            node.handles.remove(&handle);
        }
    }

    /// The application has what arrived.
    pub fn keep(&mut self, node: NodeAt, held: Option<Held>) {
        if let Some(Held::Import(handle)) = held {
            self.change(node, handle, |handle| (handle.held, handle.borrowed) = (true, handle.borrowed - 1));
        }
    }

    /// Nobody wants what arrived.
    pub fn discard(&mut self, node: NodeAt, held: Option<Held>) {
        if let Some(Held::Import(handle)) = held {
            self.change(node, handle, |handle| handle.borrowed -= 1);
        }
    }

    /// A name that no table remembers, not even as that of a dead handle.
    pub fn fresh(&self, node: NodeAt) -> u8 {
        let known = |name: &u8| {
            let here = self.state.ends().filter(|(_, at, _)| *at == node);
            self.state.node(node).handles.contains_key(name)
                || here.into_iter().any(|(_, _, end)| end.imports.handles().any(|it| it == name))
        };
        (0..).find(|name| !known(name)).unwrap_or(u8::MAX)
    }

    /// The handle of an entry that something arrived for, borrowed once more.
    pub fn borrow(&mut self, node: NodeAt, handle: u8, object: u8, way: Way, introduced: bool) {
        let new = Handle { object, way, held: false, borrowed: 0, pins: 0, introduced: false };
        let it = self.node(node).handles.entry(handle).or_insert(new);
        it.borrowed += 1;
        it.introduced |= introduced;
    }
}
