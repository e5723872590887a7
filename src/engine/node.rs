//! The tree of an expression once every name and type in it is known: what is evaluated.

use super::functions::{Function, glob, regex};
use super::syntax::BinaryOp;
use super::ty::Ty;
use globset::GlobMatcher;
use regex::Regex;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// A checked expression with its text.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// As it was written.
    pub(super) text: Arc<str>,
    pub(super) root: Node,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) ty: Ty,
    pub(super) span: Range<usize>,
}

#[derive(Clone, Debug)]
pub(super) enum NodeKind {
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(String),
    List(Vec<Node>),
    /// A fact, by its position in `fact::kinds()`.
    Fact(usize),
    /// A variable: the rule's item, or that of a macro.
    Slot(usize),
    /// A name of `[let]`, by its position.
    Let(usize),
    Field {
        of: Box<Node>,
        position: usize,
    },
    Index {
        of: Box<Node>,
        key: Box<Node>,
    },
    /// Whether there is such a value.
    Has(Box<Node>),
    OrValue(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Neg(Box<Node>),
    /// A text where a number is wanted.
    Number(Box<Node>),
    Arith(BinaryOp, Box<Node>, Box<Node>),
    Compare(BinaryOp, Box<Node>, Box<Node>),
    In(Box<Node>, Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Cond(Box<Node>, Box<Node>, Box<Node>),
    Each {
        each: Each,
        over: Box<Node>,
        slot: usize,
        test: Box<Node>,
    },
    /// `map`, with or without a filter.
    Map {
        over: Box<Node>,
        slot: usize,
        test: Option<Box<Node>>,
        make: Box<Node>,
    },
    /// A pattern known at load.
    Matches(Box<Node>, Pattern),
    /// `top(list, 'field', n)`, the field by its position.
    Top {
        list: Box<Node>,
        field: usize,
        n: Box<Node>,
    },
    Call(Function, Vec<Node>),
}

/// A pattern, compiled when it is first needed: few of those in the rules that come with hostvet ever are.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    is_glob: bool,
    compiled: OnceLock<Result<Compiled, String>>,
}

#[derive(Clone, Debug)]
enum Compiled {
    Regex(Regex),
    Glob(GlobMatcher),
}

impl Pattern {
    pub(super) fn regex(text: &str) -> Self {
        Self { text: text.to_owned(), is_glob: false, compiled: OnceLock::new() }
    }

    pub(super) fn glob(text: &str) -> Self {
        Self { is_glob: true, ..Self::regex(text) }
    }

    fn compiled(&self) -> Result<&Compiled, String> {
        let compile = || match self.is_glob {
            true => glob(&self.text).map(Compiled::Glob),
            false => regex(&self.text).map(Compiled::Regex),
        };
        self.compiled.get_or_init(compile).as_ref().map_err(Clone::clone)
    }

    /// What is wrong with it, if anything is.
    pub(super) fn mistake(&self) -> Option<String> {
        self.compiled().err()
    }

    pub(super) fn is_match(&self, text: &str) -> Result<bool, String> {
        Ok(match self.compiled()? {
            Compiled::Regex(regex) => regex.is_match(text),
            Compiled::Glob(glob) => glob.is_match(text),
        })
    }
}

/// Macros that ask something of every item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Each {
    All,
    Exists,
    ExistsOne,
    Filter,
}

impl Program {
    /// The part of the text that this program was made of, on one line.
    pub(super) fn source(&self) -> String {
        let text = self.text.get(self.root.span.clone()).unwrap_or(&self.text);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Node {
    /// Whether any of the nodes directly below is such a one.
    pub(super) fn any_below<'a>(&'a self, is: &mut dyn FnMut(&'a Node) -> bool) -> bool {
        match &self.kind {
            NodeKind::Bool(_)
            | NodeKind::Int(_)
            | NodeKind::Double(_)
            | NodeKind::Str(_)
            | NodeKind::Fact(_)
            | NodeKind::Slot(_)
            | NodeKind::Let(_) => false,
            NodeKind::List(items) | NodeKind::And(items) | NodeKind::Or(items) | NodeKind::Call(_, items) => {
                items.iter().any(is)
            }
            NodeKind::Field { of, .. }
            | NodeKind::Has(of)
            | NodeKind::Not(of)
            | NodeKind::Neg(of)
            | NodeKind::Number(of)
            | NodeKind::Matches(of, _) => is(of),
            NodeKind::Index { of, key } => is(of) || is(key),
            NodeKind::OrValue(a, b)
            | NodeKind::Arith(_, a, b)
            | NodeKind::Compare(_, a, b)
            | NodeKind::In(a, b) => is(a) || is(b),
            NodeKind::Cond(a, b, c) => is(a) || is(b) || is(c),
            NodeKind::Each { over, test, .. } => is(over) || is(test),
            NodeKind::Map { over, test, make, .. } => {
                is(over) || test.as_deref().is_some_and(&mut *is) || is(make)
            }
            NodeKind::Top { list, n, .. } => is(list) || is(n),
        }
    }

    /// Whether it asks for a field that takes two readings of the host's counters.
    pub(super) fn is_sampled(&self) -> bool {
        let is_sampled = |of: &Ty, position: usize| match of {
            Ty::Record(shape) => shape.fields.get(position).is_some_and(|field| field.sampled),
            _ => false,
        };
        match &self.kind {
            NodeKind::Field { of, position } => is_sampled(&of.ty, *position),
            NodeKind::Top { list, field, .. } => match &list.ty {
                Ty::List(of) => is_sampled(of, *field),
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether any node of the tree is such a one.
    pub(super) fn any(&self, is: &mut dyn FnMut(&Self) -> bool) -> bool {
        is(self) || self.any_below(&mut |below| below.any(is))
    }
}
