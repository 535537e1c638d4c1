//! The two preludes: who says each value, the same names in both, and every known difference between paper and code.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)] // whatever is not there, the test has failed

use compiler::hir::{Data, Link, Pretrain, Program, Schedule, Within};
use compiler::readings::{Agreement, Difference, differences};
use compiler::units::Exact;
use compiler::{PAPER, Profile, RELEASED, check, hash, sources};
use grammar::ast::{Block, BlockItem, Body, Decl, ExprKind, File, Item};
use grammar::diagnostic::Diagnostic;
use grammar::span::Sources;

fn parsed(text: &str) -> (Sources, File) {
    let mut sources = Sources::default();
    let id = sources.add("prelude.cc", text);
    let (file, found) = grammar::parse(&sources, id);
    assert!(found.is_empty(), "{found:?}");
    (sources, file)
}

fn between(left: &str, right: &str) -> Vec<Difference> {
    let mut sources = Sources::default();
    let left = sources.add("left.cc", left);
    let right = sources.add("right.cc", right);
    differences(&sources, left, right)
}

fn closed(text: &str) -> (Option<Program>, Vec<Diagnostic>) {
    let mut sources = sources();
    let root = sources.add("test.cc", text);
    check(&mut sources, root, &|_, _| None, Profile::Full)
}

/// The first pretraining of a file.
fn pretrain(text: &str) -> Pretrain {
    let (program, found) = closed(text);
    let program = program.unwrap_or_else(|| panic!("{found:#?}"));
    program.pretrains.into_iter().next().unwrap().pretrain
}

fn block(decl: &Decl) -> Option<&Block> {
    match &decl.body {
        Body::Block(block) => Some(block),
        Body::Expr(expr) => match &expr.kind {
            ExprKind::With(_, block) => Some(block),
            _ => None,
        },
    }
}

/// Declarations, assertions and fields of a prelude whose source nobody names. A field on the line of its declaration
/// has that of the declaration.
fn without_source(text: &str) -> Vec<String> {
    let (sources, file) = parsed(text);
    let line = |span: grammar::span::Span| sources.line_column(span.file, span.start).0;
    let has = |span| {
        file.docs
            .get(&span)
            .is_some_and(|doc| !doc.sources.is_empty())
    };
    let mut missing = vec![];
    for item in &file.items {
        let (span, decl) = match item {
            Item::Decl(decl) => (decl.span, Some(decl)),
            Item::Assert(assert) => (assert.span, None),
            Item::Allow(_) => continue, // it says why itself
        };
        if !has(span) {
            missing.push(format!("line {}", line(span)));
        }
        for item in decl.and_then(block).iter().flat_map(|block| &block.items) {
            if let BlockItem::Field(field) = item
                && !has(field.span)
                && line(field.span) != line(span)
            {
                missing.push(format!("line {}: {}", line(field.span), field.path));
            }
        }
    }
    missing
}

#[test]
fn every_declaration_and_every_field_names_its_source() {
    for (name, text) in [("paper", PAPER), ("released", RELEASED)] {
        assert_eq!(without_source(text), [""; 0], "{name}.cc");
    }
    let lacking = "eval e { ## source: Sec. 1\n  uses = v\n  test = uniform(1) ## source: code\n}\nlet x = 1\n";
    assert_eq!(without_source(lacking), ["line 2: uses", "line 5"]);
}

#[test]
fn both_declare_the_same_names_in_the_same_order() {
    let names = |text: &str| -> Vec<String> {
        let (_, file) = parsed(text);
        let of_item = |item: &Item| match item {
            Item::Decl(decl) => format!("{} {}", decl.kind.value.word(), decl.name.value),
            Item::Assert(_) => "assert".to_owned(),
            Item::Allow(_) => "allow".to_owned(),
        };
        file.items.iter().map(of_item).collect()
    };
    assert_eq!(names(PAPER), names(RELEASED));
}

/// What the released code does to clips that the paper says otherwise or not at all, operator by operator, by the place that must
/// say so.
const AUGMENTATIONS: [&str; 41] = [
    // Video of training, in the order of its operators.
    "augment MSC, program",
    "augment MSC, law",
    "augment MSC, weaker form",
    "augment CJ, probability",
    "augment CJ, order",
    "augment CJ, pivot of contrast",
    "modality v, rounding to 8 bits",
    "augment GS",
    "augment GB",
    "augment GB, direction",
    "augment GB, kernel",
    "modality v, normalisation",
    "augment C",
    "augment C, side",
    "augment C, probability",
    "augment C, several squares",
    "data UCF101, short videos",
    // Video of evaluation.
    "modality v, sizes of test frames",
    "eval finetune8.augment, blur",
    // Sound.
    "modality a, decoding",
    "augment VJ, law",
    "modality a",
    "modality a, columns",
    "modality a, padding of the transform",
    "modality a, logarithm",
    "modality a, normalisation",
    "augment TW, law",
    "eval linear2s.augment",
    "eval linear2s.augment, order",
    "augment FM",
    "augment TM",
    "augment TM, start",
    "augment TM, fill",
    "augment M",
    "augment RC, axes",
    "augment RC, filter",
    "augment RC, sizes",
    "pretrain crisscross.a.augment, order",
    // Of all.
    "augment M, captions of Tables S3 and S4",
    "modality v, random numbers",
    "modality v, frame at a time",
];

/// The same of its protocols and of its windows in time.
const EVALUATION: [&str; 65] = [
    // 0: what was released.
    "eval linear8, state of the code",
    "eval linear2s, state of the code",
    "data KS, settings and loaders",
    "data KS, late fusion",
    "data UCF101, retrieval",
    // 1: ESC50.
    "data ESC50",
    "eval linear2s.train",
    "eval linear2s.train, clips of training",
    "eval linear2s.train, start of a clip",
    "eval linear2s.test, clips of test",
    "eval linear2s.test, windows of test",
    "eval linear5s, clips of test",
    "eval linear2s.features",
    "eval linear2s.features, l2",
    "eval linear2s.features, BatchNorm",
    "eval linear2s.head",
    "eval linear2s.head, scores",
    "eval linear2s.head, cost",
    "eval linear8.head, solver",
    // 2: DCASE.
    "data DCASE, which set",
    "eval linear1s.clip, length",
    "eval linear1s.head",
    "eval linear1s.features",
    "eval linear1s.features, l2",
    "eval linear1s.head, batches",
    "eval linear1s.head, epoch that counts",
    "eval linear1s.head, new layer",
    "eval linear1s.head, scores",
    // 3: finetuning.
    "data UCF101",
    "eval finetune8.es, visits",
    "eval finetune8.keep",
    "eval finetune8.keep, epoch that counts",
    "eval finetune8.head, new layer",
    "eval finetune8.train, files that cannot be decoded",
    "eval finetune8.lr, warm-up",
    "eval finetune8.tune, arithmetic",
    "eval finetune8.test, clips of test",
    "eval finetune8.score, scores",
    "eval finetune8_as.lr",
    "eval finetune8_as.drp",
    "eval finetune8_h_as.lr",
    "eval finetune8_h_as.drp",
    "eval finetune32_h_as.lr",
    "eval finetune32_h_as.drp",
    // 4: what only the paper describes.
    "eval linear8.features",
    "eval linear32.head",
    // 5: windows in time.
    "relaxation none",
    "relaxation mild",
    "relaxation medium",
    "relaxation extreme",
    "relaxation mixed",
    "relaxation none, alignment of windows",
    "relaxation none, a loss without sound",
    "relaxation mild, 50 % of what",
    "relaxation extreme, further modes",
    "relaxation extreme, short sources",
    "data KS",
    "data KS, which files",
    "data KS, exact fits",
    "data KS, files that cannot be decoded",
    "data K400",
    "data AS",
    "pretrain crisscross.es, epoch",
    "pretrain crisscross_k400.es",
    "eval linear2s.test",
];

/// What is known of the rest: losses, networks and training.
const TRAINING: [&str; 17] = [
    "loss intra, outer 1/2",
    "loss sync, stray term",
    "layers r2plus1d18, shortcut",
    "layers resnet18, strides",
    "pretrain crisscross.weights",
    "pretrain crisscross.weights, fewer than three terms",
    "pretrain crisscross.bn",
    "pretrain crisscross.bn, several devices",
    "pretrain crisscross.optim, which parameters decay",
    "pretrain crisscross.lr_b",
    "pretrain crisscross.lr_b, warm-up",
    "pretrain crisscross.lr_p",
    "pretrain crisscross.lr_p, rate of the first steps",
    "pretrain crisscross.precision, first step",
    "pretrain crisscross.seed",
    "pretrain crisscross_k400.optim",
    "pretrain crisscross_k400.optim, LARC",
];

#[test]
fn the_known_differences_are_listed_with_their_sources() {
    let found = between(PAPER, RELEASED);
    let listed: Vec<String> = found.iter().map(Difference::what).collect();
    let known = AUGMENTATIONS.iter().chain(&EVALUATION).chain(&TRAINING);
    let missing: Vec<&&str> = known
        .filter(|known| !listed.iter().any(|what| what == **known))
        .collect();
    assert!(missing.is_empty(), "{missing:?} of {listed:#?}");
    for difference in &found {
        let is_said =
            |side: &compiler::readings::Side| side.text.is_some() && !side.sources.is_empty();
        assert!(
            is_said(&difference.left) && is_said(&difference.right),
            "{difference:?}"
        );
    }
}

#[test]
fn differences_are_found_in_values_fields_notes_and_copies() {
    let left = "## source: Sec. 1\n## note order: first [code]\nlet a = 1\nlet b = [1, 2] ## source: code\n\
                eval e { uses = v  train = random(1) } ## source: App. E\neval f = e with { test = uniform(1) }\n";
    let right = "let a = 1 # no doc\nlet b = [1,\n  3] ## source: code\n\
                 eval e { uses = v  train = random(1) }\neval f = e with { test = uniform(1)  train = random(2) }\n";
    let found: Vec<String> = between(left, right)
        .iter()
        .map(|d| {
            format!(
                "{:?} {}: {:?} {:?}",
                d.kind,
                d.what(),
                d.left.text,
                d.right.text
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            "Differs let a, order: Some(\"first\") None",
            "Differs let b: Some(\"[1, 2]\") Some(\"[1, 3]\")",
            "Differs eval f.train: Some(\"random(1)\") Some(\"random(2)\")",
        ]
    );
    assert_eq!(between(left, left).len(), 2, "what the code alone says");
    assert!(
        between(right, right)
            .iter()
            .all(|d| d.kind == Agreement::Filled)
    );
}

#[test]
fn one_word_switches_an_experiment() {
    let text =
        |module: &str| format!("use {module}\npretrain mine = crisscross with {{ seed = 1 }}\n");
    let (paper, released) = (pretrain(&text("paper")), pretrain(&text("released")));
    assert_ne!(hash::pretrain(&paper), hash::pretrain(&released));
    let v = released.modality("v").unwrap();
    assert!(matches!(v.lr_b, Schedule::Late { first, .. } if first == Exact::new(1, 1000)));
    assert!(v.augment.links.iter().any(|link| matches!(
        link,
        Link::GaussianBlur { sigma, pair: compiler::hir::Pair::Axes, .. } if *sigma == (Exact::new(1, 10), Exact::whole(2))
    )));
    let extreme = pretrain("use released\npretrain far = crisscross with { relax = extreme }\n");
    assert_eq!(extreme.relax.within, Within::OffsetMax);
}

/// The heads of evaluations and the files that are read are values of both, and one word switches between them.
#[test]
fn one_word_switches_evaluations_and_files() {
    let head = |module: &str, asked: &str| {
        let text = format!(
            "use {module}\ntable t {{ of = crisscross_as   scores = [{asked}]   row seed = 1 }}\n"
        );
        let (program, found) = closed(&text);
        let program = program.unwrap_or_else(|| panic!("{found:#?}"));
        let (_, protocol) = program.tables[0].scores[0].clone();
        let fields = compiler::written::classifier(protocol.head()).into_iter();
        let of = |name: &str| {
            let found = fields.clone().find(|(path, _)| path == name);
            found.map_or_else(|| format!("no {name}"), |(_, text)| text)
        };
        [of("lr"), of("drp"), of("head")]
    };
    let lr = |rate: &str, milestones: &str, gamma: &str| {
        format!("multistep({rate}, ms: [{milestones}], gamma: {gamma})")
    };
    let (early, late) = ("6ep, 10ep, 14ep", "8ep, 12ep, 16ep");
    // Table S11; then what the released code has after AudioSet.
    for (module, asked, rate, dropout) in [
        (
            "paper",
            "finetune8 on UCF101",
            lr("0.0005", early, "0.3"),
            "0",
        ),
        (
            "released",
            "finetune8 on UCF101",
            lr("0.0005", early, "0.3"),
            "0",
        ),
        (
            "paper",
            "finetune8_as on UCF101",
            lr("0.0005", early, "0.3"),
            "0",
        ),
        (
            "released",
            "finetune8_as on UCF101",
            lr("0.00007", late, "0.1"),
            "0.1",
        ),
        (
            "paper",
            "finetune32_as on UCF101",
            lr("0.00007", late, "0.3"),
            "0",
        ),
        (
            "released",
            "finetune32_as on UCF101",
            lr("0.00007", late, "0.3"),
            "0",
        ),
        (
            "paper",
            "finetune8_h_as on HMDB51",
            lr("0.0005", early, "0.1"),
            "0",
        ),
        (
            "released",
            "finetune8_h_as on HMDB51",
            lr("0.0001", late, "0.1"),
            "0.5",
        ),
        (
            "paper",
            "finetune32_h_as on HMDB51",
            lr("0.0001", late, "0.3"),
            "0",
        ),
        (
            "released",
            "finetune32_h_as on HMDB51",
            lr("0.0001", early, "0.1"),
            "0.5",
        ),
    ] {
        let expected = [rate, dropout.to_owned(), "fc(classes)".to_owned()];
        assert_eq!(head(module, asked), expected, "{module}: {asked}");
    }
    assert_eq!(
        head("paper", "linear1s on DCASE")[2],
        "linear(ep: 20, lr: 0.01)"
    );
    assert_eq!(
        head("released", "linear1s on DCASE")[2],
        "linear(ep: 200, lr: 0.007, bs: 512, optim: adam(betas: (0.9, 0.999), wd: 0.00001), drp: 0.1, keep: best(split: test))"
    );
    let longer = |module: &str| {
        let data = pretrain(&format!("use {module}\npretrain x = crisscross\n")).data;
        match data {
            Data::Videos(files) => files.longer,
            Data::Sounds(_) | Data::Synthetic(_) => panic!("Kinetics-Sound is of videos"),
        }
    };
    assert_eq!(
        (longer("paper"), longer("released")),
        (None, Some(Exact::new(11, 10)))
    );
}

/// The sum over pairs, divided by twice the enabled families.
#[test]
fn weights_of_the_released_code() {
    let weights = |loss: &str| {
        let text = format!("use released\npretrain mine = crisscross with {{ loss = {loss} }}\n");
        let loss = pretrain(&text).loss;
        let pairs = compiler::graph::pairs(&loss).unwrap();
        let first = pairs[0].1;
        assert!(
            pairs.iter().all(|(_, weight)| *weight == first),
            "{pairs:?}"
        );
        (pairs.len(), first)
    };
    assert_eq!(weights("intra + sync + async"), (6, Exact::new(1, 6)));
    assert_eq!(weights("sync + async"), (4, Exact::new(1, 4)));
    assert_eq!(weights("v1v2 + sync + async"), (5, Exact::new(1, 6)));
    assert_eq!(weights("v1v2"), (1, Exact::new(1, 2)));
}
