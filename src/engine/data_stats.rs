//! `data-stats`: what data sets hold, and how many clips each part of a plan can use.

use compiler::hir::Eval;
use compiler::plan::{Plan, Work};
use crisscross::render::write_out;
use runtime::data::index::{self, Wanted};
use runtime::data::shards::{self, Shards};
use runtime::data::stats::{self, Described, Usable};
use runtime::error::Error;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// `data-stats`; with `--plan` the plan comes as JSON from standard input.
#[derive(clap::Args)]
pub struct Arguments {
    /// One JSON object in place of text.
    #[arg(long)]
    json: bool,
    /// The site file.
    #[arg(long)]
    site: Option<PathBuf>,
    /// Whether a plan is read.
    #[arg(long)]
    plan: bool,
    /// Names of data sets in the site file.
    names: Vec<String>,
}

#[derive(serde::Serialize)]
struct Stats {
    sets: Vec<Described>,
    experiments: Vec<Usable>,
}

/// Prints what there is.
pub fn stats(arguments: &Arguments) -> Result<ExitCode, Error> {
    let site = crate::site(arguments.site.as_deref())?;
    let threads = crate::threads(None, &site);
    let mut stats = Stats {
        sets: vec![],
        experiments: vec![],
    };
    for name in &arguments.names {
        let root = &site.root(name)?.root;
        stats.sets.push(if shards::is_packed(root) {
            stats::describe_packed(&Shards::found(name, root)?, None)
        } else {
            let wanted = Wanted::Found(name);
            let index = index::open(wanted, &site, threads, false, &mut |_, _| {})?;
            stats::describe(&index, None)
        });
    }
    if arguments.plan {
        let plan: Plan = crate::from_standard_input()?;
        let (mut sources, mut refusals) = (BTreeMap::new(), BTreeMap::new());
        for stage in &plan.stages {
            let data = match &stage.work {
                Work::Pretrain(work) if work.settings.ep > 0 => &work.settings.data,
                Work::Extract(work) => &work.eval.data,
                Work::Finetune(work) => &work.eval.data,
                Work::Pretrain(_) | Work::Score(_) | Work::Draw(_) => continue,
            };
            let key = serde_json::to_string(data).expect("declarations are plain data");
            if !sources.contains_key(&key) {
                let source = runtime::data::open(data, &site, threads)?;
                let splits = stats::files_of(data).map_or(0, |files| files.splits);
                let is_new = |set: &Described| stats.sets.iter().all(|old| old.name != set.name);
                let described = source.describe(splits).filter(is_new);
                stats.sets.extend(described);
                sources.insert(key.clone(), source);
            }
            let source = sources[&key].as_ref();
            let mut evaluation = |eval: &Eval| {
                let refused = refusals.entry(key.clone());
                let refused = refused.or_insert_with(|| stats::refusal(data, &site));
                stats::evaluation(&stage.label, eval, source, refused.clone())
            };
            stats.experiments.push(match &stage.work {
                Work::Extract(work) => evaluation(&work.eval),
                Work::Finetune(work) => evaluation(&work.eval),
                Work::Pretrain(work) => {
                    let share = site.max_bad_share();
                    stats::pretraining(&stage.label, &work.settings, source, share)
                }
                Work::Score(_) | Work::Draw(_) => continue,
            });
        }
    }
    if arguments.json {
        let text = serde_json::to_string_pretty(&stats).expect("figures are plain data");
        write_out(&(text + "\n"));
        return Ok(ExitCode::SUCCESS);
    }
    for set in &stats.sets {
        write_out(&set.to_string());
    }
    for usable in &stats.experiments {
        write_out(&usable.to_string());
    }
    Ok(ExitCode::SUCCESS)
}
