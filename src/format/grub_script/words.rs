//! The words of a script.

use std::fmt;

/// A word, or the end of a command.
#[derive(Clone, Debug)]
pub(super) enum Token {
    Word(Word),
    /// A new line or `;`.
    End,
}

/// A word in its parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Word {
    pub(super) parts: Vec<Part>,
    quoted: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    Text(String),
    /// A variable.
    Variable(String),
}

impl Word {
    /// Its letters, where it has neither quotes nor variables.
    pub(super) fn bare(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Text(text)] if !self.quoted => Some(text),
            _ => None,
        }
    }

    /// Whether it had quotes: without them it vanishes when it is empty.
    pub(super) fn is_quoted(&self) -> bool {
        self.quoted
    }

    fn push(&mut self, c: char) {
        match self.parts.last_mut() {
            Some(Part::Text(text)) => text.push(c),
            _ => self.parts.push(Part::Text(c.into())),
        }
    }
}

impl Token {
    pub(super) fn bare(&self) -> Option<&str> {
        match self {
            Self::Word(word) => word.bare(),
            Self::End => None,
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.bare().unwrap_or("a word"))
    }
}

/// Lines that make no sense, and why.
pub(super) type Faults = Vec<(u32, String)>;

/// The tokens with their lines, and the quotes that are never closed.
pub(super) fn tokens(text: &str) -> (Vec<(u32, Token)>, Faults) {
    let mut scan =
        Scan { rest: text.chars().peekable(), line: 1, found: Vec::new(), word: None, faults: Vec::new() };
    scan.all();
    (scan.found, scan.faults)
}

struct Scan<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: u32,
    found: Vec<(u32, Token)>,
    word: Option<(u32, Word)>,
    faults: Faults,
}

impl Scan<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += u32::from(next == Some('\n'));
        next
    }

    fn word(&mut self) -> &mut Word {
        let line = self.line;
        &mut self.word.get_or_insert_with(|| (line, Word::default())).1
    }

    fn end_word(&mut self) {
        if let Some((line, word)) = self.word.take() {
            self.found.push((line, Token::Word(word)));
        }
    }

    fn end(&mut self) {
        self.end_word();
        if !matches!(self.found.last(), Some((_, Token::End))) {
            self.found.push((self.line, Token::End));
        }
    }

    fn all(&mut self) {
        while let Some(c) = self.next() {
            match c {
                '\n' | ';' => self.end(),
                c if c.is_ascii_whitespace() => self.end_word(),
                '#' if self.word.is_none() => {
                    while self.rest.peek().is_some_and(|c| *c != '\n') {
                        self.next();
                    }
                }
                // A line that is continued.
                '\\' if self.rest.peek() == Some(&'\n') => {
                    self.next();
                }
                '\\' => {
                    let c = self.next().unwrap_or('\\');
                    self.word().push(c);
                }
                '\'' => self.quoted('\''),
                '"' => self.quoted('"'),
                '$' => self.variable(),
                c => self.word().push(c),
            }
        }
        self.end();
    }

    fn quoted(&mut self, quote: char) {
        let line = self.line;
        let word = self.word();
        word.quoted = true;
        loop {
            match self.next() {
                None => {
                    self.faults.push((line, "a quote is never closed".into()));
                    return;
                }
                Some(c) if c == quote => return,
                Some('$') if quote == '"' => self.variable(),
                Some('\\') if quote == '"' => match self.next() {
                    Some(c @ ('$' | '"' | '\\')) => self.word().push(c),
                    Some('\n') | None => {}
                    Some(c) => {
                        self.word().push('\\');
                        self.word().push(c);
                    }
                },
                Some(c) => self.word().push(c),
            }
        }
    }

    fn variable(&mut self) {
        let braced = self.rest.next_if_eq(&'{').is_some();
        let mut name = String::new();
        while let Some(c) =
            self.rest.next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '?' | '@' | '#' | '*'))
        {
            name.push(c);
        }
        if braced {
            self.rest.next_if_eq(&'}');
        }
        if name.is_empty() {
            self.word().push('$');
        } else {
            self.word().parts.push(Part::Variable(name));
        }
    }
}
