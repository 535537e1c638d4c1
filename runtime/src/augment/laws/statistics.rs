//! The tests of a law that [`super`] explains.

/// Views of each test.
pub(super) const N: usize = 20_000;

/// The distance of the drawings' distribution function from `law`.
fn distance(drawn: &[f64], law: impl Fn(f64) -> f64) -> f64 {
    let mut sorted = drawn.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let gap = |(i, x): (usize, &f64)| {
        let expected = law(*x).clamp(0.0, 1.0);
        (expected - i as f64 / n).max((i + 1) as f64 / n - expected)
    };
    sorted.iter().enumerate().map(gap).fold(0.0, f64::max)
}

/// The drawings follow the law and do not follow the wrong one.
pub(super) fn follow(
    name: &str,
    drawn: &[f64],
    law: impl Fn(f64) -> f64,
    wrong: impl Fn(f64) -> f64,
) {
    let limit = 2.225 / (drawn.len() as f64).sqrt();
    let (right, wrong) = (distance(drawn, law), distance(drawn, wrong));
    assert!(right < limit, "{name}: {right} of {limit}");
    assert!(wrong > limit, "{name}: the wrong law is only {wrong} off");
}

/// The distribution function of a uniform number.
pub(super) fn uniform(a: f64, b: f64) -> impl Fn(f64) -> f64 {
    move |x| (x - a) / (b - a)
}

/// Pearson's sum over what it may be at level 1e-4 (Wilson and Hilferty). Cells of fewer than five are joined to the next.
fn pearson(drawn: &[i64], law: &[(i64, f64)]) -> f64 {
    let known = |value: &i64| law.iter().any(|cell| cell.0 == *value);
    assert!(
        drawn.iter().all(known),
        "a value that the law does not know"
    );
    let n = drawn.len() as f64;
    let total: f64 = law.iter().map(|cell| cell.1).sum();
    let (mut sum, mut cells) = (0.0f64, 0.0f64);
    let (mut counted, mut expected) = (0.0, 0.0);
    for (value, weight) in law {
        counted += drawn.iter().filter(|v| *v == value).count() as f64;
        expected += n * weight / total;
        if expected >= 5.0 {
            sum += (counted - expected).powi(2) / expected;
            cells += 1.0;
            (counted, expected) = (0.0, 0.0);
        }
    }
    let free: f64 = cells - 1.0;
    let spread: f64 = 2.0 / (9.0 * free);
    sum / (free * (1.0 - spread + 3.719 * spread.sqrt()).powi(3))
}

/// The drawings have the law's counts and do not have those of the wrong one.
pub(crate) fn count(name: &str, drawn: &[i64], law: &[(i64, f64)], wrong: &[(i64, f64)]) {
    let (right, wrong) = (pearson(drawn, law), pearson(drawn, wrong));
    assert!(right < 1.0, "{name}: {right} of 1");
    assert!(wrong > 1.0, "{name}: the wrong law gives only {wrong}");
}

/// All values of a range with the same weight.
pub(crate) fn even(values: std::ops::RangeInclusive<i64>) -> Vec<(i64, f64)> {
    values.map(|value| (value, 1.0)).collect()
}

/// The share of what is true is `p`, and is told from `p + 0.022`.
pub(super) fn share(name: &str, drawn: impl Iterator<Item = bool>, p: f64) {
    let drawn: Vec<bool> = drawn.collect();
    let n = drawn.len() as f64;
    let found = drawn.iter().filter(|x| **x).count() as f64 / n;
    let deviate = |p: f64| (found - p).abs() / (p * (1.0 - p) / n).sqrt();
    assert!(deviate(p) < 3.891, "{name}: {found}, not {p}");
    assert!(
        deviate(p + 0.022) > 3.891,
        "{name}: {found} might be {}",
        p + 0.022
    );
}

/// The correlation of two drawings is 0, refused from 0.0275 on; one of 0.044 is found with a probability of 0.99.
pub(super) fn independent(name: &str, a: &[f64], b: &[f64]) {
    let n = a.len() as f64;
    let mean = |x: &[f64]| x.iter().sum::<f64>() / n;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product = |x: &[f64], y: &[f64], m: f64, k: f64| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - m) * (y - k)).sum()
    };
    let spread = product(a, a, mean_a, mean_a) * product(b, b, mean_b, mean_b);
    let correlation = product(a, b, mean_a, mean_b) / spread.sqrt();
    assert!(
        correlation.abs() < 3.891 / n.sqrt(),
        "{name}: {correlation}"
    );
}
