//! Files of `NAME=value` lines that a shell sources, such as /etc/default/grub.

use crate::source::At;
use std::collections::BTreeMap;

/// What files of assignments set, each as the shell sees it after the ones before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// The values by name, and where each was set last.
    pub values: BTreeMap<String, (String, At)>,
    /// Where a quote is opened that nothing closes: the shell stops at such a file.
    pub unclosed: Vec<At>,
    /// Bytes that `$NAME` was replaced by so far.
    replaced: usize,
}

/// `A=$A$A` doubles with each line; what settings need is far below.
const REPLACED_CAP: usize = 1 << 20;

impl Variables {
    /// Adds what a file sets. Anything but assignments is passed over: what commands would do is not known. Where a quote is
    /// never closed the shell takes no part of what follows it; each line is then taken for itself, as it was meant.
    pub fn add(&mut self, path: &str, text: &str) {
        let mut whole = self.clone();
        if (Reader { known: &mut whole, path, rest: text, line: 1 }).assignments() {
            *self = whole;
            return;
        }
        for (line, text) in (1..).zip(text.lines()) {
            if !(Reader { known: self, path, rest: text, line }).assignments() {
                self.unclosed.push(At::line(path, line));
            }
        }
    }
}

/// A text that is gone through, a line at a time but for what stands in quotes.
struct Reader<'a> {
    known: &'a mut Variables,
    path: &'a str,
    rest: &'a str,
    line: u32,
}

impl Reader<'_> {
    /// Takes all assignments; false if a quote is still open at the end.
    fn assignments(&mut self) -> bool {
        while !self.rest.is_empty() {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
            let line = self.line;
            let assigned = self.name().map(|(name, append)| (name, append, self.word()));
            match assigned {
                Some((_, _, None)) => return false,
                Some((name, append, Some(value))) => {
                    let before = self.known.values.get(&name).filter(|_| append);
                    let value = match before {
                        Some((before, _)) if self.known.replaced + before.len() <= REPLACED_CAP => {
                            self.known.replaced += before.len();
                            format!("{before}{value}")
                        }
                        _ => value,
                    };
                    self.known.values.insert(name, (value, At::line(self.path, line)));
                }
                None => {}
            }
            // What else stands on the line may have quotes too.
            loop {
                self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
                if self.rest.starts_with('#') {
                    self.rest = self.rest.find('\n').and_then(|end| self.rest.get(end..)).unwrap_or_default();
                }
                if self.rest.is_empty() || self.take_if('\n') {
                    break;
                }
                if self.word().is_none() {
                    return false;
                }
            }
        }
        true
    }

    /// Takes `NAME=` or `NAME+=`, with `export` before it.
    fn name(&mut self) -> Option<(String, bool)> {
        let text = self.rest.strip_prefix("export ").unwrap_or(self.rest);
        let name = text.split(|c: char| !c.is_ascii_alphanumeric() && !"_+".contains(c)).next()?;
        let after = text.get(name.len()..)?.strip_prefix('=')?;
        let (name, append) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        plain.then(|| {
            self.rest = after;
            (name.to_owned(), append)
        })
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
        self.line = self.line.saturating_add(u32::from(c == '\n'));
        Some(c)
    }

    fn take_if(&mut self, wanted: char) -> bool {
        let is = self.rest.starts_with(wanted);
        is.then(|| self.next());
        is
    }

    /// Takes a word, to the blank or line end behind it; none if a quote stays open.
    fn word(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut quote = None;
        while let Some(c) = self.rest.chars().next() {
            if quote.is_none() && c.is_ascii_whitespace() {
                break;
            }
            self.next();
            match (c, quote) {
                (c, Some(q)) if c == q => quote = None,
                ('"' | '\'', None) => quote = Some(c),
                ('\\', None | Some('"')) if self.take_if('\n') => {}
                ('\\', None | Some('"')) => value.extend(self.next()),
                ('$', None | Some('"')) => {
                    let braced = self.take_if('{');
                    let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                    let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                    self.rest = rest;
                    let known = self.known.values.get(name).map_or("", |(value, _)| value);
                    if self.known.replaced + known.len() <= REPLACED_CAP {
                        value.push_str(known);
                        self.known.replaced += known.len();
                    }
                    if braced {
                        self.take_if('}');
                    }
                }
                (c, _) => value.push(c),
            }
        }
        quote.is_none().then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> Option<String> {
        let mut variables = Variables::default();
        variables.add("/f", text);
        assert_eq!(variables.unclosed, []);
        variables.values.get(name).map(|(value, _)| value.clone())
    }

    #[test]
    fn values_are_as_a_shell_sees_them() {
        assert_eq!(value("A=\"quiet splash\" # x\n", "A").as_deref(), Some("quiet splash"));
        assert_eq!(value("A='a b'c\n", "A").as_deref(), Some("a bc"));
        assert_eq!(value("A=1\nB=\"$A ${A}2 \\\"q\\\"\"\n", "B").as_deref(), Some("1 12 \"q\""));
        assert_eq!(value("A=1\nexport A+=' 2'\n", "A").as_deref(), Some("1 2"));
        assert_eq!(value("#A=1\nA B=2\n", "A"), None);
        assert_eq!(value("A= \n", "A").as_deref(), Some(""));
        assert_eq!(value("# it's\nA=b\\\nc # don't\r\n", "A").as_deref(), Some("bc"));
    }

    #[test]
    fn what_stands_in_quotes_may_go_over_lines() {
        let text = "A=\"quiet \\\n  splash\"\nB='1\n2'\nif [ \"$A\" = \"x\ny\" ]; then\n  C=3\nfi\n";
        assert_eq!(value(text, "A").as_deref(), Some("quiet   splash"));
        assert_eq!(value(text, "B").as_deref(), Some("1\n2"));
        assert_eq!(value(text, "C").as_deref(), Some("3"));
    }

    #[test]
    fn values_that_double_do_not_grow_without_end() {
        let text = format!("A=x\n{}{}", "A=$A$A\n".repeat(100), "A+=$A\n".repeat(100_000));
        assert!(value(&text, "A").unwrap().len() <= REPLACED_CAP);
        assert_eq!(value(&"\n".repeat(1 << 20), "A"), None);
    }

    #[test]
    fn a_quote_that_is_not_closed_is_told() {
        let mut variables = Variables::default();
        variables.add("/f", "A=\"quiet\nB=2\n");
        let lines: Vec<_> =
            variables.values.into_iter().map(|(name, (_, at))| format!("{name} {at}")).collect();
        assert_eq!((variables.unclosed, lines), (vec![At::line("/f", 1)], vec!["B /f:2".to_owned()]));
        let mut variables = Variables::default();
        variables.add("/f", "A=\"1\"\nA=\"2\nA=\"3\"\n");
        assert_eq!(variables.unclosed, [At::line("/f", 2)]);
        variables.add("/g", "echo 'x\n\0\u{fffd}=\\");
        assert_eq!(variables.unclosed.len(), 2);
    }
}
