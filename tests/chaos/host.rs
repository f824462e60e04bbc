//! The processes: one node each, and what it is told by a line on its stdin.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rmi::{Binding, Node, Registry, StartError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::load::{Clerk, DeskProxy, Load, Record, Tally};
use crate::support::child::{self, Process};

/// How a node is started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// Where it listens; of port 0 the process makes a free one.
    pub(crate) listen: Option<String>,
    /// What others are told instead.
    pub(crate) advertise: Option<String>,
    pub(crate) lease: Duration,
    pub(crate) window: Duration,
}

/// What a process has.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stats {
    pub(crate) sessions: usize,
    pub(crate) exports: usize,
    pub(crate) imports: usize,
    pub(crate) pins: usize,
    pub(crate) calls: usize,
    pub(crate) tokens: usize,
    /// Tasks above those that were there at the start.
    pub(crate) tasks: usize,
    /// File descriptors above those that were there at the start.
    pub(crate) descriptors: usize,
    /// How often the sessions that are there and that it dialed went on over another connection.
    pub(crate) resumed: u64,
}

impl Stats {
    /// Whether no reference is left and nothing is done.
    pub(crate) fn is_quiet(&self) -> bool {
        (self.exports, self.imports, self.pins, self.calls, self.tokens) == (0, 0, 0, 0, 0)
    }

    /// Whether nothing at all is left.
    pub(crate) fn is_zero(&self) -> bool {
        self.is_quiet() && (self.sessions, self.tasks, self.descriptors) == (0, 0, 0)
    }
}

/// What a process is told. The answer is a line of JSON, too.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Serves the registry and a desk. Answered by where the node listens.
    Serve,
    /// Serves a desk, bound in the registry there.
    Join(String),
    /// Finds the desks, and calls them.
    Find(String),
    /// Begins operations of so many calls, with this seed.
    Load(u64, u64),
    /// Whether they are over.
    IsDone,
    /// The [`Tally`].
    Report,
    /// How many calls were executed here, and which of them more than once.
    Executions,
    /// Which of these calls were executed here.
    Executed(Vec<u64>),
    /// Uses all references that are held, and drops those that do not work: how many there were, and how many work.
    UseAll,
    /// Whether the desks answer.
    Probe,
    /// Drops all references and takes back what is published.
    Drop,
    Stats,
    /// Shuts the node down.
    Shutdown,
}

impl Setup {
    /// With a port in place of 0, which nobody else has at this moment.
    fn with_port(&self) -> Self {
        let port = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let listen = self.listen.as_ref().map(|listen| match listen.strip_suffix(":0") {
            Some(host) => format!("{host}:{}", port()),
            None => listen.clone(),
        });
        Self { listen, ..self.clone() }
    }

    async fn start(&self) -> std::result::Result<Node, StartError> {
        let mut builder = Node::builder().lease(self.lease).reconnect_window(self.window);
        if let Some(listen) = &self.listen {
            builder = builder.listen(listen);
        }
        if let Some(advertise) = &self.advertise {
            builder = builder.advertise(advertise);
        }
        builder.start().await
    }
}

/// Tasks and file descriptors of this process.
fn usage() -> (usize, usize) {
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    (tasks, descriptors)
}

struct Host {
    /// Tasks and descriptors at the start.
    start: (usize, usize),
    listen: Option<String>,
    node: Option<Node>,
    record: Arc<Record>,
    desk: Option<DeskProxy>,
    binding: Option<Binding>,
    load: Option<Arc<Load>>,
    running: Option<JoinHandle<()>>,
}

/// The life of a process: does what it is told until nobody is there to tell it.
pub(crate) async fn live(setup: &str) {
    let setup: Setup = serde_json::from_str(setup).unwrap();
    let mut ears = child::ears();
    let mut host = Host::start(setup, usage()).await;
    child::say(&json((&host.listen, host.node().addresses())));
    while let Some(line) = child::hear(&mut ears).await {
        let answer = host.obey(serde_json::from_str(&line).unwrap()).await;
        child::say(&answer);
    }
}

fn json(value: impl Serialize) -> String {
    serde_json::to_string(&value).unwrap()
}

impl Host {
    async fn start(setup: Setup, start: (usize, usize)) -> Self {
        let mut attempts = 0;
        let (setup, node) = loop {
            attempts += 1;
            let setup = setup.with_port();
            match setup.start().await {
                Ok(node) => break (setup, node),
                Err(StartError::AddressInUse { .. }) if attempts < 10 => {}
                Err(error) => panic!("{error}"),
            }
        };
        Self {
            start,
            listen: setup.listen,
            node: Some(node),
            record: Arc::default(),
            desk: None,
            binding: None,
            load: None,
            running: None,
        }
    }

    fn node(&self) -> &Node {
        self.node.as_ref().expect("the node was shut down")
    }

    fn load(&self) -> &Arc<Load> {
        self.load.as_ref().expect("no desks were found")
    }

    async fn obey(&mut self, order: Order) -> String {
        match order {
            Order::Serve => {
                self.serve(Registry::serve(self.node()), "b").await;
                json(())
            }
            Order::Join(at) => {
                let registry = Registry::connect(self.node(), &at).await.unwrap();
                self.serve(registry, "c").await;
                json(())
            }
            Order::Find(at) => {
                let registry = Registry::connect(self.node(), &at).await.unwrap();
                let (b, c) = (registry.lookup("b").await.unwrap(), registry.lookup("c").await.unwrap());
                let load = Load::new(b, c, &self.record);
                load.warm_up().await;
                self.load = Some(Arc::new(load));
                json(())
            }
            Order::Load(calls, seed) => {
                self.running = Some(tokio::spawn(self.load().clone().run(calls, seed)));
                json(())
            }
            Order::IsDone => json(self.running.as_ref().is_none_or(JoinHandle::is_finished)),
            Order::Report => json(&*self.load().tally.lock()),
            Order::Executions => json((self.record.calls(), self.record.repeated())),
            Order::Executed(ids) => json(self.record.executed(&ids)),
            Order::UseAll => json(self.load().use_all().await),
            Order::Probe => json(self.load().probe().await),
            Order::Drop => {
                self.drop_all();
                json(())
            }
            Order::Stats => json(self.stats()),
            Order::Shutdown => {
                if let Some(node) = self.node.take() {
                    node.shutdown().await;
                }
                json(())
            }
        }
    }

    async fn serve(&mut self, registry: Registry, name: &str) {
        let desk = DeskProxy::new(Clerk::new(&self.record));
        self.binding = Some(registry.bind(name, &desk).await.unwrap());
        self.desk = Some(desk);
    }

    fn drop_all(&mut self) {
        self.load = None;
        self.running = None;
        self.binding = None;
        self.desk = None;
        self.node().unpublish("registry");
    }

    fn stats(&self) -> Stats {
        let (tasks, descriptors) = usage();
        let mut stats = Stats {
            tokens: self.record.tokens(),
            tasks: tasks.saturating_sub(self.start.0),
            descriptors: descriptors.saturating_sub(self.start.1),
            ..Stats::default()
        };
        if let Some(node) = &self.node {
            let node = node.stats();
            stats.sessions = node.sessions.len();
            // What peers have listed counts, too: an object that is gone may still be listed.
            stats.exports = node.exports + node.sessions.iter().map(|session| session.exports).sum::<usize>();
            (stats.imports, stats.pins) = (node.imports, node.pins);
            stats.calls = node.calls_running + node.calls_waiting;
            let dialed = node.sessions.iter().filter(|session| !session.inbound);
            stats.resumed = dialed.map(|session| session.resumed).sum();
        }
        stats
    }
}

/// The test's end of such a process.
pub(crate) struct Told {
    process: Process,
    listen: Option<String>,
    /// Where others dial its node.
    pub(crate) addresses: Vec<String>,
    /// What it had before anybody dialed it.
    pub(crate) idle: Stats,
}

impl Told {
    /// Starts one; `enter` puts the command into a namespace, or not.
    pub(crate) async fn start(setup: &Setup, enter: impl FnOnce(Command) -> Command) -> Self {
        let command = child::command("host", &json(setup));
        let mut process = Process::of(&mut enter(command));
        let (listen, addresses) = serde_json::from_str(&process.hear().await).unwrap();
        let mut told = Self { process, listen, addresses, idle: Stats::default() };
        told.idle = told.stats().await;
        told
    }

    pub(crate) fn listens_at(&self) -> SocketAddr {
        let listen = self.listen.as_ref().expect("it does not listen");
        listen.strip_prefix("tcp://").expect("TCP").parse().unwrap()
    }

    pub(crate) async fn tell<T: DeserializeOwned>(&mut self, order: Order) -> T {
        serde_json::from_str(&self.process.ask(&json(order)).await).unwrap()
    }

    pub(crate) async fn stats(&mut self) -> Stats {
        self.tell(Order::Stats).await
    }

    pub(crate) async fn report(&mut self) -> Tally {
        self.tell(Order::Report).await
    }
}
