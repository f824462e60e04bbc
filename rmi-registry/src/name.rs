//! What can be a name.

use crate::error::RegistryError;

/// The longest name, in bytes of UTF-8.
const MAX_LEN: usize = 255;

/// How much of a bad name an error repeats, in characters.
const SHOWN: usize = 80;

/// A name is 1 to 255 bytes of UTF-8 without control characters; `/` makes hierarchies and stands neither first nor
/// last. Nothing else is special: upper and lower case differ, and there is no escaping.
pub(crate) fn check(name: &str) -> Result<(), RegistryError> {
    let reason = if name.is_empty() {
        "it is empty".into()
    } else if name.len() > MAX_LEN {
        format!("it is {} bytes long, the longest may be {MAX_LEN}", name.len())
    } else if name.chars().any(char::is_control) {
        "it has a control character".into()
    } else if name.starts_with('/') || name.ends_with('/') {
        "it begins or ends with a slash".into()
    } else {
        return Ok(());
    };
    let shown = name.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    Err(RegistryError::BadName { name: shown, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_texts_of_bounded_length_without_control_characters() {
        let longest = "x".repeat(MAX_LEN);
        for good in ["bank", "a/b/c", "Bank of Åland", "a:b@c?d#e%20", ".", "ünï", longest.as_str()] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let too_long = "x".repeat(MAX_LEN + 1);
        // 128 characters of two bytes: bytes count.
        let too_wide = "é".repeat(128);
        for bad in ["", "/", "/a", "a/", "a\nb", "a\0", "\u{1b}[31m", "a\u{85}b", &too_long, &too_wide] {
            assert!(matches!(check(bad), Err(RegistryError::BadName { .. })), "{bad:?}");
        }
        let shown = check("a\u{1b}[31mb").unwrap_err().to_string();
        assert!(!shown.contains('\u{1b}'), "an error does not repeat what could drive a terminal: {shown:?}");
    }
}
