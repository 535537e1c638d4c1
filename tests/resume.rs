//! Runs that are interrupted at any moment, and rows that train side by side: they come to what they would have come to.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

mod lab;

use compiler::plan::Work;
use lab::running::{Running, written};
use lab::{Lab, RENDERED, complaint, folders, said};
use records::folder::{Finished, METRICS, Runs};
use records::points::points;
use records::record::{ExtractResult, PretrainResult, ScoreResult};
use runtime::augment::Key;
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// Three rows that train side by side, one of them with a loss that remembers, and one that does not; the state after an epoch beside
/// the ends.
const ROWS: &str = "
data toy = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 1)
eval hear = linear2s with { train = random(2)   test = uniform(2) }
let target = ema(z, decay: cosine(0.9 -> 1))
let bank   = memory(z, momentum: 0.5)
loss kept  = mean(mse(l2(p(v[i])), sg(l2(target(v[j])))) for i != j in views)
           + info_nce(l2(z(a[1])), l2(bank(v[1])), t: 0.1, negatives: 8)
table numbers {
  of     = tiny
  scores = [hear on toy]
  row loss = intra
  row loss = kept
  row loss = intra + sync + async
  row loss = intra + sync + async,   checkpoint = 1ep
  row loss = intra,   seed = 2
}
";

/// A resume point after each step, so that what is killed soon comes on at all.
fn save_always(lab: &Lab) {
    std::fs::write(lab.path("crisscross.toml"), "save_minutes = 0\n").unwrap();
}

#[test]
fn an_interrupted_run_leaves_nothing_that_looks_finished_and_goes_on() {
    let rows = "row ep = 0\n  row loss = intra + sync + async";
    let lab = Lab::new(&RENDERED.replace(rows, "row es = 100K, ep = 50"));
    for (signal, code) in [("-TERM", 143), ("-USR1", 138), ("-INT", 130), ("-HUP", 129)] {
        let before = written(&lab.path("runs"));
        let mut running = Running::start(&lab, "runs", &[]);
        running.wait_for_a_step(&lab.path("runs"), before);
        // As a terminal and a starter of processes send it: twice.
        running.send(signal);
        running.send("-TERM");
        assert_eq!(running.code(), Some(code));
        let left = folders(&lab.path("runs"));
        assert!(
            left.len() == 1 && left[0].starts_with(".part-pretrain-"),
            "{left:?}"
        );
        assert!(Runs::at(lab.path("runs")).index().unwrap().is_empty());
    }
    let part = lab.path("runs").join(&folders(&lab.path("runs"))[0]);
    let found = points(&part).unwrap();
    let lines = std::fs::read_to_string(part.join(METRICS)).unwrap();
    assert_eq!(lines.lines().count() as u64, found[0].step);
    assert!(found[0].step >= 3 && found.len() == 2);
}

/// The second of two equal commands waits, says for whom, and goes on where the first ended; or takes what it has made.
#[test]
fn a_stage_is_made_by_one_process_at_a_time() {
    let rows = "row ep = 0\n  row loss = intra + sync + async";
    let lab = Lab::new(&RENDERED.replace(rows, "row ep = 8"));
    let mut first = Running::start(&lab, "runs", &[]);
    first.wait_for_a_step(&lab.path("runs"), 0);
    let mut second = Running::start(&lab, "runs", &[]);
    let holder = format!("process {} on ", first.child.id());
    second.wait_for(&holder);
    let said = second.log();
    let folder = &folders(&lab.path("runs"))[..];
    let [folder] = folder else {
        panic!("{folder:?}: each has one of its own")
    };
    assert!(
        said.contains(folder) && said.contains("is making it: this one waits"),
        "{said}"
    );
    // It can be told to wait no longer.
    let mut third = Running::start(&lab, "runs", &[]);
    third.wait_for(&holder);
    third.send("-INT");
    assert_eq!(third.code(), Some(130));

    first.send("-TERM");
    assert_eq!(first.code(), Some(143));
    let mut fourth = Running::start(&lab, "runs", &[]);
    assert_eq!(second.code(), Some(0), "{}", second.log());
    assert_eq!(fourth.code(), Some(0), "{}", fourth.log());
    // Whoever comes to it first goes on where it was left; the other takes what comes of it.
    let logs = [second.log(), fourth.log()];
    let on = logs.iter().filter(|log| log.contains("goes on after step"));
    assert_eq!(on.count(), 1, "{logs:?}");
    assert_eq!(outcomes(&lab, "runs").len(), lab.plan.stages.len());
    let names = folders(&lab.path("runs"));
    assert!(
        names.len() == lab.plan.stages.len() && names.iter().all(|name| !name.starts_with('.')),
        "{names:?}"
    );
}

/// Two splits of six epochs, whose best is kept.
const TUNED: &str = "
data toy = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 1, splits: 2)
eval tuned = finetune8 with { clip = 4x64px @ 16fps   test = uniform(2)   bs = 4   es = 8   ep = 6   drp = 0.2 }
table numbers {
  of     = tiny
  scores = [tuned on toy]
  row ep = 0
}
";

/// What a finetuning leaves, without its times.
fn tuned(lab: &Lab, runs: &str) -> (ScoreResult, String, Vec<serde_json::Value>) {
    let done = lab.finished(runs, lab.plan.stages.last().unwrap()).unwrap();
    let lines = std::fs::read_to_string(done.path.join(METRICS)).unwrap();
    let lines = lines.lines().map(|line| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["seconds"] = 0.into();
        line
    });
    let result = ScoreResult {
        seconds: 0.0,
        ..done.result().unwrap()
    };
    let predictions = std::fs::read_to_string(done.predictions()).unwrap();
    (result, predictions, lines.collect())
}

#[test]
fn a_finetuning_that_is_killed_goes_on_with_the_splits_and_epochs_that_it_has() {
    let lab = Lab::new(TUNED);
    save_always(&lab);
    let (table, _) = said(&mut lab.engine("whole"));
    assert!(
        table.contains("tuned on toy") && table.contains("mean of 2 folds"),
        "{table}"
    );
    let (result, predictions, lines) = tuned(&lab, "whole");
    assert_eq!((result.folds.len(), lines.len()), (2, 12));
    assert_eq!(predictions.lines().count(), 25);
    for (fold, lines) in result.folds.iter().zip(lines.chunks(6)) {
        let epoch = fold.epoch.unwrap() as usize;
        assert_eq!(lines[epoch - 1]["top1"].as_f64(), Some(fold.value));
        assert_eq!((fold.train, fold.test, fold.tried.len()), (12, 12, 6));
    }

    let mut running = Running::start(&lab, "cut", &[]);
    running.wait_until(|_| {
        let parts = folders(&lab.path("cut"));
        let mut part = parts
            .iter()
            .filter(|name| name.starts_with(".part-finetune"));
        part.any(|part| {
            let lines = std::fs::read_to_string(lab.path("cut").join(part).join(METRICS));
            lines.is_ok_and(|lines| lines.contains(r#""split":"2""#))
        })
    });
    running.send("-KILL");
    assert_eq!(running.code(), None);
    let (_, log) = said(&mut lab.engine("cut"));
    assert!(log.contains("goes on in split 2, after step"), "{log}");
    assert!(tuned(&lab, "cut") == tuned(&lab, "whole"));
    assert_eq!(said(&mut lab.engine("cut")).1, "");

    let (_, log) = said(lab.engine("tried").arg("--smoke"));
    assert!(
        log.contains("goes on in split 1, after step 1 of 2")
            && log.contains("each training was interrupted"),
        "{log}"
    );
}

/// A folder that nobody can write any more in the middle of a training: as it is read-only then. Whoever may write everything
/// may not write into a file as into a folder, so a file stands in its place.
#[test]
fn a_folder_that_cannot_be_written_on_the_way_ends_the_training_and_loses_nothing() {
    let rows = "row ep = 0\n  row loss = intra + sync + async";
    let lab = Lab::new(&RENDERED.replace(rows, "row ep = 6"));
    save_always(&lab);
    let mut running = Running::start(&lab, "runs", &[]);
    running.wait_for_a_step(&lab.path("runs"), 0);
    let part = lab.path("runs").join(&folders(&lab.path("runs"))[0]);
    while points(&part).unwrap().is_empty() {
        assert!(!running.is_over(), "{}", running.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    let aside = lab.path("aside");
    std::fs::rename(&part, &aside).unwrap();
    std::fs::write(&part, "").unwrap();
    assert_eq!(running.code(), Some(1), "{}", running.log());
    let said = running.log();
    let is_named = |line: &str| line.contains(&part.display().to_string());
    let mut errors = said
        .lines()
        .filter(|line| line.starts_with("error: numbers:1 pretrain: cannot "));
    assert!(
        errors.any(is_named) && said.contains("  = help: "),
        "{said}"
    );
    assert!(Runs::at(lab.path("runs")).index().unwrap().is_empty());
    std::fs::remove_file(&part).unwrap();
    std::fs::rename(&aside, &part).unwrap();
    let (_, log) = lab::said(&mut lab.engine("runs"));
    assert!(log.contains("goes on after step"), "{log}");
    assert_eq!(outcomes(&lab, "runs").len(), lab.plan.stages.len());
}

/// A finished run of ten epochs that is asked for two states later: it is interrupted on the way there, and goes on.
#[test]
fn a_repetition_goes_on_where_it_was_interrupted() {
    let text = |states: &str| {
        format!(
            "
data toy = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 1)
eval hear = linear2s with {{ train = random(2)   test = uniform(2) }}
figure curve {{
  of     = tiny
  scores = [hear on toy]
  x      = checkpoint
  for checkpoint in {states} {{ row ep = 10 }}
}}
"
        )
    };
    let all = Lab::new(&text("[1ep, 9ep, 10ep]"));
    said(&mut all.engine("runs"));
    let whole = outcomes(&all, "runs");
    let bare = Lab::new(&text("[10ep]"));
    said(&mut bare.engine("runs"));

    let runs = bare.path("runs").display().to_string();
    save_always(&all);
    let mut running = Running::start(&all, &runs, &[]);
    let before = written(&bare.path("runs"));
    running.wait_for("its state after 1ep, 9ep was not kept");
    running.wait_for_a_step(&bare.path("runs"), before);
    running.send("-TERM");
    assert_eq!(running.code(), Some(143), "{}", running.log());
    let (_, log) = said(&mut all.engine(&runs));
    assert!(
        log.contains("each loss compared\n") && log.contains("goes on after step"),
        "{log}"
    );
    assert!(outcomes(&all, &runs) == whole);
    let run = all.finished(&runs, &all.plan.stages[0]).unwrap().run;
    let later: Vec<&str> = run.later.keys().map(String::as_str).collect();
    let names = ["checkpoint-1.safetensors", "checkpoint-9.safetensors"];
    assert!(later == names && names.iter().all(|name| run.sums.contains_key(*name)));
    let names = folders(&bare.path("runs"));
    assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
}

/// Numbers that do not depend on the clock, and files, of a finished stage.
type Outcome = (serde_json::Value, BTreeMap<String, Vec<u8>>);

fn outcome(finished: &Finished, work: &Work) -> Outcome {
    let numbers = match work {
        Work::Pretrain(_) => {
            let result: PretrainResult = finished.result().unwrap();
            let losses = std::fs::read_to_string(finished.path.join(METRICS)).unwrap();
            let losses: Vec<_> = losses
                .lines()
                .map(|line| {
                    serde_json::from_str::<serde_json::Value>(line).unwrap()["loss"].clone()
                })
                .collect();
            serde_json::json!([result.steps, result.loss, result.clips, losses])
        }
        Work::Extract(_) => {
            let result: ExtractResult = finished.result().unwrap();
            serde_json::json!([result.samples, result.width, result.clips])
        }
        Work::Score(_) => {
            let result: ScoreResult = finished.result().unwrap();
            serde_json::json!([result.value, result.folds, result.clips])
        }
        Work::Finetune(_) | Work::Draw(_) => unreachable!("no row is finetuned or drawn"),
    };
    let tensors = std::fs::read_dir(&finished.path).unwrap();
    let tensors = tensors
        .map(|entry| entry.unwrap().path())
        .filter(|path| is_tensors(path));
    let named = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(path).unwrap())
    };
    (numbers, tensors.map(named).collect())
}

fn is_tensors(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "safetensors")
}

/// What the finished stages of `runs` came to, by their ids.
fn outcomes(lab: &Lab, runs: &str) -> BTreeMap<String, Outcome> {
    let index = Runs::at(lab.path(runs)).index().unwrap();
    let stages = lab.plan.stages.iter();
    let finished = stages.filter_map(|stage| {
        let finished = index.get(&stage.id)?;
        Some((stage.id.0.clone(), outcome(finished, &stage.work)))
    });
    finished.collect()
}

/// Everything under its final name is whole, also in folders of attempts.
fn all_is_whole(runs: &Path) {
    for folder in folders(runs) {
        for entry in std::fs::read_dir(runs.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // What has the name of a temporary file does not look finished.
            if name.starts_with('.') {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            if is_tensors(&path) {
                SafeTensors::deserialize(&bytes).unwrap();
            } else if name.ends_with(".json") {
                serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
            }
        }
    }
}

/// Runs that are killed at random moments until they are through come to the weights and the table of one that nobody disturbed.
/// `CRISSCROSS_KILLS` is the number of kills, over as many runs as they take; `CRISSCROSS_SEED` makes the moments of a run that failed again.
#[test]
fn killed_runs_come_to_the_same() {
    let kills = std::env::var("CRISSCROSS_KILLS").map_or(6, |kills| kills.parse().unwrap());
    let clock = || u64::from(UNIX_EPOCH.elapsed().unwrap().subsec_nanos());
    let seed =
        std::env::var("CRISSCROSS_SEED").map_or_else(|_| clock(), |seed| seed.parse().unwrap());
    eprintln!("CRISSCROSS_SEED={seed}");
    let mut moments = Key::at(seed, "kills").stream();
    let lab = Lab::new(ROWS);
    save_always(&lab);
    let start = Instant::now();
    let (table, _) = said(&mut lab.engine("whole"));
    let whole = outcomes(&lab, "whole");
    assert_eq!(whole.len(), lab.plan.stages.len());
    let took = start.elapsed();

    let (mut killed, mut runs) = (0, 0);
    while killed < kills {
        runs += 1;
        let name = format!("killed {runs}");
        loop {
            let mut running = Running::start(&lab, &name, &[]);
            // Within the time that a whole run takes; another for each start, for a run may be faster than that.
            std::thread::sleep(took.mul_f64(moments.unit()));
            if running.is_over() || killed == kills {
                break;
            }
            running.send("-KILL");
            let status = running.child.wait().unwrap();
            all_is_whole(&lab.path(&name));
            let found = outcomes(&lab, &name);
            assert!(
                found.iter().all(|(id, outcome)| whole[id] == *outcome),
                "kill {killed}"
            );
            killed += u32::from(!status.success());
        }
        let (again, _) = said(&mut lab.engine(&name));
        assert!(
            again == table && outcomes(&lab, &name) == whole,
            "after {killed} kills"
        );
        let names = folders(&lab.path(&name));
        assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
    }
}

#[test]
fn rows_side_by_side_are_what_they_are_alone_and_share_their_batches() {
    let lab = Lab::new(ROWS);
    let (beside, log) = said(&mut lab.engine("beside"));
    let (alone, _) = said(lab.engine("alone").arg("--no-gang"));
    assert_eq!(beside, alone);
    assert!(outcomes(&lab, "beside") == outcomes(&lab, "alone"));
    assert!(log.contains("pretrain and 2 beside it"), "{log}");
    // The time of a loader, and the samples that it made.
    let loaders = |runs: &str| -> Vec<(f64, u64)> {
        let pretrained = lab
            .plan
            .stages
            .iter()
            .filter(|s| matches!(s.work, Work::Pretrain(_)));
        let results = pretrained.map(|stage| {
            let finished = lab.finished(runs, stage).unwrap();
            let result = finished.result::<PretrainResult>().unwrap();
            (result.data_cpu.unwrap(), result.data_samples.unwrap())
        });
        results.collect()
    };
    let (beside, alone) = (loaders("beside"), loaders("alone"));
    // Three rows had the same loader, to the last bit of its time; no two of those alone.
    assert!(beside[0].0 > 0.0 && beside[0] == beside[1] && beside[0] == beside[2]);
    let mut times: Vec<u64> = alone.iter().map(|(cpu, _)| cpu.to_bits()).collect();
    times.sort_unstable();
    times.dedup();
    assert_eq!(times.len(), 4);
    // Two epochs of two batches of four: together for three and once more for the fourth, against four times.
    assert!(
        beside
            .iter()
            .chain(&alone)
            .all(|(_, samples)| *samples == 16)
    );
}

#[test]
fn a_try_runs_every_stage_interrupts_each_training_and_leaves_nothing() {
    let lab = Lab::new(ROWS);
    let (table, log) = said(lab.engine("runs").arg("--smoke"));
    assert!(table.contains("hear on toy"), "{table}");
    assert!(
        log.starts_with("a try: two steps of each training"),
        "{log}"
    );
    let again = log.matches("goes on after step 1 of 2").count();
    assert_eq!(again, 4, "{log}");
    assert!(log.contains("pretrain  2 steps, loss"), "{log}");
    // One of each of the three classes that trains, and one that is tested.
    assert!(log.contains("  6 samples, "), "{log}");
    for line in [
        "at the pace of their second steps the trainings (4) take ",
        "the try has come to its end: every stage ran, and each training was interrupted and taken up",
    ] {
        assert!(log.contains(line), "{log}");
    }
    assert_eq!(folders(&lab.path("runs")), Vec::<String>::new());
    // A state on the way is tried, too.
    let tried = compiler::plan::smoke(lab.plan.clone());
    let kept = tried.stages.iter().filter_map(|stage| match &stage.work {
        Work::Pretrain(work) => work.keep.first(),
        Work::Extract(work) => work.checkpoint.as_ref(),
        Work::Finetune(_) | Work::Score(_) | Work::Draw(_) => None,
    });
    assert_eq!(kept.collect::<Vec<_>>(), [&1, &1]);
}

/// A try reads few samples; a cost is chosen among them all the same, on one that is held out and on as many as there are folds.
#[test]
fn a_try_reads_as_many_samples_as_its_scores_choose_by() {
    let lab = Lab::new(
        "
data toy = synthetic(clips: 48, classes: 3, length: 3.5s, lag: 0.3s, seed: 1)
let few = [0.1, 1]
eval held   = linear2s with { train = uniform(1)   test = uniform(1)   head = svm(cost: best(few, split: val(20%))) }
eval folded = held with { head = svm(cost: best(few, split: folds(3))) }
table numbers {
  of     = tiny
  scores = [held on toy, folded on toy]
  row ep = 0
}
",
    );
    let (table, log) = said(lab.engine("runs").arg("--smoke"));
    assert!(table.contains("folded on toy"), "{table}");
    // Three of each of the three classes that train, and one that is tested, once for both scores.
    assert_eq!(log.matches("  12 samples, ").count(), 1, "{log}");
}

#[test]
fn an_interrupted_try_is_not_said_to_go_on() {
    let lab = Lab::new(ROWS);
    let mut running = Running::start(&lab, "runs", &["--smoke"]);
    running.wait_for("goes on after step 1 of 2");
    running.send("-TERM");
    assert_eq!(running.code(), Some(143), "{}", running.log());
    let log = running.log();
    let end = "interrupted: nothing of the try is kept, and the same command begins it anew";
    assert!(
        log.contains(end) && !log.contains("goes on from here"),
        "{log}"
    );
    assert_eq!(folders(&lab.path("runs")), Vec::<String>::new());
}

/// A command that has been started with SIGHUP ignored, as by `nohup`, outlives its terminal.
#[test]
fn a_hangup_that_is_ignored_does_not_stop_a_run() {
    let lab = Lab::new(&RENDERED.replace("row ep = 0\n  ", ""));
    let command = lab.process_by(&["nohup"], "runs");
    let mut running = Running::of(&lab, command);
    running.wait_for_a_step(&lab.path("runs"), 0);
    running.send("-HUP");
    assert_eq!(running.code(), Some(0), "{}", running.log());
}

/// Files that are gone are named with the folder to remove, after which the same command makes the stage anew.
#[test]
fn missing_files_are_said_with_the_way_out() {
    let rows = "row ep = 0\n  row loss = intra + sync + async";
    let lab = Lab::new(&RENDERED.replace(rows, "row ep = 2"));
    let [train, extract, score] = ["pretrain", "extract", "score"].map(|kind| {
        let is_it =
            |stage: &&compiler::plan::Stage| records::record::Kind::of(&stage.work).name() == kind;
        lab.plan.stages.iter().find(is_it).unwrap()
    });
    said(&mut lab.engine("runs"));
    let whole = outcomes(&lab, "runs");
    let of = |stage| lab.finished("runs", stage).unwrap().path;
    let trained = of(train);
    // Nobody reads the weights as long as the features are there.
    std::fs::remove_file(trained.join("checkpoint.safetensors")).unwrap();
    said(&mut lab.engine("runs"));
    std::fs::remove_dir_all(of(score)).unwrap();
    let extracted = of(extract);
    std::fs::remove_file(extracted.join("features.safetensors")).unwrap();
    let wants = |folder: &Path, file: &str| {
        let error = complaint(&mut lab.engine("runs"), 1);
        let missing = format!(
            "`{}` cannot be used: it is missing",
            folder.join(file).display()
        );
        let help = format!(
            "remove the folder `{}` and run the same command again",
            folder.display()
        );
        assert!(error.contains(&missing) && error.contains(&help), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
    };
    wants(&extracted, "features.safetensors");
    wants(&trained, "checkpoint.safetensors");
    said(&mut lab.engine("runs"));
    assert!(outcomes(&lab, "runs") == whole);
}
