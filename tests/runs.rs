//! `ls` and `compare` on run folders that no engine has made.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use assert_cmd::Command;
use compiler::Profile;
use compiler::plan::{Plan, Stage, Work};
use records::folder::{Claim, Context, Runs};
use records::predictions::{self, PREDICTIONS, Prediction};
use records::record::{
    ClipCounts, Environment, ExtractResult, FoldResult, PretrainResult, ScoreResult,
};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

const TEXT: &str = "
use paper
data toy = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 1, splits: 2)
pretrain small = crisscross with { data = toy   bs = 8   es = 16   ep = 2 }
eval hear = linear2s with { train = random(2)   test = uniform(2) }
table t {
  of     = small
  scores = [hear on toy, linear2s on toy]
  row loss = intra
  row loss = intra + sync, bs = 16
}
";

/// A folder with the file and its finished runs, the second row without its second score.
struct Lab {
    folder: TempDir,
    plan: Plan,
}

impl Lab {
    fn new() -> Self {
        Self::of(TEXT)
    }

    fn of(text: &str) -> Self {
        let mut sources = compiler::sources();
        let root = sources.add("t.cc", text.to_owned());
        let (program, found) = compiler::check(&mut sources, root, &|_, _| None, Profile::Full);
        let program = program.unwrap_or_else(|| panic!("{found:#?}"));
        let plan = compiler::plan::plan(&[("t.cc", &program)]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t.cc"), text).unwrap();
        let lab = Self { folder, plan };
        for stage in &lab.plan.stages {
            if stage.label != "t:2 score linear2s on toy" {
                lab.finish(stage);
            }
        }
        lab
    }

    fn finish(&self, stage: &Stage) {
        let context = Context {
            plan: String::new(),
            toy: false,
            set: vec![],
            command: None,
            code: "0.1.0".to_owned(),
            environment: Environment {
                device: "cpu".to_owned(),
                ..Environment::default()
            },
        };
        let runs = Runs::open(self.folder.path().join("runs")).unwrap();
        let Claim::Own(attempt) = runs.claim(stage, &context, "").unwrap() else {
            panic!("nobody else is here")
        };
        let clips = ClipCounts::default();
        let is_second = stage.label.starts_with("t:2");
        match &stage.work {
            Work::Pretrain(_) => attempt.finish(&PretrainResult {
                steps: 4,
                loss: Some(if is_second { -0.75 } else { -0.5 }),
                parameters: 1,
                clips,
                seconds: 1.0,
                ..PretrainResult::default()
            }),
            Work::Extract(_) => attempt.finish(&ExtractResult {
                samples: 24,
                width: 4,
                clips,
                seconds: 1.0,
            }),
            Work::Score(_) => {
                let right = |sample: usize| sample < if is_second { 3 } else { 1 };
                let lines: Vec<Prediction> = (0..4)
                    .map(|sample| Prediction {
                        split: "1".to_owned(),
                        sample: format!("{sample}.wav"),
                        class: "a".to_owned(),
                        predicted: if right(sample) { "a" } else { "b" }.to_owned(),
                        rank: if right(sample) { 1 } else { 2 },
                    })
                    .collect();
                predictions::write(&attempt.path().join(PREDICTIONS), &lines).unwrap();
                let values = if is_second {
                    [40.0, 53.0]
                } else {
                    [30.0, 41.0]
                };
                let folds = (1..)
                    .zip(values)
                    .map(|(fold, value): (u32, f64)| FoldResult {
                        name: fold.to_string(),
                        value,
                        cost: None,
                        epoch: None,
                        tried: vec![],
                        train: 12,
                        test: 12,
                        untested: vec![],
                    });
                attempt.finish(&ScoreResult::of_folds(folds.collect(), clips, 1.0))
            }
            Work::Finetune(_) | Work::Draw(_) => unreachable!("no row asks for one"),
        }
        .unwrap();
    }

    fn crisscross(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("crisscross"));
        command.current_dir(self.folder.path()).args(arguments);
        command
    }

    fn said(&self, arguments: &[&str]) -> String {
        let output = self
            .crisscross(arguments)
            .assert()
            .success()
            .get_output()
            .clone();
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let whole = [arguments, &["--format", "json"]].concat();
        serde_json::from_str(&self.said(&whole)).unwrap()
    }

    /// The folder of the finished stage with this label, below the lab.
    fn run(&self, label: &str) -> String {
        let all = self.json(&["ls"]);
        let mut all = all.as_array().unwrap().iter();
        let found = all.find(|run| run["label"] == label).unwrap();
        format!("runs/{}", found["folder"].as_str().unwrap())
    }
}

#[test]
fn runs_are_listed_by_what_is_asked_of_them() {
    let lab = Lab::new();
    let text = lab.said(&["ls", "--kind", "score", "--sort", "score"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].trim_start().starts_with("state"), "{text}");
    assert!(
        lines[1].contains("46.5 %") && lines[1].contains("t:2 score hear on toy"),
        "{text}"
    );
    assert!(lines.last().unwrap().starts_with("3 runs of "), "{text}");
    let all = lab.json(&["ls", "pretrain", "--state", "complete"]);
    let losses: Vec<f64> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["loss"].as_f64().unwrap())
        .collect();
    assert_eq!(losses.len(), 2);
    let path = all[0]["path"].as_str().unwrap();
    assert!(Path::new(path).join("run.json").is_file(), "{path}");
    assert_eq!(
        lab.json(&["ls", "--state", "running"]),
        Value::Array(vec![])
    );
    assert!(
        lab.said(&["ls", "nothing of the kind"])
            .starts_with("0 runs of ")
    );
    // A run that cannot be read is in the list.
    let broken = lab.folder.path().join(lab.run("t:1 pretrain"));
    std::fs::write(broken.join("run.json"), "{").unwrap();
    let text = lab.said(&["ls", "--state", "damaged"]);
    assert!(text.contains("not readable by this version"), "{text}");
    lab.crisscross(&["ls", "--runs", "gone"]).assert().code(1);
    lab.crisscross(&["ls", "--state", "done"]).assert().code(2);
    std::fs::remove_dir_all(lab.folder.path().join("runs")).unwrap();
    assert!(lab.said(&["ls"]).starts_with("0 runs in "));
}

#[test]
fn rows_and_runs_stand_side_by_side() {
    let lab = Lab::new();
    let text = lab.said(&["compare", "t.cc:t:1", "t:2"]);
    for part in [
        "A  t.cc:t:1  loss = intra",
        "+ pair(v1, a1) 1/4",
        "bs       8 -> 16",
        "hear on toy       35.50   46.50   +11.00",
        "2 folds: +-1.41, B better in 2, A in 0",
        "samples right in A alone 0, in B alone 2, p = 0.500",
        "linear2s on toy   35.50   -       -        not finished here",
        "last loss   -0.5000   -0.7500",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let (first, second) = (
        lab.run("t:1 score hear on toy"),
        lab.run("t:2 score hear on toy"),
    );
    // What a score rests on is found beside it.
    let of_runs = lab.said(&["compare", &first, &second]);
    assert!(
        of_runs.contains("bs       8 -> 16") && of_runs.contains("+11.00"),
        "{of_runs}"
    );
    let json = lab.json(&["compare", &first, &second]);
    assert_eq!(json["results"]["score"]["difference"], 11.0);
    assert_eq!(json["results"]["score"]["samples"]["second"], 2);
    let same = lab.said(&["compare", "t.cc:t:1", "t.cc:t:1"]);
    assert!(
        same.contains("nothing differs") && same.contains("+0.00"),
        "{same}"
    );
    let pretrains = lab.said(&[
        "compare",
        &lab.run("t:1 pretrain"),
        &lab.run("t:2 pretrain"),
    ]);
    assert!(pretrains.contains("last loss"), "{pretrains}");
    for arguments in [
        ["compare", "t.cc:t", "t.cc:t:1"],
        ["compare", ".", "t.cc:t:1"],
    ] {
        lab.crisscross(&arguments).assert().code(2);
    }
    let output = lab.crisscross(&["compare", "gone", "t.cc:t:1"]).assert();
    let said = String::from_utf8_lossy(&output.code(2).get_output().stderr).into_owned();
    assert!(said.contains("there is no run or row `gone`"), "{said}");
    assert!(said.contains("`crisscross ls` names the runs"), "{said}");
    let output = lab.crisscross(&["compare", "t.cc:t:1", "gone"]).assert();
    let said = String::from_utf8_lossy(&output.code(2).get_output().stderr).into_owned();
    assert!(said.contains("there is no run or row `gone`"), "{said}");
    // By the stages that `ls` shows, too.
    let short = |label: &str| {
        let all: Vec<serde_json::Value> = lab.json(&["ls"]).as_array().unwrap().clone();
        let one = all.into_iter().find(|one| one["label"] == label).unwrap();
        one["stage"].as_str().unwrap()[..8].to_owned()
    };
    let (a, b) = (short("t:1 pretrain"), short("t:2 pretrain"));
    assert!(lab.said(&["compare", &a, &b]).contains("last loss"));
}

/// Two metrics, two data sets, two seeds.
const UNLIKE: &str = "
use paper
data toy   = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 1, splits: 2)
data other = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 2, splits: 2)
pretrain small = crisscross with { data = toy   bs = 8   es = 16   ep = 2 }
eval hear = linear2s with { train = random(2)   test = uniform(2) }
eval near {
  uses = a   clip = 2s @ 16kHz   train = uniform(2)   test = uniform(2)
  features   = conv5 - mean(clips)
  neighbours = knn(distance: cosine)
  score      = [recall(1), recall(2)]
}
table t {
  of     = small
  scores = [hear on toy, hear on other, near on toy]
  row seed = 0
  row seed = 1
}
";

#[test]
fn other_metrics_and_data_sets_have_no_difference() {
    let lab = Lab::of(UNLIKE);
    let [top1, other, first, second] = [
        "hear on toy",
        "hear on other",
        "near on toy R@1",
        "near on toy R@2",
    ]
    .map(|column| lab.run(&format!("t:1 score {column}")));
    for (a, b, why) in [
        (&first, &second, "different metrics: R@1, R@2"),
        (&second, &top1, "different metrics: R@2, top-1"),
        (&top1, &other, "different data sets"),
        (
            &first,
            &other,
            "different metrics: R@1, top-1; different data sets",
        ),
    ] {
        let text = lab.said(&["compare", a, b]);
        let (_, results) = text.split_once("\nresults\n").unwrap();
        let mut lines = results.lines();
        let line = lines
            .find(|line| line.trim_start().starts_with("score "))
            .unwrap();
        assert!(
            line.contains("35.50   35.50   -       ") && line.ends_with(why),
            "{text}"
        );
        assert!(
            !text.contains("p = ") && !text.contains("one run"),
            "{text}"
        );
        assert!(text.contains("  the same pretraining\n  score\n"), "{text}");
    }
    let json = lab.json(&["compare", &first, &second]);
    let found = &json["results"]["score"];
    assert_eq!(found["values"], serde_json::json!([35.5, 35.5]));
    assert_eq!(found["unlike"][0], "different metrics: R@1, R@2");
    assert_eq!(found["difference"], Value::Null);
    // Each side by its own rank, where both have the same one.
    let text = lab.said(&["compare", &second, &lab.run("t:2 score near on toy R@2")]);
    assert!(
        text.contains("right in A alone 0, in B alone 0, p = 1.000"),
        "{text}"
    );
    // The seed of an extraction is that of its score.
    let text = lab.said(&["compare", "t.cc:t:1", "t:2"]);
    assert_eq!(text.matches("seed     0 -> 1").count(), 5, "{text}");
}

#[test]
fn runs_of_other_kinds_are_refused_with_the_way_out() {
    let lab = Lab::new();
    let [pretrain, extract, score] = ["pretrain", "extract hear on toy", "score hear on toy"]
        .map(|what| lab.run(&format!("t:1 {what}")));
    let refused = |a: &str, b: &str| -> String {
        let output = lab.crisscross(&["compare", a, b]).assert().code(2);
        String::from_utf8(output.get_output().stderr.clone()).unwrap()
    };
    let said = refused(&extract, &score);
    assert!(
        said.contains("is an extraction") && said.contains("is a score"),
        "{said}"
    );
    assert!(said.contains("compare two runs of one kind"), "{said}");
    let said = refused(&score, &pretrain);
    assert!(
        said.contains("is a score") && said.contains("is a pretraining"),
        "{said}"
    );
    let behind = pretrain.trim_start_matches("runs/");
    assert!(
        said.contains("the pretraining behind the other is") && said.contains(behind),
        "{said}"
    );
    // A row has a pretraining.
    let text = lab.said(&["compare", &pretrain, "t.cc:t:1"]);
    assert!(
        text.contains("  the same pretraining\n") && text.contains("B alone has"),
        "{text}"
    );
}
