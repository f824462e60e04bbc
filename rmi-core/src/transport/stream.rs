//! A connection: two halves of a byte stream.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::transport::address::Address;
use crate::transport::memory;

/// Both directions of a connection.
pub(crate) struct Stream {
    /// What comes in.
    pub(crate) reader: Box<dyn AsyncRead + Send + Unpin>,
    /// What goes out.
    pub(crate) writer: Box<dyn AsyncWrite + Send + Unpin>,
}

impl Stream {
    /// Of any two-way stream.
    pub(crate) fn new(io: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let (reader, writer) = tokio::io::split(io);
        Self { reader: Box::new(reader), writer: Box::new(writer) }
    }

    pub(super) fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        Ok(Self { reader: Box::new(reader), writer: Box::new(writer) })
    }

    #[cfg(unix)]
    pub(super) fn unix(stream: tokio::net::UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: Box::new(reader), writer: Box::new(writer) }
    }
}

/// Connects. The caller bounds the time.
pub(crate) async fn dial(address: &Address) -> io::Result<Stream> {
    match address {
        Address::Tcp(host, port) => Stream::tcp(TcpStream::connect((host.as_str(), *port)).await?),
        #[cfg(unix)]
        Address::Unix(path) => Ok(Stream::unix(tokio::net::UnixStream::connect(path).await?)),
        #[cfg(not(unix))]
        Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        Address::Memory(name) => Ok(Stream::new(memory::connect(name).await?)),
    }
}
