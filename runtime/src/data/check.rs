//! `data check`: opens and decodes every file, and says what is really in it.
//!
//! A file is *ok* when all of its best video and audio stream decodes without complaint, *damaged* when some of it does not,
//! and *unreadable* when nothing comes out.

use super::admission::cause;
use super::decode::{Container, Pace, Track, is_pause, words};
use super::manifest::is_media;
use super::ordered::Ordered;
use crate::error::{Error, Result};
use ff::format::Sample;
use ff::util::frame;
use ffmpeg_next as ff;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// Real durations that are shorter than the header says by more than this share are noted.
const SHORTFALL: f64 = 0.05;

/// What a file is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All of it decodes.
    Ok,
    /// Some of it does not.
    Damaged,
    /// Nothing can be read.
    Unreadable,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::Ok => "ok",
            Status::Damaged => "damaged",
            Status::Unreadable => "unreadable",
        })
    }
}

/// The pictures of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VideoReport {
    /// FFmpeg's name of the codec.
    pub codec: String,
    /// Pixels as shown, after rotation.
    pub width: u32,
    /// Pixels as shown, after rotation.
    pub height: u32,
    /// Frames per second: those that were decoded over the time that they are shown.
    pub fps: f64,
    /// Frames that were decoded.
    pub frames: u64,
    /// Seconds from the first frame to the end of the last, by time stamps.
    pub duration: f64,
}

/// The sound of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AudioReport {
    /// FFmpeg's name of the codec.
    pub codec: String,
    /// Samples per second.
    pub rate: u32,
    /// Channels.
    pub channels: u16,
    /// Seconds that were decoded.
    pub duration: f64,
}

/// What was found in one file: one JSON object per file with `--format json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileReport {
    /// The file.
    pub file: PathBuf,
    /// What it is good for.
    pub status: Status,
    /// Its pictures, if it has any that decode.
    pub video: Option<VideoReport>,
    /// Its sound, if it has any that decodes.
    pub audio: Option<AudioReport>,
    /// What is wrong or unusual; empty where nothing is.
    pub note: String,
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10}  {}", self.status, self.file.display())?;
        if let Some(v) = &self.video {
            write!(
                f,
                "  {} {}x{} {:.2} fps {:.3} s",
                v.codec, v.width, v.height, v.fps, v.duration
            )?;
        }
        if let Some(a) = &self.audio {
            let channels = match a.channels {
                1 => "mono".to_owned(),
                2 => "stereo".to_owned(),
                n => format!("{n} channels"),
            };
            write!(
                f,
                "  {} {} Hz {channels} {:.3} s",
                a.codec, a.rate, a.duration
            )?;
        }
        if !self.note.is_empty() {
            write!(f, "  ({})", self.note)?;
        }
        Ok(())
    }
}

/// The media files of a folder and those below it, sorted; other files are passed over.
///
/// # Errors
/// [`Error::Io`] where a folder cannot be read.
pub fn media_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = Error::io("read", folder);
    let mut found = Vec::new();
    for child in std::fs::read_dir(folder).map_err(&failed)? {
        let child = child.map_err(&failed)?;
        let name = child.file_name().to_string_lossy().into_owned();
        // Links to folders are not followed: they may lead back here.
        if child.file_type().map_err(&failed)?.is_dir() {
            found.extend(media_below(&child.path())?);
        } else if is_media(&name) && !name.starts_with('.') {
            found.push(child.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Checks the files on `threads` threads; `out` gets the reports in the order of the files, each as soon as it is known.
pub fn check(paths: &[PathBuf], threads: usize, out: &mut dyn FnMut(FileReport)) {
    let files = paths.to_vec();
    let reports = Ordered::new(
        0..paths.len() as u64,
        threads,
        4 * threads.max(1),
        move |at| check_file(&files[at as usize]),
    );
    reports.for_each(out);
}

/// Opens the file and decodes all of its best video and audio stream.
pub fn check_file(path: &Path) -> FileReport {
    let unreadable = |note| FileReport {
        file: path.to_owned(),
        status: Status::Unreadable,
        video: None,
        audio: None,
        note,
    };
    match decode_all(path) {
        Ok(found) => found.report(path).unwrap_or_else(unreadable),
        Err(error) => unreadable(cause(error)),
    }
}

/// What came out of a whole file.
struct Found {
    video: Option<Counted>,
    audio: Option<Counted>,
    quarter_turns: u8,
    complaints: Complaints,
    notes: Vec<String>,
}

/// Things that went wrong, and the first of them in words.
#[derive(Default)]
struct Complaints {
    number: u64,
    first: Option<String>,
}

impl Complaints {
    fn add(&mut self, what: String) {
        self.number += 1;
        self.first.get_or_insert(what);
    }
}

/// One stream as it was decoded.
struct Counted {
    decoder: Decoder,
    codec: String,
    tick: f64,
    /// Length of the stream by its header.
    promised: Option<f64>,
    /// Length of a frame where it does not say itself.
    usual: f64,
    frames: u64,
    /// First and last presentation time, and the end of what is shown then.
    extent: Option<(f64, f64, f64)>,
    seconds: f64,
    size: (u32, u32),
    rate: u32,
    channels: u16,
}

enum Decoder {
    Video(ff::codec::decoder::Video),
    Audio(ff::codec::decoder::Audio),
}

fn decode_all(path: &Path) -> Result<Found> {
    let pace = Pace::new();
    let mut container = Container::open(path, &pace)?;
    let mut complaints = Complaints::default();
    let mut notes = Vec::new();
    let mut open = |track: Option<Track>, is_video| {
        let track = track?;
        match Counted::new(&container, track, is_video) {
            Ok(counted) => Some(counted),
            Err(what) => {
                complaints.add(what);
                None
            }
        }
    };
    let (mut video, mut audio) = (
        open(container.video(), true),
        open(container.audio(), false),
    );
    let more = container.others();
    if more > 0 {
        notes.push(format!("{more} more streams that are not used"));
    }
    let quarter_turns = container.quarter_turns();
    let mut packet = ff::Packet::empty();
    while let Some(kind) = container.next(&mut packet, &pace)? {
        if let Some(counted) = kind.of(&mut video, &mut audio) {
            counted.take(Some(&packet), &mut complaints);
        }
    }
    for counted in [&mut video, &mut audio].into_iter().flatten() {
        counted.take(None, &mut complaints);
    }
    if container.refused() > 0 {
        complaints.number += container.refused();
        complaints
            .first
            .get_or_insert("the container is damaged".to_owned());
    }
    Ok(Found {
        video,
        audio,
        quarter_turns,
        complaints,
        notes,
    })
}

impl Counted {
    fn new(
        container: &Container,
        track: Track,
        is_video: bool,
    ) -> std::result::Result<Self, String> {
        let stream = container.stream(track);
        let context = container.decoder(track).map_err(cause)?;
        let codec = stream.parameters().id().name().to_owned();
        let kind = if is_video { "pictures" } else { "sound" };
        let failed = |error| format!("{kind} ({codec}): {}", words(error));
        let decoder = if is_video {
            Decoder::Video(context.video().map_err(failed)?)
        } else {
            Decoder::Audio(context.audio().map_err(failed)?)
        };
        let fps = f64::from(stream.avg_frame_rate());
        Ok(Self {
            decoder,
            tick: track.tick,
            promised: (stream.duration() > 0).then(|| stream.duration() as f64 * track.tick),
            usual: if fps > 0.0 { 1.0 / fps } else { 0.0 },
            codec,
            frames: 0,
            extent: None,
            seconds: 0.0,
            size: (0, 0),
            rate: 0,
            channels: 0,
        })
    }

    /// Decodes a packet, or what is left at the end.
    fn take(&mut self, packet: Option<&ff::Packet>, complaints: &mut Complaints) {
        let kind = if matches!(self.decoder, Decoder::Video(_)) {
            "picture"
        } else {
            "sound"
        };
        if packet.is_some_and(ff::Packet::is_corrupt) {
            complaints.add(format!("a packet of {kind} is cut off"));
        }
        let sent = match (&mut self.decoder, packet) {
            (Decoder::Video(decoder), Some(packet)) => decoder.send_packet(packet),
            (Decoder::Audio(decoder), Some(packet)) => decoder.send_packet(packet),
            (Decoder::Video(decoder), None) => decoder.send_eof(),
            (Decoder::Audio(decoder), None) => decoder.send_eof(),
        };
        if let Err(error) = sent
            && !is_pause(error)
        {
            complaints.add(format!("a packet of {kind}: {}", words(error)));
        }
        loop {
            let mut picture = frame::Video::empty();
            let mut sound = frame::Audio::empty();
            let got = match &mut self.decoder {
                Decoder::Video(decoder) => decoder.receive_frame(&mut picture),
                Decoder::Audio(decoder) => decoder.receive_frame(&mut sound),
            };
            let is_video = matches!(self.decoder, Decoder::Video(_));
            match got {
                Ok(()) if is_video => {
                    if picture.is_corrupt() || picture.has_decode_errors() {
                        complaints.add("a picture is damaged".to_owned());
                    }
                    self.size = (picture.width(), picture.height());
                    self.count(&picture, None);
                }
                Ok(()) => {
                    (self.rate, self.channels) = (sound.rate(), sound.channels());
                    let seconds = sound.samples() as f64 / f64::from(self.rate.max(1));
                    self.seconds += seconds;
                    self.count(&sound, Some(seconds));
                    if has_no_number(&sound) {
                        complaints.add("a sample of sound is no number".to_owned());
                    }
                }
                Err(error) if is_pause(error) => return,
                Err(error) => {
                    return complaints.add(format!("a packet of {kind}: {}", words(error)));
                }
            }
        }
    }

    fn count(&mut self, frame: &ff::Frame, seconds: Option<f64>) {
        self.frames += 1;
        let guess = self.extent.map_or(0.0, |(_, _, end)| end);
        let time = frame
            .timestamp()
            .map_or(guess, |units| units as f64 * self.tick);
        let own = frame.packet().duration.max(0) as f64 * self.tick;
        let end = time + seconds.unwrap_or(if own > 0.0 { own } else { self.usual });
        let (first, last, until) = self.extent.unwrap_or((time, time, end));
        self.extent = Some((first.min(time), last.max(time), until.max(end)));
    }

    fn duration(&self) -> f64 {
        self.extent.map_or(0.0, |(first, _, end)| end - first)
    }
}

/// Whether a frame of floats holds NaN or an infinite value.
fn has_no_number(sound: &frame::Audio) -> bool {
    let width = match sound.format() {
        Sample::F32(_) => 4,
        Sample::F64(_) => 8,
        Sample::None | Sample::U8(_) | Sample::I16(_) | Sample::I32(_) | Sample::I64(_) => {
            return false;
        }
    };
    let channels = match sound.is_packed() {
        true => usize::from(sound.channels()),
        false => 1,
    };
    let bytes = sound.samples() * channels * width;
    (0..sound.planes()).any(|plane| {
        let data = sound.data(plane);
        let data = &data[..bytes.min(data.len())];
        match width {
            4 => data
                .as_chunks()
                .0
                .iter()
                .any(|four| !f32::from_ne_bytes(*four).is_finite()),
            _ => data
                .as_chunks()
                .0
                .iter()
                .any(|eight| !f64::from_ne_bytes(*eight).is_finite()),
        }
    })
}

impl Found {
    /// The report; what is wrong where nothing came out.
    fn report(self, path: &Path) -> std::result::Result<FileReport, String> {
        let Self {
            video,
            audio,
            quarter_turns,
            mut complaints,
            mut notes,
        } = self;
        let mut keep = |counted: Option<Counted>, kind: &str| {
            let counted = counted?;
            if counted.frames == 0 {
                complaints.add(format!("no {kind} can be decoded"));
                return None;
            }
            Some(counted)
        };
        let (video, audio) = (keep(video, "pictures"), keep(audio, "sound"));
        for (kind, counted) in [("pictures", &video), ("sound", &audio)] {
            let Some(counted) = counted else { continue };
            let real = if counted.rate > 0 {
                counted.seconds
            } else {
                counted.duration()
            };
            let promised = counted.promised.unwrap_or(0.0).max(counted.duration());
            if real < promised * (1.0 - SHORTFALL) {
                notes.push(format!(
                    "{real:.3} s of {kind} where {promised:.3} s are promised"
                ));
            }
        }
        if let Some(first) = &complaints.first {
            let more = match complaints.number {
                1 => String::new(),
                n => format!(", and {} more", n - 1),
            };
            notes.insert(0, format!("{first}{more}"));
        }
        if let (Some(v), Some(a)) = (&video, &audio)
            && let (Some((v, _, _)), Some((a, _, _))) = (v.extent, a.extent)
            && (a - v).abs() > 0.05
        {
            let which = if a > v { "after" } else { "before" };
            notes.push(format!(
                "sound starts {:.3} s {which} the pictures",
                (a - v).abs()
            ));
        }
        let note = notes.join("; ");
        if video.is_none() && audio.is_none() {
            return Err(note);
        }
        let is_turned = quarter_turns % 2 == 1;
        let video = video.map(|v| {
            let (width, height) = if is_turned {
                (v.size.1, v.size.0)
            } else {
                v.size
            };
            let duration = v.duration();
            let fps = if duration > 0.0 {
                v.frames as f64 / duration
            } else {
                0.0
            };
            VideoReport {
                width,
                height,
                fps,
                frames: v.frames,
                duration,
                codec: v.codec,
            }
        });
        let audio = audio.map(|a| AudioReport {
            rate: a.rate,
            channels: a.channels,
            duration: a.seconds,
            codec: a.codec,
        });
        let status = if complaints.number > 0 {
            Status::Damaged
        } else {
            Status::Ok
        };
        Ok(FileReport {
            file: path.to_owned(),
            status,
            video,
            audio,
            note,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::fixtures::{clips, float_wav};

    #[test]
    fn whole_files_are_ok_with_their_real_numbers() {
        let report = check_file(&clips().join("exact/counter.mp4"));
        assert_eq!((report.status, report.note.as_str()), (Status::Ok, ""));
        let (video, audio) = (report.video.unwrap(), report.audio.unwrap());
        assert_eq!(
            (
                video.codec.as_str(),
                video.width,
                video.height,
                video.frames
            ),
            ("h264", 64, 32, 250)
        );
        assert!((video.fps - 25.0).abs() < 1e-6 && (video.duration - 10.0).abs() < 1e-6);
        assert_eq!(
            (audio.codec.as_str(), audio.rate, audio.channels),
            ("aac", 44_100, 1)
        );
        assert!((audio.duration - 10.0).abs() < 0.03);
        let turned = check_file(&clips().join("exact/turned.mp4")).video.unwrap();
        assert_eq!((turned.width, turned.height), (32, 64));
        let late = check_file(&clips().join("exact/late_sound.mkv"));
        assert_eq!(late.note, "sound starts 0.494 s after the pictures");
    }

    #[test]
    fn damaged_and_unreadable_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        let mut bytes = std::fs::read(clips().join("exact/variable_rate.mp4")).unwrap();
        let data = bytes.windows(4).position(|four| four == b"mdat").unwrap();
        bytes[data + 900..data + 1500].fill(0xff);
        write("scratched.mp4", &bytes);
        write(
            "cut.mp4",
            &std::fs::read(clips().join("exact/counter.mp4")).unwrap()[..40_000],
        );
        write("text.wav", b"no sound at all");
        write("nan.wav", &float_wav(&[0.5, f32::NAN]));
        write("float.wav", &float_wav(&[0.5, -0.5]));
        write("notes.txt", b"passed over");
        let paths = media_below(folder.path()).unwrap();
        let mut reports = Vec::new();
        check(&paths, 3, &mut |report| reports.push(report));
        let found: Vec<(String, Status)> = reports
            .iter()
            .map(|report| {
                (
                    report
                        .file
                        .file_name()
                        .unwrap()
                        .to_string_lossy()
                        .into_owned(),
                    report.status,
                )
            })
            .collect();
        let expected = [
            ("cut.mp4", Status::Unreadable),
            ("float.wav", Status::Ok),
            ("nan.wav", Status::Damaged),
            ("scratched.mp4", Status::Damaged),
            ("text.wav", Status::Unreadable),
        ];
        assert_eq!(
            found,
            expected.map(|(name, status)| (name.to_owned(), status))
        );
        assert_eq!(reports[2].note, "a sample of sound is no number");
        assert!(!reports[3].note.is_empty());
        let line = serde_json::to_value(&reports[4]).unwrap();
        assert_eq!(line["status"], "unreadable");
        assert!(line["video"].is_null() && line["audio"].is_null());
        assert_eq!(
            line["note"],
            "the data are damaged, or not those of a media file"
        );
        assert!(reports[4].to_string().starts_with("unreadable  "));
    }
}
