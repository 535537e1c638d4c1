//! The same figure for Vega-Lite, which draws it anew from its data: with tooltips, and in one's own style.

use super::Figure;
use serde_json::{Value, json};

/// A specification of version 5 that holds its data.
pub(super) fn of(figure: &Figure<'_>) -> Vec<u8> {
    let field = |name: &str, kind: &str| json!({ "field": name, "type": kind });
    let bare = |name: &str| json!({ "field": name, "type": "quantitative", "axis": null });
    let mut points = json!({
        "width": 520,
        "height": 520,
        "data": { "values": figure.points() },
        "mark": { "type": "point", "filled": true, "size": 24 },
        "encoding": {
            "x": bare("x"),
            "y": bare("y"),
            "tooltip": [field("sample", "nominal"), field("class", "nominal")],
        },
    });
    if figure.shown.labels.is_some() {
        points["encoding"]["color"] = field("class", "nominal");
    }
    let (low, high) = figure.distribution.axis();
    let curves = json!({
        "width": 320,
        "height": 200,
        "data": { "values": curves(figure) },
        "mark": "line",
        "encoding": {
            "x": { "field": "similarity", "type": "quantitative", "title": "cosine similarity", "scale": { "domain": [low, high] } },
            "y": field("density", "quantitative"),
            "color": field("pairs", "nominal"),
        },
    });
    let whole = json!({
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": figure.title(),
        "hconcat": [points, curves],
        "resolve": { "scale": { "color": "independent" } },
    });
    let mut text = serde_json::to_vec_pretty(&whole).expect("vega: values are plain data");
    text.push(b'\n');
    text
}

/// The densities of similarities, place by place.
fn curves(figure: &Figure<'_>) -> Vec<Value> {
    let found = figure.distribution;
    let curves = [("all", &found.all), ("of one class", &found.same)];
    let curve = |(pairs, density): (&str, &Option<Vec<f64>>)| -> Vec<Value> {
        let places = found.places.iter().zip(density.iter().flatten());
        let one = |(at, density): (&f64, &f64)| json!({ "similarity": at, "density": density, "pairs": pairs });
        places.map(one).collect()
    };
    curves.into_iter().flat_map(curve).collect()
}
