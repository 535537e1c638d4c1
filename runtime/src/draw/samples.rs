//! Which samples of a data set are drawn, and how they are read.

use super::{Tools, drawn};
use crate::data::admission::name_of;
use crate::data::manifest::splits::{Part, part};
use crate::data::reader::usable;
use crate::error::{Error, Result};
use compiler::hir::{self, Chain, Eval, FeatureStep, Head, Sampled, Score};

/// Samples of a part of a data set.
pub(super) struct Draws {
    /// Positions in the data set, in the order in which they were drawn.
    pub samples: Vec<usize>,
    /// Samples of the part that could have been drawn.
    pub of: usize,
}

/// Draws the samples that `of` asks for by the seed alone, from the part as it is in the first split; where a data set has no splits all
/// of it trains. What its rules leave out is not drawn.
///
/// # Errors
/// A part without samples.
pub(super) fn draws(of: &Sampled, eval: &Eval, seed: u64, tools: &Tools<'_>) -> Result<Draws> {
    let is_usable = usable(tools.source.as_ref(), eval);
    let is_in_part = |clip: &usize| {
        let is = tools
            .source
            .fold(*clip)
            .map_or(Part::Train, |fold| part(fold, 1));
        match of.split {
            hir::Part::Train => is == Part::Train,
            hir::Part::Test => is == Part::Test,
        }
    };
    let clips = 0..tools.source.len();
    let there: Vec<usize> = clips
        .filter(|clip| is_usable[*clip] && is_in_part(clip))
        .collect();
    if there.is_empty() {
        let name = match of.split {
            hir::Part::Train => "training",
            hir::Part::Test => "test",
        };
        return Err(Error::Data {
            name: name_of(&of.data).to_owned(),
            message: format!(
                "it has no {name} sample of `{}` that could be drawn",
                of.uses
            ),
            help: "draw the other `split`, or check the `fold` or `split` column of its CSV"
                .to_owned(),
        });
    }
    Ok(Draws {
        of: there.len(),
        samples: drawn(there, of.samples, seed, tools),
    })
}

/// The evaluation that reads these samples as a drawing sees them: none of their clips is augmented.
pub(super) fn evaluation(of: &Sampled, features: &[FeatureStep]) -> Eval {
    Eval {
        data: of.data.clone(),
        uses: of.uses.clone(),
        clip: of.clip.clone(),
        train: of.clips,
        test: of.clips,
        augment: Chain {
            per_frame: false,
            links: vec![],
        },
        features: features.to_vec(),
        // Neither is looked at.
        head: Head::Neighbours,
        score: Score::Top1,
    }
}

/// Which part is drawn: `test samples of split 1 of 3`.
pub(super) fn part_name(of: &Sampled) -> String {
    let splits = match &of.data {
        hir::Data::Synthetic(set) => set.splits,
        hir::Data::Videos(set) | hir::Data::Sounds(set) => set.splits,
    };
    let part = match of.split {
        hir::Part::Train => "training samples",
        hir::Part::Test => "test samples",
    };
    match splits {
        0 | 1 => part.to_owned(),
        splits => format!("{part} of split 1 of {splits}"),
    }
}
