//! Volume groups of LVM2: the metadata on their physical volumes, lib/format_text of LVM2.

use super::mapped::{Mapped, Piece, Place};
use super::{Damage, Volume};
use crate::source::bytes::{Bytes, read_exactly};
use crate::source::disk::checksum::crc_of_lvm;
use crate::source::disk::lvm_metadata::{self, Section, Value};
use crate::source::disk::number::{le32, le64};
use crate::source::disk::superblock::lvm_label;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

const SECTOR: u64 = 512;

/// The metadata of a thousand volumes is of some hundred KiB.
const MOST_TEXT: u64 = 16 << 20;

/// A logical volume.
pub(super) struct Logical {
    pub(super) group: String,
    pub(super) name: String,
    /// The name of the group's first physical volume that is here.
    pub(super) parent: Option<String>,
    pub(super) size: u64,
    /// Its bytes, or why they cannot be read.
    pub(super) bytes: Result<Arc<dyn Bytes>, String>,
}

/// The logical volumes on these physical volumes. Each may have a copy of its group's metadata: the newest counts.
pub(super) fn read(physical: &[Volume]) -> (Vec<Logical>, Vec<Damage>) {
    let mut damages = Vec::new();
    let mut here: HashMap<String, &Volume> = HashMap::new();
    let mut texts = Vec::new();
    for volume in physical {
        let damage = |what: String| Damage { volume: volume.name.clone(), what };
        match metadata(volume) {
            Ok(found) => {
                if here.insert(found.uuid, volume).is_some() {
                    damages.push(damage("another physical volume of the disk has the same UUID".to_owned()));
                }
                texts.extend(found.text.map(|text| (volume, text)));
            }
            Err(what) => damages.push(damage(what)),
        }
    }
    let mut groups: BTreeMap<String, Group<'_>> = BTreeMap::new();
    for (volume, text) in &texts {
        let Some(group) = Group::parse(text) else {
            let what = "its metadata describes no volume group".to_owned();
            damages.push(Damage { volume: volume.name.clone(), what });
            continue;
        };
        match groups.get_mut(&group.id) {
            Some(known) if known.version >= group.version => {}
            Some(known) => *known = group,
            None => {
                groups.insert(group.id.clone(), group);
            }
        }
    }
    let mut names = HashSet::new();
    let mut found = Vec::new();
    for group in groups.values() {
        if names.insert(group.name) {
            found.extend(group.volumes(&here));
        } else {
            let what = "another volume group of the disk has the same name".to_owned();
            damages.push(Damage { volume: group.name.to_owned(), what });
        }
    }
    (found, damages)
}

/// What a physical volume tells.
struct Metadata {
    uuid: String,
    /// Its copy of the group's metadata; none where it keeps none, and before it is in a group.
    text: Option<String>,
}

fn metadata(volume: &Volume) -> Result<Metadata, String> {
    let mut head = vec![0; 4 * 512];
    let n = volume.bytes.read_at(0, &mut head).map_err(|error| error.to_string())?;
    let label = lvm_label(head.get(..n).unwrap_or_default()).ok_or("its label of LVM is damaged")?;
    let mut why = None;
    for (start, size) in areas(label.rest) {
        match area(&*volume.bytes, start, size) {
            Ok(text) => return Ok(Metadata { uuid: label.uuid, text }),
            Err(what) => why = Some(what),
        }
    }
    match why {
        Some(what) => Err(format!("its copy of LVM's metadata cannot be read: {what}")),
        None => Ok(Metadata { uuid: label.uuid, text: None }),
    }
}

/// Start and size of each area for metadata: behind the size of the volume a list of areas for data, and one for metadata.
fn areas(header: &[u8]) -> Vec<(u64, u64)> {
    let list = |header: &[u8]| -> Vec<(u64, u64)> {
        let pair = |pair: &[u8]| Some((le64(pair, 0)?, le64(pair, 8)?));
        header.chunks_exact(16).filter_map(pair).take_while(|(start, _)| *start != 0).collect()
    };
    let data = list(header.get(8..).unwrap_or_default());
    list(header.get(8 + (data.len() + 1) * 16..).unwrap_or_default())
}

/// The text that counts in an area, which is a ring behind its first sector.
fn area(bytes: &dyn Bytes, start: u64, size: u64) -> Result<Option<String>, String> {
    let head = read_exactly(bytes, start, SECTOR as usize).map_err(|error| error.to_string())?;
    let is_area = head.get(4..20) == Some(b" LVM2 x[5A%r0N*>") && le64(&head, 24) == Some(start);
    if !is_area || Some(crc_of_lvm(head.get(4..).unwrap_or_default())) != le32(&head, 0) {
        return Err("bad checksum of the area's header".to_owned());
    }
    let field = |at: usize| le64(&head, at).unwrap_or(0);
    let (area, offset, len) = (field(32).min(size), field(40), field(48));
    let (checksum, is_ignored) = (le32(&head, 56), le32(&head, 60).unwrap_or(0) & 1 != 0);
    if len == 0 || is_ignored {
        return Ok(None);
    }
    if offset < SECTOR || offset >= area || len > area - SECTOR || len > MOST_TEXT {
        return Err("it is said to lie outside of its area".to_owned());
    }
    let piece = |at: u64, len: u64| {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        read_exactly(bytes, start.saturating_add(at), len).map_err(|error| error.to_string())
    };
    let first = len.min(area - offset);
    let mut text = piece(offset, first)?;
    text.extend(piece(SECTOR, len - first)?);
    if Some(crc_of_lvm(&text)) != checksum {
        return Err("bad checksum".to_owned());
    }
    // It ends with a zero.
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(Some(String::from_utf8_lossy(text).into_owned()))
}

/// A volume group, as a text describes it.
struct Group<'a> {
    id: String,
    name: &'a str,
    /// It grows with every change.
    version: u64,
    /// The size of its extents in bytes.
    extent: u64,
    section: Section<'a>,
}

fn number(section: &Section<'_>, key: &str) -> Option<u64> {
    section.value(key)?.text()?.parse().ok()
}

fn word<'a>(section: &'a Section<'_>, key: &str) -> Option<&'a str> {
    section.value(key)?.text()
}

impl<'a> Group<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut file = lvm_metadata::parse(text)?;
        let (name, section) = file.take_section()?;
        Some(Self {
            id: word(&section, "id")?.to_owned(),
            name: Some(name).filter(|name| is_name(name))?,
            version: number(&section, "seqno")?,
            extent: number(&section, "extent_size")?.checked_mul(SECTOR)?,
            section,
        })
    }

    fn volumes(&self, here: &HashMap<String, &Volume>) -> Vec<Logical> {
        let mut physical = HashMap::new();
        let mut parent = None;
        for (name, section) in self.sections("physical_volumes") {
            let uuid = word(section, "id").unwrap_or_default().replace('-', "");
            let volume = here.get(&uuid).copied();
            parent = parent.or_else(|| volume.map(|volume| volume.name.clone()));
            let start = number(section, "pe_start").and_then(|start| start.checked_mul(SECTOR));
            physical.insert(name, volume.zip(start));
        }
        let logical = || self.sections("logical_volumes");
        let segments = || logical().flat_map(|(_, section)| section.sections());
        // What a snapshot keeps is seen through it alone, and it is itself a volume.
        let kept: HashSet<&str> = segments().filter_map(|(_, segment)| word(segment, "cow_store")).collect();
        // A volume that goes back to what a snapshot kept is seen as that at once, though it is not yet copied.
        let merging: HashSet<&str> = segments()
            .filter(|(_, segment)| segment.value("merging_store").is_some())
            .filter_map(|(_, segment)| word(segment, "origin"))
            .collect();
        let is_visible = |section: &Section<'_>| {
            section.value("status").is_some_and(|s| s.texts().any(|flag| flag == "VISIBLE"))
        };
        logical()
            .filter(|(name, section)| is_visible(section) && is_name(name))
            .map(|(name, section)| {
                let mapped = if kept.contains(name) {
                    Err("it is a snapshot, which is not read here".to_owned())
                } else if merging.contains(name) {
                    Err("a snapshot is being merged into it, which is not read here".to_owned())
                } else {
                    self.map(section, &physical)
                };
                Logical {
                    group: self.name.to_owned(),
                    name: name.to_owned(),
                    parent: parent.clone(),
                    size: self.size(section).unwrap_or(0),
                    bytes: mapped.map(|mapped| Arc::new(mapped) as Arc<dyn Bytes>),
                }
            })
            .collect()
    }

    fn sections<'s>(&'s self, name: &str) -> impl Iterator<Item = (&'a str, &'s Section<'a>)> + use<'s, 'a> {
        self.section.section(name).into_iter().flat_map(Section::sections)
    }

    fn size(&self, section: &Section<'_>) -> Option<u64> {
        let mut extents = 0_u64;
        for (_, segment) in section.sections() {
            extents = extents.checked_add(number(segment, "extent_count")?)?;
        }
        extents.checked_mul(self.extent)
    }

    fn map(
        &self,
        section: &Section<'_>,
        physical: &HashMap<&str, Option<(&Volume, u64)>>,
    ) -> Result<Mapped, String> {
        let mut pieces = Vec::new();
        for (_, segment) in section.sections() {
            pieces.push(self.piece(segment, physical)?);
        }
        pieces.sort_by_key(|piece| piece.start);
        let mut len = 0_u64;
        for piece in &pieces {
            if piece.start != len {
                return Err("LVM's metadata has a gap in it".to_owned());
            }
            len = len.saturating_add(piece.len);
        }
        Ok(Mapped { pieces, len })
    }

    fn piece(
        &self,
        segment: &Section<'_>,
        physical: &HashMap<&str, Option<(&Volume, u64)>>,
    ) -> Result<Piece, String> {
        const MALFORMED: &str = "LVM's metadata of it is malformed";
        let kind = word(segment, "type").ok_or(MALFORMED)?;
        if kind != "striped" {
            return Err(format!("it is of LVM's kind {kind}, which is not read here"));
        }
        let bytes = |extents: u64| extents.checked_mul(self.extent).ok_or(MALFORMED);
        let count = number(segment, "extent_count").ok_or(MALFORMED)?;
        let mut words = segment.value("stripes").map(Value::texts).into_iter().flatten();
        let mut places = Vec::new();
        while let Some(name) = words.next() {
            let extent = words.next().and_then(|extent| extent.parse().ok()).ok_or(MALFORMED)?;
            let place = physical
                .get(name)
                .ok_or_else(|| format!("it lies on {name}, which is no physical volume"))?;
            let (volume, start) = place.ok_or_else(|| {
                format!("it lies also on {name}, a physical volume that is not in the image")
            })?;
            let at = bytes(extent)?.checked_add(start).ok_or(MALFORMED)?;
            places.push(Place { of: volume.bytes.clone(), at });
        }
        let chunk = number(segment, "stripe_size").unwrap_or(0).saturating_mul(SECTOR);
        if places.is_empty() || (places.len() > 1 && chunk == 0) || count == 0 {
            return Err(MALFORMED.to_owned());
        }
        let start = bytes(number(segment, "start_extent").ok_or(MALFORMED)?)?;
        Ok(Piece { start, len: bytes(count)?, places, chunk })
    }
}

/// Whether LVM allows the name, lvm(8): others could be taken for something else in a path.
fn is_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "+_.-".contains(c);
    name.chars().all(is_allowed)
        && !name.starts_with('-')
        && !matches!(name, "" | "." | "..")
        && name.len() < 128
}
