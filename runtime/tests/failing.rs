//! Trainings on machines that fail: what is said, and what is left.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed
#![cfg(target_os = "linux")] // it has `/dev/full`

mod small;

use compiler::plan::StageId;
use records::folder::CHECKPOINT;
use records::points::points;
use runtime::data::batch::{Batch, Batches};
use runtime::error::Result;
use runtime::ranks::Ranks;
use runtime::train::{Course, METRICS};
use small::{Watching, Waves, go_on, place, settings, train_until, work};
use std::os::unix::fs::symlink;
use tch::Tensor;

#[test]
fn a_full_disk_ends_a_training_and_names_the_file() {
    let out = tempfile::tempdir().unwrap();
    symlink("/dev/full", out.path().join(METRICS)).unwrap();
    let mut waves = Waves { spoilt: None };
    let error = train_until(&work(settings()), &mut waves, out.path(), None).unwrap_err();
    let said = error.in_full();
    assert!(error.is_of_disk(), "{said}");
    assert!(
        said.contains("cannot write `") && said.contains(METRICS),
        "{said}"
    );
    assert!(said.contains("= help: make room on that disk"), "{said}");
    assert!(!out.path().join(CHECKPOINT).exists());
}

/// Where the end cannot be written the last resume point stays, and the next process goes on from it.
#[test]
fn what_was_trained_is_not_lost_where_the_end_cannot_be_written() {
    let out = tempfile::tempdir().unwrap();
    let work = work(settings());
    let in_the_way = out.path().join(CHECKPOINT);
    std::fs::create_dir(&in_the_way).unwrap();
    let train = || train_until(&work, &mut Waves { spoilt: None }, out.path(), None);
    let error = train().unwrap_err();
    assert!(error.to_string().contains(CHECKPOINT), "{error}");
    assert_eq!(points(out.path()).unwrap()[0].step, 6);
    std::fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(train().unwrap().steps, 6);

    let whole = tempfile::tempdir().unwrap();
    train_until(&work, &mut Waves { spoilt: None }, whole.path(), None).unwrap();
    let end = |folder: &std::path::Path| std::fs::read(folder.join(CHECKPOINT)).unwrap();
    assert!(end(out.path()) == end(whole.path()));
}

/// The same where no resume point was left on the way.
#[test]
fn what_was_trained_in_minutes_is_not_lost_either() {
    let out = tempfile::tempdir().unwrap();
    let (work, id) = (work(settings()), StageId("0".repeat(64)));
    std::fs::create_dir(out.path().join(CHECKPOINT)).unwrap();
    let mut watching = Watching {
        is_short: true,
        ..Watching::default()
    };
    let alone = Ranks::alone();
    let on = place(&alone);
    let course = Course::take_up(("small", &id), &work, on, out.path(), &mut watching);
    let mut courses = [course.unwrap()];
    go_on(&mut courses, &mut Waves { spoilt: None }, &mut watching).unwrap();
    assert!(points(out.path()).unwrap().is_empty());
    let [course] = courses;
    course.finish(None).unwrap_err();
    assert_eq!(points(out.path()).unwrap()[0].step, 6);
}

/// Sound of two channels in the step `at`, which no layer takes.
struct TwoChannels {
    at: u64,
}

impl Batches for TwoChannels {
    fn next(&mut self, step: u64) -> Result<Batch> {
        let mut batch = Waves { spoilt: None }.next(step)?;
        for ((modality, _), view) in &mut batch.views {
            if modality == "a" && step == self.at {
                *view = Tensor::cat(&[&*view, &*view], 1);
            }
        }
        Ok(batch)
    }
}

/// What libtorch refuses in a layer ends the training with a resume point before that step; one beside it goes on.
#[test]
fn a_layer_that_refuses_its_step_ends_one_training_and_loses_nothing() {
    let both = work(settings());
    let mut of_video = settings();
    of_video
        .loss
        .terms
        .retain(|(term, _)| !format!("{term:?}").contains("\"a\""));
    assert!(!of_video.loss.terms.is_empty());
    let of_video = work(of_video);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut watching = Watching {
        is_short: true,
        ..Watching::default()
    };
    let (id, alone) = (StageId("0".repeat(64)), Ranks::alone());
    let mut take_up = |name, work, at: usize| {
        Course::take_up(
            (name, &id),
            work,
            place(&alone),
            folders[at].path(),
            &mut watching,
        )
        .unwrap()
    };
    let mut courses = [take_up("both", &both, 0), take_up("video", &of_video, 1)];
    go_on(&mut courses, &mut TwoChannels { at: 3 }, &mut watching).unwrap();
    let said = &watching.said;
    assert!(
        said.len() == 1
            && said[0].starts_with("both failed: libtorch: ")
            && said[0].contains("channels"),
        "{said:?}"
    );
    let [failed, other] = courses;
    failed.finish(None).unwrap_err();
    assert_eq!(other.finish(None).unwrap().steps, 6);
    assert_eq!(points(folders[0].path()).unwrap()[0].step, 3);

    let whole = tempfile::tempdir().unwrap();
    let end = |folder: &std::path::Path| {
        train_until(&both, &mut Waves { spoilt: None }, folder, None).unwrap();
        std::fs::read(folder.join(CHECKPOINT)).unwrap()
    };
    assert!(end(folders[0].path()) == end(whole.path()));
}
