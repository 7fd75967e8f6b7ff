//! Compiles the contract: protox reads it, tonic's build crate generates messages, clients and servers,
//! and the descriptor set is kept for reflection. For every request with a `request_id`, or with
//! `page_size` and `page_token`, the trait of `rpc` that reads these fields is implemented as well, and
//! for every request and response those that know its costs, so that no rpc can be forgotten.

#[path = "build/costs.rs"]
mod costs;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use protox::Compiler;
use protox::prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};

const FILES: [&str; 9] = [
    "purchasing/v1/access_service.proto",
    "purchasing/v1/event.proto",
    "purchasing/v1/event_service.proto",
    "purchasing/v1/inventory_service.proto",
    "purchasing/v1/options.proto",
    "purchasing/v1/purchase_order.proto",
    "purchasing/v1/purchase_order_service.proto",
    "purchasing/v1/report_service.proto",
    "purchasing/v1/store_service.proto",
];
const PACKAGE: &str = "purchasing.v1";

#[expect(clippy::disallowed_methods, reason = "cargo gives a build script its folder in a variable")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=migrations");
    let mut compiler = Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;
    let descriptors = compiler.file_descriptor_set();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // The compiler encodes them, because the generated types would lose the marks of costs.
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    fs::write(out.join("cost_impls.rs"), costs::impls(&compiler.descriptor_pool(), PACKAGE)?)?;
    fs::write(out.join("request_impls.rs"), request_impls(&descriptors)?)?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}

/// Implements `IdempotentRequest` and `Paged` for the request messages that have their fields.
fn request_impls(descriptors: &FileDescriptorSet) -> Result<String, Box<dyn std::error::Error>> {
    let mut code = String::new();
    for file in descriptors.file.iter().filter(|file| file.package() == PACKAGE) {
        for service in &file.service {
            for method in &service.method {
                let rpc = format!("{PACKAGE}.{}/{}", service.name(), method.name());
                let request =
                    method.input_type().trim_start_matches('.').trim_start_matches(PACKAGE).trim_start_matches('.');
                let fields = fields_of(file, request);
                if fields.contains(&"request_id") {
                    writeln!(
                        code,
                        "impl IdempotentRequest for v1::{request} {{
                            const RPC: &'static str = \"{rpc}\";
                            fn request_id(&mut self) -> &mut String {{ &mut self.request_id }}
                        }}"
                    )?;
                }
                if fields.contains(&"page_token") {
                    writeln!(
                        code,
                        "impl Paged for v1::{request} {{
                            const RPC: &'static str = \"{rpc}\";
                            fn page_fields(&mut self) -> (&mut i32, &mut String) {{ (&mut self.page_size, &mut self.page_token) }}
                        }}"
                    )?;
                }
            }
        }
    }
    Ok(code)
}

/// The names of a message's fields. Requests stand in the file of their service.
fn fields_of<'f>(file: &'f FileDescriptorProto, message: &str) -> Vec<&'f str> {
    let found = file.message_type.iter().find(|it| it.name() == message);
    found.into_iter().flat_map(|it| &it.field).map(|field| field.name()).collect()
}
