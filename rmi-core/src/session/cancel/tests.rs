use std::time::Duration;

use bytes::BytesMut;

use crate::id::{InterfaceName, MethodId, ObjectId};
use crate::session::testing::{self, GONE, NOW, Numbers};
use crate::session::{
    Assembly, Event, Head, Lost, Message, OutReference, Outward, Session, SessionError, Strand, Time, Verdict,
};
use crate::wire::{Frame, Limits, ReplyKind, split};

const LIMITS: Limits = Limits {
    frame: 1_024,
    table: 4_096,
    message: 1 << 20,
    references: 8,
    calls: 2,
    ring: 16_777_216,
    objects: 100,
    partial: 100_000,
};

struct Side {
    session: Session<Numbers>,
    assembly: Assembly<Head>,
}

/// What a side made of a frame.
#[derive(Debug, PartialEq, Eq)]
enum Saw {
    Call(u64),
    TooLate(u64),
    Reply(u64, ReplyKind),
    Cancel(u64),
    AbortedCall(u64),
    AbortedReply(u64),
}

impl Side {
    fn call(&mut self, caller: u32, size: usize) -> u64 {
        self.call_until(caller, size, None)
    }

    fn call_until(&mut self, caller: u32, size: usize, deadline: Option<Time>) -> u64 {
        let message = Message {
            outward: Outward::Call {
                object: ObjectId::from_bytes([9; 16]),
                method: MethodId(1),
                strand: Strand(1),
            },
            payload: vec![7; size].into(),
            references: vec![own(caller)],
            deadline,
        };
        self.session.call(NOW, caller, message).expect("it is open")
    }

    fn reply(&mut self, call: u64, size: usize) {
        self.session.reply(call, ReplyKind::Ok, vec![7; size].into(), Vec::new());
    }

    /// What leaves now.
    fn output(&mut self) -> BytesMut {
        let mut bytes = BytesMut::new();
        let output = self.session.poll_output(NOW).unwrap_or_default();
        bytes.extend_from_slice(&output.concat());
        bytes
    }

    /// Takes the first so many frames off `bytes`; all if there are fewer.
    fn input(&mut self, bytes: &mut BytesMut, frames: usize) -> Vec<Saw> {
        let mut saw = Vec::new();
        for _ in 0..frames {
            let Some(frame) = split(bytes, 1 << 20).unwrap() else { break };
            let (len, frame) = (frame.len(), Frame::decode(frame, &LIMITS).unwrap());
            let event =
                self.session.handle(NOW, frame, len, |_| ((), ())).expect("nobody breaks the protocol");
            saw.extend(self.see(event));
        }
        saw
    }

    fn see(&mut self, event: Event<Numbers>) -> Option<Saw> {
        let whole = match event {
            Event::Message { first, head, references, size, chunk } => {
                self.assembly.first(first, head, references.len(), size, chunk).unwrap()
            }
            Event::More { first, chunk } => {
                let mut whole = self.assembly.more(first, &chunk).unwrap();
                if let Some((Head::Call { call, verdict, .. }, _)) = &mut whole {
                    *verdict = self.session.reconsider(*call, *verdict);
                }
                whole
            }
            Event::Abort { first } => {
                return Some(match self.assembly.abort(first).unwrap() {
                    Head::Call { call, .. } => {
                        self.session.aborted(call);
                        Saw::AbortedCall(call)
                    }
                    Head::Reply { call, .. } => {
                        assert!(self.session.answered(call).is_some());
                        Saw::AbortedReply(call)
                    }
                });
            }
            Event::Answer { call, status, .. } => return Some(Saw::Reply(call, status)),
            Event::Cancel { call } => return Some(Saw::Cancel(call)),
            _ => None,
        };
        whole.map(|(head, _)| match head {
            Head::Call { call, verdict: Verdict::Parted, .. } => Saw::TooLate(call),
            Head::Call { call, verdict, .. } => {
                assert_eq!(verdict, Verdict::Serve);
                Saw::Call(call)
            }
            Head::Reply { call, status } => {
                assert!(self.session.answered(call).is_some());
                Saw::Reply(call, status)
            }
        })
    }
}

fn own(object: u32) -> OutReference<Numbers> {
    let id = ObjectId::from_bytes([object as u8; 16]);
    OutReference::Own { id, interface: InterfaceName::Static("I"), object }
}

/// Two sides whose handshake is over.
fn pair() -> (Side, Side) {
    let side = |session| Side { session, assembly: Assembly::new(LIMITS.partial) };
    let (a, b) = testing::pair(LIMITS);
    (side(a), side(b))
}

const ALL: usize = usize::MAX;

#[test]
fn a_call_that_waits_is_withdrawn() {
    let (mut a, mut b) = pair();
    // Two may be unanswered.
    let begun = [a.call(1, 10), a.call(2, 10)];
    let waits = a.call(3, 10);
    a.session.cancel(waits);
    let garbage = a.session.take_garbage();
    assert_eq!((garbage.objects, garbage.callers), (vec![3], vec![3]), "its references and its caller go");
    assert_eq!(b.input(&mut a.output(), ALL), begun.map(Saw::Call));
    begun.into_iter().for_each(|call| b.reply(call, 1));
    a.input(&mut b.output(), ALL);
    assert!(a.output().is_empty(), "nothing of it ever leaves");
    assert_eq!((a.session.waiting(), b.session.serving()), (0, 0));
    // The next one is not confused with it.
    let next = a.call(4, 10);
    assert_eq!(b.input(&mut a.output(), ALL), [Saw::Call(next)]);
}

#[test]
fn many_calls_are_withdrawn_at_once() {
    let (mut a, mut b) = pair();
    let mut calls: Vec<u64> = (0..200).map(|caller| a.call(caller, 10)).collect();
    let kept = calls.swap_remove(100);
    // Numbers do not come in order.
    calls.reverse();
    GONE.set(Some(|caller| caller != 100));
    a.session.cancel_all(calls);
    GONE.set(None);
    let mut dropped = a.session.take_garbage().callers;
    dropped.sort_unstable();
    // Two had left.
    let withdrawn: Vec<u32> = (2..200).filter(|caller| *caller != 100).collect();
    assert_eq!(dropped, withdrawn);
    assert_eq!(a.session.waiting(), 3);
    let saw = [Saw::Call(1), Saw::Call(2), Saw::Cancel(2), Saw::Cancel(1)];
    assert_eq!(b.input(&mut a.output(), ALL), saw);
    b.reply(1, 1);
    b.reply(2, 1);
    a.input(&mut b.output(), ALL);
    assert_eq!(b.input(&mut a.output(), ALL), [Saw::Call(kept)]);
}

#[test]
fn a_call_under_way_in_fragments_is_aborted() {
    let (mut a, mut b) = pair();
    let large = a.call(1, 600_000);
    let mut first = a.output();
    let behind = a.call(2, 10);
    a.session.cancel(large);
    assert_eq!(a.session.waiting(), 1, "it is over here");
    first.unsplit(a.output());
    assert_eq!(b.input(&mut first, ALL), [Saw::AbortedCall(large), Saw::Call(behind)]);
    assert_eq!(b.session.serving(), 1, "and there");
    b.reply(large, 1);
    assert!(a.input(&mut b.output(), ALL).is_empty(), "it is not answered");
    b.reply(behind, 1);
    assert_eq!(a.input(&mut b.output(), ALL), [Saw::Reply(behind, ReplyKind::Ok)]);
}

#[test]
fn a_call_that_has_begun_is_cancelled_once_and_answered_once() {
    let (mut a, mut b) = pair();
    let call = a.call(1, 10);
    b.input(&mut a.output(), ALL);
    a.session.cancel(call);
    a.session.cancel(call);
    assert_eq!(a.session.frames().0, 2, "the Call and one Cancel");
    assert_eq!(b.input(&mut a.output(), ALL), [Saw::Cancel(call)]);
    assert_eq!((a.session.waiting(), b.session.serving()), (1, 1), "until the answer is there");
    b.session.reply(call, ReplyKind::Fault, vec![0x80].into(), Vec::new());
    assert_eq!(a.input(&mut b.output(), ALL), [Saw::Reply(call, ReplyKind::Fault)]);
    assert_eq!((a.session.waiting(), b.session.serving()), (0, 0));
}

#[test]
fn a_cancel_and_an_answer_cross() {
    let (mut a, mut b) = pair();
    let call = a.call(1, 10);
    b.input(&mut a.output(), ALL);
    b.reply(call, 10);
    let mut answer = b.output();
    a.session.cancel(call);
    assert!(b.input(&mut a.output(), ALL).is_empty(), "there is nothing left to cancel");
    assert_eq!(a.input(&mut answer, ALL), [Saw::Reply(call, ReplyKind::Ok)]);
    assert_eq!((a.session.waiting(), b.session.serving()), (0, 0));
    // Of what was never called, too.
    let mut unknown = BytesMut::new();
    Frame::Cancel { call: 77 }.encode(&mut unknown);
    assert!(b.input(&mut unknown, ALL).is_empty());
}

#[test]
fn an_answer_under_way_in_fragments_is_aborted() {
    let (mut a, mut b) = pair();
    let call = a.call(1, 10);
    b.input(&mut a.output(), ALL);
    b.reply(call, 600_000);
    let mut answer = b.output();
    assert!(a.input(&mut answer, 5).is_empty(), "only a part of it is there");
    a.session.cancel(call);
    assert!(b.input(&mut a.output(), ALL).is_empty());
    answer.unsplit(b.output());
    assert_eq!(a.input(&mut answer, ALL), [Saw::AbortedReply(call)]);
    assert!(b.output().is_empty(), "nothing more of it comes");
    assert_eq!((a.session.waiting(), b.session.serving()), (0, 0));
}

#[test]
fn what_is_left_is_told_when_the_call_leaves() {
    let (mut a, mut b) = pair();
    let limit = NOW + Duration::from_millis(70);
    let first = [a.call_until(1, 10, Some(limit)), a.call(2, 10)];
    a.call_until(3, 10, Some(limit));
    let left = |bytes: &mut BytesMut| {
        let mut left = Vec::new();
        while let Some(frame) = split(bytes, 1 << 20).unwrap() {
            if let Frame::Call(call) = Frame::decode(frame, &LIMITS).unwrap() {
                left.push(call.left_ms);
            }
        }
        left
    };
    let output = a.output();
    assert_eq!(left(&mut output.clone()), [Some(70), None]);
    b.input(&mut { output }, ALL);
    first.into_iter().for_each(|call| b.reply(call, 1));
    let mut answers = b.output();
    while let Some(frame) = split(&mut answers, 1 << 20).unwrap() {
        let later = NOW + Duration::from_micros(30_500);
        let frame = Frame::decode(frame, &LIMITS).unwrap();
        let event = a.session.handle(later, frame, 10, |_| ((), ())).unwrap();
        a.see(event);
    }
    assert_eq!(left(&mut a.output()), [Some(40)], "rounded up, so that the owner does not give up first");
}

/// Callers and whether their calls may have been executed.
fn begun(lost: Lost<Numbers>) -> Vec<(u32, bool)> {
    let mut begun: Vec<_> = lost.calls.into_iter().map(|call| (call.caller, call.begun)).collect();
    begun.sort_unstable();
    begun
}

#[test]
fn the_outcome_of_a_lost_call_is_unknown_only_if_all_of_it_may_have_left() {
    let (mut a, _) = pair();
    a.call(1, 10);
    let first = a.output();
    assert!(!first.is_empty());
    // Numbered, not handed to the connection.
    a.call(2, 600_000);
    assert_eq!(begun(a.session.lapse()), [(1, true), (2, false)]);

    // Handed over in part, and whole; the third waits for room.
    let (mut a, _) = pair();
    [600_000, 10, 10].into_iter().zip(1..).for_each(|(size, caller)| {
        a.call(caller, size);
    });
    a.output();
    assert_eq!(begun(a.session.lapse()), [(1, false), (2, false), (3, false)]);
    let (mut a, _) = pair();
    a.call(1, 600_000);
    while !a.output().is_empty() {}
    assert_eq!(begun(a.session.lapse()), [(1, true)]);
}

#[test]
fn a_call_that_crosses_a_bye_is_not_executed_and_its_caller_knows() {
    let (mut a, mut b) = pair();
    let before = a.call(1, 10);
    assert_eq!(b.input(&mut a.output(), ALL), [Saw::Call(before)]);
    let crosses = a.call(2, 10);
    let mut late = a.output();
    b.session.bye(0, "enough".into());
    let mut bye = b.output();
    assert_eq!(b.input(&mut late, ALL), [Saw::TooLate(crosses)]);
    b.reply(before, 10);
    assert!(b.output().is_empty(), "nothing follows a Bye");
    assert!(a.input(&mut bye, ALL).is_empty());
    assert_eq!(begun(a.session.end()), [(1, true), (2, false)]);

    // It had arrived in part, and had been thought fit to be executed.
    let (mut a, mut b) = pair();
    let crosses = a.call(1, 200_000);
    let mut late = a.output();
    while b.session.frames().1 < 3 {
        assert!(b.input(&mut late, 1).is_empty());
    }
    b.session.bye(0, "enough".into());
    let more = a.output();
    late.extend_from_slice(&more);
    assert_eq!(b.input(&mut late, ALL), [Saw::TooLate(crosses)]);
    a.input(&mut b.output(), ALL);
    assert_eq!(begun(a.session.end()), [(1, false)]);
}

#[test]
fn a_bye_cannot_have_received_what_was_not_sent() {
    let (mut a, _) = pair();
    a.call(1, 10);
    a.output();
    let mut bye = |received| {
        let frame = Frame::Bye { code: 0, text: String::new(), received };
        a.session.handle(NOW, frame, 10, |_| ((), ()))
    };
    assert!(matches!(bye(2), Err(SessionError::Violation(_))));
    assert!(matches!(bye(1), Ok(Event::Bye { .. })));
}
