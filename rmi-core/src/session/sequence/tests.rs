use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::{Ring, Time};
use crate::session::message::Output;
use crate::wire::Frame;

/// A frame that is not like its neighbours, with so much payload.
fn frame(number: u64, size: usize) -> Frame {
    Frame::More { first: number, chunk: vec![number as u8; size].into() }
}

fn encoded(frame: &Frame) -> Bytes {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes);
    bytes.freeze()
}

/// A ring, everything that was pushed into it, and the present connection.
#[derive(Default)]
struct Sender {
    ring: Ring,
    frames: Vec<Bytes>,
    /// The number of the last frame on the connection.
    handed: usize,
    acked: usize,
    clock: u64,
    /// When each frame left first.
    left: Vec<u64>,
}

impl Sender {
    fn push(&mut self, size: usize) {
        let frame = frame(self.frames.len() as u64 + 1, size);
        self.frames.push(encoded(&frame));
        assert_eq!(self.ring.push(&frame), self.frames.len() as u64);
    }

    fn bytes(&self, behind: usize) -> usize {
        self.frames[behind..].iter().map(Bytes::len).sum()
    }

    /// One write: whole frames, as they were, behind those that were written.
    fn take(&mut self) {
        self.clock += 1;
        let mut taken = BytesMut::from(Output { segments: self.ring.take(Time(self.clock)) }.concat());
        while !taken.is_empty() {
            let next = &self.frames[self.handed];
            assert_eq!(taken.split_to(next.len()), next, "frame {}", self.handed + 1);
            self.handed += 1;
        }
        self.left.resize(self.left.len().max(self.handed), self.clock);
        self.check();
    }

    fn drain(&mut self) {
        while self.ring.waiting() > 0 {
            self.take();
        }
    }

    /// The peer has received so many frames.
    fn acknowledge(&mut self, frames: usize) {
        let sent = self.ring.acknowledged(frames as u64).expect("an honest Ack");
        // What proves that the peer lives is a time at which this frame had not been received.
        if let Some(sent) = sent {
            assert!(sent.0 <= self.left[frames - 1], "frame {frames}");
        }
        self.acked = frames;
        self.check();
    }

    /// Another connection: the peer has received so many frames.
    fn resume(&mut self, received: usize) {
        self.acknowledge(received);
        self.ring.rewind();
        self.handed = received;
        self.check();
        assert_eq!(self.ring.unacknowledged(), self.bytes(received));
    }

    fn check(&self) {
        assert_eq!(self.ring.waiting(), self.bytes(self.handed), "waits to be written");
        assert!(self.ring.unacknowledged() >= self.bytes(self.acked), "is kept");
        assert_eq!(self.ring.taken(), self.left.len() as u64);
    }
}

/// Three batches of three, one, and four frames, of different sizes, and two frames that wait.
fn three_batches() -> Sender {
    let mut sender = Sender::default();
    for (number, size) in [0, 5, 300, 1, 70_000, 0, 2, 9].into_iter().enumerate() {
        sender.push(size);
        if [2, 3, 7].contains(&number) {
            sender.take();
        }
    }
    sender.push(4);
    sender.push(0);
    sender
}

#[test]
fn a_replay_begins_behind_any_frame() {
    for received in 0..=8 {
        let mut sender = three_batches();
        sender.resume(received);
        sender.drain();
        assert_eq!(sender.handed, 10);
        sender.acknowledge(10);
        assert_eq!(sender.ring.unacknowledged(), 0);
    }
}

#[test]
fn a_replay_that_breaks_off_anywhere_begins_again() {
    for first in 0..=8 {
        for second in first..=8 {
            let mut sender = three_batches();
            sender.resume(first);
            while sender.handed < second {
                sender.take();
            }
            sender.resume(second);
            sender.drain();
            assert_eq!(sender.handed, 10);
        }
    }
}

#[test]
fn a_replay_proves_nothing_that_the_first_sending_does_not() {
    let mut sender = Sender::default();
    sender.push(1);
    sender.take();
    // The peer has it by now. A Resume from before comes late, and it leaves again.
    sender.resume(0);
    sender.clock = 1000;
    sender.take();
    assert_eq!(sender.ring.acknowledged(1), Ok(Some(Time(1))));
}

#[test]
fn an_impossible_acknowledgement_is_refused() {
    let mut sender = three_batches();
    assert!(sender.ring.acknowledged(9).is_err(), "it has not left");
    sender.acknowledge(5);
    assert!(sender.ring.acknowledged(4).is_err(), "it was acknowledged before");
    sender.resume(5);
    assert!(sender.ring.acknowledged(9).is_err());
    // Not sent again yet; who says so all the same gets what is behind it.
    assert!(sender.ring.acknowledged(8).is_ok());
    let again = Output { segments: sender.ring.take(Time(99)) };
    assert_eq!(again.concat(), [&sender.frames[8][..], &sender.frames[9][..]].concat());
}

#[derive(Debug, Clone)]
enum Step {
    Push(usize),
    Take,
    Acknowledge(prop::sample::Index),
    Resume(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop_oneof![0..40usize, 0..3000usize].prop_map(Step::Push),
        3 => Just(Step::Take),
        2 => any::<prop::sample::Index>().prop_map(Step::Acknowledge),
        1 => any::<prop::sample::Index>().prop_map(Step::Resume),
    ]
}

proptest! {
    /// Whatever is acknowledged when, and wherever connections break: each carries, verbatim and in order, what is behind the
    /// frames that the peer has.
    #[test]
    fn any_history(steps in prop::collection::vec(step(), 1..80)) {
        let mut sender = Sender::default();
        // The peer has at least what it acknowledged, and at most what it was sent, on any connection.
        let mut received = 0;
        for step in steps {
            match step {
                Step::Push(size) => sender.push(size),
                Step::Take => sender.take(),
                Step::Acknowledge(at) => {
                    received = received.max(at.index(sender.handed + 1));
                    if received >= sender.acked {
                        sender.acknowledge(received.min(sender.handed));
                    }
                }
                Step::Resume(at) => {
                    received = received.max(at.index(sender.handed + 1));
                    sender.resume(received);
                }
            }
        }
        sender.resume(received);
        sender.drain();
        prop_assert_eq!(sender.handed, sender.frames.len());
        sender.acknowledge(sender.handed);
        prop_assert_eq!(sender.ring.unacknowledged(), 0);
    }
}

#[test]
fn what_was_acknowledged_does_not_count_though_it_left_with_others() {
    let mut ring = Ring::default();
    ring.push(&frame(1, 100_000));
    let first = ring.unacknowledged();
    ring.push(&frame(2, 10));
    let all = ring.unacknowledged();
    assert!(!ring.take(Time(1)).is_empty());
    ring.acknowledged(1).unwrap();
    assert_eq!(ring.unacknowledged(), all - first);
    ring.rewind();
    assert_eq!((ring.unacknowledged(), ring.waiting()), (all - first, all - first));
    ring.acknowledged(2).unwrap();
    assert_eq!((ring.unacknowledged(), ring.waiting()), (0, 0));
}
