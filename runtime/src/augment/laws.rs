//! The laws of what is drawn, tested on the drawings of whole chains.
//!
//! Each test takes [`N`] views with fixed seeds, so it gives one answer for ever. Its level is 1e-4: of ten thousand seeds one would
//! refuse the true law. What it would find is tested with it: the same drawings must refuse a law that is a little wrong, and the
//! comment beside says how wrong.
//!
//! - A distribution function is compared by the distance of Kolmogorov and Smirnov, refused from 2.225 / sqrt(N) = 0.0157 on. A law
//!   that is 0.024 off somewhere is refused with a probability of at least 0.99: there the share that was drawn has a standard
//!   deviation of at most 0.0035.
//! - Counts of cells are compared by Pearson's sum. A law of 24 cells is refused with a probability of at least 0.99 where the
//!   relative error of all cells has a root mean square of 6 %, a law of 160 cells from 8.5 % on.
//! - A share is compared by its normal deviate. A share of a half is refused with a probability of 0.99 where it is 0.022 off.

pub(crate) mod statistics;

use super::audio::{Mask, Step as Sound};
use super::colour::Operation;
use super::draws::Key;
use super::fixtures::{strong_frames, strong_sound};
use super::stream_names;
use super::visual::{Fit, Step, begin};
use compiler::hir::{Fill, Levels, Pair, Widths};
use statistics::{N, count, even, follow, independent, share, uniform};

/// What the chain does to views of frames of 4000 x 4000, so that pixels are no matter.
fn plans(path: &str, pair: Pair) -> Vec<(Fit, Vec<Step>)> {
    let links = strong_frames(pair, Levels::Exact, Fill::TimesFirstFrameMean);
    let plan = |sample| {
        let key = Key::new(11, sample, 2).child(path);
        begin(&links, links.len(), (4000, 4000), 112, &key)
    };
    (0..N as u64).map(plan).collect()
}

fn jitters(plans: &[(Fit, Vec<Step>)]) -> Vec<super::colour::Jitter> {
    let jitter = |steps: &[Step]| {
        let found = steps.iter().find_map(|step| match step {
            Step::Jitter(jitter) => Some(*jitter),
            Step::Crop(_)
            | Step::Flip(_)
            | Step::Grey(..)
            | Step::Blur(..)
            | Step::Cutout(..)
            | Step::Normalise
            | Step::Denormalise => None,
        });
        found.unwrap()
    };
    plans.iter().map(|(_, steps)| jitter(steps)).collect()
}

/// Area and the logarithm of the aspect are uniform, but where the crop does not fit both are drawn anew: in a square, where the
/// share of the area is above exp(-|logarithm|).
#[test]
fn crops_follow_the_law_of_area_aspect_and_place() {
    let plans = plans("v/1", Pair::Range);
    let crops: Vec<_> = plans.iter().map(|(fit, _)| fit.crop).collect();
    let widest = (4.0f64 / 3.0).ln();
    let area_law = |least: f64| {
        let below = move |s: f64| {
            let bend = 0.75f64;
            let rest = |s: f64| s - s * s.ln();
            widest * (s.min(bend) - least) + if s > bend { rest(s) - rest(bend) } else { 0.0 }
        };
        move |s: f64| below(s) / below(1.0)
    };
    let areas: Vec<f64> = crops
        .iter()
        .map(|c| (c.height * c.width) as f64 / 16e6)
        .collect();
    follow("area", &areas, area_law(0.08), area_law(0.12));
    // A program that cuts crops off instead of drawing them anew keeps the area uniform.
    follow(
        "area, drawn anew",
        &areas,
        area_law(0.08),
        uniform(0.08, 1.0),
    );

    let aspects: Vec<f64> = crops
        .iter()
        .map(|c| (c.width as f64 / c.height as f64).ln())
        .collect();
    let aspect_law = |widest: f64| {
        let half = move |l: f64| 1.0 - (-l).exp() - 0.08 * l;
        move |l: f64| 0.5 + 0.5 * l.signum() * half(l.abs()) / half(widest)
    };
    follow(
        "aspect",
        &aspects,
        aspect_law(widest),
        aspect_law(1.4f64.ln()),
    );

    let place = |first: i64, length: i64| (first as f64 + 0.5) / (4000 - length + 1) as f64;
    let tops: Vec<f64> = crops.iter().map(|c| place(c.top, c.height)).collect();
    let lefts: Vec<f64> = crops.iter().map(|c| place(c.left, c.width)).collect();
    follow("top", &tops, uniform(0.0, 1.0), uniform(-0.025, 1.0));
    follow("left", &lefts, uniform(0.0, 1.0), uniform(0.0, 1.025));
    independent("top and left", &tops, &lefts);
}

#[test]
fn jitter_draws_its_factors_evenly_and_all_orders_alike() {
    let jitters = jitters(&plans("v/1", Pair::Range));
    let all = |of: fn(&super::colour::Jitter) -> f64| jitters.iter().map(of).collect::<Vec<_>>();
    let factors = [
        all(|j| j.brightness),
        all(|j| j.contrast),
        all(|j| j.saturation),
    ];
    for factor in &factors {
        follow("factor", factor, uniform(0.6, 1.4), uniform(0.6, 1.42));
    }
    let hue = all(|j| j.hue);
    follow("hue", &hue, uniform(-0.2, 0.2), uniform(-0.21, 0.2));
    independent("brightness and contrast", &factors[0], &factors[1]);
    independent("contrast and saturation", &factors[1], &factors[2]);
    independent("saturation and hue", &factors[2], &hue);
    let number = |operation: Operation| match operation {
        Operation::Brightness => 0,
        Operation::Contrast => 1,
        Operation::Saturation => 2,
        Operation::Hue => 3,
    };
    let orders: Vec<i64> = jitters
        .iter()
        .map(|j| j.order.iter().fold(0, |sum, o| 4 * sum + number(*o)))
        .collect();
    let mut law = Vec::new();
    for order in 0..256i64 {
        let digits = [order / 64, order / 16 % 4, order / 4 % 4, order % 4];
        if (0..4).all(|digit| digits.contains(&digit)) {
            // The wrong law: half of the orders 12 % more likely than the others.
            law.push((order, if law.len() % 2 == 0 { 1.0 } else { 1.12 }));
        }
    }
    let right: Vec<(i64, f64)> = law.iter().map(|(order, _)| (*order, 1.0)).collect();
    assert_eq!(right.len(), 24);
    count("order", &orders, &right, &law);
}

#[test]
fn flip_grey_and_blur_are_chosen_as_often_as_the_chain_says() {
    let first = plans("v/1", Pair::Range);
    let second = plans("v/2", Pair::Axes);
    share("flip", first.iter().map(|(fit, _)| fit.flip), 0.5);
    let views = || first.iter().zip(&second);
    // Drawings of the two views of a sample have nothing to do with each other.
    share(
        "flip of both views",
        views().map(|(a, b)| a.0.flip == b.0.flip),
        0.5,
    );
    let steps = |plans: &[(Fit, Vec<Step>)]| {
        plans
            .iter()
            .flat_map(|plan| plan.1.clone())
            .collect::<Vec<_>>()
    };
    let grey = steps(&first).into_iter().filter_map(|step| {
        matches!(step, Step::Grey(..)).then(|| matches!(step, Step::Grey(true, _)))
    });
    share("grey", grey, 0.2);

    let blurs = |plans: &[(Fit, Vec<Step>)]| {
        let mut blurs = Vec::new();
        for step in steps(plans) {
            if let Step::Blur(kernel, blur, _) = step {
                assert_eq!(kernel, 11);
                blurs.push(blur);
            }
        }
        blurs
    };
    let drawn = blurs(&first);
    share("blur", drawn.iter().map(Option::is_some), 0.5);
    let drawn: Vec<_> = drawn.into_iter().flatten().collect();
    assert!(drawn.iter().all(|blur| blur.sigma_x == blur.sigma_y));
    let sigmas: Vec<f64> = drawn.iter().map(|blur| blur.sigma_y).collect();
    // Half as many drawings: 0.034 off is found.
    follow("sigma", &sigmas, uniform(0.1, 2.0), uniform(0.03, 2.0));
    let axes = blurs(&second);
    share("blur along an axis", axes.iter().map(Option::is_some), 0.5);
    let (across, down) = (0.1, 2.0);
    let is_fixed = |blur: &super::visual::Blur| (blur.sigma_x, blur.sigma_y) == (across, down);
    assert!(axes.iter().flatten().all(is_fixed));
}

/// Rows and columns of the square by all 20 lengths and 112 middles.
#[test]
fn squares_are_cut_out_at_any_place_in_all_sizes() {
    let mut squares = Vec::new();
    for (_, steps) in plans("v/1", Pair::Range) {
        if let Some(Step::Cutout(own, _)) = steps.last() {
            squares.push(own[0]);
        }
    }
    assert_eq!(squares.len(), N);
    let law = |longest: i64, of: fn((i64, i64)) -> i64| {
        let mut cells = std::collections::BTreeMap::new();
        for length in 1..=longest {
            for middle in 0..112i64 {
                let half = length / 2;
                let span = ((middle - half).max(0), (middle + half).min(112));
                *cells.entry(of(span)).or_insert(0.0) += 1.0 / longest as f64;
            }
        }
        cells.into_iter().collect::<Vec<_>>()
    };
    let numbers =
        |of: fn(&super::visual::Square) -> i64| squares.iter().map(of).collect::<Vec<_>>();
    let length = |span: (i64, i64)| span.1 - span.0;
    // The wrong law: lengths up to 21 of which the longest is as long as 20.
    count(
        "rows",
        &numbers(|s| s.rows.1 - s.rows.0),
        &law(20, length),
        &law(21, length),
    );
    count(
        "columns",
        &numbers(|s| s.columns.1 - s.columns.0),
        &law(20, length),
        &law(21, length),
    );
    let tilted = |law: Vec<(i64, f64)>| -> Vec<(i64, f64)> {
        law.into_iter()
            .map(|(at, w)| (at, w * (1.0 + at as f64 / 400.0)))
            .collect()
    };
    // The wrong law: the last rows a quarter more likely than the first.
    let first = law(20, |span| span.0);
    count(
        "first row",
        &numbers(|s| s.rows.0),
        &first,
        &tilted(first.clone()),
    );
    count(
        "first column",
        &numbers(|s| s.columns.0),
        &first,
        &tilted(first.clone()),
    );
}

fn sounds(widths: Widths) -> Vec<Vec<Sound>> {
    let links = strong_sound([widths; 2]);
    let names = stream_names(&links);
    let steps = |sample| {
        let key = Key::new(12, sample, 0).child("a/1");
        let drawn = links.iter().zip(&names);
        drawn
            .map(|(link, name)| Sound::draw(link, &mut key.draws(name), 80, 201))
            .collect()
    };
    (0..N as u64).map(steps).collect()
}

/// One of two masks.
type Pick = fn(&(Mask, Mask)) -> Mask;

#[test]
fn masks_have_even_widths_and_starts_that_the_wider_one_bounds() {
    for (widths, widest) in [(Widths::Exclusive, [9, 19]), (Widths::Inclusive, [10, 20])] {
        let drawn = sounds(widths);
        for (link, length, widest) in [(2, 80, widest[0]), (3, 201, widest[1])] {
            let mut masks = Vec::new();
            for steps in &drawn {
                if let Sound::FreqMask(own) | Sound::TimeMask(own) = &steps[link] {
                    masks.push((own[0], own[1]));
                }
            }
            assert_eq!(masks.len(), N);
            let first = |pair: &(Mask, Mask)| pair.0;
            let second = |pair: &(Mask, Mask)| pair.1;
            let numbers: [Pick; 2] = [first, second];
            for number in numbers {
                let own: Vec<i64> = masks.iter().map(|m| number(m).width).collect();
                // The wrong law: narrow masks a fifth more likely than wide ones.
                let wrong: Vec<_> = (0..=widest)
                    .map(|w| (w, 1.2 - 0.2 * w as f64 / widest as f64))
                    .collect();
                count("width", &own, &even(0..=widest), &wrong);
                let law = |bound: fn(i64, i64) -> i64| {
                    let mut cells = vec![0.0; length as usize + 1];
                    for a in 0..=widest {
                        for b in 0..=widest {
                            let last = (length - bound(a, b)).max(1) - 1;
                            (0..=last).for_each(|at| cells[at as usize] += 1.0 / (last + 1) as f64);
                        }
                    }
                    (0i64..)
                        .zip(cells)
                        .filter(|cell| cell.1 > 0.0)
                        .collect::<Vec<_>>()
                };
                let starts: Vec<i64> = masks.iter().map(|m| number(m).start).collect();
                // The wrong law: each mask bounds its own start, or the narrower one does.
                count("start", &starts, &law(i64::max), &law(i64::min));
            }
        }
    }
}

#[test]
fn sound_is_as_loud_cut_and_warped_as_the_chain_says() {
    let drawn = sounds(Widths::Exclusive);
    let (mut gains, mut crops, mut warps) = (Vec::new(), Vec::new(), Vec::new());
    for step in drawn.iter().flatten() {
        match step {
            Sound::Gain(gain) => gains.push(*gain),
            Sound::RandomCrop(crop) => crops.push(*crop),
            Sound::TimeWarp(warp) => warps.push(warp.unwrap()),
            Sound::FreqMask(_) | Sound::TimeMask(_) => {}
        }
    }
    follow("gain", &gains, uniform(0.8, 1.2), uniform(0.8, 1.21));

    // Lengths cut off to whole ones, those beyond the canvas as long as the canvas.
    let lengths = |whole: i64, canvas: i64, most: f64| {
        let from = |length: i64| (length as f64 / whole as f64).clamp(0.6, most);
        let shortest = (0.6 * whole as f64) as i64;
        let weight = |length: i64| {
            if length == canvas {
                most - from(length)
            } else {
                from(length + 1) - from(length)
            }
        };
        (shortest..=canvas)
            .map(|length| (length, weight(length)))
            .collect::<Vec<_>>()
    };
    let heights: Vec<i64> = crops.iter().map(|c| c.height).collect();
    count(
        "height",
        &heights,
        &lengths(80, 80, 1.5),
        &lengths(80, 80, 1.45),
    );
    let widths: Vec<i64> = crops.iter().map(|c| c.width).collect();
    count(
        "width",
        &widths,
        &lengths(201, 301, 1.5),
        &lengths(201, 301, 1.54),
    );
    assert!(crops.iter().all(|c| c.canvas == (80, 301)));
    let starts = |canvas: i64, lengths: Vec<(i64, f64)>, centre: bool| {
        let mut cells = vec![0.0; canvas as usize];
        for (length, weight) in lengths {
            let last = canvas - length;
            // The wrong law: places in the outer hundredths of the canvas are never the first.
            let least = if centre { last / 50 } else { 0 };
            (least..=last).for_each(|at| cells[at as usize] += weight / (last - least + 1) as f64);
        }
        (0i64..).zip(cells).collect::<Vec<_>>()
    };
    let all = |lengths: Vec<(i64, f64)>, canvas| {
        let law = starts(canvas, lengths.clone(), false);
        (law, starts(canvas, lengths, true))
    };
    let (law, wrong) = all(lengths(201, 301, 1.5), 301);
    count(
        "left",
        &crops.iter().map(|c| c.left).collect::<Vec<_>>(),
        &law,
        &wrong,
    );
    let (law, _) = all(lengths(80, 80, 1.5), 80);
    // The wrong law: factors up to 1.4.
    let (wrong, _) = all(lengths(80, 80, 1.4), 80);
    count(
        "top",
        &crops.iter().map(|c| c.top).collect::<Vec<_>>(),
        &law,
        &wrong,
    );

    let from: Vec<i64> = warps.iter().map(|w| w.from).collect();
    let tilted: Vec<_> = (20..=180).map(|at| (at, 1.0 + at as f64 / 400.0)).collect();
    count("point", &from, &even(20..=180), &tilted);
    let moved: Vec<i64> = warps.iter().map(|w| w.to - w.from).collect();
    let tilted: Vec<_> = (-19..=20).map(|by| (by, 1.0 + by as f64 / 130.0)).collect();
    count("move", &moved, &even(-19..=20), &tilted);
}
