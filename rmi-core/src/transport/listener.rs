//! Accepting connections.

use std::io;
use std::net::IpAddr;
#[cfg(unix)]
use std::path::PathBuf;

use tokio::net::TcpListener;

use crate::transport::address::Address;
use crate::transport::distance::Distance;
use crate::transport::memory::MemoryListener;
use crate::transport::stream::Stream;

/// Accepts connections at one address.
pub(crate) struct Listener {
    kind: Kind,
    /// Where this process itself can dial it.
    address: Address,
}

enum Kind {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        listener: tokio::net::UnixListener,
        _file: SocketFile,
    },
    Memory(MemoryListener),
}

/// Removes the socket's file when the listener goes.
#[cfg(unix)]
struct SocketFile(PathBuf);

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Listens. Port 0 takes a free port.
    pub(crate) async fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(host, port) => {
                let listener = TcpListener::bind((host.as_str(), *port)).await?;
                let local = listener.local_addr()?;
                // A name stays a name: that is what others shall dial.
                let host = if host.parse::<IpAddr>().is_ok() { local.ip().to_string() } else { host.clone() };
                Ok(Self { kind: Kind::Tcp(listener), address: Address::Tcp(host, local.port()) })
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let listener = bind_unix(path).await?;
                let kind = Kind::Unix { listener, _file: SocketFile(path.clone()) };
                Ok(Self { kind, address: address.clone() })
            }
            #[cfg(not(unix))]
            Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
            Address::Relay(..) => Err(io::ErrorKind::Unsupported.into()),
            Address::Memory(name) => {
                Ok(Self { kind: Kind::Memory(MemoryListener::bind(name)?), address: address.clone() })
            }
        }
    }

    /// The next connection.
    pub(crate) async fn accept(&mut self) -> io::Result<Stream> {
        match &mut self.kind {
            Kind::Tcp(listener) => Stream::tcp(listener.accept().await?.0),
            #[cfg(unix)]
            Kind::Unix { listener, .. } => Ok(Stream::unix(listener.accept().await?.0)),
            Kind::Memory(listener) => Ok(Stream::new(listener.accept().await?, Distance::SameHost)),
        }
    }

    /// Where it can be dialed: a wildcard stands for the addresses of all interfaces, loopback last.
    pub(crate) fn addresses(&self) -> Vec<Address> {
        let Address::Tcp(host, port) = &self.address else { return vec![self.address.clone()] };
        match host.parse::<IpAddr>() {
            Ok(wildcard) if wildcard.is_unspecified() => {
                let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
                let mut ips: Vec<IpAddr> = interfaces.iter().map(if_addrs::Interface::ip).collect();
                ips.retain(|ip| ip.is_ipv4() == wildcard.is_ipv4() || (wildcard.is_ipv6() && ip.is_ipv4()));
                // A link-local IPv6 address needs a zone, which means nothing to others.
                ips.retain(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()));
                ips.sort_by_key(|ip| ip.is_loopback());
                ips.into_iter().map(|ip| Address::Tcp(ip.to_string(), *port)).collect()
            }
            _ => vec![self.address.clone()],
        }
    }
}

/// Binds; a socket file that nobody listens at is what a killed process left, and is replaced.
#[cfg(unix)]
async fn bind_unix(path: &std::path::Path) -> io::Result<tokio::net::UnixListener> {
    use std::os::unix::fs::FileTypeExt;
    match tokio::net::UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
            let dead = match tokio::net::UnixStream::connect(path).await {
                Ok(_) => false,
                Err(refused) => refused.kind() == io::ErrorKind::ConnectionRefused,
            };
            if !(is_socket && dead) {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            tokio::net::UnixListener::bind(path)
        }
        other => other,
    }
}
