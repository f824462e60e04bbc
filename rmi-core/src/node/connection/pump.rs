//! Moves bytes between one connection and a link, until the connection breaks or the link ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::task::yield_now;

use crate::node::clock;
use crate::node::connection::desk::{Desk, Stuck};
use crate::node::connection::handshake::{Connection, read_some};
use crate::node::connection::reading::{Reading, read};
use crate::node::dispatch::Inbox;
use crate::node::link::{Link, Reason};
use crate::session::{Output, SessionError, Time, Timeout};
use crate::transport::{Reader, Writer};

/// How long a connection is kept for what is said last.
const LAST_WORD: Duration = Duration::from_millis(100);

/// At most this long passes before somebody looks whether the reader of a session in use is stuck.
const LOOK: Duration = Duration::from_secs(1);

/// Reads and writes until the connection is of no more use. When this returns, nothing reads it any more.
pub(super) async fn pump(link: &Arc<Link>, connection: Connection, inbox: Inbox) -> (Reason, Inbox) {
    if let Some((code, text)) = link.core.leaving.get() {
        // It came, or came back, too late to hear it with the others.
        link.with(|session| session.bye(*code, text.clone()));
    }
    let Connection { reader, mut writer, buffer, relayed } = connection;
    link.tunnels.set_relayed(relayed);
    link.connected(writer.outlet().cloned());
    let desk = Desk::new(Box::new(Reading::new(reader, buffer, inbox)));
    start_reader(link, &desk);
    let reason = {
        let writing = write(link, &desk, &mut writer);
        tokio::pin!(writing);
        let reason = tokio::select! {
            reason = desk.ended() => reason,
            reason = &mut writing => reason,
            reason = link.closed() => reason,
            () = link.handed_over() => Reason::Broken("the peer came back over another connection".into()),
        };
        if let Reason::Violation(text) = &reason {
            tracing::warn!(node = %link.core.id, peer = %link.target, %text, "the peer broke the protocol");
            link.with(|session| session.bye(1, text.clone()));
            // As far as it goes at once: a peer that does not read does not hold this up.
            let _ = tokio::time::timeout(LAST_WORD, writing).await;
        }
        reason
    };
    let Reading { reader, inbox, .. } = *desk.clear().await;
    link.disconnected();
    let reason = match reason {
        // The peer hung up because it was told so.
        Reason::Broken(_) if link.core.leaving.get().is_some() => Reason::Stopped,
        Reason::Broken(_) if link.look(|session| session.has_retired()) => Reason::Unused,
        Reason::Broken(_) => reason,
        reason => {
            hang_up(link, reader, writer, reason.clone()).await;
            reason
        }
    };
    (reason, inbox)
}

/// A task of its own: a servant that keeps its thread busy does not keep the writer from renewing the lease.
fn start_reader(link: &Arc<Link>, desk: &Arc<Desk>) {
    if let Some(seat) = desk.sit_down() {
        // Without a task the seat is given up, and the connection with it.
        link.core.spawn(read(link.clone(), desk.clone(), seat));
    }
}

/// Closes a connection on which something was said last.
async fn hang_up(link: &Arc<Link>, mut reader: Reader, mut writer: Writer, reason: Reason) {
    link.close(reason);
    let _ = tokio::time::timeout(LAST_WORD, writer.shutdown()).await;
    // What was not read would make the system take back what was said last.
    let mut rest = BytesMut::new();
    let reading = async {
        while read_some(&mut reader, &mut rest).await.is_ok() {
            rest.clear();
        }
    };
    let _ = tokio::time::timeout(LAST_WORD, reading).await;
}

async fn write(link: &Arc<Link>, desk: &Arc<Desk>, writer: &mut Writer) -> Reason {
    let mut watch = Watch::new(link);
    let mut alarm = clock::Alarm::new();
    loop {
        if !link.look(|session| session.is_quiet()) {
            // Others are about to send, too.
            yield_now().await;
        }
        link.collect_dropped();
        let now = clock::now();
        let turn = link.turn(now).await;
        match turn.timeout {
            Timeout::Nothing => {}
            Timeout::Silent => return silent(),
            _ => return Reason::Expired,
        }
        watch.look(link, desk, now);
        match turn.output {
            None if link.look(|session| session.has_parted()) => return parted(link),
            None => tokio::select! {
                () = link.wake.notified() => {}
                () = alarm.sleep_until(turn.next.map(|next| next.min(watch.next))) => {}
            },
            Some(output) => {
                if let Err(reason) = hand_over(link, writer, output).await {
                    return reason;
                }
                link.wrote();
            }
        }
    }
}

/// Writes all of it, unless the session's time ends before.
async fn hand_over(link: &Arc<Link>, writer: &mut Writer, mut output: Output) -> Result<(), Reason> {
    let writing = async {
        while !output.is_empty() {
            let written = writer.write_vectored(&output.slices()).await?;
            if written == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            output.advance(written);
        }
        writer.flush().await
    };
    tokio::pin!(writing);
    // A peer that does not read must not keep the lease from ending.
    loop {
        let end = link.look(|session| session.connection_end());
        tokio::select! {
            biased;
            written = &mut writing => {
                return written.map_err(|error| Reason::Broken(error.to_string()));
            }
            // What is dropped meanwhile does not pile up.
            () = link.wake.notified() => link.collect_dropped(),
            () = clock::sleep_until(end) => {
                match link.with_quietly(|session| session.handle_timeout(clock::now())) {
                    Timeout::Nothing => {}
                    Timeout::Silent => return Err(silent()),
                    _ => return Err(Reason::Expired),
                }
            }
        }
    }
}

/// Looks from time to time whether the reader is stuck in a servant, and lets another go on.
struct Watch {
    /// An eighth of the lease: what a peer asks is answered in time.
    seldom: Duration,
    next: Time,
    last: Stuck,
}

impl Watch {
    fn new(link: &Link) -> Self {
        let seldom = link.look(|session| session.peer().map(|peer| peer.lease)).unwrap_or(LOOK) / 8;
        Self { seldom, next: clock::now() + seldom, last: Stuck::default() }
    }

    fn look(&mut self, link: &Arc<Link>, desk: &Arc<Desk>, now: Time) {
        if now < self.next {
            return;
        }
        let stuck = desk.stuck();
        if let Some(method) = stuck.serving.filter(|_| stuck == self.last) {
            tracing::warn!(
                node = %link.core.id, peer = %link.target, method,
                "a servant has kept its thread busy without yielding; others read on in its place"
            );
            start_reader(link, desk);
        }
        // Nobody was served: it need not be known so soon.
        let soon = if stuck == self.last { self.seldom } else { self.seldom.min(LOOK) };
        (self.last, self.next) = (stuck, now + soon);
    }
}

/// Why this side has said Bye.
fn parted(link: &Link) -> Reason {
    if link.look(|session| session.has_retired()) { Reason::Unused } else { Reason::Stopped }
}

fn silent() -> Reason {
    Reason::Broken("nothing was heard on it for two thirds of the lease".into())
}

impl From<SessionError> for Reason {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Violation(text) => Self::Violation(text),
            SessionError::Expired => Self::Expired,
        }
    }
}
