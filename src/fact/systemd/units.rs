//! Which units have a file, which file counts, and which drop-ins change it. Only directories and links are read.

use crate::model::Partial;
use crate::record;
use crate::source::{At, Entry, FileKind, Host, Missing, Reading, Reason, Unreadable};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

record! {
    /// A unit that has a file.
    #[derive(Clone, PartialEq)]
    pub struct Unit {
        /// Its name: `nginx.service`, `getty@.service`.
        pub name: String,
        /// Whether it is masked: its file is a link to /dev/null, so that it cannot be started.
        pub masked: bool,
        /// Whether it is started at boot, as far as links tell: one in a directory `*.wants` or `*.requires`, an alias of it in
        /// /etc, or, of a template, one of an instance. What other units' files and generators ask for is not looked at.
        pub enabled: Reading<bool>,
        /// The unit of which it is but another name: its file is a link to that one's. Absent if it is none.
        pub alias_of: Option<String>,
        /// Files that change it, in the order in which they are read.
        pub drop_ins: Vec<At>,
        /// Its file.
        pub at: At,
    }
}

/// The search path of the system manager, systemd.unit(5): the file of the first directory that has one counts.
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

/// How many drop-ins all units may have together; one for all units of a kind counts for each. Honest hosts have some hundred.
const MAX_DROP_INS: usize = 100_000;

const KINDS: [&str; 11] = [
    "service", "socket", "target", "timer", "mount", "automount", "path", "slice", "scope", "swap", "device",
];

/// All units, by name; what could not be listed is said beside them.
pub(super) fn find(host: &Host) -> Partial<Unit> {
    let mut tree = Tree { host, drop_in_dirs: Vec::new(), seen: HashMap::new(), unread: Vec::new() };
    let mut units: BTreeMap<String, Unit> = BTreeMap::new();
    let mut pulled: HashSet<String> = HashSet::new();
    for dir in DIRS {
        // With a merged /usr both names lead to the same directory.
        if dir.starts_with("/lib/")
            && host.source.lstat(Path::new("/lib")).is_ok_and(|s| s.kind == FileKind::Link)
        {
            continue;
        }
        let mut drop_in_dirs = HashSet::new();
        let mut pulling = Vec::new();
        for entry in tree.list(dir) {
            let name = entry.name.to_string_lossy().into_owned();
            if name.ends_with(".d") {
                drop_in_dirs.insert(name);
            } else if name.ends_with(".wants") || name.ends_with(".requires") {
                pulling.push(format!("{dir}/{name}"));
            } else if is_unit(&name) && !units.contains_key(&name) {
                let unit = tree.unit(dir, name, entry.kind);
                units.insert(unit.name.clone(), unit);
            }
        }
        tree.drop_in_dirs.push((dir, drop_in_dirs));
        for dir in pulling {
            let names = tree.list(&dir).into_iter().map(|e| e.name.to_string_lossy().into_owned());
            pulled.extend(names.flat_map(|name| [template(&name), Some(name)]).flatten());
        }
    }
    let mut aliases: HashMap<String, Vec<String>> = HashMap::new();
    for unit in units.values() {
        if let Some(of) = &unit.alias_of {
            aliases.entry(of.clone()).or_default().push(unit.name.clone());
            if unit.at.path.starts_with("/etc/") || pulled.contains(&unit.name) {
                pulled.insert(of.clone());
            }
        }
    }
    let mut items: Vec<Unit> = units.into_values().collect();
    let unlisted = tree.unread.clone();
    let mut count = 0;
    for unit in &mut items {
        unit.enabled = match (pulled.contains(&unit.name), unlisted.first()) {
            // The link may be where nothing could be listed.
            (false, Some(why)) if !unit.masked => Err(Missing::Unreadable(why.clone())),
            (pulled, _) => Ok(pulled && !unit.masked),
        };
        if count > MAX_DROP_INS {
            let what = format!("the drop-ins are not told: the units before it have more than {MAX_DROP_INS}");
            tree.unread.push(Unreadable { path: unit.at.path.clone(), reason: Reason::NotRead(what) });
            break;
        }
        let others = aliases.get(&unit.name).map_or(&[][..], Vec::as_slice);
        unit.drop_ins = tree.drop_ins(&unit.name, others);
        count += unit.drop_ins.len();
    }
    Partial { items, unread: tree.unread }
}

/// The kind of a unit: `service`.
pub(super) fn kind(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, kind)| kind)
}

fn is_unit(name: &str) -> bool {
    KINDS.contains(&kind(name))
}

/// The template of an instance: `getty@.service` of `getty@tty1.service`.
fn template(name: &str) -> Option<String> {
    let (stem, kind) = name.rsplit_once('.')?;
    Some(format!("{}@.{kind}", stem.split_once('@')?.0))
}

struct Tree<'a> {
    host: &'a Host,
    /// The names `*.d` in each directory of the search path.
    drop_in_dirs: Vec<(&'static str, HashSet<String>)>,
    /// The names `*.conf` in each `*.d` directory that was needed.
    seen: HashMap<String, Vec<(String, bool)>>,
    unread: Vec<Unreadable>,
}

impl Tree<'_> {
    fn list(&mut self, dir: &str) -> Vec<Entry> {
        self.keep(self.host.source.list(Path::new(dir)))
    }

    fn keep<T: Default>(&mut self, found: Reading<T>) -> T {
        found.unwrap_or_else(|missing| {
            if let Missing::Unreadable(why) = missing {
                self.unread.push(why);
            }
            T::default()
        })
    }

    fn unit(&mut self, dir: &str, name: String, kind: FileKind) -> Unit {
        let path = format!("{dir}/{name}");
        let link = match kind {
            FileKind::Link => self.keep(self.host.source.read_link(Path::new(&path)).map(Some)),
            _ => None,
        };
        let masked = link.as_deref() == Some(Path::new("/dev/null"));
        let target = link.as_deref().and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned());
        let alias_of = target.filter(|target| !masked && *target != name && is_unit(target));
        Unit { name, masked, enabled: Ok(false), alias_of, drop_ins: Vec::new(), at: At::file(path) }
    }

    /// The drop-ins of a unit, systemd.unit(5): all directories together in the order of the files' names; of files of
    /// one name the one in the directory that comes first counts, and a link to /dev/null in its place removes it.
    fn drop_ins(&mut self, name: &str, aliases: &[String]) -> Vec<At> {
        let kind = kind(name);
        let mut wanted: Vec<String> =
            std::iter::once(name).chain(aliases.iter().map(String::as_str)).flat_map(drop_in_names).collect();
        wanted.dedup();
        let mut found: BTreeMap<String, (String, bool)> = BTreeMap::new();
        let of_unit = self.existing(&wanted);
        // What is for all units of the kind comes last, whatever the directory.
        let of_kind = self.existing(&[format!("{kind}.d")]);
        for dir in of_unit.into_iter().chain(of_kind) {
            for (name, masked) in self.conf_files(&dir) {
                let path = format!("{dir}/{name}");
                found.entry(name).or_insert((path, masked));
            }
        }
        found.into_values().filter(|(_, masked)| !masked).map(|(path, _)| At::file(path)).collect()
    }

    fn existing(&self, names: &[String]) -> Vec<String> {
        let in_dir = |(dir, known): &(&str, HashSet<String>)| -> Vec<String> {
            names.iter().filter(|n| known.contains(*n)).map(|n| format!("{dir}/{n}")).collect()
        };
        self.drop_in_dirs.iter().flat_map(in_dir).collect()
    }

    /// The names of a directory that end in .conf, and whether they are masked.
    fn conf_files(&mut self, dir: &str) -> Vec<(String, bool)> {
        if let Some(known) = self.seen.get(dir) {
            return known.clone();
        }
        let mut names = Vec::new();
        for entry in self.list(dir) {
            let name = entry.name.to_string_lossy().into_owned();
            if name.ends_with(".conf") {
                let link = || self.host.source.read_link(Path::new(&format!("{dir}/{name}")));
                let masked =
                    entry.kind == FileKind::Link && link().is_ok_and(|to| to == Path::new("/dev/null"));
                names.push((name, masked));
            }
        }
        self.seen.insert(dir.to_owned(), names.clone());
        names
    }
}

/// The directories for a unit's drop-ins, the closest first: `a-b@c.service.d`, `a-b@.service.d`, `a-.service.d`.
fn drop_in_names(name: &str) -> Vec<String> {
    let kind = kind(name);
    let stem = name.strip_suffix(kind).and_then(|s| s.strip_suffix('.')).unwrap_or(name);
    let mut names = vec![format!("{name}.d")];
    let mut prefix = stem;
    if let Some((before, instance)) = stem.split_once('@') {
        if !instance.is_empty() {
            names.push(format!("{before}@.{kind}.d"));
        }
        prefix = before;
    }
    while let Some((before, _)) = prefix.trim_end_matches('-').rsplit_once('-') {
        if before.is_empty() {
            break;
        }
        names.push(format!("{before}-.{kind}.d"));
        prefix = before;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    #[test]
    fn links_enable_units_and_masks_disable_them() {
        let mut files = Files::new();
        for unit in ["a", "b", "c", "d", "e", "getty@"] {
            files.file(format!("/usr/lib/systemd/system/{unit}.service"), "");
        }
        files
            .link("/etc/systemd/system/multi-user.target.wants/a.service", "/usr/lib/systemd/system/a.service")
            .link("/usr/lib/systemd/system/x.target.requires/b.service", "../b.service")
            .link("/etc/systemd/system/alias.service", "/usr/lib/systemd/system/c.service")
            .link("/usr/lib/systemd/system/vendor.service", "d.service")
            .link("/etc/systemd/system/e.service", "/dev/null")
            .link("/etc/systemd/system/multi-user.target.wants/e.service", "/usr/lib/systemd/system/e.service")
            .link("/etc/systemd/system/getty.target.wants/getty@tty1.service", "/usr/lib/systemd/system/getty@.service");
        let units = find(&Host::new(files.clone(), Target::root("x"))).items;
        let enabled: Vec<_> = units.iter().filter(|u| u.enabled == Ok(true)).map(|u| u.name.as_str()).collect();
        assert_eq!(enabled, ["a.service", "b.service", "c.service", "getty@.service"]);
        files.deny("/usr/local/lib/systemd/system/x.target.wants");
        let units = find(&Host::new(files, Target::root("x"))).items;
        let enabled = |name: &str| units.iter().find(|u| u.name == name).unwrap().enabled.clone();
        assert_eq!((enabled("a.service"), enabled("e.service")), (Ok(true), Ok(false)));
        assert!(matches!(enabled("d.service"), Err(Missing::Unreadable(_))));
    }

    #[test]
    fn drop_ins_are_looked_for_closest_first() {
        assert_eq!(drop_in_names("nginx.service"), ["nginx.service.d"]);
        assert_eq!(
            drop_in_names("a-b-c@x-y.service"),
            ["a-b-c@x-y.service.d", "a-b-c@.service.d", "a-b-.service.d", "a-.service.d"]
        );
        assert_eq!(drop_in_names("getty@.service"), ["getty@.service.d"]);
        assert_eq!(drop_in_names("-.mount"), ["-.mount.d"]);
        assert_eq!(drop_in_names("a--.service"), ["a--.service.d"]);
    }
}
