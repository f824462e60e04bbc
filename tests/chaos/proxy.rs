//! Faults of a middle box: proxies before the nodes, that break connections in ways of their own. They need no rights.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::fault::{Counts, Faults, choose, ms};
use crate::support::Random;

/// One direction of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// To the node that accepts.
    Up,
    /// To the node that dials.
    Down,
}

/// What is done to a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Flow,
    Reset,
    Close,
    /// Passes on so many bytes of what comes next, and resets.
    Truncate(usize),
    /// Says the end one way; the other goes on.
    HalfClose(Way),
    /// Bytes wait.
    Stall(Way),
    /// Bytes vanish. Only a reset makes that good.
    Swallow(Way),
    /// A few bytes at a time.
    Trickle,
    /// Resets the end from which bytes flow this way; the other end notices nothing, and hears the last of them later.
    Orphan(Way),
}

/// Gives an order. Where bytes have vanished only an end may follow.
fn give(connection: &watch::Sender<Order>, order: Order) {
    connection.send_if_modified(|current| {
        let over = matches!(current, Order::Reset | Order::Close);
        let broken = matches!(current, Order::Swallow(_) | Order::HalfClose(_) | Order::Orphan(_));
        let obeyed = !over && (!broken || matches!(order, Order::Reset | Order::Close));
        if obeyed {
            *current = order;
        }
        obeyed
    });
}

/// What is done to those who connect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gate {
    Open,
    /// Nobody listens.
    Shut,
    /// They are hung up on at once.
    Rude,
    /// They hear nothing.
    Mute,
}

#[derive(Default)]
struct Shared {
    target: Mutex<Option<SocketAddr>>,
    /// Those that are open, and some that are no longer.
    connections: Mutex<Vec<watch::Sender<Order>>>,
    opened: AtomicUsize,
    bytes: AtomicU64,
}

/// Before one node.
pub(crate) struct Proxy {
    pub(crate) address: String,
    shared: Arc<Shared>,
    gate: watch::Sender<Gate>,
    task: AbortHandle,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.connections.lock().clear();
    }
}

impl Proxy {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let (shared, gate) = (Arc::<Shared>::default(), watch::Sender::new(Gate::Open));
        let task = tokio::spawn(accept(listener, gate.subscribe(), shared.clone())).abort_handle();
        Self { address, shared, gate, task }
    }

    /// Sets the node it stands before.
    pub(crate) fn lead_to(&self, target: SocketAddr) {
        *self.shared.target.lock() = Some(target);
    }

    /// One of the open connections.
    fn any(&self, random: &mut Random) -> Option<watch::Sender<Order>> {
        let mut connections = self.shared.connections.lock();
        connections.retain(|connection| connection.receiver_count() > 0);
        let len = connections.len();
        // The number of draws does not depend on how many there are.
        let drawn = random.below(1 << 16);
        (len > 0).then(|| connections[drawn % len].clone())
    }
}

async fn accept(listener: TcpListener, mut gate: watch::Receiver<Gate>, shared: Arc<Shared>) {
    let at = listener.local_addr().unwrap();
    let mut listener = Some(listener);
    loop {
        let now = *gate.borrow_and_update();
        match now {
            Gate::Shut => listener = None,
            _ if listener.is_none() => match TcpListener::bind(at).await {
                Ok(bound) => listener = Some(bound),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            },
            _ => {}
        }
        let arrived = tokio::select! {
            arrived = next(listener.as_ref()) => arrived,
            changed = gate.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let Ok((near, _)) = arrived else { continue };
        match now {
            Gate::Rude => drop(near),
            Gate::Mute => {
                let mut gate = gate.clone();
                tokio::spawn(async move {
                    let _ = gate.changed().await;
                    drop(near);
                });
            }
            _ => {
                tokio::spawn(connect(near, shared.clone()));
            }
        }
    }
}

async fn next(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

async fn connect(mut near: TcpStream, shared: Arc<Shared>) -> Option<()> {
    let target = *shared.target.lock();
    let mut far = TcpStream::connect(target?).await.ok()?;
    near.set_nodelay(true).ok()?;
    far.set_nodelay(true).ok()?;
    let (orders, obeyed) = watch::channel(Order::Flow);
    shared.connections.lock().push(orders);
    shared.opened.fetch_add(1, Ordering::Relaxed);
    {
        let ((near_in, near_out), (far_in, far_out)) = (near.split(), far.split());
        // The first end closes both directions.
        tokio::select! {
            () = pump(near_in, far_out, Way::Up, obeyed.clone(), &shared.bytes) => {}
            () = pump(far_in, near_out, Way::Down, obeyed.clone(), &shared.bytes) => {}
        }
    }
    let last = *obeyed.borrow();
    let (near, far) = match last {
        Order::Orphan(Way::Up) => (None, Some(orphan(near, far, obeyed).await?)),
        Order::Orphan(Way::Down) => (Some(orphan(far, near, obeyed).await?), None),
        _ => (Some(near), Some(far)),
    };
    if !matches!(last, Order::Flow | Order::Close) {
        near.iter().chain(&far).try_for_each(TcpStream::set_zero_linger).ok()?;
    }
    Some(())
}

/// Resets one end; the other one hears what was still to be passed on when it is too late.
async fn orphan(dead: TcpStream, alive: TcpStream, mut orders: watch::Receiver<Order>) -> Option<TcpStream> {
    let mut last_words = vec![0; 16 * 1024];
    let len = dead.try_read(&mut last_words).unwrap_or(0);
    dead.set_zero_linger().ok()?;
    drop(dead);
    let _ = orders.wait_for(|order| matches!(order, Order::Reset | Order::Close)).await;
    let _ = alive.try_write(&last_words[..len]);
    Some(alive)
}

/// Passes bytes on, one way, until an end or an order to end.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    way: Way,
    mut orders: watch::Receiver<Order>,
    passed: &AtomicU64,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let order = *orders.borrow_and_update();
        let room = match order {
            Order::Reset | Order::Close | Order::Orphan(_) => return,
            Order::HalfClose(shut) if shut == way => {
                let _ = to.shutdown().await;
                let _ = orders.changed().await;
                return;
            }
            Order::Stall(stalled) if stalled == way => match orders.changed().await {
                Ok(()) => continue,
                Err(_) => return,
            },
            Order::Truncate(bytes) => bytes,
            Order::Trickle => 9,
            _ => buffer.len(),
        };
        let read = tokio::select! {
            read = from.read(&mut buffer[..room]) => read,
            changed = orders.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let Ok(len @ 1..) = read else { return };
        if order == Order::Swallow(way) {
            continue;
        }
        let written = tokio::select! {
            written = to.write_all(&buffer[..len]) => written.is_ok(),
            // What is left of these bytes is lost.
            _ = orders.wait_for(|order| matches!(order, Order::Reset | Order::Close | Order::Orphan(_))) => false,
        };
        passed.fetch_add(len as u64, Ordering::Relaxed);
        match order {
            _ if !written => return,
            Order::Truncate(_) => return,
            Order::Trickle => tokio::time::sleep(Duration::from_millis(1)).await,
            _ => {}
        }
    }
}

/// The proxies before all nodes that listen.
pub(crate) struct Proxies {
    /// The first one is struck most.
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) counts: Counts,
}

impl Proxies {
    /// What is sent one way in the connections that are there vanishes, from now on.
    pub(crate) fn silence(&mut self, way: Way) {
        for proxy in &self.proxies {
            for connection in &*proxy.shared.connections.lock() {
                self.counts.count("silent connections");
                give(connection, Order::Swallow(way));
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Fault {
    Now(&'static str, Order),
    Truncate,
    /// For a while, one way.
    While(&'static str, fn(Way) -> Order, Order),
    Gate(&'static str, Gate),
}

const FAULTS: [(usize, Fault); 11] = [
    (40, Fault::Now("resets", Order::Reset)),
    (15, Fault::Now("closes", Order::Close)),
    (15, Fault::Truncate),
    (6, Fault::While("half-closes", Order::HalfClose, Order::Reset)),
    (6, Fault::While("resets at one end", Order::Orphan, Order::Close)),
    (6, Fault::While("stalls", Order::Stall, Order::Flow)),
    (6, Fault::While("one-way holes", Order::Swallow, Order::Reset)),
    (4, Fault::While("trickles", |_| Order::Trickle, Order::Flow)),
    (2, Fault::Gate("refusals", Gate::Shut)),
    (2, Fault::Gate("hang-ups", Gate::Rude)),
    (2, Fault::Gate("silences", Gate::Mute)),
];

impl Faults for Proxies {
    async fn strike(&mut self, random: &mut Random) {
        let last = self.proxies.len() - 1;
        let at = choose(random, &[(3, 0), (2, last)]);
        let proxy = &self.proxies[at];
        let connection = proxy.any(random);
        let order = |order| connection.iter().for_each(|to| give(to, order));
        match choose(random, &FAULTS) {
            Fault::Now(name, now) => {
                self.counts.count(name);
                order(now);
            }
            Fault::Truncate => {
                self.counts.count("truncations");
                order(Order::Truncate(1 + random.below(2000)));
            }
            Fault::While(name, first, then) => {
                self.counts.count(name);
                order(first(choose(random, &[(1, Way::Up), (1, Way::Down)])));
                let time = Duration::from_millis(ms(random, 10, 300));
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    connection.iter().for_each(|to| give(to, then));
                });
            }
            Fault::Gate(name, state) => {
                self.counts.count(name);
                proxy.gate.send_replace(state);
                let (gate, time) = (proxy.gate.clone(), Duration::from_millis(ms(random, 10, 500)));
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    gate.send_replace(Gate::Open);
                });
            }
        }
        tokio::time::sleep(Duration::from_millis(ms(random, 5, 60))).await;
    }

    async fn heal(&mut self) {
        for proxy in &self.proxies {
            proxy.gate.send_replace(Gate::Open);
            for connection in &*proxy.shared.connections.lock() {
                // Ends what cannot go on.
                give(connection, Order::Flow);
                if *connection.borrow() != Order::Flow {
                    give(connection, Order::Reset);
                }
            }
        }
    }

    async fn counts(&mut self) -> String {
        let shared = || self.proxies.iter().map(|proxy| &proxy.shared);
        let opened: usize = shared().map(|shared| shared.opened.load(Ordering::Relaxed)).sum();
        let bytes: u64 = shared().map(|shared| shared.bytes.load(Ordering::Relaxed)).sum();
        format!("{}; {opened} connections, {bytes} bytes", self.counts)
    }
}
