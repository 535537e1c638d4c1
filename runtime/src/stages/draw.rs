//! The drawings of a plan: of each a picture and the numbers behind it.

use super::{Walk, as_written};
use crate::draw::{Origin, Panel, Tools, draw};
use crate::error::Result;
use crate::eval::feature_set::FeatureSet;
use crate::eval::features::Trained;
use crate::weights;
use compiler::hir::{self, Drawing, Target};
use compiler::plan::{self, Draw};
use records::folder::{Attempt, Finished, write_json, write_whole};
use records::raster;
use records::record::{ClipCounts, DrawResult, ExtractResult};
use records::report::{FIGURE, FIGURE_DATA, FIGURE_LINES};
use std::time::Instant;

/// The picture without a browser, on a light ground, for what shows no SVG.
const FIGURE_PNG: &str = "figure.png";
/// Its pixels for each unit of the picture.
const PNG_SCALE: f32 = 2.0;

/// The modality that a drawing compares the one that it shows with.
fn compared<'s>(settings: &'s hir::Pretrain, drawing: &Drawing) -> Option<&'s str> {
    let Drawing::Saliency(saliency) = drawing else {
        return None;
    };
    match saliency.target {
        Target::Agreement => {
            let other = plan::partner(settings, &saliency.of.uses);
            other.ok().map(|modality| modality.name.as_str())
        }
        Target::Activation => None,
    }
}

impl Walk<'_> {
    /// Draws a panel. A gallery shows the features of an extraction, what else there is the networks of a pretraining.
    pub(super) fn draw(&mut self, work: &Draw, attempt: Attempt) -> Result<Finished> {
        let start = Instant::now();
        let source = self.source(work.drawing.data())?;
        let options = self.reading();
        let (set, file);
        let (origin, before) = match &work.drawing {
            Drawing::Gallery(_) => {
                let features = &self.done[&work.from];
                set = FeatureSet::load(&as_written(features, features.features())?)?;
                let clips = features.result::<ExtractResult>()?.clips;
                (Origin::Features(&set), clips)
            }
            Drawing::Embedding(_) | Drawing::Saliency(_) => {
                let uses = work.drawing.uses();
                let (settings, path) = self.backbone(&work.from, work.checkpoint, uses)?;
                if let Some(other) = compared(settings, &work.drawing) {
                    weights::has_backbone(&self.done[&work.from], settings, other)?;
                }
                file = path;
                let model = Trained {
                    settings,
                    weights: &file,
                };
                (Origin::Networks(model), ClipCounts::default())
            }
        };
        let mut tools = Tools {
            source: &source,
            device: self.options.device,
            options: &options,
            few: self.options.smoke,
            progress: &mut |done, all, what| self.progress.count(done, all, what),
            stop: self.options.stop,
        };
        let panel = draw(work, origin, &mut tools)?;
        self.finish_drawn(panel, before, start, attempt)
    }

    /// Makes the folder of a drawing visible.
    fn finish_drawn(
        &mut self,
        panel: Panel,
        before: ClipCounts,
        start: Instant,
        attempt: Attempt,
    ) -> Result<Finished> {
        write_whole(&attempt.path().join(FIGURE), panel.svg.as_bytes())?;
        write_json(&attempt.path().join(FIGURE_DATA), &panel.data)?;
        write_whole(
            &attempt.path().join(FIGURE_LINES),
            &records::csv(&panel.lines),
        )?;
        match raster::png(&panel.svg, PNG_SCALE) {
            Ok(png) => write_whole(&attempt.path().join(FIGURE_PNG), &png)?,
            Err(error) => self
                .progress
                .print(&format!("  note: no {FIGURE_PNG}: {error}")),
        }
        for (name, bytes) in &panel.files {
            write_whole(&attempt.path().join(name), bytes)?;
        }
        let numbers = panel.numbers.iter();
        let told: Vec<String> = numbers
            .map(|(name, value)| format!("{name} {value:.3}"))
            .collect();
        self.progress.end(&told.join(", "));
        Ok(attempt.finish(&DrawResult {
            numbers: panel.numbers,
            clips: before.beside(panel.clips),
            seconds: start.elapsed().as_secs_f64(),
        })?)
    }
}
