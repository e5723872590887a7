//! /proc/net/sockstat and sockstat6: `TCP: inuse 81 orphan 0`.

use crate::source::{At, Host, Missing, Reading, TargetKind};

/// Such a file: its groups of names and numbers.
#[derive(Debug)]
pub(super) struct Stat {
    path: &'static str,
    groups: Vec<Group>,
    pub(super) malformed: Vec<String>,
}

#[derive(Debug)]
struct Group {
    name: String,
    line: u32,
    pairs: Vec<(String, String)>,
}

impl Stat {
    pub(super) fn parse(path: &'static str, text: &str) -> Self {
        let mut found = Self { path, groups: Vec::new(), malformed: Vec::new() };
        for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
            match group(text, line) {
                Some(group) => found.groups.push(group),
                None => found.malformed.push(text.to_owned()),
            }
        }
        found
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The number of this name in this group.
    pub(super) fn count(&self, group: &str, name: &str) -> Reading<u64> {
        let Some(found) = self.groups.iter().find(|g| g.name == group) else {
            // It may be the line that is not understood.
            return Err(match self.malformed.is_empty() {
                true => Missing::Absent,
                false => Missing::garbled(
                    self.path,
                    format!("holds lines that are not understood, and no {group}"),
                ),
            });
        };
        let (_, number) = found.pairs.iter().find(|(n, _)| n == name).ok_or(Missing::Absent)?;
        // The kernel sums up what each CPU has counted, one after the other: a sum of next to nothing may be below 0.
        let number = number.parse::<i64>().map(|n| u64::try_from(n).unwrap_or(0));
        number.map_err(|_| {
            Missing::garbled(self.path, format!("line {} holds no number for {name}", found.line))
        })
    }

    /// Where this group is.
    pub(super) fn at(&self, group: &str) -> At {
        let line = self.groups.iter().find(|g| g.name == group).map(|g| g.line);
        At { path: self.path.into(), line }
    }
}

/// Names and numbers in turn; a last name without its number makes the line odd.
fn group(text: &str, line: u32) -> Option<Group> {
    let (name, rest) = text.split_once(':')?;
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let words: Vec<_> = rest.split_ascii_whitespace().collect();
    let pairs = words.chunks(2).map(|pair| match pair {
        [name, number] => Some(((*name).to_owned(), (*number).to_owned())),
        _ => None,
    });
    let pairs = pairs.collect::<Option<Vec<_>>>()?;
    (!pairs.is_empty()).then(|| Group { name: name.to_owned(), line, pairs })
}

/// Whether what is not in /proc is not in the kernel, as on a live host; a copy of /proc may lack anything.
pub(super) fn of_kernel(host: &Host) -> bool {
    host.target.kind == TargetKind::Live
}
