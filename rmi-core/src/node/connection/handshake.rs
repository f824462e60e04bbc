//! The first words on a new connection: the handshake of a new session.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use crate::node::clock;
use crate::node::connection::introducer::Named;
use crate::node::link::{Link, Reason, Stage};
use crate::session::{Handshake, HandshakeError, Opened, Role};
use crate::transport::{Reader, Stream, Writer};
use crate::wire::{
    self, Frame, HANDSHAKE_FRAME_MAX, Limits, PREFACE, Refused, RefusedCode, Resume, WireError,
};

/// How much is read at a time.
const READ: usize = 64 * 1024;

/// A connection on which frames flow.
pub(crate) struct Connection {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    /// What was read already.
    pub(super) buffer: BytesMut,
    /// Whether another node carries it.
    pub(super) relayed: bool,
}

impl From<Stream> for Connection {
    fn from(stream: Stream) -> Self {
        let Stream { reader, writer, relayed, .. } = stream;
        Self { reader, writer, buffer: BytesMut::new(), relayed }
    }
}

/// Why a handshake led to no session.
pub(crate) enum NoSession {
    /// Another node than the one meant answers there.
    OtherNode(String),
    /// The peer wants a session back that it had.
    Resume(Resume, Box<Connection>),
    /// Anything else.
    Failed(Reason),
}

impl Connection {
    /// Says the preface and `first`, and hears the other side's preface.
    pub(super) async fn greet(&mut self, first: &[u8]) -> Result<(), NoSession> {
        self.send(first).await.map_err(broken)?;
        while self.buffer.len() < PREFACE.len() {
            read_some(&mut self.reader, &mut self.buffer).await.map_err(broken)?;
            let got = self.buffer.len().min(PREFACE.len());
            if self.buffer[..got] != PREFACE[..got] {
                let text = "what answers there is not an rmi node".into();
                return Err(NoSession::Failed(Reason::Refused(text)));
            }
        }
        let _ = self.buffer.split_to(PREFACE.len());
        Ok(())
    }

    /// The next frame of a handshake.
    pub(super) async fn frame(&mut self) -> io::Result<Result<Frame, WireError>> {
        loop {
            match wire::split(&mut self.buffer, HANDSHAKE_FRAME_MAX) {
                Ok(Some(bytes)) => return Ok(Frame::decode(bytes, &Limits::default())),
                Ok(None) => read_some(&mut self.reader, &mut self.buffer).await?,
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// Writes, and reads meanwhile: a stream may hold less than what both sides say at first. It may also keep what it is
    /// given until it is flushed, as stdout does.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Self { reader, writer, buffer, .. } = self;
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

    /// Says a last word. The connection is going to be closed, whether it leaves or not.
    pub(super) async fn say_last(&mut self, frame: &Frame) {
        let _ = self.writer.write_all(&encoded(frame)).await;
        let _ = self.writer.shutdown().await;
    }
}

pub(super) fn broken(error: io::Error) -> NoSession {
    NoSession::Failed(Reason::Unreachable(match error.kind() {
        io::ErrorKind::UnexpectedEof => "it closed the connection during the handshake".into(),
        // A node between, before anybody answered.
        io::ErrorKind::ConnectionRefused => return NoSession::Failed(Reason::Refused(error.to_string())),
        _ => error.to_string(),
    }))
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
    let distance = stream.distance;
    let mut shake = Handshake::new(role, link.core.introduction(), random(), random_token());
    let mut first = BytesMut::from(&PREFACE[..]);
    if let Some(hello) = shake.start(clock::now()) {
        hello.encode(&mut first);
        // A Root may ride along (PROTOCOL 2.4).
        if let Some(output) = link.with(|session| session.poll_output(clock::now())) {
            output.segments.into_iter().for_each(|segment| first.put(segment));
        }
    }
    let mut connection = Connection::from(stream);
    connection.greet(&first).await?;
    loop {
        let step = match connection.frame().await.map_err(broken)? {
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
            Ok(Some(Opened { peer, welcome, ticket })) => {
                let mut addresses = Named::of_peer(&peer, distance, &link.core.locality);
                if connection.relayed {
                    addresses = addresses.and(link.relays_dialed());
                }
                let node = peer.node;
                if let Some(welcome) = welcome {
                    let welcome = encoded(&welcome);
                    connection.send(&welcome).await.map_err(broken)?;
                }
                link.set_peer(node, addresses);
                link.tunnels.set_relayed(connection.relayed);
                let name = ticket.issued();
                if !link.with(|session| session.open(clock::now(), peer, ticket)) {
                    let text = "it took longer than the lease to answer";
                    return Err(NoSession::Failed(Reason::Unreachable(text.into())));
                }
                link.core.link_opened(link, node, name);
                link.stage.send_if_modified(|stage| {
                    let opening = matches!(stage, Stage::Opening);
                    if opening {
                        *stage = Stage::Open;
                    }
                    opening
                });
                return Ok(connection);
            }
            Err(error) => return Err(refuse(error, connection).await),
        }
    }
}

/// Whether one more session may be accepted.
fn admit(link: &Arc<Link>) -> Result<(), (RefusedCode, String)> {
    if link.core.is_draining() {
        return Err((RefusedCode::ShuttingDown, format!("node {} is shutting down", link.core.id)));
    }
    let max = link.core.settings.max_sessions;
    if link.is_inbound() && link.core.inbound_sessions() > max && !link.core.make_room() {
        return Err((RefusedCode::TooManySessions, format!("node {} has {max} sessions", link.core.id)));
    }
    Ok(())
}

async fn refuse(error: HandshakeError, mut connection: Connection) -> NoSession {
    match error {
        HandshakeError::Refused(RefusedCode::OtherNode, text) => NoSession::OtherNode(text),
        HandshakeError::WrongNode(node) => {
            // For that node the session is open (2.4).
            let text = "another node was meant".into();
            connection.say_last(&Frame::Bye { code: 3, text, received: 0 }).await;
            NoSession::OtherNode(format!("this is node {node}"))
        }
        HandshakeError::Refused(RefusedCode::ShuttingDown, text) => {
            NoSession::Failed(Reason::Bye { code: 0, text })
        }
        HandshakeError::Refused(_, text) => NoSession::Failed(Reason::Refused(text)),
        HandshakeError::Misbehaved(text) => NoSession::Failed(Reason::Violation(text.into())),
        HandshakeError::Refuse(code, text) => {
            connection.say_last(&Frame::Refused(Refused { code, text: text.clone() })).await;
            NoSession::Failed(Reason::Violation(text))
        }
        HandshakeError::Resume(resume) => NoSession::Resume(resume, Box::new(connection)),
    }
}

pub(super) fn encoded(frame: &Frame) -> Bytes {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes);
    bytes.freeze()
}

fn random() -> [u8; 16] {
    Uuid::new_v4().into_bytes()
}

pub(super) fn random_token() -> Vec<u8> {
    [random(), random()].concat()
}

pub(super) async fn read_some(reader: &mut Reader, buffer: &mut BytesMut) -> io::Result<()> {
    buffer.reserve(READ);
    match reader.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}
