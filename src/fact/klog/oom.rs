//! What the kernel prints when memory cannot be had: the OOM killer's account of many lines, and a failed allocation's.

use super::OomKill;
use crate::source::At;
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The longest account that is followed, in lines; the list of processes may be long.
const LONGEST: u32 = 20_000;
/// The most names of processes that are added up.
const MOST_NAMES: usize = 4_096;

/// What a line brought to its end.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) kill: Option<Kill>,
    /// Where a failed allocation began, and its detail.
    pub(super) failure: Option<(usize, String)>,
}

/// The accounts, followed line by line.
#[derive(Debug, Default)]
pub(super) struct Dumps {
    open: Option<Dump>,
}

#[derive(Clone, Debug, Default)]
struct Dump {
    is_failure: bool,
    /// The position of its first line.
    start: usize,
    trigger: Option<String>,
    order: Option<i64>,
    mode: String,
    lines: u32,
    cgroup: Option<String>,
    in_cgroup: bool,
    limit_kib: Option<u64>,
    zones: Vec<String>,
    /// Zones of the list of free blocks that have none of this order or a larger one.
    without_blocks: Vec<String>,
    /// The columns of resident pages and of the name.
    columns: Option<(usize, usize)>,
    pages: BTreeMap<String, (u64, u64)>,
    listed: u64,
}

/// A kill with what the account said before it.
#[derive(Debug)]
pub(super) struct Kill {
    victim: String,
    pid: u64,
    anon_rss_kib: Option<u64>,
    dump: Dump,
}

impl Dumps {
    /// Takes the line at this position.
    pub(super) fn read(&mut self, position: usize, line: &str) -> Read {
        let mut read = Read::default();
        if let Some(dump) = begins(line) {
            read.failure = self.end();
            self.open = Some(Dump { start: position, ..dump });
            return read;
        }
        if let Some(kill) = kill(line) {
            read.kill = Some(self.killed(kill, line));
            return read;
        }
        if let Some(dump) = &mut self.open {
            dump.lines += 1;
            dump.take(line);
            // A failed allocation has no last line; the list of free blocks comes after the zones, and is nearly that.
            if dump.lines > LONGEST || (dump.is_failure && line.ends_with("total pagecache pages")) {
                read.failure = self.end();
            }
        }
        read
    }

    /// Ends what is open; where it began and its detail, if that was a failed allocation.
    pub(super) fn end(&mut self) -> Option<(usize, String)> {
        self.open.take().filter(|dump| dump.is_failure).map(|dump| (dump.start, dump.failure()))
    }

    fn killed(&mut self, (victim, pid, anon_rss_kib): (String, u64, Option<u64>), line: &str) -> Kill {
        // With memory.oom.group one account is followed by several kills.
        let mut dump = self.open.clone().filter(|dump| !dump.is_failure).unwrap_or_default();
        dump.in_cgroup |= line.starts_with("Memory cgroup out of memory");
        if let Some(open) = &mut self.open {
            (open.pages, open.columns) = (BTreeMap::new(), None);
        }
        Kill { victim, pid, anon_rss_kib, dump }
    }
}

/// The first line of an account.
fn begins(line: &str) -> Option<Dump> {
    let after = |text: &str, key: &str| {
        let rest = text.split_once(key)?.1;
        rest.split([',', ' ']).next().map(str::to_owned)
    };
    if let Some((trigger, rest)) = line.split_once(" invoked oom-killer:") {
        let order = after(rest, "order=").and_then(|o| o.parse().ok());
        return Some(Dump { trigger: Some(trigger.to_owned()), order, ..Dump::default() });
    }
    let (trigger, rest) = line.split_once(": page allocation failure")?;
    Some(Dump {
        is_failure: true,
        trigger: Some(trigger.to_owned()),
        order: after(rest, "order:").and_then(|o| o.parse().ok()),
        mode: after(rest, "mode:").unwrap_or_default(),
        ..Dump::default()
    })
}

/// `Killed process 10366 (nginx) total-vm:84784kB, anon-rss:49156kB, …`; RHEL 6 and 7 have the user before or after the name.
fn kill(line: &str) -> Option<(String, u64, Option<u64>)> {
    static KILLED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"Killed process ([0-9]+)(?:, UID [0-9]+)?,? \((.*)\)(?:,? UID [0-9]+)?,? (?:total-vm:[0-9]+kB, anon-rss:([0-9]+)kB|.*)").ok()
    });
    if !line.contains("Killed process ") {
        return None;
    }
    let groups = KILLED.as_ref()?.captures(line)?;
    let anon = groups.get(3).and_then(|g| g.as_str().parse().ok());
    Some((groups.get(2)?.as_str().to_owned(), groups.get(1)?.as_str().parse().ok()?, anon))
}

impl Dump {
    fn take(&mut self, line: &str) {
        if let Some(node) = line.strip_prefix("Node ") {
            self.zone(node);
        } else if let Some(rest) = line.strip_prefix("memory: usage ") {
            let limit = rest.split_once("limit ").and_then(|(_, l)| number(l));
            // What no cgroup may reach stands for no limit.
            self.limit_kib = limit.filter(|kib| *kib < 1 << 50);
        } else if let Some(rest) = line.strip_prefix("oom-kill:") {
            self.in_cgroup = rest.starts_with("constraint=CONSTRAINT_MEMCG");
            let cgroup = rest
                .split_once("oom_memcg=")
                .map(|(_, c)| c.split_once(",task_memcg=").map_or(c, |(c, _)| c));
            self.cgroup = cgroup.map(str::to_owned).or(self.cgroup.take());
        } else if let Some((_, cgroup)) = line.split_once(" killed as a result of limit of ") {
            (self.in_cgroup, self.cgroup) = (true, Some(cgroup.trim().to_owned()));
        } else if line.starts_with('[') {
            self.process(line);
        }
    }

    /// `0 Normal free:35640kB min:35748kB low:…`, or `0 Normal: 5769*4kB (EM) 1495*8kB … = 35420kB`.
    fn zone(&mut self, node: &str) {
        let mut words = node.split_ascii_whitespace();
        let (Some(number_of_node), Some(name)) = (words.next(), words.next()) else { return };
        if let Some(name) = name.strip_suffix(':') {
            let order = self.order.unwrap_or(0);
            let blocks = words.take_while(|w| *w != "=").filter_map(|w| w.split_once('*'));
            // The n-th has blocks of two to the power of n pages.
            let enough = (0..).zip(blocks).any(|(n, (count, _))| n >= order && count != "0");
            if !enough && self.without_blocks.len() < 64 {
                self.without_blocks.push(format!("Node {number_of_node} {name}"));
            }
            return;
        }
        let value = |key: &str| node.split_ascii_whitespace().find_map(|w| number(w.strip_prefix(key)?));
        let (Some(free), Some(min)) = (value("free:"), value("min:")) else { return };
        if free < min && self.zones.len() < 64 {
            self.zones.push(format!("Node {number_of_node} {name}: {free} KiB free, minimum {min} KiB"));
        }
    }

    /// The head of the list of processes, or a row of it.
    fn process(&mut self, line: &str) {
        let line = line.replacen(['[', ']'], " ", 2);
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        if words.first() == Some(&"pid") {
            let column = |name: &str| words.iter().position(|w| *w == name);
            self.columns = column("rss").zip(column("name"));
            return;
        }
        let Some((rss, name)) = self.columns else { return };
        let Some(pages) = words.get(rss).and_then(|w| w.parse::<u64>().ok()) else { return };
        let Some(name) = words.get(name..).filter(|n| !n.is_empty()).map(|n| n.join(" ")) else { return };
        self.listed = self.listed.saturating_add(pages);
        if self.pages.len() < MOST_NAMES || self.pages.contains_key(&name) {
            let of_name = self.pages.entry(name).or_default();
            *of_name = (of_name.0 + 1, of_name.1.saturating_add(pages));
        }
    }

    fn failure(&self) -> String {
        let order = self.order.unwrap_or(0);
        let trigger = self.trigger.as_deref().unwrap_or("");
        let zones = match (order, self.zones.is_empty(), self.without_blocks.is_empty()) {
            (_, false, _) => format!("; {}", self.zones.join(", ")),
            (1.., _, false) => format!("; no such block in {}", self.without_blocks.join(", ")),
            _ => String::new(),
        };
        format!("order {order} by {trigger}, mode {}{zones}", self.mode)
    }
}

impl Kill {
    /// The decisive words.
    pub(super) fn detail(&self) -> String {
        let mut detail = self.victim.clone();
        let dump = &self.dump;
        match (&dump.cgroup, dump.in_cgroup) {
            (Some(cgroup), true) => detail.push_str(&format!(" at the limit of {cgroup}")),
            (None, true) => detail.push_str(" at the limit of its cgroup"),
            _ => {}
        }
        if let Some(trigger) = dump.trigger.as_ref().filter(|t| **t != self.victim) {
            detail.push_str(&format!(" when {trigger} asked for memory"));
        }
        if !dump.in_cgroup && !dump.zones.is_empty() {
            detail.push_str(&format!(" ({})", dump.zones.join("; ")));
        }
        detail
    }

    /// As the fact tells it; when and where is the caller's.
    pub(super) fn told(self) -> OomKill {
        let dump = self.dump;
        let listed = dump.listed;
        let largest = dump.pages.into_iter().max_by_key(|(_, (_, pages))| *pages);
        let (largest, sums) = largest.unzip();
        OomKill {
            victim: self.victim,
            pid: self.pid,
            anon_rss_kib: self.anon_rss_kib,
            trigger: dump.trigger,
            order: dump.order,
            cgroup: dump.cgroup.filter(|_| dump.in_cgroup),
            limit_kib: dump.limit_kib.filter(|_| dump.in_cgroup),
            zones: dump.zones,
            largest,
            largest_processes: sums.map(|(processes, _)| processes),
            largest_pages: sums.map(|(_, pages)| pages),
            listed_pages: (listed > 0).then_some(listed),
            date: None,
            age_seconds: None,
            at: At::file(""),
        }
    }
}

/// The number a word begins with.
fn number(word: &str) -> Option<u64> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    word.get(..digits)?.parse().ok()
}
