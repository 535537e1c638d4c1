//! Drawings of figures: what `draw = ...` shows of a row, as a picture and as the numbers behind it.
//!
//! A file for each kind of drawing; `samples.rs` says which samples are drawn, `svg.rs` is what pictures are drawn with, and `tiles.rs` clips
//! as parts of them.

mod contours;
mod density;
mod embedding;
mod gallery;
pub mod saliency;
mod samples;
pub mod svg;
#[cfg(test)]
mod tests;
mod tiles;

use crate::augment::Key;
use crate::data::loader::Options;
use crate::data::source::ClipSource;
use crate::error::Result;
use crate::eval::feature_set::FeatureSet;
use crate::eval::features::Trained;
use compiler::hir::Drawing;
use compiler::plan::Draw;
use records::record::ClipCounts;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tch::Device;

/// What a drawing comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// The picture.
    pub svg: String,
    /// What it shows, as data.
    pub data: Value,
    /// The same as lines of fields, as far as these hold it; the first line has their names.
    pub lines: Vec<Vec<String>>,
    /// The numbers of it that are told beside others, by name.
    pub numbers: BTreeMap<String, f64>,
    /// Further files, by name.
    pub files: Vec<(String, Vec<u8>)>,
    /// Clips that were read for it.
    pub clips: ClipCounts,
}

/// What a drawing is made of.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// The features that an extraction has left.
    Features(&'a FeatureSet),
    /// The networks of a pretraining.
    Networks(Trained<'a>),
}

/// What a drawing is made with, and who is told how far it is.
pub struct Tools<'a> {
    /// The data set that it shows.
    pub source: &'a Arc<dyn ClipSource>,
    /// Where networks compute.
    pub device: Device,
    /// How clips are read.
    pub options: &'a Options,
    /// A try: few samples are drawn.
    pub few: bool,
    /// Called with what is done, all that is to be done, and what it is.
    pub progress: &'a mut dyn FnMut(u64, u64, &'static str),
    /// Set to end it with [`Error::Interrupted`](crate::error::Error::Interrupted).
    pub stop: &'a AtomicBool,
}

/// Samples that a try draws at most.
const FEW: usize = 16;

/// Draws what `work` asks for.
///
/// # Errors
/// Samples that cannot be drawn; [`Error::Interrupted`](crate::error::Error::Interrupted).
pub fn draw(work: &Draw, origin: Origin<'_>, tools: &mut Tools<'_>) -> Result<Panel> {
    match (&work.drawing, origin) {
        (Drawing::Gallery(gallery), Origin::Features(set)) => {
            gallery::panel(gallery, work.seed, set, tools)
        }
        (Drawing::Embedding(embedded), Origin::Networks(model)) => {
            embedding::panel(embedded, work.seed, model, tools)
        }
        (Drawing::Saliency(saliency), Origin::Networks(model)) => {
            saliency::panel(saliency, work.seed, model, tools)
        }
        (Drawing::Gallery(_), Origin::Networks(_))
        | (Drawing::Embedding(_) | Drawing::Saliency(_), Origin::Features(_)) => {
            unreachable!("plan: a gallery is drawn of features, all else of networks")
        }
    }
}

/// The first `count` of these in an order that the seed alone decides, fewer in a try.
fn drawn(mut of: Vec<usize>, count: u32, seed: u64, tools: &Tools<'_>) -> Vec<usize> {
    Key::at(seed, "drawn").stream().shuffle(&mut of);
    let most = count as usize;
    of.truncate(if tools.few { most.min(FEW) } else { most });
    of
}

/// The first line of [`Panel::lines`].
fn names<const N: usize>(of: [&str; N]) -> Vec<String> {
    of.map(str::to_owned).to_vec()
}

/// A name or a message in which files are called from the folder of their data set on, as they are called on every machine.
fn told(source: &dyn ClipSource, text: &str) -> String {
    match source.folder() {
        Some(folder) => without(&format!("{}/", folder.display()), text),
        None => text.to_owned(),
    }
}

/// The text without `prefix` where paths begin with it, not where it stands within one.
fn without(prefix: &str, text: &str) -> String {
    let is_of_path = |letter: char| letter.is_alphanumeric() || "_-./".contains(letter);
    let (mut rest, mut from) = (String::new(), 0);
    for (at, _) in text.match_indices(prefix) {
        if !text[..at].ends_with(is_of_path) {
            rest += &text[from..at];
            from = at + prefix.len();
        }
    }
    rest + &text[from..]
}

/// The name of a sample without the folders that lead to it on this machine.
fn file_name(sample: &str) -> &str {
    sample.rsplit('/').next().unwrap_or(sample)
}
