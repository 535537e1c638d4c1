//! `plan`: the stages that some files need, how they stand on this machine, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use compiler::hir::Program;
use compiler::plan::{self, Earlier, Level, Plan, Reason, Standing, State, Stood, Work};
use grammar::span::Sources;
use records::estimate;
use records::folder::{Finished, Runs};
use records::say;
use records::site::Site;

use super::named::{Asked, is_module};
use super::{profile, rows, show, site_and_runs};
use crate::cli;
use crate::failure::{Failure, Result};
use crate::load::{Compiled, compile, compile_or_stop};
use crate::render::{self, Format, write_out};

/// Prints the plan.
pub fn plan(arguments: &cli::Plan) -> Result<()> {
    let (files, why) = files_and_why(arguments)?;
    let compiled = compile(&files, profile(arguments.toy), &arguments.above.set);
    let programs = compiled.programs();
    let Some(programs) = programs else {
        compiled.print_loud();
        return Err(Failure::said());
    };
    let picked = why.map(|pick| rows::picked(&programs, pick)).transpose()?;
    let (plan, log) = plan::planned(&programs).map_err(|found| {
        render::print(&compiled.sources, &found, Format::Text);
        Failure::said()
    })?;
    let place = &arguments.place;
    let (site, runs) = site_and_runs(place.site.as_deref(), place.runs.as_deref())?;
    let index = Runs::at(&runs).index()?;
    let mut standing = look(&plan, &site, &index);
    standing.warnings = compiled.warnings();
    let losses = losses(&plan, &standing, &index);
    losses.iter().for_each(|line| say(line));
    let level = match (arguments.quiet, arguments.verbose) {
        (true, _) => Level::Rows,
        (_, true) => Level::Full,
        (_, _) => Level::Summary,
    };
    let earlier = estimate::stages(&index);
    let mut stood = plan::stood(&plan, &standing);
    if level != Level::Rows && picked.is_none() || arguments.format == Format::Json {
        stood.estimate = Some(estimated(&stood, &earlier));
    }
    let reasons = match &picked {
        None => vec![],
        Some(picked) => reasons(&stood, picked, &earlier, (&programs, &compiled.sources)),
    };
    let text = match (arguments.format, &picked) {
        (Format::Json, _) => plan::json_of(&stood, level, &log, &reasons),
        (Format::Text, Some(_)) => plan::reasons_text(&stood, &reasons),
        (Format::Text, None) => plan::text(&stood, level, &log),
    };
    write_out(&(text.trim_end().to_owned() + "\n"));
    // The process ends here, and takes all of it: freeing ten thousand rows one by one would be a tenth of its time.
    drop(stood);
    std::mem::forget((plan, compiled));
    Ok(())
}

/// The files, and the rows that `--why` asks about: all of them where it names none. A file right behind `--why` is a file.
fn files_and_why(arguments: &cli::Plan) -> Result<(Vec<PathBuf>, Option<&str>)> {
    let mut files = arguments.files.clone();
    let why = match arguments.why.as_deref() {
        Some(pick) if pick.ends_with(".cc") || Path::new(pick).is_file() => {
            files.insert(0, pick.into());
            Some("")
        }
        other => other,
    };
    // A file that is named there is one of the files.
    let named = why.and_then(|pick| Asked::read(pick).file);
    if let Some(file) = named.filter(|file| !is_module(file))
        && !files.iter().any(|known| known == Path::new(file))
    {
        files.insert(0, file.into());
    }
    if files.is_empty() {
        return Err(Failure::misuse("`plan` needs a file")
            .help("for example `crisscross plan --why table1:3 experiments/table1.cc`"));
    }
    Ok((crate::files::files(&files), why))
}

/// How a plan stands on this machine: what is finished, and which data sets are not there.
pub fn look(plan: &Plan, site: &Site, index: &BTreeMap<plan::StageId, Finished>) -> Standing {
    let folder = |finished: &Finished| {
        let name = finished.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    let (mut done, mut again) = (BTreeMap::new(), BTreeMap::new());
    for stage in &plan.stages {
        let Some(finished) = index.get(&stage.id) else {
            continue;
        };
        let lacks = finished.lacks(&stage.work);
        if lacks.is_empty() {
            done.insert(stage.id.clone(), folder(finished));
        } else {
            again.insert(stage.id.clone(), lacks);
        }
    }
    let imported = index.values().filter(|of| of.run.imported.is_some());
    let imported: BTreeSet<_> = imported.map(|of| of.run.stage.clone()).collect();
    let missing = plan::data_sets(plan, &imported).into_iter();
    Standing {
        done,
        again,
        imported,
        missing: missing
            .filter_map(|name| Some((name.to_owned(), site.lacks(name)?)))
            .collect(),
        ..Standing::default()
    }
}

/// What is wrong with finished runs that stages which are not done read: files that are gone, a line for each.
pub fn losses(
    plan: &Plan,
    standing: &Standing,
    index: &BTreeMap<plan::StageId, Finished>,
) -> BTreeSet<String> {
    let to_do = plan.stages.iter();
    let to_do = to_do.filter(|stage| !standing.done.contains_key(&stage.id));
    let line = |stage: &plan::Stage| {
        let from = match &stage.work {
            Work::Pretrain(_) => return None,
            Work::Extract(work) => &work.model,
            Work::Finetune(work) => &work.model,
            Work::Draw(work) => &work.from,
            Work::Score(work) => &work.features,
        };
        let finished = index.get(from)?;
        let lost = finished.lost(&stage.work)?;
        Some(format!(
            "warning: `{}` is missing, and its run is finished: remove the folder `{}`, and a run makes the stage anew",
            lost.display(),
            finished.path.display()
        ))
    };
    to_do.filter_map(line).collect()
}

/// What the stages to do take.
fn estimated(stood: &Stood<'_>, earlier: &[(&Finished, plan::Stage)]) -> plan::Estimate {
    let ids = stood.plan.stages.iter().map(|stage| &stage.id);
    let to_do: Vec<&plan::StageId> = ids.filter(|id| stood.states[*id] == State::ToDo).collect();
    estimate::estimate(stood.plan, &to_do, earlier)
}

/// Why each stage of the picked rows is as it is.
fn reasons(
    stood: &Stood<'_>,
    picked: &[(usize, usize)],
    earlier: &[(&Finished, plan::Stage)],
    (programs, sources): (&[(&str, &Program)], &Sources),
) -> Vec<Reason> {
    let earlier: Vec<Earlier> = earlier
        .iter()
        .map(|(finished, stage)| Earlier {
            folder: finished
                .path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            set: finished.run.set.clone(),
            stage: stage.clone(),
        })
        .collect();
    let tables: Vec<_> = programs
        .iter()
        .flat_map(|(_, program)| &program.tables)
        .collect();
    let place = |table: usize, row: usize, path: &str| {
        let provenance = &tables.get(table)?.rows.get(row)?.provenance;
        // `data KS`, `modality v`: the field that names the declaration.
        let path = path.split(' ').next().unwrap_or(path);
        let span = show::source(provenance, path)?;
        let (line, _) = sources.line_column(span.file, span.start);
        Some(format!("{}:{line}", sources.get(span.file).name))
    };
    plan::reasons(stood, picked, &earlier, &place)
}

/// The plan of `files` with the fields of `set` above them, or of the rows among them that `only` names.
pub fn plan_of(files: &[PathBuf], is_toy: bool, set: &[String], only: &[String]) -> Result<Plan> {
    let Compiled {
        sources, programs, ..
    } = compile_or_stop(files, profile(is_toy), set)?;
    let mut programs: Vec<(String, Program)> = programs
        .into_iter()
        .filter_map(|(name, program)| Some((name, program?)))
        .collect();
    rows::keep_only(&mut programs, only)?;
    let programs: Vec<(&str, &Program)> = programs
        .iter()
        .map(|(name, program)| (name.as_str(), program))
        .collect();
    plan::plan(&programs).map_err(|found| {
        render::print(&sources, &found, Format::Text);
        Failure::said()
    })
}
