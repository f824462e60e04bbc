//! A node that was written after PROTOCOL.md alone, in Python, against nodes of this crate: `tests/stranger/`.
#![expect(missing_docs, reason = "a test")]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::time::Duration;

use rmi::{Limits, Node, RemoteError, remote};
use serde::{Deserialize, Serialize};
use support::shelf::{Item as _, ItemProxy, Population, Site, close_down};
use support::{Result, address, all_zero, eventually, start, within};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The stranger, doing one of its scenarios; killed when dropped.
struct Stranger {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Stranger {
    /// `None`, and says so: there is no python3 here.
    fn start(scenario: &str, nodes: &[&Node]) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stranger/checks.py");
        let mut command = Command::new("python3");
        command.args(["-B", "-u", script, scenario]).args(nodes.iter().map(|node| address(node)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        match command.spawn() {
            Ok(mut child) => {
                let stdin = child.stdin.take().unwrap();
                let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
                Some(Self { child, stdin, stdout })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                println!("SKIPPED: {scenario}: there is no python3 here");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn line(&mut self) -> Option<String> {
        let line = within(self.stdout.next_line()).await.unwrap();
        if let Some(line) = &line {
            println!("{line}");
        }
        line
    }

    /// Waits until the stranger waits at this point.
    #[track_caller]
    fn at(&mut self, point: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            loop {
                let line = self.line().await.unwrap_or_else(|| panic!("{place}: the stranger failed"));
                match line.strip_prefix("at ") {
                    Some(reached) if reached == point => return,
                    Some(other) => panic!("{place}: the stranger is at {other}, not at {point}"),
                    None => {}
                }
            }
        }
    }

    /// Lets it go on.
    async fn go(&mut self) {
        self.stdin.write_all(b"go\n").await.unwrap();
    }

    /// Waits until it has done all its checks; `least`: so many there are.
    async fn done(mut self, least: usize) {
        let mut checks = 0;
        while let Some(line) = self.line().await {
            assert!(!line.starts_with("at "), "it waits: {line}");
            checks += usize::from(line.starts_with("ok "));
        }
        assert!(within(self.child.wait()).await.unwrap().success(), "a check of the stranger failed");
        assert!(checks >= least, "{checks} checks, not {least}");
    }
}

#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum DeskError {
    #[error("closed")]
    Closed,
    #[error("{missing} are missing")]
    Short { missing: u32 },
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Payment {
    Cash,
    Card(u64),
    Split(u32, u32),
    Cheque { bank: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    lines: Vec<(String, i32)>,
    note: Option<String>,
    payment: Payment,
    prices: HashMap<String, f64>,
}

/// A desk.
#[remote]
pub trait Desk {
    /// Adds.
    async fn add(&self, a: u64, b: u64) -> Result<u64>;
    async fn greet(&self, name: &str) -> Result<String>;
    async fn reverse(&self, data: Vec<u8>) -> Result<Vec<u8>>;
    async fn sort(&self, words: Vec<String>) -> Result<Vec<String>>;
    async fn count(&self, words: Vec<String>) -> Result<BTreeMap<String, u64>>;
    async fn order(&self, order: Order) -> Result<Order>;
    async fn fail(&self, how: u32) -> std::result::Result<(), DeskError>;
    async fn fault(&self, item: &ItemProxy) -> std::result::Result<(), DeskError>;
    async fn panic(&self) -> Result<()>;
    /// Calls an item twice at a time.
    async fn ping_twice(&self, item: ItemProxy) -> Result<(u64, u64)>;
    /// Never returns.
    async fn stall(&self) -> Result<()>;
}

struct Clerk;

impl Desk for Clerk {
    async fn add(&self, a: u64, b: u64) -> Result<u64> {
        Ok(a.wrapping_add(b))
    }
    async fn greet(&self, name: &str) -> Result<String> {
        Ok(format!("hello, {name}"))
    }
    async fn reverse(&self, mut data: Vec<u8>) -> Result<Vec<u8>> {
        data.reverse();
        Ok(data)
    }
    async fn sort(&self, mut words: Vec<String>) -> Result<Vec<String>> {
        words.sort();
        Ok(words)
    }
    async fn count(&self, words: Vec<String>) -> Result<BTreeMap<String, u64>> {
        let mut counts = BTreeMap::new();
        for word in words {
            *counts.entry(word).or_default() += 1;
        }
        Ok(counts)
    }
    async fn order(&self, order: Order) -> Result<Order> {
        assert_eq!(order.prices.len(), order.lines.len(), "a price for every line");
        Ok(order)
    }
    async fn fail(&self, how: u32) -> std::result::Result<(), DeskError> {
        match how {
            0 => Err(DeskError::Closed),
            missing => Err(DeskError::Short { missing }),
        }
    }
    async fn fault(&self, item: &ItemProxy) -> std::result::Result<(), DeskError> {
        item.ping(0).await?;
        Ok(())
    }
    #[expect(clippy::panic, reason = "it is what is tested")]
    async fn panic(&self) -> Result<()> {
        panic!("as it was told to");
    }
    async fn ping_twice(&self, item: ItemProxy) -> Result<(u64, u64)> {
        tokio::try_join!(item.ping(1), item.ping(2))
    }
    async fn stall(&self) -> Result<()> {
        std::future::pending().await
    }
}

/// A node with a shelf and a desk.
async fn site(lease_ms: u64, limits: Limits) -> Site {
    let builder = Node::builder().listen("tcp://127.0.0.1:0").lease(Duration::from_millis(lease_ms));
    let node = start(builder.limits(limits).handshake_timeout(Duration::from_millis(500))).await;
    node.publish("desk", &DeskProxy::new(Clerk));
    Site::at(node)
}

#[tokio::test]
async fn values() {
    let site = site(30_000, Limits::default()).await;
    let Some(stranger) = Stranger::start("values", &[&site.node]) else { return };
    stranger.done(1).await;
}

#[tokio::test]
#[ignore]
async fn explore() {
    let a = site(30_000, Limits::default()).await;
    let b = site(30_000, Limits::default()).await;
    let small = Limits { frame: 1024, table: 4096, message: 100_000, references: 3, calls: 2, ring: 65_536, objects: 2, partial: 5000 };
    let c = site(600, small).await;
    std::fs::write("/tmp/stranger.addr", format!("{} {} {}", address(&a.node), address(&b.node), address(&c.node))).unwrap();
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        if std::fs::remove_file("/tmp/stranger.stats").is_ok() {
            println!("A {:#?} alive {}", a.node.stats(), a.alive());
            println!("C {:#?} alive {}", c.node.stats(), c.alive());
        }
    }
}
