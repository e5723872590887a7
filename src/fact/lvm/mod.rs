//! LVM's volume groups, as LVM wrote them down last.

use super::Fact;
use crate::model::Partial;
use crate::record;
use crate::source::{At, FileKind, Host, Missing, Reading};
use std::path::Path;

#[cfg(test)]
mod tests;

use crate::source::lvm_metadata::{self, Section, Value};

const BACKUP: &str = "/etc/lvm/backup";

record! {
    /// The volume groups of LVM, as /etc/lvm/backup has them: LVM writes that anew with every change, and when it finds it to be out
    /// of date.
    ///
    /// ```text
    /// /etc/lvm/backup/data   data {
    ///                            physical_volumes {
    ///                                pv0 {
    ///                                    id = "5n3lo9-S52y-3rTQ-3rP5-zfEC-irkg-OSRL3n"
    ///                                    device = "/dev/sdb"     # Hint only
    ///                                    flags = ["MISSING"]
    /// ```
    ///
    /// Source: vgcfgbackup(8), lvmsystemid(7), lib/format_text of LVM2. Groups that are shared by several hosts may be newer on disk. Only
    /// root may read it. Absent without LVM, and where it has no group.
    #[bare(groups)]
    pub struct Lvm {
        /// The groups, by the names of their files.
        pub groups: Partial<VolumeGroup>,
    }
}

record! {
    /// A volume group.
    #[derive(Clone, PartialEq)]
    pub struct VolumeGroup {
        /// Its name.
        pub name: String,
        /// Its physical volumes.
        pub physical_volumes: Vec<PhysicalVolume>,
        /// The names of its logical volumes.
        pub logical_volumes: Vec<String>,
        /// Where it was read.
        pub at: At,
    }
}

record! {
    /// A physical volume of a group.
    #[derive(Clone, PartialEq)]
    pub struct PhysicalVolume {
        /// Its UUID, as udev's ID_FS_UUID has it.
        pub uuid: String,
        /// The device it was on when this was written.
        pub device: String,
        /// Whether LVM itself did not find it, and wrote that down (flag MISSING).
        pub missing: bool,
        /// Where it was read.
        pub at: At,
    }
}

impl Fact for Lvm {
    const NAME: &'static str = "lvm";
    const READS: &'static [&'static str] = &["/etc/lvm/backup/*"];

    fn collect(host: &Host) -> Reading<Self> {
        let mut groups = Partial::default();
        for entry in host.source.list(Path::new(BACKUP))? {
            let name = entry.name.to_string_lossy();
            // What LVM writes a group to before it renames it.
            if entry.kind == FileKind::Directory || name.starts_with(".lvm_") {
                continue;
            }
            let path = format!("{BACKUP}/{name}");
            groups.add(host.read_text(&path).and_then(|text| {
                parse(&text, &path).ok_or_else(|| Missing::garbled(&path, "describes no volume group"))
            }));
        }
        match groups {
            Partial { ref items, ref unread } if items.is_empty() && unread.is_empty() => {
                Err(Missing::Absent)
            }
            groups => Ok(Self { groups }),
        }
    }
}

/// The groups of a file: one, as LVM writes it.
fn parse(text: &str, path: &str) -> Option<Vec<VolumeGroup>> {
    let file = lvm_metadata::parse(text)?;
    let groups: Option<Vec<_>> = file.sections().map(|(name, section)| group(name, section, path)).collect();
    groups.filter(|groups| !groups.is_empty())
}

fn group(name: &str, section: &Section<'_>, path: &str) -> Option<VolumeGroup> {
    let below = |name: &str| section.section(name).into_iter().flat_map(Section::sections);
    let physical = |(_, section): (&str, &Section<'_>)| {
        let flags = ["flags", "status"].into_iter().filter_map(|key| section.value(key));
        Some(PhysicalVolume {
            uuid: section.value("id")?.text()?.to_owned(),
            device: section.value("device").and_then(Value::text).unwrap_or_default().to_owned(),
            missing: flags.flat_map(Value::texts).any(|flag| flag == "MISSING"),
            at: At::line(path, section.line),
        })
    };
    let physical_volumes: Option<Vec<_>> = below("physical_volumes").map(physical).collect();
    Some(VolumeGroup {
        name: name.to_owned(),
        physical_volumes: physical_volumes.filter(|volumes| !volumes.is_empty())?,
        logical_volumes: below("logical_volumes").map(|(name, _)| name.to_owned()).collect(),
        at: At::line(path, section.line),
    })
}
