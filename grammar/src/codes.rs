//! The codes of syntax mistakes and what each means. Later stages add theirs: E02xx units, E03xx names, E04xx losses.

use crate::diagnostic::Code;

macro_rules! codes {
    ($($name:ident = $code:literal: $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: Code = Code($code);)*

        /// Every code of this crate with its meaning in one line.
        pub const ALL: &[(Code, &str)] = &[$(($name, $meaning)),*];
    };
}

codes! {
    FIELD_SEPARATOR = "E0101": "fields are separated by blanks or line ends, not by signs";
    DETACHED_UNIT = "E0102": "a unit is written directly after its number";
    EQUALS_OR_COLON = "E0103": "arguments use `:`, fields use `=`";
    MISSING_OPERAND = "E0104": "an operator lacks one of its two sides";
    CPLUSPLUS = "E0105": "the file is C++, which has the same suffix";
    UNBALANCED = "E0106": "a bracket or brace is not closed, or closes nothing";
    UNEXPECTED = "E0107": "this text has no place here";
    OPEN_TEXT = "E0108": "a text is not closed on its line";
    TOO_DEEP = "E0109": "brackets or chains are nested too deeply, or the text has no end";
    UNREADABLE = "E0110": "the file is missing, a folder, or not UTF-8 text";
    MISSING_COMMA = "E0111": "the members of a list, of arguments or of a row are separated by commas";
    UNKNOWN_UNIT = "E0112": "there is no such unit";
    BAD_NAME = "E0113": "a declaration needs a name that is no reserved word";
    UNKNOWN_KIND = "E0114": "a declaration starts with its kind";
    LONE_EXPRESSION = "E0115": "an expression stands alone only where it is the whole file";
    COMMENT_SIGN = "E0116": "comments start with `#`";
}
