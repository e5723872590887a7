//! One [`Report`] → bytes, one file per format.
//!
//! A format evaluates nothing and reads neither clock nor host name: all it may say is in the report.
//! The same report gives the same bytes.

mod human;
mod json;
mod rules;
mod wrap;

pub use human::{Detail, human};
pub use json::json;
pub use rules::{explain, facts_markdown, rules_markdown};
pub use wrap::{PrintableJson, printable};

use crate::engine::{About, Finding, Open, Outcome, Rest, Severity, Waived};
use crate::source::Target;
use std::sync::Arc;

/// Everything that a run has to say.
#[derive(Clone, Debug)]
pub struct Report {
    /// hostvet's version.
    pub version: &'static str,
    /// What was vetted.
    pub target: Target,
    /// What the target says of itself: its operating system, if that is known.
    pub system: Option<String>,
    /// Over how many seconds rates were taken, if any were.
    pub sample_seconds: Option<f64>,
    /// How many bytes were read of the disk image, if it is one.
    pub bytes_read: Option<u64>,
    /// Problems: the worst first, then by rule and item.
    pub findings: Vec<(Arc<About>, Finding)>,
    /// What could not be judged.
    pub unknown: Vec<(Arc<About>, Open)>,
    /// Rules that found nothing, and what they looked at.
    pub passed: Vec<(Arc<About>, String)>,
    /// Rules that do not apply, and why.
    pub not_applicable: Vec<(Arc<About>, String)>,
    /// Problems that are waived.
    pub waived: Vec<(Arc<About>, Waived)>,
    /// Rules that could not be used because their file is wrong.
    pub broken_rules: usize,
    /// Whether more could be judged if hostvet ran as root.
    pub root_sees_more: bool,
}

impl Report {
    /// The report of these outcomes.
    pub fn new(
        target: Target,
        system: Option<String>,
        outcomes: Vec<Outcome>,
        waived: Vec<(usize, Waived)>,
        broken_rules: usize,
    ) -> Self {
        let waived = waived.into_iter().map(|(i, w)| (outcomes[i].rule.clone(), w)).collect();
        let mut report = Self {
            version: env!("CARGO_PKG_VERSION"),
            target,
            system,
            sample_seconds: None,
            bytes_read: None,
            findings: Vec::new(),
            unknown: Vec::new(),
            passed: Vec::new(),
            not_applicable: Vec::new(),
            waived,
            broken_rules,
            root_sees_more: false,
        };
        for outcome in outcomes {
            let rule = outcome.rule;
            report.findings.extend(outcome.findings.into_iter().map(|f| (rule.clone(), f)));
            report.unknown.extend(outcome.unknown.into_iter().map(|open| (rule.clone(), open)));
            match outcome.rest {
                Some(Rest::Passed(why)) => report.passed.push((rule, why)),
                Some(Rest::NotApplicable(why)) => report.not_applicable.push((rule, why)),
                None => {}
            }
        }
        report.findings.sort_by(|(a, x), (b, y)| {
            (y.severity, &a.id, &x.item, &x.message).cmp(&(x.severity, &b.id, &y.item, &y.message))
        });
        report
    }

    /// How many findings are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|(_, f)| f.severity == severity).count()
    }

    /// Whether any finding is as bad as this, or worse.
    pub fn has_finding(&self, at_least: Severity) -> bool {
        self.findings.iter().any(|(_, f)| f.severity >= at_least)
    }
}
