//! From features to the plane: principal components, and t-SNE.
//!
//! t-SNE is that of van der Maaten (2014), with Barnes and Hut's approximation and three times the perplexity of nearest neighbours. It
//! runs on one thread: sums of several come out otherwise from run to run. Where it starts is a function of features and seed.

use crate::augment::Key;
use crate::error::{Error, Result};
use bhtsne::{Neighbor, SparseAffinities, tSNE};
use rayon::ThreadPoolBuilder;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use tch::{Device, Kind, Tensor};

/// Numbers of the largest matrix of distances that is made at once: 256 MiB of them.
const NUMBERS: i64 = 1 << 25;
/// The accuracy of forces between points far apart, as in scikit-learn.
pub(super) const THETA: f64 = 0.5;
/// Steps of the optimisation, as in scikit-learn.
pub(super) const STEPS: usize = 1000;
/// How much stronger points attract one another in the first quarter of them.
const EXAGGERATION: f64 = 12.0;
/// The deviation of the first coordinate at the start.
const START: f64 = 1e-4;

/// Points of a plane, and how well they show what they are of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Points {
    /// One for each row.
    pub places: Vec<[f64; 2]>,
    /// Of principal components, the share of the variance along each.
    pub shares: Option<[f64; 2]>,
    /// Of t-SNE, the divergence that is left.
    pub divergence: Option<f64>,
}

/// The rows `[n, D]`, float64, along the two directions in which they vary most. Each direction is turned so that its largest
/// component is positive, as in scikit-learn.
///
/// # Errors
/// What libtorch says.
pub(super) fn pca(rows: &Tensor) -> Result<Points> {
    let (n, width) = rows.size2()?;
    let centred = rows.f_sub(&rows.mean_dim([0].as_slice(), true, None))?;
    let all = centred.square().sum(Kind::Double).double_value(&[]);
    // The smaller one of two matrices that have the same values.
    let (values, directions) = match n <= width {
        true => {
            let (values, vectors) = centred.f_matmul(&centred.tr())?.f_linalg_eigh("L")?;
            (values, centred.tr().f_matmul(&last_two(&vectors))?)
        }
        false => {
            let (values, vectors) = centred.tr().f_matmul(&centred)?.f_linalg_eigh("L")?;
            (values, last_two(&vectors))
        }
    };
    let norms = directions.f_norm_scalaropt_dim(2.0, [0].as_slice(), true)?;
    let directions = directions.f_div(&norms.clamp_min(f64::MIN_POSITIVE))?;
    let largest = directions.abs().argmax(0, true);
    let signs = directions.gather(0, &largest, false).sign();
    let coordinates = centred.f_matmul(&directions)?.f_mul(&signs)?;
    let last = values.size1()? - 1;
    let share = |at: i64| match last >= at {
        true => (values.double_value(&[last - at]) / all).max(0.0),
        false => 0.0,
    };
    let shares = [share(0), share(1)];
    let mut places = pairs(&coordinates)?;
    if shares[1] < 1e-12 {
        // Of rows on a line the second direction is rounding.
        places.iter_mut().for_each(|[_, y]| *y = 0.0);
    }
    Ok(Points {
        places,
        shares: Some(shares),
        divergence: None,
    })
}

/// The last columns of a matrix, the last one first; where there is one alone, with zeros beside it.
fn last_two(vectors: &Tensor) -> Tensor {
    let columns = vectors.size()[1];
    let last = vectors
        .narrow(1, (columns - 2).max(0), columns.min(2))
        .flip([1]);
    match columns {
        1 => Tensor::cat(&[&last, &last.zeros_like()], 1),
        _ => last,
    }
}

/// The rows of `[n, 2]`.
fn pairs(coordinates: &Tensor) -> Result<Vec<[f64; 2]>> {
    let flat: Vec<f64> = coordinates.contiguous().view([-1]).try_into()?;
    Ok(flat.as_chunks::<2>().0.to_vec())
}

/// How t-SNE is told how far it is, and told to stop.
pub(super) struct Hears<'a> {
    pub progress: &'a mut dyn FnMut(u64, u64, &'static str),
    pub stop: &'a AtomicBool,
}

/// The rows `[n, D]`, float64, in a plane where near ones stay near: t-SNE on Euclidean distances. It starts at the first two principal
/// components, made small, as scikit-learn does, and moves equal rows apart by the seed.
///
/// `perplexity` is at most (n - 1) / 3 and at least 1 / 3: whoever calls has looked.
///
/// # Errors
/// [`Error::Interrupted`]; what libtorch says.
pub(super) fn tsne(
    rows: &Tensor,
    perplexity: f64,
    seed: u64,
    hears: &mut Hears<'_>,
) -> Result<Points> {
    let n = rows.size()[0];
    let near = neighbours(rows, (3.0 * perplexity) as i64, hears.stop)?;
    let start = pca(rows)?.places;
    let deviation = (start.iter().map(|[x, _]| x * x).sum::<f64>() / n as f64).sqrt();
    let mut noise = Key::at(seed, "drawn/tsne").stream();
    let mut place = |value: &f64| {
        START * (single(value / deviation.max(f64::MIN_POSITIVE)) + 0.01 * noise.normal())
    };
    let start: Vec<f64> = start.as_flattened().iter().map(&mut place).collect();
    let pool = ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|cause| Error::Unsupported {
        message: format!("t-SNE cannot start its thread: {cause}"),
    })?;
    let (tell, told) = mpsc::channel();
    let stop = hears.stop;
    let fit = move || {
        // What the rows are does not matter any more: their neighbours are known.
        let rows = vec![(); n as usize];
        let mut plane: tSNE<f64, ()> = tSNE::new(&rows);
        plane
            .perplexity(perplexity)
            .epochs(STEPS)
            .stop_lying_epoch(STEPS / 4)
            .momentum_switch_epoch(STEPS / 4)
            .early_exaggeration(EXAGGERATION)
            // That of scikit-learn, whose gradient is four times as long.
            .learning_rate((n as f64 / EXAGGERATION).max(200.0))
            .initial_embedding(start)
            .epoch_callback(move |step, _| {
                if stop.load(Ordering::Relaxed) {
                    // There is no other way out of the loop.
                    resume_unwind(Box::new(Stopped));
                }
                // Who hears it may have gone.
                let _ = tell.send(step);
            });
        plane.barnes_hut_with_neighbors(THETA, &near);
        let places = plane.embedding();
        let near = plane.affinities();
        let left = near.map(|near| divergence(&near, places.as_chunks::<2>().0));
        (places, left)
    };
    let ended = std::thread::scope(|scope| {
        let fit = scope.spawn(|| pool.install(fit));
        for step in told {
            (hears.progress)(step as u64 + 1, STEPS as u64, "steps of t-SNE");
        }
        fit.join()
    });
    match ended {
        Ok((places, divergence)) => Ok(Points {
            places: places.as_chunks::<2>().0.to_vec(),
            shares: None,
            divergence,
        }),
        Err(payload) if payload.is::<Stopped>() => Err(Error::Interrupted),
        Err(payload) => resume_unwind(payload),
    }
}

/// The divergence of Kullback and Leibler of these places from what they show: p ln (p / q) over all pairs of neighbours, where q is
/// 1 / (1 + |x - y|^2) over its sum over all pairs.
fn divergence(near: &SparseAffinities<f64>, places: &[[f64; 2]]) -> f64 {
    let kernel = |a: usize, b: usize| {
        let ([ax, ay], [bx, by]) = (places[a], places[b]);
        1.0 / (1.0 + (ax - bx).powi(2) + (ay - by).powi(2))
    };
    let all = |a: usize| (0..a).map(|b| kernel(a, b)).sum::<f64>();
    let sum = 2.0 * (0..places.len()).map(all).sum::<f64>();
    let rows = near.rows().windows(2).enumerate();
    let pairs = rows.flat_map(|(a, ends)| (ends[0]..ends[1]).map(move |at| (a, at)));
    let left = pairs.map(|(a, at)| {
        let (p, q) = (
            near.values()[at],
            kernel(a, near.columns()[at] as usize) / sum,
        );
        if p > 0.0 { p * (p / q).ln() } else { 0.0 }
    });
    left.sum()
}

/// A number without the bits that depend on how many threads have added it up: t-SNE makes another plane of each of them.
fn single(value: f64) -> f64 {
    f64::from(value as f32)
}

/// What unwinds a fit that is to end.
struct Stopped;

/// The `count` rows nearest to each, at most as many as there are others, by their Euclidean distances.
fn neighbours(rows: &Tensor, count: i64, stop: &AtomicBool) -> Result<Vec<Vec<Neighbor<f64>>>> {
    let (n, _) = rows.size2()?;
    let count = count.clamp(1, n - 1);
    let squares = rows.square().sum_dim_intlist([1].as_slice(), false, None);
    let mut near = vec![];
    for first in (0..n).step_by((NUMBERS / n).max(1) as usize) {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let some = (NUMBERS / n).max(1).min(n - first);
        let block = rows.narrow(0, first, some);
        let products = block.f_matmul(&rows.tr())?;
        let own = squares.narrow(0, first, some).unsqueeze(1);
        let mut distances = (own + &squares - products * 2.0).clamp_min(0.0);
        // None is its own neighbour.
        let at = Tensor::arange_start(first, first + some, (Kind::Int64, Device::Cpu));
        let _ = distances.f_scatter_value_(1, &at.unsqueeze(1), f64::INFINITY)?;
        let (distances, indices) = distances.f_topk(count, 1, false, true)?;
        let distances: Vec<f64> = distances.sqrt().view([-1]).try_into()?;
        let indices: Vec<i64> = indices.contiguous().view([-1]).try_into()?;
        let found = indices
            .iter()
            .zip(distances)
            .map(|(index, distance)| Neighbor {
                index: *index as usize,
                distance: single(distance),
            });
        let found: Vec<_> = found.collect();
        near.extend(found.chunks(count as usize).map(<[_]>::to_vec));
    }
    Ok(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent(rows: &Tensor, perplexity: f64, seed: u64, stop: bool) -> Result<Points> {
        let mut hears = Hears {
            progress: &mut |_, _, _| (),
            stop: &AtomicBool::new(stop),
        };
        tsne(rows, perplexity, seed, &mut hears)
    }

    /// Of scikit-learn 1.9.1: `PCA(2, svd_solver="full").fit_transform`.
    #[test]
    fn principal_components_are_those_of_scikit_learn() {
        let rows = Tensor::from_slice2(&[
            [2.0, 0.0, 1.0],
            [0.0, 1.0, 1.0],
            [1.0, 3.0, 0.0],
            [4.0, 1.0, 2.0],
            [3.0, 2.0, -1.0],
        ]);
        let tall = [
            [0.641_235_970_003_993_6, -1.099_461_882_364_750_2],
            [-1.442_643_908_167_649_2, -1.496_254_842_674_459_7],
            [-1.647_551_688_534_036_9, 0.839_984_186_522_963_6],
            [2.368_873_642_617_861_4, -0.091_856_765_185_733_69],
            [0.080_085_984_079_831_67, 1.847_589_303_701_978_8],
        ];
        let wide = [
            [-0.032_908_130_081_914_38, -1.558_119_785_631_608],
            [-1.896_608_691_520_741_2, -1.678_506_825_061_196],
            [-2.356_066_775_417_078_8, 1.398_156_999_291_105_8],
            [3.696_545_408_360_251_4, -0.329_371_076_677_407_3],
            [0.589_038_188_659_481_5, 2.167_840_688_079_105],
        ];
        let more = Tensor::cat(&[&rows, &(rows.square() / 4.0), &rows.sin()], 1);
        for (rows, expected, share) in [(rows, tall, 0.530_627_83), (more, wide, 0.576_114_44)] {
            let found = pca(&rows).unwrap();
            let both = found
                .places
                .as_flattened()
                .iter()
                .zip(expected.as_flattened());
            assert!(
                both.into_iter().all(|(a, b)| (a - b).abs() < 1e-9),
                "{found:?}"
            );
            assert!((found.shares.unwrap()[0] - share).abs() < 1e-8);
        }
    }

    /// Three groups of ten, far from one another.
    fn groups() -> Tensor {
        let mut noise = Key::at(1, "groups").stream();
        let value = |at: usize| {
            if at % 5 == at / 50 {
                9.0
            } else {
                noise.normal()
            }
        };
        let values: Vec<f64> = (0..150).map(value).collect();
        Tensor::from_slice(&values).view([30, 5])
    }

    #[test]
    fn near_rows_stay_near() {
        let found = silent(&groups(), 5.0, 3, false).unwrap();
        let apart = |a: usize, b: usize| {
            let ([ax, ay], [bx, by]) = (found.places[a], found.places[b]);
            ((ax - bx).powi(2) + (ay - by).powi(2)).sqrt()
        };
        for a in 0..30 {
            let own = (0..30).filter(|b| *b != a && b / 10 == a / 10);
            let others = (0..30).filter(|b| b / 10 != a / 10);
            let nearest = others.map(|b| apart(a, b)).fold(f64::INFINITY, f64::min);
            assert!(
                own.map(|b| apart(a, b)).all(|own| own < nearest),
                "{found:?}"
            );
        }
        assert!(found.divergence.is_some_and(|left| left < 1.0), "{found:?}");
        // The same again to the last bit, whatever else runs; the seed decides the rest.
        assert_eq!(silent(&groups(), 5.0, 3, false).unwrap(), found);
        assert_ne!(silent(&groups(), 5.0, 4, false).unwrap(), found);
    }

    #[test]
    fn equal_rows_and_lines_are_drawn_too() {
        let line: Vec<f64> = (0..12).map(|at| f64::from(at / 2)).collect();
        let line = Tensor::from_slice(&line).view([12, 1]);
        let found = silent(&line, 3.0, 1, false).unwrap();
        assert!(
            found
                .places
                .as_flattened()
                .iter()
                .all(|value| value.is_finite()),
            "{found:?}"
        );
        let shares = pca(&line).unwrap().shares.unwrap();
        assert!((shares[0] - 1.0).abs() < 1e-12 && shares[1] == 0.0);
    }

    #[test]
    fn it_stops_when_it_is_told_to() {
        let found = silent(&groups(), 5.0, 3, true);
        assert!(matches!(found, Err(Error::Interrupted)), "{found:?}");
        let stop = AtomicBool::new(false);
        let mut hears = Hears {
            progress: &mut |done, _, _| stop.store(done > 2, Ordering::Relaxed),
            stop: &stop,
        };
        let found = tsne(&groups(), 5.0, 3, &mut hears);
        assert!(matches!(found, Err(Error::Interrupted)), "{found:?}");
    }
}
