use super::*;
use crate::source::bytes::Held;
use crate::source::disk::sparse::{Sparse, image};

fn probed(image: &Sparse) -> Option<Superblock> {
    probe(image, image.size).unwrap()
}

/// The fields of what blkid(8) says, its escapes undone.
fn told(text: &str) -> [Option<String>; 4] {
    ["TYPE", "UUID", "LABEL", "UUID_SUB"].map(|key| {
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        let mut plain = String::new();
        let mut characters = value.chars();
        while let Some(c) = characters.next() {
            plain.extend(if c == '\\' { characters.next() } else { Some(c) });
        }
        Some(plain)
    })
}

#[test]
fn superblocks_are_what_blkid_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/images/volumes");
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".blkid") else { continue };
        let [kind, uuid, label, uuid_sub] =
            told(&std::fs::read_to_string(format!("{folder}/{name}.blkid")).unwrap());
        let found = probed(&image(name)).unwrap_or_else(|| panic!("{name}: nothing found"));
        // The label of NTFS is a file's.
        let label = label.filter(|_| name != "ntfs");
        let ours = (Some(found.kind.to_owned()), found.uuid, found.label, found.uuid_sub);
        assert_eq!(ours, (kind, uuid, label, uuid_sub), "{name}");
        compared += 1;
    }
    assert!(compared > 25, "{compared}");
}

#[test]
fn what_was_mounted_is_told_from_what_was_not() {
    let clean = |name: &str| probed(&image(name)).unwrap().health.clean;
    for name in [
        "ext2",
        "ext3",
        "ext4",
        "ext4-no-journal",
        "unmounted-ext4",
        "xfs",
        "xfs-v4",
        "unmounted-xfs",
        "fat16",
        "fat32",
        "exfat",
    ] {
        assert_eq!(clean(name), Some(true), "{name}");
    }
    for name in ["dirty-ext4", "dirty-xfs", "dirty-btrfs", "dirty-fat16"] {
        assert_eq!(clean(name), Some(false), "{name}");
    }
    // A frozen file system is as good as unmounted, but XFS keeps its log for what is open and has no name.
    assert_eq!((clean("frozen-ext4"), clean("frozen-xfs")), (Some(true), Some(false)));
    // What says nothing of it.
    for name in ["btrfs", "swap", "iso9660"] {
        assert_eq!(clean(name), None, "{name}");
    }
}

#[test]
fn errors_of_ext4_are_told_with_time_and_place() {
    let health = probed(&image("ext4-errors")).unwrap().health;
    assert_eq!((health.errors, health.error_count), (Some(true), Some(3)));
    assert_eq!((health.first_error, health.last_error), (Some(1_706_680_800), Some(1_706_767_200)));
    assert_eq!(health.detail.as_deref(), Some("ext4_lookup, inode 12"));
    let health = probed(&image("ext4")).unwrap().health;
    assert_eq!(
        (health.errors, health.error_count, health.last_error, health.detail),
        (Some(false), Some(0), None, None)
    );
}

fn raid(version: u32, at: usize, size: usize) -> Vec<u8> {
    let mut disk = vec![0; size];
    let mut put =
        |field: usize, bytes: &[u8]| disk[at + field..at + field + bytes.len()].copy_from_slice(bytes);
    put(0, &0xa92b_4efc_u32.to_le_bytes());
    put(4, &version.to_le_bytes());
    if version == 1 {
        put(16, &[0x11; 16]);
        put(32, b"host:0");
        put(144, &(at as u64 / 512).to_le_bytes());
        put(168, &[0x22; 16]);
    } else {
        put(20, &[0x11; 4]);
        put(52, &[0x22; 12]);
    }
    disk
}

#[test]
fn members_of_arrays_are_found_at_either_end() {
    let found = |disk: Vec<u8>| probe(&Held(disk.clone()), disk.len() as u64).unwrap();
    for at in [0, 4096, (1 << 20) - 8192] {
        let found = found(raid(1, at, 1 << 20)).unwrap();
        assert_eq!((found.kind, found.label.as_deref()), ("linux_raid_member", Some("host:0")), "{at}");
        assert_eq!(found.uuid.as_deref(), Some("11111111-1111-1111-1111-111111111111"));
        assert_eq!(found.uuid_sub.as_deref(), Some("22222222-2222-2222-2222-222222222222"));
        assert!(found.is_member());
    }
    let old = found(raid(0, (1 << 20) - (64 << 10), (1 << 20) + 512)).unwrap();
    assert_eq!(old.uuid.as_deref(), Some("11111111-2222-2222-2222-222222222222"));
    // One that says it is elsewhere is a copy.
    let mut moved = raid(1, 4096, 1 << 20);
    moved[4096 + 144] = 9;
    assert_eq!(found(moved), None);
}

#[test]
fn bcache_and_zfs_go_by_their_magic() {
    let mut disk = vec![0; 1 << 20];
    disk[4096 + 24..4096 + 40]
        .copy_from_slice(b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81");
    assert_eq!(probe(&Held(disk), 1 << 20).unwrap().unwrap().kind, "bcache");
    let mut disk = vec![0; 1 << 20];
    for number in 0..4 {
        disk[(128 + number) << 10..][..8].copy_from_slice(&0x00ba_b10c_u64.to_le_bytes());
    }
    assert_eq!(probe(&Held(disk), 1 << 20).unwrap().unwrap().kind, "zfs_member");
}

#[test]
fn nothing_is_found_in_little_and_in_zeros() {
    for size in [0, 1, 511, 512, 4096, 70_000, 1 << 20] {
        assert_eq!(probe(&Held(vec![0; size]), size as u64).unwrap(), None, "{size}");
        assert_eq!(probe(&Held(vec![0xff; size]), size as u64).unwrap(), None, "{size}");
    }
}

#[test]
fn damaged_superblocks_are_no_panic() {
    let mut seed = 7_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below.max(1)
    };
    for name in [
        "dirty-xfs",
        "ext4-errors",
        "fat32-late",
        "fat16",
        "exfat",
        "swap",
        "luks2",
        "iso9660",
        "f2fs",
        "xfs-v4",
    ] {
        let whole = image(name);
        for _ in 0..60 {
            let mut damaged = whole.clone();
            for _ in 0..=random(3) {
                damaged.damage(random(1 << 20) as u64, random(256) as u8);
            }
            let _ = probe(&damaged, damaged.size).unwrap();
            damaged.size = random(damaged.size as usize) as u64;
            let _ = probe(&damaged, damaged.size).unwrap();
        }
    }
}
