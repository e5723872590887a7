//! dpkg's database: /var/lib/dpkg, and of distroless images status.d.

use super::{CAP, Digest, File, Look, Manager, Package, Read, is_judged};
use crate::source::{At, Host, Missing, Optional, Reading, text};
use globset::{Glob, GlobSet, GlobSetBuilder};
use std::collections::{HashMap, HashSet};
use std::path::Path;

const STATUS: &str = "/var/lib/dpkg/status";
const PARTS: &str = "/var/lib/dpkg/status.d";

pub(super) fn read(host: &Host, look: &mut Look) -> Reading<Read> {
    let diversions = diversions(&file(host, "/var/lib/dpkg/diversions").optional()?.unwrap_or_default());
    let excluded = excluded(host);
    let mut installed = 0;
    let mut count = |text: &str, look: &mut Look, lists: &Lists| {
        for entry in entries(text) {
            installed += 1;
            if look.wants(entry.name) {
                match lists.package(host, &entry) {
                    Ok(mut package) => {
                        let diverted = |path: &str| diversions.get(path).is_some_and(|by| by != entry.name);
                        package.files.retain(|f| !diverted(&f.path) && !excluded.is_match(&f.path));
                        look.package(package);
                    }
                    Err(Missing::Absent) => {}
                    Err(Missing::Unreadable(why)) => look.unread(why),
                }
            }
        }
    };
    let mut path = STATUS;
    let status = file(host, STATUS).optional()?;
    if let Some(text) = &status {
        count(text, look, &Lists::Info);
    }
    match host.names(PARTS) {
        Ok(names) => {
            if status.is_none() {
                path = PARTS;
            }
            for name in names.iter().filter(|name| !name.ends_with(".md5sums")) {
                if let Some(text) = file(host, &format!("{PARTS}/{name}")).noted(&mut look.looked_for.unread)
                {
                    count(&text, look, &Lists::Parts(name));
                }
            }
        }
        Err(Missing::Absent) if status.is_some() => {}
        Err(missing) => return Err(missing),
    }
    Ok((Manager::Dpkg, path.to_owned(), installed))
}

fn file(host: &Host, path: &str) -> Reading<String> {
    host.source.read(Path::new(path), CAP).map(text)
}

/// A paragraph of the status file (deb-control(5)), as far as it matters here.
#[derive(Default)]
struct Entry<'a> {
    name: &'a str,
    status: Option<&'a str>,
    version: &'a str,
    architecture: &'a str,
    /// The lines of `Conffiles`.
    settings: Vec<&'a str>,
}

/// The packages that are installed.
fn entries(text: &str) -> Vec<Entry<'_>> {
    let (mut found, mut entry, mut in_settings) = (Vec::new(), Entry::default(), false);
    // The file is as long as all descriptions together: it is gone through once.
    for line in text.lines().chain([""]) {
        if line.is_empty() {
            found.extend(Some(std::mem::take(&mut entry)).filter(Entry::is_installed));
        }
        if line.starts_with(' ') {
            if in_settings {
                entry.settings.push(line);
            }
            continue;
        }
        let field = |name: &str| line.strip_prefix(name).map(str::trim);
        in_settings = line.starts_with("Conffiles:");
        if let Some(value) = field("Package:") {
            entry.name = value;
        } else if let Some(value) = field("Status:") {
            entry.status = Some(value);
        } else if let Some(value) = field("Version:") {
            entry.version = value;
        } else if let Some(value) = field("Architecture:").filter(|value| !value.contains('/')) {
            entry.architecture = value;
        }
    }
    found
}

impl<'a> Entry<'a> {
    /// Not where only its settings are left. Names lead to files of the database, and must not lead out of it.
    fn is_installed(&self) -> bool {
        // status.d has no such line.
        let state = self.status.unwrap_or("install ok installed").split_ascii_whitespace().nth(2);
        let installed =
            state.is_some_and(|state| ["installed", "triggers-awaited", "triggers-pending"].contains(&state));
        installed && !self.name.is_empty() && !self.name.contains('/')
    }

    /// The paths of its settings.
    fn settings(&self) -> Vec<&'a str> {
        let current = self.settings.iter().filter_map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            // `obsolete`: the package no longer has it; `newconffile`: it never was written.
            let is_current = !words.contains(&"obsolete")
                && !words.contains(&"remove-on-upgrade")
                && words.get(1) != Some(&"newconffile");
            words.first().copied().filter(|path| is_current && path.starts_with('/'))
        });
        current.collect()
    }
}

/// Where the files of a package are listed.
enum Lists<'a> {
    Info,
    Parts(&'a str),
}

impl Lists<'_> {
    fn package(&self, host: &Host, entry: &Entry) -> Reading<Package> {
        let (at, list, sums) = match self {
            Self::Parts(name) => {
                let path = format!("{PARTS}/{name}.md5sums");
                let sums = file(host, &path)?;
                (path, String::new(), sums)
            }
            Self::Info => {
                let plain = format!("/var/lib/dpkg/info/{}", entry.name);
                // Those of which several architectures may be installed at once.
                let base = match host.exists(&format!("{plain}.list"))? {
                    true => plain,
                    false => format!("{plain}:{}", entry.architecture),
                };
                let list = file(host, &format!("{base}.list"))?;
                let sums = file(host, &format!("{base}.md5sums")).optional()?.unwrap_or_default();
                (format!("{base}.list"), list, sums)
            }
        };
        Ok(Package {
            files: files(&list, &sums, &entry.settings()),
            name: entry.name.to_owned(),
            version: entry.version.to_owned(),
            at: At::file(at),
        })
    }
}

/// The files of a package. The list has directories and links as well, and does not say which is which; the sums are of
/// regular files only, without settings, and are not told when another package takes a file over. So regular files are
/// what both have, and links are taken from the list where a directory is out of the question.
fn files(list: &str, sums: &str, settings: &[&str]) -> Vec<File> {
    let file = |path: String, is_setting, digest| File { path, is_setting, digest };
    let mut found: Vec<File> = settings.iter().map(|path| file((*path).to_owned(), true, None)).collect();
    let mut known: HashSet<String> = settings.iter().map(|path| (*path).to_owned()).collect();
    // Most are documents and translations, of which nothing is said.
    let listed: HashSet<&str> = list.lines().filter(|path| is_judged(path)).collect();
    for (sum, path) in sums.lines().filter_map(|line| line.split_once("  ")) {
        let path = format!("/{}", path.trim_start_matches("./").trim_start_matches('/'));
        let is_ours = if list.is_empty() { is_judged(&path) } else { listed.contains(path.as_str()) };
        if is_ours && known.insert(path.clone()) {
            found.push(file(path, false, Some(Digest::Md5(sum.to_owned()))));
        }
    }
    let mut parents: HashSet<&str> = HashSet::new();
    let mut last = "";
    for (parent, _) in list.lines().filter_map(|path| path.rsplit_once('/')) {
        // What is in one directory mostly stands together.
        if parent != last {
            parents.insert(parent);
            last = parent;
        }
    }
    for path in list.lines() {
        let (directory, name) = path.rsplit_once('/').unwrap_or_default();
        let is_program = ["/bin", "/sbin", "/usr/bin", "/usr/sbin"].contains(&directory);
        let is_library = directory.contains("/lib") && (name.ends_with(".so") || name.contains(".so."));
        if (is_program || is_library) && !parents.contains(path) && known.insert(path.to_owned()) {
            found.push(file(path.to_owned(), false, None));
        }
    }
    found
}

/// Paths that a package's file is not at because another package put its own there, and which: dpkg-divert(1). A line with
/// the path, one with the new path, one with the package.
fn diversions(text: &str) -> HashMap<String, String> {
    let lines: Vec<&str> = text.lines().collect();
    lines.chunks_exact(3).map(|three| (three[0].to_owned(), three[2].to_owned())).collect()
}

/// What dpkg was told not to unpack: dpkg.cfg(5), whose `*` goes over slashes.
fn excluded(host: &Host) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    let parts = host.names("/etc/dpkg/dpkg.cfg.d").unwrap_or_default();
    let parts = parts.iter().map(|name| format!("/etc/dpkg/dpkg.cfg.d/{name}"));
    for path in parts.chain(["/etc/dpkg/dpkg.cfg".to_owned()]) {
        let text = host.read_text(&path).unwrap_or_default();
        for line in text.lines().take(1_000) {
            let Some(rest) = line.trim().trim_start_matches("--").strip_prefix("path-exclude") else {
                continue;
            };
            let pattern = rest.trim_start_matches(['=', ' ', '\t']).trim_matches(['"', '\'', ' ']);
            if let Ok(glob) = Glob::new(pattern) {
                set.add(glob);
            }
        }
    }
    set.build().unwrap_or_else(|_| GlobSet::empty())
}
