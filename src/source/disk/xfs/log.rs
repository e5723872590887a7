//! The log. What it holds newer than the places that it belongs to is found as the kernel does when it mounts, in memory alone.
//!
//! lamxfs replays the log, and keeps what comes out of it to itself: one can only read files through it. So it is given a file
//! to read that covers whatever is wanted, whose inode no image holds, but [`Tap`] does.

use super::blocks::{Blocks, Replayed, SECTOR};
use super::checksum;
use super::geometry::Geometry;
use crate::source::Reason;
use crate::source::bytes::Bytes;
use lamxfs::{BlockRead, Error, SuperblockReason, Xfs};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

/// The most bytes that are read to replay a log. lamxfs takes on a log of 128 MiB, which it reads ten times at most, and reads
/// the blocks that this changes, over and over in the worst case.
const MOST_READ: u64 = 4 << 30;

/// The most sectors that are replayed: 128 MiB, as in lamxfs.
const MOST_SECTORS: usize = (128 << 20) / SECTOR;

/// The sectors that the log holds newer than they are in their places; none after a clean unmount.
pub(super) fn replayed(bytes: &Arc<dyn Bytes>, geometry: &Geometry) -> Result<Replayed, Reason> {
    let state = Rc::new(RefCell::new(State::default()));
    let log_place = geometry.place(geometry.log_start, geometry.log_blocks.into()).unwrap_or(u64::MAX);
    let tap = Tap {
        blocks: Blocks::new(bytes.clone()),
        log: log_place..log_place.saturating_add(u64::from(geometry.log_blocks) << geometry.block_log),
        state: state.clone(),
    };
    // It is young, and adds what a log says without a check in one place (`apply_icreate`), which would be a panic where overflow
    // is checked.
    let replay = AssertUnwindSafe(|| -> Result<Replayed, Error> {
        let mut xfs = Xfs::open(tap, bytes.known_len().unwrap_or(u64::MAX))?;
        let loaded = std::mem::take(&mut state.borrow_mut().loaded);
        let mut replayed = Replayed::new();
        for block in blocks_of(&loaded, geometry) {
            let Some(fake) = Fake::covering(block, geometry) else { continue };
            state.borrow_mut().fake = Some(fake.inode);
            let mut content = vec![0; geometry.block_size() as usize];
            xfs.read_file_at(&lamxfs::Inode { ino: Fake::number(geometry) }, 0, &mut content)?;
            let first = (block << geometry.block_log) / SECTOR as u64;
            let sectors = content.as_chunks::<SECTOR>().0.iter().zip(first..);
            replayed.extend(sectors.filter(|(_, n)| loaded.contains(n)).map(|(sector, n)| (n, *sector)));
        }
        Ok(replayed)
    });
    let result = catch_unwind(replay).unwrap_or(Err(Error::BadSuperblock(SuperblockReason::DirtyLog)));
    let state = state.borrow();
    match (result, &state.failed) {
        (Ok(replayed), _) => Ok(replayed),
        (Err(_), Some(reason)) => Err(reason.clone()),
        (Err(Error::BadSuperblock(SuperblockReason::DirtyLog)), _) if !geometry.v5 => Err(Reason::NotRead(
            "it was not unmounted, and the log of an XFS of version 4 cannot be replayed here: mount it once".into(),
        )),
        (Err(Error::BadSuperblock(SuperblockReason::DirtyLog)), _) => Err(Reason::NotRead(
            "it was not unmounted, and its log is damaged, or holds what cannot be replayed here: mount it once".into(),
        )),
        (Err(error), _) => Err(Reason::Garbled(format!("the log of XFS cannot be replayed: {}", error.token()))),
    }
}

/// The file system's blocks in which these sectors are, each once.
fn blocks_of(sectors: &BTreeSet<u64>, geometry: &Geometry) -> Vec<u64> {
    let mut blocks: Vec<u64> =
        sectors.iter().map(|sector| sector.saturating_mul(SECTOR as u64) >> geometry.block_log).collect();
    blocks.dedup();
    blocks
}

/// What lamxfs reads the volume through.
struct Tap {
    blocks: Blocks,
    /// Where the log is, in bytes.
    log: std::ops::Range<u64>,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    /// How many bytes were read.
    read: u64,
    /// Whether the log has been looked at: what is read from then on, but for the log, is what it changes.
    log_read: bool,
    /// The sectors that it may change.
    loaded: BTreeSet<u64>,
    /// What reads as the first bytes of the log, when all that can be learnt from them is known.
    fake: Option<Vec<u8>>,
    /// Why something could not be read.
    failed: Option<Reason>,
}

impl BlockRead for Tap {
    type Error = ();

    fn read_at(&mut self, at: u64, into: &mut [u8]) -> Result<(), ()> {
        let mut state = self.state.borrow_mut();
        if let Some(fake) =
            state.fake.as_ref().filter(|fake| at == self.log.start && fake.len() == into.len())
        {
            into.copy_from_slice(fake);
            return Ok(());
        }
        let len = into.len() as u64;
        state.read = state.read.saturating_add(len);
        if self.log.contains(&at) {
            state.log_read = true;
        } else if state.log_read && state.fake.is_none() {
            let unit = SECTOR as u64;
            state.loaded.extend(at / unit..at.saturating_add(len).div_ceil(unit));
        }
        if state.read > MOST_READ || state.loaded.len() > MOST_SECTORS {
            state.failed =
                Some(Reason::NotRead("its log is too large to be replayed here: mount it once".into()));
            return Err(());
        }
        match self.blocks.metadata(at, into.len()) {
            Ok(bytes) => {
                into.copy_from_slice(&bytes);
                Ok(())
            }
            Err(reason) => {
                state.failed = Some(reason);
                Err(())
            }
        }
    }
}

/// An inode of a regular file that no image holds.
struct Fake {
    inode: Vec<u8>,
}

impl Fake {
    /// Its number: as if it were at the very beginning of the log, which no replay changes.
    fn number(geometry: &Geometry) -> u64 {
        geometry.log_start << geometry.inodes_per_block_log
    }

    /// One whose only block is this one of the volume; none if the volume has none such.
    fn covering(block: u64, geometry: &Geometry) -> Option<Self> {
        let group = block / u64::from(geometry.ag_blocks);
        let number = (group << geometry.ag_block_log) | (block % u64::from(geometry.ag_blocks));
        geometry.place(number, 1)?;
        let mut inode = vec![0; geometry.inode_size as usize];
        let mut put =
            |at: usize, bytes: &[u8]| inode.get_mut(at..at + bytes.len()).map(|to| to.copy_from_slice(bytes));
        put(0, b"IN")?;
        put(2, &0o100_600_u16.to_be_bytes())?;
        // Version 3, contents in extents.
        put(4, &[3, 2])?;
        put(56, &geometry.block_size().to_be_bytes())?;
        put(76, &1_u32.to_be_bytes())?;
        put(176, &(u128::from(number) << 21 | 1).to_be_bytes())?;
        let checksum = checksum::crc32c(&inode, 100).to_le_bytes();
        inode.get_mut(100..104)?.copy_from_slice(&checksum);
        Some(Self { inode })
    }
}
