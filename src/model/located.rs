//! A value that knows where it was read, for records whose fields come from different places.

use super::{Field, Type, View};
use crate::source::{At, Reading};

/// A value, and where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it was read.
    pub at: At,
}

impl<T: Field> Field for Located<T> {
    const TYPE: Type = T::TYPE;

    fn view(&self) -> Reading<View<'_>> {
        self.value.view()
    }

    fn read_at(&self) -> Option<&At> {
        Some(&self.at)
    }
}
