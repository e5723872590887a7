//! Syntaxes that several facts share: lines with numbers, `key: value`, unit files. Pure functions of text.

pub mod unit_file;
