//! How a clip takes part in the splits of its data set, in one number.
//!
//! Mostly it is a fold: the split of which the clip is a test clip, and it trains in the others; 0 trains in all. Split files that
//! leave clips out of a split, or test a clip in several, are written with two bits for each split and the highest bit set.

use serde::Serialize;

/// What a clip is in a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// It trains.
    Train,
    /// It is tested.
    Test,
    /// It takes no part.
    Neither,
}

/// Splits that can be told apart.
pub const MOST: u32 = 15;
const PARTS: u32 = 1 << 31;

/// What a clip of this fold is in split `split`, counted from 1.
pub fn part(fold: u32, split: u32) -> Part {
    if fold & PARTS == 0 {
        return if fold == split {
            Part::Test
        } else {
            Part::Train
        };
    }
    if !(1..=MOST).contains(&split) {
        return Part::Neither;
    }
    match fold >> (2 * (split - 1)) & 3 {
        0 => Part::Train,
        1 => Part::Test,
        _ => Part::Neither,
    }
}

/// Whether a clip of this fold is a test clip of any of so many splits.
pub fn tests(fold: u32, splits: u32) -> bool {
    (1..=splits).any(|split| part(fold, split) == Part::Test)
}

/// Whether a clip of this fold is a training clip of any of so many splits.
pub fn trains(fold: u32, splits: u32) -> bool {
    (1..=splits).any(|split| part(fold, split) == Part::Train)
}

/// The number for a clip that is this in the splits from 1 on, [`MOST`] at most: a plain fold where that says it.
pub fn fold_of(parts: &[Part]) -> u32 {
    let is = |wanted: Part| parts.iter().filter(|&&part| part == wanted).count();
    match (is(Part::Test), is(Part::Neither)) {
        (0, 0) => 0,
        (1, 0) => (1..)
            .zip(parts)
            .find_map(|(split, &part)| (part == Part::Test).then_some(split))
            .unwrap_or(0),
        _ => parts.iter().rev().fold(PARTS, |fold, part| {
            let bits = match part {
                Part::Train => 0,
                Part::Test => 1,
                Part::Neither => 2,
            };
            PARTS | (fold & !PARTS) << 2 | bits
        }),
    }
}

/// A split by its usual name, of a folder or in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// Trains.
    Train,
    /// Chosen on.
    Validate,
    /// Tested.
    Test,
}

impl Named {
    /// The split of this name, in letters of either case.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Self::Train,
            "val" | "valid" | "validate" | "validation" => Self::Validate,
            "test" | "testing" | "eval" | "evaluation" => Self::Test,
            _ => return None,
        })
    }

    /// The fold of a clip where `tested` is the split that is tested; `None` where the clip is left out.
    pub fn fold(self, tested: Self) -> Option<u32> {
        match self {
            Self::Train => Some(0),
            Self::Validate | Self::Test => (self == tested).then_some(1),
        }
    }

    /// The split that is tested of those that are there: `test`, and without it the validation split.
    pub fn tested(there: &[Self]) -> Self {
        if there.contains(&Self::Validate) && !there.contains(&Self::Test) {
            Self::Validate
        } else {
            Self::Test
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mixture_of_parts_comes_back() {
        let all = [Part::Train, Part::Test, Part::Neither];
        for a in all {
            for b in all {
                for c in all {
                    let fold = fold_of(&[a, b, c]);
                    let back = [1, 2, 3].map(|split| part(fold, split));
                    assert_eq!(back, [a, b, c], "{fold:#x}");
                }
            }
        }
        assert_eq!(fold_of(&[Part::Train, Part::Test]), 2);
        assert_eq!(fold_of(&[Part::Train, Part::Train]), 0);
        assert!(tests(2, 2) && !tests(2, 1) && trains(2, 2) && !tests(0, 3));
    }
}
