//! Goes through a login as the shell would, as far as that is known, and notes where it does not come to its end.

use super::parse::{Script, parse};
use super::syntax::{AndOr, Command, Kind, List, Part, Pipeline, Word};
use super::value::{Value, Variables};
use crate::source::glob::is_glob;
use crate::source::{FileKind, Host, Missing, Reading, Unreadable};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::rc::Rc;

/// Who logs in.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) home: String,
    pub(super) shell: String,
}

/// What stops a login.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
    /// A file is read again while it is being read, for ever: the lines by which, as `file:line`.
    Loop(Vec<String>),
    /// `exit`, or `exec` of another program: the command.
    End(String),
    /// `set -e` that nothing takes back.
    ErrorExit(String),
}

/// What stops whom, and where: the file, the line, and the users.
#[derive(Debug, Default)]
pub(super) struct Stops(pub(super) BTreeMap<(String, u32, Stop), BTreeSet<String>>);

impl Stops {
    /// Adds what stops this user, if anything does.
    pub(super) fn add(&mut self, stop: Option<(String, u32, Stop)>, user: &str) {
        let Some(stop) = stop else { return };
        // A circle is the same wherever it is entered.
        let round = |stop: &Stop| match stop {
            Stop::Loop(lines) => Some(lines.iter().cloned().collect::<BTreeSet<_>>()),
            _ => None,
        };
        let known = self
            .0
            .iter_mut()
            .find(|((_, _, known), _)| round(known).is_some() && round(known) == round(&stop.2));
        match known {
            Some((_, users)) => users.insert(user.to_owned()),
            None => self.0.entry(stop).or_default().insert(user.to_owned()),
        };
    }
}

/// The scripts of a host, each read once.
#[derive(Debug)]
pub(super) struct Scripts<'a> {
    host: &'a Host,
    scripts: HashMap<String, Reading<Rc<Script>>>,
    /// Names that globs may still look at.
    names_left: usize,
    /// What could not be read.
    pub(super) unread: BTreeSet<Unreadable>,
}

impl<'a> Scripts<'a> {
    pub(super) fn new(host: &'a Host) -> Self {
        Self { host, scripts: HashMap::new(), names_left: 20_000, unread: BTreeSet::new() }
    }

    fn get(&mut self, path: &str) -> Reading<Rc<Script>> {
        if let Some(found) = self.scripts.get(path) {
            return found.clone();
        }
        let found = self.host.read_text(path).map(|text| Rc::new(parse(&text)));
        if let Err(Missing::Unreadable(why)) = &found {
            self.unread.insert(why.clone());
        }
        self.scripts.insert(path.to_owned(), found.clone());
        found
    }
}

/// A login of one person.
#[derive(Debug)]
pub(super) struct Login<'a, 'h> {
    scripts: &'a mut Scripts<'h>,
    person: &'a Person,
    is_login_shell: bool,
    variables: Variables,
    functions: HashMap<String, Rc<Command>>,
    /// The files that are being read, with the line that has each read.
    reading: Vec<(String, String)>,
    /// Whether it is open if the rest of the file that is being read is reached, one for each; for the rest of the login; of a loop.
    doubts: Vec<bool>,
    doubt: bool,
    loop_doubt: bool,
    /// Files that are read on some condition, which are gone through once.
    perhaps: BTreeSet<String>,
    calls: usize,
    steps_left: usize,
    errexit: Option<(String, u32, String)>,
    /// Every file that was read, and whether it is in any case.
    pub(super) files: BTreeMap<String, bool>,
    /// What stops it.
    pub(super) stop: Option<(String, u32, Stop)>,
}

/// What comes after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The next one.
    Go,
    /// What comes after the loop.
    Leave,
    /// What comes after the file.
    Return,
    /// Nothing.
    End,
}

/// A file that is being read so many times at once is read for ever: what would have stopped it would have done so.
const AGAIN: usize = 4;

/// Files open within one another, and commands of a login, after which what happens is not known.
const OPEN: usize = 40;
const STEPS: usize = 20_000;

impl<'a, 'h> Login<'a, 'h> {
    pub(super) fn new(scripts: &'a mut Scripts<'h>, person: &'a Person, is_login_shell: bool) -> Self {
        let mut variables = Variables::default();
        let shell = person.shell.rsplit('/').next().unwrap_or_default();
        let known = |text: &str| Value::Known(text.to_owned());
        // bash and zsh set a prompt before they read anything, others perhaps.
        let bash = shell == "bash";
        for (name, value) in [
            ("HOME", known(&person.home)),
            ("USER", known(&person.name)),
            ("LOGNAME", known(&person.name)),
            ("SHELL", known(&person.shell)),
            ("UID", if bash { known(&person.uid.to_string()) } else { Value::Unknown }),
            ("EUID", known(&person.uid.to_string())),
            ("PATH", Value::Some),
            ("0", Value::Some),
            ("$", Value::Some),
            ("-", Value::Some),
            ("PS1", if bash { Value::Some } else { Value::Unknown }),
            ("BASH", if bash { known("/bin/bash") } else { Value::Unknown }),
            ("BASH_VERSION", if bash { Value::Some } else { Value::Unknown }),
            ("ZSH_VERSION", if bash { known("") } else { Value::Unknown }),
            ("KSH_VERSION", if bash { known("") } else { Value::Unknown }),
        ] {
            variables.set(name, value);
        }
        Self {
            scripts,
            person,
            is_login_shell,
            variables,
            functions: HashMap::new(),
            reading: Vec::new(),
            doubts: Vec::new(),
            doubt: false,
            loop_doubt: false,
            perhaps: BTreeSet::new(),
            calls: 0,
            steps_left: STEPS,
            errexit: None,
            files: BTreeMap::new(),
            stop: None,
        }
    }

    /// Goes through it.
    pub(super) fn run(&mut self) {
        let home = self.person.home.trim_end_matches('/').to_owned();
        let own = |name: &str| format!("{home}/{name}");
        let shell = self.person.shell.rsplit('/').next().unwrap_or_default();
        let mut files: Vec<String> = Vec::new();
        match (shell, self.is_login_shell) {
            ("bash", true) => {
                files.push("/etc/profile".into());
                // The first of these that can be read; where that is open, so is what comes.
                for name in [".bash_profile", ".bash_login", ".profile"] {
                    match self.scripts.get(&own(name)) {
                        Err(Missing::Absent) => {}
                        _ => {
                            files.push(own(name));
                            break;
                        }
                    }
                }
            }
            ("bash", false) => {
                // Debian's bash reads it, others have none of this name as a rule.
                files.extend(["/etc/bash.bashrc".into(), own(".bashrc")]);
            }
            ("zsh", _) => {
                let directory =
                    if self.scripts.host.exists("/etc/zsh") == Ok(true) { "/etc/zsh" } else { "/etc" };
                for part in ["zshenv", "zprofile", "zshrc", "zlogin"] {
                    files.push(format!("{directory}/{part}"));
                    files.push(own(&format!(".{part}")));
                }
            }
            _ => files.extend(["/etc/profile".into(), own(".profile")]),
        }
        for file in files {
            if self.source(&file, "", true) == Next::End {
                return;
            }
        }
        if let Some((path, line, command)) = self.errexit.take() {
            self.stop = Some((path, line, Stop::ErrorExit(command)));
        }
    }

    /// Whether what is read now is read in any case.
    fn sure(&self) -> bool {
        !self.doubt && !self.loop_doubt && !self.doubts.last().copied().unwrap_or(false)
    }

    fn path(&self) -> String {
        self.reading.last().map(|(path, _)| path.clone()).unwrap_or_default()
    }

    fn source(&mut self, path: &str, from: &str, sure: bool) -> Next {
        let sure = sure && self.sure();
        let Ok(script) = self.scripts.get(path) else { return Next::Go };
        let always = self.files.entry(path.to_owned()).or_default();
        *always |= sure;
        let times = self.reading.iter().filter(|(open, _)| open == path).count();
        if !sure && (times > 0 || !self.perhaps.insert(path.to_owned())) {
            return Next::Go;
        }
        if times >= AGAIN {
            let last = self.reading.iter().rposition(|(open, _)| open == path).unwrap_or_default();
            let mut lines: Vec<_> =
                self.reading.iter().skip(last + 1).map(|(_, from)| from.clone()).collect();
            lines.push(from.to_owned());
            // The round begins where it was entered first.
            let first = self.reading.iter().position(|(open, _)| open == path).unwrap_or_default();
            let entered = self.reading.get(first + 1).map_or(from, |(_, from)| from);
            if let Some(turn) = lines.iter().position(|line| line == entered) {
                lines.rotate_left(turn);
            }
            let (file, line) = from.rsplit_once(':').unwrap_or((from, "0"));
            let closing = lines.first().cloned().unwrap_or_default();
            let (file, line) = closing.rsplit_once(':').unwrap_or((file, line));
            self.stop = Some((file.to_owned(), line.parse().unwrap_or(0), Stop::Loop(lines)));
            return Next::End;
        }
        if self.reading.len() >= OPEN {
            self.doubt = true;
            return Next::Go;
        }
        self.reading.push((path.to_owned(), from.to_owned()));
        self.doubts.push(!sure);
        let loop_doubt = std::mem::replace(&mut self.loop_doubt, false);
        let next = self.list(&script.list, true).0;
        self.loop_doubt = loop_doubt;
        self.doubts.pop();
        self.reading.pop();
        // What comes after a place that is not understood may be anything.
        self.doubt |= script.stuck.is_some();
        if next == Next::End { Next::End } else { Next::Go }
    }

    /// What comes next, and whether the last command of the list succeeded.
    fn list(&mut self, list: &List, sure: bool) -> (Next, Option<bool>) {
        let mut success = Some(true);
        for and_or in list {
            let (next, last) = self.and_or(and_or, sure);
            if next != Next::Go {
                return (next, last);
            }
            success = last;
        }
        (Next::Go, success)
    }

    fn and_or(&mut self, and_or: &AndOr, sure: bool) -> (Next, Option<bool>) {
        if and_or.background {
            return (Next::Go, Some(true));
        }
        let (mut next, mut success) = self.pipeline(&and_or.first, sure);
        for (and, pipeline) in &and_or.rest {
            if next != Next::Go {
                break;
            }
            match success {
                Some(success) if success != *and => {}
                Some(_) => (next, success) = self.pipeline(pipeline, sure),
                None => (next, success) = (self.pipeline(pipeline, false).0, None),
            }
        }
        (next, success)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, sure: bool) -> (Next, Option<bool>) {
        let [command] = pipeline.commands.as_slice() else {
            // Each of several runs in a shell of its own.
            return (Next::Go, None);
        };
        let (next, success) = self.command(command, sure);
        (next, if pipeline.negated { success.map(|success| !success) } else { success })
    }

    fn command(&mut self, command: &Command, sure: bool) -> (Next, Option<bool>) {
        if self.steps_left == 0 {
            self.doubt = true;
            return (Next::Go, None);
        }
        self.steps_left -= 1;
        match &command.kind {
            Kind::Simple(assignments, words) => self.simple(assignments, words, command.line, sure),
            Kind::If(branches, otherwise) => {
                let mut sure = sure;
                for (condition, list) in branches {
                    let (next, success) = self.list(condition, sure);
                    if next != Next::Go {
                        return (next, None);
                    }
                    match success {
                        Some(true) => return self.list(list, sure),
                        Some(false) => {}
                        None => {
                            sure = false;
                            self.list(list, false);
                        }
                    }
                }
                let (next, success) = self.list(otherwise, sure);
                (next, success.filter(|_| sure))
            }
            Kind::For(name, words, list) => (self.each(name, words.as_deref(), list, sure), None),
            Kind::While(condition, list) => {
                let (next, success) = self.list(condition, sure);
                if next != Next::Go {
                    return (next, None);
                }
                if success != Some(false) || condition.is_empty() {
                    self.in_loop(|login| login.list(list, false));
                }
                (Next::Go, None)
            }
            Kind::Case(word, branches) => {
                let mut sure = sure;
                for (patterns, list) in branches {
                    let matches = patterns.iter().map(|pattern| self.matches(word, pattern));
                    let matches = matches.fold(Some(false), or);
                    match matches {
                        Some(true) => return self.list(list, sure),
                        Some(false) => {}
                        None => {
                            sure = false;
                            self.list(list, false);
                        }
                    }
                }
                (Next::Go, if sure { Some(true) } else { None })
            }
            Kind::Group(list) => self.list(list, sure),
            Kind::Test(words) => (Next::Go, self.extended_test(words)),
            Kind::Function(name, body) => {
                self.functions.insert(name.clone(), body.clone());
                (Next::Go, Some(true))
            }
            Kind::Other => (Next::Go, None),
        }
    }

    fn in_loop<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        let doubt = self.loop_doubt;
        let result = what(self);
        self.loop_doubt = doubt;
        result
    }

    fn each(&mut self, name: &str, words: Option<&[Word]>, list: &List, sure: bool) -> Next {
        let mut values = Vec::new();
        let mut sure = sure && words.is_some();
        for word in words.unwrap_or_default() {
            let Value::Known(text) = self.variables.expand(word) else {
                sure = false;
                continue;
            };
            let quoted = word.parts.iter().any(|part| matches!(part, Part::Quoted(_)));
            let split: Vec<_> = if quoted { vec![text.as_str()] } else { text.split_whitespace().collect() };
            for text in split {
                if quoted || !is_glob(text) || !text.starts_with('/') {
                    values.push(text.to_owned());
                    continue;
                }
                let (found, unread) = self.scripts.host.glob(text, &mut self.scripts.names_left);
                sure &= unread.is_empty();
                self.scripts.unread.extend(unread);
                // A glob that nothing matches stands for itself.
                values.extend(if found.is_empty() { vec![text.to_owned()] } else { found });
            }
        }
        if !sure {
            self.variables.set(name, Value::Unknown);
        }
        self.in_loop(|login| {
            for value in values {
                login.variables.set(name, Value::Known(value));
                match login.list(list, sure).0 {
                    Next::Go => {}
                    Next::Leave => break,
                    next => return next,
                }
            }
            Next::Go
        })
    }

    fn simple(
        &mut self,
        assignments: &[(String, Word)],
        words: &[Word],
        line: u32,
        sure: bool,
    ) -> (Next, Option<bool>) {
        let sure = sure && self.sure();
        let mut words = words;
        while let [first, rest @ ..] = words
            && matches!(first.plain(), Some("builtin" | "command"))
            && rest.first().and_then(Word::plain).is_some_and(|word| !word.starts_with('-'))
        {
            words = rest;
        }
        let Some((first, arguments)) = words.split_first() else {
            let computed = |word: &Word| word.parts.iter().any(|part| matches!(part, Part::Command(_)));
            let plain = !assignments.iter().any(|(_, word)| computed(word));
            self.assign(assignments, sure);
            return (Next::Go, plain.then_some(true));
        };
        let Some(name) = first.literal() else { return (Next::Go, None) };
        if let Some(body) = self.functions.get(&name).cloned() {
            self.call(&body);
            return (Next::Go, None);
        }
        let at = format!("{}:{line}", self.path());
        match name.as_str() {
            "." | "source" => {
                let arguments = match arguments {
                    [dashes, rest @ ..] if dashes.plain() == Some("--") => rest,
                    all => all,
                };
                let Some(Value::Known(path)) = arguments.first().map(|word| self.variables.expand(word))
                else {
                    return (Next::Go, None);
                };
                let next = match self.absolute(&path) {
                    Some(path) => self.source(&path, &at, sure),
                    None => Next::Go,
                };
                (next, None)
            }
            "exit" | "logout" => self.end(name.clone(), line, sure),
            "exec" => {
                let mut programs =
                    arguments.iter().skip_while(|word| word.plain().is_some_and(|w| w.starts_with('-')));
                let Some(program) = programs.next() else { return (Next::Go, Some(true)) };
                match self.program(program) {
                    Some(true) => self.end(written(words), line, sure),
                    Some(false) => (Next::Go, Some(false)),
                    None => {
                        self.doubt = true;
                        (Next::Go, None)
                    }
                }
            }
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
                let named = arguments.iter().filter_map(|word| {
                    let Some(Part::Plain(text)) = word.parts.first() else { return None };
                    let (name, value) = text.split_once('=')?;
                    let mut parts = vec![Part::Plain(value.to_owned())];
                    parts.extend(word.parts.iter().skip(1).cloned());
                    Some((name.to_owned(), Word { parts }))
                });
                let named: Vec<_> = named.collect();
                self.assign(&named, sure);
                (Next::Go, Some(true))
            }
            "read" | "getopts" | "mapfile" | "readarray" | "eval" | "printf" | "let" => {
                let names: Vec<_> = match name.as_str() {
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

    fn assign(&mut self, assignments: &[(String, Word)], sure: bool) {
        for (name, word) in assignments {
            let value = if sure { self.variables.expand(word) } else { Value::Unknown };
            self.variables.set(name, value);
        }
    }

    /// A function is gone through as something that may happen: what its arguments are is not followed.
    fn call(&mut self, body: &Rc<Command>) {
        if self.calls < 8 {
            self.calls += 1;
            // Its `return` is not one of the file.
            self.doubts.push(true);
            self.command(body, false);
            self.doubts.pop();
            self.calls -= 1;
        }
    }

    fn end(&mut self, command: String, line: u32, sure: bool) -> (Next, Option<bool>) {
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

    /// Whether the word matches the pattern of `case` or `[[ == ]]`.
    fn matches(&self, word: &Word, pattern: &Word) -> Option<bool> {
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
    fn extended_test(&self, words: &[Word]) -> Option<bool> {
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
    fn test(&self, words: &[Word]) -> Option<bool> {
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

fn or(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    or(left.map(|left| !left), right.map(|right| !right)).map(|either| !either)
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
