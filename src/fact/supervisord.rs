//! The configuration of Supervisor.

use super::Fact;
use crate::model::{Located, Partial};
use crate::record;
use crate::source::{At, Host, Missing, Optional, Reading, Reason, TEXT_CAP, Unreadable, glob};
use std::collections::BTreeMap;
use std::sync::Arc;

record! {
    /// The configuration of Supervisor's daemon.
    ///
    /// ```text
    /// /etc/supervisor/supervisord.conf   [supervisord]
    ///                                    minfds=655350      ; min. avail startup file descriptors
    ///                                    [include]
    ///                                    files = /etc/supervisor/conf.d/*.conf
    /// /etc/supervisor/conf.d/app.conf    [program:app]
    ///                                    command=/opt/app/bin/server
    /// ```
    ///
    /// Source: <https://supervisord.org/configuration.html>, and supervisor/options.py. Other files than the usual ones,
    /// chosen with `-c`, are not looked for. Absent where there is none.
    pub struct Supervisord {
        /// How many files the daemon, and with it each of its programs, may have open at least: it raises its soft limit to that
        /// when it starts. Supervisor's default is 1024.
        pub minfds: Reading<Located<u64>>,
        /// How many processes its user may have at least, likewise. Supervisor's default is 200.
        pub minprocs: Reading<Located<u64>>,
        /// The user that the daemon becomes before it raises the limits, so that it can raise none above the hard one. Absent
        /// where it stays who it is.
        pub user: Reading<String>,
        /// Its programs, by name.
        pub programs: Partial<SupervisorProgram>,
        /// Lines that it refuses, which then does not start.
        pub malformed: Partial<SupervisorMistake>,
        /// The file that includes the others.
        pub at: At,
    }
}

record! {
    /// A program that Supervisor starts.
    #[derive(Clone, PartialEq)]
    pub struct SupervisorProgram {
        /// Its name, that of `[program:NAME]`.
        pub name: String,
        /// What is started. Absent where it is not said, which Supervisor refuses.
        pub command: Option<String>,
        /// The user it runs as. Absent where that is the daemon's.
        pub user: Option<String>,
        /// Where its section begins.
        pub at: At,
    }
}

record! {
    /// A line that Supervisor refuses.
    #[derive(Clone, PartialEq)]
    pub struct SupervisorMistake {
        /// The line as it is written.
        pub text: String,
        /// File and line.
        pub at: At,
    }
}

/// How many files are read, and how many bytes of them.
const MOST: usize = 2000;
const BYTES: usize = TEXT_CAP as usize;

impl Fact for Supervisord {
    const NAME: &'static str = "supervisord";
    const READS: &'static [&'static str] = &[
        "/etc/supervisord.conf",
        "/etc/supervisor/supervisord.conf",
        "/usr/etc/supervisord.conf",
        "the files of its [include] section",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        for path in &Self::READS[..3] {
            if let Some(text) = host.read_text(path).optional()? {
                return Ok(read(host, path, &text));
            }
        }
        Err(Missing::Absent)
    }
}

fn read(host: &Host, path: &str, text: &str) -> Supervisord {
    let mut ini = Ini::default();
    ini.read(path, text);
    let mut unread = Vec::new();
    let patterns = ini.get("include", "files").map_or_else(String::new, |files| files.value.clone());
    let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
    let patterns = patterns.replace("%(here)s", dir);
    let (mut files, mut bytes, mut names_left) = (0, text.len(), glob::NAMES);
    'all: for pattern in patterns.split_ascii_whitespace() {
        let pattern = if pattern.starts_with('/') { pattern.to_owned() } else { format!("{dir}/{pattern}") };
        let (paths, denied) = host.glob(&pattern, &mut names_left);
        unread.extend(denied);
        if names_left == 0 {
            break;
        }
        for path in paths {
            files += 1;
            if files > MOST || bytes > BYTES {
                let what = "was not read: the files before it are too many or too large".to_owned();
                unread.push(Unreadable { path: path.into(), reason: Reason::NotRead(what) });
                break 'all;
            }
            if let Some(text) = host.read_text(&path).noted(&mut unread) {
                bytes += text.len();
                ini.read(&path, &text);
            }
        }
    }
    ini.supervisord(path, unread)
}

/// Sections with their options, as Python's RawConfigParser reads them; what is read later overrules.
#[derive(Default)]
struct Ini {
    sections: BTreeMap<String, Section>,
    malformed: Vec<SupervisorMistake>,
}

struct Section {
    at: At,
    options: BTreeMap<String, Located<String>>,
}

impl Ini {
    fn get(&self, section: &str, option: &str) -> Option<&Located<String>> {
        self.sections.get(section)?.options.get(option)
    }

    fn read(&mut self, path: &str, text: &str) {
        let path: Arc<str> = path.into();
        let mut section: Option<String> = None;
        // The option that an indented line goes on with, and how far that is indented itself.
        let mut option: Option<(String, usize)> = None;
        for (number, line) in (1..).zip(text.lines()) {
            let line = without_comment(line);
            let word = line.trim();
            if word.is_empty() {
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            let at = At::line(path.clone(), number);
            if let (Some(name), Some((key, outer))) = (&section, &option)
                && indent > *outer
            {
                let options = self.sections.get_mut(name).map(|s| &mut s.options);
                if let Some(found) = options.and_then(|o| o.get_mut(key)) {
                    found.value.push('\n');
                    found.value.push_str(word);
                }
            } else if let Some(name) = word.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')) {
                let name = name.0.to_owned();
                self.sections.entry(name.clone()).or_insert(Section { at, options: BTreeMap::new() });
                section = Some(name);
                option = None;
            } else if let (Some((key, value)), Some(name)) = (word.split_once(['=', ':']), &section) {
                let key = key.trim().to_ascii_lowercase();
                if let Some(section) = self.sections.get_mut(name) {
                    let value = value.trim().to_owned();
                    section.options.insert(key.clone(), Located { value, at });
                }
                option = Some((key, indent));
            } else if self.malformed.len() < MOST {
                self.malformed.push(SupervisorMistake { text: word.to_owned(), at });
            }
        }
    }

    fn supervisord(self, path: &str, unread: Vec<Unreadable>) -> Supervisord {
        let get = |option| match (unread.first(), self.get("supervisord", option)) {
            // It may overrule what was found.
            (Some(why), _) => Err(Missing::Unreadable(why.clone())),
            (None, found) => Ok(found),
        };
        let number = |option, default| match get(option)? {
            None => Ok(Located { value: default, at: At::file(path) }),
            Some(found) => match found.value.parse() {
                Ok(value) => Ok(Located { value, at: found.at.clone() }),
                Err(_) => {
                    Err(Missing::garbled(&*found.at.path, format!("{option} is no number: {}", found.value)))
                }
            },
        };
        let user = || get("user")?.map(|user| user.value.clone()).ok_or(Missing::Absent);
        let program = |(name, section): (&String, &Section)| {
            let name = name.strip_prefix("program:")?.trim();
            let of = |option| section.options.get(option).map(|found| found.value.clone());
            let at = section.at.clone();
            Some(SupervisorProgram { name: name.to_owned(), command: of("command"), user: of("user"), at })
        };
        Supervisord {
            minfds: number("minfds", 1024),
            minprocs: number("minprocs", 200),
            user: user(),
            programs: Partial {
                items: self.sections.iter().filter_map(program).collect(),
                unread: unread.clone(),
            },
            malformed: Partial { items: self.malformed.clone(), unread: unread.clone() },
            at: At::file(path),
        }
    }
}

/// The line without a comment, which begins with `;` or `#` at the start or after a blank.
fn without_comment(line: &str) -> &str {
    let begins = |(at, c): &(usize, char)| {
        matches!(c, ';' | '#') && (*at == 0 || line[..*at].ends_with(char::is_whitespace))
    };
    line.char_indices().find(begins).map_or(line, |(at, _)| &line[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn collect(files: &Files) -> Reading<Supervisord> {
        Supervisord::collect(&Host::new(files.clone(), Target::root("x")))
    }

    fn supervisord(text: &str) -> Supervisord {
        let mut files = Files::new();
        files.file("/etc/supervisord.conf", text);
        collect(&files).unwrap()
    }

    fn minfds(text: &str) -> Option<u64> {
        supervisord(text).minfds.ok().map(|found| found.value)
    }

    #[test]
    fn what_is_not_set_is_supervisors_default() {
        let found = supervisord("; nothing\n[supervisord]\n");
        assert_eq!(found.minfds, Ok(Located { value: 1024, at: At::file("/etc/supervisord.conf") }));
        assert_eq!(found.minprocs.unwrap().value, 200);
        assert_eq!(found.user, Err(Missing::Absent));
    }

    #[test]
    fn values_end_where_a_comment_begins() {
        assert_eq!(minfds("[supervisord]\nminfds=655350 ; min. avail\n"), Some(655_350));
        assert_eq!(minfds("[supervisord]\n  MinFDs : 10\t# x\nminprocs=5\n"), Some(10));
        assert_eq!(minfds("[supervisord]\nminfds=10;x\n"), None);
        assert_eq!(minfds("[supervisord]\n;minfds=10\n"), Some(1024));
        assert_eq!(minfds("[supervisord]\nminfds=1\n[supervisord]\nminfds=2\n"), Some(2));
    }

    #[test]
    fn programs_come_from_the_included_files_too() {
        let mut files = Files::new();
        files
            .file("/etc/supervisor/supervisord.conf", "[supervisord]\nuser=svc\n[include]\nfiles = conf.d/*.conf\n  %(here)s/more.ini\n[program:z]\n")
            .file("/etc/supervisor/conf.d/b.conf", "[program:b]\ncommand=/bin/b\n  --long\nuser=app\n")
            .file("/etc/supervisor/more.ini", "[supervisord]\nminfds=7\n[group:x]\nprograms=b\n");
        let found = collect(&files).unwrap();
        let programs: Vec<_> =
            found.programs.items.iter().map(|p| (p.name.as_str(), p.command.as_deref())).collect();
        assert_eq!(programs, [("b", Some("/bin/b\n--long")), ("z", None)]);
        assert_eq!(found.minfds.unwrap().at, At::line("/etc/supervisor/more.ini", 2));
        assert_eq!(found.user.as_deref(), Ok("svc"));
        assert_eq!(found.programs.items[0].user.as_deref(), Some("app"));
    }

    #[test]
    fn what_a_denied_file_may_overrule_is_unknown() {
        let mut files = Files::new();
        files
            .file("/etc/supervisord.conf", "[supervisord]\nminfds=7\n[include]\nfiles=/etc/x/*\n")
            .deny("/etc/x");
        let found = collect(&files).unwrap();
        assert!(matches!(found.minfds, Err(Missing::Unreadable(_))));
        assert_eq!(found.programs.unread.len(), 1);
        files.deny("/etc/supervisord.conf");
        assert!(matches!(collect(&files), Err(Missing::Unreadable(_))));
    }

    #[test]
    fn garbage_is_kept_and_nothing_is_absent() {
        let found = supervisord("x=1\n[a\nword\n\0\u{fffd}\n[é]\n é=1\n");
        let lines: Vec<_> = found.malformed.items.iter().map(|m| m.at.line.unwrap()).collect();
        assert_eq!(lines, [1, 2, 3, 4]);
        assert_eq!(collect(&Files::new()).unwrap_err(), Missing::Absent);
    }
}
