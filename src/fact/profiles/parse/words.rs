//! Reads the words of a shell script: quotes, expansions and all (POSIX.1-2017, 2.2 and 2.6).

use super::{Parsed, Parser, Stuck};
use crate::fact::profiles::syntax::{Part, Word};

impl Parser {
    /// The word that stands here, if one does.
    pub(super) fn word(&mut self) -> Parsed<Option<Word>> {
        let mut word = Word::default();
        while let Some(c) = self.look(0) {
            match c {
                '\\' if self.look(1) == Some('\n') => self.at += 2,
                '\\' => {
                    let escaped = self.look(1).map(String::from).unwrap_or_default();
                    word.parts.push(Part::Quoted(escaped));
                    self.at += 2;
                }
                '\'' => {
                    self.at += 1;
                    let text = self.quoted()?;
                    word.parts.push(Part::Quoted(text));
                }
                '"' => {
                    self.at += 1;
                    self.double_quoted(&mut word)?;
                }
                '$' | '`' => {
                    let part = self.deeper(Self::expansion)?;
                    word.parts.push(part);
                }
                '<' | '>' if word.parts.is_empty() && self.look(1) == Some('(') => {
                    self.at += 2;
                    self.list_until(&[")"])?;
                    if !self.take(")") {
                        return Err(Stuck);
                    }
                    word.parts.push(Part::Other);
                }
                '(' if takes_parenthesis(&word) => {
                    self.balanced('(', ')')?;
                    word.parts.push(Part::Other);
                }
                c if ends_word(c) => break,
                c => {
                    self.at += 1;
                    match word.parts.last_mut() {
                        Some(Part::Plain(text)) => text.push(c),
                        _ => word.parts.push(Part::Plain(c.into())),
                    }
                }
            }
        }
        Ok((!word.parts.is_empty()).then_some(word))
    }

    /// Up to the closing single quote.
    fn quoted(&mut self) -> Parsed<String> {
        let from = self.at;
        while self.look(0).ok_or(Stuck)? != '\'' {
            self.at += 1;
        }
        self.at += 1;
        Ok(self.text.get(from..self.at - 1).unwrap_or_default().iter().collect())
    }

    fn double_quoted(&mut self, word: &mut Word) -> Parsed<()> {
        let mut text = String::new();
        loop {
            match self.look(0).ok_or(Stuck)? {
                '"' => {
                    self.at += 1;
                    word.parts.push(Part::Quoted(text));
                    return Ok(());
                }
                '\\' => {
                    match self.look(1).ok_or(Stuck)? {
                        '\n' => {}
                        c @ ('$' | '`' | '"' | '\\') => text.push(c),
                        c => text.extend(['\\', c]),
                    }
                    self.at += 2;
                }
                '$' | '`' => {
                    word.parts.push(Part::Quoted(std::mem::take(&mut text)));
                    let part = self.deeper(Self::expansion)?;
                    // What comes from an expansion within quotes is no pattern, which `Plain` alone is.
                    word.parts.push(match part {
                        Part::Plain(text) => Part::Quoted(text),
                        part => part,
                    });
                }
                c => {
                    text.push(c);
                    self.at += 1;
                }
            }
        }
    }

    /// What `$` or a backquote begins.
    fn expansion(&mut self) -> Parsed<Part> {
        if self.take("`") {
            let from = self.at;
            while self.look(0).ok_or(Stuck)? != '`' {
                self.at += if self.look(0) == Some('\\') { 2 } else { 1 };
            }
            self.at += 1;
            return Ok(Part::Command(self.between(from)));
        }
        self.at += 1;
        match self.look(0) {
            Some('(') if self.look(1) == Some('(') => {
                self.balanced('(', ')')?;
                Ok(Part::Other)
            }
            Some('(') => {
                self.at += 1;
                let from = self.at;
                self.list_until(&[")"])?;
                if !self.take(")") {
                    return Err(Stuck);
                }
                Ok(Part::Command(self.between(from)))
            }
            Some('{') => {
                let from = self.at + 1;
                self.balanced('{', '}')?;
                let inside = self.between(from);
                let length = inside.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').count();
                let length = if length == 0 && inside.starts_with(['-', '#', '?', '$', '!', '@', '*']) {
                    1
                } else {
                    length
                };
                let (name, rest) = inside.split_at(length);
                Ok(Part::Variable(name.to_owned(), rest.to_owned()))
            }
            Some('\'') => {
                self.at += 1;
                while self.look(0).ok_or(Stuck)? != '\'' {
                    self.at += if self.look(0) == Some('\\') { 2 } else { 1 };
                }
                self.at += 1;
                Ok(Part::Other)
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let from = self.at;
                while self.look(0).is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
                    self.at += 1;
                }
                let name = self.text.get(from..self.at).unwrap_or_default().iter().collect();
                Ok(Part::Variable(name, String::new()))
            }
            Some(c) if c.is_ascii_digit() || "-#?$!@*".contains(c) => {
                self.at += 1;
                Ok(Part::Variable(c.into(), String::new()))
            }
            _ => Ok(Part::Plain("$".into())),
        }
    }

    /// The text from here to before the character that was taken last.
    fn between(&self, from: usize) -> String {
        self.text.get(from..self.at - 1).unwrap_or_default().iter().collect()
    }

    /// Passes over parentheses or braces and what is in them; quotes are honoured.
    pub(super) fn balanced(&mut self, open: char, close: char) -> Parsed<()> {
        let mut level = 0_usize;
        loop {
            let c = self.look(0).ok_or(Stuck)?;
            self.at += 1;
            match c {
                '\\' => self.at += 1,
                '\'' if open == '(' => {
                    self.quoted()?;
                }
                '"' => self.double_quoted(&mut Word::default())?,
                c if c == open => level += 1,
                c if c == close && level <= 1 => return Ok(()),
                c if c == close => level -= 1,
                _ => {}
            }
        }
    }
}

pub(super) fn ends_word(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')')
}

/// Whether a parenthesis right behind this belongs to the word: `a=(`, `@(`.
fn takes_parenthesis(word: &Word) -> bool {
    match word.parts.as_slice() {
        [Part::Plain(text)] if assignment(word).is_some() => text.ends_with('='),
        [.., Part::Plain(text)] => text.ends_with(['?', '*', '+', '@', '!']),
        _ => false,
    }
}

/// `NAME=value` or `NAME+=value`.
pub(super) fn assignment(word: &Word) -> Option<(String, Word)> {
    let Some(Part::Plain(text)) = word.parts.first() else { return None };
    let (name, value) = text.split_once('=')?;
    let added = name.ends_with('+');
    let name = name.trim_end_matches('+');
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if !is_name(name) {
        return None;
    }
    let mut parts = vec![Part::Plain(value.to_owned())];
    if added {
        parts.insert(0, Part::Variable(name.to_owned(), String::new()));
    }
    parts.extend(word.parts.iter().skip(1).cloned());
    Some((name.to_owned(), Word { parts }))
}
