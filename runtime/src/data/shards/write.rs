//! Packs a data set of files.
//!
//! Clips are decoded and encoded on several threads and written by one, in their order: the bytes of the shards do not depend on
//! the number of threads. A shard is written under another name, renamed when it is whole, and its part of the index kept beside
//! it until the pack is finished; so a pack that was interrupted, or has lost a shard, keeps the others.

use super::index::{Frame, Index, Sound, Whole, Writer};
use super::verify::hash;
use super::{Header, INDEX, PACK, Quality, ShardFile, Unreadable, VERSION, is_packed, jpeg};
use crate::data::admission::cause;
use crate::data::decode;
use crate::data::files::Files;
use crate::data::ordered::Ordered;
use crate::data::source::{ClipSource, Request, Ticks};
use crate::error::{Error, Result};
use compiler::hir;
use compiler::units::Exact;
use records::folder::{read_json, write_json};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tch::Tensor;

/// What is known of the pack while it is under way.
const UNDER_WAY: &str = ".pack.json";
/// Held by the process that packs.
const LOCK: &str = ".lock";
/// Seconds of sound that are decoded at once.
const SECONDS: f64 = 60.0;
/// Longer than a clip plays, all of its sound may take to decode, seconds.
const PATIENCE: f64 = 60.0;
/// Samples of sound of a clip: four hours at 48 kHz.
const MOST_SAMPLES: u64 = 4 * 3600 * 48_000;
/// Frames of a clip: four and a half hours at 16 fps.
const MOST_FRAMES: usize = 1 << 18;
/// Bytes in front of the samples of a WAV file.
const WAV_HEADER: usize = 44;

/// How a data set is packed on this machine.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Threads that decode and encode.
    pub threads: usize,
    /// Clips in a shard.
    pub clips_per_shard: usize,
    /// Set to end the pack at the next clip.
    pub stop: &'a AtomicBool,
}

/// What was packed.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    /// As it stands in [`PACK`].
    pub header: Header,
    /// Shards that an earlier call had finished.
    pub kept: usize,
}

/// A finished shard with its part of the index, kept until the pack is finished.
#[derive(Serialize, Deserialize)]
struct Finished {
    shard: ShardFile,
    clips: Vec<Whole>,
}

/// Packs the files of `set` into the folder `out`, which is made. `progress` is called with the number of clips that are done.
///
/// # Errors
/// [`Error::Data`] where the folder holds another pack, or is being packed; [`Error::Io`]; [`Error::Interrupted`]. What is finished
/// stays, and the same call goes on.
pub fn pack(
    files: &Arc<Files>,
    set: &hir::Files,
    quality: &Quality,
    out: &Path,
    options: &Options<'_>,
    progress: &mut dyn FnMut(usize),
) -> Result<Packed> {
    fs::create_dir_all(out).map_err(Error::io("create", out))?;
    let header = Header {
        version: VERSION,
        name: set.name.clone(),
        source: files.fingerprint(),
        quality: quality.clone(),
        classes: files.classes().to_vec(),
        label: set.label.clone(),
        clips: files.len() as u64,
        clips_per_shard: options.clips_per_shard.max(1) as u64,
        shards: Vec::new(),
        unreadable: Vec::new(),
    };
    check_place(out, &set.name)?;
    let lock = lock(out, &set.name)?;
    if let Some(packed) = earlier(out, &header)? {
        return Ok(packed);
    }
    let per_shard = options.clips_per_shard.max(1);
    let number = files.len().div_ceil(per_shard);
    let mut shards: Vec<Option<Finished>> = (0..number).map(|shard| finished(out, shard)).collect();
    let clips_of = |shard: usize| shard * per_shard..files.len().min((shard + 1) * per_shard);
    let missing: Vec<usize> = (0..number)
        .filter(|&shard| shards[shard].is_none())
        .collect();
    let places: Vec<usize> = missing.iter().flat_map(|&shard| clips_of(shard)).collect();
    let mut done = files.len() - places.len();
    let (of, wanted) = (Arc::clone(files), quality.clone());
    let mut clips = Ordered::new(
        0..places.len() as u64,
        options.threads,
        2 * options.threads.max(1),
        move |at| encode(&of, places[at as usize], &wanted),
    );
    progress(done);
    for &shard in &missing {
        let mut tar = Tar::create(out, shard)?;
        let mut wholes = Vec::with_capacity(per_shard);
        for clip in clips_of(shard) {
            if options.stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let encoded = clips.next().expect("pack: a clip for each position");
            wholes.push(tar.add(clip, encoded)?);
            done += 1;
            progress(done);
        }
        let finished = Finished {
            shard: tar.finish(wholes.len() as u64)?,
            clips: wholes,
        };
        write_json(&out.join(part(shard)), &finished)?;
        shards[shard] = Some(finished);
    }
    let shards: Vec<Finished> = shards.into_iter().flatten().collect();
    let header = conclude(out, header, &shards)?;
    drop(lock);
    Ok(Packed {
        header,
        kept: number - missing.len(),
    })
}

/// Refuses a folder with files that are of no pack; so it does where `pack.json` is gone, for shards have the names that others give
/// theirs. Nothing is written into it.
fn check_place(out: &Path, name: &str) -> Result<()> {
    if is_packed(out) || out.join(UNDER_WAY).is_file() {
        return Ok(());
    }
    let is_other = |entry: &std::io::Result<fs::DirEntry>| {
        entry.as_ref().is_ok_and(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name != LOCK
        })
    };
    let mut entries = fs::read_dir(out).map_err(Error::io("read", out))?;
    if entries.any(|entry| is_other(&entry)) {
        return Err(Error::Data {
            name: name.to_owned(),
            message: format!("`{}` holds other files", out.display()),
            help: "choose another folder, or one that does not exist yet".to_owned(),
        });
    }
    Ok(())
}

/// Takes the folder for this process.
fn lock(out: &Path, name: &str) -> Result<File> {
    let path = out.join(LOCK);
    let file = File::create(&path).map_err(Error::io("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::Data {
            name: name.to_owned(),
            message: format!("another process packs into `{}`", out.display()),
            help: "wait for it, or choose another folder".to_owned(),
        }),
        Err(fs::TryLockError::Error(cause)) => Err(Error::io("lock", &path)(cause)),
    }
}

/// What an earlier call has left: all of it, where it was finished and nothing of it is lost. Refuses what belongs to another pack.
fn earlier(out: &Path, header: &Header) -> Result<Option<Packed>> {
    let same = |other: &Header| {
        let other = Header {
            shards: Vec::new(),
            unreadable: Vec::new(),
            ..other.clone()
        };
        other == *header
    };
    let refuse = |what: &str| Error::Data {
        name: header.name.clone(),
        message: format!("`{}` holds {what}", out.display()),
        help: "choose another folder, or remove that one".to_owned(),
    };
    if is_packed(out) {
        let Ok(found) = read_json::<Header>(&out.join(PACK)) else {
            return Err(refuse("a pack of another version, or a damaged one"));
        };
        if !same(&found) {
            return Err(refuse(
                "another pack: of other files or classes, in another quality or in other shards",
            ));
        }
        let is_whole = |shard: &ShardFile| {
            fs::metadata(out.join(&shard.file)).is_ok_and(|found| found.len() == shard.bytes)
        };
        if found.shards.iter().all(is_whole) && out.join(INDEX).is_file() {
            let kept = found.shards.len();
            return Ok(Some(Packed {
                header: found,
                kept,
            }));
        }
        // Something is lost: what is left is as good as the shards of a pack that was interrupted.
        unfold(out, &found)?;
    }
    let path = out.join(UNDER_WAY);
    if path.is_file() {
        if !read_json(&path).is_ok_and(|found| same(&found)) {
            return Err(refuse(
                "an unfinished pack of other files, in another quality or in other shards",
            ));
        }
        return Ok(None);
    }
    write_json(&path, header)?;
    Ok(None)
}

/// Writes the parts of the index of a finished pack, as they were before it was finished. Where the index is lost there are none.
fn unfold(out: &Path, header: &Header) -> Result<()> {
    let Ok(index) = Index::open(&header.name, &out.join(INDEX)) else {
        return Ok(());
    };
    let rate = header.quality.rate.to_f64() as u32;
    let mut first = 0;
    for (number, shard) in header.shards.iter().enumerate() {
        let of_shard = first..first + shard.clips as usize;
        first = of_shard.end;
        let clips: Result<Vec<Whole>> = of_shard.map(|clip| index.whole(clip, rate)).collect();
        // Where the index is damaged its clips are packed again.
        if let Ok(clips) = clips {
            let shard = shard.clone();
            write_json(&out.join(part(number)), &Finished { shard, clips })?;
        }
    }
    Ok(())
}

/// The finished shard at this position, if there is one and it is as it was written.
fn finished(out: &Path, shard: usize) -> Option<Finished> {
    let finished: Finished = read_json(&out.join(part(shard))).ok()?;
    let path = out.join(&finished.shard.file);
    let size = fs::metadata(&path).ok()?.len();
    (size == finished.shard.bytes && hash(&path).ok()? == finished.shard.hash).then_some(finished)
}

/// Writes index and header, and removes what was only kept for an interruption.
///
/// # Errors
/// [`Error::TooManyFailures`] where no clip could be packed: then nothing looks finished.
fn conclude(out: &Path, mut header: Header, shards: &[Finished]) -> Result<Header> {
    let clips = || shards.iter().flat_map(|shard| &shard.clips);
    if clips().all(|clip| clip.cause.is_some()) && clips().next().is_some() {
        let failed = clips().map(|clip| {
            let cause = clip.cause.clone().unwrap_or_default();
            (PathBuf::from(&clip.name), cause)
        });
        return Err(Error::TooManyFailures {
            name: header.name,
            total: clips().count(),
            failed: failed.collect(),
        });
    }
    let path = out.join(INDEX);
    let fresh = path.with_extension("part");
    let mut index = Writer::create(&fresh)?;
    for (number, finished) in (0..).zip(shards) {
        for clip in &finished.clips {
            index.add(clip, number)?;
            if let Some(cause) = &clip.cause {
                header.unreadable.push(Unreadable {
                    file: clip.name.clone(),
                    cause: cause.clone(),
                });
            }
        }
        header.shards.push(finished.shard.clone());
    }
    index.finish()?;
    fs::rename(&fresh, &path).map_err(Error::io("write", &path))?;
    write_json(&out.join(PACK), &header)?;
    // What is left here is in nobody's way.
    for shard in 0..shards.len() {
        let _ = fs::remove_file(out.join(part(shard)));
    }
    for left in [UNDER_WAY, LOCK] {
        let _ = fs::remove_file(out.join(left));
    }
    Ok(header)
}

/// A clip as it goes into a shard.
struct Encoded {
    whole: Whole,
    /// The JPEG of each frame.
    frames: Vec<Vec<u8>>,
    /// The samples.
    sound: Vec<i16>,
    rate: u32,
    about: serde_json::Value,
}

/// Decodes a clip and encodes it; one that cannot be read whole has its cause.
fn encode(files: &Files, clip: usize, quality: &Quality) -> Encoded {
    let name = files.relative(clip).to_owned();
    let empty = |cause: Option<String>| Encoded {
        whole: Whole {
            name: name.clone(),
            label: files.label(clip),
            fold: files.fold(clip),
            cause,
            ..Whole::default()
        },
        frames: Vec::new(),
        sound: Vec::new(),
        rate: quality.rate.to_f64() as u32,
        about: serde_json::Value::Null,
    };
    fill(files, clip, quality, empty(None)).unwrap_or_else(|error| empty(Some(cause(error))))
}

/// The clip with its frames and its sound.
fn fill(files: &Files, clip: usize, quality: &Quality, mut encoded: Encoded) -> Result<Encoded> {
    let streams = files.streams(clip)?;
    let path = &files.path(clip);
    let broken = |cause: String| Error::Decode {
        path: path.to_owned(),
        cause,
    };
    if let Some(limits) = streams.video {
        encoded.whole.video = Some((limits.start, limits.end));
        let (times, tick) = match quality.fps {
            Some(fps) => {
                let fps = fps.to_f64();
                let frames = ((limits.end - limits.start) * fps - 1e-6).ceil().max(1.0);
                // One more than are taken, to be refused below.
                let frames = frames.min(MOST_FRAMES as f64 + 1.0) as u32;
                let time = |frame: u32| limits.start + f64::from(frame) / fps;
                ((0..frames).map(time).collect(), 2e-6)
            }
            None => decode::frame_times(path)?,
        };
        if times.len() > MOST_FRAMES {
            return Err(broken(format!(
                "it plays for {:.0} s: more than {MOST_FRAMES} frames are more than a pack takes",
                limits.end - limits.start
            )));
        }
        encoded.whole.tick = tick;
        pictures(path, &times, quality, &mut encoded)?;
    }
    if let Some(limits) = streams.audio {
        encoded.whole.audio = Some((limits.start, limits.end));
        let rate = quality.rate.to_f64();
        let first = (limits.start * rate).round() as i64;
        let samples = ((limits.end - limits.start) * rate).round().max(0.0) as u64;
        if samples > MOST_SAMPLES {
            return Err(broken(format!(
                "{samples} samples of sound are more than a pack takes"
            )));
        }
        let allowed = Duration::try_from_secs_f64(PATIENCE + limits.end - limits.start);
        let allowed = allowed.unwrap_or(Duration::from_secs_f64(PATIENCE));
        encoded.sound = sound(path, first, samples, quality.rate, allowed)?;
        encoded.whole.sound = Some(Sound {
            first,
            samples: encoded.sound.len() as u64,
            at: 0,
            sums: Vec::new(),
        });
    }
    let class = encoded
        .whole
        .label
        .and_then(|label| files.classes().get(label as usize));
    encoded.about = serde_json::json!({
        "file": encoded.whole.name,
        "blake3": hash(path)?,
        "class": class,
        "label": encoded.whole.label,
        "fold": encoded.whole.fold,
        "video": encoded.whole.video.map(|(start, end)| serde_json::json!({
            "start": start, "end": end, "height": encoded.whole.size.0, "width": encoded.whole.size.1,
            "times": encoded.whole.frames.iter().map(|frame| frame.time).collect::<Vec<_>>(),
        })),
        "audio": encoded.whole.audio.map(|(start, end)| serde_json::json!({
            "start": start, "end": end, "rate": encoded.rate, "samples": encoded.sound.len(),
            "first": encoded.whole.sound.as_ref().map(|sound| sound.first),
        })),
        "quality": quality,
    });
    Ok(encoded)
}

/// The frames shown at these moments.
fn pictures(path: &Path, times: &[f64], quality: &Quality, encoded: &mut Encoded) -> Result<()> {
    let length = times.last().map_or(0.0, |last| last - times[0]);
    decode::each_frame(path, times, length, &mut |at, frame| {
        let frame = shrunk(frame, quality.short_side);
        let (height, width) = (frame.size()[0], frame.size()[1]);
        encoded.whole.size = (height as u32, width as u32);
        let rgb = Vec::<u8>::try_from(&frame.contiguous().view([-1]))?;
        let jpeg = jpeg::encode(&rgb, height as usize, width as usize, quality.jpeg);
        let jpeg = jpeg.map_err(|cause| Error::Decode {
            path: path.to_owned(),
            cause: format!("the picture at {:.3} s: {cause}", times[at]),
        })?;
        encoded.whole.frames.push(Frame {
            time: times[at],
            at: 0,
            bytes: jpeg.len() as u32,
            sum: crc32fast::hash(&jpeg),
        });
        encoded.frames.push(jpeg);
        Ok(())
    })
}

/// A frame `[H, W, 3]` with its shorter side as long as asked for, if it is longer; by the filter that also resizes crops.
fn shrunk(frame: &Tensor, short_side: Option<u32>) -> Tensor {
    let (height, width) = (frame.size()[0], frame.size()[1]);
    let shorter = height.min(width);
    match short_side.map(i64::from) {
        Some(side) if side < shorter => {
            let scaled = |length: i64| (length * side + shorter / 2) / shorter;
            let planes = frame.permute([2, 0, 1]).unsqueeze(0).contiguous();
            planes
                .internal_upsample_bilinear2d_aa(
                    [scaled(height), scaled(width)],
                    false,
                    None::<f64>,
                    None::<f64>,
                )
                .squeeze_dim(0)
                .permute([1, 2, 0])
        }
        Some(_) | None => frame.shallow_clone(),
    }
}

/// Samples from `first` on, on the grid of the clip's clock, as far as the file has them. Each reading has its own limit of time;
/// where all of them together took longer than `allowed`, the next one is refused.
pub(super) fn sound(
    path: &Path,
    first: i64,
    samples: u64,
    rate: Exact,
    allowed: Duration,
) -> Result<Vec<i16>> {
    let begun = Instant::now();
    let at_once = (SECONDS * rate.to_f64()) as u64;
    let mut sound = Vec::with_capacity(samples as usize);
    while (sound.len() as u64) < samples {
        let done = sound.len() as u64;
        if begun.elapsed() > allowed {
            let (read, seconds) = (done as f64 / rate.to_f64(), allowed.as_secs());
            return Err(Error::Decode {
                path: path.to_owned(),
                cause: format!("its sound took longer than {seconds} s, of it read: {read:.0} s"),
            });
        }
        let now = (samples - done).min(at_once) as u32;
        let request = Request::Audio {
            start: first.saturating_add_unsigned(done) as f64 / rate.to_f64(),
            samples: now,
            rate,
        };
        let Some(span) = decode::read(path, None, &[request])?.pop() else {
            break;
        };
        let Ticks::Wave(wave) = span.ticks else {
            unreachable!("decode: a request is answered in its own kind")
        };
        let wave = Vec::<f32>::try_from(&wave)?;
        let real = now - span.after.min(now);
        let level = |value: &f32| (value * 32768.0).round().clamp(-32768.0, 32767.0) as i16;
        sound.extend(wave[..real as usize].iter().map(level));
        if span.after > 0 {
            break;
        }
    }
    Ok(sound)
}

/// A shard that is being written.
struct Tar {
    out: PathBuf,
    file: String,
    tar: tar::Builder<Hashing>,
}

/// Writes, counts and hashes.
struct Hashing {
    file: BufWriter<File>,
    hash: blake3::Hasher,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Tar {
    fn create(out: &Path, shard: usize) -> Result<Self> {
        let file = format!("shard-{shard:06}.tar");
        let path = out.join(format!("{file}.part"));
        let handle = File::create(&path).map_err(Error::io("create", &path))?;
        Ok(Self {
            out: out.to_owned(),
            file,
            tar: tar::Builder::new(Hashing {
                file: BufWriter::with_capacity(1 << 20, handle),
                hash: blake3::Hasher::new(),
                bytes: 0,
            }),
        })
    }

    fn path(&self) -> PathBuf {
        self.out.join(format!("{}.part", self.file))
    }

    /// Adds a clip; returns it with its places in the shard.
    fn add(&mut self, clip: usize, encoded: Encoded) -> Result<Whole> {
        let mut whole = encoded.whole;
        let key = format!("{clip:08}");
        if let Some(cause) = &whole.cause {
            let about = serde_json::json!({ "file": whole.name, "unreadable": cause });
            self.member(&format!("{key}.json"), about.to_string().as_bytes())?;
            return Ok(whole);
        }
        self.member(&format!("{key}.json"), encoded.about.to_string().as_bytes())?;
        if let Some(sound) = &mut whole.sound {
            let wav = wav(&encoded.sound, encoded.rate);
            let at = self.member(&format!("{key}.wav"), &wav)?;
            sound.at = at + WAV_HEADER as u64;
            let seconds = wav[WAV_HEADER..].chunks(encoded.rate.max(1) as usize * 2);
            sound.sums = seconds.map(crc32fast::hash).collect();
        }
        for (number, (frame, jpeg)) in whole.frames.iter_mut().zip(&encoded.frames).enumerate() {
            frame.at = self.member(&format!("{key}.{number:04}.jpg"), jpeg)?;
        }
        Ok(whole)
    }

    /// Adds a member; returns where its bytes begin.
    fn member(&mut self, name: &str, bytes: &[u8]) -> Result<u64> {
        let at = self.tar.get_ref().bytes + 512;
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let added = self.tar.append_data(&mut header, name, bytes);
        added.map_err(Error::io("write", &self.path()))?;
        Ok(at)
    }

    /// Ends the shard and gives it its name.
    fn finish(self, clips: u64) -> Result<ShardFile> {
        let (from, to) = (self.path(), self.out.join(&self.file));
        let failed = Error::io("write", &to);
        let mut hashing = self.tar.into_inner().map_err(&failed)?;
        hashing.flush().map_err(&failed)?;
        hashing.file.get_ref().sync_all().map_err(&failed)?;
        fs::rename(&from, &to).map_err(&failed)?;
        Ok(ShardFile {
            file: self.file,
            bytes: hashing.bytes,
            hash: hashing.hash.finalize().to_hex().to_string(),
            clips,
        })
    }
}

/// A mono WAV file of 16 bits.
fn wav(samples: &[i16], rate: u32) -> Vec<u8> {
    let bytes = (samples.len() * 2) as u32;
    let mut wav = Vec::with_capacity(WAV_HEADER + samples.len() * 2);
    wav.extend(b"RIFF");
    wav.extend((36 + bytes).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16u32.to_le_bytes());
    for half in [1u16, 1] {
        wav.extend(half.to_le_bytes()); // PCM, one channel
    }
    wav.extend(rate.to_le_bytes());
    wav.extend((rate * 2).to_le_bytes());
    for half in [2u16, 16] {
        wav.extend(half.to_le_bytes()); // bytes and bits of a sample
    }
    wav.extend(b"data");
    wav.extend(bytes.to_le_bytes());
    for sample in samples {
        wav.extend(sample.to_le_bytes());
    }
    wav
}

/// The part of the index of a shard, under way.
fn part(shard: usize) -> String {
    format!("shard-{shard:06}.json")
}
