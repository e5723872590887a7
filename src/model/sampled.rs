//! A value that one look cannot tell.

use super::{Field, Type, View};
use crate::source::{Missing, Reading};

/// A value that takes two readings, such as how fast a counter rises.
///
/// Absent where there was only one reading, or the two cannot be compared: a process that is new, a counter that was reset. The
/// descriptions of facts say which fields are such, and so does the reason why a rule does not apply without them.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled<T>(pub Reading<T>);

impl<T: Field> Field for Sampled<T> {
    const TYPE: Type = T::TYPE;
    const SAMPLED: bool = true;

    fn view(&self) -> Reading<View<'_>> {
        self.0.view()
    }
}

impl<T> From<Option<T>> for Sampled<T> {
    fn from(value: Option<T>) -> Self {
        Self(value.ok_or(Missing::Absent))
    }
}

impl<T> Default for Sampled<T> {
    fn default() -> Self {
        Self(Err(Missing::Absent))
    }
}
