//! Set-up, run and test of this repository: `cargo xtask run experiments/quickstart.cc`, `cargo xtask test`.
//!
//! Every step says what it does and is skipped when it is already done, so each command may be repeated at will.

mod bench;
mod bench_data;
mod bench_step;
mod ffmpeg;
mod fuzz;
mod gpu_check;
mod shell;
mod torch;

use anyhow::{Result, bail};
use shell::{Shell, cargo};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND

  setup            find or install the pinned torch and FFmpeg's development packages
  run FILE [ARGS]  set up, build, then `crisscross run FILE [ARGS]`
  test [FILTER]    set up, then format check, lints and all tests
  fuzz TARGET [--seconds N]
                   build a target of fuzz/ (check, fmt) with counters, seed it with the cases and experiments, and run it, 600 s
                   if nothing is said; the stable toolchain is enough. What fails is kept below target/fuzz/artifacts
  soak FOLDER... [--minutes N] [--threads N]
                   ask for random spans of the media files in the folders, each by two ways, for 10 minutes if nothing is said;
                   fails where answers differ or memory grows
  bench            build the light crates, then medians of `check` and `plan` on large files
  bench data --clips DIR [--peer COMMAND] [--rounds N]
                   set up, build, pack the clips, then processor time per sample from files and shards, in turns with a peer, a
                   command whose last line is JSON with `cpu_ms_per_sample`
  bench step [--peer COMMAND] [--rounds N] [--batch N] [--threads N]
                   set up, build, then training steps in fp32 and bf16 on the CPU, in turns with a peer, a command whose last line
                   is JSON with `sec_per_step_median`, `cpu_s_per_step_median` and `peak_rss_mib`
  gpu-check        set up, build, and make target/gpu-check, a folder that checks a GPU where there is Python with torch 2.11 and
                   nothing else: `sh run.sh` there, `sh run.sh --help`
  doctor           set up, build, then `crisscross doctor`
  build            set up and build";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<ExitCode> {
    let Some((command, rest)) = arguments.split_first() else {
        eprintln!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    let root = root();
    match command.as_str() {
        "setup" => setup(&root).map(|()| ExitCode::SUCCESS),
        "build" => {
            setup(&root)?;
            build(&root).map(|_| ExitCode::SUCCESS)
        }
        "run" => {
            if rest.is_empty() {
                bail!("`run` needs a file: cargo xtask run experiments/quickstart.cc");
            }
            crisscross(&root, "run", rest)
        }
        "fuzz" => fuzz::fuzz(&root, rest).map(|()| ExitCode::SUCCESS),
        "soak" => soak(&root, rest).map(|()| ExitCode::SUCCESS),
        "doctor" => crisscross(&root, "doctor", rest),
        "gpu-check" => {
            setup(&root)?;
            let bundled = gpu_check::bundle(&root, &build(&root)?);
            // The engine with FFmpeg stands in its place again, whatever came of the folder.
            let built = build(&root);
            bundled.and(built).map(|_| ExitCode::SUCCESS)
        }
        "bench" if rest.first().is_some_and(|what| what == "data") => {
            setup(&root)?;
            bench_data::bench(&root, &build(&root)?, &rest[1..]).map(|()| ExitCode::SUCCESS)
        }
        "bench" if rest.first().is_some_and(|what| what == "step") => {
            setup(&root)?;
            bench_step::bench(&root, &build(&root)?, &rest[1..]).map(|()| ExitCode::SUCCESS)
        }
        "bench" => bench::bench(&root).map(|()| ExitCode::SUCCESS),
        "test" => test(&root, rest).map(|()| ExitCode::SUCCESS),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => {
            eprintln!("error: there is no command `{other}`\n\n{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

/// The repository: the folder above this crate.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

fn setup(root: &Path) -> Result<()> {
    ffmpeg::ensure()?;
    torch::ensure(root)
}

/// Builds `crisscross` and its engine; returns the path of `crisscross`.
fn build(root: &Path) -> Result<PathBuf> {
    shell::say("building crisscross (release; the first time takes some minutes)");
    let metadata = cargo(root).args(["build", "--release", "--quiet"]);
    metadata.run()?;
    Ok(shell::target_dir(root).join("release/crisscross"))
}

/// Sets up, builds and hands over to `crisscross VERB ARGS`, in the folder where the user stands.
fn crisscross(root: &Path, verb: &str, arguments: &[String]) -> Result<ExitCode> {
    setup(root)?;
    let program = build(root)?;
    let here = std::env::current_dir()?;
    shell::say(&format!("crisscross {verb} {}", arguments.join(" ")));
    let code = Shell::new(&program, &here)
        .arg(verb)
        .args(arguments)
        .status()?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Sets up, builds and runs the long trial of the readers of files.
fn soak(root: &Path, arguments: &[String]) -> Result<()> {
    setup(root)?;
    shell::say(&format!("soak {}", arguments.join(" ")));
    let package = ["--package", "crisscross-runtime", "--features", "media"];
    cargo(root)
        .args(["run", "--release", "--quiet", "--example", "soak"])
        .args(package)
        .arg("--")
        .args(arguments)
        .run()
}

/// Everything that must hold before a change lands.
fn test(root: &Path, filter: &[String]) -> Result<()> {
    setup(root)?;
    let features = ["--workspace", "--features", "crisscross-runtime/media"];
    if filter.is_empty() {
        shell::say("formatting");
        cargo(root).args(["fmt", "--all", "--check"]).run()?;
        shell::say("lints, and the build without libtorch and FFmpeg");
        let no_tensors = [
            "clippy",
            "--release",
            "--quiet",
            "--no-default-features",
            "--",
            "-D",
            "warnings",
        ];
        cargo(root).args(no_tensors).run()?;
        let all = ["clippy", "--release", "--quiet", "--all-targets"];
        cargo(root)
            .args(all)
            .args(features)
            .args(["--", "-D", "warnings"])
            .run()?;
    }
    shell::say("tests");
    cargo(root)
        .args(["test", "--release"])
        .args(features)
        .args(filter)
        .run()
}
