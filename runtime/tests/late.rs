//! Numbers that are read while the device is at the next step: nothing that a training leaves is another for it.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

mod small;

use compiler::hir::{Precision, Pretrain, Schedule};
use compiler::plan::{self, Stage, StageId, Work};
use compiler::units::Exact;
use records::folder::{Claim, Context, Runs, checkpoint_after};
use records::points::points;
use records::record::Environment;
use runtime::checkpoint;
use runtime::data::batch::{Batch, Batches};
use runtime::error::{Error, Result};
use runtime::ranks::Ranks;
use runtime::train::{Course, METRICS};
use small::{Watching, Waves, go_on, place, remembering, settings, train_watched, work};
use std::path::Path;

/// Another batch for each step.
struct Changing {
    spoilt: Option<u64>,
}

impl Batches for Changing {
    fn next(&mut self, step: u64) -> Result<Batch> {
        let spoilt = self.spoilt;
        let mut batch = Waves { spoilt }.next(step)?;
        for view in batch.views.values_mut() {
            *view = view.shallow_clone() + 0.01 * step as f64;
        }
        Ok(batch)
    }
}

fn watching(reads_late: bool, pause_before: Option<u64>) -> Watching {
    Watching {
        pause_before,
        reads_late,
        is_short: true,
        ..Watching::default()
    }
}

/// The lines of the metrics without what the clock says.
fn lines(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join(METRICS)).unwrap();
    let line = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        let fields = line.as_object_mut().unwrap();
        for clock in ["samples_per_s", "peak_memory"] {
            fields.remove(clock).unwrap();
        }
        line
    };
    text.lines().map(line).collect()
}

/// A training whose numbers are read at once, and one whose numbers are read late.
fn both(mut train: impl FnMut(bool, &Path)) -> [tempfile::TempDir; 2] {
    [false, true].map(|reads_late| {
        let folder = tempfile::tempdir().unwrap();
        train(reads_late, folder.path());
        folder
    })
}

fn same_file(folders: &[tempfile::TempDir; 2], name: &str) {
    let [once, late] = folders
        .each_ref()
        .map(|folder| std::fs::read(folder.path().join(name)).unwrap());
    assert!(once == late, "{name}");
}

#[test]
fn lines_weights_and_kept_states_are_the_same() {
    let mut scaled = settings();
    scaled.precision = Precision::Fp16;
    // Gradients that leave the range of float16 at the first scales.
    for (_, weight) in &mut scaled.loss.terms {
        *weight = Exact::new(-64, 12);
    }
    let fp32 = settings();
    let remembers = Pretrain {
        loss: remembering(),
        ..settings()
    };
    for settings in [fp32, scaled, remembers] {
        let skips = settings.precision == Precision::Fp16;
        let mut work = work(settings);
        work.keep = vec![1, 2];
        let folders = both(|reads_late, out| {
            let watching = &mut watching(reads_late, None);
            let summary =
                train_watched(&work, &mut Changing { spoilt: None }, out, watching).unwrap();
            assert_eq!((summary.steps, summary.data_wait > 0.005), (6, true));
        });
        let [once, late] = folders.each_ref().map(|folder| lines(folder.path()));
        assert_eq!(once.len(), 6);
        assert_eq!(once, late);
        assert_eq!(
            once.iter().any(|line| line["gradient"].is_null()),
            skips,
            "{once:?}"
        );
        for name in [
            checkpoint::FILE.to_owned(),
            checkpoint_after(1),
            checkpoint_after(2),
        ] {
            same_file(&folders, &name);
        }
    }
}

#[test]
fn a_pause_leaves_a_point_of_the_step_that_was_given_last() {
    let work = work(settings());
    let folders = both(|reads_late, out| {
        let watching = &mut watching(reads_late, Some(3));
        let paused = train_watched(&work, &mut Changing { spoilt: None }, out, watching);
        assert!(matches!(paused, Err(Error::Interrupted)));
        let found = points(out).unwrap();
        assert_eq!(
            found.iter().map(|point| point.step).collect::<Vec<_>>(),
            [3]
        );
        assert_eq!(lines(out).len(), 3);
        watching.pause_before = None;
        train_watched(&work, &mut Changing { spoilt: None }, out, watching).unwrap();
    });
    same_file(&folders, checkpoint::FILE);
    let [once, late] = folders.each_ref().map(|folder| lines(folder.path()));
    assert_eq!(once, late);
}

/// In a run folder of `runs`, as a stage of a plan has it.
fn in_run_folder(
    runs: &Path,
    work: &plan::Pretrain,
    spoilt: u64,
    watching: &mut Watching,
) -> (String, Vec<serde_json::Value>) {
    let stage = Stage {
        id: StageId("5".repeat(64)),
        label: "small:1 pretrain".to_owned(),
        work: Work::Pretrain(Box::new(work.clone())),
    };
    let context = Context {
        plan: "6".repeat(64),
        toy: false,
        set: vec![],
        command: None,
        code: "0.1.0".to_owned(),
        environment: Environment::default(),
    };
    let runs = Runs::open(runs).unwrap();
    let Claim::Own(attempt) = runs.claim(&stage, &context, "").unwrap() else {
        panic!("nobody else is there")
    };
    let mut batches = Changing {
        spoilt: Some(spoilt),
    };
    let error = train_watched(work, &mut batches, attempt.path(), watching).unwrap_err();
    assert!(
        matches!(error, Error::NotFinite { step, .. } if step == spoilt),
        "{error}"
    );
    // No state behind the step was left.
    let points = points(attempt.path()).unwrap();
    assert!(points.iter().all(|point| point.step <= spoilt));
    (error.to_string(), lines(attempt.path()))
}

#[test]
fn a_step_that_is_not_finite_is_kept_with_its_own_batch_and_the_state_before_it() {
    let mut work = work(settings());
    work.keep = vec![2];
    // The first, one with another behind it, the last of an epoch whose end is kept, the last of all.
    for spoilt in [0, 2, 3, 5] {
        let mut said = vec![];
        let folders = both(|reads_late, out| {
            said.push(in_run_folder(
                out,
                &work,
                spoilt,
                &mut watching(reads_late, None),
            ));
        });
        assert_eq!(said[0], said[1]);
        assert_eq!(said[0].1.len(), spoilt as usize);
        for name in ["step.safetensors", "failure.json", "plan.json"] {
            same_file(
                &folders,
                &format!("failed-small-1-55555555-step{spoilt}/{name}"),
            );
        }
    }
}

/// One whose rate no training survives beside one that goes on.
#[test]
fn one_that_fails_beside_another_is_found_out_and_the_other_goes_on() {
    let mut wild = settings();
    for modality in &mut wild.modalities {
        modality.lr_b = Schedule::Constant(Exact::whole(10_i128.pow(38)));
    }
    let works = [wild, settings()].map(|settings: Pretrain| work(settings));
    let id = StageId("0".repeat(64));
    let mut said = vec![];
    let tame = both(|reads_late, out| {
        let wild = tempfile::tempdir().unwrap();
        let watching = &mut watching(reads_late, None);
        let alone = Ranks::alone();
        let on = place(&alone);
        let mut courses = [
            Course::take_up(("wild", &id), &works[0], on, wild.path(), watching).unwrap(),
            Course::take_up(("tame", &id), &works[1], on, out, watching).unwrap(),
        ];
        go_on(&mut courses, &mut Changing { spoilt: None }, watching).unwrap();
        let [first, second] = courses;
        assert!(matches!(first.finish(None), Err(Error::NotFinite { .. })));
        second.finish(None).unwrap();
        said.push((std::mem::take(&mut watching.said), lines(wild.path())));
    });
    assert_eq!(said[0], said[1]);
    same_file(&tame, checkpoint::FILE);
}

/// Batches that cannot be made any more leave what was trained, the step that was not read among it.
#[test]
fn batches_that_end_leave_the_training_where_it_stands() {
    struct Ending;
    impl Batches for Ending {
        fn next(&mut self, step: u64) -> Result<Batch> {
            match step {
                2 => Err(Error::Interrupted),
                _ => Changing { spoilt: None }.next(step),
            }
        }
    }
    let work = work(settings());
    both(|reads_late, out| {
        train_watched(&work, &mut Ending, out, &mut watching(reads_late, None)).unwrap_err();
        assert_eq!(points(out).unwrap()[0].step, 2);
        assert_eq!(lines(out).len(), 2);
    });
}
