//! What the configuration comes to, for a connection or for all of them.
//!
//! sshd reads it twice. At its start the first value of a keyword counts, Match blocks are looked at only for mistakes, and `Match
//! all` ends them. For each connection it then reads the Match blocks that hold: the first value in these counts, and outweighs the
//! global one. Keywords that add up do so within each reading; the blocks' list replaces the global one.
//!
//! Source: servconf.c, process_server_config_line_depth() with its flags for included files, and copy_set_server_options().

use super::config::{Config, Node, Statement};
use super::criteria::{Connection, Holds, at_start, hold};
use std::collections::BTreeMap;

/// A line that counts, or may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) statement: &'a Statement,
    pub(super) holds: Holds,
}

/// The lines that count for a connection, in the order in which sshd comes to them.
#[derive(Debug, Default)]
pub(super) struct Settings<'a> {
    /// Those that count since the start.
    pub(super) start: Vec<Entry<'a>>,
    /// Those of Match blocks.
    pub(super) matched: Vec<Entry<'a>>,
}

/// How Match lines of a file are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// A part that is in force.
    Active,
    /// A part that is not.
    Never,
    /// The global part, when Match blocks are looked for.
    MatchOnly,
}

impl<'a> Settings<'a> {
    /// The lines that count for this connection. What is not told of it may be anything.
    pub(super) fn of(config: &'a Config, connection: &Connection) -> Self {
        let mut settings = Self::default();
        walk(&config.nodes, Holds::Always, Within::Active, &|c| at_start(c), &mut settings.start);
        walk(&config.nodes, Holds::Never, Within::MatchOnly, &|c| hold(c, connection), &mut settings.matched);
        settings.matched.retain(|entry| entry.statement.in_match);
        settings
    }

    /// The lines that may be the one that counts; `None` stands for the default.
    pub(super) fn possible(&self, name: &str) -> Vec<Option<&'a Statement>> {
        let mut found = Vec::new();
        for entry in self.matched.iter().chain(&self.start).filter(|entry| entry.statement.name == name) {
            found.push(Some(entry.statement));
            if entry.holds == Holds::Always {
                return found;
            }
        }
        found.push(None);
        found
    }

    /// The lines of a keyword that adds up: those of Match blocks, then the global ones.
    pub(super) fn added(&self, name: &str) -> (Vec<Entry<'a>>, Vec<Entry<'a>>) {
        let of = |list: &[Entry<'a>]| list.iter().filter(|e| e.statement.name == name).copied().collect();
        (of(&self.matched), of(&self.start))
    }
}

fn walk<'a>(
    nodes: &'a [Node],
    outer: Holds,
    within: Within,
    judge: &dyn Fn(&[super::criteria::Criterion]) -> Holds,
    found: &mut Vec<Entry<'a>>,
) {
    let (mut active, mut outer, mut within) = (outer, outer, within);
    for node in nodes {
        match node {
            Node::Directive(statement) => {
                if active != Holds::Never {
                    found.push(Entry { statement, holds: active });
                }
            }
            Node::Match(criteria) => {
                active = match within {
                    Within::Never => Holds::Never,
                    Within::MatchOnly => judge(criteria),
                    // A file that a Match block includes has its own blocks within that one.
                    Within::Active => judge(criteria).and(outer),
                };
                if within == Within::MatchOnly {
                    (within, outer) = (Within::Active, Holds::Always);
                }
            }
            Node::Include(files) => {
                for file in files {
                    let inner = match (within, active) {
                        (Within::MatchOnly, _) => Within::MatchOnly,
                        (_, Holds::Never) => Within::Never,
                        _ => Within::Active,
                    };
                    // What a file does not settle stays as it is outside of it.
                    walk(file, active, inner, judge, found);
                }
            }
        }
    }
}

/// Keywords that add up over all lines.
const ADDING: [&str; 9] = [
    "port",
    "listenaddress",
    "hostkey",
    "hostcertificate",
    "acceptenv",
    "allowusers",
    "denyusers",
    "allowgroups",
    "denygroups",
];

/// Whether all lines of a keyword count.
pub(super) fn adds_up(name: &str) -> bool {
    ADDING.contains(&name) || name == "subsystem"
}

/// The values that may be in force, by keyword in lower case; a keyword that may be at its default has an empty one among them.
pub(super) fn effective(config: &Config, connection: &Connection) -> BTreeMap<String, Vec<String>> {
    let settings = Settings::of(config, connection);
    let names: std::collections::BTreeSet<&str> = settings
        .start
        .iter()
        .chain(&settings.matched)
        .map(|entry| entry.statement.name)
        .filter(|n| !n.is_empty())
        .collect();
    let value = |name: &str| -> Vec<String> {
        if ADDING.contains(&name) {
            let (matched, start) = settings.added(name);
            let list = if matched.is_empty() { start } else { matched };
            return list.iter().flat_map(|entry| entry.statement.arguments.clone()).collect();
        }
        let of =
            |statement: &Option<&Statement>| statement.map(|s| s.arguments.join(" ")).unwrap_or_default();
        settings.possible(name).iter().map(of).collect()
    };
    names.into_iter().map(|name| (name.to_owned(), value(name))).collect()
}
