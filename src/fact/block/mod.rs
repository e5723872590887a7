//! Block devices, and the names they go by.

mod exported;
mod image;
mod sysfs;
mod udev;

#[cfg(test)]
mod tests;

use super::Fact;
use crate::format::udev_export;
use crate::source::{At, Host, Missing, Optional, Question, Reading, Reason, TargetKind, text};
use crate::{record, word};
use std::collections::{BTreeSet, HashSet};

record! {
    /// The block devices that are there, as sysfs shows them and as udev names them. No device is opened.
    ///
    /// ```text
    /// /sys/class/block/vda1/size      83884032          (sectors of 512 bytes)
    /// /sys/class/block/vda1/dev       252:1
    /// /run/udev/data/b252:1           S:disk/by-uuid/0a3407de-014b-458b-b5c1-848e92a327a3
    ///                                 E:ID_FS_UUID=0a3407de-014b-458b-b5c1-848e92a327a3
    /// /dev/disk/by-uuid/0a3407de-…    -> ../../vda1
    /// /proc/partitions                252 1 41942016 vda1   (where there is no sysfs)
    /// ```
    ///
    /// Source: sysfs-class-block in the kernel's ABI documents, udev(7), udev's 60-persistent-storage.rules.
    /// Unreadable in a tree that shows no devices (a directory's root), because the disks it will boot from
    /// are not to be seen there: "no such UUID" is then not known. Where udev does not run, UUIDs and labels
    /// are unreadable, though device names are known. Of a disk image they are the disk, its partitions and the logical volumes on
    /// them, as their superblocks and partition tables say; `paths` is unreadable there, as the kernel's names depend on the machine.
    #[bare(devices)]
    pub struct Block {
        /// The devices, sorted by name.
        pub devices: Vec<BlockDevice>,
        /// The /dev paths of the devices by the kernel's and device-mapper's names, and those in `links` if known.
        pub paths: Reading<Vec<String>>,
        /// The links that udev makes to them: `/dev/disk/by-uuid/0a34…`, `/dev/vg/lv`, with udev's `\x20` in
        /// them. Unreadable where udev does not run. Of a disk image those that it will make on every machine, and
        /// `/dev/mapper/vg-lv`.
        pub links: Reading<Vec<String>>,
    }
}

record! {
    /// A block device: a disk, a partition, or something built on them.
    pub struct BlockDevice {
        /// The kernel's name: `vda1`, `dm-0`. In a disk image `disk`, `disk1` for the first partition, `vg/root`.
        pub name: String,
        /// The path people use: `/dev/vda1`, `/dev/mapper/vg-root`. In a disk image `partition 1` and the like, where the kernel has
        /// yet to name it.
        pub path: String,
        /// `major:minor`; absent where only a link names the device.
        pub number: Option<String>,
        /// What it is.
        pub kind: BlockKind,
        /// Size in bytes; absent where only a link names the device.
        pub size_bytes: Option<u64>,
        /// The disk that a partition is on, by name; absent for others.
        pub parent: Option<String>,
        /// The file system's UUID (ID_FS_UUID); absent without one, unreadable where udev does not run.
        pub uuid: Reading<String>,
        /// The UUID of this one of a file system's devices (ID_FS_UUID_SUB): btrfs has one for each.
        pub uuid_sub: Reading<String>,
        /// The file system's label (ID_FS_LABEL), decoded.
        pub label: Reading<String>,
        /// The partition's UUID (ID_PART_ENTRY_UUID).
        pub partuuid: Reading<String>,
        /// The partition's name (ID_PART_ENTRY_NAME), decoded.
        pub partlabel: Reading<String>,
        /// What is on it (ID_FS_TYPE): `ext4`, `swap`, `LVM2_member`.
        pub r#type: Reading<String>,
        /// The links to it that udev would make (S: in its database), whether or not another device won them;
        /// unreadable without udev's database.
        pub links: Reading<Vec<String>>,
        /// The priority with which it claims its links (L:), 0 unless a rule of udev says otherwise.
        pub link_priority: Reading<i32>,
        /// Whether it is a part of something else that is built on it: an array, a volume group, a multipath or
        /// encrypted device; or a partition of such a part.
        pub member: bool,
        /// Whether the file system was left as unmounting leaves it, with no journal to be replayed. Of a disk image only, and absent
        /// where the superblock does not tell: swap, btrfs unless it has a log to be replayed.
        pub clean: Option<bool>,
        /// Whether the superblock is marked as damaged, by the kernel or a checker. Of a disk image only, and absent where the
        /// superblock has no such mark.
        pub errors: Option<bool>,
        /// How many errors the file system has counted since its last check. Of a disk image's ext2 to ext4 only.
        pub error_count: Option<u64>,
        /// When the last of these was met, as UTC date and time: `2024-01-31 06:00:00`. Of a disk image's ext4 only.
        pub last_error_date: Option<String>,
        /// What is wrong: where the last error was met, or what the mark is called. Of a disk image only.
        pub error_detail: Option<String>,
        /// Where it was read.
        pub at: At,
    }
}

word! {
    /// What a block device is.
    pub enum BlockKind {
        /// A disk, real or virtual.
        Disk = "disk",
        /// A partition.
        Partition = "partition",
        /// Made by device-mapper: LVM, dm-crypt, multipath.
        Dm = "dm",
        /// Made by md: software RAID.
        Md = "md",
        /// A file seen as a device.
        Loop = "loop",
        /// Memory: ram, zram.
        Ram = "ram",
        /// An optical drive.
        Rom = "rom",
        /// A floppy drive.
        Floppy = "floppy",
        /// On another host: nbd, rbd, drbd.
        Network = "network",
    }
}

/// Where udev's links by attribute are.
const DISK: &str = "/dev/disk";

impl Fact for Block {
    const NAME: &'static str = "block";
    const READS: &'static [&'static str] = &[
        "/sys/class/block/*/{dev,size,partition,dm/name,dm/uuid,holders}",
        "/run/udev/data/b*",
        "/dev/disk/by-*/*",
        "/sys/block/*",
        "/proc/partitions",
        udev_export::PATH,
        "the devices of a disk image",
    ];

    fn collect(host: &Host) -> Reading<Self> {
        if let Some(answer) = host.source.ask(Question::BlockDevices).optional()? {
            return Ok(image::block(&text(answer)));
        }
        if host.names(sysfs::CLASS).is_err_and(|missing| missing.is_not_collected()) {
            return exported::block(host);
        }
        let links = udev::links(host)?;
        let database = udev::runs(host);
        let mut devices = sysfs::devices(host, &database)?;
        if devices.is_empty() && links.is_empty() {
            return Err(not_shown(host));
        }
        udev::add_linked(&mut devices, &links);
        devices.sort_by(|a, b| a.name.cmp(&b.name));
        mark_members(host, &mut devices);
        Ok(Self {
            paths: Ok(paths(&devices, &links)),
            links: all_links(&devices, &links, &database),
            devices,
        })
    }
}

/// No devices are to be seen: in a tree that says nothing; on a running host something hides them.
fn not_shown(host: &Host) -> Missing {
    let why = match host.target.kind {
        TargetKind::Live => "no block devices are to be seen: a container, or /sys is not mounted",
        _ => "a tree of files does not show the disks it will boot from",
    };
    Missing::unreadable(sysfs::CLASS, Reason::NotRead(why.into()))
}

/// Every path that leads to a device.
fn paths(devices: &[BlockDevice], links: &[udev::Link]) -> Vec<String> {
    let mut paths: BTreeSet<String> = links.iter().map(|l| l.path.clone()).collect();
    for device in devices {
        paths.insert(format!("/dev/{}", device.name));
        paths.insert(device.path.clone());
        paths.extend(device.links.iter().flatten().cloned());
    }
    paths.into_iter().collect()
}

fn all_links(devices: &[BlockDevice], links: &[udev::Link], database: &Reading<()>) -> Reading<Vec<String>> {
    if links.is_empty() {
        database.clone()?;
    }
    let claimed = devices.iter().filter_map(|d| d.links.as_ref().ok()).flatten().cloned();
    let all: BTreeSet<String> = links.iter().map(|l| l.path.clone()).chain(claimed).collect();
    Ok(all.into_iter().collect())
}

fn mark_members(host: &Host, devices: &mut [BlockDevice]) {
    for device in devices.iter_mut() {
        let by_type = device.r#type.as_ref().is_ok_and(|t| {
            t.ends_with("_member")
                || matches!(t.as_str(), "crypto_LUKS" | "bcache" | "drbd" | "DM_snapshot_cow")
        });
        device.member = by_type || sysfs::is_held(host, device);
    }
    let held: HashSet<String> = devices.iter().filter(|d| d.member).map(|d| d.name.clone()).collect();
    for device in devices.iter_mut() {
        device.member |= device.parent.as_ref().is_some_and(|parent| held.contains(parent));
    }
}
