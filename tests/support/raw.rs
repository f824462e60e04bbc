//! A peer that speaks the protocol frame by frame, or breaks it.

use bytes::{BufMut, BytesMut};
use rmi::{Limits, NodeId};
use rmi_core::internal::wire::{Frame, Hello, PREFACE, split};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::within;

pub(crate) trait Both: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Both for T {}

pub(crate) struct Raw {
    pub(crate) stream: Box<dyn Both>,
    buffer: BytesMut,
}

impl Raw {
    pub(crate) async fn connect(address: &str) -> Self {
        let stream: Box<dyn Both> = match address.split_once("://").unwrap() {
            ("tcp", address) => Box::new(TcpStream::connect(address).await.unwrap()),
            ("unix", path) => Box::new(UnixStream::connect(path).await.unwrap()),
            _ => panic!("{address}"),
        };
        Self { stream, buffer: BytesMut::new() }
    }

    pub(crate) fn of(stream: impl Both + 'static) -> Self {
        Self { stream: Box::new(stream), buffer: BytesMut::new() }
    }

    /// A peer whose handshake is over.
    pub(crate) async fn open(address: &str) -> Self {
        let (raw, frame) = Self::greet(address, hello()).await;
        assert!(matches!(frame, Some(Frame::Welcome(_))), "{frame:?}");
        raw
    }

    /// Says Hello; the answer.
    pub(crate) async fn greet(address: &str, hello: Hello) -> (Self, Option<Frame>) {
        let mut raw = Self::connect(address).await;
        raw.send_bytes(&PREFACE).await;
        raw.send(&Frame::Hello(hello)).await;
        let frame = raw.receive().await;
        (raw, frame)
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn send(&mut self, frame: &Frame) {
        self.send_bytes(&encoded(frame)).await;
    }

    /// The next frame; `None`: the node closed the connection.
    pub(crate) async fn receive(&mut self) -> Option<Frame> {
        within(async {
            loop {
                if self.buffer.starts_with(&PREFACE) {
                    let _ = self.buffer.split_to(PREFACE.len());
                }
                // A frame never begins like the preface, which would be a length of over a gigabyte.
                let part = !self.buffer.is_empty() && PREFACE.starts_with(&self.buffer);
                if !part && let Some(bytes) = split(&mut self.buffer, 1 << 20).unwrap() {
                    return Some(Frame::decode(bytes, &Limits::default()).unwrap());
                }
                if self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                    return None;
                }
            }
        })
        .await
    }

    /// Waits until the node closes the connection; returns the last frame.
    pub(crate) async fn last(&mut self) -> Option<Frame> {
        let mut last = None;
        while let Some(frame) = self.receive().await {
            last = Some(frame);
        }
        last
    }
}

pub(crate) fn hello() -> Hello {
    Hello {
        versions: (1, 1),
        node: NodeId::random(),
        expect: None,
        symmetric: false,
        lease_ms: 30_000,
        limits: Limits::default(),
        host: 1,
        process: 1,
        addresses: Vec::new(),
    }
}

pub(crate) fn encoded(frame: &Frame) -> BytesMut {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes);
    bytes
}

/// A frame of any kind and body.
pub(crate) fn frame_of(kind: u8, body: &[u8]) -> BytesMut {
    let mut bytes = BytesMut::new();
    bytes.put_u32(body.len() as u32 + 1);
    bytes.put_u8(kind);
    bytes.put_slice(body);
    bytes
}
