//! What a file is that a user gives for a root tree, by its first bytes.

use super::archive;

/// Something that hostvet cannot vet, with what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsupported {
    /// What it is, with its article.
    pub(super) what: &'static str,
    /// What to do.
    pub(super) advice: &'static str,
}

/// How much of a file its kind can be told by: the superblock of btrfs is at 64 KiB.
pub(super) const START: usize = (64 << 10) + 256;

const DISK: &str = "disk images cannot be read yet; make a tar of its root, as an ordinary user and without mounting it: \
    `virt-tar-out -a DISK / root.tar`";
const FILE_SYSTEM: &str = "file systems cannot be read yet; make a tar of it: `guestfish --ro -a FILE -m /dev/sda tar-out / root.tar`";
const PACKAGE: &str = "a package is no host; install it in a root tree and give that";
const UNPACK: &str = "unpack it, or pack it with gzip, xz, zstd or bzip2";

/// What cannot be vetted, by the bytes at a place.
const KNOWN: [(usize, &[u8], &str, &str); 26] = [
    (0, b"QFI\xfb", "a qcow2 disk image", DISK),
    (0, b"KDMV", "a VMDK disk image", DISK),
    (0, b"# Disk DescriptorFile", "a VMDK disk image's description", DISK),
    (0, b"vhdxfile", "a VHDX disk image", DISK),
    (0, b"conectix", "a VHD disk image", DISK),
    (64, b"\x7f\x10\xda\xbe", "a VirtualBox disk image", DISK),
    (
        0x8001,
        b"CD001",
        "an ISO 9660 image",
        "give the root tree, or the installed disk as a tar: an installation medium is no host",
    ),
    (512, b"EFI PART", "a raw disk image with a GPT", DISK),
    (4096, b"EFI PART", "a raw disk image with a GPT", DISK),
    (536, b"LVM2 001", "an LVM physical volume", DISK),
    (
        0,
        b"hsqs",
        "a squashfs file system",
        "unpack it with unsquashfs (as root, or its owners are lost), and give the directory",
    ),
    (0, b"XFSB", "an XFS file system", FILE_SYSTEM),
    (1080, b"\x53\xef", "an ext2, ext3 or ext4 file system", FILE_SYSTEM),
    (0x10040, b"_BHRfS_M", "a btrfs file system", FILE_SYSTEM),
    (1024, b"\xe2\xe1\xf5\xe0", "an EROFS file system", FILE_SYSTEM),
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

/// The names of a boot sector's mark, which file systems have as well: only what nothing else is known of.
const BOOT_SECTOR: Unsupported = Unsupported { what: "a raw disk image with a boot sector", advice: DISK };

/// Whether it is an archive; else what it is, if that is known.
pub(super) fn is_archive(start: &[u8]) -> Result<(), Option<Unsupported>> {
    if archive::is_packed(start) || archive::is_tar(start) {
        return Ok(());
    }
    let known =
        KNOWN.iter().find(|(at, magic, _, _)| start.get(*at..).is_some_and(|rest| rest.starts_with(magic)));
    let known = known.map(|(_, _, what, advice)| Unsupported { what, advice });
    let boot = || (start.get(510..512) == Some(b"\x55\xaa")).then_some(BOOT_SECTOR);
    Err(known.or_else(boot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_vetted_is_named() {
        for (at, magic, what, _) in KNOWN {
            let mut start = vec![0; START];
            start[at..at + magic.len()].copy_from_slice(magic);
            assert_eq!(is_archive(&start).unwrap_err().unwrap().what, what);
        }
        let mut start = vec![0; 512];
        start[510..].copy_from_slice(b"\x55\xaa");
        assert_eq!(is_archive(&start), Err(Some(BOOT_SECTOR)));
        assert_eq!(is_archive(b""), Err(None));
        assert_eq!(is_archive(b"text"), Err(None));
    }
}
