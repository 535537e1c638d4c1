//! A folder that checks crisscross on a machine with a GPU, Python and torch, and nothing else: `cargo xtask gpu-check`.
//!
//! The engine is built without FFmpeg, which such machines often lack, and finds libtorch in the Python package there. Plans are made
//! here, so that no compiler is needed. `xtask/gpu/` holds what is not built.

use crate::shell::{Shell, cargo, say, target_dir};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Files that go into the folder as they are.
const FILES: [&str; 3] = ["run.sh", "check.py", "twin.py"];

/// Makes the folder. `program` is a built `crisscross`.
pub fn bundle(root: &Path, program: &Path) -> Result<()> {
    let folder = target_dir(root).join("gpu-check");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    say("building the engine without FFmpeg");
    cargo(root)
        .args([
            "build",
            "--release",
            "--quiet",
            "--no-default-features",
            "--features",
            "torch",
        ])
        .run()?;
    let engine = folder.join("crisscross-engine");
    copy(&program.with_file_name("crisscross-engine"), &engine)?;
    // Names of functions are a third of it.
    let _ = Shell::new("strip", root).arg(&engine).output();
    let source = root.join("xtask/gpu");
    for file in FILES {
        copy(&source.join(file), &folder.join(file))?;
    }
    let plan = Shell::new(program, root)
        .args(["plan", "xtask/gpu/check.cc", "--format", "json"])
        .output()
        .context("`crisscross plan xtask/gpu/check.cc` fails")?;
    fs::write(folder.join("plan.json"), plan)?;
    let mut bytes = 0;
    for entry in fs::read_dir(&folder)? {
        bytes += entry?.metadata()?.len();
    }
    say(&format!(
        "{} ({:.1} MB): copy it to a machine with a GPU and torch 2.11, and `sh run.sh` there",
        folder.display(),
        bytes as f64 / 1e6
    ));
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
