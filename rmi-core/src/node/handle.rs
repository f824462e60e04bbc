//! The handle of a node.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::RemoteError;
use crate::id::NodeId;
use crate::invoke::Reference;
use crate::node::background::Background;
use crate::node::builder::Builder;
use crate::node::clock;
use crate::node::connection::driver;
use crate::node::core::Core;
use crate::node::link::{Link, Origin, Reason};
use crate::node::peer::Peer;
use crate::session::{Phase, Role};
use crate::transport::{Address, Distance, Stream};

/// How often shutdown looks whether it may go on.
const LOOK: Duration = Duration::from_millis(5);

/// How long a Bye waits for answers that are about to leave.
const LAST_ANSWERS: Duration = Duration::from_millis(50);

/// A node: objects, sessions with other nodes, and the tasks that serve them.
///
/// A node runs on the tokio runtime on which it was started. Several nodes in one process are as separate as if they were in
/// several. Clones are handles of one node. When the last handle is dropped the node stops at once: its peers are told as
/// far as that needs no waiting. [`shutdown`](Self::shutdown) stops it gracefully.
#[derive(Clone)]
pub struct Node {
    owner: Arc<Owner>,
}

/// Stops the node when the last handle goes.
struct Owner(Arc<Core>);

impl Drop for Owner {
    fn drop(&mut self) {
        let core = &self.0;
        let ends = EndLinks(core.clone());
        if core.stop.send_replace(true) {
            return;
        }
        core.draining.send_replace(true);
        let roots = std::mem::take(&mut *core.roots.lock());
        drop(roots);
        let text = format!("node {} was dropped", core.id);
        let core = core.clone();
        core.runtime.clone().spawn(async move {
            wind_up(core, 2, text, Duration::from_millis(200)).await;
            drop(ends);
        });
    }
}

/// Ends all links, also if nobody runs the tasks that would: links and their node hold each other.
struct EndLinks(Arc<Core>);

impl Drop for EndLinks {
    fn drop(&mut self) {
        for link in self.0.all_links() {
            link.close(Reason::Stopped);
            link.finish();
        }
    }
}

/// Says Bye, waits for the peers to hang up, ends all links and all tasks.
async fn wind_up(core: Arc<Core>, code: u8, text: String, patience: Duration) {
    let (code, text) = core.leaving.get_or_init(|| (code, text)).clone();
    let until = clock::now() + patience;
    // First in the sessions that others of this node carry: nothing follows the Bye of those.
    for relayed in [true, false] {
        let mut links = core.all_links();
        links.retain(|link| link.tunnels.is_relayed() == relayed);
        say_bye(&links, code, &text).await;
        // Whose connection is broken may come back and hear it.
        while clock::now() < until && links.iter().any(|link| link.look(|session| session.is_on())) {
            tokio::time::sleep(LOOK).await;
        }
    }
    core.stop.send_replace(true);
    for link in core.all_links() {
        link.close(Reason::Stopped);
        // One that has lapsed was closed before, for another reason.
        link.finish();
    }
    core.end_tasks().await;
}

/// Says Bye in these sessions. Calls that came since the node looked are refused first: behind the Bye they could not be told so.
async fn say_bye(links: &[Arc<Link>], code: u8, text: &str) {
    let until = clock::now() + LAST_ANSWERS;
    let mut links: Vec<_> = links.iter().collect();
    loop {
        let is_late = clock::now() >= until;
        links.retain(|link| {
            link.with(|session| {
                let waits = !is_late && session.is_open() && session.serving() > 0;
                if !waits {
                    session.bye(code, text.to_owned());
                }
                waits
            })
        });
        if links.is_empty() {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

impl Node {
    /// Configures a node. See [`Builder::start`].
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { owner: Arc::new(Owner(core)) }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.owner.0
    }

    /// The node's identity, new at every start.
    pub fn id(&self) -> NodeId {
        self.core().id
    }

    /// Where others are told to dial this node; empty for a node that does not listen. Which of them a peer is told depends on where
    /// it is: see [`Builder::advertise`].
    pub fn addresses(&self) -> Vec<String> {
        self.core().addresses.lock().given.clone()
    }

    /// Lets others fetch `proxy` by name with [`root`](Self::root). The node keeps the object alive until it is
    /// unpublished. An object that was published under the name is replaced.
    pub fn publish(&self, name: impl Into<String>, proxy: &impl Reference) {
        if self.core().is_draining() {
            return;
        }
        let replaced = self.core().roots.lock().insert(name.into(), proxy.to_any());
        drop(replaced);
    }

    /// Takes a name back. False: nothing was published under it.
    pub fn unpublish(&self, name: &str) -> bool {
        let removed = self.core().roots.lock().remove(name);
        removed.is_some()
    }

    /// The object that the node at `address` has published under `name`. Uses the session with that node, or dials; the
    /// question rides along with the handshake. Dropping the future gives the question up.
    ///
    /// # Errors
    /// [`RemoteError::BadAddress`], [`RemoteError::Unreachable`], [`RemoteError::NotBound`], or
    /// [`RemoteError::WrongInterface`] if the object is no `P`.
    pub async fn root<P: Reference>(&self, address: &str, name: &str) -> Result<P, RemoteError> {
        Background::of(self).root(address, name).await
    }

    /// The node at `address`. Uses the session with it, or dials. Dropping the future lets the dialing go on.
    ///
    /// # Errors
    /// [`RemoteError::BadAddress`], [`RemoteError::Unreachable`], [`RemoteError::Refused`].
    pub async fn connect(&self, address: &str) -> Result<Peer, RemoteError> {
        let link = self.core().link_at(&parse(address)?)?;
        self.opened(link).await
    }

    /// Makes any two-way stream of bytes a session: a child's stdin and stdout (join them with `tokio::io::join`), a socket
    /// pair, a stream from elsewhere. Both ends call it, or one end is a listening node.
    ///
    /// # Errors
    /// When the handshake fails or is not over in time. Dropping the future lets the handshake go on.
    pub async fn attach<S>(&self, io: S) -> Result<Peer, RemoteError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let core = self.core();
        if core.is_draining() {
            return Err(RemoteError::ShuttingDown { node: core.id });
        }
        let link = Link::new(core, "the other end of an attached stream".into(), Origin::Attached);
        core.add_link(&link);
        let stream = Stream::new(io, Distance::Unknown);
        core.spawn_link(
            &link,
            driver::run(link.clone(), stream, Role::Attach, core.settings.handshake_timeout),
        );
        core.close_if_stopped(&link);
        self.opened(link).await
    }

    async fn opened(&self, link: Arc<Link>) -> Result<Peer, RemoteError> {
        let target = link.target.clone();
        match link.opened().await {
            Ok(node) => Ok(Peer { link, node }),
            Err(Reason::Refused(reason)) => Err(RemoteError::Refused { target, reason }),
            Err(Reason::Violation(reason)) => Err(RemoteError::PeerMisbehaved { peer: target, reason }),
            Err(reason) => Err(RemoteError::Unreachable { target, reason: reason.to_string() }),
        }
    }

    /// Stops the node gracefully: accepts no new calls and sessions, unpublishes everything, waits until running calls have
    /// been answered and references it passed on have been registered by their receivers, then says Bye to its peers and ends
    /// all its tasks. The waiting is bounded by [`Builder::drain_timeout`]. A second call waits for the same.
    ///
    /// Dropping the future leaves the node draining; call it again, or drop the node.
    pub async fn shutdown(&self) {
        let core = self.core();
        core.draining.send_replace(true);
        let roots = std::mem::take(&mut *core.roots.lock());
        drop(roots);
        let until = clock::now() + core.settings.drain_timeout;
        while clock::now() < until && !core.all_links().iter().all(is_drained) {
            tokio::time::sleep(LOOK).await;
        }
        let text = format!("node {} is shutting down", core.id);
        wind_up(core.clone(), 0, text, Duration::from_millis(500)).await;
    }
}

/// Nothing runs for the peer, nothing waits to be sent, and it has registered what was passed on to it.
fn is_drained(link: &Arc<Link>) -> bool {
    link.look(|session| {
        let idle = match session.phase() {
            Phase::Open => session.serving() == 0 && session.is_flushed(),
            // Its peer may come back for the answers.
            Phase::Detached(_) => session.serving() == 0,
            _ => true,
        };
        session.pinned() == 0 && idle
    })
}

pub(crate) fn parse(address: &str) -> Result<Address, RemoteError> {
    Address::of_program(address)
        .map_err(|reason| RemoteError::BadAddress { address: address.to_owned(), reason })
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("id", &self.id()).field("addresses", &self.addresses()).finish()
    }
}
