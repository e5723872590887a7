//! Directories: names, short and long, and what belongs to them.

use super::garbled;
use super::layout::Volume;
use crate::source::disk::field::{le16, le32};
use crate::source::{Entry, FileKind, Reason};
use jiff::civil::Date;
use jiff::{Span, tz::Offset};
use std::ffi::OsString;

/// A file or a directory.
#[derive(Clone, Debug)]
pub(super) struct Item {
    attributes: u8,
    /// Its first cluster; 0 for an empty file, and for a root directory that is none.
    pub(super) first: u32,
    /// In bytes; 0 for a directory.
    length: u32,
    pub(super) mtime: i64,
}

/// An item and its names.
#[derive(Debug)]
pub(super) struct Named {
    item: Item,
    /// The long name; the short one if it has no other.
    name: String,
    short: String,
}

const READ_ONLY: u8 = 0x1;
const VOLUME: u8 = 0x8;
const DIRECTORY: u8 = 0x10;
/// What the attributes of a piece of a long name are.
const LONG: u8 = 0xf;

const ENTRY: usize = 32;

/// The most bytes that a directory may have.
const SIZE_CAP: usize = 65536 * ENTRY;

/// A long name has at most so many characters of 16 bits, in pieces of 13.
const NAME_CAP: usize = 255;
const PIECE: usize = 13;

/// What the bytes from 0x80 on are in a short name: code page 437, Linux's default.
const CODE_PAGE: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
                         αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

impl Item {
    pub(super) fn root(volume: &Volume) -> Self {
        Self { attributes: DIRECTORY, first: volume.root, length: 0, mtime: 0 }
    }

    pub(super) fn is_directory(&self) -> bool {
        self.attributes & DIRECTORY != 0
    }

    pub(super) fn kind(&self) -> FileKind {
        if self.is_directory() { FileKind::Directory } else { FileKind::File }
    }

    /// Linux does not care of it in a directory.
    pub(super) fn is_read_only(&self) -> bool {
        self.attributes & READ_ONLY != 0 && !self.is_directory()
    }

    /// In bytes; of a directory those of its clusters.
    pub(super) fn size(&self, volume: &Volume) -> Result<u64, Reason> {
        match (self.is_directory(), volume.fixed_root) {
            (false, _) => Ok(self.length.into()),
            (true, Some((_, size))) if self.first == 0 => Ok(size.into()),
            _ => {
                let mut size = 0;
                volume.chain(self.first, |_| {
                    size += u64::from(volume.cluster_size);
                    Ok(true)
                })?;
                Ok(size)
            }
        }
    }

    /// A part of a file.
    pub(super) fn read_at(&self, volume: &Volume, offset: u64, length: usize) -> Result<Vec<u8>, Reason> {
        let left = u64::from(self.length).saturating_sub(offset);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(length);
        let mut bytes = Vec::new();
        if length == 0 {
            return Ok(bytes);
        }
        let size = u64::from(volume.cluster_size);
        let mut start = 0;
        volume.chain(self.first, |cluster| {
            let from = offset.saturating_sub(start).min(size);
            let part = usize::try_from(size - from).unwrap_or(usize::MAX).min(length - bytes.len());
            let held = bytes.len();
            bytes.resize(held + part, 0);
            volume.fill(volume.place(cluster) + from, bytes.get_mut(held..).unwrap_or_default())?;
            start += size;
            Ok(bytes.len() < length)
        })?;
        match bytes.len() < length {
            true => garbled("the chain of clusters is shorter than the file"),
            false => Ok(bytes),
        }
    }

    /// The bytes of a directory.
    fn bytes(&self, volume: &Volume) -> Result<Vec<u8>, Reason> {
        let mut bytes = Vec::new();
        let mut more = |at: u64, size: u32| {
            let held = bytes.len();
            bytes.resize(held + size as usize, 0);
            let part = bytes.get_mut(held..).unwrap_or_default();
            volume.fill(at, part)?;
            // An entry that begins with zero is behind the last one.
            let ended = part.chunks_exact(ENTRY).any(|entry| entry.first() == Some(&0));
            match !ended && bytes.len() >= SIZE_CAP {
                true => garbled("the directory is damaged: it has more entries than it can"),
                false => Ok(!ended),
            }
        };
        match volume.fixed_root {
            Some((at, size)) if self.first == 0 => more(at, size).map(|_| ())?,
            _ => volume.chain(self.first, |cluster| more(volume.place(cluster), volume.cluster_size))?,
        }
        Ok(bytes)
    }
}

/// What has this name in the directory, in whatever case.
pub(super) fn find(directory: &[Named], name: &[u8]) -> Option<Item> {
    // As DOS did it, dots at the end do not count.
    let length = name.iter().rposition(|&byte| byte != b'.').map_or(0, |at| at + 1);
    let wanted = name.get(..length).unwrap_or_default();
    let is = |known: &str| known.as_bytes().eq_ignore_ascii_case(wanted);
    directory.iter().find(|named| is(&named.name) || is(&named.short)).map(|named| named.item.clone())
}

/// All entries of the directory.
pub(super) fn list(directory: &[Named]) -> Vec<Entry> {
    let entry = |named: &Named| Entry { name: OsString::from(&named.name), kind: named.item.kind() };
    directory.iter().map(entry).collect()
}

/// Reads a directory.
pub(super) fn read(volume: &Volume, directory: &Item) -> Result<Vec<Named>, Reason> {
    named(&directory.bytes(volume)?)
}

fn named(bytes: &[u8]) -> Result<Vec<Named>, Reason> {
    let mut all = Vec::new();
    let mut long = Long::default();
    for entry in bytes.chunks_exact(ENTRY) {
        let Some((raw, [attributes, lower, ..])) = entry.split_first_chunk::<11>() else { continue };
        match raw.first() {
            Some(0) => break,
            Some(0xe5) => {
                long = Long::default();
                continue;
            }
            _ => {}
        }
        if attributes & 0x3f == LONG {
            long.take(entry)?;
            continue;
        }
        let pieces = std::mem::take(&mut long);
        if attributes & VOLUME != 0 || raw.starts_with(b". ") || raw.starts_with(b".. ") {
            continue;
        }
        let short = short_name(raw, *lower);
        let name = pieces.name(raw).unwrap_or_else(|| short.clone());
        if name.is_empty() || name.contains(['/', '\0']) {
            return garbled("the directory is damaged: it has names that cannot be");
        }
        let item = Item {
            attributes: *attributes,
            first: u32::from(le16(entry, 0x14)?) << 16 | u32::from(le16(entry, 0x1a)?),
            length: le32(entry, 0x1c)?,
            mtime: seconds(le16(entry, 0x18)?, le16(entry, 0x16)?),
        };
        if item.is_directory() && item.first == 0 {
            return garbled("the directory is damaged: one below it has no clusters");
        }
        all.push(Named { item, name, short });
    }
    Ok(all)
}

/// A long name that is put together from its end to its beginning.
#[derive(Default)]
struct Long {
    units: Vec<u16>,
    /// The number of the piece that comes next; 0 if the name is whole.
    missing: u8,
    /// That of the short name that it belongs to.
    checksum: Option<u8>,
}

impl Long {
    fn take(&mut self, entry: &[u8]) -> Result<(), Reason> {
        let (number, checksum) = (entry.first().copied().unwrap_or(0), entry.get(13).copied());
        let (last, number) = (number & 0x40 != 0, number & 0x1f);
        if last {
            *self = Self { units: Vec::new(), missing: number, checksum };
        }
        if number == 0 || number != self.missing || checksum != self.checksum {
            // The name that follows then has a short name alone.
            *self = Self::default();
            return Ok(());
        }
        let mut piece = Vec::with_capacity(PIECE + self.units.len());
        for at in (1..11).step_by(2).chain((14..26).step_by(2)).chain((28..32).step_by(2)) {
            piece.push(le16(entry, at)?);
        }
        piece.append(&mut self.units);
        self.units = piece;
        self.missing -= 1;
        Ok(())
    }

    /// The name, if it is whole and belongs to this short one.
    fn name(&self, short: &[u8; 11]) -> Option<String> {
        let sum = short.iter().fold(0_u8, |sum, &byte| sum.rotate_right(1).wrapping_add(byte));
        if self.missing > 0 || self.units.is_empty() || self.checksum != Some(sum) {
            return None;
        }
        let end = self.units.iter().position(|&unit| unit == 0).unwrap_or(self.units.len());
        let units = self.units.get(..end).filter(|units| (1..=NAME_CAP).contains(&units.len()))?;
        Some(String::from_utf16_lossy(units))
    }
}

/// `NAME    EXT` as `NAME.EXT`; what is to be shown in small letters is.
fn short_name(raw: &[u8; 11], lower: u8) -> String {
    let shown = |part: &[u8], lower: bool| {
        let text: String = part.iter().map(|&byte| character(byte)).collect();
        let text = text.trim_end_matches(' ').to_string();
        if lower { text.to_lowercase() } else { text }
    };
    let (base, extension) = raw.split_at(8);
    let mut base = base.to_vec();
    // The byte that would say that the entry is free.
    if let Some(first @ 0x05) = base.first_mut() {
        *first = 0xe5;
    }
    let (base, extension) = (shown(&base, lower & 0x8 != 0), shown(extension, lower & 0x10 != 0));
    if extension.is_empty() { base } else { format!("{base}.{extension}") }
}

fn character(byte: u8) -> char {
    match byte.checked_sub(0x80) {
        None => char::from(byte),
        Some(high) => CODE_PAGE.chars().nth(high.into()).unwrap_or(char::REPLACEMENT_CHARACTER),
    }
}

/// Seconds since 1970 of a date (years since 1980, month, day) and a time (hour, minute, pairs of seconds).
fn seconds(date: u16, time: u16) -> i64 {
    let part = |value: u16, shift: u32, bits: u32| i64::from(value >> shift & ((1 << bits) - 1));
    let month = Date::new(
        i16::try_from(1980 + part(date, 9, 7)).unwrap_or(1980),
        i8::try_from(part(date, 5, 4).clamp(1, 12)).unwrap_or(1),
        1,
    );
    let days = Span::new().days(part(date, 0, 5).max(1) - 1);
    let Some(day) = month.ok().and_then(|month| month.checked_add(days).ok()) else { return 0 };
    let midnight = Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).map_or(0, |midnight| midnight.as_second());
    midnight + part(time, 11, 5) * 3600 + part(time, 5, 6) * 60 + part(time, 0, 5) * 2
}
