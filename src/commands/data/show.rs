//! `data show`: what a training step gets of a sample, as a picture.

use std::ffi::OsString;

use compiler::hir::{Clip, Data, Pretrain};
use compiler::origins::Texts;
use compiler::written;
use records::site::Site;

use crate::cli::DataShow;
use crate::commands::graph::meant;
use crate::commands::named::{self, Experiment, Read};
use crate::commands::{profile, relaxation, site_and_runs, training};
use crate::failure::{Failure, Result};
use crate::handover;
use crate::load::Reading;
use crate::shown::Shown;

/// Hands the training of the row that is asked for, or of the first, to the engine.
pub fn show(arguments: &DataShow) -> Result<()> {
    let reading = Reading {
        profile: profile(arguments.toy),
        set: &arguments.above.set,
    };
    let (read, name) = meant(&arguments.what, arguments.row.as_deref(), reading)?;
    read.compiled.print_warnings();
    let texts = Texts::read(&read.compiled.sources);
    let asked = (arguments.what.as_str(), "read samples");
    let (name, experiment) = named::one_experiment(&read, &texts, &name, asked)?;
    check_samples(arguments, experiment.pretrain)?;
    let (site, _) = site_and_runs(arguments.site.as_deref(), None)?;
    check_data(&experiment.pretrain.data, &site, arguments)?;
    let shown = shown(arguments, &read, &name, &experiment);
    let mut command: Vec<OsString> = vec!["data-show".into()];
    command.extend(["--out".into(), OsString::from(&arguments.out)]);
    if let Some(file) = site.file {
        command.extend(["--site".into(), file.into()]);
    }
    Err(handover::exec_with(command, &shown))
}

/// What the engine draws.
fn shown(arguments: &DataShow, read: &Read, name: &str, experiment: &Experiment<'_>) -> Shown {
    let pretrain = experiment.pretrain;
    let toy = if arguments.toy { " --toy" } else { "" };
    let label = experiment.row.map(|(_, row)| row.label.as_str());
    let title = match label.filter(|label| !label.is_empty()) {
        Some(label) => format!("{}{name}{toy} - {label}", read.prefix),
        None => format!("{}{name}{toy}", read.prefix),
    };
    let policy = relaxation::policy(&read.compiled.sources, experiment.provenance);
    let law = written::relaxation(&pretrain.relax);
    let data = match &pretrain.data {
        Data::Synthetic(_) => written::data(&pretrain.data),
        Data::Videos(set) | Data::Sounds(set) => {
            format!("{} = {}", set.name, written::data(&pretrain.data))
        }
    };
    Shown {
        title,
        policy: if policy == "relax" {
            law
        } else {
            format!("{policy} = {law}")
        },
        data,
        pretrain: training(pretrain),
        epoch: arguments.epoch,
        sample: arguments.sample,
        samples: arguments.samples,
        raw: arguments.raw,
    }
}

/// Refuses samples that the training does not have or this version does not read, and a picture of another kind.
fn check_samples(arguments: &DataShow, pretrain: &Pretrain) -> Result<()> {
    for modality in &pretrain.modalities {
        let what = match &modality.clip {
            Clip::Video { .. } | Clip::Audio { .. } => continue,
            Clip::Text { .. } => "captions",
            Clip::Flow { .. } => "optical flow",
        };
        let message = format!(
            "the row reads `{}`, and this version reads no {what}",
            modality.name
        );
        return Err(Failure::new(message).help("show a row of pictures and sound"));
    }
    if pretrain.ep == 0 {
        return Err(Failure::misuse(
            "the row trains no epoch (`ep = 0`), so no step reads a sample",
        )
        .help("show another row: `--row N`"));
    }
    if arguments.epoch >= u64::from(pretrain.ep) {
        return Err(
            Failure::misuse(format!("there is no epoch {}", arguments.epoch)).help(format!(
                "the row trains {} epochs, 0 to {}",
                pretrain.ep,
                pretrain.ep - 1
            )),
        );
    }
    let is_png = |ending: &std::ffi::OsStr| ending.eq_ignore_ascii_case("png");
    if !arguments.out.extension().is_none_or(is_png) {
        let out = arguments.out.display();
        return Err(Failure::misuse(format!("`{out}` is no name for a PNG"))
            .help("name a file that ends in `.png`"));
    }
    let all = pretrain.steps_per_epoch() * u64::from(pretrain.bs);
    let end = arguments.sample.saturating_add(arguments.samples);
    if end > all {
        let last = end - 1;
        return Err(
            Failure::misuse(format!("there is no sample {last} in an epoch")).help(format!(
                "an epoch of the row has {all} samples, 0 to {}, in {} batches of {}",
                all.saturating_sub(1),
                pretrain.steps_per_epoch(),
                pretrain.bs
            )),
        );
    }
    Ok(())
}

/// Refuses a data set that does not lie on this machine.
fn check_data(data: &Data, site: &Site, arguments: &DataShow) -> Result<()> {
    let (Data::Videos(set) | Data::Sounds(set)) = data else {
        return Ok(());
    };
    let Some(lacks) = site.lacks(&set.name) else {
        return Ok(());
    };
    let name = &set.name;
    Err(Failure::new(format!("data set `{name}` is not on this machine: {lacks}")).help(format!(
        "write `[data.{name}]` and `root = \"/folder/of/{name}\"` into `crisscross.toml`; or see the same row on rendered clips: \
         `crisscross data show {} --toy`",
        arguments.what
    )))
}
