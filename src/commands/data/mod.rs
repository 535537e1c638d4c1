//! `data`: the engine opens and decodes files.

mod check;
mod links;
mod show;

use crate::cli::Data;
use crate::failure::Result;

/// Hands the look at data sets to the engine.
pub fn data(arguments: &Data) -> Result<()> {
    match arguments {
        Data::Check(arguments) => check::check(arguments),
        Data::Show(arguments) => show::show(arguments),
        Data::Links(arguments) => links::links(arguments),
    }
}
