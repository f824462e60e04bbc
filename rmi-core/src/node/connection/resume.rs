//! A connection broke: the side that dialed dials again, the other waits for it (PROTOCOL 8).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::backoff::Backoff;
use crate::id::NodeId;
use crate::node::clock;
use crate::node::connection::dial::{PAUSES, connect};
use crate::node::connection::handshake::{Connection, NoSession, broken, encoded, random_token};
use crate::node::connection::reached::Place;
use crate::node::core::Core;
use crate::node::link::{Link, Reason};
use crate::node::relay::explained;
use crate::session::{Time, Timeout};
use crate::transport::{RELAY_SCHEME, Stream};
use crate::wire::{Frame, PREFACE, Resume};

/// How long one attempt to connect may take: a packet that asked for it may be lost.
const ATTEMPT: Duration = Duration::from_secs(2);

/// How a broken connection comes back.
#[derive(Debug)]
pub(crate) enum Return {
    /// This side dials the node, at these places: the one where it answered first.
    Dial(NodeId, Vec<Place>),
    /// The other side does, if it can.
    Wait,
}

/// The pauses of a side that dials again, over all connections of its session. Where one is resumed and breaks before
/// anything is delivered, as some do whose other end means harm, the next is made no faster than where none is.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    delivered: Option<(u64, u64)>,
    /// `None`: the next attempt is made at once.
    backoff: Option<Backoff>,
}

impl Retries {
    /// A connection broke. `delivered`: what has arrived in the session so far.
    pub(crate) fn after(&mut self, delivered: (u64, u64)) {
        if self.delivered.replace(delivered) != Some(delivered) {
            self.backoff = None;
        }
    }

    /// How long to wait before the next attempt.
    fn pause(&mut self) -> Duration {
        match &mut self.backoff {
            Some(backoff) => backoff.pause(),
            None => {
                self.backoff = Some(PAUSES);
                Duration::ZERO
            }
        }
    }
}

/// A connection on which somebody who has the token wants to resume.
pub(crate) struct Handover {
    resume: Resume,
    connection: Connection,
}

/// Finds the session that a new connection is for. Whoever has no token of it changes nothing.
pub(crate) async fn hand_over(core: &Arc<Core>, resume: Resume, mut connection: Connection, limit: Duration) {
    let now = clock::now();
    let link = core.link_named(resume.session);
    match link.filter(|link| link.look(|session| session.may_resume(now, &resume.token))) {
        Some(link) => link.hand(Handover { resume, connection }),
        None => {
            let expired = Frame::Expired { node: core.id };
            let _ = tokio::time::timeout(limit, connection.say_last(&expired)).await;
        }
    }
}

/// Gets the session another connection. `reason`: why it needs one. The error is why there is none, or why there shall be none.
pub(crate) async fn reconnect(
    link: &Arc<Link>,
    back: &Return,
    reason: Reason,
    retries: &mut Retries,
) -> Result<Connection, Reason> {
    let Reason::Broken(text) = reason else { return Err(reason) };
    tracing::debug!(node = %link.core.id, peer = %link.target, reason = %text, "connection lost");
    if !link.with_quietly(|session| session.detach(clock::now())) {
        return Err(Reason::Broken(text));
    }
    let coming = async {
        match back {
            Return::Dial(node, route) => redial(link, *node, route, &text, retries).await,
            Return::Wait => wait(link, &text).await,
        }
    };
    tokio::select! {
        back = coming => back,
        reason = link.closed() => Err(reason),
        never = tidy(link) => match never {},
    }
}

/// Withdraws calls that are given up, and lets go of what is dropped, as the writer does while there is a connection.
async fn tidy(link: &Link) -> Infallible {
    loop {
        link.wake.notified().await;
        link.collect_dropped();
        link.with_quietly(|_| ());
    }
}

/// The time at which the session is given up, unless it has come.
fn until(link: &Link) -> Option<Time> {
    let given_up = link.with_quietly(|session| session.handle_timeout(clock::now())) != Timeout::Nothing;
    if given_up { None } else { link.look(|session| session.next_timeout()) }
}

async fn redial(
    link: &Arc<Link>,
    node: NodeId,
    route: &[Place],
    lost: &str,
    retries: &mut Retries,
) -> Result<Connection, Reason> {
    let mut last = String::new();
    loop {
        let pause = retries.pause();
        if !pause.is_zero() {
            let end = until(link).unwrap_or_default();
            tokio::time::sleep(pause.min(end.since(clock::now()))).await;
        }
        let Some(until) = until(link) else { break };
        let (mut others, mut tried) = (0, Vec::new());
        for place in route {
            let (address, left) = (&place.0, until.since(clock::now()));
            match attempt(link, node, place, left).await {
                Ok(connection) => return Ok(connection),
                Err(Failed::Ended(reason)) => return Err(reason),
                Err(Failed::OtherNode(text)) => {
                    others += 1;
                    tried.push(format!("{address}: another node answers there, {text}"));
                }
                Err(Failed::Again(text)) => tried.push(format!("{address}: {text}")),
            }
        }
        last = tried.join("; ");
        // That a node between does not know the owner does not speak against another node's answer at the owner's own address.
        let own = route.iter().filter(|(address, _)| !address.starts_with(RELAY_SCHEME)).count();
        if others > 0 && others >= own {
            return Err(Reason::Replaced(last));
        }
    }
    Err(Reason::Broken(explained(route, format!("{lost}; it could not be made again: {last}"))))
}

/// Why an attempt did not resume the session.
enum Failed {
    /// There is nothing more to hope for.
    Ended(Reason),
    /// Another node answers there.
    OtherNode(String),
    /// Another attempt may succeed.
    Again(String),
}

async fn attempt(link: &Link, node: NodeId, place: &Place, left: Duration) -> Result<Connection, Failed> {
    let again = |text| Err(Failed::Again(text));
    let stream = match connect(link, Some(node), place, left.min(ATTEMPT)).await {
        Ok(stream) => stream,
        Err(failed) => return again(failed.reason),
    };
    let limit = left.min(link.core.settings.handshake_timeout);
    match tokio::time::timeout(limit, ask(link, node, stream)).await {
        Ok(outcome) => outcome,
        Err(_) => again(format!("no answer within {limit:?}")),
    }
}

/// Asks for the session on a new connection.
async fn ask(link: &Link, node: NodeId, stream: Stream) -> Result<Connection, Failed> {
    let mut connection = Connection::from(stream);
    let Some(resume) = link.with_quietly(|session| session.resume(clock::now())) else {
        return Err(Failed::Ended(Reason::Expired));
    };
    let first = [&PREFACE[..], &encoded(&resume)[..]].concat();
    connection.greet(&first).await.map_err(not_resumed)?;
    let frame = connection.frame().await.map_err(|error| not_resumed(broken(error)))?;
    match frame {
        Ok(Frame::Resumed(resumed)) => {
            let resumed = link.with_quietly(|session| session.resumed(clock::now(), resumed));
            resumed.map(|()| connection).map_err(|error| Failed::Ended(error.into()))
        }
        Ok(Frame::Expired { node: by }) if by == node => Err(Failed::Ended(Reason::Forgotten)),
        Ok(Frame::Expired { node: by }) => Err(Failed::OtherNode(format!("this is node {by}"))),
        Ok(Frame::Refused(refused)) => Err(Failed::Again(refused.text)),
        Ok(_) | Err(_) => Err(Failed::Again("it answered something else than Resumed or Expired".into())),
    }
}

fn not_resumed(error: NoSession) -> Failed {
    match error {
        NoSession::Failed(reason) => Failed::Again(reason.to_string()),
        NoSession::OtherNode(text) => Failed::OtherNode(text),
        NoSession::Resume(..) => Failed::Again("it wants to resume a session itself".into()),
    }
}

/// Waits until the peer comes back.
async fn wait(link: &Arc<Link>, lost: &str) -> Result<Connection, Reason> {
    while let Some(until) = until(link) {
        tokio::select! {
            handover = link.taken_over() => {
                if let Some(connection) = answer(link, handover).await? {
                    return Ok(connection);
                }
            }
            () = clock::sleep_until(Some(until)) => {}
        }
    }
    Err(Reason::Broken(format!("{lost}; it did not come back in time")))
}

/// Answers a Resume. Nothing reads the old connection any more. `None`: the new one broke, too.
async fn answer(link: &Arc<Link>, handover: Handover) -> Result<Option<Connection>, Reason> {
    let Handover { resume, mut connection } = handover;
    let answer = link.with_quietly(|session| session.accept(clock::now(), &resume, random_token()));
    let resumed = match answer {
        Ok(resumed) => encoded(&resumed),
        // A token that was replaced in the meantime.
        Err(crate::session::SessionError::Expired) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let limit = link.core.settings.handshake_timeout;
    match tokio::time::timeout(limit, connection.send(&resumed)).await {
        Ok(Ok(())) => Ok(Some(connection)),
        _ => {
            link.with_quietly(|session| session.detach(clock::now()));
            Ok(None)
        }
    }
}
