//! Counters as the kernel prints /proc/net/snmp and /proc/net/netstat: a line of names, and one of numbers below it.
//!
//! ```text
//! Udp: InDatagrams NoPorts InErrors
//! Udp: 41022 12 0
//! ```
//!
//! Tolerant group by group: names without their numbers cost that group, not the file.

use crate::model::{Lazy, Located, Sampled};
use crate::source::{At, Host, Missing, Reading};
use std::collections::BTreeMap;

/// The counters of one group by name. A few are no counters but settings, and may be negative: `MaxConn -1`.
pub type Group = BTreeMap<String, Reading<Located<i64>>>;

/// Such a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Counters {
    /// The groups by name, without the colon; unreadable where names and numbers do not fit.
    pub groups: BTreeMap<String, Reading<Group>>,
    /// Lines that belong to no group.
    pub malformed: Vec<(String, u32)>,
}

/// How much counters rise per second, by group and name.
pub type Rates = BTreeMap<String, Reading<BTreeMap<String, Reading<f64>>>>;

/// Such a file of a host, and how fast its counters rise.
#[derive(Debug)]
pub struct Gathered {
    /// The groups by name.
    pub groups: BTreeMap<String, Reading<Group>>,
    /// The rates over a sample; one that has fallen is absent.
    pub per_s: Lazy<Sampled<Rates>>,
    /// Lines that belong to no group, as they stand.
    pub malformed: Vec<String>,
}

/// Reads the file at `path`, which holds one group at least, and its earlier reading when the rates are asked for.
pub fn gather(host: &Host, path: &'static str) -> Reading<Gathered> {
    let text = host.read_text(path)?;
    let Counters { groups, malformed } = parse(path, &text);
    if groups.is_empty() {
        return Err(Missing::garbled(path, "holds no counter"));
    }
    let malformed = malformed.into_iter().map(|(line, _)| line).collect();
    let earlier = host.earlier.clone();
    let per_s = Lazy::new(move || {
        let Some(earlier) = &earlier else { return Ok(Sampled::default()) };
        let before = parse(path, &earlier.read_text(path)?);
        Ok(Sampled(Ok(risen(&before, &parse(path, &text), |a, b| earlier.per_second(a, b)))))
    });
    Ok(Gathered { groups, per_s, malformed })
}

/// Reads the text of the file at `path`. A group that comes twice, as from a file that was appended to, is that of
/// the last time.
pub fn parse(path: &str, text: &str) -> Counters {
    let mut found = Counters { groups: BTreeMap::new(), malformed: Vec::new() };
    let mut names: Option<(&str, &str, u32)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let Some((group, rest)) = line.split_once(':').filter(|(group, _)| is_name(group)) else {
            found.malformed.push((line.to_owned(), number));
            continue;
        };
        match names.take() {
            Some((name, header, _)) if name == group => {
                let group = fill(path, header, rest, number);
                found.groups.insert(name.to_owned(), group);
            }
            other => {
                if let Some((name, _, line)) = other {
                    found.groups.insert(name.to_owned(), Err(alone(path, line)));
                }
                names = Some((group, rest, number));
            }
        }
    }
    if let Some((name, _, line)) = names {
        found.groups.insert(name.to_owned(), Err(alone(path, line)));
    }
    found
}

/// How much each counter of such a file has risen, by group and name: what `rate` says of its two values. Absent for those
/// that were not there before, or that `rate` says nothing of; unreadable where one of the two values is.
pub fn risen(
    before: &Counters,
    now: &Counters,
    rate: impl Fn(u64, u64) -> Option<f64>,
) -> BTreeMap<String, Reading<BTreeMap<String, Reading<f64>>>> {
    let number = |value: &Reading<Located<i64>>| {
        let value = value.as_ref().map_err(Clone::clone)?.value;
        u64::try_from(value).map_err(|_| Missing::Absent)
    };
    let group = |name: &str, now: &Reading<Group>| {
        let now = now.as_ref().map_err(Clone::clone)?;
        let before = before.groups.get(name).ok_or(Missing::Absent)?.as_ref().map_err(Clone::clone)?;
        let counters = now.iter().map(|(name, now)| {
            let before = before.get(name).map_or(Err(Missing::Absent), number);
            let rate = before.and_then(|before| rate(before, number(now)?).ok_or(Missing::Absent));
            (name.clone(), rate)
        });
        Ok(counters.collect())
    };
    now.groups.iter().map(|(name, found)| (name.clone(), group(name, found))).collect()
}

fn is_name(group: &str) -> bool {
    !group.is_empty() && group.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn alone(path: &str, line: u32) -> Missing {
    Missing::garbled(path, format!("line {line} has names, but no line of numbers follows"))
}

fn fill(path: &str, names: &str, numbers: &str, line: u32) -> Reading<Group> {
    let names: Vec<_> = names.split_ascii_whitespace().collect();
    let numbers: Vec<_> = numbers.split_ascii_whitespace().collect();
    if names.len() != numbers.len() {
        let what = format!("line {line} has {} numbers for {} names", numbers.len(), names.len());
        return Err(Missing::garbled(path, what));
    }
    let at = At::line(path, line);
    let pairs = names.into_iter().zip(numbers).map(|(name, number)| {
        let value = number.parse().map(|value| Located { value, at: at.clone() });
        let value = value
            .map_err(|_| Missing::garbled(path, format!("line {line} holds no whole number for {name}")));
        (name.to_owned(), value)
    });
    Ok(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(counters: &Counters, group: &str, name: &str) -> Option<i64> {
        Some(counters.groups.get(group)?.as_ref().ok()?.get(name)?.as_ref().ok()?.value)
    }

    #[test]
    fn numbers_are_found_under_their_names() {
        let text = "Ip: Forwarding DefaultTTL\nIp: 2 64\nTcp: MaxConn RetransSegs\nTcp: -1 310\n";
        let counters = parse("/f", text);
        assert_eq!(value(&counters, "Ip", "DefaultTTL"), Some(64));
        assert_eq!(value(&counters, "Tcp", "MaxConn"), Some(-1));
        let retrans = counters.groups["Tcp"].as_ref().unwrap()["RetransSegs"].as_ref().unwrap();
        assert_eq!((retrans.value, retrans.at.to_string()), (310, "/f:4".to_owned()));
    }

    #[test]
    fn a_truncated_group_costs_only_itself() {
        let counters =
            parse("/f", "Ip: A B\nIp: 1 2\nTcp: A B\nTcp: 1\nUdp: A\nUdpLite: A\nUdpLite: 7\nIcmp: A\n");
        assert_eq!(value(&counters, "Ip", "B"), Some(2));
        assert_eq!(value(&counters, "UdpLite", "A"), Some(7));
        for group in ["Tcp", "Udp", "Icmp"] {
            assert!(counters.groups[group].is_err(), "{group}");
        }
    }

    #[test]
    fn a_bad_number_costs_only_itself() {
        let counters = parse("/f", "Tcp: A B C\nTcp: 1 x 99999999999999999999\n");
        assert_eq!(value(&counters, "Tcp", "A"), Some(1));
        let tcp = counters.groups["Tcp"].as_ref().unwrap();
        assert!(tcp["B"].is_err() && tcp["C"].is_err());
    }

    #[test]
    fn garbage_is_kept_and_gives_no_group() {
        for garbage in ["\0\0", "no colon", ": 1 2", "\u{fffd}: 1", "a b: 1"] {
            let counters = parse("/f", garbage);
            assert!(counters.groups.is_empty(), "{garbage:?}");
            assert_eq!(counters.malformed, [(garbage.to_owned(), 1)]);
        }
        assert!(parse("/f", "").malformed.is_empty());
    }
}
