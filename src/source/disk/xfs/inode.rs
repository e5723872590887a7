//! Inodes: what is known of a file besides its name and contents.

use super::blocks::Blocks;
use super::checksum;
use super::geometry::Geometry;
use crate::source::disk::number::{be16, be32, be64};
use crate::source::{FileKind, Reason, Stat};

/// Where the contents of a file are (`di_format`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A device number in the fork, or nothing at all.
    Device,
    /// In the fork itself.
    Local,
    /// In extents, which the fork lists.
    Extents,
    /// In extents, which a B+tree lists whose root is in the fork.
    Btree,
}

/// An inode, checked.
#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub(super) number: u64,
    pub(super) stat: Stat,
    pub(super) format: Format,
    /// How many extents the fork lists.
    pub(super) extents: u64,
    /// The data fork: what `format` says.
    pub(super) fork: Vec<u8>,
}

impl Inode {
    /// Reads the inode of this number, which a directory gave.
    pub(super) fn read(blocks: &Blocks, geometry: &Geometry, number: u64) -> Result<Self, Reason> {
        let damaged = |what: &str| Reason::Garbled(format!("inode {number} is damaged: {what}"));
        let place =
            geometry.inode_place(number).ok_or_else(|| damaged("it would lie outside the file system"))?;
        let bytes = blocks.metadata(place, geometry.inode_size as usize)?;
        if be16(&bytes, 0) != Some(0x494e) {
            return Err(damaged("there is none in its place"));
        }
        if geometry.v5 {
            if !checksum::is_right(&bytes, 100) {
                return Err(damaged("its checksum is wrong"));
            }
            if be64(&bytes, 152) != Some(number) || bytes.get(160..176) != Some(&geometry.uuid) {
                return Err(damaged("another one is in its place"));
            }
        }
        let inode = Self::fields(&bytes, geometry, number).ok_or_else(|| damaged("it is too short"))?;
        inode.map_err(damaged)
    }

    fn fields(bytes: &[u8], geometry: &Geometry, number: u64) -> Option<Result<Self, &'static str>> {
        let v5 = geometry.v5;
        let byte = |at: usize| bytes.get(at).copied();
        let (version, bits) = (byte(4)?, be16(bytes, 2)?);
        if !(if v5 { 3..=3 } else { 1..=2 }).contains(&version) {
            return Some(Err("its version is not that of the file system"));
        }
        let flags2 = if v5 { be64(bytes, 120)? } else { 0 };
        let (bigtime, large_counts) = (flags2 & 1 << 3 != 0, flags2 & 1 << 4 != 0);
        if be16(bytes, 90)? & 1 != 0 {
            return Some(Err("its contents are on a realtime device, which there is not"));
        }

        let core = if v5 { 176 } else { 100 };
        let literal = bytes.get(core..)?;
        let fork = match usize::from(byte(82)?) * 8 {
            0 => literal,
            len if len < literal.len() => literal.get(..len)?,
            _ => return Some(Err("its attributes begin behind its end")),
        };

        let mode = u32::from(bits);
        let kind = FileKind::of_mode(mode);
        let format = match (kind, byte(5)?) {
            (FileKind::Other, _) if mode == 0 => {
                return Some(Err("a name leads to it, but it is not in use"));
            }
            (FileKind::Fifo | FileKind::Socket | FileKind::Block | FileKind::Character, 0) => Format::Device,
            (FileKind::Directory | FileKind::Link, 1) => Format::Local,
            (FileKind::Directory | FileKind::Link | FileKind::File, 2) => Format::Extents,
            (FileKind::Directory | FileKind::Link | FileKind::File, 3) => Format::Btree,
            _ => return Some(Err("its contents are not where those of such a file can be")),
        };
        let size = be64(bytes, 56)?;
        if size > i64::MAX as u64 || format == Format::Local && size > fork.len() as u64 {
            return Some(Err("its size is impossible"));
        }
        let device = matches!(kind, FileKind::Block | FileKind::Character);
        let stat = Stat {
            kind,
            mode: mode & 0o7777,
            uid: be32(bytes, 8)?,
            gid: be32(bytes, 12)?,
            size,
            allocated: be64(bytes, 64)?.saturating_mul(geometry.block_size() / 512),
            mtime: seconds(bytes, 40, bigtime)?,
            rdev: if device { device_number(be32(fork, 0)?) } else { 0 },
        };
        let extents = if large_counts { be64(bytes, 24)? } else { be32(bytes, 76)?.into() };
        Some(Ok(Self { number, stat, format, extents, fork: fork.to_vec() }))
    }
}

/// A time in seconds since 1970: 32 bits of them, or 64 of nanoseconds since the earliest time that those can tell.
fn seconds(bytes: &[u8], at: usize, bigtime: bool) -> Option<i64> {
    Some(if bigtime {
        (be64(bytes, at)? / 1_000_000_000) as i64 + i64::from(i32::MIN)
    } else {
        be32(bytes, at)?.cast_signed().into()
    })
}

/// As makedev(3) puts it together; XFS has 14 bits of major and 18 of minor number.
fn device_number(on_disk: u32) -> u64 {
    nix::sys::stat::makedev((on_disk >> 18).into(), (on_disk & 0x3_ffff).into())
}

#[test]
fn times_before_and_after_2038() {
    let nanoseconds = (1_u64 << 31) * 1_000_000_000 + 5;
    assert_eq!(seconds(&nanoseconds.to_be_bytes(), 0, true), Some(0));
    assert_eq!(seconds(&0_u64.to_be_bytes(), 0, true), Some(-(1 << 31)));
    assert_eq!(
        seconds(&u64::MAX.to_be_bytes(), 0, true),
        Some(u64::MAX as i64 / 1_000_000_000).and(Some(16_299_260_425))
    );
    assert_eq!(seconds(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 9], 0, false), Some(-1));
    assert_eq!(seconds(&[0; 3], 0, false), None);
}

#[test]
fn device_numbers_are_those_of_stat() {
    assert_eq!(device_number(259 << 18 | 0x12345), nix::sys::stat::makedev(259, 0x12345));
}
