//! A thread that wakes the runtimes of nodes from time to time, so that a task that keeps its thread does not stop all others.
//!
//! One thread of a multi-thread runtime waits for sockets and timers. When something arrives, that thread executes what waits for it and hands
//! its watch over to nobody: while it computes, nothing arrives and no timer rings for the whole runtime, although its other threads
//! sleep. A task that comes from outside wakes one of those, and that one keeps watch from then on. (Go has such a thread for the same reason, *sysmon*.)

use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;

/// How long a runtime may stand still at most.
const SELDOM: Duration = Duration::from_secs(1);

/// A node's part in it: its runtime is woken while this lives.
#[derive(Debug)]
pub(crate) struct Pulse(Option<u64>);

/// Of this process.
struct Heart {
    state: Mutex<State>,
    /// There is another node, which may be more impatient.
    added: Condvar,
}

struct State {
    /// Nodes by number, each with its runtime and how often it wants that to be woken.
    nodes: Vec<(u64, Handle, Duration)>,
    next: u64,
    beating: bool,
}

static HEART: Heart = Heart {
    state: Mutex::new(State { nodes: Vec::new(), next: 0, beating: false }),
    added: Condvar::new(),
};

impl Pulse {
    /// `lease`: what is to be kept alive. A runtime with a single thread has no other that could be woken.
    pub(crate) fn of(runtime: &Handle, lease: Duration) -> Self {
        if runtime.metrics().num_workers() < 2 {
            return Self(None);
        }
        let mut state = HEART.state.lock();
        let number = state.next;
        state.next += 1;
        state.nodes.push((number, runtime.clone(), SELDOM.min(lease / 8)));
        if !state.beating {
            let thread = thread::Builder::new().name("rmi-pulse".into()).spawn(beat);
            state.beating = thread.inspect_err(|error| tracing::warn!(%error, "no thread for the pulse")).is_ok();
        }
        drop(state);
        HEART.added.notify_one();
        Self(Some(number))
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if let Some(number) = self.0 {
            let mut state = HEART.state.lock();
            let node = state.nodes.iter().position(|(known, ..)| *known == number);
            let node = node.map(|at| state.nodes.swap_remove(at));
            drop(state);
            // It may be the last handle of its runtime.
            drop(node);
        }
    }
}

/// Until no node is left.
fn beat() {
    let mut state = HEART.state.lock();
    loop {
        let Some(pause) = state.nodes.iter().map(|(_, _, pause)| *pause).min() else {
            state.beating = false;
            return;
        };
        HEART.added.wait_for(&mut state, pause);
        let mut runtimes: Vec<Handle> = Vec::new();
        for (_, runtime, _) in &state.nodes {
            if !runtimes.iter().any(|known| known.id() == runtime.id()) {
                runtimes.push(runtime.clone());
            }
        }
        parking_lot::MutexGuard::unlocked(&mut state, || {
            for runtime in runtimes {
                runtime.spawn(async {});
            }
        });
    }
}
