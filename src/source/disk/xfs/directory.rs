//! Directories in all their forms. The names are in the inode itself, or in blocks; the index of hashes that larger ones have
//! behind those is not needed to read them all.

use super::blocks::Blocks;
use super::checksum;
use super::fork;
use super::geometry::Geometry;
use super::inode::{Format, Inode};
use crate::source::disk::file_type::kind;
use crate::source::disk::number::{be16, be32, be64};
use crate::source::{FileKind, LIST_CAP, Reason};
use std::collections::HashMap;

/// Where the index begins, in bytes of the directory (`XFS_DIR2_LEAF_OFFSET`): all names are before.
const INDEX: u64 = 32 << 30;

/// The most bytes of names: more than [`LIST_CAP`] of the longest ones take.
const MOST_BYTES: u64 = 300 << 20;

/// A directory that has been read.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// The inode of the directory that it is in (`..`).
    pub(super) parent: u64,
    /// What its names lead to, but for `.` and `..`: an inode, and of which kind where the directory says that.
    pub(super) names: HashMap<Vec<u8>, (u64, FileKind)>,
}

impl Directory {
    /// Reads the directory.
    pub(super) fn read(blocks: &Blocks, geometry: &Geometry, inode: &Inode) -> Result<Self, Reason> {
        if inode.format == Format::Local {
            return short(&inode.fork, inode.stat.size as usize, geometry.ftype)
                .unwrap_or(Err("a name goes beyond its end"))
                .map_err(|what| damaged(inode, what));
        }
        let mut found = Found::default();
        let size = 1_usize << (geometry.block_log + geometry.dir_block_log);
        let data = data_blocks(blocks, geometry, inode)?;
        let only = data.len() == 1;
        for (number, pieces) in data {
            let mut block = Vec::with_capacity(size);
            for place in &pieces {
                block.extend(blocks.metadata(*place, geometry.block_size() as usize)?);
            }
            let bad = |what: &str| damaged(inode, &format!("block {number} of it {what}"));
            let names =
                data_block(&block, geometry, inode.number, pieces.first().copied(), only).map_err(bad)?;
            found.add(names, geometry.ftype).unwrap_or(Err("holds a name beyond its end")).map_err(bad)?;
            if found.directory.names.len() > LIST_CAP {
                return Err(Reason::TooMany(LIST_CAP));
            }
        }
        if found.itself != Some(inode.number) {
            return Err(damaged(inode, "its name for itself leads elsewhere"));
        }
        found.directory.parent =
            found.parent.ok_or_else(|| damaged(inode, "it has no name for its parent"))?;
        Ok(found.directory)
    }
}

fn damaged(inode: &Inode, what: &str) -> Reason {
    Reason::Garbled(format!("the directory of inode {} is damaged: {what}", inode.number))
}

type Parsed<T> = Result<T, &'static str>;

/// A directory in the inode itself.
fn short(fork: &[u8], size: usize, ftype: bool) -> Option<Parsed<Directory>> {
    let fork = fork.get(..size)?;
    let (count, wide) = (*fork.first()?, *fork.get(1)? != 0);
    let number = |at: usize| if wide { be64(fork, at) } else { be32(fork, at).map(u64::from) };
    let width = if wide { 8 } else { 4 };
    let mut directory = Directory { parent: number(2)?, ..Directory::default() };
    let mut at = 2 + width;
    for _ in 0..count {
        // The length of the name, two bytes of what readdir(3) tells as position, the name.
        let name_at = at + 3;
        let name_end = name_at + usize::from(*fork.get(at)?);
        let kind_len = usize::from(ftype);
        let kind = if ftype { kind(*fork.get(name_end)?) } else { FileKind::Other };
        let inode = number(name_end + kind_len)?;
        if let Err(what) = directory.add(fork.get(name_at..name_end)?, inode, kind) {
            return Some(Err(what));
        }
        at = name_end + kind_len + width;
    }
    Some(if at == fork.len() { Ok(directory) } else { Err("it has more bytes than names") })
}

impl Directory {
    /// How much memory it takes, about.
    pub(super) fn size(&self) -> usize {
        self.names.keys().map(|name| name.len() + 80).sum()
    }

    fn add(&mut self, name: &[u8], inode: u64, kind: FileKind) -> Parsed<()> {
        // As the kernel has it (`xfs_dir2_namecheck`); a name twice would hide a file from it.
        if name.is_empty() || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
            return Err("holds a name that none can be");
        }
        match self.names.insert(name.into(), (inode, kind)) {
            None => Ok(()),
            Some(_) => Err("holds a name twice"),
        }
    }
}

/// The blocks of names, by their number, and where in the volume their pieces are: a block of a directory is one or several of
/// the file system's, which need not follow one another.
fn data_blocks(blocks: &Blocks, geometry: &Geometry, inode: &Inode) -> Result<Vec<(u64, Vec<u64>)>, Reason> {
    let index = INDEX >> geometry.block_log;
    let extents = fork::extents(blocks, geometry, inode, 0..index)?;
    let count: u64 = extents.iter().map(|extent| extent.count).sum();
    if count << geometry.block_log > MOST_BYTES {
        return Err(Reason::TooMany(LIST_CAP));
    }
    let mut found: Vec<(u64, Vec<u64>)> = Vec::new();
    for extent in extents {
        for n in 0..extent.count {
            let block = extent.first + n;
            let (number, piece) =
                (block >> geometry.dir_block_log, block & ((1 << geometry.dir_block_log) - 1));
            let place = extent.place + (n << geometry.block_log);
            match found.last_mut() {
                Some((last, pieces)) if *last == number && pieces.len() as u64 == piece => pieces.push(place),
                _ if piece == 0 => found.push((number, vec![place])),
                _ => return Err(damaged(inode, &format!("block {number} of it is not whole"))),
            }
        }
    }
    match found.iter().find(|(_, pieces)| pieces.len() != 1 << geometry.dir_block_log) {
        Some((number, _)) => Err(damaged(inode, &format!("block {number} of it is not whole"))),
        None => Ok(found),
    }
}

/// The part of the block that holds names, and where in the block it begins.
fn data_block<'a>(
    block: &'a [u8],
    geometry: &Geometry,
    owner: u64,
    place: Option<u64>,
    only: bool,
) -> Parsed<(usize, &'a [u8])> {
    // "XDB3", "XDD3", "XD2B", "XD2D". The only block of a directory may have the index at its end.
    let (indexed, header) = match (geometry.v5, be32(block, 0)) {
        (true, Some(0x5844_4233)) if only => (true, 64),
        (true, Some(0x5844_4433)) => (false, 64),
        (false, Some(0x5844_3242)) if only => (true, 16),
        (false, Some(0x5844_3244)) => (false, 16),
        _ => return Err("is none"),
    };
    if geometry.v5 {
        if !checksum::is_right(block, 4) {
            return Err("has a wrong checksum");
        }
        if be64(block, 8) != place.map(|place| place >> 9)
            || block.get(24..40) != Some(&geometry.uuid)
            || be64(block, 40) != Some(owner)
        {
            return Err("belongs to something else");
        }
    }
    let end = if indexed {
        let count = block.len().checked_sub(8).and_then(|at| be32(block, at)).unwrap_or(u32::MAX);
        usize::try_from(count).ok().and_then(|n| block.len().checked_sub(n.checked_add(1)?.checked_mul(8)?))
    } else {
        Some(block.len())
    };
    let names = end.and_then(|end| block.get(header..end)).ok_or("has no room for its index")?;
    Ok((header, names))
}

#[derive(Default)]
struct Found {
    directory: Directory,
    itself: Option<u64>,
    parent: Option<u64>,
}

impl Found {
    /// The names of a block, one after another up to its end; each knows where in the block it begins.
    fn add(&mut self, (header, names): (usize, &[u8]), ftype: bool) -> Option<Parsed<()>> {
        let mut at = 0;
        while at < names.len() {
            let rest = names.get(at..)?;
            let free = be16(rest, 0)? == 0xffff;
            let name_len = if free { 0 } else { usize::from(*rest.get(8)?) };
            let len = match free {
                true => be16(rest, 2)?.into(),
                // The inode, the length of the name, the name, its kind, where it begins: rounded up to eights.
                false => (8 + 1 + name_len + usize::from(ftype) + 2).next_multiple_of(8),
            };
            let entry = rest.get(..len)?;
            if len < 8 || len % 8 != 0 || be16(entry, len - 2)? as usize != header + at {
                return Some(Err("holds a name that does not know its place"));
            }
            at += len;
            if free {
                continue;
            }
            let name = entry.get(9..9 + name_len)?;
            let inode = be64(entry, 0)?;
            let kind = if ftype { kind(*entry.get(9 + name_len)?) } else { FileKind::Other };
            match name {
                b"." => self.itself = Some(inode),
                b".." => self.parent = Some(inode),
                name => {
                    if let Err(what) = self.directory.add(name, inode, kind) {
                        return Some(Err(what));
                    }
                }
            }
        }
        Some(Ok(()))
    }
}
