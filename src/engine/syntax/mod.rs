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
/// Parser, checker and evaluator recurse as deep, and must do so in a thread of 2 MiB even where the compiler does not
/// optimise. The deepest shipped expression has some 15 levels.
pub const MAX_DEPTH: usize = 64;

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
