//! FFmpeg's development packages, libclang for its bindings, a C++ compiler, and CMake and NASM for libjpeg-turbo.

use crate::shell::{Shell, say};
use anyhow::{Result, bail};
use std::fs;
use std::path::Path;

/// What each check is for, and the Debian packages that satisfy it.
const LIBRARIES: [(&str, &str); 5] = [
    ("libavformat", "libavformat-dev"),
    ("libavcodec", "libavcodec-dev"),
    ("libavutil", "libavutil-dev"),
    ("libswscale", "libswscale-dev"),
    ("libswresample", "libswresample-dev"),
];

/// Installs what is missing where this user may, otherwise says the line to type.
pub fn ensure() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    install_packages(&missing)
}

fn missing() -> Vec<&'static str> {
    let here = Path::new(".");
    let mut packages = Vec::new();
    let has_pkg_config = Shell::new("pkg-config", here)
        .arg("--version")
        .output()
        .is_some();
    if !has_pkg_config {
        packages.push("pkg-config");
    }
    for (library, package) in LIBRARIES {
        if !has_pkg_config
            || Shell::new("pkg-config", here)
                .args(["--exists", library])
                .output()
                .is_none()
        {
            packages.push(package);
        }
    }
    if Shell::new("c++", here).arg("--version").output().is_none() {
        packages.push("g++");
    }
    for tool in ["cmake", "nasm"] {
        if Shell::new(tool, here).arg("--version").output().is_none() {
            packages.push(tool);
        }
    }
    if Shell::new("clang", here)
        .arg("--version")
        .output()
        .is_none()
        || !has_libclang()
    {
        packages.extend(["clang", "libclang-dev"]);
    }
    packages
}

/// bindgen loads `libclang.so` or `libclang-*.so`, which Debian keeps in the folder of each LLVM version.
fn has_libclang() -> bool {
    if std::env::var_os("LIBCLANG_PATH").is_some() {
        return true;
    }
    let mut folders = vec![
        "/usr/lib/x86_64-linux-gnu".into(),
        "/usr/lib64".into(),
        "/usr/lib/aarch64-linux-gnu".into(),
    ];
    let versions = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders.extend(
        versions
            .map(|entry| entry.path().join("lib"))
            .filter(|path| path.to_string_lossy().contains("llvm-")),
    );
    let is_libclang = |name: &str| name.starts_with("libclang.so") || name.starts_with("libclang-");
    folders.iter().any(|folder: &std::path::PathBuf| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .into_iter()
            .any(|entry| is_libclang(&entry.file_name().to_string_lossy()))
    })
}

/// Installs Debian packages as root; otherwise stops with the line to type.
pub fn install_packages(packages: &[&str]) -> Result<()> {
    let here = Path::new(".");
    let line = format!(
        "apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    let is_root = Shell::new("id", here).arg("-u").output().as_deref() == Some("0");
    let has_apt = Shell::new("apt-get", here)
        .arg("--version")
        .output()
        .is_some();
    if !is_root || !has_apt {
        bail!(
            "missing packages: {}\n  as root, type: {line}\n  (other systems: the same libraries under the names used there), then repeat this command",
            packages.join(" ")
        );
    }
    say(&format!("installing {}", packages.join(" ")));
    Shell::new("apt-get", here).args(["update", "-qq"]).run()?;
    let install = [
        "install",
        "-y",
        "-qq",
        "--no-install-recommends",
        "-o",
        "Dpkg::Use-Pty=0",
    ];
    Shell::new("apt-get", here)
        .args(install)
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
}
