//! Properties of the wire: round trips, strictness, bounds.

mod arbitrary;

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use self::arbitrary::{any_bytes, frame, number, table};
use super::codec::{self, Reader, put_varint, varint_len};
use super::*;
use crate::id::{MethodId, NodeId, ObjectId};

const LIMITS: Limits = Limits {
    frame: 2_048,
    table: 8_192,
    message: 1 << 20,
    references: 64,
    calls: 1,
    ring: 65_536,
    objects: 1,
    partial: 1 << 20,
};

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut out = BytesMut::new();
    frame.encode(&mut out);
    out.to_vec()
}

/// The kind byte and the body.
fn body(frame: &Frame) -> Vec<u8> {
    encoded(frame).split_off(4)
}

fn decode(body: &[u8]) -> Result<Frame, WireError> {
    Frame::decode(Bytes::copy_from_slice(body), &LIMITS)
}

/// What `from` has and `to` has not, and the other way round, if one piece of each differs.
fn difference<'a>(from: &'a [u8], to: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let start = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    let (from, to) = (&from[start..], &to[start..]);
    let end = from.iter().rev().zip(to.iter().rev()).take_while(|(a, b)| a == b).count();
    (&from[..from.len() - end], &to[..to.len() - end])
}

/// Where the count of limits stands in a Hello or Welcome: after versions, ids and flags or token, and the lease.
fn count_of_limits(bytes: &[u8]) -> usize {
    let lease = if bytes[0] == 1 { 38 } else { 36 + usize::from(bytes[35]) };
    lease + bytes[lease..].iter().take_while(|byte| **byte >= 0x80).count() + 1
}

/// Whether a frame of this may lose something by being decoded, according to the protocol.
fn skips(bytes: &[u8], frame: &Frame, again: &[u8]) -> bool {
    // Options become the one byte that says that there are none.
    let options_alone = matches!(difference(bytes, again), ([_, ..], [] | [0]));
    match frame {
        Frame::Hello(_) | Frame::Welcome(_) => bytes[count_of_limits(bytes)] != 8 || options_alone,
        // What is left may stand between options that are skipped.
        Frame::Call(Call { target: Target::Unknown(_), .. } | Call { left_ms: Some(_), .. }) => {
            bytes.len() > again.len()
        }
        Frame::Root { .. } | Frame::Call(_) | Frame::Reply(_) => options_alone,
        Frame::Unknown { kind } => bytes[0] == *kind && again.len() == 1,
        _ => false,
    }
}

/// The frame without what is never encoded.
fn sent(mut frame: Frame) -> Frame {
    if let Frame::Root { unsupported, .. } | Frame::Call(Call { unsupported, .. }) = &mut frame {
        *unsupported = None;
    }
    frame
}

fn buffer(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(encoded).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_frame_comes_back(frame in frame()) {
        let bytes = encoded(&frame);
        let mut read = BytesMut::from(&bytes[..]);
        let body = split(&mut read, LIMITS.max_frame_len()).unwrap().unwrap();
        prop_assert!(read.is_empty());
        prop_assert_eq!(body[0], frame.kind());
        let back = Frame::decode(body, &LIMITS).unwrap();
        prop_assert_eq!(encoded(&back), bytes);
        prop_assert_eq!(back, frame);
    }

    #[test]
    fn no_two_byte_strings_are_the_same_frame(bytes in any_bytes()) {
        if let Ok(frame) = decode(&bytes) {
            let again = body(&frame);
            prop_assert!(again == bytes || skips(&bytes, &frame, &again), "{:?} is {:?} is {:?}", bytes, frame, again);
            prop_assert_eq!(decode(&again), Ok(sent(frame)));
        }
    }

    #[test]
    fn no_prefix_of_a_frame_is_another(frame in frame(), index: prop::sample::Index) {
        let bytes = body(&frame);
        let prefix = &bytes[..index.index(bytes.len())];
        match decode(prefix) {
            Err(error) => prop_assert!(!prefix.is_empty() || error == WireError::Truncated),
            // Payload goes to the end of the frame.
            Ok(Frame::Call(_) | Frame::Reply(_) | Frame::More { .. } | Frame::Unknown { .. }) => {}
            Ok(Frame::Relay(Relay { op: RelayOp::Data(_), .. })) => {}
            Ok(short) => prop_assert!(false, "{:?}", short),
        }
    }

    #[test]
    fn nothing_may_follow_a_frame(frame in frame(), byte: u8) {
        let mut bytes = body(&frame);
        bytes.push(byte);
        let result = decode(&bytes);
        match frame {
            Frame::Call(Call { size, ref chunk, .. }) | Frame::Reply(Reply { size, ref chunk, .. }) => {
                let room = size > chunk.len() as u64 && chunk.len() < LIMITS.frame as usize;
                prop_assert_eq!(result.is_ok(), room);
            }
            Frame::More { chunk, .. } => prop_assert_eq!(result.is_ok(), chunk.len() < LIMITS.frame as usize),
            Frame::Relay(Relay { op: RelayOp::Data(data), .. }) => {
                prop_assert_eq!(result.is_ok(), data.len() < LIMITS.frame as usize);
            }
            Frame::Unknown { .. } => prop_assert!(result.is_ok()),
            _ => prop_assert_eq!(result, Err(WireError::TrailingBytes)),
        }
    }

    #[test]
    fn a_table_knows_its_length(table in table()) {
        let mut out = BytesMut::new();
        table.encode(&mut out);
        prop_assert_eq!(out.len(), table.encoded_len());
    }

    #[test]
    fn a_table_is_within_the_limits_or_refused(table in table()) {
        let frame = Frame::Reply(Reply { call: 0, status: ReplyKind::Ok, table, size: 0, chunk: Bytes::new() });
        let Frame::Reply(Reply { table, .. }) = &frame else { unreachable!() };
        let (size, count) = (table.encoded_len() as u32, table.references.len() as u32);
        for (limits, fits) in [
            (Limits { table: size, references: count, ..LIMITS }, true),
            (Limits { table: size - 1, ..LIMITS }, count == 0),
            (Limits { references: count.saturating_sub(1), ..LIMITS }, count == 0),
        ] {
            prop_assert_eq!(Frame::decode(body(&frame).into(), &limits).is_ok(), fits || size == 1);
        }
    }

    #[test]
    fn varints_have_one_form(value in number(), bytes in vec(prop_oneof![Just(0x80), any::<u8>()], 0..12)) {
        let mut out = BytesMut::new();
        put_varint(&mut out, value);
        prop_assert_eq!(out.len(), varint_len(value));
        prop_assert_eq!(Reader::new(out.freeze()).varint(), Ok(value));

        let mut reader = Reader::new(bytes.clone().into());
        if let Ok(value) = reader.varint() {
            let mut again = BytesMut::new();
            put_varint(&mut again, value);
            prop_assert_eq!(&again[..], &bytes[..bytes.len() - reader.remaining()]);
        }
    }

    #[test]
    fn a_stream_is_the_same_frames_however_it_arrives(
        frames in vec(frame(), 0..6),
        steps in vec(1..700usize, 1..40),
    ) {
        let stream = buffer(&frames);
        let (mut sent, mut read, mut back) = (0, BytesMut::new(), Vec::new());
        for step in steps.iter().cycle() {
            while let Some(body) = split(&mut read, LIMITS.max_frame_len()).unwrap() {
                back.push(Frame::decode(body, &LIMITS).unwrap());
            }
            if sent == stream.len() {
                break;
            }
            let end = stream.len().min(sent + step);
            read.put_slice(&stream[sent..end]);
            sent = end;
        }
        prop_assert!(read.is_empty());
        prop_assert_eq!(back, frames);
    }
}

#[test]
fn a_table_of_many_interfaces_knows_its_length() {
    // Indexes of one byte and of two.
    let reference = |interface| TableReference {
        owner: Owner::Node(interface),
        object: ObjectId::from_bytes([1; 16]),
        interface,
        transfer: 1,
    };
    let table = Table {
        nodes: (0..200)
            .map(|i| TableNode { node: NodeId::from_bytes([i; 16]), addresses: Vec::new() })
            .collect(),
        interfaces: (0..200).map(|i| i.to_string().as_str().into()).collect(),
        references: (0..200).map(reference).collect(),
    };
    let mut out = BytesMut::new();
    table.encode(&mut out);
    assert_eq!(out.len(), table.encoded_len());
}

#[test]
fn the_byte_strings_of_these_tests_are_of_every_kind_good_and_bad() {
    let mut runner = TestRunner::deterministic();
    let (mut kinds, mut good, mut skipping, mut bad) = (BTreeSet::new(), 0, 0, 0);
    for _ in 0..20_000 {
        let bytes = any_bytes().new_tree(&mut runner).unwrap().current();
        match decode(&bytes) {
            Ok(frame) => {
                kinds.insert(if matches!(frame, Frame::Unknown { .. }) { 28 } else { frame.kind() });
                good += 1;
                skipping += usize::from(body(&frame) != bytes);
            }
            Err(_) => bad += 1,
        }
    }
    assert_eq!(kinds, (1..=6).chain(8..=10).chain(16..=28).chain([32, 36]).collect());
    assert!(good > 4_000 && bad > 4_000 && skipping > 1_000, "{good} {bad} {skipping}");
}

#[test]
fn a_payload_shares_the_memory_of_its_frame() {
    let body = Bytes::from(body(&Frame::More { first: 1, chunk: Bytes::from_static(b"payload") }));
    let inside = body.as_ptr_range();
    let Ok(Frame::More { chunk, .. }) = Frame::decode(body, &LIMITS) else { panic!("not a More") };
    assert!(inside.contains(&chunk.as_ptr()));
}

#[test]
fn a_payload_is_within_the_frame_limit_or_refused() {
    let most = LIMITS.frame as usize;
    for (length, fits) in [(most, true), (most + 1, false)] {
        let chunk = Bytes::from(vec![0; length]);
        let more = Frame::More { first: 1, chunk: chunk.clone() };
        let reply = Reply { call: 1, status: ReplyKind::Ok, table: Table::EMPTY, size: 1 << 19, chunk };
        for frame in [more, Frame::Reply(reply)] {
            assert_eq!(decode(&body(&frame)).is_ok(), fits, "{length}");
        }
    }
}

#[test]
fn a_count_takes_no_memory_that_the_bytes_do_not_cover() {
    // If memory were taken for this many elements, `Vec` would panic: they are more than any address space.
    let mut reader = Reader::new(Bytes::from_static(&[0; 100]));
    for (count, minimum) in [(usize::MAX, 1), (1 << 60, 17), (101, 1), (6, 17)] {
        let result = reader.repeat(count, minimum, |_| -> Result<[u64; 4], _> { panic!("not even begun") });
        assert_eq!(result, Err(WireError::Truncated), "{count} of {minimum}");
    }
    assert_eq!(reader.repeat(5, 20, |reader| reader.take(20)).unwrap().len(), 5);
}

#[test]
fn the_largest_call_is_within_the_largest_frame() {
    let reference = |i| TableReference {
        owner: Owner::Receiver,
        object: ObjectId::from_bytes([1; 16]),
        interface: 0,
        transfer: u64::MAX - i,
    };
    let mut table = Table {
        nodes: Vec::new(),
        interfaces: ["x".into()].into(),
        references: (0..60).map(reference).collect(),
    };
    let limits = Limits { message: u64::MAX, table: table.encoded_len() as u32, ..LIMITS };
    let mut call = Call {
        call: u64::MAX,
        target: Target::Object(ObjectId::from_bytes([2; 16])),
        method: MethodId(u64::MAX),
        left_ms: Some(u64::MAX),
        unsupported: None,
        table: table.clone(),
        size: u64::MAX,
        chunk: Bytes::from(vec![0; limits.frame as usize]),
    };
    let largest = body(&Frame::Call(call.clone()));
    assert!(largest.len() <= limits.max_frame_len());
    assert!(Frame::decode(largest.into(), &limits).is_ok());

    table.interfaces = ["xy".into()].into();
    call.table = table;
    let error = Frame::decode(body(&Frame::Call(call)).into(), &limits).unwrap_err();
    assert!(matches!(error, WireError::TooLong { what: "a table", .. }), "{error:?}");
}

#[test]
fn a_length_is_refused_before_the_bytes_arrive_and_takes_no_memory() {
    for (length, max, refused) in [(u32::MAX, 1_000, true), (1_001, 1_000, true), (1_000, 1_000, false)] {
        let mut read = BytesMut::with_capacity(4);
        read.put_u32(length);
        assert_eq!(split(&mut read, max).is_err(), refused, "{length}");
        assert!(read.capacity() < 1_000);
    }
    let mut read = BytesMut::from(&[0, 0, 0, 0][..]);
    assert!(split(&mut read, 1_000).is_err());
    let mut read = BytesMut::from(&[0xFF, 0xFF, 0xFF][..]);
    assert_eq!(split(&mut read, 1_000), Ok(None));
}

#[test]
fn long_texts_are_cut_between_characters() {
    // 1,023 bytes and a character of two: the 1,024th byte would be half of it.
    let text = "x".repeat(1_023) + "é" + "y";
    let bye = Frame::Bye { code: 0, text: text.clone(), received: 7 };
    assert_eq!(decode(&body(&bye)), Ok(Frame::Bye { code: 0, text: "x".repeat(1_023), received: 7 }));
    let refused = Frame::Refused(Refused { code: RefusedCode::Malformed, text: text.clone() });
    let Ok(Frame::Refused(refused)) = decode(&body(&refused)) else { panic!("not Refused") };
    assert_eq!(refused.text.len(), 1_023);
    let unsupported = Frame::Unsupported { frame: 1, text };
    assert!(decode(&body(&unsupported)).is_ok());
}

#[test]
fn addresses_over_the_bounds_are_left_out() {
    let long = "x".repeat(ADDRESS_MAX + 1);
    let fitting = |n: usize| (0..n).map(|i| format!("{i:0>256}")).collect::<Vec<_>>();
    let mut addresses = fitting(20);
    addresses.insert(3, long);

    let node = TableNode { node: NodeId::from_bytes([1; 16]), addresses: addresses.clone() };
    let reference = TableReference {
        owner: Owner::Node(0),
        object: ObjectId::from_bytes([1; 16]),
        interface: 0,
        transfer: 1,
    };
    let table = Table { nodes: vec![node], interfaces: ["I".into()].into(), references: [reference].into() };
    let length = table.encoded_len();
    let frame = Frame::Reply(Reply { call: 1, status: ReplyKind::Ok, table, size: 0, chunk: Bytes::new() });
    let Ok(Frame::Reply(reply)) = decode(&body(&frame)) else { panic!("not a Reply") };
    assert_eq!(reply.table.nodes[0].addresses, fitting(NODE_ADDRESSES_MAX));
    assert_eq!(reply.table.encoded_len(), length);

    let hello = Hello {
        versions: (1, 1),
        node: NodeId::from_bytes([1; 16]),
        expect: None,
        symmetric: false,
        lease_ms: 1,
        limits: Limits::default(),
        host: 1,
        process: 1,
        addresses,
    };
    let bytes = body(&Frame::Hello(hello));
    assert!(bytes.len() <= HANDSHAKE_FRAME_MAX);
    let Ok(Frame::Hello(hello)) = decode(&bytes) else { panic!("not a Hello") };
    assert_eq!(hello.addresses, fitting(ADDRESSES_MAX));
}

#[test]
fn nothing_prints_a_token() {
    let token = vec![0xAB; 16];
    let session = [0xCD; 16];
    let welcome = Welcome {
        version: 1,
        node: NodeId::from_bytes([1; 16]),
        session,
        token: token.clone(),
        lease_ms: 1,
        limits: LIMITS,
        host: 1,
        process: 1,
        addresses: Vec::new(),
    };
    let resume = Frame::Resume(Resume { session, token: token.clone(), received: 1 });
    let resumed = Frame::Resumed(Resumed { received: 1, token });
    for frame in [Frame::Welcome(welcome), resume, resumed] {
        let shown = format!("{frame:?}").to_lowercase();
        assert!(!shown.contains("171") && !shown.contains("abab"), "{shown}");
    }
}

#[test]
fn refused_codes_are_those_of_the_protocol() {
    for code in 0..=u8::MAX {
        assert_eq!(u8::from(RefusedCode::from(code)), code);
        let known = !matches!(RefusedCode::from(code), RefusedCode::Unknown(_));
        assert_eq!(known, (1..=7).contains(&code));
    }
}

#[test]
fn varint_lengths_are_those_of_leb128() {
    for (value, length) in
        [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (u64::MAX >> 1, 9), (u64::MAX, 10)]
    {
        assert_eq!(codec::varint_len(value), length, "{value}");
    }
}
