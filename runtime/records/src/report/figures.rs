//! What the drawing stages of a table left: a picture and its data.

use super::TableReport;
use super::standing::Standing;
use crate::folder::read_json;
use crate::{Error, Result};
use compiler::plan::Work;
use serde::Serialize;

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
    /// What is drawn, as data.
    pub data: Option<serde_json::Value>,
}

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
                    true => Some(std::fs::read_to_string(&svg).map_err(Error::io("read", &svg))?),
                    false => None,
                },
                data: match data.is_file() {
                    true => Some(read_json(&data)?),
                    false => None,
                },
            });
        }
    }
    Ok(found)
}
