//! One node for another: a record's bare field, a text as a number, a constant of `[params]`.

use super::super::node::{Node, NodeKind};
use super::super::syntax::ExprError;
use super::super::ty::Ty;
use super::{Checked, Param};
use std::ops::Range;

pub(super) fn constant(param: &Param, span: Range<usize>) -> Checked {
    let (kind, ty) = match param {
        Param::Bool(b) => (NodeKind::Bool(*b), Ty::Bool),
        Param::Int(i) => (NodeKind::Int(*i), Ty::Int),
        Param::Double(d) => (NodeKind::Double(*d), Ty::Double),
        Param::Str(s) => (NodeKind::Str(s.clone()), Ty::Str),
        Param::List(items) => {
            let nodes: Result<Vec<_>, _> = items.iter().map(|item| constant(item, span.clone())).collect();
            let nodes = nodes?;
            let mut ty = Ty::Any;
            for node in &nodes {
                ty = ty
                    .join(&node.ty)
                    .ok_or_else(|| ExprError::new(span.clone(), "the items of this list differ in type"))?;
            }
            (NodeKind::List(nodes), Ty::list(ty))
        }
    };
    Ok(Node { kind, ty, span })
}

/// The node without its `optional`, and whether it had one.
pub(super) fn unwrapped(node: Node) -> (Node, bool) {
    match &node.ty {
        Ty::Optional(of) => (Node { ty: (**of).clone(), ..node }, true),
        _ => (node, false),
    }
}

pub(super) fn made_optional(node: Node) -> Node {
    match node.ty {
        Ty::Optional(_) => node,
        ty => Node { ty: Ty::Optional(std::sync::Arc::new(ty)), ..node },
    }
}

/// A record's bare field in its stead, as often as needed until it fits; the node itself if it never does.
pub(super) fn plain(node: Node, fits: fn(&Ty) -> bool) -> Node {
    let mut steps = Vec::new();
    let mut ty = node.ty.clone();
    while !fits(&ty) {
        let Ty::Record(shape) = ty else { return node };
        let Some(position) = shape.bare else { return node };
        ty = shape.fields[position].ty.into();
        steps.push((position, ty.clone()));
    }
    steps.into_iter().fold(node, |of, (position, ty)| {
        let span = of.span.clone();
        Node { kind: NodeKind::Field { of: Box::new(of), position }, ty, span }
    })
}

pub(super) fn bare_scalar(node: Node) -> Node {
    plain(node, Ty::is_scalar)
}

/// A text becomes the number it holds.
pub(super) fn numeric(node: Node) -> Node {
    match node.ty {
        Ty::Text => {
            let span = node.span.clone();
            Node { kind: NodeKind::Number(Box::new(node)), ty: Ty::Double, span }
        }
        _ => node,
    }
}

/// A text that stands beside a number is meant as one.
pub(super) fn beside(node: Node, other: &Ty) -> Node {
    if other.is_surely_number() { numeric(node) } else { node }
}

/// Two nodes of which either may become the value.
pub(super) fn alike(a: Node, b: Node) -> (Node, Node) {
    let (a_ty, b_ty) = (a.ty.clone(), b.ty.clone());
    (beside(a, &b_ty), beside(b, &a_ty))
}
