//! The linear SVM of the linear protocols: scikit-learn's `LinearSVC`, fitted by LIBLINEAR or, where rows are few, to the minimum itself.
//!
//! One-vs-rest. Each class k has a machine (w, b) that minimises
//!
//! ```text
//! P(w, b) = (|w|^2 + b^2) / 2 + C sum_i max(0, 1 - y_i (<w, x_i> + b))^2        y_i = 1 for class k, -1 for the others
//! ```
//!
//! so the penalty is L2, the hinge is squared, and the intercept is the weight of a feature that is always 1 and thus regularised
//! too. `LinearSVC` in the released code reaches this minimum through the dual (LIBLINEAR's solver 1); here the primal is
//! minimised by LIBLINEAR's trust-region Newton method (its solver 2). Both have the same minimum. The dual solver visits the
//! rows in an order drawn from the process-wide `rand()`, so its results would depend on what ran before and beside it, and on
//! features of the last convolution (norms of 40 to some 1000) it stops at its limit of 1000 rounds, short of the minimum:
//! on 3200 windows of ESC-10 at C = 1, at an objective of 12.2 where the primal solver reaches 11.7. The primal solver draws nothing.
//!
//! Costs are tried from the smallest to the largest, each fit starting from the solution before it.
//!
//! P depends on the rows through their inner products alone. Where there are fewer training rows than features, all rows are
//! therefore first expressed in an orthonormal basis of the training rows' span ([`Space`]): the same machines from a triangular
//! matrix, in an eighth of the time on 960 windows of 4608 features. Up to 4096 training rows, [`finite_newton`] finds the minimum
//! itself, and LIBLINEAR is asked where that does not end.

use super::finite_newton::{self, Products};
use crate::error::{Error, Result};
use crate::parallel::in_parallel;
use liblinear::util::TrainingInput;
use liblinear::{Builder, LibLinearModel, SolverType};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use tch::{Kind, Tensor};

/// The name of the solver, as `result.json` has it.
pub const SOLVER: &str = "LIBLINEAR L2R_L2LOSS_SVC (trust-region Newton, primal)";
/// The name of the solver where rows are few.
pub const EXACT: &str = "finite Newton (Keerthi and DeCoste 2005), to the minimum";

/// LIBLINEAR's tolerance. A fit ends where the norm of the gradient, divided by that at zero weights and by the share of the rarer side, is
/// below it.
pub const TOLERANCE: f64 = 1e-4;

/// Bytes that all fits under way may take at once; fewer run side by side where their rows are large.
const MEMORY: usize = 4 << 30;
/// Bytes of a value on its way into LIBLINEAR: it is copied three times, 16 bytes each.
const COPIES: usize = 48;

/// Whether the copies that are made of so many training and test rows of `features` values stay below 4 GiB each: of all rows in a
/// [`Space`], and of the training rows of the largest split on their way into LIBLINEAR.
pub fn bears((train, of_split): (usize, usize), test: usize, features: usize) -> bool {
    let width = (features + 1).min(train.max(1));
    8 * (train + test) * (features + 1) <= MEMORY && COPIES * of_split * width <= MEMORY
}

/// Rows of features in the coordinates that machines are fitted in.
#[derive(Clone, Debug)]
pub struct Space {
    /// Training rows, one after the other.
    pub train: Vec<f64>,
    /// Test rows.
    pub test: Vec<f64>,
    /// Values of a row; the feature that is always 1 is among them, or turned into them.
    pub width: usize,
    /// Inner products of the training rows; `None` of too many.
    pub products: Option<Products>,
}

impl Space {
    /// The space of `train` and `test` rows of `features` values each.
    pub fn new(train: &[f32], test: &[f32], features: usize) -> Result<Self> {
        let matrix = |values: &[f32]| -> Result<Tensor> {
            let rows = (values.len() / features.max(1)) as i64;
            let matrix = Tensor::from_slice(values).f_view([rows, features as i64])?;
            let matrix = matrix.to_kind(Kind::Double);
            Ok(Tensor::f_cat(
                &[
                    &matrix,
                    &matrix.new_ones([rows, 1], (Kind::Double, matrix.device())),
                ],
                1,
            )?)
        };
        let (mut train, mut test) = (matrix(train)?, matrix(test)?);
        let (rows, width) = train.size2()?;
        if rows < width {
            // x^T = Q R, so the training rows are the columns of R in the basis Q.
            let (q, r) = Tensor::f_linalg_qr(&train.transpose(0, 1), "reduced")?;
            train = r.transpose(0, 1);
            test = test.f_matmul(&q)?;
        }
        let values =
            |matrix: &Tensor| -> Result<Vec<f64>> { Ok(matrix.flatten(0, -1).try_into()?) };
        Ok(Self {
            products: Products::of(&train)?,
            train: values(&train)?,
            test: values(&test)?,
            width: rows.min(width) as usize,
        })
    }
}

/// Some rows of a [`Space`].
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// All rows of that kind.
    pub values: &'a [f64],
    /// Values of a row.
    pub width: usize,
    /// Which rows, in order.
    pub rows: &'a [usize],
}

impl<'a> Rows<'a> {
    /// The values of the rows in order.
    pub fn iter(self) -> impl Iterator<Item = &'a [f64]> {
        let Self {
            values,
            width,
            rows,
        } = self;
        rows.iter().map(move |&row| &values[row * width..][..width])
    }
}

/// A classifier to fit, and the rows that it is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// The training rows.
    pub train: Rows<'a>,
    /// The class of each training row, in `0..classes`; each class occurs.
    pub classes_of_rows: &'a [u32],
    /// Number of classes.
    pub classes: u32,
    /// The rows whose decision values are wanted.
    pub test: Rows<'a>,
    /// The costs C, ascending.
    pub costs: &'a [f64],
    /// Inner products of all training rows, among them those of `train`.
    pub products: Option<&'a Products>,
}

/// The outcome of a [`Problem`].
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// `<w_k, x> + b_k` by cost, then class k, then test row.
    pub values: Vec<Vec<Vec<f64>>>,
    /// The largest gradient at the end of a fit, as [`TOLERANCE`] is one.
    pub residual: f64,
    /// All fits.
    pub fits: usize,
    /// Fits that ended above the tolerance.
    pub unconverged: usize,
    /// Fits that [`finite_newton`] left to LIBLINEAR, or that it was not asked for.
    pub by_liblinear: usize,
}

/// One machine at one cost.
#[derive(Clone, Debug)]
struct Machine {
    weights: Vec<f64>,
    residual: f64,
    is_by_liblinear: bool,
}

/// Solves the problems; the machines of all classes and problems are fitted on up to `threads` threads. The result does not
/// depend on their number. `progress` is called with the numbers of machines fitted and of all; `stop` ends it before the next fit with [`Error::Interrupted`].
pub fn decide(
    problems: &[Problem],
    threads: usize,
    progress: &mut dyn FnMut(u64, u64),
    stop: &AtomicBool,
) -> Result<Vec<Decisions>> {
    let bytes = |problem: &Problem| {
        let rows = problem.train.rows.len();
        let finished = problem.products.map_or(0, |_| finite_newton::bytes(rows));
        finished.max(COPIES * problem.train.width * rows)
    };
    let largest = problems.iter().map(bytes).max();
    let threads = threads.min(MEMORY / largest.unwrap_or(1).max(1)).max(1);
    let jobs: Vec<(&Problem, u32)> = problems
        .iter()
        .flat_map(|problem| (0..problem.classes).map(move |class| (problem, class)))
        .collect();
    let all = jobs.len() as u64;
    let machines_of = |&(problem, class): &(&Problem, u32)| {
        let machines = fit(problem, class, stop)?;
        let values: Vec<Vec<f64>> = machines
            .iter()
            .map(|machine| machine.decide(problem.test))
            .collect();
        Ok((machines, values))
    };
    let fitted = in_parallel(threads, &jobs, machines_of, &mut |done| {
        progress(done as u64, all)
    })?;
    let mut fitted = fitted.into_iter();
    let mut decisions = vec![];
    for problem in problems {
        let mut outcome = Decisions {
            values: vec![vec![]; problem.costs.len()],
            ..Decisions::default()
        };
        for (machines, values) in fitted.by_ref().take(problem.classes as usize) {
            for (cost, of_class) in values.into_iter().enumerate() {
                outcome.values[cost].push(of_class);
            }
            for machine in machines {
                outcome.residual = outcome.residual.max(machine.residual);
                outcome.fits += 1;
                outcome.unconverged += usize::from(machine.residual > 1.001 * TOLERANCE);
                outcome.by_liblinear += usize::from(machine.is_by_liblinear);
            }
        }
        decisions.push(outcome);
    }
    Ok(decisions)
}

/// Fits the machine of `class` at each cost.
fn fit(problem: &Problem, class: u32, stop: &AtomicBool) -> Result<Vec<Machine>> {
    let members: Vec<bool> = problem
        .classes_of_rows
        .iter()
        .map(|c| *c == class)
        .collect();
    let rare = members.iter().filter(|is_member| **is_member).count();
    let rare = rare.min(members.len() - rare).max(1);
    let share = rare as f64 / members.len() as f64;
    let mut machines: Vec<Machine> = vec![];
    for &cost in problem.costs {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let start = machines.last().map(|machine| machine.weights.as_slice());
        let exact = match problem.products {
            Some(products) => {
                finite_newton::minimum(products, problem.train, &members, cost, start)?
            }
            None => None,
        };
        let is_by_liblinear = exact.is_none();
        let weights = match exact {
            Some(weights) => weights,
            None => liblinear(problem.train, &members, cost, start)?,
        };
        machines.push(Machine {
            residual: residual(problem.train, &members, cost, &weights) / share,
            weights,
            is_by_liblinear,
        });
    }
    Ok(machines)
}

/// The weights that minimise P at one cost; `start` is where the search begins, zero by default.
fn liblinear(train: Rows, members: &[bool], cost: f64, start: Option<&[f64]>) -> Result<Vec<f64>> {
    let refused = |cause: &dyn std::fmt::Display| Error::Unsupported {
        message: format!("LIBLINEAR refused the features: {cause}"),
    };
    let width = train.width as u32;
    let features = train.iter().map(|row| {
        // The last value is named even where it is 0, so that the number of features never depends on which values are.
        let used = (1..)
            .zip(row)
            .filter(|(index, value)| **value != 0.0 || *index == width);
        used.map(|(index, value)| (index, *value)).collect()
    });
    // LIBLINEAR's positive side is that of the first row, in its result as in what it starts from.
    let sign = if members.first() == Some(&true) {
        1.0
    } else {
        -1.0
    };
    let labels = members.iter().map(|is_member| f64::from(*is_member));
    let input = TrainingInput::from_sparse_features(labels.collect(), features.collect())
        .map_err(|cause| refused(&cause))?;
    let mut builder = Builder::new();
    builder.problem().input_data(input).bias(-1.0);
    builder
        .parameters()
        .solver_type(SolverType::L2R_L2LOSS_SVC)
        .stopping_criterion(TOLERANCE)
        .constraints_violation_cost(cost)
        .initial_solutions(start.map_or(vec![], |w| w.iter().map(|v| v * sign).collect()));
    static SILENCE: Once = Once::new();
    SILENCE.call_once(|| liblinear::toggle_liblinear_stdout_output(false));
    let model = builder.build_model().map_err(|cause| refused(&cause))?;
    Ok((1..=width.cast_signed())
        .map(|index| sign * model.feature_coefficient(index, 0))
        .collect())
}

/// The norm of P's gradient at `weights`, relative to that at zero.
fn residual(train: Rows, members: &[bool], cost: f64, weights: &[f64]) -> f64 {
    let mut gradient = weights.to_vec();
    let mut at_zero = vec![0.0; weights.len()];
    for (row, is_member) in train.iter().zip(members) {
        let y = if *is_member { 1.0 } else { -1.0 };
        let margin = 1.0 - y * value(weights, row);
        add(&mut at_zero, row, -2.0 * cost * y);
        if margin > 0.0 {
            add(&mut gradient, row, -2.0 * cost * y * margin);
        }
    }
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let scale = norm(&at_zero);
    if scale == 0.0 {
        0.0
    } else {
        norm(&gradient) / scale
    }
}

/// `<w, x>`.
pub fn value(weights: &[f64], row: &[f64]) -> f64 {
    weights.iter().zip(row).map(|(w, x)| w * x).sum()
}

/// Adds `factor` times the row.
pub fn add(sum: &mut [f64], row: &[f64], factor: f64) {
    for (sum, x) in sum.iter_mut().zip(row) {
        *sum += factor * x;
    }
}

impl Machine {
    fn decide(&self, rows: Rows) -> Vec<f64> {
        rows.iter().map(|row| value(&self.weights, row)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eighteen rows of four features in 64ths; the class of row i is i % 3.
    const ROWS: [[i16; 4]; 18] = [
        [96, 48, -64, 37],
        [63, 48, 1, 47],
        [-16, -35, 159, -49],
        [37, 58, -17, -34],
        [32, 116, -59, 58],
        [51, -63, 129, 19],
        [51, -4, 50, -63],
        [-40, 160, -46, -3],
        [55, -12, 57, 64],
        [121, -61, 56, -13],
        [-62, 124, 24, -60],
        [-10, 54, 34, 29],
        [160, -42, -8, 53],
        [-7, 53, 64, -42],
        [-62, 53, 88, -42],
        [119, 29, -62, 53],
        [56, 36, 24, 28],
        [-37, -14, 152, -61],
    ];

    /// Weights and intercept of each class from scikit-learn 1.9.1, `LinearSVC(C, tol=1e-13, max_iter=10**7)`; its primal and
    /// its dual solver agree on the digits here.
    const SKLEARN: [(f64, [[f64; 5]; 3]); 2] = [
        (
            0.01,
            [
                [
                    0.12180325,
                    -0.10560708,
                    -0.13797535,
                    -0.02111033,
                    -0.07337245,
                ],
                [
                    -0.10174906,
                    0.11053768,
                    -0.10224376,
                    0.01085610,
                    -0.07434170,
                ],
                [
                    -0.13173618,
                    -0.11565193,
                    0.13195105,
                    0.00766722,
                    -0.07298148,
                ],
            ],
        ),
        (
            1.0,
            [
                [
                    0.62360474,
                    -0.54739205,
                    -0.95085936,
                    -1.09175626,
                    -0.06755402,
                ],
                [0.21208678, 1.07158535, 0.37336519, 0.18935202, -1.16323850],
                [
                    -1.05289829,
                    -0.61072328,
                    0.60652872,
                    0.98718121,
                    -0.02632418,
                ],
            ],
        ),
    ];

    fn solve(
        values: &[f32],
        features: usize,
        classes: u32,
        labels: &[u32],
        threads: usize,
        is_finished: bool,
    ) -> Decisions {
        // A row of zeros gives the intercept, a unit row one weight more.
        let mut probes = vec![0.0; 5 * features];
        for j in 0..4 {
            probes[features * (j + 1) + j] = 1.0;
        }
        let space = Space::new(values, &probes, features).unwrap();
        let rows: Vec<usize> = (0..labels.len()).collect();
        let products = space.products.as_ref().filter(|_| is_finished);
        let problem = Problem {
            train: Rows {
                values: &space.train,
                width: space.width,
                rows: &rows,
            },
            classes_of_rows: labels,
            classes,
            test: Rows {
                values: &space.test,
                width: space.width,
                rows: &[0, 1, 2, 3, 4],
            },
            costs: &[0.01, 1.0],
            products,
        };
        let outcome = decide(&[problem], threads, &mut |_, _| (), &AtomicBool::new(false)).unwrap();
        outcome.into_iter().next().unwrap()
    }

    fn values() -> Vec<f32> {
        ROWS.iter()
            .flatten()
            .map(|v| f32::from(*v) / 64.0)
            .collect()
    }

    #[test]
    fn machines_are_those_of_scikit_learn() {
        let labels: Vec<u32> = (0..18).map(|i| i % 3).collect();
        // The same rows with features that are always 0 have more features than rows, and so other coordinates.
        let wide: Vec<f32> = values()
            .chunks(4)
            .flat_map(|row| [row, &[0.0; 26]].concat())
            .collect();
        for (values, features) in [(values(), 4), (wide, 30)] {
            // P is strongly convex with modulus 1, so weights are off by at most the norm of the gradient that is left:
            // a third of the tolerance times that at zero, which is below 60 C on these rows.
            let left = TOLERANCE / 3.0 * 60.0;
            let found = solve(&values, features, 3, &labels, 2, false);
            assert_close(&found, &|cost| left * cost);
            // To all digits that are written down.
            let found = solve(&values, features, 3, &labels, 2, true);
            assert_close(&found, &|_| 6e-9);
            assert!(found.residual < 1e-12, "{}", found.residual);
        }
    }

    fn assert_close(found: &Decisions, tolerance: &dyn Fn(f64) -> f64) {
        assert_eq!((found.fits, found.unconverged), (6, 0));
        for ((cost, expected), found) in SKLEARN.iter().zip(&found.values) {
            let tolerance = tolerance(*cost);
            for (expected, found) in expected.iter().zip(found) {
                assert!(
                    (found[0] - expected[4]).abs() < tolerance,
                    "{cost} {found:?}"
                );
                for j in 0..4 {
                    let weight = found[j + 1] - found[0];
                    assert!(
                        (weight - expected[j]).abs() < 2.0 * tolerance,
                        "{cost} {found:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn threads_and_the_class_of_the_first_row_change_nothing() {
        for is_finished in [false, true] {
            let labels: Vec<u32> = (0..18).map(|i| i % 3).collect();
            let (one, four) = (
                solve(&values(), 4, 3, &labels, 1, is_finished),
                solve(&values(), 4, 3, &labels, 4, is_finished),
            );
            assert_eq!(one.values, four.values);
            // With two classes one machine is the other's negative.
            let labels: Vec<u32> = (0..18).map(|i| u32::from(i % 3 == 0)).collect();
            let two = solve(&values(), 4, 2, &labels, 1, is_finished).values;
            for (a, b) in two[1][0].iter().zip(&two[1][1]) {
                assert!((a + b).abs() < 1e-9, "{a} {b}");
            }
        }
    }

    #[test]
    fn sets_too_large_for_copies_are_known() {
        // ESC-50 with ten clips of 2 s, five folds; UCF101 with 25 clips of eight frames, three splits of which each sample trains in one.
        assert!(bears((20_000, 16_000), 20_000, 4608));
        assert!(!bears((25 * 13_320, 25 * 9537), 25 * 13_320, 8192));
    }

    #[test]
    fn a_stop_ends_it_before_the_next_fit() {
        let rows: Vec<usize> = (0..18).collect();
        let labels: Vec<u32> = (0..18).map(|i| i % 3).collect();
        let space = Space::new(&values(), &[], 4).unwrap();
        let all = Rows {
            values: &space.train,
            width: space.width,
            rows: &rows,
        };
        let problem = Problem {
            train: all,
            classes_of_rows: &labels,
            classes: 3,
            test: all,
            costs: &[1.0],
            products: None,
        };
        let outcome = decide(&[problem], 2, &mut |_, _| (), &AtomicBool::new(true));
        assert!(matches!(outcome, Err(Error::Interrupted)));
    }
}
