//! The page of a report in a real browser, where there is one; `toy.rs` has those with results.

#![allow(clippy::unwrap_used)] // whatever is not there, the test has failed

#[path = "lab/browser.rs"]
mod browser;

use browser::{View, is_there};
use std::path::Path;

const TABLE: &str = "use paper
# a comment that is much longer than a phone is wide, so that the source has to be scrolled by itself and not with all of the page
table t \"A title that has more words than there is room for on a telephone, and a_word_without_any_place_to_break_it_at_all\" {
  of = crisscross
  scores = [linear8 on UCF101, linear2s on ESC50]
  row loss = v1v2, lr_b = cosine(0.0001 -> 0), lr_p = 0.001    expect 69.1, _
  row loss = a1a2, lr_b = cosine(0.00001 -> 0), lr_p = 0.0001  expect _, 62.0
  row loss = intra + sync + async                              expect 74.8, 79.0
}
";

/// The page of [`TABLE`], which nothing has been run of.
fn page(folder: &Path) -> String {
    std::fs::write(folder.join("t.cc"), TABLE).unwrap();
    let output = assert_cmd::Command::cargo_bin("crisscross")
        .unwrap()
        .current_dir(folder)
        .args(["report", "t.cc", "--format", "html"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_page_without_results_fits_phone_and_desktop() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path());
    for (width, is_dark, ground) in [
        (390, false, "rgb(255, 255, 255)"),
        (1280, true, "rgb(20, 24, 28)"),
    ] {
        // Wide tables and the source scroll by themselves, never the page.
        let says = "[d.documentElement.scrollWidth, getComputedStyle(d.body).backgroundColor, d.querySelectorAll('details').length > 2, \
                    d.querySelector('table.results').rows.length, d.images.length + d.scripts.length].join('; ')";
        let view = View {
            page: &page,
            width,
            is_dark,
        };
        let said = view.asked(folder.path(), says);
        let said: Vec<&str> = said.split("; ").collect();
        let wide: u32 = said[0].parse().unwrap();
        assert!(
            wide <= width,
            "the page is {wide} wide in a window of {width}"
        );
        assert_eq!(said[1..], [ground, "true", "5", "0"]);
    }
}

/// What a stage draws is a thousand units wide, with text of 13: on a phone it is scrolled by itself rather than made small.
#[test]
fn drawings_can_be_read_on_a_phone() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let picture = "<div class=\"figure\"><div class=\"scroll\"><img src=\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' \
                   width='1000' height='500'/>\"></div></div></main>";
    let page = page(folder.path()).replace("</main>", picture);
    for (width, least, most) in [(390, 860, 864), (1280, 990, 1002)] {
        let says = "[d.documentElement.scrollWidth, d.images[0].offsetWidth, d.images[0].offsetHeight * 2].join('; ')";
        let view = View {
            page: &page,
            width,
            is_dark: false,
        };
        let said = view.asked(folder.path(), says);
        let said: Vec<u32> = said
            .split("; ")
            .map(|number| number.parse().unwrap())
            .collect();
        assert!(said[0] <= width, "{said:?}");
        assert!((least..=most).contains(&said[1]), "{said:?}");
        assert!(said[1].abs_diff(said[2]) < 4, "{said:?}");
    }
}
