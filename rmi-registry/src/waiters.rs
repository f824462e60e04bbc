//! Who waits for names that are not bound yet.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Waiters, by the name that they wait for. Bounded, for they may wait for ever.
#[derive(Debug)]
pub(crate) struct Waiters {
    limit: usize,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    count: usize,
    by_name: HashMap<String, Group>,
}

/// Those who wait for one name.
#[derive(Debug, Default)]
struct Group {
    count: usize,
    bound: Arc<Notify>,
}

impl Waiters {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, all: Mutex::default() }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Another one waits for `name`, as long as the seat is held. None: there are as many as may be.
    pub(crate) fn sit<'a>(&'a self, name: &'a str) -> Option<Seat<'a>> {
        let mut all = self.all.lock();
        if all.count >= self.limit {
            return None;
        }
        all.count += 1;
        let group = all.by_name.entry(name.to_owned()).or_default();
        group.count += 1;
        Some(Seat { waiters: self, name, bound: group.bound.clone() })
    }

    /// The name is bound.
    pub(crate) fn bound(&self, name: &str) {
        let group = self.all.lock().by_name.get(name).map(|group| group.bound.clone());
        if let Some(bound) = group {
            bound.notify_waiters();
        }
    }
}

/// One who waits.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    waiters: &'a Waiters,
    name: &'a str,
    /// Wakes all that wait for the name.
    pub(crate) bound: Arc<Notify>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut all = self.waiters.all.lock();
        all.count -= 1;
        if let Some(group) = all.by_name.get_mut(self.name) {
            group.count -= 1;
            if group.count == 0 {
                all.by_name.remove(self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_and_given_back() {
        let waiters = Waiters::new(3);
        let seats = ["a", "a", "b"].map(|name| waiters.sit(name));
        assert!(seats.iter().all(Option::is_some) && waiters.sit("c").is_none());
        assert_eq!(waiters.all.lock().by_name.len(), 2);
        drop(seats);
        let all = waiters.all.lock();
        assert!(all.count == 0 && all.by_name.is_empty());
    }
}
