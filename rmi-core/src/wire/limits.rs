//! What a side accepts from its peer (PROTOCOL 2.5).

use bytes::BytesMut;

use super::codec::{Reader, WireError, put_varint};

/// What a side accepts. Each side tells its own in Hello or Welcome, and respects those of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of payload in one frame. Default 131,072, at least 1,024.
    pub frame: u32,
    /// Bytes of a reference table. Default 262,144, at least 4,096.
    pub table: u32,
    /// Bytes of payload in one message. Default 67,108,864, at least 1,024.
    pub message: u64,
    /// References in one message. Default 4,096, at least 1.
    pub references: u32,
    /// Calls unanswered at a time, Roots included. Default 4,096, at least 1.
    pub calls: u32,
    /// Bytes of frames of kind Root, Call, Reply, More that are not acknowledged. Default 16,777,216, at least 65,536.
    pub ring: u64,
    /// Objects of the other side that this side's references may keep listed there. Default 1,000,000, at least 1.
    pub objects: u32,
    /// Bytes of payload, by their full sizes, of messages begun and not finished. Default 268,435,456, at least 1,024.
    pub partial: u64,
}

/// The largest frame, counted as [`Limits::max_frame_len`] does, before Hello or Welcome has arrived (PROTOCOL 2.2).
pub const HANDSHAKE_FRAME_MAX: usize = 65_536;

/// Room for the fields of a frame that are neither payload nor table (PROTOCOL 2.2).
const HEAD_MAX: usize = 64;

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: 131_072,
            table: 262_144,
            message: 67_108_864,
            references: 4_096,
            calls: 4_096,
            ring: 16_777_216,
            objects: 1_000_000,
            partial: 268_435_456,
        }
    }
}

impl Limits {
    /// The largest value of a frame's length field, which counts the kind byte and the body, in bytes (PROTOCOL 2.2).
    pub fn max_frame_len(&self) -> usize {
        (self.frame as usize).saturating_add(self.table as usize).saturating_add(HEAD_MAX)
    }

    /// Whether each limit is at least its minimum: what could not be told to a peer is not valid.
    pub fn check(&self) -> Result<(), WireError> {
        let mut told = BytesMut::new();
        self.encode(&mut told);
        Self::decode(&mut Reader::new(told.freeze())).map(drop)
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        let small = u64::from;
        let fields = [
            small(self.frame),
            small(self.table),
            self.message,
            small(self.references),
            small(self.calls),
            self.ring,
            small(self.objects),
            self.partial,
        ];
        put_varint(out, fields.len() as u64);
        fields.into_iter().for_each(|field| put_varint(out, field));
    }

    /// Missing limits have their defaults, further ones are skipped.
    pub(super) fn decode(reader: &mut Reader) -> Result<Self, WireError> {
        let mut fields = Fields { left: reader.varint()?, reader };
        let default = Self::default();
        let limits = Self {
            frame: fields.small("limit frame", 1_024, default.frame)?,
            table: fields.small("limit table", 4_096, default.table)?,
            message: fields.large("limit message", 1_024, default.message)?,
            references: fields.small("limit references", 1, default.references)?,
            calls: fields.small("limit calls", 1, default.calls)?,
            ring: fields.large("limit ring", 65_536, default.ring)?,
            objects: fields.small("limit objects", 1, default.objects)?,
            partial: fields.large("limit partial", 1_024, default.partial)?,
        };
        fields.skip()?;
        Ok(limits)
    }
}

/// The counted values of which some may be missing and some not be known.
struct Fields<'a> {
    left: u64,
    reader: &'a mut Reader,
}

impl Fields<'_> {
    fn large(&mut self, name: &'static str, minimum: u64, default: u64) -> Result<u64, WireError> {
        if self.left == 0 {
            return Ok(default);
        }
        self.left -= 1;
        let value = self.reader.varint()?;
        if value < minimum { Err(WireError::BadValue(name)) } else { Ok(value) }
    }

    fn small(&mut self, name: &'static str, minimum: u32, default: u32) -> Result<u32, WireError> {
        let value = self.large(name, minimum.into(), default.into())?;
        u32::try_from(value).map_err(|_| WireError::BadValue(name))
    }

    /// Ends by itself at a count that the frame cannot hold: each value is a byte at least.
    fn skip(mut self) -> Result<(), WireError> {
        while self.left > 0 {
            self.left -= 1;
            self.reader.varint()?;
        }
        Ok(())
    }
}
