//! Which addresses make sense to a peer (PROTOCOL 5.6).

use std::net::IpAddr;

/// Where a node runs: `host` is equal for nodes that share their loopback interface and files, `process` for those in
/// one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locality {
    /// A hash of what identifies the host.
    pub host: u64,
    /// Random, per process.
    pub process: u64,
}

/// From where an address can be dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Process,
    Host,
    Network,
}

fn scope(address: &str) -> Option<Scope> {
    let (scheme, rest) = address.split_once("://")?;
    if scheme == "relay" {
        // A node, which is the same everywhere, and maybe where it is dialed.
        return rest.split_once('/').map_or(Some(Scope::Network), |(_, inner)| scope(inner));
    }
    Some(match scheme {
        "mem" => Scope::Process,
        "unix" => Scope::Host,
        _ => {
            let host = rest.rsplit_once(':').map_or(rest, |(host, _port)| host);
            let host = host.trim_start_matches('[').trim_end_matches(']');
            match host.parse::<IpAddr>() {
                Ok(ip) if ip.is_unspecified() => return None,
                Ok(ip) if ip.to_canonical().is_loopback() => Scope::Host,
                Ok(_) => Scope::Network,
                Err(_) if is_localhost(host) => Scope::Host,
                Err(_) => Scope::Network,
            }
        }
    })
}

/// Whether a name is `localhost` or under it, which always means loopback (RFC 6761).
pub fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let top = name.rsplit('.').next().unwrap_or(name);
    top.eq_ignore_ascii_case("localhost")
}

impl Locality {
    /// Whether a node at `peer` may be given `address`, as one that this node knows to be good where it is.
    pub fn may_give(&self, address: &str, peer: &Locality) -> bool {
        match scope(address) {
            None => false,
            Some(Scope::Network) => true,
            Some(Scope::Host) => self.host == peer.host,
            Some(Scope::Process) => self.host == peer.host && self.process == peer.process,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_never_crosses_machines() {
        let here = Locality { host: 1, process: 1 };
        let neighbour = Locality { host: 1, process: 2 };
        let elsewhere = Locality { host: 2, process: 1 };
        for (address, same_process, same_host, other_host) in [
            ("tcp://10.0.0.5:7001", true, true, true),
            ("tcp://bank.example:7001", true, true, true),
            ("tcp://127.0.0.1:7001", true, true, false),
            ("tcp://127.8.0.1:7001", true, true, false),
            ("tcp://[::1]:7001", true, true, false),
            ("tcp://[::ffff:127.0.0.1]:7001", true, true, false),
            ("tcp://localhost:7001", true, true, false),
            ("tcp://LocalHost.:7001", true, true, false),
            ("tcp://printer.localhost:7001", true, true, false),
            ("tcp://localhost.example:7001", true, true, true),
            ("tcp://0.0.0.0:7001", false, false, false),
            ("tcp://[::]:7001", false, false, false),
            ("unix:///run/bank.sock", true, true, false),
            ("mem://bank", true, false, false),
            ("nonsense", false, false, false),
            ("relay://0b1bd8b6-4f4b-4b57-a2b6-6b4a4d8f9c11", true, true, true),
            ("relay://0b1bd8b6-4f4b-4b57-a2b6-6b4a4d8f9c11/tcp://10.0.0.5:1", true, true, true),
            ("relay://0b1bd8b6-4f4b-4b57-a2b6-6b4a4d8f9c11/tcp://127.0.0.1:1", true, true, false),
            ("relay://0b1bd8b6-4f4b-4b57-a2b6-6b4a4d8f9c11/mem://x", true, false, false),
        ] {
            assert_eq!(here.may_give(address, &here), same_process, "{address}");
            assert_eq!(here.may_give(address, &neighbour), same_host, "{address}");
            assert_eq!(here.may_give(address, &elsewhere), other_host, "{address}");
        }
    }
}
