//! Finetunings of rendered clips: interrupted, chosen, and wrong in the ways in which data and recipes can be.

use super::*;
use crate::checkpoint;
use crate::data::fixtures::finetuning;
use crate::data::loader::Part as Whole;
use crate::data::synthetic::RenderedClips;
use compiler::hir::{Clips, Data, Layer, Precision, Pretrain};
use compiler::units::Exact;
use records::folder::METRICS;
use tch::{Kind, Tensor};
use tempfile::TempDir;

/// A backbone in small, its weights on the disk, and clips of it.
struct Lab {
    settings: Pretrain,
    folder: TempDir,
    source: Arc<dyn ClipSource>,
    work: plan::Finetune,
}

/// Counts the steps of this process, keeps what is said, and stops it after the step `until`.
#[derive(Default)]
struct Watching {
    steps: u64,
    until: Option<u64>,
    stop: Arc<AtomicBool>,
    said: Vec<String>,
}

impl Observer for Watching {
    fn step(&mut self, _: u64, _: u64, _: &str) {
        self.steps += 1;
        if self.until == Some(self.steps) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn say(&mut self, line: &str) {
        self.said.push(line.to_owned());
    }
}

impl Lab {
    /// Three epochs of two steps of four on twelve clips of two classes in two folds.
    fn new(change: impl FnOnce(&mut hir::Finetune)) -> Self {
        let (mut eval, mut recipe) = finetuning(Clips::Random(1), 4, 8, 3);
        change(&mut recipe);
        recipe.drp = Exact::new(1, 4);
        eval.head = Head::Finetune(Box::new(recipe));
        let mut settings = crate::data::fixtures::rendered().settings.as_ref().clone();
        settings.modalities[0].f.layers = vec![Layer::R2plus1d {
            depth: 10,
            width: 4,
            strides: vec![],
        }];
        if let Data::Synthetic(clips) = &mut eval.data {
            (clips.clips, clips.classes, clips.splits) = (12, 2, 2);
        }
        let Data::Synthetic(clips) = &eval.data else {
            unreachable!("the fixture is rendered")
        };
        let source: Arc<dyn ClipSource> = Arc::new(RenderedClips::new(clips));
        let lab = Self {
            settings,
            folder: tempfile::tempdir().unwrap(),
            source,
            work: plan::Finetune {
                model: StageId("1".repeat(64)),
                checkpoint: None,
                eval,
                seed: 3,
            },
        };
        let (_, parameters) =
            crate::nn::Backbone::of_modality(&lab.settings, "v", Device::Cpu).unwrap();
        checkpoint::save(&lab.weights(), parameters.entries()).unwrap();
        lab
    }

    fn weights(&self) -> std::path::PathBuf {
        self.folder.path().join("weights.safetensors")
    }

    /// A folder for an attempt.
    fn attempt(&self) -> TempDir {
        tempfile::tempdir_in(self.folder.path()).unwrap()
    }

    fn run(
        &self,
        folder: &Path,
        pause_after: Option<u64>,
        watching: &mut Watching,
    ) -> Result<Tuned> {
        let stop = Arc::clone(&watching.stop);
        let options = Options {
            device: Device::Cpu,
            reading: loader::Options {
                threads: 2,
                ahead: 2,
                max_bad_share: 0.0,
                first_step: 0,
                part: Whole::WHOLE,
                augment_on: None,
            },
            few: false,
            save_every: Duration::MAX,
            pause_after,
            stop: &stop,
        };
        let weights = self.weights();
        let model = Trained {
            settings: &self.settings,
            weights: &weights,
        };
        let stage = StageId("2".repeat(64));
        finetune(
            (&stage, &self.work),
            model,
            &self.source,
            folder,
            &options,
            watching,
        )
    }

    fn whole(&self) -> (Tuned, Vec<EpochMetrics>) {
        let folder = self.attempt();
        let tuned = self
            .run(folder.path(), None, &mut Watching::default())
            .unwrap();
        (tuned, lines(folder.path()))
    }

    fn message(&self) -> String {
        let folder = self.attempt();
        let done = self.run(folder.path(), None, &mut Watching::default());
        done.unwrap_err().to_string()
    }

    /// Its clips in other classes or folds.
    fn relabelled(mut self, label: fn(usize) -> u32, fold: fn(usize) -> u32) -> Self {
        self.source = Arc::new(Relabelled {
            inner: self.source,
            label,
            fold,
        });
        self
    }
}

/// Without their times.
fn lines(folder: &Path) -> Vec<EpochMetrics> {
    let text = std::fs::read_to_string(folder.join(METRICS)).unwrap();
    let line = |line| EpochMetrics {
        seconds: 0.0,
        ..serde_json::from_str(line).unwrap()
    };
    text.lines().map(line).collect()
}

/// Clips of a source in other classes and folds.
struct Relabelled {
    inner: Arc<dyn ClipSource>,
    label: fn(usize) -> u32,
    fold: fn(usize) -> u32,
}

impl ClipSource for Relabelled {
    fn len(&self) -> usize {
        self.inner.len()
    }
    fn name(&self, clip: usize) -> String {
        self.inner.name(clip)
    }
    fn label(&self, clip: usize) -> Option<u32> {
        Some((self.label)(clip))
    }
    fn classes(&self) -> &[String] {
        self.inner.classes()
    }
    fn fold(&self, clip: usize) -> Option<u32> {
        Some((self.fold)(clip))
    }
    fn streams(&self, clip: usize) -> Result<crate::data::source::Streams> {
        self.inner.streams(clip)
    }
    fn read(
        &self,
        clip: usize,
        requests: &[crate::data::source::Request],
    ) -> Result<Vec<crate::data::source::Ticks>> {
        self.inner.read(clip, requests)
    }
    fn fingerprint(&self) -> String {
        self.inner.fingerprint()
    }
}

fn best(choose: Choose) -> impl FnOnce(&mut hir::Finetune) {
    move |recipe| recipe.keep = Keep::Best(choose)
}

#[test]
fn each_split_is_a_training_of_its_own_and_the_best_epoch_stands_beside_the_last() {
    let lab = Lab::new(best(Choose::Test));
    let (tuned, lines) = lab.whole();
    assert_eq!(lines.len(), 6);
    for (at, (split, judged)) in tuned.splits.iter().enumerate() {
        assert_eq!((split.train.len(), split.test.len()), (6, 6));
        let own = &lines[3 * at..][..3];
        assert!(
            own.iter()
                .all(|line| line.split == split.name && line.part == Part::Fit)
        );
        let epochs: Vec<u32> = own.iter().map(|line| line.epoch).collect();
        assert_eq!((epochs, own[2].steps), (vec![1, 2, 3], 6));
        let top1: Vec<f64> = own.iter().filter_map(|line| line.top1).collect();
        let tried: Vec<f64> = judged.tried.iter().map(|(_, top1)| *top1).collect();
        assert_eq!(tried, top1);
        let most = top1.iter().copied().fold(0.0, f64::max);
        let first = top1.iter().position(|value| *value == most).unwrap();
        assert_eq!(share(&judged.outcomes, 1), most);
        assert_eq!(judged.chosen, Chosen::Epoch(first as u32 + 1));
        let asked: Vec<usize> = judged.outcomes.iter().map(|found| found.sample).collect();
        assert_eq!(asked, split.test);
    }
    assert_eq!((tuned.clips.asked, tuned.clips.skipped), (12, 0));
    // Both begin with the same weights: in the first step other clips alone make another loss.
    assert_ne!(lines[0].loss, lines[3].loss);

    let (last, lines) = Lab::new(|recipe| recipe.keep = Keep::Last).whole();
    let asked = lines.iter().filter(|line| line.top1.is_some());
    assert_eq!(asked.map(|line| line.epoch).collect::<Vec<_>>(), [3, 3]);
    for ((_, last), (_, best)) in last.splits.iter().zip(&tuned.splits) {
        assert_eq!(
            (last.chosen.clone(), last.tried.len()),
            (Chosen::Epoch(3), 0)
        );
        assert_eq!(share(&last.outcomes, 1), best.tried[2].1);
    }
}

#[test]
fn held_out_samples_choose_the_epoch_of_a_second_training_on_all() {
    let lab = Lab::new(best(Choose::Val(Exact::new(1, 3))));
    let (tuned, lines) = lab.whole();
    for (split, judged) in &tuned.splits {
        let of = |part| {
            lines
                .iter()
                .filter(move |line| line.split == split.name && line.part == part)
        };
        let chosen: Vec<f64> = of(Part::Choose).filter_map(|line| line.top1).collect();
        let tried: Vec<f64> = judged.tried.iter().map(|(_, top1)| *top1).collect();
        assert_eq!((tried.len(), &tried), (3, &chosen));
        let most = chosen.iter().copied().fold(0.0, f64::max);
        let epoch = chosen.iter().position(|value| *value == most).unwrap() + 1;
        assert_eq!(judged.chosen, Chosen::Epoch(epoch as u32));
        let fitted: Vec<Option<f64>> = of(Part::Fit).map(|line| line.top1).collect();
        assert_eq!(fitted.len(), epoch);
        assert_eq!(fitted[epoch - 1], Some(share(&judged.outcomes, 1)));
        assert!(fitted[..epoch - 1].iter().all(Option::is_none));
        assert_eq!(judged.outcomes.len(), 6);
    }
}

#[test]
fn what_is_interrupted_anywhere_comes_to_the_same_and_trains_nothing_twice() {
    for keep in [Choose::Test, Choose::Val(Exact::new(1, 3))] {
        let lab = Lab::new(best(keep));
        let (whole, expected) = lab.whole();
        let folder = lab.attempt();
        let (mut taken, mut tries) = (0, 0);
        let tuned = loop {
            tries += 1;
            // Between two steps; or at once, where a step is the last of an epoch while samples are asked about.
            let is_paused = tries % 2 == 0;
            let mut watching = Watching {
                until: (!is_paused).then_some(tries),
                ..Watching::default()
            };
            let done = lab.run(folder.path(), is_paused.then_some(tries), &mut watching);
            taken += watching.steps;
            let goes_on = |said: &String| said.starts_with("  goes on in ");
            assert!(watching.said.len() <= 1 && watching.said.iter().all(goes_on));
            assert_eq!(watching.said.is_empty(), tries == 1 || watching.steps == 0);
            match done {
                Ok(tuned) => break tuned,
                Err(Error::Interrupted) => {}
                Err(error) => panic!("{error}"),
            }
        };
        assert!(tries > 3);
        assert_eq!(taken, 2 * expected.len() as u64);
        assert_eq!(
            (&tuned.splits, lines(folder.path())),
            (&whole.splits, expected)
        );
        // What is finished is not trained again, whatever has become of its process.
        let mut watching = Watching::default();
        let again = lab.run(folder.path(), None, &mut watching).unwrap();
        assert_eq!((again.splits, watching.steps), (whole.splits, 0));
    }
}

#[test]
fn a_damaged_point_is_passed_over_and_that_of_another_stage_is_refused() {
    let lab = Lab::new(best(Choose::Test));
    let (whole, _) = lab.whole();
    let folder = lab.attempt();
    for _ in 0..2 {
        lab.run(folder.path(), Some(2), &mut Watching::default())
            .unwrap_err();
    }
    let points = records::points::points(folder.path()).unwrap();
    assert_eq!(points.len(), 2);
    std::fs::write(&points[0].path, "damaged").unwrap();
    let mut watching = Watching::default();
    let tuned = lab.run(folder.path(), None, &mut watching).unwrap();
    assert!(
        watching.said[0].contains("an older state is looked for"),
        "{:?}",
        watching.said
    );
    assert_eq!(tuned.splits, whole.splits);
    for point in records::points::points(folder.path()).unwrap() {
        std::fs::write(&point.path, "damaged").unwrap();
    }
    let done = lab.run(folder.path(), None, &mut watching);
    assert!(done.unwrap_err().to_string().contains("damaged"));
}

#[test]
fn a_finetuning_learns_what_its_clips_show() {
    let lab = Lab::new(|recipe| (recipe.ep, recipe.es) = (8, 24));
    let (_, lines) = lab.whole();
    let loss = |at: usize| lines[at].loss.unwrap();
    assert!(loss(7) < 0.8 * loss(0), "{} {}", loss(0), loss(7));
}

#[test]
fn networks_compute_in_the_precision_of_the_pretraining() {
    let losses = |precision| {
        // One step, so that nothing builds on what was rounded.
        let mut lab = Lab::new(|recipe| (recipe.ep, recipe.es) = (1, 4));
        lab.settings.precision = precision;
        let (_, lines) = lab.whole();
        lines
            .iter()
            .filter_map(|line| line.loss)
            .collect::<Vec<f64>>()
    };
    let whole = losses(Precision::Fp32);
    for precision in [Precision::Bf16, Precision::Fp16] {
        let half = losses(precision);
        assert_ne!(half, whole, "{precision:?}");
        for (half, whole) in half.iter().zip(&whole) {
            assert!(
                (half - whole).abs() < 0.1 * whole,
                "{precision:?}: {half} {whole}"
            );
        }
    }
    // On a processor `amp` is float32.
    assert_eq!(losses(Precision::Amp), whole);
}

#[test]
fn what_cannot_be_finetuned_is_said() {
    let of = |label, fold| Lab::new(|_| ()).relabelled(label, fold);
    let halves = |clip: usize| clip as u32 % 2;
    let classes = Lab::new(|_| ()).source.classes().to_vec();
    let missing = of(|clip| u32::from(clip < 6), |clip| 1 + u32::from(clip < 6));
    assert_eq!(
        missing.message(),
        format!(
            "data set `synthetic`: split 1: no usable training sample of class `{}`",
            classes[0]
        )
    );
    let few = Lab::new(|recipe| recipe.bs = 7).message();
    assert_eq!(
        few,
        "data set `synthetic`: split 1: 6 samples to train on are no batch of 7"
    );
    let empty = of(halves, |_| 1).message();
    assert_eq!(
        empty,
        "data set `synthetic`: no usable sample trains in split 1 of 2"
    );
    let single = Lab::new(best(Choose::Val(Exact::new(1, 3))))
        .relabelled(|clip| u32::from(clip == 11), |clip| 1 + clip as u32 / 6);
    assert_eq!(
        single.message(),
        format!(
            "data set `synthetic`: split 1: one training sample of class `{}`, so none can be held out",
            classes[1]
        )
    );
}

#[test]
fn a_loss_that_is_no_number_ends_it() {
    let lab = Lab::new(|_| ());
    let (_, parameters) =
        crate::nn::Backbone::of_modality(&lab.settings, "v", Device::Cpu).unwrap();
    let entry = &parameters.entries()[0];
    entry
        .set(&Tensor::full(
            entry.tensor.size(),
            f64::NAN,
            (Kind::Float, Device::Cpu),
        ))
        .unwrap();
    checkpoint::save(&lab.weights(), parameters.entries()).unwrap();
    assert_eq!(
        lab.message(),
        "data set `synthetic`: split 1: the finetuning has diverged: the loss is NaN at step 0, in epoch 1"
    );
    let other = Lab::new(|_| ());
    std::fs::write(other.weights(), "no weights").unwrap();
    assert!(other.message().contains("no whole safetensors file"));
}
