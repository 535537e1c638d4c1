//! The visual augmentations (Table S1): MSC, HF, CJ, GS, GB, C, and the plain frames of test clips.
//!
//! Frames come as bytes of any size and leave as normalised floats. In between they are f32 with values in 0..=255. The released
//! code rounds them to whole levels after each operation; here resizing and colour jitter do, where it matters or costs nothing.

mod loops;
mod resize;
mod steps;
mod together;

pub use resize::Fit;
pub use steps::{Blur, Crop, Square, Step};

use super::draws::Key;
use super::{Strategy, stream_names};
use crate::ffi::filled;
use crate::parts::{Part, measured};
use compiler::hir::{Chain, Link};
use loops::Frames;
use steps::{is_normalised, steps};
use tch::Tensor;

/// Mean of each channel over ImageNet, of levels.
const LEVEL_MEAN: [f64; 3] = [255.0 * 0.485, 255.0 * 0.456, 255.0 * 0.406];
/// Standard deviation of each channel over ImageNet, of levels.
const LEVEL_STD: [f64; 3] = [255.0 * 0.229, 255.0 * 0.224, 255.0 * 0.225];

/// Augmented views of a batch of clips.
///
/// - `clips`: u8 `[T, H, W, 3]`, at least one, the same T for all, H and W as they come. The work is done where they lie.
/// - `size`: height and width of the result in pixels.
/// - `keys`: the place of each clip's random numbers, down to the view.
///
/// Returns f32 `[B, 3, T, size, size]`, normalised by the mean and standard deviation of ImageNet. A chain that does not begin
/// with MSC begins with the frames of [`plain_frames`].
pub fn augment_frames(chain: &Chain, clips: &[Tensor], size: u32, keys: &[Key]) -> Tensor {
    augment_frames_by(Strategy::of(clips), chain, clips, size, keys)
}

/// [`augment_frames`] by this strategy.
pub fn augment_frames_by(
    strategy: Strategy,
    chain: &Chain,
    clips: &[Tensor],
    size: u32,
    keys: &[Key],
) -> Tensor {
    let links = &chain.links;
    let whole = |key: &Key, clip: &Tensor| {
        let (fit, mut steps) = begin(links, links.len(), frame(clip), size, key);
        if !is_normalised(links, links.len()) {
            steps.push(Step::Normalise);
        }
        (fit, steps)
    };
    if !chain.per_frame {
        let plans: Vec<_> = keys
            .iter()
            .zip(clips)
            .map(|(key, clip)| whole(key, clip))
            .collect();
        return apply(strategy, clips, &plans, size);
    }
    // Each frame as a clip of its own: `per_frame(...)`, the temporally random views of Sec. 4.5.
    let frames: Vec<Tensor> = clips.iter().flat_map(|clip| clip.split(1, 0)).collect();
    let per_clip = frames.len() / clips.len();
    let places = keys
        .iter()
        .flat_map(|key| (0..per_clip).map(move |t| key.child(&format!("frame/{t}"))));
    let plans: Vec<_> = places
        .zip(&frames)
        .map(|(key, frame)| whole(&key, frame))
        .collect();
    let (side, batch) = (i64::from(size), clips.len() as i64);
    apply(strategy, &frames, &plans, size) // [B T, 3, 1, size, size]
        .view([batch, per_clip as i64, 3, side, side])
        .transpose(1, 2)
        .contiguous()
}

/// Test frames: the shorter side resized to `size / 0.875`, then the centre. Nothing is random.
///
/// Takes and returns what [`augment_frames`] does.
pub fn plain_frames(clips: &[Tensor], size: u32) -> Tensor {
    let fit = |(height, width)| Fit::centre(height, width, size);
    let plan = |clip: &Tensor| (fit(frame(clip)), vec![Step::Normalise]);
    let plans: Vec<_> = clips.iter().map(plan).collect();
    apply(Strategy::of(clips), clips, &plans, size)
}

/// Clips after the first `count` of these links, before they are normalised for a network: f32 `[B, 3, T, size, size]`. Clips and
/// keys are those of [`augment_frames`].
pub(crate) fn first_links(
    links: &[Link],
    count: usize,
    clips: &[Tensor],
    size: u32,
    keys: &[Key],
) -> Tensor {
    let plan = |(key, clip): (&Key, &Tensor)| begin(links, count, frame(clip), size, key);
    let plans: Vec<_> = keys.iter().zip(clips).map(plan).collect();
    apply(Strategy::of(clips), clips, &plans, size)
}

/// The link at `at` on what those before it have left of a batch.
pub(crate) fn link_at(
    links: &[Link],
    at: usize,
    batch: &Tensor,
    size: u32,
    keys: &[Key],
) -> Tensor {
    let plans: Vec<_> = keys
        .iter()
        .map(|key| steps(links, at..at + 1, size, key))
        .collect();
    apply_steps(Strategy::of(std::slice::from_ref(batch)), batch, &plans)
}

/// What all links have left of a batch, normalised for a network.
pub(crate) fn finish(links: &[Link], batch: &Tensor) -> Tensor {
    if is_normalised(links, links.len()) {
        return batch.shallow_clone();
    }
    let plans = vec![vec![Step::Normalise]; batch.size()[0] as usize];
    apply_steps(Strategy::of(std::slice::from_ref(batch)), batch, &plans)
}

/// Normalised views f32 `[B, 3, T, H, W]` as pictures: u8 `[B, T, H, W, 3]`. What is darker than black or brighter than white is
/// drawn as these.
pub fn levels_of(views: &Tensor) -> Tensor {
    let plans = vec![vec![Step::Denormalise]; views.size()[0] as usize];
    let levels = apply_steps(Strategy::of(std::slice::from_ref(views)), views, &plans);
    let levels = levels.round().clamp(0.0, 255.0);
    levels.to_kind(tch::Kind::Uint8).permute([0, 2, 3, 4, 1])
}

/// What the first `count` links do to a clip of this height and width.
pub(super) fn begin(
    links: &[Link],
    count: usize,
    (height, width): (i64, i64),
    size: u32,
    key: &Key,
) -> (Fit, Vec<Step>) {
    let (mut fit, first) = match links {
        [Link::MultiScaleCrop { min_area }, ..] if count > 0 => {
            let mut draws = key.draws(&stream_names(links)[0]);
            let crop = Crop::draw(&mut draws, min_area.to_f64(), height, width);
            (Fit::crop(crop, size), 1)
        }
        _ => (Fit::centre(height, width, size), 0),
    };
    let mut steps = steps(links, first..count, size, key);
    // A flip that comes first costs nothing where pixels are placed.
    if let Some(Step::Flip(flip)) = steps.first() {
        fit.flip = *flip;
        steps.remove(0);
    }
    (fit, steps)
}

/// Height and width of a clip `[T, H, W, 3]`.
fn frame(clip: &Tensor) -> (i64, i64) {
    (clip.size()[1], clip.size()[2])
}

/// Does what the plans say to clips, u8 `[T, H, W, 3]`: f32 `[B, 3, T, size, size]`. The plans have equal steps but for what was drawn.
pub fn apply(
    strategy: Strategy,
    clips: &[Tensor],
    plans: &[(Fit, Vec<Step>)],
    size: u32,
) -> Tensor {
    measured(Part::Augment, || match strategy {
        Strategy::Together => together::augment(clips, plans, size),
        Strategy::Each => {
            let (side, batch, frames) = (i64::from(size), clips.len() as i64, clips[0].size()[0]);
            filled([batch, 3, frames, side, side], |values| {
                let (mut bytes, mut scratch) = (Vec::new(), Vec::new());
                let each = values.chunks_exact_mut(values.len() / clips.len());
                for ((values, clip), (fit, steps)) in each.zip(clips).zip(plans) {
                    Frames::load(values, clip, fit, size, &mut bytes).apply(steps, &mut scratch);
                }
            })
        }
    })
}

/// Does steps to a batch that is already of one size, f32 `[B, 3, T, H, W]`. The lists are equal but for what was drawn.
pub fn apply_steps(strategy: Strategy, batch: &Tensor, steps: &[Vec<Step>]) -> Tensor {
    measured(Part::Augment, || match strategy {
        Strategy::Together => together::apply(batch.shallow_clone(), steps),
        Strategy::Each => {
            let [.., height, width] = batch.size()[..] else {
                unreachable!("a batch is [B, 3, T, H, W]")
            };
            let batch = batch.contiguous();
            filled([batch.numel() as i64], |values| {
                batch.copy_data(values, values.len());
                let mut scratch = Vec::new();
                let each = values.chunks_exact_mut(values.len() / steps.len());
                for (values, steps) in each.zip(steps) {
                    Frames::new(values, height as usize, width as usize).apply(steps, &mut scratch);
                }
            })
            .view_as(&batch)
        }
    })
}

/// The weight of a Gaussian at a distance from its middle; `sigma` is more than 0.
fn gaussian(distance: i64, sigma: f64) -> f64 {
    (-0.5 * (distance as f64 / sigma).powi(2)).exp()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{hundredths, strong_frames};
    use super::*;
    use compiler::hir::{Fill, Levels, Pair};
    use tch::{Device, Kind};

    fn strong(per_frame: bool) -> Chain {
        let links = strong_frames(Pair::Range, Levels::Exact, Fill::FirstFrameMean);
        Chain { per_frame, links }
    }

    /// Clips of two sizes, every frame of a clip the same picture.
    fn still_clips(frames: i64) -> Vec<Tensor> {
        [(60, 80), (70, 50)]
            .map(|(height, width)| {
                let pixels = Tensor::arange(height * width * 3, (Kind::Int64, Device::Cpu));
                let picture = (pixels.square() + &pixels * 7)
                    .remainder(251)
                    .to_kind(Kind::Uint8);
                picture
                    .view([1, height, width, 3])
                    .repeat([frames, 1, 1, 1])
            })
            .into()
    }

    fn keys() -> Vec<Key> {
        (0..2)
            .map(|sample| Key::new(3, sample, 0).child("v/1"))
            .collect()
    }

    fn frames_differ(views: &Tensor) -> f64 {
        (views.narrow(2, 0, 1) - views)
            .abs()
            .max()
            .double_value(&[])
    }

    #[test]
    fn a_consistent_chain_does_the_same_to_all_frames_and_per_frame_does_not() {
        let clips = still_clips(4);
        let consistent = augment_frames(&strong(false), &clips, 48, &keys());
        assert_eq!(consistent.size(), [2, 3, 4, 48, 48]);
        assert!(frames_differ(&consistent) < 1e-6);
        let random = augment_frames(&strong(true), &clips, 48, &keys());
        assert_eq!(random.size(), [2, 3, 4, 48, 48]);
        assert!(frames_differ(&random) > 0.5);
    }

    #[test]
    fn a_view_depends_on_its_own_clip_and_key_alone() {
        let clips = still_clips(2);
        let (first, second) = (
            strong(false),
            augment_frames(&strong(false), &clips, 48, &keys()),
        );
        let alone = augment_frames(&first, &clips[1..], 48, &keys()[1..]);
        assert_eq!(alone, second.narrow(0, 1, 1));
        // Without the links before it, the cutout is where it was.
        let only = |links: &[Link]| {
            let chain = Chain {
                per_frame: false,
                links: links.to_vec(),
            };
            augment_frames(&chain, &clips, 48, &keys())
        };
        let cut = only(&first.links[5..]).ne_tensor(&only(&[]));
        let cut_after_flip = only(&[
            Link::HorizontalFlip { p: hundredths(100) },
            first.links[5].clone(),
        ])
        .ne_tensor(&only(&[Link::HorizontalFlip { p: hundredths(100) }]));
        assert_eq!(cut, cut_after_flip);
        assert!(bool::try_from(cut.any()).unwrap());
    }

    /// Clips of three sizes, shrunk and enlarged, through all links: the two programs differ in the last bits of f32 alone.
    #[test]
    fn both_strategies_give_the_same_views() {
        // Many small products: threads that wait for each other take longer than one.
        tch::set_num_threads(1);
        let clips: Vec<Tensor> = [(60, 80), (70, 50), (300, 420), (33, 31), (32, 32)]
            .map(|(height, width)| {
                let pixels = Tensor::arange(3 * height * width * 3, (Kind::Int64, Device::Cpu));
                let picture = (pixels.square() + &pixels * 7).remainder(251);
                picture.to_kind(Kind::Uint8).view([3, height, width, 3])
            })
            .into();
        let mut released = strong(false);
        released.links[3] = Link::GrayScale {
            p: hundredths(20),
            levels: Levels::Whole,
        };
        released.links[4] = Link::GaussianBlur {
            p: hundredths(50),
            sigma: (hundredths(10), hundredths(200)),
            pair: Pair::Axes,
            levels: Levels::Whole,
        };
        released.links[5] = Link::Cutout {
            max: 20,
            count: 2,
            fill: Fill::TimesFirstFrameMean,
        };
        // Links in another order: a crop, a flip and a jitter of values that are not whole, a jitter of cut frames.
        let links = &strong(false).links;
        let order = [4, 2, 0, 4, 1, 5, 2, 3];
        let turned = Chain {
            per_frame: false,
            links: order.map(|at| links[at].clone()).into(),
        };
        let plain = Chain {
            per_frame: false,
            links: vec![],
        };
        let chains = [
            (strong(false), 1e-5),
            (released, 1e-5),
            (plain, 1e-5),
            (strong(true), 1e-5),
            (turned, 0.2),
        ];
        for (at, (chain, limit)) in chains.iter().enumerate() {
            for round in 0..2 {
                let keys: Vec<Key> = (0..5)
                    .map(|sample| Key::new(round, sample, 0).child("v/1"))
                    .collect();
                let by = |strategy| augment_frames_by(strategy, chain, &clips, 32, &keys);
                let (each, together) = (by(Strategy::Each), by(Strategy::Together));
                assert_eq!(each.size(), together.size());
                let apart = (&each - &together).abs();
                for (clip, apart) in apart.unbind(0).iter().enumerate() {
                    let far = apart.gt(*limit).to_kind(Kind::Float).mean(None);
                    let share = far.double_value(&[]);
                    // Of the clip that shrinks to an eighth, one level in a thousand may be another.
                    let allowed = if clip == 2 { 1e-3 } else { 0.0 };
                    assert!(share <= allowed, "chain {at}, clip {clip}: {share}");
                }
            }
        }
    }

    /// A bright pixel spreads by the kernel, also back from the border.
    #[test]
    fn a_blur_is_mirrored_at_the_ends() {
        let side = (-0.5f64).exp() / (1.0 + 2.0 * (-0.5f64).exp());
        let line = Tensor::from_slice(&[0.0f32, 1.0, 0.0]).view([1, 1, 1, 1, 3]);
        let line = line.expand([1, 3, 1, 1, 3], false);
        for strategy in [Strategy::Each, Strategy::Together] {
            for (sigma_x, expected) in [
                (1.0, [2.0 * side, 1.0 - 2.0 * side, 2.0 * side]),
                (0.0, [0.0, 1.0, 0.0]),
            ] {
                let blur = Blur {
                    sigma_x,
                    sigma_y: 0.0,
                };
                let step = Step::Blur(3, Some(blur), Levels::Exact);
                let blurred = apply_steps(strategy, &line, &[vec![step]]);
                for (x, expected) in (0i64..).zip(expected) {
                    let value = blurred.double_value(&[0, 1, 0, 0, x]);
                    assert!(
                        (value - expected).abs() < 1e-6,
                        "{strategy:?}: {value} at {x}"
                    );
                }
            }
        }
    }

    /// In either reading the square is where it is; the paper's has one value everywhere, that of the mean.
    #[test]
    fn cutout_fills_with_the_mean_of_the_normalised_first_frame() {
        let clips = plain_frames(&still_clips(2), 32);
        let squares = [10, 31].map(|y| vec![Square::around(9, y, 12, 32, 32)]);
        for strategy in [Strategy::Each, Strategy::Together] {
            let cut = |squares: &[Vec<Square>]| {
                let step = |s: &Vec<Square>| vec![Step::Cutout(s.clone(), Fill::FirstFrameMean)];
                let steps: Vec<_> = squares.iter().map(step).collect();
                apply_steps(strategy, &clips, &steps)
            };
            let all = cut(&squares);
            for sample in 0..2 {
                let mean = clips
                    .get(sample)
                    .select(1, 0)
                    .mean(Kind::Double)
                    .double_value(&[]);
                let square = all
                    .get(sample)
                    .narrow(2, squares[sample as usize][0].rows.0, 1);
                let inside = square.narrow(3, 8, 8) - mean;
                assert!(inside.abs().max().double_value(&[]) < 1e-5);
            }
            let changed = |sample| {
                all.get(sample)
                    .ne_tensor(&clips.get(sample))
                    .sum(Kind::Int64)
            };
            assert_eq!(changed(0).int64_value(&[]), 3 * 2 * 8 * 8);
            assert_eq!(changed(1).int64_value(&[]), 3 * 2 * 5 * 8);
            assert_eq!(cut(&[vec![], vec![]]), clips);
        }
    }

    #[test]
    fn crops_keep_to_the_frame_the_area_and_the_aspect() {
        let mut draws = Key::at(0, "crops").stream();
        for (height, width) in [(240, 320), (112, 112), (40, 30)] {
            for _ in 0..300 {
                let c = Crop::draw(&mut draws, 0.08, height, width);
                assert!(
                    c.top >= 0
                        && c.top + c.height <= height
                        && c.left >= 0
                        && c.left + c.width <= width
                );
                let area = (c.height * c.width) as f64 / (height * width) as f64;
                let aspect = c.width as f64 / c.height as f64;
                // The sides are rounded to pixels, of which the smallest crop has ten.
                assert!((0.07..=1.0).contains(&area), "{area}");
                assert!((0.69..1.45).contains(&aspect), "{aspect}");
            }
        }
        // Nothing of half the area fits in a line: the centre, no wider than 4/3.
        let c = Crop::draw(&mut draws, 0.5, 30, 300);
        assert_eq!(
            c,
            Crop {
                top: 0,
                left: 130,
                height: 30,
                width: 40
            }
        );
    }
}
