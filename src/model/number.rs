//! Numbers that are sometimes words.

use super::{Field, Type, View};
use crate::source::Reading;
use std::borrow::Cow;
use std::fmt;

/// A limit: a number, or unlimited, which is larger than every number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// At most this many.
    Number(u64),
    /// No limit: `unlimited`, `infinity`, `max`, RLIM_INFINITY.
    Unlimited,
}

impl Field for Limit {
    const TYPE: Type = Type::Double;

    fn view(&self) -> Reading<View<'_>> {
        match self {
            Self::Number(n) => n.view(),
            Self::Unlimited => Ok(View::Double(f64::INFINITY)),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) => write!(f, "{n}"),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// What a kernel file says, as it says it: `1048576`, `cubic`, `4096 131072 6291456`.
///
/// In a rule it is a number wherever a number is wanted (and unreadable there if it is none), else characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(pub String);

impl Field for Text {
    const TYPE: Type = Type::Text;

    fn view(&self) -> Reading<View<'_>> {
        Ok(View::Text(Cow::Borrowed(&self.0)))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
