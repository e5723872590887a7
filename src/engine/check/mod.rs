//! Names and types: a tree of words becomes a tree that can be evaluated, or an error that points at the word.

mod calls;
mod convert;
mod names;
mod operators;

pub use calls::function_names;
pub use names::nearest;
pub(super) use names::{Names, Param};

use super::functions::Arg;
use super::node::{Node, NodeKind};
use super::syntax::{BinaryOp, Expr, ExprError, ExprKind, MAX_DEPTH};
use super::ty::Ty;
use crate::fact;
use calls::MACROS;
use convert::{alike, bare_scalar, beside, constant, made_optional, numeric, plain, unwrapped};
use names::{either, suggest};
use operators::{arith, compare, contained, index};
use std::ops::Range;

type Checked = Result<Node, ExprError>;

/// How deep evaluation may go: the tree, and the trees of the names in it. Bare fields and texts taken as numbers
/// add nodes that nobody wrote.
const MAX_HEIGHT: usize = 2 * MAX_DEPTH;

/// Checks an expression.
pub(super) fn check(expr: &Expr, names: &Names) -> Checked {
    let node = Checker { names, inner: Vec::new() }.check(expr)?;
    // Without names the parser's own bound is enough.
    if !names.lets.is_empty() && names.height(&node) > MAX_HEIGHT {
        let message = format!("this nests more than {MAX_HEIGHT} deep, with the names in it");
        return Err(ExprError::new(expr.span.clone(), message).help("build less upon one another in [let]"));
    }
    Ok(node)
}

/// Checks an expression that must be of the wanted kind; `what` says it in the error.
pub(super) fn check_as(expr: &Expr, names: &Names, fits: fn(&Ty) -> bool, what: &str) -> Checked {
    let node = plain(check(expr, names)?, fits);
    if fits(&node.ty) {
        return Ok(node);
    }
    Err(mistyped(expr.span.clone(), format!("this is {}, but {what} is wanted", node.ty), &node.ty))
}

/// A mistake in the type of a value; what may be absent has a remedy.
fn mistyped(span: Range<usize>, message: String, ty: &Ty) -> ExprError {
    let error = ExprError::new(span, message);
    match ty {
        Ty::Optional(_) => error.help("say what holds if it is absent: .orValue(…)"),
        _ => error,
    }
}

/// The node as it can stand in a sentence: a scalar, or a list of scalars.
pub(super) fn shown(node: Node) -> Checked {
    let (node, _) = unwrapped(node);
    let fits = |ty: &Ty| match ty {
        Ty::List(of) => of.is_scalar() || matches!(**of, Ty::Any),
        ty => ty.is_scalar(),
    };
    let node = plain(node, fits);
    if fits(&node.ty) {
        return Ok(node);
    }
    let error = ExprError::new(node.span, format!("{} cannot stand in a sentence", node.ty));
    Err(match node.ty {
        Ty::Record(_) => error.help("name one of its fields"),
        Ty::List(_) => error.help("make strings of its items: list.map(x, x.name)"),
        _ => error,
    })
}

struct Checker<'n> {
    names: &'n Names,
    /// The variables of the macros around what is checked, outermost first.
    inner: Vec<(String, Ty)>,
}

impl Checker<'_> {
    fn check(&mut self, expr: &Expr) -> Checked {
        let span = expr.span.clone();
        let done = |kind, ty| Ok(Node { kind, ty, span: span.clone() });
        match &expr.kind {
            ExprKind::Bool(b) => done(NodeKind::Bool(*b), Ty::Bool),
            ExprKind::Int(i) => done(NodeKind::Int(*i), Ty::Int),
            ExprKind::Double(d) => done(NodeKind::Double(*d), Ty::Double),
            ExprKind::Str(s) => done(NodeKind::Str(s.clone()), Ty::Str),
            ExprKind::List(items) => self.list(items, span),
            ExprKind::Ident(name) => self.ident(name, span),
            ExprKind::Member { of, name, name_span, optional } => {
                if matches!(&of.kind, ExprKind::Ident(params) if params == "params") {
                    return self.param(name, name_span, span);
                }
                let of = self.check(of)?;
                let field = self.field(of, name, name_span, span)?;
                Ok(if *optional { made_optional(field) } else { field })
            }
            ExprKind::Index { of, key, optional } => {
                let (of, key) = (self.check(of)?, self.check(key)?);
                let item = index(of, key, span)?;
                Ok(if *optional { made_optional(item) } else { item })
            }
            ExprKind::Not(of) => {
                let of = self.wanted(of, |ty| matches!(ty, Ty::Bool | Ty::Any), "a bool")?;
                done(NodeKind::Not(Box::new(of)), Ty::Bool)
            }
            ExprKind::Neg(of) => {
                let of = numeric(self.wanted(of, |ty| Arg::Number.accepts(ty), "a number")?);
                let ty = of.ty.clone();
                done(NodeKind::Neg(Box::new(of)), ty)
            }
            ExprKind::And(parts) => done(NodeKind::And(self.bools(parts)?), Ty::Bool),
            ExprKind::Or(parts) => done(NodeKind::Or(self.bools(parts)?), Ty::Bool),
            ExprKind::Cond(condition, yes, no) => {
                let condition = self.wanted(condition, |ty| matches!(ty, Ty::Bool), "a bool")?;
                let (yes, no) = alike(bare_scalar(self.check(yes)?), bare_scalar(self.check(no)?));
                let ty = yes.ty.join(&no.ty).ok_or_else(|| {
                    ExprError::new(
                        no.span.clone(),
                        format!("this is {}, but the other branch is {}", no.ty, yes.ty),
                    )
                })?;
                done(NodeKind::Cond(Box::new(condition), Box::new(yes), Box::new(no)), ty)
            }
            ExprKind::Binary { op, left, right } => {
                let (left, right) = (self.check(left)?, self.check(right)?);
                match op {
                    BinaryOp::In => contained(left, right, span),
                    op if op.compares() => compare(*op, left, right, span),
                    op => arith(*op, left, right, span),
                }
            }
            ExprKind::Call { of: Some(of), name, args, .. } if MACROS.contains(&name.as_str()) => {
                self.macro_call(of, name, args, span)
            }
            ExprKind::Call { of, name, name_span, args } => {
                self.call(of.as_deref(), name, name_span, args, span)
            }
        }
    }

    fn wanted(&mut self, expr: &Expr, fits: fn(&Ty) -> bool, what: &str) -> Checked {
        let node = plain(self.check(expr)?, fits);
        if fits(&node.ty) {
            return Ok(node);
        }
        Err(mistyped(expr.span.clone(), format!("this is {}, but {what} is wanted", node.ty), &node.ty))
    }

    /// An item of a list that is being made.
    fn item(&mut self, expr: &Expr) -> Checked {
        let node = bare_scalar(self.check(expr)?);
        match node.ty {
            Ty::Optional(_) => {
                Err(mistyped(expr.span.clone(), format!("an item cannot be {}", node.ty), &node.ty))
            }
            _ => Ok(node),
        }
    }

    fn bools(&mut self, parts: &[Expr]) -> Result<Vec<Node>, ExprError> {
        parts.iter().map(|part| self.wanted(part, |ty| matches!(ty, Ty::Bool | Ty::Any), "a bool")).collect()
    }

    fn ident(&self, name: &str, span: Range<usize>) -> Checked {
        let mut slots = self.names.slots.iter().chain(&self.inner).enumerate();
        if let Some((slot, (_, ty))) = slots.find(|(_, (n, _))| n == name) {
            return Ok(Node { kind: NodeKind::Slot(slot), ty: ty.clone(), span });
        }
        if let Some(position) = self.names.lets.iter().position(|l| l.name == name) {
            return Ok(Node {
                kind: NodeKind::Let(position),
                ty: self.names.lets[position].ty.clone(),
                span,
            });
        }
        if let Some(position) = fact::position(name) {
            let shape = (fact::kinds()[position].shape)();
            return Ok(Node { kind: NodeKind::Fact(position), ty: Ty::Record(shape), span });
        }
        if name == "params" {
            return Err(ExprError::new(span, "`params` has no value itself").help("name one: params.NAME"));
        }
        let inner = self.inner.iter().map(|(n, _)| n.as_str());
        let known =
            inner.chain(self.names.variables()).chain(fact::kinds().iter().map(|k| k.name)).chain(["params"]);
        let error = ExprError::new(span, format!("there is no fact or name `{name}`"));
        Err(suggest(error, name, known)
            .unwrap_or_else(|e| e.help("`hostvet facts --describe` lists the facts")))
    }

    fn param(&self, name: &str, name_span: &Range<usize>, span: Range<usize>) -> Checked {
        match self.names.params.get(name) {
            Some(param) => constant(param, span),
            None => {
                let error = ExprError::new(name_span.clone(), format!("[params] has no `{name}`"));
                Err(either(suggest(error, name, self.names.params.keys().map(String::as_str))))
            }
        }
    }

    fn field(&self, of: Node, name: &str, name_span: &Range<usize>, span: Range<usize>) -> Checked {
        let (of, optional) = unwrapped(of);
        let Ty::Record(shape) = of.ty else {
            let error = ExprError::new(name_span.clone(), format!("{} has no fields", of.ty));
            return Err(match of.ty {
                Ty::List(_) => error.help("ask its items: list.exists(x, …), list.map(x, …), list[0]"),
                Ty::Map(_) => error.help(format!("a value of a map is asked for with ['{name}']")),
                _ => error,
            });
        };
        let Some((position, ty)) = shape.field(name) else {
            // `sysctl.assignments` or, through the bare field, what lies in it.
            let error = ExprError::new(name_span.clone(), format!("{} has no field `{name}`", shape.name));
            let known = shape.fields.iter().map(|f| f.name);
            return Err(suggest(error, name, known.clone())
                .unwrap_or_else(|e| e.help(format!("it has {}", known.collect::<Vec<_>>().join(", ")))));
        };
        let field = Node { kind: NodeKind::Field { of: Box::new(of), position }, ty: ty.into(), span };
        Ok(if optional { made_optional(field) } else { field })
    }

    fn list(&mut self, items: &[Expr], span: Range<usize>) -> Checked {
        let mut ty = Ty::Any;
        let mut nodes = Vec::new();
        for item in items {
            nodes.push(self.item(item)?);
        }
        if let Some(number) = nodes.iter().map(|node| node.ty.clone()).find(Ty::is_surely_number) {
            nodes = nodes.into_iter().map(|node| beside(node, &number)).collect();
        }
        for (item, node) in items.iter().zip(&nodes) {
            ty = ty.join(&node.ty).ok_or_else(|| {
                ExprError::new(
                    item.span.clone(),
                    format!("this is {}, but the items before it are {ty}", node.ty),
                )
            })?;
        }
        Ok(Node { kind: NodeKind::List(nodes), ty: Ty::list(ty), span })
    }
}
