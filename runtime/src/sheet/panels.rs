//! What a sheet is made of: pictures in a row, spectrograms with axes, lines of time.

use super::canvas::{BLACK, Canvas, Font, GREY, Ink, LETTER, LINE, PALE};
use compiler::hir::LogMel;
use tch::{Kind, Tensor};

/// Space between two pictures.
pub const GAP: i64 = 8;
/// Room for the numbers left of a spectrogram.
const FREQUENCIES: i64 = 36;
/// Room for the numbers below a spectrogram.
pub const TIMES: i64 = 26;
/// Length of the marks on an axis.
const MARK: i64 = 4;

/// Colours that people of all kinds of sight tell apart, one for each view: blue, vermilion, green, purple, orange (Okabe and Ito).
const VIEWS: [Ink; 5] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 136, 102],
    [170, 68, 153],
    [176, 120, 0],
];

/// The colour of a view, counted from 1.
pub fn colour_of(view: u32) -> Ink {
    VIEWS[(view.max(1) as usize - 1) % VIEWS.len()]
}

/// The pixels of a picture, u8 `[H, W, 3]`.
pub fn rgb(picture: &Tensor) -> Vec<u8> {
    let flat = picture.to_kind(Kind::Uint8).contiguous().view([-1]);
    Vec::try_from(flat).expect("sheet: pictures are bytes on the CPU")
}

/// The numbers of a tensor on the CPU, in order.
pub fn values(of: &Tensor) -> Vec<f64> {
    let flat = of.to_kind(Kind::Double).contiguous().view([-1]);
    Vec::try_from(flat).expect("sheet: values are numbers on the CPU")
}

/// A picture u8 `[H, W, 3]` resized to these rows and columns.
pub fn resized(picture: &Tensor, height: i64, width: i64) -> Tensor {
    if picture.size()[..2] == [height, width] {
        return picture.shallow_clone();
    }
    let planes = picture.permute([2, 0, 1]).unsqueeze(0).to_kind(Kind::Float);
    let resized = planes.internal_upsample_bilinear2d_aa([height, width], false, None, None);
    let whole = resized.round().clamp(0.0, 255.0).to_kind(Kind::Uint8);
    whole.squeeze_dim(0).permute([1, 2, 0])
}

/// Round numbers from `low` to `high`, about `count` of them, and how many decimals they need.
pub fn marks(low: f64, high: f64, count: usize) -> (Vec<f64>, usize) {
    let span = (high - low).max(1e-9);
    let rough = span / count.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|times| times * power)
        .into_iter()
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * power);
    let decimals = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    let first = (low / step - 1e-6).ceil() as i64;
    let last = (high / step + 1e-6).floor() as i64;
    // No mark is called -0.
    let marks = (first..=last).map(|at| at as f64 * step + 0.0);
    (marks.collect(), decimals)
}

/// Colours of a scale.
const STEPS: usize = 192;

/// Where spectrograms are drawn, and in what colours: one scale for all that are to be compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The value that is drawn darkest.
    pub low: f64,
    /// The value that is drawn brightest.
    pub high: f64,
}

impl Scale {
    /// From the least to the greatest value of these tensors; not finite values are left out.
    pub fn of<'t>(tensors: impl Iterator<Item = &'t Tensor>) -> Self {
        let mut scale = Self {
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
        };
        for tensor in tensors {
            let finite = tensor.masked_select(&tensor.isfinite());
            if finite.numel() > 0 {
                scale.low = scale.low.min(finite.min().double_value(&[]));
                scale.high = scale.high.max(finite.max().double_value(&[]));
            }
        }
        if scale.low >= scale.high {
            // All values are equal, or there is none.
            let middle = if scale.low.is_finite() {
                scale.low
            } else {
                0.0
            };
            scale = Self {
                low: middle - 1.0,
                high: middle + 1.0,
            };
        }
        scale
    }

    /// The colour of a value, on a map whose lightness rises evenly.
    pub fn colour(&self, value: f64) -> Ink {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        // As many steps as leave a file of 256 colours some for text; the cast takes NaN for the darkest.
        let step = (share * (STEPS - 1) as f64).round() as usize;
        let colour = colorous::MAGMA.eval_rational(step, STEPS);
        [colour.r, colour.g, colour.b]
    }
}

/// What the axes of a spectrogram say.
#[derive(Clone, Copy, Debug)]
pub struct Axes<'a> {
    /// Its transform.
    pub mel: &'a LogMel,
    /// Samples per second of the wave.
    pub rate_hz: f64,
    /// Its window in seconds.
    pub time: (f64, f64),
}

/// How many pixels a cell of a spectrogram of these bands and columns takes, so that it is large enough to be looked at.
pub fn cell(bands: i64, columns: i64) -> (i64, i64) {
    (
        (160 / bands.max(1)).clamp(1, 8),
        (410 / columns.max(1)).clamp(1, 8),
    )
}

/// What a spectrogram of these bands and columns takes, axes included: width, height.
pub fn spectrogram_size(bands: i64, columns: i64) -> (i64, i64) {
    let (tall, wide) = cell(bands, columns);
    (FREQUENCIES + columns * wide, bands * tall + TIMES)
}

/// A spectrogram `[bands, columns]`, low bands at the bottom, with its axes.
pub fn spectrogram(
    page: &mut Canvas,
    (x, y): (i64, i64),
    values: &Tensor,
    axes: &Axes<'_>,
    scale: Scale,
) {
    let [bands, columns] = values.size()[..] else {
        unreachable!("sheet: a spectrogram is [bands, columns]")
    };
    let (tall, wide) = cell(bands, columns);
    let (left, width, height) = (x + FREQUENCIES, columns * wide, bands * tall);
    let flat = self::values(values);
    for (band, row) in (0..bands).zip(flat.chunks_exact(columns.max(1) as usize)) {
        for (column, value) in (0..columns).zip(row) {
            let at = (left + column * wide, y + (bands - 1 - band) * tall);
            page.fill(at, (wide, tall), scale.colour(*value));
        }
    }
    page.outline((left, y), (width, height), GREY);
    for (hertz, label) in frequencies(axes.rate_hz / 2.0) {
        let band = crate::augment::mel::band_of(hertz, axes.mel.bands, axes.rate_hz);
        let row = y + height - ((band + 0.5) * tall as f64).round() as i64;
        if (y + 20..=y + height - 4).contains(&row) {
            page.fill((left - 1 - MARK, row), (MARK, 1), GREY);
            page.right((left - MARK - 4, row - 8), &label, Font::Text, GREY);
        }
    }
    page.right((left - MARK - 4, y - 4), "kHz", Font::Text, GREY);
    time_axis(page, (left, y + height + 1), width, axes.time, "s");
}

/// Frequencies worth a mark below `top`, and what they are called, in kHz.
pub fn frequencies(top: f64) -> impl Iterator<Item = (f64, String)> {
    let known = [
        (500.0, ".5"),
        (1000.0, "1"),
        (2000.0, "2"),
        (4000.0, "4"),
        (8000.0, "8"),
        (16_000.0, "16"),
    ];
    let below = known.into_iter().filter(move |(hertz, _)| *hertz < top);
    below.map(|(hertz, label)| (hertz, label.to_owned()))
}

/// An axis of seconds below a panel, with a unit behind its last number.
pub fn time_axis(
    page: &mut Canvas,
    (x, y): (i64, i64),
    width: i64,
    (start, end): (f64, f64),
    unit: &str,
) {
    let (places, decimals) = marks(start, end, (width / (9 * LETTER)).max(1) as usize);
    let last = places.len().saturating_sub(1);
    for (at, second) in places.iter().enumerate() {
        let column = x + place(*second, (start, end), width);
        page.fill((column, y), (1, MARK), GREY);
        let label = format!("{second:.decimals$}");
        page.centred((column, y + MARK), &label, Font::Text, GREY);
        if at == last && !unit.is_empty() {
            let behind = column + Font::Text.width(&label) / 2 + LETTER;
            page.text((behind, y + MARK), unit, Font::Text, GREY);
        }
    }
}

/// Where a second lies on an axis that is as wide.
pub fn place(second: f64, (start, end): (f64, f64), width: i64) -> i64 {
    let share = (second - start) / (end - start).max(1e-9);
    (share * (width - 1) as f64).round() as i64
}

/// The colours of a scale with some of its values.
pub fn colour_bar(page: &mut Canvas, (x, y): (i64, i64), height: i64, scale: Scale) {
    const WIDTH: i64 = 14;
    for row in 0..height {
        let share = 1.0 - row as f64 / (height - 1).max(1) as f64;
        let value = scale.low + share * (scale.high - scale.low);
        page.fill((x, y + row), (WIDTH, 1), scale.colour(value));
    }
    page.outline((x, y), (WIDTH, height), GREY);
    let (values, decimals) = marks(scale.low, scale.high, 4);
    for value in values {
        let share = (value - scale.low) / (scale.high - scale.low);
        let row = y + ((1.0 - share) * (height - 1) as f64).round() as i64;
        page.fill((x + WIDTH + 1, row), (MARK, 1), GREY);
        let label = format!("{value:.decimals$}");
        page.text((x + WIDTH + MARK + 5, row - 8), &label, Font::Text, GREY);
    }
}

/// A stretch of time on a line of the time line.
#[derive(Clone, Debug)]
pub struct Span {
    /// Seconds.
    pub time: (f64, f64),
    /// What it is filled with; outlined alone where `is_hollow`.
    pub ink: Ink,
    /// Not read.
    pub is_hollow: bool,
}

/// A line of the time line.
#[derive(Clone, Debug)]
pub struct Line {
    /// In front of it.
    pub label: String,
    /// On it.
    pub spans: Vec<Span>,
    /// Behind it.
    pub note: String,
}

/// Lines of time above one axis of seconds. Labels stand left of `x`. Returns the place below it.
pub fn time_line(
    page: &mut Canvas,
    (x, y): (i64, i64),
    width: i64,
    time: (f64, f64),
    lines: &[Line],
) -> i64 {
    let below = y + LINE * lines.len() as i64 + 2;
    let (seconds, _) = marks(time.0, time.1, (width / (9 * LETTER)).max(1) as usize);
    page.grow(below + TIMES);
    for second in seconds {
        page.fill((x + place(second, time, width), y), (1, below - y), PALE);
    }
    for (row, line) in (0..).zip(lines) {
        let top = y + row * LINE;
        page.right((x - LETTER, top + 2), &line.label, Font::Text, BLACK);
        for span in &line.spans {
            let (from, to) = (
                place(span.time.0, time, width),
                place(span.time.1, time, width),
            );
            let (at, size) = ((x + from, top + 4), ((to - from).max(2), 11));
            if span.is_hollow {
                page.outline((at.0 + 1, at.1 + 1), (size.0 - 2, size.1 - 2), span.ink);
            } else {
                page.fill(at, size, span.ink);
            }
        }
        page.text((x + width + LETTER, top + 2), &line.note, Font::Text, GREY);
    }
    page.fill((x, below), (width, 1), GREY);
    time_axis(page, (x, below + 1), width, time, "s");
    below + TIMES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_within() {
        let (places, decimals) = marks(2.134, 2.634, 5);
        assert_eq!(decimals, 1);
        let text: Vec<String> = places.iter().map(|p| format!("{p:.1}")).collect();
        assert_eq!(text, ["2.2", "2.3", "2.4", "2.5", "2.6"]);
        assert_eq!(
            marks(0.0, 10.0, 5),
            (vec![0.0, 2.0, 4.0, 6.0, 8.0, 10.0], 0)
        );
        assert_eq!(marks(-0.5, 1.0, 3).0, [-0.5, 0.0, 0.5, 1.0]);
    }

    #[test]
    fn a_scale_spans_what_there_is() {
        let values = Tensor::from_slice(&[0.5, f64::NAN, -1.0, f64::INFINITY]);
        let scale = Scale::of(std::iter::once(&values));
        assert_eq!((scale.low, scale.high), (-1.0, 0.5));
        let flat = Scale::of(std::iter::once(&Tensor::from_slice(&[3.0])));
        assert_eq!((flat.low, flat.high), (2.0, 4.0));
        let none = Scale::of(std::iter::empty());
        assert_eq!((none.low, none.high), (-1.0, 1.0));
        // The ends of magma are near black and near white; it gets lighter all the way.
        let light = |value: f64| {
            scale
                .colour(value)
                .iter()
                .map(|c| u32::from(*c))
                .sum::<u32>()
        };
        assert!(light(-1.0) < 20 && light(0.5) > 600);
        assert!(
            (0..9).all(|i| light(-1.0 + 0.15 * f64::from(i)) < light(-0.85 + 0.15 * f64::from(i)))
        );
    }
}
