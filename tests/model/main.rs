//! A model of the distributed garbage collection and of resumption (PROTOCOL 7 and 8), explored state by state with stateright.
//!
//! The tables are the real ones (`rmi_core::internal::gc`); what is around them, sessions and connections above all, is modelled in
//! `rules`, after `rmi-core/src/session` and `rmi-core/src/node`. `property` says what is checked and why that is sound,
//! `scenario` what is explored, `mutant` which rules are left out to see the checks fail. ARCHITECTURE.md says what is not modelled.
//!
//! * `cargo test --test model -- --nocapture` prints the numbers of states.
//! * `RMI_MODEL_LARGE=1` explores the large scenarios as well, of more than a million states each.
//! * `RMI_MODEL_TRACE=1` prints the steps that lead to where each mutant is caught; for a failure they are printed anyway.
#![expect(unreachable_pub, reason = "modules of one test")]
#![expect(clippy::panic, reason = "a test")]

mod action;
mod circle;
mod config;
mod lease;
mod model;
mod mutant;
mod property;
mod rules;
mod scenario;
mod state;

use model::{fails, holds};
use mutant::Mutant;
use rules::Mark;

#[test]
fn resumption() {
    holds(scenario::resumption(), &[Mark::Crossed, Mark::Home, Mark::Replayed, Mark::Fenced]);
}

#[test]
fn resumption_twice() {
    holds(scenario::resumption_twice(), &[Mark::Replayed, Mark::Fenced, Mark::Late]);
}

#[test]
fn expiry() {
    holds(scenario::expiry(), &[Mark::Expired, Mark::OwnerEnd, Mark::AskedAgain, Mark::Gone]);
}

#[test]
fn crossed_sessions() {
    holds(scenario::crossed(), &[Mark::TwoEntries, Mark::AskedAgain]);
}

#[test]
fn calls() {
    holds(scenario::calls(), &[Mark::Result, Mark::Cancelled, Mark::Home]);
}

#[test]
fn fragments() {
    holds(scenario::fragments(), &[Mark::Aborted, Mark::Crossed, Mark::Replayed]);
}

#[test]
fn two_objects() {
    holds(scenario::two_objects(), &[Mark::Crossed, Mark::Home]);
}

#[test]
fn hand_off() {
    holds(scenario::hand_off(), &[Mark::Confirmed, Mark::Crossed, Mark::Home]);
}

#[test]
fn hand_off_cancelled() {
    holds(scenario::hand_off_cancelled(), &[Mark::Cancelled, Mark::Confirmed]);
}

#[test]
fn hand_off_resumed() {
    holds(scenario::hand_off_resumed(), &[Mark::Replayed, Mark::Fenced, Mark::Confirmed]);
}

#[test]
fn hand_off_expired() {
    holds(scenario::hand_off_expired(), &[Mark::Expired, Mark::AskedAgain, Mark::Confirmed]);
}

#[test]
fn hand_off_any_expired() {
    holds(scenario::hand_off_any_expired(), &[Mark::Gone, Mark::Expired, Mark::OwnerEnd]);
}

#[test]
fn hand_off_crash() {
    holds(scenario::hand_off_crash(), &[Mark::Gone, Mark::Unreachable, Mark::OwnerEnd]);
}

#[test]
fn hand_off_bye() {
    holds(scenario::hand_off_bye(), &[Mark::Bye, Mark::Gone, Mark::OwnerEnd]);
}

#[test]
fn every_run_ends() {
    for config in
        [scenario::expiry(), scenario::calls(), scenario::hand_off_any_expired(), scenario::hand_off_bye()]
    {
        let name = config.name;
        assert!(!circle::has_circle(config), "{name}: a run may go on for ever");
    }
}

#[test]
fn every_mutant_is_caught() {
    for mutant in Mutant::ALL {
        let (config, property) = mutant.trial();
        fails(config, mutant, property);
    }
}

#[test]
fn large_resumption() {
    large(scenario::large_resumption());
}

#[test]
fn large_crossed() {
    large(scenario::large_crossed());
}

#[test]
fn large_calls() {
    large(scenario::large_calls());
}

#[test]
fn large_hand_off() {
    large(scenario::large_hand_off());
}

#[test]
fn large_hand_off_resumed() {
    large(scenario::large_hand_off_resumed());
}

#[test]
fn large_hand_off_expired() {
    large(scenario::large_hand_off_expired());
}

#[test]
fn large_hand_off_crash() {
    large(scenario::large_hand_off_crash());
}

fn large(config: config::Config) {
    if std::env::var_os("RMI_MODEL_LARGE").is_some() {
        holds(config, &[]);
    }
}
