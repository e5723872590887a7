//! The Rust types that may be fields of a record.

use super::{Lazy, List, Map, Partial, Type, View};
use crate::source::{At, Missing, Reading, Unreadable};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// A type that rules can see.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a fact",
    note = "fields are bool, integers, f64, String, Text, Limit, At, word enums, records, and Option, Reading, Vec, Partial, \
            BTreeMap<String, _>, Box, Lazy and Sampled of these"
)]
pub trait Field: Debug + Send + Sync {
    /// Its type in the rule language.
    const TYPE: Type;

    /// Whether it takes two readings: see [`super::Sampled`].
    const SAMPLED: bool = false;

    /// The value, borrowed, or how it is missing.
    fn view(&self) -> Reading<View<'_>>;

    /// Where the value was read, where it knows itself.
    fn read_at(&self) -> Option<&At> {
        None
    }
}

impl Field for bool {
    const TYPE: Type = Type::Bool;

    fn view(&self) -> Reading<View<'_>> {
        Ok(View::Bool(*self))
    }
}

impl Field for f64 {
    const TYPE: Type = Type::Double;

    fn view(&self) -> Reading<View<'_>> {
        Ok(View::Double(*self))
    }
}

macro_rules! integers {
    ($($int:ty),*) => { $(
        impl Field for $int {
            const TYPE: Type = Type::Int;

            fn view(&self) -> Reading<View<'_>> {
                Ok(View::Int(i64::from(*self)))
            }
        }
    )* };
}

integers!(i8, i16, i32, i64, u8, u16, u32);

/// A value above `i64::MAX` is shown as a double: no counter or size of a kernel gets there by counting,
/// so such a one is a marker ("no limit"), and must compare as larger than everything.
impl Field for u64 {
    const TYPE: Type = Type::Int;

    fn view(&self) -> Reading<View<'_>> {
        Ok(i64::try_from(*self).map_or(View::Double(*self as f64), View::Int))
    }
}

impl Field for usize {
    const TYPE: Type = Type::Int;

    fn view(&self) -> Reading<View<'_>> {
        Ok(View::Int(i64::try_from(*self).unwrap_or(i64::MAX)))
    }
}

impl Field for String {
    const TYPE: Type = Type::String;

    fn view(&self) -> Reading<View<'_>> {
        Ok(View::Str(Cow::Borrowed(self)))
    }
}

impl Field for At {
    const TYPE: Type = Type::String;

    fn view(&self) -> Reading<View<'_>> {
        Ok(View::Str(match self.line {
            None => Cow::Borrowed(&self.path),
            Some(_) => Cow::Owned(self.to_string()),
        }))
    }

    fn read_at(&self) -> Option<&At> {
        Some(self)
    }
}

impl<T: Field> Field for Option<T> {
    const TYPE: Type = T::TYPE;
    const SAMPLED: bool = T::SAMPLED;

    fn view(&self) -> Reading<View<'_>> {
        self.as_ref().map_or(Err(Missing::Absent), Field::view)
    }

    fn read_at(&self) -> Option<&At> {
        self.as_ref().and_then(Field::read_at)
    }
}

impl<T: Field> Field for Reading<T> {
    const TYPE: Type = T::TYPE;
    const SAMPLED: bool = T::SAMPLED;

    fn view(&self) -> Reading<View<'_>> {
        match self {
            Ok(value) => value.view(),
            Err(missing) => Err(missing.clone()),
        }
    }

    fn read_at(&self) -> Option<&At> {
        self.as_ref().ok().and_then(Field::read_at)
    }
}

impl<T: Field + ?Sized> Field for Box<T> {
    const TYPE: Type = T::TYPE;
    const SAMPLED: bool = T::SAMPLED;

    fn view(&self) -> Reading<View<'_>> {
        (**self).view()
    }

    fn read_at(&self) -> Option<&At> {
        (**self).read_at()
    }
}

impl<T: Field> Field for Lazy<T> {
    const TYPE: Type = T::TYPE;
    const SAMPLED: bool = T::SAMPLED;

    fn view(&self) -> Reading<View<'_>> {
        self.get()?.view()
    }

    fn read_at(&self) -> Option<&At> {
        self.get().ok().and_then(Field::read_at)
    }
}

impl<T: Field> Field for Vec<T> {
    const TYPE: Type = Type::List(&T::TYPE);

    fn view(&self) -> Reading<View<'_>> {
        Ok(View::List(self))
    }
}

impl<T: Field> List for Vec<T> {
    fn len(&self) -> usize {
        <[T]>::len(self)
    }

    fn get(&self, position: usize) -> Reading<View<'_>> {
        self[position].view()
    }
}

impl<T: Field> Field for Partial<T> {
    const TYPE: Type = Type::List(&T::TYPE);

    fn view(&self) -> Reading<View<'_>> {
        Ok(View::List(self))
    }
}

impl<T: Field> List for Partial<T> {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn get(&self, position: usize) -> Reading<View<'_>> {
        self.items[position].view()
    }

    fn unread(&self) -> &[Unreadable] {
        &self.unread
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    const TYPE: Type = Type::Map(&T::TYPE);

    fn view(&self) -> Reading<View<'_>> {
        Ok(View::Map(self))
    }
}

impl<T: Field> Map for BTreeMap<String, T> {
    fn get(&self, key: &str) -> Reading<View<'_>> {
        BTreeMap::get(self, key).map_or(Err(Missing::Absent), Field::view)
    }

    fn keys(&self) -> Vec<&str> {
        BTreeMap::keys(self).map(String::as_str).collect()
    }
}
