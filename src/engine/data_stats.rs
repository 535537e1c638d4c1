//! `data-stats`: what data sets hold, and how many clips each part of a plan can use.

use compiler::plan::{Plan, Work};
use crisscross::render::write_out;
use runtime::data::index::{self, Wanted};
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
        let index = index::open(Wanted::Found(name), &site, threads, false, &mut |_, _| {})?;
        stats.sets.push(stats::describe(&index, None));
    }
    if arguments.plan {
        let plan: Plan = serde_json::from_reader(std::io::stdin().lock()).map_err(|cause| {
            Error::Unsupported {
                message: format!("the plan cannot be read: {cause}"),
            }
        })?;
        let mut sources = BTreeMap::new();
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
                let files = stats::files_of(data);
                let is_packed = |name: &str| {
                    let root = site.root(name).ok();
                    root.is_some_and(|root| runtime::data::shards::is_packed(&root.root))
                };
                if let Some(files) = files.filter(|files| !is_packed(&files.name)) {
                    let wanted = Wanted::Declared(files);
                    let index = index::open(wanted, &site, threads, false, &mut |_, _| {})?;
                    let described = stats::describe(&index, Some(files.splits));
                    let is_new = |set: &Described| set.name != described.name;
                    if stats.sets.iter().all(is_new) {
                        stats.sets.push(described);
                    }
                }
                sources.insert(key.clone(), source);
            }
            let source = sources[&key].as_ref();
            stats.experiments.push(match &stage.work {
                Work::Extract(work) => stats::evaluation(&stage.label, &work.eval, source),
                Work::Finetune(work) => stats::evaluation(&stage.label, &work.eval, source),
                Work::Pretrain(work) => stats::pretraining(&stage.label, &work.settings, source),
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
