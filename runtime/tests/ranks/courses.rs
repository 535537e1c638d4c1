//! Trainings on two ranks: what one of them meets, and what all of them meet.

use super::small::{Watching, Waves, place, settings, work};
use super::together::{own_clips, together};
use compiler::plan::StageId;
use records::points::points;
use runtime::data::batch::{Batch, Batches};
use runtime::error::{Error, Result};
use runtime::ranks::Ranks;
use runtime::train::{Course, METRICS, Options, pretrain};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tch::{Device, Tensor};

/// The parts of a rank; what else happens at `at`.
struct Parts<'r> {
    ranks: &'r Ranks,
    at: u64,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Nothing,
    /// The batch of this rank cannot be made.
    FailsOn(usize),
    /// A view is not a number, in the part of rank 0.
    Spoilt,
    /// The part of this rank is larger than any memory.
    TooLargeOn(usize),
    /// More files cannot be read than may be, of all ranks together.
    Unreadable,
}

impl Batches for Parts<'_> {
    fn next(&mut self, step: u64) -> Result<Batch> {
        let is_now = step == self.at;
        if let What::FailsOn(rank) = self.what
            && is_now
            && rank == self.ranks.rank()
        {
            return Err(Error::Unsupported {
                message: "the disk is gone".to_owned(),
            });
        }
        let spoilt = matches!(self.what, What::Spoilt) && is_now;
        let mut waves = Waves {
            spoilt: spoilt.then_some(step),
        };
        let batch = waves.next(step)?;
        let views = batch.views.iter();
        let views = views.map(|(key, view)| (key.clone(), self.ranks.own_rows(view)));
        let is_large =
            matches!(self.what, What::TooLargeOn(rank) if is_now && rank == self.ranks.rank());
        let grown = |(key, view): (_, Tensor)| match is_large {
            // It takes no memory itself: all of its samples are one.
            true => (key, many(&view)),
            false => (key, view),
        };
        let count = batch.keys.len() / self.ranks.count();
        Ok(Batch {
            views: views.map(grown).collect(),
            keys: batch.keys[count * self.ranks.rank()..][..count].to_vec(),
            clips: own_clips(&batch.clips, self.ranks),
            ..batch
        })
    }

    fn replaced(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(format!("file {}", self.ranks.rank()), "broken".to_owned())])
    }

    fn asked(&self) -> u64 {
        4
    }

    fn judge(&self, asked: u64, replaced: &BTreeMap<String, String>) -> Result<()> {
        assert_eq!((asked, replaced.len()), (8, 2));
        match self.what {
            What::Unreadable => Err(Error::TooManyFailures {
                name: "waves".to_owned(),
                total: 8,
                failed: vec![],
            }),
            What::Nothing | What::FailsOn(_) | What::Spoilt | What::TooLargeOn(_) => Ok(()),
        }
    }
}

/// So many samples that no memory holds what is made of them.
fn many(view: &Tensor) -> Tensor {
    let mut size = view.size();
    size[0] = 1 << 36;
    view.narrow(0, 0, 1).expand(size, false)
}

/// A training of two ranks in `folder`, and what it says of itself on each; `until` is the step after which rank 0 is asked to stop.
fn train(
    folder: &Path,
    (at, what): (u64, What),
    until: Option<u64>,
    reads_late: bool,
) -> Vec<(Result<u64>, Vec<String>)> {
    together(2, |ranks| {
        let work = work(settings());
        let id = StageId("0".repeat(64));
        let name = ("small", &id);
        let mut watching = Watching {
            until: until.filter(|_| ranks.is_first()),
            ..Watching::default()
        };
        let course = match ranks.is_first() {
            true => Course::take_up(name, &work, place(ranks), folder, &mut watching),
            false => Course::follow(name, &work, place(ranks)),
        };
        let mut courses = [course.unwrap()];
        courses[0].share().unwrap();
        let stop = watching.stop.clone();
        let options = Options {
            device: Device::Cpu,
            save_every: Duration::MAX,
            stop: &stop,
            ranks,
            pause_before: None,
            reads_late,
        };
        let mut parts = Parts { ranks, at, what };
        let done = pretrain(&mut courses, &mut parts, &options, &mut watching);
        let [course] = courses;
        let stands_at = course.next_step();
        let done = done.and_then(|()| course.finish(None));
        (
            done.map(|summary| {
                assert!(!ranks.is_first() || summary.replaced.len() == 2);
                stands_at
            }),
            watching.said,
        )
    })
}

#[test]
fn what_one_rank_meets_ends_all_of_them_with_its_reason() {
    for (rank, reads_late) in [(0, false), (1, false), (0, true), (1, true)] {
        let folder = tempfile::tempdir().unwrap();
        let mut outcomes = train(folder.path(), (2, What::FailsOn(rank)), None, reads_late);
        let own = outcomes.remove(rank).0.unwrap_err().to_string();
        assert_eq!(own, "the disk is gone");
        let other = outcomes.remove(0).0.unwrap_err().to_string();
        assert_eq!(other, format!("rank {rank} failed: the disk is gone"));
        // What was trained until then is not lost.
        assert_eq!(points(folder.path()).unwrap()[0].step, 2);
    }
}

#[test]
fn a_part_that_does_not_fit_is_said_with_one_that_does() {
    for rank in [0, 1] {
        let folder = tempfile::tempdir().unwrap();
        let said = format!(
            "rank {rank} failed: out of memory: a step of 4 samples does not fit on this device, one of 3 does"
        );
        for (outcome, _) in train(folder.path(), (2, What::TooLargeOn(rank)), None, false) {
            assert_eq!(outcome.unwrap_err().to_string(), said);
        }
    }
}

#[test]
fn files_that_cannot_be_read_are_judged_over_all_ranks() {
    let folder = tempfile::tempdir().unwrap();
    let outcomes = train(folder.path(), (0, What::Unreadable), None, false);
    let errors: Vec<_> = outcomes
        .into_iter()
        .map(|(outcome, _)| outcome.unwrap_err())
        .collect();
    assert!(
        matches!(errors[0], Error::TooManyFailures { total: 8, .. }),
        "{errors:?}"
    );
    assert!(
        matches!(
            &errors[1],
            Error::Rank {
                rank: 0,
                is_said: true,
                ..
            }
        ),
        "{errors:?}"
    );
}

#[test]
fn what_all_ranks_meet_is_said_by_each_as_its_own() {
    for reads_late in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        for (outcome, _) in train(folder.path(), (2, What::Spoilt), None, reads_late) {
            assert!(
                matches!(outcome, Err(Error::NotFinite { step: 2, .. })),
                "{outcome:?}"
            );
        }
    }
}

#[test]
fn ranks_stop_at_one_step_and_go_on_from_the_point_of_rank_0() {
    // Where numbers are read late, rank 0 is asked behind the step after.
    for (reads_late, stopped) in [(false, 3), (true, 4)] {
        let folder = tempfile::tempdir().unwrap();
        for (outcome, _) in train(folder.path(), (0, What::Nothing), Some(2), reads_late) {
            assert!(matches!(outcome, Err(Error::Interrupted)), "{outcome:?}");
        }
        assert_eq!(points(folder.path()).unwrap()[0].step, stopped);
        let outcomes = train(folder.path(), (0, What::Nothing), None, reads_late);
        assert!(outcomes[0].1[0].contains(&format!("goes on after step {stopped} of 6")));
        assert!(outcomes.iter().all(|(outcome, _)| matches!(outcome, Ok(6))));
        let lines = std::fs::read_to_string(folder.path().join(METRICS)).unwrap();
        assert_eq!(lines.lines().count(), 6);
    }
}

/// What a device was given never comes to its end where a rank has failed that has a part in it, or comes there once nothing is
/// exchanged any more.
#[test]
fn a_device_is_not_waited_for_once_a_rank_has_failed() {
    let outcomes = together(2, |ranks| {
        if ranks.rank() == 1 {
            ranks.fail(&Error::Unsupported {
                message: "the disk is gone".to_owned(),
            });
            return vec![];
        }
        let never = ranks.wait(|| Ok(false)).map_err(|error| error.to_string());
        let mut looks = 0;
        let at_last = ranks.wait(|| {
            looks += 1;
            Ok(looks > 3)
        });
        let at_once = ranks.wait(|| Ok(true));
        let text = |outcome: Result<bool>| outcome.map_err(|error| error.to_string());
        vec![never, text(at_last), text(at_once)]
    });
    let failed = Err("rank 1 failed: the disk is gone".to_owned());
    assert_eq!(outcomes[0], [failed, Ok(false), Ok(true)]);
}
