//! Addresses: `tcp://HOST:PORT`, `unix:///PATH`, `mem://NAME`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a node can be dialed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    /// Host name or IP address, without brackets, and port.
    Tcp(String, u16),
    /// A socket file.
    Unix(PathBuf),
    /// A name within this process.
    Memory(String),
}

/// Longer addresses are refused (PROTOCOL 5.2).
const MAX_LEN: usize = 256;

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
            _ => Err(format!("`{scheme}` is not tcp, unix or mem")),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "tcp://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Memory(name) => write!(f, "mem://{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for good in
            ["tcp://127.0.0.1:1", "tcp://[::1]:1099", "tcp://bank.example:65535", "unix:///a/b", "mem://x"]
        {
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
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        assert!(format!("mem://{}", "x".repeat(300)).parse::<Address>().is_err());
    }
}
