//! grub.cfg: the script that GRUB 2 runs to make its menu, as far as it can be run without the firmware.
//!
//! The language is a small shell's (GNU GRUB manual, "Shell-like scripting"). Commands that make the menu are obeyed, all others passed
//! over. A condition that cannot be told here (what the firmware is, what other disks hold) runs both branches, and what they set
//! differently is then not known. What GRUB would refuse is told as far as quotes and blocks go.

mod run;
mod words;

use super::boot_menu::Menu;
use run::Run;
use std::collections::BTreeMap;
use words::{Faults, Token, Word, tokens};

/// The menu that a script makes, beginning with these variables (GRUB's own, and those of grubenv that `load_env` sets).
pub fn menu(text: &str, grubenv: &BTreeMap<String, String>) -> Menu {
    let (tokens, mut faults) = tokens(text);
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, faults: &mut faults };
    let statements = parser.statements(&[]);
    if let Some((line, token)) = parser.peek() {
        let what = format!("{token} belongs to nothing");
        parser.faults.push((line, what));
    }
    let mut run = Run::new(grubenv);
    run.statements(&statements);
    let mut menu = run.finish();
    menu.faults = faults;
    menu
}

/// The variables of grubenv: `name=value` lines in a block of 1024 bytes that `#` fills.
pub fn grubenv(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    // A backslash stands before the end of a line within a value, and before itself.
    pairs.map(|(name, value)| (name.trim().to_owned(), value.replace("\\\\", "\\"))).collect()
}

#[derive(Debug, Clone)]
enum Statement {
    /// A command with its words and, of `menuentry` and `submenu`, its block.
    Command { words: Vec<Word>, block: Option<Vec<Statement>>, line: u32 },
    /// `if` and `elif` with their conditions, and what follows `else`.
    If { branches: Vec<(Vec<Statement>, Vec<Statement>)>, otherwise: Vec<Statement> },
    /// `for`, `while`, `until`: what they repeat.
    Loop(Vec<Statement>),
    /// `function`: what it does is not looked into.
    Function,
}

/// Blocks may be nested so deep.
const DEEPEST: u32 = 40;

struct Parser<'a> {
    tokens: &'a [(u32, Token)],
    at: usize,
    depth: u32,
    faults: &'a mut Faults,
}

impl Parser<'_> {
    fn peek(&self) -> Option<(u32, &Token)> {
        self.tokens.get(self.at).map(|(line, token)| (*line, token))
    }

    /// The bare word here, if it is one.
    fn keyword(&self) -> Option<&str> {
        self.peek().and_then(|(_, token)| token.bare())
    }

    fn take(&mut self, keyword: &str) -> bool {
        let is = self.keyword() == Some(keyword);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, keyword: &str, of: &str, line: u32) {
        if !self.take(keyword) {
            self.faults.push((line, format!("{of} without its {keyword}")));
        }
    }

    /// Statements up to one of these words, which is left.
    fn statements(&mut self, ends: &[&str]) -> Vec<Statement> {
        let mut found = Vec::new();
        self.depth += 1;
        while let Some((line, token)) = self.peek() {
            if matches!(token, Token::End) {
                self.at += 1;
                continue;
            }
            if self.keyword().is_some_and(|word| ends.contains(&word)) {
                break;
            }
            if self.depth > DEEPEST {
                self.faults.push((line, "blocks are nested too deep".into()));
                self.at = self.tokens.len();
                break;
            }
            let keyword = self.keyword().unwrap_or_default().to_owned();
            match keyword.as_str() {
                "if" => found.push(self.condition(line)),
                "for" | "while" | "until" => found.push(self.repeated(line)),
                "function" => found.push(self.function(line)),
                "then" | "else" | "elif" | "fi" | "do" | "done" | "}" => {
                    self.faults.push((line, format!("{keyword} belongs to nothing")));
                    self.at += 1;
                }
                _ => found.push(self.command(line)),
            }
        }
        self.depth -= 1;
        found
    }

    fn condition(&mut self, line: u32) -> Statement {
        let (mut branches, mut otherwise) = (Vec::new(), Vec::new());
        while self.take("if") || self.take("elif") {
            let condition = self.statements(&["then"]);
            self.expect("then", "if", line);
            branches.push((condition, self.statements(&["elif", "else", "fi"])));
            if self.keyword() != Some("elif") {
                break;
            }
        }
        if self.take("else") {
            otherwise = self.statements(&["fi"]);
        }
        self.expect("fi", "if", line);
        Statement::If { branches, otherwise }
    }

    fn repeated(&mut self, line: u32) -> Statement {
        self.at += 1;
        self.statements(&["do"]);
        self.expect("do", "loop", line);
        let body = self.statements(&["done"]);
        self.expect("done", "loop", line);
        Statement::Loop(body)
    }

    fn function(&mut self, line: u32) -> Statement {
        self.at += 2;
        while matches!(self.peek(), Some((_, Token::End))) {
            self.at += 1;
        }
        self.expect("{", "function", line);
        self.statements(&["}"]);
        self.expect("}", "function", line);
        Statement::Function
    }

    fn command(&mut self, line: u32) -> Statement {
        let mut words = Vec::new();
        while let Some((_, Token::Word(word))) = self.tokens.get(self.at) {
            // A block may end on the line of its last command.
            if word.bare() == Some("}") {
                break;
            }
            if word.bare() == Some("{") && !words.is_empty() {
                self.at += 1;
                let block = self.statements(&["}"]);
                self.expect("}", "menu entry", line);
                return Statement::Command { words, block: Some(block), line };
            }
            words.push(word.clone());
            self.at += 1;
        }
        Statement::Command { words, block: None, line }
    }
}

#[cfg(test)]
mod tests;
