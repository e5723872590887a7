//! How facts show themselves to rules: typed, documented, and read in place.
//!
//! A fact is a plain Rust struct made with [`crate::record!`]. The macro writes down what a rule may ask of
//! it ([`Shape`]: names, types and the doc comments) and answers such questions ([`Record::get`]) from
//! the struct itself, without converting it to anything. The shape is what rules are checked against, what
//! `hostvet facts --describe` prints and what `--schema` turns into JSON Schema: one text, three readers.

mod field;
mod lazy;
mod located;
mod number;
mod partial;
mod record;
mod render;
mod sampled;
mod shape;
mod word;

pub use field::Field;
pub use lazy::Lazy;
pub use located::Located;
pub use number::{Limit, Text};
pub use partial::Partial;
pub use record::{List, Map, Record, Shaped, View};
pub use render::{Shown, json, render_double, type_schema};
pub use sampled::Sampled;
pub use shape::{FieldShape, Shape, Type};
pub use word::Word;

/// What [`crate::record!`] needs from this crate, in one place.
#[doc(hidden)]
pub mod macros {
    pub use super::{Field, FieldShape, Record, Shape, Shaped, View};
    pub use crate::source::{At, Reading};
    pub use std::sync::OnceLock;
}
