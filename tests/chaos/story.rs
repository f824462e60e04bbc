//! What is told of all three: they work, everything breaks, and in the end nothing is lost and nothing is left.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use rmi::RemoteError;

use crate::fault::Faults;
use crate::host::{Order, Stats, Told};
use crate::load::{Failed, Place, Tally};
use crate::support::{LIMIT, Random, now};

/// A thousand calls are done after so long, however busy the machine is.
const LIMIT_FOR_THOUSAND: Duration = Duration::from_secs(12);

/// The processes: a caller that does not listen, the registry with a desk, another desk.
pub(crate) struct Cast {
    pub(crate) a: Told,
    pub(crate) b: Told,
    pub(crate) c: Told,
}

/// How many calls, and what the faults follow from.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) calls: u64,
    pub(crate) seed: u64,
}

impl Size {
    /// `RMI_CHAOS_CALLS` and `RMI_CHAOS_SEED`, or so many, and a seed of chance.
    pub(crate) fn new(story: &str, calls: u64) -> Self {
        let number = |name| std::env::var(name).ok().map(|text| text.parse().expect(name));
        let seed = number("RMI_CHAOS_SEED").unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 32);
        println!("chaos, {story}: replay with RMI_CHAOS_SEED={seed}");
        Self { calls: number("RMI_CHAOS_CALLS").unwrap_or(calls), seed }
    }

    /// How long the load may take.
    fn limit(&self) -> Duration {
        LIMIT + LIMIT_FOR_THOUSAND * (self.calls / 1000) as u32
    }

    pub(crate) fn random(&self) -> Random {
        // Small seeds differ in few bits.
        Random::from_seed(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// Says something that is seen even if the test passes.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

impl Cast {
    fn at(&mut self, place: Place) -> &mut Told {
        match place {
            Place::A => &mut self.a,
            Place::B => &mut self.b,
            Place::C => &mut self.c,
        }
    }

    /// B serves the registry, C joins, A finds both.
    pub(crate) async fn assemble(&mut self) {
        self.b.tell::<()>(Order::Serve).await;
        let registry = self.b.addresses[0].clone();
        self.c.tell::<()>(Order::Join(registry.clone())).await;
        self.a.tell::<()>(Order::Find(registry)).await;
    }

    pub(crate) async fn begin(&mut self, size: &Size) {
        self.a.tell::<()>(Order::Load(size.calls, size.seed)).await;
    }

    pub(crate) async fn is_done(&mut self) -> bool {
        self.a.tell(Order::IsDone).await
    }

    /// Breaks everything until the load is done; how long that took.
    pub(crate) async fn strike_until_done(&mut self, size: &Size, faults: &mut impl Faults) -> Duration {
        let (start, mut random) = (now(), size.random());
        while !self.is_done().await {
            assert!(start.elapsed() < size.limit(), "it hangs: {:?}", self.all_stats().await);
            faults.strike(&mut random).await;
        }
        faults.heal().await;
        start.elapsed()
    }

    /// Waits for the load without breaking anything.
    pub(crate) async fn wait_until_done(&mut self, size: &Size) {
        let start = now();
        while !self.is_done().await {
            assert!(start.elapsed() < size.limit(), "it hangs: {:?}", self.all_stats().await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How often sessions went on over another connection.
    pub(crate) async fn resumed(&mut self) -> u64 {
        self.all_stats().await.iter().map(|stats| stats.resumed).sum()
    }

    async fn all_stats(&mut self) -> [Stats; 3] {
        [self.a.stats().await, self.b.stats().await, self.c.stats().await]
    }

    /// What became of the calls: none was executed twice; what was answered, was executed; what failed, as its error says.
    pub(crate) async fn account(&mut self) -> Tally {
        let tally = self.a.report().await;
        assert!(tally.wrong.is_empty(), "wrong answers: {:?}", tally.wrong);
        for place in [Place::A, Place::B, Place::C] {
            let failed: Vec<&Failed> = tally.failed.iter().filter(|failed| failed.place == place).collect();
            let ids: Vec<u64> = failed.iter().map(|failed| failed.id).collect();
            let executed: HashSet<u64> = self.at(place).tell(Order::Executed(ids)).await;
            for failed in failed {
                check_failure(failed, executed.contains(&failed.id));
            }
            let (calls, repeated): (usize, Vec<u64>) = self.at(place).tell(Order::Executions).await;
            assert!(repeated.is_empty(), "executed more than once at {place:?}: {repeated:?}");
            let answered = tally.answered.get(&place).copied().unwrap_or(0);
            assert_eq!(calls, answered + executed.len(), "calls executed at {place:?}");
        }
        tally
    }

    /// Drops everything; nothing is left, of anything, anywhere.
    pub(crate) async fn part(mut self) {
        for told in [&mut self.a, &mut self.c, &mut self.b] {
            told.tell::<()>(Order::Drop).await;
        }
        self.settle("references", |stats| stats.iter().all(Stats::is_quiet)).await;
        self.a.tell::<()>(Order::Shutdown).await;
        self.c.tell::<()>(Order::Shutdown).await;
        let idle = self.b.idle.clone();
        self.settle("sessions", |[a, b, c]| a.is_zero() && c.is_zero() && *b == idle).await;
        self.b.tell::<()>(Order::Shutdown).await;
        self.settle("anything", |stats| stats.iter().all(Stats::is_zero)).await;
    }

    async fn settle(&mut self, what: &str, condition: impl Fn(&[Stats; 3]) -> bool) {
        let start = now();
        loop {
            let stats = self.all_stats().await;
            if condition(&stats) {
                return;
            }
            assert!(start.elapsed() < LIMIT, "{what} left over: {stats:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// An error says truly whether its call was executed.
fn check_failure(failed: &Failed, executed: bool) {
    let Some(error) = &failed.error else { return };
    let documented = matches!(
        error.root_cause(),
        RemoteError::OutcomeUnknown { .. }
            | RemoteError::Unreachable { .. }
            | RemoteError::NoSuchObject { .. }
    );
    assert!(documented, "call {}: {error}", failed.id);
    assert!(!executed || error.may_have_executed(), "call {} was executed: {error}", failed.id);
    assert!(executed || error.origin().is_none(), "call {} was not executed: {error}", failed.id);
}

/// Says what became of how many calls.
pub(crate) fn print_counts(story: &str, size: &Size, tally: &Tally, took: Duration, faults: &str) {
    let answered = |place| tally.answered.get(&place).copied().unwrap_or(0);
    let by_place = [Place::A, Place::B, Place::C].map(answered);
    let mut failures: BTreeMap<String, usize> = BTreeMap::new();
    for failed in &tally.failed {
        let kind = failed.error.as_ref().map_or("made by servants whose call failed".into(), kind);
        *failures.entry(kind).or_default() += 1;
    }
    let failures: Vec<String> = failures.iter().map(|(kind, times)| format!(", {times} {kind}")).collect();
    say(&format!(
        "chaos, {story}: {} operations in {took:.1?} (RMI_CHAOS_CALLS={} RMI_CHAOS_SEED={})
  calls: {} answered and executed once ({} at a, {} at b, {} at c), {} failed{}
  {faults}",
        tally.operations,
        size.calls,
        size.seed,
        by_place.iter().sum::<usize>(),
        by_place[0],
        by_place[1],
        by_place[2],
        tally.failed.len(),
        failures.concat(),
    ));
}

fn kind(error: &RemoteError) -> String {
    let text = format!("{error:?}");
    let name = |text: &str| text.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
    match error.origin() {
        Some(_) => format!("Forwarded {}", name(&format!("{:?}", error.root_cause()))),
        None => name(&text),
    }
}
