//! Which files are applied, in which order, and which line wins for a key.

use super::conf::{Conf, Line, key_of, parse, path_of};
use super::{Applier, MalformedSysctl, SysctlFile};
use crate::source::glob::{is_glob, matches};
use crate::source::{At, Host, Missing, Reading, Reason, Unreadable, resolve};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// The directories of sysctl.d(5); a file of one hides files of the same name in those after it.
///
/// procps before 4.0 put /run first; hostvet judges by the order that systemd and newer procps share.
pub(super) const DIRECTORIES: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

pub(super) const SYSCTL_CONF: &str = "/etc/sysctl.conf";

const CMDLINE: &str = "/proc/cmdline";

/// Any of these says that systemd-sysctl applies the files at boot. Reports of a host (sosreport) hold no programs,
/// but they hold its configuration.
pub(super) const SYSTEMD_SYSCTL: [&str; 5] = [
    "/usr/lib/systemd/systemd-sysctl",
    "/lib/systemd/systemd-sysctl",
    "/usr/lib/systemd/system/systemd-sysctl.service",
    "/lib/systemd/system/systemd-sysctl.service",
    "/etc/systemd/system.conf",
];

/// Everything that is persisted, in order of application.
#[derive(Debug, Default)]
pub(super) struct Persisted {
    /// The lines of all files.
    pub(super) lines: Vec<Line>,
    /// The lines of /etc/sysctl.conf, where nothing reads it at boot.
    pub(super) ignored: Vec<Line>,
    /// The files, in order.
    pub(super) files: Vec<SysctlFile>,
    /// What could not be read, with the number of lines before it: it may overrule those, not the ones after it.
    pub(super) unread: Vec<(usize, Unreadable)>,
    /// The positions of the lines of each key (or glob), in order.
    by_path: HashMap<String, Vec<usize>>,
    /// The positions of the globs in force, in the order in which they are applied.
    globs: Vec<usize>,
    /// Lines of all files.
    seen: usize,
}

/// How many lines all files may have together; honest ones have some hundred.
const MAX_LINES: usize = 300_000;

/// Which program applies the files at boot.
pub(super) fn applier(host: &Host) -> Reading<Applier> {
    let mut unknown = None;
    for path in SYSTEMD_SYSCTL {
        match host.exists(path).map_err(Missing::Unreadable) {
            Ok(true) => return Ok(Applier::SystemdSysctl),
            Ok(false) => {}
            Err(missing) if missing.is_not_collected() => unknown = unknown.or(Some(missing)),
            Err(missing) => return Err(missing),
        }
    }
    unknown.map_or(Ok(Applier::Procps), Err)
}

impl Persisted {
    pub(super) fn gather(host: &Host, applier: &Reading<Applier>) -> Self {
        let mut all = Self::default();
        // The kernel itself applies these, before it starts init.
        match host.read_text(CMDLINE) {
            Ok(text) => all.lines.extend(cmdline(&text)),
            Err(Missing::Absent) => {}
            Err(Missing::Unreadable(why)) => all.unread.push((0, why)),
        }
        let files = all.files(host);
        // procps reads sysctl.conf after all others; a link to it among them changes nothing then.
        let reads_sysctl_conf_last = *applier == Ok(Applier::Procps);
        for path in files.iter().filter(|path| !(reads_sysctl_conf_last && path.as_str() == SYSCTL_CONF)) {
            all.file(host, path);
        }
        match applier {
            Ok(Applier::Procps) => all.file(host, SYSCTL_CONF),
            Err(Missing::Unreadable(why)) => all.unread.push((usize::MAX, why.clone())),
            _ if files.iter().any(|path| path == SYSCTL_CONF) => {}
            _ => {
                if let Ok(text) = host.read_text(SYSCTL_CONF) {
                    all.ignored = parse(SYSCTL_CONF, &text).lines;
                }
            }
        }
        all.index();
        all
    }

    /// The files in order: by name, whichever directory they are in; links by what they lead to.
    fn files(&mut self, host: &Host) -> Vec<String> {
        let mut files = BTreeMap::new();
        for directory in DIRECTORIES {
            match host.names(directory) {
                Ok(names) => {
                    for name in names.into_iter().filter(|n| n.ends_with(".conf") && !n.starts_with('.')) {
                        let path = format!("{directory}/{name}");
                        files.entry(name).or_insert(path);
                    }
                }
                Err(Missing::Absent) => {}
                // It may hide any file and overrule any line.
                Err(Missing::Unreadable(why)) => self.unread.push((usize::MAX, why)),
            }
        }
        let target = |path: String| match resolve(host.source.as_ref(), Path::new(&path), true) {
            Ok(target) => target.to_string_lossy().into_owned(),
            Err(_) => path,
        };
        files.into_values().map(target).collect()
    }

    fn file(&mut self, host: &Host, path: &str) {
        let at = At::file(path);
        let malformed = match host.read_text(path) {
            Ok(text) => {
                // Long lines take as much as many.
                self.seen = self.seen.saturating_add(text.lines().count().max(text.len() / 100));
                if self.seen > MAX_LINES {
                    let what =
                        format!("not taken into account: the files have more than {MAX_LINES} lines in all");
                    let why = Unreadable { path: path.into(), reason: Reason::NotRead(what) };
                    return self.unread.push((self.lines.len(), why));
                }
                let Conf { lines, malformed } = parse(path, &text);
                self.lines.extend(lines);
                malformed
            }
            // A dangling link, which hides the files of its name all the same.
            Err(Missing::Absent) => return,
            Err(Missing::Unreadable(why)) => match why.reason {
                // /dev/null, which is how a file is masked.
                Reason::WrongKind(_) if path == "/dev/null" => return,
                Reason::WrongKind(kind) => {
                    let reason = format!("is {kind}, not a file that can be read");
                    vec![MalformedSysctl { text: String::new(), reason, at: at.clone() }]
                }
                _ => return self.unread.push((self.lines.len(), why)),
            },
        };
        self.files.push(SysctlFile { path: path.to_owned(), malformed, at });
    }

    fn index(&mut self) {
        self.unread.sort_by_key(|(before, _)| *before);
        for (position, line) in self.lines.iter().enumerate() {
            self.by_path.entry(line.path.clone()).or_default().push(position);
        }
        let globs = self.by_path.iter().filter(|(path, _)| is_glob(path));
        let mut globs: Vec<(usize, usize)> = globs.filter_map(|(_, lines)| self.turn(lines)).collect();
        globs.sort_unstable();
        self.globs = globs.into_iter().map(|(_, position)| position).collect();
    }

    /// When the last of these lines of one key takes its turn. systemd keeps one entry per key: a line of another
    /// value takes the entry's place at the end, one of the same value leaves it where it is.
    fn turn(&self, lines: &[usize]) -> Option<(usize, usize)> {
        let last = *lines.last()?;
        let value = self.lines.get(last)?.value.as_ref()?;
        let same =
            |position: &&usize| self.lines.get(**position).and_then(|l| l.value.as_ref()) == Some(value);
        let first = lines.iter().rev().take_while(same).last()?;
        Some((*first, last))
    }

    /// The keys that are assigned, with dots, sorted; globs are not among them.
    pub(super) fn names(&self) -> Vec<String> {
        let assigned = self.lines.iter().filter(|line| line.value.is_some() && !is_glob(&line.path));
        let names: BTreeSet<String> = assigned.map(|line| key_of(&line.path)).collect();
        names.into_iter().collect()
    }

    /// What could not be read and may overrule the line at this position.
    fn unread_after(&self, position: usize) -> Option<Missing> {
        let after = self.unread.partition_point(|(before, _)| *before <= position);
        let (_, why) = self.unread.get(after)?;
        Some(Missing::Unreadable(why.clone()))
    }

    /// The line that decides over this very key (or glob), be it an exclusion; absent where none speaks of it.
    pub(super) fn decides(&self, path: &str) -> Reading<&Line> {
        let position = self.by_path.get(path).and_then(|lines| lines.last()).ok_or(Missing::Absent)?;
        self.unread_after(*position).map_or(Ok(()), Err)?;
        self.lines.get(*position).ok_or(Missing::Absent)
    }

    /// The line that sets a key at boot, and those that it overrules.
    pub(super) fn lookup(&self, path: &str) -> (Reading<&Line>, Vec<&Line>) {
        let of_this_key = self.by_path.get(path).into_iter().flatten();
        let mut others: Vec<&Line> = of_this_key.filter_map(|position| self.lines.get(*position)).collect();
        let winner = match self.decides(path) {
            Err(Missing::Absent) => return self.lookup_glob(path),
            Ok(line) if line.value.is_none() => Err(Missing::Absent),
            winner => winner,
        };
        if winner.is_ok() {
            others.pop();
        }
        others.retain(|line| line.value.is_some());
        (winner, others)
    }

    fn lookup_glob(&self, path: &str) -> (Reading<&Line>, Vec<&Line>) {
        // Any file may hold an explicit assignment, which overrules every glob wherever it stands.
        if let Some((_, why)) = self.unread.first() {
            return (Err(Missing::Unreadable(why.clone())), Vec::new());
        }
        let globs = self.globs.iter().filter_map(|position| self.lines.get(*position));
        let mut matching: Vec<&Line> = globs.filter(|line| matches(&line.path, path)).collect();
        match matching.pop() {
            Some(winner) => (Ok(winner), matching),
            None => (Err(Missing::Absent), Vec::new()),
        }
    }
}

/// `sysctl.KEY=VALUE` parameters of the kernel command line (since Linux 5.8); there, every dot is a separator.
fn cmdline(text: &str) -> Vec<Line> {
    let parameter = |word: &str| {
        let (key, value) = word.strip_prefix("sysctl")?.split_once('=')?;
        let path = path_of(&key.strip_prefix(['.', '/'])?.replace('.', "/"));
        (!path.is_empty()).then(|| Line {
            path,
            value: Some(value.trim_matches('"').to_owned()),
            ignore_failure: false,
            at: At::file(CMDLINE),
        })
    };
    text.split_whitespace().filter_map(parameter).collect()
}
