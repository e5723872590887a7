//! Reads a shell script, after POSIX.1-2017 chapter 2 and, where they differ, bash(1).

mod words;

use super::syntax::{AndOr, Command, Kind, List, Part, Pipeline, Word};
use std::rc::Rc;
use words::{assignment, ends_word};

/// A script, as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// Its commands, in order, up to the one that could not be read.
    pub(super) list: List,
    /// The line of that one.
    pub(super) stuck: Option<u32>,
}

/// More commands within one another than anybody writes.
const DEPTH: usize = 60;

/// Reads a script. A shell too takes one command after the other, so that those before a mistake count.
pub(super) fn parse(text: &str) -> Script {
    let mut parser = Parser { text: text.chars().collect(), ..Parser::default() };
    let mut script = Script::default();
    loop {
        let start = parser.skip_blank_lines();
        match start.and_then(|()| if parser.at_end() { Ok(None) } else { parser.and_or().map(Some) }) {
            Ok(Some(and_or)) => script.list.push(and_or),
            Ok(None) => return script,
            Err(Stuck) => {
                script.stuck = Some(parser.line());
                return script;
            }
        }
    }
}

/// What stands here is not understood.
struct Stuck;

type Parsed<T> = Result<T, Stuck>;

#[derive(Default)]
struct Parser {
    text: Vec<char>,
    at: usize,
    /// Newlines before `at` that were counted, and up to where.
    lines: (u32, usize),
    here_documents: Vec<(String, bool)>,
    depth: usize,
}

const RESERVED: [&str; 11] = ["then", "else", "elif", "fi", "do", "done", "esac", "}", "in", "]]", ")"];

impl Parser {
    fn line(&mut self) -> u32 {
        let (count, upto) = self.lines;
        let newlines =
            self.text.get(upto..self.at).unwrap_or_default().iter().filter(|c| **c == '\n').count();
        // Going back is rare and short: it is counted anew.
        let count = if upto > self.at {
            self.text.iter().take(self.at).filter(|c| **c == '\n').count() as u32
        } else {
            count + newlines as u32
        };
        self.lines = (count, self.at);
        count + 1
    }

    fn look(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    fn starts(&self, with: &str) -> bool {
        with.chars().enumerate().all(|(n, c)| self.look(n) == Some(c))
    }

    fn take(&mut self, this: &str) -> bool {
        let found = self.starts(this);
        if found {
            self.at += this.chars().count();
        }
        found
    }

    /// Blanks, continued lines and a comment.
    fn skip_blanks(&mut self) {
        loop {
            match self.look(0) {
                Some(' ' | '\t') => self.at += 1,
                Some('\\') if self.look(1) == Some('\n') => self.at += 2,
                Some('#') => {
                    while self.look(0).is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn newline(&mut self) -> Parsed<()> {
        self.at += 1;
        for (delimiter, strip) in std::mem::take(&mut self.here_documents) {
            loop {
                if self.at_end() {
                    // A here-document may end with the file; bash warns and goes on.
                    break;
                }
                let from = self.at;
                while self.look(0).is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
                let line: String = self.text.get(from..self.at).unwrap_or_default().iter().collect();
                self.at += 1;
                let line = if strip { line.trim_start_matches('\t') } else { &line };
                if line == delimiter {
                    break;
                }
            }
        }
        Ok(())
    }

    fn skip_blank_lines(&mut self) -> Parsed<()> {
        loop {
            self.skip_blanks();
            match self.look(0) {
                Some('\n') => self.newline()?,
                _ => return Ok(()),
            }
        }
    }

    fn deeper<T>(&mut self, what: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEPTH {
            return Err(Stuck);
        }
        self.depth += 1;
        let found = what(self);
        self.depth -= 1;
        found
    }

    /// Commands up to one of these reserved words, which is left standing.
    fn list_until(&mut self, ends: &[&str]) -> Parsed<List> {
        self.deeper(|parser| {
            let mut list = List::new();
            loop {
                parser.skip_blank_lines()?;
                if parser.at_end() {
                    return Err(Stuck);
                }
                if parser.look(0) == Some(')') || parser.starts(";;") || parser.starts(";&") {
                    return if ends.contains(&")") || ends.contains(&";;") { Ok(list) } else { Err(Stuck) };
                }
                if let Some(word) = parser.peek_plain()
                    && RESERVED.contains(&word.as_str())
                    && word != "in"
                    && word != "]]"
                {
                    let empty = list.is_empty() && word != "esac";
                    return if ends.contains(&word.as_str()) && !empty { Ok(list) } else { Err(Stuck) };
                }
                list.push(parser.and_or()?);
            }
        })
    }

    /// The plain word that stands here, without taking it.
    fn peek_plain(&self) -> Option<String> {
        let word: String =
            self.text.get(self.at..)?.iter().take(20).take_while(|c| !ends_word(**c)).collect();
        (!word.is_empty()).then_some(word)
    }

    fn expect(&mut self, reserved: &str) -> Parsed<()> {
        self.skip_blank_lines()?;
        match self.peek_plain().is_some_and(|word| word == reserved) && self.take(reserved) {
            true => Ok(()),
            false => Err(Stuck),
        }
    }

    fn and_or(&mut self) -> Parsed<AndOr> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.skip_blanks();
            let and = self.starts("&&");
            if and || self.starts("||") {
                self.at += 2;
                self.skip_blank_lines()?;
                rest.push((and, self.pipeline()?));
                continue;
            }
            let background = self.look(0) == Some('&');
            match self.look(0) {
                Some('&') => self.at += 1,
                Some(';') if self.look(1) != Some(';') && self.look(1) != Some('&') => self.at += 1,
                Some('\n' | ')' | ';') | None => {}
                // After `fi`, `}` and the like the next reserved word may follow at once.
                Some(_) => {
                    if !self.peek_plain().is_some_and(|word| RESERVED.contains(&word.as_str())) {
                        return Err(Stuck);
                    }
                }
            }
            return Ok(AndOr { first, rest, background });
        }
    }

    fn pipeline(&mut self) -> Parsed<Pipeline> {
        let mut negated = false;
        loop {
            self.skip_blanks();
            match self.peek_plain().as_deref() {
                Some("!") => {
                    self.at += 1;
                    negated = !negated;
                }
                Some("time") => self.at += 4,
                _ => break,
            }
        }
        let mut commands = vec![self.command()?];
        loop {
            self.skip_blanks();
            if self.look(0) != Some('|') || self.look(1) == Some('|') {
                return Ok(Pipeline { negated, commands });
            }
            self.at += if self.look(1) == Some('&') { 2 } else { 1 };
            self.skip_blank_lines()?;
            commands.push(self.command()?);
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        self.skip_blanks();
        let line = self.line();
        let kind = self.deeper(Self::kind)?;
        if !matches!(kind, Kind::Simple(..)) {
            while self.redirection()? {}
        }
        Ok(Command { line, kind })
    }

    fn kind(&mut self) -> Parsed<Kind> {
        if self.starts("((") {
            self.balanced('(', ')')?;
            return Ok(Kind::Other);
        }
        if self.take("(") {
            self.list_until(&[")"])?;
            return if self.take(")") { Ok(Kind::Other) } else { Err(Stuck) };
        }
        let Some(word) = self.peek_plain() else { return self.simple() };
        let this = |parser: &mut Self| parser.take(&word);
        match word.as_str() {
            "{" => {
                this(self);
                let list = self.list_until(&["}"])?;
                self.expect("}")?;
                Ok(Kind::Group(list))
            }
            "if" => {
                this(self);
                self.choice()
            }
            "while" | "until" => {
                this(self);
                let condition = self.list_until(&["do"])?;
                Ok(Kind::While(condition, self.body()?))
            }
            "for" | "select" => {
                this(self);
                self.each(word == "for")
            }
            "case" => {
                this(self);
                self.case()
            }
            "[[" => {
                this(self);
                self.test()
            }
            "function" => {
                this(self);
                self.skip_blanks();
                let name = self.word()?.and_then(|name| name.literal()).ok_or(Stuck)?;
                self.skip_blanks();
                if self.take("(") {
                    self.skip_blanks();
                    if !self.take(")") {
                        return Err(Stuck);
                    }
                }
                self.function(name)
            }
            word if RESERVED.contains(&word) && word != "in" && word != "]]" => Err(Stuck),
            _ => self.simple(),
        }
    }

    fn function(&mut self, name: String) -> Parsed<Kind> {
        self.skip_blank_lines()?;
        Ok(Kind::Function(name, Rc::new(self.command()?)))
    }

    fn body(&mut self) -> Parsed<List> {
        self.expect("do")?;
        let list = self.list_until(&["done"])?;
        self.expect("done")?;
        Ok(list)
    }

    fn choice(&mut self) -> Parsed<Kind> {
        let mut branches = Vec::new();
        loop {
            let condition = self.list_until(&["then"])?;
            self.expect("then")?;
            let list = self.list_until(&["elif", "else", "fi"])?;
            branches.push((condition, list));
            if self.take("elif") {
                continue;
            }
            let otherwise = match self.take("else") {
                true => self.list_until(&["fi"])?,
                false => List::new(),
            };
            self.expect("fi")?;
            return Ok(Kind::If(branches, otherwise));
        }
    }

    fn each(&mut self, is_for: bool) -> Parsed<Kind> {
        self.skip_blanks();
        if self.starts("((") {
            self.balanced('(', ')')?;
            self.skip_blanks();
            self.take(";");
            let body = self.body()?;
            return Ok(Kind::While(List::new(), body));
        }
        let name = self.word()?.and_then(|name| name.literal()).ok_or(Stuck)?;
        self.skip_blank_lines()?;
        let mut words = None;
        if self.peek_plain().as_deref() == Some("in") {
            self.take("in");
            let mut found = Vec::new();
            loop {
                self.skip_blanks();
                match self.word()? {
                    Some(word) => found.push(word),
                    None => break,
                }
            }
            words = Some(found);
        }
        self.skip_blanks();
        self.take(";");
        let body = self.body()?;
        // What `select` does depends on who sits there.
        Ok(if is_for { Kind::For(name, words, body) } else { Kind::While(List::new(), body) })
    }

    fn case(&mut self) -> Parsed<Kind> {
        self.skip_blanks();
        let word = self.word()?.ok_or(Stuck)?;
        self.expect("in")?;
        let mut branches = Vec::new();
        loop {
            self.skip_blank_lines()?;
            if self.peek_plain().as_deref() == Some("esac") {
                self.take("esac");
                return Ok(Kind::Case(word, branches));
            }
            self.take("(");
            let mut patterns = Vec::new();
            loop {
                self.skip_blanks();
                patterns.push(self.word()?.ok_or(Stuck)?);
                self.skip_blanks();
                if self.take(")") {
                    break;
                }
                if !self.take("|") {
                    return Err(Stuck);
                }
            }
            let list = self.list_until(&["esac", ";;"])?;
            branches.push((patterns, list));
            if self.starts(";&") || self.starts(";;&") {
                // What falls through is not followed.
                return Err(Stuck);
            }
            self.take(";;");
        }
    }

    fn test(&mut self) -> Parsed<Kind> {
        let mut words: Vec<Word> = Vec::new();
        loop {
            self.skip_blank_lines()?;
            if let Some(operator) = ["&&", "||", "(", ")", "<", ">"].into_iter().find(|op| self.starts(op)) {
                self.take(operator);
                words.push(Word { parts: vec![Part::Plain(operator.to_owned())] });
                continue;
            }
            if words.last().and_then(Word::plain) == Some("=~") {
                // A regular expression, in which parentheses and bars are its own.
                let mut level = 0;
                while let Some(c) = self.look(0) {
                    match c {
                        '(' => level += 1,
                        ')' => level -= 1,
                        '\\' => self.at += 1,
                        c if c.is_whitespace() && level <= 0 => break,
                        '\n' => return Err(Stuck),
                        _ => {}
                    }
                    self.at += 1;
                }
                words.push(Word { parts: vec![Part::Other] });
                continue;
            }
            let word = self.word()?.ok_or(Stuck)?;
            if word.plain() == Some("]]") {
                return Ok(Kind::Test(words));
            }
            words.push(word);
        }
    }

    fn simple(&mut self) -> Parsed<Kind> {
        let (mut assignments, mut words) = (Vec::new(), Vec::new());
        let mut redirected = false;
        loop {
            self.skip_blanks();
            if self.redirection()? {
                redirected = true;
                continue;
            }
            let Some(word) = self.word()? else { break };
            match assignment(&word) {
                Some(assignment) if words.is_empty() => assignments.push(assignment),
                _ => words.push(word),
            }
            if let [name] = words.as_slice()
                && assignments.is_empty()
                && let Some(name) = name.plain().map(str::to_owned)
            {
                let here = self.at;
                self.skip_blanks();
                if self.take("(") {
                    self.skip_blanks();
                    return if self.take(")") { self.function(name) } else { Err(Stuck) };
                }
                self.at = here;
            }
        }
        match assignments.is_empty() && words.is_empty() && !redirected {
            true => Err(Stuck),
            false => Ok(Kind::Simple(assignments, words)),
        }
    }

    /// A redirection, if one stands here.
    fn redirection(&mut self) -> Parsed<bool> {
        self.skip_blanks();
        let here = self.at;
        while self.look(0).is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        const OPERATORS: [&str; 12] =
            ["&>>", "&>", "<<<", "<<-", "<<", "<&", "<>", "<", ">>", ">&", ">|", ">"];
        let process = (self.starts("<(") || self.starts(">(")) && self.at == here;
        let found = OPERATORS.into_iter().find(|op| self.starts(op)).filter(|_| !process);
        let Some(operator) = found else {
            self.at = here;
            return Ok(false);
        };
        self.take(operator);
        self.skip_blanks();
        let word = self.word()?.ok_or(Stuck)?;
        if operator == "<<" || operator == "<<-" {
            self.here_documents.push((word.literal().ok_or(Stuck)?, operator == "<<-"));
        }
        Ok(true)
    }
}
