//! Where owners were found.

use std::collections::HashMap;
use std::sync::Arc;

use crate::id::NodeId;
use crate::node::connection::introducer::{Introducer, Named};

/// Of how many owners that is remembered.
const MAX_OWNERS: usize = 1024;

/// An address, and who named it; `None`: the program.
pub(crate) type Place = (String, Option<Arc<Introducer>>);

/// The address at which each owner answered last. What third nodes say of an owner is tried, too, but never replaces it.
#[derive(Debug, Default)]
pub(crate) struct Reached(HashMap<NodeId, Place>);

impl Reached {
    /// The owner answered there.
    pub(crate) fn insert(&mut self, owner: NodeId, place: Place) {
        if self.0.len() >= MAX_OWNERS && !self.0.contains_key(&owner) {
            let any = self.0.keys().next().copied();
            any.and_then(|any| self.0.remove(&any));
        }
        self.0.insert(owner, place);
    }

    /// The owner is at none of these places.
    pub(crate) fn remove(&mut self, owner: NodeId, tried: &[Place]) {
        let is_there = |(known, _): &Place| tried.iter().any(|(address, _)| address == known);
        if self.0.get(&owner).is_some_and(is_there) {
            self.0.remove(&owner);
        }
    }

    pub(crate) fn contains(&self, owner: NodeId) -> bool {
        self.0.contains_key(&owner)
    }

    /// Where to look for the owner: as `named`, then where it was found. If that is the same address, it is dialed as it was
    /// then: for the sake of whoever named it first.
    pub(crate) fn places(&self, owner: NodeId, named: &Named) -> Vec<Place> {
        let mut places: Vec<Place> =
            named.list.iter().map(|address| (address.clone(), named.by.clone())).collect();
        if let Some((address, by)) = self.0.get(&owner) {
            match places.iter_mut().find(|(named, _)| named == address) {
                Some(known) => known.1.clone_from(by),
                None => places.push((address.clone(), by.clone())),
            }
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::connection::introducer::Standing;

    #[test]
    fn what_worked_is_not_replaced_by_what_a_third_node_says() {
        let standing = Standing { in_process: false, on_host: false, on_link: false };
        let (owner, third) = (NodeId::random(), Introducer::new(NodeId::random(), standing));
        let named = |list: &[&str]| Named {
            list: list.iter().map(|address| (*address).to_owned()).collect(),
            by: Some(third.clone()),
        };
        let mut reached = Reached::default();
        assert_eq!(reached.places(owner, &named(&["a", "b"])).len(), 2);
        reached.insert(owner, ("good".into(), None));
        let texts = |places: Vec<Place>| -> Vec<(String, bool)> {
            places.into_iter().map(|(address, by)| (address, by.is_some())).collect()
        };
        let own = |address: &str, by| (address.to_owned(), by);
        assert_eq!(texts(reached.places(owner, &named(&["a"]))), [own("a", true), own("good", false)]);
        assert_eq!(
            texts(reached.places(owner, &named(&["good", "a"]))),
            [own("good", false), own("a", true)]
        );
        reached.remove(owner, &[("a".into(), None)]);
        assert!(reached.contains(owner), "it was not looked for there");
        reached.remove(owner, &[("a".into(), None), ("good".into(), None)]);
        assert!(!reached.contains(owner));
        for _ in 0..2 * MAX_OWNERS {
            reached.insert(NodeId::random(), ("x".into(), None));
        }
        assert_eq!(reached.0.len(), MAX_OWNERS);
    }
}
