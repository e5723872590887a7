//! The words of sudoers, as sudo's own scanner (plugins/sudoers/toke.l) parts them.

/// A word or sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, number, host or value.
    Word(String),
    /// An alias: upper case.
    Alias(String),
    /// `ALL`.
    All,
    /// `%group`.
    Group(String),
    /// `+netgroup`.
    Netgroup(String),
    /// An address of a network.
    Network(String),
    /// A command with its arguments.
    Command(String),
    /// `NOPASSWD:` and the like, without the colon.
    Tag(String),
    /// `CWD`, `ROLE` and the like, which `=` and a word follow.
    Option(String),
    /// `sha256` and the like.
    Digest,
    /// The name of a setting after `Defaults`.
    Setting(String),
    /// `, = : ( ) ! + -`; the last two stand for `+=` and `-=`.
    Sign(char),
    /// What fits nowhere.
    Bad(&'static str),
}

/// What kind of line it is, by its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Users, hosts and commands.
    Rule,
    /// `Defaults`; for whom: `:`, `@`, `>`, `!`, or all.
    Defaults(Option<char>),
    /// `User_Alias`, `Runas_Alias`, `Host_Alias`, `Cmnd_Alias`: the first letter.
    Alias(char),
    /// `@include` and `#include`.
    Include,
    /// `@includedir` and `#includedir`.
    IncludeDirectory,
}

/// How a line begins, and what follows.
pub(super) fn beginning(line: &str) -> (Beginning, &str) {
    for (word, what) in [
        ("#includedir", Beginning::IncludeDirectory),
        ("#include", Beginning::Include),
        ("@includedir", Beginning::IncludeDirectory),
        ("@include", Beginning::Include),
    ] {
        // `#` must be the first character, and blanks must follow; `@` may be indented.
        let from = if word.starts_with('@') { line.trim_start_matches([' ', '\t']) } else { line };
        if let Some(rest) = from.strip_prefix(word)
            && rest.starts_with([' ', '\t'])
        {
            return (what, rest);
        }
    }
    let start = line.trim_start_matches([' ', '\t']);
    if let Some(rest) = start.strip_prefix("Defaults") {
        match rest.chars().next() {
            Some(sign @ (':' | '@' | '>' | '!')) => {
                let of = rest.trim_start_matches(sign).trim_start_matches([' ', '\t']);
                if !of.is_empty() {
                    return (Beginning::Defaults(Some(sign)), of);
                }
            }
            Some(' ' | '\t' | '\n' | '\\') | None => return (Beginning::Defaults(None), rest),
            _ => {}
        }
    }
    for (word, letter) in [
        ("User_Alias", 'U'),
        ("Runas_Alias", 'R'),
        ("Host_Alias", 'H'),
        ("Cmnd_Alias", 'C'),
        ("Cmd_Alias", 'C'),
    ] {
        if let Some(rest) = start.strip_prefix(word)
            && !rest.starts_with(in_word)
        {
            return (Beginning::Alias(letter), rest);
        }
    }
    (Beginning::Rule, line)
}

/// The scanner, over one logical line.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    rest: &'a str,
    settings: Settings,
    /// Behind `CWD` or `CHROOT`, whose path has no arguments.
    path: bool,
}

/// Where in a line of `Defaults` the scanner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settings {
    /// Nowhere: it is none.
    None,
    /// Before the first blank: for whom it is.
    Whom,
    /// Where a name must come.
    Name,
    /// Behind one.
    Value,
}

fn in_word(c: char) -> bool {
    !matches!(c, '#' | '>' | '!' | '=' | ':' | ',' | '(' | ')' | ' ' | '\t' | '\r' | '\n' | '\\' | '"')
}

const TAGS: [&str; 9] =
    ["PASSWD", "EXEC", "SETENV", "LOG_OUTPUT", "LOG_INPUT", "MAIL", "FOLLOW", "INTERCEPT", "FOLLOWLNK"];
const OPTIONS: [&str; 10] = [
    "TIMEOUT",
    "NOTBEFORE",
    "NOTAFTER",
    "CWD",
    "CHROOT",
    "ROLE",
    "TYPE",
    "APPARMOR_PROFILE",
    "PRIVS",
    "LIMITPRIVS",
];

impl<'a> Lexer<'a> {
    /// A scanner of what follows the beginning of a line.
    pub(super) fn new(beginning: Beginning, rest: &'a str) -> Self {
        let settings = match beginning {
            Beginning::Defaults(Some(_)) => Settings::Whom,
            Beginning::Defaults(None) => Settings::Name,
            _ => Settings::None,
        };
        Self { rest, settings, path: false }
    }

    /// All words and signs of the line.
    pub(super) fn all(mut self) -> Vec<Token> {
        let mut tokens = Vec::new();
        while let Some(token) = self.next_token() {
            let bad = matches!(token, Token::Bad(_));
            tokens.push(token);
            if bad {
                break;
            }
        }
        tokens
    }

    fn next_token(&mut self) -> Option<Token> {
        let blank = self.rest.starts_with([' ', '\t', '\r']);
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
        if self.settings == Settings::Whom && blank && !self.rest.starts_with(',') {
            self.settings = Settings::Name;
        }
        let first = self.rest.chars().next()?;
        match first {
            '!' => {
                let after = self.rest.trim_start_matches('!');
                let odd = (self.rest.len() - after.len()) % 2 == 1;
                self.rest = after;
                return if odd { Some(Token::Sign('!')) } else { self.next_token() };
            }
            '#' if !self.is_id() => return None,
            '#' if matches!(self.settings, Settings::Name | Settings::Value) => {
                return Some(Token::Bad("a # before a number begins no comment"));
            }
            _ => {}
        }
        Some(match self.settings {
            Settings::Name => self.setting(),
            Settings::Value => self.value(first),
            Settings::None | Settings::Whom => self.plain(first),
        })
    }

    fn is_id(&self) -> bool {
        self.rest.trim_start_matches('#').trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit())
            && (self.rest.starts_with("#-") || !self.rest.starts_with("##"))
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, test: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !test(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn setting(&mut self) -> Token {
        let name = self.take_while(|c| c.is_ascii_lowercase() || c == '_');
        self.settings = Settings::Value;
        if name.is_empty() {
            Token::Bad("the name of a setting is expected")
        } else {
            Token::Setting(name.to_owned())
        }
    }

    fn value(&mut self, first: char) -> Token {
        match first {
            ',' => {
                self.take(1);
                self.settings = Settings::Name;
                Token::Sign(',')
            }
            '=' => {
                self.take(1);
                Token::Sign('=')
            }
            '"' => self.string(),
            '+' | '-' if self.rest.get(1..2) == Some("=") => {
                self.take(2);
                Token::Sign(first)
            }
            _ => {
                let mut word = String::new();
                while let Some(c) = self.rest.chars().next() {
                    match c {
                        '\\' => word.push_str(self.escaped()),
                        '#' | '=' | ',' | ' ' | '\t' | '\r' | '\n' | '"' => break,
                        c => {
                            word.push(c);
                            self.take(c.len_utf8());
                        }
                    }
                }
                if word.is_empty() { Token::Bad("this does not fit here") } else { Token::Word(word) }
            }
        }
    }

    /// A backslash and what it guards.
    fn escaped(&mut self) -> &'a str {
        let length = self.rest.chars().take(2).map(char::len_utf8).sum();
        self.take(length)
    }

    fn string(&mut self) -> Token {
        self.take(1);
        let mut text = String::new();
        loop {
            match self.rest.chars().next() {
                None | Some('\n' | '\r') => return Token::Bad("a string does not end on its line"),
                Some('"') => {
                    self.take(1);
                    break;
                }
                Some('\\') if self.rest.starts_with("\\\"") => {
                    text.push('"');
                    self.take(2);
                }
                Some(c) => {
                    text.push(c);
                    self.take(c.len_utf8());
                }
            }
        }
        match (text.as_str(), self.settings) {
            ("", _) => Token::Bad("a string is empty"),
            (_, Settings::Value) => Token::Word(text),
            ("%" | "%:", _) => Token::Bad("a group has no name"),
            ("+", _) => Token::Bad("a netgroup has no name"),
            _ if text.starts_with('%') => Token::Group(text),
            _ if text.starts_with('+') => Token::Netgroup(text),
            _ => Token::Word(text),
        }
    }

    fn plain(&mut self, first: char) -> Token {
        match first {
            ',' | '=' | ':' | '(' | ')' if !(first == ':' && self.network().is_some()) => {
                self.take(1);
                return Token::Sign(first);
            }
            '"' => return self.string(),
            '#' => {
                let id = self.rest.trim_start_matches('#').trim_start_matches('-');
                let digits = id.find(|c: char| !c.is_ascii_digit()).unwrap_or(id.len());
                let length = self.rest.len() - id.len() + digits;
                return Token::Word(self.take(length).to_owned());
            }
            '/' => return self.command(),
            '^' => {
                if let Some(token) = self.regular_expression() {
                    return token;
                }
            }
            _ => {}
        }
        if let Some(length) = self.network() {
            return Token::Network(self.take(length).to_owned());
        }
        if let Some(tag) = self.tag() {
            return tag;
        }
        let mut word = String::new();
        while let Some(c) = self.rest.chars().next() {
            match c {
                '\\' if self.rest.len() > 1 && !self.rest.starts_with("\\\t") => {
                    word.push_str(self.escaped())
                }
                c if in_word(c) => {
                    word.push(c);
                    self.take(c.len_utf8());
                }
                _ => break,
            }
        }
        let upper = word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        match word.as_str() {
            "" => Token::Bad("this does not fit here"),
            "+" => Token::Bad("a netgroup has no name"),
            "%" => Token::Bad("a group has no name"),
            "ALL" => Token::All,
            "sha224" | "sha256" | "sha384" | "sha512" => Token::Digest,
            "sudoedit" => {
                let arguments = self.arguments();
                arguments.map_or_else(Token::Bad, |arguments| Token::Command(format!("sudoedit{arguments}")))
            }
            text if OPTIONS.contains(&text) && self.settings == Settings::None => {
                self.path = text == "CWD" || text == "CHROOT";
                Token::Option(word)
            }
            _ if upper => Token::Alias(word),
            text if text.starts_with('%') => {
                // `%:group` of a plugin: the colon is no sign there.
                Token::Group(word)
            }
            text if text.starts_with('+') => Token::Netgroup(word),
            _ => Token::Word(word),
        }
    }

    /// `NOPASSWD:`, with blanks before the colon perhaps.
    fn tag(&mut self) -> Option<Token> {
        let (name, _) = self.rest.split_once(':')?;
        let trimmed = name.trim_end_matches([' ', '\t']);
        if TAGS.contains(&trimmed) || trimmed.strip_prefix("NO").is_some_and(|tag| TAGS.contains(&tag)) {
            let length = name.len() + 1;
            self.take(length);
            return Some(Token::Tag(trimmed.to_owned()));
        }
        if self.rest.starts_with("%:") {
            self.take(2);
            let name = self.take_while(in_word);
            let bad = name.is_empty();
            return Some(if bad {
                Token::Bad("a group has no name")
            } else {
                Token::Group(format!("%:{name}"))
            });
        }
        None
    }

    /// The length of an address, with a mask perhaps.
    fn network(&self) -> Option<usize> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_hexdigit() && !matches!(c, '.' | ':'))
            .unwrap_or(self.rest.len());
        let (address, rest) = self.rest.split_at(end);
        let v6 = address.contains(':');
        // A colon may also follow an address.
        let mut length = end;
        match v6 {
            true => address.parse::<core::net::Ipv6Addr>().map(drop).ok()?,
            false => address.parse::<core::net::Ipv4Addr>().map(drop).ok()?,
        }
        if let Some(mask) = rest.strip_prefix('/') {
            let mask_end =
                mask.find(|c: char| !c.is_ascii_hexdigit() && !matches!(c, '.' | ':')).unwrap_or(mask.len());
            length += 1 + mask_end;
        }
        // What goes on as a name is one.
        let after = self.rest.get(length..)?;
        (!after.starts_with(in_word)).then_some(length)
    }

    fn regular_expression(&mut self) -> Option<Token> {
        let line = self.rest.split(['\r', '\n']).next()?;
        let mut end = None;
        let mut escaped = false;
        for (at, c) in line.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '#' => return None,
                '$' => {
                    end = Some(at + 1);
                    break;
                }
                _ => {}
            }
        }
        let path = self.take(end?).to_owned();
        Some(self.arguments().map_or_else(Token::Bad, |arguments| Token::Command(path + &arguments)))
    }

    fn command(&mut self) -> Token {
        let mut path = String::new();
        while let Some(c) = self.rest.chars().next() {
            match c {
                '\\' => match self.rest.chars().nth(1) {
                    Some(',' | ':' | '=' | ' ' | '\t' | '#') => path.push_str(self.escaped()),
                    _ => break,
                },
                ',' | ':' | '=' | ' ' | '\t' | '\r' | '\n' | '#' => break,
                c => {
                    path.push(c);
                    self.take(c.len_utf8());
                }
            }
        }
        if path == "/" {
            return Token::Bad("a command is no more than a slash");
        }
        if std::mem::take(&mut self.path) {
            return Token::Word(path);
        }
        if path.ends_with('/') || self.settings == Settings::Whom {
            return Token::Command(path);
        }
        self.arguments().map_or_else(Token::Bad, |arguments| Token::Command(path + &arguments))
    }

    /// Up to the sign that ends a command.
    fn arguments(&mut self) -> Result<String, &'static str> {
        let mut text = String::new();
        let mut word = true;
        while let Some(c) = self.rest.chars().next() {
            match c {
                '\\' => match self.rest.chars().nth(1) {
                    Some('*' | '?' | '[' | ']' | '!' | '^' | ':' | '\\' | ',' | '=' | ' ' | '\t' | '#') => {
                        text.push_str(self.escaped());
                        word = false;
                        continue;
                    }
                    _ => return Err("a backslash stands before a character that needs none"),
                },
                '#' | ':' | ',' | '\r' | '\n' => break,
                // One alone ends the command, one in an argument does not.
                '=' if word
                    && !self.rest.get(1..).is_some_and(|rest| {
                        rest.starts_with(|c: char| {
                            !matches!(c, '#' | '\\' | ':' | ',' | ' ' | '\t' | '\r' | '\n')
                        })
                    }) =>
                {
                    break;
                }
                _ => {}
            }
            word = c == ' ' || c == '\t';
            text.push(c);
            self.take(c.len_utf8());
        }
        Ok(text.trim_end().to_owned())
    }
}
