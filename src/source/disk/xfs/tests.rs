use super::*;
use crate::source::bytes::Held;
use crate::source::disk::harness::{Damaged, exhaust, held, image, listing, same_as_listed, words};

/// Holds an image to what the kernel lists of it.
#[track_caller]
fn is_as_the_kernel_lists(name: &str) {
    let xfs = open(held(&format!("xfs/{name}.img.zst"))).unwrap();
    let listed = String::from_utf8(image(&format!("xfs/{name}.listing.zst"))).unwrap();
    same_as_listed(&*xfs, &listed);
    let space = listed.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap();
    assert_eq!(xfs.space().unwrap(), space.parse().unwrap(), "as statvfs(3) tells");
    assert_eq!(xfs.stale(), None);
}

#[test]
fn version_5_is_as_the_kernel_lists_it() {
    is_as_the_kernel_lists("v5");
}

#[test]
fn small_blocks_are_as_the_kernel_lists_them() {
    is_as_the_kernel_lists("v5-1k");
}

#[test]
fn version_4_is_as_the_kernel_lists_it() {
    is_as_the_kernel_lists("v4");
}

#[test]
fn what_was_not_unmounted_is_as_after_its_next_mount() {
    is_as_the_kernel_lists("crashed");
    let mut xfs = Xfs::open(held("xfs/crashed.img.zst")).unwrap();
    let replayed = listing(&xfs);
    assert!(xfs.blocks.replayed.len() > 100);
    xfs.blocks.replayed.clear();
    xfs.directories = Cache::of(Directory::size, 0);
    assert_ne!(listing(&xfs), replayed, "as it would be without the log");
}

#[test]
fn version_4_that_was_not_unmounted_is_unreadable() {
    let error = open(held("xfs/v4-crashed.img.zst")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "it was not unmounted, and the log of an XFS of version 4 cannot be replayed here: mount it once"
    );
}

#[test]
fn what_is_not_there_is_absent_and_what_is_no_directory_has_nothing_in_it() {
    let xfs = open(held("xfs/crashed.img.zst")).unwrap();
    for path in ["/none", "/moved/none", "/link-to-me/x", "/new-link/x", "/none/x", "/null/x"] {
        assert_eq!(xfs.lstat(Path::new(path)), Err(Missing::Absent), "{path}");
        assert_eq!(xfs.list(Path::new(path)), Err(Missing::Absent), "{path}");
        assert_eq!(xfs.read_at(Path::new(path), 0, 1), Err(Missing::Absent), "{path}");
        assert_eq!(xfs.read_link(Path::new(path)), Err(Missing::Absent), "{path}");
    }
    for (found, kind) in [
        (xfs.list(Path::new("/link-to-me")).map(|_| ()), "is a regular file"),
        (xfs.read_at(Path::new("/moved"), 0, 1).map(|_| ()), "is a directory"),
        (xfs.read_at(Path::new("/new-link"), 0, 1).map(|_| ()), "is a symbolic link"),
        (xfs.read_link(Path::new("/null")).map(|_| ()), "is a character device"),
    ] {
        assert_eq!(words(&found.unwrap_err()), kind);
    }
}

#[test]
fn parts_of_a_file_are_those_of_the_whole() {
    let xfs = open(held("xfs/v5-1k.img.zst")).unwrap();
    let path = Path::new("/very-fragmented");
    let size = xfs.lstat(path).unwrap().size;
    let whole = xfs.read_at(path, 0, usize::try_from(size).unwrap() + 10).unwrap();
    assert_eq!(whole.len() as u64, size);
    for (offset, length) in [(0, 1), (1023, 2), (1024, 1024), (500_000, 77_777), (whole.len() - 3, 100)] {
        let part = xfs.read_at(path, offset as u64, length).unwrap();
        assert_eq!(part, whole[offset..(offset + length).min(whole.len())], "{offset}");
    }
    for past in [size, size + 1, u64::MAX] {
        assert_eq!(xfs.read_at(path, past, 10), Ok(vec![]));
    }
}

/// What a superblock with other bytes at `at` is refused for; its checksum is made right where `v5`.
fn refused(name: &str, at: usize, bytes: &[u8]) -> String {
    let mut image = image(name);
    image[at..at + bytes.len()].copy_from_slice(bytes);
    let sector = usize::from(u16::from_be_bytes([image[102], image[103]]));
    let checksum = checksum::crc32c(&image[..sector], 224);
    image[224..228].copy_from_slice(&checksum.to_le_bytes());
    open(Arc::new(Held(image))).unwrap_err().to_string()
}

#[test]
fn what_is_not_known_is_refused_in_words() {
    for (at, bytes, why) in [
        (0, &b"LABL"[..], "there is no XFS superblock"),
        (100, &[0, 3], "the superblock is of version 3, not of 4 or 5"),
        (16, &[0, 0, 0, 0, 0, 0, 1, 0], "such an XFS cannot be read here: it has a realtime section"),
        (48, &[0; 8], "such an XFS cannot be read here: its log is on another device"),
        (126, &[1], "mkfs.xfs did not finish making it"),
        (216, &[0, 0, 0, 0x1b], "it is marked as damaged: xfs_repair was begun and has not finished"),
        (
            216,
            &[0, 0, 2, 3],
            "such an XFS cannot be read here: it has features that are not known (incompatible features 0x200)",
        ),
        (
            100,
            &[0xf4, 0xb5],
            "such an XFS cannot be read here: its names do not tell small from capital letters",
        ),
        (120, &[63], "the superblock of XFS is damaged: its block size is none"),
        (88, &[0xff; 4], "the superblock of XFS is damaged: its allocation groups do not make up its size"),
        (96, &[0xff; 4], "the superblock of XFS is damaged: its log lies outside"),
        (56, &[0xff; 8], "inode 18446744073709551615 is damaged: it would lie outside the file system"),
    ] {
        assert_eq!(refused("xfs/crashed.img.zst", at, bytes), why);
    }
    let mut image = image("xfs/crashed.img.zst");
    image[130] ^= 1;
    let error = open(Arc::new(Held(image))).unwrap_err();
    assert_eq!(error.to_string(), "the superblock of XFS is damaged: its checksum is wrong");
    let error = open(Arc::new(Held(b"XFSB".to_vec()))).unwrap_err();
    assert_eq!(error.to_string(), "the image ends at byte 4, before the file system does");
}

/// Opens and walks damaged images; how many could be opened, how much of them could be read, and why the rest could not.
fn damage(name: &str, seeds: std::ops::Range<u64>, paths: usize) -> (usize, usize, Vec<String>) {
    let image = Arc::new(image(name));
    let (mut opened, mut values, mut reasons) = (0, 0, Vec::new());
    for seed in seeds {
        let damaged = Arc::new(Damaged::new(&image, seed, 256 << 20));
        match open(damaged.clone()) {
            Ok(xfs) => {
                opened += 1;
                let met = exhaust(&*xfs, paths);
                values += met.values;
                reasons.extend(met.reasons);
            }
            Err(reason) => reasons.push(reason.to_string()),
        }
        assert!(!damaged.overdrawn(), "{}", damaged.done);
    }
    (opened, values, reasons)
}

#[test]
fn damage_of_version_5_is_told() {
    let (opened, values, reasons) = damage("xfs/v5.img.zst", 0..30, 150);
    assert!(opened > 15 && values > 1500 && !reasons.is_empty(), "{opened} {values} {reasons:?}");
}

#[test]
fn damage_of_a_log_that_is_replayed_is_told() {
    let (opened, values, reasons) = damage("xfs/crashed.img.zst", 0..30, 100);
    assert!(opened > 3 && values > 200 && !reasons.is_empty(), "{opened} {values} {reasons:?}");
}

#[test]
fn damage_of_version_4_ends() {
    let (opened, values, _) = damage("xfs/v4.img.zst", 0..30, 150);
    assert!(opened > 15 && values > 1500, "{opened} {values}");
}
