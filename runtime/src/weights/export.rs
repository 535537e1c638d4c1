//! The weights of a run folder with the names that other programs know.

use super::import::first_layer;
use super::names::{Names, authors, to_authors, to_torchvision, torchvision};
use crate::error::{Error, Result};
use crate::nn::backbone_name;
use compiler::hir;
use records::folder::write_whole;
use safetensors::SafeTensors;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Tensors.
    pub tensors: usize,
    /// Bytes of the file.
    pub bytes: u64,
    /// The networks.
    pub networks: Vec<String>,
    /// Networks of the checkpoint that other programs' names do not reach, with the reason.
    pub left_out: Vec<(String, String)>,
    /// How the file is loaded, in Python; empty where its names are ours.
    pub load: Vec<String>,
}

/// Writes the weights in the file `from`, of a pretraining of these settings, to `to`: all of them, or those of `network` alone, whose
/// names then have no network before them, as in the released files.
///
/// # Errors
/// A checkpoint that cannot be read; a network that is not in it; names that the network cannot have, with the reason.
pub fn export(
    settings: &hir::Pretrain,
    (from, to): (&Path, &Path),
    names: Names,
    network: Option<&str>,
) -> Result<Exported> {
    let file = fs::read(from).map_err(Error::io("read", from))?;
    let unfit = |cause: String| Error::Checkpoint {
        path: from.to_owned(),
        message: cause,
    };
    let tensors = SafeTensors::deserialize(&file)
        .map_err(|cause| unfit(format!("it is no whole safetensors file ({cause})")))?;
    let all: BTreeSet<String> = tensors
        .names()
        .into_iter()
        .filter_map(|name| Some(name.split_once('.')?.0.to_owned()))
        .collect();
    let is_alone = network.is_some();
    let network = network.map(|asked| one_of(&all, asked)).transpose()?;
    let mut left_out = vec![];
    let chosen: Vec<String> = match (names, network) {
        (_, Some(network)) => vec![network],
        (Names::Ours | Names::Authors, None) => all.iter().cloned().collect(),
        (Names::Torchvision, None) => {
            let backbones = all
                .iter()
                .filter(|name| first_layer(settings, name).is_some());
            let mut fit = vec![];
            for name in backbones {
                match made_of(settings, name) {
                    Ok(_) => fit.push(name.clone()),
                    Err(why) => left_out.push((name.clone(), why)),
                }
            }
            fit
        }
    };
    if names == Names::Torchvision {
        match chosen.as_slice() {
            [one] => {
                drop(made_of(settings, one).map_err(|why| refused(&format!("`{one}`"), &why))?)
            }
            [] => {
                let why: Vec<String> = left_out
                    .iter()
                    .map(|(name, why)| format!("`{name}`: {why}"))
                    .collect();
                return Err(refused("this pretraining", &why.join("; ")));
            }
            [first, ..] => {
                return Err(Error::Unsupported {
                    message: format!(
                        "torchvision has a file for each network, and {} can have its names; say which: `--network {first}`",
                        chosen.join(", ")
                    ),
                });
            }
        }
    }
    let mut written = vec![];
    for (name, view) in tensors.tensors() {
        let Some((of, rest)) = name.split_once('.') else {
            continue;
        };
        if !chosen.iter().any(|chosen| chosen == of) {
            continue;
        }
        let new = match (names, is_alone) {
            (Names::Torchvision, _) => to_torchvision(rest)
                .ok_or_else(|| unfit(format!("`{name}` is no tensor of a ResNet")))?,
            (Names::Authors, true) => to_authors(rest, first_layer(settings, of)),
            (Names::Authors, false) => {
                format!("{of}.{}", to_authors(rest, first_layer(settings, of)))
            }
            (Names::Ours, _) => name.clone(),
        };
        written.push((new, view));
    }
    let count = written.len();
    let notes = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes =
        safetensors::serialize(written, Some(notes)).map_err(|cause| unfit(cause.to_string()))?;
    write_whole(to, &bytes)?;
    Ok(Exported {
        tensors: count,
        bytes: bytes.len() as u64,
        load: loading(settings, &chosen, names, (to, is_alone)),
        networks: chosen,
        left_out,
    })
}

/// What makes torchvision's network of this one.
fn made_of(settings: &hir::Pretrain, network: &str) -> std::result::Result<String, String> {
    match first_layer(settings, network) {
        Some(layer) => torchvision(layer),
        None => Err("it is no backbone, and torchvision has no such network".to_owned()),
    }
}

fn refused(what: &str, why: &str) -> Error {
    Error::Unsupported {
        message: format!(
            "{what} cannot have torchvision's names: {why}; `--names authors` writes it"
        ),
    }
}

/// The network of this name, or the backbone of the modality of this name.
fn one_of(all: &BTreeSet<String>, asked: &str) -> Result<String> {
    let names = [
        asked.to_owned(),
        backbone_name(asked.strip_suffix(".f").unwrap_or(asked)),
    ];
    names
        .into_iter()
        .find(|name| all.contains(name))
        .ok_or_else(|| {
            let known: Vec<String> = all.iter().map(|name| format!("`{name}`")).collect();
            Error::Unsupported {
                message: format!(
                    "the checkpoint has no network `{asked}`; it has {}",
                    known.join(", ")
                ),
            }
        })
}

/// Lines of Python that load the file.
fn loading(
    settings: &hir::Pretrain,
    networks: &[String],
    names: Names,
    (file, is_alone): (&Path, bool),
) -> Vec<String> {
    let read = format!(
        "state = safetensors.torch.load_file({:?})",
        file.display().to_string()
    );
    match (names, networks) {
        (Names::Ours, _) => vec![],
        (Names::Torchvision, [one]) => {
            let made = made_of(settings, one).unwrap_or_default();
            vec![made, read, "net.load_state_dict(state); net.eval()".to_owned()]
        }
        (Names::Authors, [one]) if is_alone && first_layer(settings, one).is_some() => {
            match first_layer(settings, one).map(authors) {
                Some(Ok(made)) => vec![made, read, "net.load_state_dict(state); net.eval()".to_owned()],
                Some(Err(why)) => vec![format!("# {why}"), read],
                None => vec![read],
            }
        }
        (Names::Authors | Names::Torchvision, _) => vec![
            read,
            "net.load_state_dict(state, strict=False)   # its encoders hold the same modules once more".to_owned(),
        ],
    }
}
