//! The augmentations and the log-mel against what the released code gives with its draws fixed.
//!
//! The tensors of `tests/golden/ops.safetensors` say in their names what was done: `crop_i7_j13_h41_w33_to_112`. Each name is
//! read, so that another folder of the same form (`CRISSCROSS_GOLDEN`) may hold other numbers; a name that means nothing here
//! is an error.
//!
//! The released code rounds to 8 bits after each operation, ours in resizing and in colour jitter alone. So 8-bit results may differ by one level,
//! those of resizing and of chains by two, those of hue by half a level on average.

use crate::recipe::path;
use compiler::hir::{Fill, Levels, LogMel};
use runtime::augment::Strategy;
use runtime::augment::audio::{self, CanvasCrop, Mask, Warp};
use runtime::augment::colour::{Jitter, Operation};
use runtime::augment::mel::log_mel_by;
use runtime::augment::visual::{Blur, Crop, Fit, Square, Step, apply, apply_steps};
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// The tensors of a file of the golden folder.
fn golden(file: &str) -> BTreeMap<String, Tensor> {
    Tensor::read_safetensors(path(file))
        .unwrap()
        .into_iter()
        .collect()
}

/// The numbers of a name in order, each with the letters before it: `crop_i7_j13` is `[("i", 7), ("j", 13)]`.
fn numbers(name: &str) -> Vec<(&str, f64)> {
    name.split('_')
        .filter_map(|part| {
            let letters = part.len()
                - part
                    .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                    .len();
            part[letters..].parse().ok().map(|n| (&part[..letters], n))
        })
        .collect()
}

fn amounts(name: &str) -> Vec<f64> {
    numbers(name).into_iter().map(|(_, n)| n).collect()
}

fn whole(name: &str) -> Vec<i64> {
    amounts(name).into_iter().map(|n| n as i64).collect()
}

/// An image `[H, W, 3]` as a batch of one clip of one frame, `[1, 3, 1, H, W]`.
fn as_batch(image: &Tensor) -> Tensor {
    image
        .permute([2, 0, 1])
        .unsqueeze(1)
        .unsqueeze(0)
        .to_kind(Kind::Float)
}

/// A batch of one clip of one frame as an image.
fn as_image(batch: &Tensor) -> Tensor {
    batch.squeeze_dim(0).squeeze_dim(1).permute([1, 2, 0])
}

fn operation(name: &str) -> Operation {
    match name {
        "brightness" | "b" => Operation::Brightness,
        "contrast" | "c" => Operation::Contrast,
        "saturation" | "s" => Operation::Saturation,
        "hue" | "h" => Operation::Hue,
        _ => panic!("no operation `{name}`"),
    }
}

/// How a result is compared with 8 bits.
enum Close {
    /// At most so many levels apart once ours is cut off to whole levels, as the released code does after this operation.
    Truncated(f64),
    /// At most so many levels apart once ours is rounded.
    Rounded(f64),
    /// At most so many levels apart on average.
    Mean(f64),
    /// At most so far apart, as they are.
    Float(f64),
}

fn compare(name: &str, ours: &Tensor, expected: &Tensor, close: Close) {
    assert_eq!(ours.size(), expected.size(), "{name}");
    let ours = ours.to_kind(Kind::Double);
    // A whole level that f32 leaves a hair below itself is still that level.
    let (ours, mean, limit) = match close {
        Close::Truncated(limit) => ((ours + 1e-3).floor(), false, limit),
        Close::Rounded(limit) => (ours.round(), false, limit),
        Close::Mean(limit) => (ours, true, limit),
        Close::Float(limit) => (ours, false, limit),
    };
    let difference = (ours - expected.to_kind(Kind::Double)).abs();
    let worst = if mean {
        difference.mean(None)
    } else {
        difference.max()
    }
    .double_value(&[]);
    println!("{name}: {worst:.2e} of {limit}");
    assert!(
        worst <= limit,
        "{name}: differs by {worst}, more than {limit}"
    );
}

#[test]
fn operators_do_what_the_released_code_does() {
    for strategy in [Strategy::Each, Strategy::Together] {
        operators_by(strategy);
    }
}

/// A jitter of nothing.
fn still() -> Jitter {
    Jitter {
        brightness: 1.0,
        contrast: 1.0,
        saturation: 1.0,
        hue: 0.0,
        order: [
            Operation::Brightness,
            Operation::Contrast,
            Operation::Saturation,
            Operation::Hue,
        ],
    }
}

fn with(mut jitter: Jitter, operation: Operation, amount: f64) -> Jitter {
    match operation {
        Operation::Brightness => jitter.brightness = amount,
        Operation::Contrast => jitter.contrast = amount,
        Operation::Saturation => jitter.saturation = amount,
        Operation::Hue => jitter.hue = amount,
    }
    jitter
}

fn operators_by(strategy: Strategy) {
    let ops = golden("ops.safetensors");
    let mel = golden("mel.safetensors");
    let image = &ops["image_hwc"];
    let big = &ops["image320x240_hwc"];
    let spectrogram = mel["logmel"].unsqueeze(0).unsqueeze(0);
    let step = |batch: &Tensor, step: Step| apply_steps(strategy, batch, &[vec![step]]);
    let sound = |batch: &Tensor, step| audio::apply_steps(strategy, batch, &[vec![step]]);
    let fitted = |image: &Tensor, fit: Fit, size: u32| {
        apply(strategy, &[image.unsqueeze(0)], &[(fit, vec![])], size)
    };
    let plain_frames = |image: &Tensor, size: u32| {
        let fit = Fit::centre(image.size()[0], image.size()[1], size);
        let plan = (fit, vec![Step::Normalise]);
        apply(strategy, &[image.unsqueeze(0)], &[plan], size)
    };
    let normalise = |batch: &Tensor| step(batch, Step::Normalise);
    let gray_as = |image: &Tensor, levels| step(&as_batch(image), Step::Grey(true, levels));
    let gray = |image: &Tensor| gray_as(image, Levels::Exact);
    let mut masked_bands = None;
    // Each name is compared below or is an input; one that is neither fails.
    assert_eq!(ops.len(), 43, "the golden file is not whole");
    for (name, expected) in &ops {
        let ends = |s: &str| name.strip_prefix(s).is_some();
        let image = if ends("big_") { big } else { image };
        let words = name.trim_start_matches("big_");
        let kind = words.split('_').next().unwrap();
        match kind {
            "image" | "image320x240" => {}
            "brightness" | "contrast" | "saturation" | "hue" => {
                let close = if kind == "hue" {
                    Close::Mean(0.5)
                } else {
                    Close::Truncated(1.0)
                };
                // A jitter leaves an operation by nothing out; one by less than a step does all that it does otherwise.
                let amount = match amounts(words)[0] {
                    0.0 => 1e-9,
                    amount => amount,
                };
                let jitter = with(still(), operation(kind), amount);
                let ours = step(&as_batch(image), Step::Jitter(jitter));
                compare(name, &as_image(&ours), expected, close);
            }
            "jitter" => {
                let mut all = still();
                for (place, (letter, amount)) in numbers(words).into_iter().enumerate() {
                    all.order[place] = operation(letter);
                    all = with(all, operation(letter), amount);
                }
                compare(
                    name,
                    &as_image(&step(&as_batch(image), Step::Jitter(all))),
                    expected,
                    Close::Truncated(2.0),
                );
            }
            "gray" if words == "gray" => {
                let ours = |levels| as_image(&gray_as(image, levels)).select(2, 0);
                compare(name, &ours(Levels::Exact), expected, Close::Rounded(1.0));
                compare(name, &ours(Levels::Whole), expected, Close::Float(0.0));
            }
            "gray" => {
                let ours = normalise(&gray(image)).squeeze_dim(0);
                // Half a level of grey, which the reference rounds, in units of the smallest deviation.
                compare(name, &ours, expected, Close::Float(0.51 / 255.0 / 0.224));
                let rounded = ops["gray"].unsqueeze(2).expand([-1, -1, 3], false);
                compare(
                    name,
                    &normalise(&as_batch(&rounded)).squeeze_dim(0),
                    expected,
                    Close::Float(1e-5),
                );
            }
            "blur" => {
                let (frames, sigma_x, sigma_y) = match amounts(words)[..] {
                    [_, sigma_x, sigma_y] => (as_batch(image), sigma_x, sigma_y),
                    _ => (gray(image), 0.1, 2.0),
                };
                let kernel = whole(words)[0] as usize;
                let blurred = |levels| {
                    let blur = Some(Blur { sigma_x, sigma_y });
                    let ours = as_image(&step(&frames, Step::Blur(kernel, blur, levels)));
                    if expected.dim() == 2 {
                        ours.select(2, 0)
                    } else {
                        ours
                    }
                };
                compare(
                    name,
                    &blurred(Levels::Exact),
                    expected,
                    Close::Truncated(1.0),
                );
                compare(name, &blurred(Levels::Whole), expected, Close::Float(1.0));
            }
            "crop" => {
                let [top, left, height, width, size] = whole(words)[..] else {
                    panic!("{name}")
                };
                let crop = Crop {
                    top,
                    left,
                    height,
                    width,
                };
                let ours = fitted(image, Fit::crop(crop, size as u32), size as u32);
                compare(name, &as_image(&ours), expected, Close::Rounded(2.0));
            }
            "val" if expected.kind() == Kind::Uint8 => {
                let size = expected.size()[0] as u32;
                let ours = plain_frames(image, size);
                let theirs = normalise(&as_batch(expected));
                compare(name, &ours, &theirs, Close::Float(2.0 / 255.0 / 0.224));
                let tensor = &ops["big_val_tensor_3x1x112x112"];
                compare(name, &theirs.squeeze_dim(0), tensor, Close::Float(1e-5));
            }
            "val" => compare(
                name,
                &plain_frames(image, 112).squeeze_dim(0),
                expected,
                Close::Float(2.0 / 255.0 / 0.224),
            ),
            "cutout" if words == "cutout_in" => {}
            "cutout" => {
                let [length, y, x] = whole(words)[..] else {
                    panic!("{name}")
                };
                let clip = ops["cutout_in"].unsqueeze(0);
                let square = Square::around(length, y, x, clip.size()[3], clip.size()[4]);
                let ours = step(&clip, Step::Cutout(vec![square], Fill::TimesFirstFrameMean));
                compare(name, &ours.squeeze_dim(0), expected, Close::Float(1e-5));
            }
            "audio" => {
                let [top, left, height, width] = whole(words)[..] else {
                    panic!("{name}")
                };
                let canvas = (spectrogram.size()[2], spectrogram.size()[3] * 3 / 2);
                let crop = CanvasCrop {
                    canvas,
                    top,
                    left,
                    height,
                    width,
                };
                let ours = sound(&spectrogram, audio::Step::RandomCrop(crop));
                compare(name, &ours.squeeze(), expected, Close::Float(1e-5));
            }
            "freq" => {
                let ours = sound(&spectrogram, audio::Step::FreqMask(masks(words)));
                compare(name, &ours.squeeze(), expected, Close::Float(1e-5));
                masked_bands = Some(ours);
            }
            "then" => {
                let before = masked_bands.as_ref().expect("`freq_` comes before `then_`");
                compare(
                    name,
                    &sound(before, audio::Step::TimeMask(masks(words))).squeeze(),
                    expected,
                    Close::Float(1e-5),
                );
            }
            "time" => {
                let [from, to] = whole(words)[..] else {
                    panic!("{name}")
                };
                compare(
                    name,
                    &sound(&spectrogram, audio::Step::TimeWarp(Some(Warp { from, to }))).squeeze(),
                    expected,
                    Close::Float(1e-5),
                );
            }
            _ => panic!("no operator for `{name}`"),
        }
    }
}

fn masks(name: &str) -> Vec<Mask> {
    whole(name)
        .chunks(2)
        .map(|m| Mask {
            width: m[0],
            start: m[1],
        })
        .collect()
}

#[test]
fn the_log_mel_is_that_of_the_released_code() {
    let mel = golden("mel.safetensors");
    let settings = LogMel {
        bands: 80,
        hop: 160,
        fft: 1024,
        centre: true,
    };
    let wave = mel["waveform"].unsqueeze(0);
    for strategy in [Strategy::Each, Strategy::Together] {
        let ours = log_mel_by(strategy, &wave, &settings, 16_000.0);
        compare(
            "logmel",
            &ours.squeeze(),
            &mel["logmel"],
            Close::Float(1e-5),
        );
    }
}
