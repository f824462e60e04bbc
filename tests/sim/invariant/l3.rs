//! L3: pins go.

use crate::world::World;

/// A pin that is left when nothing is held any more and time has passed.
pub fn check(world: &World) -> Option<String> {
    let (key, link) = world.links.iter().find(|(_, link)| link.session.pinned() > 0)?;
    Some(format!("link {key} of n{} has {} pins", link.node, link.session.pinned()))
}

#[cfg(test)]
mod planted {
    use crate::bug::Bug;
    use crate::invariant::Invariant;
    use crate::run::{catches, stormy};

    #[test]
    fn debts_that_are_forgotten_with_their_session_are_caught() {
        catches(stormy(3), Bug::KeepOwed, Invariant::L3);
    }
}
