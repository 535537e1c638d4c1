//! Packs the repository's clips and reads them back.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use super::*;
use crate::augment::Key;
use crate::data::decode;
use crate::data::files::Files;
use crate::data::fixtures::{clips, files, site};
use crate::data::source::{ClipSource, Request, Ticks};
use crate::error::Error;
use compiler::hir;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tch::{Kind, Tensor};

static GO: AtomicBool = AtomicBool::new(false);

fn options(threads: usize) -> Options<'static> {
    Options {
        threads,
        clips_per_shard: 3,
        stop: &GO,
    }
}

/// The frames and samples as they are, as well as JPEG can.
fn native() -> Quality {
    Quality {
        short_side: None,
        fps: None,
        jpeg: 100,
        rate: Exact::whole(16_000),
    }
}

fn set() -> hir::Files {
    files("toy", 2, 1)
}

fn source() -> Arc<Files> {
    let site = site("toy", clips().join("videos"), None);
    Arc::new(Files::open(&set(), &site, 2).unwrap())
}

fn packed(quality: &Quality) -> (tempfile::TempDir, Packed) {
    let folder = tempfile::tempdir().unwrap();
    let packed = pack(
        &source(),
        &set(),
        quality,
        folder.path(),
        &options(2),
        &mut |_| (),
    )
    .unwrap();
    (folder, packed)
}

fn packed_at(fps: Exact) -> (tempfile::TempDir, Packed) {
    packed(&Quality {
        fps: Some(fps),
        ..native()
    })
}

fn frames(ticks: &Ticks) -> Tensor {
    match ticks {
        Ticks::Frames(frames) => frames.to_kind(Kind::Float),
        Ticks::Wave(_) => panic!("frames were asked for"),
    }
}

fn wave(ticks: &Ticks) -> Tensor {
    match ticks {
        Ticks::Wave(wave) => wave.shallow_clone(),
        Ticks::Frames(_) => panic!("sound was asked for"),
    }
}

fn message(error: Error) -> String {
    error.to_string()
}

/// The same frames, told apart by pictures that differ by much more than JPEG loses, and samples within half a level of 16 bits.
#[test]
fn shards_of_native_quality_answer_as_the_files_do() {
    let (folder, packed) = packed(&native());
    assert_eq!((packed.kept, packed.header.shards.len()), (0, 2));
    let (files, shards) = (source(), Shards::open(&set(), folder.path()).unwrap());
    assert_eq!(files.len(), shards.len());
    assert_eq!(files.classes(), shards.classes());
    let mut draws = Key::at(1, "requests").stream();
    for clip in 0..files.len() {
        assert_eq!(files.label(clip), shards.label(clip));
        assert_eq!(files.fold(clip), shards.fold(clip));
        assert!(files.name(clip).ends_with(&shards.name(clip)));
        let streams = files.streams(clip).unwrap();
        assert_eq!(streams, shards.streams(clip).unwrap());
        let (video, audio) = (streams.video.unwrap(), streams.audio.unwrap());
        for _ in 0..40 {
            let requests = [
                Request::Video {
                    start: draws.uniform(video.start, video.end - 0.5),
                    frames: 8,
                    fps: Exact::whole(16),
                },
                Request::Audio {
                    start: draws.uniform(audio.start - 0.02, audio.end - 0.98),
                    samples: 16_000,
                    rate: Exact::whole(16_000),
                },
            ];
            let from_files = files.read(clip, &requests).unwrap();
            let from_shards = shards.read(clip, &requests).unwrap();
            let difference = frames(&from_files[0]) - frames(&from_shards[0]);
            let mean = difference.abs().mean(Kind::Float).double_value(&[]);
            assert!(mean < 1.5, "clip {clip}, {requests:?}: {mean}");
            let difference = wave(&from_files[1]) - wave(&from_shards[1]);
            let worst = difference.abs().max().double_value(&[]);
            assert!(
                worst <= 0.5001 / 32768.0,
                "clip {clip}, {requests:?}: {worst}"
            );
        }
    }
    assert_ne!(files.fingerprint(), shards.fingerprint());
    assert_eq!(verify(&set(), folder.path(), &mut |_| ()).unwrap().0, 4);
}

#[test]
fn frames_are_shrunk_and_kept_at_the_rate_that_was_declared() {
    let quality = Quality {
        short_side: Some(32),
        fps: Some(Exact::whole(8)),
        ..native()
    };
    let (folder, _) = packed(&quality);
    let (files, shards) = (source(), Shards::open(&set(), folder.path()).unwrap());
    let video = files.streams(0).unwrap().video.unwrap();
    let request = |start, frames| Request::Video {
        start,
        frames,
        fps: Exact::whole(8),
    };
    // On the grid of the pack the frames are those of the file, 64 x 48 brought to 43 x 32.
    let on_grid = request(video.start + 3.0 / 8.0, 6);
    let small = frames(&shards.read(0, &[on_grid]).unwrap()[0]);
    assert_eq!(small.size(), [6, 32, 43, 3]);
    let whole = frames(&files.read(0, &[on_grid]).unwrap()[0]);
    let means = |frames: &Tensor| frames.mean_dim([1i64, 2].as_slice(), false, Kind::Float);
    let difference = (means(&small) - means(&whole))
        .abs()
        .max()
        .double_value(&[]);
    assert!(difference < 1.0, "{difference}");
    // Between two moments of the grid the earlier frame is shown.
    let between = frames(
        &shards
            .read(0, &[request(video.start + 3.4 / 8.0, 1)])
            .unwrap()[0],
    );
    assert_eq!(between.squeeze_dim(0), small.get(0));
    let fingerprint = |quality: &Quality| {
        let (folder, _) = packed(quality);
        Shards::open(&set(), folder.path()).unwrap().fingerprint()
    };
    assert_eq!(fingerprint(&quality), shards.fingerprint());
    assert_ne!(fingerprint(&native()), shards.fingerprint());
}

fn tars(folder: &Path) -> Vec<Vec<u8>> {
    let tar = |n: u32| std::fs::read(folder.join(format!("shard-{n:06}.tar"))).unwrap();
    (0..2).map(tar).collect()
}

#[test]
fn bytes_depend_on_neither_threads_nor_interruptions() {
    let (once, _) = packed(&native());
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let stop = AtomicBool::new(false);
    let interrupted = Options {
        threads: 1,
        clips_per_shard: 3,
        stop: &stop,
    };
    let mut halt = |done: usize| stop.store(done >= 3, std::sync::atomic::Ordering::Relaxed);
    let error = pack(&source(), &set(), &native(), out, &interrupted, &mut halt).unwrap_err();
    assert!(matches!(error, Error::Interrupted));
    assert!(out.join("shard-000000.tar").is_file() && !out.join(PACK).exists());
    // Another quality does not go on with it, nor do other shards.
    let error = pack(
        &source(),
        &set(),
        &Quality::default(),
        out,
        &options(1),
        &mut |_| (),
    );
    assert!(message(error.unwrap_err()).contains("an unfinished pack of other files"));
    let packed = pack(&source(), &set(), &native(), out, &options(3), &mut |_| ()).unwrap();
    assert_eq!(packed.kept, 1);
    assert_eq!(tars(out), tars(once.path()));
    let index = |folder: &Path| std::fs::read(folder.join(INDEX)).unwrap();
    assert_eq!(index(out), index(once.path()));
    let mut left: Vec<String> = std::fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, [INDEX, PACK, "shard-000000.tar", "shard-000001.tar"]);
    // All of it is there: nothing is done.
    let again = pack(&source(), &set(), &native(), out, &options(1), &mut |_| ()).unwrap();
    assert_eq!((again.kept, again.header), (2, packed.header));
    let error = pack(
        &source(),
        &set(),
        &Quality::default(),
        out,
        &options(1),
        &mut |_| (),
    );
    assert!(message(error.unwrap_err()).contains("holds another pack"));
}

#[test]
fn a_lost_shard_is_packed_again_and_the_others_are_kept() {
    let (folder, packed) = packed(&native());
    let out = folder.path();
    let lost = out.join("shard-000000.tar");
    let bytes = std::fs::read(&lost).unwrap();
    let again =
        |options: &Options<'_>| pack(&source(), &set(), &native(), out, options, &mut |_| ());
    std::fs::remove_file(&lost).unwrap();
    // Interrupted at once: the pack is as it was, and serves again once the shard is copied back.
    let stop = AtomicBool::new(true);
    let stopped = Options {
        stop: &stop,
        ..options(1)
    };
    assert!(matches!(again(&stopped).unwrap_err(), Error::Interrupted));
    std::fs::write(&lost, &bytes).unwrap();
    assert!(Shards::open(&set(), out).is_ok());
    std::fs::remove_file(&lost).unwrap();
    let second = again(&options(2)).unwrap();
    assert_eq!((second.kept, &second.header), (1, &packed.header));
    assert_eq!(std::fs::read(&lost).unwrap(), bytes);
    let mut left: Vec<_> = std::fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, [INDEX, PACK, "shard-000000.tar", "shard-000001.tar"]);
    let fewer = Options {
        clips_per_shard: 2,
        ..options(1)
    };
    assert!(message(again(&fewer).unwrap_err()).contains("in other shards"));
}

#[test]
fn a_folder_with_other_files_or_under_another_pack_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.tex"), "years of work").unwrap();
    let error = pack(
        &source(),
        &set(),
        &native(),
        folder.path(),
        &options(1),
        &mut |_| (),
    );
    assert!(message(error.unwrap_err()).contains("holds other files"));
    assert!(!folder.path().join(".lock").exists());
    // Shards of whom, without `pack.json`? They stay as they are, and no shard of another pack comes to lie beside them.
    let foreign = tempfile::tempdir().unwrap();
    let shard = foreign.path().join("shard-000000.tar");
    std::fs::write(&shard, "of another program").unwrap();
    let error = pack(
        &source(),
        &set(),
        &native(),
        foreign.path(),
        &options(1),
        &mut |_| (),
    );
    assert!(message(error.unwrap_err()).contains("holds other files"));
    assert_eq!(std::fs::read(&shard).unwrap(), b"of another program");
    let busy = tempfile::tempdir().unwrap();
    let lock = std::fs::File::create(busy.path().join(".lock")).unwrap();
    lock.lock().unwrap();
    let error = pack(
        &source(),
        &set(),
        &native(),
        busy.path(),
        &options(1),
        &mut |_| (),
    );
    assert!(message(error.unwrap_err()).contains("another process packs"));
}

#[test]
fn clips_that_cannot_be_read_are_counted_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("files");
    for class in ["rising", "falling"] {
        std::fs::create_dir_all(root.join(class)).unwrap();
        let from = clips().join("videos").join(class).join("one.mp4");
        std::fs::copy(from, root.join(class).join("one.mp4")).unwrap();
    }
    std::fs::write(root.join("rising/text.mp4"), "no clip").unwrap();
    let site = site("toy", root, None);
    let files = Arc::new(Files::open(&set(), &site, 1).unwrap());
    let out = folder.path().join("packed");
    let packed = pack(&files, &set(), &native(), &out, &options(1), &mut |_| ()).unwrap();
    let unreadable: Vec<&str> = packed
        .header
        .unreadable
        .iter()
        .map(|u| u.file.as_str())
        .collect();
    assert_eq!(unreadable, ["rising/text.mp4"]);
    let shards = Shards::open(&set(), &out).unwrap();
    assert_eq!(shards.len(), 3);
    let cause = message(shards.streams(2).unwrap_err());
    assert!(
        cause.contains("rising/text.mp4") && cause.contains("could not be packed"),
        "{cause}"
    );
}

/// A last frame after eleven days: neither a picture for each sixteenth of a second, nor the memory for them.
#[test]
fn a_clip_that_claims_to_last_for_ever_is_named_at_once() {
    use decode::exact::clip::{Clip, Pictures, write};
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("files");
    std::fs::create_dir_all(root.join("rising")).unwrap();
    let clip = Clip {
        container: "matroska",
        pictures: Some(Pictures {
            codec: "mjpeg",
            format: ffmpeg_next::format::Pixel::YUVJ420P,
            options: &[],
            gop: 25,
            b_frames: 0,
            times: (0..20).chain([1_000_000_000]).collect(),
            unit: 1000,
        }),
        tone: None,
    };
    write(&clip, &root.join("rising/long.mkv")).unwrap();
    let site = site("toy", root, None);
    let set = hir::Files {
        classes: 0,
        ..set()
    };
    let files = Arc::new(Files::open(&set, &site, 1).unwrap());
    let out = folder.path().join("packed");
    let quality = Quality::default();
    let error = pack(&files, &set, &quality, &out, &options(1), &mut |_| ()).unwrap_err();
    let text = error.in_full();
    assert!(text.contains("1 of 1 files could not be read"), "{text}");
    assert!(text.contains("more than 262144 frames"), "{text}");
    assert!(!is_packed(&out));
}

/// Its readings are each quick enough, all of them are not.
#[test]
fn the_sound_of_a_clip_has_one_limit_of_time() {
    let clip = clips().join("videos/rising/one.mp4");
    let read = |allowed| write::sound(&clip, 0, 16_000, Exact::whole(16_000), allowed);
    let slow = message(read(std::time::Duration::ZERO).unwrap_err());
    assert!(slow.contains("its sound took longer than 0 s"), "{slow}");
    assert_eq!(read(std::time::Duration::MAX).unwrap().len(), 16_000);
}

/// Two frames are of one moment; the first, which no window shows, is no picture, though its checksum is right.
#[test]
fn each_frame_is_verified_also_those_of_one_moment() {
    let (folder, packed) = packed(&native());
    let path = folder.path().join(INDEX);
    let index = index::Index::open("toy", &path).unwrap();
    let tar = std::fs::read(folder.path().join("shard-000000.tar")).unwrap();
    let mut wholes: Vec<_> = (0..4)
        .map(|clip| index.whole(clip, 16_000).unwrap())
        .collect();
    drop(index);
    let frames = &mut wholes[0].frames;
    let of = |frame: &index::Frame| &tar[frame.at as usize..][..20];
    frames[0].time = frames[1].time;
    frames[0].bytes = 20;
    frames[0].sum = crc32fast::hash(of(&frames[0]));
    let mut writer = index::Writer::create(&path).unwrap();
    for (clip, whole) in wholes.iter().enumerate() {
        writer.add(whole, clip as u32 / 3).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(packed.header.clips_per_shard, 3);
    let error = message(verify(&set(), folder.path(), &mut |_| ()).unwrap_err());
    assert!(error.contains("the picture at"), "{error}");
}

/// One thing wrong with a packed folder at a time: each has its message, and none a wrong frame.
#[test]
fn what_is_damaged_is_named() {
    let (folder, packed) = packed(&native());
    let out = folder.path();
    let whole: Vec<(PathBuf, Vec<u8>)> = [INDEX, PACK, "shard-000000.tar"]
        .map(|name| (out.join(name), std::fs::read(out.join(name)).unwrap()))
        .into();
    let restore = || {
        whole
            .iter()
            .for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap())
    };
    let open = || Shards::open(&set(), out);
    let request = Request::Video {
        start: 0.0,
        frames: 4,
        fps: Exact::whole(16),
    };
    let read = || message(open().unwrap().read(0, &[request]).unwrap_err());
    let change = |at: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole[at].1.clone();
        change(&mut bytes);
        std::fs::write(&whole[at].0, bytes).unwrap();
    };

    change(2, &|tar| tar.truncate(4000));
    assert!(message(open().err().unwrap()).contains("shard-000000.tar` has 4000 bytes"));
    restore();
    // Cut off while it is open.
    let shards = open().unwrap();
    change(2, &|tar| tar.truncate(4000));
    let cut = message(shards.read(0, &[request]).unwrap_err());
    assert!(cut.contains("the shard is cut off"), "{cut}");
    restore();
    std::fs::remove_file(&whole[2].0).unwrap();
    assert!(message(open().err().unwrap()).contains("cannot read"));
    restore();
    let jpeg = whole[2]
        .1
        .windows(3)
        .position(|three| three == [0xff, 0xd8, 0xff])
        .unwrap();
    change(2, &|tar| tar[jpeg + 700] ^= 1);
    let damaged = read();
    assert!(
        damaged.contains("the picture at 0.000 s is damaged"),
        "{damaged}"
    );
    assert!(
        message(verify(&set(), out, &mut |_| ()).unwrap_err()).contains("is not as it was packed")
    );
    restore();
    change(0, &|index| index[8] = 9);
    assert!(message(open().err().unwrap()).contains("is of version 9, this build reads version 2"));
    change(0, &|index| index[20] ^= 1);
    assert!(message(open().err().unwrap()).contains("header of"));
    change(0, &|index| index.truncate(100));
    assert!(message(open().err().unwrap()).contains("has 100 bytes"));
    change(0, &|index| index.clear());
    assert!(message(open().err().unwrap()).contains("is no index of shards"));
    restore();
    // Bytes of the index behind its header, one at a time: the same answer or a message.
    let both = [
        request,
        Request::Audio {
            start: 0.1,
            samples: 20_000,
            rate: Exact::whole(16_000),
        },
    ];
    let answer = |shards: &Shards, clip: usize| {
        let read = shards.read(clip, &both).map_err(message)?;
        Ok::<_, String>((frames(&read[0]), wave(&read[1])))
    };
    let intact = open().unwrap();
    let known: Vec<_> = (0..intact.len())
        .map(|clip| answer(&intact, clip).unwrap())
        .collect();
    let length = whole[0].1.len();
    let mut refused = 0;
    for at in (64..length).step_by(29) {
        change(0, &|index| index[at] ^= 0x55);
        let shards = open().unwrap();
        for (clip, known) in known.iter().enumerate() {
            let _ = (shards.label(clip), shards.fold(clip));
            let name = shards.name(clip);
            assert!(
                name == intact.name(clip) || name == format!("clip {clip}"),
                "{name}"
            );
            match answer(&shards, clip) {
                Ok(found) => assert!(found == *known, "byte {at}, clip {clip}"),
                Err(message) => {
                    assert!(message.contains("pack the data set again"), "{message}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > length / 29 / 2, "{refused}");
    restore();
    drop(intact);
    let text = |from: &str, to: &str| {
        change(1, &|header| {
            *header = String::from_utf8_lossy(header)
                .replace(from, to)
                .into_bytes();
        });
    };
    text("\"version\": 2", "\"version\": 7, \"colour\": \"blue\"");
    assert!(message(open().err().unwrap()).contains("is of version 7"));
    text("\"clips\": 4", "\"clips\": 5");
    assert!(message(open().err().unwrap()).contains("its index has 4 clips"));
    restore();
    let other = Shards::open(&files("toy", 3, 1), out).err().unwrap();
    assert!(
        message(other).contains("declared with 3 classes"),
        "{}",
        packed.header.name
    );
    let (folder, _) = packed_at(Exact::whole(8));
    let shards = Shards::open(&set(), folder.path()).unwrap();
    let refused = message(shards.read(0, &[request]).unwrap_err());
    assert!(
        refused.contains("hold 8 frames a second, the experiment reads 16"),
        "{refused}"
    );
    let sound = Request::Audio {
        start: 0.0,
        samples: 10,
        rate: Exact::whole(44_100),
    };
    let refused = message(open().unwrap().read(0, &[sound]).unwrap_err());
    assert!(
        refused.contains("hold sound at 16000 Hz, the experiment reads 44100 Hz"),
        "{refused}"
    );
}

#[test]
fn times_of_frames_are_those_of_their_packets() {
    let (times, tick) = decode::frame_times(&clips().join("exact/variable_rate.mp4")).unwrap();
    let kept = (0..100).filter(|n| n % 3 != 1).map(|n| f64::from(n) / 25.0);
    let worst = times
        .iter()
        .zip(kept)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    assert!(times.len() == 67 && worst < tick, "{worst}");
}

/// Python's own `tarfile`, and `webdataset` where it is installed, find the members of each clip.
#[test]
fn python_reads_the_shards() {
    let (folder, _) = packed(&native());
    let script = "
import glob, io, json, sys, tarfile, wave
clips = {}
for shard in sorted(glob.glob(sys.argv[1] + '/shard-*.tar')):
    with tarfile.open(shard) as tar:
        for member in tar:
            key, ending = member.name.split('.', 1)
            clips.setdefault(key, {})[ending] = tar.extractfile(member).read()
assert len(clips) == 4, clips.keys()
for parts in clips.values():
    about = json.loads(parts['json'])
    assert len(about['video']['times']) == sum(ending.endswith('jpg') for ending in parts)
    sound = wave.open(io.BytesIO(parts['wav']))
    assert (sound.getframerate(), sound.getnchannels(), sound.getnframes()) == (16000, 1, about['audio']['samples'])
try:
    import webdataset
except ImportError:
    print('without webdataset')
    sys.exit()
found = list(webdataset.WebDataset(sorted(glob.glob(sys.argv[1] + '/shard-*.tar')), shardshuffle=False))
assert [sample['__key__'] for sample in found] == sorted(clips)
assert all(sample['0000.jpg'] and sample['wav'] for sample in found)
";
    let run = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(folder.path())
        .output();
    match run {
        Err(_) => eprintln!("skipped: there is no python3"),
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}
