//! `report`: measured, expected, difference.

use std::path::Path;

use compiler::plan::{Plan, with_reasons};
use records::folder::Runs;
use records::report;

use super::plan::plan_of;
use super::site_and_runs;
use crate::cli::{Report, ReportFormat};
use crate::failure::Result;
use crate::render::write_out;

/// Prints the tables of some files.
pub fn report(arguments: &Report) -> Result<()> {
    let plan = with_reasons(&plan_of(
        &arguments.files,
        arguments.toy,
        &arguments.above.set,
        &[],
    )?);
    let place = &arguments.place;
    let (_, runs) = site_and_runs(place.site.as_deref(), place.runs.as_deref())?;
    print(&plan, &runs, arguments.format)
}

/// Prints the tables of `plan` with what `runs` holds: for a terminal where no form is asked for.
pub fn print(plan: &Plan, runs: &Path, format: Option<ReportFormat>) -> Result<()> {
    let format = match format {
        None => report::Format::Text,
        Some(ReportFormat::Md) => report::Format::Markdown,
        Some(ReportFormat::Tex) => report::Format::Tex,
        Some(ReportFormat::Csv) => report::Format::Csv,
    };
    let report = report::report(plan, &Runs::at(runs))?;
    write_out(&(report.render(format).trim_end().to_owned() + "\n"));
    Ok(())
}
