//! AppArmor's profiles, and why some of them would not be loaded.

mod lex;
#[cfg(test)]
mod tests;

use super::Fact;
use crate::model::Partial;
use crate::source::{At, FileKind, Host, Missing, Optional, Reading, Unreadable};
use crate::{record, word};
use lex::{Scanned, scan};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

word! {
    /// What keeps apparmor_parser from taking a file.
    pub enum MistakeKind {
        /// It includes what does not exist, without `if exists`.
        Include = "include",
        /// The features that it is written for (`abi <abi/4.0>`) are not described by any file.
        Abi = "abi",
        /// A brace is not closed.
        Unclosed = "unclosed",
        /// A brace is closed that none opened.
        Surplus = "surplus",
        /// A quotation mark has no other.
        Quotation = "quotation",
        /// It holds NUL bytes.
        Nul = "nul",
        /// It is a symbolic link to nothing, in a directory of which every file is read.
        Link = "link",
    }
}

record! {
    /// The profiles of AppArmor, as far as they can be judged without apparmor_parser.
    ///
    /// ```text
    /// /etc/apparmor.d/usr.sbin.chronyd           include <tunables/global>
    ///                                            /usr/sbin/chronyd flags=(attach_disconnected) {
    ///                                              include <abstractions/base>
    /// /etc/apparmor.d/disable/usr.sbin.rsyslogd  -> /etc/apparmor.d/usr.sbin.rsyslogd
    /// ```
    ///
    /// Source: apparmor.d(5), apparmor_parser(8); parser_lex.l, parser_include.c and parser_main.c of AppArmor. The rules
    /// between the braces, variables and file patterns are not judged. Absent where there is no /etc/apparmor.d.
    pub struct Apparmor {
        /// The program that loads profiles. Absent where it is not installed: packages bring profiles without it.
        pub parser: Reading<String>,
        /// Whether the running kernel has AppArmor, and has it turned on. Absent where no kernel runs.
        pub enabled: Reading<bool>,
        /// The files of /etc/apparmor.d that are loaded at boot, in order of their names; without directories, backups of
        /// packages and editors, and those whose names begin with a dot.
        pub files: Partial<ApparmorFile>,
        /// What keeps files from being loaded, in the order of where it stands. What concerns only files that are disabled is
        /// not among them.
        pub mistakes: Partial<ApparmorMistake>,
    }
}

record! {
    /// A file of /etc/apparmor.d, which holds one profile or several.
    #[derive(Clone, PartialEq)]
    pub struct ApparmorFile {
        /// Its name: `usr.sbin.chronyd`.
        pub name: String,
        /// Whether it has no character but blanks: nothing is then confined by it.
        pub empty: bool,
        /// Whether it is not loaded: disable/NAME can be read.
        pub disabled: Reading<bool>,
        /// Where disable/NAME points to, if nothing is there: apparmor_parser then loads the profile all the same. Absent for
        /// nearly all.
        pub disable_dangling: Option<String>,
        /// Whether it is loaded so that it only logs: force-complain/NAME can be read.
        pub complains: Reading<bool>,
        /// The file.
        pub at: At,
    }
}

record! {
    /// Something that keeps files from being loaded.
    #[derive(Clone, PartialEq)]
    pub struct ApparmorMistake {
        /// What it is.
        pub kind: MistakeKind,
        /// The file in which it is.
        pub file: String,
        /// What is included, or what a link points to. Empty for the others.
        pub name: String,
        /// The files of /etc/apparmor.d that are not loaded for it.
        pub stops: Vec<String>,
        /// Where it stands.
        pub at: At,
    }
}

const DIRECTORY: &str = "/etc/apparmor.d";
const CONFIGURATION: &str = "/etc/apparmor/parser.conf";
const PARSERS: [&str; 3] = ["/usr/sbin/apparmor_parser", "/sbin/apparmor_parser", "/usr/bin/apparmor_parser"];
const ENABLED: &str = "/sys/module/apparmor/parameters/enabled";

/// Names that apparmor_parser passes over wherever it reads a directory.
const PASSED_OVER: [&str; 12] = [
    ".dpkg-new",
    ".dpkg-old",
    ".dpkg-dist",
    ".dpkg-bak",
    ".dpkg-remove",
    ".pacsave",
    ".pacnew",
    ".rpmnew",
    ".rpmsave",
    ".orig",
    ".rej",
    "~",
];

/// More files, with all that they include, than any host has: the largest set of profiles that is published has 1 600.
const FILES: usize = 5000;

/// More steps from profiles to what they include than any honest set takes.
const STEPS: usize = 1_000_000;

/// What looking for an included file costs, in such steps.
const INCLUDE_STEPS: usize = 5;

impl Fact for Apparmor {
    const NAME: &'static str = "apparmor";
    const READS: &'static [&'static str] = &["/etc/apparmor.d/*", CONFIGURATION, PARSERS[0], ENABLED];

    fn collect(host: &Host) -> Reading<Self> {
        let names = loaded_names(host, DIRECTORY)?;
        let mut reader = Reader::new(host)?;
        let mut files = Partial::default();
        for name in names {
            let path = format!("{DIRECTORY}/{name}");
            match host.source.stat(Path::new(&path)) {
                Ok(stat) if stat.kind == FileKind::File => {}
                Ok(_) => continue,
                Err(Missing::Absent) => {
                    if let Some(to) = dangling(host, &path) {
                        let position = reader.mistake(MistakeKind::Link, to, At::file(path));
                        reader.stop(position, &name);
                    }
                    continue;
                }
                Err(Missing::Unreadable(why)) => {
                    files.unread.push(why.clone());
                    reader.mistakes.unread.push(why);
                    continue;
                }
            }
            let disabled = mark(host, "disable", &name);
            let empty = reader.read(&path).is_some_and(|text| text.empty);
            if disabled != Ok(true) {
                reader.follow(&name, &path);
            }
            files.items.push(ApparmorFile {
                disable_dangling: dangling(host, &format!("{DIRECTORY}/disable/{name}")),
                complains: mark(host, "force-complain", &name),
                at: At::file(path),
                name,
                empty,
                disabled,
            });
        }
        Ok(Self { parser: parser(host), enabled: enabled(host), files, mistakes: reader.finish() })
    }
}

fn parser(host: &Host) -> Reading<String> {
    for path in PARSERS {
        if host.exists(path)? {
            return Ok(path.to_owned());
        }
    }
    Err(Missing::Absent)
}

fn enabled(host: &Host) -> Reading<bool> {
    match host.read_text(ENABLED) {
        Ok(text) => Ok(text.starts_with('Y')),
        Err(Missing::Absent) if host.exists("/sys/module")? => Ok(false),
        Err(missing) => Err(missing),
    }
}

/// Whether a directory of marks has one for this name that apparmor_parser can read.
fn mark(host: &Host, directory: &str, name: &str) -> Reading<bool> {
    host.exists(&format!("{DIRECTORY}/{directory}/{name}")).map_err(Missing::Unreadable)
}

/// What a link at `path` points to, if nothing is there.
fn dangling(host: &Host, path: &str) -> Option<String> {
    match host.source.stat(Path::new(path)) {
        Err(Missing::Absent) => {
            host.source.read_link(Path::new(path)).ok().map(|to| to.to_string_lossy().into_owned())
        }
        _ => None,
    }
}

/// The names of a directory that apparmor_parser does not pass over.
fn loaded_names(host: &Host, directory: &str) -> Reading<Vec<String>> {
    let passed_over = |name: &String| {
        name.starts_with('.') || name == "README" || PASSED_OVER.iter().any(|end| name.ends_with(end))
    };
    Ok(host.names(directory)?.into_iter().filter(|name| !passed_over(name)).collect())
}

/// A text or a directory of texts, and what it includes.
#[derive(Debug, Default)]
struct Text {
    empty: bool,
    /// Positions in [`Reader::texts`].
    includes: Vec<usize>,
    /// Positions in [`Reader::mistakes`].
    mistakes: Vec<usize>,
}

struct Reader<'a> {
    host: &'a Host,
    /// Where `<…>` is looked for.
    directories: Vec<String>,
    known: BTreeMap<String, usize>,
    texts: Vec<Text>,
    mistakes: Partial<ApparmorMistake>,
    steps: usize,
}

impl<'a> Reader<'a> {
    fn new(host: &'a Host) -> Reading<Self> {
        let mut directories = vec![DIRECTORY.to_owned()];
        if let Some(text) = host.read_text(CONFIGURATION).optional()? {
            directories.extend(text.lines().filter_map(|line| {
                let rest = line.trim_start().strip_prefix("Include")?;
                let path = rest.trim_start_matches(['=', ' ', '\t']).trim_end().trim_end_matches('/');
                path.starts_with('/').then(|| path.to_owned())
            }));
        }
        Ok(Self {
            host,
            directories,
            known: BTreeMap::new(),
            texts: Vec::new(),
            mistakes: Partial::default(),
            steps: STEPS,
        })
    }

    /// Reads a text and all that it includes, once.
    fn read(&mut self, path: &str) -> Option<&Text> {
        let first = self.place(path)?;
        let mut next = first.1.then(|| path.to_owned());
        let mut waiting = Vec::new();
        while let Some(path) = next {
            if let Some(&position) = self.known.get(&path) {
                self.scan(position, &path, &mut waiting);
            }
            next = waiting.pop();
        }
        self.texts.get(first.0)
    }

    /// The position of a text, and whether it is new.
    fn place(&mut self, path: &str) -> Option<(usize, bool)> {
        if let Some(&position) = self.known.get(path) {
            return Some((position, false));
        }
        if self.texts.len() >= FILES {
            if self.texts.len() == FILES {
                self.texts.push(Text::default());
                self.unread(DIRECTORY, format!("profiles include more than {FILES} files"));
            }
            return None;
        }
        self.known.insert(path.to_owned(), self.texts.len());
        self.texts.push(Text::default());
        Some((self.texts.len() - 1, true))
    }

    fn unread(&mut self, path: &str, what: String) {
        if let Missing::Unreadable(why) = Missing::garbled(path, what) {
            self.mistakes.unread.push(why);
        }
    }

    /// Reads what is at a path, a text or a directory of texts, and notes what is still to be read.
    fn scan(&mut self, position: usize, path: &str, waiting: &mut Vec<String>) {
        let found = match self.host.source.stat(Path::new(path)) {
            Ok(stat) if stat.kind == FileKind::Directory => self.directory(path, waiting),
            Ok(_) => self.text(path, waiting),
            Err(missing) => Err(missing),
        };
        match (found, self.texts.get_mut(position)) {
            (Ok(found), Some(text)) => *text = found,
            (Err(Missing::Unreadable(why)), _) => self.mistakes.unread.push(why),
            _ => {}
        }
    }

    fn text(&mut self, path: &str, waiting: &mut Vec<String>) -> Reading<Text> {
        let text = self.host.read_text(path)?;
        let Scanned { includes, mistakes } = scan(&text);
        let mut found = Text { empty: text.trim().is_empty(), ..Text::default() };
        for (kind, line) in mistakes {
            found.mistakes.push(self.mistake(kind, String::new(), At::line(path, line)));
        }
        for include in includes {
            if !self.step(INCLUDE_STEPS) {
                break;
            }
            match self.resolve(&include.name, include.searched) {
                // What is relative depends on where apparmor_parser is started.
                Ok(None) => {}
                Ok(Some(_)) if include.abi => {}
                Ok(Some(path)) => found.includes.extend(self.enter(path, waiting)),
                Err(Missing::Absent) if include.optional => {}
                Err(Missing::Absent) => {
                    let kind = if include.abi { MistakeKind::Abi } else { MistakeKind::Include };
                    let name = match include.searched {
                        true => format!("<{}>", include.name),
                        false => include.name,
                    };
                    found.mistakes.push(self.mistake(kind, name, At::line(path, include.line)));
                }
                Err(Missing::Unreadable(why)) => self.mistakes.unread.push(why),
            }
        }
        Ok(found)
    }

    /// A directory that is included: every file in it is, and a link to nothing stops whoever includes it.
    fn directory(&mut self, path: &str, waiting: &mut Vec<String>) -> Reading<Text> {
        let mut found = Text::default();
        for name in loaded_names(self.host, path)? {
            if !self.step(INCLUDE_STEPS) {
                break;
            }
            let path = format!("{path}/{name}");
            match self.host.source.stat(Path::new(&path)) {
                Ok(stat) if stat.kind == FileKind::File => found.includes.extend(self.enter(path, waiting)),
                Ok(_) => {}
                Err(Missing::Absent) => {
                    if let Some(to) = dangling(self.host, &path) {
                        found.mistakes.push(self.mistake(MistakeKind::Link, to, At::file(path)));
                    }
                }
                Err(Missing::Unreadable(why)) => self.mistakes.unread.push(why),
            }
        }
        Ok(found)
    }

    /// The position of what is included.
    fn enter(&mut self, path: String, waiting: &mut Vec<String>) -> Option<usize> {
        let (position, new) = self.place(&path)?;
        if new {
            waiting.push(path);
        }
        Some(position)
    }

    /// The path that an include stands for, if that can be told.
    fn resolve(&self, name: &str, searched: bool) -> Reading<Option<String>> {
        let places = match searched {
            true => self.directories.iter().map(|directory| format!("{directory}/{name}")).collect(),
            false if !name.starts_with('/') => return Ok(None),
            false => vec![name.to_owned()],
        };
        for place in places {
            if self.host.exists(&place)? {
                return Ok(Some(place));
            }
        }
        Err(Missing::Absent)
    }

    /// Whether there are so many steps left; once not, what is not known is said.
    fn step(&mut self, cost: usize) -> bool {
        if self.steps == 0 {
            return false;
        }
        self.steps = self.steps.saturating_sub(cost);
        if self.steps == 0 {
            self.unread(DIRECTORY, "profiles include one another too often to follow".to_owned());
        }
        self.steps > 0
    }

    /// Enters a mistake.
    fn mistake(&mut self, kind: MistakeKind, name: String, at: At) -> usize {
        let file = at.path.to_string();
        self.mistakes.items.push(ApparmorMistake { kind, file, name, stops: Vec::new(), at });
        self.mistakes.items.len() - 1
    }

    /// Says of every mistake that this file comes to that it stops it.
    fn follow(&mut self, name: &str, path: &str) {
        let Some(&first) = self.known.get(path) else { return };
        let mut seen = BTreeSet::from([first]);
        let mut waiting = vec![first];
        while let Some(position) = waiting.pop() {
            let Some(text) = self.texts.get(position) else { continue };
            waiting.extend(text.includes.iter().filter(|include| seen.insert(**include)));
            let (steps, mistakes) = (text.includes.len() + text.mistakes.len(), text.mistakes.clone());
            for mistake in mistakes {
                self.stop(mistake, name);
            }
            if !self.step(steps) {
                return;
            }
        }
    }

    fn stop(&mut self, mistake: usize, name: &str) {
        if let Some(mistake) = self.mistakes.items.get_mut(mistake) {
            mistake.stops.push(name.to_owned());
        }
    }

    fn finish(mut self) -> Partial<ApparmorMistake> {
        self.mistakes.items.retain(|mistake| !mistake.stops.is_empty());
        let place = |mistake: &ApparmorMistake| (mistake.file.clone(), mistake.at.line);
        self.mistakes.items.sort_by_key(place);
        self.mistakes.unread.sort_by_key(|why: &Unreadable| why.path.clone());
        self.mistakes.unread.dedup();
        self.mistakes
    }
}
