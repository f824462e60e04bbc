//! The names of one registry, in memory.
//!
//! Invariants: no reference is dropped under the lock, for that runs `Drop` of whatever the object is; and a binding
//! that was replaced can do nothing any more, because it is told apart by its identity, never by the name alone.

use std::collections::BTreeMap;
use std::ops::Bound as Edge;
use std::pin::pin;

use parking_lot::Mutex;
use rmi_core::{AnyProxy, NodeId};

use crate::clock;
use crate::entry::{BindingId, Entry};
use crate::error::RegistryError;
use crate::name;
use crate::service::{BindOptions, Page};
use crate::waiters::Waiters;

/// How many entries are sent at a time.
const PAGE: usize = 500;

/// A name, its description and its object.
#[derive(Debug)]
struct Record {
    entry: Entry,
    object: AnyProxy,
    /// How many times in a row the owner did not answer.
    missed: u32,
}

/// The names of a registry.
#[derive(Debug)]
pub(crate) struct Store {
    /// The registry's own node.
    node: NodeId,
    /// Where it can be dialed.
    addresses: Vec<String>,
    max_entries: usize,
    records: Mutex<BTreeMap<String, Record>>,
    waiters: Waiters,
}

impl Store {
    pub(crate) fn new(node: NodeId, addresses: Vec<String>, max_entries: usize, max_waiters: usize) -> Self {
        Self { node, addresses, max_entries, records: Mutex::default(), waiters: Waiters::new(max_waiters) }
    }

    /// Binds `name`; takes it from another binding only if `replace`.
    pub(crate) fn bind(
        &self,
        name: &str,
        object: AnyProxy,
        options: BindOptions,
        replace: bool,
    ) -> Result<Entry, RegistryError> {
        name::check(name)?;
        let record = Record { entry: self.describe(name, &object, options), object, missed: 0 };
        let entry = record.entry.clone();
        let mut records = self.records.lock();
        let refused = match records.get(name) {
            Some(Record { entry: taken, .. }) if !replace => Some(RegistryError::AlreadyBound {
                name: name.to_owned(),
                owner: taken.owner,
                since: taken.since,
            }),
            None if records.len() >= self.max_entries => {
                Some(RegistryError::Full { at: self.node, limit: self.max_entries as u64 })
            }
            _ => None,
        };
        if let Some(error) = refused {
            drop(records);
            drop(record);
            return Err(error);
        }
        let replaced = records.insert(name.to_owned(), record);
        drop(records);
        drop(replaced);
        self.waiters.bound(name);
        Ok(entry)
    }

    fn describe(&self, name: &str, object: &AnyProxy, options: BindOptions) -> Entry {
        let BindOptions { version } = options;
        // An object of this very process is given away as one of the registry's node, whichever node made it.
        let owner = if object.is_local() { None } else { object.owner() };
        let addresses = if owner.is_some() { object.addresses() } else { self.addresses.clone() };
        Entry {
            name: name.to_owned(),
            version,
            id: BindingId::random(),
            interface: object.interface().to_owned(),
            owner: owner.unwrap_or(self.node),
            addresses,
            since: clock::unix_ms(),
            kept: false,
        }
    }

    /// Frees `name`, whoever bound it.
    pub(crate) fn unbind(&self, name: &str) -> Result<Entry, RegistryError> {
        let removed = self.records.lock().remove(name);
        removed.map(|record| record.entry).ok_or_else(|| self.not_bound(name))
    }

    /// Frees `name` if it is bound by `id` and, where `unless_kept`, was not to be kept. Returns what it was bound to.
    pub(crate) fn release(&self, name: &str, id: BindingId, unless_kept: bool) -> Option<Entry> {
        let mut records = self.records.lock();
        let record = records.get(name).filter(|record| record.entry.id == id)?;
        let removed = if unless_kept && record.entry.kept { None } else { records.remove(name) };
        drop(records);
        removed.map(|record| record.entry)
    }

    /// Leaves `name` bound although nobody holds its binding `id`.
    pub(crate) fn keep(&self, name: &str, id: BindingId) -> Result<(), RegistryError> {
        let mut records = self.records.lock();
        let record = records.get_mut(name).filter(|record| record.entry.id == id);
        record.map(|record| record.entry.kept = true).ok_or_else(|| self.not_bound(name))
    }

    /// The object that is bound to `name`.
    pub(crate) fn object(&self, name: &str) -> Result<AnyProxy, RegistryError> {
        let records = self.records.lock();
        records.get(name).map(|record| record.object.clone()).ok_or_else(|| self.not_bound(name))
    }

    /// The object that is bound to `name`, once it is.
    pub(crate) async fn wait(&self, name: &str) -> Result<AnyProxy, RegistryError> {
        name::check(name)?;
        if let Ok(object) = self.object(name) {
            return Ok(object);
        }
        let seat = self.waiters.sit(name).ok_or_else(|| RegistryError::TooManyWaiters {
            at: self.node,
            limit: self.waiters.limit() as u64,
        })?;
        loop {
            let mut bound = pin!(seat.bound.notified());
            // Before the look: what is bound after it is heard of.
            bound.as_mut().enable();
            if let Ok(object) = self.object(name) {
                return Ok(object);
            }
            bound.await;
        }
    }

    /// What is bound to `name`.
    pub(crate) fn entry(&self, name: &str) -> Result<Entry, RegistryError> {
        let records = self.records.lock();
        records.get(name).map(|record| record.entry.clone()).ok_or_else(|| self.not_bound(name))
    }

    /// The next page of the names that begin with `prefix` and come after `after`.
    pub(crate) fn list(&self, prefix: &str, after: Option<&str>) -> Page {
        let from = match after {
            Some(after) if after >= prefix => Edge::Excluded(after),
            _ => Edge::Included(prefix),
        };
        let records = self.records.lock();
        let mut found = records
            .range::<str, _>((from, Edge::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix))
            .map(|(_, record)| &record.entry);
        let entries = found.by_ref().take(PAGE).cloned().collect();
        Page::new(entries, found.next().is_some())
    }

    // ---- for the liveness of owners ----

    /// All names that are bound to objects of other nodes.
    pub(crate) fn remote(&self) -> Vec<(String, BindingId)> {
        let records = self.records.lock();
        let remote = records.values().filter(|record| !record.object.is_local());
        remote.map(|record| (record.entry.name.clone(), record.entry.id)).collect()
    }

    /// The object that is bound to `name` by `id`.
    pub(crate) fn object_of(&self, name: &str, id: BindingId) -> Option<AnyProxy> {
        let records = self.records.lock();
        let record = records.get(name).filter(|record| record.entry.id == id)?;
        Some(record.object.clone())
    }

    /// Notes whether the owner answered, and returns how many times in a row it did not.
    pub(crate) fn heard(&self, name: &str, id: BindingId, answered: bool) -> u32 {
        let mut records = self.records.lock();
        let Some(record) = records.get_mut(name).filter(|record| record.entry.id == id) else { return 0 };
        record.missed = if answered { 0 } else { record.missed.saturating_add(1) };
        record.missed
    }

    pub(crate) fn not_bound(&self, name: &str) -> RegistryError {
        RegistryError::NotBound { name: name.to_owned(), at: format!("the registry of node {}", self.node) }
    }
}
