//! What a file is that a user gives for a root tree, by its first bytes.

use super::{archive, disk};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// A tar, or something packed that should hold one.
    Archive,
    /// A disk image, or a file system.
    Disk,
    /// Something that hostvet cannot vet, with what to do about it.
    Unsupported {
        /// What it is, with its article.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// Nothing that is known.
    Nothing,
}

/// How much of a file its kind can be told by: the superblock of btrfs is at 64 KiB.
pub(super) const START: usize = (64 << 10) + 256;

const PACKAGE: &str = "a package is no host; install it in a root tree and give that";
const UNPACK: &str = "unpack it, or pack it with gzip, xz, zstd or bzip2";

/// Disks and file systems as they are, by the bytes at a place.
const DISKS: [(usize, &[u8]); 7] = [
    (512, b"EFI PART"),
    (4096, b"EFI PART"),
    (536, b"LVM2 001"),
    (0, b"XFSB"),
    (1080, b"\x53\xef"),
    (0x10040, b"_BHRfS_M"),
    // A boot sector, which file systems have as well.
    (510, b"\x55\xaa"),
];

/// What cannot be vetted, by the bytes at a place.
const UNSUPPORTED: [(usize, &[u8], &str, &str); 14] = [
    // Before disks: one that can be written to a stick has a boot sector too.
    (
        0x8001,
        b"CD001",
        "an ISO 9660 image",
        "give the root tree, or the installed disk: an installation medium is no host",
    ),
    (
        0,
        b"hsqs",
        "a squashfs file system",
        "unpack it with unsquashfs (as root, or its owners are lost), and give the directory",
    ),
    (
        1024,
        b"\xe2\xe1\xf5\xe0",
        "an EROFS file system",
        "unpack it with fsck.erofs --extract=DIRECTORY, and give the directory",
    ),
    (0, b"\xed\xab\xee\xdb", "an RPM package", PACKAGE),
    (0, b"!<arch>\ndebian", "a Debian package", PACKAGE),
    (0, b"070701", "a cpio archive", "unpack it with cpio -id, and give the directory"),
    (0, b"070707", "a cpio archive", "unpack it with cpio -id, and give the directory"),
    (0, b"PK\x03\x04", "a zip archive", "unpack it, and give the directory"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it, and give the directory"),
    (0, b"\x04\x22\x4d\x18", "compressed with lz4", UNPACK),
    (0, b"\x89LZO", "compressed with lzop", UNPACK),
    (0, b"\x5d\0\0", "compressed with the old lzma", UNPACK),
    (0, b"\x1f\x9d", "compressed with compress", UNPACK),
    (0, b"\x7fELF", "a program", "give a directory, a tar or an image"),
];

/// What a file is that begins so.
pub(super) fn recognise(start: &[u8]) -> Known {
    let has = |at: usize, magic: &[u8]| start.get(at..).is_some_and(|rest| rest.starts_with(magic));
    // Before archives: an appliance is a tar that holds an image.
    if disk::is_image(start) {
        return Known::Disk;
    }
    if archive::is_packed(start) || archive::is_tar(start) {
        return Known::Archive;
    }
    match UNSUPPORTED.iter().find(|(at, magic, _, _)| has(*at, magic)) {
        Some((_, _, what, advice)) => Known::Unsupported { what, advice },
        None if DISKS.iter().any(|(at, magic)| has(*at, magic)) => Known::Disk,
        None => Known::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beginning(at: usize, magic: &[u8]) -> Known {
        let mut start = vec![0; START];
        start[at..at + magic.len()].copy_from_slice(magic);
        recognise(&start)
    }

    #[test]
    fn a_file_is_known_by_its_first_bytes() {
        for (at, magic, wanted, _) in UNSUPPORTED {
            assert!(
                matches!(beginning(at, magic), Known::Unsupported { what, .. } if what == wanted),
                "{wanted}"
            );
        }
        for (at, magic) in DISKS {
            assert_eq!(beginning(at, magic), Known::Disk, "{magic:?}");
        }
        assert_eq!(recognise(b""), Known::Nothing);
        assert_eq!(recognise(b"text"), Known::Nothing);
    }

    #[test]
    fn a_medium_that_can_be_written_to_a_stick_is_no_disk() {
        let mut start = vec![0; START];
        start[510..512].copy_from_slice(b"\x55\xaa");
        start[0x8001..0x8006].copy_from_slice(b"CD001");
        assert!(matches!(recognise(&start), Known::Unsupported { .. }));
    }
}
