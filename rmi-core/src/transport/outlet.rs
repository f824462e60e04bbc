//! The way out of a connection.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::AsyncWrite;
use tokio::net::tcp;
#[cfg(unix)]
use tokio::net::unix;

/// What goes out of a connection.
pub(crate) enum Writer {
    /// To a socket.
    Socket(Outlet),
    /// Into anything else.
    Other(Box<dyn AsyncWrite + Send + Unpin>),
}

/// The way out of a socket, for whoever has something to send: it takes bytes without waiting, as many as the system has room for.
#[derive(Clone, Debug)]
pub(crate) enum Outlet {
    /// Of a TCP connection.
    Tcp(Arc<tcp::OwnedWriteHalf>),
    /// Of a Unix socket.
    #[cfg(unix)]
    Unix(Arc<unix::OwnedWriteHalf>),
}

impl Writer {
    /// The socket, if it is one.
    pub(crate) fn outlet(&self) -> Option<&Outlet> {
        match self {
            Self::Socket(outlet) => Some(outlet),
            Self::Other(_) => None,
        }
    }
}

impl Outlet {
    /// Writes as much as there is room for. `WouldBlock`: there is none.
    pub(crate) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // In one piece it takes the system less.
        match (self, slices) {
            (Self::Tcp(socket), [bytes]) => socket.try_write(bytes),
            (Self::Tcp(socket), slices) => socket.try_write_vectored(slices),
            #[cfg(unix)]
            (Self::Unix(socket), [bytes]) => socket.try_write(bytes),
            #[cfg(unix)]
            (Self::Unix(socket), slices) => socket.try_write_vectored(slices),
        }
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => socket.as_ref().as_ref().poll_write_ready(cx),
            #[cfg(unix)]
            Self::Unix(socket) => socket.as_ref().as_ref().poll_write_ready(cx),
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_write_ready(cx))?;
            match self.try_write(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn shut_down(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => SockRef::from((**socket).as_ref()).shutdown(Shutdown::Write),
            #[cfg(unix)]
            Self::Unix(socket) => SockRef::from((**socket).as_ref()).shutdown(Shutdown::Write),
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Socket(outlet) => outlet.poll_write(cx, &[IoSlice::new(bytes)]),
            Self::Other(writer) => Pin::new(writer).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Socket(outlet) => outlet.poll_write(cx, slices),
            Self::Other(writer) => Pin::new(writer).poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Socket(_) => Poll::Ready(Ok(())),
            Self::Other(writer) => Pin::new(writer).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Socket(outlet) => Poll::Ready(outlet.shut_down()),
            Self::Other(writer) => Pin::new(writer).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Other(writer) => writer.is_write_vectored(),
        }
    }
}
