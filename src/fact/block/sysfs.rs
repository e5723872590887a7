//! What the kernel says of a block device: /sys/class/block.

use super::{BlockDevice, BlockKind, udev};
use crate::source::{At, Host, Missing, Optional, Reading};
use std::collections::HashSet;
use std::path::Path;

pub(super) const CLASS: &str = "/sys/class/block";

const DISKS: &str = "/sys/block";
pub(super) const PARTITIONS: &str = "/proc/partitions";

/// The devices that the kernel shows, with what udev knows of them.
pub(super) fn devices(host: &Host, database: &Reading<()>) -> Reading<Vec<BlockDevice>> {
    let folders = folders(host)?;
    if !folders.is_empty() {
        return folders.iter().map(|folder| device(host, folder, database)).collect();
    }
    let Some(text) = host.read_text(PARTITIONS).optional()? else { return Ok(Vec::new()) };
    let lines: Vec<Listed> = text.lines().filter_map(listed).collect();
    let names: HashSet<&str> = lines.iter().map(|l| l.name).collect();
    Ok(lines.iter().map(|l| l.device(host, &names, database)).collect())
}

/// Where sysfs has a device.
struct Folder {
    name: String,
    path: String,
    /// The disk it is a partition of.
    parent: Option<String>,
}

/// Every device's folder. A copy of sysfs may hold /sys/block alone, where partitions are inside their disks.
fn folders(host: &Host) -> Reading<Vec<Folder>> {
    let names = host.names(CLASS).optional()?.unwrap_or_default();
    let known: HashSet<&str> = names.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    for name in &names {
        let path = format!("{CLASS}/{name}");
        let parent = if is_partition(host, &path)? { parent(host, &path, name, &known) } else { None };
        found.push(Folder { name: name.clone(), path, parent });
    }
    if found.is_empty() {
        for disk in host.names(DISKS).optional()?.unwrap_or_default() {
            let path = format!("{DISKS}/{disk}");
            for name in host.names(&path).optional()?.unwrap_or_default() {
                let path = format!("{path}/{name}");
                if name.starts_with(&disk) && is_partition(host, &path)? {
                    found.push(Folder { name, path, parent: Some(disk.clone()) });
                }
            }
            found.push(Folder { name: disk, path, parent: None });
        }
    }
    Ok(found)
}

fn is_partition(host: &Host, folder: &str) -> Reading<bool> {
    host.exists(&format!("{folder}/partition")).map_err(Missing::Unreadable)
}

/// The sizes of /proc/partitions in bytes, by name.
pub(super) fn sizes(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(listed).map(|line| (line.name, line.size_kib.saturating_mul(1024)))
}

/// A line of /proc/partitions: major, minor, size in KiB, name.
struct Listed<'a> {
    number: String,
    size_kib: u64,
    name: &'a str,
}

fn listed(line: &str) -> Option<Listed<'_>> {
    let mut fields = line.split_ascii_whitespace();
    let major: u32 = fields.next()?.parse().ok()?;
    let minor: u32 = fields.next()?.parse().ok()?;
    let size_kib = fields.next()?.parse().ok()?;
    Some(Listed { number: format!("{major}:{minor}"), size_kib, name: fields.next()? })
}

impl Listed<'_> {
    /// The device; that it is a partition can only be told from its name.
    fn device(&self, host: &Host, names: &HashSet<&str>, database: &Reading<()>) -> BlockDevice {
        let parent = by_name(self.name, names).filter(|parent| parent != self.name);
        let kind = if parent.is_some() { BlockKind::Partition } else { kind(self.name) };
        let known = udev::record(host, Some(&self.number), database);
        let path = format!("/dev/{}", self.name);
        let mut device = udev::device(self.name, path, kind, known, At::file(PARTITIONS));
        device.number = Some(self.number.clone());
        device.size_bytes = Some(self.size_kib.saturating_mul(1024));
        device.parent = parent;
        device
    }
}

fn device(host: &Host, folder: &Folder, database: &Reading<()>) -> Reading<BlockDevice> {
    let Folder { name, path: folder, parent } = folder;
    let number = line(host, &format!("{folder}/dev")).optional()?;
    let sectors = line(host, &format!("{folder}/size")).optional()?;
    let mapped = line(host, &format!("{folder}/dm/name")).optional()?;
    let kind = if is_partition(host, folder)? { BlockKind::Partition } else { kind(name) };
    let path =
        mapped.as_ref().map_or_else(|| format!("/dev/{name}"), |mapped| format!("/dev/mapper/{mapped}"));
    let known = udev::record(host, number.as_deref(), database);
    let mut device = udev::device(name, path, kind, known, At::file(folder.as_str()));
    let volume = line(host, &format!("{folder}/dm/uuid"))
        .optional()?
        .filter(|uuid| uuid.starts_with("LVM-"))
        .and(mapped)
        .and_then(|mapped| logical_volume(&mapped));
    if let (Some(volume), Ok(links)) = (volume, device.links.as_mut())
        && !links.contains(&volume)
    {
        links.push(volume);
    }
    device.number = number;
    // Sectors are of 512 bytes here, whatever the disk's own are.
    device.size_bytes = sectors.and_then(|s| s.parse::<u64>().ok()).map(|s| s.saturating_mul(512));
    device.parent = parent.clone();
    Ok(device)
}

fn line(host: &Host, path: &str) -> Reading<String> {
    Ok(host.read_text(path)?.trim().to_owned())
        .and_then(|t| if t.is_empty() { Err(Missing::Absent) } else { Ok(t) })
}

/// What a device that is no partition is, by its name.
pub(super) fn kind(name: &str) -> BlockKind {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    match stem {
        "dm-" => BlockKind::Dm,
        "md" | "md_d" => BlockKind::Md,
        "loop" => BlockKind::Loop,
        "ram" | "zram" => BlockKind::Ram,
        "sr" | "scd" => BlockKind::Rom,
        "fd" => BlockKind::Floppy,
        "nbd" | "rbd" | "drbd" => BlockKind::Network,
        _ if name.starts_with("md_") => BlockKind::Md,
        _ => BlockKind::Disk,
    }
}

/// The disk of a partition: in sysfs its folder is inside the disk's; else by name.
fn parent(host: &Host, folder: &str, name: &str, names: &HashSet<&str>) -> Option<String> {
    let link = host.source.read_link(Path::new(folder)).ok();
    let above = link.as_deref().and_then(Path::parent).and_then(Path::file_name);
    let above = above.map(|n| n.to_string_lossy().into_owned()).filter(|n| names.contains(n.as_str()));
    above.or_else(|| by_name(name, names))
}

/// The disk that a partition of this name is on.
fn by_name(name: &str, names: &HashSet<&str>) -> Option<String> {
    let disk = name.trim_end_matches(|c: char| c.is_ascii_digit());
    // nvme0n1p2, mmcblk0p1: a name that ends in a digit puts a `p` before the partition's number.
    let plain = disk.strip_suffix('p').filter(|d| d.ends_with(|c: char| c.is_ascii_digit()));
    plain.into_iter().chain([disk]).find(|d| names.contains(d)).map(str::to_owned)
}

/// Whether another device is built on it.
pub(super) fn is_held(host: &Host, device: &BlockDevice) -> bool {
    host.names(&format!("{}/holders", device.at.path)).is_ok_and(|holders| !holders.is_empty())
}

/// `/dev/vg/lv` of LVM's `vg-lv`, where a dash in either name is doubled.
fn logical_volume(mapped: &str) -> Option<String> {
    let marked = mapped.replace("--", "\0");
    let (group, volume) = marked.split_once('-')?;
    // A third part names an inner layer, which has no link.
    (!volume.contains('-')).then(|| format!("/dev/{group}/{volume}").replace('\0', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_go_by_name() {
        for (name, expected) in [
            ("sda", BlockKind::Disk),
            ("nvme0n1", BlockKind::Disk),
            ("mmcblk0boot0", BlockKind::Disk),
            ("dm-12", BlockKind::Dm),
            ("md127", BlockKind::Md),
            ("loop0", BlockKind::Loop),
            ("zram0", BlockKind::Ram),
            ("sr0", BlockKind::Rom),
            ("rbd1", BlockKind::Network),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
    }

    #[test]
    fn logical_volumes_have_a_folder() {
        assert_eq!(logical_volume("vg-root"), Some("/dev/vg/root".into()));
        assert_eq!(logical_volume("my--vg-a--b"), Some("/dev/my-vg/a-b".into()));
        assert_eq!(logical_volume("vg-lv-real"), None);
        assert_eq!(logical_volume("vg"), None);
    }
}
