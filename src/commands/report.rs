//! `report`: measured, published, difference; and pages of all that there is to say.

mod about;
mod figures;
mod write;

use std::path::Path;

use clap::ValueEnum;
use compiler::plan::{Plan, with_reasons};
use records::folder::{Runs, write_whole};
use records::report::{self, Experiment, Format, Page, Shelf};
use records::say;

use super::plan::plan_of;
use super::{profile, runs_to_read, site_and_runs};
use crate::cli::{Report, ReportFormat};
use crate::failure::{Failure, Result};
use crate::load::compile;
use crate::render::write_out;

/// What a page is made from, beside the runs.
struct Asked {
    plan: Plan,
    experiment: Experiment,
}

/// Prints or writes the tables of some files.
pub fn report(arguments: &Report) -> Result<()> {
    let asked_for = by_ending(arguments)?;
    let arguments = &asked_for;
    let place = &arguments.place;
    if let Some(out) = &arguments.out {
        refuse(out, arguments)?;
    }
    if arguments.watch {
        // Whoever watches may be here before the first run.
        let (_, runs) = site_and_runs(place.site.as_deref(), place.runs.as_deref())?;
        return write::watch(arguments, &Runs::at(runs));
    }
    let runs = Runs::at(runs_to_read(place)?.1);
    let out = arguments.out.as_deref();
    match (arguments.format, text_format(arguments.format)) {
        (_, Some(format)) => {
            let files = crate::files::files(&arguments.files);
            let plan = plan_of(&files, arguments.toy, &arguments.above.set, &[])?;
            let report = report::report(&with_reasons(&plan), &runs)?;
            say_of_toys(&[&plan], arguments, &runs)?;
            put(out, &(report.render(format).trim_end().to_owned() + "\n"))
        }
        (Some(ReportFormat::Html), None) => write::pages(arguments, &runs),
        (Some(ReportFormat::Figures), None) => figures::figures(arguments, &runs),
        (_, None) => {
            let asked = asked(arguments)?;
            say_of_toys(&plans(&asked), arguments, &runs)?;
            put(out, &report::json(&pages(&asked, &runs)?))
        }
    }
}

/// What is asked for, in the format that the ending of `--out` says where `--format` says none.
fn by_ending(arguments: &Report) -> Result<Report> {
    let mut arguments = arguments.clone();
    let out = arguments.out.as_deref().filter(|out| !out.is_dir());
    let ending = out.and_then(Path::extension).and_then(|it| it.to_str());
    if let (None, Some(ending)) = (arguments.format, ending) {
        arguments.format = ReportFormat::from_str(ending, true).ok();
        let is_text = ["txt", "cc", "toml"].contains(&ending) || arguments.watch;
        if arguments.format.is_none() && !is_text {
            let message = format!("`.{ending}` says no format of a report");
            return Err(Failure::misuse(message).help(
                "name a file in `.html`, `.md`, `.tex`, `.csv`, `.json` or `.txt`, or say `--format`",
            ));
        }
    }
    Ok(arguments)
}

/// Refuses to write over the files that are reported, and over others that no report makes: experiments and settings.
fn refuse(out: &Path, arguments: &Report) -> Result<()> {
    let Ok(real) = out.canonicalize() else {
        return Ok(());
    };
    let files = crate::files::files(&arguments.files);
    let is_read = files
        .iter()
        .any(|file| file.canonicalize().is_ok_and(|file| file == real));
    let what = match real.extension().and_then(|suffix| suffix.to_str()) {
        _ if real.is_dir() => return Ok(()),
        _ if is_read => "a file that is reported",
        Some("cc") => "an experiment",
        Some("toml") => "a file of settings",
        Some(_) | None => return Ok(()),
    };
    let format = arguments
        .format
        .and_then(|format| format.to_possible_value());
    let suffix = format.map_or("txt".to_owned(), |format| format.get_name().to_owned());
    let message = format!(
        "`{}` is {what}, which a report would replace",
        out.display()
    );
    Err(Failure::misuse(message).help(format!(
        "name another file: `--out {}`",
        out.with_extension(suffix).display()
    )))
}

/// Says that what lies here was made with `--toy`, where nothing of `plans` is here and something of their files is in that form.
fn say_of_toys(plans: &[&Plan], arguments: &Report, runs: &Runs) -> Result<()> {
    let index = runs.index()?;
    let is_here = |plan: &Plan| plan.stages.iter().any(|one| index.contains_key(&one.id));
    if arguments.toy || index.is_empty() || plans.iter().any(|plan| is_here(plan)) {
        return Ok(());
    }
    // What is wrong with the files has been said of their own form.
    let files = crate::files::files(&arguments.files);
    let compiled = compile(&files, profile(true), &arguments.above.set);
    let programs = compiled.programs();
    let toy = programs.and_then(|programs| compiler::plan::plan(&programs).ok());
    if toy.is_some_and(|toy| is_here(&toy)) {
        say("note: what lies here was made by `run --toy`: `--toy` reports it");
    }
    Ok(())
}

fn plans(asked: &[Asked]) -> Vec<&Plan> {
    asked.iter().map(|one| &one.plan).collect()
}

/// The form of a text; `None` of pages, figures and JSON.
fn text_format(format: Option<ReportFormat>) -> Option<Format> {
    Some(match format {
        None => Format::Text,
        Some(ReportFormat::Md) => Format::Markdown,
        Some(ReportFormat::Tex) => Format::Tex,
        Some(ReportFormat::Csv) => Format::Csv,
        Some(ReportFormat::Json | ReportFormat::Html | ReportFormat::Figures) => return None,
    })
}

/// Prints the tables of `plan` with what `runs` holds, for a terminal.
pub fn print(plan: &Plan, runs: &Path) -> Result<()> {
    let report = report::report(plan, &Runs::at(runs))?;
    write_out(&(report.render(Format::Text).trim_end().to_owned() + "\n"));
    Ok(())
}

/// What each file asks for.
fn asked(arguments: &Report) -> Result<Vec<Asked>> {
    let files = crate::files::files(&arguments.files);
    let all = files.iter().map(|file| about::asked(file, arguments));
    all.collect()
}

/// The pages of what was asked, with what lies among the runs now.
fn pages(asked: &[Asked], runs: &Runs) -> Result<Vec<Page>> {
    let shelf = Shelf::read(runs)?;
    let page = |one: &Asked| report::page(&one.plan, &shelf, one.experiment.clone());
    Ok(asked.iter().map(page).collect::<records::Result<_>>()?)
}

/// Writes a text to a file, or to standard output where none is named.
fn put(out: Option<&Path>, text: &str) -> Result<()> {
    let Some(path) = out else {
        write_out(text);
        return Ok(());
    };
    if path.is_dir() {
        return Err(
            Failure::misuse(format!("`{}` is a folder", path.display())).help(format!(
                "name a file: `--out {}`",
                path.join("report").display()
            )),
        );
    }
    Ok(write_whole(path, text.as_bytes())?)
}
