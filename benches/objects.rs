//! What remote objects cost: many are made by calls (64 in flight), held, called here and there, and dropped at once; two processes
//! over loopback.
//!
//! `cargo bench --bench objects`; `OBJECTS=1000000 RUNTIME=mt ROUNDS=5` for other numbers. The two sides by themselves, for a profiler:
//! `objects server` prints where it is, `objects client ADDRESS` does the work. Compare ratios within one run; times on a shared
//! machine mean nothing by themselves.
#![expect(missing_docs, clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rmi::{Node, RemoteError, remote};
use tokio::runtime::{Builder, Runtime};

/// How many calls are in flight while objects are made.
const IN_FLIGHT: usize = 64;

#[remote]
pub trait Item {
    async fn number(&self) -> Result<u64, RemoteError>;
}

#[remote]
pub trait Maker {
    async fn make(&self) -> Result<ItemProxy, RemoteError>;
    async fn live(&self) -> Result<u64, RemoteError>;
    async fn process(&self) -> Result<u32, RemoteError>;
}

struct Numbered(u64, Arc<AtomicU64>);

impl Item for Numbered {
    async fn number(&self) -> Result<u64, RemoteError> {
        Ok(self.0)
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Factory {
    live: Arc<AtomicU64>,
}

impl Maker for Factory {
    async fn make(&self) -> Result<ItemProxy, RemoteError> {
        let number = self.live.fetch_add(1, Ordering::Relaxed);
        Ok(ItemProxy::new(Numbered(number, self.live.clone())))
    }
    async fn live(&self) -> Result<u64, RemoteError> {
        Ok(self.live.load(Ordering::Relaxed))
    }
    async fn process(&self) -> Result<u32, RemoteError> {
        Ok(std::process::id())
    }
}

/// A process: how much memory is resident, in bytes, and how much time it has computed.
struct Usage {
    resident: f64,
    computed: Duration,
}

impl Usage {
    fn of(process: u32) -> Self {
        let read =
            |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
        let resident = read("status")
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        // Nanoseconds of every thread that there is; those that have ended are not counted.
        let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        let computed = tasks.filter_map(|task| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        Self {
            resident: resident.unwrap_or_default() * 1024.0,
            computed: Duration::from_nanos(computed.sum()),
        }
    }
}

fn runtime() -> Runtime {
    let mut builder = match std::env::var("RUNTIME").as_deref() {
        Ok("mt") => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    builder.enable_all().build().unwrap()
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Serves until its standard input ends.
fn server() {
    runtime().block_on(async {
        let node = Node::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
        node.publish("maker", &MakerProxy::new(Factory::default()));
        println!("{}", node.addresses()[0]);
        tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop)).await.unwrap();
        node.shutdown().await;
    });
}

async fn make(maker: &MakerProxy, total: usize) -> Vec<ItemProxy> {
    let share = |of: usize| total / IN_FLIGHT + usize::from(of < total % IN_FLIGHT);
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|of| {
            let (maker, count) = (maker.clone(), share(of));
            tokio::spawn(async move {
                let mut items = Vec::with_capacity(count);
                for _ in 0..count {
                    items.push(maker.make().await.unwrap());
                }
                items
            })
        })
        .collect();
    let mut held = Vec::with_capacity(total);
    for task in tasks {
        held.extend(task.await.unwrap());
    }
    held
}

/// How much of both processes' time a call of one of them takes, in nanoseconds, many in flight.
async fn call(item: &ItemProxy, processes: [u32; 2]) -> f64 {
    const CALLS: usize = 2_000;
    let computed = || processes.map(|process| Usage::of(process).computed).iter().sum::<Duration>();
    let before = computed();
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let item = item.clone();
            tokio::spawn(async move {
                for _ in 0..CALLS {
                    item.number().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    (computed() - before).as_nanos() as f64 / (CALLS * IN_FLIGHT) as f64
}

/// Drops them, and returns how long it took until all were freed.
async fn free(maker: &MakerProxy, held: Vec<ItemProxy>) -> (Duration, Duration) {
    let start = Instant::now();
    drop(held);
    let dropped = start.elapsed();
    while maker.live().await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (dropped, start.elapsed())
}

async fn round(maker: &MakerProxy, total: usize) {
    let processes = [maker.process().await.unwrap(), std::process::id()];
    let usage = || processes.map(Usage::of);
    let one = make(maker, 1).await;
    call(&one[0], processes).await;
    let alone = call(&one[0], processes).await;
    free(maker, one).await;
    let (start, before) = (Instant::now(), usage());
    let held = make(maker, total).await;
    let (made, after) = (start.elapsed(), usage());
    // What waits to be acknowledged goes first.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let resting = usage();
    let mut sum = 0;
    for item in held.iter().step_by((total / 50).max(1)) {
        sum += item.number().await.unwrap();
    }
    assert!(total < 100 || sum > 0);
    let among = match held.first() {
        Some(first) => call(first, processes).await,
        None => alone,
    };
    let called = usage();
    let (dropped, freed) = free(maker, held).await;
    let last = usage();
    let per = |value: f64| value / total.max(1) as f64;
    let bytes = |side: usize| per(resting[side].resident - before[side].resident);
    let left = |side: usize| per(last[side].resident - before[side].resident);
    let micros = |a: &[Usage; 2], b: &[Usage; 2], side: usize| {
        per((b[side].computed - a[side].computed).as_secs_f64() * 1e6)
    };
    println!(
        "{total} objects: {:.0} made/s, {:.2} + {:.2} us a piece (owner + holder); {:.0} + {:.0} bytes a piece; \
         a call takes {:.2} times what it does with one object; \
         dropped in {:.1} ms, all freed after {:.1} ms, {:.2} + {:.2} us a piece; {:.0} + {:.0} bytes a piece left",
        total as f64 / made.as_secs_f64(),
        micros(&before, &after, 0),
        micros(&before, &after, 1),
        bytes(0),
        bytes(1),
        among / alone,
        dropped.as_secs_f64() * 1e3,
        freed.as_secs_f64() * 1e3,
        micros(&called, &last, 0),
        micros(&called, &last, 1),
        left(0),
        left(1),
    );
}

fn client(address: &str) {
    let (total, rounds) = (number("OBJECTS", 100_000), number("ROUNDS", 1));
    runtime().block_on(async {
        let node = Node::builder().start().await.unwrap();
        let maker: MakerProxy = node.root(address, "maker").await.unwrap();
        let few = make(&maker, 200).await;
        free(&maker, few).await;
        for _ in 0..rounds {
            round(&maker, total).await;
        }
        drop(maker);
        node.shutdown().await;
    });
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server"] => server(),
        ["client", address] => client(address),
        _ => {
            // Each round in processes of its own: memory that was used once is not asked for again.
            for _ in 0..number("ROUNDS", 3) {
                let own = std::env::current_exe().unwrap();
                let mut server = Command::new(&own)
                    .arg("server")
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap();
                let mut address = String::new();
                BufReader::new(server.stdout.take().unwrap()).read_line(&mut address).unwrap();
                let client =
                    Command::new(&own).args(["client", address.trim()]).env("ROUNDS", "1").status().unwrap();
                drop(server.stdin.take());
                server.wait().unwrap();
                assert!(client.success());
            }
        }
    }
}
