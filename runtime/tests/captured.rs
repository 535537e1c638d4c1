//! A step from the places that a graph of a GPU would keep, its rates as numbers of the device, comes to what the step itself comes to.
//! Without a GPU nothing is recorded.

#[path = "small/mod.rs"]
mod small;

use compiler::hir::{Optimiser, Precision, Pretrain};
use compiler::units::Exact;
use runtime::check::stepped;
use runtime::error::Result;
use runtime::ffi::Profiler;
use std::collections::BTreeSet;
use tch::Device;

/// Six steps with a warm-up of the rate: each has another.
fn compare(settings: Pretrain) -> Result<()> {
    let work = small::work(settings);
    let eager = stepped::steps(&work, Device::Cpu, 6)?;
    let captured = stepped::captured(&work, Device::Cpu, 6)?;
    assert_eq!(eager.losses, captured.losses);
    assert_eq!(eager.gradients, captured.gradients);
    assert!(eager.losses[0] != eager.losses[5]);
    Ok(())
}

#[test]
fn steps_from_places_that_stay_are_the_same() {
    let adam = small::settings();
    let larc = Pretrain {
        optim: Optimiser::Larc {
            inner: Box::new(adam.optim.clone()),
            trust: Exact::new(1, 1_000),
        },
        ..adam.clone()
    };
    let sgd = Pretrain {
        optim: Optimiser::Sgd {
            mtm: Exact::new(9, 10),
            wd: Exact::new(1, 10_000),
        },
        ..adam.clone()
    };
    let half = Pretrain {
        precision: Precision::Fp16,
        ..adam.clone()
    };
    [adam, larc, sgd, half]
        .into_iter()
        .for_each(|settings| compare(settings).unwrap());
}

/// A graph cannot be recorded of a step that waits for a number of the device: nothing looks at one but kernels of the processor that do so
/// for themselves.
#[test]
fn no_step_looks_at_a_number() {
    let work = small::work(small::settings());
    let profiler = Profiler::begin(false).unwrap();
    stepped::steps(&work, Device::Cpu, 2).unwrap();
    let lines = profiler.end().unwrap();
    let events: Vec<(&str, u64, u64, &str)> = lines
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.splitn(5, '\t').collect();
            let number = |at: usize| fields[at].parse::<u64>().unwrap();
            (fields[1], number(2), number(2) + number(3), fields[4])
        })
        .collect();
    let looks = [
        "aten::item",
        "aten::_local_scalar_dense",
        "aten::is_nonzero",
        "aten::equal",
        "aten::nonzero",
        "aten::masked_select",
    ];
    let found = events.iter().filter(|event| looks.contains(&event.3));
    let caller = |of: &(&str, u64, u64, &str)| {
        let around = events.iter().filter(|event| {
            event.0 == of.0 && event.1 <= of.1 && of.2 <= event.2 && !looks.contains(&event.3)
        });
        around
            .min_by_key(|event| event.2 - event.1)
            .map(|event| event.3)
    };
    let callers: BTreeSet<Option<&str>> = found.map(caller).collect();
    assert_eq!(callers, BTreeSet::from([Some("aten::_fused_adam_")]));
}

#[test]
fn a_processor_has_no_graphs() {
    let work = small::work(small::settings());
    let error = stepped::timed(&work, Device::Cpu, (0, 1), true).unwrap_err();
    assert!(error.to_string().contains("this is a processor"), "{error}");
}
