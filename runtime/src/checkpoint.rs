//! Weights and running statistics as a safetensors file, by the names of the released code.

use crate::error::{Error, Result};
use crate::ffi;
use crate::nn::parameters::Entry;
use records::folder::write_whole;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// The file of a finished training in its run folder.
pub const FILE: &str = records::folder::CHECKPOINT;

/// Writes the entries to `path`: under another name first, synchronised to the disk, then renamed, so that a file of this
/// name is always whole. Equal tensors give equal bytes.
pub fn save<'a>(path: &Path, entries: impl IntoIterator<Item = &'a Entry>) -> Result<()> {
    let file = serialise(path, entries, ("format", "pt"))?;
    Ok(write_whole(path, &file)?)
}

/// The entries as the bytes of a safetensors file with one note beside them: the order of several in the header would change
/// from run to run. `path` is named where that cannot be done.
pub fn serialise<'a>(
    path: &Path,
    entries: impl IntoIterator<Item = &'a Entry>,
    (key, note): (&str, &str),
) -> Result<Vec<u8>> {
    let entries: Vec<_> = entries
        .into_iter()
        .map(|entry| Ok((entry.name.as_str(), bytes(entry)?)))
        .collect::<Result<_>>()?;
    let unfit = |cause: &dyn std::fmt::Display| Error::Checkpoint {
        path: path.to_owned(),
        message: cause.to_string(),
    };
    let views: Vec<_> = entries
        .iter()
        .map(|(name, (dtype, shape, bytes))| {
            let bytes = ffi::read_bytes(bytes);
            Ok((*name, TensorView::new(*dtype, shape.clone(), bytes)?))
        })
        .collect::<std::result::Result<_, safetensors::SafeTensorError>>()
        .map_err(|cause| unfit(&cause))?;
    let notes = HashMap::from([(key.to_owned(), note.to_owned())]);
    safetensors::serialize(views, Some(notes)).map_err(|cause| unfit(&cause))
}

/// The note under `key` in the bytes of a safetensors file; `None` where there is none.
pub fn note(file: &[u8], key: &str) -> Option<String> {
    let (_, header) = SafeTensors::read_metadata(file).ok()?;
    header.metadata().as_ref()?.get(key).cloned()
}

/// Fills the entries from the file. Tensors of other networks in the file are passed over.
///
/// A damaged file, and a tensor that is missing or of another shape, is an error that names what differs.
pub fn load<'a>(path: &Path, entries: impl IntoIterator<Item = &'a Entry>) -> Result<()> {
    fill(
        path,
        &fs::read(path).map_err(Error::io("read", path))?,
        entries,
    )
}

/// [`load`] from the bytes of the file `path`.
pub fn fill<'a>(
    path: &Path,
    file: &[u8],
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<()> {
    let unfit = |message: String| Error::Checkpoint {
        path: path.to_owned(),
        message,
    };
    let tensors = SafeTensors::deserialize(file).map_err(|cause| {
        unfit(format!(
            "it is no whole safetensors file ({cause}); delete its folder and run again"
        ))
    })?;
    let entries: Vec<_> = entries.into_iter().collect();
    let (mut missing, mut differing) = (BTreeSet::new(), Vec::new());
    for entry in &entries {
        match tensors.tensor(&entry.name) {
            Ok(view)
                if view
                    .shape()
                    .iter()
                    .map(|&n| n as i64)
                    .eq(entry.tensor.size()) => {}
            Ok(view) => differing.push(format!(
                "`{}` is {:?}, not {:?}",
                entry.name,
                view.shape(),
                entry.tensor.size()
            )),
            Err(_) => drop(missing.insert(entry.name.as_str())),
        }
    }
    if !missing.is_empty() || !differing.is_empty() {
        let mut found = differing;
        found.extend(missing.first().map(|first| {
            format!(
                "{} tensors are missing, `{first}` among them",
                missing.len()
            )
        }));
        found.truncate(3);
        return Err(unfit(format!(
            "it belongs to other networks: {}",
            found.join("; ")
        )));
    }
    for entry in entries {
        let view = tensors
            .tensor(&entry.name)
            .map_err(|cause| unfit(cause.to_string()))?;
        let kind = kind(view.dtype())
            .ok_or_else(|| unfit(format!("`{}` is of type {:?}", entry.name, view.dtype())))?;
        entry.set(&Tensor::f_from_data_size(
            view.data(),
            &entry.tensor.size(),
            kind,
        )?)?;
    }
    Ok(())
}

/// The tensors in the bytes of the file `path` whose names begin with `prefix`, by the rest of their names.
pub fn tensors(path: &Path, file: &[u8], prefix: &str) -> Result<BTreeMap<String, Tensor>> {
    let unfit = |message: String| Error::Checkpoint {
        path: path.to_owned(),
        message,
    };
    let tensors = SafeTensors::deserialize(file)
        .map_err(|cause| unfit(format!("it is no whole safetensors file ({cause})")))?;
    let mut found = BTreeMap::new();
    for (name, view) in tensors.tensors() {
        let Some(rest) = name.strip_prefix(prefix) else {
            continue;
        };
        let kind = kind(view.dtype())
            .ok_or_else(|| unfit(format!("`{name}` is of type {:?}", view.dtype())))?;
        let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        let tensor = Tensor::f_from_data_size(view.data(), &shape, kind)?;
        found.insert(rest.to_owned(), tensor);
    }
    Ok(found)
}

/// Type and shape of a tensor, and its bytes as a tensor on the CPU: its own memory where that is there already.
fn bytes(entry: &Entry) -> Result<(Dtype, Vec<usize>, Tensor)> {
    let tensor = entry.tensor.detach().to_device(Device::Cpu).contiguous();
    let kinds = [Dtype::F32, Dtype::F64, Dtype::I64, Dtype::F16, Dtype::BF16];
    let dtype = kinds
        .into_iter()
        .find(|&dtype| kind(dtype) == Some(tensor.kind()));
    let dtype = dtype.ok_or_else(|| Error::Unsupported {
        message: format!(
            "`{}` is of a type that checkpoints do not hold: {:?}",
            entry.name,
            tensor.kind()
        ),
    })?;
    let shape = tensor
        .size()
        .into_iter()
        .map(|n| usize::try_from(n).unwrap_or(0))
        .collect();
    let bytes = tensor.f_view([-1])?.f_view_dtype(Kind::Uint8)?;
    Ok((dtype, shape, bytes))
}

/// libtorch's name of a safetensors type.
pub(crate) fn kind(dtype: Dtype) -> Option<Kind> {
    let pairs = [
        (Dtype::F32, Kind::Float),
        (Dtype::F64, Kind::Double),
        (Dtype::I64, Kind::Int64),
        (Dtype::F16, Kind::Half),
        (Dtype::BF16, Kind::BFloat16),
        (Dtype::U8, Kind::Uint8),
    ];
    pairs
        .into_iter()
        .find(|(known, _)| *known == dtype)
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::parameters::{Init, Parameters};

    fn entries(seed: u64, width: i64) -> Parameters {
        let mut parameters = Parameters::new(seed, Kind::Float, Device::Cpu);
        let _ = parameters.learn(
            "video_backbone.w".to_owned(),
            &[3, width],
            Init::Uniform(1.0),
        );
        let _ = parameters.counter("video_backbone.n".to_owned());
        parameters
    }

    #[test]
    fn what_is_saved_is_loaded_and_equal_tensors_give_equal_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        let saved = entries(1, 4);
        save(&first, saved.entries()).unwrap();
        let other = entries(2, 4);
        assert_ne!(saved.entries()[0].tensor, other.entries()[0].tensor);
        load(&first, other.entries()).unwrap();
        assert_eq!(saved.entries()[0].tensor, other.entries()[0].tensor);
        save(&second, other.entries()).unwrap();
        assert_eq!(fs::read(first).unwrap(), fs::read(second).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_checkpoint_that_does_not_fit_says_what_differs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let message =
            |entries: &Parameters| load(&path, entries.entries()).unwrap_err().to_string();
        assert!(message(&entries(1, 4)).contains("cannot read"));
        save(&path, entries(1, 4).entries()).unwrap();
        assert!(message(&entries(1, 5)).contains("`video_backbone.w` is [3, 4], not [3, 5]"));
        let mut more = entries(1, 4);
        let _ = more.counter("audio_backbone.n".to_owned());
        assert!(message(&more).contains("1 tensors are missing, `audio_backbone.n` among them"));
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(message(&entries(1, 4)).contains("no whole safetensors file"));
        fs::write(&path, b"").unwrap();
        assert!(message(&entries(1, 4)).contains("no whole safetensors file"));
    }
}
