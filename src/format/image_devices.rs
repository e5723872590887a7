//! The devices of a disk image, as the source answers the question about them.

use super::udev_link;
use std::collections::BTreeMap;

/// A device of a disk image: the disk, a partition or a logical volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageDevice {
    fields: BTreeMap<String, String>,
}

/// Whether there is a device of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Is {
    /// It is in the image.
    There,
    /// It is not.
    Missing,
    /// An image cannot tell, and why.
    Unknown(String),
}

/// Reads the answer to [`Question::BlockDevices`](crate::source::Question::BlockDevices); lines that are no field are passed over.
pub fn parse(text: &str) -> Vec<ImageDevice> {
    let mut devices = Vec::new();
    let mut device = ImageDevice::default();
    for line in text.lines().chain([""]) {
        match line.split_once('=') {
            Some((key, value)) => {
                device.fields.insert(key.to_owned(), unescape(value));
            }
            None if line.is_empty() && !device.fields.is_empty() => devices.push(std::mem::take(&mut device)),
            None => {}
        }
    }
    devices
}

/// Undoes what `blkid -o export` does: a backslash before a character, `\x0a` for a byte.
fn unescape(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (byte, behind) = match (first, tail) {
            (b'\\', [b'x', high, low, behind @ ..]) => match digit(*high).zip(digit(*low)) {
                Some((high, low)) => (high << 4 | low, behind),
                None => (b'x', tail.get(1..).unwrap_or_default()),
            },
            (b'\\', [escaped, behind @ ..]) => (*escaped, behind),
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = behind;
    }
    crate::source::text(bytes)
}

impl ImageDevice {
    /// A field, by its key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields.get(key).map(String::as_str)
    }

    /// Whether others are made of it, of which the image does not tell.
    fn hides_others(&self) -> bool {
        self.get("UNREAD").is_some()
            || (self.get("MEMBER").is_some() && self.get("TYPE") != Some("LVM2_member"))
    }

    /// Its name: `disk1` for the first partition, `vg/root`.
    pub fn name(&self) -> &str {
        self.get("DEVNAME").unwrap_or_default()
    }

    /// The path that device-mapper gives a logical volume: dashes in the names of group and volume are doubled.
    pub fn mapper_path(&self) -> Option<String> {
        let doubled = |key: &str| self.get(key).map(|name| name.replace('-', "--"));
        Some(format!("/dev/mapper/{}-{}", doubled("VG_NAME")?, doubled("LV_NAME")?))
    }

    /// The links that udev will make to it whatever the machine is, by what the image holds; those of logical volumes too.
    pub fn links(&self) -> Vec<String> {
        // 60-persistent-storage.rules make none for what is a member of something.
        let is_used = !self.get("TYPE").is_some_and(|held| held.ends_with("_member"));
        let used = |key: &str| self.get(key).filter(|_| is_used);
        let tags = [
            ("by-uuid", used("UUID")),
            ("by-label", used("LABEL")),
            ("by-partuuid", self.get("PARTUUID")),
            ("by-partlabel", self.get("PARTLABEL")),
        ];
        let link = |(folder, value): (&str, Option<&str>)| {
            value.map(|value| format!("/dev/disk/{folder}/{}", udev_link::encode(value)))
        };
        let mut links: Vec<String> = tags.into_iter().filter_map(link).collect();
        links.extend(self.mapper_path());
        if let Some((group, volume)) = self.get("VG_NAME").zip(self.get("LV_NAME")) {
            links.push(format!("/dev/{group}/{volume}"));
        }
        links
    }
}

/// Folders in /dev that are not a volume group's.
const FOLDERS: [&str; 16] = [
    "asm", "block", "bsg", "bus", "cciss", "char", "disk", "drbd", "etherd", "ida", "loop", "mapper", "md",
    "rbd", "rd", "zvol",
];

/// Whether there will be a device of this path in /dev.
pub fn find(devices: &[ImageDevice], path: &str) -> Is {
    if devices.iter().any(|device| device.links().iter().any(|link| link == path)) {
        return Is::There;
    }
    let depends = || {
        Is::Unknown(format!("whether there is a {path} depends on the machine that the image will run on"))
    };
    let Some(name) = path.strip_prefix("/dev/") else { return depends() };
    let parts: Vec<&str> = name.split('/').collect();
    let is_told = match parts.as_slice() {
        ["disk", "by-uuid" | "by-label" | "by-partuuid" | "by-partlabel", _] => true,
        // Of another shape are the names of multipath and encrypted devices.
        ["mapper", volume] => volume.replace("--", "").contains('-'),
        [group, _] => !FOLDERS.contains(group),
        _ => false,
    };
    if !is_told {
        return depends();
    }
    match devices.iter().find(|device| device.hides_others()) {
        None => Is::Missing,
        Some(device) => {
            let name = device.name();
            let why = match (device.get("UNREAD"), device.get("TYPE")) {
                (Some(why), _) => format!("{name} cannot be read: {why}"),
                (None, held) => {
                    format!("what {name} ({}) holds is not to be seen", held.unwrap_or("unknown"))
                }
            };
            Is::Unknown(format!("{path} is not to be seen in the image, and {why}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "DEVNAME=disk\nSIZE=1024\nDEVTYPE=disk\n\nDEVNAME=disk1\nPARTUUID=1a2b-01\nPARTLABEL=EFI\\ System\n\
                          TYPE=ext4\nUUID=0a34\nLABEL=a\\x0ab\\$\\\\\n\nDEVNAME=disk2\nTYPE=LVM2_member\nMEMBER=yes\nUUID=abc\n\n\
                          DEVNAME=my-vg/root\nDEVTYPE=lvm\nVG_NAME=my-vg\nLV_NAME=root\nTYPE=xfs\nUUID=0b\n\n";

    #[test]
    fn fields_are_read_and_their_escapes_undone() {
        let devices = parse(ANSWER);
        assert_eq!(devices.len(), 4);
        assert_eq!(devices[1].get("LABEL"), Some("a\nb$\\"));
        let links = [
            "/dev/disk/by-uuid/0a34",
            "/dev/disk/by-label/a\\x0ab\\x24\\x5c",
            "/dev/disk/by-partuuid/1a2b-01",
        ];
        assert_eq!(devices[1].links()[..3], links);
        assert_eq!(devices[2].links(), [""; 0]);
        assert_eq!(
            devices[3].links(),
            ["/dev/disk/by-uuid/0b", "/dev/mapper/my--vg-root", "/dev/my-vg/root"]
        );
    }

    #[test]
    fn what_an_image_cannot_tell_is_unknown() {
        let devices = parse(ANSWER);
        for there in [
            "/dev/disk/by-uuid/0a34",
            "/dev/disk/by-partlabel/EFI\\x20System",
            "/dev/my-vg/root",
            "/dev/mapper/my--vg-root",
        ] {
            assert_eq!(find(&devices, there), Is::There, "{there}");
        }
        for missing in [
            "/dev/disk/by-uuid/0A34",
            "/dev/disk/by-uuid/abc",
            "/dev/mapper/vg-root",
            "/dev/my-vg/home",
            "/dev/vg/root",
        ] {
            assert_eq!(find(&devices, missing), Is::Missing, "{missing}");
        }
        for unknown in [
            "/dev/vda1",
            "/dev/disk/by-id/x",
            "/dev/mapper/cryptroot",
            "/dev/mapper/my--crypt",
            "/dev/md/0",
            "/dev/cciss/c0d0",
            "x",
        ] {
            assert!(matches!(find(&devices, unknown), Is::Unknown(_)), "{unknown}");
        }
    }

    #[test]
    fn what_is_hidden_may_be_it() {
        for hidden in ["TYPE=crypto_LUKS\nMEMBER=yes\n", "UNREAD=input/output\\ error\n"] {
            let devices = parse(&format!("{ANSWER}DEVNAME=disk3\n{hidden}"));
            assert_eq!(find(&devices, "/dev/disk/by-uuid/0a34"), Is::There);
            assert!(
                matches!(find(&devices, "/dev/disk/by-uuid/01"), Is::Unknown(why) if why.contains("disk3"))
            );
        }
    }

    #[test]
    fn garbage_is_no_device() {
        for text in ["", "\n\n", "\0\u{fffd}", "DEVNAME", "\\x\n"] {
            assert_eq!(parse(text), [], "{text:?}");
        }
        assert_eq!(parse("LABEL=\\xzz\\")[0].get("LABEL"), Some("xzz\\"));
    }
}
