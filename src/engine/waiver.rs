//! Findings that somebody has decided to live with, for a reason and for a time.

use super::functions::glob;
use super::vet::{Finding, Outcome};
use serde::Deserialize;

/// One `[[waiver]]` of the configuration.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Rule ids, as a glob.
    pub rule: String,
    /// Items, as a glob; every item if absent.
    pub item: Option<String>,
    /// Why it is accepted.
    pub reason: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The last day on which it holds, as `2027-01-31`.
    pub expires: Option<String>,
}

/// A finding and the reason why it is waived.
#[derive(Clone, Debug)]
pub struct Waived {
    /// The finding.
    pub finding: Finding,
    /// The waiver's reason, with owner and expiry.
    pub reason: String,
}

/// A waiver that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadWaiver {
    /// Not a glob.
    #[error("waiver for `{0}`: {1}")]
    Pattern(String, String),
    /// Not a date.
    #[error("waiver for `{0}`: `{1}` is no date; write 2027-01-31")]
    Date(String, String),
}

impl Waiver {
    /// Refuses what can never work.
    pub fn check(&self) -> Result<(), BadWaiver> {
        for pattern in [Some(&self.rule), self.item.as_ref()].into_iter().flatten() {
            glob(pattern).map_err(|e| BadWaiver::Pattern(self.rule.clone(), e))?;
        }
        match &self.expires {
            Some(date) if !is_date(date) => Err(BadWaiver::Date(self.rule.clone(), date.clone())),
            _ => Ok(()),
        }
    }

    fn covers(&self, rule: &str, finding: &Finding) -> bool {
        let meets = |pattern: &str, text: &str| glob(pattern).is_ok_and(|g| g.is_match(text));
        meets(&self.rule, rule)
            && self.item.as_ref().is_none_or(|item| finding.item.as_ref().is_some_and(|i| meets(item, i)))
    }

    fn words(&self) -> String {
        let owner = self.owner.as_ref().map(|o| format!(", {o}")).unwrap_or_default();
        let expires = self.expires.as_ref().map(|d| format!(", until {d}")).unwrap_or_default();
        format!("{}{owner}{expires}", self.reason)
    }
}

/// Moves what waivers cover out of the findings. Also says which waivers have expired or cover nothing,
/// so that they do not lie around for ever. `today` is `2026-11-21`.
pub fn waive(
    outcomes: &mut [Outcome],
    waivers: &[Waiver],
    today: &str,
) -> (Vec<(usize, Waived)>, Vec<String>) {
    let mut waived = Vec::new();
    let mut notes = Vec::new();
    for waiver in waivers {
        if let Some(date) = waiver.expires.as_ref().filter(|date| date.as_str() < today) {
            notes.push(format!("the waiver for {} expired on {date}: {}", waiver.rule, waiver.reason));
            continue;
        }
        let before = waived.len();
        for (position, outcome) in outcomes.iter_mut().enumerate() {
            let id = outcome.rule.id.clone();
            let (covered, rest) = outcome.findings.drain(..).partition(|f| waiver.covers(&id, f));
            outcome.findings = rest;
            let covered: Vec<Finding> = covered;
            waived.extend(
                covered.into_iter().map(|finding| (position, Waived { finding, reason: waiver.words() })),
            );
        }
        if waived.len() == before {
            notes.push(format!("the waiver for {} covers no finding: {}", waiver.rule, waiver.reason));
        }
    }
    (waived, notes)
}

fn is_date(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|n| n.parse::<u32>().ok());
    shape == "9999-99-99"
        && number(5..7).is_some_and(|m| (1..=12).contains(&m))
        && number(8..10).is_some_and(|d| (1..=31).contains(&d))
}
