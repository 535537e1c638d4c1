//! `bench-data`: makes batches of a pretraining and says what they cost.

use crate::figures::{self, Line};
use compiler::plan::Pretrain;
use runtime::data::bench::{self, Figures};
use runtime::device;
use runtime::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// `bench-data`; the pretraining of a plan comes as JSON from standard input.
#[derive(clap::Args)]
pub struct Arguments {
    /// What it is called.
    #[arg(long)]
    name: String,
    /// Batches of each repetition.
    #[arg(long)]
    batches: u32,
    /// Repetitions.
    #[arg(long)]
    repetitions: u32,
    /// Threads that decode and augment.
    #[arg(long)]
    threads: Option<usize>,
    /// Stop at the decoded batch.
    #[arg(long)]
    raw: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    /// The site file.
    #[arg(long)]
    site: Option<PathBuf>,
}

/// Prints the figures.
pub fn bench_data(arguments: &Arguments) -> Result<ExitCode, Error> {
    device::check_torch()?;
    let work: Pretrain = crate::from_standard_input()?;
    let site = crate::site(arguments.site.as_deref())?;
    let options = bench::Options {
        batches: arguments.batches,
        repetitions: arguments.repetitions,
        threads: crate::threads(arguments.threads, &site),
        is_raw: arguments.raw,
    };
    let figures = bench::bench(&work, &site, &options)?;
    figures::print(&arguments.name, &figures, arguments.json, lines);
    Ok(ExitCode::SUCCESS)
}

/// The figures for people.
fn lines(figures: &Figures) -> Vec<Line> {
    let lines = vec![
        (
            "source",
            format!(
                "{}, {} clips of `{}`",
                figures.source, figures.clips, figures.data
            ),
        ),
        (
            "batches",
            format!(
                "{} of {} samples, up to {}; {} repetitions after one to warm up",
                figures.batches, figures.batch, figures.up_to, figures.repetitions
            ),
        ),
        (
            "threads",
            format!("{}; cores: {}", figures.threads, figures.cores),
        ),
        (
            "samples/s",
            format!(
                "{:.1}   ({:.1} to {:.1})",
                figures.samples_per_s.median,
                figures.samples_per_s.least,
                figures.samples_per_s.most
            ),
        ),
        (
            "CPU s/sample",
            format!(
                "{:.6}   ({:.6} to {:.6}), {:.1} samples per CPU second",
                figures.cpu_s_per_sample.median,
                figures.cpu_s_per_sample.least,
                figures.cpu_s_per_sample.most,
                1.0 / figures.cpu_s_per_sample.median
            ),
        ),
    ];
    let mut lines: Vec<Line> = lines
        .into_iter()
        .map(|(what, value): (&str, String)| (what.to_owned(), value))
        .collect();
    let whole = figures.cpu_s_per_sample.median.max(1e-12);
    for part in &figures.parts {
        let share = 100.0 * part.cpu_s_per_sample / whole;
        let of = format!("{:.6}   {share:5.1} %", part.cpu_s_per_sample);
        lines.push((format!("  {}", part.part), of));
    }
    lines.push((
        "peak RSS".to_owned(),
        figures::memory(figures.peak_rss_bytes),
    ));
    lines
}
