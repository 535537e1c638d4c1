//! The canonical layout: what it looks like, and what it never changes.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

#[path = "generate/mod.rs"]
mod generate;
mod repository;

use generate::{Choices, Noise, program};
use grammar::ast::File;
use grammar::format::format;
use grammar::places::same_but_for_places;
use grammar::span::Sources;
use proptest::prelude::*;
use repository::files;

fn laid_out(text: &str) -> Option<String> {
    let mut sources = Sources::default();
    let file = sources.add("test.cc", text);
    format(&sources, file).unwrap_or_else(|found| panic!("{text}\n{found:?}"))
}

fn read(text: &str) -> File {
    let mut sources = Sources::default();
    let file = sources.add("test.cc", text);
    let (tree, found) = grammar::parse(&sources, file);
    assert_eq!(found, [], "{text}");
    tree
}

fn comments(file: &File) -> Vec<&str> {
    file.comments.iter().map(|c| c.value.trim_end()).collect()
}

/// `text` is laid out as `expected`, and that stays as it is.
#[track_caller]
fn check(text: &str, expected: &str) {
    let made = laid_out(text).unwrap();
    assert!(made == expected, "{made}\ninstead of\n{expected}");
    assert_eq!(laid_out(&made).unwrap(), made);
}

#[test]
fn blanks_stand_where_they_are_expected() {
    check(
        "use   paper\nuse \"a b.cc\"\n\n\n\nlet  z( x )=f( x )\nloss half=1/2*D(p(x),sg (z( y )))-  - 3 / 4.5\n\
         modality v=video( clip :8x112px@16fps )\n",
        "use paper\nuse \"a b.cc\"\n\nlet z(x)   = f(x)\nloss half  = 1/2 * D(p(x), sg(z(y))) - -3 / 4.5\n\
         modality v = video(clip: 8x112px @ 16fps)\n",
    );
    check("intra+sync   # all\n", "intra + sync   # all\n");
    check("\u{feff}", "");
    check("# only\n\n\n\n# comments", "# only\n\n# comments\n");
}

#[test]
fn chains_join_as_the_paper_writes_them() {
    check(
        "augment m = MSC - HF-CJ - GS\n\nlayers p = fc(2048) - bn - relu-fc(512)-bn\n\nlayers f = conv5-maxpool(1, 3)-l2-bn\n\n\
         loss d = A-B\n\naugment n = crop-HF\n",
        "augment m = MSC-HF-CJ-GS\n\nlayers p = fc(2048)-bn-relu - fc(512)-bn\n\nlayers f = conv5 - maxpool(1, 3) - l2 - bn\n\n\
         loss d = A - B\n\naugment n = crop - HF\n",
    );
}

#[test]
fn fields_share_a_line_where_they_fit_and_align() {
    check(
        "pretrain x{bs=512 es = 220K\n seed=1 v.f = r - p\n\n  weights = unit\nloss = a\n  ep = 1 mtm = 2\n}\n",
        "pretrain x {\n  bs   = 512   es  = 220K\n  seed = 1     v.f = r - p\n\n  weights = unit\n  loss    = a\n  ep = 1   mtm = 2\n}\n",
    );
    let long = "x".repeat(70);
    check(
        &format!("pretrain x {{\n  a = {long} b = {long}\n}}\n"),
        &format!("pretrain x {{\n  a = {long}\n  b = {long}\n}}\n"),
    );
    check(
        &format!("pretrain x = y with {{ a = {long}   b = {long} }}\n"),
        &format!("pretrain x = y with {{\n  a = {long}\n  b = {long}\n}}\n"),
    );
}

#[test]
fn rows_are_a_table() {
    check(
        "table t \"T\"{\nrow \"one\" loss=a,bs=2 expect 1,_\n  row \"twenty\" loss = abc, bs=3\nexpect _,22.5 # why\n\n row\n}\n",
        "table t \"T\" {\n  row \"one\"    loss = a,   bs = 2   expect 1, _\n  row \"twenty\" loss = abc, bs = 3   expect _, 22.5   # why\n\n  row\n}\n",
    );
    check(
        "table t {\n  for x in [1,2] row\n  for (a, b) in c for x in range(1, 3)\n    row x = 2\n}\n",
        "table t {\n  for x in [1, 2] { row }\n  for (a, b) in c {\n    for x in range(1, 3) {\n      row x = 2\n    }\n  }\n}\n",
    );
}

#[test]
fn what_is_too_long_is_broken() {
    let name = "n".repeat(40);
    check(
        &format!("let costs = [{name}, {name}, {name}, {name}]\n"),
        &format!("let costs = [\n  {name}, {name}, {name},\n  {name},\n]\n"),
    );
    check(
        &format!("loss x = {name} + f({name}) - {name} + 2 * {name}\n"),
        &format!("loss x = {name}\n       + f({name})\n       - {name}\n       + 2 * {name}\n"),
    );
    check(
        &format!(
            "pretrain x = y with {{ optim = larc(adam({name}: 1, {name}: 2), {name}: 3, {name}: [a, b, c]) }}\n"
        ),
        &format!(
            "pretrain x = y with {{\n  optim = larc(\n    adam({name}: 1, {name}: 2),\n    {name}: 3,\n    {name}: [a, b, c]\n  )\n}}\n"
        ),
    );
}

#[test]
fn line_ends_of_the_author_stay_in_sums_and_lists() {
    check(
        "loss vicreg = 25 * a\n  + 25 * b + c   # why\n + d\nloss x = e\n",
        "loss vicreg = 25 * a\n            + 25 * b + c   # why\n            + d\nloss x      = e\n",
    );
    check(
        "table t {\n  of = x\n  scores = [\n linear8 on UCF101, # seen\n  # heard\n linear2s on ESC50]\n  x = relax\n}\n",
        "table t {\n  of = x\n  scores = [\n    linear8 on UCF101,   # seen\n    # heard\n    linear2s on ESC50,\n  ]\n  x = relax\n}\n",
    );
}

#[test]
fn doc_comments_stay_with_what_they_are_about() {
    let text = "\
## A copy.
## source: Table S10
pretrain x = y with {   ## source: code
  ## of both
  bs = 2   es = 4       ## source: ours
  lr = 3 # plain
}
";
    let made = laid_out(text).unwrap();
    assert!(same_but_for_places(&read(text), &read(&made)));
    // Spread over lines, the first field would take the comment of the whole.
    check(
        "pretrain x = y with { bs = 2 ## source: ours\n  es = 4 }\n",
        "pretrain x = y with {   ## source: ours\n  bs = 2\n  es = 4\n}\n",
    );
}

#[test]
fn carriage_returns_stay() {
    check(
        "use paper\r\nlet x=1 # a\r\n",
        "use paper\r\nlet x = 1   # a\r\n",
    );
}

#[test]
fn mistakes_are_returned() {
    let mut sources = Sources::default();
    let file = sources.add("test.cc", "loss x = a + + b\n");
    let found = format(&sources, file).unwrap_err();
    assert_eq!(found[0].code.0, "E0104");
}

#[test]
#[allow(clippy::disallowed_methods)] // the texts are files of the repository
fn experiments_and_preludes_are_laid_out() {
    for path in files("../experiments")
        .into_iter()
        .chain(files("../compiler/prelude"))
    {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            laid_out(&text).as_ref(),
            Some(&text),
            "run `crisscross fmt {}`",
            path.display()
        );
    }
}

/// Lays a program out and checks what must hold; `None` where it may stay as it is.
fn laws(text: &str) -> Option<()> {
    let made = laid_out(text)?;
    let (old, new) = (read(text), read(&made));
    assert!(same_but_for_places(&old, &new), "{text}\nbecame\n{made}");
    assert_eq!(comments(&old), comments(&new), "{text}\nbecame\n{made}");
    let again = laid_out(&made).expect("what was laid out can be");
    assert!(made == again, "{text}\nbecame\n{made}\nand then\n{again}");
    Some(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn layout_is_final_and_changes_nothing(choices in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = program(&mut Choices::new(&choices), Noise::Comments);
        prop_assert!(laws(&text).is_some(), "{text}");
    }

    #[test]
    fn blanks_alone_change_no_layout(choices in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = program(&mut Choices::new(&choices), Noise::None);
        prop_assert!(laws(&text).is_some(), "{text}");
        let wide = text.split(' ').collect::<Vec<_>>().join("  \t ");
        // A text in quotes may hold blanks.
        if !text.contains('"') {
            prop_assert_eq!(laid_out(&text), laid_out(&wide));
        }
    }

    #[test]
    fn doc_comments_keep_their_items(choices in prop::collection::vec(any::<u8>(), 0..300)) {
        laws(&program(&mut Choices::new(&choices), Noise::Docs));
    }
}
