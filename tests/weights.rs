//! Weights in and out by the built binaries: imported, evaluated without the data that trained them, exported again.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

mod lab;

use lab::{folders, program, said};
use records::folder::{RUN, read_json};
use records::record::Run;
use std::path::{Path, PathBuf};

/// Networks with the names and shapes of the files in `tests/golden/weights`, trained on a data set that is not here, and scored on
/// one that is rendered.
const SMALL: &str = "
use paper
data toy = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 1)
pretrain small = crisscross with {
  data = K400
  v.f = r2plus1d(depth: 10, width: 2) - fc(4)-bn              v.h = fc(4)-bn-relu - fc(4)
  a.f = resnet(depth: 10, width: 2, channels: 1) - fc(4)-bn   a.h = fc(4)-bn-relu - fc(4)
}
eval see  = linear8  with { clip = 8x112px @ 16fps   train = random(1)   test = uniform(1) }
eval hear = linear2s with { train = random(1)   test = uniform(1) }
table t {
  of     = small
  scores = [see on toy, hear on toy]
  row
}
";

/// What a command that fails on something of this machine says.
fn complaint(command: &mut assert_cmd::Command) -> String {
    lab::complaint(command, 1)
}

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/weights")
        .join(name)
}

#[test]
fn imported_weights_are_evaluated_without_the_data_that_trained_them() {
    let folder = tempfile::tempdir().unwrap();
    let crisscross = || program("crisscross", folder.path());
    std::fs::write(folder.path().join("small.cc"), SMALL).unwrap();
    let import = |file: &str| {
        let mut command = crisscross();
        command
            .arg("import")
            .arg(kept(file))
            .args(["--as", "small.cc:small"]);
        command
    };
    let missing = complaint(crisscross().args(["run", "small.cc"]));
    assert!(missing.contains("K400"), "{missing}");

    let (table, _) = said(import("training.pth.tar").arg("--dry-run"));
    assert!(table.contains("297 tensors, 112 of them twice"), "{table}");
    assert!(table.contains("no such object was made"), "{table}");
    assert_eq!(folders(&folder.path().join("runs")), ["plans"]);

    // Sound alone: what needs the pictures says so.
    said(&mut import("aud.pth"));
    let lacks = complaint(crisscross().args(["run", "small.cc"]));
    assert!(
        lacks.contains("those of `video_backbone` are not among them"),
        "{lacks}"
    );
    let twice = complaint(&mut import("training.pth.tar"));
    assert!(twice.contains("was imported before"), "{twice}");
    std::fs::remove_dir_all(folder.path().join("runs")).unwrap();

    said(&mut import("training.pth.tar"));
    let (table, log) = said(crisscross().args(["run", "small.cc"]));
    assert!(
        table.contains("see on toy") && !log.contains("loss"),
        "{table}\n{log}"
    );
    assert!(table.contains("row 1 were not trained here"), "{table}");
    let (quiet, _) = said(crisscross().args(["plan", "-q", "small.cc"]));
    assert!(
        quiet.contains("done") && !quiet.contains("stopped"),
        "{quiet}"
    );
    let runs = folders(&folder.path().join("runs"));
    let run = runs
        .iter()
        .find(|name| name.starts_with("pretrain-"))
        .unwrap();
    let run: Run = read_json(&folder.path().join("runs").join(run).join(RUN)).unwrap();
    let imported = run.imported.unwrap();
    assert_eq!(
        imported.networks,
        ["audio_backbone", "video_backbone", "video_projector"]
    );
    assert_eq!(imported.fingerprint(), run.data);

    // A try takes them as they are, too, and what only a training has is refused.
    said(crisscross().args(["run", "small.cc", "--smoke"]));
    let name = runs
        .iter()
        .find(|name| name.starts_with("pretrain-"))
        .unwrap();
    let replayed = complaint(crisscross().args(["replay", &format!("runs/{name}"), "--step", "0"]));
    assert!(replayed.contains("were imported"), "{replayed}");
    let along = SMALL.replace("  row\n", "  row checkpoint = 1ep\n");
    std::fs::write(folder.path().join("along.cc"), along).unwrap();
    let (plan, _) = said(crisscross().args(["plan", "along.cc"]));
    assert!(plan.contains("has no state after 1ep"), "{plan}");
    let refused = complaint(crisscross().args(["run", "along.cc"]));
    assert!(refused.contains("those of the end alone"), "{refused}");

    let (written, _) = said(crisscross().args(["export", "small.cc:t:1", "--network", "v"]));
    assert!(
        written.contains("105 tensors of video_backbone"),
        "{written}"
    );
    let (_, again) = said(crisscross().args(["export", "small.cc:t:1", "--network", "v"]));
    assert!(
        again.contains("note: `weights-authors-v.safetensors` will be replaced"),
        "{again}"
    );
    let inside = format!("runs/{name}/checkpoint.safetensors");
    let refused = lab::complaint(
        crisscross().args(["export", "small.cc:small", "--to", &inside]),
        2,
    );
    assert!(refused.contains("lies in a run folder"), "{refused}");
    let refused =
        complaint(crisscross().args(["export", "small.cc:small", "--names", "torchvision"]));
    assert!(
        refused.contains("torchvision's R(2+1)D is another network"),
        "{refused}"
    );
    let missing = complaint(crisscross().args(["export", "small.cc:small", "--epoch", "3"]));
    assert!(missing.contains("checkpoint-3.safetensors"), "{missing}");
}

#[test]
fn files_that_are_no_weights_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small.cc"), SMALL).unwrap();
    let whole = std::fs::read(kept("vid.pth.tar")).unwrap();
    std::fs::write(folder.path().join("cut.pth"), &whole[..whole.len() / 2]).unwrap();
    let import = |files: &[&str], name: &str| {
        let mut command = program("crisscross", folder.path());
        command.arg("import").args(files).args(["--as", name]);
        complaint(&mut command)
    };
    let code = kept("code.pth").display().to_string();
    let cut = import(&["cut.pth"], "small.cc:small");
    assert!(cut.contains("cut.pth") && cut.contains("= help: "), "{cut}");
    let said = import(&[&code], "small.cc:small");
    assert!(
        said.contains("`audio_backbone` in it is another network"),
        "{said}"
    );
    assert!(!folder.path().join("weights-code-was-run").exists());
    let vid = kept("vid.pth.tar").display().to_string();
    let other = import(&[&vid], "crisscross_k400");
    assert!(other.contains("not [64, 3, 3, 7, 7]"), "{other}");
    let none = import(&["gone.pth"], "small.cc:small");
    assert!(none.contains("there is no file `gone.pth`"), "{none}");
    let around = import(&["."], "small.cc:small");
    assert!(around.contains("`.` is a folder"), "{around}");
    assert_eq!(folders(&folder.path().join("runs")), Vec::<String>::new());
}

/// The tensor of this name in a safetensors file, as bytes.
fn tensor(path: &Path, name: &str) -> Vec<u8> {
    let file = std::fs::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
    tensors.tensor(name).unwrap().data().to_vec()
}

#[test]
fn features_of_a_folder_are_those_that_a_run_extracts() {
    let folder = tempfile::tempdir().unwrap();
    let crisscross = || program("crisscross", folder.path());
    let text = SMALL
        .replace("see on toy, hear on toy", "hear on heard")
        .replace(
            "data toy = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 1)",
            "data heard = sounds(train: 4, classes: 2, splits: 2, short: pad)",
        )
        .replace("eval see  = linear8  with { clip = 8x112px @ 16fps   train = random(1)   test = uniform(1) }\n", "");
    std::fs::write(folder.path().join("small.cc"), text).unwrap();
    let site = format!(
        "[data.heard]\nroot = {:?}\ncsv = \"sounds.csv\"\n",
        lab::clips()
    );
    std::fs::write(folder.path().join("crisscross.toml"), site).unwrap();
    said(
        crisscross()
            .arg("import")
            .arg(kept("aud.pth"))
            .args(["--as", "small.cc:t:1"]),
    );
    said(crisscross().args(["run", "small.cc"]));
    let runs = folder.path().join("runs");
    let extracted = folders(&runs)
        .into_iter()
        .find(|name| name.starts_with("extract-"));
    let extracted = runs.join(extracted.unwrap()).join("features.safetensors");
    let features = |what: &str, to: &str| {
        let mut command = crisscross();
        command.args([
            "features",
            what,
            "--weights",
            "small.cc:small",
            "--eval",
            "small.cc:hear",
            "--to",
            to,
        ]);
        command
    };
    let (told, _) = said(&mut features("heard", "heard.safetensors"));
    assert!(
        told.contains("4 rows of 144 values, of 4 of 4 samples"),
        "{told}"
    );
    let written = folder.path().join("heard.safetensors");
    for (theirs, own) in [
        ("test", "features"),
        ("test_sample", "sample"),
        ("label", "label"),
        ("fold", "fold"),
    ] {
        assert_eq!(tensor(&extracted, theirs), tensor(&written, own), "{own}");
    }
    // Any folder, without classes, for NumPy.
    let sounds = lab::clips().join("sounds").display().to_string();
    let (told, _) = said(&mut features(&sounds, "sounds.npz"));
    assert!(told.contains("4 rows of 144 values"), "{told}");
    // One that is shorter than the window is filled up.
    let shorts = folder.path().join("shorts");
    std::fs::create_dir(&shorts).unwrap();
    let wav = |seconds: u32| {
        let bytes = 32_000 * seconds;
        let mut file = b"RIFF".to_vec();
        file.extend((36 + bytes).to_le_bytes());
        file.extend(b"WAVEfmt ");
        file.extend(16u32.to_le_bytes());
        file.extend([1u16, 1].map(u16::to_le_bytes).concat());
        file.extend([16_000u32, 32_000].map(u32::to_le_bytes).concat());
        file.extend([2u16, 16].map(u16::to_le_bytes).concat());
        file.extend(b"data");
        file.extend(bytes.to_le_bytes());
        file.extend((0..bytes / 2).flat_map(|at| ((at % 200) as i16 * 100).to_le_bytes()));
        file
    };
    std::fs::write(shorts.join("one.wav"), wav(1)).unwrap();
    std::fs::write(shorts.join("six.wav"), wav(6)).unwrap();
    let (told, _) = said(&mut features(&shorts.display().to_string(), "shorts.npz"));
    assert!(told.contains("of 2 of 2 samples"), "{told}");
    std::fs::write(shorts.join("none.wav"), "no sound").unwrap();
    let bad = complaint(&mut features(&shorts.display().to_string(), "bad.npz"));
    assert!(
        bad.contains("shorts`: 1 of 3 files could not be read"),
        "{bad}"
    );
    let none = complaint(crisscross().args([
        "features",
        &sounds,
        "--weights",
        "small.cc:small",
        "--eval",
        "linear8",
    ]));
    assert!(
        none.contains("those of `video_backbone` are not among them"),
        "{none}"
    );
    let gone = complaint(&mut features("gone", "x.npz"));
    assert!(gone.contains("`gone` is no folder"), "{gone}");
    let wrong = crisscross()
        .args([
            "features",
            "heard",
            "--weights",
            "small.cc:small",
            "--eval",
            "small.cc:t",
        ])
        .assert()
        .code(2)
        .get_output()
        .clone();
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("is no evaluation"));
}
