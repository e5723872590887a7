//! Whether a stack can succeed, whatever its modules say: a search through `_pam_dispatch_aux`.
//!
//! A module of which nothing is known may return anything; so "cannot succeed" is certain, "can" is only possible.

use super::config::{Call, Rule};
use super::control::{self, Action};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// The return values that a module may have, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcomes(u32);

impl Outcomes {
    /// Any of them.
    pub(super) const ANY: Self = Self(u32::MAX);

    /// Just this one.
    pub(super) const fn only(value: usize) -> Self {
        Self(1 << value)
    }

    /// Any of these.
    pub(super) const fn of(values: &[usize]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < values.len() {
            bits |= 1 << values[at];
            at += 1;
        }
        Self(bits)
    }

    /// Whether that one is among them.
    pub(super) const fn has(self, value: usize) -> bool {
        self.0 & (1 << value) != 0
    }

    fn values(self) -> impl Iterator<Item = usize> {
        (0..32).filter(move |value| self.has(*value))
    }
}

/// What the rules so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Impression {
    Undefined,
    /// Positive; true if the status is PAM_SUCCESS.
    Positive(bool),
    Negative,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    /// The rule that comes next.
    next: usize,
    /// The level of the rule before.
    level: usize,
    impression: Impression,
    /// The impression at the start of each substack, for `reset`.
    saved: Vec<Impression>,
}

/// How many steps all questions about one host's stacks may take together. A host with 60 services takes some 100 000 for all of them.
///
/// Each substack with a `reset` multiplies the states a stack may be in, so that without a bound a few
/// lines could take forever.
const MAX_STEPS: u64 = 1_000_000;

/// Whether these rules, all of one type, can succeed when each module returns one of its outcomes; `None` where it takes
/// too many steps to say. `steps` counts those taken so far.
pub(super) fn can_succeed(
    rules: &[&Rule],
    outcomes: impl Fn(usize, &Rule) -> Outcomes,
    steps: &AtomicU64,
) -> Option<bool> {
    let resets = rules.iter().any(|rule| match rule.call {
        Call::Module(actions) | Call::MustFail(actions) => {
            (0..32).any(|value| actions.of(value) == Action::Reset)
        }
        Call::Substack => false,
    });
    let start =
        State { next: 0, level: 0, impression: Impression::Undefined, saved: vec![Impression::Undefined] };
    let mut seen = HashSet::new();
    let mut open = vec![start];
    while let Some(mut state) = open.pop() {
        let Some(rule) = rules.get(state.next) else {
            if state.impression == Impression::Positive(true) {
                return Some(true);
            }
            continue;
        };
        // Without a `reset` what was saved makes no difference, and would only multiply the states.
        if resets && state.level < rule.level {
            state.saved.truncate(rule.level);
            state.saved.resize(rule.level, Impression::Undefined);
            state.saved.push(state.impression);
        }
        if !seen.insert(state.clone()) {
            continue;
        }
        let (actions, values) = match rule.call {
            Call::Substack => {
                open.push(State { next: state.next + 1, level: rule.level, ..state });
                continue;
            }
            Call::MustFail(actions) => (actions, Outcomes::only(control::PERM_DENIED)),
            Call::Module(actions) => (actions, outcomes(state.next, rule)),
        };
        // Of values that lead to the same state one will do.
        let mut tried: Vec<(Action, bool)> = Vec::new();
        for value in values.values() {
            let kind = (actions.of(value), value == control::SUCCESS);
            if tried.contains(&kind) {
                continue;
            }
            tried.push(kind);
            open.push(after(rules, rule, &state, kind.0, value));
        }
        let taken = tried.len() as u64 * (1 + state.saved.len() as u64);
        if steps.fetch_add(taken, Ordering::Relaxed) > MAX_STEPS {
            return None;
        }
    }
    Some(false)
}

/// The state after `rule` returned `value`, for which this action stands.
fn after(rules: &[&Rule], rule: &Rule, state: &State, action: Action, value: usize) -> State {
    use Impression::{Negative, Positive, Undefined};
    let mut next = state.next + 1;
    let mut impression = state.impression;
    match action {
        Action::Ignore => {}
        Action::Reset => impression = state.saved.get(rule.level).copied().unwrap_or(Undefined),
        Action::Ok | Action::Done => {
            if matches!(impression, Undefined | Positive(true)) {
                impression = Positive(value == control::SUCCESS);
            }
            if action == Action::Done && matches!(impression, Positive(_)) {
                next = end_of(rules, next, rule.level);
            }
        }
        Action::Bad => impression = Negative,
        Action::Die => {
            impression = Negative;
            next = end_of(rules, next, rule.level);
        }
        Action::Jump(count) => {
            let mut left = count;
            while left > 0 && rules.get(next).is_some_and(|r| r.level >= rule.level) {
                next += 1;
                // A substack is one rule.
                while rules.get(next).is_some_and(|r| r.level > rule.level) {
                    next += 1;
                }
                left -= 1;
            }
            if left > 0 {
                impression = Negative;
            }
        }
    }
    State { next, level: rule.level, impression, saved: state.saved.clone() }
}

/// The first rule from `next` on that is not in the same substack or one within it.
fn end_of(rules: &[&Rule], next: usize, level: usize) -> usize {
    (next..rules.len()).find(|at| rules.get(*at).is_none_or(|r| r.level < level)).unwrap_or(rules.len())
}
