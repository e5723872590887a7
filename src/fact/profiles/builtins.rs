//! The builtins of a shell, as far as they decide what is read and whether the login comes to its end.

use super::run::{Login, Next, Outcome};
use super::scripts::Stop;
use super::syntax::{Part, Word};
use super::value::Value;
use crate::source::{FileKind, Missing};
use std::path::Path;

impl Login<'_, '_> {
    /// The command of this name, its words with it, which may be a builtin.
    pub(super) fn builtin(&mut self, name: &str, words: &[Word], line: u32, sure: bool) -> Outcome {
        let arguments = words.get(1..).unwrap_or_default();
        match name {
            "." | "source" => (self.dot(arguments, line, sure), None),
            "exit" | "logout" => self.end(name.to_owned(), line, sure),
            "exec" => self.exec(words, line, sure),
            "return" => match sure {
                true => (Next::Return, None),
                false => {
                    self.doubts.iter_mut().last().into_iter().for_each(|doubt| *doubt = true);
                    (Next::Go, None)
                }
            },
            "break" | "continue" => match sure {
                true if name == "break" => (Next::Leave, None),
                _ => {
                    self.loop_doubt = true;
                    (Next::Go, None)
                }
            },
            "set" => {
                self.set(arguments, line, sure);
                (Next::Go, Some(true))
            }
            "unset" => {
                let names = arguments.iter().filter_map(Word::plain);
                let value = if sure { Value::Known(String::new()) } else { Value::Unknown };
                names.for_each(|name| self.variables.set(name, value.clone()));
                (Next::Go, Some(true))
            }
            "export" | "readonly" | "typeset" | "declare" | "local" => {
                self.declare(arguments, sure);
                (Next::Go, Some(true))
            }
            "read" | "getopts" | "mapfile" | "readarray" | "eval" | "printf" | "let" => {
                let names: Vec<_> = match name {
                    // It may set anything.
                    "eval" => self.variables.values.keys().filter(|k| *k != "HOME").cloned().collect(),
                    _ => arguments.iter().filter_map(|word| word.plain().map(str::to_owned)).collect(),
                };
                names.iter().for_each(|name| self.variables.set(name, Value::Unknown));
                (Next::Go, None)
            }
            "[" => match arguments.split_last() {
                Some((last, arguments)) if last.plain() == Some("]") => (Next::Go, self.test(arguments)),
                _ => (Next::Go, None),
            },
            "test" => (Next::Go, self.test(arguments)),
            "true" | ":" | "echo" | "umask" | "alias" => (Next::Go, Some(true)),
            "false" => (Next::Go, Some(false)),
            "shopt" if matches!(arguments, [q, what] if q.plain() == Some("-q") && what.plain() == Some("login_shell")) => {
                (Next::Go, Some(self.is_login_shell))
            }
            _ => (Next::Go, None),
        }
    }

    /// `.` and `source`.
    fn dot(&mut self, arguments: &[Word], line: u32, sure: bool) -> Next {
        let arguments = match arguments {
            [dashes, rest @ ..] if dashes.plain() == Some("--") => rest,
            all => all,
        };
        let Some(Value::Known(path)) = arguments.first().map(|word| self.variables.expand(word)) else {
            return Next::Go;
        };
        let from = format!("{}:{line}", self.path());
        match self.absolute(&path) {
            Some(path) => self.source(&path, &from, sure),
            None => Next::Go,
        }
    }

    fn exec(&mut self, words: &[Word], line: u32, sure: bool) -> Outcome {
        let is_option = |word: &&Word| word.plain().is_some_and(|word| word.starts_with('-'));
        let Some(program) = words.iter().skip(1).find(|word| !is_option(word)) else {
            return (Next::Go, Some(true));
        };
        match self.program(program) {
            Some(true) => self.end(written(words), line, sure),
            Some(false) => (Next::Go, Some(false)),
            None => {
                self.doubt = true;
                (Next::Go, None)
            }
        }
    }

    /// `export` and others that take assignments as arguments.
    fn declare(&mut self, arguments: &[Word], sure: bool) {
        let named = arguments.iter().filter_map(|word| {
            let Some(Part::Plain(text)) = word.parts.first() else { return None };
            let (name, value) = text.split_once('=')?;
            let mut parts = vec![Part::Plain(value.to_owned())];
            parts.extend(word.parts.iter().skip(1).cloned());
            Some((name.to_owned(), Word { parts }))
        });
        let named: Vec<_> = named.collect();
        self.assign(&named, sure);
    }

    fn end(&mut self, command: String, line: u32, sure: bool) -> Outcome {
        if !sure {
            self.doubt = true;
            return (Next::Go, None);
        }
        self.stop = Some((self.path(), line, Stop::End(command)));
        (Next::End, None)
    }

    fn set(&mut self, arguments: &[Word], line: u32, sure: bool) {
        let mut words = arguments.iter().map_while(Word::plain);
        while let Some(word) = words.next() {
            let on = word.starts_with('-');
            let letters = word.trim_start_matches(['-', '+']);
            if word == "--" || !(on || word.starts_with('+')) {
                return;
            }
            let named = letters.ends_with('o') && words.next() == Some("errexit");
            if named || letters.contains('e') {
                if !on {
                    self.errexit = None;
                } else if sure {
                    self.errexit = Some((
                        self.path(),
                        line,
                        format!("set {word}{}", if named { " errexit" } else { "" }),
                    ));
                }
            }
        }
    }

    fn absolute(&self, path: &str) -> Option<String> {
        match path {
            "" => None,
            path if path.starts_with('/') => Some(path.to_owned()),
            // A login starts in the home directory; a name without a slash is looked up in PATH.
            path if path.contains('/') => {
                Some(format!("{}/{}", self.person.home.trim_end_matches('/'), path.trim_start_matches("./")))
            }
            _ => None,
        }
    }

    /// Whether a program is there.
    fn program(&self, word: &Word) -> Option<bool> {
        let Value::Known(name) = self.variables.expand(word) else { return None };
        if name == "$SHELL" || name.is_empty() {
            return None;
        }
        let host = self.scripts.host;
        let exists = |path: &str| match host.source.stat(Path::new(path)) {
            Ok(stat) => Some(stat.kind == FileKind::File && stat.mode & 0o111 != 0),
            Err(Missing::Absent) => Some(false),
            Err(Missing::Unreadable(_)) => None,
        };
        if name.contains('/') {
            return exists(&self.absolute(&name)?);
        }
        const DIRECTORIES: [&str; 6] =
            ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
        let found = DIRECTORIES.iter().any(|directory| exists(&format!("{directory}/{name}")) == Some(true));
        found.then_some(true)
    }
}

/// A command about as it is written, for people.
fn written(words: &[Word]) -> String {
    let word = |word: &Word| {
        word.parts
            .iter()
            .map(|part| match part {
                Part::Plain(text) | Part::Quoted(text) => text.clone(),
                Part::Variable(name, rest) if rest.is_empty() => format!("${name}"),
                Part::Variable(name, rest) => format!("${{{name}{rest}}}"),
                Part::Command(_) | Part::Other => "…".to_owned(),
            })
            .collect::<String>()
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}
