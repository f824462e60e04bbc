//! A session as users hold it.

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::error::RemoteError;
use crate::id::NodeId;
use crate::invoke::{AnyProxy, Limit, Pending, Reference, RemoteResult, Reply, SentBy};
use crate::node::clock;
use crate::node::link::Link;
use crate::node::live::{Caller, Path};
use crate::session::{Message, Outward, Rope};
use crate::wire::ROOT_NAME_MAX;

/// The node at the other end of a session, by [`Node::attach`](crate::Node::attach) or
/// [`Node::connect`](crate::Node::connect). Dropping it ends nothing: the session lives on with the node.
#[derive(Clone)]
pub struct Peer {
    pub(crate) link: Arc<Link>,
    pub(crate) node: NodeId,
}

impl Peer {
    /// Its identity.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The object that the peer has published under `name`. Dropping the future gives the question up.
    ///
    /// # Errors
    /// [`RemoteError::NotBound`], [`RemoteError::WrongInterface`], or the failure to ask.
    pub async fn root<P: Reference>(&self, name: &str) -> Result<P, RemoteError> {
        P::from_any(ask_root(&self.link, name).await?).await
    }

    /// Resolves with the reason when the session with the peer has ended.
    pub async fn closed(&self) -> String {
        self.link.closed().await.to_string()
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({})", self.node)
    }
}

/// Asks the node at the other end of `link` for a published object.
pub(crate) async fn ask_root(link: &Arc<Link>, name: &str) -> Result<AnyProxy, RemoteError> {
    if name.len() > ROOT_NAME_MAX {
        let (size, limit) = (name.len() as u64, ROOT_NAME_MAX as u64);
        return Err(RemoteError::TooLarge { what: "the name of a root".into(), size, limit });
    }
    let (answer, pending) = oneshot::channel();
    let caller = Caller { answer, path: Path::Root(name.to_owned()), object: None };
    let outward = Outward::Root(name.to_owned());
    let limit = Limit::of_call(None, link.core.settings.call_timeout);
    if let Some(limit) = limit.filter(Limit::is_over) {
        return Err(limit.timed_out(&caller.path.to_string()));
    }
    let message = Message { outward, payload: Rope::default(), references: Vec::new(), deadline: None };
    let now = clock::now();
    let sent = match link.call(now, caller, message) {
        Ok(call) => Some(SentBy::Session(link.clone(), call)),
        Err(unsent) => {
            let (caller, _) = *unsent;
            let error = link.too_late(&caller);
            caller.fail(error);
            None
        }
    };
    let pending = Pending::new(pending, sent);
    let reply =
        async { pending.await.unwrap_or_else(|| Err(RemoteError::ShuttingDown { node: link.core.id })) };
    let reply: Reply = match limit {
        None => reply.await?,
        Some(limit) => {
            let timer = link.core.sleep_until(limit.deadline);
            limit.bound(timer, &Path::Root(name.to_owned()).to_string(), reply).await?
        }
    };
    let node = reply.from;
    let answer = Result::<AnyProxy, RemoteError>::decode(reply);
    answer.map_err(|reason| RemoteError::BadReply { node, call: format!("the root `{name}`"), reason })?
}
