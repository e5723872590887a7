//! Directories.

use super::blocks::Map;
use super::inode::Inode;
use super::volume::Volume;
use super::{garbled, name};
use crate::source::disk::checksum::crc32c_on;
use crate::source::disk::ext::layout::incompat;
use crate::source::disk::field::{le16, le32};
use crate::source::disk::file_type::kind;
use crate::source::{Entry, FileKind, LIST_CAP, Reason};

/// A directory's names, sorted.
#[derive(Debug, Default)]
pub(super) struct Directory {
    names: Vec<u8>,
    entries: Vec<Named>,
    /// What is wrong with a part of it: a name that is not among the others may be there.
    damage: Option<Reason>,
    /// Whether names are compared without regard to case.
    folds_case: bool,
}

#[derive(Debug)]
struct Named {
    start: usize,
    length: u8,
    kind: u8,
    inode: u32,
}

/// The most bytes of a directory that are read. One with [`LIST_CAP`] names of common length has 40 MB.
const SIZE_CAP: u64 = 512 << 20;

impl Directory {
    /// Reads a directory.
    pub(super) fn read(volume: &Volume, inode: &Inode) -> Result<Self, Reason> {
        if inode.is_encrypted() {
            return Err(Reason::NotRead("is encrypted: not even the names in it can be read".into()));
        }
        let mut directory = Self { folds_case: inode.folds_case(), ..Self::default() };
        let typed = volume.layout.incompat & incompat::FILETYPE != 0;
        if let Some((first, more)) = inode.inline() {
            // The first four bytes are the number of the directory above; there is no entry for `.` and `..`.
            let held = [first.get(4..).unwrap_or_default(), more];
            for part in held {
                if let Err(reason) = directory.take(part, typed, inode) {
                    directory.damage = Some(reason);
                }
            }
        } else {
            let block_size = u64::from(volume.layout.block_size);
            let blocks = inode.size / block_size;
            if inode.size > SIZE_CAP {
                return Err(Reason::TooLarge(SIZE_CAP));
            }
            if !inode.size.is_multiple_of(block_size) || inode.size == 0 || blocks > volume.layout.blocks {
                return garbled(format!(
                    "the directory (inode {}) is damaged: it has no possible size",
                    inode.number
                ));
            }
            let mut map = Map::new(volume, inode);
            for number in 0..blocks {
                let taken = directory.take_block(volume, inode, &mut map, number, typed);
                if let Err(reason) = taken {
                    directory.damage.get_or_insert(reason);
                }
                if directory.entries.len() > LIST_CAP {
                    return Err(Reason::TooMany(LIST_CAP));
                }
            }
        }
        let Self { names, entries, .. } = &mut directory;
        entries.sort_by(|a, b| of(names, a).cmp(of(names, b)));
        Ok(directory)
    }

    fn take_block(
        &mut self,
        volume: &Volume,
        inode: &Inode,
        map: &mut Map<'_>,
        number: u64,
        typed: bool,
    ) -> Result<(), Reason> {
        let damaged = |what: &str| {
            garbled(format!("the directory (inode {}) is damaged: its block {number} {what}", inode.number))
        };
        let Some(at) = map.run(number)?.at else { return damaged("is not there") };
        let block = volume.block(at)?;
        if volume.layout.has_checksums() && !checksum_is_right(&block, inode.seed, number == 0) {
            return damaged("has a wrong checksum");
        }
        self.take(&block, typed, inode).or_else(|_| damaged("has entries that make no sense"))
    }

    /// Takes the entries that these bytes hold, one behind the other.
    fn take(&mut self, block: &[u8], typed: bool, inode: &Inode) -> Result<(), Reason> {
        let mut at = 0;
        while at < block.len() {
            let entry = block.get(at..).unwrap_or_default();
            let length = match usize::from(le16(entry, 4)?) {
                // Too large for 16 bits.
                0 | 65535 if block.len() == 65536 => block.len(),
                length => length,
            };
            let (number, name_length) = (le32(entry, 0)?, entry.get(6).copied().unwrap_or(0));
            let kind = if typed { entry.get(7).copied().unwrap_or(0) } else { 0 };
            let name = entry.get(8..8 + usize::from(name_length)).unwrap_or_default();
            let possible = length >= 8 + name.len()
                && length % 4 == 0
                && length <= entry.len()
                && name.len() == usize::from(name_length);
            if !possible
                || number != 0 && (name.is_empty() || name.iter().any(|&byte| byte == 0 || byte == b'/'))
            {
                return garbled(format!(
                    "the directory (inode {}) is damaged: an entry makes no sense",
                    inode.number
                ));
            }
            if number != 0 && name != b"." && name != b".." {
                let start = self.names.len();
                self.names.extend_from_slice(name);
                self.entries.push(Named { start, length: name_length, kind, inode: number });
            }
            at += length;
        }
        Ok(())
    }

    /// The number of the inode with this name; none if there is no such name.
    pub(super) fn find(&self, wanted: &[u8]) -> Result<Option<u32>, Reason> {
        let at = self.entries.partition_point(|entry| of(&self.names, entry) < wanted);
        if let Some(found) = self.entries.get(at).filter(|entry| of(&self.names, entry) == wanted) {
            return Ok(Some(found.inode));
        }
        if self.folds_case {
            let same = |entry: &&Named| of(&self.names, entry).eq_ignore_ascii_case(wanted);
            if let Some(found) = self.entries.iter().find(same) {
                return Ok(Some(found.inode));
            }
            if !self.names.is_ascii() || !wanted.is_ascii() {
                let why = "the directory compares names as Unicode does, without regard to case, which is not done here";
                return Err(Reason::NotRead(why.into()));
            }
        }
        self.damage.clone().map_or(Ok(None), Err)
    }

    /// All entries. Where the directory does not say of which kind one is (without the feature filetype), its inode does.
    pub(super) fn entries(&self, volume: &Volume) -> Result<Vec<Entry>, Reason> {
        let entry = |entry: &Named| {
            let kind = match kind(entry.kind) {
                FileKind::Other => {
                    Inode::read(volume, entry.inode).map_or(FileKind::Other, |inode| inode.kind())
                }
                kind => kind,
            };
            Entry { name: name(of(&self.names, entry)), kind }
        };
        match &self.damage {
            Some(damage) => Err(damage.clone()),
            None => Ok(self.entries.iter().map(entry).collect()),
        }
    }

    /// How much memory it takes, about.
    pub(super) fn size(&self) -> usize {
        256 + self.names.len() + self.entries.len() * size_of::<Named>()
    }
}

fn of<'a>(names: &'a [u8], entry: &Named) -> &'a [u8] {
    names.get(entry.start..entry.start + usize::from(entry.length)).unwrap_or_default()
}

/// Whether the checksum of a directory's block is right: at its end that of entries, behind its room that of an index.
fn checksum_is_right(block: &[u8], seed: u32, first: bool) -> bool {
    let Some(tail) = block.len().checked_sub(12) else { return false };
    let number = |at| le32(block, at).unwrap_or(0);
    let short = |at| usize::from(le16(block, at).unwrap_or(0));
    // The first block of an index begins with `.`, `..` and what the index is like; the others with one entry that is free. What
    // once were entries may have left their own checksum behind at the end of an index.
    let index = match first {
        true if short(4) == 12 && short(16) == tail && block.get(29) == Some(&8) => 32,
        false
            if number(0) == 0
                && (short(4) == block.len() || block.len() == 65536 && [0, 65535].contains(&short(4))) =>
        {
            8
        }
        _ => {
            return number(tail) == 0
                && short(tail + 4) == 12
                && block.get(tail + 6..tail + 8) == Some(&[0, 0xde])
                && block.get(..tail).is_some_and(|covered| crc32c_on(seed, covered) == number(tail + 8));
        }
    };
    let (room, used) = (short(index), short(index + 2));
    let tail = index + room * 8;
    let (Some(covered), Some(reserved)) = (block.get(..index + used * 8), block.get(tail..tail + 4)) else {
        return false;
    };
    if used > room || tail + 8 > block.len() {
        return false;
    }
    let sum = crc32c_on(crc32c_on(crc32c_on(seed, covered), reserved), &[0; 4]);
    number(tail + 4) == sum
}
