//! The built `crisscross`: exit codes, what goes to which stream, and what typical misuse is told.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use std::path::Path;

use assert_cmd::Command;
use serde_json::{Value, json};

/// What a call left: exit code, standard output, standard error.
struct Left {
    code: i32,
    out: String,
    err: String,
}

/// Runs `crisscross` in `folder`.
fn crisscross(folder: &Path, arguments: &[&str]) -> Left {
    let output = Command::cargo_bin("crisscross")
        .unwrap()
        .current_dir(folder)
        .env("XDG_CACHE_HOME", "/no/cache")
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Left {
        code: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// Puts a copy of `crisscross` at `place`. Another process writes it: a test beside this one that starts a process while we
/// hold the file open would hand that on, and a file open for writing cannot be run.
fn copy_program(place: &Path) {
    let mut copy = std::process::Command::new("cp");
    copy.arg(assert_cmd::cargo::cargo_bin("crisscross"))
        .arg(place);
    assert!(copy.status().unwrap().success());
}

const TABLE: &[u8] = b"use paper
table t \"Two losses\" {
  of = crisscross
  scores = [linear8 on UCF101]
  row loss = intra          expect 69.7
  row \"all\" loss = intra + sync
}
";

#[test]
fn a_correct_file_passes_and_a_wrong_one_fails() {
    let folder = folder(&[
        ("good.cc", TABLE),
        ("bad.cc", b"use paper\nloss x = intra + + sync\n"),
    ]);
    let good = crisscross(folder.path(), &["check", "good.cc"]);
    assert_eq!((good.code, good.err.as_str()), (0, ""));
    assert_eq!(
        good.out,
        "checked 1 file: no mistakes; 3 notes (W0606 W0701 W0705), `--notes` shows them\n"
    );
    let noted = crisscross(folder.path(), &["check", "--notes", "--strict", "good.cc"]);
    assert_eq!(noted.code, 0, "a note fails nothing");
    assert!(noted.err.contains("note[W0705]"), "{}", noted.err);
    let bad = crisscross(folder.path(), &["check", "good.cc", "bad.cc"]);
    assert_eq!(
        (bad.code, bad.out.as_str()),
        (1, "checked 2 files: 1 error\n")
    );
    assert!(bad.err.starts_with("error[E0104]: "), "{}", bad.err);
    assert!(bad.err.contains("bad.cc:2:18"), "{}", bad.err);
    assert!(!bad.err.contains('\u{1b}'), "colours without a terminal");
}

#[test]
fn the_one_line_experiment_is_checked_drawn_and_planned() {
    let folder = folder(&[("one.cc", b"intra + sync + async\n")]);
    for verb in ["check", "graph", "plan"] {
        let left = crisscross(folder.path(), &[verb, "one.cc"]);
        assert_eq!((left.code, left.err.as_str()), (0, ""), "{verb}");
        assert!(!left.out.is_empty());
    }
    for (format, start) in [
        ("dot", "digraph"),
        ("mermaid", "flowchart"),
        ("svg", "<svg"),
        ("json", "{"),
    ] {
        let left = crisscross(folder.path(), &["graph", "one.cc", "--format", format]);
        assert_eq!(left.code, 0, "{}", left.err);
        assert!(
            left.out.trim_start().contains(start),
            "{format}: {}",
            &left.out[..left.out.len().min(200)]
        );
    }
}

#[test]
fn the_graph_after_a_pass_and_what_the_passes_did() {
    let folder = folder(&[("one.cc", b"intra + sync + async\n")]);
    let graph = |arguments: &[&str]| {
        let left = crisscross(folder.path(), &[&["graph", "one.cc"], arguments].concat());
        assert_eq!((left.code, left.err.as_str()), (0, ""), "{arguments:?}");
        left.out
    };
    // As written: the three names are sums of their own, and each term has its own calls.
    let literal = graph(&["--pass", "none"]);
    assert!(
        literal.contains("%sum") && literal.contains("%z.v1#6"),
        "{literal}"
    );
    let expanded = graph(&["--pass", "expand_and_fold"]);
    assert!(!expanded.contains("%sum") && expanded.contains("%z.v1#6"));
    assert!(!graph(&["--pass", "merge_duplicates"]).contains('#'));
    assert_eq!(graph(&["--pass", "share_decodes"]), graph(&[]));
    let all = graph(&["--pass", "fuse_terms", "--pass", "batch_views"]);
    assert!(all.contains("%z.v1+v2") && all.contains("%cosines") && !all.contains("batch ->"));
    for format in ["dot", "mermaid", "svg"] {
        graph(&["--pass", "move_domain", "--format", format]);
    }
    let why = graph(&["--why", "--pass", "move_domain"]);
    assert!(
        why.contains("encode 24 -> 4, predict 12 -> 4, stopgrad 12 -> 4"),
        "{why}"
    );
    assert!(why.contains("not: `MSC` of `v` stays on the host"), "{why}");
    let log: Value = serde_json::from_str(&graph(&["--why", "--format", "json"])).unwrap();
    assert_eq!(log.as_array().unwrap().len(), 5);
    assert_eq!(
        (&log[1]["pass"], &log[1]["class"]),
        (&json!("merge_duplicates"), &json!("reassociating"))
    );
    let step: Value =
        serde_json::from_str(&graph(&["--pass", "move_domain", "--format", "json"])).unwrap();
    let steps = step["steps"].as_array().unwrap();
    let place = |name: &str| &steps.iter().find(|step| step["name"] == name).unwrap()["place"];
    assert_eq!(
        (place("v1.MSC"), place("v1.HF")),
        (&json!("host"), &json!("device"))
    );
    for wrong in [
        &["--pass", "gang"][..],
        &["--pass", "none", "--pass", "fuse_terms"],
    ] {
        let left = crisscross(folder.path(), &[&["graph", "one.cc"], wrong].concat());
        assert_eq!((left.code, left.out.as_str()), (2, ""));
        assert!(
            left.err
                .contains("`merge_duplicates`, `share_stop_gradients`"),
            "{}",
            left.err
        );
    }
    let left = crisscross(
        folder.path(),
        &["graph", "one.cc", "--why", "--format", "svg"],
    );
    assert!(left.err.contains("no drawing"), "{}", left.err);
}

#[test]
fn json_diagnostics_are_one_object_per_line() {
    let text = "use paper\npretrain x = crisscross with {\n  # \u{e9}\u{e9}\n  bs = 512, ep = 5\n  optim = adam(betas: (0.9, 0.99), wd = 0.1)\n}\n";
    let folder = folder(&[("bad.cc", text.as_bytes())]);
    let left = crisscross(folder.path(), &["check", "--format", "json", "bad.cc"]);
    assert_eq!((left.code, left.err.as_str()), (1, ""));
    let objects: Vec<Value> = left
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(objects.len(), 2, "{}", left.out);
    for key in [
        "code",
        "severity",
        "message",
        "file",
        "line",
        "column",
        "end_line",
        "end_column",
        "labels",
        "notes",
        "help",
        "edits",
    ] {
        assert!(
            objects.iter().all(|object| object.get(key).is_some()),
            "no `{key}`"
        );
    }
    let comma = &objects[0];
    assert_eq!(
        (comma["code"].as_str(), comma["severity"].as_str()),
        (Some("E0101"), Some("error"))
    );
    assert_eq!(
        (comma["file"].as_str(), comma["line"].as_u64()),
        (Some("bad.cc"), Some(4))
    );
    assert_eq!(
        (comma["column"].as_u64(), comma["end_column"].as_u64()),
        (Some(11), Some(12))
    );
    let edit = &comma["edits"][0];
    assert_eq!(
        (
            edit["line"].as_u64(),
            edit["column"].as_u64(),
            edit["text"].as_str()
        ),
        (Some(4), Some(11), Some(""))
    );
    let byte = |key: &str| edit[key].as_u64().unwrap() as usize;
    assert_eq!(&text[byte("start")..byte("end")], ",");
    assert_eq!(objects[1]["edits"][0]["text"], ":");
}

#[test]
fn files_that_cannot_be_read_get_one_message_each() {
    let folder = folder(&[("latin.cc", b"intra # caf\xe9\n"), ("one.cc", b"intra\n")]);
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    for (name, reason) in [
        ("gone.cc", "there is no file `gone.cc`"),
        ("latin.cc", "not UTF-8"),
        ("empty", "`empty` is a folder"),
        ("*.c", "there is no file `*.c`"),
    ] {
        let left = crisscross(folder.path(), &["check", name]);
        assert_eq!(left.code, 1);
        assert!(
            left.err.contains(reason) && left.err.contains("help:"),
            "{}",
            left.err
        );
        assert_eq!(left.err.matches("error").count(), 1, "{}", left.err);
        let left = crisscross(folder.path(), &["check", "--format", "json", name]);
        assert_eq!(left.code, 1);
        let object: Value = serde_json::from_str(left.out.trim()).unwrap();
        assert_eq!(object["code"], "E0110");
        for verb in ["graph", "plan", "run", "report"] {
            assert_eq!(crisscross(folder.path(), &[verb, name]).code, 1, "{verb}");
        }
    }
    let near = crisscross(folder.path(), &["check", "one"]);
    assert!(near.err.contains("did you mean `one.cc`?"), "{}", near.err);
}

#[test]
fn a_folder_or_a_pattern_stands_for_the_files_below() {
    let folder = folder(&[("a.cc", b"use paper\n"), ("b.cc", b"intra\n")]);
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(
        folder.path().join("sub/c.cc"),
        "use paper\nloss x = cos(1, 2)\n",
    )
    .unwrap();
    for named in [".", "**/*.cc"] {
        let left = crisscross(folder.path(), &["check", named]);
        assert!(left.out.starts_with("checked 3 files: "), "{}", left.out);
        assert!(left.err.contains("sub/c.cc:2"), "{}", left.err);
        for verb in ["fix", "fmt", "plan"] {
            let left = crisscross(folder.path(), &[verb, named]);
            assert!(!left.err.contains("folder"), "{verb}: {}", left.err);
        }
    }
    let left = crisscross(folder.path(), &["run", "."]);
    assert!(left.err.contains("such as `"), "{}", left.err);
}

#[test]
fn the_experiments_hold_nothing_that_strictness_refuses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let left = crisscross(root, &["check", "--strict", "experiments"]);
    assert_eq!(left.code, 0, "{}", left.err);
    assert!(
        left.out.starts_with("checked 25 files: no mistakes"),
        "{}",
        left.out
    );
}

#[test]
fn a_command_line_without_sense_ends_with_2() {
    let folder = folder(&[("t.cc", TABLE)]);
    let misuses: &[&[&str]] = &[
        &[],
        &["check"],
        &["chekc", "t.cc"],
        &["check", "t.cc", "--colour"],
        &["check", "t.cc", "--format", "xml"],
        &["graph", "t.cc", "--row", "3"],
        &["graph", "t.cc", "--row", "u:1"],
        &["run", "t.cc", "--only", "t:none"],
        &["run", "t.cc", "--loader-threads", "0"],
        &["show", "papre"],
        &["show", "nobody", "t.cc"],
        &["data"],
        &["data", "check"],
        &["bench"],
        &["bench", "data", "t.cc", "--batches", "0"],
        &["bench", "data", "t.cc", "--row", "3"],
        &["bench", "step", "t.cc", "--steps", "0"],
        &["bench", "step", "t.cc", "--row", "3"],
    ];
    for arguments in misuses {
        let left = crisscross(folder.path(), arguments);
        assert_eq!(left.code, 2, "{arguments:?}: {}{}", left.out, left.err);
        assert!(
            !left.err.is_empty() && !left.err.contains("panicked"),
            "{arguments:?}"
        );
    }
}

#[test]
fn rows_are_named_by_number_or_label() {
    let folder = folder(&[("t.cc", TABLE)]);
    let graph = |row: &str| {
        let left = crisscross(folder.path(), &["graph", "t.cc", "--row", row]);
        assert_eq!(left.code, 0, "{}", left.err);
        left.out
    };
    assert_eq!(graph("2"), graph("t:2"));
    assert_eq!(graph("t:2"), graph("t:all"));
    assert_ne!(graph("1"), graph("2"));
    let twice =
        String::from_utf8_lossy(TABLE).replace("row loss = intra  ", "row \"all\" loss = intra  ");
    std::fs::write(folder.path().join("twice.cc"), twice).unwrap();
    let left = crisscross(folder.path(), &["graph", "twice.cc", "--row", "t:all"]);
    assert_eq!(left.code, 2);
    assert!(
        left.err.contains("2 rows `all`") && left.err.contains("name one by its number: 1, 2"),
        "{}",
        left.err
    );
}

#[test]
fn a_mistake_in_a_module_is_said_once_however_many_files_use_it() {
    let user: &[u8] = b"use paper\nuse \"bad.cc\"\npretrain x = crisscross with { loss = mine }\n";
    let folder = folder(&[
        ("bad.cc", b"use paper\nloss mine = intra + synch\n"),
        ("one.cc", user),
        ("two.cc", user),
    ]);
    let left = crisscross(folder.path(), &["check", "one.cc", "two.cc"]);
    assert_eq!(left.code, 1);
    assert_eq!(
        left.err.matches("no loss named `synch`").count(),
        1,
        "{}",
        left.err
    );
}

#[test]
#[cfg(target_os = "linux")]
fn an_output_that_is_full_is_an_error() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let program = assert_cmd::cargo::cargo_bin!("crisscross");
    let output = std::process::Command::new(program)
        .args(["show", "paper"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.starts_with("error: cannot write to standard output"),
        "{message}"
    );
}

#[test]
fn shipped_modules_print_as_they_ship() {
    let folder = folder(&[]);
    for (name, text) in compiler::SHIPPED {
        let left = crisscross(folder.path(), &["show", name]);
        assert_eq!((left.code, left.out.as_str()), (0, *text));
    }
}

#[test]
fn a_name_of_a_file_is_shown_closed_with_its_sources() {
    let folder = folder(&[(
        "p.cc",
        b"use paper\npretrain small = crisscross with {\n  bs = 64\n}\n",
    )]);
    let left = crisscross(folder.path(), &["show", "small", "p.cc"]);
    assert_eq!((left.code, left.err.as_str()), (0, ""));
    assert!(left.out.contains("  bs = 64    # p.cc:3"), "{}", left.out);
    assert!(
        left.out.contains("  views = 2    # paper.cc:"),
        "{}",
        left.out
    );
    let joined = crisscross(folder.path(), &["show", "p.cc:small"]);
    assert_eq!(joined.out, left.out);
    let left = crisscross(folder.path(), &["show", "p.cc:small", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&left.out).unwrap();
    assert_eq!(value["fields"]["bs"]["value"], "64");
    assert_eq!(value["fields"]["bs"]["place"], "p.cc:3");
    let left = crisscross(folder.path(), &["show", "paper", "--format", "json"]);
    assert_eq!(left.code, 2);
}

#[test]
fn modules_are_found_beside_the_file_that_uses_them() {
    let folder = folder(&[("more.cc", b"use paper\nloss mine = intra + sync\n")]);
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    let text = "use paper\nuse \"../more.cc\"\npretrain x = crisscross with { loss = mine }\n";
    std::fs::write(folder.path().join("deep/x.cc"), text).unwrap();
    let left = crisscross(folder.path(), &["check", "deep/x.cc"]);
    assert_eq!((left.code, left.err.as_str()), (0, ""));
}

#[test]
fn warnings_fail_only_when_strict() {
    let folder = folder(&[(
        "w.cc",
        b"use paper\npretrain x = crisscross with { loss = intra + v1v2 }\n",
    )]);
    let left = crisscross(folder.path(), &["check", "w.cc"]);
    assert_eq!(left.code, 0, "{}", left.err);
    assert!(left.err.starts_with("warning[W0412]"), "{}", left.err);
    assert_eq!(
        crisscross(folder.path(), &["check", "--strict", "w.cc"]).code,
        1
    );
}

#[test]
fn the_plan_as_json_is_what_the_engine_reads() {
    let folder = folder(&[("t.cc", TABLE)]);
    let left = crisscross(folder.path(), &["plan", "t.cc", "--format", "json"]);
    let plan: compiler::plan::Plan = serde_json::from_str(&left.out).unwrap();
    assert_eq!(plan.tables[0].rows.len(), 2);
    let toy = crisscross(
        folder.path(),
        &["plan", "t.cc", "--format", "json", "--toy"],
    );
    let toy: compiler::plan::Plan = serde_json::from_str(&toy.out).unwrap();
    assert!(toy.toy && toy.stages[0].id != plan.stages[0].id);
}

#[test]
fn a_plan_is_printed_at_three_levels() {
    let folder = folder(&[("t.cc", TABLE), ("u.cc", b"intra + sync\n")]);
    let plan = |arguments: &[&str]| {
        let left = crisscross(
            folder.path(),
            &[&["plan", "t.cc", "u.cc"], arguments].concat(),
        );
        assert_eq!((left.code, left.err.as_str()), (0, ""), "{arguments:?}");
        left.out
    };
    let [rows, summary, full] = [&["-q"] as &[&str], &[], &["-v"]].map(plan);
    assert_eq!(rows.lines().count(), 3, "{rows}");
    assert!(
        summary.starts_with("plan for 2 files, 2 tables, 3 rows\n"),
        "{summary}"
    );
    assert!(summary.contains("row 1 is t:2"), "{summary}");
    assert!(
        summary.contains("missing           KS: no root in `crisscross.toml`; stops"),
        "{summary}"
    );
    assert!(
        full.lines().count() > summary.lines().count() && full.contains("v.lr_b = "),
        "{full}"
    );
    assert_eq!(crisscross(folder.path(), &["plan"]).code, 2);
    assert_eq!(
        crisscross(folder.path(), &["plan", "-q", "-v", "t.cc"]).code,
        2
    );
}

#[test]
fn why_takes_a_row_a_table_or_nothing_before_the_file() {
    let folder = folder(&[
        ("t.cc", TABLE),
        (
            "crisscross.toml",
            b"[data.KS]\nroot = \".\"\n[data.UCF101]\nroot = \".\"\n",
        ),
    ]);
    let why = |arguments: &[&str]| {
        let left = crisscross(folder.path(), &[&["plan"], arguments].concat());
        assert_eq!(left.code, 0, "{arguments:?}: {}", left.err);
        left.out
    };
    let all = why(&["--why", "t.cc"]);
    assert_eq!(all, why(&["t.cc", "--why"]));
    assert_eq!(all, why(&["--why", "t", "t.cc"]));
    assert!(all.starts_with("t:1  loss = intra\n  pretrain  "), "{all}");
    let one = why(&["--why", "t:all", "t.cc"]);
    assert!(
        all.ends_with(&one) && one.starts_with("t:2  all\n"),
        "{one}"
    );
    assert!(one.contains("waits for pretrain "), "{one}");
    // With its file, which need not be named twice, and by what a row starts from.
    assert_eq!(one, why(&["--why", "t.cc:t:all"]));
    assert_eq!(one, why(&["--why", "t.cc:t:all", "t.cc"]));
    assert_eq!(all, why(&["--why", "crisscross", "t.cc"]));
    let wrong = crisscross(folder.path(), &["plan", "t.cc", "--why", "t:9"]);
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.err.contains("table `t` has no row `9`"),
        "{}",
        wrong.err
    );
}

/// Warnings are counted by a plan, and `check` shows them.
#[test]
fn a_plan_counts_warnings() {
    let folder = folder(&[(
        "w.cc",
        b"use paper\npretrain x = crisscross with { loss = intra + v1v2 }\n",
    )]);
    let left = crisscross(folder.path(), &["plan", "w.cc"]);
    assert_eq!((left.code, left.err.as_str()), (0, ""));
    assert!(
        left.out
            .contains("1 warning (W0412), `crisscross check` shows them"),
        "{}",
        left.out
    );
}

/// What `plan` counts is what `run` counts before it begins.
#[test]
fn plan_and_run_print_the_same_counts() {
    let folder = folder(&[("t.cc", TABLE), ("one.cc", b"intra\n")]);
    copy_program(&folder.path().join("crisscross"));
    let alone = |verb: &str| {
        let output = Command::new(folder.path().join("crisscross"))
            .current_dir(folder.path())
            .args([verb, "t.cc", "one.cc"])
            .output()
            .unwrap();
        (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (plan, _) = alone("plan");
    // Without an engine beside it a run ends here.
    let (_, run) = alone("run");
    let counts: Vec<&str> = run
        .lines()
        .take_while(|line| !line.starts_with("error"))
        .collect();
    assert!(counts.len() > 4, "{run}");
    assert_eq!(plan.lines().take(counts.len()).collect::<Vec<_>>(), counts);
}

#[test]
fn a_report_without_runs_prints_dashes_and_no_published_number_as_measured() {
    let folder = folder(&[("t.cc", TABLE)]);
    for format in [None, Some("md"), Some("tex"), Some("csv")] {
        let mut arguments = vec!["report", "t.cc"];
        arguments.extend(format.iter().flat_map(|format| ["--format", format]));
        let left = crisscross(folder.path(), &arguments);
        assert_eq!((left.code, left.err.as_str()), (0, ""), "{format:?}");
        assert!(left.out.contains("69.7"), "{format:?}: {}", left.out);
    }
    assert!(
        !folder.path().join("runs").exists(),
        "a report writes nothing"
    );
}

#[test]
fn pages_and_json_are_printed_or_written_where_asked() {
    let folder = folder(&[("t.cc", TABLE), ("b/t.cc", TABLE), ("one.cc", b"intra\n")]);
    let call = |arguments: &[&str]| crisscross(folder.path(), arguments);
    let html = call(&["report", "t.cc", "--format", "html"]);
    assert_eq!((html.code, html.err.as_str()), (0, ""));
    for part in [
        "Two losses",
        "69.7",
        "pretraining not run",
        "paper.cc:",
        "crisscross run t.cc",
    ] {
        assert!(html.out.contains(part), "{part}: {}", html.out);
    }
    let json = call(&[
        "report", "t.cc", "one.cc", "--format", "json", "--set", "bs=64",
    ]);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["format"], 1);
    let [first, second] = json["experiments"].as_array().unwrap().as_slice() else {
        panic!("{json}")
    };
    assert_eq!(second["file"], "one.cc");
    assert_eq!(first["set"], json!(["bs = 64"]));
    assert_eq!(first["command"], "crisscross run t.cc --set 'bs=64'");
    assert_eq!(
        first["tables"][0]["rows"][0]["cells"][0]["expected"],
        "69.7"
    );
    let values = first["values"][0]["shared"].as_array().unwrap();
    let bs = values.iter().find(|value| value["path"] == "bs").unwrap();
    assert_eq!(
        (&bs["value"], &bs["file"]),
        (&json!("64"), &json!("command line"))
    );

    let many = call(&["report", ".", "--format", "html", "--out", "pages"]);
    assert_eq!(
        many.out, "wrote 3 pages and `pages/index.html`\n",
        "{}",
        many.err
    );
    let mut names: Vec<String> = std::fs::read_dir(folder.path().join("pages"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["b-t.html", "index.html", "one.html", "t.html"]);
    let csv = call(&["report", "t.cc", "--format", "csv", "--out", "t.csv"]);
    assert_eq!((csv.code, csv.out.as_str()), (0, ""));
    let csv = std::fs::read_to_string(folder.path().join("t.csv")).unwrap();
    assert!(
        csv.contains("69.7") && csv.contains("pretraining not run"),
        "{csv}"
    );
}

#[test]
fn a_figure_without_data_leaves_no_file_and_is_named_with_its_reason() {
    let folder = folder(&[("t.cc", TABLE), ("b/t.cc", TABLE)]);
    let call = |files: &[&str]| {
        let arguments = [
            &["report"],
            files,
            &["--format", "figures", "--out", "drawn"],
        ];
        crisscross(folder.path(), &arguments.concat())
    };
    let one = call(&["t.cc"]);
    assert_eq!((one.code, one.err.as_str()), (0, ""));
    for line in [
        "wrote 0 figures as 0 files in `drawn`",
        "no step of its pretraining was taken",
        "pretraining not run",
    ] {
        assert!(one.out.contains(line), "{line}: {}", one.out);
    }
    assert!(call(&["t.cc", "b/t.cc"]).out.contains(", b-t/t-loss"));
    assert!(!folder.path().join("drawn").exists());
}

#[test]
fn a_report_says_where_it_cannot_be_written() {
    let folder = folder(&[
        ("t.cc", TABLE),
        ("one.cc", b"intra\n"),
        ("file", b"kept"),
        ("crisscross.toml", b"runs = \"runs\"\n"),
    ]);
    let call = |arguments: &[&str]| {
        let left = crisscross(folder.path(), &[&["report", "t.cc"], arguments].concat());
        assert_eq!(left.out, "", "{arguments:?}");
        (left.code, left.err)
    };
    for (arguments, code, message) in [
        (
            &["one.cc", "--format", "html"][..],
            2,
            "2 pages need a folder",
        ),
        (
            &["one.cc", "--format", "html", "--out", "file"],
            2,
            "2 pages need a folder, and `file` is a file",
        ),
        (&["--format", "json", "--out", "."], 2, "`.` is a folder"),
        (&["--out", "t.pdf"], 2, "`.pdf` says no format of a report"),
        (
            &["--format", "tex", "--out", "no/such.tex"],
            1,
            "cannot write `no/such.tex`",
        ),
        (&["--format", "figures"], 2, "figures are files"),
        (
            &["--format", "figures", "--out", "file"],
            2,
            "figures need a folder, and `file` is a file",
        ),
        (
            &["--format", "md", "--out", "./t.cc"],
            2,
            "`./t.cc` is a file that is reported, which a report would replace",
        ),
        (
            &["--watch", "--out", "one.cc"],
            2,
            "`one.cc` is an experiment, which a report would replace",
        ),
        (
            &["--format", "html", "--out", "crisscross.toml"],
            2,
            "name another file: `--out crisscross.html`",
        ),
        (&["--runs", "TYPO"], 1, "there is no folder `TYPO`"),
        (&["--watch"], 2, "`--watch` needs a file that it can renew"),
        (
            &["--watch", "--format", "csv", "--out", "x"],
            2,
            "`--watch` writes HTML pages",
        ),
    ] {
        let (found, said) = call(arguments);
        assert_eq!(found, code, "{arguments:?}: {said}");
        assert!(
            said.contains(message) && said.contains("= help: "),
            "{arguments:?}: {said}"
        );
    }
    assert_eq!(std::fs::read(folder.path().join("file")).unwrap(), b"kept");
    assert_eq!(std::fs::read(folder.path().join("t.cc")).unwrap(), TABLE);
}

#[test]
fn a_watched_page_is_renewed_and_left_as_it_is_to_be_kept() {
    let folder = folder(&[("t.cc", TABLE)]);
    let page = folder.path().join("t.html");
    let mut watching = std::process::Command::new(assert_cmd::cargo::cargo_bin("crisscross"))
        .current_dir(folder.path())
        .args(["report", "t.cc", "--watch", "--out", "t.html"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let text = || std::fs::read_to_string(&page).unwrap_or_default();
    let mut wait_for = |is_so: &dyn Fn(&str) -> bool| {
        for _ in 0..600 {
            if is_so(&text()) {
                return true;
            }
            if watching.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        false
    };
    assert!(wait_for(&|text| text.contains("http-equiv=\"refresh\"")));
    // A training begins: the same pretraining as the plan has it.
    let plan = crisscross(folder.path(), &["plan", "t.cc", "--format", "json", "-v"]).out;
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let stage = plan["stages"][0]["id"].as_str().unwrap().to_owned();
    let attempt = folder.path().join("runs/.part-pretrain-x");
    std::fs::create_dir_all(&attempt).unwrap();
    let run = json!({
        "format": 1, "stage": stage, "kind": "pretrain", "label": "t:1 pretrain", "plan": "", "toy": false, "code": "0.1.0",
        "environment": { "host": "", "device": "cpu", "threads": 1, "torch": null, "cuda": null, "ffmpeg": null },
        "status": "running", "started": 1, "seconds": 0.0,
    });
    std::fs::write(attempt.join("run.json"), run.to_string()).unwrap();
    let metrics = "{\"step\":0,\"loss\":0.5}\n{\"step\":1,\"loss\":0.25}\n";
    std::fs::write(attempt.join("metrics.jsonl"), metrics).unwrap();
    assert!(
        wait_for(&|text| text.contains("pretraining at step 2 of")),
        "{}",
        text()
    );
    let process = watching.id().to_string();
    let kill = std::process::Command::new("kill")
        .args(["-INT", &process])
        .status();
    assert!(kill.unwrap().success());
    let left = watching.wait_with_output().unwrap();
    let said = String::from_utf8(left.stderr).unwrap();
    assert_eq!(left.status.code(), Some(0), "{said}");
    assert!(said.contains("wrote `t.html` for the last time"), "{said}");
    assert!(!text().contains("http-equiv") && text().contains("pretraining at step 2 of"));
}

#[test]
fn what_the_command_line_sets_is_said_wherever_numbers_are_printed() {
    let folder = folder(&[("t.cc", TABLE), ("one.cc", b"intra\n")]);
    let set = ["--set", "bs=64", "--set", "lr_b=0.0001"];
    let call = |arguments: &[&str]| crisscross(folder.path(), &[arguments, &set].concat());
    let line = "set on the command line: bs = 64, lr_b = 0.0001";
    for arguments in [
        &["plan", "t.cc", "one.cc"][..],
        &["plan", "-q", "t.cc"],
        &["plan", "-v", "t.cc"],
        &["plan", "--why", "t:1", "t.cc"],
        &["show", "t.cc"],
        &["report", "t.cc"],
        &["report", "t.cc", "--format", "md"],
        &["report", "t.cc", "--format", "tex"],
        &["report", "t.cc", "--toy"],
    ] {
        let left = call(arguments);
        let said = left.out.replace("\\_", "_");
        assert_eq!(said.matches(line).count(), 1, "{arguments:?}: {}", left.out);
    }
    let csv = call(&["report", "t.cc", "--format", "csv"]).out;
    let mut lines = csv.lines();
    assert!(lines.next().unwrap().ends_with(",note,set"), "{csv}");
    assert!(
        lines.next().unwrap().ends_with(",bs = 64; lr_b = 0.0001"),
        "{csv}"
    );
    let json: Value =
        serde_json::from_str(&call(&["plan", "one.cc", "--format", "json"]).out).unwrap();
    assert_eq!(json["set"], json!(["bs = 64", "lr_b = 0.0001"]));
    assert_eq!(json["stages"][0]["work"]["settings"]["bs"], 64);
    let graph = call(&["graph", "one.cc"]);
    assert!(graph.out.contains("f32[64, 2048]"), "{}", graph.out);
}

#[test]
fn what_the_command_line_sets_is_the_last_place_of_a_value() {
    let folder = folder(&[("t.cc", TABLE)]);
    let shown = crisscross(
        folder.path(),
        &["show", "t.cc:t:1", "--changed", "--set", "bs=64"],
    );
    assert_eq!(
        shown.out.lines().last(),
        Some("  bs = 64    # command line:1"),
        "{}",
        shown.out
    );
    let explained = crisscross(folder.path(), &["explain", "t.cc:t:1.bs", "--set", "bs=64"]);
    assert_eq!(
        explained.out,
        "t.cc:t:1.bs = 64\n\
         \x20 1   paper.cc:132     crisscross     512   Table S10\n\
         \x20 2   command line:1   command line   64                <- wins\n\
         \x20 used by     t\n"
    );
    for (what, policy) in [
        ("t.cc:t:1.relax", "extreme"),
        ("crisscross.relax", "extreme"),
    ] {
        let set = format!("relax={policy}");
        let windows = crisscross(folder.path(), &["explain", what, "--set", &set]);
        assert!(
            windows.out.starts_with("extreme = windows"),
            "{}",
            windows.out
        );
    }
}

#[test]
fn a_wrong_set_is_said_once_at_its_place_and_what_cannot_be_set_is_refused() {
    let folder = folder(&[("t.cc", TABLE), ("one.cc", b"intra\n")]);
    for verb in ["check", "plan", "run"] {
        let left = crisscross(folder.path(), &[verb, "t.cc", "one.cc", "--set", "bz=64"]);
        assert_eq!(left.code, 1, "{verb}");
        assert_eq!(left.err.matches("error[E0302]").count(), 1, "{}", left.err);
        assert!(
            left.err.contains("command line:1:1")
                && left.err.contains("did you mean `bn` or `bs`?"),
            "{}",
            left.err
        );
    }
    let unquoted = ["check", "one.cc", "--set", "loss=intra", "+", "sync"];
    let left = crisscross(folder.path(), &unquoted);
    assert_eq!(left.code, 1);
    assert!(
        left.err.contains("quote it: `--set 'loss = intra + sync'`"),
        "{}",
        left.err
    );
    for what in [
        "crisscross",
        "crisscross.bs",
        "crisscross.relax",
        "crisscross.v.f",
    ] {
        let verb = if what == "crisscross" {
            "show"
        } else {
            "explain"
        };
        let left = crisscross(folder.path(), &[verb, what, "--set", "bs=no"]);
        assert_eq!((left.code, left.out.as_str()), (1, ""), "{what}");
        assert!(left.err.contains("command line:1:4"), "{}", left.err);
    }
    for arguments in [["show", "paper"], ["explain", "E0402"]] {
        let left = crisscross(
            folder.path(),
            &[&arguments[..], &["--set", "bs=64"]].concat(),
        );
        assert_eq!((left.code, left.out.as_str()), (2, ""), "{arguments:?}");
        assert!(left.err.contains("--set bs=64"), "{}", left.err);
    }
}

#[test]
fn a_wrong_site_file_is_named() {
    let folder = folder(&[("t.cc", TABLE), ("crisscross.toml", b"devcie = \"cpu\"\n")]);
    let left = crisscross(folder.path(), &["plan", "t.cc"]);
    assert_eq!(left.code, 1);
    assert!(
        left.err.contains("crisscross.toml") && left.err.contains("`device`"),
        "{}",
        left.err
    );
}

#[test]
fn without_the_engine_the_way_to_get_it_is_said() {
    // The binary alone in a folder, as a build without the tensor library leaves it.
    let folder = folder(&[("one.cc", b"intra\n")]);
    let alone = folder.path().join("crisscross");
    copy_program(&alone);
    for arguments in [
        &["run", "one.cc"] as &[&str],
        &["data", "check", "."],
        &["bench", "data", "one.cc"],
        &["doctor"],
    ] {
        let output = Command::new(&alone)
            .current_dir(folder.path())
            .args(arguments)
            .output()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(
            err.contains("crisscross-engine") && err.contains("cargo xtask setup"),
            "{err}"
        );
    }
    assert!(
        !folder.path().join("runs").exists(),
        "a run that cannot start writes nothing"
    );
}

/// Stands in for the engine: says what it was called with.
#[cfg(unix)]
#[test]
fn the_engine_gets_the_plan_and_the_options_and_its_exit_code_is_ours() {
    let folder = folder(&[("t.cc", TABLE), ("crisscross.toml", b"runs = \"mine\"\n")]);
    let alone = folder.path().join("crisscross");
    copy_program(&alone);
    let engine = folder.path().join("crisscross-engine");
    let script = "printf '#!/bin/sh\necho \"$@\"\nexit 7\n' > \"$0\"; chmod 755 \"$0\"";
    let mut shell = std::process::Command::new("sh");
    assert!(
        shell
            .arg("-c")
            .arg(script)
            .arg(&engine)
            .status()
            .unwrap()
            .success()
    );
    let call = |arguments: &[&str]| {
        let output = Command::new(&alone)
            .current_dir(folder.path())
            .env("XDG_CACHE_HOME", folder.path().join("home"))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(7),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let said = call(&[
        "run",
        "t.cc",
        "--only",
        "t:all",
        "--device",
        "cpu",
        "--tf32",
        "off",
        "--memory-format",
        "pictures",
        "--cuda-graph",
        "on",
        "--loader-threads",
        "2",
        "--toy",
    ]);
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!((words[0], words[1]), ("run", "--plan"));
    let plan = Path::new(words[2]);
    assert!(
        plan.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("t-toy-"),
        "{said}"
    );
    let plan: compiler::plan::Plan = serde_json::from_slice(&std::fs::read(plan).unwrap()).unwrap();
    assert!(plan.toy && plan.tables.len() == 1 && plan.tables[0].rows.len() == 1);
    let row = &plan.tables[0].rows[0];
    assert_eq!((row.label.as_str(), row.number), ("all", Some(2)));
    assert_eq!(plan.stages[0].label, "t:2 pretrain");
    for pair in [
        ["--runs", "mine"],
        ["--device", "cpu"],
        ["--tf32", "off"],
        ["--memory-format", "pictures"],
        ["--cuda-graph", "on"],
        ["--loader-threads", "2"],
        ["--site", "crisscross.toml"],
    ] {
        let at = words.iter().position(|word| *word == pair[0]).unwrap();
        assert!(words[at + 1].ends_with(pair[1]), "{said}");
    }
    assert_eq!(
        call(&["data", "check", "KS", "--format", "json"]),
        "data-check --format json -- KS\n"
    );
    let bench = call(&["bench", "data", "t.cc", "--up-to", "raw", "--set", "bs=16"]);
    assert!(
        bench.starts_with("bench-data --name t:1 ") && bench.contains(" --raw "),
        "{bench}"
    );
    let bench = call(&[
        "bench",
        "step",
        "t.cc",
        "--precision",
        "bf16",
        "--threads",
        "2",
    ]);
    assert!(
        bench.starts_with("bench-step --name t:1 --steps 5 ") && bench.contains(" --threads 2 "),
        "{bench}"
    );
    let doctor = call(&["doctor"]);
    assert!(
        doctor.lines().last().unwrap().starts_with("doctor --site "),
        "{doctor}"
    );
    let cache = folder.path().join("home/crisscross");
    let line = format!("cache        {}", cache.display());
    assert!(doctor.contains(&line), "{doctor}");
    assert!(!cache.exists(), "to look at it makes nothing");
    let chosen = "runs = \"mine\"\ncache = \"kept\"\n";
    std::fs::write(folder.path().join("crisscross.toml"), chosen).unwrap();
    let doctor = call(&["doctor"]);
    assert!(doctor.contains("/kept\n"), "{doctor}");
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("crisscross"))
        .args(["show", "paper"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.success());
}

#[test]
fn a_code_is_explained_with_the_message_that_its_example_gives() {
    let folder = folder(&[]);
    let page = crisscross(folder.path(), &["explain", "e0402"]);
    assert_eq!((page.code, page.err.as_str()), (0, ""));
    assert!(page.out.starts_with("E0402: the loss needs a modality"));
    assert!(page.out.contains("error[E0402]: this loss needs audio"));
    assert!(page.out.contains("in the paper: "));

    let page = crisscross(folder.path(), &["explain", "E0402", "--format", "json"]);
    let page: Value = serde_json::from_str(&page.out).unwrap();
    assert_eq!(page["messages"][0]["code"], "E0402");
    assert!(page["mended"].as_str().unwrap().starts_with("use paper"));

    let all = crisscross(folder.path(), &["explain"]);
    assert!(all.out.contains("\nW0503  ") && all.out.contains("\nE0301  "));
}

#[test]
fn a_code_that_is_not_there_is_told_the_nearest() {
    let folder = folder(&[]);
    for (typed, near) in [
        ("W0402", "did you mean `E0402`?"),
        ("402", "did you mean `E0402`?"),
        ("E402", "did you mean `E0402`?"),
        ("E9999", "lists all codes"),
        ("", "lists all codes"),
    ] {
        let left = crisscross(folder.path(), &["explain", typed]);
        assert_eq!(left.code, 2, "{typed}");
        assert!(left.err.contains(near), "{typed}: {}", left.err);
    }
}

#[test]
fn networks_and_features_are_listed_layer_by_layer() {
    let folder = folder(&[(
        "small.cc",
        b"use paper\ntable t { of = crisscross   scores = [linear8 on UCF101]   row v.f = r2plus1d(depth: 10, width: 16) - proj }\n",
    )]);
    let video = crisscross(folder.path(), &["explain", "crisscross.v.f"]);
    assert_eq!((video.code, video.err.as_str()), (0, ""));
    for line in [
        "  block5.2.2         512 x 1 x 4 x 4     3,147,776\n",
        "  in all                                24,834,752\n",
    ] {
        assert!(video.out.contains(line), "{}", video.out);
    }
    let features = crisscross(folder.path(), &["explain", "small.cc:t.features"]);
    assert!(features.out.starts_with("linear8 on UCF101, v\n"));
    // A quarter of the paper's 8192: the network has a quarter of the channels.
    assert!(
        features
            .out
            .contains("  values                               2048\n")
    );
    let json = crisscross(
        folder.path(),
        &["explain", "small.cc:t:1.a.h", "--format", "json"],
    );
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["parameters"], 2_100_736);
    assert_eq!(json["layers"][1]["output"], serde_json::json!([512]));
    let place = &json["places"][0];
    assert_eq!(
        (
            &place["file"],
            place["line"].is_u64(),
            place["column"].is_u64()
        ),
        (&"paper.cc".into(), true, true)
    );
    for (wrong, says) in [
        ("small.cc:t.x.f", "has no network `x.f`"),
        ("crisscross.features", "the evaluations of a table"),
        ("near.v.f", "the prelude declares no `near`"),
    ] {
        let none = crisscross(folder.path(), &["explain", wrong]);
        assert_eq!(none.code, 2, "{}", none.err);
        assert!(none.err.contains(says), "{}", none.err);
    }
}

#[test]
fn windows_are_explained_for_a_pretraining_of_the_prelude_and_a_row_of_a_file() {
    let folder = folder(&[(
        "far.cc",
        b"use paper\npretrain far = crisscross with { relax = extreme }\n",
    )]);
    let mild = crisscross(folder.path(), &["explain", "crisscross.relax"]);
    assert_eq!((mild.code, mild.err.as_str()), (0, ""));
    assert!(
        mild.out
            .starts_with("mild = windows(within: overlap(50%, of: each), across: inside)\n")
    );
    assert!(
        mild.out
            .contains("sync   v1a1 v2a2         77.8 %     66.7 %     11.1 %\n"),
        "{}",
        mild.out
    );
    let far = crisscross(
        folder.path(),
        &["explain", "far.cc:far.relax", "--format", "json"],
    );
    let json: Value = serde_json::from_str(&far.out).unwrap();
    assert_eq!(json["name"], "extreme");
    assert_eq!(json["pairs"][2]["mean"], "1");
    let place = &json["places"][1];
    assert_eq!(
        (&place["file"], &place["line"], &place["column"]),
        (&"far.cc".into(), &2.into(), &34.into())
    );
    let row = crisscross(folder.path(), &["explain", "far.cc:pretrains:1.relax"]);
    assert!(
        row.out
            .starts_with("extreme = windows(within: halves, across: start)\n"),
        "{}",
        row.out
    );
    let none = crisscross(folder.path(), &["explain", "far.cc:near.relax"]);
    assert_eq!(none.code, 2, "{}", none.err);
    let none = crisscross(folder.path(), &["explain", "near.relax"]);
    assert!(
        none.err.contains("the prelude declares no `near`"),
        "{}",
        none.err
    );
}

#[test]
fn doc_writes_a_folder_whole_and_overwrites_nothing_of_others() {
    let folder = folder(&[("t.cc", TABLE), ("bad.cc", b"use paper\nloss x = synch\n")]);
    let pages = folder.path().join("doc");
    let bad = crisscross(folder.path(), &["doc", "bad.cc"]);
    assert_eq!(bad.code, 1, "{}", bad.err);
    assert!(!pages.exists(), "pages of a file with a mistake");
    for _ in 0..2 {
        let good = crisscross(folder.path(), &["doc", "t.cc", "paper"]);
        assert_eq!(
            (good.code, good.out.as_str()),
            (0, "wrote 7 pages: open doc/index.html\n")
        );
    }
    // What `doc` wrote before goes: a page of a file that is no longer asked for is no page.
    crisscross(folder.path(), &["doc"]);
    let mut names: Vec<String> = std::fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "codes.html",
            "index.html",
            "paper.html",
            "reference.html",
            "released.html",
            "toy.html"
        ]
    );
    std::fs::write(pages.join("own.html"), "<p>mine</p>").unwrap();
    let refused = crisscross(folder.path(), &["doc"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("`own.html`"), "{}", refused.err);
    assert!(pages.join("own.html").exists() && pages.join("index.html").exists());
    let here = crisscross(folder.path(), &["doc", "--out", "."]);
    assert_eq!(here.code, 2, "{}", here.err);
    let file = crisscross(folder.path(), &["doc", "--out", "t.cc"]);
    assert_eq!(file.code, 1);
    assert!(file.err.contains("`t.cc` is a file"), "{}", file.err);
    // Nothing is left beside the folder.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn a_question_is_answered_about_the_nearest_experiments() {
    let place = folder(&[]);
    let nested = place.path().join("experiments");
    std::fs::create_dir(&nested).unwrap();
    let text = "use paper\ntable t {\n  of = crisscross\n  scores = [linear8 on UCF101]\n  row loss = intra\n  row loss = intra + async\n}\n";
    std::fs::write(nested.join("one.cc"), text).unwrap();
    let question = "rows where loss has async";
    for inside in [place.path(), nested.as_path()] {
        let left = crisscross(inside, &["query", question]);
        assert_eq!(left.code, 0, "{}", left.err);
        assert!(
            left.out.starts_with("row  t:2  ") && left.out.lines().count() == 1,
            "{}",
            left.out
        );
    }
    let left = crisscross(place.path(), &["query", question, "--format", "json"]);
    let answer: Value = serde_json::from_str(&left.out).unwrap();
    assert_eq!(answer["items"][0]["note"], "loss = intra + async");
    let left = crisscross(
        place.path(),
        &["query", "rows where loss has asynk", "experiments/one.cc"],
    );
    assert_eq!((left.code, left.out.as_str()), (1, ""));
    assert!(left.err.contains("did you mean `async`?"), "{}", left.err);
    let left = crisscross(place.path(), &["query", question, "two.cc"]);
    assert_eq!(left.code, 1);
    assert!(
        left.err.contains("there is no file `two.cc`"),
        "{}",
        left.err
    );
    let left = crisscross(folder(&[]).path(), &["query", question]);
    assert_eq!(left.code, 2);
    assert!(left.err.contains("no folder `experiments`"), "{}", left.err);
}

#[test]
fn a_plan_says_which_finished_runs_lack_a_state_that_it_reads() {
    let text = "use paper\ntable t {\n  of = crisscross\n  scores = [linear8 on UCF101]\n  row checkpoint = 40ep\n}\n";
    let site = b"[data.KS]\nroot = \".\"\n[data.UCF101]\nroot = \".\"\n";
    let place = folder(&[("t.cc", text.as_bytes()), ("crisscross.toml", site)]);
    let json = crisscross(place.path(), &["plan", "--format", "json", "t.cc"]).out;
    let plan: compiler::plan::Plan = serde_json::from_str(&json).unwrap();
    let runs = records::folder::Runs::open(place.path().join("runs")).unwrap();
    let context = records::folder::Context {
        plan: String::new(),
        toy: plan.toy,
        set: plan.set.clone(),
        command: None,
        code: String::new(),
        environment: records::record::Environment::default(),
    };
    let claim = runs.claim(&plan.stages[0], &context, "").unwrap();
    let records::folder::Claim::Own(attempt) = claim else {
        panic!("nobody else is there")
    };
    let kept = records::folder::checkpoint_after(40);
    let finished = attempt.finish(&0).unwrap();
    let left = crisscross(place.path(), &["plan", "t.cc"]);
    let line = "is finished, but its state after 40ep was not kept: a run trains it again as far as that, each loss compared";
    assert!(left.out.contains(line), "{}", left.out);
    assert!(left.out.contains("0 done, 1 to do"), "{}", left.out);
    std::fs::write(finished.path.join(kept), "").unwrap();
    let left = crisscross(place.path(), &["plan", "t.cc"]);
    assert!(
        !left.out.contains(line) && left.out.contains("1 done, 0 to do"),
        "{}",
        left.out
    );
}

#[test]
fn fmt_writes_files_whole_and_keeps_their_permissions() {
    let folder = folder(&[
        ("wide.cc", b"use paper\nlet  x=1 # one\n"),
        ("done.cc", b"use paper\n"),
        ("bad.cc", b"use paper\nloss x = intra + + sync\n"),
    ]);
    let at = |name: &str| folder.path().join(name);
    let text = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    let listed = crisscross(folder.path(), &["fmt", "--check", "wide.cc", "done.cc"]);
    assert_eq!(
        (listed.code, listed.out.as_str(), listed.err.as_str()),
        (1, "wide.cc\n", "")
    );
    assert_eq!(
        text("wide.cc"),
        "use paper\nlet  x=1 # one\n",
        "only looked at"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(at("wide.cc"), mode).unwrap();
        std::os::unix::fs::symlink("wide.cc", at("link.cc")).unwrap();
        let linked = crisscross(folder.path(), &["fmt", "link.cc"]);
        assert_eq!(
            (linked.code, linked.out.as_str()),
            (0, "formatted 1 file\n")
        );
        assert!(at("link.cc").is_symlink());
        let mode = std::fs::metadata(at("wide.cc"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o640);
    }
    crisscross(folder.path(), &["fmt", "wide.cc"]);
    assert_eq!(text("wide.cc"), "use paper\nlet x = 1   # one\n");
    let checked = crisscross(folder.path(), &["fmt", "--check", "wide.cc", "done.cc"]);
    assert_eq!((checked.code, checked.out.as_str()), (0, ""));
    let mixed = crisscross(folder.path(), &["fmt", "bad.cc", "done.cc", "gone.cc"]);
    assert_eq!(
        (mixed.code, mixed.out.as_str()),
        (1, "formatted 0 files, 1 already in layout\n")
    );
    assert!(
        mixed.err.contains("error[E0104]") && mixed.err.contains("error[E0110]"),
        "{}",
        mixed.err
    );
    assert_eq!(text("bad.cc"), "use paper\nloss x = intra + + sync\n");
}

#[test]
fn a_file_that_may_not_be_written_stays() {
    let folder = folder(&[("locked.cc", b"let  x=1\n")]);
    let path = folder.path().join("locked.cc");
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    let left = crisscross(folder.path(), &["fmt", "locked.cc"]);
    assert_eq!(left.code, 1);
    assert!(
        left.err
            .starts_with("error: `locked.cc`: it cannot be written"),
        "{}",
        left.err
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "let  x=1\n");
}

#[test]
fn fmt_is_a_filter_for_standard_input() {
    let folder = folder(&[]);
    let filtered = |arguments: &[&str], text: &str| {
        let mut command = Command::cargo_bin("crisscross").unwrap();
        command
            .current_dir(folder.path())
            .args(arguments)
            .write_stdin(text);
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    assert_eq!(
        filtered(&["fmt", "-"], "intra+sync"),
        (0, "intra + sync\n".to_owned(), String::new())
    );
    assert_eq!(filtered(&["fmt", "-", "--check"], "intra+sync").0, 1);
    let (code, out, err) = filtered(&["fmt", "-"], "loss x =");
    assert_eq!((code, out.as_str()), (1, ""), "half a text is no text");
    assert!(err.contains("standard input:1:9"), "{err}");
}

#[test]
fn fix_mends_what_is_certain_and_says_what_is_left() {
    let text: &[u8] =
        b"use paper\npretrain small = crisscross with {\n  clip = 2 s, bs == 64\n  loss = intra + + sync\n}\n";
    let folder = folder(&[("bad.cc", text), ("good.cc", b"use paper\n")]);
    let read = || std::fs::read_to_string(folder.path().join("bad.cc")).unwrap();
    let tried = crisscross(folder.path(), &["fix", "--dry-run", "bad.cc"]);
    assert_eq!(read().as_bytes(), text, "only looked at");
    let made = crisscross(folder.path(), &["fix", "bad.cc", "good.cc"]);
    assert_eq!(made.code, 1, "a mistake is left");
    assert_eq!(tried.out.replace("would fix", "fixed"), made.out);
    for line in [
        "bad.cc:3:10: E0102: `2 s,` -> `2s,`",
        "bad.cc:3:12: E0101: `2s,` -> `2s`",
        "bad.cc:3:18: E0103: `==` -> `=`",
    ] {
        assert!(made.out.contains(line), "{line} in {}", made.out);
    }
    assert!(made.out.contains("fixed "), "{}", made.out);
    assert!(made.err.contains("error[E0104]"), "{}", made.err);
    assert!(read().contains("clip = 2s bs = 64"), "{}", read());
    let clean = crisscross(folder.path(), &["fix", "good.cc"]);
    assert_eq!(
        (clean.code, clean.out.as_str(), clean.err.as_str()),
        (0, "fixed 0 mistakes in 0 files; none is left\n", "")
    );
}

/// What there is nothing to show of ends before the engine is looked for.
#[test]
fn a_sample_that_no_step_reads_is_not_shown() {
    let table = b"use paper
data here = synthetic(clips: 8, classes: 2, length: 4s, lag: 0.3s, seed: 1)
modality t = text(clip: 1s, tokens: 8tokens, from: captions)
data said = videos(train: 8, classes: 2, requires: [v, a, captions], short: skip)
pretrain words = crisscross with {
  data = said
  modalities = [v, a, t]
  t.augment = drop_words(p: 0.1)
  t.f = bag_of_words(vocab: 64, width: 32) - proj
  t.h = pred
}
table shown {
  of = crisscross
  row
  row ep = 0
  row data = here, bs = 4, es = 9, ep = 2
}
";
    let folder = folder(&[("a.cc", table)]);
    for (arguments, code, says) in [
        (
            "",
            1,
            "data set `KS` is not on this machine: no root in `crisscross.toml`",
        ),
        (
            "",
            1,
            "see the same row on rendered clips: `crisscross data show a.cc --toy`",
        ),
        ("--row 2", 2, "the row trains no epoch (`ep = 0`)"),
        (
            "--row 3 --epoch 2",
            2,
            "there is no epoch 2\n  = help: the row trains 2 epochs, 0 to 1",
        ),
        ("--row 3 --sample 8", 2, "there is no sample 8 in an epoch"),
        (
            "--row 3 --sample 7 --samples 2",
            2,
            "has 8 samples, 0 to 7, in 2 batches of 4",
        ),
        ("--row 4", 2, "table `shown` has no row `4`"),
        ("--row words", 1, "this version reads no captions"),
    ] {
        let words = ["data", "show", "a.cc"].into_iter();
        let words: Vec<&str> = words.chain(arguments.split_whitespace()).collect();
        let left = crisscross(folder.path(), &words);
        assert_eq!(left.code, code, "{arguments}: {}", left.err);
        assert!(left.err.contains(says), "{arguments}: {}", left.err);
    }
}

#[test]
fn a_folder_that_cannot_be_replayed_is_named_with_what_can() {
    let text = b"use paper\ntable t { of = crisscross   scores = [linear2s on ESC50]   row loss = intra }\n";
    let place = folder(&[
        ("t.cc", &text[..]),
        ("run/run.json", b"{}"),
        ("kept/x", b""),
        ("score/run.json", b"{}"),
        ("other/x", b""),
    ]);
    let plan = crisscross(place.path(), &["plan", "t.cc", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    let stages = plan["stages"].as_array().unwrap();
    let of = |name: &str, stage: &serde_json::Value| {
        let path = place.path().join(name).join("plan.json");
        std::fs::write(path, stage.to_string()).unwrap();
    };
    of("run", &stages[0]);
    of("kept", &stages[0]);
    of("score", &stages[2]);
    for (arguments, message, help) in [
        (
            &["other"][..],
            "`other` keeps no step and is no run folder",
            "a folder `failed-...`",
        ),
        (
            &["score"],
            "trains no networks by steps",
            "the run folder of a pretraining",
        ),
        (
            &["run"],
            "`run` is a run folder with many steps",
            "--step N",
        ),
        (
            &["kept", "--step", "3"],
            "`kept` keeps one step",
            "leave `--step` out",
        ),
    ] {
        let left = crisscross(place.path(), &[&["replay"], arguments].concat());
        let code = if arguments == ["score"] { 1 } else { 2 };
        assert_eq!(left.code, code, "{}", left.err);
        assert!(
            left.err.contains(message) && left.err.contains(help),
            "{}",
            left.err
        );
    }
}
