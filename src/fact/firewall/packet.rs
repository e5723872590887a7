//! What becomes of a new TCP connection from another host, whichever firewall's chains it goes through.
//!
//! A rule either fits every such connection, none, some of them (those from an address, through an interface, below a
//! rate), or hostvet does not know. Only what certainly denies all of them counts as denying; what may accept is noted.

use super::{FirewallPorts, FirewallVerdict};
use crate::source::{At, Missing, Reading};
use std::collections::{BTreeMap, BTreeSet};

/// Which of the new connections a rule fits. The later word outweighs the earlier where several criteria meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// All.
    Always,
    /// Some.
    Sometimes,
    /// hostvet does not understand it.
    Unknown,
    /// None.
    Never,
}

impl Fit {
    /// The opposite, for a negated criterion.
    pub(super) fn not(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            other => other,
        }
    }

    pub(super) fn negate(self, negated: bool) -> Self {
        if negated { self.not() } else { self }
    }
}

/// Destination ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) ranges: Vec<(u16, u16)>,
    pub(super) negated: bool,
}

impl Ports {
    fn has(&self, port: u16) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&port)) != self.negated
    }
}

/// What a rule does with what fits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Accept,
    Deny,
    Return,
    Jump(String),
    Goto(String),
    /// Counts, logs, marks.
    Nothing,
    /// Hands it to a program.
    Opaque,
    /// Sends it elsewhere, so that later chains see another port.
    Rewrite,
}

#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) fit: Fit,
    /// Several sets must all have the port.
    pub(super) ports: Vec<Ports>,
    pub(super) action: Action,
    pub(super) at: At,
}

/// A chain that the kernel itself sends connections through.
#[derive(Clone, Debug)]
pub(super) struct Base {
    pub(super) chain: String,
    /// What becomes of what no rule has decided: [`Action::Accept`] or [`Action::Deny`].
    pub(super) policy: Action,
    pub(super) at: At,
}

/// Chains by name, and those where connections come in.
#[derive(Clone, Debug, Default)]
pub(super) struct Chains {
    pub(super) chains: BTreeMap<String, Vec<Rule>>,
    pub(super) bases: Vec<Base>,
}

/// Chains are followed so deep; the kernel itself refuses more than 16 (nftables) or loops.
const DEEPEST: usize = 32;
/// Rules that are looked at in all. The largest honest sets have some thousand rules and some hundred ports.
const MOST_STEPS: usize = 4_000_000;
/// Different ports that rules may name, and how often in all.
const MOST_PORTS: usize = 8192;
const MOST_RANGES: usize = 50_000;
/// Rules that a file may have, and of these such as are put before others.
pub(super) const MOST_RULES: usize = 50_000;
pub(super) const MOST_INSERTS: usize = 2000;

/// What becomes of connections to a port, and where that is decided.
type Fate = (Reading<FirewallVerdict>, Option<At>);

enum End {
    Accept(At),
    Deny(At),
    Opaque(At),
    Through,
}

#[derive(Default)]
struct Notes {
    /// Where some connections are accepted.
    some: Option<At>,
    /// What may accept, and is not understood.
    unknown: Option<At>,
    /// What sends some elsewhere.
    rewritten: Option<At>,
}

impl Notes {
    fn accepts(&mut self, level: Fit, at: &At) {
        match level {
            Fit::Sometimes => drop(self.some.get_or_insert_with(|| at.clone())),
            _ => drop(self.unknown.get_or_insert_with(|| at.clone())),
        }
    }
}

impl Chains {
    /// What becomes of connections to each port, all from 0 to 65535; neighbours of the same fate together.
    pub(super) fn ports(&self, path: &str) -> Reading<Vec<FirewallPorts>> {
        let all = self.chains.values().flatten().flat_map(|rule| &rule.ports).flat_map(|ports| &ports.ranges);
        let mut starts = BTreeSet::from([0]);
        for (number, (first, last)) in all.enumerate() {
            if number >= MOST_RANGES {
                return Err(Missing::garbled(path, format!("names ports more than {MOST_RANGES} times")));
            }
            starts.insert(*first);
            starts.extend(last.checked_add(1));
        }
        if starts.len() > MOST_PORTS {
            return Err(Missing::garbled(path, format!("names more than {MOST_PORTS} ports")));
        }
        let mut steps = 0;
        let fates = starts.iter().map(|port| (*port, self.fate(*port, path, &mut steps)));
        Ok(joined(fates.collect()))
    }

    fn fate(&self, port: u16, path: &str, steps: &mut usize) -> Fate {
        let (mut some, mut last) = (None, None);
        let mut unknown = None;
        for base in &self.bases {
            let mut notes = Notes::default();
            let end = match self.walk(&base.chain, port, Fit::Always, 0, steps, &mut notes) {
                End::Through if base.policy == Action::Deny => End::Deny(base.at.clone()),
                End::Through => End::Accept(base.at.clone()),
                end => end,
            };
            if let Some(at) = notes.rewritten {
                return (Err(beyond(&at)), Some(at));
            }
            match (end, notes) {
                (End::Accept(at), _) => last = Some(at),
                (End::Through, _) => {}
                (End::Opaque(at), _) | (End::Deny(_), Notes { unknown: Some(at), .. }) => {
                    unknown.get_or_insert(at);
                }
                (End::Deny(_), Notes { some: Some(at), .. }) => {
                    some.get_or_insert(at);
                }
                (End::Deny(at), _) => return (Ok(FirewallVerdict::Deny), Some(at)),
            }
        }
        match (unknown, some) {
            (Some(at), _) => (Err(beyond(&at)), Some(at)),
            _ if *steps >= MOST_STEPS => (Err(Missing::garbled(path, "has too many rules to follow")), None),
            (None, Some(at)) => (Ok(FirewallVerdict::Some), Some(at)),
            (None, None) => (Ok(FirewallVerdict::Accept), last),
        }
    }

    /// Goes through a chain with the connections of which `level` is known: all, some, or who knows.
    fn walk(
        &self,
        name: &str,
        port: u16,
        level: Fit,
        depth: usize,
        steps: &mut usize,
        notes: &mut Notes,
    ) -> End {
        let Some(rules) = self.chains.get(name) else { return End::Through };
        let mut level = level;
        for rule in rules {
            *steps += 1;
            if *steps >= MOST_STEPS || depth > DEEPEST {
                return End::Opaque(rule.at.clone());
            }
            if rule.fit == Fit::Never || !rule.ports.iter().all(|ports| ports.has(port)) {
                continue;
            }
            let fits = level.max(rule.fit);
            let sure = fits == Fit::Always;
            match &rule.action {
                Action::Nothing => {}
                Action::Accept if sure => return End::Accept(rule.at.clone()),
                Action::Accept => notes.accepts(fits, &rule.at),
                Action::Deny if sure => return End::Deny(rule.at.clone()),
                Action::Deny => {}
                Action::Opaque if sure => return End::Opaque(rule.at.clone()),
                Action::Opaque => notes.accepts(Fit::Unknown, &rule.at),
                Action::Rewrite => {
                    notes.rewritten.get_or_insert_with(|| rule.at.clone());
                    if sure {
                        return End::Accept(rule.at.clone());
                    }
                }
                Action::Return if sure => return End::Through,
                // Some are gone, so that nothing after this meets them all.
                Action::Return => level = fits,
                Action::Jump(to) | Action::Goto(to) => {
                    let goes = matches!(rule.action, Action::Goto(_));
                    if !self.chains.contains_key(to) {
                        notes.accepts(Fit::Unknown, &rule.at);
                        continue;
                    }
                    match self.walk(to, port, fits, depth + 1, steps, notes) {
                        End::Through if sure && goes => return End::Through,
                        End::Through if goes => level = fits,
                        End::Through => {}
                        End::Accept(at) if !sure => notes.accepts(fits, &at),
                        End::Opaque(at) if !sure => notes.accepts(Fit::Unknown, &at),
                        End::Deny(_) if !sure => {}
                        end => return end,
                    }
                }
            }
        }
        End::Through
    }
}

/// The rule there may let connections in, or not.
fn beyond(at: &At) -> Missing {
    let line = at.line.map_or(String::new(), |line| format!("line {line} "));
    Missing::garbled(&*at.path, format!("{line}says more than hostvet understands"))
}

/// Ranges of ports from the first port of each and what becomes of it.
pub(super) fn joined(fates: Vec<(u16, Fate)>) -> Vec<FirewallPorts> {
    let mut found: Vec<FirewallPorts> = Vec::new();
    for (first, (verdict, at)) in fates {
        if let Some(last) = found.last_mut() {
            if last.verdict == verdict && last.at == at {
                continue;
            }
            last.last = first.saturating_sub(1);
        }
        found.push(FirewallPorts { first, last: u16::MAX, verdict, at });
    }
    found
}

/// A port as it may be written; only the names of services that are met in rule sets are known.
pub(super) fn port(text: &str) -> Option<u16> {
    const NAMES: [(&str, u16); 22] = [
        ("ssh", 22),
        ("ftp", 21),
        ("ftp-data", 20),
        ("telnet", 23),
        ("smtp", 25),
        ("domain", 53),
        ("http", 80),
        ("www", 80),
        ("pop3", 110),
        ("sunrpc", 111),
        ("ntp", 123),
        ("imap", 143),
        ("imap2", 143),
        ("snmp", 161),
        ("https", 443),
        ("submission", 587),
        ("submissions", 465),
        ("imaps", 993),
        ("pop3s", 995),
        ("nfs", 2049),
        ("mysql", 3306),
        ("postgresql", 5432),
    ];
    text.parse().ok().or_else(|| NAMES.iter().find(|(name, _)| *name == text).map(|(_, port)| *port))
}

/// `22`, or a range with this sign between its ends, either of which may be left out.
pub(super) fn port_range(text: &str, sign: char) -> Option<(u16, u16)> {
    match text.split_once(sign) {
        // A name may have a dash.
        _ if port(text).is_some() => port(text).map(|port| (port, port)),
        Some((first, last)) => {
            let first = if first.is_empty() { Some(0) } else { port(first) }?;
            let last = if last.is_empty() { Some(u16::MAX) } else { port(last) }?;
            (first <= last).then_some((first, last))
        }
        None => None,
    }
}
