//! The file systems that are to be mounted at boot: /etc/fstab.

mod collect;
mod option;
mod parse;

#[cfg(test)]
mod tests;

pub use parse::parse;

use crate::model::Lazy;
use crate::source::At;
use crate::{record, word};

record! {
    /// What /etc/fstab says, entry by entry, and its lines that are not as they should be.
    ///
    /// ```text
    /// UUID=0a3407de-014b-458b-b5c1-848e92a327a3 /          ext4 defaults        0 1
    /// LABEL=my\040disk                          /mnt/my\040disk xfs nofail      0 2
    /// nas:/export                               /srv/nas   nfs  _netdev,noatime 0 0
    /// /swapfile                                 none       swap sw              0 0
    /// ```
    ///
    /// Source: fstab(5), mount(8), systemd-fstab-generator(8), getmntent(3). systemd reads the file with getmntent(3),
    /// mount(8) and findmnt(8) read it with libmount: where the two differ, the faults of `lines` say so.
    /// Absent where there is no such file.
    #[bare(entries)]
    pub struct Fstab {
        /// The entries, in order.
        pub entries: Vec<FstabEntry>,
        /// The lines that are neither empty nor comments, in order, each with what is wrong with it, if anything.
        pub lines: Vec<FstabLine>,
        /// Whether systemd mounts the entries, as systemd-fstab-generator(8) is installed, or else an init script with
        /// `mount -a`. Unreadable in a tree that shows no init system at all.
        pub by_systemd: Lazy<bool>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// An entry of fstab, as it is acted on at boot.
    pub struct FstabEntry {
        /// What to mount (fs_spec), decoded: `UUID=0a34…`, `/dev/vda1`, `nas:/export`, `tmpfs`.
        pub spec: String,
        /// What kind of thing the spec names.
        pub spec_kind: FstabSpecKind,
        /// The spec without its tag and quotes: `0a34…` of `UUID="0a34…"`; else as `spec`.
        pub spec_value: String,
        /// The /dev path that appears when the device does: `/dev/vda1`, `/dev/disk/by-uuid/0a34…`; absent
        /// where the spec names no block device.
        pub spec_path: Option<String>,
        /// Whether `spec_path` is there now; absent without one, unreadable where the tree shows no devices. Of a disk image, whether
        /// it will be there when it runs: unreadable for names that depend on the machine, such as `/dev/vda1`.
        pub spec_exists: Lazy<bool>,
        /// Where to mount it (fs_file), decoded, without needless slashes; `none` or `swap` for swap space.
        pub mount_point: String,
        /// The path that `mount_point` leads to, symbolic links followed inside the root; absent where it is no path.
        pub mount_point_real: Lazy<String>,
        /// Whether anything is at the mount point in this root; absent where `mount_point` is no path. Unreadable on
        /// a live host for network and automounted entries: they are not touched, as their server may not answer.
        pub mount_point_exists: Lazy<bool>,
        /// Whether what is at the mount point is a directory; absent where nothing is.
        pub mount_point_is_directory: Lazy<bool>,
        /// The entry's file system type (fs_vfstype); `auto` where the line ends before it.
        pub r#type: String,
        /// The mount options (fs_mntops), in order; empty where the line ends before them.
        pub options: Vec<String>,
        /// Whether dump(8) dumps it (fs_freq); 0 where the line does not say, or says no number.
        pub dump: i32,
        /// In which pass of the checks at boot fsck(8) checks it (fs_passno), 0 for never; 0 where the line
        /// does not say, or says no number.
        pub pass: i32,
        /// `noauto`: not mounted at boot. The last of `auto` and `noauto` counts.
        pub noauto: bool,
        /// `nofail`: the boot goes on without it. The last of `fail` and `nofail` counts.
        pub nofail: bool,
        /// `_netdev`: it needs the network.
        pub netdev: bool,
        /// `x-systemd.automount` (or `comment=systemd.automount`): mounted when first used.
        pub automount: bool,
        /// `bind` or `rbind`: a directory that is seen at a second place.
        pub bind: bool,
        /// `ro`: to be mounted read-only. The last of `ro` and `rw` counts.
        pub read_only: bool,
        /// Whether what is mounted comes over the network, as its type or spec shows.
        pub network: bool,
        /// Whether systemd by itself mounts it only after the network is up: `_netdev`, or a network type it knows.
        pub remote: bool,
        /// Whether systemd makes local-fs.target wait for it and stops in emergency mode without it: not
        /// `noauto`, `nofail`, `remote`, automounted, swap, or tied to another unit by x-systemd.wanted-by
        /// or x-systemd.required-by. Always so for `/`.
        pub stops_boot: bool,
        /// The line, from 1.
        pub line: u32,
        /// Where it was read.
        pub at: At,
    }
}

word! {
    /// What kind of thing the first field of an fstab entry names.
    pub enum FstabSpecKind {
        /// `UUID=`: the file system's UUID.
        Uuid = "uuid",
        /// `LABEL=`: the file system's label.
        Label = "label",
        /// `PARTUUID=`: the partition's UUID in the partition table.
        Partuuid = "partuuid",
        /// `PARTLABEL=`: the partition's name in the partition table.
        Partlabel = "partlabel",
        /// `ID=`: the hardware's ID as udev makes it, a name in /dev/disk/by-id.
        Id = "id",
        /// A path in /dev.
        Device = "device",
        /// Something on another host: `nas:/export`, `//server/share`.
        Network = "network",
        /// A path elsewhere: the source of a bind mount, an image file, a swap file.
        Path = "path",
        /// Nothing of this name: the kernel makes the file system (proc, tmpfs, overlay).
        Pseudo = "pseudo",
        /// Anything else that a file system type gives a meaning to: a ZFS data set, a 9p tag.
        Other = "other",
    }
}

record! {
    /// A line of fstab that is no comment.
    #[derive(Clone, PartialEq)]
    pub struct FstabLine {
        /// The line as it stands; control characters as U+FFFD.
        pub text: String,
        /// The mount point that was meant, as far as it can be told; else the line's second field.
        pub mount_point: String,
        /// What is wrong with it; empty for most lines.
        pub faults: Vec<FstabFault>,
        /// The line, from 1.
        pub line: u32,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// Something wrong with a line of fstab.
    #[derive(Clone, PartialEq)]
    pub struct FstabFault {
        /// The part of the line that is wrong.
        pub part: FstabPart,
        /// What is wrong, as the end of a sentence that starts with the line: `has only 1 field`.
        pub what: String,
        /// What comes of it.
        pub effect: FstabEffect,
        /// Whether systemd makes the boot wait for what it takes the line to mean.
        pub stops_boot: bool,
    }
}

word! {
    /// The part of an fstab line that is wrong.
    pub enum FstabPart {
        /// Too few fields.
        Fields = "fields",
        /// More than six fields.
        Excess = "excess",
        /// A blank inside a field, which must be written `\040`.
        Blank = "blank",
        /// The tag of the first field: no value, quotes that do not match, lower case.
        Spec = "spec",
        /// The mount point is no absolute path.
        MountPoint = "mount_point",
        /// The file system type is one letter off a known one.
        Type = "type",
        /// An option is one letter off a known one.
        Option = "option",
        /// The fifth field is no number.
        Dump = "dump",
        /// The sixth field is no number.
        Pass = "pass",
        /// A backslash that starts no escape which every reader knows.
        Escape = "escape",
        /// Lines end in CR LF.
        LineEnd = "line_end",
        /// Characters that no text file has.
        Garbage = "garbage",
    }
}

word! {
    /// What comes of a fault in a line of fstab.
    pub enum FstabEffect {
        /// Mounting it is tried and fails.
        Fails = "fails",
        /// Something else than what was meant is mounted, or in another way.
        Misread = "misread",
        /// Nothing mounts it.
        Ignored = "ignored",
        /// systemd mounts it at boot, but mount(8) and findmnt(8) ignore the line.
        Half = "half",
        /// Nothing.
        Harmless = "harmless",
    }
}
