//! What of a disk may hold a file system: the whole, its partitions, and the logical volumes on them.

mod export;
mod gpt;
mod lvm;
mod mapped;
mod mbr;
mod table;

#[cfg(test)]
mod tests;

#[allow(unused_imports)]
pub(super) use export::export;

use super::superblock::{self, Superblock};
use crate::source::bytes::{Bytes, Slice};
use std::fmt;
use std::sync::Arc;
use table::{Slot, Table};

/// A stretch of bytes that may hold a file system.
#[derive(Clone, Debug)]
pub(super) struct Volume {
    /// Its name: `disk`, `disk1` for the first partition, `vg/root` for a logical volume. What the kernel will call a disk depends
    /// on the machine.
    pub(super) name: String,
    /// The name of what it is a part of: of a partition the disk, of a logical volume the group's first physical volume.
    pub(super) parent: Option<String>,
    /// Its bytes.
    pub(super) bytes: Arc<dyn Bytes>,
    /// Its size in bytes.
    pub(super) size: u64,
    /// What it is.
    pub(super) is: VolumeKind,
    /// What it holds; none if nothing that is known, or it cannot be read.
    pub(super) holds: Option<Superblock>,
    /// Why it is not known what it holds, where it, its partition table or its metadata of LVM cannot be read.
    pub(super) unread: Option<String>,
}

/// What a volume is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum VolumeKind {
    /// The whole disk.
    Disk,
    /// A partition.
    Partition {
        /// Its number, from 1; logical ones of an MBR from 5.
        number: u32,
        /// Its UUID, in small letters: that of a GPT, or `1a2b3c4d-01` made of the MBR's disk signature.
        uuid: Option<String>,
        /// Its name, which only a GPT has.
        label: Option<String>,
        /// Its type: the UUID of a GPT's, in small letters, or `0x83` of an MBR.
        r#type: String,
    },
    /// A logical volume of LVM2.
    Logical {
        /// Its group's name.
        group: String,
        /// Its own name.
        name: String,
    },
}

/// Something of a disk that is not as it should be, or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// The name of the volume, or of the volume group.
    pub(super) volume: String,
    /// What is wrong with it, as a sentence without its end.
    pub(super) what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.volume, self.what)
    }
}

/// More volumes no honest disk has: the kernel numbers 255 partitions, and few groups have a hundred volumes.
const MOST: usize = 1024;

/// The name of the whole disk.
const DISK: &str = "disk";

/// The disk, its partitions and the logical volumes on it, each with what it holds, and what is wrong with them.
///
/// Only the places of tables, metadata and superblocks are read. A disk whose length is not known before it is read to its end is
/// taken for as long as its table says.
pub(super) fn volumes(disk: Arc<dyn Bytes>) -> (Vec<Volume>, Vec<Damage>) {
    let mut found = Found::default();
    let size = disk.known_len().unwrap_or(u64::MAX);
    found.add(DISK.to_owned(), None, disk.clone(), size, VolumeKind::Disk);
    match table(&*disk, size) {
        Ok(Some(table)) => found.partitions(&disk, size, table),
        Ok(None) => {}
        Err(error) => found.unread(DISK, format!("its partition table cannot be read: {error}")),
    }
    found.logical_volumes();
    (found.volumes, found.damages)
}

/// The partition table, if there is one. A GPT goes before the MBR that guards it.
fn table(disk: &dyn Bytes, size: u64) -> std::io::Result<Option<Table>> {
    let mut boot = [0; 512];
    let n = disk.read_at(0, &mut boot)?;
    if n < boot.len() {
        return Ok(None);
    }
    let boot = mbr::BootSector::parse(&boot);
    match gpt::read(disk, size, boot.as_ref())? {
        Some(table) => Ok(Some(table)),
        None => boot.map(|boot| mbr::read(disk, &boot)).transpose(),
    }
}

#[derive(Default)]
struct Found {
    volumes: Vec<Volume>,
    damages: Vec<Damage>,
}

impl Found {
    fn damage(&mut self, volume: &str, what: String) {
        self.damages.push(Damage { volume: volume.to_owned(), what });
    }

    /// The same of a volume that may hold what is not seen.
    fn unread(&mut self, volume: &str, what: String) {
        for known in self.volumes.iter_mut().filter(|known| known.name == volume) {
            known.unread.get_or_insert_with(|| what.clone());
        }
        self.damage(volume, what);
    }

    /// Adds a volume, and looks what it holds.
    fn add(
        &mut self,
        name: String,
        parent: Option<String>,
        bytes: Arc<dyn Bytes>,
        size: u64,
        is: VolumeKind,
    ) {
        let (holds, unread) = match superblock::probe(&*bytes, size) {
            Ok(holds) => (holds, None),
            Err(error) => (None, Some(error.to_string())),
        };
        if let Some(why) = &unread {
            self.damage(&name, format!("what it holds cannot be read: {why}"));
        }
        self.volumes.push(Volume { name, parent, bytes, size, is, holds, unread });
    }

    fn partitions(&mut self, disk: &Arc<dyn Bytes>, size: u64, table: Table) {
        let is_lost = table.slots.is_empty();
        for fault in table.faults {
            match is_lost {
                true => self.unread(DISK, fault),
                false => self.damage(DISK, fault),
            }
        }
        if is_lost {
            return;
        }
        // A disk with partitions holds these; what lies before the first is left from an earlier use. But discs that also start from a
        // USB stick have a table inside of their first sectors.
        if let Some(whole) = self.volumes.first_mut()
            && whole.holds.as_ref().is_some_and(|held| held.kind != "iso9660")
        {
            whole.holds = None;
        }
        for (one, other) in table::overlaps(&table.slots) {
            self.damage(DISK, format!("partitions {one} and {other} overlap"));
        }
        for slot in table.slots {
            let Slot { number, start, len, is_extended, .. } = slot;
            let name = format!("{DISK}{number}");
            let end = start.saturating_add(len);
            if end > size {
                let beyond = end - size;
                self.damage(&name, format!("it ends {beyond} bytes beyond the disk: the image is cut short, or the table is that of another disk"));
            }
            let is =
                VolumeKind::Partition { number, uuid: slot.uuid, label: slot.label, r#type: slot.r#type };
            let bytes = Arc::new(Slice { of: disk.clone(), start, len });
            let parent = Some(DISK.to_owned());
            if is_extended {
                self.volumes.push(Volume { name, parent, bytes, size: len, is, holds: None, unread: None });
            } else {
                self.add(name, parent, bytes, len, is);
            }
        }
    }

    fn logical_volumes(&mut self) {
        let is_physical = |v: &&Volume| v.holds.as_ref().is_some_and(|held| held.kind == "LVM2_member");
        let physical: Vec<Volume> = self.volumes.iter().filter(is_physical).cloned().collect();
        let (logical, damages) = lvm::read(&physical);
        for Damage { volume, what } in damages {
            self.unread(&volume, what);
        }
        let most = MOST.saturating_sub(self.volumes.len());
        if logical.len() > most {
            self.damage(
                DISK,
                format!("it has {} logical volumes, of which {most} are looked at", logical.len()),
            );
        }
        for volume in logical.into_iter().take(most) {
            let lvm::Logical { group, name, parent, size, bytes } = volume;
            let (whole, is) = (format!("{group}/{name}"), VolumeKind::Logical { group, name });
            match bytes {
                Ok(bytes) => self.add(whole, parent, bytes, size, is),
                Err(why) => {
                    self.damage(&whole, why.clone());
                    let bytes = Arc::new(mapped::Unread(why.clone()));
                    self.volumes.push(Volume {
                        name: whole,
                        parent,
                        bytes,
                        size,
                        is,
                        holds: None,
                        unread: Some(why),
                    });
                }
            }
        }
    }
}
