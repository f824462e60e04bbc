//! Streams within this process.

use std::collections::HashMap;
use std::io;
use std::sync::LazyLock;

use parking_lot::Mutex;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// Bytes that may be under way in each direction.
const BUFFER: usize = 256 * 1024;

/// Connections that may wait to be accepted.
const BACKLOG: usize = 128;

static LISTENERS: LazyLock<Mutex<HashMap<String, mpsc::Sender<DuplexStream>>>> =
    LazyLock::new(Mutex::default);

/// Accepts streams at a name.
pub(super) struct MemoryListener {
    name: String,
    incoming: mpsc::Receiver<DuplexStream>,
}

impl MemoryListener {
    pub(super) fn bind(name: &str) -> io::Result<Self> {
        let (sender, incoming) = mpsc::channel(BACKLOG);
        let mut listeners = LISTENERS.lock();
        if listeners.get(name).is_some_and(|taken| !taken.is_closed()) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        listeners.insert(name.to_owned(), sender);
        Ok(Self { name: name.to_owned(), incoming })
    }

    pub(super) async fn accept(&mut self) -> io::Result<DuplexStream> {
        self.incoming.recv().await.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        // The name cannot have been taken over: this listener was open until now.
        LISTENERS.lock().remove(&self.name);
    }
}

pub(super) async fn connect(name: &str) -> io::Result<DuplexStream> {
    let listener = LISTENERS.lock().get(name).cloned().ok_or(io::ErrorKind::ConnectionRefused)?;
    let (near, far) = tokio::io::duplex(BUFFER);
    listener.send(far).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
    Ok(near)
}
