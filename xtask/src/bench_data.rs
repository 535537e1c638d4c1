//! The data path beside another loader on the same clips: processor time per sample from files and from shards, in turns.
//!
//! Figures of one machine at one time. No test depends on them; `docs/performance.md` holds those of a run.

use crate::shell::{Shell, say, target_dir};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is measured of ours: a name, the folder with the site file, and how far batches are made.
const CASES: [(&str, &str, &str); 4] = [
    ("files, views", "files", "views"),
    ("files, raw", "files", "raw"),
    ("shards, views", "shards", "views"),
    ("shards, raw", "shards", "raw"),
];

/// What is asked for on the command line.
struct Asked {
    clips: PathBuf,
    peer: Option<String>,
    rounds: usize,
}

/// Packs the clips, then measures the peer and ours in turns, and prints medians.
pub fn bench(root: &Path, program: &Path, arguments: &[String]) -> Result<()> {
    let asked = asked(arguments)?;
    let folder = target_dir(root).join("bench/data");
    let number = prepare(program, &asked.clips, &folder)?;
    say(&format!(
        "{number} clips, {} rounds, one thread, released augmentations, batches of 64",
        asked.rounds
    ));
    let mut peer = vec![];
    let mut ours: Vec<Vec<Value>> = CASES.iter().map(|_| vec![]).collect();
    for round in 1..=asked.rounds {
        if let Some(command) = &asked.peer {
            peer.push(of_peer(command)?);
        }
        for (case, found) in CASES.iter().zip(&mut ours) {
            found.push(of_ours(program, &folder, case)?);
        }
        say(&format!("round {round} of {}", asked.rounds));
    }
    print(&mut peer, &ours);
    Ok(())
}

fn asked(arguments: &[String]) -> Result<Asked> {
    const USAGE: &str = "cargo xtask bench data --clips DIR [--peer COMMAND] [--rounds N]";
    let (mut clips, mut peer, mut rounds) = (None, None, 3);
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let value = rest
            .next()
            .with_context(|| format!("`{option}` lacks its value: {USAGE}"))?;
        match option.as_str() {
            "--clips" => clips = Some(PathBuf::from(value)),
            "--peer" => peer = Some(value.clone()),
            "--rounds" => {
                rounds = value
                    .parse()
                    .ok()
                    .filter(|rounds| *rounds > 0)
                    .with_context(|| format!("`--rounds {value}`: a number of rounds from 1 on"))?;
            }
            other => bail!("there is no option `{other}`: {USAGE}"),
        }
    }
    let clips = clips.with_context(|| format!("which clips? {USAGE}"))?;
    let clips = std::path::absolute(&clips)?;
    if !clips.is_dir() {
        bail!("`{}` is no folder", clips.display());
    }
    Ok(Asked {
        clips,
        peer,
        rounds,
    })
}

/// Writes the experiment and a site file for each source, and packs the clips; returns their number.
fn prepare(program: &Path, clips: &Path, folder: &Path) -> Result<usize> {
    let is_clip = |entry: &std::io::Result<std::fs::DirEntry>| {
        entry.as_ref().is_ok_and(|entry| {
            entry.path().is_file() && !entry.file_name().to_string_lossy().starts_with('.')
        })
    };
    let number = std::fs::read_dir(clips)?.filter(is_clip).count();
    if number == 0 {
        bail!("there is no clip in `{}`", clips.display());
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    let packed = folder.join("packed");
    for (source, root) in [("files", clips), ("shards", &packed)] {
        // A string of JSON is one of TOML.
        let root = Value::from(root.to_string_lossy());
        let place = folder.join(source);
        std::fs::create_dir_all(&place)?;
        std::fs::write(
            place.join("crisscross.toml"),
            format!("cache = \"cache\"\n\n[data.clips]\nroot = {root}\n"),
        )?;
        std::fs::write(
            place.join("bench.cc"),
            format!(
                "use released\n\ndata clips = videos(train: {number}, requires: [v, a], short: skip)\n\n\
                 pretrain bench = crisscross with {{ data = clips   bs = 64   es = 768   ep = 3 }}\n"
            ),
        )?;
    }
    Shell::new(program, &folder.join("files"))
        .args(["data", "pack", "bench.cc:clips", "--out"])
        .arg(&packed)
        .run()?;
    Ok(number)
}

/// Milliseconds of processor time per sample: `cpu_ms_per_sample` in the last line that the command prints.
fn of_peer(command: &str) -> Result<f64> {
    let output = Command::new("sh")
        .args(["-c", command])
        .output()
        .context("cannot start a shell")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let found: Value = serde_json::from_str(last).unwrap_or_default();
    found["cpu_ms_per_sample"].as_f64().with_context(|| {
        format!(
            "the peer's last line has no `cpu_ms_per_sample`: `{last}`\n{}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

fn of_ours(
    program: &Path,
    folder: &Path,
    (name, source, up_to): &(&str, &str, &str),
) -> Result<Value> {
    let output = Command::new(program)
        .args([
            "bench",
            "data",
            "bench.cc",
            "--threads",
            "1",
            "--batches",
            "2",
            "--repetitions",
            "3",
        ])
        .args(["--format", "json", "--up-to", up_to])
        .current_dir(folder.join(source))
        .output()
        .context("cannot start crisscross")?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{name}: its output is no JSON"))
}

/// A table of medians: milliseconds of processor time per sample, the ratio to the peer, and the parts.
fn print(peer: &mut [f64], ours: &[Vec<Value>]) {
    let peer = (!peer.is_empty()).then(|| median(peer));
    if let Some(peer) = peer {
        println!("{:15}{peer:8.2} ms of processor time per sample", "peer");
    }
    for ((name, ..), runs) in CASES.iter().zip(ours) {
        let of =
            |read: &dyn Fn(&Value) -> f64| median(&mut runs.iter().map(read).collect::<Vec<_>>());
        let whole = of(&|run| {
            run["cpu_s_per_sample"]["median"]
                .as_f64()
                .unwrap_or(f64::NAN)
                * 1e3
        });
        let ratio = peer.map_or_else(String::new, |peer| {
            format!("   1/{:.1} of the peer", peer / whole)
        });
        println!(
            "{name:15}{whole:8.3} ms, {:.0} samples per CPU second{ratio}",
            1e3 / whole
        );
        let parts = runs[0]["parts"].as_array().cloned().unwrap_or_default();
        let of_part = |part: &Value| {
            let name = part["part"].as_str().unwrap_or_default().to_owned();
            let cost = of(&|run| {
                let parts = run["parts"].as_array().into_iter().flatten();
                let own = parts.filter(|other| other["part"] == part["part"]);
                own.filter_map(|own| own["cpu_s_per_sample"].as_f64())
                    .sum::<f64>()
                    * 1e3
            });
            format!("{name} {cost:.3}")
        };
        println!(
            "{:15}{}",
            "",
            parts.iter().map(of_part).collect::<Vec<_>>().join(", ")
        );
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
