//! The pages of `docs/augmentations/` are those that `crisscross data links` writes, and small.
//!
//! Where a page is old, `RENEW=1` writes it anew; the pictures are drawn by
//! `crisscross data links --clip tests/clips/sounds/1-34119-B.ogg --out docs/augmentations`.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_pages_of_the_links_are_what_the_catalogue_and_the_preludes_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/augmentations");
    let mut expected = BTreeSet::new();
    for page in compiler::links::pages() {
        let path = folder.join(&page.path);
        if std::env::var_os("RENEW").is_some() {
            std::fs::write(&path, &page.text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == page.text,
            "docs/augmentations/{} is old: run this test with RENEW=1, and draw the pictures anew",
            page.path
        );
        expected.insert(page.path);
    }
    let mut bytes = 0;
    for picture in compiler::links::pictures() {
        let png = std::fs::read(folder.join(&picture.path)).unwrap();
        assert_eq!(png[1..4], *b"PNG", "{}", picture.path);
        bytes += png.len();
        expected.insert(picture.path);
    }
    assert!(bytes < 2 << 20, "the pictures take {bytes} bytes");
    let there = std::fs::read_dir(&folder).unwrap();
    let there: BTreeSet<String> = there
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, expected);
}
