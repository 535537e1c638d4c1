//! Values that the command line sets stand one level above the files.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use compiler::hir::Program;
use compiler::origins::Texts;
use compiler::{Above, COMMAND_LINE, Profile, plan};
use grammar::diagnostic::Severity;
use grammar::span::Sources;

const FILE: &str = "use paper
let slow = 0.001
pretrain mine = crisscross with { bs = 256   v.lr_b = 0.0003   es = 100 * bs }
table t {
  of = mine
  scores = [linear8 on UCF101]
  row loss = intra
  row loss = sync, bs = 128
  for bs in [64, 128] { row loss = async }
}
";

/// The program of `text` with these fields above it, and its messages as `CODE place: message`.
fn with(text: &str, set: &[&str], profile: Profile) -> (Option<Program>, Vec<String>, Sources) {
    let mut sources = compiler::sources();
    let file = sources.add("t.cc", text);
    let set = (!set.is_empty()).then(|| sources.add(COMMAND_LINE, set.join("\n")));
    let above = set.map(|fields| Above {
        fields,
        names: file,
    });
    let (program, found) = compiler::check_with(&mut sources, file, &|_, _| None, profile, above);
    let found = found.iter().filter(|d| d.severity != Severity::Note);
    let said = found.map(|d| {
        let place = d.primary.span;
        let (line, _) = sources.line_column(place.file, place.start);
        let file = &sources.get(place.file).name;
        format!("{} {file}:{line}: {}", d.code, d.message)
    });
    let said = said.collect();
    (program, said, sources)
}

fn closed(text: &str, set: &[&str]) -> Program {
    let (program, said, _) = with(text, set, Profile::Full);
    program.unwrap_or_else(|| panic!("{said:?}"))
}

/// The ids of all rows.
fn ids(program: &Program) -> Vec<String> {
    let rows = program.tables.iter().flat_map(|table| &table.rows);
    rows.map(|row| row.id.0.clone()).collect()
}

fn messages(text: &str, set: &[&str]) -> Vec<String> {
    with(text, set, Profile::Full).1
}

#[test]
fn a_set_value_is_an_edit_of_every_pretraining_and_row() {
    let edited = FILE
        .replace("bs = 256", "bs = 32")
        .replace(", bs = 128", "");
    let edited = edited.replace(
        "for bs in [64, 128] { row loss = async }",
        "row loss = async row loss = async",
    );
    let set = closed(FILE, &["bs = 32"]);
    assert_eq!(ids(&set), ids(&closed(&edited, &[])));
    let mine = &set.pretrains[0].pretrain;
    assert_eq!(
        (mine.bs, mine.es),
        (32, 3200),
        "what is worked out of it follows"
    );
    assert_eq!(set.set, ["bs = 32"]);
    assert_eq!(
        messages(FILE, &["bs = 32"]),
        ["W0801 t.cc:9: rows 3 and 4 are the same run"]
    );
}

#[test]
fn nothing_set_is_nothing_changed() {
    let mut sources = compiler::sources();
    let file = sources.add("t.cc", FILE);
    let (program, _) = compiler::check(&mut sources, file, &|_, _| None, Profile::Full);
    let (plain, set) = (program.unwrap(), closed(FILE, &[]));
    assert_eq!(ids(&plain), ids(&set));
    let plan = plan::plan(&[("t.cc", &plain)]).unwrap();
    let json = plan::json(&plan);
    assert!(!json.contains("\"set\""), "{json}");
    // The value that the file has anyway: the same stages, and it is said all the same.
    let same = closed(FILE, &["seed = 0"]);
    assert_eq!(ids(&same), ids(&plain));
    let plan = plan::plan(&[("t.cc", &same)]).unwrap();
    assert_eq!(plan.set, ["seed = 0"]);
    let standing = plan::Standing::default();
    let stood = plan::stood(&plan, &standing);
    for level in [plan::Level::Rows, plan::Level::Summary, plan::Level::Full] {
        let text = plan::text(&stood, level, &[]);
        assert!(
            text.contains("set on the command line: seed = 0\n"),
            "{text}"
        );
    }
}

#[test]
fn rates_of_all_modalities_stand_above_those_of_one_in_the_file() {
    let rates = |set: &[&str]| {
        let program = closed(FILE, set);
        let modalities = program.pretrains[0].pretrain.modalities.iter();
        let rates = modalities.map(|m| compiler::written::schedule(&m.lr_b));
        rates.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(rates(&[]), "0.0003, cosine(0.0002 -> 0, warmup: 2ep)");
    assert_eq!(rates(&["lr_b = slow"]), "0.001, 0.001");
    // Side by side on the command line, the one of a modality counts before that of all, as in a file.
    assert_eq!(rates(&["v.lr_b = 0.5", "lr_b = slow"]), "0.5, 0.001");
}

#[test]
fn the_command_line_is_the_last_place_of_a_value() {
    let (program, _, sources) = with(FILE, &["seed = 3", "lr_b = slow"], Profile::Full);
    let program = program.unwrap();
    let root = sources.iter().find(|(_, source)| source.name == "t.cc");
    let texts = Texts::read(&sources).beside(root.unwrap().0);
    let row = &program.tables[0].rows[1];
    let chain = texts.chain(&row.provenance, "v.lr_b");
    let places: Vec<String> = chain
        .iter()
        .map(|(_, at)| format!("{}:{} {} {}", at.file, at.line, at.setter, at.value))
        .collect();
    assert_eq!(
        places,
        [
            "paper.cc:139 crisscross cosine(0.0002 -> 0, warmup: 2ep)",
            "t.cc:3 mine with 0.0003",
            "command line:2 command line slow",
        ]
    );
    // Its names are those of the file.
    let names = texts.names(chain.last().unwrap().0);
    assert_eq!((names.len(), names[0].file.as_str()), (1, "t.cc"));
    assert_eq!(names[0].value, "0.001");
}

#[test]
fn a_modality_that_some_rows_have_is_set_in_those() {
    let text = "use paper
modality o = flow(of: v, method: tvl1)
table t {
  of = crisscross
  row \"flow\" modalities = [v, a, o], o.f = r2plus1d18 - proj, o.h = pred, o.augment = follow(v)
  row
}
";
    let (plain, set) = (closed(text, &[]), closed(text, &["o.lr_b = 0.5"]));
    assert_ne!(ids(&plain)[0], ids(&set)[0]);
    assert_eq!(ids(&plain)[1], ids(&set)[1]);
    let alone = text.replace("  row \"flow\"", "  # ");
    assert_eq!(
        messages(&alone, &["o.lr_b = 0.5"]),
        ["E0302 command line:1: `o.lr_b` sets nothing: no pretraining and no row has `o`"]
    );
}

#[test]
fn mistakes_are_said_at_the_command_line() {
    let cases: &[(&str, &str)] = &[
        (
            "bz = 64",
            "E0302 command line:1: `pretrain` has no field `bz`",
        ),
        (
            "bs = no_such",
            "E0301 command line:1: no value named `no_such`",
        ),
        (
            "es = 3s",
            "E0203 command line:1: `es` takes a count, this is a duration",
        ),
        (
            "bs 64",
            "E0107 command line:1: expected `=` after the field's name, found `64`",
        ),
        (
            "bs = 2 * bs",
            "E0304 command line:1: `bs` is worked out of itself",
        ),
        (
            "of = mine",
            "E0302 command line:1: `of` is a field of a row; `--set` sets fields of pretrainings",
        ),
        (
            "head = 1",
            "E0302 command line:1: `head` is a field of an evaluation; `--set` sets fields of pretrainings",
        ),
        (
            "linear8.test = 1",
            "E0302 command line:1: `linear8.test` is a field of an evaluation; `--set` sets fields of pretrainings",
        ),
        (
            "slow = 1",
            "E0302 command line:1: `slow` is a `let` and no field; `--set` sets fields of pretrainings",
        ),
        (
            "KS.train = 1",
            "E0302 command line:1: `KS` is a `data` and no field; `--set` sets fields of pretrainings",
        ),
        (
            "v.sampler = 1",
            "E0302 command line:1: `pretrain` has no field `v.sampler`",
        ),
        (
            "scores = []",
            "E0302 command line:1: `scores` is a field of a table; `--set` sets fields of pretrainings",
        ),
        (
            "mine.bs = 1",
            "E0302 command line:1: `--set` names no `mine`: it sets a field of every pretraining and row",
        ),
    ];
    for (set, message) in cases {
        assert_eq!(messages(FILE, &[set]), [*message], "{set}");
    }
    assert_eq!(
        messages(FILE, &["seed = 1", "bs =", "seed = 2"]),
        [
            "E0104 command line:2: a value is missing after `=`",
            "E0307 command line:3: `seed` is set twice"
        ]
    );
}

#[test]
fn assertions_of_the_file_see_what_is_set_and_those_of_the_prelude_do_not() {
    let text = "use paper
pretrain mine = crisscross with { seed = 1 }
assert mine.bs == 512, \"Table S10\"
assert crisscross.bs == 512
";
    assert_eq!(messages(text, &[]), [""; 0]);
    assert_eq!(
        messages(text, &["bs = 64"]),
        ["E0407 t.cc:3: the assertion does not hold: Table S10"]
    );
    // The prelude asserts what its losses are in two modalities.
    let bare = closed("v1v2", &["modalities = [v]"]);
    assert_eq!(bare.pretrains[0].pretrain.modalities.len(), 1);
}

#[test]
fn the_bounds_of_toy_hold_above_what_is_set() {
    let bs = |set: &[&str]| {
        let (program, ..) = with("intra", set, Profile::Toy);
        program.unwrap().pretrains[0].pretrain.bs
    };
    let most = bs(&[]);
    assert!(most < 512, "{most}");
    assert_eq!((bs(&["bs = 512"]), bs(&["bs = 2"])), (most, 2));
}

#[test]
fn an_allow_of_the_file_is_not_idle_for_what_is_set() {
    let text = "use paper
pretrain mine = crisscross with { relax = none   allow W0503 \"the baseline\" }
";
    assert_eq!(messages(text, &[]), [""; 0]);
    assert_eq!(messages(text, &["relax = mild"]), [""; 0]);
}
