//! Dialing: from an address or an owner to an open session.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::id::NodeId;
use crate::node::backoff::Backoff;
use crate::node::clock;
use crate::node::driver;
use crate::node::handshake::{Connection, NoSession, handshake};
use crate::node::link::{Link, Reason};
use crate::node::resume::Return;
use crate::session::{Role, Time};
use crate::transport::{Address, Stream, dial};

/// How often a session is asked for where somebody answers and the connection then breaks.
const MAX_ROUNDS: u32 = 8;

/// The first pause before an owner that did not answer is asked again by itself; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Connects a link to whoever listens at `address`, within the reconnect window.
pub(crate) async fn to_address(link: Arc<Link>, address: Address) {
    open(link, None, &[address.to_string()]).await;
}

/// Connects a link to its owner: the first address at which that very node answers. All of them have the reconnect window
/// together.
pub(crate) async fn to_owner(link: Arc<Link>, owner: NodeId, addresses: Arc<[String]>, attempt: u32) {
    if attempt > 0 {
        let pause = FIRST_PAUSE * 2u32.pow(attempt.min(8) - 1);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = link.hurry.notified() => {}
        }
    }
    open(link, Some(owner), &addresses).await;
}

/// Opens the session and keeps it going. Where somebody answers and the connection breaks before there is a session, it asks
/// again.
async fn open(link: Arc<Link>, expect: Option<NodeId>, addresses: &[String]) {
    let until = clock::now() + link.core.settings.reconnect_window;
    let mut backoff = Backoff::new();
    let mut rounds = 1;
    let failure = loop {
        let failure = match round(&link, expect, addresses, until).await {
            Ok((connection, at)) => {
                let Some(node) = link.peer() else { return link.close(Reason::Forgotten) };
                let mut route = addresses.to_vec();
                route[..=at].rotate_right(1);
                return driver::live(link, connection, Return::Dial(node, route)).await;
            }
            Err(failure) => failure,
        };
        if !failure.halfway || rounds == MAX_ROUNDS || clock::now() >= until {
            break failure;
        }
        rounds += 1;
        tokio::time::sleep(backoff.pause()).await;
        // What rode along with the Hello does so again.
        link.with_quietly(|session| session.restart());
    };
    link.close(failure.reason);
}

/// Why no address led to a session.
struct NoWay {
    reason: Reason,
    /// Somebody answered, and the connection broke.
    halfway: bool,
}

/// Tries each address once. Returns which one led to a session.
async fn round(
    link: &Arc<Link>,
    expect: Option<NodeId>,
    addresses: &[String],
    until: Time,
) -> Result<(Connection, usize), NoWay> {
    let mut tried = Vec::new();
    // Whether another node answers everywhere, whether there is nothing to hope for, and whether somebody was there.
    let (mut replaced, mut definite, mut halfway) = (true, true, false);
    let mut refused = None;
    for (at, address) in addresses.iter().enumerate() {
        let share = until.since(clock::now()) / (addresses.len() - at) as u32;
        let outcome = match address.parse() {
            Ok(parsed) => connect(&parsed, share).await,
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
                match handshake(link, stream, Role::Dial(expect), limit).await {
                    Ok(connection) => return Ok((connection, at)),
                    Err(NoSession::OtherNode(text)) => text,
                    Err(NoSession::Resume(..)) => "it wants to resume a session itself".into(),
                    Err(NoSession::Failed(reason)) => {
                        replaced = false;
                        let final_word = !matches!(reason, Reason::Unreachable(_) | Reason::Broken(_));
                        definite &= final_word;
                        halfway |= !final_word;
                        let text = reason.to_string();
                        refused = Some(reason).filter(|_| final_word);
                        text
                    }
                }
            }
        };
        tried.push(match expect {
            Some(_) => format!("{address}: {reason}"),
            // It is the target already.
            None => reason,
        });
    }
    let tried = tried.join("; ");
    let reason = match (expect, replaced, definite, refused) {
        // A person or program named the address, and shall hear what it answered.
        (None, _, true, Some(reason)) => reason,
        (Some(_), true, ..) => Reason::Replaced(tried),
        (Some(_), _, false, _) => Reason::Broken(tried),
        _ => Reason::Unreachable(tried),
    };
    Err(NoWay { reason, halfway })
}

pub(crate) struct NotConnected {
    pub(crate) reason: String,
    /// The other side, or this system, said no.
    pub(crate) definite: bool,
}

/// Makes a connection, within `limit`.
pub(crate) async fn connect(address: &Address, limit: Duration) -> Result<Stream, NotConnected> {
    match tokio::time::timeout(limit, dial(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(NotConnected {
            reason: error.to_string(),
            definite: !matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::Interrupted),
        }),
        Err(_) => Err(NotConnected { reason: format!("no connection within {limit:?}"), definite: false }),
    }
}
