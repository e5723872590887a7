//! What can be told of a text of AppArmor without its grammar: what it includes, and what is open at its end.

use super::MistakeKind;

/// A line `include <…>` or `abi <…>`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Include {
    /// Between the brackets or quotation marks.
    pub(super) name: String,
    /// Whether it is looked for in the directories of AppArmor, as `<…>` is; else it is a path.
    pub(super) searched: bool,
    /// Whether it may be missing: `include if exists`.
    pub(super) optional: bool,
    /// Whether it is `abi`, which is no text of this kind.
    pub(super) abi: bool,
    /// The line, from 1.
    pub(super) line: u32,
}

/// What a text includes, and what is wrong with it by itself.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Scanned {
    pub(super) includes: Vec<Include>,
    pub(super) mistakes: Vec<(MistakeKind, u32)>,
}

/// Goes through a text as apparmor_parser's lexer does, as far as that is possible without its states. Where a brace or
/// a quotation mark could be meant in another way, none of them is judged.
pub(super) fn scan(text: &str) -> Scanned {
    Scan { rest: text, line: 1, open: Vec::new(), sure: true, found: Scanned::default() }.run()
}

struct Scan<'a> {
    rest: &'a str,
    line: u32,
    /// The lines of the braces that are open.
    open: Vec<u32>,
    /// Whether every brace and quotation mark so far was plainly one.
    sure: bool,
    found: Scanned,
}

impl Scan<'_> {
    fn run(mut self) -> Scanned {
        // Whether a token begins here: only there `#` is a comment, and `include` a word.
        let mut begins = true;
        let mut surplus = None;
        let mut quoted = None;
        while let Some(c) = self.rest.chars().next() {
            if begins && self.include() {
                continue;
            }
            self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
            let begun = begins;
            begins = matches!(c, ' ' | '\t' | '\r' | '\n' | ',') || (begun && c == '#');
            match c {
                '\n' => self.line = self.line.saturating_add(1),
                '#' if begins => self.skip(self.line_end()),
                '#' | '[' if self.ahead().contains(['{', '}', '"']) => self.sure = false,
                // The value of a variable may be a part of what stands between braces.
                '@' if begun && self.ahead().matches('{').count() != self.ahead().matches('}').count() => {
                    self.sure = false;
                }
                '\\' => self.skip(self.rest.chars().next().map_or(0, char::len_utf8)),
                '\0' => {
                    self.found.mistakes.push((MistakeKind::Nul, self.line));
                    return self.found;
                }
                '{' => self.open.push(self.line),
                '}' if self.open.pop().is_none() => surplus = surplus.or(Some(self.line)),
                '"' => {
                    let line = self.line;
                    match self.end_of_quotation() {
                        // One that goes over lines may be two that lack their ends.
                        Some(end) => {
                            if self.rest.get(..end).is_some_and(|inside| inside.contains('\n')) {
                                quoted = quoted.or(Some(line));
                                self.sure = false;
                            }
                            self.skip(end);
                        }
                        None => {
                            if self.sure || quoted.is_some() {
                                let line = quoted.unwrap_or(line);
                                self.found.mistakes.push((MistakeKind::Quotation, line));
                            }
                            return self.found;
                        }
                    }
                }
                _ => {}
            }
        }
        if self.sure {
            let unclosed = self.open.first().map(|line| (MistakeKind::Unclosed, *line));
            let surplus = surplus.map(|line| (MistakeKind::Surplus, line));
            self.found.mistakes.extend(surplus.or(unclosed));
        }
        self.found
    }

    /// Up to the end of the line.
    fn line_end(&self) -> usize {
        self.rest.find('\n').unwrap_or(self.rest.len())
    }

    /// What follows on the line.
    fn ahead(&self) -> &str {
        self.rest.get(..self.line_end()).unwrap_or_default()
    }

    fn skip(&mut self, bytes: usize) {
        let skipped = self.rest.get(..bytes).unwrap_or_default();
        let lines = skipped.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Just behind the quotation mark that ends the one that was opened; `\"` is not it.
    fn end_of_quotation(&mut self) -> Option<usize> {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices() {
            match c {
                '"' if !escaped => return Some(at + 1),
                '"' => self.sure = false,
                _ => {}
            }
            escaped = c == '\\' && !escaped;
        }
        None
    }

    /// Takes an `include`, `#include` or `abi` that begins here.
    fn include(&mut self) -> bool {
        let rest = self.rest;
        let hash = rest.strip_prefix("#include");
        let (after, abi) = match (hash, rest.strip_prefix("include"), rest.strip_prefix("abi")) {
            (Some(after), ..) => (after, false),
            (_, Some(after), _) if after.starts_with([' ', '\t']) => (after, false),
            (_, _, Some(after)) if after.starts_with([' ', '\t']) => (after, true),
            _ => return false,
        };
        let blank = |text: &str| text.starts_with([' ', '\t']);
        let mut name = after.trim_start_matches([' ', '\t']);
        let exists = name
            .strip_prefix("if")
            .filter(|text| !abi && blank(text))
            .and_then(|text| text.trim_start_matches([' ', '\t']).strip_prefix("exists"))
            .filter(|text| blank(text));
        name = exists.map_or(name, |text| text.trim_start_matches([' ', '\t']));
        let end = if name.starts_with('<') {
            name.find('>').map(|end| end + 1)
        } else if let Some(inside) = name.strip_prefix('"') {
            inside.find('"').map(|end| end + 2)
        } else if name.starts_with('/') {
            Some(name.find([' ', '\t', '\r', '\n', ',']).unwrap_or(name.len()))
        } else {
            None
        };
        let Some(written) = end.and_then(|end| name.get(..end)).filter(|text| !text.contains('\n')) else {
            return false;
        };
        // Two sets of features are no files: the kernel's own, and that of the configuration.
        if !(abi && matches!(written, "<kernel>" | "<default>")) {
            self.found.includes.push(Include {
                name: written.trim_matches(['<', '>', '"', ' ', '\t']).to_owned(),
                searched: written.starts_with('<'),
                optional: exists.is_some(),
                abi,
                line: self.line,
            });
        }
        self.skip(rest.len() - name.len() + written.len());
        true
    }
}
