//! The syntax of nginx.conf, as ngx_conf_read_token in src/core/ngx_conf_file.c of nginx reads it.

/// One directive, or the beginning or the end of a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// What it is.
    pub(super) kind: Kind,
    /// Its name and arguments; none for the end of a block.
    pub(super) words: Vec<String>,
    /// The line of its first word, from 1.
    pub(super) line: u32,
}

/// How a statement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `;`
    Simple,
    /// `{`
    Opens,
    /// `}`
    Closes,
}

/// Where the text makes no sense, and why. nginx refuses the whole configuration then.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) line: u32,
    pub(super) what: &'static str,
}

/// The statements up to the first mistake. The Lua of `*_by_lua_block { … }` is passed over.
pub(super) fn read(text: &str) -> (Vec<Statement>, Option<Mistake>) {
    let mut reader = Reader { chars: text.chars().collect(), at: 0, line: 1 };
    let mut found = Vec::new();
    loop {
        match reader.statement() {
            Ok(Some(statement)) => {
                let lua = statement.kind == Kind::Opens
                    && statement.words.first().is_some_and(|name| name.ends_with("_by_lua_block"));
                found.push(statement);
                if lua {
                    reader.pass_over_lua();
                }
            }
            Ok(None) => return (found, None),
            Err(what) => return (found, Some(Mistake { line: reader.line, what })),
        }
    }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    line: u32,
}

impl Reader {
    fn next(&mut self) -> Option<char> {
        let c = *self.chars.get(self.at)?;
        self.at += 1;
        self.line += u32::from(c == '\n');
        Some(c)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn statement(&mut self) -> Result<Option<Statement>, &'static str> {
        let mut words = Vec::new();
        let mut line = self.line;
        loop {
            match self.peek() {
                None if words.is_empty() => return Ok(None),
                None => return Err("the file ends where a ; or } is expected"),
                Some(' ' | '\t' | '\r' | '\n') => {
                    self.next();
                }
                Some('#') => while self.next().is_some_and(|c| c != '\n') {},
                Some(c @ (';' | '{' | '}')) => {
                    self.next();
                    let kind = match c {
                        ';' => Kind::Simple,
                        '{' => Kind::Opens,
                        _ => Kind::Closes,
                    };
                    if words.is_empty() == (kind == Kind::Closes) {
                        let line = if words.is_empty() { self.line } else { line };
                        return Ok(Some(Statement { kind, words, line }));
                    }
                    return Err("a ;, { or } where none is expected");
                }
                Some(quote @ ('"' | '\'')) => {
                    if words.is_empty() {
                        line = self.line;
                    }
                    self.next();
                    words.push(self.quoted(quote)?);
                }
                Some(_) => {
                    if words.is_empty() {
                        line = self.line;
                    }
                    words.push(self.word());
                }
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, &'static str> {
        let mut word = String::new();
        loop {
            match self.next() {
                None => return Err("a quoted word does not end"),
                Some('\\') => self.escaped(&mut word),
                Some(c) if c == quote => break,
                Some(c) => word.push(c),
            }
        }
        match self.peek() {
            Some(' ' | '\t' | '\r' | '\n' | ';' | '{' | ')') | None => Ok(word),
            Some(_) => Err("something follows a quoted word without a blank"),
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        let mut variable = false;
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' => break,
                // `${name}` is part of the word.
                '{' if !variable => break,
                _ => {}
            }
            self.next();
            variable = c == '$';
            match c {
                '\\' => self.escaped(&mut word),
                c => word.push(c),
            }
        }
        word
    }

    /// What follows a backslash: few escapes mean something, the backslash of others stays.
    fn escaped(&mut self, word: &mut String) {
        match self.next() {
            Some(c @ ('"' | '\'' | '\\')) => word.push(c),
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            Some(c) => word.extend(['\\', c]),
            None => word.push('\\'),
        }
    }

    /// Lua up to before the brace that ends its block: braces in strings and comments do not count.
    fn pass_over_lua(&mut self) {
        let mut depth = 1;
        while let Some(c) = self.peek() {
            match c {
                '}' if depth == 1 => return,
                '}' => depth -= 1,
                '{' => depth += 1,
                '-' if self.chars.get(self.at + 1) == Some(&'-') => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.next();
                    }
                    continue;
                }
                quote @ ('"' | '\'') => {
                    self.next();
                    while let Some(c) = self.peek().filter(|c| *c != quote && *c != '\n') {
                        self.next();
                        if c == '\\' {
                            self.next();
                        }
                    }
                }
                _ => {}
            }
            self.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(u32, String)> {
        let (statements, mistake) = read(text);
        assert_eq!(mistake, None, "{text:?}");
        let end = |kind| match kind {
            Kind::Simple => ";",
            Kind::Opens => "{",
            Kind::Closes => "}",
        };
        statements.into_iter().map(|s| (s.line, s.words.join("|") + end(s.kind))).collect()
    }

    #[test]
    fn directives_blocks_and_comments_are_told_apart() {
        let text = "user  www; # x { y;\nevents {\n  worker_connections\n    1024;\n}\nlocation ~ \\.php$ {return 200 \"a;b\";}";
        let expected = [
            (1, "user|www;"),
            (2, "events{"),
            (3, "worker_connections|1024;"),
            (5, "}"),
            (6, "location|~|\\.php${"),
            (6, "return|200|a;b;"),
            (6, "}"),
        ];
        assert_eq!(words(text), expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn words_may_hold_variables_quotes_and_escapes() {
        let text =
            "log_format main '$remote_addr \\'x\\' \"$a\"' \"b\\tc\";set $x ${y}z;if ($a = \"b\") {\n}";
        let expected = [
            (1, "log_format|main|$remote_addr 'x' \"$a\"|b\tc;"),
            (1, "set|$x|${y}z;"),
            (1, "if|($a|=|b|){"),
            (2, "}"),
        ];
        assert_eq!(words(text), expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn lua_is_passed_over() {
        let text = "content_by_lua_block {\n local t = {a = '}'} -- }\n if x then y() end\n}\nlisten 80;";
        let expected = [(1, "content_by_lua_block{"), (4, "}"), (5, "listen|80;")];
        assert_eq!(words(text), expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn a_mistake_ends_the_reading_and_says_where() {
        for (text, line) in [("a", 1), ("a;\nb 'c", 2), ("a;\n;", 2), ("{", 1), ("a }", 1), ("a 'b'c;", 1)] {
            assert_eq!(read(text).1.map(|m| m.line), Some(line), "{text:?}");
        }
        for text in ["", "\n", "# only\n", "}", "\0\u{fffd};"] {
            assert_eq!(read(text).1, None, "{text:?}");
        }
    }
}
