//! `gpu-check`: one part of the check of a device. `cargo xtask gpu-check` makes the bundle that calls it.

use crate::machine;
use compiler::hir::Precision;
use compiler::plan::{Plan, Pretrain, Work};
use crisscross::cli::Machine;
use crisscross::render::write_out;
use records::folder::read_json;
use runtime::bench::{Spread, step};
use runtime::check::{augmented, nccl, profile, stepped};
use runtime::error::Error;
use runtime::{device, doctor};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use tch::Device;

/// Steps before those that are timed: a graph is recorded in the fourth.
const WARM_UP: u64 = 5;

/// `gpu-check`.
#[derive(clap::Args)]
pub struct Arguments {
    /// What is checked.
    #[arg(value_enum)]
    part: Part,
    /// A plan, as `crisscross plan --format json` prints it; its first pretraining counts.
    #[arg(long)]
    plan: PathBuf,
    /// Samples of a step.
    #[arg(long, default_value_t = 4)]
    batch: u32,
    /// Steps.
    #[arg(long, default_value_t = 20)]
    steps: u32,
    /// `fp32`, `bf16`, `fp16`, `fp64`.
    #[arg(long, default_value = "fp32", value_parser = ["fp32", "bf16", "fp16", "fp64"])]
    precision: String,
    /// Where `export` writes.
    #[arg(long)]
    out: Option<PathBuf>,
    /// What computes, and how.
    #[command(flatten)]
    machine: Machine,
}

/// Parts of the check.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Part {
    /// What is there.
    Device,
    /// Training steps on closed-form values: their losses.
    Steps,
    /// Views augmented there against those of the processor.
    Augment,
    /// NCCL with one rank.
    Nccl,
    /// Steps as one graph of the GPU against the same kernel by kernel: losses.
    Graph,
    /// The same: what they cost.
    GraphSpeed,
    /// What steps cost, as `bench step`.
    Speed,
    /// Where the time of steps goes.
    Profile,
    /// Writes networks and views of `Steps` for another program.
    Export,
}

/// Prints one JSON object.
pub fn check(arguments: &Arguments) -> Result<ExitCode, Error> {
    device::check_torch()?;
    let site = records::site::Site::default();
    let on = machine::settle(&arguments.machine, None, &site, None)?;
    let plan: Plan = read_json(&arguments.plan)?;
    let work = plan.stages.iter().find_map(|stage| match &stage.work {
        Work::Pretrain(work) => Some(work),
        Work::Extract(_) | Work::Finetune(_) | Work::Score(_) | Work::Draw(_) => None,
    });
    let work = work.ok_or_else(|| Error::Unsupported {
        message: format!("`{}` plans no pretraining", arguments.plan.display()),
    })?;
    let work = stepped::changed(work, arguments.batch, precision(&arguments.precision));
    let found = part(arguments, &work, on)?;
    write_out(&format!("{found}\n"));
    Ok(ExitCode::SUCCESS)
}

fn part(arguments: &Arguments, work: &Pretrain, on: Device) -> Result<Value, Error> {
    Ok(match arguments.part {
        Part::Device => json!({
            "environment": doctor::environment(on)?,
            "lines": doctor::report(),
            "gpus": tch::Cuda::device_count(),
            "cudnn": on.is_cuda() && tch::Cuda::cudnn_is_available(),
        }),
        Part::Steps => plain(stepped::steps(work, on, u64::from(arguments.steps))?),
        Part::Augment => {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let views = augmented::apart(work, on, threads)?;
            json!({ "views": plain(views) })
        }
        Part::Nccl => {
            nccl::alone(on)?;
            json!({ "ranks": 1 })
        }
        Part::Graph => json!({
            "eager": stepped::steps(work, on, u64::from(arguments.steps))?,
            "captured": stepped::captured(work, on, u64::from(arguments.steps))?,
        }),
        Part::GraphSpeed => {
            let count = u64::from(arguments.steps);
            json!({
                "batch": work.settings.bs,
                "eager_ms": Spread::of(stepped::timed(work, on, (WARM_UP, count), false)?.ms),
                "captured_ms": Spread::of(stepped::timed(work, on, (WARM_UP, count), true)?.ms),
            })
        }
        Part::Speed => {
            let options = step::Options {
                steps: arguments.steps,
                warm_up: 3,
                with_peak: true,
            };
            plain(step::bench(work, on, &options)?)
        }
        Part::Profile => plain(profile::profile(work, on, u64::from(arguments.steps))?),
        Part::Export => {
            let out = arguments.out.clone().ok_or_else(|| Error::Unsupported {
                message: "`export` needs `--out FILE`".to_owned(),
            })?;
            stepped::export(work, &out)?;
            let rates: Value = work
                .settings
                .modalities
                .iter()
                .map(|of| {
                    let rates = json!({ "f": rate(&of.lr_b), "h": rate(&of.lr_p) });
                    (of.name.clone(), rates)
                })
                .collect();
            json!({ "rates": rates })
        }
    })
}

/// As JSON.
fn plain(found: impl serde::Serialize) -> Value {
    serde_json::to_value(found).expect("what was found is plain data")
}

/// A rate that stays; none where it moves.
fn rate(schedule: &compiler::hir::Schedule) -> Option<f64> {
    match schedule {
        compiler::hir::Schedule::Constant(rate) => Some(rate.to_f64()),
        compiler::hir::Schedule::Cosine { .. }
        | compiler::hir::Schedule::Multistep { .. }
        | compiler::hir::Schedule::Late { .. } => None,
    }
}

fn precision(name: &str) -> Precision {
    match name {
        "bf16" => Precision::Bf16,
        "fp16" => Precision::Fp16,
        "fp64" => Precision::Fp64,
        _ => Precision::Fp32,
    }
}
