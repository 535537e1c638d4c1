//! The aural augmentations (Table S2): VJ on waves; FM, TM, RC and TW on log-mel spectrograms.

mod loops;
mod steps;
mod together;

pub use steps::{CanvasCrop, Mask, Step, Warp};

use super::draws::Key;
use super::mel::{log_mel, log_mel_by};
use super::{Strategy, stream_names};
use crate::ffi::filled;
use crate::parts::{Part, measured};
use compiler::hir::{Chain, Domain, Link, LogMel};
use tch::Tensor;

/// Augmented spectrograms of a batch of waves.
///
/// - `waves`: f32 `[B, N]`, full scale 1, at `rate_hz`. The work is done where they lie.
/// - `keys`: the place of each wave's random numbers, down to the view.
///
/// Returns f32 `[B, 1, bands, columns]`, normalised.
pub fn augment_wave(
    chain: &Chain,
    waves: &Tensor,
    mel: &LogMel,
    rate_hz: f64,
    keys: &[Key],
) -> Tensor {
    let strategy = Strategy::of(std::slice::from_ref(waves));
    augment_wave_by(strategy, chain, waves, mel, rate_hz, keys)
}

/// [`augment_wave`] by this strategy.
pub fn augment_wave_by(
    strategy: Strategy,
    chain: &Chain,
    waves: &Tensor,
    mel: &LogMel,
    rate_hz: f64,
    keys: &[Key],
) -> Tensor {
    let names = stream_names(&chain.links);
    let (bands, columns) = (
        i64::from(mel.bands),
        i64::from(mel.columns(waves.size()[1] as u32)),
    );
    let all = |domain: Domain| -> Vec<Vec<Step>> {
        let own = |key: &Key| {
            let links = chain.links.iter().zip(&names);
            links
                .filter(|(link, _)| link.domain() == domain)
                .map(|(link, name)| Step::draw(link, &mut key.draws(name), bands, columns))
                .collect()
        };
        keys.iter().map(own).collect()
    };
    let waves = apply_steps(strategy, waves, &all(Domain::Wave));
    let spectrograms = log_mel_by(strategy, &waves, mel, rate_hz);
    apply_steps(strategy, &spectrograms, &all(Domain::Spectrogram))
}

/// Spectrograms of a batch of waves as they are. Takes and returns what [`augment_wave`] does.
pub fn plain_wave(waves: &Tensor, mel: &LogMel, rate_hz: f64) -> Tensor {
    log_mel(waves, mel, rate_hz)
}

/// The link at `at` of a chain on a batch of waves or spectrograms, whichever it works on.
pub(crate) fn link_at(links: &[Link], at: usize, batch: &Tensor, keys: &[Key]) -> Tensor {
    let name = &stream_names(links)[at];
    let axis = |from_last: usize| batch.size()[batch.dim() - 1 - from_last];
    let draw = |key: &Key| {
        vec![Step::draw(
            &links[at],
            &mut key.draws(name),
            axis(1),
            axis(0),
        )]
    };
    let steps: Vec<_> = keys.iter().map(draw).collect();
    apply_steps(Strategy::of(std::slice::from_ref(batch)), batch, &steps)
}

/// Does steps to a batch of waves `[B, N]` or of spectrograms `[B, 1, F, T]`, f32. The lists are equal but for what was drawn.
pub fn apply_steps(strategy: Strategy, batch: &Tensor, steps: &[Vec<Step>]) -> Tensor {
    if steps.first().is_none_or(Vec::is_empty) {
        return batch.shallow_clone();
    }
    measured(Part::Augment, || match strategy {
        Strategy::Together => together::apply(batch.shallow_clone(), steps),
        Strategy::Each => {
            let width = batch.size()[batch.dim() - 1] as usize;
            let batch = batch.contiguous();
            filled([batch.numel() as i64], |values| {
                batch.copy_data(values, values.len());
                let each = values.chunks_exact_mut(values.len() / steps.len());
                let mut scratch = Vec::new();
                for (values, steps) in each.zip(steps) {
                    loops::apply(values, width, steps, &mut scratch);
                }
            })
            .view_as(&batch)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::strong_sound;
    use super::*;
    use compiler::hir::Widths;
    use tch::Device;
    use tch::Kind;

    fn chain() -> Chain {
        Chain {
            per_frame: false,
            links: strong_sound([Widths::Inclusive, Widths::Exclusive]),
        }
    }

    fn waves() -> Tensor {
        let t = Tensor::arange(2 * 32_000, (Kind::Float, Device::Cpu));
        (t.square() * 1e-5).sin().view([2, 32_000]) * 0.5
    }

    #[test]
    fn a_view_depends_on_its_own_wave_and_key_alone() {
        let mel = LogMel {
            bands: 80,
            hop: 160,
            fft: 1024,
            centre: false,
        };
        let keys: Vec<Key> = (0..2)
            .map(|sample| Key::new(3, sample, 0).child("a/2"))
            .collect();
        let both = augment_wave(&chain(), &waves(), &mel, 16_000.0, &keys);
        assert_eq!(both.size(), [2, 1, 80, 200]);
        let second = augment_wave(
            &chain(),
            &waves().narrow(0, 1, 1),
            &mel,
            16_000.0,
            &keys[1..],
        );
        let difference = (second - both.narrow(0, 1, 1))
            .abs()
            .max()
            .double_value(&[]);
        assert!(difference < 1e-5, "{difference}");
        assert!((both.get(0) - both.get(1)).abs().max().double_value(&[]) > 0.1);
    }

    #[test]
    fn both_strategies_give_the_same_views() {
        let waves = Tensor::cat(&[waves(), waves().flip([1]) * 0.1], 0);
        for centre in [false, true] {
            let mel = LogMel {
                bands: 80,
                hop: 160,
                fft: 1024,
                centre,
            };
            for round in 0..3 {
                let key = |sample| Key::new(round, sample, 0).child("a/1");
                let keys: Vec<Key> = (0..4).map(key).collect();
                let by =
                    |strategy| augment_wave_by(strategy, &chain(), &waves, &mel, 16_000.0, &keys);
                let apart = (by(Strategy::Each) - by(Strategy::Together)).abs().max();
                assert!(apart.double_value(&[]) < 1e-5, "{apart}");
            }
        }
    }

    /// A gain of g adds 2 ln(g) / 4.41 everywhere.
    #[test]
    fn volume_jitter_moves_the_whole_spectrogram() {
        let mel = LogMel {
            bands: 40,
            hop: 160,
            fft: 1024,
            centre: true,
        };
        let plain = plain_wave(&waves(), &mel, 16_000.0);
        let gains = vec![vec![Step::Gain(1.2)]; 2];
        let louder = apply_steps(Strategy::Each, &waves(), &gains);
        let louder = plain_wave(&louder, &mel, 16_000.0);
        let loud = plain.gt(-0.5);
        let moved = (louder - plain).masked_select(&loud) - 2.0 * 1.2f64.ln() / 4.410007;
        assert!(moved.abs().max().double_value(&[]) < 1e-3);
    }

    #[test]
    fn draws_keep_to_their_bounds() {
        let mut draws = Key::at(0, "audio").stream();
        for _ in 0..500 {
            let masks = Mask::draw(&mut draws, 9, 2, 80);
            assert!(
                masks
                    .iter()
                    .all(|m| m.width < 10 && m.start >= 0 && m.start + m.width <= 80)
            );
            let c = CanvasCrop::draw(&mut draws, (0.6, 1.5), (1.0, 1.5), 80, 201);
            assert_eq!(c.canvas, (80, 301));
            assert!(c.height >= 48 && c.top >= 0 && c.top + c.height <= 80);
            assert!(c.width >= 120 && c.left >= 0 && c.left + c.width <= 301);
            let w = Warp::draw(&mut draws, 20, 201).unwrap();
            assert!((20..=180).contains(&w.from) && (w.from - 19..=w.from + 20).contains(&w.to));
        }
        assert_eq!(Warp::draw(&mut draws, 20, 40), None);
    }
}
