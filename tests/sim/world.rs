//! The world: nodes, connections, one queue of events, one source of chance. Nothing here waits or reads a clock.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::rc::{Rc, Weak};
use std::time::Duration;

use rmi_core::internal::gc::SessionKey;
use rmi_core::internal::session::{Strand, Time};
use rmi_core::internal::wire::Limits;
use rmi_core::{NodeId, ObjectId};

use crate::bug::Bug;
use crate::dial::Failed;
use crate::event::Event;
use crate::handles::{Collected, Import, Object, Pinned, Proxy};
use crate::invariant::{Invariant, Violation};
use crate::log::Log;
use crate::net::Conn;
use crate::node::{Clock, Link, Node, address};
use crate::rng::Rng;
use crate::serve::{CallRecord, Running};

/// What a run is like. Everything else comes from the seed.
#[derive(Debug, Clone)]
pub struct Config {
    pub nodes: usize,
    /// Connections break, nodes crash, time is lost.
    pub faults: bool,
    /// Connections break again and again.
    pub breaks: bool,
    /// How many random actions.
    pub actions: u32,
    pub bug: Option<Bug>,
    /// Which invariants are checked; all if empty.
    pub only: Vec<Invariant>,
    /// Nothing happens by itself, and delays are constant.
    pub scripted: bool,
}

impl Config {
    pub fn checks(&self, invariant: Invariant) -> bool {
        self.only.is_empty() || self.only.contains(&invariant)
    }
}

/// What the world knows of an object.
#[derive(Debug)]
pub struct ObjectRecord {
    pub serial: u64,
    pub owner: usize,
    /// A fault touched a session that had to do with it: S3 and the strict S2 say nothing about it any more.
    pub tainted: bool,
}

pub struct World {
    pub config: Config,
    pub rng: Rng,
    pub now: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    sequence: u64,
    pub nodes: Vec<Node>,
    /// Which node runs at a place.
    pub slots: Vec<Option<usize>>,
    pub links: BTreeMap<SessionKey, Link>,
    pub conns: Vec<Conn>,
    pub logs: Vec<Log>,
    pub objects: BTreeMap<[u8; 16], ObjectRecord>,
    pub collected: Collected,
    /// All import handles that may be alive.
    pub imports: RefCell<Vec<Weak<Import>>>,
    pub calls: BTreeMap<u64, CallRecord>,
    pub running: BTreeMap<u64, Running>,
    next: u64,
    /// Random actions that are still to come.
    pub actions: u32,
    /// The longest ordinary delay of a frame.
    pub max_delay: u64,
    pub max_gap: u64,
    /// How long connections hold, on average.
    pub break_gap: u64,
    /// How long an attempt to resume may take.
    pub attempt_limit: u64,
    /// How long a detached session waits.
    pub patience: Duration,
    pub lease: Duration,
    pub limits: Limits,
    pub crashes: u32,
    /// A script holds up what goes from one node to another.
    pub paused: BTreeSet<(usize, usize)>,
    /// Until when a node is stopped.
    pub stopped: BTreeMap<usize, u64>,
    /// Which places do not reach each other, and until when.
    pub walls: Vec<(usize, usize, u64)>,
    pub violation: Option<Violation>,
    /// What happened, if somebody wants to read it.
    pub trace: Option<Vec<String>>,
    /// A hash of everything that was delivered: two runs of one seed are equal.
    pub digest: u64,
    pub steps: u64,
    /// What came about, and how often.
    pub reached: BTreeMap<&'static str, u64>,
    /// How often a planted bug did something.
    pub planted: u32,
    /// The last call of each strand to each object that was started, of each link.
    pub started: BTreeMap<(SessionKey, [u8; 16], Strand), u64>,
    /// Pins of the arguments of calls, for a planted bug.
    pub call_pins: Vec<(u64, Weak<Pinned>)>,
}

impl World {
    pub fn new(config: Config, seed: u64, traced: bool) -> Self {
        let mut rng = Rng::new(seed);
        let mut lease = Duration::from_millis([1000, 2000, 4000][rng.index(3)]);
        let faults = config.faults;
        let limits = Limits {
            frame: [1024, 8192][rng.index(2)],
            table: 4096,
            message: 65_536,
            references: 8,
            calls: [2, 8, 64][rng.index(3)],
            ring: 65_536,
            objects: if rng.chance(10) { 5 } else { 1000 },
            partial: 6_000,
        };
        let mut max_delay = [200, 3_000, 20_000, 60_000][rng.index(4)];
        let max_gap = [1_000, 10_000, 60_000, if faults { 400_000 } else { 60_000 }][rng.index(4)];
        let mut patience = lease / [4, 2, 1][rng.index(3)];
        let mut attempt_limit = max_delay * 3 + rng.below(lease.as_micros() as u64 / 3);
        if config.breaks {
            (lease, patience) = (Duration::from_millis(6000), Duration::from_millis(3000));
            (max_delay, attempt_limit) = (max_delay.min(20_000), 300_000);
        }
        // Below this nothing would ever come back in time.
        let break_gap = [20_000, 60_000, 200_000, 1_000_000][rng.index(4)].max(max_delay * 4);
        let mut world = Self {
            actions: config.actions,
            config,
            rng,
            now: 0,
            events: BinaryHeap::new(),
            sequence: 0,
            nodes: Vec::new(),
            slots: Vec::new(),
            links: BTreeMap::new(),
            conns: Vec::new(),
            logs: Vec::new(),
            objects: BTreeMap::new(),
            collected: Rc::default(),
            imports: RefCell::default(),
            calls: BTreeMap::new(),
            running: BTreeMap::new(),
            next: 0,
            max_delay,
            max_gap,
            break_gap,
            attempt_limit,
            patience,
            lease,
            limits,
            crashes: 0,
            paused: BTreeSet::new(),
            stopped: BTreeMap::new(),
            walls: Vec::new(),
            violation: None,
            trace: traced.then(Vec::new),
            digest: 0,
            steps: 0,
            reached: BTreeMap::new(),
            planted: 0,
            started: BTreeMap::new(),
            call_pins: Vec::new(),
        };
        if world.config.scripted {
            (world.lease, world.max_delay) = (Duration::from_millis(2000), 0);
            (world.patience, world.attempt_limit) = (Duration::from_millis(1000), 200_000);
            (world.limits.frame, world.limits.calls, world.limits.objects) = (1024, 64, 1000);
        }
        for slot in 0..world.config.nodes {
            world.slots.push(None);
            world.start(slot);
        }
        if !world.config.scripted {
            world.at(0, Event::Act);
            if world.config.breaks || (faults && world.rng.chance(50)) {
                world.at(0, Event::Break);
            }
        }
        world
    }

    /// A new node starts at a place.
    pub fn start(&mut self, slot: usize) {
        let scripted = self.config.scripted;
        let index = self.nodes.len();
        let id = NodeId::from_bytes(self.rng.id());
        // The last place may be one that nobody can dial.
        let listens = scripted || slot == 0 || slot + 1 < self.config.nodes || !self.rng.chance(25);
        let mut given = vec![address(slot)];
        if !scripted && self.rng.chance(10) {
            // An address at which another node answers.
            given.insert(0, address((slot + 1) % self.config.nodes));
        }
        if !listens {
            given.clear();
        }
        let clock = if scripted {
            Clock { offset: 0, rate: 1000 }
        } else {
            Clock { offset: 1 + self.rng.below(1 << 40), rate: 990 + self.rng.below(21) }
        };
        let node = Node {
            id,
            slot,
            listens,
            given,
            alive: true,
            draining: false,
            clock,
            limits: self.limits,
            lease: self.lease,
            exports: BTreeMap::new(),
            root: None,
            to_node: BTreeMap::new(),
            to_slot: BTreeMap::new(),
            asked_again: BTreeMap::new(),
            notices: Rc::default(),
            held: Vec::new(),
            callers: Vec::new(),
        };
        self.nodes.push(node);
        self.slots[slot] = Some(index);
        let root = self.create(index);
        self.nodes[index].root = Some(root);
        self.note(|| {
            format!("n{index} starts at place {slot}{}", if listens { "" } else { ", not listening" })
        });
    }

    /// A new object of a node.
    pub fn create(&mut self, node: usize) -> Proxy {
        let mut id = self.rng.id();
        if self.config.bug == Some(Bug::ReuseId) {
            let collected = self.collected.borrow();
            let old =
                self.objects.iter().find(|(id, record)| record.owner == node && collected.contains(*id));
            if let Some((old, _)) = old {
                id = *old;
                self.planted += 1;
            }
        }
        let serial = self.fresh();
        self.objects.entry(id).or_insert(ObjectRecord { serial, owner: node, tainted: false });
        let object = Object { id: ObjectId::from_bytes(id), serial, collected: self.collected.clone() };
        self.note(|| format!("n{node} creates o{serial} ({})", object.id));
        Proxy::Own(Rc::new(object))
    }

    /// A number that nothing else has.
    pub fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub fn at(&mut self, time: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((time.max(self.now), self.sequence, event)));
    }

    /// The clock of a node.
    pub fn local(&self, node: usize) -> Time {
        self.nodes[node].clock.local(self.now)
    }

    pub fn record(&self, object: ObjectId) -> &ObjectRecord {
        &self.objects[&object.to_bytes()]
    }

    pub fn is_collected(&self, object: ObjectId) -> bool {
        self.collected.borrow().contains(&object.to_bytes())
    }

    pub fn reach(&mut self, what: &'static str) {
        *self.reached.entry(what).or_insert(0) += 1;
    }

    pub fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>10} {}", self.now, text()));
        }
    }

    pub fn violate(&mut self, invariant: Invariant, text: impl FnOnce() -> String) {
        if self.violation.is_none() && self.config.checks(invariant) {
            let text = text();
            self.note(|| format!("** {invariant:?}: {text}"));
            self.violation = Some(Violation { invariant, text, at: self.now });
        }
    }

    /// The next event. False: there is none before `until`, or an invariant is broken.
    pub fn step(&mut self, until: u64) -> bool {
        if self.violation.is_some() {
            return false;
        }
        match self.events.peek() {
            Some(Reverse((time, ..))) if *time <= until => {}
            _ => {
                self.now = self.now.max(until);
                return false;
            }
        }
        let Some(Reverse((time, _, event))) = self.events.pop() else { return false };
        self.now = time;
        self.steps += 1;
        if let Some(until) = self.sleeps(&event) {
            self.sleep(event, until);
            return true;
        }
        match event {
            Event::Act => self.act(),
            Event::Deliver { conn, from } => self.deliver(conn, from),
            Event::Broken { conn, end } => self.broken(conn, end),
            Event::Write { link } => self.write(link),
            Event::Dial { link } => self.dial(link),
            Event::HandshakeOver { link, conn } => self.handshake_over(link, conn),
            Event::Redial { link, plan } => self.redial(link, plan),
            Event::ResumeOver { link, conn } => self.resume_failed(link, conn, Failed::Silent),
            Event::TakeOver { link } => self.take_over(link),
            Event::Break => self.break_one(),
            Event::Finish { running } => self.finish_late(running),
            Event::WindUp { node, rounds } => self.wind_up(node, rounds),
            Event::Restart { slot } => self.restart(slot),
        }
        self.take_notices();
        self.check();
        if self.steps > 400_000 {
            self.violate(Invariant::Progress, || "the world never comes to rest".into());
        }
        true
    }

    /// Everything that happens in the next `millis` of the world.
    pub fn run_for(&mut self, millis: u64) {
        let until = self.now + millis * 1000;
        self.take_notices();
        while self.step(until) {}
    }

    /// How long something takes that depends on a busy processor.
    pub fn latency(&mut self) -> u64 {
        if self.config.scripted {
            return 10;
        }
        match self.rng.below(50) {
            0 => self.rng.below(20_000),
            _ => self.rng.below(300),
        }
    }
}
