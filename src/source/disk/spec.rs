//! From the first field of fstab(5) to the volume that it means.

use super::volume::{Volume, VolumeKind};

/// Which volume a spec means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meant<'a> {
    /// This one.
    Volume(&'a Volume),
    /// One that is not in the image.
    Missing,
    /// No device: the server of a network file system, `tmpfs`, a directory.
    NoDevice,
}

/// The volume of this image that `spec` means, its escapes decoded.
///
/// What the kernel calls a disk depends on the machine. The first disk of any kind is taken for the image, as there is no other.
pub(super) fn meant<'a>(spec: &str, volumes: &'a [Volume]) -> Meant<'a> {
    let found = match spec.split_once('=') {
        Some((tag @ ("UUID" | "LABEL" | "PARTUUID" | "PARTLABEL"), value)) => {
            by_tag(tag, value.trim_matches('"'), volumes)
        }
        _ => match spec.strip_prefix("/dev/") {
            Some(name) => by_name(name, volumes),
            None => return Meant::NoDevice,
        },
    };
    found.map_or(Meant::Missing, Meant::Volume)
}

fn by_tag<'a>(tag: &str, value: &str, volumes: &'a [Volume]) -> Option<&'a Volume> {
    let holds = |volume: &Volume, what: fn(&super::superblock::Superblock) -> &Option<String>| {
        volume.holds.as_ref().is_some_and(|holds| what(holds).as_deref() == Some(value))
    };
    volumes.iter().find(|volume| match tag {
        // UUIDs of FAT are written in capitals; others come in both.
        "UUID" => volume
            .holds
            .as_ref()
            .and_then(|holds| holds.uuid.as_deref())
            .is_some_and(|uuid| uuid.eq_ignore_ascii_case(value)),
        "LABEL" => holds(volume, |holds| &holds.label),
        "PARTUUID" => match &volume.is {
            VolumeKind::Partition { uuid: Some(uuid), .. } => uuid.eq_ignore_ascii_case(value),
            _ => false,
        },
        "PARTLABEL" => {
            matches!(&volume.is, VolumeKind::Partition { label: Some(label), .. } if label == value)
        }
        _ => false,
    })
}

/// By its path below /dev.
fn by_name<'a>(name: &str, volumes: &'a [Volume]) -> Option<&'a Volume> {
    for (directory, tag) in [
        ("disk/by-uuid/", "UUID"),
        ("disk/by-label/", "LABEL"),
        ("disk/by-partuuid/", "PARTUUID"),
        ("disk/by-partlabel/", "PARTLABEL"),
    ] {
        if let Some(value) = name.strip_prefix(directory) {
            return by_tag(tag, &unescape(value), volumes);
        }
    }
    let logical = |group: &str, wanted: &str| {
        volumes.iter().find(
            |volume| matches!(&volume.is, VolumeKind::Logical { group: g, name } if g == group && name == wanted),
        )
    };
    if let Some(mapped) = name.strip_prefix("mapper/") {
        return volumes.iter().find(|volume| match &volume.is {
            VolumeKind::Logical { group, name } => mapped == mapper_name(group, name),
            _ => false,
        });
    }
    if let Some((group, wanted)) = name.split_once('/') {
        return logical(group, wanted);
    }
    let number = partition_of_first_disk(name)?;
    volumes.iter().find(|volume| match (&volume.is, number) {
        (VolumeKind::Partition { number, .. }, Some(wanted)) => *number == wanted,
        (VolumeKind::Disk, None) => true,
        _ => false,
    })
}

/// The name of a logical volume in /dev/mapper: hyphens in its parts are doubled.
fn mapper_name(group: &str, name: &str) -> String {
    format!("{}-{}", group.replace('-', "--"), name.replace('-', "--"))
}

/// The number of the partition that a name means of the first disk, or none for the whole of it.
fn partition_of_first_disk(name: &str) -> Option<Option<u32>> {
    // Disks are lettered, and their partitions follow at once; or numbered, and `p` comes between.
    for disk in ["sda", "vda", "xvda", "hda"] {
        if let Some(rest) = name.strip_prefix(disk) {
            return if rest.is_empty() { Some(None) } else { rest.parse().ok().map(Some) };
        }
    }
    for disk in ["nvme0n1", "mmcblk0", "pmem0"] {
        if let Some(rest) = name.strip_prefix(disk) {
            return if rest.is_empty() { Some(None) } else { rest.strip_prefix('p')?.parse().ok().map(Some) };
        }
    }
    None
}

/// A name as udev writes it in a link: `\x20` is a blank.
fn unescape(name: &str) -> String {
    let mut parts = name.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(part.bytes().skip(2));
            }
            None => bytes.extend(b"\\x".iter().copied().chain(part.bytes())),
        }
    }
    crate::source::text(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::bytes::Held;
    use crate::source::disk::superblock::{Health, Superblock};
    use std::sync::Arc;

    fn volume(name: &str, is: VolumeKind, holds: Option<(&str, &str)>) -> Volume {
        let holds = holds.map(|(uuid, label)| Superblock {
            kind: "ext4",
            uuid: Some(uuid.into()),
            label: Some(label.into()),
            uuid_sub: None,
            health: Health::default(),
        });
        let bytes = Arc::new(Held(Vec::new()));
        Volume { name: name.into(), parent: None, bytes, size: 0, is, holds, unread: None }
    }

    fn volumes() -> Vec<Volume> {
        let partition = |number| VolumeKind::Partition {
            number,
            uuid: Some(format!("1a2b3c4d-0{number}")),
            label: Some(format!("part {number}")),
            r#type: "0x83".into(),
        };
        vec![
            volume("disk", VolumeKind::Disk, None),
            volume("disk1", partition(1), Some(("ABCD-1234", "EFI"))),
            volume("disk2", partition(2), Some(("0a34-1", "my root"))),
            volume(
                "vg-a/root",
                VolumeKind::Logical { group: "vg-a".into(), name: "root".into() },
                Some(("u", "l")),
            ),
        ]
    }

    #[test]
    fn a_volume_goes_by_many_names() {
        let volumes = volumes();
        for (spec, name) in [
            ("UUID=abcd-1234", "disk1"),
            ("UUID=\"0a34-1\"", "disk2"),
            ("LABEL=my root", "disk2"),
            ("PARTUUID=1A2B3C4D-01", "disk1"),
            ("PARTLABEL=part 2", "disk2"),
            ("/dev/disk/by-label/my\\x20root", "disk2"),
            ("/dev/sda2", "disk2"),
            ("/dev/nvme0n1p1", "disk1"),
            ("/dev/vda", "disk"),
            ("/dev/mapper/vg--a-root", "vg-a/root"),
            ("/dev/vg-a/root", "vg-a/root"),
        ] {
            let Meant::Volume(volume) = meant(spec, &volumes) else { panic!("{spec} is not found") };
            assert_eq!(volume.name, name, "{spec}");
        }
        for spec in [
            "UUID=none",
            "LABEL=",
            "/dev/sdb1",
            "/dev/sda9",
            "/dev/nvme0n1x1",
            "/dev/mapper/vg-a-root",
            "/dev/",
        ] {
            assert!(matches!(meant(spec, &volumes), Meant::Missing), "{spec}");
        }
        for spec in ["tmpfs", "server:/export", "//server/share", "ZFS=a", "none", ""] {
            assert!(matches!(meant(spec, &volumes), Meant::NoDevice), "{spec}");
        }
    }
}
