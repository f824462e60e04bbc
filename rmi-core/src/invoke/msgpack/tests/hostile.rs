//! What a peer may send to do harm.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::super::MAX_DEPTH;
use super::*;

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum List {
    Nil,
    Cons(Box<List>),
}

#[derive(Serialize, Deserialize, Debug, Default)]
struct Node {
    next: Option<Box<Node>>,
}

#[derive(Deserialize, Debug)]
#[serde(untagged)]
enum Tree {
    #[expect(dead_code, reason = "to be decoded")]
    Leaf(u8),
    #[expect(dead_code, reason = "to be decoded")]
    Branch(Vec<Tree>),
}

#[derive(Deserialize, Debug)]
struct Flat {
    #[serde(flatten)]
    _rest: HashMap<String, Tree>,
}

/// A type without sense, which never takes a byte.
#[derive(Deserialize, Debug)]
struct Ouroboros(#[expect(dead_code, reason = "to be decoded")] Option<Box<Ouroboros>>);

fn depth_of<T: DeserializeOwned>(bytes: &[u8]) -> bool {
    match decode::<T>(bytes).map(drop) {
        Err(error) => error.to_string() == format!("it nests deeper than {MAX_DEPTH} arrays and maps"),
        Ok(()) => false,
    }
}

#[test]
fn nesting_is_bounded_whatever_nests() {
    let list = |depth| (0..depth).fold(List::Nil, |list, _| List::Cons(Box::new(list)));
    assert_eq!(decode::<List>(&encode(&list(MAX_DEPTH)).unwrap()).unwrap(), list(MAX_DEPTH));
    assert!(depth_of::<List>(&encode(&list(MAX_DEPTH + 1)).unwrap()));
    assert!(depth_of::<List>(&b"\x81\xa4Cons".repeat(1_000_000)));

    let node = |depth| (1..depth).fold(Node::default(), |node, _| Node { next: Some(Box::new(node)) });
    assert!(decode::<Node>(&encode(&node(MAX_DEPTH)).unwrap()).is_ok());
    assert!(depth_of::<Node>(&encode(&node(MAX_DEPTH + 1)).unwrap()));

    assert!(depth_of::<Tree>(&[0x91].repeat(1_000_000)));
    assert!(depth_of::<Flat>(&[b"\x81\xa1x", &*[0x91].repeat(1_000_000)].concat()));
    assert!(depth_of::<IgnoredAny>(&[0x91].repeat(1_000_000)));
    assert!(depth_of::<IgnoredAny>(&[0x81].repeat(1_000_000)));
    assert!(decode::<IgnoredAny>(&[&*[0x91].repeat(MAX_DEPTH - 1), &[0x90]].concat()).is_ok());
    assert!(depth_of::<Ouroboros>(&[1]));
    assert!(decode::<Ouroboros>(&[0xc0]).is_ok());
}

#[test]
fn breadth_is_not() {
    let wide: Vec<_> = (0..1000).map(|i| (1_u8, vec![Some("x".repeat(i))], vec![List::Nil], 1.5)).collect();
    same(wide);
    same(vec![Some(Some(vec![(); 3])); 1000]);
}

/// Remembers how many elements were promised.
struct Promise(Option<usize>);

impl<'de> Deserialize<'de> for Promise {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PromiseVisitor;
        impl<'de> Visitor<'de> for PromiseVisitor {
            type Value = Promise;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence or a map")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Promise, A::Error> {
                let promise = seq.size_hint();
                while seq.next_element::<u8>().is_ok_and(|byte| byte.is_some()) {}
                Err(serde::de::Error::custom(format_args!("{promise:?}")))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Promise, A::Error> {
                Err(serde::de::Error::custom(format_args!("{:?}", map.size_hint())))
            }
        }
        deserializer.deserialize_any(PromiseVisitor)
    }
}

#[test]
fn lengths_that_lie_promise_nothing() {
    for head in [[0xdd, 0xff, 0xff, 0xff, 0xff], [0xdf, 0xff, 0xff, 0xff, 0xff]] {
        let why = decode::<Promise>(&[&head[..], &[1, 2]].concat()).map(|promise| promise.0);
        assert_eq!(why.unwrap_err().to_string(), "Some(2)");
    }
    for marker in [0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf] {
        for more in 0..8 {
            let bytes = [&[marker][..], &vec![0xff; more]].concat();
            let why = decode::<IgnoredAny>(&bytes).unwrap_err();
            assert_eq!(why.to_string(), "the bytes end within a value", "{bytes:?}");
            assert!(decode::<Vec<u8>>(&bytes).is_err());
            assert!(decode::<serde_bytes::ByteBuf>(&bytes).is_err());
            assert!(decode::<String>(&bytes).is_err());
            assert!(decode::<Vec<u64>>(&bytes).is_err());
            assert!(decode::<BTreeMap<u8, u8>>(&bytes).is_err());
        }
    }
    assert_eq!(decode::<IgnoredAny>(&[0xc1]).unwrap_err().to_string(), "byte 0xc1 begins no value");
}

#[test]
fn what_is_too_many_is_refused() {
    let whys =
        [decode::<(u8, u8)>(&[0x93, 1, 2, 3]).unwrap_err(), decode::<[u8; 2]>(&[0x93, 1, 2, 3]).unwrap_err()];
    for why in whys {
        assert_eq!(why.to_string(), "3 elements where 2 are expected");
    }
    assert!(decode::<[u8; 2]>(&[0xc4, 3, 1, 2, 3]).is_err());
    assert!(decode::<[u8; 2]>(&[0xc4, 1, 1]).is_err());
    let why = decode::<List>(b"\x82\xa3Nil\xc0\xa3Nil\xc0").unwrap_err();
    assert_eq!(why.to_string(), "a variant with fields is a map of one entry, not of 2");
}

#[test]
fn errors_name_both_sides() {
    let why = |bytes: &[u8]| decode::<u16>(bytes).unwrap_err().to_string();
    assert_eq!(why(b"\xa1x"), "invalid type: a text, expected u16");
    assert_eq!(why(&[0x91, 1]), "invalid type: sequence, expected u16");
    assert_eq!(why(&[0xc0]), "invalid type: unit value, expected u16");
    assert_eq!(why(&[0xce, 0, 1, 0, 0]), "invalid value: integer `65536`, expected u16");
    assert_eq!(why(&[]), "the bytes end within a value");
    assert_eq!(decode::<String>(b"\xa2\xff\xfe").unwrap_err().to_string(), "a text is not UTF-8");
}

/// Decodes any bytes as many types, beside the oracle. Where that succeeds, so does this codec, with the same value.
fn beside_the_oracle<T: DeserializeOwned + PartialEq + fmt::Debug>(bytes: &[u8], _: PhantomData<T>) {
    let mut theirs = rmp_serde::Deserializer::from_read_ref(bytes);
    theirs.set_max_depth(MAX_DEPTH + 1);
    if let Ok(theirs) = T::deserialize(&mut theirs) {
        let ours = decode::<T>(bytes);
        assert_eq!(ours.as_ref().ok(), Some(&theirs), "{ours:?} of {bytes:?}");
    } else {
        assert!(decode::<T>(bytes).is_err(), "only here: {:?} of {bytes:?}", decode::<T>(bytes));
    }
}

/// Bytes that are likelier to be values than chance has it: short lengths, markers, and what their texts name.
fn likely() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::*;
    let piece = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        (0x80_u8..0x98).prop_map(|byte| vec![byte]),
        (0xc0_u8..0xe0, 0_u8..4).prop_map(|(marker, len)| vec![marker, len]),
        (0_u8..4).prop_map(|byte| vec![byte]),
        Just(b"\xa3Nil".to_vec()),
        Just(b"\xa4Cons".to_vec()),
        Just(b"\xa4next".to_vec()),
        Just(b"\xa1x".to_vec()),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4096))]

    #[test]
    fn any_bytes(bytes in likely()) {
        beside_the_oracle(&bytes, PhantomData::<List>);
        beside_the_oracle(&bytes, PhantomData::<Vec<u8>>);
        beside_the_oracle(&bytes, PhantomData::<(u8, Option<String>)>);
        beside_the_oracle(&bytes, PhantomData::<Vec<(i64, Vec<u8>)>>);
        beside_the_oracle(&bytes, PhantomData::<BTreeMap<String, Option<Vec<List>>>>);
        beside_the_oracle(&bytes, PhantomData::<Result<f64, Vec<bool>>>);
        beside_the_oracle(&bytes, PhantomData::<Option<serde_bytes::ByteBuf>>);
        beside_the_oracle(&bytes, PhantomData::<Vec<char>>);
        let _ = decode::<IgnoredAny>(&bytes);
        let _ = decode::<Tree>(&bytes);
        let _ = decode::<Flat>(&bytes);
    }
}
