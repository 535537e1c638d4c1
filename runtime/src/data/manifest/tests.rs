//! Small trees of each layout, and the usual mistakes with them.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use super::splits::{Part, part};
use super::{Manifest, listed_files};
use crate::data::fixtures::files;
use crate::error::Error;
use records::site::{DataRoot, Layout};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder with these files; of those without text each holds an `x`.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        write(folder.path(), path, text);
    }
    folder
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, if text.is_empty() { "x" } else { text }).unwrap();
}

fn root(folder: &TempDir) -> DataRoot {
    DataRoot {
        root: folder.path().to_owned(),
        ..DataRoot::default()
    }
}

fn lists(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(PathBuf::from).collect()
}

fn read(root: &DataRoot, classes: u32, splits: u32) -> Result<Manifest, Error> {
    Manifest::read(&files("set", classes, splits), root)
}

/// Message and help, with the folder written `ROOT`.
fn refused(root: &DataRoot, classes: u32, splits: u32) -> (String, String) {
    let text = |text: String| text.replace(&root.root.display().to_string(), "ROOT");
    let error = read(root, classes, splits).unwrap_err();
    if let Error::Data { message, help, .. } = error {
        (text(message), text(help))
    } else {
        (text(error.to_string()), String::new())
    }
}

/// File, class and fold of each row.
fn rows(manifest: &Manifest) -> Vec<(&str, &str, Option<u32>)> {
    (0..manifest.len())
        .map(|row| {
            let class = manifest
                .label(row)
                .map_or("", |label| manifest.classes[label as usize].as_str());
            (manifest.file(row), class, manifest.fold(row))
        })
        .collect()
}

#[test]
fn kinetics_lists_find_their_files_in_any_folders_and_losses_are_counted() {
    let folder = tree(&[
        (
            "train.csv",
            "label,youtube_id,time_start,time_end,split\nair drumming,-a_b,10,20,train\nyoga,cccc,3,13,train\n\
             yoga,gone,0,10,train\n",
        ),
        (
            "val.csv",
            "label,youtube_id,time_start,time_end,split\nyoga,-a_b,30,40,validate\n\"air drumming\",eeee,1,11,val\n",
        ),
        (
            "test.csv",
            "youtube_id,time_start,time_end,split\nffff,1,11,test\n",
        ),
        ("train/air_drumming/-a_b_000010_000020.mp4", ""),
        ("train/yoga/cccc_000003_000013.mkv", ""),
        ("val/yoga/-a_b_000030_000040.mp4", ""),
        ("val/air_drumming/eeee_000001_000011.mp4", ""),
        ("test/ffff_000001_000011.mp4", ""),
    ]);
    let manifest = read(&root(&folder), 2, 1).unwrap();
    assert_eq!(manifest.layout, Layout::Kinetics);
    assert_eq!(
        rows(&manifest),
        [
            (
                "train/air_drumming/-a_b_000010_000020.mp4",
                "air drumming",
                Some(0)
            ),
            ("train/yoga/cccc_000003_000013.mkv", "yoga", Some(0)),
            (
                "val/air_drumming/eeee_000001_000011.mp4",
                "air drumming",
                Some(1)
            ),
            ("val/yoga/-a_b_000030_000040.mp4", "yoga", Some(1)),
        ]
    );
    assert_eq!(manifest.missing, (1, vec!["gone_000000_000010".to_owned()]));
    assert_eq!(
        manifest.notes,
        [
            "read in the layout `kinetics`: `train.csv`, `val.csv`, `test.csv`",
            "1 clips of the split `test` are left out: the split `validate` is tested",
            "1 of 5 files of `train.csv`, `val.csv`, `test.csv` are missing: `gone_000000_000010`",
        ]
    );
    let none = tree(&[(
        "train.csv",
        "label,youtube_id,time_start,time_end,split\nyoga,a,1,11,train\nyoga,b,1,11,train\n",
    )]);
    let (message, help) = refused(&root(&none), 1, 1);
    assert_eq!(
        message,
        "none of the 2 files of `ROOT/train.csv` lies below `ROOT`: `a_000001_000011`, `b_000001_000011`"
    );
    assert_eq!(help, "correct `root`, or check how the files are named");
    let head = "label,youtube_id,time_start,time_end,split\n";
    write(
        none.path(),
        "train.csv",
        &format!("{head}yoga,a,soon,11,train\n"),
    );
    assert_eq!(
        refused(&root(&none), 1, 1).0,
        "`soon` is no time in line 2 of `ROOT/train.csv`"
    );
    write(
        none.path(),
        "train.csv",
        &format!("{head}yoga,a,1,11,trian\n"),
    );
    assert_eq!(
        refused(&root(&none), 1, 1).0,
        "split `trian` is not known in line 2 of `ROOT/train.csv`"
    );
}

#[test]
fn ucf101_lists_of_one_or_three_splits_are_read() {
    let list = |names: &[&str], number: bool| -> String {
        let line = |name: &&str| format!("{name}{}\r\n", if number { " 1" } else { "" });
        names.iter().map(line).collect()
    };
    let clips: Vec<String> = (1..=4).map(|g| format!("Yo/v_Yo_g0{g}_c01.avi")).collect();
    let clips: Vec<&str> = clips.iter().map(String::as_str).collect();
    let folder = tempfile::tempdir().unwrap();
    for clip in &clips {
        write(folder.path(), &format!("UCF-101/{clip}"), "");
    }
    write(
        folder.path(),
        "ucfTrainTestlist/classInd.txt",
        "1 Yo\r\n2 Typing\r\n",
    );
    for split in 1..=3 {
        let others: Vec<&str> = (1..=4)
            .filter(|g| *g != split)
            .map(|g| clips[g - 1])
            .collect();
        let name = |kind: &str| format!("ucfTrainTestlist/{kind}list0{split}.txt");
        write(folder.path(), &name("train"), &list(&others, true));
        write(
            folder.path(),
            &name("test"),
            &list(&[clips[split - 1]], false),
        );
    }
    let folds = |splits| -> Vec<Option<u32>> {
        let manifest = read(&root(&folder), 1, splits).unwrap();
        assert_eq!(manifest.layout, Layout::Ucf101);
        (0..4).map(|row| manifest.fold(row)).collect()
    };
    assert_eq!(folds(3), [Some(1), Some(2), Some(3), Some(0)]);
    assert_eq!(folds(1), [Some(1), Some(0), Some(0), Some(0)]);
    let first = read(&root(&folder), 1, 1).unwrap();
    assert_eq!(first.file(0), "UCF-101/Yo/v_Yo_g01_c01.avi");
    assert_eq!(first.classes, ["Yo"]);
    write(folder.path(), "ucfTrainTestlist/classInd.txt", "1 Typing\n");
    assert_eq!(
        refused(&root(&folder), 1, 1).0,
        "line 1 of `ROOT/ucfTrainTestlist/trainlist01.txt`: `Yo/v_Yo_g02_c01.avi` has the number of class `Typing`"
    );
    write(folder.path(), "ucfTrainTestlist/classInd.txt", "1 Yo\n");
    write(
        folder.path(),
        "ucfTrainTestlist/testlist01.txt",
        &list(&[clips[1]], false),
    );
    assert_eq!(
        refused(&root(&folder), 1, 1).0,
        "line 1 of `ROOT/ucfTrainTestlist/testlist01.txt`: `Yo/v_Yo_g02_c01.avi` is listed twice for split 1"
    );
    write(
        folder.path(),
        "ucfTrainTestlist/testlist01.txt",
        &list(&["Yo/v_Yo_g09_c01.avi"], false),
    );
    let (message, _) = refused(&root(&folder), 1, 1);
    assert!(
        message.starts_with("1 of 4 files of")
            && message.ends_with("do not exist: `UCF-101/Yo/v_Yo_g09_c01.avi`"),
        "{message}"
    );
    std::fs::remove_file(folder.path().join("ucfTrainTestlist/testlist02.txt")).unwrap();
    let (message, help) = refused(&root(&folder), 1, 3);
    assert_eq!(message, "there is no `testlist02.txt` in `ROOT`");
    assert!(
        help.contains("ucfTrainTestlist") && help.contains("splits"),
        "{help}"
    );
}

#[test]
fn hmdb51_lists_may_leave_clips_out_and_test_them_twice() {
    let folder = tree(&[
        (
            "test_train_splits/smile_test_split1.txt",
            "a.avi 1 \nb.avi 2 \nc.avi 0 \nd.avi 0 \n",
        ),
        (
            "test_train_splits/smile_test_split2.txt",
            "a.avi 1 \nb.avi 2 \nc.avi 1 \nd.avi 0 \n",
        ),
        (
            "test_train_splits/wave_test_split1.txt",
            "e.avi 1 \nf.avi 2 \n",
        ),
        (
            "test_train_splits/wave_test_split2.txt",
            "e.avi 2 \nf.avi 1 \n",
        ),
        ("smile/a.avi", ""),
        ("smile/b.avi", ""),
        ("smile/c.avi", ""),
        ("wave/e.avi", ""),
        ("wave/f.avi", ""),
    ]);
    let manifest = read(&root(&folder), 2, 2).unwrap();
    assert_eq!(manifest.layout, Layout::Hmdb51);
    let parts: Vec<(&str, [Part; 2])> = (0..manifest.len())
        .map(|row| {
            let fold = manifest.fold(row).unwrap();
            (manifest.file(row), [part(fold, 1), part(fold, 2)])
        })
        .collect();
    use Part::{Neither, Test, Train};
    assert_eq!(
        parts,
        [
            ("smile/a.avi", [Train, Train]),
            ("smile/b.avi", [Test, Test]),
            ("smile/c.avi", [Neither, Train]),
            ("wave/e.avi", [Train, Test]),
            ("wave/f.avi", [Test, Train]),
        ]
    );
    assert!(
        manifest
            .notes
            .contains(&"1 listed files are in no split".to_owned())
    );
    assert!(manifest.check_scored(2).is_ok());
    let one = read(&root(&folder), 2, 1).unwrap();
    assert_eq!(
        one.len(),
        4,
        "what takes no part in the first split is not in the set"
    );
    write(
        folder.path(),
        "test_train_splits/wave_test_split1.txt",
        "e.avi 1\nf.avi 3\n",
    );
    assert_eq!(
        refused(&root(&folder), 2, 1).0,
        "line 2 of `ROOT/test_train_splits/wave_test_split1.txt`: `3` is not 0, 1 or 2"
    );
    let (message, _) = refused(&root(&folder), 2, 3);
    assert_eq!(
        message,
        "there is no `smile_test_split3.txt` in `ROOT/test_train_splits`"
    );
}

#[test]
fn esc50_and_its_ten_classes_are_read_from_the_meta_csv() {
    let meta = "filename,fold,target,category,esc10,src_file,take\n1-a-A-0.wav,1,0,dog,True,1,A\n\
                2-b-A-36.wav,2,36,vacuum_cleaner,False,2,A\n2-c-A-1.wav,2,1,rooster,True,3,A\n";
    let folder = tree(&[
        ("meta/esc50.csv", meta),
        ("audio/1-a-A-0.wav", ""),
        ("audio/2-b-A-36.wav", ""),
        ("audio/2-c-A-1.wav", ""),
    ]);
    let manifest = read(&root(&folder), 3, 2).unwrap();
    assert_eq!(
        rows(&manifest),
        [
            ("audio/1-a-A-0.wav", "dog", Some(1)),
            ("audio/2-b-A-36.wav", "vacuum_cleaner", Some(2)),
            ("audio/2-c-A-1.wav", "rooster", Some(2)),
        ]
    );
    let mut ten = root(&folder);
    ten.layout = Some(Layout::Esc10);
    assert_eq!(read(&ten, 2, 2).unwrap().classes, ["dog", "rooster"]);
    let mut set = files("set", 3, 2);
    set.label = "target".to_owned();
    let by_number = Manifest::read(&set, &root(&folder)).unwrap();
    assert_eq!(by_number.classes, ["0", "1", "36"]);
    set.label = "taget".to_owned();
    let error = Manifest::read(&set, &root(&folder)).unwrap_err();
    assert!(error.help().unwrap().starts_with("did you mean `target`?"));
    let (message, _) = refused(&root(&folder), 50, 2);
    assert_eq!(
        message,
        "the experiment says 50 classes, `ROOT/meta/esc50.csv` has 3"
    );
    std::fs::remove_file(folder.path().join("audio/2-c-A-1.wav")).unwrap();
    assert!(
        refused(&root(&folder), 3, 2)
            .0
            .ends_with("do not exist: `audio/2-c-A-1.wav`")
    );
}

#[test]
fn dcase_folders_are_read_with_their_folds() {
    let folder = tree(&[
        (
            "meta.txt",
            "audio/a.wav\tbeach\ta1\naudio/b.wav\tcafe/restaurant\tb1\naudio/c.wav\tbeach\tc1\n",
        ),
        ("evaluation_setup/fold1_train.txt", "audio/a.wav\tbeach\n"),
        ("evaluation_setup/fold1_test.txt", "audio/b.wav\n"),
        (
            "evaluation_setup/fold2_train.txt",
            "audio/b.wav\tcafe/restaurant\naudio/a.wav\tbeach\n",
        ),
        (
            "evaluation_setup/fold2_evaluate.txt",
            "audio/c.wav\tbeach\n",
        ),
        ("audio/a.wav", ""),
        ("audio/b.wav", ""),
        ("audio/c.wav", ""),
    ]);
    let manifest = read(&root(&folder), 2, 2).unwrap();
    assert_eq!(manifest.layout, Layout::Dcase);
    assert_eq!(manifest.classes, ["beach", "cafe/restaurant"]);
    let fold = |row| manifest.fold(row).unwrap();
    assert_eq!((fold(0), fold(1)), (0, 1));
    assert_eq!(
        (part(fold(2), 1), part(fold(2), 2)),
        (Part::Neither, Part::Test)
    );
    write(
        folder.path(),
        "evaluation_setup/fold1_test.txt",
        "audio/z.wav\n",
    );
    assert_eq!(
        refused(&root(&folder), 2, 2).0,
        "`audio/z.wav` in line 1 of `ROOT/evaluation_setup/fold1_test.txt` is not in `meta.txt`"
    );
    write(folder.path(), "meta.txt", "audio/a.wav beach\n");
    assert_eq!(
        refused(&root(&folder), 2, 2).0,
        "line 1 of `ROOT/meta.txt` names no scene"
    );
}

#[test]
fn dcase_lists_from_2018_on_have_headers_and_end_in_csv() {
    let folder = tree(&[
        (
            "meta.csv",
            "filename\tscene_label\tidentifier\tsource_label\r\naudio/a.wav\tbus\tx-1\ta\r\naudio/b.wav\ttram\tx-2\ta\r\n\
             audio/c.wav\tbus\tx-3\tb\r\n",
        ),
        (
            "evaluation_setup/fold1_train.csv",
            "filename\tscene_label\naudio/a.wav\tbus\n",
        ),
        ("evaluation_setup/fold1_test.csv", "filename\naudio/b.wav\n"),
        (
            "evaluation_setup/fold1_evaluate.csv",
            "filename\tscene_label\naudio/b.wav\ttram\n",
        ),
        ("audio/a.wav", ""),
        ("audio/b.wav", ""),
        ("audio/c.wav", ""),
    ]);
    let manifest = read(&root(&folder), 2, 1).unwrap();
    assert_eq!(manifest.layout, Layout::Dcase);
    assert_eq!(
        rows(&manifest),
        [
            ("audio/a.wav", "bus", Some(0)),
            ("audio/b.wav", "tram", Some(1)),
        ]
    );
    assert_eq!(manifest.notes[1], "1 listed files are in no split");
    std::fs::remove_dir_all(folder.path().join("evaluation_setup")).unwrap();
    let manifest = Manifest::found("set", &root(&folder)).unwrap();
    assert_eq!(
        (manifest.layout, manifest.classes.len()),
        (Layout::Dcase, 2)
    );
    std::fs::remove_file(folder.path().join("meta.csv")).unwrap();
    let mut said = root(&folder);
    said.layout = Some(Layout::Dcase);
    assert_eq!(
        refused(&said, 2, 1).0,
        "there is no `meta.txt` or `meta.csv` in `ROOT`"
    );
}

#[test]
fn one_class_alone_makes_one_ask_for_the_lists() {
    let folder = tree(&[("audio/1-a-A-0.wav", ""), ("audio/2-b-A-36.wav", "")]);
    let note = "read in the layout `folders`, all files are of one class, `audio`: are the lists that came with the set missing?";
    let manifest = Manifest::found("set", &root(&folder)).unwrap();
    assert_eq!(manifest.notes, [note]);
    assert_eq!(listed_files("set", &root(&folder)).unwrap().1, [note]);
    let (message, help) = refused(&root(&folder), 50, 1);
    assert_eq!(
        message,
        "the experiment says 50 classes, the folders of `ROOT` has 1"
    );
    assert!(
        help.starts_with("the one folder of a class is `audio`"),
        "{help}"
    );
    assert!(read(&root(&folder), 1, 1).unwrap().notes.is_empty());
}

#[test]
fn a_validation_folder_is_tested_where_there_is_no_test_folder() {
    let whole = [
        ("train/a/1.wav", ""),
        ("train/b/2.wav", ""),
        ("Validation/a/3.wav", ""),
        ("Validation/b/4.wav", ""),
    ];
    let folder = tree(&whole);
    let folds = |manifest: &Manifest| -> Vec<(String, Option<u32>)> {
        let rows = 0..manifest.len();
        rows.map(|row| (manifest.file(row).to_owned(), manifest.fold(row)))
            .collect()
    };
    let expected = [
        ("Validation/a/3.wav".to_owned(), Some(1)),
        ("Validation/b/4.wav".to_owned(), Some(1)),
        ("train/a/1.wav".to_owned(), Some(0)),
        ("train/b/2.wav".to_owned(), Some(0)),
    ];
    for manifest in [
        read(&root(&folder), 2, 1).unwrap(),
        read(&root(&folder), 0, 1).unwrap(),
        Manifest::found("set", &root(&folder)).unwrap(),
    ] {
        assert_eq!(folds(&manifest), expected);
        assert!(manifest.notes.is_empty());
    }
    write(folder.path(), "test/a/5.wav", "");
    for classes in [2, 0] {
        let manifest = read(&root(&folder), classes, 1).unwrap();
        assert_eq!(
            folds(&manifest),
            [
                ("test/a/5.wav".to_owned(), Some(1)),
                ("train/a/1.wav".to_owned(), Some(0)),
                ("train/b/2.wav".to_owned(), Some(0)),
            ]
        );
        assert_eq!(
            manifest.notes,
            ["2 clips of the split `Validation` are left out: the split `test` is tested"]
        );
    }
    let alone = tree(&[("val/a/1.wav", ""), ("val/b/2.wav", "")]);
    assert_eq!(read(&root(&alone), 2, 1).unwrap().fold(0), Some(1));
    let class = tree(&[("val/1.wav", ""), ("other/2.wav", "")]);
    assert_eq!(read(&root(&class), 2, 1).unwrap().classes, ["other", "val"]);
}

/// A folder with `a.wav` to `d.wav`, and this text as its CSV.
fn with_csv(text: &str) -> (TempDir, DataRoot) {
    let names = ["a.wav", "b.wav", "c.wav", "d.wav"];
    let folder = tree(&names.map(|name| (name, "")));
    std::fs::write(folder.path().join("list.csv"), text).unwrap();
    let mut root = root(&folder);
    root.csv = Some(PathBuf::from("list.csv"));
    (folder, root)
}

#[test]
fn a_csv_may_have_the_headers_signs_and_splits_that_others_write() {
    let expected = [("a.wav", "1", Some(0)), ("b.wav", "2", Some(1))];
    let texts = [
        "file,label,split\na.wav,1,train\nb.wav,2,test\n",
        "File,Label,Split\na.wav,1,Train\nb.wav,2,Test\n",
        "path;class;subset\na.wav;1;training\nb.wav;2;validation\n",
        "video\tcategory\tfold\r\na.wav\t1\t0\r\nb.wav\t2\t1\r\n",
        "\u{feff}filename,label,split\na.wav,1,train\nb.wav,2,val\n",
        "split,file,path,label\ntrain,./a.wav,x,1\nEVAL,b.wav,y,2\nval,c.wav,z,3\n",
    ];
    for text in texts {
        let (_folder, set) = with_csv(text);
        assert_eq!(rows(&read(&set, 2, 1).unwrap()), expected, "{text}");
    }
    let notes = |text: &str| {
        let (_folder, set) = with_csv(text);
        read(&set, 2, 1).unwrap().notes
    };
    assert!(notes(texts[1]).is_empty());
    assert_eq!(
        notes(texts[2]),
        [
            "the files are taken from the column `path`",
            "the classes are taken from the column `class`"
        ]
    );
    assert_eq!(
        notes(texts[5]),
        ["1 clips of the split `val` are left out: the split `test` is tested"]
    );
    let cases = [
        (
            "path,video,label\na.wav,b,1\n",
            "the columns `path` and `video` of `ROOT/list.csv` both fit `file`",
        ),
        (
            "file,label,label\na.wav,1,2\n",
            "the columns `label` and `label` of `ROOT/list.csv` both fit `label`",
        ),
        (
            "a.wav,1\nb.wav,2\n",
            "`ROOT/list.csv` has no header: it begins with `a.wav, 1`",
        ),
        (
            "file,label\na.wav,1\n./a.wav,2\n",
            "`a.wav` is listed twice in `ROOT/list.csv`",
        ),
        (
            "file,label\na.wav,1\nx/..//a.wav,2\n",
            "`a.wav` is listed twice in `ROOT/list.csv`",
        ),
    ];
    for (text, message) in cases {
        let (_folder, set) = with_csv(text);
        assert_eq!(refused(&set, 2, 1).0, message);
    }
    let (folder, set) = with_csv("");
    let whole = format!("file,label\na.wav,1\n{}/a.wav,2\n", folder.path().display());
    std::fs::write(folder.path().join("list.csv"), whole).unwrap();
    assert_eq!(
        refused(&set, 2, 1).0,
        "`a.wav` is listed twice in `ROOT/list.csv`"
    );
    std::fs::write(
        folder.path().join("list.csv"),
        b"file,label\na.wav,caf\xe9\n",
    )
    .unwrap();
    assert_eq!(
        refused(&set, 1, 1).0,
        "line 2 of `ROOT/list.csv` is not UTF-8"
    );
}

#[test]
fn rows_without_class_or_split_and_splits_without_training_are_noted() {
    let notes = |text: &str| {
        let (_folder, set) = with_csv(text);
        let manifest = Manifest::found("set", &set).unwrap();
        let at = set.root.display().to_string();
        let notes = manifest.notes.iter();
        notes
            .map(|note| note.replace(&at, "ROOT"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        notes("file,label,fold\na.wav,1,0\nb.wav,2,1\nc.wav,2,\n"),
        ["1 of 3 files of `ROOT/list.csv` are in no split: `c.wav`"]
    );
    assert_eq!(
        notes("file,label\na.wav,1\nb.wav,\nc.wav,2\n"),
        ["1 of 3 files of `ROOT/list.csv` have no class: `b.wav`"]
    );
    assert_eq!(
        notes("file,split\na.wav,test\nb.wav,test\n"),
        ["no file of `ROOT/list.csv` is for training"]
    );
    assert!(notes("file\na.wav\nb.wav\n").is_empty());
    assert!(notes("file,label,fold\na.wav,1,1\nb.wav,2,2\n").is_empty());
}

#[test]
fn the_scenes_of_2013_are_named_by_their_files() {
    let folder = tree(&[
        ("scenes_stereo/bus01.wav", ""),
        ("scenes_stereo/tube10.wav", ""),
        ("scenes_stereo_testset/bus04.wav", ""),
    ]);
    let manifest = read(&root(&folder), 2, 1).unwrap();
    assert_eq!(
        rows(&manifest),
        [
            ("scenes_stereo/bus01.wav", "bus", Some(0)),
            ("scenes_stereo/tube10.wav", "tube", Some(0)),
            ("scenes_stereo_testset/bus04.wav", "bus", Some(1)),
        ]
    );
    write(folder.path(), "scenes_stereo/read.wav", "");
    assert_eq!(
        refused(&root(&folder), 2, 1).0,
        "`ROOT/scenes_stereo/read.wav` is not named as a scene and a number"
    );
}

#[test]
fn audioset_segments_find_files_of_any_usual_name() {
    let head = "# Segments csv created Sun Mar  5 10:54:31 2017\n# num_ytids=5\n# YTID, start_seconds, end_seconds, positive_labels\n";
    let folder = tree(&[
        (
            "balanced_train_segments.csv",
            &format!(
                "{head}--abc, 30.000, 40.000, \"/m/1,/m/2\"\nb_b, 0.500, 10.500, \"/m/1\"\ncccc, 30.000, 40.000, \"/m/2\"\n\
                 gone, 1.000, 11.000, \"/m/2\"\n"
            ),
        ),
        (
            "eval_segments.csv",
            &format!("{head}dddd, 30.000, 40.000, \"/m/2\"\n"),
        ),
        (
            "class_labels_indices.csv",
            "index,mid,display_name\n0,/m/1,\"Speech, male\"\n1,/m/2,Music\n",
        ),
        ("balanced/--abc_30000_40000.flac", ""),
        ("balanced/b_b_0.500_10.500.m4a", ""),
        ("balanced/Ycccc.wav", ""),
        ("eval/dddd_30.mp4", ""),
    ]);
    let manifest = read(&root(&folder), 0, 1).unwrap();
    assert_eq!(manifest.layout, Layout::Audioset);
    let folds: Vec<Option<u32>> = (0..4).map(|row| manifest.fold(row)).collect();
    assert_eq!(folds, [Some(0), Some(0), Some(0), Some(1)]);
    assert_eq!(manifest.missing.0, 1);
    let (message, help) = refused(&root(&folder), 2, 1);
    assert!(message.starts_with(
        "1 clips of `balanced_train_segments.csv`, `eval_segments.csv` have several classes"
    ));
    assert!(help.starts_with("leave out `classes`"));
    let mut eval = root(&folder);
    eval.lists = lists(&["eval_segments.csv"]);
    assert_eq!(read(&eval, 1, 1).unwrap().classes, ["Music"]);
    write(
        folder.path(),
        "eval_segments.csv",
        &format!("{head}dddd, half, 40.000, \"/m/2\"\n"),
    );
    assert_eq!(
        refused(&eval, 1, 1).0,
        "line 4 of `ROOT/eval_segments.csv`: `half` is no time in seconds"
    );
}

#[test]
fn mmaction2_lists_are_of_videos_not_of_raw_frames() {
    let folder = tree(&[
        ("train_list.txt", "some class/a b.mp4 0\nc.mp4 1\n"),
        ("val_list.txt", "d.mp4 1\n"),
        ("videos/some class/a b.mp4", ""),
        ("videos/c.mp4", ""),
        ("videos/d.mp4", ""),
    ]);
    let mut set = root(&folder);
    set.layout = Some(Layout::Mmaction2);
    assert_eq!(refused(&set, 2, 1).0, "its lists are not named");
    set.lists = lists(&["train_list.txt", "val_list.txt"]);
    assert_eq!(
        rows(&read(&set, 2, 1).unwrap()),
        [
            ("videos/c.mp4", "1", Some(0)),
            ("videos/d.mp4", "1", Some(1)),
            ("videos/some class/a b.mp4", "0", Some(0)),
        ]
    );
    let cases = [
        (
            "a/frames 120 1\n",
            "line 1 of `ROOT/val_list.txt`: `a/frames` is a folder of 120 raw frames",
        ),
        (
            "d.mp4 0 1\n",
            "line 1 of `ROOT/val_list.txt`: `d.mp4` has several classes",
        ),
        (
            "d.mp4\n",
            "line 1 of `ROOT/val_list.txt`: `d.mp4` is no path and number of a class",
        ),
        (
            "c.mp4 1\n",
            "line 1 of `ROOT/val_list.txt`: `c.mp4` is listed twice",
        ),
    ];
    for (text, message) in cases {
        write(folder.path(), "val_list.txt", text);
        assert_eq!(refused(&set, 2, 1).0, message);
    }
    set.layout = None;
    write(folder.path(), "val_list.txt", "some text\n");
    assert!(refused(&set, 2, 1).1.contains("layout = \"mmaction2\""));
    write(folder.path(), "val_list.txt", "d.mp4 1\n");
    let told = read(&set, 2, 1).unwrap();
    assert_eq!((told.layout, told.len()), (Layout::Mmaction2, 3));
}

#[test]
fn mmaction2_lists_of_usual_names_are_recognised() {
    let folder = tree(&[
        (
            "annotations/set_train_list_videos.txt",
            "x/a.mp4 0\nb.mp4 1\n",
        ),
        ("annotations/set_val_list_videos.txt", "x/c.mp4 0\n"),
        ("annotations/set_test_list_videos.txt", "d.mp4 1\n"),
        ("annotations/set_train_list_rawframes.txt", "x/a 120 0\n"),
        ("videos_train/x/a.mp4", ""),
        ("videos_train/b.mp4", ""),
        ("videos_val/x/c.mp4", ""),
    ]);
    let manifest = read(&root(&folder), 2, 1).unwrap();
    assert_eq!(
        rows(&manifest),
        [
            ("videos_train/b.mp4", "1", Some(0)),
            ("videos_train/x/a.mp4", "0", Some(0)),
            ("videos_val/x/c.mp4", "0", Some(1)),
        ]
    );
    assert_eq!(
        manifest.notes,
        [
            "read in the layout `mmaction2`: `annotations/set_train_list_videos.txt`, `annotations/set_val_list_videos.txt`"
        ]
    );
}

#[test]
fn files_of_ucf101_are_found_deeper_and_in_one_folder() {
    for place in ["UCF101/UCF-101/Yo/", "all/of/it/", ""] {
        let folder = tree(&[
            ("trainlist01.txt", "Yo/v_Yo_g02_c01.avi 1\n"),
            ("testlist01.txt", "Yo/v_Yo_g01_c01.avi\n"),
            (&format!("{place}v_Yo_g01_c01.avi"), ""),
            (&format!("{place}v_Yo_g02_c01.avi"), ""),
        ]);
        let manifest = read(&root(&folder), 1, 1).unwrap();
        let [test, train] = ["1", "2"].map(|g| format!("{place}v_Yo_g0{g}_c01.avi"));
        assert_eq!(
            rows(&manifest),
            [
                (test.as_str(), "Yo", Some(1)),
                (train.as_str(), "Yo", Some(0)),
            ]
        );
    }
}

#[test]
fn a_file_in_the_folder_of_another_class_is_not_taken() {
    let lists = [
        ("smile_test_split1.txt", "a.avi 1\nb.avi 1\n"),
        ("wave_test_split1.txt", "a.avi 2\nc.avi 1\n"),
    ];
    let folder = tree(&lists);
    for file in ["deep/smile/a.avi", "deep/smile/c.avi", "deep/b.avi"] {
        write(folder.path(), file, "");
    }
    let (message, help) = refused(&root(&folder), 2, 1);
    assert_eq!(
        message,
        "2 of 4 files of the lists of `ROOT` do not exist: `wave/a.avi`, `wave/c.avi`"
    );
    assert!(
        help.starts_with("they were looked for by their names in all folders below `ROOT`"),
        "{help}"
    );
    for file in ["deep/wave/a.avi", "deep/wave/c.avi"] {
        write(folder.path(), file, "");
    }
    assert_eq!(
        rows(&read(&root(&folder), 2, 1).unwrap()),
        [
            ("deep/b.avi", "smile", Some(0)),
            ("deep/smile/a.avi", "smile", Some(0)),
            ("deep/wave/a.avi", "wave", Some(1)),
            ("deep/wave/c.avi", "wave", Some(0)),
        ]
    );
}

#[test]
fn of_published_sets_one_file_in_twenty_may_be_missing() {
    let line = |at: usize| format!("{at}.wav,{},{},c{}\n", at % 5 + 1, at % 2, at % 2);
    let text: String = (0..20).map(line).collect();
    let folder = tree(&[(
        "meta/esc50.csv",
        &format!("filename,fold,target,category\n{text}"),
    )]);
    for at in 1..20 {
        write(folder.path(), &format!("audio/{at}.wav"), "");
    }
    let manifest = read(&root(&folder), 2, 5).unwrap();
    assert_eq!(manifest.missing, (1, vec!["audio/0.wav".to_owned()]));
    assert!(manifest.notes[1].starts_with("1 of 20 files of"));
    let (there, notes) = listed_files("set", &root(&folder)).unwrap();
    assert_eq!((there.len(), notes), (19, manifest.notes));
    std::fs::remove_file(folder.path().join("audio/7.wav")).unwrap();
    let (message, help) = refused(&root(&folder), 2, 5);
    assert_eq!(
        message,
        "2 of 20 files of `ROOT/meta/esc50.csv` do not exist: `audio/0.wav`, `audio/7.wav`"
    );
    assert!(help.ends_with("5 % may be missing"), "{help}");
    assert_eq!(listed_files("set", &root(&folder)).unwrap().0.len(), 20);
}

#[test]
fn folders_of_two_layouts_are_not_guessed() {
    let folder = tree(&[
        (
            "meta/esc50.csv",
            "filename,fold,target,category\na.wav,1,0,dog\n",
        ),
        ("scenes_stereo/bus01.wav", ""),
    ]);
    let (message, help) = refused(&root(&folder), 1, 1);
    assert_eq!(message, "`ROOT` may be of the layouts esc50 and dcase2013");
    assert_eq!(help, "say which under `[data.set]`: `layout = \"esc50\"`");
}

#[test]
fn files_without_classes_may_lie_anywhere() {
    let folder = tree(&[
        ("a.mp4", ""),
        ("more/b.mkv", ""),
        ("more/and more/c.mov", ""),
        ("more/notes.txt", ""),
        (".hidden/d.mp4", ""),
    ]);
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path(), folder.path().join("more/loop")).unwrap();
    let manifest = read(&root(&folder), 0, 1).unwrap();
    let names: Vec<&str> = (0..3).map(|row| manifest.file(row)).collect();
    assert_eq!(names, ["a.mp4", "more/and more/c.mov", "more/b.mkv"]);
    assert_eq!(
        Manifest::found("set", &root(&folder)).unwrap().rows,
        manifest.rows
    );
    assert_eq!(listed_files("set", &root(&folder)).unwrap().0.len(), 3);
}
