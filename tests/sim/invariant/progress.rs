//! Progress: no writer sleeps past what is due; without faults no session ends, and neither does one by connections that
//! break alone; when nothing goes wrong any more, everything works.

use std::time::Duration;

use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::Phase;

use crate::handles::{Import, Proxy, Way};
use crate::invariant::Invariant;
use crate::log::UnderWay;
use crate::node::{Link, Reason};
use crate::serve::{Behaviour, Outcome};
use crate::world::World;

/// How late a busy writer may be.
const LATE: Duration = Duration::from_millis(60);

pub fn check(world: &mut World) {
    if !world.config.checks(Invariant::Progress) {
        return;
    }
    let overdue = |(key, link): (&SessionKey, &Link)| {
        // A Welcome may come when the lease that it answers is over.
        let due = link.session.next_timeout()?.max(link.received);
        let late = world.local(link.node) > due + LATE && !world.was_stopped(link.node, LATE);
        late.then_some((*key, link.node))
    };
    if let Some((key, node)) = world.links.iter().find_map(overdue) {
        world.violate(Invariant::Progress, || format!("the writer of link {key} of n{node} sleeps"));
    }
}

/// A link is being closed.
pub fn closed(world: &mut World, key: SessionKey, reason: Reason) {
    let calm = !world.config.faults && !world.config.scripted;
    // Both have opened this session: a Welcome that is lost leaves the acceptor alone.
    let opened =
        |key: SessionKey| world.links.get(&key).is_some_and(|link| link.session.phase() != Phase::Opening);
    let log = |key: SessionKey| world.links.get(&key).and_then(|link| link.log).map(|(log, _)| log);
    let both = opened(key) && world.peer_of(key).is_some_and(|peer| opened(peer) && log(peer) == log(key));
    if calm && both && matches!(reason, Reason::Broken | Reason::Expired | Reason::Forgotten) {
        world.violate(Invariant::Progress, || format!("link {key} ends, {reason:?}, and nothing went wrong"));
    }
}

impl World {
    /// Nothing has gone wrong for a long time: no session is without connection, what was sent has arrived, and what is
    /// held can be called.
    pub fn check_healed(&mut self) {
        let ill = |(key, link): (&SessionKey, &Link)| {
            let detached = matches!(link.session.phase(), Phase::Detached(_));
            let old = |sent: &&UnderWay| sent.since + self.lease.as_micros() as u64 <= self.now;
            let way = self.under_way(*key, true).filter(old).count();
            let lost = link.session.is_open() && way > 0;
            (detached || lost).then(|| {
                format!(
                    "link {key} of n{}: {:?}, {way} frames did not arrive",
                    link.node,
                    link.session.phase()
                )
            })
        };
        if let Some(text) = self.links.iter().find_map(ill) {
            return self.violate(Invariant::Progress, || text);
        }
        let mut calls = Vec::new();
        for import in self.live_imports() {
            if !self.must_work(&import) {
                continue;
            }
            let behaviour = Behaviour { size: 9, ..Behaviour::default() };
            calls.push(self.call(&import, &[], 9, Some(behaviour)));
            self.reach("a call after all is healed");
        }
        self.run_for(self.lease.as_millis() as u64);
        for call in calls {
            let Some(outcome) = self.calls.get(&call).map(|record| record.outcome.clone()) else { continue };
            if outcome != Some(Outcome::Answered) {
                self.violate(Invariant::Progress, || {
                    format!("call {call}, after everything healed: {outcome:?}")
                });
            }
        }
    }

    /// An application holds it, and no fault has cut it off.
    fn must_work(&self, import: &Import) -> bool {
        let node = &self.nodes[import.node];
        let is =
            |proxy: &Proxy| matches!(proxy, Proxy::Remote(held) if std::ptr::eq(&raw const **held, import));
        let owner = self.record(import.object).owner;
        matches!(import.way.get(), Way::Link(_))
            && node.alive
            && !node.draining
            && !self.nodes[owner].draining
            && self.is_strict(import.object)
            && node.held.iter().any(is)
    }
}

#[cfg(test)]
mod planted {
    use crate::bug::Bug;
    use crate::invariant::Invariant;
    use crate::run::{calm, catches, shaky};

    #[test]
    fn a_wake_that_is_lost_is_caught() {
        catches(calm(2), Bug::LoseWake, Invariant::Progress);
    }

    #[test]
    fn a_last_batch_that_never_arrives_is_caught() {
        catches(shaky(3), Bug::ReplayLosesLast, Invariant::Progress);
    }

    #[test]
    fn a_dialer_that_is_turned_away_because_an_answer_was_lost_is_caught() {
        catches(shaky(3), Bug::LatestTokenOnly, Invariant::Progress);
    }
}
