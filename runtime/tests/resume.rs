//! Trainings that are interrupted, taken up, and trained side by side: they come to what they would have come to.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

mod small;

use compiler::hir::{Optimiser, Precision, Pretrain, Schedule};
use compiler::loss::TermOp;
use compiler::passes::{self, Pass};
use compiler::plan::{self, StageId};
use compiler::units::Exact;
use records::folder::checkpoint_after;
use records::points::points;
use runtime::augment::Key;
use runtime::checkpoint;
use runtime::data::batch::{Batch, Batches};
use runtime::error::{Error, Result};
use runtime::ranks::Ranks;
use runtime::train::{Course, METRICS, Place};
use small::{Watching, Waves, every_pair, go_on, place, remembering, settings, train_until, work};
use std::path::Path;
use std::time::Duration;
use tch::{Device, Kind, Tensor};

/// Another batch for each step, so that a step that is left out or done twice shows. Counts what it is asked for.
#[derive(Default)]
struct Changing {
    asked: Vec<u64>,
}

impl Batches for Changing {
    fn next(&mut self, step: u64) -> Result<Batch> {
        self.asked.push(step);
        let mut batch = Waves { spoilt: None }.next(step)?;
        for view in batch.views.values_mut() {
            *view = view.shallow_clone() + 0.01 * step as f64;
        }
        Ok(batch)
    }

    fn cpu(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.asked.len() as u64))
    }
}

/// What a training leaves: weights and the losses of its steps.
type Left = (Vec<u8>, Vec<(u64, f64)>);

fn left(out: &Path) -> Left {
    let text = std::fs::read_to_string(out.join(METRICS)).unwrap();
    let lines = text.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        (
            line["step"].as_u64().unwrap(),
            line["loss"].as_f64().unwrap(),
        )
    });
    (
        std::fs::read(out.join(checkpoint::FILE)).unwrap(),
        lines.collect(),
    )
}

fn optimisers() -> [Optimiser; 3] {
    let (adam, sgd) = (
        settings().optim,
        Optimiser::Sgd {
            mtm: Exact::new(9, 10),
            wd: Exact::new(1, 1_000),
        },
    );
    let larc = Optimiser::Larc {
        inner: Box::new(sgd.clone()),
        trust: Exact::new(1, 100),
    };
    [adam, sgd, larc]
}

#[test]
fn a_training_that_is_interrupted_after_any_step_comes_to_the_same() {
    let with = |optim| Pretrain {
        optim,
        ..settings()
    };
    let remembers = Pretrain {
        loss: remembering(),
        ..settings()
    };
    for settings in optimisers().map(with).into_iter().chain([remembers]) {
        let mut work = work(settings);
        work.keep = vec![1];
        let whole = tempfile::tempdir().unwrap();
        let summary = train_until(&work, &mut Changing::default(), whole.path(), None).unwrap();
        let cut = tempfile::tempdir().unwrap();
        // Six steps: interrupted after the first, the third, the fourth and the last.
        let mut asked = vec![];
        for until in [Some(0), Some(2), Some(3), Some(5)] {
            let mut batches = Changing::default();
            let done = train_until(&work, &mut batches, cut.path(), until);
            assert!(until == Some(5) || matches!(done, Err(Error::Interrupted)));
            asked.extend(batches.asked);
        }
        assert_eq!(asked, [0, 1, 2, 3, 4, 5]);
        assert!(left(whole.path()) == left(cut.path()));
        let kept = |out: &Path| std::fs::read(out.join(checkpoint_after(1))).unwrap();
        assert!(kept(whole.path()) == kept(cut.path()));
        // Taken up behind the last step there is nothing to do, and what was counted before counts still.
        let again = train_until(&work, &mut Changing::default(), cut.path(), None).unwrap();
        assert_eq!(
            (again.steps, again.last_loss, again.data_wait),
            (summary.steps, summary.last_loss, summary.data_wait)
        );
        assert_eq!((again.data_cpu, summary.data_cpu), (6.0, 6.0));
    }
}

#[test]
fn lines_behind_the_resume_point_are_written_anew() {
    let work = work(settings());
    let [whole, cut] = [(), ()].map(|()| tempfile::tempdir().unwrap());
    train_until(&work, &mut Changing::default(), whole.path(), None).unwrap();
    train_until(&work, &mut Changing::default(), cut.path(), Some(2)).unwrap_err();
    // As a process leaves it that was killed while it wrote the line of the step after the point.
    let metrics = cut.path().join(METRICS);
    let mut text = std::fs::read_to_string(&metrics).unwrap();
    text += "{\"step\":3,\"loss\":7.0}\n{\"step\":4,\"lo";
    std::fs::write(&metrics, text).unwrap();
    train_until(&work, &mut Changing::default(), cut.path(), None).unwrap();
    assert!(left(whole.path()) == left(cut.path()));
}

#[test]
fn a_damaged_point_is_passed_over_and_without_a_good_one_nothing_is_begun() {
    let work = work(settings());
    let [whole, cut] = [(), ()].map(|()| tempfile::tempdir().unwrap());
    train_until(&work, &mut Changing::default(), whole.path(), None).unwrap();
    train_until(&work, &mut Changing::default(), cut.path(), Some(3)).unwrap_err();
    let found = points(cut.path()).unwrap();
    assert_eq!(
        found.iter().map(|point| point.step).collect::<Vec<_>>(),
        [4, 3]
    );
    let damage = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    };
    damage(&found[0].path);
    let id = StageId("0".repeat(64));
    let mut watching = Watching::default();
    let taken = Course::take_up(
        ("small", &id),
        &work,
        place(&Ranks::alone()),
        cut.path(),
        &mut watching,
    );
    assert_eq!(taken.unwrap().next_step(), 3);
    assert!(watching.said[0].contains("damaged"), "{:?}", watching.said);
    assert!(watching.said[1].contains("goes on after step 3 of 6"));

    let of_other = StageId("1".repeat(64));
    let taken = Course::take_up(
        ("small", &of_other),
        &work,
        place(&Ranks::alone()),
        cut.path(),
        &mut watching,
    );
    let error = taken.map(drop).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("belongs to stage 00000000, not to 11111111"),
        "{error}"
    );
    let last = watching.said.last().unwrap();
    assert!(
        last.contains("belongs to stage 00000000, not to 11111111"),
        "{last}"
    );

    train_until(&work, &mut Changing::default(), cut.path(), None).unwrap();
    assert!(left(whole.path()) == left(cut.path()));
    for point in points(cut.path()).unwrap() {
        damage(&point.path);
    }
    let error = train_until(&work, &mut Changing::default(), cut.path(), None).unwrap_err();
    assert!(error.help().unwrap().contains("remove"), "{error}");
    // All of them at once: to remove one would lead to the next.
    for point in points(cut.path()).unwrap() {
        let name = point.path.file_name().unwrap().to_string_lossy();
        assert!(error.to_string().contains(&*name), "{error}");
    }
    std::fs::remove_file(cut.path().join(METRICS)).unwrap();
    let error = train_until(&work, &mut Changing::default(), cut.path(), None).unwrap_err();
    let (said, help) = (error.to_string(), error.help().unwrap());
    assert!(
        said.contains("metrics.jsonl` cannot be used: it is missing"),
        "{said}"
    );
    assert!(help.starts_with("remove the folder `"), "{help}");
}

/// Members of a group: the same data and networks, other losses.
fn members() -> Vec<plan::Pretrain> {
    let weighed = |skip: usize| {
        let mut settings = settings();
        settings.loss = every_pair(["v.h", "a.h"]);
        settings.loss.terms.drain(..skip);
        work(settings)
    };
    [0, 3, 6].map(weighed).into()
}

/// The members side by side, each in its folder, as far as the step `until`.
fn side_by_side(
    members: &[plan::Pretrain],
    folders: &[tempfile::TempDir],
    batches: &mut dyn Batches,
    until: Option<u64>,
) -> (Vec<String>, Vec<Result<()>>) {
    let id = StageId("0".repeat(64));
    let mut watching = Watching {
        until,
        ..Watching::default()
    };
    let names = ["one", "two", "three"];
    let mut courses: Vec<_> = (members.iter().zip(folders).zip(names))
        .map(|((work, folder), name)| {
            Course::take_up(
                (name, &id),
                work,
                place(&Ranks::alone()),
                folder.path(),
                &mut watching,
            )
            .unwrap()
        })
        .collect();
    let done = go_on(&mut courses, batches, &mut watching);
    let ends = courses.into_iter().map(|course| match &done {
        Ok(()) => course.finish(None).map(drop),
        Err(_) => Err(Error::Interrupted),
    });
    let ends = ends.collect();
    (watching.said, ends)
}

fn alone(members: &[plan::Pretrain]) -> Vec<Left> {
    let alone = members.iter().map(|work| {
        let folder = tempfile::tempdir().unwrap();
        train_until(work, &mut Changing::default(), folder.path(), None).unwrap();
        left(folder.path())
    });
    alone.collect()
}

fn folders() -> Vec<tempfile::TempDir> {
    (0..3).map(|_| tempfile::tempdir().unwrap()).collect()
}

#[test]
fn side_by_side_each_training_comes_to_what_it_comes_to_alone() {
    let (members, folders) = (members(), folders());
    let mut batches = Changing::default();
    side_by_side(&members, &folders, &mut batches, Some(2));
    assert_eq!(batches.asked, [0, 1, 2]);
    // One of them goes on alone, then waits for the others.
    train_until(
        &members[1],
        &mut Changing::default(),
        folders[1].path(),
        Some(4),
    )
    .unwrap_err();
    let mut batches = Changing::default();
    let (said, ends) = side_by_side(&members, &folders, &mut batches, None);
    assert!(ends.iter().all(Result::is_ok));
    assert_eq!(batches.asked, [3, 4, 5]);
    assert!(
        said[1].contains("two goes on after step 5 of 6"),
        "{said:?}"
    );
    for (folder, alone) in folders.iter().zip(alone(&members)) {
        assert!(left(folder.path()) == alone);
    }
}

#[test]
fn one_that_fails_does_not_stop_the_others() {
    let (mut members, folders) = (members(), folders());
    // A rate that no training survives.
    let mut settings = members[1].settings.as_ref().clone();
    for modality in &mut settings.modalities {
        modality.lr_b = compiler::hir::Schedule::Constant(Exact::whole(10_i128.pow(38)));
    }
    members[1].settings = settings.into();
    let (said, ends) = side_by_side(&members, &folders, &mut Changing::default(), None);
    assert!(matches!(ends[1], Err(Error::NotFinite { .. })), "{ends:?}");
    assert!(
        said.iter().any(|line| line.starts_with("two failed")),
        "{said:?}"
    );
    let alone = alone(&[members[0].clone(), members[2].clone()]);
    assert!(left(folders[0].path()) == alone[0] && left(folders[2].path()) == alone[1]);
    assert!(!folders[1].path().join(checkpoint::FILE).exists());
}

#[test]
fn batches_that_end_leave_every_training_where_it_stands() {
    struct Ending;
    impl Batches for Ending {
        fn next(&mut self, step: u64) -> Result<Batch> {
            match step {
                2 => Err(Error::Interrupted),
                _ => Changing::default().next(step),
            }
        }
    }
    let (members, folders) = (members(), folders());
    let (_, ends) = side_by_side(&members, &folders, &mut Ending, None);
    assert!(
        ends.iter()
            .all(|end| matches!(end, Err(Error::Interrupted)))
    );
    for folder in &folders {
        assert_eq!(points(folder.path()).unwrap()[0].step, 2);
    }
}

#[test]
fn a_batch_is_not_changed_by_those_who_step_on_it() {
    let batch = Changing::default().next(0).unwrap();
    let before: Vec<Tensor> = batch.views.values().map(Tensor::copy).collect();
    let program = runtime::execute::Program::new(&members()[0]).unwrap();
    let model = runtime::nn::Model::new(&settings(), program.groups(), Device::Cpu).unwrap();
    program.forward(&model, &batch, Device::Cpu).unwrap();
    assert!(batch.views.values().zip(&before).all(|(a, b)| a == b));
    assert_eq!(before[0].kind(), Kind::Float);
    assert_eq!(batch.keys[0], Key::new(0, 0, 0));
}

/// With groups of samples a batch comes to the same in parts as at once: weights, running statistics, what the loss remembers.
#[test]
fn parts_of_a_batch_add_up_to_it() {
    let mut settings = Pretrain {
        bn_group: Some(4),
        precision: Precision::Fp64,
        optim: optimisers()[1].clone(),
        loss: remembering(),
        ..settings()
    };
    // Two short steps, the second on rows that the first has moved: rounding, 1e-13 in the first, grows a hundredfold in each, for
    // BatchNorm divides by the deviation of four samples, which may be next to nothing.
    for modality in &mut settings.modalities {
        modality.lr_b = Schedule::Constant(Exact::new(1, 10_000));
        modality.lr_p = modality.lr_b.clone();
    }
    // Balanced targets look across the batch.
    assert!(
        work(settings.clone())
            .divisible()
            .unwrap_err()
            .contains("sinkhorn")
    );
    settings
        .loss
        .terms
        .retain(|(term, _)| term.op != TermOp::Xent);
    settings.loss.terms.extend(every_pair(["v.h", "a.h"]).terms);
    settings.loss.terms.sort();
    for also in [&[][..], &[Pass::BatchViews, Pass::FuseTerms]] {
        let passes = passes::selection(also);
        let steps = passes::build_with(&settings, &passes).0.steps();
        let work = plan::Pretrain {
            steps: steps.into(),
            ..work(settings.clone())
        };
        assert_eq!(work.divisible(), Ok(4));
        let id = StageId("0".repeat(64));
        let ends = [None, Some(4)].map(|micro_batch| {
            let folder = tempfile::tempdir().unwrap();
            let mut watching = Watching {
                is_short: true,
                pause_before: Some(2),
                ..Watching::default()
            };
            let alone = Ranks::alone();
            let place = Place {
                micro_batch,
                ..place(&alone)
            };
            let course =
                Course::take_up(("small", &id), &work, place, folder.path(), &mut watching);
            let mut courses = [course.unwrap()];
            let done = go_on(&mut courses, &mut Changing::default(), &mut watching);
            assert!(matches!(done, Err(Error::Interrupted)));
            let point = points(folder.path()).unwrap().remove(0);
            let bytes = point.read().unwrap();
            let lines = std::fs::read_to_string(folder.path().join(METRICS)).unwrap();
            (checkpoint::tensors(&point.path, &bytes, "").unwrap(), lines)
        });
        let [(whole, whole_lines), (tensors, lines)] = &ends;
        assert!(
            whole.contains_key("memory.0.25/v.f/v")
                && whole.contains_key("optimiser.v.f.0.momentum"),
            "{:?}",
            whole.keys()
        );
        for (name, tensor) in tensors {
            let whole = &whole[name];
            let apart = (tensor - whole).abs() / whole.abs().clamp_min(1.0);
            let apart = apart.max().double_value(&[]);
            assert!(apart < 1e-9, "{name}: {apart:e}");
        }
        for (line, whole) in lines.lines().zip(whole_lines.lines()) {
            let [line, whole] =
                [line, whole].map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            for what in ["loss", "gradient"] {
                let [a, b] = [&line, &whole].map(|line| line[what].as_f64().unwrap());
                assert!(
                    (a - b).abs() < 1e-9 * b.abs().max(1.0),
                    "{what}: {a} is not {b}"
                );
            }
            for (name, value) in whole["terms"].as_object().unwrap() {
                let [a, b] = [&line["terms"][name], value].map(|of| of.as_f64().unwrap());
                assert!((a - b).abs() < 1e-9, "{name}: {a} is not {b}");
            }
        }
    }
}
