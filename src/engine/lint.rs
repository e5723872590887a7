//! The laws that every rule keeps, beyond loading.

use super::case::{Case, Expectation, cases};
use super::diagnostic::Diagnostic;
use super::draft::{Draft, Overrides};
use super::library::is_id;
use crate::fact;
use std::collections::BTreeSet;
use toml::Spanned;

/// What is wrong with a rule.
pub(super) fn lint(draft: &Draft) -> Vec<Diagnostic> {
    let rule = match draft.compile(&Overrides::new()) {
        Ok(rule) => rule,
        Err(mistake) => return vec![*mistake],
    };
    let cases = match cases(draft) {
        Ok(cases) => cases,
        Err(mistake) => return vec![*mistake],
    };
    let mut found = Vec::new();
    let mut say = |span, message: &str, help: &str| {
        found.push(draft.file.diagnostic(span, message, Some(help.to_owned())));
    };
    let raw = &draft.raw;
    if !is_id(&draft.file.id) {
        say(
            0..0,
            "the file's name is no rule id",
            "rules lie in <area>/<name>.toml, in lower case with dashes",
        );
    }
    if raw.title.get_ref().ends_with('.') || raw.title.get_ref().len() > 90 {
        say(raw.title.span(), "a title is one short phrase", "at most 90 characters, no full stop");
    }
    if raw.references.is_empty() {
        let help =
            "references = [\"man:limits.conf(5)\"]: the man page, kernel document or source that says so";
        say(raw.title.span(), "the rule cites nothing", help);
    }
    if let (Some(each), None) = (&raw.each, &raw.item) {
        let help = "item = \"{entry.domain} {entry.item}\": what makes the item the same in the next run";
        say(each.span(), "the items have no identity", help);
    }
    for name in raw.lets.keys().chain(&raw.item_name) {
        if fact::position(name.get_ref()).is_some() {
            say(
                name.span(),
                &format!("`{}` hides the fact of this name", name.get_ref()),
                "choose another name",
            );
        }
    }
    for (text, least, what) in [(&raw.why, 60, "why"), (&raw.remedy, 30, "remedy")] {
        if text.get_ref().trim().len() < least {
            say(text.span(), &format!("this {what} teaches nothing"), "say it as you would to a colleague");
        }
    }
    lint_params(draft, &mut say);
    lint_cases(draft, &rule, &cases, &mut say);
    found
}

fn lint_params(draft: &Draft, say: &mut impl FnMut(std::ops::Range<usize>, &str, &str)) {
    let used = draft.file.text.split("\n[[case]]").next().unwrap_or_default();
    for (name, value) in &draft.raw.params {
        if !used.contains(&format!("params.{name}")) {
            say(value.span(), &format!("params.{name} is never used"), "drop it");
        }
        let start = draft.file.text[..value.span().start].rfind('\n').map_or(0, |n| n + 1);
        let end = draft.file.text[value.span().end..]
            .find('\n')
            .map_or(draft.file.text.len(), |n| n + value.span().end);
        let before = draft.file.text[..start].trim_end().lines().next_back().unwrap_or_default();
        if !draft.file.text[value.span().end..end].contains('#') && !before.trim_start().starts_with('#') {
            say(
                value.span(),
                "the threshold does not say where it comes from",
                "add a comment on its line or above",
            );
        }
    }
}

fn lint_cases(
    draft: &Draft,
    rule: &super::rule::Rule,
    cases: &[Case],
    say: &mut impl FnMut(std::ops::Range<usize>, &str, &str),
) {
    let at = draft.raw.title.span();
    let any = |is: fn(&Expectation) -> bool| cases.iter().any(|case| is(case.expects()));
    if !any(|e| matches!(e, Expectation::Findings(messages) if !messages.is_empty())) {
        say(at.clone(), "no case expects a finding", "add a [[case]] whose `expect` is the message");
    }
    if !any(|e| *e == Expectation::Pass) {
        say(at.clone(), "no case expects a pass", "add a [[case]] with expect = \"pass\"");
    }
    if !any(|e| *e == Expectation::NotApplicable) {
        let help =
            "add a [[case]] with expect = \"not-applicable\": `when` false, or what the rule asks for absent";
        say(at.clone(), "no case shows where the rule does not apply", help);
    }
    // `target` is never unreadable; a rule that asks nothing else meets no unknown.
    if rule.facts().iter().any(|f| *f != "target") && !any(|e| *e == Expectation::Unknown) {
        let help = "add a [[case]] with denied = [\"/the/file\"] and expect = \"unknown\"";
        say(at.clone(), "no case shows what is not known", help);
    }
    if rule.samples() {
        if !cases.iter().any(Case::is_sampled) {
            let help = "add a [[case]] with earlier.\"/the/file\": what was in it a second before";
            say(at.clone(), "no case has the two readings that the rule asks for", help);
        }
        if cases.iter().all(Case::is_sampled) {
            say(at, "no case shows what the rule says of one reading", "add a [[case]] without `earlier`");
        }
    }
    let mut names = BTreeSet::new();
    for case in draft.raw.cases.iter().map(Spanned::get_ref) {
        if !names.insert(case.name.as_str()) {
            say(
                case.expect.span(),
                &format!("two cases are named `{}`", case.name),
                "a name says what the case shows",
            );
        }
    }
}
