//! Generates what capnp and tonic need from the schema, so that whoever builds the peers needs no compilers for it.

use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR"));
    let generated = schema.join("../src/generated");
    capnpc::CompilerCommand::new()
        .src_prefix(schema)
        .file(schema.join("bench.capnp"))
        .output_path(&generated)
        .run()?;
    tonic_prost_build::configure()
        .bytes(".")
        .out_dir(&generated)
        .compile_protos(&[schema.join("bench.proto")], &[schema.to_path_buf()])?;
    fs::rename(generated.join("bench.rs"), generated.join("bench_tonic.rs"))?;
    Ok(())
}
