//! The report for machines: one JSON object, described in `docs/json.md`.

use super::{PrintableJson, Report};
use crate::engine::{About, Evidence, Finding, Severity, Text};
use serde::Serialize;
use std::io::{self, Write};

/// The version of this format: raised when a key changes its meaning or goes away, not when one is added.
const SCHEMA: &str = "hostvet-report/1";

#[derive(Serialize)]
struct Wire<'a> {
    schema: &'static str,
    tool: Tool<'a>,
    target: Target<'a>,
    sample_seconds: Option<f64>,
    summary: Summary,
    findings: Vec<WireFinding<'a>>,
    passed: Vec<Judged<'a>>,
    not_applicable: Vec<Judged<'a>>,
    unknown: Vec<Judged<'a>>,
    waived: Vec<WireWaived<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'static str,
    version: &'a str,
}

#[derive(Serialize)]
struct Target<'a> {
    kind: &'static str,
    name: &'a str,
    system: Option<&'a str>,
    assumed: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    layout: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    damage: &'a [String],
    captured: Option<WireCaptured<'a>>,
}

#[derive(Serialize)]
struct WireCaptured<'a> {
    file: &'a str,
    taken: String,
    version: &'a str,
    host: Option<&'a str>,
    as_root: bool,
}

#[derive(Serialize)]
struct Summary {
    critical: usize,
    warning: usize,
    info: usize,
    passed: usize,
    not_applicable: usize,
    unknown: usize,
    waived: usize,
    unusable_rules: usize,
}

#[derive(Serialize)]
struct WireFinding<'a> {
    rule: &'a str,
    severity: Severity,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a str>,
    message: &'a str,
    evidence: Vec<WireEvidence<'a>>,
    why: &'a str,
    remedy: &'a str,
    references: &'a [Text],
    tags: &'a [Text],
    fingerprint: &'a str,
}

#[derive(Serialize)]
struct WireEvidence<'a> {
    expr: &'a str,
    value: &'a serde_json::Value,
    path: Option<&'a str>,
    line: Option<u32>,
}

#[derive(Serialize)]
struct Judged<'a> {
    rule: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a str>,
    reason: &'a str,
}

#[derive(Serialize)]
struct WireWaived<'a> {
    rule: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a str>,
    severity: Severity,
    message: &'a str,
    reason: &'a str,
    fingerprint: &'a str,
}

/// Writes the report as one JSON object and a line ending.
pub fn json(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let assumed = report.target.assume.to_string();
    let wire = Wire {
        schema: SCHEMA,
        tool: Tool { name: "hostvet", version: report.version },
        target: Target {
            kind: report.target.kind.word(),
            name: &report.target.name,
            system: report.system.as_deref(),
            assumed: (!assumed.is_empty()).then_some(assumed),
            layout: &report.target.layout,
            damage: &report.target.damage,
            captured: report.target.captured.as_ref().map(|captured| WireCaptured {
                file: &captured.file,
                taken: captured.taken.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                version: &captured.version,
                host: captured.host.as_deref(),
                as_root: captured.as_root,
            }),
        },
        // The clock tells nanoseconds, which nobody wants to read.
        sample_seconds: report.sample_seconds.map(|seconds| (seconds * 1000.0).round() / 1000.0),
        summary: Summary {
            critical: report.count(Severity::Critical),
            warning: report.count(Severity::Warning),
            info: report.count(Severity::Info),
            passed: report.passed.len(),
            not_applicable: report.not_applicable.len(),
            unknown: report.unknown.len(),
            waived: report.waived.len(),
            unusable_rules: report.broken_rules,
        },
        findings: report.findings.iter().map(|(rule, finding)| wire_finding(rule, finding)).collect(),
        passed: report
            .passed
            .iter()
            .map(|(rule, reason)| Judged { rule: &rule.id, item: None, reason })
            .collect(),
        not_applicable: report
            .not_applicable
            .iter()
            .map(|(rule, reason)| Judged { rule: &rule.id, item: None, reason })
            .collect(),
        unknown: report
            .unknown
            .iter()
            .map(|(rule, open)| Judged { rule: &rule.id, item: open.item.as_deref(), reason: &open.reason })
            .collect(),
        waived: report
            .waived
            .iter()
            .map(|(rule, waived)| WireWaived {
                rule: &rule.id,
                item: waived.finding.item.as_deref(),
                severity: waived.finding.severity,
                message: &waived.finding.message,
                reason: &waived.reason,
                fingerprint: &waived.finding.fingerprint,
            })
            .collect(),
    };
    serde_json::to_writer_pretty(PrintableJson(&mut *out), &wire)?;
    writeln!(out)
}

fn wire_finding<'a>(rule: &'a About, finding: &'a Finding) -> WireFinding<'a> {
    WireFinding {
        rule: &rule.id,
        severity: finding.severity,
        title: &rule.title,
        item: finding.item.as_deref(),
        message: &finding.message,
        evidence: finding.evidence.iter().map(wire_evidence).collect(),
        why: &rule.why,
        remedy: &finding.remedy,
        references: &rule.references,
        tags: &rule.tags,
        fingerprint: &finding.fingerprint,
    }
}

fn wire_evidence(evidence: &Evidence) -> WireEvidence<'_> {
    WireEvidence {
        expr: &evidence.expr,
        value: &evidence.value,
        path: evidence.at.as_ref().map(|at| &*at.path),
        line: evidence.at.as_ref().and_then(|at| at.line),
    }
}
