//! The learning-rate table.

use crate::recipe::{assert_near, json};
use compiler::hir::Schedule;
use compiler::units::Exact;
use runtime::optim::schedule::rates;

/// Table S10, row K400: from 2e-4 to 1e-4 in 100 epochs, two of them warm-up; predictors at 2e-3. Entry k is the rate of our
/// step k, and of step k + 1 of the released code.
#[test]
fn learning_rates_are_those_of_the_released_schedule() {
    let golden = json("lr_schedule.json");
    let epochs = golden["num_epochs"].as_u64().unwrap();
    let warmup = golden["warmup_epochs"].as_u64().unwrap();
    let cosine = Schedule::Cosine {
        from: Exact::new(2, 10_000),
        to: Exact::new(1, 10_000),
        warmup: Exact::whole(i128::from(warmup)),
    };
    let constant = Schedule::Constant(Exact::new(2, 1_000));
    let mut compared = 0;
    for (key, table) in golden["epochs"].as_object().unwrap() {
        let iterations: u64 = key.split_once('=').unwrap().1.parse().unwrap();
        let [base, predictor] = [&cosine, &constant].map(|s| rates(s, iterations, epochs as u32));
        let late = |of: &Schedule| Schedule::Late {
            first: Exact::new(1, 1_000),
            of: Box::new(of.clone()),
        };
        let [late_base, late_predictor] =
            [&cosine, &constant].map(|s| rates(&late(s), iterations, epochs as u32));
        assert_eq!(base.len() as u64, iterations * epochs);
        for (epoch, row) in table.as_object().unwrap() {
            let first = epoch.parse::<usize>().unwrap() * iterations as usize;
            let last = first + iterations as usize - 1;
            let in_time = [(first, "schedule_first"), (last, "schedule_last")];
            let as_code = [
                (first, "used_by_first_optimizer_step"),
                (last, "used_by_last_optimizer_step"),
            ];
            let groups = [
                (in_time, &base, &predictor),
                (as_code, &late_base, &late_predictor),
            ];
            let cells = groups
                .into_iter()
                .flat_map(|(cells, base, predictor)| cells.map(|cell| (cell, base, predictor)));
            for ((entry, column), base, predictor) in cells {
                for (group, golden) in row[column].as_object().unwrap() {
                    let ours = if group.ends_with("predictor") {
                        predictor[entry]
                    } else {
                        base[entry]
                    };
                    assert_near(
                        &format!("{key} {epoch} {group}"),
                        ours,
                        golden.as_f64().unwrap(),
                        1e-12,
                    );
                    compared += 1;
                }
            }
        }
    }
    assert!(compared >= 8, "the table is empty");
}
