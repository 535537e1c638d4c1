//! Contact sheets: what a sample looks like when a training step gets it, for a person to look at before training.

pub mod canvas;
pub mod graph;
pub mod links;
pub mod panels;

use crate::augment::visual::levels_of;
use crate::data::look::{Looked, ReadView, View};
use crate::data::source::{Limits, Ticks};
use canvas::{BLACK, Canvas, Font, GREY, LETTER, LINE};
use compiler::hir::{self, Clip};
use panels::{Axes, GAP, Line, Scale, Span, colour_of};
use tch::Tensor;

/// Space around everything.
const MARGIN: i64 = 28;
/// Left of the panels: the names of views.
const GUTTER: i64 = 84;
/// Panels, from left to right.
const CONTENT: i64 = 980;
/// Right of the time line: its notes.
const NOTES: i64 = 150;
/// The width of a sheet.
const WIDTH: i64 = MARGIN + GUTTER + CONTENT + MARGIN;
/// Where panels begin.
const LEFT: i64 = MARGIN + GUTTER;
/// Left of a spectrogram's axis: the name of the view.
const NAME: i64 = 48;
/// Right of the spectrograms: their colours.
const BAR: i64 = 60;
/// Pictures are drawn no larger than this.
const TILE: i64 = 112;

/// What stands above the panels.
#[derive(Clone, Debug, Default)]
pub struct Heading {
    /// The largest line.
    pub title: String,
    /// Names and what they are.
    pub facts: Vec<(String, String)>,
}

/// The modalities of a sheet, and what is shown of them.
#[derive(Clone, Copy, Debug)]
pub struct Modalities<'a> {
    /// In the order of the experiment.
    pub declared: &'a [hir::Modality],
    /// Whether views are shown before their augmentation, too.
    pub raw: bool,
}

/// The sheet of a sample of a training.
pub fn of_sample(heading: &Heading, looked: &Looked, modalities: Modalities<'_>) -> Canvas {
    let mut page = Canvas::new(WIDTH);
    let mut y = head(&mut page, heading);
    y = windows(&mut page, y, looked, modalities.declared);
    for modality in modalities.declared {
        let views: Vec<&View> = looked
            .views
            .iter()
            .filter(|v| v.modality == modality.name)
            .collect();
        let read: Vec<(&View, &ReadView)> = views
            .iter()
            .filter_map(|view| Some((*view, view.read.as_ref()?)))
            .collect();
        y = section(&mut page, y, modality, !read.is_empty());
        if read.is_empty() {
            let note = "The loss of this row does not read it; its windows are drawn all the same (hollow above).";
            page.text((LEFT, y), note, Font::Text, GREY);
            y += LINE + GAP;
            continue;
        }
        y = match &modality.clip {
            Clip::Video { fps, .. } => {
                let rows = read
                    .iter()
                    .map(|(view, read)| Row::of(view, read, modality, fps.to_f64()));
                pictures(&mut page, y, &rows.collect::<Vec<_>>(), modalities.raw)
            }
            Clip::Audio { .. } => sounds(&mut page, y, &read, modality, modalities.raw),
            Clip::Text { .. } | Clip::Flow { .. } => unreachable!("{}", crate::augment::REFUSED),
        };
    }
    page.grow(y + MARGIN - GAP);
    page
}

/// Title and facts; returns the place below.
fn head(page: &mut Canvas, heading: &Heading) -> i64 {
    let mut y = MARGIN;
    let widest = ((WIDTH - 2 * MARGIN) / Font::Title.width("0")) as usize;
    for line in wrapped(&heading.title, widest) {
        page.text((MARGIN, y), &line, Font::Title, BLACK);
        y += LINE + 4;
    }
    y += 4;
    let widest = ((WIDTH - MARGIN - LEFT - 2 * LETTER) / LETTER) as usize;
    for (name, what) in &heading.facts {
        page.text((MARGIN, y), name, Font::Text, GREY);
        for line in wrapped(what, widest) {
            page.text((LEFT + 2 * LETTER, y), &line, Font::Text, BLACK);
            y += LINE;
        }
    }
    y + GAP
}

/// A text in lines of at most so many letters, broken at spaces where there are any.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let line = lines.last_mut().expect("sheet: there is a first line");
            let used = line.chars().count();
            let space = usize::from(used > 0);
            if used + space + word.len() <= most {
                line.extend(std::iter::repeat_n(' ', space));
                line.extend(word);
                break;
            }
            if used == 0 {
                line.extend(word.drain(..most.max(1)));
            }
            lines.push(String::new());
        }
    }
    lines
}

/// The clip's streams and every window in them, above one axis.
fn windows(page: &mut Canvas, y: i64, looked: &Looked, declared: &[hir::Modality]) -> i64 {
    let seconds = |name: &str| {
        let modality = declared.iter().find(|m| m.name == name);
        modality.map_or(0.0, |m| m.clip.seconds().to_f64())
    };
    let streams = [
        ("pictures", looked.streams.video),
        ("sound", looked.streams.audio),
    ];
    let mut lines = Vec::new();
    for (label, limits) in streams {
        if let Some(Limits { start, end }) = limits {
            lines.push(Line {
                label: label.to_owned(),
                spans: vec![Span {
                    time: (start, end),
                    ink: [176, 176, 176],
                    is_hollow: false,
                }],
                note: format!("{} - {} s", short(start), short(end)),
            });
        }
    }
    for view in &looked.views {
        let time = (view.start, view.start + seconds(&view.modality));
        lines.push(Line {
            label: format!("{}{}", view.modality, view.number),
            spans: vec![Span {
                time,
                ink: colour_of(view.number),
                is_hollow: view.read.is_none(),
            }],
            note: format!("{:.3} - {:.3} s", time.0, time.1),
        });
    }
    let spans = || lines.iter().flat_map(|line| &line.spans);
    let from = spans()
        .map(|span| span.time.0)
        .fold(f64::INFINITY, f64::min);
    let to = spans()
        .map(|span| span.time.1)
        .fold(f64::NEG_INFINITY, f64::max);
    page.text(
        (MARGIN, y),
        "Windows on the clip's clock",
        Font::Bold,
        BLACK,
    );
    let overlaps = overlaps(looked, &seconds);
    page.right((WIDTH - MARGIN, y), &overlaps, Font::Text, GREY);
    panels::time_line(
        page,
        (LEFT, y + LINE + 4),
        CONTENT - NOTES,
        (from, to),
        &lines,
    ) + GAP
}

/// Seconds with no more decimals than they need.
fn short(seconds: f64) -> String {
    let text = format!("{seconds:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How much the first two windows of each modality share: `v1 and v2 share 0.250 s (50 %)`.
fn overlaps(looked: &Looked, seconds: &dyn Fn(&str) -> f64) -> String {
    let mut parts = Vec::new();
    for first in looked.views.iter().filter(|view| view.number == 1) {
        let second = |view: &&View| view.modality == first.modality && view.number == 2;
        let Some(second) = looked.views.iter().find(second) else {
            continue;
        };
        let length = seconds(&first.modality);
        let shared = (length - (second.start - first.start).abs()).max(0.0);
        let share = 100.0 * shared / length.max(1e-9);
        let name = &first.modality;
        parts.push(format!(
            "{name}1 and {name}2 share {shared:.3} s ({share:.0} %)"
        ));
    }
    parts.join(", ")
}

/// The heading of a modality: what a view is, and what is done to it.
fn section(page: &mut Canvas, y: i64, modality: &hir::Modality, is_read: bool) -> i64 {
    let text = format!(
        "{}   {}",
        modality.name,
        compiler::written::clip(&modality.clip)
    );
    let end = page.text((MARGIN, y), &text, Font::Bold, BLACK);
    page.text(
        (end + 3 * LETTER, y),
        &chain(&modality.augment),
        Font::Text,
        GREY,
    );
    let moves = |link: &hir::Link| {
        matches!(
            link,
            hir::Link::RandomCrop { .. } | hir::Link::TimeWarp { .. }
        )
    };
    if is_read && modality.augment.links.iter().any(moves) {
        let note = "axes of the window as read: RC and TW move what is in it";
        page.right((WIDTH - MARGIN, y), note, Font::Text, GREY);
    }
    y + LINE + 4
}

/// A chain by the short names of its links: `consistent(MSC-HF-CJ)`.
pub fn chain(chain: &hir::Chain) -> String {
    if chain.links.is_empty() {
        return "not augmented".to_owned();
    }
    let links: Vec<&str> = chain.links.iter().map(hir::Link::short).collect();
    let links = links.join("-");
    let is_of_frames = |link: &hir::Link| link.domain() == hir::Domain::Frames;
    match (chain.links.iter().any(is_of_frames), chain.per_frame) {
        (true, true) => format!("per_frame({links})"),
        (true, false) => format!("consistent({links})"),
        (false, _) => links,
    }
}

/// The frames of a view.
struct Row {
    label: String,
    number: u32,
    /// As the training step gets them: u8 `[H, W, 3]` each.
    frames: Vec<Tensor>,
    /// As decoded.
    raw: Vec<Tensor>,
    times: Vec<f64>,
}

impl Row {
    fn of(view: &View, read: &ReadView, modality: &hir::Modality, fps: f64) -> Self {
        let Ticks::Frames(raw) = &read.ticks else {
            unreachable!("ClipSource: a request is answered in its own kind")
        };
        let frames = levels_of(&read.tensor).squeeze_dim(0).unbind(0);
        Self {
            label: format!("{}{}", modality.name, view.number),
            number: view.number,
            times: (0..frames.len())
                .map(|k| view.start + k as f64 / fps)
                .collect(),
            frames,
            raw: raw.unbind(0),
        }
    }
}

/// The frames of all views, a block of lines for each, their times below.
fn pictures(page: &mut Canvas, mut y: i64, rows: &[Row], with_raw: bool) -> i64 {
    for row in rows {
        y = strip(
            page,
            y,
            (&row.label, row.number),
            &row.frames,
            Some(&row.times),
        );
        if with_raw {
            y = strip(page, y, ("raw", row.number), &row.raw, None);
        }
        y += 4;
    }
    y + GAP
}

/// Pictures in lines as long as the page, in one size.
fn strip(
    page: &mut Canvas,
    mut y: i64,
    (label, number): (&str, u32),
    pictures: &[Tensor],
    times: Option<&[f64]>,
) -> i64 {
    let Some([rows, columns, _]) = pictures
        .first()
        .map(|p| [p.size()[0], p.size()[1], p.size()[2]])
    else {
        return y;
    };
    // Small pictures are enlarged by whole numbers, so that their pixels stay squares.
    let (width, height) = if columns > TILE || times.is_none() {
        (TILE, (rows * TILE / columns.max(1)).max(1))
    } else {
        let times = (TILE / columns.max(1)).max(1);
        (columns * times, rows * times)
    };
    let each = width.max(9 * LETTER) + GAP;
    let most = ((CONTENT + GAP) / each).max(1) as usize;
    let lines = pictures.len().div_ceil(most);
    let per_line = pictures.len().div_ceil(lines);
    for (line, pictures) in pictures.chunks(per_line).enumerate() {
        if line == 0 {
            name(page, (y, height), label, number);
        }
        for (at, picture) in pictures.iter().enumerate() {
            let x = LEFT + at as i64 * each;
            let shown = if width % columns == 0 && width >= columns {
                enlarged(picture, width / columns)
            } else {
                panels::resized(picture, height, width)
            };
            page.picture((x, y), (width, height), &panels::rgb(&shown));
            if let Some(time) = times.and_then(|times| times.get(line * per_line + at)) {
                let text = format!("{time:.3} s");
                page.centred((x + width / 2, y + height + 3), &text, Font::Text, GREY);
            }
        }
        y += height + if times.is_some() { LINE + 4 } else { GAP };
    }
    y
}

/// Every pixel as a square of pixels.
pub(crate) fn enlarged(picture: &Tensor, times: i64) -> Tensor {
    picture
        .repeat_interleave_self_int(times, 0, None)
        .repeat_interleave_self_int(times, 1, None)
}

/// The name of a view left of its panels, and a bar in its colour.
fn name(page: &mut Canvas, (y, height): (i64, i64), label: &str, number: u32) {
    page.fill((LEFT - 12, y), (4, height), colour_of(number));
    let is_view = label.ends_with(|last: char| last.is_ascii_digit());
    let (font, ink) = if is_view {
        (Font::Bold, BLACK)
    } else {
        (Font::Text, GREY)
    };
    page.right((LEFT - 20, y), label, font, ink);
}

/// The spectrograms of all views side by side, in the colours of one scale.
fn sounds(
    page: &mut Canvas,
    mut y: i64,
    views: &[(&View, &ReadView)],
    modality: &hir::Modality,
    with_raw: bool,
) -> i64 {
    let Clip::Audio { rate, mel, .. } = &modality.clip else {
        unreachable!("sheet: a modality of sound")
    };
    let (rate_hz, seconds) = (rate.to_f64(), modality.clip.seconds().to_f64());
    let plain = |read: &ReadView| {
        let Ticks::Wave(wave) = &read.ticks else {
            unreachable!("ClipSource: a request is answered in its own kind")
        };
        crate::augment::plain_wave(&wave.unsqueeze(0), mel, rate_hz)
            .get(0)
            .get(0)
    };
    let augmented: Vec<Tensor> = views
        .iter()
        .map(|(_, read)| read.tensor.get(0).get(0))
        .collect();
    let decoded: Vec<Tensor> = match with_raw {
        true => views.iter().map(|(_, read)| plain(read)).collect(),
        false => vec![],
    };
    let scale = Scale::of(augmented.iter().chain(&decoded));
    let [bands, columns] = augmented[0].size()[..] else {
        unreachable!("sheet: a spectrogram is [bands, columns]")
    };
    let (width, height) = panels::spectrogram_size(bands, columns);
    let each = NAME + width + 3 * GAP;
    let per_line = ((WIDTH - 2 * MARGIN - BAR + 3 * GAP) / each).max(1) as usize;
    let sets = [("", &augmented), ("decoded", &decoded)];
    for (what, spectrograms) in sets.into_iter().filter(|(_, set)| !set.is_empty()) {
        for (line, spectrograms) in spectrograms.chunks(per_line).enumerate() {
            for (at, spectrogram) in spectrograms.iter().enumerate() {
                let view = views[line * per_line + at].0;
                let x = MARGIN + at as i64 * each;
                let drawn = height - panels::TIMES;
                let name = format!("{}{}", modality.name, view.number);
                match what {
                    "" => page.text((x, y), &name, Font::Bold, BLACK),
                    _ => page.text((x, y), "raw", Font::Text, GREY),
                };
                page.fill((x + NAME - 12, y), (4, drawn), colour_of(view.number));
                let axes = Axes {
                    mel,
                    rate_hz,
                    time: (view.start, view.start + seconds),
                };
                panels::spectrogram(page, (x + NAME, y), spectrogram, &axes, scale);
            }
            if line == 0 && what.is_empty() {
                let x = WIDTH - MARGIN - BAR + GAP;
                panels::colour_bar(page, (x, y), height - panels::TIMES, scale);
            }
            y += height + GAP;
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::batch::Batches;
    use crate::data::fixtures::mild;
    use crate::data::loader::{Loader, Options, Part};
    use crate::data::look::look;
    use compiler::units::Exact;
    use std::sync::Arc;

    /// The pixels of a sheet are the tensors of the loader's batch, frame by frame and cell by cell.
    #[test]
    fn what_is_drawn_is_the_batch() {
        let data = hir::Data::Synthetic(hir::Synthetic {
            clips: 5,
            classes: 3,
            length: Exact::new(33, 10),
            lag: Exact::new(3, 10),
            seed: 4,
            streams: vec!["v".to_owned(), "a".to_owned()],
            splits: 2,
        });
        let pretrain = mild(data, 2, 4, 1);
        let source = crate::data::open(&pretrain.settings.data, &Default::default(), 1).unwrap();
        let options = Options {
            threads: 1,
            ahead: 1,
            max_bad_share: 0.0,
            first_step: 0,
            part: Part::WHOLE,
            augment_on: None,
        };
        let mut loader = Loader::new(Arc::clone(&source), &pretrain, &options).unwrap();
        let batch = loader.next(0).unwrap();
        let looked = look(source, &pretrain, 0.0, 0, 1..2).unwrap();
        let modalities = Modalities {
            declared: &pretrain.settings.modalities,
            raw: true,
        };
        let heading = Heading {
            title: "a title".to_owned(),
            facts: vec![("data".to_owned(), "rendered".to_owned())],
        };
        let page = of_sample(&heading, &looked[0], modalities);
        // Frames of 32 pixels are drawn as 96, each pixel nine times, in one line for each view.
        let mut below = 0;
        for view in [1, 2] {
            let frames = batch.views[&("v".to_owned(), view)].narrow(0, 1, 1);
            let frames = crate::augment::visual::levels_of(&frames).squeeze_dim(0);
            for (at, frame) in (0..).zip(frames.unbind(0)) {
                let pixels = panels::rgb(&frame);
                let ink = |x: i64, y: i64| {
                    let at = ((y / 3 * 32 + x / 3) * 3) as usize;
                    [pixels[at], pixels[at + 1], pixels[at + 2]]
                };
                let x = LEFT + at * (96 + GAP);
                let is_here = |y: &i64| {
                    (0..96).all(|row| {
                        (0..96).all(|column| page.at(x + column, y + row) == ink(column, row))
                    })
                };
                let found = (below..page.height() - 96).find(is_here);
                let found = found.unwrap_or_else(|| panic!("frame {at} of v{view} is not there"));
                below = if at == 3 { found + 96 } else { below };
            }
        }
        let spectrograms: Vec<Tensor> = [1, 2]
            .map(|view| batch.views[&("a".to_owned(), view)].get(1).get(0))
            .into();
        let Clip::Audio { mel, .. } = &pretrain.settings.modalities[1].clip else {
            panic!("sound is sound")
        };
        let raw: Vec<Tensor> = looked[0].views[2..]
            .iter()
            .map(|view| match &view.read.as_ref().unwrap().ticks {
                Ticks::Wave(wave) => crate::augment::plain_wave(&wave.unsqueeze(0), mel, 16_000.0)
                    .get(0)
                    .get(0),
                Ticks::Frames(_) => panic!("sound is a wave"),
            })
            .collect();
        let scale = Scale::of(spectrograms.iter().chain(&raw));
        let (tall, wide) = panels::cell(80, 101);
        for (at, spectrogram) in (0..).zip(&spectrograms) {
            let (width, _) = panels::spectrogram_size(80, 101);
            let x = MARGIN + at * (NAME + width + 3 * GAP) + NAME + width - 101 * wide;
            let cell =
                |band: i64, column: i64| scale.colour(spectrogram.double_value(&[band, column]));
            let is_here = |y: &i64| {
                (0..80).all(|band| {
                    let row = y + (79 - band) * tall;
                    (0..101).all(|column| page.at(x + column * wide, row) == cell(band, column))
                })
            };
            assert!(
                (below..page.height()).any(|y| is_here(&y)),
                "a{} is not there",
                at + 1
            );
        }
    }

    #[test]
    fn long_lines_are_broken_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrapped("", 5), [""]);
    }
}
