//! `data-show`: samples as a training step gets them, drawn on a page.

use crisscross::shown::Shown;
use records::folder::write_whole;
use records::say;
use runtime::data::look::{self, Looked};
use runtime::error::Error;
use runtime::sheet::canvas::Canvas;
use runtime::sheet::{self, Heading};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// `data-show`; what is drawn comes as JSON from standard input.
#[derive(clap::Args)]
pub struct Arguments {
    /// The picture.
    #[arg(long)]
    out: PathBuf,
    /// The site file.
    #[arg(long)]
    site: Option<PathBuf>,
}

/// Writes the picture.
pub fn show(arguments: &Arguments) -> Result<ExitCode, Error> {
    runtime::device::check_torch()?;
    let shown: Shown = crate::from_standard_input()?;
    let site = crate::site(arguments.site.as_deref())?;
    let threads = crate::threads(None, &site);
    let settings = &shown.pretrain.settings;
    let source = runtime::data::open(&settings.data, &site, threads)?;
    let looked = look::look(
        Arc::clone(&source),
        &shown.pretrain,
        site.max_bad_share(),
        shown.epoch,
        shown.sample..shown.sample + shown.samples,
    )?;
    let modalities = sheet::Modalities {
        declared: &settings.modalities,
        raw: shown.raw,
    };
    let mut pages: Vec<Canvas> = vec![];
    for looked in &looked {
        let heading = heading(&shown, looked, source.len());
        pages.push(sheet::of_sample(&heading, looked, modalities));
    }
    let page = sheet::canvas::below(&pages);
    write_whole(&arguments.out, &page.png()?)?;
    for looked in &looked {
        say(&format!("sample {}: {}", looked.sample, looked.name));
    }
    say(&format!(
        "wrote {} ({} x {} pixels)",
        arguments.out.display(),
        page.width(),
        page.height()
    ));
    Ok(ExitCode::SUCCESS)
}

/// What stands above the panels of one sample.
fn heading(shown: &Shown, looked: &Looked, clips: usize) -> Heading {
    let settings = &shown.pretrain.settings;
    let fact = |name: &str, what: String| (name.to_owned(), what);
    let class = looked
        .class
        .as_deref()
        .map_or(String::new(), |class| format!(", class {class}"));
    let mut facts = vec![
        fact(
            "data",
            format!("{}; {clips} clips on this machine", shown.data),
        ),
        fact("clip", format!("{}{class}", looked.name)),
        fact(
            "sample",
            format!(
                "{} of epoch {}, in step {} of batches of {}; its random numbers: {}, seed {}",
                looked.sample,
                shown.epoch,
                looked.sample / u64::from(settings.bs),
                settings.bs,
                looked.key.path(),
                settings.seed
            ),
        ),
        fact("relax", shown.policy.clone()),
    ];
    for (name, cause) in &looked.failed {
        facts.push(fact(
            "left",
            format!("{name} could not be read and was replaced: {cause}"),
        ));
    }
    Heading {
        title: shown.title.clone(),
        facts,
    }
}
