//! `check`: everything that is wrong in some files.

use compiler::counted;
use grammar::diagnostic::Severity;

use crate::cli::Check;
use crate::failure::{Failure, Result};
use crate::files::files;
use crate::load::compile;
use crate::render::{self, Format};

/// Prints all messages; fails on errors, with `--strict` on warnings too.
pub fn check(arguments: &Check) -> Result<()> {
    let files = files(&arguments.files);
    let compiled = compile(&files, compiler::Profile::Full, &arguments.above.set);
    if arguments.format == Format::Json || arguments.notes {
        render::print(&compiled.sources, &compiled.diagnostics, arguments.format);
    } else {
        compiled.print_loud();
    }
    let (errors, warnings) = (
        compiled.count(Severity::Error),
        compiled.count(Severity::Warning),
    );
    if arguments.format == Format::Text {
        let files = counted(files.len(), "file");
        let found = match (errors, warnings) {
            (0, 0) => "no mistakes".to_owned(),
            (0, _) => counted(warnings, "warning"),
            (_, 0) => counted(errors, "error"),
            (_, _) => format!(
                "{}, {}",
                counted(errors, "error"),
                counted(warnings, "warning")
            ),
        };
        let notes = match compiled.quiet().filter(|_| errors == 0) {
            Some(notes) if arguments.notes => format!("; {notes}"),
            Some(notes) => format!("; {notes}, `--notes` shows them"),
            None => String::new(),
        };
        render::write_out(&format!("checked {files}: {found}{notes}\n"));
    }
    let is_wrong = errors > 0 || arguments.strict && warnings > 0;
    if is_wrong {
        Err(Failure::said())
    } else {
        Ok(())
    }
}
