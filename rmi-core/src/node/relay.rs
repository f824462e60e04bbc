//! Tunnels through a node that both sides reach (DESIGN 6, rule 9; PROTOCOL 11).
//!
//! Three parts: an owner accepts a tunnel as if somebody had connected; a node between copies bytes from one session to
//! another; who cannot reach an owner dials it through the node that gave the reference.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{BufReader, copy_buf};

use crate::id::{NodeId, ObjectId};
use crate::node::connection::dial::NotConnected;
use crate::node::connection::introducer::Named;
use crate::node::connection::listen;
use crate::node::connection::reached::Place;
use crate::node::core::{Cause, Core};
use crate::node::import::Import;
use crate::node::link::{Link, Origin, Reason};
use crate::node::tunnel::TunnelStream;
use crate::session::{NoTunnel, Tunneled};
use crate::transport::{Address, RELAY_SCHEME as SCHEME, Stream};

/// How much is copied at a time.
const BUFFER: usize = 64 * 1024;

/// Of how many nodes it is remembered how the session with them ended.
const MAX_PARTED: usize = 64;

/// What a node remembers for the sake of relaying.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    /// Where others are told to find the owners that this node reaches: through it.
    own: OnceLock<Arc<[String]>>,
    /// How sessions ended through which this node reached others, by the node at their other end.
    parted: Mutex<HashMap<NodeId, String>>,
}

impl Relays {
    /// This node relays, and can be dialed at `addresses`.
    pub(crate) fn start(&self, me: NodeId, addresses: &[String]) {
        let bare = format!("{SCHEME}{me}");
        let through = addresses.iter().map(|address| format!("{bare}/{address}"));
        let _ = self.own.set([bare.clone()].into_iter().chain(through).collect());
    }

    fn parted(&self, node: NodeId, reason: String) {
        let mut parted = self.parted.lock();
        if parted.len() >= MAX_PARTED && !parted.contains_key(&node) {
            let any = parted.keys().next().copied();
            any.and_then(|any| parted.remove(&any));
        }
        parted.insert(node, reason);
    }
}

/// What is told to others of the addresses at which this node looks for an owner: not those that mean a session of this node.
pub(crate) fn passed_on(addresses: &Arc<[String]>) -> Arc<[String]> {
    match addresses.iter().any(|address| is_bare(address)) {
        true => addresses.iter().filter(|address| !is_bare(address)).cloned().collect(),
        false => addresses.clone(),
    }
}

fn is_bare(address: &str) -> bool {
    address.strip_prefix(SCHEME).is_some_and(|rest| !rest.contains('/'))
}

/// Says of an owner that was looked for through other nodes alone that it was.
pub(crate) fn explained(places: &[Place], text: String) -> String {
    let vias = places.iter().map(|(address, _)| address.strip_prefix(SCHEME)?.split('/').next());
    match vias.collect::<Option<Vec<&str>>>() {
        Some(mut vias) if !vias.is_empty() => {
            vias.dedup();
            let vias = vias.join(" and node ");
            format!("it accepts no connections itself and is reached through node {vias}; {text}")
        }
        _ => text,
    }
}

impl Core {
    /// Where the owner of what this node holds is found through this node: nowhere, unless this node has a session with it that no
    /// other relays.
    pub(crate) fn relays_to(&self, import: &Import) -> Arc<[String]> {
        let is_direct = |link: &Arc<Link>| link.is_usable() && !link.tunnels.is_relayed();
        match self.relays.own.get() {
            // Nearly always that in which it is held.
            Some(own) if import.open_link().as_ref().is_some_and(is_direct) => own.clone(),
            Some(own) if self.links_with(import.source.owner).iter().any(is_direct) => own.clone(),
            _ => Arc::default(),
        }
    }

    /// A session with `node` that no other node relays: the one in which it gave `object`, else the oldest. For no object it is rather one
    /// that this node dialed.
    fn direct_link(&self, node: NodeId, object: Option<ObjectId>) -> Option<Arc<Link>> {
        let links = self.links_with(node);
        let mut direct = links.iter().filter(|link| link.is_usable() && !link.tunnels.is_relayed());
        let better = |link: &&Arc<Link>| match object {
            Some(object) => link.look(|session| session.holds(object)),
            None => link.is_dialed(),
        };
        direct.clone().find(better).or(direct.next()).cloned()
    }
}

impl Link {
    /// The session that carries them is over.
    pub(crate) fn end_tunnels(&self, reason: &Reason) {
        let Some(peer) = self.peer() else { return };
        let text = format!("the session of node {} with node {peer} ended: {reason}", self.core.id);
        if self.tunnels.end_all(&text) {
            self.core.relays.parted(peer, reason.to_string());
        }
    }

    /// At which nodes between its owner was looked for.
    pub(crate) fn relays_dialed(&self) -> Vec<String> {
        match &self.origin {
            Origin::DialedOwner(named, _) => {
                named.list.iter().filter(|address| address.starts_with(SCHEME)).cloned().collect()
            }
            _ => Vec::new(),
        }
    }
}

/// What happened to a tunnel of `link`.
pub(crate) fn tunneled(link: &Arc<Link>, tunnel: u64, what: Tunneled) {
    match what {
        Tunneled::Opened { target, object } => opened(link, tunnel, target, object),
        Tunneled::Data(data) => link.tunnels.arrived(tunnel, &data),
        Tunneled::Room => link.tunnels.has_room(tunnel),
        Tunneled::Closed(reason) => link.tunnels.closed(tunnel, reason),
    }
}

/// The peer opened a tunnel.
fn opened(link: &Arc<Link>, tunnel: u64, target: NodeId, object: ObjectId) {
    let core = &link.core;
    let near = TunnelStream::opened(link, tunnel);
    if link.tunnels.is_relayed() {
        return near.closer().close(format!("node {} is reached through another node itself", core.id));
    }
    if target == core.id {
        // If there are too many, it is dropped, and that closes it.
        return listen::serve(core, Stream::relayed(near));
    }
    match onward(core, link, target, object) {
        Ok(far) => {
            core.spawn(carry(near, far));
        }
        Err(reason) => near.closer().close(reason),
    }
}

/// The other half of the way to `target`, or why there is none: nothing, if there is none at the moment.
fn onward(
    core: &Arc<Core>,
    from: &Arc<Link>,
    target: NodeId,
    object: ObjectId,
) -> Result<TunnelStream, String> {
    let me = core.id;
    if !core.settings.relay {
        return Err(format!("node {me} relays for nobody"));
    }
    if core.is_draining() {
        return Err(format!("node {me} is shutting down"));
    }
    let link = core.direct_link(target, Some(object)).filter(|link| !Arc::ptr_eq(link, from));
    let Some(link) = link else {
        return Err(format!("node {me} has no session with node {target}"));
    };
    // Who can be dialed is not waited for: whoever asks has tried that.
    if !link.look(|session| session.is_open()) && link.peer_can_be_dialed() {
        return Err(format!("node {me} has lost its connection with node {target}"));
    }
    TunnelStream::open(&link, target, object).map_err(|why| match why {
        NoTunnel::NoSession => format!("node {me} has no session with node {target}"),
        // Who is told why takes it for definite, and gives the object up.
        NoTunnel::TooMany | NoTunnel::Full => String::new(),
    })
}

/// Copies both ways until one side ends; the other is told why.
async fn carry(near: TunnelStream, far: TunnelStream) {
    let (ends_near, ends_far) = (near.closer(), far.closer());
    let (near_in, mut near_out) = tokio::io::split(near);
    let (far_in, mut far_out) = tokio::io::split(far);
    let (mut near_in, mut far_in) =
        (BufReader::with_capacity(BUFFER, near_in), BufReader::with_capacity(BUFFER, far_in));
    let ended = tokio::select! {
        ended = copy_buf(&mut near_in, &mut far_out) => ended,
        ended = copy_buf(&mut far_in, &mut near_out) => ended,
    };
    let reason = ended.err().map(|error| error.to_string()).unwrap_or_default();
    ends_near.close(reason.clone());
    ends_far.close(reason);
}

/// Opens a tunnel to `owner` through the node `via`, in a session with that; dials it at `inner` if there is none.
pub(crate) async fn dial(
    link: &Link,
    (owner, by): (NodeId, &Place),
    (via, inner): (NodeId, Option<&Address>),
    limit: Duration,
) -> Result<Stream, NotConnected> {
    let core = &link.core;
    let never = |reason: String| Err(NotConnected { reason, definite: true });
    let Origin::DialedOwner(_, Some(object)) = &link.origin else {
        return never("a node between is not looked for through another".into());
    };
    if via == core.id || via == owner {
        return never("that leads nowhere".into());
    }
    let through = match (core.direct_link(via, None), inner) {
        (Some(through), _) => through,
        (None, Some(inner)) => {
            let named = Named { list: [inner.to_string()].into(), by: by.1.clone() };
            let through = match core.link_to(via, None, &named, Cause::Used) {
                Ok(through) => through,
                Err(error) => return never(error.to_string()),
            };
            match tokio::time::timeout(limit, through.opened()).await {
                Ok(Ok(_)) => through,
                Ok(Err(why)) => {
                    let definite = !matches!(why, Reason::Broken(_) | Reason::Expired);
                    return Err(NotConnected { reason: format!("it cannot be reached: {why}"), definite });
                }
                Err(_) => {
                    let reason = format!("no session with it within {limit:?}");
                    return Err(NotConnected { reason, definite: false });
                }
            }
        }
        (None, None) => {
            let why = core.relays.parted.lock().get(&via).map(|why| format!(": {why}"));
            return never(format!("there is no session with it any more{}", why.unwrap_or_default()));
        }
    };
    if through.tunnels.is_relayed() {
        return never("it is reached through another node itself".into());
    }
    match TunnelStream::open(&through, owner, *object) {
        Ok(stream) => Ok(Stream::relayed(stream)),
        Err(why) => Err(NotConnected {
            reason: match why {
                NoTunnel::NoSession => "the session with it has ended".into(),
                NoTunnel::TooMany => "there are as many tunnels through it as there may be".into(),
                NoTunnel::Full => "it takes nothing at present".into(),
            },
            definite: false,
        }),
    }
}
