//! Bytes that count how many of them were read.

use crate::source::bytes::Bytes;
use crate::source::{Progress, Watch};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that count how many of them were read.
#[derive(Debug)]
pub(in crate::source::disk) struct Counted {
    pub(in crate::source::disk) of: Arc<dyn Bytes>,
    /// How many bytes were read; others may add to it.
    pub(in crate::source::disk) read: Arc<AtomicU64>,
    /// Who is told of every read.
    pub(in crate::source::disk) watch: Watch,
}

impl Bytes for Counted {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let n = self.of.read_at(at, into)?;
        let before = self.read.fetch_add(n as u64, Ordering::Relaxed);
        self.watch.tell(Progress::Read(before.saturating_add(n as u64)));
        Ok(n)
    }

    fn known_len(&self) -> Option<u64> {
        self.of.known_len()
    }
}
