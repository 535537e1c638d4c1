//! LARC over Adam, value by value.

use crate::recipe::{Stream, json, numbers};
use compiler::hir;
use compiler::units::Exact;
use runtime::optim::Optimiser;
use std::collections::BTreeMap;
use tch::Tensor;

/// Two groups at rates of their own: `w` is clipped from the first step on, `b` starts at zero, `big` is never clipped.
#[test]
fn larc_over_adam_takes_the_released_codes_steps() {
    let golden = json("larc_unit.json");
    let adam = hir::Optimiser::Adam {
        betas: (Exact::new(9, 10), Exact::new(999, 1_000)),
        wd: Exact::new(1, 10_000),
    };
    let larc = hir::Optimiser::Larc {
        inner: Box::new(adam),
        trust: Exact::new(1, 1_000),
    };
    let stream = |name: &str, count, scale: f64| {
        let stream = Stream::new(name);
        Tensor::from_slice(
            &(0..count)
                .map(|i| scale * stream.at(i))
                .collect::<Vec<f64>>(),
        )
    };
    // Count, scale of the first values, scale of the gradients.
    let tensors = BTreeMap::from([
        ("w", (12, 0.5, 200.0)),
        ("b", (5, 0.0, 0.01)),
        ("big", (6, 2.0, 0.003)),
    ]);
    let start = |name: &str| {
        let (count, scale, _) = tensors[name];
        stream(&format!("unit.{name}"), count, scale).set_requires_grad(true)
    };
    let groups = [(vec!["w", "b"], 0.01), (vec!["big"], 0.002)].map(|(names, rate)| {
        let parameters: Vec<_> = names.iter().map(|name| start(name)).collect();
        let shared = parameters.iter().map(Tensor::shallow_clone).collect();
        (
            names,
            parameters,
            Optimiser::new(&larc, shared).unwrap(),
            rate,
        )
    });
    for (names, parameters, mut optimiser, rate) in groups {
        for (k, step) in golden["float64"].as_array().unwrap().iter().enumerate() {
            let gradient = |name: &&str| {
                stream(
                    &format!("unit.grad.{k}.{name}"),
                    tensors[*name].0,
                    tensors[*name].2,
                )
            };
            optimiser
                .step(&names.iter().map(gradient).collect::<Vec<_>>(), rate)
                .unwrap();
            for (name, parameter) in names.iter().zip(&parameters) {
                let ours = Vec::<f64>::try_from(parameter.detach()).unwrap();
                for (ours, golden) in ours.iter().zip(numbers(&step[name]["value"])) {
                    assert!(
                        (ours - golden).abs() < 1e-12,
                        "{name} in step {k}: {ours} is not {golden}"
                    );
                }
            }
        }
    }
}
