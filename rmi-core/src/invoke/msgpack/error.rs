//! Why a value could not be encoded or decoded.

use std::fmt;

use super::MAX_DEPTH;

/// One pointer, so that results stay small.
#[derive(Debug)]
pub(in crate::invoke) struct Error(Box<Reason>);

#[derive(Debug, thiserror::Error)]
pub(super) enum Reason {
    #[error("the bytes end within a value")]
    End,
    #[error("byte 0x{0:02x} begins no value")]
    Reserved(u8),
    #[error("it nests deeper than {MAX_DEPTH} arrays and maps")]
    Depth,
    #[error("a text is not UTF-8")]
    Text,
    #[error("{whole} elements where {read} are expected")]
    Elements { whole: u32, read: u32 },
    #[error("a variant with fields is a map of one entry, not of {0}")]
    Variant(u32),
    #[error("{0} bytes or elements are more than a value can have")]
    TooLong(usize),
    #[error("an extension is a pair of its type, an i8, and bytes")]
    Extension,
    #[error("{0}")]
    Custom(String),
}

impl From<Reason> for Error {
    #[cold]
    fn from(reason: Reason) -> Self {
        Self(Box::new(reason))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {}

impl serde::ser::Error for Error {
    #[cold]
    fn custom<T: fmt::Display>(text: T) -> Self {
        Reason::Custom(text.to_string()).into()
    }
}

impl serde::de::Error for Error {
    #[cold]
    fn custom<T: fmt::Display>(text: T) -> Self {
        Reason::Custom(text.to_string()).into()
    }
}
