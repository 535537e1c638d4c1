//! What is kept, what is looked at anew, and what becomes of an index that cannot be used.

#![cfg(feature = "media")]
#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use super::place::Place;
use super::{Columns, Index, LOOKED_AT, Wanted, journal, manifest, open, quarantine, store};
use crate::data::admission::Admission;
use crate::data::files::Files;
use crate::data::fixtures::{clips, files, mild, site};
use crate::data::manifest::Manifest;
use crate::data::manifest::rows::{Rows, State};
use crate::data::sampler::Sampler;
use crate::data::source::{ClipSource, Limits, Streams};
use compiler::hir::{self, Data, Short};
use records::site::{DataRoot, Layout, Site};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::TempDir;

/// A set of two sounds, one of them broken, with a cache beside it.
fn sounds() -> (TempDir, Site, hir::Files) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    std::fs::create_dir_all(root.join("dog")).unwrap();
    std::fs::copy(
        clips().join("sounds/1-100032-A.ogg"),
        root.join("dog/one.ogg"),
    )
    .unwrap();
    std::fs::write(root.join("dog/two.ogg"), "no sound").unwrap();
    let mut site = site("my set", root, None);
    site.cache = Some(folder.path().join("cache"));
    (folder, site, files("my set", 1, 1))
}

fn opened(set: &hir::Files, site: &Site) -> Index {
    open(Wanted::Declared(set), site, 2, false, &mut |_, _| {}).unwrap()
}

/// What is known of each file.
fn known(index: &Index) -> Vec<(super::Known, super::Coded)> {
    let rows = 0..index.manifest.len();
    rows.map(|row| (index.columns.known(row), index.columns.coded(row)))
        .collect()
}

fn path(set: &hir::Files, site: &Site) -> PathBuf {
    let root = site.root(&set.name).unwrap();
    let place = Place::of(site, root).unwrap();
    place.index(&Wanted::Declared(set), root)
}

#[test]
fn files_are_opened_once_and_again_when_they_change() {
    let (folder, site, set) = sounds();
    let first = opened(&set, &site);
    assert_eq!(first.opened, 2);
    assert_eq!(first.columns.coded(0).audio, "vorbis");
    assert_eq!(first.columns.coded(0).rate, 44_100);
    let again = opened(&set, &site);
    assert_eq!(again.opened, 0);
    assert_eq!(known(&again), known(&first));
    assert_eq!(
        (again.fingerprint.len(), &again.fingerprint),
        (64, &first.fingerprint)
    );
    let two = folder.path().join("set/dog/two.ogg");
    std::fs::copy(clips().join("sounds/1-34119-B.ogg"), &two).unwrap();
    let mended = opened(&set, &site);
    assert_eq!(mended.opened, 1);
    assert!(mended.columns.known(1).is_ok());
    assert_ne!(mended.fingerprint, first.fingerprint);
    std::fs::remove_file(two).unwrap();
    assert_eq!(opened(&set, &site).manifest.len(), 1);
}

#[test]
fn other_declarations_of_a_set_share_what_is_known() {
    let (_folder, site, set) = sounds();
    assert_eq!(opened(&set, &site).opened, 2);
    let found = open(Wanted::Found("my set"), &site, 1, false, &mut |_, _| {}).unwrap();
    assert_eq!((found.opened, found.manifest.classes.len()), (0, 1));
    assert_eq!(opened(&files("my set", 0, 1), &site).opened, 0);
}

/// Two sets of one name that lie in two places share a cache, as those of two site files do.
#[test]
fn sets_of_one_name_in_two_places_do_not_meet() {
    let (folder, mut site, set) = sounds();
    quarantine(
        &site,
        "my set",
        &[(folder.path().join("set/dog/one.ogg"), "bad".to_owned())],
    )
    .unwrap();
    let first = opened(&set, &site);
    assert_eq!((first.opened, first.columns.is_quarantined(0)), (2, true));
    let other = folder.path().join("other");
    std::fs::create_dir_all(other.join("dog")).unwrap();
    let copy = |name: &str| {
        let (from, to) = (folder.path().join("set/dog"), other.join("dog"));
        std::fs::copy(from.join(name), to.join(name)).unwrap();
        let state = std::fs::metadata(from.join(name)).unwrap();
        let to = std::fs::File::options()
            .write(true)
            .open(to.join(name))
            .unwrap();
        to.set_modified(state.modified().unwrap()).unwrap();
    };
    copy("one.ogg");
    copy("two.ogg");
    let there = site.data.insert(
        "my set".to_owned(),
        DataRoot {
            root: other,
            ..DataRoot::default()
        },
    );
    let second = opened(&set, &site);
    assert_eq!(
        (second.opened, second.columns.is_quarantined(0)),
        (2, false)
    );
    assert!(
        second
            .manifest
            .path(0)
            .starts_with(folder.path().join("other"))
    );
    site.data.insert("my set".to_owned(), there.unwrap());
    assert_eq!(opened(&set, &site).opened, 0);
}

#[cfg(unix)]
#[test]
fn a_link_to_a_root_is_the_same_set_read_through_the_link() {
    let (folder, mut site, set) = sounds();
    assert_eq!(opened(&set, &site).opened, 2);
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("set"), &link).unwrap();
    site.data.insert(
        "my set".to_owned(),
        DataRoot {
            root: link.clone(),
            ..DataRoot::default()
        },
    );
    let index = opened(&set, &site);
    assert_eq!(index.opened, 0);
    assert!(index.manifest.path(0).starts_with(link));
}

#[test]
fn a_cache_that_cannot_be_written_is_a_mistake_where_it_was_chosen_and_else_a_note() {
    let (folder, mut site, set) = sounds();
    let no_folder = folder.path().join("file");
    std::fs::write(&no_folder, "in the way").unwrap();
    site.cache = Some(no_folder.clone());
    let refused = open(Wanted::Declared(&set), &site, 1, false, &mut |_, _| {}).unwrap_err();
    assert!(refused.to_string().contains("cannot create"), "{refused}");
    let bad = [(folder.path().join("set/dog/one.ogg"), "bad".to_owned())];
    assert!(quarantine(&site, "my set", &bad).is_err());
    (site.cache, site.user_cache) = (None, Some(no_folder));
    for _ in 0..2 {
        let index = opened(&set, &site);
        assert_eq!(index.opened, 2);
        assert!(index.columns.known(0).is_ok());
    }
    assert!(!quarantine(&site, "my set", &bad).unwrap());
    site.user_cache = Some(folder.path().join("home/.cache/crisscross"));
    assert_eq!(opened(&set, &site).opened, 2);
    assert_eq!(opened(&set, &site).opened, 0);
    assert!(quarantine(&site, "my set", &bad).unwrap());
    assert!(opened(&set, &site).columns.is_quarantined(0));
}

#[test]
fn an_index_that_is_damaged_or_of_another_version_is_made_anew() {
    let (_folder, site, set) = sounds();
    let whole = opened(&set, &site);
    let path = path(&set, &site);
    let bytes = std::fs::read(&path).unwrap();
    let mut other = bytes.clone();
    other[8] += 1;
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    let mut endless = bytes.clone();
    endless[12..20].copy_from_slice(&u64::MAX.to_le_bytes());
    for bad in [
        &other[..],
        &flipped,
        &endless,
        &bytes[..bytes.len() / 2],
        b"",
        b"something else",
    ] {
        std::fs::write(&path, bad).unwrap();
        let index = opened(&set, &site);
        assert_eq!((index.opened, known(&index)), (2, known(&whole)));
        let aside = path.with_extension("bin.old");
        assert_eq!(std::fs::read(&aside).unwrap(), bad);
        std::fs::remove_file(aside).unwrap();
        assert_eq!(std::fs::read(&path).unwrap().len(), bytes.len());
    }
}

#[test]
fn scans_are_kept_and_one_that_is_damaged_is_not_known() {
    let (_folder, site, set) = sounds();
    let scan = opened(&set, &site).columns.scan(0);
    let read = crate::data::decode::Scan::from_bytes(&scan.clone().unwrap()).unwrap();
    assert_eq!(Ok(read.streams()), opened(&set, &site).columns.known(0));
    assert_eq!(opened(&set, &site).columns.scan(0), scan);
    let path = path(&set, &site);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let index = opened(&set, &site);
    assert_eq!((index.opened, index.columns.scan(0)), (0, None));
}

#[test]
fn an_interrupted_look_goes_on_from_its_journal() {
    let (_folder, site, set) = sounds();
    let read = Manifest::read(&set, site.root("my set").unwrap()).unwrap();
    let root = site.root("my set").unwrap();
    let part = Place::of(&site, root).unwrap().journal("my set");
    let mut writer = journal::Journal::open(&part).unwrap();
    let streams = Streams {
        video: None,
        audio: Some(Limits {
            start: 0.0,
            end: 7.0,
        }),
    };
    let looked = super::look::Looked {
        known: Ok(streams),
        coded: super::Coded::default(),
        scan: vec![1, 2, 3],
    };
    writer
        .add(read.file(0), read.rows.state(0), &looked)
        .unwrap();
    let stale = State {
        bytes: 1,
        changed: 1,
    };
    writer.add(read.file(1), stale, &looked).unwrap();
    drop(writer);
    let mut torn = std::fs::read(&part).unwrap();
    torn.extend_from_slice(b"{\"file\": \"dog/tw");
    std::fs::write(&part, torn).unwrap();
    let index = opened(&set, &site);
    assert_eq!(
        index.columns.known(0),
        Ok(streams),
        "the line of the journal is used"
    );
    assert_eq!(index.columns.scan(0), Some(vec![1, 2, 3]));
    assert!(
        index.columns.known(1).is_err(),
        "that of a file that changed is not"
    );
    assert!(!part.exists());
}

#[test]
fn files_in_quarantine_count_as_unreadable_until_they_change() {
    let (folder, site, set) = sounds();
    let one = folder.path().join("set/dog/one.ogg");
    quarantine(
        &site,
        "my set",
        &[(one.clone(), "nothing decodes".to_owned())],
    )
    .unwrap();
    let index = opened(&set, &site);
    assert_eq!(index.columns.known(0), Err("nothing decodes".to_owned()));
    assert!(index.columns.is_quarantined(0));
    std::fs::copy(clips().join("sounds/1-34119-B.ogg"), &one).unwrap();
    assert!(opened(&set, &site).columns.known(0).is_ok());
    quarantine(&site, "my set", &[]).unwrap();
    assert!(!opened(&set, &site).columns.is_quarantined(0));
}

/// A set of so many files that are not on the disk, with its index: a pretraining set without classes.
fn many(count: usize, folder: &Path) -> (Site, hir::Files) {
    let root = folder.join("set");
    std::fs::create_dir_all(&root).unwrap();
    let mut site = site("many", root.clone(), Some("list.csv"));
    site.cache = Some(folder.join("cache"));
    let set = files("many", 0, 1);
    let state = State {
        bytes: 1 << 20,
        changed: 1,
    };
    let mut rows = Rows::default();
    let mut columns = Columns::unseen(count);
    let coded = super::Coded {
        video: "h264".to_owned(),
        audio: "aac".to_owned(),
        ..super::Coded::default()
    };
    for row in 0..count {
        rows.push(
            &format!("unbalanced/{row:07}/Y-0aBcDeFgH_30000_40000.mp4"),
            None,
            Some(0),
            state,
        );
        let end = 10.0 - (row % 7) as f64 * 0.001;
        let limits = Some(Limits { start: 0.0, end });
        let streams = Streams {
            video: limits,
            audio: limits.filter(|_| row % 11 != 0),
        };
        columns.note(row, &Ok(streams), &coded);
    }
    let list = root.join("list.csv");
    std::fs::write(&list, "file\n").unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    std::fs::File::options()
        .write(true)
        .open(&list)
        .unwrap()
        .set_modified(old)
        .unwrap();
    let changed = State::of(&std::fs::metadata(&list).unwrap()).changed;
    let manifest = Manifest {
        name: "many".to_owned(),
        root,
        layout: Layout::Csv,
        classes: Vec::new(),
        rows,
        missing: (0, Vec::new()),
        notes: Vec::new(),
        depends: vec![(list, changed)],
    };
    store(
        &path(&set, &site),
        &manifest,
        &columns,
        &manifest.fingerprint(),
    )
    .unwrap();
    (site, set)
}

/// Opens the set and lets the clips in that windows of 3 s fit into; seconds for the manifest, the index and the admission.
fn admitted(site: &Site, set: &hir::Files) -> (usize, [f64; 3]) {
    let start = Instant::now();
    drop(manifest(Wanted::Declared(set), site).unwrap());
    let listed = start.elapsed();
    let source = Files::open(set, site, 1).unwrap();
    let opened = start.elapsed();
    let pretrain = mild(Data::Videos(set.clone()), 2, 2, 1);
    let settings = &pretrain.settings;
    let sampler = Sampler::new(&settings.relax, 2, Short::Skip, &settings.modalities);
    let admission = Admission::new(&source, &settings.data, &sampler, 0.05).unwrap();
    assert_eq!(
        admission.left_out["no sound"].count,
        source.len().div_ceil(11)
    );
    let all = start.elapsed();
    let seconds = [listed, opened - listed, all - opened].map(|of| of.as_secs_f64());
    (admission.clips.len(), seconds)
}

#[test]
fn a_large_set_is_taken_from_its_index_until_a_list_changes() {
    let folder = tempfile::tempdir().unwrap();
    let count = LOOKED_AT + 1;
    let (site, set) = many(count, folder.path());
    assert_eq!(admitted(&site, &set).0, count - count.div_ceil(11));
    let source = Files::open(&set, &site, 1).unwrap();
    assert!(source.read(1, &[]).is_err(), "the file is not there");
    std::fs::write(folder.path().join("set/list.csv"), "file\ngone.mp4\n").unwrap();
    let error = Files::open(&set, &site, 1).err().unwrap().to_string();
    assert!(
        error.contains("1 of 1 files of") && error.ends_with("do not exist: `gone.mp4`"),
        "{error}"
    );
}

/// Writes the index of a set as large as AudioSet into the folder `CRISSCROSS_MILLIONS`.
#[test]
#[ignore = "writes 200 MB; for measurements"]
fn millions_are_written() {
    let folder = PathBuf::from(std::env::var("CRISSCROSS_MILLIONS").unwrap());
    many(1_800_000, &folder);
}

/// Opens what `millions_are_written` wrote: seconds and memory are measured around it.
#[test]
#[ignore = "needs what the test above wrote; for measurements"]
fn millions_are_opened() {
    let folder = PathBuf::from(std::env::var("CRISSCROSS_MILLIONS").unwrap());
    let mut site = site("many", folder.join("set"), Some("list.csv"));
    site.cache = Some(folder.join("cache"));
    let (clips, [manifest, index, admission]) = admitted(&site, &files("many", 0, 1));
    println!(
        "{clips} clips: manifest {manifest:.2} s, index {index:.2} s, admission {admission:.2} s"
    );
}
