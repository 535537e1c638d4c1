//! `features`: what a trained backbone makes of the clips of a folder.

use crate::machine;
use crate::signals::Signals;
use compiler::hir::{Clip, Data, Short};
use compiler::plan::{Pretrain, Stage, Work};
use compiler::written;
use crisscross::cli::Machine;
use crisscross::weights::Featuring;
use records::folder::{CHECKPOINT, PLAN, RUN, checkpoint_after, folder_of, read_json};
use records::record::Run;
use records::say;
use records::site::DataRoot;
use runtime::data::loader::{Options, Part};
use runtime::data::reader::Role;
use runtime::data::{self, index};
use runtime::device;
use runtime::error::Error;
use runtime::eval::exported::{self, About, Wanted};
use runtime::eval::features::Trained;
use runtime::progress::Progress;
use runtime::weights;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

/// `features`; a [`Featuring`] comes as JSON from standard input.
#[derive(clap::Args)]
pub struct Arguments {
    /// The file.
    #[arg(long)]
    to: PathBuf,
    /// What computes, and how.
    #[command(flatten)]
    machine: Machine,
    /// Threads that decode.
    #[arg(long)]
    threads: Option<usize>,
    /// The site file.
    #[arg(long)]
    site: Option<PathBuf>,
}

/// The file of the state that is asked for, if that was trained and kept.
fn state(asked: &Featuring, work: &Pretrain) -> Result<String, Error> {
    let unfit = |message: String, help: String| Error::Weights {
        path: asked.weights.clone(),
        message,
        help,
    };
    if let Some(reason) = work.untrained(&asked.eval.uses) {
        let help = "name an evaluation of what it trains, or weights of another row";
        return Err(unfit(reason, help.to_owned()));
    }
    let Some(epoch) = asked.epoch else {
        return Ok(CHECKPOINT.to_owned());
    };
    let is_kept = |epoch: &u32| asked.weights.join(checkpoint_after(*epoch)).is_file();
    if is_kept(&epoch) {
        return Ok(checkpoint_after(epoch));
    }
    let kept = (0..=work.settings.ep).filter(is_kept);
    let kept: Vec<String> = kept.map(|epoch| format!("--epoch {epoch}")).collect();
    Err(unfit(
        format!("it did not keep its state after {epoch}ep"),
        match kept.as_slice() {
            [] => "leave `--epoch` out: its end is there".to_owned(),
            _ => format!(
                "leave `--epoch` out for its end, or name another: {}",
                kept.join(", ")
            ),
        },
    ))
}

/// Writes the features. Exit codes: 0 done; 1 something failed; 130 and 143 after SIGINT and SIGTERM.
pub fn features(arguments: &Arguments) -> Result<ExitCode, Error> {
    let Signals { stop, number } = Signals::watch()?;
    device::check_torch()?;
    let mut asked: Featuring = crate::from_standard_input()?;
    let mut site = crate::site(arguments.site.as_deref())?;
    let device = machine::settle(&arguments.machine, None, &site, None)?;
    let threads = crate::threads(arguments.threads, &site);
    let stage: Stage = read_json(&asked.weights.join(PLAN))?;
    let run: Run = read_json(&asked.weights.join(RUN))?;
    let Work::Pretrain(work) = &stage.work else {
        return Err(Error::Unsupported {
            message: format!("`{}` is no pretraining, and has no weights", stage.label),
        });
    };
    let finished = records::folder::Finished {
        path: asked.weights.clone(),
        run,
    };
    weights::has_backbone(&finished, &work.settings, &asked.eval.uses)?;
    let file = state(&asked, work)?;
    // A folder is a data set of its own, called by its path.
    if !site.data.contains_key(&asked.data) {
        let root = DataRoot {
            root: PathBuf::from(&asked.data),
            ..DataRoot::default()
        };
        site.data.insert(asked.data.clone(), root);
    }
    // As the sets have it that the paper scores.
    let short = match asked.eval.clip {
        Clip::Video { .. } | Clip::Flow { .. } => Short::Loop,
        Clip::Audio { .. } | Clip::Text { .. } => Short::Pad,
    };
    if let Data::Videos(set) | Data::Sounds(set) = &mut asked.eval.data {
        set.name.clone_from(&asked.data);
        set.short = short;
    }
    let source = data::open_found(&asked.data, short, &site, threads)?;
    let below = site.root(&asked.data)?.root.clone();
    let (manifest, _) = index::manifest(index::Wanted::Found(&asked.data), &site)?;
    manifest
        .notes
        .iter()
        .for_each(|note| say(&format!("note: {note}")));
    let options = Options {
        threads,
        ahead: 2,
        max_bad_share: site.max_bad_share(),
        first_step: 0,
        part: Part::WHOLE,
        augment_on: Some(device).filter(|device| device.is_cuda()),
    };
    let protocol = compiler::hir::Protocol::Single(Box::new(asked.eval.clone()));
    let left = ["data", "head", "score", "train", "test", "augment"];
    let clips = if asked.augmented { "train" } else { "test" };
    let mut fields = written::protocol(&protocol);
    fields.retain(|(name, _)| !left.contains(&name.as_str()) || name == clips);
    let wanted = Wanted {
        eval: &asked.eval,
        role: if asked.augmented {
            Role::Train
        } else {
            Role::Test
        },
        below: &below,
        folder: folder_of(&arguments.to),
        about: About {
            data: asked.data.clone(),
            weights: asked.weights.display().to_string(),
            stage: stage.id.0.clone(),
            eval: asked.name.clone(),
            fields,
            augmented: asked.augmented,
            ..About::default()
        },
    };
    let model = Trained {
        settings: &work.settings,
        weights: &asked.weights.join(file),
    };
    let mut progress = Progress::new(1);
    progress.begin(1, &format!("{} on {}", asked.name, asked.data));
    let made = exported::features(
        wanted,
        model,
        &source,
        device,
        &options,
        &mut |done, all| progress.count(done, all, "samples"),
        &stop,
    );
    progress.clear();
    let made = match made {
        Err(Error::Interrupted) => {
            return Ok(ExitCode::from(128 + number.load(Ordering::Relaxed) as u8));
        }
        made => made?,
    };
    for reason in made.left_out.values().take(5) {
        say(&format!("note: left out: {reason}"));
    }
    if made.left_out.len() > 5 {
        say(&format!(
            "note: {} samples are left out",
            made.left_out.len()
        ));
    }
    made.save(&arguments.to)?;
    crisscross::render::write_out(&format!(
        "{}: {} rows of {} values, of {} of {} samples\n",
        arguments.to.display(),
        made.features.samples.len(),
        made.width,
        made.about.samples.len() - made.left_out.len(),
        made.about.samples.len()
    ));
    Ok(ExitCode::SUCCESS)
}
