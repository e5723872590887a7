//! Syntaxes that several facts share: lines with numbers, `key: value`, unit files. Pure functions of text.

pub mod counters;
pub mod fs_type;
pub mod kernel_command_line;
pub mod key_value;
pub mod mountinfo;
pub mod octal;
pub mod pressure;
pub mod ranges;
pub mod shared_library;
pub mod unit_file;
