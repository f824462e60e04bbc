//! Values of all kinds.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::*;

#[test]
fn numbers_around_every_width() {
    for shift in 0..64 {
        for near in [-1, 0, 1] {
            let unsigned = (1_u64 << shift).wrapping_add_signed(near);
            let signed = unsigned.cast_signed();
            same(unsigned);
            same(signed);
            same(signed.wrapping_neg());
            same(unsigned as u32);
            same(signed as i32);
            same(unsigned as u16);
            same(signed.wrapping_neg() as i16);
            same(unsigned as u8);
            same(signed.wrapping_neg() as i8);
            same(u128::from(unsigned) << 60);
            same(i128::from(signed) << 60);
        }
    }
    for float in [0.0, -1.5, f64::MAX, f64::INFINITY] {
        same(float);
        same(float as f32);
    }
    assert!(decode::<f64>(&encode(&f64::NAN).unwrap()).unwrap().is_nan());
    // A number of any width is read as one of any other, if it fits.
    assert_eq!(decode::<u8>(&[0xd3, 0, 0, 0, 0, 0, 0, 0, 200]).unwrap(), 200);
    assert_eq!(decode::<i8>(&[0xcc, 127]).unwrap(), 127);
    assert!(decode::<i8>(&[0xcc, 128]).is_err());
    assert_eq!(decode::<f64>(&[7]).unwrap(), 7.0);
    assert_eq!(decode::<u128>(&[0xcc, 200]).unwrap(), 200);
    assert_eq!(decode::<i128>(&[0xff]).unwrap(), -1);
    assert!(decode::<u128>(&[0xff]).is_err());
}

#[test]
fn texts_and_arrays_around_every_width() {
    for len in [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536] {
        same("x".repeat(len));
        same("ä".repeat(len));
        same(vec![true; len]);
        same(vec![300_u16; len]);
        same(vec![7_u8; len]);
        same(serde_bytes::ByteBuf::from(vec![0xff; len]));
        same((0..len as u32).map(|key| (key, ())).collect::<BTreeMap<_, _>>());
    }
    same('ß');
    same('\u{10ffff}');
    same([0_u8; 0]);
    same([1_u8; 4]);
    same([200_u8; 4]);
    same([127_u8; 15]);
    same([127_u8; 16]);
    same([[1_u8, 2], [3, 200]]);
    same((1_u8, 2_u8));
    same((1_u8, 200_u8, 3_u8));
    same((1_u8, 200_u8, String::from("three")));
    same((String::from("one"), 200_u8, 3_u8));
    same([-1_i8; 3]);
    same(());
    same(((), ((),)));
}

#[test]
fn collections_of_bytes() {
    same(vec![7_u8]);
    same(Vec::<u8>::new());
    same(vec![vec![1_u8, 2], vec![], vec![200]]);
    same(Some(vec![1_u8]));
    same(vec![1_u8, 2].into_boxed_slice());
    same(Cow::<'static, [u8]>::Owned(vec![1, 2, 200]));
    same(vec![Box::new(1_u8), Box::new(200)]);
    same(VecDeque::from([1_u8, 200]));
    same(HashSet::from([200_u8]));
    same(BTreeMap::from([(1_u8, vec![1_u8]), (200, vec![2])]));
    same(vec![Some(1_u8), None]);
    same(vec![Newtype(1), Newtype(200)]);
    same(vec![true, false]);
    same(vec![-1_i8, 1]);
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Newtype(u8);

#[derive(Serialize, Deserialize, Debug, PartialEq, Default)]
struct Unit;

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Pair(u8, Option<String>);

#[derive(Serialize, Deserialize, Debug, PartialEq, Default)]
struct Record {
    number: i64,
    #[serde(rename = "a name that is longer than thirty-one bytes")]
    text: String,
    bytes: Vec<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    option: Option<Box<Record>>,
    #[serde(default)]
    unit: Unit,
    array: [u8; 16],
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Variants {
    Unit,
    Newtype(Vec<u8>),
    Tuple(u8, u8),
    Struct { record: Record, bytes: Vec<u8> },
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Flat {
    name: String,
    #[serde(flatten)]
    rest: BTreeMap<String, Loose>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(untagged)]
enum Loose {
    Byte(u8),
    Number(i64),
    Text(String),
    Bytes(serde_bytes::ByteBuf),
    Many(Vec<Loose>),
    Extension(Extension),
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(tag = "kind", content = "value")]
enum Adjacent {
    A,
    B(Vec<u8>),
    C { x: u8 },
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(tag = "kind")]
enum Internal {
    A,
    B(Record),
    C { x: Vec<u8> },
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(rename = "_ExtStruct")]
struct Extension((i8, serde_bytes::ByteBuf));

fn record() -> Record {
    Record { number: -5, text: "text".into(), bytes: vec![1, 200], ..Record::default() }
}

#[test]
fn structs_and_enums() {
    same(Unit);
    same(Newtype(200));
    same(Pair(1, None));
    same(Pair(1, Some("x".into())));
    same(Record { option: Some(Box::new(record())), ..record() });
    same(vec![Variants::Unit, Variants::Newtype(vec![1]), Variants::Tuple(1, 200)]);
    same(Variants::Struct { record: record(), bytes: vec![7; 300] });
    same(vec![Adjacent::A, Adjacent::B(vec![1, 2]), Adjacent::C { x: 200 }]);
    same(vec![Internal::A, Internal::B(record()), Internal::C { x: vec![1] }]);
    same(Some(Some(5)));
    same(Some(None::<u8>));
    same(Ok::<u8, String>(5));
    same(Duration::from_millis(1500));
    same("127.0.0.1".parse::<IpAddr>().unwrap());
    same("::1".parse::<IpAddr>().unwrap());
    same(uuid::Uuid::from_u128(7));
    same(vec![uuid::Uuid::from_u128(7)]);
}

#[test]
fn what_serde_buffers() {
    let loose = [
        ("bytes", Loose::Bytes(vec![0xff, 2].into())),
        ("number", Loose::Number(-1)),
        ("text", Loose::Text("x".into())),
        ("extension", Loose::Extension(Extension((5, vec![1, 2].into())))),
        ("many", Loose::Many(vec![Loose::Number(300), Loose::Byte(1), Loose::Text("y".into())])),
    ];
    for (_, value) in &loose {
        assert_eq!(encode(value).unwrap(), oracle(value));
    }
    let rest = loose.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let flat = Flat { name: "flat".into(), rest };
    assert_eq!(encode(&flat).unwrap(), oracle(&flat));
    assert_eq!(decode::<Flat>(&encode(&flat).unwrap()).unwrap(), flat);
}

#[test]
fn extensions_of_every_size() {
    for len in [0, 1, 2, 3, 4, 5, 8, 16, 17, 255, 256, 65_535, 65_536] {
        same(Extension((-3, vec![7; len].into())));
        same(vec![Extension((127, vec![7; len].into()))]);
    }

    #[derive(Serialize)]
    #[serde(rename = "_ExtStruct")]
    struct Wrong<T>(T);
    let whys = [
        encode(&Wrong(5)).unwrap_err(),
        encode(&Wrong((5_i8, "text"))).unwrap_err(),
        encode(&Wrong((5_i8,))).unwrap_err(),
        encode(&Wrong((serde_bytes::Bytes::new(&[1]), 5_i8))).unwrap_err(),
    ];
    for why in whys {
        assert_eq!(why.to_string(), "an extension is a pair of its type, an i8, and bytes");
    }
    assert!(decode::<Extension>(&[0x92, 5, 0xc4, 0]).is_err());
}

/// The oracle fails here: it takes the whole for bytes by its first element.
#[test]
fn a_sequence_that_begins_with_bytes_is_an_array_all_the_same() {
    let mixed = vec![Loose::Byte(1), Loose::Byte(200), Loose::Text("x".into()), Loose::Byte(3)];
    let bytes = encode(&mixed).unwrap();
    assert_eq!(bytes, [0x94, 1, 0xcc, 200, 0xa1, b'x', 3]);
    assert_eq!(decode::<Vec<Loose>>(&bytes).unwrap(), mixed);
    let bytes = encode(&(mixed, "after")).unwrap();
    assert_eq!(decode::<(Vec<Loose>, String)>(&bytes).unwrap().1, "after");
}

#[test]
fn golden_bytes() {
    let golden: [(Vec<u8>, &[u8]); 8] = [
        (encode(&70_000_u64).unwrap(), &[0xce, 0, 1, 0x11, 0x70]),
        (encode(&-33_i32).unwrap(), &[0xd0, 0xdf]),
        (encode("text").unwrap(), b"\xa4text"),
        (encode(&[1_u8, 200][..]).unwrap(), &[0xc4, 2, 1, 200]),
        (encode(&[1_u8, 2]).unwrap(), &[0x92, 1, 2]),
        (encode(&Pair(1, None)).unwrap(), &[0x92, 1, 0xc0]),
        (encode(&Adjacent::C { x: 7 }).unwrap(), b"\x82\xa4kind\xa1C\xa5value\x81\xa1x\x07"),
        (encode(&Variants::Newtype(vec![9])).unwrap(), b"\x81\xa7Newtype\xc4\x01\x09"),
    ];
    for (encoded, golden) in golden {
        assert_eq!(encoded, golden);
    }
}

/// What others may write, and this codec does not.
#[test]
fn other_forms_are_read() {
    assert_eq!(decode::<Pair>(b"\x92\x01\xa1x").unwrap(), Pair(1, Some("x".into())));
    assert_eq!(decode::<Vec<u8>>(&[0x92, 1, 0xcc, 200]).unwrap(), [1, 200]);
    assert_eq!(decode::<[u8; 2]>(&[0xc4, 2, 1, 200]).unwrap(), [1, 200]);
    assert_eq!(decode::<serde_bytes::ByteBuf>(&[0x92, 1, 2]).unwrap(), [1, 2]);
    assert_eq!(decode::<Unit>(&[0xc0]).unwrap(), Unit);
    assert_eq!(decode::<Variants>(b"\x81\xa4Unit\xc0").unwrap(), Variants::Unit);
    assert_eq!(decode::<Adjacent>(b"\x81\xa4kind\xa1A").unwrap(), Adjacent::A);
    let by_order = b"\x96\x05\xa0\xc4\x00\xc0\x90\xc4\x10................";
    assert_eq!(decode::<Record>(by_order).unwrap().array, [b'.'; 16]);
    assert_eq!(decode::<serde_bytes::ByteBuf>(b"\xa2\xff\xfe").unwrap(), b"\xff\xfe");
}
