//! The lines of sudoers, after the grammar of sudo (plugins/sudoers/gram.y).

use super::lex::{Beginning, Lexer, Token, beginning};

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Another file.
    Include(String),
    /// A directory of files.
    IncludeDirectory(String),
    /// Who may do what: users, commands, and whether some of them need no password.
    Rule(Vec<String>, Vec<String>, bool),
    /// The names of aliases: the kind's letter and the name.
    Alias(Vec<(char, String)>),
    /// Settings.
    Defaults,
}

/// A line, with the number of its first physical line from 1.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub(super) number: u32,
    pub(super) text: String,
    /// What it says, or what is wrong.
    pub(super) line: Result<Line, &'static str>,
    /// The aliases it names.
    pub(super) named: Vec<(char, String)>,
}

/// The lines that say something.
pub(super) fn parse(text: &str) -> Vec<Parsed> {
    let mut found = Vec::new();
    for (number, text) in logical_lines(text) {
        let (kind, rest) = beginning(&text);
        let mut parser = Parser { tokens: Vec::new(), at: 0, named: Vec::new() };
        let line = match kind {
            Beginning::Include => path(rest).map(Line::Include),
            Beginning::IncludeDirectory => path(rest).map(Line::IncludeDirectory),
            _ => {
                parser.tokens = Lexer::new(kind, rest).all();
                if parser.tokens.is_empty() && kind == Beginning::Rule {
                    continue;
                }
                parser.line(kind)
            }
        };
        let named = parser.named;
        found.push(Parsed { number, text: text.trim().to_owned(), line, named });
    }
    found
}

/// Lines with those that a backslash continues; a comment is not continued.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let (body, continued) = match line.trim_end_matches([' ', '\t']).strip_suffix('\\') {
            // The scanner takes a backslash with blanks and the line end, unless it is itself guarded.
            Some(body) if body.chars().rev().take_while(|c| *c == '\\').count() % 2 == 0 => (body, true),
            _ => (line, false),
        };
        let start = line.trim_start_matches([' ', '\t']);
        let comment = start.starts_with('#')
            && !open
            && !start.trim_start_matches(['#', '-']).starts_with(|c: char| c.is_ascii_digit());
        let continued = continued && !comment;
        let body = if continued { body } else { line };
        match lines.last_mut() {
            Some((_, last)) if open => {
                last.push(' ');
                last.push_str(body);
            }
            _ => lines.push((number, body.to_owned())),
        }
        open = continued;
    }
    lines
}

/// The path of an include.
fn path(rest: &str) -> Result<String, &'static str> {
    let rest = rest.trim_matches([' ', '\t']);
    if let Some(quoted) = rest.strip_prefix('"') {
        return match quoted.split_once('"') {
            Some((path, after))
                if !path.is_empty() && (after.trim().is_empty() || after.trim_start().starts_with('#')) =>
            {
                Ok(path.to_owned())
            }
            _ => Err("a string does not end on its line"),
        };
    }
    let mut path = String::new();
    let mut chars = rest.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek().is_some_and(|c| *c == ' ' || *c == '\t') => path.extend(chars.next()),
            c if c.is_whitespace() => break,
            c => path.push(c),
        }
    }
    let after: String = chars.collect();
    match path.is_empty() || !(after.trim().is_empty() || after.trim_start().starts_with('#')) {
        true => Err("one path is expected"),
        false => Ok(path),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    named: Vec<(char, String)>,
}

type Found<T> = Result<T, &'static str>;

impl Parser {
    fn look(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn sign(&mut self, sign: char) -> bool {
        let found = self.look() == Some(&Token::Sign(sign));
        self.at += usize::from(found);
        found
    }

    fn wrong<T>(&self, expected: &'static str) -> Found<T> {
        Err(match self.look() {
            Some(Token::Bad(what)) => what,
            _ => expected,
        })
    }

    fn line(&mut self, kind: Beginning) -> Found<Line> {
        let line = match kind {
            Beginning::Defaults(whom) => self.defaults(whom)?,
            Beginning::Alias(letter) => self.aliases(letter)?,
            _ => self.rule()?,
        };
        match self.look() {
            None => Ok(line),
            Some(_) => self.wrong("something follows that does not belong to it"),
        }
    }

    fn rule(&mut self) -> Found<Line> {
        let users = self.members('U')?;
        let (mut commands, mut free) = (Vec::new(), false);
        loop {
            self.members('H')?;
            if !self.sign('=') {
                return self.wrong("`=` is missing after the hosts");
            }
            loop {
                self.as_whom()?;
                while let Some(Token::Option(_)) = self.look() {
                    self.at += 1;
                    if !self.sign('=') {
                        return self.wrong("`=` is missing after an option");
                    }
                    match self.look() {
                        Some(Token::Word(_) | Token::Command(_) | Token::Alias(_)) => self.at += 1,
                        _ => return self.wrong("an option has no value"),
                    }
                }
                while let Some(Token::Tag(tag)) = self.look() {
                    free |= tag == "NOPASSWD";
                    self.at += 1;
                }
                commands.push(self.command()?);
                if !self.sign(',') {
                    break;
                }
            }
            if !self.sign(':') {
                return Ok(Line::Rule(users, commands, free));
            }
        }
    }

    /// `(users : groups)`, which need not be there.
    fn as_whom(&mut self) -> Found<()> {
        if !self.sign('(') || self.sign(')') {
            return Ok(());
        }
        if self.look() != Some(&Token::Sign(':')) {
            self.members('R')?;
        }
        if self.sign(':') && self.look() != Some(&Token::Sign(')')) {
            self.members('G')?;
        }
        if self.sign(')') { Ok(()) } else { self.wrong("a parenthesis is not closed") }
    }

    fn command(&mut self) -> Found<String> {
        while self.look() == Some(&Token::Digest) {
            self.at += 1;
            if !self.sign(':') {
                return self.wrong("`:` is missing before a digest");
            }
            // Base64 may have signs in it that are ones elsewhere.
            while matches!(self.look(), Some(Token::Word(_) | Token::Alias(_) | Token::Sign('='))) {
                self.at += 1;
            }
            if self.look() == Some(&Token::Sign(',')) && self.tokens.get(self.at + 1) == Some(&Token::Digest)
            {
                self.at += 1;
            }
        }
        let not = if self.sign('!') { "!" } else { "" };
        let command = match self.look() {
            Some(Token::All) => "ALL".to_owned(),
            Some(Token::Alias(name)) => {
                let name = name.clone();
                self.named.push(('C', name.clone()));
                name
            }
            Some(Token::Command(command)) => command.clone(),
            _ => return self.wrong("a command is expected: a full path, ALL or an alias"),
        };
        self.at += 1;
        Ok(format!("{not}{command}"))
    }

    /// Users (U, R), groups (G) or hosts (H) with commas between them.
    fn members(&mut self, kind: char) -> Found<Vec<String>> {
        let mut found = Vec::new();
        loop {
            let not = if self.sign('!') { "!" } else { "" };
            let member = match self.look() {
                Some(Token::All) => "ALL".to_owned(),
                Some(Token::Alias(name)) => {
                    let name = name.clone();
                    self.named.push((if kind == 'G' { 'R' } else { kind }, name.clone()));
                    name
                }
                Some(Token::Word(name)) => name.clone(),
                Some(Token::Netgroup(name)) if kind != 'G' => name.clone(),
                Some(Token::Group(name)) if kind == 'U' || kind == 'R' => name.clone(),
                Some(Token::Network(name)) if kind == 'H' => name.clone(),
                _ => {
                    return self.wrong(if kind == 'H' {
                        "a host is expected"
                    } else {
                        "a user or group is expected"
                    });
                }
            };
            self.at += 1;
            found.push(format!("{not}{member}"));
            if !self.sign(',') {
                return Ok(found);
            }
        }
    }

    fn aliases(&mut self, letter: char) -> Found<Line> {
        let mut names = Vec::new();
        loop {
            let Some(Token::Alias(name)) = self.look() else {
                return self.wrong("the name of an alias is expected, in upper case");
            };
            names.push((letter, name.clone()));
            self.at += 1;
            if !self.sign('=') {
                return self.wrong("`=` is missing after the name of an alias");
            }
            if letter == 'C' {
                loop {
                    self.command()?;
                    if !self.sign(',') {
                        break;
                    }
                }
            } else {
                self.members(letter)?;
            }
            if !self.sign(':') {
                return Ok(Line::Alias(names));
            }
        }
    }

    fn defaults(&mut self, whom: Option<char>) -> Found<Line> {
        match whom {
            Some('!') => loop {
                self.command()?;
                if !self.sign(',') {
                    break;
                }
            },
            Some('@') => drop(self.members('H')?),
            Some('>') => drop(self.members('R')?),
            Some(_) => drop(self.members('U')?),
            None => {}
        }
        loop {
            let not = self.sign('!');
            if !matches!(self.look(), Some(Token::Setting(_))) {
                return self.wrong("the name of a setting is expected");
            }
            self.at += 1;
            if !not && (self.sign('=') || self.sign('+') || self.sign('-')) {
                match self.look() {
                    Some(Token::Word(_)) => self.at += 1,
                    _ => return self.wrong("a setting has no value"),
                }
            }
            if !self.sign(',') {
                return Ok(Line::Defaults);
            }
        }
    }
}
