//! `data-pack`: packs the files of a data set into tar shards.

use crate::signals::Signals;
use compiler::hir;
use crisscross::packing::Packing;
use crisscross::render::write_out;
use records::say;
use records::site::Site;
use runtime::data::files::Files;
use runtime::data::shards::{self, Quality};
use runtime::data::source::ClipSource;
use runtime::error::Error;
use runtime::progress::Progress;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// `data-pack`; what is packed comes as JSON from standard input.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder of the shards.
    #[arg(long)]
    out: PathBuf,
    /// Threads that decode and encode.
    #[arg(long)]
    threads: Option<usize>,
    /// The site file.
    #[arg(long)]
    site: Option<PathBuf>,
}

/// Packs, and says what was packed and what could not be. Exit codes: 0 all is packed, but for as many files as a run may miss;
/// 1 otherwise; 130 and 143 after SIGINT and SIGTERM.
pub fn pack(arguments: &Arguments) -> Result<ExitCode, Error> {
    let Signals { stop, number } = Signals::watch()?;
    let packing: Packing = crate::from_standard_input()?;
    let site = crate::site(arguments.site.as_deref())?;
    let threads = crate::threads(arguments.threads, &site);
    let set = &packing.set;
    let files = Arc::new(files(&packing, &site, threads)?);
    let options = shards::Options {
        threads,
        clips_per_shard: packing.clips_per_shard as usize,
        stop: &stop,
    };
    let all = files.len() as u64;
    let mut progress = Progress::new(1);
    let mut count = |done: usize| progress.count(done as u64, all, "clips");
    let (quality, out) = (quality(&packing), &arguments.out);
    let packed = shards::pack(&files, set, &quality, out, &options, &mut count);
    progress.clear();
    let header = match packed {
        Err(Error::Interrupted) => {
            say("interrupted: finished shards are kept, the same command goes on behind them");
            return Ok(ExitCode::from(128 + number.load(Ordering::Relaxed) as u8));
        }
        Err(error) => return Err(error),
        Ok(packed) => {
            if packing.verify {
                verify(set, out, all)?;
            }
            write_out(&summary(&packed));
            packed.header
        }
    };
    say(&format!(
        "to train from them: `root = \"{}\"` under `[data.{}]` in `crisscross.toml`",
        std::path::absolute(out)
            .unwrap_or_else(|_| out.clone())
            .display(),
        set.name
    ));
    let is_bad = header.unreadable.len() as f64 > site.max_bad_share() * all as f64;
    Ok(ExitCode::from(u8::from(is_bad)))
}

/// The files to pack. A folder that is packed already is refused.
fn files(packing: &Packing, site: &Site, threads: usize) -> Result<Files, Error> {
    let set = &packing.set;
    let root = site.root(&set.name)?;
    if shards::is_packed(&root.root) {
        return Err(Error::Data {
            name: set.name.clone(),
            message: format!("`{}` is packed already", root.root.display()),
            help: "point `root` at the files, and pack them".to_owned(),
        });
    }
    Files::open(set, site, threads)
}

/// What of the files is kept.
fn quality(packing: &Packing) -> Quality {
    Quality {
        short_side: packing.short_side,
        fps: packing.fps,
        jpeg: packing.jpeg,
        rate: packing.rate,
    }
}

/// Reads all of the pack once more.
fn verify(set: &hir::Files, out: &Path, all: u64) -> Result<(), Error> {
    let mut progress = Progress::new(1);
    let (clips, frames) = shards::verify(set, out, &mut |done| {
        progress.count(done as u64, all, "clips verified");
    })?;
    progress.clear();
    say(&format!(
        "verified: {clips} clips, {frames} frames, all hashes and checksums"
    ));
    Ok(())
}

/// How much was packed, and a line for each file that could not be.
fn summary(packed: &shards::Packed) -> String {
    let header = &packed.header;
    let bytes: u64 = header.shards.iter().map(|shard| shard.bytes).sum();
    let mut text = format!(
        "clips packed: {} of {}; shards: {}, of them kept: {}; {:.1} MB\n",
        header.clips - header.unreadable.len() as u64,
        header.clips,
        header.shards.len(),
        packed.kept,
        bytes as f64 / 1e6
    );
    for unreadable in &header.unreadable {
        text += &format!("unreadable  {}: {}\n", unreadable.file, unreadable.cause);
    }
    text
}
