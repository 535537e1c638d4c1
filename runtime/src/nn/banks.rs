//! Memory banks: one row for each clip of the data set, moved towards what the step makes of the clip.

use super::parameters::{Entry, Init, Parameters};
use crate::device::sent;
use crate::error::{Error, Result};
use crate::ranks::Ranks;
use compiler::units::Exact;
use std::collections::BTreeMap;
use tch::Tensor;

/// What names of banks begin with.
pub const MEMORY: &str = "memory.";

/// A bank. Each rank has all rows, and moves those of the clips of all ranks.
#[derive(Debug)]
pub struct Bank {
    /// `memory.0.5.v.f.v`: momentum, and what the rows are made by.
    name: String,
    momentum: f64,
    /// `[clips, D]`.
    rows: Tensor,
    parameters: Parameters,
}

impl Bank {
    /// Rows of `width` values for so many clips, each about one long in a direction of its own.
    pub fn new(
        mut parameters: Parameters,
        name: String,
        momentum: Exact,
        (clips, width): (u64, u32),
    ) -> Self {
        let init = Init::Normal(1.0 / f64::from(width).sqrt());
        let shape = [i64::try_from(clips).unwrap_or(i64::MAX), i64::from(width)];
        let rows = parameters.drawn(name.clone(), &shape, init);
        Self {
            name,
            momentum: momentum.to_f64(),
            rows,
            parameters,
        }
    }

    /// What it is called in the program and in resume points.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rows as an entry.
    pub fn entries(&self) -> &[Entry] {
        self.parameters.entries()
    }

    /// The rows of these clips, `[n, D]`: a copy.
    ///
    /// # Errors
    /// A clip that the bank has no row for.
    pub fn rows(&self, clips: &[u32]) -> Result<Tensor> {
        Ok(self.rows.f_index_select(0, &self.places(clips)?)?)
    }

    /// Moves the rows of `clips` towards the mean of what the step has made of each: `[n, D]` for each of the `views`. Clips may come
    /// more than once. Rows stay where `skip`, float32 `[1]`, is 1.
    ///
    /// # Errors
    /// As [`Bank::rows`]; [`Error::Rank`].
    pub fn follow(
        &self,
        clips: &[u32],
        views: &[Tensor],
        skip: Option<&Tensor>,
        ranks: &Ranks,
    ) -> Result<()> {
        let clips = ranks.collect(clips.to_vec())?.concat();
        let mut numbers: BTreeMap<u32, i64> = BTreeMap::new();
        for &clip in &clips {
            let next = numbers.len() as i64;
            numbers.entry(clip).or_insert(next);
        }
        let mut own = vec![0; numbers.len()];
        for (clip, at) in &numbers {
            own[*at as usize] = *clip;
        }
        let at: Vec<i64> = clips.iter().map(|clip| numbers[clip]).collect();
        let device = self.rows.device();
        let at = sent(&Tensor::from_slice(&at), device);
        let mut sums = Tensor::zeros([own.len() as i64, self.width()], (self.rows.kind(), device));
        let mut counts = Tensor::zeros([own.len() as i64, 1], (self.rows.kind(), device));
        for view in views {
            let view = ranks.rows(&view.detach())?.to_kind(self.rows.kind());
            let ones = Tensor::ones([view.size()[0], 1], (self.rows.kind(), device));
            sums = sums.f_index_add_(0, &at, &view)?;
            counts = counts.f_index_add_(0, &at, &ones)?;
        }
        let old = self.rows(&own)?;
        let new = &old * self.momentum + (sums / counts) * (1.0 - self.momentum);
        let new = match skip {
            Some(skip) => old.f_where_self(&skip.ne(0.0), &new)?,
            None => new,
        };
        let _ = self
            .rows
            .shallow_clone()
            .f_index_copy_(0, &self.places(&own)?, &new)?;
        Ok(())
    }

    fn width(&self) -> i64 {
        self.rows.size()[1]
    }

    fn places(&self, clips: &[u32]) -> Result<Tensor> {
        let count = self.rows.size()[0];
        if let Some(clip) = clips.iter().find(|clip| i64::from(**clip) >= count) {
            return Err(Error::Unsupported {
                message: format!(
                    "`{}` has rows for {count} clips, and the batch has clip {clip}: the data set has grown; train from the start",
                    self.name
                ),
            });
        }
        let clips: Vec<i64> = clips.iter().map(|&clip| clip.into()).collect();
        Ok(sent(&Tensor::from_slice(&clips), self.rows.device()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    fn bank() -> Bank {
        let parameters = Parameters::new(3, Kind::Float, Device::Cpu);
        Bank::new(parameters, "memory.v".to_owned(), Exact::new(1, 4), (5, 2))
    }

    fn numbers(x: &Tensor) -> Vec<f64> {
        Vec::<f64>::try_from(x.to_kind(Kind::Double).flatten(0, -1)).unwrap()
    }

    #[test]
    fn a_row_moves_to_the_mean_of_the_views_of_its_clip() {
        let bank = bank();
        let before = numbers(&bank.rows(&[0, 1, 2, 3, 4]).unwrap());
        let view = |values: [f32; 6]| Tensor::from_slice(&values).view([3, 2]);
        // Clip 3 comes twice.
        let views = [
            view([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            view([3.0, 2.0, 1.0, 0.0, 7.0, 2.0]),
        ];
        let alone = Ranks::alone();
        bank.follow(
            &[3, 1, 3],
            &views,
            Some(&Tensor::from_slice(&[1.0f32])),
            &alone,
        )
        .unwrap();
        assert_eq!(before, numbers(&bank.rows(&[0, 1, 2, 3, 4]).unwrap()));
        bank.follow(&[3, 1, 3], &views, None, &alone).unwrap();
        let after = numbers(&bank.rows(&[0, 1, 2, 3, 4]).unwrap());
        let mean = |clip: usize, at: usize| match (clip, at) {
            (1, 0) => 2.0,
            (1, _) => 2.0,
            (3, 0) => 4.0,
            _ => 3.0,
        };
        for clip in 0..5 {
            for at in 0..2 {
                let old = before[2 * clip + at];
                let wanted = match clip {
                    1 | 3 => 0.25 * old + 0.75 * mean(clip, at),
                    _ => old,
                };
                assert!((after[2 * clip + at] - wanted).abs() < 1e-6, "{clip} {at}");
            }
        }
    }

    #[test]
    fn a_clip_without_a_row_is_named() {
        let message = bank().rows(&[2, 5]).unwrap_err().to_string();
        assert!(
            message.contains("rows for 5 clips") && message.contains("clip 5"),
            "{message}"
        );
    }
}
