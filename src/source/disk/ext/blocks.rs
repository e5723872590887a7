//! Where the blocks of a file are: extents, or the older blocks that list blocks.

use super::garbled;
use super::inode::Inode;
use super::volume::Volume;
use crate::source::Reason;
use crate::source::disk::checksum::crc32c_on;
use crate::source::disk::field::{le16, le32};
use std::collections::HashMap;
use std::rc::Rc;

/// Blocks of a file that lie one behind the other.
pub(super) struct Run {
    /// The first of them; none if they are a hole.
    pub(super) at: Option<u64>,
    /// How many they are, at least one.
    pub(super) length: u64,
}

/// Where the blocks of one file are.
pub(super) struct Map<'a> {
    volume: &'a Volume,
    inode: &'a Inode,
    /// Blocks of the map that were read.
    nodes: HashMap<u64, Rc<Vec<u8>>>,
}

/// How many blocks of a map are held at once.
const HELD: usize = 64;

/// An extent, or an entry that leads to a deeper node.
const ENTRY: usize = 12;
const HEADER: usize = 12;

impl<'a> Map<'a> {
    pub(super) fn new(volume: &'a Volume, inode: &'a Inode) -> Self {
        Self { volume, inode, nodes: HashMap::new() }
    }

    /// Where the file's block is, and how many behind it lie behind it too.
    pub(super) fn run(&mut self, block: u64) -> Result<Run, Reason> {
        let run = if self.inode.has_extents() { self.extent(block)? } else { self.listed(block)? };
        match run.at {
            Some(at) if at.saturating_add(run.length) > self.volume.layout.blocks || at == 0 => {
                self.damaged("leads out of the file system")
            }
            _ => Ok(run),
        }
    }

    fn damaged<T>(&self, what: &str) -> Result<T, Reason> {
        garbled(format!("inode {} is damaged: the map of its blocks {what}", self.inode.number))
    }

    /// A block of the map; `check` says what is wrong with it.
    fn node(
        &mut self,
        at: u64,
        check: impl Fn(&[u8]) -> Option<&'static str>,
    ) -> Result<Rc<Vec<u8>>, Reason> {
        if let Some(node) = self.nodes.get(&at) {
            return Ok(node.clone());
        }
        if at == 0 || at >= self.volume.layout.blocks {
            return self.damaged("leads out of the file system");
        }
        let node = self.volume.block(at)?;
        if let Some(wrong) = check(&node) {
            return self.damaged(wrong);
        }
        if self.nodes.len() >= HELD {
            self.nodes.clear();
        }
        let node = Rc::new(node);
        self.nodes.insert(at, node.clone());
        Ok(node)
    }

    /// By the tree of extents.
    fn extent(&mut self, block: u64) -> Result<Run, Reason> {
        let root = &self.inode.block;
        if let Some(wrong) = wrong_with(root, None) {
            return self.damaged(wrong);
        }
        let mut depth = le16(root, 6)?;
        let mut node = Rc::new(root.to_vec());
        // Where the next extent begins, and a hole ends at the latest. A file has 2^32 blocks at most.
        let mut limit = 1_u64 << 32;
        if block >= limit {
            return self.damaged("ends too early");
        }
        loop {
            // The last entry that begins at the block or before.
            let count = usize::from(le16(&node, 2)?);
            let (mut low, mut high) = (0, count);
            while low < high {
                let middle = (low + high) / 2;
                match u64::from(le32(&node, HEADER + middle * ENTRY)?) <= block {
                    true => low = middle + 1,
                    false => high = middle,
                }
            }
            if low < count {
                limit = limit.min(le32(&node, HEADER + low * ENTRY)?.into());
            }
            let Some(index) = low.checked_sub(1) else { return Ok(Run { at: None, length: limit - block }) };
            let entry = HEADER + index * ENTRY;
            if depth == 0 {
                let first = u64::from(le32(&node, entry)?);
                let (length, unwritten) = match u64::from(le16(&node, entry + 4)?) {
                    length @ 0..=0x8000 => (length, false),
                    length => (length - 0x8000, true),
                };
                let at = u64::from(le32(&node, entry + 8)?) | u64::from(le16(&node, entry + 6)?) << 32;
                let inside = block - first;
                if length == 0 || first + length > limit {
                    return self.damaged("has extents that overlap");
                }
                return Ok(match inside < length {
                    true => {
                        Run { at: (!unwritten).then_some(at.saturating_add(inside)), length: length - inside }
                    }
                    false => Run { at: None, length: limit - block },
                });
            }
            depth -= 1;
            let child = u64::from(le32(&node, entry + 4)?) | u64::from(le16(&node, entry + 8)?) << 32;
            let seed = self.volume.layout.has_checksums().then_some(self.inode.seed);
            node = self.node(child, |bytes| wrong_with(bytes, Some((depth, seed))))?;
        }
    }

    /// By lists of blocks: twelve in the inode, then one, two and three levels deep.
    fn listed(&mut self, block: u64) -> Result<Run, Reason> {
        const DIRECT: u64 = 12;
        let per = u64::from(self.volume.layout.block_size / 4);
        if block < DIRECT {
            return coalesced(&self.inode.block, block, DIRECT);
        }
        let mut inside = block - DIRECT;
        let mut span = per;
        for level in 0..3_u64 {
            if inside >= span {
                inside -= span;
                span = span.saturating_mul(per);
                continue;
            }
            let mut list = u64::from(le32(&self.inode.block, ((DIRECT + level) * 4) as usize)?);
            while list != 0 {
                let node = self.node(list, |_| None)?;
                span /= per;
                if span == 1 {
                    return coalesced(&node, inside, per);
                }
                list = u64::from(le32(
                    &node,
                    usize::try_from(inside / span).unwrap_or(usize::MAX).saturating_mul(4),
                )?);
                inside %= span;
            }
            return Ok(Run { at: None, length: span - inside });
        }
        self.damaged("ends too early")
    }
}

/// From an entry of a list of blocks on, as many as lie one behind the other.
fn coalesced(list: &[u8], index: u64, end: u64) -> Result<Run, Reason> {
    let entry = |index: u64| {
        le32(list, usize::try_from(index).unwrap_or(usize::MAX).saturating_mul(4)).map(u64::from)
    };
    let first = entry(index)?;
    let mut length = 1;
    while index + length < end && entry(index + length)? == if first == 0 { 0 } else { first + length } {
        length += 1;
    }
    Ok(Run { at: (first != 0).then_some(first), length })
}

/// What is wrong with a node of a tree of extents, whose depth and seed of checksums are known unless it is the root.
fn wrong_with(node: &[u8], inner: Option<(u16, Option<u32>)>) -> Option<&'static str> {
    let number = |at| le16(node, at).unwrap_or(0);
    let (count, most, depth) = (usize::from(number(2)), usize::from(number(4)), number(6));
    if number(0) != 0xf30a {
        return Some("is none");
    }
    let end = HEADER + most * ENTRY;
    if count > most || end > node.len() {
        return Some("has more entries than there is room for");
    }
    match inner {
        None if depth > 5 => return Some("is deeper than it can be"),
        Some((expected, _)) if depth != expected => return Some("is not as deep as it says"),
        Some((_, Some(seed))) => {
            let covered = node.get(..end).unwrap_or_default();
            if le32(node, end).ok() != Some(crc32c_on(seed, covered)) {
                return Some("has a wrong checksum");
            }
        }
        _ => {}
    }
    let first_block = |entry: &[u8]| le32(entry, 0).unwrap_or(0);
    let entries = node.get(HEADER..HEADER + count * ENTRY).unwrap_or_default();
    let sorted = entries.chunks_exact(ENTRY).map(first_block).is_sorted_by(|a, b| a < b);
    (!sorted).then_some("is not in order")
}
