//! Whether there is a block device of a path in /dev.

use super::image_devices::{self, Is};
use super::udev_export;
use crate::source::{Host, Missing, Optional, Question, Reading, Reason, TargetKind, text};
use std::path::Path;

/// Whether a device's path is there, or will be where a disk image runs. Only a system that runs, a copy of its /dev, and a disk
/// image can say no.
pub fn exists(host: &Host, path: &str) -> Reading<bool> {
    if let Some(answer) = host.source.ask(Question::BlockDevices).optional()? {
        return in_image(&text(answer), path);
    }
    let shown = host.target.kind == TargetKind::Live
        || host.source.list(Path::new("/dev/disk")).is_ok_and(|entries| !entries.is_empty())
        // Links of udev's own making that its database does not list are not there.
        || (path.starts_with("/dev/disk/") && host.names("/run/udev/data").is_ok_and(|names| !names.is_empty()));
    if !shown && is_disk_name(path) {
        // The kernel names its disks itself, so its own list says it all.
        if let Ok(list) = host.read_text("/proc/partitions") {
            return Ok(list.lines().any(|l| l.split_ascii_whitespace().nth(3) == path.strip_prefix("/dev/")));
        }
    }
    if let Some(text) = udev_export::read(host).optional()? {
        return Ok(udev_export::has(&text, path));
    }
    if !shown {
        let why = "a tree of files does not show the devices it will boot from".to_owned();
        return Err(Missing::unreadable("/dev", Reason::NotRead(why)));
    }
    host.exists(path).map_err(Missing::Unreadable)
}

fn in_image(answer: &str, path: &str) -> Reading<bool> {
    match image_devices::find(&image_devices::parse(answer), path) {
        Is::There => Ok(true),
        Is::Missing => Ok(false),
        Is::Unknown(why) => Err(Missing::unreadable(path, Reason::NotRead(why))),
    }
}

/// Whether the path is one that only the kernel gives to a device: `/dev/sda1`, `/dev/nvme0n1p2`.
fn is_disk_name(path: &str) -> bool {
    let Some(name) = path.strip_prefix("/dev/") else { return false };
    let is_plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    is_plain && ["sd", "hd", "vd", "xvd", "nvme", "mmcblk"].iter().any(|kind| name.starts_with(kind))
}
