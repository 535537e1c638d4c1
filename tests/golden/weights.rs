//! Weights in and out, against PyTorch: files that it has written, and what its networks make of them.

use compiler::hir::Pretrain;
use runtime::checkpoint;
use runtime::error::Error;
use runtime::nn::Backbone;
use runtime::weights::export::export;
use runtime::weights::foreign::{self, Foreign};
use runtime::weights::import::{Matched, matched};
use runtime::weights::names::Names;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor};

/// The largest difference of a feature, of itself where it is above 1. Both sides compute in float64: in float32 the same network of
/// 18 layers is up to 2e-5 off.
const TOLERANCE: f64 = 1e-5;

/// The folder of the files, and whether it is another than the one of the repository.
fn folder() -> (PathBuf, bool) {
    match std::env::var_os("CRISSCROSS_GOLDEN_WEIGHTS") {
        Some(other) => (other.into(), true),
        None => (
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/weights"),
            false,
        ),
    }
}

fn cases() -> Value {
    let text = std::fs::read_to_string(folder().0.join("cases.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The one pretraining of a text.
fn pretrain(text: &str) -> Pretrain {
    let mut sources = compiler::sources();
    let root = sources.add("w.cc", format!("use paper\n{text}\n"));
    let (program, found) =
        compiler::check(&mut sources, root, &|_, _| None, compiler::Profile::Full);
    program
        .unwrap_or_else(|| panic!("{found:?}"))
        .pretrains
        .remove(0)
        .pretrain
}

fn opened(case: &Value) -> Vec<Foreign> {
    let files = case["files"].as_array().unwrap().iter();
    let paths = files.map(|file| folder().0.join(file.as_str().unwrap()));
    paths.map(|path| foreign::open(&path).unwrap()).collect()
}

/// Networks of so many blocks and channels, by the names that the files have.
fn narrow(depth: u32, width: u32) -> Pretrain {
    pretrain(&format!(
        "pretrain small = crisscross with {{\n\
         v.f = r2plus1d(depth: {depth}, width: {width}) - fc(4)-bn   v.h = fc(4)-bn-relu - fc(4)\n\
         a.f = resnet(depth: {depth}, width: {width}, channels: 1) - fc(4)-bn   a.h = fc(4)-bn-relu - fc(4)\n}}"
    ))
}

/// The networks of the files in the repository.
fn small() -> Pretrain {
    narrow(10, 2)
}

/// The file of this name that the repository holds.
fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/weights")
        .join(name)
}

/// `sym(name, i)` of README.md in this shape.
fn sym(name: &str, shape: &[i64]) -> Tensor {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| {
        (h ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let count = shape.iter().product::<i64>() as u64;
    let value = |i: u64| {
        let z = mix(hash.wrapping_add((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        (z >> 40) as f64 / f64::from(1 << 23) - 1.0
    };
    let values: Vec<f64> = (0..count).map(value).collect();
    Tensor::from_slice(&values).view(shape)
}

/// What the backbone of a modality makes of the input, a row for each clip.
fn features(settings: &Pretrain, modality: &str, weights: &Path, shape: &[i64]) -> Tensor {
    let (backbone, parameters) = Backbone::of_modality(settings, modality, Device::Cpu).unwrap();
    checkpoint::load(weights, parameters.entries()).unwrap();
    let map = backbone.conv5(&sym(&format!("input.{modality}"), shape));
    map.flatten(2, -1).mean_dim(-1, false, None)
}

#[test]
fn imported_weights_make_the_features_that_their_own_networks_make() {
    let told = cases();
    let place = tempfile::tempdir().unwrap();
    for case in told["cases"].as_array().unwrap() {
        let settings = pretrain(case["pretrain"].as_str().unwrap());
        let files = opened(case);
        let matched = matched(&settings, &files, None).unwrap();
        let weights = place.path().join("checkpoint.safetensors");
        matched.save(&weights).unwrap();
        for (modality, wanted) in case["features"].as_object().unwrap() {
            let shape: Vec<i64> = serde_json::from_value(told["inputs"][modality].clone()).unwrap();
            let found = features(&settings, modality, &weights, &shape);
            let wanted: Vec<Vec<f64>> = serde_json::from_value(wanted.clone()).unwrap();
            let wanted = Tensor::from_slice2(&wanted);
            let apart = (found.to_kind(Kind::Double) - &wanted).abs() / wanted.abs().clamp_min(1.0);
            let apart = apart.max().double_value(&[]);
            println!("{}: {modality} apart by {apart:.1e}", case["name"]);
            assert!(apart < TOLERANCE, "{}: {modality} {apart:e}", case["name"]);
        }
    }
    let (folder, is_other) = folder();
    for of in told["exports"].as_array().unwrap() {
        let case = &told["cases"][of["case"].as_u64().unwrap() as usize];
        let settings = pretrain(case["pretrain"].as_str().unwrap());
        let files = opened(case);
        let weights = place.path().join("again.safetensors");
        let imported = matched(&settings, &files, None).unwrap();
        imported.save(&weights).unwrap();
        let names = match of["names"].as_str().unwrap() {
            "torchvision" => Names::Torchvision,
            _ => Names::Authors,
        };
        assert!(is_other);
        std::fs::create_dir_all(folder.join("exported")).unwrap();
        let to = folder.join("exported").join(of["file"].as_str().unwrap());
        export(&settings, (&weights, &to), names, of["network"].as_str()).unwrap();
    }
}

/// The tensors of a file by name, as numbers.
fn tensors(file: &Foreign) -> BTreeMap<String, Tensor> {
    let all = file.tensors.iter();
    all.map(|(name, found)| (name.clone(), found.tensor(&file.path, name).unwrap()))
        .collect()
}

#[test]
fn what_is_exported_with_the_names_of_a_file_is_that_file() {
    let settings = small();
    let files = [foreign::open(&kept("vid.pth.tar")).unwrap()];
    let place = tempfile::tempdir().unwrap();
    let weights = place.path().join("checkpoint.safetensors");
    matched(&settings, &files, None)
        .unwrap()
        .save(&weights)
        .unwrap();
    let to = place.path().join("out.safetensors");
    let written = export(&settings, (&weights, &to), Names::Authors, Some("v")).unwrap();
    assert_eq!(
        (written.tensors, written.networks),
        (105, vec!["video_backbone".to_owned()])
    );
    let first = tensors(&files[0]);
    let again = tensors(&foreign::open(&to).unwrap());
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        again.keys().collect::<Vec<_>>()
    );
    assert!(first.iter().all(|(name, tensor)| *tensor == again[name]));
    // And it is imported again as it was.
    let files = [foreign::open(&to).unwrap()];
    let again = place.path().join("again.safetensors");
    matched(&settings, &files, None)
        .unwrap()
        .save(&again)
        .unwrap();
    assert_eq!(
        std::fs::read(weights).unwrap(),
        std::fs::read(again).unwrap()
    );
}

#[test]
fn every_name_of_a_file_is_accounted_for() {
    let settings = small();
    let files = [foreign::open(&kept("training.pth.tar")).unwrap()];
    let matched = matched(&settings, &files, None).unwrap();
    let file = &matched.table.files[0];
    // The encoder of the released code holds its parts once more; the optimiser's tensors are no weights.
    assert_eq!((file.tensors, file.repeated), (297, 112));
    assert_eq!(
        file.unused,
        [("optimizer.state.0.exp_avg".to_owned(), vec![4])]
    );
    assert_eq!(
        file.objects.iter().collect::<Vec<_>>(),
        ["__main__.Schedule"]
    );
    let whole = matched
        .table
        .networks
        .iter()
        .filter(|network| network.is_whole());
    let whole: Vec<(&str, usize)> = whole.map(|n| (n.network.as_str(), n.matched)).collect();
    assert_eq!(
        whole,
        [
            ("audio_backbone", 72),
            ("video_backbone", 105),
            ("video_projector", 7)
        ]
    );
    let sum: usize = whole.iter().map(|(_, count)| count).sum();
    assert_eq!(sum + file.repeated + file.unused.len(), file.tensors);
}

/// What is said of a file as weights of these settings.
fn refused(settings: &Pretrain, files: &[Foreign], network: Option<&str>) -> Error {
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("checkpoint.safetensors");
    let error = matched(settings, files, network)
        .and_then(|matched: Matched<'_>| matched.save(&to))
        .unwrap_err();
    assert!(!to.exists());
    error
}

#[test]
fn weights_of_another_architecture_are_named_with_what_differs() {
    let files = [foreign::open(&kept("vid.pth.tar")).unwrap()];
    let said = refused(&narrow(10, 4), &files, None).to_string();
    assert!(
        said.contains("`video_backbone` in it is another network")
            && said.contains("is [2, 3, 3, 7, 7] there, not [4, 3, 3, 7, 7] (and "),
        "{said}"
    );
    let said = refused(&narrow(18, 2), &files, None).to_string();
    assert!(
        said.contains("`video_backbone.conv2x.1.out_bn.bias` is not there (and "),
        "{said}"
    );
    let error = refused(&small(), &[foreign::open(&kept("code.pth")).unwrap()], None);
    assert!(error.to_string().contains("is not there"), "{error}");
    let error = refused(&small(), &files, Some("flow"));
    assert!(error.to_string().contains("no network `flow`"), "{error}");
    // Both files hold the same network.
    let twice = [
        foreign::open(&kept("vid.pth.tar")).unwrap(),
        foreign::open(&kept("training.pth.tar")).unwrap(),
    ];
    let said = refused(&small(), &twice, None).to_string();
    assert!(
        said.contains("it holds `video_backbone`, and so does"),
        "{said}"
    );
}

#[test]
fn code_in_a_pickle_is_named_and_never_run() {
    let file = foreign::open(&kept("code.pth")).unwrap();
    assert_eq!(file.objects.iter().collect::<Vec<_>>(), ["posix.system"]);
    assert!(foreign::passed_over(&file.objects).contains("none of its code was run"));
    assert!(!Path::new("weights-code-was-run").exists());
}

#[test]
fn what_is_no_file_of_weights_is_said_at_any_length() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("cut.pth");
    let said = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let opened = foreign::open(&path).and_then(|file| {
            let files = [file];
            let to = place.path().join("checkpoint.safetensors");
            matched(&small(), &files, None)?.save(&to)
        });
        let error = opened.unwrap_err();
        assert!(error.help().is_some(), "{error}");
        format!("{error}\n{}", error.help().unwrap())
    };
    for name in ["training.pth.tar", "vid.pth.tar"] {
        let whole = std::fs::read(kept(name)).unwrap();
        for share in [0, 1, 10, 50, 90, 99] {
            said(&whole[..whole.len() * share / 100]);
        }
        said(&whole[..whole.len() - 1]);
    }
    assert!(said(b"hello").contains("no readable file of weights"));
    // The released files come in an archive of their own.
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    zip.start_file(
        "vid_crisscross.pth.tar",
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored),
    )
    .unwrap();
    std::io::Write::write_all(&mut zip, b"inside").unwrap();
    let archive = zip.finish().unwrap().into_inner();
    let text = said(&archive);
    assert!(
        text.contains("zip archive, but no checkpoint") && text.contains("unpack it (`unzip"),
        "{text}"
    );
    let mut nan = std::fs::read(kept("vid.pth.tar")).unwrap();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(said(&nan).contains("not finite"));
}
