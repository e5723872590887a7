//! How full the mounted file systems are.

mod choose;
mod printed;

#[cfg(test)]
mod tests;

use super::Fact;
use crate::format::mountinfo;
use crate::source::{At, Host, Missing, Reading, Reason, Space, Unreadable};
use crate::{record, word};
use choose::Chosen;
use printed::Printed;
use std::path::Path;

record! {
    /// The mounted file systems that hold files, each once, and how full they are: what df(1) shows, as far as it is
    /// worth a thought.
    ///
    /// ```text
    /// /proc/self/mountinfo   25 1 252:1 / / rw,relatime - ext4 /dev/vda1 rw,errors=remount-ro
    /// statvfs("/")           f_frsize 4096, f_blocks 10288203, f_bfree 512000, f_bavail 0, f_files 2621440, f_ffree 81
    /// ```
    ///
    /// Left out are those of the kernel's own (proc, sysfs, cgroup2, efivarfs, …), unknown types that have no block
    /// device, mounts that another hides, and overlays but for the one at `/`: they show what their upper
    /// directory's file system shows. One that is mounted several times is told of once, at `/` if it is there, else
    /// where its own root is, else at the shortest path; ZFS data sets that share a pool's room are one.
    ///
    /// File systems on other hosts and those in user space (FUSE) are listed, but are not asked how full they are,
    /// and nothing below them is: the question can hang for as long as a server does not answer.
    ///
    /// Source: proc_pid_mountinfo(5), statvfs(3), df(1). Absent where no kernel runs; unreadable in a tree of files, which
    /// does not tell how full its file systems were.
    #[bare(list)]
    pub struct Filesystems {
        /// The file systems, in the order in which they were mounted.
        pub list: Vec<FileSystem>,
        /// Where the mounts were read.
        pub at: At,
    }
}

record! {
    /// A mounted file system, and how full it is.
    ///
    /// What is not asked because it can hang is unreadable.
    pub struct FileSystem {
        /// Where it is mounted, decoded.
        pub mount_point: String,
        /// What is mounted: `/dev/vda1`, `tmpfs`, `nas:/export`.
        pub source: String,
        /// File system type, with its subtype: `ext4`, `fuse.sshfs`.
        pub r#type: String,
        /// Where it keeps its files.
        pub kind: FileSystemKind,
        /// Whether the file system itself is read-only, not only a mount of it: it cannot fill.
        pub read_only: bool,
        /// Size in bytes.
        pub size_bytes: Reading<u64>,
        /// Bytes in use.
        pub used_bytes: Reading<u64>,
        /// Bytes that everybody may still use; what is reserved for root (5 % on ext4, by default) is not among them.
        pub available_bytes: Reading<u64>,
        /// Used, in percent of used and available, as df(1) counts it: 100 when only the reserve is left. df shows it
        /// rounded up. Absent where the size is 0.
        pub used_percent: Reading<f64>,
        /// Inodes, used and free: one for each file. Absent where they are not counted (btrfs, vfat).
        pub inodes: Reading<u64>,
        /// Inodes in use; absent where they are not counted.
        pub inodes_used: Reading<u64>,
        /// Inodes that are free; absent where they are not counted.
        pub inodes_free: Reading<u64>,
        /// Inodes in use, in percent; absent where they are not counted.
        pub inodes_used_percent: Reading<f64>,
        /// The line of the mount.
        pub at: At,
    }
}

word! {
    /// Where a file system keeps its files.
    pub enum FileSystemKind {
        /// On this host's disks, or in a pool of them. The root of a container is, too.
        Disk = "disk",
        /// In memory and swap: tmpfs.
        Memory = "memory",
        /// In an image that was made full and stays so: squashfs, iso9660, erofs.
        Image = "image",
        /// On another host, or on the host of this guest: nfs, cifs, 9p.
        Network = "network",
        /// A program's (FUSE): anywhere.
        User = "user",
    }
}

impl Fact for Filesystems {
    const NAME: &'static str = "filesystems";
    const READS: &'static [&'static str] = &[
        "/proc/self/mountinfo",
        "/proc/1/mountinfo",
        "/proc/self/mounts",
        "/proc/1/mounts",
        "/proc/mounts",
        "statvfs(3)",
        "/sos_commands/filesys/df_*",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let (path, text) = mountinfo::read(host)?;
        let printed = Printed::read(host).unwrap_or_default();
        let asked = choose::choose(mountinfo::parse(path, &text).0)
            .into_iter()
            .map(|chosen| {
                let space = ask(host, &chosen, &printed);
                (chosen, space)
            })
            .collect::<Vec<_>>();
        if let Some(untold) = untold(&asked) {
            return Err(untold);
        }
        let list = choose::once(asked).into_iter().map(|(c, space)| {
            let untold = printed.space(&c.mount.mount_point).is_some_and(|(_, inodes)| !inodes);
            let mut found = file_system(path, c, &space);
            if untold {
                let not_told = || Err(Missing::unreadable(&found.mount_point, Reason::NotCollected));
                let [all, used, free] = [(); 3].map(|()| not_told());
                let percent = not_told().map(|_: u64| 0.0);
                (found.inodes, found.inodes_used, found.inodes_free) = (all, used, free);
                found.inodes_used_percent = percent;
            }
            found
        });
        let list = list.collect();
        Ok(Self { list, at: At::file(path) })
    }
}

fn ask(host: &Host, chosen: &Chosen, printed: &Printed) -> Reading<Space> {
    let not_asked = |why: &str| {
        Err(Missing::unreadable(&chosen.mount.mount_point, Reason::NotRead(format!("not asked: {why}"))))
    };
    match chosen.kind {
        FileSystemKind::Network => not_asked("a network file system can hang"),
        FileSystemKind::User => not_asked("a file system in user space can hang"),
        _ if chosen.below_remote => not_asked("it is mounted on a file system that can hang"),
        _ => match (
            printed.space(&chosen.mount.mount_point),
            host.source.statvfs(Path::new(&chosen.mount.mount_point)),
        ) {
            (Some((space, _)), Err(_)) => Ok(space),
            (_, asked) => asked,
        },
    }
}

/// Why none of those that should be told of can be: a tree of files does not know.
fn untold(asked: &[(Chosen, Reading<Space>)]) -> Option<Missing> {
    let mut local = asked.iter().filter(|(c, _)| {
        !c.below_remote && !matches!(c.kind, FileSystemKind::Network | FileSystemKind::User)
    });
    let not_read = |space: &Reading<Space>| match space {
        Err(missing @ Missing::Unreadable(Unreadable { reason: Reason::NotRead(_), .. })) => {
            Some(missing.clone())
        }
        _ => None,
    };
    let first = not_read(&local.next()?.1)?;
    local.all(|(_, space)| not_read(space).is_some()).then_some(first)
}

fn file_system(path: &str, chosen: Chosen, space: &Reading<Space>) -> FileSystem {
    let of = |value: fn(&Space) -> u64| space.as_ref().map(value).map_err(Clone::clone);
    let inodes = |value: fn(&Space) -> u64| match space {
        Ok(space) if space.files == 0 => Err(Missing::Absent),
        _ => of(value),
    };
    let used = |space: &Space| space.size.saturating_sub(space.free);
    let inodes_used = |space: &Space| space.files.saturating_sub(space.files_free);
    FileSystem {
        size_bytes: of(|s| s.size),
        used_bytes: of(used),
        available_bytes: of(|s| s.available),
        used_percent: of(used).and_then(|used| Ok((used, of(|s| s.available)?))).and_then(percent),
        inodes: inodes(|s| s.files),
        inodes_used: inodes(inodes_used),
        inodes_free: inodes(|s| s.files_free),
        inodes_used_percent: inodes(inodes_used)
            .and_then(|used| Ok((used, inodes(|s| s.files_free)?)))
            .and_then(percent),
        read_only: chosen.read_only(),
        kind: chosen.kind,
        at: At::line(path, chosen.mount.line),
        mount_point: chosen.mount.mount_point,
        source: chosen.mount.source,
        r#type: chosen.mount.fs_type,
    }
}

/// What is used of what is used and free; absent where there is nothing at all.
fn percent((used, free): (u64, u64)) -> Reading<f64> {
    match used.saturating_add(free) {
        0 => Err(Missing::Absent),
        whole => Ok(used as f64 * 100.0 / whole as f64),
    }
}
