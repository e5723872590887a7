//! Rules × facts → outcomes.

use super::eval::{Evidence, Judgement, SharedNames};
use super::rule::{About, Rule, SeverityOf};
use super::severity::Severity;
use super::value::{Gap, Items, Value, cut};
use crate::fact::{Facts, kinds};
use crate::source::{Missing, Unreadable, parallel};
use std::borrow::Cow;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How many findings, or things left open, one rule tells. More have one cause, and nobody reads them; a hostile file of
/// some MiB would make a report of gigabytes.
const MAX_TOLD: usize = 1_000;

/// What one rule said of one host.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The rule.
    pub rule: Arc<About>,
    /// The problems it found.
    pub findings: Vec<Finding>,
    /// What it could not judge.
    pub unknown: Vec<Open>,
    /// Why it passed, or did not apply: set only where it neither found nor left anything open.
    pub rest: Option<Rest>,
}

/// A problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Which of the rule's items has it, for rules that judge several.
    pub item: Option<String>,
    /// The problem, with this host's values.
    pub message: String,
    /// What to do, with this host's values.
    pub remedy: String,
    /// What was read on the way.
    pub evidence: Vec<Evidence>,
    /// The same problem on the same host has the same fingerprint in every run.
    pub fingerprint: String,
}

/// Something that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    /// Which of the rule's items, for rules that judge several.
    pub item: Option<String>,
    /// Why.
    pub reason: String,
}

/// How a rule ended that found nothing and left nothing open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The problem is not there.
    Passed(String),
    /// The rule does not apply to this host.
    NotApplicable(String),
}

/// What a rule says of one item.
enum Verdict {
    Finding(Box<Finding>),
    Unknown(String),
    Passed,
    NotApplicable(String),
}

/// Judges a host by a rule. A panic is a bug of hostvet; it leaves this rule open, not the run.
pub fn judge(rule: &Rule, facts: &Facts) -> Outcome {
    let run = |rule: &Rule| {
        let names = SharedNames::new(&rule.lets, rule.shared);
        Vetting { rule, facts, names: &names, steps: &Cell::new(0) }.run()
    };
    catch_unwind(AssertUnwindSafe(|| {
        let outcome = run(rule);
        // An abridged rule knows that there is a problem, but not how to tell of it.
        if outcome.findings.is_empty() || rule.told.is_some() { outcome } else { run(rule.whole()) }
    }))
    .unwrap_or_else(|_| {
        let reason = "hostvet failed on this rule; please report it".to_owned();
        Outcome {
            rule: rule.about.clone(),
            findings: Vec::new(),
            unknown: vec![Open { item: None, reason }],
            rest: None,
        }
    })
}

/// Judges a host by all these rules, on all processors; the outcomes stand in the order of the rules.
///
/// Rules share the facts: who asks first gathers one, and the others wait for it. The slow ones begin first, so that the rest is
/// done beside them; then those that ask what none before them asks, so that the processors gather different facts.
pub fn judge_all(rules: &[&Rule], facts: &Facts) -> Vec<Outcome> {
    let mut begun: Vec<usize> = (0..rules.len()).collect();
    let mut asked = vec![false; kinds().len()];
    begun.sort_by_cached_key(|position| {
        let (mut is_slow, mut is_first) = (false, false);
        rules[*position].each_fact(&mut |fact| {
            is_slow |= kinds()[fact].slow;
            is_first |= !std::mem::replace(&mut asked[fact], true);
        });
        (!is_slow, !is_first)
    });
    let outcomes = parallel::map(&begun, 1, |position| judge(rules[*position], facts));
    let mut placed: Vec<_> = begun.into_iter().zip(outcomes).collect();
    placed.sort_unstable_by_key(|(position, _)| *position);
    placed.into_iter().map(|(_, outcome)| outcome).collect()
}

struct Vetting<'a> {
    rule: &'a Rule,
    facts: &'a Facts,
    names: &'a SharedNames<'a>,
    steps: &'a Cell<u64>,
}

impl<'a> Vetting<'a> {
    fn run(&self) -> Outcome {
        let mut outcome =
            Outcome { rule: self.rule.about.clone(), findings: Vec::new(), unknown: Vec::new(), rest: None };
        if let Some(verdict) = self.gate(&self.rule.when_once, None) {
            outcome.settle(verdict, None, "");
            return outcome;
        }
        let Some(each) = &self.rule.each else {
            outcome.settle(self.verdict(None), None, &format!("`{}` is false", self.rule.about.problem));
            return outcome;
        };
        match self.judgement(None, false).eval(each) {
            Ok(Value::List(items)) => self.run_items(&items, &each.text, &mut outcome),
            Ok(Value::Map(map, _)) => {
                let keys = map.keys().into_iter().map(|k| Value::Str(Cow::Owned(k.to_owned()))).collect();
                self.run_items(&Items::made(keys), &each.text, &mut outcome);
                outcome.leave_open(map.unread());
            }
            Ok(_) => {}
            Err(Gap::Absent(what)) => {
                outcome.rest = Some(Rest::NotApplicable(format!("{what} is absent")));
            }
            Err(gap) => outcome.unknown.push(Open { item: None, reason: gap.to_string() }),
        }
        for open in &mut outcome.unknown {
            open.reason = cut(std::mem::take(&mut open.reason));
        }
        outcome.unknown.sort();
        if !outcome.unknown.is_empty() || !outcome.findings.is_empty() {
            outcome.rest = None;
        }
        outcome
    }

    fn run_items(&self, items: &Items<'a>, list: &str, outcome: &mut Outcome) {
        let mut passed = 0;
        let mut why_not = None;
        for (position, item) in items.iter().enumerate() {
            if self.rule.told.is_none() && !outcome.findings.is_empty() {
                break;
            }
            if outcome.findings.len().max(outcome.unknown.len()) >= MAX_TOLD {
                let reason = format!("{} more of {list} were not judged", items.len() - position);
                outcome.unknown.push(Open { item: None, reason });
                break;
            }
            let value = match item {
                Ok(value) => value,
                Err(Missing::Absent) => continue,
                Err(Missing::Unreadable(why)) => {
                    outcome.unknown.push(Open { item: None, reason: why.to_string() });
                    continue;
                }
            };
            let verdict =
                self.gate(&self.rule.when_item, Some(&value)).unwrap_or_else(|| self.verdict(Some(&value)));
            match verdict {
                Verdict::Passed => passed += 1,
                Verdict::NotApplicable(reason) => {
                    why_not.get_or_insert(reason);
                }
                verdict => {
                    let name = self.item_name(&value);
                    outcome.settle(verdict, name, "");
                }
            }
        }
        outcome.leave_open(items.unread());
        outcome.rest = Some(match (passed, why_not) {
            (0, None) => Rest::NotApplicable(format!("{} is empty", quoted(list))),
            (0, Some(reason)) if items.len() == 1 => Rest::NotApplicable(reason),
            (0, Some(reason)) => {
                Rest::NotApplicable(format!("none of {} in {} applies: {reason}", items.len(), named(list)))
            }
            (n, _) => Rest::Passed(format!("{n} of {} judged", named(list))),
        });
    }

    fn judgement(&self, item: Option<&Value<'a>>, recording: bool) -> Judgement<'a> {
        Judgement::new(self.facts, self.names, item.cloned(), self.steps, recording)
    }

    /// The verdict if `when` does not let the rule apply, or cannot say whether it does.
    fn gate(&self, when: &'a [super::node::Program], item: Option<&Value<'a>>) -> Option<Verdict> {
        let mut gap: Option<Gap> = None;
        for condition in when {
            let judgement = self.judgement(item, false);
            match judgement.truth(condition) {
                Ok(true) => {}
                Ok(false) => {
                    let said = if item.is_some() {
                        &self.rule.not_applicable_item
                    } else {
                        &self.rule.not_applicable
                    };
                    let why = match said {
                        Some(template) => template.fill(&self.judgement(item, false)),
                        None => format!("`{}` is false", condition.source()),
                    };
                    return Some(Verdict::NotApplicable(why));
                }
                Err(found) => gap = Some(gap.map_or(found.clone(), |g| g.worse(found))),
            }
        }
        gap.map(verdict_of)
    }

    fn verdict(&self, item: Option<&Value<'a>>) -> Verdict {
        match self.judgement(item, false).truth(&self.rule.problem) {
            Ok(false) => Verdict::Passed,
            Ok(true) => Verdict::Finding(Box::new(self.finding(item))),
            Err(gap) => verdict_of(gap),
        }
    }

    /// The finding: everything evaluated once more, and what is read written down.
    fn finding(&self, item: Option<&Value<'a>>) -> Finding {
        let judgement = self.judgement(item, true);
        let _ = judgement.truth(&self.rule.problem);
        let severity = match &self.rule.severity {
            SeverityOf::Always(severity) => *severity,
            // What cannot be computed is judged by the worst that the rule can say.
            SeverityOf::Computed(program) => judgement
                .eval(program)
                .ok()
                .and_then(|word| Severity::of(word.as_str()?))
                .unwrap_or(self.rule.about.worst),
        };
        let (message, remedy) = match &self.rule.told {
            Some((message, remedy)) => (message.fill(&judgement), remedy.fill(&self.judgement(item, false))),
            None => Default::default(),
        };
        let name = item.and_then(|value| self.item_name(value));
        let fingerprint = fingerprint(&self.rule.about.id, name.as_deref());
        Finding { severity, item: name, message, remedy, evidence: judgement.into_evidence(), fingerprint }
    }

    fn item_name(&self, item: &Value<'a>) -> Option<String> {
        let template = self.rule.item.as_ref()?;
        Some(template.fill(&self.judgement(Some(item), false)))
    }
}

impl Outcome {
    /// Leaves open what may hold more items, but could not be read.
    fn leave_open(&mut self, unread: &[Unreadable]) {
        self.unknown
            .extend(unread.iter().take(MAX_TOLD).map(|why| Open { item: None, reason: why.to_string() }));
        if let more @ 1.. = unread.len().saturating_sub(MAX_TOLD) {
            let reason = format!("{more} more could not be read");
            self.unknown.push(Open { item: None, reason });
        }
    }

    fn settle(&mut self, verdict: Verdict, item: Option<String>, passed: &str) {
        match verdict {
            Verdict::Finding(finding) => self.findings.push(*finding),
            Verdict::Unknown(reason) => self.unknown.push(Open { item, reason }),
            Verdict::Passed => self.rest = Some(Rest::Passed(passed.to_owned())),
            Verdict::NotApplicable(reason) => self.rest = Some(Rest::NotApplicable(reason)),
        }
    }
}

/// Whether an expression is as good as a name: `process.list`.
fn is_name(expression: &str) -> bool {
    expression.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))
}

/// A list as a sentence about its items has it. How it was made is for `explain` to say.
fn named(list: &str) -> &str {
    if is_name(list) { list } else { "the list" }
}

/// A list as a sentence about itself has it.
fn quoted(list: &str) -> Cow<'_, str> {
    if is_name(list) { list.into() } else { format!("`{list}`").into() }
}

fn verdict_of(gap: Gap) -> Verdict {
    match gap {
        Gap::Absent(_) => Verdict::NotApplicable(gap.to_string()),
        gap => Verdict::Unknown(gap.to_string()),
    }
}

/// 64 bits of FNV-1a over rule and item, as hex: short, stable over versions of Rust and of hostvet.
fn fingerprint(rule: &str, item: Option<&str>) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let item = item.map(|i| [b"\0", i.as_bytes()].concat()).unwrap_or_default();
    for byte in rule.bytes().chain(item) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}
