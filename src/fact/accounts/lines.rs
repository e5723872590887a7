//! Lines of fields between colons, and what is wrong with those that are no such lines.

use super::MalformedAccount;
use crate::source::At;

/// The four files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Passwd,
    Group,
    Shadow,
    Gshadow,
}

impl Table {
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Passwd => "/etc/passwd",
            Self::Group => "/etc/group",
            Self::Shadow => "/etc/shadow",
            Self::Gshadow => "/etc/gshadow",
        }
    }

    fn fields(self) -> usize {
        match self {
            Self::Passwd => 7,
            Self::Group | Self::Gshadow => 4,
            Self::Shadow => 9,
        }
    }

    /// Whether the C library takes a line of this many fields; those that lack are then empty, and what is more
    /// belongs to the last.
    fn is_read(self, fields: usize) -> bool {
        match self {
            Self::Passwd => fields >= 4,
            Self::Group => fields >= 3,
            Self::Gshadow => fields >= 4,
            // Five is the form from before expiry.
            Self::Shadow => fields == 5 || fields == 9,
        }
    }

    /// The fields that must be whole numbers; in shadow they may be empty.
    fn numbers(self) -> &'static [(usize, &'static str)] {
        match self {
            Self::Passwd => &[(2, "user ID"), (3, "group ID")],
            Self::Group => &[(2, "group ID")],
            Self::Shadow => &[
                (2, "day of the last change"),
                (3, "minimum"),
                (4, "maximum"),
                (5, "warning"),
                (6, "inactivity"),
                (7, "expiry"),
            ],
            Self::Gshadow => &[],
        }
    }
}

/// A line that has the fields it should.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fields {
    fields: Vec<String>,
    pub(super) at: At,
}

impl Fields {
    pub(super) fn text(&self, position: usize) -> &str {
        self.fields.get(position).map_or("", String::as_str)
    }

    /// A user or group ID; `parse` has seen to it that it is one.
    pub(super) fn id(&self, position: usize) -> u32 {
        self.text(position).parse().unwrap_or(u32::MAX)
    }

    /// A number that may be left out.
    pub(super) fn number(&self, position: usize) -> Option<i64> {
        self.text(position).parse().ok()
    }

    pub(super) fn list(&self, position: usize) -> Vec<String> {
        self.text(position).split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect()
    }
}

/// The lines of a file that are what they should be, and those that are not. Blank lines and comments are neither: the
/// C library skips both.
pub(super) fn parse(table: Table, text: &str) -> (Vec<Fields>, Vec<MalformedAccount>) {
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for (index, raw) in text.split_inclusive('\n').enumerate() {
        let raw = raw.strip_suffix('\n').unwrap_or(raw);
        let at = At::line(table.path(), u32::try_from(index + 1).unwrap_or(u32::MAX));
        let line = raw.trim_start_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut report = |reason: String, ignored: bool| {
            let name = line.split(':').next().unwrap_or("").trim_start_matches('\u{feff}');
            let name = name.chars().filter(|c| !c.is_control()).collect();
            bad.push(MalformedAccount { name, reason, ignored, at: at.clone() });
        };
        if line.contains('\0') {
            report("holds a NUL byte; the line ends there for the C library".into(), true);
            continue;
        }
        // NIS's `+` and `-` are no accounts of this host.
        if line.starts_with(['+', '-']) {
            report("is left over from NIS compat mode".into(), true);
            continue;
        }
        if line.starts_with('\u{feff}') {
            report("begins with a byte order mark, which becomes part of the name".into(), false);
        }
        if line.ends_with('\r') {
            report(
                "ends in a carriage return (DOS line end), which becomes part of the last field".into(),
                false,
            );
        }
        let wanted = table.fields();
        let count = line.split(':').count();
        if count != wanted {
            report(
                format!("has {count} field{} instead of {wanted}", if count == 1 { "" } else { "s" }),
                !table.is_read(count),
            );
            if !table.is_read(count) {
                continue;
            }
        }
        let fields: Vec<String> = line.splitn(wanted, ':').map(str::to_owned).collect();
        let number = |text: &str| match table {
            Table::Shadow => text.is_empty() || text.parse::<i64>().is_ok(),
            _ => text.parse::<u32>().is_ok(),
        };
        let wrong =
            table.numbers().iter().find(|(at, _)| fields.get(*at).is_some_and(|field| !number(field)));
        if let Some((at, what)) = wrong {
            let field = fields.get(*at).map_or("", String::as_str);
            report(format!("has the {what} `{field}`, which is no number"), true);
            continue;
        }
        if fields.first().is_none_or(String::is_empty) {
            report("has no name".into(), true);
            continue;
        }
        good.push(Fields { fields, at });
    }
    (good, bad)
}
