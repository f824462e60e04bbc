//! What a client measures. Peers bring a handle that implements [`Calls`]; the callers, the window of time and the figures are
//! the same for all.

pub mod calls;
pub mod mixed;
pub mod objects;
pub mod phase;
pub mod window;

use anyhow::Result;
use bytes::Bytes;

/// A handle of one connection, shared by all callers.
pub trait Calls: Clone {
    async fn add(&mut self, a: u64, b: u64) -> Result<u64>;
    /// The length of what came back.
    async fn echo(&mut self, data: &Bytes) -> Result<usize>;
}

/// A peer that has remote objects.
pub trait Makes: Clone {
    type Object: Object;
    async fn make(&mut self) -> Result<Self::Object>;
    /// Objects that the server has made and not dropped yet.
    async fn live(&mut self) -> Result<u64>;
}

/// A reference that keeps its object at the server alive.
pub trait Object {
    async fn get(&self) -> Result<u64>;
}

/// The calls of a workload, made in tasks that `$spawn` starts: `tokio::spawn`, or `spawn_local` for a peer whose futures are not `Send`.
#[macro_export]
macro_rules! drive {
    ($spawn:path, $client:expr, $job:expr) => {{
        use $crate::measure::{calls, mixed};
        use $crate::workload::{SMALL, TRANSFERS, Workload};
        let (client, job) = ($client, $job);
        if job.workload == Workload::Mixed {
            let alone = $crate::phase!($spawn, client, &[SMALL], job);
            let transfers = $crate::phase!($spawn, client, &[TRANSFERS], job);
            let both = $crate::phase!($spawn, client, &[SMALL, TRANSFERS], job);
            mixed::figures(alone, transfers, both)
        } else {
            let shape = job.workload.shape().ok_or_else(|| anyhow::anyhow!("no calls in this workload"))?;
            calls::figures($crate::phase!($spawn, client, &[shape], job), shape)
        }
    }};
}

/// One phase: callers of these shapes at once, a warm-up, a window.
#[macro_export]
macro_rules! phase {
    ($spawn:path, $client:expr, $shapes:expr, $job:expr) => {{
        let phase = $crate::measure::phase::Phase::new($shapes);
        let mut callers = Vec::new();
        for (crew, shape) in phase.shapes() {
            for index in 0..shape.inflight {
                let caller = $crate::measure::calls::caller(phase.clone(), $client.clone(), crew, index);
                callers.push($spawn(caller));
            }
        }
        phase.run(callers, &$job).await?
    }};
}

/// Objects made by 64 tasks, held and dropped.
#[macro_export]
macro_rules! drive_objects {
    ($spawn:path, $client:expr, $job:expr) => {{
        use $crate::measure::objects;
        let (mut client, job) = ($client, $job);
        objects::warm_up(&mut client).await?;
        let making = objects::Making::start(&job);
        let makers = making.shares().map(|share| $spawn(objects::maker(client.clone(), share)));
        let makers: Vec<_> = makers.collect();
        let mut held = Vec::with_capacity(job.amount.objects);
        for maker in makers {
            held.extend(maker.await??);
        }
        making.hold_and_drop(client, held).await?
    }};
}
