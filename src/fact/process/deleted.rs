//! Files that have been deleted, but take up a disk as long as a process has them open.

use super::place::{Place, garbled};
use super::summary;
use crate::format::fs_type::{PSEUDO, is_remote};
use crate::format::key_value::KeyValues;
use crate::format::mountinfo::{Mounted, mountinfo};
use crate::record;
use crate::source::{FileKind, Missing, Optional, Reading, Reason};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

record! {
    /// Deleted files that a process has open, on the disks of this host.
    ///
    /// Each file is told of at one process only, the first that has it open. Files in memory (tmpfs, memfd, shared memory) and on other
    /// hosts are left out, and so are those that are only mapped.
    #[derive(Clone, PartialEq, Default)]
    pub struct DeletedFiles {
        /// How many. Of a process with very many descriptors only those of the sample, as in `fds`.
        pub files: u64,
        /// What they take on disk, in bytes.
        pub bytes: u64,
        /// The path that the largest of them had, as the process saw it; absent if there is none.
        pub largest: Option<String>,
        /// What the largest takes on disk, in bytes.
        pub largest_bytes: u64,
        /// The mount point that the largest is below, as the process sees it.
        pub mount_point: Option<String>,
    }
}

/// Descriptors of one process that are asked for their size.
const MOST: usize = 10_000;

/// The deleted files of all processes, gathered when the first is asked for.
#[derive(Debug)]
pub(super) struct Deleted {
    places: Arc<[Arc<Place>]>,
    found: OnceLock<HashMap<u32, Reading<DeletedFiles>>>,
}

impl Deleted {
    pub(super) fn new(places: Arc<[Arc<Place>]>) -> Self {
        Self { places, found: OnceLock::new() }
    }

    /// Those of one process.
    pub(super) fn of(&self, pid: u32) -> Reading<DeletedFiles> {
        let gather = || {
            Place::look_at_all(&self.places);
            let mut seen = HashSet::new();
            let held = self.places.iter().map(|place| (place.pid, held(place, &mut seen)));
            // Nearly all hold none; these need no room.
            let mut found: HashMap<_, _> =
                held.filter(|(_, held)| held.as_ref().map_or(true, |held| held.files > 0)).collect();
            one_reason_for_all(&mut found, self.places.len());
            found
        };
        self.found.get_or_init(gather).get(&pid).cloned().unwrap_or_else(|| Ok(DeletedFiles::default()))
    }
}

/// Makes what was denied of many processes one reason, as those who are not root meet it for nearly all.
fn one_reason_for_all(found: &mut HashMap<u32, Reading<DeletedFiles>>, processes: usize) {
    let denied = |held: &Reading<DeletedFiles>| match held {
        Err(Missing::Unreadable(why)) if why.reason == Reason::Denied => Some(why.clone()),
        _ => None,
    };
    let Some(why) = summary("fd", found.values().filter_map(denied).collect(), processes) else { return };
    for held in found.values_mut().filter(|held| denied(held).is_some()) {
        *held = Err(Missing::Unreadable(why.clone()));
    }
}

/// A file: the device of its file system and its number there; on kernels that do not tell the number, path and size.
type Identity = (String, String);

fn held(place: &Place, seen: &mut HashSet<Identity>) -> Reading<DeletedFiles> {
    let mut found = DeletedFiles::default();
    let deleted = &place.look()?.deleted;
    if deleted.is_empty() {
        return Ok(found);
    }
    if !place.kernel {
        let what = "a copy of /proc does not tell how large deleted files are";
        return Err(Missing::unreadable(place.path("fd"), Reason::NotRead(what.to_owned())));
    }
    let mounts = mountinfo(&place.text("mountinfo")?).0;
    for (number, path) in deleted.iter().take(MOST) {
        // Absent: closed meanwhile, or nothing that is on a disk.
        let Some((file, bytes)) = on_disk(place, number, path, &mounts).optional()? else { continue };
        if !seen.insert(file.identity) {
            continue;
        }
        found.files += 1;
        found.bytes = found.bytes.saturating_add(bytes);
        if bytes > found.largest_bytes || found.largest.is_none() {
            found.largest = Some(path.clone());
            found.largest_bytes = bytes;
            found.mount_point = Some(file.mount_point);
        }
    }
    Ok(found)
}

struct File {
    identity: Identity,
    mount_point: String,
}

/// The file behind a descriptor, and what it takes of a disk of this host; absent if it is on none.
///
/// What is mounted tells that before the file itself is asked: a server, or a program that serves a file system, may not answer.
fn on_disk(place: &Place, number: &str, path: &str, mounts: &[Mounted]) -> Reading<(File, u64)> {
    let info_path = place.path(&format!("fdinfo/{number}"));
    let info = place.text(&format!("fdinfo/{number}"))?;
    let info = KeyValues::new(&info_path, &info, ':');
    // Linux 3.15 has it, and so have older kernels of Red Hat.
    let id = garbled(&info_path, info.count("mnt_id").ok())?;
    let Some((mount, detail)) =
        mounts.iter().filter_map(|m| Some((m, m.detail.as_ref()?))).find(|(_, detail)| detail.id == id)
    else {
        // Memory: memfd and shared memory are on mounts of the kernel's own. Or a mount that has been let go.
        return Err(Missing::Absent);
    };
    let name = mount.fs_type.as_str();
    let stacked = matches!(name, "overlay" | "overlayfs" | "aufs" | "unionfs");
    if (PSEUDO.contains(&name) && !stacked)
        || name.starts_with("fuse")
        || name == "9p"
        || name == "virtiofs"
        || is_remote(name, &mount.source)
    {
        return Err(Missing::Absent);
    }
    let stat = place.source.stat(Path::new(&place.path(&format!("fd/{number}"))))?;
    if stat.kind != FileKind::File {
        return Err(Missing::Absent);
    }
    let inode = info.get("ino").map(|pair| pair.value.to_owned());
    let inode = inode.unwrap_or_else(|_| format!("{path}:{}", stat.size));
    let identity = (detail.device.clone(), inode);
    Ok((File { identity, mount_point: mount.mount_point.clone() }, stat.allocated))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{list, stat_of};
    use super::*;
    use crate::source::Files;

    /// A process with a deleted file of so many bytes in each of these descriptors.
    fn holder(files: &mut Files, pid: u32, fds: &[(u32, &str, u64, &str)]) {
        files.file(format!("/proc/{pid}/stat"), stat_of(pid, "app", 1));
        let mounts = "29 1 252:1 / / rw - ext4 /dev/vda1 rw\n30 29 0:22 / /dev/shm rw - tmpfs tmpfs rw\n\
            31 29 0:50 / /net rw - nfs4 nas:/x rw\n32 29 0:60 / /ov rw - overlay overlay rw\n";
        files.file(format!("/proc/{pid}/mountinfo"), mounts);
        for (fd, path, size, info) in fds {
            let gone = format!("{path} (deleted)");
            files.link(format!("/proc/{pid}/fd/{fd}"), &gone).file(&gone, "").size(&gone, *size);
            files.file(format!("/proc/{pid}/fdinfo/{fd}"), format!("pos:\t0\nflags:\t0100000\n{info}"));
        }
    }

    fn found(files: &Files) -> Vec<(u64, u64, Option<String>)> {
        let all = list(files).items;
        all.iter().map(|p| p.deleted.get().unwrap()).map(|d| (d.files, d.bytes, d.largest.clone())).collect()
    }

    #[test]
    fn files_on_disks_are_counted_and_those_in_memory_or_elsewhere_are_not() {
        let mut files = Files::new();
        holder(
            &mut files,
            7,
            &[
                (3, "/var/log/a", 1000, "mnt_id:\t29\nino:\t5\n"),
                (4, "/var/log/b", 3000, "mnt_id:\t29\nino:\t6\n"),
                (5, "/dev/shm/c", 9000, "mnt_id:\t30\nino:\t7\n"),
                (6, "/net/d", 9000, "mnt_id:\t31\nino:\t8\n"),
                (7, "/SYSV00000000", 9000, "mnt_id:\t14\nino:\t9\n"),
                (8, "/ov/e", 500, "mnt_id:\t32\nino:\t10\n"),
            ],
        );
        assert_eq!(found(&files), [(3, 4500, Some("/var/log/b".to_owned()))]);
    }

    #[test]
    fn a_file_that_several_have_open_is_told_of_once() {
        let mut files = Files::new();
        let same = "mnt_id:\t29\nino:\t5\n";
        holder(&mut files, 7, &[(3, "/a", 1000, same), (4, "/a", 1000, same)]);
        holder(&mut files, 8, &[(3, "/a", 1000, same)]);
        holder(&mut files, 9, &[(3, "/a", 1000, "mnt_id:\t29\nino:\t6\n")]);
        // Without the number of the inode path and size must do.
        holder(&mut files, 10, &[(3, "/b", 70, "mnt_id:\t29\n"), (4, "/b", 70, "mnt_id:\t29\n")]);
        let counts: Vec<_> = found(&files).into_iter().map(|(count, ..)| count).collect();
        assert_eq!(counts, [1, 0, 1, 1]);
    }

    #[test]
    fn a_directory_or_a_terminal_is_no_file_of_some_size() {
        let mut files = Files::new();
        holder(&mut files, 7, &[]);
        files.link("/proc/7/fd/3", "/tmp/x (deleted)").directory("/tmp/x (deleted)");
        files.file("/proc/7/fdinfo/3", "mnt_id:\t29\n");
        assert_eq!(found(&files), [(0, 0, None)]);
    }

    #[test]
    fn what_is_denied_of_many_is_one_reason() {
        let mut files = Files::new();
        for pid in 7..10 {
            holder(&mut files, pid, &[]);
            files.deny(format!("/proc/{pid}/fd"));
        }
        for process in list(&files).items {
            let Err(Missing::Unreadable(why)) = process.deleted.get() else { panic!("{}", process.pid) };
            assert_eq!(why.to_string(), "/proc/PID/fd: permission denied for 3 of 3 processes");
        }
    }

    #[test]
    fn what_is_denied_is_unreadable() {
        let mut files = Files::new();
        holder(&mut files, 7, &[(3, "/a", 1000, "mnt_id:\t29\n")]);
        holder(&mut files, 8, &[(3, "/b", 1000, "no such thing\n")]);
        holder(&mut files, 9, &[]);
        files.deny("/proc/7/fdinfo/3").deny("/proc/9/fd");
        for process in list(&files).items {
            assert!(matches!(process.deleted.get(), Err(Missing::Unreadable(_))), "{}", process.pid);
        }
    }
}
