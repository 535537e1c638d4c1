//! The same figure for Vega-Lite, which draws it anew from its data: with tooltips, and in one's own style.

use super::{Figure, picture};
use crate::draw::svg::{Paint, SERIES};
use serde_json::{Value, json};

/// The curves as the picture names them.
const CURVES: [&str; 2] = ["all pairs", "pairs of one class"];

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
    let names = picture::named(figure);
    if !names.is_empty() {
        let domain: Vec<&str> = names.iter().map(|named| named.name.as_str()).collect();
        // Classes without a colour are one entry.
        let others = names.iter().find(|named| named.series.is_none());
        let of = match others {
            Some(named) => {
                let (all, others) = (json!(domain), json!(named.name));
                let group = format!("indexof({all}, datum.class) < 0 ? {others} : datum.class");
                points["transform"] = json!([{ "calculate": group, "as": "group" }]);
                "group"
            }
            None => "class",
        };
        let scale = |range: Vec<&str>| json!({ "field": of, "type": "nominal", "title": "class", "scale": { "domain": domain, "range": range } });
        let colours = names
            .iter()
            .map(|named| picture::paint(named.series).on_light());
        let shapes = names.iter().map(|named| match named.series {
            Some(SERIES..) => "square",
            Some(_) | None => "circle",
        });
        points["encoding"]["color"] = scale(colours.collect());
        points["encoding"]["shape"] = scale(shapes.collect());
    }
    let curve = |range: Value| json!({ "field": "pairs", "type": "nominal", "title": null, "scale": { "domain": CURVES, "range": range } });
    let (low, high) = figure.distribution.axis();
    let curves = json!({
        "width": 320,
        "height": 200,
        "data": { "values": curves(figure) },
        "mark": "line",
        "encoding": {
            "x": { "field": "similarity", "type": "quantitative", "title": "cosine similarity", "scale": { "domain": [low, high] } },
            "y": field("density", "quantitative"),
            "color": curve(json!([Paint::Ink.on_light(), Paint::Soft.on_light()])),
            "strokeDash": curve(json!([[1, 0], [5, 4]])),
        },
    });
    let whole = json!({
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": { "text": figure.title(), "subtitle": below(figure), "anchor": "start" },
        "hconcat": [points, curves],
        // Each part has legends of its own, of colour and shape in one.
        "resolve": { "scale": { "color": "independent", "shape": "independent", "strokeDash": "independent" } },
    });
    let mut text = serde_json::to_vec_pretty(&whole).expect("vega: values are plain data");
    text.push(b'\n');
    text
}

/// What the picture says below its title and beside its plane.
fn below(figure: &Figure<'_>) -> Vec<String> {
    let found = figure.distribution;
    let mut lines = picture::notes(figure);
    lines.extend(picture::zeros(figure));
    let mut numbers = format!("uniformity {}", picture::number(found.pairs.uniformity, 3));
    if found.samples < figure.rows.samples.len() {
        numbers += &format!(" of the first {} samples", found.samples);
    }
    if let Some((value, positives)) = found.alignment {
        numbers += &format!(
            ", alignment {} over pairs of {positives}",
            picture::number(value, 3)
        );
    }
    lines.push(numbers);
    lines
}

/// The densities of similarities, place by place.
fn curves(figure: &Figure<'_>) -> Vec<Value> {
    let found = figure.distribution;
    let curves = CURVES.into_iter().zip([&found.all, &found.same]);
    let curve = |(pairs, density): (&str, &Option<Vec<f64>>)| -> Vec<Value> {
        let places = found.places.iter().zip(density.iter().flatten());
        let one = |(at, density): (&f64, &f64)| json!({ "similarity": at, "density": density, "pairs": pairs });
        places.map(one).collect()
    };
    curves.flat_map(curve).collect()
}
