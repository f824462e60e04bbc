//! Remote objects: made by many tasks at once, held, dropped.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::window::Mark;
use super::{Makes, Object};
use crate::machine::{cpu_of, own_cpu, resident};
use crate::workload::Job;

const MAKERS: usize = 64;

/// The servant is one `u64` in every peer that counts its memory by RSS; what the owner's figure is without it.
const SERVANT: f64 = size_of::<u64>() as f64;

/// A few objects, made and dropped.
pub async fn warm_up(client: &mut impl Makes) -> Result<()> {
    let mut held = Vec::new();
    for _ in 0..200 {
        held.push(client.make().await?);
    }
    drop(held);
    let start = Instant::now();
    while client.live().await? > 0 && start.elapsed() < Duration::from_secs(10) {
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Makes `share` objects, one after the other.
pub async fn maker<C: Makes>(mut client: C, share: usize) -> Result<Vec<C::Object>> {
    let mut made = Vec::with_capacity(share);
    for _ in 0..share {
        made.push(client.make().await?);
    }
    Ok(made)
}

pub struct Making {
    total: usize,
    server: u32,
    resident: (f64, f64),
    start: Mark,
}

impl Making {
    pub fn start(job: &Job) -> Self {
        let resident = (resident(job.server), resident(std::process::id()));
        Self { total: job.amount.objects, server: job.server, resident, start: Mark::now(job) }
    }

    /// How many objects each maker makes.
    pub fn shares(&self) -> impl Iterator<Item = usize> + use<> {
        let total = self.total;
        (0..MAKERS).map(move |maker| total / MAKERS + usize::from(maker < total % MAKERS))
    }

    /// The figures: what was made is held while memory is counted, and dropped.
    pub async fn hold_and_drop<C: Makes>(self, mut client: C, held: Vec<C::Object>) -> Result<Value> {
        let window = self.start.window();
        let total = self.total as f64;
        sleep(Duration::from_millis(200)).await;
        let live = client.live().await?;
        ensure!(live == self.total as u64 && held.len() == self.total, "{live} objects are alive");
        let owner = resident(self.server) - self.resident.0;
        let holder = resident(std::process::id()) - self.resident.1;
        for object in held.iter().step_by((self.total / 50).max(1)) {
            object.get().await?;
        }
        let (dropped, own, server) = (Instant::now(), own_cpu(), cpu_of(&[self.server]));
        drop(held);
        let drop_s = dropped.elapsed().as_secs_f64();
        let mut left = u64::MAX;
        while left > 0 && dropped.elapsed() < Duration::from_secs(60) {
            left = client.live().await?;
            if left > 0 {
                sleep(Duration::from_millis(2)).await;
            }
        }
        let free_s = dropped.elapsed().as_secs_f64();
        let free_cpu = own_cpu() - own + cpu_of(&[self.server]) - server;
        let after = resident(self.server) - self.resident.0;
        Ok(json!({
            "objects": self.total,
            "calls_per_s": total / window.seconds,
            "cpu_us": (window.client_cpu + window.server_cpu) * 1e6 / total,
            "server_bytes_per_obj": owner / total - SERVANT,
            "client_bytes_per_obj": holder / total,
            "server_bytes_per_obj_after": after / total,
            "drop_call_s": drop_s,
            "free_s": free_s,
            "free_cpu_us": free_cpu * 1e6 / total,
            "left": left,
            "foreign_pct": window.foreign,
        }))
    }
}
