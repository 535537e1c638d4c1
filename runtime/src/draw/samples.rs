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

/// Draws the samples that `of` asks for by the seed alone, from its part. What the rules of the data set leave out is not drawn.
///
/// # Errors
/// A part without samples.
pub(super) fn draws(of: &Sampled, eval: &Eval, seed: u64, tools: &Tools<'_>) -> Result<Draws> {
    let is_usable = usable(tools.source.as_ref(), eval);
    let mut there = in_part(of, tools);
    there.retain(|clip| is_usable[*clip]);
    if there.is_empty() {
        return Err(Error::Data {
            name: name_of(&of.data).to_owned(),
            message: format!(
                "it has no {} sample of `{}` that could be drawn",
                word(of.split),
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

/// The samples of the part that is asked for, as it is in the first split; where a data set has no splits all of it trains.
pub(super) fn in_part(of: &Sampled, tools: &Tools<'_>) -> Vec<usize> {
    let wanted = match of.split {
        hir::Part::Train => Part::Train,
        hir::Part::Test => Part::Test,
    };
    let is_wanted = |sample: &usize| {
        let fold = tools.source.fold(*sample);
        fold.map_or(Part::Train, |fold| part(fold, 1)) == wanted
    };
    (0..tools.source.len()).filter(is_wanted).collect()
}

/// What a part is called.
pub(super) fn word(part: hir::Part) -> &'static str {
    match part {
        hir::Part::Train => "training",
        hir::Part::Test => "test",
    }
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
    let part = format!("{} samples", word(of.split));
    match splits {
        0 | 1 => part,
        splits => format!("{part} of split 1 of {splits}"),
    }
}
