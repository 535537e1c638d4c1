//! Compiles the C++ shim over libtorch, and lets the tests of this crate find libtorch (see also the root `build.rs`).
//!
//! NCCL and graphs of GPUs are a shared object of their own, which the crate holds as bytes: what it needs of libtorch is loaded only where a GPU is
//! asked for. It is built where the headers of CUDA and NCCL lie beside torch, as in its CUDA wheels (`nvidia/`, `triton/`).
use std::env;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=shim");
    println!("cargo:rustc-check-cfg=cfg(has_cuda)");
    let lib = PathBuf::from(
        env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys names the folder of libtorch"),
    );
    let torch = lib.parent().expect("the folder of libtorch has a parent");
    let mut shim = compiler(torch);
    shim.file("shim/shim.cpp").file("shim/ranks.cpp");
    shim.compile("crisscross_shim");
    if let Some(headers) = cuda_headers(torch) {
        let objects = compiler(torch)
            .includes(headers)
            .file("shim/nccl.cpp")
            .file("shim/graph.cpp")
            .compile_intermediates();
        link(&objects);
        println!("cargo:rustc-cfg=has_cuda");
    }
    println!("cargo:rustc-link-lib=torch_cpu");
    println!("cargo:rustc-link-lib=c10");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
}

/// A compiler of what includes torch's headers.
fn compiler(torch: &Path) -> cc::Build {
    let include = torch.join("include");
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .include("shim/declared")
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .define("USE_DISTRIBUTED", None);
    build
}

/// Where the headers of CUDA and NCCL are, if torch came with them.
fn cuda_headers(torch: &Path) -> Option<[PathBuf; 3]> {
    let site = torch.canonicalize().ok()?.parent()?.to_owned();
    let headers = [
        ("nvidia/cu13/include", "cuda_runtime_api.h"),
        ("nvidia/nccl/include", "nccl.h"),
        ("triton/backends/nvidia/include", "crt/host_defines.h"),
    ];
    let is_there = torch.join("lib/libtorch_cuda.so").exists()
        && headers
            .iter()
            .all(|(folder, header)| site.join(folder).join(header).exists());
    is_there.then(|| headers.map(|(folder, _)| site.join(folder)))
}

/// Makes `cuda.so` of the object files. What it lacks is looked for when it is loaded, in the libtorch that is there already.
fn link(objects: &[PathBuf]) {
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo names a folder"));
    let linked = cc::Build::new()
        .cpp(true)
        .get_compiler()
        .to_command()
        .args(["-shared", "-s", "-o"])
        .arg(out.join("cuda.so"))
        .args(objects)
        .status();
    assert!(
        linked.is_ok_and(|status| status.success()),
        "the linker does not make `cuda.so`"
    );
}
