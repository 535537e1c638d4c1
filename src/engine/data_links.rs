//! `data-links`: the pages on augmentations with their pictures.

use crisscross::shown::Links;
use records::folder::write_whole;
use records::say;
use runtime::error::Error;
use runtime::sheet::links::{Subject, draw};
use std::path::PathBuf;
use std::process::ExitCode;

/// `data-links`; the pages come as JSON from standard input.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder of the pages.
    #[arg(long)]
    out: PathBuf,
    /// Clips to show in place of rendered ones: the first with pictures, the first with sound.
    #[arg(long)]
    clip: Vec<PathBuf>,
}

/// Writes pages and pictures.
pub fn links(arguments: &Arguments) -> Result<ExitCode, Error> {
    runtime::device::check_torch()?;
    let links: Links = crate::from_standard_input()?;
    let (seen, heard) = subjects(&arguments.clip)?;
    let mut files: Vec<(String, Vec<u8>)> = vec![];
    for picture in &links.pictures {
        files.push((picture.path.clone(), draw(picture, &seen, &heard)?.png()?));
    }
    files.extend(
        links
            .pages
            .into_iter()
            .map(|page| (page.path, page.text.into_bytes())),
    );
    std::fs::create_dir_all(&arguments.out).map_err(Error::io("create", &arguments.out))?;
    for (name, bytes) in &files {
        write_whole(&arguments.out.join(name), bytes)?;
    }
    say(&format!(
        "wrote {} pages and {} pictures to {}",
        files.len() - links.pictures.len(),
        links.pictures.len(),
        arguments.out.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// The clips that are shown: one with pictures and one with sound.
fn subjects(clips: &[PathBuf]) -> Result<(Subject, Subject), Error> {
    let (mut seen, mut heard) = (None, None);
    for path in clips {
        let (pictures, sound) = Subject::of_file(path)?;
        seen = seen.or(pictures);
        heard = heard.or(sound);
    }
    Ok((
        seen.unwrap_or(Subject::Rendered),
        heard.unwrap_or(Subject::Rendered),
    ))
}
