//! What is explored, each configuration for something. The large ones have more than a million states each.

use crate::config::{Budget, Config, NodeAt, O, X, Y};

const NONE: Budget =
    Budget { references: 0, uses: 0, cancels: 0, fragments: 0, breaks: 0, ends: 0, crashes: 0, leaves: 0 };

/// Owner and holder, references both ways, and connections that break and resume.
pub fn resumption() -> Config {
    Config { budget: Budget { references: 3, uses: 1, breaks: 1, ..NONE }, ..Config::two("resumption") }
}

/// The same, until a connection breaks while it is being resumed.
pub fn resumption_twice() -> Config {
    Config { budget: Budget { references: 2, breaks: 2, ..NONE }, ..Config::two("resumption, twice") }
}

/// Sessions that end, at either side first.
pub fn expiry() -> Config {
    let budget = Budget { references: 2, uses: 1, breaks: 1, ends: 2, ..NONE };
    Config { budget, replies: true, ..Config::two("expiry") }
}

/// Two sessions between two nodes, dialed from both sides.
pub fn crossed() -> Config {
    let budget = Budget { references: 2, breaks: 1, ends: 1, ..NONE };
    Config { budget, sessions: vec![(X, O), (O, X)], ..Config::two("crossed sessions") }
}

/// Calls with answers that carry references, and callers that give up.
pub fn calls() -> Config {
    let budget = Budget { references: 2, uses: 2, cancels: 1, breaks: 1, ..NONE };
    Config { budget, replies: true, results: true, ..Config::two("calls") }
}

/// Messages in two frames.
pub fn fragments() -> Config {
    let budget = Budget { references: 2, fragments: 2, breaks: 1, ends: 1, ..NONE };
    Config { budget, routes: vec![(O, X)], replies: true, ..Config::two("fragments") }
}

/// Two objects, one of each node.
pub fn two_objects() -> Config {
    Config { budget: Budget { references: 4, ..NONE }, objects: vec![O, X], ..Config::two("two objects") }
}

/// Hand-offs among three, without faults.
pub fn hand_off() -> Config {
    Config { budget: Budget { references: 4, uses: 1, ..NONE }, ..Config::three("hand-off") }
}

/// A hand-off whose caller gives up.
pub fn hand_off_cancelled() -> Config {
    let budget = Budget { references: 2, cancels: 1, ..NONE };
    Config { budget, replies: true, routes: forth(), ..Config::three("hand-off, cancelled") }
}

/// A hand-off with connections that break and resume.
pub fn hand_off_resumed() -> Config {
    let budget = Budget { references: 2, breaks: 1, ..NONE };
    Config { budget, ..Config::three("hand-off, resumed") }
}

/// A hand-off while the receiver's session with the owner ends.
pub fn hand_off_expired() -> Config {
    let budget = Budget { references: 3, breaks: 1, ends: 1, ..NONE };
    let (sessions, fragile) = (vec![(X, O), (X, Y), (Y, O)], vec![(Y, O)]);
    let routes = vec![(O, X), (X, Y), (Y, O)];
    Config { budget, sessions, fragile, routes, ..Config::three("hand-off, expired") }
}

/// A hand-off while any session ends.
pub fn hand_off_any_expired() -> Config {
    let budget = Budget { references: 2, breaks: 1, ends: 1, ..NONE };
    Config { budget, routes: forth(), ..Config::three("hand-off, any session expired") }
}

/// A hand-off while anyone crashes.
pub fn hand_off_crash() -> Config {
    let budget = Budget { references: 2, crashes: 1, ..NONE };
    Config { budget, routes: forth(), mortal: vec![O, X, Y], ..Config::three("hand-off, crash") }
}

/// A hand-off while anyone leaves with a Bye.
pub fn hand_off_bye() -> Config {
    let budget = Budget { references: 2, breaks: 1, leaves: 1, ..NONE };
    Config { budget, routes: forth(), mortal: vec![O, X, Y], ..Config::three("hand-off, Bye") }
}

/// From the owner to `X` and on to `Y`.
pub fn forth() -> Vec<(NodeAt, NodeAt)> {
    vec![(O, X), (X, Y)]
}

pub fn large_resumption() -> Config {
    Config {
        budget: Budget { references: 4, uses: 2, breaks: 3, ..NONE },
        ..Config::two("resumption, large")
    }
}

pub fn large_crossed() -> Config {
    let budget = Budget { references: 3, uses: 1, breaks: 1, ends: 2, ..NONE };
    Config { budget, sessions: vec![(X, O), (O, X)], ..Config::two("crossed sessions, large") }
}

pub fn large_calls() -> Config {
    let budget = Budget { references: 2, uses: 1, cancels: 1, fragments: 1, breaks: 1, ends: 1, ..NONE };
    Config { budget, replies: true, results: true, ..Config::two("calls, large") }
}

pub fn large_hand_off() -> Config {
    Config { budget: Budget { references: 6, ..NONE }, ..Config::three("hand-off, large") }
}

pub fn large_hand_off_resumed() -> Config {
    Config {
        budget: Budget { references: 3, uses: 1, breaks: 2, ..NONE },
        ..Config::three("hand-off, resumed, large")
    }
}

pub fn large_hand_off_expired() -> Config {
    let budget = Budget { references: 3, uses: 1, breaks: 1, ends: 2, ..NONE };
    Config { budget, routes: forth(), ..Config::three("hand-off, expired, large") }
}

pub fn large_hand_off_crash() -> Config {
    let budget = Budget { references: 3, breaks: 1, ends: 1, crashes: 1, ..NONE };
    Config { budget, routes: forth(), mortal: vec![O, X, Y], ..Config::three("hand-off, crash, large") }
}
