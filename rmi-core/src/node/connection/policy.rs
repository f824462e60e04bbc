//! What is dialed because a peer named it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::id::NodeId;
use crate::node::connection::introducer::{Introducer, Named, Standing};
use crate::session::is_localhost;
use crate::transport::{Address, is_link_local};

/// A node is about to dial an address that a peer named: see [`Builder::dial_policy`](crate::Builder::dial_policy).
///
/// Peers name addresses in references to objects of third nodes, and their own. The schemes are those that this
/// build speaks; others are never dialed.
pub struct DialRequest<'a> {
    address: &'a Address,
    text: &'a str,
    ip: Option<IpAddr>,
    owner: NodeId,
    introducer: &'a Introducer,
}

impl DialRequest<'_> {
    /// The address as it was named: `tcp://HOST:PORT`, `unix:///PATH`, `mem://NAME`; or `relay://NODE` or `relay://NODE/ADDRESS` for an owner
    /// that is reached through another node. If that node must be dialed for it, the policy is asked about its address, too.
    pub fn address(&self) -> &str {
        self.text
    }

    /// What stands before `://` in the address.
    pub fn scheme(&self) -> &str {
        self.text.split_once("://").map_or("", |(scheme, _)| scheme)
    }

    /// The IP address that will be dialed. `None` for what has none, and for a host name that is not resolved yet: the policy
    /// is asked again for each IP address that it resolves to.
    pub fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    /// The node that is said to be there. It is asked who it is before anything else is said to it.
    pub fn owner(&self) -> NodeId {
        self.owner
    }

    /// The node that named the address: the owner itself, or one that passed on a reference. Nothing proves that a node is who it says it is.
    pub fn introducer(&self) -> NodeId {
        self.introducer.node
    }

    /// Whether the introducer shares the loopback interface and the files with this node: it says so, and its connection does not
    /// contradict (loopback, a Unix socket, the same IP address at both ends, or a stream that was
    /// [attached](crate::Node::attach)). A tunnel or proxy that ends on this host looks the same.
    pub fn is_from_this_host(&self) -> bool {
        self.introducer.standing.on_host
    }

    /// Whether the introducer is on the same network link as this node, by its link-local address, or on this host.
    pub fn is_from_this_link(&self) -> bool {
        self.introducer.standing.on_link
    }

    /// The answer of a node without a policy of its own:
    ///
    /// * no for unspecified addresses (0.0.0.0/8, `::`), multicast and broadcast;
    /// * loopback (127.0.0.0/8, `::1`, `localhost` and names under it) and `unix:` if the introducer is on this host, `mem:` if it is
    ///   in this process;
    /// * link-local (169.254.0.0/16, `fe80::/10`) if the introducer is on this link;
    /// * yes for everything else, private networks and nodes between (`relay:`) included.
    ///
    /// An IPv6 address that contains an IPv4 address (mapped or compatible) counts as that one.
    pub fn is_permitted_by_default(&self) -> bool {
        let Standing { in_process, on_host, on_link } = self.introducer.standing;
        match (self.address, self.ip) {
            (Address::Memory(_), _) => in_process,
            (Address::Unix(_), _) => on_host,
            (Address::Relay(..), _) => true,
            (Address::Tcp(name, _), None) => on_host || !is_localhost(name),
            (Address::Tcp(..), Some(ip)) => match plain(ip) {
                ip if is_nobody(ip) => false,
                ip if ip.is_loopback() => on_host,
                ip if is_link_local(ip) => on_link,
                _ => true,
            },
        }
    }
}

impl fmt::Debug for DialRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, ip, owner, introducer, .. } = self;
        let mut debug = f.debug_struct("DialRequest");
        debug.field("address", text).field("ip", ip).field("owner", owner);
        debug.field("introducer", &introducer.node).finish_non_exhaustive()
    }
}

/// The IPv4 address in an IPv6 one. `::` and `::1` are themselves.
fn plain(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) if v6.is_loopback() || v6.is_unspecified() => ip,
        IpAddr::V6(v6) => v6.to_ipv4().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// No single node is there; on some systems an unspecified address is loopback.
fn is_nobody(ip: IpAddr) -> bool {
    let in_zero_net = matches!(ip, IpAddr::V4(v4) if v4.octets()[0] == 0);
    ip.is_unspecified() || in_zero_net || ip.is_multicast() || ip == Ipv4Addr::BROADCAST
}

type Rule = dyn Fn(&DialRequest<'_>) -> bool + Send + Sync;

/// The policy of a node: the default, or the user's.
#[derive(Clone, Default)]
pub(crate) struct DialPolicy(Option<Arc<Rule>>);

impl DialPolicy {
    pub(crate) fn of_user(rule: impl Fn(&DialRequest<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(rule)))
    }

    /// Whether `address`, which `by` named, may be dialed: at `ip`, if it is known. Runs user code: called by the task that
    /// dials, under no lock, and for nothing that is not dialed at once if the answer is yes.
    pub(crate) fn permits(
        &self,
        address: (&Address, &str),
        ip: Option<IpAddr>,
        owner: NodeId,
        by: Option<&Introducer>,
    ) -> bool {
        // What the program named is the program's affair.
        let Some(introducer) = by else { return true };
        let (address, text) = address;
        let request = DialRequest { address, text, ip, owner, introducer };
        match &self.0 {
            None => request.is_permitted_by_default(),
            // A policy that panics has not said yes.
            Some(rule) => catch_unwind(AssertUnwindSafe(|| rule(&request))).unwrap_or(false),
        }
    }

    /// Whether the same is dialed for both: the same addresses, by introducers between whom the policy does not tell.
    pub(crate) fn is_same(&self, one: &Named, other: &Named) -> bool {
        one.list == other.list
            && match (&one.by, &other.by) {
                (None, None) => true,
                (Some(one), Some(other)) => {
                    one.standing == other.standing && (self.0.is_none() || one.node == other.node)
                }
                _ => false,
            }
    }
}

impl fmt::Debug for DialPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "DialPolicy(the user's)" } else { "DialPolicy(default)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Locality;
    use crate::transport::Distance;

    fn introducers() -> [(&'static str, Arc<Introducer>); 6] {
        let here = Locality { host: 1, process: 1 };
        let neighbour = Locality { host: 1, process: 2 };
        let stranger = Locality { host: 2, process: 2 };
        let introducer =
            |distance, claims| Introducer::new(NodeId::random(), Standing::new(distance, &claims, &here));
        [
            ("in this process", introducer(Distance::SameHost, here)),
            ("on this host", introducer(Distance::SameHost, neighbour)),
            ("another namespace of this host", introducer(Distance::SameHost, stranger)),
            ("on this link", introducer(Distance::SameLink, stranger)),
            ("elsewhere", introducer(Distance::Elsewhere, stranger)),
            ("elsewhere, repeating our words", introducer(Distance::Elsewhere, here)),
        ]
    }

    /// What `policy` says to an address as it is named, for each of the introducers, nearest first.
    fn answers(policy: &DialPolicy, text: &str, ip: Option<&str>) -> String {
        let address: Address = text.parse().unwrap();
        let ip = ip.map(|ip| ip.parse().unwrap()).or_else(|| match &address {
            Address::Tcp(host, _) => host.parse().ok(),
            _ => None,
        });
        let owner = NodeId::random();
        let one = |by: &Introducer| policy.permits((&address, text), ip, owner, Some(by));
        introducers().iter().map(|(_, by)| if one(by) { 'y' } else { '-' }).collect()
    }

    #[test]
    fn the_default_policy() {
        let default = DialPolicy::default();
        for (address, expected) in [
            ("tcp://192.0.2.1:1", "yyyyyy"),
            ("tcp://10.0.0.1:1", "yyyyyy"),
            ("tcp://[2001:db8::1]:1", "yyyyyy"),
            ("tcp://bank.example:1", "yyyyyy"),
            ("tcp://localhost.example:1", "yyyyyy"),
            ("tcp://127.0.0.1:1", "yy----"),
            ("tcp://127.255.1.2:1", "yy----"),
            ("tcp://[::1]:1", "yy----"),
            ("tcp://[::ffff:127.0.0.1]:1", "yy----"),
            ("tcp://[::127.0.0.1]:1", "yy----"),
            ("tcp://localhost:1", "yy----"),
            ("tcp://LOCALHOST.:1", "yy----"),
            ("tcp://db.localhost:1", "yy----"),
            ("unix:///run/docker.sock", "yy----"),
            ("mem://bank", "y-----"),
            ("relay://0b1bd8b6-4f4b-4b57-a2b6-6b4a4d8f9c11", "yyyyyy"),
            ("tcp://169.254.169.254:80", "yyyy--"),
            ("tcp://[::ffff:169.254.169.254]:80", "yyyy--"),
            ("tcp://[fe80::1]:1", "yyyy--"),
            ("tcp://[febf::1]:1", "yyyy--"),
            ("tcp://0.0.0.0:1", "------"),
            ("tcp://0.1.2.3:1", "------"),
            ("tcp://[::]:1", "------"),
            ("tcp://[::ffff:0.0.0.0]:1", "------"),
            ("tcp://224.0.0.1:1", "------"),
            ("tcp://[ff02::1]:1", "------"),
            ("tcp://[::ffff:239.1.2.3]:1", "------"),
            ("tcp://255.255.255.255:1", "------"),
        ] {
            assert_eq!(answers(&default, address, None), expected, "{address}");
        }
    }

    #[test]
    fn what_a_name_resolves_to_is_judged_too() {
        let default = DialPolicy::default();
        for (ip, expected) in [
            ("192.0.2.1", "yyyyyy"),
            ("127.0.0.1", "yy----"),
            ("::1", "yy----"),
            ("169.254.169.254", "yyyy--"),
            ("0.0.0.0", "------"),
        ] {
            assert_eq!(answers(&default, "tcp://innocent.example:1", Some(ip)), expected, "{ip}");
        }
    }

    #[test]
    fn a_policy_of_the_user_replaces_the_default() {
        let all = DialPolicy::of_user(|_| true);
        assert_eq!(answers(&all, "tcp://127.0.0.1:1", None), "yyyyyy");
        let stricter =
            DialPolicy::of_user(|request| request.scheme() == "tcp" && request.is_permitted_by_default());
        assert_eq!(answers(&stricter, "tcp://127.0.0.1:1", None), "yy----");
        assert_eq!(answers(&stricter, "unix:///run/x", None), "------");
        let broken = DialPolicy::of_user(|_| panic!("on purpose"));
        assert_eq!(answers(&broken, "tcp://192.0.2.1:1", None), "------");
        // The program's own addresses are not its affair.
        let none = DialPolicy::of_user(|_| false);
        let (address, text) = (Address::Memory("x".into()), "mem://x");
        assert!(none.permits((&address, text), None, NodeId::random(), None));
    }

    #[test]
    fn a_dial_is_shared_only_with_those_for_whom_it_is_the_same() {
        let [(_, near), (_, neighbour), .., (_, far)] = introducers();
        let other_far = Introducer::new(NodeId::random(), far.standing);
        let named = |by: &Arc<Introducer>| Named { list: ["a".into()].into(), by: Some(by.clone()) };
        let (default, own) = (DialPolicy::default(), DialPolicy::of_user(|_| true));
        for (one, other, by_default, by_own) in [
            (&far, &far, true, true),
            (&far, &other_far, true, false),
            (&far, &near, false, false),
            (&near, &neighbour, false, false),
        ] {
            assert_eq!(default.is_same(&named(one), &named(other)), by_default);
            assert_eq!(own.is_same(&named(one), &named(other)), by_own);
        }
        let of_program = Named { by: None, ..named(&far) };
        assert!(!default.is_same(&of_program, &named(&far)));
        let elsewhere = Named { list: ["b".into()].into(), ..named(&far) };
        assert!(!default.is_same(&elsewhere, &named(&far)));
    }
}
