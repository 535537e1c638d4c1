//! `bench-data`: makes batches of a pretraining and says what they cost.

use compiler::plan::Pretrain;
use crisscross::render::write_out;
use runtime::data::bench::{self, Figures};
use runtime::device;
use runtime::error::Error;
use std::fmt::Write as _;
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
    write_out(&if arguments.json {
        let mut json = serde_json::to_value(&figures).expect("figures are plain data");
        json["pretraining"] = arguments.name.clone().into();
        format!("{json}\n")
    } else {
        text(&arguments.name, &figures)
    });
    Ok(ExitCode::SUCCESS)
}

/// The figures for people.
fn text(name: &str, figures: &Figures) -> String {
    let mut lines: Vec<(&str, String)> = vec![
        ("pretraining", name.to_owned()),
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
    let whole = figures.cpu_s_per_sample.median.max(1e-12);
    for part in &figures.parts {
        let share = 100.0 * part.cpu_s_per_sample / whole;
        let of = format!("{:.6}   {share:5.1} %", part.cpu_s_per_sample);
        lines.push((part.part, of));
    }
    let memory = figures.peak_rss_bytes.map_or_else(
        || "not told by this system".to_owned(),
        |bytes| format!("{:.0} MB", bytes as f64 / 1e6),
    );
    lines.push(("peak RSS", memory));
    let is_part = |name: &str| figures.parts.iter().any(|part| part.part == name);
    lines.iter().fold(String::new(), |mut text, (what, value)| {
        let name = if is_part(what) {
            format!("  {what}")
        } else {
            (*what).to_owned()
        };
        let _ = writeln!(text, "{name:<15}{value}");
        text
    })
}
