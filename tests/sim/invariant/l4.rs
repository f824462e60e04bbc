//! L4: calls end, each once.

use crate::world::World;

/// A call that has not ended when time has passed.
pub fn check(world: &World) -> Option<String> {
    for (number, record) in &world.calls {
        if world.nodes[record.node].alive && record.outcomes == 0 && record.caller.strong_count() > 0 {
            return Some(format!("call {number} of n{} does not end", record.node));
        }
    }
    let busy = |(_, link): &(_, &crate::node::Link)| link.session.waiting() + link.session.serving() > 0;
    let (key, link) = world.links.iter().find(busy)?;
    Some(format!("link {key} of n{} has unanswered calls", link.node))
}

#[cfg(test)]
mod planted {
    use crate::bug::Bug;
    use crate::invariant::Invariant;
    use crate::run::{calm, catches, shaky, stormy};

    #[test]
    fn a_cancelled_call_without_an_answer_is_caught() {
        catches(calm(3), Bug::SilentCancel, Invariant::L4);
    }

    #[test]
    fn calls_that_are_forgotten_with_their_session_are_caught() {
        catches(stormy(3), Bug::ForgetCalls, Invariant::L4);
    }

    #[test]
    fn a_lost_call_that_is_said_not_to_have_begun_is_caught() {
        catches(stormy(3), Bug::SayNotBegun, Invariant::L4);
    }

    #[test]
    fn calls_that_are_failed_at_detach_are_caught() {
        catches(shaky(3), Bug::FailCallsAtDetach, Invariant::L4);
    }
}
