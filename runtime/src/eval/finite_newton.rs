//! The machines of [`liblinear`](super::liblinear) to the minimum itself, where the inner products of all training rows have room.
//!
//! LIBLINEAR stops at a gradient, and on features of trained networks at a cost of 1 it takes minutes and may not reach even that: the
//! curvature of P spans many orders of magnitude, and what is left moves decisions that are near each other. P is quadratic as long as the
//! same rows are within the margin. With these rows A, inner products K and sides y its minimum is
//!
//! ```text
//! w = sum_A a_i x_i,    (K_AA + I / 2C) a = y_A
//! ```
//!
//! Going there, as far as P falls, and doing so again with the rows that are then within the margin ends after a few steps at the
//! minimum: the modified finite Newton method of Keerthi and DeCoste, 2005.

use super::liblinear::{Rows, add, value as value_of};
use crate::error::Result;
use tch::Tensor;

/// Training rows up to which it is done: their inner products take 128 MiB, and a step a third of their cube of products.
pub const MOST_ROWS: usize = 4096;

/// Steps after which it ends in any case; it takes few.
const STEPS: usize = 50;
/// The share of the fall that the slope promises.
const FALLS: f64 = 1e-4;
const HALVINGS: usize = 40;

/// Inner products of training rows `[n, n]`, one row after the other.
#[derive(Clone, Debug)]
pub struct Products {
    values: Vec<f64>,
    count: usize,
}

impl Products {
    /// Those of the rows of a matrix `[n, width]`; `None` where these are too many.
    pub fn of(rows: &Tensor) -> Result<Option<Self>> {
        let count = rows.size()[0] as usize;
        if count > MOST_ROWS {
            return Ok(None);
        }
        let products = rows.f_matmul(&rows.f_transpose(0, 1)?)?;
        Ok(Some(Self {
            values: products.f_contiguous()?.f_flatten(0, -1)?.try_into()?,
            count,
        }))
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.count..][..self.count]
    }
}

/// Bytes that a step takes of so many rows: the products of those within the margin, a copy of them, and their factor.
pub fn bytes(rows: usize) -> usize {
    3 * 8 * rows * rows
}

/// The weights that minimise P at `cost`, from `start` or from zeros on; `None` where rounding hides the minimum.
pub fn minimum(
    products: &Products,
    train: Rows,
    members: &[bool],
    cost: f64,
    start: Option<&[f64]>,
) -> Result<Option<Vec<f64>>> {
    let sides: Vec<f64> = members
        .iter()
        .map(|is_member| if *is_member { 1.0 } else { -1.0 })
        .collect();
    let mut weights = start.map_or_else(|| vec![0.0; train.width], <[f64]>::to_vec);
    let mut scores: Vec<f64> = train.iter().map(|row| value_of(&weights, row)).collect();
    let mut active = within(&sides, &scores);
    for _ in 0..STEPS {
        let Some(factors) = solved(products, train.rows, &active, &sides, cost)? else {
            break;
        };
        let mut aim = vec![0.0; train.width];
        for (factor, at) in factors.iter().zip(&active) {
            let row = &train.values[train.rows[*at] * train.width..][..train.width];
            add(&mut aim, row, *factor);
        }
        let aimed: Vec<f64> = train.iter().map(|row| value_of(&aim, row)).collect();
        let next = within(&sides, &aimed);
        if next == active {
            return Ok(Some(aim));
        }
        let length = length((&weights, &aim), (&scores, &aimed), &sides, cost);
        if length == 0.0 {
            break;
        }
        let go = |from: &mut [f64], to: &[f64]| {
            for (from, to) in from.iter_mut().zip(to) {
                *from += length * (to - *from);
            }
        };
        go(&mut weights, &aim);
        go(&mut scores, &aimed);
        active = within(&sides, &scores);
    }
    Ok(None)
}

/// The rows within the margin.
fn within(sides: &[f64], scores: &[f64]) -> Vec<usize> {
    let both = sides.iter().zip(scores).enumerate();
    both.filter(|(_, (side, score))| **side * **score < 1.0)
        .map(|(at, _)| at)
        .collect()
}

/// What the rows within the margin count for; `None` where rounding leaves no positive definite matrix.
fn solved(
    products: &Products,
    rows: &[usize],
    active: &[usize],
    sides: &[f64],
    cost: f64,
) -> Result<Option<Vec<f64>>> {
    let count = active.len() as i64;
    if count == 0 {
        return Ok(Some(vec![]));
    }
    let mut matrix = Vec::with_capacity(active.len() * active.len());
    for a in active {
        let own = products.row(rows[*a]);
        matrix.extend(active.iter().map(|b| {
            let diagonal = if a == b { 0.5 / cost } else { 0.0 };
            own[rows[*b]] + diagonal
        }));
    }
    let matrix = Tensor::from_slice(&matrix).f_view([count, count])?;
    let aims: Vec<f64> = active.iter().map(|at| sides[*at]).collect();
    let aims = Tensor::from_slice(&aims).f_view([count, 1])?;
    let (factor, info) = matrix.f_linalg_cholesky_ex(false, false)?;
    if info.int64_value(&[]) != 0 {
        return Ok(None);
    }
    let found = aims.f_cholesky_solve(&factor, false)?;
    Ok(Some(found.f_flatten(0, -1)?.try_into()?))
}

/// How far to go: 1, halved until P falls as its slope promises; 0 where it does not fall.
fn length(
    (weights, aim): (&[f64], &[f64]),
    (scores, aimed): (&[f64], &[f64]),
    sides: &[f64],
    cost: f64,
) -> f64 {
    let (own, across, ahead) = (
        value_of(weights, weights),
        value_of(weights, aim),
        value_of(aim, aim),
    );
    let value = |t: f64| {
        let norm = (1.0 - t) * (1.0 - t) * own + 2.0 * t * (1.0 - t) * across + t * t * ahead;
        let both = scores.iter().zip(aimed).zip(sides);
        let hinges = both.map(|((from, to), side)| {
            let hinge = (1.0 - side * (from + t * (to - from))).max(0.0);
            hinge * hinge
        });
        0.5 * norm + cost * hinges.sum::<f64>()
    };
    let both = scores.iter().zip(aimed).zip(sides);
    let steep = both.map(|((from, to), side)| {
        let hinge = (1.0 - side * from).max(0.0);
        -2.0 * cost * hinge * side * (to - from)
    });
    let slope = across - own + steep.sum::<f64>();
    let here = value(0.0);
    let mut length = 1.0;
    for _ in 0..HALVINGS {
        if value(length) <= here + FALLS * length * slope && slope < 0.0 {
            return length;
        }
        length *= 0.5;
    }
    0.0
}

#[cfg(test)]
mod tests {
    use crate::augment::Key;
    use crate::eval::liblinear::{self, Problem, Rows, Space, TOLERANCE};
    use std::sync::atomic::AtomicBool;

    /// Features as a trained network has them: large values that all rows share, and differences of many orders of magnitude.
    #[test]
    fn decisions_are_those_of_the_minimum_where_liblinear_stops_short() {
        let (rows, width) = (90, 200);
        let mut draws = Key::at(3, "rows").stream();
        let shared: Vec<f64> = (0..width).map(|_| 30.0 * draws.normal().abs()).collect();
        let mut values: Vec<f32> = vec![];
        for _ in 0..rows {
            for (at, shared) in shared.iter().enumerate() {
                let scale = 10.0_f64.powf(1.0 - 4.0 * at as f64 / width as f64);
                values.push((shared + scale * draws.normal()) as f32);
            }
        }
        let classes: Vec<u32> = (0..rows as u32).map(|row| row % 3).collect();
        let all: Vec<usize> = (0..rows).collect();
        let space = Space::new(&values, &values, width).unwrap();
        let of = |values| Rows {
            values,
            width: space.width,
            rows: &all,
        };
        let decide = |products| {
            let problem = Problem {
                train: of(&space.train),
                classes_of_rows: &classes,
                classes: 3,
                test: of(&space.test),
                costs: &[0.001, 1.0],
                products,
            };
            let never = AtomicBool::new(false);
            let found = liblinear::decide(&[problem], 1, &mut |_, _| (), &never);
            found.unwrap().swap_remove(0)
        };
        let begun = decide(None);
        let finished = decide(space.products.as_ref());
        assert!(finished.residual < 1e-9, "{}", finished.residual);
        assert!(begun.residual > 1e-6, "{}", begun.residual);
        assert!(begun.residual <= 1.001 * TOLERANCE || begun.unconverged > 0);
        // What was left moves decisions by half a margin.
        let (a, b) = (&begun.values[1][0], &finished.values[1][0]);
        let moved = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        let moved = moved.fold(0.0, f64::max);
        assert!((0.1..1.0).contains(&moved), "{moved}");
    }
}
