//! What `udevadm info --export-db` printed: everything that udev knew of the devices there were.
//!
//! ```text
//! P: /devices/pci0000:00/0000:00:05.0/virtio2/block/vda/vda1
//! N: vda1
//! S: disk/by-uuid/0a3407de-014b-458b-b5c1-848e92a327a3
//! E: DEVTYPE=partition
//! E: SUBSYSTEM=block
//! ```

use crate::source::{Host, Missing, Reading, text};
use std::path::Path;

/// Where sosreport keeps it.
pub(crate) const PATH: &str = "/sos_commands/devices/udevadm_info_--export-db";

/// Hosts with thousands of paths to their disks have some ten MiB of it.
const CAP: u64 = 64 << 20;

/// A device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exported<'a> {
    /// The line it begins at.
    pub(crate) line: u32,
    /// Its place in sysfs.
    pub(crate) place: &'a str,
    /// The kernel's name of its node; none of most devices that are no disks.
    pub(crate) name: &'a str,
    /// The names that udev gave it, below /dev.
    pub(crate) links: Vec<&'a str>,
    /// The priority with which it claims them.
    pub(crate) priority: i32,
    properties: Vec<(&'a str, &'a str)>,
}

impl<'a> Exported<'a> {
    /// Of several the last.
    pub(crate) fn property(&self, key: &str) -> Option<&'a str> {
        self.properties
            .iter()
            .rev()
            .find(|(k, value)| *k == key && !value.is_empty())
            .map(|(_, value)| *value)
    }
}

/// What was printed. Unreadable where udev did not run, and so nothing is told of names.
pub(crate) fn read(host: &Host) -> Reading<String> {
    let text = text(host.source.read(Path::new(PATH), CAP)?);
    let is_told = block_devices(&text).any(|device| !device.links.is_empty());
    match is_told {
        true => Ok(text),
        false => Err(Missing::garbled(PATH, "tells no names of disks: udev did not run")),
    }
}

/// The block devices.
pub(crate) fn block_devices(text: &str) -> impl Iterator<Item = Exported<'_>> {
    devices(text).filter(|device| device.property("SUBSYSTEM") == Some("block") && !device.name.is_empty())
}

/// All devices.
pub(crate) fn devices(text: &str) -> impl Iterator<Item = Exported<'_>> {
    let mut lines = text.lines().zip(1..).peekable();
    std::iter::from_fn(move || {
        while lines.next_if(|(line, _)| line.trim().is_empty()).is_some() {}
        let mut device = Exported { line: lines.peek()?.1, ..Exported::default() };
        while let Some((line, _)) = lines.next_if(|(line, _)| !line.trim().is_empty()) {
            match line.split_once(": ") {
                Some(("P", place)) => device.place = place.trim(),
                Some(("N", name)) => device.name = name.trim(),
                Some(("S", link)) => device.links.push(link.trim()),
                Some(("L", priority)) => device.priority = priority.trim().parse().unwrap_or(0),
                Some(("E", pair)) => device.properties.extend(pair.split_once('=')),
                _ => {}
            }
        }
        Some(device)
    })
}

/// Whether a block device had this path.
pub(crate) fn has(text: &str, path: &str) -> bool {
    let Some(name) = path.strip_prefix("/dev/") else { return false };
    block_devices(text).any(|device| device.name == name || device.links.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "P: /devices/LNXSYSTM:00\nE: SUBSYSTEM=acpi\n\nP: /devices/x/block/vda/vda1\nN: vda1\nL: -100\n\
        S: disk/by-uuid/0a34\nE: DEVTYPE=partition\nE: ID_FS_LABEL=\nE: ID_FS_TYPE=xfs\nE: SUBSYSTEM=block\n\n\n";

    #[test]
    fn block_devices_are_told_with_their_names() {
        let all: Vec<_> = block_devices(TEXT).collect();
        assert_eq!(all.len(), 1);
        let vda1 = &all[0];
        assert_eq!((vda1.line, vda1.name, vda1.priority), (4, "vda1", -100));
        assert_eq!((vda1.property("ID_FS_TYPE"), vda1.property("ID_FS_LABEL")), (Some("xfs"), None));
        assert!(has(TEXT, "/dev/vda1") && has(TEXT, "/dev/disk/by-uuid/0a34"));
        assert!(!has(TEXT, "/dev/vda2") && !has(TEXT, "vda1"));
    }

    #[test]
    fn garbage_is_no_device() {
        for text in ["", "\n\n", "P:", "\0\u{fffd}: x\n\nN: a\n", "E: SUBSYSTEM=block\n"] {
            assert_eq!(block_devices(text).count(), 0, "{text:?}");
        }
    }
}
