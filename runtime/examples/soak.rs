//! Random requests over all files of some folders, for minutes: each answer is compared with one that came another way, and the
//! memory of the process must not grow. `cargo xtask soak FOLDER... [--minutes N] [--threads N]`.

use compiler::units::Exact;
use runtime::data::check::media_below;
use runtime::data::decode::{Scan, read, read_whole, scan};
use runtime::data::source::{Limits, Request, Span, Ticks};
use runtime::memory::resident;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The share by which resident memory may grow after the first fifth of the time.
const GROWTH: f64 = 0.05;

/// What was found so far.
#[derive(Default)]
struct Counts {
    answers: u64,
    refusals: BTreeMap<String, u64>,
    wrong: Vec<String>,
}

const USAGE: &str = "usage: soak FOLDER... [--minutes N] [--threads N]";

fn main() -> ExitCode {
    let Some((folders, minutes, threads)) = asked(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut files = Vec::new();
    for folder in &folders {
        match media_below(folder) {
            Ok(found) => files.extend(found),
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::from(2);
            }
        }
    }
    if files.is_empty() {
        eprintln!("error: there is no media file in these folders\n{USAGE}");
        return ExitCode::from(2);
    }
    tch::set_num_threads(1);
    println!(
        "{} files, {minutes} minutes, {threads} threads",
        files.len()
    );
    soak(&files, Duration::from_secs_f64(60.0 * minutes), threads)
}

/// Folders, minutes and threads; `None` where an argument is none of these.
fn asked(mut arguments: impl Iterator<Item = String>) -> Option<(Vec<PathBuf>, f64, usize)> {
    let (mut folders, mut minutes, mut threads) = (Vec::new(), 10.0, 1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--minutes" => minutes = arguments.next()?.parse().ok().filter(|n| *n > 0.0)?,
            "--threads" => threads = arguments.next()?.parse().ok().filter(|n| *n > 0)?,
            option if option.starts_with("--") => return None,
            folder => folders.push(PathBuf::from(folder)),
        }
    }
    Some((folders, minutes, threads))
}

fn soak(files: &[PathBuf], length: Duration, threads: usize) -> ExitCode {
    let start = Instant::now();
    let counts = Mutex::new(Counts::default());
    let mut resident = Vec::new();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let counts = &counts;
            scope.spawn(move || {
                let mut random = Random(thread as u64 + 1);
                while start.elapsed() < length {
                    let path = &files[random.below(files.len())];
                    let outcome = ask(path, &mut random);
                    let mut counts = counts
                        .lock()
                        .expect("soak: no thread panics with the counts");
                    match outcome {
                        Outcome::Same => counts.answers += 1,
                        Outcome::Refused(cause) => {
                            let cause = format!("{}: {cause}", path.display());
                            *counts.refusals.entry(cause).or_default() += 1;
                        }
                        Outcome::Wrong(what) => {
                            println!("WRONG {}: {what}", path.display());
                            counts.wrong.push(format!("{}: {what}", path.display()));
                        }
                    }
                }
            });
        }
        let interval = (length / 60).clamp(Duration::from_millis(500), Duration::from_secs(30));
        while start.elapsed() < length {
            std::thread::sleep(interval);
            let now = (start.elapsed().as_secs_f64(), memory());
            let answers = counts
                .lock()
                .expect("soak: no thread panics with the counts")
                .answers;
            println!("{:7.0} s  {:7.1} MB  {answers} answers", now.0, now.1);
            resident.push(now);
        }
    });
    let counts = counts
        .into_inner()
        .expect("soak: no thread panics with the counts");
    report(&counts, &resident, length.as_secs_f64())
}

fn report(counts: &Counts, resident: &[(f64, f64)], length: f64) -> ExitCode {
    let refused: u64 = counts.refusals.values().sum();
    println!(
        "{} answers, each the same by two ways; {refused} refusals:",
        counts.answers
    );
    for (cause, number) in &counts.refusals {
        println!("{number:7}  {cause}");
    }
    // Largest after warm-up against largest at the end of it: what a reading needs differs from file to file.
    let most = |from: f64, to: f64| {
        let within = resident
            .iter()
            .filter(|(at, _)| (from * length..=to * length).contains(at));
        within.map(|(_, megabytes)| *megabytes).fold(0.0, f64::max)
    };
    let (before, after) = (most(0.2, 0.5), most(0.5, 2.0));
    let growth = if before > 0.0 {
        after / before - 1.0
    } else {
        0.0
    };
    println!(
        "resident memory: {before:.1} MB in the second to fifth tenth, {after:.1} MB after it ({:+.1} %)",
        100.0 * growth
    );
    println!("{} wrong answers", counts.wrong.len());
    for what in &counts.wrong {
        println!("  {what}");
    }
    if counts.wrong.is_empty() && growth <= GROWTH {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What became of a request.
enum Outcome {
    Same,
    Refused(String),
    Wrong(String),
}

/// Scans the file, asks for some spans, and asks again another way.
fn ask(path: &Path, random: &mut Random) -> Outcome {
    let known = match scan(path) {
        Ok(known) => known,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    let known = match Scan::from_bytes(&known.to_bytes()) {
        Some(read_back) if read_back == known => read_back,
        _ => return Outcome::Wrong("the scan does not read back".to_owned()),
    };
    let requests = requests(&known, random);
    if requests.is_empty() {
        return Outcome::Refused("neither pictures nor sound have packets".to_owned());
    }
    let first = read(path, Some(&known), &requests);
    let (way, second) = if random.below(2) == 0 {
        ("without a scan", read(path, None, &requests))
    } else {
        ("from the start", read_whole(path, &requests))
    };
    match (first, second) {
        (Ok(first), Ok(second)) => match differ(&first, &second) {
            None => Outcome::Same,
            Some(at) => Outcome::Wrong(format!("{way}, {:?} differs", requests[at])),
        },
        (Err(first), Err(_)) => Outcome::Refused(first.to_string()),
        // With a scan, what nobody wants is not decoded: damage there is not seen.
        (Ok(_), Err(second)) => Outcome::Refused(second.to_string()),
        (Err(first), Ok(_)) => Outcome::Wrong(format!("{way}, {requests:?} can be read: {first}")),
    }
}

/// The first request whose spans are not the same bit by bit.
fn differ(a: &[Span], b: &[Span]) -> Option<usize> {
    a.iter().zip(b).position(|(a, b)| {
        let is_same = match (&a.ticks, &b.ticks) {
            (Ticks::Frames(a), Ticks::Frames(b)) | (Ticks::Wave(a), Ticks::Wave(b)) => a == b,
            (Ticks::Frames(_), Ticks::Wave(_)) | (Ticks::Wave(_), Ticks::Frames(_)) => false,
        };
        !is_same || (a.before, a.after) != (b.before, b.after)
    })
}

/// One to three spans, some of them beyond the ends of the streams.
fn requests(known: &Scan, random: &mut Random) -> Vec<Request> {
    let streams = known.streams();
    let mut place = |limits: Limits| {
        let span = limits.end - limits.start + 1.0;
        limits.start - 0.5 + span * random.unit()
    };
    let (video, audio) = (streams.video.map(&mut place), streams.audio.map(&mut place));
    let mut asked = Vec::new();
    if let Some(start) = video {
        let frames = 1 + random.below(12) as u32;
        let fps = Exact::whole([4, 8, 16, 25][random.below(4)]);
        asked.push(Request::Video { start, frames, fps });
    }
    if let Some(start) = audio
        && (asked.is_empty() || random.below(4) > 0)
    {
        let samples = 100 + random.below(48_000) as u32;
        let rate = Exact::whole(16_000);
        asked.push(Request::Audio {
            start,
            samples,
            rate,
        });
    }
    asked
}

/// Resident memory of this process in MB; 0 where the system does not say.
fn memory() -> f64 {
    resident().unwrap_or(0) as f64 / 1e6
}

/// A small generator (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
