//! What each pass does to the plans of the paper's files, and that none changes what a cell comes to.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // whatever is not there, the test has failed

mod shipped;

use compiler::hir::Program;
use compiler::plan::passes::{
    Why, extract_once, gang, joined, optimise, order, outside, reuse_checkpoints, score_once,
    share_pretrainings,
};
use compiler::plan::{self, Ask, Draft, Plan, StageId, Work, literal};
use compiler::{Profile, check, sources};
use shipped::{experiments, used};
use std::collections::{BTreeMap, BTreeSet};

fn program(file: &str) -> Program {
    let text = std::fs::read_to_string(experiments().join(file)).unwrap();
    of_text(file, &text)
}

fn of_text(file: &str, text: &str) -> Program {
    let mut sources = sources();
    let root = sources.add(file, text);
    let (program, found) = check(&mut sources, root, &used, Profile::Full);
    program.unwrap_or_else(|| panic!("{file}: {found:#?}"))
}

/// All files of the paper, by name.
fn all() -> Vec<(String, Program)> {
    let folder = std::fs::read_dir(experiments()).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".cc")).collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let program = program(&name);
            (name, program)
        })
        .collect()
}

fn borrowed(files: &[(String, Program)]) -> Vec<(&str, &Program)> {
    files
        .iter()
        .map(|(name, program)| (name.as_str(), program))
        .collect()
}

/// What the stages of a draft come to: the settings of each written out, with the outcomes that it reads in place of their ids.
/// Panics where a stage stands before one that it needs, or where stages of one id come to different things.
fn outcomes(draft: &Draft<'_>) -> BTreeMap<StageId, String> {
    let mut known: BTreeMap<StageId, String> = BTreeMap::new();
    for stage in &draft.asked {
        let needs: Vec<&String> = stage.work.needs().iter().map(|id| &known[id]).collect();
        let own = match &stage.work {
            Ask::Pretrain { settings, made, .. } => {
                serde_json::to_string(&(settings.as_ref(), made.steps.as_ref()))
            }
            Ask::Extract {
                eval,
                checkpoint,
                seed,
                ..
            } => {
                // Head and score are those of the score.
                let mut eval = serde_json::to_value(eval).unwrap();
                let fields = eval.as_object_mut().unwrap();
                fields.remove("head");
                fields.remove("score");
                serde_json::to_string(&("features", eval, checkpoint, seed))
            }
            Ask::Finetune {
                eval,
                checkpoint,
                seed,
                ..
            } => serde_json::to_string(&("finetuned", eval, checkpoint, seed)),
            Ask::Draw {
                checkpoint,
                drawing,
                seed,
                ..
            } => serde_json::to_string(&("drawn", checkpoint, drawing, seed)),
            Ask::Score {
                head, score, seed, ..
            } => serde_json::to_string(&("score", head, score, seed)),
        };
        let whole = format!("{needs:?} {}", own.unwrap());
        let outcome = blake3::hash(whole.as_bytes()).to_string();
        let before = known.insert(stage.id.clone(), outcome.clone());
        assert!(
            before.is_none_or(|before| before == outcome),
            "{}",
            stage.label
        );
    }
    known
}

/// What the cells of all tables come to.
fn cells(draft: &Draft<'_>) -> Vec<Result<String, String>> {
    let known = outcomes(draft);
    let rows = draft.tables.iter().flat_map(|table| &table.rows);
    let cells = rows.flat_map(|row| &row.cells);
    cells
        .map(|cell| cell.stage.clone().map(|id| known[&id].clone()))
        .collect()
}

type Pass = for<'p> fn(Draft<'p>) -> (Draft<'p>, Why);

const PASSES: [(&str, Pass); 6] = [
    ("share_pretrainings", share_pretrainings),
    ("extract_once", extract_once),
    ("score_once", score_once),
    ("reuse_checkpoints", reuse_checkpoints),
    ("order", order),
    ("gang", gang),
];

/// Each pass on what the one before it left, and each alone on what the rows ask for.
#[test]
fn no_pass_changes_what_a_cell_comes_to() {
    let files = all();
    let files = borrowed(&files);
    let wanted = cells(&literal(&files).unwrap());
    assert!(wanted.len() > 100);
    let mut draft = literal(&files).unwrap();
    for (name, pass) in PASSES {
        let (after, why) = pass(draft);
        assert_eq!(why.pass, name);
        assert_eq!(cells(&after), wanted, "{name}");
        let (alone, _) = pass(literal(&files).unwrap());
        assert_eq!(cells(&alone), wanted, "{name} alone");
        let (again, nothing) = pass(after);
        assert!(
            name == "gang" || nothing.done.is_empty(),
            "{name} twice: {}",
            nothing.done
        );
        draft = again;
    }
}

/// The stages of each kind.
fn counts(draft: &Draft<'_>) -> [usize; 4] {
    let mut counts = [0; 4];
    for stage in &draft.asked {
        counts[match &stage.work {
            Ask::Pretrain { .. } => 0,
            Ask::Extract { .. } => 1,
            Ask::Score { .. } => 2,
            Ask::Finetune { .. } | Ask::Draw { .. } => 3,
        }] += 1;
    }
    counts
}

/// A draft with each id replaced by a number: a hash says nothing to a reader.
fn printed(draft: &Draft<'_>) -> String {
    let mut numbers: BTreeMap<&StageId, usize> = BTreeMap::new();
    let mut lines = vec![];
    for stage in &draft.asked {
        let next = numbers.len() + 1;
        let number = *numbers.entry(&stage.id).or_insert(next);
        let needs: Vec<String> = stage
            .work
            .needs()
            .iter()
            .map(|id| numbers[id].to_string())
            .collect();
        let needs = match needs.join(" ") {
            needs if needs.is_empty() => needs,
            needs => format!("  reads {needs}"),
        };
        lines.push(format!("{number:3}  {}{needs}", stage.label));
    }
    for gang in &draft.gangs {
        let members: Vec<String> = gang
            .members
            .iter()
            .map(|id| numbers[id].to_string())
            .collect();
        let data: Vec<&str> = gang.data.iter().map(|step| step.name.as_str()).collect();
        lines.push(format!(
            "gang {} share {}",
            members.join(" "),
            data.join(" ")
        ));
    }
    lines.join("\n")
}

const SMALL: &str = "use paper
table first {
  of     = crisscross
  scores = [linear8 on UCF101]
  row loss = intra + sync, ep = 200
  row loss = intra
}
table second {
  of     = crisscross
  scores = [linear8 on UCF101, linear2s on ESC50]
  row loss = sync + intra, ep = 200
  row loss = sync + async
}
";

/// Before, and after each pass.
#[test]
fn what_each_pass_does_to_two_tables() {
    let program = of_text("small.cc", SMALL);
    let mut draft = literal(&[("small.cc", &program)]).unwrap();
    let mut text = format!("as asked for\n{}\n", printed(&draft));
    for (name, pass) in PASSES {
        let (after, why) = pass(draft);
        text += &format!("\n{name}: {}\n{}\n", why.done, printed(&after));
        draft = after;
    }
    insta::assert_snapshot!(text);
}

/// 59 pretrainings are asked for over the paper, 31 are distinct; the tables that the paper does not have are left out here.
#[test]
fn equal_pretrainings_are_trained_once() {
    let names = [
        "table1.cc",
        "table2.cc",
        "table3.cc",
        "table4.cc",
        "table5.cc",
        "table6.cc",
        "table7.cc",
        "table8.cc",
        "temporal_consistency.cc",
        "fig5.cc",
    ];
    let files: Vec<(String, Program)> = names
        .iter()
        .map(|name| (name.to_string(), program(name)))
        .collect();
    let draft = literal(&borrowed(&files)).unwrap();
    let asked = counts(&draft)[0];
    let rows: usize = draft.tables.iter().map(|table| table.rows.len()).sum();
    assert_eq!(asked, rows);
    let (draft, why) = share_pretrainings(draft);
    let distinct: BTreeSet<&StageId> = draft
        .tables
        .iter()
        .flat_map(|table| &table.rows)
        .map(|row| &row.pretrain)
        .collect();
    assert_eq!(counts(&draft)[0], distinct.len());
    assert_eq!(
        why.done,
        format!("pretrainings {asked} -> {}", distinct.len())
    );
}

/// One set of features serves the eight costs of an SVM, and the late fusion of Table 2 reads the two sets that its columns have.
#[test]
fn features_are_extracted_once() {
    let table2 = program("table2.cc");
    let draft = literal(&[("table2.cc", &table2)]).unwrap();
    // Two rows of two scores; two rows of four scores on one set and one on two.
    assert_eq!(counts(&draft), [4, 2 * 2 + 2 * (4 + 2), 2 * 2 + 2 * 5, 0]);
    let (draft, why) = extract_once(draft);
    assert_eq!(counts(&draft), [4, 2 * 2 + 2 * 4, 2 * 2 + 2 * 5, 0]);
    assert_eq!(why.done, "extractions 16 -> 12");
    let mut costs = BTreeSet::new();
    for stage in &draft.asked {
        if let Ask::Score { head, features, .. } = &stage.work {
            let compiler::hir::Head::Svm { costs: tried, .. } = head else {
                panic!("Table 2 fits SVMs");
            };
            costs.insert(tried.len());
            if let [v, a] = &features[..] {
                let readers = |of: &StageId| {
                    let needs = draft.asked.iter().map(|stage| stage.work.needs());
                    needs.filter(|needs| needs.contains(of)).count()
                };
                assert_eq!(
                    (readers(v), readers(a)),
                    (2, 2),
                    "the columns' own scores read them too"
                );
            }
        }
    }
    assert_eq!(costs, BTreeSet::from([8]));
}

fn plan_of(file: &str) -> Plan {
    plan::plan(&[(file, &program(file))]).unwrap()
}

fn label<'p>(plan: &'p Plan, id: &StageId) -> &'p str {
    plan.stage(id)
        .unwrap()
        .label
        .strip_suffix(" pretrain")
        .unwrap()
}

/// Rows 3 to 11 of Table 1 differ in their loss alone; rows 1 and 2 have rates of their own.
#[test]
fn nine_rows_of_table1_are_one_gang() {
    let plan = plan_of("table1.cc");
    let [gang] = &plan.gangs[..] else {
        panic!("{} groups", plan.gangs.len())
    };
    let members: BTreeSet<&str> = gang.members.iter().map(|id| label(&plan, id)).collect();
    let wanted: Vec<String> = (3..=11).map(|row| format!("table1:{row}")).collect();
    assert_eq!(members, wanted.iter().map(String::as_str).collect());
    let reasons: BTreeMap<&str, String> = outside(&plan)
        .into_iter()
        .map(|(id, reason)| (label(&plan, &id), reason))
        .collect();
    assert_eq!(
        reasons["table1:1"],
        "group 1 has another a.lr_b (cosine(0.0002 -> 0, warmup: 2ep), not cosine(0.0001 -> 0)), a.lr_p (0.002, not 0.001), \
         v.lr_b (cosine(0.0002 -> 0, warmup: 2ep), not cosine(0.0001 -> 0)), v.lr_p (0.002, not 0.001)"
    );
    assert_eq!(reasons.len(), 2);
    assert!(reasons["table1:2"].contains("a.lr_p (0.002, not 0.0001)"));
    // Two decodes and four views instead of nine times as many.
    let names: Vec<&str> = gang.data.iter().map(|step| step.name.as_str()).collect();
    let cuts = ["a1.cut", "a2.cut", "v1.cut", "v2.cut"];
    let is_no_link = |name: &&&str| !name.contains('.') || name.ends_with(".cut");
    let whole: Vec<&str> = names.iter().filter(is_no_link).copied().collect();
    assert_eq!(
        whole,
        [
            &["clip", "t", "da", "dv"],
            &cuts[..],
            &["a1", "a2", "v1", "v2"]
        ]
        .concat()
    );
    // And each link of the chains once for each view: 4 and the conversion for sound, 6 and the conversion for frames.
    assert_eq!(names.len() - whole.len(), 2 * 5 + 2 * 7);
    // They are the data of the joined step, whose members have groups of their own.
    let settings: Vec<_> = gang
        .members
        .iter()
        .map(|id| match &plan.stage(id).unwrap().work {
            Work::Pretrain(work) => work.settings.as_ref(),
            Work::Extract(_) | Work::Finetune(_) | Work::Score(_) | Work::Draw(_) => {
                panic!("{id:?}")
            }
        })
        .collect();
    let steps = joined(&settings).0.steps();
    assert_eq!(steps[..gang.data.len()], gang.data[..]);
    let encodes = steps.iter().filter(|step| step.name.starts_with("z["));
    assert_eq!(encodes.count(), 9 * 4);
}

/// What differs in more than the loss is no group: another seed, policy, rate, or no training at all.
#[test]
fn what_differs_in_more_than_the_loss_stays_alone() {
    let rows = |rows: &str| {
        let text = format!("use paper\ntable t {{\n  of = crisscross\n{rows}\n}}\n");
        let program = of_text("t.cc", &text);
        plan::plan(&[("t.cc", &program)]).unwrap().gangs.len()
    };
    assert_eq!(rows("row loss = intra\nrow loss = sync"), 1);
    for change in [
        "seed = 1",
        "relax = none",
        "lr_p = 0.001",
        "bs = 256",
        "ep = 99",
        "bn = joint",
        "bn_group = 64",
    ] {
        assert_eq!(
            rows(&format!("row loss = intra\nrow loss = sync, {change}")),
            0,
            "{change}"
        );
    }
    assert_eq!(rows("row loss = intra, ep = 0\nrow loss = sync, ep = 0"), 0);
    // A loss that reads the pictures alone takes its part of what the others read.
    assert_eq!(rows("row loss = v1v2\nrow loss = sync"), 1);
    // One predictor for both is another network, not another loss.
    assert_eq!(
        rows("row loss = intra\nrow loss = sync, a.h = same(v.h)"),
        0
    );
    // A run is no member twice.
    assert_eq!(rows("row loss = intra\nrow loss = intra"), 0);
}

/// Rows and files in another order: the same stages, and the same groups.
#[test]
fn order_of_rows_and_files_changes_no_stage_and_no_group() {
    let mut files = all();
    let sets = |files: &[(String, Program)]| {
        let (plan, _) = plan::planned(&borrowed(files)).unwrap();
        let ids: BTreeSet<StageId> = plan.stages.iter().map(|stage| stage.id.clone()).collect();
        let gangs: BTreeSet<BTreeSet<StageId>> = plan
            .gangs
            .iter()
            .map(|gang| gang.members.iter().cloned().collect())
            .collect();
        (ids, gangs)
    };
    let known = sets(&files);
    assert!(!known.1.is_empty());
    files.reverse();
    assert_eq!(sets(&files), known, "files");
    for (_, program) in &mut files {
        program.tables.reverse();
        program
            .tables
            .iter_mut()
            .for_each(|table| table.rows.reverse());
    }
    assert_eq!(sets(&files), known, "tables and rows");
}

/// A plan that is read back has its groups, and one without any reads as before.
#[test]
fn groups_are_part_of_a_plan() {
    let plan = plan_of("table1.cc");
    let back: Plan = serde_json::from_str(&plan::json(&plan)).unwrap();
    assert_eq!(back, plan);
    let mut without = serde_json::to_value(&plan).unwrap();
    without.as_object_mut().unwrap().remove("gangs");
    let back: Plan = serde_json::from_value(without).unwrap();
    assert!(back.gangs.is_empty());
    assert_eq!(back.stages, plan.stages);
}

/// What a run leaves out is in no group.
#[test]
fn groups_are_of_what_can_be_executed() {
    let plan = plan_of("related.cc");
    let left = plan::executable(&plan).plan;
    let planned: BTreeSet<&StageId> = left.stages.iter().map(|stage| &stage.id).collect();
    for gang in &left.gangs {
        assert!(gang.members.len() > 1);
        assert!(gang.members.iter().all(|id| planned.contains(id)));
    }
    let (_, log) = optimise_of(&["table1.cc"]);
    assert_eq!(log.last().unwrap().done, "9 of 11 pretrainings in 1 group");
}

fn optimise_of(names: &[&str]) -> (usize, Vec<Why>) {
    let files: Vec<(String, Program)> = names
        .iter()
        .map(|name| (name.to_string(), program(name)))
        .collect();
    let (draft, log) = optimise(literal(&borrowed(&files)).unwrap());
    (draft.asked.len(), log)
}
