//! The drop-ins of a unit.

use super::{ConfFiles, DIRS, Units, kind};
use crate::model::Partial;
use crate::source::{At, FileKind, Optional, Reading};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::PoisonError;

impl Units {
    /// The drop-ins of a unit, systemd.unit(5): all directories together in the order of the files' names; of files of
    /// one name the one in the directory that comes first counts, and a link to /dev/null in its place removes it.
    pub fn drop_ins(&self, name: &str) -> Partial<At> {
        let mut unread = Vec::new();
        let mut wanted: Vec<String> = std::iter::once(name)
            .chain(self.aliases(name).iter().map(String::as_str))
            .flat_map(directories)
            .collect();
        wanted.dedup();
        let mut found: BTreeMap<String, (String, bool)> = BTreeMap::new();
        let of_unit = self.existing(&wanted);
        // What is for all units of the kind comes last, whatever the directory.
        let of_kind = self.existing(&[format!("{}.d", kind(name))]);
        for dir in of_unit.into_iter().chain(of_kind) {
            if let Some(names) = self.conf_files(&dir).noted(&mut unread) {
                for (name, masked) in names {
                    let path = format!("{dir}/{name}");
                    found.entry(name).or_insert((path, masked));
                }
            }
        }
        let items =
            found.into_values().filter(|(_, masked)| !masked).map(|(path, _)| At::file(path)).collect();
        Partial { items, unread }
    }

    fn existing(&self, names: &[String]) -> Vec<String> {
        let dirs = |name: &String| self.drop_in_dirs.get(name).into_iter().flatten();
        let mut found: Vec<_> =
            names.iter().flat_map(|name| dirs(name).map(move |dir| (dir, name))).collect();
        // Of one directory those of the closest name come first.
        found.sort_by_key(|(dir, _)| DIRS.iter().position(|known| known == *dir));
        found.into_iter().map(|(dir, name)| format!("{dir}/{name}")).collect()
    }

    /// The names of a directory that end in .conf, and whether they are masked.
    fn conf_files(&self, dir: &str) -> Reading<ConfFiles> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = seen.get(dir) {
            return known.clone();
        }
        let found = self.host.source.list(Path::new(dir)).map(|entries| {
            let names =
                entries.into_iter().map(|entry| (entry.name.to_string_lossy().into_owned(), entry.kind));
            let names = names.filter(|(name, _)| name.ends_with(".conf"));
            let masked = |name: &str, kind| {
                let link = || self.host.source.read_link(Path::new(&format!("{dir}/{name}")));
                kind == FileKind::Link && link().is_ok_and(|to| to == Path::new("/dev/null"))
            };
            names
                .map(|(name, kind)| {
                    let masked = masked(&name, kind);
                    (name, masked)
                })
                .collect()
        });
        seen.insert(dir.to_owned(), Reading::clone(&found));
        found
    }
}

/// The directories for a unit's drop-ins, the closest first: `a-b@c.service.d`, `a-b@.service.d`, `a-.service.d`.
fn directories(name: &str) -> Vec<String> {
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
    use crate::source::{Files, Host, Target};

    #[test]
    fn drop_ins_are_looked_for_closest_first() {
        assert_eq!(directories("nginx.service"), ["nginx.service.d"]);
        assert_eq!(
            directories("a-b-c@x-y.service"),
            ["a-b-c@x-y.service.d", "a-b-c@.service.d", "a-b-.service.d", "a-.service.d"]
        );
        assert_eq!(directories("getty@.service"), ["getty@.service.d"]);
        assert_eq!(directories("-.mount"), ["-.mount.d"]);
        assert_eq!(directories("a--.service"), ["a--.service.d"]);
    }

    #[test]
    fn a_directory_of_drop_ins_that_is_denied_is_told() {
        let mut files = Files::new();
        files.file("/usr/lib/systemd/system/a.service", "[Unit]\n").deny("/etc/systemd/system/a.service.d");
        let units = Units::find(Host::new(files, Target::root("x")));
        let found = units.drop_ins("a.service");
        assert_eq!((found.items.len(), found.unread.len()), (0, 1));
    }
}
