//! The program `rmi-registry`.

fn main() {}
