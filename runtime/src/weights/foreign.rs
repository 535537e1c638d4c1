//! Files of weights as others write them: PyTorch's, of all its containers, and safetensors. What is pickled beside tensors is not run.

use crate::checkpoint;
use crate::error::{Error, Result};
use pytorch_reader::{DType, FileFormat, PickleValue, PytorchReader};
use safetensors::SafeTensors;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tch::{Kind, Tensor};

/// A file of weights, its tensors not yet read.
pub struct Foreign {
    /// The file.
    pub path: PathBuf,
    /// What wrote it: `PyTorch 1.6 or later`, `safetensors`.
    pub container: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its BLAKE3 hash.
    pub blake3: String,
    /// Its tensors by the path of keys to them: `model.module.video_backbone.conv1.0.weight`.
    pub tensors: BTreeMap<String, Found>,
    /// Python types of pickled objects that are neither tensors nor plain data. They were not made, and nothing of them was run.
    pub objects: BTreeSet<String>,
}

/// A tensor of such a file.
pub struct Found {
    /// Its shape.
    pub shape: Vec<i64>,
    /// Its type; `None` for one that libtorch does not have.
    pub kind: Option<Kind>,
    /// What the file calls its type.
    pub type_name: String,
    bytes: Bytes,
}

enum Bytes {
    Pickled(pytorch_reader::Tensor),
    /// A part of a file that is in memory.
    Part(Arc<Vec<u8>>, std::ops::Range<usize>),
}

impl Found {
    /// The tensor, on the CPU.
    ///
    /// # Errors
    /// A file that is shorter or other than its own index says; a type that libtorch does not have.
    pub fn tensor(&self, path: &Path, name: &str) -> Result<Tensor> {
        let kind = self.kind.ok_or_else(|| {
            damaged(
                path,
                format!(
                    "`{name}` is of type {}, which weights are not",
                    self.type_name
                ),
            )
        })?;
        let read;
        let bytes = match &self.bytes {
            Bytes::Part(file, range) => &file[range.clone()],
            Bytes::Pickled(tensor) => {
                read = tensor
                    .read()
                    .map_err(|cause| damaged(path, cause.to_string()))?;
                &read
            }
        };
        Ok(Tensor::f_from_data_size(bytes, &self.shape, kind)?)
    }
}

/// Opens a file of weights.
///
/// # Errors
/// A file that cannot be read, or is none of weights: cut short, another archive, without a tensor.
pub fn open(path: &Path) -> Result<Foreign> {
    let file = fs::read(path).map_err(Error::io("read", path))?;
    let bytes = file.len() as u64;
    let blake3 = blake3::hash(&file).to_hex().to_string();
    // The header of safetensors is a JSON object behind its length.
    let is_safetensors = file.len() > 8 && file[8] == b'{' && !file.starts_with(b"PK");
    let (container, tensors, objects) = match is_safetensors {
        true => {
            let (container, tensors) = of_safetensors(path, file)?;
            (container, tensors, BTreeSet::new())
        }
        false => {
            let is_zip = file.starts_with(b"PK");
            drop(file);
            of_pytorch(path, is_zip)?
        }
    };
    if tensors.is_empty() {
        return Err(Error::Weights {
            path: path.to_owned(),
            message: format!("it holds no tensor{}", passed_over(&objects)),
            help:
                "name a file that `torch.save` has written from a state dict, or a safetensors file"
                    .to_owned(),
        });
    }
    Ok(Foreign {
        path: path.to_owned(),
        container,
        bytes,
        blake3,
        tensors,
        objects,
    })
}

/// What is said of pickled objects, for the end of a sentence; nothing where there are none.
pub fn passed_over(objects: &BTreeSet<String>) -> String {
    if objects.is_empty() {
        return String::new();
    }
    let names: Vec<String> = objects
        .iter()
        .take(3)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = match objects.len().saturating_sub(3) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "; it also pickles {}{more}: no such object was made, and none of its code was run",
        names.join(", ")
    )
}

fn of_safetensors(path: &Path, file: Vec<u8>) -> Result<(&'static str, BTreeMap<String, Found>)> {
    let file = Arc::new(file);
    let parsed = SafeTensors::deserialize(&file)
        .map_err(|cause| damaged(path, format!("it is no whole safetensors file ({cause})")))?;
    let start = file.as_ptr() as usize;
    let mut tensors = BTreeMap::new();
    for (name, view) in parsed.tensors() {
        let at = view.data().as_ptr() as usize - start;
        let found = Found {
            shape: view.shape().iter().map(|&n| n as i64).collect(),
            kind: checkpoint::kind(view.dtype()),
            type_name: format!("{:?}", view.dtype()),
            bytes: Bytes::Part(Arc::clone(&file), at..at + view.data().len()),
        };
        tensors.insert(name, found);
    }
    Ok(("safetensors", tensors))
}

type Parsed = (&'static str, BTreeMap<String, Found>, BTreeSet<String>);

fn of_pytorch(path: &Path, is_zip: bool) -> Result<Parsed> {
    let unfit =
        |cause: pytorch_reader::PytorchError| no_checkpoint(path, is_zip, &cause.to_string());
    let values = PytorchReader::read_pickle_data(path, None).map_err(unfit)?;
    let mut objects = BTreeSet::new();
    collect(&values, &mut objects);
    drop(values);
    let reader = PytorchReader::new(path).map_err(unfit)?;
    let container = match reader.metadata().format_type {
        FileFormat::Zip => "PyTorch 1.6 or later",
        FileFormat::Legacy => "PyTorch 0.1.10 to 1.5",
        FileFormat::Tar => "PyTorch before 0.1.10",
        FileFormat::Pickle => "a pickle",
    };
    let tensors = reader.into_tensors().into_iter().map(|(name, tensor)| {
        let found = Found {
            shape: tensor.shape().iter().map(|&n| n as i64).collect(),
            kind: kind(tensor.dtype()),
            type_name: format!("{:?}", tensor.dtype()),
            bytes: Bytes::Pickled(tensor),
        };
        (name, found)
    });
    Ok((container, tensors.collect(), objects))
}

/// Python types of what is neither data nor a tensor.
fn collect(value: &PickleValue, objects: &mut BTreeSet<String>) {
    match value {
        PickleValue::Unsupported(name) => {
            // As they are called, tensors and the numbers of types are no code.
            let is_data = name.starts_with("torch.")
                || name.ends_with("Tensor")
                || name.ends_with("Parameter");
            if !is_data {
                objects.insert(name.clone());
            }
        }
        PickleValue::List(values) => values.iter().for_each(|value| collect(value, objects)),
        PickleValue::Dict(values) => {
            // What comes out is sorted.
            #[allow(clippy::iter_over_hash_type)]
            for value in values.values() {
                collect(value, objects);
            }
        }
        PickleValue::None
        | PickleValue::Bool(_)
        | PickleValue::Int(_)
        | PickleValue::Float(_)
        | PickleValue::String(_)
        | PickleValue::Bytes(_) => {}
    }
}

/// libtorch's name of a type.
fn kind(dtype: DType) -> Option<Kind> {
    match dtype {
        DType::F64 => Some(Kind::Double),
        DType::F32 => Some(Kind::Float),
        DType::F16 => Some(Kind::Half),
        DType::BF16 => Some(Kind::BFloat16),
        DType::I64 => Some(Kind::Int64),
        DType::I32 => Some(Kind::Int),
        DType::I16 => Some(Kind::Int16),
        DType::I8 => Some(Kind::Int8),
        DType::U8 => Some(Kind::Uint8),
        DType::Bool => Some(Kind::Bool),
        DType::U64 | DType::U32 | DType::U16 => None,
    }
}

/// A file that the reader refuses. It says what it met; what that means is said here.
fn no_checkpoint(path: &Path, is_zip: bool, cause: &str) -> Error {
    let names = zip_names(path).filter(|_| is_zip);
    let (message, help) = match names {
        Some(names) if !names.iter().any(|name| name.ends_with("data.pkl")) => {
            let inner = names.iter().find(|name| name.contains(".pth") || name.contains(".pt"));
            let help = match inner {
                Some(inner) => format!(
                    "it holds `{inner}`: unpack it (`unzip {}`), and name that file",
                    path.display()
                ),
                None => "name a file that `torch.save` has written".to_owned(),
            };
            ("it is a zip archive, but no checkpoint: it has no `data.pkl`".to_owned(), help)
        }
        Some(_) | None => (
            format!("it is no readable file of weights: {cause}"),
            "fetch it again if it was cut short; files of PyTorch (`.pth`, `.pt`, `.pth.tar`) and safetensors can be read".to_owned(),
        ),
    };
    Error::Weights {
        path: path.to_owned(),
        message,
        help,
    }
}

/// Names in a zip archive; `None` where it has no directory that can be read.
fn zip_names(path: &Path) -> Option<Vec<String>> {
    let archive = zip::ZipArchive::new(fs::File::open(path).ok()?).ok()?;
    let names = archive.file_names();
    Some(
        names
            .filter_map(|name| Some(name.ok()?.into_owned()))
            .collect(),
    )
}

fn damaged(path: &Path, message: String) -> Error {
    Error::Weights {
        path: path.to_owned(),
        message,
        help: "fetch or write the file again".to_owned(),
    }
}
