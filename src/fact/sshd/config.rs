//! The files of sshd's configuration: sshd_config and what it includes, with every line that sshd refuses.

use super::criteria::{self, Criterion, Holds};
use super::keywords::{self, Keyword, Kind};
use super::patterns;
use super::records::{Directive, DirectiveState, MalformedDirective};
use super::values;
use super::version::{Distribution, Program};
use super::words::{self, Words};
use crate::source::{At, FileKind, Host, Missing, Optional, Reading, Reason, Unreadable};
use std::path::Path;

/// openSUSE has the distribution's file in /usr/etc, which counts where there is none in /etc.
const FILES: [&str; 2] = ["/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config"];

/// What sshd allows.
const MOST_DEEP: usize = 16;

/// Honest hosts have some ten.
const MOST_FILES: usize = 1_000;
const MOST_LINES: usize = 200_000;

/// A part of a file, in order.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Directive(Statement),
    Match(Vec<Criterion>),
    /// The files that an Include found.
    Include(Vec<Vec<Node>>),
}

/// A line that sshd takes.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// The keyword, of several names for one thing the usual.
    pub(super) name: &'static str,
    /// For Match blocks too.
    pub(super) in_match: bool,
    pub(super) arguments: Vec<String>,
    pub(super) at: At,
}

/// All files.
#[derive(Debug, Default)]
pub(super) struct Config {
    pub(super) path: String,
    pub(super) nodes: Vec<Node>,
    /// The files that were read, in order; a file that is included twice stands twice.
    pub(super) files: Vec<At>,
    pub(super) directives: Vec<Directive>,
    pub(super) malformed: Vec<MalformedDirective>,
    /// Files of which nothing is known.
    pub(super) unread: Vec<Unreadable>,
}

impl Config {
    /// Reads all of it. Absent: there is no sshd_config.
    pub(super) fn read(host: &Host, program: &Program) -> Reading<Self> {
        for path in FILES {
            if let Some(text) = host.read_text(path).optional()? {
                let mut reader = Reader {
                    host,
                    program,
                    lines: 0,
                    stopped: false,
                    config: Self { path: path.into(), ..Self::default() },
                };
                let mut active = true;
                reader.config.nodes = reader.file(path, &text, &mut active, false, None, 0);
                reader.config.commands_without_user();
                reader.config.methods_that_are_off(program);
                return Ok(reader.config);
            }
        }
        Err(Missing::Absent)
    }

    /// Both commands need a user to run as; sshd looks at the global part when it starts.
    fn commands_without_user(&mut self) {
        for (command, user) in [
            ("authorizedkeyscommand", "authorizedkeyscommanduser"),
            ("authorizedprincipalscommand", "authorizedprincipalscommanduser"),
        ] {
            let global = |name: &str| {
                let found = self
                    .directives
                    .iter()
                    .find(|d| d.condition.is_none() && d.keyword.eq_ignore_ascii_case(name));
                found.filter(|d| !d.arguments.first().is_some_and(|a| a.eq_ignore_ascii_case("none")))
            };
            if let (Some(found), None) = (global(command), global(user)) {
                // Red Hat's 5.3 called it otherwise.
                if global("authorizedkeyscommandrunas").is_some() {
                    continue;
                }
                let shown = keywords::find(user).map_or(user, |k| k.shown);
                let bad = found.malformed(format!("is set without {shown}"));
                self.malformed.push(bad);
            }
        }
    }
}

impl Config {
    /// sshd does not start where AuthenticationMethods asks for nothing but what is switched off.
    fn methods_that_are_off(&mut self, program: &Program) {
        // Before 8.7 two keywords switched one of them.
        if !program.version.from(8, 7) {
            return;
        }
        let first = |name: &str| {
            let mut found = self.directives.iter().filter(|d| d.condition.is_none());
            found.find(|d| keywords::find(&d.keyword).is_some_and(|k| keywords::alias(k.name, true) == name))
        };
        let off = |name: &str, default: bool| {
            first(name)
                .map_or(!default, |d| d.arguments.first().is_some_and(|a| a.eq_ignore_ascii_case("no")))
        };
        let Some(methods) = first("authenticationmethods") else { return };
        let is_off = |method: &str| match method.split(':').next().unwrap_or("") {
            "publickey" => off("pubkeyauthentication", true),
            "password" => off("passwordauthentication", true),
            "keyboard-interactive" => off("kbdinteractiveauthentication", true),
            "hostbased" => off("hostbasedauthentication", false),
            _ => false,
        };
        if !methods.arguments.is_empty() && methods.arguments.iter().all(|list| list.split(',').any(is_off)) {
            let bad = methods.malformed("asks for methods of authentication that are switched off".into());
            self.malformed.push(bad);
        }
    }
}

struct Reader<'a> {
    host: &'a Host,
    program: &'a Program,
    lines: usize,
    stopped: bool,
    config: Config,
}

impl Reader<'_> {
    /// The parts of a file. `active` is as at the start of sshd: whether lines count that are no part of a Match block.
    fn file(
        &mut self,
        path: &str,
        text: &str,
        active: &mut bool,
        never: bool,
        mut condition: Option<String>,
        depth: usize,
    ) -> Vec<Node> {
        self.config.files.push(At::file(path));
        let mut nodes = Vec::new();
        let old = self.program.version.before(8, 7);
        for (number, line) in (1u32..).zip(text.split('\n')) {
            self.lines += 1;
            if self.stop(path) {
                break;
            }
            if let Some(words) = words::split(line, old) {
                let at = At::line(path, number);
                nodes.extend(self.line(words, &at, active, &mut condition, never, depth));
            }
        }
        nodes
    }

    /// Whether there is more than can be honest; the rest is then not known.
    fn stop(&mut self, path: &str) -> bool {
        if !self.stopped && (self.lines > MOST_LINES || self.config.files.len() > MOST_FILES) {
            self.stopped = true;
            let what = format!(
                "the configuration has more than {MOST_FILES} files or {MOST_LINES} lines; the rest was not read"
            );
            self.config.unread.push(Unreadable { path: path.into(), reason: Reason::NotRead(what) });
        }
        self.stopped
    }

    fn line(
        &mut self,
        words: Words,
        at: &At,
        active: &mut bool,
        condition: &mut Option<String>,
        never: bool,
        depth: usize,
    ) -> Option<Node> {
        let Some(keyword) = keywords::find(&words.keyword) else {
            let close = keywords::close_to(&words.keyword);
            let reason = match close {
                Some(close) => format!("is no keyword of sshd; {close} is one"),
                None => "is no keyword of sshd".into(),
            };
            self.bad(&words, reason, at);
            return None;
        };
        let shown = if keyword.shown.is_empty() { words.keyword.clone() } else { keyword.shown.to_owned() };
        let directive = Directive {
            keyword: shown,
            arguments: words.arguments.clone().unwrap_or_default(),
            text: words.rest.clone(),
            condition: condition.clone(),
            state: DirectiveState::Effective,
            at: at.clone(),
        };
        if let Some(reason) = self.refused(keyword, &words, *active) {
            self.config.malformed.push(directive.malformed(reason));
            return None;
        }
        let arguments = match keyword.kind {
            Kind::Rest | Kind::Command => vec![words.rest.clone()],
            _ => words.arguments.clone().unwrap_or_default(),
        };
        match keyword.kind {
            Kind::Match => match criteria::parse(&arguments) {
                Ok(found) => {
                    *active = !never && criteria::at_start(&found) != Holds::Never;
                    *condition = Some(words.rest);
                    Some(Node::Match(found))
                }
                Err(reason) => {
                    self.config.malformed.push(directive.malformed(reason));
                    *active = false;
                    *condition = Some(words.rest);
                    Some(Node::Match(Vec::new()))
                }
            },
            Kind::Include => Some(self.include(directive, *active, depth)),
            _ => {
                self.config.directives.push(directive);
                let name = keywords::alias(keyword.name, !self.program.version.before(8, 7));
                let in_match =
                    keyword.in_match.is_some_and(|(major, minor)| !self.program.version.before(major, minor));
                Some(Node::Directive(Statement { name, in_match, arguments, at: at.clone() }))
            }
        }
    }

    fn bad(&mut self, words: &Words, reason: String, at: &At) {
        let keyword = words.keyword.chars().take(80).collect();
        self.config.malformed.push(MalformedDirective {
            keyword,
            text: words.rest.clone(),
            reason,
            at: at.clone(),
        });
    }

    fn refused(&self, keyword: &Keyword, words: &Words, active: bool) -> Option<String> {
        let version = self.program.version;
        let (major, minor) = keyword.since;
        // Red Hat took these over into older versions.
        let backported = self.program.distribution == Distribution::RedHat
            && matches!(keyword.name, "include" | "requiredrsasize");
        if version.before(major, minor) && !backported {
            return Some(format!(
                "is known since OpenSSH {major}.{minor} only; this is {}",
                self.program.words.as_deref().unwrap_or("older")
            ));
        }
        let allowed = keyword.in_match.is_some_and(|(major, minor)| !version.before(major, minor));
        if !active && !allowed {
            return Some("is not allowed within a Match block".into());
        }
        // In a block that is not in force, 9.5 and later do not look at the one, nor those before 8.7 at the other.
        if !active
            && (keyword.kind == Kind::Subsystem || (keyword.kind == Kind::Command && !version.from(8, 7)))
        {
            return None;
        }
        values::refused(keyword.kind, words, version).or_else(|| self.defined_twice(keyword, words))
    }

    /// Until 9.5 a second Subsystem of one name was a mistake.
    fn defined_twice(&self, keyword: &Keyword, words: &Words) -> Option<String> {
        let name = words.arguments.as_ref()?.first()?;
        if keyword.kind != Kind::Subsystem || !self.program.version.before(9, 5) {
            return None;
        }
        let same = |d: &&Directive| d.keyword == keyword.shown && d.arguments.first() == Some(name);
        let first = self.config.directives.iter().find(same)?;
        Some(format!("defines {name} again, after {}", first.at))
    }

    fn include(&mut self, directive: Directive, active: bool, depth: usize) -> Node {
        let mut parts = Vec::new();
        if directive.arguments.is_empty() || directive.arguments.iter().any(String::is_empty) {
            self.config.malformed.push(directive.malformed("has no value".into()));
            return Node::Include(parts);
        }
        for argument in &directive.arguments {
            let pattern =
                if argument.starts_with('/') { argument.clone() } else { format!("/etc/ssh/{argument}") };
            // A path that begins with ~ is taken as it stands, and found nowhere.
            let paths = if argument.starts_with('~') { Vec::new() } else { self.glob(&pattern) };
            for path in paths {
                if self.stop(&path) {
                    break;
                }
                if depth >= MOST_DEEP {
                    self.config
                        .malformed
                        .push(directive.malformed(format!("nests files more than {MOST_DEEP} deep")));
                    self.stopped = true;
                    break;
                }
                match self.host.read_text(&path) {
                    Ok(text) => {
                        let mut inner = active;
                        let nodes = self.file(
                            &path,
                            &text,
                            &mut inner,
                            !active,
                            directive.condition.clone(),
                            depth + 1,
                        );
                        parts.push(nodes);
                    }
                    // The name is there, and leads nowhere.
                    Err(Missing::Absent) => {
                        let reason = format!("leads to {path}, a link to a file that does not exist");
                        self.config.malformed.push(directive.malformed(reason));
                    }
                    // A directory is read as an empty file.
                    Err(Missing::Unreadable(why)) if self.is_directory(&why.path) => {}
                    Err(Missing::Unreadable(why)) => self.config.unread.push(why),
                }
            }
        }
        Node::Include(parts)
    }

    fn is_directory(&self, path: &str) -> bool {
        self.host.source.stat(Path::new(path)).is_ok_and(|stat| stat.kind == FileKind::Directory)
    }

    /// The paths that a pattern leads to, in order.
    fn glob(&mut self, pattern: &str) -> Vec<String> {
        let mut found = vec![String::new()];
        for part in pattern.split('/').filter(|part| !part.is_empty()) {
            let mut next = Vec::new();
            for base in &found {
                if !patterns::is_glob(part) {
                    let path = format!("{base}/{part}");
                    if self.host.source.lstat(Path::new(&path)).noted(&mut self.config.unread).is_some() {
                        next.push(path);
                    }
                    continue;
                }
                match self.host.names(if base.is_empty() { "/" } else { base }) {
                    Ok(names) => {
                        let names = names.into_iter().filter(|name| patterns::matches_file(part, name));
                        next.extend(names.map(|name| format!("{base}/{name}")));
                    }
                    // What is no directory holds nothing.
                    Err(Missing::Unreadable(why)) if !matches!(why.reason, Reason::WrongKind(_)) => {
                        self.config.unread.push(why)
                    }
                    Err(_) => {}
                }
            }
            next.truncate(MOST_FILES + 1);
            found = next;
        }
        found.sort();
        found
    }
}
