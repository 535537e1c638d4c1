//! Writes the clips: frames that show their number, sound that is a chirp, in any container and codec of this FFmpeg.

use ff::format::{Pixel, Sample, sample::Type};
use ff::util::frame::{Audio, Video};
use ff::{ChannelLayout, Dictionary, Packet, Rational};
use ffmpeg_next as ff;
use std::f64::consts::TAU;
use std::path::Path;

/// Squares of 16 pixels, four in a row, two rows.
const SIZE: (u32, u32) = (64, 32);

/// A clip to write.
#[derive(Clone)]
pub struct Clip {
    /// The name that FFmpeg has for the container.
    pub container: &'static str,
    pub pictures: Option<Pictures>,
    pub tone: Option<Tone>,
}

/// Its pictures.
#[derive(Clone)]
pub struct Pictures {
    pub codec: &'static str,
    pub format: Pixel,
    pub options: &'static [(&'static str, &'static str)],
    /// From one key frame to the next.
    pub gop: u32,
    pub b_frames: usize,
    /// When each frame is shown, in units of `1 / unit` seconds; at most 256 of them.
    pub times: Vec<i64>,
    pub unit: i32,
}

/// Its sound.
#[derive(Clone)]
pub struct Tone {
    pub codec: &'static str,
    pub format: Sample,
    pub rate: i32,
    pub channels: i32,
    pub bit_rate: usize,
    /// When it begins, by how much its container's clock puts that off, and how long it is, seconds.
    pub start: f64,
    pub lag: f64,
    pub seconds: f64,
    /// By how much the stamps of three of ten packets are too early, seconds.
    pub sway: f64,
}

/// The chirp `t` seconds after its beginning.
pub fn chirp(t: f64) -> f64 {
    0.5 * (TAU * (200.0 * t + 50.0 * t * t)).sin()
}

/// A packet, its stream, and its unit.
type Made = (usize, Rational, Packet);

/// Writes the clip.
pub fn write(clip: &Clip, path: &Path) -> Result<(), ff::Error> {
    ff::log::set_level(ff::log::Level::Fatal);
    let mut out = ff::format::output_as(path, clip.container)?;
    let global = out
        .format()
        .flags()
        .contains(ff::format::Flags::GLOBAL_HEADER);
    let mut made = Vec::new();
    if let Some(pictures) = &clip.pictures {
        draw(&mut out, pictures, global, &mut made)?;
    }
    if let Some(tone) = &clip.tone {
        sing(&mut out, tone, global, &mut made)?;
    }
    made.sort_by(|a, b| time(a).total_cmp(&time(b)));
    out.write_header()?;
    for (stream, unit, mut packet) in made {
        packet.set_stream(stream);
        let to = out.stream(stream).unwrap().time_base();
        packet.rescale_ts(unit, to);
        packet.write_interleaved(&mut out)?;
    }
    out.write_trailer()
}

/// When the packet is to be decoded, seconds.
fn time((_, unit, packet): &Made) -> f64 {
    packet.dts().or(packet.pts()).unwrap_or(0) as f64 * f64::from(*unit)
}

/// What the encoder has ready.
fn collect(
    encoder: &mut ff::codec::encoder::Encoder,
    stream: usize,
    unit: Rational,
    duration: i64,
    made: &mut Vec<Made>,
) {
    let mut packet = Packet::empty();
    while encoder.receive_packet(&mut packet).is_ok() {
        if packet.duration() == 0 {
            packet.set_duration(duration);
        }
        made.push((stream, unit, packet));
        packet = Packet::empty();
    }
}

/// Encodes the pictures.
fn draw(
    out: &mut ff::format::context::Output,
    pictures: &Pictures,
    global: bool,
    made: &mut Vec<Made>,
) -> Result<(), ff::Error> {
    let codec = ff::encoder::find_by_name(pictures.codec).ok_or(ff::Error::EncoderNotFound)?;
    let mut stream = out.add_stream(codec)?;
    let mut encoder = ff::codec::Context::new_with_codec(codec)
        .encoder()
        .video()?;
    let unit = Rational(1, pictures.unit);
    encoder.set_width(SIZE.0);
    encoder.set_height(SIZE.1);
    encoder.set_format(pictures.format);
    encoder.set_time_base(unit);
    encoder.set_frame_rate(Some(Rational(25, 1)));
    encoder.set_gop(pictures.gop);
    encoder.set_max_b_frames(pictures.b_frames);
    encoder.set_bit_rate(1_000_000);
    encoder.set_threading(ff::threading::Config::count(1));
    if global {
        encoder.set_flags(ff::codec::Flags::GLOBAL_HEADER);
    }
    let options: Dictionary<'_> = pictures.options.iter().copied().collect();
    let mut encoder = encoder.open_with(options)?;
    stream.set_parameters(&encoder);
    stream.set_time_base(unit);
    let index = stream.index();
    for (number, &shown) in pictures.times.iter().enumerate() {
        let mut frame = numbered(number, pictures.format);
        frame.set_pts(Some(shown));
        encoder.send_frame(&frame)?;
        collect(
            &mut encoder,
            index,
            unit,
            i64::from(pictures.unit) / 25,
            made,
        );
    }
    encoder.send_eof()?;
    collect(
        &mut encoder,
        index,
        unit,
        i64::from(pictures.unit) / 25,
        made,
    );
    Ok(())
}

/// The frame that shows this number: bit `b` is the square in column `b % 4`, row `b / 4`.
fn numbered(number: usize, format: Pixel) -> Video {
    let mut frame = Video::new(format, SIZE.0, SIZE.1);
    let deep = format == Pixel::YUV420P10LE;
    let mut put = |plane: usize, x: usize, y: usize, value: u16| {
        let stride = frame.stride(plane);
        let data = frame.data_mut(plane);
        if deep {
            let at = y * stride + 2 * x;
            data[at..at + 2].copy_from_slice(&(value << 2).to_le_bytes());
        } else {
            data[y * stride + x] = value as u8;
        }
    };
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let bit = 4 * (y / 16) + x / 16;
        put(0, x, y, if (number >> bit) & 1 == 1 { 235 } else { 16 });
    }
    let part = if format == Pixel::YUV444P { 1 } else { 2 };
    for plane in 1..3 {
        for (y, x) in (0..height / part).flat_map(|y| (0..width / part).map(move |x| (y, x))) {
            put(plane, x, y, 128);
        }
    }
    frame
}

/// Encodes the sound: the same chirp in all channels.
fn sing(
    out: &mut ff::format::context::Output,
    tone: &Tone,
    global: bool,
    made: &mut Vec<Made>,
) -> Result<(), ff::Error> {
    let codec = ff::encoder::find_by_name(tone.codec).ok_or(ff::Error::EncoderNotFound)?;
    let mut stream = out.add_stream(codec)?;
    let mut encoder = ff::codec::Context::new_with_codec(codec)
        .encoder()
        .audio()?;
    let unit = Rational(1, tone.rate);
    let layout = ChannelLayout::default(tone.channels);
    encoder.set_rate(tone.rate);
    encoder.set_format(tone.format);
    encoder.set_channel_layout(layout);
    encoder.set_time_base(unit);
    encoder.set_bit_rate(tone.bit_rate);
    if global {
        encoder.set_flags(ff::codec::Flags::GLOBAL_HEADER);
    }
    let mut encoder = encoder.open()?;
    stream.set_parameters(&encoder);
    stream.set_time_base(unit);
    let index = stream.index();
    let rate = f64::from(tone.rate);
    let first = (tone.start * rate).round() as i64;
    let total = (tone.seconds * rate).round() as usize;
    let size = match encoder.frame_size() {
        0 => 1024,
        size => size as usize,
    };
    for begin in (0..total).step_by(size) {
        let n = size.min(total - begin);
        let mut frame = Audio::new(tone.format, n, layout);
        frame.set_rate(tone.rate as u32);
        frame.set_pts(Some(first + begin as i64));
        let wave: Vec<f64> = (begin..begin + n)
            .map(|at| chirp(at as f64 / rate))
            .collect();
        fill(&mut frame, &wave, tone);
        encoder.send_frame(&frame)?;
        collect(&mut encoder, index, unit, 0, made);
    }
    encoder.send_eof()?;
    collect(&mut encoder, index, unit, 0, made);
    let early = (tone.sway * rate) as i64;
    let own = made.iter_mut().filter(|(stream, ..)| *stream == index);
    for (number, (_, _, packet)) in own.enumerate() {
        if (5..8).contains(&(number % 10)) {
            packet.set_pts(packet.pts().map(|pts| pts - early));
            packet.set_dts(packet.pts());
        }
    }
    Ok(())
}

/// Puts the wave into all channels.
#[allow(clippy::wildcard_enum_match_arm)] // the encoders in use take no other formats
fn fill(frame: &mut Audio, wave: &[f64], tone: &Tone) {
    let whole = |x: f64| (x * 32_767.0).round() as i16;
    let channels = tone.channels as usize;
    match tone.format {
        Sample::F32(Type::Planar) => {
            for channel in 0..channels {
                let plane = frame.plane_mut::<f32>(channel);
                plane
                    .iter_mut()
                    .zip(wave)
                    .for_each(|(to, &x)| *to = x as f32);
            }
        }
        Sample::I16(Type::Planar) => {
            for channel in 0..channels {
                let plane = frame.plane_mut::<i16>(channel);
                plane
                    .iter_mut()
                    .zip(wave)
                    .for_each(|(to, &x)| *to = whole(x));
            }
        }
        Sample::I16(Type::Packed) => {
            let each = wave.iter().flat_map(|&x| vec![whole(x); channels]);
            let bytes: Vec<u8> = each.flat_map(i16::to_le_bytes).collect();
            frame.data_mut(0)[..bytes.len()].copy_from_slice(&bytes);
        }
        _ => panic!("{:?} is not written", tone.format),
    }
}
