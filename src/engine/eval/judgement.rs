//! One judgement of one rule on one item: what it knows, and what it has seen.

use super::super::node::Program;
use super::super::value::{Evaluated, Gap, Value, cut};
use super::{Run, truth};
use crate::fact::Facts;
use crate::source::At;
use std::cell::{Cell, OnceCell, RefCell};

/// How many values one finding lists as evidence.
const MAX_EVIDENCE: usize = 40;

/// How many values are remembered until it is known which of them decided.
const MAX_SEEN: usize = 10_000;

/// A value that was read on the way to a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The expression that read it.
    pub expr: String,
    /// The value; null where there was none.
    pub value: serde_json::Value,
    /// Where it was read, where that is known.
    pub at: Option<At>,
}

/// The value of a name of `[let]`, and what was read for it.
type Named<'a> = OnceCell<(Evaluated<'a>, Vec<Evidence>)>;

/// The names of `[let]`, with the values of those that are the same for every item.
pub(in crate::engine) struct SharedNames<'a> {
    lets: &'a [Program],
    shared: Vec<Named<'a>>,
}

/// One judgement: the facts, the rule's item and names, and what was seen on the way.
pub(in crate::engine) struct Judgement<'a> {
    pub(super) facts: &'a Facts,
    pub(super) names: &'a SharedNames<'a>,
    pub(super) item: Option<(Value<'a>, Option<&'a At>)>,
    /// The names that depend on the item.
    pub(super) memo: Vec<Named<'a>>,
    pub(super) steps: &'a Cell<u64>,
    pub(super) evidence: Option<RefCell<Vec<Evidence>>>,
}

impl<'a> SharedNames<'a> {
    /// Names of which the first `shared` do not depend on the item.
    pub(in crate::engine) fn new(lets: &'a [Program], shared: usize) -> Self {
        Self { lets, shared: (0..shared).map(|_| OnceCell::new()).collect() }
    }
}

impl<'a> Judgement<'a> {
    /// A judgement of this item, if the rule has items; with evidence if `recording`.
    pub(in crate::engine) fn new(
        facts: &'a Facts,
        names: &'a SharedNames<'a>,
        item: Option<Value<'a>>,
        steps: &'a Cell<u64>,
        recording: bool,
    ) -> Self {
        let item = item.map(|value| {
            let at = value.at();
            (value, at)
        });
        let memo = (names.shared.len()..names.lets.len()).map(|_| OnceCell::new()).collect();
        Self { facts, names, item, memo, steps, evidence: recording.then(RefCell::default) }
    }

    /// What was read so far, in order, each once.
    pub(in crate::engine) fn into_evidence(self) -> Vec<Evidence> {
        let mut once: Vec<Evidence> = Vec::new();
        for seen in self.evidence.map(RefCell::into_inner).unwrap_or_default() {
            if once.len() == MAX_EVIDENCE {
                break;
            }
            if !once.contains(&seen) {
                once.push(seen);
            }
        }
        once
    }

    /// The value of an expression.
    pub(in crate::engine) fn eval(&self, program: &'a Program) -> Evaluated<'a> {
        Run { judgement: self, text: &program.text }.eval(&program.root, None)
    }

    /// The value of an expression that is a bool.
    pub(in crate::engine) fn truth(&self, program: &'a Program) -> Result<bool, Gap> {
        self.eval(program).and_then(truth)
    }

    /// Notes what was read; no value where there was none.
    pub(super) fn record(&self, expr: String, value: Option<&Value<'_>>, at: Option<&At>) {
        let Some(evidence) = &self.evidence else { return };
        let mut evidence = evidence.borrow_mut();
        // What was seen before is noted again: which of the two places decides is not known yet.
        if evidence.len() < MAX_SEEN {
            let value = match value.map_or(serde_json::Value::Null, Value::json) {
                serde_json::Value::String(text) => cut(text).into(),
                value => value,
            };
            evidence.push(Evidence { expr, value, at: at.cloned() });
        }
    }

    /// The value of a name of `[let]`, computed once: for all items if it is the same for all. What was read for it counts
    /// wherever it is used.
    pub(super) fn named(&self, position: usize) -> Evaluated<'a> {
        let (value, seen) = match self.names.shared.get(position) {
            Some(shared) => shared.get_or_init(|| {
                let apart = Self::new(self.facts, self.names, None, self.steps, true);
                let value = apart.eval(&self.names.lets[position]);
                (value, apart.into_evidence())
            }),
            None => self.memo[position - self.names.shared.len()].get_or_init(|| {
                let mark = self.mark();
                let value = self.eval(&self.names.lets[position]);
                (value, self.taken_since(mark))
            }),
        };
        if let Some(evidence) = &self.evidence {
            let mut evidence = evidence.borrow_mut();
            let room = MAX_SEEN.saturating_sub(evidence.len());
            evidence.extend(seen.iter().take(room).cloned());
        }
        value.clone()
    }

    fn taken_since(&self, mark: usize) -> Vec<Evidence> {
        self.evidence.as_ref().map_or_else(Vec::new, |e| e.borrow_mut().split_off(mark))
    }

    pub(super) fn mark(&self) -> usize {
        self.evidence.as_ref().map_or(0, |e| e.borrow().len())
    }

    /// Forgets what was read since the mark: it did not decide anything.
    pub(super) fn forget(&self, mark: usize) {
        if let Some(evidence) = &self.evidence {
            evidence.borrow_mut().truncate(mark);
        }
    }
}
