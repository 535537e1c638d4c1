//! The pinned PyTorch: found, or installed into a virtual environment of this repository, and linked as `libtorch`.
//!
//! tch and PyTorch come in exact pairs, so another version is never linked: it would build and then fail at a missing symbol.

use crate::ffmpeg;
use crate::shell::{Shell, say};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// The version that the pinned tch binds.
const VERSION: &str = "2.11.0";

/// Makes `libtorch` in the repository point at a torch package of the right version.
pub fn ensure(root: &Path) -> Result<()> {
    let torch = find(root)?;
    link(root, &torch)
}

/// An active environment, `CRISSCROSS_TORCH`, the present link, the repository's `.venv`: the first that fits.
fn find(root: &Path) -> Result<PathBuf> {
    if let Some(venv) = std::env::var_os("VIRTUAL_ENV") {
        match package_of(Path::new(&venv)) {
            Some(torch) if is_right(&torch) => return Ok(torch),
            Some(torch) => say(&format!(
                "the active environment has torch {}, crisscross needs {VERSION}: looking further",
                version(&torch).unwrap_or_default()
            )),
            None => say("the active environment has no torch: looking further"),
        }
    }
    if let Some(given) = std::env::var_os("CRISSCROSS_TORCH") {
        let torch = package_of(Path::new(&given)).with_context(|| {
            format!("CRISSCROSS_TORCH is `{}`, which holds no torch: give a virtual environment or a torch folder", given.display())
        })?;
        if !is_right(&torch) {
            let found = version(&torch).unwrap_or_else(|| "of unknown version".into());
            bail!(
                "CRISSCROSS_TORCH is torch {found}, crisscross needs {VERSION}: pip install torch=={VERSION}"
            );
        }
        return Ok(torch);
    }
    let linked = root.join("libtorch");
    if is_right(&linked) {
        return fs::canonicalize(&linked).context("cannot follow the link `libtorch`");
    }
    let venv = root.join(".venv");
    if !package_of(&venv).is_some_and(|torch| is_right(&torch)) {
        install(root, &venv)?;
    }
    match package_of(&venv) {
        Some(torch) if is_right(&torch) => Ok(torch),
        _ => bail!(
            "`{}` still has no torch {VERSION} after installing it: remove that folder and try again",
            venv.display()
        ),
    }
}

/// The torch package in a virtual environment, or the folder itself if it is one.
fn package_of(place: &Path) -> Option<PathBuf> {
    if place.join("version.py").is_file() && place.join("lib").is_dir() {
        return Some(place.to_path_buf());
    }
    let libraries = fs::read_dir(place.join("lib")).ok()?;
    libraries
        .flatten()
        .map(|entry| entry.path().join("site-packages/torch"))
        .find(|torch| torch.join("version.py").is_file())
}

/// `2.11.0` of a package whose `version.py` says `2.11.0+cu130`.
fn version(torch: &Path) -> Option<String> {
    let text = fs::read_to_string(torch.join("version.py")).ok()?;
    let line = text.lines().find(|line| line.starts_with("__version__"))?;
    let full = line.split(['\'', '"']).nth(1)?;
    Some(full.split('+').next().unwrap_or(full).to_owned())
}

fn is_right(torch: &Path) -> bool {
    version(torch).as_deref() == Some(VERSION)
        && torch.join("lib/libtorch_cpu.so").is_file()
        && torch.join("include/torch").is_dir()
}

fn install(root: &Path, venv: &Path) -> Result<()> {
    let python = venv.join("bin/python");
    if Shell::new(&python, root)
        .args(["-m", "pip", "--version"])
        .output()
        .is_none()
    {
        say("making a virtual environment in .venv");
        let make = || {
            Shell::new("python3", root)
                .args(["-m", "venv", "--clear"])
                .arg(venv)
                .status()
        };
        if make()? != 0 {
            // Debian ships Python's venv apart.
            ffmpeg::install_packages(&["python3-venv"])?;
            if make()? != 0 {
                bail!(
                    "python3 cannot make a virtual environment in `{}`",
                    venv.display()
                );
            }
        }
    }
    say(&format!(
        "installing torch {VERSION} into .venv (about 5 GB; an environment that has it can be named in CRISSCROSS_TORCH)"
    ));
    let wanted = format!("torch=={VERSION}");
    Shell::new(&python, root)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            &wanted,
        ])
        .run()
}

fn link(root: &Path, torch: &Path) -> Result<()> {
    let link = root.join("libtorch");
    let torch =
        fs::canonicalize(torch).with_context(|| format!("cannot follow `{}`", torch.display()))?;
    if fs::canonicalize(&link).is_ok_and(|present| present == torch) {
        return Ok(());
    }
    say(&format!("linking libtorch -> {}", torch.display()));
    if link.symlink_metadata().is_ok() {
        fs::remove_file(&link).with_context(|| format!("cannot replace `{}`", link.display()))?;
    }
    std::os::unix::fs::symlink(&torch, &link)
        .with_context(|| format!("cannot make the link `{}`", link.display()))
}
