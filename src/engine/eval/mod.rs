//! Evaluation, in three values: what is absent or unreadable spreads, unless the rest decides alone.

mod arith;
mod compare;
mod judgement;
mod lists;

pub(super) use compare::numbers_in_order;
pub use judgement::Evidence;
pub(super) use judgement::{Judgement, SharedNames};

use super::functions::{number, parse_number};
use super::node::{Node, NodeKind};
use super::value::{Evaluated, Gap, Items, Value};
use crate::model::FieldShape;
use crate::source::{At, Reason, TargetKind, Unreadable};
use arith::{arith, too_large};
use std::borrow::Cow;

/// How many nodes one judgement of one rule may visit. A rule over 10 000 processes with a nested loop over
/// as many would need more; every shipped rule needs less than a hundredth on the largest hosts seen.
const MAX_STEPS: u64 = 20_000_000;

/// Variables of macros, innermost first; the rule's item is slot 0 where there is one.
struct Scope<'s, 'a> {
    slot: usize,
    value: Value<'a>,
    /// Whether the value is one of a fact's list, not one that the expression made.
    of_fact: bool,
    at: Option<&'a At>,
    up: Option<&'s Scope<'s, 'a>>,
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
                // A scalar that is there has been noted itself, and of a list that is there its items say more.
                if matches!(has, Value::Bool(false)) {
                    self.seen(node, &has, None);
                }
                Ok(has)
            }
            NodeKind::OrValue(of, other) => match self.eval(of, scope) {
                Err(Gap::Absent(_)) => {
                    let value = self.eval(other, scope)?;
                    self.not_seen(node, of);
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
                pattern.is_match(text).map(Value::Bool).map_err(Gap::Failed)
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
        match text.contains(char::is_whitespace) {
            true => text.split_whitespace().collect::<Vec<_>>().join(" "),
            false => text.to_owned(),
        }
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
            self.judgement.record(self.shown(node), Some(value), at);
        }
    }

    /// Notes that there was no value. Not where it would have taken two readings: that is no finding about the host.
    fn not_seen(&self, node: &Node, of: &Node) {
        let asked = || self.judgement.facts.host().earlier.is_some() || !of.any(&mut Node::is_sampled);
        if self.judgement.evidence.is_some() && node.ty.is_scalar() && asked() {
            self.judgement.record(self.shown(of), None, None);
        }
    }

    /// The expression as evidence has it.
    fn shown(&self, node: &Node) -> String {
        let source = self.source(node);
        // That a value might have been absent is no part of what was found. A pattern may hold these signs too.
        match node.kind {
            NodeKind::Field { .. } | NodeKind::Index { .. } if source.contains('?') => {
                source.replace(".?", ".").replace("[?", "[")
            }
            _ => source,
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
        let value = value.map_err(|missing| {
            Gap::of(missing, || self.source(node) + self.needs(record.shape().fields.get(position)))
        })?;
        self.seen(node, &value, at);
        Ok(value)
    }

    /// What would be needed for a field that is absent, as a part of that sentence.
    fn needs(&self, field: Option<&FieldShape>) -> &'static str {
        let host = self.judgement.facts.host();
        match field.is_some_and(|field| field.sampled) && host.earlier.is_none() {
            false => "",
            true if host.target.kind == TargetKind::Live => " (needs two readings: --sample 1s)",
            true => " (needs two readings)",
        }
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

/// What a value costs to make or to walk.
fn cost(value: &Value<'_>) -> u64 {
    match value {
        Value::List(items) => items.len() as u64,
        Value::Str(s) | Value::Text(s) => s.len() as u64 / 16,
        _ => 0,
    }
}
