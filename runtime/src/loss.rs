//! Terms of a loss: equation 1 and its relatives, from embeddings `[B, D]` to a scalar.
//!
//! All of them are computed in float32 at least, with autocast off and without TF32: near -1 bfloat16 moves in steps of 4e-3.

use crate::constants;
use crate::ffi;
use compiler::loss::TermOp;
use tch::{Kind, Tensor};

/// The floor of a norm that is divided by: a zero vector stays zero.
const NORM_FLOOR: f64 = 1e-8;

/// VICReg's constant under the root of the variance, where the root has no slope.
const VARIANCE_FLOOR: f64 = 1e-4;

/// Rounds of [`sinkhorn`].
const SINKHORN_ROUNDS: usize = 3;

/// The value of a term. The compiler has checked the number of arguments.
pub fn term(op: TermOp, arguments: &[&Tensor]) -> Tensor {
    let arguments: Vec<_> = arguments.iter().map(|x| at_least_f32(x)).collect();
    match (op, &arguments[..]) {
        (TermOp::Cos, [x, y]) => cos(x, y),
        (TermOp::Mse, [x, y]) => mse(x, y),
        (TermOp::Dot, [x, y]) => dot(x, y),
        (TermOp::Xent, [x, target]) => xent(x, target),
        (TermOp::InfoNce { t, .. }, [x, y]) => info_nce(x, y, t.to_f64()),
        (TermOp::HingeStd, [x]) => hinge_std(x),
        (TermOp::Cov, [x]) => cov(x),
        (op, arguments) => panic!(
            "validate: {op:?} has its own number of arguments, not {}",
            arguments.len()
        ),
    }
}

/// The tensor in float32 if it has fewer digits.
pub fn at_least_f32(x: &Tensor) -> Tensor {
    if matches!(x.kind(), Kind::Half | Kind::BFloat16) {
        x.to_kind(Kind::Float)
    } else {
        x.shallow_clone()
    }
}

/// The product of two matrices with all digits, also where the networks' products may use TF32.
fn product(a: &Tensor, b: &Tensor) -> Tensor {
    match (a.device().is_cuda(), ffi::tf32()) {
        (false, _) | (true, Ok((false, _))) => a.matmul(b),
        // What libtorch refuses here it refuses there, and says why.
        (true, _) => ffi::full_product(a, b).unwrap_or_else(|_| a.matmul(b)),
    }
}

/// Rows divided by their Euclidean norm (floored at 1e-8), in float32 at least.
pub fn l2(x: &Tensor) -> Tensor {
    let x = at_least_f32(x);
    let norm = x.norm_scalaropt_dim(2, -1, true).clamp_min(NORM_FLOOR);
    x / norm
}

/// Mean cosine similarity of the rows.
///
/// ```text
/// cos(x, y) = (1/B) sum_b <x_b, y_b> / (|x_b| |y_b|)
/// ```
///
/// In [-1, 1]; norms are floored at 1e-8, so a zero row adds 0. The distance D of equation 1 is its negative; that the target
/// carries no gradient is said by a node of its own.
///
/// Source: equation 1 for one pair; batch mean and floor as in the released code.
pub fn cos(x: &Tensor, y: &Tensor) -> Tensor {
    Tensor::cosine_similarity(x, y, -1, NORM_FLOOR).mean(None)
}

/// Mean cosine similarities of the rows of pairs of `firsts` and `seconds`, all `[B, D]`, as entries of one matrix: `[pairs]`.
///
/// Each tensor is normalised once and laid out as one row of `B D` numbers; the product of the two matrices of these rows, divided
/// by B, has [`cos`] of every first with every second one. `pairs` are rows and columns of it.
pub fn cosines(firsts: &[&Tensor], seconds: &[&Tensor], pairs: &[(u32, u32)]) -> Tensor {
    let rows = firsts[0].size()[0] as f64;
    let side = |of: &[&Tensor]| {
        let rows: Vec<_> = of.iter().map(|x| l2(x).flatten(0, -1)).collect();
        Tensor::stack(&rows, 0) // [n, B D]
    };
    let matrix = product(&side(firsts), &side(seconds).tr()) / rows;
    let columns = seconds.len() as i64;
    let places: Vec<i64> = pairs
        .iter()
        .map(|(row, column)| i64::from(*row) * columns + i64::from(*column))
        .collect();
    let places = constants::places(&places, matrix.device());
    matrix.flatten(0, -1).index_select(0, &places)
}

/// Squared Euclidean distance of the rows, mean over the batch (BYOL, for normalised rows; VICReg's invariance times D).
pub fn mse(x: &Tensor, y: &Tensor) -> Tensor {
    (x - y).square().sum_dim_intlist(-1, false, None).mean(None)
}

/// Mean inner product of the rows.
pub fn dot(x: &Tensor, y: &Tensor) -> Tensor {
    (x * y).sum_dim_intlist(-1, false, None).mean(None)
}

/// Cross-entropy of `softmax(x)` with the distributions in the rows of `target`, mean over the batch (SwAV).
pub fn xent(x: &Tensor, target: &Tensor) -> Tensor {
    -dot(target, &x.log_softmax(-1, None))
}

/// Cross-entropy of each row's own pair among all pairs of the batch, similarities `<x_i, y_j> / t`.
pub fn info_nce(x: &Tensor, y: &Tensor, t: f64) -> Tensor {
    let similarities = product(x, &y.tr()) / t; // [B, B]
    -similarities
        .log_softmax(-1, None)
        .diagonal(0, 0, 1)
        .mean(None)
}

/// The same against rows of a memory bank: `y` has the own pair of each row of `x`, `negatives` `[K, D]` are compared with all of them,
/// but where `is_own`, `[B, K]`.
///
/// Source: AVID, equation 1, with one draw of negatives for all samples of a batch.
pub fn info_nce_against(
    x: &Tensor,
    y: &Tensor,
    negatives: &Tensor,
    is_own: &Tensor,
    t: f64,
) -> Tensor {
    let [x, y, negatives] = [x, y, negatives].map(at_least_f32);
    let own = (&x * &y).sum_dim_intlist(-1, true, None); // [B, 1]
    let others = product(&x, &negatives.tr()); // [B, K]
    let others = others.masked_fill(is_own, f64::NEG_INFINITY);
    let similarities = Tensor::cat(&[own, others], 1) / t;
    -similarities.log_softmax(-1, None).select(1, 0).mean(None)
}

/// Scores `[B, K]` as distributions that share the batch about equally among the columns: three rounds in which each column is divided
/// by its sum and then each row by its own, of `exp(x / eps)`. By logarithms, so that no score overflows.
///
/// Source: SwAV, section 3.1 and appendix A, with its three rounds.
pub fn sinkhorn(x: &Tensor, eps: f64) -> Tensor {
    let mut logs = at_least_f32(x) / eps;
    for _ in 0..SINKHORN_ROUNDS {
        logs = logs.log_softmax(0, None).log_softmax(1, None);
    }
    logs.exp()
}

/// Mean over the dimensions of `max(0, 1 - std)` with `std = sqrt(var + 1e-4)` over the batch, unbiased (VICReg, equation 1).
pub fn hinge_std(x: &Tensor) -> Tensor {
    let std = (x.var_dim(0, true, false) + VARIANCE_FLOOR).sqrt();
    std.neg().g_add_scalar(1.0).relu().mean(None)
}

/// Sum of the squared off-diagonal entries of the batch's unbiased covariance, divided by D (VICReg, equation 4).
pub fn cov(x: &Tensor) -> Tensor {
    let (rows, width) = (x.size()[0] as f64, x.size()[1] as f64);
    let centred = x - x.mean_dim(0, true, None);
    let covariance = product(&centred.tr(), &centred) / (rows - 1.0); // [D, D]
    let all = covariance.square().sum(None);
    (all - covariance.diagonal(0, 0, 1).square().sum(None)) / width
}

#[cfg(test)]
mod tests {
    use super::*;
    use compiler::units::Exact;

    fn x() -> Tensor {
        Tensor::from_slice(&[3.0, 4.0, 0.0, 2.0]).view([2, 2])
    }

    fn y() -> Tensor {
        Tensor::from_slice(&[4.0, 3.0, 1.0, 0.0]).view([2, 2])
    }

    fn value(op: TermOp, arguments: &[&Tensor]) -> f64 {
        term(op, arguments).double_value(&[])
    }

    /// Worked out by hand from the formulas in the comments.
    #[test]
    fn terms_have_the_values_of_their_formulas() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        near(value(TermOp::Cos, &[&x(), &y()]), 0.48); // (24/25 + 0) / 2
        near(value(TermOp::Mse, &[&x(), &y()]), 3.5); // (2 + 5) / 2
        near(value(TermOp::Dot, &[&x(), &y()]), 12.0); // (24 + 0) / 2
        let target = Tensor::from_slice(&[1.0, 0.0, 0.5, 0.5]).view([2, 2]);
        let rows = (1f64 + 1f64.exp()).ln() + (1.0 + 2f64.exp()).ln() - 1.0;
        near(value(TermOp::Xent, &[&x(), &target]), rows / 2.0);
        // Similarities [[24, 3], [6, 0]] / 3: the own pairs are 8 of (8, 1) and 0 of (2, 0).
        let rows = (1.0 + (-7f64).exp()).ln() + (1.0 + 2f64.exp()).ln();
        near(
            value(
                TermOp::InfoNce {
                    t: Exact::whole(3),
                    negatives: None,
                },
                &[&x(), &y()],
            ),
            rows / 2.0,
        );
        // Variances 9/2 and 2 are above 1; a tenth of x has 0.045 and 0.02.
        near(value(TermOp::HingeStd, &[&x()]), 0.0);
        near(
            value(TermOp::HingeStd, &[&(x() / 10.0)]),
            1.0 - (0.0451f64.sqrt() + 0.0201f64.sqrt()) / 2.0,
        );
        near(value(TermOp::Cov, &[&x()]), 9.0); // off-diagonal 3, twice, squared, over 2
    }

    #[test]
    fn cosines_are_those_of_their_pairs() {
        let (x, y) = (x(), y());
        let zero = x.zeros_like();
        let pairs = [(1, 0), (0, 0), (0, 1), (2, 1)];
        let all = cosines(&[&x, &y, &zero], &[&x, &y], &pairs);
        let one = |a: &Tensor, b: &Tensor| value(TermOp::Cos, &[a, b]);
        let wanted = [one(&y, &x), 1.0, one(&x, &y), 0.0];
        let found = Vec::<f64>::try_from(all).unwrap();
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-12, "{found} is not {wanted}");
        }
        assert!((wanted[0] - 0.48).abs() < 1e-12);
    }

    /// Scores of which the first column would take all: both columns share the batch in the end, and each row is a distribution.
    #[test]
    fn sinkhorn_shares_the_batch_among_the_columns() {
        let scores = Tensor::from_slice(&[5.0, 1.0, 4.0, 1.0, 3.0, 1.5, 2.0, 1.0]).view([4, 2]);
        let shares = sinkhorn(&scores, 0.5);
        let rows = Vec::<f64>::try_from(shares.sum_dim_intlist(1, false, None)).unwrap();
        assert!(rows.iter().all(|sum| (sum - 1.0).abs() < 1e-12), "{rows:?}");
        let columns = Vec::<f64>::try_from(shares.sum_dim_intlist(0, false, None)).unwrap();
        assert!(
            columns.iter().all(|sum| (sum - 2.0).abs() < 0.3),
            "{columns:?}"
        );
        // One round by hand: columns of exp(x / eps) are divided by their sums, then rows.
        let mut wanted = (scores / 0.5).exp();
        for _ in 0..3 {
            wanted = &wanted / wanted.sum_dim_intlist(0, true, None);
            wanted = &wanted / wanted.sum_dim_intlist(1, true, None);
        }
        assert!((shares - wanted).abs().max().double_value(&[]) < 1e-12);
    }

    /// Similarities of the own pairs are 24 and 2; those with [1, 1] and [0, 3] are 7, 12 and 2, 6, and the first is of the first row.
    #[test]
    fn negatives_of_a_bank_are_compared_with_every_row() {
        let negatives = Tensor::from_slice(&[1.0, 1.0, 0.0, 3.0]).view([2, 2]);
        let own = Tensor::from_slice(&[true, false, false, false]).view([2, 2]);
        let y = Tensor::from_slice(&[4.0, 3.0, 1.0, 1.0]).view([2, 2]);
        let loss = info_nce_against(&x(), &y, &negatives, &own, 2.0);
        let rows = (1.0 + (-6f64).exp()).ln() + (1.0 + 1.0 + 2f64.exp()).ln();
        assert!((loss.double_value(&[]) - rows / 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_product_with_all_digits_is_a_product_with_its_gradients() {
        let of = |shape: [i64; 2]| Tensor::randn(shape, (Kind::Double, tch::Device::Cpu));
        let (a, b, weights) = (of([3, 5]), of([5, 4]), of([3, 4]));
        let [a, b] = [a, b].map(|x| x.set_requires_grad(true));
        let gradients = |product: Tensor| {
            let sum = (&product * &weights).sum(None);
            let mut all = Tensor::run_backward(&[sum], &[&a, &b], false, false);
            all.push(product);
            all
        };
        let full = gradients(ffi::full_product(&a, &b).unwrap());
        for (full, plain) in full.iter().zip(gradients(a.matmul(&b))) {
            assert!((full - plain).abs().max().double_value(&[]) < 1e-14);
        }
    }

    #[test]
    fn a_zero_row_has_no_direction_and_no_nan() {
        let zero = Tensor::zeros([2, 2], (Kind::Double, tch::Device::Cpu)).set_requires_grad(true);
        let loss = term(TermOp::Cos, &[&zero, &y()]);
        assert_eq!(loss.double_value(&[]), 0.0);
        loss.backward();
        assert_eq!(zero.grad().isfinite().all().int64_value(&[]), 1);
        assert_eq!(l2(&zero).abs().max().double_value(&[]), 0.0);
    }

    #[test]
    fn half_precision_is_widened_first() {
        let near_parallel = Tensor::from_slice(&[1.0, 0.0, 1.0, 0.01])
            .view([2, 2])
            .to_kind(Kind::BFloat16);
        let result = term(TermOp::Cos, &[&near_parallel, &near_parallel]);
        assert_eq!(result.kind(), Kind::Float);
        assert!((result.double_value(&[]) - 1.0).abs() < 1e-6);
    }
}
