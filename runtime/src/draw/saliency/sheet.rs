//! The contact sheet of saliency maps: of each clip its pictures, and below or beside them the same with the map over them.

use super::overlay::{Pictures, legend};
use super::{Looked, SHOWN, Sample, Shown, flat, name_of, word};
use crate::augment::mel::band_of;
use crate::draw::file_name;
use crate::draw::svg::{Anchor, Font, Paint, Picture, rectangle};
use crate::error::{Error, Result};
use crate::sheet::canvas::Canvas;
use crate::sheet::panels::{self, Scale, marks, resized, rgb};
use compiler::hir::{Clip, Target};
use tch::{Kind, Tensor};

/// Width of the sheet.
const WIDTH: f64 = 960.0;
/// Space around everything.
const MARGIN: f64 = 20.0;
/// Space between two clips.
const GAP: f64 = 24.0;
/// A frame of a strip is no wider.
const FRAME: f64 = 112.0;
/// Pixels that a frame of a strip has at most from left to right: more than [`FRAME`], for screens with small pixels.
const PIXELS: i64 = 160;
/// Frames of a strip; of longer clips they are evenly spaced.
const FRAMES: i64 = 8;
/// Left of a strip: its frequencies.
const AXIS: f64 = 40.0;
/// Height of a spectrogram.
const SOUND: f64 = 130.0;
/// Quality of strips as JPEG, where photographs are a tenth of what they are as PNG.
const QUALITY: u8 = 85;

const TITLE: Font = Font::new(17.0, Paint::Ink);
const NOTE: Font = Font::new(13.0, Paint::Soft);
const NAME: Font = Font::new(13.0, Paint::Ink);
const SMALL: Font = Font::new(11.0, Paint::Soft);

/// The sheet.
///
/// # Errors
/// A picture that cannot be encoded.
pub fn sheet(shown: &Shown<'_>) -> Result<String> {
    let mut page = Picture::new(WIDTH);
    let of = &shown.saliency.of;
    let title = format!(
        "What \u{201c}{}\u{201d} rests on in {}",
        of.uses,
        name_of(&of.data)
    );
    page.text((MARGIN, 30.0), TITLE.bold(), &title);
    let mut y = 30.0;
    for note in notes(shown) {
        y += 19.0;
        page.text((MARGIN, y), NOTE, &note);
    }
    y = bar(&mut page, y + 12.0)?;
    let clips: Vec<(usize, &Sample, &Looked)> = (1..)
        .zip(shown.drawn())
        .flat_map(|(number, sample)| sample.clips.iter().map(move |clip| (number, sample, clip)))
        .collect();
    let scale = scale(shown);
    let size = Size::of(shown);
    for line in clips.chunks(size.columns) {
        let mut below = y;
        for (column, (number, sample, looked)) in line.iter().enumerate() {
            let x = MARGIN + column as f64 * (size.width + GAP);
            let heading = format!("{number}  {}", sample.class.as_deref().unwrap_or_default());
            let value = format!("{} {:.3}", shown.target(), looked.target);
            page.text(
                (x, y),
                NAME.bold(),
                &NAME.fitted(&heading, size.width - NAME.width(&value) - 8.0),
            );
            page.text((x + size.width, y), NAME.at(Anchor::End), &value);
            let name = NOTE.fitted(file_name(&sample.name), size.width);
            page.text((x, y + 17.0), NOTE, &name);
            let why = flat(&looked.map);
            let top = match why {
                Some(why) => {
                    page.text((x, y + 34.0), NOTE, &NOTE.fitted(why, size.width));
                    y + 42.0
                }
                None => y + 25.0,
            };
            let pictures = Pictures::of(&of.clip, looked, scale);
            let end = match &of.clip {
                Clip::Audio { .. } => {
                    sounds(&mut page, (x, top), &size, &of.clip, looked, &pictures)?
                }
                Clip::Video { .. } | Clip::Text { .. } | Clip::Flow { .. } => {
                    strips(&mut page, (x, top), &size, &of.clip, looked, &pictures)?
                }
            };
            below = below.max(end);
        }
        y = below + GAP + 8.0;
    }
    Ok(page.finish(y - GAP + 4.0, &title))
}

/// What stands below the title.
fn notes(shown: &Shown<'_>) -> Vec<String> {
    let of = &shown.saliency.of;
    let target = match (shown.saliency.target, shown.beside) {
        (Target::Agreement, Some(other)) => {
            format!(
                "the cosine similarity with the embedding of \u{201c}{other}\u{201d} at the same moment"
            )
        }
        (Target::Agreement | Target::Activation, _) => {
            "the length of the backbone's output".to_owned()
        }
    };
    let cells = shown.clips().next().map(|clip| clip.map.cells.size());
    let cells: Vec<String> = cells.iter().flatten().map(i64::to_string).collect();
    let split = word(of.split);
    let all = shown.samples.len();
    let mut notes = vec![
        format!("by {}", shown.method()),
        format!("target: {target}"),
        format!(
            "{all} {split} samples, drawn by the seed; {} cells a clip",
            cells.join(" x ")
        ),
    ];
    if all < of.samples as usize {
        notes.push(format!(
            "{} samples were asked for; there are no more",
            of.samples
        ));
    }
    if all > SHOWN {
        notes.push(format!(
            "the first {SHOWN} are shown; figure.json has all of them"
        ));
    }
    if let Some((name, why)) = shown.left_out.first() {
        let count = shown.left_out.len();
        notes.push(format!(
            "{count} samples could not be used and gave their places to others: {}: {why}",
            file_name(name)
        ));
    }
    notes.push(super::film::note(&of.clip));
    notes
        .iter()
        .map(|note| NOTE.fitted(note, WIDTH - 2.0 * MARGIN))
        .collect()
}

/// The colours of a map; returns the place of the next line of text.
fn bar(page: &mut Picture, y: f64) -> Result<f64> {
    let (width, height) = (180.0, 12.0);
    let colours = canvas(&legend(1, 180)).png()?;
    let at = (MARGIN + 14.0, y);
    page.image(at, (width, height), &colours, "the colours of a map");
    page.text((at.0 - 6.0, y + 11.0), SMALL.at(Anchor::End), "0");
    let end = "1, the largest value of the map in the clip";
    page.text((at.0 + width + 6.0, y + 11.0), SMALL, end);
    Ok(y + height + 34.0)
}

/// One scale for all spectrograms that are shown.
pub fn scale(shown: &Shown<'_>) -> Scale {
    let clips = shown.drawn().iter().flat_map(|sample| &sample.clips);
    Scale::of(clips.map(|clip| &clip.picture))
}

/// What a clip takes on the sheet.
struct Size {
    width: f64,
    columns: usize,
    /// Frames of a strip: which, of how many pixels they are made, and how large they are.
    frames: Vec<i64>,
    pixels: (i64, i64),
    frame: (f64, f64),
}

impl Size {
    fn of(shown: &Shown<'_>) -> Self {
        let content = WIDTH - 2.0 * MARGIN;
        let size = shown
            .clips()
            .next()
            .map_or(vec![], |clip| clip.picture.size());
        let [count, height, width, _] = size[..] else {
            return Self {
                width: content,
                columns: 1,
                frames: vec![],
                pixels: (0, 0),
                frame: (0.0, 0.0),
            };
        };
        let shown = count.min(FRAMES);
        let most = width.min(PIXELS);
        let tall = (height * most / width.max(1)).max(1);
        let wide = FRAME.min(content / shown as f64);
        let strip = wide * shown as f64;
        Self {
            width: strip.max(2.0 * FRAME),
            columns: ((content + GAP) / (strip.max(2.0 * FRAME) + GAP)).max(1.0) as usize,
            frames: (0..shown).map(|at| at * count / shown).collect(),
            pixels: (tall, most),
            frame: (wide, wide * tall as f64 / most as f64),
        }
    }
}

/// Frames in a row, and below them the same with the map; returns the place below their times.
fn strips(
    page: &mut Picture,
    (x, y): (f64, f64),
    size: &Size,
    clip: &Clip,
    looked: &Looked,
    pictures: &Pictures,
) -> Result<f64> {
    let (wide, tall) = size.frame;
    let width = wide * size.frames.len() as f64;
    let mut top = y;
    for (frames, what) in [
        (&pictures.plain, "frames"),
        (&pictures.overlaid, "the map over them"),
    ] {
        let strip: Vec<Tensor> = size
            .frames
            .iter()
            .map(|at| resized(&frames.get(*at), size.pixels.0, size.pixels.1))
            .collect();
        page.image(
            (x, top),
            (width, tall),
            &jpeg(&Tensor::cat(&strip, 1))?,
            what,
        );
        for cut in 1..size.frames.len() {
            let line = rectangle((x + cut as f64 * wide - 1.0, top), (2.0, tall));
            page.fill(&line, Paint::Paper, "");
        }
        top += tall + 2.0;
    }
    let rate = clip.rate().map_or(1.0, |rate| rate.to_f64());
    for (column, frame) in size.frames.iter().enumerate() {
        let middle = x + (column as f64 + 0.5) * wide;
        let time = format!("{:.2} s", looked.start + *frame as f64 / rate);
        page.text((middle, top + 11.0), SMALL.at(Anchor::Middle), &time);
    }
    Ok(top + 14.0)
}

/// A spectrogram, and beside it the same with the map; returns the place below its times.
fn sounds(
    page: &mut Picture,
    (x, y): (f64, f64),
    size: &Size,
    clip: &Clip,
    looked: &Looked,
    pictures: &Pictures,
) -> Result<f64> {
    let Clip::Audio { rate, mel, .. } = clip else {
        unreachable!("saliency: a clip of sound")
    };
    let rate_hz = rate.to_f64();
    let width = (size.width - GAP) / 2.0 - AXIS;
    let halves = [
        (&pictures.plain, "spectrogram"),
        (&pictures.overlaid, "the map over it"),
    ];
    for (column, (picture, what)) in halves.into_iter().enumerate() {
        let left = x + AXIS + column as f64 * (width + AXIS + GAP);
        page.image(
            (left, y),
            (width, SOUND),
            &canvas(&picture.get(0)).quick_png()?,
            what,
        );
        for (hertz, label) in panels::frequencies(rate_hz / 2.0) {
            let band = band_of(hertz, mel.bands, rate_hz);
            let row = y + SOUND * (1.0 - (band + 0.5) / f64::from(mel.bands));
            if row > y + 12.0 {
                page.text((left - 6.0, row + 4.0), SMALL.at(Anchor::End), &label);
            }
        }
        page.text((left - 6.0, y + 9.0), SMALL.at(Anchor::End), "kHz");
        let time = (looked.start, looked.start + clip.seconds().to_f64());
        let (places, decimals) = marks(time.0, time.1, 5);
        for second in places {
            let at = left + width * (second - time.0) / (time.1 - time.0);
            let anchor = match at + 14.0 > left + width {
                true => Anchor::End,
                false => Anchor::Middle,
            };
            let label = format!("{second:.decimals$} s");
            page.text((at, y + SOUND + 14.0), SMALL.at(anchor), &label);
        }
    }
    Ok(y + SOUND + 18.0)
}

/// A picture u8 `[H, W, 3]` as a page of its own.
fn canvas(picture: &Tensor) -> Canvas {
    let (height, width) = (picture.size()[0], picture.size()[1]);
    let mut page = Canvas::new(width);
    page.picture((0, 0), (width, height), &rgb(picture));
    page
}

/// A picture u8 `[H, W, 3]` as JPEG.
fn jpeg(picture: &Tensor) -> Result<Vec<u8>> {
    let (height, width) = (picture.size()[0], picture.size()[1]);
    let pixels = rgb(&picture.to_kind(Kind::Uint8));
    let encoded =
        crate::data::shards::jpeg::encode(&pixels, height as usize, width as usize, QUALITY);
    encoded.map_err(|cause| Error::Unsupported {
        message: format!("cannot encode a picture: {cause}"),
    })
}
