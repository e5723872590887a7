//! The units of systemd that have a file: which file counts, which links ask for them, and which drop-ins change them.
//!
//! Here alone it is said what "enabled" and "masked" mean; the facts about services share it. Source: systemd.unit(5).

mod drop_ins;
mod load;
mod printed;

use crate::source::{Entry, FileKind, Host, Missing, Optional, Reading, Unreadable};
pub use load::{Assignment, Loaded, boolean};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The search path of the system manager: the file of the first directory that has one counts.
const DIRS: [&str; 13] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
];

const KINDS: [&str; 11] = [
    "service",
    "socket",
    "target",
    "timer",
    "mount",
    "automount",
    "path",
    "slice",
    "scope",
    "swap",
    "device",
];

/// Targets that are no part of a normal boot: what only they want is not started by one.
const OTHER_TARGETS: [&str; 16] = [
    "rescue.target",
    "emergency.target",
    "shutdown.target",
    "reboot.target",
    "soft-reboot.target",
    "halt.target",
    "poweroff.target",
    "kexec.target",
    "final.target",
    "sleep.target",
    "suspend.target",
    "hibernate.target",
    "hybrid-sleep.target",
    "suspend-then-hibernate.target",
    "exit.target",
    "system-update.target",
];

/// Links that pull a unit in, by the directory that they are in.
const PULLING: [&str; 3] = [".wants", ".requires", ".upholds"];

/// The units of a system, from its directories and links; files are read when they are asked for.
#[derive(Debug)]
pub struct Units {
    host: Host,
    /// By name: the file that counts.
    pub files: BTreeMap<String, UnitFilePlace>,
    /// The links that ask for a unit.
    pub pulls: Vec<Pull>,
    /// Whether there is a directory of units at all.
    pub any: bool,
    /// What could not be listed.
    pub unread: Vec<Unreadable>,
    /// The names `*.d`, and in which directories of the search path each is, in their order.
    drop_in_dirs: HashMap<String, Vec<&'static str>>,
    /// The other names of units, by the name that they stand for.
    aliases: HashMap<String, Vec<String>>,
    /// By unit: the positions of the links that ask for it in [`Units::pulls`].
    pulled: HashMap<String, Vec<usize>>,
    /// By what asks: those positions.
    pulling: HashMap<String, Vec<usize>>,
    /// What was listed of the directories of drop-ins.
    seen: Mutex<HashMap<String, Reading<ConfFiles>>>,
    /// What was read of the files, and how many bytes that is.
    texts: Mutex<(Texts, usize)>,
}

/// The most bytes of files that are kept for the next who asks. Those of honest hosts have some hundred KiB together.
const KEPT: usize = 8 << 20;

/// The texts of files, by path.
type Texts = HashMap<Arc<str>, Reading<Arc<str>>>;

/// The names in a directory that end in .conf, and whether they are masked.
type ConfFiles = Vec<(String, bool)>;

/// The file of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFilePlace {
    /// Its path in the search path.
    pub path: String,
    /// Where it leads, if it is a link.
    pub link: Option<String>,
    /// Whether it is masked: a link to /dev/null, or an empty file.
    pub masked: bool,
    /// The unit of which it is but another name.
    pub alias_of: Option<String>,
}

/// A link in a directory `*.wants`, `*.requires` or `*.upholds`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// The unit that asks: `multi-user.target`.
    pub by: String,
    /// The unit that is asked for; the link's name says it, wherever it leads.
    pub unit: String,
    /// Whether what asks fails without it: `*.requires`.
    pub requires: bool,
    /// The link.
    pub path: String,
}

impl Units {
    /// Those of this host. The directories of the search path and those with links are listed when something first asks.
    pub fn of(host: &Host) -> Arc<Self> {
        host.shared(Self::find)
    }

    fn find(host: Host) -> Self {
        // With a merged /usr both names lead to the same directory.
        let merged = host.source.lstat(Path::new("/lib")).is_ok_and(|stat| stat.kind == FileKind::Link);
        let mut units = Self {
            host,
            files: BTreeMap::new(),
            pulls: Vec::new(),
            any: false,
            unread: Vec::new(),
            drop_in_dirs: HashMap::new(),
            aliases: HashMap::new(),
            pulled: HashMap::new(),
            pulling: HashMap::new(),
            seen: Mutex::default(),
            texts: Mutex::default(),
        };
        for dir in DIRS.into_iter().filter(|dir| !merged || !dir.starts_with("/lib/")) {
            units.directory(dir);
        }
        for (name, file) in &units.files {
            if let Some(of) = &file.alias_of {
                units.aliases.entry(of.clone()).or_default().push(name.clone());
            }
        }
        for (position, pull) in units.pulls.iter().enumerate() {
            units.pulled.entry(pull.unit.clone()).or_default().push(position);
            units.pulling.entry(pull.by.clone()).or_default().push(position);
        }
        units.take_printed();
        units
    }

    fn directory(&mut self, dir: &'static str) {
        for entry in self.list(dir) {
            let name = entry.name.to_string_lossy().into_owned();
            if name.ends_with(".d") {
                self.drop_in_dirs.entry(name).or_default().push(dir);
            } else if let Some(by) = PULLING.iter().find_map(|ending| name.strip_suffix(ending)) {
                let requires = name.ends_with(".requires");
                for link in self.list(&format!("{dir}/{name}")) {
                    let unit = link.name.to_string_lossy().into_owned();
                    if is_unit(&unit) {
                        let path = format!("{dir}/{name}/{unit}");
                        self.pulls.push(Pull { by: by.to_owned(), unit, requires, path });
                    }
                }
            } else if is_unit(&name) && !self.files.contains_key(&name) {
                let place = self.place(dir, &name, entry.kind);
                self.files.insert(name, place);
            }
        }
    }

    fn list(&mut self, dir: &str) -> Vec<Entry> {
        match self.host.source.list(Path::new(dir)) {
            Ok(entries) => {
                self.any = true;
                entries
            }
            Err(Missing::Absent) => Vec::new(),
            Err(Missing::Unreadable(why)) => {
                self.any = true;
                self.unread.push(why);
                Vec::new()
            }
        }
    }

    fn place(&mut self, dir: &str, name: &str, kind: FileKind) -> UnitFilePlace {
        let path = format!("{dir}/{name}");
        let stat = || self.host.source.lstat(Path::new(&path));
        let (link, masked) = match kind {
            FileKind::Link => {
                let to = self.host.source.read_link(Path::new(&path)).noted(&mut self.unread);
                let to = to.map(|to| to.to_string_lossy().into_owned());
                let masked = to.as_deref() == Some("/dev/null");
                (to, masked)
            }
            _ => (None, stat().is_ok_and(|stat| stat.kind == FileKind::File && stat.size == 0)),
        };
        let target = link.as_deref().map(|to| to.rsplit_once('/').map_or(to, |(_, name)| name).to_owned());
        let alias_of = target.filter(|target| !masked && target != name && is_unit(target));
        UnitFilePlace { path, link, masked, alias_of }
    }

    /// The text of a unit's file or drop-in, of which several facts want to know several things.
    pub fn text(&self, path: &str) -> Reading<Arc<str>> {
        let texts = || self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = texts().0.get(path) {
            return known.clone();
        }
        let text: Reading<Arc<str>> = self.host.read_text(path).map(Into::into);
        let (kept, bytes) = &mut *texts();
        *bytes += path.len() + text.as_ref().map_or(0, |text| text.len());
        if *bytes <= KEPT {
            kept.insert(path.into(), text.clone());
        }
        text
    }

    /// The name that a unit goes by: of another name for one that one.
    pub fn canonical(&self, name: &str) -> String {
        let mut name = name.to_owned();
        // Aliases of aliases are rare; links may lead in a circle.
        for _ in 0..8 {
            match self.files.get(&name).and_then(|file| file.alias_of.clone()) {
                // getty@tty1.service may be a link to getty@.service, and stays the instance.
                Some(of) if template(&name).as_deref() != Some(of.as_str()) => name = of,
                _ => break,
            }
        }
        name
    }

    /// Its other names.
    pub fn aliases(&self, name: &str) -> &[String] {
        self.aliases.get(name).map_or(&[], Vec::as_slice)
    }

    /// The file of a unit, its own or that of its template.
    pub fn file(&self, name: &str) -> Option<&UnitFilePlace> {
        self.files.get(name).or_else(|| self.files.get(&template(name)?))
    }

    /// Whether it cannot be started, as its file or that of its template is a link to /dev/null or empty.
    pub fn masked(&self, name: &str) -> bool {
        self.file(name).is_some_and(|file| file.masked)
    }

    /// The links by which a unit asks for others: those of its own name and of its other names, and of its template.
    pub fn asks_for<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Pull> {
        let names =
            std::iter::once(name.to_owned()).chain(template(name)).chain(self.aliases(name).iter().cloned());
        names
            .flat_map(|name| self.pulling.get(&name).into_iter().flatten())
            .filter_map(|at| self.pulls.get(*at))
    }

    /// Whether links say that a unit is started at boot: one asks for it by its own or another of its names, be it an instance
    /// of it, and what asks is no target of rescue, sleep or shutdown. What asks need not itself be started. A masked unit is
    /// not, nor is one without a file. A display manager needs no link but its other name.
    pub fn enabled(&self, name: &str) -> Reading<bool> {
        if self.masked(name) || self.file(name).is_none() {
            return Ok(false);
        }
        let names = || std::iter::once(name).chain(self.aliases(name).iter().map(String::as_str));
        let asked = names().any(|name| {
            let links = self.pulled.get(name).into_iter().flatten().filter_map(|at| self.pulls.get(*at));
            links.into_iter().any(at_boot)
        });
        if asked
            || names().any(|name| name == "display-manager.service")
            || self.instances(name).next().is_some()
        {
            return Ok(true);
        }
        match self.unread.first() {
            // The link may be where nothing could be listed.
            Some(why) => Err(Missing::Unreadable(why.clone())),
            None => Ok(false),
        }
    }

    /// The links that ask for an instance of a template.
    fn instances<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Pull> {
        let parts = name.split_once("@.");
        let is_one = move |unit: &str| {
            parts.is_some_and(|(stem, kind)| {
                unit.strip_prefix(stem).is_some_and(|rest| rest.starts_with('@'))
                    && unit.rsplit_once('.').is_some_and(|(_, of)| of == kind)
            })
        };
        let candidates = if parts.is_some() { self.pulls.as_slice() } else { &[] };
        candidates.iter().filter(move |pull| at_boot(pull) && is_one(&pull.unit))
    }

    /// The links that make a boot start a unit that is there and not masked.
    pub fn started(&self) -> impl Iterator<Item = &Pull> {
        self.pulls.iter().filter(|pull| {
            at_boot(pull)
                && self.file(&pull.unit).is_some_and(|file| !file.masked && self.leads_somewhere(file))
        })
    }

    fn leads_somewhere(&self, file: &UnitFilePlace) -> bool {
        file.link.is_none() || self.host.exists(&file.path).unwrap_or(true)
    }
}

/// Whether what asks may be a part of a normal boot.
fn at_boot(pull: &Pull) -> bool {
    !OTHER_TARGETS.contains(&pull.by.as_str()) && !pull.by.starts_with("initrd")
}

/// The kind of a unit: `service`.
pub fn kind(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, kind)| kind)
}

/// Whether a name is one of a unit.
fn is_unit(name: &str) -> bool {
    KINDS.contains(&kind(name))
}

/// The template of an instance: `getty@.service` of `getty@tty1.service`; none of anything else.
pub fn template(name: &str) -> Option<String> {
    let (stem, kind) = name.rsplit_once('.')?;
    let (before, instance) = stem.split_once('@')?;
    (!instance.is_empty()).then(|| format!("{before}@.{kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn find(files: &Files) -> Units {
        Units::find(Host::new(files.clone(), Target::root("x")))
    }

    #[test]
    fn links_enable_units_and_masks_disable_them() {
        let mut files = Files::new();
        for unit in ["a", "b", "c", "d", "e", "f", "g", "h", "getty@"] {
            files.file(format!("/usr/lib/systemd/system/{unit}.service"), "[Unit]\n");
        }
        let wants = "/etc/systemd/system/multi-user.target.wants";
        for unit in ["a", "e", "other-name-of-c", "gone", "g"] {
            files.link(format!("{wants}/{unit}.service"), "anywhere");
        }
        files
            .link("/usr/lib/systemd/system/x.target.requires/b.service", "../b.service")
            .link("/etc/systemd/system/other-name-of-c.service", "/usr/lib/systemd/system/c.service")
            .link("/etc/systemd/system/dbus-org.example.service", "d.service")
            .link("/etc/systemd/system/e.service", "/dev/null")
            .file("/etc/systemd/system/g.service", "")
            .link("/etc/systemd/system/display-manager.service", "/usr/lib/systemd/system/h.service")
            .link("/etc/systemd/system/rescue.target.wants/f.service", "x")
            .link(
                "/etc/systemd/system/getty.target.wants/getty@tty1.service",
                "/usr/lib/systemd/system/getty@.service",
            );
        let units = find(&files);
        let enabled: Vec<_> =
            units.files.keys().filter(|u| units.enabled(u) == Ok(true)).map(String::as_str).collect();
        assert_eq!(
            enabled,
            [
                "a.service",
                "b.service",
                "c.service",
                "display-manager.service",
                "getty@.service",
                "h.service",
                "other-name-of-c.service"
            ]
        );
        let started: Vec<_> = units.started().map(|p| p.unit.as_str()).collect();
        assert_eq!(started, ["getty@tty1.service", "a.service", "other-name-of-c.service", "b.service"]);
        assert_eq!(units.canonical("other-name-of-c.service"), "c.service");
        files.deny("/usr/local/lib/systemd/system/x.target.wants");
        let units = find(&files);
        assert_eq!(units.enabled("a.service"), Ok(true));
        assert_eq!(units.enabled("e.service"), Ok(false));
        assert!(matches!(units.enabled("d.service"), Err(Missing::Unreadable(_))));
    }

    #[test]
    fn the_first_directory_of_the_search_path_counts() {
        let mut files = Files::new();
        for dir in [
            "/etc/systemd/system",
            "/run/systemd/system",
            "/usr/local/lib/systemd/system",
            "/usr/lib/systemd/system",
        ] {
            files.file(format!("{dir}/a.service"), "[Unit]\n");
        }
        assert_eq!(find(&files).file("a.service").unwrap().path, "/etc/systemd/system/a.service");
        files.file("/run/systemd/transient/a.service", "[Unit]\n");
        assert_eq!(find(&files).file("a.service").unwrap().path, "/run/systemd/transient/a.service");
        assert!(!find(&Files::new()).any);
    }

    #[test]
    fn a_file_is_read_once() {
        let mut files = Files::new();
        files.file("/a", "x").deny("/b");
        let units = find(&files);
        let text = units.text("/a").unwrap();
        assert!(Arc::ptr_eq(&text, &units.text("/a").unwrap()));
        assert!(matches!(units.text("/b"), Err(Missing::Unreadable(_))));
        assert_eq!(units.text("/c"), Err(Missing::Absent));
    }

    #[test]
    fn links_in_a_circle_have_an_end() {
        let mut files = Files::new();
        files
            .link("/etc/systemd/system/a.service", "b.service")
            .link("/etc/systemd/system/b.service", "a.service");
        assert!(find(&files).canonical("a.service").ends_with(".service"));
    }
}
