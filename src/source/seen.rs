//! What was looked up in a tree whose links are followed one by one.

use super::{Reading, Stat};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What was looked up: every rule that names a path looks up all directories above it.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<PathBuf, Reading<Stat>>>);

/// As many paths are remembered.
const MOST: usize = 100_000;

impl Seen {
    /// What is at the path, for which `look` looks once.
    pub(super) fn or_look(&self, path: &Path, look: impl FnOnce() -> Reading<Stat>) -> Reading<Stat> {
        if let Some(found) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return found.clone();
        }
        let found = look();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < MOST {
            seen.insert(path.to_path_buf(), found.clone());
        }
        found
    }
}
