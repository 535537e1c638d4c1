//! `run`: hands the plan of some files to the engine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use compiler::hir::Data;
use compiler::plan::{self, Executable, Plan, StageId, Work, with_passes, with_reasons};
use records::folder::{Runs, content_hash, write_json};
use records::launch::Launch;
use records::say;

use super::graph::pass;
use super::plan::{look, losses, plan_of};
use super::{report, site_and_runs};
use crate::cli::Run;
use crate::failure::{Failure, Result};
use crate::handover;

/// Writes the plan and starts the engine on it; prints the report at once if all of it is done.
pub fn run(arguments: &Run) -> Result<()> {
    let launch = launch(arguments.ranks)?;
    let passes = arguments.pass.iter().map(|name| pass(name));
    let passes = passes.collect::<Result<Vec<_>>>()?;
    let plan = plan_of(
        &arguments.files,
        arguments.toy,
        &arguments.above.set,
        &arguments.only,
    )?;
    if plan.stages.is_empty() {
        return Err(
            Failure::new("the files ask for nothing to be trained or scored")
                .help("add a `pretrain` or a `table`, or give a file that is a loss"),
        );
    }
    let plan = with_passes(plan, &passes);
    let (site, runs) = site_and_runs(
        arguments.place.site.as_deref(),
        arguments.place.runs.as_deref(),
    )?;
    let index = Runs::at(&runs).index()?;
    let standing = look(&plan, &site, &index);
    let is_done = |id: &StageId| standing.done.contains_key(id);
    // Of several ranks one speaks for all.
    if launch.as_ref().is_none_or(|launch| launch.rank == 0) {
        say(plan::totals(&plan::summary(&plan::stood(&plan, &standing))).trim_end());
        let losses = losses(&plan, &standing, &index);
        losses.iter().for_each(|line| say(line));
    }
    let plan = executable(plan)?;
    // Files may have changed since; only the engine looks at them.
    let needs_files = plan.stages.iter().any(|stage| reads_files(&stage.work));
    // Ranks go on together or not at all; they may see the folder at different moments.
    let is_known = launch.is_none() && !needs_files && !arguments.smoke;
    if is_known && plan.stages.iter().all(|stage| is_done(&stage.id)) {
        say(&format!(
            "all stages ({}) are done in `{}`",
            plan.stages.len(),
            runs.display()
        ));
        return report::print(&plan, &runs);
    }
    // The engine is looked for before anything is written.
    handover::find()?;
    let path = write(&plan, &runs, &arguments.files[0])?;
    let mut command: Vec<OsString> = vec![
        "run".into(),
        "--plan".into(),
        path.into(),
        "--runs".into(),
        runs.into(),
    ];
    command.extend(arguments.machine.arguments());
    if let Some(graph) = arguments.cuda_graph {
        command.extend(["--cuda-graph".into(), graph.name().into()]);
    }
    if let Some(ranks) = arguments.ranks {
        command.extend(["--ranks".into(), ranks.to_string().into()]);
    }
    if let Some(samples) = arguments.micro_batch {
        command.extend(["--micro-batch".into(), samples.to_string().into()]);
    }
    if let Some(threads) = arguments.loader_threads {
        command.extend(["--loader-threads".into(), threads.to_string().into()]);
    }
    let switches = [
        ("--no-gang", arguments.no_gang),
        ("--smoke", arguments.smoke),
    ];
    let set = switches.iter().filter(|(_, is_set)| *is_set);
    command.extend(set.map(|(name, _)| (*name).into()));
    if let Some(file) = site.file {
        command.extend(["--site".into(), file.into()]);
    }
    command.extend(["--command".into(), typed().into()]);
    Err(handover::exec(command))
}

/// Which of several ranks this process was started as. With `ranks` it is none and starts some.
fn launch(ranks: Option<u16>) -> Result<Option<Launch>> {
    match (ranks, Launch::of_this_process()) {
        (Some(_), Ok(Some(launch))) => Err(Failure::misuse(format!(
            "`--ranks` starts ranks, and this process was started as rank {} of {}",
            launch.rank, launch.ranks
        ))
        .help("leave `--ranks` out: torchrun and srun start the ranks")),
        (Some(_), Ok(None) | Err(_)) => Ok(None),
        (None, launch) => launch.map_err(|misfit| Failure::new(misfit.message).help(misfit.help)),
    }
}

/// The command as one can type it again.
pub(super) fn typed() -> String {
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let quoted = words.iter().map(|word| shlex::try_quote(word));
    let quoted: Vec<_> = quoted.map(|word| word.unwrap_or_default()).collect();
    format!("crisscross {}", quoted.join(" "))
}

/// The stages of a plan that can be executed, and all of its tables, with the reason in each cell that stays empty.
fn executable(whole: Plan) -> Result<Plan> {
    let Executable { plan, refused, .. } = compiler::plan::executable(&whole);
    if refused.is_empty() || !plan.tables.is_empty() {
        let tables = with_reasons(&whole).tables;
        return Ok(Plan { tables, ..plan });
    }
    let numbers: Vec<String> = refused
        .iter()
        .map(|(what, cells)| match cells {
            // A pretraining that no table scores.
            0 => (*what).to_owned(),
            cells => format!("{what} ({cells} of the numbers)"),
        })
        .collect();
    let message = format!("this version cannot run {}", numbers.join(", "));
    Err(Failure::new(format!("{message}, and the files ask for nothing else"))
        .help("`crisscross plan` shows what they ask for; a linear SVM on frozen features, as `linear8` and `linear2s`, can be run"))
}

/// Whether a stage depends on files of this machine, not on its plan alone.
fn reads_files(work: &Work) -> bool {
    let data = match work {
        Work::Pretrain(pretrain) => &pretrain.settings.data,
        Work::Extract(extract) => &extract.eval.data,
        Work::Finetune(finetune) => &finetune.eval.data,
        Work::Draw(draw) => draw.drawing.data(),
        Work::Score(_) => return false, // as its features do
    };
    match data {
        Data::Videos(_) | Data::Sounds(_) => true,
        Data::Synthetic(_) => false,
    }
}

/// Writes the plan as `<runs>/plans/<name>-<hash>.json`, named after the first file and all that it says.
fn write(plan: &Plan, runs: &Path, file: &Path) -> Result<PathBuf> {
    let folder = runs.join("plans");
    std::fs::create_dir_all(&folder).map_err(|cause| {
        Failure::new(format!("cannot create `{}`: {cause}", folder.display()))
            .help("choose another folder with `--runs DIR`")
    })?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let toy = if plan.toy { "-toy" } else { "" };
    let path = folder.join(format!("{name}{toy}-{}.json", &content_hash(plan)[..8]));
    write_json(&path, plan)?;
    Ok(path)
}
