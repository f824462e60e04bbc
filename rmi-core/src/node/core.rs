//! The node itself: what all its links, tasks and handles share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, Sleep};
use tokio_util::task::TaskTracker;

use crate::error::RemoteError;
use crate::gc::{Debt, SessionKey};
use crate::id::{NodeId, ObjectId};
use crate::invoke::AnyProxy;
use crate::node::builder::Settings;
use crate::node::connection::introducer::{AllDials, Named};
use crate::node::connection::reached::Reached;
use crate::node::connection::watch::Watch;
use crate::node::exports::Exports;
use crate::node::link::{Link, Origin, Reason, Stage};
use crate::node::links::Links;
use crate::node::pulse::Pulse;
use crate::node::relay::Relays;
use crate::node::stats::Served;
use crate::session::{Introduction, Locality, Phase};
use crate::transport::Address;

pub(crate) struct Core {
    pub(crate) id: NodeId,
    pub(crate) settings: Settings,
    pub(crate) locality: Locality,
    pub(crate) exports: Arc<Exports>,
    /// Published objects, by name.
    pub(crate) roots: Mutex<HashMap<String, AnyProxy>>,
    pub(crate) links: Mutex<Links>,
    pub(crate) reached: Mutex<Reached>,
    /// Bounds the owners that are dialed at a time because peers named them.
    introduced: AllDials,
    /// Where this process itself can dial this node, and what it tells others.
    pub(crate) addresses: Mutex<Addresses>,
    next_key: AtomicU64,
    pub(crate) runtime: Handle,
    /// Its connections, for the pulse.
    pub(crate) watch: Watch,
    pulse: Pulse,
    tasks: Mutex<JoinSet<()>>,
    /// Calls of servants; links know how to end them.
    pub(crate) calls: TaskTracker,
    /// No new work is accepted.
    pub(crate) draining: watch::Sender<bool>,
    /// What is said to peers once the node is leaving.
    pub(crate) leaving: OnceLock<(u8, String)>,
    /// Everything must end.
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) served: Mutex<Served>,
    pub(crate) relays: Relays,
}

/// Why an owner is dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The program uses the object.
    Used,
    /// Its session ended.
    Lost,
    /// A peer named it.
    Introduced,
}

#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// Where it listens.
    pub(crate) listening: Vec<Address>,
    /// What it tells others.
    pub(crate) given: Vec<String>,
}

impl Core {
    pub(crate) fn new(settings: Settings, runtime: Handle) -> Arc<Self> {
        let id = NodeId::random();
        Arc::new_cyclic(|core| Self {
            id,
            watch: Watch::new(settings.lease),
            pulse: Pulse::new(core.clone(), &runtime, settings.lease),
            settings,
            locality: crate::node::builder::locality(),
            exports: Arc::new(Exports::new(id)),
            roots: Mutex::default(),
            links: Mutex::default(),
            reached: Mutex::default(),
            introduced: AllDials::default(),
            addresses: Mutex::default(),
            next_key: AtomicU64::new(1),
            runtime,
            tasks: Mutex::default(),
            calls: TaskTracker::new(),
            draining: watch::Sender::new(false),
            leaving: OnceLock::new(),
            stop: watch::Sender::new(false),
            served: Mutex::default(),
            relays: Relays::default(),
        })
    }

    pub(crate) fn next_key(&self) -> SessionKey {
        self.next_key.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs a task that ends with the node.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        if self.is_stopped() { None } else { Some(tasks.spawn_on(task, &self.runtime)) }
    }

    /// Runs the task of a link that is to be opened. If the runtime is gone, and the node with it, the link is closed:
    /// nobody may wait for it.
    pub(crate) fn spawn_link(&self, link: &Arc<Link>, task: impl Future<Output = ()> + Send + 'static) {
        let guard = LinkTask { link: link.clone(), started: false, ended: false };
        // A future that another awaits takes its room twice there.
        let task = Box::pin(task);
        self.spawn(async move {
            // Whole: a closure would take its fields alone.
            let mut guard = guard;
            guard.started = true;
            task.await;
            guard.ended = true;
        });
    }

    /// Ends all tasks, and waits for them. Calls of servants have been told to end.
    pub(crate) async fn end_tasks(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.abort_all();
        while tasks.join_next().await.is_some() {}
        self.calls.close();
        self.calls.wait().await;
    }

    /// A timer for whoever calls, who may be on a thread without a runtime.
    pub(crate) fn sleep_until(&self, deadline: Instant) -> Sleep {
        let _context = self.runtime.enter();
        tokio::time::sleep_until(deadline)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Whether its runtime has several threads.
    pub(crate) fn has_threads(&self) -> bool {
        self.pulse.is_some()
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    pub(crate) fn introduction(&self) -> Introduction {
        Introduction {
            node: self.id,
            lease: self.settings.lease,
            limits: self.settings.limits,
            locality: self.locality,
            addresses: self.addresses.lock().given.clone(),
        }
    }

    // ---- links ----

    /// The session in which `object` was received from its owner, if there is one. Whoever dialed, and whoever the other end
    /// really is: it knows the object already.
    pub(crate) fn link_holding(&self, owner: NodeId, object: ObjectId) -> Option<Arc<Link>> {
        let links = self.links_with(owner);
        links.iter().find(|link| link.is_usable() && link.look(|session| session.holds(object))).cloned()
    }

    /// The open sessions with whoever says it is `peer`, oldest first.
    pub(crate) fn links_with(&self, peer: NodeId) -> Arc<[Arc<Link>]> {
        self.links.lock().with_peer(peer).cloned().unwrap_or_default()
    }

    /// The session with `owner` for references that third nodes gave; dials if there is none, for the sake of `object`, or for none to
    /// reach others through it.
    pub(crate) fn link_to(
        self: &Arc<Self>,
        owner: NodeId,
        object: Option<ObjectId>,
        addresses: &Named,
        cause: Cause,
    ) -> Result<Arc<Link>, RemoteError> {
        if self.is_stopped() {
            return Err(RemoteError::ShuttingDown { node: self.id });
        }
        let mut links = self.links.lock();
        // One that is still opening may be dialing addresses that somebody made up.
        let leads = |link: &&Arc<Link>| link.is_usable() && (link.peer().is_some() || link.dials(addresses));
        if let Some(link) = links.to_node(owner).filter(leads) {
            if cause == Cause::Used {
                link.hurry.notify_one();
            }
            return Ok(link.clone());
        }
        if addresses.list.is_empty() && !self.reached.lock().contains(owner) {
            return Err(RemoteError::Unreachable {
                target: format!("node {owner}"),
                reason: "it accepts no connections that could be made from here; only nodes that it has \
                         connected to itself can call it"
                    .into(),
            });
        }
        let turn = match cause {
            Cause::Introduced => addresses.turn(owner, &self.introduced),
            Cause::Used | Cause::Lost => Ok(None),
        };
        let Ok(turn) = turn else {
            let what = "of the nodes that others named as many wait to be dialed as may".into();
            return Err(RemoteError::Overloaded { node: self.id, what });
        };
        let target = format!("node {owner} at {}", addresses.list.join(", "));
        let link = Link::new(self, target, Origin::DialedOwner(addresses.clone(), object));
        links.all.insert(link.key, link.clone());
        let replaced = links.lead_to_node(owner, &link);
        let attempt = links.asked_again.get(&owner).copied().unwrap_or(0);
        drop(links);
        drop(replaced);
        self.spawn_link(
            &link,
            crate::node::connection::dial::to_owner(link.clone(), owner, addresses.clone(), attempt, turn),
        );
        self.close_if_stopped(&link);
        Ok(link)
    }

    /// The session with whoever listens at `address`; dials if there is none.
    pub(crate) fn link_at(self: &Arc<Self>, address: &Address) -> Result<Arc<Link>, RemoteError> {
        if self.is_stopped() {
            return Err(RemoteError::ShuttingDown { node: self.id });
        }
        let mut links = self.links.lock();
        if let Some(link) = links.to_address(address).filter(|link| link.is_usable()) {
            return Ok(link.clone());
        }
        let link = Link::new(self, address.to_string(), Origin::DialedAddress);
        links.all.insert(link.key, link.clone());
        let replaced = links.lead_to_address(address, &link);
        drop(links);
        drop(replaced);
        self.spawn_link(&link, crate::node::connection::dial::to_address(link.clone(), address.clone()));
        self.close_if_stopped(&link);
        Ok(link)
    }

    /// A link that was made while the node was being stopped has no task that would end it.
    pub(crate) fn close_if_stopped(&self, link: &Arc<Link>) {
        if self.is_stopped() {
            link.close(Reason::Stopped);
        }
    }

    /// Remembers a link that somebody else dialed, or that was handed over.
    pub(crate) fn add_link(&self, link: &Arc<Link>) {
        self.links.lock().all.insert(link.key, link.clone());
    }

    /// How many sessions others have opened, those included whose handshake is not over.
    pub(crate) fn inbound_sessions(&self) -> usize {
        self.links.lock().all.values().filter(|link| link.is_inbound()).count()
    }

    /// The session that others may resume under a name.
    pub(crate) fn link_named(&self, name: [u8; 16]) -> Option<Arc<Link>> {
        self.links.lock().named(name).cloned()
    }

    /// Gives up the session that waits longest for its connection to come back, among those whose peer holds nothing here. False:
    /// there is none.
    pub(crate) fn make_room(&self) -> bool {
        let waiting = |link: Arc<Link>| match link.look(|session| (session.phase(), session.is_idle())) {
            (Phase::Detached(since), true) if link.is_inbound() => Some((since, link)),
            _ => None,
        };
        let longest = self.all_links().into_iter().filter_map(waiting).min_by_key(|(since, _)| *since);
        longest.map(|(_, link)| link.close(Reason::Broken("its room was needed for others".into()))).is_some()
    }

    /// The handshake is over, and others may resume the session under a name, if it has one. What this node dialed is a way to the
    /// node at the other end.
    pub(crate) fn link_opened(&self, link: &Arc<Link>, peer: NodeId, name: Option<[u8; 16]>) {
        let mut links = self.links.lock();
        links.opened(link, peer, name);
        if matches!(link.origin, Origin::DialedAddress) {
            self.reached.lock().insert(peer, (link.target.clone(), None));
        }
        // One that is still opening does not stand in its way: it may be dialing addresses that somebody made up.
        let leads = |known: &Arc<Link>| known.peer().is_some() && known.is_usable();
        let replaced = match link.is_dialed() && !links.to_node(peer).is_some_and(leads) {
            true => links.lead_to_node(peer, link),
            false => None,
        };
        drop(links);
        drop(replaced);
        // Closed meanwhile: then nobody else takes it out again.
        if matches!(*link.stage.borrow(), Stage::Closed(_)) {
            self.forget_way(link);
        }
    }

    /// The link leads nowhere any more.
    pub(crate) fn forget_way(&self, link: &Arc<Link>) {
        self.links.lock().forget_way(link);
    }

    /// The link is over. False: it was already.
    pub(crate) fn forget_link(&self, link: &Arc<Link>) -> bool {
        self.links.lock().all.remove(&link.key).is_some()
    }

    pub(crate) fn all_links(&self) -> Vec<Arc<Link>> {
        self.links.lock().all.values().cloned().collect()
    }

    /// Sends Unpins. A session that has ended has nothing to be paid.
    pub(crate) fn pay(&self, debts: Vec<Debt>) {
        for debt in debts {
            let link = self.links.lock().all.get(&debt.session).cloned();
            if let Some(link) = link {
                link.amend(|session| session.unpin(debt.transfer));
            }
        }
    }
}

/// The task of a link that is to be opened.
struct LinkTask {
    link: Arc<Link>,
    started: bool,
    ended: bool,
}

impl Drop for LinkTask {
    fn drop(&mut self) {
        if !self.started {
            // There is no runtime any more, and so no node.
            self.link.core.stop.send_replace(true);
            self.link.close(Reason::Stopped);
        } else if !self.ended {
            self.link.close(Reason::Broken("the task that opens it ended".into()));
        }
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Core({})", self.id)
    }
}
