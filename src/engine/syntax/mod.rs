//! The text of an expression and its tree: CEL's spelling, a subset of it (`docs/language.md`).

mod ast;
mod lexer;
mod parser;

pub use ast::{BinaryOp, Expr, ExprKind};
pub use parser::{parse, parse_braced};

use std::ops::Range;

/// The longest expression, in bytes. The longest shipped one has some 600.
pub const MAX_LENGTH: usize = 8 << 10;

/// The deepest tree. `&&` and `||` chains count once, however long.
///
/// The checker and the evaluator recurse as deep; at this depth they use some 100 KiB of stack.
pub const MAX_DEPTH: usize = 100;

/// What is wrong with an expression, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    /// The bytes of the expression that are at fault.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead, if that can be told.
    pub help: Option<String>,
}

impl ExprError {
    /// An error without help.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    /// The same with help.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
