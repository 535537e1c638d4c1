//! What the packets of a file say, read once without decoding: when each frame is shown, which frames a decoder can start at,
//! and when the sound begins and ends. It makes seeks exact, and fits into an index: some hundred bytes for ten seconds.

use super::container::{Container, Kind, Pace};
use crate::data::source::{Limits, Streams};
use crate::error::Result;
use crate::ffi::is_unseen;
use ffmpeg_next as ff;

/// The first byte of [`Scan::to_bytes`]; another layout gets another one.
const VERSION: u8 = 1;
/// The most frames or key frames that a scan read from bytes may have, so that bad bytes ask for no memory.
const MAX_FRAMES: u64 = 4_000_000;

/// The packets of a file's chosen streams.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Scan {
    /// Its pictures.
    pub video: Option<Frames>,
    /// Its sound.
    pub audio: Option<Samples>,
}

/// The frames of the video stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Frames {
    /// Position among the streams of the file.
    pub stream: u32,
    /// One unit of the times: `unit.0 / unit.1` seconds.
    pub unit: (u32, u32),
    /// When each frame is shown, in order, in units.
    pub times: Vec<i64>,
    /// For how long the last frame is shown, in units.
    pub last: i64,
    /// Positions in `times` of the frames that begin decoding: all that are shown from there on need nothing before it.
    pub keys: Vec<u32>,
    /// Whether every packet has a time of its own and the first is a key frame: if not, the times only say where the stream
    /// begins and ends.
    pub is_exact: bool,
}

/// The sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Samples {
    /// Position among the streams of the file.
    pub stream: u32,
    /// One unit of the times: `unit.0 / unit.1` seconds.
    pub unit: (u32, u32),
    /// When the first packet begins, priming samples included, in units.
    pub first: i64,
    /// When sound begins and ends: without the samples that a codec only needs to start and to stop, seconds.
    pub limits: Limits,
}

/// Reads the time stamps of all packets of the file. Nothing is decoded.
///
/// # Errors
/// [`crate::error::Error::Decode`] where the file cannot be opened, has neither pictures nor sound, or took longer than the
/// limits of a reading allow.
pub fn scan(path: &std::path::Path) -> Result<Scan> {
    let pace = Pace::new();
    Container::open(path, &pace)?.scan(&pace)
}

impl Scan {
    /// When the streams begin and end.
    pub fn streams(&self) -> Streams {
        Streams {
            video: self.video.as_ref().and_then(Frames::limits),
            audio: self.audio.map(|sound| sound.limits),
        }
    }

    /// The scan in few bytes: a version, then numbers of seven bits a byte, times as differences with their repetitions.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![
            VERSION,
            u8::from(self.video.is_some()) + 2 * u8::from(self.audio.is_some()),
        ];
        if let Some(video) = &self.video {
            out.push(u8::from(video.is_exact));
            for number in [video.stream, video.unit.0, video.unit.1] {
                put(&mut out, u64::from(number));
            }
            put_signed(&mut out, video.last);
            put_ascending(&mut out, &video.times);
            let keys: Vec<i64> = video.keys.iter().map(|&at| i64::from(at)).collect();
            put_ascending(&mut out, &keys);
        }
        if let Some(audio) = &self.audio {
            for number in [audio.stream, audio.unit.0, audio.unit.1] {
                put(&mut out, u64::from(number));
            }
            put_signed(&mut out, audio.first);
            out.extend_from_slice(&audio.limits.start.to_le_bytes());
            out.extend_from_slice(&audio.limits.end.to_le_bytes());
        }
        out
    }

    /// The scan that [`Scan::to_bytes`] wrote; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        if take(&mut rest)? != VERSION {
            return None;
        }
        let kinds = take(&mut rest)?;
        if kinds > 3 {
            return None;
        }
        let mut found = Self::default();
        if kinds & 1 == 1 {
            let is_exact = match take(&mut rest)? {
                0 => false,
                1 => true,
                _ => return None,
            };
            let (stream, unit) = head(&mut rest)?;
            let last = signed(&mut rest)?;
            let times = ascending(&mut rest)?;
            let keys = ascending(&mut rest)?;
            let in_range = |&at: &i64| {
                u32::try_from(at)
                    .ok()
                    .filter(|&at| (at as usize) < times.len())
            };
            let keys = keys.iter().map(in_range).collect::<Option<Vec<u32>>>()?;
            found.video = Some(Frames {
                stream,
                unit,
                times,
                last,
                keys,
                is_exact,
            });
        }
        if kinds & 2 == 2 {
            let (stream, unit) = head(&mut rest)?;
            let first = signed(&mut rest)?;
            let (start, end) = (float(&mut rest)?, float(&mut rest)?);
            found.audio = Some(Samples {
                stream,
                unit,
                first,
                limits: Limits { start, end },
            });
        }
        rest.is_empty().then_some(found)
    }
}

impl Frames {
    /// Seconds of one unit.
    pub fn tick(&self) -> f64 {
        f64::from(self.unit.0) / f64::from(self.unit.1)
    }

    /// From the first frame to the end of the last.
    fn limits(&self) -> Option<Limits> {
        let (first, last) = (self.times.first()?, self.times.last()?);
        Some(Limits {
            start: *first as f64 * self.tick(),
            end: (*last as f64 + self.last as f64) * self.tick(),
        })
    }

    /// The frame that is shown at `seconds`: the last whose time is at most that, but for half a unit; before the first, the first.
    pub(super) fn shown_at(&self, seconds: f64) -> Option<i64> {
        let tick = self.tick();
        let later = self
            .times
            .partition_point(|&units| seconds + tick / 2.0 >= units as f64 * tick);
        self.times.get(later.saturating_sub(1)).copied()
    }

    /// The last key frame at or before a frame's time, in units.
    pub(super) fn key_for(&self, time: i64) -> Option<i64> {
        let later = self
            .keys
            .partition_point(|&key| self.times[key as usize] <= time);
        let key = self.keys.get(later.checked_sub(1)?)?;
        Some(self.times[*key as usize])
    }
}

impl Container {
    /// Reads all packets.
    pub fn scan(mut self, pace: &Pace) -> Result<Scan> {
        let mut frames = Packets::default();
        let mut sound: Option<(i64, f64, f64)> = None;
        let audio_rate = match self.audio() {
            Some(track) => self
                .decoder(track)?
                .audio()
                .map_or(0.0, |decoder| f64::from(decoder.rate())),
            None => 0.0,
        };
        let audio_tick = self.audio().map_or(0.0, |track| track.tick);
        let mut packet = ff::Packet::empty();
        while let Some(kind) = self.next(&mut packet, pace)? {
            match kind {
                Kind::Video => frames.add(&packet),
                Kind::Audio => {
                    let Some(units) = packet.pts().or(packet.dts()) else {
                        continue;
                    };
                    let (skipped, dropped) = trims(&packet, audio_rate);
                    let start = units as f64 * audio_tick;
                    let end = start + packet.duration().max(0) as f64 * audio_tick - dropped;
                    let so_far = sound.get_or_insert((units, start + skipped, end));
                    *so_far = (
                        so_far.0.min(units),
                        so_far.1.min(start + skipped),
                        so_far.2.max(end),
                    );
                }
                Kind::Other => {}
            }
        }
        let unit = |track| {
            let base = self.stream(track).time_base();
            let part = |part: i32| u32::try_from(part).unwrap_or(1).max(1);
            (part(base.numerator()), part(base.denominator()))
        };
        let video = self.video().and_then(|track| {
            let rate = f64::from(self.stream(track).avg_frame_rate());
            let usual = if rate > 0.0 { 1.0 / rate } else { 0.04 };
            let usual = (usual / track.tick).round() as i64;
            frames.finish(track.index as u32, unit(track), usual)
        });
        let audio = self.audio().and_then(|track| {
            let (first, start, end) = sound?;
            // Packets before the stream's start are read but not heard: priming samples of a codec.
            let start = start.max(self.stream_start(track)).min(end);
            Some(Samples {
                stream: track.index as u32,
                unit: unit(track),
                first,
                limits: Limits { start, end },
            })
        });
        if video.is_none() && audio.is_none() {
            return Err(self.error("it has no packets".to_owned()));
        }
        Ok(Scan { video, audio })
    }
}

/// Seconds that the decoder leaves out at the start and at the end of a packet.
fn trims(packet: &ff::Packet, rate: f64) -> (f64, f64) {
    let side = packet
        .side_data()
        .find(|side| side.kind() == ff::packet::side_data::Type::SkipSamples);
    let samples = |at: usize| {
        let bytes = side.as_ref()?.data().get(at..at + 4)?;
        Some(f64::from(u32::from_le_bytes(bytes.try_into().ok()?)))
    };
    match (samples(0), samples(4)) {
        (Some(skipped), Some(dropped)) if rate > 0.0 => (skipped / rate, dropped / rate),
        _ => (0.0, 0.0),
    }
}

/// Video packets as they come, in the order of decoding.
#[derive(Default)]
struct Packets {
    /// Time, duration, whether it is a key frame.
    shown: Vec<(i64, i64, bool)>,
    lacks_times: bool,
    starts_late: bool,
}

impl Packets {
    fn add(&mut self, packet: &ff::Packet) {
        if self.shown.is_empty() && !packet.is_key() {
            self.starts_late = true;
        }
        self.lacks_times |= packet.pts().is_none();
        // Outside an edit list: decoded, never shown.
        if is_unseen(packet) {
            self.lacks_times |= packet.is_key();
            return;
        }
        if let Some(units) = packet.pts().or(packet.dts()) {
            self.shown
                .push((units, packet.duration().max(0), packet.is_key()));
        }
    }

    fn finish(mut self, stream: u32, unit: (u32, u32), usual: i64) -> Option<Frames> {
        // Frames that are shown before the first key frame but stored after it need one that is not there.
        if let Some(first) = self.shown.first().copied()
            && !self.starts_late
            && !self.lacks_times
        {
            self.shown.retain(|&(time, _, _)| time >= first.0);
        }
        self.shown.sort_by_key(|&(time, _, _)| time);
        let number = self.shown.len();
        self.shown.dedup_by_key(|&mut (time, _, _)| time);
        let last = self.shown.last()?.1;
        let positions = self.shown.iter().enumerate();
        Some(Frames {
            stream,
            unit,
            last: if last > 0 { last } else { usual },
            keys: positions
                .filter(|(_, frame)| frame.2)
                .map(|(at, _)| at as u32)
                .collect(),
            is_exact: !self.lacks_times && !self.starts_late && number == self.shown.len(),
            times: self.shown.into_iter().map(|(time, _, _)| time).collect(),
        })
    }
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// How many, the first, then runs: a difference and how often it comes.
fn put_ascending(out: &mut Vec<u8>, numbers: &[i64]) {
    put(out, numbers.len() as u64);
    let Some(first) = numbers.first() else { return };
    put_signed(out, *first);
    let mut steps = numbers
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .peekable();
    while let Some(step) = steps.next() {
        let mut times = 1u64;
        while steps.next_if_eq(&step).is_some() {
            times += 1;
        }
        // The lowest bit says whether a count follows: rounded time stamps change their difference with every frame.
        put(out, (step as u64) << 1 | u64::from(times > 1));
        if times > 1 {
            put(out, times);
        }
    }
}

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (first, tail) = rest.split_first()?;
    *rest = tail;
    Some(*first)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take(rest)?;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn signed(rest: &mut &[u8]) -> Option<i64> {
    let number = number(rest)?;
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}

fn ascending(rest: &mut &[u8]) -> Option<Vec<i64>> {
    let length = number(rest)?;
    if length > MAX_FRAMES {
        return None;
    }
    let mut numbers = Vec::new();
    if length == 0 {
        return Some(numbers);
    }
    numbers.push(signed(rest)?);
    while (numbers.len() as u64) < length {
        let coded = number(rest)?;
        let step = i64::try_from(coded >> 1).ok()?;
        let times = if coded & 1 == 1 { number(rest)? } else { 1 };
        if times == 0 || times > length - numbers.len() as u64 {
            return None;
        }
        for _ in 0..times {
            let last = *numbers.last()?;
            numbers.push(last.checked_add(step)?);
        }
    }
    Some(numbers)
}

fn head(rest: &mut &[u8]) -> Option<(u32, (u32, u32))> {
    let mut small = || u32::try_from(number(rest)?).ok();
    let (stream, above, below) = (small()?, small()?, small()?);
    (above > 0 && below > 0).then_some((stream, (above, below)))
}

fn float(rest: &mut &[u8]) -> Option<f64> {
    let (bytes, tail) = rest.split_at_checked(8)?;
    *rest = tail;
    let value = f64::from_le_bytes(bytes.try_into().ok()?);
    value.is_finite().then_some(value)
}
