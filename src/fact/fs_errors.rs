//! Errors that file systems have met and remember.

use super::Fact;
use crate::model::Partial;
use crate::source::{At, Host, Missing, Reading, Reason};
use crate::{record, word};

record! {
    /// The counts of errors that mounted file systems keep on disk: ext4 in its superblock, since the last fsck; btrfs for
    /// each of its devices, until somebody resets them.
    ///
    /// ```text
    /// /sys/fs/ext4/vda1/errors_count       3
    /// /sys/fs/ext4/vda1/first_error_time   1700000000
    /// /sys/fs/ext4/vda1/last_error_func    ext4_lookup
    /// /sys/fs/btrfs/0abb23a9-…/devinfo/1/error_stats   write_errs 0
    ///                                                  read_errs 2
    ///                                                  …
    /// ```
    ///
    /// XFS keeps none. Kernels without one of these files tell nothing of what is in it: btrfs has `error_stats` since 5.14.
    /// Source: fs/ext4/sysfs.c, fs/btrfs/sysfs.c, ABI/testing/sysfs-fs-ext4, e2fsck(8), btrfs-device(8). Absent where no
    /// such file system is mounted.
    #[bare(counts)]
    pub struct FsErrors {
        /// The counts, those of 0 too, sorted by path.
        pub counts: Partial<ErrorCount>,
    }
}

record! {
    /// The errors of an ext4 file system, or of a device of a btrfs.
    #[derive(Clone, PartialEq)]
    pub struct ErrorCount {
        /// The kind of file system.
        pub r#type: CountedFs,
        /// ext4: the device's name, `vda1`, `dm-0`. btrfs: the file system's UUID and the device's number in it.
        pub name: String,
        /// Errors: for btrfs the sum of those in `detail`.
        pub errors: u64,
        /// ext4: where the last one was noticed, as the kernel's function and the inode if there is one. btrfs: the
        /// counts that are not 0, `read_errs 2, corruption_errs 1`. Absent without an error, and where the kernel does not say.
        pub detail: Option<String>,
        /// When the first error was met, seconds since 1970; absent without one, and for btrfs.
        pub first_time: Option<u64>,
        /// When the last error was met, seconds since 1970; absent without one, and for btrfs.
        pub last_time: Option<u64>,
        /// `last_time` as UTC date and time: `2024-01-31 06:00:00`.
        pub last_date: Option<String>,
        /// Where it was read.
        pub at: At,
    }
}

word! {
    /// A kind of file system that counts its errors.
    pub enum CountedFs {
        /// ext2 to ext4.
        Ext4 = "ext4",
        /// btrfs.
        Btrfs = "btrfs",
    }
}

const EXT4: &str = "/sys/fs/ext4";
const BTRFS: &str = "/sys/fs/btrfs";

impl Fact for FsErrors {
    const NAME: &'static str = "fs_errors";
    const READS: &'static [&'static str] = &[
        "/sys/fs/ext4/*/{errors_count,first_error_time,last_error_time,last_error_func,last_error_ino}",
        "/sys/fs/btrfs/*/devinfo/*/error_stats",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        let mut counts = Partial::default();
        for name in names(host, EXT4, &mut counts) {
            counts.add(ext4(host, &name).map(Some));
        }
        for uuid in names(host, BTRFS, &mut counts) {
            let folder = format!("{BTRFS}/{uuid}/devinfo");
            for number in names(host, &folder, &mut counts) {
                let path = format!("{folder}/{number}/error_stats");
                counts.add(btrfs(host, &path, format!("{uuid} device {number}")).map(Some));
            }
        }
        match counts.items.is_empty() && counts.unread.is_empty() {
            true => Err(Missing::Absent),
            false => Ok(Self { counts }),
        }
    }
}

/// The names in a folder; that it may not be read is noted.
fn names(host: &Host, folder: &str, counts: &mut Partial<ErrorCount>) -> Vec<String> {
    host.names(folder).unwrap_or_else(|missing| {
        counts.add(Err::<Vec<_>, _>(missing));
        Vec::new()
    })
}

fn ext4(host: &Host, name: &str) -> Reading<ErrorCount> {
    let file = |what: &str| format!("{EXT4}/{name}/{what}");
    let path = file("errors_count");
    let errors = number(&path, &host.read_text(&path)?)?;
    // These only explain the count, and older kernels have fewer of them.
    let other = |what: &str| host.read_text(&file(what)).ok();
    let time = |what: &str| other(what).and_then(|t| t.trim().parse().ok()).filter(|t| *t > 0);
    let last_time = time("last_error_time");
    let function = other("last_error_func").map(|f| f.trim().to_owned()).filter(|f| !f.is_empty());
    let inode = other("last_error_ino").map(|i| i.trim().to_owned()).filter(|i| !i.is_empty() && i != "0");
    let detail = function.map(|function| match inode {
        Some(inode) => format!("{function}, inode {inode}"),
        None => function,
    });
    Ok(ErrorCount {
        r#type: CountedFs::Ext4,
        name: name.to_owned(),
        errors,
        detail,
        first_time: time("first_error_time"),
        last_time,
        last_date: last_time.and_then(date),
        at: At::file(path),
    })
}

fn btrfs(host: &Host, path: &str, name: String) -> Reading<ErrorCount> {
    let text = host.read_text(path)?;
    if text.trim() == "invalid" {
        let why = "the kernel has not read its counts yet";
        return Err(Missing::unreadable(path, Reason::NotRead(why.into())));
    }
    let mut found = Vec::new();
    for line in text.lines() {
        let (what, count) =
            line.split_once(' ').ok_or_else(|| Missing::garbled(path, "has a line without a count"))?;
        found.push((what.to_owned(), number(path, count)?));
    }
    let some: Vec<String> =
        found.iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("{what} {n}")).collect();
    Ok(ErrorCount {
        r#type: CountedFs::Btrfs,
        name,
        errors: found.iter().fold(0, |sum, (_, n)| sum.saturating_add(*n)),
        detail: (!some.is_empty()).then(|| some.join(", ")),
        first_time: None,
        last_time: None,
        last_date: None,
        at: At::file(path),
    })
}

fn number(path: &str, text: &str) -> Reading<u64> {
    text.trim().parse().map_err(|_| Missing::garbled(path, format!("`{}` is no count", text.trim())))
}

fn date(seconds: u64) -> Option<String> {
    let time = jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    Some(time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Files, Target};

    fn counts(files: &Files) -> Reading<Partial<ErrorCount>> {
        FsErrors::collect(&Host::new(files.clone(), Target::live())).map(|f| f.counts)
    }

    #[test]
    fn ext4_tells_when_and_where() {
        let mut files = Files::new();
        files.directory("/sys/fs/ext4/features").file("/sys/fs/ext4/dm-0/errors_count", "0\n");
        files.file("/sys/fs/ext4/dm-0/last_error_time", "0\n").file("/sys/fs/ext4/vda1/errors_count", "3\n");
        files
            .file("/sys/fs/ext4/vda1/first_error_time", "1700000000\n")
            .file("/sys/fs/ext4/vda1/last_error_time", "1706680800\n");
        files
            .file("/sys/fs/ext4/vda1/last_error_func", "ext4_lookup\n")
            .file("/sys/fs/ext4/vda1/last_error_ino", "12\n");
        let found = counts(&files).unwrap();
        let [clean, bad] = found.items.as_slice() else { panic!("{found:?}") };
        assert_eq!((clean.errors, clean.last_date.clone(), clean.detail.clone()), (0, None, None));
        assert_eq!((bad.errors, bad.first_time), (3, Some(1_700_000_000)));
        assert_eq!(bad.last_date.as_deref(), Some("2024-01-31 06:00:00"));
        assert_eq!(bad.detail.as_deref(), Some("ext4_lookup, inode 12"));
    }

    #[test]
    fn btrfs_tells_for_each_device() {
        let mut files = Files::new();
        let stats = |n: u32| {
            format!(
                "write_errs 0\nread_errs {n}\nflush_errs 0\ncorruption_errs {}\ngeneration_errs 0\n",
                n / 2
            )
        };
        files
            .file("/sys/fs/btrfs/0abb/devinfo/1/error_stats", stats(0))
            .file("/sys/fs/btrfs/0abb/devinfo/2/error_stats", stats(2));
        files
            .file("/sys/fs/btrfs/0abb/devinfo/3/error_stats", "invalid\n")
            .file("/sys/fs/btrfs/features/x", "1");
        let found = counts(&files).unwrap();
        assert_eq!((found.items[0].errors, found.items[1].errors), (0, 3));
        assert_eq!(found.items[1].name, "0abb device 2");
        assert_eq!(found.items[1].detail.as_deref(), Some("read_errs 2, corruption_errs 1"));
        assert_eq!(found.unread.len(), 1);
    }

    #[test]
    fn none_denied_and_garbage_are_three_things() {
        assert!(matches!(counts(&Files::new()), Err(Missing::Absent)));
        let mut files = Files::new();
        files.directory("/sys/fs/ext4/features");
        assert!(matches!(counts(&files), Err(Missing::Absent)));
        files.file("/sys/fs/ext4/a/errors_count", "\0\u{fffd}").deny("/sys/fs/ext4/b/errors_count");
        files.file("/sys/fs/btrfs/u/devinfo/1/error_stats", "write_errs\n");
        let found = counts(&files).unwrap();
        assert_eq!((found.items.len(), found.unread.len()), (0, 3));
    }
}
