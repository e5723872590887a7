//! Evaluation, in three values: what is absent or unreadable spreads, unless the rest decides alone.

use super::functions::{number, parse_number, short_enough};
use super::node::{Each, Node, NodeKind, Pattern, Program};
use super::syntax::BinaryOp;
use super::ty::Ty;
use super::value::{Evaluated, Gap, Items, Made, Value, cut};
use crate::fact::Facts;
use crate::source::{At, Missing, Reason, Unreadable};
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::cmp::Ordering;
use std::rc::Rc;

/// How many nodes one judgement of one rule may visit. A rule over 10 000 processes with a nested loop over
/// as many would need more; every shipped rule needs less than a hundredth on the largest hosts seen.
const MAX_STEPS: u64 = 20_000_000;

/// How many values one finding lists as evidence.
const MAX_EVIDENCE: usize = 40;

/// Of how many items that `filter`, `map` or `exists_one` kept the values are evidence.
const MAX_ITEMS_SHOWN: usize = 10;

/// How many values are remembered until it is known which of them decided.
const MAX_SEEN: usize = 10_000;

/// A value that was read on the way to a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The expression that read it.
    pub expr: String,
    /// The value.
    pub value: serde_json::Value,
    /// Where it was read, where that is known.
    pub at: Option<At>,
}

/// The value of a name of `[let]`, and what was read for it.
type Named<'a> = OnceCell<(Evaluated<'a>, Vec<Evidence>)>;

/// The names of `[let]`, with the values of those that are the same for every item.
pub(super) struct SharedNames<'a> {
    lets: &'a [Program],
    shared: Vec<Named<'a>>,
}

/// One judgement: the facts, the rule's item and names, and what was seen on the way.
pub(super) struct Judgement<'a> {
    facts: &'a Facts,
    names: &'a SharedNames<'a>,
    item: Option<(Value<'a>, Option<&'a At>)>,
    /// The names that depend on the item.
    memo: Vec<Named<'a>>,
    steps: &'a Cell<u64>,
    evidence: Option<RefCell<Vec<Evidence>>>,
}

/// Variables of macros, innermost first; the rule's item is slot 0 where there is one.
struct Scope<'s, 'a> {
    slot: usize,
    value: Value<'a>,
    /// Whether the value is one of a fact's list, not one that the expression made.
    of_fact: bool,
    at: Option<&'a At>,
    up: Option<&'s Scope<'s, 'a>>,
}

impl<'a> SharedNames<'a> {
    /// Names of which the first `shared` do not depend on the item.
    pub(super) fn new(lets: &'a [Program], shared: usize) -> Self {
        Self { lets, shared: (0..shared).map(|_| OnceCell::new()).collect() }
    }
}

impl<'a> Judgement<'a> {
    /// A judgement of this item, if the rule has items; with evidence if `recording`.
    pub(super) fn new(
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
    pub(super) fn into_evidence(self) -> Vec<Evidence> {
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
    pub(super) fn eval(&self, program: &'a Program) -> Evaluated<'a> {
        Run { judgement: self, text: &program.text }.eval(&program.root, None)
    }

    /// The value of an expression that is a bool.
    pub(super) fn truth(&self, program: &'a Program) -> Result<bool, Gap> {
        self.eval(program).and_then(truth)
    }

    fn record(&self, expr: String, value: &Value<'_>, at: Option<&At>) {
        let Some(evidence) = &self.evidence else { return };
        let mut evidence = evidence.borrow_mut();
        // What was seen before is noted again: which of the two places decides is not known yet.
        if evidence.len() < MAX_SEEN {
            let value = match value.json() {
                serde_json::Value::String(text) => cut(text).into(),
                value => value,
            };
            evidence.push(Evidence { expr, value, at: at.cloned() });
        }
    }

    /// The value of a name of `[let]`, computed once: for all items if it is the same for all. What was read for it counts
    /// wherever it is used.
    fn named(&self, position: usize) -> Evaluated<'a> {
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

    fn mark(&self) -> usize {
        self.evidence.as_ref().map_or(0, |e| e.borrow().len())
    }

    /// Forgets what was read since the mark: it did not decide anything.
    fn forget(&self, mark: usize) {
        if let Some(evidence) = &self.evidence {
            evidence.borrow_mut().truncate(mark);
        }
    }
}

/// The evaluation of one expression's text.
struct Run<'j, 'a> {
    judgement: &'j Judgement<'a>,
    text: &'a str,
}

impl<'a> Run<'_, 'a> {
    fn eval(&self, node: &'a Node, scope: Option<&Scope<'_, 'a>>) -> Evaluated<'a> {
        self.spend(1)?;
        match &node.kind {
            NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Double(_) | NodeKind::Str(_) => {
                Ok(constant(node))
            }
            NodeKind::List(items) => Ok(Value::List(Items::made(self.every(items, scope)?))),
            NodeKind::Fact(position) => match self.judgement.facts.get(*position) {
                Ok(record) => Ok(Value::Record(record, record.at())),
                Err(missing) => Err(Gap::of(missing, || self.source(node))),
            },
            NodeKind::Slot(slot) => Ok(self.slot(*slot, node, scope)),
            NodeKind::Let(position) => self.judgement.named(*position),
            NodeKind::Field { of, position } => self.field(node, of, *position, scope),
            NodeKind::Index { of, key } => self.index(node, of, key, scope),
            NodeKind::Has(of) => {
                let has = match self.eval(of, scope) {
                    Ok(_) => Value::Bool(true),
                    Err(Gap::Absent(_)) => Value::Bool(false),
                    Err(gap) => return Err(gap),
                };
                // A scalar that is there has been noted itself.
                if !of.ty.is_scalar() || matches!(has, Value::Bool(false)) {
                    self.seen(node, &has, None);
                }
                Ok(has)
            }
            NodeKind::OrValue(of, other) => match self.eval(of, scope) {
                Err(Gap::Absent(_)) => {
                    let value = self.eval(other, scope)?;
                    self.seen(node, &value, None);
                    Ok(value)
                }
                found => found,
            },
            NodeKind::Not(of) => Ok(Value::Bool(!truth(self.eval(of, scope)?)?)),
            NodeKind::Neg(of) => match self.eval(of, scope)? {
                Value::Int(i) => i.checked_neg().map(Value::Int).ok_or_else(too_large),
                other => Ok(Value::Double(-number(&other)?)),
            },
            NodeKind::Number(of) => self.number(of, scope),
            NodeKind::Arith(op, left, right) => {
                let (left, right) = self.both(left, right, scope)?;
                let value = arith(*op, &left, &right, &node.ty)?;
                self.spend(cost(&value))?;
                Ok(value)
            }
            NodeKind::Compare(op, left, right) => {
                let (left, right) = self.both(left, right, scope)?;
                self.compare(*op, &left, &right).map(Value::Bool)
            }
            NodeKind::In(left, right) => {
                let (left, right) = self.both(left, right, scope)?;
                self.contained(&left, &right).map(Value::Bool)
            }
            NodeKind::And(parts) => self.decide(parts.iter().map(|part| self.eval(part, scope)), false),
            NodeKind::Or(parts) => self.decide(parts.iter().map(|part| self.eval(part, scope)), true),
            NodeKind::Cond(condition, yes, no) => {
                let branch = if truth(self.eval(condition, scope)?)? { yes } else { no };
                self.eval(branch, scope)
            }
            NodeKind::Each { each, over, slot, test } => self.each(node, *each, over, *slot, test, scope),
            NodeKind::Map { over, slot, test, make } => self.map(over, *slot, test.as_deref(), make, scope),
            NodeKind::Matches(of, pattern) => {
                let value = self.eval(of, scope)?;
                self.spend(cost(&value))?;
                let text = value.as_str().unwrap_or_default();
                Ok(Value::Bool(match pattern {
                    Pattern::Regex(regex) => regex.is_match(text),
                    Pattern::Glob(glob) => glob.is_match(text),
                }))
            }
            NodeKind::Top { list, field, n } => self.top(list, *field, n, scope),
            NodeKind::Call(function, args) => {
                let values = self.every(args, scope)?;
                self.spend(function.compiles() + values.iter().map(cost).sum::<u64>())?;
                let value = function.call(&values)?;
                self.spend(cost(&value))?;
                Ok(value)
            }
        }
    }

    /// Counts work. Whatever makes or walks a list or a string pays for its length, so that a few nodes cannot
    /// double one again and again.
    fn spend(&self, cost: u64) -> Result<(), Gap> {
        let steps = self.judgement.steps;
        steps.set(steps.get().saturating_add(cost));
        match steps.get() > MAX_STEPS {
            true => Err(Gap::Failed(format!("gave up after {MAX_STEPS} steps"))),
            false => Ok(()),
        }
    }

    /// The expression as it was written.
    fn source(&self, node: &Node) -> String {
        let text = self.text.get(node.span.clone()).unwrap_or(self.text);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn slot(&self, slot: usize, node: &Node, scope: Option<&Scope<'_, 'a>>) -> Value<'a> {
        let mut here = scope;
        while let Some(scope) = here {
            if scope.slot == slot {
                if scope.of_fact {
                    self.seen(node, &scope.value, scope.at);
                }
                return scope.value.clone();
            }
            here = scope.up;
        }
        // The checker lets no other slot pass than the item's.
        match &self.judgement.item {
            Some((value, at)) => {
                self.seen(node, value, *at);
                value.clone()
            }
            None => Value::Bool(false),
        }
    }

    /// Notes a value of the facts that can be shown.
    fn seen(&self, node: &Node, value: &Value<'a>, at: Option<&'a At>) {
        if self.judgement.evidence.is_some() && node.ty.is_scalar() {
            let expr = match &node.kind {
                // That a value might have been absent is no part of what was found.
                NodeKind::Field { .. } | NodeKind::Index { .. } => {
                    self.source(node).replace(".?", ".").replace("[?", "[")
                }
                // In `a.?b.orValue(0)` it is, and a pattern may hold these signs too.
                _ => self.source(node),
            };
            self.judgement.record(expr, value, at);
        }
    }

    fn field(
        &self,
        node: &Node,
        of: &'a Node,
        position: usize,
        scope: Option<&Scope<'_, 'a>>,
    ) -> Evaluated<'a> {
        let Value::Record(record, at) = self.eval(of, scope)? else {
            return Err(Gap::Failed("a field was asked of what is no record; please report this".into()));
        };
        let at = record.field_at(position).or(at);
        let value = record.get(position).map(|view| Value::of(view, at));
        let value = value.map_err(|missing| Gap::of(missing, || self.source(node)))?;
        self.seen(node, &value, at);
        Ok(value)
    }

    fn index(
        &self,
        node: &Node,
        of: &'a Node,
        key: &'a Node,
        scope: Option<&Scope<'_, 'a>>,
    ) -> Evaluated<'a> {
        let (of, key) = self.both(of, key, scope)?;
        let at = of.at();
        let value = match (&of, &key) {
            (Value::Map(map, at), key) => {
                let found = map.get(key.as_str().unwrap_or_default());
                found.map(|view| Value::of(view, *at))
            }
            (Value::List(items), Value::Int(i)) => {
                match usize::try_from(*i).ok().filter(|i| *i < items.len()) {
                    Some(i) => items.get(i),
                    None => match items.unread().first() {
                        Some(why) => return Err(Gap::Unreadable(why.clone())),
                        None => return Err(Gap::Absent(self.source(node))),
                    },
                }
            }
            _ => return Err(Gap::Failed("an index was asked of what has none; please report this".into())),
        };
        let value = value.map_err(|missing| Gap::of(missing, || self.source(node)))?;
        self.seen(node, &value, at);
        Ok(value)
    }

    fn number(&self, of: &'a Node, scope: Option<&Scope<'_, 'a>>) -> Evaluated<'a> {
        let value = self.eval(of, scope)?;
        match value.as_str() {
            None => Ok(value),
            Some(text) => parse_number(text).ok_or_else(|| {
                let what = format!("`{text}` is not a number");
                Gap::Unreadable(Unreadable { path: self.source(of).into(), reason: Reason::Garbled(what) })
            }),
        }
    }

    /// The values of all. If several are missing, the gap that says less is known.
    fn every(&self, nodes: &'a [Node], scope: Option<&Scope<'_, 'a>>) -> Result<Vec<Value<'a>>, Gap> {
        let mut values = Vec::with_capacity(nodes.len());
        let mut absent = None;
        for node in nodes {
            match self.eval(node, scope) {
                Ok(value) => values.push(value),
                Err(gap @ Gap::Absent(_)) => absent = absent.or(Some(gap)),
                Err(gap) => return Err(gap),
            }
        }
        absent.map_or(Ok(values), Err)
    }

    /// Both sides. If both are missing, the gap that says less is known.
    fn both(
        &self,
        left: &'a Node,
        right: &'a Node,
        scope: Option<&Scope<'_, 'a>>,
    ) -> Result<(Value<'a>, Value<'a>), Gap> {
        match self.eval(left, scope) {
            Ok(left) => Ok((left, self.eval(right, scope)?)),
            Err(gap @ Gap::Absent(_)) => Err(match self.eval(right, scope) {
                Ok(_) => gap,
                Err(other) => gap.worse(other),
            }),
            Err(gap) => Err(gap),
        }
    }

    /// `&&` and `||`: the first part that decides alone, else a gap if there was one.
    ///
    /// What did not decide is no evidence: of `a || b` with `b` true, only what `b` read.
    fn decide(&self, parts: impl Iterator<Item = Evaluated<'a>>, decisive: bool) -> Evaluated<'a> {
        let mut gap: Option<Gap> = None;
        let start = self.judgement.mark();
        let mut parts = parts;
        loop {
            let mark = self.judgement.mark();
            let Some(part) = parts.next() else { break };
            match part.and_then(truth) {
                Ok(value) if value == decisive => {
                    self.keep_only(start, mark);
                    return Ok(Value::Bool(decisive));
                }
                Ok(_) => {}
                Err(found) => gap = Some(gap.map_or(found.clone(), |g| g.worse(found))),
            }
        }
        gap.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    /// Of what was read since `start`, keeps only what was read since `mark`.
    fn keep_only(&self, start: usize, mark: usize) {
        if let Some(evidence) = &self.judgement.evidence {
            evidence.borrow_mut().drain(start..mark);
        }
    }

    fn items(&self, over: &'a Node, scope: Option<&Scope<'_, 'a>>) -> Result<Items<'a>, Gap> {
        Ok(match self.eval(over, scope)? {
            Value::List(items) => items,
            Value::Map(map, _) => {
                let keys: Vec<_> =
                    map.keys().into_iter().map(|k| Value::Str(Cow::Owned(k.to_owned()))).collect();
                self.spend(keys.len() as u64)?;
                Items::Made(Rc::new(Made { items: keys, unread: map.unread().to_vec() }))
            }
            _ => return Err(Gap::Failed("a macro was asked of what is no list; please report this".into())),
        })
    }

    fn each(
        &self,
        node: &Node,
        each: Each,
        over: &'a Node,
        slot: usize,
        test: &'a Node,
        scope: Option<&Scope<'_, 'a>>,
    ) -> Evaluated<'a> {
        let items = self.items(over, scope)?;
        let (of_fact, at) = items.origin();
        let start = self.judgement.mark();
        let mut gap: Option<Gap> = None;
        let mut note = |found: Gap| gap = Some(gap.take().map_or(found.clone(), |g| g.worse(found)));
        let mut made = Made::default();
        let mut count = 0;
        for item in items.iter() {
            let mark = self.judgement.mark();
            let kept = item.map_err(|missing| Gap::of(missing, || self.source(over)));
            let tested = kept.and_then(|value| {
                let inner = Scope { slot, value, of_fact, at, up: scope };
                let holds = self.eval(test, Some(&inner)).and_then(truth)?;
                Ok((holds, inner.value))
            });
            let holds = match tested {
                Ok((holds, value)) => {
                    if holds && each == Each::Filter {
                        made.items.push(value);
                    }
                    Some(holds)
                }
                Err(Gap::Unreadable(why)) if each == Each::Filter => {
                    made.unread.push(why);
                    None
                }
                Err(Gap::Absent(_)) if each == Each::Filter => None,
                Err(found) => {
                    note(found);
                    None
                }
            };
            match (each, holds) {
                (Each::All, Some(false)) => {
                    self.keep_only(start, mark);
                    return Ok(Value::Bool(false));
                }
                (Each::Exists, Some(true)) => {
                    self.keep_only(start, mark);
                    return Ok(Value::Bool(true));
                }
                (Each::ExistsOne | Each::Filter, Some(true)) if count < MAX_ITEMS_SHOWN => count += 1,
                (Each::ExistsOne | Each::Filter, Some(true)) => {
                    count += 1;
                    self.judgement.forget(mark);
                }
                _ => self.judgement.forget(mark),
            }
        }
        if each == Each::Filter {
            if let Some(failed) = gap {
                return Err(failed);
            }
            made.unread.extend_from_slice(items.unread());
            return Ok(Value::List(Items::Made(Rc::new(made))));
        }
        // More than one is more than one, whatever else there may be.
        if each != Each::ExistsOne || count < 2 {
            if let Some(why) = items.unread().first() {
                note(Gap::Unreadable(why.clone()));
            }
            if let Some(gap) = gap {
                return Err(gap);
            }
        }
        let value = Value::Bool(match each {
            Each::All => true,
            Each::ExistsOne => count == 1,
            _ => false,
        });
        // Nothing decided alone: the list as a whole is the evidence.
        self.seen(node, &value, at);
        Ok(value)
    }

    fn map(
        &self,
        over: &'a Node,
        slot: usize,
        test: Option<&'a Node>,
        make: &'a Node,
        scope: Option<&Scope<'_, 'a>>,
    ) -> Evaluated<'a> {
        let items = self.items(over, scope)?;
        let (of_fact, at) = items.origin();
        let mut made = Made { items: Vec::new(), unread: items.unread().to_vec() };
        for item in items.iter() {
            let mark = self.judgement.mark();
            let value = item.map_err(|missing| Gap::of(missing, || self.source(over))).and_then(|value| {
                let inner = Scope { slot, value, of_fact, at, up: scope };
                if let Some(test) = test
                    && !truth(self.eval(test, Some(&inner))?)?
                {
                    return Ok(None);
                }
                self.eval(make, Some(&inner)).map(Some)
            });
            match value {
                Ok(Some(value)) => {
                    made.items.push(value);
                    if made.items.len() > MAX_ITEMS_SHOWN {
                        self.judgement.forget(mark);
                    }
                }
                Ok(None) | Err(Gap::Absent(_)) => self.judgement.forget(mark),
                Err(Gap::Unreadable(why)) => made.unread.push(why),
                Err(failed) => return Err(failed),
            }
        }
        Ok(Value::List(Items::Made(Rc::new(made))))
    }

    fn top(&self, list: &'a Node, field: usize, n: &'a Node, scope: Option<&Scope<'_, 'a>>) -> Evaluated<'a> {
        let items = self.items(list, scope)?;
        let Value::Int(n) = self.eval(n, scope)? else {
            return Err(Gap::Failed("top wants a whole number".into()));
        };
        self.spend(items.len() as u64)?;
        let mut made = Made { items: Vec::new(), unread: items.unread().to_vec() };
        let mut ranked = Vec::new();
        for item in items.iter() {
            match item.map_err(|missing| Gap::of(missing, || self.source(list))) {
                Ok(value @ Value::Record(record, _)) => match record.get(field) {
                    Ok(view) => ranked.push((number(&Value::of(view, None))?, value)),
                    Err(Missing::Unreadable(why)) => made.unread.push(why),
                    Err(Missing::Absent) => {}
                },
                Err(Gap::Unreadable(why)) => made.unread.push(why),
                _ => {}
            }
        }
        // Stable: of equals the first stays first, so the report does not depend on chance.
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let n = usize::try_from(n).unwrap_or(0);
        made.items = ranked.into_iter().take(n).map(|(_, value)| value).collect();
        Ok(Value::List(Items::Made(Rc::new(made))))
    }
}

impl Run<'_, '_> {
    fn compare(&self, op: BinaryOp, left: &Value<'_>, right: &Value<'_>) -> Result<bool, Gap> {
        if matches!(op, BinaryOp::Eq | BinaryOp::Ne) {
            return Ok(self.equal(left, right)? == (op == BinaryOp::Eq));
        }
        let order = match (left, right) {
            (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (a, b) => match (a.as_str(), b.as_str()) {
                (Some(a), Some(b)) => Some(a.cmp(b)),
                _ => numbers_in_order(a, b)?,
            },
        };
        Ok(match op {
            BinaryOp::Lt => order == Some(Ordering::Less),
            BinaryOp::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            BinaryOp::Gt => order == Some(Ordering::Greater),
            _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        })
    }

    fn equal(&self, left: &Value<'_>, right: &Value<'_>) -> Result<bool, Gap> {
        self.spend(1)?;
        match (left, right) {
            (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
            (Value::List(a), Value::List(b)) => self.equal_lists(a, b),
            (a, b) => match (a.as_str(), b.as_str()) {
                (Some(a), Some(b)) => Ok(a == b),
                // A text in a list, beside a number.
                (Some(text), None) => Ok(same_number(text, b)?),
                (None, Some(text)) => Ok(same_number(text, a)?),
                _ => Ok(numbers_in_order(a, b)? == Some(Ordering::Equal)),
            },
        }
    }

    fn equal_lists(&self, left: &Items<'_>, right: &Items<'_>) -> Result<bool, Gap> {
        if let Some(why) = left.unread().iter().chain(right.unread()).next() {
            return Err(Gap::Unreadable(why.clone()));
        }
        if left.len() != right.len() {
            return Ok(false);
        }
        let mut gap: Option<Gap> = None;
        for (a, b) in left.iter().zip(right.iter()) {
            let item = |missing| Gap::of(missing, || "an item of a list".into());
            match a.and_then(|a| Ok((a, b?))).map_err(item) {
                Ok((a, b)) if !self.equal(&a, &b)? => return Ok(false),
                Ok(_) => {}
                Err(found) => gap = Some(gap.map_or(found.clone(), |g| g.worse(found))),
            }
        }
        gap.map_or(Ok(true), Err)
    }

    fn contained(&self, left: &Value<'_>, right: &Value<'_>) -> Result<bool, Gap> {
        let mut gap: Option<Gap> = None;
        let unread = match right {
            Value::Map(map, _) => {
                let keys = map.keys();
                self.spend(keys.len() as u64)?;
                if keys.iter().any(|key| Some(*key) == left.as_str()) {
                    return Ok(true);
                }
                map.unread()
            }
            Value::List(items) => {
                for item in items.iter() {
                    match item.map_err(|missing| Gap::of(missing, || "an item of the list".into())) {
                        Ok(item) if self.equal(left, &item)? => return Ok(true),
                        Ok(_) => {}
                        Err(found) => gap = Some(gap.map_or(found.clone(), |g| g.worse(found))),
                    }
                }
                items.unread()
            }
            _ => &[],
        };
        if let Some(why) = unread.first() {
            let found = Gap::Unreadable(why.clone());
            gap = Some(gap.map_or(found.clone(), |g| g.worse(found)));
        }
        gap.map_or(Ok(false), Err)
    }
}

/// Whether the text is this number; one that is no number is none.
fn same_number(text: &str, number: &Value<'_>) -> Result<bool, Gap> {
    match parse_number(text) {
        Some(found) => Ok(numbers_in_order(&found, number)? == Some(Ordering::Equal)),
        None => Ok(false),
    }
}

/// The value of a literal.
pub(super) fn constant(node: &Node) -> Value<'_> {
    match &node.kind {
        NodeKind::Int(i) => Value::Int(*i),
        NodeKind::Double(d) => Value::Double(*d),
        NodeKind::Str(s) => Value::Str(Cow::Borrowed(s)),
        NodeKind::Bool(b) => Value::Bool(*b),
        _ => Value::Bool(false),
    }
}

fn truth(value: Value<'_>) -> Result<bool, Gap> {
    match value {
        Value::Bool(b) => Ok(b),
        other => Err(Gap::Failed(format!("`{other}` is no bool"))),
    }
}

fn too_large() -> Gap {
    Gap::Failed("a number became larger than 64 bits".into())
}

/// What a value costs to make or to walk.
fn cost(value: &Value<'_>) -> u64 {
    match value {
        Value::List(items) => items.len() as u64,
        Value::Str(s) | Value::Text(s) => s.len() as u64 / 16,
        _ => 0,
    }
}

fn arith<'a>(op: BinaryOp, left: &Value<'a>, right: &Value<'a>, ty: &Ty) -> Evaluated<'a> {
    match (left, right) {
        (Value::Str(_) | Value::Text(_), Value::Str(_) | Value::Text(_)) => {
            let joined = format!("{left}{right}");
            short_enough(joined.len())?;
            Ok(Value::Str(Cow::Owned(joined)))
        }
        (Value::List(a), Value::List(b)) => {
            let mut made = Made { items: Vec::new(), unread: [a.unread(), b.unread()].concat() };
            for item in a.iter().chain(b.iter()) {
                made.items.push(item.map_err(|missing| Gap::of(missing, || "an item".into()))?);
            }
            Ok(Value::List(Items::Made(Rc::new(made))))
        }
        (a, b) => calculated(op, a, b, ty),
    }
}

/// A number out of two: whole if both are and the type is; exact as long as it can be.
fn calculated<'a>(op: BinaryOp, left: &Value<'a>, right: &Value<'a>, ty: &Ty) -> Evaluated<'a> {
    let (a, b) = (number(left)?, number(right)?);
    if b == 0.0 && matches!(op, BinaryOp::Div | BinaryOp::Rem) {
        return Err(Gap::Failed("division by zero".into()));
    }
    if let (Value::Int(a), Value::Int(b)) = (left, right) {
        let whole = match op {
            BinaryOp::Add => a.checked_add(*b),
            BinaryOp::Sub => a.checked_sub(*b),
            BinaryOp::Mul => a.checked_mul(*b),
            BinaryOp::Div if matches!(ty, Ty::Double) => None,
            BinaryOp::Div => a.checked_div(*b),
            _ => a.checked_rem(*b),
        };
        match whole {
            Some(whole) => return Ok(Value::Int(whole)),
            // Of type double are also whole numbers: a limit, a text taken as a number.
            None if matches!(ty, Ty::Double) => {}
            None => return Err(too_large()),
        }
    }
    let result = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        _ => a % b,
    };
    // Every comparison with "not a number" is false: a rule would pass for want of a value.
    match result.is_nan() {
        true => Err(Gap::Failed(format!("{left} {} {right} has no value", op.symbol()))),
        false => Ok(Value::Double(result)),
    }
}

/// The order of two numbers, exactly even where an int and a double meet; `None` with a NaN.
pub(super) fn numbers_in_order(left: &Value<'_>, right: &Value<'_>) -> Result<Option<Ordering>, Gap> {
    Ok(match (left, right) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Double(b)) => int_with_double(*a, *b),
        (Value::Double(a), Value::Int(b)) => int_with_double(*b, *a).map(Ordering::reverse),
        (a, b) => number(a)?.partial_cmp(&number(b)?),
    })
}

fn int_with_double(int: i64, double: f64) -> Option<Ordering> {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        return None;
    }
    if double >= TWO_63 {
        return Some(Ordering::Less);
    }
    if double < -TWO_63 {
        return Some(Ordering::Greater);
    }
    let whole = double.trunc();
    let order = int.cmp(&(whole as i64));
    Some(order.then_with(|| whole.partial_cmp(&double).unwrap_or(Ordering::Equal)))
}
