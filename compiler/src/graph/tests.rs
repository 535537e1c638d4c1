//! The printed forms of the paper's training step.

use super::*;
use crate::fixture::{ALL, crisscross, pairs};
use crate::hir::{Across, Relaxation, Within};

#[test]
fn the_full_loss_as_text() {
    insta::assert_snapshot!(text(&crisscross(pairs(&ALL)), "crisscross"));
}

#[test]
fn a_loss_without_audio_as_mermaid_and_graphviz() {
    let pretrain = crisscross(pairs(&["v1v2"]));
    insta::assert_snapshot!("mermaid", mermaid(&pretrain, "v1v2 \"only\""));
    insta::assert_snapshot!("dot", dot(&pretrain, "v1v2 \"only\""));
}

#[test]
fn a_picture_ends_where_its_boxes_end() {
    let pretrain = crisscross(pairs(&ALL));
    let picture = svg(&pretrain, "a < b");
    assert_eq!(
        picture,
        svg(&pretrain, "a < b"),
        "a picture depends on the graph alone"
    );
    assert!(picture.contains("<title>a &lt; b</title>"));
    let number = |key: &str, text: &str| -> f64 {
        let (_, rest) = text.split_once(&format!(" {key}=\"")).unwrap();
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    let height = number("height", picture.split_once("<svg").unwrap().1);
    let boxes = picture
        .split("<rect")
        .skip(1)
        .map(|rect| number("y", rect) + number("height", rect));
    let lowest = boxes.fold(0.0, f64::max);
    assert!(
        lowest < height && height < lowest + 20.0,
        "boxes end at {lowest}, the picture at {height}"
    );
}

#[test]
fn json_lists_every_node_by_name() {
    let pretrain = crisscross(pairs(&ALL));
    let value: serde_json::Value = serde_json::from_str(&json(&pretrain, "x")).unwrap();
    let steps = value["steps"].as_array().unwrap();
    assert_eq!(steps.len(), crate::passes::build(&pretrain).0.len());
    let encode = steps.iter().find(|step| step["name"] == "z.v1").unwrap();
    assert_eq!(encode["inputs"][0], "v1");
    assert_eq!(encode["node"]["op"], "encode");
    assert_eq!(encode["shape"], "f32[512, 2048]");
}

#[test]
fn equal_nodes_that_are_not_merged_are_numbered() {
    let literal = crate::lower::lower(&crisscross(pairs(&["v1v2"])));
    let mut names: Vec<String> = literal
        .names()
        .into_values()
        .filter(|name| name.starts_with("z."))
        .collect();
    names.sort();
    assert_eq!(names, ["z.v1", "z.v1#2", "z.v2", "z.v2#2"]);
}

#[test]
fn names_are_sorted_as_numbers() {
    let mut names = ["v10", "v2", "v1", "a3"];
    names.sort_by_key(|name| natural(name));
    assert_eq!(names, ["a3", "v1", "v2", "v10"]);
}

#[test]
fn policies_print_as_the_language_writes_them() {
    let overlap = Within::Overlap {
        share: crate::units::Exact::new(3, 4),
        of: Some("a".to_owned()),
    };
    let relax = Relaxation {
        within: overlap,
        across: Across::Start,
        same: vec![],
    };
    assert_eq!(
        relaxation(&relax),
        "windows(within: overlap(75%, of: a), across: start)"
    );
    let relax = Relaxation {
        within: Within::OffsetMax,
        across: Across::Start,
        same: vec!["a".to_owned()],
    };
    assert_eq!(
        relaxation(&relax),
        "windows(within: offset(max), a: same, across: start)"
    );
}
