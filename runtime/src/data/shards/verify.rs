//! Reads a packed folder whole.

use super::Shards;
use crate::data::source::ClipSource;
use crate::error::{Error, Result};
use compiler::hir;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Reads all of a packed folder: each shard against its hash, each frame and second of sound against its checksum, each frame
/// decoded. Returns the numbers of clips and frames. `progress` is called with the number of clips that are done.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(
    set: &hir::Files,
    folder: &Path,
    progress: &mut dyn FnMut(usize),
) -> Result<(usize, u64)> {
    let shards = Shards::open(set, folder)?;
    for shard in &shards.header().shards {
        let path = folder.join(&shard.file);
        if hash(&path)? != shard.hash {
            return Err(Error::Data {
                name: set.name.clone(),
                message: format!("`{}` is not as it was packed", path.display()),
                help: "copy it again, or remove it and pack again into this folder: the other shards are kept"
                    .to_owned(),
            });
        }
    }
    let mut frames = 0;
    for clip in 0..shards.len() {
        frames += shards.verify(clip)?;
        progress(clip + 1);
    }
    Ok((shards.len(), frames))
}

/// BLAKE3 of a file.
pub(super) fn hash(path: &Path) -> Result<String> {
    let failed = Error::io("read", path);
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(&failed)?);
    let mut hash = blake3::Hasher::new();
    let mut bytes = vec![0; 1 << 20];
    loop {
        match file.read(&mut bytes).map_err(&failed)? {
            0 => return Ok(hash.finalize().to_hex().to_string()),
            read => hash.update(&bytes[..read]),
        };
    }
}
