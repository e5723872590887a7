//! A source that remembers every answer it passes on.

use super::known::{Asked, Contents, Known};
use super::redact::{self, Redacted};
use super::spool::Spool;
use crate::source::{Entry, FileKind, Missing, Question, Reading, Source, Space, Stat, Tail, resolve};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A source that remembers every answer it passes on, and gives the same one when it is asked again.
///
/// So what is judged while a capture is taken is what is judged when it is replayed, even on a host where all changes between
/// two looks. Secrets are replaced before anything is remembered or passed on, for the same reason.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    of: Arc<dyn Source>,
    paths: Mutex<HashMap<OsString, Known>>,
    answers: Mutex<BTreeMap<Question, Reading<Vec<u8>>>>,
    redacted: Mutex<BTreeMap<String, Redacted>>,
    spool: Arc<Spool>,
}

/// What was remembered.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    pub(super) paths: HashMap<OsString, Known>,
    pub(super) answers: BTreeMap<Question, Reading<Vec<u8>>>,
    pub(super) redacted: BTreeMap<String, Redacted>,
}

/// The entries of a directory that are looked at one by one, at most.
const MOST_NAMES: usize = 10_000;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recording {
    pub(super) fn new(of: Arc<dyn Source>, spool: Arc<Spool>) -> Self {
        let shared = Shared {
            of,
            paths: Mutex::default(),
            answers: Mutex::default(),
            redacted: Mutex::default(),
            spool,
        };
        Self { shared: Arc::new(shared) }
    }

    /// All that was remembered so far; it is forgotten here.
    pub(super) fn take(&self) -> Remembered {
        Remembered {
            paths: std::mem::take(&mut locked(&self.shared.paths)),
            answers: std::mem::take(&mut locked(&self.shared.answers)),
            redacted: std::mem::take(&mut locked(&self.shared.redacted)),
        }
    }

    fn of(&self) -> &dyn Source {
        &*self.shared.of
    }

    /// What `get` finds in what is known of the path.
    fn known<T>(&self, path: &Path, get: impl FnOnce(&Known) -> Option<T>) -> Option<T> {
        locked(&self.shared.paths).get(path.as_os_str()).and_then(get)
    }

    fn note<T>(&self, path: &Path, change: impl FnOnce(&mut Known) -> T) -> T {
        let mut paths = locked(&self.shared.paths);
        match paths.get_mut(path.as_os_str()) {
            Some(known) => change(known),
            None => change(paths.entry(path.as_os_str().to_owned()).or_default()),
        }
    }

    /// The answer that is kept in the place that `at` names, or the one that `ask` gives.
    fn once<T: Clone>(
        &self,
        path: &Path,
        at: impl Fn(&mut Known) -> &mut Option<Reading<T>>,
        ask: impl FnOnce() -> Reading<T>,
    ) -> Reading<T> {
        if let Some(answer) = locked(&self.shared.paths).get_mut(path.as_os_str()).and_then(|k| at(k).clone())
        {
            return answer;
        }
        let answer = ask();
        // Of two threads that asked at the same time the first is right.
        self.note(path, |known| at(known).get_or_insert(answer).clone())
    }

    /// Looks at what leads to a path that there is something at: its directories, the links on the way, and itself.
    fn look_at_place(&self, path: &Path) {
        // Whether that succeeds does not matter: it is remembered as it is.
        if let Ok(place) = resolve(self, path, true) {
            let _ = self.lstat(&place);
        }
    }

    /// Looks at what a directory holds, so that the tree that a capture unpacks to has them as they were. What the kernel makes
    /// up is left alone: there are very many, and nothing about them is worth knowing.
    fn look_at_entries(&self, path: &Path, entries: &[Entry]) {
        if entries.len() > MOST_NAMES || path.starts_with("/proc") || path.starts_with("/sys") {
            return;
        }
        let Ok(place) = resolve(self, path, true) else { return };
        if place.starts_with("/proc") || place.starts_with("/sys") {
            return;
        }
        for entry in entries {
            let path = place.join(&entry.name);
            if self.lstat(&path).is_ok_and(|stat| stat.kind == FileKind::Link) {
                let _ = self.read_link(&path);
            }
        }
    }

    /// Takes the secrets out of bytes that were read whole, or up to their end.
    fn redact(&self, path: &Path, bytes: &mut [u8]) {
        if let Some(what) = redact::bytes(path, bytes) {
            locked(&self.shared.redacted).insert(path.to_string_lossy().into_owned(), what);
        }
    }

    /// Remembers bytes, of which so many come before, and what that means.
    fn add(&self, path: &Path, offset: u64, bytes: Vec<u8>, also: impl FnOnce(&mut Contents)) {
        let bytes = self.shared.spool.keep(bytes);
        self.note(path, |known| {
            known.contents.add(offset, &bytes);
            also(&mut known.contents);
        });
    }

    fn fail(&self, path: &Path, asked: Asked, missing: Missing) {
        self.note(path, |known| known.contents.fail(asked, missing));
    }
}

impl Source for Recording {
    fn read(&self, path: &Path, cap: u64) -> Reading<Vec<u8>> {
        let known = || self.known(path, |known| known.contents.read(path, cap));
        if let Some(answer) = known() {
            return answer;
        }
        match self.of().read(path, cap) {
            Ok(mut bytes) => {
                self.look_at_place(path);
                self.redact(path, &mut bytes);
                let end = bytes.len() as u64;
                self.add(path, 0, bytes.clone(), |contents| contents.ends(end));
                known().unwrap_or(Ok(bytes))
            }
            Err(missing) => {
                self.fail(path, Asked::Whole(cap), missing.clone());
                known().unwrap_or(Err(missing))
            }
        }
    }

    fn read_tail(&self, path: &Path, cap: u64) -> Reading<Tail> {
        let known = || self.known(path, |known| known.contents.read_tail(path, cap));
        if let Some(answer) = known() {
            return answer;
        }
        match self.of().read_tail(path, cap) {
            Ok(mut tail) => {
                self.look_at_place(path);
                self.redact(path, &mut tail.bytes);
                let skipped = tail.skipped;
                let end = skipped.saturating_add(tail.bytes.len() as u64);
                self.add(path, skipped, tail.bytes.clone(), |contents| {
                    contents.ends(end);
                    contents.tails.push((cap, skipped));
                });
                known().unwrap_or(Ok(tail))
            }
            Err(missing) => {
                self.fail(path, Asked::Tail(cap), missing.clone());
                known().unwrap_or(Err(missing))
            }
        }
    }

    fn stream(&self, path: &Path) -> Reading<Box<dyn Read + Send>> {
        if let Some(answer) = self.known(path, |known| known.contents.stream()) {
            return answer;
        }
        match self.of().stream(path) {
            Ok(reader) => {
                self.look_at_place(path);
                let (to, path) = (self.clone(), path.to_owned());
                Ok(Box::new(Streamed { reader, to, path, at: 0, held: Vec::new() }))
            }
            Err(missing) => {
                self.fail(path, Asked::Stream, missing.clone());
                Err(missing)
            }
        }
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> Reading<Vec<u8>> {
        let known = || self.known(path, |known| known.contents.read_at(path, offset, length));
        if let Some(answer) = known() {
            return answer;
        }
        match self.of().read_at(path, offset, length) {
            Ok(bytes) => {
                self.look_at_place(path);
                let read = bytes.len();
                self.add(path, offset, bytes.clone(), |contents| {
                    if read < length {
                        contents.ends(offset.saturating_add(read as u64));
                    }
                });
                known().unwrap_or(Ok(bytes))
            }
            Err(missing) => {
                self.fail(path, Asked::At(offset, length as u64), missing.clone());
                known().unwrap_or(Err(missing))
            }
        }
    }

    fn list(&self, path: &Path) -> Reading<Vec<Entry>> {
        self.once(
            path,
            |known| &mut known.list,
            || {
                let answer = self.of().list(path);
                if let Ok(entries) = &answer {
                    self.look_at_place(path);
                    self.look_at_entries(path, entries);
                }
                answer
            },
        )
    }

    fn stat(&self, path: &Path) -> Reading<Stat> {
        self.once(path, |known| &mut known.stat, || self.of().stat(path))
    }

    fn lstat(&self, path: &Path) -> Reading<Stat> {
        self.once(path, |known| &mut known.lstat, || self.of().lstat(path))
    }

    fn read_link(&self, path: &Path) -> Reading<PathBuf> {
        self.once(path, |known| &mut known.link, || self.of().read_link(path))
    }

    fn statvfs(&self, path: &Path) -> Reading<Space> {
        self.once(path, |known| &mut known.space, || self.of().statvfs(path))
    }

    fn ask(&self, question: Question) -> Reading<Vec<u8>> {
        if let Some(answer) = locked(&self.shared.answers).get(&question) {
            return answer.clone();
        }
        let mut answer = self.of().ask(question);
        if let Ok(bytes) = &mut answer
            && let Some(what) = redact::answer(question, bytes)
        {
            locked(&self.shared.redacted).insert(question.to_string(), what);
        }
        locked(&self.shared.answers).entry(question).or_insert(answer).clone()
    }
}

/// Bytes that are remembered as they are read.
struct Streamed {
    reader: Box<dyn Read + Send>,
    to: Recording,
    path: PathBuf,
    /// How many were remembered, and those that were not yet.
    at: u64,
    held: Vec<u8>,
}

/// How many bytes are gathered before they are remembered.
const GATHERED: usize = 1 << 20;

impl Streamed {
    fn remember(&mut self, also: impl FnOnce(&mut Contents, u64)) {
        let bytes = std::mem::take(&mut self.held);
        let until = self.at + bytes.len() as u64;
        self.to.add(&self.path, self.at, bytes, |contents| also(contents, until));
        self.at = until;
    }
}

impl Read for Streamed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.reader.read(into) {
            Ok(0) => {
                if !into.is_empty() {
                    self.remember(|contents, until| contents.ends(until));
                }
                Ok(0)
            }
            Ok(n) => {
                self.held.extend_from_slice(into.get(..n).unwrap_or_default());
                if self.held.len() >= GATHERED {
                    self.remember(|_, _| ());
                }
                Ok(n)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let why = error.to_string();
                self.remember(|contents, until| {
                    contents.broken.get_or_insert((until, why));
                });
                Err(error)
            }
        }
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        if !self.held.is_empty() {
            self.remember(|_, _| ());
        }
    }
}
