//! How far the other end of a connection is.

use std::net::{IpAddr, SocketAddr};

/// How far the other end of a stream is, as far as its sockets tell. What a peer says of itself is another matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distance {
    /// On this host: memory, a Unix socket, loopback, one interface's own address at both ends.
    SameHost,
    /// On the same network link: link-local addresses.
    SameLink,
    /// Anywhere.
    Elsewhere,
    /// The stream is the program's; there are no sockets to look at.
    Unknown,
}

impl Distance {
    /// Of a TCP connection between these two.
    pub(super) fn between(local: SocketAddr, peer: SocketAddr) -> Self {
        let (local, peer) = (local.ip().to_canonical(), peer.ip().to_canonical());
        if peer.is_loopback() || local == peer {
            Self::SameHost
        } else if is_link_local(peer) {
            Self::SameLink
        } else {
            Self::Elsewhere
        }
    }
}

/// 169.254.0.0/16 and fe80::/10; a mapped address counts as what it maps.
pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_tell_how_far_a_peer_is() {
        for (local, peer, distance) in [
            ("127.0.0.1:1", "127.0.0.1:2", Distance::SameHost),
            ("127.0.0.1:1", "127.9.9.9:2", Distance::SameHost),
            ("[::1]:1", "[::1]:2", Distance::SameHost),
            ("[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:2", Distance::SameHost),
            ("10.0.0.5:1", "10.0.0.5:2", Distance::SameHost),
            ("[::ffff:10.0.0.5]:1", "[::ffff:10.0.0.5]:2", Distance::SameHost),
            ("[fe80::5]:1", "[fe80::5]:2", Distance::SameHost),
            ("[fe80::5]:1", "[fe80::6]:2", Distance::SameLink),
            ("169.254.0.5:1", "169.254.0.6:2", Distance::SameLink),
            ("[::ffff:169.254.0.5]:1", "[::ffff:169.254.0.6]:2", Distance::SameLink),
            // What it was dialed at says nothing of where the peer is.
            ("169.254.0.5:1", "10.0.0.6:2", Distance::Elsewhere),
            ("10.0.0.5:1", "10.0.0.6:2", Distance::Elsewhere),
            ("[2001:db8::5]:1", "[2001:db8::6]:2", Distance::Elsewhere),
        ] {
            let found = Distance::between(local.parse().unwrap(), peer.parse().unwrap());
            assert_eq!(found, distance, "{local} from {peer}");
        }
    }
}
