//! Labels of rows: what they set, one after another, `loss = intra, seed = 3`, and what tells rows of one label apart.

use compiler::plan::{Plan, TablePlan, Work};

/// What a label sets, one after another; a comma within parentheses belongs to a value.
fn parts(label: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut parts) = (0, 0, vec![]);
    for (at, letter) in label.char_indices() {
        match letter {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(label[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(label[begin..].trim());
    parts
}

/// What a label calls a value: `none` of `loss = intra, relax = none`.
pub(super) fn called<'l>(label: &'l str, of: &str) -> Option<&'l str> {
    let said = format!("{of} = ");
    parts(label)
        .into_iter()
        .find_map(|part| part.strip_prefix(&said))
}

/// A label without what it says of a value; empty where it says nothing else.
pub(super) fn without(label: &str, of: &str) -> String {
    let said = format!("{of} = ");
    let mut kept = parts(label);
    kept.retain(|part| !part.starts_with(&said));
    kept.join(", ")
}

/// A label without its seed; one that says nothing else is general.
pub(super) fn without_seed(label: &str) -> String {
    match without(label, "seed") {
        kept if kept.is_empty() => "all seeds".to_owned(),
        kept => kept,
    }
}

/// The labels of the rows of a table. To labels that repeat is added what tells their rows apart: the place on the axis of a figure, the
/// seed.
pub(super) fn labels(plan: &Plan, table: &TablePlan) -> Vec<String> {
    let place = table.rows.iter().map(|row| {
        let (x, at) = table.x.as_ref().zip(row.at.as_ref())?;
        Some(format!("{x} = {at}"))
    });
    let seed = table.rows.iter().map(|row| {
        let Work::Pretrain(work) = &plan.stage(&row.pretrain)?.work else {
            return None;
        };
        Some(format!("seed = {}", work.settings.seed))
    });
    let mut labels: Vec<String> = table.rows.iter().map(|row| row.label.clone()).collect();
    tell_apart(&mut labels, &place.collect::<Vec<_>>());
    tell_apart(&mut labels, &seed.collect::<Vec<_>>());
    labels
}

/// Adds `what` is said of each row to labels that repeat, where rows of one label differ in it.
fn tell_apart(labels: &mut [String], what: &[Option<String>]) {
    let before = labels.to_vec();
    for (at, label) in labels.iter_mut().enumerate() {
        let alike = || (0..before.len()).filter(|other| before[*other] == before[at]);
        if let Some(text) = &what[at]
            && alike().any(|other| what[other] != what[at])
        {
            *label = format!("{label}, {text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_label_is_read_by_what_it_sets() {
        assert_eq!(
            without("loss = intra, relax = mild", "relax"),
            "loss = intra"
        );
        assert_eq!(without("mine", "relax"), "mine");
        assert_eq!(without("seed = 3", "seed"), "");
        let long = "relax = windows(within: same, across: inside), loss = nce(v, a)";
        assert_eq!(without(long, "relax"), "loss = nce(v, a)");
        assert_eq!(
            called(long, "relax"),
            Some("windows(within: same, across: inside)")
        );
    }

    #[test]
    fn a_label_loses_its_seed_alone() {
        assert_eq!(without_seed("loss = intra, seed = 3"), "loss = intra");
        assert_eq!(without_seed("seed = 3"), "all seeds");
        assert_eq!(without_seed("none"), "none");
    }

    #[test]
    fn labels_that_repeat_say_what_tells_their_rows_apart() {
        let of = |body: &str| {
            let plan = fixture::planned(&format!(
                "use paper\nfigure t {{\n  of = crisscross\n  scores = [linear8 on UCF101]\n{body}\n}}\n"
            ));
            labels(&plan, &plan.tables[0])
        };
        let seeds = of(
            "  x = loss\n  for seed in range(0, 1) { row \"none\" ep = 0\n row loss = intra }\n  row \"alone\" ep = 7",
        );
        assert_eq!(
            seeds,
            [
                "none, seed = 0",
                "seed = 0, loss = intra",
                "none, seed = 1",
                "seed = 1, loss = intra",
                "alone"
            ]
        );
        let places =
            of("  x = bs\n  for bs in [64, 128] { for seed in range(0, 1) { row \"mine\" } }");
        assert_eq!(
            places,
            [
                "mine, bs = 64, seed = 0",
                "mine, bs = 64, seed = 1",
                "mine, bs = 128, seed = 0",
                "mine, bs = 128, seed = 1"
            ]
        );
    }
}
