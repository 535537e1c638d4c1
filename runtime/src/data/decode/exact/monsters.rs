//! Files that are not what they seem: each is a named message or the right answer, soon and in little memory.

use super::super::tests::{audio, clip as kept, numbers, video, wave};
use super::super::{read, read_whole, scan};
use super::clip::write;
use super::{PACKED, Pictures, Tone, clip, pictures, tone};
use crate::data::admission::cause;
use crate::data::files::Files;
use crate::data::fixtures::{files, site};
use crate::data::source::{ClipSource, Span};
use crate::error::Result;
use ffmpeg_next::format::Pixel;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// Moments all over the three seconds of `counter.mp4`, six frames each.
const MOMENTS: [f64; 5] = [0.0, 0.7, 1.3, 1.9, 2.4];

/// What is shown at each of [`MOMENTS`], each read for itself.
fn shown(path: &Path) -> Vec<Result<Vec<i64>>> {
    let known = scan(path).ok();
    let at = |moment: &f64| {
        let spans = read(path, known.as_ref(), &[video(*moment, 6, 16)])?;
        Ok(numbers(&spans[0]))
    };
    MOMENTS.iter().map(at).collect()
}

/// The same frames as the whole file's, or a message.
fn is_right_or_named(found: &[Result<Vec<i64>>], whole: &[Result<Vec<i64>>], what: &str) {
    for ((found, whole), moment) in found.iter().zip(whole).zip(MOMENTS) {
        match found {
            Ok(found) => assert_eq!(found, whole.as_ref().unwrap(), "{what} at {moment} s"),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn one_frame_and_one_sample() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("one.mkv");
    let one = Pictures {
        times: vec![0],
        ..pictures("mjpeg", Pixel::YUVJ420P)
    };
    write(&clip("matroska", Some(one), None), &film).unwrap();
    let span = &read(&film, None, &[video(0.0, 4, 16)]).unwrap()[0];
    assert_eq!(numbers(span), [0; 4]);
    let click = folder.path().join("one.wav");
    let one = Tone {
        seconds: 1.0 / 16_000.0,
        ..tone("pcm_s16le", PACKED, 16_000, 1)
    };
    write(&clip("wav", None, Some(one)), &click).unwrap();
    let span = &read(&click, scan(&click).ok().as_ref(), &[audio(0.0, 4)]).unwrap()[0];
    assert_eq!((wave(span).len(), span.before, span.after), (4, 0, 3));
}

#[test]
fn a_film_that_is_cut_anywhere_shows_the_right_frames_or_none() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["counter.mp4", "late_sound.mkv"] {
        let bytes = fs::read(kept(name)).unwrap();
        let whole = shown(&kept(name));
        for percent in (0..100).step_by(7) {
            let path = folder.path().join(name);
            fs::write(&path, &bytes[..bytes.len() * percent / 100]).unwrap();
            let found = shown(&path);
            if name == "counter.mp4" {
                is_right_or_named(&found, &whole, &format!("{name}, {percent} %"));
            }
        }
    }
}

#[test]
fn headers_alone_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head.wav");
    fs::write(&path, wav(1, 16_000, 32_000)).unwrap();
    assert!(!cause(scan(&path).unwrap_err()).is_empty());
    let film = fs::read(kept("counter.mp4")).unwrap();
    let at = |name: &[u8]| film.windows(4).position(|four| four == name).unwrap();
    // All boxes, and of the one with the frames its name alone.
    let (data, index) = (at(b"mdat") + 4, at(b"moov") - 4);
    let head = if index < data {
        film[..data].to_vec()
    } else {
        [&film[..data], &film[index..]].concat()
    };
    let path = folder.path().join("head.mp4");
    fs::write(&path, head).unwrap();
    let found = shown(&path);
    assert!(found.iter().all(Result::is_err));
}

#[test]
fn names_lie_and_are_odd() {
    let folder = tempfile::tempdir().unwrap();
    let whole = shown(&kept("counter.mp4"));
    let odd = [
        "film.wav",
        "film",
        "ü b:c%20 'ß'\"*.mp4",
        "-i http:x.mp4",
        "日本.mp4",
    ];
    for name in odd {
        let path = folder.path().join(name);
        fs::copy(kept("counter.mp4"), &path).unwrap();
        let found = shown(&path);
        assert!(found.iter().all(Result::is_ok), "{name}");
        is_right_or_named(&found, &whole, name);
    }
    let text = folder.path().join("text.mp4");
    fs::write(&text, "Dear diary, today nothing was filmed.\n".repeat(100)).unwrap();
    assert!(!cause(scan(&text).unwrap_err()).is_empty());
    let raw = folder.path().join(OsStr::from_bytes(b"\xff\xfe.mp4"));
    fs::copy(kept("counter.mp4"), &raw).unwrap();
    assert_eq!(cause(scan(&raw).unwrap_err()), "its name is not UTF-8");
}

#[test]
fn a_file_that_goes_or_shrinks_while_it_is_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let bytes = fs::read(kept("counter.mp4")).unwrap();
    let whole = shown(&kept("counter.mp4"));
    fs::write(&path, &bytes).unwrap();
    let known = scan(&path).unwrap();
    let request = [video(1.3, 6, 16)];
    fs::remove_file(&path).unwrap();
    let gone = read(&path, Some(&known), &request).unwrap_err().to_string();
    assert!(gone.contains("No such file"), "{gone}");
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let half = read(&path, Some(&known), &request).map(|spans: Vec<Span>| numbers(&spans[0]));
    assert!(half.is_err() || half.unwrap() == *whole[2].as_ref().unwrap());
    // Cut and mended again by another, again and again.
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for cut in (0..).map(|n| bytes.len() * (n * 37 % 100) / 100) {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
                file.set_len(cut as u64).unwrap();
                fs::write(&path, &bytes).unwrap();
            }
        });
        for _ in 0..20 {
            is_right_or_named(&shown(&path), &whole, "cut while it is read");
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

/// The head of a WAV file that claims so much.
fn wav(channels: u16, rate: u32, bytes: u32) -> Vec<u8> {
    let frame = channels.wrapping_mul(2);
    let mut head = b"RIFF".to_vec();
    head.extend(bytes.wrapping_add(36).to_le_bytes());
    head.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    head.extend(channels.to_le_bytes());
    head.extend(rate.to_le_bytes());
    head.extend(rate.wrapping_mul(u32::from(frame)).to_le_bytes());
    head.extend(frame.to_le_bytes());
    head.extend(b"\x10\0data");
    head.extend(bytes.to_le_bytes());
    head
}

#[test]
fn claims_of_size_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claims.wav");
    let claims = [
        (255, 16_000, 100_000),
        (65_535, 16_000, 100_000),
        (1, u32::MAX, 100_000),
        (1, 1, 100_000),
        (0, 0, 0),
        (1, 16_000, u32::MAX),
    ];
    for (channels, rate, bytes) in claims {
        let mut file = wav(channels, rate, bytes);
        file.extend([7; 5_000]);
        fs::write(&path, &file).unwrap();
        let request = [audio(0.0, 16_000)];
        for answer in [
            read(&path, scan(&path).ok().as_ref(), &request),
            read_whole(&path, &request),
        ] {
            match answer {
                Ok(spans) => assert_eq!(wave(&spans[0]).len(), 16_000),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
    // A picture of 65535 x 65535 in 800 bytes.
    let path = folder.path().join("claims.gif");
    let mut gif = b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    gif.extend(b",\0\0\0\0\xff\xff\xff\xff\0\x02");
    gif.extend([0x44; 700]);
    fs::write(&path, &gif).unwrap();
    let error = read(&path, scan(&path).ok().as_ref(), &[video(0.0, 1, 16)]);
    assert!(!cause(error.unwrap_err()).is_empty());
}

#[test]
fn a_data_set_of_monsters_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("films");
    fs::create_dir(&root).unwrap();
    fs::copy(kept("counter.mp4"), root.join("good one.mp4")).unwrap();
    mkfifo(&root.join("pipe.mp4"));
    fs::write(root.join("empty.mp4"), "").unwrap();
    fs::write(root.join("text.mp4"), "no film").unwrap();
    fs::write(root.join("head.wav"), wav(2, 48_000, 1_000)).unwrap();
    let secret = root.join("secret.mp4");
    fs::copy(kept("counter.mp4"), &secret).unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    // The superuser reads it all the same.
    let is_readable = fs::File::open(&secret).is_ok();
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, root.join(name)).unwrap();
    link(Path::new("nowhere"), "lost.mp4");
    link(Path::new("ring.mp4"), "ring.mp4");
    link(&root, "again");
    let set = compiler::hir::Files {
        classes: 0,
        ..files("mixed", 1, 1)
    };
    let source = Files::open(&set, &site("mixed", root.clone(), None), 2).unwrap();
    assert_eq!(source.len(), 8);
    let mut good: Vec<String> = vec![];
    for clip in 0..source.len() {
        match source.streams(clip) {
            Ok(_) => good.push(source.relative(clip).to_owned()),
            Err(error) => assert!(!cause(error).is_empty()),
        }
    }
    good.sort();
    let expected: &[&str] = if is_readable {
        &["good one.mp4", "secret.mp4"]
    } else {
        &["good one.mp4"]
    };
    assert_eq!(good, expected);
}
