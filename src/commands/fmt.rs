//! `fmt`: files in the canonical layout.

use std::path::Path;

use compiler::{counted, sources};
use grammar::format::format;
use records::folder::rewrite;
use records::say;

use crate::cli::Fmt;
use crate::failure::{Failure, Result};
use crate::files::files;
use crate::load::{self, STANDARD_INPUT};
use crate::render::{self, Format, write_out};

/// Lays all files out; a file with a mistake of syntax stays as it is, and its mistakes are printed.
pub fn fmt(arguments: &Fmt) -> Result<()> {
    let (mut changed, mut kept, mut is_wrong) = (0, 0, false);
    let files = files(&arguments.files);
    for path in &files {
        match one(path, arguments.check)? {
            Outcome::Wrong => is_wrong = true,
            Outcome::Changed => changed += 1,
            Outcome::Kept => kept += 1,
        }
    }
    let is_filter = files.iter().any(|path| load::is_standard_input(path));
    if arguments.check {
        is_wrong |= changed > 0;
    } else if !is_filter && changed + kept > 0 {
        let kept = match kept {
            0 => String::new(),
            n => format!(", {n} already in layout"),
        };
        write_out(&format!("formatted {}{kept}\n", counted(changed, "file")));
    }
    if is_wrong {
        Err(Failure::said())
    } else {
        Ok(())
    }
}

/// What became of a file.
enum Outcome {
    /// It has a mistake of syntax or cannot be read, and that has been said.
    Wrong,
    /// It is, or would be, laid out anew.
    Changed,
    /// It is laid out already.
    Kept,
}

fn one(path: &Path, is_check: bool) -> Result<Outcome> {
    let mut sources = sources();
    let is_filter = load::is_standard_input(path);
    let name = if is_filter {
        STANDARD_INPUT.to_owned()
    } else {
        path.display().to_string()
    };
    let made = load::add(&mut sources, path, &name)
        .map_err(|unreadable| vec![*unreadable])
        .and_then(|file| Ok((file, format(&sources, file)?)));
    let (file, made) = match made {
        Ok(made) => made,
        Err(found) => {
            render::print(&sources, &found, Format::Text);
            return Ok(Outcome::Wrong);
        }
    };
    let text = &sources.get(file).text;
    if made.is_none() {
        say(&format!(
            "note: `{name}` stays as it is: a doc comment in it would no longer say what it is about\n  \
             = help: put each doc comment above a field or behind it, and such fields on lines of their own"
        ));
    }
    let made = made.unwrap_or_else(|| text.clone());
    let is_changed = made != *text;
    if is_check && is_changed {
        write_out(&format!("{name}\n"));
    } else if is_filter && !is_check {
        write_out(&made);
    } else if is_changed {
        rewrite(path, made.as_bytes())?;
    }
    Ok(if is_changed {
        Outcome::Changed
    } else {
        Outcome::Kept
    })
}
