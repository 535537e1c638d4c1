//! The training step beside another one of the same networks: fp32 and bf16, in turns with a peer.
//!
//! Figures of one machine at one time. No test depends on them; `docs/performance.md` holds those of a run.

use crate::shell::{say, target_dir};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const PRECISIONS: [&str; 2] = ["fp32", "bf16"];

/// What is asked for on the command line.
struct Asked {
    peer: Option<String>,
    rounds: usize,
    batch: usize,
    threads: usize,
}

/// One side in one round.
#[derive(Clone, Copy)]
struct Measured {
    step_s: f64,
    cpu_s: f64,
    rss_mib: f64,
}

/// Measures the peer and ours in turns, and prints medians.
pub fn bench(root: &Path, program: &Path, arguments: &[String]) -> Result<()> {
    let asked = asked(arguments)?;
    let folder = target_dir(root).join("bench/step");
    std::fs::create_dir_all(&folder).context("cannot make a folder for the experiment")?;
    let text = format!(
        "use paper\n\npretrain bench = crisscross_k400 with {{ bs = {} }}\n",
        asked.batch
    );
    std::fs::write(folder.join("bench.cc"), text)?;
    say(&format!(
        "{} rounds, {} threads, the paper's networks, views and LARC over Adam, batches of {}",
        asked.rounds, asked.threads, asked.batch
    ));
    let mut peer = vec![];
    let mut ours: [Vec<Measured>; 2] = [vec![], vec![]];
    for round in 1..=asked.rounds {
        if let Some(command) = &asked.peer {
            peer.push(of_peer(command)?);
        }
        for (precision, found) in PRECISIONS.iter().zip(&mut ours) {
            found.push(of_ours(program, &folder, precision, asked.threads)?);
        }
        say(&format!("round {round} of {}", asked.rounds));
    }
    print(&peer, &ours);
    Ok(())
}

fn asked(arguments: &[String]) -> Result<Asked> {
    const USAGE: &str =
        "cargo xtask bench step [--peer COMMAND] [--rounds N] [--batch N] [--threads N]";
    let mut asked = Asked {
        peer: None,
        rounds: 3,
        batch: 8,
        threads: 2,
    };
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let value = rest
            .next()
            .with_context(|| format!("`{option}` lacks its value: {USAGE}"))?;
        let number = || {
            let number = value.parse().ok().filter(|number| *number > 0);
            number.with_context(|| format!("`{option} {value}`: a number from 1 on"))
        };
        match option.as_str() {
            "--peer" => asked.peer = Some(value.clone()),
            "--rounds" => asked.rounds = number()?,
            "--batch" => asked.batch = number()?,
            "--threads" => asked.threads = number()?,
            other => bail!("there is no option `{other}`: {USAGE}"),
        }
    }
    Ok(asked)
}

/// The last line of a program's output as JSON.
fn last_line(output: &std::process::Output, who: &str) -> Result<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).with_context(|| {
        format!(
            "{who}: `{last}`\n{}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

fn of_peer(command: &str) -> Result<Measured> {
    let output = Command::new("sh")
        .args(["-c", command])
        .output()
        .context("cannot start a shell")?;
    let found = last_line(&output, "the peer's last line is no JSON")?;
    let number = |key: &str| {
        found[key]
            .as_f64()
            .with_context(|| format!("the peer's last line has no `{key}`"))
    };
    Ok(Measured {
        step_s: number("sec_per_step_median")?,
        cpu_s: number("cpu_s_per_step_median")?,
        rss_mib: number("peak_rss_mib")?,
    })
}

fn of_ours(program: &Path, folder: &Path, precision: &str, threads: usize) -> Result<Measured> {
    let output = Command::new(program)
        .args([
            "bench",
            "step",
            "bench.cc:bench",
            "--format",
            "json",
            "--device",
            "cpu",
            "--no-peak",
        ])
        .args(["--precision", precision, "--threads", &threads.to_string()])
        .current_dir(folder)
        .output()
        .context("cannot start crisscross")?;
    let found = last_line(&output, "crisscross bench step")?;
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    Ok(Measured {
        step_s: 1e-3 * number(&found["step_ms"]["median"]),
        cpu_s: 1e-3 * number(&found["cpu_ms"]["median"]),
        rss_mib: number(&found["peak_memory_bytes"]) / f64::from(1 << 20),
    })
}

/// A table of medians, with ratios to the peer.
fn print(peer: &[Measured], ours: &[Vec<Measured>; 2]) {
    let median = |runs: &[Measured], of: fn(&Measured) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let of = |runs: &[Measured]| {
        [
            median(runs, |run| run.step_s),
            median(runs, |run| run.cpu_s),
            median(runs, |run| run.rss_mib),
        ]
    };
    println!(
        "{:6}{:>10}{:>16}{:>14}",
        "", "s/step", "CPU s/step", "peak MiB"
    );
    let base = of(peer);
    if !peer.is_empty() {
        let [step, cpu, rss] = base;
        println!("{:6}{step:>10.3}{cpu:>16.3}{rss:>14.0}", "peer");
    }
    for (precision, runs) in PRECISIONS.iter().zip(ours) {
        let [step, cpu, rss] = of(runs);
        println!("{precision:6}{step:>10.3}{cpu:>16.3}{rss:>14.0}");
        if !peer.is_empty() {
            let [step, cpu, rss] = [step / base[0], cpu / base[1], rss / base[2]];
            println!("{:6}{step:>10.2}{cpu:>16.2}{rss:>14.2}   of the peer's", "");
        }
    }
}
