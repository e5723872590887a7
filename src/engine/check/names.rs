//! What an expression may name: constants, variables, names of `[let]`, and the facts.

use super::super::node::{Node, NodeKind};
use super::super::syntax::ExprError;
use super::super::ty::Ty;
use std::collections::BTreeMap;

/// A constant of `[params]`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) enum Param {
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(String),
    List(Vec<Param>),
}

impl Param {
    /// The constant that a TOML value is, if it can be one.
    pub(in crate::engine) fn of(value: &toml::Value) -> Option<Self> {
        Some(match value {
            toml::Value::Boolean(b) => Self::Bool(*b),
            toml::Value::Integer(i) => Self::Int(*i),
            toml::Value::Float(d) if !d.is_nan() => Self::Double(*d),
            toml::Value::String(s) => Self::Str(s.clone()),
            toml::Value::Array(items) => Self::List(items.iter().map(Self::of).collect::<Option<_>>()?),
            _ => return None,
        })
    }
}

/// What an expression may name, beside the facts.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Names {
    /// `params.…`
    pub(super) params: BTreeMap<String, Param>,
    /// Variables, outermost first: the rule's item, then those of macros.
    pub(in crate::engine) slots: Vec<(String, Ty)>,
    /// Names of `[let]`, in order.
    pub(super) lets: Vec<Let>,
    /// Whether no mistake is looked for in patterns, as the rule was checked when hostvet was built.
    pub(super) known_right: bool,
}

/// A name of `[let]`.
#[derive(Clone, Debug)]
pub(super) struct Let {
    pub(super) name: String,
    pub(super) ty: Ty,
    pub(super) height: usize,
}

/// Names that mean something already and cannot be variables.
const RESERVED: [&str; 7] = ["params", "has", "in", "not", "true", "false", "null"];

impl Names {
    pub(in crate::engine) fn new(params: BTreeMap<String, Param>, known_right: bool) -> Self {
        Self { params, known_right, ..Self::default() }
    }

    /// Enters a name of `[let]`, and what it stands for.
    pub(in crate::engine) fn add_let(&mut self, name: &str, node: &Node) {
        let height = self.height(node);
        self.lets.push(Let { name: name.to_owned(), ty: node.ty.clone(), height });
    }

    /// Whether the name means something already in this rule. One that is also a fact's hides the fact: else a rule would
    /// break when hostvet comes to know a fact of a name that the rule has long used.
    pub(in crate::engine) fn is_taken(&self, name: &str) -> bool {
        self.variables().any(|n| n == name) || RESERVED.contains(&name)
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        let slots = self.slots.iter().map(|(name, _)| name.as_str());
        slots.chain(self.lets.iter().map(|l| l.name.as_str()))
    }

    pub(super) fn height(&self, node: &Node) -> usize {
        let mut highest = 0;
        if let NodeKind::Let(position) = node.kind {
            highest = self.lets[position].height;
        }
        node.any_below(&mut |below| {
            highest = highest.max(self.height(below));
            false
        });
        highest + 1
    }
}

/// The error with the nearest known name as its help; `Err` gives it back where none is near.
pub(super) fn suggest<'k>(
    error: ExprError,
    name: &str,
    known: impl Iterator<Item = &'k str>,
) -> Result<ExprError, ExprError> {
    match nearest(name, known) {
        Some(found) => Ok(error.help(format!("did you mean `{found}`?"))),
        None => Err(error),
    }
}

pub(super) fn either<T>(result: Result<T, T>) -> T {
    match result {
        Ok(t) | Err(t) => t,
    }
}

/// The known name that is most like this one, if any is like it at all.
pub fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known
        .map(|k| (strsim::damerau_levenshtein(&name.to_lowercase(), &k.to_lowercase()), k))
        .filter(|(distance, k)| *distance <= 1 + k.len().min(name.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}
