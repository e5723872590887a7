//! Text for a terminal: broken into lines, and harmless.

use std::borrow::Cow;
use std::io::{self, Write};

/// The text without what a terminal would obey or a reader would be fooled by: control characters (a tab and a line
/// ending are none), marks that turn the direction of writing, and what takes no room, each shown as `\x1b` or `\u{202e}`.
///
/// What is vetted may be hostile: a file name, a comment in a config file.
pub fn printable(text: &str) -> Cow<'_, str> {
    let bad = |c: char| c != '\n' && c != '\t' && fools(c);
    if !text.contains(bad) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            c if !bad(c) => safe.push(c),
            c if (c as u32) < 0x100 => safe.push_str(&format!("\\x{:02x}", c as u32)),
            c => safe.push_str(&format!("\\u{{{:x}}}", c as u32)),
        }
    }
    Cow::Owned(safe)
}

/// What a terminal would obey, or what a reader would not see for what it is: controls, line and paragraph separators,
/// marks of direction, characters without width.
fn fools(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// A stream of JSON made harmless: it stays the same JSON, with such characters in its strings as `\u001b`.
#[derive(Debug)]
pub struct PrintableJson<W>(pub W);

impl<W: Write> Write for PrintableJson<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // serde_json writes whole characters.
        let text = String::from_utf8_lossy(bytes);
        let mut plain = &*text;
        while let Some(at) = plain.find(|c: char| c != '\n' && fools(c)) {
            let (before, rest) = plain.split_at(at);
            self.0.write_all(before.as_bytes())?;
            let mut rest = rest.chars();
            for unit in rest.next().unwrap_or_default().encode_utf16(&mut [0; 2]) {
                write!(self.0, "\\u{unit:04x}")?;
            }
            plain = rest.as_str();
        }
        self.0.write_all(plain.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The same on one line: for what must stand alone in a log.
pub(super) fn one_line(text: &str) -> String {
    printable(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Prose in lines of at most `width` characters. Lines that start with blanks are commands or samples: they are left
/// as they are. Neighbouring lines of prose are one paragraph.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut paragraph = String::new();
    let text = printable(text);
    for line in text.lines().chain([""]) {
        if !line.is_empty() && !line.starts_with([' ', '\t']) {
            paragraph.push(' ');
            paragraph.push_str(line);
            continue;
        }
        fill(&std::mem::take(&mut paragraph), width, &mut lines);
        lines.push(line.trim_end().to_owned());
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

fn fill(paragraph: &str, width: usize, lines: &mut Vec<String>) {
    let mut line = String::new();
    for word in paragraph.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_instead() {
        assert_eq!(printable("a\x1b[2Jb\r\u{9b}c\u{202e}d"), "a\\x1b[2Jb\\x0d\\x9bc\\u{202e}d");
        assert_eq!(printable("plain\ttext\n"), "plain\ttext\n");
    }

    #[test]
    fn json_stays_the_same_json() {
        let text = "a\u{7f}\u{9b}\u{202e}\u{feff}\u{e0041}\u{1f600}\n\t\u{1b}é";
        let mut out = Vec::new();
        serde_json::to_writer(PrintableJson(&mut out), text).unwrap();
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out, "\"a\\u007f\\u009b\\u202e\\ufeff\\udb40\\udc41\u{1f600}\\n\\t\\u001bé\"");
    }

    #[test]
    fn prose_is_wrapped_and_commands_are_not() {
        let text = "one two three four\nfive\n    a command that is longer than the width\n\nsix";
        let lines = wrap(text, 10);
        let wanted =
            ["one two", "three four", "five", "    a command that is longer than the width", "", "six"];
        assert_eq!(lines, wanted);
    }
}
