//! The table of overlaps as fractions, each beside an independent Monte Carlo of the policies as the paper and the released
//! code describe them.

use super::*;
use crate::fixture::{ALL, crisscross, pairs as loss};
use crate::hir::{Across, Relaxation};

/// The paper's default under this policy.
fn under(within: Within, across: Across) -> Pretrain {
    Pretrain {
        relax: Relaxation {
            within,
            across,
            same: vec![],
        },
        ..crisscross(loss(&ALL))
    }
}

fn overlap(percent: i128, of: Option<&str>) -> Within {
    Within::Overlap {
        share: Exact::new(percent, 100),
        of: of.map(str::to_owned),
    }
}

/// The laws of the six pairs in a source of 10 s, by name.
fn laws(pretrain: &Pretrain) -> BTreeMap<String, Overlap> {
    let windows = Windows::new(pretrain, Exact::whole(10)).unwrap();
    pairs(pretrain, &pretrain.loss)
        .into_iter()
        .map(|pair| (pair.to_string(), windows.overlap(&pair).unwrap()))
        .collect()
}

/// splitmix64: a generator of its own, so that nothing here is shared with the runtime.
struct Dice(u64);

impl Dice {
    fn uniform(&mut self, from: f64, to: f64) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        from + (to - from) * (bits >> 11) as f64 / (1u64 << 53) as f64
    }
}

const V: f64 = 0.5;
const A: f64 = 2.0;

/// The starts `[v1, v2, a1, a2]` of one draw in a source of 10 s.
type Draw = fn(&mut Dice) -> [f64; 4];

/// The released code's one draw: the sound first, then the pictures inside it.
fn inside(dice: &mut Dice, v: f64, a: f64) -> (f64, f64) {
    let sound = dice.uniform(0.0, 10.0 - a);
    (dice.uniform(sound, sound + a - v), sound)
}

fn enlarged(dice: &mut Dice, v_step: f64, a_step: f64) -> [f64; 4] {
    let (v, a) = inside(dice, V + v_step, A + a_step);
    [v, v + v_step, a, a + a_step]
}

fn mixed(dice: &mut Dice) -> [f64; 4] {
    let ((v1, a1), (v2, a2)) = (inside(dice, V, A), inside(dice, V, A));
    [v1, v2, a1, a2]
}

/// Mean share of the shorter window, how often inside, how often apart.
fn sampled(draw: Draw, pair: &str, count: u32) -> [f64; 3] {
    let mut dice = Dice(20_230_207);
    let side = |name: &str| match name {
        "v1" => (0, V),
        "v2" => (1, V),
        "a1" => (2, A),
        _ => (3, A),
    };
    let ((i, own), (j, theirs)) = (side(&pair[..2]), side(&pair[2..]));
    let mut total = [0.0; 3];
    for _ in 0..count {
        let starts = draw(&mut dice);
        let first = starts[i].max(starts[j]);
        let last = (starts[i] + own).min(starts[j] + theirs);
        let share = (last - first).max(0.0) / own.min(theirs);
        // A share that is 1 or 0 but for rounding.
        total[0] += share;
        total[1] += f64::from(share > 1.0 - 1e-9);
        total[2] += f64::from(share < 1e-9);
    }
    total.map(|sum| sum / f64::from(count))
}

fn checked(pretrain: &Pretrain, draw: Draw, expected: &[(&str, [(i128, i128); 3])]) {
    let laws = laws(pretrain);
    let name = crate::graph::relaxation(&pretrain.relax);
    assert_eq!(laws.len(), 6);
    for (pair, fractions) in expected {
        let law = laws[*pair];
        let [mean, inside, apart] = fractions.map(|(n, d)| Exact::new(n, d));
        let fractions = Overlap {
            mean,
            inside,
            apart,
        };
        assert_eq!(law, fractions, "{name} {pair}");
    }
    for (pair, law) in laws {
        let exact = [law.mean, law.inside, law.apart].map(Exact::to_f64);
        // The standard error of 100,000 shares in 0..=1 is at most 0.0016: four of them.
        for (exact, sampled) in exact.into_iter().zip(sampled(draw, &pair, 100_000)) {
            assert!(
                (exact - sampled).abs() < 0.0064,
                "{name} {pair}: {sampled} for {exact}"
            );
        }
    }
}

const FULL: [(i128, i128); 3] = [(1, 1), (1, 1), (0, 1)];
const NEVER: [(i128, i128); 3] = [(0, 1), (0, 1), (1, 1)];

#[test]
fn none_gives_all_pairs_one_window() {
    checked(
        &under(Within::Same, Across::Inside),
        |dice| enlarged(dice, 0.0, 0.0),
        &["v1v2", "a1a2", "v1a1", "v2a2", "v1a2", "v2a1"].map(|pair| (pair, FULL)),
    );
}

#[test]
fn mild_covers_seven_ninths_of_synchronous_pairs() {
    let (sync, asynchronous) = ([(7, 9), (2, 3), (1, 9)], [(2, 3), (5, 9), (2, 9)]);
    checked(
        &under(overlap(50, None), Across::Inside),
        |dice| enlarged(dice, 0.25, 1.0),
        &[
            ("v1v2", [(1, 2), (0, 1), (0, 1)]),
            ("a1a2", [(1, 2), (0, 1), (0, 1)]),
            ("v1a1", sync),
            ("v2a2", sync),
            ("v1a2", asynchronous),
            ("v2a1", asynchronous),
        ],
    );
}

#[test]
fn medium_covers_seven_twelfths_of_synchronous_pairs() {
    let (sync, asynchronous) = ([(7, 12), (1, 2), (1, 3)], [(5, 12), (1, 3), (1, 2)]);
    checked(
        &under(overlap(0, None), Across::Inside),
        |dice| enlarged(dice, 0.5, 2.0),
        &[
            ("v1v2", NEVER),
            ("a1a2", NEVER),
            ("v1a1", sync),
            ("v2a2", sync),
            ("v1a2", asynchronous),
            ("v2a1", asynchronous),
        ],
    );
}

fn halves(dice: &mut Dice) -> [f64; 4] {
    let (first, second) = (dice.uniform(0.0, 3.0), dice.uniform(5.0, 8.0));
    [first, second, first, second]
}

fn released_far(dice: &mut Dice) -> [f64; 4] {
    let first = dice.uniform(0.0, 3.0);
    [first, first + 3.0, first, first + 3.0]
}

const EXTREME: [(&str, [(i128, i128); 3]); 6] = [
    ("v1v2", NEVER),
    ("a1a2", NEVER),
    ("v1a1", FULL),
    ("v2a2", FULL),
    ("v1a2", NEVER),
    ("v2a1", NEVER),
];

#[test]
fn extreme_keeps_synchronous_pairs_whole_and_parts_the_others() {
    checked(&under(Within::Halves, Across::Start), halves, &EXTREME);
    checked(
        &under(Within::OffsetMax, Across::Start),
        released_far,
        &EXTREME,
    );
}

#[test]
fn mixed_covers_about_a_quarter_of_asynchronous_pairs() {
    let across = [(355, 1536), (45, 256), (183, 256)];
    checked(
        &under(Within::Independent, Across::Inside),
        mixed,
        &[
            ("v1a1", FULL),
            ("v2a2", FULL),
            ("v1a2", across),
            ("v2a1", across),
            ("v1v2", [(1009, 17_280), (0, 1), (12_215, 13_824)]),
            ("a1a2", [(11, 48), (0, 1), (9, 16)]),
        ],
    );
}

#[test]
fn readings_that_the_paper_leaves_open() {
    // With equal starts of the enlarged windows the second synchronous pair drifts apart.
    let mild = laws(&under(overlap(50, None), Across::Start));
    assert_eq!(
        (mild["v1a1"].mean, mild["v2a2"].mean),
        (Exact::whole(1), Exact::whole(0))
    );
    // With one step for both modalities every synchronous pair stays whole.
    for of in ["v", "a"] {
        for across in [Across::Inside, Across::Start, Across::Centre] {
            let laws = laws(&under(overlap(50, Some(of)), across));
            assert_eq!(laws["v1a1"].inside, Exact::whole(1), "{of} {across:?}");
            assert_eq!(laws["v2a2"].inside, Exact::whole(1), "{of} {across:?}");
        }
    }
    // "50 % of the audio clip" parts the video clips; "50 % of the video clip" leaves 7/8 of the sound.
    assert_eq!(
        laws(&under(overlap(50, Some("a")), Across::Inside))["v1v2"].apart,
        Exact::whole(1)
    );
    assert_eq!(
        laws(&under(overlap(50, Some("v")), Across::Inside))["a1a2"].mean,
        Exact::new(7, 8)
    );
    let centred = laws(&under(overlap(50, None), Across::Centre));
    // x = 9/8 always: v1 in a1 from 9/8 to 13/8, v2 = 11/8 to 15/8 in a2 from 1 on.
    assert!(
        ["v1a1", "v2a2", "v1a2", "v2a1"]
            .iter()
            .all(|pair| centred[*pair].inside == Exact::whole(1))
    );
}

fn three_later(dice: &mut Dice) -> [f64; 4] {
    let a = dice.uniform(0.0, 5.0);
    // The enlarged windows, of 3.5 and of 5 s, one inside the other.
    let v = a + dice.uniform(0.0, 1.5);
    [v, v + 3.0, a, a + 3.0]
}

/// A step longer than a clip parts the views of a modality; the step is one for all, so synchronous pairs stay whole.
#[test]
fn a_step_of_so_many_seconds_is_the_same_for_all_modalities() {
    let three = Exact::whole(3);
    checked(
        &under(Within::Offset(three), Across::Inside),
        three_later,
        &[
            ("v1v2", NEVER),
            ("a1a2", NEVER),
            ("v1a1", FULL),
            ("v2a2", FULL),
            ("v1a2", NEVER),
            ("v2a1", NEVER),
        ],
    );
    let quarter = Exact::new(1, 4);
    let laws = laws(&under(Within::Offset(quarter), Across::Inside));
    assert_eq!(
        (laws["v1v2"].mean, laws["a1a2"].mean),
        (Exact::new(1, 2), Exact::new(7, 8))
    );
    // v2 begins up to 1.75 s behind a1, and is inside it up to 1.5 s: 5 of 6 draws of the place in a1.
    assert_eq!(laws["v2a1"].inside, Exact::new(5, 6));
    let fixed = under(Within::Offset(three), Across::Start);
    assert_eq!(step(&fixed, "v"), Some(three));
    assert_eq!(shortest_source(&fixed), Some(Exact::whole(5)));
}

#[test]
fn released_extreme_begins_before_the_middle_in_two_of_three_draws() {
    let starts = |within| {
        let pretrain = under(within, Across::Start);
        let windows = Windows::new(&pretrain, Exact::whole(10)).unwrap();
        ["v", "a"].map(|m| windows.starts_until(m, 2, Exact::whole(5)).unwrap())
    };
    assert_eq!(starts(Within::OffsetMax), [Exact::new(2, 3); 2]);
    assert_eq!(starts(Within::Halves), [Exact::whole(0); 2]);
}

fn far(same: &str) -> Pretrain {
    let mut far = under(Within::OffsetMax, Across::Start);
    far.relax.same = vec![same.to_owned()];
    far
}

/// One of the two windows of the modality from `first` on, picked by a fair coin, serves both its views.
fn one_of_two(dice: &mut Dice, first: usize) -> [f64; 4] {
    let mut starts = released_far(dice);
    let picked = starts[first + usize::from(dice.uniform(0.0, 1.0) < 0.5)];
    starts[first] = picked;
    starts[first + 1] = picked;
    starts
}

#[test]
fn one_modality_far_apart_and_one_window_of_the_other() {
    let half = [(1, 2), (1, 2), (1, 2)];
    let across = ["v1a1", "v2a2", "v1a2", "v2a1"].map(|pair| (pair, half));
    let rows = |intra: [(&'static str, [(i128, i128); 3]); 2]| [intra.as_slice(), &across].concat();
    checked(
        &far("a"),
        |dice| one_of_two(dice, 2),
        &rows([("v1v2", NEVER), ("a1a2", FULL)]),
    );
    checked(
        &far("v"),
        |dice| one_of_two(dice, 0),
        &rows([("v1v2", FULL), ("a1a2", NEVER)]),
    );
}

#[test]
fn three_views_need_a_longer_source() {
    let needs = |within| {
        let pretrain = Pretrain {
            views: 3,
            ..under(within, Across::Inside)
        };
        ["v", "a"].map(|m| needed(&pretrain, m).unwrap().decimal())
    };
    assert_eq!(needs(overlap(50, None)), ["1", "4"]);
    assert_eq!(needs(overlap(0, None)), ["1.5", "6"]);
    assert_eq!(needs(Within::Halves), ["1.5", "6"]);
    assert_eq!(needs(Within::Independent), ["0.5", "2"]);
}

#[test]
fn a_source_that_is_too_short_has_no_law() {
    let mild = under(overlap(50, None), Across::Inside);
    let short = Windows::new(&mild, Exact::new(29, 10)).unwrap_err();
    let (modality, needs) = ("a".to_owned(), Exact::whole(3));
    assert_eq!(short, Unplaced::TooShort { modality, needs });
    // A source that fits exactly leaves one place for the enlarged windows of the sound.
    let windows = Windows::new(&mild, Exact::whole(3)).unwrap();
    assert!(windows.starts("a", 1)[0].fixed().is_some());
    assert!(windows.starts("v", 1)[0].fixed().is_none());
}

#[test]
fn numbers_that_are_too_fine_are_refused_and_not_rounded() {
    let prime = 999_999_999_989;
    let width = |n: i128| Exact::new(n, prime);
    let draw = |modality| draws::Draw { view: 0, modality };
    let position = Position::new(Exact::new(1, prime - 1))
        .moved(draw(0), width(3))
        .moved(draw(1), Exact::new(1, 7))
        .moved(draw(2), Exact::new(1, 11));
    assert_eq!(position.until(Exact::new(1, 13)), None);
}
