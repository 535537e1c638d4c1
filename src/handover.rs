//! Replaces this process by `crisscross-engine`, the binary beside it that holds the tensor library.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Seek};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::failure::{Failure, Result};

/// The name of the engine's binary.
pub const ENGINE: &str = "crisscross-engine";

const SETUP: &str = "run `cargo xtask setup`, then `cargo xtask build`; commands other than `run`, `replay`, `import`, `export`, `features`, `data`, `bench` and `doctor` work without it";

/// How much libtorch logs. At its default it prints C++ backtraces where a rank is gone, around the one sentence that says so.
const LOG_LEVEL: &str = "TORCH_CPP_LOG_LEVEL";

/// Runs the engine with `arguments` in place of this process: it returns only where that cannot be done.
pub fn exec(arguments: Vec<OsString>) -> Failure {
    let engine = match find() {
        Ok(engine) => engine,
        Err(failure) => return failure,
    };
    let cause = replace(command(&engine).args(arguments));
    Failure::new(format!("cannot start `{}`: {cause}", engine.display())).help(SETUP)
}

/// [`exec`] with a value as JSON on the engine's standard input: a file without a name, so nothing stays behind.
pub fn exec_with(arguments: Vec<OsString>, value: &impl Serialize) -> Failure {
    let engine = match find() {
        Ok(engine) => engine,
        Err(failure) => return failure,
    };
    let written = || -> std::io::Result<File> {
        let mut file = BufWriter::new(tempfile::tempfile()?);
        serde_json::to_writer(&mut file, value)?;
        let mut file = file.into_inner()?;
        file.rewind()?;
        Ok(file)
    };
    let input = match written() {
        Ok(input) => input,
        Err(cause) => {
            return Failure::new(format!("cannot write a temporary file: {cause}"))
                .help("make room, or set TMPDIR to a folder that can be written");
        }
    };
    let cause = replace(command(&engine).args(arguments).stdin(input));
    Failure::new(format!("cannot start `{}`: {cause}", engine.display())).help(SETUP)
}

/// The engine's command. Unless the user has said otherwise, threads of libtorch that wait for one another soon sleep: those that wait
/// busily for long take the cores from the threads that decode. And memory that a step frees is kept for the next one: the C library
/// would give large pieces back, and the system clear each page of them anew.
fn command(engine: &Path) -> Command {
    let mut command = Command::new(engine);
    if WAITING.iter().all(|name| std::env::var_os(name).is_none()) {
        command.env(WAITING[0], SPINS);
    }
    let is_set = |name: &str| std::env::var_os(name).is_some();
    if !is_set(TUNABLES) && !KEEPING.iter().any(|(name, _)| is_set(name)) {
        command.envs(KEEPING);
    }
    if std::env::var_os(LOG_LEVEL).is_none() {
        command.env(LOG_LEVEL, "ERROR");
    }
    command
}

/// What says how threads of OpenMP wait.
const WAITING: [&str; 2] = ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"];
/// Looks before a thread sleeps: some microseconds, in which what it waits for is mostly done.
const SPINS: &str = "1000";

/// What says how the GNU C library keeps memory, for all of its settings.
const TUNABLES: &str = "GLIBC_TUNABLES";
/// No piece of memory comes from the system by itself, and none goes back as long as less than 16 GiB are free at the end of the heap.
const KEEPING: [(&str, &str); 2] = [
    ("MALLOC_MMAP_MAX_", "0"),
    ("MALLOC_TRIM_THRESHOLD_", "17179869184"),
];

/// The engine beside this binary, with all its libraries in reach.
pub fn find() -> Result<PathBuf> {
    let here = std::env::current_exe()
        .map_err(|cause| Failure::new(format!("cannot find this binary: {cause}")))?;
    let engine = here.with_file_name(format!("{ENGINE}{}", std::env::consts::EXE_SUFFIX));
    if !engine.is_file() {
        return Err(Failure::new(format!(
            "training needs `{ENGINE}`, which is not beside this binary"
        ))
        .help(SETUP));
    }
    let missing = missing_libraries(&engine);
    if missing.is_empty() {
        return Ok(engine);
    }
    let list: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
    Err(Failure::new(format!(
        "`{ENGINE}` does not find its libraries: {}",
        list.join(", ")
    ))
    .help(SETUP))
}

/// Shared libraries that the loader does not find for `binary`. It is asked to list them without starting the program.
#[cfg(target_os = "linux")]
fn missing_libraries(binary: &Path) -> Vec<String> {
    let listed = Command::new(binary)
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .output();
    // What cannot be asked is seen when the engine starts.
    let text = listed.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    );
    let missing = text
        .lines()
        .filter_map(|line| line.trim().strip_suffix("=> not found"));
    missing.map(|name| name.trim().to_owned()).collect()
}

#[cfg(not(target_os = "linux"))]
fn missing_libraries(_binary: &Path) -> Vec<String> {
    vec![]
}

#[cfg(unix)]
fn replace(command: &mut Command) -> std::io::Error {
    std::os::unix::process::CommandExt::exec(command)
}

#[cfg(not(unix))]
fn replace(command: &mut Command) -> std::io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(cause) => cause,
    }
}
