//! Attempts at a stage: begun, taken up from where a dead process left them, finished.

use crate::folder::{
    CHECKPOINT, Context, FEATURES, Finished, METRICS, PART, PLAN, RESULT, RUN, Runs, flush,
    hash_of, read_json, shared, write_json,
};
use crate::points::{self, points};
use crate::record::{FORMAT, Kind, Run, Status};
use crate::{Error, Result};
use compiler::plan::{Stage, StageId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

const ALIVE: &str = "alive.lock";

/// A stage under way. Dropping it leaves its folder where that has a resume point, and nothing elsewhere.
#[derive(Debug)]
pub struct Attempt {
    runs: Runs,
    path: PathBuf,
    // The names that the finished folder may get, the best first.
    names: [PathBuf; 3],
    run: Run,
    clock: Instant,
    // Locked for as long as this attempt lives; the system unlocks it when the process dies.
    _alive: File,
}

/// What a dead process left of a stage: it can be taken up.
#[derive(Clone, Debug)]
pub struct Left {
    /// Its folder.
    pub path: PathBuf,
    /// Its `run.json`.
    pub run: Run,
    /// Steps of the training that were done before its newest resume point.
    pub step: u64,
}

/// A folder of run folders that goes when it is dropped, or at the next start where its process has died.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _alive: File,
}

impl Scratch {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps it under this name, in the place of what has it.
    pub fn keep(self, target: &Path) -> Result<()> {
        if target.exists() {
            fs::remove_dir_all(target).map_err(Error::io("remove", target))?;
        }
        fs::rename(&self.path, target).map_err(Error::io("create", target))?;
        let alive = target.join(ALIVE);
        fs::remove_file(&alive).map_err(Error::io("remove", &alive))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Left {
    /// Bytes of the files in its folder.
    pub fn bytes(&self) -> u64 {
        let files = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let sizes = files.filter_map(|file| Some(file.metadata().ok()?.len()));
        sizes.sum()
    }
}

impl Runs {
    /// Starts `stage` in a folder of its own, with `plan.json` in it.
    pub fn begin(&self, stage: &Stage, context: &Context) -> Result<Attempt> {
        fs::create_dir_all(self.dir()).map_err(Error::io("create", self.dir()))?;
        // Held until the attempt's own lock is: a sweep in another process must not see the folder without it.
        let _lock = self.lock()?;
        self.begin_locked(stage, context)
    }

    /// A folder in this one for runs that nobody keeps: on the same disk, and seen by no report.
    pub fn scratch(&self) -> Result<Scratch> {
        let _lock = self.lock()?;
        let (folder, alive) = self.part("scratch")?;
        Ok(Scratch {
            path: folder.keep(),
            _alive: alive,
        })
    }

    /// A new folder of an attempt, with its lock. The folders are locked meanwhile.
    fn part(&self, name: &str) -> Result<(tempfile::TempDir, File)> {
        let folder = shared(0o777)
            .prefix(&format!("{PART}{name}-"))
            .tempdir_in(self.dir())
            .map_err(Error::io("create", self.dir()))?;
        let alive_path = folder.path().join(ALIVE);
        let alive = File::create(&alive_path).map_err(Error::io("create", &alive_path))?;
        alive.lock().map_err(Error::io("lock", &alive_path))?;
        Ok((folder, alive))
    }

    fn begin_locked(&self, stage: &Stage, context: &Context) -> Result<Attempt> {
        let (folder, alive) = self.part(&self.name(stage, 8))?;
        let run = begun(stage, context);
        write_json(&folder.path().join(RUN), &run)?;
        write_json(&folder.path().join(PLAN), stage)?;
        Ok(self.attempt(stage, folder.keep(), run, alive))
    }

    /// Goes on with what a dead process left of `stage`, made from data of this fingerprint; where there is nothing, starts it. Of
    /// several the one that came farthest is taken.
    pub fn take_up(&self, stage: &Stage, context: &Context, data: &str) -> Result<Attempt> {
        fs::create_dir_all(self.dir()).map_err(Error::io("create", self.dir()))?;
        let _lock = self.lock()?;
        let mut left = self.left()?;
        left.retain(|(left, _)| left.run.stage == stage.id && left.run.data == data);
        left.sort_by_key(|(left, _)| std::cmp::Reverse(left.step));
        let Some((left, alive)) = left.into_iter().next() else {
            return self.begin_locked(stage, context)?.made_of(data);
        };
        let run = Run {
            data: data.to_owned(),
            started: left.run.started,
            seconds: left.run.seconds,
            ..begun(stage, context)
        };
        let path = left.path;
        write_json(&path.join(RUN), &run)?;
        write_json(&path.join(PLAN), stage)?;
        Ok(self.attempt(stage, path, run, alive))
    }

    fn attempt(&self, stage: &Stage, path: PathBuf, run: Run, alive: File) -> Attempt {
        Attempt {
            runs: self.clone(),
            path,
            // Eight digits are for people; a longer name is only needed where another stage has taken the short one.
            names: [8, 16, 64].map(|digits| self.dir().join(self.name(stage, digits))),
            run,
            clock: Instant::now(),
            _alive: alive,
        }
    }

    /// What dead processes left that can be taken up, sorted by name.
    pub fn interrupted(&self) -> Result<Vec<Left>> {
        Ok(self.left()?.into_iter().map(|(left, _)| left).collect())
    }

    /// What dead processes left that can be taken up, each with its lock, sorted by name.
    fn left(&self) -> Result<Vec<(Left, File)>> {
        let mut found = vec![];
        for path in self.parts()? {
            let Some(alive) = lock_of_dead(&path) else {
                continue;
            };
            // What has no readable `run.json` died while it was made.
            let (Some(newest), Ok(run)) = (
                points(&path)?.into_iter().next(),
                read_json(&path.join(RUN)),
            ) else {
                continue;
            };
            let step = newest.step;
            found.push((Left { path, run, step }, alive));
        }
        Ok(found)
    }

    /// Removes what dead attempts have left that nothing can take up: those without a resume point, and those of stages that are
    /// finished by now. Of finished stages the resume points go.
    pub(crate) fn sweep(&self) -> Result<()> {
        let _lock = self.lock()?;
        let left = self.left()?;
        let is_left = |path: &Path| left.iter().find(|(left, _)| left.path == path);
        for path in self.parts()? {
            let is_needed = match is_left(&path) {
                Some((left, _)) => self
                    .find_made_of(&left.run.stage, &left.run.data)?
                    .is_none(),
                None => lock_of_dead(&path).is_none() && path.join(ALIVE).exists(),
            };
            if !is_needed {
                match fs::remove_dir_all(&path) {
                    // Its process may end in the same moment and remove it, too.
                    Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
                    done => done.map_err(Error::io("remove", &path))?,
                }
            }
        }
        // A process may have died between the renaming of a folder and this.
        for path in self.folders()? {
            if !is_named(&path, PART) && path.join(ALIVE).exists() {
                tidy(&path)?;
            }
        }
        Ok(())
    }

    /// The folders of attempts, sorted by name.
    fn parts(&self) -> Result<Vec<PathBuf>> {
        let mut parts = self.folders()?;
        parts.retain(|path| is_named(path, PART));
        Ok(parts)
    }
}

/// The lock of an attempt whose process is gone; `None` where it lives, or where there is no file to lock.
fn lock_of_dead(path: &Path) -> Option<File> {
    let file = File::options().write(true).open(path.join(ALIVE)).ok()?;
    file.try_lock().is_ok().then_some(file)
}

fn is_named(path: &Path, prefix: &str) -> bool {
    let name = path.file_name();
    name.is_some_and(|name| name.to_string_lossy().starts_with(prefix))
}

/// Takes from the folder of a finished stage what only an attempt needs. The lock goes last: where it lies there is more.
fn tidy(path: &Path) -> Result<()> {
    points::clear(path)?;
    let alive = path.join(ALIVE);
    fs::remove_file(&alive).map_err(Error::io("remove", &alive))
}

/// The hashes of the files of a run that other stages read.
fn sums(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let is_read = |name: &&str| name.starts_with("checkpoint") || *name == FEATURES;
        if let Some(name) = name.filter(is_read) {
            sums.insert(name.to_owned(), hash_of(&path)?);
        }
    }
    Ok(sums)
}

/// What a stage is at its beginning.
fn begun(stage: &Stage, context: &Context) -> Run {
    let started = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |t| t.as_secs());
    Run {
        format: FORMAT,
        stage: stage.id.clone(),
        kind: Kind::of(&stage.work),
        data: String::new(),
        label: stage.label.clone(),
        plan: context.plan.clone(),
        toy: context.toy,
        set: context.set.clone(),
        command: context.command.clone(),
        code: context.code.clone(),
        environment: context.environment.clone(),
        status: Status::Running,
        started,
        order: 0,
        sums: BTreeMap::new(),
        seconds: 0.0,
    }
}

impl Attempt {
    /// The folder in which the stage's files are written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The stage that is attempted.
    pub fn stage(&self) -> &StageId {
        &self.run.stage
    }

    /// Notes the fingerprint of the data that the stage is made from.
    pub fn made_of(mut self, data: &str) -> Result<Self> {
        data.clone_into(&mut self.run.data);
        write_json(&self.path.join(RUN), &self.run)?;
        Ok(self)
    }

    /// Writes `result.json`, marks the run complete and makes its folder visible.
    ///
    /// Where another process has finished the same stage meanwhile, its result stays and is returned.
    pub fn finish<T: Serialize>(mut self, result: &T) -> Result<Finished> {
        write_json(&self.path.join(RESULT), result)?;
        for file in [CHECKPOINT, FEATURES, METRICS] {
            flush(&self.path.join(file))?;
        }
        self.run.sums = sums(&self.path)?;
        let _lock = self.runs.lock()?;
        if let Some(first) = self.runs.find_made_of(&self.run.stage, &self.run.data)? {
            points::clear(&self.path)?;
            return Ok(first);
        }
        self.run.order = self.runs.last()? + 1;
        self.run.status = Status::Complete;
        self.run.seconds += self.clock.elapsed().as_secs_f64();
        write_json(&self.path.join(RUN), &self.run)?;
        let target = self.names.iter().find(|path| !path.exists()).cloned();
        let target = target.ok_or_else(|| Error::Content {
            path: self.runs.dir().to_owned(),
            message: format!(
                "a folder has the name of stage `{}` but is no finished run of it",
                self.run.label
            ),
            help: "move the folder away, then run the same command again".to_owned(),
        })?;
        fs::rename(&self.path, &target).map_err(Error::io("create", &target))?;
        flush(self.runs.dir())?;
        tidy(&target)?;
        Ok(Finished {
            path: target,
            run: self.run.clone(),
        })
    }
}

impl Drop for Attempt {
    /// What was not finished goes unless it can be taken up; after a rename there is nothing left to remove.
    fn drop(&mut self) {
        if !points(&self.path).is_ok_and(|points| !points.is_empty()) {
            let _ = fs::remove_dir_all(&self.path);
            return;
        }
        self.run.seconds += self.clock.elapsed().as_secs_f64();
        let _ = write_json(&self.path.join(RUN), &self.run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{context, id, result, stage};

    fn parts(runs: &Runs) -> usize {
        runs.parts().unwrap().len()
    }

    /// An attempt that has come to `step` and whose process has died.
    fn killed(runs: &Runs, stage: &Stage, data: &str, step: u64) -> PathBuf {
        let attempt = runs.take_up(stage, &context(), data).unwrap();
        points::keep(attempt.path(), step, b"state").unwrap();
        attempt.path().to_owned()
    }

    #[test]
    fn an_attempt_that_is_dropped_leaves_nothing_but_what_can_be_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let stage = stage(id(1, 1), "x");
        drop(runs.begin(&stage, &context()).unwrap());
        assert_eq!(parts(&runs), 0);
        let path = killed(&runs, &stage, "one", 7);
        let left = Runs::open(folder.path()).unwrap().interrupted().unwrap();
        assert_eq!((left.len(), left[0].step, &left[0].path), (1, 7, &path));
        assert!(runs.index().unwrap().is_empty());

        let again = runs.take_up(&stage, &context(), "one").unwrap();
        assert_eq!(again.path(), path);
        // It lives again, so that nobody else takes it up.
        let beside = runs.take_up(&stage, &context(), "one").unwrap();
        assert_ne!(beside.path(), path);
        assert!(runs.interrupted().unwrap().is_empty());
        let finished = again.finish(&result(&[1.0])).unwrap();
        assert!(finished.run.seconds >= left[0].run.seconds);
        let names = fs::read_dir(&finished.path).unwrap().count();
        assert_eq!(names, 3, "run.json, plan.json, result.json");
    }

    #[test]
    fn only_the_same_stage_on_the_same_data_is_taken_up_and_the_farthest_first() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let (stage, other) = (stage(id(1, 1), "x"), stage(id(1, 2), "y"));
        let first = runs.take_up(&stage, &context(), "one").unwrap();
        let far = killed(&runs, &stage, "one", 9);
        points::keep(first.path(), 3, b"state").unwrap();
        drop(first);
        for (stage, data) in [(&stage, "two"), (&other, "one")] {
            let fresh = runs.take_up(stage, &context(), data).unwrap();
            assert!(points::points(fresh.path()).unwrap().is_empty());
        }
        assert_eq!(parts(&runs), 2);
        let taken = runs.take_up(&stage, &context(), "one").unwrap();
        assert_eq!(taken.path(), far);
        // What another process has finished is needed no more.
        taken.finish(&result(&[1.0])).unwrap();
        assert_eq!(parts(&Runs::open(folder.path()).unwrap()), 0);
    }

    #[test]
    fn a_process_that_dies_at_the_end_leaves_a_finished_stage() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let stage = stage(id(1, 1), "x");
        let finished = runs.begin(&stage, &context()).unwrap();
        let finished = finished.finish(&result(&[1.0])).unwrap();
        points::keep(&finished.path, 9, b"state").unwrap();
        fs::write(finished.path.join(ALIVE), "").unwrap();
        Runs::open(folder.path()).unwrap();
        assert!(points::points(&finished.path).unwrap().is_empty());
        assert!(!finished.path.join(ALIVE).exists());
    }

    #[test]
    fn a_scratch_folder_lives_as_long_as_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let scratch = runs.scratch().unwrap();
        let inner = Runs::open(scratch.path()).unwrap();
        let attempt = inner.begin(&stage(id(1, 1), "x"), &context()).unwrap();
        attempt.finish(&result(&[1.0])).unwrap();
        assert!(
            Runs::open(folder.path())
                .unwrap()
                .index()
                .unwrap()
                .is_empty()
        );
        assert_eq!(inner.index().unwrap().len(), 1);
        drop(scratch);
        assert_eq!(parts(&runs), 0);
    }

    #[test]
    fn dead_attempts_are_removed_and_living_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let living = runs.begin(&stage(id(1, 1), "x"), &context()).unwrap();
        // What a killed process leaves: the folder with a lock file that nobody holds.
        let dead = folder.path().join(".part-score-x-22222222-aaaaaa");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(ALIVE), "").unwrap();
        fs::write(dead.join(RUN), "{ half").unwrap();
        let again = Runs::open(folder.path()).unwrap();
        assert!(!dead.exists());
        assert!(living.path().is_dir());
        assert!(again.index().unwrap().is_empty());
    }

    #[test]
    fn of_two_attempts_at_one_stage_the_first_to_finish_counts() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let slow = runs.begin(&stage(id(1, 1), "x"), &context()).unwrap();
        let fast = runs.begin(&stage(id(1, 1), "y"), &context()).unwrap();
        assert_ne!(slow.path(), fast.path());
        let first = fast.finish(&result(&[1.0])).unwrap();
        let second = slow.finish(&result(&[2.0])).unwrap();
        assert_eq!(first.path, second.path);
        assert_eq!(
            second.result::<crate::record::ScoreResult>().unwrap().value,
            1.0
        );
        assert_eq!(runs.folders().unwrap().len(), 1);
    }

    #[test]
    fn the_newer_run_is_the_one_that_finished_later_whatever_the_clock_says() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let stage = stage(id(1, 1), "x");
        for (data, value) in [("one", 1.0), ("two", 2.0)] {
            let attempt = runs.take_up(&stage, &context(), data).unwrap();
            let finished = attempt.finish(&result(&[value])).unwrap();
            // The clock is set back by a day after each.
            let mut run = finished.run;
            run.started -= 86_400 * run.order;
            write_json(&finished.path.join(RUN), &run).unwrap();
        }
        let newest = runs.find(&stage.id).unwrap().unwrap();
        assert_eq!((newest.run.data.as_str(), newest.run.order), ("two", 2));
    }

    #[test]
    fn a_run_knows_the_files_that_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let attempt = runs.begin(&stage(id(1, 1), "x"), &context()).unwrap();
        for name in [CHECKPOINT, "checkpoint-3.safetensors"] {
            fs::write(attempt.path().join(name), name).unwrap();
        }
        let finished = attempt.finish(&result(&[1.0])).unwrap();
        let wrote = |name: &str| finished.wrote(&finished.path.join(name)).unwrap();
        assert!(wrote(CHECKPOINT) && wrote("checkpoint-3.safetensors"));
        fs::write(finished.path.join(CHECKPOINT), "checkpoint of another").unwrap();
        assert!(!wrote(CHECKPOINT));
        // One that came later, from a repetition, has no hash.
        fs::write(finished.path.join("checkpoint-4.safetensors"), "later").unwrap();
        assert!(wrote("checkpoint-4.safetensors"));
    }
}
