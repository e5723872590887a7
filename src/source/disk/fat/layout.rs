//! The boot sector, and the table that chains clusters.

use super::garbled;
use crate::source::Reason;
use crate::source::bytes::Bytes;
use crate::source::disk::field::{le16, le32};
use std::sync::{Arc, Mutex, PoisonError};

/// A file system's bytes, and how they are laid out. All places are in bytes.
#[derive(Debug)]
pub(super) struct Volume {
    bytes: Arc<dyn Bytes>,
    width: Width,
    /// Where the table is that is in use.
    table: u64,
    /// Where the root directory is, and its size; none where it is a chain of clusters.
    pub(super) fixed_root: Option<(u64, u32)>,
    /// The first cluster of the root directory, where it is a chain.
    pub(super) root: u32,
    data: u64,
    pub(super) cluster_size: u32,
    /// How many clusters there are; the first one is number 2.
    pub(super) clusters: u32,
    /// The part of the table that was read last, and where it is.
    page: Mutex<(u64, Vec<u8>)>,
}

/// How many bits an entry of the table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Twelve,
    Sixteen,
    /// Of which 28 are used.
    ThirtyTwo,
}

/// What comes behind a cluster.
enum Next {
    Cluster(u32),
    End,
}

const PAGE: u64 = 4096;

/// The first cluster's number.
const FIRST: u32 = 2;

/// The most bytes of a table that are read to count what is free. That of 2 TiB in clusters of 128 KiB.
const TABLE_CAP: u64 = 64 << 20;

impl Volume {
    pub(super) fn open(bytes: Arc<dyn Bytes>) -> Result<Self, Reason> {
        let mut boot = [0; 512];
        match bytes.read_at(0, &mut boot) {
            Ok(512) => {}
            Ok(_) => return garbled("it is too short for a file system"),
            Err(error) => return Err(Reason::Io(error.to_string())),
        }
        let [.., sectors_per_cluster, _, _, tables] = boot.first_chunk::<17>().copied().unwrap_or_default();
        let sector_size = u32::from(le16(&boot, 0xb)?);
        let reserved = u32::from(le16(&boot, 0xe)?);
        let root_entries = u32::from(le16(&boot, 0x11)?);
        let media = boot.get(0x15).copied().unwrap_or(0);
        let short_table = u32::from(le16(&boot, 0x16)?);
        let wide = short_table == 0;
        let table_sectors = if wide { le32(&boot, 0x24)? } else { short_table };
        let sectors = match le16(&boot, 0x13)? {
            0 => le32(&boot, 0x20)?,
            short => short.into(),
        };
        let possible = reserved > 0
            && tables > 0
            && (media == 0xf0 || media >= 0xf8)
            && sector_size.is_power_of_two()
            && (512..=4096).contains(&sector_size)
            && sectors_per_cluster.is_power_of_two()
            && table_sectors > 0
            && root_entries * 32 % sector_size.max(1) == 0
            && (!wide || root_entries == 0);
        if !possible {
            return garbled("there is no boot sector of FAT, or it is damaged");
        }
        let root_sectors = root_entries * 32 / sector_size;
        let before = u64::from(reserved) + u64::from(tables) * u64::from(table_sectors);
        let data = before + u64::from(root_sectors);
        let clusters = u64::from(sectors).saturating_sub(data) / u64::from(sectors_per_cluster);
        // As Linux tells them apart.
        let width = match wide {
            true => Width::ThirtyTwo,
            false if clusters > 0xff4 => Width::Sixteen,
            false => Width::Twelve,
        };
        let (bits, most) = match width {
            Width::Twelve => (12, 0xff4),
            Width::Sixteen => (16, 0xfff4),
            Width::ThirtyTwo => (32, 0x0fff_fff6),
        };
        // A table may be too short for all of them.
        let listed =
            (u64::from(table_sectors) * u64::from(sector_size) * 8 / bits).saturating_sub(FIRST.into());
        if clusters == 0 || clusters > most || listed == 0 {
            return garbled("the boot sector is damaged: its sizes do not fit together");
        }
        let size = u64::from(sector_size);
        // FAT32 may use another table than the first one, and then says so.
        let flags = if wide { le16(&boot, 0x28)? } else { 0 };
        let active = if flags & 0x80 != 0 { u64::from(flags & 0xf) } else { 0 };
        if active >= tables.into() {
            return garbled("the boot sector is damaged: it names a table that is not there");
        }
        Ok(Self {
            bytes,
            width,
            table: (u64::from(reserved) + active * u64::from(table_sectors)) * size,
            fixed_root: (!wide).then_some((before * size, root_entries * 32)),
            root: if wide { le32(&boot, 0x2c)? } else { 0 },
            data: data * size,
            cluster_size: sector_size * u32::from(sectors_per_cluster),
            clusters: u32::try_from(clusters.min(listed)).unwrap_or(0),
            page: Mutex::default(),
        })
    }

    pub(super) fn fill(&self, at: u64, into: &mut [u8]) -> Result<(), Reason> {
        match self.bytes.read_at(at, into) {
            Ok(n) if n == into.len() => Ok(()),
            Ok(_) => garbled("the file system is cut off"),
            Err(error) => Err(Reason::Io(error.to_string())),
        }
    }

    /// The entry of a cluster in the table.
    fn entry(&self, cluster: u32) -> Result<u32, Reason> {
        let at = match self.width {
            Width::Twelve => u64::from(cluster) * 3 / 2,
            Width::Sixteen => u64::from(cluster) * 2,
            Width::ThirtyTwo => u64::from(cluster) * 4,
        };
        let mut page = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        let start = at / PAGE * PAGE;
        // An entry may reach over the end of a page.
        if page.1.is_empty() || page.0 != start {
            let mut bytes = vec![0; PAGE as usize + 4];
            let n = self.bytes.read_at(self.table.saturating_add(start), &mut bytes);
            bytes.truncate(n.map_err(|error| Reason::Io(error.to_string()))?);
            *page = (start, bytes);
        }
        let within = usize::try_from(at - start).unwrap_or(usize::MAX);
        Ok(match self.width {
            Width::Twelve => (u32::from(le16(&page.1, within)?) >> (cluster % 2 * 4)) & 0xfff,
            Width::Sixteen => le16(&page.1, within)?.into(),
            Width::ThirtyTwo => le32(&page.1, within)? & 0x0fff_ffff,
        })
    }

    fn next(&self, cluster: u32) -> Result<Next, Reason> {
        let end = match self.width {
            Width::Twelve => 0xff8,
            Width::Sixteen => 0xfff8,
            Width::ThirtyTwo => 0x0fff_fff8,
        };
        match self.entry(cluster)? {
            next if next >= end => Ok(Next::End),
            next if self.has(next) => Ok(Next::Cluster(next)),
            _ => garbled(format!("the chain of clusters leads nowhere behind cluster {cluster}")),
        }
    }

    fn has(&self, cluster: u32) -> bool {
        (FIRST..self.clusters + FIRST).contains(&cluster)
    }

    /// Goes along a chain from this cluster on, until `each` has enough or the chain is at its end. No chain is longer than there are
    /// clusters.
    pub(super) fn chain(
        &self,
        first: u32,
        mut each: impl FnMut(u32) -> Result<bool, Reason>,
    ) -> Result<(), Reason> {
        if !self.has(first) {
            return garbled(format!("there is no cluster {first}"));
        }
        let mut cluster = first;
        for _ in 0..self.clusters {
            if !each(cluster)? {
                return Ok(());
            }
            match self.next(cluster)? {
                Next::End => return Ok(()),
                Next::Cluster(next) => cluster = next,
            }
        }
        garbled("the chain of clusters leads in a circle")
    }

    /// Where a cluster is.
    pub(super) fn place(&self, cluster: u32) -> u64 {
        self.data + u64::from(cluster.saturating_sub(FIRST)) * u64::from(self.cluster_size)
    }

    /// How many clusters are free.
    pub(super) fn free_clusters(&self) -> Result<u32, Reason> {
        if u64::from(self.clusters) * 4 > TABLE_CAP {
            return Err(Reason::TooLarge(TABLE_CAP));
        }
        let mut free = 0;
        for cluster in FIRST..self.clusters + FIRST {
            free += u32::from(self.entry(cluster)? == 0);
        }
        Ok(free)
    }
}
