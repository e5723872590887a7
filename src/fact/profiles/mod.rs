//! What login shells read when they start, and where that does not come to its end.

mod builtins;
mod parse;
mod run;
mod scripts;
mod syntax;
mod test;
#[cfg(test)]
mod tests;
mod value;

use super::Fact;
use crate::model::Partial;
use crate::source::{At, Host, Missing, Optional, Reading, Reason, Unreadable};
use crate::{record, word};
use run::Login;
use scripts::{Person, Scripts, Stop, Stops};
use std::collections::{BTreeMap, BTreeSet};

record! {
    /// The start-up files of the shells that people log in with, gone through as bash(1), dash(1) and zsh(1) do at a login.
    ///
    /// ```text
    /// /etc/profile       for i in /etc/profile.d/*.sh; do [ -r "$i" ] && . "$i"; done
    /// ~/.bash_profile    if [ -f ~/.bashrc ]; then . ~/.bashrc; fi
    /// ```
    ///
    /// Source: bash(1) INVOCATION, POSIX.1-2017 "Shell Command Language". Nothing is run. Of a condition only so much is known
    /// as follows from the files that are there, from who logs in, and from variables that the files themselves set; what
    /// depends on more (a variable that may come from outside, another program's success) is taken as open, and so
    /// is everything after a place that is not understood. Users are those of /etc/passwd whose shell is bash, sh, dash, ash, ksh or
    /// zsh. Absent where no such file is there.
    #[bare(files)]
    pub struct Profiles {
        /// The files that somebody's shell reads, sorted.
        pub files: Partial<ProfileFile>,
    }
}

record! {
    /// A file that shells read when they start.
    pub struct ProfileFile {
        /// Its path.
        pub path: String,
        /// Who reads it, on some condition at least.
        pub users: Vec<String>,
        /// Whether one of them reads it whatever happens.
        pub always: bool,
        /// By which of its lines it is read again while it is being read, without end, whatever happens. A circle of several
        /// files is told of the one that is read first.
        pub loops: Vec<ProfileLoop>,
        /// Its commands that end the shell before it asks for anything, whatever happens; `set -e`, which ends it at the next
        /// command that fails.
        pub ends: Vec<ProfileEnd>,
        /// The file.
        pub at: At,
    }
}

record! {
    /// Files that read one another in a circle.
    pub struct ProfileLoop {
        /// The lines that do it, as `path:line`, in their order: one for a file that reads itself.
        pub lines: Vec<String>,
        /// Who cannot log in for it.
        pub users: Vec<String>,
        /// The first of the lines.
        pub at: At,
    }
}

word! {
    /// How a shell is ended.
    pub enum ProfileEndKind {
        /// By `exit` or `logout`.
        Exit = "exit",
        /// By `exec` of a program, which takes its place.
        Exec = "exec",
        /// By `set -e`, as soon as a command fails.
        ErrorExit = "error-exit",
    }
}

record! {
    /// A command that ends the shell.
    pub struct ProfileEnd {
        /// The command: `exit`, `exec /usr/bin/menu`, `set -e`.
        pub command: String,
        /// How.
        pub kind: ProfileEndKind,
        /// Whose shells it ends.
        pub users: Vec<String>,
        /// The line.
        pub at: At,
    }
}

/// Whoever comes after so many users reads what others read.
const PEOPLE: usize = 200;

impl Fact for Profiles {
    const NAME: &'static str = "profiles";
    const READS: &'static [&'static str] = &[
        "/etc/passwd",
        "/etc/profile",
        "/etc/profile.d/*",
        "/etc/bashrc",
        "/etc/bash.bashrc",
        "/etc/zsh/*",
        "~/.bash_profile",
        "~/.bash_login",
        "~/.profile",
        "~/.bashrc",
        "~/.z*",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let mut people = people(&host.read_text("/etc/passwd").optional()?.unwrap_or_default());
        if people.is_empty() {
            let [name, home, shell] = ["root", "/root", "/bin/bash"].map(str::to_owned);
            people.push(Person { name, uid: 0, home, shell });
        }
        let mut scripts = Scripts::new(host);
        let mut files: BTreeMap<String, (bool, BTreeSet<String>)> = BTreeMap::new();
        let mut stops = Stops::default();
        for person in people.iter().take(PEOPLE) {
            // A shell that is started later, by su or a terminal of a desktop, is no login shell.
            for is_login_shell in [true, false] {
                if !is_login_shell && !person.shell.ends_with("/bash") {
                    continue;
                }
                let mut login = Login::new(&mut scripts, person, is_login_shell);
                login.run();
                let stop = login.stop.take();
                for (path, always) in std::mem::take(&mut login.files) {
                    let file = files.entry(path).or_default();
                    file.0 |= always && is_login_shell;
                    file.1.insert(person.name.clone());
                }
                stops.add(stop, &person.name);
            }
        }
        let mut unread: Vec<Unreadable> = scripts.unread.into_iter().collect();
        if files.is_empty() && unread.is_empty() {
            return Err(Missing::Absent);
        }
        if people.len() > PEOPLE {
            let what = format!("of more than {PEOPLE} users; the files of the others were not read");
            unread.push(Unreadable { path: "/etc/passwd".into(), reason: Reason::NotRead(what) });
        }
        let mut found: BTreeMap<String, ProfileFile> = BTreeMap::new();
        for (path, (always, users)) in files {
            let (at, users) = (At::file(path.as_str()), users.into_iter().collect());
            let file =
                ProfileFile { path: path.clone(), users, always, loops: Vec::new(), ends: Vec::new(), at };
            found.insert(path, file);
        }
        for ((path, line, stop), users) in stops.0 {
            let (at, users) = (At::line(path.as_str(), line), users.into_iter().collect());
            let Some(file) = found.get_mut(&path) else { continue };
            let (kind, command) = match stop {
                Stop::Loop(lines) => {
                    file.loops.push(ProfileLoop { lines, users, at });
                    continue;
                }
                Stop::ErrorExit(command) => (ProfileEndKind::ErrorExit, command),
                Stop::End(command) if command.starts_with("exec") => (ProfileEndKind::Exec, command),
                Stop::End(command) => (ProfileEndKind::Exit, command),
            };
            file.ends.push(ProfileEnd { command, kind, users, at });
        }
        Ok(Self { files: Partial { items: found.into_values().collect(), unread } })
    }
}

/// The users of passwd whose shells read such files.
fn people(passwd: &str) -> Vec<Person> {
    const SHELLS: [&str; 8] = ["bash", "sh", "dash", "ash", "ksh", "mksh", "rbash", "zsh"];
    let person = |line: &str| {
        let fields: Vec<_> = line.split(':').collect();
        let [name, _, uid, _, _, home, shell] = fields.as_slice() else { return None };
        let shell = if shell.is_empty() { "/bin/sh" } else { shell };
        SHELLS.contains(&shell.rsplit('/').next().unwrap_or_default()).then_some(())?;
        let uid = uid.parse().ok()?;
        home.starts_with('/').then(|| Person {
            name: (*name).into(),
            uid,
            home: (*home).into(),
            shell: shell.into(),
        })
    };
    passwd.lines().filter_map(person).collect()
}
