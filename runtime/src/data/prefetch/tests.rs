//! Batches beside the training: the same whatever makes them, and an end at any moment.

use super::*;
use crate::data::fixtures::rendered;
use crate::data::loader::{Options, Part};
use crate::data::source::{ClipSource, Request, Streams, Ticks};
use crate::data::synthetic::RenderedClips;
use compiler::hir::{Clips, Data};
use compiler::plan;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use tch::Tensor;

static NEVER: AtomicBool = AtomicBool::new(false);

const OPTIONS: Options = Options {
    threads: 2,
    ahead: 2,
    max_bad_share: 1.0,
    first_step: 0,
    part: Part::WHOLE,
    augment_on: None,
};

/// What a source does instead of reading, by the number of the call.
type Fault = fn(usize) -> Result<()>;

/// Rendered clips, with a fault.
struct Faulty {
    inner: RenderedClips,
    calls: AtomicUsize,
    fault: Fault,
}

impl ClipSource for Faulty {
    fn len(&self) -> usize {
        self.inner.len()
    }
    fn name(&self, clip: usize) -> String {
        self.inner.name(clip)
    }
    fn label(&self, clip: usize) -> Option<u32> {
        self.inner.label(clip)
    }
    fn classes(&self) -> &[String] {
        self.inner.classes()
    }
    fn fold(&self, clip: usize) -> Option<u32> {
        self.inner.fold(clip)
    }
    fn streams(&self, clip: usize) -> Result<Streams> {
        self.inner.streams(clip)
    }
    fn read(&self, clip: usize, requests: &[Request]) -> Result<Vec<Ticks>> {
        (self.fault)(self.calls.fetch_add(1, Ordering::SeqCst))?;
        self.inner.read(clip, requests)
    }
    fn fingerprint(&self) -> String {
        self.inner.fingerprint()
    }
}

fn source(work: &plan::Pretrain, fault: Fault) -> Arc<dyn ClipSource> {
    let Data::Synthetic(parameters) = &work.settings.data else {
        panic!("the fixture is rendered");
    };
    Arc::new(Faulty {
        inner: RenderedClips::new(parameters),
        calls: AtomicUsize::new(0),
        fault,
    })
}

/// Two epochs of two batches of four.
fn work() -> plan::Pretrain {
    let mut work = rendered();
    Arc::make_mut(&mut work.settings).ep = 2;
    work
}

fn start(source: &Arc<dyn ClipSource>, options: &Options) -> Prefetch<'static> {
    let loader = Loader::new(Arc::clone(source), &work(), options).unwrap();
    Prefetch::new(loader, options.first_step, &NEVER)
}

fn batches(options: &Options) -> Vec<Vec<Tensor>> {
    let mut prefetch = start(&source(&work(), |_| Ok(())), options);
    let steps = options.first_step..4;
    steps
        .map(|step| prefetch.next(step).unwrap().views.into_values().collect())
        .collect()
}

fn scratched() -> Error {
    Error::Decode {
        path: "clip".into(),
        cause: "scratched".to_owned(),
    }
}

#[test]
fn batches_are_the_same_bits_on_any_threads_any_look_ahead_and_from_the_middle_on() {
    let one = batches(&Options {
        threads: 1,
        ahead: 1,
        ..OPTIONS
    });
    assert_eq!((one.len(), one[0].len()), (4, 4));
    assert_ne!(one[0], one[2], "the second epoch is drawn anew");
    for (threads, ahead) in [(2, 1), (2, 3), (5, 1), (5, 4)] {
        let other = batches(&Options {
            threads,
            ahead,
            ..OPTIONS
        });
        assert_eq!(one, other, "{threads} threads, {ahead} ahead");
    }
    for first_step in [1, 3] {
        let rest = batches(&Options {
            first_step,
            ..OPTIONS
        });
        assert_eq!(one[first_step as usize..], rest);
    }
}

/// The parameters are the same; a program over a batch may round otherwise than one over a sample.
#[test]
fn what_a_device_augments_are_the_views_of_the_threads() {
    let (threads, device) = (
        batches(&OPTIONS),
        batches(&Options {
            augment_on: Some(Device::Cpu),
            ..OPTIONS
        }),
    );
    for (a, b) in threads.iter().flatten().zip(device.iter().flatten()) {
        assert_eq!(a.size(), b.size());
        let apart = (a - b).abs().max().double_value(&[]);
        assert!(apart <= 1e-5, "{apart}");
    }
}

#[test]
fn it_can_be_dropped_at_any_moment() {
    for taken in 0..4 {
        for augment_on in [None, Some(Device::Cpu)] {
            let clips = source(&work(), |_| Ok(()));
            let mut prefetch = start(
                &clips,
                &Options {
                    augment_on,
                    threads: 3,
                    ..OPTIONS
                },
            );
            (0..taken).for_each(|step| drop(prefetch.next(step).unwrap()));
            drop(prefetch);
            assert_eq!(Arc::strong_count(&clips), 1, "all threads have ended");
        }
    }
}

#[test]
fn a_run_that_is_ended_waits_for_no_batch() {
    let clips = source(&work(), |_| {
        std::thread::sleep(Duration::from_millis(300));
        Ok(())
    });
    let stop = AtomicBool::new(true);
    let loader = Loader::new(Arc::clone(&clips), &work(), &OPTIONS).unwrap();
    let mut prefetch = Prefetch::new(loader, 0, &stop);
    assert!(matches!(prefetch.next(0), Err(Error::Interrupted)));
    drop(prefetch);
    assert_eq!(Arc::strong_count(&clips), 1);
}

#[test]
fn a_panic_and_an_error_of_a_thread_come_out_and_leave_no_thread_behind() {
    let clips = source(&work(), |call| {
        assert_ne!(call, 5, "the sixth");
        Ok(())
    });
    let mut prefetch = start(&clips, &OPTIONS);
    let all = || (0..4).try_for_each(|step| prefetch.next(step).map(drop));
    assert!(catch_unwind(AssertUnwindSafe(all)).is_err());
    drop(prefetch);
    assert_eq!(Arc::strong_count(&clips), 1);

    let clips = source(&work(), |_| Err(scratched()));
    let mut prefetch = start(&clips, &OPTIONS);
    assert!(matches!(
        prefetch.next(0),
        Err(Error::TooManyFailures { .. })
    ));
    drop(prefetch);
    assert_eq!(Arc::strong_count(&clips), 1);
}

#[test]
fn what_was_replaced_is_counted_and_the_wait_and_the_queue_are_told() {
    let clips = source(&work(), |call| match call {
        2 => Err(scratched()),
        _ => Ok(()),
    });
    let mut prefetch = start(&clips, &OPTIONS);
    let first = prefetch.next(0).unwrap();
    assert!(first.waited > Duration::ZERO, "nothing is ready at first");
    assert_eq!(
        prefetch.replaced().values().collect::<Vec<_>>(),
        ["scratched"]
    );
    assert!(prefetch.pace().unwrap() > 0.0);
    // One batch waits beside that in the making, and of each as much as is made ahead.
    let start = Instant::now();
    while prefetch.gauge.ready() < 4 || prefetch.batches.as_ref().unwrap().len() < READY {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(2));
    }
    let second = prefetch.next(1).unwrap();
    assert!(second.queued >= 8, "{}", second.queued);
}

/// Those of an evaluation: each epoch goes through the clips that are taken, as often as its samples need, and no others.
#[test]
fn an_evaluation_trains_on_the_clips_that_are_taken_alone() {
    let (eval, recipe) = crate::data::fixtures::finetuning(Clips::Random(1), 4, 12, 2);
    let clips = source(&work(), |_| Ok(()));
    let takes = |clip: usize| clip % 3 != 1;
    let all: Vec<u32> = (0..8).filter(|clip| takes(*clip as usize)).collect();
    let views = |threads, first_step| {
        let options = Options {
            threads,
            first_step,
            ..OPTIONS
        };
        let work = (&eval, &recipe);
        let loader = Loader::of_eval(Arc::clone(&clips), work, &takes, 11, &options).unwrap();
        let mut prefetch = Prefetch::new(loader, first_step, &NEVER);
        let batch = |step| {
            let mut batch = prefetch.next(step).unwrap();
            let view = batch.views.remove(&("v".to_owned(), 1)).unwrap();
            assert!(batch.views.is_empty());
            assert_eq!(*batch.clips.all, all[..]);
            (batch.clips.own, batch.keys, view)
        };
        (first_step..6).map(batch).collect::<Vec<_>>()
    };
    let one = views(1, 0);
    assert_eq!(one[0].2.size(), [4, 3, 4, 32, 32]);
    for epoch in one.chunks(3) {
        let mut read: Vec<u32> = epoch.iter().flat_map(|(own, _, _)| own.clone()).collect();
        let mut firsts = read[..all.len()].to_vec();
        firsts.sort_unstable();
        assert_eq!(firsts, all);
        read.sort_unstable();
        read.dedup();
        assert_eq!(read, all);
    }
    assert_ne!(one[0].0, one[3].0);
    assert_eq!(views(3, 4), one[4..]);
    let loader = Loader::of_eval(clips, (&eval, &recipe), &|_| false, 11, &OPTIONS);
    let message = loader.err().unwrap().to_string();
    assert!(
        message.contains("none of its 8 clips can be trained on"),
        "{message}"
    );
}
