//! Syntaxes that several facts share: lines with numbers, `key: value`, unit files. Pure functions of text.

pub mod mountinfo;
pub mod octal;
