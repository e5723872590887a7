//! Held to what Linux itself lists of the same images (fixtures/images/make-extfat), to another reader, and to damage.

use super::*;
use crate::source::bytes::Held;
use crate::source::disk::harness::{Damaged, exhaust, held, image, same_as_listed, walk, words};
use std::io::Read;

/// Every kind of ext2, ext3 and ext4.
const KINDS: [&str; 9] = [
    "ext2",
    "ext3",
    "ext4",
    "ext4-1k",
    "ext4-inline",
    "ext4-2008",
    "ext4-meta-bg",
    "ext4-bigalloc",
    "ext4-casefold",
];

/// Those whose journal is to be replayed.
const UNCLEAN: [&str; 2] = ["ext4-journal", "ext3-journal"];

fn opened(name: &str) -> Arc<dyn FileSystem> {
    open(held(&format!("extfat/{name}.img.zst"))).unwrap()
}

fn list(name: &str) -> String {
    String::from_utf8(image(&format!("extfat/{name}.list.zst"))).unwrap()
}

/// What Linux told with statvfs(3).
fn space(list: &str) -> Space {
    list.lines().find_map(|line| line.strip_prefix("# ")).unwrap().parse().unwrap()
}

#[test]
fn all_is_as_linux_sees_it() {
    for name in KINDS {
        let (fs, list) = (opened(name), list(name));
        same_as_listed(&*fs, &list);
        assert_eq!(fs.space(), Ok(space(&list)), "{name}");
        assert_eq!(fs.stale(), None);
    }
}

#[test]
fn a_journal_is_replayed_in_memory() {
    for name in UNCLEAN {
        let (fs, list) = (opened(name), list(name));
        same_as_listed(&*fs, &list);
        assert_eq!(fs.space(), Ok(space(&list)), "{name}");
        assert_eq!(fs.lstat(Path::new("/etc/hostname")), Err(Missing::Absent), "it was renamed");
    }
}
