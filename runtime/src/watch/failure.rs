//! The step that ended a training, kept so that it can be replayed.
//!
//! ```text
//! runs/failed-quickstart-2-7c1e09ab-step7/
//!   plan.json           the stage
//!   failure.json        what was not finite, and where it ran
//!   step.safetensors    the views of the batch, and the state before the step: parameters, statistics, the optimiser's moments
//! ```
//!
//! No run removes such a folder; the same failure once more replaces it. That of a try is `failed-try-...`.

use crate::augment::Key;
use crate::checkpoint;
use crate::data::batch::{Batch, Clips};
use crate::data::overlaps::Overlaps;
use crate::doctor;
use crate::error::{Error, Result};
use crate::nn::banks::MEMORY;
use crate::nn::parameters::Entry;
use crate::ranks::Ranks;
use compiler::plan::Stage;
use records::folder::{PLAN, RUN, Runs, failed_folder, read_json, write_json, write_whole};
use records::record::{Environment, Run};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tch::{Device, Tensor};

/// The file that says what failed.
pub const FAILURE: &str = "failure.json";
/// The file of tensors.
pub const STEP: &str = "step.safetensors";
/// What names of views begin with there.
const VIEW: &str = "view.";
/// The tensor of the clips that the training goes through.
const CLIPS: &str = "clips";
/// The version of [`Failure`].
const FORMAT: u32 = 1;

/// What is said of a step that was not finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    format: u32,
    /// The step, counted from 0.
    pub step: u64,
    /// Its loss; a text, for JSON has no `NaN`.
    pub loss: String,
    /// The first term whose value was not finite.
    pub term: Option<String>,
    /// The first parameter group whose gradient was not finite.
    pub group: Option<String>,
    /// The version of crisscross.
    pub code: String,
    /// Where it ran.
    pub environment: Environment,
    /// What was typed.
    pub command: Option<String>,
    /// The places of the random numbers of each sample, for links behind the batch.
    pub keys: Vec<Key>,
    /// The clip of each sample.
    #[serde(default)]
    pub clips: Vec<u32>,
}

/// Keeps a step of the training in the run folder `run` that ended with `error`, beside that folder. `state` is that before it.
///
/// The error comes back with the way to look at the step, or why it could not be kept. Only a step that is not finite is kept, and
/// only of a training that stands in a run folder. Of several `ranks`, all of which come here, the first keeps the whole batch.
pub fn kept(
    error: Error,
    run: &Path,
    state: &[Entry],
    batch: &Batch,
    device: Device,
    ranks: &Ranks,
) -> Error {
    let Error::NotFinite {
        step,
        value,
        term,
        group,
        replay: None,
    } = error
    else {
        return error;
    };
    let kept = || {
        let batch = of_all(batch, ranks)?;
        if !ranks.is_first() {
            return Ok(None);
        }
        let failure = Failure {
            format: FORMAT,
            step,
            loss: value.to_string(),
            term: term.clone(),
            group: group.clone(),
            code: env!("CARGO_PKG_VERSION").to_owned(),
            environment: doctor::environment_of(device, ranks)?,
            command: None,
            keys: batch.keys.clone(),
            clips: batch.clips.own.clone(),
        };
        keep(run, failure, state, &batch)
    };
    let kept = kept();
    let replay = match kept {
        Ok(folder) => folder.map(|folder| {
            let folder = folder.display();
            format!("`crisscross replay {folder}` shows where it began")
        }),
        Err(error) => Some(format!("the step could not be kept: {error}")),
    };
    Error::NotFinite {
        step,
        value,
        term,
        group,
        replay,
    }
}

/// The batch of all ranks, on each of them.
fn of_all(batch: &Batch, ranks: &Ranks) -> Result<Batch> {
    let mut views = BTreeMap::new();
    for (name, view) in &batch.views {
        let view = match ranks.is_alone() {
            true => view.shallow_clone(),
            false => ranks.gather(view)?.flatten(0, 1),
        };
        views.insert(name.clone(), view);
    }
    Ok(Batch {
        views,
        keys: ranks.collect(batch.keys.clone())?.concat(),
        clips: Clips {
            own: ranks.collect(batch.clips.own.clone())?.concat(),
            all: Arc::clone(&batch.clips.all),
        },
        overlaps: batch.overlaps.clone(),
        step: batch.step,
        waited: batch.waited,
        queued: batch.queued,
    })
}

fn keep(
    run: &Path,
    mut failure: Failure,
    state: &[Entry],
    batch: &Batch,
) -> Result<Option<PathBuf>> {
    if !run.join(PLAN).is_file() {
        return Ok(None);
    }
    let stage: Stage = read_json(&run.join(PLAN))?;
    failure.command = read_json::<Run>(&run.join(RUN))?.command;
    let target = failed_folder(run, &stage, failure.step);
    let Some((target, runs)) = target.as_deref().and_then(|t| Some((t, t.parent()?))) else {
        return Ok(None);
    };
    // The next run removes it, should this process die meanwhile.
    let part = Runs::at(runs).scratch()?;
    write_json(&part.path().join(PLAN), &stage)?;
    write_json(&part.path().join(FAILURE), &failure)?;
    let views = batch.views.iter().map(|((modality, view), tensor)| Entry {
        name: format!("{VIEW}{modality}{view}"),
        tensor: tensor.shallow_clone(),
        is_learned: false,
    });
    // All clips count only where something is remembered of them.
    let remembers = state.iter().any(|entry| entry.name.starts_with(MEMORY));
    let all = remembers.then(|| {
        let all: Vec<i64> = batch.clips.all.iter().map(|&clip| clip.into()).collect();
        Entry {
            name: CLIPS.to_owned(),
            tensor: Tensor::from_slice(&all),
            is_learned: false,
        }
    });
    let entries: Vec<Entry> = views
        .chain(all)
        .chain(state.iter().map(Entry::shared))
        .collect();
    let file = part.path().join(STEP);
    let bytes = checkpoint::serialise(&target.join(STEP), &entries, ("format", "pt"))?;
    write_whole(&file, &bytes)?;
    part.keep(target)?;
    Ok(Some(target.to_owned()))
}

/// A kept step, read.
#[derive(Debug)]
pub struct Kept {
    /// What failed.
    pub failure: Failure,
    /// The batch, on the CPU.
    pub batch: Batch,
    /// The file of tensors, which holds the state under the names of its entries.
    pub file: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Kept {
    /// Clips of the data set, as far as something is remembered of each.
    ///
    /// # Errors
    /// A file that is damaged.
    pub fn clips(&self) -> Result<u64> {
        let banks = checkpoint::tensors(&self.file, &self.bytes, MEMORY)?;
        let rows = banks.values().next().map_or(0, |bank| bank.size()[0]);
        Ok(u64::try_from(rows).unwrap_or(0))
    }

    /// The step that is kept in a folder.
    ///
    /// # Errors
    /// A file that is missing, damaged or of another version.
    pub fn read(folder: &Path) -> Result<Self> {
        let failure: Failure = read_json(&folder.join(FAILURE))?;
        let file = folder.join(STEP);
        let unfit = |message: String| Error::Checkpoint {
            path: file.clone(),
            message,
        };
        if failure.format != FORMAT {
            return Err(unfit(
                "another version of crisscross has written it".to_owned(),
            ));
        }
        let bytes = fs::read(&file).map_err(Error::io("read", &file))?;
        let mut views = BTreeMap::new();
        for (name, tensor) in checkpoint::tensors(&file, &bytes, VIEW)? {
            let end = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            let (modality, number) = name.split_at(end);
            let number = number
                .parse()
                .map_err(|_| unfit(format!("`{VIEW}{name}` is no view")))?;
            views.insert((modality.to_owned(), number), tensor);
        }
        let all = match checkpoint::tensors(&file, &bytes, CLIPS)?.pop_first() {
            Some((_, all)) => Vec::<i64>::try_from(all)?,
            None => vec![],
        };
        let batch = Batch {
            views,
            keys: failure.keys.clone(),
            clips: Clips {
                own: failure.clips.clone(),
                all: all
                    .into_iter()
                    .filter_map(|clip| clip.try_into().ok())
                    .collect(),
            },
            overlaps: Overlaps::default(),
            step: failure.step,
            waited: Duration::ZERO,
            queued: 0,
        };
        Ok(Self {
            failure,
            batch,
            file,
            bytes,
        })
    }
}
