//! The tree of an expression, before names and types are known.

use std::ops::Range;

/// An expression, with the bytes it was written in.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands in the source.
    pub span: Range<usize>,
}

/// Kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `true`, `false`.
    Bool(bool),
    /// `42`, `0x2a`.
    Int(i64),
    /// `4.2`, `1e3`.
    Double(f64),
    /// `'text'`, `"text"`.
    Str(String),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// A name.
    Ident(String),
    /// `of.name`, `of.?name`.
    Member {
        /// The record.
        of: Box<Expr>,
        /// The field.
        name: String,
        /// Where the field's name stands.
        name_span: Range<usize>,
        /// `.?`
        optional: bool,
    },
    /// `of[key]`, `of[?key]`.
    Index {
        /// The list or map.
        of: Box<Expr>,
        /// Position or name.
        key: Box<Expr>,
        /// `[?`
        optional: bool,
    },
    /// `name(args)`, `of.name(args)`.
    Call {
        /// What a method is called on.
        of: Option<Box<Expr>>,
        /// The function, method or macro.
        name: String,
        /// Where its name stands.
        name_span: Range<usize>,
        /// The arguments.
        args: Vec<Expr>,
    },
    /// `!a`.
    Not(Box<Expr>),
    /// `-a`.
    Neg(Box<Expr>),
    /// `a op b`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left of it.
        left: Box<Expr>,
        /// Right of it.
        right: Box<Expr>,
    },
    /// `a && b && c`.
    And(Vec<Expr>),
    /// `a || b || c`.
    Or(Vec<Expr>),
    /// `a ? b : c`.
    Cond(Box<Expr>, Box<Expr>, Box<Expr>),
}

/// Operators of two sides, but for `&&` and `||`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

impl BinaryOp {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
        }
    }

    /// Whether it compares.
    pub fn compares(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge | Self::In)
    }
}

impl Expr {
    /// Whether the name stands anywhere in it by itself: a fact, a variable, a name of `[let]`.
    pub fn mentions(&self, name: &str) -> bool {
        match &self.kind {
            ExprKind::Ident(ident) => ident == name,
            _ => self.any_below(&mut |below| below.mentions(name)),
        }
    }

    /// Whether any of the expressions directly below is such a one.
    fn any_below(&self, is: &mut dyn FnMut(&Expr) -> bool) -> bool {
        match &self.kind {
            ExprKind::Bool(_)
            | ExprKind::Int(_)
            | ExprKind::Double(_)
            | ExprKind::Str(_)
            | ExprKind::Ident(_) => false,
            ExprKind::List(items) | ExprKind::And(items) | ExprKind::Or(items) => items.iter().any(is),
            ExprKind::Member { of, .. } | ExprKind::Not(of) | ExprKind::Neg(of) => is(of),
            ExprKind::Index { of, key, .. } => is(of) || is(key),
            ExprKind::Call { of, args, .. } => of.as_deref().is_some_and(&mut *is) || args.iter().any(is),
            ExprKind::Binary { left, right, .. } => is(left) || is(right),
            ExprKind::Cond(a, b, c) => is(a) || is(b) || is(c),
        }
    }

    /// The expressions directly below, to change them in place.
    pub fn children_mut(&mut self) -> Vec<&mut Expr> {
        match &mut self.kind {
            ExprKind::Bool(_)
            | ExprKind::Int(_)
            | ExprKind::Double(_)
            | ExprKind::Str(_)
            | ExprKind::Ident(_) => Vec::new(),
            ExprKind::List(items) | ExprKind::And(items) | ExprKind::Or(items) => items.iter_mut().collect(),
            ExprKind::Member { of, .. } | ExprKind::Not(of) | ExprKind::Neg(of) => vec![of],
            ExprKind::Index { of, key, .. } => vec![of, key],
            ExprKind::Call { of, args, .. } => of.iter_mut().map(|of| &mut **of).chain(args).collect(),
            ExprKind::Binary { left, right, .. } => vec![left, right],
            ExprKind::Cond(a, b, c) => vec![a, b, c],
        }
    }
}
