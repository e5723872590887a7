//! What stands where in btrfs' on-disk format: keys, and the superblock.
//!
//! <https://btrfs.readthedocs.io/en/latest/dev/On-disk-format.html>

use super::Result;
use super::checksum::Checksum;
use crate::source::bytes::{Bytes, read_exactly};
use crate::source::disk::number::{array, le16, le32, le64};

/// Kinds of items in the trees.
pub(super) mod kind {
    pub(in super::super) const INODE: u8 = 1;
    pub(in super::super) const INODE_REF: u8 = 12;
    pub(in super::super) const DIR_ITEM: u8 = 84;
    pub(in super::super) const DIR_INDEX: u8 = 96;
    pub(in super::super) const EXTENT_DATA: u8 = 108;
    pub(in super::super) const EXTENT_CSUM: u8 = 128;
    pub(in super::super) const ROOT: u8 = 132;
    pub(in super::super) const ROOT_BACKREF: u8 = 144;
    pub(in super::super) const ROOT_REF: u8 = 156;
    pub(in super::super) const CHUNK: u8 = 228;
}

/// Numbers of trees and other objects.
pub(super) mod id {
    /// The subvolume at the top, which every file system has.
    pub(in super::super) const TOP: u64 = 5;
    /// The directory, in the tree of roots, that names the default subvolume.
    pub(in super::super) const ROOT_DIRECTORY: u64 = 6;
    /// The tree of the data's checksums.
    pub(in super::super) const CSUM_TREE: u64 = 7;
    /// The first of a file or a subvolume.
    pub(in super::super) const FIRST: u64 = 256;
    /// The chunks, in their tree.
    pub(in super::super) const CHUNKS: u64 = 256;
    /// The checksums, in their tree.
    pub(in super::super) const CSUMS: u64 = 10_u64.wrapping_neg();
}

/// What the items of a tree are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// What it belongs to: an inode, a tree.
    pub(super) id: u64,
    /// One of [`kind`].
    pub(super) kind: u8,
    /// What it means depends on the kind: a place in a file, a hash, an inode.
    pub(super) offset: u64,
}

impl Key {
    pub(super) const SIZE: usize = 17;

    pub(super) fn new(id: u64, kind: u8, offset: u64) -> Self {
        Self { id, kind, offset }
    }

    pub(super) fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let [kind] = array(bytes, at + 8)?;
        Some(Self { id: le64(bytes, at)?, kind, offset: le64(bytes, at + 9)? })
    }
}

/// Where a tree begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tree {
    /// The logical address of its root.
    pub(super) root: u64,
    /// The level of its root; leaves are of level 0.
    pub(super) level: u8,
    /// The transaction that wrote its root.
    pub(super) generation: u64,
}

/// What the superblock says.
#[derive(Debug)]
pub(super) struct Superblock {
    pub(super) checksum: Checksum,
    /// The UUID that all tree blocks bear.
    pub(super) uuid: [u8; 16],
    /// The tree of the roots of all other trees.
    pub(super) roots: Tree,
    /// The tree of the chunks.
    pub(super) chunks: Tree,
    /// Whether what was synchronised with fsync(2) since the last commit is in a log tree.
    pub(super) log: bool,
    /// How many devices the file system has.
    pub(super) devices: u64,
    /// Which of them this is.
    pub(super) device: u64,
    /// The size of the units that data is checked in.
    pub(super) sector: usize,
    /// The size of tree blocks.
    pub(super) node: usize,
    /// The chunks that hold the tree of chunks.
    pub(super) system_chunks: Vec<u8>,
}

/// Where the superblock is, the first of its copies: the one that a kernel mounts by.
const PLACE: u64 = 64 << 10;
const SIZE: usize = 4096;

/// Features that change nothing about how files are read, or that are known here (`BTRFS_FEATURE_INCOMPAT_*`).
const READABLE: u64 = {
    let mixed_backref_to_no_holes = (1 << 10) - 1;
    let (metadata_uuid, raid1c34, simple_quota) = (1 << 10, 1 << 11, 1 << 16);
    mixed_backref_to_no_holes | metadata_uuid | raid1c34 | simple_quota
};
const METADATA_UUID: u64 = 1 << 10;

/// The image was made by btrfs-image(8) (`BTRFS_SUPER_FLAG_METADUMP`, `_V2`).
const METADATA_DUMP: u64 = 1 << 33 | 1 << 34;

impl Superblock {
    pub(super) fn read(bytes: &dyn Bytes) -> Result<Self> {
        let block = read_exactly(bytes, PLACE, SIZE).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => super::damaged("it ends before its superblock"),
            _ => super::io(&error),
        })?;
        Self::parse(&block)?.ok_or_else(|| super::damaged("its superblock is too short"))
    }

    fn parse(block: &[u8]) -> Result<Option<Self>> {
        let number = |at| le64(block, at);
        let tree = |root, level: usize, generation| {
            Some(Tree { root: number(root)?, level: *block.get(level)?, generation: number(generation)? })
        };
        let read = || -> Option<Result<Self>> {
            if block.get(64..72) != Some(b"_BHRfS_M") {
                return Some(Err(super::damaged("it has no superblock")));
            }
            let checksum = match le16(block, 196)? {
                0 => Checksum::Crc32c,
                1 => Checksum::XxHash64,
                2 => Checksum::Sha256,
                3 => return Some(Err(super::not_read("its checksums are BLAKE2, which are not known here"))),
                other => {
                    return Some(Err(super::not_read(&format!(
                        "its checksums are of the unknown kind {other}"
                    ))));
                }
            };
            if !checksum.matches(block.get(32..)?, block.get(..32)?) {
                return Some(Err(super::damaged(
                    "the checksum of its superblock does not match, and a kernel refuses to mount it",
                )));
            }
            let features = number(188)?;
            if features & !READABLE != 0 {
                return Some(Err(super::not_read(&unknown(features & !READABLE))));
            }
            if number(56)? & METADATA_DUMP != 0 {
                return Some(Err(super::not_read(
                    "it is a dump of metadata by btrfs-image, without the contents of files",
                )));
            }
            let (sector, node) = (le32(block, 144)?, le32(block, 148)?);
            let sane = |size: u32| (4096..=65536).contains(&size) && size.is_power_of_two();
            if !sane(sector) || !sane(node) {
                let what = format!(
                    "its superblock tells blocks of {sector} and {node} bytes, which no kernel takes"
                );
                return Some(Err(super::damaged(&what)));
            }
            let system = usize::try_from(le32(block, 160)?).ok()?;
            let Some(system_chunks) = block.get(811..811 + 2048).and_then(|all| all.get(..system)) else {
                return Some(Err(super::damaged("its superblock tells more chunks than it can hold")));
            };
            Some(Ok(Self {
                checksum,
                uuid: array(block, if features & METADATA_UUID != 0 { 571 } else { 32 })?,
                roots: tree(80, 198, 72)?,
                chunks: tree(88, 199, 164)?,
                log: number(96)? != 0,
                devices: number(136)?,
                device: number(201)?,
                sector: usize::try_from(sector).ok()?,
                node: usize::try_from(node).ok()?,
                system_chunks: system_chunks.to_vec(),
            }))
        };
        read().transpose()
    }
}

/// The features, of those that are not read, in words.
fn unknown(features: u64) -> String {
    let names = [(12, "zoned"), (13, "extent tree v2"), (14, "RAID stripe tree"), (17, "remap tree")];
    let known =
        names.iter().filter(|(bit, _)| features & (1 << bit) != 0).map(|(_, name)| (*name).to_owned());
    let rest = names.iter().fold(features, |rest, (bit, _)| rest & !(1 << bit));
    let rest = (rest != 0).then(|| format!("{rest:#x}"));
    let all: Vec<String> = known.chain(rest).collect();
    format!("it has features that are not read: {}", all.join(", "))
}

/// A chunk: a stretch of logical addresses, and where it lies.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) length: u64,
    /// How its copies and stripes are laid out (`BTRFS_BLOCK_GROUP_*`).
    pub(super) profile: u64,
    /// Of each stripe, the device and the place there.
    pub(super) stripes: Vec<(u64, u64)>,
}

impl Chunk {
    /// Size before the stripes, and of each of these.
    const HEAD: usize = 48;
    const STRIPE: usize = 32;

    /// The chunk item that begins the bytes, and how long it is.
    pub(super) fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let count = usize::from(le16(bytes, 44)?);
        let size = Self::HEAD + count * Self::STRIPE;
        let stripes = bytes.get(Self::HEAD..size)?.chunks_exact(Self::STRIPE);
        let stripes =
            stripes.map(|stripe| Some((le64(stripe, 0)?, le64(stripe, 8)?))).collect::<Option<_>>()?;
        Some((Self { length: le64(bytes, 0)?, profile: le64(bytes, 24)?, stripes }, size))
    }

    /// The name of the profile, where its stripes are no copies of each other.
    pub(super) fn striped(&self) -> Option<&'static str> {
        let striped = [(3, "RAID0"), (6, "RAID10"), (7, "RAID5"), (8, "RAID6")];
        let name = striped.iter().find(|(bit, _)| self.profile & (1 << bit) != 0).map(|(_, name)| *name);
        // A RAID0 of one device, which Linux 5.15 allows, is none.
        name.filter(|_| self.stripes.len() > 1)
    }
}
