//! The holder's side of a session: the objects of the peer that are held here.

use std::collections::hash_map::Entry as MapEntry;
use std::hash::{Hash, Hasher};

use crate::gc::{SessionKey, hash_by_id};
use crate::id::ObjectId;
use crate::map::Map;

/// An Unpin that is owed to the introducer of a reference, until the owner has confirmed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Debt {
    /// The session with the introducer.
    pub session: SessionKey,
    /// The transfer number there.
    pub transfer: u64,
}

/// The import entries of one session. `W` is a weak handle of what all proxies and pins of an entry share.
///
/// An entry counts its handles rather than asking the weak ones: a handle that is being dropped, and whose notice
/// is still on its way, must count until the notice is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imports<W> {
    entries: Map<ObjectId, Entry<W>>,
}

/// There may be a million: with its key it takes four words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Entry<W> {
    /// The handle that further arrivals share.
    weak: W,
    /// None: confirmed, with one handle, nothing owed. So it is with nearly all.
    rare: Option<Box<Rare<W>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Rare<W> {
    confirmed: bool,
    handles: u32,
    owed: Vec<Debt>,
    /// Other handles of the entry, which were moved here from an ended session, or were there when one was.
    others: Vec<W>,
}

// As pointers are now.
const _: () = assert!(size_of::<(ObjectId, Entry<usize>)>() <= 32);

impl<W> Entry<W> {
    fn confirmed(weak: W) -> Self {
        Self { weak, rare: None }
    }

    fn asking(weak: W, owed: Vec<Debt>) -> Self {
        Self { weak, rare: Some(Box::new(Rare { confirmed: false, handles: 1, owed, others: Vec::new() })) }
    }

    fn is_confirmed(&self) -> bool {
        self.rare.as_ref().is_none_or(|rare| rare.confirmed)
    }

    fn handles(&self) -> u32 {
        self.rare.as_ref().map_or(1, |rare| rare.handles)
    }

    /// Changes what few entries have, and forgets it once it is what all have.
    fn change<R>(&mut self, change: impl FnOnce(&mut Rare<W>) -> R) -> R {
        let usual = || Box::new(Rare { confirmed: true, handles: 1, owed: Vec::new(), others: Vec::new() });
        let rare = self.rare.get_or_insert_with(usual);
        let changed = change(rare);
        if rare.confirmed && rare.handles == 1 && rare.owed.is_empty() && rare.others.is_empty() {
            self.rare = None;
        }
        changed
    }

    /// One more handle shares the entry from now on. The one before is dead: only its notice is to come.
    fn replace(&mut self, weak: W) {
        self.weak = weak;
        self.change(|rare| rare.handles += 1);
    }

    /// One more handle shares the entry from now on, and those that live.
    fn join(&mut self, weak: W, is_alive: impl Fn(&W) -> bool) {
        let before = std::mem::replace(&mut self.weak, weak);
        self.change(|rare| {
            rare.handles += 1;
            rare.others.push(before);
            rare.others.retain(is_alive);
        });
    }

    fn owe(&mut self, debts: Vec<Debt>) {
        if !debts.is_empty() {
            self.change(|rare| rare.owed.extend(debts));
        }
    }

    fn into_parts(self) -> (Vec<W>, Vec<Debt>) {
        let mut handles = vec![self.weak];
        match self.rare {
            None => (handles, Vec::new()),
            Some(rare) => {
                handles.extend(rare.others);
                (handles, rare.owed)
            }
        }
    }
}

/// What the arrival of a reference from a third node asks for (7.4).
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A Dirty must go to the owner; the debt is owed until it is answered.
    SendDirty,
    /// A Dirty is under way; the debt is owed until it is answered.
    Waits,
    /// The entry is confirmed: these may be paid at once.
    Pay(Vec<Debt>),
}

/// What the answer to a Dirty settled.
#[derive(Debug)]
pub struct Settled<W> {
    /// Unpins to be sent now.
    pub pay: Vec<Debt>,
    /// Handles of an entry that is gone for good.
    pub gone: Vec<W>,
    /// The entry had no handle left: it is removed, and a Clean must be sent.
    pub clean: bool,
}

/// An entry of a session that ended (7.7).
#[derive(Debug)]
pub struct LostImport<W> {
    /// The object.
    pub object: ObjectId,
    /// Its handles; some may be dead.
    pub handles: Vec<W>,
    /// What is owed for it.
    pub owed: Vec<Debt>,
}

impl<W> Default for Imports<W> {
    fn default() -> Self {
        Self { entries: Map::default() }
    }
}

impl<W> Imports<W> {
    /// How many objects of the peer are held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A reference arrived from the owner itself (7.2). `share` turns the entry's handle into a strong one; `make`
    /// makes a new one where there is none.
    pub fn arrive_from_owner<I>(
        &mut self,
        object: ObjectId,
        share: impl FnOnce(&W) -> Option<I>,
        make: impl FnOnce() -> (I, W),
    ) -> I {
        match self.entries.entry(object) {
            MapEntry::Vacant(vacant) => {
                let (import, weak) = make();
                vacant.insert(Entry::confirmed(weak));
                import
            }
            MapEntry::Occupied(mut occupied) => share_or_replace(occupied.get_mut(), share, make),
        }
    }

    /// A reference arrived from a third node, which has it pinned under `debt` (7.4).
    pub fn arrive_from_third<I>(
        &mut self,
        object: ObjectId,
        debt: Debt,
        share: impl FnOnce(&W) -> Option<I>,
        make: impl FnOnce() -> (I, W),
    ) -> (I, Arrival) {
        match self.entries.entry(object) {
            MapEntry::Vacant(vacant) => {
                let (import, weak) = make();
                vacant.insert(Entry::asking(weak, vec![debt]));
                (import, Arrival::SendDirty)
            }
            MapEntry::Occupied(mut occupied) => {
                let entry = occupied.get_mut();
                let import = share_or_replace(entry, share, make);
                if entry.is_confirmed() {
                    return (import, Arrival::Pay(vec![debt]));
                }
                entry.owe(vec![debt]);
                (import, Arrival::Waits)
            }
        }
    }

    /// A handle whose session ended asks again here (7.7), with what it owes.
    pub fn ask_again(
        &mut self,
        object: ObjectId,
        handle: W,
        debts: Vec<Debt>,
        is_alive: impl Fn(&W) -> bool,
    ) -> Arrival {
        match self.entries.entry(object) {
            MapEntry::Vacant(vacant) => {
                vacant.insert(Entry::asking(handle, debts));
                Arrival::SendDirty
            }
            MapEntry::Occupied(mut occupied) => {
                let entry = occupied.get_mut();
                entry.join(handle, is_alive);
                if entry.is_confirmed() {
                    return Arrival::Pay(debts);
                }
                entry.owe(debts);
                Arrival::Waits
            }
        }
    }

    /// More is owed for an entry that has its handle already. Returns what may be paid at once.
    pub fn owe(&mut self, object: ObjectId, debts: Vec<Debt>) -> Vec<Debt> {
        match self.entries.get_mut(&object) {
            Some(entry) if !entry.is_confirmed() => {
                entry.owe(debts);
                Vec::new()
            }
            _ => debts,
        }
    }

    /// The owner confirmed (7.4.2). `None`: nobody asked.
    pub fn held(&mut self, object: ObjectId) -> Option<Settled<W>> {
        let entry = self.entries.get_mut(&object).filter(|entry| !entry.is_confirmed())?;
        let clean = entry.handles() == 0;
        let pay = entry.change(|rare| {
            rare.confirmed = true;
            std::mem::take(&mut rare.owed)
        });
        if clean {
            self.entries.remove(&object);
        }
        Some(Settled { pay, gone: Vec::new(), clean })
    }

    /// The owner has no such object any more (7.4.2). `None`: nobody asked.
    pub fn gone(&mut self, object: ObjectId) -> Option<Settled<W>> {
        self.entries.get(&object).filter(|entry| !entry.is_confirmed())?;
        let (gone, pay) = self.entries.remove(&object)?.into_parts();
        Some(Settled { pay, gone, clean: false })
    }

    /// A handle of the entry was dropped. True: it was the last, the entry is removed, and a Clean must be sent
    /// (7.5). An entry that is unconfirmed stays until its Dirty is answered.
    pub fn dropped(&mut self, object: ObjectId) -> bool {
        let Some(entry) = self.entries.get_mut(&object) else { return false };
        let clean = entry.is_confirmed() && entry.handles() <= 1;
        if clean {
            self.entries.remove(&object);
        } else {
            entry.change(|rare| rare.handles = rare.handles.saturating_sub(1));
        }
        clean
    }

    /// Whether the entry is confirmed; `None` if there is no entry.
    pub fn confirmed(&self, object: ObjectId) -> Option<bool> {
        self.entries.get(&object).map(Entry::is_confirmed)
    }

    /// What is owed for an entry.
    #[doc(hidden)]
    pub fn owed(&self, object: ObjectId) -> &[Debt] {
        self.entries.get(&object).and_then(|entry| entry.rare.as_ref()).map_or(&[], |rare| &rare.owed)
    }

    /// Every handle that an entry remembers, alive or not.
    #[doc(hidden)]
    pub fn handles(&self) -> impl Iterator<Item = &W> {
        self.entries.values().flat_map(|entry| {
            let others = entry.rare.iter().flat_map(|rare| &rare.others);
            others.chain([&entry.weak])
        })
    }

    /// The session is over for this side as a holder. They come in the order of their ids: the owner, which chose those, sees in which
    /// order they ask again, and must not see that of the map.
    pub fn end(&mut self) -> Vec<LostImport<W>> {
        let lost = std::mem::take(&mut self.entries).into_iter();
        let mut lost: Vec<_> = lost
            .map(|(object, entry)| {
                let (handles, owed) = entry.into_parts();
                LostImport { object, handles, owed }
            })
            .collect();
        lost.sort_unstable_by_key(|lost| lost.object.to_bytes());
        lost
    }
}

impl<W: Hash> Hash for Imports<W> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_by_id(&self.entries, state);
    }
}

fn share_or_replace<W, I>(
    entry: &mut Entry<W>,
    share: impl FnOnce(&W) -> Option<I>,
    make: impl FnOnce() -> (I, W),
) -> I {
    share(&entry.weak).unwrap_or_else(|| {
        let (import, weak) = make();
        entry.replace(weak);
        import
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBT: Debt = Debt { session: 1, transfer: 9 };

    fn arrive(imports: &mut Imports<char>, object: ObjectId) -> Arrival {
        imports.arrive_from_third(object, DEBT, |_| Some(()), || ((), 'w')).1
    }

    #[test]
    fn one_dirty_and_no_confirmation_by_the_way() {
        let (mut imports, object) = (Imports::default(), ObjectId::random());
        assert_eq!(arrive(&mut imports, object), Arrival::SendDirty);
        assert_eq!(arrive(&mut imports, object), Arrival::Waits);
        imports.arrive_from_owner(object, |_| Some(()), || ((), 'x'));
        assert_eq!(imports.confirmed(object), Some(false), "the owner's own reference does not confirm");
        let settled = imports.held(object).unwrap();
        assert_eq!((settled.pay.len(), settled.clean), (2, false));
        assert_eq!(arrive(&mut imports, object), Arrival::Pay(vec![DEBT]));
        assert!(imports.held(object).is_none(), "nobody asked");
    }

    #[test]
    fn a_clean_waits_for_the_confirmation() {
        let (mut imports, object) = (Imports::default(), ObjectId::random());
        arrive(&mut imports, object);
        assert!(!imports.dropped(object));
        assert!(imports.held(object).unwrap().clean);
        assert!(imports.is_empty());
    }

    #[test]
    fn a_reference_that_arrives_while_its_handle_is_being_dropped() {
        let (mut imports, object) = (Imports::default(), ObjectId::random());
        imports.arrive_from_owner(object, |_: &char| None, || ((), 'a'));
        imports.arrive_from_owner(object, |_| None::<()>, || ((), 'b'));
        assert!(!imports.dropped(object), "the notice of the first handle");
        assert!(imports.dropped(object), "and of the second");
    }

    #[test]
    fn handles_that_die_while_others_arrive_leave_nothing_behind() {
        let (mut imports, object) = (Imports::default(), ObjectId::random());
        imports.arrive_from_owner(object, |_: &u32| None, || ((), 0));
        for next in 1..1_000 {
            imports.arrive_from_owner(object, |_| None::<()>, || ((), next));
            assert!(!imports.dropped(object));
        }
        assert_eq!(imports.handles().collect::<Vec<_>>(), [&999]);
        assert!(imports.entries[&object].rare.is_none(), "it is as any other");
    }

    #[test]
    fn handles_that_move_here_are_remembered_while_they_live() {
        let (mut imports, object) = (Imports::default(), ObjectId::random());
        imports.arrive_from_owner(object, |_: &u32| None, || ((), 0));
        for next in 1..1_000 {
            let paid = imports.ask_again(object, next, vec![DEBT], |handle| *handle + 3 > next);
            assert_eq!(paid, Arrival::Pay(vec![DEBT]));
        }
        let mut known: Vec<u32> = imports.handles().copied().collect();
        known.sort_unstable();
        assert_eq!(known, [997, 998, 999]);
        assert!((1..1_000).all(|_| !imports.dropped(object)), "each has a notice");
        assert!(imports.dropped(object));
    }

    #[test]
    fn what_is_lost_comes_in_no_order_of_the_map() {
        let mut imports = Imports::default();
        for _ in 0..100 {
            imports.arrive_from_owner(ObjectId::random(), |_| None::<()>, || ((), 'w'));
        }
        let lost = imports.end();
        assert!(lost.len() == 100 && lost.is_sorted_by_key(|lost| lost.object.to_bytes()));
    }
}
