//! Sound behind the end of a file is silence, wherever the request begins, and a codec that decodes nothing is an error.

use super::super::{read, read_whole, scan};
use super::clip::write;
use super::{PACKED, PLANES, Tone, audio, clip, tone, wave};

/// Requests that begin at or behind the end, and one that goes over it: the same by every way, and silent behind the end.
fn check(name: &str, container: &'static str, tone: Tone) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write(&clip(container, None, Some(tone)), &path).unwrap();
    let known = scan(&path).unwrap();
    let end = known.audio.unwrap().limits.end;
    for behind in [
        -1.0, -0.05, -0.01, -0.001, 0.0, 0.001, 0.01, 0.1, 0.29, 0.31, 1.0, 9.0,
    ] {
        let at = format!("{name}: {behind} s behind the end");
        let request = [audio(end + behind, 4_000)];
        let span =
            &read(&path, Some(&known), &request).unwrap_or_else(|error| panic!("{at}: {error}"))[0];
        for other in [read(&path, None, &request), read_whole(&path, &request)] {
            let other = &other.unwrap_or_else(|error| panic!("{at}: {error}"))[0];
            assert_eq!(wave(span), wave(other), "{at}");
            assert_eq!(
                (span.before, span.after),
                (other.before, other.after),
                "{at}"
            );
        }
        let samples = wave(span);
        let heard = 4_000 - span.after as usize;
        let expected = ((-behind).max(0.0) * 16_000.0).round() as usize;
        // The last packet may go further than the sound that was put into it; Matroska rounds times to 1 ms.
        let further = heard as i64 - expected.min(4_000) as i64;
        assert!((-9..=800).contains(&further), "{at}: {heard} samples");
        assert!(samples[heard..].iter().all(|&x| x == 0.0), "{at}");
        let loudest = samples[..expected.min(4_000)]
            .iter()
            .fold(0.0f32, |most, x| most.max(x.abs()));
        assert!(expected < 100 || loudest > 0.3, "{at}: {loudest}");
    }
}

/// Five seconds of sound.
fn five(tone: Tone) -> Tone {
    Tone {
        seconds: 5.0,
        ..tone
    }
}

#[test]
fn behind_the_end_of_vorbis() {
    check("v.ogg", "ogg", five(tone("libvorbis", PLANES, 44_100, 1)));
}

#[test]
fn behind_the_end_of_vorbis_in_matroska() {
    check(
        "v.mka",
        "matroska",
        five(tone("libvorbis", PLANES, 48_000, 2)),
    );
}

#[test]
fn behind_the_end_of_aac() {
    check("a.mp4", "mp4", five(tone("aac", PLANES, 44_100, 2)));
}

#[test]
fn behind_the_end_of_mp3() {
    check("m.mp3", "mp3", five(tone("libmp3lame", PLANES, 44_100, 2)));
}

#[test]
fn behind_the_end_of_opus_and_flac() {
    check("o.ogg", "ogg", five(tone("libopus", PACKED, 48_000, 2)));
    check("f.flac", "flac", five(tone("flac", PACKED, 44_100, 1)));
}

#[test]
fn sound_of_which_nothing_can_be_decoded_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.mka");
    write(
        &clip(
            "matroska",
            None,
            Some(five(tone("libvorbis", PLANES, 48_000, 1))),
        ),
        &path,
    )
    .unwrap();
    // Each Vorbis packet of sound begins with a zero bit.
    let mut bytes = std::fs::read(&path).unwrap();
    spoil(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(
        scan(&path)
            .unwrap()
            .audio
            .map(|sound| sound.limits.end > 4.9),
        Some(true)
    );
    for start in [0.5, 4.0, 5.01] {
        for spans in [
            read(&path, None, &[audio(start, 1_000)]),
            read_whole(&path, &[audio(start, 1_000)]),
        ] {
            let error = spans.unwrap_err().to_string();
            assert!(error.contains("sound"), "{start}: {error}");
        }
    }
}

/// Sets the first byte of every block of a Matroska file to one that no decoder of Vorbis takes for sound.
fn spoil(bytes: &mut [u8]) {
    let mut spoilt = 0;
    for at in 0..bytes.len().saturating_sub(12) {
        // A simple block: its id, its size in one or two bytes, track 1, a time of two bytes, flags of a key frame.
        let size = if bytes[at + 1] & 0x80 != 0 { 1 } else { 2 };
        let track = at + 1 + size;
        if bytes[at] == 0xa3
            && bytes[at + 1] >= 0x40
            && bytes[track] == 0x81
            && bytes[track + 3] == 0x80
        {
            bytes[track + 4] |= 1;
            spoilt += 1;
        }
    }
    assert!(spoilt > 100, "{spoilt} blocks");
}
