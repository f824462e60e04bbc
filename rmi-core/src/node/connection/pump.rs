//! Moves bytes between one connection and a link, until the connection breaks or the link ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;

use crate::node::connection::handshake::{Connection, Reader, Writer, read_some};
use crate::node::link::{Link, Reason};
use crate::node::{clock, dispatch};
use crate::session::{SessionError, Timeout};
use crate::wire::{self, Frame};

/// How long a connection is kept for what is said last.
const LAST_WORD: Duration = Duration::from_millis(100);

/// Reads and writes until the connection is of no more use. When this returns, nothing reads it any more.
pub(super) async fn pump(link: &Arc<Link>, connection: Connection, inbox: &mut dispatch::Inbox) -> Reason {
    if let Some((code, text)) = link.core.leaving.get() {
        // It came, or came back, too late to hear it with the others.
        link.with(|session| session.bye(*code, text.clone()));
    }
    let Connection { mut reader, mut writer, buffer, relayed } = connection;
    link.tunnels.set_relayed(relayed);
    let reason = {
        let reading = read(link, &mut reader, buffer, inbox);
        let writing = write(link, &mut writer);
        tokio::pin!(reading, writing);
        let reason = tokio::select! {
            reason = &mut reading => reason,
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
    match reason {
        // The peer hung up because it was told so.
        Reason::Broken(_) if link.core.leaving.get().is_some() => Reason::Stopped,
        Reason::Broken(_) if link.look(|session| session.has_retired()) => Reason::Unused,
        Reason::Broken(_) => reason,
        reason => {
            hang_up(link, reader, writer, reason.clone()).await;
            reason
        }
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

async fn read(
    link: &Arc<Link>,
    reader: &mut Reader,
    mut buffer: BytesMut,
    inbox: &mut dispatch::Inbox,
) -> Reason {
    let limits = link.core.settings.limits;
    loop {
        loop {
            let bytes = match wire::split(&mut buffer, limits.max_frame_len()) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break,
                Err(error) => return Reason::Violation(error.to_string()),
            };
            let len = bytes.len() + 4;
            let handled = match Frame::decode(bytes, &limits) {
                Ok(frame) => inbox.handle(link, frame, len).await,
                Err(error) => Err(dispatch::Close(Reason::Violation(error.to_string()))),
            };
            if let Err(dispatch::Close(reason)) = handled {
                return reason;
            }
        }
        match read_some(reader, &mut buffer).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Reason::Broken("the peer closed it".into());
            }
            Err(error) => return Reason::Broken(error.to_string()),
        }
    }
}

async fn write(link: &Arc<Link>, writer: &mut Writer) -> Reason {
    loop {
        link.collect_dropped();
        let now = clock::now();
        let (timeout, output, next) = link.with_quietly(|session| {
            (session.handle_timeout(now), session.poll_output(now), session.schedule())
        });
        match timeout {
            Timeout::Nothing => {}
            Timeout::Silent => return silent(),
            _ => return Reason::Expired,
        }
        match output {
            None if link.look(|session| session.has_parted()) => return parted(link),
            None => tokio::select! {
                () = link.wake.notified() => {}
                () = clock::sleep_until(next) => {}
            },
            Some(output) => {
                let writing = async {
                    writer.write_all(&output.control).await?;
                    writer.write_all(&output.frames).await?;
                    writer.flush().await
                };
                tokio::pin!(writing);
                // A peer that does not read must not keep the lease from ending.
                loop {
                    let end = link.look(|session| session.connection_end());
                    tokio::select! {
                        written = &mut writing => match written {
                            Ok(()) => break,
                            Err(error) => return Reason::Broken(error.to_string()),
                        },
                        // What is dropped meanwhile does not pile up.
                        () = link.wake.notified() => link.collect_dropped(),
                        () = clock::sleep_until(end) => {
                            match link.with_quietly(|session| session.handle_timeout(clock::now())) {
                                Timeout::Nothing => {}
                                Timeout::Silent => return silent(),
                                _ => return Reason::Expired,
                            }
                        }
                    }
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
