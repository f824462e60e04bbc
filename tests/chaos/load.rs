//! What the nodes do for each other: calls with unique ids, and references that are held for a while.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rmi::{RemoteError, remote};
use serde::{Deserialize, Serialize};

use crate::support::{Random, Result};

/// Calls at a time.
const IN_FLIGHT: usize = 64;

/// An operation makes at most so many calls.
const IDS: u64 = 16;

/// References that are held by the caller, and by each desk.
const HELD: usize = 200;

/// The right answer to the call `id`.
fn answer(id: u64) -> u64 {
    id.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23) ^ 0x5bd1_e995
}

/// Which calls were executed in this process.
#[derive(Debug, Default)]
pub(crate) struct Record {
    executions: Mutex<HashMap<u64, u32>>,
    tokens: AtomicUsize,
}

impl Record {
    fn execute(&self, id: u64) -> u64 {
        *self.executions.lock().entry(id).or_default() += 1;
        answer(id)
    }

    /// How many calls were executed.
    pub(crate) fn calls(&self) -> usize {
        self.executions.lock().len()
    }

    /// Calls that were executed more than once.
    pub(crate) fn repeated(&self) -> Vec<u64> {
        self.executions.lock().iter().filter(|(_, times)| **times > 1).map(|(id, _)| *id).collect()
    }

    /// Those of `ids` that were executed.
    pub(crate) fn executed(&self, ids: &[u64]) -> Vec<u64> {
        let executions = self.executions.lock();
        ids.iter().copied().filter(|id| executions.contains_key(id)).collect()
    }

    /// How many tokens of this process are alive.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens.load(Ordering::SeqCst)
    }
}

/// An object that is made for one purpose: to be referred to.
#[remote]
pub(crate) trait Token {
    async fn ask(&self, id: u64) -> Result<u64>;
}

struct Counted(Arc<Record>);

fn token(record: &Arc<Record>) -> TokenProxy {
    record.tokens.fetch_add(1, Ordering::SeqCst);
    TokenProxy::new(Counted(record.clone()))
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.tokens.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Token for Counted {
    async fn ask(&self, id: u64) -> Result<u64> {
        Ok(self.0.execute(id))
    }
}

/// Served by two of the nodes. Every method records `id`.
#[remote]
pub(crate) trait Desk {
    /// Returns the answer after a while.
    async fn note(&self, id: u64, ms: u64) -> Result<u64>;
    /// Returns the data back to front.
    async fn bulk(&self, id: u64, data: Vec<u8>) -> Result<Vec<u8>>;
    /// A new object.
    async fn make(&self, id: u64) -> Result<TokenProxy>;
    /// Asks `token`, by the call `inner`; keeps it for a while, or not.
    async fn consult(&self, id: u64, token: TokenProxy, inner: u64, keep: bool) -> Result<u64>;
    /// Returns what it got.
    async fn echo(&self, id: u64, token: TokenProxy) -> Result<TokenProxy>;
}

pub(crate) struct Clerk {
    record: Arc<Record>,
    kept: Mutex<VecDeque<TokenProxy>>,
}

impl Clerk {
    pub(crate) fn new(record: &Arc<Record>) -> Self {
        Self { record: record.clone(), kept: Mutex::default() }
    }
}

impl Desk for Clerk {
    async fn note(&self, id: u64, ms: u64) -> Result<u64> {
        let answer = self.record.execute(id);
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        Ok(answer)
    }
    async fn bulk(&self, id: u64, mut data: Vec<u8>) -> Result<Vec<u8>> {
        self.record.execute(id);
        data.reverse();
        Ok(data)
    }
    async fn make(&self, id: u64) -> Result<TokenProxy> {
        self.record.execute(id);
        Ok(token(&self.record))
    }
    async fn consult(&self, id: u64, token: TokenProxy, inner: u64, keep: bool) -> Result<u64> {
        self.record.execute(id);
        let told = token.ask(inner).await?;
        if keep {
            let oldest = {
                let mut kept = self.kept.lock();
                kept.push_back(token);
                (kept.len() > HELD).then(|| kept.pop_front())
            };
            drop(oldest);
        }
        Ok(told ^ answer(id))
    }
    async fn echo(&self, id: u64, token: TokenProxy) -> Result<TokenProxy> {
        self.record.execute(id);
        Ok(token)
    }
}

/// Where a call is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Place {
    A,
    B,
    C,
}

/// A call that was not answered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Failed {
    pub(crate) id: u64,
    pub(crate) place: Place,
    /// What the caller was told; `None`: the call was made by a servant whose own call failed.
    pub(crate) error: Option<RemoteError>,
}

/// What became of the calls.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Operations, each of one or more calls.
    pub(crate) operations: usize,
    /// Calls that returned, by where they were executed, those that servants made included.
    pub(crate) answered: HashMap<Place, usize>,
    pub(crate) failed: Vec<Failed>,
    /// Answers that were not right.
    pub(crate) wrong: Vec<String>,
}

/// The caller's side.
pub(crate) struct Load {
    pub(crate) b: DeskProxy,
    pub(crate) c: DeskProxy,
    pub(crate) record: Arc<Record>,
    pub(crate) held: Mutex<VecDeque<(Place, TokenProxy)>>,
    pub(crate) tally: Mutex<Tally>,
    next: AtomicU64,
    /// Calls made, those that servants were asked to make included.
    calls: AtomicU64,
}

impl Load {
    pub(crate) fn new(b: DeskProxy, c: DeskProxy, record: &Arc<Record>) -> Self {
        let record = record.clone();
        let (next, calls) = (AtomicU64::new(1), AtomicU64::new(0));
        Self { b, c, record, held: Mutex::default(), tally: Mutex::default(), next, calls }
    }

    /// Operations of so many calls, a number of them at a time.
    pub(crate) async fn run(self: Arc<Self>, calls: u64, seed: u64) {
        let end = self.calls.load(Ordering::SeqCst) + calls;
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..IN_FLIGHT {
            let load = self.clone();
            callers.spawn(async move {
                while load.calls.load(Ordering::SeqCst) < end {
                    let number = load.next.fetch_add(1, Ordering::SeqCst);
                    let mut random = Random::from_seed(seed ^ answer(number));
                    let chosen = random.below(20);
                    load.operate(number, chosen, &mut random).await;
                    load.tally.lock().operations += 1;
                }
            });
        }
        callers.join_all().await;
    }

    /// One operation of each kind at each desk, so that all sessions there will be are there.
    pub(crate) async fn warm_up(&self) {
        let mut random = Random::from_seed(1);
        for _ in 0..3 {
            for kind in 0..20 {
                let number = self.next.fetch_add(1, Ordering::SeqCst);
                self.operate(number, kind, &mut random).await;
            }
        }
    }

    async fn operate(&self, number: u64, kind: usize, random: &mut Random) {
        let mut ids = number * IDS..(number + 1) * IDS;
        let mut id = || ids.next().expect("fewer calls than ids");
        let (near, far) = match random.below(4) {
            0 => (Place::C, Place::B),
            _ => (Place::B, Place::C),
        };
        let done = match kind {
            0..=5 => self.note(near, id(), 0).await,
            6..=12 => self.note(near, id(), random.below(120) as u64).await,
            13 => self.bulk(near, id(), random).await,
            14 | 15 => self.make_and_ask(near, [id(), id()]).await,
            16 => {
                let own = token(&self.record);
                self.consult(near, id(), Place::A, &own, id(), random.below(2) == 0).await
            }
            17 | 18 => self.hand_over(near, far, [id(), id(), id()], random).await,
            _ => self.echo(near, far, [id(), id(), id()]).await,
        };
        // A call failed, which has been noted.
        let _ = done;
        let _ = self.let_one_go(id(), random).await;
    }

    fn desk(&self, place: Place) -> &DeskProxy {
        match place {
            Place::C => &self.c,
            _ => &self.b,
        }
    }

    /// Awaits a call, and notes what became of it.
    async fn call<T>(&self, place: Place, id: u64, call: impl Future<Output = Result<T>>) -> Option<T> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let result = call.await;
        let mut tally = self.tally.lock();
        match result {
            Ok(value) => {
                *tally.answered.entry(place).or_default() += 1;
                Some(value)
            }
            Err(error) => {
                tally.failed.push(Failed { id, place, error: Some(error) });
                None
            }
        }
    }

    fn check(&self, id: u64, right: bool) {
        if !right {
            self.tally.lock().wrong.push(format!("the answer to call {id}"));
        }
    }

    async fn note(&self, at: Place, id: u64, ms: u64) -> Option<()> {
        let told = self.call(at, id, self.desk(at).note(id, ms)).await?;
        self.check(id, told == answer(id));
        Some(())
    }

    async fn bulk(&self, at: Place, id: u64, random: &mut Random) -> Option<()> {
        let len = random.below(120_000);
        let mut data = random.bytes(len);
        let back = self.call(at, id, self.desk(at).bulk(id, data.clone())).await?;
        data.reverse();
        self.check(id, back == data);
        Some(())
    }

    async fn make_and_ask(&self, at: Place, ids: [u64; 2]) -> Option<()> {
        let token = self.call(at, ids[0], self.desk(at).make(ids[0])).await?;
        self.ask(at, &token, ids[1]).await?;
        self.hold(at, token);
        Some(())
    }

    async fn ask(&self, at: Place, token: &TokenProxy, id: u64) -> Option<()> {
        let told = self.call(at, id, token.ask(id)).await?;
        self.check(id, told == answer(id));
        Some(())
    }

    /// A desk asks a token of another node, or of this one.
    async fn consult(
        &self,
        at: Place,
        id: u64,
        of: Place,
        token: &TokenProxy,
        inner: u64,
        keep: bool,
    ) -> Option<()> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let told = self.call(at, id, self.desk(at).consult(id, token.clone(), inner, keep)).await;
        let Some(told) = told else {
            self.tally.lock().failed.push(Failed { id: inner, place: of, error: None });
            return None;
        };
        *self.tally.lock().answered.entry(of).or_default() += 1;
        self.check(id, told == answer(inner) ^ answer(id));
        Some(())
    }

    async fn hand_over(&self, near: Place, far: Place, ids: [u64; 3], random: &mut Random) -> Option<()> {
        let token = self.call(far, ids[0], self.desk(far).make(ids[0])).await?;
        self.consult(near, ids[1], far, &token, ids[2], random.below(2) == 0).await?;
        if random.below(2) == 0 {
            self.hold(far, token);
        }
        Some(())
    }

    async fn echo(&self, near: Place, far: Place, ids: [u64; 3]) -> Option<()> {
        let token = self.call(far, ids[0], self.desk(far).make(ids[0])).await?;
        let back = self.call(near, ids[1], self.desk(near).echo(ids[1], token.clone())).await?;
        self.check(ids[1], back == token);
        drop(token);
        self.ask(far, &back, ids[2]).await
    }

    fn hold(&self, at: Place, token: TokenProxy) {
        self.held.lock().push_back((at, token));
    }

    /// Drops the oldest of too many references; some are used once more.
    async fn let_one_go(&self, id: u64, random: &mut Random) -> Option<()> {
        let oldest = {
            let mut held = self.held.lock();
            (held.len() > HELD).then(|| held.pop_front()).flatten()
        };
        let (at, token) = oldest?;
        match random.below(2) {
            0 => self.ask(at, &token, id).await,
            _ => None,
        }
    }

    /// Uses every reference that is held, and drops those that do not work; how many were held, and how many worked.
    pub(crate) async fn use_all(&self) -> (usize, usize) {
        let held = std::mem::take(&mut *self.held.lock());
        let (before, mut working) = (held.len(), VecDeque::new());
        for (at, token) in held {
            let id = self.next.fetch_add(1, Ordering::SeqCst) * IDS;
            if self.ask(at, &token, id).await.is_some() {
                working.push_back((at, token));
            }
        }
        let counts = (before, working.len());
        *self.held.lock() = working;
        counts
    }

    /// Whether both desks answer now.
    pub(crate) async fn probe(&self) -> bool {
        let mut both = true;
        for place in [Place::B, Place::C] {
            let id = self.next.fetch_add(1, Ordering::SeqCst) * IDS;
            both &= self.note(place, id, 0).await.is_some();
        }
        both
    }
}
