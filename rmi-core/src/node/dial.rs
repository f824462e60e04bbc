//! Dialing: from an address or an owner to an open session.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::id::NodeId;
use crate::node::clock;
use crate::node::driver::{self, NoSession};
use crate::node::introducer::Named;
use crate::node::link::{Link, Reason};
use crate::session::Role;
use crate::transport::{Address, Stream, dial};

/// The first pause before an owner that did not answer is asked again by itself; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Connects a link to whoever listens at `address`, within the reconnect window.
pub(crate) async fn to_address(link: Arc<Link>, address: Address) {
    let until = clock::now() + link.core.settings.reconnect_window;
    match connect(&address, until.since(clock::now()), |_| true).await {
        Ok(stream) => {
            let limit = until.since(clock::now()).min(link.core.settings.handshake_timeout);
            driver::run(link, stream, Role::Dial(None), limit).await;
        }
        Err(NotConnected { reason, .. }) => link.close(Reason::Unreachable(reason)),
    }
}

/// Connects a link to its owner: the first address at which that very node answers, among those that may be dialed. All of
/// them have the reconnect window together.
pub(crate) async fn to_owner(link: Arc<Link>, owner: NodeId, addresses: Named, attempt: u32) {
    if attempt > 0 {
        let pause = FIRST_PAUSE * 2u32.pow(attempt.min(8) - 1);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = link.hurry.notified() => {}
        }
    }
    let until = clock::now() + link.core.settings.reconnect_window;
    let mut tried = Vec::new();
    // Whether another node answers everywhere, and whether there is nothing to hope for.
    let (mut replaced, mut definite) = (true, true);
    let policy = &link.core.settings.dial_policy;
    let places = link.core.reached.lock().places(owner, &addresses);
    for (at, (address, by)) in places.iter().enumerate() {
        let share = until.since(clock::now()) / (places.len() - at) as u32;
        let outcome = match address.parse() {
            Ok(parsed) => {
                let permits = |ip| policy.permits((&parsed, address), ip, owner, by.as_deref());
                connect(&parsed, share, permits).await
            }
            Err(reason) => Err(NotConnected { reason, definite: true }),
        };
        let reason = match outcome {
            Err(failed) => {
                replaced = false;
                definite &= failed.definite;
                failed.reason
            }
            Ok(stream) => {
                let limit = share.min(link.core.settings.handshake_timeout);
                match driver::handshake(&link, stream, Role::Dial(Some(owner)), limit).await {
                    Ok(connection) => {
                        link.core.reached.lock().insert(owner, (address.clone(), by.clone()));
                        return driver::pump(link, connection).await;
                    }
                    Err(NoSession::OtherNode(text)) => text,
                    Err(NoSession::Failed(reason)) => {
                        replaced = false;
                        definite &= matches!(reason, Reason::Refused(_) | Reason::Violation(_));
                        reason.to_string()
                    }
                }
            }
        };
        tried.push(format!("{address}: {reason}"));
    }
    if replaced || definite {
        link.core.reached.lock().remove(owner, &places);
    }
    let tried = tried.join("; ");
    link.close(match (replaced, definite) {
        (true, _) => Reason::Replaced(tried),
        (_, true) => Reason::Unreachable(tried),
        // It may be there: what waits for it asks again.
        _ => Reason::Broken(tried),
    });
}

struct NotConnected {
    reason: String,
    /// The other side, or this system, said no.
    definite: bool,
}

async fn connect(
    address: &Address,
    limit: Duration,
    permits: impl Fn(Option<IpAddr>) -> bool + Send + Sync,
) -> Result<Stream, NotConnected> {
    match tokio::time::timeout(limit, dial(address, permits)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(NotConnected {
            reason: error.to_string(),
            definite: !matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::Interrupted),
        }),
        Err(_) => Err(NotConnected { reason: format!("no connection within {limit:?}"), definite: false }),
    }
}
