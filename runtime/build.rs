//! Lets the tests of this crate find libtorch: see the root `build.rs`.
use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let lib = env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys names the folder of libtorch");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
}
