//! Looks from time to time whether a servant keeps the thread of a connection's reader, and lets another go on.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::gc::SessionKey;
use crate::node::clock;
use crate::node::connection::desk::{Desk, Stuck};
use crate::node::connection::reading;
use crate::node::link::Link;
use crate::node::pulse;
use crate::session::Time;

/// The connections of a node.
pub(crate) struct Watch {
    /// For so long at least a reader has been busy that is replaced.
    patience: Duration,
    connections: Mutex<HashMap<SessionKey, Connection>>,
}

struct Connection {
    link: Weak<Link>,
    desk: Arc<Desk>,
    /// What its reader has been doing at the looks since then.
    last: Stuck,
    since: Time,
}

/// A connection is looked at while this lives.
pub(super) struct Watched {
    link: Arc<Link>,
}

impl Watched {
    pub(super) fn new(link: &Arc<Link>, desk: &Arc<Desk>) -> Self {
        let (last, since) = (Stuck::default(), clock::now());
        let connection = Connection { link: Arc::downgrade(link), desk: desk.clone(), last, since };
        let before = link.core.watch.connections.lock().insert(link.key, connection);
        drop(before);
        Self { link: link.clone() }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let connection = self.link.core.watch.connections.lock().remove(&self.link.key);
        drop(connection);
    }
}

impl Watch {
    pub(crate) fn new(lease: Duration) -> Self {
        // Less than there is between two looks: somebody else's may come between.
        Self { patience: pulse::pause(lease) / 2, connections: Mutex::default() }
    }

    /// A reader that has been executing one servant since an earlier look is replaced.
    pub(crate) fn look(&self) {
        let now = clock::now();
        let mut stuck = Vec::new();
        for connection in self.connections.lock().values_mut() {
            let current = connection.desk.stuck();
            if current != connection.last {
                (connection.last, connection.since) = (current, now);
            } else if let Some(method) = current.serving
                && now.since(connection.since) >= self.patience
                && let Some(link) = connection.link.upgrade()
            {
                stuck.push((link, connection.desk.clone(), method));
            }
        }
        for (link, desk, method) in stuck {
            tracing::warn!(
                node = %link.core.id, peer = %link.target, method,
                "a servant has kept its thread busy without yielding; others read on in its place"
            );
            reading::start(&link, &desk);
        }
    }
}
