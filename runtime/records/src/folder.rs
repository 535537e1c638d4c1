//! Run folders: one for each stage, visible under its name only when it is complete.
//!
//! ```text
//! runs/
//!   pretrain-quickstart-2-7c1e09ab/   run.json plan.json metrics.jsonl checkpoint.safetensors result.json
//!                                     checkpoint-40.safetensors, where the state after 40 epochs was asked for
//!                                     events.out.tfevents.0001, the metrics again for TensorBoard
//!   extract-quickstart-2-see-91d00c12/  run.json plan.json features.safetensors result.json
//!   score-quickstart-2-see-4be1f07d/  run.json plan.json predictions.csv result.json
//!   .part-pretrain-...                an attempt under way
//! ```
//!
//! An attempt builds its files in a `.part-` folder beside the others and holds a lock on a file in it for as long as its
//! process lives. Finishing writes `run.json`, flushes, and renames the folder. A folder whose lock is free belongs to a dead
//! attempt: where it has resume points the next run of its stage takes it up, and where it has none it is removed at the next
//! start. Of two processes that want to make one stage, the second is told who is at it and waits. Where the locks of a file
//! system do not hold between machines both make it, each in a folder of its own, and whichever finishes second takes the result
//! of the first, so that halves of two attempts never mix.

use crate::attempt::is_scratch;
use crate::predictions::PREDICTIONS;
use crate::record::{Environment, Kind, Run, Status};
use crate::{Error, Result};
use compiler::hir::Drawing;
use compiler::plan::{Plan, Stage, StageId, Work};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// What a run is: written once it is known, replaced when it is complete.
pub const RUN: &str = "run.json";
/// The stage as the plan has it.
pub const PLAN: &str = "plan.json";
/// One line for each report of a training, append-only.
pub const METRICS: &str = "metrics.jsonl";
/// Weights of a pretraining.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// Weights of a pretraining after so many of its epochs.
pub fn checkpoint_after(epoch: u32) -> String {
    format!("checkpoint-{epoch}.safetensors")
}

/// The folder that keeps a step of the pretraining in the run folder `run` that was not finite, beside it:
/// `failed-quickstart-2-7c1e09ab-step7`. That of a try, whose folders go, lies beside the runs that it was for, as
/// `failed-try-...`.
pub fn failed_folder(run: &Path, stage: &Stage, step: u64) -> Option<PathBuf> {
    let beside = run.parent()?;
    let (runs, of) = match is_scratch(beside) {
        true => (beside.parent()?, "try-"),
        false => (beside, ""),
    };
    let runs = match runs.as_os_str().is_empty() {
        true => Path::new("."),
        false => runs,
    };
    let label = slug(&stage.label, Kind::of(&stage.work).name());
    let dash = if label.is_empty() { "" } else { "-" };
    let name = format!("failed-{of}{label}{dash}{}-step{step}", stage.id.short());
    Some(runs.join(name))
}

/// Features of an extraction.
pub const FEATURES: &str = "features.safetensors";
/// The outcome: `ScoreResult`, `PretrainResult` or `ExtractResult`.
pub const RESULT: &str = "result.json";

/// What the name of an attempt's folder begins with.
pub(crate) const PART: &str = ".part-";
const LOCK: &str = ".lock";

pub use crate::attempt::{Attempt, Claim, Left, Scratch};
pub use crate::holder::Holder;

/// The folder that holds all run folders.
#[derive(Clone, Debug)]
pub struct Runs {
    dir: PathBuf,
}

/// What all stages of one run have in common.
#[derive(Clone, Debug)]
pub struct Context {
    /// Content hash of the plan, from [`plan_hash`].
    pub plan: String,
    /// The plan was made with `--toy`.
    pub toy: bool,
    /// What the command line set above the files of the plan.
    pub set: Vec<String>,
    /// What was typed.
    pub command: Option<String>,
    /// The version of crisscross.
    pub code: String,
    /// Where it runs.
    pub environment: Environment,
}

/// A finished stage.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its folder.
    pub path: PathBuf,
    /// Its `run.json`.
    pub run: Run,
}

impl Runs {
    /// The run folders in `dir`, for reading; a folder that is not there holds none.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The run folders in `dir`, for running: makes the folder and removes what dead attempts have left.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self> {
        let runs = Self::at(dir);
        fs::create_dir_all(&runs.dir).map_err(Error::io("create", &runs.dir))?;
        runs.sweep()?;
        Ok(runs)
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The finished stage with this hash, whatever its folder is called; the newest, where it was made from several versions
    /// of its data.
    pub fn find(&self, id: &StageId) -> Result<Option<Finished>> {
        Ok(self.index()?.remove(id))
    }

    /// The finished stage with this hash that was made from data of this fingerprint.
    pub fn find_made_of(&self, id: &StageId, data: &str) -> Result<Option<Finished>> {
        let mut all = self.finished()?.into_iter();
        Ok(all.find(|f| f.run.stage == *id && f.run.data == data))
    }

    /// All finished stages. Of several folders of one stage the newest counts, of equally old ones the first by name.
    pub fn index(&self) -> Result<BTreeMap<StageId, Finished>> {
        let mut found: BTreeMap<StageId, Finished> = BTreeMap::new();
        for finished in self.finished()? {
            let known = found.get(&finished.run.stage);
            if known.is_none_or(|known| known.run.age() < finished.run.age()) {
                found.insert(finished.run.stage.clone(), finished);
            }
        }
        Ok(found)
    }

    /// The finished pretrainings whose weights were imported: they stand in the place of a training, whatever data are here. Of
    /// several of one stage the newest counts.
    pub fn imported(&self) -> Result<BTreeMap<StageId, Finished>> {
        let mut found = self.index()?;
        found.retain(|_, finished| finished.run.imported.is_some());
        Ok(found)
    }

    /// The place of the run that finished last; 0 where there is none.
    pub(crate) fn last(&self) -> Result<u64> {
        let all = self.finished()?.into_iter().map(|f| f.run.order);
        Ok(all.max().unwrap_or(0))
    }

    /// The stages that are finished several times, for several versions of their data.
    pub fn repeated(&self) -> Result<BTreeSet<StageId>> {
        let mut seen = BTreeSet::new();
        let all = self.finished()?.into_iter().map(|f| f.run.stage);
        Ok(all.filter(|id| !seen.insert(id.clone())).collect())
    }

    /// The folders of finished stages, sorted by name.
    fn finished(&self) -> Result<Vec<Finished>> {
        let mut found = vec![];
        for path in self.folders()? {
            let is_part = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if is_part || !path.join(RUN).is_file() {
                continue;
            }
            let run: Run = read_json(&path.join(RUN))?;
            if run.status == Status::Complete {
                found.push(Finished { path, run });
            }
        }
        Ok(found)
    }

    /// `pretrain-quickstart-2-7c1e09ab`.
    pub(crate) fn name(&self, stage: &Stage, digits: usize) -> String {
        let kind = Kind::of(&stage.work).name();
        let label = slug(&stage.label, kind);
        let dash = if label.is_empty() { "" } else { "-" };
        let hash: String = stage.id.0.chars().take(digits).collect();
        format!("{kind}-{label}{dash}{hash}")
    }

    /// All folders, sorted by name.
    pub(crate) fn folders(&self) -> Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
            Err(cause) => return Err(Error::io("read", &self.dir)(cause)),
        };
        let mut folders = vec![];
        for entry in entries {
            let path = entry.map_err(Error::io("read", &self.dir))?.path();
            if path.is_dir() {
                folders.push(path);
            }
        }
        folders.sort();
        Ok(folders)
    }

    /// Waits until no other process starts, finishes or sweeps attempts here; held until it is dropped.
    pub(crate) fn lock(&self) -> Result<File> {
        let path = self.dir.join(LOCK);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let file = file.map_err(Error::io("create", &path))?;
        file.lock().map_err(Error::io("lock", &path))?;
        Ok(file)
    }
}

impl Finished {
    /// What its folder is called.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Its `result.json` as the type of its kind.
    pub fn result<T: DeserializeOwned>(&self) -> Result<T> {
        let path = self.path.join(RESULT);
        if !path.exists() {
            return Err(Error::Content {
                message: "missing, and its run is finished".to_owned(),
                help: format!(
                    "remove the folder `{}` and run the same command again: the stage is then made anew",
                    self.path.display()
                ),
                path,
            });
        }
        read_json(&path)
    }

    /// The file that a stage of this work reads of the run, if it is gone. A state on the way is no such file: it is made again.
    pub fn lost(&self, work: &Work) -> Option<PathBuf> {
        let read = match work {
            Work::Extract(work) if work.checkpoint.is_none() => self.checkpoint(),
            Work::Score(_) => self.features(),
            Work::Draw(work) if matches!(work.drawing, Drawing::Gallery(_)) => self.features(),
            Work::Draw(work) if work.checkpoint.is_none() => self.checkpoint(),
            Work::Pretrain(_) | Work::Extract(_) | Work::Finetune(_) | Work::Draw(_) => {
                return None;
            }
        };
        Some(read).filter(|path| !path.exists())
    }

    /// Where its weights are.
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join(CHECKPOINT)
    }

    /// Where its weights after this epoch are, or at its end.
    pub fn state(&self, checkpoint: Option<u32>) -> PathBuf {
        match checkpoint {
            Some(epoch) => self.path.join(checkpoint_after(epoch)),
            None => self.checkpoint(),
        }
    }

    /// Of the epochs that `work` keeps, those whose state this run did not keep: it was made before they were asked for.
    pub fn lacks(&self, work: &Work) -> Vec<u32> {
        let Work::Pretrain(work) = work else {
            return vec![];
        };
        let kept = work.keep.iter().copied();
        kept.filter(|epoch| !self.state(Some(*epoch)).is_file())
            .collect()
    }

    /// Whether this file of the run is the one that it wrote, bit for bit. A file whose hash was not noted, as by older versions,
    /// is taken as it is.
    pub fn wrote(&self, path: &Path) -> Result<bool> {
        let name = path.file_name().and_then(|name| name.to_str());
        match name.and_then(|name| self.run.sums.get(name)) {
            Some(sum) => Ok(*sum == hash_of(path)?),
            None => Ok(true),
        }
    }

    /// Where its features are.
    pub fn features(&self) -> PathBuf {
        self.path.join(FEATURES)
    }

    /// What a score came to for each test sample.
    pub fn predictions(&self) -> PathBuf {
        self.path.join(PREDICTIONS)
    }
}

/// The content hash of a plan: 64 hexadecimal digits of blake3 over its stages' ids, its tables, and what the command line set.
pub fn plan_hash(plan: &Plan) -> String {
    let ids: Vec<&StageId> = plan.stages.iter().map(|stage| &stage.id).collect();
    let mut text = serde_json::to_string(&(plan.format, plan.toy, ids, &plan.tables))
        .expect("plans are plain data");
    for field in &plan.set {
        text += &format!("\n{field}");
    }
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// A hash of all that a plan says, what passes have made of its steps included: 64 hexadecimal digits of blake3.
pub fn content_hash(plan: &Plan) -> String {
    let text = serde_json::to_vec(plan).expect("plans are plain data");
    blake3::hash(&text).to_hex().to_string()
}

/// Lower-case letters and digits of `label` joined by dashes, at most 40, without the stage's kind at its end.
fn slug(label: &str, kind: &str) -> String {
    let words: String = label
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                ' '
            }
        })
        .collect();
    let joined = words
        .split_whitespace()
        .filter(|word| *word != kind)
        .collect::<Vec<_>>()
        .join("-");
    joined
        .chars()
        .take(40)
        .collect::<String>()
        .trim_end_matches('-')
        .to_owned()
}

/// Replaces `path` by `value` as JSON: at no moment is there half a file.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| unwritable(path, &e))?;
    text.push('\n');
    write_whole(path, text.as_bytes())
}

/// Replaces `path` by these bytes, on the disk when this returns: at no moment is there half a file. Others may read it as the
/// user's `umask` allows.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, None)
}

/// Replaces the text of a file of the user's as [`write_whole`] does. It keeps its permissions; where `path` is a link, the file
/// behind it changes. A file that its owner may not write stays as it is.
pub fn rewrite(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |cause: std::io::Error| Error::Content {
        path: path.to_owned(),
        message: format!("it cannot be written: {}", cause.kind()),
        help:
            "allow this user to write it, and make sure that the disk is not full; it is as it was"
                .to_owned(),
    };
    let target = fs::canonicalize(path).map_err(failed)?;
    let permissions = fs::metadata(&target).map_err(failed)?.permissions();
    if permissions.readonly() {
        return Err(failed(std::io::ErrorKind::PermissionDenied.into()));
    }
    replace(&target, bytes, Some(permissions)).map_err(|error| match error {
        Error::Io { cause, .. } => failed(cause),
        other @ (Error::Content { .. } | Error::Picture { .. }) => other,
    })
}

/// Replaces `path` by what `write` writes to the place that it is given, as [`write_whole`] does; it is not read back. `write` tells by its
/// error what went wrong.
pub fn write_through<E: From<Error>>(
    path: &Path,
    write: impl FnOnce(&Path) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let folder = folder_of(path);
    let failed = |cause: std::io::Error| Error::io("write", path)(cause.kind().into());
    let part = shared(0o666).tempfile_in(folder).map_err(failed)?;
    let permissions = part.as_file().metadata().map_err(failed)?.permissions();
    write(part.path())?;
    // `write` may have put another file there.
    let written = File::open(part.path()).map_err(failed)?;
    written.set_permissions(permissions).map_err(failed)?;
    written.sync_all().map_err(failed)?;
    part.persist(path).map_err(|e| failed(e.error))?;
    Ok(flush(folder)?)
}

/// The folder that a file lies in, or will.
pub fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn replace(path: &Path, bytes: &[u8], permissions: Option<fs::Permissions>) -> Result<()> {
    let folder = folder_of(path);
    // The part has a name that nobody has seen: messages name the file that was to be written.
    let failed = |cause: std::io::Error| Error::io("write", path)(cause.kind().into());
    let mut part = shared(0o666).tempfile_in(folder).map_err(failed)?;
    part.write_all(bytes).map_err(failed)?;
    if let Some(permissions) = permissions {
        part.as_file()
            .set_permissions(permissions)
            .map_err(failed)?;
    }
    part.as_file().sync_all().map_err(failed)?;
    let is_whole = part.reopen().and_then(|file| holds(file, bytes));
    if !is_whole.map_err(failed)? {
        return Err(failed(std::io::ErrorKind::InvalidData.into()));
    }
    part.persist(path).map_err(|e| failed(e.error))?;
    flush(folder)
}

/// Whether the file holds these bytes: some disks say that they have written what they have not.
fn holds(mut file: File, bytes: &[u8]) -> std::io::Result<bool> {
    let mut read = vec![0; PIECE];
    for piece in bytes.chunks(PIECE) {
        let read = &mut read[..piece.len()];
        match file.read_exact(read) {
            Ok(()) if read == piece => {}
            Ok(()) => return Ok(false),
            Err(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(cause) => return Err(cause),
        }
    }
    Ok(file.read(&mut read[..1])? == 0)
}

/// Bytes that are read back at once.
const PIECE: usize = 1 << 20;

/// The BLAKE3 hash of a file, 64 hexadecimal digits.
pub(crate) fn hash_of(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut file, &mut hasher).map_err(Error::io("read", path))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Makes temporary files and folders with these permissions less the user's `umask`, not for the user alone.
pub(crate) fn shared(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

/// Reads a JSON file that this crate has written.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
    serde_json::from_str(&text).map_err(|e| Error::Content {
        path: path.to_owned(),
        message: format!("not readable by this version of crisscross: {e}"),
        help: format!(
            "remove `{}`; the stage is then run again",
            path.parent().unwrap_or(path).display()
        ),
    })
}

/// Asks the system to bring a file to the disk, if it is there.
pub(crate) fn flush(path: &Path) -> Result<()> {
    match File::open(path) {
        Ok(file) => file.sync_all().map_err(Error::io("write", path)),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(Error::io("read", path)(cause)),
    }
}

fn unwritable(path: &Path, cause: &serde_json::Error) -> Error {
    Error::Content {
        path: path.to_owned(),
        message: format!("cannot be written: {cause}"),
        help: "this is a mistake in crisscross; please report it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{context, id, result, stage};

    fn names(runs: &Runs) -> Vec<String> {
        let folders = runs.folders().unwrap();
        folders
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn a_stage_is_visible_only_when_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let stage = stage(id(1, 2), "table1:3 score linear8 on UCF101");
        let attempt = runs.begin(&stage, &context()).unwrap();
        assert!(attempt.path().join(PLAN).is_file());
        assert!(runs.find(&stage.id).unwrap().is_none());
        let finished = attempt.finish(&result(&[50.0])).unwrap();
        assert_eq!(names(&runs), ["score-table1-3-linear8-on-ucf101-12121212"]);
        let found = runs.find(&stage.id).unwrap().unwrap();
        assert_eq!(found.path, finished.path);
        assert_eq!(
            (found.run.status, found.run.label.clone()),
            (Status::Complete, stage.label.clone())
        );
        assert_eq!(
            found.result::<crate::record::ScoreResult>().unwrap(),
            result(&[50.0])
        );
        assert!(!found.path.join("alive.lock").exists());
        let kept: Stage = read_json(&found.path.join(PLAN)).unwrap();
        assert_eq!(kept, stage);
    }

    #[test]
    fn a_stage_is_found_by_its_whole_hash_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let first = stage(id(1, 2), "t:1 score");
        // The same first digits and label, another hash.
        let other = stage(
            StageId(format!("{}{}", &first.id.0[..8], "f".repeat(56))),
            "t:1 score",
        );
        runs.begin(&first, &context())
            .unwrap()
            .finish(&result(&[1.0]))
            .unwrap();
        assert!(runs.find(&other.id).unwrap().is_none());
        runs.begin(&other, &context())
            .unwrap()
            .finish(&result(&[2.0]))
            .unwrap();
        assert_eq!(
            names(&runs),
            ["score-t-1-12121212", "score-t-1-12121212ffffffff"]
        );
        fs::rename(
            folder.path().join("score-t-1-12121212"),
            folder.path().join("mine"),
        )
        .unwrap();
        assert_eq!(
            runs.find(&first.id).unwrap().unwrap().path,
            folder.path().join("mine")
        );
    }

    #[test]
    fn a_damaged_run_is_named_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let finished = runs
            .begin(&stage(id(1, 1), "x"), &context())
            .unwrap()
            .finish(&result(&[1.0]))
            .unwrap();
        fs::write(finished.path.join(RUN), "").unwrap();
        let error = runs.index().unwrap_err();
        assert!(error.to_string().contains("run.json"), "{error}");
        assert!(error.help().starts_with("remove `"), "{}", error.help());
    }

    #[test]
    fn a_failed_step_lies_where_nothing_removes_it() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let stage = stage(id(1, 1), "t:1 score");
        let place = |run: &Path| failed_folder(run, &stage, 7).unwrap();
        assert_eq!(
            place(&folder.path().join(".part-score-x")),
            folder.path().join("failed-t-1-11111111-step7")
        );
        let scratch = runs.scratch().unwrap();
        assert_eq!(
            place(&scratch.path().join(".part-score-x")),
            folder.path().join("failed-try-t-1-11111111-step7")
        );
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Runs::open(file.join("runs")).unwrap_err();
        assert!(error.to_string().starts_with("cannot create"), "{error}");
    }

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let error = write_whole(&folder.path().join("no/such/a.png"), b"x").unwrap_err();
        assert!(error.to_string().contains("no/such/a.png"), "{error}");
        let help = error.help();
        assert!(
            help.starts_with("check that `") && help.ends_with("no/such` exists"),
            "{help}"
        );
        let error = write_whole(folder.path(), b"x").unwrap_err();
        assert!(error.to_string().starts_with("cannot write"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
