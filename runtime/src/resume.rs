//! From which of the resume points in a folder a training goes on.

use crate::error::{Error, Result};
use records::points::{self, Point, points};
use std::path::Path;

/// What `restore` makes of the newest resume point in `folder` that it can use; `None` where there is none. Of those that are passed over
/// `say` is told; the damaged ones go once another is used, for one that nobody can use must not stand for one of those that are kept.
///
/// # Errors
/// Points of which none can be used, with what is wrong with each; a folder that cannot be read.
pub fn newest_usable<T>(
    folder: &Path,
    say: &mut dyn FnMut(&str),
    mut restore: impl FnMut(&Point) -> Result<T>,
) -> Result<Option<T>> {
    let found = points(folder)?;
    let count = found.len();
    let mut refused = vec![];
    for (place, point) in found.into_iter().enumerate() {
        match restore(&point) {
            Ok(restored) => {
                let damaged = refused.iter().filter(|(_, error)| is_damage(error));
                damaged
                    .map(|(point, _)| point)
                    .try_for_each(points::remove)?;
                return Ok(Some(restored));
            }
            Err(error) => {
                let next = match place + 1 < count {
                    true => "; an older state is looked for",
                    false => "",
                };
                say(&format!("{error}{next}"));
                refused.push((point, error));
            }
        }
    }
    match refused.is_empty() {
        true => Ok(None),
        false => Err(unusable(folder, refused)),
    }
}

/// Whether a resume point, or what belongs to it, is not as it was written: it will be so the next time.
fn is_damage(error: &Error) -> bool {
    matches!(
        error,
        Error::Checkpoint { .. } | Error::Records(records::Error::Content { .. })
    )
}

/// Why none of the resume points in `folder` can be used.
fn unusable(folder: &Path, mut refused: Vec<(Point, Error)>) -> Error {
    // What is no damage, as memory that is used up, may be gone the next time.
    let other = refused.iter().position(|(_, error)| !is_damage(error));
    if let Some(at) = other.or((refused.len() == 1).then_some(0)) {
        return refused.swap_remove(at).1;
    }
    let all: Vec<String> = refused.iter().map(|(_, error)| error.to_string()).collect();
    Error::Records(records::Error::Content {
        path: folder.to_owned(),
        message: format!("none of its resume points can be used: {}", all.join("; ")),
        help: format!(
            "put one of them back as it was, or remove the folder `{}` and run the same command again: the training then begins anew",
            folder.display()
        ),
    })
}
