//! The static side of a fact: names, types, documentation.

use std::fmt;

/// The type of a value in the rule language.
#[derive(Clone, Copy)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A number with a fraction; also a limit, which may be unlimited.
    Double,
    /// Characters.
    String,
    /// One of a few words; compared like a string.
    Word(&'static [(&'static str, &'static str)]),
    /// What the kernel prints: a number where a number is wanted, else characters.
    Text,
    /// Values of one type, in order.
    List(&'static Type),
    /// Values of one type, by name.
    Map(&'static Type),
    /// Named fields.
    Record(fn() -> &'static Shape),
}

/// What a rule may ask of a record.
#[derive(Debug)]
pub struct Shape {
    /// The name of the Rust type.
    pub name: &'static str,
    doc: &'static [&'static str],
    /// The fields, in the order of the struct.
    pub fields: Vec<FieldShape>,
    /// The field that stands for the whole record where a plain value, list or map is wanted.
    pub bare: Option<usize>,
    /// The field that holds where the record was read.
    pub at: Option<usize>,
}

/// One field of a record.
#[derive(Debug)]
pub struct FieldShape {
    /// Its name, snake_cased.
    pub name: &'static str,
    doc: &'static [&'static str],
    /// Its type.
    pub ty: Type,
    /// Whether it takes two readings: see [`super::Sampled`].
    pub sampled: bool,
}

impl Shape {
    /// Puts a shape together; [`crate::record!`] calls this.
    #[doc(hidden)]
    pub fn new(
        name: &'static str,
        doc: &'static [&'static str],
        bare: Option<&'static str>,
        fields: Vec<(&'static str, &'static [&'static str], Type, bool)>,
    ) -> Self {
        let fields: Vec<_> = fields
            .into_iter()
            .map(|(name, doc, ty, sampled)| FieldShape {
                name: name.trim_start_matches("r#"),
                doc,
                ty,
                sampled,
            })
            .collect();
        let position = |wanted: &str| fields.iter().position(|f| f.name == wanted);
        Self { name, doc, bare: bare.and_then(position), at: position("at"), fields }
    }

    /// Its documentation.
    pub fn doc(&self) -> String {
        paragraph(self.doc)
    }

    /// Position and type of the field of this name.
    pub fn field(&self, name: &str) -> Option<(usize, Type)> {
        let position = self.fields.iter().position(|f| f.name == name)?;
        Some((position, self.fields[position].ty))
    }
}

impl FieldShape {
    /// Its documentation: unit, absence, default.
    pub fn doc(&self) -> String {
        paragraph(self.doc)
    }
}

/// Doc comments as they come from the compiler, without the space after `///`.
fn paragraph(lines: &[&str]) -> String {
    let lines: Vec<_> = lines.iter().map(|l| l.strip_prefix(' ').unwrap_or(l).trim_end()).collect();
    lines.join("\n").trim().to_owned()
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Word(words) => {
                let words: Vec<_> = words.iter().map(|(w, _)| format!("'{w}'")).collect();
                f.write_str(&words.join(" | "))
            }
            Self::Text => f.write_str("text"),
            Self::List(of) => write!(f, "list({of})"),
            Self::Map(of) => write!(f, "map({of})"),
            Self::Record(shape) => f.write_str(shape().name),
        }
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
