//! `plan`: the stages that some files need.

use std::path::{Path, PathBuf};

use compiler::hir::Program;
use compiler::plan::{self, Plan, StageId};

use super::{finished, lacking, profile, rows, site_and_runs};
use crate::cli;
use crate::failure::{Failure, Result};
use crate::load::{Compiled, compile_or_stop};
use crate::render::{self, Format, write_out};

/// Prints the plan.
pub fn plan(arguments: &cli::Plan) -> Result<()> {
    let plan = plan_of(&arguments.files, arguments.toy, &[])?;
    let text = match arguments.format {
        Format::Text => {
            let (_, runs) = site_and_runs(
                arguments.place.site.as_deref(),
                arguments.place.runs.as_deref(),
            )?;
            plan::text(&plan, finished(&plan, &runs)?) + &repeated(&plan, &runs)?
        }
        Format::Json => plan::json(&plan),
    };
    write_out(&(text.trim_end().to_owned() + "\n"));
    Ok(())
}

/// One line for each finished pretraining that did not keep a state that the plan reads: what a run does about it.
fn repeated(plan: &Plan, runs: &Path) -> Result<String> {
    let line = |(id, epochs): (StageId, Vec<u32>)| {
        let epochs: Vec<String> = epochs.iter().map(|epoch| format!("{epoch}ep")).collect();
        format!(
            "\n  {} is finished, but its state after {} was not kept: a run trains it again as far as that, each loss compared\n",
            id.short(),
            epochs.join(", ")
        )
    };
    Ok(lacking(plan, runs)?.into_iter().map(line).collect())
}

/// The plan of `files`, or of the rows among them that `only` names.
pub fn plan_of(files: &[PathBuf], is_toy: bool, only: &[String]) -> Result<Plan> {
    let Compiled {
        sources, programs, ..
    } = compile_or_stop(files, profile(is_toy))?;
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
