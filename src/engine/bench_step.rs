//! `bench-step`: takes training steps of a pretraining on noise and says what they cost.

use crate::figures::{self, Line};
use crate::machine;
use compiler::plan::Pretrain;
use crisscross::cli::{Machine, Switch};
use runtime::bench::Spread;
use runtime::bench::step::{self, Figures};
use runtime::device;
use runtime::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// `bench-step`; the pretraining of a plan comes as JSON from standard input.
#[derive(clap::Args)]
pub struct Arguments {
    /// What it is called.
    #[arg(long)]
    name: String,
    /// Steps that count.
    #[arg(long)]
    steps: u32,
    /// Steps before them.
    #[arg(long)]
    warm_up: u32,
    /// What computes, and how.
    #[command(flatten)]
    machine: Machine,
    /// Whether a GPU is given a step as one graph.
    #[arg(long, value_enum)]
    cuda_graph: Option<Switch>,
    /// Threads of libtorch.
    #[arg(long)]
    threads: Option<i32>,
    /// Leave out what the device can do at most.
    #[arg(long)]
    no_peak: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    /// The site file.
    #[arg(long)]
    site: Option<PathBuf>,
}

/// Prints the figures.
pub fn bench_step(arguments: &Arguments) -> Result<ExitCode, Error> {
    device::check_torch()?;
    let work: Pretrain = crate::from_standard_input()?;
    let site = crate::site(arguments.site.as_deref())?;
    if let Some(threads) = arguments.threads {
        tch::set_num_threads(threads);
    }
    let device = machine::settle(&arguments.machine, arguments.cuda_graph, &site, None)?;
    let options = step::Options {
        steps: arguments.steps,
        warm_up: arguments.warm_up,
        with_peak: !arguments.no_peak,
    };
    let figures = step::bench(&work, device, &options)?;
    figures::print(&arguments.name, &figures, arguments.json, lines);
    Ok(ExitCode::SUCCESS)
}

/// The figures for people.
fn lines(figures: &Figures) -> Vec<Line> {
    let of = |spread: &Spread| {
        let Spread {
            median,
            least,
            most,
        } = spread;
        format!("{median:.1}   ({least:.1} to {most:.1})")
    };
    let billions = |n: u64| n as f64 / 1e9;
    let mut lines = vec![
        (
            "step",
            format!(
                "{} samples in {} on {}, {} threads; {} steps",
                figures.batch, figures.precision, figures.device, figures.threads, figures.steps
            ),
        ),
        ("samples/s", of(&figures.samples_per_s)),
        ("ms", of(&figures.step_ms)),
        ("  forward", of(&figures.forward_ms)),
        ("  backward", of(&figures.backward_ms)),
        ("  optimiser", of(&figures.optimiser_ms)),
        ("CPU ms", of(&figures.cpu_ms)),
        (
            "GFLOP",
            format!(
                "{:.1}   (forward {:.1}, backward {:.1})",
                billions(figures.flops.both()),
                billions(figures.flops.forward),
                billions(figures.flops.backward)
            ),
        ),
    ];
    lines.extend(figures.graph_ms.as_ref().map(|ms| ("graph ms", of(ms))));
    let no_graph = figures.no_graph.as_ref();
    lines.extend(no_graph.map(|why| ("graph ms", format!("none: {why}"))));
    let rate = 1e3 * billions(figures.flops.both()) / figures.step_ms.median;
    lines.push(("GFLOP/s", format!("{rate:.1}")));
    if let Some(peak) = &figures.peak {
        let (products, copies) = (peak.flops_per_s / 1e9, peak.bytes_per_s / 1e9);
        lines.push(("peak", format!("{products:.1} GFLOP/s, {copies:.1} GB/s")));
    }
    lines.extend(
        figures
            .mfu
            .map(|mfu| ("MFU", format!("{:.1} %", 1e2 * mfu))),
    );
    lines.push(("peak memory", figures::memory(figures.peak_memory_bytes)));
    let owned = lines.into_iter();
    owned
        .map(|(what, value)| (what.to_owned(), value))
        .collect()
}
