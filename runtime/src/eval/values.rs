//! The numbers of rows of features: in memory where they are few, in a file where they would not fit, and read from there as they are asked
//! for: those of 32 frames of UCF101 take 35 GB.

use super::feature_set::Features;
use crate::error::{Error, Result};
use crate::ffi::Map;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use tch::Tensor;

/// Numbers that are held in memory while rows are gathered: 256 MiB of them.
const HELD: usize = 1 << 26;

/// Float32 numbers, read as a slice.
#[derive(Clone, Debug)]
pub struct Values(Place);

#[derive(Clone, Debug)]
enum Place {
    Memory(Vec<f32>),
    /// So many from this byte of the file on, a multiple of four.
    File {
        map: Arc<Map>,
        from: usize,
        count: usize,
    },
}

impl Values {
    /// Those at these bytes of a file, which stay there; `None` where a machine cannot read them so.
    pub(super) fn in_file(map: &Arc<Map>, from: usize, bytes: usize) -> Option<Self> {
        let values: &[f32] = bytemuck::try_cast_slice(map.bytes().get(from..from + bytes)?).ok()?;
        let (map, count) = (Arc::clone(map), values.len());
        Some(Self(Place::File { map, from, count }))
    }

    /// In memory, to be changed.
    pub fn held(&mut self) -> &mut Vec<f32> {
        if let Place::File { .. } = self.0 {
            self.0 = Place::Memory(self.to_vec());
        }
        match &mut self.0 {
            Place::Memory(values) => values,
            Place::File { .. } => unreachable!("Values: they have just been read"),
        }
    }

    /// Their bytes, as a file has them.
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }
}

impl Deref for Values {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Place::Memory(values) => values,
            Place::File { map, from, count } => {
                bytemuck::cast_slice(&map.bytes()[*from..][..4 * count])
            }
        }
    }
}

impl Default for Values {
    fn default() -> Self {
        Self(Place::Memory(vec![]))
    }
}

impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Self {
        Self(Place::Memory(values))
    }
}

impl FromIterator<f32> for Values {
    fn from_iter<I: IntoIterator<Item = f32>>(values: I) -> Self {
        Vec::from_iter(values).into()
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// Rows that come one after the other. Beyond what memory should hold they go to a file without a name, which is gone with its last reader.
#[derive(Debug)]
pub struct Gathered {
    folder: PathBuf,
    held: Vec<f32>,
    most: usize,
    file: Option<BufWriter<File>>,
    samples: Vec<usize>,
}

impl Gathered {
    /// None yet; the file would be in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            held: vec![],
            most: HELD,
            file: None,
            samples: vec![],
        }
    }

    /// Adds the rows `[n, D]` of a sample, float32 on the CPU; D.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add(&mut self, sample: usize, rows: &Tensor) -> Result<usize> {
        let (count, width) = rows.size2()?;
        let at = self.held.len();
        let values = (count * width) as usize;
        self.held.resize(at + values, 0.0);
        rows.f_copy_data(&mut self.held[at..], values)?;
        self.samples.extend((0..count).map(|_| sample));
        self.pass_on()?;
        Ok(width as usize)
    }

    /// Adds one row of a sample, in several parts.
    ///
    /// # Errors
    /// As [`Gathered::add`].
    pub fn add_row(&mut self, sample: usize, parts: [&[f32]; 2]) -> Result<()> {
        parts.iter().for_each(|part| self.held.extend(*part));
        self.samples.push(sample);
        self.pass_on()
    }

    /// Writes what is held, where it has become much.
    fn pass_on(&mut self) -> Result<()> {
        if self.held.len() < self.most {
            return Ok(());
        }
        let failed = Error::io("write", &self.folder);
        let file = match &mut self.file {
            Some(file) => file,
            none => match tempfile::tempfile_in(&self.folder) {
                Ok(file) => none.insert(BufWriter::new(file)),
                Err(cause) => return Err(failed(cause)),
            },
        };
        let written = file.write_all(bytemuck::cast_slice(&self.held));
        self.held.clear();
        written.map_err(failed)
    }

    /// All of them.
    ///
    /// # Errors
    /// As [`Gathered::add`].
    pub fn finish(mut self) -> Result<Features> {
        let values = match self.file.take() {
            None => self.held.into(),
            Some(mut file) => {
                let read = file
                    .write_all(bytemuck::cast_slice(&self.held))
                    .and_then(|()| {
                        file.into_inner()
                            .map_err(std::io::IntoInnerError::into_error)
                    })
                    .and_then(|file| Map::of(&file));
                let map = Arc::new(read.map_err(Error::io("write", &self.folder))?);
                let bytes = map.bytes().len();
                let values = Values::in_file(&map, 0, bytes);
                values.expect("Gathered: a mapped file begins at a page, and holds whole numbers")
            }
        };
        Ok(Features {
            values,
            samples: self.samples,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn rows_are_the_same_in_memory_and_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let gather = |most: usize| {
            let mut rows = Gathered {
                most,
                ..Gathered::new(folder.path())
            };
            for sample in 0..5_i64 {
                let values = Tensor::arange_start(sample, sample + 6, (Kind::Float, Device::Cpu));
                let width = rows.add(sample as usize, &values.view([2, 3])).unwrap();
                assert_eq!(width, 3);
            }
            rows.add_row(5, [&[1.0], &[2.0, 3.0]]).unwrap();
            rows.finish().unwrap()
        };
        let held = gather(HELD);
        assert!(matches!(held.values.0, Place::Memory(_)));
        assert_eq!(held.values.len(), 33);
        assert_eq!(held.samples, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]);
        for most in [1, 7, 12, 33] {
            let mut filed = gather(most);
            assert!(matches!(filed.values.0, Place::File { .. }), "{most}");
            assert_eq!(filed, held, "{most}");
            // Nothing of it has a name.
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
            filed.values.held()[0] = 9.0;
            assert_eq!(filed.values[..2], [9.0, 1.0]);
        }
        let failed = Gathered {
            most: 1,
            ..Gathered::new(folder.path().join("gone"))
        }
        .add_row(0, [&[1.0], &[]]);
        assert!(failed.unwrap_err().to_string().starts_with("cannot write"));
    }
}
