//! Frames and byte strings to test with.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

pub(super) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0..300u64, (0..64u32, 0..3u64).prop_map(|(bits, more)| (1 << bits) + more - 1)]
}

/// At most `max` bytes, and often exactly so many.
fn text(max: usize) -> impl Strategy<Value = String> {
    let cut = move |text: String| text[..text.floor_char_boundary(max)].to_owned();
    prop_oneof![
        9 => vec(any::<char>(), 0..12).prop_map(move |chars| cut(chars.into_iter().collect())),
        1 => Just("x".repeat(max)),
    ]
}

fn id() -> impl Strategy<Value = [u8; 16]> {
    any::<[u8; 16]>()
}

fn object() -> impl Strategy<Value = ObjectId> {
    id().prop_map(ObjectId::from_bytes)
}

fn node() -> impl Strategy<Value = NodeId> {
    id().prop_map(NodeId::from_bytes)
}

fn addresses(max: usize) -> impl Strategy<Value = Vec<String>> {
    vec(text(ADDRESS_MAX), 0..=max)
}

fn limits() -> impl Strategy<Value = Limits> {
    let small = |minimum| prop_oneof![Just(minimum), Just(u32::MAX), minimum..=u32::MAX];
    let large = |minimum| prop_oneof![Just(minimum), Just(u64::MAX), minimum..=u64::MAX];
    let first = (small(1_024), small(4_096), large(1_024), small(1));
    let second = (small(1), large(65_536), small(1), large(1_024));
    (first, second).prop_map(|((frame, table, message, references), (calls, ring, objects, partial))| {
        Limits { frame, table, message, references, calls, ring, objects, partial }
    })
}

fn hello() -> impl Strategy<Value = Hello> {
    let who = (any::<(u16, u16)>(), node(), option::of(node()), any::<bool>());
    let expect = |node: NodeId| node.to_bytes() != [0; 16];
    (who, number(), limits(), any::<(u64, u64)>(), addresses(ADDRESSES_MAX)).prop_map(
        move |((versions, node, meant, symmetric), lease_ms, limits, (host, process), addresses)| Hello {
            versions,
            node,
            expect: meant.filter(|node| expect(*node)),
            symmetric,
            lease_ms,
            limits,
            host,
            process,
            addresses,
        },
    )
}

fn token() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 16..=64)
}

fn welcome() -> impl Strategy<Value = Welcome> {
    (any::<u16>(), id(), token(), hello()).prop_map(|(version, session, token, hello)| Welcome {
        version,
        node: hello.node,
        session,
        token,
        lease_ms: hello.lease_ms,
        limits: hello.limits,
        host: hello.host,
        process: hello.process,
        addresses: hello.addresses,
    })
}

pub(super) fn table() -> impl Strategy<Value = Table> {
    let nodes = vec((node(), addresses(NODE_ADDRESSES_MAX)), 0..4);
    let interfaces = vec(text(INTERFACE_MAX), 1..4);
    let references = vec((0..6u32, object(), any::<u32>(), 1..=u64::MAX), 4..20);
    let some = (nodes, interfaces, references).prop_map(|(nodes, interfaces, references)| {
        let reference = |(owner, object, interface, transfer)| {
            let owner = match owner {
                0 => Owner::Sender,
                i if i as usize <= nodes.len() => Owner::Node(i - 1),
                _ => Owner::Receiver,
            };
            let transfer = if owner == Owner::Sender { 0 } else { transfer };
            TableReference { owner, object, interface: interface % interfaces.len() as u32, transfer }
        };
        Table {
            references: references.into_iter().map(reference).collect(),
            nodes: nodes.into_iter().map(|(node, addresses)| TableNode { node, addresses }).collect(),
            interfaces: interfaces.iter().map(|name| name.as_str().into()).collect(),
        }
    });
    prop_oneof![Just(Table::EMPTY), some.prop_filter("too long", |table| table.encoded_len() <= 8_192)]
}

/// A payload's first bytes and the size of the whole.
fn payload() -> impl Strategy<Value = (Bytes, u64)> {
    let chunk = prop_oneof![9 => vec(any::<u8>(), 0..40), 1 => Just(vec![7; LIMITS.frame as usize])];
    (chunk, prop_oneof![Just(0), 0..1_000_000u64])
        .prop_map(|(chunk, more)| (Bytes::from(chunk.clone()), chunk.len() as u64 + more))
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![4 => object().prop_map(Target::Object), 1 => (1..=255u8).prop_map(Target::Unknown)]
}

fn call() -> impl Strategy<Value = Call> {
    let method = any::<u64>().prop_map(MethodId);
    (number(), target(), method, option::of(number()), table(), payload()).prop_map(
        |(call, target, method, left_ms, table, (chunk, size))| Call {
            call,
            target,
            method,
            left_ms,
            unsupported: None,
            table,
            size,
            chunk,
        },
    )
}

fn reply() -> impl Strategy<Value = Reply> {
    let status = prop_oneof![Just(ReplyKind::Ok), Just(ReplyKind::Err), Just(ReplyKind::Fault)];
    (number(), status, table(), payload()).prop_map(|(call, status, table, (chunk, size))| Reply {
        call,
        status,
        table,
        size,
        chunk,
    })
}

pub(super) fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        1 => call().prop_map(Frame::Call),
        1 => reply().prop_map(Frame::Reply),
        3 => frame_without_table(),
    ]
}

fn frame_without_table() -> impl Strategy<Value = Frame> {
    let code = any::<u8>().prop_map(RefusedCode::from);
    prop_oneof![
        hello().prop_map(Frame::Hello),
        welcome().prop_map(Frame::Welcome),
        (code, text(TEXT_MAX)).prop_map(|(code, text)| Frame::Refused(Refused { code, text })),
        (id(), token(), number()).prop_map(|(session, token, received)| Frame::Resume(Resume {
            session,
            token,
            received
        })),
        (token(), number()).prop_map(|(token, received)| Frame::Resumed(Resumed { received, token })),
        node().prop_map(|node| Frame::Expired { node }),
        number().prop_map(|frame| Frame::Ack { frame }),
        number().prop_map(|stamp| Frame::Ping { stamp }),
        number().prop_map(|stamp| Frame::Pong { stamp }),
        (number(), text(ROOT_NAME_MAX)).prop_map(|(call, name)| Frame::Root {
            call,
            name,
            unsupported: None
        }),
        object().prop_map(|object| Frame::Dirty { object }),
        object().prop_map(|object| Frame::Held { object }),
        object().prop_map(|object| Frame::Gone { object }),
        (object(), number()).prop_map(|(object, upto)| Frame::Clean { object, upto }),
        number().prop_map(|transfer| Frame::Unpin { transfer }),
        (any::<u8>(), text(TEXT_MAX), number()).prop_map(|(code, text, received)| Frame::Bye {
            code,
            text,
            received
        }),
        (number(), payload()).prop_map(|(first, (chunk, _))| Frame::More { first, chunk }),
        number().prop_map(|first| Frame::Abort { first }),
        (number(), text(TEXT_MAX)).prop_map(|(frame, text)| Frame::Unsupported { frame, text }),
        number().prop_map(|call| Frame::Cancel { call }),
        (number(), relay_op()).prop_map(|(tunnel, op)| Frame::Relay(Relay { tunnel, op })),
        (28..126u8)
            .prop_map(|kind| Frame::Unknown { kind: kind + u8::from(kind >= 32) + u8::from(kind >= 35) }),
    ]
}

fn relay_op() -> impl Strategy<Value = RelayOp> {
    let data = prop_oneof![9 => vec(any::<u8>(), 1..40), 1 => Just(vec![7; LIMITS.frame as usize])];
    prop_oneof![
        (node(), object()).prop_map(|(target, object)| RelayOp::Open { target, object }),
        data.prop_map(|data| RelayOp::Data(data.into())),
        number().prop_map(|bytes| RelayOp::Credit(bytes.max(1))),
        text(TEXT_MAX).prop_map(RelayOp::Close),
    ]
}

/// A damaged frame: bytes changed, removed, inserted, the end cut off or extended.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let damage = (0..5u8, any::<prop::sample::Index>(), prop_oneof![Just(0), Just(1), any::<u8>()]);
    (frame(), vec(damage, 1..4)).prop_map(|(frame, damages)| {
        let mut bytes = body(&frame);
        for (how, index, byte) in damages {
            let at = index.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match how {
                _ if bytes.is_empty() => bytes.push(byte),
                0 => bytes[at] ^= 1 << (byte % 8),
                1 => bytes[at] = byte,
                2 => drop(bytes.remove(at)),
                3 => bytes.insert(at, byte),
                _ if byte.is_multiple_of(2) => bytes.truncate(at),
                _ => bytes.push(byte),
            }
        }
        bytes
    })
}

pub(super) fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let tail = || vec(prop_oneof![Just(0), Just(1), Just(2), any::<u8>()], 0..60);
    let kinded = (0..37u8, tail()).prop_map(|(kind, mut bytes)| {
        bytes.insert(0, kind);
        bytes
    });
    prop_oneof![3 => damaged(), 1 => kinded, 1 => tail()]
}
