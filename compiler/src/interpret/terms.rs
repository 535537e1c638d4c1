//! The operators of a loss on a tape, by the formulas of the language; an arm for each.

use super::tape::{Function, Matrix, Tape, Value};
use crate::loss::TermOp;

/// VICReg's constant under the root of the variance.
const VARIANCE_FLOOR: f64 = 1e-4;

/// The value of a term over embeddings `[B, D]`: a scalar.
pub fn term(tape: &mut Tape, op: TermOp, inputs: &[Value]) -> Value {
    let x = inputs[0];
    let (rows, cols) = (tape.of(x).rows, tape.of(x).cols);
    let each = 1.0 / rows as f64;
    match op {
        TermOp::Cos => {
            let cosines = tape.cos_rows(x, inputs[1]);
            tape.scale(cosines, each)
        }
        TermOp::Mse => {
            let minus = tape.scale(inputs[1], -1.0);
            let apart = tape.add(x, minus);
            mean_dot(tape, apart, apart)
        }
        TermOp::Dot => mean_dot(tape, x, inputs[1]),
        TermOp::Xent => {
            let logs = tape.log_softmax(x);
            let agreement = mean_dot(tape, inputs[1], logs);
            tape.scale(agreement, -1.0)
        }
        TermOp::InfoNce { t, .. } => {
            let other = tape.transpose(inputs[1]);
            let similarities = tape.product(x, other);
            let scaled = tape.scale(similarities, 1.0 / t.to_f64());
            let logs = tape.log_softmax(scaled);
            let own = tape.diagonal(logs);
            let total = tape.sum(own);
            tape.scale(total, -each)
        }
        TermOp::HingeStd => {
            let centred = tape.centre(x);
            let squares = tape.times(centred, centred);
            let ones = tape.constant(Matrix::from_fn(1, rows, |_, _| 1.0));
            let sums = tape.product(ones, squares);
            let variances = tape.scale(sums, 1.0 / (rows as f64 - 1.0));
            let deviations = tape.map(variances, Function::Root(VARIANCE_FLOOR));
            let minus = tape.scale(deviations, -1.0);
            let one = tape.constant(Matrix::from_fn(1, cols, |_, _| 1.0));
            let missing = tape.add(one, minus);
            let hinge = tape.map(missing, Function::Relu);
            let total = tape.sum(hinge);
            tape.scale(total, 1.0 / cols as f64)
        }
        TermOp::Cov => {
            let centred = tape.centre(x);
            let turned = tape.transpose(centred);
            let sums = tape.product(turned, centred);
            let covariance = tape.scale(sums, 1.0 / (rows as f64 - 1.0));
            let squares = tape.times(covariance, covariance);
            let off = Matrix::from_fn(cols, cols, |i, j| f64::from(i != j));
            let off = tape.constant(off);
            let kept = tape.times(squares, off);
            let total = tape.sum(kept);
            tape.scale(total, 1.0 / cols as f64)
        }
    }
}

/// Mean cosines of the rows of some `firsts` and `seconds`, as entries of one matrix of normalised rows: `[1, pairs]`.
pub fn cosines(
    tape: &mut Tape,
    firsts: &[Value],
    seconds: &[Value],
    pairs: &[(u32, u32)],
) -> Value {
    let rows = tape.of(firsts[0]).rows as f64;
    let mut side = |of: &[Value]| {
        let flat: Vec<Value> = of
            .iter()
            .map(|x| {
                let unit = tape.unit_rows(*x);
                tape.flatten(unit)
            })
            .collect();
        tape.join(&flat)
    };
    let (left, right) = (side(firsts), side(seconds));
    let turned = tape.transpose(right);
    let product = tape.product(left, turned);
    let means = tape.scale(product, 1.0 / rows);
    let entries = pairs
        .iter()
        .map(|(row, column)| (*row as usize, *column as usize));
    tape.pick_entries(means, entries.collect())
}

/// The mean over the rows of their inner products.
fn mean_dot(tape: &mut Tape, x: Value, y: Value) -> Value {
    let rows = tape.of(x).rows as f64;
    let products = tape.times(x, y);
    let total = tape.sum(products);
    tape.scale(total, 1.0 / rows)
}

/// Sinkhorn-Knopp assignment of the rows to the columns, three rounds: columns share the batch equally, then each row sums
/// to one.
pub fn sinkhorn(tape: &mut Tape, x: Value, eps: f64) -> Value {
    let mut logs = tape.scale(x, 1.0 / eps);
    for _ in 0..3 {
        let turned = tape.transpose(logs);
        let columns = tape.log_softmax(turned);
        let back = tape.transpose(columns);
        logs = tape.log_softmax(back);
    }
    tape.map(logs, Function::Exp)
}
