//! A packed data set as a source of clips.

use super::index::{Clip, Frames, Index};
use super::{Header, INDEX, PACK, Quality, VERSION, jpeg};
use crate::data::index::Coded;
use crate::data::manifest::Manifest;
use crate::data::manifest::rows::{Rows, State};
use crate::data::short;
use crate::data::source::{ClipSource, Request, Span, Streams, Ticks};
use crate::data::stats::{self, Described};
use crate::error::{Error, Result};
use crate::ffi::{bytes_of, floats_of};
use crate::parts::{Part, measured};
use compiler::hir::{self, Short};
use compiler::units::Exact;
use records::folder::read_json;
use records::site::Layout;
use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor};

/// A packed data set.
pub struct Shards {
    folder: PathBuf,
    header: Header,
    index: Index,
    files: Vec<File>,
    short: Short,
}

/// Bytes of decoded frames that are verified at once, and the most frames.
const AT_ONCE: (usize, usize) = (64 << 20, 64);

thread_local! {
    /// What was read of a shard last; kept for its memory.
    static BYTES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Shards {
    /// The packed data set in `folder`, as the experiment declares it.
    ///
    /// # Errors
    /// [`Error::Data`] where a shard is missing or of another size, where the index is of another version, or where classes were
    /// packed that the declaration does not have.
    pub fn open(set: &hir::Files, folder: &Path) -> Result<Self> {
        let refuse = |message: String, help: String| Error::Data {
            name: set.name.clone(),
            message,
            help,
        };
        let path = folder.join(PACK);
        let version: Version = read_json(&path)?;
        if version.version != VERSION {
            return Err(refuse(
                format!(
                    "`{}` is of version {}, this build reads version {VERSION}",
                    path.display(),
                    version.version
                ),
                "pack the data set again with this build, or use the build that packed it"
                    .to_owned(),
            ));
        }
        let header: Header = read_json(&path)?;
        if set.classes > 0
            && (header.classes.len() != set.classes as usize || header.label != set.label)
        {
            return Err(refuse(
                format!(
                    "it is declared with {} classes by the column `{}`, and was packed with {} by `{}`",
                    set.classes,
                    set.label,
                    header.classes.len(),
                    header.label
                ),
                "correct the declaration, or pack the data set again with it".to_owned(),
            ));
        }
        let index = Index::open(&set.name, &folder.join(INDEX))?;
        if index.len() as u64 != header.clips {
            let message = format!(
                "its index has {} clips, `{PACK}` says {}",
                index.len(),
                header.clips
            );
            return Err(refuse(
                message,
                "copy the folder again, or pack the data set again".to_owned(),
            ));
        }
        let mut files = Vec::with_capacity(header.shards.len());
        for shard in &header.shards {
            let path = folder.join(&shard.file);
            let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
            let (bytes, file) = opened.map_err(Error::io("read", &path))?;
            if bytes != shard.bytes {
                return Err(refuse(
                    format!(
                        "`{}` has {bytes} bytes, it was packed with {}",
                        path.display(),
                        shard.bytes
                    ),
                    "copy it again, or pack the data set again into this folder: the other shards are kept"
                        .to_owned(),
                ));
            }
            files.push(file);
        }
        Ok(Self {
            folder: folder.to_owned(),
            header,
            index,
            files,
            short: set.short,
        })
    }

    /// The packed data set in `folder` as it lies there, for messages under this name.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn found(name: &str, folder: &Path) -> Result<Self> {
        Self::open(&undeclared(name), folder)
    }

    /// How the frames and the sound of a clip are kept.
    pub fn coded(&self, clip: usize) -> Coded {
        let (Some(record), quality) = (self.record(clip), &self.header.quality) else {
            return Coded::default();
        };
        let frames = self.index.frames(&record).map_or(0, |frames| frames.len());
        let length = record.streams.video.map(|video| video.end - video.start);
        let mean = length.map_or(0.0, |length| frames as f64 / length.max(1e-9));
        let short = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        Coded {
            video: "jpeg".to_owned(),
            width: short(record.size.1),
            height: short(record.size.0),
            fps: quality.fps.map_or(mean, Exact::to_f64) as f32,
            audio: "pcm_s16le".to_owned(),
            rate: quality.rate.to_u32().unwrap_or(0),
            channels: 1,
        }
    }

    /// What of the files is in the shards.
    pub fn quality(&self) -> &Quality {
        &self.header.quality
    }

    /// Names, classes and folds of the clips.
    pub fn manifest(&self) -> Manifest {
        let mut rows = Rows::default();
        for clip in 0..self.len() {
            let (bytes, changed) = (0, 0);
            let state = State { bytes, changed };
            rows.push(&self.name(clip), self.label(clip), self.fold(clip), state);
        }
        Manifest {
            name: self.header.name.clone(),
            root: self.folder.clone(),
            layout: Layout::Folders,
            classes: self.header.classes.clone(),
            rows,
            missing: (0, Vec::new()),
            notes: Vec::new(),
            depends: Vec::new(),
        }
    }

    /// What was packed.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Reads and decodes all of a clip; returns how many frames it has. An unreadable one has none.
    pub(super) fn verify(&self, clip: usize) -> Result<u64> {
        let record = self.index.clip(clip)?;
        if self.index.cause(&record).is_some() {
            return Ok(0);
        }
        let frames = self.index.frames(&record)?;
        let frame_bytes = (record.size.0 as usize)
            .saturating_mul(record.size.1 as usize)
            .saturating_mul(3);
        let at_once = (AT_ONCE.0 / frame_bytes.max(1)).clamp(1, AT_ONCE.1);
        for first in (0..frames.len()).step_by(at_once) {
            let places: Vec<usize> = (first..frames.len().min(first + at_once)).collect();
            drop(self.pictures(&record, frames, &places)?);
        }
        let rate = self.header.quality.rate;
        let (first, samples, _) = record.sound;
        let seconds = samples.div_ceil((rate.to_f64().ceil() as u64).max(1));
        for second in 0..seconds {
            let start = first as f64 / rate.to_f64() + second as f64;
            self.wave(&record, start, 1, rate)?;
        }
        Ok(frames.len() as u64)
    }

    fn record(&self, clip: usize) -> Option<Clip> {
        self.index.clip(clip).ok()
    }

    /// The shard of a clip, for messages.
    fn path(&self, clip: &Clip) -> PathBuf {
        let shard = self.header.shards.get(clip.shard as usize);
        shard.map_or_else(
            || self.folder.clone(),
            |shard| self.folder.join(&shard.file),
        )
    }

    fn broken(&self, clip: &Clip, cause: &str) -> Error {
        let name = self.index.name(clip);
        Error::Decode {
            path: self.path(clip),
            cause: format!("{cause} of `{name}`; copy the shard again, or pack the data set again"),
        }
    }

    /// Reads `bytes` bytes of the clip's shard and hands them to `take`.
    fn with_bytes<R>(
        &self,
        clip: &Clip,
        at: u64,
        bytes: usize,
        take: impl FnOnce(&[u8]) -> Result<R>,
    ) -> Result<R> {
        let file = self.files.get(clip.shard as usize);
        let file = file.ok_or_else(|| self.broken(clip, "the index names no shard"))?;
        let size = self.header.shards[clip.shard as usize].bytes;
        if at.checked_add(bytes as u64).is_none_or(|end| end > size) {
            return Err(self.broken(
                clip,
                "the index points beyond the end of the shard for a part",
            ));
        }
        BYTES.with_borrow_mut(|buffer| {
            if buffer.len() < bytes {
                buffer.resize(bytes, 0);
            }
            let read = measured(Part::Open, || file.read_exact_at(&mut buffer[..bytes], at));
            read.map_err(|cause| {
                if cause.kind() == std::io::ErrorKind::UnexpectedEof {
                    return self.broken(clip, "the shard is cut off before the end");
                }
                Error::io("read", &self.path(clip))(cause)
            })?;
            take(&buffer[..bytes])
        })
    }

    /// `frames` frames shown at `start + k / fps`: the last frame at each moment, by the rule for files.
    fn frames(&self, clip: &Clip, start: f64, frames: u32, fps: Exact) -> Result<Span> {
        if let Some(kept) = self.header.quality.fps.filter(|kept| fps > *kept) {
            return Err(Error::Data {
                name: self.header.name.clone(),
                message: format!(
                    "its shards hold {} frames a second, the experiment reads {}",
                    kept.decimal(),
                    fps.decimal()
                ),
                help: format!(
                    "pack it again with `--rate {}fps` or `--rate native`, or point `root` at the files",
                    fps.decimal()
                ),
            });
        }
        let known = self.index.frames(clip)?;
        let limits = clip.streams.video.filter(|_| known.len() > 0);
        let limits = limits.ok_or_else(|| self.broken(clip, "there are no pictures"))?;
        let (half, fps) = (clip.tick / 2.0, fps.to_f64());
        let (mut before, mut after) = (0, 0);
        let mut places = Vec::with_capacity(frames as usize);
        for tick in 0..frames {
            let time = start + f64::from(tick) / fps;
            let until = known.until(time + half);
            before += u32::from(until == 0);
            after += u32::from(time >= limits.end - half);
            places.push(until.max(1) - 1);
        }
        Ok(Span {
            ticks: Ticks::Frames(self.pictures(clip, known, &places)?),
            before,
            after,
        })
    }

    /// The frames at these places of the clip's, which ascend: u8 `[T, H, W, 3]`.
    fn pictures(&self, clip: &Clip, known: Frames<'_>, places: &[usize]) -> Result<Tensor> {
        let (height, width) = (clip.size.0 as usize, clip.size.1 as usize);
        let size = height * width * 3;
        let shape = [places.len() as i64, height as i64, width as i64, 3];
        let mut tensor = Tensor::empty(shape, (Kind::Uint8, Device::Cpu));
        let rgb = bytes_of(&mut tensor);
        // Places ascend: what they need of the shard is one run of bytes.
        let (first, last) = (known.get(places[0]), known.get(places[places.len() - 1]));
        let end = last.at.checked_add(u64::from(last.bytes));
        let bytes = end.and_then(|end| end.checked_sub(first.at));
        let bytes =
            bytes.ok_or_else(|| self.broken(clip, "the index has no order of the frames"))?;
        self.with_bytes(clip, first.at, bytes as usize, |bytes| {
            for (tick, &place) in places.iter().enumerate() {
                if tick > 0 && places[tick - 1] == place {
                    rgb.copy_within((tick - 1) * size..tick * size, tick * size);
                    continue;
                }
                let frame = known.get(place);
                let at = frame.at.checked_sub(first.at).map(|at| at as usize);
                let jpeg = at.and_then(|at| bytes.get(at..at.checked_add(frame.bytes as usize)?));
                let jpeg = jpeg.filter(|jpeg| crc32fast::hash(jpeg) == frame.sum);
                let what = || format!("the picture at {:.3} s", frame.time);
                let jpeg = jpeg
                    .ok_or_else(|| self.broken(clip, &format!("{} is damaged: a part", what())))?;
                let out = &mut rgb[tick * size..][..size];
                measured(Part::Decode, || jpeg::decode(jpeg, height, width, out))
                    .map_err(|cause| self.broken(clip, &format!("{}: {cause}: a part", what())))?;
            }
            Ok(())
        })?;
        Ok(tensor)
    }

    /// `samples` samples from `start` on, on the grid of the clip's clock; zeros where there is none.
    fn wave(&self, clip: &Clip, start: f64, samples: u32, rate: Exact) -> Result<Span> {
        if rate != self.header.quality.rate {
            return Err(Error::Data {
                name: self.header.name.clone(),
                message: format!(
                    "its shards hold sound at {} Hz, the experiment reads {} Hz",
                    self.header.quality.rate.decimal(),
                    rate.decimal()
                ),
                help: format!(
                    "pack it again with `--sound-rate {}Hz`, or point `root` at the files",
                    rate.decimal()
                ),
            });
        }
        let (first, known, at) = clip.sound;
        let end = first.saturating_add_unsigned(known);
        if known == 0 {
            return Err(self.broken(clip, "there is no sound"));
        }
        let start = (start * rate.to_f64()).round() as i64;
        let until = start.saturating_add(i64::from(samples));
        let before = (first.min(until) - start).max(0) as u32;
        let after = (until - end.max(start)).max(0) as u32;
        let mut wave = Tensor::zeros([i64::from(samples)], (Kind::Float, Device::Cpu));
        let (from, to) = (start.max(first), until.min(end));
        if from < to {
            // Whole seconds are read, for each has its checksum.
            let second = (rate.to_f64().ceil() as u64).max(1);
            let (from, to) = ((from - first) as u64, (to - first) as u64);
            let (block, last) = (from / second, (to - 1) / second);
            let base = block * second;
            let stop = ((last + 1) * second).min(known);
            let sound = at.saturating_add(base * 2);
            self.with_bytes(clip, sound, ((stop - base) * 2) as usize, |bytes| {
                for (number, block) in (block as usize..).zip(bytes.chunks(second as usize * 2)) {
                    if crc32fast::hash(block) != self.index.sum(clip, number)? {
                        let what = format!("second {number} of the sound is damaged: a part");
                        return Err(self.broken(clip, &what));
                    }
                }
                measured(Part::Convert, || {
                    let bytes = &bytes[((from - base) * 2) as usize..((to - base) * 2) as usize];
                    let offset = (from as i64 + first - start) as usize;
                    let out = &mut floats_of(&mut wave)[offset..offset + (to - from) as usize];
                    for (value, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
                        *value = f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32768.0;
                    }
                });
                Ok(())
            })?;
        }
        Ok(Span {
            ticks: Ticks::Wave(wave),
            before,
            after,
        })
    }
}

/// A packed data set without a declaration: its classes are those that were packed.
pub fn undeclared(name: &str) -> hir::Files {
    hir::Files {
        name: name.to_owned(),
        train: 0,
        classes: 0,
        requires: Vec::new(),
        splits: 0,
        short: Short::Skip,
        label: String::new(),
        length: None,
        longer: None,
    }
}

/// The version alone: other fields may be those of another one.
#[derive(serde::Deserialize)]
struct Version {
    version: u32,
}

impl ClipSource for Shards {
    fn kind(&self) -> &'static str {
        "shards"
    }

    fn len(&self) -> usize {
        self.index.len()
    }

    fn name(&self, clip: usize) -> String {
        let record = self.record(clip);
        record.map_or_else(
            || format!("clip {clip}"),
            |record| self.index.name(&record).to_owned(),
        )
    }

    fn label(&self, clip: usize) -> Option<u32> {
        let label = self.record(clip)?.label?;
        ((label as usize) < self.header.classes.len()).then_some(label)
    }

    fn classes(&self) -> &[String] {
        &self.header.classes
    }

    fn fold(&self, clip: usize) -> Option<u32> {
        self.record(clip)?.fold
    }

    fn streams(&self, clip: usize) -> Result<Streams> {
        let record = self.index.clip(clip)?;
        match self.index.cause(&record) {
            None => Ok(record.streams),
            Some(cause) => Err(Error::Decode {
                path: self.index.name(&record).into(),
                cause: format!("it could not be packed: {cause}"),
            }),
        }
    }

    fn read(&self, clip: usize, requests: &[Request]) -> Result<Vec<Ticks>> {
        let streams = self.streams(clip)?;
        let record = self.index.clip(clip)?;
        let path = Path::new(self.index.name(&record));
        short::read(self.short, &streams, requests, path, |requests| {
            let span = |request: &Request| match *request {
                Request::Video { start, frames, fps } => self.frames(&record, start, frames, fps),
                Request::Audio {
                    start,
                    samples,
                    rate,
                } => self.wave(&record, start, samples, rate),
            };
            requests.iter().map(span).collect()
        })
    }

    fn describe(&self, splits: u32) -> Option<Described> {
        Some(stats::describe_packed(self, Some(splits)))
    }

    fn fingerprint(&self) -> String {
        // With their bytes: what one machine could not read another one may have packed.
        let hashes: Vec<&str> = self.header.shards.iter().map(|s| s.hash.as_str()).collect();
        let packed = serde_json::json!(["shards", self.header.source, self.header.quality, hashes]);
        blake3::hash(packed.to_string().as_bytes())
            .to_hex()
            .to_string()
    }
}
