//! Saliency maps of rendered clips, from a checkpoint to a panel.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

mod small;

use compiler::hir::{Clips, Data, Drawing, Part, Pretrain, Saliency, Sampled, Smooth, Target};
use compiler::plan::{Draw, StageId};
use compiler::units::Exact;
use runtime::checkpoint;
use runtime::data;
use runtime::data::loader::{Options, Part as Of};
use runtime::draw::{Origin, Panel, Tools, draw};
use runtime::error::Result;
use runtime::eval::features::Trained;
use runtime::nn::Model;
use small::settings;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use tch::{Device, Tensor, no_grad};

/// Random networks as a checkpoint, every tensor as `change` leaves it.
fn weights(settings: &Pretrain, folder: &Path, change: impl Fn(&str, &Tensor) -> Option<Tensor>) {
    let model = Model::new(settings, ["v.f", "a.f"], Device::Cpu).unwrap();
    for entry in model.entries() {
        if let Some(changed) = change(&entry.name, &entry.tensor) {
            no_grad(|| entry.set(&changed)).unwrap();
        }
    }
    checkpoint::save(&folder.join(checkpoint::FILE), model.entries()).unwrap();
}

/// Three test clips of the modality `uses`, two windows each.
fn asked(settings: &Pretrain, uses: &str, target: Target, smooth: Option<Smooth>) -> Saliency {
    let mut data = settings.data.clone();
    let Data::Synthetic(set) = &mut data else {
        unreachable!("small: rendered clips")
    };
    (set.clips, set.length) = (24, Exact::whole(2));
    Saliency {
        of: Sampled {
            data,
            uses: uses.to_owned(),
            clip: settings.modality(uses).unwrap().clip.clone(),
            clips: Clips::Uniform(2),
            split: Part::Test,
            samples: 3,
        },
        target,
        smooth,
    }
}

fn panel(settings: &Pretrain, saliency: Saliency, folder: &Path) -> Result<Panel> {
    let source = data::open(&saliency.of.data, &Default::default(), 1).unwrap();
    let options = Options {
        threads: 1,
        ahead: 1,
        max_bad_share: 0.0,
        first_step: 0,
        part: Of::WHOLE,
        augment_on: None,
    };
    let mut tools = Tools {
        source: &source,
        device: Device::Cpu,
        options: &options,
        few: false,
        progress: &mut |_, _, _| (),
        stop: &AtomicBool::new(false),
    };
    let work = Draw {
        from: StageId("0".repeat(64)),
        checkpoint: None,
        drawing: Drawing::Saliency(Box::new(saliency)),
        seed: 7,
    };
    let file = folder.join(checkpoint::FILE);
    let model = Trained {
        settings,
        weights: &file,
    };
    draw(&work, Origin::Networks(model), &mut tools)
}

#[test]
fn maps_of_both_modalities_and_targets_are_drawn_and_told() {
    let settings = settings();
    let folder = tempfile::tempdir().unwrap();
    weights(&settings, folder.path(), |_, _| None);
    let smooth = Smooth {
        draws: 3,
        noise: Exact::new(1, 10),
    };
    for (uses, other) in [("v", "a"), ("a", "v")] {
        for target in [Target::Agreement, Target::Activation] {
            for smooth in [None, Some(smooth)] {
                let made = panel(
                    &settings,
                    asked(&settings, uses, target, smooth),
                    folder.path(),
                );
                let made = made.unwrap();
                let again = panel(
                    &settings,
                    asked(&settings, uses, target, smooth),
                    folder.path(),
                );
                assert_eq!(made, again.unwrap());
                let data = &made.data;
                assert_eq!(data["samples"].as_array().unwrap().len(), 3);
                let first = &data["samples"][0];
                let clips = first["clips"].as_array().unwrap();
                assert_eq!(clips.len(), 2);
                match target {
                    Target::Agreement => {
                        let value = clips[0]["agreement"].as_f64().unwrap();
                        assert!((-1.0..=1.0).contains(&value));
                        assert_eq!(data["compared_with"], other);
                        // Frames of a quarter of a second in the middle of 0.4 s of sound, as far as the clip reaches.
                        let places = clips
                            .iter()
                            .map(|clip| clip["compared_start"].as_f64().unwrap());
                        let places: Vec<f64> = places.collect();
                        let expected = if uses == "v" {
                            [0.0, 1.6]
                        } else {
                            [0.075, 1.675]
                        };
                        let is_near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-9;
                        assert!(places.iter().zip(&expected).all(is_near), "{places:?}");
                    }
                    Target::Activation => {
                        assert!(clips[0]["activation"].as_f64().unwrap() > 0.0);
                        assert!(data["compared_with"].is_null());
                    }
                }
                let lines = &made.lines;
                assert_eq!(lines.len(), 1 + 3 * 2);
                assert_eq!(lines[1][0], first["sample"].as_str().unwrap());
                assert!(made.numbers.contains_key(&lines[0][3]));
                assert_eq!(lines[2][6], first["film"].as_str().unwrap());
                assert_eq!(made.files.len(), 3);
                for (name, bytes) in &made.files {
                    let has_mark = match name.rsplit('.').next() {
                        Some("mp4") => bytes[4..].starts_with(b"ftyp"),
                        Some("webm") => bytes.starts_with(b"\x1a\x45\xdf\xa3"),
                        Some(_) | None => bytes.starts_with(b"\x89PNG"),
                    };
                    assert!(name.starts_with("saliency-") && has_mark, "{name}");
                    // Sound stands still.
                    assert!(uses == "v" || name.ends_with(".png"), "{name}");
                }
                assert!(made.svg.ends_with("</svg>\n") && !made.svg.contains('`'));
                assert_eq!((made.clips.asked, made.clips.skipped), (3, 0));
            }
        }
    }
}

/// Where the last convolutions give nothing, the map is 0 everywhere: the picture says so, and nothing is divided by it.
#[test]
fn a_map_of_zeros_is_said_to_be_one() {
    let settings = settings();
    let folder = tempfile::tempdir().unwrap();
    let silent = |name: &str, tensor: &Tensor| {
        let is_last = name.starts_with("video_backbone.conv5x");
        (is_last && !name.contains("running") && !name.contains("num_batches"))
            .then(|| tensor.zeros_like())
    };
    weights(&settings, folder.path(), silent);
    for target in [Target::Agreement, Target::Activation] {
        let made = panel(
            &settings,
            asked(&settings, "v", target, None),
            folder.path(),
        )
        .unwrap();
        let clip = &made.data["samples"][0]["clips"][0];
        assert_eq!(clip["peak"], 0.0);
        assert_eq!(
            clip["flat"],
            "nothing speaks for the target: the map is 0 everywhere"
        );
        assert!(made.svg.contains("the map is 0 everywhere"));
    }
}

#[test]
fn networks_that_have_diverged_are_an_error() {
    let settings = settings();
    let folder = tempfile::tempdir().unwrap();
    let lost = |name: &str, tensor: &Tensor| {
        (name == "video_projector.layer1.0.weight").then(|| tensor.full_like(f64::NAN))
    };
    weights(&settings, folder.path(), lost);
    let asked = |target| asked(&settings, "v", target, None);
    let error = panel(&settings, asked(Target::Agreement), folder.path()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("`rendered clip") && text.contains("is not finite"),
        "{text}"
    );
    // The projector is not asked for a length.
    panel(&settings, asked(Target::Activation), folder.path()).unwrap();
}
