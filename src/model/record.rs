//! The dynamic side of a fact: its values, read in place.

use super::Shape;
#[cfg(doc)]
use super::Type;
use crate::source::{At, Reading, Unreadable};
use std::borrow::Cow;
use std::fmt::Debug;

/// A value of a fact, borrowed where it lies.
#[derive(Clone, Debug)]
pub enum View<'a> {
    /// [`Type::Bool`].
    Bool(bool),
    /// [`Type::Int`]; also a [`Type::Double`] that happens to be whole.
    Int(i64),
    /// [`Type::Double`]; positive infinity is "unlimited".
    Double(f64),
    /// [`Type::String`] and [`Type::Word`].
    Str(Cow<'a, str>),
    /// [`Type::Text`].
    Text(Cow<'a, str>),
    /// [`Type::List`].
    List(&'a dyn List),
    /// [`Type::Map`].
    Map(&'a dyn Map),
    /// [`Type::Record`].
    Record(&'a dyn Record),
}

/// Named fields of a fact.
pub trait Record: Debug + Send + Sync {
    /// What can be asked.
    fn shape(&self) -> &'static Shape;

    /// The field at this position of the shape.
    fn get(&self, position: usize) -> Reading<View<'_>>;

    /// Where the field at this position was read, where the field itself knows.
    fn field_at(&self, position: usize) -> Option<&At>;

    /// Where the record was read: its `at` field.
    fn at(&self) -> Option<&At>;
}

/// A record type, without a record.
pub trait Shaped: Record {
    /// What can be asked of every such record.
    fn static_shape() -> &'static Shape;
}

/// Values in order.
pub trait List: Debug + Send + Sync {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The one at this position, below [`List::len`].
    fn get(&self, position: usize) -> Reading<View<'_>>;

    /// What may hold more of them, but could not be read.
    fn unread(&self) -> &[Unreadable] {
        &[]
    }
}

/// Values by name.
pub trait Map: Debug + Send + Sync {
    /// The value of this name.
    fn get(&self, key: &str) -> Reading<View<'_>>;

    /// The names, sorted.
    fn keys(&self) -> Vec<&str>;

    /// What may hold more of them, but could not be read.
    fn unread(&self) -> &[Unreadable] {
        &[]
    }
}

/// Makes a struct a [`Record`]: the definition as it stands, and what rules may ask of it.
///
/// Doc comments are required on the struct and on every field: they are what `hostvet facts --describe` shows.
/// A field named `at` (of type [`At`]) says where the record was read. `#[bare(field)]` names the field that
/// stands for the whole record where a plain value, list or map is wanted.
///
/// Field types are those that are [`super::Field`]: `bool`, integers, `f64`, `String`, [`super::Text`],
/// [`super::Limit`], [`At`], word enums (see [`crate::word!`]), other records, and `Option`, [`Reading`], `Vec`,
/// [`super::Partial`], `BTreeMap<String, _>`, `Box`, [`super::Lazy`] and [`super::Sampled`] of these.
///
/// ```
/// hostvet::record! {
///     /// One line of a file of two columns.
///     #[derive(Clone, PartialEq)]
///     #[bare(value)]
///     pub struct Line {
///         /// The first column.
///         pub key: String,
///         /// The second column; absent where the line has only one.
///         pub value: Option<i64>,
///     }
/// }
/// ```
#[macro_export]
macro_rules! record {
    (
        $(#[doc = $doc:expr])*
        $(#[derive($($derive:ident),* $(,)?)])?
        $(#[bare($bare:ident)])?
        pub struct $name:ident {
            $( $(#[doc = $field_doc:expr])* pub $field:ident : $ty:ty ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug $($(, $derive)*)?)]
        pub struct $name {
            $( $(#[doc = $field_doc])* pub $field: $ty, )*
        }

        impl $crate::model::macros::Shaped for $name {
            fn static_shape() -> &'static $crate::model::macros::Shape {
                static SHAPE: $crate::model::macros::OnceLock<$crate::model::macros::Shape> =
                    $crate::model::macros::OnceLock::new();
                SHAPE.get_or_init(|| {
                    #[allow(unused_mut, unused_assignments)]
                    let mut bare: Option<&'static str> = None;
                    $( bare = Some(stringify!($bare)); )?
                    $crate::model::macros::Shape::new(
                        stringify!($name),
                        &[$($doc),*],
                        bare,
                        vec![$( (
                            stringify!($field),
                            &[$($field_doc),*] as &[&str],
                            <$ty as $crate::model::macros::Field>::TYPE,
                            <$ty as $crate::model::macros::Field>::SAMPLED,
                        ) ),*],
                    )
                })
            }
        }

        impl $crate::model::macros::Record for $name {
            fn shape(&self) -> &'static $crate::model::macros::Shape {
                <Self as $crate::model::macros::Shaped>::static_shape()
            }

            fn get(
                &self,
                position: usize,
            ) -> $crate::model::macros::Reading<$crate::model::macros::View<'_>> {
                type Get = for<'a> fn(&'a $name) -> $crate::model::macros::Reading<$crate::model::macros::View<'a>>;
                const GET: &[Get] =
                    &[$( |record: &$name| $crate::model::macros::Field::view(&record.$field) ),*];
                GET[position](self)
            }

            fn field_at(&self, position: usize) -> Option<&$crate::model::macros::At> {
                type Get = for<'a> fn(&'a $name) -> Option<&'a $crate::model::macros::At>;
                const GET: &[Get] =
                    &[$( |record: &$name| $crate::model::macros::Field::read_at(&record.$field) ),*];
                GET[position](self)
            }

            fn at(&self) -> Option<&$crate::model::macros::At> {
                let position = <Self as $crate::model::macros::Shaped>::static_shape().at?;
                $crate::model::macros::Record::field_at(self, position)
            }
        }

        impl $crate::model::macros::Field for $name {
            const TYPE: $crate::model::Type =
                $crate::model::Type::Record(<$name as $crate::model::macros::Shaped>::static_shape);

            fn view(&self) -> $crate::model::macros::Reading<$crate::model::macros::View<'_>> {
                Ok($crate::model::macros::View::Record(self))
            }

            fn read_at(&self) -> Option<&$crate::model::macros::At> {
                $crate::model::macros::Record::at(self)
            }
        }
    };
}
