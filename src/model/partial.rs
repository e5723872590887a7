//! A list of which parts may be unknown.

use crate::source::{Missing, Reading, Unreadable};

/// Items gathered from several files, some of which could not be read.
///
/// "There is none" is then not known, though "there is one" may be: the rule language judges accordingly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partial<T> {
    /// What was read.
    pub items: Vec<T>,
    /// What could not be read.
    pub unread: Vec<Unreadable>,
}

impl<T> Partial<T> {
    /// Adds what a file gave: its items, nothing if it is absent, or the fact that it could not be read.
    pub fn add(&mut self, found: Reading<impl IntoIterator<Item = T>>) {
        match found {
            Ok(items) => self.items.extend(items),
            Err(Missing::Absent) => {}
            Err(Missing::Unreadable(why)) => self.unread.push(why),
        }
    }
}

impl<T> Default for Partial<T> {
    fn default() -> Self {
        Self { items: Vec::new(), unread: Vec::new() }
    }
}
