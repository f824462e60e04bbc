//! Addresses: `tcp://HOST:PORT`, `unix:///PATH`, `mem://NAME`, and `relay://NODE` or `relay://NODE/ADDRESS`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use uuid::Uuid;

use crate::id::NodeId;

/// Where a node can be dialed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    /// Host name or IP address, without brackets, and port.
    Tcp(String, u16),
    /// A socket file.
    Unix(PathBuf),
    /// A name within this process.
    Memory(String),
    /// A node that has a session with the one that is meant, and where that can be dialed, if it can be.
    Relay(NodeId, Option<Box<Address>>),
}

/// How the address of a node begins that is reached through another.
pub(crate) const RELAY_SCHEME: &str = "relay://";

/// Longer addresses are refused (PROTOCOL 5.2).
const MAX_LEN: usize = 256;

impl Address {
    /// One that a person or program names: where a node itself is dialed.
    pub(crate) fn of_program(text: &str) -> Result<Self, String> {
        match text.parse()? {
            Self::Relay(..) => Err("only references lead through other nodes".into()),
            address => Ok(address),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(address: &str) -> Result<Self, String> {
        if address.len() > MAX_LEN {
            return Err(format!("it is longer than {MAX_LEN} bytes"));
        }
        let Some((scheme, rest)) = address.split_once("://") else {
            return Err("write it as tcp://HOST:PORT, unix:///PATH or mem://NAME".into());
        };
        match scheme {
            "tcp" => {
                let (host, port) = rest.rsplit_once(':').ok_or("the port is missing: tcp://HOST:PORT")?;
                let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
                let host = match bare {
                    Some(host) => host,
                    None if host.contains(':') => return Err("write an IPv6 address in brackets".into()),
                    None => host,
                };
                if host.is_empty() {
                    return Err("the host is missing: tcp://HOST:PORT".into());
                }
                let port = port.parse().map_err(|_| format!("`{port}` is not a port (0 to 65535)"))?;
                Ok(Self::Tcp(host.to_owned(), port))
            }
            "unix" if rest.starts_with('/') => Ok(Self::Unix(rest.into())),
            "unix" => Err("the path must be absolute: unix:///PATH".into()),
            "rmi" => Err("an rmi:// URL names a registry: use `lookup`, or write tcp://HOST:PORT".into()),
            "mem" if rest.is_empty() => Err("the name is missing: mem://NAME".into()),
            "mem" => Ok(Self::Memory(rest.to_owned())),
            "relay" => relay(rest),
            _ => Err(format!("`{scheme}` is not tcp, unix or mem")),
        }
    }
}

/// `NODE` or `NODE/ADDRESS`.
fn relay(rest: &str) -> Result<Address, String> {
    let (node, inner) = rest.split_once('/').map_or((rest, None), |(node, inner)| (node, Some(inner)));
    // In one form alone: addresses are compared as texts.
    let id = Uuid::try_parse(node).ok().filter(|id| id.hyphenated().to_string() == node);
    let Some(id) = id else { return Err(format!("`{node}` is not the identity of a node")) };
    let inner = match inner.map(str::parse).transpose()? {
        Some(Address::Relay(..)) => return Err("a relay is not reached through another".into()),
        inner => inner.map(Box::new),
    };
    Ok(Address::Relay(NodeId::from_bytes(id.into_bytes()), inner))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "tcp://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Memory(name) => write!(f, "mem://{name}"),
            Self::Relay(node, None) => write!(f, "{RELAY_SCHEME}{node}"),
            Self::Relay(node, Some(inner)) => write!(f, "{RELAY_SCHEME}{node}/{inner}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for good in [
            "tcp://127.0.0.1:1",
            "tcp://[::1]:1099",
            "tcp://bank.example:65535",
            "unix:///a/b",
            "mem://x",
            "relay://0b1bd8b6-4f4b-4b57-a2b6-6b4a4d8f9c11",
            "relay://0b1bd8b6-4f4b-4b57-a2b6-6b4a4d8f9c11/tcp://[::1]:1099",
            "relay://0b1bd8b6-4f4b-4b57-a2b6-6b4a4d8f9c11/unix:///a/b",
        ] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "127.0.0.1:1",
            "tcp://host",
            "tcp://:1",
            "tcp://::1:2",
            "tcp://h:70000",
            "unix://rel",
            "mem://",
            "udp://h:1",
            "relay://",
            "relay://x",
            "relay://0B1BD8B6-4F4B-4B57-A2B6-6B4A4D8F9C11",
            "relay://0b1bd8b64f4b4b57a2b66b4a4d8f9c11",
            "relay://0b1bd8b6-4f4b-4b57-a2b6-6b4a4d8f9c11/",
            "relay://0b1bd8b6-4f4b-4b57-a2b6-6b4a4d8f9c11/tcp://h",
            "relay://0b1bd8b6-4f4b-4b57-a2b6-6b4a4d8f9c11/relay://0b1bd8b6-4f4b-4b57-a2b6-6b4a4d8f9c11",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        assert!(format!("mem://{}", "x".repeat(300)).parse::<Address>().is_err());
    }
}
