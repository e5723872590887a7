//! What a shell script is made of, as far as a start-up file of a shell needs it.

use std::rc::Rc;

/// A word before it is expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Its parts, which together are the word.
    pub(super) parts: Vec<Part>,
}

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Characters as they stand; wildcards count.
    Plain(String),
    /// Characters from quotes or behind a backslash.
    Quoted(String),
    /// `$name` or `${name…}` with what stands behind the name.
    Variable(String, String),
    /// `$(…)` or backquotes, with the command.
    Command(String),
    /// What is not computed here: arithmetic, arrays, process substitutions.
    Other,
}

impl Word {
    /// The word if it is written without quotes and expansions: what can be a reserved word.
    pub(super) fn plain(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Plain(text)] => Some(text),
            _ => None,
        }
    }

    /// The word if nothing in it is expanded.
    pub(super) fn literal(&self) -> Option<String> {
        let text = |part: &Part| match part {
            Part::Plain(text) | Part::Quoted(text) => Some(text.clone()),
            _ => None,
        };
        self.parts.iter().map(text).collect()
    }
}

/// Commands one after the other.
pub(super) type List = Vec<AndOr>;

/// Pipelines with `&&` and `||` between them.
#[derive(Debug)]
pub(super) struct AndOr {
    /// The first.
    pub(super) first: Pipeline,
    /// The others; true for `&&`.
    pub(super) rest: Vec<(bool, Pipeline)>,
    /// Whether it ends in `&`.
    pub(super) background: bool,
}

/// Commands with `|` between them.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// Whether `!` stands before it.
    pub(super) negated: bool,
    /// The commands: one, as a rule.
    pub(super) commands: Vec<Command>,
}

/// A command.
#[derive(Debug)]
pub(super) struct Command {
    /// The line on which it begins, from 1.
    pub(super) line: u32,
    /// What it is.
    pub(super) kind: Kind,
}

/// A kind of command.
#[derive(Debug)]
pub(super) enum Kind {
    /// Assignments, and a program or builtin with arguments, of which there may be none.
    Simple(Vec<(String, Word)>, Vec<Word>),
    /// `if`, with the conditions of all branches, and what is done otherwise.
    If(Vec<(List, List)>, List),
    /// `for`; no words: those of the command line.
    For(String, Option<Vec<Word>>, List),
    /// `while` and `until`.
    While(List, List),
    /// `case`.
    Case(Word, Vec<(Vec<Word>, List)>),
    /// `{ … }`.
    Group(List),
    /// `[[ … ]]`, with its operators as plain words.
    Test(Vec<Word>),
    /// The definition of a function.
    Function(String, Rc<Command>),
    /// What has no effect on this shell, or none that is computed here: a subshell, arithmetic.
    Other,
}
