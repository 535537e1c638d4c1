//! Reads `.cc` files from the disk and compiles them.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use compiler::hir::Program;
use compiler::{Above, counted};
use grammar::codes;
use grammar::diagnostic::{Diagnostic, Severity};
use grammar::span::{FileId, Sources, Span};

use crate::failure::{Failure, Result};
use crate::files::{files, is_pattern};
use crate::render::{self, Format};

/// What some files ask for, and everything there is to say about them.
pub struct Compiled {
    /// The texts that were read.
    pub sources: Sources,
    /// Among them, what the command line sets.
    pub set: Option<FileId>,
    /// Each file as written on the command line, with its program unless there are errors in it.
    pub programs: Vec<(String, Option<Program>)>,
    /// Each message once, file by file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Compiled {
    /// How many messages of this severity there are.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics
            .iter()
            .filter(|d| d.severity == severity)
            .count()
    }

    /// What can be shown if asked for, in a few words: `2 notes (W0701 W0705), 1 silenced (W0503)`.
    pub fn quiet(&self) -> Option<String> {
        let quiet = self.diagnostics.iter().filter(|d| d.is_quiet);
        let (silenced, notes): (Vec<&Diagnostic>, Vec<&Diagnostic>) =
            quiet.partition(|d| d.silenced.is_some());
        let listed = |found: &[&Diagnostic], count: String| {
            let codes: BTreeSet<&str> = found.iter().map(|d| d.code.0).collect();
            let codes: Vec<&str> = codes.into_iter().collect();
            (!found.is_empty()).then(|| format!("{count} ({})", codes.join(" ")))
        };
        let notes = listed(&notes, counted(notes.len(), "note"));
        let silenced = listed(&silenced, format!("{} silenced", silenced.len()));
        let parts: Vec<String> = [notes, silenced].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The warnings in a few words: `3 warnings (W0503 W0705)`.
    pub fn warnings(&self) -> Option<String> {
        let warnings = self.diagnostics.iter();
        let warnings: Vec<&Diagnostic> = warnings
            .filter(|d| d.severity == Severity::Warning)
            .collect();
        let codes: BTreeSet<&str> = warnings.iter().map(|d| d.code.0).collect();
        let codes: Vec<&str> = codes.into_iter().collect();
        let count = counted(warnings.len(), "warning");
        (!warnings.is_empty()).then(|| format!("{count} ({})", codes.join(" ")))
    }

    /// Prints what is wrong or suspicious. Notes are for `check`.
    pub fn print_warnings(&self) {
        self.print(|d| d.severity != Severity::Note);
    }

    /// Prints what is wrong.
    pub fn print_errors(&self) {
        self.print(|d| d.severity == Severity::Error);
    }

    /// Prints all that is to be said unasked.
    pub fn print_loud(&self) {
        self.print(|d| !d.is_quiet);
    }

    fn print(&self, is_said: impl Fn(&&Diagnostic) -> bool) {
        let said = self.diagnostics.iter().filter(is_said);
        let said: Vec<Diagnostic> = said.cloned().collect();
        render::print(&self.sources, &said, Format::Text);
    }

    /// The programs, if no file has an error.
    pub fn programs(&self) -> Option<Vec<(&str, &Program)>> {
        if self.count(Severity::Error) > 0 {
            return None;
        }
        self.programs
            .iter()
            .map(|(name, program)| Some((name.as_str(), program.as_ref()?)))
            .collect()
    }
}

/// How files are read: for which budget, and with which fields above them.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The budget.
    pub profile: compiler::Profile,
    /// What `--set` gives.
    pub set: &'a [String],
}

/// Reads and compiles all `files`, whatever is wrong with some of them, with the fields of `set` above them.
pub fn compile(files: &[PathBuf], profile: compiler::Profile, set: &[String]) -> Compiled {
    let mut sources = compiler::sources();
    let set = add_set(&mut sources, set);
    let mut programs = vec![];
    let mut diagnostics: Vec<Diagnostic> = vec![];
    let mut said = BTreeSet::new();
    for path in files {
        let (program, found) = match add(&mut sources, path, &path.display().to_string()) {
            Ok(file) => {
                let above = set.map(|fields| Above {
                    fields,
                    names: file,
                });
                compiler::check_with(&mut sources, file, &resolve, profile, above)
            }
            Err(diagnostic) if set.is_some() && path.extension().is_none() => {
                let whole = "where a field has spaces, quote it: `--set 'loss = intra + sync'`";
                (None, vec![diagnostic.note(whole)])
            }
            Err(diagnostic) => (None, vec![*diagnostic]),
        };
        programs.push((path.display().to_string(), program));
        // A module that several files use is read for each of them; what is wrong in it is said once.
        for new in found {
            if said.insert(render::json(&sources, &new))
                && !diagnostics.iter_mut().any(|known| known.absorb(&new))
            {
                diagnostics.push(new);
            }
        }
    }
    Compiled {
        sources,
        set,
        programs,
        diagnostics,
    }
}

/// Compiles a file among `sources`, with what `set` says above it; `None` where it closes to nothing, as bounds do.
pub fn program_of(
    sources: &mut Sources,
    root: FileId,
    profile: compiler::Profile,
    set: Option<Above>,
) -> Result<Option<Program>> {
    let (program, found) = compiler::check_with(sources, root, &resolve, profile, set);
    let errors = found.into_iter().filter(|d| d.severity == Severity::Error);
    let errors: Vec<Diagnostic> = errors.collect();
    if !errors.is_empty() && (set.is_some() || !is_shipped(sources, root)) {
        render::print(sources, &errors, Format::Text);
        return Err(Failure::said());
    }
    Ok(program)
}

/// Is it a module that ships with the compiler, and no file of the same name?
pub fn is_shipped(sources: &Sources, file: FileId) -> bool {
    let source = sources.get(file);
    let mut shipped = compiler::SHIPPED.iter();
    shipped.any(|(name, text)| source.name == format!("{name}.cc") && source.text == *text)
}

/// Checks a text that messages call `name`, with the modules that it uses.
pub fn check_text(name: &str, text: &str) -> (Sources, FileId, Vec<Diagnostic>) {
    let mut sources = compiler::sources();
    let file = sources.add(name, text);
    let (_, found) = compiler::check(&mut sources, file, &resolve, compiler::Profile::Full);
    (sources, file, found)
}

/// Compiles `files`, with the fields of `set` above them, for a command that goes on only where there is no error. Errors and
/// warnings go to standard error; notes are for `check`.
pub fn compile_or_stop(
    files: &[PathBuf],
    profile: compiler::Profile,
    set: &[String],
) -> Result<Compiled> {
    let compiled = compile(files, profile, set);
    compiled.print_warnings();
    if compiled.count(Severity::Error) > 0 {
        Err(Failure::said())
    } else {
        Ok(compiled)
    }
}

/// Adds the fields that `--set` gives, a line for each; `None` where it gives none.
pub fn add_set(sources: &mut Sources, set: &[String]) -> Option<FileId> {
    let line = |field: &String| field.replace(['\n', '\r'], " ");
    let lines: Vec<String> = set.iter().map(line).collect();
    (!lines.is_empty()).then(|| sources.add(compiler::COMMAND_LINE, lines.join("\n")))
}

/// Reads the file at `path` into `sources`, where messages call it `name`. A file that cannot be read is E0110 at its place.
pub fn add(
    sources: &mut Sources,
    path: &Path,
    name: &str,
) -> std::result::Result<FileId, Box<Diagnostic>> {
    match read(path, name) {
        Ok(text) => Ok(sources.add(name, text)),
        Err((message, help)) => {
            let file = sources.add(name, "");
            Err(Box::new(
                Diagnostic::error(codes::UNREADABLE, Span::new(file, 0, 0), message).help(help),
            ))
        }
    }
}

/// What messages call the text that is read where a file is named `-`.
pub const STANDARD_INPUT: &str = "standard input";

/// Standard input is meant.
pub fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// No experiment is as large; a device may be without end.
const MOST_BYTES: u64 = 64 << 20;

/// As much of a file as a text may have, and one byte more where it has more; `-` is standard input.
fn read_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![];
    if is_standard_input(path) {
        std::io::stdin()
            .lock()
            .take(MOST_BYTES + 1)
            .read_to_end(&mut bytes)?;
    } else {
        let file = std::fs::File::open(path)?;
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// The text of a file, or why there is none and what to do.
#[allow(clippy::wildcard_enum_match_arm)] // `ErrorKind` is not ours and grows
fn read(path: &Path, name: &str) -> std::result::Result<String, (String, String)> {
    let bytes = read_bytes(path).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => (format!("there is no file `{name}`"), not_found_help(path)),
        ErrorKind::IsADirectory => (format!("`{name}` is a folder"), folder_help(path)),
        _ => (
            format!("cannot read `{name}`: {cause}"),
            "check the path and its permissions".to_owned(),
        ),
    })?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err((
            format!("`{name}` is larger than {} MB", MOST_BYTES >> 20),
            "an experiment is a short text: check the path".to_owned(),
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            + 1;
        (
            format!("`{name}` is not UTF-8 text (line {line})"),
            "save it as UTF-8 in your editor".to_owned(),
        )
    })
}

/// A folder stands where one file is due, or holds none.
fn folder_help(path: &Path) -> String {
    match files(&[path.to_owned()]).as_slice() {
        [one] if one == path => "no file below it ends in `.cc`".to_owned(),
        [first, ..] => format!("name one file in it, such as `{}`", first.display()),
        [] => "name a file in it".to_owned(),
    }
}

fn not_found_help(path: &Path) -> String {
    if is_pattern(path) {
        return "no file matches this pattern; `**` stands for folders within folders".to_owned();
    }
    let with_suffix = path.with_extension("cc");
    if path.extension().is_none() && with_suffix.is_file() {
        return format!("did you mean `{}`?", with_suffix.display());
    }
    "check the path; it is relative to the folder you are in".to_owned()
}

/// Finds a module that the file `importer` names by `path`, relative to itself.
pub fn resolve(importer: &str, path: &str) -> Option<(String, String)> {
    let full = Path::new(importer).parent()?.join(path);
    let name = full.display().to_string();
    let text = read(&full, &name).ok()?;
    Some((name, text))
}
