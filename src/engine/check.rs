//! Names and types: a tree of words becomes a tree that can be evaluated, or an error that points at the word.

use super::functions::{Arg, Form, Function, SIGNATURES, Signature, glob, parse_number, regex};
use super::node::{Each, Node, NodeKind, Pattern};
use super::syntax::{BinaryOp, Expr, ExprError, ExprKind, MAX_DEPTH};
use super::ty::Ty;
use crate::fact;
use std::collections::BTreeMap;
use std::ops::Range;

type Checked = Result<Node, ExprError>;

/// A constant of `[params]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Param {
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(String),
    List(Vec<Param>),
}

impl Param {
    /// The constant that a TOML value is, if it can be one.
    pub(super) fn of(value: &toml::Value) -> Option<Self> {
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
pub(super) struct Names {
    /// `params.…`
    params: BTreeMap<String, Param>,
    /// Variables, outermost first: the rule's item, then those of macros.
    pub(super) slots: Vec<(String, Ty)>,
    /// Names of `[let]`, in order.
    lets: Vec<Let>,
}

/// A name of `[let]`.
#[derive(Clone, Debug)]
struct Let {
    name: String,
    ty: Ty,
    height: usize,
}

const MACROS: [&str; 5] = ["all", "exists", "exists_one", "filter", "map"];

/// Names that mean something already and cannot be variables.
const RESERVED: [&str; 7] = ["params", "has", "in", "not", "true", "false", "null"];

/// How deep evaluation may go: the tree, and the trees of the names in it. Bare fields and texts taken as numbers
/// add nodes that nobody wrote.
const MAX_HEIGHT: usize = 2 * MAX_DEPTH;

impl Names {
    pub(super) fn new(params: BTreeMap<String, Param>) -> Self {
        Self { params, ..Self::default() }
    }

    /// Enters a name of `[let]`, and what it stands for.
    pub(super) fn add_let(&mut self, name: &str, node: &Node) {
        let height = self.height(node);
        self.lets.push(Let { name: name.to_owned(), ty: node.ty.clone(), height });
    }

    /// Whether the name means something already.
    pub(super) fn is_taken(&self, name: &str) -> bool {
        self.variables().any(|n| n == name) || fact::position(name).is_some() || RESERVED.contains(&name)
    }

    fn variables(&self) -> impl Iterator<Item = &str> {
        let slots = self.slots.iter().map(|(name, _)| name.as_str());
        slots.chain(self.lets.iter().map(|l| l.name.as_str()))
    }

    fn height(&self, node: &Node) -> usize {
        let below = match node.kind {
            NodeKind::Let(position) => self.lets[position].height,
            _ => node.children().into_iter().map(|child| self.height(child)).max().unwrap_or(0),
        };
        below + 1
    }
}

/// The names of all functions, methods and macros.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    let special = ["has", "top", "orValue", "hasValue"];
    SIGNATURES.iter().map(|s| s.name).chain(MACROS).chain(special)
}

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

    fn macro_call(&mut self, of: &Expr, name: &str, args: &[Expr], span: Range<usize>) -> Checked {
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

    fn call(
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
            match apply(signature, nodes.clone(), name_span, &span) {
                Ok(node) => return Ok(node),
                Err(error) => first = first.or(Some(error)),
            }
        }
        apply(last, nodes, name_span, &span).map_err(|error| first.unwrap_or(error))
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
fn apply(signature: &Signature, nodes: Vec<Node>, name_span: &Range<usize>, span: &Range<usize>) -> Checked {
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
        // A pattern written in the rule is compiled once, and a mistake in it is found now.
        (Function::Matches, [subject, Node { kind: NodeKind::Str(pattern), span, .. }]) => {
            let regex = regex(pattern)
                .map_err(|e| ExprError::new(span.clone(), format!("this pattern is wrong: {e}")))?;
            NodeKind::Matches(Box::new(subject.clone()), Pattern::Regex(regex))
        }
        (Function::Glob, [subject, Node { kind: NodeKind::Str(pattern), span, .. }]) => {
            let glob = glob(pattern)
                .map_err(|e| ExprError::new(span.clone(), format!("this pattern is wrong: {e}")))?;
            NodeKind::Matches(Box::new(subject.clone()), Pattern::Glob(glob))
        }
        (Function::Bytes | Function::Duration, [Node { kind: NodeKind::Str(_), span, .. }]) => {
            let literal = super::eval::constant(&args[0]);
            match signature.function.call(&[literal]) {
                Ok(_) => NodeKind::Call(signature.function, args),
                Err(gap) => return Err(ExprError::new(span.clone(), gap.to_string())),
            }
        }
        _ => NodeKind::Call(signature.function, args),
    };
    Ok(Node { kind, ty, span: span.clone() })
}

fn constant(param: &Param, span: Range<usize>) -> Checked {
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
fn unwrapped(node: Node) -> (Node, bool) {
    match &node.ty {
        Ty::Optional(of) => (Node { ty: (**of).clone(), ..node }, true),
        _ => (node, false),
    }
}

fn made_optional(node: Node) -> Node {
    match node.ty {
        Ty::Optional(_) => node,
        ty => Node { ty: Ty::Optional(std::sync::Arc::new(ty)), ..node },
    }
}

/// A record's bare field in its stead, as often as needed until it fits; the node itself if it never does.
fn plain(node: Node, fits: fn(&Ty) -> bool) -> Node {
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

fn bare_scalar(node: Node) -> Node {
    plain(node, Ty::is_scalar)
}

/// A text becomes the number it holds.
fn numeric(node: Node) -> Node {
    match node.ty {
        Ty::Text => {
            let span = node.span.clone();
            Node { kind: NodeKind::Number(Box::new(node)), ty: Ty::Double, span }
        }
        _ => node,
    }
}

/// A text that stands beside a number is meant as one.
fn beside(node: Node, other: &Ty) -> Node {
    if other.is_surely_number() { numeric(node) } else { node }
}

/// Two nodes of which either may become the value.
fn alike(a: Node, b: Node) -> (Node, Node) {
    let (a_ty, b_ty) = (a.ty.clone(), b.ty.clone());
    (beside(a, &b_ty), beside(b, &a_ty))
}

fn index(of: Node, key: Node, span: Range<usize>) -> Checked {
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

fn contained(left: Node, right: Node, span: Range<usize>) -> Checked {
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

fn compare(op: BinaryOp, left: Node, right: Node, span: Range<usize>) -> Checked {
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

fn arith(op: BinaryOp, left: Node, right: Node, span: Range<usize>) -> Checked {
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

/// The error with the nearest known name as its help; `Err` gives it back where none is near.
fn suggest<'k>(
    error: ExprError,
    name: &str,
    known: impl Iterator<Item = &'k str>,
) -> Result<ExprError, ExprError> {
    match nearest(name, known) {
        Some(found) => Ok(error.help(format!("did you mean `{found}`?"))),
        None => Err(error),
    }
}

fn either<T>(result: Result<T, T>) -> T {
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
