use bytes::BytesMut;

use super::*;
use crate::session::testing::{LEASE, NOW, Numbers, pair};
use crate::session::{Message, Outward, Strand};
use crate::wire::{Frame, Limits, split};

const OBJECT: ObjectId = ObjectId::from_bytes([9; 16]);

const LIMITS: Limits = Limits {
    frame: 65_536,
    table: 4_096,
    message: 1 << 20,
    references: 8,
    calls: 2,
    ring: 65_536,
    objects: 100,
    partial: 1 << 20,
};

fn call(session: &mut Session<Numbers>, caller: u32, now: Time) -> Result<u64, u32> {
    session.call_plain(now, caller, (OBJECT, MethodId(1)), || Strand(1), None, Chunk::Copied(b"arguments"))
}

/// The general way, which waits if it must.
fn call_later(session: &mut Session<Numbers>, caller: u32, size: usize) -> u64 {
    let outward = Outward::Call { object: OBJECT, method: MethodId(1), strand: Strand(1) };
    let message = Message { outward, payload: vec![7; size].into(), references: Vec::new(), deadline: None };
    session.call(NOW, caller, message).unwrap()
}

fn answered(session: &mut Session<Numbers>, now: Time, len: usize, call: u64) -> Result<u32, SessionError> {
    let mut callers = Vec::new();
    session.handle_answers(now, [(len, call)], &mut callers)?;
    Ok(callers.remove(0))
}

/// What leaves now.
fn frames(session: &mut Session<Numbers>) -> Vec<Frame> {
    let mut bytes = BytesMut::from(session.poll_output(NOW).unwrap_or_default().concat());
    let frames = std::iter::from_fn(|| split(&mut bytes, 1 << 20).unwrap());
    frames.map(|frame| Frame::decode(frame, &LIMITS).unwrap()).collect()
}

#[test]
fn a_call_beyond_the_peers_limit_is_given_back_and_an_answer_lets_what_waits_leave() {
    let (mut a, _) = pair(LIMITS);
    assert_eq!((call(&mut a, 1, NOW), call(&mut a, 2, NOW), call(&mut a, 3, NOW)), (Ok(1), Ok(2), Err(3)));
    let waits = call_later(&mut a, 3, 9);
    assert_eq!(frames(&mut a).len(), 2);
    assert_eq!(answered(&mut a, NOW, 40, 2), Ok(2));
    assert!(a.has_unwritten(), "it needs no writer for that");
    assert!(matches!(&frames(&mut a)[..], [Frame::Call(left)] if left.call == waits));
}

#[test]
fn a_call_does_not_overtake_those_to_the_same_object() {
    // There is room for all of them.
    let (mut a, _) = pair(Limits { calls: 8, ring: 1 << 20, ..LIMITS });
    call_later(&mut a, 1, 200_000);
    assert_eq!(call(&mut a, 2, NOW), Err(2), "one is under way");
    call_later(&mut a, 2, 9);
    let other = (ObjectId::from_bytes([8; 16]), MethodId(1));
    let called = a.call_plain(NOW, 3, other, || Strand(1), None, Chunk::Copied(b""));
    assert_eq!(called, Err(3), "one waits");
}

/// What leaves until nothing is left, with a peer that acknowledges it.
fn calls_that_leave(session: &mut Session<Numbers>) -> Vec<u64> {
    let mut calls = Vec::new();
    for _ in 0..100 {
        let left = frames(session).into_iter();
        calls.extend(
            left.filter_map(|frame| if let Frame::Call(call) = frame { Some(call.call) } else { None }),
        );
        let ack = Frame::Ack { frame: session.frames().0 };
        session.handle(NOW, ack, 6, |_| unreachable!("no object")).unwrap();
    }
    assert!(session.is_flushed());
    calls
}

#[test]
fn only_those_of_its_strand_wait_behind_a_call() {
    let (mut a, _) = pair(Limits { calls: 8, ring: 1 << 20, ..LIMITS });
    let calls_as = |a: &mut Session<Numbers>, caller, strand| {
        a.call_plain(NOW, caller, (OBJECT, MethodId(1)), || strand, None, Chunk::Copied(b""))
    };
    // It is when there was a large one that others are remembered.
    call_later(&mut a, 1, 200_000);
    assert_eq!(calls_as(&mut a, 2, Strand(2)), Err(2), "it may have begun because of that call");
    calls_that_leave(&mut a);
    assert_eq!(calls_as(&mut a, 2, Strand(2)), Ok(2));
    call_later(&mut a, 1, 200_000);
    assert_eq!(calls_as(&mut a, 3, Strand(3)), Err(3));
    assert_eq!(calls_as(&mut a, 2, Strand(2)), Ok(4), "it had begun before");
    // Also where they wait for their turn.
    let waits = call_later(&mut a, 3, 9);
    let outward = Outward::Call { object: OBJECT, method: MethodId(1), strand: Strand(2) };
    let message = Message { outward, payload: vec![7; 9].into(), references: Vec::new(), deadline: None };
    let passes = a.call(NOW, 4, message).unwrap();
    let calls = calls_that_leave(&mut a);
    assert_eq!(calls, [2, 3, 4, passes, waits]);
}

#[test]
fn answers_that_come_together_are_handled_up_to_the_first_that_may_not_be() {
    let (mut a, _) = pair(Limits { calls: 8, ..LIMITS });
    for caller in 11..=14 {
        call(&mut a, caller, NOW).unwrap();
    }
    let mut callers = Vec::new();
    assert_eq!(a.handle_answers(NOW, [(40, 2), (40, 1)], &mut callers), Ok(()));
    let refused = a.handle_answers(NOW, [(40, 3), (40, 2), (40, 4)], &mut callers);
    assert!(matches!(refused, Err(SessionError::Violation(text)) if text.contains("does not wait")));
    assert_eq!(callers, [12, 11, 13]);
    assert_eq!(a.frames().1, 4, "the last one was looked at");
}

#[test]
fn a_session_that_is_over_takes_no_call() {
    let (mut a, _) = pair(LIMITS);
    assert_eq!(call(&mut a, 1, NOW + LEASE), Err(1));
    a.bye(1, String::new());
    assert_eq!(call(&mut a, 1, NOW), Err(1));
}

#[test]
fn answers_find_as_much_room_again_as_calls() {
    let (_, mut b) = pair(Limits { calls: 8, ..LIMITS });
    let payload = vec![7; LIMITS.frame as usize];
    for call in 1..=3 {
        assert_eq!(b.handle_call(NOW, 40, call, 9), Ok(Verdict::Serve));
    }
    let reply = |b: &mut Session<_>, call| b.reply_plain(call, ReplyKind::Ok, Chunk::Copied(&payload));
    assert_eq!([1, 2, 3].map(|call| reply(&mut b, call)), [true, true, false]);
    assert_eq!((frames(&mut b).len(), b.serving()), (2, 1));
}

#[test]
fn a_call_is_answered_once_and_only_if_it_was_made() {
    let (mut a, mut b) = pair(LIMITS);
    b.handle_call(NOW, 40, 1, 9).unwrap();
    for call in [1, 1, 2] {
        assert!(b.reply_plain(call, ReplyKind::Ok, Chunk::Copied(b"")), "there is nothing more to be done");
    }
    assert!(matches!(&frames(&mut b)[..], [Frame::Reply(reply)] if reply.call == 1));
    call(&mut a, 1, NOW).unwrap();
    let waits = call_later(&mut a, 2, 200_000);
    assert_eq!(answered(&mut a, NOW, 40, 1), Ok(1));
    for call in [1, waits + 1] {
        let error = answered(&mut a, NOW, 40, call).unwrap_err();
        assert!(matches!(error, SessionError::Violation(text) if text.contains("does not wait")));
    }
}

#[test]
fn what_arrives_is_counted_and_renews_the_lease_as_any_frame_does() {
    let (mut a, mut b) = pair(LIMITS);
    call(&mut a, 1, NOW).unwrap();
    b.handle_call(NOW, 40, 1, 9).unwrap();
    answered(&mut a, NOW, 40, 1).unwrap();
    for side in [&mut a, &mut b] {
        assert_eq!(side.frames().1, 1);
        assert!(side.next_timeout().unwrap() < NOW + LEASE / 3, "an Ack is due");
    }
    assert_eq!(b.handle_call(NOW + LEASE, 40, 2, 9), Err(SessionError::Expired));
    assert_eq!(answered(&mut a, NOW + LEASE, 40, 1), Err(SessionError::Expired));
}
