//! Any value that serde's model has, beside the oracle.

use proptest::prelude::*;
use serde::ser::{SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, Serializer};

use super::*;

/// A value by the calls that it makes of a serializer.
#[derive(Debug, Clone)]
enum Model {
    Nil,
    Bool(bool),
    U8(u8),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    ByteSequence(Vec<u8>),
    Some(Box<Model>),
    Sequence(Vec<Model>),
    SequenceOfUnknownLength(Vec<Model>),
    Tuple(Vec<Model>),
    Map(Vec<(Model, Model)>),
    MapOfUnknownLength(Vec<(Model, Model)>),
    Struct(Vec<Model>),
    Newtype(Box<Model>),
    UnitVariant,
    NewtypeVariant(Box<Model>),
    TupleVariant(Vec<Model>),
    StructVariant(Vec<Model>),
    Extension(i8, Vec<u8>),
}

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{SerializeStructVariant, SerializeTupleVariant};
        match self {
            Self::Nil => s.serialize_unit(),
            Self::Bool(value) => s.serialize_bool(*value),
            Self::U8(value) => s.serialize_u8(*value),
            Self::Unsigned(value) => s.serialize_u64(*value),
            Self::Signed(value) => s.serialize_i64(*value),
            Self::Float(value) => s.serialize_f64(*value),
            Self::Text(value) => s.serialize_str(value),
            Self::Bytes(value) => s.serialize_bytes(value),
            Self::ByteSequence(value) => value.serialize(s),
            Self::Some(value) => s.serialize_some(value),
            Self::Sequence(values) => s.collect_seq(values),
            Self::SequenceOfUnknownLength(values) => {
                let mut seq = s.serialize_seq(None)?;
                values.iter().try_for_each(|value| seq.serialize_element(value))?;
                seq.end()
            }
            Self::Tuple(values) => {
                let mut tuple = s.serialize_tuple(values.len())?;
                values.iter().try_for_each(|value| tuple.serialize_element(value))?;
                tuple.end()
            }
            Self::Map(entries) => s.collect_map(entries.iter().map(|(key, value)| (key, value))),
            Self::MapOfUnknownLength(entries) => {
                let mut map = s.serialize_map(None)?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
            Self::Struct(values) => {
                let mut fields = s.serialize_struct("Struct", values.len())?;
                values.iter().try_for_each(|value| fields.serialize_field("field", value))?;
                fields.end()
            }
            Self::Newtype(value) => s.serialize_newtype_struct("Newtype", value),
            Self::UnitVariant => s.serialize_unit_variant("Enum", 0, "Unit"),
            Self::NewtypeVariant(value) => s.serialize_newtype_variant("Enum", 1, "Newtype", value),
            Self::TupleVariant(values) => {
                let mut fields = s.serialize_tuple_variant("Enum", 2, "Tuple", values.len())?;
                values.iter().try_for_each(|value| fields.serialize_field(value))?;
                fields.end()
            }
            Self::StructVariant(values) => {
                let mut fields = s.serialize_struct_variant("Enum", 3, "Struct", values.len())?;
                values.iter().try_for_each(|value| fields.serialize_field("field", value))?;
                fields.end()
            }
            Self::Extension(tag, bytes) => {
                s.serialize_newtype_struct("_ExtStruct", &(tag, serde_bytes::Bytes::new(bytes)))
            }
        }
    }
}

fn model() -> impl Strategy<Value = Model> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    let leaf = prop_oneof![
        Just(Model::Nil),
        Just(Model::UnitVariant),
        any::<bool>().prop_map(Model::Bool),
        any::<u8>().prop_map(Model::U8),
        (0_u8..200).prop_map(Model::U8),
        any::<u64>().prop_map(Model::Unsigned),
        (0..64_u32, any::<u64>()).prop_map(|(shift, value)| Model::Unsigned(value >> shift)),
        (0..64_u32, any::<i64>()).prop_map(|(shift, value)| Model::Signed(value >> shift)),
        any::<f64>().prop_map(Model::Float),
        "[a-zä]{0,40}".prop_map(Model::Text),
        bytes().prop_map(Model::Bytes),
        bytes().prop_map(Model::ByteSequence),
        (any::<i8>(), bytes()).prop_map(|(tag, bytes)| Model::Extension(tag, bytes)),
    ];
    leaf.prop_recursive(5, 64, 18, |inner| {
        let values = || proptest::collection::vec(inner.clone(), 0..18);
        let tuple =
            proptest::collection::vec(prop_oneof![any::<u8>().prop_map(Model::U8), inner.clone()], 0..18);
        let entries = || proptest::collection::vec((inner.clone(), inner.clone()), 0..18);
        prop_oneof![
            inner.clone().prop_map(|value| Model::Some(Box::new(value))),
            inner.clone().prop_map(|value| Model::Newtype(Box::new(value))),
            inner.clone().prop_map(|value| Model::NewtypeVariant(Box::new(value))),
            values().prop_map(sequence),
            values().prop_map(Model::SequenceOfUnknownLength),
            tuple.prop_map(Model::Tuple),
            values().prop_map(Model::Struct),
            values().prop_map(Model::TupleVariant),
            values().prop_map(Model::StructVariant),
            entries().prop_map(Model::Map),
            entries().prop_map(Model::MapOfUnknownLength),
        ]
    })
}

/// Not one that begins with bytes and goes on with others: with that the oracle fails.
fn sequence(mut values: Vec<Model>) -> Model {
    let is_byte = |value: &Model| matches!(value, Model::U8(_));
    if values.first().is_some_and(is_byte) && !values.iter().all(is_byte) {
        values.insert(0, Model::Nil);
    }
    Model::Sequence(values)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn the_bytes_are_the_oracles(value in model()) {
        let mut bytes = b"before".to_vec();
        value.serialize(Encoder::new(&mut bytes)).unwrap();
        prop_assert_eq!(&bytes[..6], b"before");
        prop_assert_eq!(&bytes[6..], oracle(&value));
    }
}
