//! The syntax of systemd's files: units, drop-ins, system.conf.
//!
//! Source: systemd.syntax(7), and what src/shared/conf-parser.c of systemd does with lines that it refuses.

use std::mem::take;

/// A file as it is written. What a key means, and what a second assignment does, is for the reader to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitFile {
    /// The assignments, in order; a key may come several times.
    pub settings: Vec<Setting>,
    /// Lines that systemd reports and ignores.
    pub malformed: Vec<Malformed>,
}

/// One assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The section without brackets: `Service`.
    pub section: String,
    /// The key: `LimitNOFILE`.
    pub key: String,
    /// The value, continuation lines joined, without surrounding blanks; empty where nothing follows the `=`.
    pub value: String,
    /// The line, from 1; of several that are joined, the first.
    pub line: u32,
}

/// A line that systemd reports and ignores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The line as it is written, continuation lines joined.
    pub text: String,
    /// Why it is ignored.
    pub reason: &'static str,
    /// The line, from 1.
    pub line: u32,
}

/// Reads a file. Nothing is an error: what makes no sense is in [`UnitFile::malformed`].
pub fn parse(text: &str) -> UnitFile {
    let mut file = UnitFile::default();
    let mut section = None;
    let mut joined = String::new();
    let mut first = 0;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1u32..).zip(text.split('\n')) {
        let line = line.trim_start_matches(BLANKS);
        // A comment between continuation lines is left out; the line goes on after it.
        if line.starts_with(['#', ';']) {
            continue;
        }
        if joined.is_empty() {
            first = number;
        }
        joined.push_str(line.trim_end_matches('\r'));
        if ends_escaped(&joined) {
            joined.pop();
            joined.push(' ');
        } else {
            file.line(&mut section, take(&mut joined).trim_matches(BLANKS), first);
        }
    }
    file.line(&mut section, joined.trim_matches(BLANKS), first);
    file
}

const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

impl UnitFile {
    fn line(&mut self, section: &mut Option<String>, line: &str, number: u32) {
        if line.is_empty() {
            return;
        }
        let reason = match (line.strip_prefix('['), line.split_once('='), &section) {
            (Some(rest), ..) => match rest.strip_suffix(']') {
                Some(name) => {
                    *section = Some(name.to_owned());
                    return;
                }
                None => "the section header does not end with ]",
            },
            (None, None, _) => "there is no = in the line",
            (None, Some(_), None) => "the assignment is outside of every section",
            (None, Some((key, _)), Some(_)) if key.trim_matches(BLANKS).is_empty() => {
                "there is no key before the ="
            }
            (None, Some((key, value)), Some(section)) => {
                return self.settings.push(Setting {
                    section: section.clone(),
                    key: key.trim_matches(BLANKS).to_owned(),
                    value: value.trim_matches(BLANKS).to_owned(),
                    line: number,
                });
            }
        };
        self.malformed.push(Malformed { text: line.to_owned(), reason, line: number });
    }
}

/// Whether the last character is a backslash that no other one escapes.
fn ends_escaped(line: &str) -> bool {
    line.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String, u32)> {
        let of = |s: Setting| (format!("{}.{}", s.section, s.key), s.value, s.line);
        parse(text).settings.into_iter().map(of).collect()
    }

    #[test]
    fn keys_repeat_and_keep_their_lines() {
        let text =
            "# a unit\n[Unit]\nAfter = network.target\n\n[Service]\n  LimitNOFILE=\nLimitNOFILE=4096 \r\n";
        let expected = [
            ("Unit.After", "network.target", 3),
            ("Service.LimitNOFILE", "", 6),
            ("Service.LimitNOFILE", "4096", 7),
        ];
        assert_eq!(values(text), expected.map(|(k, v, l)| (k.into(), v.into(), l)));
    }

    #[test]
    fn a_line_goes_on_after_a_backslash_and_over_comments() {
        let text = "[Service]\nExecStart=/bin/a \\\n# not this\n; nor this\n  --b \\\n  --c\nUser=x\n";
        let expected = [("Service.ExecStart", "/bin/a  --b  --c", 2), ("Service.User", "x", 7)];
        assert_eq!(values(text), expected.map(|(k, v, l)| (k.into(), v.into(), l)));
        let escaped = "[A]\nx=y\\\\\nz=1\n";
        assert_eq!(values(escaped)[0].1, "y\\\\");
    }

    #[test]
    fn a_file_may_end_in_the_middle() {
        assert_eq!(values("[A]\nx=1\\"), [("A.x".to_owned(), "1".to_owned(), 2)]);
        assert_eq!(values("\u{feff}[A]\nx=="), [("A.x".to_owned(), "=".to_owned(), 2)]);
        assert_eq!(parse(""), UnitFile::default());
    }

    #[test]
    fn what_systemd_ignores_is_kept_with_its_reason() {
        let malformed = parse("x=1\n[A\n[B]\nword\n=2\n\0\u{fffd}\n").malformed;
        let lines: Vec<_> = malformed.iter().map(|m| (m.line, m.text.as_str())).collect();
        assert_eq!(lines, [(1, "x=1"), (2, "[A"), (4, "word"), (5, "=2"), (6, "\0\u{fffd}")]);
    }
}
