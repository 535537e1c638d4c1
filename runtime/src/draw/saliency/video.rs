//! Films as browsers play them: H.264, or VP9 where this FFmpeg has no encoder for that.

use crate::data::decode::prepare;
use crate::error::{Error, Result};
use crate::sheet::enlarged;
use crate::sheet::panels::rgb;
use compiler::units::Exact;
use ff::format::Pixel;
use ff::software::scaling;
use ff::util::color;
use ff::util::frame::Video;
use ff::{Dictionary, Packet, Rational};
use ffmpeg_next as ff;
use std::path::Path;
use tch::Tensor;

/// Rows that small pictures are enlarged to by whole numbers, about: colours have half as many as greys.
const ROWS: i64 = 160;

/// How films are encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coding {
    /// The name that FFmpeg has for the encoder.
    codec: &'static str,
    /// And for the container, which is also what files of it end with.
    container: &'static str,
    options: &'static [(&'static str, &'static str)],
}

/// The first one that is there is taken.
const CODINGS: [Coding; 2] = [
    Coding {
        codec: "libx264",
        container: "mp4",
        options: &[("crf", "14"), ("preset", "slow")],
    },
    Coding {
        codec: "libvpx-vp9",
        container: "webm",
        options: &[
            ("crf", "18"),
            ("b", "0"),
            ("deadline", "good"),
            ("cpu-used", "2"),
        ],
    },
];

impl Coding {
    /// The one that this FFmpeg has, if any.
    pub fn of_this_machine() -> Option<Self> {
        let is_there = |coding: &Coding| ff::encoder::find_by_name(coding.codec).is_some();
        CODINGS.into_iter().find(is_there)
    }

    /// What its files end with.
    pub fn ending(self) -> &'static str {
        self.container
    }

    /// Pictures u8 `[H, W, 3]` of one size as a film, each shown for so many seconds.
    ///
    /// # Errors
    /// What the encoder says.
    pub fn film(self, frames: &[Tensor], each: Exact) -> Result<Vec<u8>> {
        let refused = |cause: String| Error::Unsupported {
            message: format!("cannot encode a film with `{}`: {cause}", self.codec),
        };
        prepare();
        let folder = tempfile::tempdir().map_err(|cause| refused(cause.to_string()))?;
        let path = folder.path().join("film");
        self.write(frames, unit(each), &path)
            .map_err(|cause| refused(cause.to_string()))?;
        std::fs::read(&path).map_err(|cause| refused(cause.to_string()))
    }

    fn write(
        self,
        frames: &[Tensor],
        unit: Rational,
        path: &Path,
    ) -> std::result::Result<(), ff::Error> {
        let mut out = ff::format::output_as(path, self.container)?;
        let codec = ff::encoder::find_by_name(self.codec).ok_or(ff::Error::EncoderNotFound)?;
        let needs_header = ff::format::Flags::GLOBAL_HEADER;
        let is_apart = out.format().flags().contains(needs_header);
        let frames: Vec<Tensor> = frames.iter().map(fitted).collect();
        let (height, width) = frames.first().map_or((0, 0), size);
        let mut encoder = ff::codec::Context::new_with_codec(codec)
            .encoder()
            .video()?;
        encoder.set_width(width);
        encoder.set_height(height);
        encoder.set_format(Pixel::YUV420P);
        encoder.set_time_base(unit);
        encoder.set_frame_rate(Some(unit.invert()));
        encoder.set_max_b_frames(0);
        // What comes out depends on how many there are.
        encoder.set_threading(ff::threading::Config::count(1));
        encoder.set_colorspace(color::Space::SMPTE170M);
        encoder.set_color_range(color::Range::MPEG);
        if is_apart {
            encoder.set_flags(ff::codec::Flags::GLOBAL_HEADER);
        }
        let options: Dictionary<'_> = self.options.iter().copied().collect();
        let mut encoder = encoder.open_with(options)?;
        let mut stream = out.add_stream(codec)?;
        stream.set_parameters(&encoder);
        stream.set_time_base(unit);
        // Without it the containers hold a random number, or the version of FFmpeg.
        let exact: Dictionary<'_> = [("fflags", "+bitexact")].into_iter().collect();
        out.write_header_with(exact)?;
        let mut to_yuv = scaling::Context::get(
            Pixel::RGB24,
            width,
            height,
            Pixel::YUV420P,
            width,
            height,
            scaling::Flags::BICUBIC | scaling::Flags::ACCURATE_RND | scaling::Flags::BITEXACT,
        )?;
        for (frame, at) in frames.iter().zip(0..) {
            let mut coded = Video::empty();
            to_yuv.run(&picture(frame), &mut coded)?;
            coded.set_pts(Some(at));
            encoder.send_frame(&coded)?;
            pass(&mut encoder, &mut out, unit)?;
        }
        encoder.send_eof()?;
        pass(&mut encoder, &mut out, unit)?;
        out.write_trailer()
    }
}

/// Writes what the encoder has ready.
fn pass(
    encoder: &mut ff::codec::encoder::Encoder,
    out: &mut ff::format::context::Output,
    unit: Rational,
) -> std::result::Result<(), ff::Error> {
    let mut packet = Packet::empty();
    loop {
        match encoder.receive_packet(&mut packet) {
            Ok(()) => {}
            Err(ff::Error::Eof) => return Ok(()),
            Err(ff::Error::Other { errno }) if errno == ff::error::EAGAIN => return Ok(()),
            Err(cause) => return Err(cause),
        }
        packet.set_duration(1);
        let to = out.stream(0).map_or(unit, |stream| stream.time_base());
        packet.rescale_ts(unit, to);
        packet.write_interleaved(out)?;
    }
}

/// Seconds as a fraction that FFmpeg holds, to a thousandth of a second where it is none.
fn unit(seconds: Exact) -> Rational {
    let exact = (
        i32::try_from(*seconds.0.numer()),
        i32::try_from(*seconds.0.denom()),
    );
    match exact {
        (Ok(over), Ok(below)) => Rational(over, below),
        (Err(_), _) | (_, Err(_)) => Rational((seconds.to_f64() * 1e3).round() as i32, 1000),
    }
}

/// A picture `[H, W, 3]` with rows and columns of even numbers, which the format needs: the last one is shown twice.
fn fitted(frame: &Tensor) -> Tensor {
    let rows = frame.size()[0].max(1);
    let mut frame = enlarged(frame, ROWS.div_euclid(rows).max(1));
    for axis in [0, 1] {
        let last = frame.size()[axis as usize] - 1;
        if last % 2 == 0 {
            frame = Tensor::cat(&[&frame, &frame.narrow(axis, last, 1)], axis);
        }
    }
    frame
}

/// Rows and columns.
fn size(frame: &Tensor) -> (u32, u32) {
    (frame.size()[0] as u32, frame.size()[1] as u32)
}

/// A picture u8 `[H, W, 3]` as FFmpeg takes it.
fn picture(frame: &Tensor) -> Video {
    let (height, width) = size(frame);
    let mut picture = Video::new(Pixel::RGB24, width, height);
    let stride = picture.stride(0);
    let row = 3 * width as usize;
    let pixels = rgb(frame);
    let rows = picture
        .data_mut(0)
        .chunks_mut(stride)
        .zip(pixels.chunks(row));
    rows.for_each(|(to, from)| to[..row].copy_from_slice(from));
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::decode;
    use crate::data::source::{Request, Ticks};
    use tch::{Device, Kind};

    /// What is decoded again is what was encoded, about, at its own rate; small pictures of odd sizes are enlarged.
    #[test]
    fn a_film_is_played_as_it_was_drawn() {
        let frame = |level: f64| {
            let half = |level: f64| Tensor::full([33, 17, 3], level, (Kind::Uint8, Device::Cpu));
            Tensor::cat(&[half(level), half(255.0 - level)], 1)
        };
        let levels = [10.0, 90.0, 200.0];
        let frames = levels.map(frame);
        for coding in CODINGS {
            if ff::encoder::find_by_name(coding.codec).is_none() {
                continue;
            }
            let film = coding.film(&frames, Exact::new(1001, 8000)).unwrap();
            assert_eq!(film, coding.film(&frames, Exact::new(1001, 8000)).unwrap());
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("film");
            std::fs::write(&path, film).unwrap();
            let request = Request::Video {
                start: 0.0,
                frames: 3,
                fps: Exact::new(8000, 1001),
            };
            let spans = decode::read(&path, None, &[request]).unwrap();
            let Ticks::Frames(pictures) = &spans[0].ticks else {
                panic!("no pictures")
            };
            assert_eq!(pictures.size(), [3, 132, 136, 3]);
            assert_eq!((spans[0].before, spans[0].after), (0, 0));
            for (at, level) in levels.into_iter().enumerate() {
                let shown = pictures.get(at as i64).to_kind(Kind::Double);
                for (column, level) in [(20, level), (110, 255.0 - level)] {
                    let value = shown.get(60).get(column).mean(Kind::Double);
                    let value = value.double_value(&[]);
                    assert!((value - level).abs() < 6.0, "{value} {level}");
                }
            }
        }
    }
}
