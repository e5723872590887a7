//! The types of expressions: those of facts, and `optional`.

use crate::model::{Shape, Type};
use std::fmt;
use std::sync::Arc;

/// The type of an expression.
#[derive(Clone, Debug)]
pub(super) enum Ty {
    Bool,
    Int,
    Double,
    Str,
    Word(&'static [(&'static str, &'static str)]),
    Text,
    List(Arc<Ty>),
    Map(Arc<Ty>),
    Record(&'static Shape),
    Optional(Arc<Ty>),
    /// Of the items of `[]`: fits everything.
    Any,
}

impl From<Type> for Ty {
    fn from(ty: Type) -> Self {
        match ty {
            Type::Bool => Self::Bool,
            Type::Int => Self::Int,
            Type::Double => Self::Double,
            Type::String => Self::Str,
            Type::Word(words) => Self::Word(words),
            Type::Text => Self::Text,
            Type::List(of) => Self::List(Arc::new((*of).into())),
            Type::Map(of) => Self::Map(Arc::new((*of).into())),
            Type::Record(shape) => Self::Record(shape()),
        }
    }
}

impl Ty {
    pub(super) fn list(of: Self) -> Self {
        Self::List(Arc::new(of))
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Double | Self::Any)
    }

    /// A number, where [`Ty::is_number`] takes what may be anything for one.
    pub(super) fn is_surely_number(&self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }

    /// Characters, in any of the guises.
    pub(super) fn is_string(&self) -> bool {
        matches!(self, Self::Str | Self::Word(_) | Self::Text | Self::Any)
    }

    /// A value that can be shown in a sentence and listed as evidence.
    pub(super) fn is_scalar(&self) -> bool {
        matches!(self, Self::Bool | Self::Int | Self::Double | Self::Str | Self::Word(_) | Self::Text)
    }

    /// The type that holds both, if there is one.
    pub(super) fn join(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, ty) | (ty, Self::Any) => Some(ty.clone()),
            (Self::Bool, Self::Bool) => Some(Self::Bool),
            (Self::Int, Self::Int) => Some(Self::Int),
            (Self::Int | Self::Double, Self::Int | Self::Double) => Some(Self::Double),
            (Self::Text, Self::Text) => Some(Self::Text),
            (Self::Word(a), Self::Word(b)) if a == b => Some(Self::Word(a)),
            (a, b) if a.is_string() && b.is_string() => Some(Self::Str),
            (Self::List(a), Self::List(b)) => Some(Self::list(a.join(b)?)),
            (Self::Optional(a), Self::Optional(b)) => Some(Self::Optional(Arc::new(a.join(b)?))),
            (Self::Record(a), Self::Record(b)) if std::ptr::eq(*a, *b) => Some(Self::Record(a)),
            (Self::Map(a), Self::Map(b)) => Some(Self::Map(Arc::new(a.join(b)?))),
            _ => None,
        }
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Double => f.write_str("double"),
            Self::Str => f.write_str("string"),
            Self::Word(words) => Type::Word(words).fmt(f),
            Self::Text => f.write_str("text"),
            Self::List(of) => write!(f, "list({of})"),
            Self::Map(of) => write!(f, "map({of})"),
            Self::Record(shape) => f.write_str(shape.name),
            Self::Optional(of) => write!(f, "optional({of})"),
            Self::Any => f.write_str("any"),
        }
    }
}
