//! Figures as Vega-Lite 5, with their data inline: what another program draws again, or draws otherwise.

use super::charts::Chart;
use super::classes::Classes;
use super::plate::{COLOURS, HIT, MISS};
use serde_json::{Value, json};

const SCHEMA: &str = "https://vega.github.io/schema/vega-lite/v5.json";
/// Up to so many classes the squares of a matrix say their numbers.
const MOST_NUMBERS: usize = 20;

/// A figure with its headings and data; `parts` says how they are drawn.
fn figure(title: &str, below: &str, rows: Vec<Value>, parts: Value) -> Value {
    let mut figure = json!({
        "$schema": SCHEMA,
        "title": {"text": title, "subtitle": below, "anchor": "start"},
        "data": {"values": rows},
        "config": {"view": {"stroke": null}},
    });
    let all = figure.as_object_mut().expect("figure: an object");
    all.extend(parts.as_object().cloned().unwrap_or_default());
    figure
}

/// A figure as another left it, with what it is of first below its title.
pub(super) fn headed(mut figure: Value, of: &str) -> Value {
    let (text, below) = match figure.get("title") {
        Some(Value::Object(title)) => (title.get("text").cloned(), title.get("subtitle").cloned()),
        title => (title.cloned(), None),
    };
    let mut lines = vec![Value::from(of)];
    match below {
        Some(Value::Array(more)) => lines.extend(more),
        more => lines.extend(more),
    }
    if let Some(figure) = figure.as_object_mut() {
        let title = json!({"text": text.unwrap_or_default(), "subtitle": lines, "anchor": "start"});
        figure.insert("title".to_owned(), title);
    }
    figure
}

/// Lines, of few points with marks and bars. Where a line has no number its `y` is null.
pub(super) fn chart(title: &str, chart: &Chart) -> Value {
    let legend = chart.legend();
    let has_several = legend.len() < chart.lines.len();
    let has_means = chart.lines.iter().any(|line| !line.means.is_empty());
    let mut rows = vec![];
    for line in &chart.lines {
        for (point, (at, value)) in line.points.iter().enumerate() {
            let mut row = json!({"line": legend[line.colour].text, "y": value.filter(|value| value.is_finite())});
            if has_several {
                row["run"] = line.label.as_str().into();
            }
            if let Some((_, mean)) = line.means.get(point) {
                row["mean"] = (*mean).into();
            }
            row["x"] = match chart.across.place(*at) {
                Some(place) => place.into(),
                None => (*at).into(),
            };
            if let Some((_, from, to)) = line.bars.iter().find(|(place, ..)| place == at) {
                row["low"] = (*from).into();
                row["high"] = (*to).into();
            }
            rows.push(row);
        }
    }
    let x = match chart.across.has_names {
        true => {
            let names = chart.across.marks.iter().map(|(_, text)| text.as_str());
            json!({"field": "x", "type": "ordinal", "title": chart.across.name, "sort": names.collect::<Vec<_>>(), "axis": {"labelAngle": -30, "labelLimit": 260}})
        }
        false => {
            let scale = if chart.across.is_log { "log" } else { "linear" };
            json!({"field": "x", "type": "quantitative", "title": chart.across.name, "axis": {"grid": false}, "scale": {"type": scale, "nice": false}})
        }
    };
    let names: Vec<&str> = legend.iter().map(|key| key.text.as_str()).collect();
    let colours = (0..names.len()).map(|at| COLOURS[at % COLOURS.len()].0);
    let dashes = (0..names.len()).map(|at| match at / COLOURS.len() {
        0 => json!([1, 0]),
        1 => json!([7, 5]),
        _ => json!([2, 5]),
    });
    let key = json!({"orient": "bottom", "columns": 1, "title": null, "labelLimit": 700});
    let (color, dash) = (
        json!({"field": "line", "type": "nominal", "scale": {"domain": names, "range": colours.collect::<Vec<_>>()}, "legend": key}),
        json!({"field": "line", "type": "nominal", "scale": {"domain": names, "range": dashes.collect::<Vec<_>>()}, "legend": key}),
    );
    let y =
        json!({"field": "y", "type": "quantitative", "title": chart.up, "scale": {"zero": false}});
    let line = |field: &str, mark: Value| {
        let y = json!({"field": field, "type": "quantitative", "title": chart.up, "scale": {"zero": false}});
        let mut encoding = json!({"y": y, "strokeDash": dash});
        if has_several {
            encoding["detail"] = json!({"field": "run"});
        }
        json!({"mark": mark, "encoding": encoding})
    };
    let plain = json!({"type": "line", "interpolate": "linear"});
    let faint = json!({"type": "line", "interpolate": "linear", "opacity": 0.22, "strokeWidth": 1});
    let mut layers = match has_means {
        true => vec![line("y", faint), line("mean", plain)],
        false => vec![line("y", plain)],
    };
    if chart.lines.iter().any(|line| !line.bars.is_empty()) {
        layers.push(json!({
            "mark": "rule",
            "transform": [{"filter": "isValid(datum.low)"}],
            "encoding": {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}},
        }));
    }
    // A single point is no line.
    let has_dots = (chart.lines.iter()).any(|line| line.has_dots || line.points.len() == 1);
    if has_dots {
        layers.push(
            json!({"mark": {"type": "point", "filled": true, "size": 50}, "encoding": {"y": y}}),
        );
    }
    let below = [chart.title.as_str(), chart.caption.as_str()].join(". ");
    let below = below.trim_end_matches(". ");
    figure(
        title,
        below,
        rows,
        json!({"width": 640, "height": 260, "encoding": {"x": x, "color": color}, "layer": layers}),
    )
}

/// A confusion matrix: squares as strong as their share of the class.
pub(super) fn matrix(title: &str, below: &str, classes: &Classes) -> Value {
    let names: Vec<&str> = (classes.classes.iter())
        .map(|class| class.name.as_str())
        .collect();
    let rows = classes.confusion.iter().map(|pair| {
        let class = &classes.classes[pair.class];
        json!({
            "class": class.name,
            "predicted": names[pair.predicted],
            "samples": pair.samples,
            "share": pair.samples as f64 / class.samples.max(1) as f64,
            "is": if pair.class == pair.predicted { "right" } else { "confused" },
        })
    });
    let side = |field: &str, title: &str, orient: &str| json!({"field": field, "type": "nominal", "title": title, "scale": {"domain": names}, "axis": {"orient": orient}});
    let has_numbers = names.len() <= MOST_NUMBERS;
    // A number can be read on the strongest.
    let strongest = if has_numbers { 0.55 } else { 1.0 };
    let squares = json!({
        "mark": "rect",
        "encoding": {
            "color": {"field": "is", "type": "nominal", "title": null, "scale": {"domain": ["right", "confused"], "range": [HIT.0, MISS.0]}},
            "opacity": {"field": "share", "type": "quantitative", "title": "share of the class", "scale": {"domain": [0, 1], "range": [0.15, strongest]}},
            "tooltip": [{"field": "class"}, {"field": "predicted"}, {"field": "samples"}],
        },
    });
    let mut layers = vec![squares];
    if has_numbers {
        layers.push(json!({
            "mark": "text",
            "encoding": {"text": {"field": "samples"}, "color": {"value": "#1d2329"}},
        }));
    }
    let step = match names.len() {
        0..=MOST_NUMBERS => 30,
        21..=80 => 13,
        _ => 6,
    };
    figure(
        title,
        below,
        rows.collect(),
        json!({
            "width": {"step": step}, "height": {"step": step},
            "encoding": {"x": side("predicted", "taken for", "top"), "y": side("class", "class", "left")},
            "layer": layers,
        }),
    )
}

/// The share of each class that is right as a bar.
pub(super) fn bars(title: &str, below: &str, classes: &Classes) -> Value {
    let names: Vec<&str> = (classes.classes.iter())
        .map(|class| class.name.as_str())
        .collect();
    let rows = classes.classes.iter().map(|class| {
        json!({"class": class.name, "samples": class.samples, "right": class.right, "accuracy": class.accuracy()})
    });
    let across = match classes.within {
        1 => "accuracy in percent".to_owned(),
        k => format!("share within the first {k}, in percent"),
    };
    figure(
        title,
        below,
        rows.collect(),
        json!({
            "width": 320, "height": {"step": 20},
            "mark": {"type": "bar", "color": COLOURS[0].0},
            "encoding": {
                "y": {"field": "class", "type": "nominal", "title": null, "sort": names},
                "x": {"field": "accuracy", "type": "quantitative", "title": across, "scale": {"domain": [0, 100]}},
                "tooltip": [{"field": "class"}, {"field": "accuracy"}, {"field": "right"}, {"field": "samples"}],
            },
        }),
    )
}
