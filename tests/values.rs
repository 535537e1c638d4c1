//! What a value is, where it comes from and how two differ: `diff`, `explain` and `show` on the built program.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;

const EXPERIMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/experiments");

/// Exit code, standard output and standard error of a call in `folder`.
fn crisscross(folder: impl AsRef<Path>, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("crisscross")
        .unwrap()
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Standard output of a call that says nothing else and ends with 0.
fn printed(folder: impl AsRef<Path>, arguments: &[&str]) -> String {
    let (code, out, err) = crisscross(folder, arguments);
    assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
    out
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const TABLE: &str = "use paper
table t \"Two losses\" {
  of = crisscross
  scores = [linear8 on UCF101]
  row loss = intra            expect 69.7
  row \"all\" loss = intra + sync
  row \"twice\" loss = intra, seed = 1
}
";

/// The same with a new title, other names, units and order, and a label.
const SAME: &str = "use paper
loss both = sync + intra
table t {
  scores = [linear8 on UCF101]
  of = crisscross with { es = 220000 }
  row loss = intra            expect 69.7
  row \"all\" loss = both
  row \"twice\" loss = intra, seed = 1
}
";

#[test]
fn two_rows_differ_in_their_losses() {
    let out = printed(EXPERIMENTS, &["diff", "table1.cc:table1:6", "table1:11"]);
    insta::assert_snapshot!(out);
}

#[test]
fn two_rows_of_one_modality_each_differ_in_what_is_computed() {
    let out = printed(
        EXPERIMENTS,
        &["diff", "table1.cc:table1:1", "table1.cc:table1:11"],
    );
    insta::assert_snapshot!(out);
}

#[test]
fn chains_differ_by_links_and_rates_of_all_modalities_once() {
    let files = [(
        "a.cc",
        "use paper
pretrain one = crisscross with { v.augment = consistent(MSC-HF-CJ-GS-C)   lr_b = 0.001 }
pretrain two = one with {
  v.augment = consistent(MSC-HF-GS-GB-cutout(max: 10px, count: 1, fill: first_frame_mean))   lr_b = 0.002   data = K400   seed = 3
}
pretrain three = one with { v.augment = consistent(MSC-HF) }
",
    )];
    let folder = folder(&files);
    let out = printed(&folder, &["diff", "a.cc:one", "two"]);
    insta::assert_snapshot!(out);
    let crops = printed(&folder, &["diff", "a.cc:one", "three"]);
    assert!(
        crops.contains("same seed, same clips; augmentations that both have draw the same"),
        "{crops}"
    );
}

#[test]
fn two_files_that_come_to_the_same_are_equal() {
    let folder = folder(&[("a.cc", TABLE), ("b.cc", SAME)]);
    let out = printed(&folder, &["diff", "a.cc", "b.cc", "--exit-code"]);
    assert_eq!(
        out,
        "a.cc  ->  b.cc\n  nothing differs: 1 table and 3 rows of the same runs and scores\n"
    );
}

#[test]
fn two_files_differ_by_tables_columns_rows_and_expectations() {
    let other = TABLE
        .replace("linear8 on UCF101", "few on UCF101, linear2s on ESC50")
        .replace("expect 69.7", "expect 70, 1")
        .replace(
            "row \"all\" loss = intra + sync",
            "row \"all\" loss = intra + async\n  row \"new\" ep = 3",
        )
        .replace("row \"twice\" ", "row \"doubled\" ")
        + "eval few = linear8 with { test = uniform(2) }\ntable u { of = crisscross  row ep = 3 }\n";
    let folder = folder(&[("a.cc", TABLE), ("b.cc", &other)]);
    let out = printed(&folder, &["diff", "a.cc", "b.cc"]);
    insta::assert_snapshot!(out);
    let (code, ..) = crisscross(&folder, &["diff", "a.cc", "b.cc", "--exit-code"]);
    assert_eq!(code, 1);
    let back = printed(&folder, &["diff", "b.cc", "a.cc"]);
    assert!(
        back.contains("- table u, 1 row") && back.contains("- row new"),
        "{back}"
    );
}

#[test]
fn a_base_that_changed_is_said_once_for_all_its_rows() {
    let other = TABLE.replace("of = crisscross", "of = crisscross with { bs = 256 }");
    let folder = folder(&[("a.cc", TABLE), ("b.cc", &other)]);
    let out = printed(&folder, &["diff", "a.cc", "b.cc"]);
    assert_eq!(out.matches("512 -> 256").count(), 1, "{out}");
    assert_eq!(out.matches("~ row").count(), 3, "{out}");
}

#[test]
fn differences_as_json() {
    let text = printed(
        EXPERIMENTS,
        &[
            "diff",
            "table1.cc:table1:6",
            "table1:11",
            "--format",
            "json",
        ],
    );
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["same"], false);
    let loss = found["difference"]["loss"].as_array().unwrap();
    assert_eq!(loss.len(), 6);
    assert_eq!(loss[0]["what"], "v1v2");
    assert_eq!(
        (&loss[0]["left"], &loss[0]["right"]),
        (&"1/4".into(), &"1/6".into())
    );
    assert_eq!(found["difference"]["pairing"], "paired");
    let modules = printed(".", &["diff", "paper", "released", "--format", "json"]);
    let modules: Value = serde_json::from_str(&modules).unwrap();
    let all = modules["difference"].as_array().unwrap();
    assert!(all.len() > 100, "{}", all.len());
    for one in all {
        for side in ["left", "right"] {
            assert!(
                !one[side]["sources"].as_array().unwrap().is_empty(),
                "{one}"
            );
        }
    }
}

#[test]
fn the_modules_are_compared_as_texts_and_their_pretrainings_as_values() {
    let out = printed(".", &["diff", "paper", "released"]);
    assert!(out.contains(
        "augment GB\n  paper     gaussian_blur(p: 0.5, sigma: (0.1, 2.0), pair: range, levels: exact)   [Table S1 (p) | App. D.1 (sigma, pair) | ours (levels)]\n  released  "
    ), "{out}");
    // A note belongs to one field alone.
    assert_eq!(out.matches(", epoch\n").count(), 1, "{out}");
    assert!(out.contains("pretrain crisscross.es, epoch\n"), "{out}");
    let closed = printed(".", &["diff", "paper:crisscross", "released:crisscross"]);
    assert!(closed.contains("~ GB: gaussian_blur("), "{closed}");
    assert!(closed.contains("lr_b"), "{closed}");
}

#[test]
fn a_module_does_not_differ_from_itself() {
    let out = printed(EXPERIMENTS, &["diff", "paper", "paper", "--exit-code"]);
    assert_eq!(
        out,
        "paper  ->  paper\n  nothing differs: both are one module\n"
    );
    let out = printed(EXPERIMENTS, &["diff", "paper", "paper", "--format", "json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&json["same"], &json["difference"]),
        (&true.into(), &serde_json::json!([]))
    );
}

#[test]
fn sides_that_cannot_be_compared_say_what_can() {
    let folder = folder(&[
        ("a.cc", TABLE),
        ("one.cc", "intra\n"),
        ("bad.cc", "use paper\nloss x = intra + + sync\n"),
    ]);
    for (sides, code, words) in [
        (["a.cc:t:all", "paper"], 2, "compare like with like"),
        (["a.cc:t:9", "a.cc:t:1"], 2, "has no row `9`"),
        (["a.cc:t", "a.cc:t:1"], 2, "name one: `a.cc:t:1`"),
        (["a.cc:u", "a.cc:t:1"], 2, "declares no `u`"),
        (["nowhere", "paper"], 2, "a side is a module"),
        ([".", "a.cc"], 2, "is no run folder"),
        (["nowhere.cc", "a.cc"], 1, "there is no file `nowhere.cc`"),
        (["bad.cc", "a.cc"], 1, "error[E0104]"),
    ] {
        let (found, out, err) = crisscross(&folder, &["diff", sides[0], sides[1]]);
        assert_eq!((found, out.as_str()), (code, ""), "{sides:?} {err}");
        assert!(err.contains(words), "{sides:?}: {err}");
    }
    std::fs::write(folder.path().join("two.cc"), "intra + sync\n").unwrap();
    let bare = printed(&folder, &["diff", "one.cc", "two.cc"]);
    assert!(bare.contains("graph    + 4 terms"), "{bare}");
    let used = printed(EXPERIMENTS, &["explain", "crisscross.lr_b", "table1.cc"]);
    assert!(used.ends_with("used by     table1:3-11\n"), "{used}");
    let out = printed(&folder, &["diff", "one.cc", "a.cc:t:1"]);
    assert!(
        out.ends_with("nothing differs: both are one run\n"),
        "{out}"
    );
}

/// The folder, below `runs`, of a finished run of the first stage that `plan` plans with these arguments.
fn run(folder: &Path, arguments: &[&str], version: &str) -> String {
    let plan = printed(folder, &[&["plan", "--format", "json"], arguments].concat());
    let plan: compiler::plan::Plan = serde_json::from_str(&plan).unwrap();
    let context = records::folder::Context {
        plan: "p".repeat(64),
        toy: plan.toy,
        set: plan.set.clone(),
        command: None,
        code: version.to_owned(),
        environment: records::record::Environment::default(),
    };
    let runs = records::folder::Runs::open(folder.join("runs")).unwrap();
    let claim = runs.claim(&plan.stages[0], &context, "").unwrap();
    let records::folder::Claim::Own(attempt) = claim else {
        panic!("nobody else is there")
    };
    let finished = attempt.finish(&serde_json::json!({})).unwrap();
    let path = finished.path.strip_prefix(folder).unwrap();
    path.display().to_string()
}

#[test]
fn a_run_is_compared_with_a_file_an_experiment_and_another_run() {
    let folder = folder(&[
        ("a.cc", "intra\n"),
        ("b.cc", "intra + sync\n"),
        ("t.cc", TABLE),
    ]);
    let (a, b) = (
        run(folder.path(), &["a.cc"], "0.1.0"),
        run(folder.path(), &["b.cc"], "0.1.1"),
    );
    let same = printed(&folder, &["diff", &a, "t.cc", "--exit-code"]);
    assert!(
        same.contains("nothing differs: the run is stage `t:1 pretrain` of the file ("),
        "{same}"
    );
    let near = printed(&folder, &["diff", &a, "b.cc"]);
    assert!(
        near.contains("nearest is `pretrains:1 pretrain` ("),
        "{near}"
    );
    assert!(near.contains("+ pair(v1, a1) 1/4"), "{near}");
    let turned = printed(&folder, &["diff", "b.cc", &a]);
    assert!(turned.contains("- pair(v1, a1) 1/4"), "{turned}");
    let row = printed(&folder, &["diff", &b, "t.cc:t:all"]);
    assert!(
        row.ends_with("nothing differs: both are one run\n"),
        "{row}"
    );
    let quick = run(folder.path(), &["a.cc", "--set", "bs=64"], "0.1.0");
    let set = printed(&folder, &["diff", &quick, "a.cc"]);
    assert!(
        set.starts_with(&format!(
            "{quick} (pretrains:1 pretrain; set on the command line: bs = 64)  ->  a.cc\n"
        )) && set.contains("bs       64 -> 512"),
        "{set}"
    );
    let runs = printed(&folder, &["diff", &a, &b]);
    assert!(
        runs.contains("+ pair(v1, a1) 1/4")
            && runs.contains("version  0.1.0 -> 0.1.1   (outside the hash)"),
        "{runs}"
    );
    let (code, ..) = crisscross(&folder, &["diff", &a, &b, "--exit-code"]);
    assert_eq!(code, 1);
}

#[test]
fn a_value_is_explained_by_the_places_that_set_it() {
    let files = ["table2.cc", "table4.cc", "table6.cc"];
    let arguments = [&["explain", "crisscross_k400.lr_b"], &files[..]].concat();
    let mut out = printed(EXPERIMENTS, &arguments);
    for asked in [
        "released:crisscross.lr_b",
        "table3.cc:table3:1.lr_p",
        "crisscross.v.augment",
        "linear32.head",
    ] {
        out += &format!("\n$ crisscross explain {asked}\n");
        out += &printed(EXPERIMENTS, &["explain", asked]);
    }
    insta::assert_snapshot!(out);
}

#[test]
fn a_loss_is_explained_pair_by_pair() {
    let folder = folder(&[(
        "two.cc",
        "use paper\npretrain twice = crisscross with { loss = 2 * intra }\npretrain once = twice with { weights = exact }\n",
    )]);
    let out = printed(&folder, &["explain", "two.cc:twice.loss"]);
    insta::assert_snapshot!(out);
    let exact = printed(&folder, &["explain", "two.cc:once.loss"]);
    assert!(
        exact.contains("  v1v2   1            1        2\n")
            && exact.contains("`weights = exact` changes nothing"),
        "{exact}"
    );
}

#[test]
fn rates_of_one_modality_count_before_those_of_all_wherever_they_stand() {
    let text = "use paper
pretrain base = crisscross with { v.lr_b = 0.5 }   ## source: ours
table t {
  of = base
  for lr_b in [0.25, 0.125] { row seed = 3 }
}
";
    let folder = folder(&[("r.cc", text)]);
    let video = printed(&folder, &["explain", "r.cc:t:1.v.lr_b"]);
    assert!(video.starts_with("r.cc:t:1.v.lr_b = 0.5\n"), "{video}");
    assert!(
        video.contains("base with v.lr_b   0.5") && video.trim_end().contains("ours"),
        "{video}"
    );
    let sound = printed(&folder, &["explain", "r.cc:t:2.a.lr_b", "r.cc"]);
    assert!(sound.starts_with("r.cc:t:2.a.lr_b = 0.125\n"), "{sound}");
    assert!(
        sound.contains("t for") && sound.contains("used by     t:2\n"),
        "{sound}"
    );
    let bare = self::folder(&[("one.cc", "intra\n")]);
    let bare = printed(&bare, &["explain", "one.cc:main.loss"]);
    assert!(
        bare.contains("one.cc:1") && bare.contains("intra   paper.cc:"),
        "{bare}"
    );
}

#[test]
fn all_values_of_a_name_are_listed_with_their_places() {
    let out = printed(".", &["explain", "crisscross_as"]);
    insta::assert_snapshot!(out);
    let text = printed(".", &["explain", "crisscross_as", "--format", "json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    let seed = json["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["path"] == "seed")
        .unwrap();
    assert_eq!(seed["place"]["sources"][0], "not reported");
    let one = printed(".", &["explain", "crisscross_as.lr_p", "--format", "json"]);
    let one: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(one["places"].as_array().unwrap().len(), 2);
    assert_eq!(one["in_time"]["moments"][0]["rate"], 0.001);
    let loss = printed(".", &["explain", "crisscross.loss", "--format", "json"]);
    let loss: Value = serde_json::from_str(&loss).unwrap();
    assert_eq!(loss["loss"]["factor"], "1/3");
    let blur = printed(".", &["explain", "GB"]);
    assert!(
        blur.contains("Table S1 (p) | App. D.1 (sigma, pair)")
            && blur.contains("note  direction: "),
        "{blur}"
    );
}

#[test]
fn a_value_that_is_not_there_is_told_the_nearest() {
    for (asked, message, help) in [
        (
            "crisscross.lr_pred",
            "`crisscross` has no field `lr_pred`",
            "did you mean `crisscross.lr_p`?",
        ),
        (
            "crisscros.lr_b",
            "declares no `crisscros`",
            "did you mean `crisscross.lr_b`?",
        ),
        (
            "table1.cc:table1.lr_b",
            "is a table of 11 rows",
            "name one: `table1.cc:table1:1`",
        ),
        (
            "table1.cc:table1:99.lr_b",
            "has no row `99`",
            "name one by number or label",
        ),
        (
            "crisscross.optim.trust",
            "is a part of the value of `optim`",
            "`crisscross.optim`",
        ),
        (
            "table1.cc:tabel1:11.loss",
            "`table1.cc` declares no `tabel1`",
            "did you mean `table1.cc:table1:11.loss`?",
        ),
        ("KS.train", "has no fields", "explain the whole: `KS`"),
        (
            "linear8.haed",
            "`linear8` has no field `haed`",
            "did you mean `linear8.head`?",
        ),
    ] {
        let (code, out, err) = crisscross(EXPERIMENTS, &["explain", asked]);
        assert_eq!((code, out.as_str()), (2, ""), "{asked}: {err}");
        assert!(
            err.contains(message) && err.contains(help),
            "{asked}: {err}"
        );
    }
}

#[test]
fn a_value_of_the_toy_profile_names_what_bounds_it() {
    let out = printed(".", &["explain", "crisscross.bs", "--toy"]);
    assert_eq!(
        out,
        "crisscross.bs = 8
  1   paper.cc:132   crisscross   512   Table S10
  bounded by  toy.cc, which `crisscross show toy` prints
"
    );
    let bounds = |path: &str| {
        let out = printed(".", &["explain", path, "--toy", "--format", "json"]);
        let json: Value = serde_json::from_str(&out).unwrap();
        json["bounded_by"].clone()
    };
    assert_eq!(bounds("crisscross.es"), "toy.cc");
    // Its warm-up stays shorter than the run.
    assert_eq!(bounds("crisscross.lr_b"), "toy.cc");
    assert_eq!(bounds("crisscross.lr_p"), Value::Null);
    assert_eq!(bounds("crisscross.views"), Value::Null);
    let all = printed(".", &["explain", "crisscross", "--toy"]);
    let bs = all.lines().find(|line| line.starts_with("  bs "));
    let words: Vec<&str> = bs.unwrap_or_default().split_whitespace().collect();
    assert_eq!(words, ["bs", "8", "toy.cc"], "{all}");
    let layers = printed(".", &["explain", "crisscross.v.f", "--toy"]);
    assert!(layers.contains("4 x 4 x 56 x 56"), "{layers}");
    for unbounded in ["E0402", "linear8.test"] {
        let (code, out, err) = crisscross(Path::new("."), &["explain", unbounded, "--toy"]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
    }
}

#[test]
fn a_file_or_module_alone_is_explained_by_what_is_in_it() {
    let folder = folder(&[("t.cc", TABLE), ("one.cc", "intra")]);
    let out = printed(folder.path(), &["explain", "t.cc"]);
    assert_eq!(
        out,
        "  t.cc:t:1   row   loss = intra
  t.cc:t:2   row   all
  t.cc:t:3   row   twice

`crisscross explain t.cc:t:1` lists its values, `crisscross explain t.cc:t:1.lr_b` says where one comes from
"
    );
    let out = printed(folder.path(), &["explain", "one.cc", "--format", "json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    let main = serde_json::json!({ "name": "one.cc:main", "kind": "pretrain", "label": null });
    assert_eq!(json["names"], Value::from(vec![main]));
    let out = printed(folder.path(), &["explain", "paper"]);
    assert!(out.contains("paper:linear8           eval\n"), "{out}");
    let (code, _, err) = crisscross(folder.path(), &["explain", "no.cc"]);
    assert_eq!(code, 1);
    assert!(err.contains("E0110"), "{err}");
}

#[test]
fn a_value_is_shown_whole_or_as_far_as_the_file_sets_it() {
    let k400 = printed(".", &["show", "crisscross_k400"]);
    assert!(k400.contains("  bs = 2048    # paper.cc:"), "{k400}");
    let released = printed(".", &["show", "released:crisscross", "--format", "json"]);
    let released: Value = serde_json::from_str(&released).unwrap();
    assert_eq!(
        released["fields"]["lr_p"]["value"],
        "late(0.002, first: 0.001)"
    );
    let folder = folder(&[("t.cc", TABLE)]);
    let own = printed(&folder, &["show", "t.cc:t:twice", "--changed"]);
    let paths: Vec<&str> = own
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(path, _)| path.trim())
        .collect();
    assert_eq!(paths, ["loss", "seed"], "{own}");
    let same = printed(&folder, &["show", "crisscross", "--changed"]);
    assert_eq!(same, "crisscross\n");
    for name in ["nobody", "toy:any_run", "released:nobody"] {
        let (code, _, err) = crisscross(&folder, &["show", name]);
        assert_eq!(code, 2, "{name}: {err}");
    }
}

#[test]
fn a_file_is_shown_as_what_it_asks_for() {
    let folder = folder(&[("t.cc", TABLE)]);
    let out = printed(&folder, &["show", "t.cc"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "t.cc",
            "  table t \"Two losses\"",
            "    scores  linear8 on UCF101"
        ]
    );
    assert!(
        lines[3].starts_with("      1  ") && lines[3].ends_with("loss = intra   expect 69.7"),
        "{out}"
    );
    assert!(lines[5].ends_with("  twice"), "{out}");
    let json: Value =
        serde_json::from_str(&printed(&folder, &["show", "t.cc", "--format", "json"])).unwrap();
    assert_eq!(json["tables"][0]["rows"][1]["label"], "all");
    let (code, _, err) = crisscross(&folder, &["show", "u.cc"]);
    assert!(
        code == 1 && err.contains("there is no file `u.cc`"),
        "{err}"
    );
}

#[test]
fn a_name_means_the_same_for_all_verbs_whatever_module_declares_it() {
    let folder = folder(&[
        (
            "base.cc",
            "use paper\npretrain base = crisscross with { bs = 64 }   ## source: ours\neval probe = linear8 with { test = uniform(2) }\n",
        ),
        (
            "a.cc",
            "use paper\nuse \"base.cc\"\ntable t { of = base   scores = [probe on UCF101]   row \"one\" loss = intra   row \"two\" loss = sync }\n",
        ),
    ]);
    let two = |arguments: &[&str]| printed(&folder, arguments);
    for (name, module, value) in [
        ("base.bs", "base.cc", "64"),
        ("crisscross_k400.bs", "paper.cc", "2048"),
        ("t:two.bs", "base.cc", "64"),
    ] {
        let asked = format!("a.cc:{name}");
        let explained = two(&["explain", &asked]);
        let shown = two(&["show", &asked]);
        assert!(explained.contains(&format!(" = {value}\n")), "{explained}");
        assert!(explained.contains(module), "{explained}");
        assert!(
            shown.contains(&format!("  bs = {value}    # {module}:")),
            "{shown}"
        );
    }
    // A row is called by its number, as in a plan.
    assert!(two(&["explain", "a.cc:t:two.bs"]).starts_with("a.cc:t:2.bs = 64\n"));
    let used = two(&["explain", "a.cc:base.bs"]);
    assert!(used.ends_with("  used by     t\n"), "{used}");
    let used = two(&["explain", "base.cc:base.bs", "a.cc"]);
    assert!(
        used.contains("  used by     ") && used.contains(" t\n"),
        "{used}"
    );
    let windows = two(&["explain", "a.cc:base.relax"]);
    assert!(windows.starts_with("mild = windows("), "{windows}");
    let network = two(&["explain", "a.cc:crisscross.v.h"]);
    assert!(
        network.starts_with("crisscross.v.h    # paper.cc:"),
        "{network}"
    );
    let test = two(&["explain", "a.cc:probe.test"]);
    assert!(
        test.contains("uniform(2)") && test.contains("<- wins"),
        "{test}"
    );
    let drawn = two(&["graph", "a.cc:base"]);
    assert!(drawn.contains("f32[64, 2048]"), "{drawn}");
    assert_eq!(
        two(&["graph", "a.cc:t:two"]),
        two(&["graph", "a.cc", "--row", "two"])
    );
    assert_eq!(drawn, two(&["graph", "a.cc", "--row", "base"]));
    let found = two(&["diff", "a.cc:base", "crisscross"]);
    assert!(
        found.starts_with("a.cc:base  ->  a.cc:crisscross\n") && found.contains("64 -> 512"),
        "{found}"
    );
    for arguments in [
        &["explain", "a.cc:bsae.bs"][..],
        &["show", "a.cc:bsae.bs"],
        &["diff", "a.cc:bsae", "a.cc:base"],
        &["graph", "a.cc:bsae"],
    ] {
        let (code, _, err) = crisscross(&folder, arguments);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains("did you mean `a.cc:base"), "{err}");
    }
}

#[test]
fn a_name_is_that_of_a_module_that_the_file_itself_uses() {
    let folder = folder(&[
        (
            "base.cc",
            "use paper\npretrain one = crisscross with { bs = 64 }\n",
        ),
        (
            "a.cc",
            "use \"base.cc\"\nuse released\nuse \"x/base.cc\"\nloss mine = intra\ntable t { of = one   row seed = 1 }\n",
        ),
    ]);
    std::fs::create_dir(folder.path().join("x")).unwrap();
    std::fs::write(
        folder.path().join("x/base.cc"),
        "use paper\npretrain two = crisscross with { bs = 32 }\n",
    )
    .unwrap();
    // `base.cc` uses `paper`, which `a.cc` does not see.
    let rate = printed(&folder, &["show", "a.cc:crisscross.lr_p"]);
    assert!(rate.contains("    # released.cc:"), "{rate}");
    let one = printed(&folder, &["show", "a.cc:one", "--changed"]);
    assert_eq!(one, "one\n  bs = 64    # base.cc:2\n");
    let two = printed(&folder, &["explain", "a.cc:two.bs"]);
    assert!(two.contains("x/base.cc:2"), "{two}");
    // What is set has the names of the file that was asked about.
    let set = printed(&folder, &["explain", "a.cc:one.loss", "--set", "loss=mine"]);
    assert!(
        set.starts_with("a.cc:one.loss = mine\n") && set.contains("a.cc:4"),
        "{set}"
    );
    let pair = printed(&folder, &["explain", "a.cc:pair"]);
    assert!(pair.starts_with("loss pair(x, y) = "), "{pair}");
}

#[test]
fn any_declaration_is_shown_in_the_words_of_the_language() {
    let folder = folder(&[(
        "a.cc",
        "use paper
## source: ours
relaxation near = windows(within: overlap(75%, of: each), across: inside)
loss twice(x, y) = 2 * pair(x, y)
eval probe = linear8 with { test = uniform(2) }
table t { of = crisscross   scores = [probe on UCF101]   row seed = 1   row seed = 2 }
",
    )]);
    let show = |name: &str| printed(&folder, &["show", name]);
    assert_eq!(
        show("a.cc:near"),
        "## source: ours\nrelaxation near = windows(within: overlap(75%, of: each), across: inside)    # a.cc:3\n"
    );
    assert_eq!(
        show("a.cc:twice"),
        "loss twice(x, y) = 2 * pair(x, y)    # a.cc:4\n"
    );
    let probe = show("a.cc:probe");
    assert!(
        probe.starts_with("probe\n  uses = v    # paper.cc:")
            && probe.contains("  test = uniform(2)    # a.cc:5\n"),
        "{probe}"
    );
    assert_eq!(
        printed(&folder, &["show", "a.cc:probe", "--changed"]),
        "probe\n  test = uniform(2)    # a.cc:5\n"
    );
    let table = show("a.cc:t");
    assert!(table.contains("    scores  probe on UCF101\n"), "{table}");
    assert_eq!(table.lines().count(), 4, "{table}");
    for name in [
        "linear8",
        "mild",
        "KS",
        "v",
        "GB",
        "r2plus1d18",
        "intra",
        "z",
    ] {
        let shown = show(name);
        assert!(shown.contains("# paper.cc:"), "{name}: {shown}");
        assert_eq!(shown, show(&format!("a.cc:{name}")));
    }
    let rates = show("crisscross.lr_b");
    assert_eq!(rates.lines().count(), 2, "{rates}");
    let json = printed(&folder, &["show", "GB", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["kind"], "augment");
    assert_eq!(json["sources"][0], "Table S1 (p)");
    let (code, _, err) = crisscross(&folder, &["show", "KS.train"]);
    assert_eq!(code, 2);
    assert!(err.contains("`KS` is a `data` and has no fields"), "{err}");
}

#[test]
fn fields_and_declarations_are_compared_alone() {
    for (sides, text) in [
        (
            ["linear8.head", "linear32.head"],
            "svm(cost: best(costs, split: test)) -> linear(ep: 20, lr: 0.01)\n",
        ),
        (
            ["paper:crisscross.lr_p", "released:crisscross.lr_p"],
            "  lr_p     0.002 -> late(0.002, first: 0.001)\n",
        ),
        (["paper:linear8", "released:linear8.test"], ""),
        (["paper:mild", "paper:mild"], "  nothing differs\n"),
        (
            ["paper:GB", "released:GB"],
            "pair: range, levels: exact) -> ",
        ),
    ] {
        let (code, out, err) = crisscross(Path::new("."), &["diff", sides[0], sides[1]]);
        if text.is_empty() {
            assert!(code == 2 && err.contains("is a value"), "{err}");
        } else {
            assert!(code == 0 && out.contains(text), "{out}{err}");
        }
    }
}
