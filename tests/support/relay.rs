//! A relay between dialers and a node, which a test can stop, hold up and cut.

use std::path::PathBuf;

use rmi::{Builder, Node};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Flow,
    /// Bytes wait; new connections are accepted, and wait.
    Hold,
    /// New connections are accepted, and wait until they are released.
    HoldNew,
    /// Connections are closed at once.
    Refuse,
}

pub(crate) struct Relay {
    pub(crate) address: String,
    socket: PathBuf,
    mode: watch::Sender<Mode>,
    /// Connections older than this are cut.
    generation: watch::Sender<u64>,
    released: watch::Sender<u64>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

impl Relay {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let socket = std::env::temp_dir().join(format!("rmi-{}.sock", uuid::Uuid::new_v4().simple()));
        let mode = watch::Sender::new(Mode::Flow);
        let (generation, released) = (watch::Sender::new(0), watch::Sender::new(0));
        let senders = (mode.clone(), generation.clone(), released.clone());
        let task = tokio::spawn(accept(listener, socket.clone(), senders));
        Self { address, socket, mode, generation, released, task }
    }

    /// Configures the node that others reach through the relay alone.
    pub(crate) fn builder(&self) -> Builder {
        Node::builder().listen(format!("unix://{}", self.socket.display())).advertise(&self.address)
    }

    /// Closes all connections; new ones can be made.
    pub(crate) fn cut(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Bytes and new connections wait.
    pub(crate) fn hold(&self) {
        self.mode.send_replace(Mode::Hold);
    }

    /// New connections wait, also when bytes flow again, until they are [released](Self::release).
    pub(crate) fn hold_new(&self) {
        self.mode.send_replace(Mode::HoldNew);
    }

    pub(crate) fn release(&self) {
        self.released.send_modify(|released| *released += 1);
    }

    pub(crate) fn flow(&self) {
        self.mode.send_replace(Mode::Flow);
    }

    /// Closes all connections, and new ones as soon as they are made.
    pub(crate) fn refuse(&self) {
        self.mode.send_replace(Mode::Refuse);
        self.cut();
    }
}

async fn accept(
    listener: TcpListener,
    socket: PathBuf,
    (mode, generation, released): (watch::Sender<Mode>, watch::Sender<u64>, watch::Sender<u64>),
) {
    while let Ok((near, _)) = listener.accept().await {
        let (socket, mode, mut generation) = (socket.clone(), mode.subscribe(), generation.subscribe());
        let mut released = released.subscribe();
        tokio::spawn(async move {
            if *mode.borrow() == Mode::HoldNew {
                let before = *released.borrow();
                released.wait_for(|now| *now > before).await.ok()?;
            }
            let born = *generation.borrow();
            tokio::select! {
                ended = connect(near, socket, mode) => ended,
                _ = generation.wait_for(|now| *now > born) => None,
            }
        });
    }
}

async fn connect(near: TcpStream, socket: PathBuf, mut mode: watch::Receiver<Mode>) -> Option<()> {
    let now = *mode.wait_for(|mode| *mode != Mode::Hold).await.ok()?;
    if now == Mode::Refuse {
        return None;
    }
    let far = UnixStream::connect(socket).await.ok()?;
    near.set_nodelay(true).ok()?;
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    // The first end closes both directions.
    tokio::select! {
        () = copy(near_in, far_out, mode.clone()) => {}
        () = copy(far_in, near_out, mode) => {}
    }
    Some(())
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut mode: watch::Receiver<Mode>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(n @ 1..) = from.read(&mut buffer).await else { return };
        let flowing = mode.wait_for(|mode| *mode != Mode::Hold).await.is_ok();
        if !flowing || to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
