//! Where a registry is, as users write it.

use rmi_core::RemoteError;

use crate::{DEFAULT_PORT, name};

/// `rmi://HOST[:PORT]` as the address of a node; any other address is taken as it is.
pub(crate) fn address(written: &str) -> Result<String, RemoteError> {
    match written.strip_prefix("rmi://") {
        None => Ok(written.to_owned()),
        Some(place) => match place.strip_suffix('/').unwrap_or(place) {
            place if place.contains('/') => {
                Err(bad(written, "the address of a registry has no name after it: rmi://HOST:PORT"))
            }
            place => tcp(written, place),
        },
    }
}

/// `rmi://HOST[:PORT]/NAME` as the address of a node and a name. The name is what follows, as it is: nothing in it is
/// escaped.
pub(crate) fn split(url: &str) -> Result<(String, &str), RemoteError> {
    const FORM: &str = "write it as rmi://HOST:PORT/NAME";
    let rest = url.strip_prefix("rmi://").ok_or_else(|| bad(url, FORM))?;
    let (place, name) = rest.split_once('/').ok_or_else(|| bad(url, FORM))?;
    name::check(name).map_err(|error| bad(url, error))?;
    Ok((tcp(url, place)?, name))
}

fn tcp(written: &str, place: &str) -> Result<String, RemoteError> {
    let host_only = match place.rsplit_once(':') {
        // An IPv6 address in brackets, without a port.
        Some(_) => place.ends_with(']'),
        None => true,
    };
    match place {
        "" => Err(bad(written, "the host is missing: rmi://HOST:PORT")),
        place if host_only => Ok(format!("tcp://{place}:{DEFAULT_PORT}")),
        place => Ok(format!("tcp://{place}")),
    }
}

fn bad(address: &str, reason: impl std::fmt::Display) -> RemoteError {
    RemoteError::BadAddress { address: address.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_an_address_and_a_name() {
        for (url, address, name) in [
            ("rmi://127.0.0.1:7001/bank", "tcp://127.0.0.1:7001", "bank"),
            ("rmi://bank.example/a/b c?d", "tcp://bank.example:1099", "a/b c?d"),
            ("rmi://[::1]:7001/bank", "tcp://[::1]:7001", "bank"),
            ("rmi://[::1]/bank", "tcp://[::1]:1099", "bank"),
        ] {
            assert_eq!(split(url), Ok((address.to_owned(), name)));
        }
        for bad in [
            "bank",
            "rmi://h:1",
            "rmi://h:1/",
            "rmi:///bank",
            "tcp://h:1/bank",
            "rmi://h:1/a/",
            "rmi://h/a\n",
        ] {
            assert!(matches!(split(bad), Err(RemoteError::BadAddress { .. })), "{bad:?}");
        }
    }

    #[test]
    fn a_registry_is_at_any_address_of_a_node() {
        for (written, meant) in [
            ("rmi://h:7001", "tcp://h:7001"),
            ("rmi://h/", "tcp://h:1099"),
            ("tcp://h:7001", "tcp://h:7001"),
            ("unix:///run/registry", "unix:///run/registry"),
            ("mem://registry", "mem://registry"),
        ] {
            assert_eq!(address(written), Ok(meant.to_owned()));
        }
        assert!(address("rmi://").is_err());
        assert!(address("rmi://h:1/bank").is_err());
    }
}
