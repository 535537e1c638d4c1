//! Data sets of real files, from the listing to the batch.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use super::admission::Admission;
use super::batch::{Batch, Batches};
use super::files::Files;
use super::fixtures::{audio, clips, files, mild, site, video};
use super::index::Wanted;
use super::loader::{Loader, Options, Part};
use super::manifest::Manifest;
use super::prefetch::Prefetch;
use super::reader::{Read, Reader, Role};
use super::source::{ClipSource, Request, Ticks};
use super::stats;
use crate::error::Error;
use compiler::hir::{self, Chain, Choose, Clips, Data, Eval, Head, Score, Short};
use compiler::plan;
use compiler::units::Exact;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tch::{Kind, Tensor};

const OPTIONS: Options = Options {
    threads: 2,
    ahead: 2,
    max_bad_share: 0.05,
    first_step: 0,
    part: Part::WHOLE,
    augment_on: None,
};

fn videos() -> (hir::Files, Arc<dyn ClipSource>) {
    let set = files("films", 2, 1);
    let source = Files::open(&set, &site("films", clips().join("videos"), None), 2).unwrap();
    (set, Arc::new(source))
}

/// Message and help of what a listing is refused with.
fn refused(set: &hir::Files, root: &Path, csv: Option<&str>) -> (String, String) {
    let error = Files::open(set, &site(&set.name, root.to_owned(), csv), 1)
        .err()
        .unwrap();
    let (message, help) = if let Error::Data { message, help, .. } = error {
        (message, help)
    } else {
        (error.to_string(), String::new())
    };
    (message.replace(&root.display().to_string(), "ROOT"), help)
}

#[test]
fn class_folders_and_csv_are_listed_with_classes_and_folds() {
    let (_, source) = videos();
    assert_eq!(
        (source.len(), source.classes()),
        (4, &["falling".to_owned(), "rising".to_owned()][..])
    );
    assert!(source.name(1).ends_with("videos/falling/two.mp4"));
    assert_eq!(source.folder(), Some(clips().join("videos").as_path()));
    assert_eq!(
        (source.label(1), source.label(2), source.fold(0)),
        (Some(0), Some(1), None)
    );
    let sounds = Files::open(
        &files("esc", 2, 2),
        &site("esc", clips(), Some("sounds.csv")),
        2,
    )
    .unwrap();
    assert_eq!(
        (sounds.len(), sounds.fold(1), sounds.label(1)),
        (4, Some(1), Some(1))
    );
    assert_eq!(sounds.streams(0).unwrap().video, None);
    assert!((sounds.streams(0).unwrap().audio.unwrap().end - 5.0).abs() < 0.01);
}

#[test]
fn the_fingerprint_is_of_content_not_of_order_or_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sounds")).unwrap();
    for name in ["1-100032-A", "1-34119-B", "2-118072-A", "3-107219-A"] {
        let file = format!("sounds/{name}.ogg");
        std::fs::copy(clips().join(&file), folder.path().join(&file)).unwrap();
    }
    let csv = std::fs::read_to_string(clips().join("sounds.csv")).unwrap();
    let mut lines: Vec<&str> = csv.lines().collect();
    lines[1..].reverse();
    std::fs::write(folder.path().join("turned.csv"), lines.join("\n")).unwrap();
    std::fs::write(
        folder.path().join("other.csv"),
        csv.replace(",rooster,2", ",rooster,1"),
    )
    .unwrap();
    let print = |root: &Path, csv: &str, splits| {
        Files::open(
            &files("esc", 2, splits),
            &site("esc", root.to_owned(), Some(csv)),
            1,
        )
        .unwrap()
        .fingerprint()
    };
    let here = print(&clips(), "sounds.csv", 2);
    assert_eq!(here.len(), 64);
    assert_eq!(here, print(folder.path(), "turned.csv", 2));
    assert_ne!(here, print(folder.path(), "other.csv", 1));
}

#[test]
fn a_listing_that_does_not_fit_says_what_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let (message, help) = refused(&files("none", 2, 1), root, None);
    assert_eq!(message, "there is no media file in the folders of `ROOT`");
    assert!(help.contains("a folder for each class"));
    let write = |text: &str| std::fs::write(root.join("list.csv"), text).unwrap();
    for name in ["a.wav", "b.wav"] {
        std::fs::write(root.join(name), "x").unwrap();
    }
    write("file,lable\na.wav,1\n");
    let (message, help) = refused(&files("set", 1, 1), root, Some("list.csv"));
    assert_eq!(message, "`ROOT/list.csv` has no column `label`");
    assert_eq!(help, "did you mean `lable`? its columns are: file, lable");
    write("file,label\na.wav,1\nc.wav,2\nd.wav,2\n");
    let (message, _) = refused(&files("set", 2, 1), root, Some("list.csv"));
    assert_eq!(
        message,
        "2 of 3 files of `ROOT/list.csv` do not exist: `c.wav`, `d.wav`"
    );
    write("file,label\na.wav,1\nb.wav,2\n");
    let (message, help) = refused(&files("set", 3, 1), root, Some("list.csv"));
    assert_eq!(
        message,
        "the experiment says 3 classes, `ROOT/list.csv` has 2"
    );
    assert_eq!(help, "correct `classes` or `label`; found in `label`: 1, 2");
    write("file,label,fold\na.wav,1,1\nb.wav,2,3\n");
    let (message, _) = refused(&files("set", 2, 3), root, Some("list.csv"));
    assert_eq!(
        message,
        "the experiment says 3 splits, `ROOT/list.csv` has no file of fold 2"
    );
    write("file,label,split\na.wav,1,train\nb.wav,2,tset\n");
    let (message, help) = refused(&files("set", 2, 1), root, Some("list.csv"));
    assert_eq!(
        (message.as_str(), help.as_str()),
        (
            "split `tset` in line 3 of `ROOT/list.csv` is not known",
            "write `train` or `test`"
        )
    );
    write("file,label\na.wav,1\na.wav,2\n");
    assert_eq!(
        refused(&files("set", 2, 1), root, Some("list.csv")).0,
        "`a.wav` is listed twice in `ROOT/list.csv`"
    );
    write("file,label\na.wav,1,2\n");
    assert_eq!(
        refused(&files("set", 1, 1), root, Some("list.csv")).0,
        "line 2 of `ROOT/list.csv` has 3 fields where the header has 2"
    );
    assert!(
        refused(&files("set", 1, 1), root, Some("gone.csv"))
            .0
            .starts_with("cannot read `ROOT/gone.csv`")
    );
    write("file,label\n");
    assert_eq!(
        refused(&files("set", 1, 1), root, Some("list.csv")).0,
        "`ROOT/list.csv` lists no file"
    );
}

#[test]
fn a_media_file_outside_the_class_folders_is_refused() {
    let refused_with = |paths: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        for path in paths {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let set = files("set", 2, 1);
        let site = site("set", folder.path().to_owned(), None);
        Manifest::read(&set, site.root("set").unwrap())
            .map(|manifest| manifest.len())
            .map_err(|error| {
                let text = error.to_string();
                text.replace(&folder.path().display().to_string(), "ROOT")
            })
    };
    let whole = ["train/a/1.wav", "train/b/2.wav", "test/a/3.wav"];
    let with = |more: &'static str| refused_with(&[&whole[..], &[more]].concat());
    assert_eq!(with("notes/read.txt"), Ok(3));
    let class = "does not lie in a folder of its class";
    let cases = [
        ("test/4.wav", format!("`ROOT/test/4.wav` {class}")),
        ("4.wav", format!("`ROOT/4.wav` {class}")),
        (
            "more/a/4.wav",
            "`ROOT/more/a/4.wav` does not lie below `train` or `test`, as others of this set do"
                .to_owned(),
        ),
        (
            "test/a/more/4.wav",
            "`ROOT/test/a/more/4.wav` does not lie right in the folder of its class".to_owned(),
        ),
    ];
    for (more, message) in cases {
        assert_eq!(with(more), Err(format!("data set `set`: {message}")));
    }
}

#[test]
fn a_set_that_is_scored_needs_classes_and_splits() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for name in ["a.wav", "b.wav", "c.wav", "d.wav"] {
        std::fs::write(root.join(name), "x").unwrap();
    }
    let look = |csv: &str, splits| {
        std::fs::write(root.join("list.csv"), csv).unwrap();
        let site = site("set", root.to_owned(), Some("list.csv"));
        let manifest = Manifest::read(&files("set", 2, splits), site.root("set").unwrap()).unwrap();
        manifest
            .check_scored(splits)
            .map_err(|error| error.to_string())
    };
    let split = "file,label,split\na.wav,1,train\nb.wav,2,train\nc.wav,1,test\nd.wav,2,test\n";
    assert_eq!(look(split, 1), Ok(()));
    let folds = "file,label,fold\na.wav,1,1\nb.wav,2,1\nc.wav,1,2\nd.wav,2,2\n";
    assert_eq!(look(folds, 2), Ok(()));
    let refused = [
        (
            "file,label\na.wav,1\nb.wav,2\n".to_owned(),
            1,
            "it is scored, but 2 of its 2 files are in no split: `a.wav`, ...",
        ),
        (
            split.replace("test", "train"),
            1,
            "it is scored, but it has no test files",
        ),
        (
            split.replace("b.wav,2,train", "b.wav,2,test"),
            1,
            "it is scored, but class `2` has no training files",
        ),
        (
            folds.replace("d.wav,2,2", "d.wav,2,1"),
            2,
            "it is scored, but class `2` has no training files in split 1",
        ),
    ];
    for (csv, splits, message) in refused {
        assert_eq!(
            look(&csv, splits),
            Err(format!("data set `set`: {message}")),
            "{csv}"
        );
    }
}

#[test]
fn the_files_of_a_csv_are_listed_though_they_do_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::write(root.join("list.csv"), "file,label\nb.wav,1\na/gone.wav,2\n").unwrap();
    let site = site("set", root.to_owned(), Some("list.csv"));
    let (listed, _) = super::manifest::listed_files("set", site.root("set").unwrap()).unwrap();
    assert_eq!(listed, [root.join("a/gone.wav"), root.join("b.wav")]);
}

#[test]
fn short_sources_follow_the_rule_of_the_set() {
    let (mut set, _) = videos();
    let sound = |source: &Files, start, samples| {
        let request = Request::Audio {
            start,
            samples,
            rate: Exact::whole(16_000),
        };
        match source.read(2, &[request]).map(|mut ticks| ticks.remove(0)) {
            Ok(Ticks::Wave(wave)) => Ok(Vec::<f32>::try_from(wave).unwrap()),
            Ok(Ticks::Frames(_)) => panic!("pictures"),
            Err(error) => Err(error.to_string()),
        }
    };
    let mut open = |short| {
        set.short = short;
        Files::open(&set, &site("films", clips().join("videos"), None), 1).unwrap()
    };
    let end = open(Short::Skip).streams(2).unwrap().audio.unwrap().end;
    assert!(
        sound(&open(Short::Skip), end - 0.5, 8_400).is_ok(),
        "25 ms are within the slack"
    );
    assert!(
        sound(&open(Short::Skip), end - 0.5, 16_000)
            .unwrap_err()
            .contains("after its end")
    );
    let padded = sound(&open(Short::Pad), end - 0.5, 16_000).unwrap();
    assert!(padded[8_500..].iter().all(|&x| x == 0.0));
    let looped = sound(&open(Short::Loop), end - 0.5, 16_000).unwrap();
    let start = sound(&open(Short::Loop), 0.0, 8_000).unwrap();
    let apart = looped[8_000..]
        .iter()
        .zip(&start)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(apart < 0.05, "{apart}");
}

/// All batches of a pretraining, each as one tensor by view.
fn batches(
    source: &Arc<dyn ClipSource>,
    pretrain: &plan::Pretrain,
    options: &Options,
) -> Vec<Vec<Tensor>> {
    let mut loader = Loader::new(Arc::clone(source), pretrain, options).unwrap();
    let steps = pretrain.settings.steps_per_epoch() * u64::from(pretrain.settings.ep);
    (options.first_step..steps)
        .map(|step| loader.next(step).unwrap().views.into_values().collect())
        .collect()
}

#[test]
fn batches_are_the_same_bits_on_any_number_of_threads_after_a_resume_and_in_parts() {
    let (set, source) = videos();
    let pretrain = mild(Data::Videos(set), 3, 7, 2);
    let one = batches(
        &source,
        &pretrain,
        &Options {
            threads: 1,
            ahead: 1,
            ..OPTIONS
        },
    );
    assert_eq!(one.len(), 4);
    let sizes: Vec<Vec<i64>> = one[0].iter().map(Tensor::size).collect();
    assert_eq!(
        sizes,
        [
            vec![3, 1, 80, 101],
            vec![3, 1, 80, 101],
            vec![3, 3, 4, 32, 32],
            vec![3, 3, 4, 32, 32]
        ]
    );
    assert_eq!(
        one,
        batches(
            &source,
            &pretrain,
            &Options {
                threads: 4,
                ahead: 3,
                ..OPTIONS
            }
        )
    );
    assert_eq!(
        one[2..],
        batches(
            &source,
            &pretrain,
            &Options {
                first_step: 2,
                ..OPTIONS
            }
        )
    );
    assert_ne!(one[0], one[2], "the second epoch is drawn anew");
    // Three parts of one sample each, from the second step on.
    let part = |number| Part { number, of: 3 };
    let parts = [0, 1, 2].map(|number| {
        let options = Options {
            first_step: 1,
            part: part(number),
            ..OPTIONS
        };
        batches(&source, &pretrain, &options)
    });
    for (step, whole) in one[1..].iter().enumerate() {
        for (view, whole) in whole.iter().enumerate() {
            let views: Vec<&Tensor> = parts.iter().map(|part| &part[step][view]).collect();
            assert_eq!(Tensor::cat(&views, 0), *whole);
        }
    }
}

#[test]
fn dropping_a_loader_ends_its_threads() {
    let (set, source) = videos();
    let loader = Loader::new(
        Arc::clone(&source),
        &mild(Data::Videos(set), 4, 400, 5),
        &OPTIONS,
    )
    .unwrap();
    drop(loader);
    assert_eq!(Arc::strong_count(&source), 1);
}

/// A set of `whole` good clips and some that break off in the middle, though their headers say otherwise.
fn with_broken(folder: &Path, whole: usize, broken: usize) -> Arc<dyn ClipSource> {
    let good = std::fs::read(clips().join("exact/late_sound.mkv")).unwrap();
    std::fs::create_dir(folder.join("all")).unwrap();
    for at in 0..whole + broken {
        let bytes = if at < whole { &good[..] } else { &good[..200] };
        std::fs::write(folder.join(format!("all/{at:03}.mkv")), bytes).unwrap();
    }
    Arc::new(
        Files::open(
            &files("mixed", 1, 1),
            &site("mixed", folder.to_owned(), None),
            2,
        )
        .unwrap(),
    )
}

#[test]
fn files_that_cannot_be_opened_are_named_and_too_many_stop_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let source = with_broken(folder.path(), 7, 1);
    let pretrain = mild(Data::Videos(files("mixed", 1, 1)), 4, 8, 1);
    let loader = Loader::new(
        Arc::clone(&source),
        &pretrain,
        &Options {
            max_bad_share: 0.2,
            ..OPTIONS
        },
    )
    .unwrap();
    assert_eq!(loader.admission().clips.len(), 7);
    assert!(loader.admission().notes()[0].contains("007.mkv"));
    let error = Loader::new(source, &pretrain, &OPTIONS).err().unwrap();
    assert!(
        matches!(&error, Error::TooManyFailures { total: 8, failed, .. } if failed.len() == 1),
        "{error}"
    );
}

/// What counts is the share of the set, whatever part of it is read and in which order.
#[test]
fn an_evaluation_may_lack_a_share_of_the_set() {
    let folder = tempfile::tempdir().unwrap();
    let source = with_broken(folder.path(), 7, 1);
    let eval = eval(Data::Videos(files("mixed", 1, 1)), video(8, 16), "v");
    let read = |clips: &[u32], max_bad_share: f64| {
        let options = Options {
            max_bad_share,
            ..OPTIONS
        };
        let source = Arc::clone(&source);
        let reader = Reader::new(source, &eval, Role::Test, clips.to_vec(), 1, &options);
        reader.collect::<Result<Vec<Read>, Error>>()
    };
    for clips in [[0, 7], [7, 0]] {
        assert_eq!(read(&clips, 0.13).unwrap().len(), 2);
        let error = read(&clips, 0.12).unwrap_err();
        assert!(
            matches!(&error, Error::TooManyFailures { total: 8, failed, .. } if failed.len() == 1),
            "{error}"
        );
    }
    assert_eq!(read(&[0, 1], 0.0).unwrap().len(), 2);
}

/// A source whose first `broken` clips open but cannot be read.
struct Unreliable {
    inner: Arc<dyn ClipSource>,
    copies: usize,
    broken: usize,
}

impl ClipSource for Unreliable {
    fn len(&self) -> usize {
        self.copies
    }
    fn name(&self, clip: usize) -> String {
        format!("clip {clip}")
    }
    fn label(&self, _: usize) -> Option<u32> {
        None
    }
    fn classes(&self) -> &[String] {
        &[]
    }
    fn fold(&self, _: usize) -> Option<u32> {
        None
    }
    fn streams(&self, _: usize) -> crate::error::Result<super::source::Streams> {
        self.inner.streams(0)
    }
    fn read(&self, clip: usize, requests: &[Request]) -> crate::error::Result<Vec<Ticks>> {
        if clip < self.broken {
            return Err(Error::Decode {
                path: self.name(clip).into(),
                cause: "scratched".to_owned(),
            });
        }
        self.inner.read(0, requests)
    }
    fn fingerprint(&self) -> String {
        String::new()
    }
}

#[test]
fn a_clip_that_cannot_be_read_is_replaced_counted_and_named() {
    let (set, inner) = videos();
    let source = |broken| -> Arc<dyn ClipSource> {
        Arc::new(Unreliable {
            inner: Arc::clone(&inner),
            copies: 20,
            broken,
        })
    };
    let pretrain = mild(Data::Videos(set), 5, 20, 1);
    let options = Options {
        max_bad_share: 0.3,
        ..OPTIONS
    };
    let mut loader = Loader::new(source(5), &pretrain, &options).unwrap();
    let made: Vec<Batch> = (0..4).map(|step| loader.next(step).unwrap()).collect();
    let mut seen = BTreeSet::new();
    for (step, batch) in (0..).zip(&made) {
        assert_eq!(batch.views[&("a".to_owned(), 1)].size()[0], 5);
        assert_eq!((batch.step, batch.clips.own.len()), (step, 5));
        assert_eq!(*batch.clips.all, (0..20).collect::<Vec<_>>()[..]);
        seen.extend(batch.clips.own.iter().copied());
    }
    // The epoch goes through all clips; in the place of those that are broken stand others.
    assert_eq!(seen, (5..20).collect());
    assert_eq!(loader.failed().len(), 5);
    assert_eq!(loader.failed()["clip 3"], "scratched");
    let one = batches(
        &source(5),
        &pretrain,
        &Options {
            threads: 1,
            ..options
        },
    );
    assert_eq!(
        one,
        batches(
            &source(5),
            &pretrain,
            &Options {
                threads: 3,
                ..options
            }
        )
    );
    // What was met before counts with it: five of twenty may fail, and six more of those that were asked for before.
    let before = (0..6).map(|at| (format!("film {at}"), "scratched".to_owned()));
    let loader = Loader::new(source(5), &pretrain, &options).unwrap();
    let mut loader = loader.after(12, &before.clone().collect());
    let error = (0..4).find_map(|step| loader.next(step).err()).unwrap();
    assert!(
        matches!(&error, Error::TooManyFailures { total, failed, .. } if *total > 12 && failed.len() > 6),
        "{error}"
    );
    // Where none fails any more, they have been mended.
    let loader = Loader::new(source(0), &pretrain, &options).unwrap();
    let mut loader = loader.after(12, &before.collect());
    assert!((0..4).all(|step| loader.next(step).is_ok()));
    // One of several ranks sees a part: all of them are judged together.
    let part = Part { number: 0, of: 5 };
    let loader = Loader::new(source(10), &pretrain, &Options { part, ..options }).unwrap();
    let stop = AtomicBool::new(false);
    let mut part = Prefetch::new(loader, 0, &stop);
    assert!((0..4).all(|step| part.next(step).is_ok()));
    let bad = |count: usize| -> BTreeMap<String, String> {
        let bad = (0..count).map(|at| (format!("film {at}"), "scratched".to_owned()));
        bad.collect()
    };
    part.judge(20, &bad(6)).unwrap();
    part.judge(20, &bad(7)).unwrap_err();
    let mut loader = Loader::new(source(10), &pretrain, &options).unwrap();
    let error = (0..4).find_map(|step| loader.next(step).err()).unwrap();
    assert!(
        matches!(&error, Error::TooManyFailures { name, failed, .. } if name == "films" && failed.len() > 5),
        "{error}"
    );
}

#[test]
fn clips_without_a_stream_or_too_short_are_left_out_and_counted() {
    let set = files("exact", 0, 1);
    let source = Files::open(&set, &site("exact", clips().join("exact"), None), 2).unwrap();
    let pretrain = mild(Data::Videos(set), 2, 2, 1);
    let settings = &pretrain.settings;
    let sampler =
        super::sampler::Sampler::new(&settings.relax, 2, Short::Skip, &settings.modalities);
    let admission = Admission::new(&source, &settings.data, &sampler, 0.05).unwrap();
    assert_eq!(admission.clips, [0, 1]);
    assert_eq!(admission.left_out["no sound"].count, 2);
    assert!(admission.notes()[0].starts_with("2 clips left out with no sound: "));
}

#[test]
fn figures_say_what_a_set_holds_and_what_can_be_used_of_it() {
    let set = files("exact", 0, 1);
    let site = site("exact", clips().join("exact"), None);
    let index =
        super::index::open(Wanted::Declared(&set), &site, 2, false, &mut |_, _| {}).unwrap();
    let described = stats::describe(&index, Some(1));
    assert_eq!((described.clips, described.pictures.files), (4, 4));
    assert_eq!(described.sound.files, 2);
    assert_eq!(
        described
            .pictures
            .lengths
            .iter()
            .map(|(_, n)| n)
            .sum::<usize>(),
        4
    );
    assert!(
        described
            .sound
            .codecs
            .iter()
            .any(|(codec, _)| codec == "aac"),
        "{described:?}"
    );
    assert!(
        described
            .to_string()
            .starts_with("exact: 4 clips, layout `folders`\n")
    );
    let source = Files::open(&set, &site, 2).unwrap();
    let pretrain = mild(Data::Videos(set.clone()), 2, 2, 1);
    let usable = stats::pretraining("x pretrain", &pretrain.settings, &source, 0.05);
    assert_eq!(
        usable.to_string(),
        "x pretrain: 2 of 4 clips of `exact`; left out: 2 no sound\n"
    );
    // Under the rule `error` no run begins with clips that are too short.
    let mut strict = mild(
        Data::Videos(hir::Files {
            short: Short::Error,
            ..set.clone()
        }),
        2,
        2,
        1,
    );
    Arc::make_mut(&mut strict.settings).modalities[1].clip = audio(16_000 * 8);
    let usable = stats::pretraining("x pretrain", &strict.settings, &source, 0.05).to_string();
    assert!(
        usable.contains("\n  a run refuses it: ") && usable.contains("is too short: "),
        "{usable}"
    );
    let mut padded = mild(
        Data::Videos(hir::Files {
            short: Short::Pad,
            ..set.clone()
        }),
        2,
        2,
        1,
    );
    Arc::make_mut(&mut padded.settings).modalities[1].clip = audio(16_000 * 8);
    let sampler = super::sampler::Sampler::new(
        &padded.settings.relax,
        2,
        Short::Pad,
        &padded.settings.modalities,
    );
    let admission = Admission::new(&source, &padded.settings.data, &sampler, 0.05).unwrap();
    assert_eq!((admission.clips.len(), admission.filled), (2, 2));
    let notes = admission.notes().join("; ");
    assert!(
        notes.contains("2 clips that are shorter than the windows are filled up"),
        "{notes}"
    );
    let eval = eval(Data::Videos(set), video(16, 32), "v");
    let usable = stats::evaluation("x features", &eval, &source, None);
    assert_eq!(
        usable.to_string(),
        "x features: 3 of 4 clips of `exact`; left out: 1 less than 1.000 s of pictures\n"
    );
}

/// The help is of the reasons that were counted.
#[test]
fn where_no_clip_is_left_the_help_follows_the_causes() {
    let root = clips();
    let folder = tempfile::tempdir().unwrap();
    for name in ["1-100032-A", "1-34119-B"] {
        let file = format!("{name}.ogg");
        std::fs::copy(root.join("sounds").join(&file), folder.path().join(&file)).unwrap();
    }
    let refused = |seconds: u32| {
        let mut set = files("deaf", 0, 1);
        set.requires = vec!["a".to_owned()];
        let source = Files::open(&set, &site("deaf", folder.path().to_owned(), None), 2).unwrap();
        let mut pretrain = mild(Data::Sounds(set), 2, 2, 1);
        let settings = Arc::make_mut(&mut pretrain.settings);
        if seconds > 0 {
            settings.modalities.remove(0);
            settings.modalities[0].clip = audio(16_000 * seconds);
        }
        let sampler =
            super::sampler::Sampler::new(&settings.relax, 2, Short::Skip, &settings.modalities);
        let error = Admission::new(&source, &settings.data, &sampler, 0.05).unwrap_err();
        (error.to_string(), error.help().unwrap())
    };
    let (message, help) = refused(0);
    assert!(message.ends_with("2 with no pictures"), "{message}");
    assert_eq!(
        help,
        "take a data set whose clips have the stream, or an experiment that does not read it"
    );
    let (message, help) = refused(60);
    assert!(message.ends_with("s of sound"), "{message}");
    assert_eq!(
        help,
        "take shorter windows or another relaxation, or write `short: pad`"
    );
}

/// Both streams of a file must last longer than the set asks for, whatever the windows need.
#[test]
fn files_that_are_not_longer_than_asked_are_left_out() {
    let open = |longer: Exact| {
        let mut set = files("exact", 0, 1);
        set.requires = vec!["v".to_owned(), "a".to_owned()];
        set.longer = Some(longer);
        let source = Files::open(&set, &site("exact", clips().join("exact"), None), 2).unwrap();
        let pretrain = mild(Data::Videos(set), 2, 2, 1);
        let settings = pretrain.settings;
        let sampler =
            super::sampler::Sampler::new(&settings.relax, 2, Short::Pad, &settings.modalities);
        Admission::new(&source, &settings.data, &sampler, 0.05)
    };
    let admission = open(Exact::new(11, 10)).unwrap();
    assert_eq!(admission.clips, [0, 1]);
    assert_eq!(admission.left_out.len(), 1, "only the deaf ones");
    let message = open(Exact::whole(60)).unwrap_err().to_string();
    assert!(message.contains("2 with 60 s of "), "{message}");
}

fn eval(data: Data, clip: hir::Clip, uses: &str) -> Eval {
    Eval {
        data,
        uses: uses.to_owned(),
        clip,
        train: Clips::Random(2),
        test: Clips::Uniform(3),
        augment: Chain {
            per_frame: false,
            links: Vec::new(),
        },
        features: Vec::new(),
        head: Head::Svm {
            costs: Vec::new(),
            choose: Choose::Test,
        },
        score: Score::Top1,
    }
}

#[test]
fn evaluation_reads_each_samples_windows_in_order() {
    let set = files("esc", 2, 2);
    let source: Arc<dyn ClipSource> =
        Arc::new(Files::open(&set, &site("esc", clips(), Some("sounds.csv")), 2).unwrap());
    let eval = eval(Data::Sounds(set), audio(32_000), "a");
    let read = |role, threads| -> Vec<(usize, Tensor)> {
        let options = Options { threads, ..OPTIONS };
        let reader = Reader::new(Arc::clone(&source), &eval, role, vec![2, 0, 3], 5, &options);
        reader
            .map(|read| match read.unwrap() {
                Read::Views { clip, views } => (clip, views),
                Read::LeftOut { note, .. } => panic!("{note}"),
            })
            .collect()
    };
    let test = read(Role::Test, 1);
    assert_eq!(
        test.iter().map(|(clip, _)| *clip).collect::<Vec<_>>(),
        [2, 0, 3]
    );
    assert_eq!(test[0].1.size(), [3, 1, 80, 201]);
    assert_eq!(test, read(Role::Test, 3));
    let train = read(Role::Train, 1);
    assert_eq!(train[0].1.size(), [2, 1, 80, 201]);
    assert_eq!(train, read(Role::Train, 3));
    assert!(test[0].1.isfinite().all().int64_value(&[]) == 1 && train[0].1.kind() == Kind::Float);
}

#[test]
fn evaluation_leaves_out_what_is_too_short() {
    let set = files("exact", 0, 1);
    let source: Arc<dyn ClipSource> =
        Arc::new(Files::open(&set, &site("exact", clips().join("exact"), None), 2).unwrap());
    let eval = eval(Data::Videos(set), video(16, 32), "v");
    let reader = Reader::new(source, &eval, Role::Test, vec![0, 2], 5, &OPTIONS);
    let reads: Vec<Read> = reader.map(Result::unwrap).collect();
    assert!(
        matches!(&reads[0], Read::Views { clip: 0, views } if views.size() == [3, 3, 16, 32, 32])
    );
    assert!(
        matches!(&reads[1], Read::LeftOut { clip: 2, note } if note.ends_with("0.400 s of pictures, and the windows need 1.000 s")),
        "{:?}",
        reads[1]
    );
}
