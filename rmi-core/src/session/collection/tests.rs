//! Many handles that are dropped at once.

use bytes::BytesMut;

use super::CLEANS;
use crate::id::ObjectId;
use crate::session::OutReference;
use crate::session::life::tests::{Two, interface};
use crate::wire::{Frame, Limits, split};

/// As many as one message may name.
const OBJECTS: u32 = 4096;

fn id(object: u32) -> ObjectId {
    ObjectId::from_bytes(u128::from(object).to_be_bytes())
}

fn given(object: u32) -> OutReference<crate::session::life::tests::Numbers> {
    OutReference::Own { id: id(object), interface: interface(), object }
}

/// The frames of the next write, and how many bytes they are.
fn written(two: &mut Two) -> (Vec<Frame>, usize) {
    let output = two.dialer.poll_output(two.now).unwrap_or_default();
    let mut bytes = BytesMut::from(output.concat());
    let frames = std::iter::from_fn(|| split(&mut bytes, 1 << 20).unwrap());
    (frames.map(|frame| Frame::decode(frame, &Limits::default()).unwrap()).collect(), output.len())
}

#[test]
fn a_mass_drop_leaves_some_at_a_time_and_calls_go_in_between() {
    let mut two = Two::new();
    two.call(Vec::new());
    two.talk();
    two.answer((0..OBJECTS).map(given).collect());
    two.rest();
    assert_eq!((two.dialer.imported(), two.owner.listed()), (OBJECTS as usize, OBJECTS as usize));

    two.dialer.dropped((0..OBJECTS).map(id).collect());
    two.call(Vec::new());
    let mut cleaned = 0;
    for write in 0.. {
        assert_eq!(two.dialer.has_output(), cleaned < OBJECTS, "it is known that there is more");
        let (frames, bytes) = written(&mut two);
        assert!(bytes < CLEANS + 100, "{bytes} bytes in one write");
        let calls = frames.iter().filter(|frame| matches!(frame, Frame::Call(_))).count();
        assert_eq!(calls, usize::from(write == 0), "what is there at the first write is in it");
        cleaned += frames.iter().filter(|frame| matches!(frame, Frame::Clean { .. })).count() as u32;
        if frames.is_empty() {
            break;
        }
    }
    assert_eq!((cleaned, two.dialer.imported()), (OBJECTS, 0));
}

#[test]
fn notices_of_what_is_gone_harm_nobody() {
    let mut two = Two::new();
    two.call(Vec::new());
    two.talk();
    two.answer(vec![given(1), given(2)]);
    two.rest();
    two.dialer.dropped(vec![id(1), id(2)]);
    two.dialer.dropped(vec![id(2)]);
    two.talk();
    assert_eq!((two.dialer.imported(), two.owner.listed()), (0, 0));
}
