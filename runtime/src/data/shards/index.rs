//! `index.bin`: fixed records behind a header, little-endian, read by memory map.
//!
//! ```text
//! header    magic, version, checksum of the header, number of clips, where the three parts after the frames begin, length
//! frames    of all clips, 24 bytes each: time f64, offset in the shard u64, bytes u32, checksum u32
//! sums      checksum u32 of each second of sound of all clips
//! names     UTF-8: file names, and what is wrong with unreadable files
//! clips     136 bytes each: the last eight are the checksums of the clip's frames, and of the record and its names; see `Clip::put`
//! ```
//!
//! Offsets that point nowhere are refused; what they point at is held against its checksum when it is read.
// A build without FFmpeg reads shards and writes none.
#![cfg_attr(not(feature = "media"), allow(dead_code))]

use super::VERSION;
use crate::data::source::{Limits, Streams};
use crate::error::{Error, Result};
use crate::ffi::Map;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"ccshards";
const HEADER: usize = 64;
const FRAME: usize = 24;
const CLIP: usize = 136;
/// A number that is not there.
const NONE: u32 = u32::MAX;

/// One frame of a clip.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// When it is shown, in seconds on the clip's clock.
    pub time: f64,
    /// Where its JPEG begins in the shard.
    pub at: u64,
    /// Bytes of it.
    pub bytes: u32,
    /// CRC-32 of them.
    pub sum: u32,
}

/// The sound of a clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sound {
    /// The place of its first sample on the grid of the clip's clock.
    pub first: i64,
    /// Samples.
    pub samples: u64,
    /// Where they begin in the shard.
    pub at: u64,
    /// CRC-32 of each second, the last one shorter.
    pub sums: Vec<u32>,
}

/// What the index knows of a clip, whole: as it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Whole {
    /// Its file.
    pub name: String,
    /// Position of its class.
    pub label: Option<u32>,
    /// Its fold.
    pub fold: Option<u32>,
    /// First and last moment of its pictures.
    pub video: Option<(f64, f64)>,
    /// First and last moment of its sound.
    pub audio: Option<(f64, f64)>,
    /// A frame is shown up to half of this earlier than its time, in seconds.
    pub tick: f64,
    /// Height and width of its frames.
    pub size: (u32, u32),
    /// Its frames, by time.
    pub frames: Vec<Frame>,
    /// Its sound.
    pub sound: Option<Sound>,
    /// Why it is not in the shards.
    pub cause: Option<String>,
}

/// What the index knows of a clip, with the places of the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clip {
    name: (u64, u32),
    /// Position of its class.
    pub label: Option<u32>,
    /// Its fold.
    pub fold: Option<u32>,
    /// Position of its shard.
    pub shard: u32,
    /// When its streams begin and end.
    pub streams: Streams,
    /// See [`Whole::tick`].
    pub tick: f64,
    /// Height and width of its frames.
    pub size: (u32, u32),
    frames: (u64, u32),
    /// CRC-32 of what the index knows of the frames.
    frames_sum: u32,
    /// Place of the first sample on the grid of the clip's clock, samples, and where they begin in the shard.
    pub sound: (i64, u64, u64),
    sums: u64,
    cause: (u64, u32),
}

/// Writes an index clip by clip.
pub struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    frames: u64,
    sums: Vec<u8>,
    names: Vec<u8>,
    clips: Vec<u8>,
}

impl Writer {
    /// An index at `path`, which is replaced.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: &Path) -> Result<Self> {
        let failed = Error::io("create", path);
        let mut file = BufWriter::new(File::create(path).map_err(&failed)?);
        file.write_all(&[0; HEADER]).map_err(&failed)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            frames: 0,
            sums: Vec::new(),
            names: Vec::new(),
            clips: Vec::new(),
        })
    }

    /// Adds the next clip, which lies in the shard at this position.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn add(&mut self, clip: &Whole, shard: u32) -> Result<()> {
        let first = self.frames;
        let mut frames_sum = crc32fast::Hasher::new();
        for frame in &clip.frames {
            let mut bytes = [0; FRAME];
            bytes[..8].copy_from_slice(&frame.time.to_le_bytes());
            bytes[8..16].copy_from_slice(&frame.at.to_le_bytes());
            bytes[16..20].copy_from_slice(&frame.bytes.to_le_bytes());
            bytes[20..].copy_from_slice(&frame.sum.to_le_bytes());
            frames_sum.update(&bytes);
            self.file
                .write_all(&bytes)
                .map_err(Error::io("write", &self.path))?;
            self.frames += 1;
        }
        let sums = (self.sums.len() / 4) as u64;
        let sound = clip.sound.as_ref();
        for sum in sound.map_or(&[][..], |sound| &sound.sums) {
            self.sums.extend(sum.to_le_bytes());
        }
        let mut text = |text: &str| {
            let at = self.names.len() as u64;
            self.names.extend(text.as_bytes());
            (at, text.len() as u32)
        };
        let record = Clip {
            name: text(&clip.name),
            label: clip.label,
            fold: clip.fold,
            shard,
            streams: Streams {
                video: clip.video.map(|(start, end)| Limits { start, end }),
                audio: clip.audio.map(|(start, end)| Limits { start, end }),
            },
            tick: clip.tick,
            size: clip.size,
            frames: (first, clip.frames.len() as u32),
            frames_sum: frames_sum.finalize(),
            sound: sound.map_or((0, 0, 0), |sound| (sound.first, sound.samples, sound.at)),
            sums,
            cause: clip.cause.as_deref().map_or((0, NONE), text),
        };
        let texts = [clip.name.as_str(), clip.cause.as_deref().unwrap_or("")];
        record.put(texts, &mut self.clips);
        Ok(())
    }

    /// Writes what stands behind the frames, and then the header.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(mut self) -> Result<()> {
        let sums = HEADER as u64 + self.frames * FRAME as u64;
        let names = sums + self.sums.len() as u64;
        let clips = names + self.names.len() as u64;
        let end = clips + self.clips.len() as u64;
        let number = (self.clips.len() / CLIP) as u64;
        let mut header = Vec::with_capacity(HEADER);
        header.extend(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend([0; 4]);
        for number in [number, sums, names, clips, end, 0] {
            header.extend(number.to_le_bytes());
        }
        let sum = crc32fast::hash(&header);
        header[12..16].copy_from_slice(&sum.to_le_bytes());
        let mut put = || {
            for part in [&self.sums, &self.names, &self.clips] {
                self.file.write_all(part)?;
            }
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&header)?;
            self.file.flush()?;
            self.file.get_ref().sync_all()
        };
        put().map_err(Error::io("write", &self.path))
    }
}

/// An index that is open.
pub struct Index {
    path: PathBuf,
    map: Map,
    clips: usize,
    /// Where the sums, the names and the clips begin.
    sums: usize,
    names: usize,
    records: usize,
}

impl Index {
    /// Opens the index at `path`; nothing but its header is read.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] where it is of another version, cut off or damaged.
    pub fn open(name: &str, path: &Path) -> Result<Self> {
        let map = Map::open(path).map_err(Error::io("read", path))?;
        let refuse = |message: String, help: &str| Error::Data {
            name: name.to_owned(),
            message,
            help: help.to_owned(),
        };
        let shown = path.display();
        let again = "pack the data set again";
        let header = map
            .bytes()
            .get(..HEADER)
            .filter(|header| header.starts_with(MAGIC));
        let mut header = header
            .ok_or_else(|| refuse(format!("`{shown}` is no index of shards"), again))?
            .to_vec();
        let version = u32_at(&header, 8);
        if version != Some(VERSION) {
            let version = version.unwrap_or(0);
            return Err(refuse(
                format!("`{shown}` is of version {version}, this build reads version {VERSION}"),
                "pack the data set again with this build, or use the build that packed it",
            ));
        }
        let sum = u32_at(&header, 12);
        header[12..16].fill(0);
        let numbers = [16, 24, 32, 40, 48].map(|at| u64_at(&header, at).unwrap_or(0) as usize);
        let [clips, sums, names, records, end] = numbers;
        let fits = HEADER <= sums && sums <= names && names <= records && records <= end;
        let is_whole = fits && clips.checked_mul(CLIP) == Some(end - records);
        if sum != Some(crc32fast::hash(&header)) || !is_whole {
            return Err(refuse(format!("the header of `{shown}` is damaged"), again));
        }
        if map.bytes().len() != end {
            let message = format!(
                "`{shown}` has {} bytes, its header says {end}",
                map.bytes().len()
            );
            return Err(refuse(message, "copy it again, or pack the data set again"));
        }
        Ok(Self {
            path: path.to_owned(),
            map,
            clips,
            sums,
            names,
            records,
        })
    }

    /// Number of clips, unreadable ones included.
    pub fn len(&self) -> usize {
        self.clips
    }

    /// The record of a clip.
    ///
    /// # Errors
    /// [`Error::Decode`] where the index is damaged.
    pub fn clip(&self, clip: usize) -> Result<Clip> {
        let at = self.records + clip * CLIP;
        let record = self.map.bytes().get(at..at + CLIP);
        let whole = record.and_then(|record| {
            let (clip, sum) = Clip::get(record)?;
            let texts = [self.text(clip.name)?, self.cause_text(&clip)?.unwrap_or("")];
            (sum_of(&record[..CLIP - 4], texts) == sum).then_some(clip)
        });
        whole.ok_or_else(|| self.broken(&format!("the record of clip {clip} is damaged")))
    }

    /// The file of a clip.
    pub fn name(&self, clip: &Clip) -> &str {
        self.text(clip.name)
            .expect("Index::clip: its name was read")
    }

    /// Why the clip is not in the shards.
    pub fn cause(&self, clip: &Clip) -> Option<&str> {
        self.cause_text(clip)
            .expect("Index::clip: its cause was read")
    }

    /// Why the clip is not in the shards, if anything; `None` where that lies outside the index.
    fn cause_text(&self, clip: &Clip) -> Option<Option<&str>> {
        match clip.cause.1 {
            NONE => Some(None),
            _ => self.text(clip.cause).map(Some),
        }
    }

    /// All that is known of a clip.
    ///
    /// # Errors
    /// [`Error::Decode`] where the index is damaged.
    pub fn whole(&self, clip: usize, rate: u32) -> Result<Whole> {
        let record = self.clip(clip)?;
        let frames = self.frames(&record)?;
        let (first, samples, at) = record.sound;
        let seconds = 0..samples.div_ceil(u64::from(rate.max(1))) as usize;
        let sums: Result<Vec<u32>> = seconds.map(|second| self.sum(&record, second)).collect();
        let sums = sums?;
        let limits = |limits: Option<Limits>| limits.map(|limits| (limits.start, limits.end));
        Ok(Whole {
            name: self.name(&record).to_owned(),
            label: record.label,
            fold: record.fold,
            video: limits(record.streams.video),
            audio: limits(record.streams.audio),
            tick: record.tick,
            size: record.size,
            frames: (0..frames.len()).map(|at| frames.get(at)).collect(),
            sound: record.streams.audio.map(|_| Sound {
                first,
                samples,
                at,
                sums,
            }),
            cause: self.cause(&record).map(str::to_owned),
        })
    }

    /// The frames of a clip.
    ///
    /// # Errors
    /// [`Error::Decode`] where the index is damaged.
    pub fn frames(&self, clip: &Clip) -> Result<Frames<'_>> {
        let (first, count) = (clip.frames.0 as usize, clip.frames.1 as usize);
        let range = first
            .checked_mul(FRAME)
            .and_then(|at| at.checked_add(HEADER))
            .and_then(|at| Some(at..at.checked_add(count.checked_mul(FRAME)?)?));
        let bytes = range
            .filter(|range| range.end <= self.sums)
            .and_then(|range| self.map.bytes().get(range));
        let bytes = bytes.ok_or_else(|| self.broken("its frames lie outside the index"))?;
        if crc32fast::hash(bytes) != clip.frames_sum {
            let name = self.name(clip);
            return Err(self.broken(&format!("the frames of `{name}` are damaged in it")));
        }
        Ok(Frames(bytes))
    }

    /// The checksum of one second of sound.
    ///
    /// # Errors
    /// [`Error::Decode`] where the index is damaged.
    pub fn sum(&self, clip: &Clip, second: usize) -> Result<u32> {
        let at = (clip.sums as usize)
            .checked_add(second)
            .and_then(|at| at.checked_mul(4))
            .and_then(|at| at.checked_add(self.sums));
        at.filter(|at| at + 4 <= self.names)
            .and_then(|at| u32_at(self.map.bytes(), at))
            .ok_or_else(|| self.broken("its sound lies outside the index"))
    }

    fn text(&self, (at, bytes): (u64, u32)) -> Option<&str> {
        let start = self.names.checked_add(usize::try_from(at).ok()?)?;
        let end = start.checked_add(bytes as usize)?;
        let text = self
            .map
            .bytes()
            .get(start..end)
            .filter(|_| end <= self.records)?;
        std::str::from_utf8(text).ok()
    }

    fn broken(&self, cause: &str) -> Error {
        Error::Decode {
            path: self.path.clone(),
            cause: format!("{cause}; pack the data set again"),
        }
    }
}

/// The frames of a clip, by time.
#[derive(Clone, Copy)]
pub struct Frames<'i>(&'i [u8]);

impl Frames<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len() / FRAME
    }

    /// One of them.
    pub fn get(&self, at: usize) -> Frame {
        let bytes = &self.0[at * FRAME..][..FRAME];
        Frame {
            time: f64_at(bytes, 0).unwrap_or(f64::NAN),
            at: u64_at(bytes, 8).unwrap_or(0),
            bytes: u32_at(bytes, 16).unwrap_or(0),
            sum: u32_at(bytes, 20).unwrap_or(0),
        }
    }

    /// How many are shown at `time` or before.
    pub fn until(&self, time: f64) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            if self.get(middle).time <= time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

impl Clip {
    fn put(&self, texts: [&str; 2], out: &mut Vec<u8>) {
        let start = out.len();
        let limits = |limits: Option<Limits>| limits.map_or([f64::NAN; 2], |l| [l.start, l.end]);
        out.extend(self.name.0.to_le_bytes());
        out.extend(self.cause.0.to_le_bytes());
        for number in [self.name.1, self.cause.1, self.shard, self.frames.1] {
            out.extend(number.to_le_bytes());
        }
        for number in [self.label, self.fold] {
            out.extend(number.unwrap_or(NONE).to_le_bytes());
        }
        for number in [self.size.0, self.size.1] {
            out.extend(number.to_le_bytes());
        }
        for time in limits(self.streams.video)
            .into_iter()
            .chain(limits(self.streams.audio))
        {
            out.extend(time.to_le_bytes());
        }
        out.extend(self.tick.to_le_bytes());
        out.extend(self.sound.0.to_le_bytes());
        for number in [self.sound.1, self.sound.2, self.frames.0] {
            out.extend(number.to_le_bytes());
        }
        out.extend(self.sums.to_le_bytes());
        out.extend(self.frames_sum.to_le_bytes());
        out.extend(sum_of(&out[start..], texts).to_le_bytes());
        debug_assert_eq!(out.len() - start, CLIP);
    }

    /// The record and its checksum, which the caller holds against it.
    fn get(bytes: &[u8]) -> Option<(Self, u32)> {
        let sum = u32_at(bytes, CLIP - 4)?;
        let number = |at| u32_at(bytes, at).filter(|number| *number != NONE);
        let limits = |at| {
            let (start, end) = (f64_at(bytes, at)?, f64_at(bytes, at + 8)?);
            (start.is_finite() && end.is_finite()).then_some(Limits { start, end })
        };
        let clip = Self {
            name: (u64_at(bytes, 0)?, u32_at(bytes, 16)?),
            cause: (u64_at(bytes, 8)?, u32_at(bytes, 20)?),
            shard: u32_at(bytes, 24)?,
            label: number(32),
            fold: number(36),
            size: (u32_at(bytes, 40)?, u32_at(bytes, 44)?),
            streams: Streams {
                video: limits(48),
                audio: limits(64),
            },
            tick: f64_at(bytes, 80)?,
            sound: (
                u64_at(bytes, 88)? as i64,
                u64_at(bytes, 96)?,
                u64_at(bytes, 104)?,
            ),
            frames: (u64_at(bytes, 112)?, u32_at(bytes, 28)?),
            sums: u64_at(bytes, 120)?,
            frames_sum: u32_at(bytes, 128)?,
        };
        Some((clip, sum))
    }
}

/// CRC-32 of a record and of the texts that it points at.
fn sum_of(record: &[u8], texts: [&str; 2]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(record);
    texts.iter().for_each(|text| sum.update(text.as_bytes()));
    sum.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn f64_at(bytes: &[u8], at: usize) -> Option<f64> {
    u64_at(bytes, at).map(f64::from_bits)
}
