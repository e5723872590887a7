//! File system types by name.

/// Types of which the kernel makes the file system; the spec has no meaning.
pub const PSEUDO: &[&str] = &[
    "aufs",
    "autofs",
    "bdev",
    "binder",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "cpuset",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "functionfs",
    "fusectl",
    "hugetlbfs",
    "ignore",
    "mqueue",
    "nfsd",
    "overlay",
    "overlayfs",
    "proc",
    "pstore",
    "ramfs",
    "resctrl",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "shm",
    "smackfs",
    "sysfs",
    "tmpfs",
    "tracefs",
    "unionfs",
    "usbdevfs",
    "usbfs",
    "xenfs",
];

/// Types that live on block devices or in images.
const LOCAL: &[&str] = &[
    "adfs", "affs", "apfs", "auto", "bcachefs", "befs", "bfs", "btrfs", "cramfs", "ecryptfs", "efs", "erofs",
    "exfat", "ext", "ext2", "ext3", "ext4", "ext4dev", "f2fs", "fat", "freevxfs", "hfs", "hfsplus", "hpfs",
    "iso9660", "jffs2", "jfs", "minix", "msdos", "nilfs2", "none", "ntfs", "ntfs-3g", "ntfs3", "omfs",
    "orangefs", "qnx4", "qnx6", "reiser4", "reiserfs", "romfs", "squashfs", "swap", "sysv", "ubifs", "udf",
    "ufs", "umsdos", "vboxsf", "vfat", "virtiofs", "vmhgfs", "vxfs", "xfs", "yaffs2", "zfs", "zonefs",
];

/// Network types that systemd knows, with or without `fuse.` before them: `fstype_is_network` of its
/// src/basic/mountpoint-util.c; ceph and smb3 since about 240, davfs since about 250.
const KNOWN_REMOTE: &[&str] = &[
    "afs",
    "ceph",
    "cifs",
    "davfs",
    "gfs",
    "gfs2",
    "glusterfs",
    "lustre",
    "ncp",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "pvfs2",
    "smb3",
    "smbfs",
    "sshfs",
];

/// Network types that systemd does not know: it would mount them before the network is up.
const OTHER_REMOTE: &[&str] = &[
    "beegfs",
    "beegfs_nodev",
    "bsfs",
    "coda",
    "cosfs",
    "curlftpfs",
    "cvmfs",
    "efs",
    "fuse.ceph",
    "gcsfuse",
    "goofys",
    "gpfs",
    "juicefs",
    "mfs",
    "moosefs",
    "mount-s3",
    "ossfs",
    "ossfs2",
    "quobyte",
    "rclone",
    "s3fs",
    "seaweedfs",
    "sshfs#",
    "weed",
    "wekafs",
];

/// Whether systemd takes the type for a network file system.
pub fn is_known_remote(fs_type: &str) -> bool {
    KNOWN_REMOTE.contains(&fs_type.strip_prefix("fuse.").unwrap_or(fs_type))
}

/// Whether file systems of the type come over the network.
///
/// `efs` is both Amazon's helper and SGI's file system of old; only a spec that is no device makes it the former.
pub fn is_remote(fs_type: &str, spec: &str) -> bool {
    let bare = fs_type.strip_prefix("fuse.").unwrap_or(fs_type);
    if bare == "efs" && spec.starts_with("/dev/") {
        return false;
    }
    // The old way to write a FUSE file system: `sshfs#user@host:dir` of type `fuse`.
    let helper = match fs_type {
        "fuse" => spec.split_once('#').map(|(helper, _)| helper),
        _ => None,
    };
    is_known_remote(fs_type)
        || OTHER_REMOTE.contains(&bare)
        || helper.is_some_and(|h| KNOWN_REMOTE.contains(&h) || OTHER_REMOTE.contains(&h))
}

/// Whether the type is one that is known by name.
pub fn is_known(fs_type: &str) -> bool {
    fs_type == "fuse"
        || fs_type == "fuseblk"
        || fs_type == "9p"
        || fs_type.starts_with("fuse.")
        || [PSEUDO, LOCAL, KNOWN_REMOTE, OTHER_REMOTE].iter().any(|list| list.contains(&fs_type))
}

/// The common type that a type which is not known is one slip of the keyboard away from.
///
/// Whether a type is unknown to the system that will boot cannot be told from files: the kernel may have it built in
/// or as a module, or a helper in /sbin may serve it. What is one letter off a common name, and known neither by
/// name nor to a helper, is not one of those.
pub fn meant(fs_type: &str) -> Option<&'static str> {
    const COMMON: &[&str] = &[
        "ext4", "ext3", "ext2", "xfs", "btrfs", "vfat", "swap", "tmpfs", "nfs4", "nfs", "cifs", "iso9660",
        "ntfs", "exfat", "f2fs", "proc", "sysfs", "devpts", "overlay", "auto",
    ];
    if is_known(fs_type) || fs_type.len() < 3 || fs_type.contains([',', '.', '/']) {
        return None;
    }
    if let Some(same) = COMMON.iter().find(|c| c.eq_ignore_ascii_case(fs_type)) {
        return Some(same);
    }
    COMMON.iter().find(|c| strsim::osa_distance(c, fs_type) == 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slips_are_typos() {
        for (wrong, right) in
            [("ext44", "ext4"), ("ex4", "ext4"), ("etx4", "ext4"), ("xsf", "xfs"), ("EXT4", "ext4")]
        {
            assert_eq!(meant(wrong), Some(right), "{wrong}");
        }
        for fine in [
            "ext4",
            "zfs",
            "jfs",
            "nfsd",
            "mergerfs",
            "fuse.mergerfs",
            "ext4,xfs",
            "9p",
            "davfs",
            "drvfs",
            "gfs2",
        ] {
            assert_eq!(meant(fine), None, "{fine}");
        }
    }

    #[test]
    fn network_types_are_known_with_and_without_fuse() {
        assert!(is_known_remote("fuse.sshfs") && is_known_remote("nfs4") && !is_known_remote("fuse.s3fs"));
        assert!(
            is_remote("fuse.s3fs", "bucket")
                && is_remote("fuse", "sshfs#u@h:/x")
                && is_remote("efs", "fs-1:/")
        );
        assert!(
            !is_remote("efs", "/dev/vdb1")
                && !is_remote("fuse", "/dev/vdb1")
                && !is_remote("ext4", "/dev/vdb1")
        );
    }
}
