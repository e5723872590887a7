//! Where the contents of a file are: extents, listed in its inode or in a B+tree that is rooted there.

use super::blocks::Blocks;
use super::checksum;
use super::geometry::Geometry;
use super::inode::{Format, Inode};
use crate::source::Reason;
use crate::source::disk::number::{be16, be32, be64};
use std::ops::Range;

/// Blocks of a file that follow one another in the volume too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// The first of them, counted in the file.
    pub(super) first: u64,
    pub(super) count: u64,
    /// Where they begin in the volume, in bytes.
    pub(super) place: u64,
    /// Allocated, but never written: reads as zeros.
    pub(super) unwritten: bool,
}

/// The most blocks of a tree that are looked at for one answer. Each lists a hundred extents and more.
const MOST_NODES: u32 = 1 << 16;

/// The extents of the file that hold any of the blocks `wanted`, in order.
pub(super) fn extents(
    blocks: &Blocks,
    geometry: &Geometry,
    inode: &Inode,
    wanted: Range<u64>,
) -> Result<Vec<Extent>, Reason> {
    let mut search =
        Search { blocks, geometry, inode, wanted, found: Vec::new(), end: 0, nodes_left: MOST_NODES };
    let fork = inode.fork.as_slice();
    match inode.format {
        Format::Extents => {
            let len = usize::try_from(inode.extents).ok().and_then(|n| n.checked_mul(16));
            let records = len.and_then(|len| fork.get(..len));
            search.leaf(
                records.ok_or_else(|| search.damaged("it lists more extents than fit"))?,
                0..u64::MAX,
            )?;
        }
        Format::Btree => {
            let root = node(fork, 4, be16(fork, 2), (fork.len().saturating_sub(4)) / 16);
            let level = be16(fork, 0).filter(|level| (1..=9).contains(level));
            let (Some(root), Some(level)) = (root, level) else {
                return Err(search.damaged("the root of its extents makes no sense"));
            };
            search.descend(&root, level, 0..u64::MAX)?;
        }
        Format::Device | Format::Local => return Err(search.damaged("it has no extents")),
    }
    Ok(search.found)
}

/// A node's first blocks (in the file) of what is below it, and the blocks where that is listed.
type Node = Vec<(u64, u64)>;

/// Keys and pointers, of which there is room for `most` from `at` on.
fn node(bytes: &[u8], at: usize, count: Option<u16>, most: usize) -> Option<Node> {
    let count = usize::from(count?);
    let pointers = at.checked_add(most.checked_mul(8)?)?;
    let found: Option<Node> =
        (0..count).map(|n| Some((be64(bytes, at + n * 8)?, be64(bytes, pointers + n * 8)?))).collect();
    found.filter(|found| (1..=most).contains(&count) && found.is_sorted_by(|(a, _), (b, _)| a < b))
}

struct Search<'a> {
    blocks: &'a Blocks,
    geometry: &'a Geometry,
    inode: &'a Inode,
    wanted: Range<u64>,
    found: Vec<Extent>,
    /// Where the last extent that was seen ends: the next one cannot begin before.
    end: u64,
    nodes_left: u32,
}

impl Search<'_> {
    fn damaged(&self, what: &str) -> Reason {
        Reason::Garbled(format!("the extents of inode {} are damaged: {what}", self.inode.number))
    }

    /// The records of a leaf, all of which lie in `within`.
    fn leaf(&mut self, records: &[u8], within: Range<u64>) -> Result<(), Reason> {
        for record in records.as_chunks::<16>().0 {
            let bits = u128::from_be_bytes(*record);
            let field = |shift: u32, width: u32| ((bits >> shift) & ((1 << width) - 1)) as u64;
            let (first, block, count) = (field(73, 54), field(21, 52), field(0, 21));
            let end = first + count;
            if count == 0 || first < self.end.max(within.start) || end > within.end || end > 1 << 54 {
                return Err(self.damaged("they overlap, or are not in order"));
            }
            self.end = end;
            let place = self.geometry.place(block, count);
            let place = place.ok_or_else(|| self.damaged("one lies outside the file system"))?;
            if first < self.wanted.end && end > self.wanted.start {
                self.found.push(Extent { first, count, place, unwritten: bits >> 127 != 0 });
            }
        }
        Ok(())
    }

    /// What of the node, which is on this level above the leaves and all of which lies in `within`, may hold what is wanted.
    fn descend(&mut self, node: &Node, level: u16, within: Range<u64>) -> Result<(), Reason> {
        let ends = node.iter().skip(1).map(|(key, _)| *key).chain([within.end]);
        for (&(start, block), end) in node.iter().zip(ends) {
            if start < within.start || end > within.end {
                return Err(self.damaged("their tree is not in order"));
            }
            if start < self.wanted.end && end > self.wanted.start {
                self.block(block, level - 1, start..end)?;
            }
        }
        Ok(())
    }

    fn block(&mut self, number: u64, level: u16, within: Range<u64>) -> Result<(), Reason> {
        self.nodes_left =
            self.nodes_left.checked_sub(1).ok_or_else(|| self.damaged("their tree has no end"))?;
        let place = self.geometry.place(number, 1);
        let place = place.ok_or_else(|| self.damaged("their tree lies partly outside the file system"))?;
        let block = self.blocks.metadata(place, self.geometry.block_size() as usize)?;
        let bad = |what: &str| {
            self.damaged(&format!("block {} of their tree {what}", place >> self.geometry.block_log))
        };
        let header = if self.geometry.v5 { 72 } else { 24 };
        if be32(&block, 0) != Some(if self.geometry.v5 { 0x424d_4133 } else { 0x424d_4150 }) {
            return Err(bad("is none"));
        }
        if self.geometry.v5 {
            if !checksum::is_right(&block, 64) {
                return Err(bad("has a wrong checksum"));
            }
            if be64(&block, 24) != Some(place >> 9)
                || block.get(40..56) != Some(&self.geometry.uuid)
                || be64(&block, 56) != Some(self.inode.number)
            {
                return Err(bad("belongs to something else"));
            }
        }
        if be16(&block, 4) != Some(level) {
            return Err(bad("is on another level"));
        }
        let count = be16(&block, 6);
        let most = (block.len() - header) / 16;
        if level == 0 {
            let len = count.map(|count| usize::from(count) * 16);
            let records = len.and_then(|len| block.get(header..header.checked_add(len)?));
            return self.leaf(records.ok_or_else(|| bad("lists more than fits"))?, within);
        }
        let node = node(&block, header, count, most).ok_or_else(|| bad("is not in order"))?;
        self.descend(&node, level, within)
    }
}
