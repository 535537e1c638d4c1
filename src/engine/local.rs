//! `run --ranks N`: starts N processes of this engine on this machine, and ends all of them where one ends.

use records::launch::Launch;
use records::say;
use runtime::error::Error;
use runtime::ranks::ffi::Store;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Time between two looks at the processes.
const LOOK: Duration = Duration::from_millis(50);
/// How long the others may take to end by themselves after one has ended, before SIGTERM and before SIGKILL: they may keep a resume point.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(6), Duration::from_secs(70));

/// A rank that was started here.
struct Local {
    rank: usize,
    child: Child,
    ended: Option<ExitStatus>,
}

/// Starts the processes with the arguments of this one, and waits for them. The first signal that this process gets,
/// which `signal` has, goes on to all of them.
///
/// Exit codes: as those of one process.
///
/// # Errors
/// Processes that cannot be started.
pub fn start(ranks: u16, signal: &AtomicUsize) -> Result<ExitCode, Error> {
    let system = |cause: std::io::Error| Error::Unsupported {
        message: format!("cannot start {ranks} ranks: {cause}"),
    };
    let engine = std::env::current_exe().map_err(system)?;
    // The store that the ranks meet at: it lives as long as this process.
    let store = Store::serve(0, "", Duration::from_secs(60))?;
    let count = usize::from(ranks);
    let mut locals = vec![];
    for rank in 0..count {
        let launch = Launch {
            rank,
            ranks: count,
            local_rank: rank,
            local_ranks: count,
            host: "127.0.0.1".to_owned(),
            port: store.port(),
            served: Some(String::new()),
            has_own_cores: false,
        };
        let child = Command::new(&engine)
            .args(without_ranks(std::env::args_os().skip(1)))
            .arg("--is-child")
            .envs(launch.variables())
            // As `crisscross` sets it: no C++ backtraces around the sentence that says what is wrong.
            .env("TORCH_CPP_LOG_LEVEL", log_level())
            // A terminal's Ctrl-C reaches this process alone, which hands it on once.
            .process_group(0)
            .stdin(Stdio::piped())
            .spawn();
        match child {
            Ok(child) => locals.push(Local {
                rank,
                child,
                ended: None,
            }),
            Err(cause) => {
                send(&locals, Signal::KILL);
                return Err(system(cause));
            }
        }
    }
    Ok(watch(&mut locals, signal))
}

/// How much libtorch logs: errors, unless somebody wants to know more.
fn log_level() -> OsString {
    std::env::var_os("TORCH_CPP_LOG_LEVEL").unwrap_or_else(|| "ERROR".into())
}

/// Waits until all have ended.
fn watch(locals: &mut [Local], signal: &AtomicUsize) -> ExitCode {
    let mut handed_on = 0;
    let mut first: Option<(usize, u32, ExitStatus, Instant)> = None;
    let mut next = [(PATIENCE.0, Signal::TERM), (PATIENCE.1, Signal::KILL)]
        .into_iter()
        .peekable();
    loop {
        let number = signal.load(Ordering::Relaxed);
        if number != handed_on {
            handed_on = number;
            // The system knows the number: this process was sent it.
            if let Some(signal) = Signal::from_named_raw(number as i32) {
                send(locals, signal);
            }
        }
        let mut ended: Vec<(usize, u32, ExitStatus)> = vec![];
        for local in locals.iter_mut().filter(|local| local.ended.is_none()) {
            if let Ok(Some(status)) = local.child.try_wait() {
                local.ended = Some(status);
                ended.push((local.rank, local.child.id(), status));
            }
        }
        // Of several that have ended since the last look, one that was killed is the reason for the others.
        ended.sort_by_key(|(rank, _, status)| (status.signal().is_none(), *rank));
        let bad = ended.into_iter().find(|(_, _, status)| !status.success());
        if let (None, Some((rank, pid, status))) = (first, bad) {
            first = Some((rank, pid, status, Instant::now()));
        }
        if locals.iter().all(|local| local.ended.is_some()) {
            break;
        }
        if let (Some((_, _, _, since)), Some((after, signal))) = (first, next.peek())
            && since.elapsed() >= *after
        {
            send(locals, *signal);
            next.next();
        }
        thread::sleep(LOOK);
    }
    let Some((rank, pid, status, _)) = first else {
        return ExitCode::SUCCESS;
    };
    let code = status.code().unwrap_or(1);
    // Stopped as asked: that is no failure of a rank. One that ends with 1 has said why, or one that knows why has.
    let is_stopped = handed_on > 0 && code == 128 + handed_on as i32;
    if !is_stopped && status.code() != Some(1) {
        say(&format!(
            "error: rank {rank} (process {pid}) {}",
            how(status)
        ));
    }
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// How a process ended, for a sentence.
fn how(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(number), _) => {
            let name = signal_hook::low_level::signal_name(number).unwrap_or("unknown");
            let memory = match number {
                signal_hook::consts::SIGKILL => {
                    ": somebody killed it, or the kernel did, as it does where memory runs out (`dmesg` says so)"
                }
                _ => "",
            };
            format!("died of signal {number} ({name}){memory}")
        }
        (None, Some(code)) => format!("ended with exit code {code}"),
        (None, None) => "ended".to_owned(),
    }
}

/// Sends a signal to those that have not ended.
fn send(locals: &[Local], signal: Signal) {
    for local in locals.iter().filter(|local| local.ended.is_none()) {
        // One that has ended meanwhile is not waited for yet, so its number belongs to no other process.
        if let Some(pid) = i32::try_from(local.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// The arguments of a rank: those of its starter, without the number of ranks.
fn without_ranks(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut kept = vec![];
    let mut is_number = false;
    for argument in arguments {
        let is_flag = argument == "--ranks";
        let is_both = argument.to_string_lossy().starts_with("--ranks=");
        if !is_flag && !is_both && !is_number {
            kept.push(argument);
        }
        is_number = is_flag;
    }
    kept
}

/// In a rank that was started here: once its starter is gone, it is asked to stop as by a signal; asked already, it ends.
pub fn stop_with_parent(signal: &Arc<AtomicUsize>, stop: impl Fn() + Send + 'static) {
    let signal = Arc::clone(signal);
    thread::spawn(move || {
        // Nothing is ever written; the end comes with the end of the other side.
        let mut nothing = [0];
        while std::io::stdin()
            .read(&mut nothing)
            .is_ok_and(|count| count > 0)
        {}
        let asked = signal.load(Ordering::Relaxed);
        if asked > 0 {
            std::process::exit(128 + asked as i32);
        }
        signal.store(signal_hook::consts::SIGTERM as usize, Ordering::Relaxed);
        stop();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_get_the_arguments_without_their_number() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for line in ["run --ranks 4 --plan p", "run --ranks=4 --plan p"] {
            let kept = without_ranks(words(line).into_iter());
            assert_eq!(kept, words("run --plan p"));
        }
    }

    #[test]
    fn the_way_a_process_ended_is_said() {
        assert!(how(ExitStatus::from_raw(9)).starts_with("died of signal 9 (SIGKILL)"));
        assert_eq!(how(ExitStatus::from_raw(11)), "died of signal 11 (SIGSEGV)");
        assert_eq!(how(ExitStatus::from_raw(3 << 8)), "ended with exit code 3");
    }
}
