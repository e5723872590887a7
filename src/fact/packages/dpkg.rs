//! dpkg's database: /var/lib/dpkg, and of distroless images status.d.

use super::{CAP, Digest, File, Look, Manager, Package, Read};
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
    let mut count = |paragraphs: &str, look: &mut Look, lists: &Lists| {
        for paragraph in paragraphs.split("\n\n") {
            let Some(entry) = entry(paragraph) else { continue };
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

/// A package that is installed.
struct Entry<'a> {
    name: &'a str,
    version: &'a str,
    architecture: &'a str,
    settings: Vec<&'a str>,
}

/// A paragraph of the status file (deb-control(5)). None: not installed, or only its settings are left.
fn entry(paragraph: &str) -> Option<Entry<'_>> {
    let field = |name: &str| {
        let mut lines = paragraph.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    };
    // status.d has no such line.
    let state = field("Status").unwrap_or("install ok installed").split_ascii_whitespace().nth(2)?;
    if !["installed", "triggers-awaited", "triggers-pending"].contains(&state) {
        return None;
    }
    let settings = paragraph.split_once("\nConffiles:").map_or("", |(_, rest)| rest);
    let settings = settings.lines().skip(1).take_while(|line| line.starts_with(' '));
    let current = settings.filter_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        // `obsolete`: the package no longer has it; `newconffile`: it never was written.
        let is_current = !words.contains(&"obsolete")
            && !words.contains(&"remove-on-upgrade")
            && words.get(1) != Some(&"newconffile");
        words.first().copied().filter(|path| is_current && path.starts_with('/'))
    });
    Some(Entry {
        name: field("Package").filter(|name| !name.is_empty() && !name.contains('/'))?,
        version: field("Version").unwrap_or_default(),
        architecture: field("Architecture").filter(|name| !name.contains('/')).unwrap_or_default(),
        settings: current.collect(),
    })
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
            files: files(&list, &sums, &entry.settings),
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
    let listed: HashSet<&str> = list.lines().collect();
    for (sum, path) in sums.lines().filter_map(|line| line.split_once("  ")) {
        let path = format!("/{}", path.trim_start_matches("./").trim_start_matches('/'));
        let is_ours = list.is_empty() || listed.contains(path.as_str());
        if is_ours && known.insert(path.clone()) {
            found.push(file(path, false, Some(Digest::Md5(sum.to_owned()))));
        }
    }
    let parents: HashSet<&str> = list.lines().filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
    for path in list.lines().filter(|path| !parents.contains(path)) {
        let (directory, name) = path.rsplit_once('/').unwrap_or_default();
        let is_program = ["/bin", "/sbin", "/usr/bin", "/usr/sbin"].contains(&directory);
        let is_library = directory.contains("/lib") && (name.ends_with(".so") || name.contains(".so."));
        if (is_program || is_library) && known.insert(path.to_owned()) {
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
