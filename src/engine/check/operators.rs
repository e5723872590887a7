//! What stands on both sides of an operator, and what comes of it.

use super::super::functions::parse_number;
use super::super::node::{Node, NodeKind};
use super::super::syntax::{BinaryOp, ExprError};
use super::super::ty::Ty;
use super::convert::{alike, bare_scalar, beside, made_optional, numeric, plain, unwrapped};
use super::names::suggest;
use super::{Checked, mistyped};
use std::ops::Range;

pub(super) fn index(of: Node, key: Node, span: Range<usize>) -> Checked {
    let (of, optional) = unwrapped(of);
    let of = plain(of, |ty| matches!(ty, Ty::List(_) | Ty::Map(_)));
    let key = bare_scalar(key);
    let ty = match &of.ty {
        Ty::List(item) if matches!(key.ty, Ty::Int) => (**item).clone(),
        Ty::Map(value) if key.ty.is_string() => (**value).clone(),
        Ty::List(_) => {
            return Err(ExprError::new(
                key.span,
                format!("a list is indexed by an int, and this is {}", key.ty),
            ));
        }
        Ty::Map(_) => {
            return Err(ExprError::new(
                key.span,
                format!("a map is indexed by a string, and this is {}", key.ty),
            ));
        }
        other => return Err(ExprError::new(of.span, format!("{other} cannot be indexed"))),
    };
    let item = Node { kind: NodeKind::Index { of: Box::new(of), key: Box::new(key) }, ty, span };
    Ok(if optional { made_optional(item) } else { item })
}

pub(super) fn contained(left: Node, right: Node, span: Range<usize>) -> Checked {
    let left = bare_scalar(left);
    let right = plain(right, |ty| matches!(ty, Ty::List(_) | Ty::Map(_)));
    let items = match &right.ty {
        Ty::List(of) => (**of).clone(),
        Ty::Map(_) => Ty::Str,
        other => {
            return Err(ExprError::new(
                right.span,
                format!("`in` wants a list or map here, and this is {other}"),
            ));
        }
    };
    if !comparable(&left.ty, &items) {
        let message = format!("this is {}, and the items are {items}", left.ty);
        return Err(mistyped(left.span, message, &left.ty));
    }
    if let (Ty::Word(words), NodeKind::List(literals)) = (&left.ty, &right.kind) {
        for literal in literals {
            known_word(words, literal)?;
        }
    }
    // Texts are compared as what they stand beside.
    let left = beside(left, &items);
    Ok(Node { kind: NodeKind::In(Box::new(left), Box::new(right)), ty: Ty::Bool, span })
}

fn comparable(a: &Ty, b: &Ty) -> bool {
    let number = |ty: &Ty| ty.is_number() || matches!(ty, Ty::Text);
    match (a, b) {
        (Ty::Any, _) | (_, Ty::Any) | (Ty::Bool, Ty::Bool) => true,
        (Ty::List(a), Ty::List(b)) => comparable(a, b),
        (a, b) => (a.is_string() && b.is_string()) || (number(a) && number(b)),
    }
}

pub(super) fn compare(op: BinaryOp, left: Node, right: Node, span: Range<usize>) -> Checked {
    let side = |node: Node| plain(node, |ty| ty.is_scalar() || matches!(ty, Ty::List(_)));
    let (left, right) = (side(left), side(right));
    let equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
    if !comparable(&left.ty, &right.ty) || (!equality && matches!(left.ty, Ty::List(_))) {
        let error = ExprError::new(span, format!("{} cannot be compared with {}", left.ty, right.ty));
        return Err(match (&left.ty, &right.ty) {
            (Ty::Optional(_), _) | (_, Ty::Optional(_)) => {
                error.help("say what holds if it is absent: .orValue(…)")
            }
            _ => error,
        });
    }
    for (word, literal) in [(&left, &right), (&right, &left)] {
        if let Ty::Word(words) = word.ty {
            known_word(words, literal)?;
        }
    }
    let (left, right) = match (&left.ty, &right.ty) {
        // Two texts: equal as they stand, in order as numbers.
        (Ty::Text, Ty::Text) if !equality => (numeric(left), numeric(right)),
        _ => alike(left, right),
    };
    if !equality {
        refuse_order_of_digits(&left, &right)?;
        refuse_order_of_digits(&right, &left)?;
    }
    Ok(Node { kind: NodeKind::Compare(op, Box::new(left), Box::new(right)), ty: Ty::Bool, span })
}

/// Refuses `release < '6.1'`: strings are in order letter by letter, so that '6.10' would come before '6.9'.
fn refuse_order_of_digits(literal: &Node, other: &Node) -> Result<(), ExprError> {
    match (&literal.kind, &other.kind) {
        (_, NodeKind::Str(_)) => Ok(()),
        (NodeKind::Str(digits), _) if parse_number(digits).is_some() => {
            let message = "strings are in order letter by letter, so that '10' comes before '9'";
            let help = match other.ty {
                Ty::Text => format!("compare with the number: {digits}"),
                _ => "compare numbers: int(x), double(x)".to_owned(),
            };
            Err(ExprError::new(literal.span.clone(), message).help(help))
        }
        _ => Ok(()),
    }
}

/// Refuses a string literal that the other side can never be.
fn known_word(words: &'static [(&'static str, &'static str)], literal: &Node) -> Result<(), ExprError> {
    if let NodeKind::Cond(_, yes, no) = &literal.kind {
        known_word(words, yes)?;
        return known_word(words, no);
    }
    let NodeKind::Str(word) = &literal.kind else { return Ok(()) };
    if words.iter().any(|(w, _)| w == word) {
        return Ok(());
    }
    let known = words.iter().map(|(w, _)| *w);
    let error = ExprError::new(literal.span.clone(), format!("it is never '{word}'"));
    Err(suggest(error, word, known.clone())
        .unwrap_or_else(|e| e.help(format!("it is one of {}", known.collect::<Vec<_>>().join(", ")))))
}

pub(super) fn arith(op: BinaryOp, left: Node, right: Node, span: Range<usize>) -> Checked {
    let side = |node: Node| plain(node, |ty| ty.is_scalar() || matches!(ty, Ty::List(_)));
    let (left, right) = (side(left), side(right));
    let number = |ty: &Ty| ty.is_number() || matches!(ty, Ty::Text);
    let (left, right, ty) = match (op, &left.ty, &right.ty) {
        (_, a, b) if number(a) && number(b) => {
            let (left, right) = (numeric(left), numeric(right));
            let ty = if matches!((&left.ty, &right.ty), (Ty::Int, Ty::Int)) { Ty::Int } else { Ty::Double };
            (left, right, ty)
        }
        (BinaryOp::Add, a, b) if a.is_string() && b.is_string() => (left, right, Ty::Str),
        (BinaryOp::Add, a @ Ty::List(_), b) if a.join(b).is_some() => {
            let ty = a.join(b).unwrap_or(Ty::Any);
            (left, right, ty)
        }
        (_, a, b) => {
            let error = ExprError::new(span, format!("`{}` does not go between {a} and {b}", op.symbol()));
            return Err(match (op, a, b) {
                (_, Ty::Optional(_), _) | (_, _, Ty::Optional(_)) => {
                    error.help("say what holds if it is absent: .orValue(…)")
                }
                (BinaryOp::Add, a, b) if a.is_string() || b.is_string() => {
                    error.help("string(x) makes a string of a number; a template {x} needs none")
                }
                _ => error,
            });
        }
    };
    Ok(Node { kind: NodeKind::Arith(op, Box::new(left), Box::new(right)), ty, span })
}
