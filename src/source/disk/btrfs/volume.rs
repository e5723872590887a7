//! The bytes of a file system by their logical addresses, and its tree blocks.

use super::layout::{Chunk, Key, Superblock, Tree, id, kind};
use super::{Result, damaged, io, not_read};
use crate::source::bytes::Bytes;
use crate::source::disk::cache::Cache;
use crate::source::disk::number::{array, le32, le64};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A file system's bytes, addressed as its trees do.
#[derive(Debug)]
pub(super) struct Volume {
    bytes: Arc<dyn Bytes>,
    pub(super) superblock: Superblock,
    chunks: BTreeMap<u64, Chunk>,
    nodes: Cache<Node>,
}

/// The most chunks that are held: of 1 GiB each as usual, those of a petabyte.
const CHUNKS: usize = 1 << 20;

/// What the tree blocks that are kept may take.
const NODES: usize = 32 << 20;

impl Volume {
    pub(super) fn open(bytes: Arc<dyn Bytes>) -> Result<Self> {
        let superblock = Superblock::read(&*bytes)?;
        let mut chunks = BTreeMap::new();
        let mut rest = superblock.system_chunks.as_slice();
        while !rest.is_empty() {
            let (key, chunk, size) = Key::at(rest, 0)
                .filter(|key| key.kind == kind::CHUNK)
                .and_then(|key| {
                    let (chunk, size) = Chunk::parse(rest.get(Key::SIZE..)?)?;
                    Some((key, chunk, size))
                })
                .ok_or_else(|| damaged("the chunks in its superblock are damaged"))?;
            insert(&mut chunks, key.offset, chunk)?;
            rest = rest.get(Key::SIZE + size..).unwrap_or_default();
        }
        let mut volume =
            Self { bytes, superblock, chunks, nodes: Cache::of(|node: &Node| node.bytes.len(), NODES) };
        // The chunks in the superblock hold the tree that tells of all of them.
        let mut all = BTreeMap::new();
        let mut items = volume.items(volume.superblock.chunks, Key::new(id::CHUNKS, kind::CHUNK, 0))?;
        while let Some(item) =
            items.next()?.filter(|item| (item.key.id, item.key.kind) == (id::CHUNKS, kind::CHUNK))
        {
            let (chunk, _) = Chunk::parse(item.data())
                .ok_or_else(|| damaged(&format!("the chunk at {} is too short", item.key.offset)))?;
            if all.len() == CHUNKS {
                return Err(damaged("it has more chunks than are read"));
            }
            insert(&mut all, item.key.offset, chunk)?;
        }
        volume.chunks = all;
        Ok(volume)
    }

    #[cfg(test)]
    pub(super) fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.chunks.values()
    }

    /// Where on this device the copies of the bytes are.
    fn copies(&self, logical: u64, len: usize) -> Result<Vec<u64>> {
        let (start, chunk) = self
            .chunks
            .range(..=logical)
            .next_back()
            .filter(|(start, chunk)| {
                // Neither a tree block nor an extent reaches from one chunk into another.
                (logical - **start).checked_add(len as u64).is_some_and(|end| end <= chunk.length)
            })
            .ok_or_else(|| damaged(&format!("the address {logical} is in none of its chunks")))?;
        if let Some(profile) = chunk.striped() {
            let of = self.superblock.devices;
            return Err(not_read(&format!(
                "it is laid out over {of} devices ({profile}), of which only one is read"
            )));
        }
        let here = chunk.stripes.iter().filter(|(device, _)| *device == self.superblock.device);
        let copies: Vec<u64> = here.filter_map(|(_, at)| at.checked_add(logical - start)).collect();
        if copies.is_empty() {
            let device = chunk.stripes.first().map_or(0, |stripe| stripe.0);
            let (own, of) = (self.superblock.device, self.superblock.devices);
            return Err(not_read(&format!(
                "this part is on device {device} of {of}, of which only device {own} is read"
            )));
        }
        Ok(copies)
    }

    /// The bytes at a logical address: of their copies the first that `check` takes, as what it makes of them.
    pub(super) fn read<T>(
        &self,
        logical: u64,
        len: usize,
        check: impl Fn(Vec<u8>) -> Result<T>,
    ) -> Result<T> {
        let mut failed = None;
        for at in self.copies(logical, len)? {
            let mut bytes = vec![0; len];
            let read = match self.bytes.read_at(at, &mut bytes) {
                Ok(n) if n == len => check(bytes),
                Ok(_) => Err(damaged(&format!("its bytes from {at} on are missing: the image is cut short"))),
                Err(error) => Err(io(&error)),
            };
            match read {
                Ok(read) => return Ok(read),
                Err(reason) => failed.get_or_insert(reason),
            };
        }
        Err(failed.unwrap_or_else(|| damaged("it has no copy")))
    }

    /// The tree block at a logical address.
    fn node(&self, logical: u64) -> Result<Arc<Node>> {
        self.nodes.get((0, logical), || {
            self.read(logical, self.superblock.node, |bytes| Node::parse(bytes, logical, &self.superblock))
        })
    }

    /// The leaf that holds the key if any does, and the first key that is behind it.
    fn leaf(&self, tree: Tree, key: &Key) -> Result<(Arc<Node>, Option<Key>)> {
        let mut node = self.node(tree.root)?;
        let mut behind = None;
        if (node.level, node.generation) != (tree.level, tree.generation) {
            return Err(node.damaged("it is not the root that is looked for"));
        }
        while node.level > 0 {
            let at = node.until(key).saturating_sub(1);
            let (first, logical, generation) =
                node.child(at).ok_or_else(|| node.damaged("it has no children"))?;
            behind = node.key(at + 1).or(behind);
            let child = self.node(logical)?;
            // What a block says of itself must be what is said of it. So levels fall, and no tree leads in a circle or forks into
            // the same leaf again.
            let as_told = child.level + 1 == node.level
                && child.generation == generation
                && child.key(0) == Some(first);
            let within = behind.is_none_or(|behind| child.last() < Some(behind));
            if !as_told || !within {
                return Err(child.damaged("it is not the one that its parent names"));
            }
            node = child;
        }
        Ok((node, behind))
    }

    /// The item of this key.
    pub(super) fn item(&self, tree: Tree, key: Key) -> Result<Option<Item>> {
        Ok(self.item_until(tree, key)?.filter(|item| item.key == key))
    }

    /// The last item up to this key.
    pub(super) fn item_until(&self, tree: Tree, key: Key) -> Result<Option<Item>> {
        let (leaf, _) = self.leaf(tree, &key)?;
        Ok(leaf.until(&key).checked_sub(1).and_then(|at| leaf.item(at)))
    }

    /// The items from this key on.
    pub(super) fn items(&self, tree: Tree, from: Key) -> Result<Items<'_>> {
        let (leaf, behind) = self.leaf(tree, &from)?;
        let until = leaf.until(&from);
        let at = if until > 0 && leaf.key(until - 1) == Some(from) { until - 1 } else { until };
        Ok(Items { volume: self, tree, leaf, at, behind })
    }
}

fn insert(chunks: &mut BTreeMap<u64, Chunk>, start: u64, chunk: Chunk) -> Result<()> {
    let before = chunks.range(..=start).next_back().is_none_or(|(at, chunk)| start - at >= chunk.length);
    let behind = chunks.range(start..).next().is_none_or(|(at, _)| at - start >= chunk.length);
    if !before || !behind || start.checked_add(chunk.length).is_none() {
        return Err(damaged(&format!("the chunk at {start} lies over another")));
    }
    chunks.insert(start, chunk);
    Ok(())
}

/// A tree block whose checksum and order are right.
#[derive(Debug)]
struct Node {
    bytes: Vec<u8>,
    logical: u64,
    level: u8,
    generation: u64,
    count: usize,
}

/// Sizes of a block's head, of what names an item in a leaf, and of what names a child in another block.
const HEAD: usize = 101;
const ITEM: usize = Key::SIZE + 8;
const CHILD: usize = Key::SIZE + 16;

/// The highest level that a root can be of (`BTRFS_MAX_LEVEL` - 1).
const MAX_LEVEL: u8 = 7;

impl Node {
    fn parse(bytes: Vec<u8>, logical: u64, superblock: &Superblock) -> Result<Self> {
        let wrong = |what: &str| damaged(&format!("its tree block at {logical} is damaged: {what}"));
        let head = || Some((le64(&bytes, 48)?, le64(&bytes, 80)?, le32(&bytes, 96)?, *bytes.get(100)?));
        let (own, generation, count, level) = head().ok_or_else(|| wrong("it is too short"))?;
        if !superblock
            .checksum
            .matches(bytes.get(32..).unwrap_or_default(), bytes.get(..32).unwrap_or_default())
        {
            return Err(wrong("its checksum does not match"));
        }
        if own != logical || array(&bytes, 32) != Some(superblock.uuid) {
            return Err(wrong("another block is in its place"));
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let size = if level == 0 { ITEM } else { CHILD };
        if level > MAX_LEVEL || count > (bytes.len() - HEAD) / size {
            return Err(wrong("it tells more than it can hold"));
        }
        let node = Self { bytes, logical, level, generation, count };
        if !(1..count).all(|at| node.key(at - 1) < node.key(at)) {
            return Err(node.damaged("its keys are not in order"));
        }
        if level == 0 && !(0..count).all(|at| node.range(at).is_some()) {
            return Err(node.damaged("an item is not within it"));
        }
        Ok(node)
    }

    fn damaged(&self, what: &str) -> crate::source::Reason {
        damaged(&format!("its tree block at {} is damaged: {what}", self.logical))
    }

    fn key(&self, at: usize) -> Option<Key> {
        let size = if self.level == 0 { ITEM } else { CHILD };
        if at < self.count { Key::at(&self.bytes, HEAD + at * size) } else { None }
    }

    fn last(&self) -> Option<Key> {
        self.key(self.count.checked_sub(1)?)
    }

    /// How many of its keys are not behind this one.
    fn until(&self, key: &Key) -> usize {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle).is_some_and(|found| found <= *key) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The first key of the child, its logical address, and the transaction that wrote it.
    fn child(&self, at: usize) -> Option<(Key, u64, u64)> {
        let place = HEAD + at * CHILD + Key::SIZE;
        Some((self.key(at)?, le64(&self.bytes, place)?, le64(&self.bytes, place + 8)?))
    }

    /// Where in the block the item's data is.
    fn range(&self, at: usize) -> Option<std::ops::Range<usize>> {
        let place = HEAD + at * ITEM + Key::SIZE;
        let start = usize::try_from(le32(&self.bytes, place)?).ok()?.checked_add(HEAD)?;
        let end = start.checked_add(usize::try_from(le32(&self.bytes, place + 4)?).ok()?)?;
        (end <= self.bytes.len()).then_some(start..end)
    }

    fn item(self: &Arc<Self>, at: usize) -> Option<Item> {
        Some(Item { key: self.key(at)?, range: self.range(at)?, node: Arc::clone(self) })
    }
}

/// An item of a tree.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) key: Key,
    range: std::ops::Range<usize>,
    node: Arc<Node>,
}

impl Item {
    pub(super) fn data(&self) -> &[u8] {
        self.node.bytes.get(self.range.clone()).unwrap_or_default()
    }
}

/// Items of a tree, in order.
pub(super) struct Items<'a> {
    volume: &'a Volume,
    tree: Tree,
    leaf: Arc<Node>,
    at: usize,
    behind: Option<Key>,
}

impl Items<'_> {
    pub(super) fn next(&mut self) -> Result<Option<Item>> {
        if self.at == self.leaf.count {
            let Some(first) = self.behind else { return Ok(None) };
            (self.leaf, self.behind) = self.volume.leaf(self.tree, &first)?;
            if self.leaf.key(0) != Some(first) {
                return Err(self.leaf.damaged("it does not follow the one before it"));
            }
            self.at = 0;
        }
        self.at += 1;
        Ok(self.leaf.item(self.at - 1))
    }
}
