//! A call and its answer through two sessions, Acks and Pings among them: no I/O, no task, no lock; what one writes is copied to where the
//! other reads, as the system would.

use std::hint::black_box;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use criterion::{BenchmarkId, Criterion, Throughput};
use rmi::{NodeId, ObjectId};
use rmi_core::id::{InterfaceName, MethodId};
use rmi_core::internal::session::{
    Assembly, Chunk, Event, Handles, Handshake, Head, Introduction, Locality, Message, OutReference, Outward,
    Peer, Role, Rope, Session, Strand, Ticket, Time,
};
use rmi_core::internal::wire::{self, Frame, Limits, Plain, ReplyKind};

const OBJECT: ObjectId = ObjectId::from_bytes([7; 16]);
const METHOD: MethodId = MethodId(1);
const STRAND: Strand = Strand(1);

/// What a call of two numbers has for its arguments.
const SMALL: &[u8] = &[0x92, 1, 2];

/// How long a call takes, for the sessions: so that Acks and Pings are as seldom as they are.
const STEP: Duration = Duration::from_micros(10);

/// What the sessions keep is nothing.
#[derive(Debug)]
struct Nothing;

impl Handles for Nothing {
    type Object = ();
    type Import = ();
    type Pin = ();
    type Weak = ();
    type Caller = ();

    fn share((): &()) -> Option<()> {
        Some(())
    }

    fn is_alive((): &()) -> bool {
        true
    }

    fn is_waiting((): &()) -> bool {
        true
    }
}

struct Side {
    session: Session<Nothing>,
    assembly: Assembly<Head>,
    limits: Limits,
    /// What has arrived.
    buffer: BytesMut,
    /// How many answers have.
    answers: u64,
}

impl Side {
    fn new(node: u8, now: Time, peer: Peer) -> Self {
        let limits = Limits::default();
        let me = NodeId::from_bytes([node; 16]);
        let mut session = Session::new(1, me, limits, LOCALITY, false);
        assert!(session.open(now, peer, Ticket::None));
        let assembly = Assembly::new(limits.partial);
        Self { session, assembly, limits, buffer: BytesMut::new(), answers: 0 }
    }

    /// Makes a call: the short way if it has no references, and can leave at once.
    fn call(&mut self, now: Time, payload: &Rope, references: Vec<OutReference<Nothing>>) {
        if references.is_empty()
            && self.session.call_plain(now, (), (OBJECT, METHOD), || STRAND, None, chunk(payload)).is_ok()
        {
            return;
        }
        let outward = Outward::Call { object: OBJECT, method: METHOD, strand: STRAND };
        let message = Message { outward, payload: payload.clone(), references, deadline: None };
        self.session.call(now, (), message).unwrap();
    }

    /// Answers with the same bytes.
    fn reply(&mut self, call: u64, payload: Bytes) {
        let payload = Rope::from(payload);
        if !self.session.reply_plain(call, ReplyKind::Ok, chunk(&payload)) {
            self.session.reply(call, ReplyKind::Ok, payload, Vec::new());
        }
    }

    /// Everything that is to be written now goes to the other side.
    fn write(&mut self, now: Time, other: &mut Self) {
        while let Some(output) = self.session.poll_output(now) {
            output.segments.iter().for_each(|segment| other.buffer.extend_from_slice(segment));
        }
        drop(self.session.take_garbage());
    }

    /// Handles everything that has arrived.
    fn read(&mut self, now: Time) {
        while let Some(bytes) = wire::split(&mut self.buffer, self.limits.max_frame_len()).unwrap() {
            let len = bytes.len() + 4;
            match wire::plain(&bytes, &self.limits) {
                Some((Plain::Call { call, .. }, at)) => {
                    self.session.handle_call(now, len, call, (bytes.len() - at) as u64).unwrap();
                    self.reply(call, bytes.slice(at..));
                }
                Some((Plain::Reply { call, .. }, _)) => {
                    let mut callers = Vec::new();
                    self.session.handle_answers(now, [(len, call)], &mut callers).unwrap();
                    self.answers += callers.len() as u64;
                }
                None => {
                    let frame = Frame::decode(bytes, &self.limits).unwrap();
                    let event = self.session.handle(now, frame, len, |_| ((), ())).unwrap();
                    self.see(event);
                }
            }
        }
    }

    fn see(&mut self, event: Event<Nothing>) {
        let whole = match event {
            Event::Message { first, head, references, size, chunk } => {
                // They are dropped at once, which is told to the owner.
                self.session.dropped(references.iter().map(|_| OBJECT).collect());
                self.assembly.first(first, head, references.len(), size, chunk).unwrap()
            }
            Event::More { first, chunk } => self.assembly.more(first, &chunk).unwrap(),
            _ => None,
        };
        match whole {
            Some((Head::Call { call, .. }, payload)) => self.reply(call, payload),
            Some((Head::Reply { call, .. }, _)) => {
                self.session.answered(call).unwrap();
                self.answers += 1;
            }
            None => {}
        }
    }
}

fn chunk(payload: &Rope) -> Chunk<'_> {
    match payload.iter().next() {
        Some(bytes) if payload.len() <= 4096 => Chunk::Copied(bytes),
        _ => Chunk::Shared(payload),
    }
}

const LOCALITY: Locality = Locality { host: 1, process: 1 };

/// Two sides of a session that is open, and the time.
struct Two {
    caller: Side,
    owner: Side,
    now: Time,
}

impl Two {
    fn new() -> Self {
        let now = Time(1_000_000);
        let introduction = |node| Introduction {
            node: NodeId::from_bytes([node; 16]),
            lease: Duration::from_secs(30),
            limits: Limits::default(),
            locality: LOCALITY,
            addresses: Vec::new(),
        };
        let mut dials = Handshake::new(Role::Dial(None), introduction(1), [1; 16], vec![0; 32]);
        let mut accepts = Handshake::new(Role::Accept, introduction(2), [2; 16], vec![0; 32]);
        let hello = dials.start(now).unwrap();
        let accepted = accepts.handle(hello, now, || Ok(())).unwrap().unwrap();
        let dialed = dials.handle(accepted.welcome.unwrap(), now, || Ok(())).unwrap().unwrap();
        Self { caller: Side::new(1, now, dialed.peer), owner: Side::new(2, now, accepted.peer), now }
    }

    /// A call, until its answer is there.
    fn call(&mut self, payload: &Rope, references: Vec<OutReference<Nothing>>) {
        self.now = self.now + STEP;
        let Self { caller, owner, now } = self;
        let answers = caller.answers;
        caller.call(*now, payload, references);
        while caller.answers == answers {
            caller.write(*now, owner);
            owner.read(*now);
            owner.write(*now, caller);
            caller.read(*now);
        }
    }
}

/// Small calls, without references and with one.
pub fn small(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session");
    let payload = Rope::from(Bytes::from_static(SMALL));
    let mut two = Two::new();
    group.bench_function("a small call", |b| b.iter(|| two.call(black_box(&payload), Vec::new())));
    let mut two = Two::new();
    let interface = InterfaceName::Static("bench.Item");
    group.bench_function("a call with a reference", |b| {
        b.iter(|| {
            let reference = OutReference::Own { id: OBJECT, interface: interface.clone(), object: () };
            two.call(black_box(&payload), vec![reference]);
        });
    });
    group.finish();
}

/// Large calls, whose answers are as large: in one frame, and in several.
pub fn large(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session/echo");
    for kib in [64, 1024] {
        let payload = Rope::from(vec![7; kib * 1024]);
        group.throughput(Throughput::Bytes(payload.len() as u64));
        let mut two = Two::new();
        group.bench_function(BenchmarkId::from_parameter(format!("{kib} KiB")), |b| {
            b.iter(|| two.call(black_box(&payload), Vec::new()));
        });
    }
    group.finish();
}
