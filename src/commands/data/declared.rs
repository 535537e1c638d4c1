//! Finds a data set by name, as a file or the prelude declares it.

use compiler::hir::{Data, Files};

use crate::commands::named::{self, Asked};
use crate::commands::profile;
use crate::failure::{Failure, Result};
use crate::load::Reading;

/// The data set `NAME`, which the prelude declares, or `FILE.cc:NAME`.
pub fn files(what: &str) -> Result<Files> {
    let asked = Asked::read(what);
    let name = asked.name.to_owned();
    let reading = Reading {
        profile: profile(false),
        set: &[],
    };
    let read = named::read(asked, &[], reading)?;
    let own = |data: &Data| match data {
        Data::Videos(files) | Data::Sounds(files) => Some(files.clone()),
        Data::Synthetic(_) => None,
    };
    let sets: Vec<Files> = read.program.data.iter().filter_map(own).collect();
    if let Some(files) = sets.iter().find(|files| files.name == name) {
        return Ok(files.clone());
    }
    let place = match read.prefix.trim_end_matches(':') {
        "" => "the prelude".to_owned(),
        file => format!("`{file}`"),
    };
    let known = sets.iter().map(|files| files.name.as_str());
    let message = match name.as_str() {
        "" => format!("`{what}` names no data set"),
        name => format!("{place} declares no data set of files `{name}`"),
    };
    Err(Failure::misuse(message).help(match compiler::nearest(&name, known.clone()).as_slice() {
        [near] => format!("did you mean `{}{near}`?", read.prefix),
        _ if sets.is_empty() => "declare one: `data mine = videos(train: 1K, requires: [v, a], short: skip)`, and name it `FILE.cc:mine`".to_owned(),
        _ => format!(
            "it declares {}; one of a file of yours is named `FILE.cc:NAME`",
            known.collect::<Vec<_>>().join(", ")
        ),
    }))
}
