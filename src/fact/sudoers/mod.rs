//! What sudo reads before it lets anybody do anything.

mod lex;
mod parse;
#[cfg(test)]
mod tests;

use super::Fact;
use crate::model::Partial;
use crate::source::{At, FileKind, Host, Missing, Optional, Reading, Stat};
use crate::{record, word};
use parse::{Line, parse};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

word! {
    /// Whether sudo reads a file.
    pub enum SudoersState {
        /// It does.
        Ok = "ok",
        /// Nothing is there.
        Missing = "missing",
        /// It is no regular file, or no directory where one is wanted.
        WrongKind = "wrong-kind",
        /// It is not root's: sudo does not read it.
        WrongOwner = "wrong-owner",
        /// Everybody may write it: sudo does not read it.
        WorldWritable = "world-writable",
        /// A group other than root's may write it: sudo does not read it.
        GroupWritable = "group-writable",
        /// Its name has a dot in it or ends in `~`: sudo passes over such files of a directory without a word.
        SkippedName = "skipped-name",
        /// It includes itself, or is the 129th file open within each other.
        TooDeep = "too-deep",
    }
}

word! {
    /// How sudo comes to a file.
    pub enum SudoersRole {
        /// It is the one that sudo begins with.
        Main = "main",
        /// By `@include` or `#include`.
        Include = "include",
        /// It is a directory, by `@includedir` or `#includedir`.
        Directory = "directory",
        /// It lies in such a directory.
        DropIn = "drop-in",
    }
}

record! {
    /// The files of sudo, with what sudo would say of them.
    ///
    /// ```text
    /// /etc/sudoers            root     ALL=(ALL:ALL) ALL
    ///                         %wheel   ALL=(ALL) ALL
    ///                         @includedir /etc/sudoers.d
    /// /etc/sudoers.d/deploy   deploy   ALL=(root) NOPASSWD: /usr/bin/systemctl restart app
    /// ```
    ///
    /// Source: sudoers(5); plugins/sudoers/gram.y, toke.l and sudoers.c, lib/util/secure_path.c of sudo. A name that an alias stands for is not
    /// resolved. Absent where there is no such file.
    pub struct Sudoers {
        /// The files and directories that sudo comes to, in that order, those it does not read among them.
        pub files: Partial<SudoersFile>,
        /// Who may do what, line by line.
        pub rules: Partial<SudoersRule>,
        /// Lines that are none of sudoers.
        pub mistakes: Partial<SudoersMistake>,
        /// Aliases that are named and nowhere defined: `User_Alias OPS`.
        pub undefined: Partial<SudoersUndefined>,
        /// Whether this system's sudo goes on behind a line that it does not understand, as it does since 1.9.3; before, it refused everybody.
        /// Absent where its plugin is no part of this tree.
        pub recovers: Reading<bool>,
        /// The file that sudo begins with.
        pub at: At,
    }
}

record! {
    /// A file or directory of sudoers.
    pub struct SudoersFile {
        /// Its path.
        pub path: String,
        /// How sudo comes to it.
        pub role: SudoersRole,
        /// Whether sudo reads it.
        pub state: SudoersState,
        /// Permission bits in octal. Absent where nothing is.
        pub mode: Reading<String>,
        /// Owner.
        pub uid: Reading<u32>,
        /// Group.
        pub gid: Reading<u32>,
        /// The line that includes it; the file itself for the first.
        pub at: At,
    }
}

record! {
    /// A line that lets users do something.
    pub struct SudoersRule {
        /// The users, groups (`%wheel`) and aliases, with a `!` before those that are left out.
        pub users: Vec<String>,
        /// The commands, as they are written.
        pub commands: Vec<String>,
        /// Whether some of them need no password.
        pub without_password: bool,
        /// Where it stands.
        pub at: At,
    }
}

record! {
    /// A line that sudo does not understand.
    pub struct SudoersMistake {
        /// The line, as it is written, continued lines joined; 200 characters at most.
        pub text: String,
        /// What is wrong.
        pub reason: String,
        /// Where it begins.
        pub at: At,
    }
}

record! {
    /// An alias that nothing defines.
    pub struct SudoersUndefined {
        /// Its name.
        pub name: String,
        /// What it would be: `User_Alias`.
        pub kind: String,
        /// The first line that names it.
        pub at: At,
    }
}

/// Vendors that keep /etc for the administrator have theirs in /usr/etc.
const MAIN: [&str; 2] = ["/etc/sudoers", "/usr/etc/sudoers"];

/// The plugin that reads the files; its options are in it by name.
const PLUGINS: [&str; 3] =
    ["/usr/libexec/sudo/sudoers.so", "/usr/lib/sudo/sudoers.so", "/usr/lib64/sudo/sudoers.so"];

/// What sudo has open within each other at most.
const DEPTH: usize = 128;

/// More files than any host has.
const FILES: usize = 2000;

impl Fact for Sudoers {
    const NAME: &'static str = "sudoers";
    const READS: &'static [&'static str] =
        &["/etc/sudoers", "/etc/sudoers.d/*", "/usr/etc/sudoers", "/usr/lib*/sudo/sudoers.so"];

    fn collect(host: &Host) -> Reading<Self> {
        let mut main = None;
        for path in MAIN {
            if host.exists(path)? {
                main = Some(path);
                break;
            }
        }
        let main = main.ok_or(Missing::Absent)?;
        let mut reader = Reader::new(host);
        reader.read(main, SudoersRole::Main, &At::file(main));
        let undefined = reader.undefined();
        Ok(Self {
            files: reader.files,
            rules: reader.rules,
            mistakes: reader.mistakes,
            undefined,
            recovers: recovers(host),
            at: At::file(main),
        })
    }
}

fn recovers(host: &Host) -> Reading<bool> {
    const OPTION: &[u8] = b"error_recovery";
    for path in PLUGINS {
        if let Some(bytes) = host.source.read(Path::new(path), 16 << 20).optional()? {
            return Ok(bytes.windows(OPTION.len()).any(|window| window == OPTION));
        }
    }
    Err(Missing::Absent)
}

/// A kind of alias by its letter, and its name.
type Alias = (char, String);

struct Reader<'a> {
    host: &'a Host,
    files: Partial<SudoersFile>,
    rules: Partial<SudoersRule>,
    mistakes: Partial<SudoersMistake>,
    defined: BTreeSet<Alias>,
    named: BTreeMap<Alias, At>,
    /// The files that are open.
    open: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(host: &'a Host) -> Self {
        Self {
            host,
            files: Partial::default(),
            rules: Partial::default(),
            mistakes: Partial::default(),
            defined: BTreeSet::new(),
            named: BTreeMap::new(),
            open: Vec::new(),
        }
    }

    fn unread(&mut self, why: &Missing) {
        if let Missing::Unreadable(why) = why {
            self.files.unread.push(why.clone());
            self.rules.unread.push(why.clone());
            self.mistakes.unread.push(why.clone());
        }
    }

    /// Enters a file or directory, and says whether it can be read. What sudo would not read for its owner or mode is read: a copy
    /// of a system may have kept neither.
    fn enter(&mut self, path: &str, role: SudoersRole, at: &At) -> bool {
        let stat = self.host.source.stat(Path::new(path));
        if let Err(why @ Missing::Unreadable(_)) = &stat {
            self.unread(why);
            return false;
        }
        let state = match &stat {
            Err(_) => SudoersState::Missing,
            Ok(_) if self.open.iter().any(|open| open == path) || self.open.len() > DEPTH => {
                SudoersState::TooDeep
            }
            Ok(stat) => judge(stat, role),
        };
        let of = |what: fn(&Stat) -> u32| stat.as_ref().map(what).map_err(Clone::clone);
        self.files.items.push(SudoersFile {
            path: path.to_owned(),
            role,
            state,
            mode: of(|stat| stat.mode).map(|mode| format!("{mode:04o}")),
            uid: of(|stat| stat.uid),
            gid: of(|stat| stat.gid),
            at: at.clone(),
        });
        !matches!(state, SudoersState::Missing | SudoersState::WrongKind | SudoersState::TooDeep)
    }

    fn read(&mut self, path: &str, role: SudoersRole, at: &At) {
        if self.files.items.len() >= FILES || !self.enter(path, role, at) {
            return;
        }
        let text = match self.host.read_text(path) {
            Ok(text) => text,
            Err(why) => return self.unread(&why),
        };
        self.open.push(path.to_owned());
        for parsed in parse(&text) {
            let at = At::line(path, parsed.number);
            for alias in parsed.named {
                self.named.entry(alias).or_insert_with(|| at.clone());
            }
            match parsed.line {
                Ok(Line::Include(include)) => self.read(&beside(&include), SudoersRole::Include, &at),
                Ok(Line::IncludeDirectory(directory)) => self.directory(&beside(&directory), &at),
                Ok(Line::Rule(users, commands, without_password)) => {
                    self.rules.items.push(SudoersRule { users, commands, without_password, at });
                }
                Ok(Line::Alias(names)) => self.defined.extend(names),
                Ok(Line::Defaults) => {}
                Err(reason) => {
                    let text = parsed.text.chars().take(200).collect();
                    self.mistakes.items.push(SudoersMistake { text, reason: reason.to_owned(), at });
                }
            }
        }
        self.open.pop();
    }

    fn directory(&mut self, path: &str, at: &At) {
        let path = path.trim_end_matches('/');
        if !self.enter(path, SudoersRole::Directory, at) {
            return;
        }
        let names = match self.host.names(path) {
            Ok(names) => names,
            Err(why) => return self.unread(&why),
        };
        for name in names {
            let file = format!("{path}/{name}");
            let skipped = name.ends_with('~') || name.contains('.');
            let stat = self.host.source.stat(Path::new(&file));
            match stat {
                // Whatever is no regular file is passed over.
                Ok(stat) if stat.kind != FileKind::File => {}
                Err(Missing::Absent) => {}
                Ok(stat) if skipped => self.files.items.push(SudoersFile {
                    mode: Ok(format!("{:04o}", stat.mode)),
                    uid: Ok(stat.uid),
                    gid: Ok(stat.gid),
                    role: SudoersRole::DropIn,
                    state: SudoersState::SkippedName,
                    at: At::file(file.as_str()),
                    path: file,
                }),
                _ => self.read(&file, SudoersRole::DropIn, &At::file(file.as_str())),
            }
        }
    }

    fn undefined(&self) -> Partial<SudoersUndefined> {
        let mut found = Partial { items: Vec::new(), unread: self.files.unread.clone() };
        for ((kind, name), at) in &self.named {
            if !self.defined.contains(&(*kind, name.clone())) {
                let kind = match kind {
                    'U' => "User_Alias",
                    'R' => "Runas_Alias",
                    'H' => "Host_Alias",
                    _ => "Cmnd_Alias",
                };
                found.items.push(SudoersUndefined {
                    name: name.clone(),
                    kind: kind.to_owned(),
                    at: at.clone(),
                });
            }
        }
        found
    }
}

/// What `sudo_check_secure` says.
fn judge(stat: &Stat, role: SudoersRole) -> SudoersState {
    let kind = if role == SudoersRole::Directory { FileKind::Directory } else { FileKind::File };
    if stat.kind != kind {
        SudoersState::WrongKind
    } else if stat.uid != 0 {
        SudoersState::WrongOwner
    } else if stat.mode & 0o002 != 0 {
        SudoersState::WorldWritable
    } else if stat.mode & 0o020 != 0 && stat.gid != 0 {
        SudoersState::GroupWritable
    } else {
        SudoersState::Ok
    }
}

/// A relative path is one beside the main file. What `%h` stands for, the name of the host, is not looked up.
fn beside(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/etc/{path}") }
}
