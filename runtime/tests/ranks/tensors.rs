//! Tensors, values and gradients between ranks.

use super::together::together;
use runtime::error::Error;
use runtime::loss;
use runtime::ranks::Ranks;
use runtime::ranks::gradients::Gradients;
use std::sync::atomic::{AtomicBool, Ordering};
use tch::{Device, Kind, Tensor};

fn values(tensor: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(tensor.flatten(0, -1)).unwrap()
}

/// Pseudo-random numbers that differ by `salt`.
fn numbers(shape: &[i64], salt: i64) -> Tensor {
    let count = shape.iter().product::<i64>();
    let at = Tensor::arange(count, (Kind::Double, Device::Cpu)) + 31.0 * salt as f64;
    ((at * 12.9898).sin() * 3.7).view(shape)
}

fn assert_close(a: &Tensor, b: &Tensor) {
    let difference = (a - b).abs().max().double_value(&[]);
    let size = b.abs().max().double_value(&[]);
    assert!(
        difference <= 1e-12 * size.max(1.0),
        "{difference} of {size}"
    );
}

#[test]
fn tensors_go_between_ranks() {
    for (rank, (sum, gathered, told, collected)) in together(3, |ranks| {
        let own = ranks.rank() as f64;
        let tensor = Tensor::from_slice(&[own, 10.0 * own]).view([1, 2]);
        let mean = ranks.mean(&tensor).unwrap();
        let gathered = ranks.gather(&tensor).unwrap();
        ranks.broadcast(&[tensor.shallow_clone()]).unwrap();
        assert_eq!(values(&tensor), [0.0, 0.0]);
        let told = ranks.tell(|| format!("from {}", ranks.rank())).unwrap();
        let collected = ranks.collect(2 * ranks.rank()).unwrap();
        (values(&mean), values(&gathered), told, collected)
    })
    .into_iter()
    .enumerate()
    {
        assert_eq!(sum, [1.0, 10.0], "{rank}");
        assert_eq!(gathered, [0.0, 0.0, 1.0, 10.0, 2.0, 20.0]);
        assert_eq!((told.as_str(), collected), ("from 0", vec![0, 2, 4]));
    }
}

#[test]
fn one_process_is_asked_the_same_and_answers_itself() {
    let ranks = Ranks::alone();
    let x = numbers(&[4, 2], 0);
    assert_eq!(ranks.rows(&x).unwrap(), x);
    assert_eq!(ranks.mean(&x).unwrap(), x);
    assert_eq!(ranks.gather(&x).unwrap().size(), [1, 4, 2]);
    assert_eq!(ranks.own_rows(&x), x);
    assert_eq!(ranks.collect(3).unwrap(), [3]);
    assert!(ranks.is_first() && ranks.is_alone() && ranks.part_of(7).unwrap() == 7);
    assert!(!ranks.tell(|| false).unwrap());
    ranks.finish().unwrap();
}

#[test]
fn a_failure_of_one_is_the_failure_of_all_and_a_stop_reaches_all() {
    let outcomes = together(2, |ranks| {
        let own = match ranks.rank() {
            0 => Ok(7),
            _ => Err(Error::Interrupted),
        };
        let outcome = ranks.agree(own).map_err(|error| error.to_string());
        // Rank 0 is asked, rank 1 asks itself and is not heard.
        let asked = AtomicBool::new(ranks.rank() == 0);
        let first = ranks.tell(|| ranks.rank() == 1).unwrap();
        let second = ranks.tell(|| asked.load(Ordering::Relaxed)).unwrap();
        (
            outcome,
            first,
            second,
            ranks.stopper(&asked).load(Ordering::Relaxed),
        )
    });
    assert_eq!(outcomes[0].0, Err("rank 1 failed: interrupted".to_owned()));
    assert_eq!(outcomes[1].0, Err("interrupted".to_owned()));
    for (_, first, second, stopper) in outcomes {
        assert_eq!((first, second, stopper), (false, true, false));
    }
}

#[test]
fn a_batch_is_cut_into_equal_parts_or_refused() {
    for (part, refused) in together(2, |ranks| {
        let refused = ranks.part_of(7).unwrap_err().to_string();
        (ranks.part_of(6).unwrap(), refused)
    }) {
        assert_eq!(part, 3);
        assert!(
            refused.contains("7 cannot be cut into 2 equal parts"),
            "{refused}"
        );
    }
}

/// What comes of one objective.
#[derive(Debug)]
struct Found {
    objective: Tensor,
    /// By the weight, the bias, and what is never used.
    gradients: Vec<Tensor>,
    by_input: Tensor,
    running: [Tensor; 2],
}

/// A scalar of this rank's rows that goes through everything that looks across the ranks, by a step like that of a training.
fn found(ranks: &Ranks) -> Found {
    let leaf = |salt| numbers(&[3], salt).set_requires_grad(true);
    let (weight, bias, unused) = (leaf(5), leaf(6), leaf(7));
    let running = [numbers(&[3], 8), numbers(&[3], 9).abs()];
    let x = numbers(&[8, 3, 2, 2], 1);
    let x = ranks.own_rows(&x).copy().set_requires_grad(true);
    let forward = || {
        let learned = [&weight, &bias];
        let [mean, variance] = [&running[0], &running[1]];
        let y = ranks.norm(&x, learned, [mean, variance], (0.1, 1e-5));
        let y = y.unwrap_or_else(|| {
            let running = (Some(mean), Some(variance));
            x.batch_norm(
                Some(&weight),
                Some(&bias),
                running.0,
                running.1,
                true,
                0.1,
                1e-5,
                false,
            )
        });
        let pooled = y.square().flatten(2, -1).mean_dim(-1, false, None); // [B, 3]
        // A weight that is used twice has one gradient.
        let rows = (pooled * &weight).sin();
        let of_each = rows.square().sum_dim_intlist(-1, false, None).mean(None);
        let all = ranks.rows(&rows).unwrap();
        let across = all
            .matmul(&all.tr())
            .softmax(-1, None)
            .diagonal(0, 0, 1)
            .sum(None);
        // What looks across the batch, cut again: each rank goes on with rows of its own.
        let own = ranks.own_rows(&(&all * all.std_dim(0, true, true)));
        let of_own = own.exp().mean(None);
        let of_each = ranks.mean(&(of_each * 0.3 + of_own)).unwrap();
        of_each + across + loss::cov(&all)
    };
    let mut gradients = Gradients::new(
        vec![weight.shallow_clone(), bias.shallow_clone(), unused],
        ranks,
    )
    .unwrap();
    for _ in 0..2 {
        // The second time in the order that the first has shown.
        gradients.of(&forward()).unwrap();
    }
    let objective = forward();
    let by_input = Tensor::f_run_backward(&[forward()], &[&x], false, false)
        .unwrap()
        .remove(0);
    Found {
        gradients: gradients.of(&objective).unwrap(),
        objective: objective.detach(),
        // The mean of the objectives is what is differentiated.
        by_input: ranks.gather(&by_input).unwrap().flatten(0, 1) / ranks.count() as f64,
        running,
    }
}

#[test]
fn values_gradients_and_statistics_of_all_ranks_are_those_of_one() {
    let wanted = found(&Ranks::alone());
    for count in [2, 4] {
        for found in together(count, found) {
            assert_close(&found.objective, &wanted.objective);
            for gradient in [0, 1] {
                assert_close(&found.gradients[gradient], &wanted.gradients[gradient]);
            }
            assert!(!found.gradients[2].defined() && !wanted.gradients[2].defined());
            assert_close(&found.by_input, &wanted.by_input);
            for statistic in [0, 1] {
                assert_close(&found.running[statistic], &wanted.running[statistic]);
            }
        }
    }
}

#[test]
fn gradients_of_many_buckets_are_the_means_whatever_their_type() {
    let sizes: [i64; 5] = [10, 300_000, 1, 4_000_000, 7];
    let by_rank = together(2, |ranks| {
        let kinds = [
            Kind::Float,
            Kind::Float,
            Kind::Double,
            Kind::Float,
            Kind::Double,
        ];
        let leaf = |(size, kind): (&i64, &Kind)| {
            Tensor::ones([*size], (*kind, Device::Cpu)).set_requires_grad(true)
        };
        let leaves: Vec<_> = sizes.iter().zip(&kinds).map(leaf).collect();
        let shared = leaves.iter().map(Tensor::shallow_clone).collect();
        let mut gradients = Gradients::new(shared, ranks).unwrap();
        let mut means = Vec::new();
        for step in 1..4 {
            let factor = f64::from(step) * (1.0 + 2.0 * ranks.rank() as f64);
            let sums = leaves.iter().map(|leaf| leaf.sum(Kind::Double) * factor);
            let objective = sums.reduce(|a, b| a + b).unwrap();
            let all = gradients.of(&objective).unwrap();
            means = all
                .iter()
                .map(|of| {
                    (
                        of.kind(),
                        of.min().double_value(&[]),
                        of.max().double_value(&[]),
                    )
                })
                .collect();
        }
        assert_eq!(
            means.iter().map(|(kind, ..)| *kind).collect::<Vec<_>>(),
            kinds
        );
        means
    });
    for (_, min, max) in by_rank.into_iter().flatten() {
        assert_eq!((min, max), (6.0, 6.0));
    }
}

#[test]
fn half_precision_is_normalised_as_by_one_process() {
    let normed = |ranks: &Ranks| {
        let x = numbers(&[8, 3, 4], 1);
        let leaf = |salt| {
            numbers(&[3], salt)
                .to_kind(Kind::Float)
                .set_requires_grad(true)
        };
        let (weight, bias, mean, variance) =
            (leaf(1), leaf(2), leaf(3).detach(), leaf(4).detach().abs());
        let x = ranks.own_rows(&x).to_kind(Kind::BFloat16);
        let y = ranks.norm(&x, [&weight, &bias], [&mean, &variance], (0.1, 1e-5));
        let y = y.unwrap_or_else(|| {
            x.batch_norm(
                Some(&weight),
                Some(&bias),
                Some(&mean),
                Some(&variance),
                true,
                0.1,
                1e-5,
                false,
            )
        });
        assert_eq!(y.kind(), Kind::BFloat16);
        let objective = y.to_kind(Kind::Float).square().mean(None);
        let mut gradients = Gradients::new(vec![weight], ranks).unwrap();
        let gradient = gradients.of(&objective).unwrap().remove(0);
        let all = ranks.gather(&y.detach().to_kind(Kind::Double)).unwrap();
        (all.flatten(0, 1), gradient.to_kind(Kind::Double))
    };
    let (wanted, wanted_gradient) = normed(&Ranks::alone());
    for (found, gradient) in together(2, normed) {
        // Three digits are what bfloat16 has.
        let near = |a: &Tensor, b: &Tensor| {
            (a - b).abs().max().double_value(&[]) / b.abs().max().double_value(&[])
        };
        assert!(near(&found, &wanted) < 0.01 && near(&gradient, &wanted_gradient) < 0.01);
    }
}

#[test]
fn the_spread_of_embeddings_is_that_of_all_rows() {
    let spread = |ranks: &Ranks| {
        let views = [1, 2].map(|salt| ranks.own_rows(&numbers(&[4, 3], salt)));
        let found = runtime::watch::spread::of(&[&views[0], &views[1]], ranks).unwrap();
        found.unwrap().double_value(&[])
    };
    let wanted = spread(&Ranks::alone());
    for count in [2, 4] {
        for found in together(count, spread) {
            assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        }
    }
}
