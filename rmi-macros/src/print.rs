//! Types as text, for descriptors.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// The tokens as a person would write them: `Result<Vec<u8>, Error>`, not `Result < Vec < u8 > , Error >`.
pub(crate) fn as_written(tokens: impl ToTokens) -> String {
    let mut text = String::new();
    write(tokens.into_token_stream(), &mut text);
    text.trim_end().to_owned()
}

fn write(tokens: TokenStream, text: &mut String) {
    let mut after_joint = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write(group.stream(), text);
                text.truncate(text.trim_end().len());
                text.push_str(close);
                after_joint = false;
            }
            TokenTree::Punct(punct) => {
                let arrow = punct.as_char() == '>' && after_joint && text.ends_with('-');
                match punct.as_char() {
                    ',' | ';' => text.extend([punct.as_char(), ' ']),
                    '+' => text.push_str(" + "),
                    '=' => text.push_str(" = "),
                    '-' if punct.spacing() == Spacing::Joint => text.push_str(" -"),
                    '>' if arrow => text.push_str("> "),
                    other => text.push(other),
                }
                after_joint = punct.spacing() == Spacing::Joint;
            }
            TokenTree::Ident(_) | TokenTree::Literal(_) => {
                if text.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"') {
                    text.push(' ');
                }
                text.push_str(&token.to_string());
                after_joint = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_printed_as_people_write_them() {
        for written in [
            "Result<Vec<u8>, bank::Error>",
            "&str",
            "&[(u8, Option<String>)]",
            "[u8; 32]",
            "Box<dyn Fn(u8, u16) -> u32 + Send>",
            "<T as Trait<Item = u8>>::Output",
            "Cow<'static, str>",
            "&(dyn Any)",
            "()",
        ] {
            let tokens: TokenStream = written.parse().unwrap();
            assert_eq!(as_written(tokens), written);
        }
    }
}
