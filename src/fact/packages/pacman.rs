//! pacman's database: a directory for each package, with `desc` and `files`.

use super::{CAP, File, Look, Manager, Package, Read};
use crate::source::{At, Host, Missing, Reading, text};
use globset::{Glob, GlobSet, GlobSetBuilder};
use std::collections::HashSet;
use std::path::Path;

const LOCAL: &str = "/var/lib/pacman/local";

pub(super) fn read(host: &Host, look: &mut Look) -> Reading<Read> {
    let names = host.names(LOCAL)?;
    let not_extracted = not_extracted(&host.read_text("/etc/pacman.conf").unwrap_or_default());
    let mut installed = 0;
    for directory in &names {
        // name-version-release
        let mut parts = directory.rsplitn(3, '-');
        let (Some(release), Some(version), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        installed += 1;
        if !look.wants(name) {
            continue;
        }
        let path = format!("{LOCAL}/{directory}/files");
        match host.source.read(Path::new(&path), CAP).map(text) {
            Ok(list) => {
                let mut files = files(&list);
                files.retain(|file| !not_extracted.is_match(file.path.trim_start_matches('/')));
                let version = format!("{version}-{release}");
                look.package(Package { name: name.to_owned(), version, at: At::file(path), files });
            }
            Err(Missing::Absent) => {}
            Err(Missing::Unreadable(why)) => look.unread(why),
        }
    }
    Ok((Manager::Pacman, LOCAL.to_owned(), installed))
}

/// The sections `%FILES%`, directories with a slash at the end, and `%BACKUP%`, settings with their sums.
fn files(text: &str) -> Vec<File> {
    let settings: HashSet<&str> = section(text, "%BACKUP%").collect();
    let files = section(text, "%FILES%").filter(|path| !path.ends_with('/'));
    files
        .map(|path| File { path: format!("/{path}"), is_setting: settings.contains(path), digest: None })
        .collect()
}

/// The first words of the lines of a section, which an empty line ends.
fn section<'a>(text: &'a str, name: &'static str) -> impl Iterator<Item = &'a str> {
    let lines = text.lines().skip_while(move |line| *line != name).skip(1);
    lines.take_while(|line| !line.is_empty()).map(|line| line.split('\t').next().unwrap_or_default())
}

/// What pacman was told not to unpack: pacman.conf(5). What is taken in again with `!` is left out too.
fn not_extracted(text: &str) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for line in text.lines().take(10_000) {
        let Some((key, globs)) = line.split_once('=') else { continue };
        if key.trim() == "NoExtract" {
            for glob in globs.split_ascii_whitespace().filter_map(|glob| Glob::new(glob).ok()) {
                set.add(glob);
            }
        }
    }
    set.build().unwrap_or_else(|_| GlobSet::empty())
}
