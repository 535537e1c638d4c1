//! Weights in and out: files of the released code and of others become a pretraining of ours, and ours get their names.
//!
//! A pretraining is known by the hash of its settings. Weights that are imported as one stand in the place of its training: in a run folder of
//! that stage whose `run.json` says where they come from, and whose fingerprint of data is that of the files, so that no score on imported
//! weights is taken for one on trained ones.

pub mod export;
pub mod foreign;
pub mod import;
pub mod names;

use crate::error::{Error, Result};
use crate::nn;
use compiler::hir;
use compiler::plan::Stage;
use records::folder::Finished;

/// The pretraining of `stage` as it was imported.
///
/// # Errors
/// States on the way are asked for: imported weights are those of the end alone.
pub fn as_imported(imported: &Finished, stage: &Stage) -> Result<Finished> {
    match imported.lacks(&stage.work).first() {
        None => Ok(imported.clone()),
        Some(epoch) => Err(Error::Unsupported {
            message: format!(
                "the state after {epoch}ep is asked for, and the weights were imported (`{}`): they are those of the end alone",
                imported.path.display()
            ),
        }),
    }
}

/// Refuses weights that were imported without the backbone of this modality.
///
/// # Errors
/// Which backbone is not there, and how it is imported.
pub fn has_backbone(finished: &Finished, settings: &hir::Pretrain, modality: &str) -> Result<()> {
    let Some(imported) = &finished.run.imported else {
        return Ok(());
    };
    let network = nn::backbone_of(settings, modality)?;
    if imported.networks.contains(&network) {
        return Ok(());
    }
    let files: Vec<&str> = imported
        .files
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    Err(Error::Weights {
        path: finished.path.clone(),
        message: format!(
            "its weights were imported, and those of `{network}` are not among them ({} are)",
            imported.networks.join(", ")
        ),
        help: format!(
            "remove the folder, and import all files at once: `crisscross import {} FILE --as ...`",
            files.join(" ")
        ),
    })
}
