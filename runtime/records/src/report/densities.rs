//! How the features of several rows are distributed, in one chart: the densities of cosine similarities that embeddings of the same
//! samples have left.

use super::charts::{Across, Chart, Line};
use super::figures::Figure;
use super::page::TablePage;
use serde_json::Value;

/// The curves of an embedding: what each is called among the charts of its table, what it is of, and its field.
const CURVES: [(&str, &str, &str); 2] = [
    ("similarities", "all pairs", "density"),
    (
        "similarities-of-a-class",
        "pairs of one class",
        "density_of_a_class",
    ),
];

/// The charts of each embedding that two rows or more have left, a line for each row.
pub(super) fn charts(table: &TablePage) -> Vec<Chart> {
    let mut names: Vec<&str> = vec![];
    for figure in &table.figures {
        if !names.contains(&figure.name.as_str()) {
            names.push(&figure.name);
        }
    }
    let of = |name: &str| CURVES.map(|curve| chart(table, name, curve));
    names.into_iter().flat_map(of).flatten().collect()
}

/// One kind of curve of the embedding `name`; `None` where fewer than two rows have it.
fn chart(table: &TablePage, name: &str, (key, pairs, field): (&str, &str, &str)) -> Option<Chart> {
    let own = || table.figures.iter().filter(|figure| figure.name == name);
    let line = |figure: &Figure| {
        let alike = own().filter(|other| other.label == figure.label).count();
        Some(Line {
            label: match alike {
                1 => figure.label.clone(),
                _ => format!("{}, row {}", figure.label, figure.row),
            },
            points: points(figure.data.as_ref()?, field)?,
            ..Line::default()
        })
    };
    let mut lines: Vec<Line> = own().filter_map(line).collect();
    for (colour, line) in lines.iter_mut().enumerate() {
        line.colour = colour;
    }
    if lines.len() < 2 {
        return None;
    }
    let places = lines.iter().flat_map(|line| &line.points);
    let range = places.fold((1.0f64, -1.0f64), |(low, high), (at, _)| {
        (low.min(*at), high.max(*at))
    });
    Some(Chart {
        key: format!("{name}-{key}"),
        title: format!("Cosine similarity of {pairs}: {name}"),
        caption: "The area below each line is 1.".to_owned(),
        up: "density".to_owned(),
        lines,
        across: Across {
            name: "cosine similarity".to_owned(),
            range,
            marks: vec![],
            has_names: false,
            is_whole: false,
            is_log: false,
        },
        is_open: key == CURVES[0].0,
    })
}

/// The places of a curve with its height; `None` where a drawing has none.
fn points(data: &Value, field: &str) -> Option<Vec<(f64, Option<f64>)>> {
    let similarity = data.get("similarity")?;
    let numbers = |field: &str| similarity.get(field)?.as_array();
    let (places, heights) = (numbers("at")?, numbers(field)?);
    let points = places.iter().zip(heights);
    points
        .map(|(at, height)| Some((at.as_f64()?, height.as_f64())))
        .collect()
}
