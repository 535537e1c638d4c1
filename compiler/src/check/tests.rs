//! What files close to, and that no text makes the compiler stop.

use crate::hir::{self, Data, Layer, Program, Schedule};
use crate::loss::Loss;
use crate::units::Exact;
use crate::{Profile, check, sources};
use grammar::diagnostic::{Diagnostic, Severity};

const TABLE1: &str = include_str!("../../../experiments/table1.cc");
const QUICKSTART: &str = include_str!("../../../experiments/quickstart.cc");
const ESC10: &str = include_str!("../../../experiments/local/esc10.cc");

fn compile(text: &str, profile: Profile) -> (Option<Program>, Vec<Diagnostic>) {
    let mut sources = sources();
    let root = sources.add("test.cc", text);
    check(&mut sources, root, &|_, _| None, profile)
}

fn program(text: &str) -> Program {
    let (program, found) = compile(text, Profile::Full);
    program.unwrap_or_else(|| panic!("{found:#?}"))
}

fn codes(text: &str) -> Vec<&'static str> {
    compile(text, Profile::Full)
        .1
        .iter()
        .filter(|d| d.severity != Severity::Note)
        .map(|d| d.code.0)
        .collect()
}

#[test]
fn a_name_that_is_defined_twice_is_no_wrong_value_as_well() {
    let text = "use paper\ndata crisscross = synthetic(clips: 24, classes: 3, length: 3.5s, lag: 0.3s, seed: 1)\n\
                pretrain t = crisscross with { data = crisscross }\n";
    assert_eq!(codes(text), ["E0303"]);
    // Of another name it is said.
    let text = "use paper\npretrain t = crisscross with { data = crisscross }\n";
    assert_eq!(codes(text), ["E0203"]);
}

/// `-weight` of each pair of views, each pair being two directed terms of half its weight.
fn pairs(loss: &Loss) -> Vec<(String, Exact)> {
    let mut pairs: std::collections::BTreeMap<String, Exact> = Default::default();
    for (term, weight) in &loss.terms {
        let mut views: Vec<String> = term
            .args
            .iter()
            .map(|e| format!("{}{}", e.view().0, e.view().1))
            .collect();
        views.sort_by_key(|v| (v.starts_with('a'), v.clone()));
        let sum = pairs.entry(views.concat()).or_insert(Exact::whole(0));
        *sum = sum.minus(*weight).unwrap();
    }
    pairs.into_iter().collect()
}

#[test]
fn table1_has_the_weights_of_the_paper() {
    let table = &program(TABLE1).tables[0];
    let intra = ["a1a2", "v1v2"];
    let sync = ["v1a1", "v2a2"];
    let async_ = ["v1a2", "v2a1"];
    let rows: [&[&str]; 11] = [
        &["v1v2"],
        &["a1a2"],
        &intra,
        &sync,
        &async_,
        &[intra, sync].concat(),
        &[sync, async_].concat(),
        &[intra, async_].concat(),
        &[&["v1v2"], &sync[..], &async_].concat(),
        &[&["a1a2"], &sync[..], &async_].concat(),
        &[intra, sync, async_].concat(),
    ];
    assert_eq!(table.rows.len(), rows.len());
    for (row, expected) in table.rows.iter().zip(rows) {
        let loss = &row.pretrain.loss;
        let share = Exact::new(1, expected.len() as i128);
        let mut expected: Vec<(String, Exact)> =
            expected.iter().map(|p| (p.to_string(), share)).collect();
        expected.sort();
        assert_eq!(pairs(loss), expected, "{}", row.label);
        assert_eq!(loss.terms.len(), 2 * expected.len(), "{}", row.label);
        let names: Vec<&str> = row
            .pretrain
            .modalities
            .iter()
            .map(|m| m.name.as_str())
            .collect();
        assert_eq!(
            names,
            ["v", "a"],
            "the sampler stays that of all modalities"
        );
    }
    assert_eq!(table.rows[0].pretrain.loss.modalities(), ["v"]);
    assert_eq!(table.rows[1].pretrain.loss.modalities(), ["a"]);
    assert!(table.rows[1].pretrain.modality("v").unwrap().h.is_none());
    assert!(table.rows[1].pretrain.modality("a").unwrap().h.is_some());
    let expect: Vec<Option<&str>> = table.rows[0].expect.iter().map(Option::as_deref).collect();
    assert_eq!(expect, [Some("69.1"), None]);
    assert_eq!(
        table.rows[0].label,
        "loss = v1v2, lr_b = cosine(0.0001 -> 0), lr_p = 0.001"
    );
}

#[test]
fn algorithm_1_is_a_loss_with_exact_weights() {
    let text = "use paper\npretrain printed = crisscross with {\n\
        loss = 1/3 * (2 * intra + sync + async)  weights = exact }";
    let loss = &program(text).pretrains[0].pretrain.loss;
    let weight = |pair: &str| pairs(loss).into_iter().find(|(p, _)| p == pair).unwrap().1;
    assert_eq!(weight("v1v2"), Exact::new(1, 3));
    assert_eq!(weight("v2a1"), Exact::new(1, 6));
}

#[test]
fn assertions_of_the_prelude_hold_and_false_ones_do_not() {
    assert_eq!(codes("use paper\nassert unit(intra) == intra"), [""; 0]);
    assert_eq!(codes("use paper\nassert intra == sync"), ["E0407"]);
    assert_eq!(codes("use paper\nassert 8frames / 16fps == 0.5s"), [""; 0]);
    assert_eq!(
        codes("use paper\nassert crisscross == crisscross_k400"),
        ["E0407"]
    );
    let spelt = "use paper\npretrain k = crisscross_k400 with { v.lr_b = cosine(0.0002 -> 0.0001, warmup: 2ep) }\n\
        assert k == crisscross_k400";
    assert_eq!(codes(spelt), [""; 0]);
}

#[test]
fn the_bare_loss_is_the_papers_method() {
    let bare = program("intra + sync + async");
    let table = program(TABLE1);
    assert!(bare.is_bare);
    assert_eq!(
        bare.pretrains[0].pretrain,
        *table.tables[0].rows[10].pretrain
    );
    assert_eq!(bare.tables.len(), 1);
    assert!(bare.tables[0].scores.is_empty());
}

#[test]
fn order_names_and_units_do_not_change_what_a_file_means() {
    let one = program("use paper\npretrain x = crisscross with { loss = sync + intra  seed = 3 }");
    let other = program(
        "use paper\npretrain y = base with { loss = l }\nloss l = 2 * intra + both\nloss both = 2 * sync\n\
         pretrain base = crisscross with { seed = 3   lr_b = cosine(2e-4 -> 0, warmup: n) }\nlet n = 1ep + 1ep",
    );
    assert_eq!(one.pretrains[0].pretrain, other.pretrains[0].pretrain);
}

#[test]
fn for_is_a_product_a_zip_or_a_variable() {
    let text = "use paper\ntable t {\n of = crisscross\n\
        for loss in [intra, sync] { for seed in range(1, 3) { row } }\n\
        for (bs, ep) in [(256, 50), (512, 100)] { row }\n\
        for share in [100%, 0%] { row relax = windows(within: overlap(share, of: each), across: start) }\n\
        for of in [crisscross, crisscross_k400] { row } }";
    let table = &program(text).tables[0];
    assert_eq!(table.rows.len(), 6 + 2 + 2 + 2);
    assert_eq!(table.rows[1].label, "loss = intra, seed = 2");
    assert_eq!(table.rows[1].pretrain.seed, 2);
    assert_eq!(
        (table.rows[7].pretrain.bs, table.rows[7].pretrain.ep),
        (512, 100)
    );
    let whole = hir::Within::Overlap {
        share: Exact::whole(1),
        of: None,
    };
    assert_eq!(table.rows[8].pretrain.relax.within, whole);
    assert_eq!(table.rows[11].pretrain.bs, 2048);
}

#[test]
fn a_field_reads_its_finished_record() {
    let text = "use paper\npretrain base = crisscross with { lr_p = lr_b.start }\n\
        pretrain fast = base with { lr_b = cosine(0.01 -> 0) }";
    let pretrain = &program(text).pretrains[1].pretrain;
    assert_eq!(
        pretrain.modalities[0].lr_p,
        Schedule::Constant(Exact::new(1, 100))
    );
}

#[test]
fn a_modality_has_a_rate_of_its_own() {
    let text = "use paper\npretrain x = crisscross with { v.lr_b = 0.5  a.h = same(v.h) }";
    let pretrain = &program(text).pretrains[0].pretrain;
    assert_eq!(
        pretrain.modalities[0].lr_b,
        Schedule::Constant(Exact::new(1, 2))
    );
    assert!(matches!(
        pretrain.modalities[1].lr_b,
        Schedule::Cosine { .. }
    ));
    let h = pretrain.modalities[1].h.as_ref().unwrap();
    assert_eq!(h.same.as_deref(), Some("v.h"));
    assert_eq!(h.width(), Some(2048));
}

#[test]
fn toy_bounds_what_an_experiment_spends() {
    for text in [TABLE1, QUICKSTART, ESC10, "intra"] {
        let (program, found) = compile(text, Profile::Toy);
        let program = program.unwrap_or_else(|| panic!("{found:#?}"));
        assert!(program.is_toy);
        for row in program.tables.iter().flat_map(|t| &t.rows) {
            assert!(row.pretrain.bs <= 8 && row.pretrain.ep <= 3);
            assert!(
                matches!(&row.pretrain.data, Data::Synthetic(d) if d.clips <= 60 && d.classes <= 4)
            );
            let layers = row.pretrain.modalities.iter().flat_map(|m| &m.f.layers);
            for layer in layers {
                assert!(!matches!(layer, Layer::Fc { width } if *width > 32));
            }
        }
    }
    let (esc10, _) = compile(ESC10, Profile::Toy);
    let esc10 = esc10.unwrap();
    assert_eq!(
        esc10.tables[0].rows[0].pretrain.ep, 0,
        "random weights stay random"
    );
    assert!(
        matches!(esc10.tables[0].scores[0].1.data(), Some(Data::Synthetic(d)) if d.splits == 5 && d.streams == ["a"])
    );
}

/// Two sets that are different are two columns, also where the same clips stand in for both.
#[test]
fn stand_ins_are_no_columns_that_stand_twice() {
    let text = "use paper\ntable t { of = crisscross   scores = [linear8 on UCF101, linear8 on HMDB51]\n  row\n}\n";
    for profile in [Profile::Full, Profile::Toy] {
        let (program, found) = compile(text, profile);
        assert!(program.is_some());
        assert!(
            found.iter().all(|d| d.code.to_string() != "W0803"),
            "{found:#?}"
        );
    }
}

#[test]
fn one_mistake_is_one_message() {
    assert_eq!(
        codes("use papre\npretrain x = crisscross with { loss = intra }"),
        ["E0308"]
    );
    assert_eq!(
        codes("use paper\nloss x = y\nloss y = x\npretrain q = crisscross with { loss = x }"),
        ["E0304"]
    );
    assert_eq!(
        codes("use paper\nloss mine = intra + synch\npretrain q = crisscross with { loss = mine }"),
        ["E0301"]
    );
    let text = "use paper\naugment HF9 = horizontal_flip(p: 50)\n\
        table t { of = crisscross  row v.augment = MSC-HF9  row v.augment = HF9  row bs = 1.5 }";
    assert_eq!(codes(text), ["E0206", "E0206"]);
}

/// A finetuning, a retrieval and a fusion, short enough to break one field of each.
const PROTOCOLS: &str = "use paper
eval tuned {
  uses = v  clip = 8x224px @ 16fps  train = random(2)  test = uniform(2)  augment = consistent(MSC-HF)
  tune = all  pool = adaptive_max  head = fc(classes)  bs = 64  es = 95K  ep = 20
  optim = sgd(mtm: 0.9, wd: 0.0)  lr = multistep(0.0005, ms: [6ep], gamma: 0.3)  drp = 0.0
  keep = last  score = top1(mean(clips))
}
eval near {
  uses = v  clip = 8x224px @ 16fps  train = uniform(2)  test = uniform(2)
  features = conv5 - mean(clips)  neighbours = knn(distance: cosine)  score = [recall(1), recall(5)]
}
eval both {
  uses = [v, a]  fuse = concat(linear8, linear2s)
  head = svm(cost: 1)  score = top1(mean(clips))
}
table t {
  of = crisscross
  scores = [tuned on UCF101, near on UCF101, both on KS, linear32 on UCF101]
  row expect 1, 2, 3, 4, 5
}
";

#[test]
fn protocols_close_and_a_list_of_scores_is_a_column_each() {
    let table = program(PROTOCOLS).tables.remove(0);
    let headings: Vec<&str> = table.scores.iter().map(|(h, _)| h.as_str()).collect();
    assert_eq!(
        headings,
        [
            "tuned on UCF101",
            "near on UCF101 R@1",
            "near on UCF101 R@5",
            "both on KS",
            "linear32 on UCF101"
        ]
    );
    assert_eq!(table.scores[2].1.score(), hir::Score::Recall(5));
    let uses: Vec<&str> = table.scores[3]
        .1
        .parts()
        .iter()
        .map(|part| part.uses.as_str())
        .collect();
    assert_eq!(uses, ["v", "a"]);
}

#[test]
fn each_protocol_says_what_does_not_belong_to_it() {
    let cases = [
        ("keep = last", "keep = best(split: val(10%))", None),
        ("keep = last", "", Some("E0305")),
        ("head = fc(classes)", "head = svm(cost: 1)", Some("E0203")),
        ("drp = 0.0", "drp = 2", Some("E0206")),
        ("bs = 64  es = 95K", "bs = 64  es = 32", Some("E0709")),
        ("drp = 0.0", "drp = 0.0  features = conv5", Some("E0302")),
        (
            "score = [recall(1), recall(5)]",
            "score = top1(mean(clips))",
            Some("E0203"),
        ),
        (
            "[recall(1), recall(5)]",
            "[recall(5), recall(5)]",
            Some("E0307"),
        ),
        (
            "knn(distance: cosine)",
            "knn(distance: euclid)",
            Some("E0301"),
        ),
        (
            "drp = 0.0\n  keep = last  score = top1(mean(clips))",
            "drp = 0.0\n  keep = last  score = [top1(mean(clips)), top5(mean(clips))]",
            Some("E0203"),
        ),
        (
            "head = svm(cost: 1)  score = top1(mean(clips))",
            "head = svm(cost: 1)  score = top5(mean(clips))",
            None,
        ),
        ("uses = [v, a]", "uses = [a, v]", Some("E0203")),
        (
            "concat(linear8, linear2s)",
            "concat(linear8)",
            Some("E0310"),
        ),
        (
            "concat(linear8, linear2s)",
            "concat(linear8 on KS, linear2s)",
            Some("E0307"),
        ),
        ("both on KS", "both on UCF101", Some("E0706")),
    ];
    for (from, to, wanted) in cases {
        let found = codes(&PROTOCOLS.replacen(from, to, 1));
        let wanted: Vec<&str> = wanted.into_iter().collect();
        let errors: Vec<&str> = found.into_iter().filter(|c| c.starts_with('E')).collect();
        assert_eq!(errors, wanted, "{from} -> {to}");
    }
}

/// What is said of a loss of the six methods of `experiments/related.cc`, and of each with the part left out that its paper
/// names as what prevents collapse.
#[test]
fn methods_are_held_up_and_their_broken_forms_are_not() {
    let said = |loss: &str| {
        let text = format!(
            "use paper\n\
             let target = ema(z, decay: cosine(0.99 -> 1))\n\
             let all = ema(p, decay: 0.99)\n\
             let bank = memory(z, momentum: 0.5)\n\
             let protos = linear(300)\n\
             pretrain one = crisscross with {{ loss = {loss}   weights = exact }}\n"
        );
        codes(&text)
    };
    let both = "for i != j in views)";
    let across = "for m < n in modalities)";
    let hinges = "hinge_std(z(v[1])) + hinge_std(z(v[2]))";
    let covs = "cov(z(v[1])) + cov(z(v[2]))";
    let cases: &[(String, &[&str])] = &[
        // SimSiam (Chen and He 2021, Tables 1 and 2).
        ("pair(v[1], v[2])".into(), &[]),
        ("-cos(p(v[1]), z(v[2]))".into(), &["W0411"]),
        (
            format!("mean(-cos(z(v[i]), sg(z(v[j]))) {both}"),
            &["W0411"],
        ),
        ("-cos(z(v[1]), z(v[2]))".into(), &["W0411"]),
        // BYOL (Grill et al. 2020, Table 5): the moving average alone does not do.
        (
            format!("mean(mse(l2(p(v[i])), sg(l2(target(v[j])))) {both}"),
            &[],
        ),
        (
            format!("mean(mse(l2(p(v[i])), l2(target(v[j]))) {both}"),
            &[],
        ),
        (
            format!("mean(mse(l2(z(v[i])), sg(l2(target(v[j])))) {both}"),
            &["W0411"],
        ),
        (
            format!("mean(mse(l2(p(v[i])), sg(l2(all(v[j])))) {both}"),
            &["W0411"],
        ),
        // VICReg (Bardes et al. 2022, Table 7), and Barlow Twins in its operators.
        (
            format!("25 * mse(z(v[1]), z(v[2])) + 25 * ({hinges}) + {covs}"),
            &[],
        ),
        (format!("mse(z(v[1]), z(v[2])) + {hinges}"), &[]),
        (format!("25 * mse(z(v[1]), z(v[2])) + {covs}"), &["W0411"]),
        (
            "mse(z(v[1]), z(v[2])) + hinge_std(z(v[1])) + 0.005 * cov(z(v[1]))".into(),
            &[],
        ),
        (covs.into(), &["W0411"]),
        // SwAV (Caron et al. 2020): the balanced assignment.
        (
            format!(
                "mean(xent(protos(l2(z(v[i]))) / 0.1, sg(sinkhorn(protos(l2(z(v[j]))), eps: 0.05))) {both}"
            ),
            &[],
        ),
        (
            format!("mean(xent(protos(l2(z(v[i]))) / 0.1, sg(protos(l2(z(v[j]))))) {both}"),
            &["W0411"],
        ),
        // AVID (Morgado et al. 2021), and negatives within a batch.
        (
            format!(
                "mean(info_nce(l2(z(m[1])), l2(bank(n[1])), t: 0.07, negatives: 1024) + info_nce(l2(z(n[1])), l2(bank(m[1])), t: 0.07, negatives: 1024) {across}"
            ),
            &[],
        ),
        (
            "info_nce(l2(z(v[1])), l2(bank(a[1])), t: 0.07, negatives: 1024)".into(),
            &["W0417"],
        ),
        (
            format!(
                "mean(mse(l2(z(m[1])), l2(bank(n[1]))) + mse(l2(z(n[1])), l2(bank(m[1]))) {across}"
            ),
            &["W0411"],
        ),
        ("info_nce(z(v[1]), z(a[1]), t: 0.1)".into(), &[]),
        // Sound with negatives holds up video that is drawn to it, and video alone nothing.
        (
            "info_nce(z(a[1]), z(a[2]), t: 0.1) + mse(z(v[1]), z(a[1]))".into(),
            &[],
        ),
        (
            "info_nce(z(a[1]), z(a[2]), t: 0.1) + mse(z(v[1]), z(v[2]))".into(),
            &["W0411"],
        ),
        // The paper's losses, with one direction or one sign wrong.
        ("intra + sync + async".into(), &[]),
        (
            "-cos(p(v[1]), sg(z(v[2]))) - cos(p(v[2]), z(v[1]))".into(),
            &["W0416"],
        ),
        (
            "-cos(p(v[1]), sg(z(a[1]))) - cos(p(a[1]), z(v[1]))".into(),
            &["W0416"],
        ),
        (
            "mse(l2(p(v[1])), sg(l2(target(v[2])))) + mse(l2(p(v[2])), l2(z(v[1])))".into(),
            &["W0416"],
        ),
        ("-cos(sg(p(v[1])), z(v[2]))".into(), &["W0417"]),
        ("-cos(p(v[1]), sg(z(a[1])))".into(), &["W0417"]),
        ("-cos(sg(p(v[1])), sg(z(v[2])))".into(), &["E0418"]),
        ("mse(bank(v[1]), bank(v[2]))".into(), &["E0418"]),
        ("cos(p(v[1]), sg(z(v[2])))".into(), &["W0415"]),
        ("dot(l2(z(v[1])), l2(z(v[2])))".into(), &["W0415"]),
        ("-info_nce(z(v[1]), z(a[1]), t: 0.1)".into(), &["W0415"]),
        ("-1 * intra".into(), &["W0415"]),
        // Negatives written by hand hold up, and are asked about.
        (
            "cos(z(v[1]), z(a[2])) - cos(z(v[1]), z(a[1]))".into(),
            &["W0415"],
        ),
    ];
    let own = |found: &[&'static str]| -> Vec<&'static str> {
        let others = ["W0413", "W0414", "W0503", "W0504", "W0505"];
        found
            .iter()
            .copied()
            .filter(|code| !others.contains(code))
            .collect()
    };
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(loss, wanted)| {
            let found = own(&said(loss));
            (found != *wanted).then(|| format!("{loss}\n  {found:?}, not {wanted:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn doubling_ends() {
    let mut text = String::from("use paper\nloss x0 = intra\n");
    for i in 1..64 {
        text += &format!("loss x{i} = x{0} + x{0}\n", i - 1);
    }
    text += "pretrain q = crisscross with { loss = x63 }";
    assert_eq!(codes(&text), ["E0408"]);
    let mut text = String::from("use paper\n");
    for i in 1..64 {
        text += &format!("let n{i} = n{0} + n{0}\n", i - 1);
    }
    text += "let n0 = 1\npretrain q = crisscross with { seed = n63 }";
    assert!(compile(&text, Profile::Full).0.is_none());
}

#[test]
fn each_ring_is_one_message_of_few_names() {
    let pairs: String = (0..50)
        .map(|i| format!("let a{i} = b{i}\nlet b{i} = a{i}\n"))
        .collect();
    assert_eq!(codes(&pairs), ["E0304"; 50]);
    let tail: String = (2..50)
        .map(|i| format!("let a{i} = a{}\n", i - 1))
        .collect();
    assert_eq!(
        codes(&format!("let a0 = a1\nlet a1 = a0\n{tail}")),
        ["E0304"]
    );
    let long: String = (1..50)
        .map(|i| format!("let a{i} = a{}\n", i - 1))
        .collect();
    let (_, found) = compile(&format!("let a0 = a49\n{long}"), Profile::Full);
    let messages: Vec<&str> = found.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "definitions form a ring: `a0`, `a49`, `a48`, `a47`, `a46`, `a45`, `a44`, `a43`, 42 more, `a0`"
        ]
    );
    // All lead through one: what is not in the ring that is named is in another.
    let star: String = (0..50).map(|i| format!("let a{i} = hub\n")).collect();
    let hub: Vec<String> = (0..50).map(|i| format!("a{i}")).collect();
    let found = codes(&format!("let hub = {}\n{star}", hub.join(" + ")));
    assert_eq!(found, ["E0304"; 50]);
}

#[test]
fn a_file_has_no_more_experiments_than_can_be_run() {
    let many = |count: usize| -> String {
        let declared = (0..count).map(|i| format!("pretrain p{i} = crisscros\n"));
        format!("use paper\n{}", declared.collect::<String>())
    };
    let (program, found) = compile(&many(10_001), Profile::Full);
    assert!(program.is_none());
    let [one] = found.as_slice() else {
        panic!("{found:#?}");
    };
    assert_eq!(one.code.0, "E0206");
    assert_eq!(
        one.message,
        "a file declares at most 10000 experiments, this is one more"
    );
    let table = |name: &str| {
        format!(
            "table {name} {{ of = crisscross  scores = [linear8 on UCF101]\n  for seed in range(1, 6000) {{ row }}\n}}\n"
        )
    };
    let found = compile(
        &format!("use paper\n{}{}", table("t"), table("u")),
        Profile::Full,
    )
    .1;
    let is_full = |d: &&Diagnostic| d.message == "the tables have more than 10000 rows together";
    assert_eq!(found.iter().filter(is_full).count(), 1, "{found:#?}");
}

#[test]
fn ranges_are_not_written_out_without_end() {
    let figure = "figure f { of = crisscross  for seed in range(1, 9000) { row } }\n".repeat(12);
    let (_, found) = compile(&format!("use paper\n{figure}"), Profile::Full);
    let is_full =
        |d: &&Diagnostic| d.message == "the ranges of a file have at most 100000 members together";
    assert_eq!(found.iter().filter(is_full).count(), 1, "{found:#?}");
}

#[test]
fn a_function_has_no_endless_parameters_and_a_sum_no_endless_lists() {
    let names: Vec<String> = (0..101).map(|i| format!("p{i}")).collect();
    let text = format!("use paper\nloss f({}) = intra", names.join(", "));
    assert_eq!(codes(&text), ["E0310"]);
    let lists: Vec<String> = names
        .iter()
        .map(|name| format!("{name} in views"))
        .collect();
    let text = format!(
        "use paper\npretrain x = crisscross with {{ loss = sum(intra for {}) }}",
        lists.join(", ")
    );
    assert_eq!(codes(&text), ["E0310"]);
}

#[test]
fn misspelt_names_are_compared_with_a_bounded_number() {
    let known: String = (0..20_000)
        .map(|i| format!("let name{i} = {i}\n"))
        .collect();
    let wrong: String = (0..200)
        .map(|i| format!("let wrong{i} = nume{i}\n"))
        .collect();
    let (_, found) = compile(&(known + &wrong), Profile::Full);
    assert_eq!(found.len(), 200);
    let helped = found.iter().take_while(|d| d.help.is_some()).count();
    assert_eq!(helped, 49, "a million names, 20301 each time");
    assert!(found[helped..].iter().all(|d| d.help.is_none()));
}

/// A small deterministic generator: the tests need no seed from outside.
fn next(state: &mut u64) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

#[test]
fn no_exchange_of_words_stops_the_compiler() {
    let texts = [TABLE1, QUICKSTART, ESC10, crate::PAPER];
    let words: Vec<&str> = texts.iter().flat_map(|t| t.split_whitespace()).collect();
    let mut state = 7;
    for round in 0..400 {
        let text = texts[round % texts.len()];
        let mut parts: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
        for _ in 0..=round % 3 {
            let (at, word) = (
                next(&mut state) % parts.len(),
                words[next(&mut state) % words.len()],
            );
            parts[at] = word;
            parts.insert(at + 1, " ");
        }
        let profile = if round % 5 == 0 {
            Profile::Toy
        } else {
            Profile::Full
        };
        let (program, found) = compile(&parts.concat(), profile);
        let is_wrong = found.iter().any(|d| d.severity == Severity::Error);
        assert_eq!(
            program.is_none(),
            is_wrong,
            "{}\n{found:#?}",
            parts.concat()
        );
    }
}
