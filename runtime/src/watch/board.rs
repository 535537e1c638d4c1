//! What of a training goes into event files for TensorBoard: its text, its pictures, its settings, the numbers of its steps.

use super::views;
use crate::data::batch::Batch;
use crate::error::Result;
use crate::optim::schedule;
use crate::sheet::canvas::Canvas;
use crate::sheet::graph::of_graph;
use crate::train::StepMetrics;
use compiler::hir::{Pretrain, Schedule};
use compiler::{graph, written};
use records::events::{Events, Picture, Setting};
use records::folder::{RUN, read_json};
use records::record::Run;
use std::path::Path;

/// The event file of a training that is under way.
#[derive(Debug)]
pub struct Board {
    events: Events,
}

impl Board {
    /// Opens an event file in the run folder `out` for `first` and later steps. The first one begins with what is known before
    /// any step: the experiment, the command that `run.json` names, the graph, the settings.
    pub fn open(out: &Path, settings: &Pretrain, first: u64) -> Result<Self> {
        let mut events = Events::open(out, first)?;
        if first == 0 {
            // A training outside the run folders, as in a test, has no such file.
            let run: Option<Run> = Some(out.join(RUN))
                .filter(|path| path.is_file())
                .and_then(|path| read_json(&path).ok());
            let name = run.as_ref().map_or("it", |run| &run.label);
            events.text("experiment", &code(&experiment(name, settings)))?;
            if let Some(command) = run.and_then(|run| run.command) {
                events.text("command", &code(&command))?;
            }
            let page = of_graph(&graph::picture(settings));
            events.picture(0, &picture("graph".to_owned(), &page)?)?;
            events.settings(&of_run(settings), &["loss"])?;
        }
        Ok(Self { events })
    }

    /// Pictures of the views of a batch.
    pub fn views(&mut self, step: u64, settings: &Pretrain, batch: &Batch) -> Result<()> {
        for (name, page) in views::of_batch(&settings.modalities, batch) {
            let picture = picture(format!("views/{name}"), &page)?;
            self.events.picture(step, &picture)?;
        }
        Ok(())
    }

    /// The numbers of a step.
    pub fn step(&mut self, line: &StepMetrics) -> Result<()> {
        Ok(self.events.scalars(line.step, &scalars(line))?)
    }

    /// Brings what was written to the disk.
    pub fn sync(&self) -> Result<()> {
        Ok(self.events.sync()?)
    }

    /// The end of the training.
    pub fn finish(self) -> Result<()> {
        Ok(self.events.finish()?)
    }
}

/// The numbers of a line of metrics by their tags; a part in front of `/` is a group of charts.
fn scalars(line: &StepMetrics) -> Vec<(String, f64)> {
    let one = |tag: &str, value: f64| (tag.to_owned(), value);
    let mut values = vec![one("loss", line.loss), one("epoch", line.epoch as f64)];
    let groups = [
        ("term", &line.terms),
        ("rate", &line.rates),
        ("gradient", &line.gradients),
        ("spread", &line.spread),
    ];
    for (group, named) in groups {
        values.extend(
            named
                .iter()
                .map(|(name, value)| (format!("{group}/{name}"), *value)),
        );
    }
    values.extend([
        one("gradient", line.gradient),
        one("speed/samples_per_s", line.samples_per_s),
        one("speed/data_wait_s", line.data_wait),
        one("speed/data_queue", line.data_queue as f64),
    ]);
    values.extend(line.scale.map(|scale| one("scale", scale)));
    let peak = line.peak_memory.map(|bytes| bytes as f64);
    values.extend(peak.map(|bytes| one("memory/peak_bytes", bytes)));
    values
}

/// The experiment as a file would write it, below its label.
fn experiment(label: &str, settings: &Pretrain) -> String {
    format!("# {label}\n{}", written::file("it", settings))
}

/// The settings in which the rows of a table may differ.
fn of_run(settings: &Pretrain) -> Vec<(String, Setting)> {
    let fields = written::pretrain(settings);
    let text = |path: &str| {
        let found = fields.iter().find(|(known, _)| known == path);
        let words = found.map_or("", |(_, text)| text).split_whitespace();
        let text = words.collect::<Vec<_>>().join(" ");
        (path.to_owned(), Setting::Text(text))
    };
    let number = |name: &str, value: f64| (name.to_owned(), Setting::Number(value));
    let highest = |name: &str, schedule: fn(&compiler::hir::Modality) -> &Schedule| {
        let steps = settings.steps_per_epoch();
        let rates = settings
            .modalities
            .iter()
            .flat_map(|modality| schedule::rates(schedule(modality), steps, settings.ep));
        number(name, rates.fold(0.0, f64::max))
    };
    vec![
        text("loss"),
        text("relax"),
        text("data"),
        text("bn"),
        text("optim"),
        text("precision"),
        text("lr_b"),
        text("lr_p"),
        highest("highest lr_b", |modality| &modality.lr_b),
        highest("highest lr_p", |modality| &modality.lr_p),
        number("bs", f64::from(settings.bs)),
        number("es", settings.es as f64),
        number("ep", f64::from(settings.ep)),
        number("seed", settings.seed as f64),
    ]
}

/// A text that Markdown leaves as it is.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| format!("    {line}\n"));
    lines.collect()
}

fn picture(tag: String, page: &Canvas) -> Result<Picture> {
    let side = |pixels: i64| u32::try_from(pixels).unwrap_or(0);
    Ok(Picture {
        tag,
        size: (side(page.width()), side(page.height())),
        png: page.quick_png()?,
    })
}
