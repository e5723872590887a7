//! Inodes.

use super::blocks::Map;
use super::garbled;
use super::layout::{incompat, ro_compat};
use super::volume::Volume;
use crate::source::disk::checksum::crc32c_on;
use crate::source::disk::field::{le16, le32};
use crate::source::{FileKind, Reason, Stat};
use nix::sys::stat::makedev;

/// What an inode tells.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) number: u32,
    mode: u16,
    uid: u32,
    gid: u32,
    /// In bytes.
    pub(super) size: u64,
    /// In units of 512 bytes.
    allocated: u64,
    mtime: i64,
    flags: u32,
    /// `i_block`: a map of the blocks, or what is short enough to be kept here.
    pub(super) block: [u8; 60],
    /// Units of 512 bytes that are taken by extended attributes.
    attributes: u64,
    /// What the inode keeps of contents beside `block`.
    more: Option<Vec<u8>>,
    /// What checksums of all that belongs to it begin with.
    pub(super) seed: u32,
}

const ENCRYPT: u32 = 0x800;
const HUGE_FILE: u32 = 0x4_0000;
const EXTENTS: u32 = 0x8_0000;
const INLINE_DATA: u32 = 0x1000_0000;
const CASEFOLD: u32 = 0x4000_0000;

/// What every inode has, in bytes.
const OLD_SIZE: usize = 128;

impl Inode {
    /// The inode that a name leads to.
    pub(super) fn read(volume: &Volume, number: u32) -> Result<Self, Reason> {
        if number != super::ROOT && number < volume.layout.first_inode {
            return garbled(format!(
                "a name leads to inode {number}, which the file system keeps for itself"
            ));
        }
        Self::special(volume, number)
    }

    /// The same, if need be one that has no name.
    pub(super) fn special(volume: &Volume, number: u32) -> Result<Self, Reason> {
        let of = &volume.inode(number)?;
        let layout = &volume.layout;
        let extra = match of.len() > OLD_SIZE {
            true => usize::from(le16(of, 0x80)?),
            false => 0,
        };
        if OLD_SIZE + extra > of.len() || extra % 4 != 0 {
            return garbled(format!("inode {number} is damaged: it is larger than it can be"));
        }
        let has = |end: usize| end <= OLD_SIZE + extra && end <= of.len();
        let seed =
            crc32c_on(crc32c_on(layout.seed, &number.to_le_bytes()), of.get(0x64..0x68).unwrap_or_default());
        if layout.has_checksums() {
            let high = has(0x84);
            let mut covered = of.clone();
            covered.get_mut(0x7c..0x7e).unwrap_or_default().fill(0);
            let mut expected = u32::from(le16(of, 0x7c)?);
            let mut mask = 0xffff;
            if high {
                covered.get_mut(0x82..0x84).unwrap_or_default().fill(0);
                expected |= u32::from(le16(of, 0x82)?) << 16;
                mask = !0;
            }
            if crc32c_on(seed, &covered) & mask != expected {
                return garbled(format!("inode {number} is damaged: its checksum is wrong"));
            }
        }
        let (mode, links) = (le16(of, 0)?, le16(of, 0x1a)?);
        if mode == 0 || links == 0 {
            return garbled(format!("a name leads to inode {number}, which is not in use"));
        }
        let wide =
            |low, high| Ok::<u32, Reason>(u32::from(le16(of, low)?) | u32::from(le16(of, high)?) << 16);
        let kind = FileKind::of_mode(mode.into());
        let large = kind == FileKind::File || layout.incompat & incompat::LARGEDIR != 0;
        let size_high = if large { le32(of, 0x6c)? } else { 0 };
        let flags = le32(of, 0x20)?;
        let mut allocated = u64::from(le32(of, 0x1c)?);
        if layout.ro_compat & ro_compat::HUGE_FILE != 0 {
            allocated |= u64::from(le16(of, 0x74)?) << 32;
            if flags & HUGE_FILE != 0 {
                allocated = allocated.saturating_mul(u64::from(layout.block_size / 512));
            }
        }
        let epoch = if has(0x8c) { le32(of, 0x88)? & 3 } else { 0 };
        let inode = Self {
            number,
            mode,
            uid: wide(0x2, 0x78)?,
            gid: wide(0x18, 0x7a)?,
            size: u64::from(le32(of, 0x4)?) | u64::from(size_high) << 32,
            allocated,
            mtime: i64::from(le32(of, 0x10)?.cast_signed()) + (i64::from(epoch) << 32),
            flags,
            block: of.get(0x28..0x64).and_then(|block| block.try_into().ok()).unwrap_or([0; 60]),
            attributes: match (le32(of, 0x68)?, le16(of, 0x76)?) {
                (0, 0) => 0,
                _ => u64::from(layout.block_size / 512).saturating_mul(layout.cluster_blocks),
            },
            more: match flags & INLINE_DATA {
                0 => None,
                _ => Some(inline_data(of, OLD_SIZE + extra).ok_or_else(|| {
                    Reason::Garbled(format!(
                        "inode {number} is damaged: the contents it should hold are not there"
                    ))
                })?),
            },
            seed,
        };
        match i64::try_from(inode.size) {
            Ok(_) => Ok(inode),
            Err(_) => garbled(format!("inode {number} is damaged: it has no possible size")),
        }
    }

    pub(super) fn kind(&self) -> FileKind {
        FileKind::of_mode(self.mode.into())
    }

    pub(super) fn stat(&self) -> Stat {
        let kind = self.kind();
        let number = |at| le32(&self.block, at).unwrap_or(0);
        let rdev = match kind {
            FileKind::Block | FileKind::Character => match (number(0), number(4)) {
                (0, new) => {
                    makedev(u64::from(new >> 8 & 0xfff), u64::from(new & 0xff | new >> 12 & 0xf_ff00))
                }
                (old, _) => makedev(u64::from(old >> 8 & 0xff), u64::from(old & 0xff)),
            },
            _ => 0,
        };
        // So that nobody takes a file for a hole that the inode itself holds.
        let inline = if self.more.is_some() && kind == FileKind::File { self.size.div_ceil(512) } else { 0 };
        Stat {
            kind,
            mode: u32::from(self.mode) & 0o7777,
            uid: self.uid,
            gid: self.gid,
            size: self.size,
            allocated: self.allocated.saturating_add(inline),
            mtime: self.mtime,
            rdev,
        }
    }

    pub(super) fn has_extents(&self) -> bool {
        self.flags & EXTENTS != 0
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.flags & ENCRYPT != 0
    }

    /// Whether names in this directory are compared without regard to case.
    pub(super) fn folds_case(&self) -> bool {
        self.flags & CASEFOLD != 0
    }

    /// What the inode itself holds of its contents, in two parts; none if blocks hold them.
    pub(super) fn inline(&self) -> Option<(&[u8], &[u8])> {
        self.more.as_deref().map(|more| (&self.block[..], more))
    }

    /// A part of the contents.
    pub(super) fn read_at(&self, volume: &Volume, offset: u64, length: usize) -> Result<Vec<u8>, Reason> {
        if self.is_encrypted() {
            return Err(Reason::NotRead("is encrypted".into()));
        }
        let left = self.size.saturating_sub(offset);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(length);
        if let Some((first, more)) = self.inline() {
            // What was made longer without being written is zeros.
            let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
            return Ok(first
                .iter()
                .chain(more)
                .copied()
                .skip(skipped)
                .chain(std::iter::repeat(0))
                .take(length)
                .collect());
        }
        let block_size = u64::from(volume.layout.block_size);
        let mut map = Map::new(volume, self);
        let mut all = vec![0; length];
        let (mut at, mut rest) = (offset, all.as_mut_slice());
        while !rest.is_empty() {
            let run = map.run(at / block_size)?;
            let within = at % block_size;
            let bytes = run.length.saturating_mul(block_size).saturating_sub(within);
            let (part, behind) =
                rest.split_at_mut(usize::try_from(bytes).unwrap_or(usize::MAX).min(rest.len()));
            if let Some(block) = run.at {
                volume.fill(block.saturating_mul(block_size).saturating_add(within), part)?;
            }
            at += part.len() as u64;
            rest = behind;
        }
        Ok(all)
    }

    /// The target of a link.
    pub(super) fn target(&self, volume: &Volume) -> Result<Vec<u8>, Reason> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        // As the kernel tells them apart (`ext4_inode_is_fast_symlink`): attributes in inodes of their own count as blocks too.
        let fast = match volume.layout.incompat & incompat::EA_INODE {
            0 => self.more.is_none() && self.allocated <= self.attributes,
            _ => size < self.block.len(),
        };
        let most = if fast { self.block.len() - 1 } else { volume.layout.block_size as usize };
        if size == 0 || size > most {
            return garbled(format!("inode {} is damaged: no link can be {size} bytes long", self.number));
        }
        let target = match fast {
            _ if self.is_encrypted() => return Err(Reason::NotRead("is encrypted".into())),
            true => self.block.get(..size).unwrap_or_default().to_vec(),
            false => self.read_at(volume, 0, size)?,
        };
        match target.contains(&0) {
            true => garbled(format!("inode {} is damaged: the link's target has zeros in it", self.number)),
            false => Ok(target),
        }
    }
}

/// The value of the attribute `system.data` among those that the inode itself holds, behind this byte.
fn inline_data(of: &[u8], start: usize) -> Option<Vec<u8>> {
    let attributes = of.get(start..)?;
    if le32(attributes, 0).ok()? != 0xea02_0000 {
        return None;
    }
    let entries = attributes.get(4..)?;
    let mut at = 0_usize;
    // The list ends with four zeros.
    while le32(entries, at).ok()? != 0 {
        let name_len = usize::from(*entries.get(at)?);
        let name = entries.get(at + 16..at + 16 + name_len)?;
        if entries.get(at + 1) == Some(&7) && name == b"data" {
            let value = usize::from(le16(entries, at + 2).ok()?);
            let size = usize::try_from(le32(entries, at + 8).ok()?).ok()?;
            // With no value that needs room, there is none to point to.
            return match size {
                0 => Some(Vec::new()),
                _ => Some(entries.get(value..value.checked_add(size)?)?.to_vec()),
            };
        }
        at += 16 + name_len.next_multiple_of(4);
    }
    None
}
