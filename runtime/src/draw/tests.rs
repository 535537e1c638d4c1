//! Drawings of rendered clips by a small network as it was drawn, and of features made by hand.

use super::*;
use crate::checkpoint;
use crate::data::fixtures::{finetuning, rendered, video};
use crate::data::loader::Part;
use crate::data::source::{Request, Streams, Ticks};
use crate::data::synthetic::RenderedClips;
use crate::error::Error;
use crate::eval::features::extract;
use crate::nn::Backbone;
use compiler::hir::{
    Clips, Data, Embedded, Eval, FeatureStep, Gallery, Head, Layer, Part as Side, Pretrain,
    Projection, Sampled, Score,
};
use compiler::plan::{Extract, StageId};
use compiler::units::Exact;
use std::sync::atomic::Ordering;
use tempfile::TempDir;

/// A backbone in small, its weights on the disk, and clips of it: 6 of 24 are test clips of the one split, and 18 train.
struct Lab {
    settings: Pretrain,
    folder: TempDir,
    source: Arc<dyn ClipSource>,
    eval: Eval,
    few: bool,
    threads: usize,
    stop: AtomicBool,
}

impl Lab {
    fn new() -> Self {
        let (mut eval, _) = finetuning(Clips::Uniform(1), 4, 8, 1);
        eval.head = Head::Neighbours;
        eval.score = Score::Recall(1);
        eval.features = vec![FeatureStep::MeanClips];
        let mut settings = rendered().settings.as_ref().clone();
        settings.modalities[0].f.layers = vec![Layer::R2plus1d {
            depth: 10,
            width: 4,
            strides: vec![],
        }];
        let Data::Synthetic(clips) = &mut eval.data else {
            unreachable!("the fixture is rendered")
        };
        (clips.clips, clips.classes, clips.splits) = (24, 2, 1);
        let source: Arc<dyn ClipSource> = Arc::new(RenderedClips::new(clips));
        let lab = Self {
            settings,
            folder: tempfile::tempdir().unwrap(),
            source,
            eval,
            few: false,
            threads: 2,
            stop: AtomicBool::new(false),
        };
        let (_, parameters) = Backbone::of_modality(&lab.settings, "v", Device::Cpu).unwrap();
        checkpoint::save(&lab.weights(), parameters.entries()).unwrap();
        lab
    }

    fn weights(&self) -> std::path::PathBuf {
        self.folder.path().join("weights.safetensors")
    }

    fn options(&self) -> Options {
        Options {
            threads: self.threads,
            ahead: 2,
            max_bad_share: 0.0,
            first_step: 0,
            part: Part::WHOLE,
            augment_on: None,
        }
    }

    fn trained<'a>(&'a self, weights: &'a std::path::Path) -> Trained<'a> {
        Trained {
            settings: &self.settings,
            weights,
        }
    }

    /// The features that a gallery is drawn of.
    fn features(&self) -> FeatureSet {
        let work = Extract {
            model: StageId("1".repeat(64)),
            checkpoint: None,
            eval: self.eval.clone(),
            seed: 3,
        };
        let (weights, stop) = (self.weights(), AtomicBool::new(false));
        let folder = std::env::temp_dir();
        let how = (&self.options(), None, folder.as_path());
        let model = self.trained(&weights);
        let found = extract(
            &work,
            model,
            &self.source,
            Device::Cpu,
            how,
            &mut |_, _| (),
            &stop,
        );
        found.unwrap().0
    }

    fn draw(&self, drawing: Drawing, set: Option<&FeatureSet>) -> Result<Panel> {
        let work = Draw {
            from: StageId("1".repeat(64)),
            checkpoint: None,
            drawing,
            seed: 3,
        };
        let weights = self.weights();
        let origin = match set {
            Some(set) => Origin::Features(set),
            None => Origin::Networks(self.trained(&weights)),
        };
        let mut tools = Tools {
            source: &self.source,
            device: Device::Cpu,
            options: &self.options(),
            few: self.few,
            progress: &mut |done, all, _| assert!(done <= all),
            stop: &self.stop,
        };
        super::draw(&work, origin, &mut tools)
    }

    fn gallery(&self, queries: u32, top: u32) -> Drawing {
        Drawing::Gallery(Box::new(Gallery {
            eval: self.eval.clone(),
            queries,
            top,
        }))
    }

    fn embedding(&self, samples: u32, clips: u32, by: Projection) -> Drawing {
        Drawing::Embedding(Box::new(Embedded {
            of: Sampled {
                data: self.eval.data.clone(),
                uses: "v".to_owned(),
                clip: video(4, 32),
                clips: Clips::Uniform(clips),
                split: Side::Train,
                samples,
            },
            features: vec![],
            by,
        }))
    }
}

fn perplexity(of: i128) -> Projection {
    Projection::Tsne {
        perplexity: Exact::whole(of),
    }
}

#[test]
fn a_gallery_shows_what_retrieval_finds() {
    let lab = Lab::new();
    let set = lab.features();
    let panel = lab.draw(lab.gallery(3, 2), Some(&set)).unwrap();
    assert_eq!(panel, lab.draw(lab.gallery(3, 2), Some(&set)).unwrap());
    let queries = panel.data["queries"].as_array().unwrap();
    assert_eq!(queries.len(), 3);
    let mut shown = std::collections::BTreeSet::new();
    let mut right = 0;
    for query in queries {
        shown.insert(query["sample"].as_str().unwrap());
        let near = query["neighbours"].as_array().unwrap();
        assert_eq!(near.len(), 2);
        let similarity = |at: usize| near[at]["similarity"].as_f64().unwrap();
        assert!(similarity(0) >= similarity(1));
        for near in near {
            assert_eq!(near["right"], query["class"] == near["class"]);
            right += usize::from(near["right"] == true);
            shown.insert(near["sample"].as_str().unwrap());
        }
    }
    assert_eq!(panel.svg.matches("<image").count(), 9);
    assert_eq!(panel.clips.asked as usize, shown.len());
    assert!((panel.numbers["right"] - 100.0 * right as f64 / 6.0).abs() < 1e-9);
    assert!(
        panel
            .svg
            .contains(&format!("{right} of 6 neighbours are of the query's class"))
    );
}

#[test]
fn a_gallery_of_more_than_there_is_says_so() {
    let lab = Lab::new();
    let panel = lab
        .draw(lab.gallery(90, 50), Some(&lab.features()))
        .unwrap();
    assert_eq!(panel.data["queries"].as_array().unwrap().len(), 6);
    for said in [
        "90 queries were asked for; 6 are shown",
        "50 neighbours were asked for",
    ] {
        assert!(panel.svg.contains(said), "{said}");
    }
}

#[test]
fn features_that_tell_nothing_apart_are_not_drawn() {
    let lab = Lab::new();
    let mut set = lab.features();
    let message = |set: &FeatureSet| {
        let error = lab.draw(lab.gallery(3, 2), Some(set)).unwrap_err();
        (error.to_string(), error.help().is_some())
    };
    set.train.values.held().fill(0.25);
    let expected = "data set `synthetic`: the features of all training samples are the same, so that nothing tells one from another";
    assert_eq!(message(&set), (expected.to_owned(), true));
    set.test.values.held()[0] = f32::NAN;
    assert!(message(&set).0.ends_with("are not finite"));
}

#[test]
fn an_embedding_shows_each_sample_once() {
    let mut lab = Lab::new();
    let drawing = || lab.embedding(15, 1, perplexity(4));
    let panel = lab.draw(drawing(), None).unwrap();
    let points = panel.data["points"].as_array().unwrap();
    let names: std::collections::BTreeSet<_> = points
        .iter()
        .map(|point| point["sample"].as_str().unwrap())
        .collect();
    assert_eq!((points.len(), names.len()), (15, 15));
    assert!(
        points
            .iter()
            .all(|point| point["x"].is_f64() && point["class"].is_string())
    );
    assert_eq!(panel.data["similarity"]["pairs"], 105);
    assert_eq!(
        panel.data["similarity"]["alignment_of"],
        "samples of a class"
    );
    assert!(panel.numbers["uniformity"] < 0.0 && panel.numbers["alignment"] > 0.0);
    let [(name, vega)] = panel.files.as_slice() else {
        panic!("{} files", panel.files.len())
    };
    assert_eq!(name, "figure.vl.json");
    let vega: Value = serde_json::from_slice(vega).unwrap();
    assert_eq!(vega["hconcat"][0]["data"]["values"], panel.data["points"]);
    let scale = &vega["hconcat"][0]["encoding"]["color"]["scale"];
    let domain = scale["domain"].as_array().unwrap();
    assert_eq!(domain.len(), scale["range"].as_array().unwrap().len());
    for (at, class) in domain.iter().enumerate() {
        let colour = scale["range"][at].as_str().unwrap();
        assert!(
            panel.svg.contains(&format!(".s-c{at}{{stroke:{colour}}}")),
            "{colour}"
        );
        assert!(points.iter().any(|point| point["class"] == *class));
    }
    let below = vega["title"]["subtitle"].as_array().unwrap();
    let uniformity = format!("uniformity {:.3}, alignment ", panel.numbers["uniformity"]);
    let uniformity = uniformity.replace('-', "\u{2212}");
    let last = below.last().and_then(Value::as_str).unwrap();
    assert!(last.starts_with(&uniformity), "{last}");
    let mut lines = panel.lines.iter();
    assert_eq!(lines.next().unwrap(), &["sample", "class", "x", "y"]);
    for (line, point) in lines.zip(points) {
        assert_eq!(line[0], point["sample"].as_str().unwrap());
        assert_eq!(
            line[2].parse::<f64>().unwrap(),
            point["x"].as_f64().unwrap()
        );
    }
    assert_eq!(panel.lines.len(), 16);
    lab.threads = 4;
    assert_eq!(
        lab.draw(lab.embedding(15, 1, perplexity(4)), None).unwrap(),
        panel
    );
}

/// Rendered clips as if they were files of this machine.
struct Filed(Arc<dyn ClipSource>);

impl ClipSource for Filed {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn name(&self, clip: usize) -> String {
        format!("/data/clips/some/{clip}.mp4")
    }

    fn folder(&self) -> Option<&std::path::Path> {
        Some("/data/clips".as_ref())
    }

    fn label(&self, clip: usize) -> Option<u32> {
        self.0.label(clip)
    }

    fn classes(&self) -> &[String] {
        self.0.classes()
    }

    fn fold(&self, clip: usize) -> Option<u32> {
        self.0.fold(clip)
    }

    fn streams(&self, clip: usize) -> Result<Streams> {
        self.0.streams(clip)
    }

    fn read(&self, clip: usize, requests: &[Request]) -> Result<Vec<Ticks>> {
        self.0.read(clip, requests)
    }

    fn fingerprint(&self) -> String {
        self.0.fingerprint()
    }
}

#[test]
fn files_are_named_from_the_folder_of_their_data_set_on() {
    let mut lab = Lab::new();
    lab.source = Arc::new(Filed(Arc::clone(&lab.source)));
    let set = lab.features();
    assert_eq!(set.samples[3], "/data/clips/some/3.mp4");
    for (drawing, set) in [
        (lab.gallery(3, 2), Some(&set)),
        (lab.embedding(15, 1, Projection::Pca), None),
    ] {
        let panel = lab.draw(drawing, set).unwrap();
        assert!(panel.lines[1][0].starts_with("some/"), "{:?}", panel.lines);
        let (data, svg) = (panel.data.to_string(), panel.svg);
        assert!(data.contains("\"some/"), "{data}");
        for text in [data, svg] {
            assert!(!text.contains("/data/clips"), "{text}");
        }
        for (name, bytes) in panel.files {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("/data/clips"), "{name}");
        }
    }
}

#[test]
fn clips_of_a_sample_are_its_positives() {
    let lab = Lab::new();
    let panel = lab
        .draw(lab.embedding(40, 2, Projection::Pca), None)
        .unwrap();
    assert_eq!(panel.data["clips_of_a_sample"], 2);
    assert_eq!(
        panel.data["similarity"]["alignment_of"],
        "clips of a sample"
    );
    assert_eq!(panel.data["points"].as_array().unwrap().len(), 18);
    assert!(
        panel
            .svg
            .contains("40 samples were asked for, 18 of 18 drawn")
    );
    let shares = &panel.data["projection"]["variance"];
    assert!(shares[0].as_f64() >= shares[1].as_f64(), "{shares}");
}

#[test]
fn too_few_samples_for_a_perplexity_are_said_unless_it_is_a_try() {
    let mut lab = Lab::new();
    let error = lab
        .draw(lab.embedding(40, 1, perplexity(9)), None)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "data set `synthetic`: a perplexity of 9 looks at 27 neighbours of each sample, and of the samples drawn 18 could be read"
    );
    assert!(
        error
            .help()
            .is_some_and(|help| help.contains("to 5 at most"))
    );
    lab.few = true;
    let panel = lab.draw(lab.embedding(40, 1, perplexity(9)), None).unwrap();
    assert_eq!(panel.data["drawn"], 16);
}

#[test]
fn a_drawing_is_interrupted() {
    let lab = Lab::new();
    let set = lab.features();
    lab.stop.store(true, Ordering::Relaxed);
    for (drawing, set) in [
        (lab.gallery(3, 2), Some(&set)),
        (lab.embedding(15, 1, Projection::Pca), None),
    ] {
        let error = lab.draw(drawing, set).unwrap_err();
        assert!(matches!(error, Error::Interrupted), "{error}");
    }
}
