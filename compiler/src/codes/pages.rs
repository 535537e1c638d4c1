//! The page of each code: what it means, an example that shows it, the same mended, and why. The message that the example
//! gives is not part of a page: who prints the page checks the example.

use grammar::diagnostic::Code;

/// What `crisscross explain` says of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// What it means.
    pub what: &'static str,
    /// What shows it.
    pub wrong: Wrong,
    /// A file like it without the mistake.
    pub mended: &'static str,
    /// Why it is a mistake.
    pub why: &'static str,
    /// Where the paper speaks of it.
    pub paper: Option<&'static str>,
}

/// An example of a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The text of a file.
    Text(&'static str),
    /// The name of a file that is not there.
    Missing(&'static str),
}

macro_rules! pages {
    ($($code:literal)*) => {
        const PAGES: &[(&str, &str)] = &[$(($code, include_str!(concat!("pages/", $code, ".md")))),*];
    };
}

pages! {
    "E0101" "E0102" "E0103" "E0104" "E0105" "E0106" "E0107" "E0108" "E0109" "E0110" "E0111" "E0112" "E0113" "E0114" "E0115" "E0116"
    "E0201" "E0202" "E0203" "E0204" "E0205" "E0206" "E0207" "E0208"
    "E0301" "E0302" "E0303" "E0304" "E0305" "E0306" "E0307" "E0308" "E0309" "E0310" "E0311" "E0312" "E0313" "W0314"
    "E0401" "E0402" "E0403" "E0404" "E0405" "E0406" "E0407" "E0408" "W0411" "W0412" "W0413" "W0414" "W0415" "W0416" "W0417" "E0418"
    "W0419" "W0420"
    "E0501" "E0502" "W0503" "W0504" "W0505" "E0506"
    "E0601" "E0602" "E0603" "E0604" "E0605" "W0606" "W0607" "E0608" "E0609" "E0610" "E0611" "E0612" "W0613" "E0614"
    "W0701" "W0702" "E0703" "W0704" "W0705" "E0706" "W0707" "E0708" "E0709" "E0710" "W0711"
    "E0712"
    "W0801" "W0802" "W0803"
    "E0901"
}

/// Every code of the language with its meaning in one line, in the order of their numbers.
pub fn known() -> Vec<(Code, &'static str)> {
    let mut known = [grammar::codes::ALL, super::ALL].concat();
    known.sort_by_key(|(code, _)| (&code.0[1..], &code.0[..1]));
    known
}

/// The page of a code, if it has one.
pub fn page(code: Code) -> Option<Page> {
    let (_, text) = PAGES.iter().find(|(known, _)| *known == code.0)?;
    let mut parts = text.split("\n## ");
    let what = parts.next()?.trim();
    let mut page = Page {
        what,
        wrong: Wrong::Text(""),
        mended: "",
        why: "",
        paper: None,
    };
    for part in parts {
        let (title, body) = part.split_once('\n')?;
        let body = body.trim();
        match title {
            "wrong" => {
                let (sort, text) = fenced(body)?;
                page.wrong = match sort {
                    "file" => Wrong::Missing(text.trim_end()),
                    _ => Wrong::Text(text),
                };
            }
            "mended" => page.mended = fenced(body)?.1,
            "why" => page.why = body,
            "paper" => page.paper = Some(body),
            _ => return None,
        }
    }
    Some(page)
}

/// The word behind the opening fence, and the text between the fences.
fn fenced(body: &str) -> Option<(&str, &str)> {
    body.strip_prefix("```")?
        .strip_suffix("```")?
        .split_once('\n')
}

/// The codes that `typed` may mean, in upper case with its letter or without: the one of this name, else those with one character
/// between.
pub fn nearest(typed: &str) -> Vec<Code> {
    let typed = typed.to_ascii_uppercase();
    let digits = typed.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let known = || known().into_iter().map(|(code, _)| code);
    let same_number: Vec<Code> = known()
        .filter(|code| code.0[1..].trim_start_matches('0') == digits.trim_start_matches('0'))
        .collect();
    if !same_number.is_empty() {
        return same_number;
    }
    known()
        .filter(|code| strsim::osa_distance(code.0, &typed) <= 1)
        .collect()
}
