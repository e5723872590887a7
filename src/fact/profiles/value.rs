//! What words come to, as far as that is known before anybody logs in.

use super::syntax::{Part, Word};
use std::collections::HashMap;

/// What a word or variable is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// This.
    Known(String),
    /// Something, and not nothing.
    Some,
    /// Anything, or nothing.
    Unknown,
}

/// The variables of a shell.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    /// Those of which something is known.
    pub(super) values: HashMap<String, Value>,
}

/// The longest value that is kept.
const LONGEST: usize = 4096;

impl Variables {
    /// Sets one.
    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }

    /// The value of one: what the shell inherits is not known.
    pub(super) fn get(&self, name: &str) -> Value {
        self.values.get(name).cloned().unwrap_or(Value::Unknown)
    }

    /// What a word comes to, before words are split and wildcards looked up.
    pub(super) fn expand(&self, word: &Word) -> Value {
        let mut sum = Value::Known(String::new());
        for (number, part) in word.parts.iter().enumerate() {
            let value = match part {
                Part::Plain(text) if number == 0 && text.starts_with('~') => match text.strip_prefix('~') {
                    Some(rest) if rest.is_empty() || rest.starts_with('/') => match self.get("HOME") {
                        Value::Known(home) => Value::Known(home + rest),
                        other => other,
                    },
                    _ => Value::Some,
                },
                Part::Plain(text) | Part::Quoted(text) => Value::Known(text.clone()),
                Part::Variable(name, rest) => self.variable(name, rest),
                Part::Command(command) => self.command(command),
                Part::Other => Value::Unknown,
            };
            sum = match (sum, value) {
                (Value::Known(mut sum), Value::Known(more)) => {
                    sum.push_str(&more);
                    if sum.len() > LONGEST { Value::Some } else { Value::Known(sum) }
                }
                (Value::Known(text), other) | (other, Value::Known(text)) if text.is_empty() => other,
                (Value::Unknown, Value::Unknown) => Value::Unknown,
                _ => Value::Some,
            };
        }
        sum
    }

    fn variable(&self, name: &str, rest: &str) -> Value {
        let value = self.get(name);
        let (operator, word) = match rest.strip_prefix(':').unwrap_or(rest) {
            "" => return value,
            rest => rest.split_at(rest.chars().next().map_or(0, char::len_utf8)),
        };
        match (operator, value.is_empty()) {
            ("-" | "=", _) if word.is_empty() => value,
            ("-" | "=", Some(false)) => value,
            ("+", Some(false)) => Value::Known(word.to_owned()).plain(),
            _ => Value::Unknown,
        }
    }

    fn command(&self, command: &str) -> Value {
        match command.trim().trim_start_matches("/usr").trim_start_matches("/bin/") {
            "id -u" => self.get("EUID"),
            "id -un" | "whoami" => self.get("USER"),
            _ => Value::Unknown,
        }
    }
}

impl Value {
    /// Unknown if anything in it would have to be expanded.
    fn plain(self) -> Self {
        match self {
            Self::Known(text) if text.contains(['$', '`', '"', '\'', '\\']) => Self::Unknown,
            other => other,
        }
    }

    /// Whether it is empty.
    pub(super) fn is_empty(&self) -> Option<bool> {
        match self {
            Self::Known(text) => Some(text.is_empty()),
            Self::Some => Some(false),
            Self::Unknown => None,
        }
    }
}
