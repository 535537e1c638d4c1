//! One step of a training again, looked at node by node.

use super::failure::{FAILURE, Kept};
use super::gauges::Readings;
use crate::checkpoint;
use crate::data::batch::{Batch, Batches};
use crate::data::loader::{self, Loader};
use crate::data::prefetch::Prefetch;
use crate::doctor;
use crate::error::{Error, Result, said};
use crate::execute::Outputs;
use crate::ffi::Anomaly;
use crate::nn::parameters::Entry;
use crate::ranks::Ranks;
use crate::train::{METRICS, Place, Training, on_device, stand_at};
use compiler::graph::Node;
use compiler::plan::{Pretrain, Stage, StageId, Step, Work};
use records::folder::{PLAN, RUN, read_json};
use records::points::points;
use records::record::{Environment, Maker, Run};
use records::site::Site;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use tch::{Device, Kind, Tensor, no_grad};

/// How far the loss of a step may be off by rounding, of itself or of 1 where it is smaller, in what should round as the run did.
const ROUNDING: f64 = 1e-3;
/// The same where something is known to round otherwise, which grows from step to step.
const GROWN: f64 = 5e-2;

/// How a step is replayed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What is computed on.
    pub device: Device,
    /// Name the operation behind the first gradient that is not a number.
    pub anomaly: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// Lines to be printed.
    pub lines: Vec<String>,
    /// Whether the step did again what it did.
    pub is_reproduced: bool,
}

/// The pretraining whose run folder or kept step this is, with its label.
///
/// # Errors
/// A folder without a plan, or with that of another kind of stage.
pub fn stage_of(folder: &Path) -> Result<(String, Box<Pretrain>)> {
    pretraining(folder).map(|(label, _, work)| (label, work))
}

fn pretraining(folder: &Path) -> Result<(String, StageId, Box<Pretrain>)> {
    let stage: Stage = read_json(&folder.join(PLAN))?;
    match stage.work {
        Work::Pretrain(work) => Ok((stage.label, stage.id, work)),
        Work::Extract(_) | Work::Finetune(_) | Work::Score(_) | Work::Draw(_) => {
            Err(Error::Unsupported {
                message: format!(
                    "`{}` is the folder of `{}`, which trains no networks by steps; replay that of a pretraining",
                    folder.display(),
                    stage.label
                ),
            })
        }
    }
}

/// Whether the folder keeps a step that was not finite.
pub fn is_failure(folder: &Path) -> bool {
    folder.join(FAILURE).is_file()
}

/// Replays the step that is kept in `folder`.
///
/// # Errors
/// Files that are missing, damaged or do not belong to the plan beside them.
pub fn failure(folder: &Path, options: Options) -> Result<Replayed> {
    let (label, work) = stage_of(folder)?;
    let kept = Kept::read(folder)?;
    let place = Place {
        device: options.device,
        ranks: &Ranks::alone(),
        clips: kept.clips()?,
        micro_batch: None,
    };
    let mut training = Training::new(&work, place)?;
    checkpoint::fill(&kept.file, &kept.bytes, &training.state())?;
    let batch = on_device(kept.batch, options.device)?;
    let failure = &kept.failure;
    let then = &failure.environment.device;
    let mut lines = vec![format!(
        "{label}, step {} on {}; it failed on {then}",
        failure.step,
        doctor::environment(options.device)?.device
    )];
    let looked = look(&mut training, &batch, options, &failure.loss)?;
    lines.extend(looked.lines);
    let read = &looked.readings;
    let is_reproduced = !read.is_finite();
    let same = read.loss.to_string() == failure.loss
        && read.bad_term() == failure.term.as_deref()
        && read.bad_group() == failure.group.as_deref();
    lines.push(match (is_reproduced, same) {
        (true, true) => "reproduced: the same loss, the same first term and group".to_owned(),
        (true, false) => format!(
            "reproduced in part: it is not finite again, but then the loss was {}, the first term {}, the first group {}",
            failure.loss,
            named(failure.term.as_deref()),
            named(failure.group.as_deref())
        ),
        (false, _) => format!(
            "not reproduced: loss and gradients are finite here; the loss was {} on {then}",
            failure.loss
        ),
    });
    Ok(Replayed {
        lines,
        is_reproduced,
    })
}

/// Where the batches of a run come from.
pub struct Data<'a> {
    /// Data roots and caches.
    pub site: &'a Site,
    /// Threads that decode and augment.
    pub threads: usize,
    /// Set to end the replay at the next step.
    pub stop: &'a AtomicBool,
}

/// Replays `step` of the run in `folder`, which need not be finished: it is trained again as far as that, from its last resume point
/// before it or else from its first values, and nothing is written. `progress` is called with the number of steps done and of those in front of the one that is looked at.
///
/// # Errors
/// A step that the training does not have; those of data sets and networks; [`Error::Interrupted`].
pub fn run(
    folder: &Path,
    step: u64,
    data: &Data<'_>,
    options: Options,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Replayed> {
    let (label, id, work) = pretraining(folder)?;
    let steps = work.settings.steps_per_epoch() * u64::from(work.settings.ep);
    if step >= steps {
        return Err(Error::Unsupported {
            message: format!(
                "`{label}` has no step {step}: its steps are counted from 0 to {}",
                steps.saturating_sub(1)
            ),
        });
    }
    let made: Run = read_json(&folder.join(RUN))?;
    let source = crate::data::open(&work.settings.data, data.site, data.threads)?;
    let place = Place {
        device: options.device,
        ranks: &Ranks::alone(),
        clips: source.len() as u64,
        // The steps before are taken in the parts of the run.
        micro_batch: made.environment.micro_batch,
    };
    let here = Maker {
        code: env!("CARGO_PKG_VERSION").to_owned(),
        environment: Environment {
            micro_batch: place.micro_batch,
            ..doctor::environment(options.device)?
        }
        .of_training(&work),
    };
    let rounds = made.rounding(&here);
    let mut training = Training::new(&work, place)?;
    let mut first = 0;
    for point in points(folder)? {
        // A damaged one is passed over for an older one, and the first values are always there.
        if point.step <= step
            && let Ok(next) = stand_at(&training, &point, &id)
        {
            first = next;
            break;
        }
    }
    let reading = loader::Options {
        threads: data.threads,
        ahead: 1,
        max_bad_share: data.site.max_bad_share(),
        first_step: first,
        part: loader::Part::WHOLE,
        augment_on: Some(options.device).filter(|device| device.is_cuda()),
    };
    let loader = Loader::new(source, &work, &reading)?;
    let mut batches = Prefetch::new(loader, first, data.stop);
    for before in first..step {
        if data.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let batch = on_device(batches.next(before)?, options.device)?;
        training.step_and_read(before, batch)?;
        progress(before + 1 - first, step - first);
    }
    let batch = on_device(batches.next(step)?, options.device)?;
    let then = recorded(folder, step)?;
    let was = then.map_or("not recorded".to_owned(), |loss| loss.to_string());
    let mut lines = vec![format!(
        "{label}, step {step} on {}",
        doctor::environment(options.device)?.device
    )];
    let looked = look(&mut training, &batch, options, &was)?;
    lines.extend(looked.lines);
    let now = looked.readings.loss;
    let (said, is_reproduced) = held(now, then, rounds.as_deref());
    lines.push(said);
    Ok(Replayed {
        lines,
        is_reproduced,
    })
}

/// Whether the loss of a step is that which the run had, in words; `rounds` says why it may be rounded otherwise.
fn held(now: f64, then: Option<f64>, rounds: Option<&str>) -> (String, bool) {
    let Some(then) = then else {
        let nothing = "nothing to compare with: the run has no such line in its metrics";
        return (nothing.to_owned(), true);
    };
    let apart = (now - then).abs() / then.abs().max(1.0);
    let why = rounds.map_or_else(String::new, |why| format!("; rounding differs: {why}"));
    let bound = rounds.map_or(ROUNDING, |_| GROWN);
    match apart {
        0.0 => ("reproduced: the same loss to the last bit".to_owned(), true),
        apart if apart < bound => (
            format!("reproduced up to rounding: the losses are {apart:.1e} apart{why}"),
            true,
        ),
        apart => (
            format!("not reproduced: the losses are {apart:.1e} apart, more than {bound}{why}"),
            false,
        ),
    }
}

/// The loss of a step in the metrics of a run, if it is there.
fn recorded(folder: &Path, step: u64) -> Result<Option<f64>> {
    #[derive(serde::Deserialize)]
    struct Line {
        step: u64,
        loss: f64,
    }
    let path = folder.join(METRICS);
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut lines = lines.filter(|line: &Line| line.step == step);
    Ok(lines.next().map(|line| line.loss))
}

fn named(of: Option<&str>) -> String {
    of.map_or("none".to_owned(), |name| format!("`{name}`"))
}

/// What one looks at of a step.
struct Looked {
    lines: Vec<String>,
    readings: Readings,
}

/// Runs the step, without taking it.
fn look(
    training: &mut Training<'_>,
    batch: &Batch,
    options: Options,
    then: &str,
) -> Result<Looked> {
    let state = of_state(&training.state());
    let outputs = training.forward(batch)?;
    let mut fault = None;
    let anomaly = options.anomaly.then(Anomaly::new);
    let gradients = match training.gradients(&outputs) {
        Err(Error::Torch(error)) if options.anomaly => {
            fault = Some(said(&error));
            drop(anomaly);
            // The graph was left where that operation is, so that it is made anew.
            training.gradients(&training.forward(batch)?)?
        }
        gradients => gradients?,
    };
    let readings = training.gauges(&outputs, &gradients)?.read()?;
    let mut facts = vec![("loss".to_owned(), format!("{}, was {then}", readings.loss))];
    let terms = readings.terms.iter();
    facts.extend(terms.map(|(name, value)| (name.clone(), value.to_string())));
    facts.push(("gradient".to_owned(), readings.gradient().to_string()));
    let groups = readings.gradients.iter();
    facts.extend(groups.map(|(name, norm)| (format!("gradient in {name}"), norm.to_string())));
    let spread = readings.spread.iter();
    facts.extend(spread.map(|(name, spread)| (format!("spread of {name}"), spread.to_string())));
    facts.push(("state before".to_owned(), state));
    facts.extend(first_bad(training, &outputs));
    if options.anomaly {
        let fault = fault.unwrap_or_else(|| "no operation gave NaN".to_owned());
        facts.push(("backwards".to_owned(), fault));
    }
    let width = facts.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or(0);
    let lines = facts
        .iter()
        .map(|(name, what)| format!("  {name:<width$}  {what}"));
    Ok(Looked {
        lines: lines.collect(),
        readings,
    })
}

/// Whether the state is finite, and where its largest value lies.
fn of_state(state: &[Entry]) -> String {
    let mut largest = (0.0, "");
    let mut bad = vec![];
    for entry in state {
        if entry.tensor.numel() == 0 {
            continue;
        }
        let size = entry.tensor.detach().to_kind(Kind::Double).abs().max();
        let size = size.double_value(&[]);
        if !size.is_finite() {
            bad.push(entry.name.as_str());
        } else if size > largest.0 {
            largest = (size, &entry.name);
        }
    }
    match bad[..] {
        [] => format!(
            "finite; the largest value is {:.4e} in `{}`",
            largest.0, largest.1
        ),
        [first, ..] => format!(
            "{} of {} tensors are not finite, the first is `{first}`",
            bad.len(),
            state.len()
        ),
    }
}

/// The first node whose output is not finite and what it reads.
fn first_bad(training: &Training<'_>, outputs: &Outputs) -> Vec<(String, String)> {
    let program = &training.program;
    let bad = program
        .executed(outputs)
        .find(|(_, value)| !is_finite(value));
    let Some((step, value)) = bad else {
        let all = "the outputs of all nodes are finite".to_owned();
        return vec![("forwards".to_owned(), all)];
    };
    let group = step.node.network().map(|(_, group)| format!(" by {group}"));
    let group = group.unwrap_or_default();
    let mut facts = vec![(
        "first bad node".to_owned(),
        format!("{}{group}: {}", step.name, statistics(value)),
    )];
    for (name, value) in program.inputs(outputs, step) {
        facts.push((
            "  which reads".to_owned(),
            format!("{name}: {}", statistics(value)),
        ));
    }
    if let Node::Encode { group } = &step.node {
        facts.extend(within(training, outputs, step, group));
    }
    facts
}

/// The maps of a backbone that is a bad node, up to the first that is not finite, computed in the precision of its parameters.
fn within(
    training: &Training<'_>,
    outputs: &Outputs,
    step: &Step,
    group: &str,
) -> Vec<(String, String)> {
    let Some(backbone) = training.model.backbone(group) else {
        return vec![];
    };
    let views: Vec<&Tensor> = training
        .program
        .inputs(outputs, step)
        .map(|(_, view)| view)
        .collect();
    let kind = training.kind();
    let view = Tensor::cat(&views, 0).to_kind(kind);
    let mut facts = vec![];
    for (map, value) in (1..).zip(no_grad(|| backbone.maps(&view, true).collect::<Vec<_>>())) {
        let x = if map == 1 { "" } else { "x" };
        facts.push((format!("  its map conv{map}{x}"), statistics(&value)));
        if !is_finite(&value) {
            return facts;
        }
    }
    facts.push(("  its projector".to_owned(), "makes it of these".to_owned()));
    facts
}

fn is_finite(value: &Tensor) -> bool {
    value.isfinite().all().int64_value(&[]) == 1
}

/// Shape, kind and values of a tensor in words.
fn statistics(value: &Tensor) -> String {
    let value = value.detach();
    let head = format!("{:?} {:?}", value.size(), value.kind());
    let count = value.numel();
    let of = |mask: Tensor| mask.to_kind(Kind::Int64).sum(None).int64_value(&[]);
    let (nan, infinite) = (of(value.isnan()), of(value.isinf()));
    let finite = value.masked_select(&value.isfinite()).to_kind(Kind::Double);
    let range = match finite.numel() {
        0 => "no value is finite".to_owned(),
        _ => format!(
            "from {:.4e} to {:.4e}, mean {:.4e}",
            finite.min().double_value(&[]),
            finite.max().double_value(&[]),
            finite.mean(None).double_value(&[])
        ),
    };
    match (nan, infinite) {
        (0, 0) => format!("{head}, {range}"),
        _ => format!("{head}, {nan} of {count} values NaN, {infinite} infinite; {range}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_is_rounded_otherwise_comes_with_the_reason() {
        let two = Some("2 processes before, 1 now");
        for (now, rounds, said, is_reproduced) in [
            (0.5, two, "reproduced: the same loss to the last bit", true),
            (
                0.5005,
                None,
                "reproduced up to rounding: the losses are 5.0e-4 apart",
                true,
            ),
            (
                0.507,
                None,
                "not reproduced: the losses are 7.0e-3 apart, more than 0.001",
                false,
            ),
            (
                0.507,
                two,
                "reproduced up to rounding: the losses are 7.0e-3 apart; rounding differs: 2 processes before, 1 now",
                true,
            ),
            (
                0.75,
                two,
                "not reproduced: the losses are 2.5e-1 apart, more than 0.05; rounding differs: 2 processes before, 1 now",
                false,
            ),
        ] {
            assert_eq!(
                held(now, Some(0.5), rounds),
                (said.to_owned(), is_reproduced)
            );
        }
        assert!(held(0.5, None, two).1);
        assert!(!held(f64::NAN, Some(0.5), two).1);
    }
}
