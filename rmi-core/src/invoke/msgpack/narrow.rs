//! Serializers that take little of serde's model.

/// The methods of a `Serializer` with the output `$ok` that refuse what they are given with `$error`: all but those for `u8`, `i8`, bytes and
/// tuples.
macro_rules! refuse_others {
    ($ok:ty, $error:expr) => {
        type SerializeSeq = Impossible<$ok, Self::Error>;
        type SerializeTupleStruct = Impossible<$ok, Self::Error>;
        type SerializeTupleVariant = Impossible<$ok, Self::Error>;
        type SerializeMap = Impossible<$ok, Self::Error>;
        type SerializeStruct = Impossible<$ok, Self::Error>;
        type SerializeStructVariant = Impossible<$ok, Self::Error>;

        fn is_human_readable(&self) -> bool {
            false
        }

        narrow::refuse! { $ok, $error,
            serialize_bool(bool) serialize_char(char) serialize_str(&str) serialize_i16(i16) serialize_i32(i32)
            serialize_i64(i64) serialize_i128(i128) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
            serialize_u128(u128) serialize_f32(f32) serialize_f64(f64) serialize_none() serialize_unit()
            serialize_unit_struct(&'static str) serialize_unit_variant(&'static str, u32, &'static str)
        }

        fn serialize_some<T: ?Sized + Serialize>(self, _: &T) -> Result<$ok, Self::Error> {
            Err($error)
        }

        fn serialize_newtype_struct<T>(self, _: &'static str, _: &T) -> Result<$ok, Self::Error>
        where
            T: ?Sized + Serialize,
        {
            Err($error)
        }

        fn serialize_newtype_variant<T>(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: &T,
        ) -> Result<$ok, Self::Error>
        where
            T: ?Sized + Serialize,
        {
            Err($error)
        }

        narrow::refuse! { Impossible<$ok, Self::Error>, $error,
            serialize_seq(Option<usize>) serialize_map(Option<usize>)
            serialize_tuple_struct(&'static str, usize) serialize_struct(&'static str, usize)
            serialize_tuple_variant(&'static str, u32, &'static str, usize)
            serialize_struct_variant(&'static str, u32, &'static str, usize)
        }

        fn collect_str<T: ?Sized + fmt::Display>(self, _: &T) -> Result<$ok, Self::Error> {
            Err($error)
        }
    };
}

/// Methods of a serializer that return `$ok` and refuse what they are given.
macro_rules! refuse {
    ($ok:ty, $error:expr, $($method:ident($($ty:ty),*))*) => {
        $(
            #[inline]
            fn $method(self, $(_: $ty),*) -> Result<$ok, Self::Error> {
                Err($error)
            }
        )*
    };
}

pub(super) use {refuse, refuse_others};
