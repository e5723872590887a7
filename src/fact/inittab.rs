//! What SysV init and BusyBox's init start: /etc/inittab.

use super::Fact;
use crate::source::{At, Host, Missing, Optional, Reading, Reason};
use crate::{record, word};
use std::collections::BTreeSet;
use std::path::Path;

word! {
    /// Who reads /etc/inittab.
    pub enum InittabReader {
        /// SysV init.
        Sysvinit = "sysvinit",
        /// BusyBox's init, as on Alpine.
        Busybox = "busybox",
        /// Upstart of RHEL 6 and its like, which takes nothing but the default runlevel from it.
        Upstart = "upstart",
        /// Nobody, as with systemd.
        Nobody = "nobody",
    }
}

record! {
    /// What is started at boot by an init that reads /etc/inittab.
    ///
    /// ```text
    /// SysV init   id:2:initdefault:
    ///             si::sysinit:/etc/init.d/rcS
    ///             1:2345:respawn:/sbin/getty --noclear 38400 tty1
    /// BusyBox     ::sysinit:/sbin/openrc sysinit
    ///             tty1::respawn:/sbin/getty 38400 tty1
    /// ```
    ///
    /// Source: inittab(5); init.c of sysvinit (`read_inittab`) and of BusyBox (`parse_inittab`). Where /sbin/init is not to be
    /// seen, the lines themselves tell which of the two they are for. Absent without the file.
    #[bare(entries)]
    pub struct Inittab {
        /// Who reads the file. Unreadable where neither /sbin/init nor its lines tell.
        pub reader: Reading<InittabReader>,
        /// The lines that init takes, in order.
        pub entries: Vec<InittabEntry>,
        /// The lines that it does not take.
        pub malformed: Vec<InittabMalformed>,
        /// The runlevel of its `initdefault`, the first of them. Absent where there is none: SysV init then asks on the console.
        pub default_runlevel: Option<String>,
        /// The file.
        pub at: At,
    }
}

record! {
    /// A line that init takes.
    #[derive(Clone, PartialEq)]
    pub struct InittabEntry {
        /// What names the line; for BusyBox the terminal.
        pub id: String,
        /// The runlevels in which it counts; BusyBox has none and passes over them.
        pub runlevels: String,
        /// What is done with the process, in lower case: `respawn`.
        pub action: String,
        /// The command.
        pub process: String,
        /// Where it stands.
        pub at: At,
    }
}

record! {
    /// A line that init does not take.
    #[derive(Clone, PartialEq)]
    pub struct InittabMalformed {
        /// The line as it is written; 200 characters at most.
        pub text: String,
        /// What is wrong.
        pub reason: String,
        /// Whether it looks like a line of a shell script.
        pub shell: bool,
        /// Where it stands.
        pub at: At,
    }
}

const PATH: &str = "/etc/inittab";
const INIT: &str = "/sbin/init";

/// More than any init has.
const INIT_CAP: u64 = 16 << 20;

const SYSVINIT: [&str; 14] = [
    "respawn",
    "wait",
    "once",
    "boot",
    "bootwait",
    "off",
    "ondemand",
    "initdefault",
    "sysinit",
    "powerwait",
    "powerfail",
    "powerokwait",
    "powerfailnow",
    "ctrlaltdel",
];
const KEYBOARD: &str = "kbrequest";
const BUSYBOX: [&str; 8] =
    ["sysinit", "wait", "once", "respawn", "askfirst", "ctrlaltdel", "shutdown", "restart"];

impl Fact for Inittab {
    const NAME: &'static str = "inittab";
    const READS: &'static [&'static str] = &[PATH, INIT];

    fn collect(host: &Host) -> Reading<Self> {
        let text = host.read_text(PATH)?;
        let reader = reader(host, &text);
        let (entries, malformed) = parse(&text, reader.clone().unwrap_or(InittabReader::Sysvinit));
        let default = entries.iter().find(|entry| entry.action == "initdefault");
        Ok(Self {
            default_runlevel: default.map(|entry| entry.runlevels.clone()),
            reader,
            entries,
            malformed,
            at: At::file(PATH),
        })
    }
}

fn reader(host: &Host, text: &str) -> Reading<InittabReader> {
    let named = |name: &str| match name.rsplit('/').next().unwrap_or_default() {
        "busybox" => Some(InittabReader::Busybox),
        "systemd" => Some(InittabReader::Nobody),
        _ => None,
    };
    let link = host.source.read_link(Path::new(INIT)).ok();
    if let Some(reader) = link.and_then(|to| named(&to.to_string_lossy())) {
        return Ok(reader);
    }
    let Some(program) = host.source.read(Path::new(INIT), INIT_CAP).optional()? else {
        return meant(text);
    };
    let holds = |words: &str| program.windows(words.len()).any(|window| window == words.as_bytes());
    Ok(match () {
        () if holds("BusyBox v") => InittabReader::Busybox,
        () if holds("upstart") => InittabReader::Upstart,
        () if holds(PATH) => InittabReader::Sysvinit,
        () => InittabReader::Nobody,
    })
}

/// For whom the lines are written: BusyBox's name terminals or nothing, SysV init's have names, and one has the default
/// runlevel.
fn meant(text: &str) -> Reading<InittabReader> {
    let lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
    let mut runlevel = false;
    for line in lines {
        let mut fields = line.splitn(4, ':');
        let (id, action) = (fields.next(), fields.nth(1));
        match action {
            Some("sysinit") if id == Some("") => return Ok(InittabReader::Busybox),
            Some("initdefault") => runlevel = true,
            _ => {}
        }
    }
    if runlevel {
        return Ok(InittabReader::Sysvinit);
    }
    Err(Missing::unreadable(
        INIT,
        Reason::NotRead("which init reads /etc/inittab is not to be seen here".into()),
    ))
}

/// The lines that this init takes, and those that it does not.
fn parse(text: &str, reader: InittabReader) -> (Vec<InittabEntry>, Vec<InittabMalformed>) {
    let (mut entries, mut malformed) = (Vec::new(), Vec::new());
    let mut ids = BTreeSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim_start_matches([' ', '\t']);
        if trimmed.trim().is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let at = At::line(PATH, number);
        let mut fields = match reader {
            InittabReader::Busybox => line,
            _ => trimmed,
        }
        .splitn(4, ':');
        let mut next = || fields.next().map(str::to_owned);
        let (id, runlevels, action, process) = (next(), next(), next(), next());
        let entry = InittabEntry {
            id: id.unwrap_or_default(),
            runlevels: runlevels.unwrap_or_default(),
            action: action.unwrap_or_default(),
            process: process.clone().unwrap_or_default(),
            at: at.clone(),
        };
        let reason = match (process, reader) {
            (None, _) => Some(fields_found(line.split(':').count())),
            (_, InittabReader::Busybox) => busybox(&entry),
            _ => sysvinit(&entry, &mut ids),
        };
        match reason {
            None => {
                let action = entry.action.to_ascii_lowercase();
                entries.push(InittabEntry { action, ..entry });
            }
            Some(reason) => {
                let text = line.chars().take(200).collect();
                malformed.push(InittabMalformed { text, reason, shell: is_shell(trimmed), at });
            }
        }
    }
    (entries, malformed)
}

fn busybox(entry: &InittabEntry) -> Option<String> {
    if !BUSYBOX.contains(&entry.action.as_str()) {
        return Some(format!("has the action `{}`, which BusyBox does not know", entry.action));
    }
    if entry.process.is_empty() {
        return Some("has no command".to_owned());
    }
    let blank = entry.id.starts_with([' ', '\t']);
    blank.then(|| {
        "begins with a blank, which becomes part of the terminal's name: nothing is started".to_owned()
    })
}

fn sysvinit(entry: &InittabEntry, ids: &mut BTreeSet<String>) -> Option<String> {
    let action = entry.action.to_ascii_lowercase();
    if entry.id.is_empty() {
        return Some("has no id".to_owned());
    }
    if entry.id.len() > 4 {
        return Some(format!("has the id `{}`, which is longer than 4 characters", entry.id));
    }
    if !SYSVINIT.contains(&action.as_str()) && action != KEYBOARD {
        return Some(format!("has the action `{}`, which init does not know", entry.action));
    }
    if entry.runlevels.len() > 11 {
        return Some("has more than 11 runlevels".to_owned());
    }
    // `~~` may stand more than once.
    let again = entry.id != "~~" && !ids.insert(entry.id.clone());
    again.then(|| format!("has the id `{}` of a line before", entry.id))
}

fn fields_found(count: usize) -> String {
    match count {
        1 => "has 1 field instead of 4".to_owned(),
        _ => format!("has {count} fields instead of 4"),
    }
}

/// Whether a line begins as one of a shell script does.
fn is_shell(line: &str) -> bool {
    const WORDS: [&str; 12] =
        ["if", "then", "else", "elif", "fi", "for", "while", "do", "done", "case", "esac", "export"];
    let word = line.split([' ', '\t', ';', '\r']).next().unwrap_or_default();
    WORDS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn collect(files: &Files) -> Reading<Inittab> {
        Inittab::collect(&Host::new(files.clone(), Target::root("case")))
    }

    fn of(text: &str) -> Inittab {
        let mut files = Files::new();
        files.file(PATH, text);
        collect(&files).unwrap()
    }

    fn told(found: &Inittab) -> Vec<String> {
        found.malformed.iter().map(|m| format!("{} {}", m.at.line.unwrap(), m.reason)).collect()
    }

    #[test]
    fn sysvinit_takes_the_lines_it_takes_on_a_real_system() {
        let found = of(
            "# comment\nid:3:initdefault:\nsi::sysinit:/bin/rcS\nif [ $(uname -m) = a ]; then\n  in:3:once:/bin/a:b\nfi\nnu:3:once:/bin/c\nnu:3:once:/bin/d\n::once:/bin/e\nfo:3:foo:/bin/true\nup:3:Once:/bin/f\nem:3:once:\ntoolong:3:once:/bin/g\n~~:S:wait:/sbin/sulogin\n~~:S:wait:/sbin/x\n",
        );
        assert_eq!(
            (found.reader.clone(), found.default_runlevel.as_deref()),
            (Ok(InittabReader::Sysvinit), Some("3"))
        );
        let ids: Vec<_> = found.entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids, ["id", "si", "in", "nu", "up", "em", "~~", "~~"]);
        assert_eq!(
            (found.entries[2].process.as_str(), found.entries[4].action.as_str()),
            ("/bin/a:b", "once")
        );
        let expected = [
            "4 has 1 field instead of 4",
            "6 has 1 field instead of 4",
            "8 has the id `nu` of a line before",
            "9 has no id",
            "10 has the action `foo`, which init does not know",
            "13 has the id `toolong`, which is longer than 4 characters",
        ];
        assert_eq!(told(&found), expected);
        assert_eq!(found.malformed.iter().filter(|m| m.shell).count(), 2);
    }

    #[test]
    fn busybox_takes_the_lines_it_takes_on_a_real_system() {
        let found = of(
            "::sysinit:/bin/sh -c \"a\"\nif [ a ]; then\n    null::once:/bin/b\nfi\nnull::once:/bin/c\na:3:initdefault:\n::foo:/bin/d\n::once:\n::Once:/bin/e\n::once:/bin/f # comment\nx:y\n",
        );
        assert_eq!(found.reader, Ok(InittabReader::Busybox));
        assert_eq!(found.entries.len(), 3);
        let lines: Vec<_> = found.malformed.iter().filter_map(|m| m.at.line).collect();
        assert_eq!(lines, [2, 3, 4, 6, 7, 8, 9, 11]);
    }

    #[test]
    fn init_itself_says_who_reads_the_file() {
        let mut files = Files::new();
        files.file(PATH, "::sysinit:/bin/a\n");
        for (to, wanted) in
            [("/bin/busybox", InittabReader::Busybox), ("../lib/systemd/systemd", InittabReader::Nobody)]
        {
            files.link(INIT, to);
            assert_eq!(collect(&files).unwrap().reader, Ok(wanted));
        }
        for (program, wanted) in [
            ("\x7fELF.../etc/inittab...", InittabReader::Sysvinit),
            ("\x7fELF... upstart 0.6.5", InittabReader::Upstart),
            ("\x7fELF/etc/inittab BusyBox v1.36", InittabReader::Busybox),
            ("#!/bin/sh", InittabReader::Nobody),
        ] {
            files.file(INIT, program);
            assert_eq!(collect(&files).unwrap().reader, Ok(wanted), "{program}");
        }
        files.deny(INIT);
        assert!(matches!(collect(&files).unwrap().reader, Err(Missing::Unreadable(_))));
    }

    #[test]
    fn garbage_is_kept_and_no_file_is_absent() {
        let found = of("\0\u{fffd}\n:::\n");
        assert!(matches!(found.reader, Err(Missing::Unreadable(_))));
        assert_eq!(found.malformed.len(), 2);
        assert!(of("").entries.is_empty());
        assert!(matches!(collect(&Files::new()), Err(Missing::Absent)));
    }
}
