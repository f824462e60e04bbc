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
    /// What dialers say waits; what the node says flows.
    HoldThere,
    /// What the node says waits; what dialers say flows.
    HoldBack,
    /// Connections are closed at once.
    Refuse,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    There,
    Back,
}

impl Mode {
    fn holds(self, direction: Direction) -> bool {
        match self {
            Self::Hold => true,
            Self::HoldThere => direction == Direction::There,
            Self::HoldBack => direction == Direction::Back,
            _ => false,
        }
    }
}

pub(crate) struct Relay {
    pub(crate) address: String,
    socket: PathBuf,
    mode: watch::Sender<Mode>,
    /// Connections older than this are cut.
    generation: watch::Sender<u64>,
    /// Connections older than this are mute.
    stranded: watch::Sender<u64>,
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
        let stranded = watch::Sender::new(0);
        let senders = (mode.clone(), generation.clone(), released.clone(), stranded.clone());
        let task = tokio::spawn(accept(listener, socket.clone(), senders));
        Self { address, socket, mode, generation, stranded, released, task }
    }

    /// The socket at which the relay expects the node.
    pub(crate) fn socket(&self) -> &std::path::Path {
        &self.socket
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

    /// What dialers say waits; what the node says flows.
    pub(crate) fn hold_there(&self) {
        self.mode.send_replace(Mode::HoldThere);
    }

    /// What the node says waits; what dialers say flows.
    pub(crate) fn hold_back(&self) {
        self.mode.send_replace(Mode::HoldBack);
    }

    /// Connections there are stay open and never carry a byte again; new ones can be made.
    pub(crate) fn strand(&self) {
        self.stranded.send_modify(|stranded| *stranded += 1);
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
    (mode, generation, released, stranded): (
        watch::Sender<Mode>,
        watch::Sender<u64>,
        watch::Sender<u64>,
        watch::Sender<u64>,
    ),
) {
    while let Ok((near, _)) = listener.accept().await {
        let (socket, mode, mut generation) = (socket.clone(), mode.subscribe(), generation.subscribe());
        let (mut released, mut stranded) = (released.subscribe(), stranded.subscribe());
        tokio::spawn(async move {
            if *mode.borrow() == Mode::HoldNew {
                let before = *released.borrow();
                released.wait_for(|now| *now > before).await.ok()?;
            }
            let (born, afloat) = (*generation.borrow(), *stranded.borrow());
            let flow = connect(near, socket, mode);
            tokio::pin!(flow);
            let stuck = async {
                if stranded.wait_for(|now| *now > afloat).await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                ended = &mut flow => return ended,
                () = cut(&mut generation, born) => return None,
                () = stuck => {}
            }
            // The halves live on in `flow`, which is not polled any more.
            cut(&mut generation, born).await;
            None
        });
    }
}

async fn cut(generation: &mut watch::Receiver<u64>, born: u64) {
    // The relay is gone: that cuts, too.
    let _ = generation.wait_for(|now| *now > born).await;
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
        () = copy(near_in, far_out, mode.clone(), Direction::There) => {}
        () = copy(far_in, near_out, mode, Direction::Back) => {}
    }
    Some(())
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut mode: watch::Receiver<Mode>,
    direction: Direction,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(n @ 1..) = from.read(&mut buffer).await else { return };
        let flowing = mode.wait_for(|mode| !mode.holds(direction)).await.is_ok();
        if !flowing || to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
