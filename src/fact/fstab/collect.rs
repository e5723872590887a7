//! Gathering [`Fstab`].

use super::parse::entry_of;
use super::{Fstab, FstabEntry, FstabPart, parse};
use crate::fact::Fact;
use crate::format::device_path;
use crate::model::Lazy;
use crate::source::{At, FileKind, Host, Missing, Optional, Reading, Reason, TargetKind, resolve, text};
use std::path::Path;
use std::sync::Arc;

const PATH: &str = "/etc/fstab";

/// An entry takes some hundred times its line in memory; a table of a thousand mounts has some 150 KiB.
const CAP: u64 = 512 << 10;

/// Where systemd-fstab-generator(8) is, with and without a merged /usr.
const GENERATOR: [&str; 2] = [
    "/usr/lib/systemd/system-generators/systemd-fstab-generator",
    "/lib/systemd/system-generators/systemd-fstab-generator",
];

/// What other init systems have, and systemd installs too at times: asked only where the generator is not there.
const OTHER_INIT: [&str; 4] = ["/sbin/init", "/sbin/openrc-run", "/etc/inittab", "/etc/runit/2"];

impl Fact for Fstab {
    const NAME: &'static str = "fstab";
    const READS: &'static [&'static str] = &[PATH, "/proc/partitions", "the devices of a disk image"];

    fn collect(host: &Host) -> Reading<Self> {
        let (mut entries, mut lines) = parse(PATH, &host.source.read(Path::new(PATH), CAP).map(text)?);
        let host = Arc::new(host.clone());
        for entry in &mut entries {
            look(&host, entry);
        }
        // A helper that serves the type makes it a type of its own, however it is spelt.
        for line in &mut lines {
            let Some(entry) = entry_of(&entries, line.line).and_then(|at| entries.get(at)) else { continue };
            line.faults.retain(|fault| fault.part != FstabPart::Type || !has_helper(&host, &entry.r#type));
        }
        let by_systemd = Lazy::new(move || by_systemd(&host));
        Ok(Self { entries, lines, by_systemd, at: At::file(PATH) })
    }
}

/// Who mounts: systemd where its generator is, else the init system that there is. A tree that holds only some
/// of a system's files, as sosreports do, may show neither.
fn by_systemd(host: &Host) -> Reading<bool> {
    if any_exists(host, &GENERATOR)? {
        return Ok(true);
    }
    if any_exists(host, &OTHER_INIT)? {
        return Ok(false);
    }
    let why = "which init system mounts the entries is not to be seen here".to_owned();
    Err(Missing::unreadable("/sbin/init", Reason::NotRead(why)))
}

fn any_exists(host: &Host, paths: &[&str]) -> Reading<bool> {
    for path in paths {
        if host.exists(path)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_helper(host: &Host, fs_type: &str) -> bool {
    ["/sbin", "/usr/sbin"].iter().any(|dir| host.exists(&format!("{dir}/mount.{fs_type}")) == Ok(true))
}

/// Gives an entry the means to look at its device and mount point when asked.
fn look(host: &Arc<Host>, entry: &mut FstabEntry) {
    if let Some(path) = entry.spec_path.clone() {
        let host = host.clone();
        entry.spec_exists = Lazy::new(move || device_path::exists(&host, &path));
    }
    if entry.mount_point.starts_with('/') {
        // The root of a network file system is not touched: where its server does not answer, neither does a stat.
        let away = is_live(host) && (entry.network || entry.automount);
        let (at, point) = (host.clone(), entry.mount_point.clone());
        entry.mount_point_real =
            Lazy::new(move || match resolve(at.source.as_ref(), Path::new(&point), !away) {
                // Nothing on the way there: then no link is, either.
                Err(Missing::Absent) => Ok(point.clone()),
                found => found.map(|p| p.to_string_lossy().into_owned()),
            });
        let (at, point) = (host.clone(), entry.mount_point.clone());
        entry.mount_point_exists = Lazy::new(move || Ok(kind(&at, &point, away)?.is_some()));
        let (at, point) = (host.clone(), entry.mount_point.clone());
        entry.mount_point_is_directory =
            Lazy::new(move || Ok(kind(&at, &point, away)?.ok_or(Missing::Absent)? == FileKind::Directory));
    }
}

/// A running host, or what was captured of one.
fn is_live(host: &Host) -> bool {
    host.target.kind == TargetKind::Live
}

/// What is at a mount point, if anything.
fn kind(host: &Host, path: &str, away: bool) -> Reading<Option<FileKind>> {
    if away {
        let why = "not looked at, because a network file system may not answer".to_owned();
        return Err(Missing::unreadable(path, Reason::NotRead(why)));
    }
    Ok(host.source.stat(Path::new(path)).optional()?.map(|stat| stat.kind))
}
