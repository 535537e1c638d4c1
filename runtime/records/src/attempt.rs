//! Attempts at a stage: begun, taken up from where a dead process left them, finished.

use crate::folder::{
    CHECKPOINT, Context, FEATURES, Finished, METRICS, PART, PLAN, RESULT, RUN, Runs, flush,
    hash_of, read_json, shared, write_json,
};
use crate::holder::{ALIVE, Holder, lock_of_dead, now};
use crate::points::{self, points};
use crate::record::{FORMAT, Imported, Kind, Later, Run, Status};
use crate::{Error, Result};
use compiler::plan::{Stage, StageId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

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

/// What the folder of a [`Scratch`] is called behind the beginning that all of them have.
const SCRATCH: &str = "scratch";

/// What a process finds that wants to make a stage. Of all processes that look one at most gets the attempt.
#[derive(Debug)]
pub enum Claim {
    /// It is finished: another process was faster.
    Made(Box<Finished>),
    /// Nobody else is at it.
    Own(Box<Attempt>),
    /// A process that lives is at it.
    Held(Holder),
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
    /// Makes `stage` from data of this fingerprint this process's own to make: what a dead process left of it is taken up, of several
    /// the one that is farthest. Nothing is begun where it is finished, or where a living process is at it.
    pub fn claim(&self, stage: &Stage, context: &Context, data: &str) -> Result<Claim> {
        fs::create_dir_all(self.dir()).map_err(Error::io("create", self.dir()))?;
        let _lock = self.lock()?;
        match self.find_made_of(&stage.id, data)? {
            Some(finished) => Ok(Claim::Made(Box::new(finished))),
            None => self.claim_locked(stage, context, begun(stage, context, data)),
        }
    }

    /// The same for repeating a finished run: its outcome is no attempt's to make, but files can be given to it with [`Attempt::give`].
    pub fn claim_again(
        &self,
        stage: &Stage,
        context: &Context,
        finished: &Finished,
    ) -> Result<Claim> {
        let _lock = self.lock()?;
        let run = Run {
            again: true,
            ..begun(stage, context, &finished.run.data)
        };
        self.claim_locked(stage, context, run)
    }

    /// The folders are locked meanwhile: a sweep in another process must not see one of an attempt before its own lock is held.
    fn claim_locked(&self, stage: &Stage, context: &Context, run: Run) -> Result<Claim> {
        let mut farthest: Option<(Left, File)> = None;
        for path in self.parts()? {
            // What has no readable `run.json` died while it was made.
            let Ok(found) = read_json::<Run>(&path.join(RUN)) else {
                continue;
            };
            if !found.is_of_the_same(&run) {
                continue;
            }
            let Some(alive) = lock_of_dead(&path) else {
                match Holder::of(&path) {
                    Some(holder) => return Ok(Claim::Held(holder)),
                    None => continue,
                }
            };
            if let Some(left) = left_in(&path, found)?
                && farthest
                    .as_ref()
                    .is_none_or(|(other, _)| other.step < left.step)
            {
                farthest = Some((left, alive));
            }
        }
        let (folder, run, alive) = match farthest {
            Some((left, alive)) => {
                let run = run.after(&left.run);
                (left.path, run, alive)
            }
            None => {
                let (folder, alive) = self.part(&self.name(stage, 8))?;
                (folder.keep(), run, alive)
            }
        };
        Holder::sign(&folder, &alive, &context.environment.host)?;
        write_json(&folder.join(RUN), &run)?;
        write_json(&folder.join(PLAN), stage)?;
        Ok(Claim::Own(Box::new(
            self.attempt(stage, folder, run, alive),
        )))
    }

    /// An attempt at `stage`, whoever else is at it.
    #[cfg(test)]
    pub(crate) fn begin(&self, stage: &Stage, context: &Context) -> Result<Attempt> {
        fs::create_dir_all(self.dir()).map_err(Error::io("create", self.dir()))?;
        let _lock = self.lock()?;
        let (folder, alive) = self.part(&self.name(stage, 8))?;
        let run = begun(stage, context, "");
        write_json(&folder.path().join(RUN), &run)?;
        write_json(&folder.path().join(PLAN), stage)?;
        Ok(self.attempt(stage, folder.keep(), run, alive))
    }

    /// A folder in this one for runs that nobody keeps: on the same disk, and seen by no report.
    pub fn scratch(&self) -> Result<Scratch> {
        let _lock = self.lock()?;
        let (folder, alive) = self.part(SCRATCH)?;
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

    /// The attempts at stages, of living processes and dead ones, with what each is, sorted by name; nothing is locked. Repetitions of
    /// finished runs are none of them, nor is what has no readable `run.json` yet.
    pub fn attempts(&self) -> Result<Vec<(PathBuf, Run)>> {
        let parts = self.parts()?.into_iter();
        let read = parts.filter_map(|path| Some((read_json::<Run>(&path.join(RUN)).ok()?, path)));
        let own = read.filter(|(run, _)| !run.again);
        Ok(own.map(|(run, path)| (path, run)).collect())
    }

    /// What dead processes left that can be taken up, each with its lock, sorted by name.
    fn left(&self) -> Result<Vec<(Left, File)>> {
        let mut found = vec![];
        for path in self.parts()? {
            // What has no readable `run.json` died while it was made.
            let (Some(alive), Ok(run)) = (lock_of_dead(&path), read_json(&path.join(RUN))) else {
                continue;
            };
            found.extend(left_in(&path, run)?.map(|left| (left, alive)));
        }
        Ok(found)
    }

    /// Removes what dead attempts have left that nothing can take up: those without a resume point, those of stages that are
    /// finished by now, and repetitions of runs that are gone. Of finished stages the resume points go.
    pub(crate) fn sweep(&self) -> Result<()> {
        let _lock = self.lock()?;
        let left = self.left()?;
        let is_left = |path: &Path| left.iter().find(|(left, _)| left.path == path);
        for path in self.parts()? {
            let is_needed = match is_left(&path) {
                Some((left, _)) => {
                    let finished = self.find_made_of(&left.run.stage, &left.run.data)?;
                    finished.is_some() == left.run.again
                }
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

/// What lies in the folder of an attempt whose process is gone, if it can be taken up.
fn left_in(path: &Path, run: Run) -> Result<Option<Left>> {
    let newest = points(path)?.into_iter().next();
    Ok(newest.map(|newest| Left {
        path: path.to_owned(),
        run,
        step: newest.step,
    }))
}

/// Whether this is the folder of a [`Scratch`].
pub(crate) fn is_scratch(path: &Path) -> bool {
    is_named(path, &format!("{PART}{SCRATCH}-"))
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
fn begun(stage: &Stage, context: &Context, data: &str) -> Run {
    Run {
        format: FORMAT,
        stage: stage.id.clone(),
        kind: Kind::of(&stage.work),
        data: data.to_owned(),
        label: stage.label.clone(),
        plan: context.plan.clone(),
        toy: context.toy,
        set: context.set.clone(),
        command: context.command.clone(),
        code: context.code.clone(),
        environment: context.environment.clone().of(&stage.work),
        before: vec![],
        later: BTreeMap::new(),
        again: false,
        imported: None,
        status: Status::Running,
        started: now(),
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

    /// Gives these files of this attempt to the run that it repeats, with their hashes, where they were made, and how far its losses were
    /// `apart` from those of the run.
    pub fn give(
        &self,
        finished: &Finished,
        names: &[String],
        apart: Option<f64>,
    ) -> Result<Finished> {
        let _lock = self.runs.lock()?;
        let mut run: Run = read_json(&finished.path.join(RUN))?;
        for name in names {
            run.sums
                .insert(name.clone(), hash_of(&self.path.join(name))?);
            let later = Later {
                maker: self.run.maker(),
                apart,
            };
            run.later.insert(name.clone(), later);
        }
        // A hash without its file is that of one that is missing; a file without its hash would be taken as it is.
        write_json(&finished.path.join(RUN), &run)?;
        for name in names {
            let target = finished.path.join(name);
            fs::rename(self.path.join(name), &target).map_err(Error::io("write", &target))?;
        }
        flush(&finished.path)?;
        Ok(Finished {
            path: finished.path.clone(),
            run,
        })
    }

    /// The same attempt, whose weights are not trained but come from elsewhere.
    pub fn from_elsewhere(mut self, imported: Imported) -> Self {
        self.run.imported = Some(imported);
        self
    }

    /// Its `run.json`.
    pub fn run(&self) -> &Run {
        &self.run
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

    /// The attempt of a process that finds nobody at it.
    fn own(runs: &Runs, stage: &Stage, data: &str) -> Attempt {
        match runs.claim(stage, &context(), data).unwrap() {
            Claim::Own(attempt) => *attempt,
            other @ (Claim::Made(_) | Claim::Held(_)) => panic!("{other:?}"),
        }
    }

    /// An attempt that has come to `step` and whose process has died.
    fn killed(runs: &Runs, stage: &Stage, data: &str, step: u64) -> PathBuf {
        let attempt = own(runs, stage, data);
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

        let again = own(&runs, &stage, "one");
        assert_eq!(again.path(), path);
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
        let mut first = runs.begin(&stage, &context()).unwrap();
        first.run.data = "one".to_owned();
        points::keep(first.path(), 3, b"state").unwrap();
        drop(first);
        let far = killed(&runs, &stage, "one", 9);
        // What has come to step 3 was taken up there, so another that has not come as far lies beside it now.
        let near = folder.path().join(".part-score-x-0-near");
        fs::create_dir(&near).unwrap();
        for file in [RUN, PLAN, ALIVE] {
            fs::copy(far.join(file), near.join(file)).unwrap();
        }
        points::keep(&near, 4, b"state").unwrap();
        for (stage, data) in [(&stage, "two"), (&other, "one")] {
            let fresh = own(&runs, stage, data);
            assert!(points::points(fresh.path()).unwrap().is_empty());
        }
        assert_eq!(parts(&runs), 2);
        let taken = own(&runs, &stage, "one");
        assert_eq!(taken.path(), far);
        // What another process has finished is needed no more.
        taken.finish(&result(&[1.0])).unwrap();
        assert_eq!(parts(&Runs::open(folder.path()).unwrap()), 0);
    }

    #[test]
    fn a_stage_that_another_process_is_at_is_not_begun_and_who_it_is_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let stage = stage(id(1, 1), "x");
        let first = own(&runs, &stage, "one");
        let Claim::Held(holder) = runs.claim(&stage, &context(), "one").unwrap() else {
            panic!("two processes are at it")
        };
        assert_eq!(holder.folder, first.path());
        let said = format!("process {} on ", std::process::id());
        assert!(holder.to_string().starts_with(&said), "{holder}");
        assert!(holder.to_string().contains(", for 0 s, in `"), "{holder}");
        assert!(holder.is_alive(&runs).unwrap());
        // Made from other files it is another.
        drop(own(&runs, &stage, "two"));

        // Once its process has gone, the next one takes up what it left, and signs.
        points::keep(first.path(), 3, b"state").unwrap();
        drop(first);
        assert!(!holder.is_alive(&runs).unwrap());
        let second = own(&runs, &stage, "one");
        assert_eq!(second.path(), holder.folder);
        assert!(holder.is_alive(&runs).unwrap());
        let finished = second.finish(&result(&[1.0])).unwrap();
        assert!(!holder.is_alive(&runs).unwrap());
        let Claim::Made(found) = runs.claim(&stage, &context(), "one").unwrap() else {
            panic!("it is finished")
        };
        assert_eq!(found.path, finished.path);

        // Older versions say nothing about themselves.
        let third = own(&runs, &stage, "three");
        fs::write(third.path().join(ALIVE), "").unwrap();
        let Claim::Held(holder) = runs.claim(&stage, &context(), "three").unwrap() else {
            panic!("two processes are at it")
        };
        assert!(
            holder.to_string().starts_with("another process, in `"),
            "{holder}"
        );
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
            let attempt = own(&runs, &stage, data);
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
    fn a_repetition_goes_on_and_gives_its_files_to_the_run_that_it_repeats() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let stage = stage(id(1, 1), "x");
        let finished = own(&runs, &stage, "one").finish(&result(&[1.0])).unwrap();
        let again = |context: &Context| runs.claim_again(&stage, context, &finished).unwrap();
        let Claim::Own(first) = again(&context()) else {
            panic!("nobody is at it")
        };
        assert!(matches!(again(&context()), Claim::Held(_)));
        points::keep(first.path(), 3, b"state").unwrap();
        let path = first.path().to_owned();
        drop(first);
        // The next start does not remove it, and takes it up elsewhere.
        let elsewhere = Context {
            code: "0.2.0".to_owned(),
            ..context()
        };
        Runs::open(folder.path()).unwrap();
        let Claim::Own(second) = again(&elsewhere) else {
            panic!("nobody is at it any more")
        };
        assert_eq!(second.path(), path);
        assert_eq!(second.run.before, [finished.run.maker()]);
        let name = "checkpoint-3.safetensors".to_owned();
        fs::write(path.join(&name), "state").unwrap();
        let given = second
            .give(&finished, std::slice::from_ref(&name), Some(0.25))
            .unwrap();
        let found = runs.find(&stage.id).unwrap().unwrap();
        assert_eq!(found.run, given.run);
        assert!(found.wrote(&found.path.join(&name)).unwrap());
        let later = &found.run.later[&name];
        assert_eq!(
            (later.maker.code.as_str(), later.apart),
            ("0.2.0", Some(0.25))
        );
        fs::write(found.path.join(&name), "another").unwrap();
        assert!(!found.wrote(&found.path.join(&name)).unwrap());
        // Without the run there is nothing to repeat.
        drop(second);
        fs::remove_dir_all(&found.path).unwrap();
        assert_eq!(parts(&Runs::open(folder.path()).unwrap()), 0);
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
        // One that came later, from a repetition of an older version, has no hash.
        fs::write(finished.path.join("checkpoint-4.safetensors"), "later").unwrap();
        assert!(wrote("checkpoint-4.safetensors"));
    }
}
