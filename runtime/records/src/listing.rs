//! The runs of a folder at a glance: what each is, how far, how old, how large, and what came of it.

use crate::attempt::is_scratch;
use crate::folder::{PART, RESULT, RUN, Runs, read_json};
use crate::holder::{ALIVE, Holder, lock_of_dead, now};
use crate::index::Index;
use crate::points::points;
use crate::record::{DrawResult, ExtractResult, Kind, PretrainResult, Run, ScoreResult, Status};
use crate::{Result, spoken};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is finished.
    Complete,
    /// Finished, with weights that come from elsewhere.
    Imported,
    /// A process is at it.
    Running,
    /// Its process is gone; the same command goes on with it.
    Interrupted,
    /// Its process is gone, and nothing can be taken up: it goes when something is run here.
    Dead,
    /// A step that was not finite and is kept.
    Failed,
    /// `run.json` or, of what is finished, `result.json` cannot be read.
    Damaged,
}

impl State {
    /// All of them.
    pub const ALL: [State; 7] = [
        State::Complete,
        State::Imported,
        State::Running,
        State::Interrupted,
        State::Dead,
        State::Failed,
        State::Damaged,
    ];

    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            State::Complete => "complete",
            State::Imported => "imported",
            State::Running => "running",
            State::Interrupted => "interrupted",
            State::Dead => "dead",
            State::Failed => "failed",
            State::Damaged => "damaged",
        }
    }
}

/// A run folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// Its name.
    pub folder: String,
    /// How far it is.
    pub state: State,
    /// What kind of stage; `None` where that cannot be read.
    pub kind: Option<Kind>,
    /// For people.
    pub label: String,
    /// The stage; empty where that cannot be read.
    pub stage: String,
    /// Made with `--toy`.
    pub toy: bool,
    /// What the command line set above the files.
    pub set: Vec<String>,
    /// Seconds since 1970 at its start.
    pub started: u64,
    /// Seconds that it took; of one under way, so far.
    pub seconds: f64,
    /// The metric in percent, of a score.
    pub score: Option<f64>,
    /// The last loss, of a pretraining.
    pub loss: Option<f64>,
    /// Steps that can be gone on from, of an interrupted training.
    pub step: Option<u64>,
    /// Bytes of its files.
    pub bytes: u64,
    /// Why it cannot be read, or who is at it.
    pub note: Option<String>,
}

impl Listed {
    /// `84.2 %`, `loss -0.8123`, `step 1200`; empty where there is nothing yet.
    pub fn came_to(&self) -> String {
        match (self.score, self.loss, self.step) {
            (Some(score), _, _) => format!("{score:.1} %"),
            (None, Some(loss), _) => format!("loss {loss:.4}"),
            (None, None, Some(step)) => format!("step {step}"),
            (None, None, None) => String::new(),
        }
    }

    /// How long ago it began, `3 h`; by a clock that may have been wrong.
    pub fn age(&self) -> String {
        let seconds = now().saturating_sub(self.started) as f64;
        match (self.started, seconds) {
            (0, _) => String::new(),
            (_, seconds) if seconds >= 48.0 * 3600.0 => format!("{:.0} d", seconds / 86_400.0),
            (_, seconds) => spoken(seconds),
        }
    }
}

/// The runs in a folder, sorted by name: finished, under way, left by dead processes, and steps that were kept. Other folders, such as
/// `plans`, are none. Finished ones that have not changed come from what is remembered in the cache folder, if there is one.
///
/// # Errors
/// The folder cannot be read. A run that cannot be read is in the list and says so.
pub fn list(runs: &Runs, cache: Option<&Path>) -> Result<Vec<Listed>> {
    let folders = runs.folders()?;
    let mut index = cache.and_then(|cache| Index::open(cache, runs.dir()));
    let look = |path: &PathBuf| match &mut index {
        Some(index) => index.listed(path, || listed(runs, path)),
        None => listed(runs, path),
    };
    let found = folders.iter().filter_map(look).collect();
    if let Some(index) = index {
        index.save();
    }
    Ok(found)
}

/// The run in this folder; `None` where it is none.
pub fn listed(runs: &Runs, path: &Path) -> Option<Listed> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let is_part = name.starts_with(PART);
    if is_scratch(path) || (name.starts_with('.') && !is_part) {
        return None;
    }
    let run = match read_json::<Run>(&path.join(RUN)) {
        Ok(run) => run,
        Err(_) if !path.join(RUN).exists() => {
            return name.starts_with("failed-").then(|| kept(path, name));
        }
        Err(error) => {
            return Some(Listed {
                state: State::Damaged,
                note: Some(error.to_string()),
                bytes: bytes(path),
                ..empty(name)
            });
        }
    };
    let (state, step, note) = match (is_part, run.status) {
        (false, Status::Complete) => match run.imported {
            Some(_) => (State::Imported, None, None),
            None => (State::Complete, None, None),
        },
        (true, _) | (false, Status::Running) => attempt(runs, path),
    };
    let found = of_result(run.kind, &path.join(RESULT));
    let (state, note) = match &found {
        Err(error) if matches!(state, State::Complete | State::Imported) => {
            (State::Damaged, Some(error.to_string()))
        }
        Ok(_) | Err(_) => (state, note),
    };
    let (score, loss) = found.unwrap_or_default();
    Some(Listed {
        state,
        kind: Some(run.kind),
        label: run.label,
        stage: run.stage.0,
        toy: run.toy,
        set: run.set,
        started: run.started,
        seconds: run.seconds,
        score,
        loss,
        step,
        bytes: bytes(path),
        note,
        ..empty(name)
    })
}

fn empty(folder: String) -> Listed {
    Listed {
        folder,
        state: State::Complete,
        kind: None,
        label: String::new(),
        stage: String::new(),
        toy: false,
        set: vec![],
        started: 0,
        seconds: 0.0,
        score: None,
        loss: None,
        step: None,
        bytes: 0,
        note: None,
    }
}

/// The score and the loss of a result, as far as its kind has them.
fn of_result(kind: Kind, path: &Path) -> Result<(Option<f64>, Option<f64>)> {
    Ok(match kind {
        Kind::Score | Kind::Finetune => (Some(read_json::<ScoreResult>(path)?.value), None),
        Kind::Pretrain => (None, read_json::<PretrainResult>(path)?.loss),
        Kind::Extract => read_json::<ExtractResult>(path).map(|_| (None, None))?,
        Kind::Draw => read_json::<DrawResult>(path).map(|_| (None, None))?,
    })
}

/// How an attempt stands: its lock is held, or its process is gone.
fn attempt(runs: &Runs, path: &Path) -> (State, Option<u64>, Option<String>) {
    // Looking takes its lock for a moment, which nobody else may take for the holder's. Where nobody may write nobody runs.
    let _lock = runs.lock().ok();
    let is_dead = lock_of_dead(path).is_some() || !path.join(ALIVE).exists();
    if !is_dead {
        let holder = Holder::of(path).map(|holder| holder.who());
        return (State::Running, None, holder);
    }
    match points(path).unwrap_or_default().first() {
        Some(newest) => (State::Interrupted, Some(newest.step), None),
        None => (State::Dead, None, None),
    }
}

/// A kept step.
fn kept(path: &Path, name: String) -> Listed {
    let changed = fs::metadata(path).and_then(|of| of.modified()).ok();
    let since = changed.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    Listed {
        state: State::Failed,
        kind: Some(Kind::Pretrain),
        started: since.map_or(0, |time| time.as_secs()),
        bytes: bytes(path),
        note: Some("a step that was not finite: `crisscross replay` looks at it".to_owned()),
        ..empty(name)
    }
}

/// Bytes of the files in a folder.
fn bytes(path: &Path) -> u64 {
    let files = fs::read_dir(path).into_iter().flatten().flatten();
    files
        .filter_map(|file| Some(file.metadata().ok()?.len()))
        .sum()
}

/// `1.2 GB`, `310 kB`.
pub fn size(bytes: u64) -> String {
    match bytes as f64 {
        b if b >= 1e9 => format!("{:.1} GB", b / 1e9),
        b if b >= 1e6 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.0} kB", (b / 1e3).ceil()),
    }
}

/// Where a listed run lies.
pub fn path(runs: &Runs, listed: &Listed) -> PathBuf {
    runs.dir().join(&listed.folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{context, id, result, stage};

    #[test]
    fn runs_are_listed_as_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let done = stage(id(1, 1), "t:1 score");
        runs.begin(&done, &context())
            .unwrap()
            .finish(&result(&[50.0, 70.0]))
            .unwrap();
        let cut = runs
            .begin(&stage(id(1, 3), "t:3 score"), &context())
            .unwrap()
            .finish(&result(&[50.0]))
            .unwrap();
        fs::write(cut.path.join(RESULT), "{\"value\": 5").unwrap();
        let under_way = runs
            .begin(&stage(id(1, 2), "t:2 score"), &context())
            .unwrap();
        fs::create_dir(folder.path().join("plans")).unwrap();
        let failed = folder.path().join("failed-t-1-11111111-step7");
        fs::create_dir(&failed).unwrap();
        let broken = folder.path().join("score-broken");
        fs::create_dir(&broken).unwrap();
        fs::write(broken.join(RUN), "{").unwrap();
        let of = |found: &[Listed]| -> Vec<(String, State)> {
            found
                .iter()
                .map(|one| (one.label.clone(), one.state))
                .collect()
        };
        let found = list(&runs, None).unwrap();
        assert_eq!(
            of(&found),
            [
                ("t:2 score".to_owned(), State::Running),
                (String::new(), State::Failed),
                (String::new(), State::Damaged),
                ("t:1 score".to_owned(), State::Complete),
                ("t:3 score".to_owned(), State::Damaged),
            ]
        );
        assert_eq!(found[0].note.as_deref(), Some("another process"));
        assert_eq!(
            (found[3].score, found[3].came_to()),
            (Some(60.0), "60.0 %".to_owned())
        );
        assert!(found[3].bytes > 100);
        // Looking takes no lock from the one that lives.
        let path = under_way.path().to_owned();
        assert!(lock_of_dead(&path).is_none());
        std::mem::forget(under_way);
    }

    #[test]
    fn sizes_are_spoken() {
        assert_eq!(
            [0, 999, 1_500_000, 2_340_000_000].map(size),
            ["0 kB", "1 kB", "1.5 MB", "2.3 GB"]
        );
    }
}
