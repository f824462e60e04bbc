//! The golden bytes: written by hand from PROTOCOL.md, not by this code.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};

use super::*;
use crate::id::{MethodId, NodeId, ObjectId};

/// An entry of a golden file.
struct Golden {
    name: &'static str,
    error: Option<&'static str>,
    bytes: Vec<u8>,
}

fn parse(file: &'static str) -> Vec<Golden> {
    let mut entries: Vec<Golden> = Vec::new();
    for line in file.lines() {
        let code = line.split('#').next().unwrap().trim();
        if let Some(name) = line.strip_prefix("== ") {
            entries.push(Golden { name, error: None, bytes: Vec::new() });
        } else if let Some(error) = line.strip_prefix("! ") {
            entries.last_mut().unwrap().error = Some(error);
        } else if !code.is_empty() {
            let bytes = code.split_whitespace().map(|hex| u8::from_str_radix(hex, 16).unwrap());
            entries.last_mut().unwrap().bytes.extend(bytes);
        }
    }
    entries
}

fn read(bytes: &[u8]) -> Result<Frame, WireError> {
    let limits = Limits::default();
    let mut buffer = BytesMut::from(bytes);
    let body = split(&mut buffer, limits.max_frame_len())?.expect("the length says that all is there");
    assert!(buffer.is_empty(), "the length does not say that all is there");
    Frame::decode(body, &limits)
}

/// Compares a file's entries with the frames that they stand for, by name and in order.
fn compare(file: &'static str, frames: Vec<(&str, Frame)>, check: impl Fn(&Golden, &Frame)) {
    let entries = parse(file);
    let names: Vec<_> = entries.iter().map(|golden| golden.name).collect();
    assert_eq!(names, frames.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (golden, (name, frame)) in entries.iter().zip(&frames) {
        assert_eq!(read(&golden.bytes).as_ref(), Ok(frame), "{name}");
        check(golden, frame);
    }
}

#[test]
fn frames_are_the_golden_bytes_both_ways() {
    compare(include_str!("frames.txt"), frames(), |golden, frame| {
        let mut out = BytesMut::new();
        frame.encode(&mut out);
        assert_eq!(hex(&out), hex(&golden.bytes), "{}", golden.name);
    });
}

#[test]
fn every_kind_has_golden_bytes() {
    let kinds: BTreeSet<u8> = frames().iter().map(|(_, frame)| frame.kind()).collect();
    let specified: BTreeSet<u8> = (1..=6).chain(8..=10).chain(16..=27).chain([32, 36]).collect();
    assert_eq!(kinds, specified);
    for (name, frame) in frames() {
        assert_eq!(frame.is_numbered(), frame.kind() >= 16, "{name}");
    }
}

#[test]
fn what_is_to_be_skipped_is_skipped() {
    compare(include_str!("skipped.txt"), skipped(), |golden, frame| {
        let mut out = BytesMut::new();
        frame.encode(&mut out);
        let same = golden.bytes.len() == 5;
        assert_eq!(out == golden.bytes, same, "{}: nothing is skipped here", golden.name);
    });
}

#[test]
fn what_is_malformed_is_refused() {
    let entries = parse(include_str!("malformed.txt"));
    assert!(entries.len() > 40);
    for golden in entries {
        let error = read(&golden.bytes).expect_err(golden.name);
        assert_eq!(format!("{error:?}"), golden.error.unwrap(), "{}", golden.name);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X} ")).collect()
}

/// 16 bytes that ascend from `first`.
fn ascending(first: u8) -> [u8; 16] {
    std::array::from_fn(|i| first + i as u8)
}

fn node(first: u8) -> NodeId {
    NodeId::from_bytes(ascending(first))
}

fn object(first: u8) -> ObjectId {
    ObjectId::from_bytes(ascending(first))
}

const LEAST: Limits = Limits {
    frame: 1_024,
    table: 4_096,
    message: 1_024,
    references: 1,
    calls: 1,
    ring: 65_536,
    objects: 1,
    partial: 1_024,
};

fn hello() -> Hello {
    Hello {
        versions: (1, 1),
        node: node(0),
        expect: None,
        symmetric: false,
        lease_ms: 0,
        limits: Limits::default(),
        host: 0,
        process: 0,
        addresses: Vec::new(),
    }
}

fn every_owner() -> Table {
    let reference = |owner, first, interface, transfer| TableReference {
        owner,
        object: object(first),
        interface,
        transfer,
    };
    Table {
        nodes: vec![TableNode { node: node(0x20), addresses: vec!["tcp://c:2".into(), String::new()] }],
        interfaces: vec!["Printer".into(), "Job".into()].into(),
        references: vec![
            reference(Owner::Sender, 0xB0, 1, 0),
            reference(Owner::Receiver, 0xA0, 0, 1),
            reference(Owner::Node(0), 0xC0, 1, 300),
        ]
        .into(),
    }
}

fn one_reference(owner: Owner, interface: &str, transfer: u64) -> Table {
    let reference = TableReference { owner, object: object(0xA0), interface: 0, transfer };
    Table { nodes: Vec::new(), interfaces: [interface.into()].into(), references: [reference].into() }
}

fn call(call: u64, method: MethodId, table: Table, size: u64, chunk: &'static [u8]) -> Call {
    let chunk = Bytes::from_static(chunk);
    Call {
        call,
        target: Target::Object(object(0xA0)),
        method,
        left_ms: None,
        unsupported: None,
        table,
        size,
        chunk,
    }
}

fn reply(call: u64, status: ReplyKind, table: Table, size: u64, chunk: &'static [u8]) -> Frame {
    Frame::Reply(Reply { call, status, table, size, chunk: Bytes::from_static(chunk) })
}

fn relay(tunnel: u64, op: RelayOp) -> Frame {
    Frame::Relay(Relay { tunnel, op })
}

fn frames() -> Vec<(&'static str, Frame)> {
    let (host, process) = (0x0102_0304_0506_0708, 0x1112_1314_1516_1718);
    let token = ascending(0x70).to_vec();
    let session = ascending(0x50);
    vec![
        (
            "Hello",
            Frame::Hello(Hello {
                lease_ms: 10_000,
                host,
                process,
                addresses: vec!["tcp://h:1".into(), "mem://x".into()],
                ..hello()
            }),
        ),
        (
            "Hello of two ends of a pipe, to node B, with the least limits",
            Frame::Hello(Hello {
                versions: (1, 2),
                expect: Some(node(0x10)),
                symmetric: true,
                lease_ms: 127,
                limits: LEAST,
                process: u64::MAX,
                ..hello()
            }),
        ),
        (
            "Welcome",
            Frame::Welcome(Welcome {
                version: 1,
                node: node(0x10),
                session,
                token: token.clone(),
                lease_ms: 128,
                limits: Limits::default(),
                host,
                process,
                addresses: vec!["unix://".into()],
            }),
        ),
        (
            "Refused: another node was meant",
            Frame::Refused(Refused { code: RefusedCode::OtherNode, text: "A é!".into() }),
        ),
        (
            "Refused: a code of a later version",
            Frame::Refused(Refused { code: RefusedCode::Unknown(200), text: String::new() }),
        ),
        ("Resume", Frame::Resume(Resume { session, token: token.clone(), received: 7 })),
        ("Resumed", Frame::Resumed(Resumed { received: 300, token })),
        ("Expired", Frame::Expired { node: node(0x10) }),
        ("Ack", Frame::Ack { frame: 300 }),
        ("Ping", Frame::Ping { stamp: u64::MAX }),
        ("Pong", Frame::Pong { stamp: 0 }),
        ("Root", Frame::Root { call: 1, name: "printer".into(), unsupported: None }),
        (
            "Call without references, in one frame",
            Frame::Call(call(2, MethodId::of("Printer", "print"), Table::EMPTY, 2, b"\x91\xC3")),
        ),
        (
            "Call with references of every owner, begun",
            Frame::Call(call(128, MethodId(42), every_owner(), 100_000, b"\x94\xD6\x01\0\0\0\0")),
        ),
        (
            "Call with 300 ms left",
            Frame::Call(Call {
                left_ms: Some(300),
                ..call(2, MethodId::of("Printer", "print"), Table::EMPTY, 2, b"\x91\xC3")
            }),
        ),
        (
            "Reply: Ok, a reference",
            reply(1, ReplyKind::Ok, one_reference(Owner::Sender, "Printer", 0), 6, b"\xD6\x01\0\0\0\0"),
        ),
        ("Reply: Err", reply(2, ReplyKind::Err, Table::EMPTY, 1, b"\xC0")),
        ("Reply: fault, begun without payload", reply(3, ReplyKind::Fault, Table::EMPTY, 1_024, b"")),
        ("Dirty", Frame::Dirty { object: object(0xB0) }),
        ("Held", Frame::Held { object: object(0xB0) }),
        ("Gone", Frame::Gone { object: object(0xB0) }),
        ("Clean", Frame::Clean { object: object(0xB0), upto: 16_384 }),
        ("Unpin", Frame::Unpin { transfer: 16_383 }),
        ("Bye", Frame::Bye { code: 1, text: "oops".into(), received: 300 }),
        ("More", Frame::More { first: 5, chunk: Bytes::from_static(&[1, 2, 3, 4, 5, 6, 7, 8, 9]) }),
        ("Abort", Frame::Abort { first: 5 }),
        ("Unsupported", Frame::Unsupported { frame: 9, text: "kind 33".into() }),
        ("Cancel", Frame::Cancel { call: 128 }),
        ("Relay: open", relay(0, RelayOp::Open { target: node(0x10), object: object(0xB0) })),
        ("Relay: data", relay(1, RelayOp::Data(Bytes::from_static(b"RMI\x01")))),
        ("Relay: credit", relay(300, RelayOp::Credit(131_072))),
        ("Relay: close", relay(2, RelayOp::Close("no way".into()))),
    ]
}

fn skipped() -> Vec<(&'static str, Frame)> {
    let one_limit = Limits { frame: 1_024, ..Limits::default() };
    vec![
        ("Hello with nine limits and an option", Frame::Hello(Hello { versions: (1, 9), ..hello() })),
        ("Hello without limits", Frame::Hello(hello())),
        ("Hello with one limit", Frame::Hello(Hello { limits: one_limit, ..hello() })),
        (
            "Root with options to be understood",
            Frame::Root { call: 1, name: "x".into(), unsupported: Some(3) },
        ),
        ("Call with an option to be skipped", Frame::Call(call(2, MethodId(42), Table::EMPTY, 0, b""))),
        (
            "Call of an unknown target, with a reference, begun",
            Frame::Call(Call {
                target: Target::Unknown(1),
                unsupported: Some(1),
                ..call(2, MethodId(42), one_reference(Owner::Receiver, "I", 1), 10, b"\x91")
            }),
        ),
        ("Reply with an option to be skipped", reply(2, ReplyKind::Ok, Table::EMPTY, 1, b"\xC0")),
        (
            "Call with 5 ms left and an option to be skipped",
            Frame::Call(Call { left_ms: Some(5), ..call(2, MethodId(42), Table::EMPTY, 0, b"") }),
        ),
        ("OneWay, of a later version", Frame::Unknown { kind: 33 }),
        ("The last kind there may be", Frame::Unknown { kind: 127 }),
    ]
}
