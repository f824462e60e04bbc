//! What happens when a link ends: calls fail, imports ask again or wait for their next use (PROTOCOL 7.6, 7.7).

use std::sync::{Arc, Weak};

use crate::error::RemoteError;
use crate::gc::{Debt, LostImport};
use crate::id::ObjectId;
use crate::node::clock;
use crate::node::core::{Cause, Core};
use crate::node::import::{Import, Source, Way};
use crate::node::link::{Link, Origin, Reason, Stage};
use crate::node::live::Live;
use crate::session::{Lost, Phase};

/// How often entries of an owner that does not answer ask again before what they owe is paid all the same.
pub(crate) const MAX_ASKED_AGAIN: u32 = 6;

/// How many such owners are remembered.
const MAX_OWNERS: usize = 1024;

impl Link {
    /// The session is over. Where it is not certain that the peer has given up, too, this side ends as a holder alone; otherwise
    /// both sides end. Only the first reason counts.
    pub(crate) fn close(self: &Arc<Self>, reason: Reason) {
        let first = self.stage.send_if_modified(|stage| {
            let first = !matches!(stage, Stage::Closed(_));
            if first {
                *stage = Stage::Closed(reason.clone());
            }
            first
        });
        if !first {
            return;
        }
        tracing::debug!(node = %self.core.id, peer = %self.target, %reason, "session closed");
        self.core.forget_way(self);
        self.end_tunnels(&reason);
        self.collect_dropped();
        let handover = self.take_handover();
        drop(handover);
        self.disconnected();
        let keeps_owner_side = matches!(reason, Reason::Broken(_) | Reason::Expired | Reason::Replaced(_))
            && !self.core.is_stopped();
        // Nothing to keep for a peer that holds nothing: those that come and vanish would fill the node's sessions.
        let lost = self.with(|session| match keeps_owner_side && !session.is_idle() {
            true => session.lapse(),
            false => session.end(),
        });
        match self.look(|session| session.phase()) {
            Phase::Lapsed(_) => {
                let link = self.clone();
                self.core.spawn(async move { link.wait_for_owner_end().await });
            }
            _ => self.over(),
        }
        self.lost(lost, &reason);
    }

    /// Keeps listings and pins until the lease is over for the peer as a holder, too.
    async fn wait_for_owner_end(self: Arc<Self>) {
        loop {
            let until = self.look(|session| session.next_timeout());
            clock::sleep_until(until).await;
            let Phase::Lapsed(until) = self.look(|session| session.phase()) else { return };
            if clock::now() >= until {
                self.finish();
                return;
            }
        }
    }

    /// Ends both sides.
    pub(crate) fn finish(self: &Arc<Self>) {
        let lost = self.with(|session| session.end());
        self.over();
        self.lost(lost, &Reason::Expired);
    }

    fn over(self: &Arc<Self>) {
        if !self.core.forget_link(self) {
            return;
        }
        let counters = self.look(|session| session.counters());
        self.core.served.lock().ended(self.peer(), counters.calls_served);
        // Nobody can want the results any more.
        self.running.abort_all();
    }

    fn lost(self: &Arc<Self>, lost: Lost<Live>, reason: &Reason) {
        for call in lost.calls {
            let error = self.lost_call(reason, call.begun, &call.caller);
            call.caller.fail(error);
        }
        // However many entries a link carries, they count as one: all of them ask in the same new link.
        let mut may_ask = None;
        let ended = Ended { certainty: Certainty::of(reason), error: self.no_way(reason) };
        for import in lost.imports {
            self.core.lost_import(self, import, &ended, &mut may_ask);
        }
    }

    /// What calls of its objects would say after the session has ended; none: they are gone.
    fn no_way(&self, reason: &Reason) -> Option<Arc<RemoteError>> {
        let error = match reason {
            Reason::Replaced(_) => return None,
            Reason::Stopped => RemoteError::ShuttingDown { node: self.core.id },
            reason => RemoteError::Unreachable { target: self.target.clone(), reason: reason.to_string() },
        };
        Some(Arc::new(error))
    }
}

/// What the end of a session says about the objects in it.
struct Ended {
    certainty: Certainty,
    error: Option<Arc<RemoteError>>,
}

/// Whether the owner is out of reach for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certainty {
    /// It said so, or this node ends.
    Certain,
    /// At the addresses that were tried.
    There,
    /// Another session may lead to it.
    None,
}

impl Certainty {
    fn of(reason: &Reason) -> Self {
        match reason {
            Reason::Bye { .. } | Reason::Stopped => Self::Certain,
            Reason::Unreachable(_) | Reason::Replaced(_) | Reason::Refused(_) => Self::There,
            Reason::Broken(_)
            | Reason::Expired
            | Reason::Forgotten
            | Reason::Violation(_)
            | Reason::Unused => Self::None,
        }
    }
}

impl Core {
    /// An entry of a link that ended. `may_ask`: whether the entries of this link may ask again, once that is decided.
    fn lost_import(
        self: &Arc<Self>,
        link: &Arc<Link>,
        lost: LostImport<Weak<Import>>,
        ended: &Ended,
        may_ask: &mut Option<bool>,
    ) {
        let LostImport { object, handles, mut owed } = lost;
        for import in handles.iter().filter_map(Weak::upgrade) {
            let mut state = import.state.lock();
            match &state.way {
                Way::Link(current) if Arc::ptr_eq(current, link) => {}
                Way::Link(current) => {
                    // A call was faster and asked in another session.
                    let debts = std::mem::take(&mut owed);
                    match current.amend(|session| session.owe(object, debts)) {
                        Ok(pay) => {
                            drop(state);
                            self.pay(pay);
                            continue;
                        }
                        // Which ended this moment, too.
                        Err(back) => owed = back,
                    }
                }
                Way::Lost(_) | Way::Gone => continue,
            }
            import.lose(&mut state, Way::Lost(ended.error.clone()));
            // Another introducer may have named better addresses than those that were tried for all.
            let tried =
                !matches!(link.origin, Origin::DialedOwner(..)) || link.dials(&import.source.addresses);
            let definite = match ended.certainty {
                Certainty::Certain => true,
                Certainty::There => tried,
                Certainty::None => false,
            };
            if definite || !*may_ask.get_or_insert_with(|| self.may_ask_again(&import)) {
                drop(state);
                import.ended();
                continue;
            }
            // What never answered counts among the dials of whoever named it.
            let cause = if link.peer().is_some() { Cause::Lost } else { Cause::Introduced };
            if let Err((error, back)) = import.ask_again(&mut state.way, std::mem::take(&mut owed), cause) {
                owed = back;
                import.lose(&mut state, Way::Lost(Some(Arc::new(error))));
                drop(state);
                import.ended();
            }
        }
        // Nobody holds it, or its owner is out of reach.
        self.pay(owed);
    }

    fn may_ask_again(&self, import: &Import) -> bool {
        let mut links = self.links.lock();
        if links.asked_again.len() > MAX_OWNERS {
            links.asked_again.clear();
        }
        let times = links.asked_again.entry(import.source.owner).or_insert(0);
        *times = times.saturating_add(1);
        *times <= MAX_ASKED_AGAIN
    }

    /// Debts are due, and handles are gone for good: the owner answered.
    pub(crate) fn settle(&self, link: &Link, pay: Vec<Debt>, gone: Vec<Weak<Import>>) {
        if let Some(owner) = link.peer() {
            self.links.lock().asked_again.remove(&owner);
        }
        for import in gone.iter().filter_map(Weak::upgrade) {
            import.lose(&mut import.state.lock(), Way::Gone);
            import.ended();
        }
        self.pay(pay);
    }

    /// The object that a third node's reference leads to, in the session with its owner (PROTOCOL 7.4).
    pub(crate) fn import_from_third(
        self: &Arc<Self>,
        source: Arc<Source>,
        object: ObjectId,
        debt: Debt,
    ) -> Arc<Import> {
        let owner = source.owner;
        let mut holding = self.link_holding(owner, object);
        let error = loop {
            let found = holding
                .take()
                .map_or_else(|| self.link_to(owner, Some(object), &source.addresses, Cause::Introduced), Ok);
            let link = match found {
                Ok(link) => link,
                Err(error) => break error,
            };
            let make = || {
                let import = Import::new(source.clone(), object, Way::Link(link.clone()));
                let weak = Arc::downgrade(&import);
                (import, weak)
            };
            // A session that ended this moment is replaced by another, or by an error.
            if let Some((import, pay)) = link.amend(|session| session.import_from_third(object, debt, make)) {
                self.pay(pay);
                return import;
            }
        };
        // The owner is definitely unreachable, which calls say, or enough are being dialed.
        self.pay(vec![debt]);
        Import::new(source, object, Way::Lost(Some(Arc::new(error))))
    }

    /// The same where the introducer has named more than this node keeps account of: the first use asks.
    pub(crate) fn unregistered(&self, source: Arc<Source>, object: ObjectId, debt: Debt) -> Arc<Import> {
        let what = "as many references of one peer wait for their owners as may".into();
        let error = RemoteError::Overloaded { node: self.id, what };
        self.pay(vec![debt]);
        Import::new(source, object, Way::Lost(Some(Arc::new(error))))
    }
}
