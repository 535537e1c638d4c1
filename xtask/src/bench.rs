//! Medians of what people wait for: `check` and `plan` on the experiments and on tables of ten thousand rows.
//!
//! Figures of one machine at one time, to hold a change against the commit before it. No test depends on them.

use crate::shell::{cargo, say, target_dir};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs of each command, of which the median counts.
const RUNS: usize = 7;

/// A command whose time is taken.
struct Case {
    name: &'static str,
    verb: &'static str,
    files: Vec<PathBuf>,
}

/// Builds `crisscross` without the engine and prints the median and the fastest of some runs of each command.
pub fn bench(root: &Path) -> Result<()> {
    say("building crisscross without its engine (release)");
    let target = target_dir(root);
    cargo(root)
        .args([
            "build",
            "--release",
            "--quiet",
            "--no-default-features",
            "--target-dir",
        ])
        .arg(target.join("bench"))
        .run()?;
    let program = target.join("bench/release/crisscross");
    let folder = target.join("bench/files");
    std::fs::create_dir_all(&folder).context("cannot make a folder for the files")?;
    println!(
        "{:34}{:>10}{:>10}",
        "median and fastest of 7 runs", "median", "fastest"
    );
    for case in cases(root, &folder)? {
        let mut times = vec![];
        for _ in 0..RUNS {
            times.push(time(&program, &case, &folder)?);
        }
        times.sort();
        let shown = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1000.0);
        println!(
            "{:34}{:>10}{:>10}",
            case.name,
            shown(times[RUNS / 2]),
            shown(times[0])
        );
    }
    Ok(())
}

fn cases(root: &Path, folder: &Path) -> Result<Vec<Case>> {
    let mut experiments = vec![];
    gather(&root.join("experiments"), &mut experiments)?;
    experiments.sort();
    let write = |name: &str, rows: String| -> Result<Vec<PathBuf>> {
        let text = format!(
            "use paper\n\ntable {name} {{\n  of     = crisscross\n  scores = [linear8 on UCF101, linear2s on ESC50]\n{rows}\n}}\n"
        );
        let path = folder.join(format!("{name}.cc"));
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(vec![path])
    };
    let seeds = write("seeds", "  for seed in range(1, 10000) { row }".to_owned())?;
    let grid = write(
        "grid",
        "  for loss in [intra, sync, async, intra + sync, intra + async, sync + async, v1v2 + sync, a1a2 + sync, \
         intra + sync + async, 2 * intra + sync] {
    for lr_p in [0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007, 0.008, 0.009, 0.01] {
      for relax in [none, mild, medium, extreme, mixed] {
        for seed in range(1, 20) { row }
      }
    }
  }"
        .to_owned(),
    )?;
    let rows =
        (1..=10_000).map(|n| format!("  row \"{n}\" loss = intra + {n} * sync, lr_p = {n}e-6\n"));
    let rows = write("rows", rows.collect())?;
    let case = |name, verb, files: &[PathBuf]| Case {
        name,
        verb,
        files: files.to_vec(),
    };
    Ok(vec![
        case("check experiments", "check", &experiments),
        case("plan experiments", "plan", &experiments),
        case("check 10 000 seeds", "check", &seeds),
        case("plan 10 000 seeds", "plan", &seeds),
        case("check a grid of 10 000 rows", "check", &grid),
        case("plan a grid of 10 000 rows", "plan", &grid),
        case("check 10 000 written rows", "check", &rows),
        case("plan 10 000 written rows", "plan", &rows),
    ])
}

/// The `.cc` files in a folder and below it.
fn gather(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, found)?;
        } else if path.extension().is_some_and(|suffix| suffix == "cc") {
            found.push(path);
        }
    }
    Ok(())
}

fn time(program: &Path, case: &Case, folder: &Path) -> Result<Duration> {
    let mut command = Command::new(program);
    // In the folder of the files, so that no site file and no run is found.
    command.arg(case.verb).args(&case.files).current_dir(folder);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().context("cannot start crisscross")?;
    let took = start.elapsed();
    if !status.success() {
        bail!("`crisscross {}` fails: {}", case.verb, case.name);
    }
    Ok(took)
}
