//! Looks from time to time whether a servant keeps the thread of a connection's reader or writer, and does in their place what cannot wait.

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

    /// A reader that has been executing one servant since an earlier look is replaced; and what a writer should have sent is sent: it may
    /// have been woken by a servant that has kept their thread since.
    pub(crate) fn look(&self) {
        let now = clock::now();
        let mut links = Vec::new();
        for connection in self.connections.lock().values_mut() {
            let stuck = connection.desk.stuck();
            if stuck != connection.last {
                (connection.last, connection.since) = (stuck, now);
            }
            let is_long = now.since(connection.since) >= self.patience;
            let method = stuck.serving.filter(|_| is_long);
            let stuck = method.map(|method| (method, connection.desk.clone()));
            links.extend(connection.link.upgrade().map(|link| (link, stuck)));
        }
        for (link, stuck) in links {
            if let Some((method, desk)) = stuck {
                tracing::warn!(
                    node = %link.core.id, peer = %link.target, method,
                    "a servant has kept its thread busy without yielding; others read on in its place"
                );
                reading::start(&link, &desk);
            }
            link.send_overdue(now);
        }
    }
}
