//! The engine on its way: started, looked at, sent signals.

use super::{Lab, folders};
use records::folder::METRICS;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a step may be waited for.
const PATIENCE: Duration = Duration::from_secs(240);

/// A run on its way; what it prints to stderr goes into a file. Dropped, it is killed.
pub struct Running {
    pub child: Child,
    log: PathBuf,
}

impl Running {
    /// On the lab's plan, with these arguments beside it.
    pub fn start(lab: &Lab, runs: &str, arguments: &[&str]) -> Self {
        let mut command = lab.process(runs);
        command.args(arguments);
        Self::of(lab, command)
    }

    /// This command.
    pub fn of(lab: &Lab, mut command: Command) -> Self {
        let (log, path) = tempfile::NamedTempFile::new_in(lab.folder.path())
            .unwrap()
            .keep()
            .unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn();
        Self {
            child: child.unwrap(),
            log: path,
        }
    }

    /// Waits until trainings under way in `runs` have written more than these bytes of metrics.
    pub fn wait_for_a_step(&mut self, runs: &Path, before: u64) {
        self.wait_until(|_| written(runs) > before);
    }

    /// Waits until its log says this.
    pub fn wait_for(&mut self, said: &str) {
        self.wait_until(|running| running.log().contains(said));
    }

    /// Waits until this is so.
    pub fn wait_until(&mut self, is_so: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !is_so(self) {
            assert!(start.elapsed() < PATIENCE, "{}", self.log());
            assert!(!self.is_over(), "{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Its exit code, once it has ended.
    pub fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub fn send(&self, signal: &str) {
        send(signal, self.child.id());
    }

    /// The process of a rank that it has started.
    pub fn rank(&self, rank: usize) -> u32 {
        let parent = self.child.id();
        let children = format!("/proc/{parent}/task/{parent}/children");
        let children = std::fs::read_to_string(children).unwrap();
        let is_rank = |pid: &u32| {
            let variables = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
            let wanted = format!("RANK={rank}");
            variables
                .split(|byte| *byte == 0)
                .any(|of| of == wanted.as_bytes())
        };
        let mut children = children.split_whitespace().map(|pid| pid.parse().unwrap());
        children.find(is_rank).unwrap()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn send(signal: &str, pid: u32) {
    let sent = Command::new("kill")
        .args([signal, &pid.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Bytes of metrics that trainings under way have written in `runs`.
pub fn written(runs: &Path) -> u64 {
    let files = folders(runs)
        .into_iter()
        .map(|name| runs.join(name).join(METRICS));
    files
        .filter_map(|file| Some(std::fs::metadata(file).ok()?.len()))
        .sum()
}
