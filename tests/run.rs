//! Plans to numbers by the built engine: run, run again, interrupted, and wrong in the ways in which a machine can be.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

mod lab;

use compiler::plan::{Plan, Stage, Work};
use lab::{FILES, Lab, RENDERED, TINY, clips, complaint, folders, program, said};
use records::folder::{Finished, METRICS, Runs, read_json, write_json};
use records::record::{ExtractResult, PretrainResult, Run, ScoreResult};
use records::report::report;
use std::path::Path;

#[test]
fn a_plan_becomes_a_table_once_and_threads_change_nothing() {
    let lab = Lab::new(RENDERED);
    let (table, log) = said(lab.engine("one").args(["--loader-threads", "1"]));
    assert!(log.starts_with("device: cpu\n"), "{log}");
    assert!(
        table.contains("hear on toy") && table.contains("loss = intra + sync + async"),
        "{table}"
    );
    let kinds: Vec<&str> = lab
        .plan
        .stages
        .iter()
        .map(|s| records::record::Kind::of(&s.work).name())
        .collect();
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "score").count(),
        4,
        "{kinds:?}"
    );
    for stage in &lab.plan.stages {
        let done = lab.finished("one", stage).unwrap();
        match &stage.work {
            Work::Pretrain(work) => {
                let result: PretrainResult = done.result().unwrap();
                assert_eq!(result.steps, 2 * u64::from(work.settings.ep));
                let lines = std::fs::read_to_string(done.path.join(METRICS)).unwrap();
                assert_eq!(lines.lines().count() as u64, result.steps);
            }
            Work::Extract(_) => assert_eq!(done.result::<ExtractResult>().unwrap().samples, 24),
            Work::Finetune(_) | Work::Draw(_) => unreachable!("no row is finetuned or drawn"),
            Work::Score(_) => {
                let result: ScoreResult = done.result().unwrap();
                assert!((0.0..=100.0).contains(&result.value));
                assert_eq!((result.folds[0].train, result.folds[0].test), (18, 6));
                assert_eq!(result.solver.unwrap().unconverged, 0);
            }
        }
    }

    let (again, log) = said(&mut lab.engine("one"));
    assert_eq!((again.as_str(), log.as_str()), (table.as_str(), ""));

    let (other, _) = said(lab.engine("four").args(["--loader-threads", "4"]));
    assert_eq!(other, table);
    assert_eq!(lab.checkpoints("one"), lab.checkpoints("four"));
}

#[test]
fn real_clips_give_the_same_weights_on_any_number_of_threads() {
    let lab = Lab::new(FILES);
    lab.write_site(&clips());
    let (table, _) = said(lab.engine("one").args(["--loader-threads", "1"]));
    said(lab.engine("three").args(["--loader-threads", "3"]));
    assert_eq!(lab.checkpoints("one"), lab.checkpoints("three"));
    let score = lab.plan.stages.last().unwrap();
    let result: ScoreResult = lab.finished("one", score).unwrap().result().unwrap();
    assert_eq!(result.folds.len(), 2);
    assert!(table.contains("hear on sounds"), "{table}");
    assert!(!lab.finished("one", score).unwrap().run.data.is_empty());

    // Where the root is gone, so is what the stage would be made from.
    std::fs::remove_file(lab.path("crisscross.toml")).unwrap();
    let message = complaint(&mut lab.engine("one"), 1);
    assert!(
        message.contains("no root for data set `toy`") && message.contains("[data.toy]"),
        "{message}"
    );
}

#[test]
fn the_table_is_that_of_the_data_as_they_are() {
    let lab = Lab::new(FILES);
    let listing = lab.copy_sounds();
    lab.write_site(&lab.path("clips"));
    let with = |listing: &str| {
        std::fs::write(lab.path("clips/sounds.csv"), listing).unwrap();
        said(&mut lab.engine("runs")).0
    };
    let first = with(&listing);
    let swapped = listing
        .replace("dog_bark", "other")
        .replace("rooster", "dog_bark");
    let score = lab.plan.stages.last().unwrap();
    let data = lab.finished("runs", score).unwrap().run.data;
    with(&swapped);
    // The other version is made the newer one beyond doubt, with a number that cannot be taken for the first.
    let mut others = 0;
    for folder in folders(&lab.path("runs")) {
        let path = lab.path("runs").join(folder);
        let Ok(mut run) = read_json::<Run>(&path.join("run.json")) else {
            continue;
        };
        if run.stage == score.id && run.data != data {
            run.started += 100;
            write_json(&path.join("run.json"), &run).unwrap();
            let mut result: ScoreResult = read_json(&path.join("result.json")).unwrap();
            result.value = 12.3;
            write_json(&path.join("result.json"), &result).unwrap();
            others += 1;
        }
    }
    assert_eq!(others, 1);
    assert_eq!(with(&listing), first);
    // Who only reads the folders cannot tell which of the two is meant, and says so.
    let report = records::report::report(&lab.plan, &Runs::at(lab.path("runs"))).unwrap();
    let notes = &report.tables[0].notes;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("several versions of the data")),
        "{notes:?}"
    );
    // Where the data are gone, what was made of them before is still told.
    std::fs::rename(lab.path("clips"), lab.path("away")).unwrap();
    let output = lab.engine("runs").assert().code(1);
    let (out, message) = (&output.get_output().stdout, &output.get_output().stderr);
    let (out, message) = (
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(message),
    );
    assert!(
        message.contains(
            "0 of 3 stages are done, and 3 were done before, of data that cannot be used now"
        ),
        "{message}"
    );
    assert!(out.contains("12.3"), "{out}");
}

#[test]
fn a_data_set_that_cannot_be_scored_is_refused_before_anything_is_trained() {
    let lab = Lab::new(FILES);
    let listing = lab.copy_sounds();
    let without_folds: Vec<&str> = listing
        .lines()
        .map(|line| line.rsplit_once(',').unwrap().0)
        .collect();
    std::fs::write(lab.path("clips/sounds.csv"), without_folds.join("\n")).unwrap();
    lab.write_site(&lab.path("clips"));
    let message = complaint(&mut lab.engine("runs"), 1);
    assert!(message.starts_with("error: data set `sounds`"), "{message}");
    assert!(
        message.ends_with("error: 0 of 3 stages are done; data sets to mend: `sounds`; 3 not tried, for want of these or of space\n"),
        "{message}"
    );
    assert_eq!(folders(&lab.path("runs")), Vec::<String>::new());
    // So does who asks before.
    let files = FILES.replace(", splits: 2", "");
    std::fs::write(lab.path("files.cc"), format!("{TINY}{files}")).unwrap();
    let mut stats = program("crisscross", lab.folder.path());
    let (told, _) = said(stats.args(["data", "stats", "files.cc"]));
    assert!(
        told.contains("a run refuses it: data set `sounds`: it is scored, but 4 of its 4 files are in no split"),
        "{told}"
    );
}

#[test]
fn steps_are_measured_by_phase() {
    let lab = Lab::new(RENDERED);
    let Work::Pretrain(work) = &lab.plan.stages[0].work else {
        panic!("a pretraining comes first");
    };
    let mut command = program("crisscross-engine", lab.folder.path());
    command
        .args([
            "bench-step",
            "--name",
            "tiny:1",
            "--steps",
            "2",
            "--warm-up",
            "0",
        ])
        .args(["--device", "cpu", "--json"])
        .write_stdin(serde_json::to_vec(work).unwrap());
    let (out, _) = said(&mut command);
    let figures: serde_json::Value = serde_json::from_str(&out).unwrap();
    let number = |path: &str| figures.pointer(path).unwrap().as_f64().unwrap();
    for phase in ["forward", "backward", "optimiser"] {
        assert!(number(&format!("/{phase}_ms/median")) > 0.0, "{out}");
    }
    let (all, forward) = (number("/step_ms/most"), number("/forward_ms/least"));
    assert!(
        forward < all && number("/flops/backward") > number("/flops/forward"),
        "{out}"
    );
    assert!(
        number("/mfu") > 0.0 && number("/peak/bytes_per_s") > 0.0,
        "{out}"
    );
}

#[test]
fn batches_are_measured_by_part() {
    let lab = Lab::new(RENDERED);
    let Work::Pretrain(work) = &lab.plan.stages[0].work else {
        panic!("a pretraining comes first");
    };
    let work = serde_json::to_vec(work).unwrap();
    for form in ["--json", "--raw"] {
        let mut command = program("crisscross-engine", lab.folder.path());
        command
            .args(["bench-data", "--name", "tiny:1", "--batches", "1"])
            .args(["--repetitions", "1", "--threads", "2", form])
            .write_stdin(work.clone());
        let (out, _) = said(&mut command);
        if form == "--json" {
            let figures: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(
                (&figures["source"], &figures["up_to"]),
                (&"synthetic".into(), &"views".into())
            );
            assert!(figures["cpu_s_per_sample"]["median"].as_f64().unwrap() > 0.0);
        } else {
            for line in [
                "samples/s",
                "CPU s/sample",
                "  seek+decode",
                "  rest",
                "up to raw",
            ] {
                assert!(out.contains(line), "{out}");
            }
        }
    }
}

#[test]
fn a_failed_stage_leaves_the_others_their_turn() {
    let lab = Lab::new(RENDERED);
    said(&mut lab.engine("runs"));
    let mut pretrained = vec![];
    for stage in &lab.plan.stages {
        let done = lab.finished("runs", stage).unwrap();
        match &stage.work {
            Work::Pretrain(_) => pretrained.push(done),
            Work::Extract(_) | Work::Finetune(_) | Work::Score(_) | Work::Draw(_) => {
                std::fs::remove_dir_all(done.path).unwrap();
            }
        }
    }
    let broken = pretrained[0].checkpoint();
    let whole = std::fs::read(&broken).unwrap();
    std::fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    let message = complaint(&mut lab.engine("runs"), 1);
    assert!(
        message.contains("checkpoint.safetensors` cannot be used"),
        "{message}"
    );
    assert!(message.contains("= help: remove the folder"), "{message}");
    assert!(message.contains("6 of 10 stages are done"), "{message}");
    assert!(message.contains("; 2 not tried"), "{message}");
    // A report knows why, until it is mended.
    let runs = Runs::at(lab.folder.path().join("runs"));
    let notes = || report(&lab.plan, &runs).unwrap().tables[0].notes.join("; ");
    let why = "features not extracted: `";
    assert!(notes().contains(why), "{}", notes());
    assert!(notes().contains("cannot be used"), "{}", notes());
    std::fs::write(&broken, &whole).unwrap();
    said(&mut lab.engine("runs"));
    assert!(!notes().contains(why), "{}", notes());
    assert!(records::failures::all(&runs).is_empty());
}

/// The networks are the same, so only its hash tells one checkpoint from another.
#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let lab = Lab::new(RENDERED);
    said(&mut lab.engine("runs"));
    let pretrained = pretrainings(&lab.plan);
    let [random, trained] = pretrained[..] else {
        panic!("two rows")
    };
    let checkpoint = |stage| lab.finished("runs", stage).unwrap().checkpoint();
    std::fs::copy(checkpoint(random), checkpoint(trained)).unwrap();
    for stage in &lab.plan.stages[6..] {
        std::fs::remove_dir_all(lab.finished("runs", stage).unwrap().path).unwrap();
    }
    let message = complaint(&mut lab.engine("runs"), 1);
    assert!(
        message.contains("cannot be used: its bytes are not those that its run wrote"),
        "{message}"
    );
    assert!(message.contains("= help: remove the folder"), "{message}");
}

#[test]
fn what_is_wrong_with_the_machine_is_said_in_one_message() {
    let lab = Lab::new(RENDERED);
    std::fs::write(lab.path("file"), "").unwrap();
    let message = complaint(&mut lab.engine("file/runs"), 1);
    assert!(
        message.starts_with("error: cannot create") && message.contains("= help: "),
        "{message}"
    );
    let message = complaint(lab.engine("runs").args(["--site", "no.toml"]), 1);
    assert!(
        message.starts_with("error: cannot read `no.toml`"),
        "{message}"
    );
    let mut arguments = lab.arguments("runs");
    arguments[2] = "gpu".to_owned();
    let mut unknown = program("crisscross-engine", lab.folder.path());
    let message = complaint(unknown.args(arguments), 1);
    assert!(
        message.contains("`gpu` is not available: write `cpu`, `cuda` or `cuda:N`"),
        "{message}"
    );
    std::fs::write(lab.path("plan.json"), "{").unwrap();
    let message = complaint(&mut lab.engine("runs"), 1);
    assert!(message.contains("plan.json"), "{message}");
}

#[test]
fn a_loss_that_is_no_number_ends_its_training() {
    let mut lab = Lab::new(RENDERED);
    lab.diverge();
    let message = complaint(&mut lab.engine("runs"), 1);
    assert!(message.contains("the loss became NaN at step"), "{message}");
    assert!(message.contains("5 of 10 stages are done"), "{message}");
}

/// The states of one run, asked for in a figure over its epochs.
const CURVE: &str = "
data toy = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 1)
eval hear = linear2s with { train = random(2)   test = uniform(2) }
figure curve {
  of     = tiny
  scores = [hear on toy]
  x      = checkpoint
  for checkpoint in [0ep, 1ep, 2ep] { row }
}
";

/// The stages of a plan that pretrain.
fn pretrainings(plan: &Plan) -> Vec<&Stage> {
    let is_pretraining = |stage: &&Stage| matches!(stage.work, Work::Pretrain(_));
    plan.stages.iter().filter(is_pretraining).collect()
}

#[test]
fn a_run_keeps_the_states_that_are_asked_for_and_a_finished_one_is_repeated_for_them() {
    let curve = Lab::new(CURVE);
    let [stage] = pretrainings(&curve.plan)[..] else {
        panic!("one run for three rows")
    };
    let (whole, _) = said(&mut curve.engine("runs"));
    let kept = curve.finished("runs", stage).unwrap();
    let read = |run: &Finished, epoch| std::fs::read(run.state(epoch)).unwrap();
    let states = [Some(0), Some(1), None].map(|epoch| read(&kept, epoch));
    assert!(states[0] != states[1] && states[1] != states[2]);

    // The same run as it is made where nobody asks for a state: the same end, and nothing beside it.
    let plain = Lab::new(&CURVE.replace("[0ep, 1ep, 2ep]", "[2ep]"));
    let [other] = pretrainings(&plain.plan)[..] else {
        panic!("one run for one row")
    };
    assert_eq!(other.id, stage.id);
    said(&mut plain.engine("runs"));
    let bare = plain.finished("runs", other).unwrap();
    assert!(read(&bare, None) == states[2]);
    assert_eq!(bare.lacks(&stage.work), [0, 1]);

    // Asked for later, they are those that a run would have kept, and nothing else of it changes.
    let arguments = curve.arguments("runs");
    let runs = plain.path("runs").display().to_string();
    let later = || {
        let mut command = program("crisscross-engine", curve.folder.path());
        command.args(&arguments[..6]).arg(&runs);
        command
    };
    let (table, log) = said(&mut later());
    assert_eq!(table, whole);
    assert!(
        log.contains("finished, but its state after 0ep, 1ep was not kept"),
        "{log}"
    );
    let repeated = plain.finished("runs", other).unwrap();
    assert_eq!(repeated.path, bare.path);
    assert!(states == [Some(0), Some(1), None].map(|epoch| read(&repeated, epoch)));
    let names: Vec<String> = folders(&plain.path("runs"));
    assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
    assert_eq!(said(&mut later()).1, "");

    // A course that is not that of the run gives no state of it.
    std::fs::remove_file(repeated.state(Some(1))).unwrap();
    let metrics = repeated.path.join(METRICS);
    let lines = std::fs::read_to_string(&metrics).unwrap();
    let spoilt: Vec<String> = lines
        .lines()
        .map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            if line["step"] == 2 {
                line["loss"] = 0.25.into();
            }
            line.to_string()
        })
        .collect();
    std::fs::write(&metrics, spoilt.join("\n")).unwrap();
    for folder in folders(&plain.path("runs")) {
        if !folder.starts_with("pretrain") {
            std::fs::remove_dir_all(plain.path("runs").join(folder)).unwrap();
        }
    }
    let message = complaint(&mut later(), 1);
    assert!(
        message.contains("cannot be repeated here: the loss of step 2 is ")
            && message.contains(", and was 0.25"),
        "{message}"
    );
    assert!(
        message.contains("= help: run as its `run.json` names it"),
        "{message}"
    );
    assert!(!repeated.state(Some(1)).is_file());
}

/// A sheet of rendered clips and one of this repository's videos; nothing is left where the picture cannot be written.
#[test]
fn a_sample_is_shown_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let show = |arguments: &[&str]| {
        let mut command = program("crisscross", folder.path());
        command.args(["data", "show"]).args(arguments);
        command.assert()
    };
    std::fs::write(
        folder.path().join("rendered.cc"),
        format!("{TINY}{RENDERED}"),
    )
    .unwrap();
    std::fs::write(folder.path().join("files.cc"), format!("{TINY}{FILES}")).unwrap();
    let site = format!("[data.toy]\nroot = {:?}\n", clips().join("videos"));
    std::fs::write(folder.path().join("crisscross.toml"), site).unwrap();
    for arguments in [
        vec![
            "rendered.cc",
            "--row",
            "2",
            "--sample",
            "5",
            "--samples",
            "2",
            "--epoch",
            "1",
        ],
        vec!["files.cc", "--raw"],
    ] {
        let said = show(&arguments).success();
        let said = String::from_utf8_lossy(&said.get_output().stderr).into_owned();
        assert!(said.contains("wrote sheet.png (1120 x "), "{said}");
        let picture = std::fs::read(folder.path().join("sheet.png")).unwrap();
        assert_eq!(picture[1..4], *b"PNG");
        assert!(picture.len() > 20_000);
    }
    let said = show(&["rendered.cc", "--row", "2", "--out", "no/such/folder.png"])
        .failure()
        .code(1);
    let said = String::from_utf8_lossy(&said.get_output().stderr).into_owned();
    assert!(said.contains("cannot write `no/such/folder.png`"), "{said}");
}

/// The pages on augmentations with their pictures, of a rendered clip and of a sound of this repository.
#[test]
fn each_link_gets_its_page_and_its_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let sound = clips().join("sounds/1-34119-B.ogg").display().to_string();
    program("crisscross", folder.path())
        .args(["data", "links", "--clip", &sound, "--out", "pages/links"])
        .assert()
        .success();
    for page in compiler::links::pages() {
        let path = folder.path().join("pages/links").join(page.path);
        assert_eq!(std::fs::read_to_string(path).unwrap(), page.text);
    }
    for picture in compiler::links::pictures() {
        let path = folder.path().join("pages/links").join(picture.path);
        assert!(std::fs::read(path).unwrap().len() > 5_000);
    }
    let arguments = ["data", "links", "--clip", "no.mp4"];
    let said = program("crisscross", folder.path())
        .args(arguments)
        .assert()
        .failure()
        .code(1);
    let said = String::from_utf8_lossy(&said.get_output().stderr).into_owned();
    assert!(said.contains("no.mp4"), "{said}");
    assert!(!folder.path().join("augmentations").exists());
}

/// What data sets hold and what experiments can use of them: files, and the same packed into shards.
#[test]
fn what_a_set_holds_is_said_of_files_and_of_shards() {
    let folder = tempfile::tempdir().unwrap();
    let data = |arguments: &[&str]| {
        let mut command = program("crisscross", folder.path());
        said(command.arg("data").args(arguments))
    };
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("files.cc", &format!("{TINY}{FILES}"));
    let site = |root: &Path| {
        let sounds = format!(
            "[data.sounds]\nroot = {:?}\ncsv = \"sounds.csv\"\n",
            clips()
        );
        write(
            "crisscross.toml",
            &format!("[data.toy]\nroot = {root:?}\n{sounds}"),
        );
    };
    site(&clips().join("videos"));
    let (whole, _) = data(&["stats", "files.cc"]);
    assert!(
        whole.contains("toy: 4 clips, layout `folders`\n"),
        "{whole}"
    );
    assert!(whole.contains("sounds: 4 clips, layout `csv`\n"), "{whole}");
    assert!(
        whole.contains(" pretrain: 4 of 4 clips of `toy`\n"),
        "{whole}"
    );
    assert!(whole.contains(" of `sounds`"), "{whole}");
    let kept = std::fs::read_dir(folder.path().join("cache/crisscross"));
    assert_eq!(kept.unwrap().count(), 2, "an index for each root");
    let (named, _) = data(&["stats", "toy", "--format", "json"]);
    let named: serde_json::Value = serde_json::from_str(&named).unwrap();
    assert_eq!(named["sets"][0]["clips"], 4);
    assert_eq!(named["sets"][0]["layout"], "folders");

    let pack = [
        "pack",
        "files.cc:toy",
        "--out",
        "packed",
        "--short-side",
        "32",
    ];
    data(&pack);
    site(&folder.path().join("packed"));
    let (packed, _) = data(&["stats", "files.cc"]);
    let line = "toy: 4 clips, packed: short side 32, 16 fps, JPEG 85, sound at 16000 Hz\n";
    assert!(
        packed.contains(line) && packed.contains("jpeg: 4"),
        "{packed}"
    );
    assert!(
        packed.contains(" pretrain: 4 of 4 clips of `toy`\n"),
        "{packed}"
    );
    assert!(data(&["stats", "toy"]).0.starts_with(line));
    let (_, index) = data(&["index", "toy"]);
    let holds =
        "packed, with an index of its own: 4 clips in 1 shards, 0 unreadable; short side 32, ";
    assert!(index.contains(holds), "{index}");
    let (check, _) = data(&["check", "toy"]);
    assert!(
        check.contains("packed: 4 clips, ") && check.starts_with("ok "),
        "{check}"
    );

    let shard = folder.path().join("packed/shard-000000.tar");
    let mut bytes = std::fs::read(&shard).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&shard, bytes).unwrap();
    let mut check = program("crisscross", folder.path());
    let message = complaint(check.args(["data", "check", "toy"]), 1);
    assert!(message.contains("is not as it was packed"), "{message}");
}

/// A loss that remembers clips, and a step of which a part of the augmentation stands behind the batch.
#[test]
fn steps_of_any_kind_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "
data toy = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 1)
eval hear = linear2s with { train = random(2)   test = uniform(2) }
let bank = memory(z, momentum: 0.5)
table numbers {
  of     = tiny
  scores = [hear on toy]
  row loss = info_nce(l2(z(a[1])), l2(bank(v[1])), t: 0.1, negatives: 8) + intra
}
";
    std::fs::write(folder.path().join("t.cc"), format!("{TINY}{rows}")).unwrap();
    for pass in [&[][..], &["--pass", "move_domain"]] {
        let mut bench = program("crisscross", folder.path());
        bench.args(["bench", "step", "t.cc", "--device", "cpu", "--no-peak"]);
        bench
            .args(["--steps", "1", "--warm-up", "1", "--format", "json"])
            .args(pass);
        let (figures, _) = said(&mut bench);
        let figures: serde_json::Value = serde_json::from_str(&figures).unwrap();
        assert!(figures["loss"].as_f64().unwrap().is_finite(), "{figures}");
    }
}
