//! Which files are meant: those that are named, those below a folder, those that a pattern matches.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern, glob_with};

use crate::load::is_standard_input;

/// What a pattern matches: names that begin with a dot only where it says so.
const MATCH: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The files that `named` stands for: of a folder all `.cc` files below, sorted; of a pattern, `experiments/**/*.cc`, what it
/// matches. What stands for none stays as it is, and is a mistake where it is read. Each file comes once.
pub fn files(named: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = vec![];
    for path in named {
        let many = match several(path) {
            Some(pattern) => matched(&pattern),
            None => vec![],
        };
        if many.is_empty() {
            found.push(path.clone());
        }
        for file in many {
            if !found.contains(&file) {
                found.push(file);
            }
        }
    }
    found
}

/// The pattern that a path stands for, if it is no file.
fn several(path: &Path) -> Option<String> {
    if is_standard_input(path) || path.is_file() {
        return None;
    }
    let text = path.to_str()?;
    if path.is_dir() {
        let below = Path::new(&Pattern::escape(text)).join("**").join("*.cc");
        return Some(below.to_str()?.to_owned());
    }
    is_pattern(path).then(|| text.to_owned())
}

/// Is it written as a pattern, as a shell leaves one that it does not expand?
pub fn is_pattern(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|text| text.contains(['*', '?', '[']))
}

/// The files that a pattern matches, sorted.
fn matched(pattern: &str) -> Vec<PathBuf> {
    let Ok(paths) = glob_with(pattern, MATCH) else {
        return vec![];
    };
    let mut files: Vec<PathBuf> = paths.flatten().filter(|path| path.is_file()).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::unwrap_used)] // whatever is not there, the test has failed
    fn folders_and_patterns_are_the_files_below_and_what_is_none_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["sub/deep", ".hidden", "[odd]"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        for name in [
            "b.cc",
            "a.cc",
            "notes.md",
            "sub/deep/c.cc",
            ".hidden/d.cc",
            "[odd]/e.cc",
        ] {
            std::fs::write(at(name), "").unwrap();
        }
        let all = ["[odd]/e.cc", "a.cc", "b.cc", "sub/deep/c.cc"].map(at);
        assert_eq!(files(&[folder.path().to_owned()]), all);
        assert_eq!(files(&[at("**/*.cc")]), all);
        assert_eq!(files(&[at("*.cc")]), all[1..3]);
        assert_eq!(files(&[at("[odd]")]), all[..1]);
        assert_eq!(
            files(&[at("b.cc"), at("*.cc")]),
            [&all[2], &all[1]].map(Clone::clone)
        );
        let none = [at("*.rs"), at(".hidden/sub"), PathBuf::from("-")];
        assert_eq!(files(&none), none);
    }
}
