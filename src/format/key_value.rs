//! `Key: value kB`, as the kernel prints /proc/meminfo, and `key value`, as it prints /proc/vmstat.
//!
//! Tolerant line by line: one odd line costs the value that stands there, not the file. A key that is
//! not found is absent only if every line was understood; else it may have been in the odd one.

use crate::source::{Missing, Reading};

/// The lines of such a file.
#[derive(Clone, Debug)]
pub struct KeyValues<'a> {
    path: &'a str,
    pairs: Vec<Pair<'a>>,
    odd: Option<u32>,
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    /// What stands before the separator, trimmed.
    pub key: &'a str,
    /// What stands after it, trimmed; may be empty.
    pub value: &'a str,
    /// The line, from 1.
    pub line: u32,
}

impl<'a> KeyValues<'a> {
    /// The lines of `text`, the contents of the file at `path`, split at the first `separator` of each.
    pub fn new(path: &'a str, text: &'a str, separator: char) -> Self {
        let mut found = Self { path, pairs: Vec::new(), odd: None };
        for (line, text) in (1..).zip(text.lines()) {
            match text.trim().split_once(separator) {
                Some((key, value))
                    if !key.trim().is_empty() && !key.contains(char::REPLACEMENT_CHARACTER) =>
                {
                    found.pairs.push(Pair { key: key.trim(), value: value.trim(), line });
                }
                None if text.trim().is_empty() => {}
                _ => found.odd = found.odd.or(Some(line)),
            }
        }
        found
    }

    /// The lines that were understood, in order.
    pub fn pairs(&self) -> &[Pair<'a>] {
        &self.pairs
    }

    /// The first line of this key.
    pub fn get(&self, key: &str) -> Reading<Pair<'a>> {
        match self.pairs.iter().find(|pair| pair.key == key) {
            Some(pair) => Ok(*pair),
            None => Err(match self.odd {
                Some(line) => self.garbled(line, "is not understood, and may have held", key),
                None => Missing::Absent,
            }),
        }
    }

    /// The number of this key, which has no unit.
    pub fn count(&self, key: &str) -> Reading<u64> {
        let pair = self.get(key)?;
        pair.value.parse().map_err(|_| self.garbled(pair.line, "holds no whole number for", key))
    }

    /// The number of this key, which has the unit `kB`: 1024 bytes, as the kernel means it.
    pub fn kib(&self, key: &str) -> Reading<u64> {
        let pair = self.get(key)?;
        let number = pair.value.strip_suffix("kB").and_then(|n| n.trim_end().parse().ok());
        number.ok_or_else(|| self.garbled(pair.line, "holds no whole number of kB for", key))
    }

    fn garbled(&self, line: u32, what: &str, key: &str) -> Missing {
        Missing::garbled(self.path, format!("line {line} {what} {key}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odd<T>(reading: &Reading<T>) -> bool {
        matches!(reading, Err(Missing::Unreadable(_)))
    }

    #[test]
    fn sizes_counts_and_their_lines_are_found() {
        let lines = KeyValues::new("/f", "MemTotal:  8009416 kB\n\nHugePages_Total:   3\nName:\n", ':');
        assert_eq!(lines.kib("MemTotal"), Ok(8_009_416));
        assert_eq!(lines.count("HugePages_Total"), Ok(3));
        assert_eq!(lines.get("Name"), Ok(Pair { key: "Name", value: "", line: 4 }));
        assert_eq!(lines.kib("MemFree"), Err(Missing::Absent));
        assert_eq!(KeyValues::new("/f", "", ':').kib("MemTotal"), Err(Missing::Absent));
    }

    #[test]
    fn an_odd_value_is_unreadable_and_costs_only_itself() {
        let lines = KeyValues::new("/f", "A: 1 MB\nB: -1 kB\nC: 99999999999999999999 kB\nD: 4 kB\nE: 5", ':');
        assert!(["A", "B", "C", "E"].iter().all(|key| odd(&lines.kib(key))));
        assert_eq!(lines.kib("D"), Ok(4));
        assert!(odd(&lines.count("D")));
    }

    #[test]
    fn a_key_is_not_absent_where_a_line_is_garbled() {
        for text in ["MemTo\nMemFree: 1 kB", "\0\0\u{fffd}: 3 kB\nMemFree: 1 kB", ": 7 kB\nMemFree: 1 kB"] {
            let lines = KeyValues::new("/f", text, ':');
            assert!(odd(&lines.kib("MemTotal")), "{text:?}");
            assert_eq!(lines.kib("MemFree"), Ok(1), "{text:?}");
        }
    }
}
