//! Spread and significance. Distributions are those of statrs; what is here are a few lines around each.
//!
//! Everything is computed of finite numbers alone: of others there is no result, never a wrong one.

use serde::Serialize;
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, StudentsT};

/// Mean and spread of repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many there are.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Sample standard deviation, over n - 1; `None` of one.
    pub deviation: Option<f64>,
    /// 95 % interval of the mean by Student's t; `None` of fewer than three: of two it is 9 deviations to both sides and says nothing.
    pub interval: Option<(f64, f64)>,
}

/// What a t-test found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Student {
    /// The statistic.
    pub t: f64,
    /// Its degrees of freedom.
    pub freedom: usize,
    /// The two-sided p-value.
    pub p: f64,
}

/// The fewest repetitions whose mean has an interval.
const LEAST_REPEATED: usize = 3;
/// The most differences whose signs are flipped in all ways: 65,536 sums.
const MOST_FLIPPED: usize = 16;

/// Mean, sample standard deviation and, of three or more, the 95 % t interval; `None` of nothing, and where a number is not finite.
pub fn summary(values: &[f64]) -> Option<Summary> {
    let (n, mean, variance) = moments(values)?;
    let interval = variance.filter(|_| n >= LEAST_REPEATED);
    let interval = interval.and_then(|variance| {
        let student = StudentsT::new(0.0, 1.0, (n - 1) as f64).ok()?;
        let half = student.inverse_cdf(0.975) * (variance / n as f64).sqrt();
        Some((mean - half, mean + half))
    });
    Some(Summary {
        n,
        mean,
        deviation: variance.map(f64::sqrt),
        interval,
    })
}

/// The paired t-test of `differences` against 0. `None` of fewer than two, and where they do not vary: such pairs say nothing of
/// what a fresh one would.
pub fn paired_t(differences: &[f64]) -> Option<Student> {
    corrected_t(differences, 0.0)
}

/// The paired t-test over folds whose training sets overlap: the variance of the mean is (1/n + ratio) s^2 instead of s^2/n, with
/// `ratio` the test samples for each training sample of a fold. `None` as of [`paired_t`].
///
/// Source: Nadeau and Bengio, Inference for the generalization error, Machine Learning 52 (2003).
pub fn corrected_t(differences: &[f64], ratio: f64) -> Option<Student> {
    let (n, mean, variance) = moments(differences)?;
    // Equal numbers may differ in their last bits once they are subtracted.
    let scale = differences.iter().fold(0.0f64, |most, d| most.max(d.abs()));
    let variance = variance.filter(|variance| variance.sqrt() > 1e-9 * scale.max(1e-9))?;
    let t = mean / ((1.0 / n as f64 + ratio) * variance).sqrt();
    let student = StudentsT::new(0.0, 1.0, (n - 1) as f64).ok()?;
    let p = (2.0 * student.sf(t.abs())).min(1.0);
    Some(Student {
        t,
        freedom: n - 1,
        p,
    })
}

/// The exact two-sided test that flips the signs of `differences` in all ways: the share of sums that are at least as far from 0.
/// It cannot be below 2 of 2^n. `None` of fewer than two and of more than 16.
pub fn sign_flip(differences: &[f64]) -> Option<f64> {
    let (n, mean, _) = moments(differences)?;
    if !(2..=MOST_FLIPPED).contains(&n) {
        return None;
    }
    let scale: f64 = differences.iter().map(|d| d.abs()).sum();
    // Sums of the same numbers in another order differ in their last bits.
    let observed = (mean * n as f64).abs() - 1e-9 * scale;
    let ways = 1u32 << n;
    let as_far = |flips: &u32| {
        let signed = differences.iter().enumerate();
        let sum: f64 = signed
            .map(|(i, d)| if flips >> i & 1 == 1 { -d } else { *d })
            .sum();
        sum.abs() >= observed
    };
    let count = (0..ways).filter(as_far).count();
    Some(count as f64 / f64::from(ways))
}

/// The exact two-sided McNemar test: of the samples that one of two classifiers alone has right, `first` and `second` are how
/// many each has. Samples that both have right or both have wrong say nothing.
pub fn mcnemar(first: u64, second: u64) -> f64 {
    let n = first + second;
    match Binomial::new(0.5, n) {
        Ok(coin) if n > 0 => (2.0 * coin.cdf(first.min(second))).min(1.0),
        Ok(_) | Err(_) => 1.0,
    }
}

/// The p-values of a family as Holm corrects them: each is the smallest level at which its hypothesis falls while the chance of
/// any false one stays below that level.
///
/// Source: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let (mut corrected, mut least) = (vec![1.0; p.len()], 0.0f64);
    for (rank, at) in order.into_iter().enumerate() {
        least = least.max(((p.len() - rank) as f64 * p[at]).min(1.0));
        corrected[at] = least;
    }
    corrected
}

/// Number, mean and sample variance.
fn moments(values: &[f64]) -> Option<(usize, f64, Option<f64>)> {
    let n = values.len();
    if n == 0 || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((n, mean, (n > 1).then(|| squares / (n - 1) as f64)))
}

#[cfg(test)]
mod tests {
    //! Goldens are scipy 1.17.1's, made with these lines:
    //!
    //! ```text
    //! v.mean(), v.std(ddof=1), stats.t.interval(.95, len(v) - 1, loc=v.mean(), scale=v.std(ddof=1) / len(v)**.5)
    //! stats.ttest_1samp(d, 0)
    //! stats.permutation_test((d,), lambda x, axis: x.mean(axis=axis), permutation_type="samples", vectorized=True,
    //! n_resamples=inf) stats.binomtest(min(a, b), a + b, .5).pvalue t = d.mean() / ((1 / len(d) + ratio) * d.var(ddof=1))**.5; 2
    //! * stats.t.sf(abs(t), len(d) - 1)
    //! ```

    use super::*;

    /// Relative: both sides are sums of a few numbers and one special function.
    #[track_caller]
    fn near(found: f64, golden: f64) {
        let apart = (found - golden).abs() / golden.abs().max(1e-300);
        assert!(apart < 1e-9, "{found} is not {golden}");
    }

    #[test]
    fn mean_deviation_and_interval_are_those_of_scipy() {
        let all: [(&[f64], [f64; 4]); 2] = [
            (
                &[70.1, 71.3, 69.4],
                [
                    70.26666666666667,
                    0.9609023536933013,
                    67.87965289254748,
                    72.65368044078585,
                ],
            ),
            (
                &[55.0, 60.25, 58.5, 57.0, 61.75],
                [
                    58.5,
                    2.6516504294495533,
                    55.20754112593094,
                    61.79245887406906,
                ],
            ),
        ];
        for (values, [mean, deviation, low, high]) in all {
            let found = summary(values).unwrap();
            assert_eq!(found.n, values.len());
            near(found.mean, mean);
            near(found.deviation.unwrap(), deviation);
            near(found.interval.unwrap().0, low);
            near(found.interval.unwrap().1, high);
        }
        let two = summary(&[33.3, 33.9]).unwrap();
        near(two.mean, 33.599999999999994);
        near(two.deviation.unwrap(), 0.4242640687119295);
        assert_eq!(two.interval, None);
        let one = summary(&[4.0]).unwrap();
        assert_eq!((one.mean, one.deviation, one.interval), (4.0, None, None));
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn t_tests_are_those_of_scipy() {
        let all: [(&[f64], f64, f64); 3] = [
            (&[1.2, 0.4, 2.1], 2.5117236632178837, 0.12862747799689472),
            (
                &[-0.5, 0.25, -1.75, -0.5, -1.0],
                -2.1226745220209295,
                0.10103734677448309,
            ),
            (
                &[3.0, 2.9, 3.1, 3.05, 2.95, 3.0],
                103.92304845413263,
                1.564277223563201e-09,
            ),
        ];
        for (differences, t, p) in all {
            let found = paired_t(differences).unwrap();
            assert_eq!(found.freedom, differences.len() - 1);
            near(found.t, t);
            near(found.p, p);
        }
        let found = corrected_t(&[2.0, 3.5, 1.0, 2.5, 4.0], 0.25).unwrap();
        near(found.t, 3.246830813483206);
        near(found.p, 0.031469887935153505);
        let found = corrected_t(&[1.0, -0.5, 0.75], 0.4).unwrap();
        near(found.p, 0.6064333962042814);
    }

    #[test]
    fn differences_that_do_not_vary_have_no_t_test() {
        for constant in [[0.0; 3], [0.1; 3], [70.3 - 70.1; 3]] {
            assert_eq!(paired_t(&constant), None);
        }
        assert_eq!(paired_t(&[0.3 - 0.1, 0.2, 0.4 - 0.2]), None);
        assert_eq!(paired_t(&[1.0]), None);
    }

    #[test]
    fn flipped_signs_are_counted_as_scipy_counts_them() {
        near(sign_flip(&[1.2, 0.4, 2.1]).unwrap(), 0.25);
        near(sign_flip(&[-0.5, 0.25, -1.75, -0.5, -1.0]).unwrap(), 0.125);
        near(
            sign_flip(&[3.0, 2.9, 3.1, 3.05, 2.95, 3.0, -1.0]).unwrap(),
            0.03125,
        );
        assert_eq!(sign_flip(&[0.0; 3]), Some(1.0));
        assert_eq!(sign_flip(&[1.0; 17]), None);
    }

    #[test]
    fn mcnemar_is_the_binomial_test_of_scipy() {
        let all = [
            (5, 1, 0.21875),
            (12, 30, 0.007915897334896727),
            (0, 7, 0.015625),
            (3, 3, 1.0),
            (0, 0, 1.0),
        ];
        for (first, second, p) in all {
            near(mcnemar(first, second), p);
            assert_eq!(mcnemar(first, second), mcnemar(second, first));
        }
    }

    #[test]
    fn a_family_is_corrected_step_by_step() {
        // By hand: 4 * 0.005, 3 * 0.01, 2 * 0.03, then no less than the one before.
        let found = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, golden) in found.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            near(*found, golden);
        }
        assert!(holm(&[]).is_empty());
    }
}
