//! The frames of one pass: decoded in order of presentation, and each moment served with the frame shown at it.

use super::container::Container;
use super::{Span, is_pause, words};
use crate::data::source::{Request, Ticks};
use crate::error::Result;
use ff::format::Pixel;
use ff::software::scaling;
use ff::util::frame::Video;
use ffmpeg_next as ff;
use tch::{Kind, Tensor};

/// One moment at which a frame is wanted.
struct Wanted {
    /// Seconds.
    time: f64,
    /// Which of the outputs it goes to.
    output: usize,
    /// Its place in that output.
    tick: usize,
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
    outputs: Vec<Output>,
    last: Option<Shown>,
    is_late: bool,
}

impl Pictures {
    /// A decoder for the video requests of the group.
    pub(super) fn new(
        container: &Container,
        requests: &[Request],
        group: &[usize],
    ) -> Result<Self> {
        let track = container
            .video()
            .ok_or_else(|| container.error("it has no pictures".to_owned()))?;
        let decoder = container
            .decoder(track)?
            .video()
            .map_err(|error| container.error(words(error)))?;
        let (width, height) = (decoder.width(), decoder.height());
        if width == 0 || height == 0 {
            return Err(container.error("its pictures have no size".to_owned()));
        }
        let (mut wanted, mut outputs) = (Vec::new(), Vec::new());
        for &request in group {
            let Request::Video { start, frames, fps } = requests[request] else {
                continue;
            };
            let times = (0..frames as usize).map(|tick| Wanted {
                time: start + tick as f64 / fps.to_f64(),
                output: outputs.len(),
                tick,
            });
            wanted.extend(times);
            outputs.push(Output {
                request,
                frames: frames as usize,
                bytes: Vec::new(),
                before: 0,
                after: 0,
            });
        }
        wanted.sort_by(|a, b| a.time.total_cmp(&b.time));
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
            outputs,
            last: None,
            is_late: false,
        })
    }

    /// Whether every moment has its frame.
    pub(super) fn is_done(&self) -> bool {
        self.served == self.wanted.len()
    }

    /// Whether anything was decoded.
    pub(super) fn has_begun(&self) -> bool {
        self.last.is_some()
    }

    /// Whether the first frame that came is shown after the first moment that wants one.
    pub(super) fn is_late(&self) -> bool {
        self.is_late
    }

    /// Decodes a packet; `None` at the end of the file.
    pub(super) fn take(&mut self, packet: Option<&ff::Packet>) -> std::result::Result<(), String> {
        let sent = match packet {
            Some(packet) => self.decoder.send_packet(packet),
            None => self.decoder.send_eof(),
        };
        if let Err(error) = sent
            && !is_pause(error)
        {
            let time = packet
                .and_then(|packet| packet.pts().or(packet.dts()))
                .map(|units| units as f64 * self.tick);
            self.refused(time, words(error))?;
        }
        loop {
            let mut frame = Video::empty();
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => self.show(frame)?,
                Err(error) if is_pause(error) => return Ok(()),
                Err(error) => return self.refused(None, words(error)),
            }
            if self.is_done() {
                return Ok(());
            }
        }
    }

    /// A packet that cannot be decoded matters from the first wanted moment on.
    fn refused(&self, time: Option<f64>, cause: String) -> std::result::Result<(), String> {
        let time = time.or(self.last.as_ref().map(|shown| shown.time));
        match (time, self.wanted.first()) {
            (Some(time), Some(first)) if time > first.time - self.frame_time => {
                Err(format!("pictures at {time:.3} s: {cause}"))
            }
            _ => Ok(()),
        }
    }

    /// Serves all moments before the new frame with the one before it.
    fn show(&mut self, frame: Video) -> std::result::Result<(), String> {
        let guess = self
            .last
            .as_ref()
            .map_or(0.0, |last| last.time + self.frame_time);
        let time = frame
            .timestamp()
            .map_or(guess, |units| units as f64 * self.tick);
        let duration = frame.packet().duration.max(0) as f64 * self.tick;
        let half = self.tick / 2.0;
        if self.last.is_none()
            && self
                .wanted
                .first()
                .is_some_and(|first| first.time + half < time)
        {
            self.is_late = true;
        }
        let mut shown = Shown {
            frame,
            time,
            duration,
            rgb: None,
        };
        while let Some(wanted) = self
            .wanted
            .get(self.served)
            .filter(|wanted| wanted.time + half < time)
        {
            let (output, tick) = (wanted.output, wanted.tick);
            let serving = match &mut self.last {
                Some(last) => last,
                None => {
                    self.outputs[output].before += 1;
                    &mut shown
                }
            };
            serve(
                serving,
                &mut self.outputs[output],
                tick,
                &mut self.scaler,
                (self.width, self.height, self.quarter_turns),
            )?;
            self.served += 1;
        }
        self.last = Some(shown);
        Ok(())
    }

    /// The frames of each request. Moments that are still open get the last frame.
    pub(super) fn finish(mut self) -> std::result::Result<Vec<(usize, Span)>, String> {
        if !self.is_done() {
            let mut last = self.last.take().ok_or("no picture can be decoded")?;
            let shown_for = if last.duration > 0.0 {
                last.duration
            } else {
                self.frame_time
            };
            let end = last.time + shown_for - self.tick / 2.0;
            for wanted in &self.wanted[self.served..] {
                let output = &mut self.outputs[wanted.output];
                output.after += u32::from(wanted.time >= end);
                let size = (self.width, self.height, self.quarter_turns);
                serve(&mut last, output, wanted.tick, &mut self.scaler, size)?;
            }
        }
        let is_turned = self.quarter_turns % 2 == 1;
        let (width, height) = if is_turned {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        };
        let span = |output: Output| {
            let shape = [output.frames as i64, i64::from(height), i64::from(width), 3];
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
    output: &mut Output,
    tick: usize,
    scaler: &mut Option<scaling::Context>,
    size: (u32, u32, u8),
) -> std::result::Result<(), String> {
    let rgb = match &mut shown.rgb {
        Some(rgb) => rgb,
        none => {
            if shown.frame.is_corrupt() || shown.frame.has_decode_errors() {
                return Err(format!("the picture at {:.3} s is damaged", shown.time));
            }
            none.insert(upright(&shown.frame, scaler, size)?)
        }
    };
    if output.bytes.is_empty() {
        output.bytes = vec![0; output.frames * rgb.len()];
    }
    output.bytes[tick * rgb.len()..][..rgb.len()].copy_from_slice(rgb);
    Ok(())
}

/// A frame as RGB of the stream's size, turned as its display matrix says. Colours by swscale's defaults (BT.601), as the
/// released code has them.
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
        let flags = scaling::Flags::BILINEAR
            | scaling::Flags::ACCURATE_RND
            | scaling::Flags::FULL_CHR_H_INT;
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
