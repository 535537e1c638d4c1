//! Runs of several processes: what they come to, how they stop, what is said where one of them cannot go on.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

mod lab;

use compiler::passes::Pass;
use compiler::plan::Work;
use lab::running::{Running, send};
use lab::{FILES, Lab, clips, complaint, folders, program, said};
use records::folder::{METRICS, content_hash, plan_hash, write_json};
use records::points::points;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Two rows side by side, one of them with a state after its first epoch, in float64.
const ROWS: &str = "
data toy = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 1)
eval hear = linear2s with { train = random(2)   test = uniform(2) }
table numbers {
  of     = tiny
  scores = [hear on toy]
  row loss = intra,   precision = fp64
  row loss = intra + sync + async,   precision = fp64,   checkpoint = 1ep
}
";

/// One long training.
const LONG: &str = "
data toy = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 1)
eval hear = linear2s with { train = random(2)   test = uniform(2) }
table numbers {
  of     = tiny
  scores = [hear on toy]
  row ep = 30,   precision = fp64
}
";

/// Of each number, or of 1 where it is smaller.
const BOUND: f64 = 1e-9;

/// The losses of each training, in the order of the plan.
fn losses(lab: &Lab, runs: &str) -> Vec<Vec<f64>> {
    let trained = lab.plan.stages.iter();
    let trained = trained.filter(|stage| matches!(stage.work, Work::Pretrain(_)));
    let of = |stage| {
        let file = lab.finished(runs, stage).unwrap().path.join(METRICS);
        let text = std::fs::read_to_string(file).unwrap();
        let loss = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["loss"].as_f64().unwrap()
        };
        text.lines().map(loss).collect()
    };
    trained.map(of).collect()
}

/// The float64 tensors of all checkpoints, by file and name.
fn weights(lab: &Lab, runs: &str) -> BTreeMap<String, Vec<f64>> {
    let mut all = BTreeMap::new();
    for stage in &lab.plan.stages {
        let Work::Pretrain(_) = stage.work else {
            continue;
        };
        let folder = lab.finished(runs, stage).unwrap().path;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|of| of != "safetensors") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            for (name, tensor) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
                if tensor.dtype() == Dtype::F64 {
                    let value = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().unwrap());
                    let values = tensor.data().chunks(8).map(value).collect();
                    all.insert(format!("{}/{name}", path.display()), values);
                }
            }
        }
    }
    let strip = |(name, values): (String, Vec<f64>)| {
        let kept = name.split('/').rev().take(3).collect::<Vec<_>>().join("/");
        (kept, values)
    };
    all.into_iter().map(strip).collect()
}

fn assert_same_course(lab: &Lab, runs: [&str; 2]) {
    let near = |a: f64, b: f64| (a - b).abs() <= BOUND * b.abs().max(1.0);
    let [a, b] = runs.map(|runs| losses(lab, runs).concat());
    assert_eq!(a.len(), b.len());
    assert!(a.iter().zip(&b).all(|(a, b)| near(*a, *b)), "{a:?} {b:?}");
    let [a, b] = runs.map(|runs| weights(lab, runs));
    assert!(a.keys().eq(b.keys()) && !a.is_empty());
    for (name, values) in a {
        let pairs = values.iter().zip(&b[&name]);
        for (a, b) in pairs {
            assert!(near(*a, *b), "{name}: {a} is not {b}");
        }
    }
}

#[test]
fn two_and_four_processes_come_to_what_one_comes_to() {
    let lab = Lab::new(ROWS);
    let (table, log) = said(&mut lab.engine("one"));
    for ranks in ["2", "4"] {
        let (again, of_ranks) = said(lab.engine(ranks).args(["--ranks", ranks]));
        assert_eq!(again, table);
        let device = format!("device: {ranks} ranks on cpu\n");
        assert!(of_ranks.contains(&device), "{of_ranks}");
        // One rank speaks, and says what one process says.
        let stages = |log: &str| {
            let lines = log.lines().filter(|line| line.contains(']'));
            lines.filter(|line| !line.contains(" left")).count()
        };
        assert_eq!(stages(&of_ranks), stages(&log), "{of_ranks}");
        assert_same_course(&lab, [ranks, "one"]);
    }
    // What is there is not made again.
    let (again, log) = said(lab.engine("2").args(["--ranks", "2"]));
    assert!(again == table && !log.contains("pretrain"), "{log}");
}

#[test]
fn a_killed_rank_ends_the_others_and_is_named() {
    let lab = Lab::new(LONG);
    for rank in [0, 1] {
        let runs = format!("runs {rank}");
        let mut running = Running::start(&lab, &runs, &["--ranks", "2"]);
        running.wait_for_a_step(&lab.path(&runs), 0);
        let others = [running.rank(0), running.rank(1)];
        send("-KILL", running.rank(rank));
        let killed = Instant::now();
        assert_eq!(running.code(), Some(1));
        assert!(killed.elapsed() < Duration::from_secs(10));
        let log = running.log();
        assert!(
            log.contains(&format!("error: rank {rank} ended without a word")),
            "{log}"
        );
        let name = format!(
            "error: rank {rank} (process {}) died of signal 9",
            others[rank]
        );
        assert!(log.contains(&name) && !log.contains("a bug"), "{log}");
        let is_there = |pid: &u32| Path::new(&format!("/proc/{pid}")).exists();
        assert!(!others.iter().any(is_there));
        // Rank 0 keeps what was trained where it is the one that lives.
        let left = folders(&lab.path(&runs));
        let kept = left
            .iter()
            .map(|part| points(&lab.path(&runs).join(part)).unwrap().len());
        assert_eq!(kept.sum::<usize>(), rank, "{left:?}");
    }
}

/// How a sum over more than two ranks is rounded depends on where a number lies among those that are sent with it.
#[test]
fn a_stopped_run_of_four_ranks_comes_to_the_same_bits() {
    let lab = Lab::new(&LONG.replace("ep = 30", "ep = 4"));
    let four = ["--ranks", "4"];
    said(lab.engine("whole").args(four));
    let mut running = Running::start(&lab, "stopped", &four);
    running.wait_for_a_step(&lab.path("stopped"), 0);
    running.send("-TERM");
    assert_eq!(running.code(), Some(143));
    let (_, log) = said(lab.engine("stopped").args(four));
    assert!(log.contains("goes on after step"), "{log}");
    assert_eq!(losses(&lab, "stopped"), losses(&lab, "whole"));
    assert_eq!(weights(&lab, "stopped"), weights(&lab, "whole"));
}

#[test]
fn a_stopped_run_goes_on_with_another_number_of_ranks() {
    let lab = Lab::new(&LONG.replace("ep = 30", "ep = 4"));
    said(&mut lab.engine("whole"));
    for (first, then) in [(2, "1"), (1, "2")] {
        let runs = format!("from {first}");
        let mut running = Running::start(&lab, &runs, &["--ranks", &first.to_string()]);
        running.wait_for_a_step(&lab.path(&runs), 0);
        // Any rank may be the one that is told.
        let told = if first == 1 {
            running.child.id()
        } else {
            running.rank(1)
        };
        send("-TERM", told);
        assert_eq!(running.code(), Some(143), "{}", running.log());
        assert!(running.log().contains("interrupted"));
        let (_, log) = said(lab.engine(&runs).args(["--ranks", then]));
        let processes = format!("{first} processes before, {then} now");
        assert!(
            log.contains("goes on after step")
                && log.contains("; rounding may differ from here on: ")
                && log.contains(&processes),
            "{log}"
        );
        assert_same_course(&lab, [&runs, "whole"]);
    }
}

/// As Slurm sends it: to the starter and to all that it has started.
#[test]
fn a_signal_to_the_starter_and_to_all_ranks_is_one_request() {
    let lab = Lab::new(LONG);
    let mut running = Running::start(&lab, "runs", &["--ranks", "2"]);
    running.wait_for_a_step(&lab.path("runs"), 0);
    let all = [running.child.id(), running.rank(0), running.rank(1)];
    for process in all {
        send("-TERM", process);
    }
    assert_eq!(running.code(), Some(143), "{}", running.log());
    let log = running.log();
    assert!(
        log.contains("interrupted") && !log.contains("error"),
        "{log}"
    );
    let left = folders(&lab.path("runs"));
    let [part] = &left[..] else {
        panic!("{left:?}")
    };
    assert_eq!(points(&lab.path("runs").join(part)).unwrap().len(), 1);
    let is_there = |pid: &u32| Path::new(&format!("/proc/{pid}")).exists();
    assert!(!all[1..].iter().any(is_there));
}

/// States that are asked for later can be made by another number of processes, within rounding, which is said and written down.
#[test]
fn a_finished_run_is_repeated_by_another_number_of_processes() {
    let text = LONG.replace("ep = 30", "ep = 2");
    let bare = Lab::new(&text);
    let lab = Lab::new(&text.replace("fp64", "fp64,   checkpoint = 1ep"));
    let runs = [("2", "1"), ("1", "2")].map(|(first, then)| {
        let runs = bare.path(first).display().to_string();
        said(bare.engine(first).args(["--ranks", first]));
        let (_, log) = said(lab.engine(&runs).args(["--ranks", then]));
        let processes = format!("{first} processes before, {then} now");
        assert!(
            log.contains("the first loss compared within 0.001, ") && log.contains(&processes),
            "{log}"
        );
        let run = lab.finished(&runs, &lab.plan.stages[0]).unwrap().run;
        let later = &run.later["checkpoint-1.safetensors"];
        assert_ne!(later.maker.environment.ranks, run.environment.ranks);
        assert!(later.apart.unwrap() < BOUND);
        runs
    });
    assert_same_course(&lab, runs.each_ref().map(String::as_str));
}

/// In float32 rounding grows from step to step, as between any two such runs: the states are made all the same, and it is noted by how much
/// their course is another.
#[test]
fn a_repetition_whose_course_drifts_by_rounding_is_kept() {
    let text = LONG.replace("ep = 30,   precision = fp64", "ep = 6,   precision = fp32");
    let bare = Lab::new(&text);
    let lab = Lab::new(&text.replace("fp32", "fp32,   checkpoint = 5ep"));
    let runs = bare.path("runs").display().to_string();
    said(
        bare.engine("runs")
            .args(["--ranks", "2", "--memory-format", "channels_last"]),
    );
    let (_, log) = said(&mut lab.engine(&runs));
    for said in [
        "2 processes before, 1 now, maps channels_last before, auto now): it is a state of the same experiment",
        "kept; its losses are up to ",
        " off those of the run",
    ] {
        assert!(log.contains(said), "{log}");
    }
    let run = lab.finished(&runs, &lab.plan.stages[0]).unwrap().run;
    let apart = run.later["checkpoint-5.safetensors"].apart.unwrap();
    assert!(apart > BOUND, "{apart}");
    assert!(run.environment.steps.is_some());
}

#[test]
fn what_cannot_be_shared_is_refused_before_anything_starts() {
    let lab = Lab::new(ROWS);
    let error = complaint(lab.engine("runs").args(["--ranks", "3"]), 1);
    assert!(
        error.contains("a batch of 4 cannot be cut into 3 equal parts"),
        "{error}"
    );
    assert!(!error.contains("exit code"), "{error}");
    assert!(folders(&lab.path("runs")).is_empty());

    let error = complaint(lab.engine("runs").env("RANK", "0"), 1);
    let missing = "not LOCAL_RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT";
    assert!(error.contains(missing), "{error}");

    // The command that people type says the same, and does not start ranks inside of a rank.
    std::fs::write(lab.path("tiny.cc"), format!("{}{ROWS}", lab::TINY)).unwrap();
    let typed = |arguments: &[&str]| {
        let mut command = program("crisscross", lab.folder.path());
        command.args(arguments);
        command
    };
    let error = complaint(typed(&["run", "tiny.cc"]).env("RANK", "0"), 1);
    assert!(error.contains(missing), "{error}");
    let variables = [
        ("RANK", "0"),
        ("LOCAL_RANK", "0"),
        ("WORLD_SIZE", "2"),
        ("MASTER_ADDR", "127.0.0.1"),
        ("MASTER_PORT", "1"),
    ];
    let error = complaint(
        typed(&["run", "--ranks", "2", "tiny.cc"]).envs(variables),
        2,
    );
    assert!(error.contains("started as rank 0 of 2"), "{error}");
}

/// A port that nobody listens at: it was free a moment ago.
fn port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

/// What two ranks print to stderr that are started one by one, as by another starter, and how they end.
fn started(ranks: [std::process::Command; 2]) -> [(Option<i32>, String); 2] {
    let port = port();
    let mut rank = 0;
    let children = ranks.map(|mut command| {
        let number = rank.to_string();
        rank += 1;
        command
            .env("RANK", &number)
            .env("LOCAL_RANK", &number)
            .env("WORLD_SIZE", "2")
            .env("MASTER_ADDR", "127.0.0.1")
            .env("MASTER_PORT", &port)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    });
    children.map(|child| {
        let output = child.wait_with_output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    })
}

#[test]
fn ranks_of_different_plans_do_not_train_together() {
    let (lab, other) = (Lab::new(ROWS), Lab::new(LONG));
    let ended = started([lab.process("runs"), other.process("runs")]);
    assert_differing(&ended, "plan");
}

/// Both have ended, and it was said that `what` differs.
fn assert_differing(ended: &[(Option<i32>, String); 2], what: &str) {
    let says =
        |log: &str| log.contains("error: rank 1 (") && log.contains(&format!("has {what} `"));
    for (code, log) in ended {
        assert_eq!(*code, Some(1));
        // On a busy machine one waits for the other and says so.
        let is_silent = log.lines().all(|line| line.contains(" waits for rank "));
        assert!(is_silent || says(log), "{log}");
    }
    assert!(ended.iter().any(|(_, log)| says(log)), "nobody said why");
}

/// The same stages, whose steps a pass has changed on one rank: they would meet in the middle of a step with different tensors.
#[test]
fn ranks_that_execute_different_steps_do_not_train_together() {
    let (lab, mut other) = (Lab::new(ROWS), Lab::new(ROWS));
    other.plan = compiler::plan::with_passes(other.plan, &[Pass::FuseTerms]);
    assert_eq!(plan_hash(&other.plan), plan_hash(&lab.plan));
    assert_ne!(content_hash(&other.plan), content_hash(&lab.plan));
    write_json(&other.path("plan.json"), &other.plan).unwrap();
    let ended = started([lab.process("runs"), other.process("runs")]);
    assert_differing(&ended, "steps");
    let mut otherwise = lab.process("runs");
    otherwise.args(["--memory-format", "channels_last"]);
    let ended = started([lab.process("runs"), otherwise]);
    assert_differing(&ended, "memory format");
}

/// Nothing has been begun where ranks wait for one another: a signal ends them at once, with its code.
#[test]
fn a_signal_ends_the_waiting_for_other_ranks() {
    let lab = Lab::new(LONG);
    let mut waiting = [
        ("0", "rank 0 waits for rank 1 of 2, for "),
        ("1", "rank 1 waits for rank 0 at "),
    ]
    .map(|(rank, line)| {
        let mut command = lab.process("runs");
        let variables = [
            ("RANK", rank),
            ("LOCAL_RANK", rank),
            ("WORLD_SIZE", "2"),
            ("MASTER_ADDR", "127.0.0.1"),
            ("MASTER_PORT", &port()),
        ];
        command.envs(variables);
        (Running::of(&lab, command), line)
    });
    for (running, line) in &mut waiting {
        running.wait_for(line);
        running.send("-TERM");
        let told = Instant::now();
        assert_eq!(running.code(), Some(143), "{}", running.log());
        assert!(told.elapsed() < Duration::from_secs(5));
        let end = "interrupted by SIGTERM before all ranks had met: nothing was begun";
        assert!(running.log().contains(end), "{}", running.log());
    }
}

#[test]
fn a_network_interface_that_is_not_there_is_named_with_its_variable() {
    let lab = Lab::new(ROWS);
    let mut ranks = lab.engine("runs");
    ranks
        .args(["--ranks", "2"])
        .env("GLOO_SOCKET_IFNAME", "nowhere");
    let error = complaint(&mut ranks, 1);
    let said = "GLOO_SOCKET_IFNAME is `nowhere`, and this machine has no such network interface";
    assert!(
        error.contains(said) && !error.contains("enforce fail"),
        "{error}"
    );
}

#[test]
fn a_rank_that_cannot_read_the_data_stops_the_training_and_says_why() {
    let lab = Lab::new(FILES);
    lab.write_site(&clips());
    let mut without = lab.process("runs");
    let site = lab.path("other.toml");
    std::fs::write(&site, "[data.toy]\nroot = \"nowhere\"\n").unwrap();
    without.args(["--site", site.to_str().unwrap()]);
    let [(first, log), (second, _)] = started([lab.process("runs"), without]);
    assert_eq!((first, second), (Some(1), Some(1)));
    assert!(
        log.contains("rank 1 failed: ") && log.contains("nowhere"),
        "{log}"
    );
    // Nothing that looks finished is left of it.
    assert!(
        folders(&lab.path("runs"))
            .iter()
            .all(|name| !name.starts_with("pretrain"))
    );
}
