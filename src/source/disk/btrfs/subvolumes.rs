//! Subvolumes: their roots, the default one, and their paths.

use super::layout::{Key, Tree, id, kind};
use super::volume::{Item, Volume};
use super::{DirEntry, Place, Result, damaged};
use crate::source::disk::number::{le16, le32, le64};
use crate::source::{LIST_CAP, Reason};
use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The last that a subvolume's number can be (`BTRFS_LAST_FREE_OBJECTID`).
const LAST: u64 = 256_u64.wrapping_neg();

/// How deep a path can be: every component takes two bytes of PATH_MAX.
const DEPTH: usize = 2048;

/// The item of a tree's root, the last one if there are several.
fn root_item(volume: &Volume, id: u64) -> Result<Option<Item>> {
    let found = volume.item_until(volume.superblock.roots, Key::new(id, kind::ROOT, u64::MAX))?;
    Ok(found.filter(|item| (item.key.id, item.key.kind) == (id, kind::ROOT)))
}

fn parse(item: &[u8]) -> Option<Tree> {
    Some(Tree { root: le64(item, 176)?, level: *item.get(238)?, generation: le64(item, 160)? })
}

/// The tree of this number.
pub(super) fn tree(volume: &Volume, id: u64) -> Result<Tree> {
    let item = root_item(volume, id)?.ok_or_else(|| damaged(&format!("its tree {id} is not there")))?;
    parse(item.data()).ok_or_else(|| damaged(&format!("the root of its tree {id} is too short")))
}

/// The root directory of a subvolume; none if there is none of this number, or it is deleted and not yet cleared away.
pub(super) fn root(volume: &Volume, id: u64) -> Result<Option<Place>> {
    if id != id::TOP && !(id::FIRST..=LAST).contains(&id) {
        return Ok(None);
    }
    let Some(item) = root_item(volume, id)? else { return Ok(None) };
    let read = || Some((parse(item.data())?, le64(item.data(), 168)?, le32(item.data(), 216)?));
    let (tree, inode, links) =
        read().ok_or_else(|| damaged(&format!("the root of its subvolume {id} is too short")))?;
    Ok((links > 0).then_some(Place { subvolume: id, tree, inode, stub: false }))
}

/// The number of the default subvolume: the top, if none was chosen.
pub(super) fn default(volume: &Volume) -> Result<u64> {
    let name = b"default";
    let key = Key::new(id::ROOT_DIRECTORY, kind::DIR_ITEM, super::name_hash(name));
    let Some(item) = volume.item(volume.superblock.roots, key)? else { return Ok(id::TOP) };
    let mut rest = item.data();
    while let Some((entry, size)) = DirEntry::parse(rest) {
        if entry.name == name {
            return Ok(entry.location.id);
        }
        rest = rest.get(size..).unwrap_or_default();
    }
    Err(damaged("the name of its default subvolume is damaged"))
}

/// Where a subvolume is linked into another.
pub(super) struct Link<'a> {
    pub(super) directory: u64,
    pub(super) name: &'a [u8],
}

impl<'a> Link<'a> {
    pub(super) fn parse(item: &'a [u8]) -> Option<Self> {
        let end = 18 + usize::from(le16(item, 16)?);
        Some(Self { directory: le64(item, 0)?, name: item.get(18..end)? })
    }
}

/// The paths of all subvolumes from the top, sorted.
pub(super) fn paths(volume: &Volume) -> Result<Vec<PathBuf>> {
    let roots = volume.superblock.roots;
    let mut links = HashMap::new();
    let mut items = volume.items(roots, Key::new(id::FIRST, 0, 0))?;
    while let Some(item) = items.next()?.filter(|item| item.key.id <= LAST) {
        if item.key.kind != kind::ROOT_BACKREF {
            continue;
        }
        let link = Link::parse(item.data())
            .ok_or_else(|| damaged(&format!("the link to its subvolume {} is damaged", item.key.id)))?;
        if links.len() == LIST_CAP {
            return Err(Reason::TooMany(LIST_CAP));
        }
        links.insert(item.key.id, (item.key.offset, link.directory, link.name.to_vec()));
    }
    let mut paths = Vec::new();
    for &subvolume in links.keys() {
        if root(volume, subvolume)?.is_none() {
            continue;
        }
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut at = subvolume;
        while at != id::TOP {
            let circle = || damaged(&format!("its subvolume {subvolume} is not within the top"));
            let (parent, directory, name) =
                links.get(&at).filter(|_| names.len() < DEPTH).ok_or_else(circle)?;
            names.push(name.clone());
            let parent_root = root(volume, *parent)?.ok_or_else(circle)?;
            above(volume, &parent_root, *directory, &mut names)?;
            at = *parent;
        }
        paths.push(names.into_iter().rev().map(OsString::from_vec).collect());
    }
    paths.sort();
    Ok(paths)
}

/// Adds the names of a directory and of those that it is in, from within.
fn above(volume: &Volume, root: &Place, directory: u64, names: &mut Vec<Vec<u8>>) -> Result<()> {
    let mut at = directory;
    while at != root.inode {
        let lost = || damaged(&format!("its directory {at} is in none"));
        let item = volume.items(root.tree, Key::new(at, kind::INODE_REF, 0))?.next()?;
        let item = item.filter(|item| (item.key.id, item.key.kind) == (at, kind::INODE_REF));
        let item = item.filter(|_| names.len() < DEPTH).ok_or_else(lost)?;
        let data = item.data();
        let name = le16(data, 8).and_then(|size| data.get(10..10 + usize::from(size))).ok_or_else(lost)?;
        names.push(name.to_vec());
        at = item.key.offset;
    }
    Ok(())
}
