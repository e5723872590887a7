//! Are a rule's cases any good? Every comparison is flipped and every conjunct dropped, one at a time; a case must
//! then fail. What survives is a part of the rule that nothing tests.

use super::case::{Case, cases};
use super::diagnostic::Diagnostic;
use super::draft::{Draft, Source};
use super::rule::SeverityOf;
use super::syntax::{BinaryOp, Expr, ExprKind};
use std::ops::Range;

/// The result of a mutation run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survivors {
    /// How many changes were tried.
    pub tried: usize,
    /// Those that no case noticed.
    pub survivors: Vec<Diagnostic>,
}

/// A changed expression, and what was changed where.
struct Mutant {
    expr: Expr,
    what: String,
    span: Range<usize>,
}

/// Tries every mutation of every expression that decides: problem, when, severity, the names of `[let]`.
pub(super) fn survivors(draft: &Draft) -> Result<Survivors, Box<Diagnostic>> {
    let cases = cases(draft)?;
    let mut result = Survivors::default();
    let mut attempt = |source: &Source, put: &dyn Fn(&mut Draft, Expr)| {
        for mutant in mutants(&source.expr) {
            let mut changed = draft.clone();
            put(&mut changed, mutant.expr);
            result.tried += 1;
            if !noticed(&changed, &cases) {
                let span = source.place(&mutant.span);
                let message = format!("no case notices when {}", mutant.what);
                let help = Some("add a [[case]] that tells the two apart".to_owned());
                result.survivors.push(draft.file.diagnostic(span, message, help));
            }
        }
    };
    attempt(&draft.problem, &|d, e| d.problem.expr = e);
    if let Some(when) = &draft.when {
        attempt(when, &|d, e| {
            if let Some(when) = &mut d.when {
                when.expr = e;
            }
        });
    }
    if let SeverityOf::Computed(severity) = &draft.severity {
        attempt(severity, &|d, e| {
            if let SeverityOf::Computed(severity) = &mut d.severity {
                severity.expr = e;
            }
        });
    }
    if let Some(each) = &draft.each {
        attempt(each, &|d, e| {
            if let Some(each) = &mut d.each {
                each.expr = e;
            }
        });
    }
    for (i, (_, source)) in draft.lets.iter().enumerate() {
        attempt(source, &|d, e| d.lets[i].1.expr = e);
    }
    Ok(result)
}

/// Whether any case fails with the changed rule. A rule that no longer checks is noticed at once.
fn noticed(changed: &Draft, cases: &[Case]) -> bool {
    cases.iter().any(|case| match changed.compile(case.params()) {
        Ok(rule) => case.failure(&rule).is_some(),
        Err(_) => true,
    })
}

/// Every expression that differs from this one by one change.
fn mutants(expr: &Expr) -> Vec<Mutant> {
    let mut found = Vec::new();
    let mut path = Vec::new();
    collect(expr, &mut expr.clone(), &mut path, &mut found);
    found
}

fn collect(root: &Expr, here: &mut Expr, path: &mut Vec<usize>, found: &mut Vec<Mutant>) {
    for (kind, what, span) in changes(here) {
        let mut expr = root.clone();
        let mut target = &mut expr;
        for step in path.iter() {
            target = target.children_mut().swap_remove(*step);
        }
        target.kind = kind;
        found.push(Mutant { expr, what, span });
    }
    for (step, child) in here.children_mut().into_iter().enumerate() {
        path.push(step);
        collect(root, child, path, found);
        path.pop();
    }
}

/// What can be changed at the top of an expression.
fn changes(expr: &Expr) -> Vec<(ExprKind, String, Range<usize>)> {
    let span = expr.span.clone();
    match &expr.kind {
        ExprKind::Binary { op, left, right } => swaps(*op)
            .iter()
            .map(|new| {
                let kind = ExprKind::Binary { op: *new, left: left.clone(), right: right.clone() };
                (kind, format!("`{}` becomes `{}`", op.symbol(), new.symbol()), span.clone())
            })
            .collect(),
        ExprKind::And(parts) => dropped(parts, "&&", ExprKind::And),
        ExprKind::Or(parts) => dropped(parts, "||", ExprKind::Or),
        ExprKind::Not(of) => vec![(of.kind.clone(), "`!` is dropped".into(), span)],
        ExprKind::Cond(condition, yes, no) => {
            let kind = ExprKind::Cond(condition.clone(), no.clone(), yes.clone());
            vec![(kind, "the branches of `? :` are swapped".into(), span)]
        }
        ExprKind::Call { of: Some(of), name, name_span, args } => {
            let other = match name.as_str() {
                "exists" => "all",
                "all" => "exists",
                _ => return Vec::new(),
            };
            let kind = ExprKind::Call {
                of: Some(of.clone()),
                name: other.into(),
                name_span: name_span.clone(),
                args: args.clone(),
            };
            vec![(kind, format!("`{name}` becomes `{other}`"), name_span.clone())]
        }
        _ => Vec::new(),
    }
}

/// The opposite of a comparison, and its neighbour at the boundary.
fn swaps(op: BinaryOp) -> &'static [BinaryOp] {
    match op {
        BinaryOp::Eq => &[BinaryOp::Ne],
        BinaryOp::Ne => &[BinaryOp::Eq],
        BinaryOp::Lt => &[BinaryOp::Ge, BinaryOp::Le],
        BinaryOp::Le => &[BinaryOp::Gt, BinaryOp::Lt],
        BinaryOp::Gt => &[BinaryOp::Le, BinaryOp::Ge],
        BinaryOp::Ge => &[BinaryOp::Lt, BinaryOp::Gt],
        _ => &[],
    }
}

fn dropped(
    parts: &[Expr],
    sign: &str,
    node: fn(Vec<Expr>) -> ExprKind,
) -> Vec<(ExprKind, String, Range<usize>)> {
    let without = |i: usize| {
        let mut rest = parts.to_vec();
        let gone = rest.remove(i);
        let kind = match rest.len() {
            1 => rest.remove(0).kind,
            _ => node(rest),
        };
        (kind, format!("this part of `{sign}` is dropped"), gone.span)
    };
    (0..parts.len()).map(without).collect()
}
