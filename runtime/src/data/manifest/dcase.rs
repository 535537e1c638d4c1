//! Acoustic scenes of DCASE.
//!
//! - From 2016 on: `meta.txt` with `audio/FILE.wav`, the scene and more behind tabs, and in `evaluation_setup` for each fold
//!   `fold1_train.txt`, and `fold1_test.txt` or `fold1_evaluate.txt`.
//! - From 2018 on the lists may end in `.csv` and begin with a header: `filename`, `scene_label` and more, still behind tabs.
//! - 2013, whose recordings are also known as those of 2014: `scenes_stereo/bus01.wav` to train on, ten of each scene, and
//!   `scenes_stereo_testset/bus01.wav` to test on; the scene is the name without its number.

use super::listing::{Ask, Listing, clean, lines, tree};
use super::places::settle;
use super::splits::{MOST, Part};
use crate::error::Result;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folders of 2013: to train on, and to test on.
pub const OF_2013: [&str; 2] = ["scenes_stereo", "scenes_stereo_testset"];

/// The list of all files, by its two names.
const META: [&str; 2] = ["meta.txt", "meta.csv"];

/// Whether the files are as those from 2016 on: their list, with the lists of the folds or, as from 2018 on, with a header.
pub fn is_here(ask: &Ask) -> bool {
    let has_scenes = |path: &std::path::Path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().next().is_some_and(|head| {
            head.split('\t')
                .any(|column| column.trim() == "scene_label")
        })
    };
    let has_setup = ask.at("evaluation_setup").is_dir();
    let there = |path: &PathBuf| path.is_file() && (has_setup || has_scenes(path));
    META.iter().any(|name| there(&ask.at(name)))
}

/// The rows of a list with their line numbers: the file, and the scene where the list names it.
fn rows(ask: &Ask, path: &Path) -> Result<Vec<(usize, String, Option<String>)>> {
    let lines = lines(ask, path)?;
    let fields = |line: &str| -> Vec<String> {
        line.split('\t')
            .map(|field| field.trim().to_owned())
            .collect()
    };
    let head = lines.first().map(|(_, line)| fields(line));
    let head = head.filter(|head| head.iter().any(|column| column == "filename"));
    let position = |name: &str, usual: usize| match &head {
        Some(head) => head.iter().position(|column| column == name),
        None => Some(usual),
    };
    let (file, scene) = (position("filename", 0), position("scene_label", 1));
    let skipped = usize::from(head.is_some());
    Ok(lines
        .into_iter()
        .skip(skipped)
        .map(|(number, line)| {
            let fields = fields(&line);
            let field = |at: Option<usize>| {
                let text = fields.get(at?)?;
                (!text.is_empty()).then(|| text.clone())
            };
            let file = clean(ask, &field(file).unwrap_or_default());
            (number, file, field(scene))
        })
        .collect())
}

/// Reads the list of all files and the lists of as many folds as are asked for.
///
/// # Errors
/// As [`super::Manifest::read`].
pub fn list(ask: &Ask) -> Result<Listing> {
    let mut metas = META.iter().map(|name| ask.at(name));
    let meta = metas.find(|path| path.is_file()).ok_or_else(|| {
        ask.refuse(
            format!(
                "there is no `{}` or `{}` in `{}`",
                META[0],
                META[1],
                ask.root.root.display()
            ),
            "correct `root`, or take the lists as they were published",
        )
    })?;
    let mut listing = Listing {
        source: format!("`{}`", meta.display()),
        depends: vec![meta.clone()],
        ..Listing::default()
    };
    let mut files: BTreeMap<String, (Option<String>, Vec<Part>)> = BTreeMap::new();
    let setups = setups(ask)?;
    for (number, file, scene) in rows(ask, &meta)? {
        let Some(scene) = scene else {
            return Err(ask.refuse(
                format!("line {number} of `{}` names no scene", meta.display()),
                "lines are the file and the scene, separated by a tab",
            ));
        };
        let label = ask.wants_labels().then_some(scene);
        let parts = vec![Part::Neither; setups.len()];
        if files.insert(file.clone(), (label, parts)).is_some() {
            return Err(ask.refuse(
                format!("`{file}` is listed twice in `{}`", meta.display()),
                "keep one of the two lines",
            ));
        }
    }
    for (at, setup) in setups.iter().enumerate() {
        for (path, part) in setup {
            take_fold(ask, &meta, at, path, *part, &mut files)?;
            listing.depends.push(path.clone());
        }
    }
    if setups.is_empty() {
        for (file, (label, _)) in files {
            listing.add(file, label.as_deref(), None);
        }
    } else {
        listing.add_splits(files);
    }
    settle(ask, &[""], &mut listing)?;
    Ok(listing)
}

/// Marks the files of a list as what they are in the fold `at`, from 0.
fn take_fold(
    ask: &Ask,
    meta: &Path,
    at: usize,
    path: &Path,
    part: Part,
    files: &mut BTreeMap<String, (Option<String>, Vec<Part>)>,
) -> Result<()> {
    let named = meta.file_name().unwrap_or_default().display();
    for (number, file, _) in rows(ask, path)? {
        let entry = files.get_mut(&file).ok_or_else(|| {
            ask.refuse(
                format!(
                    "`{file}` in line {number} of `{}` is not in `{named}`",
                    path.display()
                ),
                format!("take the lists and `{named}` of one edition"),
            )
        })?;
        if !matches!(entry.1[at], Part::Neither) && entry.1[at] != part {
            return Err(ask.refuse(
                format!("`{file}` both trains and is tested in fold {}", at + 1),
                "keep it in one of the lists",
            ));
        }
        entry.1[at] = part;
    }
    Ok(())
}

/// The lists of each fold and what their files are in it.
fn setups(ask: &Ask) -> Result<Vec<[(PathBuf, Part); 2]>> {
    let folder = ask.at("evaluation_setup");
    let mut setups = Vec::new();
    if !folder.is_dir() {
        return Ok(setups);
    }
    let named = |fold: u32, kinds: &[&str]| {
        let names = kinds.iter().flat_map(|kind| {
            ["txt", "csv"].map(|ending| folder.join(format!("fold{fold}_{kind}.{ending}")))
        });
        names.into_iter().find(|path| path.is_file())
    };
    for fold in 1..=ask.splits.unwrap_or(MOST).min(MOST) {
        match (named(fold, &["train"]), named(fold, &["test", "evaluate"])) {
            (Some(train), Some(test)) => setups.push([(train, Part::Train), (test, Part::Test)]),
            (None, None) if ask.splits.is_none() => break,
            (train, _) => {
                let lacks = if train.is_some() { "test" } else { "train" };
                return Err(ask.refuse(
                    format!(
                        "there is no `fold{fold}_{lacks}.txt` or `.csv` in `{}`",
                        folder.display()
                    ),
                    "take all lists as they were published, or correct `splits`",
                ));
            }
        }
    }
    Ok(setups)
}

/// Reads the two folders of 2013.
///
/// # Errors
/// As [`super::Manifest::read`].
pub fn list_2013(ask: &Ask) -> Result<Listing> {
    let [train, test] = OF_2013.map(|folder| ask.at(folder));
    let places = match (train.is_dir(), test.is_dir()) {
        (true, has_test) => {
            let tested = has_test.then_some((test, format!("{}/", OF_2013[1]), Some(1)));
            let trained = (train, format!("{}/", OF_2013[0]), Some(0));
            [Some(trained), tested].into_iter().flatten().collect()
        }
        (false, _) => vec![(ask.root.root.clone(), String::new(), None)],
    };
    let mut listing = Listing {
        source: format!("the scenes of `{}`", ask.root.root.display()),
        ..Listing::default()
    };
    for (folder, below, fold) in places {
        let tree = tree(ask, &folder)?;
        for file in tree.files {
            let name = file.rsplit('/').next().unwrap_or(&file);
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            let scene = stem.trim_end_matches(|c: char| c.is_ascii_digit());
            if scene.is_empty() || scene == stem {
                return Err(ask.refuse(
                    format!(
                        "`{}` is not named as a scene and a number",
                        folder.join(&file).display()
                    ),
                    "files are `bus01.wav`: move others away, or list the files in a CSV",
                ));
            }
            let label = ask.wants_labels().then_some(scene);
            listing.add(format!("{below}{file}"), label, fold);
        }
        listing.depends.extend(tree.folders);
    }
    Ok(listing)
}
