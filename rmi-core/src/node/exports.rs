//! The object table: which local objects this node has given away.

use std::sync::{Arc, Weak};

use parking_lot::RwLock;

use crate::id::{NodeId, ObjectId};
use crate::invoke::{ExportTable, Object};
use crate::map::Map;

const SHARDS: usize = 16;

/// Weak handles of exported objects, by id. Listings and local proxies keep the objects alive; a dead object takes
/// itself out.
#[derive(Debug)]
pub(crate) struct Exports {
    node: NodeId,
    shards: [RwLock<Map<ObjectId, Weak<Object>>>; SHARDS],
}

impl Exports {
    pub(crate) fn new(node: NodeId) -> Self {
        Self { node, shards: Default::default() }
    }

    fn shard(&self, id: ObjectId) -> &RwLock<Map<ObjectId, Weak<Object>>> {
        &self.shards[usize::from(id.to_bytes()[0]) % SHARDS]
    }

    /// Makes the object callable from elsewhere, under the same id each time.
    pub(crate) fn export(self: &Arc<Self>, object: &Arc<Object>) -> ObjectId {
        let table: Arc<dyn ExportTable> = self.clone();
        object.export_at(&table, |id| {
            self.shard(id).write().insert(id, Arc::downgrade(object));
        })
    }

    /// The object, if it is alive.
    pub(crate) fn find(&self, id: ObjectId) -> Option<Arc<Object>> {
        self.shard(id).read().get(&id)?.upgrade()
    }

    /// How many objects are exported and alive.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }
}

impl ExportTable for Exports {
    fn node(&self) -> NodeId {
        self.node
    }

    fn forget(&self, object: ObjectId) {
        self.shard(object).write().remove(&object);
    }
}
