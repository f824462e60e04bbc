//! Sessions over streams that the program brings itself.
#![expect(missing_docs, reason = "a test")]

use std::time::Duration;

use rmi::{Node, RemoteError, remote};
use tokio::io::{AsyncRead, AsyncWrite, BufWriter};

#[remote]
pub trait Echo {
    async fn echo(&self, bytes: Vec<u8>) -> Result<Vec<u8>, RemoteError>;
}

struct Plain;

impl Echo for Plain {
    async fn echo(&self, bytes: Vec<u8>) -> Result<Vec<u8>, RemoteError> {
        Ok(bytes)
    }
}

/// A stream that keeps what is written until it is flushed, as a process's stdout does.
fn lazy(io: impl AsyncRead + AsyncWrite + Send + 'static) -> impl AsyncRead + AsyncWrite + Send + 'static {
    let (reader, writer) = tokio::io::split(io);
    tokio::io::join(reader, BufWriter::with_capacity(1 << 20, writer))
}

#[tokio::test]
async fn what_is_written_is_flushed_from_the_handshake_on() {
    let (one, other) = tokio::io::duplex(64 * 1024);
    let (a, b) = (Node::builder().start().await.unwrap(), Node::builder().start().await.unwrap());
    b.publish("echo", &EchoProxy::new(Plain));
    let talk = async {
        let (peer, _) = tokio::try_join!(a.attach(lazy(one)), b.attach(lazy(other)))?;
        let echo: EchoProxy = peer.root("echo").await?;
        echo.echo(vec![7; 200_000]).await
    };
    let echoed = tokio::time::timeout(Duration::from_secs(20), talk).await.expect("no answer in 20 s");
    assert_eq!(echoed.unwrap(), vec![7; 200_000]);
    a.shutdown().await;
    b.shutdown().await;
}
