//! Bytes in several places: what is large is not moved to be beside the rest.

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

/// Bytes in several places, in this order. None of the pieces is empty.
#[derive(Debug, Clone, Default)]
pub struct Rope {
    pieces: SmallVec<[Bytes; 2]>,
    len: usize,
}

impl Rope {
    /// Appends these.
    pub fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        if !bytes.is_empty() {
            self.pieces.push(bytes);
        }
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.pieces.iter()
    }

    /// All of it in one piece.
    pub fn concat(mut self) -> Bytes {
        match &mut self.pieces[..] {
            [] => Bytes::new(),
            [piece] => std::mem::take(piece),
            pieces => {
                let mut bytes = BytesMut::with_capacity(self.len);
                pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
                bytes.freeze()
            }
        }
    }

    /// Takes the first `len` bytes, or all.
    pub fn split_to(&mut self, len: usize) -> Self {
        if len >= self.len {
            return std::mem::take(self);
        }
        let mut first = Self::default();
        let whole = self.pieces.iter().take_while(|piece| {
            let is_whole = first.len + piece.len() <= len;
            if is_whole {
                first.len += piece.len();
            }
            is_whole
        });
        let whole = whole.count();
        first.pieces.extend(self.pieces.drain(..whole));
        let left = len - first.len;
        if left > 0
            && let Some(piece) = self.pieces.first_mut()
        {
            first.push(piece.split_to(left));
        }
        self.len -= len;
        first
    }
}

impl From<Bytes> for Rope {
    fn from(bytes: Bytes) -> Self {
        let mut rope = Self::default();
        rope.push(bytes);
        rope
    }
}

impl From<Vec<u8>> for Rope {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_cut_anywhere() {
        let pieces = ["", "a", "bcd", "", "efghi"];
        for len in 0..12 {
            let mut rest = Rope::default();
            pieces.iter().for_each(|piece| rest.push(Bytes::from_static(piece.as_bytes())));
            let first = rest.split_to(len);
            let text = |rope: &Rope| {
                assert_eq!(rope.len(), rope.iter().map(Bytes::len).sum::<usize>());
                assert!(rope.iter().all(|piece| !piece.is_empty()));
                rope.iter().map(|piece| std::str::from_utf8(piece).unwrap()).collect::<String>()
            };
            let (all, at) = ("abcdefghi", len.min(9));
            assert_eq!((text(&first).as_str(), text(&rest).as_str()), (&all[..at], &all[at..]));
        }
    }
}
