//! What udev knows of block devices: its database in /run/udev/data and its links in /dev/disk.

use super::{BlockDevice, BlockKind, DISK, sysfs};
use crate::format::udev_export::Exported;
use crate::source::{At, Host, Missing, Optional, Reading, Reason};
use std::collections::HashMap;
use std::path::Path;

const DATA: &str = "/run/udev/data";

/// A link of /dev/disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// `/dev/disk/by-uuid/0a34…`, encoded as it stands there.
    pub(super) path: String,
    /// The device it leads to, by the kernel's name.
    pub(super) name: String,
}

/// The links in all folders of /dev/disk.
pub(super) fn links(host: &Host) -> Reading<Vec<Link>> {
    let mut found = Vec::new();
    for folder in host.names(DISK).optional()?.unwrap_or_default().iter().filter(|n| n.starts_with("by-")) {
        let folder = format!("{DISK}/{folder}");
        for name in host.names(&folder).optional()?.unwrap_or_default() {
            let path = format!("{folder}/{name}");
            // A link that goes away meanwhile is no link; one that is no link at all tells nothing.
            let Ok(target) = host.source.read_link(Path::new(&path)) else { continue };
            let Some(name) = target.file_name() else { continue };
            found.push(Link { name: name.to_string_lossy().into_owned(), path });
        }
    }
    Ok(found)
}

/// Whether udev keeps a database of block devices here.
pub(super) fn runs(host: &Host) -> Reading<()> {
    match host.names(DATA) {
        Ok(names) if names.iter().any(|n| n.starts_with('b')) => Ok(()),
        Ok(_) | Err(Missing::Absent) => {
            let why = "udev does not run here, so what is on the devices is not known without opening them";
            Err(Missing::unreadable(DATA, Reason::NotRead(why.into())))
        }
        Err(unreadable) => Err(unreadable),
    }
}

/// What udev's database holds of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    links: Vec<String>,
    priority: i32,
    properties: Vec<(String, String)>,
}

/// The record of the device of this number. A device without one is not known to have anything.
pub(super) fn record(host: &Host, number: Option<&str>, database: &Reading<()>) -> Reading<Known> {
    database.clone()?;
    let Some(number) = number else { return Ok(Known::default()) };
    let text = host.read_text(&format!("{DATA}/b{number}")).optional()?;
    Ok(text.map(|text| parse(&text)).unwrap_or_default())
}

/// A file of the database: a letter, a colon, a value on each line. Other letters than these are of no use here.
pub(super) fn parse(text: &str) -> Known {
    let mut known = Known::default();
    for line in text.lines() {
        match line.split_once(':') {
            Some(("S", link)) => known.links.push(format!("/dev/{link}")),
            Some(("L", priority)) => known.priority = priority.trim().parse().unwrap_or(0),
            Some(("E", property)) => {
                if let Some((key, value)) = property.split_once('=') {
                    known.properties.push((key.to_owned(), value.to_owned()));
                }
            }
            _ => {}
        }
    }
    known
}

impl Known {
    /// What was printed of the database.
    pub(super) fn of(exported: &Exported<'_>) -> Self {
        const PROPERTIES: [&str; 10] = [
            "ID_FS_UUID",
            "ID_FS_UUID_ENC",
            "ID_FS_UUID_SUB",
            "ID_FS_LABEL",
            "ID_FS_LABEL_ENC",
            "ID_FS_TYPE",
            "ID_PART_ENTRY_UUID",
            "ID_PART_ENTRY_NAME",
            "DEVTYPE",
            "DM_NAME",
        ];
        let properties =
            PROPERTIES.iter().filter_map(|key| Some(((*key).to_owned(), exported.property(key)?.to_owned())));
        Self {
            links: exported.links.iter().map(|link| format!("/dev/{link}")).collect(),
            priority: exported.priority,
            properties: properties.collect(),
        }
    }

    fn get(&self, key: &str) -> Reading<String> {
        let found = self.properties.iter().rev().find(|(k, v)| k == key && !v.is_empty());
        found.map(|(_, value)| value.clone()).ok_or(Missing::Absent)
    }

    /// A name that may hold any character: `_ENC` has it all, encoded; the plain one has had some replaced.
    fn get_name(&self, key: &str) -> Reading<String> {
        self.get(&format!("{key}_ENC")).map(|name| decode(&name)).or_else(|_| self.get(key))
    }
}

/// A device with what udev knows of it.
pub(super) fn device(
    name: &str,
    path: String,
    kind: BlockKind,
    known: Reading<Known>,
    at: At,
) -> BlockDevice {
    let get = |key: &str| known.as_ref().map_err(Clone::clone).and_then(|k| k.get(key));
    let get_name = |key: &str| known.as_ref().map_err(Clone::clone).and_then(|k| k.get_name(key));
    BlockDevice {
        name: name.to_owned(),
        path,
        number: None,
        kind,
        size_bytes: None,
        parent: None,
        uuid: get("ID_FS_UUID"),
        uuid_sub: get("ID_FS_UUID_SUB"),
        label: get_name("ID_FS_LABEL"),
        partuuid: get("ID_PART_ENTRY_UUID"),
        // Written encoded, without an `_ENC` in its name.
        partlabel: get("ID_PART_ENTRY_NAME").map(|name| decode(&name)),
        r#type: get("ID_FS_TYPE"),
        link_priority: known.as_ref().map(|k| k.priority).map_err(Clone::clone),
        links: known.map(|k| k.links),
        member: false,
        clean: None,
        errors: None,
        error_count: None,
        last_error_date: None,
        error_detail: None,
        at,
    }
}

/// Adds what only the links in /dev/disk tell: UUIDs and labels where the database is not there, and devices that
/// sysfs does not show.
pub(super) fn add_linked(devices: &mut Vec<BlockDevice>, links: &[Link]) {
    let mut positions: HashMap<String, usize> = HashMap::new();
    for (position, device) in devices.iter().enumerate() {
        positions.entry(device.name.clone()).or_insert(position);
    }
    for link in links {
        let Some((folder, value)) =
            link.path.strip_prefix(DISK).and_then(|p| p.strip_prefix('/')?.split_once('/'))
        else {
            continue;
        };
        let position = *positions.entry(link.name.clone()).or_insert_with(|| {
            let (path, kind) = (format!("/dev/{}", link.name), sysfs::kind(&link.name));
            let why = "only links in /dev/disk name this device".to_owned();
            let unknown = Err(Missing::unreadable(link.path.as_str(), Reason::NotRead(why)));
            devices.push(device(&link.name, path, kind, unknown, At::file(link.path.as_str())));
            devices.len() - 1
        });
        let Some(device) = devices.get_mut(position) else { continue };
        let field = match folder {
            "by-uuid" => &mut device.uuid,
            "by-label" => &mut device.label,
            "by-partuuid" => &mut device.partuuid,
            "by-partlabel" => &mut device.partlabel,
            _ => continue,
        };
        // The database knows better: one device may win the link that several claim.
        if !matches!(field, Ok(_) | Err(Missing::Absent)) {
            *field = Ok(decode(value));
        }
    }
}

/// udev's `\x20` back to characters.
fn decode(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match rest {
            [b'\\', b'x', high, low, ..] => hex(*high).zip(hex(*low)).map(|(h, l)| h << 4 | l),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { rest.get(4..).unwrap_or_default() } else { tail };
    }
    crate::source::text(bytes)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn udevs_encoding_is_undone() {
        assert_eq!(decode(r"my\x20disk"), "my disk");
        assert_eq!(decode(r"EFI\x20System\x20Partition"), "EFI System Partition");
        assert_eq!(decode(r"\xc3\xbc"), "ü");
        for same in [r"\x2", r"\xzz", "plain", ""] {
            assert_eq!(decode(same), same);
        }
    }

    #[test]
    fn a_record_is_read_and_oddities_are_passed_over() {
        let known = parse(
            "S:disk/by-uuid/01\nL:-100\nE:ID_FS_LABEL=my_disk\nE:ID_FS_LABEL_ENC=my\\x20disk\nE:bad\nI:1\n\0",
        );
        assert_eq!(known.links, ["/dev/disk/by-uuid/01"]);
        assert_eq!(known.priority, -100);
        assert_eq!(known.get_name("ID_FS_LABEL"), Ok("my disk".into()));
        assert_eq!(known.get("ID_FS_UUID"), Err(Missing::Absent));
        assert_eq!(parse(""), Known::default());
    }
}
