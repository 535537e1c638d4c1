//! Tables of a small plan in each format.

mod pages;

use super::*;
use crate::fixture;
use crate::record::ClipCounts;
use compiler::hir::Curve;

/// The report of the fixture after these stages were run.
fn report_of(plan: &Plan, done: &[(StageId, &[f64])]) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(folder.path()).unwrap();
    for (id, folds) in done {
        let attempt = runs
            .begin(plan.stage(id).unwrap(), &fixture::context())
            .unwrap();
        attempt.finish(&fixture::result(folds)).unwrap();
    }
    report(plan, &runs).unwrap()
}

#[test]
fn nothing_run_is_dashes_and_never_the_published_number() {
    let plan = fixture::plan();
    let report = report_of(&plan, &[]);
    for cell in report.tables[0].rows.iter().flat_map(|row| &row.cells) {
        assert_eq!((&cell.measured, &cell.difference), (&None, &None));
    }
    let text = report.render(Format::Text);
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("loss")).collect();
    let words = |line: &str| {
        line.split_whitespace()
            .rev()
            .take(4)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(words(lines[0]), ["-", "-", "69.7", "-"]);
    assert_eq!(words(lines[1]), ["[1]", "-", "-", "69.10"]);
    assert!(
        text.contains("[1] `a` is not trained by this row"),
        "{text}"
    );
}

#[test]
fn a_table_too_wide_for_a_terminal_has_a_line_for_each_score() {
    let mut report = report_of(&fixture::plan(), &[(fixture::id(1, 1), &[70.0, 71.0])]);
    let table = &mut report.tables[0];
    table.columns[0].name = "linear8 on UCF101".repeat(9);
    let text = report.render(Format::Text);
    let words = |from: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with(from)).unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(
        words("      "),
        ["score", "measured", "published", "difference"]
    );
    let last = |from| words(from).split_off(words(from).len() - 3);
    assert_eq!(last(" loss = intra"), ["70.5", "69.7", "+0.8"]);
    assert_eq!(last(" loss = v1v2"), ["-", "69.10", "-"]);
    assert_eq!(
        text.matches("\n                     see_on|toy ").count(),
        2,
        "{text}"
    );
}

#[test]
fn measured_numbers_are_means_as_precise_as_the_published_ones() {
    let plan = fixture::plan();
    let done: [(StageId, &[f64]); 2] = [
        (fixture::id(1, 1), &[70.0, 71.0]),
        (fixture::id(2, 1), &[69.097]),
    ];
    let table = &report_of(&plan, &done).tables[0];
    let first = &table.rows[0].cells[0];
    assert_eq!(first.measured.as_deref(), Some("70.5"));
    assert_eq!(first.difference.as_deref(), Some("+0.8"));
    assert_eq!((first.folds, first.spread.as_deref()), (2, Some("0.7")));
    assert_eq!(first.value, Some(70.5));
    let second = &table.rows[1].cells[0];
    assert_eq!(
        (second.measured.as_deref(), second.difference.as_deref()),
        (Some("69.10"), Some("0.00"))
    );
    assert_eq!(
        table.notes,
        [
            "[1] `a` is not trained by this row",
            "linear8 on UCF101: mean of 2 folds",
            "no number yet: not scored (1)"
        ]
    );
}

#[test]
fn a_text_says_where_curves_stand_and_what_draws_them() {
    let mut plan = fixture::plan();
    plan.tables[0].curves = vec![Curve::Loss, Curve::Rates];
    let notes = report_of(&plan, &[]).tables.remove(0).notes;
    assert_eq!(
        notes.last().map(String::as_str),
        Some(
            "curves of train.loss, train.rates stand in `metrics.jsonl` of the pretraining of each row; `crisscross report --format html` draws them"
        )
    );
}

#[test]
fn what_the_command_line_set_is_said_first_below_each_table() {
    let plan = Plan {
        set: vec!["bs = 64".to_owned(), "seed = 3".to_owned()],
        ..fixture::plan()
    };
    let report = report_of(&plan, &[]);
    let line = "set on the command line: bs = 64, seed = 3";
    assert_eq!(report.tables[0].notes[0], line);
    let csv = report.render(Format::Csv);
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].ends_with(",toy,note,set"), "{csv}");
    assert_eq!(
        lines[1],
        "t1,1,loss = intra,linear8 on UCF101,,69.7,,0,,no,not scored,bs = 64; seed = 3"
    );
    assert_eq!(lines.len(), 5);
}

#[test]
fn each_format_escapes_its_own_signs() {
    let plan = Plan {
        toy: true,
        ..fixture::plan()
    };
    let report = report_of(&plan, &[(fixture::id(1, 2), &[12.5])]);
    let markdown = report.render(Format::Markdown);
    let expected = "### t1: A, \"B\" (toy)\n\n\
        | row | linear8 on UCF101 | published | difference | see\\_on\\|toy |\n\
        |---|---:|---:|---:|---:|\n\
        | loss = intra | – | 69.7 | – | 12.5 |\n\
        | loss = v1v2 & 50% | – | 69.10 | – | – [1] |\n\n\
        linear8 on UCF101, see\\_on\\|toy: cost chosen on the test split, which gives higher numbers than fresh samples would\n\n\
        \\[1\\] \\`a\\` is not trained by this row\n\n\
        toy: synthetic data and small networks, not comparable with published numbers\n\n\
        no number yet: not scored (2)\n";
    assert_eq!(markdown, expected);
    let tex = report.render(Format::Tex);
    assert!(
        tex.contains("loss = v1v2 \\& 50\\% & -- & 69.10 & -- & --\\textsuperscript{1} \\\\"),
        "{tex}"
    );
    assert!(tex.contains("\\caption{A, \"B\" (toy)}"), "{tex}");
    assert!(tex.contains("\\begin{tabular}{lrrrr}"), "{tex}");
    let caution = "see\\_on|toy: cost chosen on the test split, which gives higher numbers";
    assert!(tex.contains(caution), "{tex}");
    let text = report.render(Format::Text);
    assert_eq!(
        text.matches("cost chosen on the test split").count(),
        1,
        "{text}"
    );
    let csv = report.render(Format::Csv);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "table,row,label,score,measured,expected,difference,folds,deviation,toy,note"
    );
    assert_eq!(
        lines[1],
        "t1,1,loss = intra,linear8 on UCF101,,69.7,,0,,yes,not scored"
    );
    assert_eq!(
        lines[2],
        "t1,1,loss = intra,see_on|toy,12.5,,,1,,yes,cost chosen on the test split"
    );
    assert_eq!(
        lines[4],
        "t1,2,loss = v1v2 & 50%,see_on|toy,,,,0,,yes,`a` is not trained by this row"
    );
    assert_eq!(lines.len(), 5);
}

#[test]
fn labels_are_no_marks_of_markdown() {
    let mut plan = fixture::plan();
    plan.tables[0].rows[0].label = "[a](b) $x_1$ | *".to_owned();
    let markdown = report_of(&plan, &[]).render(Format::Markdown);
    assert!(
        markdown.contains("| \\[a\\](b) \\$x\\_1\\$ \\| \\* | "),
        "{markdown}"
    );
}

#[test]
fn latex_has_as_many_cells_in_each_row_as_columns_whatever_labels_say() {
    let mut plan = fixture::plan();
    plan.tables[0].rows[0].label = "[a] 100% \\ {x_1} $ # ~ ^ <b> | \"q\"".to_owned();
    plan.tables[0].rows[1].label = "* & more".to_owned();
    let done: [(StageId, &[f64]); 2] = [
        (fixture::id(1, 1), &[60.0, 61.0]),
        (fixture::id(2, 1), &[69.1]),
    ];
    let tex = report_of(&plan, &done).render(Format::Tex);
    let rows: Vec<&str> = tex.lines().filter(|line| line.ends_with("\\\\")).collect();
    assert_eq!(rows.len(), 4, "{tex}");
    for row in &rows[1..] {
        let cells = row.replace("\\&", "").matches('&').count();
        assert_eq!(cells, 4, "{row}");
    }
    assert!(tex.contains("60.5 $\\pm$ 0.7 & 69.7 & $-$9.2"), "{tex}");
    assert!(tex.contains("    {[}a] 100\\% \\textbackslash{} \\{x\\_1\\} \\$ \\# \\textasciitilde{} \\textasciicircum{}"), "{tex}");
    assert!(tex.contains("    {*} \\& more &"), "{tex}");
    assert!(
        tex.contains("\\textsuperscript{1} \\texttt{a} is not"),
        "{tex}"
    );
    let unescaped = tex.replace("\\{", "").replace("\\}", "");
    assert_eq!(
        unescaped.matches('{').count(),
        unescaped.matches('}').count()
    );
}

#[test]
fn a_damaged_result_is_named() {
    let plan = fixture::plan();
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(folder.path()).unwrap();
    let attempt = runs.begin(&plan.stages[0], &fixture::context()).unwrap();
    let finished = attempt.finish(&fixture::result(&[1.0])).unwrap();
    std::fs::write(finished.path.join(crate::folder::RESULT), "{").unwrap();
    let error = report(&plan, &runs).unwrap_err();
    assert!(
        error.to_string().contains("result.json`: not readable"),
        "{error}"
    );
    assert!(
        error.help().contains("the stage is then run again"),
        "{}",
        error.help()
    );
}

#[test]
fn a_class_that_no_fold_tests_is_named() {
    let plan = fixture::plan();
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(folder.path()).unwrap();
    let attempt = runs.begin(&plan.stages[0], &fixture::context()).unwrap();
    let mut result = fixture::result(&[50.0, 60.0]);
    let classes = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    result.folds[0].untested = classes(["bird", "cat"]);
    result.folds[1].untested = classes(["bird", "dog"]);
    attempt.finish(&result).unwrap();
    let notes = report(&plan, &runs).unwrap().tables[0].notes.join("; ");
    assert!(
        notes.contains(": no test sample of class `bird`"),
        "{notes}"
    );
    for (fold, class) in [(1, "cat"), (2, "dog")] {
        let said = format!(": fold {fold} has no test sample of class `{class}`");
        assert!(notes.contains(&said), "{notes}");
    }
    assert_eq!(notes.matches("`bird`").count(), 1, "{notes}");
}

#[test]
fn folds_without_a_class_are_named_up_to_three_and_then_counted() {
    let mut result = fixture::result(&[50.0; 6]);
    for fold in &mut result.folds[..5] {
        fold.untested = ["x", "y", "z"].map(str::to_owned).to_vec();
    }
    let mut notes = Notes::default();
    notes.scored("see", None, &result);
    let notes = notes.in_words(false);
    assert_eq!(notes[0], "see: mean of 6 folds");
    assert_eq!(
        notes[1],
        "see: fold 1 has no test sample of 3 classes, `x` and `y` among them; result.json names all"
    );
    assert_eq!(
        notes[4..],
        ["see: 2 more folds lack a class too; result.json names them"]
    );
}

#[test]
fn a_gallery_that_is_retrieved_whole_is_said() {
    let said = |clips: u32, k: u32| {
        let plan = fixture::planned(&format!(
            "use paper\neval near {{ uses = v   clip = 8x112px @ 16fps   train = uniform({clips})   test = uniform(1)\n\
             features = conv5 - maxpool(1, 3, 3, stride: (1, 2, 2))   neighbours = knn(distance: cosine)   score = recall({k}) }}\n\
             table t {{\n  of = crisscross\n  scores = [near on UCF101]\n  row\n}}\n"
        ));
        let id = plan.tables[0].rows[0].cells[0].stage.clone().unwrap();
        report_of(&plan, &[(id, &[50.0, 60.0])]).tables[0]
            .notes
            .join("; ")
    };
    // Each fold has 40 training samples.
    let note = "near on UCF101 R@80: the gallery has 80 rows, so R@80 is 100 for every class that is in it";
    assert!(said(2, 80).contains(note), "{}", said(2, 80));
    assert!(!said(2, 79).contains("gallery"));
    assert!(!said(3, 80).contains("gallery"));
}

#[test]
fn files_that_were_left_out_are_counted_and_a_bound_is_called_one() {
    let said = |counts: &[u64]| {
        let mut notes = Notes::default();
        for &skipped in counts {
            let clips = ClipCounts {
                skipped,
                ..ClipCounts::default()
            };
            notes.seen(&fixture::context().environment, &clips);
        }
        notes.in_words(false)
    };
    assert_eq!(said(&[0, 0]), Vec::<String>::new());
    let end = "as too short or for want of a stream; result.json counts them";
    assert_eq!(said(&[2, 2]), [format!("2 files were left out {end}")]);
    assert_eq!(
        said(&[0, 2]),
        [format!(
            "up to 2 files were left out in one number or another {end}"
        )]
    );
}
