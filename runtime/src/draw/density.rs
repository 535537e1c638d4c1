//! Kernel densities with Gaussian kernels and Silverman's bandwidth, as SciPy's `gaussian_kde(bw_method="silverman")`.
//!
//! The covariance of a kernel is that of the data, over n - 1, times the square of (n (d + 2) / 4)^(-1 / (d + 4)).

use std::f64::consts::{PI, TAU};

/// Cells that values on a line are counted in: about a hundredth of a bandwidth wide where there are millions of them.
const CELLS: usize = 1 << 15;

/// Values on a line, counted in narrow cells, so that millions of them take the room of few.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    low: f64,
    high: f64,
    cells: Vec<u64>,
    count: u64,
    mean: f64,
    // Sum of squared differences from the mean.
    squares: f64,
}

impl Spread {
    /// For values from `low` to `high`.
    pub fn new((low, high): (f64, f64)) -> Self {
        Self {
            low,
            high,
            cells: vec![0; CELLS],
            count: 0,
            mean: 0.0,
            squares: 0.0,
        }
    }

    /// Counts a value.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (value - self.mean);
        let share = (value - self.low) / (self.high - self.low);
        let cell = (share * CELLS as f64) as usize;
        self.cells[cell.min(CELLS - 1)] += 1;
    }

    /// From where to where they lie.
    pub fn range(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean; 0 without any.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The deviation of a kernel; `None` where there are not two different values.
    pub fn bandwidth(&self) -> Option<f64> {
        let n = self.count as f64;
        let variance = self.squares / (n - 1.0);
        let width = variance.sqrt() * (n * 3.0 / 4.0).powf(-0.2);
        (self.count > 1 && width > 0.0 && self.high > self.low).then_some(width)
    }

    /// The density at each of these places, all of it between these ends: what a kernel has beyond one is mirrored back, so that the
    /// whole stays 1. `None` as [`Spread::bandwidth`].
    pub fn density(&self, places: &[f64], ends: (f64, f64)) -> Option<Vec<f64>> {
        let width = self.bandwidth()?;
        let cell = (self.high - self.low) / CELLS as f64;
        let filled: Vec<(f64, f64)> = (0..CELLS)
            .filter(|at| self.cells[*at] > 0)
            .map(|at| (self.low + (at as f64 + 0.5) * cell, self.cells[at] as f64))
            .collect();
        let scale = 1.0 / (self.count as f64 * width * TAU.sqrt());
        let at = |place: f64| {
            let one = |(value, count): &(f64, f64)| {
                count * (-0.5 * ((place - value) / width).powi(2)).exp()
            };
            scale * filled.iter().map(one).sum::<f64>()
        };
        let mirrored = |place: &f64| {
            let beyond = [2.0 * ends.0 - place, 2.0 * ends.1 - place];
            at(*place) + beyond.into_iter().map(at).sum::<f64>()
        };
        Some(places.iter().map(mirrored).collect())
    }
}

/// A density at places of a plane.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plane {
    /// Where its columns lie.
    pub xs: Vec<f64>,
    /// Where its rows lie.
    pub ys: Vec<f64>,
    /// Row after row.
    pub values: Vec<f64>,
}

impl Plane {
    /// The density of these points at `count` places along each side of a box that holds all of it: it reaches three deviations of a kernel
    /// beyond the outermost points. `None` as [`Plane::of`].
    pub fn around(points: &[[f64; 2]], count: usize) -> Option<Self> {
        let [xx, _, yy] = kernel(points)?;
        let side = |axis: usize, variance: f64| {
            let (low, high) = range(points.iter().map(|point| point[axis]));
            let room = 3.0 * variance.sqrt();
            places((low - room, high + room), count)
        };
        Self::of(points, side(0, xx), side(1, yy))
    }

    /// The density of these points; `None` where they do not span a plane.
    pub fn of(points: &[[f64; 2]], xs: Vec<f64>, ys: Vec<f64>) -> Option<Self> {
        let [xx, xy, yy] = kernel(points)?;
        let determinant = xx * yy - xy * xy;
        let scale = 1.0 / (points.len() as f64 * 2.0 * PI * determinant.sqrt());
        let at = |x: f64, y: f64| {
            let one = |[px, py]: &[f64; 2]| {
                let (dx, dy) = (x - px, y - py);
                let power = (yy * dx * dx - 2.0 * xy * dx * dy + xx * dy * dy) / determinant;
                (-0.5 * power).exp()
            };
            scale * points.iter().map(one).sum::<f64>()
        };
        let at = &at;
        let row = |y: &f64| {
            let y = *y;
            xs.iter().map(move |x| at(*x, y))
        };
        let values = ys.iter().flat_map(row).collect();
        Some(Self { xs, ys, values })
    }

    /// The density above which this share of the whole lies.
    pub fn level(&self, share: f64) -> f64 {
        let mut values = self.values.clone();
        values.sort_by(|a, b| b.total_cmp(a));
        let all: f64 = values.iter().sum();
        let mut sum = 0.0;
        let found = values.iter().find(|value| {
            sum += **value;
            sum >= share * all
        });
        found.copied().unwrap_or(0.0)
    }
}

/// The covariance of the kernel of these points, as xx, xy and yy; `None` where they do not span a plane.
fn kernel(points: &[[f64; 2]]) -> Option<[f64; 3]> {
    let n = points.len() as f64;
    let mean = |axis: usize| points.iter().map(|point| point[axis]).sum::<f64>() / n;
    let (mx, my) = (mean(0), mean(1));
    let factor = n.powf(-1.0 / 6.0).powi(2);
    let moment = |f: fn(f64, f64) -> f64| {
        factor * points.iter().map(|[x, y]| f(x - mx, y - my)).sum::<f64>() / (n - 1.0)
    };
    let (xx, xy, yy) = (
        moment(|x, _| x * x),
        moment(|x, y| x * y),
        moment(|_, y| y * y),
    );
    let determinant = xx * yy - xy * xy;
    let is_plane = points.len() > 2 && determinant > 1e-12 * xx * yy && determinant.is_finite();
    is_plane.then_some([xx, xy, yy])
}

/// The least and the greatest of these.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

/// So many places from `low` to `high`, both included.
pub(super) fn places((low, high): (f64, f64), count: usize) -> Vec<f64> {
    let step = (high - low) / (count.max(2) - 1) as f64;
    (0..count).map(|at| low + step * at as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYWHERE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

    fn is_near(found: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(found.len(), expected.len());
        let is_off = |(a, b): (&f64, &f64)| (a - b).abs() > tolerance * b.abs();
        assert!(!found.iter().zip(expected).any(is_off), "{found:?}");
    }

    /// Of SciPy 1.17.1: `gaussian_kde(values, bw_method="silverman")`.
    #[test]
    fn densities_are_those_of_scipy() {
        let values = [0.1, 0.15, 0.4, 0.42, 0.43, 0.8, -0.3];
        let mut spread = Spread::new((-0.3, 0.8));
        values.iter().for_each(|value| spread.add(*value));
        let width = spread.bandwidth().unwrap();
        assert!((width - 0.247_312_325_094_863_03).abs() < 1e-12);
        let expected = [
            0.186_335_890_530_683,
            0.683_354_946_722_979_6,
            1.004_064_463_486_723_7,
            0.210_167_562_290_137_64,
        ];
        let found = spread.density(&[-0.5, 0.0, 0.4, 1.0], EVERYWHERE).unwrap();
        is_near(&found, &expected, 1e-4);

        let points = [
            [0.0, 0.0],
            [1.0, 0.5],
            [2.0, 0.25],
            [0.5, -1.0],
            [1.5, 2.0],
            [-1.0, 0.75],
        ];
        let plane = Plane::of(&points, vec![0.0, 1.0, -1.0, 3.0], vec![0.0, 1.0, 2.0, 0.5]);
        let values = plane.unwrap().values;
        let expected = [
            0.088_990_505_067_565_67,
            0.076_536_706_138_663_63,
            0.010_567_520_855_183_234,
            0.023_518_109_164_608_027,
        ];
        is_near(
            &[values[0], values[5], values[10], values[15]],
            &expected,
            1e-12,
        );
    }

    /// Without the mirrors 0.6 of it would lie between the ends.
    #[test]
    fn all_of_a_density_lies_between_its_ends() {
        let mut spread = Spread::new((-1.0, 1.0));
        for value in [-1.0, -0.9, 0.2, 0.9, 0.95, 1.0, 1.0] {
            spread.add(value);
        }
        let whole = |from: f64, to: f64, ends| {
            let places = places((from, to), 4001);
            let found = spread.density(&places, ends).unwrap();
            let inner: f64 = found[1..4000].iter().sum();
            (inner + 0.5 * (found[0] + found[4000])) * (to - from) / 4000.0
        };
        assert!((whole(-1.0, 1.0, (-1.0, 1.0)) - 1.0).abs() < 2e-3);
        assert!(whole(-1.0, 1.0, EVERYWHERE) < 0.7);
        assert!((whole(-9.0, 9.0, EVERYWHERE) - 1.0).abs() < 1e-4);
    }

    #[test]
    fn what_does_not_vary_has_no_density() {
        let mut spread = Spread::new((0.5, 0.5));
        assert_eq!(spread.density(&[0.5], EVERYWHERE), None);
        (0..3).for_each(|_| spread.add(0.5));
        assert_eq!((spread.count(), spread.mean()), (3, 0.5));
        assert_eq!(spread.density(&[0.5], EVERYWHERE), None);
        let line = [[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]];
        assert_eq!(Plane::of(&line, vec![0.0], vec![0.0]), None);
        assert_eq!(Plane::around(&line, 9), None);
        assert_eq!(places((0.0, 1.0), 5), [0.0, 0.25, 0.5, 0.75, 1.0]);
    }

    #[test]
    fn a_box_holds_all_of_a_density() {
        let points = [[0.0, 0.0], [10.0, 1.0], [4.0, -3.0], [-2.0, 8.0]];
        let plane = Plane::around(&points, 121).unwrap();
        let step = |of: &[f64]| of[1] - of[0];
        let whole = plane.values.iter().sum::<f64>() * step(&plane.xs) * step(&plane.ys);
        assert!((whole - 1.0).abs() < 2e-3, "{whole}");
        let most = plane.level(0.95);
        let is_edge = |at: &usize| {
            let (x, y) = (at % 121, at / 121);
            x == 0 || y == 0 || x == 120 || y == 120
        };
        let mut edge = (0..plane.values.len()).filter(is_edge);
        assert!(edge.all(|at| plane.values[at] < most));
    }

    #[test]
    fn a_level_holds_its_share() {
        let plane = Plane {
            xs: places((0.0, 1.0), 2),
            ys: places((0.0, 1.0), 2),
            values: vec![1.0, 5.0, 3.0, 1.0],
        };
        assert_eq!(
            [0.4, 0.6, 0.95].map(|share| plane.level(share)),
            [5.0, 3.0, 1.0]
        );
    }
}
