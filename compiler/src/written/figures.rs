//! What a figure draws, and where its rows lie on its axis, as one would write them.

use super::{clip, clips, count, data_name, features, pretrain, single};
use crate::hir::{Drawing, Part, Projection, Row, Saliency, Sampled, Smooth, Target};
use crate::time;

/// What is drawn, on one line, the evaluation as what it comes to:
/// `embedding(v of KS, clip: 8x112px @ 16fps, ..., samples: 1000, by: pca)`. It is for reading alone: a file names an evaluation.
pub fn drawing(drawing: &Drawing) -> String {
    match drawing {
        Drawing::Embedding(embedded) => format!(
            "embedding({}, features: {}, by: {})",
            sampled(&embedded.of),
            features(&embedded.features),
            match embedded.by {
                Projection::Tsne { perplexity } =>
                    format!("tsne(perplexity: {})", perplexity.decimal()),
                Projection::Pca => "pca".to_owned(),
            }
        ),
        Drawing::Saliency(saliency) => {
            let of = sampled(&saliency.of);
            format!("saliency({of}, by: {})", highlight(saliency))
        }
        Drawing::Gallery(gallery) => {
            let fields = single(&gallery.eval);
            let text = |name: &str| {
                let field = fields.iter().find(|(known, _)| *known == name);
                field.map_or("", |(_, text)| text.as_str())
            };
            format!(
                "gallery({} of {}, clip: {}, train: {}, test: {}, features: {}, queries: {}, top: {})",
                gallery.eval.uses,
                text("data"),
                text("clip"),
                text("train"),
                text("test"),
                text("features"),
                gallery.queries,
                gallery.top
            )
        }
    }
}

/// How the maps of a saliency are made: `gradcam(target: agreement)`.
pub fn highlight(saliency: &Saliency) -> String {
    let (method, target) = method(saliency);
    match saliency.smooth {
        Some(Smooth { draws, noise }) => format!(
            "{method}(target: {target}, draws: {draws}, noise: {})",
            noise.decimal()
        ),
        None => format!("{method}(target: {target})"),
    }
}

/// How a drawing is made in few words, for headings: `gradcam of agreement`, `pca`; `None` of one that can be made in one way alone.
pub fn in_short(drawing: &Drawing) -> Option<String> {
    match drawing {
        Drawing::Saliency(saliency) => {
            let (method, target) = method(saliency);
            Some(format!("{method} of {target}"))
        }
        Drawing::Embedding(embedded) => Some(match embedded.by {
            Projection::Tsne { .. } => "tsne".to_owned(),
            Projection::Pca => "pca".to_owned(),
        }),
        Drawing::Gallery(_) => None,
    }
}

fn method(saliency: &Saliency) -> (&'static str, &'static str) {
    let method = match saliency.smooth {
        Some(_) => "smoothgradcampp",
        None => "gradcam",
    };
    let target = match saliency.target {
        Target::Agreement => "agreement",
        Target::Activation => "activation",
    };
    (method, target)
}

fn sampled(of: &Sampled) -> String {
    let split = match of.split {
        Part::Train => "train",
        Part::Test => "test",
    };
    format!(
        "{} of {}, clip: {}, clips: {}, split: {split}, samples: {}",
        of.uses,
        data_name(&of.data),
        clip(&of.clip),
        clips(of.clips),
        of.samples
    )
}

/// Which pairs of views an axis is the overlap of: of `overlap.sync` those of `sync`, of `overlap` all; `None` of another axis.
pub fn overlap_axis(x: &str) -> Option<Option<&str>> {
    match x.strip_prefix("overlap") {
        Some("") => Some(None),
        Some(rest) => rest.strip_prefix('.').map(Some),
        None => None,
    }
}

/// A share as the place on an axis: `77.78%`.
pub fn percentage(share: f64) -> String {
    let digits = format!("{:.2}", 100.0 * share);
    let short = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{short}%")
}

/// Where a row lies on the axis `x` of its figure: a field of the pretraining, what lies below one, what the row says itself, or the exact overlap of
/// its views.
pub fn at(row: &Row, x: &str) -> Option<String> {
    if x == "of" {
        return Some(row.of.clone());
    }
    if x == "checkpoint" {
        return Some(format!("{}ep", row.checkpoint.unwrap_or(row.pretrain.ep)));
    }
    if let Some(which) = overlap_axis(x) {
        let pairs = time::pairs_of(&row.pretrain, which);
        let mean = time::mean_overlap(&row.pretrain, &pairs)?;
        return Some(percentage(mean.to_f64()));
    }
    let path = x.strip_prefix("of.").unwrap_or(x);
    let fields = pretrain(&row.pretrain);
    if let Some((_, text)) = fields.iter().find(|(known, _)| known == path) {
        return Some(text.clone());
    }
    let mut value = &serde_json::to_value(row.pretrain.as_ref()).ok()?;
    for name in path.split('.') {
        value = value.get(name)?;
    }
    Some(match (value.as_str(), value.as_u64()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(number)) => count(number),
        (None, None) => value.to_string(),
    })
}
