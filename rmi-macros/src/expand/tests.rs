//! The expansion of one interface, to be read by reviewers.
//!
//! `BLESS=1 cargo test -p rmi-macros` writes it anew.

use std::path::Path;

#[test]
fn the_expansion_is_the_one_that_was_reviewed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expansion");
    let input = std::fs::read_to_string(folder.join("input.rs")).unwrap();
    let expansion = super::remote(Default::default(), input.parse().unwrap());
    let expansion = prettyplease::unparse(&syn::parse2(expansion).unwrap());

    let output = folder.join("output.rs");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&output, &expansion).unwrap();
    }
    let reviewed = std::fs::read_to_string(&output).unwrap();
    assert_eq!(expansion, reviewed, "if the change is meant, `BLESS=1 cargo test -p rmi-macros` accepts it");
}
