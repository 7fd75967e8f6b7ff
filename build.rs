//! Compiles the contract: protox reads it, tonic's build crate generates from it, and the descriptor
//! set is kept for reflection.

use std::path::PathBuf;
use std::{env, fs};

use protox::prost::Message;

const FILES: [&str; 5] = [
    "purchasing/v1/access_service.proto",
    "purchasing/v1/inventory_service.proto",
    "purchasing/v1/purchase_order.proto",
    "purchasing/v1/purchase_order_service.proto",
    "purchasing/v1/store_service.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=migrations");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
