//! One end of a tunnel as a stream of bytes (PROTOCOL 11).
//!
//! The reader of the link that carries it leaves here what arrives, within the credit, and never waits; whoever reads the stream
//! gives the credit back. Whoever writes takes what credit there is, and is woken when there is more.
//!
//! Lock order: the session of the carrying link, the table of its tunnels, one end. An end's lock is held across nothing.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::id::{NodeId, ObjectId};
use crate::node::link::{Link, Stage};
use crate::session::{NoTunnel, TUNNEL_WINDOW};

/// How much is consumed before its credit is given back.
const GIVE_BACK: u64 = TUNNEL_WINDOW / 4;

/// The tunnels of a link, and whether it is one itself.
#[derive(Debug, Default)]
pub(crate) struct Tunnels {
    ends: Mutex<HashMap<u64, Arc<End>>>,
    relayed: AtomicBool,
}

/// What the reader of the link and the holder of the stream share.
#[derive(Debug, Default)]
struct End(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    arrived: BytesMut,
    /// Bytes that were read, and whose credit was not given back.
    consumed: u64,
    /// Whether anything ever arrived.
    answered: bool,
    closed: Option<Ended>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// How a tunnel ended.
#[derive(Debug, Clone)]
enum Ended {
    /// The other side closed it.
    ByPeer(String),
    /// The session that carried it ended.
    WithSession(String),
}

impl End {
    fn wake(&self, change: impl FnOnce(&mut State)) {
        let wakers = {
            let mut state = self.0.lock();
            change(&mut state);
            [state.reader.take(), state.writer.take()]
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl State {
    /// What the stream says once it is over and all that arrived has been read. `None`: it just ends.
    fn failure(&self) -> Option<io::Error> {
        let (kind, text) = match self.closed.as_ref()? {
            Ended::ByPeer(text) if text.is_empty() => return None,
            Ended::ByPeer(text) if !self.answered => (io::ErrorKind::ConnectionRefused, text),
            Ended::ByPeer(text) | Ended::WithSession(text) => (io::ErrorKind::ConnectionAborted, text),
        };
        Some(io::Error::new(kind, text.clone()))
    }
}

impl Tunnels {
    /// Whether the connection of the link leads through another node, at present.
    pub(crate) fn is_relayed(&self) -> bool {
        self.relayed.load(Ordering::Acquire)
    }

    pub(crate) fn set_relayed(&self, relayed: bool) {
        self.relayed.store(relayed, Ordering::Release);
    }

    fn end(&self, tunnel: u64) -> Option<Arc<End>> {
        self.ends.lock().get(&tunnel).cloned()
    }

    /// Bytes arrived. They are copied: what is small must not keep the buffer that it came in.
    pub(crate) fn arrived(&self, tunnel: u64, data: &[u8]) {
        if let Some(end) = self.end(tunnel) {
            end.wake(|state| {
                state.answered = true;
                state.arrived.extend_from_slice(data);
            });
        }
    }

    /// More may be sent.
    pub(crate) fn has_room(&self, tunnel: u64) {
        if let Some(end) = self.end(tunnel) {
            end.wake(|_| ());
        }
    }

    /// The other side closed it.
    pub(crate) fn closed(&self, tunnel: u64, reason: String) {
        let end = self.ends.lock().remove(&tunnel);
        if let Some(end) = end {
            end.wake(|state| state.closed = Some(Ended::ByPeer(reason)));
        }
    }

    /// The session that carries them is over. False: there are none.
    pub(crate) fn end_all(&self, reason: &str) -> bool {
        let ends = std::mem::take(&mut *self.ends.lock());
        let any = !ends.is_empty();
        for end in ends.into_values() {
            end.wake(|state| state.closed = Some(Ended::WithSession(reason.to_owned())));
        }
        any
    }
}

/// One end of a tunnel. Dropping it closes the tunnel behind what was written. What is written after the other side closed it is
/// lost, as in a socket; whoever reads hears of it.
#[derive(Debug)]
pub(crate) struct TunnelStream {
    closer: Closer,
    end: Arc<End>,
}

/// Closes a tunnel whose stream somebody else has.
#[derive(Debug, Clone)]
pub(crate) struct Closer {
    link: Arc<Link>,
    tunnel: u64,
}

impl Closer {
    /// Closes it behind what was written. Once: only the first reason counts.
    pub(crate) fn close(&self, reason: String) {
        let ended = self.link.tunnels.ends.lock().remove(&self.tunnel);
        if ended.is_some() {
            self.link.with(|session| session.close_tunnel(self.tunnel, reason));
        }
    }
}

impl TunnelStream {
    /// Opens a tunnel to `target` through the node at the other end of `link`.
    pub(crate) fn open(link: &Arc<Link>, target: NodeId, object: ObjectId) -> Result<Self, NoTunnel> {
        let end = Arc::new(End::default());
        let opened = link.with(|session| {
            let tunnel = session.open_tunnel(target, object)?;
            // Under the lock: the answer may be quick.
            link.tunnels.ends.lock().insert(tunnel, end.clone());
            Ok(tunnel)
        });
        Ok(Self { closer: Closer { link: link.clone(), tunnel: opened? }, end }.unless_closed())
    }

    /// The peer opened it.
    pub(crate) fn opened(link: &Arc<Link>, tunnel: u64) -> Self {
        let end = Arc::new(End::default());
        link.tunnels.ends.lock().insert(tunnel, end.clone());
        Self { closer: Closer { link: link.clone(), tunnel }, end }.unless_closed()
    }

    /// Whoever closed the link in the meantime did not find it.
    fn unless_closed(self) -> Self {
        let link = &self.closer.link;
        let closed = match &*link.stage.borrow() {
            Stage::Closed(reason) => Some(reason.clone()),
            _ => None,
        };
        if let Some(reason) = closed {
            link.end_tunnels(&reason);
        }
        self
    }

    /// What closes it.
    pub(crate) fn closer(&self) -> Closer {
        self.closer.clone()
    }
}

impl AsyncRead for TunnelStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let consumed = {
            let mut state = self.end.0.lock();
            if state.arrived.is_empty() {
                return match (state.failure(), &state.closed) {
                    (Some(error), _) => Poll::Ready(Err(error)),
                    (None, Some(_)) => Poll::Ready(Ok(())),
                    (None, None) => {
                        state.reader = Some(context.waker().clone());
                        Poll::Pending
                    }
                };
            }
            let len = state.arrived.len().min(buffer.remaining());
            buffer.put_slice(&state.arrived[..len]);
            state.arrived.advance(len);
            state.consumed += len as u64;
            match state.consumed >= GIVE_BACK {
                true => std::mem::take(&mut state.consumed),
                false => 0,
            }
        };
        if consumed > 0 {
            let Closer { link, tunnel } = &self.closer;
            link.with(|session| session.consumed_in_tunnel(*tunnel, consumed));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TunnelStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        {
            let mut state = self.end.0.lock();
            if state.closed.is_some() {
                return Poll::Ready(Ok(data.len()));
            }
            // Before it looks for credit: what is given afterwards wakes.
            state.writer = Some(context.waker().clone());
        }
        let Closer { link, tunnel } = &self.closer;
        match link.with(|session| session.send_in_tunnel(*tunnel, data)) {
            // Closed this moment.
            None => Poll::Ready(Ok(data.len())),
            Some(0) if !data.is_empty() => Poll::Pending,
            Some(len) => Poll::Ready(Ok(len)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closer.close(String::new());
        Poll::Ready(Ok(()))
    }
}

impl Drop for TunnelStream {
    fn drop(&mut self) {
        self.closer.close(String::new());
    }
}
