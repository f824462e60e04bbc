//! A job farm: workers register themselves, and clients submit jobs. A job travels by value, a worker by reference, and so
//! does the client's `Progress`: it goes to the farm and on to a worker, which then calls the client directly. A worker that
//! goes away in the middle of a job is noticed, and the job is given to another. Run it with `cargo run --example job_farm`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::{ops::Range, sync::Arc};

use rmi::{Node, RemoteError, remote};
use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, sync::Notify, sync::mpsc, task::JoinSet};

/// A job is to count the primes in a range.
type Job = Range<u64>;

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
enum JobError {
    #[error("the farm is closed")]
    Closed,
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

#[remote]
trait Farm {
    async fn register(&self, worker: WorkerProxy) -> Result<(), JobError>;
    async fn submit(&self, job: Job, progress: ProgressProxy) -> Result<u64, JobError>;
}

#[remote]
trait Worker {
    async fn run(&self, job: &Job, progress: &ProgressProxy) -> Result<u64, JobError>;
}

#[remote]
trait Progress {
    async fn advance(&self, numbers: u64) -> Result<(), RemoteError>;
}

/// The farm's servant: a queue of idle workers.
struct Idle {
    put: mpsc::UnboundedSender<WorkerProxy>,
    take: Mutex<mpsc::UnboundedReceiver<WorkerProxy>>,
}

impl Farm for Idle {
    async fn register(&self, worker: WorkerProxy) -> Result<(), JobError> {
        self.put.send(worker).map_err(|_| JobError::Closed)
    }

    async fn submit(&self, job: Job, progress: ProgressProxy) -> Result<u64, JobError> {
        loop {
            let worker = self.take.lock().await.recv().await.ok_or(JobError::Closed)?;
            match worker.run(&job, &progress).await {
                // The call itself failed: the worker is gone. It may have begun, but to count twice does no harm.
                Err(JobError::Remote(lost)) if lost.origin().is_none() => println!("farm: {lost}"),
                done => return self.register(worker).await.and(done),
            }
        }
    }
}

struct Diligent;

impl Worker for Diligent {
    async fn run(&self, job: &Job, progress: &ProgressProxy) -> Result<u64, JobError> {
        let is_prime = |n: &u64| *n > 1 && (2..*n).all(|d| !n.is_multiple_of(d));
        let primes = job.clone().filter(is_prime).count();
        progress.advance(job.end - job.start).await?; // straight to the client
        Ok(primes as u64)
    }
}

/// A worker that begins and never ends: anything that is `Send` and `Sync` can be a servant.
impl Worker for Notify {
    async fn run(&self, _: &Job, _: &ProgressProxy) -> Result<u64, JobError> {
        self.notify_one();
        std::future::pending().await
    }
}

impl Progress for AtomicU64 {
    async fn advance(&self, numbers: u64) -> Result<(), RemoteError> {
        println!("client: {} numbers are done", self.fetch_add(numbers, Ordering::Relaxed) + numbers);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
    let (put, take) = mpsc::unbounded_channel();
    host.publish("farm", &FarmProxy::new(Idle { put, take: Mutex::new(take) }));
    let address = &host.addresses()[0];

    let begun = Arc::new(Notify::new());
    let mut nodes = Vec::new();
    let lazy = WorkerProxy::from_arc(begun.clone());
    for worker in [lazy, WorkerProxy::new(Diligent), WorkerProxy::new(Diligent)] {
        let node = Node::builder().start().await?;
        node.root::<FarmProxy>(address, "farm").await?.register(worker).await?;
        nodes.push(node); // accepts no connections: the farm calls the worker back over the one it made
    }
    // The client listens: workers, to which it has no connection, call its progress object.
    let client = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
    let farm: FarmProxy = client.root(address, "farm").await?;
    let done = Arc::new(AtomicU64::new(0));
    let progress = ProgressProxy::from_arc(done.clone());
    let mut jobs = JoinSet::new();
    for from in (0..10_000).step_by(1_000) {
        let (farm, progress) = (farm.clone(), progress.clone());
        jobs.spawn(async move { farm.submit(from..from + 1_000, progress).await });
    }
    begun.notified().await;
    nodes.remove(0); // stops the first worker's node, in the middle of its job
    let primes = jobs.join_all().await.into_iter().sum::<Result<u64, JobError>>()?;
    println!("client: {primes} primes below 10000");
    assert_eq!((primes, done.load(Ordering::Relaxed)), (1229, 10_000));
    Ok(())
}
