//! The aural augmentations (Table S2) as tensor programs: VJ on waves; TM, FM, RC and TW on log-mel spectrograms.

use super::draws::{Draws, Key};
use super::matrix::{Matrix, per_sample};
use super::mel::log_mel;
use super::stream_names;
use compiler::hir::{Chain, Domain, Link, LogMel};
use tch::{Kind, Tensor};

/// Augmented spectrograms of a batch of waves.
///
/// - `waves`: f32 `[B, N]`, full scale 1, at `rate_hz`. The work is done where they lie.
/// - `keys`: the place of each wave's random numbers, down to the view.
///
/// Returns f32 `[B, 1, bands, columns]`, normalised.
pub fn augment_wave(
    chain: &Chain,
    waves: &Tensor,
    mel: &LogMel,
    rate_hz: f64,
    keys: &[Key],
) -> Tensor {
    let links = &chain.links;
    let of = |domain| (0..links.len()).filter(move |at| links[*at].domain() == domain);
    let mut waves = waves.shallow_clone();
    for at in of(Domain::Wave) {
        waves = link_at(links, at, &waves, keys);
    }
    let mut spectrograms = log_mel(&waves, mel, rate_hz);
    for at in of(Domain::Spectrogram) {
        spectrograms = link_at(links, at, &spectrograms, keys);
    }
    spectrograms
}

/// The link at `at` of a chain on a batch of waves or spectrograms, whichever it works on.
pub(crate) fn link_at(links: &[Link], at: usize, batch: &Tensor, keys: &[Key]) -> Tensor {
    augment_link(&links[at], &stream_names(links)[at], batch, keys)
}

/// Spectrograms of a batch of waves as they are. Takes and returns what [`augment_wave`] does.
pub fn plain_wave(waves: &Tensor, mel: &LogMel, rate_hz: f64) -> Tensor {
    log_mel(waves, mel, rate_hz)
}

fn augment_link(link: &Link, name: &str, batch: &Tensor, keys: &[Key]) -> Tensor {
    let draws = || keys.iter().map(|key| key.draws(name));
    let axis = |from_last: usize| batch.size()[batch.dim() - 1 - from_last];
    match link {
        Link::VolumeJitter { range } => {
            let gains: Vec<f64> = draws()
                .map(|mut d| d.uniform(1.0 - range.to_f64(), 1.0 + range.to_f64()))
                .collect();
            volume_jitter(batch, &gains)
        }
        Link::FreqMask { max, count, widths } => {
            let widest = widths.widest(*max);
            let masks: Vec<Vec<Mask>> = draws()
                .map(|mut d| Mask::draw(&mut d, widest, *count, axis(1)))
                .collect();
            freq_mask(batch, &masks)
        }
        Link::TimeMask { max, count, widths } => {
            let widest = widths.widest(*max);
            let masks: Vec<Vec<Mask>> = draws()
                .map(|mut d| Mask::draw(&mut d, widest, *count, axis(0)))
                .collect();
            time_mask(batch, &masks)
        }
        Link::RandomCrop { range, canvas } => {
            let (range, canvas) = (
                (range.0.to_f64(), range.1.to_f64()),
                (canvas.0.to_f64(), canvas.1.to_f64()),
            );
            let crops: Vec<CanvasCrop> = draws()
                .map(|mut d| CanvasCrop::draw(&mut d, range, canvas, axis(1), axis(0)))
                .collect();
            random_crop(batch, &crops)
        }
        Link::TimeWarp { window } => {
            let warps: Vec<Option<Warp>> = draws()
                .map(|mut d| Warp::draw(&mut d, *window, axis(0)))
                .collect();
            time_warp(batch, &warps)
        }
        Link::MultiScaleCrop { .. }
        | Link::HorizontalFlip { .. }
        | Link::ColorJitter { .. }
        | Link::GrayScale { .. }
        | Link::GaussianBlur { .. }
        | Link::Cutout { .. }
        | Link::DropWords { .. }
        | Link::Follow { .. } => unreachable!("check: a chain of sound has links of sound alone"),
    }
}

/// VJ: multiplies each wave of `[B, N]` by its gain; nothing is cut off.
pub fn volume_jitter(waves: &Tensor, gains: &[f64]) -> Tensor {
    waves * per_sample(gains.iter().copied(), 2, waves.device())
}

/// One mask along the frequency or the time axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    /// First band or column.
    pub start: i64,
    /// Bands or columns; 0 masks nothing.
    pub width: i64,
}

impl Mask {
    /// `count` masks on an axis of `length`, each from 0 to `widest`. First all widths are drawn, then all starts, which the
    /// widest mask bounds.
    pub fn draw(draws: &mut Draws, widest: u32, count: u32, length: i64) -> Vec<Self> {
        let widths: Vec<i64> = (0..count)
            .map(|_| draws.integer(0..=i64::from(widest).min(length)))
            .collect();
        let widest = widths.iter().copied().max().unwrap_or(0);
        let last = (length - widest).max(1) - 1;
        widths
            .into_iter()
            .map(|width| Self {
                start: draws.integer(0..=last),
                width,
            })
            .collect()
    }
}

/// FM: fills masked bands of `[B, 1, F, T]` with the mean of the spectrogram. As many masks for each.
pub fn freq_mask(spectrograms: &Tensor, masks: &[Vec<Mask>]) -> Tensor {
    mask_axis(spectrograms, masks, 2)
}

/// TM: fills masked columns of `[B, 1, F, T]` with the mean of the spectrogram. As many masks for each.
pub fn time_mask(spectrograms: &Tensor, masks: &[Vec<Mask>]) -> Tensor {
    mask_axis(spectrograms, masks, 3)
}

fn mask_axis(spectrograms: &Tensor, masks: &[Vec<Mask>], axis: usize) -> Tensor {
    let length = spectrograms.size()[axis];
    let device = spectrograms.device();
    let (batch, count) = (masks.len() as i64, masks.first().map_or(0, Vec::len) as i64);
    let bound = |of: fn(&Mask) -> i64| {
        let each: Vec<i64> = masks.iter().flatten().map(of).collect();
        Tensor::from_slice(&each)
            .to_device(device)
            .view([batch, count, 1])
    };
    let at = Tensor::arange(length, (Kind::Int64, device));
    let inside = at
        .ge_tensor(&bound(|m| m.start))
        .logical_and(&at.lt_tensor(&bound(|m| m.start + m.width)));
    let mut shape = [batch, 1, 1, 1];
    shape[axis] = length;
    let masked = inside.any_dim(1, false).view(shape);
    let mean = spectrograms.mean_dim([1i64, 2, 3].as_slice(), true, None);
    mean.where_self(&masked, spectrograms)
}

/// A crop out of a canvas of zeros with the spectrogram in its middle; bands and columns are those of the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanvasCrop {
    /// Bands and columns of the canvas.
    pub canvas: (i64, i64),
    /// First band.
    pub top: i64,
    /// First column.
    pub left: i64,
    /// Bands.
    pub height: i64,
    /// Columns.
    pub width: i64,
}

impl CanvasCrop {
    /// A canvas of `canvas` times the size of the spectrogram, a crop of `range` times that size in each direction, at least 1
    /// and at most the canvas.
    pub fn draw(
        draws: &mut Draws,
        range: (f64, f64),
        canvas: (f64, f64),
        bands: i64,
        columns: i64,
    ) -> Self {
        let times = |factor: f64, length: i64| (factor * length as f64) as i64;
        // A canvas is never smaller than what lies on it.
        let canvas = (
            times(canvas.0, bands).max(bands),
            times(canvas.1, columns).max(columns),
        );
        let height = times(draws.uniform(range.0, range.1), bands).clamp(1, canvas.0);
        let width = times(draws.uniform(range.0, range.1), columns).clamp(1, canvas.1);
        let top = draws.integer(0..=canvas.0 - height);
        let left = draws.integer(0..=canvas.1 - width);
        Self {
            canvas,
            top,
            left,
            height,
            width,
        }
    }
}

/// RC: the crops of spectrograms `[B, 1, F, T]`, resized back by the cubic filter with aligned corners.
pub fn random_crop(spectrograms: &Tensor, crops: &[CanvasCrop]) -> Tensor {
    let [.., bands, columns] = spectrograms.size()[..] else {
        unreachable!("a batch is [B, 1, F, T]")
    };
    let matrix = |canvas: i64, from: i64, length: i64, whole: i64| {
        let margin = (canvas - whole) / 2;
        Matrix::cubic(
            whole as usize,
            from - margin,
            length as usize,
            whole as usize,
            true,
        )
    };
    let rows: Vec<Matrix> = crops
        .iter()
        .map(|c| matrix(c.canvas.0, c.top, c.height, bands))
        .collect();
    let lines: Vec<Matrix> = crops
        .iter()
        .map(|c| matrix(c.canvas.1, c.left, c.width, columns))
        .collect();
    let device = spectrograms.device();
    let wide = spectrograms.matmul(&Matrix::stack(&lines, device).unsqueeze(1).transpose(-2, -1));
    Matrix::stack(&rows, device).unsqueeze(1).matmul(&wide)
}

/// Moves column `from` to column `to`, and stretches or squeezes what is left and right of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warp {
    /// Columns left of the point before.
    pub from: i64,
    /// Columns left of the point after.
    pub to: i64,
}

impl Warp {
    /// A point at least `window` from both ends, moved by less than `window` to the left and up to `window` to the right.
    /// `None` where the spectrogram has no such point.
    pub fn draw(draws: &mut Draws, window: u32, columns: i64) -> Option<Self> {
        let window = i64::from(window);
        (window > 0 && columns - window > window).then(|| {
            let from = draws.integer(window..=columns - window - 1);
            let to = draws.integer(from - window..=from + window - 1) + 1;
            Self { from, to }
        })
    }
}

/// TW: warps spectrograms `[B, 1, F, T]` along time by the cubic filter.
pub fn time_warp(spectrograms: &Tensor, warps: &[Option<Warp>]) -> Tensor {
    let columns = spectrograms.size()[3];
    let part = |before: i64, after: i64| {
        Matrix::cubic(before as usize, 0, before as usize, after as usize, false)
    };
    let matrices: Vec<Matrix> = warps
        .iter()
        .map(|warp| match warp {
            Some(w) => part(w.from, w.to).beside(&part(columns - w.from, columns - w.to)),
            None => part(columns, columns),
        })
        .collect();
    spectrograms.matmul(
        &Matrix::stack(&matrices, spectrograms.device())
            .unsqueeze(1)
            .transpose(-2, -1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use compiler::hir::Widths;
    use compiler::units::Exact;
    use tch::Device;

    fn tenths(n: i128) -> Exact {
        Exact::new(n, 10)
    }

    fn chain() -> Chain {
        let links = vec![
            Link::VolumeJitter { range: tenths(2) },
            Link::TimeWarp { window: 20 },
            Link::FreqMask {
                max: 10,
                count: 2,
                widths: Widths::Inclusive,
            },
            Link::TimeMask {
                max: 20,
                count: 2,
                widths: Widths::Exclusive,
            },
            Link::RandomCrop {
                range: (tenths(6), tenths(15)),
                canvas: (tenths(10), tenths(15)),
            },
        ];
        Chain {
            per_frame: false,
            links,
        }
    }

    fn waves() -> Tensor {
        let t = Tensor::arange(2 * 32_000, (Kind::Float, Device::Cpu));
        (t.square() * 1e-5).sin().view([2, 32_000]) * 0.5
    }

    #[test]
    fn a_view_depends_on_its_own_wave_and_key_alone() {
        let mel = LogMel {
            bands: 80,
            hop: 160,
            fft: 1024,
            centre: false,
        };
        let keys: Vec<Key> = (0..2)
            .map(|sample| Key::new(3, sample, 0).child("a/2"))
            .collect();
        let both = augment_wave(&chain(), &waves(), &mel, 16_000.0, &keys);
        assert_eq!(both.size(), [2, 1, 80, 200]);
        let second = augment_wave(
            &chain(),
            &waves().narrow(0, 1, 1),
            &mel,
            16_000.0,
            &keys[1..],
        );
        let difference = (second - both.narrow(0, 1, 1))
            .abs()
            .max()
            .double_value(&[]);
        assert!(difference < 1e-5, "{difference}");
        assert!((both.get(0) - both.get(1)).abs().max().double_value(&[]) > 0.1);
    }

    /// A gain of g adds 2 ln(g) / 4.41 everywhere.
    #[test]
    fn volume_jitter_moves_the_whole_spectrogram() {
        let mel = LogMel {
            bands: 40,
            hop: 160,
            fft: 1024,
            centre: true,
        };
        let plain = plain_wave(&waves(), &mel, 16_000.0);
        let louder = plain_wave(&volume_jitter(&waves(), &[1.2, 1.2]), &mel, 16_000.0);
        let loud = plain.gt(-0.5);
        let moved = (louder - plain).masked_select(&loud) - 2.0 * 1.2f64.ln() / 4.410007;
        assert!(moved.abs().max().double_value(&[]) < 1e-3);
    }

    #[test]
    fn draws_keep_to_their_bounds() {
        let mut draws = Key::at(0, "audio").stream();
        for _ in 0..500 {
            let masks = Mask::draw(&mut draws, 9, 2, 80);
            assert!(
                masks
                    .iter()
                    .all(|m| m.width < 10 && m.start >= 0 && m.start + m.width <= 80)
            );
            let c = CanvasCrop::draw(&mut draws, (0.6, 1.5), (1.0, 1.5), 80, 201);
            assert_eq!(c.canvas, (80, 301));
            assert!(c.height >= 48 && c.top >= 0 && c.top + c.height <= 80);
            assert!(c.width >= 120 && c.left >= 0 && c.left + c.width <= 301);
            let w = Warp::draw(&mut draws, 20, 201).unwrap();
            assert!((20..=180).contains(&w.from) && (w.from - 19..=w.from + 20).contains(&w.to));
        }
        assert_eq!(Warp::draw(&mut draws, 20, 40), None);
    }
}
