//! Arguments and results, from values to payloads and back, without a node.
#![expect(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use rmi::private::check;
use rmi::{AnyProxy, NodeId, RemoteError, remote};
use rmi_core::internal::session::Rope;
use rmi_core::invoke::{Arguments, Incoming, RemoteResult, Reply, ReplyStatus};
use serde::de::DeserializeOwned;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

type Result<T> = std::result::Result<T, RemoteError>;

#[remote]
pub trait Note {
    async fn text(&self) -> Result<String>;
}

struct Text;

impl Note for Text {
    async fn text(&self) -> Result<String> {
        Ok("text".into())
    }
}

fn note() -> AnyProxy {
    NoteProxy::new(Text).into()
}

fn node() -> NodeId {
    NodeId::from_bytes([7; 16])
}

/// The payload of one argument, in memory of its own as if it had been read.
fn argument<T: Serialize + ?Sized>(value: &T) -> (Bytes, Vec<AnyProxy>) {
    let mut arguments = Arguments::new(1);
    arguments.push_lent("value", value);
    let (payload, references) = arguments.finish("I/m").unwrap();
    (Bytes::from(payload), references)
}

fn decoded<T: DeserializeOwned + 'static>(payload: &Bytes, references: Vec<AnyProxy>) -> Result<T> {
    Incoming::new(node(), payload, references).next("I/m", "value")
}

fn there_and_back<T: Serialize + DeserializeOwned + 'static>(value: &T) -> T {
    let (payload, references) = argument(value);
    decoded(&payload, references).unwrap()
}

/// A result on its way, and the payload that it came in.
fn result<T>(value: T) -> (T, Bytes)
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    let answer = Result::Ok(value).encode().unwrap();
    assert_eq!(answer.status, ReplyStatus::Ok);
    let payload = Bytes::from(answer.payload);
    let (status, references) = (answer.status, answer.references);
    let reply = Reply { from: node(), status, payload: payload.clone().into(), references };
    (Result::decode(reply).unwrap().unwrap(), payload)
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31) as u8).collect()
}

fn is_within(bytes: &[u8], payload: &[u8]) -> bool {
    payload.as_ptr_range().contains(&bytes.as_ptr())
}

#[test]
fn bytes_of_every_type_travel_as_bin() {
    for len in [1, 15, 200, 300, 70_000] {
        let bytes = pattern(len);
        let expected = argument(&bytes).0;
        let head = expected.len() - len;
        assert_eq!(expected[head..], bytes);
        let bin: &[u8] = match len {
            0..=0xff => &[0x91, 0xc4, len as u8],
            0x100..=0xffff => &[0x91, 0xc5, (len >> 8) as u8, len as u8],
            _ => &[0x91, 0xc6, 0, (len >> 16) as u8, (len >> 8) as u8, len as u8],
        };
        assert_eq!(expected[..head], *bin);
        for payload in [
            argument(&bytes[..]),
            argument(&bytes.clone().into_boxed_slice()),
            argument(&Bytes::from(bytes.clone())),
            argument(&serde_bytes::ByteBuf::from(bytes.clone())),
        ] {
            assert_eq!(payload.0, expected);
        }
        assert_eq!(there_and_back(&bytes), bytes);
        assert_eq!(*there_and_back(&bytes.clone().into_boxed_slice()), bytes);
        assert_eq!(there_and_back(&serde_bytes::ByteBuf::from(bytes.clone())), bytes);
        assert_eq!(there_and_back(&Bytes::from(bytes.clone())), bytes);
        assert_eq!(result(bytes.clone()).0, bytes);
        assert_eq!(result(Bytes::from(bytes.clone())).0, bytes);
        let lent = check::lent::<[u8]>(&mut Incoming::new(node(), &expected, Vec::new()), "I/m", "value");
        assert_eq!(lent.unwrap(), bytes);
    }
}

#[test]
fn large_bytes_share_the_memory_of_their_message() {
    let large = Bytes::from(pattern(5000));
    let (payload, _) = argument(&large);
    let decoded = decoded::<Bytes>(&payload, Vec::new()).unwrap();
    assert!(decoded == large && is_within(&decoded, &payload));
    drop(payload);
    assert_eq!(decoded, large);

    let (back, payload) = result(large.clone());
    assert!(back == large && is_within(&back, &payload));

    let (payload, _) = argument(&large);
    let mut call = Incoming::new(node(), &payload, Vec::new());
    let lent = check::lent::<Bytes>(&mut call, "I/m", "value").unwrap();
    assert!(lent == large && is_within(&lent, &payload));
}

#[test]
fn what_is_little_of_its_message_is_copied() {
    let small = Bytes::from(pattern(4000));
    let (payload, _) = argument(&small);
    let back = decoded::<Bytes>(&payload, Vec::new()).unwrap();
    assert!(back == small && !is_within(&back, &payload));

    let mut arguments = Arguments::new(3);
    arguments.push("little", &Bytes::from(pattern(5000)));
    arguments.push("rest", &pattern(60_000));
    arguments.push("more", &Bytes::from(pattern(10_000)));
    let payload = Bytes::from(arguments.finish("I/m").unwrap().0);
    let mut call = Incoming::new(node(), &payload, Vec::new());
    let little: Bytes = call.next("I/m", "little").unwrap();
    assert!(little == pattern(5000) && !is_within(&little, &payload));
    assert_eq!(call.next::<Vec<u8>>("I/m", "rest").unwrap(), pattern(60_000));
    let more: Bytes = call.next("I/m", "more").unwrap();
    assert!(more == pattern(10_000) && is_within(&more, &payload));
}

#[test]
fn bytes_are_read_from_whatever_a_peer_has_them_in() {
    let array = Bytes::from([&[0x91, 0xdc, 0x20, 0][..], &[1; 0x2000]].concat());
    assert_eq!(decoded::<Bytes>(&array, Vec::new()).unwrap(), vec![1; 0x2000]);
    let empty = Bytes::from_static(&[0x91, 0x90]);
    assert_eq!(decoded::<Bytes>(&empty, Vec::new()).unwrap(), "");
    let short = Bytes::from_static(&[0x91, 0xc6, 0, 0, 0x20, 0, 1, 2]);
    let why = decoded::<Bytes>(&short, Vec::new()).unwrap_err().to_string();
    assert!(why.contains("the bytes end within a value"), "{why}");
}

#[test]
fn arguments_are_what_they_should_be_or_named() {
    let why = |payload: &[u8], count: usize| {
        let payload = Bytes::copy_from_slice(payload);
        let mut call = Incoming::new(node(), &payload, Vec::new());
        let last = (0..count).map(|_| call.next::<u8>("I/m", "value")).last().unwrap();
        match last {
            Err(RemoteError::BadArgument { call, argument, reason }) => {
                assert_eq!((&*call, &*argument), ("I/m", "value"));
                reason
            }
            other => format!("{other:?}"),
        }
    };
    assert_eq!(why(&[], 1), "the arguments are not an array");
    assert_eq!(why(&[0x81, 1, 2], 1), "the arguments are not an array");
    assert_eq!(why(&[0x90], 1), "it is missing");
    assert_eq!(why(&[0x91, 1], 2), "it is missing");
    assert_eq!(why(&[0x92, 1], 2), "the bytes end within a value");
    assert_eq!(why(&[0x92, 1, 0xc3], 2), "invalid type: boolean `true`, expected u8");
    assert_eq!(why(&[0x92, 1, 2], 1), "Ok(1)", "what a method does not take is left");
    assert_eq!(why(&[0xdc, 0, 1, 5], 1), "Ok(5)");

    let mut arguments = Arguments::new(3);
    arguments.push("good", &1);
    arguments.push("bad", &Failing);
    arguments.push("more", &2);
    let why = arguments.finish("I/m").unwrap_err().to_string();
    assert!(why.contains("bad") && why.contains("it will not"), "{why}");
}

/// Fails to be serialized.
struct Failing;

impl Serialize for Failing {
    fn serialize<S: Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it will not"))
    }
}

/// The arguments are inside an array, which counts.
#[test]
fn what_arguments_nest_is_bounded() {
    #[derive(Serialize, Deserialize)]
    struct Nest(Option<Box<(Nest,)>>);
    for (levels, fits) in [(126, true), (127, true), (128, false), (10_000, false)] {
        let payload = Bytes::from([&[0x91].repeat(levels + 1)[..], &[0xc0]].concat());
        assert_eq!(decoded::<Nest>(&payload, Vec::new()).is_ok(), fits, "{levels}");
    }
}

#[test]
fn bytes_that_are_given_are_sent_from_where_they_are() {
    let (large, small) = (Bytes::from(vec![7; 5000]), Bytes::from(vec![8; 100]));
    let mut arguments = Arguments::new(4);
    arguments.push("one", &1_u64);
    arguments.push("large", &large);
    arguments.push("small", &small);
    arguments.push("again", &large);
    let rope = Rope::from(arguments.finish("I/m").unwrap().0);
    let shared: Vec<_> = rope.iter().filter(|piece| piece.as_ptr() == large.as_ptr()).collect();
    assert_eq!(shared, [&large; 2]);
    let payload = rope.concat();
    let mut call = Incoming::new(node(), &payload, Vec::new());
    assert_eq!(call.next::<u64>("I/m", "one").unwrap(), 1);
    assert_eq!(call.next::<Bytes>("I/m", "large").unwrap(), large);
    assert_eq!(call.next::<Bytes>("I/m", "small").unwrap(), small);
    assert_eq!(call.next::<Vec<u8>>("I/m", "again").unwrap(), large);
    let answer = Ok::<_, RemoteError>(large.clone()).encode().unwrap();
    assert_eq!(Rope::from(answer.payload).iter().last().unwrap().as_ptr(), large.as_ptr());
}

#[test]
fn references_have_their_indices_in_order() {
    let notes: Vec<_> = (0..5).map(|_| note()).collect();
    let mut arguments = Arguments::new(3);
    arguments.push("one", &notes[0]);
    arguments.push("none", &"text");
    arguments.push_lent("many", &(&notes[1..4], Some(&notes[4]), &notes[0]));
    let (payload, references) = arguments.finish("I/m").unwrap();
    let payload = Bytes::from(payload);
    let expected = [&notes[..], &notes[..1]].concat();
    assert_eq!(references, expected);
    let reference = |index: u8| [0xd6, 1, 0, 0, 0, index];
    assert_eq!(payload[1..7], reference(0));
    assert_eq!(payload[12..], *[&[0x93, 0x93][..], &[1, 2, 3, 4, 5].map(reference).concat()].concat());

    let mut call = Incoming::new(node(), &payload, references);
    assert_eq!(call.next::<AnyProxy>("I/m", "one").unwrap(), notes[0]);
    assert_eq!(call.next::<String>("I/m", "none").unwrap(), "text");
    let many: (Vec<AnyProxy>, Option<AnyProxy>, NoteProxy) = call.next("I/m", "many").unwrap();
    assert_eq!(many.0, notes[1..4]);
    assert_eq!((many.1.as_ref(), AnyProxy::from(many.2)), (Some(&notes[4]), notes[0].clone()));
}

#[test]
fn references_that_are_not_there_are_refused() {
    let why = |index, references| {
        let payload = Bytes::from(vec![0x91, 0xd6, 1, 0, 0, 0, index]);
        decoded::<AnyProxy>(&payload, references).unwrap_err().to_string()
    };
    assert!(why(0, Vec::new()).contains("reference 0 is not in the table of 0"));
    assert!(why(1, vec![note()]).contains("reference 1 is not in the table of 1"));
    let other = Bytes::from_static(&[0x91, 0xd6, 2, 0, 0, 0, 0]);
    let why = decoded::<AnyProxy>(&other, vec![note()]).unwrap_err().to_string();
    assert!(why.contains("extension 2 is not a remote reference"), "{why}");
    let short = Bytes::from_static(&[0x91, 0xd5, 1, 0, 0]);
    assert!(decoded::<AnyProxy>(&short, vec![note()]).is_err());
}

/// Does something where it is serialized or deserialized, with a reference before and after.
struct Around<F>(AnyProxy, F, AnyProxy);

impl<F: Fn()> Serialize for Around<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        (&self.0, Act(&self.1), &self.2).serialize(serializer)
    }
}

struct Act<F>(F);

impl<F: Fn()> Serialize for Act<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        (self.0)();
        serializer.serialize_unit()
    }
}

#[test]
fn a_message_within_another_has_a_table_of_its_own() {
    let (before, inner, after) = (note(), note(), note());
    let act = || {
        let (payload, references) = argument(&inner);
        assert_eq!(references, std::slice::from_ref(&inner));
        assert_eq!(decoded::<AnyProxy>(&payload, references).unwrap(), inner);
        assert!(argument(&5).1.is_empty());
    };
    let (payload, references) = argument(&Around(before.clone(), act, after.clone()));
    assert_eq!(references, [before, after]);
    assert_eq!(payload[1..], *b"\x93\xd6\x01\0\0\0\0\xc0\xd6\x01\0\0\0\x01");
}

/// Decodes another message where it is decoded.
#[derive(Debug)]
struct Within;

impl<'de> Deserialize<'de> for Within {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let none = Bytes::from_static(&[0x91, 0xd6, 1, 0, 0, 0, 0]);
        assert!(decoded::<AnyProxy>(&none, Vec::new()).is_err());
        let note = note();
        assert_eq!(there_and_back(&note), note);
        <()>::deserialize(deserializer).map(|()| Self)
    }
}

#[test]
fn a_message_within_one_that_is_decoded_leaves_it_its_table() {
    let notes = vec![note(), note()];
    let payload = Bytes::from_static(b"\x91\x93\xd6\x01\0\0\0\0\xc0\xd6\x01\0\0\0\x01");
    let (first, Within, second): (AnyProxy, Within, AnyProxy) = decoded(&payload, notes.clone()).unwrap();
    assert_eq!([first, second], *notes);
}

#[test]
fn a_panic_or_an_error_leaves_nothing_behind() {
    let servant = Arc::new(Text);
    let panicking = Around(NoteProxy::from_arc(servant.clone()).into(), || panic!("at work"), note());
    assert!(catch_unwind(AssertUnwindSafe(|| argument(&panicking))).is_err());
    drop(panicking);
    assert_eq!(Arc::strong_count(&servant), 1);
    let mut arguments = Arguments::new(1);
    arguments.push("value", &(note(), Failing));
    assert!(arguments.finish("I/m").is_err());
    assert!(Result::Ok((note(), Panicking)).encode().is_err());
    let note = note();
    assert!(serde_json::to_string(&note).is_err(), "no message is being encoded");
    assert_eq!(argument(&note).1, std::slice::from_ref(&note));

    let payload = Bytes::from_static(b"\x91\x92\xd6\x01\0\0\0\0\xc0");
    let decode = || decoded::<(AnyProxy, Panicking)>(&payload, vec![note.clone()]);
    assert!(catch_unwind(AssertUnwindSafe(|| decode().is_ok())).is_err());
    assert!(serde_json::from_str::<AnyProxy>("[1,[0,0,0,0]]").is_err());
    assert_eq!(there_and_back(&note), note);
}

/// Fails when it is encoded, panics when it is decoded.
#[derive(Debug)]
struct Panicking;

impl Serialize for Panicking {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        Failing.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Panicking {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
        panic!("at work")
    }
}
