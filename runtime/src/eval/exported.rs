//! Features of any clips, for other programs: as safetensors or as NumPy's archive.
//!
//! Both hold, for R rows of D values and S samples:
//!
//! | array | shape | meaning |
//! | --- | --- | --- |
//! | `features` | `[R, D]` f32 | a row for each clip |
//! | `sample` | `[R]` i64 | the sample of each row, in `0..S` |
//! | `label` | `[S]` i64 | the class of each sample; -1 without one |
//! | `fold` | `[S]` i64 | its fold or split, from 1; 0 trains only; -1 without one |
//!
//! Names of samples and classes are arrays of texts, `samples` and `classes`, in an archive, and stand as JSON under `crisscross` in the
//! metadata of safetensors, with what made them.

use super::feature_set::{Features, write_tensors};
use super::features::{Asked, Frozen, Trained};
use super::values::Gathered;
use crate::data::loader::Options;
use crate::data::reader::Role;
use crate::data::source::ClipSource;
use crate::error::{Error, Result};
use compiler::hir;
use npyz::{AutoSerialize, DType, Serialize as Saved, WriterBuilder};
use records::folder::write_through;
use safetensors::tensor::Dtype;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tch::Device;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Features of clips with what is known of their samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exported {
    /// The rows.
    pub features: Features,
    /// Values of a row.
    pub width: usize,
    /// What the samples are.
    pub about: About,
    /// The class of each sample; -1 without one.
    pub labels: Vec<i64>,
    /// The fold of each sample; -1 without one.
    pub folds: Vec<i64>,
    /// Samples without rows, each with the reason.
    pub left_out: BTreeMap<usize, String>,
}

/// What stands beside the numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct About {
    /// The folder or data set.
    pub data: String,
    /// The run folder of the weights.
    pub weights: String,
    /// Its stage.
    pub stage: String,
    /// The protocol whose clips and chain of features these are.
    pub eval: String,
    /// Its fields, closed.
    pub fields: Vec<(String, String)>,
    /// Whether clips are augmented, as those of its training are.
    pub augmented: bool,
    /// Names of the samples, below the folder.
    pub samples: Vec<String>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

/// Which features of which clips are made.
pub struct Wanted<'a> {
    /// The protocol; its data set and head are not looked at.
    pub eval: &'a hir::Eval,
    /// Augmented or not.
    pub role: Role,
    /// The folder that names of samples are told from.
    pub below: &'a Path,
    /// What is known of them so far.
    pub about: About,
    /// Where rows lie that memory does not hold, in a file without a name.
    pub folder: &'a Path,
}

/// The features of all clips of `source`.
///
/// # Errors
/// As an extraction; no clip that could be used.
pub fn features(
    wanted: Wanted<'_>,
    model: Trained,
    source: &Arc<dyn ClipSource>,
    device: Device,
    options: &Options,
    progress: &mut dyn FnMut(u64, u64),
    stop: &AtomicBool,
) -> Result<Exported> {
    let network = Frozen::load(model, wanted.eval, device)?;
    let all = source.len() as u64;
    let asked = Asked {
        role: wanted.role,
        clips: (0..source.len() as u32).collect(),
        seed: model.settings.seed,
        options,
    };
    let (mut done, mut features) = (0, Gathered::new(wanted.folder));
    let mut each = || {
        done += 1;
        progress(done, all);
    };
    let came = network.read(source, asked, &mut features, &mut each, stop)?;
    let Some(width) = came.width else {
        return Err(Error::Data {
            name: wanted.about.data.clone(),
            message: match came.left_out.values().next() {
                Some(first) => format!("none of its {all} clips could be used: {first}"),
                None => "it has no clip".to_owned(),
            },
            help: "name a folder whose files have the streams that the protocol reads".to_owned(),
        });
    };
    let of = |known: &dyn Fn(usize) -> Option<u32>| -> Vec<i64> {
        (0..source.len())
            .map(|clip| known(clip).map_or(-1, i64::from))
            .collect()
    };
    let folder = format!("{}/", wanted.below.display());
    let told = |note: &str| note.strip_prefix(&folder).unwrap_or(note).to_owned();
    let below = |name: String| match Path::new(&name).strip_prefix(wanted.below) {
        Ok(rest) => rest.display().to_string(),
        Err(_) => name,
    };
    Ok(Exported {
        width,
        labels: of(&|clip| source.label(clip)),
        folds: of(&|clip| source.fold(clip)),
        about: About {
            samples: (0..source.len())
                .map(|clip| below(source.name(clip)))
                .collect(),
            classes: source.classes().to_vec(),
            ..wanted.about
        },
        left_out: came
            .left_out
            .into_iter()
            .map(|(sample, note)| (sample, told(&note)))
            .collect(),
        features: features.finish()?,
    })
}

impl Exported {
    fn owners(&self) -> Vec<i64> {
        self.features
            .samples
            .iter()
            .map(|sample| *sample as i64)
            .collect()
    }

    /// Writes it, as NumPy's archive where the name ends in `.npz`, as safetensors else. Equal features give equal bytes.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let is_archive = path.extension().is_some_and(|ending| ending == "npz");
        match is_archive {
            true => write_through(path, |part| {
                self.npz(part).map_err(Error::io("write", path))
            }),
            false => self.safetensors(path),
        }
    }

    fn safetensors(&self, path: &Path) -> Result<()> {
        let whole =
            |values: &[i64]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
        let rows = self.features.samples.len();
        let (owners, labels, folds) = (
            whole(&self.owners()),
            whole(&self.labels),
            whole(&self.folds),
        );
        let samples = self.about.samples.len();
        let parts = [
            (
                "features",
                Dtype::F32,
                vec![rows, self.width],
                self.features.values.bytes(),
            ),
            ("sample", Dtype::I64, vec![rows], &owners),
            ("label", Dtype::I64, vec![samples], &labels),
            ("fold", Dtype::I64, vec![samples], &folds),
        ];
        write_tensors(path, &parts, &self.about)
    }

    fn npz(&self, part: &Path) -> std::io::Result<()> {
        let file = BufWriter::new(File::create(part)?);
        let mut archive = Archive(ZipWriter::new(file));
        let rows = self.features.samples.len() as u64;
        let shape = [rows, self.width as u64];
        archive.numbers("features", &shape, &self.features.values)?;
        archive.numbers("sample", &[rows], &self.owners())?;
        archive.numbers("label", &[self.labels.len() as u64], &self.labels)?;
        archive.numbers("fold", &[self.folds.len() as u64], &self.folds)?;
        archive.texts("samples", &self.about.samples)?;
        archive.texts("classes", &self.about.classes)?;
        let about = serde_json::to_string(&self.about).expect("names are plain text");
        archive.texts("about", &[about])?;
        archive.0.finish().map_err(std::io::Error::other)?.flush()
    }
}

/// An archive of arrays under way.
struct Archive(ZipWriter<BufWriter<File>>);

impl Archive {
    fn numbers<T: AutoSerialize + Copy>(
        &mut self,
        name: &str,
        shape: &[u64],
        values: &[T],
    ) -> std::io::Result<()> {
        self.array(name, T::default_dtype(), shape, values.iter().copied())
    }

    /// Texts as NumPy's `str`, as wide as the longest.
    fn texts(&mut self, name: &str, texts: &[String]) -> std::io::Result<()> {
        let widest = texts
            .iter()
            .map(|text| text.chars().count())
            .max()
            .unwrap_or(0)
            .max(1);
        let dtype = format!("<U{widest}")
            .parse()
            .map_err(std::io::Error::other)?;
        self.array(
            name,
            DType::Plain(dtype),
            &[texts.len() as u64],
            texts.iter().cloned(),
        )
    }

    fn array<T: Saved>(
        &mut self,
        name: &str,
        dtype: DType,
        shape: &[u64],
        values: impl Iterator<Item = T>,
    ) -> std::io::Result<()> {
        // The date of an entry is 1980 in all archives.
        let stored = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(true);
        self.0
            .start_file(format!("{name}.npy"), stored)
            .map_err(std::io::Error::other)?;
        let mut writer = npyz::WriteOptions::new()
            .dtype(dtype)
            .shape(shape)
            .writer(&mut self.0)
            .begin_nd()?;
        writer.extend(values)?;
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Exported {
        Exported {
            features: Features {
                values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0].into(),
                samples: vec![0, 0, 1],
            },
            width: 2,
            about: About {
                samples: vec!["a/x.mp4".to_owned(), "é.wav".to_owned()],
                classes: vec!["a".to_owned()],
                ..About::default()
            },
            labels: vec![0, -1],
            folds: vec![-1, -1],
            left_out: BTreeMap::new(),
        }
    }

    #[test]
    fn an_archive_holds_what_numpy_reads() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("f.npz");
        two().save(&path).unwrap();
        let mut archive = zip::ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
        let mut read = |name: &str| {
            let mut bytes = vec![];
            std::io::Read::read_to_end(&mut archive.by_name(name).unwrap(), &mut bytes).unwrap();
            bytes
        };
        let bytes = read("features.npy");
        let array = npyz::NpyFile::new(&bytes[..]).unwrap();
        assert_eq!(array.shape(), [3, 2]);
        assert_eq!(
            array.into_vec::<f32>().unwrap(),
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        );
        let bytes = read("label.npy");
        assert_eq!(
            npyz::NpyFile::new(&bytes[..])
                .unwrap()
                .into_vec::<i64>()
                .unwrap(),
            [0, -1]
        );
        let bytes = read("samples.npy");
        let names = npyz::NpyFile::new(&bytes[..]).unwrap();
        assert_eq!(names.into_vec::<String>().unwrap(), ["a/x.mp4", "é.wav"]);
        let again = place.path().join("again.npz");
        two().save(&again).unwrap();
        assert_eq!(std::fs::read(path).unwrap(), std::fs::read(again).unwrap());
    }

    #[test]
    fn safetensors_hold_the_names_beside_the_numbers() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("f.safetensors");
        two().save(&path).unwrap();
        let file = std::fs::read(&path).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
        assert_eq!(tensors.tensor("features").unwrap().shape(), [3, 2]);
        assert_eq!(tensors.tensor("sample").unwrap().shape(), [3]);
        let note = crate::checkpoint::note(&file, "crisscross").unwrap();
        assert!(note.contains("a/x.mp4"), "{note}");
    }
}
