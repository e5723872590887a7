//! Syntaxes that several facts share: lines with numbers, `key: value`, unit files. Pure functions of text, but for
//! `descriptors` and `socket_owners`, which go through directories of links, and `units`, which finds the files of units.

pub mod counters;
pub mod cpu_columns;
pub mod cpu_mask;
pub mod descriptors;
pub mod fs_type;
pub mod kernel_command_line;
pub mod kernel_release;
pub mod key_value;
pub mod mountinfo;
pub mod octal;
pub mod per_cpu_stat;
pub mod pressure;
pub mod ranges;
pub mod shared_library;
pub mod socket_owners;
pub mod unit_file;
pub mod units;
