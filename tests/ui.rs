//! What `#[remote]` refuses, and in which words. `TRYBUILD=overwrite cargo test --test ui` writes the words anew.

#[test]
fn mistakes_are_explained_where_they_stand() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
