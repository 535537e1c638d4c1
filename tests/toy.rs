//! Every shipped experiment in toy form: from nothing to its tables, figures and pages, by two processes at once, and once more from
//! what is there.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

#[path = "lab/browser.rs"]
mod browser;
mod lab;

use browser::View;
use compiler::plan::{Plan, Work};
use lab::{program, said};
use records::folder::{Runs, read_json};
use records::report::{FIGURE, FIGURE_DATA};
use std::path::{Path, PathBuf};

/// The files of `experiments` and of its folder `local`.
fn files() -> Vec<PathBuf> {
    let experiments = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let mut files = vec![];
    for folder in [experiments.join("local"), experiments] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|suffix| suffix == "cc") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Every second file by one process and the rest by another, in one folder and at the same time: what both need is made by one of them.
/// What they print of their tables.
fn made_by_halves(folder: &Path) -> Vec<String> {
    let half = |first: usize| {
        let mut command = program("crisscross", folder);
        command.args(["run", "--toy", "--runs", "runs", "--device", "cpu"]);
        command.args(files().iter().skip(first).step_by(2));
        said(&mut command).0
    };
    let printed = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        [half(0), other.join().unwrap()]
    });
    let tables = printed.iter().flat_map(|text| text.split("\n\n"));
    tables.map(|table| table.trim_end().to_owned()).collect()
}

#[test]
fn every_experiment_ends_with_its_tables_and_figures() {
    let folder = tempfile::tempdir().unwrap();
    let crisscross = |verb: &str, last: &[&str]| {
        let mut command = program("crisscross", folder.path());
        command.args([verb, "--toy", "--runs", "runs"]);
        command.args(files()).args(last);
        command
    };
    let first = made_by_halves(folder.path());
    let (tables, log) = said(&mut crisscross("run", &["--device", "cpu"]));
    for table in first {
        assert!(tables.contains(&table), "{table} is not in {tables}");
    }
    assert!(!log.contains("[1/"), "nothing is made twice: {log}");
    // Rows that cannot be run stand there with the reason.
    let refused = "this version cannot run text of captions";
    assert!(tables.contains(refused), "{tables}");

    // What was asked for is there, but for what this version cannot make.
    let (text, _) = said(&mut crisscross("plan", &["--format", "json"]));
    let plan: Plan = serde_json::from_str(&text).unwrap();
    assert!(plan.toy);
    let runs = Runs::open(folder.path().join("runs")).unwrap();
    let executable = compiler::plan::executable(&plan);
    let mut drawn = 0;
    for stage in &executable.plan.stages {
        let Some(finished) = runs.find(&stage.id).unwrap() else {
            panic!("{} is not made", stage.label)
        };
        if let Work::Draw(_) = stage.work {
            let picture = std::fs::read_to_string(finished.path.join(FIGURE)).unwrap();
            assert!(picture.starts_with("<svg"), "{}", stage.label);
            let data: serde_json::Value = read_json(&finished.path.join(FIGURE_DATA)).unwrap();
            assert!(data.is_object(), "{}", stage.label);
            drawn += 1;
        }
    }
    assert!(drawn >= 10, "{drawn} are drawn");
    assert_eq!(executable.rows.len(), 4, "{:?}", executable.rows);
    for table in &plan.tables {
        let title = table.title.as_deref().unwrap_or(&table.name);
        assert!(tables.contains(title), "{title}: {tables}");
    }

    // What a figure draws against something lies on an axis, and has numbers there.
    let (pages, _) = said(&mut crisscross("report", &["--format", "json"]));
    let pages: serde_json::Value = serde_json::from_str(&pages).unwrap();
    let drawn = |name: &str| {
        let pages = pages["experiments"].as_array().unwrap().iter();
        let mut tables = pages.flat_map(|page| page["tables"].as_array().unwrap());
        let table = tables.find(|table| table["name"] == name).unwrap();
        table["axis"]["lines"].as_array().is_some_and(|lines| {
            let points = lines
                .iter()
                .flat_map(|line| line["points"].as_array().unwrap());
            points.filter(|point| point["value"].is_number()).count() > 1
        })
    };
    let against = plan.tables.iter().filter(|table| table.x.is_some());
    let against: Vec<&str> = against.map(|table| table.name.as_str()).collect();
    assert!(against.len() >= 4, "{against:?}");
    for name in against {
        assert!(drawn(name), "{name} has no chart");
    }

    // Whoever forgets how they were made is told.
    let mut forgotten = program("crisscross", folder.path());
    forgotten.args(["report", "--runs", "runs"]).args(files());
    let (_, note) = said(&mut forgotten);
    assert!(note.contains("`--toy` reports it"), "{note}");

    // A page for each file, and one that lists them.
    said(&mut crisscross(
        "report",
        &["--format", "html", "--out", "pages"],
    ));
    let pages = std::fs::read_dir(folder.path().join("pages")).unwrap();
    assert_eq!(pages.count(), files().len() + 1);
    if browser::is_there() {
        for name in ["table1", "fig1", "fig4", "esc10"] {
            looked_at(folder.path(), name);
        }
    }
}

/// A page with results fits phone and desktop, in light and in dark, and has its figures there. Its pictures are kept for people below
/// `target/tmp/pages`.
fn looked_at(folder: &Path, name: &str) {
    let page = std::fs::read_to_string(folder.join("pages").join(format!("{name}.html"))).unwrap();
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&shots).unwrap();
    for (width, form) in [(390, "phone"), (1280, "desktop")] {
        for (is_dark, light, ground) in [(false, "light", [255; 3]), (true, "dark", [20, 24, 28])] {
            let view = View {
                page: &page,
                width,
                is_dark,
            };
            let says = "[d.documentElement.scrollWidth, d.documentElement.scrollHeight, d.querySelectorAll('svg, .figure img').length, \
                        [...d.images].filter(one => one.complete && !one.naturalWidth).length].join(' ')";
            let said = view.asked(folder, says);
            let said: Vec<u32> = said.split(' ').map(|one| one.parse().unwrap()).collect();
            assert!(said[0] <= width, "{name} is {} wide on a {form}", said[0]);
            assert!(said[2] > 0 && said[3] == 0, "{name}: {said:?}");
            let shot = shots.join(format!("{name}-{form}-{light}.png"));
            let height = said[1].min(6000);
            view.pictured(folder, height, &shot);
            let (size, pixels) = pixels(&shot);
            assert_eq!(size, (width, height), "{name}");
            assert_eq!(pixels[0], ground, "{name}");
            // Text and lines are there: no large part of the page is of one colour alone.
            let rows: Vec<_> = pixels.chunks(width as usize * 600).collect();
            let is_blank = |rows: &[[u8; 3]]| rows.iter().all(|pixel| *pixel == ground);
            assert!(
                !rows
                    .iter()
                    .any(|rows| rows.len() == width as usize * 600 && is_blank(rows)),
                "{name}"
            );
        }
    }
}

/// The size of a PNG file and its pixels.
fn pixels(path: &Path) -> ((u32, u32), Vec<[u8; 3]>) {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut bytes).unwrap();
    let samples = frame.color_type.samples();
    let pixels = bytes[..frame.buffer_size()].chunks(samples);
    let pixels = pixels.map(|pixel| [pixel[0], pixel[1], pixel[2]]);
    ((frame.width, frame.height), pixels.collect())
}
