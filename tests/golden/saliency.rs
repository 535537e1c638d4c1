//! Saliency maps against PyTorch, in float64.

use super::recipe::{Stream, json, numbers};
use compiler::hir::{Clip, Clips, Part, Pretrain, Saliency, Sampled, Target};
use runtime::checkpoint;
use runtime::draw::saliency::networks::{Networks, Seen};
use runtime::eval::features::Trained;
use runtime::nn::Model;
use runtime::nn::parameters::Entry;
use tch::{Device, Kind, Tensor};

/// The largest difference of a cell from PyTorch's, of the largest cell of its map: both sides compute in float64.
const TOLERANCE: f64 = 1e-9;

/// The networks of `saliency.py`.
fn settings() -> Pretrain {
    let text = "use paper\npretrain small = crisscross with {\n\
         precision = fp64\n\
         v.f = r2plus1d(depth: 10, width: 4) - fc(4)-bn   v.h = fc(4)-bn-relu - fc(4)\n\
         a.f = resnet(depth: 10, width: 4, channels: 1) - fc(4)-bn   a.h = fc(4)-bn-relu - fc(4)\n}\n";
    let mut sources = compiler::sources();
    let root = sources.add("s.cc", text);
    let (program, found) =
        compiler::check(&mut sources, root, &|_, _| None, compiler::Profile::Full);
    let program = program.unwrap_or_else(|| panic!("{found:?}"));
    program.pretrains.into_iter().next().unwrap().pretrain
}

/// `sym(name, i)` of README.md in this shape.
fn sym(name: &str, shape: &[i64]) -> Tensor {
    let (stream, count) = (Stream::new(name), shape.iter().product::<i64>());
    let values: Vec<f64> = (0..count as usize).map(|at| stream.at(at)).collect();
    Tensor::from_slice(&values).view(shape)
}

/// Values of its own for each tensor, as `filled` in `saliency.py`.
fn fill(entry: &Entry) {
    let shape = entry.tensor.size();
    let drawn = sym(&entry.name, &shape);
    let values = match shape[..] {
        _ if entry.name.ends_with("num_batches_tracked") => Tensor::from(7i64),
        _ if entry.name.ends_with("running_var") => drawn * 0.5 + 1.0,
        [_] if entry.name.ends_with("weight") => drawn * 0.2 + 1.0,
        [_] => drawn * 0.1,
        _ => drawn * (6.0 / (entry.tensor.numel() as f64 / shape[0] as f64)).sqrt(),
    };
    entry.set(&values).unwrap();
}

fn saliency(settings: &Pretrain, uses: &str, target: &str) -> Saliency {
    let clip: &Clip = &settings.modality(uses).unwrap().clip;
    Saliency {
        of: Sampled {
            data: settings.data.clone(),
            uses: uses.to_owned(),
            clip: clip.clone(),
            clips: Clips::Uniform(1),
            split: Part::Test,
            samples: 1,
        },
        target: match target {
            "agreement" => Target::Agreement,
            _ => Target::Activation,
        },
        smooth: None,
    }
}

#[test]
fn maps_are_those_of_pytorch() {
    let golden = json("saliency.json");
    let settings = settings();
    let model = Model::new(&settings, ["v.f", "a.f"], Device::Cpu).unwrap();
    model.entries().for_each(fill);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(checkpoint::FILE);
    checkpoint::save(&file, model.entries()).unwrap();
    let trained = Trained {
        settings: &settings,
        weights: &file,
    };
    let shape = |modality: &str| -> Vec<i64> {
        let lengths = numbers(&golden["clips"][modality]);
        lengths.into_iter().map(|length| length as i64).collect()
    };
    let noise = golden["noise"].as_f64().unwrap();
    let mut compared = 0;
    for case in golden["cases"].as_array().unwrap() {
        let (uses, target) = (
            case["modality"].as_str().unwrap(),
            case["target"].as_str().unwrap(),
        );
        let other = if uses == "v" { "a" } else { "v" };
        let clip = |modality: &str| sym(&format!("saliency.{modality}"), &shape(modality));
        let (view, beside) = (clip(uses), clip(other));
        let asked = saliency(&settings, uses, target);
        let networks = Networks::load(trained, &asked, Device::Cpu).unwrap();
        let copies = (0..golden["copies"].as_u64().unwrap())
            .map(|k| &view + sym(&format!("saliency.noise.{k}"), &shape(uses)) * noise);
        for (name, seen) in [
            ("gradcam", networks.look(&view, Some(&beside)).unwrap()),
            (
                "smooth",
                networks
                    .look_smoothly(&view, Some(&beside), copies)
                    .unwrap(),
            ),
        ] {
            let Seen { target: value, map } = seen;
            let expected = case["value"].as_f64().unwrap();
            assert!(
                (value - expected).abs() < TOLERANCE,
                "{uses} {target}: {value} is not {expected}"
            );
            let cells = map.cells.to_kind(Kind::Double).flatten(0, -1);
            let cells = Vec::<f64>::try_from(cells).unwrap();
            let golden = numbers(&case[name]);
            assert_eq!(cells.len(), golden.len());
            let peak = golden.iter().copied().fold(0.0, f64::max);
            for (cell, golden) in cells.iter().zip(&golden) {
                let off = (cell - golden).abs();
                assert!(
                    off <= TOLERANCE * peak,
                    "{uses} {target} {name}: {cell} is not {golden}"
                );
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 2 * 2 * (18 + 12));
}
