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

const GIVE: &str = "give a directory, a tar, a container image or a disk image";
const PACKAGE: &str = "a package is no host; install it in a root tree and give that";
const SWAP: &str = "no files are in it; give the disk, or the partition that the root is on";
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
const UNSUPPORTED: [(usize, &[u8], &str, &str); 18] = [
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
    (
        0,
        b"LUKS\xba\xbe",
        "encrypted (LUKS)",
        "open it with `cryptsetup open --readonly`, and give the device that this makes below /dev/mapper",
    ),
    // At the end of the first page, of 4 KiB or 64.
    (4086, b"SWAPSPACE2", "swap space", SWAP),
    (0xfff6, b"SWAPSPACE2", "swap space", SWAP),
    // The superblock of version 1.2, which is where nearly all are.
    (
        4096,
        b"\xfc\x4e\x2b\xa9",
        "a part of a RAID array",
        "give the array: /proc/mdstat lists those that run",
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
    (0, b"\x7fELF", "a program", GIVE),
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
        None if start.is_empty() => Known::Unsupported { what: "empty", advice: GIVE },
        None if is_text(start) => Known::Unsupported { what: "a text file", advice: GIVE },
        None => Known::Nothing,
    }
}

/// Whether this is text as far as it goes: the last character may be cut.
fn is_text(start: &[u8]) -> bool {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(start.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.contains(|c: char| c.is_control() && !c.is_ascii_whitespace() && c != '\x1b')
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
        let is = |start: &[u8], wanted| matches!(recognise(start), Known::Unsupported { what, .. } if what == wanted);
        assert!(is(b"", "empty") && is(b"text\n", "a text file") && is("grün".as_bytes(), "a text file"));
        assert!(is(&"grün".as_bytes()[..3], "a text file"), "cut within a character");
        assert_eq!(recognise(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), Known::Nothing);
    }

    #[test]
    fn a_medium_that_can_be_written_to_a_stick_is_no_disk() {
        let mut start = vec![0; START];
        start[510..512].copy_from_slice(b"\x55\xaa");
        start[0x8001..0x8006].copy_from_slice(b"CD001");
        assert!(matches!(recognise(&start), Known::Unsupported { .. }));
    }
}
