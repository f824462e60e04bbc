//! A session of a running node: its state behind one lock, what wakes its tasks, and how it ended.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::error::RemoteError;
use crate::gc::SessionKey;
use crate::id::{NodeId, ObjectId};
use crate::invoke::GiveUp;
use crate::node::clock;
use crate::node::connection::introducer::Named;
use crate::node::connection::resume::Handover;
use crate::node::core::Core;
use crate::node::discard::discard;
use crate::node::import::{Import, Source, Way};
use crate::node::live::{Caller, Live};
use crate::node::running::Running;
use crate::node::sending::Shared;
use crate::node::serving::{give_away, is_serving};
use crate::node::tunnel::Tunnels;
use crate::session::{Failure, Garbage, Session};

pub(crate) struct Link {
    pub(crate) key: SessionKey,
    pub(crate) core: Arc<Core>,
    /// How messages name the other end: an address, a node, or both.
    pub(crate) target: String,
    pub(crate) origin: Origin,
    pub(super) shared: Mutex<Shared>,
    /// Import handles that were dropped, and calls that were given up. `Drop` only queues; the writer sends.
    dropped: Mutex<Dropped>,
    /// A call waits for the owner to be dialed: no pause before another attempt.
    pub(crate) hurry: Notify,
    /// There may be output, or an earlier timeout.
    pub(crate) wake: Notify,
    /// The writer was woken, and has not run since.
    pub(super) woken: AtomicBool,
    /// A connection on which the peer came back.
    handover: Mutex<Option<Handover>>,
    /// There may be one.
    handed: Notify,
    /// The node at the other end, and where it can be dialed.
    peer: OnceLock<Arc<Source>>,
    /// The third node that the peer named last: it is often named again.
    third: Mutex<Option<Arc<Source>>>,
    /// How far it is.
    pub(crate) stage: watch::Sender<Stage>,
    /// Calls of this peer that have a task.
    pub(crate) running: Running,
    pub(crate) tunnels: Tunnels,
}

/// What is told to the session by whoever works on it next.
#[derive(Debug, Default)]
struct Dropped {
    imports: Vec<ObjectId>,
    calls: Vec<u64>,
}

/// How a link came to be. Only what this node dialed is a way to an owner; whatever else claims to be somebody is believed
/// for the references that arrived on it.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Dialed as an owner, at these addresses: for the sake of an object, or to reach others through it.
    DialedOwner(Named, Option<ObjectId>),
    /// Dialed because a person or program named the address.
    DialedAddress,
    /// The peer dialed.
    Accepted,
    /// A stream that the program had.
    Attached,
}

/// How far a link is in its life.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    Opening,
    Open,
    /// The connection is, or must be, closed.
    Closed(Reason),
}

/// Why a link was closed.
#[derive(Debug, Clone)]
pub(crate) enum Reason {
    /// No address answered.
    Unreachable(String),
    /// At every address another node answers.
    Replaced(String),
    /// The peer refused.
    Refused(String),
    /// The connection broke.
    Broken(String),
    /// Nothing was heard for the term of the lease.
    Expired,
    /// The peer said Bye.
    Bye { code: u8, text: String },
    /// The peer does not know the session any more.
    Forgotten,
    /// The peer broke the protocol.
    Violation(String),
    /// Nothing used the session, and the side that had dialed for an owner ended it.
    Unused,
    /// This node was shut down.
    Stopped,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(text) | Self::Replaced(text) => f.write_str(text),
            Self::Refused(text) => write!(f, "it refused: {text}"),
            Self::Broken(text) => write!(f, "the connection broke: {text}"),
            Self::Expired => f.write_str("nothing was heard from it until the lease ended"),
            Self::Forgotten => f.write_str("it has given the session up"),
            Self::Bye { text, .. } => write!(f, "it said goodbye: {text}"),
            Self::Violation(text) => write!(f, "it broke the protocol: {text}"),
            Self::Unused => f.write_str("nothing used the session"),
            Self::Stopped => f.write_str("this node was shut down"),
        }
    }
}

impl Link {
    pub(crate) fn new(core: &Arc<Core>, target: String, origin: Origin) -> Arc<Self> {
        let key = core.next_key();
        let eager = matches!(origin, Origin::DialedAddress);
        let mut session = Session::new(key, core.id, core.settings.limits, core.locality, eager);
        session.set_patience(core.settings.reconnect_window);
        session.set_max_unsent(core.settings.max_unsent);
        if matches!(origin, Origin::DialedOwner(..)) {
            session.set_transient();
        }
        Arc::new(Self {
            key,
            core: core.clone(),
            target,
            origin,
            shared: Mutex::new(Shared::new(session)),
            dropped: Mutex::default(),
            hurry: Notify::new(),
            wake: Notify::new(),
            woken: AtomicBool::new(false),
            handover: Mutex::default(),
            handed: Notify::new(),
            peer: OnceLock::new(),
            third: Mutex::default(),
            stage: watch::Sender::new(Stage::Opening),
            running: Running::default(),
            tunnels: Tunnels::default(),
        })
    }

    /// Works on the session under its lock, then, unlocked, drops what is to be dropped, tells callers of failed calls,
    /// and wakes the writer.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Session<Live>) -> R) -> R {
        let (result, due) = self.with_quietly(|session| {
            let result = work(session);
            (result, session.is_due())
        });
        if due {
            self.wake_writer();
        }
        result
    }

    /// The same for the reader and the writer, which send what is to be sent by themselves.
    pub(crate) fn with_quietly<R>(&self, work: impl FnOnce(&mut Session<Live>) -> R) -> R {
        self.with_shared(|shared| work(&mut shared.session))
    }

    /// The same with what is beside the session.
    pub(super) fn with_shared<R>(&self, work: impl FnOnce(&mut Shared) -> R) -> R {
        let mut shared = self.shared.lock();
        let result = work(&mut shared);
        if shared.session.leaves_something() {
            let (garbage, failures) = (shared.session.take_garbage(), shared.session.take_failures());
            drop(shared);
            self.let_go(garbage, failures);
        }
        result
    }

    #[cold]
    fn let_go(&self, garbage: Garbage<Live>, failures: Vec<(Caller, Failure)>) {
        discard(garbage.objects);
        drop(garbage.pins);
        drop(garbage.callers);
        for (caller, failure) in failures {
            let error = self.failure(failure, &caller);
            caller.fail(error);
        }
    }

    /// Wakes the writer, on a thread that a servant may keep afterwards.
    pub(crate) fn wake_writer(&self) {
        self.wake.notify_one();
        match is_serving() {
            true => give_away(&self.core),
            false => self.woken.store(true, Ordering::Relaxed),
        }
    }

    /// This thread is about to run a servant, and may have woken the writer.
    pub(crate) fn give_away_writer(&self) {
        if self.woken.load(Ordering::Relaxed) && self.woken.swap(false, Ordering::Relaxed) {
            give_away(&self.core);
        }
    }

    /// Works on the session and leaves what is to be dropped to the writer: for places that hold another lock.
    pub(crate) fn amend<R>(&self, work: impl FnOnce(&mut Session<Live>) -> R) -> R {
        let result = work(&mut self.shared.lock().session);
        self.wake_writer();
        result
    }

    /// Looks at the session.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Session<Live>) -> R) -> R {
        look(&self.shared.lock().session)
    }

    /// Whether a call may be given to it.
    pub(crate) fn is_usable(&self) -> bool {
        let now = clock::now();
        self.look(|session| session.is_usable(now))
    }

    pub(crate) fn is_dialed(&self) -> bool {
        matches!(self.origin, Origin::DialedOwner(..) | Origin::DialedAddress)
    }

    /// Whether it was made to dial an owner at just these addresses.
    pub(crate) fn dials(&self, addresses: &Named) -> bool {
        let policy = &self.core.settings.dial_policy;
        matches!(&self.origin, Origin::DialedOwner(dialed, _) if policy.is_same(dialed, addresses))
    }

    pub(crate) fn is_inbound(&self) -> bool {
        matches!(self.origin, Origin::Accepted)
    }

    /// The node at the other end, once it is known.
    pub(crate) fn peer(&self) -> Option<NodeId> {
        self.peer.get().map(|peer| peer.owner)
    }

    pub(crate) fn set_peer(&self, node: NodeId, addresses: Named) {
        let _ = self.peer.set(self.source(node, addresses));
    }

    /// Whether the peer says of itself that it accepts connections from here.
    pub(crate) fn peer_can_be_dialed(&self) -> bool {
        self.peer.get().is_some_and(|peer| !peer.addresses.list.is_empty())
    }

    fn source(&self, owner: NodeId, addresses: Named) -> Arc<Source> {
        Arc::new(Source { core: self.core.clone(), owner, addresses })
    }

    /// A third node, and where the peer says that it can be dialed.
    pub(crate) fn third(&self, owner: NodeId, list: Vec<String>) -> Arc<Source> {
        let known = self.third.lock().clone();
        let same = |known: &Arc<Source>| known.owner == owner && *known.addresses.list == *list;
        known.filter(same).unwrap_or_else(|| {
            // Before it is known who the peer is, it names nothing.
            let by = self.peer.get().map(|peer| peer.addresses.by.clone());
            let addresses = by.map_or_else(Named::none, |by| Named { list: list.into(), by });
            let source = self.source(owner, addresses);
            let before = self.third.lock().replace(source.clone());
            drop(before);
            source
        })
    }

    /// The handle of a new entry for an object of the peer.
    pub(crate) fn new_import(self: &Arc<Self>, object: ObjectId) -> (Arc<Import>, Weak<Import>) {
        let peer = self.peer.get().cloned().unwrap_or_else(|| self.source(self.core.id, Named::none()));
        let import = Import::new(peer, object, Way::Link(self.clone()));
        let weak = Arc::downgrade(&import);
        (import, weak)
    }

    /// The last clone of an import's handle was dropped.
    pub(crate) fn import_dropped(&self, object: ObjectId) {
        let first = {
            let mut dropped = self.dropped.lock();
            dropped.imports.push(object);
            dropped.imports.len() == 1
        };
        // The others are taken with it.
        if first {
            self.wake_writer();
        }
    }

    /// Hands dropped imports and calls that were given up to the session.
    pub(crate) fn collect_dropped(&self) {
        let Dropped { imports, calls } = std::mem::take(&mut *self.dropped.lock());
        if !imports.is_empty() || !calls.is_empty() {
            let session = &mut self.shared.lock().session;
            // First what may have kept an import.
            session.cancel_all(calls);
            session.dropped(imports);
        }
    }

    /// What the caller of a call that could not leave gets.
    fn failure(&self, failure: Failure, caller: &Caller) -> RemoteError {
        match failure {
            Failure::TooLarge { what, size, limit } => {
                RemoteError::TooLarge { what: format!("{what} of {}", caller.path), size, limit }
            }
            Failure::Overloaded(what) => RemoteError::Overloaded { node: self.core.id, what: what.into() },
            Failure::Stalled => {
                let node = self.peer().unwrap_or(self.core.id);
                RemoteError::Overloaded { node, what: failure.to_string() }
            }
        }
    }

    /// What the caller of a call gets that came too late for this session.
    pub(crate) fn too_late(&self, caller: &Caller) -> RemoteError {
        let reason = match &*self.stage.borrow() {
            Stage::Closed(reason) => reason.clone(),
            _ => Reason::Broken("the session has ended".into()),
        };
        self.lost_call(&reason, false, caller)
    }

    /// What the caller of a call gets whose session ended.
    pub(crate) fn lost_call(&self, reason: &Reason, begun: bool, caller: &Caller) -> RemoteError {
        let call = caller.path.to_string();
        let peer = self.peer();
        match (reason, caller.object, peer) {
            (Reason::Replaced(_), Some((node, object)), _) if !begun => {
                RemoteError::NoSuchObject { node, object: object.to_string() }
            }
            (Reason::Violation(text), ..) => {
                RemoteError::PeerMisbehaved { peer: self.target.clone(), reason: text.clone() }
            }
            (reason, _, Some(node)) if begun => {
                RemoteError::OutcomeUnknown { node, call, reason: reason.to_string() }
            }
            (Reason::Bye { code: 0 | 2, .. }, _, Some(node)) => RemoteError::ShuttingDown { node },
            (Reason::Stopped, ..) => RemoteError::ShuttingDown { node: self.core.id },
            (Reason::Refused(reason), ..) => {
                RemoteError::Refused { target: self.target.clone(), reason: reason.clone() }
            }
            _ => RemoteError::Unreachable { target: self.target.clone(), reason: reason.to_string() },
        }
    }

    /// The peer came back over another connection; an earlier one that nobody has taken yet is closed.
    pub(crate) fn hand(&self, handover: Handover) {
        let replaced = self.handover.lock().replace(handover);
        drop(replaced);
        // Closed meanwhile: then nobody takes it.
        if matches!(*self.stage.borrow(), Stage::Closed(_)) {
            let handover = self.take_handover();
            drop(handover);
        }
        self.handed.notify_one();
    }

    pub(crate) fn take_handover(&self) -> Option<Handover> {
        self.handover.lock().take()
    }

    /// Resolves when there is a connection on which the peer came back. A notification alone says less: it may be of one that
    /// was taken.
    pub(crate) async fn handed_over(&self) {
        while self.handover.lock().is_none() {
            self.handed.notified().await;
        }
    }

    /// Waits for the peer to come back.
    pub(crate) async fn taken_over(&self) -> Handover {
        loop {
            self.handed_over().await;
            if let Some(handover) = self.take_handover() {
                return handover;
            }
        }
    }

    /// Waits until the handshake is over.
    pub(crate) async fn opened(&self) -> Result<NodeId, Reason> {
        let mut stage = self.stage.subscribe();
        let reached = stage.wait_for(|stage| !matches!(stage, Stage::Opening)).await;
        match reached.as_deref() {
            Ok(Stage::Closed(reason)) => Err(reason.clone()),
            _ => self.peer().ok_or(Reason::Broken("the handshake was not finished".into())),
        }
    }

    /// Resolves when the connection is to be closed.
    pub(crate) async fn closed(&self) -> Reason {
        let mut stage = self.stage.subscribe();
        let reached = stage.wait_for(|stage| matches!(stage, Stage::Closed(_))).await;
        match reached.as_deref() {
            Ok(Stage::Closed(reason)) => reason.clone(),
            _ => Reason::Stopped,
        }
    }
}

impl GiveUp for Link {
    fn give_up(self: Arc<Self>, call: u64) {
        let first = {
            let mut dropped = self.dropped.lock();
            dropped.calls.push(call);
            dropped.calls.len() == 1
        };
        self.wake_writer();
        // Before there is a connection, there is no writer. What waits for one may keep references for as long.
        if first && matches!(*self.stage.borrow(), Stage::Opening) {
            let core = self.core.clone();
            core.calls.spawn_on(
                async move {
                    self.collect_dropped();
                    self.with(|_| ());
                },
                &core.runtime,
            );
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({} to {})", self.key, self.target)
    }
}
