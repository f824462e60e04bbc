//! Settings of a node, and its start.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::error::StartError;
use crate::node::connection::listen;
use crate::node::connection::policy::{DialPolicy, DialRequest};
use crate::node::core::Core;
use crate::node::handle::Node;
use crate::session::{Locality, MIN_LEASE_MS};
use crate::transport::{Address, Listener};
use crate::wire::Limits;

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) lease: Duration,
    pub(crate) reconnect_window: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) limits: Limits,
    pub(crate) max_sessions: usize,
    pub(crate) max_unsent: u64,
    pub(crate) dial_policy: DialPolicy,
    pub(crate) relay: bool,
    pub(crate) call_timeout: Option<Duration>,
}

/// Configures a [`Node`]. Made by [`Node::builder`]; every setting has a default.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `start` is awaited"]
pub struct Builder {
    listen: Vec<String>,
    advertise: Vec<String>,
    settings: Settings,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            listen: Vec::new(),
            advertise: Vec::new(),
            settings: Settings {
                lease: Duration::from_secs(30),
                reconnect_window: Duration::from_secs(10),
                handshake_timeout: Duration::from_secs(5),
                drain_timeout: Duration::from_secs(5),
                limits: Limits::default(),
                max_sessions: 1024,
                max_unsent: 256 * 1024 * 1024,
                dial_policy: DialPolicy::default(),
                relay: true,
                call_timeout: None,
            },
        }
    }

    /// Accepts connections at `address`: `tcp://HOST:PORT` (port 0 takes a free one), `unix:///PATH`, `mem://NAME` (within this
    /// process). May be given several times. A node without any can call, and be called back over the connections it made.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen.push(address.into());
        self
    }

    /// Tells other nodes to dial `address`, in place of the addresses it listens at: for nodes behind port forwarding or
    /// with a name in DNS. May be given several times.
    ///
    /// Without it, others are told where the node listens: a wildcard becomes the addresses of the interfaces, and loopback
    /// addresses, socket files and `mem://` names are told only to peers on the same host or in the same process.
    pub fn advertise(mut self, address: impl Into<String>) -> Self {
        self.advertise.push(address.into());
        self
    }

    /// The lease, 30 s by default, at least 100 ms: a peer that is not heard of for so long is given up, and what it
    /// held is collected. Two nodes use the smaller of their leases.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// How long a connection may take to be made, or to come back after it broke: 10 s by default, at most the lease. A session whose connection broke
    /// waits for so long; calls under way and references do not notice if it comes back. Then its calls fail, with
    /// [`RemoteError::OutcomeUnknown`](crate::RemoteError::OutcomeUnknown) where they had left, and its references are asked for in a new session.
    ///
    /// Where it is certain that nobody answers, or that another node does, calls fail at once; those of `#[idempotent]` methods that have no limit are tried again for so long.
    pub fn reconnect_window(mut self, window: Duration) -> Self {
        self.settings.reconnect_window = window;
        self
    }

    /// How long a peer may take for its part of the handshake, 5 s by default.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.settings.handshake_timeout = timeout;
        self
    }

    /// How long [`Node::shutdown`] waits for running calls and for references that are being passed on, 5 s by
    /// default.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.settings.drain_timeout = timeout;
        self
    }

    /// What this node accepts from each peer: sizes of frames and messages, calls at a time, and so on.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// How many bytes of calls, and as many of answers, may wait to be sent to one peer that is slow or away, 256 MiB by default. One
    /// message may always wait. Beyond it calls fail with [`RemoteError::Overloaded`](crate::RemoteError::Overloaded); calls of
    /// the peer are refused by the same error when its answers take half of it.
    pub fn max_unsent(mut self, bytes: u64) -> Self {
        self.settings.max_unsent = bytes;
        self
    }

    /// How many sessions others may open, 1,024 by default. Further ones are refused.
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.settings.max_sessions = sessions;
        self
    }

    /// Decides which addresses are dialed because a peer named them, in a reference or as its own: `policy` answers whether to dial. It
    /// replaces the default, which it may ask ([`DialRequest::is_permitted_by_default`]); that refuses what a peer could
    /// not dial itself: loopback and local sockets are for peers on this host, link-local addresses for those on the link.
    ///
    /// Addresses that the program names ([`Node::root`], [`Node::connect`]) are not asked about. The policy is asked just before an
    /// address is dialed: once for an IP address or a socket, and for a host name once before it is resolved and once for each IP
    /// address that it resolves to (16 at most). It runs in a task of the node and must not block; if it panics, the answer is no. A
    /// reference whose owner may not be dialed fails with [`RemoteError::Unreachable`](crate::RemoteError::Unreachable).
    ///
    /// Whatever it answers, the dials that peers cause are bounded: 16 owners at a time for one peer, 256 for all, and 64 in a row
    /// for one peer, then 8 a second. Further ones wait for their turn, or go at once when their objects are used; the peer that passed them on keeps the objects alive meanwhile. Of those that
    /// wait, 1,024 for one peer and 16,384 for all: a reference beyond that is not registered with its owner before it is used, and its object may be gone by then.
    ///
    /// ```
    /// # use rmi_core as rmi;
    /// use rmi::Node;
    ///
    /// // This node uses nobody's objects but those within the cluster.
    /// let builder = Node::builder().dial_policy(|request| {
    ///     request.is_permitted_by_default() && request.address().starts_with("tcp://10.1.")
    /// });
    /// ```
    pub fn dial_policy(mut self, policy: impl Fn(&DialRequest<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.settings.dial_policy = DialPolicy::of_user(policy);
        self
    }

    /// Whether this node relays for others, which it does by default: who gets a reference from this node whose owner it cannot dial (no listener, behind
    /// NAT) reaches the owner through this node's own session with it. This node does not look into what it relays.
    ///
    /// It costs the traffic of those calls twice, and up to 1.2 MiB of memory a tunnel; a peer has at most 256 tunnels at a time.
    /// Without it such references fail with [`RemoteError::Unreachable`](crate::RemoteError::Unreachable) at those who get them. This node itself still
    /// reaches others through nodes that relay.
    pub fn relay(mut self, relay: bool) -> Self {
        self.settings.relay = relay;
        self
    }

    /// How long calls of this node to others may take for which nothing else is said, neither by
    /// [`Proxy::with_timeout`](crate::Proxy::with_timeout) nor by the [scope](crate::with_timeout) in which they are made. Without it there
    /// is no limit: such a call waits as long as the session with the owner lasts. Calls of local objects are not limited by it.
    pub fn call_timeout(mut self, limit: Duration) -> Self {
        self.settings.call_timeout = Some(limit);
        self
    }

    /// Starts the node on the current tokio runtime, multi-thread or current-thread.
    ///
    /// # Errors
    /// An address that is in use, not valid or refused by the system; a setting out of its range; no runtime.
    pub async fn start(self) -> Result<Node, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        if !has_drivers() {
            return Err(StartError::NoRuntime);
        }
        let mut settings = self.settings;
        check(&settings)?;
        settings.reconnect_window = settings.reconnect_window.min(settings.lease);
        let mut listeners = Vec::new();
        for address in &self.listen {
            listeners.push(bind(address).await?);
        }
        for address in &self.advertise {
            parse(address)?;
        }
        let core = Core::new(settings, runtime);
        {
            let mut addresses = core.addresses.lock();
            addresses.listening = listeners.iter().flat_map(Listener::addresses).collect();
            addresses.given = match self.advertise.is_empty() {
                true => addresses.listening.iter().map(Address::to_string).collect(),
                false => self.advertise,
            };
            addresses.given.truncate(16);
            if core.settings.relay {
                core.relays.start(core.id, &addresses.given);
            }
        }
        for listener in listeners {
            core.spawn(listen::accept(core.clone(), listener));
        }
        Ok(Node::new(core))
    }
}

/// Whether the runtime can do I/O and measure time. tokio says so by panicking alone.
fn has_drivers() -> bool {
    let probed = std::panic::catch_unwind(|| {
        drop(tokio::time::sleep(Duration::ZERO));
        #[cfg(unix)]
        drop(tokio::net::UnixStream::pair());
    });
    probed.is_ok()
}

fn check(settings: &Settings) -> Result<(), StartError> {
    let bad = |what: &str| Err(StartError::BadSetting { what: what.into() });
    if settings.lease < Duration::from_millis(MIN_LEASE_MS) {
        return bad("the lease must be at least 100 ms");
    }
    if settings.lease > Duration::from_secs(24 * 3600) {
        return bad("the lease must be at most one day");
    }
    if settings.handshake_timeout.is_zero() || settings.reconnect_window.is_zero() {
        return bad("the handshake timeout and the reconnect window must not be zero");
    }
    if settings.max_sessions == 0 {
        return bad("a node must accept at least one session");
    }
    settings.limits.check().map_err(|error| StartError::BadSetting { what: error.to_string() })
}

fn parse(address: &str) -> Result<Address, StartError> {
    Address::of_program(address)
        .map_err(|reason| StartError::BadAddress { address: address.to_owned(), reason })
}

async fn bind(address: &str) -> Result<Listener, StartError> {
    let parsed = parse(address)?;
    Listener::bind(&parsed).await.map_err(|source| {
        let address = address.to_owned();
        match source.kind() {
            io::ErrorKind::AddrInUse => StartError::AddressInUse { address },
            _ => StartError::Listen { address, source },
        }
    })
}

/// Where this process runs (PROTOCOL 2, Hello).
pub(crate) fn locality() -> Locality {
    static LOCALITY: LazyLock<Locality> = LazyLock::new(|| {
        let random = uuid::Uuid::new_v4().as_u64_pair().0;
        Locality { host: host().unwrap_or(random), process: random }
    });
    *LOCALITY
}

/// The same for processes that share loopback interface and boot: a hash, so that neither is told.
#[cfg(target_os = "linux")]
fn host() -> Option<u64> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let network = std::fs::read_link("/proc/self/ns/net").ok()?;
    let mut hasher = DefaultHasher::new();
    ("rmi host", boot.trim(), network).hash(&mut hasher);
    Some(hasher.finish())
}

/// The same for processes on this machine: a hash of its name, so that it is not told.
#[cfg(not(target_os = "linux"))]
fn host() -> Option<u64> {
    let name = std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok()?;
    let mut hasher = DefaultHasher::new();
    ("rmi host", name).hash(&mut hasher);
    Some(hasher.finish())
}
