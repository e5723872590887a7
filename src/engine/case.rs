//! A rule's own cases: files in, outcome out.

use super::diagnostic::Diagnostic;
use super::draft::Draft;
use super::file::{Expect, RawCase, RuleFile};
use super::rule::Rule;
use super::severity::Severity;
use super::vet::{Outcome, Rest, judge};
use crate::fact::Facts;
use crate::source::{Assume, Earlier, Files, Host, Question, Target, TargetKind};
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;

/// How a case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// The case's name.
    pub name: String,
    /// What came out instead of what was expected; `None` if the case holds.
    pub failure: Option<String>,
}

type Found<T> = Result<T, Box<Diagnostic>>;

/// A case, ready to run.
pub(super) struct Case {
    pub(super) name: String,
    host: Host,
    expect: Expectation,
    severity: Option<Severity>,
    reason: Option<String>,
    remedy: Option<String>,
    params: super::draft::Overrides,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expectation {
    Findings(Vec<String>),
    Pass,
    NotApplicable,
    Unknown,
}

/// Runs every case of a rule.
pub(super) fn run(draft: &Draft) -> Found<Vec<CaseResult>> {
    cases(draft)?
        .iter()
        .map(|case| {
            let rule = draft.compile(&case.params)?;
            Ok(CaseResult { name: case.name.clone(), failure: case.failure(&rule) })
        })
        .collect()
}

/// The cases of a rule.
pub(super) fn cases(draft: &Draft) -> Found<Vec<Case>> {
    draft.raw.cases.iter().map(|raw| Case::read(&draft.file, raw.get_ref())).collect()
}

impl Case {
    fn read(file: &RuleFile, raw: &RawCase) -> Found<Self> {
        let mut files = Files::new();
        for (path, text) in &raw.files {
            files.file(path, text.as_bytes());
        }
        for (path, hex) in &raw.binary {
            files.file(path, bytes_of(hex.get_ref()).ok_or_else(|| bad(file, hex.span(), "is no hex"))?);
        }
        for (path, target) in &raw.links {
            files.link(path, target);
        }
        for path in &raw.directories {
            files.directory(path);
        }
        for (path, mode) in &raw.modes {
            let bits = u32::from_str_radix(mode.get_ref(), 8).ok().filter(|m| *m <= 0o7777);
            let bits = bits.ok_or_else(|| bad(file, mode.span(), "is no mode: write \"0644\""))?;
            files
                .mode(path, bits)
                .ok_or_else(|| bad(file, mode.span(), "is the mode of a path that the case has not"))?;
        }
        for (path, owner) in &raw.owners {
            let ids =
                owner.get_ref().split_once(':').and_then(|(u, g)| Some((u.parse().ok()?, g.parse().ok()?)));
            let (uid, gid) =
                ids.ok_or_else(|| bad(file, owner.span(), "is no owner: write \"1000:1000\""))?;
            files
                .owner(path, uid, gid)
                .ok_or_else(|| bad(file, owner.span(), "is the owner of a path that the case has not"))?;
        }
        for (path, size) in &raw.sizes {
            files.size(path, *size);
        }
        for (path, text) in &raw.space {
            let space = text.get_ref().parse();
            files.space(path, space.map_err(|e| bad(file, text.span(), &format!("is wrong: {e}")))?);
        }
        for (question, hex) in &raw.answers {
            let asked: Question = (question.get_ref().parse())
                .map_err(|e| bad(file, question.span(), &format!("is wrong: {e}")))?;
            let answer = match asked.is_text() {
                true => hex.get_ref().clone().into_bytes(),
                false => bytes_of(hex.get_ref()).ok_or_else(|| bad(file, hex.span(), "is no hex"))?,
            };
            files.answer(asked, Ok(answer));
        }
        for path in &raw.denied {
            files.deny(path);
        }
        let earlier = match (&raw.seconds, raw.earlier.is_empty()) {
            (None, true) => None,
            (seconds, _) => Some(earlier(file, raw, seconds.as_ref())?),
        };
        let kind = match raw.target.as_ref().map(|t| (t.get_ref().as_str(), t.span())) {
            None | Some(("live", _)) => TargetKind::Live,
            Some(("root", _)) => TargetKind::Root,
            Some(("image", _)) => TargetKind::Image,
            Some(("container-image", _)) => TargetKind::ContainerImage,
            Some((_, span)) => {
                return Err(bad(file, span, "is no target: live, root, image or container-image"));
            }
        };
        let assume = match &raw.assume {
            None => Assume::default(),
            Some(text) => {
                text.get_ref().parse().map_err(|e| bad(file, text.span(), &format!("is wrong: {e}")))?
            }
        };
        let severity = match &raw.severity {
            None => None,
            Some(word) => {
                let found = Severity::of(word.get_ref());
                Some(
                    found
                        .ok_or_else(|| bad(file, word.span(), "is no severity: critical, warning or info"))?,
                )
            }
        };
        let mut host = Host::new(files, Target { kind, assume, ..Target::root("case") });
        host.deep = raw.deep;
        Ok(Self {
            name: raw.name.clone(),
            host: match earlier {
                Some(earlier) => host.with_earlier(earlier),
                None => host,
            },
            expect: Expectation::of(raw.expect.get_ref()),
            severity,
            reason: raw.reason.clone(),
            remedy: raw.remedy.clone(),
            params: raw.params.clone().into_iter().collect(),
        })
    }

    #[cfg(test)]
    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    pub(super) fn expects(&self) -> &Expectation {
        &self.expect
    }

    /// Whether there is an earlier reading.
    pub(super) fn is_sampled(&self) -> bool {
        self.host.earlier.is_some()
    }

    /// The parameters that this case sets.
    pub(super) fn params(&self) -> &super::draft::Overrides {
        &self.params
    }

    /// What comes out instead of what is expected.
    pub(super) fn failure(&self, rule: &Rule) -> Option<String> {
        let outcome = judge(rule, &Facts::new(self.host.clone()));
        let holds = match &self.expect {
            Expectation::Findings(messages) => {
                outcome.findings.iter().map(|f| &f.message).eq(messages)
                    && self.severity.is_none_or(|s| outcome.findings.iter().all(|f| f.severity == s))
                    && self
                        .remedy
                        .as_ref()
                        .is_none_or(|part| outcome.findings.iter().all(|f| f.remedy.contains(part)))
                    && (self.reason.is_none()
                        || outcome.unknown.iter().any(|open| self.is_reason(&open.reason)))
            }
            Expectation::Pass => matches!(outcome.rest, Some(Rest::Passed(_))),
            Expectation::NotApplicable => {
                matches!(&outcome.rest, Some(Rest::NotApplicable(why)) if self.is_reason(why))
            }
            Expectation::Unknown => {
                outcome.findings.is_empty()
                    && !outcome.unknown.is_empty()
                    && outcome.unknown.iter().all(|open| self.is_reason(&open.reason))
            }
        };
        (!holds).then(|| self.describe(&outcome))
    }

    /// An outcome in words, for a case that failed.
    fn describe(&self, outcome: &Outcome) -> String {
        let mut lines = match &self.expect {
            Expectation::Findings(messages) => messages.iter().map(|m| format!("expected  {m}")).collect(),
            Expectation::Pass => vec!["expected  pass".to_owned()],
            Expectation::NotApplicable => vec!["expected  not-applicable".to_owned()],
            Expectation::Unknown => vec!["expected  unknown".to_owned()],
        };
        let also = [("severity", self.severity.map(Severity::word)), ("remedy", self.remedy.as_deref())];
        for (what, wanted) in also.into_iter().chain([("reason", self.reason.as_deref())]) {
            lines.extend(wanted.map(|wanted| format!("expected  {what}: {wanted}")));
        }
        for finding in &outcome.findings {
            lines.push(format!("came out  {}: {}", finding.severity, finding.message));
            if self.remedy.is_some() {
                lines.extend(finding.remedy.lines().map(|line| format!("              {line}")));
            }
        }
        for open in &outcome.unknown {
            let item = open.item.as_ref().map(|i| format!("{i}: ")).unwrap_or_default();
            lines.push(format!("came out  unknown: {item}{}", open.reason));
        }
        match &outcome.rest {
            Some(Rest::Passed(why)) => lines.push(format!("came out  pass: {why}")),
            Some(Rest::NotApplicable(why)) => lines.push(format!("came out  not-applicable: {why}")),
            None => {}
        }
        lines.join("\n")
    }

    fn is_reason(&self, found: &str) -> bool {
        self.reason.as_ref().is_none_or(|wanted| found.contains(wanted))
    }
}

impl Expectation {
    fn of(expect: &Expect) -> Self {
        match expect {
            Expect::Messages(messages) => Self::Findings(messages.clone()),
            Expect::One(word) => match word.as_str() {
                "pass" => Self::Pass,
                "not-applicable" => Self::NotApplicable,
                "unknown" => Self::Unknown,
                message => Self::Findings(vec![message.to_owned()]),
            },
        }
    }
}

/// The reading before: what was denied then as well is not said twice.
fn earlier(file: &RuleFile, raw: &RawCase, seconds: Option<&Spanned<f64>>) -> Found<Earlier> {
    let between = match seconds {
        None => Duration::from_secs(1),
        Some(seconds) => Duration::try_from_secs_f64(*seconds.get_ref())
            .map_err(|_| bad(file, seconds.span(), "is no time between two readings"))?,
    };
    let mut files = Files::new();
    for (path, text) in &raw.earlier {
        files.file(path, text.as_bytes());
    }
    for path in &raw.denied {
        files.deny(path);
    }
    Ok(Earlier::new(files, between))
}

fn bad(file: &RuleFile, span: Range<usize>, what: &str) -> Box<Diagnostic> {
    let value = file.text.get(span.clone()).unwrap_or_default();
    Box::new(file.diagnostic(span, format!("{value} {what}"), None))
}

/// Bytes written in hex, blanks allowed.
fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> =
        hex.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|d| d.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
}
