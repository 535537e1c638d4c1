//! The page of a file, as JSON and as HTML.

use crate::fixture;
use crate::folder::{METRICS, Runs};
use crate::predictions::{self, PREDICTIONS, Prediction};
use crate::record::{ClipCounts, Solver};
use crate::report::{
    Experiment, FIGURE, FIGURE_DATA, Format, Page, Shelf, Value, Values, Warning, exports, html,
    index, json, page, report,
};
use compiler::plan::{Plan, Stage, StageId};
use std::path::Path;

const TEXT: &str = "use paper\n\
    table t \"One < two\" {\n  of = crisscross\n  scores = [linear8 on UCF101]\n\
    row loss = intra expect 69.7\n  row loss = intra + sync\n}\n";

fn experiment() -> Experiment {
    let value = Value {
        path: "bs".to_owned(),
        value: "512".to_owned(),
        file: Some("t.cc".to_owned()),
        line: Some(3),
        setter: Some("t row".to_owned()),
        sources: vec!["Table S10".to_owned()],
    };
    Experiment {
        file: "t.cc".to_owned(),
        text: TEXT.to_owned(),
        command: "crisscross run t.cc".to_owned(),
        warnings: vec![Warning {
            code: "W0705".to_owned(),
            severity: "warning".to_owned(),
            message: "the cost is chosen".to_owned(),
            text: "warning[W0705]: <the cost>".to_owned(),
            place: "t.cc:3".to_owned(),
            is_quiet: false,
        }],
        values: vec![Values {
            name: "table t".to_owned(),
            shared: vec![value],
            rows: vec![],
        }],
    }
}

fn page_of(plan: &Plan, folder: &Path) -> Page {
    page(plan, &Shelf::read(&Runs::at(folder)).unwrap(), experiment()).unwrap()
}

/// The stage behind the score of a row.
fn score(plan: &Plan, row: usize) -> &Stage {
    let id = plan.tables[0].rows[row].cells[0].stage.as_ref().unwrap();
    plan.stage(id).unwrap()
}

fn lines(ranks: &[u64]) -> Vec<Prediction> {
    let named = ranks.iter().enumerate();
    let line = |(at, rank): (usize, &u64)| Prediction {
        split: "1".to_owned(),
        sample: format!("clip{at}"),
        class: ["dog", "cat & co"][at % 2].to_owned(),
        predicted: match rank {
            1 => ["dog", "cat & co"][at % 2].to_owned(),
            _ => "bird".to_owned(),
        },
        rank: *rank,
    };
    named.map(line).collect()
}

/// Finishes the score of a row with these folds and ranks.
fn finish(runs: &Runs, plan: &Plan, row: usize, folds: &[f64], ranks: &[u64]) {
    let attempt = runs.begin(score(plan, row), &fixture::context()).unwrap();
    predictions::write(&attempt.path().join(PREDICTIONS), &lines(ranks)).unwrap();
    let mut result = fixture::result(folds);
    for fold in &mut result.folds {
        // All lines are of fold 1.
        fold.test = if fold.name == "1" {
            ranks.len() as u64
        } else {
            0
        };
        fold.train = 4 * fold.test;
    }
    result.clips = ClipCounts {
        skipped: 2,
        undecodable: vec![("a.mp4".into(), "no frames".to_owned())],
        ..ClipCounts::default()
    };
    result.solver = Some(Solver {
        name: "LIBLINEAR".to_owned(),
        tolerance: 1e-4,
        residual: 0.02,
        fits: 20,
        unconverged: 3,
    });
    attempt.finish(&result).unwrap();
}

fn metrics(steps: u64) -> String {
    let line = |step: u64| format!("{{\"step\":{step},\"loss\":-0.{step}}}\n");
    (0..steps).map(line).collect()
}

#[test]
fn everything_that_was_measured_stands_in_the_json() {
    let plan = fixture::planned(TEXT);
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(folder.path()).unwrap();
    finish(&runs, &plan, 0, &[70.0, 71.5, 73.0], &[1, 1, 1, 2, 1, 1]);
    finish(&runs, &plan, 1, &[72.0, 72.0, 76.0], &[1, 2, 1, 2, 2, 1]);
    let text = json(&[page_of(&plan, folder.path())]);
    let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(whole["format"], 1);
    let page = &whole["experiments"][0];
    assert_eq!(page["file"], "t.cc");
    let table = &page["tables"][0];
    let cell = &table["rows"][0]["cells"][0];
    assert_eq!(
        (&cell["value"], &cell["measured"], &cell["spread"]),
        (&71.5.into(), &"71.5".into(), &"1.5".into())
    );
    assert_eq!(cell["results"][2]["value"], 73.0);
    assert_eq!(cell["difference"], "+1.8");
    let tests = table["comparisons"][0]["tests"].as_array().unwrap();
    let kinds: Vec<&str> = tests
        .iter()
        .filter_map(|test| test["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["folds", "samples"]);
    assert_eq!(tests[1]["only"], serde_json::json!([2, 0]));
    let classes = &table["classes"][0]["classes"];
    assert_eq!(
        classes[2],
        serde_json::json!({"name": "dog", "samples": 3, "right": 3})
    );
    let cautions = table["cautions"][0].as_str().unwrap();
    assert!(
        cautions.contains("cost chosen on the test split"),
        "{cautions}"
    );
    let remarks: Vec<&str> = (page["remarks"].as_array().unwrap().iter())
        .filter_map(|remark| remark["text"].as_str())
        .collect();
    assert_eq!(
        remarks[..3],
        [
            "2 files were left out: too short, or without a stream that is needed",
            "1 files could not be decoded: a.mp4: no frames",
            "3 of 20 fits of LIBLINEAR ended above the tolerance of 1e-4: the largest gradient was 2.0e-2",
        ]
    );
    let done = page["stages"].as_array().unwrap().iter();
    assert_eq!(done.filter(|stage| stage["state"] == "done").count(), 2);
}

#[test]
fn a_page_stands_alone_and_escapes_what_it_shows() {
    let plan = fixture::planned(TEXT);
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(folder.path()).unwrap();
    finish(&runs, &plan, 0, &[70.0, 71.0], &[1, 2]);
    let page = page_of(&plan, folder.path());
    let text = html(&page, false);
    for alien in ["http://", "https://", "<script", "<link", "@import", "url("] {
        assert!(!text.contains(alien), "{alien}");
    }
    assert!(!text.contains("http-equiv"), "it reloads itself");
    for part in [
        "One &lt; two",
        "warning[W0705]: &lt;the cost&gt;",
        "<b>70.5</b> <span class=\"pm\">± 0.7</span>",
        "cat &amp; co taken for bird: 1 of 1",
        "2: <b>71.00</b> <span class=\"soft\">(cost 1)</span>",
        "<a href=\"#L3\">t.cc:3</a>",
        "<span id=\"L2\">table t",
        "pretraining not run",
        "crisscross run t.cc",
        "prefers-color-scheme: dark",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert_eq!(
        text.matches("<details").count(),
        text.matches("</details>").count()
    );
    let listed = index(&[("t.html".to_owned(), &page)]);
    assert!(listed.contains("<a href=\"t.html\">t.cc</a>"), "{listed}");
    assert!(
        listed.contains("<span class=\"made\">1 of 2</span></td>"),
        "{listed}"
    );
}

#[test]
fn a_training_under_way_is_drawn_as_far_as_it_is() {
    let plan = fixture::planned(TEXT);
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(folder.path()).unwrap();
    let nothing = page_of(&plan, folder.path());
    assert!(!html(&nothing, false).contains("<svg class=\"chart\""));
    let pretrain = plan.stage(&plan.tables[0].rows[0].pretrain).unwrap();
    let attempt = runs.begin(pretrain, &fixture::context()).unwrap();
    std::fs::write(attempt.path().join(METRICS), metrics(3)).unwrap();
    let page = page_of(&plan, folder.path());
    let training = &page.tables[0].trainings[0];
    assert_eq!((training.done, training.points.len()), (3, 3));
    assert!(!training.is_finished);
    let reason = format!("pretraining at step 3 of {}", training.steps);
    assert_eq!(
        page.tables[0].table.rows[0].cells[0].note.as_ref(),
        Some(&reason)
    );
    let text = html(&page, true);
    assert!(text.contains("http-equiv=\"refresh\""), "{text}");
    assert!(text.contains("1 training under way"), "{text}");
    assert!(
        text.contains(&format!("(step 3 of {})", training.steps)),
        "{text}"
    );
    let result = fixture::trained(training.steps, ClipCounts::default());
    attempt.finish(&result).unwrap();
    let page = page_of(&plan, folder.path());
    assert!(page.tables[0].trainings[0].is_finished);
    let note = page.tables[0].table.rows[0].cells[0].note.as_deref();
    assert_eq!(note, Some("features not extracted"));
}

#[test]
fn damaged_predictions_are_named_and_not_taken_for_none() {
    let plan = fixture::planned(TEXT);
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(folder.path()).unwrap();
    finish(&runs, &plan, 0, &[70.0], &[1]);
    let path = runs.find(&score(&plan, 0).id).unwrap().unwrap().path;
    std::fs::write(path.join(PREDICTIONS), "split,sample\n1\n").unwrap();
    let error = page(&plan, &Shelf::read(&runs).unwrap(), experiment()).unwrap_err();
    assert!(error.to_string().contains(PREDICTIONS), "{error}");
}

/// A figure of one drawing.
fn drawn_plan() -> Plan {
    fixture::planned(
        "use paper\nfigure seen \"Seen\" {\n  of = crisscross\n\
         draw = embedding(linear8 on UCF101, split: test, samples: 20, by: tsne(perplexity: 5))\n  row loss = intra\n}\n",
    )
}

#[test]
fn what_was_drawn_is_embedded() {
    let plan = drawn_plan();
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(folder.path()).unwrap();
    let id: &StageId = plan.tables[0].rows[0].cells[0].stage.as_ref().unwrap();
    let attempt = runs
        .begin(plan.stage(id).unwrap(), &fixture::context())
        .unwrap();
    std::fs::write(attempt.path().join(FIGURE), "<svg xmlns=\"x\"/>").unwrap();
    std::fs::write(attempt.path().join(FIGURE_DATA), "{\"points\": [1, 2]}").unwrap();
    for (film, size) in [("2.mp4", 3), ("10.png", 3), ("3.webm", (2 << 20) + 1)] {
        let path = attempt.path().join(format!("saliency-{film}"));
        std::fs::write(path, vec![b'a'; size]).unwrap();
    }
    attempt.finish(&serde_json::json!({})).unwrap();
    let page = page_of(&plan, folder.path());
    let text = html(&page, false);
    // `printf '<svg xmlns="x"/>' | base64`
    assert!(
        text.contains(
            "<div class=\"scroll\"><img src=\"data:image/svg+xml;base64,PHN2ZyB4bWxucz0ieCIvPg==\""
        ),
        "{text}"
    );
    // `printf 'aaa' | base64`, by their numbers; the second one is too large.
    let films: Vec<&str> = text.split("<div class=\"films\">").collect();
    assert_eq!(films.len(), 2);
    let films: Vec<&str> = films[1].split("</p></div>").collect();
    for (film, part) in [
        (
            0,
            "<video controls loop muted playsinline src=\"data:video/mp4;base64,YWFh\"></video><p class=\"soft\">saliency-2.mp4",
        ),
        (
            1,
            "<div><p class=\"soft\">saliency-3.webm, in the run folder",
        ),
        (
            2,
            "<img src=\"data:image/png;base64,YWFh\" alt=\"saliency-10.png\">",
        ),
    ] {
        assert!(films[film].contains(part), "{}", films[film]);
    }
    assert_eq!(
        page.tables[0].figures[0].data,
        Some(serde_json::json!({"points": [1, 2]}))
    );
    let cell = &page.tables[0].table.rows[0].cells[0];
    assert!(
        cell.note
            .as_deref()
            .is_some_and(|note| note.starts_with("drawn in `draw-"))
    );
    assert!(page.tables[0].axis.is_none());
    let report = report(&plan, &runs).unwrap();
    for format in [Format::Text, Format::Markdown, Format::Tex] {
        let text = report.render(format);
        let line = text
            .lines()
            .find(|line| line.contains("loss = intra "))
            .unwrap();
        assert!(line.contains(" drawn"), "{text}");
    }
}

/// Rows that are drawn have no mean over seeds, whatever they differ in.
#[test]
fn drawings_of_several_seeds_stay_apart() {
    let text = "use paper\nfigure seen {\n  of = crisscross\n  DRAWN\n  row \"one\"\n  row \"two\" seed = 1\n}\n";
    let drawing = "draw = embedding(linear8 on UCF101, split: test, samples: 20, by: pca)";
    let plan = fixture::planned(&text.replace("DRAWN", drawing));
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(folder.path()).unwrap();
    let alone = report(&plan, &runs).unwrap();
    assert!(alone.tables[0].seeds.is_empty());
    let tex = alone.render(Format::Tex);
    assert!(
        tex.contains("    one & -- \\\\\n    two & -- \\\\"),
        "{tex}"
    );
    let both = format!("scores = [linear2s on ESC50]\n  x = seed\n  {drawing}");
    let plan = fixture::planned(&text.replace("DRAWN", &both));
    let report = report(&plan, &runs).unwrap();
    assert_eq!(report.tables[0].columns.len(), 2);
    assert_eq!(report.tables[0].seeds.len(), 1);
    let markdown = report.render(Format::Markdown);
    assert!(
        markdown
            .contains("| rows | linear2s on ESC50 | 95 % |\n|---|---:|---:|\n| one | – | – |\n"),
        "{markdown}"
    );
    let tex = report.render(Format::Tex);
    assert!(tex.contains("{lr}") && !tex.contains("embedding"), "{tex}");
    let text = report.render(Format::Text);
    let over = text.split("over seeds").nth(1).unwrap();
    assert!(
        over.contains("linear2s on ESC50") && !over.contains("embedding"),
        "{text}"
    );
    let page = html(&page_of(&plan, folder.path()), false);
    let over = page.split("<h3>Over seeds</h3>").nth(1).unwrap();
    assert!(
        !over.split("</table>").next().unwrap().contains("embedding"),
        "{over}"
    );
}

#[test]
fn rows_of_several_seeds_keep_the_marks_of_their_notes() {
    let plan = fixture::planned(
        "use paper\ntable t {\n  of = crisscross\n  scores = [linear2s on ESC50]\n\
         for seed in range(1, 2) { row \"seen\" loss = v1v2 }\n}\n",
    );
    let folder = tempfile::tempdir().unwrap();
    let report = report(&plan, &Runs::open(folder.path()).unwrap()).unwrap();
    let tex = report.render(Format::Tex);
    assert!(
        tex.contains("    seen & --\\textsuperscript{1} \\\\\n"),
        "{tex}"
    );
    let note = "\\textsuperscript{1} \\texttt{a} is not trained by this row";
    assert!(tex.contains(note), "{tex}");
}

#[test]
fn figures_are_files_with_the_numbers_behind_them() {
    let plan = fixture::planned(&TEXT.replace("table t", "figure t").replace(
        "row loss = intra + sync",
        "x = loss\n  row loss = intra + sync",
    ));
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(folder.path()).unwrap();
    finish(&runs, &plan, 0, &[70.0, 71.0], &[1, 1, 2]);
    let pretrain = plan.stage(&plan.tables[0].rows[1].pretrain).unwrap();
    let attempt = runs.begin(pretrain, &fixture::context()).unwrap();
    std::fs::write(attempt.path().join(METRICS), metrics(3)).unwrap();
    let page = page_of(&plan, folder.path());
    let found = exports(&page).unwrap();
    let names: Vec<&str> = found.files.iter().map(|(name, _)| name.as_str()).collect();
    let stems = [
        "t-scores",
        "t-loss",
        "t-row1-linear8-on-UCF101-confusion",
        "t-row1-linear8-on-UCF101-classes",
    ];
    let due = stems.iter().flat_map(|stem| {
        let ends = ["png", "svg", "vl.json", "csv"].into_iter();
        ends.map(move |end| format!("{stem}.{end}"))
    });
    assert_eq!(names, due.collect::<Vec<_>>());
    assert_eq!(found.figures, 4);
    let steps = pretrain_steps(&page);
    assert_eq!(
        found.absent,
        [(
            "t-row2-linear8-on-UCF101".to_owned(),
            format!("pretraining at step 3 of {steps}")
        )]
    );
    let text = |name: &str| {
        let file = found.files.iter().find(|(known, _)| known == name).unwrap();
        String::from_utf8(file.1.clone()).unwrap()
    };
    assert_eq!(
        text("t-scores.csv"),
        "line,loss,score in percent\nlinear8 on UCF101,intra,70.5\nlinear8 on UCF101,intra + sync,\n"
    );
    assert_eq!(
        text("t-row1-linear8-on-UCF101-confusion.csv"),
        "class,predicted,samples\ncat & co,cat & co,1\ndog,bird,1\ndog,dog,1\n"
    );
    assert!(text("t-loss.csv").ends_with(",2,-0.2\n"));
    for (name, bytes) in &found.files {
        match name.rsplit('.').next() {
            Some("png") => assert!(bytes.starts_with(b"\x89PNG"), "{name}"),
            Some("svg") => {
                let svg = text(name);
                assert!(svg.contains("<style>") && !svg.contains("var("), "{name}");
                assert!(svg.contains("One &lt; two"), "{name}");
            }
            Some("json") => {
                let vega: serde_json::Value = serde_json::from_slice(bytes).unwrap();
                assert!(
                    !vega["data"]["values"].as_array().unwrap().is_empty(),
                    "{name}"
                );
            }
            _ => {}
        }
    }
    assert_eq!(found.files, exports(&page).unwrap().files);
}

/// Steps of the training that is under way.
fn pretrain_steps(page: &Page) -> u64 {
    let mut trainings = page.tables[0].trainings.iter();
    trainings.find(|training| training.done > 0).unwrap().steps
}

#[test]
fn what_was_drawn_is_copied_and_becomes_a_png() {
    let plan = drawn_plan();
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(folder.path()).unwrap();
    let id: &StageId = plan.tables[0].rows[0].cells[0].stage.as_ref().unwrap();
    let leave = |svg: &str| {
        let attempt = runs
            .begin(plan.stage(id).unwrap(), &fixture::context())
            .unwrap();
        std::fs::write(attempt.path().join(FIGURE), svg).unwrap();
        for file in ["figure.png", "figure.csv", "saliency-2.mp4"] {
            std::fs::write(attempt.path().join(file), "{}").unwrap();
        }
        let vega =
            "{\"title\": {\"text\": \"Features\", \"subtitle\": [\"pca\"]}, \"mark\": \"point\"}";
        std::fs::write(attempt.path().join("figure.vl.json"), vega).unwrap();
        attempt.finish(&serde_json::json!({})).unwrap()
    };
    let run = leave("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"4\" height=\"4\"/>");
    let found = exports(&page_of(&plan, folder.path())).unwrap();
    let names: Vec<&str> = found.files.iter().map(|(name, _)| name.as_str()).collect();
    let stem = names[0].trim_end_matches(".csv");
    assert!(stem.starts_with("seen-row1-embedding"), "{stem}");
    assert_eq!(
        names,
        [".csv", ".png", ".svg", ".vl.json", "-film-2.mp4"].map(|end| format!("{stem}{end}"))
    );
    let file = |end: &str| {
        let own = |(name, _): &&(String, Vec<u8>)| *name == format!("{stem}{end}");
        found.files.iter().find(own).unwrap().1.as_slice()
    };
    // What they are of stands above them.
    assert!(file(".png").starts_with(b"\x89PNG"));
    let svg = String::from_utf8_lossy(file(".svg"));
    assert!(
        svg.contains("aria-label=\"Seen, row 1: loss = intra\""),
        "{svg}"
    );
    let vega: serde_json::Value = serde_json::from_slice(file(".vl.json")).unwrap();
    let title = &vega["title"];
    assert_eq!(
        (&title["text"], &vega["mark"]),
        (&"Features".into(), &"point".into())
    );
    assert_eq!(
        title["subtitle"],
        serde_json::json!(["Seen, row 1: loss = intra", "pca"])
    );
    std::fs::write(run.path.join(FIGURE), "no picture").unwrap();
    let error = exports(&page_of(&plan, folder.path())).unwrap_err();
    assert!(error.to_string().contains(FIGURE), "{error}");
}

/// The embeddings of two rows: what they are compared by is one chart, on the page and as files.
#[test]
fn densities_of_several_rows_lie_in_one_chart() {
    let plan = fixture::planned(
        "use paper\nfigure seen \"Seen\" {\n  of = crisscross\n\
         draw = embedding(linear8 on UCF101, split: test, samples: 20, by: pca)\n\
         row \"without\" loss = intra\n  row \"with\" loss = intra + async\n}\n",
    );
    let folder = tempfile::tempdir().unwrap();
    let runs = Runs::open(folder.path()).unwrap();
    let leave = |row: usize, data: &str| {
        let id: &StageId = plan.tables[0].rows[row].cells[0].stage.as_ref().unwrap();
        let attempt = runs
            .begin(plan.stage(id).unwrap(), &fixture::context())
            .unwrap();
        std::fs::write(attempt.path().join(FIGURE_DATA), data).unwrap();
        attempt.finish(&serde_json::json!({})).unwrap();
    };
    let densities = |from: f64, of_a_class: &str| {
        format!(
            "{{\"similarity\": {{\"at\": [{from}, 0.75, 1.0], \"density\": [0.0, 3.5, 1.0], \"density_of_a_class\": {of_a_class}}}}}"
        )
    };
    leave(0, &densities(0.5, "[0.0, 1.0, 3.0]"));
    let alone = page_of(&plan, folder.path());
    assert!(!html(&alone, false).contains("Cosine similarity"));
    leave(1, &densities(0.25, "null"));
    let page = page_of(&plan, folder.path());
    let text = html(&page, false);
    let name = "embedding of linear8 on UCF101 by pca";
    let title = format!("<summary>Cosine similarity of all pairs: {name}</summary>");
    assert!(text.contains(&title), "{text}");
    for part in ["<title>without</title>", "<title>with</title>"] {
        assert!(text.contains(part), "{part}");
    }
    // One row alone has pairs of one class.
    assert!(!text.contains("Cosine similarity of pairs of one class"));
    let found = exports(&page).unwrap();
    let csv = "seen-embedding-of-linear8-on-UCF101-by-pca-similarities.csv";
    let csv = found.files.iter().find(|(name, _)| name == csv).unwrap();
    assert_eq!(
        String::from_utf8(csv.1.clone()).unwrap(),
        "line,cosine similarity,density\nwithout,0.5,0\nwithout,0.75,3.5\nwithout,1,1\nwith,0.25,0\nwith,0.75,3.5\nwith,1,1\n"
    );
}
