//! A connection: two halves of a byte stream.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::transport::address::Address;
use crate::transport::distance::Distance;
use crate::transport::memory;
use crate::transport::outlet::{Outlet, Writer};

/// How many of the addresses that a name resolves to are looked at: whoever runs the name server may answer with thousands.
const MAX_RESOLVED: usize = 16;

/// What comes in.
pub(crate) type Reader = Box<dyn AsyncRead + Send + Unpin>;

/// Both directions of a connection.
pub(crate) struct Stream {
    /// What comes in.
    pub(crate) reader: Reader,
    /// What goes out.
    pub(crate) writer: Writer,
    /// Where the other end is.
    pub(crate) distance: Distance,
    /// Whether another node carries it.
    pub(crate) relayed: bool,
}

impl Stream {
    /// Of any two-way stream.
    pub(crate) fn new(io: impl AsyncRead + AsyncWrite + Send + 'static, distance: Distance) -> Self {
        let (reader, writer) = tokio::io::split(io);
        Self { reader: Box::new(reader), writer: Writer::Other(Box::new(writer)), distance, relayed: false }
    }

    /// Of a tunnel through another node.
    pub(crate) fn relayed(io: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        Self { relayed: true, ..Self::new(io, Distance::Elsewhere) }
    }

    pub(super) fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        // A peer that hung up already has no address.
        let distance = match (stream.local_addr(), stream.peer_addr()) {
            (Ok(local), Ok(peer)) => Distance::between(local, peer),
            _ => Distance::Elsewhere,
        };
        let (reader, writer) = stream.into_split();
        let writer = Writer::Socket(Outlet::Tcp(Arc::new(writer)));
        Ok(Self { reader: Box::new(reader), writer, distance, relayed: false })
    }

    #[cfg(unix)]
    pub(super) fn unix(stream: tokio::net::UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            reader: Box::new(reader),
            writer: Writer::Socket(Outlet::Unix(Arc::new(writer))),
            distance: Distance::SameHost,
            relayed: false,
        }
    }
}

/// Connects, as far as `permits` says yes. It is asked without an IP address before anything is done that has none (a name
/// is resolved, a socket file opened), and with each IP address before that is dialed: what a name resolves to is known at
/// this moment alone. The caller bounds the time.
pub(crate) async fn dial(
    address: &Address,
    permits: impl Fn(Option<IpAddr>) -> bool + Send + Sync,
) -> io::Result<Stream> {
    match address {
        Address::Tcp(host, port) => match host.parse::<IpAddr>() {
            Ok(ip) if permits(Some(ip)) => Stream::tcp(TcpStream::connect((ip, *port)).await?),
            Err(_) if permits(None) => {
                let found = tokio::net::lookup_host((host.as_str(), *port)).await?;
                let found: Vec<SocketAddr> = found.take(MAX_RESOLVED).collect();
                let permitted: Vec<_> =
                    found.iter().copied().filter(|place| permits(Some(place.ip()))).collect();
                match permitted.is_empty() && !found.is_empty() {
                    true => Err(not_permitted()),
                    false => Stream::tcp(TcpStream::connect(&permitted[..]).await?),
                }
            }
            _ => Err(not_permitted()),
        },
        _ if !permits(None) => Err(not_permitted()),
        #[cfg(unix)]
        Address::Unix(path) => Ok(Stream::unix(tokio::net::UnixStream::connect(path).await?)),
        #[cfg(not(unix))]
        Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        Address::Memory(name) => Ok(Stream::new(memory::connect(name).await?, Distance::SameHost)),
        // That takes a session.
        Address::Relay(..) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// What is said of an address that may not be dialed.
pub(crate) fn not_permitted() -> io::Error {
    let text = "a peer named it, and the policy of this node does not dial it for that peer";
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}
