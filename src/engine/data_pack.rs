//! `data-pack`: packs the files of a data set into tar shards.

use crisscross::packing::Packing;
use crisscross::render::write_out;
use records::say;
use runtime::data::files::Files;
use runtime::data::shards::{self, Quality};
use runtime::error::Error;
use runtime::progress::Progress;
use std::path::PathBuf;
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
    let (stop, signal) = crate::watch_signals()?;
    let packing: Packing = crate::from_standard_input()?;
    let site = crate::site(arguments.site.as_deref())?;
    let threads = crate::threads(arguments.threads, &site);
    let set = &packing.set;
    let root = site.root(&set.name)?;
    if shards::is_packed(&root.root) {
        return Err(Error::Data {
            name: set.name.clone(),
            message: format!("`{}` is packed already", root.root.display()),
            help: "point `root` at the files, and pack them".to_owned(),
        });
    }
    let files = Arc::new(Files::open(set, &site, threads)?);
    let quality = Quality {
        short_side: packing.short_side,
        fps: packing.fps,
        jpeg: packing.jpeg,
        rate: packing.rate,
    };
    let options = shards::Options {
        threads,
        clips_per_shard: packing.clips_per_shard as usize,
        stop: &stop,
    };
    let all = runtime::data::source::ClipSource::len(files.as_ref()) as u64;
    let mut progress = Progress::new(1);
    let packed = shards::pack(
        &files,
        set,
        &quality,
        &arguments.out,
        &options,
        &mut |done| {
            progress.count(done as u64, all, "clips");
        },
    );
    progress.clear();
    let packed = match packed {
        Err(Error::Interrupted) => {
            say("interrupted: finished shards are kept, the same command goes on behind them");
            return Ok(ExitCode::from(128 + signal.load(Ordering::Relaxed) as u8));
        }
        other => other?,
    };
    if packing.verify {
        let (clips, frames) = shards::verify(set, &arguments.out, &mut |done| {
            progress.count(done as u64, all, "clips verified");
        })?;
        progress.clear();
        say(&format!(
            "verified: {clips} clips, {frames} frames, all hashes and checksums"
        ));
    }
    let header = &packed.header;
    let bytes: u64 = header.shards.iter().map(|shard| shard.bytes).sum();
    let mut text = format!(
        "clips packed: {} of {all}; shards: {}, of them kept: {}; {:.1} MB\n",
        all - header.unreadable.len() as u64,
        header.shards.len(),
        packed.kept,
        bytes as f64 / 1e6
    );
    for unreadable in &header.unreadable {
        text += &format!("unreadable  {}: {}\n", unreadable.file, unreadable.cause);
    }
    write_out(&text);
    say(&format!(
        "to train from them: `root = \"{}\"` under `[data.{}]` in `crisscross.toml`",
        std::path::absolute(&arguments.out)
            .unwrap_or_else(|_| arguments.out.clone())
            .display(),
        set.name
    ));
    let is_bad = header.unreadable.len() as f64 > site.max_bad_share() * all as f64;
    Ok(ExitCode::from(u8::from(is_bad)))
}
