//! Dialing: from an address or an owner to an open session.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::backoff::Backoff;
use crate::id::NodeId;
use crate::node::clock;
use crate::node::connection::driver;
use crate::node::connection::handshake::{Connection, NoSession, handshake};
use crate::node::connection::introducer::{DialSlot, Named, Turn};
use crate::node::connection::reached::Place;
use crate::node::connection::resume::Return;
use crate::node::link::{Link, Reason};
use crate::node::relay::{self, explained};
use crate::session::{Role, Time};
use crate::transport::{Address, RELAY_SCHEME, Stream, dial, not_permitted};

/// How often a session is asked for where somebody answers and the connection then breaks.
const MAX_ROUNDS: u32 = 8;

/// The pauses between attempts to connect.
pub(super) const PAUSES: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));

/// The first pause before an owner that did not answer is asked again by itself; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Connects a link to whoever listens at `address`, within the reconnect window.
pub(crate) async fn to_address(link: Arc<Link>, address: Address) {
    open(link, None, vec![(address.to_string(), None)], None).await;
}

/// Connects a link to its owner: the first address at which that very node answers, among those that may be dialed. All of
/// them have the reconnect window together.
pub(crate) async fn to_owner(
    link: Arc<Link>,
    owner: NodeId,
    addresses: Named,
    attempt: u32,
    turn: Option<Turn>,
) {
    if attempt > 0 {
        let pause = FIRST_PAUSE * 2u32.pow(attempt.min(8) - 1);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = link.hurry.notified() => {}
        }
    }
    let slot = match turn {
        Some(turn) => wait_for(turn, &link).await,
        None => None,
    };
    // Not before: the owner may have been reached meanwhile.
    let places = link.core.reached.lock().places(owner, &addresses);
    open(link, Some(owner), places, slot).await;
}

/// Waits for the turn of an owner that a peer named. `None`: the program uses its object, and does not wait.
async fn wait_for(turn: Turn, link: &Link) -> Option<DialSlot> {
    let used = async {
        while link.look(|session| session.waiting() == 0) {
            link.wake.notified().await;
        }
    };
    tokio::select! {
        slot = turn.come() => slot,
        () = used => None,
        () = link.hurry.notified() => None,
    }
}

/// Opens the session and keeps it going. Where somebody answers and the connection breaks before there is a session, it asks
/// again.
async fn open(link: Arc<Link>, expect: Option<NodeId>, mut places: Vec<Place>, slot: Option<DialSlot>) {
    let until = clock::now() + link.core.settings.reconnect_window;
    let mut pauses = PAUSES;
    let mut rounds = 1;
    let failure = loop {
        // In memory that it gives back.
        let failure = match Box::pin(round(&link, expect, &places, until)).await {
            Ok((connection, at)) => {
                let Some(node) = link.peer() else { return link.close(Reason::Forgotten) };
                if let (Some(owner), Some(place)) = (expect, places.get(at)) {
                    link.core.reached.lock().insert(owner, place.clone());
                }
                places[..=at].rotate_right(1);
                drop(slot);
                return driver::live(link, connection, Return::Dial(node, places)).await;
            }
            Err(failure) => failure,
        };
        // What nobody waits for asks again by itself, within the bounds of whoever named the owner.
        let awaited = link.look(|session| session.waiting() > 0);
        if !failure.halfway || !awaited || rounds == MAX_ROUNDS || clock::now() >= until {
            break failure;
        }
        rounds += 1;
        tokio::time::sleep(pauses.pause()).await;
        // What rode along with the Hello does so again.
        link.with_quietly(|session| session.restart());
    };
    if let (Some(owner), Reason::Replaced(_) | Reason::Unreachable(_)) = (expect, &failure.reason) {
        link.core.reached.lock().remove(owner, &places);
    }
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
    places: &[Place],
    until: Time,
) -> Result<(Connection, usize), NoWay> {
    let mut tried = Vec::new();
    // Whether another node answers everywhere, whether there is nothing to hope for, and whether somebody was there.
    let (mut replaced, mut definite, mut halfway) = (true, true, false);
    let (mut refused, mut others) = (None, 0);
    for (at, place) in places.iter().enumerate() {
        let (address, share) = (&place.0, until.since(clock::now()) / (places.len() - at) as u32);
        let relayed = address.starts_with(RELAY_SCHEME);
        let reason = match connect(link, expect, place, share).await {
            Err(failed) => {
                // A node between that does not know the owner proves nothing, where another node answers.
                replaced &= relayed && failed.definite;
                definite &= failed.definite;
                failed.reason
            }
            Ok(stream) => {
                let limit = share.min(link.core.settings.handshake_timeout);
                match handshake(link, stream, Role::Dial(expect), limit).await {
                    Ok(connection) => return Ok((connection, at)),
                    Err(NoSession::OtherNode(text)) => {
                        others += 1;
                        text
                    }
                    Err(NoSession::Resume(..)) => "it wants to resume a session itself".into(),
                    Err(NoSession::Failed(reason)) => {
                        let final_word = !matches!(reason, Reason::Unreachable(_) | Reason::Broken(_));
                        replaced &= relayed && final_word;
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
    let tried = explained(places, tried.join("; "));
    let reason = match (expect, replaced && others > 0, definite, refused) {
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

/// Makes a connection to a place, within `limit`, if it may be dialed. `owner`: who is said to be there.
pub(crate) async fn connect(
    link: &Link,
    owner: Option<NodeId>,
    place: &Place,
    limit: Duration,
) -> Result<Stream, NotConnected> {
    let (text, by) = place;
    let address: Address = match text.parse() {
        Ok(address) => address,
        Err(reason) => return Err(NotConnected { reason, definite: true }),
    };
    let policy = &link.core.settings.dial_policy;
    if let (Address::Relay(via, inner), Some(owner)) = (&address, owner) {
        // What the node between is dialed at is judged when it is.
        return match policy.permits((&address, text), None, owner, by.as_deref()) {
            true => relay::dial(link, (owner, place), (*via, inner.as_deref()), limit).await,
            false => Err(NotConnected { reason: not_permitted().to_string(), definite: true }),
        };
    }
    let permits = |ip| owner.is_none_or(|owner| policy.permits((&address, text), ip, owner, by.as_deref()));
    match tokio::time::timeout(limit, dial(&address, permits)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(NotConnected {
            reason: error.to_string(),
            definite: !matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::Interrupted),
        }),
        Err(_) => Err(NotConnected { reason: format!("no connection within {limit:?}"), definite: false }),
    }
}
