use super::*;
use std::collections::{BTreeMap, BTreeSet};

/// A file with what a page must not take as its own markup.
const HOSTILE: &str = "# A file with <b>, & and \"quotes\".

use paper
use \"more/base.cc\"

## Says </section><script>alert(1)</script>.
## source: Table <1>
loss half = 1/2 * intra   # </pre>

table t \"<img src=x>\" {
  of     = small
  scores = [linear8 on UCF101]
  row \"</td><script>\" loss = half   expect 69.7
  row loss = intra + sync             expect _
}
";

const BASE: &str = "use paper

pretrain small = crisscross with { bs = 64   es = 6400 }
";

/// The book of a file of this name.
fn book(name: &str, text: &str) -> Vec<Page> {
    let mut sources = crate::sources();
    let file = sources.add(name, text);
    let base = |_: &str, path: &str| {
        let known = path == "more/base.cc";
        known.then(|| (path.to_owned(), BASE.to_owned()))
    };
    let draw = |_: &Sources, one: &Diagnostic| format!("{}: {}", one.code, one.message);
    pages(&mut sources, &[file], &base, &draw)
}

fn hostile() -> Vec<Page> {
    book("a <b>/t&\"1.cc", HOSTILE)
}

/// The tags of a page: name, attributes, whether it closes.
fn tags(html: &str) -> Vec<(String, String, bool)> {
    let mut tags = vec![];
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag ends");
        let (tag, behind) = rest.split_at(end);
        rest = behind;
        let closes = tag.starts_with('/');
        let tag = tag.trim_start_matches('/');
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        tags.push((
            name.trim_end_matches('/').to_owned(),
            attributes.to_owned(),
            closes,
        ));
    }
    tags
}

fn values(html: &str, attribute: &str) -> Vec<String> {
    let opening = format!(" {attribute}=\"");
    html.split(&opening)
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        .collect()
}

#[test]
fn pages_are_well_formed() {
    const EMPTY: [&str; 5] = ["meta", "!DOCTYPE", "img", "br", "hr"];
    for page in hostile() {
        let mut open: Vec<String> = vec![];
        for (name, attributes, closes) in tags(&page.html) {
            let path = &page.path;
            assert!(name != "script" && name != "img", "{path}: <{name}>");
            if closes {
                assert_eq!(open.pop().as_deref(), Some(name.as_str()), "{path}");
            } else if !EMPTY.contains(&name.as_str()) && !attributes.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{}: {open:?} are not closed", page.path);
    }
}

#[test]
fn every_link_leads_somewhere_and_every_anchor_is_one() {
    let pages = hostile();
    let mut anchors: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for page in &pages {
        let ids = values(&page.html, "id");
        let distinct: BTreeSet<String> = ids.iter().cloned().collect();
        assert_eq!(ids.len(), distinct.len(), "{} has an id twice", page.path);
        anchors.insert(&page.path, distinct);
    }
    let mut seen = 0;
    for page in &pages {
        for link in values(&page.html, "href") {
            assert!(!link.contains(':'), "{}: {link} leads outside", page.path);
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = if path.is_empty() { &page.path } else { path };
            let known = anchors.get(path);
            assert!(known.is_some(), "{}: no page {path}", page.path);
            let leads = known.is_some_and(|ids| anchor.is_empty() || ids.contains(anchor));
            assert!(leads, "{}: nothing at {link}", page.path);
            seen += 1;
        }
    }
    assert!(seen > 500, "{seen}");
}

#[test]
fn a_page_shows_what_its_file_says() {
    let pages = hostile();
    let paths: Vec<&str> = pages.iter().map(|page| page.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "index.html",
            "paper.html",
            "toy.html",
            "released.html",
            "t--1.html",
            "base.html",
            "reference.html",
            "codes.html"
        ]
    );
    // The templates escape slashes too.
    let page = &pages[4].html.replace("&#x2f;", "/");
    for part in [
        "<h1>a &lt;b&gt;/t&amp;&quot;1.cc</h1>",
        "A file with &lt;b&gt;, &amp; and &quot;quotes&quot;.",
        "Says &lt;/section&gt;&lt;script&gt;alert(1)&lt;/script&gt;.",
        "source: Table &lt;1&gt;",
        "<span class=\"title\">&lt;img src=x&gt;</span>",
        "<a href=\"base.html#d-small\">small</a>",
        "<a href=\"paper.html#d-intra\">intra</a>",
        "<td class=\"number\">69.7</td>",
        "<td class=\"number\">–</td>",
        "v1v2 1/2  a1a2 1/2",
        "<a href=\"base.html\">more/base.cc:3</a>",
        "source must be at least 3 s (a); 0.75 s (v)",
    ] {
        assert!(page.contains(part), "no {part}");
    }
    // Two steps are drawn, each with names of its own.
    assert_eq!(page.matches("<svg ").count(), 2);
    let paper = &pages[1].html.replace("&#x2f;", "/");
    // What a chain comes to, and a field with its source.
    for part in [
        "<a href=\"reference.html#o-augment-freq_mask\">freq_mask</a>",
        "<td class=\"source\">Table S10; code (warm-up)</td>",
        "<h2>networks (Tables S5 to S8)</h2>",
        "<b>outer 1/2:</b>",
    ] {
        assert!(paper.contains(part), "no {part}");
    }
}

#[test]
fn the_same_texts_give_the_same_pages() {
    assert_eq!(hostile(), hostile());
}

#[test]
fn a_bare_loss_and_a_file_of_a_taken_name_have_pages() {
    let pages = book("paper.cc", "intra + sync");
    let own = pages.iter().find(|page| page.path == "paper-2.html");
    let html = &own.expect("a page of its own").html;
    assert!(html.contains("<a href=\"paper.html#d-intra\">intra</a>"));
    assert!(html.contains("id=\"d-main\""));
}
