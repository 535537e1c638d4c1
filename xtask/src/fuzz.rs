//! Fuzzing on the stable toolchain: libFuzzer with the counters that rustc can put into code, and no sanitizer, which needs a
//! nightly one.

use crate::shell::{self, Shell, cargo};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The targets of `fuzz/`.
const TARGETS: [&str; 2] = ["check", "fmt"];

/// What makes rustc count the edges that a run takes, for libFuzzer to read.
const COUNTERS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// `fuzz TARGET [--seconds N]`: builds the target, gives it the cases and experiments as seeds, and runs it.
pub fn fuzz(root: &Path, arguments: &[String]) -> Result<()> {
    let (target, seconds) = match arguments {
        [target] => (target, 600),
        [target, flag, seconds] if flag == "--seconds" => {
            let seconds = seconds
                .parse::<u32>()
                .context("`--seconds` takes a number")?;
            (target, seconds)
        }
        _ => bail!("write `cargo xtask fuzz TARGET [--seconds N]`; the targets are {TARGETS:?}"),
    };
    if !TARGETS.contains(&target.as_str()) {
        bail!("there is no target `{target}`; the targets are {TARGETS:?}");
    }
    let folder = shell::target_dir(root).join("fuzz");
    let host = host(root)?;
    shell::say(&format!("building the fuzz target {target}"));
    // With `--target` the counters stay out of build scripts.
    cargo(&root.join("fuzz"))
        .args(["build", "--release", "--quiet", "--bin", target])
        .args(["--target", &host])
        .env("RUSTFLAGS", COUNTERS)
        .env("CARGO_TARGET_DIR", &folder.to_string_lossy())
        .run()?;
    let (corpus, artifacts) = (
        folder.join("corpus").join(target),
        folder.join("artifacts").join(target),
    );
    let words = seed(root, &corpus)?;
    fs::create_dir_all(&artifacts)?;
    shell::say(&format!(
        "fuzzing for {seconds} s; what fails is kept in {}",
        artifacts.display()
    ));
    Shell::new(folder.join(host).join("release").join(target), root)
        .arg(format!("-max_total_time={seconds}"))
        .args([
            "-timeout=20",
            "-rss_limit_mb=4096",
            "-max_len=8192",
            "-print_final_stats=1",
        ])
        .arg(format!("-dict={}", words.display()))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(corpus.to_string_lossy().as_ref())
        .run()
}

/// The triple of this machine.
fn host(root: &Path) -> Result<String> {
    let text = Shell::new("rustc", root).arg("-vV").output();
    let text = text.context("`rustc -vV` failed")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

/// Copies every `.cc` file of the repository into the corpus and writes their words as a dictionary, whose path it returns.
fn seed(root: &Path, corpus: &Path) -> Result<PathBuf> {
    fs::create_dir_all(corpus)?;
    let mut words = BTreeSet::new();
    let mut folders: Vec<PathBuf> = ["tests/cases", "experiments", "compiler/prelude"]
        .map(|folder| root.join(folder))
        .into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|suffix| suffix == "cc") {
                let bytes = fs::read(&path)?;
                let text = String::from_utf8_lossy(&bytes);
                let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '%';
                let found = text.split(|c| !is_word(c)).filter(|word| !word.is_empty());
                words.extend(found.filter(|word| word.len() < 24).map(str::to_owned));
                let name = path.strip_prefix(root)?.to_string_lossy().replace('/', "_");
                fs::write(corpus.join(format!("seed_{name}")), &bytes)?;
            }
        }
    }
    let dictionary = corpus.with_extension("dict");
    let lines: String = words.iter().map(|word| format!("\"{word}\"\n")).collect();
    fs::write(&dictionary, lines)?;
    Ok(dictionary)
}
