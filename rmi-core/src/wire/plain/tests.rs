use bytes::BytesMut;
use proptest::prelude::*;

use super::{continued, plain};
use crate::id::{MethodId, ObjectId};
use crate::wire::{Frame, Limits, MessageHead, Plain, ReplyKind, Target, encode_message};

proptest! {
    /// A frame that is looked at where it is, is read as it is decoded; what is not, is left to decoding.
    #[test]
    fn plain_messages_are_what_decoding_says(
        call in any::<u64>(),
        status in 0..4_u8,
        payload in prop::collection::vec(any::<u8>(), 0..200),
        kind in 16..20_u8,
        spoiled in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        options in prop::bool::weighted(0.1),
    ) {
        let limits = Limits { frame: 1024, ..Limits::default() };
        let mut out = BytesMut::new();
        let size = payload.len() as u64;
        let head = if kind % 2 == 0 {
            MessageHead::Reply(call, [ReplyKind::Ok, ReplyKind::Err, ReplyKind::Fault][status as usize % 3])
        } else {
            MessageHead::Call(call, ObjectId::from_bytes([status; 16]), MethodId(call), options.then_some(call))
        };
        encode_message(&mut out, head, None, size, payload.len());
        out.extend_from_slice(&payload);
        let mut body = out.split_off(4);
        prop_assert_eq!(&out[..], (body.len() as u32).to_be_bytes());
        // Numbers of ten bytes are left to decoding.
        let whole = spoiled.is_none() && !options && call < 1 << 63;
        if let Some((at, byte)) = spoiled {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let body = body.freeze();
        let found = plain(&body, &limits);
        prop_assert!(found.is_some() || !whole);
        if let Some((found, at)) = found {
            match (found, Frame::decode(body.clone(), &limits)) {
                (Plain::Call { call, object, method }, Ok(Frame::Call(frame))) => {
                    prop_assert_eq!((call, Target::Object(object), method), (frame.call, frame.target, frame.method));
                    prop_assert_eq!((frame.left_ms, frame.unsupported, frame.table.is_empty()), (None, None, true));
                    prop_assert_eq!((frame.size, &frame.chunk[..]), ((body.len() - at) as u64, &body[at..]));
                }
                (Plain::Reply { call, status }, Ok(Frame::Reply(frame))) => {
                    prop_assert_eq!((call, status, true), (frame.call, frame.status, frame.table.is_empty()));
                    prop_assert_eq!((frame.size, &frame.chunk[..]), ((body.len() - at) as u64, &body[at..]));
                }
                (found, decoded) => prop_assert!(false, "{:?} is decoded as {:?}", found, decoded),
            }
        }
    }

    /// What continues a message is known by its first bytes to be what decoding says, once all of it is here.
    #[test]
    fn what_continues_a_message_is_what_decoding_says(
        first in any::<u64>(),
        payload in prop::collection::vec(any::<u8>(), 0..200),
        here in any::<prop::sample::Index>(),
        spoiled in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        frame in 100..300_u32,
    ) {
        let limits = Limits { frame, ..Limits::default() };
        let mut out = BytesMut::new();
        Frame::More { first, chunk: payload.into() }.encode(&mut out);
        let mut body = out.split_off(4);
        if let Some((at, byte)) = spoiled {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let here = here.index(body.len() + 1);
        let found = continued(&body[..here], body.len(), &limits);
        let decoded = Frame::decode(body.clone().freeze(), &limits);
        match (found, decoded) {
            (Some((number, at)), Ok(Frame::More { first, chunk })) => {
                prop_assert_eq!((number, &body[at..]), (first, &chunk[..]));
            }
            (None, Ok(Frame::More { .. })) => prop_assert!(here <= 9 || first >= 1 << 63),
            (found, _) => prop_assert_eq!(found, None),
        }
    }
}
