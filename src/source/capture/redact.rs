use crate::source::Question;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// What was replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Redacted(BTreeSet<&'static str>);

impl Redacted {
    pub(super) fn words(&self) -> Vec<String> {
        self.0.iter().map(|word| (*word).to_owned()).collect()
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(", "))
    }
}

pub(super) fn bytes(_path: &Path, _bytes: &mut [u8]) -> Option<Redacted> {
    None
}

pub(super) fn answer(_question: Question, _bytes: &mut [u8]) -> Option<Redacted> {
    None
}
