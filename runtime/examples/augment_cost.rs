//! What augmentation costs on one core of this machine: milliseconds of processor time per view, link by link.
//!
//! ```text
//! taskset -c 0 cargo run --release -p crisscross-runtime --example augment_cost
//! ```
//!
//! Views are made one by one, as the loader's threads make them. A link costs what a chain costs with it more than without it;
//! the two are run in turn, and medians are printed.

use compiler::hir::{Chain, Fill, Levels, Link, LogMel, Pair, Widths};
use compiler::units::Exact;
use cpu_time::ThreadTime;
use runtime::augment::{Key, augment_frames, augment_wave, plain_wave};
use tch::{Device, Kind, Tensor};

const VIEWS: usize = 64;
const ROUNDS: usize = 9;

fn main() {
    tch::set_num_threads(1);
    println!("{:<28} {:>9} {:>9}", "ms per view", "released", "paper");
    for (height, width) in [(128, 170), (240, 320)] {
        let clips: Vec<Tensor> = (0..VIEWS as i64).map(|i| clip(i, height, width)).collect();
        let chains = [frames(false), frames(true)];
        let costs = chains.map(|links| {
            by_link(links, |chain, keys| {
                for (clip, key) in clips.iter().zip(keys) {
                    let _ = augment_frames(
                        chain,
                        std::slice::from_ref(clip),
                        112,
                        std::slice::from_ref(key),
                    );
                }
            })
        });
        print(&format!("8 frames of {width}x{height}"), &costs);
    }
    let waves = waves();
    let costs = [(false, true), (true, false)].map(|(paper, centre)| {
        let mel = LogMel {
            bands: 80,
            hop: 160,
            fft: 1024,
            centre,
        };
        let each: Vec<Tensor> = waves.split(1, 0);
        let mut costs = by_link(sound(paper), |chain, keys| {
            for (wave, key) in each.iter().zip(keys) {
                let _ = augment_wave(chain, wave, &mel, 16_000.0, std::slice::from_ref(key));
            }
        });
        costs[0].0 = "log-mel".to_owned();
        let plain = median((0..ROUNDS).map(|_| {
            time(|| {
                each.iter()
                    .for_each(|w| drop(plain_wave(w, &mel, 16_000.0)))
            })
        }));
        costs.push(("log-mel alone".to_owned(), plain));
        costs
    });
    print("2 s of 16 kHz", &costs);
}

fn print(what: &str, costs: &[Vec<(String, f64)>; 2]) {
    println!("{what}");
    for ((name, released), (_, paper)) in costs[0].iter().zip(&costs[1]) {
        println!("  {name:<26} {released:>9.3} {paper:>9.3}");
    }
}

/// The cost of each prefix's last link, and of all of them.
fn by_link(links: Vec<Link>, run: impl Fn(&Chain, &[Key])) -> Vec<(String, f64)> {
    let keys: Vec<Key> = (0..VIEWS as u64)
        .map(|i| Key::new(7, i, 0).child("v/1"))
        .collect();
    let first = usize::from(matches!(links[0], Link::MultiScaleCrop { .. }));
    let chains: Vec<Chain> = (first..=links.len())
        .map(|n| Chain {
            per_frame: false,
            links: links[..n].to_vec(),
        })
        .collect();
    let mut times = vec![Vec::new(); chains.len()];
    for round in 0..=ROUNDS {
        for (chain, times) in chains.iter().zip(&mut times) {
            let spent = time(|| run(chain, &keys));
            if round > 0 {
                times.push(spent);
            }
        }
    }
    let whole: Vec<f64> = times.into_iter().map(median).collect();
    let mut costs = vec![(links[0].short().to_owned(), whole[0])];
    for (n, pair) in whole.windows(2).enumerate() {
        costs.push((links[first + n].short().to_owned(), pair[1] - pair[0]));
    }
    costs.push(("all".to_owned(), whole[whole.len() - 1]));
    costs
}

/// Milliseconds of processor time per view.
fn time(work: impl FnOnce()) -> f64 {
    let start = ThreadTime::now();
    work();
    start.elapsed().as_secs_f64() * 1e3 / VIEWS as f64
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Moving stripes with noise.
fn clip(number: i64, height: i64, width: i64) -> Tensor {
    let axis = |n: i64, shape: [i64; 4]| Tensor::arange(n, (Kind::Float, Device::Cpu)).view(shape);
    let waves = axis(height, [1, height, 1, 1]) * 0.05
        + axis(width, [1, 1, width, 1]) * (0.02 + number as f64 * 1e-3)
        + axis(8, [8, 1, 1, 1]) * 0.3
        + axis(3, [1, 1, 1, 3]) * 0.9;
    let noise = Tensor::rand([8, height, width, 3], (Kind::Float, Device::Cpu)) * 40.0;
    (waves.sin() * 100.0 + 110.0 + noise)
        .clamp(0.0, 255.0)
        .to_kind(Kind::Uint8)
}

fn waves() -> Tensor {
    let noise = Tensor::randn([VIEWS as i64, 32_000], (Kind::Float, Device::Cpu)) * 0.05;
    let t = Tensor::arange(32_000, (Kind::Float, Device::Cpu)) / 16_000.0;
    noise + (t.square() * 900.0).sin() * 0.4
}

fn hundredths(n: i128) -> Exact {
    Exact::new(n, 100)
}

fn frames(paper: bool) -> Vec<Link> {
    vec![
        Link::MultiScaleCrop {
            min_area: hundredths(8),
        },
        Link::HorizontalFlip { p: hundredths(50) },
        Link::ColorJitter {
            brightness: hundredths(40),
            contrast: hundredths(40),
            saturation: hundredths(40),
            hue: hundredths(20),
        },
        Link::GrayScale {
            p: hundredths(20),
            levels: if paper { Levels::Exact } else { Levels::Whole },
        },
        Link::GaussianBlur {
            p: hundredths(50),
            sigma: (hundredths(10), hundredths(200)),
            pair: if paper { Pair::Range } else { Pair::Axes },
            levels: if paper { Levels::Exact } else { Levels::Whole },
        },
        Link::Cutout {
            max: 20,
            count: 1,
            fill: if paper {
                Fill::FirstFrameMean
            } else {
                Fill::TimesFirstFrameMean
            },
        },
    ]
}

fn sound(paper: bool) -> Vec<Link> {
    let widths = if paper {
        Widths::Inclusive
    } else {
        Widths::Exclusive
    };
    vec![
        Link::VolumeJitter {
            range: hundredths(20),
        },
        Link::FreqMask {
            max: 10,
            count: 2,
            widths,
        },
        Link::TimeMask {
            max: 20,
            count: 2,
            widths,
        },
        Link::RandomCrop {
            range: (hundredths(60), hundredths(150)),
            canvas: (hundredths(100), hundredths(150)),
        },
    ]
}
