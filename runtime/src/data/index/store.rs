//! The file in which an index is kept: a header in JSON, then columns of numbers, each with its own hash.
//!
//! Little-endian numbers one after the other, so that a data set of millions of files is read in a second. A file of another
//! version, or one that is cut off or damaged, is not taken: it is set aside and made anew.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"ccindex\n";
/// Grows with every change of what is kept.
pub const VERSION: u32 = 2;
const HASH: usize = 16;

/// Why a file is no index of this version.
#[derive(Debug)]
pub enum Unusable {
    /// There is none.
    Absent,
    /// It is one of another version, or damaged, in words.
    Because(String),
}

/// A column as bytes.
pub trait Column: Sized {
    /// To the file.
    fn write(&self, into: &mut Vec<u8>);
    /// From the file; `None` where the length is none that it can have.
    fn read(bytes: Vec<u8>) -> Option<Self>;
}

impl Column for String {
    fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(self.as_bytes());
    }
    fn read(bytes: Vec<u8>) -> Option<Self> {
        Self::from_utf8(bytes).ok()
    }
}

impl Column for Vec<u8> {
    fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(self);
    }
    fn read(bytes: Vec<u8>) -> Option<Self> {
        Some(bytes)
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Column for Vec<$number> {
            fn write(&self, into: &mut Vec<u8>) {
                self.iter().for_each(|number| into.extend_from_slice(&number.to_le_bytes()));
            }
            fn read(bytes: Vec<u8>) -> Option<Self> {
                let (words, rest) = bytes.as_chunks();
                let numbers = words.iter().map(|word| <$number>::from_le_bytes(*word));
                rest.is_empty().then(|| numbers.collect())
            }
        }
    )*};
}
numbers!(u16, u32, u64, f32, f64);

/// An index that is being written, beside its place; [`Writer::finish`] puts it there.
pub struct Writer {
    path: PathBuf,
    part: tempfile::NamedTempFile,
    buffer: Vec<u8>,
}

impl Writer {
    /// Begins the file with its header.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn new(path: &Path, header: &[u8]) -> Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let failed = Error::io("write", path);
        std::fs::create_dir_all(folder).map_err(&failed)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".index");
        // Others may read it as the user's `umask` allows.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut part = builder.tempfile_in(folder).map_err(&failed)?;
        part.write_all(MAGIC).map_err(&failed)?;
        part.write_all(&VERSION.to_le_bytes()).map_err(&failed)?;
        let mut writer = Self {
            path: path.to_owned(),
            part,
            buffer: Vec::new(),
        };
        writer.column(&header.to_vec())?;
        Ok(writer)
    }

    /// Adds a column.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn column(&mut self, column: &impl Column) -> Result<()> {
        self.buffer.clear();
        column.write(&mut self.buffer);
        let failed = Error::io("write", &self.path);
        let length = self.buffer.len() as u64;
        self.part
            .write_all(&length.to_le_bytes())
            .map_err(&failed)?;
        self.part.write_all(&hash(&self.buffer)).map_err(&failed)?;
        self.part.write_all(&self.buffer).map_err(&failed)
    }

    /// The file in its place, whole.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self) -> Result<()> {
        let failed = Error::io("write", &self.path);
        self.part.as_file().sync_all().map_err(&failed)?;
        self.part
            .persist(&self.path)
            .map_err(|failure| failed(failure.error))?;
        Ok(())
    }
}

/// An index that is being read, column by column in the order in which they were written.
pub struct Reader {
    file: BufReader<File>,
    left: u64,
}

impl Reader {
    /// Opens the file; its header.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn open(path: &Path) -> std::result::Result<(Self, Vec<u8>), Unusable> {
        let file = File::open(path).map_err(|cause| {
            use std::io::ErrorKind::{NotADirectory, NotFound};
            if matches!(cause.kind(), NotFound | NotADirectory) {
                return Unusable::Absent;
            }
            Unusable::Because(cause.to_string())
        })?;
        let left = file.metadata().map_or(0, |of| of.len());
        let mut reader = Self {
            file: BufReader::with_capacity(1 << 16, file),
            left,
        };
        let magic: [u8; 8] = reader.array()?;
        if &magic != MAGIC {
            return Err(Unusable::Because("it is no index".to_owned()));
        }
        let version = u32::from_le_bytes(reader.array()?);
        if version != VERSION {
            return Err(Unusable::Because(format!(
                "it is of version {version}, and this is version {VERSION}"
            )));
        }
        let header = reader.column()?;
        Ok((reader, header))
    }

    /// The next column.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn column<C: Column>(&mut self) -> std::result::Result<C, Unusable> {
        let length = u64::from_le_bytes(self.array()?);
        let due: [u8; HASH] = self.array()?;
        if length > self.left {
            return Err(Unusable::Because("it is cut off".to_owned()));
        }
        let mut bytes = Vec::new();
        self.file
            .by_ref()
            .take(length)
            .read_to_end(&mut bytes)
            .map_err(damaged)?;
        self.left -= length;
        if bytes.len() as u64 != length || hash(&bytes) != due {
            return Err(Unusable::Because("it is damaged".to_owned()));
        }
        C::read(bytes).ok_or_else(|| Unusable::Because("it is damaged".to_owned()))
    }

    /// The last column, left where it is: the file, where the column begins in it, and its bytes. Its hash is not compared.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn rest(mut self) -> std::result::Result<(File, u64, u64), Unusable> {
        let length = u64::from_le_bytes(self.array()?);
        let _: [u8; HASH] = self.array()?;
        let start = self.file.stream_position().map_err(damaged)?;
        if length > self.left {
            return Err(Unusable::Because("it is cut off".to_owned()));
        }
        Ok((self.file.into_inner(), start, length))
    }

    fn array<const N: usize>(&mut self) -> std::result::Result<[u8; N], Unusable> {
        let mut array = [0; N];
        self.file.read_exact(&mut array).map_err(damaged)?;
        self.left = self.left.saturating_sub(N as u64);
        Ok(array)
    }
}

fn damaged(cause: std::io::Error) -> Unusable {
    let is_end = cause.kind() == std::io::ErrorKind::UnexpectedEof;
    Unusable::Because(if is_end {
        "it is cut off".to_owned()
    } else {
        cause.to_string()
    })
}

/// The first bytes of the hash of a column.
fn hash(bytes: &[u8]) -> [u8; HASH] {
    let mut short = [0; HASH];
    short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..HASH]);
    short
}
