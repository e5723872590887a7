//! Syntaxes that several facts share: lines with numbers, `key: value`, unit files. Pure functions of text, but for
//! `descriptors` and `socket_owners`, which go through directories of links.

pub mod compression;
pub mod counters;
pub mod cpio;
pub mod descriptors;
pub mod fs_type;
pub mod kernel_command_line;
pub mod kernel_files;
pub mod kernel_release;
pub mod key_value;
pub mod mountinfo;
pub mod octal;
pub mod pressure;
pub mod ranges;
pub mod socket_owners;
pub mod unit_file;
pub mod version_order;
