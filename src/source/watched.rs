//! A source that tells how many files were read of it.

use super::{Entry, Host, Progress, Question, Reading, Source, Space, Stat, Tail, Watch};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

impl Host {
    /// The same host, of whose files every one that is read is told of. What is in an archive or on a disk is told of by its bytes:
    /// [`super::Options::watch`].
    pub fn watched(mut self, watch: Watch) -> Self {
        self.source = Arc::new(Watched { of: self.source, watch, files: AtomicU64::default() });
        self
    }
}

#[derive(Debug)]
struct Watched {
    of: Arc<dyn Source>,
    watch: Watch,
    /// How many were read until now, some of them twice.
    files: AtomicU64,
}

impl Watched {
    fn of(&self) -> &dyn Source {
        let before = self.files.fetch_add(1, Ordering::Relaxed);
        self.watch.tell(Progress::Files(before.saturating_add(1)));
        &*self.of
    }
}

impl Source for Watched {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        self.of().read(path, cap)
    }

    fn read_tail(&self, path: &Path, cap: u64) -> Reading<Tail> {
        self.of().read_tail(path, cap)
    }

    fn stream(&self, path: &Path) -> Reading<Box<dyn Read + Send>> {
        self.of().stream(path)
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        self.of().read_at(path, offset, length)
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        self.of.list(path)
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        self.of.stat(path)
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        self.of.lstat(path)
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        self.of.read_link(path)
    }

    fn statvfs(&self, path: &Path) -> Reading<Space> {
        self.of.statvfs(path)
    }

    fn ask(&self, question: Question) -> Reading<Vec<u8>> {
        self.of.ask(question)
    }

    fn bytes_read(&self) -> Option<u64> {
        self.of.bytes_read()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Files, Target};
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn every_file_that_is_read_is_told_of() {
        let mut files = Files::new();
        files.file("/etc/hostname", "a\n");
        let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
        let keep = told.clone();
        let host = Host::new(files, Target::root("a")).watched(Watch::new(move |progress| {
            keep.lock().unwrap().push(progress);
        }));
        assert_eq!(host.read_text("/etc/hostname").unwrap(), "a\n");
        assert!(host.source.stat(Path::new("/etc/hostname")).is_ok());
        assert!(host.source.stream(Path::new("/etc/hostname")).is_ok());
        assert_eq!(*told.lock().unwrap(), [Progress::Files(1), Progress::Files(2)]);
    }
}
