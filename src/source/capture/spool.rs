//! Where large pieces of files wait until the capture is written: in a file without a name, which ends with the program.

use crate::source::bytes::{Bytes, Held};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

/// A place for bytes that would take too much memory.
#[derive(Debug, Default)]
pub(super) struct Spool {
    /// The file, and how long it is. Without one all stays in memory.
    file: Option<(File, Mutex<u64>)>,
}

/// Less is kept in memory.
const LARGE: usize = 64 << 10;

impl Spool {
    /// One that writes to this file, from its start.
    pub(super) fn new(file: Option<File>) -> Self {
        Self { file: file.map(|file| (file, Mutex::default())) }
    }

    /// Keeps the bytes: in memory also where the file takes no more.
    pub(super) fn keep(self: &Arc<Self>, bytes: Vec<u8>) -> Arc<dyn Bytes> {
        match &self.file {
            Some((file, end)) if bytes.len() >= LARGE => {
                let mut end = end.lock().unwrap_or_else(PoisonError::into_inner);
                if file.write_all_at(&bytes, *end).is_err() {
                    return Arc::new(Held(bytes));
                }
                let len = bytes.len() as u64;
                let start = *end;
                *end += len;
                Arc::new(Spooled { spool: self.clone(), start, len })
            }
            _ => Arc::new(Held(bytes)),
        }
    }
}

/// Bytes in the file.
#[derive(Debug)]
struct Spooled {
    spool: Arc<Spool>,
    start: u64,
    len: u64,
}

impl Bytes for Spooled {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let wanted = left.min(into.len());
        match (&self.spool.file, into.get_mut(..wanted)) {
            (Some((file, _)), Some(into)) => {
                file.read_exact_at(into, self.start.saturating_add(at))?;
                Ok(wanted)
            }
            _ => Ok(0),
        }
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::bytes::read_exactly;

    #[test]
    fn what_is_large_comes_back_from_the_file() {
        let spool = Arc::new(Spool::new(Some(tempfile::tempfile().unwrap())));
        let kept: Vec<_> = [10, LARGE, LARGE + 7, 3]
            .iter()
            .enumerate()
            .map(|(i, len)| spool.keep(vec![i as u8 + 1; *len]))
            .collect();
        let (file, end) = spool.file.as_ref().unwrap();
        assert_eq!(file.metadata().unwrap().len(), 2 * LARGE as u64 + 7);
        assert_eq!(*end.lock().unwrap(), 2 * LARGE as u64 + 7);
        assert_eq!(read_exactly(&*kept[2], 5, LARGE + 2).unwrap(), vec![3; LARGE + 2]);
        assert_eq!(read_exactly(&*kept[0], 0, 10).unwrap(), vec![1; 10]);
        assert!(read_exactly(&*kept[1], 1, LARGE).is_err());
    }
}
