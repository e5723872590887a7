//! Long reads, seen from outside: a source prints nothing, but tells whoever wants to know how far it is.

use super::bytes::Bytes;
use std::fmt::{self, Debug};
use std::io;
use std::sync::Arc;

/// How far the reading of a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Of a file that is read from its start to its end.
    Along {
        /// The byte that the last read came to.
        done: u64,
        /// How many bytes the file has: what is compressed counts as it lies there.
        all: u64,
    },
    /// Of a disk, which is read here and there, and never as a whole: how many bytes were read.
    Read(u64),
    /// Of a tree, of which nobody knows what will be asked: how many files were read.
    Files(u64),
}

/// Who is told of every read of the file that a target is in, from whatever thread it comes.
///
/// ```
/// use hostvet::source::{Progress, Watch};
///
/// let watch = Watch::new(|progress| match progress {
///     Progress::Along { done, all } => assert!(done <= all),
///     Progress::Read(number) | Progress::Files(number) => assert!(number > 0),
/// });
/// # let _ = watch;
/// ```
#[derive(Clone, Default)]
pub struct Watch(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl Watch {
    /// Nobody is told.
    pub const NOBODY: Self = Self(None);

    /// Has this called after each read; it should take no time.
    pub fn new(told: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    /// Tells of a read.
    pub(super) fn tell(&self, progress: Progress) {
        if let Some(told) = &self.0 {
            told(progress);
        }
    }

    /// The bytes, whose reads are told of: they are read from their start to their end.
    pub(super) fn over(&self, of: Arc<dyn Bytes>) -> Arc<dyn Bytes> {
        match (&self.0, of.known_len()) {
            (Some(_), Some(all)) => Arc::new(Watched { of, all, watch: self.clone() }),
            _ => of,
        }
    }
}

impl Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.0.is_some()).finish()
    }
}

struct Watched {
    of: Arc<dyn Bytes>,
    all: u64,
    watch: Watch,
}

impl Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of.fmt(f)
    }
}

impl Bytes for Watched {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let n = self.of.read_at(at, into)?;
        let done = at.saturating_add(n as u64).min(self.all);
        self.watch.tell(Progress::Along { done, all: self.all });
        Ok(n)
    }

    fn known_len(&self) -> Option<u64> {
        Some(self.all)
    }
}

#[cfg(test)]
mod tests {
    use super::super::bytes::Held;
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn every_read_is_told_of() {
        let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
        let keep = told.clone();
        let watch = Watch::new(move |progress| keep.lock().unwrap().push(progress));
        let bytes = watch.over(Arc::new(Held(vec![1; 10])));
        assert_eq!(bytes.read_at(0, &mut [0; 4]).unwrap(), 4);
        assert_eq!(bytes.read_at(8, &mut [0; 4]).unwrap(), 2);
        let along = |done| Progress::Along { done, all: 10 };
        assert_eq!(*told.lock().unwrap(), [along(4), along(10)]);
        assert_eq!(bytes.known_len(), Some(10));
    }
}
