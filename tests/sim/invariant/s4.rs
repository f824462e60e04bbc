//! S4: what a session delivers is an exact prefix of what was sent: nothing lost, nothing twice, nothing altered, nothing
//! overtaken; and so are the messages made of it.

use crate::invariant::Invariant;
use crate::net::Flying;
use crate::rng::hash;
use crate::world::World;

/// A frame is about to be handed to the session at the other end.
pub fn delivered(world: &mut World, conn: usize, from: usize, flying: &Flying) {
    if !flying.frame.is_numbered() {
        return;
    }
    let receiver = world.conns[conn].ends[1 - from];
    let pipe = &mut world.conns[conn].pipes[from];
    pipe.delivered += 1;
    let (number, exact) = (pipe.delivered, pipe.sent.get(pipe.delivered - 1) == Some(&hash(&flying.bytes)));
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
    use crate::run::{calm, catches};

    #[test]
    fn a_lost_frame_is_caught() {
        catches(calm(2), Bug::LoseFrame, Invariant::S4);
    }

    #[test]
    fn a_frame_that_arrives_twice_is_caught() {
        catches(calm(2), Bug::RepeatFrame, Invariant::S4);
    }

    #[test]
    fn decoding_out_of_order_is_caught() {
        catches(calm(3), Bug::SpawnedClean, Invariant::S4);
    }
}
