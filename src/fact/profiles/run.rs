//! Goes through a login as the shell would, as far as that is known, and notes where it does not come to its end.

use super::scripts::{Person, Scripts, Stop};
use super::syntax::{AndOr, Command, Kind, List, Part, Pipeline, Word};
use super::test::or;
use super::value::{Value, Variables};
use crate::source::Missing;
use crate::source::glob::is_glob;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// A login of one person.
#[derive(Debug)]
pub(super) struct Login<'a, 'h> {
    pub(super) scripts: &'a mut Scripts<'h>,
    pub(super) person: &'a Person,
    pub(super) is_login_shell: bool,
    pub(super) variables: Variables,
    functions: HashMap<String, Rc<Command>>,
    /// The files that are being read, with the line that has each read.
    reading: Vec<(String, String)>,
    /// Whether it is open if the rest of the file that is being read is reached, one for each; for the rest of the login; of a loop.
    pub(super) doubts: Vec<bool>,
    pub(super) doubt: bool,
    pub(super) loop_doubt: bool,
    /// Files that are read on some condition, which are gone through once.
    perhaps: BTreeSet<String>,
    calls: usize,
    steps_left: usize,
    pub(super) errexit: Option<(String, u32, String)>,
    /// Every file that was read, and whether it is in any case.
    pub(super) files: BTreeMap<String, bool>,
    /// What stops it.
    pub(super) stop: Option<(String, u32, Stop)>,
}

/// What comes after a command, and whether it succeeded, where that is known.
pub(super) type Outcome = (Next, Option<bool>);

/// What comes after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
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

    pub(super) fn path(&self) -> String {
        self.reading.last().map(|(path, _)| path.clone()).unwrap_or_default()
    }

    pub(super) fn source(&mut self, path: &str, from: &str, sure: bool) -> Next {
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
    fn list(&mut self, list: &List, sure: bool) -> Outcome {
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

    fn and_or(&mut self, and_or: &AndOr, sure: bool) -> Outcome {
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

    fn pipeline(&mut self, pipeline: &Pipeline, sure: bool) -> Outcome {
        let [command] = pipeline.commands.as_slice() else {
            // Each of several runs in a shell of its own.
            return (Next::Go, None);
        };
        let (next, success) = self.command(command, sure);
        (next, if pipeline.negated { success.map(|success| !success) } else { success })
    }

    fn command(&mut self, command: &Command, sure: bool) -> Outcome {
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

    fn simple(&mut self, assignments: &[(String, Word)], words: &[Word], line: u32, sure: bool) -> Outcome {
        let sure = sure && self.sure();
        let mut words = words;
        while let [first, rest @ ..] = words
            && matches!(first.plain(), Some("builtin" | "command"))
            && rest.first().and_then(Word::plain).is_some_and(|word| !word.starts_with('-'))
        {
            words = rest;
        }
        let Some(first) = words.first() else {
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
        self.builtin(&name, words, line, sure)
    }

    pub(super) fn assign(&mut self, assignments: &[(String, Word)], sure: bool) {
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
}
