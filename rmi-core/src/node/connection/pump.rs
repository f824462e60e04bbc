//! Moves bytes between one connection and a link, until the connection breaks or the link ends.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;

use crate::node::clock;
use crate::node::connection::desk::Desk;
use crate::node::connection::handshake::{Connection, read_some};
use crate::node::connection::reading::{self, Reading};
use crate::node::connection::watch::Watched;
use crate::node::dispatch::Inbox;
use crate::node::link::{Link, Reason};
use crate::pool;
use crate::session::{Output, SessionError, Timeout};
use crate::transport::{Reader, Writer};

/// How long a connection is kept for what is said last.
const LAST_WORD: Duration = Duration::from_millis(100);

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
    reading::start(link, &desk);
    let watched = Watched::new(link, &desk);
    let reason = {
        let writing = write(link, &mut writer);
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
    drop(watched);
    let (reader, inbox) = desk.clear().await.end();
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

async fn write(link: &Arc<Link>, writer: &mut Writer) -> Reason {
    let mut alarm = clock::Alarm::new();
    loop {
        // Others are about to send, too; and what it was woken for leaves with what they send.
        give_way().await;
        link.collect_dropped();
        let now = clock::now();
        let turn = link.turn(now).await;
        match turn.timeout {
            Timeout::Nothing => {}
            Timeout::Silent => return silent(),
            _ => return Reason::Expired,
        }
        match turn.output {
            None if link.look(|session| session.has_parted()) => return parted(link),
            None => tokio::select! {
                () = link.wake.notified() => {}
                () = alarm.sleep_until(turn.next) => pool::trim(now),
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

/// Lets those tasks go first that are ready. Other than with [`tokio::task::yield_now`], the runtime does not look at sockets and timers before, and another of
/// its threads may go on with this one.
async fn give_way() {
    let mut gave = false;
    poll_fn(|cx| match std::mem::replace(&mut gave, true) {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
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
