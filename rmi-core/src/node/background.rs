//! A node as its own companions hold it, who work for it and do not keep it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::error::RemoteError;
use crate::id::NodeId;
use crate::invoke::Reference;
use crate::node::Node;
use crate::node::core::Core;
use crate::node::handle::parse;
use crate::node::peer::ask_root;

/// A node, for work in its background: it does not keep the node, and after the node's end all of it fails with
/// [`RemoteError::ShuttingDown`].
#[derive(Clone)]
pub struct Background(Arc<Core>);

impl Background {
    /// That of `node`.
    pub fn of(node: &Node) -> Self {
        Self(node.core().clone())
    }

    /// The node.
    pub fn id(&self) -> NodeId {
        self.0.id
    }

    /// As [`Node::root`].
    pub async fn root<P: Reference>(&self, address: &str, name: &str) -> Result<P, RemoteError> {
        let core = &self.0;
        let address = parse(address)?;
        if core.addresses.lock().listening.contains(&address) {
            let published = core.roots.lock().get(name).cloned();
            let at = format!("node {}", core.id);
            return match published {
                Some(proxy) => P::from_any(proxy).await,
                None => Err(RemoteError::NotBound { name: name.to_owned(), at }),
            };
        }
        let link = core.link_at(&address)?;
        let is_new = link.peer().is_none();
        let mut answer = ask_root(&link, name).await;
        // Whoever listens there was asked for, not the node that did when the session began. Asking twice harms nobody.
        if !is_new
            && matches!(answer, Err(RemoteError::Unreachable { .. } | RemoteError::OutcomeUnknown { .. }))
        {
            answer = ask_root(&core.link_at(&address)?, name).await;
        }
        let found = answer.map_err(|error| match error {
            RemoteError::NotBound { name, at } => {
                RemoteError::NotBound { name, at: format!("{address} ({at})") }
            }
            other => other,
        })?;
        P::from_any(found).await
    }

    /// Waits, on any thread.
    pub async fn sleep(&self, time: Duration) {
        self.0.sleep_until(crate::invoke::now() + time).await;
    }

    /// Runs a task that ends with the node; none if it has ended.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
        self.0.spawn(task)
    }

    /// Resolves when the node accepts no new calls, because it is being shut down or was dropped.
    pub async fn draining(&self) {
        // The sender is in the node itself.
        let _ = self.0.draining.subscribe().wait_for(|draining| *draining).await;
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Background({})", self.0.id)
    }
}
