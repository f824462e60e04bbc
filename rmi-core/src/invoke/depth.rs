//! How deep a payload nests, before serde recurses into it.
//!
//! Decoders count the levels of sequences and maps, and some not those of enum variants; a type such as `enum List { Nil, Cons(Box<List>) }`
//! would let a peer choose how deep the stack grows. So the bytes are looked at first, without recursion.

/// The deepest nesting of arrays and maps in a payload.
pub(super) const MAX_DEPTH: usize = 128;

/// Whether the MessagePack values in `payload` nest at most [`MAX_DEPTH`] deep. Malformed bytes are left to the decoder, which reads no
/// further than this did.
pub(super) fn check(payload: &[u8]) -> Result<(), String> {
    // How many values are left at each level that is open.
    let mut open: [u64; MAX_DEPTH] = [0; MAX_DEPTH];
    let mut depth = 0;
    let mut rest = payload;
    while let Some((&marker, after)) = rest.split_first() {
        let Some((values, skip)) = item(marker, after) else { return Ok(()) };
        let Some(after) = after.get(skip..) else { return Ok(()) };
        rest = after;
        if values > 0 {
            if depth == MAX_DEPTH {
                return Err(format!("it nests deeper than {MAX_DEPTH} arrays and maps"));
            }
            open[depth] = values;
            depth += 1;
            continue;
        }
        // A value is complete, and with it every container whose last one it was.
        while depth > 0 {
            open[depth - 1] -= 1;
            if open[depth - 1] > 0 {
                break;
            }
            depth -= 1;
        }
    }
    Ok(())
}

/// How many values an item contains, and how many bytes of its own follow the marker.
fn item(marker: u8, after: &[u8]) -> Option<(u64, usize)> {
    let number = |bytes: usize| {
        let digits = after.get(..bytes)?;
        Some(digits.iter().fold(0_u64, |number, digit| number << 8 | u64::from(*digit)))
    };
    let sized = |bytes: usize, more: usize| {
        Some((0, usize::try_from(number(bytes)?).ok()?.checked_add(bytes + more)?))
    };
    match marker {
        0x80..=0x8f => Some((u64::from(marker & 0x0f) * 2, 0)),
        0x90..=0x9f => Some((u64::from(marker & 0x0f), 0)),
        0xa0..=0xbf => Some((0, usize::from(marker & 0x1f))),
        0xc4 | 0xd9 => sized(1, 0),
        0xc5 | 0xda => sized(2, 0),
        0xc6 | 0xdb => sized(4, 0),
        0xc7 => sized(1, 1),
        0xc8 => sized(2, 1),
        0xc9 => sized(4, 1),
        0xca | 0xce | 0xd2 => Some((0, 4)),
        0xcb | 0xcf | 0xd3 => Some((0, 8)),
        0xcc | 0xd0 => Some((0, 1)),
        0xcd | 0xd1 => Some((0, 2)),
        0xd4 => Some((0, 2)),
        0xd5 => Some((0, 3)),
        0xd6 => Some((0, 5)),
        0xd7 => Some((0, 9)),
        0xd8 => Some((0, 17)),
        0xdc => Some((number(2)?, 2)),
        0xdd => Some((number(4)?, 4)),
        0xde => Some((number(2)? * 2, 2)),
        0xdf => Some((number(4)? * 2, 4)),
        _ => Some((0, 0)),
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize)]
    enum List {
        Nil,
        Cons(Box<List>),
    }

    fn list(depth: usize) -> Vec<u8> {
        let list = (0..depth).fold(List::Nil, |list, _| List::Cons(Box::new(list)));
        rmp_serde::to_vec_named(&list).unwrap()
    }

    #[test]
    fn enum_variants_count() {
        assert_eq!(check(&list(MAX_DEPTH)), Ok(()));
        assert!(check(&list(MAX_DEPTH + 1)).is_err());
        assert!(check(&[b"\x81\xa4Cons".repeat(1_000_000), vec![0xc0]].concat()).is_err());
    }

    #[test]
    fn breadth_does_not() {
        let wide: Vec<_> = (0..1000).map(|i| (1_u8, vec![Some("x".repeat(i))], vec![7_u8; i], 1.5)).collect();
        assert_eq!(check(&rmp_serde::to_vec(&wide).unwrap()), Ok(()));
        assert_eq!(check(&[0x91; MAX_DEPTH]), Ok(()));
        assert!(check(&[0x91; MAX_DEPTH + 1]).is_err());
        assert_eq!(check(&[0xdd, 0xff, 0xff, 0xff, 0xff, 0x90]), Ok(()), "the decoder meets the end");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = check(&bytes);
        }
    }
}
