//! Tokens to a tree, by CEL's precedence.

use super::lexer::{Lexed, Token, lex, too_large};
use super::{BinaryOp, Expr, ExprError, ExprKind, MAX_DEPTH, MAX_LENGTH};
use std::ops::Range;

/// Parses a whole expression.
pub fn parse(text: &str) -> Result<Expr, ExprError> {
    whole(lex(bounded(text, text.len())?, false)?)
}

/// Parses the expression that `text` begins with and a `}` ends, as in a template; also gives the place of the brace.
/// `None` if there is no such brace.
pub fn parse_braced(text: &str) -> Result<Option<(Expr, usize)>, ExprError> {
    let tokens = lex(text, true)?;
    let end = tokens.last().map_or(0, |end| end.span.start);
    if end == text.len() {
        return Ok(None);
    }
    bounded(text, end)?;
    Ok(Some((whole(tokens)?, end)))
}

fn bounded(text: &str, len: usize) -> Result<&str, ExprError> {
    if len > MAX_LENGTH {
        return Err(ExprError::new(0..0, format!("this expression is longer than {MAX_LENGTH} bytes"))
            .help("break it up with names in [let]"));
    }
    Ok(text)
}

fn whole(tokens: Vec<Lexed>) -> Result<Expr, ExprError> {
    let mut parser = Parser { tokens, next: 0, depth: 0 };
    let (expr, _) = parser.ternary()?;
    let after = parser.peek();
    match &after.token {
        Token::End => Ok(expr),
        token => Err(unexpected(token, &after.span, "an operator or the end")),
    }
}

struct Parser {
    tokens: Vec<Lexed>,
    next: usize,
    /// How deep the parser itself has recursed.
    depth: usize,
}

/// A tree and its depth.
type Tree = (Expr, usize);

/// How tightly an operator binds, the loosest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Or,
    And,
    Comparison,
    Sum,
    Product,
    Unary,
}

impl Level {
    fn tighter(self) -> Self {
        match self {
            Self::Or => Self::And,
            Self::And => Self::Comparison,
            Self::Comparison => Self::Sum,
            Self::Sum => Self::Product,
            Self::Product | Self::Unary => Self::Unary,
        }
    }
}

enum Operator {
    Binary(BinaryOp),
    Chain(&'static str, fn(Vec<Expr>) -> ExprKind),
}

impl Parser {
    fn peek(&self) -> &Lexed {
        // The last token is `End`, and nothing steps over it.
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn is(&self, sign: &str) -> bool {
        matches!(&self.peek().token, Token::Sign(found) if *found == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &'static str) -> Result<Range<usize>, ExprError> {
        let found = self.peek();
        let span = found.span.clone();
        if found.token == Token::Sign(sign) {
            self.next += 1;
            return Ok(span);
        }
        Err(unexpected(&found.token, &span, &format!("`{sign}`")))
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, ExprError>) -> Result<T, ExprError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_deep(self.peek().span.clone()));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn ternary(&mut self) -> Result<Tree, ExprError> {
        let (condition, depth) = self.operation(Level::Or)?;
        if !self.take("?") {
            return Ok((condition, depth));
        }
        self.deeper(|p| {
            let (yes, yes_depth) = p.operation(Level::Or)?;
            p.expect(":")?;
            let (no, no_depth) = p.ternary()?;
            let span = condition.span.start..no.span.end;
            let depth = depth.max(yes_depth).max(no_depth);
            grown(ExprKind::Cond(Box::new(condition), Box::new(yes), Box::new(no)), span, depth)
        })
    }

    /// Operators that bind at least as tightly. One function for all of them, since one for each would need as many
    /// stack frames for every parenthesis.
    fn operation(&mut self, least: Level) -> Result<Tree, ExprError> {
        let (mut left, mut depth) = self.unary()?;
        while let Some((level, operator)) = self.operator().filter(|(level, _)| *level >= least) {
            (left, depth) = match operator {
                Operator::Chain(sign, node) => self.chain(left, depth, level, sign, node)?,
                Operator::Binary(op) => {
                    self.next += 1;
                    let (right, right_depth) = self.deeper(|p| p.operation(level.tighter()))?;
                    self.refuse_second_comparison(op)?;
                    let span = left.span.start..right.span.end;
                    let kind = ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) };
                    grown(kind, span, depth.max(right_depth))?
                }
            };
        }
        self.refuse_words()?;
        Ok((left, depth))
    }

    /// `a && b && c` as one node, so that a long chain is not a deep tree.
    fn chain(
        &mut self,
        first: Expr,
        mut depth: usize,
        level: Level,
        sign: &'static str,
        node: fn(Vec<Expr>) -> ExprKind,
    ) -> Result<Tree, ExprError> {
        let start = first.span.start;
        let mut end = first.span.end;
        let mut parts = vec![first];
        while self.take(sign) {
            let (next, next_depth) = self.deeper(|p| p.operation(level.tighter()))?;
            depth = depth.max(next_depth);
            end = next.span.end;
            parts.push(next);
        }
        grown(node(parts), start..end, depth)
    }

    fn operator(&self) -> Option<(Level, Operator)> {
        let binary = |level, op| Some((level, Operator::Binary(op)));
        match &self.peek().token {
            Token::Sign("||") => Some((Level::Or, Operator::Chain("||", ExprKind::Or))),
            Token::Sign("&&") => Some((Level::And, Operator::Chain("&&", ExprKind::And))),
            Token::Sign("==") => binary(Level::Comparison, BinaryOp::Eq),
            Token::Sign("!=") => binary(Level::Comparison, BinaryOp::Ne),
            Token::Sign("<") => binary(Level::Comparison, BinaryOp::Lt),
            Token::Sign("<=") => binary(Level::Comparison, BinaryOp::Le),
            Token::Sign(">") => binary(Level::Comparison, BinaryOp::Gt),
            Token::Sign(">=") => binary(Level::Comparison, BinaryOp::Ge),
            Token::Ident(word) if word == "in" => binary(Level::Comparison, BinaryOp::In),
            Token::Sign("+") => binary(Level::Sum, BinaryOp::Add),
            Token::Sign("-") => binary(Level::Sum, BinaryOp::Sub),
            Token::Sign("*") => binary(Level::Product, BinaryOp::Mul),
            Token::Sign("/") => binary(Level::Product, BinaryOp::Div),
            Token::Sign("%") => binary(Level::Product, BinaryOp::Rem),
            _ => None,
        }
    }

    /// `a < b < c` would compare a bool with c.
    fn refuse_second_comparison(&self, first: BinaryOp) -> Result<(), ExprError> {
        match self.operator() {
            Some((Level::Comparison, Operator::Binary(second))) if first.compares() => {
                let message = format!("`{}` cannot follow another comparison", second.symbol());
                Err(ExprError::new(self.peek().span.clone(), message)
                    .help("write both comparisons and join them with `&&`, or use parentheses"))
            }
            _ => Ok(()),
        }
    }

    /// `and`, `or` and `is` are what people write who think of another language.
    fn refuse_words(&self) -> Result<(), ExprError> {
        let found = self.peek();
        let Token::Ident(word) = &found.token else { return Ok(()) };
        let instead = match word.to_ascii_lowercase().as_str() {
            "and" => "&&",
            "or" => "||",
            "is" | "eq" => "==",
            "not" => "!(a in b)",
            _ => return Ok(()),
        };
        Err(ExprError::new(found.span.clone(), format!("`{word}` is no operator"))
            .help(format!("write `{instead}`")))
    }

    fn unary(&mut self) -> Result<Tree, ExprError> {
        let start = self.peek().span.start;
        let negate = self.is("-");
        if !negate && !self.is("!") {
            return self.member();
        }
        self.next += 1;
        if negate && self.peek().token == Token::Int(i64::MIN) {
            let span = start..self.peek().span.end;
            self.next += 1;
            return Ok((Expr { kind: ExprKind::Int(i64::MIN), span }, 1));
        }
        self.deeper(|p| {
            let (of, depth) = p.unary()?;
            let span = start..of.span.end;
            let node = if negate { ExprKind::Neg } else { ExprKind::Not };
            grown(node(Box::new(of)), span, depth)
        })
    }

    fn member(&mut self) -> Result<Tree, ExprError> {
        let (mut of, mut depth) = self.primary()?;
        loop {
            let start = of.span.start;
            let optional = self.is(".?") || self.is("[?");
            if self.take(".") || self.take(".?") {
                let (name, name_span) = self.name()?;
                if !optional && self.is("(") {
                    let (args, end, args_depth) = self.arguments()?;
                    let kind = ExprKind::Call { of: Some(Box::new(of)), name, name_span, args };
                    (of, depth) = grown(kind, start..end, depth.max(args_depth))?;
                } else {
                    let end = name_span.end;
                    let kind = ExprKind::Member { of: Box::new(of), name, name_span, optional };
                    (of, depth) = grown(kind, start..end, depth)?;
                }
            } else if self.take("[") || self.take("[?") {
                let (key, key_depth) = self.deeper(Self::ternary)?;
                let end = self.expect("]")?.end;
                let kind = ExprKind::Index { of: Box::new(of), key: Box::new(key), optional };
                (of, depth) = grown(kind, start..end, depth.max(key_depth))?;
            } else {
                return Ok((of, depth));
            }
        }
    }

    fn name(&mut self) -> Result<(String, Range<usize>), ExprError> {
        let found = self.peek().clone();
        match found.token {
            Token::Ident(name) => {
                self.next += 1;
                Ok((name, found.span))
            }
            token => Err(unexpected(&token, &found.span, "a name")),
        }
    }

    /// `(a, b)`: the arguments, where they end, and their depth.
    fn arguments(&mut self) -> Result<(Vec<Expr>, usize, usize), ExprError> {
        self.expect("(")?;
        let (items, depth) = self.items(")")?;
        let end = self.expect(")")?.end;
        Ok((items, end, depth))
    }

    fn items(&mut self, close: &'static str) -> Result<(Vec<Expr>, usize), ExprError> {
        let mut items = Vec::new();
        let mut depth = 0;
        while !self.is(close) {
            let (item, item_depth) = self.deeper(Self::ternary)?;
            depth = depth.max(item_depth);
            items.push(item);
            if !self.take(",") {
                break;
            }
        }
        Ok((items, depth))
    }

    fn primary(&mut self) -> Result<Tree, ExprError> {
        let Lexed { token, span } = self.peek().clone();
        let simple = |kind| Ok((Expr { kind, span: span.clone() }, 1));
        match token {
            Token::Int(i64::MIN) => Err(too_large(span)),
            Token::Int(value) => {
                self.next += 1;
                simple(ExprKind::Int(value))
            }
            Token::Double(value) => {
                self.next += 1;
                simple(ExprKind::Double(value))
            }
            Token::Str(value) => {
                self.next += 1;
                simple(ExprKind::Str(value))
            }
            Token::Ident(name) => {
                self.next += 1;
                match name.as_str() {
                    "true" | "false" => simple(ExprKind::Bool(name == "true")),
                    "null" => Err(ExprError::new(span, "there is no null")
                        .help("a value that may be absent is asked with has(a.b) or a.?b.orValue(x)")),
                    "not" | "NOT" => Err(ExprError::new(span, "`not` is no operator").help("write `!`")),
                    _ if self.is("(") => {
                        let (args, end, depth) = self.arguments()?;
                        let kind = ExprKind::Call { of: None, name, name_span: span.clone(), args };
                        grown(kind, span.start..end, depth)
                    }
                    _ => simple(ExprKind::Ident(name)),
                }
            }
            Token::Sign("(") => {
                self.next += 1;
                let (mut inner, depth) = self.deeper(Self::ternary)?;
                let end = self.expect(")")?.end;
                inner.span = span.start..end;
                Ok((inner, depth))
            }
            Token::Sign("[") => {
                self.next += 1;
                let (items, depth) = self.items("]")?;
                let end = self.expect("]")?.end;
                grown(ExprKind::List(items), span.start..end, depth)
            }
            Token::Sign("{") => Err(ExprError::new(span, "maps cannot be written here")),
            token => Err(unexpected(&token, &span, "a value")),
        }
    }
}

/// A node over others of this depth; refused if that makes the tree too deep.
fn grown(kind: ExprKind, span: Range<usize>, depth: usize) -> Result<Tree, ExprError> {
    if depth + 1 > MAX_DEPTH {
        return Err(too_deep(span));
    }
    Ok((Expr { kind, span }, depth + 1))
}

fn too_deep(span: Range<usize>) -> ExprError {
    ExprError::new(span, format!("this expression nests more than {MAX_DEPTH} deep"))
        .help("break it up with names in [let]")
}

fn unexpected(token: &Token, span: &Range<usize>, wanted: &str) -> ExprError {
    let found = match token {
        Token::Int(n) => format!("`{n}`"),
        Token::Double(n) => format!("`{n}`"),
        Token::Str(_) => "a string".into(),
        Token::Ident(name) => format!("`{name}`"),
        Token::Sign(sign) => format!("`{sign}`"),
        Token::End => "the end".into(),
    };
    ExprError::new(span.clone(), format!("expected {wanted}, found {found}"))
}
