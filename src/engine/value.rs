//! Values while they are computed, and the two ways in which there is none.

use crate::model::{List, Map, Record, View, json, render_double};
use crate::source::{At, Missing, Reading, Unreadable};
use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

/// A value, borrowed from the facts or the rule where it can be.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(Cow<'a, str>),
    Text(Cow<'a, str>),
    List(Items<'a>),
    Map(&'a dyn Map, Option<&'a At>),
    Record(&'a dyn Record, Option<&'a At>),
}

/// A list of the facts, or one that the expression made.
#[derive(Clone, Debug)]
pub(super) enum Items<'a> {
    Fact(&'a dyn List, Option<&'a At>),
    Made(Rc<Made<'a>>),
}

/// A list that the expression made.
#[derive(Debug, Default)]
pub(super) struct Made<'a> {
    pub(super) items: Vec<Value<'a>>,
    /// What may hold more of them, but could not be read.
    pub(super) unread: Vec<Unreadable>,
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// This system has no such thing; the text says what.
    Absent(String),
    /// It could not be read.
    Unreadable(Unreadable),
    /// It cannot be computed: a division by zero, a number too large, a text that is no number.
    Failed(String),
}

pub(super) type Evaluated<'a> = Result<Value<'a>, Gap>;

impl Gap {
    /// Of two gaps the one that says less is known.
    pub(super) fn worse(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Absent(_), Self::Unreadable(_) | Self::Failed(_)) => other,
            _ => self,
        }
    }

    /// What is missing of a fact, as a gap.
    pub(super) fn of(missing: Missing, what: impl FnOnce() -> String) -> Self {
        match missing {
            Missing::Absent => Self::Absent(what()),
            Missing::Unreadable(why) => Self::Unreadable(why),
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(what) => write!(f, "{what} is absent"),
            Self::Unreadable(why) => why.fmt(f),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// A fact's characters without line ends, which only names have that somebody gave to a file or a process, so that
/// none can add lines to a remedy.
fn on_one_line(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.contains('\n') {
        true => Cow::Owned(text.replace('\n', "\\n")),
        false => text,
    }
}

/// What is shown of one value at most, in bytes: a hostile file may have a line of any length.
const MAX_SHOWN: usize = 10_000;

/// The beginning of a text that is too long to be read.
pub(super) fn cut(mut text: String) -> String {
    if text.len() > MAX_SHOWN {
        let end = (0..=MAX_SHOWN).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let left = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("… (and {left} bytes more)"));
    }
    text
}

impl<'a> Value<'a> {
    /// A value of a fact; `at` is where what surrounds it was read.
    pub(super) fn of(view: View<'a>, at: Option<&'a At>) -> Self {
        match view {
            View::Bool(b) => Self::Bool(b),
            View::Int(i) => Self::Int(i),
            View::Double(d) => Self::Double(d),
            View::Str(s) => Self::Str(on_one_line(s)),
            View::Text(s) => Self::Text(on_one_line(s)),
            View::List(list) => Self::List(Items::Fact(list, at)),
            View::Map(map) => Self::Map(map, at),
            View::Record(record) => Self::Record(record, record.at().or(at)),
        }
    }

    /// Where the value was read, for those that know.
    pub(super) fn at(&self) -> Option<&'a At> {
        match self {
            Self::Record(_, at) | Self::Map(_, at) | Self::List(Items::Fact(_, at)) => *at,
            _ => None,
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(s) | Self::Text(s) => Some(s),
            _ => None,
        }
    }

    /// The value as JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        match self {
            Self::Bool(b) => (*b).into(),
            Self::Int(i) => (*i).into(),
            Self::Double(d) if d.is_finite() => (*d).into(),
            Self::Str(s) => s.as_ref().into(),
            // A kernel's number is a number to a machine that reads the report; `0644` would lose its zero.
            Self::Text(s) => match s.parse::<i64>() {
                Ok(number) if number.to_string() == s.as_ref() => number.into(),
                _ => s.as_ref().into(),
            },
            Self::Double(d) => render_double(*d).into(),
            Self::List(items) => {
                let values = items.iter().map(|item| item.map_or_else(|e| json(Err(e)), |v| v.json()));
                let unread = items.unread().iter().map(|why| json(Err(Missing::Unreadable(why.clone()))));
                values.chain(unread).collect()
            }
            Self::Map(map, _) => json(Ok(View::Map(*map))),
            Self::Record(record, _) => json(Ok(View::Record(*record))),
        }
    }
}

/// As it stands in a sentence.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(b) => b.fmt(f),
            Self::Int(i) => i.fmt(f),
            Self::Double(d) => f.write_str(&render_double(*d)),
            Self::Str(s) | Self::Text(s) => f.write_str(s),
            Self::List(items) => {
                let unread = items.unread().iter().map(|why| Err(Missing::Unreadable(why.clone())));
                for (i, item) in items.iter().chain(unread).enumerate() {
                    let sep = if i == 0 { "" } else { ", " };
                    match item {
                        Ok(item) => write!(f, "{sep}{item}")?,
                        Err(Missing::Absent) => write!(f, "{sep}(none)")?,
                        Err(Missing::Unreadable(why)) => write!(f, "{sep}(unknown: {why})")?,
                    }
                }
                Ok(())
            }
            Self::Map(map, _) => f.write_str(&map.keys().join(", ")),
            Self::Record(record, _) => f.write_str(record.shape().name),
        }
    }
}

impl<'a> Items<'a> {
    pub(super) fn made(items: Vec<Value<'a>>) -> Self {
        Self::Made(Rc::new(Made { items, unread: Vec::new() }))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Fact(list, _) => list.len(),
            Self::Made(made) => made.items.len(),
        }
    }

    /// The item at this position, which must be below [`Items::len`].
    pub(super) fn get(&self, position: usize) -> Reading<Value<'a>> {
        match self {
            Self::Fact(list, at) => list.get(position).map(|view| Value::of(view, *at)),
            Self::Made(made) => Ok(made.items[position].clone()),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Reading<Value<'a>>> {
        (0..self.len()).map(|i| self.get(i))
    }

    /// Whether it is a fact's list, and where that was read.
    pub(super) fn origin(&self) -> (bool, Option<&'a At>) {
        match self {
            Self::Fact(_, at) => (true, *at),
            Self::Made(_) => (false, None),
        }
    }

    /// What may hold more items, but could not be read.
    pub(super) fn unread(&self) -> &[Unreadable] {
        match self {
            Self::Fact(list, _) => list.unread(),
            Self::Made(made) => &made.unread,
        }
    }
}
