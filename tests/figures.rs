//! Drawings of figures by the built engine: what a stage leaves, and what is said where there is nothing to draw.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

mod lab;

use compiler::plan::{Stage, Work};
use lab::{Lab, complaint, said};
use records::folder::{Finished, read_json};
use records::record::DrawResult;
use records::report::{FIGURE, FIGURE_DATA};
use serde_json::Value;

const DRAWN: &str = "
data toy = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 1)
eval near { uses = v   clip = 4x32px @ 8fps   train = random(2)   test = uniform(2)
            features = conv5 - mean(clips)   neighbours = knn(distance: cosine)   score = recall(1) }
eval heard = linear2s with { test = uniform(2) }
figure drawn {
  of   = tiny
  draw = [
    gallery(near on toy, queries: 3, top: 2),
    embedding(near on toy, split: train, samples: 18, by: tsne(perplexity: 4)),
    embedding(heard on toy, split: train, samples: 12, by: pca),
  ]
  row ep = 0
}
";

fn drawings(lab: &Lab) -> Vec<&Stage> {
    let stages = lab.plan.stages.iter();
    stages
        .filter(|stage| matches!(stage.work, Work::Draw(_)))
        .collect()
}

fn data(of: &Finished) -> Value {
    read_json(&of.path.join(FIGURE_DATA)).unwrap()
}

#[test]
fn drawings_are_made_once_and_are_the_same_on_any_number_of_threads() {
    let lab = Lab::new(DRAWN);
    let (_, log) = said(lab.engine("one").args(["--loader-threads", "1"]));
    assert!(log.contains("uniformity"), "{log}");
    said(lab.engine("three").args(["--loader-threads", "3"]));
    let stages = drawings(&lab);
    assert_eq!(stages.len(), 3);
    for stage in &stages {
        let [one, three] = ["one", "three"].map(|runs| lab.finished(runs, stage).unwrap());
        for file in [FIGURE, FIGURE_DATA, "figure.png"] {
            let bytes = |of: &Finished| std::fs::read(of.path.join(file)).unwrap();
            assert!(bytes(&one) == bytes(&three), "{file} of {}", stage.label);
        }
        assert!(!one.result::<DrawResult>().unwrap().numbers.is_empty());
    }
    let of = |at: usize| lab.finished("one", stages[at]).unwrap();
    assert_eq!(data(&of(0))["queries"].as_array().unwrap().len(), 3);
    assert!(of(1).path.join("figure.vl.json").is_file());
    assert_eq!(data(&of(1))["points"].as_array().unwrap().len(), 18);
    assert_eq!(data(&of(2))["drawn_from"], 18);
    let (_, log) = said(&mut lab.engine("one"));
    assert_eq!(log, "");
}

#[test]
fn a_try_draws_what_little_there_is() {
    let lab = Lab::new(DRAWN);
    let (_, log) = said(lab.engine("try").arg("--smoke"));
    assert!(log.contains("uniformity"), "{log}");
}

#[test]
fn a_part_without_samples_is_said_before_anything_is_made() {
    let lab = Lab::new(
        "
data toy = videos(train: 4, classes: 2, requires: [v, a], short: skip)
eval see = linear8 with { clip = 8x112px @ 16fps   test = uniform(1) }
figure drawn {
  of   = tiny
  draw = embedding(see on toy, split: test, samples: 4, by: pca)
  row ep = 0
}
",
    );
    lab.write_site(&lab::clips());
    let message = complaint(&mut lab.engine("runs"), 1);
    assert!(
        message.contains("samples of it are drawn, but it has no test files"),
        "{message}"
    );
    assert_eq!(lab::folders(&lab.path("runs")), Vec::<String>::new());
}
