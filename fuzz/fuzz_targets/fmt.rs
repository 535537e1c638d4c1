//! A text without mistakes of syntax is laid out once and for all, with the same tree and every comment. Bytes that are no such
//! text choose a program that is one.
#![no_main]

#[path = "../../grammar/tests/generate/mod.rs"]
mod generate;

use generate::{Choices, Noise};
use grammar::ast::File;
use grammar::format::format;
use grammar::places::same_but_for_places;
use grammar::span::Sources;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let written = std::str::from_utf8(bytes).ok().filter(|text| read(text).is_some());
    match (written, bytes.split_first()) {
        (Some(text), _) => check(text),
        (None, Some((first, rest))) => {
            let noise = [Noise::None, Noise::Comments, Noise::Docs][usize::from(first % 3)];
            check(&generate::program(&mut Choices::new(rest), noise));
        }
        (None, None) => {}
    }
});

fn read(text: &str) -> Option<File> {
    let mut sources = Sources::default();
    let file = sources.add("fuzz.cc", text);
    let (tree, found) = grammar::parse(&sources, file);
    found.is_empty().then_some(tree)
}

fn laid_out(text: &str) -> Option<String> {
    let mut sources = Sources::default();
    let file = sources.add("fuzz.cc", text);
    format(&sources, file).ok()?
}

fn comments(file: &File) -> Vec<&str> {
    file.comments.iter().map(|comment| comment.value.trim_end()).collect()
}

fn check(text: &str) {
    let old = read(text).expect("what is laid out has no mistakes");
    let Some(made) = laid_out(text) else {
        // Only a doc comment may keep a text from being laid out.
        assert!(text.contains("##"), "{text}");
        return;
    };
    let new = read(&made).expect("what was laid out has no mistakes");
    assert!(same_but_for_places(&old, &new), "{text}\nbecame\n{made}");
    assert_eq!(comments(&old), comments(&new), "{text}\nbecame\n{made}");
    assert_eq!(laid_out(&made).as_ref(), Some(&made), "{text}");
}
