//! Takes secrets out of what was read, before it is remembered.
//!
//! Every byte of a secret is replaced by a letter, so that all else stays as it was: its length, the scheme of a hash, the marks
//! around it, and what rules say of it. What a secret is, is told by its shape wherever it stands (`shapes.rs`: private keys,
//! hashes of passwords, tokens, URLs), by the name it is given (`names.rs`: `DB_PASSWORD=`), or by the file it is in (`places.rs`).

mod names;
mod places;
mod shapes;

#[cfg(test)]
mod tests;

use crate::source::Question;
use aho_corasick::AhoCorasick;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

/// What was replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Redacted(BTreeSet<&'static str>);

impl Redacted {
    pub(super) fn words(&self) -> Vec<String> {
        self.0.iter().map(|word| (*word).to_owned()).collect()
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(", "))
    }
}

/// Bytes in which secrets are looked for.
struct Text<'a> {
    bytes: &'a mut [u8],
    found: Redacted,
}

/// What a secret's bytes become.
const INSTEAD: u8 = b'x';

impl Text<'_> {
    /// Replaces the bytes from one place to another for which `is_secret` holds.
    fn hide_only(&mut self, from: usize, to: usize, what: &'static str, is_secret: impl Fn(u8) -> bool) {
        let mut changed = false;
        for byte in self.bytes.get_mut(from..to).unwrap_or_default() {
            if *byte != INSTEAD && is_secret(*byte) {
                *byte = INSTEAD;
                changed = true;
            }
        }
        if changed {
            self.found.0.insert(what);
        }
    }

    /// Replaces all that is no blank.
    fn hide(&mut self, from: usize, to: usize, what: &'static str) {
        self.hide_only(from, to, what, |byte| !byte.is_ascii_whitespace() && byte != 0);
    }

    fn rest(&self, from: usize) -> &[u8] {
        self.bytes.get(from..).unwrap_or_default()
    }

    /// Where the line ends that `at` is in.
    fn line_end(&self, at: usize) -> usize {
        self.rest(at).iter().position(|b| *b == b'\n').map_or(self.bytes.len(), |n| at + n)
    }

    /// The lines as they lie.
    fn lines(&self) -> Vec<(usize, usize)> {
        let (mut lines, mut at) = (Vec::new(), 0);
        while at < self.bytes.len() {
            let end = self.line_end(at);
            lines.push((at, end));
            at = end + 1;
        }
        lines
    }

    /// The words between two places, as they lie.
    fn words(&self, from: usize, to: usize) -> Vec<(usize, usize)> {
        let (mut words, mut start) = (Vec::new(), None);
        for (i, byte) in self.bytes.get(from..to).unwrap_or_default().iter().enumerate() {
            match (byte.is_ascii_whitespace(), start) {
                (false, None) => start = Some(from + i),
                (true, Some(began)) => {
                    words.push((began, from + i));
                    start = None;
                }
                _ => {}
            }
        }
        words.extend(start.map(|began| (began, to)));
        words
    }
}

/// Replaces the secrets in what was read of a file; what they were, if there were any.
pub(super) fn bytes(path: &Path, bytes: &mut [u8]) -> Option<Redacted> {
    let mut text = Text { bytes, found: Redacted::default() };
    places::redact(&path.to_string_lossy(), &mut text);
    anywhere(path.starts_with("/proc"), &mut text);
    Some(text.found).filter(|found| !found.0.is_empty())
}

/// The same in an answer to a question.
pub(super) fn answer(question: Question, bytes: &mut [u8]) -> Option<Redacted> {
    match question {
        Question::ImageConfig => {
            let mut text = Text { bytes, found: Redacted::default() };
            anywhere(false, &mut text);
            Some(text.found).filter(|found| !found.0.is_empty())
        }
        // Addresses and numbers, names of units, UUIDs and labels.
        Question::TcpSockets { .. } | Question::FailedUnits | Question::BlockDevices => None,
    }
}

/// A place where one of the markers begins, and which.
struct Hit {
    marker: &'static str,
    at: usize,
}

fn anywhere(is_proc: bool, text: &mut Text<'_>) {
    // One look at the bytes tells where a secret may be; in most files that is nowhere.
    let hits = hits(text.bytes);
    if hits.is_empty() {
        return;
    }
    shapes::redact(text, &hits);
    // Programs have names of secrets, and no secrets.
    if is_proc || !text.bytes.iter().take(4096).any(|byte| *byte == 0) {
        names::redact(text, &hits);
    }
}

/// What stands in or before every secret that has a shape or a name.
fn hits(bytes: &[u8]) -> Vec<Hit> {
    static FINDER: OnceLock<Option<AhoCorasick>> = OnceLock::new();
    let markers = || shapes::MARKERS.iter().copied().chain(names::markers());
    let finder = FINDER
        .get_or_init(|| AhoCorasick::builder().ascii_case_insensitive(true).build(markers()).ok())
        .as_ref();
    let all: Vec<&'static str> = markers().collect();
    let found = finder.map(|finder| finder.find_overlapping_iter(bytes));
    found
        .into_iter()
        .flatten()
        .filter_map(|hit| Some(Hit { marker: all.get(hit.pattern().as_usize())?, at: hit.start() }))
        .collect()
}
