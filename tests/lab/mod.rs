//! A place to run the built engine in: a plan, room for run folders, and what comes out.

#![allow(dead_code)] // each test file uses a part of this

pub mod running;

use assert_cmd::Command;
use compiler::Profile;
use compiler::hir::Schedule;
use compiler::plan::{Plan, Stage, Work};
use compiler::units::Exact;
use records::folder::{Finished, Runs, write_json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Networks as small as they can be with all parts of the real ones.
pub const TINY: &str = "
use paper
pretrain tiny = crisscross with {
  data = toy   bs = 4   es = 8   ep = 2
  v.f = r2plus1d(depth: 10, width: 4) - fc(16)-bn                v.h = fc(8)-bn-relu - fc(16)
  a.f = resnet(depth: 10, width: 4, channels: 1) - fc(16)-bn     a.h = fc(8)-bn-relu - fc(16)
}
";

pub const RENDERED: &str = "
data toy = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 1)
eval see  = linear8  with { clip = 8x112px @ 16fps   train = random(2)   test = uniform(2) }
eval hear = linear2s with { train = random(2)   test = uniform(2) }
table numbers {
  of     = tiny
  scores = [see on toy, hear on toy]
  row ep = 0
  row loss = intra + sync + async
}
";

/// The clips of this repository: two classes of videos to train on, four sounds in two folds to score on.
pub const FILES: &str = "
data toy    = videos(train: 4, classes: 2, requires: [v, a], short: skip)
data sounds = sounds(train: 4, classes: 2, splits: 2, short: pad)
eval hear = linear2s with { train = random(2)   test = uniform(2) }
table numbers {
  of     = tiny
  scores = [hear on sounds]
  row es = 4
}
";

/// The clips of this repository.
pub fn clips() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clips")
}

/// One of the two binaries in this folder, with a cache of its own there, so that nothing is left in that of the user.
pub fn program(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin(name));
    let cache = folder.join("cache");
    command
        .current_dir(folder)
        .env("XDG_CACHE_HOME", cache)
        // Tests run side by side, one for each core; for networks this narrow two threads are the slower anyway.
        .env("OMP_NUM_THREADS", "1");
    command
}

/// A plan in a folder of its own, and room for run folders beside it.
pub struct Lab {
    pub folder: TempDir,
    pub plan: Plan,
}

impl Lab {
    pub fn new(text: &str) -> Self {
        let mut sources = compiler::sources();
        let file = sources.add("tiny.cc".to_owned(), format!("{TINY}{text}"));
        let (program, found) = compiler::check(&mut sources, file, &|_, _| None, Profile::Full);
        let program = program.unwrap_or_else(|| panic!("{found:#?}"));
        let plan = compiler::plan::plan(&[("tiny.cc", &program)]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        write_json(&folder.path().join("plan.json"), &plan).unwrap();
        Self { folder, plan }
    }

    /// Its second row at a rate that no training survives. No file can ask for one, so the plan is made to.
    pub fn diverge(&mut self) {
        let Work::Pretrain(work) = &mut self.plan.stages[5].work else {
            panic!("the second row begins here")
        };
        for modality in &mut Arc::make_mut(&mut work.settings).modalities {
            modality.lr_b = Schedule::Constant(Exact::whole(10i128.pow(30)));
        }
        write_json(&self.path("plan.json"), &self.plan).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The engine on the plan, in the lab's folder, so that a site file there is found.
    pub fn engine(&self, runs: &str) -> Command {
        let mut command = program("crisscross-engine", self.folder.path());
        command.args(self.arguments(runs));
        command
    }

    /// The same as a process that can be waited for later, with signals as a terminal has them, whoever started the tests.
    pub fn process(&self, runs: &str) -> std::process::Command {
        self.process_by(&["env", "--default-signal=HUP"], runs)
    }

    /// The same as this command becomes it.
    pub fn process_by(&self, starter: &[&str], runs: &str) -> std::process::Command {
        let mut command = std::process::Command::new(starter[0]);
        command
            .args(&starter[1..])
            .arg(assert_cmd::cargo::cargo_bin!("crisscross-engine"))
            .args(self.arguments(runs))
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("OMP_NUM_THREADS", "1");
        command
    }

    pub fn arguments(&self, runs: &str) -> Vec<String> {
        let plan = self.path("plan.json").display().to_string();
        let runs = self.path(runs).display().to_string();
        ["run", "--device", "cpu", "--plan", &plan, "--runs", &runs]
            .map(str::to_owned)
            .to_vec()
    }

    /// A site file for `FILES`: this repository's videos, and the sounds below `sounds`.
    pub fn write_site(&self, sounds: &Path) {
        let site = format!(
            "[data.toy]\nroot = {:?}\n[data.sounds]\nroot = {sounds:?}\ncsv = \"sounds.csv\"\n",
            clips().join("videos")
        );
        std::fs::write(self.path("crisscross.toml"), site).unwrap();
    }

    /// Copies the repository's sounds into the folder `clips` and returns the lines of their CSV.
    pub fn copy_sounds(&self) -> String {
        let listing = std::fs::read_to_string(clips().join("sounds.csv")).unwrap();
        std::fs::create_dir_all(self.path("clips/sounds")).unwrap();
        for line in listing.lines().skip(1) {
            let file = line.split(',').next().unwrap();
            std::fs::copy(clips().join(file), self.path("clips").join(file)).unwrap();
        }
        listing
    }

    pub fn finished(&self, runs: &str, stage: &Stage) -> Option<Finished> {
        Runs::at(self.path(runs)).find(&stage.id).unwrap()
    }

    pub fn checkpoints(&self, runs: &str) -> Vec<Vec<u8>> {
        let trained = self
            .plan
            .stages
            .iter()
            .filter(|stage| matches!(stage.work, Work::Pretrain(_)));
        trained
            .map(|stage| std::fs::read(self.finished(runs, stage).unwrap().checkpoint()).unwrap())
            .collect()
    }
}

/// What a command that succeeds prints to stdout, and to stderr.
pub fn said(command: &mut Command) -> (String, String) {
    let output = command.assert().success().get_output().clone();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// What a command that fails with this code prints to stderr. It is no panic and no backtrace.
pub fn complaint(command: &mut Command, code: i32) -> String {
    let output = command.assert().code(code).get_output().clone();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        !text.contains("panicked") && !text.contains("backtrace") && !text.contains("a bug in"),
        "{text}"
    );
    text
}

/// The run folders that lie in `runs`, finished or not.
pub fn folders(runs: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(runs)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}
