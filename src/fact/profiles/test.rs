//! What `[ … ]`, `[[ … ]]` and the patterns of `case` come to, as far as that is known before anybody logs in.

use super::run::Login;
use super::syntax::{Part, Word};
use super::value::Value;
use crate::source::glob::is_glob;
use crate::source::{FileKind, Missing};
use std::path::Path;

impl Login<'_, '_> {
    /// Whether the word matches the pattern of `case` or `[[ == ]]`.
    pub(super) fn matches(&self, word: &Word, pattern: &Word) -> Option<bool> {
        let wild = pattern.parts.iter().any(|part| matches!(part, Part::Plain(text) if is_glob(text)));
        let Value::Known(pattern) = self.variables.expand(pattern) else { return None };
        if pattern == "*" {
            return Some(true);
        }
        match self.variables.expand(word) {
            Value::Known(text) if wild => match text.contains('/') || text.starts_with('.') {
                // The pattern is not one of paths.
                true => None,
                false => Some(crate::source::glob::matches(&pattern, &text)),
            },
            Value::Known(text) => Some(text == pattern),
            // Whoever logs in sits at a terminal.
            Value::Some if pattern == "*i*" && is_flags(word) => Some(true),
            Value::Some if pattern.is_empty() => Some(false),
            _ => None,
        }
    }

    /// `[[ … ]]`.
    pub(super) fn extended_test(&self, words: &[Word]) -> Option<bool> {
        let is = |word: &Word, text: &str| word.plain() == Some(text);
        if words.iter().any(|word| is(word, "(") || is(word, ")")) {
            return None;
        }
        let any = words.split(|word| is(word, "||")).map(|all| {
            let all = all.split(|word| is(word, "&&")).map(|one| match one {
                [not, rest @ ..] if is(not, "!") => self.extended_comparison(rest).map(|result| !result),
                one => self.extended_comparison(one),
            });
            all.fold(Some(true), and)
        });
        any.fold(Some(false), or)
    }

    fn extended_comparison(&self, words: &[Word]) -> Option<bool> {
        match words {
            [left, operator, right] => match operator.plain()? {
                "=" | "==" => self.matches(left, right),
                "!=" => self.matches(left, right).map(|result| !result),
                _ => self.test(words),
            },
            _ => self.test(words),
        }
    }

    /// `[ … ]` without the brackets.
    pub(super) fn test(&self, words: &[Word]) -> Option<bool> {
        let is = |word: &Word, text: &str| word.plain() == Some(text);
        match words {
            [] => Some(false),
            [one] => self.variables.expand(one).is_empty().map(|empty| !empty),
            [not, rest @ ..] if is(not, "!") => self.test(rest).map(|result| !result),
            [operator, word] => self.one_word(operator.plain()?, word),
            [left, operator, right] if !is(operator, "-a") && !is(operator, "-o") => {
                self.two_words(left, operator.plain()?, right)
            }
            _ if words.iter().any(|word| is(word, "(") || is(word, ")")) => None,
            _ if words.iter().any(|word| is(word, "-o")) => {
                words.split(|word| is(word, "-o")).map(|part| self.test(part)).fold(Some(false), or)
            }
            _ if words.iter().any(|word| is(word, "-a")) => {
                words.split(|word| is(word, "-a")).map(|part| self.test(part)).fold(Some(true), and)
            }
            _ => None,
        }
    }

    fn one_word(&self, operator: &str, word: &Word) -> Option<bool> {
        let value = self.variables.expand(word);
        match operator {
            "-n" => return value.is_empty().map(|empty| !empty),
            "-z" => return value.is_empty(),
            "-t" => return Some(true),
            _ => {}
        }
        let Value::Known(path) = value else { return None };
        let path = if path.starts_with('/') { path } else { return None };
        let stat = match self.scripts.host.source.stat(Path::new(&path)) {
            Ok(stat) => stat,
            Err(Missing::Absent) if matches!(operator, "-e" | "-f" | "-d" | "-r" | "-s" | "-x" | "-w") => {
                return Some(false);
            }
            Err(_) => return None,
        };
        match operator {
            "-e" => Some(true),
            "-f" => Some(stat.kind == FileKind::File),
            "-d" => Some(stat.kind == FileKind::Directory),
            "-s" => Some(stat.size > 0),
            "-r" => {
                let own = stat.uid == self.person.uid && stat.mode & 0o400 != 0;
                (self.person.uid == 0 || own || stat.mode & 0o004 != 0).then_some(true)
            }
            "-x" if self.person.uid == 0 => Some(stat.kind == FileKind::Directory || stat.mode & 0o111 != 0),
            "-x" => (stat.mode & 0o001 != 0).then_some(true),
            _ => None,
        }
    }

    fn two_words(&self, left: &Word, operator: &str, right: &Word) -> Option<bool> {
        // "${-#*i}" is $- without the i of an interactive shell.
        let without_i =
            |word: &Word| word.parts.iter().any(|part| *part == Part::Variable("-".into(), "#*i".into()));
        if (without_i(left) && is_flags(right)) || (without_i(right) && is_flags(left)) {
            return match operator {
                "=" | "==" => Some(false),
                "!=" => Some(true),
                _ => None,
            };
        }
        let (left, right) = (self.variables.expand(left), self.variables.expand(right));
        let equal = match (&left, &right) {
            (Value::Known(left), Value::Known(right)) => Some(left == right),
            (Value::Some, Value::Known(text)) | (Value::Known(text), Value::Some) if text.is_empty() => {
                Some(false)
            }
            _ => None,
        };
        let numbers = || match (&left, &right) {
            (Value::Known(left), Value::Known(right)) => {
                Some((left.trim().parse::<i64>().ok()?, right.trim().parse::<i64>().ok()?))
            }
            _ => None,
        };
        match operator {
            "=" | "==" => equal,
            "!=" => equal.map(|equal| !equal),
            "-eq" => numbers().map(|(left, right)| left == right),
            "-ne" => numbers().map(|(left, right)| left != right),
            "-lt" => numbers().map(|(left, right)| left < right),
            "-le" => numbers().map(|(left, right)| left <= right),
            "-gt" => numbers().map(|(left, right)| left > right),
            "-ge" => numbers().map(|(left, right)| left >= right),
            _ => None,
        }
    }
}

fn is_flags(word: &Word) -> bool {
    let mut parts = word.parts.iter().filter(|part| !matches!(part, Part::Quoted(text) if text.is_empty()));
    matches!((parts.next(), parts.next()), (Some(Part::Variable(name, rest)), None) if name == "-" && rest.is_empty())
}

pub(super) fn or(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    or(left.map(|left| !left), right.map(|right| !right)).map(|either| !either)
}
