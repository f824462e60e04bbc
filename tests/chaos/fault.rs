//! What breaks: the order of faults follows from a seed.

use std::collections::BTreeMap;
use std::fmt;

use crate::support::Random;

/// Breaks connections.
pub(crate) trait Faults {
    /// One more fault, and a pause until the next one. A fault may last beyond that.
    fn strike(&mut self, random: &mut Random) -> impl Future<Output = ()>;

    /// Ends all faults.
    fn heal(&mut self) -> impl Future<Output = ()>;

    /// What was done.
    fn counts(&mut self) -> impl Future<Output = String>;
}

/// How often what was done.
#[derive(Default)]
pub(crate) struct Counts(BTreeMap<&'static str, usize>);

impl Counts {
    pub(crate) fn count(&mut self, fault: &'static str) {
        *self.0.entry(fault).or_default() += 1;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: usize = self.0.values().sum();
        write!(f, "{total} faults (")?;
        for (at, (fault, times)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{times} {fault}")?;
        }
        write!(f, ")")
    }
}

/// One of `choices`, each as likely as its weight says.
pub(crate) fn choose<T: Copy>(random: &mut Random, choices: &[(usize, T)]) -> T {
    let mut at = random.below(choices.iter().map(|(weight, _)| weight).sum());
    for (weight, choice) in choices {
        match at.checked_sub(*weight) {
            Some(rest) => at = rest,
            None => return *choice,
        }
    }
    unreachable!("`at` is below the sum of the weights")
}

/// A number of milliseconds, of which short ones are more likely.
pub(crate) fn ms(random: &mut Random, least: usize, most: usize) -> u64 {
    let range = most - least;
    (least + random.below(range + 1).min(random.below(range + 1))) as u64
}
