//! Every incident of `fixtures/incidents` gets its diagnosis, and no other.
//!
//! A case is a root tree made of the figures that were printed when it happened, and a `case.toml` that says what
//! hostvet must say of it. `fixtures/incidents/README.md` tells where they are from.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixture;

use fixture::{Beside, failures, host, is_rule, plain_host, vet};
use hostvet::engine::{Finding, Severity};
use hostvet::report::Report;
use serde::Deserialize;
use std::path::Path;

/// `case.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Which of the texts, and which case in it.
    text: String,
    /// What happened, in a line.
    story: String,
    /// The figures that the text prints.
    from_text: Vec<String>,
    /// What was added to make the tree plausible.
    added: Vec<String>,
    /// What files do not tell.
    #[serde(default)]
    beside: Beside,
    /// What must be found. At warning or above there must be nothing else.
    #[serde(default)]
    finding: Vec<Expected>,
    /// Rules that must have judged the tree and found nothing.
    #[serde(default)]
    passes: Vec<String>,
    /// Rules that must not find anything, whether or not they apply.
    #[serde(default)]
    silent: Vec<String>,
    /// Diagnoses that need a rule which is still to be written. Once it is there the case must say what it finds.
    #[serde(default)]
    awaits: Vec<String>,
}

/// A finding that the case must give.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    rule: String,
    severity: Severity,
    /// The item, for rules that judge several.
    item: Option<String>,
    /// Words that the message must hold: the text's own figures.
    says: Vec<String>,
    /// Words that the remedy must hold.
    #[serde(default)]
    advises: Vec<String>,
    /// Why it is right that this is found.
    because: String,
}

impl Expected {
    fn is(&self, rule: &str, finding: &Finding) -> bool {
        self.rule == rule && (self.item.is_none() || self.item == finding.item)
    }

    /// What is wrong with the finding that should be this one.
    fn mistakes(&self, finding: &Finding) -> Vec<String> {
        let mut mistakes = Vec::new();
        if finding.severity != self.severity {
            mistakes.push(format!("{} is {}, not {}", self.rule, finding.severity, self.severity));
        }
        for (text, words, what) in
            [(&finding.message, &self.says, "message"), (&finding.remedy, &self.advises, "remedy")]
        {
            let missing = words.iter().filter(|word| !text.contains(*word));
            mistakes
                .extend(missing.map(|word| format!("{}: `{word}` is not in the {what}: {text}", self.rule)));
        }
        mistakes
    }
}

impl Case {
    fn mistakes(&self, report: &Report) -> Vec<String> {
        let mut mistakes: Vec<String> =
            failures(report).iter().map(|id| format!("hostvet itself failed on {id}")).collect();
        let mut left: Vec<&Expected> = self.finding.iter().collect();
        for (rule, finding) in &report.findings {
            match left.iter().position(|expected| expected.is(&rule.id, finding)) {
                Some(at) => mistakes.extend(left.remove(at).mistakes(finding)),
                None if finding.severity >= Severity::Warning || self.silent.contains(&rule.id) => {
                    let item = finding.item.as_deref().unwrap_or("-");
                    mistakes.push(format!(
                        "not expected: {} {} [{item}] {}",
                        finding.severity, rule.id, finding.message
                    ));
                }
                None => {}
            }
        }
        for expected in left {
            mistakes.push(format!("{} finds nothing: {}", expected.rule, verdict(report, &expected.rule)));
        }
        for id in &self.passes {
            if !report.passed.iter().any(|(rule, _)| rule.id == *id) {
                mistakes.push(format!("{id} does not pass: {}", verdict(report, id)));
            }
        }
        for id in &self.silent {
            if !is_rule(id) {
                mistakes.push(format!("there is no rule {id} to be silent"));
            }
        }
        for id in &self.awaits {
            if is_rule(id) {
                mistakes.push(format!("{id} is there now: say what it finds. {}", verdict(report, id)));
            }
        }
        mistakes
    }
}

/// How a rule ended, in words.
fn verdict(report: &Report, id: &str) -> String {
    let told = |list: &[(std::sync::Arc<hostvet::engine::About>, String)], what: &str| {
        let found = list.iter().find(|(rule, _)| rule.id == id)?;
        Some(format!("{what}: {}", found.1))
    };
    let unknown =
        report.unknown.iter().find(|(rule, _)| rule.id == id).map(|(_, o)| format!("unknown: {}", o.reason));
    let finding = report
        .findings
        .iter()
        .find(|(rule, _)| rule.id == id)
        .map(|(_, f)| format!("finding: {}", f.message));
    finding
        .or(unknown)
        .or_else(|| told(&report.passed, "pass"))
        .or_else(|| told(&report.not_applicable, "not applicable"))
        .unwrap_or_else(|| "there is no such rule".into())
}

fn case(fixture: &Path) -> Case {
    fixture::read(&fixture.join("case.toml"))
}

#[test]
fn every_incident_gets_its_diagnosis_and_no_other() {
    let mut wrong = Vec::new();
    for fixture in fixture::all("incidents") {
        let case = case(&fixture);
        let report = vet(host(&fixture, &case.beside), &case.beside.params);
        let mistakes = case.mistakes(&report);
        if !mistakes.is_empty() {
            let name = fixture.file_name().unwrap().to_string_lossy();
            wrong.push(format!("{name} ({}):\n    {}", case.text, mistakes.join("\n    ")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// `hostvet check <case>/root` says the same, where files can tell it all.
#[test]
fn the_bare_tree_gives_the_same_diagnosis() {
    for fixture in fixture::all("incidents") {
        let case = case(&fixture);
        let Beside {
            on,
            without: _,
            assume,
            modes,
            owners,
            descriptors,
            connections,
            space,
            seconds,
            params,
        } = &case.beside;
        if on.is_some()
            || !(modes.is_empty() && owners.is_empty() && descriptors.is_empty())
            || !(space.is_empty() && params.is_empty() && connections.is_none())
            || seconds.is_some()
        {
            continue;
        }
        let report = vet(plain_host(&fixture.join("root"), assume.as_deref()), params);
        for expected in &case.finding {
            let found = report.findings.iter().find(|(rule, f)| expected.is(&rule.id, f));
            let (_, finding) = found.unwrap_or_else(|| panic!("{}: no {}", fixture.display(), expected.rule));
            assert!(expected.mistakes(finding).is_empty(), "{}: {}", fixture.display(), finding.message);
        }
    }
}

#[test]
fn every_case_tells_where_its_figures_are_from() {
    for fixture in fixture::all("incidents") {
        let case = case(&fixture);
        // One of the five texts, or a report that others can look up: `systemd, issue 38944`.
        let text = case.text.starts_with('S') || case.text.contains(", ");
        let told = text && case.story.len() > 20 && !case.from_text.is_empty();
        assert!(told && case.finding.iter().all(|f| !f.because.is_empty()), "{}", fixture.display());
        assert!(!case.added.is_empty(), "{}: nothing was added?", fixture.display());
        let judged = case.finding.len() + case.passes.len() + case.silent.len() + case.awaits.len();
        assert!(judged > 0, "{}: nothing is asked of it", fixture.display());
    }
}
