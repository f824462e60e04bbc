//! An object of another node, as proxies and pins hold it.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, Sleep};

use crate::error::RemoteError;
use crate::gc::Debt;
use crate::id::{NodeId, ObjectId};
use crate::invoke::{Closed, GiveUp, Pending, RemoteObject, Reply, Request, SentBy};
use crate::node::clock;
use crate::node::connection::introducer::Named;
use crate::node::core::{Cause, Core};
use crate::node::link::Link;
use crate::node::live::{Caller, Path, chunk};
use crate::node::sending::strand;
use crate::session::{Message, Outward};

/// How many sessions a call tries that end before it is theirs.
const MAX_TRIES: usize = 4;

/// The handle of an import entry. All proxies that arrive in one session share it; dropping the last one and the last
/// pin lets the entry be cleaned. There may be a million: what they have in common is in their source.
pub(crate) struct Import {
    pub(crate) source: Arc<Source>,
    pub(crate) object: ObjectId,
    pub(crate) state: Mutex<State>,
    /// The session that calls try first: it was the way, and mostly is. Read by all callers at a time, without a mark of theirs.
    tried: ArcSwapOption<Link>,
}

/// The owner of objects, as one peer names it.
#[derive(Debug)]
pub(crate) struct Source {
    /// The node that holds them.
    pub(crate) core: Arc<Core>,
    pub(crate) owner: NodeId,
    /// Where the owner can be dialed, and who says so.
    pub(crate) addresses: Named,
}

// And two words for its `Arc`.
const _: () = assert!(size_of::<Import>() <= 64);

/// What becomes of an import.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) way: Way,
    /// Wakes those who wait for its end. Made by the first of them: most objects have none.
    watched: Option<Arc<Notify>>,
}

/// How the object is reached.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// In the session where the entry is.
    Link(Arc<Link>),
    /// The session ended, or there never was one, and nothing is under way to change that. The next use asks again. What
    /// calls would say is shared by the objects of a session; none: another node is in the place of the owner.
    Lost(Option<Arc<RemoteError>>),
    /// The owner said that the object is gone.
    Gone,
}

impl Import {
    pub(crate) fn new(source: Arc<Source>, object: ObjectId, way: Way) -> Arc<Self> {
        let tried = ArcSwapOption::new(match &way {
            Way::Link(link) => Some(link.clone()),
            Way::Lost(_) | Way::Gone => None,
        });
        Arc::new(Self { source, object, state: Mutex::new(State { way, watched: None }), tried })
    }

    /// The session that leads to the object, as far as is known without looking into it. If there is none, or it is the one that took no
    /// call, asks again in another (PROTOCOL 7.7).
    fn link(self: &Arc<Self>, failed: Option<&Arc<Link>>) -> Result<Arc<Link>, RemoteError> {
        let mut state = self.state.lock();
        match &state.way {
            Way::Gone => return Err(self.no_such_object()),
            Way::Link(link) if !failed.is_some_and(|failed| Arc::ptr_eq(failed, link)) => {
                return Ok(link.clone());
            }
            Way::Link(_) | Way::Lost(_) => {}
        }
        self.ask_again(&mut state.way, Vec::new(), Cause::Used).map_err(|(error, _)| error)
    }

    /// The session that leads to the object, if its handshake is over.
    pub(crate) fn open_link(&self) -> Option<Arc<Link>> {
        match &self.state.lock().way {
            Way::Link(link) if link.peer().is_some() => Some(link.clone()),
            _ => None,
        }
    }

    /// Moves the handle, with what it owes, to an entry in a session with the owner, dialing if there is none. Called with its
    /// way locked. Gives the debts back if there is no way.
    pub(crate) fn ask_again(
        self: &Arc<Self>,
        way: &mut Way,
        mut debts: Vec<Debt>,
        cause: Cause,
    ) -> Result<Arc<Link>, (RemoteError, Vec<Debt>)> {
        let Source { core, owner, addresses } = &*self.source;
        loop {
            let link = match core.link_to(*owner, Some(self.object), addresses, cause) {
                Ok(link) => link,
                Err(error) => return Err((error, debts)),
            };
            match link.amend(|session| session.ask_again(self.object, Arc::downgrade(self), debts)) {
                Ok(pay) => {
                    *way = Way::Link(link.clone());
                    self.tried.store(Some(link.clone()));
                    core.pay(pay);
                    return Ok(link);
                }
                // It ended this moment: there will be another, or an error.
                Err(back) => debts = back,
            }
        }
    }

    /// There is no way any more, for this reason. Then it says so to those who [wait](Self::ended) for that, or asks again.
    pub(crate) fn lose(&self, state: &mut State, way: Way) {
        state.way = way;
        self.tried.store(None);
    }

    /// The way has ended, and this was noted in it.
    pub(crate) fn ended(&self) {
        let watched = self.state.lock().watched.clone();
        if let Some(watched) = watched {
            watched.notify_waiters();
        }
    }

    /// What calls would say for want of a way.
    fn no_way(&self) -> Option<RemoteError> {
        match &self.state.lock().way {
            Way::Link(_) => None,
            Way::Lost(Some(error)) => Some((**error).clone()),
            Way::Lost(None) | Way::Gone => Some(self.no_such_object()),
        }
    }

    fn caller(&self, answer: oneshot::Sender<Result<Reply, RemoteError>>, request: &Request) -> Caller {
        let object = Some((self.source.owner, self.object));
        Caller { answer, path: Path::Method(request.path), object }
    }

    fn no_such_object(&self) -> RemoteError {
        RemoteError::NoSuchObject { node: self.source.owner, object: self.object.to_string() }
    }

    /// Returns where the call was sent, and its number there, unless it has failed already.
    fn send(self: &Arc<Self>, request: Request, mut caller: Caller) -> Option<(Arc<Link>, u64)> {
        let core = &self.source.core;
        if core.is_stopped() {
            caller.fail(RemoteError::ShuttingDown { node: core.id });
            return None;
        }
        let deadline = request.deadline.map(clock::to_session);
        if request.references.is_empty()
            && let Ok(link) = self.link(None)
        {
            let called = (self.object, request.method);
            match link.call_plain(caller, called, deadline, chunk(&request.payload)) {
                Ok(call) => return Some((link, call)),
                Err(back) => caller = back,
            }
        }
        let references = match core.outward(request.references) {
            Ok(references) => references,
            Err(reason) => {
                let (call, argument) = (request.path.to_owned(), "a reference".into());
                caller.fail(RemoteError::BadArgument { call, argument, reason });
                return None;
            }
        };
        let outward = Outward::Call { object: self.object, method: request.method, strand: strand() };
        let message = Message { outward, payload: request.payload.into(), references, deadline };
        let mut unsent = (caller, message);
        let mut failed = None;
        for _ in 0..MAX_TRIES {
            let link = match self.link(failed.as_ref()) {
                Ok(link) => link,
                Err(error) => {
                    unsent.0.fail(error);
                    return None;
                }
            };
            let now = clock::now();
            // Nothing of the call has left if the session ended this moment.
            match link.call(now, unsent.0, unsent.1) {
                Ok(call) => return Some((link, call)),
                Err(back) => unsent = *back,
            }
            failed = Some(link);
        }
        let (target, reason) =
            (format!("node {}", self.source.owner), "its sessions end as they are made".into());
        unsent.0.fail(RemoteError::Unreachable { target, reason });
        None
    }
}

impl RemoteObject for Import {
    fn owner(&self) -> NodeId {
        self.source.owner
    }

    fn object(&self) -> ObjectId {
        self.object
    }

    fn addresses(&self) -> Vec<String> {
        self.source.addresses.list.to_vec()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        self.source.core.sleep_until(deadline)
    }

    fn call_timeout(&self) -> Option<Duration> {
        self.source.core.settings.call_timeout
    }

    fn reconnect_window(&self) -> Duration {
        self.source.core.settings.reconnect_window
    }

    fn closed(&self) -> Closed<'_> {
        Box::pin(async move {
            let watched = self.state.lock().watched.get_or_insert_default().clone();
            loop {
                let mut ended = pin!(watched.notified());
                // Before the look: what ends after it is heard of.
                ended.as_mut().enable();
                if let Some(error) = self.no_way() {
                    return error;
                }
                ended.await;
            }
        })
    }

    fn start(self: Arc<Self>, request: Request) -> Pending<'static> {
        let (answer, pending) = oneshot::channel();
        let caller = self.caller(answer, &request);
        let sent = self.send(request, caller);
        Pending::new(pending, sent.map(|(link, call)| SentBy::Session(link, call)))
    }

    fn start_at_once(&self, request: &Request) -> Option<Pending<'_>> {
        if !request.references.is_empty() || self.source.core.is_stopped() {
            return None;
        }
        let link = self.tried.load();
        let link = link.as_ref()?;
        let (answer, pending) = oneshot::channel();
        let called = (self.object, request.method);
        let call =
            link.call_plain(self.caller(answer, request), called, None, chunk(&request.payload)).ok()?;
        Some(Pending::new(pending, Some(SentBy::Object(self, link.key, call))))
    }

    fn give_up(&self, session: u64, call: u64) {
        // If calls go another way now, that session has ended, and the call with it.
        let link = self.tried.load_full().filter(|link| link.key == session);
        if let Some(link) = link {
            GiveUp::give_up(link, call);
        }
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        if let Way::Link(link) = &self.state.get_mut().way {
            link.import_dropped(self.object);
        }
    }
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Import(#{} at node {})", self.object, self.source.owner)
    }
}
