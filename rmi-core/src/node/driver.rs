//! Pumps bytes between a stream and a link: the handshake, then a reader and a writer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use uuid::Uuid;

use crate::node::introducer::Named;
use crate::node::link::{Link, Reason, Stage};
use crate::node::{clock, dispatch};
use crate::session::{Handshake, HandshakeError, Opened, Role, SessionError, Timeout};
use crate::transport::Stream;
use crate::wire::{self, Frame, HANDSHAKE_FRAME_MAX, Limits, PREFACE, Refused, RefusedCode, WireError};

/// How long a connection is kept for what is said last.
const LAST_WORD: Duration = Duration::from_millis(100);

/// How much is read at a time.
const READ: usize = 64 * 1024;

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// A connection whose handshake is over.
pub(crate) struct Connection {
    reader: Reader,
    writer: Writer,
    /// What was read already.
    buffer: BytesMut,
}

/// Why a handshake led to no session.
pub(crate) enum NoSession {
    /// Another node than the one meant answers there.
    OtherNode(String),
    /// Anything else.
    Failed(Reason),
}

/// Makes the handshake and pumps until the link is closed.
pub(crate) async fn run(link: Arc<Link>, stream: Stream, role: Role, limit: Duration) {
    match handshake(&link, stream, role, limit).await {
        Ok(connection) => pump(link, connection).await,
        Err(NoSession::OtherNode(text)) => link.close(Reason::Refused(text)),
        Err(NoSession::Failed(reason)) => link.close(reason),
    }
}

/// Makes the handshake, within `limit`.
pub(crate) async fn handshake(
    link: &Arc<Link>,
    stream: Stream,
    role: Role,
    limit: Duration,
) -> Result<Connection, NoSession> {
    let shaking = async {
        tokio::select! {
            shaken = shake_hands(link, stream, role) => shaken,
            reason = link.closed() => Err(NoSession::Failed(reason)),
        }
    };
    tokio::time::timeout(limit, shaking).await.unwrap_or_else(|_| {
        let text = format!("it did not finish the handshake within {limit:?}");
        Err(NoSession::Failed(Reason::Unreachable(text)))
    })
}

async fn shake_hands(link: &Arc<Link>, stream: Stream, role: Role) -> Result<Connection, NoSession> {
    let broken = |error: io::Error| {
        NoSession::Failed(Reason::Unreachable(match error.kind() {
            io::ErrorKind::UnexpectedEof => "it closed the connection during the handshake".into(),
            _ => error.to_string(),
        }))
    };
    let Stream { mut reader, mut writer, distance } = stream;
    let mut shake = Handshake::new(role, link.core.introduction(), random(), random_token());
    let mut first = BytesMut::from(&PREFACE[..]);
    if let Some(hello) = shake.start(clock::now()) {
        hello.encode(&mut first);
        // A Root may ride along (PROTOCOL 2.4).
        if let Some(output) = link.with(|session| session.poll_output(clock::now())) {
            first.put(output.frames);
        }
    }
    let mut buffer = BytesMut::new();
    send(&mut writer, &first, &mut reader, &mut buffer).await.map_err(broken)?;
    while buffer.len() < PREFACE.len() {
        read_some(&mut reader, &mut buffer).await.map_err(broken)?;
        let got = buffer.len().min(PREFACE.len());
        if buffer[..got] != PREFACE[..got] {
            let text = "what answers there is not an rmi node".into();
            return Err(NoSession::Failed(Reason::Refused(text)));
        }
    }
    let _ = buffer.split_to(PREFACE.len());
    loop {
        let frame = loop {
            match wire::split(&mut buffer, HANDSHAKE_FRAME_MAX) {
                Ok(Some(bytes)) => break Frame::decode(bytes, &Limits::default()),
                Ok(None) => read_some(&mut reader, &mut buffer).await.map_err(broken)?,
                Err(error) => break Err(error),
            };
        };
        let step = match frame {
            Ok(frame) => shake.handle(frame, clock::now(), || admit(link)),
            Err(error) => {
                // 1.5, 9.3.
                let code = match error {
                    WireError::UnsupportedOption(_) => RefusedCode::UnsupportedOption,
                    _ => RefusedCode::Malformed,
                };
                Err(HandshakeError::Refuse(code, error.to_string()))
            }
        };
        match step {
            Ok(None) => {}
            Ok(Some(Opened { peer, welcome })) => {
                let (node, addresses) = (peer.node, Named::of_peer(&peer, distance, &link.core.locality));
                if let Some(welcome) = welcome {
                    let welcome = encoded(&welcome);
                    send(&mut writer, &welcome, &mut reader, &mut buffer).await.map_err(broken)?;
                }
                link.set_peer(node, addresses);
                if !link.with(|session| session.open(clock::now(), peer)) {
                    let text = "it took longer than the lease to answer";
                    return Err(NoSession::Failed(Reason::Unreachable(text.into())));
                }
                link.core.link_opened(link, node);
                if let Some((code, text)) = link.core.leaving.get() {
                    link.with(|session| session.bye(*code, text.clone()));
                }
                link.stage.send_if_modified(|stage| {
                    let opening = matches!(stage, Stage::Opening);
                    if opening {
                        *stage = Stage::Open;
                    }
                    opening
                });
                return Ok(Connection { reader, writer, buffer });
            }
            Err(error) => return Err(refuse(error, &mut writer).await),
        }
    }
}

/// Whether one more session may be accepted.
fn admit(link: &Arc<Link>) -> Result<(), (RefusedCode, String)> {
    if link.core.is_draining() {
        return Err((RefusedCode::ShuttingDown, format!("node {} is shutting down", link.core.id)));
    }
    let max = link.core.settings.max_sessions;
    if link.is_inbound() && link.core.inbound_sessions() > max {
        return Err((RefusedCode::TooManySessions, format!("node {} has {max} sessions", link.core.id)));
    }
    Ok(())
}

async fn refuse(error: HandshakeError, writer: &mut Writer) -> NoSession {
    match error {
        HandshakeError::Refused(RefusedCode::OtherNode, text) => NoSession::OtherNode(text),
        HandshakeError::WrongNode(node) => {
            // For that node the session is open (2.4).
            say_last(Frame::Bye { code: 3, text: "another node was meant".into() }, writer).await;
            NoSession::OtherNode(format!("this is node {node}"))
        }
        HandshakeError::Refused(RefusedCode::ShuttingDown, text) => {
            NoSession::Failed(Reason::Unreachable(text))
        }
        HandshakeError::Refused(_, text) => NoSession::Failed(Reason::Refused(text)),
        HandshakeError::Misbehaved(text) => NoSession::Failed(Reason::Violation(text.into())),
        HandshakeError::Refuse(code, text) => {
            say_last(Frame::Refused(Refused { code, text: text.clone() }), writer).await;
            NoSession::Failed(Reason::Violation(text))
        }
        HandshakeError::NothingToResume => {
            say_last(Frame::Expired, writer).await;
            NoSession::Failed(Reason::Refused("there are no sessions to resume".into()))
        }
    }
}

/// Says a last word. The connection is going to be closed, whether it leaves or not.
async fn say_last(frame: Frame, writer: &mut Writer) {
    let _ = writer.write_all(&encoded(&frame)).await;
    let _ = writer.shutdown().await;
}

fn encoded(frame: &Frame) -> Bytes {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes);
    bytes.freeze()
}

fn random() -> [u8; 16] {
    Uuid::new_v4().into_bytes()
}

fn random_token() -> Vec<u8> {
    [random(), random()].concat()
}

/// Writes, and reads meanwhile: a stream may hold less than what both sides say at first. It may also keep what it is
/// given until it is flushed, as stdout does.
async fn send(
    writer: &mut Writer,
    bytes: &[u8],
    reader: &mut Reader,
    buffer: &mut BytesMut,
) -> io::Result<()> {
    let writing = async {
        writer.write_all(bytes).await?;
        writer.flush().await
    };
    tokio::pin!(writing);
    let mut ended = false;
    loop {
        tokio::select! {
            biased;
            written = &mut writing => return written,
            // Whoever waits for the next frame meets the end again.
            read = read_some(reader, buffer), if !ended && buffer.len() < HANDSHAKE_FRAME_MAX => ended = read.is_err(),
        }
    }
}

async fn read_some(reader: &mut Reader, buffer: &mut BytesMut) -> io::Result<()> {
    buffer.reserve(READ);
    match reader.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// Closes the link of a task that ended in any other way: without it callers would wait for ever.
struct CloseOnDrop(Arc<Link>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close(Reason::Broken("the task of the session ended".into()));
    }
}

/// Reads and writes until the link is closed, then closes the connection.
pub(crate) async fn pump(link: Arc<Link>, connection: Connection) {
    let _guard = CloseOnDrop(link.clone());
    let Connection { mut reader, mut writer, buffer } = connection;
    let mut reason = {
        let reading = read(&link, &mut reader, buffer);
        let writing = write(&link, &mut writer);
        tokio::pin!(reading, writing);
        let reason = tokio::select! {
            reason = &mut reading => reason,
            reason = &mut writing => reason,
            reason = link.closed() => reason,
        };
        if let Reason::Violation(text) = &reason {
            tracing::warn!(node = %link.core.id, peer = %link.target, %text, "the peer broke the protocol");
            link.with(|session| session.bye(1, text.clone()));
            // As far as it goes at once: a peer that does not read does not hold this up.
            let _ = tokio::time::timeout(LAST_WORD, writing).await;
        }
        reason
    };
    if matches!(reason, Reason::Broken(_)) && link.core.leaving.get().is_some() {
        // The peer hung up because it was told so.
        reason = Reason::Stopped;
    }
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

async fn read(link: &Arc<Link>, reader: &mut Reader, mut buffer: BytesMut) -> Reason {
    let limits = link.core.settings.limits;
    let mut inbox = dispatch::Inbox::new(limits.partial);
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
        if timeout != Timeout::Nothing {
            return Reason::Expired;
        }
        match output {
            None if link.look(|session| session.has_parted()) => return Reason::Stopped,
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
                    let end = link.look(|session| session.holder_end());
                    tokio::select! {
                        written = &mut writing => match written {
                            Ok(()) => break,
                            Err(error) => return Reason::Broken(error.to_string()),
                        },
                        () = clock::sleep_until(end) => {
                            if link.look(|session| session.holder_end()) <= Some(clock::now()) {
                                return Reason::Expired;
                            }
                        }
                    }
                }
            }
        }
    }
}

impl From<SessionError> for Reason {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Violation(text) => Self::Violation(text),
            SessionError::Expired => Self::Expired,
        }
    }
}
