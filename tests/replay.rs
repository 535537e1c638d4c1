//! A training that diverges: its message, the step that is kept, and that step again.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

mod lab;

use lab::{Lab, RENDERED, complaint, folders, program, said};
use safetensors::SafeTensors;
use std::path::Path;

/// `crisscross replay` in the lab's folder.
fn replay(lab: &Lab, folder: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = program("crisscross", lab.folder.path());
    command
        .args(["replay", "--device", "cpu"])
        .args(arguments)
        .arg(folder);
    command
}

#[test]
fn a_step_that_diverges_is_kept_and_replayed() {
    let mut lab = Lab::new(RENDERED);
    lab.diverge();
    let fails = |ranks: &str| {
        let runs = format!("runs-{ranks}");
        let message = complaint(lab.engine(&runs).args(["--ranks", ranks]), 1);
        let kept: Vec<String> = folders(&lab.path(&runs))
            .into_iter()
            .filter(|name| name.starts_with("failed-numbers-2-"))
            .collect();
        let [kept] = &kept[..] else {
            panic!("{kept:?}")
        };
        let kept = lab.path(&runs).join(kept);
        let command = format!(
            "`crisscross replay {}` shows where it began",
            kept.display()
        );
        assert!(message.contains(&command), "{message}");
        kept
    };
    let kept = fails("1");
    let bytes = std::fs::read(kept.join("step.safetensors")).unwrap();
    // The same command fails in the same way, and removes nothing.
    assert_eq!(fails("1"), kept);
    assert!(std::fs::read(kept.join("step.safetensors")).unwrap() == bytes);

    let (out, _) = said(&mut replay(&lab, &kept, &[]));
    for line in [
        "it failed on cpu\n",
        ", was NaN\n",
        "first bad node ",
        "state before ",
        "reproduced: the same loss, the same first term and group\n",
    ] {
        assert!(out.contains(line), "{out}");
    }
    let (out, _) = said(&mut replay(&lab, &kept, &["--anomaly"]));
    assert!(out.contains("  backwards "), "{out}");

    // What several processes were at is the whole batch, for one to replay.
    let of_two = fails("2");
    let file = std::fs::read(of_two.join("step.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    assert_eq!(
        tensors.tensor("view.v1").unwrap().shape(),
        [4, 3, 8, 112, 112]
    );
    let (out, _) = said(&mut replay(&lab, &of_two, &[]));
    assert!(
        out.contains("reproduced: the same loss, the same first term and group\n"),
        "{out}"
    );

    std::fs::write(kept.join("step.safetensors"), &bytes[..1000]).unwrap();
    let message = complaint(&mut replay(&lab, &kept, &[]), 1);
    assert!(
        message.contains("step.safetensors` cannot be used"),
        "{message}"
    );
}

#[test]
fn a_step_that_fails_in_a_try_outlives_it() {
    let mut lab = Lab::new(RENDERED);
    lab.diverge();
    let message = complaint(lab.engine("runs").arg("--smoke"), 1);
    let left = folders(&lab.path("runs"));
    let [kept] = &left[..] else {
        panic!("{left:?}")
    };
    assert!(kept.starts_with("failed-try-numbers-2-"), "{kept}");
    let kept = lab.path("runs").join(kept);
    let command = format!("`crisscross replay {}`", kept.display());
    assert!(message.contains(&command), "{message}");
    let (out, _) = said(&mut replay(&lab, &kept, &[]));
    assert!(out.contains("reproduced: the same loss"), "{out}");
}

#[test]
fn any_step_of_a_run_can_be_looked_at() {
    let lab = Lab::new(RENDERED);
    said(&mut lab.engine("runs"));
    let run = lab.finished("runs", &lab.plan.stages[5]).unwrap().path;
    let (out, _) = said(&mut replay(&lab, &run, &["--step", "3"]));
    for line in [
        "the outputs of all nodes are finite\n",
        "reproduced: the same loss to the last bit\n",
    ] {
        assert!(out.contains(line), "{out}");
    }
    let message = complaint(&mut replay(&lab, &run, &["--step", "4"]), 1);
    assert!(
        message.contains("its steps are counted from 0 to 3"),
        "{message}"
    );
    let other = lab.finished("runs", &lab.plan.stages[6]).unwrap().path;
    let message = complaint(&mut replay(&lab, &other, &["--step", "0"]), 1);
    assert!(
        message.contains("which trains no networks by steps"),
        "{message}"
    );

    // Without a step as with one, and with what can be replayed.
    let such = format!(
        "the run folder of a pretraining with `--step N`, such as `{}",
        lab.path("runs/pretrain-").display()
    );
    for arguments in [&["--step", "0"][..], &[]] {
        let message = complaint(&mut replay(&lab, &other, arguments), 1);
        assert!(
            message.contains("which trains no networks by steps") && message.contains(&such),
            "{message}"
        );
    }

    let metrics = run.join(records::folder::METRICS);
    let first = std::fs::read_to_string(&metrics).unwrap();
    let mut line: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    line["loss"] = 0.25.into();
    std::fs::write(&metrics, line.to_string()).unwrap();
    let mut wrong = replay(&lab, &run, &["--step", "0"]);
    let output = wrong.assert().code(1).get_output().clone();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("not reproduced: the losses are "), "{out}");
}
