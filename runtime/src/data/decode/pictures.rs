//! The frames of one pass: decoded in order of presentation, and each moment served with the frame shown at it.

use super::container::Container;
use super::scan::Frames;
use super::{MAX_BYTES, Span, is_pause, words};
use crate::data::source::{Request, Ticks};
use crate::error::Result;
use crate::ffi::is_unseen;
use crate::parts::{Part, measured};
use ff::format::Pixel;
use ff::software::scaling;
use ff::util::frame::Video;
use ff::util::picture;
use ffmpeg_next as ff;
use std::collections::VecDeque;
use tch::{Kind, Tensor};

/// One moment at which a frame is wanted.
struct Wanted {
    /// Seconds.
    time: f64,
    /// Which of the outputs it goes to.
    output: usize,
    /// Its place in that output.
    tick: usize,
    /// The time of its frame in the stream's units, where a scan says it.
    frame: Option<i64>,
}

/// The frames of one request as they are filled in.
struct Output {
    request: usize,
    frames: usize,
    bytes: Vec<u8>,
    before: u32,
    after: u32,
}

/// A decoded frame and when it is shown.
struct Shown {
    frame: Video,
    /// From this moment.
    time: f64,
    /// For so long, where the file says.
    duration: f64,
    /// Converted to RGB and turned upright, once it is asked for.
    rgb: Option<Vec<u8>>,
}

impl Shown {
    /// Until when it is shown; `usual` is for how long a frame is where the file does not say.
    fn end(&self, usual: f64) -> f64 {
        self.time
            + if self.duration > 0.0 {
                self.duration
            } else {
                usual
            }
    }
}

/// Decodes frames and hands them out to the moments that want them.
pub(super) struct Pictures {
    decoder: ff::codec::decoder::Video,
    tick: f64,
    frame_time: f64,
    quarter_turns: u8,
    width: u32,
    height: u32,
    scaler: Option<scaling::Context>,
    wanted: Vec<Wanted>,
    served: usize,
    outputs: VecDeque<Output>,
    /// Outputs that were taken out.
    taken: usize,
    last: Option<Shown>,
    /// When each frame that came out is shown, seconds.
    shown_at: Vec<f64>,
    /// What is waited for before anything is decoded.
    entry: Entry,
    /// Time of the key frame that decoding began with: what is shown before it is not whole.
    begun_at: Option<i64>,
    known: Option<Known>,
    damage: Damage,
    /// Whether the file was not read from its start.
    begun_by_seek: bool,
    is_late: bool,
}

/// The packet at which decoding begins.
#[derive(Clone, Copy, PartialEq)]
enum Entry {
    /// Any: the file's first.
    Any,
    /// The first key frame.
    Key,
    /// The key frame of this time.
    KeyAt(i64),
    /// It has come.
    Passed,
}

/// What a scan knows of the frames.
struct Known {
    /// Times of all frames, ascending.
    times: Vec<i64>,
    /// Times of those that are wanted, ascending.
    frames: Vec<i64>,
    /// How many of the wanted ones are in the decoder.
    sent: usize,
    /// The place in `times` of the frame that comes out next, once one has.
    next: Option<usize>,
    /// Whether frames that no other builds on may be left out where nobody wants them: exact for codecs that mark them.
    skips: bool,
}

/// Where decoding went wrong, and which key frames came.
#[derive(Default)]
struct Damage {
    keys: Vec<f64>,
    /// Seconds, and what was wrong.
    found: Vec<(f64, String)>,
}

impl Damage {
    /// What a frame of this time may have inherited.
    fn before(&self, time: f64) -> Option<&(f64, String)> {
        let keys = self.keys.iter().copied().filter(|&key| key <= time);
        let key = keys.fold(f64::NEG_INFINITY, f64::max);
        let next = self.keys.iter().copied().filter(|&key| key > time);
        let next = next.fold(f64::INFINITY, f64::min);
        self.found.iter().find(|(at, _)| *at >= key && *at < next)
    }
}

impl Pictures {
    /// A decoder for the video requests of the group. `frames` are those of the stream, where a scan knows them; after a seek
    /// decoding begins at a key frame.
    pub(super) fn new(
        container: &Container,
        requests: &[Request],
        group: &[usize],
        frames: Option<&Frames>,
        sought: bool,
    ) -> Result<Self> {
        let track = container
            .video()
            .ok_or_else(|| container.error("it has no pictures".to_owned()))?;
        let decoder = measured(Part::Open, || container.video_decoder(track))
            .map_err(|error| container.error(words(error)))?;
        let (width, height) = (decoder.width(), decoder.height());
        if width == 0 || height == 0 {
            return Err(container.error("its pictures have no size".to_owned()));
        }
        let (mut wanted, mut outputs) = (Vec::new(), Vec::new());
        for &request in group {
            let Request::Video {
                start,
                frames: number,
                fps,
            } = requests[request]
            else {
                continue;
            };
            let times = (0..number as usize).map(|tick| {
                let time = start + tick as f64 / fps.to_f64();
                Wanted {
                    time,
                    output: outputs.len(),
                    tick,
                    frame: frames.and_then(|frames| frames.shown_at(time)),
                }
            });
            wanted.extend(times);
            outputs.push(Output {
                request,
                frames: number as usize,
                bytes: Vec::new(),
                before: 0,
                after: 0,
            });
        }
        wanted.sort_by(|a, b| a.time.total_cmp(&b.time));
        let known = frames.map(|frames| {
            let mut wanted: Vec<i64> = wanted.iter().filter_map(|wanted| wanted.frame).collect();
            wanted.dedup();
            Known {
                times: frames.times.clone(),
                frames: wanted,
                sent: 0,
                next: None,
                skips: container.stream(track).parameters().id() == ff::codec::Id::H264,
            }
        });
        let first = known
            .as_ref()
            .and_then(|known| known.frames.first().copied());
        let entry = match (frames, first) {
            (Some(frames), Some(first)) => frames.key_for(first).map(Entry::KeyAt),
            _ => None,
        };
        let entry = entry.unwrap_or(if sought { Entry::Key } else { Entry::Any });
        let rate = f64::from(container.stream(track).avg_frame_rate());
        Ok(Self {
            decoder,
            tick: track.tick,
            frame_time: if rate > 0.0 { 1.0 / rate } else { 0.04 },
            quarter_turns: container.quarter_turns(),
            width,
            height,
            scaler: None,
            wanted,
            served: 0,
            outputs: outputs.into(),
            taken: 0,
            last: None,
            shown_at: Vec::new(),
            entry,
            begun_at: None,
            known,
            damage: Damage::default(),
            begun_by_seek: sought || frames.is_some(),
            is_late: false,
        })
    }

    /// Refuses more bytes than one reading may ask for.
    pub(super) fn check_size(&self) -> std::result::Result<(), String> {
        let (width, height) = (self.width, self.height);
        let frames: u64 = self.outputs.iter().map(|output| output.frames as u64).sum();
        let bytes = frames * u64::from(width) * u64::from(height) * 3;
        if bytes > MAX_BYTES {
            return Err(format!(
                "its pictures are {width} x {height}: {bytes} bytes are asked for at once"
            ));
        }
        Ok(())
    }

    /// Takes out the frames of the requests that have theirs, in order, where each asks for one frame and they come by time: u8
    /// `[H, W, 3]`.
    pub(super) fn take_served(&mut self) -> Vec<Tensor> {
        let served = self.served - self.taken;
        self.taken = self.served;
        let (height, width) = self.shown_size();
        let frame = |output: Output| {
            Tensor::from_data_size(&output.bytes, &[height, width, 3], Kind::Uint8)
        };
        self.outputs.drain(..served).map(frame).collect()
    }

    /// Height and width of the frames, upright.
    fn shown_size(&self) -> (i64, i64) {
        let (width, height) = (i64::from(self.width), i64::from(self.height));
        match self.quarter_turns % 2 {
            1 => (width, height),
            _ => (height, width),
        }
    }

    /// Whether every moment has its frame.
    pub(super) fn is_done(&self) -> bool {
        self.served == self.wanted.len()
    }

    /// Whether anything was decoded.
    pub(super) fn has_begun(&self) -> bool {
        self.last.is_some()
    }

    /// When each frame that came out of the decoder is shown, seconds.
    pub(super) fn shown_at(self) -> Vec<f64> {
        self.shown_at
    }

    /// Whether the pass cannot give what is wanted: it began behind it, or lacks a frame that the scan has.
    pub(super) fn is_late(&self) -> bool {
        self.is_late
    }

    /// Decodes a packet; `None` at the end of the file.
    pub(super) fn take(&mut self, packet: Option<&ff::Packet>) -> std::result::Result<(), String> {
        let mut is_last = packet.is_none();
        if let Some(packet) = packet {
            if !self.enter(packet) {
                return Ok(());
            }
            if packet.is_key()
                && let Some(units) = packet.pts().or(packet.dts())
            {
                self.damage.keys.push(units as f64 * self.tick);
            }
            is_last = self.prepare(packet);
            if self.is_late {
                return Ok(());
            }
            if let Err(error) = self.decoder.send_packet(packet)
                && !is_pause(error)
            {
                self.refused(Some(packet), words(error));
            }
        }
        if is_last
            && let Err(error) = self.decoder.send_eof()
            && !is_pause(error)
        {
            self.refused(packet, words(error));
        }
        loop {
            let mut frame = Video::empty();
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => self.show(frame)?,
                Err(error) if is_pause(error) => break,
                Err(error) => {
                    self.refused(packet, words(error));
                    break;
                }
            }
            if self.is_done() || self.is_late {
                return Ok(());
            }
        }
        // All that was wanted went in, and not all came out.
        self.is_late |= is_last && self.known.is_some() && !self.is_done();
        Ok(())
    }

    /// Whether the packet goes to the decoder: nothing does before the key frame that is waited for.
    fn enter(&mut self, packet: &ff::Packet) -> bool {
        let time = packet.pts().or(packet.dts());
        let (is_entry, begun_at) = match self.entry {
            Entry::Passed => return true,
            Entry::Any => (true, time.filter(|_| packet.is_key())),
            Entry::Key => (packet.is_key(), time),
            Entry::KeyAt(key) => {
                self.is_late |= packet.is_key() && time.is_some_and(|time| time > key);
                (packet.is_key() && time == Some(key), time)
            }
        };
        if is_entry {
            self.entry = Entry::Passed;
            self.begun_at = begun_at;
        }
        is_entry
    }

    /// With a scan: has frames left out that nobody wants and no other builds on. Returns whether no packet behind this one is
    /// wanted.
    fn prepare(&mut self, packet: &ff::Packet) -> bool {
        let Some(known) = &mut self.known else {
            return false;
        };
        let time = packet.pts().unwrap_or(i64::MIN);
        if self.begun_at.is_some_and(|begun| time < begun) || is_unseen(packet) {
            return false;
        }
        // A packet that the scan does not have: the scan is of another file.
        self.is_late |= known.times.binary_search(&time).is_err();
        let is_wanted = known.frames.binary_search(&time).is_ok();
        known.sent += usize::from(is_wanted);
        if known.skips {
            self.decoder.skip_frame(if is_wanted {
                ff::Discard::Default
            } else {
                ff::Discard::NonReference
            });
        }
        known.sent == known.frames.len()
    }

    /// Notes a packet that cannot be decoded.
    fn refused(&mut self, packet: Option<&ff::Packet>, cause: String) {
        let time = packet
            .and_then(|packet| packet.pts().or(packet.dts()))
            .map(|units| units as f64 * self.tick)
            .or(self.last.as_ref().map(|shown| shown.time));
        if let Some(time) = time {
            self.damage.found.push((time, cause));
        }
    }

    /// Serves all moments before the new frame with the one before it; with a scan, those that the new frame is for.
    fn show(&mut self, frame: Video) -> std::result::Result<(), String> {
        let guess = self
            .last
            .as_ref()
            .map_or(0.0, |last| last.time + self.frame_time);
        let stamp = frame.timestamp();
        if let (Some(stamp), Some(begun)) = (stamp, self.begun_at)
            && stamp < begun
        {
            return Ok(());
        }
        self.is_late |= stamp.is_some_and(|stamp| !self.is_next(stamp));
        if self.is_late {
            return Ok(());
        }
        let time = stamp.map_or(guess, |units| units as f64 * self.tick);
        if frame.is_corrupt() || frame.has_decode_errors() {
            self.damage
                .found
                .push((time, "the picture is damaged".to_owned()));
        }
        let duration = frame.packet().duration.max(0) as f64 * self.tick;
        let half = self.tick / 2.0;
        let is_early = |wanted: &Wanted| wanted.time + half < time;
        if self.last.is_none() {
            // Where a file marks as key frames what is none, decoding must begin before it.
            let is_whole = matches!(frame.kind(), picture::Type::I | picture::Type::None);
            let is_behind = self.wanted.first().is_some_and(is_early);
            self.is_late = self.begun_by_seek && (is_behind && self.known.is_none() || !is_whole);
            if self.is_late {
                return Ok(());
            }
        }
        self.shown_at.push(time);
        let mut shown = Shown {
            frame,
            time,
            duration,
            rgb: None,
        };
        while let Some(wanted) = self.wanted.get(self.served) {
            let is_own = self.known.is_some();
            if let (true, Some(stamp)) = (is_own, stamp) {
                self.is_late |= wanted.frame.is_some_and(|frame| frame < stamp);
                if wanted.frame != Some(stamp) {
                    break;
                }
            } else if !is_early(wanted) {
                break;
            }
            let output = &mut self.outputs[wanted.output - self.taken];
            let serving = match &mut self.last {
                _ if is_own => {
                    output.before += u32::from(is_early(wanted));
                    let is_end =
                        self.known.as_ref().and_then(|known| known.times.last()) == stamp.as_ref();
                    let end = shown.end(self.frame_time) - half;
                    output.after += u32::from(is_end && wanted.time >= end);
                    &mut shown
                }
                Some(last) => last,
                None => {
                    output.before += 1;
                    &mut shown
                }
            };
            let size = (self.width, self.height, self.quarter_turns);
            serve(
                serving,
                &self.damage,
                output,
                wanted.tick,
                &mut self.scaler,
                size,
            )?;
            self.served += 1;
        }
        self.last = Some(shown);
        Ok(())
    }

    /// Moments that are still open get the last frame.
    pub(super) fn end(&mut self) -> std::result::Result<(), String> {
        if !self.is_done() {
            let mut last = self.last.take().ok_or("no picture can be decoded")?;
            let end = last.end(self.frame_time) - self.tick / 2.0;
            for wanted in &self.wanted[self.served..] {
                let output = &mut self.outputs[wanted.output - self.taken];
                output.after += u32::from(wanted.time >= end);
                let size = (self.width, self.height, self.quarter_turns);
                serve(
                    &mut last,
                    &self.damage,
                    output,
                    wanted.tick,
                    &mut self.scaler,
                    size,
                )?;
            }
            self.served = self.wanted.len();
        }
        Ok(())
    }

    /// Whether a frame of this time comes next, by the scan: in program streams, where not every frame is stamped, those behind a
    /// seek may get the times of others. Nothing can be said where frames are left out, and without a scan.
    fn is_next(&mut self, stamp: i64) -> bool {
        let Some(known) = self.known.as_mut().filter(|known| !known.skips) else {
            return true;
        };
        let place_of = |time: i64| known.times.binary_search(&time).ok();
        let next = known.next.or_else(|| place_of(self.begun_at?));
        let place = place_of(stamp);
        known.next = place.map(|place| place + 1);
        next.is_none() || next == place
    }

    /// The frames of each request. Moments that are still open get the last frame.
    pub(super) fn finish(mut self) -> std::result::Result<Vec<(usize, Span)>, String> {
        self.end()?;
        let (height, width) = self.shown_size();
        let span = |output: Output| {
            let shape = [output.frames as i64, height, width, 3];
            let frames = Tensor::from_data_size(&output.bytes, &shape, Kind::Uint8);
            (
                output.request,
                Span {
                    ticks: Ticks::Frames(frames),
                    before: output.before,
                    after: output.after,
                },
            )
        };
        Ok(self.outputs.into_iter().map(span).collect())
    }
}

/// Writes a frame into its place; `size` is width and height as coded, and quarter turns.
fn serve(
    shown: &mut Shown,
    damage: &Damage,
    output: &mut Output,
    tick: usize,
    scaler: &mut Option<scaling::Context>,
    size: (u32, u32, u8),
) -> std::result::Result<(), String> {
    let rgb = match &mut shown.rgb {
        Some(rgb) => rgb,
        none => {
            if let Some((time, cause)) = damage.before(shown.time) {
                return Err(format!("pictures at {time:.3} s: {cause}"));
            }
            none.insert(measured(Part::Convert, || {
                upright(&shown.frame, scaler, size)
            })?)
        }
    };
    if output.bytes.is_empty() {
        output.bytes = vec![0; output.frames * rgb.len()];
    }
    output.bytes[tick * rgb.len()..][..rgb.len()].copy_from_slice(rgb);
    Ok(())
}

/// A frame as RGB of the stream's size, turned as its display matrix says. Colours by swscale's defaults (BT.601, each from the nearest
/// sample), which are those of the released code: more accurate rounding would be other values, and nine times the work.
fn upright(
    frame: &Video,
    scaler: &mut Option<scaling::Context>,
    (width, height, quarter_turns): (u32, u32, u8),
) -> std::result::Result<Vec<u8>, String> {
    let input = (frame.format(), frame.width(), frame.height());
    let fits = |scaler: &scaling::Context| {
        let known = scaler.input();
        (known.format, known.width, known.height) == input
    };
    if !scaler.as_ref().is_some_and(fits) {
        let flags = scaling::Flags::BILINEAR;
        let fresh = scaling::Context::get(
            input.0,
            input.1,
            input.2,
            Pixel::RGB24,
            width,
            height,
            flags,
        );
        *scaler = Some(fresh.map_err(words)?);
    }
    let scaler = scaler.as_mut().expect("upright: made above");
    let mut rgb = Video::empty();
    scaler.run(frame, &mut rgb).map_err(words)?;
    let (stride, data) = (rgb.stride(0), rgb.data(0));
    let (w, h) = (width as usize, height as usize);
    let mut out = Vec::with_capacity(w * h * 3);
    match quarter_turns {
        1 => (0..w).for_each(|y| {
            (0..h).for_each(|x| out.extend_from_slice(&data[(h - 1 - x) * stride + y * 3..][..3]))
        }),
        2 => (0..h).rev().for_each(|y| {
            (0..w)
                .rev()
                .for_each(|x| out.extend_from_slice(&data[y * stride + x * 3..][..3]))
        }),
        3 => (0..w).rev().for_each(|y| {
            (0..h).for_each(|x| out.extend_from_slice(&data[x * stride + y * 3..][..3]))
        }),
        _ => (0..h).for_each(|y| out.extend_from_slice(&data[y * stride..][..w * 3])),
    }
    Ok(out)
}
