//! The visual augmentations (Table S1) as tensor programs: MSC, HF, CJ, GS, GB, C, and the plain frames of test clips.
//!
//! Frames come as bytes of any size and leave as normalised floats. In between they are f32 with values in 0..=255. The released
//! code rounds them to whole levels after each operation; here resizing and colour jitter do, where it matters or costs nothing.

use super::colour::{Jitter, gray_scale, jitter, on_chosen};
use super::draws::{Draws, Key};
use super::matrix::{Matrix, per_sample};
use super::stream_names;
use compiler::hir::{Chain, Fill, Levels, Link, Pair};
use tch::{Device, Kind, Tensor};

/// Mean of each channel over ImageNet, of values in 0..=1.
const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of each channel over ImageNet.
const STD: [f64; 3] = [0.229, 0.224, 0.225];

/// Augmented views of a batch of clips.
///
/// - `clips`: u8 `[T, H, W, 3]`, at least one, the same T for all, H and W as they come. The work is done where they lie.
/// - `size`: height and width of the result in pixels.
/// - `keys`: the place of each clip's random numbers, down to the view.
///
/// Returns f32 `[B, 3, T, size, size]`, normalised by the mean and standard deviation of ImageNet. A chain that does not begin
/// with MSC begins with the frames of [`plain_frames`].
pub fn augment_frames(chain: &Chain, clips: &[Tensor], size: u32, keys: &[Key]) -> Tensor {
    if chain.per_frame {
        return augment_each_frame(chain, clips, size, keys);
    }
    // On the CPU one clip after the other, which stays in the cache; elsewhere all at once.
    let together = if clips.iter().all(|c| c.device() == Device::Cpu) {
        1
    } else {
        clips.len()
    };
    let parts: Vec<Tensor> = clips
        .chunks(together)
        .zip(keys.chunks(together))
        .map(|(c, k)| augment_together(&chain.links, c, size, k))
        .collect();
    Tensor::cat(&parts, 0)
}

/// Each frame as a clip of its own: `per_frame(...)`, the temporally random views of Sec. 4.5.
fn augment_each_frame(chain: &Chain, clips: &[Tensor], size: u32, keys: &[Key]) -> Tensor {
    let frames: Vec<Tensor> = clips.iter().flat_map(|clip| clip.split(1, 0)).collect();
    let per_clip = frames.len() / clips.len();
    let keys: Vec<Key> = keys
        .iter()
        .flat_map(|key| (0..per_clip).map(|t| key.child(&format!("frame/{t}"))))
        .collect();
    let chain = Chain {
        per_frame: false,
        links: chain.links.clone(),
    };
    let frames = augment_frames(&chain, &frames, size, &keys); // [B T, 3, 1, size, size]
    let (size, batch) = (i64::from(size), clips.len() as i64);
    frames
        .view([batch, per_clip as i64, 3, size, size])
        .transpose(1, 2)
        .contiguous()
}

fn augment_together(links: &[Link], clips: &[Tensor], size: u32, keys: &[Key]) -> Tensor {
    let batch = first_links(links, links.len(), clips, size, keys);
    finish(links, batch)
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
    let (batch, rest) = match links {
        [Link::MultiScaleCrop { min_area }, ..] if count > 0 => {
            let names = stream_names(links);
            let cropped: Vec<Tensor> = clips
                .iter()
                .zip(keys)
                .map(|(clip, key)| {
                    let crop = Crop::draw(
                        &mut key.draws(&names[0]),
                        min_area.to_f64(),
                        clip.size()[1],
                        clip.size()[2],
                    );
                    resized_crop(clip, crop, size)
                })
                .collect();
            (Tensor::stack(&cropped, 0), 1)
        }
        _ => (plain_levels(clips, size), 0),
    };
    (rest..count).fold(batch, |batch, at| link_at(links, at, batch, size, keys))
}

/// The link at `at` on what those before it have left of a batch.
pub(crate) fn link_at(links: &[Link], at: usize, batch: Tensor, size: u32, keys: &[Key]) -> Tensor {
    let batch = match (is_normalised(links, at), is_normalised(links, at + 1)) {
        (false, true) => normalise(&batch),
        (true, false) => denormalise(&batch),
        (false, false) | (true, true) => batch,
    };
    let name = &stream_names(links)[at];
    augment_link(&links[at], name, batch, size, keys)
}

/// What all links have left of a batch, normalised for a network.
pub(crate) fn finish(links: &[Link], batch: Tensor) -> Tensor {
    if is_normalised(links, links.len()) {
        batch
    } else {
        normalise(&batch)
    }
}

/// Whether the first `count` links leave normalised frames: cutout works on those, all others on values in 0..=255.
fn is_normalised(links: &[Link], count: usize) -> bool {
    let last = count.checked_sub(1).and_then(|last| links.get(last));
    matches!(last, Some(Link::Cutout { .. }))
}

fn augment_link(link: &Link, name: &str, batch: Tensor, size: u32, keys: &[Key]) -> Tensor {
    let draws = || keys.iter().map(|key| key.draws(name));
    let side = i64::from(size);
    match link {
        Link::MultiScaleCrop { min_area } => {
            let crops = draws().map(|mut d| Crop::draw(&mut d, min_area.to_f64(), side, side));
            let clips = batch.permute([0, 2, 3, 4, 1]).unbind(0); // [T, H, W, 3] each
            let cropped: Vec<Tensor> = clips
                .iter()
                .zip(crops)
                .map(|(c, crop)| resized_crop(c, crop, size))
                .collect();
            Tensor::stack(&cropped, 0)
        }
        Link::HorizontalFlip { p } => {
            let chosen: Vec<bool> = draws().map(|mut d| d.flip(p.to_f64())).collect();
            horizontal_flip(batch, &chosen)
        }
        Link::ColorJitter {
            brightness,
            contrast,
            saturation,
            hue,
        } => {
            let [b, c, s, h] = [brightness, contrast, saturation, hue].map(|x| x.to_f64());
            let jitters: Vec<Jitter> = draws()
                .map(|mut d| Jitter::draw(&mut d, b, c, s, h))
                .collect();
            jitter(batch, &jitters)
        }
        Link::GrayScale { p, levels } => {
            let chosen: Vec<bool> = draws().map(|mut d| d.flip(p.to_f64())).collect();
            gray_scale(batch, &chosen, *levels)
        }
        Link::GaussianBlur {
            p,
            sigma,
            pair,
            levels,
        } => {
            let sigma = (sigma.0.to_f64(), sigma.1.to_f64());
            let blurs: Vec<Option<Blur>> = draws()
                .map(|mut d| Blur::draw(&mut d, p.to_f64(), sigma, *pair))
                .collect();
            gaussian_blur(batch, size as usize / 20 * 2 + 1, &blurs, *levels)
        }
        Link::Cutout { max, count, fill } => {
            let squares: Vec<Vec<Square>> = draws()
                .map(|mut d| {
                    (0..*count)
                        .map(|_| Square::draw(&mut d, *max, side, side))
                        .collect()
                })
                .collect();
            cutout(batch, &squares, *fill)
        }
        Link::VolumeJitter { .. }
        | Link::TimeMask { .. }
        | Link::FreqMask { .. }
        | Link::RandomCrop { .. }
        | Link::TimeWarp { .. }
        | Link::DropWords { .. }
        | Link::Follow { .. } => {
            unreachable!("check: a chain of frames has links of frames alone")
        }
    }
}

/// Normalised views f32 `[B, 3, T, H, W]` as pictures: u8 `[B, T, H, W, 3]`. What is darker than black or brighter than white is
/// drawn as these.
pub fn levels_of(views: &Tensor) -> Tensor {
    let levels = denormalise(views).round().clamp(0.0, 255.0);
    levels.to_kind(Kind::Uint8).permute([0, 2, 3, 4, 1])
}

/// Test frames: the shorter side resized to `size / 0.875`, then the centre. Nothing is random.
///
/// Takes and returns what [`augment_frames`] does.
pub fn plain_frames(clips: &[Tensor], size: u32) -> Tensor {
    normalise(&plain_levels(clips, size))
}

fn plain_levels(clips: &[Tensor], size: u32) -> Tensor {
    let side = i64::from(size);
    let short = (f64::from(size) / 0.875) as i64;
    let frames: Vec<Tensor> = clips
        .iter()
        .map(|clip| {
            let (height, width) = (clip.size()[1], clip.size()[2]);
            let shorter = height.min(width).max(1);
            let (height, width) = (short * height / shorter, short * width / shorter);
            let first = |length: i64| ((length - side) as f64 / 2.0).round_ties_even() as i64;
            resize(clip, height, width)
                .narrow(2, first(height), side)
                .narrow(3, first(width), side)
        })
        .collect();
    Tensor::stack(&frames, 0)
}

/// The part of a frame that MSC keeps, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// First row.
    pub top: i64,
    /// First column.
    pub left: i64,
    /// Rows.
    pub height: i64,
    /// Columns.
    pub width: i64,
}

impl Crop {
    /// A share from `min_area` to 1 of the area, the aspect between 3/4 and 4/3 on a logarithmic scale. After ten draws that do
    /// not fit the frame: its centre, as large as the bounds of the aspect allow.
    pub fn draw(draws: &mut Draws, min_area: f64, height: i64, width: i64) -> Self {
        let narrowest: f64 = 3.0 / 4.0;
        let widest: f64 = 4.0 / 3.0;
        let area = (height * width) as f64;
        for _ in 0..10 {
            let area = area * draws.uniform(min_area, 1.0);
            let aspect = draws.uniform(narrowest.ln(), widest.ln()).exp();
            let w = (area * aspect).sqrt().round_ties_even() as i64;
            let h = (area / aspect).sqrt().round_ties_even() as i64;
            if (1..=height).contains(&h) && (1..=width).contains(&w) {
                let top = draws.integer(0..=height - h);
                let left = draws.integer(0..=width - w);
                return Self {
                    top,
                    left,
                    height: h,
                    width: w,
                };
            }
        }
        let aspect = width as f64 / height as f64;
        let w = if aspect > widest {
            (height as f64 * widest).round_ties_even() as i64
        } else {
            width
        };
        let h = if aspect < narrowest {
            (width as f64 / narrowest).round_ties_even() as i64
        } else {
            height
        };
        Self {
            top: (height - h) / 2,
            left: (width - w) / 2,
            height: h,
            width: w,
        }
    }
}

/// The crop of a clip `[T, H, W, 3]`, resized: f32 `[3, T, size, size]`, in whole levels.
pub fn resized_crop(clip: &Tensor, crop: Crop, size: u32) -> Tensor {
    let cropped = clip
        .narrow(1, crop.top, crop.height)
        .narrow(2, crop.left, crop.width);
    resize(&cropped, i64::from(size), i64::from(size))
}

/// `[T, H, W, 3]` to f32 `[3, T, height, width]` by the antialiased triangle filter, in whole levels as Pillow's bilinear filter
/// leaves them. On the CPU torch has Pillow's program for bytes, sixteen times as fast as a product of f32 matrices.
fn resize(clip: &Tensor, height: i64, width: i64) -> Tensor {
    let planes = clip.permute([0, 3, 1, 2]);
    let resized = if (planes.kind(), planes.device()) == (Kind::Uint8, Device::Cpu) {
        planes
            .internal_upsample_bilinear2d_aa([height, width], false, None, None)
            .to_kind(Kind::Float)
    } else {
        planes
            .to_kind(Kind::Float)
            .internal_upsample_bilinear2d_aa([height, width], false, None, None)
            .round()
    };
    resized.transpose(0, 1)
}

/// HF: mirrors the chosen clips of `[B, C, T, H, W]` left to right.
pub fn horizontal_flip(clips: Tensor, chosen: &[bool]) -> Tensor {
    on_chosen(clips, chosen, |some| some.flip([4]))
}

/// Standard deviations of a Gaussian blur in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blur {
    /// Along a row.
    pub sigma_x: f64,
    /// Along a column.
    pub sigma_y: f64,
}

impl Blur {
    /// With probability `p` a blur: the same in both directions, its sigma drawn from the range, or one sigma for each axis.
    pub fn draw(draws: &mut Draws, p: f64, sigma: (f64, f64), pair: Pair) -> Option<Self> {
        let blurs = draws.flip(p);
        let (sigma_x, sigma_y) = match pair {
            Pair::Range => {
                let sigma = draws.uniform(sigma.0, sigma.1);
                (sigma, sigma)
            }
            Pair::Axes => sigma,
        };
        blurs.then_some(Self { sigma_x, sigma_y })
    }
}

/// GB: blurs clips `[B, C, T, H, W]`, mirrored at the borders, with Gaussians cut off at `kernel` pixels (odd).
pub fn gaussian_blur(
    clips: Tensor,
    kernel: usize,
    blurs: &[Option<Blur>],
    levels: Levels,
) -> Tensor {
    let chosen: Vec<bool> = blurs.iter().map(Option::is_some).collect();
    on_chosen(clips, &chosen, |some| {
        let [.., height, width] = some.size()[..] else {
            unreachable!("a batch is [B, C, T, H, W]")
        };
        let matrices = |length: i64, sigma: fn(&Blur) -> f64| {
            let each: Vec<Matrix> = blurs
                .iter()
                .flatten()
                .map(|b| Matrix::gaussian(length as usize, kernel, sigma(b)))
                .collect();
            Matrix::stack(&each, some.device()).view([-1, 1, 1, length, length])
        };
        let rows = matrices(height, |b| b.sigma_y);
        let columns = matrices(width, |b| b.sigma_x);
        let blurred = rows.matmul(some).matmul(&columns.transpose(-2, -1));
        match levels {
            Levels::Exact => blurred,
            // A whole level that f32 leaves a hair below itself is still that level.
            Levels::Whole => (blurred + 1e-3).floor_(),
        }
    })
}

/// A square that is cut out, cut off at the borders of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Square {
    /// Rows, the second not included.
    pub rows: (i64, i64),
    /// Columns, the second not included.
    pub columns: (i64, i64),
}

impl Square {
    /// A square around a pixel: half of `length`, rounded down, to each side.
    pub fn around(length: i64, y: i64, x: i64, height: i64, width: i64) -> Self {
        let half = length / 2;
        let span = |at: i64, end: i64| ((at - half).max(0), (at + half).min(end));
        Self {
            rows: span(y, height),
            columns: span(x, width),
        }
    }

    /// A length from 1 to `max`, around any pixel.
    pub fn draw(draws: &mut Draws, max: u32, height: i64, width: i64) -> Self {
        let length = draws.integer(1..=i64::from(max));
        let y = draws.integer(0..=height - 1);
        let x = draws.integer(0..=width - 1);
        Self::around(length, y, x, height, width)
    }
}

/// C: cuts squares out of normalised clips `[B, C, T, H, W]`, at the same place in all frames. The list has as many squares for
/// each clip.
pub fn cutout(clips: Tensor, squares: &[Vec<Square>], fill: Fill) -> Tensor {
    let [batch, .., height, width] = clips.size()[..] else {
        unreachable!("a batch is [B, C, T, H, W]")
    };
    let count = squares.first().map_or(0, Vec::len) as i64;
    let device = clips.device();
    let inside = |length: i64, shape: [i64; 4], span: fn(&Square) -> (i64, i64)| {
        let bounds = |pick: fn((i64, i64)) -> i64| {
            let each: Vec<i64> = squares.iter().flatten().map(|s| pick(span(s))).collect();
            Tensor::from_slice(&each)
                .to_device(device)
                .view([batch, count, 1, 1])
        };
        let at = Tensor::arange(length, (Kind::Int64, device)).view(shape);
        at.ge_tensor(&bounds(|s| s.0))
            .logical_and(&at.lt_tensor(&bounds(|s| s.1)))
    };
    let rows = inside(height, [1, 1, height, 1], |s| s.rows);
    let columns = inside(width, [1, 1, 1, width], |s| s.columns);
    let cut = rows
        .logical_and(&columns)
        .any_dim(1, false)
        .view([batch, 1, 1, height, width]);
    let mean = clips
        .narrow(2, 0, 1)
        .mean_dim([1i64, 2, 3, 4].as_slice(), true, None);
    let filled = match fill {
        Fill::FirstFrameMean => mean,
        Fill::TimesFirstFrameMean => &clips * mean,
    };
    filled.where_self(&cut, &clips)
}

/// Levels of clips `[B, 3, T, H, W]`, 0..=255, less the mean of each channel, divided by its standard deviation.
pub fn normalise(clips: &Tensor) -> Tensor {
    (clips - channels(MEAN, clips)) / channels(STD, clips)
}

fn denormalise(clips: &Tensor) -> Tensor {
    clips * channels(STD, clips) + channels(MEAN, clips)
}

/// Numbers of the three channels, of values in 0..=1, in levels.
fn channels(values: [f64; 3], like: &Tensor) -> Tensor {
    per_sample(values.map(|v| 255.0 * v), 5, like.device()).transpose(0, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use compiler::units::Exact;

    fn share(hundredths: i128) -> Exact {
        Exact::new(hundredths, 100)
    }

    fn strong(per_frame: bool) -> Chain {
        let links = vec![
            Link::MultiScaleCrop { min_area: share(8) },
            Link::HorizontalFlip { p: share(50) },
            Link::ColorJitter {
                brightness: share(40),
                contrast: share(40),
                saturation: share(40),
                hue: share(20),
            },
            Link::GrayScale {
                p: share(20),
                levels: Levels::Exact,
            },
            Link::GaussianBlur {
                p: share(50),
                sigma: (share(10), share(200)),
                pair: Pair::Range,
                levels: Levels::Exact,
            },
            Link::Cutout {
                max: 20,
                count: 1,
                fill: Fill::FirstFrameMean,
            },
        ];
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
            Link::HorizontalFlip { p: share(100) },
            first.links[5].clone(),
        ])
        .ne_tensor(&only(&[Link::HorizontalFlip { p: share(100) }]));
        assert_eq!(cut, cut_after_flip);
        assert!(bool::try_from(cut.any()).unwrap());
    }

    /// In either reading the square is where it is; the paper's has one value everywhere, that of the mean.
    #[test]
    fn cutout_fills_with_the_mean_of_the_normalised_first_frame() {
        let clips = plain_frames(&still_clips(2), 32);
        let squares = [10, 31].map(|y| vec![Square::around(9, y, 12, 32, 32)]);
        let cut = cutout(clips.shallow_clone(), &squares, Fill::FirstFrameMean);
        for sample in 0..2 {
            let mean = clips
                .get(sample)
                .select(1, 0)
                .mean(Kind::Double)
                .double_value(&[]);
            let square = cut
                .get(sample)
                .narrow(2, squares[sample as usize][0].rows.0, 1);
            let inside = square.narrow(3, 8, 8) - mean;
            assert!(inside.abs().max().double_value(&[]) < 1e-5);
        }
        let changed = |sample| {
            cut.get(sample)
                .ne_tensor(&clips.get(sample))
                .sum(Kind::Int64)
        };
        assert_eq!(changed(0).int64_value(&[]), 3 * 2 * 8 * 8);
        assert_eq!(changed(1).int64_value(&[]), 3 * 2 * 5 * 8);
        assert_eq!(
            cutout(
                clips.shallow_clone(),
                &[vec![], vec![]],
                Fill::FirstFrameMean
            ),
            clips
        );
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
