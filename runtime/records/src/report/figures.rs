//! What the drawing stages of a table left: a picture and its data.

use super::TableReport;
use super::standing::Standing;
use crate::folder::read_json;
use crate::{Error, Result};
use compiler::plan::Work;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The picture of a drawing stage.
pub const FIGURE: &str = "figure.svg";
/// The numbers behind it.
pub const FIGURE_DATA: &str = "figure.json";
/// The numbers behind it as lines for other programs.
pub const FIGURE_LINES: &str = "figure.csv";
/// What the films beside it begin with, before their number.
pub const FILM: &str = "saliency-";

/// A panel of a figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// The row, by its number.
    pub row: usize,
    /// Its label.
    pub label: String,
    /// What is drawn, as the heading of its column says it.
    pub name: String,
    /// The run folder.
    pub run: String,
    /// The picture; a page embeds it.
    #[serde(skip)]
    pub svg: Option<String>,
    /// Films beside it, in their order; a page embeds them.
    #[serde(skip)]
    pub films: Vec<Film>,
    /// What is drawn, as data.
    pub data: Option<serde_json::Value>,
}

/// A film beside the picture of a panel.
#[derive(Clone, Debug)]
pub struct Film {
    /// Its file.
    pub name: String,
    /// What it holds; nothing of one that is too large for a page.
    pub bytes: Option<Vec<u8>>,
}

/// The most bytes of a film that a page embeds.
const MOST_BYTES: u64 = 2 << 20;

/// The panels of a table in the order of its rows.
pub(super) fn figures(standing: &Standing<'_>, report: &TableReport) -> Result<Vec<Figure>> {
    let mut found = vec![];
    for row in &report.rows {
        for (column, cell) in report.columns.iter().zip(&row.cells) {
            let Some(id) = &cell.stage else { continue };
            let work = standing.plan.stage(id).map(|stage| &stage.work);
            let (Some(Work::Draw(_)), Some(finished)) = (work, standing.finished.get(id)) else {
                continue;
            };
            let svg = finished.path.join(FIGURE);
            let data = finished.path.join(FIGURE_DATA);
            found.push(Figure {
                row: row.number,
                label: row.label.clone(),
                name: column.name.clone(),
                run: finished.name(),
                svg: match svg.is_file() {
                    true => Some(fs::read_to_string(&svg).map_err(Error::io("read", &svg))?),
                    false => None,
                },
                films: films(&finished.path)?,
                data: match data.is_file() {
                    true => Some(read_json(&data)?),
                    false => None,
                },
            });
        }
    }
    Ok(found)
}

/// The films in a run folder, by their numbers.
fn films(run: &Path) -> Result<Vec<Film>> {
    let mut found: BTreeMap<u32, Film> = BTreeMap::new();
    for entry in fs::read_dir(run).map_err(Error::io("read", run))? {
        let entry = entry.map_err(Error::io("read", run))?;
        let (path, name) = (
            entry.path(),
            entry.file_name().to_string_lossy().into_owned(),
        );
        let number = name
            .strip_prefix(FILM)
            .and_then(|rest| rest.split('.').next());
        let Some(number) = number.and_then(|number| number.parse().ok()) else {
            continue;
        };
        let size = entry.metadata().map_err(Error::io("read", &path))?.len();
        let bytes = match size <= MOST_BYTES {
            true => Some(fs::read(&path).map_err(Error::io("read", &path))?),
            false => None,
        };
        found.insert(number, Film { name, bytes });
    }
    Ok(found.into_values().collect())
}
