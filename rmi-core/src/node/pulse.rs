//! A thread that has nodes look from time to time whether a servant keeps a thread that others wait for.
//!
//! Their runtimes cannot do that by themselves. One thread of a multi-thread runtime waits for sockets and timers. When something arrives, that thread
//! executes what waits for it and hands its watch over to nobody: while it computes, nothing arrives and no timer rings, although other
//! threads sleep. The task that it woke last waits for just that thread, too. But what comes from outside of the runtime wakes another thread, and that one keeps
//! watch from then on. (Go has such a thread for the same reason, *sysmon*.)

use std::sync::Weak;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::runtime::Handle;

use crate::node::core::Core;

/// How often a node looks at least, and at least how often while a lease lasts.
const SELDOM: Duration = Duration::from_secs(1);
const LOOKS: u32 = 8;

/// How much time is between two looks of a node with this lease, unless other nodes need it to be less.
pub(crate) fn pause(lease: Duration) -> Duration {
    SELDOM.min(lease / LOOKS)
}

/// A node's part in it: it looks while this lives.
#[derive(Debug)]
pub(crate) struct Pulse(Option<u64>);

/// Of this process.
struct Heart {
    state: Mutex<State>,
    /// There is another node, which may be more impatient.
    added: Condvar,
}

struct State {
    nodes: Vec<Beat>,
    next: u64,
    beating: bool,
}

/// Of a node.
struct Beat {
    number: u64,
    core: Weak<Core>,
    runtime: Handle,
    pause: Duration,
}

static HEART: Heart =
    Heart { state: Mutex::new(State { nodes: Vec::new(), next: 0, beating: false }), added: Condvar::new() };

impl Pulse {
    /// `lease`: what is to be kept alive. A runtime with a single thread has no other that could look.
    pub(crate) fn new(core: Weak<Core>, runtime: &Handle, lease: Duration) -> Self {
        if runtime.metrics().num_workers() < 2 {
            return Self(None);
        }
        let mut state = HEART.state.lock();
        let number = state.next;
        state.next += 1;
        state.nodes.push(Beat { number, core, runtime: runtime.clone(), pause: pause(lease) });
        if !state.beating {
            let thread = thread::Builder::new().name("rmi-pulse".into()).spawn(beat);
            let thread = thread.inspect_err(|error| tracing::warn!(%error, "no thread for the pulse"));
            state.beating = thread.is_ok();
        }
        drop(state);
        HEART.added.notify_one();
        Self(Some(number))
    }

    /// Whether there is one: the runtime has several threads.
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if let Some(number) = self.0 {
            let mut state = HEART.state.lock();
            let node = state.nodes.iter().position(|beat| beat.number == number);
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
        let Some(pause) = state.nodes.iter().map(|beat| beat.pause).min() else {
            state.beating = false;
            return;
        };
        HEART.added.wait_for(&mut state, pause);
        let nodes: Vec<_> =
            state.nodes.iter().map(|beat| (beat.runtime.clone(), beat.core.clone())).collect();
        MutexGuard::unlocked(&mut state, || {
            for (runtime, core) in nodes {
                runtime.spawn(async move {
                    if let Some(core) = core.upgrade() {
                        core.watch.look();
                    }
                });
            }
        });
    }
}
