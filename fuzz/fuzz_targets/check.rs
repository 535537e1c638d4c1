//! Any text is checked without a panic and in time, and every place of a message can be cut out of its text.
#![no_main]

use compiler::Profile;
use grammar::fix;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut sources = compiler::sources();
    let file = sources.add("fuzz.cc", text);
    let (program, found) = compiler::check(&mut sources, file, &|_, _| None, Profile::Full);
    for diagnostic in &found {
        let labels = diagnostic.labels.iter().map(|label| label.span);
        let edits = diagnostic.edits.iter().map(|edit| edit.span);
        let places = [diagnostic.primary.span].into_iter().chain(labels);
        for span in places.chain(edits).chain(diagnostic.more.iter().copied()) {
            let _ = sources.text(span);
            let _ = sources.line_column(span.file, span.end);
        }
    }
    assert!(program.is_some() || !found.is_empty(), "nothing read and nothing said");
    let _ = fix::apply(&sources, file, &found);
    if let Some(program) = program {
        let _ = compiler::plan::plan(&[("fuzz.cc", &program)]);
    }
});
