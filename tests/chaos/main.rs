//! Chaos: three processes, ten thousand calls with unique ids, and a network that breaks many times a second.
//!
//! Every call is executed exactly once and answered rightly as long as a connection comes back within the reconnect window;
//! beyond it every call ends as documented. In the end nothing is left over: no object, reference, pin, session, task or
//! descriptor. The processes are in network namespaces of their own, joined by an emulator (`emulator.py`); where that
//! is not permitted, behind proxies on loopback alone.
//!
//! `RMI_CHAOS_CALLS` and `RMI_CHAOS_SEED` set the size, and the order of the faults.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod fault;
mod host;
mod link;
mod load;
mod net;
mod proxy;
mod story;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use fault::{Counts, Faults};
use host::{Order, Setup, Told};
use link::Links;
use load::Tally;
use net::{HOSTS, Net};
use proxy::{Proxies, Proxy, Way};
use story::{Cast, Size, print_counts, say};
use support::{child, now};

/// Breaks are shorter than these.
const PATIENT: (Duration, Duration) = (Duration::from_secs(12), Duration::from_secs(10));

/// Silence is noticed after two thirds of the lease.
const QUICK: (Duration, Duration) = (Duration::from_secs(6), Duration::from_secs(6));

/// Cuts are longer than these.
const IMPATIENT: (Duration, Duration) = (Duration::from_millis(1500), Duration::from_millis(1000));

fn setup(listen: Option<String>, (lease, window): (Duration, Duration)) -> Setup {
    Setup { listen, advertise: None, lease, window }
}

/// One of the processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of the others"]
async fn child() {
    if let Some((_role, setup)) = child::role() {
        host::live(&setup).await;
    }
}

/// A network in namespaces with one of our processes at each host, or a word about why not.
async fn in_namespaces(test: &str, times: (Duration, Duration)) -> Option<(Cast, Links)> {
    let net = match Net::new(test).await {
        Ok(net) => net,
        Err(reason) => {
            say(&format!("SKIPPED: chaos in network namespaces: {reason}"));
            return None;
        }
    };
    let listen = |host: usize| Some(format!("tcp://{}:7001", HOSTS[host].1));
    let mut told = Vec::new();
    for (host, listen) in [None, listen(1), listen(2)].into_iter().enumerate() {
        told.push(Told::start(&setup(listen, times), |command| net.enter(host, command)).await);
    }
    let [a, b, c] = <[Told; 3]>::try_from(told).ok()?;
    Some((Cast { a, b, c }, Links::new(net)))
}

/// Processes on loopback, with proxies before those that listen.
async fn behind_proxies(times: (Duration, Duration)) -> (Cast, Proxies) {
    let mut told = vec![Told::start(&setup(None, times), |command| command).await];
    let mut proxies = Vec::new();
    for _ in 0..2 {
        let proxy = Proxy::new().await;
        let advertise = Some(proxy.address.clone());
        let setup = Setup { advertise, ..setup(Some("tcp://127.0.0.1:0".into()), times) };
        let behind = Told::start(&setup, |command| command).await;
        proxy.lead_to(behind.listens_at());
        told.push(behind);
        proxies.push(proxy);
    }
    let [a, b, c] = <[Told; 3]>::try_from(told).ok().expect("three of them");
    (Cast { a, b, c }, Proxies { proxies, counts: Counts::default() })
}

/// Connections break many times a second and come back in time: nobody notices.
async fn nobody_notices(name: &str, mut cast: Cast, mut faults: impl Faults) {
    let size = Size::new(name, 10_000);
    cast.assemble().await;
    cast.begin(&size).await;
    let took = cast.strike_until_done(&size, &mut faults).await;
    let resumed = cast.resumed().await;
    let (held, working): (usize, usize) = cast.a.tell(Order::UseAll).await;
    let tally = cast.account().await;
    print_counts(name, &size, &tally, took, &format!("{resumed} resumes; {}", faults.counts().await));
    assert!(resumed >= size.calls / 400, "only {resumed} connections broke");
    no_failures(&tally);
    assert_eq!(working, held, "references that work");
    cast.part().await;
}

fn no_failures(tally: &Tally) {
    let failed = &tally.failed;
    assert!(failed.is_empty(), "{} calls failed: {:#?}", failed.len(), &failed[..failed.len().min(10)]);
}

#[tokio::test]
async fn calls_through_proxies_that_break() {
    let (cast, faults) = behind_proxies(PATIENT).await;
    nobody_notices("proxies", cast, faults).await;
}

/// Connections stay, and nothing comes through any more, one way: they are replaced in time.
#[tokio::test]
async fn calls_through_proxies_that_go_silent() {
    let (mut cast, mut faults) = behind_proxies(QUICK).await;
    let size = Size::new("silence", 3_000);
    cast.assemble().await;
    let start = now();
    for way in [Way::Up, Way::Down] {
        cast.begin(&Size { calls: size.calls / 2, ..size }).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        faults.silence(way);
        cast.wait_until_done(&size).await;
    }
    let (took, tally) = (start.elapsed(), cast.account().await);
    print_counts("silence", &size, &tally, took, &faults.counts().await);
    no_failures(&tally);
    cast.part().await;
}

#[tokio::test]
async fn calls_over_a_network_that_breaks() {
    let Some((cast, faults)) = in_namespaces("breaks", PATIENT).await else { return };
    nobody_notices("network", cast, faults).await;
}

/// Hosts are cut off for longer than anybody waits: every call ends as documented, and all is well afterwards.
#[tokio::test]
async fn calls_over_a_network_that_is_cut() {
    let Some((mut cast, mut faults)) = in_namespaces("cut", IMPATIENT).await else { return };
    let size = Size::new("cuts", 10_000);
    let mut random = size.random();
    cast.assemble().await;
    let start = now();
    for host in [1, 0, 2] {
        cast.begin(&Size { calls: size.calls / 3, ..size }).await;
        for _ in 0..5 {
            faults.strike(&mut random).await;
        }
        faults.isolate(host, IMPATIENT.0 * 2).await;
        cast.wait_until_done(&size).await;
    }
    faults.heal().await;
    let took = start.elapsed();
    support::within(async { while !cast.a.tell::<bool>(Order::Probe).await {} }).await;
    // Drops what was collected during the cuts.
    cast.a.tell::<(usize, usize)>(Order::UseAll).await;
    let tally = cast.account().await;
    print_counts("cuts", &size, &tally, took, &faults.counts().await);
    // Everything works again.
    cast.begin(&Size { calls: 500, ..size }).await;
    cast.wait_until_done(&size).await;
    let later = cast.account().await;
    assert!(later.failed.len() == tally.failed.len(), "calls failed later: {:#?}", later.failed.last());
    cast.part().await;
}
