//! Trainings on machines that fail: what is said, and what is left.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed
#![cfg(target_os = "linux")] // it has `/dev/full`

mod small;

use compiler::plan::StageId;
use records::folder::CHECKPOINT;
use records::points::points;
use runtime::ranks::Ranks;
use runtime::train::{Course, METRICS};
use small::{Watching, Waves, go_on, place, settings, train_until, work};
use std::os::unix::fs::symlink;

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
