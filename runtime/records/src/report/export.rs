//! The figures of a page as files: SVG and PNG to show, Vega-Lite and CSV to draw them otherwise, and what drawing stages have left.

use super::charts::{self, Chart, SCORES};
use super::classes::Classes;
use super::densities;
use super::figures::{FIGURE, FILM, Figure};
use super::page::{Page, TablePage, Training};
use super::{plate, vega};
use crate::folder::METRICS;
use crate::predictions::PREDICTIONS;
use crate::{Error, Result, csv, raster};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Pixels for each unit of a picture.
const SCALE: f32 = 2.0;
/// The most letters of a name.
const MOST_LETTERS: usize = 120;
/// What the files of a drawing stage begin with.
const STEM: &str = "figure";

/// The figures of a page.
#[derive(Debug, Default)]
pub struct Exports {
    /// How many figures they are of.
    pub figures: usize,
    /// Files by name.
    pub files: Vec<(String, Vec<u8>)>,
    /// Figures without a file, with the reason.
    pub absent: Vec<(String, String)>,
}

/// All figures of a page: `TABLE-scores`, `TABLE-loss`, `TABLE-terms-row2`, `TABLE-DRAWING-similarities`, and of a row and column what was
/// drawn, or its classes: `TABLE-row1-SCORE-confusion`, `TABLE-row1-SCORE-classes`.
///
/// # Errors
///
/// A run folder that cannot be read, or a picture in it that is no SVG.
pub fn exports(page: &Page) -> Result<Exports> {
    let mut export = Export {
        found: Exports::default(),
        taken: BTreeSet::new(),
        is_toy: page.toy,
    };
    for table in &page.tables {
        export.charts(table)?;
        for row in &table.table.rows {
            let cells = row.cells.iter().zip(&table.table.columns).enumerate();
            for (column, (cell, heading)) in cells {
                // Steps and loss of a table without scores are no scores.
                if cell.stage.as_ref() == Some(&row.pretrain) {
                    continue;
                }
                let name = format!("{}-row{}-{}", table.table.name, row.number, heading.name);
                let drawn = |one: &&Figure| one.row == row.number && one.name == heading.name;
                let scored = |one: &&Classes| one.row == row.number && one.column == column;
                if let Some(figure) = table.figures.iter().find(drawn) {
                    let title = export.title(table);
                    let of = format!("{title}, row {}: {}", row.number, row.label);
                    export.left(&name, &of, &page.runs.join(&figure.run))?;
                } else if let Some(classes) = table.classes.iter().find(scored) {
                    export.classes(table, &name, classes)?;
                } else {
                    let none = || format!("its run has left no `{PREDICTIONS}`");
                    export.absent(&name, cell.note.clone().unwrap_or_else(none));
                }
            }
        }
    }
    Ok(export.found)
}

/// Figures that are being written.
struct Export {
    found: Exports,
    /// Names in small letters, for file systems that tell them not apart otherwise.
    taken: BTreeSet<String>,
    is_toy: bool,
}

impl Export {
    /// A name that is safe as one of a file, and free.
    fn name(&mut self, of: &str) -> String {
        let name = safe(of);
        let numbered = (2..).map(|n| format!("{name}-{n}"));
        let mut free = std::iter::once(name.clone()).chain(numbered);
        let free = free.find(|name| self.taken.insert(name.to_lowercase()));
        free.expect("name: numbers do not end")
    }

    fn absent(&mut self, name: &str, reason: String) {
        let name = self.name(name);
        self.found.absent.push((name, reason));
    }

    fn title(&self, table: &TablePage) -> String {
        let title = table.table.title.as_ref().unwrap_or(&table.table.name);
        match self.is_toy {
            true => format!("{title} (toy)"),
            false => title.clone(),
        }
    }

    /// The four forms of a figure.
    fn forms(&mut self, name: &str, svg: String, vega: &Value, csv: Vec<u8>) -> Result<()> {
        let name = self.name(name);
        let vega = serde_json::to_vec_pretty(vega).expect("forms: a figure is plain data");
        self.found.files.extend([
            (format!("{name}.png"), raster::png(&svg, SCALE)?),
            (format!("{name}.svg"), svg.into_bytes()),
            (format!("{name}.vl.json"), vega),
            (format!("{name}.csv"), csv),
        ]);
        self.found.figures += 1;
        Ok(())
    }

    fn charts(&mut self, table: &TablePage) -> Result<()> {
        let title = self.title(table);
        let mut charts = charts::charts(table);
        charts.extend(densities::charts(table));
        for chart in charts {
            let name = format!("{}-{}", table.table.name, chart.key);
            match plate::chart(&title, &chart) {
                Some(svg) => {
                    self.forms(&name, svg, &vega::chart(&title, &chart), points(&chart))?
                }
                None => self.absent(&name, why_empty(table, &chart)),
            }
        }
        Ok(())
    }

    fn classes(&mut self, table: &TablePage, name: &str, classes: &Classes) -> Result<()> {
        let title = self.title(table);
        let samples: u64 = classes.classes.iter().map(|class| class.samples).sum();
        let of = format!(
            "{}: {}, {samples} samples",
            table.table.columns[classes.column].name, classes.label
        );
        if classes.has_matrix {
            let below = match classes.of_matrix() {
                Some(what) => format!("{what}, {of}"),
                None => of.clone(),
            };
            self.forms(
                &format!("{name}-confusion"),
                plate::matrix(&title, &below, classes),
                &vega::matrix(&title, &below, classes),
                confusion(classes),
            )?;
        }
        let below = format!("{}, {of}", classes.of_bars());
        self.forms(
            &format!("{name}-classes"),
            plate::bars(&title, &below, classes),
            &vega::bars(&title, &below, classes),
            accuracies(classes),
        )
    }

    /// What a drawing stage has left in its run folder: its files that are called `figure`, its picture as PNG, and its films. A stage does
    /// not know of which row it is, so that pictures say it here.
    fn left(&mut self, name: &str, of: &str, run: &Path) -> Result<()> {
        let entries = fs::read_dir(run).map_err(Error::io("read", run))?;
        let mut files = vec![];
        for entry in entries {
            let entry = entry.map_err(Error::io("read", run))?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let is_film = file.starts_with(FILM);
            if (is_film || file.starts_with(STEM)) && entry.path().is_file() {
                files.push(file);
            }
        }
        files.sort();
        // The picture as PNG is made anew, of what it shows here.
        let is_made = |file: &String| {
            let stem = file.strip_suffix(".png").unwrap_or(file);
            stem != file && files.contains(&format!("{stem}.svg"))
        };
        let files: Vec<String> = files
            .iter()
            .filter(|file| !is_made(file))
            .cloned()
            .collect();
        if !files.iter().any(|file| file == FIGURE) {
            self.absent(name, format!("its run has left no `{FIGURE}`"));
            return Ok(());
        }
        let name = self.name(name);
        for file in &files {
            let path = run.join(file);
            let mut bytes = fs::read(&path).map_err(Error::io("read", &path))?;
            if file.ends_with(".svg") {
                let svg = String::from_utf8_lossy(&bytes);
                let svg = plate::headed(&svg, of).unwrap_or_else(|| svg.into_owned());
                let png = raster::png(&svg, SCALE).map_err(|error| Error::Content {
                    path: path.clone(),
                    message: error.to_string(),
                    help: "remove that run folder and run the file again: it is drawn anew"
                        .to_owned(),
                })?;
                let stem = file[STEM.len()..].trim_end_matches(".svg");
                self.found.files.push((format!("{name}{stem}.png"), png));
                bytes = svg.into_bytes();
            } else if file.ends_with(".vl.json")
                && let Ok(figure) = serde_json::from_slice(&bytes)
            {
                bytes = serde_json::to_vec_pretty(&vega::headed(figure, of))
                    .expect("left: a figure is plain data");
            }
            let end = match file.strip_prefix(FILM) {
                Some(number) => format!("-film-{number}"),
                None => file[STEM.len()..].to_owned(),
            };
            self.found.files.push((format!("{name}{end}"), bytes));
        }
        self.found.figures += 1;
        Ok(())
    }
}

/// Why a chart has no number.
fn why_empty(table: &TablePage, chart: &Chart) -> String {
    if chart.key == SCORES {
        let cells = table.table.rows.iter().flat_map(|row| &row.cells);
        let reasons: BTreeSet<&str> = cells.filter_map(|cell| cell.note.as_deref()).collect();
        return reasons.into_iter().collect::<Vec<_>>().join("; ");
    }
    let begun = |training: &Training| !training.points.is_empty();
    match table.trainings.iter().any(begun) && !chart.lines.is_empty() {
        true => format!("`{METRICS}` has no finite number of it"),
        false => "no step of its pretraining was taken".to_owned(),
    }
}

/// The points of a chart.
fn points(chart: &Chart) -> Vec<u8> {
    let has_bars = chart.lines.iter().any(|line| !line.bars.is_empty());
    let mut header = vec![
        "line".to_owned(),
        chart.across.name.clone(),
        chart.up.clone(),
    ];
    if has_bars {
        header.extend(["from".to_owned(), "to".to_owned()]);
    }
    let has_means = chart.lines.iter().any(|line| !line.means.is_empty());
    if has_means {
        header.push("running mean".to_owned());
    }
    let mut rows = vec![header];
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    for line in &chart.lines {
        for (point, (at, value)) in line.points.iter().enumerate() {
            let place = chart.across.place(*at).map(str::to_owned);
            let mut row = vec![
                line.label.clone(),
                place.unwrap_or_else(|| at.to_string()),
                number(*value),
            ];
            if has_bars {
                let bar = line.bars.iter().find(|(place, ..)| place == at);
                row.push(number(bar.map(|(_, from, _)| *from)));
                row.push(number(bar.map(|(_, _, to)| *to)));
            }
            if has_means {
                row.push(number(line.means.get(point).and_then(|(_, mean)| *mean)));
            }
            rows.push(row);
        }
    }
    csv(&rows)
}

fn confusion(classes: &Classes) -> Vec<u8> {
    let mut rows = vec![
        ["class", "predicted", "samples"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let name = |at: usize| classes.classes[at].name.clone();
    rows.extend((classes.confusion.iter()).map(|pair| {
        vec![
            name(pair.class),
            name(pair.predicted),
            pair.samples.to_string(),
        ]
    }));
    csv(&rows)
}

fn accuracies(classes: &Classes) -> Vec<u8> {
    let header = ["class", "samples", "right", "accuracy"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(classes.classes.iter().map(|class| {
        let accuracy = class.accuracy().map(|accuracy| accuracy.to_string());
        vec![
            class.name.clone(),
            class.samples.to_string(),
            class.right.to_string(),
            accuracy.unwrap_or_default(),
        ]
    }));
    csv(&rows)
}

/// Letters, digits and `_` as they are, a `-` for what else there is: `linear8-on-UCF101`.
fn safe(text: &str) -> String {
    let mut name = String::new();
    for letter in text.chars().take(MOST_LETTERS) {
        match letter.is_alphanumeric() || letter == '_' {
            true => name.push(letter),
            false if name.ends_with('-') => {}
            false => name.push('-'),
        }
    }
    name.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_no_two_alike() {
        let mut export = Export {
            found: Exports::default(),
            taken: BTreeSet::new(),
            is_toy: false,
        };
        for (of, name) in [
            ("t-row1-linear8 on UCF101, v", "t-row1-linear8-on-UCF101-v"),
            ("../../etc/passwd", "etc-passwd"),
            (
                "T-row1-linear8 on UCF101: v",
                "T-row1-linear8-on-UCF101-v-2",
            ),
        ] {
            assert_eq!(export.name(of), name);
        }
        assert_eq!(safe(&"x".repeat(500)).len(), MOST_LETTERS);
    }
}
