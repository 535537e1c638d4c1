//! The linear SVM of [`liblinear`](super::liblinear) where its copies of the rows would not fit, or on a GPU: the same machines from passes
//! over the features as they lie.
//!
//! All classes are fitted at once. A step of Newton's method for machine k solves `H d = -g` by conjugate gradients, where
//!
//! ```text
//! g = w - 2 C sum over A of y_i (1 - y_i <w, x_i>) x_i        H v = v + 2 C sum over A of <v, x_i> x_i
//! ```
//!
//! and A are the rows with a positive hinge (Keerthi and DeCoste 2005), and goes along d until P has fallen enough. Both sums are products of
//! matrices for all machines together, chunk by chunk of the rows, in float64. It ends where LIBLINEAR does: the norm of g below
//! [`TOLERANCE`] times the share of the rarer side, relative to that at zero weights. Each cost begins at the solution of the one before.

use super::feature_set::Features;
use super::liblinear::{Decisions, TOLERANCE};
use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use tch::{Device, Kind, Tensor};

/// The name of the solver, as `result.json` has it.
pub const SOLVER: &str = "Newton with conjugate gradients, primal, all classes at once";

/// Numbers of the largest chunk of rows: 256 MiB of them.
const NUMBERS: usize = 1 << 25;
/// Steps of Newton's method and of conjugate gradients, as LIBLINEAR has them.
const STEPS: usize = 1000;
const INNER: usize = 250;
/// How far the system is solved in each step, relative to the gradient.
const SOLVED: f64 = 0.1;
/// What P must fall by, of what its slope promises.
const FALLS: f64 = 0.01;
/// Halvings of a step.
const HALVINGS: usize = 40;

/// Rows of features.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Whose rows.
    pub features: &'a Features,
    /// Values of a row.
    pub width: usize,
    /// Which, in order.
    pub rows: &'a [usize],
}

impl Rows<'_> {
    /// The rows chunk by chunk as float64 `[n, width + 1]` with a last column of ones, and where each chunk begins.
    fn each(self, device: Device, mut work: impl FnMut(i64, &Tensor) -> Result<()>) -> Result<()> {
        let mut begin = 0;
        for rows in self.rows.chunks((NUMBERS / (self.width + 1)).max(1)) {
            let chunk = self.features.matrix(rows, self.width, device)?;
            let chunk = chunk.f_to_kind(Kind::Double)?;
            let one = Tensor::f_ones([rows.len() as i64, 1], (Kind::Double, device))?;
            work(begin, &Tensor::f_cat(&[&chunk, &one], 1)?)?;
            begin += rows.len() as i64;
        }
        Ok(())
    }

    /// `<w_k, x_i>` for each of these rows and machines `[K, width + 1]`: `[n, K]`.
    fn scores(self, machines: &Tensor) -> Result<Tensor> {
        let mut all = vec![];
        self.each(machines.device(), |_, chunk| {
            all.push(chunk.f_matmul(&machines.f_transpose(0, 1)?)?);
            Ok(())
        })?;
        Ok(Tensor::f_cat(&all, 0)?)
    }

    /// `sum_i f_ik x_i` for factors `[n, K]`: `[K, width + 1]`.
    fn sums(self, factors: &Tensor) -> Result<Tensor> {
        let (_, machines) = factors.size2()?;
        let shape = [machines, self.width as i64 + 1];
        let mut sum = Tensor::f_zeros(shape, (Kind::Double, factors.device()))?;
        self.each(factors.device(), |begin, chunk| {
            let own = factors.f_narrow(0, begin, chunk.size()[0])?;
            sum = sum.f_addmm(&own.f_transpose(0, 1)?, chunk)?;
            Ok(())
        })?;
        Ok(sum)
    }

    /// `sum_i a_ik <v_k, x_i> x_i` for the rows that `active` `[n, K]` marks with 1: one pass for both products.
    fn curvature(self, active: &Tensor, v: &Tensor) -> Result<Tensor> {
        let mut sum = v.f_zeros_like()?;
        self.each(v.device(), |begin, chunk| {
            let own = active.f_narrow(0, begin, chunk.size()[0])?;
            let along = chunk.f_matmul(&v.f_transpose(0, 1)?)?.f_mul(&own)?;
            sum = sum.f_addmm(&along.f_transpose(0, 1)?, chunk)?;
            Ok(())
        })?;
        Ok(sum)
    }
}

/// One-vs-rest machines for each of the ascending `costs` on `train` with these `classes` (in `0..count`, each occurs), and what they say
/// of the rows `asked`. `progress` is called after each cost.
///
/// # Errors
/// What libtorch says; [`Error::Interrupted`] once `stop` is set.
pub fn decide(
    train: Rows,
    (classes, count): (&[u32], u32),
    asked: Rows,
    costs: &[f64],
    device: Device,
    (progress, stop): (&mut dyn FnMut(), &AtomicBool),
) -> Result<Decisions> {
    let sides = sides(classes, count, device)?;
    let goal = goals(classes, count, device)?;
    let shape = [i64::from(count), train.width as i64 + 1];
    let mut machines = Tensor::f_zeros(shape, (Kind::Double, device))?;
    let mut decisions = Decisions::default();
    for &cost in costs {
        let fitted = fit(train, &sides, cost, (machines, &goal), stop)?;
        machines = fitted.machines;
        let left: Vec<f64> = fitted.left.try_into()?;
        let goals: Vec<f64> = goal.shallow_clone().try_into()?;
        // As the tolerance is one.
        let left = left
            .iter()
            .zip(&goals)
            .map(|(left, goal)| left / goal * TOLERANCE);
        for left in left {
            decisions.fits += 1;
            decisions.unconverged += usize::from(left > 1.001 * TOLERANCE);
            decisions.residual = decisions.residual.max(left);
        }
        let values = asked.scores(&machines)?.f_transpose(0, 1)?;
        let values: Vec<f64> = values.f_contiguous()?.f_flatten(0, -1)?.try_into()?;
        let by_class = values.chunks(asked.rows.len().max(1)).map(<[f64]>::to_vec);
        decisions.values.push(by_class.collect());
        progress();
    }
    Ok(decisions)
}

/// 1 for the rows of each class and -1 for the others: `[n, K]`.
fn sides(classes: &[u32], count: u32, device: Device) -> Result<Tensor> {
    let classes: Vec<i64> = classes.iter().copied().map(i64::from).collect();
    let own = Tensor::from_slice(&classes).f_one_hot(i64::from(count))?;
    let own = own.f_to_kind(Kind::Double)?.f_to_device(device)?;
    Ok(own.f_mul_scalar(2.0)?.f_sub_scalar(1.0)?)
}

/// The norm of the gradient at which the fit of each class ends, relative to that at zero weights: `[K]`.
fn goals(classes: &[u32], count: u32, device: Device) -> Result<Tensor> {
    let goal = |class: u32| {
        let own = classes.iter().filter(|of| **of == class).count();
        let rare = own.min(classes.len() - own).max(1);
        TOLERANCE * rare as f64 / classes.len() as f64
    };
    let goals: Vec<f64> = (0..count).map(goal).collect();
    Ok(Tensor::from_slice(&goals).f_to_device(device)?)
}

/// The end of a fit.
struct Fitted {
    machines: Tensor,
    /// The norm of each machine's gradient relative to that at zero weights: `[K]`.
    left: Tensor,
}

/// The machines that minimise P at one cost, from `machines` on.
fn fit(
    train: Rows,
    sides: &Tensor,
    cost: f64,
    (mut machines, goal): (Tensor, &Tensor),
    stop: &AtomicBool,
) -> Result<Fitted> {
    let by_machine = |of: &Tensor| of.f_sum_dim_intlist([1].as_slice(), true, None);
    let norm = |of: &Tensor| of.f_norm_scalaropt_dim(2.0, [1].as_slice(), true);
    // At zero weights all rows have a hinge of 1.
    let at_zero = norm(&train.sums(&sides.f_mul_scalar(-2.0 * cost)?)?)?;
    let at_zero = at_zero.f_clamp_min(f64::MIN_POSITIVE)?;
    let goal = goal.f_unsqueeze(1)?;
    let mut scores = train.scores(&machines)?;
    let mut left = at_zero.f_zeros_like()?;
    for _ in 0..STEPS {
        let hinge = hinges(sides, &scores)?;
        let pull = train.sums(&hinge.f_mul(sides)?.f_mul_scalar(-2.0 * cost)?)?;
        let gradient = machines.f_add(&pull)?;
        left = norm(&gradient)?.f_div(&at_zero)?;
        let goes_on = left.f_gt_tensor(&goal)?;
        if goes_on.f_any()?.int64_value(&[]) == 0 {
            break;
        }
        let active = hinge.f_gt(0.0)?.f_to_kind(Kind::Double)?;
        let goes_on = goes_on.f_to_kind(Kind::Double)?;
        let along = direction(train, &active, cost, &gradient.f_mul(&goes_on)?, stop)?;
        let slope = by_machine(&gradient.f_mul(&along)?)?;
        let towards = train.scores(&along)?;
        let lengths = lengths(
            (sides, &scores, &towards),
            (&machines, &along),
            &slope,
            cost,
        )?;
        machines = machines.f_add(&along.f_mul(&lengths)?)?;
        scores = scores.f_add(&towards.f_mul(&lengths.f_transpose(0, 1)?)?)?;
        if lengths.f_max()?.double_value(&[]) == 0.0 {
            break;
        }
    }
    Ok(Fitted {
        machines,
        left: left.f_flatten(0, -1)?,
    })
}

/// `max(0, 1 - y s)`.
fn hinges(sides: &Tensor, scores: &Tensor) -> Result<Tensor> {
    let margins = sides.f_mul(scores)?.f_neg()?.f_add_scalar(1.0)?;
    Ok(margins.f_clamp_min(0.0)?)
}

/// Solves `H d = -g` for each machine by conjugate gradients, as far as [`SOLVED`].
fn direction(
    train: Rows,
    active: &Tensor,
    cost: f64,
    gradient: &Tensor,
    stop: &AtomicBool,
) -> Result<Tensor> {
    let dot = |a: &Tensor, b: &Tensor| a.f_mul(b)?.f_sum_dim_intlist([1].as_slice(), true, None);
    let mut found = gradient.f_zeros_like()?;
    let mut rest = gradient.f_neg()?;
    let mut way = rest.f_clone(&rest)?;
    let mut square = dot(&rest, &rest)?;
    let enough = square.f_mul_scalar(SOLVED * SOLVED)?;
    for _ in 0..INNER {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let goes_on = square.f_gt_tensor(&enough)?.f_to_kind(Kind::Double)?;
        if goes_on.f_max()?.double_value(&[]) == 0.0 {
            break;
        }
        let curved = train.curvature(active, &way)?;
        let curved = way.f_add(&curved.f_mul_scalar(2.0 * cost)?)?;
        let bend = dot(&way, &curved)?.f_clamp_min(f64::MIN_POSITIVE)?;
        let length = square.f_div(&bend)?.f_mul(&goes_on)?;
        found = found.f_add(&way.f_mul(&length)?)?;
        rest = rest.f_sub(&curved.f_mul(&length)?)?;
        let next = dot(&rest, &rest)?;
        let turn = next.f_div(&square.f_clamp_min(f64::MIN_POSITIVE)?)?;
        way = rest.f_add(&way.f_mul(&turn)?)?;
        square = next;
    }
    Ok(found)
}

/// How far each machine goes: 1, halved until P falls as its slope promises; 0 where it does not.
fn lengths(
    (sides, scores, towards): (&Tensor, &Tensor, &Tensor),
    (machines, along): (&Tensor, &Tensor),
    slope: &Tensor,
    cost: f64,
) -> Result<Tensor> {
    // P at `w + t d`, up to what it is made of that does not depend on t: `[K, 1]`.
    let square = |of: &Tensor| of.f_mul(of)?.f_sum_dim_intlist([1].as_slice(), true, None);
    let across = machines
        .f_mul(along)?
        .f_sum_dim_intlist([1].as_slice(), true, None)?;
    let (own, ahead) = (square(machines)?, square(along)?);
    let value = |lengths: &Tensor| -> Result<Tensor> {
        let hinge = hinges(
            sides,
            &scores.f_add(&towards.f_mul(&lengths.f_transpose(0, 1)?)?)?,
        )?;
        let loss = hinge
            .f_mul(&hinge)?
            .f_sum_dim_intlist([0].as_slice(), true, None)?;
        let loss = loss.f_transpose(0, 1)?.f_mul_scalar(cost)?;
        let squares = ahead.f_mul(lengths)?.f_mul(lengths)?;
        let twice = across.f_mul(lengths)?.f_mul_scalar(2.0)?;
        let norm = own.f_add(&twice)?.f_add(&squares)?.f_mul_scalar(0.5)?;
        Ok(norm.f_add(&loss)?)
    };
    let mut lengths = slope.f_ones_like()?;
    let here = value(&slope.f_zeros_like()?)?;
    for _ in 0..HALVINGS {
        let promised = slope.f_mul(&lengths)?.f_mul_scalar(FALLS)?;
        let is_short = value(&lengths)?.f_gt_tensor(&here.f_add(&promised)?)?;
        if is_short.f_any()?.int64_value(&[]) == 0 {
            return Ok(lengths);
        }
        let half = is_short
            .f_to_kind(Kind::Double)?
            .f_mul_scalar(-0.5)?
            .f_add_scalar(1.0)?;
        lengths = lengths.f_mul(&half)?;
    }
    let promised = slope.f_mul(&lengths)?.f_mul_scalar(FALLS)?;
    let falls = value(&lengths)?.f_le_tensor(&here.f_add(&promised)?)?;
    Ok(lengths.f_mul(&falls.f_to_kind(Kind::Double)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Key;
    use crate::eval::liblinear::{self, Problem, Space};

    /// Sixty rows of five features around the corners of three classes, half of them with noise that mixes these.
    fn rows() -> (Features, Vec<u32>) {
        let mut draws = Key::at(5, "rows").stream();
        let classes: Vec<u32> = (0..60).map(|row| row % 3).collect();
        let value = |(row, at): (usize, usize)| {
            let corner = if at as u32 == classes[row] { 1.0 } else { 0.0 };
            corner + (0.3 + 0.7 * (row % 2) as f64) * draws.normal()
        };
        let all = (0..60).flat_map(|row| (0..5).map(move |at| (row, at)));
        let values: Vec<f32> = all.map(value).map(|value| value as f32).collect();
        let features = Features {
            values: values.into(),
            samples: (0..60).collect(),
        };
        (features, classes)
    }

    #[test]
    fn machines_are_those_of_liblinear() {
        let (features, classes) = rows();
        let train: Vec<usize> = (0..40).collect();
        let asked: Vec<usize> = (40..60).collect();
        let costs = [0.001, 0.1, 10.0];
        let of = |rows| Rows {
            features: &features,
            width: 5,
            rows,
        };
        let never = AtomicBool::new(false);
        let found = decide(
            of(&train),
            (&classes[..40], 3),
            of(&asked),
            &costs,
            Device::Cpu,
            (&mut || (), &never),
        )
        .unwrap();
        assert_eq!(found.unconverged, 0);
        assert!(found.residual <= 1.001 * TOLERANCE, "{}", found.residual);

        let space = Space::new(&features.values, &features.values, 5).unwrap();
        let in_space = |values, rows| liblinear::Rows {
            values,
            width: space.width,
            rows,
        };
        let problem = Problem {
            train: in_space(&space.train, &train),
            classes_of_rows: &classes[..40],
            classes: 3,
            test: in_space(&space.test, &asked),
            costs: &costs,
            products: None,
        };
        let known = liblinear::decide(&[problem], 1, &mut |_, _| (), &never).unwrap();
        // P is strongly convex with modulus 1: both are off by at most what is left of the gradient, below 60 C at zero weights.
        for ((cost, found), known) in costs.iter().zip(&found.values).zip(&known[0].values) {
            for (found, known) in found.iter().flatten().zip(known.iter().flatten()) {
                let bound = 2.0 * TOLERANCE * 60.0 * cost * 4.0;
                assert!((found - known).abs() < bound, "{cost}: {found} {known}");
            }
        }
    }

    #[test]
    fn a_stop_ends_it() {
        let (features, classes) = rows();
        let all: Vec<usize> = (0..60).collect();
        let rows = Rows {
            features: &features,
            width: 5,
            rows: &all,
        };
        let ways: (&mut dyn FnMut(), &AtomicBool) = (&mut || (), &AtomicBool::new(true));
        let stopped = decide(rows, (&classes, 3), rows, &[1.0], Device::Cpu, ways);
        assert!(matches!(stopped, Err(Error::Interrupted)));
    }
}
