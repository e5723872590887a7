//! Macros, functions and methods: which is meant, and whether its arguments fit.

use super::super::functions::{Arg, Form, Function, SIGNATURES, Signature};
use super::super::node::{Each, Node, NodeKind, Pattern};
use super::super::syntax::{Expr, ExprError, ExprKind};
use super::super::ty::Ty;
use super::convert::{alike, bare_scalar, numeric, plain, unwrapped};
use super::names::{either, suggest};
use super::{Checked, Checker, mistyped};
use std::ops::Range;

pub(super) const MACROS: [&str; 5] = ["all", "exists", "exists_one", "filter", "map"];

/// The names of all functions, methods and macros.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    let special = ["has", "top", "orValue", "hasValue"];
    SIGNATURES.iter().map(|s| s.name).chain(MACROS).chain(special)
}

impl Checker<'_> {
    pub(super) fn macro_call(&mut self, of: &Expr, name: &str, args: &[Expr], span: Range<usize>) -> Checked {
        let over = plain(self.check(of)?, |ty| matches!(ty, Ty::List(_) | Ty::Map(_)));
        let item = match &over.ty {
            Ty::List(of) => (**of).clone(),
            Ty::Map(_) => Ty::Str,
            other => {
                let message = format!("`{name}` is asked of a list, and this is {other}");
                return Err(mistyped(of.span.clone(), message, other));
            }
        };
        let (variable, rest) = match args {
            [variable, rest @ ..] if rest.len() == 1 || (name == "map" && rest.len() == 2) => {
                (variable, rest)
            }
            _ => {
                let form = format!("write .{name}(x, …)");
                return Err(
                    ExprError::new(span, format!("`{name}` takes a name and an expression")).help(form)
                );
            }
        };
        let ExprKind::Ident(variable_name) = &variable.kind else {
            return Err(ExprError::new(
                variable.span.clone(),
                "here stands the name for the item, such as `x`",
            ));
        };
        self.refuse_taken(variable_name, &variable.span)?;
        let slot = self.names.slots.len() + self.inner.len();
        self.inner.push((variable_name.clone(), item.clone()));
        let checked = self.macro_body(name, rest, over, item, slot, span);
        self.inner.pop();
        checked
    }

    fn macro_body(
        &mut self,
        name: &str,
        rest: &[Expr],
        over: Node,
        item: Ty,
        slot: usize,
        span: Range<usize>,
    ) -> Checked {
        let over = Box::new(over);
        if name == "map" {
            let test = match rest {
                [test, _] => Some(Box::new(self.wanted(test, |ty| matches!(ty, Ty::Bool), "a bool")?)),
                _ => None,
            };
            let make = self.item(&rest[rest.len() - 1])?;
            let ty = Ty::list(make.ty.clone());
            return Ok(Node { kind: NodeKind::Map { over, slot, test, make: Box::new(make) }, ty, span });
        }
        let (each, ty) = match name {
            "all" => (Each::All, Ty::Bool),
            "exists" => (Each::Exists, Ty::Bool),
            "exists_one" => (Each::ExistsOne, Ty::Bool),
            _ => (Each::Filter, Ty::list(item)),
        };
        let test = Box::new(self.wanted(&rest[0], |ty| matches!(ty, Ty::Bool | Ty::Any), "a bool")?);
        Ok(Node { kind: NodeKind::Each { each, over, slot, test }, ty, span })
    }

    fn refuse_taken(&self, name: &str, span: &Range<usize>) -> Result<(), ExprError> {
        if self.names.is_taken(name) || self.inner.iter().any(|(n, _)| n == name) {
            return Err(ExprError::new(span.clone(), format!("`{name}` means something already"))
                .help("choose another name"));
        }
        Ok(())
    }

    pub(super) fn call(
        &mut self,
        of: Option<&Expr>,
        name: &str,
        name_span: &Range<usize>,
        args: &[Expr],
        span: Range<usize>,
    ) -> Checked {
        let misused = |help: &str| {
            Err(ExprError::new(name_span.clone(), format!("`{name}` is not called this way")).help(help))
        };
        match (of, name, args) {
            (None, "has", [arg]) => return self.has(arg, span),
            (_, "has", _) => return misused("write has(a.b)"),
            (Some(of), "orValue" | "hasValue", _) => return self.optional_call(of, name, args, span),
            (None, "orValue" | "hasValue", _) => return misused(&format!("write a.?b.{name}(…)")),
            (None, "top", [list, field, n]) => return self.top(list, field, n, span),
            (_, "top", _) => return misused("write top(list, 'field', n)"),
            (None, name, _) if MACROS.contains(&name) => return misused(&format!("write list.{name}(x, …)")),
            _ => {}
        }
        let mut nodes = Vec::new();
        for arg in of.into_iter().chain(args) {
            nodes.push(self.check(arg)?);
        }
        let candidates: Vec<&Signature> = SIGNATURES.iter().filter(|s| s.name == name).collect();
        if candidates.is_empty() {
            let error = ExprError::new(name_span.clone(), format!("there is no function `{name}`"));
            return Err(either(suggest(error, name, function_names())));
        }
        let right_form: Vec<_> = candidates
            .into_iter()
            .filter(|s| s.form == Form::Either || (s.form == Form::Method) == of.is_some())
            .collect();
        if right_form.is_empty() {
            let form = if of.is_some() { format!("{name}(x, …)") } else { format!("x.{name}(…)") };
            return Err(ExprError::new(name_span.clone(), format!("`{name}` is not called this way"))
                .help(format!("write {form}")));
        }
        // Of several signatures the one that takes as many arguments says best what is wrong.
        let meant = right_form.iter().position(|s| s.takes(nodes.len())).unwrap_or(0);
        let meant = &right_form[meant..];
        let (last, before) = meant.split_last().unwrap_or((&right_form[0], &[]));
        let mut first = None;
        for signature in before {
            match apply(signature, nodes.clone(), name_span, &span, self.names.known_right) {
                Ok(node) => return Ok(node),
                Err(error) => first = first.or(Some(error)),
            }
        }
        apply(last, nodes, name_span, &span, self.names.known_right).map_err(|error| first.unwrap_or(error))
    }

    fn has(&mut self, arg: &Expr, span: Range<usize>) -> Checked {
        if !matches!(arg.kind, ExprKind::Member { .. } | ExprKind::Index { .. }) {
            return Err(ExprError::new(
                arg.span.clone(),
                "`has` asks for a field or an item: has(a.b), has(a['b'])",
            ));
        }
        let (node, _) = unwrapped(self.check(arg)?);
        // What stands for the record is what is asked for: has(sysctl['x']) is about the value, not about the entry.
        Ok(Node { kind: NodeKind::Has(Box::new(bare_scalar(node))), ty: Ty::Bool, span })
    }

    fn optional_call(&mut self, of: &Expr, name: &str, args: &[Expr], span: Range<usize>) -> Checked {
        let (node, optional) = unwrapped(self.check(of)?);
        if !optional {
            return Err(ExprError::new(of.span.clone(), format!("`{name}` is asked of an optional value"))
                .help("write a.?b or a[?'b'] before it"));
        }
        let node = bare_scalar(node);
        match (name, args) {
            ("hasValue", []) => Ok(Node { kind: NodeKind::Has(Box::new(node)), ty: Ty::Bool, span }),
            ("orValue", [other]) => {
                let (node, other) = alike(node, bare_scalar(self.check(other)?));
                let ty = node.ty.join(&other.ty).ok_or_else(|| {
                    ExprError::new(
                        other.span.clone(),
                        format!("this is {}, but the value is {}", other.ty, node.ty),
                    )
                })?;
                Ok(Node { kind: NodeKind::OrValue(Box::new(node), Box::new(other)), ty, span })
            }
            _ => Err(ExprError::new(span, format!("`{name}` has the wrong number of arguments"))),
        }
    }

    fn top(&mut self, list: &Expr, field: &Expr, n: &Expr, span: Range<usize>) -> Checked {
        let list = self.wanted(list, |ty| matches!(ty, Ty::List(_)), "a list")?;
        let shape = match &list.ty {
            Ty::List(of) => match &**of {
                Ty::Record(shape) => *shape,
                other => {
                    return Err(ExprError::new(list.span, format!("the items are {other}, without fields")));
                }
            },
            _ => return Err(ExprError::new(list.span, "a list of records is wanted")),
        };
        let ExprKind::Str(name) = &field.kind else {
            return Err(ExprError::new(field.span.clone(), "here stands the name of a field, as a string"));
        };
        let found = shape.field(name).filter(|(_, ty)| Ty::from(*ty).is_number());
        let Some((position, _)) = found else {
            let error = ExprError::new(field.span.clone(), format!("{} has no number `{name}`", shape.name));
            return Err(either(suggest(error, name, shape.fields.iter().map(|f| f.name))));
        };
        let n = Box::new(self.wanted(n, |ty| matches!(ty, Ty::Int), "an int")?);
        let ty = list.ty.clone();
        Ok(Node { kind: NodeKind::Top { list: Box::new(list), field: position, n }, ty, span })
    }
}

/// A call, if the arguments fit the signature.
fn apply(
    signature: &Signature,
    nodes: Vec<Node>,
    name_span: &Range<usize>,
    span: &Range<usize>,
    known_right: bool,
) -> Checked {
    if !signature.takes(nodes.len()) {
        let receiver = usize::from(signature.form == Form::Method);
        let takes = signature.args.len() - signature.optional - receiver;
        let message =
            format!("`{}` takes {takes} argument{}", signature.name, if takes == 1 { "" } else { "s" });
        return Err(ExprError::new(name_span.clone(), message));
    }
    let mut args = Vec::new();
    for (i, node) in nodes.into_iter().enumerate() {
        let wanted = signature.args[i.min(signature.args.len() - 1)];
        let node = match wanted {
            Arg::Sized | Arg::Numbers | Arg::Strings => {
                plain(node, |ty| matches!(ty, Ty::List(_) | Ty::Map(_) | Ty::Text) || ty.is_string())
            }
            _ => bare_scalar(node),
        };
        if !wanted.accepts(&node.ty) {
            let message =
                format!("`{}` wants {} here, and this is {}", signature.name, wanted.name(), node.ty);
            return Err(mistyped(node.span, message, &node.ty));
        }
        args.push(if matches!(wanted, Arg::Number | Arg::Int) { numeric(node) } else { node });
    }
    let ty = signature.function.gives(&args.iter().map(|n| &n.ty).collect::<Vec<_>>());
    let kind = match (signature.function, args.as_slice()) {
        // A mistake in a pattern that is written in the rule is found now.
        (Function::Matches | Function::Glob, [subject, Node { kind: NodeKind::Str(text), span, .. }]) => {
            let pattern = match signature.function {
                Function::Glob => Pattern::glob(text),
                _ => Pattern::regex(text),
            };
            if let Some(mistake) = (!known_right).then(|| pattern.mistake()).flatten() {
                return Err(ExprError::new(span.clone(), format!("this pattern is wrong: {mistake}")));
            }
            NodeKind::Matches(Box::new(subject.clone()), pattern)
        }
        (Function::Bytes | Function::Duration, [Node { kind: NodeKind::Str(_), span, .. }]) => {
            let literal = super::super::eval::constant(&args[0]);
            match signature.function.call(&[literal]) {
                Ok(_) => NodeKind::Call(signature.function, args),
                Err(gap) => return Err(ExprError::new(span.clone(), gap.to_string())),
            }
        }
        _ => NodeKind::Call(signature.function, args),
    };
    Ok(Node { kind, ty, span: span.clone() })
}
