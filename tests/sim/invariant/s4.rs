//! S4: what a session delivers, over all its connections, is an exact prefix of what was sent: nothing lost, nothing twice,
//! nothing altered, nothing overtaken; and so are the messages made of it.

use crate::invariant::Invariant;
use crate::net::Flying;
use crate::world::World;

/// A frame is about to be handed to the session at the other end.
pub fn delivered(world: &mut World, conn: usize, from: usize, flying: &Flying) {
    if !flying.frame.is_numbered() {
        return;
    }
    let receiver = world.conns[conn].ends[1 - from];
    let Some(log) = world.conns[conn].log else { return };
    let side = &mut world.logs[log].sides[from];
    side.delivered += 1;
    side.under_way.pop_front();
    let (number, exact) = (side.delivered, side.sent.get(side.delivered - 1) == Some(&flying.bytes));
    let counted = world.links.get(&receiver.link).map(|link| link.session.frames().1 + 1);
    if !exact || counted != Some(number as u64) {
        world.violate(Invariant::S4, || {
            format!("n{} receives as frame {number} what was sent as {}", receiver.node, flying.number)
        });
    }
}

#[cfg(test)]
mod planted {
    use crate::bug::Bug;
    use crate::invariant::Invariant;
    use crate::run::{calm, catches, shaky, stormy};

    #[test]
    fn a_lost_frame_is_caught() {
        catches(calm(2), Bug::LoseFrame, Invariant::S4);
    }

    #[test]
    fn a_frame_that_arrives_twice_is_caught() {
        catches(calm(2), Bug::RepeatFrame, Invariant::S4);
    }

    #[test]
    fn an_answer_that_the_session_does_not_count_is_caught() {
        catches(calm(2), Bug::PlainUncounted, Invariant::S4);
    }

    #[test]
    fn an_answer_that_is_not_kept_in_the_ring_is_caught() {
        catches(calm(2), Bug::PlainPastRing, Invariant::S4);
    }

    #[test]
    fn decoding_out_of_order_is_caught() {
        catches(calm(3), Bug::SpawnedClean, Invariant::S4);
    }

    #[test]
    fn a_replay_that_loses_the_last_batch_is_caught() {
        catches(shaky(3), Bug::ReplayLosesLast, Invariant::S4);
    }

    #[test]
    fn a_replay_from_one_frame_too_early_is_caught() {
        catches(shaky(3), Bug::ReplayTooEarly, Invariant::S4);
    }

    #[test]
    fn a_replay_from_one_frame_too_late_is_caught() {
        catches(shaky(3), Bug::ReplayTooLate, Invariant::S4);
    }

    #[test]
    fn a_clean_encoded_anew_at_replay_is_caught() {
        catches(shaky(3), Bug::CleanReencodedAtReplay, Invariant::S4);
    }

    #[test]
    fn an_old_connection_that_delivers_after_a_resume_is_caught() {
        catches(stormy(3), Bug::NoFence, Invariant::S4);
    }

    #[test]
    fn a_resume_that_reports_nothing_as_received_is_caught() {
        catches(shaky(3), Bug::ReceivedNotReported, Invariant::Protocol);
    }

    #[test]
    fn a_resume_that_reports_one_frame_too_many_is_caught() {
        catches(shaky(3), Bug::ReceivedTooHigh, Invariant::S4);
    }
}
