//! References as they leave this node, and as they come home.

use std::sync::Arc;

use crate::id::{InterfaceName, ObjectId};
use crate::invoke::{AnyProxy, Object, Target};
use crate::node::connection::introducer::Named;
use crate::node::core::Core;
use crate::node::import::{Import, Source, Way};
use crate::node::live::Live;
use crate::node::relay::passed_on;
use crate::session::OutReference;

impl Core {
    /// References of a message that leaves this node.
    pub(crate) fn outward(&self, references: Vec<AnyProxy>) -> Result<Vec<OutReference<Live>>, String> {
        if references.is_empty() {
            return Ok(Vec::new());
        }
        references.into_iter().map(|proxy| self.outward_one(proxy)).collect()
    }

    fn outward_one(&self, proxy: AnyProxy) -> Result<OutReference<Live>, String> {
        let AnyProxy { target, interface, .. } = proxy;
        match target {
            Target::Own(object) => Ok(self.own(object, interface)),
            Target::Remote(remote) => {
                let remote = remote.present().unwrap_or(remote);
                let (owner, id) = (remote.owner(), remote.object());
                if owner == self.id {
                    // Another node of this process holds it, or somebody sent home what is gone.
                    return Ok(match self.exports.find(id) {
                        Some(object) => self.own(object, interface),
                        None => OutReference::Dead { id, interface },
                    });
                }
                let remote: Arc<dyn std::any::Any + Send + Sync> = remote;
                let import = remote.downcast::<Import>().map_err(|_| "the reference leads to no object")?;
                let addresses = passed_on(&import.source.addresses.list);
                let relays = self.relays_to(&import);
                Ok(OutReference::Held { owner, id, interface, addresses, relays, pin: import })
            }
        }
    }

    fn own(&self, object: Arc<Object>, interface: InterfaceName) -> OutReference<Live> {
        let id = self.exports.export(&object);
        OutReference::Own { id, interface, object }
    }

    /// An own object that came home.
    pub(crate) fn home(self: &Arc<Self>, id: ObjectId, interface: InterfaceName) -> AnyProxy {
        let target = match self.exports.find(id) {
            Some(object) => Target::Own(object),
            // Its holder's session ended, and it did not know yet. Calls on it fail as those on any dead reference.
            None => {
                let source = Source { core: self.clone(), owner: self.id, addresses: Named::none() };
                Target::Remote(Import::new(Arc::new(source), id, Way::Gone))
            }
        };
        AnyProxy::new(target, interface)
    }
}
