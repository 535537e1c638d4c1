//! Text to plan: pure, no I/O, no tensors.
//!
//! [`check`] reads a file and what it uses and closes every experiment in it; `lower`, `passes` and `plan` go on from there.

pub mod book;
pub mod catalog;
mod check;
pub mod codes;
mod columns;
pub mod difference;
pub mod graph;
pub mod hash;
pub mod hir;
pub mod interpret;
pub mod links;
pub mod loss;
pub mod lower;
pub mod origins;
pub mod passes;
pub mod plan;
pub mod query;
pub mod rates;
pub mod readings;
pub mod time;
pub mod units;
pub mod validate;
pub mod written;

#[cfg(test)]
mod fixture;

use grammar::diagnostic::Diagnostic;
use grammar::span::{FileId, Sources};

pub use check::{Above, COMMAND_LINE, PAPER, RELEASED, Resolver, SHIPPED, TOY, counted};
pub use columns::columns;

/// What an experiment may spend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// What its file says.
    #[default]
    Full,
    /// Within the bounds of `toy.cc`: `--toy`.
    Toy,
}

/// The texts of a compilation before any of the user's: the shipped modules, `paper.cc` and `toy.cc`. Starting from these
/// lets every compilation of a process share one tree of the prelude.
pub fn sources() -> Sources {
    let mut sources = Sources::default();
    for (name, text) in SHIPPED {
        sources.add(format!("{name}.cc"), *text);
    }
    sources
}

/// The names nearest to a misspelt one: one, or two that are equally near; none is better than a far one.
pub fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Vec<String> {
    check::nearest(name, known)
}

/// Checks the file `root`, which is in `sources`, with all that it uses, and closes its experiments.
///
/// `resolve` finds other files of the user's: from the name of the file that uses one and the path as written there, to the name
/// that messages give it and its text. The texts found are added to `sources`.
///
/// Returns the program, unless there is an error, and everything found, that of the root file first and in its order.
pub fn check(
    sources: &mut Sources,
    root: FileId,
    resolve: &Resolver<'_>,
    profile: Profile,
) -> (Option<hir::Program>, Vec<Diagnostic>) {
    check_with(sources, root, resolve, profile, None)
}

/// [`check`] with values above all that the file says. Every pretraining of the file and every row has them.
pub fn check_with(
    sources: &mut Sources,
    root: FileId,
    resolve: &Resolver<'_>,
    profile: Profile,
    set: Option<Above>,
) -> (Option<hir::Program>, Vec<Diagnostic>) {
    check::check(sources, root, resolve, profile, set)
}
