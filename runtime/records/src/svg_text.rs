//! Text within pictures.

/// Text whose names stand between backticks, with quotation marks there: behind a letter, some fonts make accents of backticks.
pub fn quoted(text: &str) -> String {
    let mut marks = ['\u{201c}', '\u{201d}'].into_iter().cycle();
    let change = |letter| match letter {
        '`' => marks.next().unwrap_or(letter),
        letter => letter,
    };
    text.chars().map(change).collect()
}

/// Text for an element or an attribute; what XML cannot hold is a space.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            letter if letter.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_safe_and_has_no_backticks() {
        assert_eq!(
            escape("a < b & \"c\" > d\u{7}"),
            "a &lt; b &amp; &quot;c&quot; &gt; d "
        );
        assert_eq!(
            quoted("does `async` help `intra`?"),
            "does \u{201c}async\u{201d} help \u{201c}intra\u{201d}?"
        );
    }
}
