//! `features`: the weights and the protocol that are meant, handed to the engine.

use std::ffi::OsString;
use std::path::Path;

use compiler::Profile;
use compiler::hir::{Eval, Protocol};
use compiler::origins::Texts;
use grammar::ast::Kind;
use grammar::diagnostic::{Diagnostic, Severity};

use super::named::{self, Asked, Found, Meaning, is_module};
use super::weights::{may_be_written, weights_of};
use super::{profile, site_and_runs};
use crate::cli::Features;
use crate::failure::{Failure, Result};
use crate::handover;
use crate::load::{Reading, resolve};
use crate::render;
use crate::weights::Featuring;

/// Starts the engine on the clips.
pub fn features(arguments: &Features) -> Result<()> {
    let place = &arguments.place;
    let (site, runs) = site_and_runs(place.site.as_deref(), place.runs.as_deref())?;
    let is_set = site.data.contains_key(&arguments.data);
    if !is_set && !Path::new(&arguments.data).is_dir() {
        let known: Vec<&str> = site.data.keys().map(String::as_str).collect();
        let known = match known.is_empty() {
            true => "none is in the site file".to_owned(),
            false => format!("there: {}", known.join(", ")),
        };
        return Err(Failure::new(format!(
            "`{}` is no folder, and no data set of the site file",
            arguments.data
        ))
        .help(format!(
            "name a folder with video or sound files, or a data set ({known})"
        )));
    }
    let ending = arguments.to.extension().unwrap_or_default();
    if ending != "npz" && ending != "safetensors" {
        return Err(
            Failure::misuse(format!("`{}` says no format", arguments.to.display()))
                .help("name a file that ends in `.safetensors` or `.npz`"),
        );
    }
    may_be_written(&arguments.to)?;
    let reading = Reading {
        profile: profile(arguments.toy),
        set: &[],
    };
    let eval = closed(&arguments.eval)?;
    let (weights, epoch) = weights_of(&arguments.weights, reading, &runs)?;
    let folder = match is_set {
        true => arguments.data.clone(),
        false => std::fs::canonicalize(&arguments.data).map_or_else(
            |_| arguments.data.clone(),
            |path| path.display().to_string(),
        ),
    };
    let featuring = Featuring {
        weights,
        epoch: arguments.epoch.or(epoch),
        eval,
        name: arguments.eval.clone(),
        data: folder,
        augmented: arguments.augmented,
    };
    let mut command: Vec<OsString> = vec!["features".into(), "--to".into(), (&arguments.to).into()];
    command.extend(arguments.machine.arguments());
    if let Some(threads) = arguments.loader_threads {
        command.extend(["--threads".into(), threads.to_string().into()]);
    }
    if let Some(file) = site.file {
        command.extend(["--site".into(), file.into()]);
    }
    Err(handover::exec_with(command, &featuring))
}

/// What a protocol is closed with where it names no data set: the engine puts in the name and the rule for short clips.
const CLOSED: &str = "
data clips_of_a_folder = videos(train: 2, classes: 2, requires: [v, a], short: skip)
eval eval_of_a_folder = NAME with { data = clips_of_a_folder }
";

/// The protocol that `what` names, closed.
fn closed(what: &str) -> Result<Eval> {
    let reading = Reading {
        profile: Profile::Full,
        set: &[],
    };
    let asked = Asked::read(what);
    let only = |message: String| {
        Err(Failure::misuse(message)
            .help("name an `eval` of one modality: `linear8`, `linear2s`, or `FILE.cc:NAME`"))
    };
    if asked.name.is_empty() {
        return only(format!("`{what}` is a whole file"));
    }
    let read = named::read(asked, &[], reading)?;
    let texts = Texts::read(&read.compiled.sources);
    let Found {
        meaning,
        path,
        name,
    } = named::find(&read, &texts, asked.name)?;
    let is_eval =
        matches!(&meaning, Meaning::Declaration(_, decl) if decl.kind.value == Kind::Eval);
    if !is_eval || path.is_some() {
        return only(format!("`{what}` is no evaluation"));
    }
    // The text in which the name means what it means there.
    let (file, mut text) = match asked.file {
        Some(module) if is_module(module) => ("features.cc", format!("use {module}\n")),
        Some(file) => (
            file,
            read.compiled.sources.get(read.root).text.to_string() + "\n",
        ),
        None => ("features.cc", "use paper\n".to_owned()),
    };
    text += &CLOSED.replace("NAME", &name);
    let mut sources = compiler::sources();
    let root = sources.add(file, text);
    let (program, found) = compiler::check(&mut sources, root, &resolve, Profile::Full);
    let errors = found
        .into_iter()
        .filter(|one| one.severity == Severity::Error);
    let errors: Vec<Diagnostic> = errors.collect();
    if !errors.is_empty() {
        render::print(&sources, &errors, render::Format::Text);
        return Err(Failure::said());
    }
    let evals = program.map(|program| program.evals).unwrap_or_default();
    let closed = evals
        .into_iter()
        .find(|(name, _)| name.starts_with("eval_of_a_folder"));
    match closed {
        Some((_, Protocol::Single(eval))) => Ok(*eval),
        Some((_, Protocol::Fused(_))) => only(format!("`{what}` fuses several evaluations")),
        None => only(format!("`{what}` has no clips")),
    }
}
