//! `data`: the engine opens and decodes files.

mod check;
mod declared;
mod index;
mod links;
mod pack;
mod show;
mod stats;

use crate::cli::Data;
use crate::failure::Result;

/// Hands the look at data sets to the engine.
pub fn data(arguments: &Data) -> Result<()> {
    match arguments {
        Data::Index(arguments) => index::index(arguments),
        Data::Check(arguments) => check::check(arguments),
        Data::Pack(arguments) => pack::pack(arguments),
        Data::Stats(arguments) => stats::stats(arguments),
        Data::Show(arguments) => show::show(arguments),
        Data::Links(arguments) => links::links(arguments),
    }
}
