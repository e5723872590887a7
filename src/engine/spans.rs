//! From a place in a TOML string's value to the place in the file.

use super::file::RuleText;
use std::ops::Range;

/// Where the value of a TOML string stands in its file.
///
/// The TOML parser gives the span of the whole token, quotes included; escapes and line endings
/// make value and token differ in length, so the token is walked once more, when there is a mistake to show.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    file: RuleText,
    token: Range<usize>,
    len: usize,
}

impl Spans {
    /// The map of the token at `token` of `file`, whose value has `len` bytes.
    pub(super) fn new(file: RuleText, token: Range<usize>, len: usize) -> Self {
        Self { file, token, len }
    }

    /// The place in the file of a place in the value.
    pub(super) fn map(&self, span: &Range<usize>) -> Range<usize> {
        let offsets = walk(self.file.get(self.token.clone()).unwrap_or_default());
        // Should the walk ever disagree with the parser, the token as a whole is still right.
        if offsets.len() != self.len + 1 {
            return self.token.clone();
        }
        let place = |at: usize| self.token.start + offsets[at.min(self.len)];
        let start = place(span.start);
        start..place(span.end).max(start)
    }
}

fn walk(token: &str) -> Vec<usize> {
    let (open, basic) = match token {
        t if t.starts_with("\"\"\"") => (3, true),
        t if t.starts_with("'''") => (3, false),
        t if t.starts_with('"') => (1, true),
        _ => (1, false),
    };
    let end = token.len().saturating_sub(open);
    let mut at = open;
    if open == 3 {
        // The first line ending of a multi-line string is not part of it.
        if token[at..].starts_with("\r\n") {
            at += 2;
        } else if token[at..].starts_with('\n') {
            at += 1;
        }
    }
    let mut offsets = Vec::new();
    while at < end {
        let rest = &token[at..end];
        let c = rest.chars().next().unwrap_or(' ');
        if c == '\\' && basic {
            let (taken, bytes) = escape(rest);
            offsets.extend(std::iter::repeat_n(at, bytes));
            at += taken;
        } else {
            offsets.extend(at..at + c.len_utf8());
            at += c.len_utf8();
        }
    }
    offsets.push(end);
    offsets
}

/// How many bytes of the token an escape takes, and how many of the value it makes.
fn escape(rest: &str) -> (usize, usize) {
    let unicode = |digits: usize| {
        let code = rest.get(2..2 + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        (2 + digits, code.and_then(char::from_u32).map_or(1, char::len_utf8))
    };
    match rest.as_bytes().get(1) {
        Some(b'x') => unicode(2),
        Some(b'u') => unicode(4),
        Some(b'U') => unicode(8),
        // A backslash at the end of a line swallows all blanks up to the next character.
        Some(b' ' | b'\t' | b'\r' | b'\n') => (1 + rest[1..].len() - rest[1..].trim_start().len(), 0),
        _ => (2, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Spanned;

    #[derive(serde::Deserialize)]
    struct File {
        key: Spanned<String>,
    }

    /// Every character of the value must map to the same character of the file.
    fn check(file: &str, word: &str) {
        let parsed: File = toml::from_str(file).unwrap();
        let value = parsed.key.get_ref();
        let spans = Spans::new(file.into(), parsed.key.span(), value.len());
        let start = value.find(word).unwrap();
        let mapped = spans.map(&(start..start + word.len()));
        assert_eq!(&file[mapped], word, "in {file:?}");
    }

    #[test]
    fn every_kind_of_string_maps_back_to_the_file() {
        check("key = \"abc wrong def\"", "wrong");
        check("key = 'abc wrong def'", "wrong");
        check("key = \"\"\"\nabc\n wrong\n\"\"\"", "wrong");
        check("key = '''\nabc\n wrong'''", "wrong");
        check(r#"key = "a \"b\" \t \u00e9 é wrong""#, "wrong");
        check("key = \"\"\"\r\na \\\r\n   b wrong\r\n\"\"\"", "wrong");
        check("key = \"\"\"a \\\n\n   b wrong\"\"\"", "wrong");
    }
}
