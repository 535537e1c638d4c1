//! What the batches of a pretraining cost on this machine: the loader by itself, without networks.

use super::admission::name_of;
use super::loader::{self, Loader};
use super::source::ClipSource;
use crate::bench::Spread;
use crate::error::Result;
use crate::memory;
use crate::parts::{self, Part};
use compiler::plan::Pretrain;
use cpu_time::ProcessTime;
use records::site::Site;
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tch::Device;

/// Batches that are made ahead, as in training.
const AHEAD: usize = 2;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Batches of each repetition.
    pub batches: u32,
    /// Repetitions; one more before them warms up.
    pub repetitions: u32,
    /// Threads that decode and augment.
    pub threads: usize,
    /// Stop at the decoded batch.
    pub is_raw: bool,
}

/// What was measured. Times are medians over the repetitions.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// `files`, `shards` or `synthetic`.
    pub source: &'static str,
    /// The data set's name.
    pub data: String,
    /// Clips that are used.
    pub clips: usize,
    /// Samples of a batch.
    pub batch: u32,
    /// Batches of a repetition.
    pub batches: u32,
    /// Repetitions.
    pub repetitions: u32,
    /// `raw` or `views`.
    pub up_to: &'static str,
    /// Threads that decode and augment.
    pub threads: usize,
    /// Cores that this process may use.
    pub cores: usize,
    /// Samples that came out per second.
    pub samples_per_s: Spread,
    /// Processor time of the whole process per sample, seconds.
    pub cpu_s_per_sample: Spread,
    /// Where it went; what is not measured is `rest`.
    pub parts: Vec<Cost>,
    /// The most memory that the process ever held; where the system tells it.
    pub peak_rss_bytes: Option<u64>,
    /// Files that could not be read and were replaced.
    pub replaced: usize,
}

/// What one part costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// The name of a [`Part`], or `rest`.
    pub part: &'static str,
    /// Processor time, seconds.
    pub cpu_s_per_sample: f64,
}

/// Makes the batches of `work` and measures them. Its epochs are gone through as often as the measurement needs.
///
/// # Errors
/// As [`super::open`] and [`Loader::new`], and what comes of reading.
pub fn bench(work: &Pretrain, site: &Site, options: &Options) -> Result<Figures> {
    let source = super::open(&work.settings.data, site, options.threads)?;
    measure(work, source, site.max_bad_share(), options)
}

/// The same on a data set that is open.
fn measure(
    work: &Pretrain,
    source: Arc<dyn ClipSource>,
    max_bad_share: f64,
    options: &Options,
) -> Result<Figures> {
    let mut endless = work.settings.as_ref().clone();
    endless.ep = u32::MAX;
    let endless = Pretrain {
        settings: Arc::new(endless),
        ..work.clone()
    };
    let reading = loader::Options {
        threads: options.threads,
        ahead: AHEAD,
        max_bad_share,
        first_step: 0,
        part: loader::Part::WHOLE,
        augment_on: options.is_raw.then_some(Device::Cpu),
    };
    let kind = source.kind();
    let mut loader = Loader::new(source, &endless, &reading)?;
    let clips = loader.admission().clips.len();
    let batch = work.settings.bs;
    let mut step = 0;
    // The parts are counted from the first batch on; those before belong to the warm-up.
    parts::count(true);
    let mut take = |loader: &mut Loader| -> Result<Repetition> {
        let before = parts::spent();
        let (start, cpu) = (Instant::now(), ProcessTime::now());
        for _ in 0..options.batches {
            loader.pass(step)?;
            step += 1;
        }
        let per_sample = 1.0 / (f64::from(options.batches) * f64::from(batch));
        let (wall, cpu) = (start.elapsed(), cpu.elapsed());
        let after = parts::spent();
        Ok(Repetition {
            samples_per_s: 1.0 / (per_sample * wall.as_secs_f64().max(1e-9)),
            cpu: per_sample * cpu.as_secs_f64(),
            parts: Part::ALL
                .map(|part| {
                    let of = |spent: &[(Part, Duration)]| spent[part as usize].1;
                    per_sample * (of(&after).saturating_sub(of(&before))).as_secs_f64()
                })
                .to_vec(),
        })
    };
    take(&mut loader)?;
    let measured: Result<Vec<Repetition>> = (0..options.repetitions.max(1))
        .map(|_| take(&mut loader))
        .collect();
    parts::count(false);
    let measured = measured?;
    let over = |of: &dyn Fn(&Repetition) -> f64| Spread::of(measured.iter().map(of).collect());
    let mut costs: Vec<Cost> = Part::ALL
        .iter()
        .map(|part| Cost {
            part: part.name(),
            cpu_s_per_sample: over(&|one| one.parts[*part as usize]).median,
        })
        .collect();
    costs.push(Cost {
        part: "rest",
        cpu_s_per_sample: over(&|one| (one.cpu - one.parts.iter().sum::<f64>()).max(0.0)).median,
    });
    Ok(Figures {
        source: kind,
        data: name_of(&work.settings.data).to_owned(),
        clips,
        batch,
        batches: options.batches,
        repetitions: options.repetitions.max(1),
        up_to: if options.is_raw { "raw" } else { "views" },
        threads: options.threads,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        samples_per_s: over(&|one| one.samples_per_s),
        cpu_s_per_sample: over(&|one| one.cpu),
        parts: costs,
        peak_rss_bytes: memory::peak_resident(),
        replaced: loader.failed().len(),
    })
}

/// One repetition; costs per sample.
struct Repetition {
    samples_per_s: f64,
    cpu: f64,
    parts: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fixtures;

    #[test]
    fn the_figures_of_rendered_clips_add_up() {
        let work = fixtures::rendered();
        for is_raw in [false, true] {
            let options = Options {
                batches: 1,
                repetitions: 3,
                threads: 2,
                is_raw,
            };
            let figures = bench(&work, &Site::default(), &options).unwrap();
            assert_eq!((figures.source, figures.clips), ("synthetic", 8));
            let names: Vec<&str> = figures.parts.iter().map(|cost| cost.part).collect();
            assert_eq!(names[..2], ["open", "seek+decode"]);
            assert_eq!(names.last(), Some(&"rest"));
            assert!(
                figures
                    .parts
                    .iter()
                    .all(|cost| cost.cpu_s_per_sample >= 0.0)
            );
            let Spread {
                median,
                least,
                most,
            } = figures.cpu_s_per_sample;
            assert!(0.0 < least && least <= median && median <= most);
        }
    }
}
