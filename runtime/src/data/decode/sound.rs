//! The samples of one pass: decoded in order, mixed to one channel, resampled onto the grid of the file's clock.

use super::container::Container;
use super::{Span, WORTH_A_SEEK, is_pause, words};
use crate::data::source::{Request, Ticks};
use crate::error::Result;
use crate::parts::{Part, measured};
use ff::ChannelLayout;
use ff::format::{Sample, sample::Type};
use ff::software::resampling;
use ff::util::frame::Audio;
use ffmpeg_next as ff;
use tch::{Device, Kind, Tensor};

/// Time stamps of sound may be off by so much, seconds, before they count as a hole or an overlap: some containers round them
/// to 1 ms.
const JITTER: f64 = 0.0025;
/// The same of Vorbis, whose blocks are of two lengths: outside Ogg a packet is stamped by its own length, while how much comes out
/// of it depends on the one before, so stamps go to and fro by a quarter of the difference, 10 ms as a rule.
const JITTER_OF_VORBIS: f64 = 0.025;
/// So much sound before and after a span, seconds, goes through the resampler with it: more than its filter is long.
const MARGIN: f64 = 0.02;
/// Decodes sound and keeps what lies in the group's spans.
pub(super) struct Sound {
    decoder: ff::codec::decoder::Audio,
    tick: f64,
    /// By how many seconds time stamps may be off.
    jitter: f64,
    /// Samples per second out.
    rate: u32,
    /// Packets that end by then are not decoded, seconds.
    begin: f64,
    /// A seek must lead so many seconds before `begin`.
    settling: f64,
    /// First and last position that is wanted on the grid of `rate`.
    span: (i64, i64),
    requests: Vec<(usize, i64, usize)>,
    heard: Option<Heard>,
    /// Of the frames before the span: by how many samples their stamps are behind where they lie, and how many samples they have.
    offsets: Vec<(i64, i64)>,
    flow: Option<Flow>,
    /// Whether a packet came, whether one went to the decoder, and whether the file is read from where a seek landed.
    has_come: bool,
    has_sent: bool,
    sought: bool,
    is_late: bool,
    is_done: bool,
}

/// What was decoded so far, on the grid of the input.
#[derive(Clone, Copy)]
struct Heard {
    /// Samples per second in.
    rate: u32,
    /// Where the first sample lies.
    first: i64,
    /// Where the next sample is expected.
    next: i64,
}

/// Sound that goes through the resampler.
struct Flow {
    resampler: resampling::Context,
    layout: ChannelLayout,
    /// Samples per second in.
    rate: u32,
    format: Sample,
    /// Where the next sample goes.
    next: i64,
    /// Where the resampler's input begins; a whole number of samples on the grid of the output too.
    origin: i64,
    /// What came out.
    wave: Vec<f32>,
}

impl Sound {
    /// A decoder for the audio requests of the group, which all have one rate; from `run_up` seconds before the first on.
    pub(super) fn new(
        container: &Container,
        requests: &[Request],
        group: &[usize],
        sought: bool,
        run_up: f64,
    ) -> Result<Self> {
        let track = container
            .audio()
            .ok_or_else(|| container.error("it has no sound".to_owned()))?;
        let decoder = container
            .audio_decoder(track)
            .map_err(|error| container.error(words(error)))?;
        let (mut list, mut rates) = (Vec::new(), Vec::new());
        for &request in group {
            let Request::Audio {
                start,
                samples,
                rate,
            } = requests[request]
            else {
                continue;
            };
            list.push((
                request,
                (start * rate.to_f64()).round() as i64,
                samples as usize,
            ));
            rates.push(rate);
        }
        let rate = rates[0]
            .to_u32()
            .filter(|&rate| rate > 0 && rates.iter().all(|other| *other == rates[0]));
        let rate = rate.ok_or_else(|| {
            container.error("sound is read at one whole number of samples per second".to_owned())
        })?;
        let start = list.iter().map(|&(_, at, _)| at).min().unwrap_or(0);
        let end = list
            .iter()
            .map(|&(_, at, n)| at + n as i64)
            .max()
            .unwrap_or(0);
        Ok(Self {
            decoder,
            tick: track.tick,
            jitter: if container.counts_sound() {
                f64::INFINITY
            } else if container.stream(track).parameters().id() == ff::codec::Id::VORBIS {
                JITTER_OF_VORBIS
            } else {
                JITTER
            },
            rate,
            begin: begin(container, start as f64 / f64::from(rate), run_up),
            settling: container.settling(),
            span: (start, end),
            requests: list,
            heard: None,
            offsets: Vec::new(),
            flow: None,
            has_come: false,
            has_sent: false,
            sought,
            is_late: false,
            is_done: false,
        })
    }

    /// Whether all samples that are wanted have come out.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Whether any sound came.
    pub(super) fn has_begun(&self) -> bool {
        self.has_come
    }

    /// Whether a seek led behind the packets that the first wanted sample needs.
    pub(super) fn is_late(&self) -> bool {
        self.is_late
    }

    /// Whether nothing came out of the decoder, while there may be packets before the first that went into it.
    pub(super) fn is_mute(&self) -> bool {
        self.heard.is_none() && self.has_sent && self.begin.is_finite()
    }

    /// Decodes a packet; `None` at the end of the file.
    pub(super) fn take(&mut self, packet: Option<&ff::Packet>) -> std::result::Result<(), String> {
        if let Some(packet) = packet
            && !self.enter(packet)
        {
            return Ok(());
        }
        self.has_sent |= packet.is_some();
        let sent = match packet {
            Some(packet) => self.decoder.send_packet(packet),
            None => self.decoder.send_eof(),
        };
        if let Err(error) = sent
            && !is_pause(error)
        {
            self.refused(packet, words(error))?;
        }
        loop {
            let mut frame = Audio::empty();
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => self.push(&mut frame)?,
                Err(error) if is_pause(error) => break,
                Err(error) => return self.refused(packet, words(error)),
            }
            if self.is_done {
                return Ok(());
            }
        }
        if packet.is_none()
            && let Some(flow) = &mut self.flow
        {
            flow.drain()?;
            self.is_done = true;
        }
        Ok(())
    }

    /// Whether the packet goes to the decoder. The first one that does is the same wherever the file is read from.
    fn enter(&mut self, packet: &ff::Packet) -> bool {
        let begin = self.begin;
        let Some(units) = packet.pts().or(packet.dts()) else {
            self.is_late |= self.sought && !self.has_come;
            self.has_come = true;
            return true;
        };
        let time = units as f64 * self.tick;
        // Half of what was aimed at: packets of a stream are not stored evenly in time.
        let latest = begin - self.settling / 2.0;
        self.is_late |= self.sought && !self.has_come && time > latest;
        self.has_come = true;
        self.heard.is_some() || time + packet.duration().max(0) as f64 * self.tick > begin
    }

    /// A packet that cannot be decoded matters inside the span.
    fn refused(
        &self,
        packet: Option<&ff::Packet>,
        cause: String,
    ) -> std::result::Result<(), String> {
        let Some(time) = packet
            .and_then(|packet| packet.pts().or(packet.dts()))
            .map(|units| units as f64 * self.tick)
        else {
            return Ok(());
        };
        let (start, end) = (
            self.span.0 as f64 / f64::from(self.rate),
            self.span.1 as f64 / f64::from(self.rate),
        );
        if time >= start && time < end {
            return Err(format!("sound at {time:.3} s: {cause}"));
        }
        Ok(())
    }

    fn push(&mut self, frame: &mut Audio) -> std::result::Result<(), String> {
        let rate = frame.rate();
        if rate == 0 || frame.samples() == 0 {
            return Ok(());
        }
        let stamped = frame
            .timestamp()
            .map(|units| (units as f64 * self.tick * f64::from(rate)).round() as i64);
        // Counted from the first sample on, so that rounded time stamps do not move it.
        let expected = self
            .heard
            .filter(|heard| heard.rate == rate)
            .map(|heard| heard.next);
        let is_near =
            |at: i64, next: i64| (at - next).abs() as f64 <= self.jitter * f64::from(rate);
        let mut at = match (stamped, expected) {
            (Some(at), Some(next)) if is_near(at, next) => next,
            (Some(at), _) => {
                self.offsets.clear();
                at
            }
            (None, Some(next)) => next,
            (None, None) => 0,
        };
        let samples = frame.samples() as i64;
        let on_input = |position: i64| {
            (position as f64 * f64::from(rate) / f64::from(self.rate)).floor() as i64
        };
        let margin = (MARGIN * f64::from(rate)) as i64;
        let (from, until) = (
            on_input(self.span.0) - margin,
            on_input(self.span.1) + margin,
        );
        let mut first = self.heard.map_or(at, |heard| heard.first);
        if self.flow.is_none() && at + samples > from {
            // The first stamp may have been one of those that are off.
            let offset = match self.jitter.is_finite() {
                true => middle(&mut self.offsets),
                false => 0,
            };
            (at, first) = (at + offset, first + offset);
        }
        self.heard = Some(Heard {
            rate,
            first,
            next: at + samples,
        });
        if self.flow.is_none() {
            if at + samples <= from {
                let offset = stamped.map_or(0, |stamped| stamped - at);
                self.offsets.push((offset, samples));
                return Ok(());
            }
            self.flow = Some(Flow::new(frame, at, self.rate)?);
        }
        let flow = self.flow.as_mut().expect("push: made above");
        if flow.rate != rate || flow.format != frame.format() {
            let time = at as f64 / f64::from(rate);
            return Err(format!("the sound changes its form at {time:.3} s"));
        }
        flow.silence(at.min(until))?;
        frame.set_channel_layout(flow.layout);
        if at == flow.next {
            flow.convert(frame)?;
        } else if at < flow.next && at + samples > flow.next {
            flow.convert(&tail(frame, (flow.next - at) as usize))?;
        }
        self.is_done = flow.next >= until;
        if self.is_done {
            flow.drain()?;
        }
        Ok(())
    }

    /// The samples of each request; zeros where there are none.
    pub(super) fn finish(self) -> std::result::Result<Vec<(usize, Span)>, String> {
        if self.heard.is_none() && (self.has_sent || !self.has_come) {
            return Err("no sound can be decoded".to_owned());
        }
        let (Some(flow), Some(heard)) = (self.flow, self.heard) else {
            // All of it lies before the span.
            let silent = |&(request, _, samples): &(usize, i64, usize)| {
                let wave = Tensor::zeros([samples as i64], (Kind::Float, Device::Cpu));
                let ticks = Ticks::Wave(wave);
                (
                    request,
                    Span {
                        ticks,
                        before: 0,
                        after: samples as u32,
                    },
                )
            };
            return Ok(self.requests.iter().map(silent).collect());
        };
        let grid = |position: i64| position as f64 * f64::from(self.rate) / f64::from(flow.rate);
        let origin = grid(flow.origin).round() as i64;
        let (first, end) = (
            grid(heard.first).ceil() as i64,
            grid(flow.next).floor() as i64,
        );
        let span = |&(request, start, samples): &(usize, i64, usize)| {
            let until = start + samples as i64;
            let mut wave = vec![0.0f32; samples];
            let (from, to) = (
                start.max(first).max(origin),
                until.min(end).min(origin + flow.wave.len() as i64),
            );
            if from < to {
                let source = &flow.wave[(from - origin) as usize..(to - origin) as usize];
                // Files of floats can hold anything, and one such sample would end a training.
                if let Some(at) = source.iter().position(|sample| !sample.is_finite()) {
                    let time = (from + at as i64) as f64 / f64::from(self.rate);
                    return Err(format!("sound at {time:.3} s: a sample is {}", source[at]));
                }
                wave[(from - start) as usize..(to - start) as usize].copy_from_slice(source);
            }
            let before = (first.min(until) - start).max(0) as u32;
            let after = (until - end.max(start)).max(0) as u32;
            Ok((
                request,
                Span {
                    ticks: Ticks::Wave(Tensor::from_slice(&wave)),
                    before,
                    after,
                },
            ))
        };
        self.requests.iter().map(span).collect()
    }
}

/// From where on the packets are decoded for sound that is wanted from `start` on, seconds, with such a run-up. Near the start of
/// the file they all are, for some codecs fill in noise from a generator that begins there; and so they are where sound is only counted.
pub(super) fn begin(container: &Container, start: f64, run_up: f64) -> f64 {
    if start - container.start() <= WORTH_A_SEEK || container.counts_sound() {
        f64::NEG_INFINITY
    } else {
        start - run_up
    }
}

impl Flow {
    /// Begins with `frame`, whose first sample lies at `at`.
    fn new(frame: &Audio, at: i64, out_rate: u32) -> std::result::Result<Self, String> {
        let channels = frame.channel_layout();
        let layout = if channels.is_empty() {
            ChannelLayout::default(i32::from(frame.channels()))
        } else {
            channels
        };
        // Float output would add channels without scaling them down: two equal ones came out 1.41 times as loud.
        let mut options = ff::Dictionary::new();
        options.set("rematrix_maxval", "1.0");
        let (mono, packed) = (ChannelLayout::MONO, Sample::F32(Type::Packed));
        let resampler = resampling::Context::get_with(
            frame.format(),
            layout,
            frame.rate(),
            packed,
            mono,
            out_rate,
            options,
        )
        .map_err(words)?;
        // The grids of both rates meet every `block` input samples. The resampler starts at such a place, so that its output
        // lies on the grid wherever decoding began.
        let block = i64::from(frame.rate() / gcd(frame.rate(), out_rate));
        let origin = at.div_euclid(block) * block;
        let (rate, format) = (frame.rate(), frame.format());
        Ok(Self {
            resampler,
            layout,
            rate,
            format,
            next: origin,
            origin,
            wave: Vec::new(),
        })
    }

    /// Fills up with zeros until `at`.
    fn silence(&mut self, at: i64) -> std::result::Result<(), String> {
        while self.next < at {
            let samples = (at - self.next).min(i64::from(self.rate)) as usize;
            let mut zeros = Audio::new(self.format, samples, self.layout);
            zeros.set_rate(self.rate);
            let zero = if matches!(self.format, Sample::U8(_)) {
                0x80
            } else {
                0
            };
            for plane in 0..zeros.planes() {
                zeros.data_mut(plane).fill(zero);
            }
            self.convert(&zeros)?;
        }
        Ok(())
    }

    /// Resamples a frame that lies at `next`.
    fn convert(&mut self, frame: &Audio) -> std::result::Result<(), String> {
        let rate = u64::from(self.resampler.output().rate);
        let held = self
            .resampler
            .delay()
            .map_or(0, |delay| delay.output.max(0) as usize);
        let room = (frame.samples() as u64 * rate / u64::from(self.rate)) as usize + held + 64;
        let mut out = Audio::new(Sample::F32(Type::Packed), room, ChannelLayout::MONO);
        measured(Part::Resample, || self.resampler.run(frame, &mut out)).map_err(words)?;
        self.keep(&out);
        self.next += frame.samples() as i64;
        Ok(())
    }

    /// Takes what the resampler still holds.
    fn drain(&mut self) -> std::result::Result<(), String> {
        while let Some(delay) = self.resampler.delay() {
            let room = delay.output.max(0) as usize + 64;
            let mut out = Audio::new(Sample::F32(Type::Packed), room, ChannelLayout::MONO);
            self.resampler.flush(&mut out).map_err(words)?;
            if out.samples() == 0 {
                break;
            }
            self.keep(&out);
        }
        Ok(())
    }

    fn keep(&mut self, out: &Audio) {
        if out.samples() > 0 {
            self.wave.extend_from_slice(out.plane::<f32>(0));
        }
    }
}

/// The frame without its first `skip` samples, fewer than it has.
fn tail(frame: &Audio, skip: usize) -> Audio {
    let samples = frame.samples() - skip;
    let mut rest = Audio::new(frame.format(), samples, frame.channel_layout());
    rest.set_rate(frame.rate());
    let channels = if frame.is_packed() {
        usize::from(frame.channels())
    } else {
        1
    };
    let sample = frame.format().bytes() * channels;
    for plane in 0..frame.planes() {
        let bytes = &frame.data(plane)[skip * sample..(skip + samples) * sample];
        rest.data_mut(plane)[..bytes.len()].copy_from_slice(bytes);
    }
    rest
}

/// The median of the first numbers, each as often as the second says; 0 where there is none.
fn middle(weighed: &mut [(i64, i64)]) -> i64 {
    weighed.sort_unstable();
    let half = weighed.iter().map(|(_, weight)| weight).sum::<i64>() / 2;
    let mut passed = 0;
    let middle = weighed.iter().find(|(_, weight)| {
        passed += weight;
        passed > half
    });
    middle.map_or(0, |(value, _)| *value)
}

/// The greatest common divisor.
fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
