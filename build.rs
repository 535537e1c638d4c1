//! Lets the engine find libtorch where set-up linked it, without an active Python environment.
use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Set only when the feature `torch` pulls in torch-sys; `crisscross` itself must not carry these arguments.
    if let Ok(lib) = env::var("DEP_TCH_LIBTORCH_LIB") {
        println!(
            "cargo:rustc-link-arg-bin=crisscross-engine=-Wl,-rpath,{lib}:$ORIGIN/../../libtorch/lib"
        );
        println!("cargo:rustc-link-arg-tests=-Wl,-rpath,{lib}");
    }
}
