//! The report for people: one line a finding that stands alone in a log, its details under it, a closing summary.

use super::wrap::{one_line, wrap};
use super::{About, Report};
use crate::engine::{Evidence, Finding, Severity};
use crate::model::render_double;
use crate::source::TargetKind;
use owo_colors::{OwoColorize, Style};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;

/// How much to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The finding lines only; nothing at all if there is none.
    Quiet,
    /// Findings with evidence and remedy, and the summary.
    Normal,
    /// Also every rule that passed or does not apply.
    Verbose,
}

/// How many lines of evidence are shown but for `-v`: a list that was looked through has some for each item.
const SHOWN_EVIDENCE: usize = 16;

/// The widest line of prose: what is read in comfort, and fits a terminal of 80 columns.
const WIDTH: usize = 78;

/// How many reasons for what could not be judged, and paths of one reason, are shown without `-v`.
const SHOWN_REASONS: usize = 12;

/// Writes the report in colour; a stream that wants none takes the colours out.
pub fn human(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    for (i, (rule, finding)) in report.findings.iter().enumerate() {
        if detail > Detail::Quiet && i > 0 {
            writeln!(out)?;
        }
        headline(rule, finding, out)?;
        if detail > Detail::Quiet {
            // Findings of one rule stand together: why it is a problem is said once, and what to do where that is the same.
            let before =
                i.checked_sub(1).map(|i| &report.findings[i]).filter(|(before, _)| before.id == rule.id);
            details((before.is_none()).then_some(&*rule.why), finding, detail, out)?;
            remedy(&finding.remedy, before.is_some_and(|(_, before)| before.remedy == finding.remedy), out)?;
        }
    }
    if detail == Detail::Quiet {
        return Ok(());
    }
    if !report.findings.is_empty() {
        writeln!(out)?;
    }
    if detail == Detail::Verbose {
        let dim = Style::new().dimmed();
        for (rule, reason) in &report.passed {
            writeln!(out, "{} {}: {}", "pass          ".style(dim), rule.id, one_line(reason))?;
        }
        for (rule, reason) in &report.not_applicable {
            writeln!(out, "{} {}: {}", "not applicable".style(dim), rule.id, one_line(reason))?;
        }
        if !report.passed.is_empty() || !report.not_applicable.is_empty() {
            writeln!(out)?;
        }
    }
    for (rule, waived) in &report.waived {
        let what = one_line(&waived.finding.message);
        writeln!(out, "waived   {}: {what} ({})", rule.id, one_line(&waived.reason))?;
    }
    unknown(report, detail, out)?;
    summary(report, out)?;
    layout(report, detail, out)
}

/// What an image is made of, or which tree of several is vetted, and what is wrong with the whole.
fn layout(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    for damage in &report.target.damage {
        writeln!(out, "{}: {}", "damaged".yellow().bold(), one_line(damage))?;
    }
    if detail == Detail::Verbose {
        for part in &report.target.layout {
            writeln!(out, "layout: {}", one_line(part))?;
        }
        if let Some(bytes) = report.bytes_read {
            let size = match bytes {
                0..0x10_0000 => format!("{} KiB", bytes.div_ceil(1024)),
                _ => format!("{} MiB", bytes.div_ceil(1 << 20)),
            };
            writeln!(out, "read: {size} of the image")?;
        }
    }
    Ok(())
}

fn colour(severity: Severity) -> Style {
    match severity {
        Severity::Critical => Style::new().red().bold(),
        Severity::Warning => Style::new().yellow().bold(),
        Severity::Info => Style::new().cyan().bold(),
    }
}

fn headline(rule: &About, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let severity = format!("{:8}", finding.severity.word());
    let severity = severity.style(colour(finding.severity));
    writeln!(out, "{severity} {}: {}", rule.id.bold(), one_line(&finding.message))
}

fn details(why: Option<&str>, finding: &Finding, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    let label = Style::new().dimmed();
    for line in why.map(|why| wrap(why, WIDTH - 2)).unwrap_or_default() {
        writeln!(out, "  {line}")?;
    }
    if !finding.evidence.is_empty() {
        writeln!(out, "  {}", "evidence".style(label))?;
        let shown = if detail == Detail::Verbose { usize::MAX } else { SHOWN_EVIDENCE };
        let width = finding
            .evidence
            .iter()
            .take(shown)
            .map(|e| evidence(e).chars().count())
            .filter(|n| *n < 50)
            .max()
            .unwrap_or(0);
        for e in finding.evidence.iter().take(shown) {
            let said = evidence(e);
            match &e.at {
                Some(at) => {
                    let at = one_line(&at.to_string());
                    writeln!(out, "    {said:width$}  {}", at.style(label))?;
                }
                None => writeln!(out, "    {said}")?,
            }
        }
        if let more @ 1.. = finding.evidence.len().saturating_sub(shown) {
            writeln!(out, "    {}", format!("and {more} more, which -v shows").style(label))?;
        }
    }
    Ok(())
}

fn remedy(remedy: &str, told: bool, out: &mut dyn Write) -> io::Result<()> {
    let label = "remedy".dimmed();
    if told {
        return writeln!(out, "  {label} as above");
    }
    writeln!(out, "  {label}")?;
    for line in wrap(remedy, WIDTH - 4) {
        writeln!(out, "{}", format!("    {line}").trim_end())?;
    }
    Ok(())
}

fn evidence(evidence: &Evidence) -> String {
    let value = match &evidence.value {
        serde_json::Value::String(s) => format!("'{s}'"),
        serde_json::Value::Null => "(none)".to_owned(),
        other => other.to_string(),
    };
    one_line(&format!("{} = {value}", evidence.expr))
}

/// What could not be judged, by reason: what is the same for many rules is said once, and so is what is the same of many files.
fn unknown(report: &Report, detail: Detail, out: &mut dyn Write) -> io::Result<()> {
    if report.unknown.is_empty() {
        return Ok(());
    }
    let mut reasons: BTreeMap<&str, BTreeMap<Cow<'_, str>, BTreeSet<&str>>> = BTreeMap::new();
    for (rule, open) in &report.unknown {
        // Most begin with the path of what could not be read.
        let parts = open.reason.split_once(": ").filter(|(path, _)| path.starts_with('/'));
        let (path, why) = parts.unwrap_or(("", &open.reason));
        let path = if detail == Detail::Verbose { path.into() } else { of_any_process(path) };
        reasons.entry(why).or_default().entry(path).or_default().insert(&rule.id);
    }
    writeln!(out, "{}", "could not be judged".bold())?;
    let shown = if detail == Detail::Verbose { usize::MAX } else { SHOWN_REASONS };
    let (one, many): (Vec<_>, Vec<_>) = reasons.into_iter().partition(|(_, paths)| paths.len() == 1);
    let mut single: Vec<_> =
        one.iter().flat_map(|(why, paths)| paths.iter().map(|(path, rules)| (path, *why, rules))).collect();
    single.sort_unstable();
    for (path, why, rules) in single.iter().take(shown) {
        let colon = if path.is_empty() { "" } else { ": " };
        for (i, line) in wrap(&one_line(&format!("{path}{colon}{why}")), WIDTH - 4).iter().enumerate() {
            writeln!(out, "{}{line}", if i == 0 { "  " } else { "    " })?;
        }
        for line in wrap(&joined(rules), WIDTH - 6) {
            writeln!(out, "      {line}")?;
        }
    }
    more(single.len(), shown, " reasons", out)?;
    for (why, paths) in many {
        let count = paths.len();
        let paths: Vec<_> = paths.into_iter().collect();
        let paths = if detail == Detail::Verbose { paths } else { named_once(paths) };
        writeln!(out, "  {}:", one_line(why))?;
        for (path, rules) in paths.iter().take(shown) {
            let lines = wrap(&one_line(&format!("{path}: {}", joined(rules))), WIDTH - 8);
            for (i, line) in lines.iter().enumerate() {
                writeln!(out, "    {:indent$}{line}", "", indent = if i == 0 { 0 } else { 4 })?;
            }
        }
        more(count, paths.len().min(shown), "", out)?;
    }
    let denied = report.unknown.iter().any(|(_, open)| open.reason.contains("permission denied"));
    if denied && report.root_sees_more {
        writeln!(out, "  Run as root to judge what was denied.")?;
    }
    writeln!(out)
}

fn joined(rules: &BTreeSet<&str>) -> String {
    rules.iter().copied().collect::<Vec<_>>().join(", ")
}

fn more(all: usize, shown: usize, of: &str, out: &mut dyn Write) -> io::Result<()> {
    match all.saturating_sub(shown) {
        0 => Ok(()),
        more => writeln!(out, "    and {more} more{of}, which -v shows"),
    }
}

/// The path, with `PID` for the number of a process: what is the same of many is said once.
fn of_any_process(path: &str) -> Cow<'_, str> {
    let number = |rest: &str| rest.bytes().take_while(u8::is_ascii_digit).count();
    match path.strip_prefix("/proc/").map(|rest| (rest, number(rest))) {
        Some((rest, digits @ 1..)) => format!("/proc/PID{}", rest.get(digits..).unwrap_or_default()).into(),
        _ => path.into(),
    }
}

/// Every rule with the one of its paths that leaves most rules open, these paths first.
fn named_once<P>(mut paths: Vec<(P, BTreeSet<&str>)>) -> Vec<(P, BTreeSet<&str>)> {
    let mut named = Vec::new();
    loop {
        // Of several the first.
        let most = paths.iter().enumerate().max_by_key(|(i, (_, rules))| (rules.len(), usize::MAX - i));
        let Some((most, _)) = most.filter(|(_, (_, rules))| !rules.is_empty()) else { return named };
        let (path, rules) = paths.remove(most);
        paths.iter_mut().for_each(|(_, others)| others.retain(|rule| !rules.contains(rule)));
        named.push((path, rules));
    }
}

fn summary(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut found = Vec::new();
    for severity in Severity::ALL {
        let count = report.count(severity);
        if count > 0 {
            found.push(format!("{}", format!("{count} {severity}").style(colour(severity))));
        }
    }
    if found.is_empty() {
        found.push(format!("{}", "nothing found".green().bold()));
    }
    let mut judged = Vec::new();
    let mut add = |n: usize, what: &str| {
        if n > 0 {
            judged.push(format!("{n} {what}"));
        }
    };
    let rules =
        |ids: &mut dyn Iterator<Item = &Arc<About>>| ids.map(|rule| &rule.id).collect::<BTreeSet<_>>().len();
    add(rules(&mut report.findings.iter().map(|(rule, _)| rule)), "found something");
    add(report.passed.len(), "passed");
    // A rule says itself what it needs; that it would need so little is worth a hint.
    let unsampled = report.not_applicable.iter().filter(|(_, why)| why.contains("--sample")).count();
    let hint = match unsampled {
        0 => String::new(),
        n => format!(" ({n} for want of --sample 1s)"),
    };
    add(report.not_applicable.len(), &format!("not applicable{hint}"));
    add(rules(&mut report.unknown.iter().map(|(rule, _)| rule)), "could not be judged");
    add(rules(&mut report.waived.iter().map(|(rule, _)| rule)), "waived");
    add(report.broken_rules, "unusable");
    let captured = report.target.captured.as_ref();
    let target = match (report.target.kind, captured) {
        (TargetKind::Live, None) => "this host".to_owned(),
        (TargetKind::Live, Some(captured)) => match &captured.host {
            Some(name) => format!("host {}", one_line(name)),
            None => "a host".to_owned(),
        },
        (TargetKind::Root, _) => format!("tree {}", one_line(&report.target.name)),
        (kind, _) => format!("{} {}", kind.word(), one_line(&report.target.name)),
    };
    let system = report.system.as_ref().map(|s| format!(" ({})", one_line(s))).unwrap_or_default();
    writeln!(out, "{target}{system}: {}", found.join(", "))?;
    if let Some(captured) = captured {
        let (file, taken) = (one_line(&captured.file), captured.taken.strftime("%Y-%m-%d %H:%M"));
        writeln!(out, "as captured in {file} on {taken} UTC")?;
    }
    let assumed = report.target.assume.to_string();
    if !assumed.is_empty() {
        writeln!(out, "assumed: {assumed}")?;
    }
    writeln!(out, "rules: {}", judged.join(", "))?;
    match report.sample_seconds {
        Some(seconds) => writeln!(out, "rates: over {} s", render_double(seconds)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_named_once_with_what_leaves_most_open() {
        let of = |rules: &[&'static str]| rules.iter().copied().collect::<BTreeSet<_>>();
        let paths = vec![
            ("/a", of(&["x"])),
            ("/b", of(&["x", "y", "z"])),
            ("/c", of(&["y", "z"])),
            ("/d", of(&["v", "z"])),
            ("/e", of(&["w"])),
        ];
        let named = [("/b", of(&["x", "y", "z"])), ("/d", of(&["v"])), ("/e", of(&["w"]))];
        assert_eq!(named_once(paths), named);
        assert_eq!(named_once::<&str>(Vec::new()), []);
    }
}
