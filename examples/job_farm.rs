//! A job farm: workers register themselves, clients submit jobs, and the worker itself tells them how far it is.
//!
//! A job travels by value, workers and progress objects by reference: a client's `Progress` goes to the farm and on
//! to a worker, which then calls the client directly. A worker that goes away in the middle of a job is noticed, and
//! the job is given to another.
//!
//! Run it with `cargo run --example job_farm`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rmi::{Node, RemoteError, remote};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::JoinSet;

/// Counts the primes from `from` up to, and without, `to`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Job {
    from: u64,
    to: u64,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
enum JobError {
    #[error("{0:?} ends before it begins")]
    Backwards(Job),
    #[error("the farm is closed")]
    Closed,
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

#[remote]
trait Farm {
    /// Offers a worker. It is kept as long as it answers.
    async fn register(&self, worker: WorkerProxy) -> Result<(), JobError>;
    /// Has some worker do the job, as soon as one is idle.
    async fn submit(&self, job: Job, progress: ProgressProxy) -> Result<u64, JobError>;
}

#[remote]
trait Worker {
    async fn run(&self, job: Job, progress: &ProgressProxy) -> Result<u64, JobError>;
}

#[remote]
trait Progress {
    async fn advance(&self, numbers: u64) -> Result<(), RemoteError>;
}

/// The farm: a queue of idle workers.
struct Idle {
    put: mpsc::UnboundedSender<WorkerProxy>,
    take: Mutex<mpsc::UnboundedReceiver<WorkerProxy>>,
}

impl Farm for Idle {
    async fn register(&self, worker: WorkerProxy) -> Result<(), JobError> {
        println!("farm: a worker offers itself, {worker:?}");
        self.put.send(worker).map_err(|_| JobError::Closed)
    }

    async fn submit(&self, job: Job, progress: ProgressProxy) -> Result<u64, JobError> {
        loop {
            let worker = self.take.lock().await.recv().await.ok_or(JobError::Closed)?;
            match worker.run(job, &progress).await {
                // The call failed, rather than something that the worker did. It may have begun: counting again does
                // no harm. The proxy is dropped here, which is all it takes to forget a worker.
                Err(JobError::Remote(lost)) if lost.origin().is_none() => println!("farm: {lost}"),
                done => {
                    self.put.send(worker).map_err(|_| JobError::Closed)?;
                    return done;
                }
            }
        }
    }
}

struct Diligent;

impl Worker for Diligent {
    async fn run(&self, job: Job, progress: &ProgressProxy) -> Result<u64, JobError> {
        if job.to < job.from {
            return Err(JobError::Backwards(job));
        }
        let is_prime = |n: &u64| *n > 1 && (2..).take_while(|d| d * d <= *n).all(|d| n % d != 0);
        let mut primes = 0;
        for from in (job.from..job.to).step_by(500) {
            let to = job.to.min(from + 500);
            primes += (from..to).filter(is_prime).map(|_| 1).sum::<u64>();
            progress.advance(to - from).await?; // straight to the client, at a third node
        }
        Ok(primes)
    }
}

/// Is gone before its first job is done.
struct Quitter(Arc<Notify>);

impl Worker for Quitter {
    async fn run(&self, _: Job, _: &ProgressProxy) -> Result<u64, JobError> {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[derive(Default)]
struct Counter(AtomicU64);

impl Progress for Counter {
    async fn advance(&self, numbers: u64) -> Result<(), RemoteError> {
        self.0.fetch_add(numbers, Ordering::Relaxed);
        Ok(())
    }
}

/// Starts a node with one worker. It needs no listener: the farm calls it back over the connection it made.
async fn hire(farm: &str, worker: WorkerProxy) -> Result<Node, Box<dyn std::error::Error>> {
    let node = Node::builder().start().await?;
    let farm: FarmProxy = node.root(farm, "farm").await?;
    farm.register(worker).await?;
    Ok(node)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (put, take) = mpsc::unbounded_channel();
    let host = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
    host.publish("farm", &FarmProxy::new(Idle { put, take: Mutex::new(take) }));
    let address = &host.addresses()[0];

    let begun = Arc::new(Notify::new());
    let quitter = hire(address, WorkerProxy::new(Quitter(begun.clone()))).await?;
    let _first = hire(address, WorkerProxy::new(Diligent)).await?;
    let _second = hire(address, WorkerProxy::new(Diligent)).await?;

    // The client listens, so that workers, to whom it has never spoken, can tell it how far they are.
    let client = Node::builder().listen("tcp://127.0.0.1:0").start().await?;
    let farm: FarmProxy = client.root(address, "farm").await?;
    let counter = Arc::new(Counter::default());
    let progress = ProgressProxy::from_arc(counter.clone());
    let mut jobs = JoinSet::new();
    for from in (0..10_000).step_by(1_000) {
        let (farm, progress, job) = (farm.clone(), progress.clone(), Job { from, to: from + 1_000 });
        jobs.spawn(async move { farm.submit(job, progress).await });
    }
    begun.notified().await;
    drop(quitter);

    let primes = jobs.join_all().await.into_iter().sum::<Result<u64, JobError>>()?;
    println!("{primes} primes below 10000");
    assert_eq!((primes, counter.0.load(Ordering::Relaxed)), (1229, 10_000));
    let refused = farm.submit(Job { from: 2, to: 1 }, progress).await;
    assert!(matches!(refused, Err(JobError::Backwards(_))), "{refused:?}");
    Ok(())
}
