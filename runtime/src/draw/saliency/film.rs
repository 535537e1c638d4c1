//! Each sample as a film: its clips beside themselves with the map over them. Pictures play as browsers do, in H.264 or VP9; where no
//! encoder is there, and of sound, whose spectrogram stands still, it is a PNG of as many frames as there are.

use super::overlay::Pictures;
#[cfg(feature = "media")]
use super::video::Coding;
use super::{Shown, sheet};
use crate::error::{Error, Result};
use crate::sheet::panels::rgb;
use compiler::hir::Clip;
use compiler::units::Exact;
use records::report::FILM;
use tch::{Device, Kind, Tensor};

/// Columns of pixels between both halves.
const BETWEEN: i64 = 4;
/// Their grey, as dark on a light page as light on a dark one.
const GREY: f64 = 128.0;

/// In a build without FFmpeg no film is encoded.
#[cfg(not(feature = "media"))]
#[derive(Clone, Copy)]
enum Coding {}

#[cfg(not(feature = "media"))]
impl Coding {
    fn of_this_machine() -> Option<Self> {
        None
    }

    fn ending(self) -> &'static str {
        match self {}
    }

    fn film(self, _frames: &[Tensor], _each: Exact) -> Result<Vec<u8>> {
        match self {}
    }
}

/// What the film of a sample of such clips is called, from 1.
pub fn name(clip: &Clip, number: usize) -> String {
    format!("{FILM}{number}.{}", ending(clip))
}

/// What films of such clips end with.
fn ending(clip: &Clip) -> &'static str {
    coding(clip).map_or("png", Coding::ending)
}

/// Where the films of such clips are found, for the picture beside them.
pub fn note(clip: &Clip) -> String {
    let what = match (clip, ending(clip)) {
        (Clip::Video { .. }, "png") => "as animated PNG, for there is no encoder of H.264 or VP9",
        (Clip::Video { .. } | Clip::Text { .. } | Clip::Flow { .. }, _) => "as films that play",
        (Clip::Audio { .. }, _) => "at full size",
    };
    let first = name(clip, 1);
    format!("{what}: {first}, one for each sample, beside this picture in its run folder")
}

/// How films of such clips are encoded, where an encoder is wanted and there.
fn coding(clip: &Clip) -> Option<Coding> {
    match clip {
        Clip::Video { .. } => Coding::of_this_machine(),
        Clip::Audio { .. } | Clip::Text { .. } | Clip::Flow { .. } => None,
    }
}

/// A film of each sample that is shown, by name. Clips follow one another; a spectrogram stands still for as long as it lasts.
///
/// # Errors
/// What the encoder says.
pub fn films(shown: &Shown<'_>) -> Result<Vec<(String, Vec<u8>)>> {
    let clip = &shown.saliency.of.clip;
    let each = match clip {
        Clip::Video { fps, .. } => Exact::whole(1).over(*fps),
        Clip::Audio { .. } | Clip::Text { .. } | Clip::Flow { .. } => Some(clip.seconds()),
    };
    let scale = sheet::scale(shown);
    let films = (1..).zip(shown.drawn()).map(|(number, sample)| {
        let frames = sample.clips.iter().flat_map(|looked| {
            let Pictures { plain, overlaid } = Pictures::of(clip, looked, scale);
            let size = plain.size();
            let between = Tensor::full(
                [size[0], size[1], BETWEEN, 3],
                GREY,
                (Kind::Uint8, Device::Cpu),
            );
            Tensor::cat(&[plain, between, overlaid], 2).unbind(0)
        });
        let frames: Vec<Tensor> = frames.collect();
        Ok((name(clip, number), film(clip, &frames, each)?))
    });
    films.collect()
}

/// Pictures u8 `[H, W, 3]` of one size as a film of such clips, each shown for these seconds.
fn film(clip: &Clip, frames: &[Tensor], each: Option<Exact>) -> Result<Vec<u8>> {
    match (coding(clip), each) {
        (Some(coding), Some(each)) => coding.film(frames, each),
        (Some(_) | None, _) => png(frames, delay(each)),
    }
}

/// Seconds as a fraction that the format holds, to a thousandth of a second where it is none.
fn delay(seconds: Option<Exact>) -> (u16, u16) {
    let seconds = seconds.unwrap_or(Exact::whole(0));
    let exact = (
        u16::try_from(*seconds.0.numer()),
        u16::try_from(*seconds.0.denom()),
    );
    if let (Ok(over), Ok(below)) = exact {
        return (over, below);
    }
    ((seconds.to_f64() * 1e3).round() as u16, 1000)
}

/// Pictures u8 `[H, W, 3]` of one size as an animated PNG that begins again at its end, each shown for these seconds; one alone is a picture.
fn png(frames: &[Tensor], delay: (u16, u16)) -> Result<Vec<u8>> {
    let refused = |cause: png::EncodingError| Error::Unsupported {
        message: format!("cannot encode a film: {cause}"),
    };
    let [height, width, _] = frames[0].size()[..] else {
        unreachable!("saliency: a frame is [H, W, 3]")
    };
    let mut bytes = vec![];
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    if frames.len() > 1 {
        encoder
            .set_animated(frames.len() as u32, 0)
            .map_err(refused)?;
        encoder.set_frame_delay(delay.0, delay.1).map_err(refused)?;
    }
    let mut writer = encoder.write_header().map_err(refused)?;
    for frame in frames {
        writer.write_image_data(&rgb(frame)).map_err(refused)?;
    }
    writer.finish().map_err(refused)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_has_its_frames_and_its_rate() {
        let frame = |level: f64| Tensor::full([2, 3, 3], level, (Kind::Uint8, Device::Cpu));
        let rate = Exact::new(30_000, 1001);
        let bytes = png(
            &[frame(9.0), frame(200.0)],
            delay(Exact::whole(1).over(rate)),
        )
        .unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes))
            .read_info()
            .unwrap();
        let animation = *reader.info().animation_control().unwrap();
        assert_eq!((animation.num_frames, animation.num_plays), (2, 0));
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        for level in [9, 200] {
            reader.next_frame(&mut pixels).unwrap();
            let control = *reader.info().frame_control().unwrap();
            assert_eq!((control.delay_num, control.delay_den), (1001, 30_000));
            assert!(pixels.iter().all(|pixel| *pixel == level));
        }
        let still = png(&[frame(1.0)], (1, 1)).unwrap();
        let still = png::Decoder::new(std::io::Cursor::new(&still))
            .read_info()
            .unwrap();
        assert!(still.info().animation_control().is_none());
    }

    #[test]
    fn rates_that_the_format_cannot_hold_are_rounded() {
        assert_eq!(delay(Some(Exact::new(1, 16))), (1, 16));
        assert_eq!(delay(Some(Exact::new(100_000, 2_500_001))), (40, 1000));
    }
}
