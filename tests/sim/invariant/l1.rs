//! L1: nothing held anywhere leads to collected.

use rmi_core::ObjectId;

use crate::world::World;

/// What is left when nothing is held any more and time has passed.
pub fn check(world: &World) -> Option<String> {
    for (id, record) in &world.objects {
        if world.nodes[record.owner].alive && !world.collected.borrow().contains(id) {
            return Some(format!("{} of n{} is not collected", ObjectId::from_bytes(*id), record.owner));
        }
    }
    let left = |(_, link): &(_, &crate::node::Link)| link.session.listed() + link.session.imported() > 0;
    let (key, link) = world.links.iter().find(left)?;
    let (listed, imported) = (link.session.listed(), link.session.imported());
    Some(format!("link {key} of n{} lists {listed} objects and holds {imported}", link.node))
}

#[cfg(test)]
mod planted {
    use crate::bug::Bug;
    use crate::invariant::Invariant;
    use crate::run::{calm, catches};

    #[test]
    fn a_drop_that_nobody_hears_of_is_caught() {
        catches(calm(2), Bug::ForgetDrop, Invariant::L1);
    }
}
