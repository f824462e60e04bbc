//! Faults of a network: packets are lost, late or answered by resets, interfaces go down.

use std::time::Duration;

use crate::fault::{Counts, Faults, choose, ms};
use crate::net::{HOSTS, Net};
use crate::support::Random;

pub(crate) struct Links {
    net: Net,
    counts: Counts,
}

#[derive(Clone, Copy)]
enum Fault {
    Reset,
    Orphan,
    Cut,
    OneWay,
    Lose,
    Slow,
    Down,
}

impl Links {
    pub(crate) fn new(net: Net) -> Self {
        Self { net, counts: Counts::default() }
    }

    /// Nothing passes between two hosts, in both directions.
    async fn cut(&mut self, x: &str, y: &str, ms: u64) {
        self.counts.count("cuts");
        self.net.tell(&format!("drop {x} {y} {ms}")).await;
        self.net.tell(&format!("drop {y} {x} {ms}")).await;
    }

    /// A host is cut off from both others.
    pub(crate) async fn isolate(&mut self, host: usize, time: Duration) {
        let ms = time.as_millis() as u64;
        for other in (0..HOSTS.len()).filter(|other| *other != host) {
            self.cut(HOSTS[host].0, HOSTS[other].0, ms).await;
        }
    }
}

impl Faults for Links {
    async fn strike(&mut self, random: &mut Random) {
        let faults = [
            (60, Fault::Reset),
            (16, Fault::Orphan),
            (3, Fault::Cut),
            (3, Fault::OneWay),
            (3, Fault::Lose),
            (6, Fault::Slow),
            (1, Fault::Down),
        ];
        let (x, y) = choose(random, &[(3, (0, 1)), (1, (1, 0)), (2, (0, 2)), (1, (1, 2)), (1, (2, 1))]);
        let (from, to) = (HOSTS[x].0, HOSTS[y].0);
        match choose(random, &faults) {
            Fault::Reset => {
                self.counts.count("resets");
                self.net.tell(&format!("reset {from} {to}")).await;
            }
            Fault::Orphan => {
                self.counts.count("resets at one end");
                self.net.tell(&format!("orphan {from} {to} {}", ms(random, 20, 1000))).await;
            }
            Fault::Cut => self.cut(from, to, ms(random, 20, 1000)).await,
            Fault::OneWay => {
                self.counts.count("one-way drops");
                self.net.tell(&format!("drop {from} {to} {}", ms(random, 20, 1000))).await;
            }
            Fault::Lose => {
                self.counts.count("lossy links");
                let (ms, percent) = (ms(random, 20, 500), random.below(30));
                self.net.tell(&format!("lose {from} {to} {ms} {percent}")).await;
            }
            Fault::Slow => {
                self.counts.count("slow links");
                let (ms, least, more) = (ms(random, 100, 800), random.below(20), random.below(10));
                self.net.tell(&format!("slow {from} {to} {ms} {least} {}", least + more)).await;
            }
            Fault::Down => {
                self.counts.count("interfaces down");
                self.net.interface(x, false);
                tokio::time::sleep(Duration::from_millis(ms(random, 10, 300))).await;
                self.net.interface(x, true);
            }
        }
        tokio::time::sleep(Duration::from_millis(ms(random, 10, 80))).await;
    }

    async fn heal(&mut self) {
        for (x, _) in HOSTS {
            for (y, _) in HOSTS {
                for rule in ["drop", "lose", "slow"] {
                    let values = if rule == "drop" { "" } else { "0 0" };
                    self.net.tell(&format!("{rule} {x} {y} 0 {values}")).await;
                }
            }
        }
    }

    async fn counts(&mut self) -> String {
        format!("{}; {}", self.counts, self.net.counts().await)
    }
}
