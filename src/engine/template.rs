//! Sentences with expressions in them: `nofile {entry.value} is above {sysctl['fs.nr_open']}`.

use super::check::{Names, check};
use super::eval::Judgement;
use super::node::Program;
use super::syntax::{Expr, ExprError, parse_braced};
use super::value::{Gap, cut};
use std::sync::Arc;

/// A template, its expressions parsed.
#[derive(Clone, Debug)]
pub(super) struct Draft(Vec<DraftPart>);

#[derive(Clone, Debug)]
enum DraftPart {
    Text(String),
    /// The expression's text, its place in the template, its tree.
    Expr(Arc<str>, usize, Expr),
}

/// A template, ready to be filled.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Value(Program),
}

/// Parses a template. `{{` and `}}` stand for the braces themselves.
pub(super) fn parse_template(text: &str) -> Result<Draft, ExprError> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            plain.push(c);
            at += 2;
        } else if c == '}' {
            return Err(ExprError::new(at..at + 1, "this brace closes nothing")
                .help("a brace itself is written `}}`"));
        } else if c == '{' {
            let start = at + 1;
            let parsed = parse_braced(&text[start..]).map_err(|e| in_template(e, start))?;
            let Some((expr, len)) = parsed else {
                return Err(ExprError::new(at..start, "this brace is never closed")
                    .help("a brace itself is written `{{`"));
            };
            let source = &text[start..start + len];
            if !plain.is_empty() {
                parts.push(DraftPart::Text(std::mem::take(&mut plain)));
            }
            parts.push(DraftPart::Expr(source.into(), start, expr));
            at += len + 2;
        } else {
            plain.push(c);
            at += c.len_utf8();
        }
    }
    if !plain.is_empty() {
        parts.push(DraftPart::Text(plain));
    }
    Ok(Draft(parts))
}

/// The mistake may be that a brace was meant as such: `awk '{print $1}'`.
fn in_template(error: ExprError, start: usize) -> ExprError {
    let error = shifted(error, start);
    match error.help {
        Some(_) => error,
        None => error.help("a brace itself is written `{{` or `}}`"),
    }
}

fn shifted(error: ExprError, by: usize) -> ExprError {
    ExprError { span: error.span.start + by..error.span.end + by, ..error }
}

impl Draft {
    /// The expressions in it.
    pub(super) fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.0.iter().filter_map(|part| match part {
            DraftPart::Expr(_, _, expr) => Some(expr),
            DraftPart::Text(_) => None,
        })
    }

    /// Checks every expression.
    pub(super) fn check(&self, names: &Names) -> Result<Template, ExprError> {
        let parts = self.0.iter().map(|part| match part {
            DraftPart::Text(text) => Ok(Part::Text(text.clone())),
            DraftPart::Expr(text, start, expr) => {
                let root = check(expr, names).map_err(|e| shifted(e, *start))?;
                let root = super::check::shown(root).map_err(|e| shifted(e, *start))?;
                Ok(Part::Value(Program { text: text.clone(), root }))
            }
        });
        parts.collect::<Result<_, ExprError>>().map(Template)
    }
}

impl Template {
    /// The sentence. What is missing is said in its place, so that a finding is never lost for it.
    pub(super) fn fill<'a>(&'a self, judgement: &Judgement<'a>) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Value(program) => match judgement.eval(program) {
                    Ok(value) => text.push_str(&cut(value.to_string())),
                    Err(Gap::Absent(_)) => text.push_str("(none)"),
                    Err(gap) => text.push_str(&cut(format!("(unknown: {gap})"))),
                },
            }
        }
        text
    }

    /// The programs in it.
    pub(super) fn programs(&self) -> impl Iterator<Item = &Program> {
        self.0.iter().filter_map(|part| match part {
            Part::Value(program) => Some(program),
            Part::Text(_) => None,
        })
    }
}
