//! The journal, where it was not yet written to its places: what it holds goes before what the blocks themselves do.
//!
//! As the kernel's jbd2 recovers it, in three passes: find the end of what was committed, gather what was revoked, take the rest.

use super::blocks::Map;
use super::garbled;
use super::inode::Inode;
use super::volume::Volume;
use crate::source::Reason;
use crate::source::disk::checksum::{START, crc32c_on};
use crate::source::disk::field::{be16, be32, le16, le32};
use std::collections::{BTreeMap, HashMap};

/// Blocks that the journal has newer contents of.
#[derive(Debug, Default)]
pub(super) struct Log {
    blocks: BTreeMap<u64, Logged>,
    seed: u32,
    fast_commits: bool,
}

/// Contents of a block that are in the journal.
#[derive(Debug)]
struct Logged {
    /// The block that has them.
    at: u64,
    /// Whether they begin with what every block of a journal begins with, and have zeros there.
    escaped: bool,
    sequence: u32,
    checksum: Checksum,
}

#[derive(Debug)]
enum Checksum {
    None,
    Low(u16),
    Whole(u32),
}

const MAGIC: u32 = 0xc03b_3998;

/// Features of a journal without which it cannot be read.
const REVOKE: u32 = 0x1;
const IS_64BIT: u32 = 0x2;
const CSUM_V2: u32 = 0x8;
const CSUM_V3: u32 = 0x10;
const FAST_COMMIT: u32 = 0x20;

/// A journal's superblock, and the way to its blocks.
struct Journal<'a> {
    volume: &'a Volume,
    map: Map<'a>,
    features: u32,
    /// Its first block that is no superblock, and that behind its last.
    first: u64,
    end: u64,
    seed: u32,
}

/// What was committed: what it writes, what it revokes and by which transaction, and the number of the one that would come next.
type Committed = (Vec<Tag>, HashMap<u64, u32>, u32);

/// What a transaction says of one block.
struct Tag {
    block: u64,
    logged: Logged,
}

impl Log {
    /// Reads the journal in this inode.
    pub(super) fn read(volume: &Volume, inode: &Inode) -> Result<Self, Reason> {
        let mut map = Map::new(volume, inode);
        let Some(at) = map.run(0)?.at else { return garbled("is not there") };
        let block = volume.block(at)?;
        let head = block.get(..1024).unwrap_or_default();
        let kind = be32(head, 4)?;
        if be32(head, 0)? != MAGIC || !(3..=4).contains(&kind) || be32(head, 0xc)? != volume.layout.block_size
        {
            return garbled("is damaged: it does not begin as a journal does");
        }
        // The first version had no features.
        let features = if kind == 4 { be32(head, 0x28)? } else { 0 };
        let known = REVOKE | IS_64BIT | CSUM_V2 | CSUM_V3 | FAST_COMMIT;
        if features & !known != 0 {
            return Err(Reason::NotRead(format!("has features that are not known here ({features:#x})")));
        }
        let checked = features & (CSUM_V2 | CSUM_V3) != 0;
        if checked {
            let mut covered = head.to_vec();
            covered.get_mut(0xfc..0x100).unwrap_or_default().fill(0);
            if head.get(0x50) != Some(&4) || crc32c_on(START, &covered) != be32(head, 0xfc)? {
                return garbled("is damaged: the checksum of its superblock is wrong");
            }
        }
        let (length, first, start) = (be32(head, 0x10)?, be32(head, 0x14)?, be32(head, 0x1c)?);
        let fast = match (features & FAST_COMMIT, be32(head, 0x54)?) {
            (0, _) => 0,
            (_, 0) => 256,
            (_, count) => count,
        };
        let end = length.saturating_sub(fast);
        let there = inode.size / u64::from(volume.layout.block_size);
        if u64::from(length) > there || there > volume.layout.blocks || first == 0 || first >= end {
            return garbled("is damaged: its sizes do not fit together");
        }
        if start == 0 {
            // All is written to its place.
            return Ok(Self::default());
        }
        if start < first || start >= end {
            return garbled("is damaged: its sizes do not fit together");
        }
        let seed = crc32c_on(START, head.get(0x30..0x40).unwrap_or_default());
        let mut journal = Journal { volume, map, features, first: first.into(), end: end.into(), seed };
        let (tags, revoked, next) = journal.committed(start.into(), be32(head, 0x18)?)?;
        let mut log = Self { blocks: BTreeMap::new(), seed, fast_commits: false };
        for Tag { block, logged } in tags {
            // Whatever was written before it was revoked, or along with that, is not to be.
            if revoked.get(&block).is_none_or(|&by| after(logged.sequence, by)) {
                log.blocks.insert(block, logged);
            }
        }
        log.fast_commits = fast > 0 && journal.has_fast_commits(next)?;
        Ok(log)
    }

    /// The next block behind this one that is in it.
    pub(super) fn next(&self, number: u64) -> Option<u64> {
        self.blocks.range(number + 1..).next().map(|(next, _)| *next)
    }

    pub(super) fn has_fast_commits(&self) -> bool {
        self.fast_commits
    }

    /// The contents of the block; none if it is not in the journal.
    pub(super) fn block(&self, volume: &Volume, number: u64) -> Result<Option<Vec<u8>>, Reason> {
        let Some(logged) = self.blocks.get(&number) else { return Ok(None) };
        let size = u64::from(volume.layout.block_size);
        let mut block = vec![0; volume.layout.block_size as usize];
        volume.fill_unlogged(logged.at.saturating_mul(size), &mut block)?;
        let sum = || crc32c_on(crc32c_on(self.seed, &logged.sequence.to_be_bytes()), &block);
        let right = match logged.checksum {
            Checksum::None => true,
            Checksum::Low(low) => sum() & 0xffff == u32::from(low),
            Checksum::Whole(whole) => sum() == whole,
        };
        if !right {
            return garbled(format!(
                "the journal is damaged: what it has of block {number} has a wrong checksum"
            ));
        }
        if logged.escaped {
            block.get_mut(..4).unwrap_or_default().copy_from_slice(&MAGIC.to_be_bytes());
        }
        Ok(Some(block))
    }
}

/// Whether one transaction comes after another; their numbers wrap.
fn after(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed() > 0
}

impl Journal<'_> {
    /// Where a block of the journal is.
    fn at(&mut self, number: u64) -> Result<u64, Reason> {
        match self.map.run(number)?.at {
            Some(at) => Ok(at),
            None => garbled("is damaged: it has holes"),
        }
    }

    /// Goes through all that was committed.
    fn committed(&mut self, start: u64, sequence: u32) -> Result<Committed, Reason> {
        let (mut tags, mut revoked) = (Vec::new(), HashMap::new());
        let (mut open_tags, mut open_revoked) = (Vec::new(), Vec::new());
        let (mut at, mut sequence) = (start, sequence);
        // A log is no longer than its journal.
        let mut left = self.end - self.first;
        while left > 0 {
            let place = self.at(at)?;
            let block = self.volume.block(place)?;
            if be32(&block, 0)? != MAGIC || be32(&block, 8)? != sequence {
                break;
            }
            let mut used = 1;
            match be32(&block, 4)? {
                1 if self.tail_is_right(&block)? => {
                    for (number, escaped, checksum) in self.tags(&block)? {
                        let behind = self.wrapped(at + used);
                        used += 1;
                        let logged = Logged { at: self.at(behind)?, escaped, sequence, checksum };
                        open_tags.push(Tag { block: number, logged });
                    }
                }
                2 if self.commit_is_right(&block)? => {
                    tags.append(&mut open_tags);
                    revoked.extend(open_revoked.drain(..).map(|block| (block, sequence)));
                    sequence = sequence.wrapping_add(1);
                }
                5 if self.tail_is_right(&block)? => open_revoked.extend(self.revoked(&block)?),
                // What is no block of a journal, or was not written whole, ends it.
                _ => break,
            }
            left = left.saturating_sub(used);
            at = self.wrapped(at + used);
        }
        Ok((tags, revoked, sequence))
    }

    /// Behind its end the log goes on at its beginning.
    fn wrapped(&self, number: u64) -> u64 {
        if number < self.end { number } else { (number - self.end + self.first).min(self.end - 1) }
    }

    fn has_checksums(&self) -> bool {
        self.features & (CSUM_V2 | CSUM_V3) != 0
    }

    /// Whether the checksum in the last four bytes is right.
    fn tail_is_right(&self, block: &[u8]) -> Result<bool, Reason> {
        let Some((covered, tail)) = block.split_last_chunk::<4>() else { return Ok(false) };
        let sum = || crc32c_on(crc32c_on(self.seed, covered), &[0; 4]);
        Ok(!self.has_checksums() || sum() == u32::from_be_bytes(*tail))
    }

    fn commit_is_right(&self, block: &[u8]) -> Result<bool, Reason> {
        let mut covered = block.to_vec();
        covered.get_mut(16..20).unwrap_or_default().fill(0);
        Ok(!self.has_checksums() || crc32c_on(self.seed, &covered) == be32(block, 16)?)
    }

    /// What a descriptor says of the blocks behind it.
    fn tags(&self, block: &[u8]) -> Result<Vec<(u64, bool, Checksum)>, Reason> {
        let (v2, v3) = (self.features & CSUM_V2 != 0, self.features & CSUM_V3 != 0);
        let wide = self.features & IS_64BIT != 0;
        let size = match v3 {
            true => 16,
            false => 8 + if wide { 4 } else { 0 } + if v2 { 2 } else { 0 },
        };
        let end = block.len() - if self.has_checksums() { 4 } else { 0 };
        let mut tags = Vec::new();
        let mut at = 12;
        while at + size <= end {
            let flags = if v3 { be32(block, at + 4)? } else { be16(block, at + 6)?.into() };
            let high = if wide { u64::from(be32(block, at + 8)?) } else { 0 };
            let checksum = match (v3, v2) {
                (true, _) => Checksum::Whole(be32(block, at + 12)?),
                (_, true) => Checksum::Low(be16(block, at + 4)?),
                _ => Checksum::None,
            };
            tags.push((u64::from(be32(block, at)?) | high << 32, flags & 1 != 0, checksum));
            // The journal's UUID follows, unless it is that of the tag before; and this may be the last one.
            at += size + if flags & 2 == 0 { 16 } else { 0 };
            if flags & 8 != 0 {
                break;
            }
        }
        Ok(tags)
    }

    /// The blocks that a block of revocations names.
    fn revoked(&self, block: &[u8]) -> Result<Vec<u64>, Reason> {
        let size = if self.features & IS_64BIT != 0 { 8 } else { 4 };
        let used = usize::try_from(be32(block, 12)?).unwrap_or(usize::MAX);
        let Some(entries) = block.get(16..used) else {
            return garbled("is damaged: it revokes more than it can");
        };
        let number = |entry: &[u8]| entry.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        Ok(entries.chunks_exact(size).map(number).collect())
    }

    /// Whether fast commits follow the transaction before this one.
    fn has_fast_commits(&mut self, next: u32) -> Result<bool, Reason> {
        const HEAD: u16 = 9;
        let place = self.at(self.end)?;
        let block = self.volume.block(place)?;
        // The kernel takes the block behind the first one for fast commits as the first.
        let second = match self.at(self.end + 1) {
            Ok(place) => self.volume.block(place)?,
            Err(_) => Vec::new(),
        };
        let begins = |block: &[u8]| le16(block, 0) == Ok(HEAD) && le32(block, 8) == Ok(next);
        Ok(begins(&block) || begins(&second))
    }
}
